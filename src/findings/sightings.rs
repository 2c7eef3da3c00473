//! What records add to a finding.
//!
//! All of it is joined in a way that does not hang on order, repetition or splitting: sets grow, the earliest
//! and the latest time are kept, and what is shown of single records is that of the records with the smallest
//! keys, be they corrected or not. Which of them count nowhere is looked at in the end.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::AllowedBy;
use super::identity::Identity;
use super::sample::{EventKey, Sample};
use crate::audit::case::{Case, Event};
use crate::audit::rule::Severity;
use crate::audit::rules;
use crate::perimeter::exception::Coverage;
use crate::perimeter::origin::Origin;
use crate::perimeter::principal::Principal;
use crate::perimeter::session::Session;

/// Records shown as evidence of one finding.
pub const EVIDENCE: usize = 16;

/// Addresses kept of one finding.
pub const ADDRESSES: usize = 16;

/// Statements kept of one finding.
pub const ALLOWED_BY: usize = 8;

/// One record, as it is shown of a finding.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Evidence {
    /// The record's number.
    pub key: EventKey,
    /// The record.
    pub event: Event,
    /// `sourceIPAddress`.
    pub ip: Option<String>,
    /// Why it is a finding, in one sentence.
    pub reason: String,
}

/// One record, as far as a list of findings shows it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Named {
    /// The record's number.
    pub key: EventKey,
    /// Its id.
    pub id: Option<String>,
    /// Why it is a finding, in one sentence.
    pub reason: String,
}

/// What records add to one finding: a part of it, joined with others by [`Sightings::join`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sightings {
    /// Which finding.
    pub identity: Identity,
    /// As perimeter.toml has it.
    pub severity: Severity,
    /// The region of the calls.
    pub region: Option<String>,
    /// Who called.
    pub principal: Principal,
    /// Where from, without the address: that is in the evidence.
    pub origin: Origin,
    /// The records.
    pub seen: Sample,
    /// Records that turned out to be something else.
    pub gone: Sample,
    /// The earliest and the latest record.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The records with the smallest keys, rising.
    pub evidence: Vec<Evidence>,
    /// Further records that are evidence, as [`Evidence`] is: of these no more is kept than a list shows.
    pub named: Vec<Named>,
    /// Some of the addresses, sorted.
    pub addresses: Vec<String>,
    /// Some of the statements that let the calls through, sorted.
    #[serde(default)]
    pub allowed_by: Vec<AllowedBy>,
    /// The least that would have stopped one of them, as a sentence.
    #[serde(default)]
    pub guard: Option<String>,
    /// The break-glass session that it tells of, if it is of one.
    #[serde(default)]
    pub session: Option<Box<Session>>,
    /// How long `[[suppress]]` entries cover all of it.
    pub coverage: Coverage,
}

