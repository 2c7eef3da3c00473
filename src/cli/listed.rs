//! The findings of one scan, the worst and latest first: in memory, or where they are too many for that,
//! on disk.
//!
//! On disk they are first in runs, each sorted by the findings' ids; the runs are merged in the end, so that
//! what several of them have of one finding is joined. In memory is then no more than where each stands.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use jiff::Timestamp;
use serde::ser::{Error as _, Serialize, SerializeSeq, Serializer};

use crate::audit::rule::Severity;
use crate::findings::finding::{Finding, Kept, Sightings, Status, Step};
use crate::findings::sample::EventKey;

/// Findings that are at hand where there are more on disk.
const AT_HAND: usize = 1000;

/// Runs that are open at once; more are merged into one.
const MAX_RUNS: usize = 64;

/// What people decided about findings, by their ids.
pub type Decided = HashMap<String, (Status, Vec<Step>)>;

/// Findings in their order.
#[derive(Default)]
pub struct Listed {
    /// The first of them; all, where none are on disk.
    first: Vec<Finding>,
    on_disk: Option<OnDisk>,
    severities: [u64; Severity::ALL.len()],
}

struct OnDisk {
    file: RefCell<BufReader<File>>,
    /// Where each begins.
    places: Vec<u64>,
}

impl Listed {
    /// The findings that sightings, each of another finding, make.
    pub fn here(sightings: impl Iterator<Item = Sightings>, mut decided: Decided) -> Self {
        let kept = sightings.map(Kept::new).filter(|kept| kept.count() > 0);
        let mut first: Vec<Finding> = kept.map(|kept| decide(kept.into_finding(), &mut decided)).collect();
        first.sort_by_cached_key(Rank::of);
        let mut listed = Self { first, ..Self::default() };
        listed.first.iter().for_each(|finding| count(&mut listed.severities, finding));
        listed
    }

    /// The first of them: all, where there are not very many.
    pub fn first(&self) -> &[Finding] {
        &self.first
    }

    /// How many there are of each severity, in the order of [`Severity::ALL`].
    pub fn severities(&self) -> [u64; Severity::ALL.len()] {
        self.severities
    }

    /// How many there are besides the first.
    pub fn more(&self) -> u64 {
        self.severities.iter().sum::<u64>() - self.first.len() as u64
    }

    /// All of them.
    ///
    /// # Errors
    /// Where one cannot be read from disk.
    pub fn iter(&self) -> impl Iterator<Item = io::Result<Cow<'_, Finding>>> {
        let on_disk = self.on_disk.iter().flat_map(|disk| disk.places.iter().map(|at| disk.read(*at)));
        let in_memory = self.first.iter().take(if self.on_disk.is_none() { usize::MAX } else { 0 });
        in_memory
            .map(|finding| Ok(Cow::Borrowed(finding)))
            .chain(on_disk.map(|finding| finding.map(Cow::Owned)))
    }
}

impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for finding in self.iter() {
            list.serialize_element(&finding.map_err(S::Error::custom)?)?;
        }
        list.end()
    }
}

