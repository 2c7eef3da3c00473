//! Identifiers, parsed once: accounts, regions, VPCs, endpoints, ARNs.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is no identifier of its kind.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{found}` is no {kind}: {expected}")]
pub struct IdError {
    kind: &'static str,
    found: String,
    expected: &'static str,
}

/// A twelve-digit AWS account id.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// Reads an account id.
    ///
    /// # Errors
    /// Where it is not exactly twelve digits.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if is_account(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError { kind: "account id", found: text.to_owned(), expected: "twelve digits" })
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Is this twelve digits?
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// The id of a VPC endpoint, `vpce-` and hexadecimal digits. CloudTrail writes other things in
/// the same field (`AWS Internal`, a service's name): those are no endpoints.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointId(String);

impl EndpointId {
    /// Reads an endpoint id.
    ///
    /// # Errors
    /// Where it is not `vpce-` and hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if is_endpoint(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError {
            kind: "endpoint id",
            found: text.to_owned(),
            expected: "`vpce-` and hexadecimal digits",
        })
    }

    /// As AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Is this `vpce-` and hexadecimal digits?
pub fn is_endpoint(text: &str) -> bool {
    text.strip_prefix("vpce-").is_some_and(|hex| {
        !hex.is_empty() && hex.len() <= 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A VPC: its id alone repeats across regions and accounts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct VpcKey {
    /// As `eu-west-1`.
    pub region: String,
    /// The owner.
    pub account: AccountId,
    /// As `vpc-0a1b2c3d`.
    pub id: String,
}

macro_rules! text_id {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }
        impl From<$type> for String {
            fn from(id: $type) -> String {
                id.0
            }
        }
        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text_id!(AccountId);
text_id!(EndpointId);

/// The parts of an ARN, `arn:partition:service:region:account:resource`; the resource keeps its
/// colons.
///
/// Source: IAM user guide, "Identify AWS resources with ARNs".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` where it has not its six parts.
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("arn:")?;
        let (partition, rest) = cut(rest)?;
        let (service, rest) = cut(rest)?;
        let (region, rest) = cut(rest)?;
        let (account, resource) = cut(rest)?;
        Some(Self { partition, service, region, account, resource })
    }
}

/// What stands before the first colon, and behind it. The parts of an ARN are so short that looking
/// at each byte is the quickest.
fn cut(text: &str) -> Option<(&str, &str)> {
    let colon = text.bytes().position(|byte| byte == b':')?;
    Some((text.get(..colon)?, text.get(colon + 1..)?))
}

/// The partition that a region lies in.
///
/// Source: `partitions.json` of botocore 1.44.5.
pub fn partition_of(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let found = PARTITIONS.iter().find(|(start, _)| region.starts_with(start));
    found.map_or("aws", |(_, partition)| partition)
}

/// No service's name is longer.
const MAX_SERVICE: usize = 64;

/// The service that an `eventSource` or a service principal names: what stands before
/// `.amazonaws.com` or, in China, `.amazonaws.com.cn`, in small letters, as `streams.dynamodb`.
/// `None`: it names no service.
///
/// A name in the usual spelling is not copied: this is asked of every record.
#[inline]
pub fn service_of(source: &str) -> Option<Cow<'_, str>> {
    let name = before(source, ".amazonaws.com").or_else(|| before(source, ".amazonaws.com.cn"))?;
    if name.is_empty() || name.len() > MAX_SERVICE {
        return None;
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(name.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(name))
}

/// What stands before `end`, whatever the case of that.
fn before<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    rest.eq_ignore_ascii_case(end).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_ids_are_vpce_and_hexadecimal() {
        assert!(is_endpoint("vpce-0a1b2c3d4e5f60001"));
        for other in ["AWS Internal", "vpce-", "vpce-0A", "vpce-0x", "kms.amazonaws.com", " vpce-0a"] {
            assert!(!is_endpoint(other), "{other}");
        }
    }

    #[test]
    fn arns_keep_the_colons_of_their_resource() {
        let arn = Arn::parse("arn:aws:lambda:eu-west-1:111122223333:function:perimeter-auditor");
        assert_eq!(arn.map(|arn| arn.resource), Some("function:perimeter-auditor"));
        assert_eq!(Arn::parse("arn:aws:iam::111122223333"), None);
    }

    #[test]
    fn every_partition_is_known_by_its_regions() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
            ("eu-isolated-1", "aws"),
            ("", "aws"),
        ] {
            assert_eq!(partition_of(region), partition, "{region}");
        }
    }

    #[test]
    fn a_service_is_the_same_in_every_spelling() {
        for (source, service) in [
            ("dynamodb.amazonaws.com", Some("dynamodb")),
            ("DynamoDB.amazonaws.com", Some("dynamodb")),
            ("dynamodb.AmazonAWS.com", Some("dynamodb")),
            ("iam.amazonaws.com.cn", Some("iam")),
            ("streams.dynamodb.amazonaws.com.CN", Some("streams.dynamodb")),
            ("dynamodb", None),
            ("dynamodb.amazonaws.com.example", None),
            ("dynamodb.amazonaws.comm", None),
            ("dynamodbamazonaws.com", None),
            (".amazonaws.com", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(service_of(source).as_deref(), service, "{source}");
        }
        let usual = service_of("kms.amazonaws.com");
        assert!(matches!(usual, Some(Cow::Borrowed("kms"))));
        assert_eq!(service_of(&format!("{}.amazonaws.com", "a".repeat(65))), None);
    }
}
