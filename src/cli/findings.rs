//! `perimeter findings`: what is kept, listed and told, and what is decided about it.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::arguments::{RuleName, account, in_order, severity, status, time};
use super::output::{Output, store_files};
use super::view::findings::{brief, in_memory, next_steps};
use super::view::onward::Onward;
use super::view::paint::Paint;
use super::view::story::Story;
use super::view::{self, json, plain_line, short_arn};
use super::{Common, Done, Ending, Failure, Format, runtime};
use crate::audit::rule::Severity;
use crate::audit::rules;
use crate::aws::findings_table::FindingsTable;
use crate::aws::store_url::StoreUrl;
use crate::findings::finding::{Evidence, Finding, Kept, Status};
use crate::findings::store::{FindingStore, Query};
use crate::glob;

mod decide;

/// What to do with findings.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List findings, the worst and latest first
    List(List),
    /// Tell everything that is known of a finding
    Show(Show),
    /// Say that somebody is at findings
    Ack(decide::Ack),
    /// Let findings rest until a time, when they come back by themselves
    Suppress(decide::Suppress),
    /// Say that findings are mended, or are none; seen again, they are reopened
    Resolve(decide::Resolve),
    /// Take back that findings are acknowledged, suppressed or resolved
    Reopen(decide::Reopen),
}

impl Command {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        match self {
            Command::List(list) => list.run(common),
            Command::Show(show) => show.run(common),
            Command::Ack(ack) => ack.run(common),
            Command::Suppress(suppress) => suppress.run(common),
            Command::Resolve(resolve) => resolve.run(common),
            Command::Reopen(reopen) => reopen.run(common),
        }
    }
}

/// Arguments of `findings list`.
#[derive(Args, Debug)]
pub struct List {
    /// At least this severe
    #[arg(long, value_name = "SEVERITY", value_parser = severity(), ignore_case = true)]
    severity: Option<Severity>,
    /// In one of these states, with commas between [default: all but resolved]
    #[arg(long, value_name = "STATUS", value_parser = status(), ignore_case = true, value_delimiter = ',')]
    status: Vec<Status>,
    /// Of this rule
    #[arg(long, value_name = "RULE", value_parser = RuleName { or_lint: false }, hide_possible_values = true)]
    rule: Option<String>,
    /// On tables of this account
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,
    /// Seen at this time or later
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Seen before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// On tables of this name or ARN; * and ? are wildcards
    #[arg(long, value_name = "GLOB")]
    table: Option<String>,
    /// By principals of this name, path and name, or ARN; * and ? are wildcards
    #[arg(long, value_name = "GLOB")]
    principal: Option<String>,
    /// At most so many; 0 for all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl List {
    fn run(&self, common: &Common) -> Done {
        if let Some(rule) = self.rule.as_deref().filter(|rule| rules::find(rule).is_none()) {
            return Err(super::explain::unknown(rule));
        }
        in_order(self.since, self.until)?;
        let runtime = runtime()?;
        let (store, url) = runtime.block_on(common.open_store())?;
        let mut out = Output::open_apart(common, store_files(&url))?;
        let (findings, more) = runtime.block_on(self.findings(&store, common.format != Format::Text))?;
        match common.format {
            Format::Text => self.text(&mut out, &findings, more, &common.onward(Some(&url)))?,
            Format::Json => json::pretty(&mut out, &findings)?,
            Format::Ndjson => view::findings::ndjson(&mut out, in_memory(&findings))?,
            Format::Csv => view::findings::csv(&mut out, in_memory(&findings))?,
        }
        out.finish()?;
        if more && common.format != Format::Text {
            common.remark(&format!("these are the first {}; `--limit 0` gives all", self.limit));
        }
        Ok(Ending::Clean)
    }

    fn text(
        &self,
        out: &mut Output,
        findings: &[Finding],
        more: bool,
        onward: &Onward,
    ) -> std::io::Result<()> {
        let (paint, width) = (Paint { color: out.color }, out.width);
        let Some(worst) = findings.first() else {
            return writeln!(out, "No findings{}.", if self.is_narrowed() { " of this kind" } else { "" });
        };
        view::findings::text(out, findings)?;
        let mut steps = vec![
            (onward.findings(&format!("show {}", brief(&worst.id, findings))), "its evidence and remedy"),
            (Some(onward.explain(&worst.rule)), "what the rule finds, and why it matters"),
        ];
        if more {
            writeln!(out, "These are the first {}; there are more.\n", self.limit)?;
            steps.push((onward.findings("list --limit 0"), "all of them"));
        }
        let steps = steps.into_iter().filter_map(|(command, purpose)| Some((command?, purpose)));
        next_steps(out, paint, width, &steps.collect::<Vec<_>>())
    }

