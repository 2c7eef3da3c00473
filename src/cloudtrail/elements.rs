//! Cuts a stream of JSON into the objects that may be records, whatever they are packed in: one
//! object a line, `{"Records":[…]}`, an array, or all of these one after another.
//!
//! Memory is bounded by [`MAX_ELEMENT`]. What cannot be read is named with its byte offset, and
//! reading goes on behind it: at the end of the broken object where its brackets still show one,
//! else at the next place that looks like the beginning of a record.

use super::cursor::{Cause, Cursor, Stop};
use super::marks::Marks;
use super::record::{KeyOrder, Read, Record};

/// The longest object that is read, in bytes. CloudTrail's own records end at 1 MiB, envelopes
/// around them somewhat later.
pub const MAX_ELEMENT: usize = 4 << 20;

/// Bytes indexed at a time: the marks of one window stay in the processor's cache.
const WINDOW: usize = 128 << 10;

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
    };
    let mut want = WINDOW;
    loop {
        let seen = cutter.bytes.window().len().min(want);
        let (used, stop) = cutter.units(seen, take);
        cutter.consume(used);
        match stop {
            Stop::Malformed { at, cause } => cutter.pass_fault(at, cause, take),
            Stop::Incomplete if used > 0 => {}
            Stop::Incomplete if seen >= MAX_ELEMENT => cutter.pass_fault(0, Cause::TooLong, take),
            Stop::Incomplete if seen < cutter.bytes.window().len() => {
                want = seen * 2;
                continue;
            }
            Stop::Incomplete if cutter.bytes.fill() => continue,
            Stop::Incomplete => {
                if cutter.end(take) {
                    return;
                }
            }
        }
        want = WINDOW;
    }
}

/// Where in the packing we are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Between objects.
    Top,
    /// In an array of records; `first` while no item of it was read.
    Array { first: bool },
    /// In an object, behind its array of records.
    Tail,
}

/// Containers in each other; deeper ones are not what any service makes.
const MAX_PLACES: usize = 8;

struct Cutter<'b, B> {
    bytes: &'b mut B,
    marks: Marks,
    order: KeyOrder,
    places: Vec<Place>,
    /// Bytes of the stream before the window.
    consumed: u64,
    /// Something could not be read, so that brackets may be missing at the end.
    damaged: bool,
}

