//! Stories of changes: a snapshot, events in their order, and what each is found to do to who reaches what.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

pub type Tested = Result<(), Box<dyn Error>>;

pub const ACCOUNT: &str = "111122223333";
pub const OTHER: &str = "444455556666";
pub const ORDERS: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

pub const PERIMETER: &str = r#"
version = 1
organization = "o-exampleorgid"
management_account = "999988887777"
[environments.production]
mode = "enforce"
accounts = ["111122223333", "444455556666"]
[[vpc]]
id = "vpc-0prod0eu"
region = "eu-west-1"
account = "111122223333"
[[break_glass]]
principal = "arn:aws:iam::*:role/your-emergency-role"
[prove]
session_tags = "none"
"#;

pub fn policy(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub fn text(policy: &Value) -> Value {
    json!(policy.to_string())
}

pub fn allow(action: &str) -> Value {
    policy(json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]))
}

/// The guard of the organization, with this operator for the carve-out.
pub fn guard(operator: &str) -> Value {
    policy(
        json!([{"Sid": "OnlyFromVpc", "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*", "Condition": {
        "StringNotEquals": {"aws:SourceVpc": "vpc-0prod0eu"},
        operator: {"aws:PrincipalArn": "arn:aws:iam::*:role/your-emergency-role"}}}]),
    )
}

/// A table's own lock.
pub fn lock() -> Value {
    policy(
        json!([{"Sid": "Lock", "Effect": "Deny", "Principal": "*", "Action": "dynamodb:*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-0prod0eu"}}}]),
    )
}

pub fn trust(principal: &str) -> Value {
    policy(json!([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}]))
}

pub fn role(account: &str, name: &str, inline: &[Value]) -> Value {
    let inline: Vec<Value> = inline
        .iter()
        .enumerate()
        .map(|(n, document)| json!({"PolicyName": format!("p{n}"), "PolicyDocument": document}))
        .collect();
    json!({"RoleName": name, "RoleId": format!("AROA{name}"), "Path": "/", "Tags": [],
        "Arn": format!("arn:aws:iam::{account}:role/{name}"), "RolePolicyList": inline,
        "AssumeRolePolicyDocument": trust("arn:aws:iam::111122223333:role/on-call"), "AttachedManagedPolicies": []})
}

