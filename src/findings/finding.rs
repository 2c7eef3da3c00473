//! A finding: what stays the same of many records, and what they add up to.
//!
//! All that records contribute is joined in a way that does not hang on order, repetition or
//! splitting: sets grow, the earliest and the latest time are kept, and what is shown of single
//! records is that of the records with the smallest keys. People's decisions are kept apart from
//! it, in status and history.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sample::{EventKey, Sample};
use crate::audit::case::{Case, Event};
use crate::audit::rule::Severity;
use crate::audit::rules;
use crate::perimeter::origin::{Origin, OriginKind};
use crate::perimeter::principal::Principal;

/// Records shown as evidence of one finding.
pub const EVIDENCE: usize = 16;

/// Addresses kept of one finding.
pub const ADDRESSES: usize = 16;

/// What tells one finding from another: the same on every machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// The rule's name.
    pub rule: Cow<'static, str>,
    /// The owner of the tables.
    pub account: Option<String>,
    /// The principal's ARN, or its unique id where there is none.
    pub principal: Option<String>,
    /// Table ARNs, sorted.
    pub resources: Vec<String>,
    /// Where the calls came from.
    pub origin: OriginKind,
    /// Through which endpoint.
    pub endpoint: Option<String>,
}

/// An [`Identity`] that is looked up and not kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct IdentityRef<'i> {
    /// The rule's name.
    pub rule: &'i str,
    /// The owner of the tables.
    pub account: Option<&'i str>,
    /// The principal's ARN, or its unique id where there is none.
    pub principal: Option<&'i str>,
    /// Table ARNs, sorted.
    pub resources: &'i [String],
    /// Where the calls came from.
    pub origin: OriginKind,
    /// Through which endpoint.
    pub endpoint: Option<&'i str>,
}

impl IdentityRef<'_> {
    /// The identity, to be kept. `rule` is the rule's name.
    pub fn to_identity(self, rule: &'static str) -> Identity {
        Identity {
            rule: rule.into(),
            account: self.account.map(str::to_owned),
            principal: self.principal.map(str::to_owned),
            resources: self.resources.to_vec(),
            origin: self.origin,
            endpoint: self.endpoint.map(str::to_owned),
        }
    }
}

impl Identity {
    /// The finding's id, `f-` and twenty-four hexadecimal digits of a SHA-256.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: Option<&str>| {
            // Lengths stand before texts, so that no two identities run into the same bytes.
            let len = text.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(len.to_be_bytes());
            hash.update(text.unwrap_or_default());
        };
        part(Some(&self.rule));
        part(self.account.as_deref());
        part(self.principal.as_deref());
        part(Some(self.origin.name()));
        part(self.endpoint.as_deref());
        self.resources.iter().for_each(|resource| part(Some(resource)));
        let digest = hash.finalize();
        let mut id = String::from("f-");
        for byte in digest.iter().take(12) {
            for digit in [byte >> 4, byte & 15] {
                id.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        id
    }
}

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
    /// Ids of records that are evidence and of which nothing else is to be shown, rising by key.
    pub named: Vec<(EventKey, String)>,
    /// Some of the addresses, sorted.
    pub addresses: Vec<String>,
    /// Some record is covered by no `[[suppress]]`.
    pub unsuppressed: bool,
}

impl Sightings {
    /// Adds what further records add to the same finding.
    pub fn join(&mut self, other: Sightings) {
        self.seen.join(&other.seen);
        self.gone.join(&other.gone);
        self.severity = self.severity.max(other.severity);
        join_smaller(&mut self.region, &other.region);
        self.join_parties(&other.principal, &other.origin);
        self.span = join_spans(self.span, other.span);
        self.unsuppressed |= other.unsuppressed;
        join_addresses(&mut self.addresses, other.addresses);
        join_evidence(&mut self.evidence, other.evidence);
        for (key, id) in other.named {
            name(&mut self.named, key, Some(id.into()));
        }
    }

