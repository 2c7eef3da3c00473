//! Bundles with a request, of any text: a decision has its grounds, comes out the same again, and is never allowed
//! only where everything that is unclear is read against it.
#![no_main]

use dynamodb_perimeter::iam::document::Effect;
use dynamodb_perimeter::iam::evaluate::{Decision, Outcome};
use dynamodb_perimeter::iam::reading::Reading;
use dynamodb_perimeter::prove::bundle::Bundle;
use dynamodb_perimeter::prove::simulate::simulate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(bundle) = Bundle::parse(text) else { return };
    let perimeter = bundle.perimeter.clone().unwrap_or_default();
    let Ok((request, decision)) = simulate(&bundle, &perimeter) else { return };
    assert_ne!(decision.otherwise, Some(Outcome::Allow));
    assert!(decision.otherwise.is_none() || decision.outcome == Outcome::Allow);
    has_grounds(&decision);
    let (same, again) = simulate(&bundle, &perimeter).expect("it was decided before");
    assert_eq!((same, again.outcome, again.decided_by), (request, decision.outcome, decision.decided_by));
});

/// Whatever decides is a statement that may match and has that effect; where none does, something is missing.
fn has_grounds(decision: &Decision) {
    let effect = if decision.outcome == Outcome::Allow { Effect::Allow } else { Effect::Deny };
    for place in &decision.decided_by {
        let step = &decision.steps[*place];
        assert_eq!(step.statement.effect, effect);
        assert_ne!(step.matched.reading, Reading::No);
    }
    assert_eq!(decision.outcome == Outcome::ImplicitDeny, decision.missing.is_some());
    assert!(decision.outcome != Outcome::ExplicitDeny || !decision.decided_by.is_empty());
}
