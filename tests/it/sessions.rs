//! A break-glass session is one finding with the whole story, whatever order its records come in.
#![cfg(feature = "cli")]

use std::error::Error;
use std::fs;

use dynamodb_perimeter::findings::store::{FindingStore, Query};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::corpus::{self, root};
use crate::halves::{memory, run, scan};

type Tested = Result<(), Box<dyn Error>>;

fn sample(name: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    let file: Value = serde_json::from_slice(&fs::read(root().join("events").join(name))?)?;
    Ok(file["Records"].as_array().cloned().unwrap_or_else(|| vec![file.clone()]))
}

fn with(record: &Value, fields: &[(&str, Value)]) -> Value {
    let mut record = record.clone();
    for (path, value) in fields {
        if let Some(field) = record.pointer_mut(path) {
            *field = value.clone();
        }
    }
    record
}

/// All findings after the parts were read one after another, as they are shown.
fn left_by(parts: &[Vec<Value>]) -> Result<Vec<Value>, Box<dyn Error>> {
    let perimeter = corpus::perimeter()?;
    run(async {
        let store = memory().await?;
        for part in parts {
            scan(&store, &perimeter, part, true).await?;
        }
        let (page, next) = store.list(&Query::default(), None, Timestamp::now()).await?;
        assert!(next.is_none());
        let mut shown = Vec::new();
        for kept in page {
            shown.push(serde_json::to_value(kept.finding())?);
        }
        shown.sort_by_key(|finding| finding["id"].to_string());
        Ok(shown)
    })
}

#[test]
fn the_whole_story_of_a_session_is_one_finding() -> Tested {
    let found = left_by(&[sample("break-glass-session.json")?])?;
    let [finding] = found.as_slice() else { return Err(format!("{found:#?}").into()) };
    assert_eq!((&finding["rule"], &finding["count"]), (&json!("break-glass-use"), &json!(2)));
    assert_eq!(finding["severity"], "info");
    assert_eq!(finding["principal"]["arn"], "arn:aws:iam::111122223333:role/your-emergency-role");
    assert_eq!(
        (&finding["first_seen"], &finding["last_seen"]),
        (&json!("2026-05-04T02:14:30Z"), &json!("2026-05-04T02:51:07Z"))
    );
    let table = |name: &str| format!("arn:aws:dynamodb:eu-west-1:111122223333:table/{name}");
    assert_eq!(finding["resources"], json!([table("invoices"), table("orders")]));
    let session = &finding["session"];
    assert_eq!(session["source_identity"], "asha.patel");
    assert_eq!(session["calls"], json!(["GetItem", "Scan"]));
    assert_eq!(session["grants"][0]["ticket"], "INC-1234");
    let opened = &session["opened"][0];
    assert_eq!((&opened["call"], &opened["ip"]), (&json!("AssumeRole"), &json!("203.0.113.77")));
    assert_eq!((&opened["at"], &opened["duration_seconds"]), (&json!("2026-05-04T02:10:00Z"), &json!(3600)));
    assert!(opened["by"].as_str().is_some_and(|by| by.ends_with("/jonas.weber@example.com")), "{opened}");
    let places: Vec<&Value> =
        session["origins"].as_array().into_iter().flatten().map(|one| &one["kind"]).collect();
    assert_eq!(places, ["approved-endpoint", "public"]);
    insta::assert_snapshot!(finding["reason"].as_str().unwrap_or_default(), @"session `incident-1234` of break-glass your-emergency-role (source identity `asha.patel`); opened by arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Developer_6b1f0a4c2d9e8f73/jonas.weber@example.com at 2026-05-04T02:10:00Z from 203.0.113.77 for 1 h; used from 2026-05-04T02:14:30Z to 2026-05-04T02:51:07Z, 41 min 7 s after it began; from approved-endpoint vpce-0a1b2c3d4e5f60002, public; on invoices, orders; calling GetItem, Scan; under ticket INC-1234.");
    Ok(())
}

