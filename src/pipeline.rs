//! The way of a record: read, judged, counted, and gathered into findings. The only place that
//! knows all of it.
//!
//! [`keep`] has the rest of the way, into the store.

mod calls;
mod changes;
#[cfg(feature = "aws")]
pub mod keep;
mod tally;
mod waiting;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::audit::case::{Case, Event, Known, Subject, is_approved};
use crate::audit::reason::reason;
use crate::audit::rule::{Rule, Severity, Subject as RuleSubject};
use crate::audit::rules;
use crate::audit::shortcut::Shortcut;
use crate::audit::verdict::{Judgement, Verdict, judge, of_session};
use crate::cloudtrail::cursor::Cursor;
use crate::cloudtrail::elements::{Element, Fault};
use crate::cloudtrail::envelope::{self, Content, Forged, LogFile};
use crate::cloudtrail::marks::Marks;
use crate::cloudtrail::outcome::Outcome;
use crate::cloudtrail::record::{Key, KeyOrder, Read, Record};
use crate::findings::finding::{Evidence, IdentityRef, Sightings};
use crate::findings::sample::{EventKey, Sample};
use crate::findings::store::{CALLER_HALF, Correction, Delta, Half, StoreError, Waiting};
use crate::iam::change::Shows;
use crate::ids::{Arn, is_account, service_of};
use crate::perimeter::exception::Coverage;
use crate::perimeter::inventory::{self, Inventory};
use crate::perimeter::origin::{Origin, OriginKind};
use crate::perimeter::principal::Principal;
use crate::perimeter::session::{Caller, Part};
use crate::perimeter::{Endpoint, Perimeter};

pub use calls::{Calls, Replays};
pub use changes::{Found, Pending};
pub use tally::{Created, Tally};
use waiting::{half, waiting};

/// A judged record, as `scan --records` prints it: interface.md.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub event_id: Option<String>,
    pub event_time: Option<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub event_source: Option<String>,
    pub event_name: Option<String>,
    pub verdict: Verdict,
    pub rule: Option<&'static str>,
    pub severity: Option<Severity>,
    pub origin: Origin,
    pub principal: Principal,
    pub outcome: Outcome,
    pub resources: Vec<String>,
    pub reason: String,
}

/// Judges records with what is known when it is made.
pub struct Auditor<'k> {
    known: Known<'k>,
    shortcut: Shortcut<'k>,
    keeps: bool,
    ignores_own: bool,
    proves: bool,
    journals: bool,
    halves: Option<Halves<'k>>,
}

/// What came of an element of a stream.
#[derive(Debug)]
pub enum Audited<'a> {
    /// A judged record.
    Record(Judged<'a>),
    /// A record that was judged without gathering its facts.
    Plain(Verdict),
    /// The name of a log file to read.
    LogFile(LogFile),
    /// Something that cannot be read.
    Fault(Fault),
}

/// A judged record.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Its facts.
    pub case: &'a Case,
    /// What was made of them.
    pub judgement: &'a Judgement,
    source: Source<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Record(&'a Record<'a>),
    Forged(&'a Forged),
}

impl Judged<'_> {
    /// What the record is shown by.
    pub fn event(&self) -> Event {
        match self.source {
            Source::Record(record) => Event::of(record),
            Source::Forged(forged) => Event::forged(forged),
        }
    }

    /// No more than what names it.
    fn id(&self) -> Event {
        let id = match self.source {
            Source::Record(record) => record.get(Key::EventId).text().map(|id| id.into_owned()),
            Source::Forged(forged) => forged.id.clone(),
        };
        Event { id, ..Event::default() }
    }

    /// The record's number.
    fn key(&self) -> EventKey {
        match self.source {
            Source::Record(record) => key_of(record),
            Source::Forged(forged) => EventKey::of(forged.id.as_deref().unwrap_or_default().as_bytes()),
        }
    }

    /// The record as it is printed.
    pub fn line(&self) -> Line {
        let (case, event) = (self.case, self.event());
        Line {
            event_id: event.id,
            event_time: event.time,
            account: case.account.clone(),
            region: event.region,
            event_source: event.source,
            event_name: event.name,
            verdict: self.judgement.verdict,
            rule: self.judgement.rule.map(|(rule, _)| rule.id),
            severity: self.judgement.rule.map(|(_, severity)| severity),
            origin: case.origin.clone(),
            principal: case.principal.clone(),
            outcome: case.outcome,
            resources: case.resources.clone(),
            reason: reason(case, self.judgement),
        }
    }
}

