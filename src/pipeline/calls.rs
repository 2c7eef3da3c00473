//! Calls, held against what stood when they were made: which statements let them through, and whether what CloudTrail
//! shows is what the policies say.
//!
//! A log has millions of calls, and few kinds of them: each kind is held once, with its earliest and its latest call.
//! Of too many, those with the smallest numbers are held, so that which ones they are hangs on no order.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Auditor, Judged, Source, sightings_of};
use crate::audit::case::{Case, Event, Proven, Subject};
use crate::audit::rules;
use crate::audit::verdict::{Judgement, Verdict, contradicted};
use crate::cloudtrail::outcome::{Outcome, Refusal, refusal};
use crate::cloudtrail::record::{Key, Record};
use crate::findings::finding::AllowedBy;
use crate::findings::sample::EventKey;
use crate::findings::store::Delta;
use crate::iam::state::State;
use crate::ids::Arn;
use crate::perimeter::Perimeter;
use crate::perimeter::origin::OriginKind;
use crate::perimeter::principal::PrincipalKind;
use crate::reach::replay::{self, Call, Named, Replay, Replayed, least_guard, permission_of};
use crate::reach::texts::Texts;

/// Kinds of calls that are held: some thirty megabytes of them.
const MAX_KINDS: usize = 10_000;

/// How long a change may take until it is in effect everywhere.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// Characters of a name that a finding shows.
const MAX_NAME: usize = 256;

/// Statements that a sentence names.
const MAX_NAMED: usize = 4;

/// Things not known that are told of: of one call, and of all.
const MAX_UNKNOWN: usize = 4;
const MAX_BECAUSE: usize = 8;

/// Why calls are not even asked about.
const UNTOLD: &str = "who called, which tables were asked for, when, or what became of it";

/// What came of holding calls against the policies, in records.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Replays {
    /// The policies say what CloudTrail shows.
    pub explained: u64,
    /// CloudTrail shows the opposite.
    pub contradicted: u64,
    /// It hangs on something that neither record nor snapshot tells.
    pub unknown: u64,
    /// Made before the snapshot was taken.
    pub before_snapshot: u64,
    /// There were too many kinds of calls to hold these, or too many changes.
    pub not_held: u64,
    /// What was not known, and of how many calls: the most frequent.
    pub unknown_because: Vec<Because>,
}

/// Something that was not known.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Because {
    /// A phrase that goes on "it is not known …".
    pub why: String,
    pub calls: u64,
}

/// Calls that are judged once all changes are known, each kind once.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    held: BTreeMap<EventKey, Kind>,
    /// Calls of kinds that are not held.
    beyond: u64,
    /// Calls of which the record does not tell enough to ask at all.
    untold: u64,
}

/// Calls that a decision cannot tell apart, but by their time.
#[derive(Clone, Debug)]
struct Kind {
    call: Call,
    case: Case,
    judgement: Judgement,
    refusal: Option<Refusal>,
    count: u64,
    first: Made,
    last: Made,
}

/// One call of a kind.
#[derive(Clone, Debug)]
struct Made {
    time: Timestamp,
    key: EventKey,
    event: Event,
    ip: Option<String>,
}

impl Calls {
    /// None of them is held any more: what stood is not known.
    pub fn give_up(self) -> Self {
        let held: u64 = self.held.values().map(|kind| kind.count).sum();
        Self { held: BTreeMap::new(), beyond: self.beyond + held, untold: self.untold }
    }

    /// None is asked about.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Adds what others held.
    pub fn join(&mut self, other: Calls) {
        self.beyond += other.beyond;
        self.untold += other.untold;
        for (key, kind) in other.held {
            match self.held.get_mut(&key) {
                Some(known) => known.join(kind),
                None => self.insert(key, kind),
            }
        }
    }

    fn insert(&mut self, key: EventKey, kind: Kind) {
        if !self.has_room(key) {
            self.beyond += kind.count;
            return;
        }
        self.held.insert(key, kind);
        if self.held.len() > MAX_KINDS {
            self.beyond += self.held.pop_last().map_or(0, |(_, kind)| kind.count);
        }
    }

    /// May a kind be among those with the smallest numbers?
    fn has_room(&self, key: EventKey) -> bool {
        self.held.len() < MAX_KINDS || self.held.last_key_value().is_some_and(|(last, _)| key < *last)
    }
}

