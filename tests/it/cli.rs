//! How the command behaves: what it writes and what it leaves alone, what it says and where, how it ends.

use std::error::Error;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::corpus::root;

type Tested = Result<(), Box<dyn Error>>;

/// A folder with a perimeter and logs, and the command in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Result<Self, Box<dyn Error>> {
        let place = Self { folder: tempfile::tempdir()? };
        fs::copy(root().join("perimeter.toml"), place.path("perimeter.toml"))?;
        fs::create_dir(place.path("logs"))?;
        // From the internet, from inside, and three in one file.
        for name in
            ["leaked-key-from-the-internet", "gateway-endpoint-approved-vpc", "log-file-of-three-records"]
        {
            let name = format!("{name}.json");
            fs::copy(root().join("events").join(&name), place.path("logs").join(name))?;
        }
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Tested {
        Ok(fs::write(self.path(name), text)?)
    }

    fn text(&self, name: &str) -> Result<String, Box<dyn Error>> {
        Ok(fs::read_to_string(self.path(name))?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perimeter"));
        let folder = self.folder.path();
        command.current_dir(folder).env("HOME", folder).env("XDG_DATA_HOME", folder.join("data"));
        command.env_remove("PERIMETER_CONFIG").env_remove("NO_COLOR").args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Ran, Box<dyn Error>> {
        Ran::of(self.command(arguments).stdin(Stdio::null()).output()?)
    }

    /// Names in the folder, but for what a test does not look at.
    fn names(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let entries = fs::read_dir(self.folder.path())?.collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<String> =
            entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }
}

/// How a command ended, and what it said.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// Refused, with these words.
    fn is_refused(&self, words: &str) {
        assert_eq!(self.code, Some(2), "{}", self.err);
        assert!(self.err.contains(words), "`{words}` in: {}", self.err);
        assert_eq!(self.out, "");
    }

    fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

const LEAKED: &str = "logs/leaked-key-from-the-internet.json";

#[test]
fn a_result_replaces_nothing_that_is_read_or_kept() -> Tested {
    let place = Place::new()?;
    place.write("endpoints.json", r#"{"VpcEndpoints":[]}"#)?;
    place.run(&["scan", "--store", "kept.db", LEAKED])?.ended(0);
    let before = place.text(LEAKED)?;
    let store = fs::read(place.path("kept.db"))?;
    let cases: [(&[&str], &str); 11] = [
        (&["scan", "--output", LEAKED, LEAKED], "clashes with the input"),
        (&["scan", "--output", LEAKED, "logs/../logs/leaked*"], "clashes with the input"),
        (&["scan", "--output", LEAKED, "logs"], "it would be read as a log"),
        (&["scan", "--output", "logs/new.json", "logs"], "it would be read as a log"),
        (&["scan", "--output", "perimeter.toml", LEAKED], "it is the configuration"),
        (&["rules", "--output", "./perimeter.toml"], "it is the configuration"),
        (
            &["scan", "--endpoints", "endpoints.json", "--output", "endpoints.json", LEAKED],
            "a list of endpoints",
        ),
        (&["scan", "--store", "kept.db", "--output", "kept.db", LEAKED], "it is the store"),
        (&["findings", "list", "--store", "kept.db", "--output", "kept.db-wal"], "it is the store"),
        (&["invoke", "--store", "memory", "--output", LEAKED, LEAKED], "it is an event"),
        (&["scan", "--output", "logs", LEAKED], "it is a folder"),
    ];
    for (arguments, words) in cases {
        place.run(arguments)?.is_refused(words);
    }
    assert_eq!(place.text(LEAKED)?, before);
    assert_eq!(place.text("perimeter.toml")?, fs::read_to_string(root().join("perimeter.toml"))?);
    assert_eq!(fs::read(place.path("kept.db"))?, store);
    Ok(())
}

#[test]
fn the_default_store_is_no_place_for_results() -> Tested {
    let place = Place::new()?;
    place.run(&["scan", LEAKED])?.ended(0);
    let json = place.run(&["scan", "--format", "json", LEAKED])?;
    let summary: Value = serde_json::from_str(&json.out)?;
    let store = summary["summary"]["store"].as_str().ok_or("no store")?.to_owned();
    place.run(&["findings", "list", "--output", &store])?.is_refused("it is the store");
    place.run(&["scan", "--output", &store, LEAKED])?.is_refused("it is the store");
    place.run(&["findings", "list"])?.ended(0);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_log_that_is_met_by_a_link_is_not_replaced() -> Tested {
    let place = Place::new()?;
    let before = place.text(LEAKED)?;
    fs::create_dir(place.path("linked"))?;
    std::os::unix::fs::symlink("../logs/leaked-key-from-the-internet.json", place.path("linked/a.json"))?;
    let ran = place.run(&["scan", "--store", "none", "--output", LEAKED, "linked"])?;
    ran.is_refused("names a file of the input");
    assert_eq!(place.text(LEAKED)?, before);
    // A link as the target stays one; what it leads to is replaced.
    std::os::unix::fs::symlink("report.json", place.path("latest.json"))?;
    place.write("report.json", "old")?;
    place.run(&["rules", "--format", "json", "--output", "latest.json"])?.ended(0);
    assert!(place.path("latest.json").is_symlink());
    assert!(place.text("report.json")?.starts_with('['));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_on_standard_input_is_not_replaced() -> Tested {
    let place = Place::new()?;
    let log = fs::File::open(place.path(LEAKED))?;
    let mut command = place.command(&["scan", "--store", "none", "--output", LEAKED, "-"]);
    Ran::of(command.stdin(Stdio::from(log)).output()?)?.is_refused("clashes with the input");
    Ok(())
}

#[test]
fn what_fails_leaves_the_old_result() -> Tested {
    let place = Place::new()?;
    place.write("report", "old")?;
    place.write("text.db", "no database")?;
    for arguments in [
        ["scan", "--output", "report", "--store", "text.db", LEAKED].as_slice(),
        &["explain", "nothing", "--output", "report"],
        &["findings", "show", "f-1", "--output", "report"],
    ] {
        place.run(arguments)?.ended(2);
        assert_eq!(place.text("report")?, "old");
    }
    let names = place.names()?;
    assert!(names.iter().all(|name| !name.starts_with(".perimeter")), "{names:?}");
    // In part is not failed: what is said of the rest is worth having.
    place.run(&["scan", "--store", "none", "--output", "report", LEAKED, "absent"])?.ended(2);
    assert!(place.text("report")?.contains("absent: no such file"));
    Ok(())
}

#[cfg(unix)]
#[test]
fn results_go_straight_through_devices_and_pipes() -> Tested {
    let place = Place::new()?;
    place.run(&["rules", "--output", "/dev/null"])?.ended(0);
    let ran = place.run(&["rules", "--format", "ndjson", "--output", "/dev/stdout"])?;
    assert!(ran.ended(0).out.starts_with("{\"name\""));
    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let reader = std::thread::spawn(move || fs::read_to_string(pipe));
    place.run(&["rules", "--format", "ndjson", "--output", "pipe"])?.ended(0);
    assert!(reader.join().map_err(|_| "the reader failed")??.starts_with("{\"name\""));
    Ok(())
}

#[cfg(unix)]
#[test]
fn results_have_the_permissions_of_what_they_replace() -> Tested {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new()?;
    place.write("report", "old")?;
    fs::set_permissions(place.path("report"), fs::Permissions::from_mode(0o640))?;
    place.run(&["rules", "--output", "report"])?.ended(0);
    assert_eq!(fs::metadata(place.path("report"))?.permissions().mode() & 0o777, 0o640);
    place.write("plain", "")?;
    place.run(&["rules", "--output", "new"])?.ended(0);
    let mode = |name| Ok::<_, Box<dyn Error>>(fs::metadata(place.path(name))?.permissions().mode());
    assert_eq!(mode("new")?, mode("plain")?);
    Ok(())
}

/// With nobody at the other end of standard output.
fn into_closed_pipe(mut command: Command) -> Result<Ran, Box<dyn Error>> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ran::of(command.stdin(Stdio::null()).stdout(Stdio::from(writer)).stderr(Stdio::piped()).output()?)
}

#[test]
fn a_closed_pipe_hides_neither_status_nor_findings() -> Tested {
    let place = Place::new()?;
    for format in ["text", "json", "ndjson", "csv"] {
        let store = format!("{format}.db");
        let scan =
            ["scan", "-q", "--records", "--format", format, "--store", &store, "--fail-on", "low", "logs"];
        let ran = into_closed_pipe(place.command(&scan))?;
        assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""), "{format}");
        let listed = place.run(&["findings", "list", "--store", &store, "--format", "json"])?;
        let findings: Vec<Value> = serde_json::from_str(&listed.ended(0).out)?;
        assert!(!findings.is_empty(), "{format}");
        let list = ["findings", "list", "--store", &store, "--format", format];
        assert_eq!(into_closed_pipe(place.command(&list))?.code, Some(0), "{format}");
    }
    let ran = into_closed_pipe(place.command(&["scan", "--store", "none", "logs", "absent"]))?;
    assert_eq!((ran.code, ran.err.as_str()), (Some(2), ""));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_no_findings() -> Tested {
    let place = Place::new()?;
    let scan = ["scan", "--records", "--store", "kept.db", "--output", "/dev/full", "logs"];
    place.run(&scan)?.is_refused("cannot write the result: No space left");
    let listed = place.run(&["findings", "list", "--store", "kept.db", "--format", "ndjson"])?;
    assert!(listed.ended(0).out.lines().count() > 0);
    Ok(())
}

#[test]
fn through_a_glob_each_file_is_read_once() -> Tested {
    let place = Place::new()?;
    fs::create_dir_all(place.path("trees/inner/x.json"))?;
    for file in ["trees/a.json", "trees/inner/b.json", "trees/inner/x.json/c.json"] {
        place.write(file, place.text(LEAKED)?)?;
    }
    for (pattern, files) in [
        ("trees/**/*", 3),
        ("trees/**/*.json", 3),
        ("trees/**", 3),
        ("trees/*", 3),
        ("trees/*/*", 2),
        ("trees/**/x.json", 1),
    ] {
        let ran = place.run(&["scan", "--store", "none", "--format", "json", pattern])?;
        let shown: serde_json::Value = serde_json::from_str(&ran.ended(0).out)?;
        assert_eq!(shown["summary"]["files"], files, "{pattern}");
        assert_eq!(shown["summary"]["records"], files, "{pattern}");
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn folders_that_a_glob_cannot_look_into_are_named() -> Tested {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new()?;
    fs::create_dir_all(place.path("trees/closed"))?;
    fs::rename(place.path("logs"), place.path("trees/open"))?;
    fs::set_permissions(place.path("trees/closed"), fs::Permissions::from_mode(0o000))?;
    if fs::read_dir(place.path("trees/closed")).is_ok() {
        // Nothing is closed to this user.
        return Ok(());
    }
    let ran = place.run(&["scan", "--store", "none", "trees/*/*.json"])?;
    fs::set_permissions(place.path("trees/closed"), fs::Permissions::from_mode(0o700))?;
    assert!(ran.ended(2).out.contains("trees/closed: Permission denied"), "{}", ran.out);
    assert!(ran.out.contains("5 records in 3 files"), "{}", ran.out);
    Ok(())
}

#[test]
fn what_cannot_be_read_is_named_even_where_it_is_quiet() -> Tested {
    let place = Place::new()?;
    place.write("bad.ndjson", format!("{}\n{{\"eventName\":", place.text(LEAKED)?.replace('\n', " ")))?;
    for arguments in [["--format", "csv"].as_slice(), &["--format", "ndjson"], &["--records"]] {
        let scan = ["scan", "-q", "--store", "none", "bad.ndjson", "absent"];
        let ran = place.run(&[scan.as_slice(), arguments].concat())?;
        assert!(ran.ended(2).err.contains("error: bad.ndjson, record 2, byte "), "{}", ran.err);
        assert!(ran.err.contains("error: absent: no such file or folder\n"), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    }
    Ok(())
}

#[test]
fn commands_that_are_suggested_work() -> Tested {
    let place = Place::new()?;
    fs::create_dir(place.path("my folder"))?;
    fs::rename(place.path("perimeter.toml"), place.path("my folder/perimeter.toml"))?;
    let named = ["--config", "my folder/perimeter.toml", "--store", "my folder/it's.db"];
    let mut scanned = place.run(&[["scan", "logs"].as_slice(), &named].concat())?.ended(0).out.clone();
    scanned += &place.run(&[["findings", "list"].as_slice(), &named].concat())?.ended(0).out;
    let commands: Vec<&str> = scanned.lines().filter(|line| line.starts_with("  perimeter ")).collect();
    assert_eq!(commands.len(), 4, "{scanned}");
    for command in commands {
        let line = command.trim().replacen("perimeter", env!("CARGO_BIN_EXE_perimeter"), 1);
        let ran = Command::new("sh").arg("-c").arg(line).current_dir(place.folder.path()).output()?;
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    for store in ["memory", "none"] {
        let ran = place.run(&["scan", LEAKED, "--config", "my folder/perimeter.toml", "--store", store])?;
        assert!(!ran.ended(0).out.contains("perimeter findings"), "{}", ran.out);
        assert!(ran.out.contains("perimeter explain "), "{}", ran.out);
    }
    Ok(())
}

/// A batch with a message that no function can ever read.
const POISON: &str = r#"{"Records":[{"messageId":"m-1","body":"no JSON","eventSource":"aws:sqs"}]}"#;

#[test]
fn a_poison_message_is_told_with_its_reason() -> Tested {
    let place = Place::new()?;
    place.write("poison.json", POISON)?;
    let ran = place.run(&["invoke", "--store", "memory", "poison.json"])?;
    assert!(ran.ended(2).err.contains("error: poison.json: message failed: m-1: byte 0: "), "{}", ran.err);
    assert!(ran.out.contains("batchItemFailures"), "{}", ran.out);
    let ran = place.run(&["invoke", "--store", "memory", "--format", "json", "poison.json"])?;
    let one: Value = serde_json::from_str(&ran.ended(2).out)?;
    assert!(one["errors"][0].as_str().is_some_and(|error| error.contains("m-1")), "{one}");
    Ok(())
}

#[test]
fn replies_are_one_json_value_or_one_a_line() -> Tested {
    let place = Place::new()?;
    let event = root().join("events/eventbridge-event.json");
    let event = event.to_str().ok_or("no text")?;
    let invoke = |format: &str, events: &[&str]| {
        place.run(&[["invoke", "--store", "memory", "--format", format].as_slice(), events].concat())
    };
    let one: Value = serde_json::from_str(&invoke("json", &[event])?.ended(0).out)?;
    assert_eq!(one["reply"]["records"], 1);
    let several: Vec<Value> = serde_json::from_str(&invoke("json", &[event, "absent", event])?.ended(2).out)?;
    assert_eq!(several.len(), 3);
    assert!(several[1]["reply"].is_null() && several[1]["errors"][0].is_string());
    let lines = invoke("ndjson", &[event, event])?;
    assert_eq!(
        lines.ended(0).out.lines().map(serde_json::from_str::<Value>).filter(Result::is_ok).count(),
        2
    );
    invoke("csv", &[event])?.is_refused("replies are no table");
    Ok(())
}

#[test]
fn whoever_wants_to_know_more_is_told_more() -> Tested {
    let place = Place::new()?;
    let ran = place.run(&["scan", "-v", "--threads", "2", "--store", "kept.db", "logs"])?;
    for words in [
        "configuration perimeter.toml: ",
        "store kept.db",
        "known",
        "2 threads",
        "read logs/log-file-of-three-records.json: 3 records, ",
        "read in ",
    ] {
        assert!(ran.ended(0).err.contains(words), "`{words}` in {}", ran.err);
    }
    let ran = place.run(&["findings", "list", "-v", "--store", "kept.db"])?;
    assert_eq!(ran.ended(0).err, "note: findings are looked up in kept.db\n");
    assert_eq!(place.run(&["scan", "-qv", "--store", "none", "logs"])?.ended(0).err, "");
    assert_eq!(place.run(&["scan", "--store", "none", "logs"])?.ended(0).err, "");
    Ok(())
}

#[test]
fn a_broken_perimeter_is_shown_in_colours_and_not_in_escapes() -> Tested {
    let place = Place::new()?;
    place.write("perimeter.toml", "version = 1\nnonsense = 2\n")?;
    let ran = place.run(&["rules", "--color", "always"])?;
    assert!(ran.ended(0).err.contains("\u{1b}[") && !ran.err.contains("\\u{1b}"), "{}", ran.err);
    assert!(ran.err.contains("nonsense"), "{}", ran.err);
    assert_eq!(place.run(&["rules", "--quiet"])?.ended(0).err, "");
    Ok(())
}

#[test]
fn rules_are_explained_in_a_table() -> Tested {
    let place = Place::new()?;
    let ran = place.run(&["explain", "transit", "public-access", "--format", "csv"])?;
    let mut rows = csv::Reader::from_reader(ran.ended(0).out.as_bytes());
    assert_eq!(rows.headers()?.len(), 10);
    let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>()?;
    assert_eq!(rows.iter().filter_map(|row| row.get(0)).collect::<Vec<_>>(), ["transit", "public-access"]);
    Ok(())
}

#[test]
fn an_argument_that_is_no_input_does_not_keep_the_others_from_being_read() -> Tested {
    let place = Place::new()?;
    let mut command = place.command(&["scan", "--store", "none", "--format", "json", "s3://", LEAKED, ""]);
    #[cfg(unix)]
    command.arg(std::os::unix::ffi::OsStrExt::from_bytes(b"no-\xff-text.json") as &std::ffi::OsStr);
    let ran = Ran::of(command.output()?)?;
    let report: Value = serde_json::from_str(&ran.ended(2).out)?;
    assert_eq!(report["summary"]["records"], 1);
    let unreadable = report["summary"]["unreadable"].to_string();
    assert!(
        unreadable.contains(r#""file":"s3://""#) && unreadable.contains("no bucket is named"),
        "{unreadable}"
    );
    assert!(unreadable.contains("an empty path"), "{unreadable}");
    #[cfg(unix)]
    assert!(unreadable.contains("no-\u{fffd}-text.json"), "{unreadable}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_is_no_text_is_read() -> Tested {
    let place = Place::new()?;
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"no-\xff-text.json");
    fs::copy(place.path(LEAKED), place.folder.path().join(name))?;
    let ran = Ran::of(place.command(&["scan", "--store", "none"]).arg(name).output()?)?;
    assert!(ran.ended(0).out.contains("1 record in 1 file"), "{}", ran.out);
    Ok(())
}

#[test]
fn cuts_that_come_to_nothing_are_told() -> Tested {
    let place = Place::new()?;
    let ran =
        place.run(&["scan", "--store", "none", "--since", "2026-01-01", "--region", "eu-west-1", "logs"])?;
    let said = "note: only s3:// trees are cut by --since, --region: `logs` is read whole\n";
    assert_eq!(ran.ended(0).err, said);
    Ok(())
}

#[test]
fn arguments_that_make_no_sense_are_refused() -> Tested {
    let place = Place::new()?;
    place.run(&["scan", "--store", "kept.db", LEAKED])?.ended(0);
    let list = |arguments: &[&str]| {
        place.run(&[["findings", "list", "--store", "kept.db"].as_slice(), arguments].concat())
    };
    list(&["--account", "abc"])?.is_refused("an account has twelve digits");
    list(&["--since", "2026-03-02", "--until", "2026-03-01"])?.is_refused("is later than --until");
    list(&["--severity", "hihg"])?.is_refused("'high'");
    list(&["--status", "opened"])?.is_refused("'open'");
    list(&["--rule", "publicaccess"])?.is_refused("did you mean `public-access`?");
    list(&["--severity", "HIGH", "--status", "Open,REOPENED"])?.ended(0);
    place
        .run(&["scan", "--since", "2026-03-02", "--until", "2026-03-01", LEAKED])?
        .is_refused("is later than");
    place.run(&["scan", "--account", "12", LEAKED])?.is_refused("an account has twelve digits");
    place.run(&["scan", "--store", "none", "--fail-on", "Low", LEAKED])?.ended(1);
    Ok(())
}

/// A perimeter that suppresses what the key leaked to the internet does, up to that time.
fn suppressing(place: &Place, until: &str) -> Tested {
    let entry = "[[suppress]]\nrule = \"public-access\"\nreason = \"a test\"\n";
    place.write(
        "perimeter.toml",
        format!("{}\n{entry}{until}\n", fs::read_to_string(root().join("perimeter.toml"))?),
    )
}

#[test]
fn what_perimeter_toml_suppresses_comes_back_when_that_ends() -> Tested {
    let place = Place::new()?;
    let log = place.text(LEAKED)?;
    // Before any clock that this may run by.
    let time = log.split("\"eventTime\"").nth(1).and_then(|rest| rest.split('"').nth(1)).ok_or("no time")?;
    place.write("old.json", log.replace(time, "2019-03-01T00:00:00Z"))?;
    let cases = [
        ("until = 2020-01-01", "open", 1),
        ("until = 2999-01-01", "suppressed", 0),
        ("", "suppressed", 0),
        ("until = 2019-01-01", "open", 0),
    ];
    for (until, status, steps) in cases {
        suppressing(&place, until)?;
        for store in ["none", "memory", "kept.db"] {
            let scanned = place.run(&["scan", "-q", "--store", store, "--format", "json", "old.json"])?;
            let scanned: Value = serde_json::from_str(&scanned.ended(0).out)?;
            let finding = &scanned["findings"][0];
            assert_eq!(finding["status"], status, "{until} {store}");
            let history = finding["history"].as_array().ok_or("no history")?;
            assert_eq!(history.len(), steps, "{until} {store}");
            if let Some(step) = history.first() {
                assert_eq!((&step["at"], &step["by"]), (&"2020-01-01T00:00:00Z".into(), &"perimeter".into()));
            }
        }
        let list = ["findings", "list", "--store", "kept.db", "--format", "json", "--status", status];
        let listed: Value = serde_json::from_str(&place.run(&list)?.ended(0).out)?;
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{until}");
        fs::remove_file(place.path("kept.db"))?;
    }
    Ok(())
}

#[test]
fn a_scan_lists_findings_as_people_decided_about_them() -> Tested {
    let place = Place::new()?;
    let scan = ["scan", "-q", "--store", "kept.db", "--format", "json", LEAKED];
    let scanned: Value = serde_json::from_str(&place.run(&scan)?.ended(0).out)?;
    let id = scanned["findings"][0]["id"].as_str().ok_or("no finding")?;
    // Open again, with a history: also where its records are suppressed meanwhile.
    for decision in [["ack"].as_slice(), &["reopen"]] {
        let named = ["--by", "anna", "--store", "kept.db"];
        place.run(&[["findings"].as_slice(), decision, &[id], &named].concat())?.ended(0);
    }
    suppressing(&place, "until = 2999-01-01")?;
    let scanned: Value = serde_json::from_str(&place.run(&scan)?.ended(0).out)?;
    let finding = &scanned["findings"][0];
    assert_eq!(finding["status"], "open");
    assert_eq!(finding["history"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[test]
fn usage_errors_have_the_colours_that_are_asked_for() -> Tested {
    let place = Place::new()?;
    for (arguments, coloured) in [
        (["--color", "never", "nonsense"].as_slice(), false),
        (&["nonsense", "--color=never"], false),
        (&["--color", "always", "nonsense"], true),
        (&["nonsense", "--", "--color", "always"], false),
    ] {
        let ran = place.run(arguments)?;
        assert_eq!(ran.ended(2).err.contains('\u{1b}'), coloured, "{arguments:?}: {}", ran.err);
    }
    Ok(())
}

#[test]
fn a_perimeter_is_written_where_it_is_wanted() -> Tested {
    let place = Place::new()?;
    let ran = place.run(&["init", "--output", "my perimeter.toml"])?;
    assert!(ran.ended(0).err.contains("perimeter scan --config 'my perimeter.toml' PATH"), "{}", ran.err);
    assert!(place.text("my perimeter.toml")?.contains("version = 1"));
    place.run(&["init", "--output", "my perimeter.toml"])?.is_refused("is there already");
    place.run(&["init", "--output", "my perimeter.toml", "--force"])?.ended(0);
    place.run(&["init", "a.toml", "--output", "b.toml"])?.is_refused("not both");
    #[cfg(unix)]
    assert!(place.run(&["init", "--output", "/dev/stdout"])?.ended(0).out.contains("version = 1"));
    Ok(())
}

#[test]
fn errors_of_s3_are_in_words() -> Tested {
    let place = Place::new()?;
    let mut command = place.command(&["scan", "--store", "none", "s3://bucket/logs/"]);
    command.env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1").env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_MAX_ATTEMPTS", "1");
    let ran = Ran::of(command.output()?)?;
    assert!(ran.ended(2).out.contains("s3://bucket/logs/: cannot be listed: "), "{}", ran.out);
    let said: String = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("onnection refused") && !said.contains("DispatchFailure"), "{said}");
    Ok(())
}

#[test]
fn what_has_nothing_in_it_is_told() -> Tested {
    let place = Place::new()?;
    place.write("empty.json", "")?;
    fs::create_dir(place.path("bare"))?;
    let ran = place.run(&["scan", "--store", "none", "empty.json", "bare", LEAKED])?;
    assert!(ran.ended(0).err.contains("note: empty.json: no records in it"), "{}", ran.err);
    assert!(ran.err.contains("note: bare: no log files in it\n"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    #[cfg(unix)]
    {
        assert!(Command::new("mkfifo").arg(place.path("logs/pipe.json")).status()?.success());
        let ran = place.run(&["scan", "--store", "none", "logs"])?;
        assert!(ran.ended(0).out.contains("5 records in 3 files, 1 skipped"), "{}", ran.out);
    }
    Ok(())
}

#[test]
fn a_finding_is_found_in_capitals() -> Tested {
    let place = Place::new()?;
    place.run(&["scan", "--store", "kept.db", LEAKED])?.ended(0);
    let list = place.run(&["findings", "list", "--store", "kept.db", "--format", "json"])?;
    let findings: Value = serde_json::from_str(&list.out)?;
    let id = findings[0]["id"].as_str().ok_or("no finding")?;
    let beginning = id.get(..10).unwrap_or_default().to_uppercase();
    let shown = place.run(&["findings", "show", &beginning, "--store", "kept.db"])?;
    assert!(shown.ended(0).out.contains(id));
    Ok(())
}

#[test]
fn completions_know_values() -> Tested {
    let place = Place::new()?;
    for shell in ["bash", "fish", "zsh"] {
        let ran = place.run(&["completions", shell])?;
        for value in ["critical", "acknowledged", "break-glass-out-of-window"] {
            assert!(ran.ended(0).out.contains(value), "{shell}: {value}");
        }
    }
    let help = place.run(&["explain", "--help"])?;
    assert!(!help.ended(0).out.contains("break-glass-out-of-window"), "{}", help.out);
    Ok(())
}

#[test]
fn a_file_that_is_no_store_stays_as_it_is() -> Tested {
    let place = Place::new()?;
    place.write("empty.db", "")?;
    place
        .run(&["findings", "list", "--store", "empty.db"])?
        .is_refused("no findings are kept yet: `empty.db` is empty");
    assert_eq!(fs::metadata(place.path("empty.db"))?.len(), 0);
    place.write("text.db", "these are notes, and no database")?;
    for arguments in [["findings", "list"].as_slice(), &["scan", LEAKED]] {
        let ran = place.run(&[arguments, &["--store", "text.db"]].concat())?;
        ran.is_refused("`text.db`: this file is no store of findings");
    }
    assert_eq!(place.text("text.db")?, "these are notes, and no database");
    Ok(())
}

#[test]
fn a_reader_that_leaves_midway_ends_nothing() -> Tested {
    let place = Place::new()?;
    let record = place.text(LEAKED)?.replace('\n', " ");
    place.write("many.ndjson", format!("{record}\n").repeat(3000))?;
    let scan = ["scan", "-q", "--records", "--format", "ndjson", "--store", "none", "--fail-on", "low"];
    let mut child =
        place.command(&scan).arg("many.ndjson").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut out = child.stdout.take().ok_or("no output")?;
    out.read_exact(&mut [0; 64])?;
    drop(out);
    let ran = Ran::of(child.wait_with_output()?)?;
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    Ok(())
}

#[test]
fn a_result_that_is_not_whole_yet_is_no_log() -> Tested {
    let place = Place::new()?;
    place.write("logs/.perimeter-abc.part", "half")?;
    let ran = place.run(&["scan", "--store", "none", "logs"])?;
    assert!(ran.ended(0).out.contains("5 records in 3 files\n"), "{}", ran.out);
    Ok(())
}

/// Calls from the internet, each by another user: a finding each.
fn distinct(count: usize) -> Result<String, Box<dyn Error>> {
    let call: Value =
        serde_json::from_slice(&fs::read(root().join("events/leaked-key-from-the-internet.json"))?)?;
    let call = |n| {
        let mut call = call.clone();
        call["eventID"] = format!("event-{n}").into();
        call["userIdentity"]["arn"] = format!("arn:aws:iam::111122223333:user/user-{n}").into();
        call.to_string()
    };
    Ok((0..count).map(call).collect::<Vec<_>>().join("\n"))
}

/// A store that takes no more than so many KiB fails in the middle of a scan: as on a full disk.
#[cfg(unix)]
#[test]
fn where_the_store_fails_all_findings_are_listed_and_that_it_failed_is_said() -> Tested {
    let place = Place::new()?;
    place.write("many.json", distinct(400)?)?;
    let perimeter = env!("CARGO_BIN_EXE_perimeter");
    for (format, quiet) in
        [("json", "--quiet"), ("json", "--threads=1"), ("ndjson", "--quiet"), ("text", "--quiet")]
    {
        place.run(&["scan", "--store", "kept.db", LEAKED])?.ended(0);
        let script = format!(
            "trap '' XFSZ; ulimit -f 1024; exec {perimeter} scan --store kept.db {quiet} --format {format} many.json"
        );
        let ran =
            Ran::of(Command::new("sh").current_dir(place.folder.path()).args(["-c", &script]).output()?)?;
        ran.ended(2);
        assert!(ran.err.contains("not all findings are kept: the findings store"), "{}", ran.err);
        match format {
            "json" => {
                let whole: Value = serde_json::from_str(&ran.out)?;
                assert_eq!(whole["findings"].as_array().map(Vec::len), Some(400));
                assert_eq!(whole["summary"]["findings"], 400);
                let incomplete = whole["summary"]["incomplete"][0].as_str().ok_or("nothing is said")?;
                assert!(incomplete.starts_with("not all findings are kept"), "{incomplete}");
            }
            "ndjson" => assert_eq!(ran.out.lines().count(), 400),
            _ => assert!(ran.out.contains("400 findings") && ran.out.contains("Incomplete"), "{}", ran.out),
        }
        for file in ["kept.db", "kept.db-wal", "kept.db-shm"] {
            let _ = fs::remove_file(place.path(file));
        }
    }
    Ok(())
}

#[test]
fn the_worst_thousand_are_shown_for_reading_and_all_are_listed() -> Tested {
    let place = Place::new()?;
    place.write("many.json", distinct(1010)?)?;
    let ran = place.run(&["scan", "--store", "none", "many.json"])?;
    ran.ended(0);
    assert_eq!(ran.out.lines().filter(|line| line.trim_start().starts_with("f-")).count(), 1000);
    let rule = "… and 10 further findings, none worse: the first 1,000 are shown, and `--format ndjson` has them all.";
    assert!(ran.out.contains(rule), "{}", ran.out);
    let whole = place.run(&["scan", "--store", "none", "--format", "ndjson", "many.json"])?;
    assert_eq!(whole.out.lines().count(), 1010);
    Ok(())
}

#[test]
fn results_are_the_same_with_any_number_of_threads() -> Tested {
    let place = Place::new()?;
    fs::create_dir(place.path("many"))?;
    for file in 0..40 {
        let mut text = distinct(if file % 3 == 0 { 0 } else { file })?;
        // Accounts that nobody lists, and places that cannot be read.
        text = text.replace("111122223333", &format!("5000000000{file:02}"));
        let broken = if file % 4 == 1 { "\n{\"eventID\": nothing}\n{\"Records\": [5,\n" } else { "" };
        place.write(&format!("many/{file}.json"), format!("{text}{broken}"))?;
    }
    let told = |threads: &str| -> Result<(Value, String), Box<dyn Error>> {
        let ran =
            place.run(&["scan", "--store", "none", "--format", "json", "--threads", threads, "many"])?;
        Ok((serde_json::from_str(&ran.ended(2).out)?, ran.err))
    };
    let (one, said) = told("1")?;
    assert!(one["summary"]["unreadable"].as_array().is_some_and(|places| places.len() > 15), "{one}");
    assert!(said.contains("it is empty"), "{said}");
    for threads in ["2", "5", "8"] {
        let (other, also_said) = told(threads)?;
        assert_eq!(other, one);
        let notes = |text: &str| {
            text.lines().filter(|line| line.starts_with("note")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(notes(&also_said), notes(&said));
    }
    Ok(())
}
