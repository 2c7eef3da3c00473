//! What runs with a role: functions, tasks, jobs, state machines, integrations, data sources, pipes,
//! schedules; and who is given one from outside: users of an identity pool, devices.
//!
//! Each is a way to reach a table as that role, and hardly any needs to be in a VPC. Such an event is
//! a change where it gives a role or a network; what it does else (a function's code, the number of
//! tasks) leaves who reaches what from where as it was. So does an ECS service that goes on to another
//! task definition: what role that brings was told when it was registered, and anybody who may run
//! tasks could run it from then on.
//!
//! A call that failed gave nothing, and where its parameters are not in the record, as of a refused
//! one, nothing tells that it would have.
//!
//! Sources: API models of botocore 1.44.5; "Logging … with AWS CloudTrail" in the developer guides of
//! Lambda and Step Functions. API Gateway wraps the parameters of a REST API's calls in an object, as
//! `putIntegrationInput`, and those of an HTTP API not; no page of AWS's says so, and a parameter is
//! looked for in either place, as it is for the others.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::event::{Event, lookup, quoted, text_of};
use super::{Draft, Needs, Shows, table};

/// Is an event of one of these services a change, if it gives a role or a network?
pub(super) fn is_change(service: &str, name: &str) -> bool {
    giving(service, name).is_some()
}

