//! What keeps requests out: for each way in which they may come, the statements that deny them, or the layer in which
//! none allows.
//!
//! Of the statements that may deny, as few are named as are needed: one after another is left out, and stays out
//! where the search still finds nothing.

use super::actions::Actions;
use super::axioms::Kind;
use super::plan::{Layered, Plan, Task};
use super::question::{Question, Which};
use super::scene::{Scene, Taken};
use super::setting::Setting;
use super::solve::{Excluded, Search};
use super::space::{Net, Other, Path, Resources};
use super::stage::Part;
use super::strings::Budget;
use crate::iam::document::Effect;
use crate::iam::evaluate::Layer;

/// Why requests that come so are not allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptOut {
    /// Where they come from, in words; all are kept out alike.
    pub from: Vec<String>,
    /// By what, and which actions.
    pub by: Vec<(KeptBy, Actions)>,
}

/// What keeps requests out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeptBy {
    /// These statements together, by policy and label.
    Denied(Vec<(String, String)>),
    /// No statement of this layer allows them.
    Missing(Layer),
    /// Nothing does: they were allowed before as well.
    Unchanged,
    /// It is not known whether anything does.
    Undecided,
}

/// Steps of one explanation; beyond, what is not yet settled is told as undecided.
const STEPS: u64 = 5_000_000;

/// What keeps the requests of a question out. `which`: those from outside that are no break-glass, or any.
pub fn kept_out(question: &Question<'_, '_>, which: Which) -> Vec<KeptOut> {
    let mut budget = Budget(STEPS);
    let mut all = Vec::new();
    for callers in question.callers {
        let Some(excluded) = question.excluded(which, callers) else { continue };
        let resources = question.space.resources(question.table, callers);
        for place in resources.chunk_by(Resources::is_in_one_place_with) {
            let setting = Setting::new(question, callers, place, Taken::GENEROUS, Vec::new());
            let explained = Explained { question, setting: &setting, excluded: &excluded };
            for net in question.space.nets() {
                explained.from(&net, which != Which::Any, &mut all, &mut budget);
            }
        }
    }
    alike(all)
}

/// Puts together what is kept out alike.
fn alike(all: Vec<KeptOut>) -> Vec<KeptOut> {
    let mut together: Vec<KeptOut> = Vec::new();
    for one in all {
        match together.iter_mut().find(|known| known.by == one.by) {
            Some(known) => known.from.extend(one.from),
            None => together.push(one),
        }
    }
    together
}

struct Explained<'s, 'q, 'p> {
    question: &'s Question<'q, 'p>,
    setting: &'s Setting<'s, 'q, 'p>,
    excluded: &'s [Excluded],
}

