//! Verdicts that can be given without gathering all facts of a record.
//!
//! In a busy account nearly every record is an ordinary call from inside or no concern of ours. For
//! those alone this gives the verdict of [`super::verdict::judge`] from a handful of fields; it
//! gives none wherever anything is unusual. That both agree is a property test.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use memchr::memmem::Finder;

use super::case::Known;
use super::verdict::Verdict;
use crate::cloudtrail::record::{Field, Key, Record};
use crate::iam::change;
use crate::perimeter::Perimeter;

/// What shortcuts are taken with: made once for many records.
#[derive(Debug)]
pub struct Shortcut {
    /// By the endpoint's id.
    approved: HashMap<Vec<u8>, Approved>,
    /// A part of every ARN that some break-glass pattern speaks of; `None`: no such part is known.
    break_glass: Option<Vec<Finder<'static>>>,
}

/// An approved endpoint.
#[derive(Debug)]
struct Approved {
    owner: Vec<u8>,
    region: Vec<u8>,
    cidrs: Vec<IpNet>,
}

/// A part shorter than this is in too many names to be worth looking for.
const SHORTEST: usize = 4;

impl Shortcut {
    /// Made for what is known.
    pub fn new(known: Known<'_>) -> Self {
        let approved = known.inventory.endpoints().filter_map(|(id, vpc)| {
            let cidrs = known.perimeter.vpcs.get(vpc)?.clone();
            let (owner, region) = (vpc.account.as_str().into(), vpc.region.as_str().into());
            Some((id.as_str().into(), Approved { owner, region, cidrs }))
        });
        Self { approved: approved.collect(), break_glass: finders(known.perimeter) }
    }

    /// `Ignored` or `Inside`, without a rule; or nothing, and then all facts count.
    ///
    /// Fields are compared as they stand in the record: one that is equal so is equal, and one that
    /// is written with escapes is equal to nothing here.
    #[inline]
    pub fn verdict(&self, record: &Record<'_>) -> Option<Verdict> {
        if record.conflict || !record.get(Key::Addendum).is_absent() {
            return None;
        }
        let source = raw(record, Key::EventSource)?;
        let name = raw(record, Key::EventName)?;
        if source == b"dynamodb.amazonaws.com" {
            return self.is_plainly_inside(record, name).then_some(Verdict::Inside);
        }
        is_no_concern(source, name).then_some(Verdict::Ignored)
    }

    #[inline]
    fn is_plainly_inside(&self, record: &Record<'_>, name: &[u8]) -> bool {
        is_item_access(name)
            && is_api_call(record)
            && record.get(Key::ErrorCode).is_absent()
            && self.is_through_approved(record)
            && !self.may_be_break_glass(record)
    }

    /// Through an approved endpoint, by a record that contradicts nothing, from the VPC's own
    /// addresses.
    #[inline]
    fn is_through_approved(&self, record: &Record<'_>) -> bool {
        let Some(approved) = raw(record, Key::VpcEndpointId).and_then(|id| self.approved.get(id)) else {
            return false;
        };
        let address = raw(record, Key::SourceIpAddress).and_then(|text| std::str::from_utf8(text).ok());
        let address: Option<IpAddr> = address.and_then(|text| text.parse().ok());
        raw(record, Key::VpcEndpointAccountId) == Some(&approved.owner)
            && raw(record, Key::AwsRegion) == Some(&approved.region)
            && address.is_some_and(|address| approved.cidrs.iter().any(|cidr| cidr.contains(&address)))
    }

    /// May a break-glass pattern speak of the caller? Looked for in the text of `userIdentity`, where
    /// the ARN stands letter by letter unless something in it is escaped.
    #[inline]
    fn may_be_break_glass(&self, record: &Record<'_>) -> bool {
        let (Some(finders), Some(identity)) = (&self.break_glass, record.get(Key::UserIdentity).json())
        else {
            return true;
        };
        finders.iter().any(|finder| finder.find(identity).is_some())
            || memchr::memchr(b'\\', identity).is_some()
    }
}

/// A string as it stands in the record.
#[inline]
fn raw<'a>(record: &Record<'a>, key: Key) -> Option<&'a [u8]> {
    match record.get(key) {
        Field::Text(raw) => Some(raw),
        Field::Absent | Field::Null | Field::Other(_) => None,
    }
}

/// Calls that read or write items and are nothing else besides.
fn is_item_access(name: &[u8]) -> bool {
    matches!(
        name,
        b"GetItem"
            | b"BatchGetItem"
            | b"Query"
            | b"Scan"
            | b"PutItem"
            | b"UpdateItem"
            | b"DeleteItem"
            | b"BatchWriteItem"
            | b"TransactGetItems"
            | b"TransactWriteItems"
            | b"ExecuteStatement"
            | b"BatchExecuteStatement"
            | b"ExecuteTransaction"
            | b"GetRecords"
            | b"GetShardIterator"
    )
}

/// An ordinary record of an ordinary call.
#[inline]
fn is_api_call(record: &Record<'_>) -> bool {
    let category = raw(record, Key::EventCategory);
    raw(record, Key::EventType) == Some(b"AwsApiCall") && matches!(category, Some(b"Data" | b"Management"))
}

/// Neither DynamoDB nor anything that guards it.
#[inline]
fn is_no_concern(source: &[u8], name: &[u8]) -> bool {
    let plain =
        |text| memchr::memchr(b'\\', text).is_none().then(|| std::str::from_utf8(text).ok()).flatten();
    let (Some(source), Some(name)) = (plain(source), plain(name)) else { return false };
    !source.contains("dynamodb")
        && !source.contains("dax")
        && !change::is_candidate(source, name)
        && is_lower(source)
}

/// Services write their names so; another spelling is looked at with care.
fn is_lower(source: &str) -> bool {
    !source.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn finders(perimeter: &Perimeter) -> Option<Vec<Finder<'static>>> {
    let parts = perimeter.break_glass.iter().map(|entry| longest_literal(&entry.principal));
    parts.map(|part| (part.len() >= SHORTEST).then(|| Finder::new(part).into_owned())).collect()
}

/// The longest part of a pattern that holds no wildcard; the part before the account, which stands
/// in every ARN, only where there is no other.
fn longest_literal(pattern: &str) -> &str {
    let parts = || pattern.split(['*', '?']);
    let longest = parts().skip(1).max_by_key(|part| part.len()).filter(|part| part.len() >= SHORTEST);
    longest.or(parts().next()).unwrap_or_default()
}
