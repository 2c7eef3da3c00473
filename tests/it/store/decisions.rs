//! What people decide about findings: each decision once, whatever fails and whoever else writes, and each
//! reading as things stand then.

use dynamodb_perimeter::findings::finding::{Kept, Step};
use dynamodb_perimeter::findings::lifecycle::{Decision, Refused, Transition};
use dynamodb_perimeter::findings::store::{Decided, DecisionError};

use super::*;

fn hour(n: i64) -> Timestamp {
    at(3600 * n)
}

fn decision(n: i64, by: &str, transition: Transition) -> Decision {
    Decision::new(transition, by, hour(n)).unwrap()
}

fn acknowledge() -> Transition {
    Transition::Acknowledge { note: "looking".into() }
}

fn suppress(until: i64) -> Transition {
    Transition::Suppress { until: hour(until), reason: "a test".into() }
}

fn resolve() -> Transition {
    Transition::Resolve { reason: "mended".into() }
}

fn covered(mut delta: Delta, coverage: Coverage) -> Delta {
    delta.sightings.coverage = coverage;
    delta
}

async fn find(store: &FindingsTable, n: i64) -> Result<Kept> {
    Ok(store.find(&identity(1).id(), hour(n)).await?.ok_or("the finding")?)
}

/// The steps, by what they are between.
fn ways(history: &[Step]) -> Vec<(Status, Status)> {
    history.iter().map(|step| (step.from, step.to)).collect()
}

/// In which lists the finding is at that hour: the statuses, each asked for alone, over all and by account.
async fn listed_as(store: &FindingsTable, finding: u32, n: i64) -> Result<Vec<Status>> {
    let mut found = Vec::new();
    for status in Status::ALL {
        let mut both = Vec::new();
        for account in [None, identity(finding).account] {
            let query = Query { statuses: vec![status], account, ..Query::default() };
            let (page, _) = store.list(&query, None, hour(n)).await?;
            assert!(page.iter().all(|kept| kept.status == status));
            both.push(page.iter().any(|kept| kept.sightings.identity == identity(finding)));
        }
        assert_eq!(both[0], both[1], "{status:?} at {n}");
        found.extend(both[0].then_some(status));
    }
    Ok(found)
}

#[tokio::test]
async fn a_decision_is_kept_and_listed_by() -> Result {
    let store = empty().await?;
    record(&store, delta(1, [1])).await?;
    record(&store, delta(2, [1])).await?;
    let id = identity(1).id();
    let first = decision(1, "anna", acknowledge());
    let Decided { kept, is_news } = store.decide(&id, &first).await?;
    assert_eq!((kept.status, is_news), (Status::Acknowledged, true));
    assert_eq!(find(&store, 1).await?.history, kept.history);
    assert_eq!(kept.history.len(), 1);
    assert_eq!((kept.history[0].by.as_str(), kept.history[0].note.as_str()), ("anna", "looking"));
    assert_eq!(listed_as(&store, 1, 1).await?, [Status::Acknowledged]);
    assert_eq!(listed_as(&store, 2, 1).await?, [Status::Open]);
    // Evidence is as it was.
    assert_eq!(store.evidence(&id).await?.len(), 1);
    let again = store.decide(&id, &first).await?;
    assert_eq!((again.kept.history, again.is_news), (kept.history, false));
    let refused = store.decide(&id, &decision(2, "otto", acknowledge())).await;
    assert!(matches!(refused, Err(DecisionError::Refused(Refused::Already(Status::Acknowledged)))));
    Ok(())
}

#[tokio::test]
async fn of_what_nobody_is_shown_nothing_is_decided() -> Result {
    let store = empty().await?;
    let id = identity(1).id();
    let unknown = |decided| matches!(decided, Err(DecisionError::Unknown(_)));
    let resolved = decision(1, "anna", resolve());
    assert!(unknown(store.decide(&id, &resolved).await));
    store.withdraw(&id, &[key(1)]).await?;
    assert!(unknown(store.decide(&id, &resolved).await));
    record(&store, delta(1, [1])).await?;
    assert!(unknown(store.decide(&id, &resolved).await));
    record(&store, delta(1, [2])).await?;
    assert!(store.decide(&id, &resolved).await?.is_news);
    Ok(())
}

