//! Finds the place where reading can go on behind something that cannot be read.
//!
//! A broken unit ends where its brackets say, as far as they can still be told, or where something
//! stands that can only be the beginning of a new record, whichever comes first. Quotes that are lost
//! are noticed by what stands behind the next one, brackets that are lost by those that do not match.
//!
//! What a caller wrote must never be taken for a record: in a string its quotes are escaped, and the
//! objects that it has in the arrays of `requestParameters` lie deeper than [`SHALLOW`].

use super::cursor::Cause;
use super::swallowed::SHALLOW;
use super::units::{ENDS_EARLY, Place};

/// Keys that a record or an envelope begins with, in the order of the services, sorted, or in whatever order
/// a tool has them that passed it on. The first is that of CloudTrail's own records.
const FIRST_KEYS: [&str; 30] = [
    "eventVersion",
    "additionalEventData",
    "addendum",
    "apiVersion",
    "awsRegion",
    "edgeDeviceDetails",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventContext",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "insightDetails",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "sourceIPAddress",
    "tlsDetails",
    "userAgent",
    "userIdentity",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

/// How far around a brace its first key, and what it is the value of, are looked for.
const LOOK: usize = 256;

/// Put where something is missing between two parts of a text, so that the halves of two records never
/// make one. No JSON holds this, in a string or outside one.
pub(super) const SEAM: &[u8] = b"\0\"\n";

/// Searches the place where reading can go on.
pub(super) struct Resume {
    place: Place,
    /// The object that is broken still ends where its brackets say.
    structural: bool,
    /// How much a beginning must look like one, before and after `sound`.
    before: Look,
    after: Look,
    /// The window is searched from here.
    at: usize,
    /// What is before this was read without fault.
    sound: usize,
    open: Open,
    in_string: bool,
    escaped: bool,
    /// The broken unit has begun.
    started: bool,
}

/// What an object must have to be taken for a new record.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
enum Look {
    /// Nothing is taken for one.
    Never,
    /// Any of [`FIRST_KEYS`] where a caller's own object cannot stand, or a line of its own.
    Placed,
    /// The first key of CloudTrail's own records, wherever it stands, too.
    Surely,
    /// Any of [`FIRST_KEYS`] wherever it stands, too.
    Likely,
}

pub(super) struct Found {
    pub at: usize,
    pub what: Resumes,
}

/// What reading goes on with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Resumes {
    /// What stands behind the broken unit.
    Behind,
    /// A new record, whatever stands before it.
    Record,
    /// The broken unit's own array of records.
    Container,
    /// A text of its own, behind a [`SEAM`].
    Afresh,
    /// Nothing is left.
    Nowhere,
}

/// The brackets that are open.
#[derive(Default)]
struct Open {
    kinds: Vec<u8>,
    /// How many of them are square.
    square: usize,
    /// Further ones, which are counted only.
    beyond: usize,
}

impl Open {
    /// Brackets whose kinds are remembered.
    const MAX: usize = 64 << 10;

    fn depth(&self) -> usize {
        self.kinds.len() + self.beyond
    }

    fn in_object(&self) -> bool {
        self.beyond == 0 && self.kinds.last() == Some(&b'{')
    }

    fn open(&mut self, bracket: u8) {
        if self.kinds.len() == Self::MAX {
            self.beyond += 1;
        } else {
            self.kinds.push(bracket);
            self.square += usize::from(bracket == b'[');
        }
    }

    /// Closes the last bracket of the kind, and those in it, whose ends are lost. `false`: none is open.
    fn close(&mut self, bracket: u8) -> bool {
        if self.beyond > 0 {
            self.beyond -= 1;
            return true;
        }
        let (opening, there) = match bracket {
            b']' => (b'[', self.square),
            _ => (b'{', self.kinds.len() - self.square),
        };
        if there == 0 {
            return false;
        }
        while let Some(last) = self.kinds.pop() {
            self.square -= usize::from(last == b'[');
            if last == opening {
                break;
            }
        }
        true
    }
}

impl Resume {
    pub fn new(place: Place, cause: Cause, sound: usize) -> Self {
        let (before, after) = match cause {
            Cause::TooLong if place == Place::Tail => (Look::Never, Look::Never),
            // Those before were searched already, each within a window.
            Cause::TooLong => (Look::Never, Look::Likely),
            // Nothing is damaged.
            Cause::TooDeep => (Look::Never, Look::Placed),
            // The brackets are most likely right.
            Cause::BadString | Cause::NotUtf8 => (Look::Surely, Look::Surely),
            _ => (Look::Surely, Look::Likely),
        };
        let mut open = Open::default();
        if cause == ENDS_EARLY {
            // One bracket more than opened will close.
            open.open(b'{');
        }
        Self {
            place,
            structural: cause != Cause::Truncated,
            before,
            after,
            at: 0,
            // The string that goes on too far may have taken the next record's brace.
            sound: sound.saturating_sub(16),
            open,
            in_string: false,
            escaped: false,
            // Behind an array of records, a brace is nothing but another's.
            started: place == Place::Tail,
        }
    }