impl<B: Bytes> Cutter<'_, B> {
    fn consume(&mut self, n: usize) {
        self.bytes.consume(n);
        self.consumed += n as u64;
    }

    fn place(&mut self) -> &mut Place {
        if self.places.is_empty() {
            self.places.push(Place::Top);
        }
        let last = self.places.len() - 1;
        &mut self.places[last]
    }

    /// Reads all that is whole in the first `seen` bytes of the window. Returns the bytes it
    /// stands in, and why the rest could not be read; an offset counts from behind those bytes.
    fn units(&mut self, seen: usize, take: &mut dyn FnMut(Element<'_>)) -> (usize, Stop) {
        let Self { bytes, marks, order, places, consumed, .. } = self;
        let seen = bytes.window().get(..seen).unwrap_or_default();
        marks.index(seen);
        let (text, invalid) = if marks.is_ascii() { (seen, false) } else { valid_utf8(seen) };
        let mut walk = Units {
            cursor: Cursor::new(text, marks),
            record: Record::new(),
            order,
            marks,
            places,
            consumed: *consumed,
            used: 0,
        };
        if *consumed == 0 && text.starts_with("\u{feff}".as_bytes()) {
            walk.cursor.skip(3);
        }
        let stop = loop {
            if let Err(stop) = walk.unit(take) {
                break stop;
            }
            walk.used = walk.cursor.at();
        };
        let used = walk.used;
        let stop = match stop {
            Stop::Malformed { at, cause } => Stop::Malformed { at: at - used, cause },
            Stop::Incomplete if invalid => Stop::Malformed { at: text.len() - used, cause: Cause::NotUtf8 },
            Stop::Incomplete => Stop::Incomplete,
        };
        (used, stop)
    }

    /// The stream is at its end. `true`: nothing is left to read.
    fn end(&mut self, take: &mut dyn FnMut(Element<'_>)) -> bool {
        let left = self.bytes.window();
        if left.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
            if *self.place() != Place::Top && !self.damaged {
                take(Element::Fault(Fault::unpacked(self.consumed, Cause::Truncated)));
            }
            return true;
        }
        self.pass_fault(0, Cause::Truncated, take);
        false
    }

    /// Names what is wrong `at` bytes into the window and goes on behind it.
    fn pass_fault(&mut self, at: usize, cause: Cause, take: &mut dyn FnMut(Element<'_>)) {
        take(Element::Fault(Fault::unpacked(self.consumed + at as u64, cause)));
        self.damaged = true;
        let place = *self.place();
        let mut search = Resume::new(place, cause, at);
        let mut ended = false;
        loop {
            let len = self.bytes.window().len();
            match search.find(self.bytes.window(), ended) {
                Some(Found { at, restarts }) => {
                    self.consume(at);
                    self.resume(place, restarts);
                    return;
                }
                // What was searched is let go; its last bytes may be the beginning of a record.
                None if len > MAX_ELEMENT && search.at > 1 => {
                    let seen = search.drop_seen();
                    self.consume(seen);
                }
                None if ended => {
                    self.consume(len);
                    return;
                }
                None => ended = !self.bytes.fill(),
            }
        }
    }

    fn resume(&mut self, place: Place, restarts: bool) {
        *self.place() = match place {
            Place::Array { .. } => Place::Array { first: restarts },
            Place::Tail if restarts => Place::Top,
            other => other,
        };
    }
}

/// A window's units.
struct Units<'a, 'p> {
    cursor: Cursor<'a>,
    record: Record<'a>,
    order: &'p mut KeyOrder,
    marks: &'a Marks,
    places: &'p mut Vec<Place>,
    consumed: u64,
    used: usize,
}

impl Units<'_, '_> {
    /// One record, envelope, or step into or out of a container.
    #[inline]
    fn unit(&mut self, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
        match self.places.last_mut() {
            Some(Place::Array { first }) => {
                let was_first = std::mem::replace(first, false);
                let item = self.cursor.item(was_first);
                if item.is_err() {
                    self.set_first(was_first);
                }
                if item? {
                    let read = self.object(take);
                    if read.is_err() {
                        self.set_first(was_first);
                    }
                    return read;
                }
                self.places.pop();
                Ok(())
            }
            Some(Place::Tail) => {
                if self.cursor.key(false)?.is_none() {
                    self.places.pop();
                    return Ok(());
                }
                self.cursor.value().map(|_| ())
            }
            Some(Place::Top) | None => {
                if self.cursor.peek()? == b'[' {
                    self.cursor.bracket()?;
                    return self.enter(Place::Array { first: true });
                }
                self.object(take)
            }
        }
    }

    fn set_first(&mut self, was: bool) {
        if let Some(Place::Array { first }) = self.places.last_mut() {
            *first = was;
        }
    }

    fn enter(&mut self, place: Place) -> Result<(), Stop> {
        if self.places.len() >= MAX_PLACES {
            return self.cursor.expected("a record, not a further container,");
        }
        self.places.push(place);
        Ok(())
    }

    #[inline]
    fn object(&mut self, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
        let start = {
            self.cursor.peek()?;
            self.cursor.at()
        };
        if self.cursor.peek()? != b'{' {
            self.cursor.value()?;
            let cause = Cause::Expected { expected: "a record" };
            take(Element::Fault(Fault::unpacked(self.consumed + start as u64, cause)));
            return Ok(());
        }
        let before = self.cursor.clone();
        let mut read = self.record.read(&mut self.cursor, self.order);
        if self.is_suspect(start) {
            self.cursor = before.strictly();
            read = self.record.read(&mut self.cursor, self.order);
            self.cursor.leniently();
        }
        match read? {
            Read::Object => {
                self.check_strings(start)?;
                take(Element::Object { at: self.consumed + start as u64, record: &self.record });
            }
            Read::Container => {
                self.cursor.bracket()?;
                self.enter(Place::Tail)?;
                self.enter(Place::Array { first: true })?;
            }
        }
        Ok(())
    }

    /// Does something stand beside a quote that no JSON text has there, from `start` on?
    fn is_suspect(&self, start: usize) -> bool {
        let suspects = self.marks.suspects();
        !suspects.is_empty() && suspects.iter().any(|at| (start..=self.cursor.at()).contains(&(*at as usize)))
    }

    /// Are the strings from `start` up to the place free of what JSON forbids in them?
    fn check_strings(&self, start: usize) -> Result<(), Stop> {
        let faults = self.marks.faults();
        match faults.iter().find(|at| (start..self.cursor.at()).contains(&(**at as usize))) {
            Some(at) => Err(Stop::Malformed { at: *at as usize, cause: Cause::BadString }),
            None => Ok(()),
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

/// Searches the place where reading can go on.
struct Resume {
    /// The object that is broken still ends where its brackets say.
    structural: bool,
    /// A place that looks like the beginning of a record ends the broken one.
    by_look: bool,
    top: bool,
    /// The window is searched from here.
    at: usize,
    /// Nothing before this looks like a beginning: it was read without fault.
    look_from: usize,
    depth: i64,
    in_string: bool,
    escaped: bool,
    started: bool,
}

struct Found {
    at: usize,
    /// A new record begins there, whatever stands before it.
    restarts: bool,
}

/// Keys that a record or an envelope begins with, in the order of the services or sorted.
const FIRST_KEYS: [&str; 12] = [
    "eventVersion",
    "additionalEventData",
    "addendum",
    "apiVersion",
    "awsRegion",
    "errorCode",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "userIdentity",
];

/// How far behind a brace its first key is looked for.
const LOOK: usize = 256;

impl Resume {
    fn new(place: Place, cause: Cause, at: usize) -> Self {
        let sound = matches!(cause, Cause::TooDeep | Cause::BadString | Cause::NotUtf8);
        Self {
            structural: cause != Cause::Truncated,
            by_look: !sound,
            top: place == Place::Top,
            at: 0,
            look_from: at.max(1),
            depth: 0,
            in_string: false,
            escaped: false,
            started: false,
        }
    }

    /// Searches the window; while more may come, not its very end, where a key may be cut.
    fn find(&mut self, window: &[u8], ended: bool) -> Option<Found> {
        let end = if ended { window.len() } else { window.len().saturating_sub(LOOK) };
        while let Some(byte) = window.get(self.at).filter(|_| self.at < end) {
            if self.by_look
                && self.at >= self.look_from
                && *byte == b'{'
                && self.looks_like_a_beginning(window)
            {
                return Some(Found { at: self.at, restarts: true });
            }
            if self.structural
                && let Some(at) = self.structure(*byte)
            {
                return Some(Found { at, restarts: false });
            }
            self.at += 1;
        }
        None
    }

    /// The end of the broken unit, by its brackets: behind it at the top, else before the comma
    /// or bracket that follows it.
    fn structure(&mut self, byte: u8) -> Option<usize> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return None;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            // Never without going on: a stray bracket is gone past.
            b'}' | b']' if self.depth == 0 && !self.top => return Some(self.at.max(1)),
            b'}' | b']' => {
                self.depth -= 1;
                if self.top && self.depth <= 0 {
                    return Some(self.at + 1);
                }
            }
            b',' if self.depth == 0 && self.started && !self.top => return Some(self.at),
            b'\n' if self.depth == 0 && self.started && self.top => return Some(self.at),
            _ => {}
        }
        self.started |= !byte.is_ascii_whitespace() && byte != b',';
        None
    }

    fn looks_like_a_beginning(&self, window: &[u8]) -> bool {
        if self.top && self.at > 0 && window.get(self.at - 1) == Some(&b'\n') {
            return true;
        }
        let ahead = window.get(self.at + 1..window.len().min(self.at + LOOK)).unwrap_or_default();
        let Some(key) = ahead.trim_ascii_start().strip_prefix(b"\"") else { return false };
        FIRST_KEYS
            .iter()
            .any(|first| key.strip_prefix(first.as_bytes()).is_some_and(|rest| rest.starts_with(b"\"")))
    }

    /// Forgets what was searched, but for the last bytes. Returns how many bytes those were.
    fn drop_seen(&mut self) -> usize {
        let seen = self.at.saturating_sub(1);
        self.at -= seen;
        self.look_from = self.look_from.saturating_sub(seen).max(1);
        seen
    }
}
