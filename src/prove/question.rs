//! One principal, one table: the searches that answer for them.
//!
//! Requests are gone through by who may call, where the resource lies, where the request comes from and
//! what kind of resource it is; then by actions that no statement tells apart. Each such kind is one search,
//! and those that come to the same are searched once.

use std::ops::Range;

use super::actions::Actions;
use super::axioms::{Kind, is_of_network};
use super::baseline::Twins;
use super::blame::{self, Blamed};
use super::bundle::{Asked, Bundle, Principal, Table};
use super::clause::alias;
use super::plan::{Means, Plan};
use super::rules::Rule;
use super::scene::{CALLER, Candidate, KEYS, Line, Scene, Taken};
use super::simulate::{NoRequest, decide, decide_as, standing};
use super::solve::{Excluded, TooHard};
use super::space::{Callers, Net, Path, Resources, Space};
use super::stage::{At, Came, Part, Stage};
use super::strings::Budget;
use crate::iam::document::Condition;
use crate::iam::evaluate::{Decision, Guards, Layer, Outcome, Policy, Standing, applying};
use crate::iam::operand::Operand;
use crate::iam::reading::Side;
use crate::iam::request::Request;

/// One set of policies: all that has a say in what a principal does to a table.
#[derive(Debug)]
pub struct Guarded<'p> {
    pub bundle: &'p Bundle,
    /// The principal's entry; `None`: the set knows of no such principal, and so lets it do nothing.
    pub principal: Option<&'p Principal>,
    /// Its statements, among the question's.
    pub lines: Range<usize>,
}

/// The policies of a set that apply to a kind of request.
#[derive(Debug)]
pub struct Bound<'p> {
    pub guards: Guards<'p>,
    standing: Standing,
    lines: Range<usize>,
}

impl<'p> Bound<'p> {
    /// Has a statement a say?
    pub fn applies(&self, n: usize, line: &Line<'_, 'p>) -> bool {
        let guards = &self.guards;
        self.lines.contains(&n)
            && match line.rule.layer {
                Layer::ServiceControl { .. } => !guards.service_control.is_empty(),
                Layer::ResourceControl { .. } => !guards.resource_control.is_empty(),
                Layer::Endpoint => is_one(guards.endpoint, line.rule.policy),
                Layer::Resource => is_one(guards.resource, line.rule.policy),
                Layer::Identity => guards.identity.is_some(),
                Layer::Boundary => guards.boundary.is_some(),
                Layer::Session => guards.session.is_some(),
            }
    }
}

/// What is asked of the requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    Outside,
    OutsideByBreakGlass,
    Any,
}

/// A principal, a table, and the policies between them.
#[derive(Debug)]
pub struct Question<'q, 'p> {
    pub space: &'q Space<'p>,
    pub table: &'p Table,
    pub callers: &'q [Callers],
    /// What break-glass covers.
    pub break_glass: &'q [Excluded],
    pub lines: Vec<Line<'q, 'p>>,
    /// The keys that statements ask for, and those that tell where a request comes from.
    pub keys: Vec<&'q str>,
    /// Of each key, whether what it holds hangs on where a request comes from.
    pub of_network: Vec<bool>,
    /// Where the keys of variables stand among the keys.
    pub variables: Vec<usize>,
    pub new: Guarded<'p>,
    /// What is asked about is what this one does not allow.
    pub old: Option<Guarded<'p>>,
    /// Which statements of both are the same.
    pub twins: Twins,
}

/// Kinds of resources, of all callers together, that are gone through at most: as many as there is time for.
const MAX_RESOURCES: usize = 100_000;

const NETWORK: [&str; 5] =
    ["aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:viaawsservice", "aws:vpcsourceip"];

