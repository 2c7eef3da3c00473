//! The prover against trying: random bundles near the edge, and the requests of a grid put to the evaluator. What is
//! called closed must let nothing of the grid in; what is called open must be so by its own request.
//!
//! The long run: `PROPTEST_CASES=200000 cargo test --release --test it grid::`.

mod draw;
mod news;
mod outside;
mod requests;

use std::collections::BTreeMap;

use dynamodb_perimeter::iam::evaluate::{Decision, Outcome};
use dynamodb_perimeter::iam::request::Request;
use dynamodb_perimeter::perimeter::Perimeter;
use dynamodb_perimeter::prove::answer::{Answer, Verdict, prove};
use dynamodb_perimeter::prove::bundle::{Asked, Bundle};
use dynamodb_perimeter::prove::simulate::decide;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use crate::corpus::root;
use draw::Draw;
use outside::{is_asked_about, is_break_glass, is_outside, is_possible, whole};
use requests::Grid;

/// Requests that are picked from a grid for one answer: all, or as many at random.
const PICKED: usize = 1200;

/// How many of them are tried, of those that the verdict speaks of.
const TRIED: usize = 200;

fn now() -> Timestamp {
    "2026-11-25T00:00:00Z".parse().unwrap()
}

/// A bundle, read.
struct Case<'c> {
    /// What the keys stand in that requests are told apart by.
    text: &'c str,
    bundle: &'c Bundle,
    perimeter: &'c Perimeter,
}

impl Case<'_> {
    fn decided(&self, asked: &Asked) -> (Request, Decision<'_>) {
        decide(self.bundle, self.perimeter, asked).unwrap()
    }

    /// What a verdict says that is not so.
    fn refuted(&self, answer: &Answer, seed: u64) -> Option<String> {
        match (answer.verdict, &answer.witness) {
            (Verdict::Unknown, _) => None,
            (Verdict::Open | Verdict::BreakGlassOnly, None) => Some("there is no request".to_owned()),
            (Verdict::Open, Some(asked)) => self.no_witness(answer, asked, false),
            (Verdict::BreakGlassOnly, Some(asked)) => {
                self.no_witness(answer, asked, true).or_else(|| self.gets_through(answer, seed))
            }
            (Verdict::Enforced | Verdict::NoAccess, _) => self.gets_through(answer, seed),
        }
    }

    /// Why a verdict's own request does not show it.
    fn no_witness(&self, answer: &Answer, asked: &Asked, by_break_glass: bool) -> Option<String> {
        let (request, decision) = self.decided(&whole(asked, self.bundle, self.perimeter));
        let caller = &request.caller.arn;
        let claims = [
            ("allowed", decision.outcome == Outcome::Allow && decision.otherwise.is_none()),
            ("possible", self.is_possible(asked)),
            ("outside", is_outside(asked, self.perimeter)),
            ("asked about", self.is_asked_about(answer, asked, caller)),
            ("of break-glass as it should", is_break_glass(asked, caller, self.perimeter) == by_break_glass),
        ];
        let failed = claims.iter().find(|(_, holds)| !holds);
        failed.map(|(what, _)| format!("its request is not {what}: {asked:?}"))
    }

    /// A request of the grid that is allowed, and must not be by the verdict.
    fn gets_through(&self, answer: &Answer, seed: u64) -> Option<String> {
        let entry = self.bundle.principals.iter().find(|entry| entry.arn == answer.principal);
        let session = entry.and_then(|entry| entry.session_arn.as_deref());
        let grid = Grid::new(self.text, &answer.principal, session, &answer.table);
        let mut draw = Draw::new(seed);
        let all = grid.size();
        let picked = (0..all.min(PICKED)).map(|n| if all <= PICKED { n } else { draw.below(all) });
        let excluded = picked
            .map(|n| whole(&grid.nth(n), self.bundle, self.perimeter))
            .filter(|asked| self.is_excluded(answer, asked));
        let mut wrong = excluded.take(TRIED).filter(|asked| self.decided(asked).1.outcome == Outcome::Allow);
        wrong.next().map(|asked| format!("this gets through: {asked:?}"))
    }

    /// Does the verdict say that no such request is allowed?
    fn is_excluded(&self, answer: &Answer, asked: &Asked) -> bool {
        let caller =
            if asked.principal.contains(":assumed-role/") { &answer.principal } else { &asked.principal };
        let is_meant = match answer.verdict {
            Verdict::NoAccess => true,
            Verdict::Enforced => is_outside(asked, self.perimeter),
            Verdict::BreakGlassOnly => {
                is_outside(asked, self.perimeter) && !is_break_glass(asked, caller, self.perimeter)
            }
            Verdict::Open | Verdict::Unknown => false,
        };
        is_meant && self.is_possible(asked) && self.is_asked_about(answer, asked, caller)
    }

    fn is_possible(&self, asked: &Asked) -> bool {
        is_possible(asked, self.bundle, self.perimeter, now())
    }

    fn is_asked_about(&self, answer: &Answer, asked: &Asked, caller: &str) -> bool {
        is_asked_about(asked, caller, (&answer.principal, &answer.table), (self.bundle, self.perimeter))
    }
}