/// Two accounts in one unit, under one guard.
pub fn snapshot() -> Value {
    let full = "p-FullAWSAccess";
    let roles = [
        role(ACCOUNT, "app", &[allow("dynamodb:*")]),
        role(ACCOUNT, "idle", &[]),
        role(ACCOUNT, "your-emergency-role", &[allow("dynamodb:*")]),
    ];
    json!({
        "version": 1, "taken_at": "2026-11-01T00:00:00Z",
        "accounts": {
            ACCOUNT: {"RoleDetailList": roles, "UserDetailList": [], "GroupDetailList": []},
            OTHER: {"RoleDetailList": [role(OTHER, "app", &[allow("*")])], "UserDetailList": [], "GroupDetailList": []}},
        "organization": {
            "roots": [{"Id": "r-1", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}],
            "parents": {"ou-1": "r-1", ACCOUNT: "ou-1", OTHER: "ou-1"},
            "policies": [
                {"Id": full, "Name": "FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "Content": allow("*")},
                {"Id": "p-guard", "Name": "guard", "Type": "SERVICE_CONTROL_POLICY",
                    "Content": guard("ArnNotLike").to_string()}],
            "attached": {"r-1": [full], "ou-1": [full, "p-guard"], ACCOUNT: [full], OTHER: [full]}},
        "tables": [
            {"arn": ORDERS, "policy": lock(), "tags": {}},
            {"arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/customers", "tags": {}}],
    })
}

/// An event, and the rule of the finding that it makes.
pub struct Step(pub &'static str, pub &'static str, pub Value, pub Value, pub Option<&'static str>);

/// What stood before, and the perimeter that it is judged by.
pub struct World {
    pub snapshot: Value,
    pub perimeter: String,
}

impl World {
    /// The perimeter, with the endpoint that the changes come through.
    pub fn with_endpoint(&self) -> String {
        if self.perimeter.contains("[[endpoint]]") {
            return self.perimeter.clone();
        }
        let endpoint = "[[endpoint]]\nid = \"vpce-0f0\"\nregion = \"eu-west-1\"\naccount = \"111122223333\"\nvpc = \"vpc-0prod0eu\"\n";
        format!("{}{endpoint}", self.perimeter)
    }
}

impl Default for World {
    fn default() -> Self {
        Self { snapshot: snapshot(), perimeter: PERIMETER.to_owned() }
    }
}

impl Step {
    /// An event of which no finding is expected.
    pub fn of(service: &'static str, name: &'static str, request: Value) -> Self {
        Self(service, name, request, Value::Null, None)
    }
}

pub fn iam(name: &'static str, request: Value, rule: Option<&'static str>) -> Step {
    Step("iam", name, request, Value::Null, rule)
}

pub fn organizations(name: &'static str, request: Value, rule: Option<&'static str>) -> Step {
    Step("organizations", name, request, Value::Null, rule)
}

pub fn dynamodb(name: &'static str, request: Value, rule: Option<&'static str>) -> Step {
    Step("dynamodb", name, request, Value::Null, rule)
}

pub fn put_policy(role: &str, policy: &Value) -> Value {
    json!({"roleName": role, "policyName": "more", "policyDocument": text(policy)})
}

pub fn guards() -> Vec<Step> {
    let attachment = || json!({"policyId": "p-guard", "targetId": "ou-1"});
    let content = |guard: Value| json!({"policyId": "p-guard", "content": text(&guard)});
    let scp = || json!({"rootId": "r-1", "policyType": "SERVICE_CONTROL_POLICY"});
    let to = |account: &str, unit: &str| json!({"accountId": account, "sourceParentId": "x", "destinationParentId": unit});
    vec![
        organizations("DetachPolicy", attachment(), Some("guard-removed")),
        organizations("AttachPolicy", attachment(), None),
        organizations("UpdatePolicy", content(guard("StringNotLike")), Some("perimeter-opened")),
        organizations("UpdatePolicy", content(guard("ArnNotLike")), None),
        organizations("UpdatePolicy", json!({"policyId": "p-guard", "name": "another-name"}), None),
        organizations("MoveAccount", to(ACCOUNT, "r-1"), Some("perimeter-opened")),
        organizations("MoveAccount", to(ACCOUNT, "ou-1"), None),
        organizations("DisablePolicyType", scp(), Some("guard-removed")),
        organizations("EnablePolicyType", scp(), None),
        organizations("AttachPolicy", attachment(), None),
        organizations("DeletePolicy", json!({"policyId": "p-other"}), None),
        organizations("RemoveAccountFromOrganization", json!({"accountId": OTHER}), Some("guard-removed")),
    ]
}

pub fn roles() -> Vec<Step> {
    let managed = "arn:aws:iam::111122223333:policy/team";
    let attach = |role: &str| json!({"roleName": role, "policyArn": managed});
    vec![
        iam("PutRolePolicy", put_policy("app", &allow("*")), None),
        iam(
            "CreateRole",
            json!({"roleName": "new", "assumeRolePolicyDocument": text(&trust("arn:aws:iam::111122223333:role/app"))}),
            None,
        ),
        iam(
            "CreatePolicy",
            json!({"policyName": "team", "policyDocument": text(&allow("dynamodb:*"))}),
            None,
        ),
        iam("AttachRolePolicy", attach("new"), None),
        iam(
            "AttachRolePolicy",
            json!({"roleName": "new", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            None,
        ),
        iam(
            "UpdateAssumeRolePolicy",
            json!({"roleName": "your-emergency-role", "policyDocument": text(&trust("arn:aws:iam::111122223333:root"))}),
            Some("break-glass-trust"),
        ),
        iam("UpdateAssumeRolePolicy", json!({"roleName": "app", "policyDocument": text(&trust("*"))}), None),
        iam(
            "CreateRole",
            json!({"roleName": "your-emergency-role", "assumeRolePolicyDocument": "{}"}),
            Some("break-glass-name"),
        ),
        iam("PutRolePolicy", json!({"omitted": true}), Some("change-unreadable")),
        iam("DeleteRole", json!({"roleName": "new"}), None),
        // From here on nothing guards the accounts.
        organizations(
            "DetachPolicy",
            json!({"policyId": "p-guard", "targetId": "ou-1"}),
            Some("guard-removed"),
        ),
        iam("PutRolePolicy", put_policy("idle", &allow("dynamodb:GetItem")), Some("perimeter-opened")),
        iam("PutRolePolicy", put_policy("idle", &allow("dynamodb:GetItem")), None),
        iam("PutRolePolicy", put_policy("idle", &allow("s3:*")), None),
        iam("DeleteRolePolicy", json!({"roleName": "idle", "policyName": "more"}), None),
        iam("PutRolePermissionsBoundary", json!({"roleName": "app", "permissionsBoundary": managed}), None),
        iam(
            "CreatePolicyVersion",
            json!({"policyArn": managed, "policyDocument": text(&allow("s3:*")), "setAsDefault": true}),
            None,
        ),
        iam("DeleteRolePermissionsBoundary", json!({"roleName": "app"}), Some("guard-removed")),
    ]
}

pub fn tables() -> Vec<Step> {
    let of = |policy: Option<Value>| match policy {
        Some(policy) => json!({"resourceArn": ORDERS, "policy": text(&policy)}),
        None => json!({"resourceArn": ORDERS}),
    };
    let stranger = policy(
        json!([{"Effect": "Allow", "Principal": {"AWS": "555566667777"}, "Action": "dynamodb:*", "Resource": "*"}]),
    );
    vec![
        dynamodb("DeleteResourcePolicy", of(None), Some("guard-weakened")),
        dynamodb("PutResourcePolicy", of(Some(lock())), None),
        dynamodb("PutResourcePolicy", of(Some(stranger)), Some("external-grant")),
        dynamodb("PutResourcePolicy", of(Some(lock())), None),
        dynamodb("CreateTable", json!({"tableName": "bare"}), Some("unguarded-table")),
        dynamodb("CreateTable", json!({"tableName": "guarded", "resourcePolicy": text(&lock())}), None),
        dynamodb(
            "RestoreTableToPointInTime",
            json!({"sourceTableName": "orders", "targetTableName": "copy"}),
            Some("unguarded-table"),
        ),
        dynamodb(
            "CreateGlobalTable",
            json!({"globalTableName": "orders", "replicationGroup": [{"regionName": "eu-west-1"}]}),
            None,
        ),
        dynamodb(
            "UpdateGlobalTable",
            json!({"globalTableName": "orders", "replicaUpdates": [{"create": {"regionName": "us-east-1"}}]}),
            Some("unguarded-table"),
        ),
        dynamodb("UpdateGlobalTable", json!({"omitted": true}), Some("change-unreadable")),
        organizations(
            "DetachPolicy",
            json!({"policyId": "p-guard", "targetId": "ou-1"}),
            Some("guard-removed"),
        ),
        dynamodb("DeleteResourcePolicy", of(None), Some("guard-removed")),
        // A table without a policy is open at once, and that is more severe.
        dynamodb("CreateTable", json!({"tableName": "another"}), Some("perimeter-opened")),
    ]
}

pub fn endpoints() -> Vec<Step> {
    let wrapped = |fields: Value| json!({"ModifyVpcEndpointRequest": fields});
    let narrow =
        policy(json!([{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": "*"}]));
    let made = |vpc: &str| json!({"CreateVpcEndpointRequest": {"VpcId": vpc, "ServiceName": "com.amazonaws.eu-west-1.dynamodb"}});
    let answer = |id: &str| json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": id}}});
    vec![
        Step("ec2", "CreateVpcEndpoint", made("vpc-0prod0eu"), answer("vpce-0a1"), Some("endpoint-opened")),
        Step("ec2", "CreateVpcEndpoint", made("vpc-0other"), answer("vpce-0a2"), None),
        Step(
            "ec2",
            "ModifyVpcEndpoint",
            wrapped(json!({"VpcEndpointId": "vpce-0a1", "PolicyDocument": text(&narrow)})),
            Value::Null,
            None,
        ),
        Step(
            "ec2",
            "ModifyVpcEndpoint",
            wrapped(json!({"VpcEndpointId": "vpce-0a1", "PolicyDocument": text(&allow("*"))})),
            Value::Null,
            Some("endpoint-opened"),
        ),
        Step(
            "ec2",
            "ModifyVpcEndpoint",
            wrapped(json!({"VpcEndpointId": "vpce-0a1", "ResetPolicy": true})),
            Value::Null,
            Some("endpoint-opened"),
        ),
        Step(
            "ec2",
            "ModifyVpcEndpoint",
            wrapped(json!({"VpcEndpointId": "vpce-0a2", "ResetPolicy": true})),
            Value::Null,
            None,
        ),
    ]
}

/// The records of a story, a minute after another.
pub fn records(story: &[Step]) -> Vec<Value> {
    let record = |(n, Step(service, name, request, response, _)): (usize, &Step)| {
        let account = if *service == "organizations" { "999988887777" } else { ACCOUNT };
        let region = if matches!(*service, "dynamodb" | "ec2") { "eu-west-1" } else { "us-east-1" };
        json!({
            "eventVersion": "1.11", "eventID": format!("e-{n:02}"),
            "eventTime": format!("2026-11-25T00:{n:02}:00Z"), "eventSource": format!("{service}.amazonaws.com"),
            "eventName": name, "awsRegion": region, "recipientAccountId": account, "readOnly": false,
            "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
            "sourceIPAddress": "10.0.0.10", "vpcEndpointId": "vpce-0f0", "userAgent": "terraform",
            "userIdentity": {"type": "AssumedRole", "principalId": "AROAEXAMPLEEXAMPLE09:ci", "accountId": account,
                "arn": format!("arn:aws:sts::{account}:assumed-role/ci/ci"), "sessionContext": {"sessionIssuer": {
                    "type": "Role", "principalId": "AROAEXAMPLEEXAMPLE09", "accountId": account, "userName": "ci",
                    "arn": format!("arn:aws:iam::{account}:role/ci")}}},
            "requestParameters": request, "responseElements": response,
        })
    };
    story.iter().enumerate().map(record).collect()
}

/// What a scan of these records finds: JSON, with what stood before.
pub fn scanned(world: &World, folder: &Path, records: &[Value]) -> Result<Value, Box<dyn Error>> {
    let (config, before, log) =
        (folder.join("perimeter.toml"), folder.join("snapshot.json"), folder.join("log.ndjson"));
    std::fs::write(&config, world.with_endpoint())?;
    std::fs::write(&before, world.snapshot.to_string())?;
    std::fs::write(&log, records.iter().map(|record| format!("{record}\n")).collect::<String>())?;
    let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
        .args(["scan", "--store", "none", "--format", "json", "--config"])
        .arg(&config)
        .arg("--snapshot")
        .arg(&before)
        .arg(&log)
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What a sweep of a snapshot finds, and how it ends.
pub fn swept(snapshot: &Value) -> Result<(Value, Option<i32>), Box<dyn Error>> {
    swept_in(&World { snapshot: snapshot.clone(), ..World::default() })
}

pub fn swept_in(world: &World) -> Result<(Value, Option<i32>), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (config, stands) = (folder.path().join("perimeter.toml"), folder.path().join("snapshot.json"));
    std::fs::write(&config, &world.perimeter)?;
    std::fs::write(&stands, world.snapshot.to_string())?;
    let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
        .args(["sweep", "--store", "none", "--format", "json", "--config"])
        .arg(&config)
        .arg("--snapshot")
        .arg(&stands)
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((serde_json::from_slice(&output.stdout).map_err(|_| error)?, output.status.code()))
}

/// Who gets in where, by the last parts of their ARNs.
pub fn ways(result: &Value) -> Vec<String> {
    let last = |arn: &Value| {
        arn.as_str().unwrap_or_default().rsplit([':', '/']).next().unwrap_or_default().to_owned()
    };
    let opened = result["opened"].as_array().cloned().unwrap_or_default();
    opened.iter().map(|way| format!("{} {}", last(&way["principal"]), last(&way["table"]))).collect()
}

#[test]
fn a_sweep_proves_every_table_against_everybody() -> Tested {
    let (result, code) = swept(&snapshot())?;
    assert_eq!((ways(&result), code), (Vec::new(), Some(0)), "{result:#}");
    assert_eq!(result["closed_accounts"], json!([ACCOUNT, OTHER]));
    assert_eq!((&result["principals"], &result["tables"]), (&json!(4), &json!(2)));

    // Without the guard, `orders` has its own lock, which speaks of no backup; and break-glass is no finding.
    let mut open = snapshot();
    open["organization"]["attached"]["ou-1"] = json!(["p-FullAWSAccess"]);
    let (result, code) = swept(&open)?;
    // Roles of the other account have no grant on this one's tables, and none of their own.
    assert_eq!(ways(&result), ["app customers", "app orders", "root *", "app *", "root *"], "{result:#}");
    assert_eq!((result["closed_accounts"].clone(), code), (json!([]), Some(1)));

    // Strangers are asked about by nothing, and so is whom a policy lets in of them.
    let mut granted = snapshot();
    granted["tables"][1]["policy"] = policy(json!([{"Effect": "Allow", "Principal": {"AWS": "555566667777"},
        "Action": "dynamodb:*", "Resource": "*"}]));
    let (result, code) = swept(&granted)?;
    let untold = result["untold"][0]["principal"].as_str().map(|arn| arn.ends_with("customers"));
    assert_eq!((untold, code), (Some(true), Some(2)));

    // What is not known is not called closed.
    let app = &mut open["accounts"][ACCOUNT]["RoleDetailList"][1];
    app["AttachedManagedPolicies"] = json!([{"PolicyArn": "arn:aws:iam::aws:policy/Unlisted"}]);
    let (result, code) = swept(&open)?;
    assert_eq!(
        (result["untold"][0]["principal"].clone(), code),
        (json!("arn:aws:iam::111122223333:role/idle"), Some(2))
    );
    assert!(result["untold"][0]["unknown"][0].to_string().contains("arn:aws:iam::aws:policy/Unlisted"));
    Ok(())
}

#[test]
fn what_could_not_be_read_is_neither_open_nor_closed() -> Tested {
    // Nobody gets in, as far as it is known.
    let mut partly = snapshot();
    partly["unread"] = json!([{"what": "account 222233334444", "why": "AccessDenied: \u{1b}[31mno"}]);
    let (result, code) = swept(&partly)?;
    assert_eq!((ways(&result), code), (Vec::new(), Some(2)));
    assert_eq!(result["unread"], partly["unread"]);

    // As it is written where the organization could not be read.
    let types = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"];
    let types = types.map(|kind| json!({"Type": kind, "Status": "ENABLED"}));
    partly["organization"] = json!({"roots": [{"Id": "unread", "PolicyTypes": types}],
        "parents": {ACCOUNT: "unread", OTHER: "unread"}});
    let (result, code) = swept(&partly)?;
    assert_eq!((ways(&result), code), (Vec::new(), Some(2)), "{result:#}");
    assert_eq!(result["closed_accounts"], json!([]));
    assert!(result["untold"].as_array().is_some_and(|all| !all.is_empty()), "{result:#}");

    // A table whose policy is not told is not taken for one without.
    let mut untold = snapshot();
    untold["organization"]["attached"]["ou-1"] = json!(["p-FullAWSAccess"]);
    untold["tables"] = json!([{"arn": ORDERS, "untold": true}]);
    let (result, code) = swept(&untold)?;
    assert!(!ways(&result).contains(&"app orders".to_owned()), "{result:#}");
    assert_eq!(code, Some(2), "{result:#}");
    Ok(())
}

#[test]
fn the_sample_of_a_snapshot_is_one() -> Tested {
    let page = std::fs::read_to_string(crate::corpus::root().join("docs/changes.md"))?;
    let sample = page.split("```json\n").nth(1).and_then(|block| block.split("```").next());
    let sample: Value = serde_json::from_str(sample.ok_or("no sample")?)?;
    // Its policies say nothing, which no policy does.
    assert_eq!(swept(&sample)?.1, Some(2));
    Ok(())
}

/// The rule by the event that it was raised for.
fn found(result: &Value) -> BTreeMap<String, Value> {
    let findings = result["findings"].as_array().cloned().unwrap_or_default();
    let of = |finding: &Value| {
        let events = finding["evidence"].as_array().cloned().unwrap_or_default();
        events
            .into_iter()
            .filter_map(|id| Some((id.as_str()?.to_owned(), finding["rule"].clone())))
            .collect::<Vec<_>>()
    };
    findings.iter().flat_map(of).collect()
}

pub fn told(story: &[Step]) -> Result<Value, Box<dyn Error>> {
    told_in(&World::default(), story)
}

pub fn told_in(world: &World, story: &[Step]) -> Result<Value, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let result = scanned(world, folder.path(), &records(story))?;
    let rules = found(&result);
    for (n, Step(service, name, request, _, expected)) in story.iter().enumerate() {
        let rule = rules.get(&format!("e-{n:02}")).and_then(Value::as_str);
        assert_eq!(rule, *expected, "{n}: {service}:{name} {request}\n{result:#}");
    }
    Ok(result)
}

#[test]
fn guards_that_go_and_come() -> Tested {
    told(&guards()).map(drop)
}

#[test]
fn what_roles_are_given() -> Tested {
    told(&roles()).map(drop)
}

#[test]
fn tables_and_their_policies() -> Tested {
    told(&tables()).map(drop)
}

#[test]
fn endpoints_and_their_policies() -> Tested {
    told(&endpoints()).map(drop)
}

#[test]
fn the_order_in_which_events_come_is_of_no_matter() -> Tested {
    let world = World::default();
    for story in [guards(), roles(), tables(), endpoints()] {
        let in_order = records(&story);
        let mut otherwise: Vec<Value> =
            in_order.iter().rev().chain(in_order.iter().step_by(2)).cloned().collect();
        otherwise.swap(0, 3);
        let folder = tempfile::tempdir()?;
        let (one, other) =
            (scanned(&world, folder.path(), &in_order)?, scanned(&world, folder.path(), &otherwise)?);
        assert_eq!(one["findings"], other["findings"]);
    }
    Ok(())
}

#[test]
fn a_finding_says_who_gets_in_and_by_what() -> Tested {
    let result = told(&guards())?;
    let findings = result["findings"].as_array().cloned().unwrap_or_default();
    let first = findings.iter().find(|finding| finding["evidence"][0] == "e-00").ok_or("no finding")?;
    assert_eq!(
        first["reason"],
        json!(
            "role ci: organization policy `p-guard` detached from `ou-1`; from outside, \
        arn:aws:iam::111122223333:role/0 may now do dynamodb:GetItem to \
        arn:aws:dynamodb:eu-west-1:111122223333:table/customers, by FullAWSAccess, #1; and 5 more ways in."
        )
    );
    assert_eq!(
        first["resources"],
        json!([
            "arn:aws:organizations::999988887777:ou/o-exampleorgid/ou-1",
            "arn:aws:organizations::999988887777:policy/o-exampleorgid/service_control_policy/p-guard"
        ])
    );
    Ok(())
}

/// A call to a table, at so many minutes past midnight; with a message, it was refused.
pub fn call(id: &str, minute: u32, [role, name, ip]: [&str; 3], refused: Option<&str>) -> Value {
    let inside = ip.starts_with("10.");
    let mut record = json!({
        "eventVersion": "1.11", "eventID": id, "eventTime": format!("2026-11-25T{:02}:{:02}:30Z", minute / 60, minute % 60),
        "eventSource": "dynamodb.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
        "recipientAccountId": ACCOUNT, "readOnly": true, "eventType": "AwsApiCall", "managementEvent": false,
        "eventCategory": "Data", "sourceIPAddress": ip, "userAgent": "aws-sdk", "tlsDetails": {"tlsVersion": "TLSv1.3"},
        "userIdentity": {"type": "AssumedRole", "principalId": format!("AROA{role}:s"), "accountId": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s"), "sessionContext": {"sessionIssuer": {
                "type": "Role", "principalId": format!("AROA{role}"), "accountId": ACCOUNT, "userName": role,
                "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}")}}},
        "requestParameters": {"tableName": "customers"},
        "resources": [{"accountId": ACCOUNT, "type": "AWS::DynamoDB::Table", "ARN": CUSTOMERS}],
    });
    if inside {
        record["vpcEndpointId"] = json!("vpce-0f0");
    }
    if let Some(end) = refused {
        record["errorCode"] = json!("AccessDenied");
        record["errorMessage"] = json!(format!(
            "User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s is not \
            authorized to perform: dynamodb:{name} on resource: {CUSTOMERS}{end}"
        ));
    }
    record
}

const CUSTOMERS: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/customers";

/// The guard of the organization is detached at one o'clock, and attached again at two.
pub fn gap() -> Vec<Value> {
    let attachment = json!({"policyId": "p-guard", "targetId": "ou-1"});
    let mut changes = records(&[
        organizations("DetachPolicy", attachment.clone(), None),
        organizations("AttachPolicy", attachment, None),
    ]);
    changes[0]["eventTime"] = json!("2026-11-25T01:00:00Z");
    changes[1]["eventTime"] = json!("2026-11-25T02:00:00Z");
    changes
}

/// What calls around that gap are found to be, by the rule: each finding of such a rule.
fn held(calls: &[Value], change: impl FnOnce(&mut Value)) -> Result<(Value, Vec<Value>), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut before = snapshot();
    let open = policy(json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]));
    before["endpoints"] = json!({"VpcEndpoints": [{"VpcEndpointId": "vpce-0f0", "VpcId": "vpc-0prod0eu",
        "ServiceName": "com.amazonaws.eu-west-1.dynamodb", "PolicyDocument": open.to_string()}]});
    change(&mut before);
    let records: Vec<Value> = gap().into_iter().chain(calls.iter().cloned()).collect();
    let result = scanned(&World { snapshot: before.clone(), ..World::default() }, folder.path(), &records)?;
    let findings = result["findings"].as_array().cloned().unwrap_or_default();
    let of_calls = findings.into_iter().filter(|finding| finding["resources"] == json!([CUSTOMERS]));
    Ok((result["summary"]["replays"].clone(), of_calls.collect()))
}

fn of_rule<'f>(findings: &'f [Value], rule: &str) -> Option<&'f Value> {
    findings.iter().find(|finding| finding["rule"] == rule)
}

