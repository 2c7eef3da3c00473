//! One kind of request, and how every statement stands to it: what is settled already, what still hangs on the
//! request.
//!
//! A condition of which nothing else than "it holds" is left, whatever the request, needs no search; most
//! are such once it is told where a request comes from.

use std::rc::Rc;

use super::actions::Actions;
use super::axioms::Kind;
use super::clause::{Clause, Fixed};
use super::domain::Domain;
use super::rules::{Readings, Rule};
use super::space::Resources;
use super::strings::{Language, Pattern};
use super::whom::Whom;
use crate::iam::document::{Effect, Element, ResourcePattern};
use crate::iam::evaluate::Layer;
use crate::iam::matching::{self, Grant};
use crate::iam::reading::Side;

/// Where in a state the caller's ARN stands, and the resource's; the keys stand behind them.
pub const CALLER: usize = 0;
pub const RESOURCE: usize = 1;
pub const KEYS: usize = 2;

/// A rule among those of a question, and where in a state the keys of its clauses stand.
#[derive(Debug)]
pub struct Line<'q, 'p> {
    pub rule: &'q Rule<'p>,
    pub slots: Vec<usize>,
}

/// A line that may have a say at a place: not one of another table's policy.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    /// Its place among those of the question.
    pub line: usize,
    /// The place of its first clause among those of all that are chosen.
    pub first: usize,
}

/// May something hold, and may it not?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outlook {
    pub may: bool,
    pub may_miss: bool,
}

/// What must hold for a statement to match, and does not do so of itself.
#[derive(Clone, Debug)]
pub enum Need<'q, 'p> {
    Clause {
        slot: usize,
        clause: &'q Clause<'p>,
    },
    /// The caller is one of these, or none of them.
    Caller {
        patterns: Rc<[Pattern]>,
        within: bool,
    },
    Resource {
        readings: Readings,
        element: &'q Element<ResourcePattern>,
    },
}

/// A statement that may match, by which grant, and what for.
#[derive(Debug)]
pub struct Candidate<'q, 'p> {
    /// Its place among the question's lines.
    pub line: usize,
    pub effect: Effect,
    pub layer: Layer,
    pub grant: Grant,
    /// The actions that it speaks of.
    pub actions: Actions,
    /// All of them must hold for it to match.
    pub needs: Vec<Need<'q, 'p>>,
}

/// How what the documentation leaves open is taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// By what statements speak of: what may allow does and what may deny does not, or the other way round.
    pub speaks: Side,
    /// By what can be asked of a condition: that it be so where that is open, or not.
    pub asks: Side,
    /// By how far a grant of a resource's policy goes.
    pub grants: Side,
}

impl Taken {
    /// Everything that may be allowed.
    pub const GENEROUS: Taken =
        Taken { speaks: Side::Permissive, asks: Side::Permissive, grants: Side::Permissive };
    /// What is allowed for certain.
    pub const CERTAIN: Taken = Taken { speaks: Side::Strict, asks: Side::Strict, grants: Side::Strict };

    /// For policies of which it is asked that they do not allow.
    pub fn turned(self) -> Self {
        let speaks = match self.speaks {
            Side::Permissive => Side::Strict,
            Side::Strict => Side::Permissive,
        };
        Self { speaks, ..self }
    }

    /// Is nothing taken that is open?
    pub fn is_certain(self) -> bool {
        self.asks == Side::Strict
    }
}

/// How a clause stands to a key that may hold this.
pub fn outlook(domain: &Domain, clause: &Clause<'_>, side: Side, fixed: &Fixed) -> Outlook {
    let may_be = |wanted: bool| {
        let mut left = domain.clone();
        left.narrow(clause, wanted, side, fixed);
        !left.is_plainly_empty()
    };
    Outlook { may: may_be(true), may_miss: may_be(false) }
}

/// What is known of a kind of request before its statements are looked at.
#[derive(Debug)]
pub struct Scene<'s, 'q, 'p> {
    pub lines: &'s [Line<'q, 'p>],
    /// Those that may have a say.
    pub chosen: &'s [Chosen],
    pub kind: Kind<'s, 'p>,
    pub fixed: &'s Fixed,
    /// What caller, resource and each key may be.
    pub start: &'s [Rc<Domain>],
    /// How each clause stands to that.
    pub outlooks: &'s [Outlook],
    /// Whom each of the chosen lines speaks of.
    pub whom: &'s [Vec<Whom>],
    /// How the resources of each stand to the resource.
    pub resources: &'s [Outlook],
}

