//! The prover against trying: random policies near the edges, and every request of a small grid put to the
//! evaluator. Whatever the grid lets in from outside, the prover must not call enforced.
//!
//! The long run: `PROPTEST_CASES=200000 cargo test --release --test it grid::`.

use dynamodb_perimeter::iam::evaluate::Outcome;
use dynamodb_perimeter::iam::request::Values;
use dynamodb_perimeter::prove::answer::{Verdict, prove};
use dynamodb_perimeter::prove::bundle::{Asked, Bundle};
use dynamodb_perimeter::prove::simulate::decide;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const BREAK_GLASS: &str = "arn:aws:iam::111122223333:role/glass";
const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

/// A condition: operator, key, values.
fn any_condition() -> impl Strategy<Value = Value> {
    let texts = |key: &'static str, values: &'static [&'static str]| {
        let operators = [
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIfExists",
            "StringNotEqualsIfExists",
            "StringNotEqualsIgnoreCase",
            "ForAllValues:StringEquals",
            "ForAllValues:StringNotEquals",
            "ForAnyValue:StringEquals",
            "ForAnyValue:StringNotEquals",
        ];
        (select(operators.to_vec()), prop::collection::vec(select(values.to_vec()), 0..3))
            .prop_map(move |(operator, values)| json!({ operator: { key: values } }))
    };
    let arns = (
        select(vec!["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "StringLike", "StringNotLike"]),
        select(vec![
            ROLE,
            BREAK_GLASS,
            "arn:aws:iam::*:role/glass",
            "arn:aws:iam::*:role/*",
            "arn:aws:iam::*:user/*",
        ]),
    )
        .prop_map(|(operator, value)| json!({ operator: { "aws:PrincipalArn": value } }));
    let addresses = (
        select(vec!["IpAddress", "NotIpAddress", "NotIpAddressIfExists"]),
        select(vec!["203.0.113.0/24", "0.0.0.0/0", "198.51.100.7", "10.0.0.0/8", "::/0"]),
        select(vec!["aws:SourceIp", "aws:VpcSourceIp"]),
    )
        .prop_map(|(operator, value, key)| json!({ operator: { key: value } }));
    let flags = (
        select(vec!["Bool", "BoolIfExists"]),
        select(vec!["aws:ViaAWSService", "aws:SecureTransport", "aws:PrincipalIsAWSService"]),
        any::<bool>(),
    )
        .prop_map(|(operator, key, value)| json!({ operator: { key: value } }));
    let nulls = (
        select(vec!["aws:SourceVpc", "aws:SourceIp", "aws:PrincipalTag/t", "aws:SourceVpce"]),
        any::<bool>(),
    )
        .prop_map(|(key, value)| json!({ "Null": { key: value } }));
    prop_oneof![
        4 => texts("aws:SourceVpc", &["vpc-0a1", "vpc-0b2", "vpc-*", "VPC-0A1", "*"]),
        2 => texts("aws:SourceVpce", &["vpce-0a1", "vpce-*", "vpce-0b2"]),
        2 => texts("aws:PrincipalTag/t", &["a", "b", "*"]),
        1 => texts("aws:RequestedRegion", &["eu-west-1", "eu-*", "us-east-1"]),
        1 => texts("aws:PrincipalOrgID", &["o-exampleorgid", "o-*"]),
        1 => texts("aws:CalledVia", &["athena.amazonaws.com", "*"]),
        2 => arns,
        2 => addresses,
        1 => flags,
        2 => nulls,
    ]
}

fn any_statement(effect: &'static str, whom: bool) -> impl Strategy<Value = Value> {
    let actions = select(vec![
        json!("*"),
        json!("dynamodb:*"),
        json!("dynamodb:GetItem"),
        json!(["dynamodb:Get*", "dynamodb:List*"]),
        json!("dynamodb:?etItem"),
        json!("s3:*"),
        json!(["dynamodb:PutItem", "dynamodb:Query"]),
    ]);
    let resources = select(vec![
        json!("*"),
        json!(TABLE),
        json!(format!("{TABLE}/*")),
        json!("arn:aws:dynamodb:*:*:table/*"),
        json!("arn:aws:dynamodb:*:*:*"),
        json!(format!("{TABLE}*")),
        json!("arn:aws:s3:::*"),
    ]);
    let principals = select(vec![
        json!("*"),
        json!({"AWS": ACCOUNT}),
        json!({"AWS": ROLE}),
        json!({"AWS": [BREAK_GLASS, ROLE]}),
        json!({"AWS": "arn:aws:iam::111122223333:role/other"}),
    ]);
    let conditions = prop::collection::vec(any_condition(), 0..3);
    let negated = prop::bool::weighted(0.15);
    (actions, resources, principals, conditions, negated, negated).prop_map(
        move |(action, resource, principal, conditions, not_action, not_resource)| {
            let mut statement = json!({"Effect": effect});
            statement[if not_action { "NotAction" } else { "Action" }] = action;
            statement[if not_resource { "NotResource" } else { "Resource" }] = resource;
            if whom {
                statement["Principal"] = principal;
            }
            let mut all = serde_json::Map::new();
            for condition in conditions.iter().filter_map(Value::as_object) {
                for (operator, keys) in condition {
                    let known = all.entry(operator.clone()).or_insert_with(|| json!({}));
                    for (key, values) in keys.as_object().into_iter().flatten() {
                        known[key] = values.clone();
                    }
                }
            }
            if !all.is_empty() {
                statement["Condition"] = Value::Object(all);
            }
            statement
        },
    )
}

fn policy(name: &str, statements: Vec<Value>) -> Value {
    json!({"name": name, "document": {"Version": "2012-10-17", "Statement": statements}})
}

fn any_bundle() -> impl Strategy<Value = Value> {
    let allow = || json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let denies = |whom| prop::collection::vec(any_statement("Deny", whom), 0..3);
    let allows = |whom| prop::collection::vec(any_statement("Allow", whom), 0..3);
    let identity = prop_oneof![Just(None), (allows(false), denies(false)).prop_map(Some)];
    let boundary = prop_oneof![3 => Just(None), 1 => allows(false).prop_map(Some)];
    let table = prop_oneof![2 => Just(None), 1 => (allows(true), denies(true)).prop_map(Some)];
    (identity, denies(false), allows(false), denies(true), boundary, table, any::<bool>(), any::<bool>()).prop_map(
        move |(identity, scp, level, rcp, boundary, table, strict_level, listed)| {
            let mut principal = json!({"arn": ROLE});
            if let Some((allows, denies)) = identity {
                principal["identity"] = json!([policy("identity", [allows, denies].concat())]);
            }
            if let Some(allows) = boundary {
                principal["boundary"] = policy("boundary", allows);
            }
            let mut entry = json!({"arn": TABLE});
            if let Some((allows, denies)) = table {
                entry["policy"] = policy("table", [allows, denies].concat());
            }
            let level = if strict_level { level } else { vec![allow()] };
            let rcp: Vec<Value> = rcp.into_iter().map(|mut deny| { deny["Principal"] = json!("*"); deny }).collect();
            json!({
                "perimeter": {
                    "version": 1, "organization": "o-exampleorgid",
                    "environments": {"production": {"mode": "enforce", "accounts": [ACCOUNT]}},
                    "vpc": [{"id": "vpc-0a1", "region": "eu-west-1", "account": ACCOUNT}],
                    "endpoint": if listed { json!([{"id": "vpce-0a1", "region": "eu-west-1", "account": ACCOUNT, "vpc": "vpc-0a1"}]) } else { json!([]) },
                    "break_glass": [{"principal": "arn:aws:iam::*:role/glass"}],
                },
                "principals": [principal],
                "scps": [[policy("level", level)], [policy("allow", vec![allow()]), policy("scp", scp)]],
                "rcps": [[policy("rcp", rcp)]],
                "tables": [entry],
            })
        },
    )
}

/// Every way from outside that the grid has: none of them is through the approved VPC.
fn from_outside(listed: bool) -> Vec<Vec<(&'static str, &'static str)>> {
    let public = |ip| vec![("aws:SourceIp", ip), ("aws:ViaAWSService", "false")];
    let through = |vpc, endpoint, via| {
        vec![
            ("aws:SourceVpc", vpc),
            ("aws:SourceVpce", endpoint),
            ("aws:VpcSourceIp", "10.0.0.10"),
            ("aws:ViaAWSService", via),
        ]
    };
    let mut ways = vec![
        public("203.0.113.10"),
        public("198.51.100.7"),
        public("2001:db8::1"),
        through("vpc-0b2", "vpce-0b2", "false"),
        through("vpc-0c3", "vpce-0c3", "false"),
        through("vpc-0b2", "vpce-0b2", "true"),
        vec![("aws:ViaAWSService", "true")],
        vec![("aws:ViaAWSService", "true"), ("aws:SourceIp", "203.0.113.10")],
    ];
    if !listed {
        ways.push(through("vpc-0b2", "vpce-0a1", "false"));
    }
    ways
}

fn asked(action: &str, resource: &str, context: Vec<(String, Values)>) -> Asked {
    Asked { action: action.into(), resource: resource.into(), principal: ROLE.into(), context }
}

/// All requests of the grid, with the keys that are free set in every way.
fn grid(listed: bool) -> Vec<Asked> {
    let mut all = Vec::new();
    let stream = format!("{TABLE}/stream/2026-01-01T00:00:00.000");
    let (index, export) = (format!("{TABLE}/index/by-day"), format!("{TABLE}/export/01"));
    let what = [
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:Query", &index),
        ("dynamodb:GetRecords", &stream),
        ("dynamodb:DescribeExport", &export),
        ("dynamodb:DescribeTable", TABLE),
    ];
    for (action, resource) in what {
        for way in from_outside(listed) {
            let via = way.contains(&("aws:ViaAWSService", "true"));
            for tag in [None, Some("a"), Some("b"), Some("c")] {
                for secure in ["true", "false"] {
                    let mut context: Vec<(String, Values)> = way
                        .iter()
                        .map(|(key, value)| ((*key).into(), Values::One((*value).into())))
                        .collect();
                    context.push(("aws:SecureTransport".into(), Values::One(secure.into())));
                    context.extend(
                        tag.map(|tag| ("aws:PrincipalTag/t".to_owned(), Values::One(tag.to_owned()))),
                    );
                    if via {
                        let called = vec!["athena.amazonaws.com".to_owned()];
                        context.push(("aws:CalledVia".into(), Values::Many(called)));
                    }
                    all.push(asked(action, resource, context));
                }
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2048, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_the_grid_lets_in_is_called_enforced(bundle in any_bundle()) {
        let listed = bundle["perimeter"]["endpoint"].as_array().is_some_and(|all| !all.is_empty());
        let text = bundle.to_string();
        let bundle = Bundle::parse(&text).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
        let perimeter = bundle.perimeter.clone().unwrap_or_default();
        let answers = prove(&bundle, &perimeter, "2026-11-25T00:00:00Z".parse::<Timestamp>().unwrap());
        let [answer] = answers.as_slice() else { return Err(TestCaseError::fail("one answer")) };
        let open = grid(listed).into_iter().find(|asked| {
            let (_, decision) = decide(&bundle, &perimeter, asked).unwrap();
            decision.outcome == Outcome::Allow && decision.otherwise.is_none()
        });
        if let Some(open) = open {
            let refuted = matches!(answer.verdict, Verdict::Enforced | Verdict::NoAccess | Verdict::BreakGlassOnly);
            prop_assert!(!refuted, "{} is {:?}, and this is allowed: {:?}", text, answer.verdict, open);
        }
        if let (Verdict::Open, Some(witness)) = (answer.verdict, &answer.witness) {
            let (_, decision) = decide(&bundle, &perimeter, witness).unwrap();
            prop_assert_eq!(decision.outcome, Outcome::Allow);
            let one = |key: &str| witness.context.iter().find(|(name, _)| name == key).map(|(_, values)| values.all().to_vec());
            let vpc = one("aws:SourceVpc").unwrap_or_default();
            prop_assert!(!vpc.contains(&"vpc-0a1".to_owned()), "{} from inside: {:?}", text, witness);
        }
    }
}
