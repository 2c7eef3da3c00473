//! What it takes for an action to be allowed: which statements of which layers must match, which must not.

use std::ops::Range;

use super::actions::Actions;
use super::scene::{Candidate, Need};
use crate::iam::document::Effect;
use crate::iam::evaluate::{Guards, Layer, Standing};
use crate::iam::matching::Grant;
use crate::iam::reading::Side;
use crate::iam::request::CallerKind;

/// A layer of which some statement must match, and those that may.
#[derive(Clone, Debug)]
pub struct Layered {
    pub layer: Layer,
    /// By which grants they must.
    pub grants: &'static [Grant],
    /// By their places among the candidates.
    pub allows: Vec<usize>,
    /// The actions for which the layer counts at all: of a table's policy not every one reaches another account.
    pub counts: Actions,
}

/// What must match and what must not for the actions of one kind of request.
#[derive(Debug)]
pub struct Plan<'c, 'q, 'p> {
    pub candidates: &'c [Candidate<'q, 'p>],
    /// Layers of every way to be allowed.
    pub shared: Vec<Layered>,
    /// For each way to be allowed, the layers of its own.
    pub ways: Vec<Vec<Layered>>,
    /// Actions that are left: something may allow them, and nothing denies them whatever the request.
    pub left: Actions,
}

/// What must match and what must not for some actions that no statement tells apart.
#[derive(Debug)]
pub struct Task<'c, 'q, 'p> {
    pub actions: Actions,
    /// Of each of these, some need must not hold.
    pub denies: Vec<&'c Candidate<'q, 'p>>,
    /// For each way to be allowed, layer by layer, of which one must match.
    pub ways: Vec<Vec<Vec<&'c Candidate<'q, 'p>>>>,
}

/// What the caller and the guards have to do with the ways to be allowed.
#[derive(Clone, Copy, Debug)]
pub struct Means<'g, 'p> {
    pub guards: &'g Guards<'p>,
    pub standing: Standing,
    pub kind: CallerKind,
    pub side: Side,
}

const ALL: &[Grant] = &[Grant::Direct, Grant::Everybody, Grant::Role, Grant::Account, Grant::Own];

/// The layers in which some statement must match: of every way to be allowed, and of each.
fn ways(candidates: &[Candidate<'_, '_>], means: Means<'_, '_>) -> (Vec<Layered>, Vec<Vec<Layered>>) {
    let runs = runs(candidates);
    let of = |layer: Layer, grants: &'static [Grant]| Layered {
        layer,
        grants,
        allows: allowing(candidates, &runs, layer, grants),
        counts: Actions::all(),
    };
    let guards = means.guards;
    let levels = (0..guards.service_control.len()).map(|level| Layer::ServiceControl { level });
    let endpoint = guards.endpoint.map(|_| Layer::Endpoint);
    let shared: Vec<Layered> = levels.chain(endpoint).map(|layer| of(layer, ALL)).collect();
    let boundary = guards.boundary.map(|_| Layer::Boundary);
    let session = guards.session.map(|_| Layer::Session);
    let limits: Vec<Layered> = boundary.into_iter().chain(session).map(|layer| of(layer, ALL)).collect();
    let identity = guards.identity.map(|_| of(Layer::Identity, ALL));
    let own = || identity.iter().chain(&limits).cloned().collect::<Vec<_>>();
    let granted = |grants: &'static [Grant]| vec![of(Layer::Resource, grants)];
    let ways = if means.kind == CallerKind::Service {
        vec![granted(&[Grant::Direct, Grant::Everybody])]
    } else if means.standing.same_account {
        let direct: &'static [Grant] = match means.side {
            Side::Permissive => &[Grant::Direct, Grant::Everybody],
            Side::Strict => &[Grant::Direct],
        };
        let to_role = granted(&[Grant::Role, Grant::Everybody]).into_iter().chain(limits.clone());
        vec![own(), granted(direct), to_role.collect()]
    } else {
        let counts = Actions::across(means.side);
        let granted = granted(ALL).into_iter().map(|layered| Layered { counts, ..layered });
        vec![granted.chain(own()).collect()]
    };
    (shared, ways)
}

/// Candidates of one layer that stand together, by their places: few, as policies come layer by layer.
fn runs(candidates: &[Candidate<'_, '_>]) -> Vec<(Layer, Range<usize>)> {
    let mut runs: Vec<(Layer, Range<usize>)> = Vec::new();
    for (n, candidate) in candidates.iter().enumerate() {
        match runs.last_mut() {
            Some((layer, run)) if *layer == candidate.layer => run.end = n + 1,
            _ => runs.push((candidate.layer, n..n + 1)),
        }
    }
    runs
}

fn allowing(
    candidates: &[Candidate<'_, '_>],
    runs: &[(Layer, Range<usize>)],
    layer: Layer,
    grants: &[Grant],
) -> Vec<usize> {
    let may = |n: &usize| {
        candidates
            .get(*n)
            .is_some_and(|candidate| candidate.effect == Effect::Allow && grants.contains(&candidate.grant))
    };
    runs.iter().filter(|(of, _)| *of == layer).flat_map(|(_, run)| run.clone()).filter(may).collect()
}

