//! What the product itself runs on: the trail, the rules, the functions, keys, queues, topics and
//! buckets. Changes here count only where the resource is the product's own (but for a function that
//! is given a role or a network, see [`super::compute`], or the stream of a table), as the parameters, the
//! response or the record's own list name it; or where the parameters were left out, nothing names
//! it, and the product has something of the service in that account and region.

mod calls;

use std::borrow::Cow;

use serde_json::Value;

use super::event::{Event, lookup};
use super::{Draft, Own, Shows, compute, table};
use calls::{call_of, kind};

/// Is an event of one of these services a change, where the resource is our own?
pub(super) fn is_change(service: &str, name: &str) -> bool {
    kind(service, name).is_some()
}

/// The parameters by which a call gives a function a role or a network: then it counts whosever the
/// function is.
fn function_gifts(call: &str) -> &'static [&'static str] {
    match call {
        "CreateFunction" | "UpdateFunctionConfiguration" => &["role", "vpcConfig"],
        _ => &[],
    }
}

/// Reads an event of one of these services.
pub(super) fn change(service: &str, event: &Event<'_>, own: &Own<'_>) -> Option<Draft> {
    let given = if service == "lambda" { function_gifts(call_of(event.name)) } else { &[] };
    let reads_stream = service == "lambda"
        && call_of(event.name) == "CreateEventSourceMapping"
        && event.request().text("eventSourceArn").is_some_and(|source| table::is_stream(&source));
    if own.is_empty() && given.is_empty() && !reads_stream {
        return None;
    }
    let mut draft = Draft::new(event, kind(service, event.name)?);
    draft.only_own = given.is_empty() || !compute::give(event, given, &mut draft);
    // Functions are made and changed all the time, and a call that failed left ours as it was.
    draft.may_be_own = given.is_empty() || !event.failed();
    draft.targets.append(&mut draft.mentions);
    if reads_stream {
        draft.only_own = false;
        compute::read_from(event, "eventSourceArn", &mut draft);
    }
    match service {
        "cloudtrail" => trail(event, &mut draft),
        "events" => rule(event, &mut draft),
        "lambda" => {
            if event.request().is_true("dryRun") {
                return None;
            }
            function(event, &mut draft);
        }
        "kms" => {
            draft.target(named(event, "keyId", "kms", "key"));
            draft.target(named(event, "targetKeyId", "kms", "key"));
            draft.target(event.answer("keyId").map(Cow::into_owned));
            for key in ["aliasName", "keyId"] {
                let alias = event.text(key).filter(|alias| alias.starts_with("alias/"));
                draft.target(alias.and_then(|alias| event.arn("kms", &alias)));
            }
        }
        "sqs" => draft.target(queue(event)),
        "sns" => {
            draft.target(text(event, "topicArn"));
            draft.target(text(event, "resourceArn"));
            // A subscription's ARN is its topic's and an id.
            let topic = text(event, "subscriptionArn");
            draft.target(topic.and_then(|arn| arn.rsplit_once(':').map(|(topic, _)| topic.to_owned())));
        }
        "scheduler" => draft.target(compute::schedule(event)),
        _ => {
            let bucket = event.request().text("bucketName");
            let partition = crate::ids::partition_of(event.region.as_deref().unwrap_or_default());
            draft.target(bucket.map(|bucket| format!("arn:{partition}:s3:::{bucket}")));
        }
    }
    Some(draft)
}

fn text(event: &Event<'_>, key: &str) -> Option<String> {
    event.text(key).map(Cow::into_owned)
}

/// The ARN in a parameter, or in the response, that may also be a name.
fn named(event: &Event<'_>, key: &str, service: &str, kind: &str) -> Option<String> {
    event.named_arn(&event.text(key)?, service, kind)
}

/// A trail or an event data store. What the response names it by is its ARN; only `UpdateTrail`
/// answers with the name as well.
fn trail(event: &Event<'_>, draft: &mut Draft) {
    draft.own_shows = Shows::LoggingWeakened;
    let request = event.request();
    for (key, kind) in [("name", "trail"), ("trailName", "trail"), ("eventDataStore", "eventdatastore")] {
        let name = request.text(key);
        draft.target(name.and_then(|name| event.named_arn(&name, "cloudtrail", kind)));
    }
    if event.name == "UpdateTrail" {
        draft.target(named(event, "name", "cloudtrail", "trail"));
    }
    for key in ["resourceArn", "trailARN", "eventDataStoreArn"] {
        draft.target(text(event, key));
    }
}

