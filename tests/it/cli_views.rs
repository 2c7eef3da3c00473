//! The command `perimeter` as people run it: findings that are kept, rules, and what is generated. How
//! pages look is tested beside them, in src/cli/view.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dynamodb_perimeter::audit::case::Event;
use dynamodb_perimeter::audit::rule::{Rule, Severity, Subject};
use dynamodb_perimeter::audit::rules::{self, RULES};
use dynamodb_perimeter::aws::store_url::StoreUrl;
use dynamodb_perimeter::findings::finding::{Evidence, Identity, Sightings};
use dynamodb_perimeter::findings::sample::{EventKey, Sample};
use dynamodb_perimeter::findings::store::{Delta, FindingStore};
use dynamodb_perimeter::perimeter::exception::Coverage;
use dynamodb_perimeter::perimeter::origin::{Origin, OriginKind};
use dynamodb_perimeter::perimeter::principal::{Principal, PrincipalKind};
use serde_json::Value;

use crate::corpus::root;

type Tested = Result<(), Box<dyn Error>>;

/// A command in a folder of its own, where no perimeter is found.
fn perimeter(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perimeter"));
    command.current_dir(folder).env_remove("PERIMETER_CONFIG").env_remove("NO_COLOR").env("HOME", folder);
    command
}

fn text(output: &Output) -> Result<&str, Box<dyn Error>> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(std::str::from_utf8(&output.stdout)?)
}

/// Acts on terminals, on spreadsheets, on JSON and on the layout.
const HOSTILE: &str = "=cmd|' /C calc'!A1\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\r\n\t\"`,\u{7f}";

fn delta(
    rule: &str,
    who: &str,
    table: &str,
    severity: Severity,
    agent: &str,
) -> Result<Delta, Box<dyn Error>> {
    let rule = rules::find(rule).ok_or("no such rule")?;
    let account = "111122223333".to_owned();
    let arn = format!("arn:aws:iam::{account}:role/{who}");
    let mut seen = Sample::default();
    seen.insert(EventKey(7));
    let time = "2026-03-01T09:14:07Z".parse()?;
    let event = Event {
        id: Some("7edfed01-2d6b-4ac3-b2b8-c020536b7b64".into()),
        time: Some("2026-03-01T09:14:07Z".into()),
        name: Some("GetItem".into()),
        user_agent: Some(agent.into()),
        ..Event::default()
    };
    let ip = Some("203.0.113.25".to_owned());
    let sightings = Sightings {
        identity: Identity {
            rule: rule.id.into(),
            account: Some(account.clone()),
            principal: Some(arn.clone()),
            resources: vec![format!("arn:aws:dynamodb:eu-west-1:{account}:table/{table}")],
            origin: OriginKind::Public,
            endpoint: None,
        },
        severity,
        region: Some("eu-west-1".into()),
        principal: Principal {
            kind: PrincipalKind::Role,
            arn: Some(arn),
            unique_id: None,
            account: Some(account),
        },
        origin: Origin { kind: OriginKind::Public, ..Origin::unknown() },
        seen,
        gone: Sample::default(),
        span: Some((time, time)),
        addresses: ip.iter().cloned().collect(),
        evidence: vec![Evidence {
            key: EventKey(7),
            event,
            ip,
            reason: format!("role {who} reached DynamoDB."),
        }],
        named: Vec::new(),
        allowed_by: Vec::new(),
        guard: None,
        session: None,
        coverage: Coverage::Uncovered,
    };
    Ok(Delta { sightings, waiting: Vec::new(), halves: Vec::new() })
}

