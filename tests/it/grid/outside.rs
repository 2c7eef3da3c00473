//! What the prover is held to, written once more by the specification alone: which requests there can be, which are
//! from outside, and who is break-glass.

use std::net::IpAddr;

use dynamodb_perimeter::iam::request::Values;
use dynamodb_perimeter::ids::Arn;
use dynamodb_perimeter::perimeter::{Mode, Perimeter};
use dynamodb_perimeter::prove::bundle::{Asked, Bundle};
use ipnet::IpNet;
use jiff::Timestamp;

/// The one value of a key.
fn value<'a>(asked: &'a Asked, key: &str) -> Option<&'a str> {
    let found = asked.context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.and_then(|(_, values)| values.all().first()).map(String::as_str)
}

fn is_by_service(asked: &Asked) -> bool {
    value(asked, "aws:ViaAWSService") == Some("true")
}

/// Can there be such a request?
pub fn is_possible(asked: &Asked, bundle: &Bundle, perimeter: &Perimeter, now: Timestamp) -> bool {
    let of_a_service =
        asked.principal.ends_with(".amazonaws.com") || asked.principal.contains("aws-service-role/");
    network_is_possible(asked, perimeter)
        && !(of_a_service && is_by_service(asked))
        && (is_by_service(asked) || value(asked, "aws:CalledVia").is_none())
        && tags_are_possible(asked, bundle, perimeter)
        && session_is_possible(asked)
        && time_is_possible(asked, perimeter.prove.now.unwrap_or(now))
        && region_is_possible(asked)
}

fn network_is_possible(asked: &Asked, perimeter: &Perimeter) -> bool {
    let of_endpoint = ["aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"].map(|key| value(asked, key));
    let [vpc, endpoint, _] = of_endpoint;
    let address = value(asked, "aws:SourceIp");
    let known = perimeter.endpoints.iter().find(|known| Some(known.id.as_str()) == endpoint);
    if known.is_some_and(|known| vpc.is_some_and(|vpc| vpc != known.vpc.id)) {
        return false;
    }
    let owner = value(asked, "aws:VpceAccount");
    if known.is_some_and(|known| owner.is_some_and(|owner| owner != known.vpc.account.as_str())) {
        return false;
    }
    let more = value(asked, "aws:SourceVpcArn");
    let place =
        known.map(|known| format!(":{}:{}:vpc/{}", known.vpc.region, known.vpc.account, known.vpc.id));
    if place.is_some_and(|place| more.is_some_and(|arn| !arn.ends_with(&place))) {
        return false;
    }
    if more.is_some_and(|arn| arn.rsplit('/').next() != vpc) {
        return false;
    }
    // They tell of an endpoint, which there then is.
    if (owner.is_some() || more.is_some()) && of_endpoint.iter().any(Option::is_none) {
        return false;
    }
    match (is_by_service(asked), address, of_endpoint) {
        (true, ..) => true,
        (false, Some(address), [None, None, None]) => is_public(address),
        (false, None, [Some(_), Some(_), Some(_)]) => true,
        (false, ..) => false,
    }
}

/// Could it be somebody's on the internet?
fn is_public(address: &str) -> bool {
    let private =
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"];
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    match address {
        IpAddr::V4(_) => !private.iter().any(|block| block.parse::<IpNet>().unwrap().contains(&address)),
        IpAddr::V6(_) => "2000::/3".parse::<IpNet>().unwrap().contains(&address),
    }
}

/// The tags that are known of the caller, and of the resource: those alone there are.
fn known_tags<'b>(asked: &Asked, bundle: &'b Bundle, perimeter: &Perimeter) -> [Option<&'b Tags>; 2] {
    let is_named = |arn: &str| arn == "*" || arn == asked.principal;
    let caller = bundle
        .principals
        .iter()
        .find(|entry| is_named(&entry.arn) || entry.session_arn.as_deref() == Some(&asked.principal));
    let own = caller.and_then(|entry| entry.tags.as_ref()).filter(|_| perimeter.prove.session_tags_none);
    let tables = bundle.tables.iter().filter(|table| is_of(&asked.resource, &table.arn));
    let of_table = tables.max_by_key(|table| table.arn.len()).and_then(|table| table.tags.as_ref());
    let kind = |part: &str| asked.resource.contains(part);
    let has_tags = kind(":table/") && !(kind("/backup/") || kind("/export/") || kind("/import/"));
    [own, if has_tags { of_table } else { Some(&NONE) }]
}

type Tags = Vec<(String, String)>;

static NONE: Tags = Tags::new();

const TAG_KEYS: [&str; 2] = ["aws:PrincipalTag/", "aws:ResourceTag/"];

