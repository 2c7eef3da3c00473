//! Both sides of every line: what is raised, and beside it what is not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::iam::document::Kind;

fn found(policy: &Value) -> Vec<Found> {
    let text = policy.to_string();
    let kind = if text.contains("Principal\":") { Kind::Table } else { Kind::Identity };
    let document = Document::parse(&text, kind).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    of(&document)
}

fn names(policy: &Value) -> Vec<&'static str> {
    found(policy).into_iter().map(|one| one.lint.name).collect()
}

fn statement(effect: &str, action: &str, condition: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement":
        {"Effect": effect, "Action": action, "Resource": "*", "Condition": condition}})
}

/// What is raised for a `Deny` of everything of DynamoDB on this condition.
fn deny(condition: Value) -> Vec<&'static str> {
    names(&statement("Deny", "dynamodb:*", condition))
}

fn allow(action: &str, condition: Value) -> Vec<&'static str> {
    names(&statement("Allow", action, condition))
}

const NONE: [&str; 0] = [];

#[test]
fn names_are_sorted_and_said_in_the_documentation() {
    assert!(LINTS.is_sorted_by_key(|lint| lint.name));
    let page = include_str!("../../../docs/prover.md");
    for lint in LINTS {
        let row = format!("| `{}` | {} |", lint.name, lint.title);
        assert!(page.contains(&row), "docs/prover.md lacks {row}");
        assert_eq!(find(lint.name), Some(lint));
        for text in [lint.title, lint.what, lint.why, lint.remedy, lint.source] {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text}", lint.name);
        }
    }
    assert_eq!(find("public-access"), None);
}

#[test]
fn for_all_values_that_holds_without_the_key() {
    let lint = ["for-all-values-vacuous"];
    let paths = json!({"aws:PrincipalOrgPaths": "o-1/r-1/ou-1/"});
    assert_eq!(allow("dynamodb:GetItem", json!({"ForAllValues:StringLike": paths})), lint);
    let keys = json!({"dynamodb:LeadingKeys": "a"});
    assert_eq!(allow("dynamodb:*", json!({"ForAllValues:StringEquals": keys})), lint);
    assert_eq!(
        allow("dynamodb:Scan*", json!({"ForAllValues:StringEquals": keys})),
        [lint[0], "key-never-present"]
    );
    let names = json!({"dynamodb:Attributes": "a"});
    assert_eq!(allow("dynamodb:GetItem", json!({"ForAllValues:StringEquals": names})), lint);
    assert_eq!(deny(json!({"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-1"}})), lint);
    // Guarded, or meant so.
    let guarded = json!({"ForAllValues:StringLike": paths, "Null": {"aws:PrincipalOrgPaths": "false"}});
    assert_eq!(allow("dynamodb:GetItem", guarded), NONE);
    let guarded = json!({"ForAllValues:StringLike": paths, "ForAnyValue:StringLike": paths});
    assert_eq!(allow("dynamodb:GetItem", guarded), NONE);
    assert_eq!(allow("dynamodb:GetItem", json!({"ForAllValues:StringLikeIfExists": paths})), NONE);
    assert_eq!(allow("dynamodb:GetItem", json!({"ForAllValues:StringNotLike": paths})), NONE);
    assert_eq!(deny(json!({"ForAllValues:StringEquals": paths})), NONE);
    assert_eq!(allow("dynamodb:Query", json!({"ForAllValues:StringEquals": keys})), NONE);
    assert_eq!(allow("dynamodb:PutItem", json!({"ForAllValues:StringEquals": names})), NONE);
    let selected = json!({"ForAllValues:StringEquals": names, "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}});
    assert_eq!(allow("dynamodb:GetItem", selected), NONE);
    assert_eq!(
        allow("dynamodb:TagResource", json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}})),
        NONE
    );
    assert_eq!(
        allow(
            "dynamodb:GetItem",
            json!({"ForAllValues:ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1:role/a"}})
        ),
        NONE
    );
    // A guard that asks for the key to be absent is none.
    let absent = json!({"ForAllValues:StringLike": paths, "Null": {"aws:PrincipalOrgPaths": "true"}});
    assert_eq!(allow("dynamodb:GetItem", absent), lint);
}

