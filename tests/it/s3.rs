//! `perimeter scan s3://…` against moto, a stand-in of S3. Needs Python: `scripts/test-more` installs it and runs
//! these.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use serde_json::Value;

use crate::corpus::root;

type Tested = Result<(), Box<dyn Error>>;

/// A server process, and what it says of each request.
pub struct Moto {
    process: Child,
    pub url: String,
    log: Receiver<String>,
}

impl Moto {
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut process = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, log) = channel();
        let stderr = process.stderr.take().ok_or("no standard error")?;
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let moto = Self { process, url: format!("http://127.0.0.1:{port}"), log };
        loop {
            let line = moto.log.recv_timeout(Duration::from_secs(60))?;
            if line.contains("Running on") {
                return Ok(moto);
            }
        }
    }

    /// Keys of the objects that were fetched since the last call.
    fn fetched(&self) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(300));
        let lines =
            self.log.try_iter().filter(|line| line.contains("GET /logs/") && !line.contains("list-type"));
        lines
            .filter_map(|line| Some(line.split("GET /logs/").nth(1)?.split(['?', ' ']).next()?.to_owned()))
            .collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two accounts of an organization, two regions, three days; and digests, which are no logs.
fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    for account in ["111122223333", "444455556666"] {
        for region in ["eu-west-1", "us-east-1"] {
            for day in ["01", "05", "09"] {
                let folder =
                    format!("org/AWSLogs/o-exampleorgid/{account}/CloudTrail/{region}/2026/03/{day}");
                keys.push(format!("{folder}/{account}_CloudTrail_{region}_202603{day}T0000Z_x.json.gz"));
            }
            keys.push(format!(
                "org/AWSLogs/o-exampleorgid/{account}/CloudTrail-Digest/{region}/2026/03/01/digest.json.gz"
            ));
        }
    }
    keys
}

async fn upload(url: &str) -> Tested {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .force_path_style(true)
        .build();
    let client = Client::from_conf(config);
    client.create_bucket().bucket("logs").send().await?;
    let body = fs::read(root().join("events/compressed-log-file.json.gz"))?;
    for key in keys() {
        client.put_object().bucket("logs").key(key).body(body.clone().into()).send().await?;
    }
    Ok(())
}

fn scan(url: &str, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
        .current_dir(root())
        .args(["scan", "--store", "none", "--format", "json"])
        .args(arguments)
        .env("AWS_ENDPOINT_URL_S3", url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .output()?;
    assert!(output.status.code() == Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run scripts/test-more"]
async fn only_what_is_wanted_is_fetched() -> Tested {
    let moto = Moto::start()?;
    upload(&moto.url).await?;
    moto.fetched();

    let all = scan(&moto.url, &["s3://logs/org"])?;
    assert_eq!(all["summary"]["files"], 12);
    assert_eq!(moto.fetched().len(), 12);

    let cut = scan(
        &moto.url,
        &[
            "s3://logs/org/",
            "--account",
            "444455556666",
            "--region",
            "us-east-1",
            "--since",
            "2026-03-04",
            "--until",
            "2026-03-06",
        ],
    )?;
    assert_eq!(cut["summary"]["files"], 1);
    let fetched = moto.fetched();
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    assert!(fetched[0].contains("444455556666_CloudTrail_us-east-1_20260305"), "{fetched:?}");

    let one = &all["summary"]["records"];
    let single = scan(&moto.url, &[&format!("s3://logs/{}", keys()[0])])?;
    assert_eq!(single["summary"]["records"].as_u64().map(|records| records * 12), one.as_u64());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run scripts/test-more"]
async fn a_bucket_that_is_not_there_is_named() -> Tested {
    let moto = Moto::start()?;
    let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
        .current_dir(root())
        .args(["scan", "s3://nowhere/x", "--store", "none"])
        .env("AWS_ENDPOINT_URL_S3", &moto.url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .output()?;
    assert_eq!(output.status.code(), Some(2));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("s3://nowhere/x") && said.contains("NoSuchBucket"), "{said}");
    Ok(())
}
