//! A diagnostic drawn for a terminal: the line that it is about, and a caret under what is meant.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Level, clean, is_unfit};

/// Characters of a line that are drawn: a line may be as long as the file.
const WINDOW: usize = 100;

impl Diagnostic {
    /// Draws it for a terminal, without a line break at the end: what is wrong, `path:line:column`,
    /// the line with a caret under what is meant, the other place, the help.
    ///
    /// `text` is what was parsed. Another text gives a drawing that is of no use, and no panic.
    pub fn render(&self, path: &str, text: &str, color: bool) -> String {
        let level = match self.severity {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
        };
        let path = clean(path);
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        let mut headers = Vec::new();
        if let Some(span) = &self.span {
            let excerpt = Excerpt::new(text, span);
            headers.push((self.line, excerpt.column(), self.column));
            let caret = AnnotationKind::Primary.span(excerpt.span.clone());
            group = group.element(excerpt.snippet(&path, self.line).annotation(caret));
        }
        if self.span.is_none() && self.line > 0 {
            group = group.element(Origin::path(path.as_str()).line(self.line).char_column(self.column));
        } else if self.span.is_none() && !self.key.is_empty() {
            group = group.element(Origin::path(format!("{path}, {}", clean(&self.key))));
        } else if self.span.is_none() {
            group = group.element(Origin::path(path.as_str()));
        }
        if let Some((other, span)) =
            self.related.as_ref().and_then(|other| Some((other, other.span.as_ref()?)))
        {
            let excerpt = Excerpt::new(text, span);
            headers.push((other.line, excerpt.column(), other.column));
            let caret = AnnotationKind::Context.span(excerpt.span.clone()).label(other.label.as_str());
            group = group.element(excerpt.snippet(&path, other.line).annotation(caret));
        }
        if let Some(help) = &self.help {
            group = group.element(Title::HELP.message(help.as_str()));
        }
        // Wider than any window: the renderer need not cut lines, which is where it could go wrong.
        let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(8 * WINDOW);
        let mut drawn = renderer.render(&[group]);
        // The renderer counts columns in what it was given, which may be the line's middle.
        for (line, given, column) in headers.into_iter().filter(|(_, given, column)| given != column) {
            drawn = drawn.replacen(&format!("{path}:{line}:{given}"), &format!("{path}:{line}:{column}"), 1);
        }
        drawn
    }
}

/// The line that a span begins in, so cut and cleaned that its characters can be counted.
struct Excerpt {
    text: String,
    span: Range<usize>,
}

impl Excerpt {
    fn new(text: &str, span: &Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end).max(start);
        let (before, rest) = text.split_at_checked(start).unwrap_or((text, ""));
        let meant = rest.get(..end - start).unwrap_or(rest);
        let line_before = before.rsplit('\n').next().unwrap_or_default();
        // A span over several lines is drawn for its first.
        let first_line = |part| str::lines(part).next().unwrap_or_default().to_owned();
        let meant_here: Vec<char> = first_line(meant).chars().take(WINDOW).collect();
        let line_after = if meant.contains('\n') || meant_here.len() == WINDOW {
            String::new()
        } else {
            first_line(rest.get(meant.len()..).unwrap_or_default())
        };
        // Half the window for what stands before, unless what is meant needs less.
        let room = WINDOW - meant_here.len().min(WINDOW / 2);
        let skip = line_before.chars().count().saturating_sub(room);
        let mut drawn = String::new();
        drawn.extend(line_before.chars().skip(skip).map(drawable));
        let from = drawn.len();
        drawn.extend(meant_here.into_iter().map(drawable));
        let to = drawn.len();
        drawn.extend(line_after.chars().take(WINDOW).map(drawable));
        Self { text: drawn, span: from..to }
    }

    /// The column that the renderer will print for it.
    fn column(&self) -> usize {
        1 + self.text.get(..self.span.start).unwrap_or_default().chars().count()
    }

    fn snippet<'a>(self, path: &'a str, line: usize) -> Snippet<'a, Annotation<'a>> {
        Snippet::source(self.text).path(path).line_start(line.max(1))
    }
}

/// One character for one: what has no width, or would turn the terminal's writing about, is
/// replaced.
fn drawable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_unfit(c) => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::tests::placed;

    #[test]
    fn a_long_line_is_cut_around_what_is_meant() {
        let text = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
        insta::assert_snapshot!(placed(&text, 5000..5004).render("perimeter.toml", &text, false), @r"
        error: wrong
         --> perimeter.toml:1:5001
          |
        1 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaHEREbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
          |                                                                                                 ^^^^
        ");
    }

    #[test]
    fn a_span_over_several_lines_is_drawn_for_its_first() {
        let text = "x = [\n1,\n2]\n";
        insta::assert_snapshot!(placed(text, 4..11).render("perimeter.toml", text, false), @r"
        error: wrong
         --> perimeter.toml:1:5
          |
        1 | x = [
          |     ^
        ");
    }

    #[test]
    fn odd_characters_keep_the_caret_in_its_place() {
        let text = "a\u{0}\t\u{202e}ü漢 = 1";
        insta::assert_snapshot!(placed(text, 12..13).render("perimeter.toml", text, false), @r"
        error: wrong
         --> perimeter.toml:1:8
          |
        1 | a� �ü漢 = 1
          |         ^
        ");
    }

    #[test]
    fn the_end_of_an_empty_file_can_be_drawn() {
        insta::assert_snapshot!(placed("", 0..0).render("p\n.toml", "", false), @r"
        error: wrong
         --> p\n.toml:1:1
          |
        1 |
          | ^
        ");
        insta::assert_snapshot!(placed("x\n", 2..2).render("p.toml", "x\n", false), @r"
        error: wrong
         --> p.toml:2:1
          |
        2 |
          | ^
        ");
    }

    #[test]
    fn colour_is_only_colour() {
        let drawn = placed("x = 1", 0..1).render("p.toml", "x = 1", true);
        assert!(drawn.contains("\u{1b}["), "{drawn}");
        assert!(!placed("x = 1", 0..1).render("p.toml", "x = 1", false).contains('\u{1b}'));
    }
}
