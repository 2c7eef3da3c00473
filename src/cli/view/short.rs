//! Long things, in few characters. What comes out is inert and on one line.

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::plain_line;
use crate::ids::Arn;
use crate::perimeter::origin::{Origin, OriginKind};
use crate::perimeter::principal::{Principal, PrincipalKind};

/// Paths of ARNs longer than this are left out.
const LONG: usize = 40;

/// What an ARN names, without the region and the account: `role/app/checkout`, `table/orders`.
pub fn arn(text: &str) -> String {
    let Some(arn) = Arn::parse(text) else { return plain_line(text) };
    let mut parts = arn.resource.splitn(2, '/');
    let path = parts.next().zip(parts.next().and_then(|rest| rest.rsplit_once('/')));
    let resource = match path {
        Some((kind, (_, name))) if arn.resource.len() > LONG => format!("{kind}/…/{name}"),
        _ => arn.resource.to_owned(),
    };
    let known = matches!(arn.service, "dynamodb" | "iam" | "sts");
    plain_line(&if known { resource } else { format!("{} {resource}", arn.service) })
}

/// Who called, and of which account where that is not `home`.
pub fn who(principal: &Principal, home: Option<&str>) -> String {
    let account = principal.account.as_deref();
    let name = match (principal.kind, &principal.arn, &principal.unique_id) {
        (PrincipalKind::Root, ..) => "root".to_owned(),
        (PrincipalKind::Account, ..) => "somebody".to_owned(),
        (_, Some(text), _) => arn(text),
        (PrincipalKind::Service, None, _) => "an AWS service".to_owned(),
        (PrincipalKind::Unknown, None, None) => "somebody unknown".to_owned(),
        (kind, None, Some(id)) => format!("{} {}", kind.name(), plain_line(id)),
        (kind, None, None) => kind.name().to_owned(),
    };
    match account {
        Some(account) if Some(account) != home => format!("{name} of {}", plain_line(account)),
        _ => name,
    }
}

/// What was called or changed: a few names, and how many more.
pub fn resources(resources: &[String]) -> String {
    named(resources.iter().map(|resource| arn(resource)))
}

/// The same by the last part of each name alone.
pub fn resource_names(resources: &[String]) -> String {
    named(resources.iter().map(|resource| name(resource)))
}

