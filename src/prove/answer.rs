//! The question and its answer: does anything reach this table from outside, but for break-glass?
//!
//! Three searches, one after another: a request from outside that is no break-glass; one that is; any at
//! all. The first that finds something decides. What a search finds counts only once the evaluator, which
//! shares nothing with it but the reading of policies, allows it too.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::blame::Blamed;
use super::bundle::{Asked, Bundle};
use super::explain::KeptOut;
use super::prover::Prover;
use crate::perimeter::Perimeter;

/// What is proven.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nothing from outside is allowed, but for break-glass.
    Enforced,
    /// Nothing but break-glass, which is.
    BreakGlassOnly,
    /// Something from outside is allowed, and is no break-glass.
    Open,
    /// Nothing is allowed, from inside either.
    NoAccess,
    /// It cannot be told.
    Unknown,
}

impl Verdict {
    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Enforced => "enforced",
            Verdict::BreakGlassOnly => "break_glass_only",
            Verdict::Open => "open",
            Verdict::NoAccess => "no_access",
            Verdict::Unknown => "unknown",
        }
    }
}

/// The answer for one principal and one table of a bundle.
#[derive(Clone, Debug)]
pub struct Answer {
    pub principal: String,
    pub table: String,
    pub verdict: Verdict,
    /// The request that is allowed, where one decides.
    pub witness: Option<Asked>,
    /// The statements that let it through.
    pub blamed: Vec<Blamed>,
    /// Why it cannot be told.
    pub reason: Option<String>,
    /// What keeps requests out, where that was asked.
    pub kept_out: Vec<KeptOut>,
    /// It is about what is allowed beside what another set allows.
    pub is_of_baseline: bool,
    /// How long it took.
    pub took: Duration,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'b> {
    pub bundle: &'b Bundle,
    pub perimeter: &'b Perimeter,
    pub now: Timestamp,
    /// Asked is what is allowed beside what this allows.
    pub baseline: Option<&'b Bundle>,
    /// For every answer but `open`, what keeps requests out.
    pub explain: bool,
    /// How many principals are asked about at a time.
    pub threads: usize,
}

/// Principals that a thread takes at a time.
const AT_A_TIME: usize = 64;

/// Answers for every principal and table of a bundle.
pub fn prove(bundle: &Bundle, perimeter: &Perimeter, now: Timestamp) -> Vec<Answer> {
    Inquiry { bundle, perimeter, now, baseline: None, explain: false, threads: 1 }.answers()
}

impl Inquiry<'_> {
    /// The answers, in the bundle's order.
    pub fn answers(&self) -> Vec<Answer> {
        let principals = self.bundle.principals.len();
        let threads = self.threads.min(principals.div_ceil(AT_A_TIME)).max(1);
        if threads == 1 {
            return Prover::new(self).answers(0..principals);
        }
        let next = AtomicUsize::new(0);
        let mut parts = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.some(&next))).collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined.flat_map(|parts| parts.unwrap_or_else(|panic| resume_unwind(panic))).collect::<Vec<_>>()
        });
        parts.sort_by_key(|(from, _)| *from);
        parts.into_iter().flat_map(|(_, answers)| answers).collect()
    }

    /// Answers for principals that no other thread takes.
    fn some(&self, next: &AtomicUsize) -> Vec<(usize, Vec<Answer>)> {
        let prover = Prover::new(self);
        let mut parts = Vec::new();
        loop {
            let from = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
            if from >= self.bundle.principals.len() {
                return parts;
            }
            let to = (from + AT_A_TIME).min(self.bundle.principals.len());
            parts.push((from, prover.answers(from..to)));
        }
    }
}
