//! What changed without an event, told as the event that there should have been: it is then judged, and shown, as any
//! other change is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::store::Entry;
use crate::findings::sample::EventKey;
use crate::iam::state::{Edit, HolderId, HolderKind, Made, State, Text};
use crate::ids::Arn;
use crate::perimeter::Perimeter;

/// How ids of such events begin.
pub const UNSEEN: &str = "unseen-";

/// What an event would have said.
struct Told {
    service: &'static str,
    name: &'static str,
    account: Option<String>,
    region: Option<String>,
    request: Value,
    response: Value,
}

/// The entries for edits that lead from `state` on, in order: a microsecond each, from `at` on.
pub fn entries(edits: &[Edit], mut state: State, perimeter: &Perimeter, at: Timestamp) -> Vec<Entry> {
    let mut told = Vec::new();
    for edit in edits {
        told.extend(told_by(edit, &state, perimeter));
        state.apply(edit);
    }
    (0i64..).zip(told).filter_map(|(n, told)| entry(&told, at, n)).collect()
}

fn entry(told: &Told, at: Timestamp, n: i64) -> Option<Entry> {
    let time = Timestamp::from_microsecond(at.as_microsecond().checked_add(n)?).ok()?;
    let Told { service, name, account, region, request, response } = told;
    let said = json!([at.to_string(), n, service, name, account, region, request, response]).to_string();
    let digest: String = Sha256::digest(said).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let id = format!("{UNSEEN}{digest}");
    let record = json!({
        "eventID": id, "eventTime": time.to_string(), "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name, "awsRegion": region.as_deref().unwrap_or("us-east-1"), "recipientAccountId": account,
        "eventType": "AwsApiCall", "managementEvent": true, "readOnly": false,
        "requestParameters": request, "responseElements": response,
    });
    let entry = Entry::new(time, EventKey::of(id.as_bytes()), record.to_string());
    Some(Entry { is_unseen: true, ..entry })
}

/// The record of an event as it would be if it told of this edit.
pub fn completed(record: &Value, edit: &Edit, state: &State, perimeter: &Perimeter) -> Vec<String> {
    let complete = |told: Told| {
        let mut record = record.clone();
        record["eventSource"] = format!("{}.amazonaws.com", told.service).into();
        record["eventName"] = told.name.into();
        record["requestParameters"] = told.request;
        record["responseElements"] = told.response;
        record.to_string()
    };
    told_by(edit, state, perimeter).into_iter().map(complete).collect()
}

/// Would an event of that name have told of an edit?
pub fn is_told_by(name: &str, edit: &Edit, state: &State, perimeter: &Perimeter) -> bool {
    let names = told_by(edit, state, perimeter).into_iter().map(|told| told.name);
    // The first version of a policy is told by the one that makes it.
    names.into_iter().any(|told| told == name || (told, name) == ("CreatePolicyVersion", "CreatePolicy"))
}

/// Parameters, but for those that are not known.
fn parameters(fields: &[(&str, Option<Value>)]) -> Value {
    let known = fields.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
    Value::Object(known.collect::<Map<_, _>>())
}

fn text(text: &Text) -> Option<Value> {
    text.as_str().map(Value::from)
}

