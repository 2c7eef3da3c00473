//! Reading, against a stand-in of AWS at the SDK's own edge: what is sent and read is what is sent to AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::*;
use crate::iam::state::piece::{Piece, Wanted};
use crate::iam::state::snapshot::Snapshot;
use crate::iam::state::{ControlKind, HolderId, HolderKind, Text};
use crate::perimeter::config;
use crate::watch::lookup::Lookup;

const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";
const MANAGEMENT: &str = "999988887777";

const PERIMETER: &str = r#"
version = 1
organization = "o-exampleorgid"
management_account = "999988887777"
[environments.production]
mode = "enforce"
accounts = ["111122223333"]
[environments.development]
mode = "exempt"
accounts = ["444455556666"]
[[vpc]]
id = "vpc-0prod0eu"
region = "eu-west-1"
account = "111122223333"
"#;

/// What was asked: by whom, where, and for what.
#[derive(Clone, Debug)]
struct Call {
    account: String,
    region: String,
    service: String,
    operation: String,
    body: String,
}

impl Call {
    /// Who asks is in the key of the signature, as the stand-in gives keys.
    fn of(request: &HttpRequest) -> Self {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let signed = request.headers().get("authorization").unwrap();
        let scope = signed.split("Credential=").nth(1).unwrap().split(',').next().unwrap();
        let [key, _, region, service, _] = scope.split('/').collect::<Vec<_>>().try_into().unwrap();
        let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let action = body.split('&').find_map(|part| part.strip_prefix("Action="));
        Self {
            account: key.trim_start_matches("AK").to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            operation: target.or(action).unwrap_or_default().to_owned(),
            body,
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn is(&self, operation: &str) -> bool {
        self.operation == operation
    }
}

type Answer = (u16, String);

/// In the place of a status: there is no answer.
const UNREACHED: u16 = 0;
type Rule = Box<dyn Fn(&Call) -> Option<Answer> + Send + Sync>;

#[derive(Clone)]
struct Aws {
    rule: Arc<Rule>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aws")
    }
}

impl HttpClient for Aws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::of(&request);
        let (status, body) = (self.rule)(&call).unwrap_or_else(|| usual(&call));
        self.calls.lock().unwrap().push(call);
        if status == UNREACHED {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("no route".into())));
        }
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Aws {
    fn where_also(rule: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self { rule: Arc::new(Box::new(rule)), calls: Arc::default() }
    }

    fn config(&self, retries: RetryConfig) -> SdkConfig {
        let keys = Credentials::new(format!("AK{OWN}"), "secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .retry_config(retries)
            .http_client(self.clone())
            .build()
    }

    fn collect_with(&self, retries: RetryConfig) -> Result<Collected, NoIdentity> {
        let perimeter = config::parse(PERIMETER).unwrap().perimeter;
        let plan = Plan::new(&perimeter, "/team/perimeter-audit", &["us-east-1".to_owned()]).unwrap();
        let collector = Collector::new(self.config(retries), ServiceUrls::default(), plan);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(collector.collect("2026-11-25T00:00:00Z".parse().unwrap(), &|_| ()))
    }

    fn collect(&self) -> (Collected, Snapshot) {
        let soon = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
        let collected = self.collect_with(soon).unwrap();
        let snapshot = Snapshot::parse(collected.snapshot.to_string().as_bytes()).unwrap();
        assert_eq!(collected.unread, snapshot.unread);
        (collected, snapshot)
    }

    fn lookup(&self) -> PartLookup {
        let perimeter = config::parse(PERIMETER).unwrap().perimeter;
        let plan = Plan::new(&perimeter, "/team/perimeter-audit", &[]).unwrap();
        let soon = retries_of_part().with_initial_backoff(Duration::from_millis(1));
        PartLookup::new(Collector::new(self.config(soon), ServiceUrls::default(), plan))
    }

    fn asked(&self, operation: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.is(operation)).count()
    }
}

fn unread(collected: &Collected) -> BTreeMap<&str, &str> {
    collected.unread.iter().map(|one| (one.what.as_str(), one.why.as_str())).collect()
}

fn xml(operation: &str, result: &str) -> Answer {
    let name = format!("{operation}Response");
    (200, format!("<{name}><{operation}Result>{result}</{operation}Result></{name}>"))
}

fn refused(code: &str) -> Answer {
    (400, json!({ "__type": format!("com.amazonaws#{code}"), "message": "no" }).to_string())
}

