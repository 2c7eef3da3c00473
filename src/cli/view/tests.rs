//! Whole pages, as people see them at two widths, on made-up findings.

use std::error::Error;
use std::time::Duration;

use clap::Parser;

use super::inert::is_active;
use super::onward::Onward;
use super::records::RecordWriter;
use super::summary::{Severities, Summary, Unreadable, Verdicts};
use super::{findings, rule_page, rules, short, story, summary};
use crate::audit::case::Event;
use crate::audit::rule::Severity;
use crate::audit::rules as all;
use crate::audit::verdict::Verdict;
use crate::cli::output::Output;
use crate::cli::{Cli, Format};
use crate::cloudtrail::outcome::Outcome;
use crate::findings::finding::{Evidence, Finding, Status, Step};
use crate::findings::sample::EventKey;
use crate::perimeter::RuleSettings;
use crate::perimeter::origin::{Origin, OriginKind};
use crate::perimeter::principal::{Principal, PrincipalKind};
use crate::pipeline::{Line, Tally};

type Done = Result<(), Box<dyn Error>>;

/// What `write` writes, in that many columns, without colours.
fn page(
    width: usize,
    write: impl FnOnce(&mut Output) -> std::io::Result<()>,
) -> Result<String, Box<dyn Error>> {
    painted(width, false, write)
}

fn painted(
    width: usize,
    color: bool,
    write: impl FnOnce(&mut Output) -> std::io::Result<()>,
) -> Result<String, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("page");
    let cli =
        Cli::try_parse_from(["perimeter".as_ref(), "rules".as_ref(), "--output".as_ref(), path.as_os_str()])?;
    let mut out = Output::open(&cli.common)?;
    (out.width, out.color) = (width, color);
    write(&mut out)?;
    out.finish()?;
    Ok(std::fs::read_to_string(path)?)
}

fn role(name: &str, account: &str) -> Principal {
    Principal {
        kind: PrincipalKind::Role,
        arn: Some(format!("arn:aws:iam::{account}:role/{name}")),
        unique_id: Some("AROAEXAMPLEEXAMPLE01".into()),
        account: Some(account.into()),
    }
}

fn table(name: &str) -> String {
    format!("arn:aws:dynamodb:eu-west-1:111122223333:table/{name}")
}

fn origin(kind: OriginKind) -> Origin {
    Origin { kind, ..Origin::unknown() }
}

fn finding(
    id: &str,
    rule: &str,
    principal: Principal,
    origin: Origin,
    count: u64,
) -> Result<Finding, Box<dyn Error>> {
    let rule = all::find(rule).ok_or("no such rule")?;
    Ok(Finding {
        id: format!("f-{id}"),
        rule: rule.id.into(),
        severity: rule.severity,
        status: Status::Open,
        title: rule.title.into(),
        account: Some("111122223333".into()),
        region: Some("eu-west-1".into()),
        resources: vec![table("orders")],
        principal,
        origin,
        first_seen: Some("2026-03-01T09:14:07Z".parse()?),
        last_seen: Some("2026-03-01T11:05:44Z".parse()?),
        count,
        count_is_exact: count <= 1024,
        evidence: vec!["7edfed01-2d6b-4ac3-b2b8-c020536b7b64".into()],
        reason: "role checkout reached DynamoDB (GetItem) from the public address 203.0.113.25, through no endpoint.".into(),
        allowed_by: Vec::new(),
        session: None,
        remedy: rule.remedy.into(),
        controls: rule.controls.iter().map(|control| (*control).into()).collect(),
        history: Vec::new(),
    })
}

