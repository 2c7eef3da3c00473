//! What a proof costs: over a corpus of bundles that are made from seeds, for one of them, and for all the
//! roles of an account.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use dynamodb_perimeter::iam::request::Values;
use dynamodb_perimeter::perimeter::Perimeter;
use dynamodb_perimeter::prove::answer::{Answer, prove};
use dynamodb_perimeter::prove::bundle::{Asked, Bundle};
use dynamodb_perimeter::prove::simulate::simulate;
use jiff::Timestamp;

mod bundles;

/// Bundles of the corpus.
const COUNT: u64 = 1000;
/// A typical one: `enforced`, and the median of the corpus when it was first measured.
const TYPICAL: u64 = 678;
/// Roles of the account, unless the variable `ROLES` says otherwise.
const ROLES: usize = 10_000;

type Benched<T> = Result<T, Box<dyn std::error::Error>>;

struct Case {
    bundle: Bundle,
    perimeter: Perimeter,
}

impl Case {
    fn read(text: &str) -> Benched<Self> {
        let bundle = Bundle::parse(text).map_err(|errors| format!("{errors:?}"))?;
        let perimeter = bundle.perimeter.clone().ok_or("the bundle has no perimeter")?;
        Ok(Self { bundle, perimeter })
    }

    fn prove(&self) -> Vec<Answer> {
        prove(&self.bundle, &self.perimeter, Timestamp::UNIX_EPOCH)
    }

    /// The only answer, and the best of three times: of the answer, and of the whole call.
    fn best_of_three(&self) -> Benched<(Answer, Duration)> {
        let mut answer = self.prove().pop().ok_or("no answer")?;
        let mut whole = Duration::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            let answers = self.prove();
            whole = whole.min(began.elapsed());
            answer.took = answers.iter().map(|again| again.took).fold(answer.took, Duration::min);
        }
        Ok((answer, whole))
    }
}

fn corpus() -> Benched<()> {
    let cases: Vec<Case> =
        (1..=COUNT).map(|seed| Case::read(&bundles::bundle(seed))).collect::<Benched<_>>()?;
    let (mut verdicts, mut reasons) = (BTreeMap::new(), BTreeMap::new());
    let (mut answers, mut calls) = (Vec::new(), Vec::new());
    for (seed, case) in (1..=COUNT).zip(&cases) {
        let (answer, whole) = case.best_of_three()?;
        *verdicts.entry(answer.verdict.name()).or_insert(0) += 1;
        answers.push((answer.took, seed, answer.verdict.name()));
        calls.push(whole);
        if let Some(reason) = answer.reason {
            reasons.entry(reason).or_insert_with(Vec::new).push(seed);
        }
    }
    eprintln!("{COUNT} bundles: {verdicts:?}");
    for (reason, seeds) in reasons {
        eprintln!("  unknown: {reason}: {} of them, seed {:?} the first", seeds.len(), seeds.first());
    }
    answers.sort_unstable();
    told("an answer", &answers.iter().map(|(took, ..)| *took).collect::<Vec<_>>());
    calls.sort_unstable();
    told("the call  ", &calls);
    if let Some((_, seed, verdict)) = answers.get(answers.len() / 2) {
        eprintln!("  median: seed {seed}, {verdict}");
    }
    for (took, seed, verdict) in answers.iter().rev().take(10) {
        eprintln!("  slow: seed {seed}, {verdict}, {took:.1?}");
    }
    Ok(())
}

fn told(what: &str, sorted: &[Duration]) {
    let at = |share: usize| sorted.get((sorted.len() * share / 1000).min(sorted.len() - 1));
    let [half, most, nearly, max] = [500, 900, 990, 1000].map(|share| at(share).copied().unwrap_or_default());
    eprintln!("  {what}: p50 {half:.1?}, p90 {most:.1?}, p99 {nearly:.1?}, max {max:.1?}");
}

fn account() -> Benched<()> {
    let roles = std::env::var("ROLES").map_or(Ok(ROLES), |roles| roles.parse())?;
    let text = bundles::snapshot(1, roles);
    let began = Instant::now();
    let case = Case::read(&text)?;
    let read = began.elapsed();
    let began = Instant::now();
    let answers = case.prove();
    let proven = began.elapsed();
    let mut verdicts = BTreeMap::new();
    answers.iter().for_each(|answer| *verdicts.entry(answer.verdict.name()).or_insert(0) += 1);
    eprintln!("an account of {roles} roles, {} MiB: {verdicts:?}", text.len() >> 20);
    eprintln!("  read in {read:.1?}, proven in {proven:.1?}");
    Ok(())
}

fn typical(criterion: &mut Criterion) -> Benched<()> {
    let text = bundles::bundle(TYPICAL);
    let mut case = Case::read(&text)?;
    criterion.bench_function("read a typical bundle", |bench| bench.iter(|| Bundle::parse(black_box(&text))));
    criterion.bench_function("prove a typical bundle", |bench| bench.iter(|| black_box(&case).prove()));
    case.bundle.request = Some(request(&case.bundle)?);
    criterion.bench_function("simulate a request of a typical bundle", |bench| {
        bench.iter(|| simulate(black_box(&case.bundle), &case.perimeter).is_ok());
    });
    Ok(())
}

/// One from an address that nobody trusts.
fn request(bundle: &Bundle) -> Benched<Asked> {
    let principal = bundle.principals.first().ok_or("no principal")?.arn.clone();
    let resource = bundle.tables.first().ok_or("no table")?.arn.clone();
    let context = vec![("aws:SourceIp".to_owned(), Values::One("203.0.113.9".to_owned()))];
    Ok(Asked { action: "dynamodb:GetItem".to_owned(), resource, principal, context })
}

fn benches(criterion: &mut Criterion) {
    if let Err(error) = corpus().and_then(|()| typical(criterion)).and_then(|()| account()) {
        eprintln!("prove: {error}");
        std::process::exit(1);
    }
}

criterion_group!(group, benches);
criterion_main!(group);
