//! All of it at once: a new snapshot is proven, and compared with what the base and the journal made it.
//!
//! What changed without an event goes into the journal as the event that there should have been, and is judged as one.
//! Who gets in, and by no change that is known as a finding, makes a finding of what stands. A finding of a change is
//! mended once undoing the change would make no difference any more; one of what stands, once it does not. The new base
//! is written last: a sweep that was cut off is made again from the old one, and comes to the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::judge::{Ground, Judged, SKEW, Watcher, number, undone};
use super::replay::replayed;
use super::store::{Base, Entry, StateStore};
use super::unseen;
use crate::audit::case::{Case, Event, Proven};
use crate::audit::rules;
use crate::findings::finding::{Identity, Kept, Status};
use crate::findings::lifecycle::{Decision, Transition};
use crate::findings::sample::EventKey;
use crate::findings::store::{DecisionError, FindingStore, Query, StoreError};
use crate::gzip;
use crate::iam::state::snapshot::Snapshot;
use crate::iam::state::{Edit, State, Text};
use crate::ids::Arn;
use crate::perimeter::inventory;
use crate::perimeter::principal::Principal;
use crate::perimeter::{Endpoint, Perimeter};
use crate::pipeline::Auditor;
use crate::reach::change::Opened;
use crate::reach::sweep::{Sweep, Swept};
use crate::reach::texts::Texts;

/// By whom a sweep resolves.
const SWEEPER: &str = "sweeper";
/// What is not known that a finding names.
const NAMED: usize = 3;

/// So many changes are each tried for having mended something.
const FEW: usize = 100;

/// What a sweep is made of.
#[derive(Debug)]
pub struct Sweeping<'s> {
    pub perimeter: &'s Perimeter,
    pub snapshot: &'s Snapshot,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Its JSON, packed by gzip.
    pub packed: Vec<u8>,
    pub threads: usize,
}

/// What a sweep came to.
#[derive(Debug, Default)]
pub struct Report {
    /// What is proven of what stands.
    pub swept: Swept,
    /// What changed without an event.
    pub unseen: usize,
    /// Findings that were written.
    pub findings: BTreeSet<String>,
    /// Findings that are mended, and by what.
    pub resolved: BTreeMap<String, String>,
    /// What is kept and cannot be read.
    pub damaged: Vec<StoreError>,
}

