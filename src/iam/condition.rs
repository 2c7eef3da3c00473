//! Does a request pass a condition?
//!
//! Source: IAM user guide, "IAM JSON policy elements: Condition operators" (missing keys, negated
//! operators, `IfExists`, `Null`), "Set operators for multivalued context keys", "Single-valued vs.
//! multivalued context keys", "IAM policy elements: Variables and tags".

use std::net::IpAddr;

use super::document::Condition;
use super::operand::{self, Operand};
use super::operator::{Operator, Set, Test};
use super::reading::Reading;
use super::request::{Context, Values};
use super::template::{Part, Template};

/// Why it is open how something reads that hangs on a key of which nothing is told.
pub const UNTOLD: &str = "a key of which nothing is told";

/// Does a request with this context pass the condition?
pub fn passes(condition: &Condition, context: &Context) -> Reading {
    let Condition { operator, values, .. } = condition;
    if context.is_untold(&condition.key) {
        return Reading::Unclear(UNTOLD);
    }
    let present = context.get(&condition.key);
    match (operator.test, present) {
        (Test::Null, present) => null(values, present.is_none()),
        (_, None) => absent(condition, context),
        (_, Some(present)) => compared(operator, values, present, context),
    }
}

/// `Null`: `true` asks for a key that is absent, `false` for one that is there.
fn null(values: &[Operand], absent: bool) -> Reading {
    Reading::any(values.iter().map(|value| match value {
        Operand::Bool(wanted) => (*wanted == absent).into(),
        _ => Reading::Unclear("`Null` is given neither `true` nor `false`"),
    }))
}

/// How a condition reads where the request does not have its key. That it then holds is not sure where a variable in
/// it stands for nothing: that "may cause the entire statement to be invalid".
///
/// Source: IAM user guide, "IAM policy elements: Variables and tags".
pub fn absent(condition: &Condition, context: &Context) -> Reading {
    let is_filled = |operand: &Operand| match operand {
        Operand::Text(template) => is_resolved(template, context),
        Operand::Arn(parts) => parts.iter().all(|part| is_resolved(part, context)),
        _ => true,
    };
    match missing(&condition.operator) {
        Reading::Yes if !condition.values.iter().all(is_filled) => {
            Reading::Unclear("a variable whose key is absent")
        }
        reading => reading,
    }
}

fn is_resolved(template: &Template, context: &Context) -> bool {
    template.parts.iter().all(|part| match part {
        Part::Variable { key, default } => default.is_some() || context.get(key).is_some(),
        Part::Literal(_) | Part::Any | Part::One => true,
    })
}

/// The request has no such key.
fn missing(operator: &Operator) -> Reading {
    match operator.set {
        Some(Set::All) => Reading::Yes,
        Some(Set::Any) if operator.if_exists => {
            Reading::Unclear("`ForAnyValue` with `IfExists` on a key that is absent")
        }
        Some(Set::Any) => Reading::No,
        None => (operator.if_exists || operator.negated).into(),
    }
}

fn compared(operator: &Operator, values: &[Operand], present: &Values, context: &Context) -> Reading {
    let one = |value: &String| fits(operator, values, value, context);
    match (operator.set, present) {
        (None, Values::One(value)) => one(value),
        (None, Values::Many(_)) => Reading::Unclear("a key of several values without a set operator"),
        (Some(Set::Any), present) => Reading::any(present.all().iter().map(one)),
        // An empty text is taken for no value at all.
        (Some(Set::All), present) if present.all().iter().all(String::is_empty) => Reading::Yes,
        (Some(Set::All), present) => Reading::all(present.all().iter().map(one)),
    }
}

/// Does one value of the request pass: is it one of the policy's values, or none where that is asked?
fn fits(operator: &Operator, values: &[Operand], value: &str, context: &Context) -> Reading {
    let is_one = Reading::any(values.iter().map(|operand| {
        match matches(operator.test, operand, value, context) {
            // A value that cannot be compared is none of the policy's; whether it is then "not equal" nobody says.
            Match::Incomparable(why) if operator.negated => Reading::Unclear(why),
            Match::Incomparable(_) => Reading::No,
            Match::Told(reading) => reading,
        }
    }));
    if operator.negated { !is_one } else { is_one }
}

