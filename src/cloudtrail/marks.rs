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
    /// Brackets outside strings.
    brackets: Vec<u32>,
    len: usize,
    faults: Vec<u32>,
    suspects: Vec<u32>,
    ascii: bool,
}

impl Marks {
    /// Indexes `text`, which must begin outside any string and be shorter than 4 GiB.
    pub fn index(&mut self, text: &[u8]) {
        self.len = 0;
        self.quotes.clear();
        self.faults.clear();
        self.suspects.clear();
        let level = Level::new();
        dispatch!(level, simd => self.index_with(simd, text));
    }

    /// One compilation of this for each instruction set, chosen when the program runs.
    #[inline(always)]
    fn index_with<S: Simd>(&mut self, simd: S, text: &[u8]) {
        let mut structure = Structure::default();
        let mut high = u8x64::splat(simd, 0);
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let mut quotes = std::mem::take(&mut self.quotes);
        quotes.resize(blocks.len(), 0);
        // A loop and no closure: a closure would be compiled without the instruction set.
        for (n, (block, quotes)) in blocks.iter().zip(&mut quotes).enumerate() {
            let found = structure.block(simd, block, &mut high);
            *quotes = self.note(text, found, n * BLOCK);
        }
        if !rest.is_empty() {
            let mut last = [b' '; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            let found = structure.block(simd, &last, &mut high);
            quotes.push(self.note(text, found, blocks.len() * BLOCK));
        }
        self.quotes = quotes;
        self.ascii = high.simd_lt(0x80).all_true();
    }

    /// Keeps what a block holds, and gives back its quotes.
    #[inline(always)]
    fn note(&mut self, text: &[u8], found: Found, base: usize) -> u64 {
        if found.control | found.escaped | found.suspect != 0 {
            self.check(text, found, base);
        }
        self.push_brackets(found.brackets, base);
        found.quotes
    }

    /// The bytes in strings that JSON does not allow there (bare control characters, unknown
    /// escapes), and those outside that stand beside a quote and may not.
    #[cold]
    fn check(&mut self, text: &[u8], found: Found, base: usize) {
        self.faults.extend(bits(found.control).map(|at| position(base + at)));
        let escapes = bits(found.escaped).filter(|at| !escape_is_known(text, base + at));
        self.faults.extend(escapes.map(|at| position(base + at)));
        let white = |at: &usize| text.get(base + at).is_none_or(u8::is_ascii_whitespace);
        let suspects = bits(found.suspect).filter(|at| !white(at) && !is_separator(text, base + at));
        self.suspects.extend(suspects.map(|at| position(base + at)));
    }

    #[inline(always)]
    fn push_brackets(&mut self, mut marks: u64, base: usize) {
        if self.brackets.len() < self.len + BLOCK {
            self.brackets.resize((self.len + BLOCK).next_power_of_two(), 0);
        }
        let base = position(base);
        let count = marks.count_ones() as usize;
        // Four at a time, the last ones past the end: fewer branches, and those easier to foretell.
        for places in self.brackets[self.len..self.len + BLOCK].chunks_exact_mut(4) {
            for place in places {
                *place = base + marks.trailing_zeros();
                marks &= marks.wrapping_sub(1);
            }
            if marks == 0 {
                break;
            }
        }
        self.len += count;
    }

    /// Unescaped quotes, a bit a byte, lowest first.
    pub fn quotes(&self) -> &[u64] {
        &self.quotes
    }

    /// Brackets outside strings, in rising order.
    pub fn brackets(&self) -> &[u32] {
        &self.brackets[..self.len]
    }

    /// Bytes inside strings that JSON forbids there, in no order.
    pub fn faults(&self) -> &[u32] {
        &self.faults
    }

    /// Bytes beside a quote that no JSON text has there, in no order.
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
    /// One where the last byte of the block before was a closing quote.
    closed: u64,
    /// One where the last byte of the block before was something that no string may follow.
    barred: u64,
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
    /// Bytes beside a quote that are neither separator nor bracket; white space among them.
    suspect: u64,
}

impl Structure {
    #[inline(always)]
    fn block<S: Simd>(&mut self, simd: S, block: &[u8; BLOCK], high: &mut u8x64<S>) -> Found {
        let raw = Raw::of(simd, block, high);
        let escaped = self.escaped(raw.backslash);
        let quotes = raw.quote & !escaped;
        // Ones from each opening quote up to the byte before the closing one.
        let string = prefix_xor(quotes) ^ self.in_string;
        self.in_string = 0u64.wrapping_sub(string >> 63);
        let (opening, closing) = (quotes & string, quotes & !string);
        let brackets = raw.bracket & !string;
        let around = !(raw.separator | brackets);
        let suspect = ((closing << 1 | self.closed) & around) | ((around << 1 | self.barred) & opening);
        self.closed = closing >> 63;
        self.barred = (around & !quotes) >> 63;
        Found { quotes, brackets, control: raw.control & string, escaped: escaped & string, suspect }
    }

    /// The bytes that an odd run of backslashes stands before.
    #[inline(always)]
    fn escaped(&mut self, backslash: u64) -> u64 {
        if backslash == 0 {
            return std::mem::take(&mut self.escape);
        }
        let mut escaped = self.escape;
        let mut left = backslash & !self.escape;
        self.escape = 0;
        while left != 0 {
            let at = left.trailing_zeros();
            if at == 63 {
                self.escape = 1;
                break;
            }
            let next = 1u64 << (at + 1);
            escaped |= next;
            left &= !(next | (next - 1));
        }
        escaped
    }
}

/// The bytes of interest, before strings and escapes are taken into account.
struct Raw {
    quote: u64,
    backslash: u64,
    bracket: u64,
    control: u64,
    /// `,` and `:`, and a few bytes that share their bits.
    separator: u64,
}

impl Raw {
    #[inline(always)]
    fn of<S: Simd>(simd: S, block: &[u8; BLOCK], high: &mut u8x64<S>) -> Self {
        let bytes = u8x64::from_slice(simd, block);
        *high |= bytes;
        // `[` and `{`, `]` and `}` differ in one bit only; so do, but for three, `,` and `:`.
        let folded = bytes | 0x20;
        Self {
            quote: bytes.simd_eq(b'"').to_bitmask(),
            backslash: bytes.simd_eq(b'\\').to_bitmask(),
            bracket: (folded.simd_eq(b'{') | folded.simd_eq(b'}')).to_bitmask(),
            control: bytes.simd_le(0x1f).to_bitmask(),
            separator: (bytes & !0x16).simd_eq(b',' & b':').to_bitmask(),
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

/// A suspect before an opening quote is marked on the quote: is the byte before it all right?
fn is_separator(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    text.get(at) == Some(&b'"')
        && before.is_none_or(|byte| byte.is_ascii_whitespace() || b",:[{".contains(byte))
}

/// Windows are bounded far below 4 GiB by their makers; a position never wraps.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn position(at: usize) -> u32 {
    at as u32
}
