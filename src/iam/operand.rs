//! The values of a condition, read for the operator that they stand under.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use jiff::Timestamp;

use super::operator::Test;
use super::template::{Part, Template, Variables, Wildcards};

/// One value of a condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Operand {
    /// Text, with or without wildcards: the operator decides.
    Text(Template),
    /// The six parts of an ARN, each with wildcards.
    Arn(Box<[Template; 6]>),
    /// A number, in billionths; or a time, in nanoseconds since 1970: so `aws:EpochTime` and
    /// `aws:CurrentTime` lie on one axis.
    Number(i128),
    Bool(bool),
    Bytes(Vec<u8>),
    Block(IpNet),
    /// It is none that the operator can compare with; why.
    Unreadable(&'static str),
    /// The documentation leaves open what it is compared with; why.
    Open(&'static str),
}

/// Billionths in one.
const BILLION: i128 = 1_000_000_000;

impl Operand {
    /// Reads a value for a test.
    ///
    /// # Errors
    /// Where the text holds a variable that is none. What merely cannot be compared is an operand too.
    pub fn read(text: &str, test: Test, variables: Variables) -> Result<Self, String> {
        Ok(match test {
            Test::Text | Test::TextFolded => {
                Operand::Text(Template::parse(text, Wildcards::Literal, variables)?)
            }
            Test::Like => Operand::Text(Template::parse(text, Wildcards::Known, variables)?),
            Test::Arn => match arn(Template::parse(text, Wildcards::Known, variables)?) {
                Some(parts) => Operand::Arn(parts),
                None if text.contains(['*', '?']) => {
                    Operand::Open("an ARN with wildcards and without its six parts")
                }
                None => Operand::Unreadable("it has not the six parts of an ARN"),
            },
            Test::Number(_) => number(text).map_or(Operand::Unreadable("it is no number"), Operand::Number),
            Test::Date(_) => date(text).map_or(Operand::Unreadable("it is no date"), Operand::Number),
            Test::Bool | Test::Null => boolean(text),
            Test::Binary => {
                STANDARD.decode(text).map_or(Operand::Unreadable("it is no base64"), Operand::Bytes)
            }
            Test::Address => block(text).map_or(Operand::Unreadable("it is no address"), Operand::Block),
        })
    }
}

impl Operand {
    /// The keys of its variables, in small letters.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let templates = match self {
            Operand::Text(template) => std::slice::from_ref(template),
            Operand::Arn(parts) => parts.as_slice(),
            Operand::Number(_)
            | Operand::Bool(_)
            | Operand::Bytes(_)
            | Operand::Block(_)
            | Operand::Unreadable(_)
            | Operand::Open(_) => &[],
        };
        templates.iter().flat_map(Template::variables)
    }
}

/// Whether a value is true is asked without regard to case.
fn boolean(text: &str) -> Operand {
    match text.to_ascii_lowercase().as_str() {
        "true" => Operand::Bool(true),
        "false" => Operand::Bool(false),
        _ => Operand::Unreadable("it is neither `true` nor `false`"),
    }
}

/// Takes a template apart at its first five colons. What a variable brings in takes nothing apart.
fn arn(template: Template) -> Option<Box<[Template; 6]>> {
    let mut parts = vec![Template::default()];
    for part in template.parts {
        let Part::Literal(text) = part else {
            parts.last_mut()?.parts.push(part);
            continue;
        };
        let left = 7 - parts.len();
        for (n, piece) in text.splitn(left, ':').enumerate() {
            if n > 0 {
                parts.push(Template::default());
            }
            if !piece.is_empty() {
                parts.last_mut()?.parts.push(Part::Literal(piece.to_owned()));
            }
        }
    }
    parts.into_boxed_slice().try_into().ok()
}

/// An integer or decimal number, exactly.
pub fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=27).contains(&whole.len())
        || !(1..=9).contains(&fraction.len())
        || !all_digits(whole)
        || !all_digits(fraction)
    {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    let value = whole.checked_mul(BILLION)?.checked_add(fraction)?;
    Some(if negative { -value } else { value })
}

/// A moment: seconds since 1970, a time with its zone, a day or a month (from its first midnight, UTC).
///
/// Source: IAM user guide, "Date condition operators" (the W3C's profile of ISO 8601, or epoch time). A year
/// alone is seconds: a number is.
pub fn date(text: &str) -> Option<i128> {
    let with = |rest: &str| format!("{text}{rest}").parse::<Timestamp>();
    let time = || text.parse().or_else(|_| with("T00:00:00Z")).or_else(|_| with("-01T00:00:00Z"));
    number(text).or_else(|| time().ok().map(Timestamp::as_nanosecond))
}

/// A block of addresses, or one.
pub fn block(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(block) => Some(block.trunc()),
        Err(_) => text.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::operator::Comparison;

    fn read(text: &str, test: Test) -> Operand {
        Operand::read(text, test, Variables::Known).unwrap()
    }

    #[test]
    fn numbers_are_exact_and_dates_lie_on_their_axis() {
        assert_eq!(number("1.5"), Some(1_500_000_000));
        assert_eq!(number("-0.000000001"), Some(-1));
        for text in ["", ".", "1.", "1.0000000001", "1e3", "0x1", "1 ", "9".repeat(28).as_str()] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(date("1970-01-02"), date("1970-01-02T00:00:00Z"));
        assert_eq!(date("1970-01-02T01:00:00+01:00"), date("86400"));
        assert_eq!(date("2026-07"), date("2026-07-01T00:00:00Z"));
        assert_eq!((date("20260701"), date("2026")), (number("20260701"), number("2026")));
        for text in ["next week", "2026-13", "2026-7", "2026-07-01T00:00:00", ""] {
            assert_eq!(date(text), None, "{text}");
        }
        let test = Test::Date(Comparison::Less);
        assert_eq!(read("2026-13-01", test), Operand::Unreadable("it is no date"));
    }

    #[test]
    fn arns_have_six_parts_and_the_last_keeps_its_colons() {
        let Operand::Arn(parts) = read("arn:aws:dynamodb:*:1:table/a/stream/2026:01", Test::Arn) else {
            panic!("no ARN");
        };
        assert_eq!(parts[5].as_literal(), Some("table/a/stream/2026:01"));
        assert_eq!(parts[3].parts, [Part::Any]);
        let Operand::Arn(parts) = read("arn:aws:iam::${aws:PrincipalAccount}:role/*", Test::Arn) else {
            panic!("no ARN");
        };
        assert_eq!(parts[3].as_literal(), Some(""));
        assert_eq!(parts[4].variables().collect::<Vec<_>>(), ["aws:principalaccount"]);
        for short in ["arn:aws:iam::1", ""] {
            assert!(matches!(read(short, Test::Arn), Operand::Unreadable(_)), "{short}");
        }
        for short in ["*", "arn:aws:iam::*"] {
            assert!(matches!(read(short, Test::Arn), Operand::Open(_)), "{short}");
        }
    }

    #[test]
    fn addresses_are_blocks() {
        assert_eq!(block("10.1.2.3/8"), "10.0.0.0/8".parse().ok());
        assert_eq!(block("10.1.2.3"), "10.1.2.3/32".parse().ok());
        assert_eq!(block("2001:db8::1"), "2001:db8::1/128".parse().ok());
        assert_eq!((block("10.0.0.0/33"), block("office")), (None, None));
    }
}
