//! The values of a perimeter.toml, each checked by itself.
//!
//! A check knows the shape of a thing, never whether it exists: an account, a VPC or a role that is
//! spelt well and is not there goes through.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use toml::value::Datetime;

use super::diagnostic::{listed, nearest, quote};
use crate::glob::has_wildcard;
use crate::ids::{AccountId, Arn, EndpointId, is_account};

/// What is wrong with a value, and what would mend it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

type Check<T> = Result<T, Complaint>;

/// Any text: notes, reasons, tickets.
pub(super) fn free(text: &str) -> Check<String> {
    Ok(text.to_owned())
}

/// The longest session that AWS gives anybody: `GetSessionToken`, STS API reference.
const MAX_HOURS: i64 = 36;

/// A length of time: hours, minutes and seconds, and not none.
pub(super) fn duration(text: &str) -> Check<SignedDuration> {
    let is_short = |length: &SignedDuration| *length <= SignedDuration::from_hours(MAX_HOURS);
    let length = text.trim().parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    length.filter(is_short).ok_or_else(|| {
        Complaint::new(format!("{} is no length of time up to {MAX_HOURS} hours", quote(text)))
            .help("write it as \"1h\", \"90m\" or \"1h 30m\"")
    })
}

pub(super) fn account(text: &str) -> Check<AccountId> {
    AccountId::parse(text).map_err(|_| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let complaint = Complaint::new(format!("{} is no account id: twelve digits", quote(text)));
        match digits.len() {
            12 => complaint.help(format!("write \"{digits}\"")),
            all if all == text.len() && all > 0 => complaint.help(format!("it has {all}")),
            _ => complaint,
        }
    })
}

pub(super) fn organization(text: &str) -> Check<String> {
    let fits = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.strip_prefix("o-").is_some_and(fits) {
        return Ok(text.to_owned());
    }
    let message = format!("{} is no organization id: `o-`, then lower-case letters and digits", quote(text));
    Err(match text.get(..3) {
        Some("ou-") => {
            Complaint::new(message).help("that is a unit's id; the organization's begins with `o-`")
        }
        _ => Complaint::new(message),
    })
}

pub(super) fn endpoint(text: &str) -> Check<EndpointId> {
    EndpointId::parse(text).map_err(|_| {
        let message = format!("{} is no endpoint id: `vpce-` and lower-case hexadecimal digits", quote(text));
        let lower = text.trim().to_ascii_lowercase();
        match EndpointId::parse(&lower) {
            Ok(_) => Complaint::new(message).help(format!("write \"{lower}\"")),
            Err(_) if text.starts_with("vpc-") => Complaint::new(message).help("that is the VPC's own id"),
            Err(_) => Complaint::new(message),
        }
    })
}