#[tokio::test]
async fn an_end_is_seen_before_anybody_writes_it_down_and_the_same_afterwards() -> Result {
    let tap = Tap::new(|_, _| Fault::None)?;
    let (store, client) = tap.store().await?;
    let id = identity(1).id();
    record(&store, delta(1, [1])).await?;
    store.decide(&id, &decision(1, "anna", resolve())).await?;
    store.record(delta(1, [2]), hour(2)).await?;
    store.decide(&id, &decision(3, "anna", suppress(10))).await?;
    let writes = tap.writes();
    for (n, status) in [(9, Status::Suppressed), (10, Status::Reopened), (99, Status::Reopened)] {
        assert_eq!(find(&store, n).await?.status, status);
        assert_eq!(listed_as(&store, 1, n).await?, [status], "at {n}");
        let both = Query { statuses: vec![status, Status::Resolved], ..Query::default() };
        assert_eq!(store.list(&both, None, hour(n)).await?.0.len(), 1);
    }
    assert_eq!(tap.writes(), writes);
    let read = find(&store, 50).await?.history;
    let last = read.last().ok_or("a step")?;
    assert_eq!((last.at, last.by.as_str()), (hour(10), "perimeter"));
    // Whoever brings what is known already writes it down, once.
    for _ in 0..2 {
        store.record(delta(1, [1]), hour(60)).await?;
        assert_eq!(tap.writes(), writes + 1);
    }
    assert_eq!(find(&store, 60).await?.history, read);
    let item = client.scan().table_name(TABLE).send().await?.items.unwrap_or_default();
    let item = item.iter().find(|item| item.contains_key("identity")).ok_or("the item")?;
    assert_eq!(item.get("status"), Some(&AttributeValue::S("reopened".into())));
    assert!(["lapses", "back_to"].iter().all(|name| !item.contains_key(*name)), "{item:?}");
    Ok(())
}

#[tokio::test]
async fn what_entries_cover_comes_back_when_they_end() -> Result {
    let store = empty().await?;
    let coverages = [Coverage::Until(hour(10)), Coverage::Until(hour(20)), Coverage::Endless];
    for (finding, coverage) in (1..).zip(coverages) {
        store.record(covered(delta(finding, [1]), coverage), hour(1)).await?;
    }
    let long_ago = Coverage::Until(hour(-10));
    let kept = store.record(covered(delta(4, [1]), long_ago), hour(1)).await?;
    assert_eq!((kept.status, kept.finding().history.len()), (Status::Open, 1));
    let (open, suppressed) = ([Status::Open], [Status::Suppressed]);
    for (n, expected) in
        [(5, [suppressed, suppressed, suppressed, open]), (15, [open, suppressed, suppressed, open])]
    {
        for (finding, expected) in (1..).zip(expected) {
            assert_eq!(listed_as(&store, finding, n).await?, expected, "{finding} at {n}");
        }
    }
    let all = Query::default();
    let statuses = |kept: &[Kept]| kept.iter().filter(|kept| kept.status == Status::Open).count();
    for (n, open) in [(5, 1), (15, 2), (25, 3)] {
        assert_eq!(statuses(&store.list(&all, None, hour(n)).await?.0), open);
    }
    // A longer entry covers the next record, and with it the finding: nobody has decided anything.
    store.record(covered(delta(1, [2]), Coverage::Until(hour(40))), hour(30)).await?;
    assert_eq!(listed_as(&store, 1, 30).await?, suppressed);
    assert_eq!(find(&store, 30).await?.history, []);
    // From a decision on, it stands as it was decided.
    let id = identity(1).id();
    store.decide(&id, &decision(31, "anna", Transition::Reopen { note: String::new() })).await?;
    store.record(covered(delta(1, [3]), Coverage::Endless), hour(32)).await?;
    assert_eq!(listed_as(&store, 1, 32).await?, open);
    Ok(())
}

#[tokio::test]
async fn items_of_an_earlier_version_are_read_and_listed() -> Result {
    let tap = Tap::new(|_, _| Fault::None)?;
    let (store, client) = tap.store().await?;
    record(&store, covered(delta(1, [1]), Coverage::Endless)).await?;
    record(&store, delta(2, [1])).await?;
    for mut item in client.scan().table_name(TABLE).send().await?.items.unwrap_or_default() {
        for name in ["lapses", "back_to", "covered_until", "decisions"] {
            item.remove(name);
        }
        client.put_item().table_name(TABLE).set_item(Some(item)).send().await?;
    }
    assert_eq!(listed_as(&store, 1, 99).await?, [Status::Suppressed]);
    assert_eq!(listed_as(&store, 2, 99).await?, [Status::Open]);
    store.decide(&identity(1).id(), &decision(1, "anna", resolve())).await?;
    assert_eq!(listed_as(&store, 1, 99).await?, [Status::Resolved]);
    Ok(())
}