/// Several rules, severities, states and lengths.
fn several() -> Result<Vec<Finding>, Box<dyn Error>> {
    let public = Origin { ip: Some("203.0.113.25".into()), ..origin(OriginKind::Public) };
    let vpc = Origin {
        endpoint: Some("vpce-0a1b2c3d4e5f60009".into()),
        vpc: Some("vpc-0badc0de00000e009".into()),
        vpc_account: Some("111122223333".into()),
        ..origin(OriginKind::UnapprovedVpc)
    };
    let sso = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Developer_6b1f0a4c2d9e8f73";
    let flood = Finding {
        last_seen: Some("2026-04-17T11:05:00Z".parse()?),
        ..finding(
            "3a91c07e5b1d2f4477a0c9e1",
            "public-access",
            role("app/checkout", "111122223333"),
            public,
            1_204_331,
        )?
    };
    let elsewhere = Finding {
        resources: ["orders", "carts", "customers", "returns"].map(table).to_vec(),
        status: Status::Reopened,
        ..finding(
            "3a91c07e99992f4477a0c9e1",
            "public-access",
            role(sso, "777788889999"),
            origin(OriginKind::Public),
            1,
        )?
    };
    let stranger = Finding {
        resources: vec![table("orders"), table("orders").replace("1111", "4444")],
        ..finding("0c0ffee05b1d2f4477a0c9e1", "unapproved-vpc", role("app/returns", "111122223333"), vpc, 3)?
    };
    let nobody = Finding {
        account: None,
        region: None,
        resources: Vec::new(),
        first_seen: None,
        last_seen: None,
        status: Status::Acknowledged,
        ..finding("77ab01de5b1d2f4477a0c9e1", "undetermined", Principal::unknown(), Origin::unknown(), 2)?
    };
    Ok(vec![flood, elsewhere, stranger, nobody])
}

fn evidence(at: u64, agent: &str) -> Evidence {
    Evidence {
        key: EventKey(at),
        event: Event {
            id: Some(format!("7edfed01-2d6b-4ac3-b2b8-c020536b7b6{at}")),
            time: Some(format!("2026-03-01T09:14:0{at}Z")),
            name: Some("GetItem".into()),
            error: (at == 2).then(|| "ConditionalCheckFailedException".into()),
            user_agent: Some(agent.into()),
            session: Some("arn:aws:sts::111122223333:assumed-role/checkout/i-0123456789abcdef0".into()),
            ..Event::default()
        },
        ip: Some("203.0.113.25".into()),
        reason: String::new(),
    }
}

fn told() -> Result<(Finding, Vec<Evidence>), Box<dyn Error>> {
    let step = |at: &str, from, to, by: &str, note: &str| {
        Ok::<_, Box<dyn Error>>(Step { at: at.parse()?, from, to, by: by.into(), note: note.into() })
    };
    let finding = Finding {
        history: vec![
            step(
                "2026-03-02T08:00:00Z",
                Status::Open,
                Status::Resolved,
                "anna",
                "the route to the endpoint is back",
            )?,
            step("2026-03-03T08:00:00Z", Status::Resolved, Status::Reopened, "perimeter", "seen again")?,
        ],
        status: Status::Reopened,
        ..several()?.swap_remove(0)
    };
    let agent =
        "aws-cli/2.32.6 md/awscrt#0.28.4 ua/2.1 os/linux#6.8.0-87-generic lang/python#3.13.9 md/prompt#off";
    Ok((finding, vec![evidence(1, agent), evidence(2, "Boto3/1.41"), evidence(3, agent)]))
}

fn read() -> Summary {
    let mut summary = Summary::new(&Tally::default(), &[], [0; 5]);
    summary.records = 1_204_331;
    summary.verdicts = Verdicts([1_180_112, 12_401, 5200, 6000, 600, 12, 6, 0]);
    summary.findings = 27;
    summary.severities = Severities([20, 0, 0, 5, 2]);
    summary.unlisted_accounts = (0..14).map(|at| format!("3333444455{at:02}")).collect();
    summary.endpoints_learned = 1;
    let unreadable = |at: u64| Unreadable {
        file: format!("logs/2026/03/{at:02}.json.gz").into(),
        record: Some(at),
        offset: Some(3_123_000 + at),
        packed: at == 1,
        reason: "a string without an end".into(),
    };
    summary
        .of_files(812, 96, 1_430_000_000)
        .with_unreadable((1..=22).map(unreadable).collect(), 5)
        .with_warnings(vec![
            "perimeter.toml:97:1: the principal may come from anywhere without end: there is no `until`"
                .into(),
        ])
        .in_store(Some("/home/anna/.local/share/dynamodb-perimeter/findings-0a1b2c3d4e5f6071.db".into()))
}