    /// Adds one record of the same finding where only the list at the end is wanted: of the record with the
    /// smallest key its reason, of a few more their ids. Returns the bytes that it took, or nothing where the
    /// record has to be added in full.
    pub fn see_plainly(
        &mut self,
        key: EventKey,
        (case, severity): (&Case, Severity),
        unsuppressed: bool,
        id: Option<Cow<'_, str>>,
        reason: impl FnOnce() -> String,
    ) -> Option<usize> {
        let first = self.evidence.first_mut()?;
        let mut grown = match key.cmp(&first.key) {
            Ordering::Greater => name(&mut self.named, key, id),
            Ordering::Equal => return None,
            Ordering::Less => {
                let event = Event { id: id.map(Cow::into_owned), ..Event::default() };
                let ip = case.origin.ip.clone();
                let before = std::mem::replace(first, Evidence { key, event, ip, reason: reason() });
                name(&mut self.named, before.key, before.event.id.map(Cow::from))
            }
        };
        let keys = self.seen.keys().len();
        self.seen.insert(key);
        grown += self.seen.keys().len().saturating_sub(keys) * size_of::<EventKey>();
        self.span = join_spans(self.span, case.time.map(|time| (time, time)));
        self.unsuppressed |= unsuppressed;
        self.severity = self.severity.max(severity);
        join_smaller(&mut self.region, &case.region);
        self.join_parties(&case.principal, &case.origin);
        if let Some(ip) = &case.origin.ip {
            grown += join_address(&mut self.addresses, ip);
        }
        Some(grown)
    }

    /// Takes events out that count nowhere.
    pub fn take_out(&mut self, corrected: &BTreeSet<EventKey>) {
        for key in corrected.iter().filter(|key| self.seen.contains(**key)) {
            self.gone.insert(*key);
        }
        self.evidence.retain(|evidence| !corrected.contains(&evidence.key));
        self.named.retain(|(key, _)| !corrected.contains(key));
    }

    /// Of two that differ in what does not tell findings apart, always the same is shown.
    fn join_parties(&mut self, principal: &Principal, origin: &Origin) {
        self.principal.kind = self.principal.kind.min(principal.kind);
        join_smaller(&mut self.principal.unique_id, &principal.unique_id);
        join_smaller(&mut self.principal.account, &principal.account);
        join_smaller(&mut self.origin.vpc, &origin.vpc);
        join_smaller(&mut self.origin.vpc_account, &origin.vpc_account);
    }

    /// Bytes that it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        let named = self.named.iter().map(|(_, id)| id);
        let texts = self
            .identity
            .resources
            .iter()
            .chain(&self.addresses)
            .chain(named)
            .map(String::len)
            .sum::<usize>();
        let evidence = self.evidence.iter().map(Evidence::weight).sum::<usize>();
        let lists = size_of_val(self.seen.keys()) + size_of_val(self.named.as_slice());
        2 * size_of::<Self>() + 2 * texts + lists + evidence
    }
}

impl Evidence {
    /// Bytes that it takes in memory, roughly.
    fn weight(&self) -> usize {
        let Event { id, time, region, source, name, user_agent, error, session, function } = &self.event;
        let texts = [id, time, region, source, name, user_agent, error, session, function, &self.ip];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        size_of::<Self>() + texts + self.reason.len()
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
pub fn join_spans(
    one: Option<(Timestamp, Timestamp)>,
    other: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (one, other) {
        (Some((from, to)), Some((other_from, other_to))) => Some((from.min(other_from), to.max(other_to))),
        (one, other) => one.or(other),
    }
}

/// Keeps the smallest addresses, so that which ones are kept does not hang on order.
pub fn join_addresses(addresses: &mut Vec<String>, other: Vec<String>) {
    addresses.extend(other);
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES);
}

/// Adds one address as [`join_addresses`] does. Returns the bytes that it takes.
fn join_address(addresses: &mut Vec<String>, address: &str) -> usize {
    let at = addresses.partition_point(|known| known.as_str() < address);
    if at >= ADDRESSES || addresses.get(at).is_some_and(|known| known == address) {
        return 0;
    }
    addresses.insert(at, address.to_owned());
    addresses.truncate(ADDRESSES);
    address.len()
}

/// Keeps the ids of the smallest keys, each key once. Returns the bytes that this one takes.
fn name(named: &mut Vec<(EventKey, String)>, key: EventKey, id: Option<Cow<'_, str>>) -> usize {
    let at = named.partition_point(|(known, _)| *known < key);
    if at >= EVIDENCE || named.get(at).is_some_and(|(known, _)| *known == key) {
        return 0;
    }
    let Some(id) = id else { return 0 };
    let size = size_of::<(EventKey, String)>() + id.len();
    named.insert(at, (key, id.into_owned()));
    named.truncate(EVIDENCE);
    size
}

fn join_evidence(evidence: &mut Vec<Evidence>, other: Vec<Evidence>) {
    for one in other {
        let at = evidence.partition_point(|known| known.key < one.key);
        let same = evidence.get_mut(at).filter(|known| known.key == one.key);
        match same {
            // Two copies of one event: always the same one is shown.
            Some(known) if one.event.id < known.event.id => *known = one,
            Some(_) => {}
            None if at < EVIDENCE => evidence.insert(at, one),
            None => {}
        }
    }
    evidence.truncate(EVIDENCE);
}

/// Where a finding stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// New.
    Open,
    /// Somebody is at it.
    Acknowledged,
    /// Nobody wants to hear of it for a while.
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
    pub remedy: Cow<'static, str>,
    pub controls: Vec<Cow<'static, str>>,
    pub history: Vec<Step>,
}

