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
use super::space::{Callers, Resources};
use super::strings::{Language, Pattern};
use crate::iam::document::{Effect, Element, Principal, Statement};
use crate::iam::evaluate::Layer;
use crate::iam::matching::{self, Grant};
use crate::iam::reading::Side;
use crate::iam::request::CallerKind;
use crate::ids::Arn;

/// Where in a state the caller's ARN stands, and the resource's; the keys stand behind them.
pub const CALLER: usize = 0;
pub const RESOURCE: usize = 1;
pub const KEYS: usize = 2;

/// A rule among those of a question, and where in a state the keys of its clauses stand.
#[derive(Debug)]
pub struct Line<'q, 'p> {
    pub rule: &'q Rule<'p>,
    pub slots: Vec<usize>,
    /// The place of its first clause among those of all lines.
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
        negated: bool,
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

/// Whom a statement speaks of among the callers, and how.
#[derive(Clone, Debug)]
pub struct Whom {
    /// `None`: all of them.
    pub callers: Option<(Rc<[Pattern]>, bool)>,
    pub grant: Grant,
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
    pub kind: Kind<'s, 'p>,
    pub fixed: &'s Fixed,
    /// What caller, resource and each key may be.
    pub start: &'s [Rc<Domain>],
    /// How each clause stands to that.
    pub outlooks: &'s [Outlook],
    /// Whom each line speaks of.
    pub whom: &'s [Vec<Whom>],
    /// How each line's resources stand to the resource.
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
        for (n, line) in self.lines.iter().enumerate().filter(|(n, line)| applies(*n, line)) {
            self.of_line(n, line, speaks, &mut candidates);
        }
        candidates
    }

    /// The actions that are denied whatever the request.
    pub fn denied(&self, speaks: Side, applies: impl Fn(usize, &Line<'_, 'p>) -> bool) -> Actions {
        let is_sure = |outlook: Option<&Outlook>| outlook.is_some_and(|outlook| !outlook.may_miss);
        let denies = |n: usize, line: &Line<'q, 'p>| {
            line.rule.statement.effect == Effect::Deny
                && is_sure(self.resources.get(n))
                && (0..line.slots.len()).all(|m| is_sure(self.outlooks.get(line.first + m)))
                && self.whom.get(n).is_some_and(|whom| whom.iter().any(|whom| whom.callers.is_none()))
                && applies(n, line)
        };
        let denying = self.lines.iter().enumerate().filter(|(n, line)| denies(*n, line));
        denying.fold(Actions::default(), |all, (_, line)| all.or(actions(line.rule, speaks)))
    }

