//! One CloudTrail record, as far as we read it: borrowed from the text, nothing decoded before it
//! is asked for.
//!
//! Every field may be absent, `null` or of another type, as in real trails; none of that stops a
//! record from being read. Source: CloudTrail user guide, "CloudTrail record contents" and
//! "CloudTrail userIdentity element".

use super::cursor::{Cursor, Stop};
pub use super::field::Field;
use super::identity;
pub use super::identity::{Identity, Issuer};
pub use super::key::Key;
use super::key::{KEYS, Keys};
pub use super::key_order::KeyOrder;

/// A CloudTrail record, or an envelope around one.
#[derive(Debug)]
pub struct Record<'a> {
    /// The whole object.
    pub json: &'a [u8],
    /// Byte offset of the object in its window.
    pub at: usize,
    /// The keys that it has, a bit each. The fields of the others are those of another record.
    present: u64,
    fields: [Field<'a>; KEYS],
    /// `userIdentity`, read where it is asked for.
    identity: Option<Cursor<'a>>,
    /// A field that we read stands in the record twice, with different values: nothing in the
    /// record can be relied on.
    pub conflict: bool,
}

/// What an object turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// A record or an envelope, whole.
    Object,
    /// It holds records in an array, and the place is at the array's bracket.
    Container,
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self { json: b"", at: 0, present: 0, fields: [Field::Absent; KEYS], identity: None, conflict: false }
    }
}

impl<'a> Record<'a> {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the object at the place of `cursor`.
    ///
    /// # Errors
    /// Where the text ends before the object does, or is no JSON.
    pub fn read(&mut self, cursor: &mut Cursor<'a>, order: &mut KeyOrder) -> Result<Read, Stop> {
        self.read_all::<false>(cursor, order)
    }

    /// The same, where `detail` may be nested to any depth: how deep the record in an envelope may be
    /// does not hang on the envelope. Whoever opens it looks at the depth.
    #[cold]
    pub(super) fn read_envelope(
        &mut self,
        cursor: &mut Cursor<'a>,
        order: &mut KeyOrder,
    ) -> Result<Read, Stop> {
        self.read_all::<true>(cursor, order)
    }

    #[inline(always)]
    fn read_all<const ENVELOPE: bool>(
        &mut self,
        cursor: &mut Cursor<'a>,
        order: &mut KeyOrder,
    ) -> Result<Read, Stop> {
        self.at = cursor.at();
        self.present = 0;
        self.conflict = false;
        cursor.bracket()?;
        let mut before = self.read_plainly(cursor, order, 0);
        while let Some((key, at)) = order.key(cursor, before)? {
            before = at;
            match key {
                Some(Key::UserIdentity) => {
                    cursor.peek()?;
                    self.identity = Some(cursor.clone());
                }
                Some(Key::Records) if cursor.peek()? == b'[' && self.may_be_container() => {
                    return Ok(Read::Container);
                }
                Some(_) | None => {}
            }
            let value = if ENVELOPE && key == Some(Key::Detail) {
                Field::of(cursor.value_of_any_depth()?)
            } else {
                Field::of(cursor.value()?)
            };
            if let Some(key) = key {
                self.set(key, value);
            }
            before = self.read_plainly(cursor, order, before);
        }
        self.json = cursor.text_since(self.at);
        Ok(Read::Object)
    }

    /// Reads on as long as each key is the one that is expected and its value no number, which is most of a
    /// record. Returns the last key that was read.
    ///
    /// Where the next value begins hangs on where the last one ends, and all else waits for that: so the
    /// place is kept in a register here, and not in the cursor.
    #[inline]
    fn read_plainly(&mut self, cursor: &mut Cursor<'a>, order: &KeyOrder, mut before: usize) -> usize {
        let mut at = cursor.at();
        while let Some((guess, next)) = order.guess(before)
            && let Some(start) = cursor.behind_key(guess.0, before == 0, at)
        {
            let (value, behind) = if let Some((text, behind)) = cursor.string_at(start) {
                (Field::Text(text), behind)
            } else if let Some((word, behind)) = cursor.word_at(start) {
                (Field::of(word), behind)
            } else if !matches!(guess.1, Some(Key::Records | Key::Detail))
                && let Some((nested, behind)) = cursor.nested_at(start)
            {
                (Field::of(nested), behind)
            } else {
                break;
            };
            if let Some(key) = guess.1 {
                if key == Key::UserIdentity {
                    cursor.go_back(start);
                    self.identity = Some(cursor.clone());
                }
                self.set(key, value);
            }
            (at, before) = (behind, next);
        }
        cursor.go_back(at);
        before
    }