/// The verdicts on a bundle, or what is wrong with one of them.
fn tried(bundle: &Value, seed: u64) -> Result<Vec<Answer>, String> {
    let text = bundle.to_string();
    let Ok(bundle) = Bundle::parse(&text) else { return Ok(Vec::new()) };
    let perimeter = bundle.perimeter.clone().unwrap_or_default();
    let answers = prove(&bundle, &perimeter, now());
    let case = Case { text: &text, bundle: &bundle, perimeter: &perimeter };
    for answer in &answers {
        if let Some(why) = case.refuted(answer, seed) {
            let Answer { principal, table, verdict, .. } = answer;
            return Err(format!("{principal} and {table} are called {}; {why}", verdict.name()));
        }
    }
    Ok(answers)
}

/// The bundle without all that can be left out while the prover stays wrong, and what it then is wrong about.
fn reduced(bundle: Value, seed: u64, why: String) -> (Value, String) {
    reduced_by(bundle, why, |less| tried(less, seed).err())
}

/// A value without all that can be left out while something stays wrong with it, and what that then is.
fn reduced_by(
    mut value: Value,
    mut why: String,
    wrong: impl Fn(&Value) -> Option<String>,
) -> (Value, String) {
    loop {
        let smaller = without_one(&value).into_iter().find_map(|less| Some((wrong(&less)?, less)));
        let Some((still, less)) = smaller else { return (value, why) };
        (value, why) = (less, still);
    }
}

/// A value with one thing less, in every way.
fn without_one(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                let with = |new: Option<Value>| {
                    let items = items.iter().enumerate();
                    let items =
                        items.filter_map(|(m, old)| if m == n { new.clone() } else { Some(old.clone()) });
                    Value::Array(items.collect())
                };
                all.push(with(None));
                all.extend(without_one(item).into_iter().map(|item| with(Some(item))));
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let mut less = members.clone();
                less.remove(name);
                all.push(Value::Object(less));
                all.extend(without_one(member).into_iter().map(|member| {
                    let mut with = members.clone();
                    with.insert(name.clone(), member);
                    Value::Object(with)
                }));
            }
        }
        _ => {}
    }
    all
}

/// Bundles that are drawn, where `PROPTEST_CASES` does not say: proofs are slow where nothing is optimised.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { 256 } else { 1_000 })
}

proptest! {
    // A seed cannot be made smaller; the bundle is.
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_verdict_is_so(seed in any::<u64>()) {
        let bundle = draw::bundle(seed);
        match tried(&bundle, seed) {
            Ok(answers) => prop_assert!(!answers.is_empty(), "it is refused: {}", bundle),
            Err(why) => {
                let (bundle, why) = reduced(bundle, seed, why);
                prop_assert!(false, "{}\n{}", why, bundle);
            }
        }
    }
}

/// What trying has found the prover wrong about: the verdict on the first principal and table of each bundle.
#[test]
fn what_was_proven_wrongly() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(root().join("tests/fixtures/refuted.json"))?;
    let mut wrong = Vec::new();
    for case in serde_json::from_str::<Vec<Value>>(&text)? {
        let found =
            tried(&case["bundle"], 0).map(|answers| answers.first().map(|answer| answer.verdict.name()));
        if found != Ok(case["expected"].as_str()) {
            wrong.push(format!("{}: {found:?}, expected {}", case["title"], case["expected"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The bundles are near the edge: each verdict is given often. And what cannot be told is seldom.
#[test]
fn few_verdicts_are_unknown() {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..if cfg!(debug_assertions) { 40 } else { 1_000 } {
        for answer in tried(&draw::bundle(seed), seed).unwrap_or_default() {
            *counted.entry(answer.verdict.name()).or_default() += 1;
            answer.reason.into_iter().for_each(|reason| *reasons.entry(reason).or_default() += 1);
        }
    }
    let all: usize = counted.values().sum();
    println!("{counted:?} {reasons:?}");
    assert!(counted["unknown"] * 10 <= all, "{counted:?} {reasons:?}");
    for verdict in ["open", "break_glass_only", "enforced", "no_access"] {
        assert!(counted.get(verdict).is_some_and(|count| count * 40 >= all), "{verdict}: {counted:?}");
    }
}