impl<S: FindingStore + StateStore> Watcher<'_, S> {
    /// Sweeps.
    ///
    /// # Errors
    /// Where the store fails; the sweep is then to be made again. [`StoreError::Refused`]: the base is of later.
    pub async fn sweep(&self, sweeping: Sweeping<'_>) -> Result<Report, StoreError> {
        let old = self.ground(None).await?;
        if let Some(old) = old.as_ref().filter(|old| old.taken_at > sweeping.taken_at) {
            let why = format!("the snapshot is of {}, and the base of {}", sweeping.taken_at, old.taken_at);
            return Err(StoreError::Refused(why));
        }
        if sweeping.taken_at > self.now.saturating_add(SKEW).unwrap_or(self.now) {
            // It would be the base for good: no later one could take its place.
            return Err(StoreError::Refused(format!("the snapshot is of the future: {}", sweeping.taken_at)));
        }
        let mut report = Report::default();
        let mut judged = Judged::default();
        self.learn_endpoints(&sweeping.packed).await?;
        if let Some(old) = &old {
            self.window(old, &mut judged).await?;
            report.unseen = self.drift(old, &sweeping, &mut judged).await?;
        }
        let since = old.as_ref().map_or(sweeping.taken_at, |old| old.taken_at);
        let window = self.store.window(since).await?;
        let entries = window.entries;
        let begin = old.as_ref().map_or(&sweeping.snapshot.state, |old| &old.state);
        let texts = Texts::default();
        let past = Past {
            auditor: self.auditor,
            perimeter: sweeping.perimeter,
            begin,
            entries: &entries,
            texts: &texts,
            now: self.now,
        };
        let is_whole = is_whole(old.as_ref(), sweeping.snapshot);
        let current = self.brought_up(&sweeping, &entries);
        let standing = self.mended((&current, is_whole), &past, &sweeping, &mut report).await?;
        report.swept = prove(&current, &sweeping);
        let found = self.stands(&current, &standing, &sweeping, &report.swept, &mut judged).await?;
        if is_whole {
            self.gone(&found, &sweeping, &mut report).await?;
        }
        report.findings = judged.findings;
        report.damaged.extend(judged.damaged);
        self.store.rebase(&Base { taken_at: sweeping.taken_at, snapshot: sweeping.packed }).await?;
        Ok(report)
    }

    /// What stands by the snapshot, and by the changes since it was begun.
    fn brought_up(&self, sweeping: &Sweeping<'_>, entries: &[Entry]) -> State {
        let mut state = sweeping.snapshot.state.clone();
        let later = entries.partition_point(|entry| entry.time < sweeping.taken_at);
        replayed(self.auditor, &mut state, entries.get(later..).unwrap_or_default());
        state
    }

    /// Adds the endpoints of a snapshot to the inventory by which calls are judged; one of which it is not told where it is
    /// adds nothing. What was known first stays.
    async fn learn_endpoints(&self, packed: &[u8]) -> Result<(), StoreError> {
        for endpoint in described_in(packed) {
            if self.store.learn_endpoint(&endpoint).await? {
                tracing::info!(
                    endpoint = endpoint.id.as_str(),
                    vpc = endpoint.vpc.id,
                    "an endpoint is known now"
                );
            }
        }
        Ok(())
    }

    /// Puts into the journal, and judges, what changed without an event. Returns how much.
    async fn drift(
        &self,
        old: &Ground,
        sweeping: &Sweeping<'_>,
        judged: &mut Judged,
    ) -> Result<usize, StoreError> {
        let entries = self.store.window(old.taken_at).await?.entries;
        let mut expected = State::clone(&old.state);
        replayed(self.auditor, &mut expected, &entries);
        // What happened since the snapshot was begun may be in it, or not: it is on both sides.
        let found = self.brought_up(sweeping, &entries);
        let edits: Vec<Edit> = expected
            .edits_to(&found)
            .into_iter()
            .filter(|edit| !is_first_of_its_place(edit, &expected))
            .collect();
        let unseen = unseen::entries(&edits, expected, sweeping.perimeter, sweeping.taken_at);
        self.append(&unseen).await?;
        if !unseen.is_empty() {
            self.window(old, judged).await?;
        }
        Ok(unseen.len())
    }

    /// Resolves the findings of changes that are mended. Returns how those would be undone that are not. Where the snapshot
    /// is not whole, only those are resolved that a change has mended: what is not there was perhaps not read.
    async fn mended(
        &self,
        (current, is_whole): (&State, bool),
        past: &Past<'_>,
        sweeping: &Sweeping<'_>,
        report: &mut Report,
    ) -> Result<Vec<Edit>, StoreError> {
        let mut standing = Vec::new();
        for kept in self.unresolved(&Query::default()).await? {
            let id = kept.sightings.identity.id();
            let (seen, gone) = (&kept.sightings.seen, &kept.sightings.gone);
            let counts = |key: EventKey| seen.contains(key) && !gone.contains(key);
            let undo = self.store.undo(&id).await?.into_iter().filter(|(key, _)| counts(*key));
            let undo: Vec<(EventKey, Vec<Edit>)> = undo.collect();
            // Not every event has left how it would be undone: then it cannot be told.
            if undo.is_empty() || (undo.len() as u64) < kept.count() {
                continue;
            }
            let mending = past.mending(&kept, &undo);
            let is_told = mending.as_ref().is_some_and(|mending| !mending.is_unseen);
            let stands = || undo.iter().any(|(_, undo)| past.stands(undo, current));
            if !is_told && (!is_whole || stands()) {
                // What cannot be read explains nobody's way in.
                if kept.sightings.identity.rule != rules::CHANGE_UNREADABLE.id {
                    standing.extend(undo.into_iter().map(|(key, undo)| (past.place_of(key), undo)));
                }
            } else {
                self.resolve(&id, mending, sweeping.taken_at, report).await?;
            }
        }
        // The last first.
        standing.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        Ok(standing.into_iter().flat_map(|(_, undo)| undo).collect())
    }

    async fn resolve(
        &self,
        id: &str,
        by: Option<Mending>,
        taken_at: Timestamp,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let transition = match by {
            Some(Mending { event, what, is_unseen: false }) if !event.is_empty() => {
                Transition::ResolveByChange { event, what }
            }
            Some(_) | None => Transition::Resolve { reason: format!("no longer seen, as of {taken_at}") },
        };
        let note = match &transition {
            Transition::ResolveByChange { event, .. } => format!("by the change {event}"),
            _ => "no longer seen".to_owned(),
        };
        let decision = Decision::new(transition, SWEEPER, taken_at)
            .map_err(|unfit| StoreError::Refused(unfit.to_string()))?;
        match self.store.decide(id, &decision).await {
            Ok(_) => {
                report.resolved.insert(id.to_owned(), note);
                Ok(())
            }
            // Somebody else was faster, or it is gone.
            Err(DecisionError::Refused(_) | DecisionError::Unknown(_)) => Ok(()),
            Err(DecisionError::Store(error)) => Err(error),
        }
    }

    /// Findings that are not resolved.
    async fn unresolved(&self, query: &Query) -> Result<Vec<Kept>, StoreError> {
        let statuses = vec![Status::Open, Status::Acknowledged, Status::Suppressed, Status::Reopened];
        let query = Query { statuses, ..query.clone() };
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = self.store.list(&query, after, self.now).await?;
            all.extend(page);
            after = next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Writes findings of who gets in by no change that is known, and of what is not known. Returns their ids.
    async fn stands(
        &self,
        current: &State,
        standing: &[Edit],
        sweeping: &Sweeping<'_>,
        swept: &Swept,
        judged: &mut Judged,
    ) -> Result<BTreeSet<String>, StoreError> {
        let unexplained = if standing.is_empty() {
            ways(&swept.opened)
        } else {
            // Who would get in just so if those changes had not been made.
            let without = prove(&undone(current, standing).0, sweeping);
            let still = ways(&without.opened);
            ways(&swept.opened)
                .into_iter()
                .filter_map(|(who, tables)| {
                    // Of whom that cannot be told, no change is known to have let them in.
                    if is_untold(&who, &without) {
                        return Some((who, tables));
                    }
                    let known = still.get(&who)?;
                    let left: BTreeMap<_, _> =
                        tables.into_iter().filter(|(table, _)| known.contains_key(table)).collect();
                    (!left.is_empty()).then_some((who, left))
                })
                .collect()
        };
        let mut found = BTreeSet::new();
        for (who, tables) in unexplained {
            found.extend(self.stand(open_case(&who, &tables, sweeping), sweeping, judged).await?);
        }
        for (account, untold) in by_account(&swept.untold) {
            found.extend(self.stand(untold_case(account, &untold, sweeping), sweeping, judged).await?);
        }
        Ok(found)
    }

    /// Resolves findings of what stands no longer; `found`: those of what does.
    async fn gone(
        &self,
        found: &BTreeSet<String>,
        sweeping: &Sweeping<'_>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        for kept in self.unresolved(&Query::default()).await? {
            let id = kept.sightings.identity.id();
            if is_of_a_sweep(&kept.sightings.identity) && !found.contains(&id) {
                self.resolve(&id, None, sweeping.taken_at, report).await?;
            }
        }
        Ok(())
    }

    /// Writes a finding of what stands. Returns its id, where the rule is not off.
    async fn stand(
        &self,
        case: Case,
        sweeping: &Sweeping<'_>,
        judged: &mut Judged,
    ) -> Result<Option<String>, StoreError> {
        let at = sweeping.taken_at.to_string();
        let event = Event {
            id: Some(format!("sweep-{at}")),
            time: Some(at.clone()),
            name: Some("a sweep".to_owned()),
            ..Event::default()
        };
        let Some(delta) = self.auditor.standing(&case, event, at.as_bytes()) else { return Ok(None) };
        let kept = self.store.record(delta, self.now).await?;
        let id = kept.sightings.identity.id();
        judged.findings.insert(id.clone());
        Ok(Some(id))
    }
}