impl Sightings {
    /// A finding of which nothing was seen yet.
    pub fn unseen(identity: Identity, principal: Principal) -> Self {
        Self {
            identity,
            severity: Severity::Info,
            region: None,
            principal,
            origin: Origin::unknown(),
            seen: Sample::default(),
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

    /// Adds what further records add to the same finding.
    pub fn join(&mut self, other: Sightings) {
        self.seen.join(&other.seen);
        self.gone.join(&other.gone);
        self.severity = self.severity.max(other.severity);
        join_smaller(&mut self.region, &other.region);
        self.join_parties(&other.principal, &other.origin);
        self.span = join_spans(self.span, other.span);
        self.coverage = self.coverage.max(other.coverage);
        other.addresses.iter().for_each(|address| {
            join_address(&mut self.addresses, address);
        });
        join_smaller(&mut self.guard, &other.guard);
        self.join_session(other.session);
        self.allow(other.allowed_by);
        join_shown(&mut self.evidence, other.evidence);
        join_shown(&mut self.named, other.named);
    }

    fn join_session(&mut self, other: Option<Box<Session>>) {
        match (&mut self.session, other) {
            (Some(known), Some(other)) => known.join(*other),
            (known @ None, other) => *known = other,
            (Some(_), None) => {}
        }
    }

    /// The rule that it is shown under: that of a session is the worst of what was done in it.
    pub fn rule(&self) -> &str {
        match &self.session {
            Some(session) if session.out_of_window => rules::BREAK_GLASS_OUT_OF_WINDOW.id,
            Some(_) | None => &self.identity.rule,
        }
    }

    /// The earliest and the latest of those records that are left, where all of them are shown: some were taken out.
    pub fn narrow_span(&mut self, left: &[Evidence], count: u64) {
        let time = |one: &Evidence| one.event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        if left.len() as u64 == count && self.seen.is_exact() {
            let times = left.iter().filter_map(time);
            self.span = times.fold(None, |span, time| join_spans(span, Some((time, time))));
        }
    }

    /// Adds statements that let calls through. The smallest are kept, so that which ones they are hangs on no order.
    pub fn allow(&mut self, statements: impl IntoIterator<Item = AllowedBy>) {
        self.allowed_by.extend(statements);
        self.allowed_by.sort_unstable();
        self.allowed_by.dedup();
        self.allowed_by.truncate(ALLOWED_BY);
    }

    /// Adds one record of the same finding where only the list at the end is wanted. Returns the bytes that it
    /// took, or nothing where the record has to be added in full.
    pub fn see_plainly(
        &mut self,
        key: EventKey,
        (case, severity): (&Case, Severity),
        coverage: Coverage,
        id: Option<Cow<'_, str>>,
        reason: impl FnOnce() -> String,
    ) -> Option<usize> {
        if self.evidence.first()?.key == key {
            return None;
        }
        let mut grown = match place(&self.named, key, id.as_deref()) {
            Some(place) => {
                let named = Named { key, id: id.map(Cow::into_owned), reason: reason() };
                let size = named.weight();
                put(&mut self.named, place, named);
                size
            }
            None => 0,
        };
        let before = self.seen.weight();
        self.seen.insert(key);
        grown += self.seen.weight().saturating_sub(before);
        self.span = join_spans(self.span, case.time.map(|time| (time, time)));
        self.coverage = self.coverage.max(coverage);
        self.severity = self.severity.max(severity);
        join_smaller(&mut self.region, &case.region);
        self.join_parties(&case.principal, &case.origin);
        if let Some(ip) = &case.origin.ip {
            grown += join_address(&mut self.addresses, ip);
        }
        Some(grown)
    }

    /// Takes events out that count nowhere.
    pub fn take_out(&mut self, is_corrected: impl Fn(EventKey) -> bool) {
        for key in self.seen.keys().iter().filter(|key| is_corrected(**key)) {
            self.gone.insert(*key);
        }
    }

    /// What is shown of single records: the ids of those with the smallest keys that count, in the order of
    /// those, and the reason of the first.
    pub(super) fn shown(&mut self) -> (Vec<String>, Option<String>) {
        let evidence = std::mem::take(&mut self.evidence).into_iter();
        let evidence =
            evidence.map(|Evidence { key, event, reason, .. }| Named { key, id: event.id, reason });
        let mut shown: Vec<Named> = evidence.chain(std::mem::take(&mut self.named)).collect();
        shown.sort_by(|one, other| (one.key, &one.id).cmp(&(other.key, &other.id)));
        shown.dedup_by_key(|named| named.key);
        // Which ones are there beyond so many hangs on order: they are none, whatever is taken out.
        shown.truncate(EVIDENCE);
        shown.retain(|named| !self.gone.contains(named.key));
        let reason = shown.first_mut().map(|first| std::mem::take(&mut first.reason));
        (shown.into_iter().filter_map(|named| named.id).collect(), reason)
    }

    /// Of two that differ in what does not tell findings apart, always the same is shown.
    fn join_parties(&mut self, principal: &Principal, origin: &Origin) {
        self.principal.kind = self.principal.kind.min(principal.kind);
        if self.session.is_some() {
            self.join_role(principal);
        }
        join_smaller(&mut self.principal.unique_id, &principal.unique_id);
        join_smaller(&mut self.principal.account, &principal.account);
        join_smaller(&mut self.origin.vpc, &origin.vpc);
        join_smaller(&mut self.origin.vpc_account, &origin.vpc_account);
    }

    /// The record of a session's opening may have the role without its path: the longer name is the whole one.
    fn join_role(&mut self, principal: &Principal) {
        let rank = |arn: &Option<String>| arn.as_ref().map_or(0, String::len);
        let (known, other) = (rank(&self.principal.arn), rank(&principal.arn));
        if other > known || (other == known && principal.arn < self.principal.arn) {
            self.principal.arn.clone_from(&principal.arn);
        }
    }

    /// Bytes that it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        let session = self.session.as_ref().map_or(0, |session| size_of::<Session>() + session.weight());
        let texts = self.identity.resources.iter().chain(&self.addresses).map(String::len).sum::<usize>();
        let evidence = self.evidence.iter().map(Shown::weight).sum::<usize>();
        let named = self.named.iter().map(Shown::weight).sum::<usize>();
        let allowed = self.allowed_by.iter().map(AllowedBy::weight).sum::<usize>();
        let texts = texts + self.guard.as_ref().map_or(0, String::len) + allowed;
        2 * size_of::<Self>() + 2 * texts + self.seen.weight() + evidence + named + session
    }
}

/// Keeps the smaller text, in place where it is the one that is there.
fn join_smaller(known: &mut Option<String>, other: &Option<String>) {
    if let Some(text) = other
        && known.as_ref().is_none_or(|known| text < known)
    {
        *known = Some(text.clone());
    }
}

/// The stretch from the earlier beginning to the later end.
fn join_spans(
    one: Option<(Timestamp, Timestamp)>,
    other: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (one, other) {
        (Some((from, to)), Some((other_from, other_to))) => Some((from.min(other_from), to.max(other_to))),
        (one, other) => one.or(other),
    }
}

/// Keeps the smallest addresses, so that which ones are kept does not hang on order. Returns the bytes that
/// this one takes.
fn join_address(addresses: &mut Vec<String>, address: &str) -> usize {
    let at = addresses.partition_point(|known| known.as_str() < address);
    if at >= ADDRESSES || addresses.get(at).is_some_and(|known| known == address) {
        return 0;
    }
    addresses.insert(at, address.to_owned());
    addresses.truncate(ADDRESSES);
    size_of::<String>() + address.len()
}

/// A record that is evidence, in whatever form.
trait Shown {
    fn key(&self) -> EventKey;
    fn id(&self) -> Option<&str>;
    /// Bytes that it takes in memory, roughly.
    fn weight(&self) -> usize;
}

impl Shown for Evidence {
    fn key(&self) -> EventKey {
        self.key
    }