/// Who made the call that another account's copy tells of, by `sharedEventID`.
pub type Halves<'h> = &'h (dyn Fn(&str) -> Option<Caller> + Sync);

impl<'k> Auditor<'k> {
    /// Judges by `perimeter` and `inventory`.
    pub fn new(perimeter: &'k Perimeter, inventory: &'k Inventory) -> Self {
        let known = Known { perimeter, inventory };
        Self {
            known,
            shortcut: Shortcut::new(known),
            keeps: false,
            ignores_own: false,
            proves: false,
            journals: false,
            halves: None,
        }
    }

    /// There is a store: evidence is gathered for it, and records are handed to it that are to be
    /// judged again once more is known.
    pub fn for_store(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Findings about the product's own calls to its own table are not gathered: where records make
    /// findings as they happen, each would make the next.
    pub fn ignoring_own_calls(mut self) -> Self {
        self.ignores_own = true;
        self
    }

    /// What stands is known: changes are gathered, to be judged by what they do, and not by their text alone; and calls,
    /// to be held against it.
    pub fn for_proofs(mut self) -> Self {
        self.proves = true;
        self
    }

    /// The same as they happen: changes go into a journal, with their records, and only of calls that make findings is it
    /// asked what let them through.
    pub fn for_journal(self) -> Self {
        Self { journals: true, ..self.for_proofs() }
    }

    /// Asks `halves` for the role behind another account's copy.
    pub fn with_halves(mut self, halves: Halves<'k>) -> Self {
        self.halves = Some(halves);
        self
    }

    /// Audits one element of a stream. With `in_full` every record's facts are gathered.
    #[inline]
    pub fn element(
        &self,
        element: &Element<'_>,
        in_full: bool,
        tally: &mut Tally,
        take: &mut dyn FnMut(Audited<'_>),
    ) {
        envelope::open(element, &mut |content| self.content(&content, in_full, tally, take));
    }

    /// Audits what an envelope held.
    pub fn content(
        &self,
        content: &Content<'_>,
        in_full: bool,
        tally: &mut Tally,
        take: &mut dyn FnMut(Audited<'_>),
    ) {
        match content {
            Content::Record(record) => match self.shortcut.verdict(record) {
                Some(verdict) if !(in_full || self.needs_facts(verdict)) => {
                    tally.verdicts[verdict as usize] += 1;
                    take(Audited::Plain(verdict));
                }
                Some(_) | None => self.record(record, tally, take),
            },
            Content::Forged(forged) => self.forged(forged, tally, take),
            Content::LogFile(file) => take(Audited::LogFile(file.clone())),
            Content::Fault(fault) => take(Audited::Fault(*fault)),
        }
    }

    /// What a change does is not told by its text, and whether a call had to be let through, by no record. Where changes
    /// go into a journal, as they happen, calls are asked about only where they make findings.
    fn needs_facts(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ignored => false,
            Verdict::Change => self.proves,
            Verdict::Inside
            | Verdict::Outside
            | Verdict::Exempt
            | Verdict::Service
            | Verdict::Denied
            | Verdict::Undetermined => self.proves && !self.journals,
        }
    }

    fn record(&self, record: &Record<'_>, tally: &mut Tally, take: &mut dyn FnMut(Audited<'_>)) {
        let (case, unwaited) = self.case(record);
        if self.keeps
            && let Some(delta) = unwaited.and_then(|case| self.unwaited(&case, record))
        {
            tally.add(delta);
        }
        let judgement = judge(&case, self.known.perimeter);
        let judged = Judged { case: &case, judgement: &judgement, source: Source::Record(record) };
        if self.keeps
            && let Some(endpoint) = created(record, &case)
        {
            tally.note_created(endpoint);
        }
        tally.note_unlisted(&case);
        if self.proves && (!self.journals || judgement.rule.is_some()) {
            self.hold(&judged, &mut tally.calls);
        }
        let is_provable = is_provable(&case) || self.journals && leaves_out_of_whom(&case);
        if self.proves && is_provable && tally.has_room() {
            let text = self.journals.then(|| String::from_utf8_lossy(record.json).into());
            tally.note_pending(Pending::new(judged.key(), case.clone(), judged.event(), text));
        } else {
            self.sight(&judged, record, tally);
        }
        if !(case.own_call && self.ignores_own) {
            self.told_of_session(&judged).into_iter().for_each(|delta| tally.add(delta));
        }
        if !record.get(Key::Addendum).is_absent() {
            corrections(record, &case).into_iter().for_each(|correction| tally.note_correction(correction));
        }
        tally.verdicts[judgement.verdict as usize] += 1;
        take(Audited::Record(judged));
    }

    /// The record's facts. Where another account's copy says who called, the second value is what the
    /// record would be without it.
    fn case(&self, record: &Record<'_>) -> (Case, Option<Case>) {
        let case = Case::of(record, self.known);
        if !case.needs_other_half() {
            return (case, None);
        }
        let shared = record.get(Key::SharedEventId).text();
        match self.halves.zip(shared).and_then(|(halves, shared)| halves(&shared)) {
            Some(caller) => (Case::by(record, self.known, caller), Some(case)),
            None => (case, None),
        }
    }

    /// A record that did not have to wait for its other half is counted, and taken out again, where it
    /// would have waited: of a flood that finding then knows the smallest numbers whichever copy came
    /// first, and those are the ones whose halves are kept.
    fn unwaited(&self, case: &Case, record: &Record<'_>) -> Option<Delta> {
        let judgement = judge(case, self.known.perimeter);
        let judged = Judged { case, judgement: &judgement, source: Source::Record(record) };
        let mut sightings = sightings(&judged, |_| Event::default())?;
        sightings.gone = sightings.seen.clone();
        sightings.evidence.clear();
        sightings.addresses.clear();
        Some(Delta { sightings, waiting: Vec::new(), halves: Vec::new() })
    }

    fn forged(&self, forged: &Forged, tally: &mut Tally, take: &mut dyn FnMut(Audited<'_>)) {
        let case = Case::forged(forged);
        let judgement = judge(&case, self.known.perimeter);
        let judged = Judged { case: &case, judgement: &judgement, source: Source::Forged(forged) };
        if let Some(sightings) = sightings(&judged, Judged::event) {
            tally.add(Delta { sightings, waiting: Vec::new(), halves: Vec::new() });
        }
        tally.verdicts[judgement.verdict as usize] += 1;
        take(Audited::Record(judged));
    }

    /// Adds a record to its finding, where it makes one.
    fn sight(&self, judged: &Judged<'_>, record: &Record<'_>, tally: &mut Tally) {
        // Without a store only the list at the end is wanted: most of a flood is a number in a sample.
        if !self.keeps
            && judged.case.session.is_none()
            && let Some((_, severity, identity)) = identity(judged)
            && let Some(known) = tally.deltas.get_mut(&identity)
            && let Some(grown) = known.sightings.see_plainly(
                judged.key(),
                (judged.case, severity),
                judged.judgement.coverage,
                record.get(Key::EventId).text(),
                || reason(judged.case, judged.judgement),
            )
        {
            tally.weight += grown;
        } else if let Some(delta) = self.delta(record, judged) {
            tally.add(delta);
        }
    }

    /// What a record adds to the finding of a break-glass session where it is no finding of that by itself: a call that
    /// is a finding of something worse; the session's opening, or a change that was made in it, which count only
    /// as far as they tell its story.
    fn told_of_session(&self, judged: &Judged<'_>) -> Option<Delta> {
        let Judged { case, judgement, .. } = *judged;
        let part = case.session.as_deref()?;
        if judgement.rule.is_some_and(|(rule, _)| session_of(case, rule).is_some()) {
            return None;
        }
        let event = || if self.keeps { judged.event() } else { judged.id() };
        let sightings = match of_session(case, judgement.verdict, self.known.perimeter) {
            Some(judgement) => sightings_of(case, &judgement, judged.key(), event())?,
            None => in_passing(case, part, judgement.verdict)?,
        };
        Some(Delta { sightings, waiting: Vec::new(), halves: Vec::new() })
    }

    /// What a record adds to a finding, where it makes one.
    fn delta(&self, record: &Record<'_>, judged: &Judged<'_>) -> Option<Delta> {
        if judged.case.own_call && self.ignores_own {
            return None;
        }
        if !self.keeps {
            // Of its records a list shows no more than their ids.
            let sightings = sightings(judged, |judged| judged.id())?;
            return Some(Delta { sightings, waiting: Vec::new(), halves: Vec::new() });
        }
        let halves = half(record, judged.case);
        let Some(sightings) = sightings(judged, Judged::event) else { return half_alone(judged, halves) };
        let waiting = waiting(record, judged.case, &sightings.identity.id());
        Some(Delta { waiting, halves, sightings })
    }

    /// Judges a record again that was waiting. Returns what it adds to which findings now, or nothing
    /// where it is no finding any more.
    ///
    /// # Errors
    /// Where what was kept cannot be read.
    pub fn again(&self, waiting: &Waiting, caller: Option<Caller>) -> Result<Vec<Delta>, StoreError> {
        let judged = reread(waiting.record.as_bytes(), |record| {
            let case = match caller {
                Some(caller) => Case::by(record, self.known, caller),
                None => Case::of(record, self.known),
            };
            let judgement = judge(&case, self.known.perimeter);
            let judged = Judged { case: &case, judgement: &judgement, source: Source::Record(record) };
            let own = self.delta(record, &judged);
            own.into_iter().chain(self.told_of_session(&judged)).collect()
        });
        judged.ok_or_else(|| {
            let cause = "the record that was kept cannot be read".to_owned();
            let Waiting { waits_for, finding, key, .. } = waiting;
            StoreError::Damaged { item: format!("{waits_for:?}, {finding}, {:016x}", key.0), cause }
        })
    }
}

/// Reads a record that was kept. `None`: it cannot be read.
fn reread<T>(text: &[u8], with: impl FnOnce(&Record<'_>) -> T) -> Option<T> {
    let mut marks = Marks::default();
    marks.index(text);
    let mut record = Record::new();
    match record.read(&mut Cursor::new(text, &marks), &mut KeyOrder::default()) {
        Ok(Read::Object) => Some(with(&record)),
        Ok(Read::Container) | Err(_) => None,
    }
}

/// The record's number. Both accounts' copies of a call are one event; a record that corrects another
/// has a number of its own, and so have both copies of that together, which say the same of when and
/// whence; a record without any id is known by its text.
fn key_of(record: &Record<'_>) -> EventKey {
    const SAID: [Key; 4] = [Key::EventTime, Key::VpcEndpointId, Key::SourceIpAddress, Key::ErrorCode];
    let shared = record.get(Key::SharedEventId).text();
    if original(record).is_some() {
        if let Some(shared) = shared {
            let said = SAID.map(|key| record.get(key).text().unwrap_or_default().into_owned());
            return correction_key([&[shared.into_owned()], said.as_slice()].concat().join("\0").as_bytes());
        }
        let own = record.get(Key::EventId).text();
        return correction_key(own.as_deref().map_or(&canonical(record.json), str::as_bytes));
    }
    match shared.or(record.get(Key::EventId).text()) {
        Some(id) if !id.is_empty() => EventKey::of(id.as_bytes()),
        _ => EventKey::of(&canonical(record.json)),
    }
}

/// The number of a record that corrects another one.
fn correction_key(id: &[u8]) -> EventKey {
    EventKey::of(&[b"corrected\0", id].concat())
}

/// The endpoint that a record made, where it can be relied on.
fn created(record: &Record<'_>, case: &Case) -> Option<Endpoint> {
    let Subject::Change { through_dynamodb: false, .. } = case.subject else { return None };
    let source = record.get(Key::EventSource).text()?;
    let is_of_ec2 = service_of(&source).is_some_and(|service| service == "ec2");
    if is_of_ec2 { inventory::created(record, case.principal.account.as_deref()) } else { None }
}

/// The id of the record that this one takes the place of: `addendum.originalEventID`. Records that come
/// late, or that were missing for a time, have an addendum too, and correct nothing.
///
/// Source: CloudTrail user guide, "CloudTrail record contents" (`addendum`).
fn original(record: &Record<'_>) -> Option<String> {
    let addendum: serde_json::Value = serde_json::from_slice(record.get(Key::Addendum).json()?).ok()?;
    if addendum.get("reason")?.as_str()? != "UPDATED_DATA" {
        return None;
    }
    let id = addendum.get("originalEventID")?.as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// What a record corrects: an event, be it known by its own id, by that of both copies, or for being a
/// correction itself. What cannot be relied on, or makes no finding whatever it says, takes none away.
fn corrections(record: &Record<'_>, case: &Case) -> Vec<Correction> {
    if !matches!(case.subject, Subject::Call | Subject::Change { .. }) {
        return Vec::new();
    }
    let Some(original) = original(record) else { return Vec::new() };
    let by = key_of(record);
    let shared = record.get(Key::SharedEventId).text().map(|id| EventKey::of(id.as_bytes()));
    let keys = [Some(EventKey::of(original.as_bytes())), Some(correction_key(original.as_bytes())), shared];
    // Of two of one time, one that reached the table from outside counts, and not one that did not.
    let is_harmless = case.outcome == Outcome::Denied || is_approved(&case.origin, case.passage);
    let time = record.get(Key::EventTime).text().unwrap_or_default();
    let time = format!("{time} {}", u8::from(!is_harmless));
    let named = case.resources.iter().filter_map(|arn| Arn::parse(arn)).map(|arn| arn.account.to_owned());
    let recipient = record.get(Key::RecipientAccountId).text().map(|account| account.into_owned());
    let accounts = [case.account.clone(), case.principal.account.clone(), recipient].into_iter().flatten();
    let accounts: BTreeSet<String> = accounts.chain(named).filter(|account| is_account(account)).collect();
    let correction =
        |key| Correction { key, by, time: time.clone(), accounts: accounts.iter().cloned().collect() };
    keys.into_iter().flatten().filter(|key| *key != by).map(correction).collect()
}

/// The text of a record with its keys in order and its white space gone.
fn canonical(json: &[u8]) -> Vec<u8> {
    let value = serde_json::from_slice::<serde_json::Value>(json);
    value.map_or_else(|_| json.to_vec(), |value| value.to_string().into_bytes())
}

/// The half of a call that makes no finding by itself, where the owner's copy of the call may make one:
/// in a finding that nobody is shown, so that a flood of them is bounded as any other is.
fn half_alone(judged: &Judged<'_>, halves: Vec<Half>) -> Option<Delta> {
    let Judged { case, judgement, .. } = judged;
    let may_be = match judgement.verdict {
        Verdict::Exempt | Verdict::Service | Verdict::Outside | Verdict::Undetermined => true,
        Verdict::Change => matches!(case.subject, Subject::Change { through_dynamodb: true, .. }),
        // The owner's copy is judged alike, whoever called.
        Verdict::Inside | Verdict::Denied | Verdict::Ignored => false,
    };
    if !may_be || halves.is_empty() {
        return None;
    }
    let mut seen = Sample::default();
    seen.insert(judged.key());
    let identity = named_as(case, CALLER_HALF).to_identity(CALLER_HALF);
    let origin = Origin { ip: None, ..case.origin.clone() };
    let sightings = Sightings { origin, seen, ..Sightings::unseen(identity, case.principal.clone()) };
    Some(Delta { sightings, waiting: Vec::new(), halves })
}

/// Is it a change of what stands? What is also an access, through DynamoDB itself and from where it cannot be told yet,
/// has to wait as a call does.
fn is_provable(case: &Case) -> bool {
    match &case.subject {
        Subject::Change { change, .. } => !change.edits.is_empty() && !case.needs_other_half(),
        Subject::Call | Subject::Nothing(_) | Subject::Unreliable(_) | Subject::Forged(_) => false,
    }
}

/// The session whose finding a record of that rule belongs to.
fn session_of<'c>(case: &'c Case, rule: &Rule) -> Option<&'c Part> {
    let is_of_session =
        [&rules::BREAK_GLASS_USE, &rules::BREAK_GLASS_OUT_OF_WINDOW].iter().any(|one| one.id == rule.id);
    case.session.as_deref().filter(|_| is_of_session)
}

/// What tells a session's finding: whose session it is, and which. Not by what rule, for it may be used in its window and
/// out of it; nor what was touched or from where.
fn identity_of(part: &Part) -> IdentityRef<'_> {
    IdentityRef {
        rule: rules::BREAK_GLASS_USE.id,
        account: part.principal.account.as_deref(),
        principal: Some(&part.name),
        resources: &[],
        origin: OriginKind::Unknown,
        endpoint: None,
    }
}

/// What tells a session's story and is no use of it: nobody is shown it before there is one.
fn in_passing(case: &Case, part: &Part, verdict: Verdict) -> Option<Sightings> {
    let is_told = verdict == Verdict::Change && case.outcome == Outcome::Authorised;
    is_told.then(|| Sightings {
        session: Some(Box::new(part.session.clone())),
        // It takes nothing from how long the uses are covered.
        coverage: Coverage::Until(Timestamp::MIN),
        ..Sightings::unseen(identity_of(part).to_identity(rules::BREAK_GLASS_USE.id), part.principal.clone())
    })
}

/// Events of IAM that carry a policy's text, and so may be padded until CloudTrail leaves out all parameters.
const WITH_POLICY: [&str; 7] = [
    "PutRolePolicy",
    "PutUserPolicy",
    "PutGroupPolicy",
    "CreateRole",
    "CreatePolicy",
    "CreatePolicyVersion",
    "UpdateAssumeRolePolicy",
];

/// Is it a change that leaves out even of whom it is, and that may be read back?
fn leaves_out_of_whom(case: &Case) -> bool {
    let is_untold = matches!(&case.subject, Subject::Change { change, .. } if change.edits.is_empty() && change.shows == Shows::Unreadable);
    is_untold && case.outcome == Outcome::Authorised && WITH_POLICY.contains(&case.event_name())
}

/// Which finding a judged record belongs to, where a rule fits it: with that rule and its severity.
fn identity<'j>(judged: &Judged<'j>) -> Option<(&'static Rule, Severity, IdentityRef<'j>)> {
    let (rule, severity) = judged.judgement.rule?;
    Some((rule, severity, identity_as(judged.case, rule)))
}

