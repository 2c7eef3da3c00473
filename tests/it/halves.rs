//! Two accounts' copies of one call end as one finding, whichever comes first; and what came through an unknown endpoint
//! is judged again once the endpoint is known; and what was corrected counts once. Whatever the order, the repetition and
//! the number of writers.
#![cfg(feature = "cli")]

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use std::collections::{BTreeMap, HashMap};

use dynamodb_perimeter::audit::rule::Severity;
use dynamodb_perimeter::aws::findings_table::FindingsTable;
use dynamodb_perimeter::aws::store_url::StoreUrl;
use dynamodb_perimeter::cloudtrail::envelope;
use dynamodb_perimeter::findings::finding::Kept;
use dynamodb_perimeter::findings::sample::EventKey;
use dynamodb_perimeter::findings::store::{FindingStore, Query};
use dynamodb_perimeter::perimeter::Perimeter;
use dynamodb_perimeter::perimeter::inventory::Inventory;
use dynamodb_perimeter::perimeter::session::Caller;
use dynamodb_perimeter::pipeline::{Auditor, Tally, keep};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::corpus::{self, root};

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

// ---- In this process: records, writers, what is listed in the end

const UNKNOWN: &str = "vpce-0123456789abcdef0";

/// A call of an ordinary role from the internet; what is given stands in it instead.
fn call(n: usize, fields: &[(&str, Value)]) -> Value {
    let mut record = sample("gateway-endpoint-approved-vpc.json").unwrap_or_default();
    record["eventID"] = json!(format!("event-{n}"));
    record["eventTime"] = json!(format!("2026-03-01T{:02}:{:02}:{:02}Z", n / 3600 % 24, n / 60 % 60, n % 60));
    record["vpcEndpointId"] = Value::Null;
    record["vpcEndpointAccountId"] = Value::Null;
    record["sourceIPAddress"] = json!("203.0.113.9");
    for (name, value) in fields {
        record[*name] = value.clone();
    }
    record
}

/// The fields of a call through the endpoint that nobody knows yet.
fn unknown() -> Vec<(&'static str, Value)> {
    vec![
        ("vpcEndpointId", json!(UNKNOWN)),
        ("vpcEndpointAccountId", json!("111122223333")),
        ("sourceIPAddress", json!("10.0.1.7")),
    ]
}

fn created(vpc: &str) -> Value {
    let mut created = sample("endpoint-created.json").unwrap_or_default();
    created["awsRegion"] = json!("eu-west-1");
    created["recipientAccountId"] = json!("111122223333");
    created["responseElements"] = json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {
        "vpcEndpointId": UNKNOWN, "vpcId": vpc, "ownerId": "111122223333",
        "serviceName": "com.amazonaws.eu-west-1.dynamodb"}}});
    created
}

const APPROVED: &str = "vpc-0a1b2c3d4e5f6e001";
const UNAPPROVED: &str = "vpc-0ffffffffffffffff";

/// The caller's copy and the owner's copy of a call.
fn pair(n: usize, fields: &[(&str, Value)]) -> [Value; 2] {
    let mut caller = sample("cross-account-read-callers-copy.json").unwrap_or_default();
    let mut owner = sample("cross-account-read-owners-copy.json").unwrap_or_default();
    for (copy, name) in [(&mut caller, "caller"), (&mut owner, "owner")] {
        copy["eventID"] = json!(format!("{name}-{n}"));
        copy["sharedEventID"] = json!(format!("shared-{n}"));
        for (field, value) in fields {
            copy[*field] = value.clone();
        }
    }
    [caller, owner]
}

/// The record that takes the place of another.
fn correction(n: usize, of: &Value, fields: &[(&str, Value)]) -> Value {
    let mut record = of.clone();
    record["eventID"] = json!(format!("correction-{n}"));
    record["addendum"] = json!({"reason": "UPDATED_DATA", "originalEventID": of["eventID"]});
    for (name, value) in fields {
        record[*name] = value.clone();
    }
    record
}