#[test]
fn a_list_at_two_widths() -> Done {
    let findings = several()?;
    insta::assert_snapshot!("list_100", page(100, |out| findings::text(out, &findings))?);
    insta::assert_snapshot!("list_60", page(60, |out| findings::text(out, &findings))?);
    Ok(())
}

#[test]
fn a_story_at_two_widths() -> Done {
    let (finding, evidence) = told()?;
    let now = "2026-04-20T00:00:00Z".parse()?;
    insta::assert_snapshot!(
        "story_100",
        page(100, |out| story::text(out, &finding, &evidence, now, &Onward::default()))?
    );
    insta::assert_snapshot!(
        "story_60",
        page(60, |out| story::text(out, &finding, &evidence, now, &Onward::default()))?
    );
    Ok(())
}

#[test]
fn a_summary_at_two_widths() -> Done {
    let took = Duration::from_millis(9800);
    insta::assert_snapshot!("summary_100", page(100, |out| summary::text(out, &read(), took, true))?);
    insta::assert_snapshot!("summary_60", page(60, |out| summary::text(out, &read(), took, true))?);
    Ok(())
}

#[test]
fn a_summary_of_nothing_says_that_nothing_was_outside() -> Done {
    let summary = Summary::new(&Tally::default(), &[], [0; 5]);
    insta::assert_snapshot!(page(100, |out| summary::text(out, &summary, Duration::from_millis(3), true))?, @r"
    0 records in 0 files
    0 bytes read in 3 ms

      inside        0      0 %
      outside       0      0 %
      undetermined  0      0 %

    0 findings
    kept nowhere (--store none)
    ");
    Ok(())
}

#[test]
fn a_summary_leads_on_to_the_worst() -> Done {
    let summary =
        Summary::new(&Tally::default(), &several()?, [0, 0, 1, 1, 2]).in_store(Some("findings.db".into()));
    let text = page(100, |out| summary::text(out, &summary, Duration::ZERO, false))?;
    assert!(text.contains("4 findings: 2 critical, 1 high, 1 medium\n"), "{text}");
    for command in [
        "perimeter findings list ",
        "perimeter findings show f-3a91c07e5 ",
        "perimeter explain public-access ",
    ] {
        assert!(text.contains(command), "{text}");
    }
    Ok(())
}

#[test]
fn a_summary_has_all_verdicts_in_their_order() -> Done {
    let json = serde_json::to_string(&read())?;
    let begins = r#"{"records":1204331,"verdicts":{"inside":1180112,"outside":12401,"exempt":5200,"service":6000,"denied":600,"undetermined":12,"change":6,"ignored":0},"findings":27,"severities":{"critical":2,"high":5,"medium":0,"low":0,"info":20},"files":812,"skipped":96,"bytes":1430000000,"unreadable":[{"file":"logs/2026/03/01.json.gz","record":1,"offset":3123001,"packed":true,"reason":"a string without an end"},"#;
    assert!(json.starts_with(begins), "{json}");
    let ends = r#"],"unreadable_more":5,"unlisted_accounts":["333344445500","#;
    assert!(json.contains(ends), "{json}");
    assert!(!json.contains("worst"));
    Ok(())
}

#[test]
fn rules_at_two_widths() -> Done {
    let mut settings = RuleSettings::default();
    settings.severities.insert("metadata-outside", Some(Severity::Info));
    settings.severities.insert("transit", None);
    insta::assert_snapshot!("rules_100", page(100, |out| rules::text(out, None, &Onward::default()))?);
    insta::assert_snapshot!(
        "rules_60",
        page(60, |out| rules::text(out, Some(&settings), &Onward::default()))?
    );
    Ok(())
}

#[test]
fn a_rule_explained_at_two_widths() -> Done {
    let rule = all::find("unknown-endpoint").ok_or("no such rule")?;
    insta::assert_snapshot!("explained_100", page(100, |out| rule_page::text(out, rule, None))?);
    let mut settings = RuleSettings::default();
    settings.severities.insert("unknown-endpoint", Some(Severity::High));
    insta::assert_snapshot!("explained_60", page(60, |out| rule_page::text(out, rule, Some(&settings)))?);
    Ok(())
}

#[test]
fn commands_of_a_remedy_are_printed_as_they_stand() -> Done {
    for rule in all::RULES {
        let text = page(60, |out| rule_page::text(out, rule, None))?;
        for command in rule.remedy.split("\n\n").filter(|paragraph| paragraph.starts_with("    ")) {
            assert!(text.contains(command), "`{}`: {command}", rule.id);
        }
        for line in text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            assert!(line.chars().count() <= 60 || !line.trim().contains(' '), "`{}`: {line}", rule.id);
        }
    }
    Ok(())
}

