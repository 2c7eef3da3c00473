//! Is there a request of one kind that all policies allow? A search over what could let it through.
//!
//! For each layer that must allow, one of its statements does; for each statement that denies, one of its
//! elements does not match. Each such choice narrows domains of keys. A branch in which nothing is left
//! of some key is given up; one that gets through everything is a request. As domains never lose a
//! request, a search that finds none is a proof.

use std::collections::HashMap;

use super::actions::{Actions, Reach};
use super::axioms::Kind;
use super::domain::{Domain, Fixed, Present, Shape, one_of, template_pattern};
use super::space::{Callers, Resources};
use super::strings::{Budget, Class, Language, OutOfBudget, Pattern};
use crate::iam::condition;
use crate::iam::document::{Condition, Effect, Element, Principal, ResourcePattern, Statement};
use crate::iam::evaluate::{Guards, Layer, Standing};
use crate::iam::matching::{self, Grant};
use crate::iam::operand::Operand;
use crate::iam::reading::{Reading, Side};
use crate::iam::request::{CallerKind, Values};
use crate::iam::template::{Part, Template};
use crate::ids::Arn;

/// What is left of each key, and of caller and resource.
#[derive(Clone, Debug)]
pub struct State {
    keys: Vec<(String, Domain)>,
    pub caller: Language,
    pub resource: Language,
    /// Keys that are to be what a text with variables comes to.
    ties: Vec<(String, Template)>,
}

/// What must hold for a statement to match, or one of which must not.
#[derive(Clone, Debug)]
enum Need<'p> {
    Condition(&'p Condition),
    /// The caller is one of these.
    Caller(Vec<Pattern>),
    /// The caller is none of these.
    NotCaller(Vec<Pattern>),
    Resource(&'p Element<ResourcePattern>),
    /// What no request decides: the documentation leaves it open.
    Open,
}

/// A statement in its layer, and what it takes for it to match.
struct Ready<'p> {
    layer: Layer,
    effect: Effect,
    candidates: Vec<(Candidate<'p>, Grant)>,
}

/// The statements of a layer that may allow, by one of these grants.
fn allows<'p>(ready: &[Ready<'p>], layer: Layer, grants: &[Grant]) -> Vec<Candidate<'p>> {
    let of_layer = ready.iter().filter(|ready| ready.layer == layer && ready.effect == Effect::Allow);
    let candidates = of_layer.flat_map(|ready| &ready.candidates);
    candidates.filter(|(_, grant)| grants.contains(grant)).map(|(candidate, _)| candidate.clone()).collect()
}

/// A statement that may match, and what for.
#[derive(Clone, Debug)]
struct Candidate<'p> {
    needs: Vec<Need<'p>>,
}

/// A request of a kind, as far as it is decided: every key that policies ask for, and present ones alone.
#[derive(Clone, Debug)]
pub struct Found {
    pub caller: String,
    pub resource: String,
    pub keys: Vec<(String, Values)>,
}

/// What is asked about: who does what, to what, under which policies.
pub struct Planner<'s, 'p> {
    pub callers: &'s Callers,
    pub resources: &'s Resources<'p>,
    /// One of these.
    pub actions: Actions,
    pub guards: Guards<'p>,
    pub standing: Standing,
    pub side: Side,
    pub reaches: &'s Reaches,
    /// Keys whose value is known wherever the request comes from.
    pub fixed: &'s Fixed,
}

/// The actions that each statement of a bundle speaks of.
#[derive(Debug, Default)]
pub struct Reaches(HashMap<usize, Reach>);

/// What must match and what must not, for a request to be allowed.
#[derive(Debug)]
pub struct Plan<'p> {
    denies: Vec<Candidate<'p>>,
    /// For each way to be allowed, layer by layer, statements of which one must match.
    ways: Vec<Vec<Vec<Candidate<'p>>>>,
    /// How each statement stands to the request: plans of which that is the same come to the same.
    pub signature: Vec<u8>,
    /// Some statement tells resources of the same kind apart.
    pub tells_resources: bool,
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

impl Reaches {
    /// Of these statements.
    pub fn of<'p>(statements: impl Iterator<Item = &'p Statement>) -> Self {
        let address = |statement: &Statement| std::ptr::from_ref(statement).addr();
        Self(statements.map(|statement| (address(statement), Reach::of(&statement.actions))).collect())
    }

    fn get(&self, statement: &Statement) -> Reach {
        self.0
            .get(&std::ptr::from_ref(statement).addr())
            .copied()
            .unwrap_or_else(|| Reach::of(&statement.actions))
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = Reach> + '_ {
        self.0.values().copied()
    }
}