impl Layered {
    /// The actions that some statement of the layer may allow.
    fn actions(&self, candidates: &[Candidate<'_, '_>]) -> Actions {
        let all = self.allows.iter().filter_map(|n| candidates.get(*n));
        all.fold(Actions::default(), |all, candidate| all.or(candidate.actions)).and(self.counts)
    }
}

impl<'c, 'q, 'p> Plan<'c, 'q, 'p> {
    /// What is left of some actions.
    pub fn new(candidates: &'c [Candidate<'q, 'p>], means: Means<'_, '_>, actions: Actions) -> Self {
        let (shared, ways) = ways(candidates, means);
        let denied = candidates
            .iter()
            .filter(|candidate| candidate.effect == Effect::Deny && candidate.needs.is_empty())
            .fold(Actions::default(), |all, candidate| all.or(candidate.actions));
        let by_layers = |layers: &[Layered]| {
            layers.iter().fold(Actions::all(), |all, layer| all.and(layer.actions(candidates)))
        };
        let by_ways = ways.iter().map(|way| by_layers(way)).fold(Actions::default(), Actions::or);
        let left = actions.without(denied).and(by_layers(&shared)).and(by_ways);
        Self { candidates, shared, ways, left }
    }

    /// What is left, in parts that no statement tells apart, of this set of policies or another.
    pub fn classes(&self, other: Option<&Plan<'_, '_, '_>>) -> Vec<Actions> {
        let plans = [Some(self), other].into_iter().flatten();
        let told = plans.flat_map(Plan::told_apart).chain(other.map(|_| Actions::with_table_policy()));
        self.left.parts(told)
    }

    /// Likewise of these actions, whether anything is left of them or not.
    pub fn all_classes(&self, actions: Actions) -> Vec<Actions> {
        actions.parts(self.told_apart())
    }

    /// Actions that something tells from others.
    fn told_apart(&self) -> impl Iterator<Item = Actions> {
        let counts = self.ways.iter().flatten().map(|layered| layered.counts);
        self.candidates.iter().map(|candidate| candidate.actions).chain(counts)
    }

    /// What it takes for the actions of one class, by statements that may be used.
    pub fn task(&self, class: Actions, may_use: impl Fn(&Candidate<'q, 'p>) -> bool) -> Task<'c, 'q, 'p> {
        let is_of = |candidate: &Candidate<'_, '_>| !candidate.actions.and(class).is_empty();
        let denies = self.candidates.iter().filter(|candidate| candidate.effect == Effect::Deny);
        let mut denies: Vec<_> = denies.filter(|candidate| is_of(candidate)).collect();
        // Those with the fewest ways out first.
        denies.sort_by_key(|candidate| candidate.needs.len());
        let mut ways = Vec::new();
        if let Some(shared) = self.layers(&self.shared, class, &may_use) {
            let all = |own: Vec<_>| shared.iter().cloned().chain(own).collect::<Vec<_>>();
            ways.extend(self.ways.iter().filter_map(|way| self.layers(way, class, &may_use)).map(all));
        }
        // A way that needs nothing more leaves no others to be tried.
        if ways.iter().any(Vec::is_empty) {
            ways = vec![Vec::new()];
        }
        Task { actions: class, denies, ways }
    }

    /// The statements of a layer that may allow some of a class.
    pub fn allows(&self, layered: &Layered, class: Actions) -> Vec<&'c Candidate<'q, 'p>> {
        let allows = layered.allows.iter().filter_map(|n| self.candidates.get(*n));
        let is_of =
            |candidate: &&Candidate<'_, '_>| !candidate.actions.and(class).and(layered.counts).is_empty();
        allows.filter(is_of).collect()
    }

    /// The layers of a way that do not allow of themselves; `None`: one of them allows nothing.
    fn layers(
        &self,
        way: &[Layered],
        class: Actions,
        may_use: &impl Fn(&Candidate<'q, 'p>) -> bool,
    ) -> Option<Vec<Vec<&'c Candidate<'q, 'p>>>> {
        let mut layers = Vec::new();
        for layered in way {
            let mut allows = self.allows(layered, class);
            allows.retain(|allow| may_use(allow));
            if allows.is_empty() {
                return None;
            }
            if !allows.iter().any(|candidate| candidate.needs.is_empty()) {
                layers.push(allows);
            }
        }
        Some(layers)
    }
}

impl Task<'_, '_, '_> {
    /// Some need speaks of the resource.
    pub fn tells_resources(&self) -> bool {
        let allows = self.ways.iter().flatten().flatten();
        let needs = self.denies.iter().chain(allows).flat_map(|candidate| &candidate.needs);
        needs.into_iter().any(|need| matches!(need, Need::Resource { .. }))
    }

    /// What tells it from other tasks of the same callers, from the same place.
    pub fn signature(&self) -> Vec<usize> {
        let id = |candidate: &&Candidate<'_, '_>| 8 * candidate.line + candidate.grant as usize + 2;
        let mut signature: Vec<usize> = self.denies.iter().map(id).collect();
        for way in &self.ways {
            signature.push(0);
            for layer in way {
                signature.push(1);
                signature.extend(layer.iter().map(id));
            }
        }
        signature
    }
}
