//! What a rule is: a class of findings, with its documentation.

use serde::{Deserialize, Serialize};

/// How bad a finding is. The order is the order of the variants: `Critical` is the greatest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// From the least to the worst.
    pub const ALL: [Severity; 5] =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// What a rule speaks of, and so who raises it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A call to DynamoDB.
    Call,
    /// A change to what guards the perimeter, told from the event's own text.
    Change,
    /// A change, told by what stood before it and what stands after: raised where that is known.
    ProvenChange,
    /// A call, held against what stood when it was made: raised where that is known.
    ReplayedCall,
}

/// A class of findings. Each is a constant in a file of its own under [`super::rules`], and what it
/// says is what `perimeter explain` prints and docs/rules.md shows.
#[derive(Debug)]
pub struct Rule {
    /// The name, in kebab case. Never changes.
    pub id: &'static str,
    /// The severity where perimeter.toml sets none.
    pub severity: Severity,
    /// What it speaks of.
    pub subject: Subject,
    /// The title of a finding: a few words.
    pub title: &'static str,
    /// What it finds, and what it cannot see.
    pub what: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// A record that it fires on, shortened to the fields that decide: JSON.
    pub example: &'static str,
    /// How to remedy.
    pub remedy: &'static str,
    /// Controls that it gives evidence for, as `NIST.800-53.r5 AC-4`.
    pub controls: &'static [&'static str],
}