/// How a value of the request stands to one of the policy's.
enum Match {
    Told(Reading),
    /// One of the two is none that can be compared.
    Incomparable(&'static str),
}

fn told(matches: bool) -> Match {
    Match::Told(matches.into())
}

fn matches(test: Test, operand: &Operand, value: &str, context: &Context) -> Match {
    match (test, operand) {
        (_, Operand::Unreadable(why)) => Match::Incomparable(why),
        (_, Operand::Open(why)) => Match::Told(Reading::Unclear(why)),
        (Test::Text | Test::Like, Operand::Text(template)) => text(template, value, context, false),
        (Test::TextFolded, Operand::Text(template)) => text(template, value, context, true),
        (Test::Arn, Operand::Arn(parts)) => arn(parts, value, context),
        (Test::Number(comparison), Operand::Number(number)) => match operand::number(value) {
            Some(value) => told(comparison.holds(value.cmp(number))),
            None => Match::Incomparable("the request's value is no number"),
        },
        (Test::Date(comparison), Operand::Number(date)) => match operand::date(value) {
            Some(value) => told(comparison.holds(value.cmp(date))),
            None => Match::Incomparable("the request's value is no date"),
        },
        (Test::Bool, Operand::Bool(wanted)) => match value.to_ascii_lowercase().as_str() {
            "true" => told(*wanted),
            "false" => told(!wanted),
            _ => Match::Incomparable("the request's value is neither `true` nor `false`"),
        },
        (Test::Binary, Operand::Bytes(bytes)) => told(is_base64_of(value, bytes)),
        (Test::Address, Operand::Block(block)) => match value.parse::<IpAddr>() {
            Ok(address) => told(block.contains(&address)),
            Err(_) => Match::Incomparable("the request's value is no address"),
        },
        // An operand is read for its test: there is no other pair.
        _ => Match::Incomparable("a value of another kind"),
    }
}

fn is_base64_of(value: &str, bytes: &[u8]) -> bool {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(value).is_ok_and(|decoded| decoded == bytes)
}

fn text(template: &Template, value: &str, context: &Context, folded: bool) -> Match {
    if !folded && let Some(matches) = fits_plainly(&template.parts, value) {
        return told(matches);
    }
    match resolve(template, context) {
        Resolved::Pattern(pattern) => told(pattern.matches(value, folded)),
        Resolved::Absent => Match::Incomparable("a variable whose key is absent"),
        Resolved::Several => Match::Told(Reading::Unclear("a variable whose key holds several values")),
        Resolved::Untold => Match::Told(Reading::Unclear(UNTOLD)),
    }
}

/// Does the whole of a text match, where there are no variables?
fn fits_plainly(parts: &[Part], text: &str) -> Option<bool> {
    if parts.iter().any(|part| matches!(part, Part::Variable { .. })) {
        return None;
    }
    let (mut at, mut rest) = (0, text);
    // Where to go back to: behind the last star, and one character further than last time.
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let fitting = match parts.get(at) {
            None if rest.is_empty() => return Some(true),
            Some(Part::Literal(literal)) => rest.strip_prefix(literal.as_str()),
            Some(Part::One) => rest.chars().next().map(|char| behind(rest, char)),
            Some(Part::Any) => {
                retry = Some((at + 1, rest));
                Some(rest)
            }
            None | Some(Part::Variable { .. }) => None,
        };
        if let Some(behind) = fitting {
            (at, rest) = (at + 1, behind);
            continue;
        }
        let Some((star, from)) = retry else { return Some(false) };
        let Some(skipped) = from.chars().next() else { return Some(false) };
        (at, rest) = (star, behind(from, skipped));
        retry = Some((star, rest));
    }
}

/// Part by part; the last keeps its colons.
fn arn(parts: &[Template; 6], value: &str, context: &Context) -> Match {
    let texts: Vec<&str> = value.splitn(6, ':').collect();
    if texts.len() != 6 {
        return Match::Incomparable("the request's value is no ARN");
    }
    let mut all = Reading::Yes;
    for (template, value) in parts.iter().zip(texts) {
        match text(template, value, context, false) {
            Match::Told(reading) => all = all.and(|| reading),
            Match::Incomparable(why) => return Match::Incomparable(why),
        }
    }
    Match::Told(all)
}

/// A template with its variables filled in.
pub enum Resolved {
    Pattern(Pattern),
    /// A variable's key is absent, and there is no default.
    Absent,
    /// A variable's key holds several values, or may.
    Several,
    /// Nothing tells what a variable's key holds.
    Untold,
}

