//! What a scan's own list is made of, beyond what memory should hold: findings and corrections, on disk.
//!
//! Where there is no room on disk, the worst of the findings stay in memory, and that others are missing is
//! said: a list of all of them in whatever memory it takes might be no list at all.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::listed::{Listed, Lister};
use super::runs::{Entry, Runs, joined};
use crate::findings::finding::{Finding, Kept, Sightings, Status, Step};
use crate::findings::replaced::{Replaced, Replacements, note};
use crate::findings::sample::EventKey;
use crate::findings::store::{CALLER_HALF, Correction, Delta};

/// Findings that are kept and listed at once: while they go into a store, they are in memory twice.
const AT_ONCE: usize = 64;

/// What people decided about findings, by their ids.
pub type Decided = HashMap<String, (Status, Vec<Step>)>;

/// What was gathered for the list and had to leave memory.
pub struct Spilled {
    folder: PathBuf,
    findings: Runs,
    replaced: Runs,
    /// Findings for which there was no room on disk, by rising ids.
    rest: Vec<Entry<Delta>>,
    /// Bytes of those that may stay in memory.
    limit: usize,
    /// Corrections that are held.
    replacements: Replacements,
    /// Bytes that those take, roughly.
    weight: usize,
    no_room: Option<String>,
}

/// A list, and why it is not whole.
pub type MaybeWhole = (Listed, Option<String>);

impl Spilled {
    /// Nothing yet. It goes into `folder`; what finds no room there may take `limit` bytes of memory.
    pub fn new(folder: &Path, limit: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            findings: Runs::new(folder),
            replaced: Runs::new(folder),
            rest: Vec::new(),
            limit,
            replacements: Replacements::new(),
            weight: 0,
            no_room: None,
        }
    }

    /// Remembers a correction.
    pub fn note(&mut self, correction: &Correction) {
        self.weight += note(&mut self.replacements, correction);
    }

    /// Bytes that spilling makes room of, roughly.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Writes out findings, and the corrections that are held. Where there is no room for all findings, they are
    /// given to `keep` before some are let go.
    pub fn spill(&mut self, findings: Vec<Delta>, keep: impl FnOnce(&[Entry<Delta>])) {
        let findings = self.with_rest(findings);
        if let Err(error) = self.findings.push(&findings) {
            self.say(&error);
            keep(&findings);
            self.rest = worst(findings, self.limit);
        }
        let corrections: Vec<_> = std::mem::take(&mut self.replacements).into_iter().collect();
        if corrections.is_empty() {
            return;
        }
        match self.replaced.push(&corrections) {
            Ok(()) => self.weight = 0,
            Err(error) => {
                self.say(&error);
                if self.weight <= self.limit {
                    self.replacements = corrections.into_iter().collect();
                } else {
                    self.weight = 0;
                }
            }
        }
    }

    fn with_rest(&mut self, findings: Vec<Delta>) -> Vec<Entry<Delta>> {
        let rest = std::mem::take(&mut self.rest).into_iter();
        joined(rest.chain(findings.into_iter().map(|delta| (delta.sightings.identity.id(), delta))))
    }

    /// All findings, these `last` ones included, in their order and without the events that count nowhere. Each is
    /// given to `keep` first, some at once, which says what people decided about them; others stand as they do at
    /// `now`.
    pub fn listed(
        mut self,
        last: Vec<Delta>,
        now: Timestamp,
        mut keep: impl FnMut(&[Entry<Delta>]) -> Decided,
    ) -> MaybeWhole {
        let corrected = self.corrected();
        let mut lister = self.lister();
        let held = self.with_rest(last);
        let mut merged = self.findings.merged(held);
        loop {
            let mut part = Vec::with_capacity(AT_ONCE);
            for entry in merged.by_ref().take(AT_ONCE) {
                match entry {
                    Ok(entry) => part.push(entry),
                    Err(error) => self.say(&error),
                }
            }
            if part.is_empty() {
                break;
            }
            let mut decided = keep(&part);
            for seen in part.into_iter().filter_map(shown) {
                let added = add(&mut lister, Kept::new(seen, now), &corrected, &mut decided);
                added.unwrap_or_else(|error| self.say(&error));
            }
        }
        let (listed, ended) = lister.listed();
        ended.unwrap_or_else(|error| self.say(&error));
        (listed, self.no_room)
    }

    fn lister(&mut self) -> Lister {
        if self.findings.is_empty() {
            return Lister::in_memory();
        }
        Lister::on_disk(&self.folder).unwrap_or_else(|error| {
            self.say(&error);
            Lister::first_alone()
        })
    }

    /// The events that count nowhere, rising: of each no more than its number is in memory.
    fn corrected(&mut self) -> Vec<EventKey> {
        let held = std::mem::take(&mut self.replacements).into_iter().collect();
        let mut corrected = Vec::new();
        for entry in self.replaced.merged::<Replaced>(held) {
            match entry {
                Ok((key, replaced)) => corrected.extend(replaced.corrected(key)),
                Err(error) => self.say(&error),
            }
        }
        corrected.sort_unstable();
        corrected
    }

    fn say(&mut self, error: &io::Error) {
        self.no_room.get_or_insert_with(|| {
            let folder = self.folder.display();
            format!("what memory cannot hold goes to `{folder}` (TMPDIR), and that failed: {error}")
        });
    }
}

