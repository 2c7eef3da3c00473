//! A snapshot: what stands, as AWS's own interfaces tell it, in one JSON text.
//!
//! ```json
//! {"version": 1, "taken_at": "2026-11-25T00:00:00Z",
//!  "accounts": {"111122223333": {…what `aws iam get-account-authorization-details` prints…}},
//!  "organization": {
//!    "roots": [{"Id": "r-ab12", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}],
//!    "parents": {"ou-ab12-34cd56ef": "r-ab12", "111122223333": "ou-ab12-34cd56ef"},
//!    "policies": [{"Id": "p-0a1b", "Name": "perimeter", "Type": "SERVICE_CONTROL_POLICY", "Content": "{…}"}],
//!    "attached": {"ou-ab12-34cd56ef": ["p-0a1b"]}},
//!  "tables": [{"arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders", "policy": "{…}", "tags": {}}],
//!  "endpoints": {"VpcEndpoints": […what `aws ec2 describe-vpc-endpoints` prints…]},
//!  "unread": [{"what": "account 444455556666", "why": "AccessDenied: …"}]}
//! ```
//!
//! A table with `"untold": true` is one whose policy, or whatever of it is left out, could not be read.
//!
//! A policy's text may be JSON itself, a string of JSON, or, as IAM's API gives it, that percent-encoded.
//!
//! Source: IAM API reference, `GetAccountAuthorizationDetails`; Organizations API reference, `Root`, `PolicySummary`;
//! EC2 API reference, `VpcEndpoint`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Control, ControlKind, Endpoint, Holder, HolderId, HolderKind, Managed, State, Table, Text};

/// A state, and when it was read.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What happened later is not in it; what happened shortly before may not be.
    pub taken_at: Option<Timestamp>,
    pub state: State,
    /// What should be in it and could not be read.
    pub unread: Vec<Unread>,
}

/// Something that could not be read.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Unread {
    pub what: String,
    pub why: String,
}

/// Why a text is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] std::io::Error),
    #[error("it is of version {0}, and this program reads version 1")]
    Version(u32),
}