/// What stood, from the old base on.
struct Past<'p> {
    auditor: &'p Auditor<'p>,
    perimeter: &'p Perimeter,
    begin: &'p State,
    entries: &'p [Entry],
    texts: &'p Texts,
    now: Timestamp,
}

/// The change that mended something.
struct Mending {
    event: String,
    what: String,
    is_unseen: bool,
}

impl Past<'_> {
    /// Where in the journal a change is that counts in a finding under this number.
    fn place_of(&self, key: EventKey) -> Option<usize> {
        self.entries.iter().position(|entry| is_number_of(entry, key))
    }

    /// Would what made a finding make one yet, as things stand? Where it is not known what was before, nobody can tell.
    fn stands(&self, undo: &[Edit], state: &State) -> bool {
        if undo.iter().any(Edit::is_untold) {
            return true;
        }
        let (mut without, back) = undone(state, undo);
        unseen::entries(&back, without.clone(), self.perimeter, Timestamp::UNIX_EPOCH).iter().any(|entry| {
            let one = self.auditor.pending(&entry.record, true);
            one.is_ok_and(|one| self.auditor.prove(&mut without, one, self.texts, self.now).is_some())
        })
    }

    /// The first change after which none of `undo` stands any more, behind the last that made the finding. Of many, only
    /// those are tried that touch what the finding is about, or more than one role or table.
    fn mending(&self, kept: &Kept, undo: &[(EventKey, Vec<Edit>)]) -> Option<Mending> {
        let made = |entry: &Entry| undo.iter().any(|(key, _)| is_number_of(entry, *key));
        let from = self.entries.iter().rposition(made).map_or(0, |last| last + 1);
        let mut state = self.begin.clone();
        replayed(self.auditor, &mut state, self.entries.get(..from).unwrap_or_default());
        let any_stands = |state: &State| undo.iter().any(|(_, undo)| self.stands(undo, state));
        // Where it does not stand as far as is known, what is known does not reach back to it.
        if !any_stands(&state) {
            return None;
        }
        for entry in self.entries.get(from..).unwrap_or_default() {
            let Ok(one) = self.auditor.pending(&entry.record, entry.is_unseen) else { continue };
            replayed(self.auditor, &mut state, std::slice::from_ref(entry));
            let may_mend = self.entries.len() <= FEW || one.may_touch(&kept.sightings.identity.resources);
            if may_mend && !any_stands(&state) {
                let event = one.event_id().unwrap_or_default().to_owned();
                return Some(Mending { event, what: one.what().to_owned(), is_unseen: entry.is_unseen });
            }
        }
        None
    }
}