/// Reads records as one scan, or one invocation, does.
pub(crate) async fn scan(
    store: &FindingsTable,
    perimeter: &Perimeter,
    records: &[Value],
    with_halves: bool,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let inventory = known(store, perimeter).await?;
    let mut halves: HashMap<String, Caller> = HashMap::new();
    for shared in records.iter().filter_map(|record| record["sharedEventID"].as_str()).filter(|_| with_halves)
    {
        halves.extend(store.half(shared).await?.map(|caller| (shared.to_owned(), caller)));
    }
    let half = |shared: &str| halves.get(shared).cloned();
    let auditor = Auditor::new(perimeter, &inventory).for_store().with_halves(&half);
    let mut tally = Tally::default();
    let text = json!({ "Records": records }).to_string();
    envelope::open_text(text.as_bytes(), &mut |content| {
        auditor.content(&content, false, &mut tally, &mut |_| {});
    });
    let now = Timestamp::now();
    let (deltas, corrections) = (tally.take_deltas(), tally.take_corrections());
    let recorded = keep::record(store, &auditor, deltas, &corrections, now).await;
    for (_, stored) in recorded.stored {
        stored?;
    }
    recorded.uncorrected.map_or(Ok(()), Err)?;
    keep::learn(store, tally.endpoints.take()).await?;
    let inventory = known(store, perimeter).await?;
    let auditor = Auditor::new(perimeter, &inventory).for_store();
    assert_eq!(keep::settle(store, &auditor, &inventory, now).await?.len(), 0);
    Ok(())
}

async fn known(
    store: &FindingsTable,
    perimeter: &Perimeter,
) -> Result<Inventory, Box<dyn Error + Send + Sync>> {
    let mut inventory = Inventory::default();
    for endpoint in perimeter.endpoints.iter().cloned().chain(store.endpoints().await?) {
        inventory.learn(endpoint)?;
    }
    Ok(inventory)
}

/// Findings by id: what tells each, its severity, its count, and whether that is exact.
type Listed = BTreeMap<String, (String, Severity, u64, bool)>;

