//! Bundles of any text: read, linted, decided, proven. No panic, no proof past its budget, and nothing open that the
//! evaluator does not allow.
#![no_main]

use dynamodb_perimeter::iam::evaluate::Outcome;
use dynamodb_perimeter::prove::answer::{Verdict, prove};
use dynamodb_perimeter::prove::bundle::Bundle;
use dynamodb_perimeter::prove::lint::lints;
use dynamodb_perimeter::prove::simulate::{decide, simulate};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let bundle = match Bundle::parse(text) {
        Ok(bundle) => bundle,
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(|error| drop(std::hint::black_box(error.to_string())));
            return;
        }
    };
    let perimeter = bundle.perimeter.clone().unwrap_or_default();
    std::hint::black_box(lints(&bundle, text));
    let _ = simulate(&bundle, &perimeter);
    // A few questions are as good as many.
    if bundle.principals.len() * bundle.tables.len() > 4 {
        return;
    }
    for answer in prove(&bundle, &perimeter, Timestamp::UNIX_EPOCH) {
        if let (Verdict::Open, Some(asked)) = (answer.verdict, &answer.witness) {
            let outcome = decide(&bundle, &perimeter, asked).map(|(_, decision)| decision.outcome);
            assert_eq!(outcome, Ok(Outcome::Allow));
        }
    }
});