/// Not only hexadecimal digits: examples with speaking ids are to be read as well.
pub(super) fn vpc(text: &str) -> Check<String> {
    let fits = |id: &str| {
        !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if text.strip_prefix("vpc-").is_some_and(fits) {
        return Ok(text.to_owned());
    }
    let complaint =
        Complaint::new(format!("{} is no VPC id: `vpc-`, then lower-case letters and digits", quote(text)));
    Err(if text.starts_with("vpce-") { complaint.help("that is an endpoint's id") } else { complaint })
}

/// A region's shape, not a list of them: new ones must work.
pub(super) fn region(text: &str) -> Check<String> {
    if is_region(text) {
        return Ok(text.to_owned());
    }
    let message = format!("{} is no region", quote(text));
    let lower = text.trim().to_ascii_lowercase();
    if is_region(&lower) {
        return Err(Complaint::new(message).help(format!("write \"{lower}\"")));
    }
    let zone = lower.trim_end_matches(|c: char| c.is_ascii_lowercase());
    if is_region(zone) && lower.len() == zone.len() + 1 {
        return Err(Complaint::new(format!("{message}, but a zone of one")).help(format!("write \"{zone}\"")));
    }
    Err(Complaint::new(message).help("a region is written as \"eu-west-1\""))
}

fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let word = |word: &str| (2..=12).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase());
    words.contains('-')
        && words.split('-').all(word)
        && matches!(number.len(), 1 | 2)
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// A block of addresses, whose bits behind the prefix are zero.
pub(super) fn cidr(text: &str) -> Check<IpNet> {
    let Ok(block) = text.parse::<IpNet>() else {
        let message = format!("{} is no address block", quote(text));
        return Err(match text.parse::<std::net::IpAddr>() {
            Ok(address) => {
                Complaint::new(message).help(format!("one address is \"{}\"", IpNet::from(address)))
            }
            Err(_) => {
                Complaint::new(message).help("a block is written as \"10.0.0.0/16\" or \"2001:db8::/56\"")
            }
        });
    };
    if block != block.trunc() {
        let message = format!("{} has bits set behind its prefix", quote(text));
        return Err(Complaint::new(message).help(format!("the block is \"{}\"", block.trunc())));
    }
    // Some read 010 as 8, others as 10.
    if block.addr().is_ipv4() && text != block.to_string() {
        let message = format!("{} has zeros before its numbers", quote(text));
        return Err(Complaint::new(message).help(format!("write \"{block}\"")));
    }
    if let IpNet::V6(v6) = block
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && v6.prefix_len() >= 96
    {
        let message = format!("{} is IPv4 in the dress of IPv6, which no record uses", quote(text));
        return Err(Complaint::new(message).help(format!("write \"{v4}/{}\"", v6.prefix_len() - 96)));
    }
    Ok(block)
}

/// One of the named values.
pub(super) fn one_of<T: Copy>(text: &str, what: &str, values: &[(&str, T)]) -> Check<T> {
    if let Some((_, value)) = values.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names = values.iter().map(|(name, _)| *name);
    let complaint =
        Complaint::new(format!("{} is no {what}: {}", quote(text), listed(names.clone(), " or ")));
    Err(match nearest(text, names) {
        Some((name, true)) => complaint.help(format!("did you mean \"{name}\"?")),
        _ => complaint,
    })
}

/// A moment: a date with time and offset, or a bare date, which is 00:00 UTC.
pub(super) fn moment(date: &Datetime) -> Check<Timestamp> {
    let text = match (date.date, date.time, date.offset) {
        (Some(day), None, None) => format!("{day}T00:00:00Z"),
        (Some(_), Some(_), Some(_)) => date.to_string(),
        (Some(_), Some(_), None) => {
            let message = format!("`{date}` is a time of day somewhere: it has no offset from UTC");
            return Err(Complaint::new(message).help(format!("write `{date}Z` for UTC")));
        }
        (None, ..) | (Some(_), None, Some(_)) => {
            return Err(Complaint::new(format!("`{date}` has no date")).help(DATES));
        }
    };
    text.parse().map_err(|_| Complaint::new(format!("`{date}` lies outside the calendar")).help(DATES))
}

/// The same in quotes.
pub(super) fn moment_text(text: &str) -> Check<Timestamp> {
    match text.parse::<Datetime>() {
        Ok(date) => moment(&date),
        Err(_) => Err(Complaint::new(format!("{} is no date", quote(text))).help(DATES)),
    }
}

pub(super) const DATES: &str = "write 2027-01-01 (00:00 UTC) or 2027-01-01T09:00:00+01:00";

/// The name of a service, as CloudTrail's `invokedBy` has it.
pub(super) fn service(text: &str) -> Check<String> {
    let name = text.strip_suffix(".amazonaws.com.cn").or_else(|| text.strip_suffix(".amazonaws.com"));
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if name.is_some_and(|name| name.split('.').all(label)) {
        return Ok(text.to_owned());
    }
    let complaint = Complaint::new(format!("{} is no AWS service's name", quote(text)));
    Err(if text.contains('*') {
        complaint.help("leave `via` out for any service")
    } else if label(text) {
        complaint.help(format!("write \"{text}.amazonaws.com\""))
    } else {
        complaint.help("it ends in `.amazonaws.com` or `.amazonaws.com.cn`")
    })
}

