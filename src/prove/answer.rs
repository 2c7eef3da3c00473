//! The question and its answer: does anything reach this table from outside, but for break-glass?
//!
//! Three searches, one after another: a request from outside that is no break-glass; one that is; any at
//! all. The first that finds something decides. What a search finds counts only once the evaluator, which
//! shares nothing with it but the reading of policies, allows it too.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::actions::Actions;
use super::axioms::Kind;
use super::blame::{Blamed, blamed};
use super::break_glass::break_glass;
use super::bundle::{Asked, Bundle, Table};
use super::plan::{Plan, Planner, Reaches};
use super::simulate::{decide, standing};
use super::solve::{Excluded, Found, Search, alias};
use super::space::{Callers, Net, Other, Resources, Space};
use super::strings::Budget;
use crate::iam::catalogue;
use crate::iam::document::{Document, Statement};
use crate::iam::evaluate::{Guards, Outcome, Policy, Standing, applying};
use crate::iam::operand::Operand;
use crate::iam::reading::{Reading, Side};
use crate::iam::request::{Caller, Values};
use crate::perimeter::Perimeter;

/// What is proven.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nothing from outside is allowed, but for break-glass.
    Enforced,
    /// Nothing but break-glass, which is.
    BreakGlassOnly,
    /// Something from outside is allowed, and is no break-glass.
    Open,
    /// Nothing is allowed, from inside either.
    NoAccess,
    /// It cannot be told.
    Unknown,
}

impl Verdict {
    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Enforced => "enforced",
            Verdict::BreakGlassOnly => "break_glass_only",
            Verdict::Open => "open",
            Verdict::NoAccess => "no_access",
            Verdict::Unknown => "unknown",
        }
    }
}

/// The answer for one principal and one table of a bundle.
#[derive(Clone, Debug)]
pub struct Answer {
    pub principal: String,
    pub table: String,
    pub verdict: Verdict,
    /// The request that is allowed, where one decides.
    pub witness: Option<Asked>,
    /// The statements that let it through.
    pub blamed: Vec<Blamed>,
    /// Why it cannot be told.
    pub reason: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Steps of one question; beyond, the answer is unknown.
const STEPS: u64 = 5_000_000;

/// Answers for every principal and table of a bundle.
pub fn prove(bundle: &Bundle, perimeter: &Perimeter, now: Timestamp) -> Vec<Answer> {
    let space = Space::new(bundle, perimeter, perimeter.prove.now.unwrap_or(now));
    let keys = keys(bundle);
    let reaches = Reaches::of(documents(bundle).flat_map(|document| &document.statements));
    let principals = 0..bundle.principals.len();
    let pairs = principals.flat_map(|principal| bundle.tables.iter().map(move |table| (principal, table)));
    pairs
        .map(|(principal, table)| {
            let began = Instant::now();
            let answer =
                Question { space: &space, principal, table, keys: &keys, reaches: &reaches }.answer();
            Answer { took: began.elapsed(), ..answer }
        })
        .collect()
}

/// Every key that policies ask for, and those that tell where a request comes from.
fn keys(bundle: &Bundle) -> Vec<String> {
    const NETWORK: [&str; 5] =
        ["aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:viaawsservice", "aws:vpcsourceip"];
    let mut keys: BTreeSet<String> = NETWORK.iter().map(|key| (*key).to_owned()).collect();
    for document in documents(bundle) {
        for statement in &document.statements {
            keys.extend(statement.conditions.iter().map(|condition| alias(&condition.key).to_owned()));
            keys.extend(variables(statement).map(|key| alias(key).to_owned()));
        }
    }
    keys.remove("aws:principalarn");
    keys.into_iter().collect()
}

/// The keys that a statement's variables stand for.
fn variables(statement: &Statement) -> impl Iterator<Item = &str> {
    let resources = statement.resources.items.iter().flat_map(|item| item.template.variables());
    let operands = statement.conditions.iter().flat_map(|condition| &condition.values);
    resources.chain(operands.flat_map(Operand::variables))
}

fn documents(bundle: &Bundle) -> impl Iterator<Item = &Document> {
    let levels = bundle.service_control.iter().chain(&bundle.resource_control).flatten();
    let principals = bundle.principals.iter().flat_map(|principal| {
        let lists = [&principal.identity, &principal.session].into_iter().flatten().flatten();
        lists.chain(&principal.boundary)
    });
    let tables = bundle.tables.iter().filter_map(|table| table.policy.as_ref());
    let endpoints = bundle.endpoints.iter().filter_map(|endpoint| endpoint.policy.as_ref());
    levels.chain(principals).chain(tables).chain(endpoints).map(|policy: &Policy| &policy.document)
}

/// What is asked of the requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Which {
    Outside,
    OutsideByBreakGlass,
    Any,
}