fn lines() -> Vec<Line> {
    let line = |verdict, rule: Option<&'static str>, name: &str, kind| Line {
        event_id: Some("7edfed01-2d6b-4ac3-b2b8-c020536b7b64".into()),
        event_time: Some("2026-03-01T09:14:07Z".into()),
        account: Some("111122223333".into()),
        region: Some("eu-west-1".into()),
        event_source: Some("dynamodb.amazonaws.com".into()),
        event_name: Some(name.into()),
        verdict,
        rule,
        severity: rule.and_then(all::find).map(|rule| rule.severity),
        origin: origin(kind),
        principal: role("app/checkout", "111122223333"),
        outcome: Outcome::Authorised,
        resources: vec![table("orders")],
        reason: "one plain sentence.".into(),
    };
    let mut lines = vec![
        line(Verdict::Inside, None, "GetItem", OriginKind::ApprovedEndpoint),
        line(
            Verdict::Outside,
            Some("break-glass-out-of-window"),
            "ExportTableToPointInTime",
            OriginKind::Public,
        ),
        line(Verdict::Ignored, None, "", OriginKind::Unknown),
    ];
    if let Some(last) = lines.last_mut() {
        (last.event_time, last.event_name, last.principal) = (None, None, Principal::unknown());
        last.resources.clear();
    }
    lines
}

fn printed(format: Format, width: usize, lines: &[Line]) -> Result<String, Box<dyn Error>> {
    let mut writer = RecordWriter::new(format, false).with_width(width);
    let (lane, pieces) = std::sync::mpsc::sync_channel(1);
    lines.iter().for_each(|line| writer.write(line));
    writer.hand_over(0, &lane);
    drop(lane);
    let all: Vec<u8> = pieces.into_iter().flatten().collect();
    let parts = [
        &RecordWriter::head(format),
        RecordWriter::without_separator(format, &all),
        RecordWriter::foot(format),
    ];
    Ok(String::from_utf8(parts.concat())?)
}

