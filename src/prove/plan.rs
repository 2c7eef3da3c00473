//! What it takes for a request to be allowed: which statements of which layers must match, which must not,
//! and what of the request that hangs on.
//!
//! All that does not hang on where the request comes from is settled here, once for many searches.

use std::collections::HashMap;

use super::actions::{Actions, Reach};
use super::domain::Fixed;
use super::space::{Callers, Resources};
use super::strings::{Language, Pattern};
use crate::iam::document::{Condition, Effect, Element, Principal, ResourcePattern, Statement};
use crate::iam::evaluate::{Guards, Layer, Standing};
use crate::iam::matching::{self, Grant};
use crate::iam::reading::{Reading, Side};
use crate::iam::request::CallerKind;
use crate::ids::Arn;

/// What must hold for a statement to match, or one of which must not.
#[derive(Clone, Debug)]
pub(super) enum Need<'p> {
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
pub(super) struct Candidate<'p> {
    pub(super) needs: Vec<Need<'p>>,
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
    pub(super) denies: Vec<Candidate<'p>>,
    /// For each way to be allowed, layer by layer, statements of which one must match.
    pub(super) ways: Vec<Vec<Vec<Candidate<'p>>>>,
    /// How each statement stands to the request: plans of which that is the same come to the same.
    pub signature: Vec<u8>,
    /// Some statement tells resources of the same kind apart.
    pub tells_resources: bool,
}

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

    /// Everybody but those listed, as `matching` reads it; who has a boundary is never left out.
    fn all_but(&self, element: &Element<Principal>, wanted: bool) -> Vec<(Option<Need<'p>>, Grant)> {
        let callers = self.callers;
        let everybody = |need| vec![(need, Grant::Everybody)];
        if wanted {
            return everybody(Some(Need::Open));
        }
        if self.guards.boundary.is_some() {
            return everybody(None);
        }
        let permissive = self.side == Side::Permissive;
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
        let listed = if is_sure { self.listed(element) } else { Vec::new() };
        everybody((!listed.is_empty()).then_some(Need::NotCaller(listed)))
    }

    /// The callers that are listed, or may be: a role's session, where it is not known which it is.
    fn listed(&self, element: &Element<Principal>) -> Vec<Pattern> {
        let may_be_session = self.side == Side::Permissive && self.callers.session_arn.is_none();
        let patterns = |item: &Principal| match item {
            Principal::Arn(arn) if arn.contains(":assumed-role/") => {
                session_of(arn, &self.callers.account).filter(|_| may_be_session).unwrap_or_default()
            }
            Principal::Arn(arn) | Principal::Service(arn) => vec![Pattern::literal(arn)],
            _ => Vec::new(),
        };
        element.items.iter().flat_map(patterns).collect()
    }
}

/// The one text of a language, where it has only one to begin with.
fn only(language: &Language) -> Option<String> {
    language.groups.iter().find_map(|group| match &**group {
        [only] => only.as_literal().map(str::to_owned),
        _ => None,
    })
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
