//! What one event costs a function that is warm: from the payload as Lambda gives it to the answer.
//! Nothing here waits for anything, so the time is the processor's.

use std::hint::black_box;
use std::io::Read;

use criterion::{Criterion, criterion_group, criterion_main};
use dynamodb_perimeter::aws::embedded::Embedded;
use dynamodb_perimeter::aws::findings_table::FindingsTable;
use dynamodb_perimeter::lambda::auditor::Handler;
use dynamodb_perimeter::lambda::log_file::NoLogFiles;
use dynamodb_perimeter::perimeter::config;
use jiff::Timestamp;
use serde_json::{Value, json};

type Benched = Result<(), Box<dyn std::error::Error>>;

fn sample(name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

fn message(n: usize, body: &str) -> Value {
    json!({
        "messageId": format!("059f36b4-87a3-44ab-83d2-66197595{n:04}"), "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183", "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185" },
        "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:perimeter", "awsRegion": "eu-west-1",
    })
}

fn handling(criterion: &mut Criterion) -> Benched {
    let perimeter = config::parse(&sample("perimeter.toml")?)?.perimeter;
    let database = Embedded::memory()?;
    let store = move || FindingsTable::new(database.client(), "never-asked");
    let handler = Handler::new(perimeter, store, || NoLogFiles);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let record: Value = serde_json::from_str(&sample("events/gateway-endpoint-approved-vpc.json")?)?;
    let event = json!({
        "version": "0", "id": "c3a4f1d2-0000-4000-8000-000000000000", "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.dynamodb", "account": "111122223333", "time": "2026-02-03T09:14:22Z", "region": "eu-west-1",
        "resources": [], "detail": record,
    });
    let direct = event.to_string();
    let batch = |len: usize| {
        let body = event.to_string();
        json!({ "Records": (0..len).map(|n| message(n, &body)).collect::<Vec<_>>() }).to_string()
    };
    let answer = |event: &str| runtime.block_on(handler.handle(event.as_bytes(), Timestamp::UNIX_EPOCH));
    let told = serde_json::to_value(answer(&direct)?)?;
    if told["verdicts"]["inside"] != 1 {
        return Err(format!("not inside: {told}").into());
    }
    let cases = [("direct", direct), ("in a batch of 1", batch(1)), ("in a batch of 10", batch(10))];
    for (name, event) in cases {
        criterion.bench_function(&format!("handle an event that ends inside, {name}"), |bench| {
            bench.iter(|| answer(black_box(&event)));
        });
    }
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    if let Err(error) = handling(criterion) {
        eprintln!("handler: {error}");
        std::process::exit(1);
    }
}

criterion_group!(group, benches);
criterion_main!(group);
