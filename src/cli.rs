//! The command `perimeter`: arguments in, text out. Nothing is decided here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use self::view::onward::Onward;
use crate::aws::store_url::StoreUrl;

mod arguments;
mod bundle;
mod explain;
mod findings;
mod gathered;
mod generated;
mod init;
mod input;
mod invoke;
mod listed;
mod output;
mod progress;
mod prove;
mod rules;
mod runs;
mod scan;
mod settings;
mod simulate;
mod smallest;
mod spilled;
mod sweep;
mod view;

/// Keeps DynamoDB tables reachable only from inside the approved VPCs, and proves it.
#[derive(Debug, Parser)]
#[command(name = "perimeter", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The perimeter [default: ./perimeter.toml; of a bundle, its own]
    #[arg(long, global = true, value_name = "FILE", env = "PERIMETER_CONFIG", value_parser = settings::ConfigPath)]
    config: Option<PathBuf>,
    /// Endpoints, as `aws ec2 describe-vpc-endpoints` prints them
    #[arg(long, global = true, value_name = "FILE")]
    endpoints: Vec<PathBuf>,
    /// Where findings are kept: none, memory, a file, or dynamodb://TABLE?region=…&endpoint=…
    /// [default: a file for each perimeter, in your data folder]
    #[arg(long, global = true, value_name = "STORE")]
    store: Option<String>,
    /// Threads [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// How the result is written
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Where the result is written [default: standard output]
    #[arg(long, global = true, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t = clap::ColorChoice::Auto, value_name = "WHEN")]
    color: clap::ColorChoice,
    /// No progress and no remarks; what could not be done is still said
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say what is used and read, and how long it takes
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For reading
    Text,
    /// One JSON value
    Json,
    /// One JSON value a line
    Ndjson,
    /// Comma-separated, with a header
    Csv,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write an annotated perimeter.toml to begin with
    Init(init::Init),
    /// Audit CloudTrail logs
    Scan(scan::Scan),
    /// Run the Lambda's own handler on an event file, against the local store
    Invoke(invoke::Invoke),
    /// Look at the findings that are kept, and decide about them
    Findings {
        #[command(subcommand)]
        command: findings::Command,
    },
    /// Prove that policies keep the perimeter, or show the request that breaks it
    Prove(prove::Prove),
    /// Decide one request, and say which statement decides
    Simulate(simulate::Simulate),
    /// Prove every table against every principal, as things stand
    Sweep(sweep::Sweep),
    /// List the rules
    Rules(rules::Rules),
    /// Explain a rule or a lint
    Explain(explain::Explain),
    /// Write completions for a shell
    Completions(generated::Completions),
    /// Write the manual page
    Man(generated::Man),
}

/// How a command ended: the exit status, where 2 wins over 1.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Ending {
    /// 0: all of what was asked is done.
    #[default]
    Clean,
    /// 1: at least one finding is as severe as was asked about.
    Findings,
    /// 2: not all of what was asked could be done.
    Incomplete,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        ExitCode::from(ending as u8)
    }
}

/// Why a command could do nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// In words for the user, several lines where it helps.
    #[error("{0}")]
    Said(String),
    /// In words for the user, with the lines of the configuration that they are about; made inert where
    /// they were made, and coloured.
    #[error("{0}")]
    Configuration(String),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[from] std::io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] crate::aws::store_url::OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::findings::store::StoreError),
}

type Done = Result<Ending, Failure>;

/// Runs the command that the arguments ask for.
pub fn run() -> ExitCode {
    let matches = Cli::command().color(asked_color(std::env::args_os())).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match dispatch(&cli) {
        Ok(ending) => ending.into(),
        Err(failure) => {
            output::failure(&failure, cli.common.colored());
            Ending::Incomplete.into()
        }
    }
}

fn dispatch(cli: &Cli) -> Done {
    let common = &cli.common;
    match &cli.command {
        Command::Init(init) => init.run(common),
        Command::Scan(scan) => scan.run(common),
        Command::Invoke(invoke) => invoke.run(common),
        Command::Findings { command } => command.run(common),
        Command::Prove(prove) => prove.run(common),
        Command::Simulate(simulate) => simulate.run(common),
        Command::Sweep(sweep) => sweep.run(common),
        Command::Rules(rules) => rules.run(common),
        Command::Explain(explain) => explain.run(common),
        Command::Completions(completions) => completions.run(common),
        Command::Man(man) => man.run(common),
    }
}

impl Common {
    /// Commands to go on with, given that findings are kept there.
    fn onward(&self, url: Option<&StoreUrl>) -> Onward {
        let config = self.config.as_ref().map(|path| path.display().to_string());
        let onward = Onward::new(config.as_deref(), self.store.as_deref());
        match url {
            Some(StoreUrl::None | StoreUrl::Memory) => onward.without_findings(),
            Some(StoreUrl::File(_) | StoreUrl::Table(_)) | None => onward,
        }
    }

    /// How many threads are wanted.
    fn threads(&self) -> usize {
        let wanted = self.threads.map(usize::from);
        wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Says something that only those hear who want to know more.
    fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.remark(text);
        }
    }
}

/// The colours that are asked for, before the arguments are known to be right: what is said of wrong
/// ones is to have them as well.
fn asked_color(arguments: impl Iterator<Item = OsString>) -> clap::ColorChoice {
    let mut asked = clap::ColorChoice::Auto;
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--color") {
            _ if argument == "--" => break,
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        if let Some(color) = value.and_then(|value| value.parse().ok()) {
            asked = color;
        }
    }
    asked
}

/// The runtime that the store's calls run on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Said(format!("cannot start: {error}")))
}
