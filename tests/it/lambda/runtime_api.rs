//! A stand-in of Lambda's Runtime API, and `bootstrap` run against it.
//!
//! Source: Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{self, Request, Response};

const PREFIX: &str = "/2018-06-01/runtime/";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the function said of an invocation.
#[derive(Clone, Debug)]
pub enum Answer {
    Response(Value),
    Error(Value),
}

impl Answer {
    pub fn response(self) -> Value {
        match self {
            Answer::Response(value) => value,
            Answer::Error(error) => panic!("the invocation failed: {error}"),
        }
    }

    pub fn error(self) -> Value {
        match self {
            Answer::Error(value) => value,
            Answer::Response(response) => panic!("the invocation succeeded: {response}"),
        }
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(usize, String)>,
    invoked: usize,
    answers: HashMap<usize, Answer>,
    init_error: Option<Value>,
    first_poll: Option<Instant>,
}

#[derive(Clone, Default)]
pub struct RuntimeApi {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl RuntimeApi {
    /// Serves, and returns the address.
    pub fn serve(&self) -> String {
        let api = self.clone();
        http::serve(move |request| api.answer(&request))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap()
    }

    fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.state();
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = ready(&mut state) {
                return value;
            }
            assert!(Instant::now() < until, "nothing came in {PATIENCE:?}");
            state = self.shared.1.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let Some(path) = request.path.strip_prefix(PREFIX) else { return Response::new(404, "") };
        match (request.method.as_str(), path.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["invocation", "next"]) => self.next(),
            ("POST", ["invocation", id, kind @ ("response" | "error")]) => {
                let body = serde_json::from_slice(&request.body).unwrap();
                let answer = if *kind == "error" { Answer::Error(body) } else { Answer::Response(body) };
                let known = self.state().answers.insert(id.parse().unwrap(), answer);
                assert!(known.is_none(), "invocation {id} was answered twice");
                self.shared.1.notify_all();
                Response::new(202, "{}")
            }
            ("POST", ["init", "error"]) => {
                self.state().init_error = Some(serde_json::from_slice(&request.body).unwrap());
                self.shared.1.notify_all();
                Response::new(202, "{}")
            }
            _ => Response::new(404, ""),
        }
    }

    fn next(&self) -> Response {
        self.state().first_poll.get_or_insert_with(Instant::now);
        self.shared.1.notify_all();
        let mut state = self.state();
        // As Lambda does: an answer only when there is something to do.
        let (id, event) = loop {
            match state.waiting.pop_front() {
                Some(next) => break next,
                None => state = self.shared.1.wait(state).unwrap(),
            }
        };
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Lambda-Runtime-Aws-Request-Id", id.to_string()),
            ("Lambda-Runtime-Deadline-Ms", "4102444800000".to_owned()),
            (
                "Lambda-Runtime-Invoked-Function-Arn",
                "arn:aws:lambda:eu-west-1:111122223333:function:f".to_owned(),
            ),
            ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned()),
        ];
        Response { status: 200, headers, body: event.into_bytes() }
    }

    /// Sends events, and waits until all are answered. The answers are in the events' order.
    pub fn invoke(&self, events: impl IntoIterator<Item = String>) -> Vec<Answer> {
        let mut state = self.state();
        let from = state.invoked;
        for event in events {
            let id = state.invoked;
            state.waiting.push_back((id, event));
            state.invoked += 1;
        }
        let ids = from..state.invoked;
        drop(state);
        self.shared.1.notify_all();
        ids.map(|id| self.wait(|state| state.answers.remove(&id))).collect()
    }

    /// Sends one event.
    pub fn invoke_one(&self, event: impl ToString) -> Answer {
        self.invoke([event.to_string()]).remove(0)
    }

    /// When the function first asked for something to do.
    pub fn first_poll(&self) -> Instant {
        self.wait(|state| state.first_poll)
    }

    /// Why the function did not start.
    pub fn init_error(&self) -> Value {
        self.wait(|state| state.init_error.take())
    }
}

/// A running `bootstrap`; killed when it is dropped.
pub struct Process {
    child: Child,
    folder: tempfile::TempDir,
    pub started: Instant,
}

impl Process {
    /// Starts it with the repository's perimeter.toml. `vars` come last and win.
    pub fn start(api: &str, vars: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "perimeter-auditor")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .env("_HANDLER", "auditor")
            .env("PERIMETER_CONFIG", concat!(env!("CARGO_MANIFEST_DIR"), "/perimeter.toml"))
            .env("PERIMETER_STORE", "dynamodb://perimeter-findings?endpoint=http://127.0.0.1:9")
            .envs(vars.iter().copied())
            .stdout(File::create(folder.path().join("stdout")).unwrap())
            .stderr(File::create(folder.path().join("stderr")).unwrap());
        let started = Instant::now();
        Self { child: command.spawn().unwrap(), folder, started }
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let path: PathBuf = self.folder.path().join(name);
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    /// What it wrote for CloudWatch.
    pub fn metrics(&self) -> Vec<Value> {
        self.lines("stdout")
    }

    /// What it logged.
    pub fn log(&self) -> Vec<Value> {
        self.lines("stderr")
    }

    /// Waits until it ends by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// The most memory that it ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