const OUTSIDE: &str = "203.0.113.7";

#[test]
fn a_finding_says_what_let_the_call_through() -> Tested {
    let calls = [
        call(
            "c-denied",
            30,
            ["app", "GetItem", OUTSIDE],
            Some(" with an explicit deny in a service control policy"),
        ),
        call("c-open", 90, ["app", "GetItem", OUTSIDE], None),
        call("c-inside", 30, ["app", "GetItem", "10.0.0.7"], None),
    ];
    let (replays, findings) = held(&calls, |_| {})?;
    let finding = of_rule(&findings, "public-access").ok_or("no finding")?;
    assert_eq!(
        finding["allowed_by"],
        json!([{"policy": "FullAWSAccess", "statement": "#1"}, {"policy": "p0", "statement": "#1"}])
    );
    let remedy = finding["remedy"].as_str().unwrap_or_default();
    assert!(
        remedy.starts_with(
            "The least that would have stopped `GetItem`: a `Deny` of `dynamodb:GetItem` with `StringNotEqualsIfExists` on \
             `aws:SourceVpc` (`vpc-0prod0eu`), in a service control policy over account 111122223333.\n\n"
        ),
        "{remedy}"
    );
    assert_eq!(finding["count"], 1);
    // What was refused, and what came from inside, is explained as well, and is no finding of ours.
    let expected = json!({"explained": 3, "contradicted": 0, "unknown": 0, "before_snapshot": 0, "not_held": 0,
        "unknown_because": []});
    // The changes themselves are no calls to DynamoDB.
    assert_eq!(replays, expected);
    assert!(of_rule(&findings, "model-mismatch").is_none());
    let denied = of_rule(&findings, "denied-attempt").ok_or("no attempt")?;
    assert_eq!(denied["allowed_by"], json!([]));
    Ok(())
}