// ---- What fails, and who else writes

#[test]
fn whatever_fails_on_the_way_a_decision_is_carried_out_once() -> Result {
    for fault in [Fault::Throttled, Fault::Conflict, Fault::Broken, Fault::LostAnswer] {
        for failing in ["GetItem", "PutItem"] {
            run(async {
                let left = Arc::new(AtomicU64::new(0));
                let fails = left.clone();
                let tap = Tap::new(move |_, operation| {
                    let is_hit = operation == failing
                        && fails.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_ok();
                    if is_hit { fault } else { Fault::None }
                })?;
                let (store, _) = tap.store().await?;
                record(&store, delta(1, [1])).await?;
                left.store(2, Relaxed);
                let resolved = decision(1, "anna", resolve());
                let id = identity(1).id();
                assert_eq!(store.decide(&id, &resolved).await?.kept.status, Status::Resolved);
                assert_eq!(left.load(Relaxed), 0, "{fault:?} {failing}");
                assert!(!store.decide(&id, &resolved).await?.is_news);
                assert_eq!(ways(&find(&store, 1).await?.history), [(Status::Open, Status::Resolved)]);
                assert_eq!(listed_as(&store, 1, 1).await?, [Status::Resolved]);
                Ok(())
            })?;
        }
    }
    Ok(())
}

#[test]
fn where_the_store_fails_for_good_either_state_is_left() -> Result {
    let left_by =
        async |fault: Fault| {
            let failing = Arc::new(AtomicU64::new(0));
            let fails = failing.clone();
            let tap = Tap::new(move |_, operation| {
                if operation == "PutItem" && fails.load(Relaxed) == 1 { fault } else { Fault::None }
            })?;
            let (store, _) = tap.store().await?;
            record(&store, delta(1, [1])).await?;
            failing.store(1, Relaxed);
            let suppressed = decision(1, "anna", suppress(10));
            let id = identity(1).id();
            let failed = store.decide(&id, &suppressed).await;
            failing.store(0, Relaxed);
            let left = find(&store, 2).await?;
            assert_eq!(listed_as(&store, 1, 2).await?, [left.status]);
            // Made again, it is carried out; or it was, and nobody heard of it.
            let again = store.decide(&id, &suppressed).await?;
            assert_eq!(ways(&again.kept.history), [(Status::Open, Status::Suppressed)]);
            assert_eq!(again.is_news, left.history.is_empty());
            Ok::<_, Box<dyn Error>>((failed.is_err(), left.status))
        };
    run(async {
        let (broken, lost) = tokio::join!(left_by(Fault::Broken), left_by(Fault::LostAnswer));
        assert_eq!(broken?, (true, Status::Open));
        // The second try finds what the first one did.
        assert_eq!(lost?, (false, Status::Suppressed));
        Ok(())
    })
}

