//! The Lambda functions. `_HANDLER`, the name of the handler, says which one this process is.

use std::io;
use std::process::ExitCode;

use dynamodb_perimeter::aws::function::{AuditorSettings, CollectorSettings, SettingsError, SweeperSettings};
use dynamodb_perimeter::lambda::auditor::Handler;
use dynamodb_perimeter::lambda::{Function, collector, runtime, sweeper};
use jiff::Timestamp;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    log();
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let reason = error.to_string();
            tracing::error!(%reason, "the function does not start");
            if let Some(api) = var("AWS_LAMBDA_RUNTIME_API")
                && let Err(error) = runtime::report_init_error(&api, &reason)
            {
                tracing::error!(%error, "Lambda was not told");
            }
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), lambda_runtime::Error> {
    if let Some(missing) = runtime::NEEDED.into_iter().find(|name| var(name).is_none()) {
        let hint = "bootstrap is started by Lambda; `perimeter invoke` runs a function elsewhere";
        return Err(format!("{missing} is not set: {hint}").into());
    }
    let function = Function::parse(&var("_HANDLER").unwrap_or_default())?;
    let executable = std::env::current_exe().ok();
    let executable = executable.as_deref();
    // One thread: Lambda gives a whole processor only beyond 1,769 MB.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match function {
            Function::Auditor => auditor(AuditorSettings::read(&var, executable)?).await,
            Function::Collector => collector(CollectorSettings::read(&var, executable)?).await,
            Function::Sweeper => sweeper(SweeperSettings::read(&var, executable)?).await,
        }
    })
}

async fn auditor(settings: AuditorSettings) -> Result<(), lambda_runtime::Error> {
    let AuditorSettings { store, lookup } = settings;
    let perimeter = store.common.perimeter().await?;
    let elsewhere = store.common.clone();
    let looking = lookup.map(|of| Ok((of.lookup(&store.common, &perimeter)?, of.patience)));
    let looking = looking.transpose().map_err(|error: SettingsError| error)?;
    let handler = Handler::new(perimeter, move || store.findings_table(), move || elsewhere.log_files());
    let name = var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    match looking {
        Some((lookup, patience)) => {
            runtime::serve(&handler.looking_up(lookup, patience), &name, Timestamp::now).await
        }
        None => runtime::serve(&handler, &name, Timestamp::now).await,
    }
}

async fn collector(settings: CollectorSettings) -> Result<(), lambda_runtime::Error> {
    let perimeter = settings.common.perimeter().await?;
    let source = settings.collector(&perimeter)?;
    let work = async |now| collector::run(&source, now).await;
    runtime::serve_any(work, "NotCollected", Timestamp::now).await
}

async fn sweeper(settings: SweeperSettings) -> Result<(), lambda_runtime::Error> {
    let perimeter = settings.store.common.perimeter().await?;
    let (source, store) = (settings.snapshot(), settings.store.findings_table());
    let work = async |now| sweeper::run(&source, &store, &perimeter, now).await;
    runtime::serve_any(work, "NotSwept", Timestamp::now).await
}

/// One JSON object a line on standard error; standard output has the metrics alone.
fn log() {
    let wanted = var("PERIMETER_LOG").unwrap_or_default();
    let targets = targets(&wanted);
    let unclear = targets.is_none();
    let json = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr);
    let targets = targets.unwrap_or_else(|| ours(LevelFilter::INFO));
    tracing_subscriber::registry().with(json).with(targets).init();
    if unclear {
        tracing::warn!(
            wanted,
            "PERIMETER_LOG is not understood: it is a level, as `debug`, or `target=level,…`"
        );
    }
}

fn targets(wanted: &str) -> Option<Targets> {
    if wanted.is_empty() {
        return Some(ours(LevelFilter::INFO));
    }
    if let Ok(level) = wanted.parse() {
        return Some(ours(level));
    }
    wanted.parse().ok().filter(|_| wanted.contains('='))
}

/// What others have to say only from warnings on, but for the span that has the id of the request.
fn ours(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("dynamodb_perimeter", level)
        .with_target("bootstrap", level)
        .with_target("lambda_runtime::layers::trace", level)
}

fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