/// All that is listed: what tells a finding, its count, and whether that is exact.
async fn listed(store: &FindingsTable) -> Result<Listed, Box<dyn Error + Send + Sync>> {
    let (mut all, mut after) = (BTreeMap::new(), None);
    loop {
        let (page, next) = store.list(&Query::default(), after, Timestamp::now()).await?;
        all.extend(page.iter().map(|kept| {
            let finding = kept.finding();
            let who = finding.principal.arn.unwrap_or_default();
            let what = format!("{} {who} {}", finding.rule, finding.origin.kind.name());
            (finding.id, (what, finding.severity, finding.count, finding.count_is_exact))
        }));
        after = next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

pub(crate) async fn memory() -> Result<FindingsTable, Box<dyn Error + Send + Sync>> {
    Ok(StoreUrl::Memory.open().await?.ok_or("a store")?)
}

pub(crate) fn run<T>(
    test: impl Future<Output = Result<T, Box<dyn Error + Send + Sync>>>,
) -> Result<T, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(test).map_err(|error| error.to_string().into())
}

/// What the parts leave behind, one after another.
fn left_by(parts: &[Vec<Value>], with_halves: bool) -> Result<Listed, Box<dyn Error>> {
    let perimeter = corpus::perimeter()?;
    run(async {
        let store = memory().await?;
        for part in parts {
            scan(&store, &perimeter, part, with_halves).await?;
        }
        listed(&store).await
    })
}

/// How many findings there are of each rule, and how many events.
fn by_rule(listed: &Listed) -> Vec<(String, u64)> {
    let rule = |what: &str| what.split(' ').next().unwrap_or_default().to_owned();
    let mut rules: Vec<_> = listed.values().map(|(what, _, count, _)| (rule(what), *count)).collect();
    rules.sort();
    rules
}

#[test]
fn a_flood_through_an_unknown_endpoint_is_judged_again_to_the_last() -> Tested {
    let calls: Vec<Value> = (0..1_200).map(|n| call(n, &unknown())).collect();
    let shares = |count: usize| -> Vec<Vec<Value>> {
        (0..count).map(|n| calls.iter().skip(n).step_by(count).cloned().collect()).collect()
    };
    for vpc in [APPROVED, UNAPPROVED] {
        let made = vec![vec![created(vpc)]];
        let first = left_by(&[made.clone(), shares(1)].concat(), false)?;
        let last = left_by(&[shares(1), made.clone()].concat(), false)?;
        let split = left_by(&[shares(7), made, shares(2)].concat(), false)?;
        assert_eq!(first, last);
        assert_eq!(first, split);
        assert_eq!(first.len(), usize::from(vpc == UNAPPROVED), "{first:#?}");
    }
    Ok(())
}

#[test]
fn a_flood_of_cross_account_calls_leaves_nothing_undetermined() -> Tested {
    let pairs: Vec<[Value; 2]> = (0..1_100).map(|n| pair(n, &[])).collect();
    let copies = |which: usize, shares: usize| -> Vec<Vec<Value>> {
        let copy =
            |share: usize| pairs.iter().skip(share).step_by(shares).map(|pair| pair[which].clone()).collect();
        (0..shares).map(copy).collect()
    };
    let together = left_by(&[pairs.concat()], false)?;
    assert_eq!(by_rule(&together).len(), 1, "{together:#?}");
    for (parts, with_halves) in
        [([copies(0, 1), copies(1, 1)].concat(), true), ([copies(1, 3), copies(0, 2)].concat(), false)]
    {
        assert_eq!(left_by(&parts, with_halves)?, together);
    }
    Ok(())
}

#[test]
fn two_scans_at_once_lose_no_endpoint() -> Tested {
    let perimeter = corpus::perimeter()?;
    let calls: Vec<Value> = (0..20).map(|n| call(n, &unknown())).collect();
    run(async {
        let store = memory().await?;
        // One judges before the other learns, and records afterwards.
        let inventory = known(&store, &perimeter).await?;
        let auditor = Auditor::new(&perimeter, &inventory).for_store();
        let mut tally = Tally::default();
        let text = json!({ "Records": calls }).to_string();
        envelope::open_text(text.as_bytes(), &mut |content| {
            auditor.content(&content, false, &mut tally, &mut |_| {});
        });
        scan(&store, &perimeter, &[created(APPROVED)], false).await?;
        keep::record(&store, &auditor, tally.take_deltas(), &[], Timestamp::now()).await;
        assert_eq!(listed(&store).await?.len(), 1);
        scan(&store, &perimeter, &[], false).await?;
        assert_eq!(listed(&store).await?.len(), 0);
        assert_eq!(store.awaited().await?, [""; 0]);
        Ok(())
    })
}

/// What is tried, the records, and the rules that are left in the end with their counts.
type Mixed = (&'static str, Vec<Value>, Vec<(&'static str, u64)>);