/// Root and services have none.
pub fn is_without_tags(principal: &str) -> bool {
    principal.ends_with(":root") || principal.ends_with(".amazonaws.com")
}

/// A tag that is known is as it is known.
fn tags_are_possible(asked: &Asked, bundle: &Bundle, perimeter: &Perimeter) -> bool {
    let fits = |known: Option<&Tags>, key: &str, name: &str| {
        let known = known.map(|known| known.iter().find(|(tag, _)| tag == name));
        let told = value(asked, &format!("{key}{name}"));
        known.is_none_or(|known| told.is_none() || told == known.map(|(_, value)| value.as_str()))
    };
    if is_without_tags(&asked.principal) && asked.context.iter().any(|(key, _)| key.starts_with(TAG_KEYS[0]))
    {
        return false;
    }
    let known = known_tags(asked, bundle, perimeter);
    known.iter().zip(TAG_KEYS).all(|(known, key)| ["t", "u"].iter().all(|name| fits(*known, key, name)))
}

/// The same request with what every such request has: each tag that is known, and a region.
pub fn whole(asked: &Asked, bundle: &Bundle, perimeter: &Perimeter) -> Asked {
    let mut whole = asked.clone();
    for (known, key) in known_tags(asked, bundle, perimeter).into_iter().zip(TAG_KEYS) {
        let is_untagged = key == TAG_KEYS[0] && is_without_tags(&asked.principal);
        for (name, tag) in known.into_iter().flatten().filter(|_| !is_untagged) {
            let key = format!("{key}{name}");
            if value(asked, &key).is_none() {
                whole.context.push((key, Values::One(tag.clone())));
            }
        }
    }
    if asked.principal.ends_with(".amazonaws.com") && value(asked, "aws:PrincipalServiceName").is_none() {
        whole.context.push(("aws:PrincipalServiceName".into(), Values::One(asked.principal.clone())));
    }
    if let Some(id) = own_id(&asked.principal).filter(|_| value(asked, "aws:userid").is_none()) {
        whole.context.push(("aws:userid".into(), Values::One(id)));
    }
    let is_of_us = owner(asked, &asked.principal).is_some_and(|account| perimeter.is_ours(account));
    let organization = perimeter.organization.as_ref().filter(|_| is_of_us);
    if let Some(ours) = organization.filter(|_| value(asked, "aws:ResourceOrgID").is_none()) {
        whole.context.push(("aws:ResourceOrgID".into(), Values::One(ours.clone())));
    }
    let region = Arn::parse(&asked.resource).map(|arn| arn.region).filter(|region| !region.is_empty());
    if region.is_none() && value(asked, "aws:RequestedRegion").is_none() {
        whole.context.push(("aws:RequestedRegion".into(), Values::One("eu-west-1".into())));
    }
    whole
}

fn account(arn: &str) -> Option<&str> {
    Arn::parse(arn).map(|arn| arn.account).filter(|account| !account.is_empty())
}

/// The account that the resource is of: the caller's, where the action names none.
fn owner<'a>(asked: &'a Asked, caller: &'a str) -> Option<&'a str> {
    account(&asked.resource).or_else(|| account(caller))
}