/// What a search over all kinds of requests came to.
enum Came {
    Witness(Asked),
    Nothing,
    Unknown(String),
}

struct Question<'q, 'b> {
    space: &'q Space<'b>,
    principal: usize,
    table: &'b Table,
    keys: &'q [String],
    reaches: &'q Reaches,
}

/// Who does what to what.
#[derive(Clone, Copy)]
struct What<'w, 'b> {
    callers: &'w Callers,
    resources: &'w Resources<'b>,
    class: Actions,
}

/// What tells one search from another.
#[derive(Eq, Hash, PartialEq)]
struct Signature<'b> {
    statements: Vec<u8>,
    policy: Option<&'b str>,
    same_account: bool,
    is_of_member: bool,
    across: bool,
    place: Option<(String, Option<String>, Option<&'static str>)>,
    arn: Option<String>,
}

/// Why a proof gives up.
const TOO_HARD: &str = "it takes more steps than a proof may";

/// Does a key hold something of the resource?
fn is_of_resource(key: &str) -> bool {
    key.starts_with("aws:resource") || key == "aws:requestedregion"
}

impl<'b> Question<'_, 'b> {
    fn answer(&self) -> Answer {
        let principal = self.space.bundle.principals.get(self.principal).map(|entry| entry.arn.clone());
        let mut answer = Answer {
            principal: principal.unwrap_or_default(),
            table: self.table.arn.clone(),
            verdict: Verdict::Unknown,
            witness: None,
            blamed: Vec::new(),
            reason: None,
            took: Duration::ZERO,
        };
        let mut budget = Budget(STEPS);
        let which = [
            (Which::Outside, Verdict::Open),
            (Which::OutsideByBreakGlass, Verdict::BreakGlassOnly),
            (Which::Any, Verdict::Enforced),
        ];
        for (which, verdict) in which {
            match self.search(which, &mut budget) {
                Came::Witness(asked) => {
                    if which != Which::Any {
                        answer.blamed = self.blamed(&asked);
                        answer.witness = Some(asked);
                    }
                    answer.verdict = verdict;
                    return answer;
                }
                Came::Nothing => {}
                Came::Unknown(reason) => {
                    answer.reason = Some(reason);
                    return answer;
                }
            }
        }
        answer.verdict = Verdict::NoAccess;
        answer
    }

    fn blamed(&self, asked: &Asked) -> Vec<Blamed> {
        let decided = decide(self.space.bundle, self.space.perimeter, asked);
        decided.map(|(request, decision)| blamed(&decision, &request.context)).unwrap_or_default()
    }

    fn search(&self, which: Which, budget: &mut Budget) -> Came {
        let excluded = if which == Which::Outside {
            break_glass(self.space.perimeter, self.space.now)
        } else {
            Vec::new()
        };
        let mut doubt = None;
        let Some(principal) = self.space.bundle.principals.get(self.principal) else { return Came::Nothing };
        let nets = self.nets();
        for callers in self.space.callers(self.principal, principal) {
            // What comes to the same as something that was searched is not searched again.
            let mut searched = HashSet::new();
            for resources in self.space.resources(self.table, &callers.account) {
                for class in Actions::done_to(resources.kind).classes(self.reaches.all()) {
                    let what = What { callers: &callers, resources: &resources, class };
                    let plan = self.plan(&what, None, Side::Permissive);
                    if !searched.insert(self.signature(&what, &plan, &excluded)) {
                        continue;
                    }
                    for net in &nets {
                        let kind = Kind {
                            space: self.space,
                            callers: &callers,
                            resources: &resources,
                            net,
                            outside: which != Which::Any,
                        };
                        if !kind.is_possible() {
                            continue;
                        }
                        match self.of_kind(kind, (class, &plan), &excluded, budget) {
                            Came::Witness(asked) => return Came::Witness(asked),
                            Came::Nothing => {}
                            Came::Unknown(reason) => doubt = Some(reason),
                        }
                        if budget.0 == 0 {
                            return Came::Unknown(TOO_HARD.to_owned());
                        }
                    }
                }
            }
        }
        doubt.map_or(Came::Nothing, Came::Unknown)
    }

    fn plan(&self, what: &What<'_, 'b>, endpoint: Option<&'b Policy>, side: Side) -> Plan<'b> {
        let (guards, standing) = self.guards(what, endpoint);
        let fixed = Kind {
            space: self.space,
            callers: what.callers,
            resources: what.resources,
            net: &Net::ServiceNowhere,
            outside: false,
        }
        .fixed_anywhere();
        let planner = Planner {
            callers: what.callers,
            resources: what.resources,
            actions: what.class,
            guards,
            standing,
            side,
            reaches: self.reaches,
            fixed: &fixed,
        };
        planner.plan()
    }

    /// What tells one search from another of the same callers.
    fn signature(&self, what: &What<'_, 'b>, plan: &Plan<'b>, excluded: &[Excluded]) -> Signature<'b> {
        let resources = what.resources;
        let tells_names = plan.tells_resources || excluded.iter().any(|excluded| excluded.tables.is_some());
        let tells_place = self.keys.iter().any(|key| is_of_resource(key))
            || self.space.perimeter.prove.endpoint_region_is_requested_region;
        let standing = self.guards(what, None).1;
        let policy = resources.policy.map(|policy| policy.name.as_str());
        Signature {
            statements: plan.signature.clone(),
            policy,
            same_account: standing.same_account,
            is_of_member: standing.resource_is_of_member,
            across: what.class.reach_across() == Reading::No,
            place: tells_place.then(|| (resources.account.clone(), resources.region.clone(), resources.kind)),
            arn: tells_names.then(|| format!("{:?}", resources.arn)),
        }
    }

    fn nets(&self) -> Vec<Net> {
        let known = (0..self.space.endpoints.len()).map(Net::Known);
        let others =
            [Net::Public, Net::Endpoint, Net::ServiceNowhere, Net::ServicePublic, Net::ServiceEndpoint];
        let exact = self.space.perimeter.prove.vpc_identity_exact;
        let vpcs = 0..if exact { self.space.vpcs.len() } else { 0 };
        let namesakes =
            vpcs.flat_map(|vpc| [Other::Region, Other::Owner].map(|other| Net::Namesake { vpc, other }));
        others.into_iter().chain(known).chain(namesakes).collect()
    }

    fn of_kind(
        &self,
        kind: Kind<'_, 'b>,
        (class, usual): (Actions, &Plan<'b>),
        excluded: &[Excluded],
        budget: &mut Budget,
    ) -> Came {
        let what = What { callers: kind.callers, resources: kind.resources, class };
        let Some(action) = class.first() else { return Came::Nothing };
        let endpoint = match kind.net {
            Net::Known(n) => self.space.endpoints.get(*n).and_then(|known| known.policy),
            _ => None,
        };
        let fixed = kind.fixed();
        let mut doubt = None;
        for side in [Side::Permissive, Side::Strict] {
            let own;
            let plan = if endpoint.is_none() && side == Side::Permissive {
                usual
            } else {
                own = self.plan(&what, endpoint, side);
                &own
            };
            let search = Search { kind, plan, side, excluded, keys: self.keys, fixed: &fixed };
            match search.run(budget) {
                Err(_) => return Came::Unknown(TOO_HARD.to_owned()),
                Ok(None) => break,
                Ok(Some(found)) if !is_one_vpc(&found) => {
                    doubt = Some("the id of a VPC and its ARN hang together".to_owned());
                }
                Ok(Some(found)) => match self.confirmed(self.asked(found, &kind, &action)) {
                    Ok(asked) => return Came::Witness(asked),
                    Err(reason) => doubt = Some(reason),
                },
            }
        }
        doubt.map_or(Came::Nothing, Came::Unknown)
    }

    /// The request, if the evaluator allows it whatever the documentation leaves open.
    fn confirmed(&self, asked: Asked) -> Result<Asked, String> {
        let (_, decision) =
            decide(self.space.bundle, self.space.perimeter, &asked).map_err(|error| error.to_string())?;
        if decision.outcome == Outcome::Allow && decision.otherwise.is_none() {
            return Ok(asked);
        }
        let question = decision.open_questions().next().map(|(_, why)| why.to_owned());
        Err(question.unwrap_or_else(|| "a condition whose values a proof cannot choose".to_owned()))
    }

    fn guards(&self, what: &What<'_, 'b>, endpoint: Option<&'b Policy>) -> (Guards<'b>, Standing) {
        let bundle = self.space.bundle;
        let principal = bundle.principals.get(self.principal);
        let caller = Caller {
            kind: what.callers.kind,
            arn: String::new(),
            session_arn: None,
            account: what.callers.account.clone(),
        };
        let standing = standing(&caller, &what.resources.account, self.space.perimeter);
        let guards = Guards {
            identity: principal.and_then(|entry| entry.identity.as_deref()),
            boundary: principal.and_then(|entry| entry.boundary.as_ref()),
            session: principal.and_then(|entry| entry.session.as_deref()),
            service_control: &bundle.service_control,
            resource_control: &bundle.resource_control,
            resource: what.resources.policy,
            endpoint,
        };
        let action = what.class.first().unwrap_or_default();
        (applying(what.callers.kind, &action, &guards, standing), standing)
    }

    /// A found request, as `simulate` takes it.
    fn asked(&self, found: Found, kind: &Kind<'_, '_>, action: &str) -> Asked {
        let mut context: Vec<(String, Values)> = Vec::new();
        for (key, values) in found.keys {
            for (name, key) in self.spellings(&key) {
                let values = if is_time(&key) { time_as(&key, &values) } else { values.clone() };
                context.push((name, values));
            }
        }
        let principal = kind.callers.session_arn.clone().unwrap_or(found.caller);
        Asked { action: action.to_owned(), resource: found.resource, principal, context }
    }

    /// The names under which policies ask for a key: of a time, both.
    fn spellings(&self, key: &str) -> Vec<(String, String)> {
        let mut names: Vec<(String, String)> = documents(self.space.bundle)
            .flat_map(|document| &document.statements)
            .flat_map(|statement| &statement.conditions)
            .filter(|condition| alias(&condition.key) == key)
            .map(|condition| (spelled(&condition.key_name), condition.key.clone()))
            .collect();
        names.sort_by(|one, other| one.1.cmp(&other.1));
        names.dedup_by(|one, other| one.1 == other.1);
        if names.is_empty() {
            names.push((spelled(key), key.to_owned()));
        }
        names
    }
}

/// A key as AWS spells it; of one with a variable part, as the policy does.
fn spelled(name: &str) -> String {
    match catalogue::find_key(name) {
        Some(found) if found.variable.is_none() => found.key.name.to_owned(),
        _ => name.to_owned(),
    }
}

/// Is the VPC of its id and of its ARN one?
fn is_one_vpc(found: &Found) -> bool {
    let value = |key: &str| match found.keys.iter().find(|(name, _)| name == key) {
        Some((_, Values::One(value))) => Some(value.as_str()),
        _ => None,
    };
    match (value("aws:sourcevpc"), value("aws:sourcevpcarn")) {
        (Some(id), Some(arn)) => arn.rsplit('/').next() == Some(id),
        _ => true,
    }
}

fn is_time(key: &str) -> bool {
    alias(key) == "aws:currenttime"
}

/// Nanoseconds as the key has them: a date, or seconds.
fn time_as(key: &str, values: &Values) -> Values {
    let Values::One(text) = values else { return values.clone() };
    let Ok(nanoseconds) = text.parse::<i128>() else { return values.clone() };
    let seconds =
        nanoseconds.div_euclid(1_000_000_000) + i128::from(nanoseconds.rem_euclid(1_000_000_000) != 0);
    if key == "aws:epochtime" {
        return Values::One(seconds.to_string());
    }
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    Values::One(time.map_or_else(|| text.clone(), |time| time.to_string()))
}
