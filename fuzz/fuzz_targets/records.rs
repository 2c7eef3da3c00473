//! Log files of any bytes: read, judged and counted as `scan` does.
#![no_main]

use std::sync::LazyLock;

use dynamodb_perimeter::cloudtrail::elements::{Whole, each};
use dynamodb_perimeter::perimeter::inventory::Inventory;
use dynamodb_perimeter::perimeter::{Perimeter, config};
use dynamodb_perimeter::pipeline::{Audited, Auditor, Tally};
use libfuzzer_sys::fuzz_target;

static KNOWN: LazyLock<(Perimeter, Inventory)> = LazyLock::new(|| {
    let perimeter = config::parse(include_str!("../../perimeter.toml")).expect("the repository's own").perimeter;
    let mut inventory = Inventory::default();
    for endpoint in &perimeter.endpoints {
        inventory.learn(endpoint.clone()).expect("no contradiction");
    }
    (perimeter, inventory)
});

fuzz_target!(|data: &[u8]| {
    let auditor = Auditor::new(&KNOWN.0, &KNOWN.1);
    let mut verdicts = Vec::new();
    for in_full in [true, false] {
        let mut tally = Tally::default();
        each(&mut Whole(data), &mut |element| {
            auditor.element(&element, in_full, &mut tally, &mut |audited| {
                if let Audited::Record(judged) = audited {
                    std::hint::black_box(judged.line());
                }
            });
        });
        verdicts.push(tally.verdicts);
    }
    // A shortcut never changes a verdict.
    assert_eq!(verdicts[0], verdicts[1]);
});
