//! Where the quotes and brackets of a JSON text stand: one pass over the bytes, 64 at a time.
//!
//! Everything that reads CloudTrail walks along these positions instead of looking at each byte.
//! The pass knows strings and escapes, and which bytes may stand beside a quote; the grammar is
//! the business of [`super::cursor`].

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

/// Bytes looked at together.
const BLOCK: usize = 64;

/// What [`Marks::index`] found; positions are relative to the text that was given.
#[derive(Debug, Default)]
pub struct Marks {
    /// Unescaped quotes, a bit a byte.
    quotes: Vec<u64>,
    /// Brackets outside strings, a bit a byte.
    brackets: Vec<u64>,
    faults: Vec<u32>,
    suspects: Vec<u32>,
    ascii: bool,
}

impl Marks {
    /// Indexes `text`, which must begin outside any string and be shorter than 4 GiB.
    pub fn index(&mut self, text: &[u8]) {
        self.faults.clear();
        self.suspects.clear();
        let level = Level::new();
        dispatch!(level, simd => self.index_with(simd, text));
    }

    /// One compilation of this for each instruction set, chosen when the program runs.
    #[inline(always)]
    fn index_with<S: Simd>(&mut self, simd: S, text: &[u8]) {
        let mut structure = Structure::default();
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let (mut quotes, mut brackets) =
            (std::mem::take(&mut self.quotes), std::mem::take(&mut self.brackets));
        // What is in them already is overwritten.
        quotes.resize(blocks.len(), 0);
        brackets.resize(blocks.len(), 0);
        let mut high = 0;
        // A loop and no closure: a closure would be compiled without the instruction set.
        for (n, ((block, quotes), brackets)) in blocks.iter().zip(&mut quotes).zip(&mut brackets).enumerate()
        {
            let found = structure.block(simd, block);
            high |= found.high;
            *quotes = found.quotes;
            *brackets = found.brackets;
            if found.control | found.escaped | found.suspect != 0 {
                self.check(text, n * BLOCK, found.control, found.escaped, found.suspect);
            }
        }
        if !rest.is_empty() {
            let mut last = [b' '; BLOCK];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            let found = structure.block(simd, &last);
            high |= found.high;
            quotes.push(found.quotes);
            brackets.push(found.brackets);
            self.check(text, blocks.len() * BLOCK, found.control, found.escaped, found.suspect);
        }
        self.quotes = quotes;
        self.brackets = brackets;
        self.ascii = high == 0;
    }

    /// Notes of one block the bytes in strings that JSON does not allow there (bare control
    /// characters, unknown escapes), and those outside that may not stand behind the byte before them.
    #[cold]
    fn check(&mut self, text: &[u8], base: usize, control: u64, escaped: u64, suspect: u64) {
        self.faults.extend(bits(control).map(|at| position(base + at)));
        let escapes = bits(escaped).filter(|at| !escape_is_known(text, base + at));
        self.faults.extend(escapes.map(|at| position(base + at)));
        let suspects = bits(suspect).map(|at| base + at).filter(|at| !is_in_order(text, *at));
        self.suspects.extend(suspects.map(position));
    }

    /// Unescaped quotes, a bit a byte, lowest first.
    pub fn quotes(&self) -> &[u64] {
        &self.quotes
    }

    /// Brackets outside strings, likewise.
    pub fn brackets(&self) -> &[u64] {
        &self.brackets
    }

    /// Bytes inside strings that JSON forbids there, in no order.
    pub fn faults(&self) -> &[u32] {
        &self.faults
    }

    /// Bytes that no JSON text has behind the byte before them, in rising order.
    pub fn suspects(&self) -> &[u32] {
        &self.suspects
    }

    /// No byte of the text is above 0x7f.
    pub fn is_ascii(&self) -> bool {
        self.ascii
    }
}

/// The state that runs on from block to block.
#[derive(Clone, Copy, Debug, Default)]
struct Structure {
    /// All ones inside a string.
    in_string: u64,
    /// One where the first byte of the next block is escaped.
    escape: u64,
    /// One where the last byte of the block before was a closing quote, a comma or colon, an opening
    /// or a closing bracket.
    closing: u64,
    separator: u64,
    open: u64,
    close: u64,
}

/// What one block of 64 bytes holds, a bit a byte.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Unescaped quotes.
    quotes: u64,
    /// Brackets outside strings.
    brackets: u64,
    /// Control characters inside strings.
    control: u64,
    /// Bytes inside strings that a backslash stands before.
    escaped: u64,
    /// Bytes that may not stand behind the one before them; many of them may, where one of the two is
    /// white space.
    suspect: u64,
    /// Bytes above 0x7f.
    high: u64,
}

