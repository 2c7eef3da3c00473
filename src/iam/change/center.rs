//! IAM Identity Center: permission sets, who is assigned them, who is in a group.
//!
//! What comes of it in member accounts (roles named `AWSReservedSSO_…`) is recorded there as IAM
//! events of their own.

use std::borrow::Cow;

use super::event::Event;
use super::{Draft, Kind, Needs, Shows};

/// Is an event of Identity Center a change?
pub(super) fn is_change(service: &str, name: &str) -> bool {
    kind(service, name).is_some()
}

fn kind(service: &str, name: &str) -> Option<Kind> {
    match service {
        "sso" => permission_kind(name).or_else(|| provider_kind(name)),
        "sso-directory" => member_kind(name).or_else(|| provider_kind(name)),
        "identitystore" => member_kind(name),
        "identitystore-scim" => scim_kind(name),
        _ => None,
    }
}

fn permission_kind(name: &str) -> Option<Kind> {
    use Needs::{Nothing, Parameters};
    Some(match name {
        "CreatePermissionSet" => (Nothing, "permission set {name} created"),
        "UpdatePermissionSet" => (Nothing, "permission set {permissionSetArn} changed"),
        "DeletePermissionSet" => (Nothing, "permission set {permissionSetArn} deleted"),
        "ProvisionPermissionSet" => (Nothing, "permission set {permissionSetArn} provisioned"),
        "PutInlinePolicyToPermissionSet" => {
            (Needs::Text("inlinePolicy"), "inline policy put on permission set {permissionSetArn}")
        }
        "DeleteInlinePolicyFromPermissionSet" => {
            (Parameters, "inline policy deleted from permission set {permissionSetArn}")
        }
        "AttachManagedPolicyToPermissionSet" => {
            (Parameters, "policy {managedPolicyArn} attached to permission set {permissionSetArn}")
        }
        "DetachManagedPolicyFromPermissionSet" => {
            (Parameters, "policy {managedPolicyArn} detached from permission set {permissionSetArn}")
        }
        "AttachCustomerManagedPolicyReferenceToPermissionSet" => {
            (Parameters, "customer-managed policy attached to permission set {permissionSetArn}")
        }
        "DetachCustomerManagedPolicyReferenceFromPermissionSet" => {
            (Parameters, "customer-managed policy detached from permission set {permissionSetArn}")
        }
        "PutPermissionsBoundaryToPermissionSet" => {
            (Parameters, "permissions boundary put on permission set {permissionSetArn}")
        }
        "DeletePermissionsBoundaryFromPermissionSet" => {
            (Parameters, "permissions boundary of permission set {permissionSetArn} removed")
        }
        "CreateAccountAssignment" => {
            (Nothing, "permission set {permissionSetArn} assigned to {principalId} in account {targetId}")
        }
        "DeleteAccountAssignment" => {
            (Nothing, "permission set {permissionSetArn} withdrawn from {principalId} in account {targetId}")
        }
        // The console's own calls for the same.
        "AssociateProfile" => (Nothing, "permission set assigned"),
        "DisassociateProfile" => (Nothing, "assignment of a permission set withdrawn"),
        "PutPermissionsPolicy" => (Parameters, "inline policy put on a permission set"),
        "DeletePermissionsPolicy" => (Parameters, "inline policy deleted from a permission set"),
        // Attributes that come as session tags.
        "CreateInstanceAccessControlAttributeConfiguration" => (Nothing, "attributes for access control set"),
        "UpdateInstanceAccessControlAttributeConfiguration" => {
            (Nothing, "attributes for access control replaced")
        }
        "DeleteInstanceAccessControlAttributeConfiguration" => {
            (Nothing, "attributes for access control deleted")
        }
        _ => return None,
    })
}

/// Where the people come from.
fn provider_kind(name: &str) -> Option<Kind> {
    use Needs::Nothing;
    Some(match name {
        "AssociateDirectory" => (Nothing, "directory of people connected"),
        "DisassociateDirectory" => (Nothing, "directory of people disconnected"),
        "CreateExternalIdPConfigurationForDirectory" => (Nothing, "external identity provider set up"),
        "UpdateExternalIdPConfigurationForDirectory" => (Nothing, "external identity provider changed"),
        "DeleteExternalIdPConfigurationForDirectory" => (Nothing, "external identity provider deleted"),
        "EnableExternalIdPConfigurationForDirectory" => (Nothing, "external identity provider enabled"),
        "DisableExternalIdPConfigurationForDirectory" => (Nothing, "external identity provider disabled"),
        "ImportExternalIdPCertificate" => (Nothing, "certificate of the external identity provider imported"),
        "DeleteExternalIdPCertificate" => (Nothing, "certificate of the external identity provider deleted"),
        _ => return None,
    })
}

/// Does somebody new vouch from then on for who the people are?
fn vouches(name: &str) -> bool {
    matches!(
        name,
        "AssociateDirectory"
            | "CreateExternalIdPConfigurationForDirectory"
            | "UpdateExternalIdPConfigurationForDirectory"
            | "EnableExternalIdPConfigurationForDirectory"
            | "ImportExternalIdPCertificate"
    )
}

