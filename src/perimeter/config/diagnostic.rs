//! What is wrong with a perimeter.toml, where, and what would mend it; `drawing` shows it.

use std::fmt::{self, Write as _};
use std::ops::Range;

use super::node::Place;

/// Characters of the offending text that are kept, and of any text that a message quotes.
const SHOWN: usize = 80;

/// Characters of the longest name that a key or a rule has.
const LONGEST: usize = 40;

/// Does it stop the file from being used?
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// The file is not used.
    Error,
    /// The file is used, and opens more than its author may think.
    Warning,
}

/// One thing that is wrong with the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    pub severity: Level,
    /// One sentence, without a full stop.
    pub message: String,
    /// Bytes of the text; `None` where the perimeter was not read from text.
    pub span: Option<Range<usize>>,
    /// From 1; 0 where there is no span.
    pub line: usize,
    /// From 1, in characters; 0 where there is no span.
    pub column: usize,
    /// The key, as `break_glass[0].principal`; empty: the whole file.
    pub key: String,
    /// The offending text, cut where it is long.
    pub found: String,
    /// What would mend it.
    pub help: Option<String>,
    /// The other place, where two places contradict each other.
    pub related: Option<Related>,
}

/// What is wrong with a file beyond what is kept of it: a broken file of megabytes is wrong in as many
/// places.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Omitted {
    /// Found, counted, and not kept.
    pub found: usize,
    /// Values that were not checked any more.
    pub unchecked: usize,
}

impl Omitted {
    /// `and 12 more`, in words; `None` where nothing is omitted.
    pub fn said(&self) -> Option<String> {
        let (found, unchecked) = (self.found, self.unchecked);
        match (found, unchecked) {
            (0, 0) => None,
            (_, 0) => Some(format!("and {found} more")),
            (0, _) => Some(format!("and {unchecked} values behind these were not checked")),
            _ => Some(format!("and {found} more; {unchecked} values behind these were not checked")),
        }
    }
}

/// The other place of a contradiction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Related {
    /// What stands there, in a few words.
    pub label: String,
    pub span: Option<Range<usize>>,
    pub line: usize,
    pub column: usize,
    pub key: String,
}

impl Diagnostic {
    pub(super) fn error(at: &Place, message: impl Into<String>) -> Self {
        Self::new(Level::Error, at, message.into())
    }

    pub(super) fn warning(at: &Place, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, at, message.into())
    }

    fn new(severity: Level, at: &Place, message: String) -> Self {
        Self {
            severity,
            message,
            span: at.span.clone(),
            line: 0,
            column: 0,
            key: at.key.clone(),
            found: String::new(),
            help: None,
            related: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn related(mut self, at: &Place, label: impl Into<String>) -> Self {
        let (span, key) = (at.span.clone(), at.key.clone());
        self.related = Some(Related { label: label.into(), span, line: 0, column: 0, key });
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, self.line, self.column, &self.key)?;
        f.write_str(&self.sentence())
    }
}

impl Diagnostic {
    /// All that it says in one line, without its place: the message, the other place, the help.
    pub fn sentence(&self) -> String {
        let mut out = self.message.clone();
        // Writing to a string cannot fail.
        if let Some(other) = &self.related {
            let _ = match (other.line, other.key.as_str()) {
                (0, "") => write!(out, " ({})", other.label),
                (0, key) => write!(out, " ({}: {})", clean(key), other.label),
                (line, _) => write!(out, " (line {line}, column {}: {})", other.column, other.label),
            };
        }
        if let Some(help) = &self.help {
            let _ = write!(out, "; {help}");
        }
        out
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, line: usize, column: usize, key: &str) -> fmt::Result {
    match (line, key) {
        (0, "") => Ok(()),
        (0, key) => write!(f, "{}: ", clean(key)),
        _ => write!(f, "line {line}, column {column}: "),
    }
}

/// What has no width, or would turn the terminal's writing about.
pub(super) fn is_unfit(c: char) -> bool {
    // Zero-width and direction marks; tags and selectors at the end.
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text in one line.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unfit(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// The text as a message shows it: in backticks, in one line, and cut where it is long.
pub(super) fn quote(text: &str) -> String {
    format!("`{}`", cut(&clean(&cut(text))))
}

/// The text, cut where it is long.
pub(super) fn cut(text: &str) -> String {
    let mut characters = text.chars();
    let mut out: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        out.push('…');
    }
    out
}

/// Fills in lines, columns and the text found, and puts them in the order of the file.
pub(super) fn place(diagnostics: &mut [Diagnostic], text: &str) {
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(0, |span| span.start));
    // All places in one pass: a broken file of one line would take a pass over it for each.
    let mut marks: Vec<(usize, &mut usize, &mut usize)> = Vec::new();
    for Diagnostic { span, line, column, found, related, .. } in diagnostics {
        if let Some(span) = span {
            *found = cut(text.get(span.clone()).unwrap_or_default());
            marks.push((span.start, line, column));
        }
        if let Some(Related { span: Some(span), line, column, .. }) = related {
            marks.push((span.start, line, column));
        }
    }
    marks.sort_by_key(|(offset, _, _)| *offset);
    let (mut done, mut line, mut column) = (text.len() - text.trim_start_matches('\u{feff}').len(), 1, 1);
    for (offset, at_line, at_column) in marks {
        let offset = text.floor_char_boundary(offset);
        if let Some(piece) = text.get(done..offset) {
            match piece.rsplit_once('\n') {
                Some((lines, last)) => {
                    line += 1 + lines.matches('\n').count();
                    column = 1 + last.chars().count();
                }
                None => column += piece.chars().count(),
            }
            done = offset;
        }
        (*at_line, *at_column) = (line, column);
    }
}

/// The names as a sentence lists them.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let mut names = names.into_iter().peekable();
    let mut out = String::new();
    while let Some(name) = names.next() {
        let separator = match (out.is_empty(), names.peek()) {
            (true, _) => "",
            (false, Some(_)) => ", ",
            (false, None) => last,
        };
        // Writing to a string cannot fail.
        let _ = write!(out, "{separator}`{name}`");
    }
    out
}