#[test]
fn records_stand_in_columns() -> Done {
    insta::assert_snapshot!(printed(Format::Text, 100, &lines())?, @r"
    03-01 09:14:07  inside        GetItem           checkout → orders               approved-endpoint
    03-01 09:14:07  outside       ExportTa…tInTime  checkout → orders               break-glas…of-window
    no time         ignored       no name           somebody unknown                unknown
    ");
    insta::assert_snapshot!(printed(Format::Text, 60, &lines())?, @r"
    2026-03-01 09:14:07  inside        approved-endpoint
        GetItem                   checkout → orders
    2026-03-01 09:14:07  outside       break-glass-out-of-window
        ExportTableToPointInTime  checkout → orders
    no time              ignored       unknown
        no name                   somebody unknown
    ");
    let mut lines = lines();
    lines.iter_mut().for_each(|line| line.resources.extend(["注".repeat(60), "e\u{301}".repeat(60)]));
    for width in [60, 79, 80, 99, 100, 119, 120, 200] {
        let text = printed(Format::Text, width, &lines)?;
        assert!(text.lines().all(|line| short::width(line) <= width), "{width}\n{text}");
    }
    Ok(())
}

#[test]
fn records_are_the_same_in_every_format() -> Done {
    let lines = lines();
    let json: Vec<serde_json::Value> = serde_json::from_str(&printed(Format::Json, 100, &lines)?)?;
    let ndjson = printed(Format::Ndjson, 100, &lines)?;
    let ndjson: Vec<serde_json::Value> =
        ndjson.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(json, ndjson);
    assert_eq!(json.len(), lines.len());
    assert_eq!(printed(Format::Json, 100, &[])?, "[\n]\n");
    let csv = printed(Format::Csv, 100, &lines)?;
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let names = rows.headers()?.clone();
    for (row, json) in rows.records().zip(&json) {
        let row = row?;
        let cell = |name: &str| {
            names.iter().position(|known| known == name).and_then(|at| row.get(at)).unwrap_or_default()
        };
        for name in
            ["event_id", "event_time", "event_name", "verdict", "rule", "severity", "outcome", "reason"]
        {
            assert_eq!(cell(name), json[name].as_str().unwrap_or_default(), "{name}");
        }
        assert_eq!(cell("principal"), json["principal"]["arn"].as_str().unwrap_or_default());
        assert_eq!(cell("origin"), json["origin"]["kind"]);
    }
    Ok(())
}

#[test]
fn colours_only_add_to_what_is_said() -> Done {
    let findings = several()?;
    let plain = page(100, |out| findings::text(out, &findings))?;
    let colored = painted(100, true, |out| findings::text(out, &findings))?;
    assert!(!plain.contains('\u{1b}'));
    let mut stripped = String::new();
    for (at, part) in colored.split('\u{1b}').enumerate() {
        stripped.push_str(if at == 0 {
            part
        } else {
            part.split_once('m').ok_or("an escape without an end")?.1
        });
    }
    // A severity on a ground of its own has a space at each side.
    let bare = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(bare(&stripped), bare(&plain));
    Ok(())
}

/// Acts on terminals, on spreadsheets, on JSON and on the layout.
const HOSTILE: &str = "=cmd|' /C calc'!A1\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{200b}\r\n\t\0\"`,\u{7f}";

#[test]
fn text_of_strangers_is_inert_wherever_it_is_shown() -> Done {
    let hostile = || Some(HOSTILE.to_owned());
    let principal =
        || Principal { kind: PrincipalKind::User, arn: hostile(), unique_id: hostile(), account: hostile() };
    let origin =
        |kind| Origin { kind, endpoint: hostile(), vpc: hostile(), vpc_account: hostile(), ip: hostile() };
    let kinds = [
        OriginKind::Public,
        OriginKind::UnapprovedVpc,
        OriginKind::ForeignEndpoint,
        OriginKind::ApprovedTransit,
    ];
    for kind in kinds {
        let mut finding = finding("3a91c07e5b1d2f4477a0c9e1", "public-access", principal(), origin(kind), 1)?;
        (finding.account, finding.region, finding.reason) = (hostile(), hostile(), HOSTILE.into());
        finding.resources =
            vec![HOSTILE.into(), format!("arn:aws:dynamodb:r:1:table/{HOSTILE}"), HOSTILE.into()];
        finding.evidence = vec![HOSTILE.into()];
        let at = finding.first_seen.ok_or("no time")?;
        finding.history = vec![Step {
            at,
            from: Status::Open,
            to: Status::Resolved,
            by: HOSTILE.into(),
            note: HOSTILE.into(),
        }];
        finding.title = HOSTILE.into();
        let event = Event {
            id: hostile(),
            time: hostile(),
            region: hostile(),
            source: hostile(),
            name: hostile(),
            user_agent: hostile(),
            error: hostile(),
            session: hostile(),
            function: hostile(),
        };
        let evidence = vec![Evidence { key: EventKey(1), event, ip: hostile(), reason: HOSTILE.into() }];
        let line = Line {
            event_id: hostile(),
            event_time: hostile(),
            account: hostile(),
            region: hostile(),
            event_source: hostile(),
            event_name: hostile(),
            verdict: Verdict::Outside,
            rule: None,
            severity: None,
            origin: origin(kind),
            principal: principal(),
            outcome: Outcome::Denied,
            resources: vec![HOSTILE.into()],
            reason: HOSTILE.into(),
        };
        let summary = read().with_warnings(vec![HOSTILE.into()]).in_store(hostile()).with_unreadable(
            vec![Unreadable {
                file: HOSTILE.into(),
                record: None,
                offset: None,
                packed: false,
                reason: HOSTILE.into(),
            }],
            0,
        );
        let all = std::slice::from_ref(&finding);
        let story = story::Story::new(&finding, &evidence);
        let mut shown = vec![
            page(100, |out| findings::text(out, all))?,
            page(60, |out| findings::text(out, all))?,
            page(100, |out| findings::csv(out, findings::in_memory(all)))?,
            page(100, |out| findings::json(out, &summary, &all))?,
            page(100, |out| findings::ndjson(out, findings::in_memory(all)))?,
            page(100, |out| story::text(out, &finding, &evidence, at, &Onward::default()))?,
            page(60, |out| story::text(out, &finding, &evidence, at, &Onward::default()))?,
            page(100, |out| super::json::pretty(out, &story))?,
            page(100, |out| summary::text(out, &summary, Duration::ZERO, true))?,
        ];
        for format in [Format::Text, Format::Json, Format::Ndjson, Format::Csv] {
            shown.push(printed(format, 100, std::slice::from_ref(&line))?);
        }
        for text in &shown {
            let active = text.chars().find(|c| *c != '\n' && is_active(*c));
            assert_eq!(active, None, "{text}");
        }
        for csv in [&shown[2], &shown[12]] {
            let mut rows = csv::Reader::from_reader(csv.as_bytes());
            let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>()?;
            assert_eq!(rows.len(), 1);
            assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{csv}");
        }
        let back: serde_json::Value = serde_json::from_str(&shown[4])?;
        assert_eq!(back["principal"]["arn"], HOSTILE, "JSON says what was recorded");
    }
    Ok(())
}

#[test]
fn long_names_of_strangers_do_not_break_the_columns() -> Done {
    let long = "x".repeat(3000);
    let finding = finding(
        "3a91c07e5b1d2f4477a0c9e1",
        "public-access",
        role(&long, "111122223333"),
        Origin::unknown(),
        1,
    )?;
    for width in [60, 84, 100, 200] {
        let text = page(width, |out| findings::text(out, std::slice::from_ref(&finding)))?;
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
        assert!(text.lines().count() < 12, "{text}");
    }
    assert_eq!(short::fit(&long, 5), "xx…xx");
    Ok(())
}

#[test]
fn a_break_glass_session_at_two_widths() -> Done {
    use crate::perimeter::session::{Grant, Opening, Place, Session};
    let mut finding = several()?.remove(0);
    finding.evidence.clear();
    finding.session = Some(Box::new(Session {
        principal_id: Some("AROAGBHOK2KYY6OCFE6TL:incident\u{1b}[31m".into()),
        access_key_id: Some("ASIA5QJ7ZC2DEXAMPLE0".into()),
        source_identity: Some("asha.patel".into()),
        issued: Some("2026-03-01T09:10:00Z".parse()?),
        opened: vec![Opening {
            at: Some("2026-03-01T09:10:00Z".parse()?),
            event_id: Some("2e3e9e10-318f-4e26-aa89-b6c53d6970ec".into()),
            call: Some("AssumeRole".into()),
            by: Some("arn:aws:sts::111122223333:assumed-role/ci/jonas".into()),
            source_identity: Some("asha.patel".into()),
            ip: Some("203.0.113.77".into()),
            endpoint: None,
            duration_seconds: Some(3600),
        }],
        grants: vec![Grant {
            ticket: Some("INC-1234".into()),
            principal: "arn:aws:iam::*:role/your-emergency-role".into(),
            from: Some("2026-01-01T00:00:00Z".parse()?),
            until: None,
            max_session_seconds: Some(7200),
        }],
        tables: vec![table("invoices"), table("orders")],
        calls: vec!["GetItem".into(), "Scan".into()],
        origins: vec![Place { kind: "public".into(), endpoint: None, vpc: None, vpc_account: None }],
        addresses: vec!["203.0.113.25".into()],
        out_of_window: false,
        more: true,
    }));
    let now = "2026-03-02T00:00:00Z".parse()?;
    for width in [100, 60] {
        let page = page(width, |out| story::text(out, &finding, &[], now, &Onward::default()))?;
        insta::assert_snapshot!(format!("session_{width}"), page);
    }
    Ok(())
}