impl<'q, 'p> Scene<'_, 'q, 'p> {
    /// The statements of lines that may match, taken to a side. What surely does not match is none.
    pub fn candidates(
        &self,
        speaks: Side,
        applies: impl Fn(usize, &Line<'_, 'p>) -> bool,
    ) -> Vec<Candidate<'q, 'p>> {
        let mut candidates = Vec::new();
        for (at, chosen) in self.chosen.iter().enumerate() {
            let Some(line) = self.lines.get(chosen.line) else { continue };
            if applies(chosen.line, line) {
                self.of_line((at, *chosen), line, speaks, &mut candidates);
            }
        }
        candidates
    }

    /// The actions that are denied whatever the request.
    pub fn denied(&self, speaks: Side, applies: impl Fn(usize, &Line<'_, 'p>) -> bool) -> Actions {
        let is_sure = |outlook: Option<&Outlook>| outlook.is_some_and(|outlook| !outlook.may_miss);
        let denies = |(at, chosen): (usize, &Chosen)| {
            let line = self.lines.get(chosen.line)?;
            let is_denied = line.rule.statement.effect == Effect::Deny
                && is_sure(self.resources.get(at))
                && (0..line.slots.len()).all(|m| is_sure(self.outlooks.get(chosen.first + m)))
                && self.whom.get(at).is_some_and(|whom| whom.iter().any(|whom| whom.callers.is_none()))
                && applies(chosen.line, line);
            is_denied.then(|| actions(line.rule, speaks))
        };
        self.chosen.iter().enumerate().filter_map(denies).fold(Actions::default(), Actions::or)
    }

    fn of_line(
        &self,
        (at, chosen): (usize, Chosen),
        line: &Line<'q, 'p>,
        speaks: Side,
        candidates: &mut Vec<Candidate<'q, 'p>>,
    ) {
        let rule = line.rule;
        let effect = rule.statement.effect;
        // An `Allow` that nothing can be made to match is none; a `Deny` that can be passed by something that is
        // so anyway is none.
        let is_out = |outlook: Outlook| match effect {
            Effect::Allow => !outlook.may,
            Effect::Deny => outlook.may_miss && !outlook.may,
        };
        let actions = actions(rule, speaks);
        let resource = self.resources.get(at).copied().unwrap_or(UNKNOWN);
        let of_clause = |m: usize| self.outlooks.get(chosen.first + m).copied().unwrap_or(UNKNOWN);
        if actions.is_empty() || is_out(resource) || (0..rule.clauses.len()).any(|m| is_out(of_clause(m))) {
            return;
        }
        let mut needs = Vec::new();
        if resource.may_miss {
            let element = &rule.statement.resources;
            needs.push(Need::Resource { readings: rule.resources(self.fixed), element });
        }
        for (m, (clause, slot)) in rule.clauses.iter().zip(&line.slots).enumerate() {
            if of_clause(m).may_miss {
                needs.push(Need::Clause { slot: *slot, clause });
            }
        }
        let whom = self.whom.get(at).map(Vec::as_slice).unwrap_or_default();
        for whom in whom {
            let needs = match &whom.callers {
                None => needs.clone(),
                Some((patterns, within)) => {
                    let is_caller = self.of_callers(patterns, *within);
                    if is_out(is_caller) {
                        continue;
                    }
                    let need = Need::Caller { patterns: patterns.clone(), within: *within };
                    is_caller.may_miss.then_some(need).into_iter().chain(needs.iter().cloned()).collect()
                }
            };
            let (layer, grant) = (rule.layer, whom.grant);
            candidates.push(Candidate { line: chosen.line, effect, layer, grant, actions, needs });
        }
    }

    fn of_callers(&self, patterns: &Rc<[Pattern]>, within: bool) -> Outlook {
        let language = &self.kind.callers.arn;
        let fits = Language { groups: pushed(&language.groups, patterns), misses: language.misses.clone() };
        let misses = Language { groups: language.groups.clone(), misses: pushed(&language.misses, patterns) };
        let (fits, misses) = (fits.is_plausible(), misses.is_plausible());
        if within { Outlook { may: fits, may_miss: misses } } else { Outlook { may: misses, may_miss: fits } }
    }
}

/// The actions that a statement counts for.
fn actions(rule: &Rule<'_>, speaks: Side) -> Actions {
    let generous = (speaks == Side::Permissive) == (rule.statement.effect == Effect::Allow);
    let reach = rule.reach;
    let actions = if generous { reach.surely.or(reach.perhaps) } else { reach.surely };
    if rule.layer == Layer::Resource { actions.and(Actions::with_table_policy()) } else { actions }
}

const UNKNOWN: Outlook = Outlook { may: true, may_miss: true };

fn pushed(all: &[Rc<[Pattern]>], one: &Rc<[Pattern]>) -> Vec<Rc<[Pattern]>> {
    all.iter().chain([one]).cloned().collect()
}

/// How a rule's resources stand to those that are asked about.
pub fn resource_outlook(rule: &Rule<'_>, resources: &Resources<'_>, side: Side, fixed: &Fixed) -> Outlook {
    if rule.is_of_every_resource() {
        return Outlook { may: true, may_miss: false };
    }
    let is_known = |key: &str| fixed.get(key).is_some();
    let element = &rule.statement.resources;
    let open = rule.has_variables
        && element.items.iter().any(|item| item.template.variables().any(|key| !is_known(key)));
    if let Some(arn) = resources.arn.only().filter(|_| !open) {
        let reading = matching::resource(element, arn, fixed);
        return Outlook { may: side.allows(reading, true), may_miss: side.allows(reading, false) };
    }
    let readings = rule.resources(fixed);
    let may_be = |wanted: bool| {
        let mut language = resources.arn.clone();
        narrow_resource(&mut language, &readings, wanted != element.negated, element.negated, side);
        language.is_plausible()
    };
    Outlook { may: may_be(true), may_miss: may_be(false) }
}

/// Leaves resources that are listed, or that are not; of several readings, the one that leaves more, or less.
pub fn narrow_resource(
    language: &mut Language,
    readings: &Readings,
    listed: bool,
    negated: bool,
    side: Side,
) {
    let generous = side == Side::Permissive;
    match (listed, generous) {
        // With a variable that cannot be filled in nobody says whether all others are meant.
        (true, true) if negated && readings.is_open => {}
        (true, true) => language.groups.push(readings.may.clone()),
        (true, false) => language.groups.push(readings.must.clone()),
        (false, true) => language.misses.push(readings.must.clone()),
        (false, false) => language.misses.push(readings.may.clone()),
    }
}
