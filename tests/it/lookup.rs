//! What events do not carry, read back by a lookup that answers as it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dynamodb_perimeter::aws::findings_table::FindingsTable;
use dynamodb_perimeter::aws::store_url::StoreUrl;
use dynamodb_perimeter::findings::finding::Finding;
use dynamodb_perimeter::findings::store::{FindingStore, Query};
use dynamodb_perimeter::gzip;
use dynamodb_perimeter::iam::state::piece::{Piece, Wanted};
use dynamodb_perimeter::iam::state::{
    Control, ControlKind, Endpoint, Holder, HolderId, HolderKind, Managed, Table, Text,
};
use dynamodb_perimeter::lambda::auditor::Handler;
use dynamodb_perimeter::lambda::log_file::NoLogFiles;
use dynamodb_perimeter::perimeter::config;
use dynamodb_perimeter::watch::lookup::{Lookup, Place};
use dynamodb_perimeter::watch::store::{Base, StateStore};
use serde_json::{Value, json};

use crate::stories::{self, ACCOUNT, ORDERS, PERIMETER, Step, allow, dynamodb, iam, organizations};

type Failed = Box<dyn Error + Send + Sync>;
type Tested = Result<(), Failed>;

const NOW: &str = "2026-11-25T06:00:00Z";
const FULL: &str = "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess";
const PATIENCE: Duration = Duration::from_millis(900);

type Answer = Result<Vec<Piece>, String>;

/// Answers in turn; the last again and again. What it was not told of is refused.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<BTreeMap<String, VecDeque<Answer>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn of(answers: Vec<(Wanted, Vec<Answer>)>) -> Self {
        let script = Self::default();
        answers.into_iter().for_each(|(wanted, answers)| script.tell(&wanted, answers));
        script
    }

    fn tell(&self, wanted: &Wanted, answers: Vec<Answer>) {
        self.answers.lock().unwrap().insert(wanted.to_string(), answers.into());
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Lookup for Script {
    async fn read(&self, wanted: &Wanted, _: Place<'_>) -> Answer {
        let name = wanted.to_string();
        self.asked.lock().unwrap().push(name.clone());
        let mut answers = self.answers.lock().unwrap();
        let Some(answers) = answers.get_mut(&name) else { return Err("AccessDenied: no".to_owned()) };
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().cloned().unwrap() }
    }
}

struct World<K> {
    store: FindingsTable,
    handler: Handler<FindingsTable, NoLogFiles, K>,
}

async fn store() -> Result<FindingsTable, Failed> {
    let store = StoreUrl::Memory.open().await?.ok_or("a store")?;
    let snapshot = stories::snapshot();
    let taken_at = snapshot["taken_at"].as_str().ok_or("no time")?.parse()?;
    store.rebase(&Base { taken_at, snapshot: gzip::pack(snapshot.to_string().as_bytes()) }).await?;
    Ok(store)
}

fn handler(store: &FindingsTable) -> Handler<FindingsTable, NoLogFiles> {
    let endpoint = "[[endpoint]]\nid = \"vpce-0f0\"\nregion = \"eu-west-1\"\naccount = \"111122223333\"\nvpc = \"vpc-0prod0eu\"\n";
    let perimeter = config::parse(&format!("{PERIMETER}{endpoint}")).unwrap().perimeter;
    let store = store.clone();
    Handler::new(perimeter, move || store, || NoLogFiles)
}

impl<K: Lookup> World<K> {
    async fn looking(lookup: K) -> Result<Self, Failed> {
        let store = store().await?;
        Ok(Self { handler: handler(&store).looking_up(lookup, PATIENCE), store })
    }

    async fn hear(&self, records: &[Value], together: usize) -> Tested {
        for some in records.chunks(together) {
            let message = |(n, record): (usize, &Value)| json!({"messageId": n.to_string(), "eventSource": "aws:sqs", "body": record.to_string()});
            let batch: Vec<Value> = some.iter().enumerate().map(message).collect();
            let batch = json!({"Records": batch}).to_string();
            let reply = self.handler.handle(batch.as_bytes(), NOW.parse()?).await?;
            assert_eq!(serde_json::to_value(&reply)?, json!({"batchItemFailures": []}));
        }
        Ok(())
    }

