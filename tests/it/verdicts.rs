//! Records that differ from a sample in a field or two, on both sides of a line: what is made of them, and
//! what is learnt from them.

use dynamodb_perimeter::cloudtrail::envelope;
use dynamodb_perimeter::perimeter::{Perimeter, TransitMode};
use dynamodb_perimeter::pipeline::{Audited, Auditor, Line, Tally};
use serde_json::{Value, json};

use crate::corpus::{inventory, perimeter, root};

type Tested = Result<(), Box<dyn std::error::Error>>;

fn sample(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("events").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A sample with other fields; what is `null` here is taken out.
fn with(name: &str, fields: Value) -> Value {
    let mut record = sample(name);
    for (key, value) in fields.as_object().unwrap() {
        if value.is_null() {
            record.as_object_mut().unwrap().remove(key);
        } else {
            record[key] = value.clone();
        }
    }
    record
}

fn audited(perimeter: &Perimeter, record: &Value, in_full: bool) -> (Vec<Line>, Tally) {
    let (inventory, mut tally) = (inventory(perimeter), Tally::default());
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    let auditor = Auditor::new(perimeter, &inventory).for_store();
    envelope::open_text(record.to_string().as_bytes(), &mut |content| {
        auditor.content(&content, in_full, &mut tally, &mut |audited| match audited {
            Audited::Record(judged) => lines.push(judged.line()),
            Audited::Plain(_) | Audited::LogFile(_) => {}
            Audited::Fault(fault) => faults.push(fault),
        });
    });
    assert!(faults.is_empty(), "{faults:?}");
    (lines, tally)
}

/// Verdict and rule, as all facts have it.
fn judged(perimeter: &Perimeter, record: &Value) -> String {
    let (lines, _) = audited(perimeter, record, true);
    lines.iter().map(|line| format!("{} {}", line.verdict.name(), line.rule.unwrap_or("-"))).collect()
}

const INSIDE: &str = "gateway-endpoint-approved-vpc.json";
const STREAMS: &str = "step-functions-direct-integration.json";

#[test]
fn where_transit_is_denied_an_address_must_be_told() -> Tested {
    let mut strict = perimeter()?;
    strict.rules.transit = TransitMode::Deny;
    let flagging = perimeter()?;
    for (address, denied) in [
        (json!("10.0.12.41"), "inside -"),
        (json!("192.168.4.7"), "inside -"),
        (json!("172.16.4.7"), "outside transit"),
        (json!("AWS Internal"), "undetermined undetermined"),
        (json!("lambda.amazonaws.com"), "undetermined undetermined"),
        (json!("10.0.12"), "undetermined undetermined"),
        (json!(null), "undetermined undetermined"),
    ] {
        let record = with(INSIDE, json!({ "sourceIPAddress": address }));
        assert_eq!(judged(&strict, &record), denied, "{address}");
        let flagged = if denied == "outside transit" { "inside transit" } else { "inside -" };
        assert_eq!(judged(&flagging, &record), flagged, "{address}");
    }
    Ok(())
}

#[test]
fn break_glass_of_root_is_seen_from_inside() -> Tested {
    let mut perimeter = perimeter()?;
    let mut root_entry = perimeter.break_glass.first().cloned().ok_or("an entry")?;
    root_entry.principal = "arn:aws:iam::*:root".into();
    let session = json!({"type": "AssumedRole", "accountId": "111122223333",
        "arn": "arn:aws:sts::111122223333:assumed-role/x/y", "sessionContext": {"assumedRoot": "true"}});
    let record = with(INSIDE, json!({ "userIdentity": session }));
    assert_eq!(audited(&perimeter, &record, false).0.len(), 0);
    perimeter.break_glass.push(root_entry);
    let quick = audited(&perimeter, &record, false).0;
    assert_eq!(quick.iter().map(|line| line.rule).collect::<Vec<_>>(), [Some("break-glass-use")]);
    Ok(())
}

#[test]
fn a_call_is_management_by_what_it_does() -> Tested {
    let perimeter = perimeter()?;
    let unmarked = |name: &str, source: &str| {
        let record = json!({"eventName": name, "sourceIPAddress": source, "managementEvent": null, "eventCategory": null});
        judged(&perimeter, &with(STREAMS, record))
    };
    assert_eq!(unmarked("CreateBackup", "backup.amazonaws.com"), "service -");
    assert_eq!(unmarked("DescribeTable", "backup.amazonaws.com"), "service -");
    assert_eq!(unmarked("StartBulkPutItems", "backup.amazonaws.com"), "outside service-path");
    assert_eq!(unmarked("Scan", "backup.amazonaws.com"), "outside service-path");
    let marked = |name: &str| {
        judged(
            &perimeter,
            &with(
                STREAMS,
                json!({"eventName": name, "managementEvent": true, "eventCategory": "Management"}),
            ),
        )
    };
    assert_eq!(marked("StartBulkPutItems"), "service -");
    assert_eq!(marked("SearchVectors"), "outside service-path");
    Ok(())
}

#[test]
fn a_service_that_exports_for_somebody_is_accounted_for_only_where_it_is_listed() -> Tested {
    let mut perimeter = perimeter()?;
    let service = "states.amazonaws.com";
    let mut record = with("export-from-the-internet.json", json!({ "sourceIPAddress": service }));
    record["userIdentity"]["invokedBy"] = json!(service);
    let severity = |perimeter: &Perimeter| {
        let (lines, _) = audited(perimeter, &record, true);
        lines.first().and_then(|line| Some((line.verdict.name(), line.rule?, line.severity?.name())))
    };
    assert_eq!(severity(&perimeter), Some(("service", "bulk-export", "high")));
    let mut entry = perimeter.services.first().cloned().ok_or("an entry")?;
    entry.principal = "arn:aws:iam::111122223333:user/legacy-importer".into();
    entry.via = Some(service.into());
    perimeter.services.push(entry);
    assert_eq!(severity(&perimeter), Some(("service", "bulk-export", "info")));
    Ok(())
}

#[test]
fn an_unresolved_endpoint_behind_a_service() -> Tested {
    let perimeter = perimeter()?;
    let through = |owner: Value| {
        let fields = json!({"vpcEndpointId": "vpce-0dddddddddddddd01", "vpcEndpointAccountId": owner});
        judged(&perimeter, &with(STREAMS, fields))
    };
    assert_eq!(through(json!("666677778888")), "outside foreign-endpoint");
    for owner in [json!(null), json!("AWS Internal"), json!("111122223333")] {
        assert_eq!(through(owner.clone()), "outside service-path", "{owner}");
    }
    Ok(())
}

#[test]
fn dynamodb_in_no_known_spelling_is_not_passed_over() -> Tested {
    let perimeter = perimeter()?;
    let from = |source: &str| judged(&perimeter, &with(INSIDE, json!({ "eventSource": source })));
    for source in [
        "dynamodb.eu-west-1.amazonaws.com",
        "dynamodb.amazonaws.eu",
        "dynamodb.c2s.ic.gov",
        "dynamodb",
        "dynamodb.amazonaws.com.",
        "dynamodb.amazonaws.com ",
        "DAX",
        "",
    ] {
        assert_eq!(from(source), "undetermined undetermined", "{source}");
    }
    for source in ["daxter.amazonaws.com", "s3.amazonaws.com", "example"] {
        assert_eq!(from(source), "ignored -", "{source}");
    }
    Ok(())
}

/// What an endpoint's creation teaches, the short way and by all facts.
fn learnt(record: &Value) -> [Vec<String>; 2] {
    let perimeter = perimeter().unwrap();
    [false, true].map(|in_full| {
        let (_, mut tally) = audited(&perimeter, record, in_full);
        tally.endpoints.take().iter().map(|endpoint| endpoint.id.as_str().to_owned()).collect()
    })
}

#[test]
fn endpoints_are_learnt_from_what_can_be_relied_on() {
    const CREATED: &str = "endpoint-created.json";
    let known = learnt(&sample(CREATED));
    assert!(known.iter().all(|learnt| learnt.len() == 1), "{known:?}");
    for fields in [
        json!({"eventSource": "es.amazonaws.com"}),
        json!({"eventSource": null}),
        json!({"eventSource": "ec2.amazonaws.com.example"}),
        json!({"eventCategory": "Insight"}),
        json!({"eventCategory": "Aggregated"}),
        json!({"errorCode": "Client.UnauthorizedOperation"}),
        json!({"recipientAccountId": "666677778888"}),
        json!({"recipientAccountId": null}),
        json!({"userIdentity": {"type": "AssumedRole", "accountId": "666677778888"}}),
        json!({"userIdentity": null}),
        json!({"responseElements": null}),
    ] {
        assert_eq!(learnt(&with(CREATED, fields.clone())), [vec![], vec![] as Vec<String>], "{fields}");
    }
    let made = |field: &str, value: Value| {
        let mut record = sample(CREATED);
        record["responseElements"]["CreateVpcEndpointResponse"]["vpcEndpoint"][field] = value;
        learnt(&record)
    };
    assert_eq!(made("serviceName", json!("com.amazonaws.eu-west-1.dynamodb-streams")), known);
    for (field, value) in [
        ("serviceName", json!("com.amazonaws.eu-west-1.s3")),
        ("serviceName", json!(null)),
        ("ownerId", json!("666677778888")),
        ("vpcEndpointId", json!("vpce")),
    ] {
        assert_eq!(made(field, value.clone()), [vec![], vec![] as Vec<String>], "{field}: {value}");
    }
    let twice = sample(CREATED).to_string().replacen('{', r#"{"awsRegion":"us-east-1","#, 1);
    let perimeter = perimeter().unwrap();
    let (inventory, mut tally) = (inventory(&perimeter), Tally::default());
    let auditor = Auditor::new(&perimeter, &inventory).for_store();
    envelope::open_text(twice.as_bytes(), &mut |content| {
        auditor.content(&content, false, &mut tally, &mut |_| {});
    });
    assert!(tally.endpoints.is_empty());
}

#[test]
fn only_a_corrected_call_takes_one_away() -> Tested {
    let perimeter = perimeter()?;
    let corrections = |fields: Value, reason: &str| {
        let mut record = with("leaked-key-from-the-internet.json", fields);
        record["addendum"] = json!({"reason": reason, "originalEventID": "first"});
        audited(&perimeter, &record, true).1.take_corrections().len()
    };
    assert!(corrections(json!({}), "UPDATED_DATA") > 0);
    assert!(corrections(json!({"errorCode": "AccessDeniedException"}), "UPDATED_DATA") > 0);
    for reason in ["DELIVERY_DELAY", "SERVICE_OUTAGE", ""] {
        assert_eq!(corrections(json!({}), reason), 0, "{reason}");
    }
    for fields in [
        json!({"eventSource": "s3.amazonaws.com"}),
        json!({"eventSource": null}),
        json!({"eventName": "DescribeEndpoints"}),
        json!({"eventCategory": "Aggregated"}),
    ] {
        assert_eq!(corrections(fields.clone(), "UPDATED_DATA"), 0, "{fields}");
    }
    Ok(())
}
