//! What is new in a set of policies: requests that it allows and another set does not.
//!
//! That another set does not allow a request has a reason: a statement of it denies, or a layer of it has no
//! statement that allows. Each reason is put to the search of what the new set allows, as something more that
//! must match, and something more that must not.

use super::actions::Actions;
use super::plan::{Layered, Plan, Task};
use super::scene::Candidate;
use crate::iam::document::Effect;

/// Why a set of policies does not allow a request.
#[derive(Clone, Debug, Default)]
pub struct Refusal<'c, 'q, 'p> {
    /// This statement matches.
    matches: Option<&'c Candidate<'q, 'p>>,
    /// None of these does.
    misses: Vec<&'c Candidate<'q, 'p>>,
}

/// Why some actions of a class may not be allowed: any of these is enough. One without anything in it: they are
/// not, whatever the request.
pub fn refusals<'c, 'q, 'p>(plan: &Plan<'c, 'q, 'p>, class: Actions) -> Vec<Refusal<'c, 'q, 'p>> {
    let denies = plan
        .candidates
        .iter()
        .filter(|candidate| candidate.effect == Effect::Deny && !candidate.actions.and(class).is_empty());
    let denied =
        denies.map(|deny| Refusal { matches: (!deny.needs.is_empty()).then_some(deny), misses: Vec::new() });
    let refusals: Vec<_> = denied.chain(by_layers(plan, class)).collect();
    let is_sure = |refusal: &Refusal<'_, '_, '_>| refusal.matches.is_none() && refusal.misses.is_empty();
    if refusals.iter().any(is_sure) { vec![Refusal::default()] } else { refusals }
}

/// In each way to be allowed some layer lacks a statement: one that all ways have, or every choice of their own.
fn by_layers<'c, 'q, 'p>(plan: &Plan<'c, 'q, 'p>, class: Actions) -> Vec<Refusal<'c, 'q, 'p>> {
    let lacking = |layers: &[Layered]| {
        let layers = layers.iter().map(|layered| plan.allows(layered, class));
        // A layer that always allows is never what is missing.
        layers.filter(|allows| allows.iter().all(|allow| !allow.needs.is_empty())).collect::<Vec<_>>()
    };
    let mut chosen: Vec<Vec<&'c Candidate<'q, 'p>>> = vec![Vec::new()];
    for way in &plan.ways {
        let own = lacking(way);
        let with = |misses: &Vec<&'c Candidate<'q, 'p>>| {
            let misses = misses.clone();
            own.iter().map(move |more| [misses.as_slice(), more].concat())
        };
        chosen = chosen.iter().flat_map(with).collect();
    }
    chosen.extend(lacking(&plan.shared));
    chosen.into_iter().map(|misses| Refusal { matches: None, misses }).collect()
}

/// What it takes for a task's actions to be allowed, and not to have been, for each of these reasons.
pub fn tasks<'c, 'q, 'p>(task: &Task<'c, 'q, 'p>, refusals: &[Refusal<'c, 'q, 'p>]) -> Vec<Task<'c, 'q, 'p>> {
    let with = |refusal: &Refusal<'c, 'q, 'p>| {
        let layer = refusal.matches.map(|deny| vec![deny]);
        let way = |way: &Vec<_>| layer.iter().chain(way).cloned().collect();
        Task {
            actions: task.actions,
            denies: task.denies.iter().chain(&refusal.misses).copied().collect(),
            ways: task.ways.iter().map(way).collect(),
        }
    };
    refusals.iter().map(with).collect()
}
