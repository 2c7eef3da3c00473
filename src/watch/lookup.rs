//! What an event does not carry, read from AWS at once.
//!
//! What it left out is read until the answer shows the change: AWS's interfaces may tell for a while what was there
//! before. What it refers to is read once. All of it goes into the journal with the event, so that whoever judges it
//! later has the same before them; what could not be read goes there as well, with why.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::replay::{Change, effective};
use super::store::Fetched;
use crate::iam::state::piece::{Piece, Wanted, left_out, told_by, unknown_to};
use crate::iam::state::{Edit, State};
use crate::pipeline::Auditor;

/// Requests for parts at once.
const AT_ONCE: usize = 4;
/// Times that what was read may name more that is not known: a role its groups, and those their policies.
const ROUNDS: usize = 4;
/// What is read for one change at most.
const MAX_PARTS: usize = 32;
/// How long to wait before what is behind is read again; twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// Characters of why something could not be read.
const MAX_WHY: usize = 300;

/// What is said of a change that what was read does not show.
const BEHIND: &str = "what was read back does not show the change yet";
const LATE: &str = "there was no answer in time";

/// Account and region of an event.
pub type Place<'p> = (Option<&'p str>, Option<&'p str>);

/// Reads parts of what stands.
pub trait Lookup: Sync {
    /// Reads a part. The account and the region are those of the event: of an endpoint nothing else tells them.
    ///
    /// # Errors
    /// In words, where it cannot be read.
    fn read(
        &self,
        wanted: &Wanted,
        place: Place<'_>,
    ) -> impl Future<Output = Result<Vec<Piece>, String>> + Send;

    /// Is nothing ever read?
    fn is_off(&self) -> bool {
        false
    }
}

/// Reads nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    async fn read(&self, _: &Wanted, _: Place<'_>) -> Result<Vec<Piece>, String> {
        Err("reading back is switched off".to_owned())
    }

    fn is_off(&self) -> bool {
        true
    }
}

/// A lookup, and until when it may take.
#[derive(Debug)]
pub struct Looking<'l, L> {
    pub lookup: &'l L,
    pub until: Instant,
}

impl<L> Clone for Looking<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Looking<'_, L> {}

