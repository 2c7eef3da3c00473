//! Documentation in a given width: paragraphs parted by empty lines, code in backticks, and
//! commands in paragraphs indented by four spaces, which stay as they are.

use std::io::{self, Write};

use super::paint::{CODE, Paint};
use super::short::width as width_of;

/// Lines of prose are no longer than this, however wide the terminal: they are to be read.
const READABLE: usize = 88;

/// Where prose goes.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Columns to write in.
    pub width: usize,
    /// Spaces before every line.
    pub indent: usize,
    /// Colours.
    pub paint: Paint,
}

impl Page {
    /// Writes paragraphs.
    pub fn write(self, out: &mut impl Write, text: &str) -> io::Result<()> {
        for (at, paragraph) in text.split("\n\n").enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            if paragraph.starts_with("    ") {
                let commands = paragraph.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
                self.verbatim(out, commands)?;
            } else {
                self.paragraph(out, paragraph)?;
            }
        }
        Ok(())
    }

    /// Writes lines that somebody may copy, four columns in.
    pub fn verbatim<'l>(
        self,
        out: &mut impl Write,
        lines: impl IntoIterator<Item = &'l str>,
    ) -> io::Result<()> {
        lines.into_iter().try_for_each(|line| writeln!(out, "    {}", self.paint.text(CODE, line)))
    }

    /// Writes a paragraph, wrapped.
    pub fn paragraph(self, out: &mut impl Write, text: &str) -> io::Result<()> {
        let mut in_code = false;
        for line in wrap(text, self.width.min(READABLE + self.indent).saturating_sub(self.indent)) {
            writeln!(out, "{:indent$}{}", "", self.coded(&line, &mut in_code), indent = self.indent)?;
        }
        Ok(())
    }

    /// Paints what stands in backticks; code may go on over the end of a line.
    fn coded(self, line: &str, in_code: &mut bool) -> String {
        if !self.paint.color {
            return line.to_owned();
        }
        let mut painted = String::new();
        for (at, part) in line.split('`').enumerate() {
            if at > 0 {
                *in_code = !*in_code;
            }
            painted.push_str(&if *in_code { self.paint.text(CODE, part) } else { part.to_owned() });
        }
        painted
    }
}

/// Breaks text between words. A word that is longer than a line stays whole: it is an ARN or a
/// command, and somebody may want to copy it.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut len = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word_len = width_of(word);
        if len > 0 && len + 1 + word_len > width {
            lines.push(std::mem::take(&mut line));
            len = 0;
        }
        if len > 0 {
            line.push(' ');
            len += 1;
        }
        line.push_str(word);
        len += word_len;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one twothreefour five", 5), ["one", "twothreefour", "five"]);
        assert_eq!(wrap("", 5), [""; 0]);
        assert_eq!(wrap("a b", 0), ["a", "b"]);
    }

    #[test]
    fn commands_stay_as_they_are() {
        let page = Page { width: 20, indent: 2, paint: Paint { color: false } };
        let mut out = Vec::new();
        page.write(
            &mut out,
            "Do as follows, and then wait:\n\n    aws one --two three \\\n        --four five six\n\nDone.",
        )
        .unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
          Do as follows, and
          then wait:

            aws one --two three \
                --four five six

          Done.
        ");
    }

    #[test]
    fn code_is_painted_over_the_end_of_a_line() {
        let page = Page { width: 12, indent: 0, paint: Paint { color: true } };
        let mut out = Vec::new();
        page.write(&mut out, "set `transit = deny` now").unwrap();
        let text = String::from_utf8(out).unwrap().replace('\u{1b}', "^");
        insta::assert_snapshot!(text, @r"
        set ^[36mtransit^[0m
        ^[36m= deny^[0m now
        ");
    }
}