impl Structure {
    #[inline(always)]
    fn block<S: Simd>(&mut self, simd: S, block: &[u8; BLOCK]) -> Found {
        let raw = Raw::of(simd, block);
        let escaped = self.escaped(raw.backslash);
        let quotes = raw.quote & !escaped;
        // Ones from each opening quote up to the byte before the closing one.
        let string = prefix_xor(quotes) ^ self.in_string;
        self.in_string = 0u64.wrapping_sub(string >> 63);
        let (opening, closing) = (quotes & string, quotes & !string);
        let (open, close) = (raw.open & !string, raw.close & !string);
        let (comma, colon) = (raw.comma & !string, raw.colon & !string);
        let separator = comma | colon;
        let behind_string = closing << 1 | self.closing;
        let behind_separator = separator << 1 | self.separator;
        let behind_open = open << 1 | self.open;
        let behind_close = close << 1 | self.close;
        let suspect = (behind_string & !(separator | close))
            | (opening & !(behind_separator | behind_open))
            | (colon & !behind_string)
            | (comma & (behind_separator | behind_open))
            | (close & behind_separator)
            | (open & behind_close);
        self.closing = closing >> 63;
        self.separator = separator >> 63;
        self.open = open >> 63;
        self.close = close >> 63;
        Found {
            quotes,
            brackets: open | close,
            control: raw.control & string,
            escaped: escaped & string,
            suspect,
            high: raw.high,
        }
    }

    /// The bytes that an odd run of backslashes stands before.
    #[inline(always)]
    fn escaped(&mut self, backslash: u64) -> u64 {
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        if backslash == 0 {
            return std::mem::take(&mut self.escape);
        }
        // Subtracting carries through each run, and ends behind it where the run is odd.
        let starts = backslash & !self.escape;
        let codes = ((starts << 1 | ODD).wrapping_sub(starts)) ^ ODD;
        let escaped = codes ^ (backslash | self.escape);
        self.escape = (codes & backslash) >> 63;
        escaped
    }
}

/// The bytes of interest, before strings and escapes are taken into account.
struct Raw {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
    comma: u64,
    colon: u64,
    control: u64,
    high: u64,
}

impl Raw {
    #[inline(always)]
    fn of<S: Simd>(simd: S, block: &[u8; BLOCK]) -> Self {
        let bytes = u8x64::from_slice(simd, block);
        // `[` and `{`, `]` and `}` differ in one bit only.
        let folded = bytes | 0x20;
        Self {
            quote: bytes.simd_eq(b'"').to_bitmask(),
            backslash: bytes.simd_eq(b'\\').to_bitmask(),
            open: folded.simd_eq(b'{').to_bitmask(),
            close: folded.simd_eq(b'}').to_bitmask(),
            comma: bytes.simd_eq(b',').to_bitmask(),
            colon: bytes.simd_eq(b':').to_bitmask(),
            control: bytes.simd_le(0x1f).to_bitmask(),
            high: bytes.simd_ge(0x80).to_bitmask(),
        }
    }
}

/// Bit n is the parity of bits 0 to n: from an opening quote up to its closing one, all ones.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (at < BLOCK).then_some(at)
    })
}

/// Is the byte at `at`, which a backslash stands before, one that JSON knows? What lies past the
/// end of the text is taken to be right: the string is not whole, and is looked at again.
fn escape_is_known(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(b'u') => text.iter().skip(at + 1).take(4).all(u8::is_ascii_hexdigit),
        Some(byte) => b"\"\\/bfnrt".contains(byte),
        None => true,
    }
}

/// May the byte at `at` stand where it does, white space left out? It is not in a string, or opens
/// one. What stands at the beginning or behind the end is looked at with what is there.
fn is_in_order(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().trim_ascii_end().last();
    let (Some(byte), Some(before)) = (text.get(at), before) else { return true };
    match (before, byte) {
        // What follows the white space is looked at itself.
        (_, byte) if byte.is_ascii_whitespace() => true,
        (b'"', byte) => b",:]}".contains(byte),
        (before, b'"') => b",:[{".contains(before),
        (_, b':') => false,
        (before, b',' | b']' | b'}') => !b",:".contains(before) && (*byte != b',' || !b"[{".contains(before)),
        (before, b'[' | b'{') => !b"]}".contains(before),
        _ => true,
    }
}

/// Windows are bounded far below 4 GiB by their makers; a position never wraps.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn position(at: usize) -> u32 {
    at as u32
}