fn member_kind(name: &str) -> Option<Kind> {
    use Needs::Nothing;
    Some(match name {
        "AddMemberToGroup" | "CreateGroupMembership" => {
            (Nothing, "member {memberId|userId} added to Identity Center group {groupId}")
        }
        "RemoveMemberFromGroup" => {
            (Nothing, "member {memberId|userId} removed from Identity Center group {groupId}")
        }
        "DeleteGroupMembership" => (Nothing, "membership {membershipId} of an Identity Center group deleted"),
        _ => return None,
    })
}

/// The same, as an external directory synchronises it.
fn scim_kind(name: &str) -> Option<Kind> {
    use Needs::Nothing;
    Some(match name {
        "CreateGroup" => (Nothing, "Identity Center group synchronised: created"),
        "PatchGroup" | "PutGroup" => (Nothing, "Identity Center group synchronised: changed"),
        "DeleteGroup" => (Nothing, "Identity Center group synchronised: deleted"),
        _ => return None,
    })
}

/// Reads an event of Identity Center.
pub(super) fn change(service: &str, event: &Event<'_>) -> Option<Draft> {
    let mut draft = Draft::new(event, kind(service, event.name)?);
    if vouches(event.name) {
        draft.shows = Shows::CredentialCreated;
    }
    draft.target(event.text("permissionSetArn").map(Cow::into_owned));
    draft.mention(event.text("managedPolicyArn").map(Cow::into_owned));
    draft.mention(event.request().text("instanceArn").map(Cow::into_owned));
    let account = event.request().text("targetId");
    draft.mention(account.and_then(|account| event.account_arn(&account)));
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::super::Shows;
    use super::super::sample::change_of;

    const SET: &str = "arn:aws:sso:::permissionSet/ssoins-1/ps-1";

    #[test]
    fn a_permission_set_changes_with_its_policies() {
        let request = format!(r#"{{"permissionSetArn":"{SET}","inlinePolicy":"{{}}"}}"#);
        let change = change_of("sso.amazonaws.com", "PutInlinePolicyToPermissionSet", &request);
        let change = change.map(|change| (change.what, change.resources, change.shows));
        let what = format!("inline policy put on permission set `{SET}`");
        assert_eq!(change, Some((what, vec![SET.to_owned()], Shows::Nothing)));
    }

    #[test]
    fn an_inline_policy_without_its_text_is_unreadable() {
        for request in ["null".to_owned(), format!(r#"{{"permissionSetArn":"{SET}"}}"#)] {
            let change = change_of("sso.amazonaws.com", "PutInlinePolicyToPermissionSet", &request);
            assert_eq!(change.map(|change| change.shows), Some(Shows::Unreadable), "{request}");
        }
        for name in ["AttachManagedPolicyToPermissionSet", "PutPermissionsPolicy"] {
            let shows = |request| change_of("sso.amazonaws.com", name, request).map(|change| change.shows);
            assert_eq!(shows("null"), Some(Shows::Unreadable), "{name}");
            assert_eq!(shows("{}"), Some(Shows::Nothing), "{name}");
        }
    }

    #[test]
    fn an_assignment_names_its_account() {
        let request =
            format!(r#"{{"permissionSetArn":"{SET}","principalId":"p","targetId":"444455556666"}}"#);
        let change = change_of("sso.amazonaws.com", "CreateAccountAssignment", &request);
        let resources = change.map(|change| change.resources).unwrap_or_default();
        assert_eq!(resources, ["arn:aws:iam::444455556666:root", SET]);
    }

    #[test]
    fn who_vouches_for_people_is_told() {
        let shows =
            |name: &str| change_of("sso-directory.amazonaws.com", name, "{}").map(|change| change.shows);
        for name in ["CreateExternalIdPConfigurationForDirectory", "ImportExternalIdPCertificate"] {
            assert_eq!(shows(name), Some(Shows::CredentialCreated), "{name}");
        }
        for name in ["DisableExternalIdPConfigurationForDirectory", "DeleteExternalIdPCertificate"] {
            assert_eq!(shows(name), Some(Shows::Nothing), "{name}");
        }
    }

    #[test]
    fn membership_counts_and_reading_does_not() {
        for (source, name) in [
            ("sso-directory.amazonaws.com", "AddMemberToGroup"),
            ("sso-directory.amazonaws.com", "RemoveMemberFromGroup"),
            ("sso-directory.amazonaws.com", "EnableExternalIdPConfigurationForDirectory"),
            ("identitystore.amazonaws.com", "CreateGroupMembership"),
            ("identitystore-scim.amazonaws.com", "PatchGroup"),
        ] {
            assert!(change_of(source, name, "{}").is_some(), "{source} {name}");
        }
        for (source, name) in [
            ("sso.amazonaws.com", "ListPermissionSets"),
            ("sso.amazonaws.com", "Authenticate"),
            ("sso-directory.amazonaws.com", "DescribeGroup"),
            ("identitystore.amazonaws.com", "IsMemberInGroups"),
            ("identitystore-scim.amazonaws.com", "GetUser"),
        ] {
            assert_eq!(change_of(source, name, "{}"), None, "{source} {name}");
        }
    }
}