    /// Are some findings left out on purpose?
    fn is_narrowed(&self) -> bool {
        let Self { severity, status, rule, account, since, until, table, principal, limit: _ } = self;
        let texts = [rule, account, table, principal];
        severity.is_some()
            || !status.is_empty()
            || since.is_some()
            || until.is_some()
            || texts.iter().any(|text| text.is_some())
    }

    /// The findings that are asked for, and whether there are more. `whole`: with their evidence.
    async fn findings(&self, store: &FindingsTable, whole: bool) -> Result<(Vec<Finding>, bool), Failure> {
        let unresolved = || Status::ALL.into_iter().filter(|status| *status != Status::Resolved).collect();
        let query = Query {
            at_least: self.severity,
            statuses: if self.status.is_empty() { unresolved() } else { self.status.clone() },
            account: self.account.clone(),
            rule: self.rule.clone(),
            since: self.since,
            until: self.until,
        };
        let now = Timestamp::now();
        let mut findings = Vec::new();
        let mut after = None;
        loop {
            let (page, next) = store.list(&query, after, now).await?;
            for mut kept in page {
                let mut finding = kept.finding();
                if !self.takes(&finding) {
                    continue;
                }
                if self.limit > 0 && findings.len() == self.limit {
                    return Ok((findings, true));
                }
                if whole {
                    finding = with_evidence(&mut kept, store.evidence(&finding.id).await?);
                }
                findings.push(finding);
            }
            after = next;
            if after.is_none() {
                return Ok((findings, false));
            }
        }
    }

    /// The filters that the store knows nothing of.
    fn takes(&self, finding: &Finding) -> bool {
        let table = self
            .table
            .as_deref()
            .is_none_or(|pattern| finding.resources.iter().any(|arn| is_named(pattern, arn)));
        let principal = self.principal.as_deref().is_none_or(|pattern| {
            [&finding.principal.arn, &finding.principal.unique_id]
                .into_iter()
                .flatten()
                .any(|name| is_named(pattern, name))
        });
        table && principal
    }
}

/// Does the pattern fit the ARN, what stands behind its account (`role/app/checkout`), that without
/// its kind (`app/checkout`), or the last part of the name (`checkout`)?
fn is_named(pattern: &str, arn: &str) -> bool {
    let resource = crate::ids::Arn::parse(arn).map_or(arn, |arn| arn.resource);
    let path = resource.split_once('/').map_or(resource, |(_, path)| path);
    let name = resource.rsplit('/').next().unwrap_or(resource);
    [arn, resource, path, name].into_iter().any(|text| glob::matches(pattern, text))
}

/// Arguments of `findings show`.
#[derive(Args, Debug)]
pub struct Show {
    /// Findings, by their ids or the beginnings of them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl Show {
    fn run(&self, common: &Common) -> Done {
        let runtime = runtime()?;
        let (store, url) = runtime.block_on(common.open_store())?;
        let mut out = Output::open_apart(common, store_files(&url))?;
        let now = Timestamp::now();
        let mut told: Vec<(Finding, Vec<Evidence>)> = Vec::new();
        for id in &self.ids {
            let told_of = runtime.block_on(async {
                let mut kept = find(&store, id, now).await?;
                let evidence = store.evidence(&kept.sightings.identity.id()).await?;
                Ok::<_, Failure>((with_evidence(&mut kept, evidence.clone()), evidence))
            });
            told.push(told_of?);
        }
        let stories: Vec<Story> =
            told.iter().map(|(finding, evidence)| Story::new(finding, evidence)).collect();
        let onward = common.onward(Some(&url));
        match (common.format, stories.as_slice()) {
            (Format::Text, _) => {
                for (at, (finding, evidence)) in told.iter().enumerate() {
                    if at > 0 {
                        writeln!(out, "\n")?;
                    }
                    view::story::text(&mut out, finding, evidence, now, &onward)?;
                }
            }
            (Format::Json, [one]) => json::pretty(&mut out, one)?,
            (Format::Json, all) => json::pretty(&mut out, &all)?,
            (Format::Ndjson, all) => all.iter().try_for_each(|story| json::line(&mut out, story))?,
            (Format::Csv, _) => {
                let findings: Vec<Finding> = told.iter().map(|(finding, _)| finding.clone()).collect();
                view::findings::csv(&mut out, in_memory(&findings))?;
            }
        }
        out.finish()?;
        Ok(Ending::Clean)
    }
}

/// The finding with what its evidence tells, which the store keeps apart.
fn with_evidence(kept: &mut Kept, mut evidence: Vec<Evidence>) -> Finding {
    evidence.sort_by_key(|evidence| evidence.key);
    kept.sightings.evidence = evidence;
    kept.finding()
}

/// Digits of a whole id.
const DIGITS: usize = 24;