impl OnDisk {
    fn read(&self, at: u64) -> io::Result<Finding> {
        let mut file = self.file.borrow_mut();
        let here = file.stream_position()?;
        file.seek_relative(at.cast_signed() - here.cast_signed())?;
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

fn count(severities: &mut [u64; Severity::ALL.len()], finding: &Finding) {
    if let Some(count) = severities.get_mut(finding.severity as usize) {
        *count += 1;
    }
}

fn decide(mut finding: Finding, decided: &mut Decided) -> Finding {
    if let Some((status, history)) = decided.remove(&finding.id) {
        (finding.status, finding.history) = (status, history);
    }
    finding
}

/// The order of the list.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Rank(Reverse<Severity>, Reverse<Option<Timestamp>>, Box<str>);

impl Rank {
    fn of(finding: &Finding) -> Self {
        Self(Reverse(finding.severity), Reverse(finding.last_seen), finding.id.as_str().into())
    }
}

/// What was gathered of findings and had to leave memory.
#[derive(Default)]
pub struct Runs {
    runs: Vec<File>,
}

/// A line of a run: a finding's id and what was seen of it.
type Entry = (String, Sightings);

impl Runs {
    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Writes sightings, each of another finding.
    ///
    /// # Errors
    /// Where there is no room for them.
    pub fn push(&mut self, sightings: impl Iterator<Item = Sightings>) -> io::Result<()> {
        let mut entries: Vec<Entry> = sightings.map(|seen| (seen.identity.id(), seen)).collect();
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.runs.push(write_run(entries.into_iter().map(Ok))?);
        if self.runs.len() > MAX_RUNS {
            let merged = write_run(Merge::new(std::mem::take(&mut self.runs))?)?;
            self.runs.push(merged);
        }
        Ok(())
    }

    /// All findings in their order, without the events that count nowhere.
    ///
    /// # Errors
    /// Where what was written cannot be read, or there is no room for all of it.
    pub fn listed(self, corrected: &BTreeSet<EventKey>, mut decided: Decided) -> io::Result<Listed> {
        let mut file = BufWriter::new(tempfile::tempfile()?);
        let mut severities = [0; Severity::ALL.len()];
        let mut ranked: Vec<(Rank, u64)> = Vec::new();
        let mut at = 0;
        for entry in Merge::new(self.runs)? {
            let (_, mut seen) = entry?;
            seen.take_out(|key| corrected.contains(&key));
            let kept = Kept::new(seen);
            if kept.count() == 0 {
                continue;
            }
            let finding = decide(kept.into_finding(), &mut decided);
            count(&mut severities, &finding);
            let line = serde_json::to_vec(&finding)?;
            file.write_all(&line)?;
            file.write_all(b"\n")?;
            ranked.push((Rank::of(&finding), at));
            at += line.len() as u64 + 1;
        }
        ranked.sort_unstable();
        let places: Vec<u64> = ranked.into_iter().map(|(_, at)| at).collect();
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let disk = OnDisk { file: RefCell::new(BufReader::new(file)), places };
        let first = disk.places.iter().take(AT_HAND).map(|at| disk.read(*at)).collect::<io::Result<_>>()?;
        Ok(Listed { first, on_disk: Some(disk), severities })
    }
}

fn write_run(entries: impl Iterator<Item = io::Result<Entry>>) -> io::Result<File> {
    let mut out = BufWriter::new(tempfile::tempfile()?);
    for entry in entries {
        serde_json::to_writer(&mut out, &entry?)?;
        out.write_all(b"\n")?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Runs, merged: each finding once, by rising ids.
struct Merge {
    runs: Vec<BufReader<File>>,
    /// What each run has next.
    heads: Vec<Option<Sightings>>,
    /// The ids of those.
    next: BinaryHeap<Reverse<(String, usize)>>,
}

impl Merge {
    fn new(runs: Vec<File>) -> io::Result<Self> {
        let mut merge = Self {
            heads: runs.iter().map(|_| None).collect(),
            runs: runs.into_iter().map(BufReader::new).collect(),
            next: BinaryHeap::new(),
        };
        for (number, run) in merge.runs.iter_mut().enumerate() {
            run.seek(SeekFrom::Start(0))?;
            if let Some((id, seen)) = read_entry(run)? {
                merge.next.push(Reverse((id, number)));
                merge.heads[number] = Some(seen);
            }
        }
        Ok(merge)
    }

    fn take(&mut self) -> io::Result<Option<Entry>> {
        let mut taken: Option<Entry> = None;
        while let Some(Reverse((id, _))) = self.next.peek()
            && taken.as_ref().is_none_or(|(known, _)| known == id)
            && let Some(Reverse((id, number))) = self.next.pop()
        {
            let head = match read_entry(&mut self.runs[number])? {
                Some((next, seen)) => {
                    self.next.push(Reverse((next, number)));
                    self.heads[number].replace(seen)
                }
                None => self.heads[number].take(),
            };
            match (&mut taken, head) {
                (Some((_, known)), Some(head)) => known.join(head),
                (None, Some(head)) => taken = Some((id, head)),
                (_, None) => {}
            }
        }
        Ok(taken)
    }
}

impl Iterator for Merge {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take().transpose()
    }
}

fn read_entry(run: &mut impl BufRead) -> io::Result<Option<Entry>> {
    let mut line = Vec::new();
    if run.take(u64::MAX).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::case::Event;
    use crate::findings::finding::{Evidence, Identity};
    use crate::findings::sample::Sample;
    use crate::perimeter::origin::{Origin, OriginKind};
    use crate::perimeter::principal::Principal;

    fn seen(table: u8, event: u8) -> Sightings {
        let key = EventKey::of(&[table, event]);
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
            evidence: vec![Evidence { key, event, ip: None, reason: "because.".into() }],
            named: Vec::new(),
            unsuppressed: true,
        }
    }

    fn joined(sightings: impl Iterator<Item = Sightings>) -> Vec<Sightings> {
        let mut all: Vec<Sightings> = Vec::new();
        for one in sightings {
            match all.iter_mut().find(|known| known.identity == one.identity) {
                Some(known) => known.join(one),
                None => all.push(one),
            }
        }
        all
    }

    fn told(listed: &Listed) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let mut told = Vec::new();
        for finding in listed.iter() {
            told.push(serde_json::to_string(&finding?)?);
        }
        Ok(told)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn findings_on_disk_are_those_in_memory(
            runs in prop::collection::vec(prop::collection::vec((0u8..30, 0u8..40), 0..20), 1..90),
        ) {
            let corrected: BTreeSet<EventKey> = (0..40).map(|event| EventKey::of(&[3, event])).collect();
            let decided = || Decided::from([(seen(4, 0).identity.id(), (Status::Acknowledged, Vec::new()))]);
            let all = runs.iter().flatten().map(|(table, event)| seen(*table, *event));
            let in_memory = joined(all).into_iter().map(|mut seen| {
                seen.take_out(|key| corrected.contains(&key));
                seen
            });
            let in_memory = Listed::here(in_memory, decided());
            let mut written = Runs::default();
            for run in &runs {
                written.push(joined(run.iter().map(|(table, event)| seen(*table, *event))).into_iter())?;
            }
            let on_disk = written.listed(&corrected, decided())?;
            let told = |listed| told(listed).map_err(|error| TestCaseError::fail(error.to_string()));
            prop_assert_eq!(told(&in_memory)?, told(&on_disk)?);
            prop_assert_eq!(in_memory.severities(), on_disk.severities());
            prop_assert_eq!(on_disk.more(), 0);
            prop_assert_eq!(serde_json::to_value(&on_disk).ok(), serde_json::to_value(&in_memory).ok());
        }
    }
}
