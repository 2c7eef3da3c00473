//! Text of strangers, made inert: nothing in it moves the cursor, hides, or runs backwards.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// Makes text inert that may have several lines.
pub fn plain(text: &str) -> String {
    inert(text, true)
}

/// Makes text inert that must stay on one line.
pub fn plain_line(text: &str) -> String {
    inert(text, false)
}

/// Shows active characters as escapes, as `\u{1b}`.
fn inert(text: &str, several_lines: bool) -> String {
    if is_harmless(text) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for (c, active) in told(text) {
        match c {
            '\n' if several_lines => shown.push(c),
            c if !active => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c => {
                // A String takes whatever is written.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    shown
}

/// Most text is ASCII that can be printed, and needs no closer look.
pub(super) fn is_harmless(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

/// Marks on one character that are still writing: Hebrew has four at most. More of them are drawn over
/// the lines around.
const MARKS: usize = 4;

/// The characters, and whether each is to be shown as an escape.
pub(super) fn told(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut marks = 0;
    text.chars().map(move |c| {
        let active = is_active(c);
        let is_mark = !c.is_ascii() && !active && c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        (c, active || marks > MARKS)
    })
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
    fn marks_without_end_are_escapes() {
        let piled = format!("a{}b", "\u{301}".repeat(6));
        assert_eq!(plain_line(&piled), format!("a{}\\u{{301}}\\u{{301}}b", "\u{301}".repeat(4)));
        for text in ["שִׁ֑", "ที่", "a\u{301}\u{323}b\u{301}\u{323}c\u{301}\u{323}"] {
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
