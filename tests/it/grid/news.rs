//! What is newly allowed, against trying: a bundle, the same with one thing less, and the requests of the grid.

use dynamodb_perimeter::iam::evaluate::Outcome;
use dynamodb_perimeter::iam::request::Values;
use dynamodb_perimeter::ids::Arn;
use dynamodb_perimeter::prove::answer::{Answer, Inquiry, Verdict, Within};
use dynamodb_perimeter::prove::bundle::{Asked, Bundle};
use dynamodb_perimeter::prove::simulate::decide;
use proptest::prelude::*;
use serde_json::Value;

use crate::corpus::root;

use super::draw::{self, Draw};
use super::outside::{is_break_glass, is_outside, is_without_tags, whole};
use super::requests::Grid;
use super::{Case, PICKED, TRIED, cases, now, reduced_by, without_one};

/// Two sets of policies under one perimeter: either is the other with one thing less.
fn pair(seed: u64) -> Value {
    let (whole, mut draw) = (draw::bundle(seed), Draw::new(seed ^ 0x5eed));
    let parts = ["principals", "scps", "rcps", "tables", "endpoints"];
    let part = parts[draw.below(parts.len())];
    let mut less = whole.clone();
    let smaller = without_one(&whole[part]);
    if !smaller.is_empty() {
        less[part] = smaller[draw.below(smaller.len())].clone();
    }
    if draw.below(2) == 0 {
        serde_json::json!({"old": whole, "new": less})
    } else {
        serde_json::json!({"old": less, "new": whole})
    }
}

/// The verdicts on what is new, or what is wrong with one of them.
fn tried(pair: &Value, seed: u64) -> Result<Vec<Answer>, String> {
    let (text, old_text) = (pair["new"].to_string(), pair["old"].to_string());
    let (Ok(new), Ok(old)) = (Bundle::parse(&text), Bundle::parse(&old_text)) else { return Ok(Vec::new()) };
    let perimeter = new.perimeter.clone().unwrap_or_default();
    let inquiry = Inquiry {
        bundle: &new,
        perimeter: &perimeter,
        now: now(),
        baseline: Some(&old),
        explain: false,
        threads: 1,
        within: Within::default(),
    };
    let answers = inquiry.answers();
    // What only the old set asks for tells requests apart as well.
    let asked_for = format!("{text}{old_text}");
    let case = Case { text: &asked_for, bundle: &new, perimeter: &perimeter };
    for answer in &answers {
        let wrong = match (answer.verdict, &answer.witness) {
            (Verdict::Open, Some(asked)) => {
                let again = whole(asked, &new, &perimeter);
                (!was_denied(&old, answer, &again, &case))
                    .then(|| format!("its request was allowed before: {asked:?}"))
                    .or_else(|| case.no_witness(answer, asked, false))
            }
            (Verdict::Enforced, None) => gets_through(&old, answer, &case, seed),
            (Verdict::Unknown, _) => None,
            other => Some(format!("no answer to what is new: {other:?}")),
        };
        if let Some(wrong) = wrong {
            return Err(format!("{} and {}: {wrong}", answer.principal, answer.table));
        }
    }
    Ok(answers)
}

