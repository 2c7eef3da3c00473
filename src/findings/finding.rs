//! A finding: what stays the same of many records, and what they add up to.
//!
//! People's decisions are kept apart from what was seen, in status and history: `lifecycle` has them.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::rule::{Rule, Severity, Subject};
use crate::audit::rules;
use crate::perimeter::origin::{Origin, OriginKind};
use crate::perimeter::principal::Principal;
use crate::perimeter::session::{Place, Session};

use super::lifecycle::{Lapse, NOBODY};

pub use super::identity::{Identity, IdentityRef};
pub use super::sightings::{ADDRESSES, ALLOWED_BY, EVIDENCE, Evidence, Named, Sightings};

/// The reason of a finding of whose events none is left to tell it.
const UNTOLD: &str = "the records that would tell why were corrected, or are not kept any more.";

/// Where a finding stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// New.
    Open,
    /// Somebody is at it.
    Acknowledged,
    /// Nobody wants to hear of it for a while: somebody decided so, or perimeter.toml does.
    Suppressed,
    /// Mended, or turned out to be something else.
    Resolved,
    /// Seen again after it was resolved.
    Reopened,
}

impl Status {
    /// All, in the order of a finding's life.
    pub const ALL: [Status; 5] =
        [Status::Open, Status::Acknowledged, Status::Suppressed, Status::Resolved, Status::Reopened];

    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Acknowledged => "acknowledged",
            Status::Suppressed => "suppressed",
            Status::Resolved => "resolved",
            Status::Reopened => "reopened",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A step in a finding's life.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Step {
    pub at: Timestamp,
    pub from: Status,
    pub to: Status,
    /// Who decided; `perimeter` where nobody did.
    pub by: String,
    pub note: String,
}

/// A finding as it is shown: interface.md, "Finding".
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Finding {
    pub id: String,
    pub rule: String,
    pub severity: Severity,
    pub status: Status,
    pub title: Cow<'static, str>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub resources: Vec<String>,
    pub principal: Principal,
    pub origin: Origin,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    /// Distinct events.
    pub count: u64,
    /// Whether `count` was counted, and not estimated.
    pub count_is_exact: bool,
    /// Ids of some of the events.
    pub evidence: Vec<String>,
    pub reason: String,
    pub allowed_by: Vec<AllowedBy>,
    /// The story of a break-glass session, where the finding is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Box<Session>>,
    pub remedy: Cow<'static, str>,
    pub controls: Vec<Cow<'static, str>>,
    pub history: Vec<Step>,
}

/// The statement that let a call pass; told by proof.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct AllowedBy {
    pub policy: String,
    pub statement: String,
}

impl AllowedBy {
    /// Bytes that it takes in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.policy.len() + self.statement.len()
    }
}

/// A finding as it is kept: what was seen, and what people decided.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What was seen.
    pub sightings: Sightings,
    /// Where it stands.
    pub status: Status,
    /// What led there; empty where nobody has decided anything.
    pub history: Vec<Step>,
    /// How a suppression ends that somebody decided. INVARIANT: only where the status is suppressed.
    pub lapse: Option<Lapse>,
    /// The decisions that were carried out, by their ids: the latest.
    pub decisions: Vec<String>,
}

impl Kept {
    /// A finding that nobody has looked at yet, as it stands at `now`.
    pub fn new(sightings: Sightings, now: Timestamp) -> Self {
        let (status, history, lapse, decisions) = (Status::Open, Vec::new(), None, Vec::new());
        let mut kept = Self { sightings, status, history, lapse, decisions };
        kept.coarsen();
        kept.settle(now);
        kept
    }

    /// Adds what was seen further, and lets it stand as it does at `now`, which is the time of any step that
    /// follows from what was seen.
    pub fn join(&mut self, further: Sightings, now: Timestamp) {
        let keys_before = self.sightings.seen.clone();
        let span_before = self.sightings.span;
        self.sightings.join(further);
        self.coarsen();
        let is_news = keys_before != self.sightings.seen || span_before != self.sightings.span;
        match self.status {
            Status::Resolved if is_news && self.count() > 0 => {
                self.step(Status::Reopened, now, NOBODY, "seen again");
            }
            // What was put up with was that change, and not whatever is changed there next.
            Status::Suppressed if is_news && self.is_of_a_change() => {
                self.lapse = None;
                self.step(Status::Reopened, now, NOBODY, "changed again");
            }
            Status::Open
            | Status::Acknowledged
            | Status::Suppressed
            | Status::Resolved
            | Status::Reopened => {}
        }
        // After all is joined: where nobody has decided anything, the status follows from that.
        self.settle(now);
    }

    /// Is it about a change of what stands, whoever made it?
    fn is_of_a_change(&self) -> bool {
        let identity = &self.sightings.identity;
        let of_change = |rule: &Rule| matches!(rule.subject, Subject::Change | Subject::ProvenChange);
        identity.principal.is_none()
            && identity.origin == OriginKind::Unknown
            && rules::find(&identity.rule).is_some_and(of_change)
    }

    /// The finding as it is shown.
    pub fn finding(&self) -> Finding {
        self.clone().into_finding()
    }