#[test]
fn a_session_that_nobody_used_is_no_finding() -> Tested {
    let records = sample("break-glass-session.json")?;
    assert_eq!(left_by(&[vec![records[1].clone()]])?, Vec::<Value>::new());
    // Used by another key: another session, of whose opening nothing is known.
    let other = with(&records[0], &[("/userIdentity/accessKeyId", json!("ASIAOTHEROTHEREXAMPL"))]);
    let found = left_by(&[vec![records[1].clone()], vec![other]])?;
    assert_eq!((found.len(), &found[0]["session"]["opened"]), (1, &json!([])));
    Ok(())
}

#[test]
fn a_session_is_too_long_past_its_allowed_end_alone() -> Tested {
    let records = sample("break-glass-session-too-long.json")?;
    let found = left_by(&[vec![records[0].clone()]])?;
    assert_eq!((found.len(), &found[0]["rule"]), (1, &json!("break-glass-use")));
    let found = left_by(&[vec![records[1].clone()], vec![records[0].clone()]])?;
    let told: Vec<_> = found.iter().map(|one| (&one["rule"], &one["severity"], &one["count"])).collect();
    assert_eq!(told, [(&json!("break-glass-out-of-window"), &json!("high"), &json!(2))]);
    Ok(())
}

#[test]
fn a_use_that_is_something_worse_besides_is_in_the_story_as_well() -> Tested {
    let found = left_by(&[sample("break-glass-after-its-window.json")?])?;
    let mut rules: Vec<&str> = found.iter().filter_map(|one| one["rule"].as_str()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["break-glass-out-of-window", "public-access"]);
    Ok(())
}

/// Both accounts' copies of one call.
fn copies() -> Result<[Value; 2], Box<dyn Error>> {
    let copy = |name: &str| -> Result<Value, Box<dyn Error>> {
        let record = sample(name)?.pop().ok_or("no record")?;
        Ok(with(&record, &[("/sharedEventID", json!("one call"))]))
    };
    Ok([
        copy("cross-account-break-glass-callers-copy.json")?,
        copy("cross-account-break-glass-owners-copy.json")?,
    ])
}

/// Two sessions, one of them assumed from elsewhere and used on another account's table; one outlives what is allowed.
fn records() -> Result<Vec<Value>, Box<dyn Error>> {
    let mut all = sample("break-glass-session.json")?;
    let late = [("/eventTime", json!("2027-01-01T00:00:00Z")), ("/eventID", json!("late"))];
    all.push(with(&all[0], &late));
    all.push(with(&all[2], &[late[0].clone(), ("/eventID", json!("late, and from inside"))]));
    for name in [
        "break-glass-session-too-long.json",
        "assume-break-glass-role-for-too-long.json",
        "break-glass-widens-itself.json",
        "break-glass-console.json",
    ] {
        all.extend(sample(name)?);
    }
    all.extend(copies()?);
    Ok(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn order_repetition_and_splitting_change_no_session(
        order in Just((0..12usize).chain(0..12).collect::<Vec<_>>()).prop_shuffle(),
        size in 1usize..9,
    ) {
        let failed = |error: Box<dyn Error>| TestCaseError::fail(error.to_string());
        let all = records().map_err(failed)?;
        prop_assert_eq!(all.len(), 12);
        let together = left_by(std::slice::from_ref(&all)).map_err(failed)?;
        let shuffled: Vec<Value> = order.iter().filter_map(|n| all.get(*n).cloned()).collect();
        let parts: Vec<Vec<Value>> = shuffled.chunks(size).map(<[Value]>::to_vec).collect();
        let other = left_by(&parts).map_err(failed)?;
        prop_assert_eq!(other, together);
    }
}

#[test]
fn both_copies_of_a_call_are_one_use_of_the_session() -> Tested {
    let [caller, owner] = copies()?;
    for parts in [[vec![caller.clone()], vec![owner.clone()]], [vec![owner], vec![caller]]] {
        let found = left_by(&parts)?;
        let told: Vec<_> = found.iter().map(|one| (&one["rule"], &one["account"], &one["count"])).collect();
        assert_eq!(told, [(&json!("break-glass-use"), &json!("444455556666"), &json!(1))]);
    }
    Ok(())
}
