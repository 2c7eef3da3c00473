//! How long a policy may be. AWS refuses longer ones, so one that is longer is in force nowhere.
//!
//! Source: IAM user guide, "IAM and AWS STS quotas"; Organizations user guide, "Quotas and service limits
//! for AWS Organizations" (service control policies 10,240 characters since May 2026, before that 5,120);
//! DynamoDB developer guide, "Resource-based policy considerations"; VPC user guide, "Amazon VPC quotas".
//!
//! A policy is refused only where it surely is too long. White space outside strings is not counted where
//! IAM and Organizations do not count it, and neither where the policy stands as an object in a larger text,
//! whose writer has laid it out. An escape as `\u00e9` is one character: whoever wrote it may have made it
//! of that.

use super::document::Kind;

/// What is too long, and how long it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Excess {
    /// Characters, as they are counted.
    pub found: usize,
    /// How many there may be.
    pub limit: usize,
    kind: Kind,
}

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (found, limit) = (grouped(self.found), grouped(self.limit));
        write!(f, "the policy has {found} characters, and {} may have {limit}", self.kind.name())
    }
}

/// Does a policy have more characters than its kind may have? `own_layout`: the text is the policy's own, with
/// its white space as it will be saved.
pub fn excess(text: &str, kind: Kind, own_layout: bool) -> Option<Excess> {
    let limit = limit(kind);
    // No count is above that of the bytes, and most policies are far below.
    if text.len() <= limit {
        return None;
    }
    let spaces_count = own_layout && matches!(kind, Kind::Table | Kind::Endpoint);
    let found = characters(text, spaces_count);
    (found > limit).then_some(Excess { found, limit, kind })
}

/// How many characters a policy may have.
fn limit(kind: Kind) -> usize {
    match kind {
        // What a role's own policies have together; whether a policy is one of these (of a group 5,120, of a
        // user 2,048) or a managed one (6,144) is not told.
        Kind::Identity => 10_240,
        // A managed policy. So may a session's be; one that is handed over as text has at most 2,048.
        Kind::Boundary | Kind::Session => 6_144,
        Kind::ServiceControl => 10_240,
        Kind::ResourceControl => 5_120,
        // Bytes, in truth: never fewer than characters.
        Kind::Table => 20_480,
        Kind::Endpoint => 20_480,
    }
}

fn characters(text: &str, spaces_count: bool) -> usize {
    let (mut found, mut in_text) = (0_usize, false);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if in_text => match chars.next() {
                Some('u') => {
                    // The four digits behind it.
                    chars.by_ref().take(4).for_each(drop);
                    found += 1;
                }
                Some('/') => found += 1,
                _ => found += 2,
            },
            '"' => {
                in_text = !in_text;
                found += 1;
            }
            ' ' | '\t' | '\n' | '\r' if !in_text && !spaces_count => {}
            _ => found += 1,
        }
    }
    found
}

/// A number with commas between its thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_limit_and_the_error_names_it() {
        let text = |len: usize| format!("\"{}\"", "a".repeat(len - 2));
        for (kind, limit) in [
            (Kind::Identity, 10_240),
            (Kind::Boundary, 6_144),
            (Kind::Session, 6_144),
            (Kind::ServiceControl, 10_240),
            (Kind::ResourceControl, 5_120),
            (Kind::Table, 20_480),
            (Kind::Endpoint, 20_480),
        ] {
            assert_eq!(excess(&text(limit), kind, true), None, "{kind:?}");
            assert_eq!(excess(&text(limit + 1), kind, true).unwrap().found, limit + 1, "{kind:?}");
        }
        let said = excess(&text(12_345), Kind::ResourceControl, true).unwrap().to_string();
        insta::assert_snapshot!(said, @"the policy has 12,345 characters, and a resource control policy may have 5,120");
        assert_eq!(
            (grouped(0), grouped(999), grouped(1_000_000)),
            ("0".into(), "999".into(), "1,000,000".into())
        );
    }

    #[test]
    fn white_space_counts_where_it_is_saved() {
        let spaced = format!("{{{}\"a b\" : 1}}", " \n".repeat(20_000));
        assert_eq!(characters(&spaced, false), 9);
        assert_eq!(excess(&spaced, Kind::ServiceControl, true), None);
        assert_eq!(excess(&spaced, Kind::Table, false), None);
        assert_eq!(excess(&spaced, Kind::Table, true).map(|excess| excess.limit), Some(20_480));
    }

    #[test]
    fn escapes_are_what_they_stand_for() {
        assert_eq!(characters(r#""\u00e9\\\"\/""#, false), 2 + 1 + 4 + 1);
        assert_eq!(characters("\"é\"", false), 3);
        assert_eq!(characters(r#""\"#, false), 3);
    }
}
