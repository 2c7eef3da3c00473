//! What the store of findings promises, asked of the real one: the SDK, its requests and an
//! embedded DynamoDB, in memory and in files.
#![cfg(feature = "cli")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use proptest::prelude::*;

use dynamodb_perimeter::audit::case::Event;
use dynamodb_perimeter::audit::rule::Severity;
use dynamodb_perimeter::aws::embedded::{self, Embedded};
use dynamodb_perimeter::aws::findings_table::{FindingsTable, schema};
use dynamodb_perimeter::aws::store_url::StoreUrl;
use dynamodb_perimeter::findings::finding::{EVIDENCE, Evidence, Identity, Sightings, Status};
use dynamodb_perimeter::findings::sample::{EventKey, LIMIT, Sample};
use dynamodb_perimeter::findings::store::{
    Correction, Delta, FindingStore, Half, Query, StoreError, Waiting, WaitsFor,
};
use dynamodb_perimeter::ids::{AccountId, EndpointId, VpcKey};
use dynamodb_perimeter::perimeter::Endpoint;
use dynamodb_perimeter::perimeter::exception::Coverage;
use dynamodb_perimeter::perimeter::origin::{Origin, OriginKind};
use dynamodb_perimeter::perimeter::principal::{Principal, PrincipalKind};
use dynamodb_perimeter::perimeter::session::Caller;

mod decisions;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const TABLE: &str = "findings";

/// Texts that attackers could put into a record.
const HOSTILE: [&str; 6] =
    ["", "\0", "🦀 «»\u{202e}", "#F#WAIT#\n\r\t", "{\"$ref\":\"\\\"}", "' OR 1=1 --; :pk"];

// ---- What is recorded

fn now() -> Timestamp {
    at(1_000_000)
}

/// 2026-03-01, and so many seconds.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_323_200 + second).unwrap_or_default()
}

fn key(event: u32) -> EventKey {
    EventKey::of(&event.to_be_bytes())
}

fn identity(finding: u32) -> Identity {
    Identity {
        rule: "public-access".into(),
        account: Some("111122223333".into()),
        principal: Some(format!("arn:aws:iam::111122223333:role/role-{finding}")),
        resources: vec!["arn:aws:dynamodb:eu-west-1:111122223333:table/orders".into()],
        origin: OriginKind::Public,
        endpoint: None,
    }
}

fn evidence(event: u32) -> Evidence {
    let text = |text: String| Some(text);
    let seen = Event {
        id: text(format!("event-{event}")),
        time: text(at(event.into()).to_string()),
        name: text("GetItem".into()),
        user_agent: text(HOSTILE[event as usize % HOSTILE.len()].into()),
        ..Event::default()
    };
    Evidence {
        key: key(event),
        event: seen,
        ip: text("198.51.100.7".into()),
        reason: "it came from outside".into(),
    }
}

/// What a batch with these events says of a finding.
fn delta(finding: u32, events: impl IntoIterator<Item = u32>) -> Delta {
    let events: BTreeSet<u32> = events.into_iter().collect();
    let mut seen = Sample::default();
    for event in &events {
        seen.insert(key(*event));
    }
    let mut shown: Vec<u32> = events.iter().copied().collect();
    shown.sort_by_key(|event| key(*event));
    let mut addresses: Vec<String> =
        events.iter().map(|event| format!("198.51.100.{}", event % 40)).collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(16);
    let span = events.first().zip(events.last()).map(|(from, to)| (at((*from).into()), at((*to).into())));
    let arn = format!("arn:aws:iam::111122223333:role/role-{finding}");
    let sightings = Sightings {
        identity: identity(finding),
        severity: Severity::Critical,
        region: Some("eu-west-1".into()),
        principal: Principal { kind: PrincipalKind::Role, arn: Some(arn), unique_id: None, account: None },
        origin: Origin { kind: OriginKind::Public, ip: Some("198.51.100.7".into()), ..Origin::unknown() },
        seen,
        gone: Sample::default(),
        span,
        evidence: shown.into_iter().take(EVIDENCE).map(evidence).collect(),
        addresses,
        named: Vec::new(),
        allowed_by: Vec::new(),
        guard: None,
        session: None,
        coverage: Coverage::Uncovered,
    };
    Delta { sightings, waiting: Vec::new(), halves: Vec::new() }
}

fn waiting(finding: &str, event: u32, waits_for: WaitsFor, record: &str) -> Waiting {
    Waiting { waits_for, finding: finding.into(), key: key(event), record: record.into() }
}

// ---- A store, and what stands between it and us

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Nobody is let in, so trying again is of no use.
    Denied,
    /// Refused, nothing done.
    Throttled,
    /// Somebody else's transaction is at the same items.
    Conflict,
    /// An error of the service, nothing done.
    Broken,
    /// Done, and the answer lost.
    LostAnswer,
}

type Plan = Arc<dyn Fn(u64, &str) -> Fault + Send + Sync>;