fn is_number_of(entry: &Entry, key: EventKey) -> bool {
    (0..=entry.mark.turn).any(|turn| number(entry.key, turn) == key)
}

fn prove(state: &State, sweeping: &Sweeping<'_>) -> Swept {
    let Sweeping { perimeter, taken_at, threads, .. } = *sweeping;
    Sweep { state, perimeter, now: taken_at, threads }.run()
}

/// A table of a place where none was known before may not have been read before.
fn is_first_of_its_place(edit: &Edit, known: &State) -> bool {
    let place = |arn: &str| Arn::parse(arn).map(|arn| (arn.account.to_owned(), arn.region.to_owned()));
    match edit {
        Edit::TableMade { table, .. } => !known.tables.keys().any(|arn| place(arn) == place(table)),
        _ => false,
    }
}

/// Endpoints of a snapshot, those of which it is told where they are.
fn described_in(packed: &[u8]) -> Vec<Endpoint> {
    #[derive(Default, Deserialize)]
    struct Written {
        #[serde(default)]
        endpoints: Listed,
    }
    #[derive(Default, Deserialize)]
    struct Listed {
        #[serde(rename = "VpcEndpoints", default)]
        items: Vec<serde_json::Value>,
    }
    let text = gzip::unpack(packed, gzip::MAX_UNPACKED).unwrap_or_default();
    let written: Written = serde_json::from_slice(&text).unwrap_or_default();
    let alone = |item| json!({ "VpcEndpoints": [item] }).to_string();
    written
        .endpoints
        .items
        .into_iter()
        .filter_map(|item| inventory::described(&alone(item)).ok())
        .flatten()
        .collect()
}

