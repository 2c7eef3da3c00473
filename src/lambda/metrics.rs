//! What is counted of one invocation, and how CloudWatch is told: one line of its embedded metric
//! format on standard output, which Lambda takes to CloudWatch Logs.
//!
//! Written with `serde_json` alone: the format is one object of a fixed shape, and a crate for it
//! would bring a registry of counters and a thread to flush them, of which a function that writes
//! one line an invocation has no use.
//!
//! Source: CloudWatch user guide, "Specification: Embedded metric format".

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::reading::Reading;
use crate::audit::verdict::Verdict;

const NAMESPACE: &str = "DynamoDBPerimeter";

/// Ids remembered for counting duplicates, over all log files of an invocation.
const MAX_IDS: usize = 1 << 20;

/// What is counted of one invocation.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Records by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; Verdict::ALL.len()],
    /// Findings that records were added to.
    pub findings: u64,
    /// Things that could not be read.
    pub unreadable: u64,
    /// Records of an event that the invocation had seen before. That an earlier invocation had
    /// seen it is not known here.
    pub duplicates: u64,
    /// Changes that were judged by their text alone: nothing is known of what stood before them.
    pub unproven: u64,
    /// Messages that come again.
    pub failed_messages: u64,
    oldest: Option<Timestamp>,
    ids: HashSet<u64>,
}

impl Metrics {
    /// Records read.
    pub fn records(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    pub(super) fn add(&mut self, reading: &mut Reading) {
        self.verdicts.iter_mut().zip(reading.tally.verdicts).for_each(|(sum, more)| *sum += more);
        self.oldest = match (self.oldest, reading.oldest) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        for id in reading.ids.drain(..) {
            if self.ids.contains(&id) {
                self.duplicates += 1;
            } else if self.ids.len() < MAX_IDS {
                self.ids.insert(id);
            }
        }
    }

    /// Seconds between the earliest record's time and `now`.
    pub fn lag_s(&self, now: Timestamp) -> Option<f64> {
        self.oldest.map(|oldest| now.duration_since(oldest).as_secs_f64().max(0.0))
    }

    /// The line for CloudWatch, without a line break. `function`: the name of the function.
    pub fn line(&self, function: &str, now: Timestamp) -> String {
        let mut names = Vec::new();
        let mut line = Map::new();
        let mut put = |name: &str, unit: &str, value: Value| {
            names.push(json!({ "Name": name, "Unit": unit }));
            line.insert(name.to_owned(), value);
        };
        put("Records", "Count", self.records().into());
        for (verdict, count) in Verdict::ALL.into_iter().zip(self.verdicts) {
            put(metric(verdict), "Count", count.into());
        }
        put("Findings", "Count", self.findings.into());
        put("Unreadable", "Count", self.unreadable.into());
        put("Duplicates", "Count", self.duplicates.into());
        put("UnprovenChanges", "Count", self.unproven.into());
        put("FailedMessages", "Count", self.failed_messages.into());
        if let Some(lag_s) = self.lag_s(now) {
            put("LagSeconds", "Seconds", lag_s.into());
        }
        line.insert("Function".to_owned(), function.into());
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": names });
        let about = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] });
        line.insert("_aws".to_owned(), about);
        Value::Object(line).to_string()
    }
}

fn metric(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Inside => "Inside",
        Verdict::Outside => "Outside",
        Verdict::Exempt => "Exempt",
        Verdict::Service => "Service",
        Verdict::Denied => "Denied",
        Verdict::Undetermined => "Undetermined",
        Verdict::Change => "Change",
        Verdict::Ignored => "Ignored",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_declared_has_a_value() {
        let now = "2026-03-01T00:00:10Z".parse().unwrap();
        let oldest = "2026-03-01T00:00:00Z".parse().ok();
        let mut metrics = Metrics { oldest, unreadable: 2, ..Metrics::default() };
        metrics.verdicts[Verdict::Outside as usize] = 3;
        let line: Value = serde_json::from_str(&metrics.line("perimeter-auditor", now)).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "DynamoDBPerimeter");
        let names = directive["Metrics"].as_array().unwrap();
        assert!(names.iter().all(|metric| line[metric["Name"].as_str().unwrap()].is_number()));
        assert_eq!(line[directive["Dimensions"][0][0].as_str().unwrap()], "perimeter-auditor");
        assert_eq!(
            (&line["Outside"], &line["Records"], &line["Unreadable"]),
            (&json!(3), &json!(3), &json!(2))
        );
        assert_eq!(line["LagSeconds"], 10.0);
    }

    #[test]
    fn without_records_there_is_no_lag() {
        let line = Metrics::default().line("f", Timestamp::UNIX_EPOCH);
        assert!(!line.contains("LagSeconds"));
    }
}