/// A change of what stands is known by what it changes: who made it, and from where, is in the evidence. So it is the
/// same finding whether its event is there or a sweep finds it done.
fn identity_as<'c>(case: &'c Case, rule: &'static Rule) -> IdentityRef<'c> {
    if let Some(part) = session_of(case, rule) {
        return identity_of(part);
    }
    let is_of_state = matches!(&case.subject, Subject::Change { change, .. } if !change.edits.is_empty());
    if is_of_state && matches!(rule.subject, RuleSubject::Change | RuleSubject::ProvenChange) {
        return IdentityRef {
            rule: rule.id,
            account: case.account.as_deref(),
            principal: None,
            resources: &case.resources,
            origin: OriginKind::Unknown,
            endpoint: None,
        };
    }
    named_as(case, rule.id)
}

fn named_as<'c>(case: &'c Case, rule: &'static str) -> IdentityRef<'c> {
    IdentityRef {
        rule,
        account: case.account.as_deref(),
        principal: case.principal.arn.as_deref().or(case.principal.unique_id.as_deref()),
        resources: &case.resources,
        origin: case.origin.kind,
        endpoint: case.origin.endpoint.as_deref(),
    }
}

/// What a judged record adds to a finding, where a rule fits it; `event`: what it is shown by.
fn sightings<'j>(judged: &Judged<'j>, event: impl FnOnce(&Judged<'j>) -> Event) -> Option<Sightings> {
    judged.judgement.rule?;
    sightings_of(judged.case, judged.judgement, judged.key(), event(judged))
}

/// The same of a record of which no more is at hand than this.
fn sightings_of(case: &Case, judgement: &Judgement, key: EventKey, event: Event) -> Option<Sightings> {
    let (rule, severity) = judgement.rule?;
    let identity = identity_as(case, rule);
    let mut seen = Sample::default();
    seen.insert(key);
    let ip = case.origin.ip.clone();
    let part = session_of(case, rule);
    let origin = Origin { ip: None, ..case.origin.clone() };
    Some(Sightings {
        identity: identity.to_identity(if part.is_some() { rules::BREAK_GLASS_USE.id } else { rule.id }),
        severity,
        region: case.region.clone(),
        principal: part.map_or(&case.principal, |part| &part.principal).clone(),
        origin: if part.is_some() { Origin::unknown() } else { origin },
        seen,
        gone: Sample::default(),
        span: case.time.map(|time| (time, time)),
        addresses: ip.iter().cloned().collect(),
        evidence: vec![Evidence { key, event, ip, reason: reason(case, judgement) }],
        named: Vec::new(),
        allowed_by: Vec::new(),
        guard: None,
        session: part.map(|part| Box::new(part.session.clone())),
        coverage: judgement.coverage,
    })
}
