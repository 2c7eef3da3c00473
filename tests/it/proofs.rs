//! Whole bundles, and what is proven of them.

use dynamodb_perimeter::prove::answer::{Answer, Verdict, prove};
use dynamodb_perimeter::prove::bundle::Bundle;
use dynamodb_perimeter::prove::simulate;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::corpus::root;

type Tested = Result<(), Box<dyn std::error::Error>>;

fn cases() -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(root().join("tests/fixtures/policies.json"))?;
    let all: Value = serde_json::from_str(&text)?;
    Ok(all["cases"].as_array().cloned().unwrap_or_default())
}

fn proven(bundle: &Value) -> Result<Vec<Answer>, String> {
    let text = bundle.to_string();
    let bundle =
        Bundle::parse(&text).map_err(|errors| errors.iter().map(ToString::to_string).collect::<String>())?;
    let perimeter = bundle.perimeter.clone().unwrap_or_default();
    Ok(prove(&bundle, &perimeter, "2026-11-25T00:00:00Z".parse::<Timestamp>().unwrap()))
}

#[test]
fn every_worked_case_is_right() -> Tested {
    let mut wrong = Vec::new();
    for case in cases()? {
        let expected = case["expected"].as_str().unwrap_or_default();
        let (found, more) = match proven(&case["bundle"]) {
            Ok(answers) => match answers.first() {
                Some(answer) => (answer.verdict.name(), format!("{:?} {:?}", answer.reason, answer.witness)),
                None => ("none", String::new()),
            },
            // What IAM refuses is refused with its place.
            Err(errors) => ("unknown", errors),
        };
        if found != expected {
            wrong.push(format!("{} {}: {found}, expected {expected}: {more}", case["id"], case["title"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn what_is_found_open_is_what_simulate_allows() -> Tested {
    for case in cases()? {
        let Ok(answers) = proven(&case["bundle"]) else { continue };
        for answer in answers.iter().filter(|answer| answer.verdict == Verdict::Open) {
            let Some(witness) = &answer.witness else { panic!("{}: open without a request", case["id"]) };
            let mut bundle = case["bundle"].clone();
            bundle["request"] = json!({
                "action": witness.action, "resource": witness.resource, "principal": witness.principal,
                "context": witness.context.iter().map(|(key, values)| (key.clone(), match values {
                    dynamodb_perimeter::iam::request::Values::One(value) => json!(value),
                    dynamodb_perimeter::iam::request::Values::Many(values) => json!(values),
                })).collect::<serde_json::Map<_, _>>(),
            });
            let bundle = Bundle::parse(&bundle.to_string()).map_err(|errors| format!("{errors:?}"))?;
            let perimeter = bundle.perimeter.clone().unwrap_or_default();
            let (_, decision) = simulate::simulate(&bundle, &perimeter)?;
            assert_eq!(decision.outcome.name(), "allow", "{}", case["id"]);
        }
    }
    Ok(())
}

/// As many characters as one service control policy may have, and some left for what is around its statements.
const OF_STATEMENTS: usize = 10_000;

/// A set of policies that is one role and these statements, in as many SCPs as hold them.
fn guarded_by(statements: Vec<Value>) -> Result<Value, Box<dyn std::error::Error>> {
    let mut bundle = cases()?.first().map(|case| case["bundle"].clone()).unwrap_or_default();
    let mut policies: Vec<Vec<Value>> = vec![Vec::new()];
    let mut len = 0;
    for statement in statements {
        let more = statement.to_string().len() + 1;
        if len + more > OF_STATEMENTS {
            policies.push(Vec::new());
            len = 0;
        }
        len += more;
        policies.last_mut().ok_or("no policy")?.push(statement);
    }
    let level = bundle["scps"][1].as_array_mut().ok_or("no level")?;
    level.truncate(1);
    for (n, statements) in policies.into_iter().enumerate() {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        level.push(json!({"name": format!("hostile-{n}"), "document": document}));
    }
    Ok(bundle)
}

/// What is proven of the worked case `X11`, whose table denies all but these from outside.
fn spared(listed: &[&str], principal: Value) -> Result<Verdict, Box<dyn std::error::Error>> {
    let case = cases()?.into_iter().find(|case| case["id"] == "X11").unwrap_or_default();
    let mut bundle = case["bundle"].clone();
    for (key, value) in principal.as_object().into_iter().flatten() {
        bundle["principals"][0][key] = value.clone();
    }
    let mut table = bundle["tables"][1].clone();
    table["policy"]["document"]["Statement"][0]["NotPrincipal"] = json!({ "AWS": listed });
    bundle["tables"] = json!([table]);
    let answers = proven(&bundle)?;
    Ok(answers.first().ok_or("no answer")?.verdict)
}

#[test]
fn a_deny_of_all_but_those_listed_is_sure_only_where_it_is() -> Tested {
    let root = "arn:aws:iam::111122223333:root";
    let role = "arn:aws:iam::111122223333:role/app";
    let session = "arn:aws:sts::111122223333:assumed-role/app/run";
    let known = json!({ "session_arn": session });
    let all = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]);
    let boundary = json!({ "name": "boundary", "document": { "Statement": all } });
    for (listed, principal, expected) in [
        (&[role, root][..], json!({}), Verdict::Open),
        (&[role], json!({}), Verdict::Unknown),
        (&[root], json!({}), Verdict::Unknown),
        (&["arn:aws:iam::111122223333:role/other", root], json!({}), Verdict::Enforced),
        (&["arn:aws:iam::111122223333:role/other"], json!({}), Verdict::Enforced),
        (&[session, root], json!({}), Verdict::Unknown),
        (&[session, root], known.clone(), Verdict::Open),
        (&[session], known, Verdict::Unknown),
        (&[role, root], json!({ "boundary": boundary }), Verdict::Enforced),
    ] {
        assert_eq!(spared(listed, principal.clone())?, expected, "{listed:?} {principal}");
    }
    Ok(())
}

#[test]
fn a_policy_that_aws_would_refuse_for_its_length_is_refused() -> Tested {
    let statement = json!({"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceVpc": vec!["vpc-0a1"; 1_200]}}});
    let mut bundle = guarded_by(Vec::new())?;
    bundle["scps"][1][1]["document"]["Statement"] = statement.clone();
    let refused =
        proven(&bundle).map_err(|errors| errors.split_once("policy `").map(|(_, said)| said.to_owned()));
    assert_eq!(
        refused.err().flatten().as_deref(),
        Some("hostile-0`, the policy has 12,140 characters, and a service control policy may have 10,240")
    );
    // Laid out, with its white space, it is as long as it is without.
    bundle["scps"][1][1]["document"]["Statement"] =
        json!({"Sid": "a", "Effect": "Deny", "Action": "*", "Resource": "*"});
    let spaced = bundle.to_string().replace("\"Sid\":", &format!("\"Sid\":{}", " ".repeat(20_000)));
    assert!(Bundle::parse(&spaced).is_ok());
    Ok(())
}

#[test]
fn a_hostile_set_ends_without_a_guess() -> Tested {
    let deny = |n: usize, operator: &str, value: String| {
        json!({"Sid": format!("S{n}"), "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*",
            "Condition": {operator: {"aws:PrincipalTag/t": value, "aws:PrincipalTag/u": format!("*{n}*")}}})
    };
    let many = (0..2_000).map(|n| deny(n, "StringNotLike", format!("*a{n}*"))).collect();
    let stars =
        (0..12).map(|n| deny(n, "StringNotLike", format!("*{}*", "a*b*c*".repeat(200 + n)))).collect();
    let splits = (0..60).map(|n| deny(n, "StringLike", format!("*{n}*"))).collect();
    for statements in [many, stars, splits] {
        let answers = proven(&guarded_by(statements)?)?;
        assert!(
            answers.iter().all(|answer| matches!(answer.verdict, Verdict::Unknown | Verdict::Open)),
            "{answers:?}"
        );
    }
    Ok(())
}

#[test]
fn what_stands_for_nobody_is_refused() -> Tested {
    let mut bundle = cases()?.first().map(|case| case["bundle"].clone()).unwrap_or_default();
    assert!(proven(&bundle).is_ok());
    let level = bundle["scps"][0].clone();
    bundle["scps"] = vec![level.clone(); 7].into();
    assert!(proven(&bundle).is_ok());
    let mut wrong = Vec::new();
    for (at, value) in [
        ("/scps", Value::from(vec![level; 8])),
        ("/principals/0/arn", json!("arn:aws:iam::111122223333:group/x")),
        ("/principals/0/arn", json!("arn:aws:iam::111122223333:role/*")),
        ("/principals/0/arn", json!("lambda")),
        ("/tables/0/arn", json!("orders")),
        ("/tables/0/arn", json!("arn:aws:dynamodb:eu-west-1:111122223333:table/*")),
    ] {
        let mut bundle = bundle.clone();
        *bundle.pointer_mut(at).ok_or("no such place")? = value.clone();
        if proven(&bundle).is_ok() {
            wrong.push(format!("{at} {value}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What is a resource, and none of DynamoDB's, has no answer.
    bundle["tables"][0]["arn"] = json!("arn:aws:s3:::bucket");
    let answers = proven(&bundle)?;
    assert_eq!(answers.first().map(|answer| answer.verdict), Some(Verdict::Unknown), "{answers:?}");
    Ok(())
}