/// Ids that are named where one is not known or not the only one.
const NAMED: usize = 5;

/// The finding of that id, or the only one whose id begins so, as it stands at `now`.
async fn find(store: &FindingsTable, id: &str, now: Timestamp) -> Result<Kept, Failure> {
    let id = id.to_ascii_lowercase();
    let digits = id.strip_prefix("f-").unwrap_or(&id);
    let whole = format!("f-{digits}");
    if digits.is_empty() {
        return Err(Failure::Said("no id is given; `perimeter findings list` has them".to_owned()));
    }
    if digits.len() == DIGITS
        && let Some(kept) = store.find(&whole, now).await?.filter(|kept| kept.count() > 0)
    {
        return Ok(kept);
    }
    let mut fitting = Vec::new();
    let mut near: Vec<(usize, Finding)> = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = store.list(&Query::default(), after, now).await?;
        for kept in page {
            let finding = kept.finding();
            if finding.id.starts_with(&whole) {
                fitting.push(kept);
                continue;
            }
            let beginning = finding.id.get(..whole.len().min(finding.id.len())).unwrap_or_default();
            near.push((strsim::damerau_levenshtein(beginning, &whole), finding));
        }
        // Of each page those that are nearest so far.
        near.sort_by_key(|(distance, _)| *distance);
        near.truncate(NAMED);
        after = next;
        if after.is_none() {
            break;
        }
    }
    if fitting.len() > 1 {
        let findings: Vec<Finding> = fitting.iter().map(Kept::finding).collect();
        let several = format!("{} findings begin with `{}`", findings.len(), plain_line(&whole));
        return Err(Failure::Said(format!("{several}{}", named(&findings))));
    }
    // Half of the digits wrong is another id altogether.
    let near: Vec<Finding> = near
        .into_iter()
        .filter(|(distance, _)| 2 * distance <= digits.len())
        .map(|(_, finding)| finding)
        .collect();
    let hint = if near.is_empty() {
        "\n`perimeter findings list` lists them".to_owned()
    } else {
        format!("; near it{}", named(&near))
    };
    fitting
        .pop()
        .ok_or_else(|| Failure::Said(format!("no finding begins with `{}`{hint}", plain_line(&whole))))
}

fn named(findings: &[Finding]) -> String {
    let mut text = ":".to_owned();
    for finding in findings.iter().take(NAMED) {
        let who = finding
            .principal
            .arn
            .as_deref()
            .map_or_else(|| finding.principal.kind.name().to_owned(), short_arn);
        text = format!("{text}\n  {}  {}, {who}", finding.id, plain_line(&finding.rule));
    }
    if findings.len() > NAMED {
        text = format!("{text}\n  and {} more", findings.len() - NAMED);
    }
    text
}

impl Common {
    /// Opens the store that findings are looked up in. Which one is the default hangs on the
    /// perimeter; where it is named, none is needed.
    async fn open_store(&self) -> Result<(FindingsTable, StoreUrl), Failure> {
        let url = match &self.store {
            Some(text) => {
                text.parse::<StoreUrl>().map_err(|error| Failure::Said(format!("--store: {error}")))?
            }
            None => self.store_url(&self.settings()?)?,
        };
        if let StoreUrl::File(path) = &url {
            is_there(path)?;
        }
        let none = || Failure::Said(format!("--store {url}: nothing is kept there; name a file or a table"));
        if url == StoreUrl::Memory {
            return Err(none());
        }
        self.detail(&format!("findings are looked up in {url}"));
        let store = self.open(&url).await?.ok_or_else(none)?;
        Ok((store, url))
    }
}

/// A store that is not there has no findings because nothing was looked at: that is no answer. An
/// empty file is none yet.
fn is_there(path: &Path) -> Result<(), Failure> {
    let none = match std::fs::metadata(path) {
        // What is no ordinary file, opening it tells of.
        Ok(data) if data.len() > 0 || !data.is_file() => return Ok(()),
        Ok(_) => format!("`{}` is empty", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("there is no `{}`", path.display())
        }
        Err(error) => return Err(Failure::Said(format!("cannot read `{}`: {error}", path.display()))),
    };
    Err(Failure::Said(format!("no findings are kept yet: {none}\n`perimeter scan PATH` makes it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_in_each_form_that_people_use() {
        let arn = "arn:aws:iam::111122223333:role/app/checkout";
        for pattern in [
            "*checkout",
            "checkout",
            "app/checkout",
            "app/*",
            "role/app/*",
            "arn:aws:iam::111122223333:role/*",
            "*",
        ] {
            assert!(is_named(pattern, arn), "{pattern}");
        }
        for pattern in ["check", "role", "app", "user/*", ""] {
            assert!(!is_named(pattern, arn), "{pattern}");
        }
    }
}
