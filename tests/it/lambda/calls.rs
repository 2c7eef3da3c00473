//! CloudTrail records made for the purpose, each with what should come of it: told by how it was
//! made, not by the code under test.

use std::collections::{BTreeMap, BTreeSet};

use dynamodb_perimeter::findings::finding::Identity;
use dynamodb_perimeter::perimeter::origin::OriginKind;
use serde_json::{Value, json};

pub const REGION: &str = "eu-west-1";
pub const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const TABLES: [&str; 3] = ["orders", "carts", "customers"];
const ROLES: [&str; 3] = ["checkout", "billing", "reports"];
/// In perimeter.toml, of an approved VPC.
const APPROVED: &str = "vpce-0a1b2c3d4e5f60001";
/// In perimeter.toml, of a VPC that is not approved.
const UNAPPROVED: &str = "vpce-0fffffffffffff001";
/// In no inventory, and never seen created.
const UNKNOWN: &str = "vpce-0dead00dead00dea1";
/// In no inventory until it is seen created, in the approved VPC.
pub const CREATED: &str = "vpce-0a1b2c3d4e5f60009";

/// Numbers by chance, the same every time.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    pub fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for n in (1..items.len()).rev() {
            items.swap(n, self.below(n + 1));
        }
    }
}

/// The kinds of records, and how many of a hundred are each.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Inside,
    Outside,
    UnapprovedVpc,
    Denied,
    Undetermined,
    /// Undetermined until the endpoint is seen created, and inside from then on.
    Awaiting,
    Exempt,
    Ignored,
    /// Logging is stopped on the trail that the product reads.
    Weakening,
}

pub const KINDS: [(Kind, usize); 9] = [
    (Kind::Inside, 40),
    (Kind::Outside, 16),
    (Kind::UnapprovedVpc, 8),
    (Kind::Denied, 10),
    (Kind::Undetermined, 5),
    (Kind::Awaiting, 5),
    (Kind::Exempt, 5),
    (Kind::Ignored, 10),
    (Kind::Weakening, 1),
];

pub fn any_kind(chance: &mut Chance) -> Kind {
    let mut at = chance.below(KINDS.iter().map(|(_, share)| share).sum());
    for (kind, share) in KINDS {
        if at < share {
            return kind;
        }
        at -= share;
    }
    Kind::Inside
}

/// A record, and the finding that it belongs to.
#[derive(Clone)]
pub struct Made {
    pub kind: Kind,
    pub id: String,
    pub time: String,
    pub record: Value,
    pub finding: Option<Identity>,
}

