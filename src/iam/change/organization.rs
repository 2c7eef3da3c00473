//! AWS Organizations: the policies above all accounts, and which accounts they are above.
//!
//! Policies of other types (tags, backups, …) guard nothing here. An attachment does not tell the
//! type of its policy, so each counts, and so does the making of each, which tells it.

use std::borrow::Cow;

use super::event::Event;
use super::{Draft, Kind, Needs, Shows};

/// Is an event of Organizations a change?
pub(super) fn is_change(name: &str) -> bool {
    kind(name).is_some()
}

fn kind(name: &str) -> Option<Kind> {
    use Needs::{Nothing, Parameters};
    const CONTENT: Needs = Needs::Text("content");
    Some(match name {
        "CreatePolicy" => (CONTENT, "organization policy {name} created"),
        "UpdatePolicy" => (Parameters, "organization policy {policyId} changed"),
        "DeletePolicy" => (Parameters, "organization policy {policyId} deleted"),
        "AttachPolicy" => (Parameters, "organization policy {policyId} attached to {targetId}"),
        "DetachPolicy" => (Parameters, "organization policy {policyId} detached from {targetId}"),
        "EnablePolicyType" => (Parameters, "organization policies of type {policyType} enabled"),
        "DisablePolicyType" => {
            (Parameters, "organization policies of type {policyType} disabled, all of them detached")
        }
        "PutResourcePolicy" => (CONTENT, "delegation policy of the organization replaced"),
        "DeleteResourcePolicy" => (Nothing, "delegation policy of the organization deleted"),
        "MoveAccount" => {
            (Nothing, "account {accountId} moved from {sourceParentId} to {destinationParentId}")
        }
        "LeaveOrganization" => (Nothing, "account left the organization"),
        "RemoveAccountFromOrganization" => (Nothing, "account {accountId} removed from the organization"),
        "AccountJoinedOrganization" => (Nothing, "account joined the organization"),
        "AccountDepartedOrganization" => (Nothing, "account departed from the organization"),
        "AcceptHandshake" => (Nothing, "handshake {handshakeId} accepted"),
        "InviteAccountToOrganization" => (Nothing, "account invited to the organization"),
        "CreateAccount" | "CreateGovCloudAccount" => (Nothing, "account {accountName} created"),
        "CloseAccount" => (Nothing, "account {accountId} closed"),
        "CreateOrganizationalUnit" => (Nothing, "organizational unit {name} created"),
        "DeleteOrganizationalUnit" => (Nothing, "organizational unit {organizationalUnitId} deleted"),
        "RegisterDelegatedAdministrator" => {
            (Nothing, "account {accountId} made administrator for {servicePrincipal}")
        }
        "DeregisterDelegatedAdministrator" => {
            (Nothing, "account {accountId} no longer administrator for {servicePrincipal}")
        }
        "EnableAWSServiceAccess" => (Nothing, "access of {servicePrincipal} to the organization enabled"),
        "DisableAWSServiceAccess" => (Nothing, "access of {servicePrincipal} to the organization disabled"),
        "TagResource" => (Nothing, "{resourceId} tagged"),
        "UntagResource" => (Nothing, "tags of {resourceId} removed"),
        "CreateOrganization" => (Nothing, "organization created"),
        "DeleteOrganization" => (Nothing, "organization deleted"),
        "EnableAllFeatures" => (Nothing, "all features of the organization enabled"),
        _ => return None,
    })
}

/// Reads an event of Organizations.
pub(super) fn change(event: &Event<'_>) -> Option<Draft> {
    let kind = kind(event.name)?;
    let is_of_policies =
        matches!(event.name, "CreatePolicy" | "UpdatePolicy" | "EnablePolicyType" | "DisablePolicyType");
    let policy_type = event.request().text("policyType").or_else(|| event.text("type"));
    let is_other = is_of_policies && policy_type.is_some_and(|found| !guards(&found));
    // One that is made is remembered: its attachment does not tell its type.
    if is_other && event.name != "CreatePolicy" {
        return None;
    }
    let mut draft = Draft::new(event, if is_other { (Needs::Nothing, kind.1) } else { kind });
    // A policy may be given another name alone.
    let request = event.request();
    if event.name == "UpdatePolicy" && request.carries("content") && !request.has_policy("content") {
        draft.shows = Shows::Unreadable;
    }
    if is_of_policies {
        draft.target(event.answer("arn").map(Cow::into_owned));
    }
    for key in ["accountId", "targetId", "resourceId"] {
        let account = event.request().text(key);
        draft.target(account.and_then(|account| event.account_arn(&account)));
    }
    if event.name == "LeaveOrganization" {
        draft.target(event.account.as_deref().and_then(|account| event.account_arn(account)));
    }
    Some(draft)
}

