//! The way of a record: read, judged, counted, and gathered into findings. The only place that
//! knows all of it.
//!
//! [`keep`] has the rest of the way, into the store.

#[cfg(feature = "aws")]
pub mod keep;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::audit::case::{Case, Event, Known, Subject};
use crate::audit::reason::reason;
use crate::audit::rule::{Rule, Severity};
use crate::audit::shortcut::Shortcut;
use crate::audit::verdict::{Judgement, Verdict, judge};
use crate::cloudtrail::cursor::Cursor;
use crate::cloudtrail::elements::{Element, Fault};
use crate::cloudtrail::envelope::{self, Content, Forged, LogFile};
use crate::cloudtrail::marks::Marks;
use crate::cloudtrail::outcome::Outcome;
use crate::cloudtrail::record::{Key, KeyOrder, Read, Record};
use crate::findings::deltas::Deltas;
use crate::findings::finding::{Evidence, IdentityRef, Sightings};
use crate::findings::sample::{EventKey, Sample};
use crate::findings::store::{Delta, Half, StoreError, Waiting, WaitsFor};
use crate::perimeter::inventory::{self, Inventory};
use crate::perimeter::origin::{Origin, OriginKind};
use crate::perimeter::principal::Principal;
use crate::perimeter::{Endpoint, Perimeter};

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

/// What was read and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Records by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; Verdict::ALL.len()],
    /// What was gathered of findings.
    pub deltas: Deltas,
    /// Endpoints that were seen created.
    pub endpoints: Vec<Endpoint>,
    /// Owners of tables, and callers, that are in no environment; the first few.
    pub unlisted: BTreeSet<String>,
    /// Bytes that the findings take in memory, roughly.
    pub weight: usize,
}

/// Accounts in no environment that are named.
const MAX_UNLISTED: usize = 100;