/// Records whose place in any order is to make no difference.
fn mixtures() -> Vec<Mixed> {
    let through = |n| call(n, &unknown());
    let denied = [("errorCode", json!("AccessDeniedException"))];
    let mut foreign = unknown();
    foreign[1].1 = json!("999900001111");
    let inside = [
        ("vpcEndpointId", json!("vpce-0a1b2c3d4e5f60001")),
        ("vpcEndpointAccountId", json!("111122223333")),
        ("sourceIPAddress", json!("10.0.1.1")),
    ];
    let mut large = through(1);
    large["eventName"] = json!("BatchGetItem");
    let keys: Vec<Value> = (0..9_000).map(|n| json!({"order_id": format!("order-{n:032}")})).collect();
    large["requestParameters"] = json!({"requestItems": {"orders": {"keys": keys}}});
    let [caller, owner] = pair(1, &[]);
    let [far_caller, far_owner] = pair(2, &unknown());
    // The caller's copy is inside once the endpoint is known, and leaves no half then.
    let near = pair(3, &unknown()).to_vec();
    let exported = [
        ("eventName", json!("ExportTableToPointInTime")),
        ("eventCategory", json!("Management")),
        ("managementEvent", json!(true)),
    ];
    let root = json!({"type": "Root", "principalId": "111122223333", "accountId": "111122223333",
        "arn": "arn:aws:iam::111122223333:root"});
    let public = call(1, &[]);
    let moved = correction(1, &public, &inside);
    let again = correction(2, &moved, &denied);
    let mut later = correction(2, &public, &denied);
    later["eventTime"] = json!("2026-03-01T01:00:00Z");
    vec![
        (
            "withdrawn while it waits",
            vec![through(1), correction(1, &through(1), &denied), created(APPROVED)],
            vec![("denied-attempt", 1)],
        ),
        (
            "another rule than unknown-endpoint waits too",
            vec![
                call(1, &[unknown(), exported.to_vec()].concat()),
                call(2, &[unknown(), vec![("userIdentity", root)]].concat()),
                created(UNAPPROVED),
            ],
            vec![("root-access", 1), ("unapproved-vpc", 1)],
        ),
        (
            "a foreign endpoint that turns out to be ours",
            vec![call(1, &foreign), created(APPROVED)],
            vec![("unknown-endpoint", 1)],
        ),
        (
            "behind an address of AWS",
            vec![
                call(1, &[unknown(), vec![("sourceIPAddress", json!("AWS Internal"))]].concat()),
                created(APPROVED),
            ],
            vec![],
        ),
        ("a record of 400 KB", vec![large, created(UNAPPROVED)], vec![("unapproved-vpc", 1)]),
        (
            "both copies, through an unknown endpoint that is approved",
            [near, vec![created(APPROVED)]].concat(),
            vec![],
        ),
        (
            "both copies, through an unknown endpoint",
            vec![far_caller, far_owner, created(UNAPPROVED)],
            vec![("unapproved-vpc", 1)],
        ),
        (
            "the owner's copy is corrected",
            vec![caller.clone(), owner.clone(), correction(1, &owner, &denied)],
            vec![("denied-attempt", 1)],
        ),
        (
            "the caller's copy is corrected",
            vec![caller.clone(), owner, correction(1, &caller, &denied)],
            vec![("denied-attempt", 1)],
        ),
        (
            "corrected to inside",
            vec![public.clone(), moved.clone(), call(2, &[])],
            vec![("public-access", 1)],
        ),
        ("a correction is corrected", vec![public.clone(), moved, again], vec![("denied-attempt", 1)]),
        (
            "corrected twice",
            vec![public.clone(), correction(1, &public, &inside), later],
            vec![("denied-attempt", 1)],
        ),
    ]
}

#[test]
fn without_a_store_what_was_corrected_counts_once_and_no_endpoint_is_gathered() -> Tested {
    let perimeter = corpus::perimeter()?;
    let inventory = corpus::inventory(&perimeter);
    let auditor = Auditor::new(&perimeter, &inventory);
    let public = call(1, &[]);
    let records = [
        public.clone(),
        correction(1, &public, &[("sourceIPAddress", json!("10.1.1.1"))]),
        call(2, &[]),
        created(APPROVED),
    ];
    for order in permutations(&records) {
        let mut joined = Tally::default();
        for record in &order {
            let mut tally = Tally::default();
            envelope::open_text(record.to_string().as_bytes(), &mut |content| {
                auditor.content(&content, false, &mut tally, &mut |_| {});
            });
            joined.join(tally);
        }
        assert!(joined.endpoints.is_empty());
        let kept =
            joined.take_deltas().into_iter().map(|delta| Kept::new(delta.sightings, Timestamp::UNIX_EPOCH));
        let counts: BTreeMap<String, u64> =
            kept.map(|kept| (kept.sightings.identity.rule.to_string(), kept.count())).collect();
        let expected = [("private-unattributed".to_owned(), 1), ("public-access".to_owned(), 1)];
        assert_eq!(counts, BTreeMap::from(expected));
    }
    Ok(())
}

