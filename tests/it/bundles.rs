//! `perimeter prove` and `simulate`, as they are run.

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::corpus::root;

type Tested = Result<(), Box<dyn Error>>;

fn case(id: &str) -> Result<Value, Box<dyn Error>> {
    let text = std::fs::read_to_string(root().join("tests/fixtures/policies.json"))?;
    let all: Value = serde_json::from_str(&text)?;
    let cases = all["cases"].as_array().cloned().unwrap_or_default();
    let found = cases.into_iter().find(|case| case["id"] == id);
    Ok(found.map(|case| case["bundle"].clone()).ok_or("no such case")?)
}

/// What a command says of a bundle on standard input, on standard error, and how it ends.
fn run(arguments: &[&str], bundle: &Value) -> Result<(String, String, Option<i32>), Box<dyn Error>> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_perimeter"))
        .args(arguments)
        .arg("-")
        .env_remove("PERIMETER_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(serde_json::to_string_pretty(bundle)?.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr), output.status.code()))
}

#[test]
fn an_open_set_is_shown_with_its_request_and_who_let_it_through() -> Tested {
    let (out, _, code) = run(&["prove"], &case("F03")?)?;
    insta::assert_snapshot!(out, @r#"
    -

      open              * to *
        dynamodb:GetItem on arn:aws:dynamodb:us-east-1:111122223333:table/000
        by arn:aws:iam::111122223333:role/:role/your-emergency-role
        from a public address
          aws:SourceIp 203.0.113.10
          aws:ViaAWSService false
        - scp-level0-0, #1: it allows the request
        - scp-level1-0, #1: it allows the request
        - identity-0, #1: it allows the request
        - scp-level1-1, DenyDynamoOutsideVpc: it denies, but `StringNotLike` on `aws:PrincipalArn` does
          not hold for `arn:aws:iam::111122223333:role/:role/your-emergency-role`: its `*` stands for
          colons and slashes too, which that of `ArnNotLike` does not

      1 answer: 1 open
      An open answer shows one way in; there may be more.

      1 lint:
        - -:94:39: string-like-principal-arn: policy `scp-level1-1`, statement `DenyDynamoOutsideVpc`:
          the account's `*` in `arn:aws:iam::*:role/your-emergency-role` goes over colons and slashes
          under `StringNotLike`: write `ArnNotLike`

      `perimeter explain NAME` says more of one
    "#);
    assert_eq!(code, Some(1));
    Ok(())
}

#[test]
fn the_request_of_a_proof_can_be_simulated_as_it_stands() -> Tested {
    let mut bundle = case("F03")?;
    let (out, _, _) = run(&["prove", "--format", "json"], &bundle)?;
    let proven: Value = serde_json::from_str(&out)?;
    let verdict = &proven["verdicts"][0];
    assert_eq!((&verdict["verdict"], &verdict["principal"]), (&json!("open"), &json!("*")));
    bundle["request"] = verdict["counterexample"].clone();
    let (out, _, code) = run(&["simulate", "--format", "json"], &bundle)?;
    let decided: Value = serde_json::from_str(&out)?;
    assert_eq!((&decided["decision"], code), (&json!("allow"), Some(0)));
    bundle["request"]["principal"] = json!("arn:aws:iam::111122223333:role/app");
    let (out, _, code) = run(&["simulate"], &bundle)?;
    insta::assert_snapshot!(out, @r#"
    explicit_deny
        - by scp-level1-1, DenyDynamoOutsideVpc

      Allow yes     scp-level0-0, #1 (service control policies, level 0)
      Allow yes     scp-level1-0, #1 (service control policies, level 1)
      Deny  yes     scp-level1-1, DenyDynamoOutsideVpc (service control policies, level 1)
      Allow yes     identity-0, #1 (identity policies)
    "#);
    assert_eq!(code, Some(0));
    Ok(())
}

#[test]
fn what_is_kept_ends_with_0_and_what_iam_refuses_with_2() -> Tested {
    assert_eq!(run(&["prove"], &case("F01")?)?.2, Some(0));
    let (out, err, code) = run(&["prove", "--format", "json"], &case("J04")?)?;
    assert_eq!((out.contains("\"verdicts\": []"), code), (true, Some(2)));
    let place = "policy `scp-level1-1`, line 1, column 55 of its text, statement `#1`";
    assert!(err.contains(&format!("{place}: `Effect` stands twice in a statement")), "{err}");
    assert_eq!(run(&["prove"], &case("B03")?)?.2, Some(2));
    let (_, err, code) = run(&["simulate"], &case("F01")?)?;
    insta::assert_snapshot!(err, @r#"error: -: the bundle has no `request`: what is to be decided? As in `"request": {"action": "dynamodb:GetItem", "resource": "arn:…", "principal": "arn:…", "context": {}}`"#);
    assert_eq!(code, Some(2));
    Ok(())
}

/// A guard with slips in it: its account is a wildcard of `StringNotLike`, its key does not exist, and so on.
fn careless() -> Value {
    json!({
        "principals": [{"arn": "arn:aws:iam::111122223333:role/app", "identity": []}],
        "scps": [[{"name": "guard\u{1b}[2J", "document": {
            "Version": "2012-10-17",
            "Statement": [{"Sid": "Outside", "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*",
                "Condition": {
                    "StringNotEquals": {"aws:SourcVpc": "vpc-0a1"},
                    "StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/your-emergency-role"}}}]}},
            {"name": "as-text", "document": "{\n  \"Statement\": {\"Effect\": \"Deny\",\n    \"Action\": \"dynamodb:GetItems\", \"Resource\": \"*\"}}"}]],
        "tables": [{"arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"}],
        "perimeter": {"version": 1, "environments": {"production": {"mode": "enforce", "accounts": ["111122223333"]}}}
    })
}

#[test]
fn what_is_hardly_meant_is_said_below_the_verdicts() -> Tested {
    let (out, err, code) = run(&["prove"], &careless())?;
    insta::assert_snapshot!(out, @r#"
    -

      no access         arn:aws:iam::111122223333:role/app to arn:aws:dynamodb:eu-west-1:111122223333:table/orders

      1 answer: 1 no access

      4 lints:
        - -:28:19: unknown-key: policy `guard\u{1b}[2J`, statement `Outside`: no condition key
          `aws:SourcVpc` is known, as of 2026-09-26: is `aws:SourceVpc` meant?
        - -:31:39: string-like-principal-arn: policy `guard\u{1b}[2J`, statement `Outside`: the
          account's `*` in `arn:aws:iam::*:role/your-emergency-role` goes over colons and slashes under
          `StringNotLike`: write `ArnNotLike`
        - -:44:21: no-version: policy `as-text`, line 1, column 1 of its text: the policy has no
          `Version`, so it is of 2008-10-17, and without variables
        - -:44:21: unknown-action: policy `as-text`, line 3, column 15 of its text, statement `#1`: no
          action `dynamodb:getitems` is known, as of 2026-09-26: is `dynamodb:GetItem` meant?

      `perimeter explain NAME` says more of one
    "#);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    let (colored, ..) = run(&["prove", "--color", "always"], &careless())?;
    assert!(colored.contains("\u{1b}[33munknown-key\u{1b}[0m:"), "{colored:?}");
    Ok(())
}

#[test]
fn lints_for_programs_stand_beside_the_verdicts() -> Tested {
    let (out, _, code) = run(&["prove", "--format", "json"], &careless())?;
    let proven: Value = serde_json::from_str(&out)?;
    let lints = proven["lints"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = lints.iter().filter_map(|lint| lint["name"].as_str()).collect();
    assert_eq!(names, ["unknown-key", "string-like-principal-arn", "no-version", "unknown-action"]);
    let (line, column) = (&lints[3]["line"], &lints[3]["column"]);
    assert_eq!(
        lints[3],
        json!({"name": "unknown-action", "bundle": "-", "policy": "as-text", "statement": "#1", "line": line,
            "column": column, "within": {"line": 3, "column": 15},
            "message": "no action `dynamodb:getitems` is known, as of 2026-09-26: is `dynamodb:GetItem` meant?"})
    );
    assert_eq!((&lints[2]["statement"], &lints[0]["within"]), (&Value::Null, &Value::Null));
    assert_eq!((proven["verdicts"].as_array().map(Vec::len), code), (Some(1), Some(0)));
    for format in ["ndjson", "csv"] {
        let (out, ..) = run(&["prove", "--format", format], &careless())?;
        assert!(!out.contains("unknown-key"), "{out}");
    }
    Ok(())
}

#[test]
fn lints_are_explained_as_rules_are() -> Tested {
    let explain = |arguments: &[&str]| -> Result<String, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perimeter"));
        let output = command.arg("explain").args(arguments).env_remove("PERIMETER_CONFIG").output()?;
        Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
    };
    insta::assert_snapshot!(explain(&["no-version"])?, @r#"
    said of policies by `perimeter prove`; it changes no verdict

    The policy does not say its version  no-version

    What happens
      A policy without `Version` is of version 2008-10-17, which has no variables.

    Why it matters
      It means the same as long as it has none. Whoever adds `${aws:PrincipalTag/team}` adds
      text that nothing is equal to.

    What to write
      Begin it with `"Version": "2012-10-17"`.

    Source
      IAM user guide, "IAM JSON policy elements: Version"
    "#);
    let both: Value = serde_json::from_str(&explain(&["no-version", "transit", "--format", "json"])?)?;
    assert_eq!((&both[0]["raised_by"], &both[1]["raised_by"]), (&json!("lint"), &json!("call")));
    let table = explain(&["no-version", "transit", "--format", "csv"])?;
    assert!(table.contains("\nno-version,,,lint,"), "{table}");
    assert!(explain(&["no-versions"])?.contains("did you mean `no-version`?"));
    Ok(())
}

/// What a command says of bundles of docs/bundles, and how it ends.
fn documented(arguments: &[&str]) -> Result<(String, Option<i32>), Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perimeter"));
    let output = command
        .args(arguments)
        .current_dir(root())
        .env_remove("PERIMETER_CONFIG")
        .stdin(Stdio::null())
        .output()?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code()))
}

const OLD: &str = "docs/bundles/mended.json";
const NEW: &str = "docs/bundles/well-known.json";

#[test]
fn what_the_pages_show_is_what_is_said() -> Tested {
    for page in ["README.md", "docs/prover.md", "docs/bundles.md"] {
        let page = std::fs::read_to_string(root().join(page))?;
        let console = page.split("```console\n").skip(1).filter_map(|block| block.split("```").next());
        for block in console.filter(|block| {
            ["$ perimeter prove", "$ perimeter simulate"].iter().any(|command| block.starts_with(command))
        }) {
            for said in block.split("$ perimeter ").skip(1) {
                let (arguments, shown) = said.split_once('\n').ok_or("nothing is shown")?;
                let (out, _) = documented(&arguments.split(' ').collect::<Vec<_>>())?;
                for part in shown.split("    …\n") {
                    assert!(out.contains(part), "{arguments}\n{part}\n{out}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_sample_of_the_format_is_one() -> Tested {
    let page = std::fs::read_to_string(root().join("docs/bundles.md"))?;
    let sample = page.split("```json\n").nth(1).and_then(|block| block.split("```").next());
    let mut bundle: Value = serde_json::from_str(sample.ok_or("no sample")?)?;
    let (out, err, code) = run(&["prove"], &bundle)?;
    assert_eq!((out.contains("1 answer: 1 enforced"), err.as_str(), code), (true, "", Some(0)), "{out}");
    assert!(run(&["simulate"], &bundle)?.0.starts_with("allow\n"));
    bundle["request"]["context"] = json!({});
    assert!(run(&["simulate"], &bundle)?.0.starts_with("explicit_deny\n"));
    Ok(())
}

#[test]
fn a_question_without_its_half_is_refused() -> Tested {
    for missing in ["principals", "tables"] {
        let mut bundle = case("F01")?;
        bundle[missing] = json!([]);
        let (out, err, code) = run(&["prove", "--format", "json"], &bundle)?;
        assert!(err.contains(&format!("nothing is asked: the bundle has no `{missing}`")), "{err}");
        assert_eq!((out.contains("\"verdicts\": []"), code), (true, Some(2)));
    }
    Ok(())
}

#[test]
fn what_is_no_table_is_not_proven() -> Tested {
    let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
    for (arn, is_one) in [
        (table.to_owned(), true),
        (format!("{table}/stream/2026-02-02T00:00:00.000"), true),
        (format!("{table}/index/by-day"), false),
        (table.replace("table/", "tables/"), false),
        (table.replace("table/orders", "table/"), false),
        (table.replace("dynamodb", "dynamo"), false),
    ] {
        let mut bundle = case("F01")?;
        bundle["tables"] = json!([{ "arn": arn }]);
        let (out, _, code) = run(&["prove", "--format", "json"], &bundle)?;
        let refused = out.contains("is no table or stream of DynamoDB");
        assert_eq!((refused, code == Some(2)), (!is_one, !is_one), "{arn}: {out}");
    }
    Ok(())
}

#[test]
fn what_lets_a_request_through_without_a_statement_is_said() -> Tested {
    let deny = json!({"name": "lock", "document": {"Version": "2012-10-17", "Statement": {"Effect": "Deny",
        "Principal": "*", "Action": "dynamodb:*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-0prod0eu"}}}}});
    let mut bundle = case("F01")?;
    (bundle["scps"], bundle["principals"]) =
        (json!([]), json!([{"arn": "arn:aws:iam::111122223333:role/app"}]));
    let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
    bundle["tables"] = json!([{"arn": table, "policy": deny}]);
    let (out, _, _) = run(&["prove", "--format", "json"], &bundle)?;
    let told: Value = serde_json::from_str(&out)?;
    let notes = told["verdicts"][0]["notes"].to_string();
    assert!(notes.contains("the bundle has no `identity` for it"), "{out}");
    assert!(notes.contains("a table's policy has no say in"), "{out}");
    assert_eq!(told["verdicts"][0]["origin"], json!("a public address"));
    bundle["request"] = json!({"action": "dynamodb:GetItm", "resource": table,
        "principal": "arn:aws:iam::111122223333:role/other", "context": {"aws:SourceVPCs": "vpc-0prod0eu"}});
    let (out, err, _) = run(&["simulate"], &bundle)?;
    assert!(out.contains("the bundle has no such principal"), "{out}");
    assert!(
        err.contains("is `dynamodb:GetItem` meant?") && err.contains("is `aws:SourceVpc` meant?"),
        "{err}"
    );
    Ok(())
}

#[test]
fn endpoints_of_a_list_are_known_to_a_proof() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("endpoints.json");
    let list = |vpc: &str| {
        json!({"VpcEndpoints": [{"VpcEndpointId": "vpce-0a1", "VpcId": vpc, "OwnerId": "111122223333",
            "ServiceName": "com.amazonaws.eu-west-1.dynamodb"}]})
    };
    let only = |id: &str| {
        json!([[{"name": "only", "document": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*",
                "Condition": {"StringNotEquals": {"aws:SourceVpce": id}}}]}}]])
    };
    let mut bundle = json!({
        "perimeter": {"version": 1, "environments": {"production": {"mode": "enforce", "accounts": ["111122223333"]}},
            "vpc": [{"id": "vpc-0prod0eu", "region": "eu-west-1", "account": "111122223333"}]},
        "principals": [{"arn": "arn:aws:iam::111122223333:role/app"}],
        "tables": [{"arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"}],
    });
    bundle["scps"] = only("vpce-0a1");
    let path = file.to_str().ok_or("no path")?;
    for (vpc, expected) in [("vpc-0prod0eu", Some(0)), ("vpc-0other", Some(1))] {
        std::fs::write(&file, list(vpc).to_string())?;
        assert_eq!(run(&["prove", "--endpoints", path], &bundle)?.2, expected, "{vpc}");
    }
    assert_eq!(run(&["prove"], &bundle)?.2, Some(1));
    let (_, err, code) = run(&["prove", "--endpoints", "/nowhere/endpoints.json"], &bundle)?;
    assert_eq!((err.contains("--endpoints /nowhere/endpoints.json"), code), (true, Some(2)), "{err}");
    Ok(())
}

