//! Text of a policy that holds wildcards and variables: `team-*`, `${aws:PrincipalTag/team}`, `${*}`.
//!
//! Source: IAM user guide, "IAM policy elements: Variables and tags" (variables only in version
//! 2012-10-17; defaults; `${*}`, `${?}` and `${$}` for the characters themselves).

/// A part of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// These characters.
    Literal(String),
    /// `*`: any characters.
    Any,
    /// `?`: one character.
    One,
    /// The value of a condition key.
    Variable {
        /// The key, in small letters.
        key: String,
        /// What stands for it where the request does not have the key.
        default: Option<String>,
    },
}

/// A text of a policy, taken apart.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Template {
    /// Its parts in order; no two literals beside each other.
    pub parts: Vec<Part>,
    /// It is the text that it was read from, wildcards and all: without a variable or a character in its place.
    pub is_as_written: bool,
}

/// Does a template know wildcards, or are `*` and `?` characters like any other?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wildcards {
    Known,
    Literal,
}

/// Does a template know variables? Only the newer version of the language has them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Variables {
    Known,
    Literal,
}

impl Template {
    /// Takes a text apart.
    ///
    /// # Errors
    /// Where a variable does not end, or is none.
    pub fn parse(text: &str, wildcards: Wildcards, variables: Variables) -> Result<Self, String> {
        let has_variables = variables == Variables::Known && text.contains("${");
        let mut template = Self { parts: Vec::new(), is_as_written: !has_variables };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if variables == Variables::Known && rest.starts_with("${") {
                let (inside, behind) = inside(rest)?;
                template.variable(inside)?;
                rest = behind;
                continue;
            }
            match first {
                '*' if wildcards == Wildcards::Known => template.parts.push(Part::Any),
                '?' if wildcards == Wildcards::Known => template.parts.push(Part::One),
                _ => template.literal(first),
            }
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
        Ok(template)
    }

    fn literal(&mut self, char: char) {
        match self.parts.last_mut() {
            Some(Part::Literal(text)) => text.push(char),
            _ => self.parts.push(Part::Literal(char.into())),
        }
    }

    /// `key`, `key, 'default'`, or one of the three characters.
    fn variable(&mut self, inside: &str) -> Result<(), String> {
        if let "*" | "?" | "$" = inside {
            inside.chars().for_each(|char| self.literal(char));
            return Ok(());
        }
        let (key, default) = match inside.split_once(',') {
            Some((key, default)) => (key.trim(), Some(unquoted(default.trim())?)),
            None => (inside.trim(), None),
        };
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | '\'')) {
            return Err(format!("`${{{inside}}}` names no condition key"));
        }
        self.parts.push(Part::Variable { key: key.to_ascii_lowercase(), default });
        Ok(())
    }

    /// The text itself, where nothing in it stands for anything else.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The keys of its variables, in small letters.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable { key, .. } => Some(key.as_str()),
            Part::Literal(_) | Part::Any | Part::One => None,
        })
    }

    /// Is there a wildcard in it?
    pub fn has_wildcard(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Any | Part::One))
    }
}

/// What stands between `${` and the `}` that ends it, and what stands behind that. A brace inside quotes
/// ends nothing.
fn inside(text: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    for (at, char) in text.char_indices().skip(2) {
        match char {
            '\'' => quoted = !quoted,
            '}' if !quoted => {
                let inside = text.get(2..at).unwrap_or_default();
                return Ok((inside, text.get(at + 1..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    Err("a variable that does not end: `${` without `}`".to_owned())
}

fn unquoted(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    inner.map(str::to_owned).ok_or_else(|| format!("the default `{text}` stands in no quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Part>, String> {
        Template::parse(text, Wildcards::Known, Variables::Known).map(|template| template.parts)
    }

    fn literal(text: &str) -> Part {
        Part::Literal(text.into())
    }

    fn variable(key: &str, default: Option<&str>) -> Part {
        Part::Variable { key: key.into(), default: default.map(str::to_owned) }
    }

    #[test]
    fn wildcards_variables_and_escapes() {
        assert_eq!(parse("a*b?").unwrap(), [literal("a"), Part::Any, literal("b"), Part::One]);
        assert_eq!(
            parse("x/${aws:PrincipalTag/Team}/*").unwrap(),
            [literal("x/"), variable("aws:principaltag/team", None), literal("/"), Part::Any]
        );
        assert_eq!(parse("${*}${?}${$}{}$").unwrap(), [literal("*?${}$")]);
        assert_eq!(
            parse("${aws:username, 'no } body'}").unwrap(),
            [variable("aws:username", Some("no } body"))]
        );
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        for text in ["${", "a${b", "${}", "${ }", "${a b}", "${a, b}", "${a, 'b}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_older_version_has_none() {
        let old = Template::parse("${aws:username}*", Wildcards::Known, Variables::Literal).unwrap();
        assert_eq!(old.parts, [literal("${aws:username}"), Part::Any]);
        let exact = Template::parse("a*${*}", Wildcards::Literal, Variables::Known).unwrap();
        assert_eq!(exact.as_literal(), Some("a**"));
        assert!(!exact.has_wildcard());
    }
}
