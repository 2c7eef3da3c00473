//! perimeter.toml of any text: a perimeter, or errors that can be shown.
#![no_main]

use dynamodb_perimeter::perimeter::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = match config::parse(text) {
        Ok(parsed) => parsed.warnings,
        Err(errors) => errors.errors,
    };
    for diagnostic in found {
        std::hint::black_box(diagnostic.render("perimeter.toml", text, false).len());
    }
});