impl<'q, 'p> Question<'q, 'p> {
    /// A question about a set of policies; `old`: about what is new in it.
    pub fn new(
        space: &'q Space<'p>,
        table: &'p Table,
        callers: &'q [Callers],
        break_glass: &'q [Excluded],
        (new, rules): (Guarded<'p>, Vec<&'q Rule<'p>>),
        old: Option<(Guarded<'p>, Vec<&'q Rule<'p>>)>,
    ) -> Self {
        let mut question = Self {
            space,
            table,
            callers,
            break_glass,
            lines: Vec::new(),
            keys: NETWORK.to_vec(),
            of_network: Vec::new(),
            variables: Vec::new(),
            new,
            old: None,
            twins: Twins::default(),
        };
        question.new.lines = question.add(rules);
        if let Some((mut old, rules)) = old {
            old.lines = question.add(rules);
            question.old = Some(old);
            question.twins = Twins::of(&question.lines, |n| question.has_boundary(n));
        }
        question.of_network = question.keys.iter().map(|key| is_of_network(key)).collect();
        question
    }

    fn add(&mut self, rules: Vec<&'q Rule<'p>>) -> Range<usize> {
        let from = self.lines.len();
        for rule in rules {
            let slots = rule.clauses.iter().map(|clause| self.slot(clause.key())).collect();
            for key in variables(rule) {
                let key = self.slot(alias(key)).checked_sub(KEYS);
                self.variables.extend(key.filter(|key| !self.variables.contains(key)));
            }
            self.lines.push(Line { rule, slots });
        }
        from..self.lines.len()
    }

    fn slot(&mut self, key: &'q str) -> usize {
        if key == "aws:principalarn" {
            return CALLER;
        }
        let known = self.keys.iter().position(|known| *known == key);
        KEYS + known.unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// Is what a slot holds told by where a request comes from?
    pub fn is_of_network(&self, slot: usize) -> bool {
        slot.checked_sub(KEYS).and_then(|key| self.of_network.get(key)).copied().unwrap_or(false)
    }

    /// How a line's statement is taken: of the old set, what may not be allowed is what is asked about.
    pub fn taken(&self, line: usize, taken: Taken) -> Taken {
        let is_old = self.old.as_ref().is_some_and(|old| old.lines.contains(&line));
        if is_old { taken.turned() } else { taken }
    }

    /// Have the callers a permissions boundary, by the set that a line is of?
    pub fn has_boundary(&self, line: usize) -> bool {
        let set = self.old.as_ref().filter(|old| old.lines.contains(&line)).unwrap_or(&self.new);
        set.principal.is_some_and(|entry| entry.boundary.is_some())
    }

    /// What each of the callers may ask for.
    ///
    /// # Errors
    /// Where that is more than can be gone through.
    pub fn resources(&self) -> Result<Vec<Vec<Resources<'p>>>, TooHard> {
        let (mut all, mut count) = (Vec::<Vec<Resources<'p>>>::new(), 0);
        for callers in self.callers {
            all.push(self.space.resources(self.table, callers));
            count += all.last().map_or(0, Vec::len);
            if count > MAX_RESOURCES {
                return Err(TooHard::Kinds);
            }
        }
        Ok(all)
    }

    /// Callers and places, to be worked out when they are come to.
    pub fn stages<'s>(&'s self, resources: &'s [Vec<Resources<'p>>]) -> Vec<Stage<'s, 'q, 'p>> {
        let of = |(callers, resources): (&'s Callers, &'s Vec<Resources<'p>>)| {
            let places = resources.chunk_by(Resources::is_in_one_place_with);
            places.map(move |place| Stage::new(callers, place))
        };
        self.callers.iter().zip(resources).flat_map(of).collect()
    }

    /// How policies are taken so that nothing is lost. How far grants go is the same for two sets that are compared:
    /// both ways are tried.
    pub fn generously(&self) -> Vec<Taken> {
        let strictly = Taken { grants: Side::Strict, ..Taken::GENEROUS };
        let compares = self.old.is_some();
        [Taken::GENEROUS].into_iter().chain(compares.then_some(strictly)).collect()
    }

    /// A request of those that are asked about, if there is one.
    pub fn search<'s>(&'s self, which: Which, stages: &[Stage<'s, 'q, 'p>], budget: &mut Budget) -> Came {
        let mut doubt = None;
        for stage in stages {
            let Some(excluded) = self.excluded(which, stage.callers) else { continue };
            let asked = At { question: self, stage, which, excluded: &excluded };
            for net in self.nets(which) {
                match asked.from(&net, budget) {
                    Came::Nothing => {}
                    Came::Unknown(reason) if budget.0 > 0 => doubt = Some(reason),
                    came => return came,
                }
            }
        }
        doubt.map_or(Came::Nothing, Came::Unknown)
    }

    /// May some of the callers be break-glass?
    pub fn has_break_glass(&self) -> bool {
        self.callers.iter().any(|callers| !self.covering(callers).is_empty())
    }

    /// The break-glass patterns that some of these callers fit.
    fn covering(&self, callers: &Callers) -> Vec<Excluded> {
        let fits = |excluded: &&Excluded| {
            let mut both = callers.arn.clone();
            both.groups.push([excluded.caller.clone()].into());
            both.is_plausible()
        };
        self.break_glass.iter().filter(fits).cloned().collect()
    }

    /// What is not asked about; `None`: all of these callers' requests.
    pub fn excluded(&self, which: Which, callers: &Callers) -> Option<Vec<Excluded>> {
        if which != Which::Outside {
            return Some(Vec::new());
        }
        let covering = self.covering(callers);
        let all = callers.arn.only().is_some() && covering.iter().any(|excluded| excluded.tables.is_none());
        (!all).then_some(covering)
    }

    /// Where requests may come from: for any at all, first from where most are allowed.
    fn nets(&self, which: Which) -> Vec<Net> {
        let mut nets = self.space.nets();
        if which == Which::Any {
            nets.sort_by_key(|net| net.by_service || !matches!(net.path, Path::Known(_)));
        }
        nets
    }