/// The known name that is nearest, and whether it is near enough to be what was meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, bool)> {
    // The distance takes time with both lengths, and no name is longer.
    let lower = |c: char| if c == '_' { '-' } else { c.to_ascii_lowercase() };
    let name: String = name.chars().take(LONGEST).map(lower).collect();
    let distance = |known: &str| strsim::osa_distance(&name, &known.replace('_', "-"));
    let (best, away) =
        known.into_iter().map(|known| (known, distance(known))).min_by_key(|(_, away)| *away)?;
    Some((best, away <= 2.max(best.len() / 3)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn at(span: Range<usize>) -> Place {
        Place { span: Some(span), key: "key".into() }
    }

    pub(crate) fn placed(text: &str, span: Range<usize>) -> Diagnostic {
        let mut one = [Diagnostic::error(&at(span), "wrong")];
        place(&mut one, text);
        let [one] = one;
        one
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "a\nüü x\r\ny";
        let a = placed(text, 0..1);
        assert_eq!((a.line, a.column, a.found.as_str()), (1, 1, "a"));
        let x = placed(text, 7..8);
        assert_eq!((x.line, x.column, x.found.as_str()), (2, 4, "x"));
        let y = placed(text, 10..11);
        assert_eq!((y.line, y.column, y.found.as_str()), (3, 1, "y"));
        let end = placed(text, 11..11);
        assert_eq!((end.line, end.column), (3, 2));
        let beyond = placed(text, 500..600);
        assert_eq!((beyond.line, beyond.column, beyond.found.as_str()), (3, 2, ""));
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let x = placed("\u{feff}x", 3..4);
        assert_eq!((x.line, x.column), (1, 1));
        assert_eq!(placed("\u{feff}x", 0..0).column, 1);
    }

    #[test]
    fn what_is_quoted_stays_in_one_short_line() {
        assert_eq!(quote("a\nb\u{0}\u{202e}"), "`a\\nb\\u{0}\\u{202e}`");
        assert_eq!(quote(&"x".repeat(81)), format!("`{}…`", "x".repeat(80)));
        assert_eq!(quote(&"x".repeat(80)), format!("`{}`", "x".repeat(80)));
    }

    #[test]
    fn a_perimeter_that_was_no_text_is_named_by_its_key() {
        let at = Place { span: None, key: "vpc[1].region".into() };
        let one = Diagnostic::error(&at, "wrong").help("mend it");
        assert_eq!(one.to_string(), "vpc[1].region: wrong; mend it");
        insta::assert_snapshot!(one.render("bundle.json", "", false), @r"
        error: wrong
        --> bundle.json, vpc[1].region
         = help: mend it
        ");
    }

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(listed(["a"], " or "), "`a`");
        assert_eq!(listed(["a", "b", "c"], " or "), "`a`, `b` or `c`");
    }

    #[test]
    fn the_nearest_name_forgives_case_and_hyphens() {
        let known = ["break_glass", "prove", "version"];
        assert_eq!(nearest("Break-Glass", known), Some(("break_glass", true)));
        assert_eq!(nearest("versoin", known), Some(("version", true)));
        assert_eq!(nearest("zzzzzzzzz", known).map(|(_, near)| near), Some(false));
        assert_eq!(nearest("a", []), None);
    }
}