/// Two names, and how many more. The same name in two accounts or regions stands once.
fn named(names: impl Iterator<Item = String>) -> String {
    let mut shown: Vec<(String, u64)> = Vec::new();
    for name in names {
        match shown.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => *times += 1,
            None => shown.push((name, 1)),
        }
    }
    let shown: Vec<String> = shown
        .into_iter()
        .map(|(name, times)| if times == 1 { name } else { format!("{name} (×{times})") })
        .collect();
    match shown.as_slice() {
        [] => "no table named".to_owned(),
        [one] => one.clone(),
        [one, two] => format!("{one}, {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

/// The last part of a name: `checkout`, `orders`.
pub fn name(text: &str) -> String {
    let resource = Arn::parse(text).map_or(text, |arn| arn.resource);
    plain_line(resource.rsplit(['/', ':']).next().unwrap_or(resource))
}

/// With a capital at its beginning.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Where calls came from.
pub fn whence(origin: &Origin) -> String {
    let shown =
        |text: &Option<String>, otherwise: &str| text.as_deref().map_or(otherwise.to_owned(), plain_line);
    let ip = |otherwise| shown(&origin.ip, otherwise);
    let endpoint = || shown(&origin.endpoint, "an endpoint");
    let vpc = || shown(&origin.vpc, "a VPC");
    match origin.kind {
        OriginKind::ApprovedEndpoint => format!("{} (approved)", vpc()),
        OriginKind::ApprovedTransit => format!("{}, in transit through {}", ip("elsewhere"), vpc()),
        OriginKind::TrustedAddress => format!("{} (trusted)", ip("several addresses")),
        OriginKind::UnapprovedVpc => format!("{} (not approved)", vpc()),
        OriginKind::ForeignEndpoint => {
            format!("{} of {}", endpoint(), shown(&origin.vpc_account, "another account"))
        }
        OriginKind::UnknownEndpoint => format!("{} (unknown)", endpoint()),
        OriginKind::Public => format!("{} (public)", ip("several addresses")),
        OriginKind::PrivateUnattributed => format!("{} (private, no endpoint)", ip("several addresses")),
        OriginKind::AwsService => format!("{} (service)", ip("AWS services")),
        OriginKind::AwsInternal => "AWS's own network".to_owned(),
        OriginKind::Unknown => "an unknown place".to_owned(),
    }
}

/// A number with commas: `1,234,567`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number and what it counts.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// Bytes, in the unit that fits.
pub fn bytes(bytes: f64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 9.95);
    format!("{value:.decimals$} {}", units.get(unit).unwrap_or(&""))
}

/// A part of a whole, in percent.
pub fn percent(part: u64, whole: u64) -> String {
    match part as f64 / whole.max(1) as f64 * 100.0 {
        _ if part == 0 => "0 %".to_owned(),
        _ if part == whole => "100 %".to_owned(),
        share if share < 0.1 => "< 0.1 %".to_owned(),
        // Not all is never "100.0".
        share => format!("{:.1} %", share.min(99.9)),
    }
}

/// A time by the minute, in UTC.
pub fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time by the second, in UTC.
pub fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// From the first to the last time, without repeating the day.
pub fn span(first: Option<Timestamp>, last: Option<Timestamp>) -> String {
    let Some((first, last)) = first.zip(last) else { return "time unknown".to_owned() };
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let clock = |time: Timestamp| time.strftime("%H:%M").to_string();
    match (day(first), day(last)) {
        (one, other) if one != other => format!("{one} – {other}"),
        (one, _) if clock(first) == clock(last) => format!("{one} {}", clock(first)),
        (one, _) => format!("{one} {} – {}", clock(first), clock(last)),
    }
}

/// How long ago, roughly.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(time.as_second());
    let (count, one, many) = match u64::try_from(seconds) {
        Err(_) => return "in the future".to_owned(),
        Ok(0..60) => return "just now".to_owned(),
        Ok(seconds @ 60..3600) => (seconds / 60, "minute", "minutes"),
        Ok(seconds @ 3600..86_400) => (seconds / 3600, "hour", "hours"),
        Ok(seconds) => (seconds / 86_400, "day", "days"),
    };
    format!("{} ago", counted(count, one, many))
}

/// Columns that text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Text with spaces behind it, up to that many columns.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Cuts the middle out of text that takes more than `columns`.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(kept) = columns.checked_sub(1) else { return String::new() };
    let head = beginning(text.chars(), kept - kept / 2);
    let mut tail: Vec<char> = beginning(text.chars().rev(), kept / 2);
    tail.reverse();
    // A mark at its beginning would stand on the dots.
    let tail = tail.into_iter().skip_while(|c| c.width() == Some(0));
    head.into_iter().chain(['…']).chain(tail).collect()
}

