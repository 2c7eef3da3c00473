//! What an event does to what stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ControlKind, HolderId, Text};

/// One thing that changes. Doing it twice is doing it once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Edit {
    /// A role, user or group is made.
    Made(Box<Made>),
    /// It is deleted.
    Gone(HolderId),
    /// A user or group has another name or path.
    Renamed { from: HolderId, to: HolderId, arn: Option<String> },
    /// An inline policy is written; `None`: deleted.
    Inline { holder: HolderId, name: String, text: Option<Text> },
    /// A managed policy is attached, or detached.
    Attached { holder: HolderId, policy: String, is: bool },
    /// A permissions boundary is set; `None`: taken away.
    Boundary { holder: HolderId, policy: Option<String> },
    /// A role's trust policy is written.
    Trust { role: HolderId, text: Text },
    /// Tags are set, and taken away by their keys.
    Tagged { holder: HolderId, set: BTreeMap<String, String>, taken: Vec<String> },
    /// A user joins a group, or leaves it.
    Member { user: HolderId, group: String, is: bool },
    /// A managed policy has a new version. `version`: `None`, nothing told its id.
    Version { policy: String, version: Option<String>, text: Text, is_default: bool },
    /// Another version of a managed policy counts.
    DefaultVersion { policy: String, version: Option<String> },
    /// A version of a managed policy is deleted.
    VersionGone { policy: String, version: String },
    /// A managed policy is deleted.
    ManagedGone(String),
    /// A policy of the organization is made or changed; what is `None` stays.
    Control { id: String, kind: Option<ControlKind>, name: Option<String>, text: Option<Text> },
    /// One of a type that decides no request is made.
    OtherControl(String),
    /// It is deleted.
    ControlGone(String),
    /// It is attached to a root, unit or account, or detached.
    ControlAttached { id: String, target: String, is: bool },
    /// A type of policies is switched on or, and with it every policy of the type is detached, off.
    ControlType { kind: ControlKind, is_on: bool },
    /// An account lies in another unit.
    Moved { account: String, to: String },
    /// An account is no member any more.
    Left { account: String },
    /// A unit is made.
    Unit { id: String, parent: String },
    /// A table is made.
    TableMade { table: String, policy: Option<Text>, tags: Option<BTreeMap<String, String>> },
    /// A table is a replica of another now. If it was not there before, it is made, without a policy.
    Replica(String),
    /// A table is deleted, and its streams with it.
    TableGone(String),
    /// The policy of a table or stream is written; `None`: deleted.
    TablePolicy { table: String, text: Option<Text> },
    /// Tags of a table are set, and taken away by their keys.
    TableTagged { table: String, set: BTreeMap<String, String>, taken: Vec<String> },
    /// An endpoint is made.
    EndpointMade { endpoint: String, vpc: Option<String>, policy: Option<Text> },
    /// An endpoint's policy is written; `None`: AWS's default again.
    EndpointPolicy { endpoint: String, text: Option<Text> },
    /// An endpoint is deleted.
    EndpointGone(String),
    /// Something of it changed, and the event does not tell what.
    Untold(Part),
}

impl Edit {
    /// Does it leave out what something is now?
    pub fn is_untold(&self) -> bool {
        let texts = match self {
            Edit::Inline { text, .. }
            | Edit::Control { text, .. }
            | Edit::TablePolicy { text, .. }
            | Edit::EndpointPolicy { text, .. }
            | Edit::TableMade { policy: text, .. }
            | Edit::EndpointMade { policy: text, .. } => text.as_ref(),
            Edit::Trust { text, .. } | Edit::Version { text, .. } => Some(text),
            Edit::Made(made) => return made.is_partial || made.trust == Some(Text::Untold),
            Edit::Untold(_) => return true,
            _ => None,
        };
        texts == Some(&Text::Untold)
    }

    /// Is it about policies of the organization, or about what they are above?
    pub fn is_of_organization(&self) -> bool {
        matches!(
            self,
            Edit::Control { .. }
                | Edit::OtherControl(_)
                | Edit::ControlGone(_)
                | Edit::ControlAttached { .. }
                | Edit::ControlType { .. }
                | Edit::Moved { .. }
                | Edit::Left { .. }
                | Edit::Unit { .. }
                | Edit::Untold(Part::Organization)
        )
    }
}

/// A holder that is made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Made {
    pub holder: HolderId,
    /// With its path, where that was told.
    pub arn: Option<String>,
    pub unique_id: Option<String>,
    /// A role's trust policy.
    pub trust: Option<Text>,
    pub boundary: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// It comes with policies that the event does not tell.
    pub is_partial: bool,
}

/// What is read from AWS at once.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Part {
    /// A role, user or group, with all that is put on it.
    Holder(HolderId),
    /// A managed policy, by ARN.
    Managed(String),
    /// The organization: its accounts, and the policies above them.
    Organization,
    /// A table or stream, by ARN.
    Table(String),
    /// An endpoint, by id.
    Endpoint(String),
}
