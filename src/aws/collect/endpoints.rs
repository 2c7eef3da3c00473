//! VPC endpoints for DynamoDB, in the shape in which `aws ec2 describe-vpc-endpoints` prints them.
//!
//! Asked of Cloud Control, since the SDK's crate for EC2 takes longer to build than all others together: docs/changes.md,
//! "Where endpoints come from", has the figures.
//!
//! Source: Cloud Control API reference, `ListResources`, `GetResource`; CloudFormation reference, `AWS::EC2::VPCEndpoint`.

use aws_sdk_cloudcontrol::Client;
use serde_json::{Map, Value};

use super::object;
use crate::aws::s3::described;

pub(super) const TYPE: &str = "AWS::EC2::VPCEndpoint";

/// The endpoints of an account in a region.
#[derive(Default)]
pub(super) struct Read {
    pub endpoints: Vec<Value>,
    /// Ids of those that could not be read, and why.
    pub unread: Vec<(String, String)>,
}

/// Reads all.
///
/// # Errors
/// Where they cannot be listed.
pub(super) async fn read(client: &Client) -> Result<Read, String> {
    let mut items = client.list_resources().type_name(TYPE).into_paginator().items().send();
    let mut read = Read::default();
    while let Some(item) = items.next().await {
        let item = item.map_err(|error| described(&error))?;
        let Some(id) = item.identifier else { continue };
        // A list may tell of no more than the id; and where it tells the service, most are of no concern.
        let listed = item.properties.as_deref().and_then(properties).unwrap_or_default();
        if listed.get("ServiceName").is_some_and(|service| !is_of_dynamodb(service)) {
            continue;
        }
        match get(client, &id).await {
            Ok(properties) => read.endpoints.extend(endpoint(&id, properties)),
            Err(why) => read.unread.push((id, why)),
        }
    }
    Ok(read)
}

async fn get(client: &Client, id: &str) -> Result<Map<String, Value>, String> {
    let found = client.get_resource().type_name(TYPE).identifier(id).send().await;
    let found = found.map_err(|error| described(&error))?.resource_description;
    let text = found.and_then(|found| found.properties).unwrap_or_default();
    properties(&text).ok_or_else(|| "its properties are no JSON object".to_owned())
}

pub(super) fn properties(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// `None`: it leads elsewhere.
pub(super) fn endpoint(id: &str, mut properties: Map<String, Value>) -> Option<Value> {
    let mut take = |name: &str| properties.remove(name);
    let service = take("ServiceName").filter(is_of_dynamodb)?;
    Some(object([
        ("VpcEndpointId", Some(id.into())),
        ("VpcEndpointType", take("VpcEndpointType").filter(Value::is_string)),
        ("VpcId", take("VpcId").filter(Value::is_string)),
        ("ServiceName", Some(service)),
        ("PolicyDocument", take("PolicyDocument")),
    ]))
}

/// `com.amazonaws.eu-west-1.dynamodb`, `….dynamodb-streams`, `….dynamodb-fips`.
fn is_of_dynamodb(service: &Value) -> bool {
    let last = service.as_str().and_then(|name| name.rsplit('.').next());
    last.is_some_and(|last| last.starts_with("dynamodb"))
}