#[test]
fn for_any_value_of_a_negated_operator() {
    let vpc = json!({"aws:SourceVpc": "vpc-1"});
    assert_eq!(deny(json!({"ForAnyValue:StringNotEquals": vpc})), ["for-any-value-negated"]);
    assert_eq!(deny(json!({"StringNotEquals": vpc})), NONE);
    assert_eq!(deny(json!({"ForAnyValue:StringEquals": vpc})), NONE);
    assert_eq!(allow("dynamodb:GetItem", json!({"ForAnyValue:StringNotEquals": vpc})), NONE);
    assert_eq!(deny(json!({"ForAnyValue:StringNotEquals": {"aws:PrincipalAccount": "1"}})), NONE);
    assert_eq!(deny(json!({"ForAnyValue:StringNotEquals": {"aws:CalledVia": "a"}})), NONE);
    // What has no key is denied by another statement.
    let mut both = statement("Deny", "*", json!({"ForAnyValue:StringNotEquals": vpc}));
    both["Statement"] = json!([both["Statement"],
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Null": {"aws:sourcevpc": true}}}]);
    assert_eq!(names(&both), NONE);
}

#[test]
fn several_values_need_a_set_operator() {
    let condition = |operator: &str| json!({operator: {"dynamodb:leadingkeys": "a"}});
    assert_eq!(allow("dynamodb:Query", condition("StringEquals")), ["set-operator-missing"]);
    assert_eq!(allow("dynamodb:Query", condition("ForAnyValue:StringEquals")), NONE);
    assert_eq!(allow("dynamodb:Query", json!({"Null": {"dynamodb:LeadingKeys": "false"}})), NONE);
    assert_eq!(allow("dynamodb:Query", json!({"StringEquals": {"dynamodb:Select": "COUNT"}})), NONE);
    assert_eq!(allow("s3:GetObject", json!({"StringEquals": {"s3:unknown": "a"}})), NONE);
}

#[test]
fn wildcards_under_string_equals() {
    let lint = ["wildcard-in-equals"];
    for operator in ["StringEquals", "StringNotEquals", "StringNotEqualsIgnoreCase", "StringEqualsIfExists"] {
        assert_eq!(deny(json!({operator: {"aws:SourceVpc": ["vpc-1", "vpc-*"]}})), lint, "{operator}");
    }
    assert_eq!(deny(json!({"StringEquals": {"aws:PrincipalTag/Team": "a?"}})), lint);
    let keys = |value: &str| {
        allow("dynamodb:Query", json!({"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": value}}))
    };
    assert_eq!(keys("tenant-*"), lint);
    let mut old = statement("Deny", "*", json!({"StringEquals": {"aws:SourceVpc": "vpc-*"}}));
    old["Version"] = "2008-10-17".into();
    assert_eq!(names(&old), lint);
    // Escapes, defaults, operators that know wildcards, and values that may hold one.
    for value in ["vpc-1", "a${*}b${?}", "${aws:PrincipalTag/t, '*'}"] {
        assert_eq!(deny(json!({"StringEquals": {"aws:PrincipalTag/Team": value}})), NONE, "{value}");
    }
    assert_eq!(deny(json!({"StringLike": {"aws:SourceVpc": "vpc-*"}})), NONE);
    assert_eq!(deny(json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::1:role/*"}})), NONE);
    assert_eq!(deny(json!({"StringEquals": {"aws:referer": "https://a/?b=c"}})), NONE);
    for value in ["*", "what?", "a*b"] {
        assert_eq!(keys(value), NONE, "{value}");
    }
}

#[test]
fn an_account_as_a_wildcard_of_string_like() {
    let lint = ["string-like-principal-arn"];
    let arn = |operator: &str, arn: &str| deny(json!({operator: {"aws:PrincipalArn": arn}}));
    assert_eq!(arn("StringNotLike", "arn:aws:iam::*:role/admin"), lint);
    assert_eq!(arn("StringLike", "arn:aws:iam::11*:role/app/*"), lint);
    assert_eq!(arn("ForAnyValue:StringLike", "arn:*:iam::*:user/a"), lint);
    for whole in [
        "*",
        "arn:aws:iam::*:*",
        "arn:aws:iam::*:root",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::111122223333:role/a*",
    ] {
        assert_eq!(arn("StringLike", whole), NONE, "{whole}");
    }
    assert_eq!(arn("ArnNotLike", "arn:aws:iam::*:role/admin"), NONE);
    assert_eq!(deny(json!({"StringLike": {"aws:SourceArn": "arn:aws:sns:*:*:a/b"}})), NONE);
}

#[test]
fn keys_that_the_actions_do_not_have() {
    let lint = ["key-never-present"];
    let equals = |key: &str| json!({"StringEquals": {key: "a"}});
    for (action, key) in [
        ("dynamodb:*", "s3:prefix"),
        ("dynamodb:GetItem", "ec2:Vpc"),
        ("dynamodb:DescribeTable", "dynamodb:Select"),
        ("dynamodb:Query", "dynamodb:FullTableScan"),
        ("dynamodb:GetItem", "dax:EnclosingOperation"),
        ("dynamodb:PutItem", "dynamodb:FisActionId"),
        ("dax:CreateCluster", "kms:ViaService"),
    ] {
        assert_eq!(allow(action, equals(key)), lint, "{action} {key}");
    }
    for (action, key) in [
        ("*", "s3:prefix"),
        ("d*:*", "s3:prefix"),
        ("s3:*", "s3:prefix"),
        ("dynamodb:*", "dynamodb:Select"),
        ("dynamodb:*", "ec2:SourceInstanceArn"),
        ("dynamodb:*", "lambda:SourceFunctionArn"),
        ("dynamodb:*", "www.amazon.com:user_id"),
        ("dynamodb:*", "cognito-identity.amazonaws.com:sub"),
        ("dynamodb:DescribeTable", "aws:RequestTag/a"),
        ("dynamodb:PartiQLSelect", "dynamodb:ReturnConsumedCapacity"),
        ("dynamodb:FutureAction", "dynamodb:Select"),
        ("dax:GetItem", "dynamodb:Select"),
        ("dax:GetItem", "dax:EnclosingOperation"),
    ] {
        let raised = allow(action, equals(key));
        assert!(!raised.contains(&lint[0]), "{action} {key}: {raised:?}");
    }
    let message = |effect: &str, operator: &str| {
        let policy = statement(effect, "dynamodb:GetItem", json!({operator: {"s3:prefix": "a"}}));
        found(&policy).remove(0).message
    };
    insta::assert_snapshot!(message("Deny", "StringEquals"), @"no request for the statement's actions has `s3:prefix`, so `StringEquals` on it never holds, and nothing is denied");
    insta::assert_snapshot!(message("Deny", "StringNotLike"), @"no request for the statement's actions has `s3:prefix`, so `StringNotLike` on it always holds");
    insta::assert_snapshot!(message("Allow", "ForAnyValue:StringLikeIfExists"), @"no request for the statement's actions has `s3:prefix`");
    let not_action = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotAction": "dynamodb:GetItem",
        "Resource": "*", "Condition": equals("s3:prefix")}});
    assert_eq!(names(&not_action), NONE);
}

#[test]
fn keys_that_there_are_not() {
    let message = |action: &str, key: &str| {
        let found = found(&statement("Deny", action, json!({"StringNotEquals": {key: "a"}})));
        found
            .into_iter()
            .find(|one| one.lint.name == "unknown-key")
            .map(|one| one.message)
            .unwrap_or_default()
    };
    insta::assert_snapshot!(message("*", "aws:SourcVpc"), @"no condition key `aws:SourcVpc` is known, as of 2026-09-26: is `aws:SourceVpc` meant?");
    insta::assert_snapshot!(message("*", "SourceVpc"), @"`SourceVpc` has no prefix: is `aws:SourceVpc` meant?");
    insta::assert_snapshot!(message("*", "aws:PrincipalTag"), @"`aws:PrincipalTag` names no tag: behind `aws:PrincipalTag/` comes its name");
    insta::assert_snapshot!(message("*", "dynamodb:TableName"), @"no condition key `dynamodb:TableName` is known, as of 2026-09-26");
    assert!(message("dynamodb:*", "aws:SomethingElse").contains("`aws:SomethingElse` is known"));
    for key in [
        "AWS:SOURCEVPC",
        "aws:PrincipalTag/a",
        "s3:Prefix",
        "accounts.google.com:aud",
        "k",
        "aws:SomethingElse",
    ] {
        assert_eq!(message("*", key), "", "{key}");
    }
}

#[test]
fn denies_that_never_match() {
    let lint = ["deny-never-matches"];
    for condition in [
        json!({"StringEquals": {"aws:SourceVpc": []}}),
        json!({"Null": {"aws:SourceVpc": []}}),
        json!({"Null": {"aws:SourceVpc": "true"}, "StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}, "Null": {"aws:SourceVpc": true}}),
        json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "StringLike": {"aws:SourceVpc": "*"}}),
        json!({"Null": {"aws:SourceIp": false, "aws:SourceVpce": false}}),
        json!({"StringEquals": {"aws:PrincipalType": "User"}, "ForAnyValue:StringEquals": {"aws:PrincipalType": "Root"}}),
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}, "StringNotEquals": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}}),
    ] {
        assert_eq!(deny(condition.clone()), lint, "{condition}");
    }
    for condition in [
        json!({"StringNotEquals": {"aws:SourceVpc": []}}),
        json!({"StringEqualsIfExists": {"aws:SourceVpc": []}}),
        json!({"Null": {"aws:SourceVpc": "true"}, "StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}),
        json!({"Null": {"aws:SourceVpc": "true"}, "StringNotEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"Null": {"aws:SourceVpc": ["true", "false"]}, "StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "StringNotEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"StringEquals": {"aws:PrincipalType": ["User", "Root"]}, "ForAnyValue:StringEquals": {"aws:PrincipalType": "Root"}}),
        json!({"StringEquals": {"aws:PrincipalTag/a": "${aws:username}"}, "ForAnyValue:StringEquals": {"aws:PrincipalTag/a": "b"}}),
        json!({"ForAnyValue:StringEquals": {"aws:CalledVia": "a"}, "ForAllValues:StringEquals": {"aws:CalledVia": "b"}}),
        json!({"StringEquals": {"k:k": "a"}, "ForAnyValue:StringEquals": {"k:k": "b"}}),
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}, "StringNotEquals": {"aws:SourceVpc": "vpc-2"}}),
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}, "StringEqualsIgnoreCase": {"aws:SourceVpc": "VPC-1"}}),
    ] {
        assert_eq!(deny(condition.clone()), NONE, "{condition}");
    }
    assert_eq!(allow("dynamodb:*", json!({"StringEquals": {"aws:SourceVpc": []}})), NONE);
}

#[test]
fn resources_actions_and_principals() {
    let of = |effect: &str, action: Value, resource: &str| {
        names(
            &json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": action, "Resource": resource}}),
        )
    };
    let foreign = ["resource-of-other-service"];
    assert_eq!(of("Deny", json!("dynamodb:*"), "arn:aws:s3:::a"), foreign);
    assert_eq!(of("Allow", json!("dax:GetItem"), "arn:aws:dynamodb:*:*:table/a"), foreign);
    for (action, resource) in [
        (json!("dynamodb:*"), "*"),
        (json!("dynamodb:*"), "arn:aws:dyn*:*:*:table/a"),
        (json!("dynamodb:*"), "arn:*:s3:::a"),
        (json!("dynamodb:*"), "arn:aws:dynamodb::1:global-table/a"),
        (json!(["dynamodb:*", "s3:*"]), "arn:aws:s3:::a"),
        (json!("backup:StartBackupJob"), "arn:aws:dynamodb:*:*:table/a"),
        (json!("dax:*"), "arn:aws:dax:*:*:cache/a"),
    ] {
        assert_eq!(of("Deny", action, resource), NONE, "{resource}");
    }
    for action in
        ["dynamodb:GetItems", "dynamodb:TransactWriteItems", "DynamoDB:ExecuteStatement", "dax:GetItm"]
    {
        assert_eq!(of("Deny", json!(action), "*"), ["unknown-action"], "{action}");
    }
    for action in [
        "dynamodb:GetItem",
        "dynamodb:Get*s",
        "dynamodb:FutureAction",
        "s3:GetItems",
        "dynamodb:SomethingNew",
        "*",
    ] {
        assert_eq!(of("Deny", json!(action), "*"), NONE, "{action}");
    }
    for action in ["dyn*:GetItem", "*:*"] {
        assert_eq!(of("Deny", json!(action), "*"), ["wildcard-in-service"], "{action}");
    }
    let with = |effect: &str, principal: &str| {
        names(
            &json!({"Version": "2012-10-17", "Statement": {"Effect": effect, principal: {"AWS": "111122223333"},
            "Action": "dynamodb:GetItem", "Resource": "*"}}),
        )
    };
    assert_eq!(with("Allow", "NotPrincipal"), ["not-principal-allow"]);
    assert_eq!((with("Deny", "NotPrincipal"), with("Allow", "Principal")), (vec![], vec![]));
}

#[test]
fn values_that_cannot_be_compared() {
    let lint = ["unreadable-value"];
    for (operator, key, value) in [
        ("IpAddress", "aws:SourceIp", "office"),
        ("NotIpAddress", "aws:VpcSourceIp", "10.0.0.0/33"),
        ("ArnLike", "aws:PrincipalArn", "*"),
        ("Bool", "aws:SecureTransport", "yes"),
        ("Null", "aws:SourceVpc", "absent"),
        ("DateLessThan", "aws:CurrentTime", "tomorrow"),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "an hour"),
    ] {
        assert_eq!(deny(json!({operator: {key: value}})), lint, "{value}");
    }
    for (operator, key, value) in [
        ("IpAddress", "aws:SourceIp", "203.0.113.7"),
        ("IpAddress", "aws:SourceIp", "203.000.113.07/24"),
        ("ArnLike", "aws:PrincipalArn", "arn:*:*:*:*:*"),
        ("Bool", "aws:SecureTransport", "False"),
        ("DateLessThan", "aws:CurrentTime", "2026-01"),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "1e3"),
        ("Bool", "aws:SecureTransport", "${aws:PrincipalTag/secure}"),
        ("BinaryEquals", "k:k", "QUI"),
        ("StringEquals", "aws:SourceVpc", "office"),
    ] {
        assert_eq!(deny(json!({operator: {key: value}})), NONE, "{value}");
    }
    let private = |operator: &str, key: &str, block: &str| deny(json!({operator: {key: block}}));
    assert_eq!(private("NotIpAddress", "aws:SourceIp", "10.0.0.0/16"), ["private-source-ip"]);
    assert_eq!(private("IpAddress", "aws:SourceIp", "fd00::1"), ["private-source-ip"]);
    assert_eq!(private("IpAddress", "aws:VpcSourceIp", "10.0.0.0/16"), NONE);
    assert_eq!(private("IpAddress", "aws:SourceIp", "8.0.0.0/6"), NONE);
    assert_eq!(private("IpAddress", "aws:SourceIp", "0.0.0.0/0"), NONE);
}

#[test]
fn what_the_version_decides() {
    let tag = json!({"StringEquals": {"aws:PrincipalTag/a": "${aws:username}"}});
    let mut policy = statement("Deny", "*", tag);
    assert_eq!(names(&policy), NONE);
    policy["Version"] = "2008-10-17".into();
    assert_eq!(names(&policy), ["variable-in-2008"]);
    policy.as_object_mut().unwrap().remove("Version");
    assert_eq!(names(&policy), ["variable-in-2008"]);
    policy["Statement"]["Condition"] = json!({"StringEquals": {"aws:PrincipalTag/a": "${a}$"}});
    assert_eq!(names(&policy), ["no-version"]);
    policy["Statement"]["Resource"] = "arn:aws:dynamodb:*:*:table/${aws:username}".into();
    assert_eq!(names(&policy), ["variable-in-2008"]);
    policy["Version"] = "2008-10-17".into();
    policy["Statement"]["Resource"] = "*".into();
    assert_eq!(names(&policy), NONE);
}

#[test]
fn each_has_its_place() {
    let text = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Outside", "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:SourceVpc": ["vpc-1", "vpc-*"]}}}]}"#;
    let found = of(&Document::parse(text, Kind::Identity).unwrap());
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&text[one.span.clone()], one.statement.as_deref()), (r#""vpc-*""#, Some("Outside")));
    insta::assert_snapshot!(one.message, @"`StringNotEquals` takes the wildcard of `vpc-*` for a character: no `aws:SourceVpc` is so");
    assert_eq!(quoted(&"é".repeat(99)).chars().count(), QUOTED + 3);
}

/// Policies that are none, nearly none, and some.
fn any_policy() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-c*?:$/{},'é \\\\]{0,9}",
        "(aws|dynamodb|dax|s3)?:?(SourceVpc|SourceIp|PrincipalArn|PrincipalTag/?|LeadingKeys|TagKeys|GetItem|\\*)?",
        "arn:aws:(iam|s3|dynamodb):[a-z*]{0,3}:[0-9*]{0,12}:[a-z/*:${}]{0,9}",
        "[0-9./:]{0,20}",
        "(true|false|\\$\\{aws:username\\}|\\$\\{\\*\\})\\*?",
    ];
    let operator = "(ForAllValues:|ForAnyValue:)?(StringEquals|StringNotLike|ArnLike|IpAddress|Bool|Null|NumericLessThan|DateEquals|BinaryEquals)(IfExists)?";
    let values = prop::collection::vec(text.clone(), 0..3);
    let keys = prop::collection::btree_map(text.clone(), values.clone(), 0..3);
    let condition = prop::collection::btree_map(operator, keys, 0..3);
    let action = prop::collection::vec(prop_oneof![text.clone(), Just("dynamodb:*".to_owned())], 0..3);
    let resource = prop::collection::vec(prop_oneof![text, Just("*".to_owned())], 0..3);
    let version = prop::option::of("2012-10-17|2008-10-17");
    (any::<bool>(), any::<bool>(), action, resource, condition, version).prop_map(
        |(denies, negated, action, resource, condition, version)| {
            let effect = if denies { "Deny" } else { "Allow" };
            let action_name = if negated { "NotAction" } else { "Action" };
            let statement =
                json!({"Effect": effect, action_name: action, "Resource": resource, "Condition": condition});
            let mut policy = json!({"Statement": statement});
            if let Some(version) = version {
                policy["Version"] = version.into();
            }
            policy
        },
    )
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_places_lie_in_the_text(policy in any_policy()) {
        let text = policy.to_string();
        if let Ok(document) = Document::parse(&text, Kind::Identity) {
            for found in of(&document) {
                prop_assert!(text.get(found.span.clone()).is_some_and(|part| !part.is_empty()));
                prop_assert!(!found.message.is_empty());
            }
        }
    }
}