/// Stands before the database: counts what is asked of it, and lets some of it fail.
#[derive(Clone)]
pub struct Tap {
    database: Embedded,
    plan: Plan,
    requests: Arc<AtomicU64>,
    by_operation: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Tap {
    pub fn new(plan: impl Fn(u64, &str) -> Fault + Send + Sync + 'static) -> Result<Self> {
        let by_operation = Arc::default();
        Ok(Self {
            database: Embedded::memory()?,
            plan: Arc::new(plan),
            requests: Arc::default(),
            by_operation,
        })
    }

    /// A store through this tap, and the client itself. The table is made past it.
    pub async fn store(&self) -> Result<(FindingsTable, Client)> {
        schema::create_if_missing(&self.database.client(), TABLE).await?;
        let client = embedded::client(self.clone());
        Ok((FindingsTable::new(client.clone(), TABLE), client))
    }

    fn count(&self, operations: &[&str]) -> u64 {
        let counts = self.by_operation.lock().map(|counts| counts.clone()).unwrap_or_default();
        operations.iter().filter_map(|operation| counts.get(*operation)).sum()
    }

    fn writes(&self) -> u64 {
        self.count(&["PutItem", "TransactWriteItems", "BatchWriteItem", "DeleteItem", "UpdateItem"])
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl HttpClient for Tap {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Tap {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let number = self.requests.fetch_add(1, Relaxed);
        if let Ok(mut counts) = self.by_operation.lock() {
            *counts.entry(operation.clone()).or_default() += 1;
        }
        let refused = |status: u16, body: &'static str| {
            HttpConnectorFuture::ready(
                StatusCode::try_from(status)
                    .map(|status| HttpResponse::new(status, SdkBody::from(body)))
                    .map_err(|error| ConnectorError::other(error.into(), None)),
            )
        };
        match (self.plan)(number, &operation) {
            Fault::None => self.database.call(request),
            Fault::Denied => refused(400, r#"{"__type":"x#AccessDeniedException","message":"not you"}"#),
            Fault::Throttled => {
                refused(400, r#"{"__type":"com.amazon.coral.availability#ThrottlingException"}"#)
            }
            Fault::Broken => refused(500, r#"{"__type":"x#InternalServerError","message":"try again"}"#),
            Fault::Conflict if operation == "TransactWriteItems" => refused(
                400,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"cancelled",
                    "CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}"#,
            ),
            Fault::Conflict => {
                refused(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException"}"#)
            }
            Fault::LostAnswer => {
                let answer = self.database.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await?;
                    Err(ConnectorError::io("the answer was lost".into()))
                })
            }
        }
    }
}

/// An empty store: in memory or, where `PERIMETER_TEST_ENDPOINT` names one, in a DynamoDB elsewhere.
async fn empty() -> Result<FindingsTable> {
    let Ok(endpoint) = std::env::var("PERIMETER_TEST_ENDPOINT") else {
        return Ok(StoreUrl::Memory.open().await?.ok_or("a store")?);
    };
    static TABLES: AtomicU64 = AtomicU64::new(0);
    let name = format!("findings-{}-{}", std::process::id(), TABLES.fetch_add(1, Relaxed));
    let url = format!("dynamodb://{name}?region=eu-west-1&endpoint={endpoint}");
    let config = aws_config::from_env().region("eu-west-1").endpoint_url(&endpoint).load().await;
    let absent = url.parse::<StoreUrl>()?.open().await.err().ok_or("no table yet")?;
    assert!(absent.to_string().contains("no such table"), "{absent}");
    schema::create_if_missing(&Client::new(&config), &name).await?;
    Ok(url.parse::<StoreUrl>()?.open().await?.ok_or("a store")?)
}

/// All that a finding says to anybody.
#[derive(Debug, PartialEq)]
struct Shown {
    id: String,
    count: u64,
    is_exact: bool,
    span: Option<(Timestamp, Timestamp)>,
    status: Status,
    addresses: Vec<String>,
    evidence: Vec<String>,
    gone: Sample,
}

async fn shown(store: &FindingsTable, finding: u32) -> Result<Option<Shown>> {
    let id = identity(finding).id();
    let Some(kept) = store.find(&id, now()).await? else { return Ok(None) };
    let evidence = store.evidence(&id).await?.into_iter().filter_map(|one| one.event.id).collect();
    Ok(Some(Shown {
        id: kept.sightings.identity.id(),
        count: kept.count(),
        is_exact: kept.sightings.seen.is_exact(),
        span: kept.sightings.span,
        status: kept.status,
        addresses: kept.sightings.addresses.clone(),
        evidence,
        gone: kept.sightings.gone.clone(),
    }))
}

/// Lets so many writers, each a task of its own, share the work.
async fn share(store: &FindingsTable, writers: usize, work: &[Op]) -> Result {
    let mut tasks = Vec::new();
    for n in 0..writers {
        let part: Vec<Op> = work.iter().skip(n).step_by(writers).cloned().collect();
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for op in part {
                apply(&store, op).await?;
            }
            Ok::<_, StoreError>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn record(store: &FindingsTable, delta: Delta) -> std::result::Result<(), StoreError> {
    store.record(delta, now()).await.map(drop)
}

/// All that waits for something.
async fn waits(store: &FindingsTable, waits_for: &WaitsFor) -> std::result::Result<Vec<Waiting>, StoreError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.waiting(waits_for, after).await?;
        assert!(page.damaged.is_empty(), "{:?}", page.damaged);
        all.extend(page.waiting);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

fn run<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(test)
}

// ---- Round trips

#[tokio::test]
async fn every_item_comes_back_as_it_was_written() -> Result {
    let store = empty().await?;
    for (n, text) in (0u32..).zip(HOSTILE) {
        let mut one = delta(n, [n]);
        let text = || Some(text.to_owned());
        one.sightings.identity.principal = text();
        one.sightings.identity.endpoint = text();
        one.sightings.identity.account = text();
        one.sightings.identity.resources = vec![text().unwrap_or_default()];
        one.sightings.region = text();
        one.sightings.principal =
            Principal { kind: PrincipalKind::Unknown, arn: text(), unique_id: text(), account: text() };
        one.sightings.origin = Origin {
            kind: OriginKind::Unknown,
            endpoint: text(),
            vpc: text(),
            vpc_account: text(),
            ip: text(),
        };
        one.sightings.addresses = vec![text().unwrap_or_default()];
        one.sightings.span = (n % 2 == 0).then_some((Timestamp::MIN, Timestamp::MAX));
        let event = Event { id: text(), time: text(), region: None, error: text(), ..Event::default() };
        let reason = text().unwrap_or_default();
        one.sightings.evidence = vec![Evidence { key: key(n), event, ip: text(), reason }];
        let id = one.sightings.identity.id();
        let shared = format!("{n}{}", text().unwrap_or_default());
        let endpoint = WaitsFor::Endpoint(shared.clone());
        let other_half = WaitsFor::OtherHalf(shared.clone());
        let record = text().unwrap_or_default();
        one.waiting =
            vec![waiting(&id, n, endpoint.clone(), &record), waiting(&id, n, other_half.clone(), &record)];
        let principal = one.sightings.principal.clone();
        one.halves = vec![Half {
            shared_id: shared.clone(),
            key: key(n),
            principal: principal.clone(),
            session: None,
        }];

        let recorded = store.record(one.clone(), now()).await?;
        let found = store.find(&id, now()).await?.ok_or("the finding")?;
        for kept in [&recorded, &found] {
            assert_eq!(format!("{:?}", kept.sightings), format!("{:?}", one.sightings));
            assert_eq!((kept.status, kept.history.len()), (Status::Open, 0));
        }
        assert_eq!(format!("{:?}", store.evidence(&id).await?), format!("{:?}", one.sightings.evidence));
        assert_eq!(store.half(&shared).await?, Some(Caller { principal, session: None }));
        assert_eq!(waits(&store, &endpoint).await?, vec![one.waiting[0].clone()]);
        assert_eq!(waits(&store, &other_half).await?, vec![one.waiting[1].clone()]);
        store.settled(&one.waiting[..1]).await?;
        store.settled(&one.waiting[..1]).await?;
        assert_eq!(waits(&store, &endpoint).await?, vec![]);
        let message = format!("{n}{}", text().unwrap_or_default());
        store.note_message(&message, &text().unwrap_or_default(), now()).await?;
        store.note_message(&message, "again", now()).await?;
    }
    assert!(store.find("f-nobody", now()).await?.is_none());
    assert!(store.half("nobody").await?.is_none());
    assert!(store.evidence("").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn ids_and_texts_of_any_length_are_taken() -> Result {
    let store = empty().await?;
    let long = "é/#".repeat(60_000);
    let mut one = delta(1, [1]);
    one.sightings.identity.resources = (0..100).map(|n| format!("{n:03}{}", "t".repeat(4_000))).collect();
    one.sightings.identity.principal = Some(long.clone());
    one.sightings.evidence[0].event.user_agent = Some(long.clone());
    one.sightings.evidence[0].reason = long.clone();
    one.sightings.addresses = vec![long.clone()];
    let shared = WaitsFor::OtherHalf(long.clone());
    one.waiting =
        vec![waiting(&long, 1, shared.clone(), "{}"), waiting("f-2", 1, shared.clone(), &long.repeat(2))];
    one.halves =
        vec![Half { shared_id: long.clone(), key: key(1), principal: Principal::unknown(), session: None }];
    let kept = store.record(one.clone(), now()).await?;
    // Cut, and cut alike when it comes again.
    let id = kept.sightings.identity.id();
    store.record(one, now()).await?;
    let found = store.find(&id, now()).await?.ok_or("the finding")?;
    assert_eq!(found.count(), 1);
    assert_eq!(found.sightings.addresses.len(), 1);
    // The record that is longer than 256 KiB does not wait.
    assert_eq!(waits(&store, &shared).await?.len(), 1);
    assert_eq!(store.half(&long).await?.map(|caller| caller.principal), Some(Principal::unknown()));
    assert_eq!(store.half(&format!("{long}x")).await?, None);
    store.note_message(&long, &long, now()).await?;
    store.withdraw(&long, &[key(1)]).await?;
    assert!(store.find(&long, now()).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn endpoints_are_news_once_and_stay_where_they_were() -> Result {
    let store = empty().await?;
    let endpoint = |n: u32, vpc: &str| -> Result<Endpoint> {
        let account = AccountId::parse("111122223333")?;
        let vpc = VpcKey { region: "eu-west-1".into(), account, id: vpc.into() };
        Ok(Endpoint { id: EndpointId::parse(&format!("vpce-{n:017x}"))?, vpc })
    };
    assert!(store.learn_endpoint(&endpoint(1, "vpc-1")?).await?);
    assert!(!store.learn_endpoint(&endpoint(1, "vpc-1")?).await?);
    assert!(!store.learn_endpoint(&endpoint(1, "vpc-2")?).await?);
    assert!(store.learn_endpoint(&endpoint(2, "vpc-2")?).await?);
    assert_eq!(store.endpoints().await?, [endpoint(1, "vpc-1")?, endpoint(2, "vpc-2")?]);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_is_news_even_if_the_first_answer_is_lost() -> Result {
    let tap = Tap::new(|n, _| if n == 0 { Fault::LostAnswer } else { Fault::None })?;
    let (store, _) = tap.store().await?;
    let account = AccountId::parse("111122223333")?;
    let vpc = VpcKey { region: "eu-west-1".into(), account, id: "vpc-1".into() };
    let endpoint = Endpoint { id: EndpointId::parse("vpce-01")?, vpc };
    assert!(store.learn_endpoint(&endpoint).await?);
    assert!(!store.learn_endpoint(&endpoint).await?);
    Ok(())
}

#[tokio::test]
async fn evidence_alone_expires() -> Result {
    let tap = Tap::new(|_, _| Fault::None)?;
    let (store, client) = tap.store().await?;
    let mut one = delta(1, 0..20);
    let id = one.sightings.identity.id();
    one.waiting = vec![waiting(&id, 1, WaitsFor::Endpoint("vpce-01".into()), "{}")];
    one.halves = vec![Half {
        shared_id: "shared".into(),
        key: key(1),
        principal: Principal::unknown(),
        session: None,
    }];
    record(&store, one).await?;
    store.withdraw("f-unseen", &[key(9)]).await?;
    store.note_message("message", "no JSON", now()).await?;
    let items = client.scan().table_name(TABLE).send().await?.items.unwrap_or_default();
    let expected = (now().as_second() + 400 * 86_400).to_string();
    for item in &items {
        let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).ok_or("a sort key")?;
        let expires = item.get(schema::EXPIRES_AT).and_then(|time| time.as_n().ok());
        assert_eq!(expires, sk.starts_with("E#").then_some(&expected), "{sk}");
        assert_eq!(item.get("v"), Some(&AttributeValue::N("1".into())));
    }
    assert_eq!(items.len(), 1 + EVIDENCE + 1 + 1 + 1 + 1 + 1);
    Ok(())
}

#[tokio::test]
async fn items_that_cannot_be_read_are_named() -> Result {
    let tap = Tap::new(|_, _| Fault::None)?;
    let (store, client) = tap.store().await?;
    let id = identity(1).id();
    record(&store, delta(1, [1])).await?;
    let text = |text: &str| AttributeValue::S(text.into());
    let damages = [
        ("v", AttributeValue::N("2".into())),
        ("v", text("1")),
        ("version", AttributeValue::N("-1".into())),
        ("seen", AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new([1, 2, 3]))),
        ("seen", AttributeValue::Bool(true)),
        ("severity", text("dreadful")),
        ("status", text("lost")),
        ("first_seen", text("yesterday")),
        ("identity", AttributeValue::L(vec![])),
        ("principal", AttributeValue::Ss(vec!["a".into()])),
        ("history", AttributeValue::N("1".into())),
    ];
    let key =
        HashMap::from([("pk".to_owned(), text(&format!("F#{id}"))), ("sk".to_owned(), text("FINDING"))]);
    let good = client.get_item().table_name(TABLE).set_key(Some(key)).send().await?.item.ok_or("the item")?;
    for (name, value) in damages {
        let mut item = good.clone();
        item.insert(name.into(), value.clone());
        client.put_item().table_name(TABLE).set_item(Some(item)).send().await?;
        let found = [
            store.find(&id, now()).await.map(drop),
            store.record(delta(1, [2]), now()).await.map(drop),
            store.withdraw(&id, &[EventKey(1)]).await,
        ];
        for error in found {
            match error {
                Err(StoreError::Damaged { item, .. }) => assert_eq!(item, format!("F#{id} FINDING")),
                other => return Err(format!("{name} = {value:?}: {other:?}").into()),
            }
        }
    }
    Ok(())
}

// ---- Order, repetition, writers

/// One step of the histories that are tried.
#[derive(Clone, Debug)]
enum Op {
    See(u32, Vec<u32>),
    Withdraw(u32, u32),
    Record(Box<Delta>),
}

impl From<Delta> for Op {
    fn from(delta: Delta) -> Self {
        Op::Record(Box::new(delta))
    }
}

async fn apply(store: &FindingsTable, op: Op) -> std::result::Result<(), StoreError> {
    match op {
        Op::See(finding, events) => record(store, delta(finding, events)).await,
        Op::Withdraw(finding, event) => store.withdraw(&identity(finding).id(), &[key(event)]).await,
        Op::Record(delta) => record(store, *delta).await,
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0u32..3, prop::collection::vec(0u32..60, 1..8)).prop_map(|(finding, events)| Op::See(finding, events)),
        1 => (0u32..3, 0u32..60).prop_map(|(finding, event)| Op::Withdraw(finding, event)),
        3 => (0u32..3, 0u32..60, 0usize..4).prop_map(|(finding, event, coverage)| {
            let mut delta = delta(finding + 3, [event]);
            // Over, in force, and without end.
            let ends = [Coverage::Until(at(1)), Coverage::Until(at(2_000_000)), Coverage::Endless];
            delta.sightings.coverage = ends.get(coverage).copied().unwrap_or(Coverage::Uncovered);
            delta.into()
        }),
    ]
}

/// The same steps in another order, some of them twice.
fn any_other_order(ops: Vec<Op>) -> impl Strategy<Value = (Vec<Op>, Vec<Op>)> {
    let again = prop::sample::subsequence(ops.clone(), 0..=ops.len());
    again.prop_flat_map(move |again| {
        let twice: Vec<Op> = ops.iter().cloned().chain(again).collect();
        (Just(ops.clone()), Just(twice).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn order_repetition_and_the_number_of_writers_change_nothing(
        (ops, other) in prop::collection::vec(any_op(), 1..24).prop_flat_map(any_other_order),
        writers in 2usize..6,
        fault_every in prop_oneof![Just(0u64), 3u64..9],
        fault_kind in 0u64..5,
    ) {
        let result = run(async {
            let expected = empty().await?;
            share(&expected, 1, &ops).await?;
            let tap = Tap::new(move |n, _| fault(n, fault_every, fault_kind))?;
            let (store, _) = tap.store().await?;
            share(&store, writers, &other).await?;
            for finding in 0..6 {
                let (mut one, mut other) = (shown(&expected, finding).await?, shown(&store, finding).await?);
                let seen = match store.find(&identity(finding).id(), now()).await? {
                    Some(kept) => kept.sightings.seen,
                    None => Sample::default(),
                };
                for shown in [&mut one, &mut other].into_iter().flatten() {
                    always_shown(&seen, shown);
                }
                assert_eq!(one, other);
            }
            Ok(())
        });
        prop_assert!(result.is_ok(), "{result:?}");
    }
}

/// Leaves of the evidence what does not hang on which events were still at hand when others were taken
/// out: that of the sixteen smallest events.
fn always_shown(seen: &Sample, shown: &mut Shown) {
    let first: Vec<EventKey> = seen.keys().iter().copied().take(EVIDENCE).collect();
    assert!(shown.evidence.len() <= EVIDENCE);
    shown.evidence.retain(|id| {
        let event = id.strip_prefix("event-").and_then(|number| number.parse().ok());
        event.is_some_and(|event| first.contains(&key(event)))
    });
}

/// What becomes of the n-th request, if one in so many fails: not each so-many-th, for then it could be the
/// same one of every try.
fn fault(n: u64, every: u64, kind: u64) -> Fault {
    const MIXES: u64 = 0x9e37_79b9_7f4a_7c15;
    let drawn = n.wrapping_mul(MIXES) >> 32;
    if every == 0 || !drawn.is_multiple_of(every) {
        return Fault::None;
    }
    let faults = [Fault::Throttled, Fault::Conflict, Fault::Broken, Fault::LostAnswer];
    faults.get(kind as usize).copied().unwrap_or(faults[(n / every % 4) as usize])
}

#[test]
fn past_the_limit_too() -> Result {
    // Nine batches with 250 events each, of 1,500.
    let batches: Vec<Vec<u32>> = (0..9).map(|n| (0..250).map(|m| (n * 160 + m) % 1_500).collect()).collect();
    let ops: Vec<Op> = batches.into_iter().map(|events| Op::See(0, events)).collect();
    let withdrawn = || ops.iter().cloned().chain([Op::Withdraw(0, 1), Op::Withdraw(0, 9_999)]);
    run(async {
        let expected = empty().await?;
        share(&expected, 1, &withdrawn().collect::<Vec<_>>()).await?;
        let mut other: Vec<Op> = withdrawn().chain(ops.iter().take(4).cloned()).collect();
        other.reverse();
        let store = empty().await?;
        share(&store, 4, &other).await?;
        let one = shown(&expected, 0).await?.ok_or("the finding")?;
        assert!(!one.is_exact);
        assert!(one.count.abs_diff(1_500) < 150, "{}", one.count);
        assert_eq!(shown(&store, 0).await?, Some(one));
        Ok(())
    })
}

#[tokio::test]
async fn what_is_withdrawn_stays_withdrawn() -> Result {
    let (before, after) = (empty().await?, empty().await?);
    let id = identity(1).id();
    before.withdraw(&id, &[key(1)]).await?;
    assert!(before.find(&id, now()).await?.is_none());
    for store in [&before, &after] {
        record(store, delta(1, [1, 2])).await?;
    }
    after.withdraw(&id, &[key(1)]).await?;
    for store in [&before, &after] {
        record(store, delta(1, [1])).await?;
        store.withdraw(&id, &[key(1)]).await?;
        let finding = shown(store, 1).await?.ok_or("the finding")?;
        assert_eq!((finding.count, finding.evidence), (1, vec!["event-2".to_owned()]));
        assert_eq!(store.list(&Query::default(), None, now()).await?.0.len(), 1);
        // Without any event left it is no finding, and is listed no more.
        store.withdraw(&id, &[key(2)]).await?;
        assert_eq!(store.list(&Query::default(), None, now()).await?.0.len(), 0);
        assert_eq!(store.find(&id, now()).await?.ok_or("the finding")?.count(), 0);
        record(store, delta(1, [3])).await?;
        assert_eq!(store.list(&Query::default(), None, now()).await?.0.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn evidence_of_others_takes_the_place_of_what_was_taken_out() -> Result {
    let store = empty().await?;
    let id = identity(1).id();
    let mut events: Vec<u32> = (0..20).collect();
    events.sort_by_key(|event| key(*event));
    record(&store, delta(1, 0..20)).await?;
    let gone: Vec<EventKey> = events[..10].iter().map(|event| key(*event)).collect();
    store.withdraw(&id, &gone).await?;
    // Evidence of four more was never stored: it is when they come again.
    assert_eq!(store.evidence(&id).await?.len(), 6);
    record(&store, delta(1, events[16..].iter().copied())).await?;
    assert_eq!(store.evidence(&id).await?.len(), 10);
    Ok(())
}

#[tokio::test]
async fn what_was_corrected_counts_nowhere_whoever_comes_first() -> Result {
    let correction = |event, by, time: &str| Correction {
        key: key(event),
        by: key(by),
        time: time.into(),
        accounts: vec!["111122223333".into()],
    };
    let (first, second) = (correction(1, 101, "2026-01-01"), correction(1, 102, "2026-01-02"));
    for order in [[&first, &second, &second], [&second, &first, &first], [&second, &first, &second]] {
        let store = empty().await?;
        let mut gone = BTreeSet::new();
        for correction in order {
            gone.extend(store.correct(correction).await?);
        }
        assert_eq!(gone, BTreeSet::from([key(1), key(101)]));
        // Both are in the store now, so whoever records them later takes them out again.
        record(&store, delta(1, [1, 2, 101, 102])).await?;
        assert_eq!(shown(&store, 1).await?.map(|finding| finding.count), Some(2));
        assert!(!store.correct(&second).await?.contains(&key(102)));
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_is_forgotten_only_while_nothing_waits_for_it() -> Result {
    let store = empty().await?;
    let id = identity(1).id();
    let with = |event| {
        let mut one = delta(1, [event]);
        one.waiting = vec![waiting(&id, event, WaitsFor::Endpoint("vpce-01".into()), "{}")];
        one
    };
    record(&store, with(1)).await?;
    store.forget_awaited("vpce-01").await?;
    assert_eq!(store.awaited().await?, ["vpce-01"]);
    store.settled(&with(1).waiting).await?;
    store.forget_awaited("vpce-01").await?;
    store.forget_awaited("vpce-01").await?;
    assert_eq!(store.awaited().await?, [""; 0]);
    record(&store, with(2)).await?;
    assert_eq!(store.awaited().await?, ["vpce-01"]);
    Ok(())
}

#[tokio::test]
async fn a_waiting_item_that_cannot_be_read_is_named_and_hides_no_other() -> Result {
    let tap = Tap::new(|_, _| Fault::None)?;
    let (store, client) = tap.store().await?;
    let waits_for = WaitsFor::Endpoint("vpce-01".into());
    let mut one = delta(1, 1..4);
    let id = one.sightings.identity.id();
    one.waiting = (1..4).map(|event| waiting(&id, event, waits_for.clone(), "{}")).collect();
    record(&store, one).await?;
    let text = |text: String| AttributeValue::S(text);
    let sk = format!("WAIT#{id}#{:016x}", key(2).0);
    let broken = HashMap::from([
        ("pk".to_owned(), text("ENDPOINT#vpce-01".into())),
        ("sk".to_owned(), text(sk.clone())),
        ("v".to_owned(), AttributeValue::N("1".into())),
    ]);
    client.put_item().table_name(TABLE).set_item(Some(broken)).send().await?;
    let page = store.waiting(&waits_for, None).await?;
    assert_eq!((page.waiting.len(), page.damaged.len()), (2, 1));
    assert!(page.damaged[0].to_string().contains(&sk), "{}", page.damaged[0]);
    Ok(())
}

#[tokio::test]
async fn of_two_copies_of_a_call_the_same_is_shown_whichever_comes_first() -> Result {
    let copy = |id: &str| {
        let mut one = delta(1, [1]);
        one.sightings.evidence[0].event.id = Some(id.into());
        one.sightings.evidence[0].reason = format!("told by {id}");
        one
    };
    for ids in [["caller", "owner"], ["owner", "caller"]] {
        let tap = Tap::new(|n, _| if n % 3 == 2 { Fault::LostAnswer } else { Fault::None })?;
        let (store, _) = tap.store().await?;
        for id in ids {
            record(&store, copy(id)).await?;
        }
        let writes = tap.writes();
        record(&store, copy("owner")).await?;
        assert_eq!(tap.writes(), writes);
        let evidence = store.evidence(&identity(1).id()).await?;
        let told: Vec<_> =
            evidence.iter().map(|one| (one.event.id.as_deref(), one.reason.as_str())).collect();
        assert_eq!(told, [(Some("caller"), "told by caller")]);
        assert_eq!(shown(&store, 1).await?.map(|finding| finding.count), Some(1));
    }
    Ok(())
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() -> Result {
    let tap = Tap::new(|_, _| Fault::None)?;
    let (store, _) = tap.store().await?;
    let mut one = delta(1, 0..30);
    let id = one.sightings.identity.id();
    one.waiting = vec![waiting(&id, 1, WaitsFor::Endpoint("vpce-01".into()), "{}")];
    record(&store, one.clone()).await?;
    // One that is not shown: in the place of one that is, another would be.
    let last = (0..30).map(key).max().ok_or("an event")?;
    store.withdraw(&id, &[last]).await?;
    let writes = tap.writes();
    record(&store, one.clone()).await?;
    record(&store, delta(1, [3, 4])).await?;
    store.withdraw(&id, &[last]).await?;
    assert_eq!(tap.writes(), writes);
    // What has been settled does not begin to wait again.
    store.settled(&one.waiting[..1]).await?;
    record(&store, one.clone()).await?;
    assert_eq!(waits(&store, &one.waiting[0].waits_for).await?, []);
    Ok(())
}

#[tokio::test]
async fn what_waits_is_bounded_and_written_before_the_finding() -> Result {
    // The finding cannot be written: what waits is there already, and is not lost.
    let blocked = Arc::new(AtomicU64::new(1));
    let (flag, closed) = (blocked.clone(), Arc::new(AtomicU64::new(0)));
    let tries = closed.clone();
    let tap = Tap::new(move |_, operation| {
        let is_finding = matches!(operation, "TransactWriteItems" | "PutItem") && flag.load(Relaxed) == 1;
        tries.fetch_add(u64::from(is_finding), Relaxed);
        if is_finding { Fault::Conflict } else { Fault::None }
    })?;
    let (store, _) = tap.store().await?;
    let waits_for = WaitsFor::Endpoint("vpce-01".into());
    let with = |events: std::ops::Range<u32>| {
        let mut delta = delta(1, events.clone());
        let id = delta.sightings.identity.id();
        delta.waiting = events.map(|event| waiting(&id, event, waits_for.clone(), "{}")).collect();
        delta
    };
    let refused_twice = async {
        while closed.load(Relaxed) < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        recorded = store.record(with(0..3), now()) => return Err(format!("{recorded:?}").into()),
        () = refused_twice => {}
    }
    assert!(store.find(&identity(1).id(), now()).await?.is_none());
    assert_eq!(waits(&store, &waits_for).await?.len(), 3);
    blocked.store(0, Relaxed);
    record(&store, with(0..3)).await?;
    // What was taken out before it came does not wait.
    store.withdraw(&identity(1).id(), &[key(3)]).await?;
    record(&store, with(3..5)).await?;
    assert_eq!(waits(&store, &waits_for).await?.len(), 4);
    // Beyond exact counts as well: all that the finding keeps, and nothing that it never kept.
    record(&store, with(5..5 + 2 * LIMIT as u32)).await?;
    let kept = store.find(&identity(1).id(), now()).await?.ok_or("the finding")?.sightings;
    let waiting: BTreeSet<EventKey> = waits(&store, &waits_for).await?.iter().map(|one| one.key).collect();
    let kept: BTreeSet<EventKey> =
        kept.seen.keys().iter().copied().filter(|key| !kept.gone.contains(*key)).collect();
    assert!(kept.is_subset(&waiting));
    assert!(waiting.len() <= LIMIT + 4, "{}", waiting.len());
    Ok(())
}

#[tokio::test]
async fn it_gives_up_in_the_end() -> Result {
    let tap = Tap::new(|_, operation| if operation == "PutItem" { Fault::Conflict } else { Fault::None })?;
    let (store, _) = tap.store().await?;
    let mut one = delta(1, [1]);
    one.sightings.evidence.clear();
    let error = store.record(one, now()).await.err().ok_or("an error")?;
    assert!(matches!(&error, StoreError::Overtaken(text) if text.contains("after 12 tries")), "{error}");
    Ok(())
}

#[test]
fn a_flood_is_far_from_a_write_an_event() -> Result {
    run(async {
        let tap = Tap::new(|_, _| Fault::None)?;
        let (store, _) = tap.store().await?;
        for n in 0..2_000u32 {
            record(&store, delta(1, n * 10..n * 10 + 10)).await?;
        }
        let finding = shown(&store, 1).await?.ok_or("the finding")?;
        assert!(finding.count.abs_diff(20_000) < 2_000, "{}", finding.count);
        assert_eq!(finding.evidence.len(), EVIDENCE);
        let writes = tap.writes();
        eprintln!("20,000 events in 2,000 deltas: {writes} writes, {} requests", tap.requests.load(Relaxed));
        assert!(writes < 1_800, "{writes}");
        // And the more there are, the fewer change anything: the last tenth of it.
        let before = tap.writes();
        for n in 0..200u32 {
            record(&store, delta(1, 1_000_000 + n * 10..1_000_000 + n * 10 + 10)).await?;
        }
        assert!(tap.writes() - before < 120, "{}", tap.writes() - before);
        Ok(())
    })
}

// ---- Lists

fn listed(n: u32) -> Delta {
    let mut delta = delta(n, [n]);
    delta.sightings.severity = Severity::ALL[n as usize % 5];
    delta.sightings.identity.rule =
        if n.is_multiple_of(7) { "bulk-export".into() } else { "public-access".into() };
    delta.sightings.identity.account = (!n.is_multiple_of(11)).then(|| format!("11112222333{}", n % 3));
    delta.sightings.coverage = match n % 8 {
        0 => Coverage::Endless,
        // In force when it is recorded, and over when it is listed.
        4 => Coverage::Until(at(1_500_000)),
        _ => Coverage::Uncovered,
    };
    delta.sightings.span = (!n.is_multiple_of(13)).then(|| (at(i64::from(n / 2)), at(i64::from(n))));
    delta
}

#[test]
fn lists_are_complete_in_order_and_narrowed_down() -> Result {
    run(async {
        let store = empty().await?;
        let all: Vec<Delta> = (0..500).map(listed).collect();
        let work: Vec<Op> = all.iter().cloned().map(Op::from).collect();
        share(&store, 2, &work).await?;
        let queries = [
            Query::default(),
            Query { at_least: Some(Severity::High), ..Query::default() },
            Query { statuses: vec![Status::Suppressed], ..Query::default() },
            Query { statuses: vec![Status::Open, Status::Open, Status::Resolved], ..Query::default() },
            Query { account: Some("111122223331".into()), ..Query::default() },
            Query {
                account: Some("111122223331".into()),
                statuses: vec![Status::Suppressed],
                ..Query::default()
            },
            Query { rule: Some("bulk-export".into()), ..Query::default() },
            Query { since: Some(at(250)), ..Query::default() },
            Query { until: Some(at(100)), ..Query::default() },
            Query {
                at_least: Some(Severity::Medium),
                statuses: vec![Status::Open],
                account: Some("111122223332".into()),
                rule: Some("public-access".into()),
                since: Some(at(100)),
                until: Some(at(240)),
            },
            Query { rule: Some("no such rule".into()), ..Query::default() },
        ];
        for query in queries {
            let status = |delta: &Delta| match delta.sightings.coverage {
                Coverage::Endless => Status::Suppressed,
                Coverage::Until(_) | Coverage::Uncovered => Status::Open,
            };
            let is_asked = |delta: &&Delta| {
                let seen = &delta.sightings;
                query.at_least.is_none_or(|least| seen.severity >= least)
                    && (query.statuses.is_empty() || query.statuses.contains(&status(delta)))
                    && query
                        .account
                        .as_ref()
                        .is_none_or(|account| seen.identity.account.as_ref() == Some(account))
                    && query.rule.as_ref().is_none_or(|rule| *rule == seen.identity.rule)
                    && query.since.is_none_or(|since| seen.span.is_some_and(|span| span.1 >= since))
                    && query.until.is_none_or(|until| seen.span.is_some_and(|span| span.0 < until))
            };
            let place = |seen: &Sightings| (seen.severity, seen.span.map(|span| span.1), seen.identity.id());
            let mut expected: Vec<_> =
                all.iter().filter(is_asked).map(|delta| place(&delta.sightings)).collect();
            expected.sort_by(|one, other| other.cmp(one));
            let mut found = Vec::new();
            let mut after = None;
            let mut pages = 0;
            loop {
                let (page, next) = store.list(&query, after, at(2_000_000)).await?;
                found.extend(page.iter().map(|kept| place(&kept.sightings)));
                pages += 1;
                after = next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{query:?}");
            // What has lapsed, and nobody has written down, is read with what is suppressed.
            let lapsed = all.len() / 8;
            assert!(pages <= 1 + (expected.len() + lapsed) / 100, "{query:?}: {pages} pages");
        }
        let error =
            store.list(&Query::default(), Some("nonsense".into()), now()).await.err().ok_or("an error")?;
        assert!(error.to_string().contains("`nonsense` is no page"), "{error}");
        Ok(())
    })
}

// ---- Files

#[test]
fn a_file_is_there_again_after_it_was_closed() -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a/new folder/findings.db");
    let url: StoreUrl = path.to_str().ok_or("a path")?.parse()?;
    for times in 1..=2u32 {
        run(async {
            let store = url.open().await?.ok_or("a store")?;
            record(&store, delta(1, 0..times * 10)).await?;
            assert_eq!(shown(&store, 1).await?.map(|finding| finding.count), Some(u64::from(times) * 10));
            Ok(())
        })?;
    }
    // A new one is made beside its place, and nothing of that is left.
    for entry in std::fs::read_dir(folder.path().join("a/new folder"))? {
        let name = entry?.file_name();
        assert!(name.to_string_lossy().starts_with("findings.db"), "{}", name.display());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    }
    Ok(())
}

#[test]
fn what_is_left_of_a_store_that_is_gone_does_not_get_into_the_next() -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("findings.db");
    let url = StoreUrl::File(path.clone());
    let wal = folder.path().join("findings.db-wal");
    let left = run(async {
        let store = url.open().await?.ok_or("a store")?;
        record(&store, delta(1, 0..10)).await?;
        Ok(std::fs::read(&wal)?)
    })?;
    assert!(!left.is_empty());
    std::fs::remove_file(&path)?;
    std::fs::write(&wal, &left)?;
    // As of those who were stopped while they made one, and of others.
    let beside = |name: &str| folder.path().join(name);
    for name in [".perimeter-a1.new", ".perimeter-a1.new-wal", ".perimeter-a1.part", "findings.db-journal"] {
        std::fs::write(beside(name), "left")?;
    }
    run(async {
        let store = url.open().await?.ok_or("a store")?;
        assert_eq!(shown(&store, 1).await?.map(|finding| finding.count), None);
        record(&store, delta(2, 0..10)).await?;
        assert_eq!(shown(&store, 2).await?.map(|finding| finding.count), Some(10));
        Ok(())
    })?;
    for name in [".perimeter-a1.new", ".perimeter-a1.new-wal", "findings.db-journal"] {
        assert!(!beside(name).exists(), "{name}");
    }
    assert!(beside(".perimeter-a1.part").exists());
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_store_and_is_not_waited_for() -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status()?.success());
    for (path, what) in [
        (path.as_path(), "a pipe"),
        (std::path::Path::new("/dev/null"), "a device"),
        (folder.path(), "a folder"),
    ] {
        let error = run(async { Ok(StoreUrl::File(path.into()).open().await.err()) })?.ok_or("an error")?;
        assert!(error.to_string().contains(what), "{error}");
    }
    Ok(())
}

#[test]
fn what_is_no_store_does_not_open() -> Result {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "these are notes, and no database at all".repeat(100))?;
    for path in [folder.path(), &file, &file.join("below")] {
        let error = run(async { Ok(StoreUrl::File(path.into()).open().await.err()) })?.ok_or("an error")?;
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    assert!(run(async { Ok(StoreUrl::None.open().await?) })?.is_none());
    Ok(())
}

/// The other process of the test below; by itself it does nothing.
#[test]
fn as_another_process() -> Result {
    let Some(path) = std::env::var_os("PERIMETER_TEST_STORE") else { return Ok(()) };
    run(async {
        let store = StoreUrl::File(path.into()).open().await?.ok_or("a store")?;
        share(&store, 2, &process_work(60)).await
    })
}

fn process_work(from: u32) -> Vec<Op> {
    (0..30).map(|n| delta(n % 2, from + n..from + n + 5).into()).collect()
}

#[test]
fn two_processes_and_two_connections_share_a_file() -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("findings.db");
    // Both may be the first to make the table.
    let mut other = std::process::Command::new(std::env::current_exe()?)
        .args(["--exact", "store::as_another_process"])
        .env("PERIMETER_TEST_STORE", &path)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let url = StoreUrl::File(path);
    let counts = run(async {
        let (one, two) = (url.open().await?.ok_or("a store")?, url.open().await?.ok_or("a store")?);
        let work = process_work(0);
        let (first, second) = tokio::join!(share(&one, 2, &work), share(&two, 2, &work));
        first?;
        second?;
        assert!(other.wait()?.success());
        let mut counts = Vec::new();
        for finding in 0..2 {
            let shown = shown(&two, finding).await?.ok_or("the finding")?;
            counts.push((shown.count, shown.evidence.len()));
        }
        Ok(counts)
    })?;
    let mut expected: HashMap<u32, BTreeSet<u32>> = HashMap::new();
    for from in [0, 60] {
        for n in 0..30 {
            expected.entry(n % 2).or_default().extend(from + n..from + n + 5);
        }
    }
    assert_eq!(counts, [0, 1].map(|finding| (expected[&finding].len() as u64, EVIDENCE)));
    Ok(())
}

/// `cargo test --test it store::speed -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn speed() -> Result {
    let folder = tempfile::tempdir()?;
    run(async {
        for url in [StoreUrl::Memory, StoreUrl::File(folder.path().join("findings.db"))] {
            let start = std::time::Instant::now();
            let store = url.open().await?.ok_or("a store")?;
            eprintln!("{url}: opened in {:?}", start.elapsed());
            for (what, writers) in [("one writer", 1), ("four writers", 4)] {
                let work: Vec<Op> = (0..400).map(|n| delta(n + 1000 * writers as u32, [n]).into()).collect();
                let start = std::time::Instant::now();
                share(&store, writers, &work).await?;
                eprintln!("  new findings, {what}: {:.0}/s", 400.0 / start.elapsed().as_secs_f64());
                let start = std::time::Instant::now();
                share(&store, writers, &work).await?;
                eprintln!("  seen again, {what}: {:.0}/s", 400.0 / start.elapsed().as_secs_f64());
            }
            let start = std::time::Instant::now();
            let (page, _) = store.list(&Query::default(), None, now()).await?;
            eprintln!("  a page of {}: {:?}", page.len(), start.elapsed());
        }
        Ok(())
    })
}