/// The findings of records, read in parts of so many; `early`: what each part knows to be corrected is taken out
/// before all is joined.
fn in_parts(
    auditor: &Auditor<'_>,
    records: &[Value],
    size: usize,
    early: bool,
) -> Result<Vec<String>, Box<dyn Error>> {
    let (mut joined, mut corrections) = (Tally::default(), Tally::default());
    for part in records.chunks(size) {
        let mut tally = Tally::default();
        for record in part {
            envelope::open_text(record.to_string().as_bytes(), &mut |content| {
                auditor.content(&content, false, &mut tally, &mut |_| {});
            });
        }
        if early {
            let deltas = tally.take_deltas();
            tally
                .take_corrections()
                .into_iter()
                .for_each(|correction| corrections.note_correction(correction));
            deltas.into_iter().for_each(|delta| joined.add(delta));
        } else {
            joined.join(tally);
        }
    }
    let corrected = corrections.corrected();
    let mut findings = Vec::new();
    for mut delta in joined.take_deltas() {
        delta.sightings.take_out(|key| corrected.contains(&key));
        findings
            .push(serde_json::to_string(&Kept::new(delta.sightings, Timestamp::UNIX_EPOCH).into_finding())?);
    }
    findings.sort();
    Ok(findings)
}

#[test]
fn without_a_store_a_finding_is_the_same_whatever_the_order_and_the_parts() -> Tested {
    let perimeter = corpus::perimeter()?;
    let inventory = corpus::inventory(&perimeter);
    let auditor = Auditor::new(&perimeter, &inventory);
    let mut calls: Vec<Value> = (0..60).map(|n| call(n, &[])).collect();
    calls.sort_by_key(|call| EventKey::of(call["eventID"].as_str().unwrap_or_default().as_bytes()));
    // From the internet each by another address, so that each has a reason of its own.
    for (n, call) in calls.iter_mut().enumerate() {
        call["sourceIPAddress"] = json!(format!("203.0.113.{n}"));
    }
    let inside = [("sourceIPAddress", json!("10.1.1.1"))];
    for corrected in [vec![], vec![0], vec![0, 1, 5], vec![2, 15, 16, 17], (0..16).collect()] {
        let corrections = corrected.iter().map(|n| correction(*n, &calls[*n], &inside));
        let mut records: Vec<Value> = calls.iter().cloned().chain(corrections).collect();
        let expected = in_parts(&auditor, &records, 100, false)?;
        assert!(expected.iter().all(|finding| !finding.contains(r#""reason":"""#)), "{expected:?}");
        for turn in [0, 1, 31, 59] {
            records.rotate_left(turn);
            for (size, early) in [(1, false), (1, true), (7, false), (7, true), (100, true)] {
                let found = in_parts(&auditor, &records, size, early)?;
                assert_eq!(found, expected, "{corrected:?} corrected, in parts of {size}");
            }
            records.reverse();
        }
    }
    Ok(())
}

#[test]
fn a_correction_reaches_the_store_though_no_finding_comes_with_it() -> Tested {
    let folder = tempfile::tempdir()?;
    let scan = |record: &Value| -> Result<(), Box<dyn Error>> {
        let path = folder.path().join("log.json");
        fs::write(&path, record.to_string())?;
        perimeter(folder.path(), &["scan", path.to_str().ok_or("a path")?]).map(drop)
    };
    let listed =
        || Ok::<_, Box<dyn Error>>(findings(&perimeter(folder.path(), &["findings", "list"])?).len());
    let public = call(1, &[]);
    scan(&public)?;
    assert_eq!(listed()?, 1);
    let approved = sample("gateway-endpoint-approved-vpc.json")?;
    let inside =
        ["vpcEndpointId", "vpcEndpointAccountId", "sourceIPAddress"].map(|key| (key, approved[key].clone()));
    scan(&correction(1, &public, &inside))?;
    assert_eq!(listed()?, 0);
    Ok(())
}

/// A million endpoints weigh as much as they take.
#[test]
fn endpoints_that_were_seen_created_are_weighed_and_kept_once() -> Tested {
    let perimeter = corpus::perimeter()?;
    let inventory = corpus::inventory(&perimeter);
    let auditor = Auditor::new(&perimeter, &inventory).for_store();
    let mut tally = Tally::default();
    for _ in 0..3 {
        envelope::open_text(created(APPROVED).to_string().as_bytes(), &mut |content| {
            auditor.content(&content, false, &mut tally, &mut |_| {});
        });
    }
    let endpoint = std::mem::size_of::<dynamodb_perimeter::perimeter::Endpoint>();
    assert!(tally.weight > endpoint && tally.weight < 2_000, "{}", tally.weight);
    assert_eq!(
        (tally.endpoints.take().len(), tally.endpoints.take().len(), tally.endpoints.len()),
        (1, 0, 1)
    );
    Ok(())
}

/// The request is large, its tables are not.
#[test]
fn what_waits_is_as_much_of_a_record_as_judging_takes() -> Tested {
    let perimeter = corpus::perimeter()?;
    let inventory = corpus::inventory(&perimeter);
    let auditor = Auditor::new(&perimeter, &inventory).for_store();
    let (_, records, _) = mixtures().into_iter().find(|(name, ..)| name.contains("400 KB")).ok_or("it")?;
    let mut omitted = call(2, &unknown());
    omitted["requestParameters"] = json!({"omitted": true});
    for (record, is_untold) in [(&records[0], false), (&omitted, true)] {
        let mut tally = Tally::default();
        envelope::open_text(record.to_string().as_bytes(), &mut |content| {
            auditor.content(&content, false, &mut tally, &mut |_| {});
        });
        let waiting: Vec<_> = tally.take_deltas().into_iter().flat_map(|delta| delta.waiting).collect();
        assert_eq!(waiting.len(), 1);
        let slim: Value = serde_json::from_str(&waiting[0].record)?;
        assert!(waiting[0].record.len() < 2_000, "{}", waiting[0].record.len());
        assert_eq!(slim["resources"][0]["ARN"], "arn:aws:dynamodb:eu-west-1:111122223333:table/orders");
        assert_eq!(slim["requestParameters"]["omitted"] == true, is_untold);
        assert_eq!(slim["userAgent"], record["userAgent"]);
    }
    Ok(())
}

fn permutations(records: &[Value]) -> Vec<Vec<Value>> {
    if records.len() < 2 {
        return vec![records.to_vec()];
    }
    let mut all = Vec::new();
    for n in 0..records.len() {
        let mut rest = records.to_vec();
        let first = rest.remove(n);
        all.extend(permutations(&rest).into_iter().map(|rest| [vec![first.clone()], rest].concat()));
    }
    all
}

#[test]
fn no_order_of_what_belongs_together_makes_a_difference() -> Tested {
    for (name, records, expected) in mixtures() {
        let expected: Vec<(String, u64)> =
            expected.into_iter().map(|(rule, n)| (rule.to_owned(), n)).collect();
        for order in permutations(&records) {
            let ids: Vec<&Value> = order.iter().map(|record| &record["eventID"]).collect();
            let apart: Vec<Vec<Value>> = order.iter().map(|record| vec![record.clone()]).collect();
            for parts in [apart, vec![order.clone()], vec![order.clone(), order[..1].to_vec()]] {
                assert_eq!(
                    by_rule(&left_by(&parts, false)?),
                    expected,
                    "{name}: {ids:?}, {} parts",
                    parts.len()
                );
            }
        }
    }
    Ok(())
}

#[test]
fn of_several_corrections_of_a_cross_account_call_the_last_counts_in_any_order() -> Tested {
    let [caller, _] = pair(1, &[]);
    let inside = json!({"vpcEndpointId": "vpce-0a1b2c3d4e5f60001", "vpcEndpointAccountId": "111122223333",
        "sourceIPAddress": "10.0.12.41"});
    let inside: Vec<(&str, Value)> = ["vpcEndpointId", "vpcEndpointAccountId", "sourceIPAddress"]
        .map(|key| (key, inside[key].clone()))
        .into();
    let at = |time: &str| ("eventTime", json!(time));
    let outside_late = correction(1, &caller, &[at("2026-03-24T16:00:02Z")]);
    let outside_early = correction(2, &caller, &[at("2026-03-24T16:00:01Z")]);
    let inside_late = correction(3, &caller, &[vec![at("2026-03-24T16:00:02Z")], inside.clone()].concat());
    let inside_early = correction(4, &caller, &[vec![at("2026-03-24T16:00:01Z")], inside].concat());
    for (records, expected) in [
        (vec![caller.clone(), outside_late.clone(), inside_early], 1),
        (vec![caller.clone(), outside_early, inside_late.clone()], 0),
        // Of one time, the one from outside.
        (vec![caller, outside_late, inside_late], 1),
    ] {
        for order in permutations(&records) {
            let each: Vec<Vec<Value>> = order.iter().map(|record| vec![record.clone()]).collect();
            for parts in [each, vec![order]] {
                assert_eq!(by_rule(&left_by(&parts, true)?).len(), expected, "{parts:#?}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_bare_name_in_the_owners_copy_is_the_owners_whoever_called() -> Tested {
    let [caller, mut owner] = pair(1, &[]);
    owner["requestParameters"] = json!({"tableName": "orders"});
    owner.as_object_mut().map(|fields| fields.remove("resources"));
    let first = left_by(&[vec![caller.clone()], vec![owner.clone()]], true)?;
    assert_eq!(first.len(), 1, "{first:#?}");
    assert_eq!(left_by(&[vec![owner], vec![caller]], true)?, first);
    Ok(())
}

#[test]
fn a_half_that_names_no_table_is_one_all_the_same() -> Tested {
    let [mut caller, owner] = pair(1, &[]);
    caller["requestParameters"] = Value::Null;
    caller.as_object_mut().map(|fields| fields.remove("resources"));
    let first = left_by(&[vec![caller.clone()], vec![owner.clone()]], true)?;
    assert!(!by_rule(&first).iter().any(|(rule, _)| rule == "undetermined"), "{first:#?}");
    assert_eq!(left_by(&[vec![owner], vec![caller]], true)?, first);
    Ok(())
}

/// A caller that a rule excuses leaves the half that the owner's copy needs, in a finding nobody sees.
#[test]
fn a_half_is_kept_of_a_call_that_makes_no_finding_by_itself() -> Tested {
    let [caller, owner] = pair(1, &[]);
    let text = fs::read_to_string(root().join("perimeter.toml"))?;
    let text = format!(
        "{}\n\n[rules]\npublic-access = \"off\"\n",
        text.split("\n[rules]").next().unwrap_or_default()
    );
    let perimeter = dynamodb_perimeter::perimeter::config::parse(&text)?.perimeter;
    for order in [[&caller, &owner], [&owner, &caller]] {
        let left = run(async {
            let store = memory().await?;
            for record in order {
                scan(&store, &perimeter, std::slice::from_ref(record), false).await?;
            }
            listed(&store).await
        })?;
        assert_eq!(by_rule(&left), []);
    }
    Ok(())
}

/// One of the records that a mixture is made of.
fn any_record(n: usize) -> impl Strategy<Value = Vec<Value>> {
    let denied = [("errorCode", json!("AccessDeniedException"))];
    let table = |name: &str| {
        ("resources", json!([{"ARN": format!("arn:aws:dynamodb:eu-west-1:111122223333:table/{name}")}]))
    };
    let a = [unknown(), vec![table("a")]].concat();
    let [caller, owner] = pair(n, &[]);
    let [far_caller, far_owner] = pair(n, &unknown());
    let [refused_caller, refused_owner] = pair(n, &denied);
    let public = call(n, &[]);
    let through = call(n, &unknown());
    prop_oneof![
        Just(vec![public.clone()]),
        Just(vec![call(n, &a)]),
        Just(vec![public.clone(), correction(n, &public, &unknown())]),
        Just(vec![public.clone(), correction(n, &public, &denied)]),
        Just(vec![through.clone(), correction(n, &through, &denied)]),
        Just(vec![call(n, &[unknown(), denied.to_vec()].concat())]),
        Just(vec![call(n, &[("errorCode", json!("ThrottlingException"))])]),
        Just(vec![owner.clone(), correction(n, &owner, &denied), caller.clone()]),
        Just(vec![caller, owner]),
        Just(vec![far_caller, far_owner]),
        Just(vec![refused_caller, refused_owner]),
    ]
}

/// Records, and another order of them, some twice, in parts.
#[derive(Clone)]
struct Mixture {
    records: Vec<Value>,
    parts: Vec<Vec<Value>>,
}

impl fmt::Debug for Mixture {
    /// What each is, which is enough to make it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brief = |record: &Value| {
            let field = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            let vpc = &record["responseElements"]["CreateVpcEndpointResponse"]["vpcEndpoint"]["vpcId"];
            let table = field("errorCode") + record["resources"][0]["ARN"].as_str().unwrap_or_default();
            format!(
                "{} {} {} {table}",
                field("eventID"),
                field("vpcEndpointId"),
                vpc.as_str().unwrap_or_default()
            )
        };
        for part in [std::slice::from_ref(&self.records), &self.parts].concat() {
            f.debug_list().entries(part.iter().map(brief)).finish()?;
        }
        Ok(())
    }
}

fn any_mixture() -> impl Strategy<Value = Mixture> {
    let records: Vec<_> = (0..8).map(any_record).collect();
    let vpc = prop_oneof![Just(APPROVED), Just(UNAPPROVED)];
    (records, vpc).prop_flat_map(|(records, vpc)| {
        let records = [records.concat(), vec![created(vpc)]].concat();
        let twice = prop::sample::subsequence(records.clone(), 0..=3);
        (Just(records), twice, 1usize..6).prop_flat_map(|(records, twice, parts)| {
            let other = [records.clone(), twice].concat();
            (Just(records), Just(other).prop_shuffle(), Just(parts)).prop_map(|(records, other, parts)| {
                let size = other.len().div_ceil(parts);
                Mixture { records, parts: other.chunks(size).map(<[Value]>::to_vec).collect() }
            })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 48, ..ProptestConfig::default() })]

    #[test]
    fn order_repetition_and_splitting_change_nothing(
        Mixture { records, parts } in any_mixture(),
        with_halves in any::<bool>(),
    ) {
        let expected = left_by(&[records], false).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let other = left_by(&parts, with_halves).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(other, expected);
    }

    #[test]
    fn writers_at_once_change_nothing(Mixture { records, parts } in any_mixture()) {
        let expected = left_by(&[records], false).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let perimeter = corpus::perimeter().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let other = run(async {
            let store = memory().await?;
            let perimeter = std::sync::Arc::new(perimeter);
            let writers: Vec<_> = parts.into_iter().map(|part| {
                let (store, perimeter) = (store.clone(), perimeter.clone());
                tokio::spawn(async move { scan(&store, &perimeter, &part, false).await })
            }).collect();
            for writer in writers {
                writer.await??;
            }
            listed(&store).await
        });
        prop_assert_eq!(other.map_err(|error| TestCaseError::fail(error.to_string()))?, expected);
    }
}