impl Kind {
    fn join(&mut self, other: Kind) {
        self.count += other.count;
        self.see(other.first);
        self.see(other.last);
    }

    fn is_news(&self, time: Timestamp, key: EventKey) -> bool {
        (time, key) < self.first.place() || (time, key) > self.last.place()
    }

    fn see(&mut self, made: Made) {
        if made.place() < self.first.place() {
            self.first = made;
        } else if made.place() > self.last.place() {
            self.last = made;
        }
    }

    /// The earliest call and the latest, where there are two.
    fn made(&self) -> impl Iterator<Item = &Made> {
        let is_one = self.first.time == self.last.time;
        std::iter::once(&self.first).chain((!is_one).then_some(&self.last))
    }

    /// Is what let it through to be told: of a finding of access from outside?
    fn asks_why(&self) -> bool {
        let is_outside = match self.judgement.verdict {
            Verdict::Outside | Verdict::Undetermined | Verdict::Exempt => true,
            Verdict::Inside | Verdict::Service | Verdict::Denied | Verdict::Change | Verdict::Ignored => {
                false
            }
        };
        is_outside && self.case.outcome == Outcome::Authorised && self.judgement.rule.is_some()
    }

    /// What stands together in one state: those of one caller at one table, and so on.
    fn between(&self) -> (Option<&str>, &[String], Option<&str>) {
        let Call { principal, tables, origin, .. } = &self.call;
        (principal.arn.as_deref(), tables, origin.endpoint.as_deref())
    }

    /// Does CloudTrail show the opposite of what the policies say, for certain?
    fn is_against(&self, verdict: replay::Verdict) -> bool {
        match (self.case.outcome, verdict) {
            (Outcome::Authorised, replay::Verdict::Denied) => true,
            (Outcome::Denied, replay::Verdict::Allowed) => self.is_refused_by_known_policy(),
            (Outcome::Authorised | Outcome::Denied | Outcome::Undetermined, _) => false,
        }
    }

    /// Was it refused by a policy of a kind that is known? A session may have policies that no record tells, and a
    /// call may be refused for something else that it does.
    fn is_refused_by_known_policy(&self) -> bool {
        let Some(refusal) = &self.refusal else { return false };
        let wanted = permission_of(&self.call.name).map(|name| format!("dynamodb:{name}"));
        let is_wanted = |action: &String| wanted.as_ref().is_some_and(|one| action.eq_ignore_ascii_case(one));
        let is_of_call = refusal.action.as_ref().is_none_or(is_wanted);
        is_of_call
            && match refusal.policy {
                Some(policy) => policy != Refusal::SESSION,
                None => self.case.principal.kind == PrincipalKind::User,
            }
    }
}

impl Made {
    fn place(&self) -> (Timestamp, EventKey) {
        (self.time, self.key)
    }
}

impl Auditor<'_> {
    /// Holds a call for later, where it is one that can be held against the policies.
    pub(super) fn hold(&self, judged: &Judged<'_>, calls: &mut Calls) {
        let Source::Record(record) = judged.source else { return };
        let case = judged.case;
        if !is_call(case) {
            return;
        }
        let Some((call, time)) = asked(record, case).zip(case.time) else {
            calls.untold += 1;
            return;
        };
        let refusal = refusal(record);
        let (kind, key) = (number(case, judged.judgement, &call, refusal.as_ref()), judged.key());
        let made = || {
            let event = if self.keeps { judged.event() } else { judged.id() };
            Made { time, key, event, ip: case.origin.ip.clone() }
        };
        if let Some(known) = calls.held.get_mut(&kind) {
            known.count += 1;
            if known.is_news(time, key) {
                known.see(made());
            }
        } else if calls.has_room(kind) {
            let (first, last) = (made(), made());
            let (case, judgement) = (case.clone(), judged.judgement.clone());
            calls.insert(kind, Kind { call, case, judgement, refusal, count: 1, first, last });
        } else {
            calls.beyond += 1;
        }
    }
}

/// A call to DynamoDB, be it a change besides.
fn is_call(case: &Case) -> bool {
    match case.subject {
        Subject::Call => true,
        Subject::Change { through_dynamodb, .. } => through_dynamodb,
        Subject::Nothing(_) | Subject::Unreliable(_) | Subject::Forged(_) => false,
    }
}

