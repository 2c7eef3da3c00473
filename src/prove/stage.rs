//! Some callers and a place: the searches among their requests, one way to come after another.

use std::cell::OnceCell;
use std::collections::HashSet;

use super::actions::Actions;
use super::axioms::Kind;
use super::baseline::Compared;
use super::bundle::Asked;
use super::plan::Task;
use super::question::{Bound, Question, Which};
use super::scene::{KEYS, Scene, Taken};
use super::setting::{Place, Setting};
use super::solve::{Excluded, Found, Search, TooHard};
use super::space::{Callers, Net};
use super::strings::Budget;
use super::witness;

/// Some actions on the nth resource of a place, and how policies are taken.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub n: usize,
    pub all: Actions,
    pub taken: Taken,
}

/// What a search over all kinds of requests came to.
#[derive(Debug)]
pub enum Came {
    Witness(Asked),
    Nothing,
    Unknown(String),
}

/// Callers and a place, which several searches come to.
#[derive(Debug)]
pub struct Stage<'s, 'q, 'p> {
    pub callers: &'s Callers,
    place: &'s Place<'p>,
    setting: OnceCell<Setting<'s, 'q, 'p>>,
}

/// One search's part at a stage.
pub struct At<'a, 's, 'q, 'p> {
    pub question: &'s Question<'q, 'p>,
    pub stage: &'a Stage<'s, 'q, 'p>,
    pub which: Which,
    pub excluded: &'a [Excluded],
}

impl<'s, 'p> Stage<'s, '_, 'p> {
    /// To be worked out when it is come to.
    pub fn new(callers: &'s Callers, place: &'s Place<'p>) -> Self {
        Self { callers, place, setting: OnceCell::new() }
    }
}

impl<'a, 's, 'q, 'p> At<'a, 's, 'q, 'p> {
    fn setting(&self) -> &'a Setting<'s, 'q, 'p> {
        let Stage { callers, place, setting } = self.stage;
        setting.get_or_init(|| Setting::new(self.question, callers, place, Taken::GENEROUS, Vec::new()))
    }

    /// Requests that come so.
    pub fn from(&self, net: &Net, budget: &mut Budget) -> Came {
        let outside = self.which != Which::Any;
        let setting = self.setting();
        let Some(kind) = setting.kind(0, net, outside).filter(Kind::is_possible) else {
            return Came::Nothing;
        };
        // What it takes to look at every statement is work as well.
        if budget.take(100 + 10 * setting.lines.len()).is_err() {
            return Came::Unknown(TooHard::Kinds.to_string());
        }
        let mut start = setting.start(&kind);
        // What comes to the same as something that was searched is not searched again.
        let (mut searched, mut doubt) = (HashSet::new(), None);
        for n in 0..setting.place.len() {
            let Some(kind) = setting.kind(n, net, outside) else { break };
            let scene = setting.scene(n, kind, &mut start);
            for taken in self.question.generously() {
                let part = Part { n, all: Actions::all(), taken };
                match self.of_kind(part, &scene, &mut searched, budget) {
                    Came::Nothing => {}
                    Came::Unknown(reason) if budget.0 > 0 => doubt = Some(reason),
                    came => return came,
                }
            }
        }
        doubt.map_or(Came::Nothing, Came::Unknown)
    }

