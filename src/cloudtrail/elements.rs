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

use std::cell::Cell;

use super::cursor::{Cause, Cursor, Stop};
use super::envelope;
use super::marks::Marks;
use super::record::{Key, KeyOrder, Read, Record, unescape};
use super::resume::{Found, Resume, Resumes, SEAM};
use super::swallowed::{SHALLOW, may_hold_records, record_within};

/// The longest object that is read, in bytes. CloudTrail's own records end at 1 MiB, envelopes
/// around them somewhat later.
pub const MAX_ELEMENT: usize = 4 << 20;

/// Bytes indexed at a time: the marks of one window stay in the processor's cache.
const WINDOW: usize = 128 << 10;

/// Bytes indexed behind a fault, where the next may be near: twice as many each time, as long as
/// there is none. Otherwise a text full of faults would be indexed over and over.
const CAREFUL: usize = 256;

/// From this size on, an object is searched for records that it may have swallowed.
const SWALLOWS: usize = 2 << 10;

/// Where the bytes come from.
pub trait Bytes {
    /// What is there and not yet consumed.
    fn window(&self) -> &[u8];
    /// Drops the first `n` bytes of the window.
    fn consume(&mut self, n: usize);
    /// Brings further bytes to the end of the window. `false`: there are no more.
    fn fill(&mut self) -> bool;
}

/// Bytes that are all there.
#[derive(Debug)]
pub struct Whole<'a>(pub &'a [u8]);

impl Bytes for Whole<'_> {
    fn window(&self) -> &[u8] {
        self.0
    }
    fn consume(&mut self, n: usize) {
        self.0 = self.0.get(n..).unwrap_or_default();
    }
    fn fill(&mut self) -> bool {
        false
    }
}

/// Bytes that end as soon as whoever reads them has had enough.
pub(super) struct Until<'s, B> {
    pub bytes: B,
    /// No more is wanted.
    pub stop: &'s Cell<bool>,
}

impl<B: Bytes> Bytes for Until<'_, B> {
    fn window(&self) -> &[u8] {
        if self.stop.get() { &[] } else { self.bytes.window() }
    }
    fn consume(&mut self, n: usize) {
        self.bytes.consume(n);
    }
    fn fill(&mut self) -> bool {
        !self.stop.get() && self.bytes.fill()
    }
}

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
    fn unpacked(at: u64, cause: Cause) -> Self {
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

/// Where in the packing we are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Between objects.
    Top,
    /// In an array of records; `first` while no comma is due.
    Array { first: bool },
    /// In an object, behind its array of records.
    Tail,
}

/// Containers in each other; deeper ones are not what any service makes.
const MAX_PLACES: usize = 8;

const NO_RECORD: Cause = Cause::Expected { expected: "a record" };
/// It stands where a record begins.
const NO_END: Cause = Cause::Expected { expected: "the end of the record before" };
pub(super) const ENDS_EARLY: Cause = Cause::Expected { expected: "a further field of the record" };

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
        let swallowed = if self.place() == Place::Tail { None } else { record_within(text, usize::MAX) };
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

/// A window's units.
struct Units<'a, 'p> {
    text: &'a [u8],
    cursor: Cursor<'a>,
    record: Record<'a>,
    order: &'p mut KeyOrder,
    marks: &'a Marks,
    places: &'p mut Vec<Place>,
    consumed: u64,
    used: usize,
    units: usize,
    damaged: bool,
}

impl Units<'_, '_> {
    /// One record, envelope, or step into or out of a container.
    #[inline]
    fn unit(&mut self, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
        let byte = self.cursor.peek();
        self.used = self.cursor.at();
        match (self.places.last(), byte?) {
            (Some(Place::Array { first: false }), b',') => {
                self.cursor.skip(1);
                self.item(take)
            }
            (Some(Place::Array { .. }), b']') => self.leave(),
            (Some(Place::Array { first: true }), _) => self.item(take),
            (Some(Place::Array { first: false }), b'{') => {
                // Read as if the comma stood there.
                self.fault(Cause::Expected { expected: "`,` or `]`" }, take);
                self.at_first(true);
                Ok(())
            }
            (Some(Place::Array { first: false }), _) => self.cursor.expected("`,` or `]`"),
            (Some(Place::Tail), b'}') => self.leave(),
            (Some(Place::Tail), _) => self.tail(take),
            (Some(Place::Top) | None, byte) => self.top(byte, take),
        }
    }

