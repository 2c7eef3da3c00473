//! `bootstrap`, driven through Lambda's real protocol by a stand-in of the Runtime API, with stand-ins
//! of DynamoDB and S3 behind it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use dynamodb_perimeter::audit::verdict::Verdict;
use dynamodb_perimeter::findings::finding::EVIDENCE;
use dynamodb_perimeter::lambda::auditor::Handler;
use dynamodb_perimeter::lambda::log_file::NoLogFiles;
use dynamodb_perimeter::lambda::metrics::Metrics;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

mod calls;
pub mod http;
pub mod runtime_api;
mod services;

use crate::corpus;
use calls::{Chance, Kind, Made, Truth, failures, in_event_bridge, in_sns, in_sqs, make};
use http::Response;
use runtime_api::{Process, RuntimeApi};
use services::Dynamo;

struct Function {
    api: RuntimeApi,
    dynamo: Dynamo,
    processes: Vec<Process>,
}

impl Function {
    fn start(processes: usize, vars: &[(&str, &str)]) -> Self {
        let (api, dynamo) = (RuntimeApi::default(), Dynamo::start());
        let address = api.serve();
        let vars = [&[("PERIMETER_STORE", dynamo.url.as_str())], vars].concat();
        let processes = (0..processes).map(|_| Process::start(&address, &vars)).collect();
        Self { api, dynamo, processes }
    }

    fn counted(&self, metric: &str) -> u64 {
        let lines = self.processes.iter().flat_map(Process::metrics);
        lines.map(|line| line[metric].as_u64().unwrap_or_else(|| panic!("no {metric} in {line}"))).sum()
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        self.dynamo.findings().into_iter().map(|(id, kept)| (id, kept.count())).collect()
    }
}

