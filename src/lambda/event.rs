//! Which kind of event it is: a batch of SQS, whose messages are answered for one by one, or
//! anything else, which is answered for as a whole. What is in it `cloudtrail::envelope` knows.
//!
//! Source: Lambda developer guide, "Using Lambda with Amazon SQS", "Process Amazon S3 event
//! notifications", "Using Lambda with CloudWatch Logs"; EventBridge user guide, "AWS service
//! events".

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_lambda_events::event::sqs::SqsMessage;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// What the function takes, for errors.
pub(super) const EXPECTED: &str = "an EventBridge event of CloudTrail, an SQS batch, an S3 notification, an SNS \
                                   notification, or a CloudWatch Logs subscription";

/// Keys of an unknown event that are named, and the characters of each.
const NAMED: usize = 8;

/// An event.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// Messages of a queue.
    Batch(Vec<Message>),
    /// Anything else.
    Whole(&'a [u8]),
}

/// A message of a queue.
#[derive(Debug)]
pub(super) struct Message {
    /// What it is answered for by.
    pub id: String,
    /// What it holds, or why that cannot be told.
    pub body: Result<String, String>,
}

#[derive(Deserialize)]
struct Records<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sourced<'a> {
    #[serde(borrow)]
    event_source: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identified {
    message_id: String,
}

impl<'a> Event<'a> {
    /// Looks at what the event is.
    ///
    /// # Errors
    /// Where a message of a queue has no id: nobody could be told that it failed.
    pub fn read(event: &'a [u8]) -> Result<Self, String> {
        let records = serde_json::from_slice::<Records>(event).map(|event| event.records).unwrap_or_default();
        if !records.first().is_some_and(|first| is_sqs(first)) {
            return Ok(Event::Whole(event));
        }
        records.into_iter().map(message).collect::<Result<_, _>>().map(Event::Batch)
    }
}

fn is_sqs(record: &RawValue) -> bool {
    let sourced = serde_json::from_str::<Sourced>(record.get());
    sourced.is_ok_and(|record| record.event_source.as_deref() == Some("aws:sqs"))
}

/// Each is read by itself, so that one that is out of shape leaves the others alone.
fn message(record: &RawValue) -> Result<Message, String> {
    let read = serde_json::from_str::<SqsMessage>(record.get());
    if let Ok(SqsMessage { message_id: Some(id), body: Some(body), .. }) = read {
        return Ok(Message { id, body: Ok(body) });
    }
    let why = read.map_or_else(|error| error.to_string(), |_| "it has no body".to_owned());
    match serde_json::from_str::<Identified>(record.get()) {
        Ok(Identified { message_id }) => Ok(Message { id: message_id, body: Err(why) }),
        Err(_) => Err("an SQS message without `messageId`".to_owned()),
    }
}

/// Is there no object in it, nothing that could say that it holds no records? An empty container, a
/// control message of CloudWatch Logs or a notification of S3 that names no new object say so.
pub(super) fn is_blank(text: &[u8]) -> bool {
    !text.trim_ascii_start().starts_with(b"{")
}

/// No event is anything else.
pub(super) fn is_object(event: &[u8]) -> bool {
    keys(event).is_some()
}

/// An unknown event in a few words.
pub(super) fn described(event: &[u8]) -> String {
    match keys(event) {
        None => "something that is no JSON object".to_owned(),
        Some(keys) if keys.is_empty() => "an empty object".to_owned(),
        Some(keys) => {
            let shown = |key: &Cow<'_, str>| format!("`{}`", key.chars().take(40).collect::<String>());
            let named: Vec<String> = keys.keys().take(NAMED).map(shown).collect();
            let more = if keys.len() > NAMED { " and others" } else { "" };
            format!("an object with {}{more}", named.join(", "))
        }
    }
}

fn keys(event: &[u8]) -> Option<BTreeMap<Cow<'_, str>, IgnoredAny>> {
    serde_json::from_slice(event).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_out_of_shape_leaves_its_neighbours_alone() {
        let event = br#"{"Records":[
            {"messageId":"1","body":"{}","eventSource":"aws:sqs","attributes":{"SentTimestamp":"1"}},
            {"messageId":"2","body":7,"eventSource":"aws:sqs"},
            {"messageId":"3","body":null,"eventSource":"aws:sqs"}]}"#;
        let Ok(Event::Batch(messages)) = Event::read(event) else { panic!("a batch") };
        let sound: Vec<(&str, bool)> =
            messages.iter().map(|message| (&*message.id, message.body.is_ok())).collect();
        assert_eq!(sound, [("1", true), ("2", false), ("3", false)]);
    }

    #[test]
    fn a_message_without_an_id_fails_the_batch() {
        assert!(Event::read(br#"{"Records":[{"body":"{}","eventSource":"aws:sqs"}]}"#).is_err());
    }

    #[test]
    fn all_else_is_one_event() {
        for event in [
            "{}",
            "[]",
            "",
            r#"{"Records":[]}"#,
            r#"{"Records":7}"#,
            r#"{"Records":[{"eventSource":"aws:s3"}]}"#,
        ] {
            assert!(matches!(Event::read(event.as_bytes()), Ok(Event::Whole(_))), "{event}");
        }
    }

    #[test]
    fn only_an_object_says_that_it_holds_nothing() {
        for blank in ["", " \n", "[]", "\u{feff}"] {
            assert!(is_blank(blank.as_bytes()), "{blank:?}");
        }
        assert!(!is_blank(b" {\"Records\":[]}"));
    }

    #[test]
    fn unknown_events_are_described_in_a_few_words() {
        assert_eq!(described(b"7"), "something that is no JSON object");
        assert_eq!(described(br#"{"b":1,"a":{}}"#), "an object with `a`, `b`");
    }
}
