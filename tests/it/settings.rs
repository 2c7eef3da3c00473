//! What a command runs with, as people give it: the configuration's path, its text, its warnings, and
//! lists of endpoints.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::corpus::root;

type Tested = Result<(), Box<dyn Error>>;

/// A perimeter that two warnings are due to.
const RISKY: &str = r#"version = 1
[environments.production]
mode = "enforce"
accounts = ["111122223333", "111122223333"]
[[vpc]]
id = "vpc-0a1b2c3d4e5f6e001"
region = "eu-west-1"
account = "111122223333"
cidrs = ["10.0.0.0/8"]
"#;

/// Scans one sample, in a folder that may hold a perimeter.toml.
fn scan(folder: &Path, args: &[&str], config: Option<&str>) -> std::io::Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perimeter"));
    command.current_dir(folder).env_remove("PERIMETER_CONFIG").env("NO_COLOR", "1").env("HOME", folder);
    if let Some(config) = config {
        command.env("PERIMETER_CONFIG", config);
    }
    let sample = root().join("events/aggregated-event.json");
    command.args(["scan", "--store", "none"]).args(args).arg(sample).output()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_perimeter_that_is_not_there_can_be_written() -> Tested {
    let folder = tempfile::tempdir()?;
    for output in [
        scan(folder.path(), &["--config", "nope.toml"], None)?,
        scan(folder.path(), &[], Some("nope.toml"))?,
        scan(folder.path(), &["--config", "nope.toml"], Some("other.toml"))?,
    ] {
        let said = refused(&output);
        assert!(said.contains("`perimeter init nope.toml`"), "{said}");
    }
    let said = refused(&scan(folder.path(), &[], None)?);
    assert!(said.contains("`perimeter init`, or name one with --config"), "{said}");
    // What is there and cannot be read is not to be written over.
    let said = refused(&scan(folder.path(), &["--config", "."], None)?);
    assert!(!said.contains("perimeter init"), "{said}");
    Ok(())
}

#[test]
fn an_empty_variable_names_no_perimeter() -> Tested {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("perimeter.toml"), RISKY)?;
    assert_eq!(scan(folder.path(), &[], Some(""))?.status.code(), Some(0));
    let said = refused(&scan(folder.path(), &["--config", ""], None)?);
    assert!(said.contains("a value is required for '--config"), "{said}");
    Ok(())
}