/// Fills the variables of a template in. What they bring is text, also where it has wildcards in it.
pub fn resolve(template: &Template, context: &Context) -> Resolved {
    let mut tokens = Vec::new();
    for part in &template.parts {
        match part {
            Part::Literal(text) => tokens.extend(text.chars().map(Token::Char)),
            Part::Any => tokens.push(Token::Any),
            Part::One => tokens.push(Token::One),
            Part::Variable { key, default } => {
                let value = match (context.get(key), default) {
                    (Some(Values::One(value)), _) => value,
                    (Some(Values::Many(_)), _) => return Resolved::Several,
                    (None, _) if context.is_untold(key) => return Resolved::Untold,
                    (None, Some(default)) => default,
                    (None, None) => return Resolved::Absent,
                };
                tokens.extend(value.chars().map(Token::Char));
            }
        }
    }
    Resolved::Pattern(Pattern { tokens })
}

/// A text with wildcards.
#[derive(Debug)]
pub struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Token {
    Char(char),
    Any,
    One,
}

impl Pattern {
    /// The same, where no wildcard stands for a colon before the resource: part by part, with what is
    /// missing at its end taken for anything.
    pub fn matches_arn(&self, text: &str) -> bool {
        let mut parts = self.tokens.splitn(6, |token| *token == Token::Char(':'));
        let mut texts = text.splitn(6, ':');
        loop {
            match (parts.next(), texts.next()) {
                (Some(part), Some(text)) => {
                    let pattern = Pattern { tokens: part.to_vec() };
                    if !pattern.matches(text, false) {
                        return false;
                    }
                }
                (None, _) => return true,
                (Some(_), None) => return false,
            }
        }
    }

    /// Does the whole of `text` match? `folded`: case does not count.
    pub fn matches(&self, text: &str, folded: bool) -> bool {
        let same = |a: char, b: char| a == b || (folded && a.to_lowercase().eq(b.to_lowercase()));
        let (mut at, mut rest) = (0, text);
        // Where to go back to: behind the last star, and one character further than last time.
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let next = rest.chars().next();
            match (self.tokens.get(at), next) {
                (None, None) => return true,
                (Some(Token::Any), _) => {
                    at += 1;
                    retry = Some((at, rest));
                    continue;
                }
                (Some(Token::One), Some(char)) => {
                    at += 1;
                    rest = behind(rest, char);
                    continue;
                }
                (Some(Token::Char(wanted)), Some(char)) if same(*wanted, char) => {
                    at += 1;
                    rest = behind(rest, char);
                    continue;
                }
                _ => {}
            }
            let Some((star, from)) = retry else { return false };
            let Some(skipped) = from.chars().next() else { return false };
            at = star;
            rest = behind(from, skipped);
            retry = Some((star, rest));
        }
    }
}

