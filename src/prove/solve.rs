//! Is there a request of one kind that all policies allow? A search over what could let it through.
//!
//! For each layer that must allow, one of its statements does; for each statement that denies, one of its
//! elements does not match. Each such choice narrows what a key may hold. A branch in which nothing is left
//! of some key is given up; one that gets through everything is a request. As domains never lose a
//! request, a search that finds none is a proof.

use std::rc::Rc;

use super::clause::{Fixed, Shape, template_pattern};
use super::domain::{Domain, Present};
use super::plan::Task;
use super::scene::{CALLER, Candidate, KEYS, Need, RESOURCE, narrow_resource};
use super::strings::{Budget, Class, Language, OutOfBudget, Pattern};
use crate::iam::catalogue;
use crate::iam::operand::Operand;
use crate::iam::reading::Side;
use crate::iam::request::Values;
use crate::iam::template::{Part, Template};

/// What is left of caller, resource and each key.
#[derive(Clone, Debug)]
struct State<'q> {
    domains: Vec<Rc<Domain>>,
    /// Keys that are to be what a text with variables comes to.
    ties: Vec<(usize, &'q Template)>,
}

/// A request of a kind, as far as it is decided.
#[derive(Clone, Debug)]
pub struct Found {
    pub caller: String,
    pub resource: String,
    /// What each key holds, where it is there, in the order of the question's keys.
    pub keys: Vec<Option<Values>>,
}

/// One search.
pub struct Search<'s> {
    /// What caller, resource and keys may hold to begin with.
    pub start: &'s [Rc<Domain>],
    pub asks: Side,
    pub fixed: &'s Fixed,
    /// Callers and tables that break-glass covers, which are not asked about.
    pub excluded: &'s [Excluded],
    /// The question's keys.
    pub keys: &'s [&'s str],
}

/// Whoever fits the first calls for whatever fits the second.
#[derive(Clone, Debug)]
pub struct Excluded {
    pub caller: Pattern,
    /// `None`: every table.
    pub tables: Option<Rc<[Pattern]>>,
}

/// Statements that may deny one request. The search goes one step deeper for each, so there must be an end.
pub const MAX_DENIES: usize = 400;

/// Steps that a choice counts for: as much work as so many of an automaton's.
const CHOICE: usize = 100;

/// Why a search gives up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TooHard {
    /// So many statements may deny one request.
    Denies(usize),
    /// There are more ways through so many statements than can be tried.
    Ways(usize),
    /// So many break-glass patterns cover some tables.
    BreakGlass(usize),
    /// So many layers must each allow.
    Layers(usize),
    /// For so many reasons the set before may not have allowed a request.
    Refusals(usize),
    /// There are too many callers, places and ways to come.
    Kinds,
    /// What this may hold, narrowed by so many patterns.
    Text(String, usize),
}

impl std::fmt::Display for TooHard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it takes more steps than a proof may: ")?;
        match self {
            TooHard::Denies(count) => write!(f, "{count} statements may deny one request"),
            TooHard::Ways(count) => {
                write!(f, "the ways past {count} statements that may deny one request are too many")
            }
            TooHard::BreakGlass(count) => write!(f, "{count} break-glass patterns cover some tables"),
            TooHard::Layers(count) => write!(f, "{count} layers must each allow a request"),
            TooHard::Refusals(count) => {
                write!(f, "for {count} reasons a request may not have been allowed before")
            }
            TooHard::Kinds => f.write_str("there are too many callers, places and ways to come"),
            TooHard::Text(what, patterns) => {
                write!(f, "{what} has to go with {patterns} patterns of the policies at once")
            }
        }
    }
}

type Walk = Result<Option<Found>, TooHard>;

/// What is still to be chosen: a statement for each layer, then a way past each that denies.
struct Rest<'t, 'c, 'q, 'p> {
    layers: &'t [Vec<&'c Candidate<'q, 'p>>],
    denies: &'t [&'c Candidate<'q, 'p>],
    /// How many there are at all.
    all: usize,
}