#[test]
fn what_the_policies_do_not_explain_is_a_finding_with_both_sides() -> Tested {
    let calls = [
        call("c-through", 30, ["app", "GetItem", OUTSIDE], None),
        call(
            "c-refused",
            90,
            ["app", "Scan", OUTSIDE],
            Some(" because no identity-based policy allows the dynamodb:Scan action"),
        ),
    ];
    let (replays, findings) = held(&calls, |_| {})?;
    assert_eq!((&replays["contradicted"], &replays["explained"]), (&json!(2), &json!(0)));
    // Both are of one caller, one table and one origin.
    let found = of_rule(&findings, "model-mismatch").ok_or("no finding")?;
    assert_eq!((&found["severity"], &found["count"]), (&json!("medium"), &json!(2)));
    let reason_of = |calls: &[Value]| -> Result<String, Box<dyn Error>> {
        let (_, findings) = held(calls, |_| {})?;
        let found = of_rule(&findings, "model-mismatch").ok_or("no finding")?;
        Ok(found["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(
        reason_of(&calls[..1])?,
        "role app called GetItem from the public address 203.0.113.7, through no endpoint; CloudTrail shows that it was \
         let through; by the policies that are known, statement `OnlyFromVpc` of policy `guard` denies it."
    );
    assert_eq!(
        reason_of(&calls[1..])?,
        "role app called Scan from the public address 203.0.113.7, through no endpoint (AccessDenied); CloudTrail shows \
         that it was refused (its message: no identity-based policy allows it); by the policies that are known, it is \
         allowed: by FullAWSAccess, #1; p0, #1."
    );
    // The call's own finding stands beside it, and names no statement where none allows it.
    let own = of_rule(&findings, "public-access").ok_or("no finding of the call")?;
    assert_eq!(own["allowed_by"], json!([]));
    Ok(())
}

#[test]
fn what_cannot_be_told_is_no_mismatch() -> Tested {
    let through = |minute| call("c-1", minute, ["app", "GetItem", OUTSIDE], None);
    let refused = |minute, why| call("c-1", minute, ["app", "GetItem", OUTSIDE], Some(why));
    let none = |calls: &[Value], change: &dyn Fn(&mut Value), expected: &str| -> Tested {
        let (replays, findings) = held(calls, |before| change(before))?;
        assert!(of_rule(&findings, "model-mismatch").is_none(), "{findings:#?}");
        assert_eq!(replays[expected], json!(calls.len()), "{replays}");
        Ok(())
    };
    let as_is = |_: &mut Value| {};
    let explicit = " with an explicit deny in a service control policy";
    // A change takes a while until it is in effect everywhere, in either direction.
    none(&[refused(62, explicit)], &as_is, "unknown")?;
    none(&[through(122)], &as_is, "unknown")?;
    // A session may have policies of its own, and a call may be refused for something else that it does.
    none(&[refused(90, "")], &as_is, "unknown")?;
    none(&[refused(90, " because no session policy allows the dynamodb:GetItem action")], &as_is, "unknown")?;
    let mut key = refused(90, explicit);
    key["errorMessage"] = json!(
        "User: x is not authorized to perform: kms:Decrypt on resource: y with an explicit deny in a resource-based policy"
    );
    none(&[key], &as_is, "unknown")?;
    // A signature that is wrong is no matter of policies.
    let mut unsigned = refused(90, explicit);
    unsigned["errorCode"] = json!("InvalidSignatureException");
    none(&[unsigned], &as_is, "unknown")?;
    // Texts that nobody told, and roles, tables and accounts that are not in the snapshot.
    let untold = |before: &mut Value| {
        before["accounts"][ACCOUNT]["RoleDetailList"][0]["AttachedManagedPolicies"] =
            json!([{"PolicyArn": "arn:aws:iam::aws:policy/Unlisted"}]);
    };
    none(&[refused(90, explicit)], &untold, "unknown")?;
    none(&[refused(90, explicit)], &|before| before["tables"] = json!([]), "unknown")?;
    none(&[refused(90, explicit)], &|before| before["organization"] = json!({}), "unknown")?;
    none(&[call("c-1", 90, ["nobody", "GetItem", OUTSIDE], Some(explicit))], &as_is, "unknown")?;
    // What stood before the snapshot is not known.
    let late = |before: &mut Value| before["taken_at"] = json!("2026-11-25T00:45:00Z");
    none(&[through(30)], &late, "before_snapshot")?;
    // Nor is who called, which tables a call asked for, and which permission was checked.
    let mut sent = through(30);
    sent["requestParameters"] = json!({"statement": "SELECT * FROM customers"});
    sent["eventName"] = json!("ExecuteStatement");
    none(&[sent], &as_is, "unknown")
}

#[test]
fn what_surely_allows_a_call_is_named_where_the_rest_is_not_known() -> Tested {
    let untold = |before: &mut Value| {
        before["accounts"][ACCOUNT]["RoleDetailList"][0]["AttachedManagedPolicies"] =
            json!([{"PolicyArn": "arn:aws:iam::aws:policy/Unlisted"}]);
    };
    let (replays, findings) = held(&[call("c-1", 90, ["app", "GetItem", OUTSIDE], None)], untold)?;
    assert_eq!(replays["unknown"], 1);
    let why = "what policy `arn:aws:iam::aws:policy/Unlisted` says";
    assert_eq!(replays["unknown_because"], json!([{"why": why, "calls": 1}]));
    let finding = of_rule(&findings, "public-access").ok_or("no finding")?;
    assert_eq!(finding["allowed_by"], json!([{"policy": "FullAWSAccess", "statement": "#1"}]));
    Ok(())
}

#[test]
fn calls_in_any_order_and_twice_are_held_alike() -> Tested {
    let mut calls: Vec<Value> = (0..40u32)
        .map(|n| {
            let name = ["GetItem", "Scan", "PutItem"][n as usize % 3];
            let ip = [OUTSIDE, "10.0.0.7", "198.51.100.9", "10.0.0.8"][n as usize % 4];
            let refused = n % 5 == 0;
            let why = refused.then_some(" with an explicit deny in a service control policy");
            call(&format!("c-{n:02}"), n * 4, [["app", "idle"][n as usize % 2], name, ip], why)
        })
        .collect();
    let (replays, findings) = held(&calls, |_| {})?;
    assert!(of_rule(&findings, "model-mismatch").is_some() && !findings.is_empty());
    let again: Vec<Value> = calls.iter().step_by(3).cloned().collect();
    calls.reverse();
    calls.splice(5..5, again);
    let (doubled, others) = held(&calls, |_| {})?;
    assert_eq!(findings, others);
    let sum =
        |replays: &Value| replays.as_object().map(|all| all.values().filter_map(Value::as_u64).sum::<u64>());
    assert_eq!((sum(&replays), sum(&doubled)), (Some(40), Some(40 + 14)));
    Ok(())
}

#[test]
fn without_a_snapshot_nothing_is_held() -> Tested {
    let folder = tempfile::tempdir()?;
    let (config, log) = (folder.path().join("perimeter.toml"), folder.path().join("log.ndjson"));
    std::fs::write(&config, PERIMETER)?;
    std::fs::write(&log, call("c-1", 30, ["app", "GetItem", OUTSIDE], None).to_string())?;
    let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
        .args(["scan", "--store", "none", "--format", "json", "--config"])
        .arg(&config)
        .arg(&log)
        .output()?;
    let result: Value = serde_json::from_slice(&output.stdout)?;
    assert!(result["summary"].get("replays").is_none());
    assert_eq!(result["findings"][0]["allowed_by"], json!([]));
    assert_eq!(result["findings"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[test]
fn what_let_a_call_through_is_kept() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("findings.db");
    let (config, before, log) = (
        folder.path().join("perimeter.toml"),
        folder.path().join("snapshot.json"),
        folder.path().join("log.ndjson"),
    );
    std::fs::write(&config, PERIMETER)?;
    std::fs::write(&before, snapshot().to_string())?;
    let records: Vec<Value> =
        gap().into_iter().chain([call("c-1", 90, ["app", "GetItem", OUTSIDE], None)]).collect();
    std::fs::write(&log, records.iter().map(|record| format!("{record}\n")).collect::<String>())?;
    let run = |args: &[&str], rest: &[&Path]| -> Result<String, Box<dyn Error>> {
        let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
            .args(args)
            .arg("--config")
            .arg(&config)
            .arg("--store")
            .arg(&store)
            .args(rest)
            .output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    };
    // A scan without a snapshot brings nothing and takes nothing away, and neither does one that comes again.
    let scan = ["scan", "--quiet", "--format", "ndjson"];
    run(&scan, &[&log])?;
    run(&scan, &[Path::new("--snapshot"), &before, &log])?;
    run(&scan, &[Path::new("--snapshot"), &before, &log])?;
    run(&scan, &[&log])?;
    let listed: Value = serde_json::from_str(
        run(&["findings", "list", "--format", "ndjson", "--rule", "public-access"], &[])?.trim(),
    )?;
    assert_eq!((&listed["allowed_by"][0]["policy"], &listed["count"]), (&json!("FullAWSAccess"), &json!(1)));
    let id = listed["id"].as_str().ok_or("no id")?;
    let shown: Value = serde_json::from_str(&run(&["findings", "show", id, "--format", "json"], &[])?)?;
    assert_eq!((&shown["allowed_by"], &shown["remedy"]), (&listed["allowed_by"], &listed["remedy"]));
    let text = run(&["findings", "show", id], &[])?;
    assert!(text.contains("Allowed by\n  FullAWSAccess, statement #1\n  p0, statement #1\n"), "{text}");
    assert!(text.contains("The least that would have stopped"), "{text}");
    Ok(())
}
