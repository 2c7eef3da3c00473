use super::*;
use crate::cloudtrail::record::tests::with_record;
use crate::iam::state::snapshot::Snapshot;
use crate::perimeter::config;
use crate::perimeter::inventory::Inventory;
use crate::pipeline::Tally;

const PERIMETER: &str = r#"
version = 1
[environments.production]
mode = "enforce"
accounts = ["111122223333"]
[[vpc]]
id = "vpc-0prod0eu"
region = "eu-west-1"
account = "111122223333"
"#;

/// A read from outside.
fn record(n: usize, table: usize, minute: usize) -> String {
    format!(
        r#"{{"eventID":"e-{n}","eventTime":"2026-11-25T00:{minute:02}:00Z","eventSource":"dynamodb.amazonaws.com",
        "eventName":"GetItem","awsRegion":"eu-west-1","recipientAccountId":"111122223333","eventType":"AwsApiCall",
        "eventCategory":"Data","managementEvent":false,"sourceIPAddress":"203.0.113.7",
        "userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ann","principalId":"AIDAANN",
            "accountId":"111122223333"}},
        "requestParameters":{{"tableName":"t-{table}"}}}}"#
    )
}

fn gathered(records: impl Iterator<Item = String>) -> Tally {
    let perimeter = config::parse(PERIMETER).unwrap().perimeter;
    let inventory = Inventory::default();
    let auditor = Auditor::new(&perimeter, &inventory).for_proofs();
    let mut tally = Tally::default();
    for json in records {
        with_record(&json, |record| auditor.record(record, &mut tally, &mut |_| {}));
    }
    tally
}

fn replayed(calls: Calls, taken_at: Option<&str>) -> Replays {
    let perimeter = config::parse(PERIMETER).unwrap().perimeter;
    let inventory = Inventory::default();
    let auditor = Auditor::new(&perimeter, &inventory).for_proofs();
    let mut state = Snapshot::parse(br#"{"version":1}"#).unwrap().state;
    let taken_at = taken_at.map(|time| time.parse().unwrap());
    auditor.history(&mut state, taken_at, (Vec::new(), calls), Timestamp::UNIX_EPOCH).1
}

#[test]
fn of_one_kind_the_earliest_and_the_latest_are_held() {
    let calls =
        gathered([30, 10, 50, 20].into_iter().enumerate().map(|(n, minute)| record(n, 0, minute))).calls;
    let kind = calls.held.values().next().unwrap();
    let id = |made: &Made| made.event.id.clone().unwrap();
    assert_eq!((calls.held.len(), kind.count), (1, 4));
    assert_eq!((id(&kind.first), id(&kind.last)), ("e-1".to_owned(), "e-2".to_owned()));
    // The snapshot has nothing: whatever became of them may be.
    assert_eq!(replayed(calls.clone(), None).unknown, 4);
    assert_eq!(replayed(calls.clone(), Some("2026-11-25T00:50:00Z")).unknown, 4);
    assert_eq!(replayed(calls.clone(), Some("2026-11-25T00:51:00Z")).before_snapshot, 4);
    assert_eq!(replayed(calls.give_up(), None).not_held, 4);
}

#[test]
fn of_too_many_kinds_the_same_are_held_whatever_the_order() {
    let more = MAX_KINDS + 50;
    let all = || (0..more).map(|n| record(n, n, 0));
    let together = gathered(all()).calls;
    let mut apart = Tally::default();
    for part in 0..3 {
        apart.join(gathered((0..more).rev().filter(|n| n % 3 == part).map(|n| record(n, n, 0))));
    }
    let apart = apart.calls;
    assert_eq!((together.held.len(), together.beyond), (MAX_KINDS, 50));
    assert!(together.held.keys().eq(apart.held.keys()) && apart.beyond == 50);
    let kind = together.held.values().next().unwrap();
    let weight = size_of::<Kind>();
    assert!(weight < 3 << 10 && kind.count == 1, "{weight}");
}

#[test]
fn what_was_not_known_of_the_most_calls_is_said() {
    let unknown = (0..20u64).map(|n| (format!("why {n:02}"), n / 2)).collect();
    let because: Vec<String> = most(unknown).into_iter().map(|because| because.why).collect();
    assert_eq!(because, ["why 18", "why 19", "why 16", "why 17", "why 14", "why 15", "why 12", "why 13"]);
}

#[test]
fn a_change_counts_from_its_own_time_on() {
    let at = |minute: i64| Timestamp::from_second(60 * minute).unwrap();
    let changes = [at(10), at(20)];
    assert!(has_any(&changes, at(5), at(10)) && has_any(&changes, at(15), at(21)));
    assert!(!has_any(&changes, at(10), at(19)) && !has_any(&changes, at(20), at(30)));
    assert!(!has_any(&[], at(0), at(30)));
}

#[test]
fn names_that_strangers_wrote_are_cut() {
    let long = Named { policy: "p\u{1b}".repeat(5000), statement: "é".repeat(300) };
    let AllowedBy { policy, statement } = shown(&long);
    assert_eq!((policy.chars().count(), statement.chars().count()), (MAX_NAME + 1, MAX_NAME + 1));
    let many = (0..9).map(|n| Named { policy: format!("p{n}"), ..long.clone() }).collect();
    let listed = listed(&many);
    assert!(listed.ends_with("; and 5 statements more") && listed.chars().count() < 1200, "{listed}");
}