    async fn findings(&self) -> Result<Vec<Finding>, Failed> {
        let (page, next) = self.store.list(&Query::default(), None, NOW.parse()?).await?;
        assert!(next.is_none());
        let mut all = Vec::new();
        for kept in page {
            let id = kept.sightings.identity.id();
            all.push(self.store.find(&id, NOW.parse()?).await?.ok_or("it is there")?.into_finding());
        }
        all.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(all)
    }

    /// Rule and reason of the one finding beside that of the guard that is gone.
    async fn other(&self) -> Result<Option<(String, String)>, Failed> {
        let found = self.findings().await?.into_iter().filter(|found| found.rule != "guard-removed");
        let found: Vec<(String, String)> =
            found.map(|found| (found.rule.to_string(), found.reason.clone())).collect();
        assert!(found.len() <= 1, "{found:?}");
        Ok(found.into_iter().next())
    }
}

/// What comes of a change where nothing guards the accounts any more.
async fn told(step: Step, script: Script) -> Result<Option<(String, String)>, Failed> {
    let world = World::looking(script).await?;
    world.hear(&unguarded(vec![step]), 1).await?;
    world.other().await
}

fn unguarded(steps: Vec<Step>) -> Vec<Value> {
    let detached = organizations("DetachPolicy", json!({"policyId": "p-guard", "targetId": "ou-1"}), None);
    stories::records(&std::iter::once(detached).chain(steps).collect::<Vec<_>>())
}

fn role(name: &str) -> HolderId {
    HolderId { account: ACCOUNT.into(), kind: HolderKind::Role, name: name.into() }
}

/// A role as it is in the base, with more.
fn with(name: &str, inline: &[(&str, &Value)], attached: &[&str]) -> Piece {
    let inline = inline.iter().map(|(name, policy)| ((*name).to_owned(), Text::known(&policy.to_string())));
    let trust = stories::trust("arn:aws:iam::111122223333:role/on-call").to_string();
    let holder = Holder {
        arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/{name}")),
        unique_id: Some(format!("AROA{name}")),
        trust: Some(Text::known(&trust)),
        inline: inline.collect(),
        attached: attached.iter().map(|arn| (*arn).to_owned()).collect(),
        ..Holder::default()
    };
    Piece::Holder(role(name), Some(holder))
}

fn managed(policy: &Value) -> (Wanted, Vec<Answer>) {
    let versions = [("v3".to_owned(), Text::known(&policy.to_string()))].into();
    let piece = Piece::Managed(FULL.into(), Some(Managed { versions, default: Some("v3".into()) }));
    (Wanted::Managed { policy: FULL.into(), account: ACCOUNT.into() }, vec![Ok(vec![piece])])
}

fn idle(answers: Vec<Answer>) -> Script {
    Script::of(vec![(Wanted::Holder(role("idle")), answers)])
}

/// A policy that is padded until CloudTrail leaves out its text.
fn padded() -> Step {
    iam("PutRolePolicy", json!({"roleName": "idle", "policyName": "more", "omitted": true}), None)
}

fn attached(name: &str) -> Step {
    iam("AttachRolePolicy", json!({"roleName": name, "policyArn": FULL}), None)
}

fn read() -> Value {
    allow("dynamodb:GetItem")
}

#[tokio::test]
async fn a_text_that_was_left_out_is_read_and_proven() -> Tested {
    let opens = with("idle", &[("more", &read())], &[]);
    let (rule, reason) = told(padded(), idle(vec![Ok(vec![opens])])).await?.ok_or("it opens")?;
    assert_eq!(rule, "perimeter-opened");
    assert!(reason.contains("role/idle may now do dynamodb:GetItem"), "{reason}");
    let harmless = with("idle", &[("more", &allow("s3:*"))], &[]);
    assert_eq!(told(padded(), idle(vec![Ok(vec![harmless])])).await?, None);
    Ok(())
}

