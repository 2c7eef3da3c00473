//! Verdicts that can be given without gathering all facts of a record.
//!
//! In a busy account nearly every record is an ordinary call from inside or no concern of ours. For
//! those alone this gives the verdict of [`super::verdict::judge`] from a handful of fields; it
//! gives none wherever anything is unusual. That both agree is a property test.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use memchr::memmem::{self, Finder};

use super::calls::is_item_access;
use super::case::{self, Known};
use super::verdict::Verdict;
use crate::cloudtrail::outcome::{Outcome, outcome};
use crate::cloudtrail::record::{Field, Key, Record};
use crate::iam::change::{self, Change, Shows};
use crate::ids::{self, Arn};
use crate::perimeter::Perimeter;
use crate::perimeter::exception;

/// What shortcuts are taken with: made once for many records.
#[derive(Debug)]
pub struct Shortcut<'k> {
    perimeter: &'k Perimeter,
    /// By the end of the endpoint's id.
    approved: BTreeMap<u64, Vec<Approved>>,
    /// Accounts of ours, rising.
    ours: Vec<u128>,
    /// What stands behind the account in a table's ARN.
    table: Finder<'static>,
    /// A part of every ARN that some break-glass pattern speaks of; `None`: no such part is known.
    break_glass: Option<Vec<Finder<'static>>>,
}

/// An approved endpoint.
#[derive(Debug)]
struct Approved {
    id: Vec<u8>,
    owner: u128,
    region: Vec<u8>,
    cidrs: Vec<IpNet>,
}

/// A part shorter than this is in too many names to be worth looking for.
const SHORTEST: usize = 4;

impl<'k> Shortcut<'k> {
    /// Made for what is known.
    pub fn new(known: Known<'k>) -> Self {
        let mut approved: BTreeMap<u64, Vec<Approved>> = BTreeMap::new();
        for (id, vpc) in known.inventory.endpoints() {
            let Some(cidrs) = known.perimeter.vpcs.get(vpc).cloned() else { continue };
            let Some(owner) = digits(vpc.account.as_str().as_bytes()) else { continue };
            let region = vpc.region.as_str().into();
            let id: Vec<u8> = id.as_str().into();
            approved.entry(end_of(&id)).or_default().push(Approved { id, owner, region, cidrs });
        }
        let listed = known.perimeter.accounts.keys().chain(&known.perimeter.management_account);
        let mut ours: Vec<u128> = listed.filter_map(|account| digits(account.as_str().as_bytes())).collect();
        ours.sort_unstable();
        let table = Finder::new(":table/");
        Self { perimeter: known.perimeter, approved, ours, table, break_glass: finders(known.perimeter) }
    }

    /// `Ignored`, `Inside` or `Change`, without a rule; or nothing, and then all facts count.
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
        let (source, name) = (plain(source)?, plain(name)?);
        if source.is_empty() || is_of_dynamodb(source) {
            None
        } else if change::is_candidate(source, name) {
            self.of_candidate(record, source, name)
        } else {
            Some(Verdict::Ignored)
        }
    }

    /// Of an event that changes what guards the perimeter, if anything, and does not touch DynamoDB
    /// itself.
    fn of_candidate(&self, record: &Record<'_>, source: &str, name: &str) -> Option<Verdict> {
        // What it made is to be learned.
        if name == "CreateVpcEndpoint" {
            return None;
        }
        // Sessions are opened all the time, and only those of break-glass roles count.
        if (source, name) == ("sts.amazonaws.com", "AssumeRole")
            && tells_role_only_there(record, Key::RequestParameters)
            && !self.may_be_break_glass(record, Key::RequestParameters)
        {
            return Some(Verdict::Ignored);
        }
        let own = case::own(self.perimeter);
        let Some(change) = change::recognise(record, &own, self.perimeter) else {
            return Some(Verdict::Ignored);
        };
        // Of what opens a break-glass session, or is done in one, its story tells.
        let plain = change.has_bearing()
            && change.shows == Shows::Nothing
            && change.made_role.is_none()
            && !matches!(ids::service_of(source).as_deref(), Some("sts"))
            && !self.may_be_break_glass(record, Key::UserIdentity)
            && is_api_call(record)
            && outcome(record) != Outcome::Denied
            && self.is_of_ours(record, &change);
        plain.then_some(Verdict::Change)
    }

    /// Do both the record and all that it changed belong to accounts of ours?
    fn is_of_ours(&self, record: &Record<'_>, change: &Change) -> bool {
        let is_ours = |account: &str| self.perimeter.is_ours(account);
        let owners = change.resources.iter().filter_map(|arn| Arn::parse(arn)).map(|arn| arn.account);
        owners.filter(|owner| ids::is_account(owner)).all(is_ours) && self.is_delivered_to_ours(record)
    }

    #[inline]
    fn is_plainly_inside(&self, record: &Record<'_>, name: &[u8]) -> bool {
        is_item_access(name)
            && is_api_call(record)
            && record.get(Key::ErrorCode).is_absent()
            && self.is_through_approved(record)
            && self.is_delivered_to_ours(record)
            && self.names_tables_of_ours(record)
            && !self.may_be_break_glass(record, Key::UserIdentity)
    }

    /// Are all tables that the record lists of accounts of ours? Where it lists none, the request may name
    /// some by their ARNs.
    #[inline]
    fn names_tables_of_ours(&self, record: &Record<'_>) -> bool {
        let text = record.get(Key::Resources).json().or_else(|| record.get(Key::RequestParameters).json());
        let text = text.unwrap_or_default();
        self.table.find_iter(text).all(|at| {
            let account = text.get(..at).and_then(|before| before.last_chunk::<12>());
            account.is_some_and(|account| self.is_account_of_ours(account))
        })
    }

    /// Through an approved endpoint, by a record that contradicts nothing, from the VPC's own
    /// addresses.
    #[inline]
    fn is_through_approved(&self, record: &Record<'_>) -> bool {
        let Some(approved) = raw(record, Key::VpcEndpointId).and_then(|id| self.approved(id)) else {
            return false;
        };
        let address = raw(record, Key::SourceIpAddress).and_then(address);
        raw(record, Key::VpcEndpointAccountId).and_then(digits) == Some(approved.owner)
            && raw(record, Key::AwsRegion) == Some(&approved.region)
            && address.is_some_and(|address| approved.cidrs.iter().any(|cidr| cidr.contains(&address)))
    }

    /// An account that is in no environment is to be named in the summary.
    #[inline]
    fn is_delivered_to_ours(&self, record: &Record<'_>) -> bool {
        raw(record, Key::RecipientAccountId).is_some_and(|recipient| self.is_account_of_ours(recipient))
    }

    #[inline]
    fn is_account_of_ours(&self, account: &[u8]) -> bool {
        digits(account).is_some_and(|account| self.ours.binary_search(&account).is_ok())
    }

    #[inline]
    fn approved(&self, id: &[u8]) -> Option<&Approved> {
        self.approved.get(&end_of(id))?.iter().find(|approved| approved.id == id)
    }

    /// May a break-glass pattern speak of a role that `key` names? Looked for in the field's text, where
    /// the ARN stands letter by letter unless something in it is escaped.
    #[inline]
    fn may_be_break_glass(&self, record: &Record<'_>, key: Key) -> bool {
        let (Some(finders), Some(text)) = (&self.break_glass, record.get(key).json()) else { return true };
        finders.iter().any(|finder| finder.find(text).is_some()) || memchr::memchr(b'\\', text).is_some()
    }
}

