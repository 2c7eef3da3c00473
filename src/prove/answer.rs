//! The question and its answer: does anything reach this table from outside, but for break-glass?
//!
//! Three searches, one after another: a request from outside that is no break-glass; one that is; any at
//! all. The first that finds something decides. What a search finds counts only once the evaluator, which
//! shares nothing with it but the reading of policies, allows it too.

use std::collections::BTreeSet;
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

impl Answer {
    /// Takes in an answer for others whom the same entry stands for: the worse of both is the answer.
    pub fn join(&mut self, other: Self) {
        let badness = |verdict: Verdict| match verdict {
            Verdict::NoAccess => 0,
            Verdict::Enforced => 1,
            Verdict::BreakGlassOnly => 2,
            Verdict::Unknown => 3,
            Verdict::Open => 4,
        };
        let took = self.took + other.took;
        if badness(other.verdict) > badness(self.verdict) {
            *self = other;
        }
        self.took = took;
    }
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
    /// Whom, and whose tables, `*` stands for.
    pub within: Within<'b>,
}

/// Which of a bundle's questions are asked. Accounts: those that `*` stands for; `None`: all that are enforced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Within<'b> {
    /// Of everybody. Of those that are given all in an environment count, whatever they are held to.
    pub callers: Option<&'b BTreeSet<String>>,
    /// Of every table. Of those that are given, the enforced ones count.
    pub resources: Option<&'b BTreeSet<String>>,
    /// The tables of the bundle that are asked about; `None`: each.
    pub tables: Option<&'b BTreeSet<String>>,
}

/// A thread's stack, in bytes: a search goes as deep as statements deny one request, and those are bounded.
pub const STACK: usize = 16 << 20;

/// Principals that a thread takes at a time.
const AT_A_TIME: usize = 64;

/// Answers for every principal and table of a bundle.
pub fn prove(bundle: &Bundle, perimeter: &Perimeter, now: Timestamp) -> Vec<Answer> {
    let within = Within::default();
    Inquiry { bundle, perimeter, now, baseline: None, explain: false, threads: 1, within }.answers()
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
            let spawn =
                |_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || self.some(&next));
            let (workers, failed): (Vec<_>, Vec<_>) = (0..threads).map(spawn).partition(Result::is_ok);
            // Where there can be no more threads, this one does the rest.
            let own = if failed.is_empty() { Vec::new() } else { self.some(&next) };
            let joined = workers.into_iter().flatten().map(|worker| worker.join());
            let parts = joined.flat_map(|parts| parts.unwrap_or_else(|panic| resume_unwind(panic)));
            parts.chain(own).collect::<Vec<_>>()
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