#[tokio::test]
async fn an_event_without_any_parameters_is_told_by_what_changed_in_the_account() -> Tested {
    let step = || iam("PutRolePolicy", json!({"omitted": true}), None);
    let account = |more: Piece| {
        let app = with("app", &[("p0", &allow("dynamodb:*"))], &[]);
        Script::of(vec![(Wanted::Account(ACCOUNT.into()), vec![Ok(vec![app, more])])])
    };
    let opens = account(with("idle", &[("more", &read())], &[]));
    let (rule, reason) = told(step(), opens).await?.ok_or("it opens")?;
    assert_eq!(rule, "perimeter-opened", "{reason}");
    assert!(reason.contains("role/idle may now do"), "{reason}");
    assert_eq!(told(step(), account(with("idle", &[("more", &allow("s3:*"))], &[]))).await?, None);
    let (rule, reason) = told(step(), account(with("idle", &[], &[]))).await?.ok_or("it is not told")?;
    assert_eq!(rule, "change-unreadable");
    assert!(reason.contains("does not show the change yet"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn a_policy_of_aws_that_no_event_tells_is_read() -> Tested {
    let (rule, _) =
        told(attached("idle"), Script::of(vec![managed(&allow("dynamodb:*"))])).await?.ok_or("it opens")?;
    assert_eq!(rule, "perimeter-opened");
    assert_eq!(told(attached("idle"), Script::of(vec![managed(&allow("s3:*"))])).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_role_that_is_only_named_is_read_without_what_the_change_put_there() -> Tested {
    let named = |inline: &Value| {
        let piece = with("unheard", &[("p", inline)], &[FULL]);
        let holder = (Wanted::Holder(role("unheard")), vec![Ok(vec![piece])]);
        Script::of(vec![holder, managed(&allow("dynamodb:*"))])
    };
    let found = told(attached("unheard"), named(&allow("s3:*"))).await?;
    assert_eq!(found.map(|(rule, _)| rule).as_deref(), Some("perimeter-opened"));
    // What it could do before is no news.
    assert_eq!(told(attached("unheard"), named(&allow("*"))).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_policy_of_the_organization_and_one_of_a_table_are_read() -> Tested {
    let guard = stories::guard("ArnNotLike").to_string();
    let control =
        Control { kind: Some(ControlKind::Service), name: "guard".into(), text: Text::known(&guard) };
    let attach = organizations("AttachPolicy", json!({"policyId": "p-new", "targetId": "ou-1"}), None);
    let script = Script::of(vec![(
        Wanted::Control("p-new".into()),
        vec![Ok(vec![Piece::Control("p-new".into(), Some(control))])],
    )]);
    let world = World::looking(script).await?;
    let put = iam("PutRolePolicy", stories::put_policy("idle", &read()), None);
    world.hear(&unguarded(vec![attach, put]), 1).await?;
    assert_eq!(world.other().await?, None, "the guard that was read holds");

    let left_out = || dynamodb("PutResourcePolicy", json!({"resourceArn": ORDERS, "omitted": true}), None);
    let table = |policy: &Value| {
        let table = Table { policy: Some(Text::known(&policy.to_string())), tags: Some([].into()) };
        Script::of(vec![(
            Wanted::Table(ORDERS.into()),
            vec![Ok(vec![Piece::Table(ORDERS.into(), Some(table))])],
        )])
    };
    let stranger = stories::policy(
        json!([{"Effect": "Allow", "Principal": {"AWS": "555566667777"}, "Action": "dynamodb:*", "Resource": "*"}]),
    );
    let world = World::looking(table(&stranger)).await?;
    world.hear(&stories::records(&[left_out()]), 1).await?;
    assert_eq!(world.other().await?.map(|(rule, _)| rule).as_deref(), Some("external-grant"));
    Ok(())
}

#[tokio::test]
async fn endpoints_of_other_services_are_of_no_concern() -> Tested {
    let left_out = |id: &str| {
        let request = json!({"ModifyVpcEndpointRequest": {"VpcEndpointId": id, "omitted": true}});
        Step("ec2", "ModifyVpcEndpoint", request, Value::Null, None)
    };
    let of = |read: Option<Endpoint>| {
        let answers = vec![Ok(vec![Piece::Endpoint("vpce-0a1".into(), read)])];
        Script::of(vec![(Wanted::Endpoint("vpce-0a1".into()), answers)])
    };
    let elsewhere = of(None);
    assert_eq!(told(left_out("vpce-0a1"), elsewhere.clone()).await?, None);
    assert_eq!(elsewhere.asked(), 1, "nothing is waited for");
    let here =
        Endpoint { vpc: Some("vpc-0prod0eu".into()), policy: Some(Text::known(&allow("*").to_string())) };
    assert!(
        told(left_out("vpce-0a1"), of(Some(here))).await?.is_none_or(|(rule, _)| rule != "change-unreadable")
    );
    Ok(())
}

#[tokio::test]
async fn what_is_behind_is_read_again_until_it_shows_the_change() -> Tested {
    let (before, after) = (with("idle", &[], &[]), with("idle", &[("more", &read())], &[]));
    let catches_up = idle(vec![Ok(vec![before.clone()]), Ok(vec![before.clone()]), Ok(vec![after])]);
    let (rule, _) = told(padded(), catches_up.clone()).await?.ok_or("it opens")?;
    assert_eq!((rule.as_str(), catches_up.asked()), ("perimeter-opened", 3));
    let (rule, reason) = told(padded(), idle(vec![Ok(vec![before])])).await?.ok_or("it is not told")?;
    assert_eq!(rule, "change-unreadable");
    assert!(reason.contains("what was read back does not show the change yet"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_tried_again_when_the_event_comes_again() -> Tested {
    let script = Script::default();
    let world = World::looking(script.clone()).await?;
    let records = unguarded(vec![padded()]);
    world.hear(&records, 1).await?;
    let (rule, reason) = world.other().await?.ok_or("it is not told")?;
    assert_eq!(rule, "change-unreadable");
    let expected = "reading back role `idle` of account 111122223333 failed: AccessDenied: no.";
    assert!(reason.ends_with(expected), "{reason}");
    script.tell(&Wanted::Holder(role("idle")), vec![Ok(vec![with("idle", &[("more", &read())], &[])])]);
    world.hear(&records[1..], 1).await?;
    let (rule, _) = world.other().await?.ok_or("it opens")?;
    assert_eq!((rule.as_str(), script.asked()), ("perimeter-opened", 2));
    // What was read is not read again.
    world.hear(&records, 1).await?;
    assert_eq!(script.asked(), 2);
    Ok(())
}

#[tokio::test]
async fn without_a_lookup_the_finding_says_so() -> Tested {
    let store = store().await?;
    let world = World { handler: handler(&store), store };
    world.hear(&unguarded(vec![padded()]), 1).await?;
    let (rule, reason) = world.other().await?.ok_or("it is not told")?;
    assert_eq!(rule, "change-unreadable");
    assert!(reason.ends_with("; nothing was read back from AWS."), "{reason}");
    Ok(())
}

#[tokio::test]
async fn order_and_repetition_are_of_no_matter_and_each_is_read_once() -> Tested {
    let steps = || {
        vec![
            padded(),
            attached("unheard"),
            iam("PutRolePolicy", stories::put_policy("unheard", &allow("s3:*")), None),
            iam("DetachRolePolicy", json!({"roleName": "unheard", "policyArn": FULL}), None),
            attached("idle"),
        ]
    };
    let script = || {
        let padded = with("idle", &[("more", &read())], &[FULL]);
        let unheard = with("unheard", &[("more", &allow("s3:*"))], &[]);
        Script::of(vec![
            (Wanted::Holder(role("idle")), vec![Ok(vec![padded])]),
            (Wanted::Holder(role("unheard")), vec![Ok(vec![unheard])]),
            managed(&allow("dynamodb:PutItem")),
        ])
    };
    let in_order = unguarded(steps());
    let backwards: Vec<Value> = in_order.iter().rev().cloned().collect();
    let twice: Vec<Value> = in_order.iter().chain(&backwards).cloned().collect();
    let mut expected = None;
    for (how, records, together) in [
        ("in order", in_order, 1),
        ("backwards", backwards, 1),
        ("twice", twice.clone(), 4),
        ("all", twice, 20),
    ] {
        let script = script();
        let world = World::looking(script.clone()).await?;
        world.hear(&records, together).await?;
        let found = serde_json::to_value(world.findings().await?)?;
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "{how}");
        // Of five changes none is read for twice, whatever each needs.
        assert!(script.asked() <= 8, "{how}: {:?}", script.asked.lock().unwrap());
    }
    let rules: Vec<&str> = expected
        .iter()
        .flat_map(|found| found.as_array().unwrap())
        .map(|one| one["rule"].as_str().unwrap())
        .collect();
    assert_eq!(rules.iter().filter(|rule| **rule == "perimeter-opened").count(), 2, "{rules:?}");
    Ok(())
}
