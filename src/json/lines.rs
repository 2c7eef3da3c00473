//! Lines and columns of a text, for whoever asks for many of them.

/// Characters are counted up to every so many bytes, so that a text in one line is not counted from its begin
/// each time.
const STRIDE: usize = 4096;

/// A text, and where its lines begin.
#[derive(Clone, Debug)]
pub struct Lines<'t> {
    text: &'t str,
    /// The byte that each line begins at.
    starts: Vec<usize>,
    /// How many characters stand before every [`STRIDE`]th byte.
    counted: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// Goes through the text, once.
    pub fn of(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(breaks).collect();
        let mut before = 0;
        let counted = text.as_bytes().chunks(STRIDE).map(|chunk| {
            let here = before;
            before += characters(chunk);
            here
        });
        let counted = counted.collect();
        Self { text, starts, counted }
    }

    /// Line and column of a byte, from 1; columns are characters.
    pub fn place(&self, at: usize) -> (usize, usize) {
        let at = self.text.floor_char_boundary(at);
        let line = self.starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|n| self.starts.get(n)).copied().unwrap_or_default();
        (line, self.before(at) - self.before(start) + 1)
    }

    /// How many characters stand before a byte.
    fn before(&self, at: usize) -> usize {
        let chunk = at / STRIDE;
        let counted = self.counted.get(chunk).copied().unwrap_or_default();
        // Past the last chunk there is nothing to count: the text ends where a chunk would begin.
        match (self.counted.get(chunk), self.text.as_bytes().get(chunk * STRIDE..at)) {
            (Some(_), Some(rest)) => counted + characters(rest),
            _ => self.text.chars().count(),
        }
    }
}

/// How many characters begin in these bytes.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By definition.
    fn place(text: &str, at: usize) -> (usize, usize) {
        let before = &text[..text.floor_char_boundary(at)];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    proptest! {
        #[test]
        fn places_are_what_they_are_by_definition(part in "[a\né𝄞]{0,7}", times in 0_usize..3000, at in 0_usize..30_000) {
            let text = part.repeat(times);
            let lines = Lines::of(&text);
            for at in [at, at / 100, text.len(), text.len() / 2, 4096, 0] {
                prop_assert_eq!(lines.place(at), place(&text, at));
            }
        }
    }

    #[test]
    fn a_text_that_fills_its_strides() {
        for len in [STRIDE - 1, STRIDE, STRIDE + 1, 2 * STRIDE] {
            let text = "a".repeat(len);
            assert_eq!(Lines::of(&text).place(len), (1, len + 1));
        }
        assert_eq!(Lines::of("").place(9), (1, 1));
    }
}