impl Tally {
    /// Records read.
    pub fn records(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    /// Adds what another counted.
    pub fn join(&mut self, other: Tally) {
        self.verdicts.iter_mut().zip(other.verdicts).for_each(|(sum, more)| *sum += more);
        self.endpoints.extend(other.endpoints);
        self.unlisted.extend(other.unlisted);
        if self.deltas.is_empty() {
            (self.deltas, self.weight) = (other.deltas, other.weight);
            return;
        }
        other.deltas.into_iter().for_each(|delta| self.add(delta));
    }

    /// The findings so far, of which this forgets.
    pub fn take_deltas(&mut self) -> Vec<Delta> {
        self.weight = 0;
        std::mem::take(&mut self.deltas).into_iter().collect()
    }

    fn note_unlisted(&mut self, case: &Case) {
        if case.unlisted_owner
            && self.unlisted.len() < MAX_UNLISTED
            && !matches!(case.subject, Subject::Nothing(_))
        {
            self.unlisted.extend(case.account.clone());
        }
    }

    /// Adds to a finding.
    pub fn add(&mut self, delta: Delta) {
        self.weight += self.deltas.add(delta);
    }
}

/// Judges records with what is known when it is made.
pub struct Auditor<'k> {
    known: Known<'k>,
    shortcut: Shortcut<'k>,
    keeps: bool,
    ignores_own: bool,
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
pub type Halves<'h> = &'h (dyn Fn(&str) -> Option<Principal> + Sync);

impl<'k> Auditor<'k> {
    /// Judges by `perimeter` and `inventory`.
    pub fn new(perimeter: &'k Perimeter, inventory: &'k Inventory) -> Self {
        let known = Known { perimeter, inventory };
        Self { known, shortcut: Shortcut::new(known), keeps: false, ignores_own: false, halves: None }
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
                Some(verdict) if !in_full => {
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

    fn record(&self, record: &Record<'_>, tally: &mut Tally, take: &mut dyn FnMut(Audited<'_>)) {
        let case = self.case(record);
        let judgement = judge(&case, self.known.perimeter);
        let judged = Judged { case: &case, judgement: &judgement, source: Source::Record(record) };
        tally.endpoints.extend(inventory::created(record));
        tally.note_unlisted(&case);
        self.sight(&judged, record, tally);
        if !record.get(Key::Addendum).is_absent()
            && let Some(superseded) = self.superseded(record, &judged)
        {
            tally.add(superseded);
        }
        tally.verdicts[judgement.verdict as usize] += 1;
        take(Audited::Record(judged));
    }

    fn case(&self, record: &Record<'_>) -> Case {
        let case = Case::of(record, self.known);
        if !case.needs_other_half() {
            return case;
        }
        let shared = record.get(Key::SharedEventId).text();
        match self.halves.zip(shared).and_then(|(halves, shared)| halves(&shared)) {
            Some(principal) => Case::by(record, self.known, principal),
            None => case,
        }
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
            && let Some((_, severity, identity)) = identity(judged)
            && let Some(known) = tally.deltas.get_mut(&identity)
            && let Some(grown) = known.sightings.see_plainly(
                judged.key(),
                (judged.case, severity),
                !judged.judgement.suppressed,
                record.get(Key::EventId).text(),
                || reason(judged.case, judged.judgement),
            )
        {
            tally.weight += grown;
        } else if let Some(delta) = self.delta(record, judged) {
            tally.add(delta);
        }
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
        let sightings = sightings(judged, Judged::event)?;
        let waiting = self.waiting(record, judged.case, &sightings.identity.id());
        Some(Delta { waiting, halves: half(record, judged.case), sightings })
    }

    fn waiting(&self, record: &Record<'_>, case: &Case, finding: &str) -> Vec<Waiting> {
        let Some(waits_for) = waits_for(record, case) else { return Vec::new() };
        let text = String::from_utf8_lossy(record.json).into_owned();
        vec![Waiting { waits_for, finding: finding.to_owned(), key: key_of(record), record: text }]
    }

    /// A corrected record takes the place of the one that it corrects. What that one was counted in
    /// is told by judging the record without the fields that were brought up to date.
    fn superseded(&self, record: &Record<'_>, now: &Judged<'_>) -> Option<Delta> {
        let addendum: serde_json::Value = serde_json::from_slice(record.get(Key::Addendum).json()?).ok()?;
        addendum.get("originalEventID")?;
        let original = record.without(&updated_fields(addendum.get("updatedFields")?));
        let case = Case::of(&original, self.known);
        let judgement = judge(&case, self.known.perimeter);
        let before = Judged { case: &case, judgement: &judgement, source: Source::Record(record) };
        let mut gone = sightings(&before, |_| Event::default())?;
        if identity(now).is_some_and(|(_, _, now)| now == gone.identity.by_ref()) {
            return None;
        }
        gone.gone = std::mem::take(&mut gone.seen);
        gone.evidence.clear();
        gone.addresses.clear();
        gone.span = None;
        Some(Delta { sightings: gone, waiting: Vec::new(), halves: Vec::new() })
    }

    /// Judges a record again that was waiting. Returns what it adds to which finding now, or nothing
    /// where it is no finding any more.
    ///
    /// # Errors
    /// Where what was kept cannot be read.
    pub fn again(
        &self,
        waiting: &Waiting,
        principal: Option<Principal>,
    ) -> Result<Option<Delta>, StoreError> {
        let text = waiting.record.as_bytes();
        let mut marks = Marks::default();
        marks.index(text);
        let mut record = Record::new();
        match record.read(&mut Cursor::new(text, &marks), &mut KeyOrder::default()) {
            Ok(Read::Object) => {}
            Ok(Read::Container) | Err(_) => {
                let cause = "the record that was kept cannot be read".to_owned();
                return Err(StoreError::Damaged { item: format!("{:?}", waiting.waits_for), cause });
            }
        }
        let case = match principal {
            Some(principal) => Case::by(&record, self.known, principal),
            None => Case::of(&record, self.known),
        };
        let judgement = judge(&case, self.known.perimeter);
        Ok(self
            .delta(&record, &Judged { case: &case, judgement: &judgement, source: Source::Record(&record) }))
    }
}

/// The record's number. Both accounts' copies of a call are one event; a corrected record is the one
/// that it corrects; a record without any id is known by its text.
fn key_of(record: &Record<'_>) -> EventKey {
    if let Some(id) = record.get(Key::SharedEventId).text() {
        return EventKey::of(id.as_bytes());
    }
    let addendum = record.get(Key::Addendum).json().and_then(|json| serde_json::from_slice(json).ok());
    let original =
        addendum.as_ref().and_then(|addendum: &serde_json::Value| addendum.get("originalEventID")?.as_str());
    match original.map(Into::into).or(record.get(Key::EventId).text()) {
        Some(id) if !id.is_empty() => EventKey::of(id.as_bytes()),
        _ => EventKey::of(&canonical(record.json)),
    }
}

/// The text of a record with its keys in order and its white space gone.
fn canonical(json: &[u8]) -> Vec<u8> {
    let value = serde_json::from_slice::<serde_json::Value>(json);
    value.map_or_else(|_| json.to_vec(), |value| value.to_string().into_bytes())
}

/// `updatedFields`, an array or a list with commas; of a path its first part.
fn updated_fields(value: &serde_json::Value) -> Vec<String> {
    let names: Vec<&str> = match value {
        serde_json::Value::String(list) => list.split(',').collect(),
        serde_json::Value::Array(list) => list.iter().filter_map(|name| name.as_str()).collect(),
        _ => Vec::new(),
    };
    names.iter().filter_map(|name| name.trim().split('.').next()).map(str::to_owned).collect()
}

fn waits_for(record: &Record<'_>, case: &Case) -> Option<WaitsFor> {
    if case.needs_other_half() {
        return Some(WaitsFor::OtherHalf(record.get(Key::SharedEventId).text()?.into_owned()));
    }
    let unknown = case.origin.kind == OriginKind::UnknownEndpoint && case.origin.vpc.is_none();
    case.origin.endpoint.clone().filter(|_| unknown).map(WaitsFor::Endpoint)
}

/// The caller's copy says who it was: the owner's copy does not.
fn half(record: &Record<'_>, case: &Case) -> Vec<Half> {
    let Some(shared_id) = record.get(Key::SharedEventId).text() else { return Vec::new() };
    let crosses = case.principal.arn.is_some() && case.principal.account != case.account;
    let half =
        || Half { shared_id: shared_id.into_owned(), key: key_of(record), principal: case.principal.clone() };
    if crosses { vec![half()] } else { Vec::new() }
}

/// Which finding a judged record belongs to, where a rule fits it: with that rule and its severity.
fn identity<'j>(judged: &Judged<'j>) -> Option<(&'static Rule, Severity, IdentityRef<'j>)> {
    let (rule, severity) = judged.judgement.rule?;
    let case = judged.case;
    let identity = IdentityRef {
        rule: rule.id,
        account: case.account.as_deref(),
        principal: case.principal.arn.as_deref().or(case.principal.unique_id.as_deref()),
        resources: &case.resources,
        origin: case.origin.kind,
        endpoint: case.origin.endpoint.as_deref(),
    };
    Some((rule, severity, identity))
}

/// What a judged record adds to a finding, where a rule fits it; `event`: what it is shown by.
fn sightings<'j>(judged: &Judged<'j>, event: impl FnOnce(&Judged<'j>) -> Event) -> Option<Sightings> {
    let Judged { case, judgement, .. } = judged;
    let (rule, severity, identity) = identity(judged)?;
    let key = judged.key();
    let mut seen = Sample::default();
    seen.insert(key);
    let ip = case.origin.ip.clone();
    Some(Sightings {
        identity: identity.to_identity(rule.id),
        severity,
        region: case.region.clone(),
        principal: case.principal.clone(),
        origin: Origin { ip: None, ..case.origin.clone() },
        seen,
        gone: Sample::default(),
        span: case.time.map(|time| (time, time)),
        addresses: ip.iter().cloned().collect(),
        evidence: vec![Evidence { key, event: event(judged), ip, reason: reason(case, judgement) }],
        named: Vec::new(),
        unsuppressed: !judgement.suppressed,
    })
}