    /// The finding as it is shown.
    pub fn into_finding(mut self) -> Finding {
        let count = self.count();
        self.history.extend(self.uncovered());
        let Kept { mut sightings, status, history, .. } = self;
        let (evidence, reason) = sightings.shown();
        let shown_as = sightings.rule().to_owned();
        let Sightings { identity, severity, region, principal, origin, seen, span, mut addresses, .. } =
            sightings;
        let (allowed_by, guard, session) = (sightings.allowed_by, sightings.guard, sightings.session);
        let told = session.as_deref().map(|session| super::session::story(session, &principal, span));
        let rule = rules::find(&shown_as);
        let origin = session.as_deref().and_then(place).unwrap_or(origin);
        let resources = match &session {
            Some(session) => session.tables.clone(),
            None => identity.resources.clone(),
        };
        let ip = if addresses.len() == 1 { addresses.pop() } else { None };
        Finding {
            id: identity.id(),
            severity,
            status,
            title: rule.map_or_else(|| identity.rule.clone(), |rule| rule.title.into()),
            rule: shown_as,
            account: identity.account,
            region,
            resources,
            principal,
            origin: Origin { ip, ..origin },
            first_seen: span.map(|(first, _)| first),
            last_seen: span.map(|(_, last)| last),
            count,
            count_is_exact: seen.is_exact(),
            evidence,
            reason: told.or(reason).unwrap_or_else(|| UNTOLD.to_owned()),
            allowed_by,
            session,
            remedy: remedy(guard, rule),
            controls: rule
                .map_or(&[][..], |rule| rule.controls)
                .iter()
                .map(|control| (*control).into())
                .collect(),
            history,
        }
    }

    /// Beyond exact counts times are kept by the minute, so that a flood does not make a write of
    /// every record.
    fn coarsen(&mut self) {
        if !self.sightings.seen.is_exact() {
            self.sightings.span = self.sightings.span.map(|(from, to)| (minute(from), minute(to)));
        }
    }

    /// How many distinct events, without those that turned out to be something else. Where none is
    /// left it is no finding, and nobody is shown it.
    pub fn count(&self) -> u64 {
        self.sightings.seen.count_without(&self.sightings.gone)
    }
}

/// What would have stopped it stands before what mends it in general.
fn remedy(guard: Option<String>, rule: Option<&Rule>) -> Cow<'static, str> {
    let remedy = rule.map_or("", |rule| rule.remedy);
    match guard {
        Some(guard) => format!("{guard}\n\n{remedy}").into(),
        None => remedy.into(),
    }
}

/// Where a session was used from: of several places one that is not approved; its story has all of them.
fn place(session: &Session) -> Option<Origin> {
    let is_approved = |place: &&Place| place.kind.starts_with("approved");
    let place = session.origins.iter().find(|place| !is_approved(place)).or(session.origins.first())?;
    let kind = OriginKind::ALL.into_iter().find(|kind| kind.name() == place.kind)?;
    let (endpoint, vpc) = (place.endpoint.clone(), place.vpc.clone());
    Some(Origin { kind, endpoint, vpc, vpc_account: place.vpc_account.clone(), ip: None })
}

fn minute(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(time)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::findings::sample::{EventKey, Sample};
    use crate::perimeter::exception::Coverage;

    /// One record of one finding, by its number.
    pub(crate) fn sightings(event: u64) -> Sightings {
        let mut seen = Sample::default();
        seen.insert(EventKey(event));
        let identity = Identity {
            rule: "public-access".into(),
            account: None,
            principal: None,
            resources: Vec::new(),
            origin: OriginKind::Public,
            endpoint: None,
        };
        Sightings {
            identity,
            severity: Severity::Critical,
            region: None,
            principal: Principal::unknown(),
            origin: Origin::unknown(),
            seen,
            gone: Sample::default(),
            span: None,
            evidence: Vec::new(),
            named: Vec::new(),
            addresses: Vec::new(),
            allowed_by: Vec::new(),
            guard: None,
            session: None,
            coverage: Coverage::Uncovered,
        }
    }

    #[test]
    fn statements_that_let_calls_through_are_joined_in_any_order() {
        let with = |numbers: &[usize], guard: Option<&str>| {
            let mut sightings = sightings(1);
            let named =
                |n: &usize| AllowedBy { policy: format!("p{}", n / 2), statement: format!("#{}", n % 2) };
            sightings.allow(numbers.iter().map(named));
            sightings.guard = guard.map(str::to_owned);
            sightings
        };
        let parts =
            [with(&[9, 3, 5], None), with(&[0, 3, 17, 2, 12, 11], Some("b")), with(&[4, 1], Some("a"))];
        let joined = |order: [usize; 4]| {
            let mut all = sightings(1);
            order.iter().for_each(|n| all.join(parts[*n].clone()));
            (all.allowed_by, all.guard)
        };
        let (allowed_by, guard) = joined([0, 1, 2, 0]);
        assert_eq!(
            (joined([2, 1, 0, 1]), joined([1, 2, 2, 0])),
            (joined([0, 1, 2, 0]), joined([0, 1, 2, 0]))
        );
        assert!(allowed_by.len() == ALLOWED_BY && allowed_by.is_sorted());
        assert_eq!((allowed_by[0].policy.as_str(), guard.as_deref()), ("p0", Some("a")));
        let finding = Kept::new(with(&[3], Some("Guard.")), Timestamp::UNIX_EPOCH).into_finding();
        assert!(finding.remedy.starts_with("Guard.\n\n"), "{}", finding.remedy);
    }
}