/// A role's or user's unique id.
///
/// Source: IAM user guide, "IAM identifiers", "Understanding unique ID prefixes".
pub(super) fn unique_id(text: &str) -> Check<String> {
    let fits = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let (id, session) = text.split_once(':').unwrap_or((text, ""));
    let known = ["AROA", "AIDA"].iter().any(|prefix| id.strip_prefix(prefix).is_some_and(fits));
    if known && id.len() == text.len() && text.len() <= 128 {
        return Ok(text.to_owned());
    }
    let complaint = Complaint::new(format!("{} is no unique id of a role or user", quote(text)));
    Err(if known && !session.is_empty() {
        complaint.help(format!("write it without its session's name: \"{id}\""))
    } else {
        complaint
            .help("a role's begins with AROA, a user's with AIDA; `aws iam get-role` shows it as `RoleId`")
    })
}

/// A table's ARN or, without `arn:`, its name; both may hold wildcards.
pub(super) fn table_pattern(text: &str) -> Check<String> {
    let name = |name: &str, more: &[u8]| {
        (1..=255).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-*?".contains(&b) || more.contains(&b))
    };
    if !text.starts_with("arn:") {
        if name(text, b"") {
            return Ok(text.to_owned());
        }
        let message = format!("{} is no table's name", quote(text));
        return Err(Complaint::new(message).help("write a name, an ARN, or a pattern of either"));
    }
    let arn = parts(text)?;
    if arn.service != "dynamodb" {
        let message = format!("{} is no table's ARN: its service is {}", quote(text), quote(arn.service));
        return Err(Complaint::new(message).help("write `dynamodb`"));
    }
    if !arn.resource.strip_prefix("table/").is_some_and(|table| name(table, b"/:")) {
        let message = format!("{} is no table's ARN: its last part is no `table/…`", quote(text));
        return Err(Complaint::new(message).help("arn:aws:dynamodb:eu-west-1:111122223333:table/orders"));
    }
    Ok(text.to_owned())
}

/// The ARN of one table.
pub(super) fn table_arn(text: &str) -> Check<String> {
    let example = "write it as \"arn:aws:dynamodb:eu-west-1:111122223333:table/perimeter-findings\"";
    let arn = parts(text).map_err(|complaint| complaint.help(example))?;
    let name = arn.resource.strip_prefix("table/").unwrap_or_default();
    let fits = name.len() <= 255
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if arn.service == "dynamodb" && is_region(arn.region) && is_account(arn.account) && fits {
        return Ok(text.to_owned());
    }
    let complaint = Complaint::new(format!("{} is not the ARN of one DynamoDB table", quote(text)));
    Err(match name.split_once('/') {
        _ if has_wildcard(text) => complaint.help("name the one table, without wildcards"),
        Some((table, _)) => complaint.help(format!("end it with `table/{table}`")),
        None => complaint.help(example),
    })
}

/// The ARN of one role.
pub(super) fn role_arn(text: &str) -> Check<String> {
    let pattern = principal_pattern(text)?;
    match parts(&pattern) {
        Ok(arn) if arn.service == "iam" && arn.resource.starts_with("role/") && !has_wildcard(text) => {
            Ok(pattern)
        }
        _ => Err(Complaint::new(format!("{} is not the ARN of one role", quote(text)))
            .help("name each role, without wildcards: \"arn:aws:iam::111122223333:role/perimeter-auditor\"")),
    }
}