impl<'p> Planner<'_, 'p> {
    /// What it takes for a request to be allowed.
    pub fn plan(&self) -> Plan<'p> {
        let mut plan =
            Plan { denies: Vec::new(), ways: Vec::new(), signature: Vec::new(), tells_resources: false };
        let ready: Vec<Ready<'p>> = self
            .statements()
            .map(|(layer, statement)| {
                let candidates = self.candidates(statement, &mut plan);
                Ready { layer, effect: statement.effect, candidates }
            })
            .collect();
        let denies = ready.iter().filter(|ready| ready.effect == Effect::Deny);
        plan.denies = denies
            .flat_map(|ready| ready.candidates.iter().map(|(candidate, _)| candidate.clone()))
            .collect();
        // Those with the fewest ways out first.
        plan.denies.sort_by_key(|candidate| candidate.needs.len());
        plan.ways = self.ways(&ready);
        plan
    }

    /// The policies of each layer that applies.
    fn statements(&self) -> impl Iterator<Item = (Layer, &'p Statement)> + '_ {
        let guards = &self.guards;
        let control = guards.service_control.iter().enumerate();
        let control = control.map(|(level, policies)| (Layer::ServiceControl { level }, policies.as_slice()));
        let resource = guards.resource_control.iter().enumerate();
        let resource =
            resource.map(|(level, policies)| (Layer::ResourceControl { level }, policies.as_slice()));
        let rest = [
            (Layer::Endpoint, guards.endpoint.map(std::slice::from_ref).unwrap_or_default()),
            (Layer::Resource, guards.resource.map(std::slice::from_ref).unwrap_or_default()),
            (Layer::Identity, guards.identity.unwrap_or_default()),
            (Layer::Boundary, guards.boundary.map(std::slice::from_ref).unwrap_or_default()),
            (Layer::Session, guards.session.unwrap_or_default()),
        ];
        let all = control.chain(resource).chain(rest);
        all.flat_map(|(layer, policies)| {
            policies.iter().flat_map(move |policy| {
                policy.document.statements.iter().map(move |statement| (layer, statement))
            })
        })
    }

    /// The ways in which a request can be allowed: for each, the layers in which some statement must match.
    fn ways(&self, ready: &[Ready<'p>]) -> Vec<Vec<Vec<Candidate<'p>>>> {
        const ALL: [Grant; 5] = [Grant::Direct, Grant::Everybody, Grant::Role, Grant::Account, Grant::Own];
        let guards = &self.guards;
        let mut always: Vec<Vec<Candidate<'p>>> = Vec::new();
        for level in 0..guards.service_control.len() {
            always.push(allows(ready, Layer::ServiceControl { level }, &ALL));
        }
        if guards.endpoint.is_some() {
            always.push(allows(ready, Layer::Endpoint, &ALL));
        }
        let mut limits = Vec::new();
        if guards.boundary.is_some() {
            limits.push(allows(ready, Layer::Boundary, &ALL));
        }
        if guards.session.is_some() {
            limits.push(allows(ready, Layer::Session, &ALL));
        }
        let identity = guards.identity.map(|_| allows(ready, Layer::Identity, &ALL));
        let granted = |grants: &[Grant]| vec![allows(ready, Layer::Resource, grants)];
        let own = || -> Vec<_> { identity.iter().cloned().chain(limits.iter().cloned()).collect() };
        let ways = if self.callers.kind == CallerKind::Service {
            vec![granted(&[Grant::Direct, Grant::Everybody])]
        } else if self.standing.same_account {
            let direct: &[Grant] = match self.side {
                Side::Permissive => &[Grant::Direct, Grant::Everybody],
                Side::Strict => &[Grant::Direct],
            };
            let to_role =
                granted(&[Grant::Role, Grant::Everybody]).into_iter().chain(limits.clone()).collect();
            vec![own(), granted(direct), to_role]
        } else if self.side.allows(self.actions.reach_across(), true) {
            vec![granted(&ALL).into_iter().chain(own()).collect()]
        } else {
            Vec::new()
        };
        let ways = ways.into_iter().map(|way| always.iter().cloned().chain(way).collect::<Vec<_>>());
        // A layer without any statement that may match lets nothing through.
        ways.filter(|way| way.iter().all(|layer| !layer.is_empty())).collect()
    }

    /// What it takes for a statement to match, where it may; of an `Allow`, by which grant.
    fn candidates(&self, statement: &'p Statement, plan: &mut Plan<'p>) -> Vec<(Candidate<'p>, Grant)> {
        let wanted = statement.effect == Effect::Allow;
        let mut needs = Vec::new();
        let action = self.reaches.get(statement).reads(self.actions);
        let resource = match action {
            Reading::No => Some(Reading::No),
            Reading::Yes | Reading::Unclear(_) => self.resource_const(&statement.resources),
        };
        plan.tells_resources |= resource.is_none();
        let told = [Some(action), resource].map(|reading| match reading {
            Some(Reading::No) => 0u8,
            Some(Reading::Yes) => 1,
            Some(Reading::Unclear(_)) => 2,
            None => 3,
        });
        plan.signature.push(told[0] << 2 | told[1]);
        if told.contains(&0) {
            return Vec::new();
        }
        if told.contains(&2) {
            needs.push(Need::Open);
        }
        if resource.is_none() {
            needs.push(Need::Resource(&statement.resources));
        }
        needs.extend(statement.conditions.iter().map(Need::Condition));
        let whom = match &statement.principals {
            None => vec![(None, Grant::Own)],
            Some(principals) => self.whom(principals, wanted),
        };
        let candidate = |(need, grant): (Option<Need<'p>>, Grant)| {
            let needs = need.into_iter().chain(needs.iter().cloned()).collect();
            (Candidate { needs }, grant)
        };
        whom.into_iter().map(candidate).collect()
    }

    /// Where the resource is one text, whether an element matches it.
    fn resource_const(&self, element: &Element<ResourcePattern>) -> Option<Reading> {
        let arn = only(&self.resources.arn)?;
        let has_variables = element
            .items
            .iter()
            .any(|item| item.template.variables().any(|key| self.fixed.get(key).is_none()));
        (!has_variables).then(|| matching::resource(element, &arn, self.fixed))
    }

    /// Whom a statement speaks of among the callers, and how. Nobody: it does not match.
    fn whom(&self, element: &Element<Principal>, wanted: bool) -> Vec<(Option<Need<'p>>, Grant)> {
        let callers = self.callers;
        if element.negated {
            return self.all_but(element, wanted);
        }
        let grant = match callers.kind {
            CallerKind::Role | CallerKind::ServiceLinkedRole => Grant::Role,
            CallerKind::User | CallerKind::FederatedUser | CallerKind::Root | CallerKind::Service => {
                Grant::Direct
            }
        };
        let mut spoken = Vec::new();
        for item in &element.items {
            match item {
                Principal::Everybody => spoken.push((None, Grant::Everybody)),
                Principal::Account(account)
                    if callers.kind != CallerKind::Service && *account == callers.account =>
                {
                    spoken.push((None, Grant::Account));
                }
                Principal::Arn(arn) if callers.session_arn.as_ref() == Some(arn) => {
                    spoken.push((None, Grant::Direct))
                }
                Principal::Arn(arn) if arn.contains(":assumed-role/") => {
                    // Whoever calls by a role chooses the session's name; a Deny of one session is passed.
                    if let Some(roles) =
                        session_of(arn, &callers.account).filter(|_| wanted && callers.session_arn.is_none())
                    {
                        spoken.push((Some(Need::Caller(roles)), Grant::Direct));
                    }
                }
                Principal::Arn(arn) => spoken.push((Some(Need::Caller(vec![Pattern::literal(arn)])), grant)),
                Principal::Service(name) if callers.kind == CallerKind::Service => {
                    spoken.push((Some(Need::Caller(vec![Pattern::literal(name)])), Grant::Direct));
                }
                Principal::Account(_)
                | Principal::Service(_)
                | Principal::Gone(_)
                | Principal::Federated(_)
                | Principal::Canonical(_) => {}
            }
        }
        if wanted || spoken.iter().any(|(need, _)| need.is_none()) {
            let sure = spoken.iter().any(|(need, _)| need.is_none());
            return if wanted || !sure { spoken } else { vec![(None, Grant::Everybody)] };
        }
        // To deny, one of them is enough: all of them must be missed.
        let listed: Vec<Pattern> = spoken
            .into_iter()
            .filter_map(|(need, _)| match need {
                Some(Need::Caller(patterns)) => Some(patterns),
                _ => None,
            })
            .flatten()
            .collect();
        if listed.is_empty() { Vec::new() } else { vec![(Some(Need::Caller(listed)), grant)] }
    }

    fn all_but(&self, element: &Element<Principal>, wanted: bool) -> Vec<(Option<Need<'p>>, Grant)> {
        let callers = self.callers;
        if wanted {
            return vec![(Some(Need::Open), Grant::Everybody)];
        }
        if element.items.contains(&Principal::Everybody) {
            return Vec::new();
        }
        let arns = element.items.iter().filter_map(|item| match item {
            Principal::Arn(arn) | Principal::Service(arn) => Some(Pattern::literal(arn)),
            _ => None,
        });
        let arns: Vec<Pattern> = arns.collect();
        let has_account = element.items.contains(&Principal::Account(callers.account.clone()));
        if arns.is_empty() {
            return vec![(None, Grant::Everybody)];
        }
        // Without its account it is open whether a principal that is listed is left out.
        let need =
            if has_account || self.side == Side::Permissive { Some(Need::NotCaller(arns)) } else { None };
        vec![(need, Grant::Everybody)]
    }
}

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

/// The one text of a language, where it has only one to begin with.
fn only(language: &Language) -> Option<String> {
    language.groups.iter().find_map(|group| match &**group {
        [only] => only.as_literal().map(str::to_owned),
        _ => None,
    })
}

/// `aws:EpochTime` and `aws:CurrentTime` are one time.
pub fn alias(key: &str) -> &str {
    if key == "aws:epochtime" { "aws:currenttime" } else { key }
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