/// Is all in the snapshot that was known before? What could not be read is not mended.
fn is_whole(old: Option<&Ground>, snapshot: &Snapshot) -> bool {
    let now = &snapshot.state;
    let is_untold = |text: Option<&Text>| text == Some(&Text::Untold);
    let tables = now.tables.values().any(|table| is_untold(table.policy.as_ref()));
    let controls = now.organization.policies.values().any(|policy| policy.text == Text::Untold);
    let is_there = |old: &Ground| {
        let (had, has) = (&old.state.organization, &now.organization);
        let is_told = |node: &String| has.attached.contains_key(node) || !has.parents.contains_key(node);
        old.state.read.is_subset(&now.read)
            && (had.parents.is_empty() || !has.parents.is_empty())
            && had.attached.keys().all(is_told)
    };
    snapshot.unread.is_empty() && !tables && !controls && old.is_none_or(is_there)
}

/// Is it a finding of what stands, and of no change or call?
fn is_of_a_sweep(identity: &Identity) -> bool {
    let of_account = |account: &String| identity.resources == [whole(account)];
    (identity.rule == rules::PERIMETER_OPENED.id && identity.principal.is_some())
        || (identity.rule == rules::UNDETERMINED.id && identity.account.as_ref().is_some_and(of_account))
}

/// The ARN that stands for a whole account.
fn whole(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// May somebody get in, without its being told?
fn is_untold((who, owner): &Way, swept: &Swept) -> bool {
    let account = Arn::parse(who).map(|arn| arn.account);
    swept.untold.keys().any(|untold| {
        let of = Arn::parse(untold).map_or(untold.as_str(), |arn| arn.account);
        untold == who || untold == owner || Some(of) == account
    })
}

/// Who gets in, and the account of the tables.
type Way = (String, String);

/// Ways in, those of one caller to one account's tables together.
fn ways(opened: &[Opened]) -> BTreeMap<Way, BTreeMap<String, Opened>> {
    let mut all: BTreeMap<Way, BTreeMap<String, Opened>> = BTreeMap::new();
    for way in opened {
        let owner = Arn::parse(&way.request.resource).map(|arn| arn.account.to_owned());
        let caller = Arn::parse(&way.principal).map(|arn| arn.account.to_owned());
        let owner = owner.filter(|account| crate::ids::is_account(account)).or(caller).unwrap_or_default();
        all.entry((way.principal.clone(), owner)).or_default().insert(way.table.clone(), way.clone());
    }
    all
}

fn open_case((who, owner): &Way, tables: &BTreeMap<String, Opened>, sweeping: &Sweeping<'_>) -> Case {
    let request = tables.values().next().map(|way| way.request.clone());
    let why = match request {
        Some(request) => format!(
            "from outside, it may do {} to {}{}",
            request.action,
            request.resource,
            if tables.len() > 1 {
                format!(", and reaches {} tables in all", tables.len())
            } else {
                String::new()
            }
        ),
        None => "it gets in from outside".to_owned(),
    };
    let resources = tables.keys().cloned().collect();
    let proven = Proven { rule: &rules::PERIMETER_OPENED, why };
    Case::standing(
        Principal::of_arn(who),
        owner.clone(),
        resources,
        proven,
        sweeping.perimeter,
        sweeping.taken_at,
    )
}

/// What is not known, by account.
fn by_account(
    untold: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<String, Vec<(&String, &BTreeSet<String>)>> {
    let mut all: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (who, why) in untold {
        let account = Arn::parse(who).map_or(who.as_str(), |arn| arn.account);
        all.entry(account.to_owned()).or_default().push((who, why));
    }
    all
}

fn untold_case(account: String, untold: &[(&String, &BTreeSet<String>)], sweeping: &Sweeping<'_>) -> Case {
    let said = |(who, why): &(&String, &BTreeSet<String>)| {
        let why: Vec<&str> = why.iter().take(NAMED).map(String::as_str).collect();
        format!("{who}: it is not known {}", why.join(", nor "))
    };
    let named: Vec<String> = untold.iter().take(NAMED).map(said).collect();
    let more = match untold.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let why = format!("it cannot be told whether some get in from outside: {}{more}", named.join("; "));
    let proven = Proven { rule: &rules::UNDETERMINED, why };
    let resources = vec![whole(&account)];
    Case::standing(Principal::unknown(), account, resources, proven, sweeping.perimeter, sweeping.taken_at)
}
