//! What a proof costs, and a decision: over a thousand bundles as platform teams have them, one of them, and an
//! account of ten thousand roles. Bundles are read beforehand; nothing is kept from one run to the next.

mod corpus;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use dynamodb_perimeter::perimeter::Perimeter;
use dynamodb_perimeter::prove::answer::{Inquiry, prove};
use dynamodb_perimeter::prove::bundle::{Asked, Bundle};
use dynamodb_perimeter::prove::simulate::decide;
use jiff::Timestamp;

type Benched<T> = Result<T, Box<dyn std::error::Error>>;

const BUNDLES: u64 = 1_000;
const ROLES: usize = 10_000;

fn read(text: &str) -> Benched<(Bundle, Perimeter)> {
    let bundle = Bundle::parse(text).map_err(|errors| format!("{errors:?}"))?;
    let perimeter = bundle.perimeter.clone().unwrap_or_default();
    Ok((bundle, perimeter))
}

/// The best of three for each bundle, as many verdicts as there are, and what stands in the middle and at the end.
fn over_the_corpus(now: Timestamp) -> Benched<()> {
    let (mut times, mut verdicts) = (Vec::new(), BTreeMap::new());
    for seed in 0..BUNDLES {
        let (bundle, perimeter) = read(&corpus::bundle(seed).to_string())?;
        let timed = || {
            let began = Instant::now();
            let answers = black_box(prove(&bundle, &perimeter, now));
            (began.elapsed(), answers.first().map_or("none", |answer| answer.verdict.name()))
        };
        let tries: Vec<(Duration, &str)> = (0..3).map(|_| timed()).collect();
        times.extend(tries.iter().map(|(time, _)| *time).min());
        *verdicts.entry(tries[0].1).or_insert(0) += 1;
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!("{BUNDLES} bundles: {verdicts:?}");
    println!("prove: p50 {:?}, p90 {:?}, p99 {:?}, longest {:?}", at(50), at(90), at(99), at(100));
    Ok(())
}

fn an_account(now: Timestamp) -> Benched<()> {
    let text = corpus::account(7, ROLES).to_string();
    let began = Instant::now();
    let (bundle, perimeter) = read(&text)?;
    println!("an account of {ROLES} roles, {} bytes: read in {:?}", text.len(), began.elapsed());
    for threads in [1, 2] {
        let began = Instant::now();
        let inquiry =
            Inquiry { bundle: &bundle, perimeter: &perimeter, now, baseline: None, explain: false, threads };
        let answers = black_box(inquiry.answers());
        println!("{} answers on {threads} threads: {:?}", answers.len(), began.elapsed());
    }
    Ok(())
}

fn one(criterion: &mut Criterion) -> Benched<()> {
    let now: Timestamp = "2026-11-25T00:00:00Z".parse()?;
    over_the_corpus(now)?;
    an_account(now)?;
    let text = corpus::bundle(1).to_string();
    let (bundle, perimeter) = read(&text)?;
    let table = bundle.tables.first().map(|table| table.arn.clone()).unwrap_or_default();
    let principal = bundle.principals.first().map(|principal| principal.arn.clone()).unwrap_or_default();
    let one = |value: &str| dynamodb_perimeter::iam::request::Values::One(value.to_owned());
    let asked = Asked {
        action: "dynamodb:GetItem".to_owned(),
        resource: table,
        principal,
        context: vec![
            ("aws:SourceVpc".to_owned(), one("vpc-0prod0eu")),
            ("aws:SourceVpce".to_owned(), one("vpce-0a1b2c3d4e5f60001")),
            ("aws:VpcSourceIp".to_owned(), one("10.0.0.10")),
        ],
    };
    criterion.bench_function("read one bundle", |bencher| bencher.iter(|| black_box(Bundle::parse(&text))));
    criterion.bench_function("prove one bundle", |bencher| bencher.iter(|| prove(&bundle, &perimeter, now)));
    criterion.bench_function("simulate one request", |bencher| {
        bencher.iter(|| black_box(decide(&bundle, &perimeter, &asked)));
    });
    Ok(())
}

fn run(criterion: &mut Criterion) {
    if let Err(error) = one(criterion) {
        panic!("{error}");
    }
}

criterion_group!(benches, run);
criterion_main!(benches);
