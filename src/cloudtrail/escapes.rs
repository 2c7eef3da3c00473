//! What a JSON string says, its escapes undone.

use std::borrow::Cow;

/// Decodes the escapes of a JSON string. A lone surrogate becomes U+FFFD: the rest of the string
/// stays readable, and nothing that we compare with holds one.
#[inline]
pub fn unescape(raw: &[u8]) -> Cow<'_, str> {
    // The window that `raw` comes from was checked; lossy decoding changes nothing here.
    let text = std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    if memchr::memchr(b'\\', raw).is_none() { text } else { Cow::Owned(unescape_all(&text)) }
}

fn unescape_all(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let (char, used) = unicode(escape);
                out.push(char);
                rest = escape.get(used..).unwrap_or_default();
                continue;
            }
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// The character at `uXXXX`, a surrogate pair taken together, and the bytes it stands in.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |from: usize| escape.get(from..from + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(1) else { return (char::REPLACEMENT_CHARACTER, 1) };
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(7)
    {
        let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(br#"a\"\\\/\n\u00e9\ud83d\ude00\ud83d."#), "a\"\\/\n\u{e9}\u{1f600}\u{fffd}.");
    }
}
