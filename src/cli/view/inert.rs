//! Text of strangers, made inert: nothing in it moves the cursor, hides, or runs backwards.

use std::borrow::Cow;
use std::fmt::Write;

/// Makes text inert that may have several lines.
pub fn plain(text: &str) -> String {
    inert(text, |c| c != '\n' && is_active(c)).into_owned()
}

/// Makes text inert that must stay on one line.
pub fn plain_line(text: &str) -> String {
    inert(text, is_active).into_owned()
}

/// Shows active characters as escapes, as `\u{1b}`.
pub(super) fn inert(text: &str, is_active: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_active(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c => {
                // A String takes whatever is written.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(shown)
}

/// Does the character do something, or is nothing to be seen of it?
///
/// Control characters, white space but the space itself, and what Unicode lists as format
/// characters or as ignorable where it cannot be drawn (`Cf`, `Default_Ignorable_Code_Point`):
/// overrides of the direction, joiners, tags, fillers.
pub(super) fn is_active(c: char) -> bool {
    match c {
        ' '..='~' => false,
        _ if c.is_control() || c.is_whitespace() => true,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' => true,
        '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' => true,
        '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' => true,
        '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_becomes_an_escape() {
        let cases = [
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\0b\u{7f}", "a\\u{0}b\\u{7f}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("\u{200e}\u{200f}", "\\u{200e}\\u{200f}"),
            ("or\u{200b}ders\u{feff}", "or\\u{200b}ders\\u{feff}"),
            ("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
            ("a\u{a0}b", "a\\u{a0}b"),
            ("\u{e0041}", "\\u{e0041}"),
            ("one\r\ntwo\tthree", "one\\r\\ntwo\\tthree"),
        ];
        for (text, shown) in cases {
            assert_eq!(plain_line(text), shown);
        }
    }

    #[test]
    fn lines_stay_where_they_are_wanted_and_nothing_else_does() {
        assert_eq!(plain("one\ntwo\r\u{1b}"), "one\ntwo\\r\\u{1b}");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["orders", "Bestellungen für Zürich", "注文", "заказы", "🙂", "e\u{301}", r"C:\x", ""]
        {
            assert_eq!(plain_line(text), text);
        }
    }

    #[test]
    fn nothing_active_is_left() {
        let all: String = ('\0'..=char::MAX).collect();
        assert!(!plain_line(&all).contains(is_active));
        assert!(!plain(&all).contains(|c| c != '\n' && is_active(c)));
    }
}
