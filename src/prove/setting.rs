//! What requests of some callers, to one place, may hold before any statement is made to match: worked out once
//! for all ways in which they may come, then for each way as far as that matters.

use std::rc::Rc;

use super::axioms::{Kind, is_of_network};
use super::clause::{Clause, Fixed};
use super::domain::Domain;
use super::question::Question;
use super::scene::{CALLER, Chosen, KEYS, Line, Outlook, RESOURCE, Scene, Taken, outlook, resource_outlook};
use super::space::{Callers, Net, Path, Resources};
use super::whom::{Whom, whom};
use crate::iam::catalogue;
use crate::iam::evaluate::{Layer, Policy};
use crate::iam::request::{CallerKind, Values};

/// Resources that keys do not tell apart: they are of one account, region and table.
pub type Place<'p> = [Resources<'p>];

/// Callers and a place, wherever requests come from.
#[derive(Debug)]
pub struct Setting<'s, 'q, 'p> {
    question: &'s Question<'q, 'p>,
    pub callers: &'s Callers,
    pub place: &'s Place<'p>,
    pub taken: Taken,
    /// The lines that may have a say there.
    pub lines: Vec<Chosen>,
    /// Keys that are to hold this.
    held: Vec<(String, Values)>,
    anywhere: Start,
    whom: Vec<Vec<Whom>>,
    /// How the resources of each stand to each kind of resource.
    resources: Vec<Vec<Outlook>>,
}

/// What a request may hold to begin with.
#[derive(Clone, Debug, Default)]
pub struct Start {
    pub fixed: Rc<Fixed>,
    /// Of the caller, the resource, and each key.
    pub domains: Vec<Rc<Domain>>,
    /// How each clause of the question stands to that.
    outlooks: Vec<Outlook>,
}