impl Snapshot {
    /// Reads a snapshot that may be packed by gzip.
    ///
    /// # Errors
    /// As [`Self::parse`], and where it cannot be unpacked.
    pub fn unpack(packed: &[u8]) -> Result<Self, SnapshotError> {
        Self::parse(&crate::gzip::unpack(packed, crate::gzip::MAX_UNPACKED)?)
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// Where it is no JSON, or not of that shape.
    pub fn parse(text: &[u8]) -> Result<Self, SnapshotError> {
        let Written { version, taken_at, accounts, organization, tables, endpoints, unread } =
            serde_json::from_slice(text)?;
        if version != 1 {
            return Err(SnapshotError::Version(version));
        }
        let mut state = State::default();
        accounts.into_iter().for_each(|(account, details)| details.read(&account, &mut state));
        organization.read(&mut state);
        state.tables = tables.into_iter().map(|table| (table.arn.clone(), table.read())).collect();
        let endpoints = endpoints.items.into_iter().filter(WrittenEndpoint::is_of_dynamodb);
        state.endpoints = endpoints.map(WrittenEndpoint::read).collect();
        Ok(Self { taken_at, state, unread })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    taken_at: Option<Timestamp>,
    #[serde(default)]
    accounts: BTreeMap<String, Details>,
    #[serde(default)]
    organization: WrittenOrganization,
    #[serde(default)]
    tables: Vec<WrittenTable>,
    #[serde(default)]
    endpoints: WrittenEndpoints,
    #[serde(default)]
    unread: Vec<Unread>,
}

/// What `GetAccountAuthorizationDetails` answers, all pages together. A list that is not there was not asked for.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Details {
    user_detail_list: Option<Vec<WrittenHolder>>,
    group_detail_list: Option<Vec<WrittenHolder>>,
    role_detail_list: Option<Vec<WrittenHolder>>,
    policies: Vec<WrittenManaged>,
    /// There are more pages.
    is_truncated: bool,
}

/// A user, group or role: each has its own names for the same.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenHolder {
    #[serde(alias = "UserName", alias = "GroupName", alias = "RoleName")]
    name: String,
    arn: String,
    #[serde(alias = "UserId", alias = "GroupId", alias = "RoleId", default)]
    id: Option<String>,
    #[serde(alias = "UserPolicyList", alias = "GroupPolicyList", alias = "RolePolicyList", default)]
    inline: Vec<WrittenInline>,
    #[serde(default)]
    attached_managed_policies: Vec<WrittenAttached>,
    permissions_boundary: Option<WrittenBoundary>,
    assume_role_policy_document: Option<Value>,
    #[serde(default)]
    tags: Vec<WrittenTag>,
    #[serde(default)]
    group_list: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenInline {
    policy_name: String,
    policy_document: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenAttached {
    policy_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenBoundary {
    permissions_boundary_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenTag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenManaged {
    arn: String,
    default_version_id: Option<String>,
    #[serde(default)]
    policy_version_list: Vec<WrittenVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenVersion {
    version_id: String,
    document: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenOrganization {
    roots: Vec<WrittenRoot>,
    parents: BTreeMap<String, String>,
    policies: Vec<WrittenControl>,
    attached: BTreeMap<String, BTreeSet<String>>,
    outside: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenRoot {
    #[serde(default)]
    policy_types: Vec<WrittenType>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenType {
    #[serde(rename = "Type")]
    kind: String,
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenControl {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "Type")]
    kind: String,
    content: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    arn: String,
    #[serde(default)]
    policy: Option<Value>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    /// Its policy could not be read, unless it is there all the same.
    #[serde(default)]
    untold: bool,
}

#[derive(Default, Deserialize)]
struct WrittenEndpoints {
    #[serde(rename = "VpcEndpoints", default)]
    items: Vec<WrittenEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenEndpoint {
    vpc_endpoint_id: String,
    vpc_id: Option<String>,
    service_name: Option<String>,
    policy_document: Option<Value>,
}

/// A policy's text, in whatever form it is written.
fn text(written: Option<&Value>) -> Text {
    match written {
        // No JSON begins so; spaces before it may be encoded as well.
        Some(Value::String(text)) if text.trim_start().starts_with('%') => {
            match percent_decode_str(text).decode_utf8() {
                Ok(text) => Text::known(&text),
                Err(_) => Text::Untold,
            }
        }
        Some(Value::String(text)) => Text::known(text),
        Some(Value::Null) | None => Text::Untold,
        Some(json) => Text::known(&json.to_string()),
    }
}

/// The same where there may be no policy.
fn maybe(written: Option<&Value>) -> Option<Text> {
    written.filter(|written| !written.is_null()).map(|written| text(Some(written)))
}

impl Details {
    fn read(self, account: &str, state: &mut State) {
        let lists = [
            (HolderKind::User, self.user_detail_list),
            (HolderKind::Group, self.group_detail_list),
            (HolderKind::Role, self.role_detail_list),
        ];
        if !self.is_truncated && lists.iter().all(|(_, list)| list.is_some()) {
            Arc::make_mut(&mut state.read).insert(account.to_owned());
        }
        for (kind, holders) in lists {
            for written in holders.into_iter().flatten() {
                let id = HolderId { account: account.to_owned(), kind, name: written.name.clone() };
                state.holders.insert(id, written.read(kind));
            }
        }
        for WrittenManaged { arn, default_version_id, policy_version_list } in self.policies {
            let versions = policy_version_list.into_iter();
            let versions =
                versions.map(|version| (version.version_id, text(version.document.as_ref()))).collect();
            // AWS's own are told once for each account, and are the same in all.
            state.managed.insert(arn, Managed { versions, default: default_version_id });
        }
    }
}

impl WrittenHolder {
    fn read(self, kind: HolderKind) -> Holder {
        let inline = self.inline.into_iter();
        Holder {
            arn: Some(self.arn),
            unique_id: self.id,
            trust: (kind == HolderKind::Role).then(|| text(self.assume_role_policy_document.as_ref())),
            inline: inline
                .map(|policy| (policy.policy_name, text(policy.policy_document.as_ref())))
                .collect(),
            attached: self.attached_managed_policies.into_iter().map(|policy| policy.policy_arn).collect(),
            boundary: self.permissions_boundary.map(|boundary| boundary.permissions_boundary_arn),
            tags: self.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            groups: self.group_list,
            is_partial: false,
        }
    }
}

impl WrittenOrganization {
    fn read(self, state: &mut State) {
        let organization = Arc::make_mut(&mut state.organization);
        let types = self.roots.iter().flat_map(|root| &root.policy_types);
        let on = types.filter(|policy_type| policy_type.status.eq_ignore_ascii_case("ENABLED"));
        let on: BTreeSet<_> = on.filter_map(|policy_type| ControlKind::parse(&policy_type.kind)).collect();
        // A root tells of the types that are on, and so of those that are off. Without one nothing is told.
        if !self.roots.is_empty() {
            organization.types = ControlKind::ALL.map(|kind| (kind, on.contains(&kind))).into();
        }
        organization.parents = self.parents;
        organization.left = self.outside;
        organization.attached = self.attached;
        for WrittenControl { id, name, kind, content } in self.policies {
            let Some(kind) = ControlKind::parse(&kind) else {
                organization.others.insert(id);
                continue;
            };
            let name = if name.is_empty() { id.clone() } else { name };
            organization
                .policies
                .insert(id, Control { kind: Some(kind), name, text: text(content.as_ref()) });
        }
        // Policies of other types decide no request; what is attached and not listed may.
        let others = &organization.others;
        organization.attached.values_mut().for_each(|ids| ids.retain(|id| !others.contains(id)));
        for id in organization.attached.values().flatten() {
            let unknown = || Control { kind: None, name: id.clone(), text: Text::Untold };
            organization.policies.entry(id.clone()).or_insert_with(unknown);
        }
    }
}

impl WrittenTable {
    fn read(self) -> Table {
        let policy = self.policy.as_ref();
        Table { policy: if self.untold { Some(text(policy)) } else { maybe(policy) }, tags: self.tags }
    }
}

impl WrittenEndpoint {
    fn is_of_dynamodb(&self) -> bool {
        let last =
            |service: &str| service.rsplit('.').next().is_some_and(|last| last.starts_with("dynamodb"));
        self.service_name.as_deref().is_none_or(last)
    }

    fn read(self) -> (String, Endpoint) {
        let policy = maybe(self.policy_document.as_ref()).and_then(Endpoint::own_policy);
        (self.vpc_endpoint_id, Endpoint { vpc: self.vpc_id, policy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAILS: &str = r#"{"version": 1, "taken_at": "2026-11-25T00:00:00Z", "accounts": {"111122223333": {
        "RoleDetailList": [{"RoleName": "app", "RoleId": "AROA1", "Arn": "arn:aws:iam::111122223333:role/team/app", "Path": "/team/",
            "CreateDate": "2026-01-01T00:00:00Z", "InstanceProfileList": [], "Tags": [{"Key": "k", "Value": "v"}],
            "AssumeRolePolicyDocument": "%0A%7B%22Statement%22%3A%5B%5D%7D",
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": {"Statement": []}}],
            "AttachedManagedPolicies": [{"PolicyName": "m", "PolicyArn": "arn:aws:iam::aws:policy/M"}],
            "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": "arn:b"}}],
        "UserDetailList": [{"UserName": "ann", "Arn": "arn:aws:iam::111122223333:user/ann", "GroupList": ["team"]}],
        "GroupDetailList": [{"GroupName": "team", "Arn": "arn:aws:iam::111122223333:group/team",
            "GroupPolicyList": [{"PolicyName": "g", "PolicyDocument": "{}"}]}],
        "Policies": [{"Arn": "arn:aws:iam::aws:policy/M", "DefaultVersionId": "v2",
            "PolicyVersionList": [{"VersionId": "v2", "IsDefaultVersion": true, "Document": {"a": 1}}]}]}},
        "organization": {"roots": [{"Id": "r-1", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"},
                {"Type": "TAG_POLICY", "Status": "ENABLED"}, {"Type": "RESOURCE_CONTROL_POLICY", "Status": "PENDING_DISABLE"}]}],
            "parents": {"111122223333": "r-1"},
            "policies": [{"Id": "p-1", "Name": "one", "Type": "SERVICE_CONTROL_POLICY", "Content": "{}"},
                {"Id": "p-t", "Name": "tags", "Type": "TAG_POLICY", "Content": "{}"}],
            "attached": {"r-1": ["p-1", "p-t", "p-unlisted"]}},
        "tables": [{"arn": "arn:t", "policy": "{}", "tags": {"a": "b"}}, {"arn": "arn:u"}, {"arn": "arn:v", "untold": true}],
        "unread": [{"what": "arn:v", "why": "AccessDenied"}],
        "endpoints": {"VpcEndpoints": [
            {"VpcEndpointId": "vpce-0a", "VpcId": "vpc-0a", "ServiceName": "com.amazonaws.eu-west-1.dynamodb", "PolicyDocument": "{}"},
            {"VpcEndpointId": "vpce-0b", "VpcId": "vpc-0a", "ServiceName": "com.amazonaws.eu-west-1.s3"}]}}"#;

    #[test]
    fn what_aws_tells_is_read() {
        let Snapshot { taken_at, state, unread } = Snapshot::parse(DETAILS.as_bytes()).unwrap();
        assert_eq!(taken_at.map(|at| at.to_string()), Some("2026-11-25T00:00:00Z".to_owned()));
        let id = |kind, name: &str| HolderId { account: "111122223333".into(), kind, name: name.into() };
        let app = &state.holders[&id(HolderKind::Role, "app")];
        assert_eq!(app.arn.as_deref(), Some("arn:aws:iam::111122223333:role/team/app"));
        assert_eq!(app.trust, Some(Text::known("\n{\"Statement\":[]}")));
        assert_eq!(app.inline["own"], Text::known(r#"{"Statement":[]}"#));
        assert!(
            app.attached.contains("arn:aws:iam::aws:policy/M") && app.boundary.as_deref() == Some("arn:b")
        );
        assert!(!app.is_partial && app.tags["k"] == "v" && app.unique_id.as_deref() == Some("AROA1"));
        assert!(state.read.contains("111122223333"));
        assert!(state.holders[&id(HolderKind::User, "ann")].groups.contains("team"));
        assert_eq!(state.holders[&id(HolderKind::Group, "team")].inline["g"], Text::known("{}"));
        assert_eq!(state.managed["arn:aws:iam::aws:policy/M"].text(), Text::known(r#"{"a":1}"#));
        assert_eq!(state.tables["arn:t"].policy, Some(Text::known("{}")));
        assert_eq!((&state.tables["arn:u"].policy, &state.tables["arn:u"].tags), (&None, &None));
        let untold = &state.tables["arn:v"];
        assert_eq!((&untold.policy, &untold.tags), (&Some(Text::Untold), &None));
        assert_eq!(unread, [Unread { what: "arn:v".into(), why: "AccessDenied".into() }]);
        assert_eq!(state.endpoints.keys().collect::<Vec<_>>(), ["vpce-0a"]);
        let organization = &state.organization;
        assert_eq!(organization.types, [(ControlKind::Service, true), (ControlKind::Resource, false)].into());
        // A policy of another type decides nothing; one that is attached and not listed may.
        let levels = organization.levels("111122223333", ControlKind::Service);
        let ids: Vec<&str> = levels[0].iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, ["p-1", "p-unlisted"]);
        assert_eq!(organization.policies["p-unlisted"].text, Text::Untold);
    }

    #[test]
    fn an_account_is_read_once_all_its_lists_are_there() {
        let is_read = |details: &str| {
            let text = format!(r#"{{"version": 1, "accounts": {{"111122223333": {{{details}}}}}}}"#);
            Snapshot::parse(text.as_bytes()).unwrap().state.read.contains("111122223333")
        };
        let all = r#""RoleDetailList": [], "UserDetailList": [], "GroupDetailList": []"#;
        assert!(is_read(all));
        assert!(!is_read(r#""RoleDetailList": [], "UserDetailList": []"#));
        assert!(!is_read(&format!(r#"{all}, "IsTruncated": true"#)));
    }

    #[test]
    fn what_is_no_snapshot_is_named() {
        let error = |text: &str| Snapshot::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error("{}"), "missing field `version` at line 1 column 2");
        assert_eq!(error(r#"{"version":2}"#), "it is of version 2, and this program reads version 1");
        assert!(error("{\"version\":1,\n\"tabels\":[]}").contains("unknown field `tabels`"));
    }
}