    /// Requests to one resource.
    fn of_kind(
        &self,
        part: Part,
        scene: &Scene<'_, 'q, 'p>,
        searched: &mut HashSet<Vec<usize>>,
        budget: &mut Budget,
    ) -> Came {
        let (question, mut doubt) = (self.question, None);
        let bound = question.bound(&question.new, scene.kind);
        if question.is_denied(&bound, scene, part) {
            return Came::Nothing;
        }
        let candidates = scene.candidates(part.taken.speaks, |n, line| bound.applies(n, line));
        let plan = question.plan(&bound, scene, &candidates, part);
        let old = question.old.as_ref().filter(|old| old.principal.is_some());
        let old = old.map(|old| question.bound(old, scene.kind));
        let turned = Part { taken: part.taken.turned(), ..part };
        let of_old = |old: &Bound<'p>| scene.candidates(turned.taken.speaks, |n, line| old.applies(n, line));
        let old_candidates = old.as_ref().map(of_old);
        let old_plan = old.as_ref().zip(old_candidates.as_ref());
        let old_plan = old_plan.map(|(old, candidates)| question.plan(old, scene, candidates, turned));
        // Which statements have a say is asked only to compare.
        let new_lines = old.as_ref().map(|_| question.having_say(&bound)).unwrap_or_default();
        let old_lines = old.as_ref().map(|old| question.having_say(old)).unwrap_or_default();
        let compared = old_plan.as_ref().map(|old| Compared {
            lines: &question.lines,
            twins: &question.twins,
            new: &plan,
            old,
            new_lines: &new_lines,
            old_lines: &old_lines,
        });
        let tells_tables = self.excluded.iter().any(|excluded| excluded.tables.is_some());
        for class in plan.classes(old_plan.as_ref()) {
            let tasks = match &compared {
                Some(compared) => match compared.tasks(class) {
                    Ok(tasks) => tasks,
                    Err(hard) => return Came::Unknown(hard.to_string()),
                },
                None => vec![plan.task(class, |_| true)],
            };
            for task in tasks {
                let mut signature = task.signature();
                // No statement has that number.
                signature.push(usize::MAX);
                signature.extend((tells_tables || task.tells_resources()).then_some(part.n));
                if !searched.insert(signature) {
                    continue;
                }
                match self.of_task(part, scene, &task, budget) {
                    Came::Nothing => {}
                    Came::Unknown(reason) if budget.0 > 0 => doubt = Some(reason),
                    came => return came,
                }
            }
        }
        doubt.map_or(Came::Nothing, Came::Unknown)
    }

    /// Requests for one class of actions.
    fn of_task(
        &self,
        part: Part,
        scene: &Scene<'_, 'q, 'p>,
        task: &Task<'_, 'q, 'p>,
        budget: &mut Budget,
    ) -> Came {
        let question = self.question;
        let search = Search {
            start: scene.start,
            asks: part.taken.asks,
            fixed: scene.fixed,
            excluded: self.excluded,
            keys: &question.keys,
        };
        let found = match search.run(task, budget) {
            Err(hard) => return Came::Unknown(hard.to_string()),
            Ok(None) => return Came::Nothing,
            Ok(Some(found)) => found,
        };
        let action = task.actions.first().unwrap_or_default();
        let conditions = question.conditions();
        let asked = witness::asked(&found, &question.keys, scene.kind.callers, &action, conditions);
        let confirmed = if witness::is_one_vpc(&found, &question.keys) {
            question.confirmed(asked)
        } else {
            Err("the id of a VPC and its ARN hang together".to_owned())
        };
        match confirmed {
            Ok(asked) => Came::Witness(asked),
            Err(reason) if part.taken.is_certain() => Came::Unknown(reason),
            Err(reason) => match self.certainly(part.n, scene, (task.actions, &found), budget) {
                Came::Nothing => Came::Unknown(reason),
                came => came,
            },
        }
    }

    /// The same requests, of which only those count that are allowed whatever the documentation leaves open, and whose
    /// keys that variables stand for hold what was found.
    fn certainly(
        &self,
        n: usize,
        Scene { kind: Kind { net, .. }, start, .. }: &Scene<'_, 'q, 'p>,
        (all, found): (Actions, &Found),
        budget: &mut Budget,
    ) -> Came {
        let Stage { callers, place, .. } = self.stage;
        let held = |key: &usize| {
            let domain = start.get(KEYS + key).filter(|domain| domain.is_text())?;
            let held = found.keys.get(*key).cloned().flatten();
            let held = held.or_else(|| domain.pick_present(budget).ok().flatten())?;
            Some((self.question.keys.get(*key).map(|key| (*key).to_owned())?, held))
        };
        let held = self.question.variables.iter().filter_map(held).collect();
        let setting = Setting::new(self.question, callers, place, Taken::CERTAIN, held);
        let Some(kind) = setting.kind(n, net, self.which != Which::Any) else { return Came::Nothing };
        let mut start = setting.start(&kind);
        let scene = setting.scene(n, kind, &mut start);
        let part = Part { n, all, taken: Taken::CERTAIN };
        self.of_kind(part, &scene, &mut HashSet::new(), budget)
    }
}