fn tags(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

fn told_by(edit: &Edit, state: &State, perimeter: &Perimeter) -> Vec<Told> {
    match edit {
        Edit::Made(_)
        | Edit::Gone(_)
        | Edit::Inline { .. }
        | Edit::Attached { .. }
        | Edit::Boundary { .. }
        | Edit::Trust { .. }
        | Edit::Tagged { .. }
        | Edit::Member { .. }
        | Edit::Version { .. } => of_identity(edit),
        Edit::Control { .. }
        | Edit::ControlGone(_)
        | Edit::ControlAttached { .. }
        | Edit::ControlType { .. }
        | Edit::Moved { .. }
        | Edit::Left { .. }
        | Edit::Unit { .. } => {
            let account = perimeter.management_account.as_ref().map(|account| account.as_str().to_owned());
            let told = of_organization(edit, state);
            told.into_iter().map(|told| Told { account: account.clone(), ..told }).collect()
        }
        Edit::TableMade { .. } | Edit::TablePolicy { .. } | Edit::TableTagged { .. } => of_table(edit),
        Edit::EndpointMade { .. } | Edit::EndpointPolicy { .. } | Edit::EndpointGone(_) => {
            of_endpoint(edit, state, perimeter)
        }
        // The event of a table's deletion is a call, and no change.
        Edit::TableGone(_)
        // No difference between two states is told by these.
        | Edit::Renamed { .. }
        | Edit::OtherControl(_)
        | Edit::Replica(_)
        | Edit::DefaultVersion { .. }
        | Edit::VersionGone { .. }
        | Edit::ManagedGone(_)
        | Edit::Untold(_) => Vec::new(),
    }
}

/// An event of IAM about a holder: its name by kind, and the parameter that names the holder.
fn about(holder: &HolderId, names: [&'static str; 3], more: &[(&str, Option<Value>)]) -> Told {
    let (place, key) = match holder.kind {
        HolderKind::Role => (0, "roleName"),
        HolderKind::User => (1, "userName"),
        HolderKind::Group => (2, "groupName"),
    };
    let named = [(key, Some(Value::from(holder.name.as_str())))];
    Told {
        service: "iam",
        name: names.get(place).copied().unwrap_or_default(),
        account: Some(holder.account.clone()),
        region: None,
        request: parameters(&[&named[..], more].concat()),
        response: Value::Null,
    }
}

fn of_identity(edit: &Edit) -> Vec<Told> {
    let one = match edit {
        Edit::Made(new) => made(new),
        Edit::Gone(id) => about(id, ["DeleteRole", "DeleteUser", "DeleteGroup"], &[]),
        Edit::Inline { holder, name, text: written } => {
            let name = ("policyName", Some(Value::from(name.as_str())));
            match written {
                Some(written) => about(
                    holder,
                    ["PutRolePolicy", "PutUserPolicy", "PutGroupPolicy"],
                    &[name, ("policyDocument", text(written))],
                ),
                None => about(holder, ["DeleteRolePolicy", "DeleteUserPolicy", "DeleteGroupPolicy"], &[name]),
            }
        }
        Edit::Attached { holder, policy, is } => {
            let names = if *is {
                ["AttachRolePolicy", "AttachUserPolicy", "AttachGroupPolicy"]
            } else {
                ["DetachRolePolicy", "DetachUserPolicy", "DetachGroupPolicy"]
            };
            about(holder, names, &[("policyArn", Some(Value::from(policy.as_str())))])
        }
        Edit::Boundary { holder, policy: Some(policy) } => about(
            holder,
            ["PutRolePermissionsBoundary", "PutUserPermissionsBoundary", ""],
            &[("permissionsBoundary", Some(Value::from(policy.as_str())))],
        ),
        Edit::Boundary { holder, policy: None } => {
            about(holder, ["DeleteRolePermissionsBoundary", "DeleteUserPermissionsBoundary", ""], &[])
        }
        Edit::Trust { role, text: written } => {
            about(role, ["UpdateAssumeRolePolicy"; 3], &[("policyDocument", text(written))])
        }
        Edit::Tagged { holder, set, taken } => return tagged(holder, set, taken),
        Edit::Member { user, group, is } => {
            let name = if *is { "AddUserToGroup" } else { "RemoveUserFromGroup" };
            about(user, [name; 3], &[("groupName", Some(Value::from(group.as_str())))])
        }
        Edit::Version { policy, version, text: written, .. } => Told {
            service: "iam",
            name: "CreatePolicyVersion",
            account: Arn::parse(policy).map(|arn| arn.account.to_owned()),
            region: None,
            request: parameters(&[
                ("policyArn", Some(Value::from(policy.as_str()))),
                ("policyDocument", text(written)),
                ("setAsDefault", Some(Value::Bool(true))),
            ]),
            response: json!({"policyVersion": {"versionId": version}}),
        },
        _ => return Vec::new(),
    };
    vec![one]
}

fn made(new: &Made) -> Told {
    let Made { holder, arn, unique_id, trust, boundary, tags: set, .. } = new;
    let path = arn.as_deref().and_then(Arn::parse).and_then(|arn| {
        let (_, behind) = arn.resource.split_once('/')?;
        let (path, _) = behind.rsplit_once('/')?;
        Some(format!("/{path}/"))
    });
    let told = about(
        holder,
        ["CreateRole", "CreateUser", "CreateGroup"],
        &[
            ("path", path.map(Value::from)),
            ("assumeRolePolicyDocument", trust.as_ref().and_then(text)),
            ("permissionsBoundary", boundary.as_deref().map(Value::from)),
            ("tags", Some(tags(set))),
        ],
    );
    let kind = holder.kind.name();
    let answer = parameters(&[
        ("arn", arn.as_deref().map(Value::from)),
        (&format!("{kind}Id"), unique_id.as_deref().map(Value::from)),
    ]);
    Told { response: json!({ kind: answer }), ..told }
}

fn tagged(holder: &HolderId, set: &BTreeMap<String, String>, taken: &[String]) -> Vec<Told> {
    let mut told = Vec::new();
    if !set.is_empty() {
        told.push(about(holder, ["TagRole", "TagUser", ""], &[("tags", Some(tags(set)))]));
    }
    if !taken.is_empty() {
        told.push(about(holder, ["UntagRole", "UntagUser", ""], &[("tagKeys", Some(json!(taken)))]));
    }
    told
}

fn of_organization(edit: &Edit, state: &State) -> Option<Told> {
    let id = |id: &str| Some(Value::from(id));
    let mut response = Value::Null;
    let (name, request) = match edit {
        Edit::Control { id: policy, kind, name, text: written } => {
            let content = ("content", written.as_ref().and_then(text));
            let named = ("name", name.as_deref().map(Value::from));
            if state.organization.policies.contains_key(policy) {
                ("UpdatePolicy", parameters(&[("policyId", id(policy)), named, content]))
            } else {
                response = json!({"policy": {"policySummary": {"id": policy}}});
                let kind = ("type", kind.map(|kind| Value::from(kind.name())));
                ("CreatePolicy", parameters(&[named, kind, content]))
            }
        }
        Edit::ControlGone(policy) => ("DeletePolicy", parameters(&[("policyId", id(policy))])),
        Edit::ControlAttached { id: policy, target, is } => {
            let name = if *is { "AttachPolicy" } else { "DetachPolicy" };
            (name, parameters(&[("policyId", id(policy)), ("targetId", id(target))]))
        }
        Edit::ControlType { kind, is_on } => {
            let name = if *is_on { "EnablePolicyType" } else { "DisablePolicyType" };
            (name, parameters(&[("policyType", id(kind.name()))]))
        }
        Edit::Moved { account, to } => {
            let from = state.organization.parents.get(account).and_then(|from| id(from));
            let moved =
                [("accountId", id(account)), ("sourceParentId", from), ("destinationParentId", id(to))];
            ("MoveAccount", parameters(&moved))
        }
        Edit::Left { account } => {
            ("RemoveAccountFromOrganization", parameters(&[("accountId", id(account))]))
        }
        Edit::Unit { id: unit, parent } => {
            response = json!({"organizationalUnit": {"id": unit}});
            ("CreateOrganizationalUnit", parameters(&[("parentId", id(parent))]))
        }
        _ => return None,
    };
    Some(Told { service: "organizations", name, account: None, region: None, request, response })
}

fn of_table(edit: &Edit) -> Vec<Told> {
    let told = |table: &str, name, request: Value, response: Value| {
        let arn = Arn::parse(table);
        let account = arn.as_ref().map(|arn| arn.account.to_owned());
        let region = arn.map(|arn| arn.region.to_owned());
        Told { service: "dynamodb", name, account, region, request, response }
    };
    let named = |table: &str| ("resourceArn", Some(Value::from(table)));
    match edit {
        Edit::TableMade { table, policy, tags: set } => {
            let name =
                Arn::parse(table).and_then(|arn| Some(arn.resource.strip_prefix("table/")?.to_owned()));
            let request = parameters(&[
                ("tableName", name.map(Value::from)),
                ("resourcePolicy", policy.as_ref().map(|policy| text(policy).unwrap_or_else(|| json!({})))),
                ("tags", set.as_ref().map(tags)),
            ]);
            vec![told(table, "CreateTable", request, json!({"tableDescription": {"tableArn": table}}))]
        }
        Edit::TablePolicy { table, text: Some(written) } => {
            let request = parameters(&[named(table), ("policy", text(written))]);
            vec![told(table, "PutResourcePolicy", request, Value::Null)]
        }
        Edit::TablePolicy { table, text: None } => {
            vec![told(table, "DeleteResourcePolicy", parameters(&[named(table)]), Value::Null)]
        }
        Edit::TableTagged { table, set, taken } => {
            let mut all = Vec::new();
            if !set.is_empty() {
                let request = parameters(&[named(table), ("tags", Some(tags(set)))]);
                all.push(told(table, "TagResource", request, Value::Null));
            }
            if !taken.is_empty() {
                let request = parameters(&[named(table), ("tagKeys", Some(json!(taken)))]);
                all.push(told(table, "UntagResource", request, Value::Null));
            }
            all
        }
        _ => Vec::new(),
    }
}

fn of_endpoint(edit: &Edit, state: &State, perimeter: &Perimeter) -> Vec<Told> {
    let told = |endpoint: &str, name, request: Value, response: Value| {
        let listed = perimeter.endpoints.iter().find(|one| one.id.as_str() == endpoint).map(|one| &one.vpc);
        let vpc = match edit {
            Edit::EndpointMade { vpc, .. } => vpc.as_deref(),
            _ => state.endpoints.get(endpoint).and_then(|known| known.vpc.as_deref()),
        };
        let of_vpc = || perimeter.vpcs.keys().find(|approved| Some(approved.id.as_str()) == vpc);
        let place = listed.or_else(of_vpc);
        let account = place.map(|vpc| vpc.account.as_str().to_owned());
        let region = place.map(|vpc| vpc.region.clone());
        vec![Told { service: "ec2", name, account, region, request, response }]
    };
    let id = |endpoint: &str| ("VpcEndpointId", Some(Value::from(endpoint)));
    match edit {
        Edit::EndpointMade { endpoint, vpc, policy } => {
            let made = parameters(&[
                ("VpcId", vpc.as_deref().map(Value::from)),
                ("PolicyDocument", policy.as_ref().and_then(text)),
            ]);
            let answer = json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": endpoint}}});
            told(endpoint, "CreateVpcEndpoint", json!({"CreateVpcEndpointRequest": made}), answer)
        }
        Edit::EndpointPolicy { endpoint, text: written } => {
            let change = match written {
                Some(written) => ("PolicyDocument", text(written)),
                None => ("ResetPolicy", Some(Value::Bool(true))),
            };
            let request = json!({"ModifyVpcEndpointRequest": parameters(&[id(endpoint), change])});
            told(endpoint, "ModifyVpcEndpoint", request, Value::Null)
        }
        Edit::EndpointGone(endpoint) => {
            let request = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": [endpoint]}});
            told(endpoint, "DeleteVpcEndpoints", request, Value::Null)
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::state::ControlKind;
    use crate::perimeter::config;
    use crate::perimeter::inventory::Inventory;
    use crate::pipeline::Auditor;

    const ACCOUNT: &str = "111122223333";
    const ORDERS: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

    fn id(kind: HolderKind) -> HolderId {
        HolderId { account: ACCOUNT.into(), kind, name: "app".into() }
    }

    fn written() -> Text {
        Text::known("{\"Statement\":[]}")
    }

    fn tag() -> BTreeMap<String, String> {
        BTreeMap::from([("k".to_owned(), "v".to_owned())])
    }

    fn edits() -> Vec<Edit> {
        let role = || id(HolderKind::Role);
        let mut edits = Vec::new();
        for kind in [HolderKind::Role, HolderKind::User, HolderKind::Group] {
            let holder = id(kind);
            let name = || "p".to_owned();
            edits.extend([
                Edit::Made(Box::new(Made {
                    holder: holder.clone(),
                    arn: Some(format!("arn:aws:iam::{ACCOUNT}:{}/team/app", kind.name())),
                    unique_id: Some("AROAEXAMPLE".into()),
                    trust: (kind == HolderKind::Role).then(written),
                    boundary: (kind != HolderKind::Group).then(|| "arn:aws:iam::aws:policy/B".to_owned()),
                    tags: if kind == HolderKind::Group { BTreeMap::new() } else { tag() },
                    is_partial: false,
                })),
                Edit::Inline { holder: holder.clone(), name: name(), text: Some(written()) },
                Edit::Inline { holder: holder.clone(), name: name(), text: Some(Text::Untold) },
                Edit::Inline { holder: holder.clone(), name: name(), text: None },
                Edit::Attached {
                    holder: holder.clone(),
                    policy: "arn:aws:iam::aws:policy/P".into(),
                    is: true,
                },
                Edit::Attached {
                    holder: holder.clone(),
                    policy: "arn:aws:iam::aws:policy/P".into(),
                    is: false,
                },
                Edit::Gone(holder.clone()),
            ]);
            if kind != HolderKind::Group {
                edits.extend([
                    Edit::Boundary {
                        holder: holder.clone(),
                        policy: Some("arn:aws:iam::aws:policy/B".into()),
                    },
                    Edit::Boundary { holder: holder.clone(), policy: None },
                    Edit::Tagged { holder: holder.clone(), set: tag(), taken: Vec::new() },
                    Edit::Tagged { holder, set: BTreeMap::new(), taken: vec!["k".into()] },
                ]);
            }
        }
        let (policy, node) = (|| "p-1".to_owned(), || "ou-1".to_owned());
        let kind = ControlKind::Resource;
        edits.extend([
            Edit::Trust { role: role(), text: written() },
            Edit::Member { user: id(HolderKind::User), group: "g".into(), is: true },
            Edit::Member { user: id(HolderKind::User), group: "g".into(), is: false },
            Edit::Version {
                policy: "arn:aws:iam::111122223333:policy/P".into(),
                version: Some("v2".into()),
                text: written(),
                is_default: true,
            },
            Edit::Control { id: policy(), kind: Some(kind), name: Some("n".into()), text: Some(written()) },
            Edit::ControlAttached { id: policy(), target: node(), is: true },
            Edit::ControlAttached { id: policy(), target: node(), is: false },
            Edit::ControlGone(policy()),
            Edit::ControlType { kind, is_on: true },
            Edit::ControlType { kind, is_on: false },
            Edit::Unit { id: node(), parent: "r-1".into() },
            Edit::Moved { account: ACCOUNT.into(), to: node() },
            Edit::Left { account: ACCOUNT.into() },
            Edit::TableMade { table: ORDERS.into(), policy: None, tags: Some(tag()) },
            Edit::TableMade { table: ORDERS.into(), policy: Some(written()), tags: Some(BTreeMap::new()) },
            Edit::TablePolicy { table: ORDERS.into(), text: Some(written()) },
            Edit::TablePolicy { table: ORDERS.into(), text: None },
            Edit::TableTagged { table: ORDERS.into(), set: tag(), taken: Vec::new() },
            Edit::TableTagged { table: ORDERS.into(), set: BTreeMap::new(), taken: vec!["k".into()] },
            Edit::EndpointMade {
                endpoint: "vpce-0a".into(),
                vpc: Some("vpc-0a".into()),
                policy: Some(written()),
            },
            Edit::EndpointPolicy { endpoint: "vpce-0a".into(), text: Some(written()) },
            Edit::EndpointPolicy { endpoint: "vpce-0a".into(), text: None },
            Edit::EndpointGone("vpce-0a".into()),
        ]);
        edits
    }

    #[test]
    fn an_event_that_there_should_have_been_says_what_changed() {
        let text = "version = 1\nmanagement_account = \"999988887777\"\n[environments.e]\nmode = \"enforce\"\naccounts = [\"111122223333\"]\n";
        let perimeter = config::parse(text).unwrap().perimeter;
        let inventory = Inventory::default();
        let auditor = Auditor::new(&perimeter, &inventory).for_journal();
        for edit in edits() {
            let at = "2026-11-25T00:00:00Z".parse().unwrap();
            let told = entries(std::slice::from_ref(&edit), State::default(), &perimeter, at);
            assert_eq!(told.len(), 1, "{edit:?}");
            let one = auditor.pending(&told[0].record, true).unwrap();
            assert_eq!(one.edits(), std::slice::from_ref(&edit), "{}", told[0].record);
            assert_eq!((one.time(), one.key()), (Some(at), told[0].key), "{edit:?}");
        }
    }
}
