//! What stands: every policy that has a say in who reaches which table, and to what it is attached.
//!
//! A state is read from a snapshot and changed by [`Edit`]s, which are what CloudTrail events come to.
//! What an event does not tell stays in it as untold, and whoever asks has to say so: see [`Text`].
//!
//! IAM names a role, a user or a group by its name alone in most events; a name is unique in its account,
//! whatever the path. So [`HolderId`] has no path.
//!
//! Source: IAM user guide, "IAM identifiers"; Organizations user guide, "Organizations policies".

mod apply;
mod differences;
mod edit;
mod organization;
pub mod piece;
mod shared;
pub mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::document::Kind;

pub use edit::{Edit, Made, Part};
pub use organization::{Control, ControlKind, Organization};
pub use shared::Shared;

/// What stands in an organization. Copies share what is the same in them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct State {
    pub organization: Arc<Organization>,
    /// Accounts of which all roles, users and groups were read at once: who is not here was not there.
    pub read: Arc<BTreeSet<String>>,
    /// Roles, users and groups.
    pub holders: Shared<HolderId, Holder>,
    /// Managed policies, those of AWS among them, by ARN.
    pub managed: Shared<String, Managed>,
    /// Tables and streams, by ARN.
    pub tables: Shared<String, Table>,
    /// Endpoints for DynamoDB, by id.
    pub endpoints: Shared<String, Endpoint>,
}

/// A policy's text, as far as it is known.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Told", into = "Told")]
pub enum Text {
    /// JSON, as it was written.
    Known(Arc<str>),
    /// There is a policy, and nothing told its text.
    Untold,
}

/// A text as it is kept.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Known(String),
    Untold,
}

impl From<Told> for Text {
    fn from(told: Told) -> Self {
        match told {
            Told::Known(text) => Text::Known(text.into()),
            Told::Untold => Text::Untold,
        }
    }
}

impl From<Text> for Told {
    fn from(text: Text) -> Self {
        text.as_str().map_or(Told::Untold, |text| Told::Known(text.to_owned()))
    }
}

impl Text {
    /// A text that is known.
    pub fn known(text: &str) -> Self {
        Text::Known(text.into())
    }

    /// The text, where it is known.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Text::Known(text) => Some(text),
            Text::Untold => None,
        }
    }
}

/// What identity policies are put on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum HolderKind {
    Role,
    User,
    Group,
}

impl HolderKind {
    /// As it stands in ARNs.
    pub fn name(self) -> &'static str {
        match self {
            HolderKind::Role => "role",
            HolderKind::User => "user",
            HolderKind::Group => "group",
        }
    }
}

/// Tells one holder from another.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct HolderId {
    pub account: String,
    pub kind: HolderKind,
    /// Without its path.
    pub name: String,
}

/// A role, user or group, and what is put on it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Holder {
    /// Its ARN, with the path. `None`: only its name was told.
    pub arn: Option<String>,
    /// As `AROA…`.
    pub unique_id: Option<String>,
    /// A role's trust policy.
    pub trust: Option<Text>,
    /// Inline policies, by name.
    pub inline: BTreeMap<String, Text>,
    /// ARNs of the managed policies that are attached.
    pub attached: BTreeSet<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Names of a user's groups.
    pub groups: BTreeSet<String>,
    /// Something else may be put on it, or may have been taken away: nothing told what it had before.
    pub is_partial: bool,
}

/// A managed policy.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Managed {
    /// By version id, as `v3`.
    pub versions: BTreeMap<String, Text>,
    /// The version that counts; one that `versions` does not have is untold.
    pub default: Option<String>,
}

impl Managed {
    /// The text that counts.
    pub fn text(&self) -> Text {
        let default = self.default.as_ref().and_then(|version| self.versions.get(version));
        default.cloned().unwrap_or(Text::Untold)
    }
}

/// A table or a stream.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Table {
    pub policy: Option<Text>,
    /// `None`: nothing told.
    pub tags: Option<BTreeMap<String, String>>,
}

/// An endpoint for DynamoDB.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Endpoint {
    /// The VPC's id, where it was told.
    pub vpc: Option<String>,
    /// `None`: AWS's default, which lets everything through.
    pub policy: Option<Text>,
}

impl Endpoint {
    /// What an endpoint has of this text: nothing of its own, where it says no more than AWS's default.
    ///
    /// Source: AWS PrivateLink guide, "Control access to VPC endpoints using endpoint policies", "Default endpoint policy".
    pub fn own_policy(text: Text) -> Option<Text> {
        let is_default =
            text.as_str().and_then(|text| serde_json::from_str(text).ok()).is_some_and(is_default);
        (!is_default).then_some(text)
    }
}

/// One statement, that lets everything through.
fn is_default(policy: Value) -> bool {
    let statement = match policy.get("Statement") {
        Some(Value::Array(statements)) if statements.len() == 1 => statements.first(),
        statement => statement,
    };
    let is_all = |value: &Value| *value == "*" || *value == json!(["*"]) || *value == json!({"AWS": "*"});
    let fields = statement.and_then(Value::as_object);
    fields.is_some_and(|fields| {
        let is_whole = |key: &str| fields.get(key).is_some_and(is_all);
        ["Principal", "Action", "Resource"].into_iter().all(is_whole)
            && fields.get("Effect").is_some_and(|effect| effect == "Allow")
            && !fields.contains_key("Condition")
    })
}

impl State {
    /// The texts of all policies that count, with their kinds; trust policies, of which none has a say in who reaches
    /// what, are left out.
    pub fn texts(&self) -> impl Iterator<Item = (Text, Kind)> {
        let inline = self.holders.values().flat_map(|holder| holder.inline.values().cloned());
        let managed = self.managed.values().map(|policy| policy.text());
        let identity = inline.chain(managed).map(|text| (text, Kind::Identity));
        let controls = self.organization.policies.values().map(|policy| {
            let kind = match policy.kind {
                Some(ControlKind::Resource) => Kind::ResourceControl,
                Some(ControlKind::Service) | None => Kind::ServiceControl,
            };
            (policy.text.clone(), kind)
        });
        let tables = self.tables.values().filter_map(|table| Some((table.policy.clone()?, Kind::Table)));
        let endpoints = self.endpoints.values().filter_map(|one| Some((one.policy.clone()?, Kind::Endpoint)));
        identity.chain(controls).chain(tables).chain(endpoints)
    }

    /// The holders that a managed policy is put on, as a policy or as a boundary; of a group, its users too.
    pub fn holders_of(&self, policy: &str) -> Vec<&HolderId> {
        let has =
            |holder: &Holder| holder.attached.contains(policy) || holder.boundary.as_deref() == Some(policy);
        let itself = self.holders.iter().filter(|(_, holder)| has(holder)).map(|(id, _)| id);
        let mut all: BTreeSet<&HolderId> = itself.collect();
        let groups: Vec<&HolderId> = all.iter().filter(|id| id.kind == HolderKind::Group).copied().collect();
        all.extend(groups.into_iter().flat_map(|group| self.members(group)));
        all.into_iter().collect()
    }

    /// The users of a group.
    pub fn members(&self, group: &HolderId) -> impl Iterator<Item = &HolderId> {
        let users =
            self.holders.iter().filter(|(id, _)| id.kind == HolderKind::User && id.account == group.account);
        users.filter(|(_, user)| user.groups.contains(&group.name)).map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests;