#[test]
fn a_baseline_tells_what_is_newly_open() -> Tested {
    let prove = |old, new| documented(&["prove", "--baseline", old, new, "--format", "json"]);
    for (old, new, verdict, expected) in
        [(OLD, NEW, "open", 1), (NEW, OLD, "enforced", 0), (NEW, NEW, "enforced", 0)]
    {
        let (out, code) = prove(old, new)?;
        let told: Value = serde_json::from_str(&out)?;
        let answer = &told["verdicts"][0];
        assert_eq!((&answer["verdict"], &answer["baseline"]), (&json!(verdict), &json!(true)), "{old} {new}");
        assert_eq!(code, Some(expected), "{old} {new}");
    }
    let (out, _) = documented(&["prove", "--baseline", NEW, OLD])?;
    insta::assert_snapshot!(out, @r"
    docs/bundles/mended.json

      nothing new       * to arn:aws:dynamodb:eu-west-1:111122223333:table/orders

      1 answer, beside the baseline: 1 nothing new
    ");
    Ok(())
}

#[test]
fn what_keeps_requests_out_is_told_by_where_they_come_from() -> Tested {
    let (out, _) = documented(&["prove", "--explain", OLD, "--format", "json"])?;
    let told: Value = serde_json::from_str(&out)?;
    let excluded = told["verdicts"][0]["excluded"].as_array().cloned().unwrap_or_default();
    assert_eq!(excluded.len(), 1);
    assert_eq!(excluded[0]["from"][0], "the internet");
    assert_eq!(excluded[0]["actions"], json!(["*"]));
    assert_eq!(excluded[0]["by"], json!([{"policy": "dynamodb-perimeter", "statement": "OnlyFromVpc"}]));
    // What is open is shown by its request, and nothing keeps it out; and without the option nothing is said.
    let (out, _) = documented(&["prove", "--explain", NEW, "--format", "json"])?;
    assert!(!out.contains("excluded"), "{out}");
    let (out, _) = documented(&["prove", OLD, "--format", "json"])?;
    assert!(!out.contains("excluded"), "{out}");
    Ok(())
}

#[test]
fn each_action_is_kept_out_by_what_keeps_it_out() -> Tested {
    let mut bundle: Value = serde_json::from_str(&std::fs::read_to_string(root().join(OLD))?)?;
    let guard = &mut bundle["scps"][0][1]["document"]["Statement"];
    let (mut reads, mut rest) = (guard[0].clone(), guard[0].clone());
    reads["Sid"] = json!("Reads");
    reads["Action"] = json!(["dynamodb:Get*"]);
    rest["Action"] = Value::Null;
    rest.as_object_mut().map(|rest| rest.remove("Action"));
    rest["NotAction"] = json!(["dynamodb:Get*", "dynamodb:PutItem"]);
    *guard = json!([reads, rest]);
    bundle["principals"][0]["arn"] = json!("arn:aws:iam::111122223333:role/app");
    bundle["principals"][0]["identity"] = json!([{"name": "own", "document": {"Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "NotAction": "dynamodb:PutItem", "Resource": "*"}}}]);
    let (out, _, _) = run(&["prove", "--explain"], &bundle)?;
    insta::assert_snapshot!(out.split("\n  1 answer").next().unwrap_or_default(), @r"
    -

      enforced          arn:aws:iam::111122223333:role/app to arn:aws:dynamodb:eu-west-1:111122223333:table/orders
        from the internet; any endpoint that is not listed; an AWS service, with the caller's
        credentials; such a service, from an address; such a service, from any endpoint that is not
        listed:
        - denied by dynamodb-perimeter, Reads: dynamodb:GetItem, dynamodb:GetRecords,
          dynamodb:GetResourcePolicy and 1 more
        - denied by dynamodb-perimeter, OnlyFromVpc: dynamodb:Query, dynamodb:Scan,
          dynamodb:AssociateTableReplica and 57 more
        - allowed by no statement of the identity policies: dynamodb:PutItem
    ");
    Ok(())
}