impl<'s, 'q, 'p> Setting<'s, 'q, 'p> {
    /// Works out what does not hang on where requests come from. A place has some resource; keys that are `held` hold
    /// that and nothing else.
    pub fn new(
        question: &'s Question<'q, 'p>,
        callers: &'s Callers,
        place: &'s Place<'p>,
        taken: Taken,
        held: Vec<(String, Values)>,
    ) -> Self {
        let mut setting = Self {
            question,
            callers,
            place,
            taken,
            lines: Vec::new(),
            held,
            anywhere: Start::default(),
            whom: Vec::new(),
            resources: Vec::new(),
        };
        setting.lines = setting.having_say();
        if let Some(kind) = setting.kind(0, &Net { by_service: true, path: Path::Nowhere }, false) {
            setting.anywhere = setting.anywhere(&kind);
        }
        let statement = |line: usize| question.lines.get(line).map(|line| line.rule.statement);
        let of_line = |chosen: &Chosen| {
            let side = question.taken(chosen.line, taken).speaks;
            // Root and services have no policies of their own, whatever the entry says.
            let is_bound = !matches!(callers.kind, CallerKind::Root | CallerKind::Service);
            let has_boundary = is_bound && question.has_boundary(chosen.line);
            statement(chosen.line)
                .map(|statement| whom(statement, callers, side, has_boundary))
                .unwrap_or_default()
        };
        setting.whom = setting.lines.iter().map(of_line).collect();
        let fixed = &setting.anywhere.fixed;
        let of = |resources: &Resources<'p>| {
            let lines = setting.lines.iter().filter_map(|chosen| question.lines.get(chosen.line));
            lines.map(|line| resource_outlook(line.rule, resources, taken.asks, fixed)).collect()
        };
        setting.resources = place.iter().map(of).collect();
        setting
    }

    /// The lines that may have a say: of the policies of resources, those of this place.
    fn having_say(&self) -> Vec<Chosen> {
        let old = self.question.old.as_ref().map(|old| old.bundle);
        let own = self.place.iter().flat_map(|resources| {
            [resources.policy, old.and_then(|old| resources.policy_in(old))].into_iter().flatten()
        });
        let own: Vec<&Policy> = own.collect();
        let has_say = |line: &Line<'_, '_>| {
            line.rule.layer != Layer::Resource || own.iter().any(|own| std::ptr::eq(*own, line.rule.policy))
        };
        let mut first = 0;
        let lines = self.question.lines.iter().enumerate().filter(|(_, line)| has_say(line));
        let chosen = lines.map(|(n, line)| {
            let chosen = Chosen { line: n, first };
            first += line.slots.len();
            chosen
        });
        chosen.collect()
    }

    /// A kind of request: to the nth resource, coming so.
    pub fn kind<'k>(&'k self, n: usize, net: &'k Net, outside: bool) -> Option<Kind<'k, 'p>> {
        let resources = self.place.get(n)?;
        Some(Kind { space: self.question.space, callers: self.callers, resources, net, outside })
    }

    fn anywhere(&self, kind: &Kind<'_, 'p>) -> Start {
        let mut fixed = kind.fixed_anywhere();
        self.hold(&mut fixed, false);
        let absent = Rc::new(Domain::absent());
        let mut domains = vec![Rc::new(Domain::language(self.callers.arn.clone())), absent.clone()];
        let keys = self.question.keys.iter().zip(&self.question.of_network);
        domains.extend(keys.map(|(key, of_network)| {
            if *of_network { absent.clone() } else { Rc::new(self.domain(kind, key, &fixed)) }
        }));
        self.fill_in(&mut fixed, &domains);
        let mut start = Start { fixed: Rc::new(fixed), domains, outlooks: Vec::new() };
        start.outlooks = self.clauses().map(|(clause, slot)| self.outlook(&start, clause, slot)).collect();
        start
    }

    /// Adds variables' keys that can hold one text alone.
    fn fill_in(&self, fixed: &mut Fixed, domains: &[Rc<Domain>]) {
        for key in &self.question.variables {
            let only = domains.get(KEYS + key).and_then(|domain| domain.only_text());
            if let (Some(name), Some(text)) = (self.question.keys.get(*key), only) {
                fixed.set(name, Values::One(text.to_owned()));
            }
        }
    }

    /// What a key may hold. One that the catalogue does not know has several values where policies take it so.
    fn domain(&self, kind: &Kind<'_, 'p>, key: &str, fixed: &Fixed) -> Domain {
        let is_set = |line: &Line<'_, '_>| {
            line.rule
                .clauses
                .iter()
                .any(|clause| clause.key() == key && clause.condition.operator.set.is_some())
        };
        if catalogue::find_key(key).is_none() && self.question.lines.iter().any(is_set) {
            return Domain::several().or_absent();
        }
        kind.domain(key, fixed)
    }

    /// Adds the keys that are held to those whose value is known.
    fn hold(&self, fixed: &mut Fixed, of_network: bool) {
        for (key, values) in self.held.iter().filter(|(key, _)| is_of_network(key) == of_network) {
            if fixed.get(key).is_none() {
                fixed.set(key, values.clone());
            }
        }
    }

    /// What requests that come so may hold.
    pub fn start(&self, kind: &Kind<'_, 'p>) -> Start {
        let mut start = self.anywhere.clone();
        let mut by_net = kind.fixed_by_net();
        self.hold(&mut by_net, true);
        let keys = self.question.keys.iter().zip(&self.question.of_network);
        for ((key, of_network), domain) in keys.zip(start.domains.iter_mut().skip(KEYS)) {
            if *of_network {
                *domain = kind.shared_domain(key, &by_net);
            }
        }
        // What is known fills variables in: where there are any.
        if !self.question.variables.is_empty() {
            let fixed = Rc::make_mut(&mut start.fixed);
            by_net.iter().for_each(|(key, values)| fixed.set(key, values.clone()));
        }
        for (n, (clause, slot)) in self.clauses().enumerate() {
            if clause.has_variables || self.question.is_of_network(slot) {
                let outlook = self.outlook(&start, clause, slot);
                start.outlooks.get_mut(n).into_iter().for_each(|known| *known = outlook);
            }
        }
        start
    }

    /// The nth resource, as requests that come so find it.
    pub fn scene<'k>(&'k self, n: usize, kind: Kind<'k, 'p>, start: &'k mut Start) -> Scene<'k, 'q, 'p> {
        if let Some(domain) = start.domains.get_mut(RESOURCE) {
            *domain = Rc::new(Domain::language(kind.resources.arn.clone()));
        }
        let resources = self.resources.get(n).map(Vec::as_slice).unwrap_or_default();
        Scene {
            lines: &self.question.lines,
            chosen: &self.lines,
            kind,
            fixed: &start.fixed,
            start: &start.domains,
            outlooks: &start.outlooks,
            whom: &self.whom,
            resources,
        }
    }

    fn clauses(&self) -> impl Iterator<Item = (&'q Clause<'p>, usize)> + '_ {
        let lines = self.lines.iter().filter_map(|chosen| self.question.lines.get(chosen.line));
        lines.flat_map(|line| {
            let rule = line.rule;
            rule.clauses.iter().zip(line.slots.iter().copied())
        })
    }

    fn outlook(&self, start: &Start, clause: &Clause<'_>, slot: usize) -> Outlook {
        // A service by itself has an ARN, and no `aws:PrincipalArn`.
        let is_nobody = slot == CALLER && self.callers.kind == CallerKind::Service;
        match start.domains.get(slot) {
            Some(domain) if !is_nobody => outlook(domain, clause, self.taken.asks, &start.fixed),
            _ => outlook(&Domain::absent(), clause, self.taken.asks, &start.fixed),
        }
    }
}
