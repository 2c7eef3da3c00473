//! Envelopes of any bytes, in each other: as they are, and as what an EventBridge event and a message
//! of a queue hold.
#![no_main]

use dynamodb_perimeter::cloudtrail::envelope::open_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    open(data);
    if let Ok(text) = std::str::from_utf8(data) {
        for source in ["aws.dynamodb", "custom"] {
            open(event(source, text).as_bytes());
        }
        open(format!(r#"{{"Records":[{{"body":{text:?}}}]}}"#).as_bytes());
    }
});

fn open(text: &[u8]) {
    open_text(text, &mut |content| {
        std::hint::black_box(format!("{content:?}").len());
    });
}

fn event(source: &str, detail: &str) -> String {
    format!(
        r#"{{"detail-type":"AWS API Call via CloudTrail","source":"{source}","account":"111122223333","detail":{detail}}}"#
    )
}
