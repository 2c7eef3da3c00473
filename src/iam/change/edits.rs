//! What an event does to what stands: the typed part of a change.
//!
//! Where the event leaves out what matters, the edit says so ([`Edit::Untold`], [`Text::Untold`]) and never
//! that nothing changed.

mod identity;
mod network;
mod organization;
mod table;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::event::{Event, Params, lookup};
use crate::iam::state::{Edit, Text};

/// What a call that succeeded did to what stands.
pub(super) fn edits(service: &str, event: &Event<'_>) -> Vec<Edit> {
    match service {
        "iam" => identity::edits(event),
        "organizations" => organization::edits(event),
        "dynamodb" => table::edits(event),
        "ec2" => network::edits(event),
        _ => Vec::new(),
    }
}

/// The policy's text in a parameter: a string, or JSON in its place. `None`: the parameter is not there.
fn policy(params: &Params, key: &str) -> Option<Text> {
    match params.get(key)? {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) if params.has_policy(key) => Some(Text::known(text)),
        Value::Object(fields) if !fields.is_empty() => {
            Some(Text::known(&Value::Object(fields.clone()).to_string()))
        }
        _ => Some(Text::Untold),
    }
}

/// The policy's text in a parameter that the call cannot do without.
fn needed_policy(params: &Params, key: &str) -> Text {
    policy(params, key).unwrap_or(Text::Untold)
}

/// A text of the parameters.
fn text(event: &Event<'_>, key: &str) -> Option<String> {
    event.request().text(key).map(Cow::into_owned)
}

/// Tags as services write them: a list of keys with values.
fn tags(params: &Params, key: &str) -> BTreeMap<String, String> {
    let Some(Value::Array(items)) = params.get(key) else { return BTreeMap::new() };
    let tag = |item: &Value| {
        let fields = item.as_object()?;
        let of = |name| lookup(fields, name).and_then(Value::as_str).map(str::to_owned);
        Some((of("key")?, of("value").unwrap_or_default()))
    };
    items.iter().filter_map(tag).collect()
}