    fn id(&self) -> Option<&str> {
        self.event.id.as_deref()
    }

    fn weight(&self) -> usize {
        let Event { id, time, region, source, name, user_agent, error, session, function } = &self.event;
        let texts = [id, time, region, source, name, user_agent, error, session, function, &self.ip];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        size_of::<Self>() + texts + self.reason.len()
    }
}

impl Shown for Named {
    fn key(&self) -> EventKey {
        self.key
    }

    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.id.as_ref().map_or(0, String::len) + self.reason.len()
    }
}

/// Where a record belongs among those with the smallest keys.
enum Place {
    At(usize),
    InsteadOf(usize),
}

/// The place of a record, where it is to be shown. Of two copies of one event always the same one is.
fn place<R: Shown>(shown: &[R], key: EventKey, id: Option<&str>) -> Option<Place> {
    let at = shown.partition_point(|known| known.key() < key);
    match shown.get(at).filter(|known| known.key() == key) {
        Some(known) => (id < known.id()).then_some(Place::InsteadOf(at)),
        None => (at < EVIDENCE).then_some(Place::At(at)),
    }
}

fn put<R>(shown: &mut Vec<R>, place: Place, record: R) {
    match place {
        Place::At(at) => shown.insert(at, record),
        Place::InsteadOf(at) => shown[at] = record,
    }
    shown.truncate(EVIDENCE);
}

fn join_shown<R: Shown>(shown: &mut Vec<R>, other: Vec<R>) {
    for record in other {
        if let Some(place) = place(shown, record.key(), record.id()) {
            put(shown, place, record);
        }
    }
}