impl<'q, 'p> Explained<'_, 'q, 'p> {
    fn from(&self, net: &Net, outside: bool, all: &mut Vec<KeptOut>, budget: &mut Budget) {
        let Some(kind) = self.setting.kind(0, net, outside).filter(Kind::is_possible) else { return };
        let from = words(&kind);
        let mut start = self.setting.start(&kind);
        for n in 0..self.setting.place.len() {
            let Some(kind) = self.setting.kind(n, net, outside) else { break };
            let actions = Actions::done_to(kind.resources.kind);
            let scene = self.setting.scene(n, kind, &mut start);
            let part = Part { n, all: actions, taken: Taken::GENEROUS };
            let bound = self.question.bound(&self.question.new, scene.kind);
            let candidates = scene.candidates(part.taken.speaks, |n, line| bound.applies(n, line));
            let plan = self.question.plan(&bound, &scene, &candidates, part);
            for class in plan.all_classes(actions) {
                let by = self.by(&plan, &scene, class, budget);
                add(all, &from, by, class);
            }
        }
    }

    fn by(
        &self,
        plan: &Plan<'_, 'q, 'p>,
        scene: &Scene<'_, 'q, 'p>,
        class: Actions,
        budget: &mut Budget,
    ) -> KeptBy {
        let mut denies = plan
            .candidates
            .iter()
            .filter(|candidate| candidate.effect == Effect::Deny && !candidate.actions.and(class).is_empty());
        if let Some(always) = denies.find(|deny| deny.needs.is_empty()) {
            return KeptBy::Denied(vec![self.named(always.line)]);
        }
        if let Some(layered) = lacking(plan, class) {
            return KeptBy::Missing(layered.layer);
        }
        let mut task = plan.task(class, |_| true);
        match self.finds(scene, &task, budget) {
            Some(false) => {}
            Some(true) if self.question.old.is_some() => return KeptBy::Unchanged,
            Some(true) | None => return KeptBy::Undecided,
        }
        self.fewest(scene, &mut task, budget);
        if task.denies.is_empty() {
            // The conditions of those that allow do not go together with where the request comes from.
            return KeptBy::Missing(self.unmet(plan, scene, class, budget));
        }
        KeptBy::Denied(task.denies.iter().map(|deny| self.named(deny.line)).collect())
    }

    /// Leaves out what denies and is not needed.
    fn fewest(&self, scene: &Scene<'_, 'q, 'p>, task: &mut Task<'_, 'q, 'p>, budget: &mut Budget) {
        let mut n = 0;
        while n < task.denies.len() {
            let deny = task.denies.remove(n);
            if self.finds(scene, task, budget) != Some(false) {
                task.denies.insert(n, deny);
                n += 1;
            }
        }
    }

    /// The layer that by itself allows nothing of what is asked about; the last, where only all together do not.
    fn unmet(
        &self,
        plan: &Plan<'_, 'q, 'p>,
        scene: &Scene<'_, 'q, 'p>,
        class: Actions,
        budget: &mut Budget,
    ) -> Layer {
        let layers: Vec<&Layered> = plan.shared.iter().chain(plan.ways.iter().flatten()).collect();
        let mut finds_nothing = |layered: &&&Layered| {
            let ways = vec![vec![plan.allows(layered, class)]];
            self.finds(scene, &Task { actions: class, denies: Vec::new(), ways }, budget) == Some(false)
        };
        let unmet = layers.iter().find(&mut finds_nothing).or(layers.last());
        unmet.map_or(Layer::Identity, |layered| layered.layer)
    }

    /// Is there a request? `None`: it takes too many steps to tell.
    fn finds(&self, scene: &Scene<'_, 'q, 'p>, task: &Task<'_, 'q, 'p>, budget: &mut Budget) -> Option<bool> {
        let search = Search {
            start: scene.start,
            asks: Taken::GENEROUS.asks,
            fixed: scene.fixed,
            excluded: self.excluded,
            keys: &self.question.keys,
        };
        search.run(task, budget).ok().map(|found| found.is_some())
    }

    fn named(&self, line: usize) -> (String, String) {
        let rule = self.question.lines.get(line).map(|line| line.rule);
        rule.map(|rule| (rule.policy.name.clone(), rule.statement.label.clone())).unwrap_or_default()
    }
}

/// A layer of which no statement may allow some actions, of whichever way to be allowed.
fn lacking<'l>(plan: &'l Plan<'_, '_, '_>, class: Actions) -> Option<&'l Layered> {
    let lacks = |way: &'l [Layered]| way.iter().find(|layered| plan.allows(layered, class).is_empty());
    let in_each = || plan.ways.iter().map(|way| lacks(way)).collect::<Option<Vec<&Layered>>>();
    lacks(&plan.shared).or_else(|| in_each()?.first().copied())
}

/// Adds to what keeps out what comes from there.
fn add(all: &mut Vec<KeptOut>, from: &str, by: KeptBy, actions: Actions) {
    let n = all.iter().position(|known| known.from.iter().any(|known| known == from));
    let n = n.unwrap_or_else(|| {
        all.push(KeptOut { from: vec![from.to_owned()], by: Vec::new() });
        all.len() - 1
    });
    let Some(KeptOut { by: known, .. }) = all.get_mut(n) else { return };
    match known.iter_mut().find(|(known, _)| *known == by) {
        Some((_, known)) => *known = known.or(actions),
        None => known.push((by, actions)),
    }
}

/// Where a request comes from.
fn words(kind: &Kind<'_, '_>) -> String {
    let vpc = |vpc: usize| kind.space.vpcs.get(vpc).map_or("", |vpc| vpc.id.as_str());
    let through = match kind.net.path {
        Path::Nowhere => return "an AWS service, with the caller's credentials".to_owned(),
        Path::Address if kind.net.by_service => "an address".to_owned(),
        Path::Address => "the internet".to_owned(),
        Path::Known(_) => format!("the endpoint {}", kind.endpoint().unwrap_or_default()),
        Path::Endpoint => "any endpoint that is not listed".to_owned(),
        Path::Namesake { vpc: n, other: Other::Region, .. } => {
            format!("a VPC of another region with the id {}", vpc(n))
        }
        Path::Namesake { vpc: n, other: Other::Owner, .. } => {
            format!("a VPC of another account with the id {}", vpc(n))
        }
    };
    if kind.net.by_service { format!("such a service, from {through}") } else { through }
}
