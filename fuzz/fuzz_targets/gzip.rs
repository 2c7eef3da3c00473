//! Gzip framing of any bytes: read at once and as a stream, with and without a header in front.
#![no_main]

use std::cell::Cell;

use dynamodb_perimeter::cloudtrail::archive::{Reader, each};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let with_header = [&[0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0xff], data].concat();
    for bytes in [data, &with_header] {
        let mut counts = [0u64; 2];
        Reader::default().read(&mut &bytes[..], &mut |_| counts[0] += 1);
        each(bytes, &Cell::new(false), &mut |_| counts[1] += 1);
        assert_eq!(counts[0], counts[1]);
    }
});