/// Keys of tags that are taken away.
fn taken(params: &Params) -> Vec<String> {
    params.list("tagKeys").into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use crate::iam::state::{ControlKind, Edit, HolderId, HolderKind, Part, Text};

    const ACCOUNT: &str = "111122223333";
    const ORDERS: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
    const TEAM: &str = "arn:aws:iam::111122223333:policy/team";

    fn edits(service: &str, name: &str, request: &str) -> Vec<Edit> {
        let sample = Sample::new(&format!("{service}.amazonaws.com"), name).request(request);
        sample.change().map(|change| change.edits).unwrap_or_default()
    }

    fn id(kind: HolderKind, name: &str) -> HolderId {
        HolderId { account: ACCOUNT.into(), kind, name: name.into() }
    }

    fn role(name: &str) -> HolderId {
        id(HolderKind::Role, name)
    }

    fn text() -> Text {
        Text::known(r#"{"Statement":[]}"#)
    }

    #[test]
    fn iam() {
        let app = || role("app");
        let inline = |holder, text| vec![Edit::Inline { holder, name: "p".into(), text }];
        let attached = |holder, is| vec![Edit::Attached { holder, policy: TEAM.into(), is }];
        let boundary =
            |policy: Option<&str>| vec![Edit::Boundary { holder: app(), policy: policy.map(Into::into) }];
        let version = |version: Option<&str>, is_default| {
            vec![Edit::Version {
                policy: TEAM.into(),
                version: version.map(Into::into),
                text: text(),
                is_default,
            }]
        };
        let tagged = |set: &[(&str, &str)], taken: &[&str]| {
            let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            vec![Edit::Tagged {
                holder: app(),
                set,
                taken: taken.iter().map(|key| (*key).to_owned()).collect(),
            }]
        };
        let member = |is| vec![Edit::Member { user: id(HolderKind::User, "ann"), group: "team".into(), is }];
        let renamed = |to: &str, arn: Option<&str>| {
            let [from, to] = ["team", to].map(|name| id(HolderKind::Group, name));
            vec![Edit::Renamed { from, to, arn: arn.map(Into::into) }]
        };
        let untold = || vec![Edit::Untold(Part::Holder(app()))];
        for (name, request, expected) in [
            (
                "PutRolePolicy",
                r#"{"roleName":"app","policyName":"p","policyDocument":"{\"Statement\":[]}"}"#,
                inline(app(), Some(text())),
            ),
            (
                "PutRolePolicy",
                r#"{"roleName":"app","policyName":"p","policyDocument":"{\n \"Statement\": []\n}"}"#,
                inline(app(), Some(Text::known("{\n \"Statement\": []\n}"))),
            ),
            ("PutRolePolicy", r#"{"roleName":"app","policyName":"p"}"#, inline(app(), Some(Text::Untold))),
            ("PutRolePolicy", r#"{"roleName":"app","omitted":true}"#, untold()),
            ("PutRolePolicy", "null", vec![]),
            (
                "PutGroupPolicy",
                r#"{"groupName":"team","policyName":"p","policyDocument":{"Statement":[]}}"#,
                inline(id(HolderKind::Group, "team"), Some(text())),
            ),
            (
                "DeleteUserPolicy",
                r#"{"userName":"ann","policyName":"p"}"#,
                inline(id(HolderKind::User, "ann"), None),
            ),
            (
                "AttachRolePolicy",
                &format!(r#"{{"roleName":"app","policyArn":"{TEAM}"}}"#),
                attached(app(), true),
            ),
            (
                "DetachUserPolicy",
                &format!(r#"{{"userName":"ann","policyArn":"{TEAM}"}}"#),
                attached(id(HolderKind::User, "ann"), false),
            ),
            ("AttachRolePolicy", r#"{"roleName":"app"}"#, untold()),
            (
                "PutRolePermissionsBoundary",
                &format!(r#"{{"roleName":"app","permissionsBoundary":"{TEAM}"}}"#),
                boundary(Some(TEAM)),
            ),
            ("DeleteRolePermissionsBoundary", r#"{"roleName":"app"}"#, boundary(None)),
            (
                "UpdateAssumeRolePolicy",
                r#"{"roleName":"app","policyDocument":"{\"Statement\":[]}"}"#,
                vec![Edit::Trust { role: app(), text: text() }],
            ),
            (
                "CreatePolicy",
                r#"{"policyName":"team","policyDocument":"{\"Statement\":[]}"}"#,
                version(Some("v1"), true),
            ),
            (
                "CreatePolicyVersion",
                &format!(
                    r#"{{"policyArn":"{TEAM}","policyDocument":"{{\"Statement\":[]}}","setAsDefault":true}}"#
                ),
                version(None, true),
            ),
            (
                "CreatePolicyVersion",
                &format!(r#"{{"policyArn":"{TEAM}","policyDocument":"{{\"Statement\":[]}}"}}"#),
                version(None, false),
            ),
            (
                "SetDefaultPolicyVersion",
                &format!(r#"{{"policyArn":"{TEAM}","versionId":"v3"}}"#),
                vec![Edit::DefaultVersion { policy: TEAM.into(), version: Some("v3".into()) }],
            ),
            ("DeletePolicy", &format!(r#"{{"policyArn":"{TEAM}"}}"#), vec![Edit::ManagedGone(TEAM.into())]),
            ("TagRole", r#"{"roleName":"app","tags":[{"key":"a","value":"b"}]}"#, tagged(&[("a", "b")], &[])),
            ("UntagRole", r#"{"roleName":"app","tagKeys":["a"]}"#, tagged(&[], &["a"])),
            ("AddUserToGroup", r#"{"userName":"ann","groupName":"team"}"#, member(true)),
            ("RemoveUserFromGroup", r#"{"userName":"ann","groupName":"team"}"#, member(false)),
            ("UpdateGroup", r#"{"groupName":"team","newGroupName":"crew"}"#, renamed("crew", None)),
            (
                "UpdateGroup",
                r#"{"groupName":"team","newPath":"/a/"}"#,
                renamed("team", Some("arn:aws:iam::111122223333:group/a/team")),
            ),
            (
                "UpdateGroup",
                r#"{"groupName":"team","omitted":true}"#,
                vec![Edit::Untold(Part::Holder(id(HolderKind::Group, "team")))],
            ),
            ("UpdateGroup", r#"{"groupName":"team"}"#, vec![]),
            ("DeleteRole", r#"{"roleName":"app"}"#, vec![Edit::Gone(app())]),
            ("CreateAccessKey", r#"{"userName":"ann"}"#, vec![]),
        ] {
            assert_eq!(edits("iam", name, request), expected, "{name} {request}");
        }
    }

    #[test]
    fn roles_that_are_made() {
        let made = |name: &str, request: &str| match edits("iam", name, request).pop() {
            Some(Edit::Made(made)) => Some((made.arn, made.boundary, made.is_partial, made.tags.len())),
            _ => None,
        };
        let arn = |path: &str| Some(format!("arn:aws:iam::{ACCOUNT}:role/{path}"));
        let request = r#"{"roleName":"app","path":"/team/","permissionsBoundary":"arn:b","tags":[{"key":"a","value":"b"}],"assumeRolePolicyDocument":"{}"}"#;
        assert_eq!(made("CreateRole", request), Some((arn("team/app"), Some("arn:b".into()), false, 1)));
        assert_eq!(made("AcquireRole", r#"{"roleName":"app"}"#), Some((arn("app"), None, true, 0)));
        assert_eq!(made("CreateRole", "null"), None);
    }

    #[test]
    fn a_call_that_failed_does_nothing() {
        let sample = Sample::new("iam.amazonaws.com", "DeleteRole").request(r#"{"roleName":"app"}"#);
        let change = sample.field("errorCode", "\"AccessDenied\"").change();
        assert_eq!(change.map(|change| change.edits), Some(Vec::new()));
    }

    #[test]
    fn organizations() {
        let attached = |is| vec![Edit::ControlAttached { id: "p-1".into(), target: "ou-1".into(), is }];
        let switched = |is_on| vec![Edit::ControlType { kind: ControlKind::Service, is_on }];
        let changed = |name: Option<&str>, text| {
            vec![Edit::Control { id: "p-1".into(), kind: None, name: name.map(Into::into), text }]
        };
        let untold = || vec![Edit::Untold(Part::Organization)];
        for (name, request, expected) in [
            ("AttachPolicy", r#"{"policyId":"p-1","targetId":"ou-1"}"#, attached(true)),
            ("DetachPolicy", r#"{"policyId":"p-1","targetId":"ou-1"}"#, attached(false)),
            ("DetachPolicy", "null", untold()),
            (
                "UpdatePolicy",
                r#"{"policyId":"p-1","content":"{\"Statement\":[]}"}"#,
                changed(None, Some(text())),
            ),
            ("UpdatePolicy", r#"{"policyId":"p-1","name":"n"}"#, changed(Some("n"), None)),
            (
                "UpdatePolicy",
                r#"{"policyId":"p-1","content":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
                changed(None, Some(Text::Untold)),
            ),
            ("DeletePolicy", r#"{"policyId":"p-1"}"#, vec![Edit::ControlGone("p-1".into())]),
            (
                "DisablePolicyType",
                r#"{"rootId":"r-1","policyType":"SERVICE_CONTROL_POLICY"}"#,
                switched(false),
            ),
            ("EnablePolicyType", r#"{"rootId":"r-1","policyType":"SERVICE_CONTROL_POLICY"}"#, switched(true)),
            (
                "MoveAccount",
                r#"{"accountId":"444455556666","sourceParentId":"r-1","destinationParentId":"ou-1"}"#,
                vec![Edit::Moved { account: "444455556666".into(), to: "ou-1".into() }],
            ),
            (
                "RemoveAccountFromOrganization",
                r#"{"accountId":"444455556666"}"#,
                vec![Edit::Left { account: "444455556666".into() }],
            ),
            ("LeaveOrganization", "null", vec![Edit::Left { account: ACCOUNT.into() }]),
            ("CreateAccount", r#"{"accountName":"a"}"#, vec![]),
            ("DeleteOrganization", "null", untold()),
            ("CloseAccount", r#"{"accountId":"444455556666"}"#, vec![]),
            ("UpdatePolicy", r#"{"policyId":"p-1","content":""}"#, changed(None, Some(Text::Untold))),
            ("UpdatePolicy", r#"{"policyId":"p-1","content":{}}"#, changed(None, Some(Text::Untold))),
            ("UpdatePolicy", r#"{"policyId":"p-1","content":null}"#, changed(None, None)),
            // Without the answer, which policy that is nobody tells, and its attachment will.
            ("CreatePolicy", r#"{"name":"n","type":"SERVICE_CONTROL_POLICY","content":"{}"}"#, vec![]),
            ("CreateOrganizationalUnit", r#"{"name":"n","parentId":"r-1"}"#, vec![]),
            ("TagResource", r#"{"resourceId":"ou-1"}"#, vec![]),
        ] {
            assert_eq!(edits("organizations", name, request), expected, "{name} {request}");
        }
        let sample = Sample::new("organizations.amazonaws.com", "CreatePolicy");
        let sample =
            sample.request(r#"{"name":"n","type":"RESOURCE_CONTROL_POLICY","content":"{\"Statement\":[]}"}"#);
        let change = sample.response(r#"{"policy":{"policySummary":{"id":"p-9"}}}"#).change();
        let kind = Some(ControlKind::Resource);
        let made = Edit::Control { id: "p-9".into(), kind, name: Some("n".into()), text: Some(text()) };
        assert_eq!(change.map(|change| change.edits), Some(vec![made]));
        let sample = Sample::new("organizations.amazonaws.com", "CreatePolicy");
        let sample = sample.request(r#"{"name":"n","type":"TAG_POLICY","content":"{}"}"#);
        let change = sample.response(r#"{"policy":{"policySummary":{"id":"p-9"}}}"#).change();
        assert_eq!(change.map(|change| change.edits), Some(vec![Edit::OtherControl("p-9".into())]));
    }

    #[test]
    fn dynamodb() {
        let with = |arn: &str, tags| vec![Edit::TableMade { table: arn.into(), policy: None, tags }];
        let made = |arn: &str| with(arn, Some([].into()));
        let replica = |region: &str| Edit::Replica(ORDERS.replace("eu-west-1", region));
        let put = |text| vec![Edit::TablePolicy { table: ORDERS.into(), text }];
        let copy = ORDERS.replace("orders", "copy");
        for (name, request, expected) in [
            (
                "PutResourcePolicy",
                format!(r#"{{"resourceArn":"{ORDERS}","policy":"{{\"Statement\":[]}}"}}"#),
                put(Some(text())),
            ),
            ("PutResourcePolicy", format!(r#"{{"resourceArn":"{ORDERS}"}}"#), put(Some(Text::Untold))),
            ("DeleteResourcePolicy", format!(r#"{{"resourceArn":"{ORDERS}"}}"#), put(None)),
            (
                "CreateTable",
                r#"{"tableName":"orders","resourcePolicy":"{\"Statement\":[]}"}"#.to_owned(),
                vec![Edit::TableMade { table: ORDERS.into(), policy: Some(text()), tags: Some([].into()) }],
            ),
            (
                "RestoreTableToPointInTime",
                r#"{"sourceTableName":"orders","targetTableName":"copy"}"#.to_owned(),
                made(&copy),
            ),
            (
                "RestoreTableFromBackup",
                r#"{"targetTableName":"copy","backupArn":"arn:b"}"#.to_owned(),
                made(&copy),
            ),
            (
                "RestoreTableFromAwsBackup",
                r#"{"targetTableName":"copy","backupArn":"arn:b"}"#.to_owned(),
                with(&copy, None),
            ),
            (
                "CreateGlobalTable",
                r#"{"globalTableName":"orders","replicationGroup":[{"regionName":"eu-west-1"},{"regionName":"us-east-1"}]}"#
                    .to_owned(),
                vec![replica("eu-west-1"), replica("us-east-1")],
            ),
            (
                "UpdateGlobalTable",
                r#"{"globalTableName":"orders","replicaUpdates":[{"create":{"regionName":"us-east-1"}},{"delete":{"regionName":"us-west-2"}}]}"#
                    .to_owned(),
                vec![replica("us-east-1")],
            ),
            (
                "ImportTable",
                r#"{"tableCreationParameters":{"tableName":"copy"}}"#.to_owned(),
                made(&copy),
            ),
            (
                "UpdateTable",
                r#"{"tableName":"orders","replicaUpdates":[{"create":{"regionName":"us-east-1"}}]}"#
                    .to_owned(),
                made(&ORDERS.replace("eu-west-1", "us-east-1")),
            ),
            (
                "UpdateTable",
                r#"{"tableName":"orders","replicaUpdates":[{"delete":{"regionName":"us-east-1"}}]}"#
                    .to_owned(),
                vec![Edit::TableGone(ORDERS.replace("eu-west-1", "us-east-1"))],
            ),
            (
                "UpdateTable",
                r#"{"tableName":"orders","omitted":true}"#.to_owned(),
                vec![Edit::Untold(Part::Table(ORDERS.into()))],
            ),
            (
                "UntagResource",
                format!(r#"{{"resourceArn":"{ORDERS}","tagKeys":["a"]}}"#),
                vec![Edit::TableTagged { table: ORDERS.into(), set: [].into(), taken: vec!["a".into()] }],
            ),
        ] {
            assert_eq!(edits("dynamodb", name, &request), expected, "{name} {request}");
        }
    }

    #[test]
    fn endpoints() {
        let policy = |text| vec![Edit::EndpointPolicy { endpoint: "vpce-0a".into(), text }];
        let gone = ["vpce-0a", "vpce-0b"].map(|id| Edit::EndpointGone(id.into())).to_vec();
        for (name, request, expected) in [
            (
                "ModifyVpcEndpoint",
                r#"{"ModifyVpcEndpointRequest":{"VpcEndpointId":"vpce-0a","PolicyDocument":"{\"Statement\":[]}"}}"#,
                policy(Some(text())),
            ),
            (
                "ModifyVpcEndpoint",
                r#"{"ModifyVpcEndpointRequest":{"VpcEndpointId":"vpce-0a","ResetPolicy":true}}"#,
                policy(None),
            ),
            // The default, written out.
            (
                "ModifyVpcEndpoint",
                r#"{"vpcEndpointId":"vpce-0a","policyDocument":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}"#,
                policy(None),
            ),
            (
                "ModifyVpcEndpoint",
                r#"{"ModifyVpcEndpointRequest":{"VpcEndpointId":"vpce-0a","AddRouteTableId":{"tag":1,"content":"rtb-0a"}}}"#,
                vec![],
            ),
            (
                "ModifyVpcEndpoint",
                r#"{"vpcEndpointId":"vpce-0a","omitted":true}"#,
                vec![Edit::Untold(Part::Endpoint("vpce-0a".into()))],
            ),
            (
                "DeleteVpcEndpoints",
                r#"{"DeleteVpcEndpointsRequest":{"VpcEndpointId":[{"tag":1,"content":"vpce-0a"},{"tag":2,"content":"vpce-0b"}]}}"#,
                gone,
            ),
        ] {
            assert_eq!(edits("ec2", name, request), expected, "{name} {request}");
        }
    }
}