/// What a call asked for, where its record tells that.
fn asked(record: &Record<'_>, case: &Case) -> Option<Call> {
    let is_table = |arn: &String| {
        Arn::parse(arn).is_some_and(|arn| arn.service == "dynamodb" && arn.resource.starts_with("table/"))
    };
    let is_told = case.principal.arn.is_some()
        && case.outcome != Outcome::Undetermined
        && !case.tables_untold
        && !case.resources.is_empty()
        && case.resources.iter().all(is_table);
    if !is_told {
        return None;
    }
    let mut origin = case.origin.clone();
    if origin.kind == OriginKind::ApprovedEndpoint {
        // Every function and container of a VPC has an address of its own.
        origin.ip = None;
    }
    Some(Call {
        name: case.name.clone()?,
        tables: case.resources.clone(),
        index: index(record, case)?,
        principal: case.principal.clone(),
        origin,
        region: case.region.clone(),
        via_service: case.via.is_some(),
        over_tls: record.get(Key::TlsDetails).json().is_some_and(|details| details.starts_with(b"{")),
    })
}

/// Calls that may name an index.
const OF_INDEXES: [&str; 5] =
    ["Query", "Scan", "SearchVectors", "DescribeContributorInsights", "UpdateContributorInsights"];

/// The index that a call names, if any; `None`: the record does not tell.
fn index(record: &Record<'_>, case: &Case) -> Option<Option<String>> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(rename = "indexName", alias = "IndexName")]
        index: Option<String>,
    }
    if !OF_INDEXES.contains(&case.event_name()) {
        return Some(None);
    }
    let asked: Asked = serde_json::from_slice(record.get(Key::RequestParameters).json()?).ok()?;
    Some(asked.index)
}

/// What tells one kind of calls from another: all that a decision, or the finding, hangs on.
fn number(case: &Case, judgement: &Judgement, call: &Call, refusal: Option<&Refusal>) -> EventKey {
    let rule = judgement.rule.map(|(rule, _)| rule.id);
    let told = format!(
        "{:?}",
        (
            (call, refusal, judgement.verdict, rule, case.outcome, &case.error),
            (&case.account, &case.via, case.break_glass, case.passage, case.read_only, case.management),
            case.session.as_ref().map(|part| &part.name),
        )
    );
    EventKey::of(told.as_bytes())
}

/// When something is to be decided: at the time of a call, or by what stood a while before.
#[derive(Clone, Copy, Debug)]
struct Point {
    /// What happened before then has happened.
    at: Timestamp,
    kind: usize,
    /// The latest call of the kind, and not the earliest.
    is_last: bool,
    is_early: bool,
}

/// What was decided about one call.
#[derive(Clone, Debug, Default)]
struct Decided {
    now: Option<Brief>,
    early: Option<Brief>,
}

/// As much of a decision as is held.
#[derive(Clone, Debug)]
struct Brief {
    verdict: replay::Verdict,
    allowed_by: BTreeSet<Named>,
    denied_by: Option<String>,
    unknown: Vec<String>,
}

/// The kinds of calls, decided one after another as changes are carried out.
pub(super) struct Timeline {
    kinds: Vec<Kind>,
    points: std::iter::Peekable<std::vec::IntoIter<Point>>,
    decided: Vec<[Decided; 2]>,
    replays: Replays,
    /// What was not known, and of how many calls.
    unknown: BTreeMap<String, u64>,
}

impl Timeline {
    /// `changes`: when something is changed, rising. `taken_at`: what stood before then is not known.
    pub(super) fn of(calls: Calls, changes: &[Timestamp], taken_at: Option<Timestamp>) -> Self {
        let mut unknown = BTreeMap::new();
        if calls.untold > 0 {
            unknown.insert(UNTOLD.to_owned(), calls.untold);
        }
        let replays = Replays { unknown: calls.untold, not_held: calls.beyond, ..Replays::default() };
        // Those that are laid out alike come together.
        let mut kinds: Vec<Kind> = calls.held.into_values().collect();
        kinds.sort_by(|one, other| one.between().cmp(&other.between()));
        let mut points = Vec::new();
        for (kind, of) in kinds.iter().enumerate() {
            for made in of.made().filter(|made| taken_at.is_none_or(|taken| made.time >= taken)) {
                let is_last = made.place() != of.first.place();
                let point = Point { at: made.time, kind, is_last, is_early: false };
                points.push(point);
                let early = made.time.saturating_sub(GRACE).unwrap_or(made.time);
                if has_any(changes, early, made.time) {
                    points.push(Point { at: early, is_early: true, ..point });
                }
            }
        }
        points.sort_by_key(|point| (point.at, point.kind, point.is_last, point.is_early));
        let decided = vec![<[Decided; 2]>::default(); kinds.len()];
        Self { kinds, points: points.into_iter().peekable(), decided, replays, unknown }
    }