/// Makes the record with the number `n`.
pub fn make(kind: Kind, n: usize, chance: &mut Chance) -> Made {
    let id = format!("{n:08x}-0000-4000-8000-{:012x}", 0x1234_5678 + n);
    let time = format!(
        "2026-05-{:02}T{:02}:{:02}:{:02}Z",
        1 + chance.below(28),
        chance.below(24),
        n / 60 % 60,
        n % 60
    );
    let account = match kind {
        Kind::Exempt => "777788889999",
        Kind::Weakening => "999988887777",
        _ => *chance.of(&ACCOUNTS),
    };
    let (table, role) = (*chance.of(&TABLES), *chance.of(&ROLES));
    let table_arn = format!("arn:aws:dynamodb:{REGION}:{account}:table/{table}");
    let role_arn = format!("arn:aws:iam::{account}:role/app/{role}");
    let public = format!("203.0.113.{}", 1 + chance.below(200));
    let private = format!("10.0.{}.{}", chance.below(200), 1 + chance.below(200));
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": format!("AROAEXAMPLE{account}:i-1"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/i-1"), "accountId": account,
            "accessKeyId": "ASIAEXAMPLEEXAMPLE01",
            "sessionContext": { "sessionIssuer": { "type": "Role", "principalId": format!("AROAEXAMPLE{account}"),
                "arn": role_arn, "accountId": account, "userName": role } },
        },
        "eventTime": time, "eventSource": "dynamodb.amazonaws.com", "eventName": "GetItem", "awsRegion": REGION,
        "sourceIPAddress": private, "userAgent": "aws-sdk-rust/1.8.6",
        "requestParameters": { "tableName": table, "key": { "id": "1" } }, "responseElements": null,
        "requestID": format!("REQUEST{n}"), "eventID": id, "readOnly": true,
        "resources": [{ "accountId": account, "type": "AWS::DynamoDB::Table", "ARN": table_arn }],
        "eventType": "AwsApiCall", "apiVersion": "2012-08-10", "managementEvent": false,
        "recipientAccountId": account, "eventCategory": "Data",
    });
    let mut set = |key: &str, value: &str| record[key] = value.into();
    let mut through = |endpoint: &str| {
        set("vpcEndpointId", endpoint);
        set("vpcEndpointAccountId", ACCOUNTS[0]);
    };
    let (mut resources, mut endpoint) = (vec![table_arn], None);
    let told = match kind {
        Kind::Inside => {
            through(APPROVED);
            None
        }
        Kind::UnapprovedVpc => {
            through(UNAPPROVED);
            endpoint = Some(UNAPPROVED);
            Some(("unapproved-vpc", OriginKind::UnapprovedVpc))
        }
        Kind::Undetermined => {
            through(UNKNOWN);
            endpoint = Some(UNKNOWN);
            Some(("unknown-endpoint", OriginKind::UnknownEndpoint))
        }
        Kind::Awaiting => {
            through(CREATED);
            None
        }
        Kind::Outside => {
            set("sourceIPAddress", &public);
            Some(("public-access", OriginKind::Public))
        }
        Kind::Denied => {
            set("sourceIPAddress", &public);
            set("errorCode", "AccessDenied");
            Some(("denied-attempt", OriginKind::Public))
        }
        Kind::Exempt => {
            set("sourceIPAddress", &public);
            None
        }
        Kind::Ignored => {
            set("eventSource", "s3.amazonaws.com");
            set("eventName", "GetObject");
            None
        }
        Kind::Weakening => {
            set("sourceIPAddress", &public);
            set("eventSource", "cloudtrail.amazonaws.com");
            set("eventName", "StopLogging");
            set("eventCategory", "Management");
            let trail = format!("arn:aws:cloudtrail:{REGION}:{account}:trail/organization");
            record["requestParameters"] = json!({ "name": trail });
            record["managementEvent"] = true.into();
            record["readOnly"] = false.into();
            record.as_object_mut().unwrap().remove("resources");
            resources = vec![trail];
            Some(("logging-weakened", OriginKind::Public))
        }
    };
    let finding = told.map(|(rule, origin)| Identity {
        rule: rule.into(),
        account: Some(account.into()),
        principal: Some(role_arn),
        resources,
        origin,
        endpoint: endpoint.map(str::to_owned),
    });
    Made { kind, id, time, record, finding }
}

/// The record that shows how [`CREATED`] was made.
pub fn creation() -> Value {
    let text = include_str!("../../../events/endpoint-created.json");
    let record: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        record["responseElements"]["CreateVpcEndpointResponse"]["vpcEndpoint"]["vpcEndpointId"],
        CREATED
    );
    record
}

/// What should be kept: the ids and times of each finding's events.
pub type Truth = BTreeMap<String, BTreeSet<(String, String)>>;

pub fn truth<'m>(made: impl IntoIterator<Item = &'m Made>) -> Truth {
    let mut truth = Truth::new();
    for made in made {
        if let Some(finding) = &made.finding {
            truth.entry(finding.id()).or_default().insert((made.id.clone(), made.time.clone()));
        }
    }
    truth
}

/// As EventBridge delivers it.
pub fn in_event_bridge(record: &Value) -> Value {
    let service = record["eventSource"].as_str().unwrap().split('.').next().unwrap();
    json!({
        "version": "0", "id": format!("bus-{}", record["eventID"].as_str().unwrap()),
        "detail-type": "AWS API Call via CloudTrail", "source": format!("aws.{service}"),
        "account": record["recipientAccountId"], "time": record["eventTime"], "region": REGION, "resources": [],
        "detail": record,
    })
}

/// As SNS delivers it.
pub fn in_sns(event: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": "5f0f0d8e-0000-4000-8000-000000000000",
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:trail", "Message": event.to_string(),
        "Timestamp": "2026-05-01T00:00:00.000Z", "SignatureVersion": "1",
    })
}

/// As SQS delivers bodies, with their message ids.
pub fn in_sqs<'b>(messages: impl IntoIterator<Item = (&'b str, &'b str)>) -> String {
    let message = |(id, body): (&str, &str)| {
        json!({
            "messageId": id, "receiptHandle": "AQEB", "body": body,
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1780000000000" },
            "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:perimeter", "awsRegion": REGION,
        })
    };
    json!({ "Records": messages.into_iter().map(message).collect::<Vec<_>>() }).to_string()
}

/// The messages that the function says failed.
pub fn failures(response: &Value) -> BTreeSet<String> {
    let failures = response["batchItemFailures"].as_array().expect("an answer to a batch");
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}
