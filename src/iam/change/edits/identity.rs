//! IAM's events as edits.

use std::collections::BTreeMap;

use super::super::event::Event;
use super::{needed_policy, policy, tags, taken, text};
use crate::iam::state::{Edit, HolderId, HolderKind, Made, Part, Text};
use crate::ids::Arn;

pub(super) fn edits(event: &Event<'_>) -> Vec<Edit> {
    edit(event).into_iter().collect()
}

fn edit(event: &Event<'_>) -> Option<Edit> {
    let name = event.name;
    match name {
        "CreateRole" | "AcquireRole" | "CreateServiceLinkedRole" => made(event, HolderKind::Role),
        "CreateUser" => made(event, HolderKind::User),
        "CreateGroup" => made(event, HolderKind::Group),
        "DeleteRole" | "DeleteServiceLinkedRole" | "DeleteUser" | "DeleteGroup" => {
            Some(Edit::Gone(holder(event)?))
        }
        "UpdateUser" => renamed(event, HolderKind::User, "newUserName"),
        "UpdateGroup" => renamed(event, HolderKind::Group, "newGroupName"),
        "UpdateAssumeRolePolicy" => {
            Some(Edit::Trust { role: holder(event)?, text: needed_policy(event.request(), "policyDocument") })
        }
        "PutRolePolicy" | "PutUserPolicy" | "PutGroupPolicy" => inline(event),
        "DeleteRolePolicy" | "DeleteUserPolicy" | "DeleteGroupPolicy" => {
            of_policy(event, |holder, name| Edit::Inline { holder, name, text: None }, "policyName")
        }
        "AttachRolePolicy" | "AttachUserPolicy" | "AttachGroupPolicy" => {
            of_policy(event, |holder, policy| Edit::Attached { holder, policy, is: true }, "policyArn")
        }
        "DetachRolePolicy" | "DetachUserPolicy" | "DetachGroupPolicy" => {
            of_policy(event, |holder, policy| Edit::Attached { holder, policy, is: false }, "policyArn")
        }
        "PutRolePermissionsBoundary" | "PutUserPermissionsBoundary" => of_policy(
            event,
            |holder, policy| Edit::Boundary { holder, policy: Some(policy) },
            "permissionsBoundary",
        ),
        "DeleteRolePermissionsBoundary" | "DeleteUserPermissionsBoundary" => {
            Some(Edit::Boundary { holder: holder(event)?, policy: None })
        }
        "TagRole" | "TagUser" => Some(Edit::Tagged {
            holder: holder(event)?,
            set: tags(event.request(), "tags"),
            taken: Vec::new(),
        }),
        "UntagRole" | "UntagUser" => {
            Some(Edit::Tagged { holder: holder(event)?, set: BTreeMap::new(), taken: taken(event.request()) })
        }
        "AddUserToGroup" | "RemoveUserFromGroup" => Some(Edit::Member {
            user: named(event, HolderKind::User)?,
            group: text(event, "groupName")?,
            is: name == "AddUserToGroup",
        }),
        "CreatePolicy" | "CreatePolicyVersion" => version(event),
        "SetDefaultPolicyVersion" => Some(Edit::DefaultVersion {
            policy: text(event, "policyArn")?,
            version: text(event, "versionId"),
        }),
        "DeletePolicyVersion" => {
            Some(Edit::VersionGone { policy: text(event, "policyArn")?, version: text(event, "versionId")? })
        }
        "DeletePolicy" => Some(Edit::ManagedGone(text(event, "policyArn")?)),
        _ => None,
    }
}

fn id(account: &str, kind: HolderKind, name: &str) -> HolderId {
    // A call may take an ARN for a name nowhere, and yet nothing else is made of one than its last part.
    let name = name.rsplit('/').next().unwrap_or(name);
    HolderId { account: account.to_owned(), kind, name: name.to_owned() }
}

fn named(event: &Event<'_>, kind: HolderKind) -> Option<HolderId> {
    let key = match kind {
        HolderKind::Role => "roleName",
        HolderKind::User => "userName",
        HolderKind::Group => "groupName",
    };
    Some(id(event.account.as_deref()?, kind, &event.text(key)?))
}

/// The role, user or group that the event is about.
fn holder(event: &Event<'_>) -> Option<HolderId> {
    [HolderKind::Role, HolderKind::User, HolderKind::Group].into_iter().find_map(|kind| named(event, kind))
}

fn made(event: &Event<'_>, kind: HolderKind) -> Option<Edit> {
    let account = event.account.as_deref()?;
    let key = format!("{}Name", kind.name());
    let arn = event.made_arn(kind.name(), &key);
    let name = match &arn {
        Some(arn) => Arn::parse(arn)?.resource.to_owned(),
        None => event.text(&key)?.into_owned(),
    };
    let request = event.request();
    let boundary = text(event, "permissionsBoundary");
    Some(Edit::Made(Box::new(Made {
        holder: id(account, kind, &name),
        arn,
        unique_id: event.answer(&format!("{}Id", kind.name())).map(|id| id.into_owned()),
        trust: (kind == HolderKind::Role)
            .then(|| policy(request, "assumeRolePolicyDocument").unwrap_or(Text::Untold)),
        boundary,
        tags: tags(request, "tags"),
        // A template's policies are in no event, a service-linked role's are the service's, and parameters that are
        // left out may have had a boundary.
        is_partial: matches!(event.name, "AcquireRole" | "CreateServiceLinkedRole") || request.omitted,
    })))
}

fn renamed(event: &Event<'_>, kind: HolderKind, new_name: &str) -> Option<Edit> {
    let from = named(event, kind)?;
    let (path, name) = (text(event, "newPath"), text(event, new_name));
    if path.is_none() && name.is_none() {
        return event.request().omitted.then_some(Edit::Untold(Part::Holder(from)));
    }
    let to = HolderId { name: name.unwrap_or_else(|| from.name.clone()), ..from.clone() };
    // Without its new path, the event tells a name alone.
    let arn = path.and_then(|path| event.iam_arn(kind.name(), &path, &to.name));
    Some(Edit::Renamed { from, to, arn })
}

fn inline(event: &Event<'_>) -> Option<Edit> {
    let holder = holder(event)?;
    let Some(name) = text(event, "policyName") else { return Some(Edit::Untold(Part::Holder(holder))) };
    let text = Some(needed_policy(event.request(), "policyDocument"));
    Some(Edit::Inline { holder, name, text })
}

/// An edit of a holder and a policy; without the policy's name, whatever is put on the holder may have changed.
fn of_policy(event: &Event<'_>, edit: impl FnOnce(HolderId, String) -> Edit, key: &str) -> Option<Edit> {
    let holder = holder(event)?;
    Some(match text(event, key) {
        Some(policy) => edit(holder, policy),
        None => Edit::Untold(Part::Holder(holder)),
    })
}

fn version(event: &Event<'_>) -> Option<Edit> {
    let is_new = event.name == "CreatePolicy";
    let policy = if is_new { event.made_arn("policy", "policyName")? } else { text(event, "policyArn")? };
    let request = event.request();
    let version = event.answer("versionId").map(|id| id.into_owned());
    Some(Edit::Version {
        policy,
        version: version.or_else(|| is_new.then(|| "v1".to_owned())),
        text: needed_policy(request, "policyDocument"),
        is_default: is_new || request.is_true("setAsDefault") || request.omitted,
    })
}
