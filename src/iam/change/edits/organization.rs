//! Events of Organizations as edits.

use super::super::event::Event;
use super::{policy, text};
use crate::iam::state::{ControlKind, Edit, Part, Text};

pub(super) fn edits(event: &Event<'_>) -> Vec<Edit> {
    let edits = match event.name {
        "CreatePolicy" => created(event),
        "UpdatePolicy" => changed(event),
        "DeletePolicy" => text(event, "policyId").map(Edit::ControlGone),
        "AttachPolicy" | "DetachPolicy" => attached(event),
        "EnablePolicyType" | "DisablePolicyType" => switched(event),
        "MoveAccount" => moved(event),
        "LeaveOrganization" => event.account.clone().map(|account| Edit::Left { account }),
        "RemoveAccountFromOrganization" => text(event, "accountId").map(|account| Edit::Left { account }),
        "CreateOrganizationalUnit" => unit(event),
        "DeleteOrganization" => None,
        // A closed account stays a member, under its policies, until it is gone.
        // Who joins has no policies above it before it is known where it lies, which none of these tells.
        _ => return Vec::new(),
    };
    vec![edits.unwrap_or(Edit::Untold(Part::Organization))]
}

fn kind(event: &Event<'_>) -> Option<ControlKind> {
    let found = event.request().text("policyType").or_else(|| event.text("type"))?;
    ControlKind::parse(&found)
}

fn created(event: &Event<'_>) -> Option<Edit> {
    let content = policy(event.request(), "content").unwrap_or(Text::Untold);
    let id = event.answer("id").or_else(|| event.answer("policyId"))?.into_owned();
    Some(Edit::Control { id, kind: kind(event), name: text(event, "name"), text: Some(content) })
}

fn changed(event: &Event<'_>) -> Option<Edit> {
    let request = event.request();
    let content = if request.omitted { Some(Text::Untold) } else { policy(request, "content") };
    Some(Edit::Control { id: text(event, "policyId")?, kind: None, name: text(event, "name"), text: content })
}

fn attached(event: &Event<'_>) -> Option<Edit> {
    let (id, target) = (text(event, "policyId")?, text(event, "targetId")?);
    Some(Edit::ControlAttached { id, target, is: event.name == "AttachPolicy" })
}

fn switched(event: &Event<'_>) -> Option<Edit> {
    Some(Edit::ControlType { kind: kind(event)?, is_on: event.name == "EnablePolicyType" })
}

fn moved(event: &Event<'_>) -> Option<Edit> {
    Some(Edit::Moved { account: text(event, "accountId")?, to: text(event, "destinationParentId")? })
}

fn unit(event: &Event<'_>) -> Option<Edit> {
    Some(Edit::Unit { id: event.answer("id")?.into_owned(), parent: text(event, "parentId")? })
}