/// A rule of a bus, and the bus where the event is about that.
fn rule(event: &Event<'_>, draft: &mut Draft) {
    let request = event.request();
    let bus = request.text("eventBusName");
    let bus = bus.as_deref().map(|bus| bus.rsplit_once("event-bus/").map_or(bus, |(_, name)| name));
    let is_of_bus = ["Permission", "EventBus"].iter().any(|end| event.name.ends_with(end));
    let rule = request.text("rule").or_else(|| request.text("name"));
    if is_of_bus {
        let named = rule.as_deref().filter(|_| event.name.ends_with("EventBus")).or(bus);
        // Without a name, it is about the default bus; without parameters, about any.
        let named = named.or((!request.omitted).then_some("default"));
        draft.target(named.and_then(|bus| event.arn("events", &format!("event-bus/{bus}"))));
    } else if let Some(rule) = rule {
        let rule = match bus {
            None | Some("default") => format!("rule/{rule}"),
            Some(bus) => format!("rule/{bus}/{rule}"),
        };
        draft.target(event.arn("events", &rule));
    }
    draft.target(named(event, "archiveName", "events", "archive"));
    for key in ["ruleArn", "archiveArn", "arn"] {
        draft.target(event.answer(key).map(Cow::into_owned));
    }
}

/// A function, by its name, its ARN or what lies between.
fn function(event: &Event<'_>, draft: &mut Draft) {
    for name in [event.text("functionName"), event.text("functionArn"), event.request().text("resourceArn")] {
        let Some(name) = name else { continue };
        let (start, rest) = match name.rsplit_once("function:") {
            Some((start, rest)) => (start, rest),
            None => ("", &*name),
        };
        let bare = rest.split(':').next().unwrap_or(rest);
        if start.starts_with("arn:") {
            draft.target(Some(format!("{start}function:{bare}")));
            draft.target(Some(name.to_string()));
        } else {
            draft.target(event.arn("lambda", &format!("function:{bare}")));
            draft.target(event.arn("lambda", &format!("function:{rest}")));
        }
    }
    draft.target(stated(event));
}

/// The function that a permission is for: the response has the statement that was made, as text.
fn stated(event: &Event<'_>) -> Option<String> {
    let statement: Value = serde_json::from_str(&event.answer("statement")?).ok()?;
    lookup(statement.as_object()?, "Resource")?.as_str().map(str::to_owned)
}