    /// Decides what was made before a change, by what stands until then; `None`: all that is left.
    pub(super) fn up_to(
        &mut self,
        change: Option<Timestamp>,
        state: &State,
        perimeter: &Perimeter,
        texts: &Texts,
    ) {
        let mut replay = Replay::of(state, perimeter, texts);
        let is_before = |point: &Point| change.is_none_or(|change| point.at < change);
        let mut points: Vec<Point> = std::iter::from_fn(|| self.points.next_if(is_before)).collect();
        points.sort_by_key(|point| point.kind);
        for point in points {
            let Some(kind) = self.kinds.get(point.kind) else { continue };
            let made = if point.is_last { &kind.last } else { &kind.first };
            let brief = brief(kind, replay.call(&kind.call, made.time));
            let Some(decided) = self.decided.get_mut(point.kind) else { continue };
            let decided = &mut decided[usize::from(point.is_last)];
            *(if point.is_early { &mut decided.early } else { &mut decided.now }) = Some(brief);
        }
    }
}

/// Is anything changed after `from`, and not after `to`?
fn has_any(changes: &[Timestamp], from: Timestamp, to: Timestamp) -> bool {
    let at = changes.partition_point(|change| *change <= from);
    changes.get(at).is_some_and(|change| *change <= to)
}

fn brief(kind: &Kind, replayed: Replayed) -> Brief {
    let Replayed { verdict, mut allowed_by, denied_by, unknown } = replayed;
    let is_against = kind.is_against(verdict);
    if !is_against && !kind.asks_why() {
        allowed_by.clear();
    }
    let unknown = unknown.iter().take(MAX_UNKNOWN).map(|why| clipped(why)).collect();
    Brief { verdict, allowed_by, denied_by: denied_by.filter(|_| is_against), unknown }
}

impl Decided {
    /// Does CloudTrail show the opposite, by what stood then and a while before?
    fn is_against(&self, kind: &Kind) -> bool {
        let is_against = |brief: &Brief| kind.is_against(brief.verdict);
        self.now.as_ref().is_some_and(is_against) && self.early.as_ref().is_none_or(is_against)
    }

    /// Do the policies say, for certain, what CloudTrail shows?
    fn is_explained(&self, kind: &Kind) -> bool {
        self.now.as_ref().is_none_or(|brief| {
            matches!(
                (kind.case.outcome, brief.verdict),
                (Outcome::Authorised, replay::Verdict::Allowed) | (Outcome::Denied, replay::Verdict::Denied)
            )
        })
    }

