//! Resource types.

use serde::Deserialize;

/// A type of resource that actions are done to.
#[derive(Debug, Deserialize)]
pub struct ResourceType {
    /// As `table`, `global-table`.
    pub name: &'static str,
    /// The ARN with its variables: `arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}`.
    pub arn: &'static str,
    /// Keys that go with every action done to it.
    #[serde(borrow)]
    pub condition_keys: Vec<&'static str>,
}