/// The ARN of a queue, from its address: `https://sqs.eu-west-1.amazonaws.com/111122223333/name`.
fn queue(event: &Event<'_>) -> Option<String> {
    let url = event.text("queueUrl")?;
    let (start, name) = url.rsplit_once('/')?;
    let (_, account) = start.rsplit_once('/')?;
    Some(event.arn_of("sqs", event.region.as_deref()?, account, name))
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::super::{Change, Own, Shows};

    fn change(source: &str, name: &str, request: &str, resources: &[&str]) -> Option<Change> {
        let resources: Vec<String> = resources.iter().map(|arn| (*arn).to_owned()).collect();
        let own = Own { resources: &resources, ..Own::default() };
        Sample::new(source, name).request(request).change_for(&own, &[])
    }

    #[test]
    fn each_service_counts_for_our_own_resources_alone() {
        let prefix = |service: &str| format!("arn:aws:{service}:eu-west-1:111122223333:");
        for (source, name, request, own) in [
            ("cloudtrail", "StopLogging", r#"{"name":"NAME"}"#, prefix("cloudtrail") + "trail/ours"),
            (
                "cloudtrail",
                "PutEventSelectors",
                r#"{"trailName":"NAME"}"#,
                prefix("cloudtrail") + "trail/ours",
            ),
            (
                "cloudtrail",
                "DeleteTrail",
                r#"{"name":"arn:aws:cloudtrail:eu-west-1:999988887777:trail/NAME"}"#,
                "arn:aws:cloudtrail:eu-west-1:999988887777:trail/ours".to_owned(),
            ),
            ("events", "DisableRule", r#"{"name":"NAME"}"#, prefix("events") + "rule/ours"),
            (
                "events",
                "RemoveTargets",
                r#"{"rule":"NAME","eventBusName":"b"}"#,
                prefix("events") + "rule/b/ours",
            ),
            ("events", "PutPermission", r#"{"eventBusName":"NAME"}"#, prefix("events") + "event-bus/ours"),
            ("events", "DeleteEventBus", r#"{"name":"NAME"}"#, prefix("events") + "event-bus/ours"),
            (
                "lambda",
                "UpdateFunctionCode20150331v2",
                r#"{"functionName":"NAME"}"#,
                prefix("lambda") + "function:our*",
            ),
            (
                "lambda",
                "DeleteFunction20150331",
                r#"{"functionName":"111122223333:function:NAME:live"}"#,
                prefix("lambda") + "function:ours",
            ),
            (
                "lambda",
                "RemovePermission20150331v2",
                r#"{"functionName":"arn:aws:lambda:eu-west-1:111122223333:function:NAME:live"}"#,
                prefix("lambda") + "function:ours",
            ),
            ("kms", "DisableKey", r#"{"keyId":"NAME"}"#, prefix("kms") + "key/ours"),
            ("kms", "DeleteAlias", r#"{"aliasName":"alias/NAME"}"#, prefix("kms") + "alias/ours"),
            (
                "sqs",
                "DeleteQueue",
                r#"{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/NAME"}"#,
                prefix("sqs") + "ours",
            ),
            (
                "sns",
                "Unsubscribe",
                r#"{"subscriptionArn":"arn:aws:sns:eu-west-1:111122223333:NAME:0-1"}"#,
                prefix("sns") + "ours",
            ),
            (
                "scheduler",
                "DeleteSchedule",
                r#"{"name":"NAME","groupName":"g"}"#,
                prefix("scheduler") + "schedule/g/ours",
            ),
            ("s3", "PutBucketPolicy", r#"{"bucketName":"NAME"}"#, "arn:aws:s3:::ours".to_owned()),
        ] {
            let shown = if source == "cloudtrail" { Shows::LoggingWeakened } else { Shows::ProductChanged };
            let source = format!("{source}.amazonaws.com");
            let ours = change(&source, name, &request.replace("NAME", "ours"), &[&own]);
            assert_eq!(ours.map(|change| change.shows), Some(shown), "{name}");
            assert_eq!(change(&source, name, &request.replace("NAME", "theirs"), &[&own]), None, "{name}");
            assert_eq!(change(&source, name, &request.replace("NAME", "ours"), &[]), None, "{name}");
            // Whose it is, nothing tells.
            let unknown = own.contains("111122223333") || own.contains(":::");
            for request in ["null", r#"{"omitted":true}"#] {
                let shows = change(&source, name, request, &[&own]).map(|change| change.shows);
                assert_eq!(shows, unknown.then_some(Shows::Unreadable), "{name}");
                let elsewhere = own.replace("eu-west-1", "eu-west-2");
                let shows = change(&source, name, request, &[&elsewhere]).map(|change| change.shows);
                assert_eq!(shows, own.contains(":::").then_some(Shows::Unreadable), "{name}");
            }
            let other = "arn:aws:ecs:eu-west-1:111122223333:cluster/ours";
            assert_eq!(change(&source, name, "null", &[other]), None, "{name}");
        }
    }

    #[test]
    fn what_the_parameters_leave_out_the_response_or_the_list_may_tell() {
        let prefix = |service: &str| format!("arn:aws:{service}:eu-west-1:111122223333:");
        let (trail, rule) = (prefix("cloudtrail") + "trail/ours", prefix("events") + "rule/ours");
        let (function, key) = (prefix("lambda") + "function:ours", prefix("kms") + "key/ours");
        let own = [trail.clone(), rule.clone(), function.clone(), key.clone()];
        let own = Own { resources: &own, ..Own::default() };
        let statement = format!(r#"{{"statement":"{{\"Sid\":\"s\",\"Resource\":\"{function}\"}}"}}"#);
        for (service, name, response) in [
            ("cloudtrail", "PutEventSelectors", format!(r#"{{"trailARN":"{trail}","eventSelectors":[]}}"#)),
            ("cloudtrail", "UpdateTrail", r#"{"name":"ours"}"#.to_owned()),
            ("cloudtrail", "UpdateTrail", format!(r#"{{"trailARN":"{trail}"}}"#)),
            ("events", "PutRule", format!(r#"{{"ruleArn":"{rule}"}}"#)),
            ("lambda", "UpdateFunctionCode20150331v2", r#"{"functionName":"ours"}"#.to_owned()),
            ("lambda", "AddPermission20150331v2", statement),
            ("kms", "ScheduleKeyDeletion", format!(r#"{{"keyId":"{key}"}}"#)),
        ] {
            let shown = if service == "cloudtrail" { Shows::LoggingWeakened } else { Shows::ProductChanged };
            let shows = |field: &str, json: &str, request: &str| {
                let sample = Sample::new(&format!("{service}.amazonaws.com"), name).request(request);
                sample.field(field, json).change_for(&own, &[]).map(|change| change.shows)
            };
            let theirs = response.replace("ours", "theirs");
            let listed = |name: &str| {
                let arns = [&trail, &rule, &function, &key];
                let own = arns.iter().find(|arn| arn.contains(&format!(":{service}:")));
                format!(r#"[{{"ARN":"{}"}}]"#, own.map_or("", |arn| arn).replace("ours", name))
            };
            for request in ["null", r#"{"omitted":true}"#] {
                assert_eq!(shows("responseElements", &response, request), Some(shown), "{name}");
                assert_eq!(shows("responseElements", &theirs, request), None, "{name}");
                assert_eq!(shows("resources", &listed("ours"), request), Some(shown), "{name}");
                assert_eq!(shows("resources", &listed("theirs"), request), None, "{name}");
            }
        }
    }

    #[test]
    fn parameters_that_only_lack_a_name_are_nobodys() {
        let own = ["arn:aws:events:eu-west-1:111122223333:event-bus/default"];
        let bus = |request: &str| {
            change("events.amazonaws.com", "PutPermission", request, &own).map(|change| change.shows)
        };
        assert_eq!(bus("{}"), Some(Shows::ProductChanged));
        assert_eq!(bus("null"), Some(Shows::Unreadable));
        let own = ["arn:aws:cloudtrail:eu-west-1:111122223333:trail/ours"];
        assert_eq!(change("cloudtrail.amazonaws.com", "StopLogging", "{}", &own), None);
    }

    #[test]
    fn a_key_known_by_its_alias_is_found_in_the_records_own_list() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/k".to_owned();
        let own = Own { resources: std::slice::from_ref(&key), ..Own::default() };
        let sample = Sample::new("kms.amazonaws.com", "DisableKey").request(r#"{"keyId":"alias/a"}"#);
        let sample = sample.field("resources", &format!(r#"[{{"ARN":"{key}"}},7,{{"ARN":7}}]"#));
        assert_eq!(sample.change_for(&own, &[]).map(|change| change.shows), Some(Shows::ProductChanged));
    }

    #[test]
    fn our_role_given_to_another_function_is_a_change() {
        let roles = ["arn:aws:iam::111122223333:role/perimeter-auditor".to_owned()];
        let own = Own { roles: &roles, ..Own::default() };
        let shows = |role: &str| {
            let request = format!(r#"{{"functionName":"f","role":"arn:aws:iam::111122223333:role/{role}"}}"#);
            let sample = Sample::new("lambda.amazonaws.com", "CreateFunction20150331").request(&request);
            sample.change_for(&own, &[]).map(|change| change.shows)
        };
        assert_eq!(shows("perimeter-auditor"), Some(Shows::ProductChanged));
        assert_eq!(shows("other"), Some(Shows::Nothing));
    }

    #[test]
    fn a_stop_that_failed_weakened_nothing() {
        let trail = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/org".to_owned();
        let own = Own { resources: std::slice::from_ref(&trail), ..Own::default() };
        let sample = Sample::new("cloudtrail.amazonaws.com", "StopLogging").request(r#"{"name":"org"}"#);
        let change = sample.field("errorCode", "\"AccessDenied\"").change_for(&own, &[]);
        let change = change.map(|change| (change.what, change.shows));
        assert_eq!(change, Some(("attempted: trail `org` stopped".to_owned(), Shows::Nothing)));
    }

    #[test]
    fn a_surrogate_cut_in_half_hides_nothing() {
        let own = ["arn:aws:lambda:eu-west-1:111122223333:function:ours"];
        let request = r#"{"functionName":"ours","description":"\ud800 \\ud800 \ud83d\ude00 \udc00"}"#;
        assert!(
            change("lambda.amazonaws.com", "UpdateFunctionConfiguration20150331v2", request, &own).is_some()
        );
    }
}
