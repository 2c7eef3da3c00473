//! Where a text is no TOML.
//!
//! The parser goes on behind what it cannot read, so that one run names every such place. What it says
//! of a place behind the first may be owed to the first: of a line it is the first place that is named,
//! and behind a list or table that never ends nothing is.

use std::ops::Range;

use toml::de::{DeTable, Error};

use super::diagnostic::{Diagnostic, quote};
use super::node::Place;
use super::read::Diagnostics;

/// The longest text of which every error is named, in bytes. Of what is wrong all over, the parser
/// makes some hundred bytes for each, before anything can be left out.
const NAMED_BYTES: usize = 256 << 10;

/// What would mend it, by how the parser's message begins.
const HELP: [(&str, &str); 15] = [
    ("unclosed table", "a heading is closed as it is opened: `[environments.production]`, `[[vpc]]`"),
    ("unclosed array table", "a heading is closed as it is opened: `[environments.production]`, `[[vpc]]`"),
    ("unclosed array", "a list ends with `]`"),
    ("unclosed inline table", "a table that begins with `{` ends with `}`"),
    ("missing comma between array", "commas stand between the items of a list, and `]` behind the last"),
    ("missing comma between key", "commas stand between the settings of a table in braces"),
    ("invalid date", "a date is written as 2027-01-01, or with its time as 2027-01-01T09:00:00+01:00"),
    ("invalid time", "a date is written as 2027-01-01, or with its time as 2027-01-01T09:00:00+01:00"),
    ("invalid basic string", "a text ends with the quote that it begins with, in the same line"),
    ("invalid literal string", "a text ends with the quote that it begins with, in the same line"),
    ("missing escaped value", "a backslash is written twice within double quotes, once within single ones"),
    ("invalid boolean", "write `true` or `false`, in lower-case letters"),
    ("unexpected leading zero", "account ids are texts: write them in quotes"),
    ("key with no value", "a setting is written as `key = value`"),
    ("unexpected key or value", "every setting and every heading has a line of its own"),
];

/// All places where `text` is no TOML; `first` is one.
pub(super) fn errors(text: &str, first: Error) -> Diagnostics {
    if text.len() > NAMED_BYTES {
        return Diagnostics::only(and_more(diagnostic(text, &first)));
    }
    let (_, mut all) = DeTable::parse_recoverable(text);
    all.sort_by_key(|error| span(text, error).start);
    let endless = all.iter().any(|error| {
        error.message().starts_with("unclosed array,") || error.message().starts_with("unclosed inline")
    });
    // Behind a key without `=` the parser looks at no values any more.
    let mut may_be_more = all.iter().any(|error| error.message().starts_with("key with no value"));
    let mut found = Diagnostics::default();
    let mut last: Option<usize> = None;
    for error in &all {
        let start = span(text, error).start;
        let between = last.replace(start).map(|last| text.get(last..start).unwrap_or_default());
        if between.is_some_and(|between| !between.contains('\n')) {
            continue;
        }
        found.report(diagnostic(text, error));
        if endless && is_of_a_list(error) {
            may_be_more = true;
            break;
        }
    }
    if may_be_more {
        let last = found.errors.pop().map(and_more);
        found.errors.extend(last);
    }
    if found.errors.is_empty() {
        found.report(diagnostic(text, &first));
    }
    found
}

/// Can it be owed to a list or table that never ends?
fn is_of_a_list(error: &Error) -> bool {
    ["unclosed array,", "unclosed inline", "missing comma", "unexpected `=` in array"]
        .iter()
        .any(|start| error.message().starts_with(start))
}

fn and_more(diagnostic: Diagnostic) -> Diagnostic {
    let more = "more may be wrong behind it";
    let help = diagnostic.help.as_ref().map_or(more.to_owned(), |help| format!("{help}; {more}"));
    diagnostic.help(help)
}

fn span(text: &str, error: &Error) -> Range<usize> {
    error.span().unwrap_or(text.len()..text.len())
}