#[test]
fn of_two_who_decide_at_once_the_second_decides_about_what_the_first_left() -> Result {
    for round in 0..20 {
        run(async {
            let store = empty().await?;
            record(&store, delta(1, [1])).await?;
            let id = identity(1).id();
            let (one, other) = (decision(1, "anna", acknowledge()), decision(1, "otto", acknowledge()));
            let (one, other) = tokio::join!(store.decide(&id, &one), store.decide(&id, &other));
            let refused = [one, other].into_iter().filter_map(std::result::Result::err).collect::<Vec<_>>();
            let already = Refused::Already(Status::Acknowledged);
            assert!(
                matches!(refused.as_slice(), [DecisionError::Refused(why)] if *why == already),
                "round {round}: {refused:?}"
            );
            // What makes sense after the other as well, both do.
            let (one, other) = (decision(2, "anna", suppress(9)), decision(2, "otto", resolve()));
            let (one, other) = tokio::join!(store.decide(&id, &one), store.decide(&id, &other));
            other?;
            let kept = find(&store, 3).await?;
            assert_eq!(kept.status, Status::Resolved);
            assert_eq!(kept.history.len(), if one.is_ok() { 3 } else { 2 });
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn who_decides_and_who_records_lose_nothing_of_each_other() -> Result {
    let mut seen_after = 0;
    for round in 0..30u32 {
        let reopened = run(async {
            let store = empty().await?;
            record(&store, delta(1, [1])).await?;
            let (decider, id) = (store.clone(), identity(1).id());
            let deciding = tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_micros(u64::from(round) * 60)).await;
                decider.decide(&id, &decision(1, "anna", resolve())).await
            });
            for event in 2..8 {
                store.record(delta(1, [event]), hour(1)).await?;
            }
            deciding.await??;
            let kept = find(&store, 2).await?;
            assert_eq!(kept.count(), 7);
            let (resolved, reopened) =
                ((Status::Open, Status::Resolved), (Status::Resolved, Status::Reopened));
            let expected: &[_] = match kept.status {
                Status::Resolved => &[resolved],
                _ => &[resolved, reopened],
            };
            assert_eq!(ways(&kept.history), expected);
            assert_eq!(listed_as(&store, 1, 2).await?, [kept.status]);
            Ok(kept.status == Status::Reopened)
        })?;
        seen_after += u32::from(reopened);
    }
    eprintln!("{seen_after} of 30 were seen again after they were resolved");
    Ok(())
}

// ---- In any order

/// What happens to a finding.
#[derive(Clone, Debug)]
enum Happens {
    Seen(Vec<u32>, Coverage),
    Decided(Transition),
    /// What happened before, the so-many-th of it, is done once more.
    Again(prop::sample::Index),
}

fn any_coverage() -> impl Strategy<Value = Coverage> {
    prop_oneof![
        2 => Just(Coverage::Uncovered),
        4 => (0i64..60).prop_map(|end| Coverage::Until(hour(end))),
        1 => Just(Coverage::Endless),
    ]
}

fn any_transition() -> impl Strategy<Value = Transition> {
    prop_oneof![
        Just(acknowledge()),
        // Too early for some of the hours: such a one is no decision.
        (0i64..60).prop_map(suppress),
        Just(resolve()),
        (0u8..3).prop_map(|n| Transition::ResolveByChange { event: format!("e-{n}"), what: String::new() }),
        Just(Transition::Reopen { note: String::new() }),
    ]
}

fn any_happening() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (prop::collection::vec(0u32..20, 1..4), any_coverage()).prop_map(|(seen, coverage)| Happens::Seen(seen, coverage)),
        4 => any_transition().prop_map(Happens::Decided),
        2 => any::<prop::sample::Index>().prop_map(Happens::Again),
    ]
}

/// The specification, as plainly as it can be said.
#[derive(Debug, Default)]
struct Specified {
    seen: BTreeSet<u32>,
    covers: Vec<Coverage>,
    /// Where it stands by decision, and until when and what then, if that is suppressed.
    stands: Option<(Status, Option<(i64, Status)>)>,
    steps: Vec<(Status, Status, Timestamp)>,
    done: BTreeSet<String>,
}

impl Specified {
    fn end_of_cover(&self) -> Option<Timestamp> {
        let mut last = Timestamp::MIN;
        for cover in &self.covers {
            match cover {
                Coverage::Uncovered => return None,
                Coverage::Endless => last = Timestamp::MAX,
                Coverage::Until(end) => last = last.max(*end),
            }
        }
        Some(last)
    }

    fn status(&self, now: i64) -> Status {
        match self.stands {
            Some((Status::Suppressed, Some((end, back)))) if end <= now => back,
            Some((status, _)) => status,
            None if self.end_of_cover().is_some_and(|end| hour(now) < end) => Status::Suppressed,
            None => Status::Open,
        }
    }

    /// All steps as they are told at that hour.
    fn told(&self, now: i64) -> Vec<(Status, Status, Timestamp)> {
        let mut steps = self.steps.clone();
        let ended = match self.stands {
            Some((Status::Suppressed, Some((end, back)))) if end <= now => Some((back, hour(end))),
            Some(_) => None,
            None => self.end_of_cover().filter(|end| *end <= hour(now)).map(|end| (Status::Open, end)),
        };
        steps.extend(ended.map(|(back, end)| (Status::Suppressed, back, end)));
        steps
    }

    fn see(&mut self, now: i64, events: &[u32], coverage: Coverage) {
        let status = self.status(now);
        if self.stands.is_some() {
            (self.steps, self.stands) = (self.told(now), self.stands.map(|stands| self.still(stands, now)));
        }
        let is_news = events.iter().any(|event| !self.seen.contains(event));
        self.seen.extend(events);
        self.covers.push(coverage);
        if is_news && status == Status::Resolved {
            self.steps.push((Status::Resolved, Status::Reopened, hour(now)));
            self.stands = Some((Status::Reopened, None));
        }
    }

    fn still(&self, stands: (Status, Option<(i64, Status)>), now: i64) -> (Status, Option<(i64, Status)>) {
        if self.status(now) == stands.0 { stands } else { (self.status(now), None) }
    }

