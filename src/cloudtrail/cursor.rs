//! Walks a JSON text along its marks, checking the grammar on the way.
//!
//! Parts that nobody reads are gone past by their brackets alone, or checked as well where the
//! caller has reason to ([`Cursor::strictly`]). Depth is bounded, so a hostile text cannot exhaust
//! the stack.

use super::marks::Marks;

/// Arrays and objects may lie this deep in each other. CloudTrail's own records reach about ten.
pub const MAX_DEPTH: u32 = 128;

/// Numbers as long as this are none that any service writes.
const LONGEST_NUMBER: usize = 1024;

/// Why a text cannot be read on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// The text ends inside a value: with more text it may be right.
    Incomplete,
    /// The text is not JSON.
    Malformed {
        /// Byte offset in the text.
        at: usize,
        /// What is wrong there.
        cause: Cause,
    },
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Cause {
    /// Something else stands where a value, a key or a separator must.
    #[error("{expected} expected")]
    Expected {
        /// What must stand there.
        expected: &'static str,
    },
    /// More than [`MAX_DEPTH`] arrays and objects in each other.
    #[error("nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A control character or an unknown escape in a string.
    #[error("a character that JSON forbids in strings")]
    BadString,
    /// Bytes that are no UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// More than one record may have.
    #[error("longer than {} MiB", super::elements::MAX_ELEMENT >> 20)]
    TooLong,
    /// The text ends before the value does.
    #[error("the text ends inside a record")]
    Truncated,
    /// An object that is neither a CloudTrail record nor an envelope around one.
    #[error("{0}")]
    NoRecord(&'static str),
    /// The packed data are damaged.
    #[error("{0}")]
    Packed(&'static str),
    /// The source cannot be read on.
    #[error("cannot be read: {0}")]
    Io(std::io::ErrorKind),
}

/// One JSON value, not yet looked into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    /// A string: what stands between its quotes, still escaped.
    Text(&'a [u8]),
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(&'a [u8]),
    /// An array or object, whole.
    Nested(&'a [u8]),
}

/// A short text to be compared with what stands at a place, very often: all of it at once, without
/// a loop over its length.
#[derive(Debug)]
pub struct Literal {
    words: [u64; Literal::WORDS],
    /// Ones where a byte of the literal stands.
    mask: [u64; Literal::WORDS],
    len: usize,
}

impl Literal {
    const WORDS: usize = 4;

    /// The longest that can be.
    pub const MAX: usize = Self::WORDS * 8;

    /// `None`: too long.
    pub fn new(text: &[u8]) -> Option<Self> {
        let (mut bytes, mut mask) = ([0; Self::MAX], [0; Self::MAX]);
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        mask.get_mut(..text.len())?.fill(0xff);
        Some(Self { words: words(&bytes), mask: words(&mask), len: text.len() })
    }

    /// Does `text` begin so? Never where fewer than [`Literal::MAX`] bytes are there.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        let Some(text) = text.first_chunk() else { return false };
        let pairs = words(text).into_iter().zip(self.words).zip(self.mask);
        pairs.fold(0, |differing, ((there, word), mask)| differing | ((there ^ word) & mask)) == 0
    }
}

#[inline]
fn words(bytes: &[u8; Literal::MAX]) -> [u64; Literal::WORDS] {
    let mut words = [0; Literal::WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// A place in a text.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a [u8],
    quotes: &'a [u64],
    brackets: &'a [u64],
    at: usize,
    depth: u32,
    strict: bool,
}

type Walk<T> = Result<T, Stop>;

impl<'a> Cursor<'a> {
    /// At the beginning of `text`, of which `marks` are the marks.
    pub fn new(text: &'a [u8], marks: &'a Marks) -> Self {
        Self { text, quotes: marks.quotes(), brackets: marks.brackets(), at: 0, depth: 0, strict: false }
    }

    /// From here on, what is gone past is checked as well: without this, only its brackets are.
    pub fn strictly(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Whether what is gone past is checked as well: [`Cursor::strictly`].
    pub fn be_strict(&mut self, strict: bool) {
        self.strict = strict;
        self.depth = 0;
    }

    /// Returns to a place that was [`Cursor::at`].
    pub fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    /// Byte offset of the place.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space, without going past it.
    #[inline]
    pub fn peek(&mut self) -> Walk<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Stop::Incomplete),
            }
        }
    }

    /// Goes past `n` bytes that are neither quote nor bracket.
    #[inline]
    pub fn skip(&mut self, n: usize) {
        self.at += n;
    }

    /// Goes past an opening or closing bracket.
    #[inline]
    pub fn bracket(&mut self) -> Walk<()> {
        let marks = self.brackets.get(self.at / 64).copied().unwrap_or_default();
        if marks >> (self.at % 64) & 1 == 0 {
            return self.expected("a bracket outside a string");
        }
        self.at += 1;
        Ok(())
    }

    /// An error at the present place.
    #[cold]
    pub fn expected<T>(&self, expected: &'static str) -> Walk<T> {
        Err(Stop::Malformed { at: self.at, cause: Cause::Expected { expected } })
    }

    /// A string, still escaped; the place is its opening quote.
    #[inline]
    pub fn string(&mut self) -> Walk<&'a [u8]> {
        let open = self.at + 1;
        let close = self.next_quote(open)?;
        let Some(string) = self.text.get(open..close) else { return Err(Stop::Incomplete) };
        self.at = close + 1;
        Ok(string)
    }

    #[inline]
    fn next_quote(&self, from: usize) -> Walk<usize> {
        let mut word = from / 64;
        let Some(bits) = self.quotes.get(word) else { return Err(Stop::Incomplete) };
        let mut bits = bits & (!0 << (from % 64));
        while bits == 0 {
            word += 1;
            bits = match self.quotes.get(word) {
                Some(bits) => *bits,
                None => return Err(Stop::Incomplete),
            };
        }
        Ok(word * 64 + bits.trailing_zeros() as usize)
    }

    /// The next key of an object and the colon behind it, or `None` at its end. `first` tells
    /// whether a comma must stand before it.
    #[inline]
    pub fn key(&mut self, first: bool) -> Walk<Option<&'a [u8]>> {
        let mut byte = self.peek()?;
        if byte == b'}' {
            self.bracket()?;
            return Ok(None);
        }
        if !first {
            if byte != b',' {
                return self.expected("`,` or `}`");
            }
            self.skip(1);
            byte = self.peek()?;
        }
        if byte != b'"' {
            return self.expected("a key");
        }
        let key = self.string()?;
        if self.peek()? != b':' {
            return self.expected("`:`");
        }
        self.skip(1);
        Ok(Some(key))
    }

    /// Goes past a key and its colon where they stand there exactly as in `literal`, with quotes and
    /// colon; `first` tells whether a comma must stand before it. Otherwise nothing is done.
    #[inline]
    pub fn skip_key(&mut self, literal: &Literal, first: bool) -> bool {
        let behind = self.behind_key(literal, first, self.at);
        self.at = behind.unwrap_or(self.at);
        behind.is_some()
    }

    /// As [`Cursor::skip_key`], at another place: what stands behind.
    #[inline]
    pub fn behind_key(&self, literal: &Literal, first: bool, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let (rest, comma) = if first { (rest, 0) } else { (rest.strip_prefix(b",")?, 1) };
        literal.begins(rest).then_some(at + comma + literal.len)
    }

    /// The string that begins right at `at`, and what stands behind it.
    #[inline]
    pub fn string_at(&self, at: usize) -> Option<(&'a [u8], usize)> {
        if self.text.get(at) != Some(&b'"') {
            return None;
        }
        let close = self.next_quote(at + 1).ok()?;
        Some((self.text.get(at + 1..close)?, close + 1))
    }

    /// The `true`, `false` or `null` at `at` that ends there, and what stands behind it.
    #[inline]
    pub fn word_at(&self, at: usize) -> Option<(Value<'a>, usize)> {
        let (value, len) = match self.text.get(at..)? {
            [b'n', b'u', b'l', b'l', b',' | b'}', ..] => (Value::Null, 4),
            [b't', b'r', b'u', b'e', b',' | b'}', ..] => (Value::Bool(true), 4),
            [b'f', b'a', b'l', b's', b'e', b',' | b'}', ..] => (Value::Bool(false), 5),
            _ => return None,
        };
        Some((value, at + len))
    }

    /// Goes past a mark of the byte order, if one stands there.
    pub fn skip_byte_order(&mut self) -> bool {
        let there = self.text.get(self.at..).is_some_and(|text| text.starts_with("\u{feff}".as_bytes()));
        if there {
            self.at += '\u{feff}'.len_utf8();
        }
        there
    }

    /// What stands between `start` and the place.
    pub fn text_since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Is there a further item in an array? `first` tells whether a comma must stand before it.
    #[inline]
    pub fn item(&mut self, first: bool) -> Walk<bool> {
        let byte = self.peek()?;
        if byte == b']' {
            self.bracket()?;
            return Ok(false);
        }
        if !first {
            if byte != b',' {
                return self.expected("`,` or `]`");
            }
            self.skip(1);
        }
        Ok(true)
    }

    /// The value at the place, whole and checked.
    #[inline]
    pub fn value(&mut self) -> Walk<Value<'a>> {
        if self.text.get(self.at) == Some(&b'"') {
            return self.string().map(Value::Text);
        }
        self.value_of_any_kind()
    }

    fn value_of_any_kind(&mut self) -> Walk<Value<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Value::Text),
            b'{' | b'[' => {
                let start = self.at;
                self.skip_nested()?;
                Ok(Value::Nested(self.text.get(start..self.at).unwrap_or_default()))
            }
            _ => self.scalar(),
        }
    }

    /// The array or object that begins right at `at`, and what stands behind it; only where what is gone past
    /// is not to be checked.
    #[inline]
    pub fn nested_at(&self, at: usize) -> Option<(Value<'a>, usize)> {
        if self.strict || !matches!(self.text.get(at), Some(b'{' | b'[')) {
            return None;
        }
        let behind = self.behind_nested(at).ok()?;
        Some((Value::Nested(self.text.get(at..behind)?), behind))
    }

    /// Goes past an array or object.
    #[inline]
    fn skip_nested(&mut self) -> Walk<()> {
        if self.strict {
            return self.check_nested();
        }
        self.at = self.behind_nested(self.at)?;
        Ok(())
    }

    /// What stands behind the array or object at `at`.
    #[inline]
    fn behind_nested(&self, at: usize) -> Walk<usize> {
        let mut word = at / 64;
        let mut marks = self.brackets.get(word).copied().unwrap_or_default() & (!0 << (at % 64));
        let mut open: u128 = 0;
        let mut depth = 0u32;
        loop {
            while marks == 0 {
                word += 1;
                let Some(more) = self.brackets.get(word) else { return Err(Stop::Incomplete) };
                marks = *more;
            }
            let at = word * 64 + marks.trailing_zeros() as usize;
            marks &= marks - 1;
            let Some(byte) = self.text.get(at) else { return Err(Stop::Incomplete) };
            // Opening and closing brackets of a kind differ by two: bit 5 tells the kind.
            let square = u128::from(byte & 0x20 == 0);
            if byte & 0x04 == 0 {
                if depth >= MAX_DEPTH {
                    return Err(Stop::Malformed { at, cause: Cause::TooDeep });
                }
                open = open << 1 | square;
                depth += 1;
            } else {
                if open & 1 != square {
                    return Err(Stop::Malformed {
                        at,
                        cause: Cause::Expected { expected: "the other closing bracket" },
                    });
                }
                open >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
        }
    }

    /// The value at the place, however deep it is. Of an array or object, only the brackets are looked at.
    #[cold]
    pub fn value_of_any_depth(&mut self) -> Walk<Value<'a>> {
        if !matches!(self.peek()?, b'{' | b'[') {
            return self.value();
        }
        let start = self.at;
        // What opens must be outside a string; then nothing closes that was not opened.
        self.clone().bracket()?;
        let mut depth = 0u32;
        let rest = self.text.get(start..).unwrap_or_default();
        for (at, byte) in (start..).zip(rest) {
            let marks = self.brackets.get(at / 64).copied().unwrap_or_default();
            if marks >> (at % 64) & 1 == 0 {
                continue;
            }
            depth = if matches!(byte, b'{' | b'[') { depth + 1 } else { depth - 1 };
            if depth == 0 {
                self.at = at + 1;
                return Ok(Value::Nested(self.text_since(start)));
            }
        }
        Err(Stop::Incomplete)
    }

    /// Goes past an array or object, checking all of it.
    fn check_nested(&mut self) -> Walk<()> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::Malformed { at: self.at, cause: Cause::TooDeep });
        }
        self.depth += 1;
        let object = self.peek()? == b'{';
        self.bracket()?;
        let mut first = true;
        if object {
            while self.key(first)?.is_some() {
                first = false;
                self.value()?;
            }
        } else {
            while self.item(first)? {
                first = false;
                self.value()?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn scalar(&mut self) -> Walk<Value<'a>> {
        match self.word_at(self.at) {
            Some((value, behind)) => {
                self.at = behind;
                Ok(value)
            }
            None => self.any_scalar(self.text.get(self.at..).unwrap_or_default()),
        }
    }

    fn any_scalar(&mut self, rest: &'a [u8]) -> Walk<Value<'a>> {
        let rest = rest.get(..LONGEST_NUMBER).unwrap_or(rest);
        let len = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')));
        let len = match len {
            Some(len) => len,
            None if rest.len() < LONGEST_NUMBER => return Err(Stop::Incomplete),
            None => return self.expected("a value"),
        };
        let word = rest.get(..len).unwrap_or_default();
        let value = match word {
            b"null" => Value::Null,
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            _ if is_number(word) => Value::Number(word),
            _ => return self.expected("a value"),
        };
        self.at += len;
        Ok(value)
    }
}

/// RFC 8259, section 6.
fn is_number(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let (whole, mut rest) = digits(word);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
        return false;
    }
    if let [b'.', behind @ ..] = rest {
        let (fraction, behind) = digits(behind);
        if fraction.is_empty() {
            return false;
        }
        rest = behind;
    }
    if let [b'e' | b'E', behind @ ..] = rest {
        let exponent = behind.strip_prefix(b"+").or(behind.strip_prefix(b"-")).unwrap_or(behind);
        let (exponent, behind) = digits(exponent);
        return !exponent.is_empty() && behind.is_empty();
    }
    rest.is_empty()
}

/// The digits that `word` begins with, and the rest.
fn digits(word: &[u8]) -> (&[u8], &[u8]) {
    let end = word.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(word.len());
    word.split_at_checked(end).unwrap_or_default()
}