    /// Searches the window; while more may come, not its very end, where a key may be cut.
    pub fn find(&mut self, window: &[u8], ended: bool) -> Option<Found> {
        let end = if ended { window.len() } else { window.len().saturating_sub(LOOK) };
        while self.at < end {
            let byte = *window.get(self.at)?;
            if byte == 0 && window.get(self.at..)?.starts_with(SEAM) {
                return Some(Found { at: self.at + SEAM.len(), what: Resumes::Afresh });
            }
            if byte == b'{' && self.started && self.looks_like_a_beginning(window) {
                return Some(Found { at: self.at, what: Resumes::Record });
            }
            if let Some(at) = self.structure(byte, window)
                && self.structural
            {
                return Some(Found { at, what: Resumes::Behind });
            }
            if byte == b'[' && self.opens_records(window) {
                return Some(Found { at: self.at + 1, what: Resumes::Container });
            }
            // The comma before an item is its own, and the brace behind that is not another's.
            self.started |= !byte.is_ascii_whitespace() && (byte != b',' || self.place == Place::Top);
            self.at += 1;
        }
        None
    }

    /// The end of the broken unit, by its brackets: behind it at the top, else before the comma
    /// or bracket that follows it.
    fn structure(&mut self, byte: u8, window: &[u8]) -> Option<usize> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = self.opens_a_string(window),
                _ => {}
            }
            return None;
        }
        let top = self.place == Place::Top;
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.open.open(byte),
            b'}' | b']' => return self.close(byte),
            b',' if self.open.depth() == 0 && self.started && self.at > 0 && !top => return Some(self.at),
            b'\n' if self.open.depth() == 0 && self.started && top => return Some(self.at),
            _ => {}
        }
        None
    }

    /// Is the quote at the place an opening one, though one was taken for that before it? Nothing else
    /// than a separator or a closing bracket stands behind a string: a quote in between was lost.
    fn opens_a_string(&self, window: &[u8]) -> bool {
        let behind = window.get(self.at + 1..).unwrap_or_default();
        let next = behind.iter().find(|byte| !byte.is_ascii_whitespace());
        next.is_some_and(|byte| !b",:]}".contains(byte))
    }

    fn close(&mut self, bracket: u8) -> Option<usize> {
        let empty = self.open.depth() == 0;
        if self.open.close(bracket) {
            return (self.place == Place::Top && self.open.depth() == 0).then_some(self.at + 1);
        }
        // It is none of the unit's own; it may be that of what the unit lies in.
        match self.place {
            Place::Top => empty.then_some(self.at + 1),
            // Never without going on: a stray bracket is gone past.
            Place::Array { .. } => (empty || bracket == b']').then_some(self.at.max(1)),
            Place::Tail => (empty || bracket == b'}').then_some(self.at.max(1)),
        }
    }

    fn looks_like_a_beginning(&self, window: &[u8]) -> bool {
        let look = if self.at < self.sound { self.before } else { self.after };
        if look == Look::Never {
            return false;
        }
        if self.place == Place::Top && self.at > 0 && window.get(self.at - 1) == Some(&b'\n') {
            return true;
        }
        let ahead = window.get(self.at + 1..window.len().min(self.at + LOOK)).unwrap_or_default();
        let Some(key) = ahead.trim_ascii_start().strip_prefix(b"\"") else { return false };
        let begins =
            |first: &&str| key.strip_prefix(first.as_bytes()).is_some_and(|rest| rest.starts_with(b"\""));
        let known = if look == Look::Likely || self.is_placed() {
            &FIRST_KEYS[..]
        } else if look == Look::Surely {
            &FIRST_KEYS[..1]
        } else {
            &[]
        };
        known.iter().any(begins) && !is_value(window, self.at)
    }

    /// Can a brace at the place, behind no colon, not be that of an object that a caller wrote? Either
    /// an object lies around it, where no value stands without a key, or it lies too near to the top.
    fn is_placed(&self) -> bool {
        !self.in_string && (self.open.in_object() || self.open.depth() <= SHALLOW)
    }

    /// Is the bracket at the place that of the broken container's records? It has been counted.
    fn opens_records(&self, window: &[u8]) -> bool {
        if !self.structural || self.in_string || self.open.depth() != 2 || self.after == Look::Never {
            return false;
        }
        let before = window.get(self.at.saturating_sub(LOOK)..self.at).unwrap_or_default();
        let Some(key) = before.trim_ascii_end().strip_suffix(b":") else { return false };
        [&b"\"Records\""[..], b"\"logEvents\"", b"\"Messages\""]
            .iter()
            .any(|name| key.trim_ascii_end().ends_with(name))
    }

    /// Forgets what was searched, but for the last bytes. Returns how many bytes those were.
    pub fn drop_seen(&mut self) -> usize {
        let seen = self.at.saturating_sub(LOOK);
        self.at -= seen;
        self.sound = self.sound.saturating_sub(seen);
        seen
    }
}

/// Does a colon stand before `at`?
fn is_value(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(LOOK)..at).unwrap_or_default();
    before.trim_ascii_end().ends_with(b":")
}
