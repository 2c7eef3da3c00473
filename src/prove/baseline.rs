//! What is new in a set of policies: requests that it allows and another set does not.
//!
//! That another set does not allow a request has a reason: a statement of it denies, or a layer of it has no
//! statement that allows. Each reason is put to the search of what the new set allows, as something more that
//! must match, and something more that must not.
//!
//! A statement that stands in both sets matches in both or in neither, whatever it means: what denied before and
//! still stands there is no reason, and what did not allow before does not now.

use std::collections::HashMap;

use super::actions::Actions;
use super::plan::{Layered, Plan, Task};
use super::scene::{Candidate, Line};
use super::solve::{MAX_DENIES, TooHard};
use crate::iam::document::Effect;
use crate::iam::evaluate::Layer;

/// Statements of two sets of policies, and which of them are the same.
#[derive(Debug, Default)]
pub struct Twins {
    /// For each line, the first one of the same content.
    same: Vec<usize>,
    /// For each first one, all.
    all: HashMap<usize, Vec<usize>>,
}

/// Reasons that are gone through at most.
const MAX_REFUSALS: usize = 1_000;

/// Why a set of policies does not allow a request.
#[derive(Clone, Debug, Default)]
struct Refusal<'l, 'c, 'q, 'p> {
    /// This statement matches.
    matches: Option<&'c Candidate<'q, 'p>>,
    /// None of these does.
    misses: Vec<&'c Candidate<'q, 'p>>,
    /// Nor does any other of these layers.
    lacking: Vec<&'l Layered>,
}

impl Twins {
    /// Looks for the same content among lines. Whom `NotPrincipal` leaves out hangs on whether the callers have a
    /// permissions boundary as well.
    pub fn of(lines: &[Line<'_, '_>], has_boundary: impl Fn(usize) -> bool) -> Self {
        // By what a statement says, in short, those before it that may be the same.
        let mut before: HashMap<u64, Vec<usize>> = HashMap::new();
        let same = lines.iter().enumerate().map(|(n, line)| {
            let statement = line.rule.statement;
            let names_others = statement.principals.as_ref().is_some_and(|principals| principals.negated);
            let is_same = |m: &usize| {
                let other = lines.get(*m).map(|line| line.rule.statement);
                other.is_some_and(|other| other.is_same_as(statement))
                    && (!names_others || has_boundary(*m) == has_boundary(n))
            };
            let alike = before.entry(line.rule.digest()).or_default();
            let first = alike.iter().copied().find(is_same);
            if first.is_none() {
                alike.push(n);
            }
            first.unwrap_or(n)
        });
        let same: Vec<usize> = same.collect();
        let mut all: HashMap<usize, Vec<usize>> = HashMap::new();
        same.iter().enumerate().for_each(|(n, first)| all.entry(*first).or_default().push(n));
        Self { same, all }
    }

    /// The lines that are the same.
    fn in_new(&self, line: usize) -> &[usize] {
        let first = self.same.get(line);
        first.and_then(|first| self.all.get(first)).map(Vec::as_slice).unwrap_or_default()
    }

    fn are(&self, one: usize, other: usize) -> bool {
        self.same.get(one) == self.same.get(other)
    }
}

/// What is asked of two sets of policies about a kind of request.
pub struct Compared<'l, 'c, 'q, 'p> {
    pub lines: &'l [Line<'q, 'p>],
    pub twins: &'l Twins,
    pub new: &'l Plan<'c, 'q, 'p>,
    pub old: &'l Plan<'c, 'q, 'p>,
    /// The statements that have a say, of either set, by their places.
    pub new_lines: &'l [usize],
    pub old_lines: &'l [usize],
}