/// Did the old set surely not allow a request? It allows nothing of a principal or table that it does not know; its
/// `*` stands for roles and users of enforced accounts, and for their tables. What it knew of tags was so then.
fn was_denied(old: &Bundle, answer: &Answer, asked: &Asked, case: &Case<'_>) -> bool {
    let is_ours = |arn: &str| Arn::parse(arn).is_some_and(|arn| case.perimeter.lists(arn.account));
    let is_anybody =
        |arn: &str| arn == "*" || is_ours(arn) && (arn.contains(":role/") || arn.contains(":user/"));
    let is_any_table = |arn: &str| arn == "*" || is_ours(arn);
    let entry = old.principals.iter().find(|entry| entry.arn == answer.principal);
    let entry = entry.or_else(|| old.principal("*").filter(|_| is_anybody(&answer.principal)));
    let table = old.tables.iter().find(|table| table.arn == answer.table);
    let table = table.or_else(|| old.table("*").filter(|_| is_any_table(&answer.table)));
    let (Some(entry), Some(_)) = (entry, table) else { return true };
    let mut then = asked.clone();
    let mut were = |prefix: &str, tags: Option<&Vec<(String, String)>>| {
        let Some(tags) = tags else { return };
        then.context.retain(|(key, _)| !key.starts_with(prefix));
        then.context
            .extend(tags.iter().map(|(tag, value)| (format!("{prefix}{tag}"), Values::One(value.clone()))));
    };
    let is_known = case.perimeter.prove.session_tags_none && !is_without_tags(&asked.principal);
    were("aws:PrincipalTag/", entry.tags.as_ref().filter(|_| is_known));
    let has_tags = !["/backup/", "/export/", "/import/"].iter().any(|kind| asked.resource.contains(kind));
    let own = old.tables.iter().filter(|table| has_tags && asked.resource.starts_with(&table.arn));
    were("aws:ResourceTag/", own.max_by_key(|table| table.arn.len()).and_then(|table| table.tags.as_ref()));
    let (_, decision) = decide(old, case.perimeter, &then).unwrap();
    decision.otherwise.is_none() && decision.outcome != Outcome::Allow
}

/// A request of the grid that is surely allowed now, and surely was not.
fn gets_through(old: &Bundle, answer: &Answer, case: &Case<'_>, seed: u64) -> Option<String> {
    let grid = Grid::new(case.text, &answer.principal, None, &answer.table);
    let mut draw = Draw::new(seed);
    let all = grid.size();
    let picked = (0..all.min(PICKED)).map(|n| if all <= PICKED { n } else { draw.below(all) });
    let whole = picked.map(|n| whole(&grid.nth(n), case.bundle, case.perimeter));
    let is_meant = |asked: &Asked| {
        let caller =
            if asked.principal.contains(":assumed-role/") { &answer.principal } else { &asked.principal };
        // Of everybody who could exist, those with an entry of their own have policies of their own.
        let is_one = answer.principal != "*" || !old.principals.iter().any(|entry| entry.arn == *caller);
        is_one
            && is_outside(asked, case.perimeter)
            && !is_break_glass(asked, caller, case.perimeter)
            && case.is_possible(asked)
            && case.is_asked_about(answer, asked, caller)
    };
    let tried = whole.filter(is_meant).take(TRIED);
    let mut new = tried.filter(|asked| {
        let decision = case.decided(asked).1;
        decision.outcome == Outcome::Allow
            && decision.otherwise.is_none()
            && was_denied(old, answer, asked, case)
    });
    new.next().map(|asked| format!("this is newly allowed: {asked:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn what_is_new_is_found(seed: u64) {
        let pair = pair(seed);
        if let Err(why) = tried(&pair, seed) {
            let (pair, why) = reduced_by(pair, why, |pair| tried(pair, seed).err());
            return Err(TestCaseError::fail(format!("{why}\n{pair}")));
        }
    }
}

/// Both answers are given, and what cannot be told is seldom.
#[test]
fn news_are_told() {
    let mut counted = std::collections::BTreeMap::new();
    for seed in 0..if cfg!(debug_assertions) { 300 } else { 3_000 } {
        for answer in tried(&pair(seed), seed).unwrap_or_default() {
            *counted.entry(answer.verdict.name()).or_insert(0) += 1;
        }
    }
    let all: usize = counted.values().sum();
    println!("{counted:?}");
    assert!(counted.get("unknown").copied().unwrap_or(0) * 20 <= all, "{counted:?}");
    for verdict in ["open", "enforced"] {
        assert!(counted.get(verdict).is_some_and(|count| count * 40 >= all), "{verdict}: {counted:?}");
    }
}

/// What trying and attacks have found wrong: the verdict on the first principal and table.
#[test]
fn what_was_told_wrongly() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(root().join("tests/fixtures/refuted-news.json"))?;
    let mut wrong = Vec::new();
    for case in serde_json::from_str::<Vec<Value>>(&text)? {
        let found = tried(&case, 0).map(|answers| answers.first().map(|answer| answer.verdict.name()));
        if found != Ok(case["expected"].as_str()) {
            wrong.push(format!("{}: {found:?}, expected {}", case["title"], case["expected"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