    fn of_line(&self, n: usize, line: &Line<'q, 'p>, speaks: Side, candidates: &mut Vec<Candidate<'q, 'p>>) {
        let rule = line.rule;
        let effect = rule.statement.effect;
        // An `Allow` that nothing can be made to match is none; a `Deny` that can be passed by something that is
        // so anyway is none.
        let is_out = |outlook: Outlook| match effect {
            Effect::Allow => !outlook.may,
            Effect::Deny => outlook.may_miss && !outlook.may,
        };
        let actions = actions(rule, speaks);
        let resource = self.resources.get(n).copied().unwrap_or(UNKNOWN);
        let of_clause = |m: usize| self.outlooks.get(line.first + m).copied().unwrap_or(UNKNOWN);
        if actions.is_empty() || is_out(resource) || (0..rule.clauses.len()).any(|m| is_out(of_clause(m))) {
            return;
        }
        let mut needs = Vec::new();
        if resource.may_miss {
            let negated = rule.statement.resources.negated;
            needs.push(Need::Resource { readings: rule.resources(self.fixed), negated });
        }
        for (m, (clause, slot)) in rule.clauses.iter().zip(&line.slots).enumerate() {
            if of_clause(m).may_miss {
                needs.push(Need::Clause { slot: *slot, clause });
            }
        }
        let whom = self.whom.get(n).map(Vec::as_slice).unwrap_or_default();
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
            candidates.push(Candidate { line: n, effect, layer, grant, actions, needs });
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

/// Whom a statement speaks of among the callers, and how. Nobody: it does not match. `has_boundary`: the callers
/// have a permissions boundary.
pub fn whom(statement: &Statement, callers: &Callers, side: Side, has_boundary: bool) -> Vec<Whom> {
    let effect = statement.effect;
    let Some(element) = &statement.principals else {
        return vec![Whom { callers: None, grant: Grant::Own }];
    };
    if element.negated {
        return all_but(element, effect, callers, side, has_boundary);
    }
    let spoken = spoken_of(element, effect, callers, side);
    if effect == Effect::Allow {
        return spoken;
    }
    if spoken.iter().any(|whom| whom.callers.is_none()) {
        return vec![Whom { callers: None, grant: Grant::Everybody }];
    }
    // To deny, one of them is enough: all of them must be missed.
    let grant = spoken.first().map(|whom| whom.grant);
    let listed: Rc<[Pattern]> = spoken
        .into_iter()
        .filter_map(|whom| whom.callers)
        .flat_map(|(patterns, _)| patterns.to_vec())
        .collect();
    grant.map(|grant| Whom { callers: Some((listed, true)), grant }).into_iter().collect()
}

fn spoken_of(element: &Element<Principal>, effect: Effect, callers: &Callers, side: Side) -> Vec<Whom> {
    // What is open allows, and denies nothing; or the other way round.
    let is_generous = (side == Side::Permissive) == (effect == Effect::Allow);
    let grant = match callers.kind {
        CallerKind::Role | CallerKind::ServiceLinkedRole => Grant::Role,
        CallerKind::User | CallerKind::FederatedUser | CallerKind::Root | CallerKind::Service => {
            Grant::Direct
        }
    };
    let all = |grant| Some(Whom { callers: None, grant });
    let some = |patterns: Vec<Pattern>, grant| Some(Whom { callers: Some((patterns.into(), true)), grant });
    let is_service = callers.kind == CallerKind::Service;
    let of_item = |item: &Principal| match item {
        Principal::Everybody => all(Grant::Everybody),
        Principal::Account(account) if !is_service && *account == callers.account => all(Grant::Account),
        Principal::AccountAtEndpoint(account)
            if !is_service
                && *account == callers.account
                && (is_generous || callers.kind == CallerKind::Root) =>
        {
            all(Grant::Account)
        }
        Principal::Arn(arn) if callers.session_arn.as_ref() == Some(arn) => all(Grant::Direct),
        // Whoever calls by a role chooses the session's name; a Deny of one session is passed.
        Principal::Arn(arn) if arn.contains(":assumed-role/") => session_of(arn, &callers.account)
            .filter(|_| effect == Effect::Allow && callers.session_arn.is_none())
            .and_then(|roles| some(roles, Grant::Direct)),
        Principal::Arn(arn) => some(vec![Pattern::literal(arn)], grant),
        Principal::Service(name) if is_service => some(vec![Pattern::literal(name)], Grant::Direct),
        Principal::Account(_)
        | Principal::AccountAtEndpoint(_)
        | Principal::Service(_)
        | Principal::Gone(_)
        | Principal::Federated(_)
        | Principal::Canonical(_) => None,
    };
    element.items.iter().filter_map(of_item).collect()
}

/// Everybody but those listed, as `matching` reads it; who has a boundary is never left out.
fn all_but(
    element: &Element<Principal>,
    effect: Effect,
    callers: &Callers,
    side: Side,
    has_boundary: bool,
) -> Vec<Whom> {
    let everybody = |callers| vec![Whom { callers, grant: Grant::Everybody }];
    let permissive = side == Side::Permissive;
    if effect == Effect::Allow {
        // What it means nobody says.
        return if permissive { everybody(None) } else { Vec::new() };
    }
    if has_boundary {
        return everybody(None);
    }
    let has_account = element.items.contains(&Principal::Account(callers.account.clone()));
    let has_session =
        callers.session_arn.clone().is_some_and(|arn| element.items.contains(&Principal::Arn(arn)));
    let is_alone = !element.items.iter().any(|item| matching::is_of_account(item, &callers.account));
    // What is open is no denial.
    let spares_all = match callers.kind {
        CallerKind::Root => has_account,
        _ if permissive => has_session || (has_account && is_alone),
        _ => has_session && has_account,
    };
    if spares_all || element.items.contains(&Principal::Everybody) {
        return Vec::new();
    }
    let is_sure = permissive || has_account || callers.kind == CallerKind::Service;
    let listed: Rc<[Pattern]> = if is_sure { listed(element, callers, permissive) } else { Rc::default() };
    everybody((!listed.is_empty()).then_some((listed, false)))
}

/// The callers that are listed, or may be: a role's session, where it is not known which it is.
fn listed(element: &Element<Principal>, callers: &Callers, permissive: bool) -> Rc<[Pattern]> {
    let may_be_session = permissive && callers.session_arn.is_none();
    let patterns = |item: &Principal| match item {
        Principal::Arn(arn) if arn.contains(":assumed-role/") => {
            session_of(arn, &callers.account).filter(|_| may_be_session).unwrap_or_default()
        }
        Principal::Arn(arn) | Principal::Service(arn) => vec![Pattern::literal(arn)],
        _ => Vec::new(),
    };
    element.items.iter().flat_map(patterns).collect()
}

/// The roles that a session's ARN may be of: it has lost the path.
fn session_of(arn: &str, account: &str) -> Option<Vec<Pattern>> {
    let parsed = Arn::parse(arn).filter(|arn| arn.account == account)?;
    let name = parsed.resource.strip_prefix("assumed-role/")?.split('/').next()?;
    let start = format!("arn:{}:iam::{account}:role/", parsed.partition);
    let with_path =
        Pattern::literal(&start).then(Pattern::glob("*")).then(Pattern::literal(&format!("/{name}")));
    Some(vec![Pattern::literal(&format!("{start}{name}")), with_path])
}
