//! Events of Organizations as edits.

use std::borrow::Cow;

use super::super::event::Event;
use super::{needed_policy, text};
use crate::iam::state::{ControlKind, Edit, Part};

pub(super) fn edits(event: &Event<'_>) -> Vec<Edit> {
    let edits = match event.name {
        // Which policy that is, its attachment tells. Till then it is above nothing.
        "CreatePolicy" => return created(event).into_iter().collect(),
        "UpdatePolicy" => changed(event),
        "DeletePolicy" => text(event, "policyId").map(Edit::ControlGone),
        "AttachPolicy" | "DetachPolicy" => attached(event),
        "EnablePolicyType" | "DisablePolicyType" => switched(event),
        "MoveAccount" => moved(event),
        "LeaveOrganization" => event.account.clone().map(|account| Edit::Left { account }),
        "RemoveAccountFromOrganization" => text(event, "accountId").map(|account| Edit::Left { account }),
        // Likewise a unit, and what is moved there.
        "CreateOrganizationalUnit" => return unit(event).into_iter().collect(),
        "DeleteOrganization" => None,
        // A closed account stays a member, under its policies, until it is gone.
        // Who joins has no policies above it before it is known where it lies, which none of these tells.
        _ => return Vec::new(),
    };
    vec![edits.unwrap_or(Edit::Untold(Part::Organization))]
}

/// The type's name.
fn kind<'e>(event: &'e Event<'_>) -> Option<Cow<'e, str>> {
    event.request().text("policyType").or_else(|| event.text("type"))
}

fn created(event: &Event<'_>) -> Option<Edit> {
    let content = needed_policy(event.request(), "content");
    let id = event.answer("id").or_else(|| event.answer("policyId")).map(Cow::into_owned);
    let kind = kind(event).map(|name| ControlKind::parse(&name));
    match kind {
        // Whatever its id is.
        Some(None) => Some(Edit::OtherControl(id.unwrap_or_default())),
        kind => Some(Edit::Control {
            id: id?,
            kind: kind.flatten(),
            name: text(event, "name"),
            text: Some(content),
        }),
    }
}

fn changed(event: &Event<'_>) -> Option<Edit> {
    let request = event.request();
    // An empty text is none that AWS takes, and so not the one that was written.
    let is_told = request.get("content").is_some_and(|content| !content.is_null());
    let content = (request.omitted || is_told).then(|| needed_policy(request, "content"));
    Some(Edit::Control { id: text(event, "policyId")?, kind: None, name: text(event, "name"), text: content })
}

fn attached(event: &Event<'_>) -> Option<Edit> {
    let (id, target) = (text(event, "policyId")?, text(event, "targetId")?);
    Some(Edit::ControlAttached { id, target, is: event.name == "AttachPolicy" })
}

fn switched(event: &Event<'_>) -> Option<Edit> {
    Some(Edit::ControlType {
        kind: ControlKind::parse(&kind(event)?)?,
        is_on: event.name == "EnablePolicyType",
    })
}

fn moved(event: &Event<'_>) -> Option<Edit> {
    Some(Edit::Moved { account: text(event, "accountId")?, to: text(event, "destinationParentId")? })
}

fn unit(event: &Event<'_>) -> Option<Edit> {
    Some(Edit::Unit { id: event.answer("id")?.into_owned(), parent: text(event, "parentId")? })
}
