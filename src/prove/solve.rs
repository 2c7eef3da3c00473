//! Is there a request of one kind that all policies allow? A search over what could let it through.
//!
//! For each layer that must allow, one of its statements does; for each statement that denies, one of its
//! elements does not match. Each such choice narrows domains of keys. A branch in which nothing is left
//! of some key is given up; one that gets through everything is a request. As domains never lose a
//! request, a search that finds none is a proof.

use super::axioms::Kind;
use super::domain::{Domain, Fixed, Present, Shape, one_of, template_pattern};
use super::plan::{Candidate, Need, Plan};
use super::strings::{Budget, Class, Language, OutOfBudget, Pattern};
use crate::iam::condition;
use crate::iam::document::{Condition, Element, ResourcePattern};
use crate::iam::operand::Operand;
use crate::iam::reading::Side;
use crate::iam::request::{CallerKind, Values};
use crate::iam::template::{Part, Template};

/// What is left of each key, and of caller and resource.
#[derive(Clone, Debug)]
pub struct State {
    keys: Vec<(String, Domain)>,
    pub caller: Language,
    pub resource: Language,
    /// Keys that are to be what a text with variables comes to.
    ties: Vec<(String, Template)>,
}

/// A request of a kind, as far as it is decided: every key that policies ask for, and present ones alone.
#[derive(Clone, Debug)]
pub struct Found {
    pub caller: String,
    pub resource: String,
    pub keys: Vec<(String, Values)>,
}

/// One search.
pub struct Search<'s, 'p> {
    pub kind: Kind<'s, 'p>,
    pub plan: &'s Plan<'p>,
    pub side: Side,
    /// Callers and tables that break-glass covers, which are not asked about.
    pub excluded: &'s [Excluded],
    pub keys: &'s [String],
    pub fixed: &'s Fixed,
}

/// Whoever fits the first calls for whatever fits the second.
#[derive(Clone, Debug)]
pub struct Excluded {
    pub caller: Pattern,
    /// `None`: every table.
    pub tables: Option<Vec<Pattern>>,
}

/// Statements that may deny one request. The search goes one step deeper for each, so there must be an end.
const MAX_DENIES: usize = 400;

/// Steps that a choice counts for: as much work as so many of an automaton's.
const CHOICE: usize = 100;

type Walk<T> = Result<Option<T>, OutOfBudget>;

