//! Envelopes of any bytes, in each other.
#![no_main]

use dynamodb_perimeter::cloudtrail::envelope::open_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    open_text(data, &mut |content| {
        std::hint::black_box(format!("{content:?}").len());
    });
});
