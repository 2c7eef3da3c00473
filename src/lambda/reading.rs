//! What one message, one event, or a part of a log file came to.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use jiff::Timestamp;

use super::trouble::{Trouble, Troubles};
use crate::audit::case::{Case, Subject};
use crate::cloudtrail::cursor::Cause;
use crate::cloudtrail::elements::Fault;
use crate::cloudtrail::envelope::{self, Content, LogFile};
use crate::cloudtrail::record::{Key, Record};
use crate::ids;
use crate::pipeline::{Audited, Auditor, Tally};

/// Ids of events that are remembered for counting duplicates; beyond, none is counted.
const MAX_IDS: usize = 65_536;

/// What was read, and what it was worth.
#[derive(Default)]
pub(super) struct Reading {
    /// What was counted and gathered.
    pub tally: Tally,
    /// Log files that were named.
    pub files: Vec<LogFile>,
    /// What could not be read.
    pub troubles: Troubles,
    /// A call came through an endpoint that is not known: the store may know it.
    pub unresolved: bool,
    /// Of the earliest record.
    pub oldest: Option<Timestamp>,
    /// Hashes of event ids.
    pub ids: Vec<u64>,
}

impl Reading {
    /// Reads a text that holds records, wrapped or not.
    pub fn of(text: &[u8], auditor: &Auditor<'_>) -> Self {
        let mut reading = Self::default();
        envelope::open_text(text, &mut |content| reading.content(auditor, &content));
        reading
    }

    /// Nothing came of it.
    pub fn is_empty(&self) -> bool {
        self.tally.records() == 0 && self.files.is_empty() && self.troubles.is_empty()
    }

    /// Audits what an envelope held.
    pub fn content(&mut self, auditor: &Auditor<'_>, content: &Content<'_>) {
        if let Content::Record(record) = content {
            self.note(record);
        }
        let Self { tally, files, troubles, unresolved, .. } = self;
        auditor.content(content, false, tally, &mut |audited| match audited {
            Audited::Record(judged) => *unresolved |= is_unresolved(judged.case),
            Audited::Plain(_) => {}
            Audited::LogFile(file) => files.push(file),
            Audited::Fault(fault) => troubles.push(Trouble::Unreadable(fault)),
        });
    }

    fn note(&mut self, record: &Record<'_>) {
        if let Some(time) = record.get(Key::EventTime).text().and_then(|text| text.parse().ok()) {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        }
        if self.ids.len() < MAX_IDS
            && let Some(id) = record.get(Key::EventId).text()
        {
            self.ids.push(hash(&id));
        }
    }

    /// What could not be read stands in `file`.
    pub fn name_faults(&mut self, file: &LogFile) {
        self.troubles = std::mem::take(&mut self.troubles).in_file(file);
        // A log file holds records; what it names is not gone after.
        for _ in self.files.drain(..) {
            let fault =
                Fault { at: 0, packed: false, cause: Cause::NoRecord("a log file that names another one") };
            self.troubles.push(Trouble::UnreadableFile { file: file.clone(), fault });
        }
    }
}

/// Would it make a difference to know the endpoint?
fn is_unresolved(case: &Case) -> bool {
    let unknown = case.origin.vpc.is_none() && case.origin.endpoint.as_deref().is_some_and(ids::is_endpoint);
    unknown && !matches!(case.subject, Subject::Nothing(_))
}

/// The same for the same id while the process lives.
fn hash(id: &str) -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SEED.hash_one(id)
}