impl<'p> Search<'_, 'p> {
    /// A request that is allowed, if there is one.
    ///
    /// # Errors
    /// Where the budget is used up before that is known.
    pub fn run(&self, budget: &mut Budget) -> Walk<Found> {
        let start = State {
            keys: self.keys.iter().map(|key| (key.clone(), self.kind.domain(key, self.fixed))).collect(),
            caller: self.kind.callers.arn.clone(),
            resource: self.kind.resources.arn.clone(),
            ties: Vec::new(),
        };
        if self.plan.denies.len() > MAX_DENIES {
            return Err(OutOfBudget);
        }
        for layers in &self.plan.ways {
            budget.take(CHOICE)?;
            if let Some(found) = self.allow(layers, &self.plan.denies, start.clone(), budget)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Chooses a statement of each layer that matches, and goes on to what denies.
    fn allow(
        &self,
        layers: &[Vec<Candidate<'p>>],
        denies: &[Candidate<'p>],
        state: State,
        budget: &mut Budget,
    ) -> Walk<Found> {
        let Some((layer, rest)) = layers.split_first() else { return self.escape(denies, state, budget) };
        for candidate in layer {
            budget.take(CHOICE)?;
            let mut next = state.clone();
            let holds = candidate.needs.iter().all(|need| self.hold(&mut next, need, true));
            if holds && let Some(found) = self.allow(rest, denies, next, budget)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Chooses for each statement that denies something of it that does not match.
    fn escape(&self, denies: &[Candidate<'p>], state: State, budget: &mut Budget) -> Walk<Found> {
        let Some((deny, rest)) = denies.split_first() else {
            return self.miss_excluded(self.excluded, state, budget);
        };
        for need in &deny.needs {
            budget.take(CHOICE)?;
            let mut next = state.clone();
            if self.hold(&mut next, need, false)
                && let Some(found) = self.escape(rest, next, budget)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What break-glass covers is not asked about.
    fn miss_excluded(&self, excluded: &[Excluded], state: State, budget: &mut Budget) -> Walk<Found> {
        let Some((first, rest)) = excluded.split_first() else { return self.found(&state, budget) };
        budget.take(CHOICE)?;
        let mut by_other = state.clone();
        by_other.caller.misses.push(first.caller.clone());
        if let Some(found) = self.miss_excluded(rest, by_other, budget)? {
            return Ok(Some(found));
        }
        let Some(tables) = &first.tables else { return Ok(None) };
        let mut elsewhere = state;
        elsewhere.resource.misses.extend(tables.iter().cloned());
        self.miss_excluded(rest, elsewhere, budget)
    }

    /// Makes a need hold, or not hold. `false`: nothing is left.
    fn hold(&self, state: &mut State, need: &Need<'p>, wanted: bool) -> bool {
        match need {
            Need::Open => self.side == Side::Permissive,
            Need::Caller(patterns) | Need::NotCaller(patterns) => {
                if wanted == matches!(need, Need::Caller(_)) {
                    state.caller.groups.push(one_of(patterns.iter().cloned()));
                } else {
                    state.caller.misses.extend(patterns.iter().cloned());
                }
                state.caller.is_plausible()
            }
            Need::Resource(element) => {
                self.hold_resource(state, element, wanted) && state.resource.is_plausible()
            }
            Need::Condition(condition) => self.hold_condition(state, condition, wanted),
        }
    }

    fn hold_condition(&self, state: &mut State, condition: &Condition, wanted: bool) -> bool {
        let key = alias(&condition.key);
        if key == "aws:principalarn" {
            return self.hold_arn(state, condition, wanted);
        }
        if wanted != condition.operator.negated {
            let templates = condition.values.iter().filter_map(|value| match value {
                Operand::Text(template) if template.variables().next().is_some() => Some(template.clone()),
                _ => None,
            });
            state.ties.extend(templates.map(|template| (key.to_owned(), template)));
        }
        let Some((_, domain)) = state.keys.iter_mut().find(|(name, _)| name == key) else { return true };
        domain.narrow(condition, wanted, self.side, self.fixed);
        !domain.is_plainly_empty()
    }

    /// The caller's ARN is a key like any other, but for being the caller's.
    fn hold_arn(&self, state: &mut State, condition: &Condition, wanted: bool) -> bool {
        if self.kind.callers.kind == CallerKind::Service {
            return self.side.allows(condition::passes(condition, &Fixed::default()), wanted);
        }
        let mut domain = Domain::language(state.caller.clone());
        domain.narrow(condition, wanted, self.side, self.fixed);
        match domain.present {
            Some(Present::Text(language)) => {
                state.caller = language;
                state.caller.is_plausible()
            }
            _ => false,
        }
    }

    fn hold_resource(&self, state: &mut State, element: &Element<ResourcePattern>, wanted: bool) -> bool {
        // What is asked of the list itself; of several readings, the one that leaves more.
        let listed = wanted != element.negated;
        let generous = self.side == Side::Permissive;
        let patterns: Vec<Readings> =
            element.items.iter().map(|item| Readings::of(item, self.fixed)).collect();
        if listed {
            let group = patterns.into_iter().flat_map(|readings| {
                if generous { readings.may } else { readings.must.into_iter().collect() }
            });
            state.resource.groups.push(group.collect());
        } else {
            for readings in patterns {
                match readings.must {
                    Some(must) if generous => state.resource.misses.push(must),
                    // What no pattern surely matches is missed by any text.
                    None if generous => {}
                    Some(_) | None => state.resource.misses.extend(readings.may),
                }
            }
        }
        true
    }

    /// All is chosen: values are picked.
    fn found(&self, state: &State, budget: &mut Budget) -> Walk<Found> {
        let mut keys = Vec::new();
        for (key, domain) in &state.keys {
            match domain.pick(budget)? {
                None => return Ok(None),
                Some(None) => {}
                Some(Some(values)) => keys.push((key.clone(), values)),
            }
        }
        let Some(caller) = state.caller.shortest(budget)? else { return Ok(None) };
        let Some(resource) = state.resource.shortest(budget)? else { return Ok(None) };
        for (key, template) in &state.ties {
            self.tie(state, &mut keys, key, template);
        }
        one_vpc(state, &mut keys);
        Ok(Some(Found { caller, resource, keys }))
    }

    /// Gives the one variable of a template the value by which it comes to what the key holds, where that may
    /// be. Whether it then fits, the evaluator says.
    fn tie(&self, state: &State, keys: &mut Vec<(String, Values)>, key: &str, template: &Template) {
        let Some((_, Values::One(value))) = keys.iter().find(|(name, _)| name == key) else { return };
        let Some((variable, wanted)) = filled(template, value, self.fixed) else { return };
        put(state, keys, alias(&variable), wanted);
    }
}

/// Gives a key a value, if it may have that.
fn put(state: &State, keys: &mut Vec<(String, Values)>, key: &str, value: String) {
    let domain = state.keys.iter().find(|(name, _)| name == key).map(|(_, domain)| domain);
    let may_be = domain.is_some_and(|domain| match &domain.present {
        Some(Present::Text(language)) => language.has(&value),
        _ => false,
    });
    if may_be {
        keys.retain(|(name, _)| name != key);
        keys.push((key.to_owned(), Values::One(value)));
    }
}

/// A VPC's ARN ends in its id: where both are there, the id follows the ARN.
fn one_vpc(state: &State, keys: &mut Vec<(String, Values)>) {
    let arn = keys.iter().find(|(name, _)| name == "aws:sourcevpcarn");
    let Some((_, Values::One(arn))) = arn else { return };
    let Some(id) = arn.rsplit('/').next().map(str::to_owned) else { return };
    put(state, keys, "aws:sourcevpc", id);
}

/// What the only variable of a template without wildcards must be for it to come to a text.
fn filled(template: &Template, text: &str, fixed: &Fixed) -> Option<(String, String)> {
    let (mut before, mut behind, mut variable) = (String::new(), String::new(), None);
    for part in &template.parts {
        let here = if variable.is_none() { &mut before } else { &mut behind };
        match part {
            Part::Literal(text) => here.push_str(text),
            Part::Variable { key, .. } => match fixed.get(key) {
                Some(Values::One(value)) => here.push_str(value),
                _ if variable.is_none() => variable = Some(key.clone()),
                _ => return None,
            },
            Part::Any | Part::One => return None,
        }
    }
    let value = text.strip_prefix(before.as_str())?.strip_suffix(behind.as_str())?;
    Some((variable?, value.to_owned()))
}

/// `aws:EpochTime` and `aws:CurrentTime` are one time.
pub fn alias(key: &str) -> &str {
    if key == "aws:epochtime" { "aws:currenttime" } else { key }
}

/// What a resource's pattern matches in every reading, and what in some.
struct Readings {
    must: Option<Pattern>,
    may: Vec<Pattern>,
}

impl Readings {
    fn of(item: &ResourcePattern, fixed: &Fixed) -> Self {
        let plain = match template_pattern(&item.template, &Class::any(), false, fixed) {
            Shape::Pattern(pattern) => pattern,
            Shape::Around(pattern) => return Self { must: None, may: vec![pattern] },
            Shape::None => return Self { must: None, may: Vec::new() },
        };
        match plain.by_parts() {
            // What fits part by part fits as a whole.
            Some((parts, true)) => Self { must: Some(parts.clone()), may: vec![plain, parts] },
            Some((parts, false)) => Self { must: None, may: vec![plain, parts] },
            None => Self { must: Some(plain.clone()), may: vec![plain] },
        }
    }
}