/// The statement that let a call pass; told by proof.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AllowedBy {
    pub policy: String,
    pub statement: String,
}

/// A finding as it is kept: what was seen, and what people decided.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What was seen.
    pub sightings: Sightings,
    /// Where it stands.
    pub status: Status,
    /// What led there.
    pub history: Vec<Step>,
}

impl Kept {
    /// A finding that nobody has looked at yet.
    pub fn new(sightings: Sightings) -> Self {
        let status = if sightings.unsuppressed { Status::Open } else { Status::Suppressed };
        Self { sightings, status, history: Vec::new() }.coarsened()
    }

    /// Adds what was seen further. `now` is the time of any step that follows from it.
    pub fn join(&mut self, further: Sightings, now: Timestamp) {
        let keys_before = self.sightings.seen.clone();
        let span_before = self.sightings.span;
        self.sightings.join(further);
        self.coarsen();
        let is_news = keys_before != self.sightings.seen || span_before != self.sightings.span;
        match self.status {
            Status::Resolved if is_news && self.count() > 0 => {
                self.step(Status::Reopened, now, "seen again");
            }
            Status::Suppressed if self.history.is_empty() && self.sightings.unsuppressed => {
                // No suppression ever covered all of it, whichever record came first.
                self.status = Status::Open;
            }
            Status::Open
            | Status::Acknowledged
            | Status::Suppressed
            | Status::Resolved
            | Status::Reopened => {}
        }
    }

    /// The finding as it is shown.
    pub fn finding(&self) -> Finding {
        self.clone().into_finding()
    }

    /// The finding as it is shown.
    pub fn into_finding(self) -> Finding {
        let (count, status, history) = (self.count(), self.status, self.history);
        let Sightings { identity, severity, region, principal, origin, .. } = self.sightings;
        let Sightings { seen, gone, span, mut evidence, named, mut addresses, .. } = self.sightings;
        evidence.retain(|one| !gone.contains(one.key));
        let reason = evidence.first_mut().map(|first| std::mem::take(&mut first.reason)).unwrap_or_default();
        let mut ids: Vec<(EventKey, String)> =
            evidence.into_iter().filter_map(|one| Some((one.key, one.event.id?))).collect();
        ids.extend(named.into_iter().filter(|(key, _)| !gone.contains(*key)));
        ids.sort_unstable_by_key(|(key, _)| *key);
        ids.dedup_by_key(|(key, _)| *key);
        ids.truncate(EVIDENCE);
        let rule = rules::find(&identity.rule);
        let ip = if addresses.len() == 1 { addresses.pop() } else { None };
        Finding {
            id: identity.id(),
            severity,
            status,
            title: rule.map_or_else(|| identity.rule.clone(), |rule| rule.title.into()),
            rule: identity.rule.into_owned(),
            account: identity.account,
            region,
            resources: identity.resources,
            principal,
            origin: Origin { ip, ..origin },
            first_seen: span.map(|(first, _)| first),
            last_seen: span.map(|(_, last)| last),
            count,
            count_is_exact: seen.is_exact(),
            evidence: ids.into_iter().map(|(_, id)| id).collect(),
            reason,
            allowed_by: Vec::new(),
            remedy: rule.map(|rule| rule.remedy.into()).unwrap_or_default(),
            controls: rule
                .map_or(&[][..], |rule| rule.controls)
                .iter()
                .map(|control| (*control).into())
                .collect(),
            history,
        }
    }

    fn step(&mut self, to: Status, at: Timestamp, note: &str) {
        self.history.push(Step { at, from: self.status, to, by: "perimeter".into(), note: note.into() });
        self.status = to;
    }

    /// Beyond exact counts times are kept by the minute, so that a flood does not make a write of
    /// every record.
    fn coarsen(&mut self) {
        if !self.sightings.seen.is_exact() {
            self.sightings.span = self.sightings.span.map(|(from, to)| (minute(from), minute(to)));
        }
    }

    fn coarsened(mut self) -> Self {
        self.coarsen();
        self
    }

    /// How many distinct events, without those that turned out to be something else. Where none is
    /// left it is no finding, and nobody is shown it.
    pub fn count(&self) -> u64 {
        self.sightings.seen.count_without(&self.sightings.gone)
    }
}

fn minute(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(time)
}
