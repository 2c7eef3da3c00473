//! Which VPC an endpoint is in.
//!
//! No CloudTrail field names a VPC, so the endpoint's id is looked up here. An endpoint never
//! changes its VPC (`ModifyVpcEndpoint` has no such parameter), so what is known stays known, also
//! when the endpoint is long deleted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Deserialize;

use super::Endpoint;
use crate::cloudtrail::record::{Key, Record};
use crate::ids::{AccountId, EndpointId, VpcKey};

/// Where knowledge of endpoints comes from: the configuration, a file, the store.
pub trait EndpointSource {
    /// Why the source cannot be read.
    type Error;

    /// All endpoints that the source knows.
    fn endpoints(&self) -> impl Future<Output = Result<Vec<Endpoint>, Self::Error>> + Send;
}

/// Known endpoints.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    endpoints: HashMap<EndpointId, VpcKey>,
}

/// Two sources place one endpoint in different VPCs.
#[derive(Debug, thiserror::Error)]
#[error("endpoint `{endpoint}` is in {known} by one source and in {found} by another")]
pub struct Contradiction {
    endpoint: EndpointId,
    known: String,
    found: String,
}

impl Contradiction {
    fn new(endpoint: &EndpointId, known: &VpcKey, found: &VpcKey) -> Self {
        let name = |vpc: &VpcKey| format!("`{}` ({}, {})", vpc.id, vpc.region, vpc.account);
        Self { endpoint: endpoint.clone(), known: name(known), found: name(found) }
    }
}

impl Inventory {
    /// Adds an endpoint. Returns whether it is news.
    ///
    /// # Errors
    /// Where it is known to be elsewhere; what was known first stays.
    pub fn learn(&mut self, endpoint: Endpoint) -> Result<bool, Contradiction> {
        match self.endpoints.entry(endpoint.id) {
            Entry::Vacant(entry) => {
                entry.insert(endpoint.vpc);
                Ok(true)
            }
            Entry::Occupied(entry) if *entry.get() == endpoint.vpc => Ok(false),
            Entry::Occupied(entry) => Err(Contradiction::new(entry.key(), entry.get(), &endpoint.vpc)),
        }
    }

    /// All endpoints, in no order.
    pub fn endpoints(&self) -> impl Iterator<Item = (&EndpointId, &VpcKey)> {
        self.endpoints.iter()
    }

    /// The VPC of an endpoint, where it is known.
    pub fn vpc_of(&self, endpoint: &str) -> Option<&VpcKey> {
        self.endpoints.get(endpoint)
    }
}

/// What `aws ec2 describe-vpc-endpoints` prints, as far as we read it.
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "VpcEndpoints")]
    endpoints: Vec<DescribedEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedEndpoint {
    vpc_endpoint_id: String,
    vpc_id: String,
    owner_id: String,
    service_name: String,
    service_region: Option<String>,
}

/// Why a list of endpoints cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is nothing in it: what is left where the command failed.
    #[error("it is empty: did `aws ec2 describe-vpc-endpoints` fail?")]
    Empty,
    /// It is not what `aws ec2 describe-vpc-endpoints` prints.
    #[error("not the output of `aws ec2 describe-vpc-endpoints`: {0}")]
    Shape(#[from] serde_json::Error),
    /// An entry's identifiers make no sense.
    #[error("entry {entry}: {cause}")]
    Entry {
        /// Counted from 1.
        entry: usize,
        /// What is wrong.
        cause: String,
    },
}

/// Reads what `aws ec2 describe-vpc-endpoints` prints: one document, or several one after another
/// (a region each).
///
/// The region is the endpoint's own: the service's region where the list names one, else that in
/// the service's name, `com.amazonaws.<region>.dynamodb`.
///
/// # Errors
/// Where the text is empty or no such list, or an entry's identifiers make no sense.
pub fn described(text: &str) -> Result<Vec<Endpoint>, ListError> {
    if text.trim().is_empty() {
        return Err(ListError::Empty);
    }
    let mut endpoints = Vec::new();
    for list in serde_json::Deserializer::from_str(text).into_iter::<Described>() {
        for found in list?.endpoints {
            let entry = endpoints.len() + 1;
            endpoints.push(endpoint_of(&found).map_err(|cause| ListError::Entry { entry, cause })?);
        }
    }
    Ok(endpoints)
}

fn endpoint_of(found: &DescribedEndpoint) -> Result<Endpoint, String> {
    let region = found.service_region.as_deref().or(region_of_service(&found.service_name));
    let region = region.ok_or_else(|| format!("no region in `{}`", found.service_name))?;
    Ok(Endpoint {
        id: EndpointId::parse(&found.vpc_endpoint_id).map_err(|error| error.to_string())?,
        vpc: VpcKey {
            region: region.to_owned(),
            account: AccountId::parse(&found.owner_id).map_err(|error| error.to_string())?,
            id: found.vpc_id.clone(),
        },
    })
}

/// `com.amazonaws.eu-west-1.dynamodb`, `cn.com.amazonaws.cn-north-1.dynamodb`,
/// `com.amazonaws.vpce.eu-west-1.vpce-svc-…`.
fn region_of_service(name: &str) -> Option<&str> {
    name.split('.').find(|part| {
        part.contains('-') && part.ends_with(|c: char| c.is_ascii_digit()) && !part.starts_with("vpce-")
    })
}

