//! What there is to allow and to deny: actions, resource types and condition keys of DynamoDB (its Streams among
//! them) and DAX, and the condition keys that every service has.
//!
//! They are data, written by `scripts/catalogue` from a published dataset of AWS's service authorization reference,
//! and each file says from which and of which day ([`Origin`]). What AWS has added since is not known here.
//!
//! The reference tells what a policy can speak of. It does not tell what a request really carries, and what it leaves
//! out need not be absent.

mod action;
mod key;
mod resource;

use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

pub use action::{AccessLevel, Action, ResourceUse};
pub use key::{Key, NamedKey, OF_ENDPOINTS, ValueType};
pub use resource::ResourceType;

/// Where a file of the catalogue is from.
#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    /// The dataset, in words.
    pub source: &'static str,
    /// Which of its versions.
    pub version: &'static str,
    /// The day of that version. What AWS changed later is not in it.
    pub date: Date,
}

/// What one service has, as policies speak of it.
#[derive(Debug, Deserialize)]
pub struct Service {
    /// Where this is from.
    #[serde(flatten)]
    pub origin: Origin,
    /// What stands before the colon of its actions: `dynamodb`, `dax`.
    #[serde(rename = "service")]
    pub prefix: &'static str,
    /// By name.
    pub actions: Vec<Action>,
    /// By name.
    pub resource_types: Vec<ResourceType>,
    /// The keys that its actions and resource types speak of, by name.
    #[serde(rename = "condition_keys")]
    pub keys: Vec<Key>,
}

/// The keys that are not one service's alone.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct GlobalKeys {
    /// Where this is from.
    #[serde(flatten)]
    pub origin: Origin,
    /// `aws:` and the cross-service ones, as `lambda:SourceFunctionArn`; by name.
    #[serde(rename = "condition_keys")]
    pub keys: Vec<Key>,
}

/// DynamoDB and DynamoDB Streams, which have one prefix.
pub fn dynamodb() -> &'static Service {
    static SERVICE: LazyLock<Service> = LazyLock::new(|| built_in(include_str!("catalogue/dynamodb.json")));
    &SERVICE
}

/// DAX: its actions stand for what a cluster does with a role of its own.
pub fn dax() -> &'static Service {
    static SERVICE: LazyLock<Service> = LazyLock::new(|| built_in(include_str!("catalogue/dax.json")));
    &SERVICE
}

/// The global keys.
pub fn global_keys() -> &'static GlobalKeys {
    static KEYS: LazyLock<GlobalKeys> = LazyLock::new(|| built_in(include_str!("catalogue/aws.json")));
    &KEYS
}

/// The key that a condition names, in any casing; `None` where the catalogue has none of that name.
///
/// Source: IAM user guide, "IAM JSON policy elements: Condition": names of keys are not case-sensitive.
pub fn find_key(name: &str) -> Option<NamedKey<'_>> {
    let lists = [&global_keys().keys, &dynamodb().keys, &dax().keys];
    lists.into_iter().flatten().find_map(|key| key.named(name))
}

/// A key as AWS spells it; its variable part, as it is given.
pub fn spelled(name: &str) -> String {
    let Some(found) = find_key(name) else { return name.to_owned() };
    let fixed = found.key.name.split("${").next().unwrap_or_default();
    format!("{fixed}{}", found.variable.unwrap_or_default())
}

#[expect(clippy::expect_used, reason = "the text is part of the program, and the tests read all of it")]
fn built_in<T: Deserialize<'static>>(text: &'static str) -> T {
    serde_json::from_str(text).expect("a file of the catalogue is not what `scripts/catalogue` writes")
}

impl Service {
    /// The action of this name, without prefix and in any casing.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name.eq_ignore_ascii_case(name))
    }

    /// The resource type of this name, as `global-table`.
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.resource_types.iter().find(|one| one.name == name)
    }
}

#[cfg(test)]
mod tests;