impl<'l, 'c, 'q, 'p> Compared<'l, 'c, 'q, 'p> {
    /// What it takes for actions of a class to be allowed now, and not to have been, for each reason why.
    ///
    /// # Errors
    /// Where there are more reasons, or more statements that may deny, than can be gone through.
    pub fn tasks(&self, class: Actions) -> Result<Vec<Task<'c, 'q, 'p>>, TooHard> {
        let denies = self.new.task(class, |_| true).denies.len();
        if denies > MAX_DENIES {
            return Err(TooHard::Denies(denies));
        }
        let refusals = self.refusals(class);
        if refusals.len() > MAX_REFUSALS {
            return Err(TooHard::Refusals(refusals.len()));
        }
        Ok(refusals.iter().map(|refusal| self.task(class, refusal)).collect())
    }

    fn task(&self, class: Actions, refusal: &Refusal<'l, 'c, 'q, 'p>) -> Task<'c, 'q, 'p> {
        let task = self.new.task(class, |candidate| !self.is_missing(candidate, refusal, class));
        let layer = refusal.matches.filter(|deny| !deny.needs.is_empty()).map(|deny| vec![deny]);
        let way = |way: Vec<_>| layer.iter().cloned().chain(way).collect();
        Task {
            actions: task.actions,
            denies: task.denies.iter().chain(&refusal.misses).copied().collect(),
            ways: task.ways.into_iter().map(way).collect(),
        }
    }

    /// Is it the same as a statement that is not to match?
    fn is_missing(
        &self,
        candidate: &Candidate<'_, '_>,
        refusal: &Refusal<'_, '_, '_, '_>,
        class: Actions,
    ) -> bool {
        refusal.lacking.iter().any(|layered| {
            let is_same = |old: usize| self.twins.are(old, candidate.line) && self.counts(old, class);
            layered.grants.contains(&candidate.grant)
                && class.without(layered.counts).is_empty()
                && self.old_allows(layered.layer).any(is_same)
        })
    }

    /// The statements of the old set that allow in a layer.
    fn old_allows(&self, layer: Layer) -> impl Iterator<Item = usize> + '_ {
        let is_of = move |line: &Line<'_, '_>| {
            line.rule.layer == layer && line.rule.statement.effect == Effect::Allow
        };
        self.old_lines.iter().copied().filter(move |n| self.lines.get(*n).is_some_and(is_of))
    }

    /// Does a statement that denied stand in the new set as well, where it counts?
    fn still_denies(&self, deny: &Candidate<'_, '_>, class: Actions) -> bool {
        let twins = self.twins.in_new(deny.line);
        twins.iter().any(|new| self.new_lines.binary_search(new).is_ok() && self.counts(*new, class))
    }

    /// Does a line's policy count for all of these actions?
    fn counts(&self, line: usize, class: Actions) -> bool {
        let layer = self.lines.get(line).map(|line| line.rule.layer);
        layer != Some(Layer::Resource) || class.without(Actions::with_table_policy()).is_empty()
    }

    /// Why some actions of a class may not have been allowed: any of these is enough.
    fn refusals(&self, class: Actions) -> Vec<Refusal<'l, 'c, 'q, 'p>> {
        let denies = self.old.candidates.iter().filter(|candidate| {
            candidate.effect == Effect::Deny
                && !candidate.actions.and(class).is_empty()
                && !self.still_denies(candidate, class)
        });
        let denied = denies.map(|deny| Refusal { matches: Some(deny), ..Refusal::default() });
        denied.chain(self.by_layers(class)).collect()
    }

    /// In each way to be allowed some layer lacks a statement: one that all ways have, or every choice of their own.
    fn by_layers(&self, class: Actions) -> Vec<Refusal<'l, 'c, 'q, 'p>> {
        let mut chosen = vec![Refusal::default()];
        for way in &self.old.ways {
            let own: Vec<_> = way.iter().filter_map(|layered| self.lacking(layered, class)).collect();
            let with = |refusal: &Refusal<'l, 'c, 'q, 'p>| {
                let refusal = refusal.clone();
                own.iter().map(move |more| Refusal {
                    matches: None,
                    misses: [refusal.misses.as_slice(), &more.misses].concat(),
                    lacking: [refusal.lacking.as_slice(), &more.lacking].concat(),
                })
            };
            chosen = chosen.iter().flat_map(with).collect();
        }
        chosen.extend(self.old.shared.iter().filter_map(|layered| self.lacking(layered, class)));
        chosen
    }

    /// That no statement of a layer matches; `None`: one always does.
    fn lacking(&self, layered: &'l Layered, class: Actions) -> Option<Refusal<'l, 'c, 'q, 'p>> {
        let misses = self.old.allows(layered, class);
        let may_lack = misses.iter().all(|allow| !allow.needs.is_empty());
        may_lack.then(|| Refusal { matches: None, misses, lacking: vec![layered] })
    }
}