fn diagnostic(text: &str, error: &Error) -> Diagnostic {
    let span = span(text, error);
    let said = error.message().lines().collect::<Vec<_>>().join(", ");
    let found = text.get(span.clone()).unwrap_or_default();
    let said = match said.strip_prefix("string values must be quoted") {
        Some(_) if found.trim().is_empty() => "missing value".to_owned(),
        Some(_) => "text must be quoted".to_owned(),
        None => said,
    };
    let place = Place::new(span, String::new());
    let diagnostic = Diagnostic::error(&place, format!("the file is no TOML: {said}"));
    match help(&said, found) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn help(said: &str, found: &str) -> Option<String> {
    let known = HELP.iter().find(|(start, _)| said.starts_with(start)).map(|(_, help)| (*help).to_owned());
    known.or_else(|| match said {
        "missing value" => Some("write the value behind `=`, or take the key away".to_owned()),
        "text must be quoted" => {
            let word =
                found.trim_matches(|c: char| c.is_whitespace() || "\u{201c}\u{201d}\u{201e}".contains(c));
            let quotable =
                !word.is_empty() && !word.contains(|c: char| "\"\\".contains(c) || c.is_whitespace());
            Some(match quotable {
                true => format!("write {}, in straight quotes", quote(&format!("\"{word}\""))),
                false => "texts stand in straight quotes, and commas between the items of a list".to_owned(),
            })
        }
        _ if said.starts_with("duplicate key") => {
            Some(format!("{} stands here a second time; keep one, or write `[[…]]` for a list", quote(found)))
        }
        _ if said.starts_with("invalid unquoted key") => Some(match found {
            "//" | "/*" | "--" | ";" => "a comment begins with `#`".to_owned(),
            ":" => "a setting is written as `key = value`, with `=`".to_owned(),
            _ => "write a key with other characters in quotes".to_owned(),
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// What is said of it, a line each.
    fn said(text: &str) -> String {
        let Err(found) = parse(text) else { return String::new() };
        found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_broken_line_is_named_once() {
        insta::assert_snapshot!(said("version = 1\n[environments.a\nmode: enforce\nuntil = 2026-13-01\n[[vpc]\nid = vpc-1\nok = 1\n"), @r"
        line 2, column 16: the file is no TOML: unclosed table, expected `]`; a heading is closed as it is opened: `[environments.production]`, `[[vpc]]`
        line 3, column 5: the file is no TOML: invalid unquoted key, expected letters, numbers, `-`, `_`; a setting is written as `key = value`, with `=`
        line 5, column 7: the file is no TOML: unclosed array table, expected `]`; a heading is closed as it is opened: `[environments.production]`, `[[vpc]]`; more may be wrong behind it
        ");
        insta::assert_snapshot!(said("version: 1\n// the rest\n  production:\n"), @r"
        line 1, column 8: the file is no TOML: invalid unquoted key, expected letters, numbers, `-`, `_`; a setting is written as `key = value`, with `=`
        line 2, column 4: the file is no TOML: key with no value, expected `=`; a setting is written as `key = value`
        line 3, column 14: the file is no TOML: key with no value, expected `=`; a setting is written as `key = value`; more may be wrong behind it
        ");
        insta::assert_snapshot!(said("a = {b = 1 c = 2}\n"), @"line 1, column 10: the file is no TOML: text must be quoted; texts stand in straight quotes, and commas between the items of a list");
        insta::assert_snapshot!(said("[a]\n[a]\n[a]\n"), @r"
        line 2, column 2: the file is no TOML: duplicate key; `a` stands here a second time; keep one, or write `[[…]]` for a list
        line 3, column 2: the file is no TOML: duplicate key; `a` stands here a second time; keep one, or write `[[…]]` for a list
        ");
    }

    #[test]
    fn behind_a_list_that_never_ends_nothing_is_named() {
        insta::assert_snapshot!(said("x: 1\na = [1, 2\nb = 3\nc = 4\n"), @r"
        line 1, column 2: the file is no TOML: invalid unquoted key, expected letters, numbers, `-`, `_`; a setting is written as `key = value`, with `=`
        line 3, column 1: the file is no TOML: missing comma between array elements, expected `,`; commas stand between the items of a list, and `]` behind the last; more may be wrong behind it
        ");
        insta::assert_snapshot!(said("a = {b = 1\nc = 2\n"), @"line 2, column 1: the file is no TOML: missing comma between key-value pairs, expected `,`; commas stand between the settings of a table in braces; more may be wrong behind it");
        // A list that does end is owed nothing.
        insta::assert_snapshot!(said("a = [\n1\n2\n]\nb: 1\n"), @r"
        line 3, column 1: the file is no TOML: missing comma between array elements, expected `,`; commas stand between the items of a list, and `]` behind the last
        line 5, column 2: the file is no TOML: invalid unquoted key, expected letters, numbers, `-`, `_`; a setting is written as `key = value`, with `=`; more may be wrong behind it
        ");
    }

    #[test]
    fn common_slips_are_told_how_to_mend() {
        for (text, snapshot) in [
            ("a =\n", "missing value"),
            ("a = enforce\n", "`\"enforce\"`"),
            ("a = \u{201c}enforce\u{201d}\n", "`\"enforce\"`"),
            ("a = [1 2]\n", "commas between the items"),
            ("a = 2026-1-1\n", "a date is written as"),
            ("until = 2027-01-01 until\n", "a date is written as"),
            ("a = \"x\n", "a text ends with the quote"),
            ("a = True\n", "write `true` or `false`"),
            ("a = 0123\n", "account ids are texts"),
            ("a = \"\\d\"\n", "a backslash is written twice"),
            ("a 1\n", "`key = value`"),
            ("a = 1, 2\n", "a line of its own"),
            ("a.b = 1\na = 2\n", "`a` stands here a second time"),
            ("[[vpc]\n", "a heading is closed as it is opened"),
            ("[vpc\n", "a heading is closed as it is opened"),
        ] {
            let said = said(text);
            assert!(said.contains(snapshot), "{text:?}: {said}");
        }
    }

    #[test]
    fn of_a_long_text_the_first_place_alone_is_named() {
        let broken = |lines: usize| said(&"= 1234567\n".repeat(lines));
        assert_eq!(broken(3).lines().count(), 3);
        assert_eq!(broken(NAMED_BYTES / 10).lines().count(), 1000);
        let first = broken(NAMED_BYTES / 10 + 1);
        assert!(first.starts_with("line 1, ") && first.ends_with("more may be wrong behind it"), "{first}");
    }
}
