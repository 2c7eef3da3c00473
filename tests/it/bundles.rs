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
          aws:SourceIp 203.0.113.10
          aws:ViaAWSService false
        - scp-level0-0, #1: it allows the request
        - scp-level1-0, #1: it allows the request
        - identity-0, #1: it allows the request
        - scp-level1-1, DenyDynamoOutsideVpc: it denies, but `StringNotLike` on `aws:PrincipalArn` does
          not hold for `arn:aws:iam::111122223333:role/:role/your-emergency-role`: its `*` stands for
          colons and slashes too, which that of `ArnNotLike` does not

      1 answer: 1 open
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
    insta::assert_snapshot!(err, @r#"error: -: the bundle has no `request`: what is to be decided?"#);
    assert_eq!(code, Some(2));
    Ok(())
}