/// Is `key` the only field to look for the role in that is assumed? Not where it names none: then others
/// may, or nothing does.
fn tells_role_only_there(record: &Record<'_>, key: Key) -> bool {
    let names = |text: &[u8]| memmem::find(text, b"\"roleArn\":\"").is_some();
    record.get(key).json().is_some_and(names)
}

/// A string as it stands in the record.
#[inline]
fn raw<'a>(record: &Record<'a>, key: Key) -> Option<&'a [u8]> {
    match record.get(key) {
        Field::Text(raw) => Some(raw),
        Field::Absent | Field::Null | Field::Other(_) => None,
    }
}

/// An ordinary record of an ordinary call.
#[inline]
fn is_api_call(record: &Record<'_>) -> bool {
    let category = raw(record, Key::EventCategory);
    raw(record, Key::EventType) == Some(b"AwsApiCall") && matches!(category, Some(b"Data" | b"Management"))
}

/// A name of a service or a call, where it is written as they are written.
#[inline]
fn plain(text: &[u8]) -> Option<&str> {
    if text.contains(&b'\\') { None } else { std::str::from_utf8(text).ok() }
}

/// May this be DynamoDB or DAX? Services write their names in small letters; another spelling is
/// looked at with care.
#[inline]
fn is_of_dynamodb(source: &str) -> bool {
    let own = |(at, byte): (usize, &u8)| {
        let rest = source.as_bytes().get(at..).unwrap_or_default();
        byte.is_ascii_uppercase() || rest.starts_with(b"dynamodb") || rest.starts_with(b"dax")
    };
    source.as_bytes().iter().enumerate().any(own)
}

/// Reads an address. Nearly every one has four parts, and those need no general parser.
#[inline]
fn address(text: &[u8]) -> Option<IpAddr> {
    match ipv4(text) {
        Some(address) => Some(IpAddr::V4(address)),
        None => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        *octet = decimal(parts.next()?)?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// A number without a leading zero.
fn decimal(digits: &[u8]) -> Option<u8> {
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    digits.iter().try_fold(0u8, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// An account's twelve bytes as one number, which is quick to compare; `None`: not twelve.
#[inline]
fn digits(account: &[u8]) -> Option<u128> {
    let account: &[u8; 12] = account.try_into().ok()?;
    let mut number = [0; 16];
    number[..12].copy_from_slice(account);
    Some(u128::from_be_bytes(number))
}

/// The last bytes of an endpoint's id: nearly as telling as the whole, and quick to compare.
fn end_of(id: &[u8]) -> u64 {
    id.last_chunk().map_or(0, |end| u64::from_be_bytes(*end))
}

fn finders(perimeter: &Perimeter) -> Option<Vec<Finder<'static>>> {
    let parts = perimeter.break_glass.iter().map(|entry| longest_literal(&entry.principal));
    // The ARN of a root session need not stand in its record.
    let root = perimeter.break_glass.iter().any(exception::may_speak_of_root).then_some("Root");
    let parts = parts.chain(root);
    parts.map(|part| (part.len() >= SHORTEST).then(|| Finder::new(part).into_owned())).collect()
}

/// The longest part of a pattern that holds no wildcard; the part before the account, which stands
/// in every ARN, only where there is no other.
fn longest_literal(pattern: &str) -> &str {
    let parts = || pattern.split(['*', '?']);
    let longest = parts().skip(1).max_by_key(|part| part.len()).filter(|part| part.len() >= SHORTEST);
    longest.or(parts().next()).unwrap_or_default()
}
