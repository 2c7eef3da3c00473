//! Cuts a stream of JSON into the objects that may be records, whatever they are packed in: one
//! object a line, `{"Records":[…]}`, an array, or all of these one after another.
//!
//! Memory is bounded by [`MAX_ELEMENT`]. What cannot be read is named with its byte offset, and
//! reading goes on behind it: at the end of the broken object where its brackets still show one,
//! or at the next place that looks like the beginning of a record, whichever comes first.
//!
//! It cannot tell every damage: inside the parts of a record that nobody reads, only strings,
//! brackets, and what stands beside a quote are looked at, so that a flipped digit or comma there
//! goes unnoticed. The fields of such a record are still its own.

pub use super::bytes::{Bytes, Whole};
use super::cursor::{Cause, Cursor, Stop};
use super::marks::Marks;
use super::record::{KeyOrder, Record};
use super::resume::{Found, Resume, Resumes, SEAM};
use super::swallowed::record_within_long;
use super::units::{NO_END, Place, Units};

/// The longest object that is read, in bytes. CloudTrail's own records end at 1 MiB, envelopes
/// around them somewhat later.
pub const MAX_ELEMENT: usize = 4 << 20;

/// Bytes indexed at a time: the marks of one window stay in the processor's cache.
const WINDOW: usize = 128 << 10;

/// Bytes indexed behind a fault, where the next may be near: twice as many each time, as long as
/// there is none. Otherwise a text full of faults would be indexed over and over.
const CAREFUL: usize = 256;

/// What the stream holds, in its order.
#[derive(Debug)]
pub enum Element<'a> {
    /// An object: a record, or an envelope around one.
    Object {
        /// Byte offset in the stream, of its opening brace.
        at: u64,
        /// Its fields.
        record: &'a Record<'a>,
    },
    /// Something that cannot be read.
    Fault(Fault),
}

/// Something in a stream that cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Byte offset of what is wrong.
    pub at: u64,
    /// The offset is one in the packed file; otherwise in its unpacked text.
    pub packed: bool,
    /// What is wrong.
    pub cause: Cause,
}

impl Fault {
    pub(super) fn unpacked(at: u64, cause: Cause) -> Self {
        Self { at, packed: false, cause }
    }
}

/// Cuts `bytes` into elements and gives each to `take`, in order.
pub fn each<B: Bytes>(bytes: &mut B, take: &mut dyn FnMut(Element<'_>)) {
    let mut cutter = Cutter {
        bytes,
        marks: Marks::default(),
        order: KeyOrder::default(),
        places: vec![Place::Top],
        consumed: 0,
        damaged: false,
        named_to_the_end: false,
    };
    let mut want = WINDOW;
    loop {
        let there = cutter.bytes.window().len();
        let seen = there.min(want);
        let (used, stop) = cutter.units(seen, take);
        cutter.consume(used);
        match stop {
            Stop::Malformed { at, cause } => cutter.pass_fault(at, at, cause, take),
            Stop::Incomplete if used > 0 => {
                want = (want * 2).min(WINDOW);
                continue;
            }
            Stop::Incomplete if seen >= MAX_ELEMENT => cutter.pass_too_long(seen, take),
            Stop::Incomplete if seen < there => {
                want = (seen * 2).min(MAX_ELEMENT);
                continue;
            }
            // Much is brought at once, for all of it will be indexed again.
            Stop::Incomplete if cutter.bytes.fill() => {
                want = want.max(seen * 2).min(MAX_ELEMENT);
                while cutter.bytes.window().len() < want && cutter.bytes.fill() {}
                continue;
            }
            Stop::Incomplete => {
                if cutter.end(take) {
                    return;
                }
            }
        }
        want = CAREFUL;
    }
}

struct Cutter<'b, B> {
    bytes: &'b mut B,
    marks: Marks,
    order: KeyOrder,
    /// Never empty: the first is [`Place::Top`].
    places: Vec<Place>,
    /// Bytes of the stream before the window.
    consumed: u64,
    /// Something could not be read, so that brackets may be left over.
    damaged: bool,
    /// A fault was named behind which nothing could be read.
    named_to_the_end: bool,
}

