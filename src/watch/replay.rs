//! Changes of the journal carried out, with what was read beside them.

use serde_json::Value;

use super::store::{Entry, Fetched};
use super::unseen;
use crate::audit::rules;
use crate::iam::state::piece::{Piece, told_by};
use crate::iam::state::{Edit, State};
use crate::perimeter::Perimeter;
use crate::pipeline::{Auditor, Found, Pending};
use crate::reach::texts::Texts;

/// Causes that a reason names.
const NAMED: usize = 2;

/// A change of the journal.
#[derive(Clone, Copy)]
pub(super) struct Change<'c> {
    pub one: &'c Pending,
    pub entry: &'c Entry,
    /// Its edits, and those of all changes after it that are known.
    pub later: &'c [Edit],
}

impl Change<'_> {
    /// Could an event of this name have done that?
    pub fn may_be(&self, edit: &Edit, state: &State, perimeter: &Perimeter) -> bool {
        unseen::is_told_by(self.one.event_name(), edit, state, perimeter)
    }
}

/// The edits of a change with what it left out, and the state that they are made from. `None`: it left out nothing that
/// was read.
pub(super) fn effective(
    auditor: &Auditor<'_>,
    change: &Change<'_>,
    fetched: Option<&Fetched>,
    state: &mut State,
) -> Option<Vec<Edit>> {
    let pieces = fetched.map(|fetched| fetched.after.as_slice()).filter(|pieces| !pieces.is_empty())?;
    if change.one.leaves_out_of_whom() {
        let all = pieces.iter().flat_map(|piece| piece.edits_from(state));
        return Some(all.filter(|edit| change.may_be(edit, state, auditor.perimeter())).collect());
    }
    let edits = change.one.edits();
    pieces.iter().for_each(|piece| state.prepare(piece, edits, change.later));
    let told = |edit: &Edit| told_by(edit, state, pieces).unwrap_or_else(|| vec![edit.clone()]);
    Some(edits.iter().flat_map(told).collect())
}

fn learn(change: &Change<'_>, state: &mut State) {
    let before = change.entry.fetched.iter().flat_map(|fetched| &fetched.before);
    before.for_each(|piece: &Piece| state.learn(piece, change.later));
}

/// Carries out a change.
pub(super) fn carry_out(auditor: &Auditor<'_>, change: &Change<'_>, state: &mut State) {
    learn(change, state);
    match effective(auditor, change, change.entry.fetched.as_ref(), state) {
        Some(edits) => edits.iter().for_each(|edit| state.apply(edit)),
        None => change.one.apply_to(state),
    }
}

/// The edits of changes.
pub(super) fn edits_of<'p>(changes: impl IntoIterator<Item = &'p Option<Pending>>) -> Vec<Edit> {
    changes.into_iter().flatten().flat_map(|one| one.edits().iter().cloned()).collect()
}

/// Carries out the changes of entries of the journal, as far as they can be read.
pub(super) fn replayed(auditor: &Auditor<'_>, state: &mut State, entries: &[Entry]) {
    let read: Vec<Option<Pending>> =
        entries.iter().map(|entry| auditor.pending(&entry.record, entry.is_unseen).ok()).collect();
    for (n, (entry, one)) in entries.iter().zip(&read).enumerate() {
        let Some(one) = one else { continue };
        let later = later(entry, read.get(n..).unwrap_or_default());
        carry_out(auditor, &Change { one, entry, later: &later }, state);
    }
}

/// The edits of a change and of those after it, where that is asked for at all.
pub(super) fn later(entry: &Entry, from: &[Option<Pending>]) -> Vec<Edit> {
    if entry.fetched.is_some() { edits_of(from) } else { Vec::new() }
}

/// Judges a change by what it does to `state`, which is then as it leaves it.
pub(super) fn prove(
    auditor: &Auditor<'_>,
    change: &Change<'_>,
    state: &mut State,
    texts: &Texts,
    now: jiff::Timestamp,
) -> Option<Found> {
    learn(change, state);
    let begin = state.clone();
    let found = match effective(auditor, change, change.entry.fetched.as_ref(), state) {
        Some(edits) => completed(auditor, change, &edits, state, texts, now),
        None => auditor.prove(state, change.one.clone(), texts, now),
    };
    found.map(|found| told(Found { undo: state.edits_to(&begin), ..found }, change.entry))
}

/// What the event comes to with what it left out: the most severe of what its edits come to.
fn completed(
    auditor: &Auditor<'_>,
    change: &Change<'_>,
    edits: &[Edit],
    state: &mut State,
    texts: &Texts,
    now: jiff::Timestamp,
) -> Option<Found> {
    let record: Value = serde_json::from_str(&change.entry.record).unwrap_or_default();
    let by_text = (!change.one.is_unreadable()).then(|| auditor.by_text(change.one.clone())).flatten();
    let mut worst = by_text.map(|delta| Found { delta, undo: Vec::new() });
    for edit in edits {
        let records = unseen::completed(&record, edit, state, auditor.perimeter());
        for record in &records {
            let Ok(one) = auditor.completed(record, change.one) else { continue };
            let found = auditor.prove(state, one, texts, now);
            worst = more_severe(worst, found);
        }
        // Doing it twice is doing it once.
        state.apply(edit);
    }
    worst
}

fn more_severe(one: Option<Found>, other: Option<Found>) -> Option<Found> {
    let severity = |found: &Found| found.delta.sightings.severity;
    match (one, other) {
        (Some(one), Some(other)) if severity(&other) > severity(&one) => Some(other),
        (one, other) => one.or(other),
    }
}

/// Where something is not known, why nothing was read that would tell it.
fn told(mut found: Found, entry: &Entry) -> Found {
    let sightings = &mut found.delta.sightings;
    if sightings.identity.rule != rules::CHANGE_UNREADABLE.id {
        return found;
    }
    let Some(why) = unread(entry) else { return found };
    for evidence in &mut sightings.evidence {
        let reason = evidence.reason.trim_end_matches('.');
        evidence.reason = format!("{reason}; {why}.");
    }
    found
}

fn unread(entry: &Entry) -> Option<String> {
    match &entry.fetched {
        _ if entry.is_unseen => None,
        None => Some("nothing was read back from AWS".to_owned()),
        Some(fetched) if fetched.failed.is_empty() => None,
        Some(fetched) => {
            let named = fetched.failed.iter().take(NAMED);
            let named: Vec<String> =
                named.map(|(what, why)| format!("reading back {what} failed: {why}")).collect();
            Some(named.join("; "))
        }
    }
}