/// A pattern of ARNs of any service.
pub(super) fn resource_pattern(text: &str) -> Check<String> {
    let arn = parts(text)?;
    if arn.service.is_empty() || has_wildcard(arn.service) {
        let message = format!("{} names no service", quote(text));
        return Err(Complaint::new(message).help("name the service: the third part of the ARN, as `lambda`"));
    }
    if arn.resource.is_empty() {
        return Err(Complaint::new(format!("{} names no resource", quote(text))));
    }
    Ok(text.to_owned())
}

/// A pattern of what `aws:PrincipalArn` can hold.
///
/// Source: IAM user guide, "AWS global condition context keys" (`aws:PrincipalArn`), and "IAM
/// identifiers".
pub(super) fn principal_pattern(text: &str) -> Check<String> {
    let arn = parts(text)?;
    let shown = quote(text);
    if !matches!(arn.service, "iam" | "sts") {
        let service = quote(arn.service);
        let message = format!("{shown} is no principal's ARN: its service is {service}, not `iam` or `sts`");
        return Err(Complaint::new(message).help(format!("write \"{PRINCIPAL}\"")));
    }
    if !matches!(arn.region, "" | "*") {
        let message = format!("{shown} matches nothing: a principal's ARN has no region");
        return Err(Complaint::new(message).help(format!("leave the fourth part empty: \"{PRINCIPAL}\"")));
    }
    let account = arn.account;
    let plausible =
        has_wildcard(account) && account.bytes().all(|b| b.is_ascii_digit() || b"*?".contains(&b));
    if !is_account(account) && !plausible {
        let message = format!("{shown} is no principal's ARN: {} is no account id", quote(account));
        return Err(Complaint::new(message)
            .help("write the twelve digits, or `*` for the accounts of the environments"));
    }
    let (class, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    let classes: &[&str] = match arn.service {
        "iam" => &["role", "user"],
        _ => &["assumed-role", "federated-user"],
    };
    let named = classes.contains(&class) && !name.is_empty();
    if named || has_wildcard(class) || (arn.service == "iam" && arn.resource == "root") {
        return Ok(text.to_owned());
    }
    let message = format!("{shown} is no principal's ARN: its last part is {}", quote(arn.resource));
    Err(Complaint::new(message).help(match arn.resource.split_once(':') {
        Some((class, name)) if classes.contains(&class) => {
            format!("write `{class}/`, with a slash: {}", quote(&format!("{class}/{name}")))
        }
        _ if arn.service == "iam" => "a principal is `role/NAME`, `user/NAME` or `root`".to_owned(),
        _ => "a principal is `assumed-role/NAME/SESSION` or `federated-user/NAME`".to_owned(),
    }))
}

const PRINCIPAL: &str = "arn:aws:iam::111122223333:role/NAME";

/// The six parts, of characters that an ARN can have.
fn parts(text: &str) -> Check<Arn<'_>> {
    let shown = quote(text);
    if text == "*" {
        let message = "`*` is no ARN pattern: it would stand for everything that exists".to_owned();
        return Err(Complaint::new(message)
            .help(format!("say which: \"{PRINCIPAL}\"; wildcards may stand within its parts")));
    }
    if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic()) {
        let odd = quote(&odd.to_string());
        let complaint = Complaint::new(format!("{shown} is no ARN: {odd} cannot be part of one"));
        return Err(if text.trim().len() < text.len() {
            complaint.help("write it without the blanks around it")
        } else {
            complaint
        });
    }
    let Some(arn) = Arn::parse(text) else {
        let message = format!("{shown} has not the six parts of an ARN");
        return Err(Complaint::new(message).help(
            "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE; parts may be empty, their colons not left out",
        ));
    };
    let partition = arn.partition;
    let named = partition == "aws"
        || partition.strip_prefix("aws-").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        });
    if !named && !has_wildcard(partition) {
        let message = format!("{shown} is no ARN: {} is no partition", quote(partition));
        return Err(
            Complaint::new(message).help("the second part is `aws`, or `aws-cn`, `aws-us-gov` and the like")
        );
    }
    Ok(arn)
}

#[cfg(test)]
mod tests;
