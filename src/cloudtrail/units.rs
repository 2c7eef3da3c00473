//! Walks one window of a stream: into containers and out of them, from record to record. What it cannot
//! read it names, and stops there; what comes then is the business of [`super::elements`].

use super::cursor::{Cause, Cursor, Stop, Value};
use super::elements::{Element, Fault};
use super::envelope;
use super::escapes::unescape;
use super::marks::Marks;
use super::record::{Key, KeyOrder, Read, Record};
use super::swallowed::{may_hold_records, record_within};

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
pub(super) const NO_END: Cause = Cause::Expected { expected: "the end of the record before" };
pub(super) const ENDS_EARLY: Cause = Cause::Expected { expected: "a further field of the record" };

/// From this size on, an object is searched for records that it may have swallowed.
const SWALLOWS: usize = 2 << 10;

/// A window's units.
pub(super) struct Units<'a, 'p> {
    pub text: &'a [u8],
    pub cursor: Cursor<'a>,
    pub record: Record<'a>,
    pub order: &'p mut KeyOrder,
    pub marks: &'a Marks,
    pub places: &'p mut Vec<Place>,
    pub consumed: u64,
    pub used: usize,
    pub units: usize,
    pub damaged: bool,
}

impl Units<'_, '_> {
    /// One record, envelope, or step into or out of a container.
    #[inline]
    pub fn unit(&mut self, take: &mut dyn FnMut(Element<'_>)) -> Result<(), Stop> {
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
        let says_nothing = self.strictly(|cursor| cursor.value().map(|value| value == Value::Null))?;
        if key.is_some_and(|key| key.is_of_a_record() || key == Key::Records) && !says_nothing {
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
        let at = start + record_within(text)?;
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