impl<L: Lookup> Looking<'_, L> {
    /// Reads what a change does not carry. `state` is what stood before it. `None`: it carries all that is needed.
    pub(super) async fn fetch(
        &self,
        auditor: &Auditor<'_>,
        change: &Change<'_>,
        state: &State,
    ) -> Option<Fetched> {
        let mut fetched = Fetched::default();
        self.what_is_left_out(auditor, change, state, &mut fetched).await;
        self.what_is_referred_to(auditor, change, state, &mut fetched).await;
        let is_needed = fetched != Fetched::default();
        is_needed.then_some(fetched)
    }

    /// What the event left out, as soon as it shows.
    async fn what_is_left_out(
        &self,
        auditor: &Auditor<'_>,
        change: &Change<'_>,
        state: &State,
        fetched: &mut Fetched,
    ) {
        let wanted = wanted(change, state);
        if wanted.is_empty() {
            return;
        }
        let mut wait = FIRST_WAIT;
        loop {
            let begun = Instant::now();
            let mut read = Fetched::default();
            let pieces = self.read(&wanted, change, &mut read).await;
            if !read.failed.is_empty() {
                fetched.failed.append(&mut read.failed);
                return;
            }
            let pieces = bearing(pieces, auditor, change, state);
            if is_shown(auditor, change, state, &pieces) {
                fetched.after = pieces;
                return;
            }
            let next = begun.max(Instant::now()) + wait;
            if next >= self.until {
                let named = wanted.iter().map(|wanted| (wanted.to_string(), BEHIND.to_owned()));
                fetched.failed.extend(named);
                return;
            }
            sleep_until(next).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// What it refers to, and what that refers to.
    async fn what_is_referred_to(
        &self,
        auditor: &Auditor<'_>,
        change: &Change<'_>,
        state: &State,
        fetched: &mut Fetched,
    ) {
        let mut asked = BTreeSet::new();
        let mut known = state.clone();
        for _ in 0..ROUNDS {
            let edits = effective(auditor, change, Some(fetched), &mut known)
                .unwrap_or_else(|| change.one.edits().to_vec());
            let mut after = known.clone();
            edits.iter().for_each(|edit| after.apply(edit));
            // What is told by the edits themselves need not be asked for.
            let wanted = edits.iter().flat_map(|edit| unknown_to(edit, &known));
            let wanted: BTreeSet<Wanted> = wanted
                .filter(|wanted| !asked.contains(wanted) && !is_told(wanted, &after))
                .take(MAX_PARTS.saturating_sub(asked.len()))
                .collect();
            if wanted.is_empty() {
                return;
            }
            let pieces = self.read(&wanted, change, fetched).await;
            asked.extend(wanted);
            pieces.iter().for_each(|piece| known.learn(piece, change.later));
            fetched.before.extend(pieces);
        }
    }

    async fn read(
        &self,
        wanted: &BTreeSet<Wanted>,
        change: &Change<'_>,
        fetched: &mut Fetched,
    ) -> Vec<Piece> {
        let place = change.one.place();
        let read = stream::iter(wanted).map(|wanted| async move {
            let read = timeout_at(self.until, self.lookup.read(wanted, place)).await;
            (wanted, read.unwrap_or_else(|_| Err(LATE.to_owned())))
        });
        let mut pieces = Vec::new();
        // In the order in which they were asked for, whoever was first to answer.
        for (wanted, read) in read.buffered(AT_ONCE).collect::<Vec<_>>().await {
            match read {
                Ok(read) => pieces.extend(read),
                Err(why) => {
                    let why = why.chars().take(MAX_WHY).collect();
                    fetched.failed.insert(wanted.to_string(), why);
                }
            }
        }
        pieces
    }
}

/// What the event left out. Where it does not even tell of whom, the account as a whole, if all of it was known before.
fn wanted(change: &Change<'_>, state: &State) -> BTreeSet<Wanted> {
    let parts: BTreeSet<Wanted> = change.one.edits().iter().filter_map(left_out).take(MAX_PARTS).collect();
    let (account, _) = change.one.place();
    let account = account.filter(|account| change.one.leaves_out_of_whom() && state.read.contains(*account));
    parts.into_iter().chain(account.map(|account| Wanted::Account(account.to_owned()))).collect()
}

/// Of an account that was read as a whole, what an event of this name could have changed.
fn bearing(pieces: Vec<Piece>, auditor: &Auditor<'_>, change: &Change<'_>, state: &State) -> Vec<Piece> {
    if !change.one.leaves_out_of_whom() {
        return pieces;
    }
    let bears = |piece: &Piece| {
        piece.edits_from(state).iter().any(|edit| change.may_be(edit, state, auditor.perimeter()))
    };
    pieces.into_iter().filter(bears).collect()
}

/// Does what was read show the change?
fn is_shown(auditor: &Auditor<'_>, change: &Change<'_>, state: &State, pieces: &[Piece]) -> bool {
    if change.one.leaves_out_of_whom() {
        return !pieces.is_empty();
    }
    let edits = change.one.edits();
    let mut begin = state.clone();
    pieces.iter().for_each(|piece| begin.prepare(piece, edits, change.later));
    let is_told = |edit: &&Edit| left_out(edit).is_some();
    if edits.iter().filter(is_told).any(|edit| told_by(edit, &begin, pieces).is_none()) {
        return false;
    }
    let fetched = Fetched { after: pieces.to_vec(), ..Fetched::default() };
    let mut after = state.clone();
    let told = effective(auditor, change, Some(&fetched), &mut after).unwrap_or_default();
    told.iter().for_each(|edit| after.apply(edit));
    // Of what was not known before it cannot be told whether it is news; and what is of no concern is none.
    told.is_empty() || after != begin || begin != *state
}

fn is_told(wanted: &Wanted, state: &State) -> bool {
    match wanted {
        Wanted::Holder(id) => state.holders.get(id).is_some_and(|known| !known.is_partial),
        _ => false,
    }
}