/// What is shown of a finding.
fn shown((_, delta): Entry<Delta>) -> Option<Sightings> {
    (delta.sightings.identity.rule != CALLER_HALF).then_some(delta.sightings)
}

fn add(lister: &mut Lister, mut kept: Kept, corrected: &[EventKey], decided: &mut Decided) -> io::Result<()> {
    kept.sightings.take_out(|key| corrected.binary_search(&key).is_ok());
    if kept.count() == 0 {
        return Ok(());
    }
    lister.add(decide(kept.into_finding(), decided))
}

fn decide(mut finding: Finding, decided: &mut Decided) -> Finding {
    if let Some((status, history)) = decided.remove(&finding.id) {
        (finding.status, finding.history) = (status, history);
    }
    finding
}

/// The most severe, as many as fit into so many bytes, by rising ids.
fn worst(mut findings: Vec<Entry<Delta>>, limit: usize) -> Vec<Entry<Delta>> {
    findings.sort_by_key(|(_, delta)| Reverse(delta.sightings.severity));
    let mut bytes = 0;
    let mut fits = |(_, delta): &Entry<Delta>| {
        bytes += delta.weight();
        bytes <= limit
    };
    let fitting = findings.iter().take_while(|entry| fits(entry)).count();
    findings.truncate(fitting);
    findings.shrink_to_fit();
    findings.sort_by(|(one, _), (other, _)| one.cmp(other));
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::audit::case::Event;
    use crate::audit::rule::Severity;
    use crate::findings::finding::{Evidence, Identity};
    use crate::findings::sample::Sample;
    use crate::perimeter::exception::Coverage;
    use crate::perimeter::origin::{Origin, OriginKind};
    use crate::perimeter::principal::Principal;

    const LIMIT: usize = 1 << 20;

    fn key(table: u16, event: u8) -> EventKey {
        EventKey::of(&[table.to_be_bytes().as_slice(), &[event]].concat())
    }

    fn seen(table: u16, event: u8) -> Delta {
        Delta { sightings: sightings(table, event), waiting: Vec::new(), halves: Vec::new() }
    }

    fn nobody(_: &[Entry<Delta>]) -> Decided {
        Decided::new()
    }

    fn sightings(table: u16, event: u8) -> Sightings {
        let key = key(table, event);
        let mut seen = Sample::default();
        seen.insert(key);
        let time = Timestamp::from_second(1_772_000_000 + i64::from(event)).ok();
        let event = Event { id: Some(format!("{table}-{event}")), ..Event::default() };
        Sightings {
            identity: Identity {
                rule: "public-access".into(),
                account: None,
                principal: None,
                resources: vec![format!("table/{table}\n\"")],
                origin: OriginKind::Public,
                endpoint: None,
            },
            severity: Severity::ALL[usize::from(table) % Severity::ALL.len()],
            region: None,
            principal: Principal::unknown(),
            origin: Origin::unknown(),
            seen,
            gone: Sample::default(),
            span: time.map(|time| (time, time)),
            addresses: Vec::new(),
            allowed_by: Vec::new(),
            guard: None,
            session: None,
            evidence: vec![Evidence { key, event, ip: None, reason: "because.".into() }],
            named: Vec::new(),
            coverage: Coverage::Uncovered,
        }
    }

    fn told(listed: &Listed) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let mut told = Vec::new();
        for finding in listed.iter() {
            told.push(serde_json::to_string(&finding?)?);
        }
        Ok(told)
    }

    fn correction(table: u16, event: u8, by: u8) -> Correction {
        let (key, by) = (key(table, event), key(u16::MAX, by));
        Correction { key, by, time: String::new(), accounts: Vec::new() }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn findings_on_disk_are_those_in_memory(
            runs in prop::collection::vec(prop::collection::vec((0u16..30, 0u8..40), 0..20), 1..150),
        ) {
            let decided = || Decided::from([(sightings(4, 0).identity.id(), (Status::Acknowledged, Vec::new()))]);
            let all = runs.iter().flatten().map(|(table, event)| seen(*table, *event));
            let folder = tempfile::tempdir()?;
            let mut in_memory = Spilled::new(folder.path(), LIMIT);
            let mut on_disk = Spilled::new(folder.path(), LIMIT);
            for event in 0..40 {
                in_memory.note(&correction(3, event, event));
            }
            for (n, run) in runs.iter().enumerate() {
                on_disk.note(&correction(3, (n % 40) as u8, n as u8));
                on_disk.spill(run.iter().map(|(table, event)| seen(*table, *event)).collect(), |_| {});
            }
            (0..40).for_each(|event| on_disk.note(&correction(3, event, event)));
            let (in_memory, why) = in_memory.listed(all.collect(), Timestamp::UNIX_EPOCH, |_| decided());
            prop_assert_eq!(why, None);
            let (on_disk, why) = on_disk.listed(Vec::new(), Timestamp::UNIX_EPOCH, |_| decided());
            prop_assert_eq!(why, None);
            let told = |listed| told(listed).map_err(|error| TestCaseError::fail(error.to_string()));
            prop_assert_eq!(told(&in_memory)?, told(&on_disk)?);
            prop_assert_eq!(in_memory.severities(), on_disk.severities());
            prop_assert!(on_disk.is_whole() && in_memory.is_whole());
            prop_assert_eq!(serde_json::to_value(&on_disk).ok(), serde_json::to_value(&in_memory).ok());
        }
    }

    #[test]
    fn where_there_is_no_room_the_worst_are_listed_and_that_is_said() -> Result<(), Box<dyn std::error::Error>>
    {
        let folder = Path::new("/nowhere/at/all");
        let enough = 300 * seen(0, 0).weight();
        let mut spilled = Spilled::new(folder, enough);
        let mut kept = 0;
        for part in 0..20u16 {
            for event in 0..2 {
                spilled
                    .spill((0..50).map(|n| seen(part * 50 + n, event)).collect(), |part| kept += part.len());
            }
            let held: usize = spilled.rest.iter().map(|(_, delta)| delta.weight()).sum();
            assert!(held <= enough, "{held}");
        }
        assert!(kept >= 2000, "all are given to the store: {kept}");
        let last = (0..10).map(|n| seen(n, 2)).collect();
        let (listed, why) = spilled.listed(last, Timestamp::UNIX_EPOCH, nobody);
        let why = why.ok_or("it is not said")?;
        assert!(why.contains("`/nowhere/at/all` (TMPDIR)"), "{why}");
        // Of 1,000 findings a fifth is critical; with two events each these weigh more than one does.
        let found = told(&listed)?;
        assert!(found.len() > 100 && listed.is_whole(), "{}", found.len());
        let critical = listed.first().iter().filter(|finding| finding.severity == Severity::Critical);
        let critical: BTreeSet<&String> = critical.map(|finding| &finding.id).collect();
        assert!(critical.len() > 100, "{}", critical.len());
        assert!(listed.first().iter().skip(critical.len() + 2).all(|one| one.severity < Severity::Critical));
        Ok(())
    }

    #[test]
    fn where_the_room_ends_before_the_list_the_first_are_listed() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("runs");
        std::fs::create_dir(&path)?;
        let mut spilled = Spilled::new(&path, LIMIT);
        spilled.spill((0..1500).map(|n| seen(n, 0)).collect(), |_| {});
        std::fs::remove_dir(&path)?;
        let (listed, why) =
            spilled.listed((1500..1600).map(|n| seen(n, 0)).collect(), Timestamp::UNIX_EPOCH, nobody);
        assert!(why.is_some_and(|why| why.contains("runs` (TMPDIR)")));
        assert_eq!((listed.count(), told(&listed)?.len(), listed.is_whole()), (1600, 1000, false));
        let severities: Vec<Severity> = listed.first().iter().map(|finding| finding.severity).collect();
        assert!(severities.is_sorted_by_key(|severity| Reverse(*severity)));
        Ok(())
    }
}