fn counts(truth: &Truth) -> BTreeMap<String, u64> {
    truth.iter().map(|(id, events)| (id.clone(), events.len() as u64)).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Bodies that cannot be read, each in its own way.
fn poison(n: usize, good: &Value) -> String {
    let envelope = in_event_bridge(good);
    match n % 10 {
        0 => "not JSON".to_owned(),
        1 => String::new(),
        2 => format!("{{\"Records\":[{good},{{\"eventVersion\":\"1.11\",\"eventName\":\"Get"),
        3 => "[]".to_owned(),
        4 => envelope.to_string().chars().take(300).collect(),
        5 => json!({ "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": [] })
            .to_string(),
        6 => r#"{"awslogs":{"data":"%%%"}}"#.to_owned(),
        7 => "[".repeat(2000),
        8 => json!({ "Records": [{ "eventSource": "aws:s3", "s3": { "bucket": {} } }] }).to_string(),
        _ => "7".to_owned(),
    }
}

/// Of ten ways in [`poison`] one has a good record before what is broken.
fn holds_a_good_record(n: usize) -> bool {
    n % 10 == 2
}

/// A record wrapped in one of the ways in which records come.
fn body(n: usize, record: &Value) -> String {
    match n % 4 {
        0 => json!({ "Records": [record] }).to_string(),
        1 => in_sns(&in_event_bridge(record)).to_string(),
        _ => in_event_bridge(record).to_string(),
    }
}

/// 10,000 messages in batches of 10, shuffled: 500 are poison, and of the rest every fifth is a copy
/// of another. Three processes share the work and the table.
#[test]
fn ten_thousand_events_shuffled_repeated_and_poisoned_leave_exactly_the_truth() {
    const MESSAGES: usize = 10_000;
    let mut chance = Chance(2026);
    let poisoned = MESSAGES / 20;
    let copies = (MESSAGES - poisoned) / 5;
    let distinct = MESSAGES - poisoned - copies;
    let made: Vec<Made> = (0..distinct).map(|n| make(calls::any_kind(&mut chance), n, &mut chance)).collect();
    let mut told: Vec<&Made> = made.iter().collect();
    // Each with its id, its body, and what a record in it is that can be read.
    let mut messages: Vec<(String, String, Option<Kind>)> = Vec::new();
    for (n, one) in made.iter().enumerate() {
        messages.push((format!("good-{n}"), body(n, &one.record), Some(one.kind)));
    }
    // The record that tells of the endpoint takes the place of one that is of no concern.
    let of_no_concern = made.iter().position(|one| one.kind == Kind::Ignored).unwrap();
    messages[of_no_concern].1 = in_event_bridge(&calls::creation()).to_string();
    for n in 0..copies {
        let (_, body, kind) = chance.of(&messages[..distinct]).clone();
        messages.push((format!("copy-{n}"), body, kind));
    }
    let extra: Vec<Made> = (0..poisoned).map(|n| make(Kind::Outside, distinct + n, &mut chance)).collect();
    for (n, one) in extra.iter().enumerate() {
        let held = holds_a_good_record(n).then_some(one);
        messages.push((format!("poison-{n}"), poison(n, &one.record), held.map(|one| one.kind)));
        told.extend(held);
    }
    chance.shuffle(&mut messages);
    let batches = messages.chunks(10).map(|batch| in_sqs(batch.iter().map(|(id, body, _)| (&**id, &**body))));
    let function = Function::start(3, &[]);
    let answers = function.api.invoke(batches);

    let failed: BTreeSet<String> =
        answers.into_iter().flat_map(|answer| failures(&answer.response())).collect();
    let poison: BTreeSet<String> = (0..poisoned).map(|n| format!("poison-{n}")).collect();
    assert_eq!(failed.symmetric_difference(&poison).next(), None);
    assert!(poison.iter().all(|id| function.dynamo.note(id).is_some()), "each has its reason stored");

    let truth = calls::truth(told);
    let findings = function.dynamo.findings();
    assert_eq!(
        findings.iter().map(|(id, kept)| (id.clone(), kept.count())).collect::<BTreeMap<_, _>>(),
        counts(&truth)
    );
    for (id, kept) in &findings {
        let (events, shown) = (&truth[id], kept.finding());
        let times: BTreeSet<&str> = events.iter().map(|(_, time)| time.as_str()).collect();
        assert!(shown.count_is_exact, "{id}");
        assert_eq!(shown.first_seen.map(|time| time.to_string()).as_deref(), times.first().copied(), "{id}");
        assert_eq!(shown.last_seen.map(|time| time.to_string()).as_deref(), times.last().copied(), "{id}");
        assert!(kept.sightings.evidence.len() <= EVIDENCE);
    }

    let counted = |metric: &str| usize::try_from(function.counted(metric)).unwrap();
    let of = |kinds: &[Kind]| {
        messages.iter().filter(|(.., kind)| kind.is_some_and(|kind| kinds.contains(&kind))).count()
    };
    assert_eq!(counted("Records"), messages.iter().filter(|(.., kind)| kind.is_some()).count());
    assert_eq!(counted("Outside"), of(&[Kind::Outside, Kind::UnapprovedVpc]));
    assert_eq!(counted("Denied"), of(&[Kind::Denied]));
    assert_eq!(counted("Exempt"), of(&[Kind::Exempt]));
    assert_eq!(
        counted("Inside") + counted("Undetermined"),
        of(&[Kind::Inside, Kind::Undetermined, Kind::Awaiting])
    );
    assert_eq!(counted("Change") + counted("Ignored"), of(&[Kind::Weakening, Kind::Ignored]));
    assert_eq!(counted("FailedMessages"), poisoned);
    assert!(counted("Unreadable") >= poisoned);
}

/// The corpus of the library, through the handler: as bodies of a queue, in this process.
#[test]
fn every_sample_is_judged_as_by_the_library() {
    #[derive(serde::Deserialize)]
    struct Expected {
        sample: Vec<Sample>,
    }
    #[derive(serde::Deserialize)]
    struct Sample {
        file: String,
        record: Vec<Record>,
    }
    #[derive(serde::Deserialize)]
    struct Record {
        verdict: String,
    }
    let folder = corpus::root().join("events");
    let expected: Expected =
        toml::from_str(&std::fs::read_to_string(folder.join("expected.toml")).unwrap()).unwrap();
    let dynamo = Dynamo::start();
    let table = dynamo.table();
    let handler = Handler::new(corpus::perimeter().unwrap(), move || table, || NoLogFiles);
    for sample in &expected.sample {
        let file = std::fs::read(folder.join(&sample.file)).unwrap();
        let mut metrics = Metrics::default();
        // Files are packed as trails pack them; messages hold text.
        let text =
            if file.starts_with(&[0x1f, 0x8b]) { unpacked(&file) } else { String::from_utf8(file).unwrap() };
        let batch = in_sqs([("sample", &*text)]);
        let reply = dynamo
            .block_on(handler.handle_counted(batch.as_bytes(), Timestamp::now(), &mut metrics))
            .unwrap();
        assert_eq!(failures(&json!(reply)), BTreeSet::new(), "{}", sample.file);
        let of = |name: &str| sample.record.iter().filter(|record| record.verdict == name).count();
        for (verdict, count) in Verdict::ALL.into_iter().zip(metrics.verdicts) {
            assert_eq!(
                usize::try_from(count).unwrap(),
                of(verdict.name()),
                "{}: {}",
                sample.file,
                verdict.name()
            );
        }
    }
}

fn unpacked(file: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_direct_event_is_answered_with_what_came_of_it() {
    let function = Function::start(1, &[]);
    let mut chance = Chance(1);
    let outside = make(Kind::Outside, 0, &mut chance);
    let inside = make(Kind::Inside, 1, &mut chance);
    let answer = function.api.invoke_one(in_event_bridge(&outside.record)).response();
    let finding = outside.finding.as_ref().unwrap().id();
    assert_eq!(answer, json!({ "records": 1, "verdicts": { "outside": 1 }, "findings": [finding] }));
    let answer = function.api.invoke_one(in_event_bridge(&inside.record)).response();
    assert_eq!(answer, json!({ "records": 1, "verdicts": { "inside": 1 }, "findings": [] }));
    let answer = function.api.invoke_one(in_sns(&in_event_bridge(&outside.record))).response();
    assert_eq!(answer["findings"], json!([finding]));
    assert_eq!(function.counts(), BTreeMap::from([(finding, 1)]));

    let metrics = function.processes[0].metrics();
    assert_eq!(metrics.len(), 3, "one line an invocation");
    assert_eq!(metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "DynamoDBPerimeter");
    assert_eq!(metrics[0]["Function"], "perimeter-auditor");
    assert!(metrics[0]["LagSeconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_look_alike_is_a_finding_and_judged_no_further() {
    let function = Function::start(1, &[]);
    let outside = make(Kind::Outside, 0, &mut Chance(1));
    let mut forged = in_event_bridge(&outside.record);
    forged["source"] = "example.integration".into();
    let answer = function.api.invoke([forged.to_string(), in_sqs([("forged", &*forged.to_string())])]);
    let [direct, queued] = answer.try_into().unwrap();
    assert_eq!(direct.response()["records"], 1);
    assert_eq!(failures(&queued.response()), BTreeSet::new(), "it is consumed");
    let findings = function.dynamo.findings();
    let rules: Vec<&str> = findings.values().map(|kept| &*kept.sightings.identity.rule).collect();
    assert_eq!(rules, ["forged-event"]);
    assert_eq!(function.counts().into_values().collect::<Vec<_>>(), [1]);
}

#[test]
fn log_files_are_read_however_they_are_named() {
    let mut chance = Chance(3);
    let made: Vec<Made> = (0..40).map(|n| make(Kind::Outside, n, &mut chance)).collect();
    let log = |made: &[Made]| {
        json!({ "Records": made.iter().map(|one| &one.record).collect::<Vec<_>>() }).to_string()
    };
    let two_members = [gzip(&log(&made[20..25])), gzip(&log(&made[25..30]))].concat();
    let mut damaged = gzip(&log(&made[30..31]));
    damaged.extend_from_slice(b"rubbish behind the end");
    let objects = HashMap::from([
        ("trail/AWSLogs/1/a.json.gz".to_owned(), gzip(&log(&made[..10]))),
        ("trail/AWSLogs/1/b%20b.json".to_owned(), log(&made[10..20]).into_bytes()),
        ("trail/AWSLogs/1/c.json.gz".to_owned(), two_members),
        ("trail/damaged.json.gz".to_owned(), damaged),
    ]);
    let s3 = services::s3(objects);
    let function = Function::start(1, &[("AWS_ENDPOINT_URL_S3", &s3)]);
    let notification = |key: &str| {
        json!({ "Records": [{ "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "awsRegion": "eu-west-1", "s3": { "bucket": { "name": "trail" }, "object": { "key": key, "size": 1 } } }] })
    };
    let created = |key: &str| {
        json!({ "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "111122223333",
            "detail": { "bucket": { "name": "trail" }, "object": { "key": key } } })
    };
    let direct = function.api.invoke_one(notification("AWSLogs/1/a.json.gz")).response();
    assert_eq!(direct["records"], 10);
    let bus = function.api.invoke_one(created("AWSLogs/1/b b.json")).response();
    assert_eq!(bus["records"], 10);
    let queued = in_sqs([
        ("sound", &*notification("AWSLogs/1/c.json.gz").to_string()),
        ("again", &*notification("AWSLogs/1/b+b.json").to_string()),
        ("missing", &*notification("AWSLogs/1/none.json.gz").to_string()),
        ("damaged", &*notification("damaged.json.gz").to_string()),
        ("digest", &*notification("AWSLogs/1/CloudTrail-Digest/d.json.gz").to_string()),
        ("test", r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"trail"}"#),
    ]);
    let failed = failures(&function.api.invoke_one(queued).response());
    assert_eq!(failed, ["damaged", "missing"].map(str::to_owned).into());
    assert!(function.dynamo.note("missing").unwrap().contains("NoSuchKey"));
    assert!(function.dynamo.note("damaged").unwrap().contains("s3://trail/damaged.json.gz"));
    assert_eq!(function.counts(), counts(&calls::truth(&made[..31])), "what could be read is kept");

    let error = function.api.invoke_one(notification("none")).error();
    assert_eq!(error["errorType"], "LogFileNotFetched");
}

/// 64 MB that hardly shrink, in a process that has less.
#[test]
fn a_log_file_larger_than_the_memory_for_it_is_read_in_pieces() {
    let mut chance = Chance(10);
    // Some wait for an endpoint, and are kept whole meanwhile.
    let kind = |n| if n % 20 == 0 { Kind::Undetermined } else { Kind::Inside };
    let made: Vec<Made> = (0..80).map(|n| make(kind(n), n, &mut chance)).collect();
    let mut lines = String::new();
    for one in &made {
        let mut record = one.record.clone();
        record["requestParameters"]["filler"] = "x".repeat(100_000).into();
        lines.push_str(&format!("{record}\n"));
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(lines.as_bytes()).unwrap();
    // The same again and again: gzip allows it, and copies count once.
    let packed = encoder.finish().unwrap().repeat(8);
    assert!(packed.len() > 64_000_000);
    let s3 = services::s3(HashMap::from([("trail/large.json.gz".to_owned(), packed)]));
    let function = Function::start(1, &[("AWS_ENDPOINT_URL_S3", &s3)]);
    let notification = json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "trail" }, "object": { "key": "large.json.gz" } } }] });
    assert_eq!(function.api.invoke_one(notification).response()["records"], 640);
    assert_eq!(function.counts(), counts(&calls::truth(&made)));
    assert_eq!(function.counted("Duplicates"), 560);
    let peak = function.processes[0].peak_memory();
    println!("peak memory: {} MB", peak / 1_000_000);
    assert!(peak < 56_000_000, "{peak}");
}

#[test]
fn a_store_that_fails_fails_exactly_the_messages_that_it_did_not_take() {
    let function = Function::start(1, &[]);
    let mut chance = Chance(4);
    let made: Vec<Made> = (0..30).map(|n| make(calls::any_kind(&mut chance), n, &mut chance)).collect();
    let made: Vec<&Made> = made.iter().filter(|one| one.kind != Kind::Awaiting).collect();
    let refused = made.iter().find_map(|one| one.finding.clone()).unwrap().id();
    let messages: Vec<(String, String)> =
        made.iter().map(|one| (one.id.clone(), body(2, &one.record))).collect();
    let batch = in_sqs(messages.iter().map(|(id, body)| (&**id, &**body)));
    let writes =
        |operation: &str| operation.contains("Write") || matches!(operation, "PutItem" | "UpdateItem");
    let id = refused.clone();
    function.dynamo.fail(Some(Box::new(move |operation, body| {
        let throttled =
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#;
        (writes(operation) && body.contains(&id)).then(|| Response::new(400, throttled))
    })));
    let failed = failures(&function.api.invoke_one(&batch).response());
    let contributed = |one: &&&Made| one.finding.as_ref().is_some_and(|finding| finding.id() == refused);
    let expected: BTreeSet<String> = made.iter().filter(contributed).map(|one| one.id.clone()).collect();
    assert_eq!(failed, expected);
    assert_eq!(function.dynamo.note(expected.first().unwrap()), None, "it can be read, so no reason is kept");

    // The queue sends those again, and the others too where somebody else failed: it is all the same.
    function.dynamo.fail(None);
    assert_eq!(failures(&function.api.invoke_one(&batch).response()), BTreeSet::new());
    assert_eq!(function.counts(), counts(&calls::truth(made)));
}

#[test]
fn a_store_that_is_down_fails_all_that_it_is_needed_for_and_nothing_else() {
    let requests = std::sync::Arc::new(AtomicU64::new(0));
    let function = Function::start(1, &[]);
    let seen = std::sync::Arc::clone(&requests);
    function.dynamo.fail(Some(Box::new(move |_, _| {
        seen.fetch_add(1, Ordering::Relaxed);
        let error = r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException","message":"no"}"#;
        Some(Response::new(400, error))
    })));
    let mut chance = Chance(5);
    let [inside, outside, awaiting] =
        [Kind::Inside, Kind::Outside, Kind::Awaiting].map(|kind| make(kind, kind as usize, &mut chance));
    let answer = function.api.invoke_one(in_event_bridge(&inside.record)).response();
    assert_eq!(answer["verdicts"]["inside"], 1);
    assert_eq!(requests.load(Ordering::Relaxed), 0, "what ends inside asks the store nothing");
    let all = [&inside, &outside, &awaiting].map(|one| (one.id.clone(), body(2, &one.record)));
    let failed =
        failures(&function.api.invoke_one(in_sqs(all.iter().map(|(id, body)| (&**id, &**body)))).response());
    assert_eq!(failed, [&outside, &awaiting].map(|one| one.id.clone()).into());
    let error = function.api.invoke_one(in_event_bridge(&outside.record)).error();
    assert_eq!(error["errorType"], "StoreFailed");
    assert!(error["errorMessage"].as_str().unwrap().contains("AccessDenied"), "{error}");
}

#[test]
fn what_the_store_refuses_for_good_has_its_reason_kept() {
    let function = Function::start(1, &[]);
    let outside = make(Kind::Outside, 0, &mut Chance(7));
    function.dynamo.fail(Some(Box::new(|operation, _| {
        let refused = r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"Item size"}"#;
        (operation == "TransactWriteItems").then(|| Response::new(400, refused))
    })));
    let batch = in_sqs([("refused", &*body(2, &outside.record))]);
    assert_eq!(failures(&function.api.invoke_one(batch).response()), BTreeSet::from(["refused".into()]));
    let note = function.dynamo.note("refused").unwrap();
    assert!(note.contains("ValidationException"), "{note}");
}

#[test]
fn a_store_that_fails_again_and_again_is_tried_for_one_step_alone() {
    let requests = std::sync::Arc::new(AtomicU64::new(0));
    let function = Function::start(1, &[]);
    let seen = std::sync::Arc::clone(&requests);
    function.dynamo.fail(Some(Box::new(move |_, _| {
        seen.fetch_add(1, Ordering::Relaxed);
        Some(Response::new(500, r#"{"__type":"x#InternalServerError","message":"no"}"#))
    })));
    let mut chance = Chance(8);
    let [outside, awaiting] = [Kind::Outside, Kind::Awaiting].map(|kind| make(kind, 1, &mut chance));
    let messages = [
        ("outside", body(2, &outside.record)),
        ("awaiting", body(2, &awaiting.record)),
        ("created", in_event_bridge(&calls::creation()).to_string()),
        ("poison", "not JSON".to_owned()),
    ];
    let start = std::time::Instant::now();
    let batch = in_sqs(messages.iter().map(|(id, body)| (*id, &**body)));
    let failed = failures(&function.api.invoke_one(batch).response());
    assert_eq!(failed, messages.iter().map(|(id, _)| (*id).to_owned()).collect());
    assert_eq!(requests.load(Ordering::Relaxed), 12, "the first step is tried, and no other");
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn an_endpoint_that_is_seen_created_settles_what_waited_for_it() {
    let function = Function::start(2, &[]);
    let mut chance = Chance(6);
    let waiting: Vec<Made> = (0..20).map(|n| make(Kind::Awaiting, n, &mut chance)).collect();
    let before =
        function.api.invoke(waiting[..10].iter().map(|one| in_event_bridge(&one.record).to_string()));
    assert!(before.into_iter().all(|answer| answer.response()["verdicts"]["undetermined"] == 1));
    assert_eq!(function.counts().values().sum::<u64>(), 10);
    function.api.invoke_one(in_event_bridge(&calls::creation())).response();
    assert_eq!(function.counts(), BTreeMap::new(), "they were inside");
    // Also where the process that is asked next has not seen it created.
    let after = function.api.invoke(waiting[10..].iter().map(|one| in_event_bridge(&one.record).to_string()));
    after.into_iter().for_each(|answer| drop(answer.response()));
    assert_eq!(function.counts(), BTreeMap::new());
}

#[test]
fn what_says_that_it_holds_nothing_is_no_failure() {
    let function = Function::start(1, &[]);
    let removed = |name: &str| {
        let s3 = json!({ "bucket": { "name": "trail" }, "object": { "key": "gone.json.gz" } });
        json!({ "Records": [{ "eventSource": "aws:s3", "eventName": name, "s3": s3 }] })
    };
    let deleted = json!({
        "detail-type": "Object Deleted", "source": "aws.s3", "account": "111122223333",
        "detail": { "bucket": { "name": "trail" }, "object": { "key": "gone.json.gz" } },
    });
    let control = json!({
        "messageType": "CONTROL_MESSAGE",
        "logEvents": [{ "id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health" }],
    });
    let digest =
        json!({ "awsAccountId": "1", "digestStartTime": "x", "digestS3Object": "y", "logFiles": [] });
    let events = [
        json!({ "Records": [] }),
        json!({ "logEvents": [] }),
        json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail" }),
        removed("ObjectRemoved:Delete"),
        removed("LifecycleExpiration:Delete"),
        deleted,
        control,
        digest,
    ];
    let bodies: Vec<String> = events.iter().map(Value::to_string).collect();
    let batch = in_sqs(bodies.iter().map(|body| (body.as_str(), body.as_str())));
    assert_eq!(failures(&function.api.invoke_one(batch).response()), BTreeSet::new());
    for event in events {
        assert_eq!(function.api.invoke_one(&event).response()["records"], 0, "{event}");
    }
    // An object that was made is still fetched.
    let error = function.api.invoke_one(removed("ObjectCreated:Put")).error();
    assert_eq!(error["errorType"], "LogFileNotFetched");
}

#[test]
fn an_event_of_no_known_shape_is_an_error_that_says_what_was_expected() {
    let function = Function::start(1, &[]);
    for event in ["{}", "[]", "7", r#"{"key1":"value1"}"#, r#"{"Records":[{"kinesis":{}}]}"#] {
        let error = function.api.invoke_one(event).error();
        assert_eq!(error["errorType"], "UnexpectedEvent", "{event}");
        assert!(
            error["errorMessage"].as_str().unwrap().contains("expected an EventBridge event"),
            "{event}: {error}"
        );
    }
    // The process lives on.
    let inside = make(Kind::Inside, 0, &mut Chance(7));
    function.api.invoke_one(in_event_bridge(&inside.record)).response();
}

#[test]
fn what_callers_write_stands_in_logs_and_metrics_only_as_text() {
    let function = Function::start(1, &[("PERIMETER_LOG", "debug")]);
    let evil = "\n{\"_aws\":{}}\u{1b}[31m";
    let mut made = make(Kind::Outside, 0, &mut Chance(8));
    made.record["userAgent"] = evil.into();
    made.record["eventName"] = evil.into();
    let id = format!("message{evil}");
    let answer = function.api.invoke([in_event_bridge(&made.record).to_string(), in_sqs([(&*id, evil)])]);
    assert_eq!(answer.len(), 2);
    // Both are read line by line as JSON.
    let process = &function.processes[0];
    assert_eq!(process.metrics().len(), 2);
    let log = process.log();
    let failed = log.iter().find(|line| line["message_id"] == id.as_str()).unwrap();
    assert!(failed["reason"].is_string() && failed["span"]["requestId"] == "1", "{failed}");
}

#[test]
fn an_unknown_handler_is_refused_with_the_names_of_those_that_there_are() {
    let api = RuntimeApi::default();
    let mut process = Process::start(&api.serve(), &[("_HANDLER", "bootstrap")]);
    let error = api.init_error();
    assert_eq!(
        error["errorMessage"],
        "there is no function `bootstrap`: the handler must be one of `auditor`, `collector`, `sweeper`"
    );
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn each_function_is_told_what_it_lacks() {
    let api = RuntimeApi::default();
    let mut process = Process::start(&api.serve(), &[("_HANDLER", "collector"), ("PERIMETER_STORE", "")]);
    let reason = api.init_error()["errorMessage"].as_str().unwrap().to_owned();
    assert!(reason.contains("PERIMETER_SNAPSHOT is not set"), "{reason}");
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn a_wrong_perimeter_is_refused_with_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perimeter.toml");
    std::fs::write(&file, "version = 1\n\n[environments.production]\nmode = \"enforced\"\n").unwrap();
    let api = RuntimeApi::default();
    let path = file.to_str().unwrap();
    let mut process = Process::start(&api.serve(), &[("PERIMETER_CONFIG", path)]);
    let reason = api.init_error()["errorMessage"].as_str().unwrap().to_owned();
    assert!(reason.contains(path) && reason.contains("line 4"), "{reason}");
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn the_perimeter_may_be_an_object_of_s3() {
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/perimeter.toml")).unwrap();
    let s3 = services::s3(HashMap::from([("config/p/perimeter.toml".to_owned(), text)]));
    let vars = [("AWS_ENDPOINT_URL_S3", s3.as_str()), ("PERIMETER_CONFIG", "s3://config/p/perimeter.toml")];
    let function = Function::start(1, &vars);
    let inside = make(Kind::Inside, 0, &mut Chance(9));
    assert_eq!(function.api.invoke_one(in_event_bridge(&inside.record)).response()["verdicts"]["inside"], 1);

    let api = RuntimeApi::default();
    let missing = [vars[0], ("PERIMETER_CONFIG", "s3://config/none")];
    let _process = Process::start(&api.serve(), &missing);
    let error = api.init_error();
    assert!(error["errorMessage"].as_str().unwrap().contains("s3://config/none: NoSuchKey"), "{error}");
}

/// How long it takes from the start of the process to its first poll. What is promised is promised
/// of the build that is deployed: scripts/bootstrap-size.sh runs this test with that.
#[test]
fn it_polls_soon_after_its_start() {
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let api = RuntimeApi::default();
            let process = Process::start(&api.serve(), &[]);
            api.first_poll().duration_since(process.started)
        })
        .collect();
    times.sort();
    println!("from start to first poll: {:?} (median of 5: {:?})", times, times[2]);
    assert!(times[0].as_secs() < 5);
}