#[test]
fn a_perimeter_of_other_bytes_is_named_with_its_place() -> Tested {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("perimeter.toml");
    fs::write(&config, b"version = 1\n# f\xfcr\n")?;
    let said = refused(&scan(folder.path(), &[], None)?);
    assert!(
        said.contains("byte 15, counted from 0, is 0xfc") && said.contains("perimeter.toml:2:4"),
        "{said}"
    );
    assert!(!said.contains("perimeter init") && !said.contains("UTF-16"), "{said}");
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(RISKY.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    fs::write(&config, wide)?;
    let said = refused(&scan(folder.path(), &[], None)?);
    assert!(said.contains("UTF-16") && said.contains("perimeter.toml:1:1"), "{said}");
    fs::write(&config, "#".repeat((4 << 20) + 1))?;
    let said = refused(&scan(folder.path(), &[], None)?);
    assert!(said.contains("longer than 4 MiB"), "{said}");
    Ok(())
}

#[test]
fn warnings_are_drawn_for_whoever_wants_more_and_told_in_every_summary() -> Tested {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("perimeter.toml"), RISKY)?;
    let text = scan(folder.path(), &["-v"], None)?;
    let said = String::from_utf8(text.stderr)?;
    let (_, drawn) = said.split_at(said.find("warning").unwrap_or_default());
    let (drawn, _) = drawn.split_at(drawn.find("\n\nnote").unwrap_or(drawn.len()));
    insta::assert_snapshot!(drawn, @r#"
    warning: account `111122223333` stands here a second time
     --> perimeter.toml:4:29
      |
    4 | accounts = ["111122223333", "111122223333"]
      |                             ^^^^^^^^^^^^^^
      |
     ::: perimeter.toml:4:13
      |
    4 | accounts = ["111122223333", "111122223333"]
      |             -------------- listed here first

    warning: `10.0.0.0/8` is no VPC's block: none is wider than a /16
     --> perimeter.toml:9:10
      |
    9 | cidrs = ["10.0.0.0/8"]
      |          ^^^^^^^^^^^^
      |
      = help: list the VPC's own blocks; those of other networks belong to [[transit]]
    "#);
    let plain = scan(folder.path(), &[], None)?;
    assert!(!String::from_utf8(plain.stderr)?.contains("warning"));
    let summary = String::from_utf8(plain.stdout)?;
    let (_, warnings) = summary.split_once("Warnings\n").ok_or("no warnings")?;
    insta::assert_snapshot!(warnings.trim_end(), @r"
    perimeter.toml:4:29: account `111122223333` stands here a second time (line 4, column 13: listed
      here first)
    perimeter.toml:9:10: `10.0.0.0/8` is no VPC's block: none is wider than a /16; list the VPC's
      own blocks; those of other networks belong to [[transit]]
    ");
    let json = scan(folder.path(), &["--format", "json"], None)?;
    assert_eq!(String::from_utf8(json.stderr)?, "");
    let json: Value = serde_json::from_slice(&json.stdout)?;
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["summary"]["warnings"])?, @r#"
    [
      "perimeter.toml:4:29: account `111122223333` stands here a second time (line 4, column 13: listed here first)",
      "perimeter.toml:9:10: `10.0.0.0/8` is no VPC's block: none is wider than a /16; list the VPC's own blocks; those of other networks belong to [[transit]]"
    ]
    "#);
    Ok(())
}

#[test]
fn warnings_beyond_a_thousand_are_counted() -> Tested {
    let folder = tempfile::tempdir()?;
    let twice = "\"111122223333\", ".repeat(1200);
    let many = RISKY.replace("\"111122223333\", \"111122223333\"", &twice);
    fs::write(folder.path().join("perimeter.toml"), many)?;
    let text = scan(folder.path(), &["-v"], None)?;
    let said = String::from_utf8(text.stderr)?;
    assert!(said.contains("warning: and 200 more\n"), "{}", said.lines().last().unwrap_or_default());
    let json: Value = serde_json::from_slice(&scan(folder.path(), &["--format", "json"], None)?.stdout)?;
    let warnings = json["summary"]["warnings"].as_array().ok_or("no warnings")?;
    assert_eq!(warnings.len(), 1001);
    assert_eq!(warnings.last(), Some(&"perimeter.toml: and 200 more".into()));
    let many = RISKY.replace("\"111122223333\"]", &format!("{}]", "1, ".repeat(1001)));
    fs::write(folder.path().join("perimeter.toml"), many)?;
    let said = refused(&scan(folder.path(), &[], None)?);
    assert!(said.ends_with("error: and 5 values behind these were not checked\n"));
    Ok(())
}

#[test]
fn transit_that_is_allowed_is_never_raised() -> Tested {
    let folder = tempfile::tempdir()?;
    let severity = |transit: &str| -> Result<Value, Box<dyn Error>> {
        let config = format!("{RISKY}[rules]\ntransit = \"{transit}\"\n");
        fs::write(folder.path().join("perimeter.toml"), config)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_perimeter"));
        command.current_dir(folder.path()).env_remove("PERIMETER_CONFIG");
        let output = command.args(["explain", "transit", "--format", "json"]).output()?;
        Ok(serde_json::from_slice::<Value>(&output.stdout)?["severity"].clone())
    };
    assert_eq!(severity("allow")?, Value::Null);
    assert_eq!(severity("flag")?, "low");
    assert_eq!(severity("deny")?, "low");
    Ok(())
}

#[test]
fn an_empty_list_of_endpoints_is_an_error_and_one_without_endpoints_a_warning() -> Tested {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("perimeter.toml"), RISKY)?;
    let endpoints = |text: &str| -> Result<Output, Box<dyn Error>> {
        fs::write(folder.path().join("endpoints.json"), text)?;
        Ok(scan(folder.path(), &["--endpoints", "endpoints.json", "--format", "json"], None)?)
    };
    let said = refused(&endpoints("")?);
    assert!(said.contains("endpoints.json: it is empty"), "{said}");
    let said = refused(&endpoints("{}")?);
    assert!(said.contains("missing field `VpcEndpoints`"), "{said}");
    let none = endpoints(r#"{"VpcEndpoints": []}"#)?;
    assert!(none.status.success());
    let none: Value = serde_json::from_slice(&none.stdout)?;
    let warnings = none["summary"]["warnings"].as_array().ok_or("no warnings")?;
    assert_eq!(warnings.last(), Some(&"--endpoints endpoints.json: it lists no endpoint".into()));
    Ok(())
}