    #[inline]
    fn set(&mut self, key: Key, value: Field<'a>) {
        let field = &mut self.fields[key as usize];
        self.conflict |= self.present & key.bit() != 0 && *field != value;
        self.present |= key.bit();
        *field = value;
    }

    /// The same record with a field that it lacks.
    pub(super) fn with(&self, key: Key, value: Field<'a>) -> Self {
        let mut record = Self { identity: self.identity.clone(), ..*self };
        record.present |= key.bit();
        record.fields[key as usize] = value;
        record
    }

    /// A field.
    #[inline]
    pub fn get(&self, key: Key) -> Field<'a> {
        if self.present & key.bit() == 0 { Field::Absent } else { self.fields[key as usize] }
    }

    /// Has it none of `keys`, not even with `null`?
    #[inline]
    pub(super) fn lacks(&self, keys: Keys) -> bool {
        self.present & keys.0 == 0
    }

    /// How many of `keys` it has a value for.
    pub(super) fn count(&self, keys: Keys) -> usize {
        let there = self.present & keys.0;
        self.fields.iter().enumerate().filter(|(n, field)| there >> n & 1 != 0 && !field.is_absent()).count()
    }

    /// Does it hold nothing so far that no container of records does?
    fn may_be_container(&self) -> bool {
        self.lacks(Keys::TELLING) && self.get(Key::Records).is_absent()
    }

    /// Reads `userIdentity`.
    pub fn identity(&self) -> Identity<'a> {
        let mut identity = Identity::default();
        if let Some(cursor) = &self.identity
            && self.present & Key::UserIdentity.bit() != 0
        {
            identity.unreadable |= identity::read(&mut cursor.clone(), &mut identity).is_err();
        }
        identity
    }

    /// Does it hold any field that we know?
    pub(super) fn holds_anything(&self) -> bool {
        self.present != 0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cloudtrail::marks::Marks;

    /// Reads a record and gives it to `use_it`.
    pub(crate) fn with_record<T>(json: &str, use_it: impl FnOnce(&Record<'_>) -> T) -> T {
        let mut marks = Marks::default();
        marks.index(json.as_bytes());
        let mut record = Record::new();
        let read = record.read(&mut Cursor::new(json.as_bytes(), &marks), &mut KeyOrder::default());
        assert_eq!(read, Ok(Read::Object), "{json}");
        use_it(&record)
    }

    #[test]
    fn a_field_of_another_type_is_no_text() {
        with_record(r#"{"eventID":7,"errorCode":null,"readOnly":false,"eventSource":["x"]}"#, |record| {
            assert_eq!(record.get(Key::EventId), Field::Other(b"7"));
            assert!(record.get(Key::ErrorCode).is_absent());
            assert!(record.get(Key::ReadOnly).is_false());
            assert!(record.get(Key::EventSource).is_unreadable());
        });
    }

    #[test]
    fn a_field_twice_is_a_conflict_only_where_the_values_differ() {
        with_record(r#"{"eventID":"a","eventID":"a"}"#, |record| assert!(!record.conflict));
        with_record(r#"{"eventID":"a","eventID":null}"#, |record| assert!(record.conflict));
    }

    #[test]
    fn escaped_keys_are_the_same_keys() {
        let json = r#"{"event\u0053ource":"a","userIdentit\u0079":{"sessionContext":{"session\u0049ssuer":{"arn":"x"}}}}"#;
        with_record(json, |record| {
            assert!(record.get(Key::EventSource).is("a"));
            assert!(record.identity().issuer.arn.is("x"));
        });
    }
}