fn refused_in_xml(code: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>");
    (403, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

/// AWS, where all is well: lists come in two pages each.
fn usual(call: &Call) -> Answer {
    let is_everywhere = matches!(call.service.as_str(), "iam" | "organizations");
    assert!(!is_everywhere || call.region == "us-east-1", "{call:?}");
    match call.service.as_str() {
        "sts" => sts(call),
        "iam" => iam(call),
        "organizations" => (200, organizations(call).to_string()),
        "dynamodb" => dynamodb(call),
        "cloudcontrolapi" => (200, cloudcontrol(call).to_string()),
        other => panic!("{other}: {call:?}"),
    }
}

fn sts(call: &Call) -> Answer {
    if call.is("GetCallerIdentity") {
        let arn = format!("arn:aws:sts::{OWN}:assumed-role/reader/me");
        return xml(
            "GetCallerIdentity",
            &format!("<Arn>{arn}</Arn><UserId>u</UserId><Account>{OWN}</Account>"),
        );
    }
    assert!(call.body.contains("RoleSessionName=perimeter-collector"), "{call:?}");
    let role = call.body.split("RoleArn=arn%3Aaws%3Aiam%3A%3A").nth(1).unwrap();
    assert!(role.contains("%3Arole%2Fteam%2Fperimeter-audit"), "{call:?}");
    let keys = format!(
        "<AccessKeyId>AK{}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2100-01-01T00:00:00Z</Expiration>",
        &role[..12]
    );
    xml("AssumeRole", &format!("<Credentials>{keys}</Credentials>"))
}

const DOCUMENT: &str = "%7B%22Statement%22%3A%5B%5D%7D";

fn iam(call: &Call) -> Answer {
    let account = &call.account;
    let role = |name: &str| {
        format!(
            "<member><Path>/</Path><RoleName>{name}</RoleName><RoleId>AROA{name}</RoleId><Arn>arn:aws:iam::{account}:role/{name}</Arn>\
             <AssumeRolePolicyDocument>{DOCUMENT}</AssumeRolePolicyDocument>\
             <RolePolicyList><member><PolicyName>own</PolicyName><PolicyDocument>{DOCUMENT}</PolicyDocument></member></RolePolicyList>\
             <AttachedManagedPolicies><member><PolicyName>M</PolicyName><PolicyArn>arn:aws:iam::aws:policy/M</PolicyArn></member></AttachedManagedPolicies>\
             <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>arn:b</PermissionsBoundaryArn></PermissionsBoundary>\
             <Tags><member><Key>k</Key><Value>v</Value></member></Tags></member>"
        )
    };
    if !call.body.contains("Marker=more") {
        let roles = format!("<RoleDetailList>{}</RoleDetailList>", role("first"));
        return xml(
            "GetAccountAuthorizationDetails",
            &format!("<IsTruncated>true</IsTruncated><Marker>more</Marker>{roles}"),
        );
    }
    let user = format!(
        "<UserDetailList><member><UserName>ann</UserName><Arn>arn:aws:iam::{account}:user/ann</Arn><GroupList><member>team</member></GroupList></member></UserDetailList>\
         <GroupDetailList><member><GroupName>team</GroupName><Arn>arn:aws:iam::{account}:group/team</Arn></member></GroupDetailList>"
    );
    let managed = format!(
        "<Policies><member><PolicyName>M</PolicyName><Arn>arn:aws:iam::aws:policy/M</Arn><DefaultVersionId>v2</DefaultVersionId>\
         <PolicyVersionList><member><VersionId>v2</VersionId><IsDefaultVersion>true</IsDefaultVersion><Document>{DOCUMENT}</Document></member></PolicyVersionList></member></Policies>"
    );
    let roles = format!("<RoleDetailList>{}</RoleDetailList>", role("second"));
    xml("GetAccountAuthorizationDetails", &format!("<IsTruncated>false</IsTruncated>{roles}{user}{managed}"))
}

fn organizations(call: &Call) -> Value {
    let body = call.json();
    let (parent, policy) = (body["ParentId"].as_str(), body["PolicyId"].as_str());
    let is_second = body["NextToken"] == "more";
    match (call.operation.as_str(), parent.or(policy).unwrap_or_default()) {
        ("ListRoots", _) => json!({ "Roots": [{ "Id": "r-1", "Name": "Root", "PolicyTypes": [
            { "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" },
            { "Type": "RESOURCE_CONTROL_POLICY", "Status": "ENABLED" }] }] }),
        ("ListOrganizationalUnitsForParent", "r-1") if is_second => {
            json!({ "OrganizationalUnits": [{ "Id": "ou-2" }] })
        }
        ("ListOrganizationalUnitsForParent", "r-1") => {
            json!({ "OrganizationalUnits": [{ "Id": "ou-1" }], "NextToken": "more" })
        }
        ("ListOrganizationalUnitsForParent", "ou-1") => {
            json!({ "OrganizationalUnits": [{ "Id": "ou-1-1" }] })
        }
        ("ListOrganizationalUnitsForParent", _) => json!({ "OrganizationalUnits": [] }),
        ("ListAccountsForParent", "r-1") => json!({ "Accounts": [{ "Id": MANAGEMENT }] }),
        ("ListAccountsForParent", "ou-1-1") => json!({ "Accounts": [{ "Id": OWN }] }),
        ("ListAccountsForParent", "ou-2") => json!({ "Accounts": [{ "Id": OTHER }] }),
        ("ListAccountsForParent", _) => json!({ "Accounts": [] }),
        ("ListPolicies", _) if body["Filter"] == "SERVICE_CONTROL_POLICY" => {
            json!({ "Policies": [{ "Id": "p-scp", "Name": "guard", "Type": "SERVICE_CONTROL_POLICY" }] })
        }
        ("ListPolicies", _) if body["Filter"] == "TAG_POLICY" => {
            json!({ "Policies": [{ "Id": "p-tags", "Name": "tags", "Type": "TAG_POLICY" }] })
        }
        ("ListPolicies", _) if body["Filter"] != "RESOURCE_CONTROL_POLICY" => json!({ "Policies": [] }),
        ("ListPolicies", _) => {
            json!({ "Policies": [{ "Id": "p-rcp", "Name": "lock", "Type": "RESOURCE_CONTROL_POLICY" }] })
        }
        ("DescribePolicy", id) => {
            json!({ "Policy": { "PolicySummary": { "Id": id }, "Content": r#"{"Statement":[]}"# } })
        }
        ("ListTargetsForPolicy", "p-scp") if is_second => json!({ "Targets": [{ "TargetId": "ou-1-1" }] }),
        ("ListTargetsForPolicy", "p-scp") => {
            json!({ "Targets": [{ "TargetId": "r-1" }], "NextToken": "more" })
        }
        ("ListTargetsForPolicy", _) => json!({ "Targets": [{ "TargetId": OWN }] }),
        other => panic!("{other:?}"),
    }
}

fn dynamodb(call: &Call) -> Answer {
    let body = call.json();
    if call.account != OWN || call.region != "eu-west-1" {
        assert!(call.is("ListTables"), "{call:?}");
        return (200, json!({ "TableNames": [] }).to_string());
    }
    let arn = body["ResourceArn"].as_str().unwrap_or_default();
    let table = |name: &str| format!("arn:aws:dynamodb:eu-west-1:{OWN}:table/{name}");
    let answer = match call.operation.as_str() {
        "ListTables" if body["ExclusiveStartTableName"] == "orders" => json!({ "TableNames": ["plain"] }),
        "ListTables" => json!({ "TableNames": ["orders"], "LastEvaluatedTableName": "orders" }),
        "DescribeTable" if body["TableName"] == "orders" => {
            json!({ "Table": { "TableArn": table("orders"), "LatestStreamArn": table("orders/stream/1") } })
        }
        "DescribeTable" => json!({ "Table": { "TableArn": table("plain") } }),
        "GetResourcePolicy" if arn.contains("orders") => json!({ "Policy": r#"{"Statement":[]}"# }),
        "GetResourcePolicy" => return refused("PolicyNotFoundException"),
        "ListTagsOfResource" if body["NextToken"] == "more" => {
            json!({ "Tags": [{ "Key": "b", "Value": "2" }] })
        }
        "ListTagsOfResource" => json!({ "Tags": [{ "Key": "a", "Value": "1" }], "NextToken": "more" }),
        other => panic!("{other}"),
    };
    (200, answer.to_string())
}

fn cloudcontrol(call: &Call) -> Value {
    if call.account != OWN || call.region != "eu-west-1" {
        return json!({ "ResourceDescriptions": [] });
    }
    let described =
        |id: &str, properties: Value| json!({ "Identifier": id, "Properties": properties.to_string() });
    let body = call.json();
    if call.is("GetResource") {
        let id = body["Identifier"].as_str().unwrap();
        let service =
            if id == "vpce-0a" { "com.amazonaws.eu-west-1.dynamodb" } else { "com.amazonaws.eu-west-1.sqs" };
        let properties = json!({ "Id": id, "VpcId": "vpc-0prod0eu", "ServiceName": service, "VpcEndpointType": "Gateway",
            "PolicyDocument": { "Statement": [] } });
        return json!({ "TypeName": "AWS::EC2::VPCEndpoint", "ResourceDescription": described(id, properties) });
    }
    match body["NextToken"].as_str() {
        None => json!({ "ResourceDescriptions": [described("vpce-0a", json!({ "Id": "vpce-0a" })),
            described("vpce-0b", json!({ "Id": "vpce-0b", "ServiceName": "com.amazonaws.eu-west-1.s3" }))], "NextToken": "more" }),
        Some(_) => json!({ "ResourceDescriptions": [described("vpce-0c", json!({ "Id": "vpce-0c" }))] }),
    }
}

#[test]
fn everything_is_read_page_by_page() {
    let aws = Aws::where_also(|_| None);
    let (collected, snapshot) = aws.collect();
    assert_eq!(unread(&collected), BTreeMap::new());
    assert_eq!(collected.regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(collected.remarks, ["the organization was read by account 999988887777"]);
    assert_eq!(snapshot.taken_at.unwrap().to_string(), "2026-11-25T00:00:00Z");
    let state = &snapshot.state;
    assert_eq!(state.holders.len(), 3 * 4);
    let id = |kind, name: &str| HolderId { account: OTHER.into(), kind, name: name.into() };
    let second = &state.holders[&id(HolderKind::Role, "second")];
    assert_eq!(second.arn.as_deref(), Some("arn:aws:iam::444455556666:role/second"));
    assert_eq!(second.inline["own"], Text::known(r#"{"Statement":[]}"#));
    assert_eq!((second.boundary.as_deref(), second.tags["k"].as_str()), (Some("arn:b"), "v"));
    assert!(state.holders[&id(HolderKind::User, "ann")].groups.contains("team"));
    assert_eq!(state.managed["arn:aws:iam::aws:policy/M"].text(), Text::known(r#"{"Statement":[]}"#));
    let organization = &state.organization;
    assert_eq!(organization.path_of(OWN), ["r-1", "ou-1", "ou-1-1", OWN]);
    assert!(organization.others.contains("p-tags"));
    let levels = |kind| organization.levels(OWN, kind).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(levels(ControlKind::Service), [1, 0, 1, 0], "and where nothing is attached, that is known");
    assert_eq!(levels(ControlKind::Resource), [0, 0, 0, 1]);
    let arns: Vec<&str> = state.tables.keys().map(|arn| arn.rsplit(':').next().unwrap()).collect();
    assert_eq!(arns, ["table/orders", "table/orders/stream/1", "table/plain"]);
    let tables: Vec<_> = state.tables.values().collect();
    assert_eq!(tables[0].policy, Some(Text::known(r#"{"Statement":[]}"#)));
    assert_eq!(tables[0].tags.as_ref().unwrap().len(), 2);
    assert_eq!((&tables[1].tags, &tables[2].policy), (&None, &None));
    assert_eq!(state.endpoints.keys().collect::<Vec<_>>(), ["vpce-0a"]);
    let endpoint = &state.endpoints["vpce-0a"];
    assert_eq!(endpoint.policy, Some(Text::known(r#"{"Statement":[]}"#)));
    assert_eq!(endpoint.vpc.as_deref(), Some("vpc-0prod0eu"));
    assert_eq!(aws.asked("GetResource"), 2, "of other services none is fetched");
    assert_eq!(aws.asked("AssumeRole"), 2, "the own account is read as it is");
}

#[test]
fn who_refuses_is_named_and_stops_nobody() {
    let aws = Aws::where_also(|call| {
        let is_other = call.body.contains(OTHER);
        (call.is("AssumeRole") && is_other).then(|| refused_in_xml("AccessDenied"))
    });
    let (collected, snapshot) = aws.collect();
    let unread = unread(&collected);
    assert_eq!(unread.keys().collect::<Vec<_>>(), [&"account 444455556666"]);
    let why = unread["account 444455556666"];
    assert!(why.contains("role/team/perimeter-audit") && why.contains("AccessDenied: no"), "{why}");
    assert_eq!(snapshot.state.holders.len(), 2 * 4);
    assert_eq!(snapshot.state.tables.len(), 3);
}

#[test]
fn parts_that_are_refused_are_named_and_nothing_else_is_missing() {
    let aws = Aws::where_also(|call| {
        let arn = call.json()["ResourceArn"].as_str().unwrap_or_default().to_owned();
        let is_refused = (call.service == "iam" && call.account == OTHER && call.body.contains("Marker"))
            || (call.is("GetResourcePolicy") && arn.ends_with("table/orders"))
            || (call.is("ListTagsOfResource") && arn.ends_with("table/plain"))
            || (call.is("ListTables") && call.region == "us-east-1" && call.account == MANAGEMENT)
            || (call.is("GetResource") && call.body.contains("vpce-0a"))
            || (call.is("ListResources") && call.account == OTHER);
        is_refused.then(|| {
            if call.service == "iam" {
                refused_in_xml("AccessDenied")
            } else {
                refused("AccessDeniedException")
            }
        })
    });
    let (collected, snapshot) = aws.collect();
    let expected = [
        "IAM of account 444455556666",
        "endpoint vpce-0a of account 111122223333 in eu-west-1",
        "endpoints of account 444455556666 in eu-west-1",
        "endpoints of account 444455556666 in us-east-1",
        "policy of arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
        "tables of account 999988887777 in us-east-1",
        "tags of arn:aws:dynamodb:eu-west-1:111122223333:table/plain",
    ];
    assert_eq!(unread(&collected).into_keys().collect::<Vec<_>>(), expected);
    let table =
        |name: &str| &snapshot.state.tables[&format!("arn:aws:dynamodb:eu-west-1:{OWN}:table/{name}")];
    assert_eq!(table("orders").policy, Some(Text::Untold));
    assert_eq!(table("orders").tags.as_ref().unwrap().len(), 2, "what is known stays known");
    assert_eq!((&table("plain").policy, &table("plain").tags), (&None, &None));
    assert!(!snapshot.state.holders.keys().any(|id| id.account == OTHER), "half an account is none");
}

#[test]
fn a_policy_whose_targets_are_not_told_leaves_open_what_is_attached_anywhere() {
    let aws = Aws::where_also(|call| {
        let is_refused = (call.is("ListTargetsForPolicy") && call.body.contains("p-rcp"))
            || (call.is("DescribePolicy") && call.body.contains("p-scp"));
        is_refused.then(|| refused("AccessDeniedException"))
    });
    let (collected, snapshot) = aws.collect();
    assert_eq!(
        unread(&collected).into_keys().collect::<Vec<_>>(),
        ["text of policy p-scp", "what policy p-rcp is attached to"]
    );
    let organization = &snapshot.state.organization;
    assert!(organization.attached.is_empty());
    let levels = organization.levels(OWN, ControlKind::Service);
    assert!(levels.iter().flatten().all(|(_, control)| control.text == Text::Untold), "{levels:?}");
    assert_eq!(organization.policies["p-scp"].text, Text::Untold);
}

#[test]
fn accounts_below_a_unit_that_is_not_told_lie_where_anything_may_be_attached() {
    let aws = Aws::where_also(|call| {
        let is_refused = call.is("ListAccountsForParent") && call.body.contains("ou-1-1");
        is_refused.then(|| refused("AccessDeniedException"))
    });
    let (collected, snapshot) = aws.collect();
    assert_eq!(unread(&collected).into_keys().collect::<Vec<_>>(), ["what lies in ou-1-1"]);
    let organization = &snapshot.state.organization;
    assert_eq!(organization.path_of(OWN), ["unread", OWN]);
    assert_eq!(organization.levels(OWN, ControlKind::Service)[0][0].1.text, Text::Untold);
    assert_eq!(organization.path_of(OTHER), ["r-1", "ou-2", OTHER]);
}

#[test]
fn a_delegated_administrator_is_asked_where_the_management_account_is_not_reached() {
    let denied = |call: &Call| {
        (call.is("AssumeRole") && call.body.contains(MANAGEMENT)).then(|| refused_in_xml("AccessDenied"))
    };
    let (collected, snapshot) = Aws::where_also(denied).collect();
    assert_eq!(collected.remarks, ["the organization was read by account 111122223333"]);
    assert_eq!(snapshot.state.organization.path_of(OWN).len(), 4);

    let aws = Aws::where_also(move |call| {
        let is_asked = call.service == "organizations";
        denied(call).or_else(|| is_asked.then(|| refused("AccessDeniedException")))
    });
    let (collected, snapshot) = aws.collect();
    let unread = unread(&collected);
    assert!(
        unread["the organization"].contains("by account 111122223333: AccessDeniedException"),
        "{unread:?}"
    );
    let levels = snapshot.state.organization.levels(OWN, ControlKind::Resource);
    assert_eq!(levels[0][0].1.text, Text::Untold, "what is not known is not taken for nothing");
}

#[test]
fn tables_that_are_gone_meanwhile_are_left_out() {
    let aws = Aws::where_also(|call| {
        let is_gone = (call.is("DescribeTable") && call.body.contains("plain"))
            || (call.is("GetResourcePolicy") && call.body.contains("stream"));
        is_gone.then(|| refused("ResourceNotFoundException"))
    });
    let (collected, snapshot) = aws.collect();
    assert_eq!(unread(&collected), BTreeMap::new());
    assert_eq!(snapshot.state.tables.len(), 1);
}

/// With the retries that are meant for AWS.
#[test]
fn who_is_told_to_slow_down_comes_again() {
    let told = Mutex::new(BTreeMap::<String, usize>::new());
    let aws = Aws::where_also(move |call| {
        let mut told = told.lock().unwrap();
        let times = told.entry(call.service.clone()).or_default();
        *times += 1;
        (*times <= 1).then(|| match call.service.as_str() {
            "iam" | "sts" => refused_in_xml("Throttling"),
            "organizations" => refused("TooManyRequestsException"),
            _ => refused("ThrottlingException"),
        })
    });
    let collected = aws.collect_with(retries().with_initial_backoff(Duration::from_millis(1))).unwrap();
    assert_eq!(unread(&collected), BTreeMap::new());
    assert_eq!(collected.snapshot["tables"].as_array().unwrap().len(), 3);
}

#[test]
fn without_credentials_nothing_is_read() {
    let aws =
        Aws::where_also(|call| call.is("GetCallerIdentity").then(|| refused_in_xml("InvalidClientTokenId")));
    let error = aws.collect_with(RetryConfig::disabled()).unwrap_err().to_string();
    assert_eq!(error, "it cannot be told whose credentials these are: InvalidClientTokenId: no");
    assert_eq!(aws.calls.lock().unwrap().len(), 1);
}

/// Answers that no AWS gives: they end as unread, or as text.
#[test]
fn answers_that_make_no_sense_end_nothing() {
    let bodies = [
        "",
        "{}",
        "[]",
        "null",
        "<",
        "<a/>",
        "{\"Roots\":[{}]}",
        "{\"Policies\":[{}]}",
        "\u{1b}[31m\u{202e}",
        "{\"TableNames\":[\"\\u001b[31m\",\"../..\",\"\"]}",
        "{\"ResourceDescriptions\":[{\"Identifier\":\"\\u0000\",\"Properties\":\"[1\"},{}]}",
        "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult><RoleDetailList><member/></RoleDetailList></GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>",
    ];
    for body in bodies {
        for service in ["iam", "organizations", "dynamodb", "cloudcontrolapi"] {
            let aws = Aws::where_also(move |call| (call.service == service).then(|| (200, body.to_owned())));
            let (_, snapshot) = aws.collect();
            assert!(snapshot.taken_at.is_some());
        }
    }
}

#[test]
fn an_answer_that_is_no_answer_is_told_by_its_status() {
    let aws = Aws::where_also(|call| call.is("ListResources").then(|| (404, "<!doctype html>".to_owned())));
    let (collected, _) = aws.collect();
    assert!(unread(&collected).values().all(|why| why.starts_with("HTTP 404: ")), "{collected:?}");
    assert_eq!(collected.unread.len(), 6);
}

/// An organization whose units lie in each other, and lists without an end.
#[test]
fn what_has_no_end_is_given_up() {
    let aws = Aws::where_also(|call| {
        let parent = call.json()["ParentId"].as_str().unwrap_or_default().to_owned();
        let below = json!({ "OrganizationalUnits": [{ "Id": format!("{parent}-1") }] });
        call.is("ListOrganizationalUnitsForParent").then(|| (200, below.to_string()))
    });
    let (collected, _) = aws.collect();
    assert!(unread(&collected)["all of the organization"].contains("more than 8 levels"));

    let ring = Aws::where_also(|call| {
        let below = json!({ "OrganizationalUnits": [{ "Id": "ou-1" }] });
        call.is("ListOrganizationalUnitsForParent").then(|| (200, below.to_string()))
    });
    let (collected, _) = ring.collect();
    assert_eq!(unread(&collected), BTreeMap::new());

    let same = Aws::where_also(|call| {
        let page = json!({ "ResourceDescriptions": [], "NextToken": "same" });
        call.is("ListResources").then(|| (200, page.to_string()))
    });
    let (collected, _) = same.collect();
    assert!(unread(&collected).keys().all(|what| what.starts_with("endpoints of ")));
}

#[test]
fn a_plan_says_what_is_wrong_with_it() {
    let perimeter = config::parse(PERIMETER).unwrap().perimeter;
    let plan = |role: &str, region: &str| Plan::new(&perimeter, role, &[region.to_owned()]);
    for role in ["", "/", "a/", "a b", "arn:aws:iam::1:role/x", "a\u{1b}"] {
        assert!(matches!(plan(role, "eu-west-1"), Err(PlanError::Role(_))), "{role}");
    }
    assert_eq!(plan("a", "EU").unwrap_err(), PlanError::Region("EU".into()));
    assert_eq!(plan("a", "").unwrap().regions, BTreeSet::from(["eu-west-1".into()]));
    let nowhere = Plan::new(&Perimeter::default(), "a", &[]).unwrap_err();
    assert_eq!(nowhere, PlanError::NoRegion);
}

/// One part after another.
fn parts(lookup: &PartLookup, wanted: &[Wanted]) -> Vec<Result<Vec<Piece>, String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut read = Vec::new();
        for wanted in wanted {
            read.push(lookup.read(wanted, (Some(OTHER), Some("eu-west-1"))).await);
        }
        read
    })
}

fn holder(kind: HolderKind, name: &str) -> Wanted {
    Wanted::Holder(HolderId { account: OTHER.into(), kind, name: name.into() })
}

/// What AWS answers of one part.
fn of_part(call: &Call) -> Option<Answer> {
    let operation = call.operation.as_str();
    let is_more = call.body.contains("Marker=more");
    let described = |kind: &str| {
        format!(
            "<Path>/a/</Path><{kind}Name>one</{kind}Name><{kind}Id>ID</{kind}Id><Arn>arn:aws:iam::{OTHER}:x/a/one</Arn>\
             <CreateDate>2026-01-01T00:00:00Z</CreateDate>"
        )
    };
    let result = match operation {
        "GetRole" => format!(
            "<Role>{}<AssumeRolePolicyDocument>{DOCUMENT}</AssumeRolePolicyDocument><PermissionsBoundary>\
             <PermissionsBoundaryArn>arn:b</PermissionsBoundaryArn></PermissionsBoundary>\
             <Tags><member><Key>k</Key><Value>v</Value></member></Tags></Role>",
            described("Role")
        ),
        "GetUser" => format!("<User>{}</User>", described("User")),
        "GetGroup" => format!("<Group>{}</Group><IsTruncated>false</IsTruncated>", described("Group")),
        "ListRolePolicies" if !is_more => {
            "<PolicyNames><member>p1</member></PolicyNames><IsTruncated>true</IsTruncated><Marker>more</Marker>".into()
        }
        "ListRolePolicies" | "ListUserPolicies" | "ListGroupPolicies" => {
            "<PolicyNames><member>p2</member></PolicyNames><IsTruncated>false</IsTruncated>".into()
        }
        "GetRolePolicy" | "GetUserPolicy" | "GetGroupPolicy" => format!(
            "<RoleName>one</RoleName><UserName>one</UserName><GroupName>one</GroupName><PolicyName>p</PolicyName>\
             <PolicyDocument>{DOCUMENT}</PolicyDocument>"
        ),
        "ListAttachedRolePolicies" | "ListAttachedUserPolicies" | "ListAttachedGroupPolicies" => {
            "<AttachedPolicies><member><PolicyName>M</PolicyName><PolicyArn>arn:m</PolicyArn></member></AttachedPolicies>\
             <IsTruncated>false</IsTruncated>".into()
        }
        "ListGroupsForUser" => {
            format!("<Groups><member>{}</member></Groups><IsTruncated>false</IsTruncated>", described("Group"))
        }
        "GetPolicy" => "<Policy><Arn>arn:aws:iam::aws:policy/M</Arn><DefaultVersionId>v7</DefaultVersionId></Policy>".into(),
        "GetPolicyVersion" => {
            assert!(call.body.contains("VersionId=v7"), "{call:?}");
            format!("<PolicyVersion><Document>{DOCUMENT}</Document><VersionId>v7</VersionId></PolicyVersion>")
        }
        _ => return None,
    };
    Some(xml(operation, &result))
}

#[test]
fn one_part_is_read_as_a_snapshot_has_it() {
    let aws = Aws::where_also(|call| match call.operation.as_str() {
        "DescribePolicy" if call.body.contains("p-tags") => {
            let summary = json!({ "Id": "p-tags", "Type": "TAG_POLICY" });
            Some((200, json!({ "Policy": { "PolicySummary": summary, "Content": "{}" } }).to_string()))
        }
        "DescribePolicy" => {
            let summary = json!({ "Id": "p-1", "Name": "guard", "Type": "SERVICE_CONTROL_POLICY" });
            Some((200, json!({ "Policy": { "PolicySummary": summary, "Content": "{}" } }).to_string()))
        }
        _ => of_part(call),
    });
    let lookup = aws.lookup();
    let table = format!("arn:aws:dynamodb:eu-west-1:{OWN}:table/orders");
    let wanted = [
        holder(HolderKind::Role, "one"),
        holder(HolderKind::User, "one"),
        holder(HolderKind::Group, "one"),
        Wanted::Managed { policy: "arn:aws:iam::aws:policy/M".into(), account: OTHER.into() },
        Wanted::Control("p-1".into()),
        Wanted::Control("p-tags".into()),
        Wanted::Table(table.clone()),
    ];
    let read: Vec<Piece> = parts(&lookup, &wanted).into_iter().flat_map(Result::unwrap).collect();
    let document = Text::known(r#"{"Statement":[]}"#);
    let of = |n: usize| match &read[n] {
        Piece::Holder(_, Some(holder)) => holder.clone(),
        other => panic!("{other:?}"),
    };
    let role = of(0);
    assert_eq!(role.inline, [("p1".into(), document.clone()), ("p2".into(), document.clone())].into());
    assert_eq!((role.trust, role.boundary.as_deref()), (Some(document.clone()), Some("arn:b")));
    assert_eq!((role.attached, role.tags), (["arn:m".into()].into(), [("k".into(), "v".into())].into()));
    assert_eq!((of(1).groups, of(1).inline.len()), (["one".into()].into(), 1));
    assert_eq!((of(2).attached.len(), of(2).unique_id.as_deref()), (1, Some("ID")));
    assert!(matches!(&read[3], Piece::Managed(_, Some(managed)) if managed.text() == document));
    assert!(
        matches!(&read[4], Piece::Control(_, Some(control)) if control.kind == Some(ControlKind::Service))
    );
    assert_eq!(read[5], Piece::OtherControl("p-tags".into()));
    assert!(
        matches!(&read[6], Piece::Table(arn, Some(read)) if *arn == table && read.policy == Some(document))
    );
    assert_eq!(aws.asked("AssumeRole"), 2, "once for each of the accounts that are not the own");
}

#[test]
fn an_endpoint_is_read_where_its_event_was_and_an_account_as_a_whole() {
    let aws = Aws::where_also(|call| {
        let properties = json!({ "VpcId": "vpc-0a", "ServiceName": "com.amazonaws.eu-west-1.dynamodb", "PolicyDocument": {} });
        let described = json!({ "Identifier": "vpce-0a", "Properties": properties.to_string() });
        let is_here = call.account == OTHER && call.region == "eu-west-1";
        (call.is("GetResource") && is_here)
            .then(|| (200, json!({ "ResourceDescription": described }).to_string()))
    });
    let read = parts(&aws.lookup(), &[Wanted::Endpoint("vpce-0a".into()), Wanted::Account(OTHER.into())]);
    let endpoint = read[0].as_ref().unwrap();
    assert!(
        matches!(&endpoint[..], [Piece::Endpoint(_, Some(read))] if read.vpc.as_deref() == Some("vpc-0a"))
    );
    assert_eq!(read[1].as_ref().unwrap().len(), 5, "two roles, a user, a group and a policy");
}

#[test]
fn what_is_gone_is_an_answer_and_a_refusal_is_none() {
    let aws = Aws::where_also(|call| match call.operation.as_str() {
        "GetRole" if call.body.contains("gone") => Some(refused_in_xml("NoSuchEntity")),
        "GetRole" => Some(refused_in_xml("AccessDenied")),
        "DescribePolicy" => Some(refused("PolicyNotFoundException")),
        _ => None,
    });
    let wanted = [
        holder(HolderKind::Role, "gone"),
        Wanted::Control("p-1".into()),
        holder(HolderKind::Role, "other"),
        holder(HolderKind::Role, "other"),
    ];
    let read = parts(&aws.lookup(), &wanted);
    assert!(matches!(read[0].as_deref(), Ok([Piece::Holder(_, None)])));
    assert!(matches!(read[1].as_deref(), Ok([Piece::Control(_, None)])));
    assert_eq!(read[2], Err("AccessDenied: no".to_owned()));
    assert_eq!(aws.asked("GetRole"), 3, "who refuses is asked again");
}

#[test]
fn a_service_that_cannot_be_reached_is_left_alone_for_a_while() {
    let aws = Aws::where_also(|call| (call.service == "iam").then(|| (UNREACHED, String::new())));
    let role = || holder(HolderKind::Role, "one");
    let table = Wanted::Table(format!("arn:aws:dynamodb:eu-west-1:{OWN}:table/orders"));
    let read = parts(&aws.lookup(), &[role(), role(), table]);
    assert!(read[0].as_ref().is_err_and(|why| why.contains("no route")), "{read:?}");
    let again = read[1].as_ref().unwrap_err();
    assert!(again.starts_with("IAM could not be reached a while ago: "), "{again}");
    assert!(read[2].is_ok(), "{read:?}");
    assert!(aws.asked("GetRole") <= 2, "as often as one request is made");
}
