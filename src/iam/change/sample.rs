//! What the tests of changes are made with: records, and a perimeter of two accounts.

use super::{Change, Ours, Own, recognise};
use crate::cloudtrail::cursor::Cursor;
use crate::cloudtrail::marks::Marks;
use crate::cloudtrail::record::{KeyOrder, Record};
use crate::glob;

/// A perimeter of two accounts, with these break-glass patterns.
pub(super) struct Listed<'a>(pub(super) &'a [String]);

impl Ours for Listed<'_> {
    fn break_glass(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    fn speaks_of(&self, arn: &str) -> bool {
        let is_ours = ["111122223333", "222233334444"].iter().any(|account| arn.contains(account));
        self.0
            .iter()
            .any(|pattern| glob::arn_matches(pattern, arn) && (is_ours || !pattern.contains(":iam::*:")))
    }

    fn is_account(&self, account: &str) -> bool {
        ["111122223333", "222233334444"].contains(&account)
    }

    fn is_organization(&self, id: &str) -> bool {
        id == "o-ours"
    }

    fn is_vpc(&self, id: &str) -> bool {
        id == "vpc-0ours"
    }

    fn is_endpoint(&self, id: &str) -> bool {
        id == "vpce-0a"
    }

    fn is_other_endpoint(&self, id: &str) -> bool {
        id == "vpce-0other"
    }

    fn approves_vpc(&self, account: Option<&str>, region: Option<&str>, id: &str) -> bool {
        self.is_vpc(id) && self.owns_vpc(account, region)
    }

    fn owns_vpc(&self, account: Option<&str>, region: Option<&str>) -> bool {
        account.is_none_or(|account| account == "111122223333")
            && region.is_none_or(|region| region == "eu-west-1")
    }
}

/// A record of account 111122223333: in eu-west-1, or where the service has no regions, in
/// us-east-1.
pub(super) struct Sample(Vec<(String, String)>);

impl Sample {
    pub(super) fn new(source: &str, name: &str) -> Self {
        let is_global = ["iam", "organizations"].iter().any(|global| source.starts_with(global));
        let region = if is_global { "us-east-1" } else { "eu-west-1" };
        Self(Vec::new())
            .field("eventSource", &format!("\"{source}\""))
            .field("eventName", &format!("\"{name}\""))
            .field("awsRegion", &format!("\"{region}\""))
            .field("recipientAccountId", "\"111122223333\"")
    }

    pub(super) fn field(mut self, key: &str, json: &str) -> Self {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_owned(), json.to_owned()));
        self
    }

    pub(super) fn request(self, json: &str) -> Self {
        self.field("requestParameters", json)
    }

    pub(super) fn response(self, json: &str) -> Self {
        self.field("responseElements", json)
    }

    pub(super) fn change(&self) -> Option<Change> {
        self.change_for(&Own::default(), &[])
    }

    pub(super) fn change_for(&self, own: &Own<'_>, break_glass: &[String]) -> Option<Change> {
        let fields: Vec<String> = self.0.iter().map(|(key, json)| format!("\"{key}\":{json}")).collect();
        let text = format!("{{{}}}", fields.join(","));
        let mut marks = Marks::default();
        marks.index(text.as_bytes());
        let mut record = Record::new();
        let read = record.read(&mut Cursor::new(text.as_bytes(), &marks), &mut KeyOrder::default());
        assert!(read.is_ok(), "{text}");
        recognise(&record, own, &Listed(break_glass))
    }
}

pub(super) fn change_of(source: &str, name: &str, request: &str) -> Option<Change> {
    Sample::new(source, name).request(request).change()
}