fn behind(text: &str, first: char) -> &str {
    text.get(first.len_utf8()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::document::{Document, Kind};
    use crate::iam::template::{Variables, Wildcards};
    use proptest::prelude::*;

    const UNCLEAR: &str = "unclear";

    /// How a condition reads for a request that has these keys.
    fn read(condition: &str, context: &[(&str, &[&str])]) -> &'static str {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{condition}}}}}"#
        );
        let document = Document::parse(&text, Kind::Identity).unwrap();
        let mut known = Context::default();
        for (key, values) in context {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            let values = match <[String; 1]>::try_from(values) {
                Ok([value]) => Values::One(value),
                Err(values) => Values::Many(values),
            };
            known.set(key, values);
        }
        let conditions = &document.statements[0].conditions;
        match Reading::all(conditions.iter().map(|condition| passes(condition, &known))) {
            Reading::Yes => "yes",
            Reading::No => "no",
            Reading::Unclear(_) => UNCLEAR,
        }
    }

    proptest! {
        #[test]
        fn both_ways_to_match_are_one(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
            let template = Template::parse(&pattern, Wildcards::Known, Variables::Known).unwrap();
            let Resolved::Pattern(tokens) = resolve(&template, &Context::default()) else { panic!("{pattern}") };
            prop_assert_eq!(fits_plainly(&template.parts, &text), Some(tokens.matches(&text, false)));
        }
    }

    #[test]
    fn a_key_of_which_nothing_is_told_is_neither_there_nor_absent() {
        let reading = |condition: &str, known: bool| {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{condition}}}}}"#
            );
            let document = Document::parse(&text, Kind::Identity).unwrap();
            let mut context = Context::default();
            context.leave_open("aws:PrincipalTag/Team");
            context.set("aws:SourceVpc", Values::One("vpc-0a".into()));
            if known {
                context.set("aws:PrincipalTag/team", Values::One("vpc-0a".into()));
            }
            Reading::all(document.statements[0].conditions.iter().map(|one| passes(one, &context)))
        };
        for condition in [
            r#"{"StringEquals":{"aws:PrincipalTag/team":"vpc-0a"}}"#,
            r#"{"StringNotEqualsIfExists":{"aws:PrincipalTag/team":"vpc-0b"}}"#,
            r#"{"ForAllValues:StringEquals":{"aws:PrincipalTag/team":"vpc-0a"}}"#,
            r#"{"Null":{"aws:PrincipalTag/team":"false"}}"#,
            r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/team}"}}"#,
            r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/team, 'vpc-0a'}"}}"#,
        ] {
            assert_eq!(reading(condition, false), Reading::Unclear(UNTOLD), "{condition}");
            assert_eq!(reading(condition, true), Reading::Yes, "{condition}");
        }
        // What is not left open is absent, as ever.
        assert_eq!(reading(r#"{"StringEquals":{"aws:PrincipalTag/other":"x"}}"#, false), Reading::No);
    }

    #[test]
    fn keys_that_are_absent() {
        for (operator, expected) in [
            ("StringEquals", "no"),
            ("StringNotEquals", "yes"),
            ("StringEqualsIfExists", "yes"),
            ("StringNotEqualsIfExists", "yes"),
            ("ForAllValues:StringEquals", "yes"),
            ("ForAllValues:StringNotEquals", "yes"),
            ("ForAnyValue:StringEquals", "no"),
            ("ForAnyValue:StringNotEquals", "no"),
            ("ForAnyValue:StringEqualsIfExists", UNCLEAR),
            ("NotIpAddress", "yes"),
            ("ArnNotLike", "yes"),
            ("Bool", "no"),
        ] {
            assert_eq!(
                read(&format!(r#"{{"{operator}":{{"aws:SourceVpc":"x"}}}}"#), &[]),
                expected,
                "{operator}"
            );
        }
        for (value, absent, present) in [("true", "yes", "no"), (r#""false""#, "no", "yes")] {
            let condition = format!(r#"{{"Null":{{"aws:SourceVpc":{value}}}}}"#);
            assert_eq!(read(&condition, &[]), absent);
            assert_eq!(read(&condition, &[("aws:sourcevpc", &["vpc-1"])]), present);
        }
    }

    #[test]
    fn several_values_of_the_policy_and_of_the_request() {
        let vpcs = |operator: &str, vpc: &[&str]| {
            read(
                &format!(r#"{{"{operator}":{{"aws:SourceVpc":["vpc-1","vpc-2"]}}}}"#),
                &[("aws:SourceVpc", vpc)],
            )
        };
        assert_eq!(vpcs("StringEquals", &["vpc-2"]), "yes");
        assert_eq!(vpcs("StringNotEquals", &["vpc-2"]), "no");
        assert_eq!(vpcs("StringNotEquals", &["vpc-3"]), "yes");
        assert_eq!(vpcs("StringEquals", &["vpc-1", "vpc-2"]), UNCLEAR);
        assert_eq!(vpcs("ForAllValues:StringEquals", &["vpc-1", "vpc-3"]), "no");
        assert_eq!(vpcs("ForAnyValue:StringEquals", &["vpc-1", "vpc-3"]), "yes");
        assert_eq!(vpcs("ForAllValues:StringNotEquals", &["vpc-1", "vpc-3"]), "no");
        assert_eq!(vpcs("ForAnyValue:StringNotEquals", &["vpc-1", "vpc-3"]), "yes");
        assert_eq!(vpcs("ForAllValues:StringEquals", &[""]), "yes");
        assert_eq!(vpcs("ForAnyValue:StringEquals", &[]), "no");
        assert_eq!(read(r#"{"StringEquals":{"aws:SourceVpc":[]}}"#, &[("aws:SourceVpc", &["a"])]), "no");
        assert_eq!(read(r#"{"StringNotEquals":{"aws:SourceVpc":[]}}"#, &[("aws:SourceVpc", &["a"])]), "yes");
        assert_eq!(read(r#"{"StringNotEquals":{}}"#, &[]), "yes");
    }

    #[test]
    fn each_kind_of_comparison() {
        let one = |operator: &str, wanted: &str, value: &str| {
            read(&format!(r#"{{"{operator}":{{"k:k":{wanted}}}}}"#), &[("K:K", &[value])])
        };
        for (operator, wanted, value, expected) in [
            ("StringEquals", r#""vpc-*""#, "vpc-1", "no"),
            ("StringLike", r#""vpc-*""#, "vpc-1", "yes"),
            ("StringEqualsIgnoreCase", r#""VPC-É""#, "vpc-é", "yes"),
            ("StringLike", r#""arn:aws:iam::*:role/r""#, "arn:aws:iam::1:role/:role/r", "yes"),
            ("ArnLike", r#""arn:aws:iam::*:role/r""#, "arn:aws:iam::1:role/:role/r", "no"),
            ("ArnEquals", r#""arn:aws:iam::*:role/*""#, "arn:aws:iam::1:role/a/b:c", "yes"),
            ("ArnLike", r#""*""#, "arn:aws:iam::1:role/a", UNCLEAR),
            ("ArnLike", r#""arn:aws:iam""#, "arn:aws:iam::1:role/a", "no"),
            ("ArnNotLike", r#""*""#, "arn:aws:iam::1:role/a", UNCLEAR),
            ("NumericLessThan", "10", "9.5", "yes"),
            ("NumericLessThanEquals", "10", "10", "yes"),
            ("NumericNotEquals", "10", "10.0", "no"),
            ("NumericEquals", "10", "ten", "no"),
            ("NumericNotEquals", "10", "ten", UNCLEAR),
            ("DateGreaterThan", r#""2026-01-01""#, "2026-01-01T00:00:01Z", "yes"),
            ("DateLessThan", r#""2026-01-01T00:00:00Z""#, "1767225600", "no"),
            ("Bool", r#""True""#, "true", "yes"),
            ("Bool", "false", "true", "no"),
            ("BinaryEquals", r#""QUJD""#, "QUJD", "yes"),
            ("IpAddress", r#""10.0.0.0/8""#, "10.255.0.1", "yes"),
            ("NotIpAddress", r#""0.0.0.0/0""#, "2001:db8::1", "yes"),
            ("IpAddress", r#""2001:db8::/32""#, "2001:db8::1", "yes"),
            ("NotIpAddress", r#""10.0.0.0/8""#, "lambda.amazonaws.com", UNCLEAR),
        ] {
            assert_eq!(one(operator, wanted, value), expected, "{operator} {wanted} {value}");
        }
    }

    #[test]
    fn variables_bring_text() {
        let tag = |operator: &str, wanted: &str, tags: &[(&str, &[&str])]| {
            let mut context = vec![("aws:SourceVpc", ["vpc-*"].as_slice())];
            context.extend(tags);
            read(&format!(r#"{{"{operator}":{{"aws:SourceVpc":"{wanted}"}}}}"#), &context)
        };
        let star: &[(&str, &[&str])] = &[("aws:PrincipalTag/vpc", &["*"])];
        let exact: &[(&str, &[&str])] = &[("aws:PrincipalTag/vpc", &["vpc-*"])];
        assert_eq!(tag("StringLike", "${aws:PrincipalTag/vpc}", star), "no");
        assert_eq!(tag("StringEquals", "${aws:PrincipalTag/vpc}", exact), "yes");
        assert_eq!(tag("StringEquals", "${aws:PrincipalTag/vpc}", &[]), "no");
        assert_eq!(tag("StringNotEquals", "${aws:PrincipalTag/vpc}", &[]), UNCLEAR);
        assert_eq!(tag("StringEquals", "${aws:PrincipalTag/vpc, 'vpc-*'}", &[]), "yes");
        assert_eq!(tag("StringLike", "vpc-${*}", &[]), "yes");
        let several: &[(&str, &[&str])] = &[("aws:PrincipalTag/vpc", &["a", "b"])];
        assert_eq!(tag("StringEquals", "${aws:PrincipalTag/vpc}", several), UNCLEAR);
    }

    proptest! {
        #[test]
        fn wildcards_are_those_of_glob(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
            let template = Template::parse(&pattern, Wildcards::Known, Variables::Known).unwrap();
            let Resolved::Pattern(resolved) = resolve(&template, &Context::default()) else {
                return Err(TestCaseError::fail("a variable"));
            };
            prop_assert_eq!(resolved.matches(&text, false), crate::glob::matches(&pattern, &text));
        }
    }
}
