//! EC2's events of endpoints as edits.

use serde_json::Value;

use super::super::event::{Event, text_of};
use super::{policy, text};
use crate::iam::state::{Edit, Endpoint, Part};

pub(super) fn edits(event: &Event<'_>) -> Vec<Edit> {
    match event.name {
        "CreateVpcEndpoint" => made(event).into_iter().collect(),
        "ModifyVpcEndpoint" => modified(event).into_iter().collect(),
        "DeleteVpcEndpoints" => deleted(event),
        _ => Vec::new(),
    }
}

fn made(event: &Event<'_>) -> Option<Edit> {
    let endpoint = event.answer("vpcEndpointId")?.into_owned();
    let policy = policy(event.request(), "policyDocument");
    if event.request().omitted && policy.is_none() {
        return Some(Edit::Untold(Part::Endpoint(endpoint)));
    }
    let vpc = text(event, "vpcId").or_else(|| event.answer("vpcId").map(|id| id.into_owned()));
    Some(Edit::EndpointMade { endpoint, vpc, policy: policy.and_then(Endpoint::own_policy) })
}

fn modified(event: &Event<'_>) -> Option<Edit> {
    let request = event.request();
    let endpoint = text(event, "vpcEndpointId")?;
    if request.is_true("resetPolicy") {
        return Some(Edit::EndpointPolicy { endpoint, text: None });
    }
    match policy(request, "policyDocument") {
        Some(text) => Some(Edit::EndpointPolicy { endpoint, text: Endpoint::own_policy(text) }),
        None => request.omitted.then_some(Edit::Untold(Part::Endpoint(endpoint))),
    }
}

/// The ids of the call, in whatever list EC2 puts them.
fn deleted(event: &Event<'_>) -> Vec<Edit> {
    let mut ids = Vec::new();
    for key in ["vpcEndpointId", "vpcEndpointIds"] {
        event.request().get(key).into_iter().for_each(|value| gather(value, &mut ids, 4));
    }
    ids.into_iter().map(Edit::EndpointGone).collect()
}

fn gather(value: &Value, ids: &mut Vec<String>, depth: usize) {
    if let Some(id) = text_of(value).filter(|id| id.starts_with("vpce-")) {
        ids.push(id.into_owned());
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, ids, depth)),
        Value::Object(fields) => fields.values().for_each(|field| gather(field, ids, depth)),
        _ => {}
    }
}
