//! Finds the records that another one took for its own.
//!
//! A record that lost the end of its `resources` has the rest of itself for a resource, and the records
//! behind it for further ones: all of that is sound JSON. What tells is that objects lie there which are
//! records by their keys, in whatever order those are.
//!
//! What a caller wrote is never taken for one: it lies deeper, in arrays of `requestParameters`. Deeper ones
//! are looked for only in what is longer than any record, and there in an array that does not end.

use memchr::memmem;

use super::cursor::MAX_DEPTH;
use super::escapes::unescape;

/// So deep in a record, a caller has nothing in an array: the record's own arrays (`resources`) lie in it,
/// as a container's records do.
pub(super) const SHALLOW: usize = 2;

/// What a record has some of, each of which is rare elsewhere.
const TELLING: [&[u8]; 7] =
    [b"userIdentity", b"eventVersion", b"eventTime", b"eventSource", b"eventName", b"eventID", b"awsRegion"];

/// So many of them make a record.
const ENOUGH: u32 = 4;

/// Keys of a resource. What has them as well is a resource that the rest of its own record was added to.
const OF_A_RESOURCE: [&[u8]; 4] = [b"ARN", b"ARNPrefix", b"accountId", b"type"];

/// May anything but the record's own fields be in `text`? Asked of every long record, and hardly ever true.
#[inline]
pub(super) fn may_hold_records(text: &[u8], has_identity: bool) -> bool {
    memmem::find_iter(text, b"\"userIdentity\"").nth(usize::from(has_identity)).is_some()
}

/// Where the first record begins that the one at the beginning of `text` took for its own.
#[cold]
pub(super) fn record_within(text: &[u8]) -> Option<usize> {
    let mut records = Records::within(text);
    loop {
        let at = records.next()?;
        if records.open.len() <= SHALLOW {
            return Some(at);
        }
    }
}

/// The same in the first part of something that is longer than any record. Its end is surely lost, and the
/// array that it was lost in has not ended yet; how deep that lies does not count.
#[cold]
pub(super) fn record_within_long(text: &[u8]) -> Option<usize> {
    let mut records = Records::within(text);
    while let Some(at) = records.next() {
        if let Some(array) = records.open.last_mut() {
            array.first.get_or_insert(at);
        }
    }
    records.open.iter().find_map(|array| array.first)
}

/// The objects in arrays that are records by their keys, each as it ends.
struct Records<'t> {
    text: &'t [u8],
    at: usize,
    /// What is around the place.
    open: Vec<Open>,
}

impl<'t> Records<'t> {
    fn within(text: &'t [u8]) -> Self {
        Self { text, at: 0, open: Vec::new() }
    }

    /// Where the next one begins.
    fn next(&mut self) -> Option<usize> {
        loop {
            let at = self.at;
            self.at += 1;
            match self.text.get(at)? {
                b'"' => self.string()?,
                byte @ (b'{' | b'[') if self.open.len() < MAX_DEPTH as usize => {
                    self.open.push(Open::new(at, *byte));
                }
                b'{' | b'[' => return None,
                b'}' | b']' => {
                    let closed = self.open.pop()?;
                    if closed.is_record() && self.open.last().is_some_and(|around| around.is_array) {
                        return Some(closed.at);
                    }
                }
                _ => {}
            }
        }
    }

    /// Goes past the string whose first quote was gone past, and notes it where it is a key.
    fn string(&mut self) -> Option<()> {
        let start = self.at;
        let end = start + end_of_string(self.text.get(start..)?)?;
        self.at = end + 1;
        if let Some(object) = self.open.last_mut()
            && is_key(self.text.get(end + 1..)?)
        {
            object.note(self.text.get(start..end)?);
        }
        Some(())
    }
}

/// An array or object that has not ended.
struct Open {
    at: usize,
    is_array: bool,
    /// Which of [`TELLING`] are keys of it, a bit each.
    telling: u32,
    resource: bool,
    /// Where the first of the records in it begins, as far as that is of interest.
    first: Option<usize>,
}

impl Open {
    fn new(at: usize, bracket: u8) -> Self {
        Self { at, is_array: bracket == b'[', telling: 0, resource: false, first: None }
    }

    fn note(&mut self, key: &[u8]) {
        let key = unescape(key);
        let telling = TELLING.iter().position(|known| *known == key.as_bytes());
        self.telling |= telling.map_or(0, |n| 1 << n);
        self.resource |= OF_A_RESOURCE.contains(&key.as_bytes());
    }

    fn is_record(&self) -> bool {
        !self.is_array && !self.resource && self.telling.count_ones() >= ENOUGH
    }
}

/// Where the quote stands that ends a string.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// Does a colon stand behind a string?
fn is_key(behind: &[u8]) -> bool {
    behind.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}