    fn top(&mut self, byte: u8, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
        match byte {
            b'{' => self.object(take),
            b'[' => {
                self.cursor.bracket()?;
                self.enter(&[Place::Array { first: true }])
            }
            // The rest of a container whose beginning could not be read.
            b']' | b'}' if self.damaged => self.cursor.bracket(),
            b',' if self.damaged => {
                self.cursor.skip(1);
                Ok(())
            }
            0xef if self.cursor.skip_byte_order() => Ok(()),
            _ => Err(Stop::Malformed { at: self.cursor.at(), cause: NO_RECORD }),
        }
    }

    /// An item of an array of records, behind its comma.
    #[inline]
    fn item(&mut self, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
        match self.cursor.peek()? {
            b'{' => {
                // `object` may enter a container, whose place then lies above ours.
                let place = self.places.len() - 1;
                self.object(take)?;
                if let Some(Place::Array { first }) = self.places.get_mut(place) {
                    *first = false;
                }
                return Ok(());
            }
            b',' | b']' => self.fault(NO_RECORD, take),
            _ => {
                let start = self.cursor.at();
                self.strictly(|cursor| cursor.value().map(|_| ()))?;
                take(Element::Fault(Fault::unpacked(self.consumed + start as u64, NO_RECORD)));
            }
        }
        self.at_first(false);
        Ok(())
    }

    /// A key and its value, behind an array of records.
    fn tail(&mut self, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
        let start = self.cursor.at();
        let Some(key) = self.cursor.key(false)? else { return Ok(()) };
        let key = Key::of(unescape(key).as_bytes());
        if key == Some(Key::Records) && self.cursor.peek()? == b'[' {
            self.cursor.bracket()?;
            return self.enter(&[Place::Array { first: true }]);
        }
        self.strictly(|cursor| cursor.value().map(|_| ()))?;
        if key.is_some_and(Key::is_of_a_record) {
            let cause = Cause::NoRecord("a record's field beside an array of records");
            take(Element::Fault(Fault::unpacked(self.consumed + start as u64, cause)));
        }
        Ok(())
    }

