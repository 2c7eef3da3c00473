//! One action, as the service authorization reference describes it.

use serde::Deserialize;

/// An action that policies can name.
#[derive(Debug, Deserialize)]
pub struct Action {
    /// Without prefix: `GetItem`.
    pub name: &'static str,
    /// What AWS says that it does, roughly. `PutResourcePolicy` both writes and changes who may do what.
    pub access: Vec<AccessLevel>,
    /// It has no resource of its own: a request for it names `*`, or something that stands for all.
    pub wildcard_only: bool,
    /// What it can be done to, by type; empty where it is `wildcard_only`.
    pub resources: Vec<ResourceUse>,
    /// Keys that go with it whatever the resource. Those of the resource types come on top.
    #[serde(borrow)]
    pub condition_keys: Vec<&'static str>,
}

/// That an action is done to a type of resource.
#[derive(Debug, Deserialize)]
pub struct ResourceUse {
    /// As [`ResourceType::name`](super::ResourceType::name).
    #[serde(rename = "type")]
    pub name: &'static str,
    /// The reference marks it with a star. Where two types are, it does not tell one of them from both.
    pub required: bool,
    /// Keys that go with the action only where it is done to this type.
    #[serde(borrow)]
    pub condition_keys: Vec<&'static str>,
}

/// AWS's own, coarse classes of actions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum AccessLevel {
    /// Names what there is.
    List,
    /// Shows what is in it.
    Read,
    /// Makes, changes or removes.
    Write,
    /// Changes tags only.
    Tagging,
    /// Changes who may do what.
    #[serde(rename = "Permissions management")]
    Permissions,
}

impl Action {
    /// May it be done to this type of resource?
    pub fn is_done_to(&self, resource_type: &str) -> bool {
        self.resources.iter().any(|used| used.name == resource_type)
    }

    /// May a request for it name no resource, but `*`? Also where every type is optional (`ListExports`).
    pub fn may_name_none(&self) -> bool {
        self.resources.iter().all(|used| !used.required)
    }
}