    /// Returns whether it is carried out, now or before.
    fn decide(&mut self, id: &str, now: i64, transition: &Transition) -> bool {
        use Status::{Acknowledged, Open, Reopened, Resolved, Suppressed};
        if self.done.contains(id) {
            return true;
        }
        let from = self.status(now);
        let (to, until) = match (transition, from) {
            _ if self.seen.is_empty() => return false,
            (Transition::Acknowledge { .. }, Open | Reopened) => (Acknowledged, None),
            (Transition::Suppress { until, .. }, Open | Reopened | Acknowledged | Suppressed) => {
                (Suppressed, Some(*until))
            }
            (Transition::Resolve { .. } | Transition::ResolveByChange { .. }, from) if from != Resolved => {
                (Resolved, None)
            }
            (Transition::Reopen { .. }, Acknowledged | Suppressed) => (Open, None),
            (Transition::Reopen { .. }, Resolved) => (Reopened, None),
            _ => return false,
        };
        let until = until.map(|until| (until.as_second() - hour(0).as_second()) / 3600);
        let now_until = self.stands.and_then(|(_, lapse)| lapse).filter(|_| from == Suppressed);
        if from == Suppressed && to == Suppressed && now_until.map(|(end, _)| end) == until {
            return false;
        }
        let back = match (from, now_until) {
            (Reopened, _) => Reopened,
            (Suppressed, Some((_, back))) => back,
            _ => Open,
        };
        self.steps = self.told(now);
        self.steps.push((from, to, hour(now)));
        self.stands = Some((to, until.map(|until| (until, back))));
        self.done.insert(id.to_owned());
        true
    }
}

/// What is done to the store, and to the specification alike.
#[derive(Clone)]
enum Done {
    Seen(Vec<u32>, Coverage),
    Decided(Decision, i64, Transition),
}

async fn do_it(store: &FindingsTable, specified: &mut Specified, done: &Done, now: i64) -> Result {
    match done {
        Done::Seen(events, coverage) => {
            store.record(covered(delta(1, events.iter().copied()), *coverage), hour(now)).await?;
            specified.see(now, events, *coverage);
        }
        Done::Decided(decision, at, transition) => {
            let decided = store.decide(&identity(1).id(), decision).await;
            let is_done = specified.decide(decision.id(), *at, transition);
            match decided {
                Ok(_) => assert!(is_done, "{transition:?} at {at}"),
                Err(DecisionError::Refused(_) | DecisionError::Unknown(_)) => {
                    assert!(!is_done, "{transition:?} at {at}")
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

async fn as_specified(store: &FindingsTable, specified: &Specified, now: i64) -> Result {
    for n in [now, now + 7, 1000] {
        let kept = find(store, n).await?;
        let told: Vec<_> = kept.finding().history.iter().map(|step| (step.from, step.to, step.at)).collect();
        assert_eq!((kept.status, told), (specified.status(n), specified.told(n)), "at {n}: {specified:?}");
        assert_eq!(kept.count(), specified.seen.len() as u64);
        assert_eq!(listed_as(store, 1, n).await?, [kept.status], "at {n}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 128, ..ProptestConfig::default() })]

    /// Of decisions and records in any order, some of them again, while requests fail. An hour passes between
    /// one and the next.
    #[test]
    fn any_life_of_a_finding_is_as_it_is_specified(
        life in prop::collection::vec(any_happening(), 1..24),
        fault_every in prop_oneof![Just(0u64), 3u64..9],
        fault_kind in 0u64..5,
    ) {
        let result = run(async {
            let tap = Tap::new(move |n, _| fault(n, fault_every, fault_kind))?;
            let (store, _) = tap.store().await?;
            let (mut specified, mut past) = (Specified::default(), Vec::<Done>::new());
            for (now, happens) in (1..).zip(&life) {
                let done = match happens {
                    Happens::Seen(events, coverage) => Done::Seen(events.clone(), *coverage),
                    Happens::Again(_) if past.is_empty() => continue,
                    Happens::Again(which) => past[which.index(past.len())].clone(),
                    Happens::Decided(transition) => {
                        match Decision::new(transition.clone(), "anna", hour(now)) {
                            Ok(decision) => Done::Decided(decision, now, transition.clone()),
                            Err(_) => continue,
                        }
                    }
                };
                do_it(&store, &mut specified, &done, now).await?;
                past.push(done);
            }
            if !specified.seen.is_empty() {
                as_specified(&store, &specified, life.len() as i64).await?;
            }
            Ok(())
        });
        prop_assert!(result.is_ok(), "{result:?}");
    }
}
