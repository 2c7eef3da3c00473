//! What runs with a role: functions, tasks, jobs, state machines, integrations, data sources, pipes.
//!
//! Each is a way to reach a table as that role, and hardly any needs to be in a VPC. Such an event is
//! a change where it gives a role or a network; what it does else (a function's code, the number of
//! tasks) leaves who reaches what from where as it was.
//!
//! Sources: API models of botocore 1.44.5; "Logging … with AWS CloudTrail" in the developer guides of
//! Lambda and Step Functions. API Gateway wraps the parameters of a REST API's calls in an object, as
//! `putIntegrationInput`, and those of an HTTP API not; no page of AWS's says so, and a parameter is
//! looked for in either place, as it is for the others.

use std::borrow::Cow;

use serde_json::Value;

use super::event::{Event, lookup, quoted, text_of};
use super::{Draft, Needs};

/// Is an event of one of these services a change, if it gives a role or a network?
pub(super) fn is_change(service: &str, name: &str) -> bool {
    giving(service, name).is_some()
}

/// The phrase of a call, and the parameters by which it gives a role or a network.
type Giving = (&'static str, &'static [&'static str]);

fn giving(service: &str, name: &str) -> Option<Giving> {
    Some(match (service, name) {
        ("ecs", "RegisterTaskDefinition") => ("task definition {family} registered", &["taskRoleArn"]),
        ("ecs", "CreateService") => {
            ("service {serviceName} created", &["taskDefinition", "networkConfiguration"])
        }
        ("ecs", "UpdateService") => {
            ("service {service} changed", &["taskDefinition", "networkConfiguration"])
        }
        ("glue", "CreateJob") => ("job {name} created", &["role"]),
        ("glue", "UpdateJob") => ("job {jobName} changed", &["role"]),
        ("states", "CreateStateMachine") => ("state machine {name} created", &["roleArn"]),
        ("states", "UpdateStateMachine") => ("state machine {stateMachineArn} changed", &["roleArn"]),
        ("apigateway", "PutIntegration") => ("integration of API {restApiId} set", &["credentials"]),
        ("apigateway", "CreateIntegration") => ("integration of API {apiId} created", &["credentialsArn"]),
        ("apigateway", "UpdateIntegration") => {
            ("integration of API {restApiId|apiId} changed", &["credentialsArn"])
        }
        ("appsync", "CreateDataSource") => ("data source {name} of API {apiId} created", &["serviceRoleArn"]),
        ("appsync", "UpdateDataSource") => ("data source {name} of API {apiId} changed", &["serviceRoleArn"]),
        ("pipes", "CreatePipe") => ("pipe {name} created", &["roleArn"]),
        ("pipes", "UpdatePipe") => ("pipe {name} changed", &["roleArn"]),
        _ => return None,
    })
}

/// Reads an event of one of these services.
pub(super) fn change(service: &str, event: &Event<'_>) -> Option<Draft> {
    let (what, fields) = giving(service, event.name)?;
    let mut draft = Draft::new(event, (Needs::Nothing, what));
    if !give(event, fields, &mut draft) {
        return None;
    }
    draft.target(resource(service, event));
    Some(draft)
}

/// Adds what the call gives by these parameters. `false`: nothing. What was left out of the record may
/// have been anything.
pub(super) fn give(event: &Event<'_>, fields: &[&str], draft: &mut Draft) -> bool {
    let mut gives = event.request().omitted;
    for field in fields {
        match event.request().find(field) {
            Some(Value::Object(network)) if !network.is_empty() => {
                gives = true;
                draft.what.push_str(", with a network");
            }
            Some(value) => {
                let Some(given) = text_of(value) else { continue };
                gives = true;
                add(event, field, &given, draft);
            }
            None => {}
        }
    }
    if let Some(role) = patched(event) {
        gives = true;
        add(event, "credentials", role, draft);
    }
    gives
}

fn add(event: &Event<'_>, field: &str, given: &str, draft: &mut Draft) {
    if field == "taskDefinition" {
        draft.what.push_str(&format!(", with task definition {}", quoted(given)));
        draft.mention(Some(given.to_owned()));
    } else {
        draft.what.push_str(&format!(", with role {}", quoted(given)));
        // Glue takes a name as well.
        draft.target(event.iam_arn("role", "", given));
    }
}

/// The role that `UpdateIntegration` of a REST API brings: one operation of a list.
fn patched<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    if event.name != "UpdateIntegration" {
        return None;
    }
    let operations = event.request().find("patchOperations")?.as_array()?.iter();
    let mut operations = operations.filter_map(Value::as_object);
    let credentials = operations
        .find(|operation| lookup(operation, "path").and_then(Value::as_str) == Some("/credentials"))?;
    lookup(credentials, "value")?.as_str().filter(|role| !role.is_empty())
}

/// The ARN of what is given the role.
fn resource(service: &str, event: &Event<'_>) -> Option<String> {
    let answered = |key: &str| event.answer(key).map(Cow::into_owned);
    let request = event.request();
    match service {
        "ecs" if event.name == "RegisterTaskDefinition" => answered("taskDefinitionArn")
            .or_else(|| event.named_arn(&request.text("family")?, service, "task-definition")),
        "ecs" => answered("serviceArn").or_else(|| {
            let cluster = request.text("cluster").unwrap_or(Cow::Borrowed("default"));
            let cluster = cluster.rsplit('/').next().unwrap_or_default();
            let name = request.text("service").or_else(|| request.text("serviceName"))?;
            event.named_arn(&name, service, &format!("service/{cluster}"))
        }),
        "glue" => {
            let name = request.text("jobName").or_else(|| event.text("name"))?;
            event.named_arn(&name, service, "job")
        }
        "states" => event.text("stateMachineArn").map(Cow::into_owned).or_else(|| {
            let name = request.text("name")?;
            event.arn(service, &format!("stateMachine:{name}"))
        }),
        "apigateway" => {
            let (kind, id) = match request.text("restApiId") {
                Some(id) => ("restapis", id),
                None => ("apis", request.text("apiId")?),
            };
            Some(event.arn_of(service, event.region.as_deref()?, "", &format!("/{kind}/{id}")))
        }
        "appsync" => answered("dataSourceArn").or_else(|| {
            let (api, name) = (request.text("apiId")?, request.text("name")?);
            event.arn(service, &format!("apis/{api}/datasources/{name}"))
        }),
        _ => answered("arn").or_else(|| event.named_arn(&request.text("name")?, service, "pipe")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Sample, change_of};
    use super::super::{Own, Shows};

    const ROLE: &str = "arn:aws:iam::111122223333:role/app/reader";

    fn resources(service: &str, name: &str, request: &str) -> Option<Vec<String>> {
        let request = request.replace("ROLE", ROLE);
        let change = change_of(&format!("{service}.amazonaws.com"), name, &request)?;
        assert_eq!(change.shows, Shows::Nothing, "{name}");
        Some(change.resources)
    }

    #[test]
    fn what_is_given_a_role_is_a_change() {
        let arn = |rest: &str| format!("arn:aws:{rest}");
        let here = |service: &str, rest: &str| arn(&format!("{service}:eu-west-1:111122223333:{rest}"));
        for (service, name, request, resource) in [
            (
                "ecs",
                "RegisterTaskDefinition",
                r#"{"family":"web","taskRoleArn":"ROLE"}"#,
                here("ecs", "task-definition/web"),
            ),
            ("glue", "CreateJob", r#"{"name":"etl","role":"ROLE"}"#, here("glue", "job/etl")),
            ("glue", "CreateJob", r#"{"name":"etl","role":"app/reader"}"#, here("glue", "job/etl")),
            (
                "glue",
                "UpdateJob",
                r#"{"jobName":"etl","jobUpdate":{"role":"ROLE"}}"#,
                here("glue", "job/etl"),
            ),
            (
                "states",
                "CreateStateMachine",
                r#"{"name":"m","roleArn":"ROLE"}"#,
                here("states", "stateMachine:m"),
            ),
            (
                "states",
                "UpdateStateMachine",
                r#"{"stateMachineArn":"arn:aws:states:eu-west-1:111122223333:stateMachine:m",
                    "roleArn":"ROLE"}"#,
                here("states", "stateMachine:m"),
            ),
            (
                "apigateway",
                "PutIntegration",
                r#"{"restApiId":"a1","putIntegrationInput":{"credentials":"ROLE"}}"#,
                arn("apigateway:eu-west-1::/restapis/a1"),
            ),
            (
                "apigateway",
                "UpdateIntegration",
                r#"{"restApiId":"a1","updateIntegrationInput":{"patchOperations":
                    [{"op":"replace","path":"/uri","value":"u"},
                     {"op":"replace","path":"/credentials","value":"ROLE"}]}}"#,
                arn("apigateway:eu-west-1::/restapis/a1"),
            ),
            (
                "apigateway",
                "CreateIntegration",
                r#"{"apiId":"a1","credentialsArn":"ROLE"}"#,
                arn("apigateway:eu-west-1::/apis/a1"),
            ),
            (
                "appsync",
                "CreateDataSource",
                r#"{"apiId":"a1","name":"orders","serviceRoleArn":"ROLE"}"#,
                here("appsync", "apis/a1/datasources/orders"),
            ),
            ("pipes", "UpdatePipe", r#"{"name":"p","roleArn":"ROLE"}"#, here("pipes", "pipe/p")),
        ] {
            let mut expected = vec![resource, ROLE.to_owned()];
            expected.sort();
            assert_eq!(resources(service, name, request), Some(expected), "{name}");
            let plain = request.replace("ROLE", "").replace("app/reader", "");
            assert_eq!(resources(service, name, &plain), None, "{name}");
            assert!(resources(service, name, "null").is_some(), "{name}");
        }
    }

    #[test]
    fn a_service_counts_with_its_tasks_or_its_network() {
        let update = |parameter: &str| {
            resources("ecs", "UpdateService", &format!(r#"{{"cluster":"c","service":"web",{parameter}}}"#))
        };
        let service = "arn:aws:ecs:eu-west-1:111122223333:service/c/web".to_owned();
        assert_eq!(update(r#""desiredCount":3"#), None);
        assert_eq!(update(r#""networkConfiguration":{}"#), None);
        assert_eq!(update(r#""taskDefinition":"web:7""#), Some(vec![service.clone()]));
        let network = r#""networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-1"]}}"#;
        assert_eq!(update(network), Some(vec![service]));
    }

    #[test]
    fn a_function_counts_with_its_role_or_its_network() {
        let lambda = |name: &str, parameter: &str| {
            resources("lambda", name, &format!(r#"{{"functionName":"f",{parameter}}}"#))
        };
        let function = "arn:aws:lambda:eu-west-1:111122223333:function:f".to_owned();
        let both = Some(vec![ROLE.to_owned(), function.clone()]);
        for name in ["CreateFunction20150331", "CreateFunction20150331v2", "CreateFunction"] {
            assert_eq!(lambda(name, r#""role":"ROLE""#), both, "{name}");
        }
        let update = "UpdateFunctionConfiguration20150331v2";
        assert_eq!(lambda(update, r#""role":"ROLE""#), both);
        let nowhere = r#""vpcConfig":{"subnetIds":[],"securityGroupIds":[]}"#;
        assert_eq!(lambda(update, nowhere), Some(vec![function]));
        assert_eq!(lambda(update, r#""memorySize":512"#), None);
        assert_eq!(lambda("UpdateFunctionCode20150331v2", r#""role":"ROLE""#), None);
        assert_eq!(resources("lambda", update, "null"), Some(Vec::new()));
    }

    #[test]
    fn the_phrase_says_what_was_given() {
        let request =
            format!(r#"{{"functionName":"f","role":"{ROLE}","vpcConfig":{{"subnetIds":["subnet-1"]}}}}"#);
        let change = change_of("lambda.amazonaws.com", "CreateFunction20150331", &request);
        let what = format!("function `f` created, with role `{ROLE}`, with a network");
        assert_eq!(change.map(|change| change.what), Some(what));
        let request = r#"{"service":"web","taskDefinition":"web:7"}"#;
        let change = change_of("ecs.amazonaws.com", "UpdateService", request);
        let what = "service `web` changed, with task definition `web:7`".to_owned();
        assert_eq!(change.map(|change| change.what), Some(what));
    }

    #[test]
    fn our_own_role_given_to_anything_changes_the_product() {
        let roles = [ROLE.to_owned()];
        let own = Own { roles: &roles, ..Own::default() };
        let shows = |role: &str| {
            let request = format!(r#"{{"name":"m","roleArn":"{role}"}}"#);
            let sample = Sample::new("states.amazonaws.com", "CreateStateMachine").request(&request);
            sample.change_for(&own, &[]).map(|change| change.shows)
        };
        assert_eq!(shows(ROLE), Some(Shows::ProductChanged));
        assert_eq!(shows("arn:aws:iam::111122223333:role/other"), Some(Shows::Nothing));
    }
}
