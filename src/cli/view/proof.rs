//! Proofs and decisions, as they are read.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::paint::{BOLD, DIM, Paint, WARN};
use super::prose::wrap;
use super::sheet::Sheet;
use super::short::counted;
use super::{lints, plain_line};
use crate::cli::output::Output;
use crate::iam::evaluate::{Decision, Layer, Step};
use crate::iam::matching::Misses;
use crate::iam::reading::Reading;
use crate::iam::request::Values;
use crate::perimeter::Perimeter;
use crate::prove::answer::{Answer, Verdict};
use crate::prove::bundle::{Asked, Bundle};
use crate::prove::explain::{KeptBy, KeptOut};
use crate::prove::notes;

/// All answers, as JSON has them, and what is hardly meant in the policies.
#[derive(Default, Serialize)]
pub struct Verdicts {
    pub verdicts: Vec<Shown>,
    pub lints: Vec<lints::Shown>,
}

/// What answers are about.
pub struct Of<'o> {
    pub bundle: &'o Bundle,
    pub perimeter: &'o Perimeter,
}

impl Of<'_> {
    fn origin(&self, answer: &Answer) -> Option<String> {
        answer.witness.as_ref().and_then(|asked| notes::origin(asked, self.perimeter))
    }

    fn notes(&self, answer: &Answer) -> Vec<String> {
        let entry = self.bundle.principal(&answer.principal);
        answer.witness.as_ref().map(|asked| notes::unsaid(self.bundle, entry, asked)).unwrap_or_default()
    }
}

/// One answer.
#[derive(Serialize)]
pub struct Shown {
    principal: String,
    table: String,
    verdict: &'static str,
    counterexample: Option<Value>,
    blamed: Vec<Value>,
    /// Where the counterexample comes from, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// What lets it through, and is said by no statement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    reason: Option<String>,
    /// It is about what is allowed beside what another bundle allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    /// What keeps requests out, where that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excluded: Vec<Value>,
    micros: u64,
}