/// A store with these findings.
fn stored(folder: &Path, deltas: Vec<Delta>) -> Result<PathBuf, Box<dyn Error>> {
    let path = folder.join("findings.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = StoreUrl::File(path.clone()).open().await?.ok_or("no store")?;
        for delta in deltas {
            store.record(delta, "2026-03-02T00:00:00Z".parse()?).await?;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    Ok(path)
}

fn some() -> Result<Vec<Delta>, Box<dyn Error>> {
    Ok(vec![
        delta("public-access", "app/checkout", "orders", Severity::Critical, "Boto3/1.41")?,
        delta("public-access", "ci", "orders", Severity::Critical, "aws-cli/2.32")?,
        delta("metadata-outside", "ci", "carts", Severity::Low, "aws-cli/2.32")?,
    ])
}

#[test]
fn findings_are_listed_as_they_are_asked_for() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = stored(folder.path(), some()?)?;
    let list = |arguments: &[&str]| -> Result<usize, Box<dyn Error>> {
        let output = perimeter(folder.path())
            .args(["findings", "list", "--format", "json", "--store"])
            .arg(&store)
            .args(arguments)
            .output()?;
        let findings: Vec<Value> = serde_json::from_str(text(&output)?)?;
        assert!(
            findings.iter().all(|finding| finding["evidence"][0] == "7edfed01-2d6b-4ac3-b2b8-c020536b7b64")
        );
        Ok(findings.len())
    };
    let cases: [(&[&str], usize); 13] = [
        (&[], 3),
        (&["--limit", "2"], 2),
        (&["--limit", "0"], 3),
        (&["--severity", "high"], 2),
        (&["--rule", "metadata-outside"], 1),
        (&["--account", "111122223333"], 3),
        (&["--account", "444455556666"], 0),
        (&["--status", "open,reopened"], 3),
        (&["--status", "resolved"], 0),
        (&["--since", "2026-03-02"], 0),
        (&["--until", "2026-03-02"], 3),
        (&["--table", "cart?"], 1),
        (&["--principal", "app/*", "--table", "orders"], 1),
    ];
    for (arguments, count) in cases {
        assert_eq!(list(arguments)?, count, "{arguments:?}");
    }
    Ok(())
}

#[test]
fn a_list_for_reading_leads_on() -> Tested {
    let folder = tempfile::tempdir()?;
    stored(folder.path(), some()?)?;
    let output = perimeter(folder.path())
        .args(["findings", "list", "--limit", "2", "--store", "findings.db"])
        .output()?;
    insta::assert_snapshot!(text(&output)?, @r"
    CRITICAL  2 findings

    Access from a public address  public-access
      f-9c3481a3  role/app/checkout → table/orders                                               1 event
                  from 203.0.113.25 (public) · 111122223333 eu-west-1                   2026-03-01 09:14
      f-6bd4f3c6  role/ci → table/orders                                                         1 event
                  from 203.0.113.25 (public) · 111122223333 eu-west-1                   2026-03-01 09:14

    These are the first 2; there are more.

      perimeter findings show f-9c3481a3 --store findings.db  its evidence and remedy
      perimeter explain public-access                         what the rule finds, and why it matters
      perimeter findings list --limit 0 --store findings.db   all of them
    ");
    let none = perimeter(folder.path())
        .args(["findings", "list", "--severity", "high", "--rule", "metadata-outside"])
        .args(["--store", "findings.db"])
        .output()?;
    assert_eq!(text(&none)?, "No findings of this kind.\n");
    Ok(())
}

#[test]
fn a_finding_is_found_by_the_beginning_of_its_id() -> Tested {
    let folder = tempfile::tempdir()?;
    let deltas = some()?;
    let ids: Vec<String> = deltas.iter().map(|delta| delta.sightings.identity.id()).collect();
    let store = stored(folder.path(), deltas)?;
    let show = |id: &str| {
        perimeter(folder.path())
            .args(["findings", "show", id, "--format", "json", "--store"])
            .arg(&store)
            .output()
    };
    let id = ids.first().ok_or("no finding")?;
    for beginning in [
        id.as_str(),
        id.get(..8).unwrap_or_default(),
        id.trim_start_matches("f-"),
        &id.to_uppercase().replace("F-", ""),
    ] {
        let told: Value = serde_json::from_str(text(&show(beginning)?)?)?;
        assert_eq!(told["id"], *id, "{beginning}");
        assert_eq!(told["reason"], "role app/checkout reached DynamoDB.");
        assert_eq!(told["events"][0]["user_agent"], "Boto3/1.41");
        assert_eq!(told["events"][0]["ip"], "203.0.113.25");
    }
    let near = id.replace(id.get(9..10).unwrap_or_default(), "0");
    let wrong = show(near.get(..12).unwrap_or_default())?;
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.starts_with("error: no finding begins with `f-"), "{said}");
    assert!(said.contains(id.as_str()), "{said}");
    Ok(())
}

/// A command about the findings of `findings.db`, by a user of a known name.
fn findings(folder: &Path, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
    let mut command = perimeter(folder);
    command.arg("findings").args(arguments).args(["--store", "findings.db"]);
    Ok(command.env("USER", "anna").output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_is_decided_is_told_and_kept() -> Tested {
    let folder = tempfile::tempdir()?;
    stored(folder.path(), some()?)?;
    let run = |arguments: &[&str]| findings(folder.path(), arguments);
    let mut page = String::new();
    for arguments in [
        ["ack", "f-9c3481a3", "6bd4f3c6", "--note", "looking"].as_slice(),
        &["suppress", "f-9c3481a3", "--until", "2999-01-01", "--reason", "until the move"],
        &[
            "suppress",
            "f-9c3481a3",
            "--until",
            "2999-02-01",
            "--reason",
            "until the move",
            "--by",
            "the night shift",
        ],
        &["resolve", "F-6BD4F3C6", "f-6bd4f3c6", "--note", "the key is gone"],
        &["reopen", "f-6bd4f3c6", "--reason", "it is not"],
        &["resolve", "f-6bd4f3c6", "--change", "7edfed01", "--reason", "a new policy"],
        &["resolve", "f-6bd4f3c6", "--change", "7edfed01"],
    ] {
        page += &format!("$ {}\n{}", arguments.join(" "), text(&run(arguments)?)?);
    }
    insta::assert_snapshot!(page, @r"
    $ ack f-9c3481a3 6bd4f3c6 --note looking
    f-9c3481a3  open → acknowledged
                public-access: role/app/checkout → table/orders
    f-6bd4f3c6  open → acknowledged
                public-access: role/ci → table/orders
    $ suppress f-9c3481a3 --until 2999-01-01 --reason until the move
    f-9c3481a3  acknowledged → suppressed until 2999-01-01 00:00 UTC
                public-access: role/app/checkout → table/orders
    $ suppress f-9c3481a3 --until 2999-02-01 --reason until the move --by the night shift
    f-9c3481a3  suppressed until 2999-02-01 00:00 UTC
                public-access: role/app/checkout → table/orders
    $ resolve F-6BD4F3C6 f-6bd4f3c6 --note the key is gone
    f-6bd4f3c6  acknowledged → resolved
                public-access: role/ci → table/orders
    $ reopen f-6bd4f3c6 --reason it is not
    f-6bd4f3c6  resolved → reopened
                public-access: role/ci → table/orders
    $ resolve f-6bd4f3c6 --change 7edfed01 --reason a new policy
    f-6bd4f3c6  reopened → resolved
                public-access: role/ci → table/orders
    $ resolve f-6bd4f3c6 --change 7edfed01
    f-6bd4f3c6  resolved: this was decided before
                public-access: role/ci → table/orders
    ");
    let told = run(&["show", "f-9c3481a3", "f-6bd4f3c6", "--format", "json"])?;
    let told: Vec<Value> = serde_json::from_str(text(&told)?)?;
    let mut lives = String::new();
    for finding in &told {
        lives += &format!("{} {}\n", &finding["id"], &finding["status"]);
        for step in finding["history"].as_array().ok_or("no history")? {
            let names: Vec<&String> = step.as_object().ok_or("no step")?.keys().collect();
            assert_eq!(names, ["at", "by", "from", "note", "to"]);
            lives += &format!("  {} → {} by {}: {}\n", step["from"], step["to"], step["by"], step["note"]);
        }
    }
    insta::assert_snapshot!(lives, @r#"
    "f-9c3481a3ebf64a38d65ba422" "suppressed"
      "open" → "acknowledged" by "anna": "looking"
      "acknowledged" → "suppressed" by "anna": "until 2999-01-01T00:00:00Z: until the move"
      "suppressed" → "suppressed" by "the night shift": "until 2999-02-01T00:00:00Z: until the move"
    "f-6bd4f3c6cb635291f5c5db27" "resolved"
      "open" → "acknowledged" by "anna": "looking"
      "acknowledged" → "resolved" by "anna": "the key is gone"
      "resolved" → "reopened" by "anna": "it is not"
      "reopened" → "resolved" by "anna": "by the change 7edfed01: a new policy"
    "#);
    let shown = run(&["show", "f-9c3481a3"])?;
    let history = text(&shown)?.split_once("History\n").and_then(|(_, rest)| rest.split_once("\n\n"));
    let (history, _) = history.ok_or("no history")?;
    // Not by the clock of whoever runs this.
    let minute = "0000-00-00 00:00".len();
    let undated = history.lines().map(|line| line.split_at(2 + minute).1.trim_end());
    insta::assert_snapshot!(undated.collect::<Vec<_>>().join("\n"), @r"
    open → acknowledged by anna
    looking
    acknowledged → suppressed by anna
    until 2999-01-01T00:00:00Z: until the move
    suppressed → suppressed by the night shift
    until 2999-02-01T00:00:00Z: until the move
    ");
    for (status, count) in [("suppressed", 1), ("resolved", 1), ("open", 1), ("acknowledged", 0)] {
        let listed = run(&["list", "--status", status, "--format", "ndjson"])?;
        assert_eq!(text(&listed)?.lines().count(), count, "{status}");
    }
    Ok(())
}

#[test]
fn what_became_of_findings_is_told_to_programs() -> Tested {
    let folder = tempfile::tempdir()?;
    stored(folder.path(), some()?)?;
    let run = |arguments: &[&str]| findings(folder.path(), arguments);
    let one = run(&["ack", "f-9c3481a3", "--format", "json"])?;
    let one: Vec<Value> = serde_json::from_str(text(&one)?)?;
    assert_eq!((one.len(), &one[0]["status"]), (1, &"acknowledged".into()));
    assert_eq!(one[0]["evidence"][0], "7edfed01-2d6b-4ac3-b2b8-c020536b7b64");
    assert_eq!(one[0]["history"][0]["by"], "anna");
    let lines = run(&["resolve", "f-9c3481a3", "f-6bd4f3c6", "--reason", "r", "--format", "ndjson"])?;
    assert_eq!(text(&lines)?.lines().count(), 2);
    let table = run(&["reopen", "f-9c3481a3", "f-6bd4f3c6", "--format", "csv"])?;
    assert_eq!(text(&table)?.matches(",reopened,").count(), 2);
    Ok(())
}

#[test]
fn what_cannot_be_decided_is_said_and_keeps_nothing_else_from_it() -> Tested {
    let folder = tempfile::tempdir()?;
    stored(folder.path(), some()?)?;
    let run = |arguments: &[&str]| findings(folder.path(), arguments);
    let some = run(&["ack", "f-000", "f-9c3481a3", "f", "f-6bd4f3c6"])?;
    assert_eq!(some.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&some.stdout).matches("open → acknowledged").count(), 2);
    assert!(said(&some).contains("no finding begins with `f-000`"), "{}", said(&some));
    assert!(said(&some).contains("no finding begins with `f-f`"), "{}", said(&some));
    let again = run(&["ack", "f-9c3481a3"])?;
    assert_eq!((again.status.code(), again.stdout.as_slice()), (Some(2), b"".as_slice()));
    assert!(said(&again).contains(": it is acknowledged already"), "{}", said(&again));
    let long = "x".repeat(1025);
    let cases: [(&[&str], &str); 10] = [
        (&["ack"], "<ID>"),
        (&["ack", "f-9c3481a3", "--by", " "], "the name of who decides is missing"),
        (&["ack", "f-9c3481a3", "--by", "perimeter"], "give another name"),
        (&["ack", "f-9c3481a3", "--note", &long], "the note has 1025 bytes; at most 1024 are kept"),
        (&["suppress", "f-9c3481a3", "--reason", "r"], "--until <TIME>"),
        (&["suppress", "f-9c3481a3", "--until", "2999-01-01"], "--reason <TEXT>"),
        (&["suppress", "f-9c3481a3", "--until", "soon", "--reason", "r"], "a date such as"),
        (&["suppress", "f-9c3481a3", "--until", "2020-01-01", "--reason", "r"], "ends in the future"),
        (&["resolve", "f-9c3481a3"], "--reason <TEXT>"),
        (&["resolve", "f-9c3481a3", "--reason", " "], "a reason is needed"),
    ];
    for (arguments, words) in cases {
        let refused = run(arguments)?;
        assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(2), b"".as_slice()));
        assert!(said(&refused).contains(words), "{arguments:?}: {}", said(&refused));
    }
    let mut nobody = perimeter(folder.path());
    nobody.env_remove("USER").env_remove("LOGNAME").env_remove("USERNAME");
    let nobody = nobody.args(["findings", "ack", "f-9c3481a3", "--store", "findings.db"]).output()?;
    assert!(said(&nobody).contains("say with --by who decides"), "{}", said(&nobody));
    Ok(())
}

#[test]
fn where_nothing_is_kept_nothing_is_decided() -> Tested {
    let folder = tempfile::tempdir()?;
    for (store, words) in [
        ("none", "nothing is kept there"),
        ("memory", "nothing is kept there"),
        ("absent.db", "no findings are kept yet"),
    ] {
        for arguments in [
            ["ack", "f-1"].as_slice(),
            &["suppress", "f-1", "--until", "2999-01-01", "--reason", "r"],
            &["resolve", "f-1", "--reason", "r"],
            &["reopen", "f-1"],
        ] {
            let output = perimeter(folder.path())
                .arg("findings")
                .args(arguments)
                .args(["--by", "anna", "--store", store])
                .output()?;
            assert_eq!(output.status.code(), Some(2), "{store}");
            assert!(said(&output).contains(words), "{store}: {}", said(&output));
        }
    }
    assert!(!folder.path().join("absent.db").exists());
    Ok(())
}

#[test]
fn what_is_not_kept_is_not_called_clean() -> Tested {
    let folder = tempfile::tempdir()?;
    for (store, said) in [
        ("none", "nothing is kept there"),
        ("memory", "nothing is kept there"),
        ("absent.db", "no findings are kept yet"),
    ] {
        let output = perimeter(folder.path()).args(["findings", "list", "--store", store]).output()?;
        assert_eq!(output.status.code(), Some(2), "{store}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{store}");
    }
    assert!(!folder.path().join("absent.db").exists());
    Ok(())
}

#[test]
fn text_of_strangers_is_inert() -> Tested {
    let folder = tempfile::tempdir()?;
    let hostile = delta("public-access", HOSTILE, HOSTILE, Severity::Critical, HOSTILE)?;
    let id = hostile.sightings.identity.id();
    let store = stored(folder.path(), vec![hostile])?;
    // What can stand among arguments: all but the null.
    let resolve = ["findings", "resolve", &id, "--reason", HOSTILE, "--by", HOSTILE, "--change", HOSTILE];
    let reopen = ["findings", "reopen", &id, "--note", HOSTILE, "--by", HOSTILE];
    for arguments in [["findings", "list"].as_slice(), &["findings", "show", &id], &resolve, &reopen] {
        for format in ["text", "json", "ndjson", "csv"] {
            if arguments == reopen {
                // It is to be reopened from something.
                let again = ["findings", "resolve", &id, "--reason", format, "--by", "anna", "--store"];
                let _ = perimeter(folder.path()).args(again).arg(&store).output()?;
            }
            let output = perimeter(folder.path())
                .args(arguments)
                .args(["--format", format, "--store"])
                .arg(&store)
                .output()?;
            let text = text(&output)?;
            let active = text
                .chars()
                .find(|c| *c != '\n' && (c.is_control() || matches!(*c, '\u{200b}' | '\u{202e}')));
            assert_eq!(active, None, "{arguments:?} {format}: {text}");
            if format == "csv" {
                let mut rows = csv::Reader::from_reader(text.as_bytes());
                let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>()?;
                assert_eq!(rows.len(), 1);
                assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
            }
            if format == "json" {
                let json: Value = serde_json::from_str(text)?;
                let finding = if json.is_array() { &json[0] } else { &json };
                assert_eq!(finding["reason"], format!("role {HOSTILE} reached DynamoDB."));
            }
        }
    }
    let output =
        perimeter(folder.path()).args(["findings", "show", HOSTILE, "--store"]).arg(&store).output()?;
    assert!(!output.stderr.contains(&0x1b));
    Ok(())
}

#[test]
fn colours_come_only_where_they_are_wanted() -> Tested {
    let folder = tempfile::tempdir()?;
    let colored = |arguments: &[&str], no_color: bool| -> Result<bool, Box<dyn Error>> {
        let mut command = perimeter(folder.path());
        if no_color {
            command.env("NO_COLOR", "1");
        }
        Ok(text(&command.arg("rules").args(arguments).output()?)?.contains('\u{1b}'))
    };
    assert!(!colored(&[], false)?);
    assert!(!colored(&["--color", "never"], false)?);
    assert!(!colored(&["--color", "auto"], true)?);
    assert!(colored(&["--color", "always"], false)?);
    Ok(())
}

#[test]
fn a_closed_pipe_ends_the_command_quietly() -> Tested {
    let folder = tempfile::tempdir()?;
    for arguments in [
        ["rules"].as_slice(),
        &["explain", "transit"],
        &["rules", "--format", "json"],
        &["completions", "bash"],
        &["rules", "--format", "csv"],
    ] {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let output = perimeter(folder.path())
            .args(arguments)
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .output()?;
        assert!(output.status.success(), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
    Ok(())
}

#[test]
fn rules_are_listed_for_programs() -> Tested {
    let folder = tempfile::tempdir()?;
    let output = perimeter(folder.path()).args(["rules", "--format", "json"]).output()?;
    let listed: Vec<Value> = serde_json::from_str(text(&output)?)?;
    let names: Vec<&str> = listed.iter().filter_map(|rule| rule["name"].as_str()).collect();
    assert_eq!(names, RULES.map(|rule| rule.id));
    let output = perimeter(folder.path()).args(["rules", "--format", "ndjson"]).output()?;
    assert_eq!(text(&output)?.lines().count(), RULES.len());
    let output = perimeter(folder.path()).args(["rules", "--format", "csv"]).output()?;
    assert_eq!(text(&output)?.lines().count(), RULES.len() + 1);
    Ok(())
}

#[test]
fn rules_are_told_as_the_perimeter_sets_them() -> Tested {
    let folder = tempfile::tempdir()?;
    let own = "version = 1\n[environments.production]\nmode = \"enforce\"\naccounts = [\"111122223333\"]\n";
    fs::write(folder.path().join("perimeter.toml"), format!("{own}[rules]\nundetermined = \"high\"\n"))?;
    let output = perimeter(folder.path()).args(["explain", "undetermined", "--format", "json"]).output()?;
    let rule: Value = serde_json::from_str(text(&output)?)?;
    assert_eq!(rule["severity"], "high");
    assert_eq!(rule["default_severity"], "medium");
    // What cannot be used is said, and does not keep anybody from reading of rules.
    fs::write(folder.path().join("perimeter.toml"), "version = 2")?;
    let output = perimeter(folder.path()).args(["rules"]).output()?;
    assert!(text(&output)?.contains("public-access"));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .starts_with("note: the rules are shown as they are by default")
    );
    let named = perimeter(folder.path()).args(["rules", "--config", "perimeter.toml"]).output()?;
    assert_eq!(named.status.code(), Some(2));
    Ok(())
}

#[test]
fn completions_are_made_for_every_shell() -> Tested {
    let folder = tempfile::tempdir()?;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = perimeter(folder.path()).args(["completions", shell]).output()?;
        let text = text(&output)?;
        for word in ["findings", "suppress", "explain", "scan"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    Ok(())
}

#[test]
fn manual_pages_are_made_for_every_command() -> Tested {
    let folder = tempfile::tempdir()?;
    let findings =
        ["findings list", "findings show", "findings ack", "findings suppress", "findings resolve"];
    let others = ["", "scan", "findings", "findings reopen", "rules", "explain", "init"];
    for command in findings.into_iter().chain(others) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = perimeter(folder.path()).arg("man").args(&words).output()?;
        let title = [["perimeter"].as_slice(), &words].concat().join("-");
        assert!(text(&output)?.contains(&format!(".TH {title} 1")), "{command}");
    }
    let output = perimeter(folder.path()).args(["man", "nothing"]).output()?;
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: no command is named `nothing`\n");
    Ok(())
}

#[test]
fn a_perimeter_is_written_once() -> Tested {
    let folder = tempfile::tempdir()?;
    let init = |arguments: &[&str]| perimeter(folder.path()).arg("init").args(arguments).output();
    assert!(init(&[])?.status.success());
    let written = fs::read_to_string(folder.path().join("perimeter.toml"))?;
    dynamodb_perimeter::perimeter::config::parse(&written)?;
    assert_eq!(init(&[])?.status.code(), Some(2));
    assert!(init(&["--force", "-q"])?.stderr.is_empty());
    Ok(())
}

/// docs/rules.md says what the rules say. After a change, `UPDATE_DOCS=1 cargo test rules_md` writes it.
#[test]
fn rules_md_is_what_the_rules_say() -> Tested {
    let path = root().join("docs/rules.md");
    let page = rules_md();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page)?;
    }
    assert!(
        fs::read_to_string(&path)? == page,
        "docs/rules.md is out of date: UPDATE_DOCS=1 cargo test rules_md"
    );
    Ok(())
}

fn rules_md() -> String {
    let mut page = "# Rules\n\nGenerated from `src/audit/rules/`; `perimeter explain NAME` prints the same. Severities are the \
                    defaults: `[rules]` in `perimeter.toml` sets others.\n"
        .to_owned();
    let groups = [
        (Subject::Call, "Raised by calls to DynamoDB"),
        (Subject::Change, "Raised by changes to what guards the perimeter"),
        (Subject::ProvenChange, "Raised by changes, with what stood before (`scan --snapshot`)"),
        (Subject::ReplayedCall, "Raised by calls, with what stood (`scan --snapshot`)"),
    ];
    let of = |subject| RULES.into_iter().filter(move |rule| rule.subject == subject);
    for (subject, heading) in groups {
        page += &format!("\n**{heading}**\n\n| rule | severity | finds |\n| --- | --- | --- |\n");
        for rule in of(subject) {
            page += &format!("| [`{0}`](#{0}) | {1} | {2} |\n", rule.id, rule.severity.name(), rule.title);
        }
    }
    groups.into_iter().flat_map(|(subject, _)| of(subject)).for_each(|rule| page += &section(rule));
    page
}

fn section(rule: &Rule) -> String {
    let controls = rule.controls.join(", ");
    format!(
        "\n## {}\n\n{}. **{}**\n\n{}\n\n### Why it matters\n\n{}\n\n### A record that it fires on\n\n```json\n{}\n```\n\n### Remedy\n\n{}\n\n\
         Evidence for: {controls}.\n",
        rule.id,
        rule.title,
        rule.severity.name(),
        rule.what,
        rule.why,
        rule.example,
        rule.remedy,
    )
}