/// As many characters as fit into that many columns.
fn beginning(chars: impl Iterator<Item = char>, columns: usize) -> Vec<char> {
    let mut left = columns;
    let mut fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or_default());
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    chars.take_while(|c| fits(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_lose_what_everybody_knows() {
        let cases = [
            ("arn:aws:iam::111122223333:role/app/checkout", "role/app/checkout"),
            ("arn:aws:iam::111122223333:root", "root"),
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/orders", "table/orders"),
            ("arn:aws:lambda:eu-west-1:111122223333:function:perimeter", "lambda function:perimeter"),
            (
                "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0123",
                "role/…/AWSReservedSSO_Dev_0123",
            ),
            (
                "arn:aws:iam::1:role/a-name-that-is-longer-than-forty-characters",
                "role/a-name-that-is-longer-than-forty-characters",
            ),
            ("no arn\n", "no arn\\n"),
            ("", ""),
        ];
        for (text, shown) in cases {
            assert_eq!(arn(text), shown);
        }
    }

    #[test]
    fn many_resources_are_told_in_few_words() {
        let table = |account: &str, name: &str| format!("arn:aws:dynamodb:eu-west-1:{account}:table/{name}");
        let cases = [
            (vec![], "no table named"),
            (vec![table("1", "a")], "table/a"),
            (vec![table("1", "a"), table("2", "a")], "table/a (×2)"),
            (vec![table("1", "a"), table("1", "b")], "table/a, table/b"),
            (
                vec![table("1", "a"), table("1", "b"), table("1", "c"), table("1", "d")],
                "table/a, table/b and 2 more",
            ),
        ];
        for (names, shown) in cases {
            assert_eq!(resources(&names), shown);
        }
        assert_eq!(resource_names(&[table("1", "a"), "b".into()]), "a, b");
    }

    #[test]
    fn numbers_have_commas() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (value, shown) in cases {
            assert_eq!(number(value), shown);
        }
    }

    #[test]
    fn bytes_and_percents_are_rounded_with_care() {
        let cases = [
            (0.0, "0 bytes"),
            (999.0, "999 bytes"),
            (1000.0, "1.0 KB"),
            (9_960.0, "10 KB"),
            (999_600.0, "1.0 MB"),
            (1.25e9, "1.2 GB"),
        ];
        for (value, shown) in cases {
            assert_eq!(bytes(value), shown);
        }
        let cases = [
            (0, 0, "0 %"),
            (0, 9, "0 %"),
            (1, 1_000_000, "< 0.1 %"),
            (999_999, 1_000_000, "99.9 %"),
            (1, 3, "33.3 %"),
            (7, 7, "100 %"),
        ];
        for (part, whole, shown) in cases {
            assert_eq!(percent(part, whole), shown);
        }
    }

    #[test]
    fn spans_do_not_repeat_the_day() {
        let time = |text: &str| text.parse().ok();
        let cases = [
            ("2026-03-01T09:14:07Z", "2026-03-01T09:14:40Z", "2026-03-01 09:14"),
            ("2026-03-01T09:14:07Z", "2026-03-01T11:05:00Z", "2026-03-01 09:14 – 11:05"),
            ("2026-03-01T09:14:07Z", "2026-03-02T11:05:00Z", "2026-03-01 – 2026-03-02"),
        ];
        for (first, last, shown) in cases {
            assert_eq!(span(time(first), time(last)), shown);
        }
        assert_eq!(span(None, None), "time unknown");
    }

    #[test]
    fn long_text_loses_its_middle() {
        for (width, shown) in
            [(20, "0123456789"), (10, "0123456789"), (9, "0123…6789"), (2, "0…"), (1, "…"), (0, "")]
        {
            assert_eq!(fit("0123456789", width), shown);
        }
    }

    #[test]
    fn text_is_measured_in_columns() {
        let cases = [(8, "注文注文"), (7, "注…文"), (5, "注…文"), (3, "…"), (1, "…"), (0, "")];
        for (columns, shown) in cases {
            assert_eq!(fit("注文注文", columns), shown, "{columns}");
            assert!(width(&fit("注文注文", columns)) <= columns);
        }
        assert_eq!(fit("ae\u{301}e\u{301}e\u{301}e\u{301}a", 4), "ae\u{301}…a");
        assert_eq!(pad("注文", 6), "注文  ");
        assert_eq!(pad("e\u{301}", 2), "e\u{301} ");
        assert_eq!(pad("long", 2), "long");
    }

    #[test]
    fn times_past_are_told_in_words() {
        let now = "2026-03-10T00:00:00Z".parse().unwrap();
        let cases = [
            ("2026-03-10T00:00:01Z", "in the future"),
            ("2026-03-09T23:59:30Z", "just now"),
            ("2026-03-09T23:58:30Z", "1 minute ago"),
            ("2026-03-09T21:00:00Z", "3 hours ago"),
            ("2026-03-01T09:00:00Z", "8 days ago"),
        ];
        for (time, shown) in cases {
            assert_eq!(ago(time.parse().unwrap(), now), shown);
        }
    }
}