    fn fault(&self, cause: Cause, take: &mut dyn FnMut(Element<'_>)) {
        take(Element::Fault(Fault::unpacked(self.consumed + self.cursor.at() as u64, cause)));
    }

    fn at_first(&mut self, is_first: bool) {
        if let Some(Place::Array { first }) = self.places.last_mut() {
            *first = is_first;
        }
    }

    fn enter(&mut self, places: &[Place]) -> Result<(), Stop> {
        if self.places.len() + places.len() > MAX_PLACES {
            return self.cursor.expected("a record, not a further container,");
        }
        self.places.extend(places);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Stop> {
        self.cursor.bracket()?;
        self.places.pop();
        Ok(())
    }

    fn strictly<T>(&mut self, read: impl FnOnce(&mut Cursor<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
        self.cursor.be_strict(true);
        let read = read(&mut self.cursor);
        self.cursor.be_strict(false);
        read
    }

    #[inline]
    fn object(&mut self, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
        let start = self.cursor.at();
        let mut read = self.record.read(&mut self.cursor, self.order);
        if self.is_suspect(start, &read) {
            self.cursor.go_back(start);
            self.cursor.be_strict(true);
            read = self.record.read(&mut self.cursor, self.order);
            if matches!(read, Err(Stop::Malformed { cause: Cause::TooDeep, .. })) {
                read = self.envelope(start).unwrap_or(read);
            }
            self.cursor.be_strict(false);
        }
        if let Some(stop) = self.swallowed(start, &read) {
            return Err(stop);
        }
        match read? {
            Read::Object => {
                self.check_strings(start)?;
                self.check_end()?;
                take(Element::Object { at: self.consumed + start as u64, record: &self.record });
                Ok(())
            }
            Read::Container => {
                self.cursor.bracket()?;
                self.enter(&[Place::Tail, Place::Array { first: true }])
            }
        }
    }

    /// Reads what is nested too deep again: `None` where it is no envelope around that. The depth inside
    /// an envelope is its opener's business.
    #[cold]
    fn envelope(&mut self, start: usize) -> Option<Result<Read, Stop>> {
        self.cursor.go_back(start);
        self.cursor.be_strict(true);
        match self.record.read_envelope(&mut self.cursor, self.order) {
            Ok(Read::Object) if envelope::is_event_bridge(&self.record) => Some(Ok(Read::Object)),
            Err(Stop::Incomplete) => Some(Err(Stop::Incomplete)),
            Ok(_) | Err(Stop::Malformed { .. }) => None,
        }
    }

    /// Is there reason to check all of what was read from `start` on? Either something stands beside
    /// a quote that no JSON text has there, or the object does not end where the window does: before
    /// more is read for it, it must be right so far.
    #[inline]
    fn is_suspect(&self, start: usize, read: &Result<Read, Stop>) -> bool {
        match read {
            Err(Stop::Incomplete) => self.units == 0,
            // To name the first thing that is wrong.
            Err(Stop::Malformed { .. }) => true,
            Ok(_) => {
                let suspects = self.marks.suspects();
                !suspects.is_empty() && holds(suspects, start, self.cursor.at() + 1)
            }
        }
    }

    /// A record that lost its end inside an array takes those that follow for items of that array,
    /// without any fault. What is uncommonly long is therefore searched for beginnings of records.
    #[inline]
    fn swallowed(&self, start: usize, read: &Result<Read, Stop>) -> Option<Stop> {
        let end = match read {
            Ok(Read::Object) => self.cursor.at(),
            Err(Stop::Malformed { at, cause: Cause::TooDeep }) => *at,
            Err(Stop::Incomplete) if self.units == 0 => self.text.len(),
            Ok(Read::Container) | Err(_) => return None,
        };
        if end - start < SWALLOWS {
            return None;
        }
        let text = self.text.get(start..end)?;
        if !may_hold_records(text, !self.record.get(Key::UserIdentity).is_absent()) {
            return None;
        }
        let at = start + record_within(text, SHALLOW)?;
        Some(Stop::Malformed { at, cause: NO_END })
    }

    /// Are the strings from `start` up to the place free of what JSON forbids in them?
    #[inline]
    fn check_strings(&self, start: usize) -> Result<(), Stop> {
        let faults = self.marks.faults();
        if faults.is_empty() {
            return Ok(());
        }
        let within = faults.iter().map(|at| *at as usize).filter(|at| (start..self.cursor.at()).contains(at));
        match within.min() {
            Some(at) => Err(Stop::Malformed { at, cause: Cause::BadString }),
            None => Ok(()),
        }
    }

    /// A brace too many inside a record ends it early: behind it stands another of its keys. Such a
    /// record is not judged by half of its fields.
    #[inline]
    fn check_end(&self) -> Result<(), Stop> {
        let end = self.cursor.at();
        match self.text.get(end..end + 2) {
            Some(b",{" | b"]}") => Ok(()),
            _ => self.check_end_closely(),
        }
    }

    fn check_end_closely(&self) -> Result<(), Stop> {
        let mut cursor = self.cursor.clone();
        let end = cursor.at();
        let early = cursor.peek() == Ok(b',') && {
            cursor.skip(1);
            cursor.peek() == Ok(b'"') && cursor.string().is_ok() && cursor.peek() == Ok(b':')
        };
        if !early {
            return Ok(());
        }
        Err(Stop::Malformed { at: end.saturating_sub(1), cause: ENDS_EARLY })
    }
}

/// Is one of the rising `positions` in `start..end`?
fn holds(positions: &[u32], start: usize, end: usize) -> bool {
    let first = positions.partition_point(|at| (*at as usize) < start);
    positions.get(first).is_some_and(|at| (*at as usize) < end)
}

/// The longest valid beginning of `bytes`; `true` where an invalid byte stands behind it, and not
/// just a character cut at the end.
fn valid_utf8(bytes: &[u8]) -> (&[u8], bool) {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(_) => (bytes, false),
        Err(error) => (bytes.get(..error.valid_up_to()).unwrap_or_default(), error.error_len().is_some()),
    }
}
