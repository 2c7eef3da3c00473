//! Finds the records that another one took for its own.
//!
//! A record that lost the end of its `resources` has the rest of itself for a resource, and the records
//! behind it for further ones: all of that is sound JSON. What tells is that objects lie there which are
//! records by their keys, in whatever order those are.
//!
//! What a caller wrote is never taken for one: it lies deeper, in arrays of `requestParameters`. Only in
//! what is longer than any record is, deeper ones are looked for too.

use memchr::memmem;

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

/// Where the first record begins inside the object that `text` begins with, in an array around which there
/// are no more than `depth` brackets, it among them.
#[cold]
pub(super) fn record_within(text: &[u8], depth: usize) -> Option<usize> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = at + 1 + end_of_string(text.get(at + 1..)?)?;
                if let Some(object) = open.last_mut()
                    && is_key(text.get(end + 1..)?)
                {
                    object.note(text.get(at + 1..end)?);
                }
                at = end;
            }
            b'{' | b'[' => open.push(Open { at, square: *byte == b'[', telling: 0, resource: false }),
            b'}' | b']' => {
                let closed = open.pop()?;
                let in_array = open.last().is_some_and(|around| around.square);
                if in_array && open.len() <= depth && closed.is_record() {
                    return Some(closed.at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// An array or object that has not ended.
struct Open {
    at: usize,
    square: bool,
    /// Which of [`TELLING`] are keys of it, a bit each.
    telling: u32,
    resource: bool,
}

impl Open {
    fn note(&mut self, key: &[u8]) {
        let key = unescape(key);
        let telling = TELLING.iter().position(|known| *known == key.as_bytes());
        self.telling |= telling.map_or(0, |n| 1 << n);
        self.resource |= OF_A_RESOURCE.contains(&key.as_bytes());
    }

    fn is_record(&self) -> bool {
        !self.square && !self.resource && self.telling.count_ones() >= ENOUGH
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
