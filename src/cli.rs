//! The command `perimeter`: arguments in, text out. Nothing is decided here.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod arguments;
mod explain;
mod findings;
mod generated;
mod init;
mod input;
mod invoke;
mod output;
mod progress;
mod rules;
mod scan;
mod settings;
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
    /// The perimeter [default: ./perimeter.toml]
    #[arg(long, global = true, value_name = "FILE", env = "PERIMETER_CONFIG")]
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
    /// No progress and no remarks
    #[arg(long, short, global = true)]
    quiet: bool,
    /// More remarks
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
    /// Look at the findings that are kept
    Findings {
        #[command(subcommand)]
        command: findings::Command,
    },
    /// List the rules
    Rules(rules::Rules),
    /// Explain a rule
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
    let cli = Cli::parse();
    match dispatch(&cli) {
        Ok(ending) => ending.into(),
        // Whoever read the result has seen enough.
        Err(Failure::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
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
        Command::Rules(rules) => rules.run(common),
        Command::Explain(explain) => explain.run(common),
        Command::Completions(completions) => completions.run(common),
        Command::Man(man) => man.run(common),
    }
}

/// The runtime that the store's calls run on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Said(format!("cannot start: {error}")))
}