impl<'s> Search<'s> {
    /// A request that is allowed, if there is one.
    ///
    /// # Errors
    /// Where the budget is used up before that is known.
    pub fn run<'c, 'q: 'c, 'p: 'q>(&self, task: &Task<'c, 'q, 'p>, budget: &mut Budget) -> Walk {
        let all = task.denies.len();
        if all > MAX_DENIES {
            return Err(TooHard::Denies(all));
        }
        for layers in &task.ways {
            if layers.len() > MAX_DENIES {
                return Err(TooHard::Layers(layers.len()));
            }
            take(budget, all)?;
            let rest = Rest { layers, denies: &task.denies, all };
            let state = State { domains: self.start.to_vec(), ties: Vec::new() };
            if let Some(found) = self.allow(&rest, state, budget)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Chooses a statement of each layer that matches, and goes on to what denies.
    fn allow<'q>(&self, rest: &Rest<'_, '_, 'q, '_>, state: State<'q>, budget: &mut Budget) -> Walk {
        let Some((layer, layers)) = rest.layers.split_first() else {
            return self.escape(rest, state, budget);
        };
        for candidate in layer {
            take(budget, rest.all)?;
            let mut next = state.clone();
            let holds = candidate.needs.iter().all(|need| self.hold(&mut next, need, true));
            if holds && let Some(found) = self.allow(&Rest { layers, ..*rest }, next, budget)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Chooses for each statement that denies something of it that does not match.
    fn escape<'q>(&self, rest: &Rest<'_, '_, 'q, '_>, state: State<'q>, budget: &mut Budget) -> Walk {
        let Some((deny, denies)) = rest.denies.split_first() else {
            return self.miss_excluded(state, budget);
        };
        for need in &deny.needs {
            take(budget, rest.all)?;
            let mut next = state.clone();
            if self.hold(&mut next, need, false)
                && let Some(found) = self.escape(&Rest { denies, ..*rest }, next, budget)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What break-glass covers is not asked about.
    fn miss_excluded(&self, mut state: State<'_>, budget: &mut Budget) -> Walk {
        let (of_all, of_some): (Vec<_>, Vec<_>) =
            self.excluded.iter().partition(|excluded| excluded.tables.is_none());
        let callers: Vec<Pattern> = of_all.iter().map(|excluded| excluded.caller.clone()).collect();
        if !callers.is_empty() && !narrow(&mut state, CALLER, |caller| caller.misses.push(callers.into())) {
            return Ok(None);
        }
        if of_some.len() > MAX_DENIES {
            return Err(TooHard::BreakGlass(of_some.len()));
        }
        self.miss_some(&of_some, state, budget)
    }

    /// What break-glass covers of some tables: it is another caller, or another table.
    fn miss_some(&self, excluded: &[&Excluded], state: State<'_>, budget: &mut Budget) -> Walk {
        let Some((first, rest)) = excluded.split_first() else { return self.found(&state, budget) };
        take(budget, excluded.len())?;
        let mut by_other = state.clone();
        let caller: Rc<[Pattern]> = [first.caller.clone()].into();
        if narrow(&mut by_other, CALLER, |language| language.misses.push(caller.clone()))
            && let Some(found) = self.miss_some(rest, by_other, budget)?
        {
            return Ok(Some(found));
        }
        // Of those who are covered, what is covered is missed.
        let Some(tables) = &first.tables else { return Ok(None) };
        let mut elsewhere = state;
        if narrow(&mut elsewhere, CALLER, |language| language.groups.push(caller))
            && narrow(&mut elsewhere, RESOURCE, |resource| resource.misses.push(tables.clone()))
        {
            return self.miss_some(rest, elsewhere, budget);
        }
        Ok(None)
    }

    /// Makes a need hold, or not hold. `false`: nothing is left.
    fn hold<'q>(&self, state: &mut State<'q>, need: &Need<'q, '_>, wanted: bool) -> bool {
        match need {
            Need::Caller { patterns, within } => narrow(state, CALLER, |caller| {
                if wanted == *within {
                    caller.groups.push(patterns.clone());
                } else {
                    caller.misses.push(patterns.clone());
                }
            }),
            Need::Resource { readings, element } => {
                if wanted != element.negated {
                    let templates = element.items.iter().map(|item| &item.template);
                    let tied = templates.filter(|template| template.variables().next().is_some());
                    state.ties.extend(tied.map(|template| (RESOURCE, template)));
                }
                narrow(state, RESOURCE, |resource| {
                    narrow_resource(
                        resource,
                        readings,
                        wanted != element.negated,
                        element.negated,
                        self.asks,
                    );
                })
            }
            Need::Clause { slot, clause } => {
                if clause.has_variables && wanted != clause.condition.operator.negated {
                    let templates = clause.condition.values.iter().filter_map(|value| match value {
                        Operand::Text(template) if template.variables().next().is_some() => Some(template),
                        _ => None,
                    });
                    state.ties.extend(templates.map(|template| (*slot, template)));
                }
                let Some(domain) = state.domains.get_mut(*slot) else { return true };
                let domain = Rc::make_mut(domain);
                domain.narrow(clause, wanted, self.asks, self.fixed);
                !domain.is_plainly_empty()
            }
        }
    }

    /// All is chosen: values are picked.
    fn found(&self, state: &State<'_>, budget: &mut Budget) -> Walk {
        // What was narrowed may have nothing left: that is looked at first.
        let is_narrowed = |slot: &usize| match (state.domains.get(*slot), self.start.get(*slot)) {
            (Some(domain), Some(start)) => !Rc::ptr_eq(domain, start),
            _ => true,
        };
        let (narrowed, others): (Vec<usize>, _) = (0..state.domains.len()).partition(is_narrowed);
        let mut picked = vec![None; state.domains.len()];
        for slot in narrowed.into_iter().chain(others) {
            let (Some(domain), Some(place)) = (state.domains.get(slot), picked.get_mut(slot)) else { break };
            match domain.pick(budget) {
                Err(OutOfBudget) => return Err(TooHard::Text(self.name(slot), domain.patterns())),
                Ok(None) => return Ok(None),
                Ok(Some(values)) => *place = values,
            }
        }
        let mut keys = picked.split_off(KEYS.min(picked.len()));
        let mut texts = picked.into_iter().map(|values| match values {
            Some(Values::One(text)) => text,
            Some(Values::Many(_)) | None => String::new(),
        });
        let (caller, resource) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
        for (slot, template) in &state.ties {
            let known = if *slot == RESOURCE { &resource } else { &caller };
            self.tie(state, &mut keys, (*slot, known), template);
        }
        self.one_vpc(state, &mut keys);
        Ok(Some(Found { caller, resource, keys }))
    }

    fn name(&self, slot: usize) -> String {
        match slot {
            CALLER => "the caller's ARN".to_owned(),
            RESOURCE => "the resource's ARN".to_owned(),
            _ => self
                .keys
                .get(slot - KEYS)
                .map(|key| format!("`{}`", catalogue::spelled(key)))
                .unwrap_or_default(),
        }
    }

    fn key(&self, name: &str) -> Option<usize> {
        self.keys.iter().position(|key| *key == name)
    }

    /// Gives the one variable of a template the value by which it comes to what the key holds, where that may
    /// be. Whether it then fits, the evaluator says.
    fn tie(
        &self,
        state: &State<'_>,
        keys: &mut [Option<Values>],
        (slot, known): (usize, &str),
        template: &Template,
    ) {
        let value = match slot.checked_sub(KEYS).map(|key| keys.get(key)) {
            None => known,
            Some(Some(Some(Values::One(value)))) => value,
            _ => return,
        };
        let Some((variable, wanted)) = filled(template, value, self.fixed) else { return };
        if let Some(key) = self.key(super::clause::alias(&variable)) {
            put(state, keys, key, wanted);
        }
    }

    /// A VPC's ARN ends in its id: where both are there, the id follows the ARN.
    fn one_vpc(&self, state: &State<'_>, keys: &mut [Option<Values>]) {
        let (Some(arn), Some(id)) = (self.key("aws:sourcevpcarn"), self.key("aws:sourcevpc")) else { return };
        let Some(Some(Values::One(arn))) = keys.get(arn) else { return };
        if let Some(wanted) = arn.rsplit('/').next().map(str::to_owned) {
            put(state, keys, id, wanted);
        }
    }
}

fn take(budget: &mut Budget, denies: usize) -> Result<(), TooHard> {
    budget.take(CHOICE).map_err(|OutOfBudget| TooHard::Ways(denies))
}

/// Narrows a text. `false`: nothing is left.
fn narrow(state: &mut State<'_>, slot: usize, by: impl FnOnce(&mut Language)) -> bool {
    let Some(domain) = state.domains.get_mut(slot) else { return true };
    match &mut Rc::make_mut(domain).present {
        Some(Present::Text(language)) => {
            by(language);
            language.is_plausible()
        }
        _ => true,
    }
}

/// Gives a key a value, if it may have that.
fn put(state: &State<'_>, keys: &mut [Option<Values>], key: usize, value: String) {
    let domain = state.domains.get(KEYS + key).map(|domain| &domain.present);
    if let (Some(Some(Present::Text(language))), Some(there)) = (domain, keys.get_mut(key))
        && language.has(&value)
    {
        *there = Some(Values::One(value));
    }
}

/// What the only variable of a template may be for it to come to a text: the shortest that is something.
fn filled(template: &Template, text: &str, fixed: &Fixed) -> Option<(String, String)> {
    let is_free = |part: &Part| matches!(part, Part::Variable { key, .. } if fixed.get(key).is_none());
    let at = template.parts.iter().position(is_free)?;
    let Some(Part::Variable { key, .. }) = template.parts.get(at) else { return None };
    let before = pattern_of(template.parts.get(..at)?, fixed)?;
    let behind = pattern_of(template.parts.get(at + 1..)?, fixed)?;
    // What is tried is quadratic in the text.
    if text.len() > MAX_FILLED {
        return None;
    }
    let ends = || text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let starts: Vec<usize> =
        ends().filter(|start| text.get(..*start).is_some_and(|text| before.matches(text))).collect();
    let ends: Vec<usize> =
        ends().filter(|end| text.get(*end..).is_some_and(|text| behind.matches(text))).collect();
    let pairs = starts.iter().flat_map(|start| ends.iter().map(move |end| (*start, *end)));
    let (start, end) = pairs.filter(|(start, end)| start < end).min_by_key(|(start, end)| end - start)?;
    Some((key.clone(), text.get(start..end)?.to_owned()))
}

/// The longest text that a variable is looked for in.
const MAX_FILLED: usize = 512;

/// Parts of a template that have no other variable.
fn pattern_of(parts: &[Part], fixed: &Fixed) -> Option<Pattern> {
    let template = Template { parts: parts.to_vec(), is_as_written: false };
    match template_pattern(&template, &Class::Any, false, fixed) {
        Shape::Pattern(pattern) => Some(pattern),
        Shape::Around(_) | Shape::None | Shape::Open => None,
    }
}
