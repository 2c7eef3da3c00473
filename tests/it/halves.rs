//! Two accounts' copies of one call end as one finding, whichever comes first; and what came through an unknown endpoint
//! is judged again once the endpoint is known.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::corpus::root;

type Tested = Result<(), Box<dyn Error>>;

/// Runs the command with a store of its own in `folder`.
fn perimeter(folder: &Path, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
        .current_dir(root())
        .args(arguments)
        .args(["--format", "json", "--quiet", "--store"])
        .arg(folder.join("findings.db"))
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn sample(name: &str) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(&fs::read(root().join("events").join(name))?)?)
}

/// What tells the findings: rule, principal, count.
fn findings(listed: &Value) -> Vec<(String, String, u64)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed = listed.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let mut findings: Vec<_> = listed
        .map(|finding| {
            (
                text(&finding["rule"]),
                text(&finding["principal"]["arn"]),
                finding["count"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    findings.sort();
    findings
}

#[test]
fn two_copies_of_a_call_are_one_finding_in_any_order() -> Tested {
    let callers = sample("cross-account-read-callers-copy.json")?;
    let mut owners = sample("cross-account-read-owners-copy.json")?;
    owners["sharedEventID"] = callers["sharedEventID"].clone();
    let mut seen = Vec::new();
    for order in [[&callers, &owners], [&owners, &callers]] {
        let folder = tempfile::tempdir()?;
        for (n, copy) in order.iter().enumerate() {
            let file = folder.path().join(format!("{n}.json"));
            fs::write(&file, copy.to_string())?;
            perimeter(folder.path(), &["scan", &file.display().to_string()])?;
        }
        seen.push(findings(&perimeter(folder.path(), &["findings", "list"])?));
        // Judged anew, the owner's copy has its role.
        let file = folder.path().join("again.json");
        fs::write(&file, owners.to_string())?;
        let again = perimeter(folder.path(), &["scan", &file.display().to_string()])?;
        assert_eq!(again["summary"]["verdicts"]["undetermined"], 0);
    }
    let role = callers["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"].as_str().unwrap_or_default();
    assert_eq!(seen[0], [("public-access".to_owned(), role.to_owned(), 1)]);
    assert_eq!(seen[0], seen[1]);
    Ok(())
}

#[test]
fn an_unknown_endpoint_is_judged_again_once_it_is_known() -> Tested {
    let mut call = sample("gateway-endpoint-approved-vpc.json")?;
    call["vpcEndpointId"] = json!("vpce-0123456789abcdef0");
    let created = |vpc: &str| {
        let mut created = sample("endpoint-created.json").unwrap_or_default();
        created["awsRegion"] = call["awsRegion"].clone();
        created["recipientAccountId"] = call["vpcEndpointAccountId"].clone();
        created["responseElements"] = json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {
            "vpcEndpointId": "vpce-0123456789abcdef0", "vpcId": vpc, "ownerId": call["vpcEndpointAccountId"],
            "serviceName": "com.amazonaws.eu-west-1.dynamodb"}}});
        created
    };
    for (vpc, expected) in
        [("vpc-0a1b2c3d4e5f6e001", vec![]), ("vpc-0ffffffffffffffff", vec!["unapproved-vpc"])]
    {
        let folder = tempfile::tempdir()?;
        let scan = |name: &str, record: &Value| -> Result<Value, Box<dyn Error>> {
            let file = folder.path().join(name);
            fs::write(&file, record.to_string())?;
            perimeter(folder.path(), &["scan", &file.display().to_string()])
        };
        let before = scan("call.json", &call)?;
        assert_eq!(before["findings"][0]["rule"], "unknown-endpoint");
        scan("created.json", &created(vpc))?;
        let listed = perimeter(folder.path(), &["findings", "list"])?;
        let rules: Vec<String> = findings(&listed).into_iter().map(|(rule, _, _)| rule).collect();
        assert_eq!(rules, expected, "{listed:#}");
        let after = scan("call.json", &call)?;
        assert_eq!(after["summary"]["verdicts"]["undetermined"], 0);
    }
    Ok(())
}
