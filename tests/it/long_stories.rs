//! Long stories, with every kind of change in them: what each step is found to be, and what stands in the end. They are
//! told to the function in any order, twice, late, or with gaps; `live_stories` carries them out against moto.

use std::collections::BTreeSet;

use dynamodb_perimeter::findings::finding::{Finding, Status};
use dynamodb_perimeter::iam::state::Edit;
use dynamodb_perimeter::perimeter::inventory::Inventory;
use dynamodb_perimeter::pipeline::Auditor;
use serde_json::{Value, json};

use crate::stories::{
    self, ACCOUNT, ORDERS, OTHER, PERIMETER, Step, allow, dynamodb, iam, lock, organizations, policy, role,
    text, trust,
};
use crate::watch::{self, Failed, Tested, World, short};

pub const MANAGEMENT: &str = "999988887777";
pub const CUSTOMERS: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/customers";
const TEAM: &str = "arn:aws:iam::111122223333:policy/team";
const LIMIT: &str = "arn:aws:iam::111122223333:policy/limit";
const SCP: &str = "SERVICE_CONTROL_POLICY";
const RCP: &str = "RESOURCE_CONTROL_POLICY";

/// A step of a long story.
pub struct Act {
    pub step: Step,
    /// Whose call it is; else that of the story's account, or of the management account.
    pub account: &'static str,
    /// What was asked for in truth, where the event does not tell: under this name, with these parameters.
    pub truth: Option<(&'static str, Value)>,
    /// Why moto does not do that.
    pub not_in_moto: Option<&'static str>,
}

impl From<Step> for Act {
    fn from(step: Step) -> Self {
        let account = if step.0 == "organizations" { MANAGEMENT } else { ACCOUNT };
        Self { step, account, truth: None, not_in_moto: None }
    }
}

impl Act {
    fn by(self, account: &'static str) -> Self {
        Self { account, ..self }
    }

    fn in_truth(self, name: &'static str, request: Value) -> Self {
        Self { truth: Some((name, request)), ..self }
    }

    fn not_in_moto(self, why: &'static str) -> Self {
        Self { not_in_moto: Some(why), ..self }
    }

    fn answered(mut self, response: Value) -> Self {
        self.step.3 = response;
        self
    }
}

/// A story, and what it ends in after a sweep of what stands then.
pub struct Story {
    pub name: &'static str,
    pub world: stories::World,
    pub acts: Vec<Act>,
    /// Rule, subject and status of each finding.
    pub ends_in: &'static [&'static str],
}

pub fn stories() -> Vec<Story> {
    vec![
        Story {
            name: "identities",
            world: world(&guard("ArnNotLike")),
            acts: identities(),
            ends_in: IDENTITIES,
        },
        Story {
            name: "resources",
            world: of_one_account(world(&stories::guard("ArnNotLike"))),
            acts: resources(),
            ends_in: RESOURCES,
        },
    ]
}

/// The guard of the organization, with this operator for break-glass, and a tag that exempts.
fn guard(operator: &str) -> Value {
    let mut guard = stories::guard(operator);
    guard["Statement"][0]["Condition"]["StringNotEquals"]["aws:PrincipalTag/perimeter"] = json!("exempt");
    guard
}

/// A second lock, above the tables.
fn second_lock(actions: &str) -> Value {
    let mut lock = lock();
    lock["Statement"][0]["Action"] = json!(actions);
    lock
}

/// The same, with a tag of the table that exempts.
fn lock_but_for_tag() -> Value {
    let mut lock = lock();
    lock["Statement"][0]["Condition"]["StringNotEquals"]["aws:ResourceTag/perimeter"] = json!("open");
    lock
}

/// Two accounts in one unit under one guard, with both types of policies switched on.
fn world(guard: &Value) -> stories::World {
    let everything = json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]);
    let mut snapshot = stories::snapshot();
    snapshot["accounts"][ACCOUNT]["RoleDetailList"][2]["AssumeRolePolicyDocument"] = trust(&on_call());
    snapshot["accounts"][OTHER]["RoleDetailList"] =
        json!([role(OTHER, "app", &[allow("*")]), role(OTHER, "idle", &[])]);
    for account in [ACCOUNT, OTHER] {
        snapshot["accounts"][account]["Policies"] = json!([]);
    }
    let organization = &mut snapshot["organization"];
    organization["roots"][0]["PolicyTypes"] =
        json!([{"Type": SCP, "Status": "ENABLED"}, {"Type": RCP, "Status": "ENABLED"}]);
    organization["policies"][1]["Content"] = json!(guard.to_string());
    let all = json!({"Id": "p-RCPFullAWSAccess", "Name": "RCPFullAWSAccess", "Type": RCP, "Content": policy(everything)});
    organization["policies"].as_array_mut().into_iter().for_each(|policies| policies.push(all.clone()));
    organization["parents"][MANAGEMENT] = json!("r-1");
    organization["attached"][MANAGEMENT] = json!(["p-FullAWSAccess"]);
    for node in ["r-1", "ou-1", ACCOUNT, OTHER, MANAGEMENT] {
        let attached = organization["attached"][node].as_array_mut();
        attached.into_iter().for_each(|ids| ids.push(json!("p-RCPFullAWSAccess")));
    }
    stories::World { snapshot, perimeter: PERIMETER.to_owned() }
}

