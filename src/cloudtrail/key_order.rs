//! Which key comes behind which, remembered from record to record.

use super::cursor::{Cursor, Literal, Stop};
use super::escapes::unescape;
use super::key::Key;

/// A key seen before.
#[derive(Debug)]
struct Seen {
    /// As it stands in the text, with its quotes and its colon.
    text: Box<[u8]>,
    /// The same, where it is short enough to be looked for.
    literal: Option<Literal>,
    key: Option<Key>,
    /// The key that stood behind it last time.
    next: usize,
}

/// Records come with their keys in much the same order, so the reader remembers which key came
/// behind which and looks for that one first. Remembering never changes what is read.
#[derive(Debug)]
pub struct KeyOrder {
    seen: Vec<Seen>,
}

/// Keys remembered; CloudTrail has about thirty.
const MAX_SEEN: usize = 64;

impl Default for KeyOrder {
    fn default() -> Self {
        // The first entry stands for the opening brace.
        Self { seen: vec![Seen { text: Box::default(), literal: None, key: None, next: 0 }] }
    }
}

impl KeyOrder {
    /// Reads the next key of the object at the place of `cursor`, and where it is remembered.
    #[inline]
    pub(super) fn key<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        before: usize,
    ) -> Result<Option<(Option<Key>, usize)>, Stop> {
        if let Some(((literal, key), next)) = self.guess(before)
            && cursor.skip_key(literal, before == 0)
        {
            return Ok(Some((key, next)));
        }
        let Some(text) = cursor.key(before == 0)? else { return Ok(None) };
        let key = if text.contains(&b'\\') { Key::of(unescape(text).as_bytes()) } else { Key::of(text) };
        Ok(Some((key, self.remember(before, text, key))))
    }

    /// The key that is expected behind another, and where it is remembered.
    #[inline]
    pub(super) fn guess(&self, before: usize) -> Option<((&Literal, Option<Key>), usize)> {
        let next = self.seen.get(before)?.next;
        let guess = self.seen.get(next)?;
        Some(((guess.literal.as_ref()?, guess.key), next))
    }

    #[cold]
    fn remember(&mut self, before: usize, text: &[u8], key: Option<Key>) -> usize {
        let text = [b"\"", text, b"\":"].concat();
        let known = self.seen.iter().position(|seen| *seen.text == *text);
        let at = match known {
            Some(at) => at,
            None if self.seen.len() < MAX_SEEN => {
                let literal = Literal::new(&text);
                self.seen.push(Seen { text: text.into(), literal, key, next: 0 });
                self.seen.len() - 1
            }
            // Forgotten at once; what follows is read without a guess.
            None => self.seen.len() - 1,
        };
        self.seen[before].next = at;
        at
    }
}