/// The phrase of a call, and the parameters by which it gives a role or a network. Without any, the
/// record does not tell, and the call may.
type Giving = (&'static str, &'static [&'static str]);

fn giving(service: &str, name: &str) -> Option<Giving> {
    Some(match (service, name) {
        ("ecs", "RegisterTaskDefinition") => ("task definition {family} registered", &["taskRoleArn"]),
        ("ecs", "RunTask" | "StartTask") => ("task of {taskDefinition} run", &["taskRoleArn"]),
        ("ecs", "CreateService") => {
            ("service {serviceName} created", &["taskDefinition", "networkConfiguration"])
        }
        ("ecs", "UpdateService") => ("service {service} changed", &["networkConfiguration"]),
        ("ecs", "CreateTaskSet") => ("set of tasks of service {service} created", &["networkConfiguration"]),
        ("glue", "CreateJob") => ("job {name} created", &["role"]),
        ("glue", "UpdateJob") => ("job {jobName} changed", &["role"]),
        ("glue", "CreateCrawler") => ("crawler {name} created", &["role"]),
        ("glue", "UpdateCrawler") => ("crawler {name} changed", &["role"]),
        ("glue", "CreateDevEndpoint") => ("development endpoint {endpointName} created", &["roleArn"]),
        ("glue", "CreateSession") => ("interactive session {id} created", &["role"]),
        ("states", "CreateStateMachine") => ("state machine {name} created", &["roleArn"]),
        ("states", "UpdateStateMachine") => ("state machine {stateMachineArn} changed", &["roleArn"]),
        ("apigateway", "PutIntegration") => ("integration of API {restApiId} set", &["credentials"]),
        ("apigateway", "CreateIntegration") => ("integration of API {apiId} created", &["credentialsArn"]),
        ("apigateway", "UpdateIntegration") => {
            ("integration of API {restApiId|apiId} changed", &["credentialsArn"])
        }
        // Integrations come within the definition of the API.
        ("apigateway", "ImportRestApi" | "ImportApi") => ("API {id|apiId} imported", &[]),
        ("apigateway", "PutRestApi" | "ReimportApi") => ("definition of API {restApiId|apiId} imported", &[]),
        ("appsync", "CreateDataSource") => ("data source {name} of API {apiId} created", &["serviceRoleArn"]),
        ("appsync", "UpdateDataSource") => ("data source {name} of API {apiId} changed", &["serviceRoleArn"]),
        ("pipes", "CreatePipe") => ("pipe {name} created", &["roleArn"]),
        ("pipes", "UpdatePipe") => ("pipe {name} changed", &["roleArn"]),
        ("scheduler", "CreateSchedule") => ("schedule {name} created", &["roleArn"]),
        ("scheduler", "UpdateSchedule") => ("schedule {name} changed", &["roleArn"]),
        ("cognito-identity", "SetIdentityPoolRoles") => (
            "roles for users of identity pool {identityPoolId} set",
            &["authenticated", "unauthenticated", "roleMappings"],
        ),
        ("iot", "CreateRoleAlias") => ("role alias {roleAlias} for devices created", &["roleArn"]),
        ("iot", "UpdateRoleAlias") => ("role alias {roleAlias} for devices changed", &["roleArn"]),
        ("iot", "CreateTopicRule") => ("rule {ruleName} for messages of devices created", &[]),
        ("iot", "ReplaceTopicRule") => ("rule {ruleName} for messages of devices replaced", &[]),
        _ => return None,
    })
}

/// Reads an event of one of these services.
pub(super) fn change(service: &str, event: &Event<'_>) -> Option<Draft> {
    let (what, fields) = giving(service, event.name)?;
    let mut draft = Draft::new(event, (Needs::Nothing, what));
    let is_imported = matches!(event.name, "ImportRestApi" | "PutRestApi" | "ImportApi" | "ReimportApi");
    let gives = give(event, fields, &mut draft) || (is_imported && !event.failed());
    if !gives {
        return None;
    }
    draft.target(resource(service, event));
    if service == "pipes" {
        read_from(event, "source", &mut draft);
    }
    Some(draft)
}

/// Adds what the call gives by these parameters. `false`: nothing. What was left out of the record of
/// a call that did not fail may have been anything.
pub(super) fn give(event: &Event<'_>, fields: &[&str], draft: &mut Draft) -> bool {
    let mut gives = event.request().omitted && !event.failed();
    for field in fields {
        match event.request().find(field) {
            Some(Value::Object(given)) if !given.is_empty() => {
                gives = true;
                let is_network = *field != "roleMappings";
                draft.what.push_str(if is_network { ", with a network" } else { ", with roles by rules" });
            }
            Some(value) => {
                let Some(given) = text_of(value) else { continue };
                gives = true;
                add(event, field, &given, draft);
            }
            None => {}
        }
    }
    for role in listed(event) {
        gives = true;
        add(event, "role", role, draft);
    }
    gives
}

/// Notes that the stream of a table, if `key` names one, is read by what is made.
pub(super) fn read_from(event: &Event<'_>, key: &str, draft: &mut Draft) {
    if let Some(stream) = event.request().text(key).filter(|source| table::is_stream(source)) {
        draft.what.push_str(&format!(", which reads stream {}", quoted(&stream)));
        draft.mention(Some(stream.into_owned()));
        draft.shows = Shows::StreamDestination;
    }
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

/// The roles that stand in a list: of the operations of `UpdateIntegration` of a REST API, and of the
/// actions of a rule for devices that write to DynamoDB.
fn listed<'e>(event: &'e Event<'_>) -> Vec<&'e str> {
    let role_of: fn(&Map<String, Value>) -> Option<&Value> = match event.name {
        "UpdateIntegration" => patched,
        "CreateTopicRule" | "ReplaceTopicRule" => written_as,
        _ => return Vec::new(),
    };
    let lists =
        ["patchOperations", "actions"].iter().filter_map(|list| event.request().find(list)?.as_array());
    let roles = lists.flatten().filter_map(Value::as_object).filter_map(role_of).filter_map(Value::as_str);
    roles.filter(|role| !role.is_empty()).collect()
}

fn patched(operation: &Map<String, Value>) -> Option<&Value> {
    let path = lookup(operation, "path")?.as_str()?;
    if path == "/credentials" { lookup(operation, "value") } else { None }
}

fn written_as(action: &Map<String, Value>) -> Option<&Value> {
    let action = lookup(action, "dynamoDB").or_else(|| lookup(action, "dynamoDBv2"))?;
    lookup(action.as_object()?, "roleArn")
}

/// The ARN of what is given the role.
fn resource(service: &str, event: &Event<'_>) -> Option<String> {
    let answered = |key: &str| event.answer(key).map(Cow::into_owned);
    let request = event.request();
    match service {
        "ecs" => of_ecs(event),
        "glue" => {
            let (kind, name) = match event.name {
                "CreateCrawler" | "UpdateCrawler" => ("crawler", request.text("name")?),
                "CreateDevEndpoint" => ("devEndpoint", request.text("endpointName")?),
                "CreateSession" => ("session", request.text("id")?),
                _ => ("job", request.text("jobName").or_else(|| event.text("name"))?),
            };
            event.named_arn(&name, service, kind)
        }
        "states" => event.text("stateMachineArn").map(Cow::into_owned).or_else(|| {
            let name = request.text("name")?;
            event.arn(service, &format!("stateMachine:{name}"))
        }),
        "apigateway" => of_api(event),
        "appsync" => answered("dataSourceArn").or_else(|| {
            let (api, name) = (request.text("apiId")?, request.text("name")?);
            event.arn(service, &format!("apis/{api}/datasources/{name}"))
        }),
        "scheduler" => answered("scheduleArn").or_else(|| schedule(event)),
        "cognito-identity" => event.named_arn(&request.text("identityPoolId")?, service, "identitypool"),
        "iot" => {
            let (kind, name) = match request.text("roleAlias") {
                Some(alias) => ("rolealias", alias),
                None => ("rule", request.text("ruleName")?),
            };
            event.named_arn(&name, service, kind)
        }
        _ => answered("arn").or_else(|| event.named_arn(&request.text("name")?, service, "pipe")),
    }
}

/// A schedule, by its group and name.
pub(super) fn schedule(event: &Event<'_>) -> Option<String> {
    let request = event.request();
    let group = request.text("groupName").unwrap_or(Cow::Borrowed("default"));
    event.arn("scheduler", &format!("schedule/{group}/{}", request.text("name")?))
}

/// A task definition, or the service or cluster that tasks run in.
fn of_ecs(event: &Event<'_>) -> Option<String> {
    let answered = |key: &str| event.answer(key).map(Cow::into_owned);
    let request = event.request();
    if event.name == "RegisterTaskDefinition" {
        return answered("taskDefinitionArn")
            .or_else(|| event.named_arn(&request.text("family")?, "ecs", "task-definition"));
    }
    let cluster = request.text("cluster").unwrap_or(Cow::Borrowed("default"));
    if event.name.ends_with("Task") {
        return event.named_arn(&cluster, "ecs", "cluster");
    }
    answered("serviceArn").or_else(|| {
        let cluster = cluster.rsplit('/').next().unwrap_or_default();
        let name = request.text("service").or_else(|| request.text("serviceName"))?;
        event.named_arn(&name, "ecs", &format!("service/{cluster}"))
    })
}

/// An API, of whose ARN the account is no part.
fn of_api(event: &Event<'_>) -> Option<String> {
    let text = |key: &str| event.request().text(key);
    let (kind, id) = match (event.name, text("restApiId"), text("apiId")) {
        (_, Some(id), _) => ("restapis", id),
        (_, None, Some(id)) => ("apis", id),
        ("ImportRestApi", None, None) => ("restapis", event.answer("id")?),
        (_, None, None) => ("apis", event.answer("apiId")?),
    };
    Some(event.arn_of("apigateway", event.region.as_deref()?, "", &format!("/{kind}/{id}")))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, change_of};
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
            (
                "ecs",
                "RunTask",
                r#"{"cluster":"c","taskDefinition":"web:7","overrides":{"taskRoleArn":"ROLE"}}"#,
                here("ecs", "cluster/c"),
            ),
            ("glue", "UpdateCrawler", r#"{"name":"c","role":"ROLE"}"#, here("glue", "crawler/c")),
            ("glue", "CreateSession", r#"{"id":"s","role":"ROLE"}"#, here("glue", "session/s")),
            (
                "scheduler",
                "CreateSchedule",
                r#"{"name":"s","target":{"arn":"arn:aws:scheduler:::aws-sdk:dynamodb:scan","roleArn":"ROLE"}}"#,
                here("scheduler", "schedule/default/s"),
            ),
            (
                "cognito-identity",
                "SetIdentityPoolRoles",
                r#"{"identityPoolId":"eu-west-1:0-1","roles":{"unauthenticated":"ROLE"}}"#,
                here("cognito-identity", "identitypool/eu-west-1:0-1"),
            ),
            ("iot", "CreateRoleAlias", r#"{"roleAlias":"a","roleArn":"ROLE"}"#, here("iot", "rolealias/a")),
            (
                "iot",
                "ReplaceTopicRule",
                r#"{"ruleName":"r","topicRulePayload":{"actions":[
                    {"s3":{"roleArn":"arn:aws:iam::111122223333:role/s3"}},{"dynamoDBv2":{"roleArn":"ROLE"}}]}}"#,
                here("iot", "rule/r"),
            ),
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
    fn a_service_counts_with_its_network_and_when_it_is_made_with_its_tasks() {
        let of = |name: &str, parameter: &str| {
            resources("ecs", name, &format!(r#"{{"cluster":"c","service":"web",{parameter}}}"#))
        };
        let service = Some(vec!["arn:aws:ecs:eu-west-1:111122223333:service/c/web".to_owned()]);
        let network = r#""networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-1"]}}"#;
        for (parameter, updated, created) in [
            (r#""desiredCount":3"#, None, None),
            (r#""networkConfiguration":{}"#, None, None),
            (r#""taskDefinition":"web:7""#, None, service.clone()),
            (network, service.clone(), service),
        ] {
            assert_eq!(of("UpdateService", parameter), updated, "{parameter}");
            assert_eq!(of("CreateService", parameter), created, "{parameter}");
        }
        let plain = r#""taskDefinition":"web:7","networkConfiguration":{"awsvpcConfiguration":{}}"#;
        assert_eq!(of("RunTask", plain), None);
    }

    #[test]
    fn an_imported_api_may_bring_any_integration() {
        let arn = |resource: &str| Some(vec![format!("arn:aws:apigateway:eu-west-1::{resource}")]);
        assert_eq!(resources("apigateway", "PutRestApi", r#"{"restApiId":"a1"}"#), arn("/restapis/a1"));
        assert_eq!(resources("apigateway", "ReimportApi", r#"{"apiId":"a1"}"#), arn("/apis/a1"));
        for (name, response, resource) in [
            ("ImportRestApi", r#"{"id":"a2"}"#, "/restapis/a2"),
            ("ImportApi", r#"{"apiId":"a2"}"#, "/apis/a2"),
        ] {
            let sample = Sample::new("apigateway.amazonaws.com", name).request("{}").response(response);
            assert_eq!(sample.change().map(|change| change.resources), arn(resource), "{name}");
        }
        assert_eq!(resources("apigateway", "CreateRestApi", r#"{"name":"a"}"#), None);
    }

    #[test]
    fn a_call_that_failed_counts_where_the_record_tells_what_it_would_have_given() {
        let attempted = |service: &str, name: &str, request: &str| {
            let sample = Sample::new(&format!("{service}.amazonaws.com"), name).request(request);
            let change = sample.field("errorCode", "\"AccessDenied\"").change()?;
            assert!(change.what.starts_with("attempted: "), "{}", change.what);
            Some(change.shows)
        };
        for (service, name) in [
            ("ecs", "UpdateService"),
            ("glue", "UpdateJob"),
            ("states", "CreateStateMachine"),
            ("apigateway", "PutRestApi"),
            ("lambda", "CreateFunction20150331"),
        ] {
            for request in ["null", r#"{"omitted":true}"#] {
                assert_eq!(attempted(service, name, request), None, "{service} {name}");
            }
        }
        let request = format!(r#"{{"name":"m","roleArn":"{ROLE}"}}"#);
        assert_eq!(attempted("states", "CreateStateMachine", &request), Some(Shows::Nothing));
        assert_eq!(attempted("pipes", "CreatePipe", &request), Some(Shows::Nothing));
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
        let request = r#"{"serviceName":"web","taskDefinition":"web:7"}"#;
        let change = change_of("ecs.amazonaws.com", "CreateService", request);
        let what = "service `web` created, with task definition `web:7`".to_owned();
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