/// The same with one account, which is quicker to prove.
fn of_one_account(world: stories::World) -> stories::World {
    let stories::World { mut snapshot, perimeter } = world;
    for part in [&["accounts"][..], &["organization", "parents"], &["organization", "attached"]] {
        let part = part.iter().fold(&mut snapshot, |part, key| &mut part[*key]);
        part.as_object_mut().map(|part| part.remove(OTHER));
    }
    let roles = snapshot["accounts"][ACCOUNT]["RoleDetailList"].as_array_mut();
    roles.into_iter().for_each(|roles| roles.retain(|role| role["RoleName"] != "idle"));
    let perimeter = perimeter.replace(&format!("[\"{ACCOUNT}\", \"{OTHER}\"]"), &format!("[\"{ACCOUNT}\"]"));
    stories::World { snapshot, perimeter }
}

fn on_call() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/on-call")
}

/// A policy as people write it, over many lines.
fn lines(policy: &Value) -> Value {
    json!(format!("\n\t{policy:#}\r\n"))
}

/// As IAM answers with it.
fn encoded(policy: &Value) -> Value {
    let encode = |byte: u8| {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    json!(policy.to_string().bytes().map(encode).collect::<String>())
}

/// A policy with so much white space that CloudTrail leaves it out.
fn padded(policy: &Value) -> Value {
    json!(format!("{}{policy}", " ".repeat(101 << 10)))
}

fn inline(holder: &str, name: &str, policy_name: &str, document: Value) -> Value {
    json!({holder: name, "policyName": policy_name, "policyDocument": document})
}

fn made_role(account: &str, path: &str, name: &str, tags: Value) -> (Value, Value) {
    let trust = trust(&format!("arn:aws:iam::{account}:role/app"));
    let arn = format!("arn:aws:iam::{account}:role{path}{name}");
    (
        json!({"roleName": name, "path": path, "assumeRolePolicyDocument": lines(&trust), "tags": tags}),
        json!({"role": {"path": path, "roleName": name, "roleId": format!("AROA{name}"), "arn": arn,
            "assumeRolePolicyDocument": encoded(&trust)}}),
    )
}

fn create_role(
    account: &'static str,
    path: &str,
    name: &str,
    tags: Value,
    rule: Option<&'static str>,
) -> Act {
    let (request, response) = made_role(account, path, name, tags);
    Act::from(iam("CreateRole", request, rule)).answered(response).by(account)
}

fn exempt() -> Value {
    json!([{"key": "perimeter", "value": "exempt"}])
}

const OPENED: Option<&str> = Some("perimeter-opened");
const WEAKENED: Option<&str> = Some("guard-weakened");
const REMOVED: Option<&str> = Some("guard-removed");
const UNREADABLE: Option<&str> = Some("change-unreadable");
const UNGUARDED: Option<&str> = Some("unguarded-table");

fn of_role(name: &'static str, role: &str, more: &[(&str, Value)], rule: Option<&'static str>) -> Act {
    of("roleName", name, role, more, rule)
}

fn of_user(name: &'static str, user: &str, more: &[(&str, Value)], rule: Option<&'static str>) -> Act {
    of("userName", name, user, more, rule)
}

fn of_group(name: &'static str, group: &str, more: &[(&str, Value)], rule: Option<&'static str>) -> Act {
    of("groupName", name, group, more, rule)
}

fn of(key: &str, name: &'static str, of: &str, more: &[(&str, Value)], rule: Option<&'static str>) -> Act {
    let mut request = json!({ key: of });
    more.iter().for_each(|(key, value)| request[*key] = value.clone());
    iam(name, request, rule).into()
}

fn attachment(name: &'static str, id: &str, target: &str, rule: Option<&'static str>) -> Act {
    organizations(name, json!({"policyId": id, "targetId": target}), rule).into()
}

fn control(id: &str, name: &str, kind: &str, content: &Value) -> Act {
    let request = json!({"name": name, "description": name, "type": kind, "content": lines(content)});
    let answer = json!({"policy": {"policySummary": {"id": id}}});
    Act::from(organizations("CreatePolicy", request, None)).answered(answer)
}

fn content(id: &str, content: &Value, rule: Option<&'static str>) -> Act {
    organizations("UpdatePolicy", json!({"policyId": id, "content": lines(content)}), rule).into()
}

fn managed(name: &str, document: Value) -> Act {
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/{name}");
    let request = json!({"policyName": name, "policyDocument": document});
    Act::from(iam("CreatePolicy", request, None)).answered(json!({"policy": {"arn": arn}}))
}

fn version(id: &str, document: &Value, is_default: bool) -> Act {
    let request = json!({"policyArn": TEAM, "policyDocument": lines(document), "setAsDefault": is_default});
    Act::from(iam("CreatePolicyVersion", request, None)).answered(json!({"policyVersion": {"versionId": id}}))
}

const NO_BOUNDARY: &str = "moto has no boundaries of users";

/// Roles, users and groups, under one guard and then under two.
fn identities() -> Vec<Act> {
    let team = || ("policyArn", json!(TEAM));
    let named = |name: &str| ("policyName", json!(name));
    let keys = || ("tagKeys", json!(["perimeter"]));
    let tags = || ("tags", exempt());
    let group = |name: &str| ("groupName", json!(name));
    let both = policy(json!([
        {"Effect": "Allow", "Principal": {"AWS": on_call()}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole"}]));
    let trusted = |policy: Value| ("policyDocument", lines(&policy));
    let boundary = || ("permissionsBoundary", json!(LIMIT));
    vec![
        create_role(ACCOUNT, "/team/", "worker", json!([]), None),
        iam("PutRolePolicy", inline("roleName", "worker", "own", lines(&allow("dynamodb:*"))), None).into(),
        managed("team", lines(&allow("dynamodb:*"))),
        managed("limit", text(&allow("s3:*"))),
        of_role("AttachRolePolicy", "worker", &[team()], None),
        Act::from(iam("CreateUser", json!({"userName": "bob", "path": "/people/", "tags": []}), None)).answered(
            json!({"user": {"userName": "bob", "userId": "AIDAbob", "arn": format!("arn:aws:iam::{ACCOUNT}:user/people/bob")}}),
        ),
        Act::from(iam("CreateGroup", json!({"groupName": "crew"}), None)).answered(
            json!({"group": {"groupName": "crew", "groupId": "AGPAcrew", "arn": format!("arn:aws:iam::{ACCOUNT}:group/crew")}}),
        ),
        of_user("AddUserToGroup", "bob", &[group("crew")], None),
        iam("PutGroupPolicy", inline("groupName", "crew", "own", lines(&allow("dynamodb:GetItem"))), None).into(),
        of_group("AttachGroupPolicy", "crew", &[team()], None),
        // By the tag the guard lets them through.
        of_role("TagRole", "worker", &[tags()], OPENED),
        of_role("UntagRole", "worker", &[keys()], None),
        of_user("TagUser", "bob", &[tags()], OPENED),
        of_user("UntagUser", "bob", &[keys()], None),
        of_role("TagRole", "idle", &[tags()], Some("exemption-tag")),
        of_role("UntagRole", "idle", &[keys()], None),
        // A second lock, and then the first is of less matter.
        control("p-lock", "second", RCP, &second_lock("dynamodb:*")),
        attachment("AttachPolicy", "p-lock", "ou-1", None),
        of_role("TagRole", "worker", &[tags()], None),
        attachment("DetachPolicy", "p-guard", "ou-1", WEAKENED),
        content("p-lock", &second_lock("dynamodb:GetItem"), OPENED),
        content("p-lock", &second_lock("dynamodb:*"), None),
        attachment("AttachPolicy", "p-guard", "ou-1", None),
        // Who may become whom.
        of_role("UpdateAssumeRolePolicy", "worker", &[trusted(trust("*"))], None),
        of_role("UpdateAssumeRolePolicy", "your-emergency-role", &[trusted(both)], Some("break-glass-trust")),
        of_role("UpdateAssumeRolePolicy", "your-emergency-role", &[trusted(trust(&on_call()))], None),
        create_role(OTHER, "/", "your-emergency-role", json!([]), Some("break-glass-name")),
        // Versions of what is attached.
        version("v2", &allow("s3:*"), false),
        iam("SetDefaultPolicyVersion", json!({"policyArn": TEAM, "versionId": "v2"}), None).into(),
        iam("DeletePolicyVersion", json!({"policyArn": TEAM, "versionId": "v1"}), None).into(),
        version("v3", &allow("dynamodb:*"), true),
        // Boundaries are guards as well.
        of_role("PutRolePermissionsBoundary", "worker", &[boundary()], None),
        of_role("DeleteRolePermissionsBoundary", "worker", &[], WEAKENED),
        of_user("PutUserPermissionsBoundary", "bob", &[boundary()], None).not_in_moto(NO_BOUNDARY),
        of_user("DeleteUserPermissionsBoundary", "bob", &[], WEAKENED).not_in_moto(NO_BOUNDARY),
        // Names.
        of_user("UpdateUser", "bob", &[("newUserName", json!("rob")), ("newPath", json!("/others/"))], None),
        of_group("UpdateGroup", "crew", &[("newGroupName", json!("squad"))], None),
        iam("PutUserPolicy", inline("userName", "rob", "own", text(&allow("dynamodb:Query"))), None).into(),
        of_user("AttachUserPolicy", "rob", &[team()], None),
        of_user("RemoveUserFromGroup", "rob", &[group("squad")], None),
        of_group("DeleteGroupPolicy", "squad", &[named("own")], None),
        of_group("DetachGroupPolicy", "squad", &[team()], None),
        of_group("DeleteGroup", "squad", &[], None),
        of_user("DetachUserPolicy", "rob", &[team()], None),
        of_user("DeleteUserPolicy", "rob", &[named("own")], None),
        of_user("DeleteUser", "rob", &[], None),
        of_role("DetachRolePolicy", "worker", &[team()], None),
        iam("DeletePolicyVersion", json!({"policyArn": TEAM, "versionId": "v2"}), None).into(),
        iam("DeletePolicy", json!({"policyArn": TEAM}), None).into(),
        // Padded till CloudTrail leaves out the text, or all: one says little, and the other opens.
        of_role("PutRolePolicy", "idle", &[named("own"), ("omitted", json!(true))], UNREADABLE)
            .in_truth("PutRolePolicy", inline("roleName", "idle", "own", padded(&allow("s3:*")))),
        Act::from(iam("PutRolePolicy", json!({"omitted": true}), UNREADABLE))
            .in_truth("PutRolePolicy", inline("roleName", "idle", "own", padded(&allow("s3:*"))))
            .by(OTHER),
        create_role(OTHER, "/", "temporary", json!([]), None),
        of_role("DeleteRole", "temporary", &[], None).by(OTHER),
        // Calls that nobody has heard of yet.
        Act::from(iam("PutRolePolicyV9", inline("roleName", "idle", "future", text(&allow("s3:*"))), None))
            .in_truth("PutRolePolicy", inline("roleName", "idle", "future", text(&allow("s3:*")))),
        Act::from(organizations("DetachEveryPolicy", json!({"targetId": "ou-1"}), None))
            .in_truth("DetachPolicy", json!({"policyId": "p-lock", "targetId": "ou-1"})),
    ]
}

const IDENTITIES: &[&str] = &[
    "break-glass-name your-emergency-role: open",
    "break-glass-trust your-emergency-role: resolved",
    "change-unreadable : open",
    "change-unreadable idle: resolved",
    "exemption-tag idle: resolved",
    "guard-removed ou-1 p-lock: open",
    "guard-weakened bob: resolved",
    "guard-weakened ou-1 p-guard: resolved",
    "guard-weakened worker: open",
    "perimeter-opened bob: resolved",
    "perimeter-opened p-lock: resolved",
    "perimeter-opened worker: resolved",
];

fn table_policy(name: &'static str, table: &str, policy: Option<Value>, rule: Option<&'static str>) -> Act {
    let mut request = json!({ "resourceArn": table });
    policy.into_iter().for_each(|policy| request["policy"] = policy);
    dynamodb(name, request, rule).into()
}

fn arn(table: &str) -> String {
    format!("arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{table}")
}

fn create_table(name: &str, policy: Option<Value>, rule: Option<&'static str>) -> Act {
    let mut request = json!({"tableName": name, "billingMode": "PAY_PER_REQUEST", "tags": [{"key": "team", "value": "a"}],
        "attributeDefinitions": [{"attributeName": "id", "attributeType": "S"}],
        "keySchema": [{"attributeName": "id", "keyType": "HASH"}]});
    policy.into_iter().for_each(|policy| request["resourcePolicy"] = policy);
    Act::from(dynamodb("CreateTable", request, rule))
        .answered(json!({"tableDescription": {"tableArn": arn(name)}}))
}

fn endpoint(name: &'static str, request: Value, response: Value, rule: Option<&'static str>) -> Act {
    Step("ec2", name, request, response, rule).into()
}

const NO_REPLICAS: &str = "in moto a replica is no table";
const NO_TYPES: &str = "moto leaves policies attached whose type is switched off";

/// The first of the steps that are of tables.
const TABLES: usize = 24;

/// The organization, tables and endpoints.
fn resources() -> Vec<Act> {
    let to = |from: &str, to: &str| json!({"accountId": ACCOUNT, "sourceParentId": from, "destinationParentId": to});
    let moved = |from: &str, onto: &str, rule| Act::from(organizations("MoveAccount", to(from, onto), rule));
    let kind = |name, kind: &str, rule| {
        Act::from(organizations(name, json!({"rootId": "r-1", "policyType": kind}), rule))
            .not_in_moto(NO_TYPES)
    };
    let tag = |table: &str, rule| {
        let request = json!({"resourceArn": table, "tags": [{"key": "perimeter", "value": "open"}]});
        Act::from(dynamodb("TagResource", request, rule))
    };
    let untag = |table: &str| {
        Act::from(dynamodb("UntagResource", json!({"resourceArn": table, "tagKeys": ["perimeter"]}), None))
    };
    let stranger = policy(
        json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::555566667777:root"}, "Action": "dynamodb:*", "Resource": "*"}]),
    );
    let region = |name: &str| json!([{"regionName": name}]);
    let replica = |what: &str| json!([{what: {"regionName": "us-east-1"}}]);
    let service = "com.amazonaws.eu-west-1.dynamodb";
    let narrow =
        policy(json!([{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": "*"}]));
    let wide =
        policy(json!([{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:*", "Resource": "*"}]));
    let all = policy(json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]));
    vec![
        Act::from(organizations("CreateOrganizationalUnit", json!({"parentId": "r-1", "name": "other"}), None))
            .answered(json!({"organizationalUnit": {"id": "ou-2"}})),
        moved("ou-1", "ou-2", OPENED),
        moved("ou-2", "ou-1", None),
        control("p-second", "second", SCP, &stories::guard("ArnNotLike")),
        attachment("AttachPolicy", "p-second", "r-1", None),
        attachment("DetachPolicy", "p-guard", "ou-1", None),
        attachment("AttachPolicy", "p-guard", "ou-1", None),
        attachment("DetachPolicy", "p-second", "r-1", None),
        organizations("DeletePolicy", json!({"policyId": "p-second"}), None).into(),
        content("p-guard", &stories::guard("StringNotLike"), OPENED),
        content("p-guard", &stories::guard("ArnNotLike"), None),
        organizations("UpdatePolicy", json!({"policyId": "p-guard", "name": "perimeter"}), None).into(),
        control("p-tags", "tags", "TAG_POLICY", &json!({"tags": {}})),
        attachment("AttachPolicy", "p-tags", "ou-1", None),
        control("p-lock", "lock", RCP, &lock_but_for_tag()),
        attachment("AttachPolicy", "p-lock", "r-1", None),
        tag(CUSTOMERS, None),
        untag(CUSTOMERS),
        content("p-lock", &second_lock("dynamodb:*"), None),
        kind("DisablePolicyType", SCP, WEAKENED),
        kind("EnablePolicyType", SCP, None),
        attachment("AttachPolicy", "p-guard", "ou-1", None).not_in_moto(NO_TYPES),
        attachment("DetachPolicy", "p-lock", "r-1", WEAKENED),
        organizations("DeletePolicy", json!({"policyId": "p-lock"}), None).into(),
        // Tables with a policy and without one.
        create_table("guarded", Some(lines(&lock())), None),
        create_table("bare", None, UNGUARDED),
        create_table("short-lived", None, UNGUARDED),
        dynamodb("DeleteTable", json!({"tableName": "short-lived"}), None).into(),
        table_policy("PutResourcePolicy", &arn("bare"), Some(lines(&lock())), None),
        table_policy("DeleteResourcePolicy", ORDERS, None, WEAKENED),
        table_policy("PutResourcePolicy", ORDERS, Some(lines(&lock())), None),
        table_policy("PutResourcePolicy", CUSTOMERS, Some(lines(&stranger)), Some("external-grant")),
        table_policy("PutResourcePolicy", CUSTOMERS, Some(text(&lock())), None),
        table_policy("PutResourcePolicy", &arn("guarded"), None, UNREADABLE)
            .in_truth("PutResourcePolicy", json!({"resourceArn": arn("guarded"), "policy": padded(&lock())})),
        table_policy("PutResourcePolicy", &arn("guarded"), Some(text(&lock())), None),
        dynamodb(
            "RestoreTableToPointInTime",
            json!({"sourceTableName": "orders", "targetTableName": "copy"}),
            UNGUARDED,
        )
        .into(),
        table_policy("PutResourcePolicy", &arn("copy"), Some(text(&lock())), None),
        Act::from(dynamodb(
            "RestoreTableFromBackup",
            json!({"backupArn": format!("{ORDERS}/backup/01"), "targetTableName": "from-backup"}),
            UNGUARDED,
        ))
        .not_in_moto("moto gives a backup an id of its own"),
        Act::from(dynamodb(
            "RestoreTableFromAwsBackup",
            json!({"backupArn": "arn:aws:backup:eu-west-1:111122223333:recovery-point:1", "targetTableName": "from-vault"}),
            UNGUARDED,
        ))
        .not_in_moto("moto has no AWS Backup"),
        Act::from(dynamodb(
            "ImportTable",
            json!({"tableCreationParameters": {"tableName": "imported"}}),
            UNGUARDED,
        ))
        .not_in_moto("moto imports from a bucket, and long after"),
        Act::from(dynamodb(
            "UpdateTable",
            json!({"tableName": "orders", "replicaUpdates": replica("create")}),
            UNGUARDED,
        ))
        .not_in_moto(NO_REPLICAS),
        Act::from(dynamodb(
            "UpdateTable",
            json!({"tableName": "orders", "replicaUpdates": replica("delete")}),
            None,
        ))
        .not_in_moto(NO_REPLICAS),
        Act::from(dynamodb(
            "CreateGlobalTable",
            json!({"globalTableName": "orders", "replicationGroup": region("eu-west-1")}),
            None,
        ))
        .not_in_moto(NO_REPLICAS),
        Act::from(dynamodb(
            "UpdateGlobalTable",
            json!({"globalTableName": "orders", "replicaUpdates": replica("create")}),
            UNGUARDED,
        ))
        .not_in_moto(NO_REPLICAS),
        // Endpoints, wrapped by EC2 and not.
        endpoint(
            "CreateVpcEndpoint",
            json!({"CreateVpcEndpointRequest": {"VpcId": "vpc-0prod0eu", "ServiceName": service}}),
            json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": "vpce-0a1"}}}),
            Some("endpoint-opened"),
        ),
        endpoint(
            "ModifyVpcEndpoint",
            json!({"ModifyVpcEndpointRequest": {"VpcEndpointId": "vpce-0a1", "PolicyDocument": lines(&narrow)}}),
            Value::Null,
            None,
        ),
        endpoint(
            "ModifyVpcEndpoint",
            json!({"vpcEndpointId": "vpce-0a1", "policyDocument": lines(&wide)}),
            Value::Null,
            Some("endpoint-opened"),
        ),
        endpoint(
            "ModifyVpcEndpoint",
            json!({"ModifyVpcEndpointRequest": {"VpcEndpointId": "vpce-0a1", "ResetPolicy": true}}),
            Value::Null,
            Some("endpoint-opened"),
        ),
        endpoint(
            "CreateVpcEndpoint",
            json!({"vpcId": "vpc-0prod0eu", "serviceName": service, "policyDocument": text(&narrow)}),
            json!({"vpcEndpoint": {"vpcEndpointId": "vpce-0a2"}}),
            None,
        ),
        endpoint(
            "ModifyVpcEndpoint",
            json!({"vpcEndpointId": "vpce-0a2", "omitted": true}),
            Value::Null,
            UNREADABLE,
        )
        .in_truth("ModifyVpcEndpoint", json!({"vpcEndpointId": "vpce-0a2", "policyDocument": padded(&narrow)})),
        endpoint(
            "DeleteVpcEndpoints",
            json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"content": "vpce-0a1", "tag": 1}}}),
            Value::Null,
            None,
        ),
        endpoint("DeleteVpcEndpoints", json!({"vpcEndpointId": "vpce-0a2"}), Value::Null, None),
        endpoint(
            "CreateVpcEndpoint",
            json!({"CreateVpcEndpointRequest": {"VpcId": "vpc-0prod0eu", "ServiceName": service}}),
            json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": "vpce-0a3"}}}),
            Some("endpoint-opened"),
        ),
        // The default, written out.
        endpoint(
            "CreateVpcEndpoint",
            json!({"CreateVpcEndpointRequest": {"VpcId": "vpc-0prod0eu", "ServiceName": service, "PolicyDocument": lines(&all)}}),
            json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": "vpce-0a4"}}}),
            Some("endpoint-opened"),
        ),
        organizations("RemoveAccountFromOrganization", json!({"accountId": ACCOUNT}), REMOVED).into(),
    ]
}

const RESOURCES: &[&str] = &[
    "change-unreadable guarded: open",
    "change-unreadable vpce-0a2: open",
    "endpoint-opened vpce-0a1 vpc-0prod0eu: resolved",
    "endpoint-opened vpce-0a1: resolved",
    "endpoint-opened vpce-0a3 vpc-0prod0eu: open",
    "endpoint-opened vpce-0a4 vpc-0prod0eu: open",
    "external-grant customers: resolved",
    "guard-removed 111122223333: open",
    "guard-weakened : resolved",
    "guard-weakened orders: resolved",
    "guard-weakened p-lock r-1: resolved",
    "perimeter-opened 111122223333: resolved",
    "perimeter-opened p-guard: resolved",
    "unguarded-table bare: resolved",
    "unguarded-table copy: resolved",
    "unguarded-table from-backup: open",
    "unguarded-table from-vault: open",
    "unguarded-table imported: open",
    "unguarded-table orders: open",
    "unguarded-table short-lived: resolved",
];

/// The records of a story. With `in_truth`, of what was done, whatever the events tell.
pub fn records(acts: &[Act], in_truth: bool) -> Vec<Value> {
    let of = |(n, act): (usize, &Act)| {
        let Step(service, name, request, response, rule) = &act.step;
        let (name, request) = match &act.truth {
            Some((name, request)) if in_truth => (*name, request),
            _ => (*name, request),
        };
        let step = Step(service, name, request.clone(), response.clone(), *rule);
        let mut record = stories::records(std::slice::from_ref(&step)).remove(0);
        record["eventID"] = json!(format!("e-{n:02}"));
        record["eventTime"] = json!(format!("2026-11-25T00:{n:02}:00Z"));
        record["recipientAccountId"] = json!(act.account);
        record
    };
    acts.iter().enumerate().map(of).collect()
}

/// What a finding is: rule, subject, status.
pub fn told(found: &Finding) -> String {
    format!("{}: {}", short(found), found.status.name())
}

/// What stands after the first steps of a story, whatever was told of them.
fn stands_after(story: &Story, steps: usize) -> Value {
    let acts = story.acts.get(..steps).unwrap_or_default();
    watch::stands_after_in(&story.world, &records(acts, true))
}

pub const END: &str = "2026-11-25T03:00:00Z";

pub fn sorted(findings: &[Finding]) -> Vec<String> {
    let mut all: Vec<String> = findings.iter().map(told).collect();
    all.sort();
    all
}

/// Tells a story as it happened, and sweeps what stands then.
pub async fn heard_and_swept(story: &Story, acts: &[Value], steps: usize) -> Result<World, Failed> {
    let world = World::begin_in(&story.world).await?;
    world.hear(acts, acts.len()).await?;
    world.sweep(&stands_after(story, steps), END).await?;
    Ok(world)
}

fn lines_of(found: &[Finding]) -> Vec<Value> {
    found.iter().map(|found| serde_json::to_value(found).unwrap()).collect()
}

pub fn story(name: &str) -> Story {
    stories().into_iter().find(|story| story.name == name).unwrap()
}

/// The same events in an order that hangs on the seed alone, every fourth twice.
fn shuffled(records: &[Value], mut seed: u64) -> Vec<Value> {
    let mut all: Vec<Value> = records.iter().chain(records.iter().step_by(4)).cloned().collect();
    for n in (1..all.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all.swap(n, usize::try_from(seed >> 33).unwrap_or_default() % (n + 1));
    }
    all
}

/// Each step is found for what it is; told again, or in another order, it is the same; and a sweep ends in what the story
/// says.
async fn in_any_order(story: &Story, unseen: usize, seeds: &[u64]) -> Result<Vec<Finding>, Failed> {
    let events = records(&story.acts, false);
    let world = World::begin_in(&story.world).await?;
    world.hear(&events, 9).await?;
    let found = world.findings().await?;
    for (n, Act { step: Step(_, name, request, _, expected), .. }) in story.acts.iter().enumerate() {
        let id = format!("e-{n:02}");
        let of_step = found.iter().filter(|found| found.evidence.contains(&id));
        let rules: Vec<&str> = of_step.map(|found| &*found.rule).collect();
        assert_eq!(rules, expected.iter().copied().collect::<Vec<_>>(), "{n}: {name} {request}");
    }
    let again: Vec<Value> = events.iter().rev().cloned().collect();
    world.hear(&again, events.len()).await?;
    assert_eq!(lines_of(&world.findings().await?), lines_of(&found));
    for seed in seeds {
        let world = World::begin_in(&story.world).await?;
        let all = shuffled(&events, *seed);
        let (some, rest) = all.split_at(all.len() / 4);
        world.hear(some, some.len()).await?;
        world.hear(rest, rest.len()).await?;
        assert_eq!(lines_of(&world.findings().await?), lines_of(&found), "{}, seed {seed}", story.name);
    }
    let report = world.sweep(&stands_after(story, events.len()), END).await?;
    let found = world.findings().await?;
    assert_eq!(sorted(&found), story.ends_in);
    assert_eq!(report.unseen, unseen);
    Ok(found)
}

#[tokio::test]
async fn identities_end_as_they_should_in_any_order_twice_and_late() -> Tested {
    let story = story("identities");
    // What was padded away altogether, and what nobody has heard of yet.
    let on_time = in_any_order(&story, 3, &[1, 2, 3]).await?;
    let otherwise = Otherwise {
        // Seen again by an event that is older than the base; judged while nothing had told of `p-lock` but its id.
        open: &["break-glass-trust your-emergency-role", "change-unreadable"],
        // Opened and mended before the sweep.
        lost: &[
            "break-glass-trust your-emergency-role",
            "guard-weakened ou-1 p-guard",
            "perimeter-opened bob",
            "perimeter-opened p-lock",
            "perimeter-opened worker",
        ],
        // Judged while nothing had told of the policies that they had.
        instead: &["exemption-tag bob", "exemption-tag worker"],
    };
    delayed(&story, &on_time, &otherwise).await
}

#[tokio::test]
async fn resources_end_as_they_should_in_any_order_and_twice() -> Tested {
    in_any_order(&story("resources"), 0, &[4]).await.map(drop)
}

/// Rule and subject of those that are not resolved, and of those that are.
fn parted(findings: &[Finding]) -> [BTreeSet<String>; 2] {
    let (resolved, open): (Vec<_>, Vec<_>) =
        findings.iter().partition(|found| found.status == Status::Resolved);
    [open, resolved]
        .map(|some| some.into_iter().map(|found| format!("{} {}", found.id, short(found))).collect())
}

/// The story of resources without its first half, whose steps take long to prove.
fn tables() -> Story {
    let mut story = story("resources");
    story.acts.drain(..TABLES);
    Story { name: "tables", ..story }
}

/// What the order does not bring back, once a sweep lies between: findings that are lost (resolved ones, which opened
/// and were mended before the sweep), and those that came in their place.
struct Otherwise {
    /// Unresolved beside those that should be: told by less than there was to tell.
    open: &'static [&'static str],
    lost: &'static [&'static str],
    instead: &'static [&'static str],
}

/// A third of the events comes after a sweep in the middle, or after all others: what stands open is the same.
async fn delayed(story: &Story, on_time: &[Finding], otherwise: &Otherwise) -> Tested {
    let name = story.name;
    let events = records(&story.acts, false);
    let half = events.len() / 2;
    let is_late = |n: usize| n % 3 == 1;
    let of = |takes: &dyn Fn(usize) -> bool| -> Vec<Value> {
        events.iter().enumerate().filter(|(n, _)| takes(*n)).map(|(_, event)| event.clone()).collect()
    };
    let late = of(&is_late);
    let (soon, latest) = late.split_at(late.len() / 2);
    let world = World::begin_in(&story.world).await?;
    let first = of(&|n| !is_late(n) && n < half);
    world.hear(&first, first.len()).await?;
    world.sweep(&stands_after(story, half), &format!("2026-11-25T00:{half:02}:00Z")).await?;
    for some in [soon, &of(&|n| !is_late(n) && n >= half), latest] {
        world.hear(some, some.len()).await?;
    }
    world.sweep(&stands_after(story, events.len()), END).await?;
    let [open, resolved] = parted(&world.findings().await?);
    let [expected_open, expected_resolved] = parted(on_time);
    assert!(expected_open.is_subset(&open), "{name}: {open:#?}");
    let Otherwise { open: more, lost, instead } = otherwise;
    let found = [
        beside(&open, &expected_open),
        beside(&expected_resolved, &resolved),
        beside(&resolved, &expected_resolved),
    ];
    assert_eq!(found, [*more, *lost, *instead].map(<[_]>::to_vec), "{name}");
    Ok(())
}

/// Rule and subject of those of one that the other has not.
fn beside(some: &BTreeSet<String>, others: &BTreeSet<String>) -> Vec<String> {
    let mut all: Vec<String> = some
        .difference(others)
        .filter_map(|found| Some(found.split_once(' ')?.1.trim().to_owned()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn tables_stand_open_the_same_where_events_come_late() -> Tested {
    let otherwise = Otherwise {
        // By their text alone, since the base has them already; and with the table that it was made from.
        open: &["external-grant customers", "unguarded-table from-backup orders"],
        lost: &["external-grant customers", "unguarded-table bare"],
        instead: &[],
    };
    let story = tables();
    let events = records(&story.acts, false);
    let on_time = heard_and_swept(&story, &events, events.len()).await?.findings().await?;
    delayed(&story, &on_time, &otherwise).await
}

/// A story till some step, without one of its events: a sweep finds what that did.
async fn dropped(story: &Story, drops: &[(usize, usize, &[&str])]) -> Tested {
    for (dropped, until, expected) in drops {
        let mut events = records(&story.acts[..*until], false);
        events.remove(*dropped);
        let world = heard_and_swept(story, &events, *until).await?;
        let found: Vec<String> = world.standing().await?.into_iter().collect();
        assert_eq!(found, *expected, "{} without {dropped}, after {until}", story.name);
    }
    Ok(())
}

#[tokio::test]
async fn a_sweep_finds_what_no_event_told_of_identities() -> Tested {
    let drops: [(usize, usize, &[&str]); 5] = [
        (10, 11, &["perimeter-opened worker"]),
        (12, 13, &["perimeter-opened bob"]),
        (19, 20, &["guard-weakened ou-1 p-guard"]),
        (24, 25, &["break-glass-trust your-emergency-role"]),
        (26, 27, &["break-glass-name your-emergency-role"]),
    ];
    dropped(&story("identities"), &drops).await
}

#[tokio::test]
async fn a_sweep_finds_what_no_event_told_of_resources() -> Tested {
    let drops: [(usize, usize, &[&str]); 2] =
        [(1, 2, &["perimeter-opened 111122223333"]), (9, 10, &["perimeter-opened p-guard"])];
    dropped(&story("resources"), &drops).await?;
    let drops: [(usize, usize, &[&str]); 2] =
        [(1, 2, &["unguarded-table bare"]), (11, 12, &["change-unreadable guarded", "unguarded-table copy"])];
    dropped(&tables(), &drops).await
}

/// The name of an edit, and what of it is done or undone.
fn kind_of(edit: &Edit) -> String {
    let name = format!("{edit:?}");
    let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
    let way = match edit {
        Edit::Attached { is, .. } | Edit::Member { is, .. } | Edit::ControlAttached { is, .. } => Some(*is),
        Edit::ControlType { is_on, .. } => Some(*is_on),
        Edit::Inline { text, .. } | Edit::TablePolicy { text, .. } => Some(text.is_some()),
        Edit::EndpointPolicy { text, .. } => Some(text.is_some()),
        Edit::Boundary { policy, .. } => Some(policy.is_some()),
        Edit::Tagged { set, .. } | Edit::TableTagged { set, .. } => Some(!set.is_empty()),
        Edit::TableMade { policy, .. } | Edit::EndpointMade { policy, .. } => Some(policy.is_some()),
        _ => None,
    };
    way.map_or(name.clone(), |way| format!("{name} {way}"))
}

const KINDS: [&str; 42] = [
    "Attached false",
    "Attached true",
    "Boundary false",
    "Boundary true",
    "Control",
    "ControlAttached false",
    "ControlAttached true",
    "ControlGone",
    "ControlType false",
    "ControlType true",
    "DefaultVersion",
    "EndpointGone",
    "EndpointMade false",
    "EndpointMade true",
    "EndpointPolicy false",
    "EndpointPolicy true",
    "Gone",
    "Inline false",
    "Inline true",
    "Left",
    "Made",
    "ManagedGone",
    "Member false",
    "Member true",
    "Moved",
    "OtherControl",
    "Renamed",
    "Replica",
    "TableGone",
    "TableMade false",
    "TableMade true",
    "TablePolicy false",
    "TablePolicy true",
    "TableTagged false",
    "TableTagged true",
    "Tagged false",
    "Tagged true",
    "Trust",
    "Unit",
    "Untold",
    "Version",
    "VersionGone",
];

#[test]
fn every_kind_of_edit_is_in_the_stories() {
    let mut kinds = BTreeSet::new();
    for story in stories() {
        let (perimeter, inventory) = (watch::perimeter(&story.world), Inventory::default());
        let auditor = Auditor::new(&perimeter, &inventory).for_store().for_journal();
        assert!(story.acts.len() >= 30);
        for record in records(&story.acts, false) {
            let read = auditor.pending(&record.to_string(), false).unwrap();
            kinds.extend(read.edits().iter().map(kind_of));
        }
    }
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), KINDS);
}