impl<B: Bytes> Cutter<'_, B> {
    fn consume(&mut self, n: usize) {
        self.bytes.consume(n);
        self.consumed += n as u64;
    }

    fn place(&self) -> Place {
        self.places.last().copied().unwrap_or(Place::Top)
    }

    /// Reads all that is whole in the first `seen` bytes of the window. Returns the bytes it
    /// stands in, and why the rest could not be read; an offset counts from behind those bytes.
    fn units(&mut self, seen: usize, take: &mut dyn FnMut(Element<'_>)) -> (usize, Stop) {
        let Self { bytes, marks, order, places, consumed, damaged, .. } = self;
        let seen = bytes.window().get(..seen).unwrap_or_default();
        marks.index(seen);
        let (text, invalid) = if marks.is_ascii() { (seen, false) } else { valid_utf8(seen) };
        if invalid {
            // Nothing behind the invalid byte may be looked at.
            marks.index(text);
        }
        let mut walk = Units {
            text,
            cursor: Cursor::new(text, marks),
            record: Record::new(),
            order,
            marks,
            places,
            consumed: *consumed,
            used: 0,
            units: 0,
            damaged: *damaged,
        };
        let stop = loop {
            if let Err(stop) = walk.unit(take) {
                break stop;
            }
            walk.used = walk.cursor.at();
            walk.units += 1;
        };
        let used = walk.used;
        let stop = match stop {
            Stop::Malformed { at, cause } => Stop::Malformed { at: at.saturating_sub(used), cause },
            Stop::Incomplete if invalid => Stop::Malformed { at: text.len() - used, cause: Cause::NotUtf8 },
            Stop::Incomplete => Stop::Incomplete,
        };
        (used, stop)
    }

    /// The stream is at its end. `true`: nothing is left to read.
    fn end(&mut self, take: &mut dyn FnMut(Element<'_>)) -> bool {
        let left = self.bytes.window().len();
        if left > 0 {
            self.pass_fault(0, left, Cause::Truncated, take);
        } else if self.place() != Place::Top && !self.named_to_the_end {
            take(Element::Fault(Fault::unpacked(self.consumed, Cause::Truncated)));
        }
        left == 0
    }

    /// The first `seen` bytes of the window are more than a record has. They are no record's, or begin with
    /// one that lost its end.
    fn pass_too_long(&mut self, seen: usize, take: &mut dyn FnMut(Element<'_>)) {
        let text = self.bytes.window().get(..seen).unwrap_or_default();
        let swallowed = if self.place() == Place::Tail { None } else { record_within_long(text) };
        match swallowed {
            Some(at) => self.pass_fault(at, at, NO_END, take),
            None => self.pass_fault(0, seen, Cause::TooLong, take),
        }
    }

    /// Names what is wrong `at` bytes into the window and goes on behind it. The first `sound` bytes
    /// were read without fault.
    fn pass_fault(&mut self, at: usize, sound: usize, cause: Cause, take: &mut dyn FnMut(Element<'_>)) {
        let fault = Fault::unpacked(self.consumed + at as u64, cause);
        let (place, unit) = (self.place(), self.consumed);
        let found = match cause {
            NO_END => Found { at, what: Resumes::Record },
            _ => self.search(Resume::new(place, cause, sound)),
        };
        // Of a long part of a container that is no record nothing is lost.
        let lost = match found.what {
            Resumes::Container => cause != Cause::TooLong,
            Resumes::Behind => cause != Cause::TooLong || place != Place::Tail,
            // What is missing there is named already.
            Resumes::Afresh => self.consumed + found.at as u64 > unit + SEAM.len() as u64,
            Resumes::Record | Resumes::Nowhere => true,
        };
        if lost {
            take(Element::Fault(fault));
        }
        self.damaged |= lost || found.what == Resumes::Afresh;
        self.named_to_the_end = found.what == Resumes::Nowhere;
        self.consume(found.at);
        self.resume(found.what);
    }

    fn search(&mut self, mut search: Resume) -> Found {
        let mut ended = false;
        loop {
            if let Some(found) = search.find(self.bytes.window(), ended) {
                return found;
            }
            if ended {
                return Found { at: self.bytes.window().len(), what: Resumes::Nowhere };
            }
            // What was searched is let go; its last bytes may be the beginning of a record.
            let seen = search.drop_seen();
            self.consume(seen);
            ended = !self.bytes.fill();
        }
    }

    fn resume(&mut self, what: Resumes) {
        if what == Resumes::Afresh {
            self.places.truncate(1);
        }
        let Some(place) = self.places.last_mut() else { return };
        match (what, *place) {
            (Resumes::Nowhere | Resumes::Afresh, _)
            | (Resumes::Behind, Place::Top | Place::Tail)
            | (Resumes::Record, Place::Top) => {}
            (Resumes::Behind, Place::Array { .. }) => *place = Place::Array { first: false },
            (Resumes::Record, Place::Array { .. }) => *place = Place::Array { first: true },
            (Resumes::Record, Place::Tail) => *place = Place::Top,
            (Resumes::Container, Place::Array { .. }) => {
                *place = Place::Array { first: false };
                self.places.extend([Place::Tail, Place::Array { first: true }]);
            }
            (Resumes::Container, Place::Top | Place::Tail) => {
                self.places.extend([Place::Tail, Place::Array { first: true }]);
            }
        }
    }
}

/// The longest valid beginning of `bytes`; `true` where an invalid byte stands behind it, and not
/// just a character cut at the end.
fn valid_utf8(bytes: &[u8]) -> (&[u8], bool) {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(_) => (bytes, false),
        Err(error) => (bytes.get(..error.valid_up_to()).unwrap_or_default(), error.error_len().is_some()),
    }
}
