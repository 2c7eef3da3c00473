//! IAM's wildcards: `*` for any run of characters, `?` for exactly one.
//!
//! Source: IAM user guide, "IAM JSON policy elements: Condition operators" (`StringLike`,
//! `ArnLike`).

/// Does the whole of `text` match `pattern`? Case counts.
///
/// The time is bounded by the product of the lengths, whatever the pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Most patterns begin with what tells whether a text can match at all, many with the first byte.
    if let (Some(first), Some(one)) = (pattern.first(), text.first())
        && first != one
        && !matches!(first, b'*' | b'?')
    {
        return false;
    }
    let Some(plain) = memchr::memchr2(b'*', b'?', pattern) else { return pattern == text };
    if text.get(..plain) != pattern.get(..plain) {
        return false;
    }
    let (mut p, mut t) = (plain, plain);
    // Where to go back to: behind the last star, and one character further than last time.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(b'?') => {
                p += 1;
                t += char_len(text[t]);
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    p = star;
                    t = from + char_len(text[from]);
                    retry = Some((star, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Bytes of the UTF-8 character that begins with `first`: `?` is one character, not one byte.
fn char_len(first: u8) -> usize {
    match first {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    }
}

/// Does `arn` match `pattern` as `ArnLike` does: part by part, so that a wildcard never crosses a
/// colon?
pub fn arn_matches(pattern: &str, arn: &str) -> bool {
    let mut patterns = pattern.splitn(6, ':');
    let mut parts = arn.splitn(6, ':');
    loop {
        match (patterns.next(), parts.next()) {
            (Some(pattern), Some(part)) if part_matches(pattern, part) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// Does `text` match `pattern` part by part, as the six parts of an ARN, of which the last keeps its colons?
/// Parts that the pattern lacks at its end are anything.
pub fn fits_by_parts(pattern: &str, text: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.splitn(6, ':'), text.splitn(6, ':'));
    patterns.all(|pattern| parts.next().is_some_and(|part| matches(pattern, part)))
}

/// As [`matches`], and a colon in `part`, which only a resource has, needs one in the pattern.
fn part_matches(pattern: &str, part: &str) -> bool {
    let colons = |text: &str| text.bytes().filter(|byte| *byte == b':').count();
    match colons(part) {
        0 => matches(pattern, part),
        n if n == colons(pattern) => pattern.split(':').zip(part.split(':')).all(|(p, t)| matches(p, t)),
        _ => false,
    }
}

/// Does the pattern hold a wildcard?
pub fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => plain(&pattern[1..], text) || (!text.is_empty() && plain(pattern, &text[1..])),
            (Some('?'), Some(_)) => plain(&pattern[1..], &text[1..]),
            (Some(p), Some(t)) if p == t => plain(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), plain(&p, &t));
        }
    }

    #[test]
    fn is_anchored_and_minds_case() {
        assert!(matches("role/admin", "role/admin"));
        assert!(!matches("role/admin", "role/admin-evil"));
        assert!(!matches("role/Admin", "role/admin"));
    }

    #[test]
    fn a_wildcard_never_crosses_a_colon() {
        assert!(arn_matches("arn:aws:iam::*:role/emergency", "arn:aws:iam::111122223333:role/emergency"));
        assert!(!arn_matches("arn:aws:iam::*", "arn:aws:iam::111122223333:role/emergency"));
        assert!(!arn_matches("arn:aws:lambda:*:*:function:*", "arn:aws:lambda:eu-west-1:1:function:a:b"));
        assert!(!arn_matches("arn:aws:iam::*:role/emergency", "arn:aws:iam::111122223333:role/a/emergency"));
    }
}