    /// What a set of policies makes of a kind of request.
    pub fn plan<'c>(
        &self,
        bound: &Bound<'p>,
        scene: &Scene<'_, 'q, 'p>,
        candidates: &'c [Candidate<'q, 'p>],
        part: Part,
    ) -> Plan<'c, 'q, 'p> {
        let Kind { callers, resources, .. } = scene.kind;
        let Bound { guards, standing, .. } = bound;
        let means = Means { guards, standing: *standing, kind: callers.kind, side: part.taken.grants };
        Plan::new(candidates, means, Actions::done_to(resources.kind).and(part.all))
    }

    /// Is everything of a part denied, whatever the request?
    pub fn is_denied(&self, bound: &Bound<'p>, scene: &Scene<'_, 'q, 'p>, part: Part) -> bool {
        let denied = scene.denied(part.taken.speaks, |n, line| bound.applies(n, line));
        Actions::done_to(scene.kind.resources.kind).and(part.all).without(denied).is_empty()
    }

    /// The statements that have a say, by their places.
    pub fn having_say(&self, bound: &Bound<'p>) -> Vec<usize> {
        let lines = self.lines.iter().enumerate();
        lines.filter(|(n, line)| bound.applies(*n, line)).map(|(n, _)| n).collect()
    }

    /// The policies of a set that apply to a kind of request, whatever the action.
    pub fn bound(&self, set: &Guarded<'p>, kind: Kind<'_, 'p>) -> Bound<'p> {
        let standing = standing(&kind.callers.account, &kind.resources.account, self.space.perimeter);
        let is_old = !std::ptr::eq(set, &raw const self.new);
        let guards = Guards {
            identity: set.principal.and_then(|entry| entry.identity.as_deref()),
            boundary: set.principal.and_then(|entry| entry.boundary.as_ref()),
            session: set.principal.and_then(|entry| entry.session.as_deref()),
            service_control: &set.bundle.service_control,
            resource_control: &set.bundle.resource_control,
            resource: if is_old { kind.resources.policy_in(set.bundle) } else { kind.resources.policy },
            endpoint: kind.endpoint().and_then(|id| set.bundle.policy_of_endpoint(id)),
        };
        // Which actions a table's policy counts for, its statements are told by.
        let guards = applying(kind.callers.kind, "dynamodb:GetItem", &guards, standing);
        Bound { guards, standing, lines: set.lines.clone() }
    }

    /// The statements that let a request through.
    pub fn blamed(&self, asked: &Asked) -> Vec<Blamed> {
        let decided = self.decided(&self.new, asked);
        decided.map(|(request, decision)| blame::blamed(&decision, &request.context)).unwrap_or_default()
    }

    /// What a set of policies makes of a request.
    pub fn decided(&self, set: &Guarded<'p>, asked: &Asked) -> Result<(Request, Decision<'p>), NoRequest> {
        let named = set.principal.filter(|entry| entry.arn != "*");
        match named {
            Some(entry) => decide_as(set.bundle, self.space.perimeter, asked, entry),
            None => decide(set.bundle, self.space.perimeter, asked),
        }
    }

    /// The request, if the evaluator allows it whatever the documentation leaves open; and if the old set, where
    /// there is one, does not.
    pub fn confirmed(&self, asked: Asked) -> Result<Asked, String> {
        let is_sure = |set: &Guarded<'p>, wanted: bool| {
            let (_, decision) = self.decided(set, &asked).map_err(|error| error.to_string())?;
            if (decision.outcome == Outcome::Allow) == wanted && decision.otherwise.is_none() {
                return Ok(());
            }
            let question = decision.open_questions().next().map(|(_, why)| why.to_owned());
            Err(question.unwrap_or_else(|| "a condition whose values a proof cannot choose".to_owned()))
        };
        is_sure(&self.new, true)?;
        match &self.old {
            Some(old) if old.principal.is_some() => is_sure(old, false)?,
            Some(_) | None => {}
        }
        Ok(asked)
    }

    /// The conditions of all statements.
    pub fn conditions(&self) -> impl Iterator<Item = &'q Condition> + Clone + '_ {
        self.lines.iter().flat_map(|line| &line.rule.statement.conditions)
    }
}

/// Is it this policy?
fn is_one(policy: Option<&Policy>, other: &Policy) -> bool {
    policy.is_some_and(|policy| std::ptr::eq(policy, other))
}

/// The keys that a rule's variables stand for.
fn variables<'q>(rule: &'q Rule<'_>) -> impl Iterator<Item = &'q str> {
    let resources = rule.statement.resources.items.iter().flat_map(|item| item.template.variables());
    let operands = rule.statement.conditions.iter().flat_map(|condition| &condition.values);
    resources.chain(operands.flat_map(Operand::variables))
}