/// Is it the table, or what hangs on it?
fn is_of(resource: &str, table: &str) -> bool {
    resource.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The id that a caller may have; a service by itself has none.
fn own_id(principal: &str) -> Option<String> {
    let arn = Arn::parse(principal)?;
    Some(match arn.resource.split('/').next()? {
        "user" => "AIDAEXAMPLEEXAMPLE01".to_owned(),
        "root" => arn.account.to_owned(),
        "assumed-role" => format!("AROAEXAMPLEEXAMPLE01:{}", arn.resource.rsplit('/').next()?),
        _ => "AROAEXAMPLEEXAMPLE01:work".to_owned(),
    })
}

/// A session's id ends in its name, a user's is a user's, and root's is the account.
fn session_is_possible(asked: &Asked) -> bool {
    let id = value(asked, "aws:userid");
    let is_of = |kind| Arn::parse(&asked.principal).is_some_and(|arn| arn.resource.starts_with(kind));
    if is_of("user/") && id.is_some_and(|id| !id.starts_with("AIDA")) {
        return false;
    }
    if is_of("root") && id.is_some_and(|id| Some(id) != account(&asked.principal)) {
        return false;
    }
    let is_session =
        Arn::parse(&asked.principal).is_some_and(|arn| arn.resource.starts_with("assumed-role/"));
    let name = is_session.then(|| asked.principal.rsplit('/').next());
    let told = value(asked, "aws:userid").map(|id| id.split(':').nth(1));
    name.is_none_or(|name| told.is_none_or(|told| told == name))
}

fn time_is_possible(asked: &Asked, now: Timestamp) -> bool {
    let date = value(asked, "aws:CurrentTime").map(|date| date.parse::<Timestamp>().unwrap());
    let seconds = value(asked, "aws:EpochTime").map(|seconds| seconds.parse::<i64>().unwrap());
    let is_one = date.is_none() || seconds.is_none() || date.map(Timestamp::as_second) == seconds;
    is_one && date.is_none_or(|date| date >= now) && seconds.is_none_or(|seconds| seconds >= now.as_second())
}

fn region_is_possible(asked: &Asked) -> bool {
    let own = Arn::parse(&asked.resource).map(|arn| arn.region).filter(|region| !region.is_empty());
    own.is_none() || value(asked, "aws:RequestedRegion").is_none_or(|region| Some(region) == own)
}

/// Is it from outside the perimeter?
pub fn is_outside(asked: &Asked, perimeter: &Perimeter) -> bool {
    if is_by_service(asked) && perimeter.prove.service_calls_approved {
        return false;
    }
    if let Some(vpc) = value(asked, "aws:SourceVpc") {
        return !is_approved(vpc, asked, perimeter);
    }
    let address = value(asked, "aws:SourceIp").and_then(|address| address.parse::<IpAddr>().ok());
    let trusted = |address| {
        perimeter.trusted.iter().flat_map(|entry| &entry.cidrs).any(|block| block.contains(address))
    };
    !address.as_ref().is_some_and(trusted)
}

/// Is the VPC approved, as far as the request tells? By its id; or, where that is not enough, by what else it shows.
fn is_approved(vpc: &str, asked: &Asked, perimeter: &Perimeter) -> bool {
    let mut approved = perimeter.vpcs.keys().filter(|approved| approved.id == vpc);
    if !perimeter.prove.vpc_identity_exact {
        return approved.next().is_some();
    }
    let endpoint = value(asked, "aws:SourceVpce");
    let known = perimeter.endpoints.iter().find(|known| Some(known.id.as_str()) == endpoint);
    approved.any(|approved| {
        let arn = format!("arn:aws:ec2:{}:{}:vpc/{}", approved.region, approved.account, approved.id);
        value(asked, "aws:SourceVpcArn") == Some(&arn) || known.is_some_and(|known| known.vpc == *approved)
    })
}

/// May the caller come from anywhere to that resource?
pub fn is_break_glass(asked: &Asked, caller: &str, perimeter: &Perimeter) -> bool {
    perimeter.break_glass.iter().any(|entry| {
        let covers =
            entry.tables.is_empty() || entry.tables.iter().any(|table| is_of_table(&asked.resource, table));
        covers && fits(&entry.principal, caller, perimeter)
    })
}

fn is_of_table(resource: &str, table: &str) -> bool {
    let name = Arn::parse(resource).and_then(|arn| arn.resource.strip_prefix("table/"));
    name.and_then(|name| name.split('/').next()) == Some(table)
}

/// Part by part, and no wildcard for a colon, nor for an account that is none of ours.
fn fits(pattern: &str, caller: &str, perimeter: &Perimeter) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) =
        (pattern.split(':').collect(), caller.split(':').collect());
    let is_ours = |account: &str| perimeter.lists(account) && perimeter.mode_of(account) != Mode::Exempt;
    patterns.len() == parts.len()
        && patterns.iter().zip(&parts).all(|(pattern, part)| globs(pattern.as_bytes(), part.as_bytes()))
        && (!patterns[4].contains('*') || is_ours(parts[4]))
}

fn globs(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if globs(rest, text) => true,
        (Some((b'*', _)), Some((_, behind))) => globs(pattern, behind),
        (Some((b'?', rest)), Some((_, behind))) => globs(rest, behind),
        (Some((wanted, rest)), Some((found, behind))) => wanted == found && globs(rest, behind),
        _ => false,
    }
}

/// Is it a request of that principal to that table, or of whom and to what `*` stands for: whatever is in our accounts,
/// and every table of the bundle?
pub fn is_asked_about(
    asked: &Asked,
    caller: &str,
    (principal, table): (&str, &str),
    (bundle, perimeter): (&Bundle, &Perimeter),
) -> bool {
    let is_ours = |account: Option<&str>| account.is_some_and(|account| perimeter.lists(account));
    let is_listed =
        || bundle.tables.iter().any(|table| table.arn != "*" && is_of(&asked.resource, &table.arn));
    (principal == caller || principal == "*" && is_ours(account(caller)))
        && if table == "*" {
            is_ours(owner(asked, caller)) || is_listed()
        } else {
            is_of(&asked.resource, table)
        }
}