impl Shown {
    /// As interface.md has it.
    pub fn of(answer: &Answer, of: &Of<'_>) -> Self {
        let blamed = answer
            .blamed
            .iter()
            .map(|blamed| json!({"policy": blamed.policy, "statement": blamed.statement, "why": blamed.why}));
        Self {
            principal: answer.principal.clone(),
            table: answer.table.clone(),
            verdict: answer.verdict.name(),
            counterexample: answer.witness.as_ref().map(request),
            blamed: blamed.collect(),
            origin: of.origin(answer),
            notes: of.notes(answer),
            reason: answer.reason.clone(),
            baseline: answer.is_of_baseline.then_some(true),
            excluded: answer.kept_out.iter().flat_map(excluded).collect(),
            micros: u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// Where requests come from, and what keeps which actions out; `*`: all that could be asked for.
fn excluded(kept_out: &KeptOut) -> impl Iterator<Item = Value> {
    kept_out.by.iter().map(|(by, actions)| {
        let actions: Vec<String> =
            if kept_out.by.len() == 1 { vec!["*".to_owned()] } else { actions.names().collect() };
        let mut shown = json!({"from": kept_out.from, "actions": actions});
        match by {
            KeptBy::Denied(statements) => {
                let statement =
                    |(policy, label): &(String, String)| json!({"policy": policy, "statement": label});
                shown["by"] = statements.iter().map(statement).collect();
            }
            KeptBy::Missing(missing) => shown["missing"] = layer(*missing).into(),
            KeptBy::Unchanged => shown["unchanged"] = true.into(),
            KeptBy::Undecided => shown["undecided"] = true.into(),
        }
        shown
    })
}

/// A request, as JSON has it.
pub fn request(asked: &Asked) -> Value {
    let context: Map<String, Value> =
        asked.context.iter().map(|(key, values)| (key.clone(), value(values))).collect();
    json!({
        "action": asked.action, "resource": asked.resource, "principal": asked.principal, "context": context,
    })
}

fn value(values: &Values) -> Value {
    match values {
        Values::One(value) => json!(value),
        Values::Many(values) => json!(values),
    }
}

/// Writes the answers for one bundle for reading.
pub fn text(out: &mut Output, name: &str, answers: &[Answer], of: &Of<'_>) -> io::Result<()> {
    let paint = Paint { color: out.color };
    writeln!(out, "{}", paint.text(BOLD, &plain_line(name)))?;
    for answer in answers {
        one(out, paint, answer, of)?;
    }
    let is_of_baseline = answers.iter().any(|answer| answer.is_of_baseline);
    let count = |verdict| answers.iter().filter(|answer| answer.verdict == verdict).count() as u64;
    let all =
        [Verdict::Open, Verdict::Unknown, Verdict::BreakGlassOnly, Verdict::Enforced, Verdict::NoAccess];
    let counts: Vec<String> = all
        .into_iter()
        .filter(|verdict| count(*verdict) > 0)
        .map(|verdict| format!("{} {}", count(verdict), words(verdict, is_of_baseline)))
        .collect();
    let counted = counted(answers.len() as u64, "answer", "answers");
    let beside = if is_of_baseline { ", beside the baseline" } else { "" };
    writeln!(out, "\n  {counted}{beside}: {}", counts.join(", "))?;
    if count(Verdict::Open) > 0 {
        writeln!(out, "  An open answer shows one way in; there may be more.")?;
    }
    Ok(())
}

fn one(out: &mut Output, paint: Paint, answer: &Answer, of: &Of<'_>) -> io::Result<()> {
    let verdict = words(answer.verdict, answer.is_of_baseline);
    let verdict = paint.text(of_verdict(answer.verdict), &format!("{verdict:<16}"));
    let (principal, table) = (plain_line(&answer.principal), plain_line(&answer.table));
    writeln!(out, "\n  {verdict}  {principal} to {table}")?;
    if let Some(asked) = &answer.witness {
        writeln!(
            out,
            "    {} on {}\n    by {}",
            plain_line(&asked.action),
            plain_line(&asked.resource),
            plain_line(&asked.principal)
        )?;
        if let Some(origin) = of.origin(answer) {
            writeln!(out, "    from {}", plain_line(&origin))?;
        }
        for (key, values) in &asked.context {
            let values = values.all().iter().map(|value| plain_line(value)).collect::<Vec<_>>().join(", ");
            writeln!(out, "      {} {values}", paint.text(DIM, &plain_line(key)))?;
        }
    }
    let blamed = answer.blamed.iter();
    let mut lines: Vec<String> =
        blamed.map(|blamed| format!("{}, {}: {}", blamed.policy, blamed.statement, blamed.why)).collect();
    // One policy may stand on several levels.
    lines.dedup();
    lines.extend(of.notes(answer));
    lines.iter().try_for_each(|line| bullet(out, &plain_line(line)))?;
    if let Some(reason) = &answer.reason {
        bullet(out, &plain_line(reason))?;
    }
    kept_out(out, paint, &answer.kept_out)
}

/// What keeps requests out, by where they come from.
fn kept_out(out: &mut Output, paint: Paint, all: &[KeptOut]) -> io::Result<()> {
    for kept in all {
        let heading = format!("from {}:", kept.from.join("; "));
        for line in wrap(&plain_line(&heading), out.width.saturating_sub(4)) {
            writeln!(out, "    {}", paint.text(DIM, &line))?;
        }
        for (by, actions) in &kept.by {
            let by = by_what(by);
            let line = if kept.by.len() == 1 { by } else { format!("{by}: {}", some(actions.names())) };
            bullet(out, &plain_line(&line))?;
        }
    }
    Ok(())
}

fn by_what(by: &KeptBy) -> String {
    match by {
        KeptBy::Denied(statements) => {
            let named = |(policy, label): &(String, String)| format!("{policy}, {label}");
            format!("denied by {}", statements.iter().map(named).collect::<Vec<_>>().join(" and "))
        }
        KeptBy::Missing(missing) => format!("allowed by no statement of the {}", layer(*missing)),
        KeptBy::Unchanged => "allowed, and was so before".to_owned(),
        KeptBy::Undecided => "not known".to_owned(),
    }
}

/// A few names, and how many there are beside them.
fn some(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<String> = names.collect();
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// A line behind a dash, wrapped.
fn bullet(out: &mut Output, text: &str) -> io::Result<()> {
    let width = out.width.saturating_sub(6);
    for (n, line) in wrap(text, width).iter().enumerate() {
        writeln!(out, "    {} {line}", if n == 0 { "-" } else { " " })?;
    }
    Ok(())
}

fn words(verdict: Verdict, is_of_baseline: bool) -> &'static str {
    match verdict {
        Verdict::Enforced if is_of_baseline => "nothing new",
        Verdict::Open if is_of_baseline => "newly open",
        Verdict::Enforced => "enforced",
        Verdict::BreakGlassOnly => "break-glass only",
        Verdict::Open => "open",
        Verdict::NoAccess => "no access",
        Verdict::Unknown => "unknown",
    }
}

fn of_verdict(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Open => AnsiColor::Red.on_default().bold(),
        Verdict::Unknown => WARN,
        Verdict::Enforced | Verdict::BreakGlassOnly => AnsiColor::Green.on_default(),
        Verdict::NoAccess => DIM,
    }
}

/// Writes answers as a table for a spreadsheet.
pub fn csv(out: &mut impl Write, answers: &[Answer], of: &Of<'_>) -> io::Result<()> {
    let names = ["principal", "table", "verdict", "counterexample", "blamed", "reason", "micros"];
    let mut sheet = Sheet::with_header(out, &names)?;
    for answer in answers.iter().map(|answer| Shown::of(answer, of)) {
        sheet.row([
            answer.principal.into(),
            answer.table.into(),
            answer.verdict.into(),
            answer.counterexample.map(|request| request.to_string()).unwrap_or_default().into(),
            Value::from(answer.blamed).to_string().into(),
            answer.reason.unwrap_or_default().into(),
            answer.micros.to_string().into(),
        ])?;
    }
    sheet.flush()
}

/// A decision, as JSON has it.
#[derive(Serialize)]
pub struct Decided {
    decision: &'static str,
    decided_by: Vec<Decider>,
    /// Where an allowing statement is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
    /// What the documentation leaves open, and that the decision hangs on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unclear: Vec<String>,
    /// What is said by no statement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    trace: Vec<Traced>,
}

/// A statement that decides.
#[derive(Serialize)]
struct Decider {
    policy: String,
    statement: String,
}

/// How one statement stands to the request.
#[derive(Serialize)]
struct Traced {
    layer: String,
    policy: String,
    statement: String,
    effect: &'static str,
    matches: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Decided {
    /// As interface.md has it.
    pub fn of(decision: &Decision<'_>, notes: Vec<String>) -> Self {
        let deciding = decision.decided_by.iter().filter_map(|at| decision.steps.get(*at));
        let unclear = decision
            .open_questions()
            .map(|(step, why)| format!("{}, {}: {why}", step.policy.name, step.statement.label));
        Self {
            decision: decision.outcome.name(),
            decided_by: deciding
                .map(|step| Decider {
                    policy: step.policy.name.clone(),
                    statement: step.statement.label.clone(),
                })
                .collect(),
            missing: decision.missing.map(layer),
            unclear: unclear.collect(),
            notes,
            trace: decision.steps.iter().map(traced).collect(),
        }
    }
}

fn traced(step: &Step<'_>) -> Traced {
    let (matches, unclear) = match step.matched.reading {
        Reading::Yes => ("yes", None),
        Reading::No => ("no", None),
        Reading::Unclear(why) => ("unclear", Some(why.to_owned())),
    };
    let misses = step.matched.misses.map(|misses| match misses {
        Misses::Principal => "it does not speak of the principal".to_owned(),
        Misses::Action => "it does not speak of the action".to_owned(),
        Misses::Resource => "it does not speak of the resource".to_owned(),
        Misses::Condition(condition) => {
            format!("{} on {} does not hold", condition.operator_name, condition.key_name)
        }
    });
    Traced {
        layer: layer(step.layer),
        policy: step.policy.name.clone(),
        statement: step.statement.label.clone(),
        effect: match step.statement.effect {
            crate::iam::document::Effect::Allow => "Allow",
            crate::iam::document::Effect::Deny => "Deny",
        },
        matches,
        why: unclear.or(misses),
    }
}

fn layer(layer: Layer) -> String {
    match layer {
        Layer::ServiceControl { level } => format!("service control policies, level {level}"),
        Layer::ResourceControl { level } => format!("resource control policies, level {level}"),
        Layer::Endpoint => "endpoint policy".to_owned(),
        Layer::Resource => "resource policy".to_owned(),
        Layer::Identity => "identity policies".to_owned(),
        Layer::Boundary => "permissions boundary".to_owned(),
        Layer::Session => "session policies".to_owned(),
    }
}

/// Writes a decision for reading.
pub fn decision(out: &mut Output, decided: &Decided) -> io::Result<()> {
    let paint = Paint { color: out.color };
    let style = if decided.decision == "allow" { AnsiColor::Green } else { AnsiColor::Red };
    writeln!(out, "{}", paint.text(style.on_default().bold(), decided.decision))?;
    for decider in &decided.decided_by {
        bullet(out, &plain_line(&format!("by {}, {}", decider.policy, decider.statement)))?;
    }
    if let Some(missing) = &decided.missing {
        bullet(out, &format!("no statement allows it: {missing}"))?;
    }
    for note in &decided.notes {
        bullet(out, &plain_line(note))?;
    }
    for unclear in &decided.unclear {
        bullet(out, &plain_line(&format!("not certain: {unclear}")))?;
    }
    writeln!(out)?;
    for step in &decided.trace {
        let why = step.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let line = format!(
            "{:<5} {:<7} {}, {} ({}){why}",
            step.effect, step.matches, step.policy, step.statement, step.layer
        );
        writeln!(out, "  {}", plain_line(&line))?;
    }
    Ok(())
}

/// Writes the steps of a decision as a table for a spreadsheet.
pub fn steps(out: &mut impl Write, decided: &Decided) -> io::Result<()> {
    let names = ["decision", "layer", "policy", "statement", "effect", "matches", "why"];
    let mut sheet = Sheet::with_header(out, &names)?;
    for step in &decided.trace {
        let why = step.why.as_deref().unwrap_or_default();
        sheet.row([
            decided.decision.into(),
            step.layer.as_str().into(),
            step.policy.as_str().into(),
            step.statement.as_str().into(),
            step.effect.into(),
            step.matches.into(),
            why.into(),
        ])?;
    }
    sheet.flush()
}
