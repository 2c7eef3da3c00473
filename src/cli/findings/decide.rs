//! `perimeter findings ack`, `suppress`, `resolve` and `reopen`: what somebody decides, carried out.

use clap::Args;
use jiff::Timestamp;

use super::{find, with_evidence};
use crate::aws::findings_table::FindingsTable;
use crate::cli::arguments::time;
use crate::cli::output::{Output, store_files};
use crate::cli::view::{self, json};
use crate::cli::{Common, Done, Ending, Failure, Format, runtime};
use crate::findings::finding::Finding;
use crate::findings::lifecycle::{Decision, Transition};
use crate::findings::store::{Decided, DecisionError, FindingStore};

/// What every decision takes.
#[derive(Args, Debug)]
struct Whose {
    /// Findings, by their ids or the beginnings of them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Who decides [default: the user who runs the command]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Arguments of `findings ack`.
#[derive(Args, Debug)]
pub struct Ack {
    #[command(flatten)]
    whose: Whose,
    /// What there is to say about it
    #[arg(
        long,
        visible_alias = "reason",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    note: String,
}

/// Arguments of `findings suppress`.
#[derive(Args, Debug)]
pub struct Suppress {
    #[command(flatten)]
    whose: Whose,
    /// When it comes back
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Timestamp,
    /// Why it does no harm until then
    #[arg(long, visible_alias = "note", value_name = "TEXT")]
    reason: String,
}

/// Arguments of `findings resolve`.
#[derive(Args, Debug)]
pub struct Resolve {
    #[command(flatten)]
    whose: Whose,
    /// How it was mended, or what it turned out to be
    #[arg(
        long,
        visible_alias = "note",
        value_name = "TEXT",
        required_unless_present = "change",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    /// The event of the change that mended it, by its id: it resolves a finding once
    #[arg(long, value_name = "EVENT")]
    change: Option<String>,
}

/// Arguments of `findings reopen`.
#[derive(Args, Debug)]
pub struct Reopen {
    #[command(flatten)]
    whose: Whose,
    /// What there is to say about it
    #[arg(
        long,
        visible_alias = "reason",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    note: String,
}

impl Ack {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        self.whose.decide(common, Transition::Acknowledge { note: self.note.clone() })
    }
}

impl Suppress {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let transition = Transition::Suppress { until: self.until, reason: self.reason.clone() };
        self.whose.decide(common, transition)
    }
}

impl Resolve {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let reason = self.reason.clone();
        let transition = match self.change.clone() {
            Some(event) => Transition::ResolveByChange { event, what: reason },
            None => Transition::Resolve { reason },
        };
        self.whose.decide(common, transition)
    }
}

impl Reopen {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        self.whose.decide(common, Transition::Reopen { note: self.note.clone() })
    }
}

impl Whose {
    /// Carries the decision out for each of the findings. One that it cannot be carried out for keeps it from
    /// no other.
    fn decide(&self, common: &Common, transition: Transition) -> Done {
        let now = Timestamp::now();
        let nobody = || Failure::Said("the system names no user: say with --by who decides".to_owned());
        let by = self.by.clone().or_else(user).ok_or_else(nobody)?;
        let decision = Decision::new(transition, &by, now);
        let decision = decision.map_err(|unfit| Failure::Said(unfit.to_string()))?;
        let runtime = runtime()?;
        let (store, url) = runtime.block_on(common.open_store())?;
        let mut out = Output::open_apart(common, store_files(&url))?;
        let mut ending = Ending::Clean;
        let mut all: Vec<(Finding, Decided)> = Vec::new();
        for (at, id) in self.ids.iter().enumerate() {
            match runtime.block_on(carry_out(&store, id, &decision)) {
                // The same finding, by two beginnings of its id.
                Ok((finding, _)) if all.iter().any(|(known, _)| known.id == finding.id) => {}
                Ok(decided) => all.push(decided),
                Err(failure) => {
                    common.fault(&failure.to_string());
                    ending = Ending::Incomplete;
                    if is_of_all(&failure) && at + 1 < self.ids.len() {
                        common.fault("the rest is not tried any more");
                        break;
                    }
                }
            }
        }
        write(common.format, &mut out, all)?;
        out.finish()?;
        Ok(ending)
    }
}

/// Carries a decision out for the finding of that id, or the only one whose id begins so.
async fn carry_out(
    store: &FindingsTable,
    id: &str,
    decision: &Decision,
) -> Result<(Finding, Decided), Failure> {
    let id = find(store, id, decision.at()).await?.sightings.identity.id();
    // Read first: once it is decided, nothing that fails is to say that it is not.
    let evidence = store.evidence(&id).await?;
    let decided = store.decide(&id, decision).await.map_err(|error| match error {
        DecisionError::Store(error) => Failure::Store(error),
        // It was there a moment ago.
        DecisionError::Unknown(_) => Failure::Said(error.to_string()),
        other => Failure::Said(format!("{id}: {other}")),
    })?;
    Ok((with_evidence(&mut decided.kept.clone(), evidence), decided))
}

/// Would it be the same with the next finding?
fn is_of_all(failure: &Failure) -> bool {
    match failure {
        Failure::Store(error) => error.is_of_all(),
        Failure::Said(_) | Failure::Configuration(_) | Failure::Write(_) | Failure::Open(_) => false,
    }
}

fn write(format: Format, out: &mut Output, all: Vec<(Finding, Decided)>) -> std::io::Result<()> {
    if format == Format::Text {
        return view::decided::text(out, &all);
    }
    let findings: Vec<Finding> = all.into_iter().map(|(finding, _)| finding).collect();
    match format {
        Format::Text | Format::Json => json::pretty(out, &findings),
        Format::Ndjson => view::findings::ndjson(out, view::findings::in_memory(&findings)),
        Format::Csv => view::findings::csv(out, view::findings::in_memory(&findings)),
    }
}

/// The name of the user who runs the command, as the system tells its programs.
fn user() -> Option<String> {
    let names = ["USER", "LOGNAME", "USERNAME"].into_iter().filter_map(std::env::var_os);
    names.map(|name| name.to_string_lossy().into_owned()).find(|name| !name.trim().is_empty())
}