    /// Why it cannot be told whether the policies explain it: phrases that go on "it is not known …".
    fn unknown(&self, kind: &Kind) -> Vec<&str> {
        match &self.now {
            Some(brief) if !brief.unknown.is_empty() => brief.unknown.iter().map(String::as_str).collect(),
            Some(brief) if kind.is_against(brief.verdict) => vec!["whether a change was in effect already"],
            Some(_) if !self.is_explained(kind) => {
                vec!["whether something else refused it, as a session's own policy"]
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The statements that let it through: by what stood then; where that denies, by what stood a while before.
    fn allowed_by(&self) -> &BTreeSet<Named> {
        static NONE: BTreeSet<Named> = BTreeSet::new();
        let some = |brief: &&Brief| !brief.allowed_by.is_empty();
        let brief = self.now.iter().find(some).or(self.early.iter().find(some));
        brief.map_or(&NONE, |brief| &brief.allowed_by)
    }
}

impl Auditor<'_> {
    /// What the decisions add to which findings.
    pub(super) fn replayed(&self, timeline: Timeline) -> (Vec<Delta>, Replays) {
        let Timeline { kinds, decided, mut replays, mut unknown, .. } = timeline;
        let mut deltas = Vec::new();
        for (kind, decided) in kinds.into_iter().zip(decided) {
            let sum = if decided.iter().all(|one| one.now.is_none()) {
                &mut replays.before_snapshot
            } else if decided.iter().any(|one| one.is_against(&kind)) {
                &mut replays.contradicted
            } else if decided.iter().all(|one| one.is_explained(&kind)) {
                &mut replays.explained
            } else {
                let why: BTreeSet<&str> = decided.iter().flat_map(|one| one.unknown(&kind)).collect();
                why.into_iter().for_each(|why| *unknown.entry(why.to_owned()).or_default() += kind.count);
                &mut replays.unknown
            };
            *sum += kind.count;
            if kind.case.own_call && self.ignores_own {
                continue;
            }
            for (made, decided) in [&kind.first, &kind.last].into_iter().zip(&decided) {
                deltas.extend(self.told_why(&kind, made, decided));
                deltas.extend(self.against(&kind, made, decided));
            }
        }
        replays.unknown_because = most(unknown);
        (deltas, replays)
    }

    /// What let a call through, added to its finding.
    fn told_why(&self, kind: &Kind, made: &Made, decided: &Decided) -> Option<Delta> {
        decided.now.as_ref().filter(|_| kind.asks_why())?;
        let mut delta = delta(case_of(kind, made), &kind.judgement, made)?;
        delta.sightings.allow(decided.allowed_by().iter().map(shown));
        if kind.judgement.verdict == Verdict::Outside {
            delta.sightings.guard = least_guard(&kind.call, self.known.perimeter);
        }
        Some(delta)
    }

    /// The finding that CloudTrail shows the opposite of what the policies say.
    fn against(&self, kind: &Kind, made: &Made, decided: &Decided) -> Option<Delta> {
        let brief = decided.now.as_ref().filter(|_| decided.is_against(kind))?;
        let mut case = case_of(kind, made);
        case.proven = Some(Proven { rule: &rules::MODEL_MISMATCH, why: why(kind, brief) });
        let judgement = contradicted(&case, kind.judgement.verdict, self.known.perimeter);
        delta(case, &judgement, made)
    }
}

/// The most frequent.
fn most(unknown: BTreeMap<String, u64>) -> Vec<Because> {
    let mut all: Vec<Because> = unknown.into_iter().map(|(why, calls)| Because { why, calls }).collect();
    all.sort_by(|one, other| (other.calls, &one.why).cmp(&(one.calls, &other.why)));
    all.truncate(MAX_BECAUSE);
    all
}

fn case_of(kind: &Kind, made: &Made) -> Case {
    let mut case = kind.case.clone();
    case.time = Some(made.time);
    case.origin.ip.clone_from(&made.ip);
    case
}

fn delta(case: Case, judgement: &Judgement, made: &Made) -> Option<Delta> {
    let sightings = sightings_of(&case, judgement, made.key, made.event.clone())?;
    Some(Delta { sightings, waiting: Vec::new(), halves: Vec::new() })
}

fn shown(named: &Named) -> AllowedBy {
    AllowedBy { policy: clipped(&named.policy), statement: clipped(&named.statement) }
}

/// Both sides, as the end of a sentence.
fn why(kind: &Kind, brief: &Brief) -> String {
    if kind.case.outcome == Outcome::Authorised {
        let denied_by = brief.denied_by.as_deref().map(clipped).unwrap_or_default();
        return format!(
            "CloudTrail shows that it was let through; by the policies that are known, {denied_by}"
        );
    }
    let message = match &kind.refusal {
        Some(Refusal { policy: Some(policy), is_explicit: true, .. }) => {
            format!(" (its message: a statement of a {policy} denies it)")
        }
        Some(Refusal { policy: Some(policy), is_explicit: false, .. }) => {
            format!(" (its message: no {policy} allows it)")
        }
        Some(Refusal { policy: None, .. }) | None => String::new(),
    };
    let by = listed(&brief.allowed_by);
    format!(
        "CloudTrail shows that it was refused{message}; by the policies that are known, it is allowed{by}"
    )
}

/// Some of the statements that allow a call.
fn listed(allowed_by: &BTreeSet<Named>) -> String {
    let named: Vec<String> = allowed_by
        .iter()
        .take(MAX_NAMED)
        .map(shown)
        .map(|AllowedBy { policy, statement }| format!("{policy}, {statement}"))
        .collect();
    let more = allowed_by.len().saturating_sub(MAX_NAMED);
    match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": by {}", named.join("; ")),
        (false, more) => format!(": by {}; and {more} statements more", named.join("; ")),
    }
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(MAX_NAME) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