/// The endpoint for DynamoDB that a `CreateVpcEndpoint` record of EC2 made.
///
/// Read from `responseElements` alone: what was asked for and refused made nothing. What is learnt here
/// lets calls in, so the record must say one and the same of whose the endpoint is: EC2 makes endpoints
/// in the caller's own account alone, which the record is delivered to.
pub fn created(record: &Record<'_>, caller: Option<&str>) -> Option<Endpoint> {
    if !record.get(Key::EventName).is("CreateVpcEndpoint") || !record.get(Key::ErrorCode).is_absent() {
        return None;
    }
    let response: serde_json::Value =
        serde_json::from_slice(record.get(Key::ResponseElements).json()?).ok()?;
    let response = member(&response, "CreateVpcEndpointResponse").unwrap_or(&response);
    let made = member(response, "vpcEndpoint")?;
    let owner = record.get(Key::RecipientAccountId).text()?;
    let is_owner = |account: &str| account == owner;
    if !text(made, "serviceName").is_some_and(serves_dynamodb)
        || !caller.is_some_and(is_owner)
        || !text(made, "ownerId").is_none_or(is_owner)
    {
        return None;
    }
    Some(Endpoint {
        id: EndpointId::parse(text(made, "vpcEndpointId")?).ok()?,
        vpc: VpcKey {
            region: record.get(Key::AwsRegion).text()?.into_owned(),
            account: AccountId::parse(&owner).ok()?,
            id: text(made, "vpcId")?.to_owned(),
        },
    })
}

/// `com.amazonaws.eu-west-1.dynamodb`, `….dynamodb-fips`, `….dynamodb-streams`.
///
/// Source: DynamoDB developer guide, "AWS PrivateLink for DynamoDB" and "AWS PrivateLink for DynamoDB
/// Streams".
fn serves_dynamodb(service: &str) -> bool {
    service.rsplit('.').next().is_some_and(|last| {
        matches!(last, "dynamodb" | "dynamodb-fips" | "dynamodb-streams" | "dynamodb-streams-fips")
    })
}

/// EC2 writes its parameters in either case.
fn member<'v>(value: &'v serde_json::Value, name: &str) -> Option<&'v serde_json::Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text<'v>(value: &'v serde_json::Value, name: &str) -> Option<&'v str> {
    member(value, name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(id: &str, vpc: &str) -> Endpoint {
        Endpoint {
            id: EndpointId::parse(id).unwrap(),
            vpc: VpcKey {
                region: "eu-west-1".into(),
                account: AccountId::parse("111122223333").unwrap(),
                id: vpc.into(),
            },
        }
    }

    #[test]
    fn what_is_known_stays_known() {
        let mut inventory = Inventory::default();
        assert!(inventory.learn(endpoint("vpce-0a", "vpc-1")).unwrap());
        assert!(!inventory.learn(endpoint("vpce-0a", "vpc-1")).unwrap());
        let error = inventory.learn(endpoint("vpce-0a", "vpc-2")).unwrap_err();
        assert!(error.to_string().contains("`vpc-1`"), "{error}");
        assert_eq!(inventory.vpc_of("vpce-0a").map(|vpc| vpc.id.as_str()), Some("vpc-1"));
    }

    #[test]
    fn a_list_without_endpoints_is_none_only_where_it_says_so() {
        assert_eq!(described(r#"{"VpcEndpoints":[]}"#).unwrap(), []);
        let refused = |text: &str| described(text).map_or_else(|error| error.to_string(), |_| String::new());
        insta::assert_snapshot!(refused(""), @"it is empty: did `aws ec2 describe-vpc-endpoints` fail?");
        insta::assert_snapshot!(refused(" \n"), @"it is empty: did `aws ec2 describe-vpc-endpoints` fail?");
        insta::assert_snapshot!(refused("{}"), @"not the output of `aws ec2 describe-vpc-endpoints`: missing field `VpcEndpoints` at line 1 column 2");
        insta::assert_snapshot!(refused("null"), @"not the output of `aws ec2 describe-vpc-endpoints`: invalid type: null, expected struct Described at line 1 column 4");
        insta::assert_snapshot!(refused(r#"{"VpcEndpoints":null}"#), @"not the output of `aws ec2 describe-vpc-endpoints`: invalid type: null, expected a sequence at line 1 column 20");
    }

    #[test]
    fn reads_what_the_aws_command_prints() {
        let text = r#"{"VpcEndpoints":[{"VpcEndpointId":"vpce-0a","VpcId":"vpc-1","OwnerId":"111122223333",
            "ServiceName":"com.amazonaws.eu-west-1.dynamodb","State":"available"}]}"#;
        assert_eq!(described(text).unwrap(), [endpoint("vpce-0a", "vpc-1")]);
        assert!(described(&format!("{text}\n{text}")).is_ok_and(|both| both.len() == 2));
        assert!(described("[]").is_err());
        assert!(described(&text.replace("vpce-0a", "eni-0a")).is_err());
    }
}