/// Does a policy of this type deny requests? Written `SERVICE_CONTROL_POLICY` in the API.
fn guards(policy_type: &str) -> bool {
    ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]
        .iter()
        .any(|guard| policy_type.eq_ignore_ascii_case(guard))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, change_of};
    use super::super::{Change, Shows};

    fn organizations(name: &str, request: &str) -> Option<Change> {
        change_of("organizations.amazonaws.com", name, request)
    }

    #[test]
    fn control_policies_count_and_other_types_do_not() {
        for (policy_type, counts) in
            [("SERVICE_CONTROL_POLICY", true), ("RESOURCE_CONTROL_POLICY", true), ("TAG_POLICY", false)]
        {
            let request = format!(r#"{{"name":"p","type":"{policy_type}"}}"#);
            let made = organizations("CreatePolicy", &request).map(|change| change.shows == Shows::Nothing);
            assert_eq!(made, Some(!counts), "{policy_type}");
            let request = format!(r#"{{"rootId":"r-1","policyType":"{policy_type}"}}"#);
            assert_eq!(organizations("DisablePolicyType", &request).is_some(), counts, "{policy_type}");
            let arn = "arn:aws:organizations::999988887777:policy/o-1/x/p-1";
            let response =
                format!(r#"{{"policy":{{"policySummary":{{"type":"{policy_type}","arn":"{arn}"}}}}}}"#);
            let sample = Sample::new("organizations.amazonaws.com", "UpdatePolicy");
            let change = sample.request(r#"{"policyId":"p-1","content":"{}"}"#).response(&response).change();
            let expected = counts.then(|| vec![arn.to_owned()]);
            assert_eq!(change.map(|change| change.resources), expected, "{policy_type}");
        }
    }

    #[test]
    fn a_hidden_policy_is_unreadable() {
        for (name, request) in [
            ("PutResourcePolicy", r#"{"content":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#),
            ("CreatePolicy", r#"{"name":"p","type":"SERVICE_CONTROL_POLICY"}"#),
            ("CreatePolicy", "null"),
            ("UpdatePolicy", "null"),
            ("UpdatePolicy", r#"{"policyId":"p-1","content":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#),
            ("DetachPolicy", "null"),
        ] {
            let shows = organizations(name, request).map(|change| change.shows);
            assert_eq!(shows, Some(Shows::Unreadable), "{name} {request}");
        }
        let rename = organizations("UpdatePolicy", r#"{"policyId":"p-1","name":"new"}"#);
        assert_eq!(rename.map(|change| change.shows), Some(Shows::Nothing));
    }

    #[test]
    fn accounts_that_move_or_leave_are_named() {
        let request = r#"{"accountId":"444455556666","sourceParentId":"ou-1","destinationParentId":"r-1"}"#;
        let change = organizations("MoveAccount", request);
        let change = change.map(|change| (change.what, change.resources));
        let what = "account `444455556666` moved from `ou-1` to `r-1`".to_owned();
        assert_eq!(change, Some((what, vec!["arn:aws:iam::444455556666:root".to_owned()])));
        let change = organizations("LeaveOrganization", "null");
        let resources = change.map(|change| change.resources);
        assert_eq!(resources, Some(vec!["arn:aws:iam::111122223333:root".to_owned()]));
    }

    #[test]
    fn reading_the_organization_is_no_change() {
        for name in ["ListAccounts", "DescribePolicy", "UpdateOrganizationalUnit", "CancelHandshake"] {
            assert_eq!(organizations(name, "{}"), None, "{name}");
        }
    }
}
