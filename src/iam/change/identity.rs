//! IAM: who there is, what they may do, how they get in.
//!
//! IAM's events are recorded in one region of each partition.

use std::borrow::Cow;

use super::event::{Event, quoted};
use super::{Draft, Kind, Needs, Ours, Shows, name, wider};

/// Is an IAM event a change?
pub(super) fn is_change(name: &str) -> bool {
    kind(name).is_some()
}

fn kind(name: &str) -> Option<Kind> {
    use Needs::{Nothing, Parameters};
    const POLICY: Needs = Needs::Text("policyDocument");
    Some(match name {
        // Roles and their trust.
        "CreateRole" => (Needs::Text("assumeRolePolicyDocument"), "role {roleName} created"),
        "AcquireRole" => (Nothing, "role {roleName} made from template {templateArn}"),
        "DeleteRole" => (Nothing, "role {roleName} deleted"),
        "UpdateAssumeRolePolicy" => (POLICY, "trust policy of role {roleName} replaced"),
        "CreateServiceLinkedRole" => (Nothing, "service-linked role for {aWSServiceName} created"),
        "DeleteServiceLinkedRole" => (Nothing, "service-linked role {roleName} deleted"),
        "AddRoleToInstanceProfile" => {
            (Nothing, "role {roleName} added to instance profile {instanceProfileName}")
        }
        "RemoveRoleFromInstanceProfile" => {
            (Nothing, "role {roleName} removed from instance profile {instanceProfileName}")
        }
        // Inline policies.
        "PutRolePolicy" => (POLICY, "inline policy {policyName} put on role {roleName}"),
        "PutUserPolicy" => (POLICY, "inline policy {policyName} put on user {userName}"),
        "PutGroupPolicy" => (POLICY, "inline policy {policyName} put on group {groupName}"),
        "DeleteRolePolicy" => (Parameters, "inline policy {policyName} deleted from role {roleName}"),
        "DeleteUserPolicy" => (Parameters, "inline policy {policyName} deleted from user {userName}"),
        "DeleteGroupPolicy" => (Parameters, "inline policy {policyName} deleted from group {groupName}"),
        // Managed policies.
        "AttachRolePolicy" => (Parameters, "policy {policyArn} attached to role {roleName}"),
        "AttachUserPolicy" => (Parameters, "policy {policyArn} attached to user {userName}"),
        "AttachGroupPolicy" => (Parameters, "policy {policyArn} attached to group {groupName}"),
        "DetachRolePolicy" => (Parameters, "policy {policyArn} detached from role {roleName}"),
        "DetachUserPolicy" => (Parameters, "policy {policyArn} detached from user {userName}"),
        "DetachGroupPolicy" => (Parameters, "policy {policyArn} detached from group {groupName}"),
        "CreatePolicy" => (POLICY, "policy {policyName} created"),
        "CreatePolicyVersion" => (POLICY, "new version of policy {policyArn} created"),
        "SetDefaultPolicyVersion" => {
            (Parameters, "version {versionId} of policy {policyArn} made its default")
        }
        "DeletePolicyVersion" => (Parameters, "version {versionId} of policy {policyArn} deleted"),
        "DeletePolicy" => (Parameters, "policy {policyArn} deleted"),
        // Permissions boundaries.
        "PutRolePermissionsBoundary" => {
            (Parameters, "permissions boundary {permissionsBoundary} put on role {roleName}")
        }
        "PutUserPermissionsBoundary" => {
            (Parameters, "permissions boundary {permissionsBoundary} put on user {userName}")
        }
        "DeleteRolePermissionsBoundary" => (Parameters, "permissions boundary of role {roleName} removed"),
        "DeleteUserPermissionsBoundary" => (Parameters, "permissions boundary of user {userName} removed"),
        // Users, groups and their long-lived credentials.
        "CreateUser" => (Nothing, "user {userName} created"),
        "UpdateUser" => (Nothing, "user {userName} renamed to {newUserName|newPath}"),
        "DeleteUser" => (Nothing, "user {userName} deleted"),
        "CreateGroup" => (Nothing, "group {groupName} created"),
        "UpdateGroup" => (Nothing, "group {groupName} renamed to {newGroupName|newPath}"),
        "DeleteGroup" => (Nothing, "group {groupName} deleted"),
        "AddUserToGroup" => (Nothing, "user {userName} added to group {groupName}"),
        "RemoveUserFromGroup" => (Nothing, "user {userName} removed from group {groupName}"),
        "CreateAccessKey" => (Nothing, "access key created"),
        "UpdateAccessKey" => (Nothing, "access key {accessKeyId} set to {status}"),
        "DeleteAccessKey" => (Nothing, "access key {accessKeyId} deleted"),
        "CreateLoginProfile" => (Nothing, "console password created"),
        "UpdateLoginProfile" => (Nothing, "console password replaced"),
        "DeleteLoginProfile" => (Nothing, "console password deleted"),
        "CreateServiceSpecificCredential" => (Nothing, "credential for {serviceName} created"),
        "UpdateServiceSpecificCredential" => (Nothing, "service-specific credential set to {status}"),
        "ResetServiceSpecificCredential" => (Nothing, "service-specific credential reset"),
        "DeleteServiceSpecificCredential" => (Nothing, "service-specific credential deleted"),
        // Tags, which exemptions may go by.
        "TagRole" => (Nothing, "role {roleName} tagged"),
        "UntagRole" => (Nothing, "tags of role {roleName} removed"),
        "TagUser" => (Nothing, "user {userName} tagged"),
        "UntagUser" => (Nothing, "tags of user {userName} removed"),
        // Identity providers.
        "CreateSAMLProvider" => (Nothing, "SAML provider {name} created"),
        "UpdateSAMLProvider" => (Nothing, "SAML provider {sAMLProviderArn} changed"),
        "DeleteSAMLProvider" => (Nothing, "SAML provider {sAMLProviderArn} deleted"),
        "CreateOpenIDConnectProvider" => (Nothing, "OIDC provider {url} created"),
        "DeleteOpenIDConnectProvider" => (Nothing, "OIDC provider {openIDConnectProviderArn} deleted"),
        "UpdateOpenIDConnectProviderThumbprint" => {
            (Nothing, "thumbprints of OIDC provider {openIDConnectProviderArn} replaced")
        }
        "AddClientIDToOpenIDConnectProvider" => {
            (Nothing, "client {clientID} added to OIDC provider {openIDConnectProviderArn}")
        }
        "RemoveClientIDFromOpenIDConnectProvider" => {
            (Nothing, "client {clientID} removed from OIDC provider {openIDConnectProviderArn}")
        }
        // Access delegated to a third party.
        "CreateDelegationRequest" => {
            (Nothing, "delegation requested, with policy template {policyTemplateArn}")
        }
        "AssociateDelegationRequest" => (Nothing, "delegation request {delegationRequestId} taken up"),
        "UpdateDelegationRequest" => (Nothing, "delegation request {delegationRequestId} changed"),
        "AcceptDelegationRequest" => (Nothing, "delegation request {delegationRequestId} accepted"),
        "RejectDelegationRequest" => (Nothing, "delegation request {delegationRequestId} rejected"),
        "SendDelegationToken" => (Nothing, "token of delegation request {delegationRequestId} sent"),
        // Root of member accounts.
        "EnableOrganizationsRootSessions" => (Nothing, "root sessions in member accounts enabled"),
        "DisableOrganizationsRootSessions" => (Nothing, "root sessions in member accounts disabled"),
        "EnableOrganizationsRootCredentialsManagement" => {
            (Nothing, "central management of member accounts' root credentials enabled")
        }
        "DisableOrganizationsRootCredentialsManagement" => {
            (Nothing, "central management of member accounts' root credentials disabled")
        }
        _ => return None,
    })
}

/// Reads an IAM event.
pub(super) fn change(event: &Event<'_>, ours: &dyn Ours) -> Option<Draft> {
    let kind = kind(event.name)?;
    let mut draft = Draft::new(event, kind);
    match event.name {
        "CreateRole" | "AcquireRole" | "CreateServiceLinkedRole" => {
            draft.made = event.made_arn("role", "roleName");
            draft.target(draft.made.clone());
            if event.name == "AcquireRole" && draft.made.is_none() {
                draft.what.push_str("; which role that is, the record does not say");
                draft.shows = Shows::Unreadable;
            }
        }
        "CreateUser" => {
            draft.made = event.made_arn("user", "userName");
            draft.target(draft.made.clone());
        }
        "UpdateUser" => renamed(event, &mut draft, ours),
        _ => principals(event, &mut draft),
    }
    if is_untold_user(event, &draft) {
        draft.shows = Shows::Unreadable;
    } else if makes_credential(event) {
        let is_break_glass = is_of_user(event) && is_of_break_glass(event, ours);
        draft.shows = if is_break_glass { Shows::BreakGlassCredential } else { Shows::CredentialCreated };
    }
    if draft.shows == Shows::Nothing
        && let Some(shows) = wider::given(event, ours)
    {
        draft.shows = shows;
    }
    policies(event, &mut draft);
    draft.target(named(event, "instance-profile", "instanceProfileName"));
    for provider in ["sAMLProviderArn", "openIDConnectProviderArn"] {
        draft.target(event.text(provider).map(Cow::into_owned));
    }
    Some(draft)
}

/// Does it make a lasting credential that AWS takes for a caller, switch one on, or change who vouches for
/// identities? Signing certificates and keys for SSH are none: DynamoDB takes neither.
fn makes_credential(event: &Event<'_>) -> bool {
    match event.name {
        "CreateAccessKey"
        | "CreateLoginProfile"
        | "UpdateLoginProfile"
        | "CreateServiceSpecificCredential"
        | "ResetServiceSpecificCredential"
        | "CreateSAMLProvider"
        | "UpdateSAMLProvider"
        | "CreateOpenIDConnectProvider"
        | "UpdateOpenIDConnectProviderThumbprint"
        | "AddClientIDToOpenIDConnectProvider" => true,
        // To what, is not told where the parameters were left out.
        "UpdateAccessKey" | "UpdateServiceSpecificCredential" => {
            event.request().text("status").is_none_or(|status| status.eq_ignore_ascii_case("Active"))
        }
        _ => false,
    }
}

/// Is the event about a credential of a user?
fn is_of_user(event: &Event<'_>) -> bool {
    ["AccessKey", "LoginProfile", "ServiceSpecificCredential"]
        .iter()
        .any(|credential| event.name.ends_with(credential))
}

/// May a break-glass entry speak of the user? A user that is named is so without the path; without a name,
/// it is the caller.
fn is_of_break_glass(event: &Event<'_>, ours: &dyn Ours) -> bool {
    match (event.text("userName"), event.account.as_deref()) {
        (Some(name), Some(account)) => {
            name::spoken_of(ours, event.partition(), account, "user", &name).is_some()
        }
        (Some(_), None) => false,
        (None, _) => event.caller().1.is_some_and(|arn| ours.speaks_of(&arn)),
    }
}

/// A user is made or renamed, and nothing tells under what name: it may be a break-glass user's.
fn is_untold_user(event: &Event<'_>, draft: &Draft) -> bool {
    matches!(event.name, "CreateUser" | "UpdateUser") && event.request().omitted && draft.made.is_none()
}

/// A user under a new name or path. The event has only what is new; the name may lie under a path
/// that it does not tell.
fn renamed(event: &Event<'_>, draft: &mut Draft, ours: &dyn Ours) {
    let request = event.request();
    let (new_path, new_name) = (request.text("newPath"), request.text("newUserName"));
    let path = new_path.as_deref().unwrap_or("/");
    let user = new_name.clone().or_else(|| request.text("userName"));
    let arn = user.and_then(|user| event.iam_arn("user", path, &user));
    draft.target(arn.clone());
    draft.target(named(event, "user", "userName"));
    draft.made = match (new_path, new_name, event.account.as_deref()) {
        (None, None, _) => None,
        (None, Some(name), Some(account)) => {
            name::spoken_of(ours, event.partition(), account, "user", &name).or(arn)
        }
        (None, Some(_), None) | (Some(_), _, _) => arn,
    };
}

fn named(event: &Event<'_>, kind: &str, key: &str) -> Option<String> {
    event.iam_arn(kind, "", &event.text(key)?)
}

/// The role, user and group that the event is about.
fn principals(event: &Event<'_>, draft: &mut Draft) {
    draft.target(named(event, "role", "roleName"));
    draft.roles.extend(event.text("roleName").map(Cow::into_owned));
    draft.target(named(event, "group", "groupName"));
    let user = named(event, "user", "userName");
    if !is_of_user(event) {
        draft.target(user);
    } else if let Some(name) = event.text("userName") {
        draft.what.push_str(&format!(" for user {}", quoted(&name)));
        draft.target(user);
    } else if let (Some(name), arn) = event.caller() {
        // Without a name, IAM takes the caller's.
        draft.what.push_str(&format!(" for the caller, user {}", quoted(&name)));
        draft.target(arn);
    }
}

/// The managed policy that the event is about, and those that it speaks of.
fn policies(event: &Event<'_>, draft: &mut Draft) {
    let arn = event.text("policyArn").map(Cow::into_owned);
    if event.name.starts_with("Attach") || event.name.starts_with("Detach") {
        draft.mention(arn);
    } else {
        draft.target(arn);
    }
    if event.name == "CreatePolicy" {
        draft.target(event.made_arn("policy", "policyName"));
    }
    if event.name == "CreatePolicyVersion" && !event.request().is_true("setAsDefault") {
        draft.what.push_str(", not its default");
    }
    for key in ["permissionsBoundary", "templateArn"] {
        draft.mention(event.request().text(key).map(Cow::into_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, change_of};
    use super::super::{Change, Own, Shows};
    use crate::iam::state::{Edit, HolderId, HolderKind, Text};

    fn iam(name: &str, request: &str) -> Option<Change> {
        change_of("iam.amazonaws.com", name, request)
    }

    #[test]
    fn an_inline_policy_is_a_change_of_its_role() {
        let change = iam(
            "PutRolePolicy",
            r#"{"roleName":"team-7-role","policyName":"table-access","policyDocument":"{\"Statement\":[]}"}"#,
        );
        assert_eq!(
            change,
            Some(Change {
                what: "inline policy `table-access` put on role `team-7-role`".into(),
                resources: vec!["arn:aws:iam::111122223333:role/team-7-role".into()],
                made_role: None,
                shows: Shows::Nothing,
                edits: vec![Edit::Inline {
                    holder: HolderId {
                        account: "111122223333".into(),
                        kind: HolderKind::Role,
                        name: "team-7-role".into()
                    },
                    name: "table-access".into(),
                    text: Some(Text::known(r#"{"Statement":[]}"#)),
                }],
            })
        );
    }

    #[test]
    fn every_kind_of_principal_has_its_policy_events() {
        for verb in ["Put", "Delete", "Attach", "Detach"] {
            for principal in ["Role", "User", "Group"] {
                let name = format!("{verb}{principal}Policy");
                assert!(super::is_change(&name), "{name}");
            }
        }
        for name in
            ["GetRolePolicy", "ListRoles", "SimulateCustomPolicy", "UpdateRoleDescription", "TagPolicy"]
        {
            assert!(!super::is_change(name), "{name}");
        }
    }

    #[test]
    fn policy_events_without_their_text_are_unreadable() {
        let shows = |name, request| iam(name, request).map(|change| change.shows);
        let cases = [
            ("PutRolePolicy", "null"),
            ("PutRolePolicy", "\"\""),
            ("PutRolePolicy", "[]"),
            ("PutRolePolicy", r#"{"roleName":"r","policyName":"p"}"#),
            ("PutRolePolicy", r#"{"roleName":"r","policyName":"p","policyDocument":null}"#),
            ("PutRolePolicy", r#"{"roleName":"r","policyName":"p","policyDocument":"  "}"#),
            ("PutRolePolicy", r#"{"roleName":"r","policyName":"p","policyDocument":7}"#),
            ("PutRolePolicy", r#"{"roleName":"r","policyDocument":"{\"Stat","omitted":true}"#),
            ("CreatePolicyVersion", r#"{"policyArn":"arn:aws:iam::111122223333:policy/p"}"#),
            ("CreateRole", r#"{"roleName":"r"}"#),
            ("UpdateAssumeRolePolicy", r#"{"roleName":"r"}"#),
            ("AttachRolePolicy", "null"),
            ("DeleteRolePermissionsBoundary", "null"),
            // Made under what name, nothing tells.
            ("AcquireRole", "null"),
            ("AcquireRole", r#"{"templateArn":"arn:aws:iam::aws:role-template/t"}"#),
            ("CreateUser", "null"),
            ("UpdateUser", r#"{"omitted":true}"#),
        ];
        for (name, request) in cases {
            assert_eq!(shows(name, request), Some(Shows::Unreadable), "{name} {request}");
        }
        for (name, request) in [
            ("PutRolePolicy", r#"{"PolicyDocument":"{}"}"#),
            ("PutRolePolicy", r#"{"policyDocument":{"Statement":[]}}"#),
            ("AttachRolePolicy", "{}"),
            ("AcquireRole", r#"{"roleName":"r"}"#),
            ("CreateUser", r#"{"userName":"u"}"#),
            ("UpdateUser", r#"{"userName":"u"}"#),
            ("EnableOrganizationsRootSessions", "null"),
        ] {
            assert_eq!(shows(name, request), Some(Shows::Nothing), "{name} {request}");
        }
    }

    #[test]
    fn a_made_role_has_its_path() {
        let made = |name: &str, request: &str| iam(name, request).and_then(|change| change.made_role);
        let role = |path_and_name: &str| Some(format!("arn:aws:iam::111122223333:role/{path_and_name}"));
        assert_eq!(made("CreateRole", r#"{"roleName":"emergency"}"#), role("emergency"));
        assert_eq!(made("CreateRole", r#"{"roleName":"emergency","path":"/"}"#), role("emergency"));
        assert_eq!(made("CreateRole", r#"{"roleName":"emergency","path":"/a/b/"}"#), role("a/b/emergency"));
        assert_eq!(made("CreateRole", r#"{"path":"/a/"}"#), None);
        assert_eq!(made("DeleteRole", r#"{"roleName":"emergency"}"#), None);
        let user = made("CreateUser", r#"{"userName":"emergency"}"#);
        assert_eq!(user.as_deref(), Some("arn:aws:iam::111122223333:user/emergency"));
        let user = made("UpdateUser", r#"{"userName":"nobody","newUserName":"emergency"}"#);
        assert_eq!(user.as_deref(), Some("arn:aws:iam::111122223333:user/emergency"));
    }

    #[test]
    fn a_role_is_also_found_in_the_response() {
        let arn = "arn:aws:iam::111122223333:role/app/emergency";
        let response = format!(r#"{{"role":{{"roleName":"emergency","arn":"{arn}"}}}}"#);
        for name in ["CreateRole", "AcquireRole"] {
            let sample = Sample::new("iam.amazonaws.com", name).request("null").response(&response);
            let change = sample.change();
            assert_eq!(change.as_ref().and_then(|change| change.made_role.as_deref()), Some(arn));
        }
        let change = iam("AcquireRole", r#"{"templateArn":"arn:aws:iam::aws:role-template/t"}"#);
        let change = change.map(|change| (change.what, change.made_role));
        let what = "role (not recorded) made from template `arn:aws:iam::aws:role-template/t`; \
                    which role that is, the record does not say";
        assert_eq!(change, Some((what.into(), None)));
    }

    #[test]
    fn the_responses_arn_counts_before_one_that_is_built() {
        let resources = |name: &str, request: &str, arn: &str| {
            let response = format!(r#"{{"made":{{"arn":"{arn}"}}}}"#);
            let sample = Sample::new("iam.amazonaws.com", name).request(request).response(&response);
            sample.change().map(|change| change.resources)
        };
        for (name, kind, request) in [
            ("CreateRole", "role", r#"{"roleName":"n"}"#),
            ("CreateUser", "user", r#"{"userName":"n"}"#),
            ("CreatePolicy", "policy", r#"{"policyName":"n"}"#),
        ] {
            let right = format!("arn:aws-new:iam::444455556666:{kind}/a/n");
            assert_eq!(resources(name, request, &right), Some(vec![right.clone()]));
            assert_eq!(resources(name, "null", &right), Some(vec![right.clone()]));
            let built = format!("arn:aws:iam::111122223333:{kind}/n");
            for wrong in [
                format!("arn:aws:iam::444455556666:{kind}/other"),
                "arn:aws:iam::444455556666:group/n".to_owned(),
                format!("arn:aws:sts::444455556666:{kind}/n"),
                "n".to_owned(),
            ] {
                assert_eq!(resources(name, request, &wrong), Some(vec![built.clone()]), "{wrong}");
            }
        }
    }

    #[test]
    fn a_call_that_failed_changed_nothing() {
        let sample = Sample::new("iam.amazonaws.com", "CreateRole");
        let sample = sample.request(r#"{"roleName":"emergency"}"#).field("errorCode", "\"AccessDenied\"");
        let change = sample.change();
        let resources = vec!["arn:aws:iam::111122223333:role/emergency".into()];
        let what = "attempted: role `emergency` created".into();
        assert_eq!(
            change,
            Some(Change { what, resources, made_role: None, shows: Shows::Nothing, edits: Vec::new() })
        );
    }

    #[test]
    fn a_credential_without_a_user_is_the_callers() {
        let identity = r#"{"type":"IAMUser","userName":"ann","arn":"arn:aws:iam::111122223333:user/a/ann"}"#;
        let sample = Sample::new("iam.amazonaws.com", "CreateAccessKey").request("null");
        let change = sample.field("userIdentity", identity).change();
        let change = change.map(|change| (change.what, change.resources));
        let arn = "arn:aws:iam::111122223333:user/a/ann".to_owned();
        assert_eq!(change, Some(("access key created for the caller, user `ann`".into(), vec![arn])));
    }

    #[test]
    fn a_credential_is_told_where_it_can_be_used_from_now_on() {
        let shows = |name: &str, request: &str| iam(name, request).map(|change| change.shows);
        let user = r#"{"userName":"ann"}"#;
        for (name, request) in [
            ("CreateAccessKey", user),
            ("CreateAccessKey", "null"),
            ("CreateLoginProfile", user),
            ("UpdateLoginProfile", user),
            ("CreateServiceSpecificCredential", user),
            ("ResetServiceSpecificCredential", user),
            ("UpdateAccessKey", r#"{"userName":"ann","status":"Active"}"#),
            ("UpdateAccessKey", "null"),
            ("UpdateServiceSpecificCredential", r#"{"status":"active"}"#),
            ("CreateSAMLProvider", r#"{"name":"idp"}"#),
            ("UpdateSAMLProvider", "{}"),
            ("CreateOpenIDConnectProvider", "{}"),
            ("AddClientIDToOpenIDConnectProvider", "{}"),
            ("UpdateOpenIDConnectProviderThumbprint", "{}"),
        ] {
            assert_eq!(shows(name, request), Some(Shows::CredentialCreated), "{name} {request}");
        }
        for (name, request) in [
            ("UpdateAccessKey", r#"{"userName":"ann","status":"Inactive"}"#),
            ("UpdateServiceSpecificCredential", r#"{"status":"Inactive"}"#),
            ("DeleteAccessKey", user),
            ("DeleteLoginProfile", user),
            ("DeleteServiceSpecificCredential", user),
            ("DeleteSAMLProvider", "{}"),
            ("RemoveClientIDFromOpenIDConnectProvider", "{}"),
            ("CreateUser", user),
        ] {
            assert_eq!(shows(name, request), Some(Shows::Nothing), "{name} {request}");
        }
        for name in ["UploadSigningCertificate", "UploadSSHPublicKey"] {
            assert_eq!(shows(name, user), None, "{name}");
        }
    }

    #[test]
    fn a_credential_of_a_break_glass_user_is_more_than_one() {
        let break_glass = ["arn:aws:iam::*:user/bg/ann".to_owned()];
        let shows = |request: &str, caller: &str| {
            let sample = Sample::new("iam.amazonaws.com", "CreateAccessKey").request(request);
            let identity = format!(
                r#"{{"type":"IAMUser","userName":"c","arn":"arn:aws:iam::111122223333:user/{caller}"}}"#
            );
            let sample = sample.field("userIdentity", &identity);
            sample.change_for(&Own::default(), &break_glass).map(|change| change.shows)
        };
        assert_eq!(shows(r#"{"userName":"ann"}"#, "bob"), Some(Shows::BreakGlassCredential));
        assert_eq!(shows(r#"{"userName":"eve"}"#, "bg/ann"), Some(Shows::CredentialCreated));
        assert_eq!(shows("null", "bg/ann"), Some(Shows::BreakGlassCredential));
        assert_eq!(shows("null", "ann"), Some(Shows::CredentialCreated));
        let sample = Sample::new("iam.amazonaws.com", "DeleteAccessKey").request(r#"{"userName":"ann"}"#);
        let change = sample.change_for(&Own::default(), &break_glass);
        assert_eq!(change.map(|change| change.shows), Some(Shows::Nothing));
        // In an account that the wildcard does not stand for, it is any other user.
        let exempt = Sample::new("iam.amazonaws.com", "CreateAccessKey").request(r#"{"userName":"ann"}"#);
        let change = exempt.field("recipientAccountId", "\"777788889999\"");
        let change = change.change_for(&Own::default(), &break_glass);
        assert_eq!(change.map(|change| change.shows), Some(Shows::CredentialCreated));
    }

    #[test]
    fn a_policy_version_says_whether_it_counts() {
        let arn = "arn:aws:iam::111122223333:policy/p";
        let what = |default: &str| {
            let request =
                format!(r#"{{"policyArn":"{arn}","policyDocument":"{{}}","setAsDefault":{default}}}"#);
            iam("CreatePolicyVersion", &request).map(|change| change.what)
        };
        assert_eq!(what("true"), Some(format!("new version of policy `{arn}` created")));
        assert_eq!(what("false"), Some(format!("new version of policy `{arn}` created, not its default")));
    }

    #[test]
    fn our_own_roles_are_known_by_name_whatever_their_path() {
        let roles = [
            "arn:aws:iam::111122223333:role/perimeter/auditor".to_owned(),
            "arn:aws:iam::111122223333:role/perimeter-*".to_owned(),
        ];
        let own = Own { roles: &roles, ..Own::default() };
        let shows = |request: &str| {
            let sample = Sample::new("iam.amazonaws.com", "AttachRolePolicy").request(request);
            sample.change_for(&own, &[]).map(|change| change.shows)
        };
        for name in ["auditor", "perimeter-notifier"] {
            let request =
                format!(r#"{{"roleName":"{name}","policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}"#);
            assert_eq!(shows(&request), Some(Shows::ProductChanged), "{name}");
        }
        assert_eq!(shows(r#"{"roleName":"my-auditor"}"#), Some(Shows::Nothing));
        let roles = ["arn:aws:iam::111122223333:role/perimeter/*".to_owned()];
        let own = Own { roles: &roles, ..Own::default() };
        let sample = Sample::new("iam.amazonaws.com", "DeleteRole").request(r#"{"roleName":"anyone"}"#);
        let change = sample.change_for(&own, &[]);
        assert_eq!(change.map(|change| change.shows), Some(Shows::Nothing));
        // Attaching our policy elsewhere changes what it is attached to, not ours.
        let resources = ["arn:aws:iam::111122223333:policy/perimeter-store".to_owned()];
        let own = Own { resources: &resources, ..Own::default() };
        let request = r#"{"roleName":"r","policyArn":"arn:aws:iam::111122223333:policy/perimeter-store"}"#;
        let shows = |name| {
            let sample = Sample::new("iam.amazonaws.com", name).request(request);
            sample.change_for(&own, &[]).map(|change| change.shows)
        };
        assert_eq!(shows("AttachRolePolicy"), Some(Shows::Nothing));
        assert_eq!(shows("SetDefaultPolicyVersion"), Some(Shows::ProductChanged));
    }

    #[test]
    fn a_user_renamed_under_a_path_may_be_a_break_glass_one() {
        let break_glass = ["arn:aws:iam::*:user/bg/ann*".to_owned()];
        let made = |request: &str| {
            let sample = Sample::new("iam.amazonaws.com", "UpdateUser").request(request);
            sample.change_for(&Own::default(), &break_glass).and_then(|change| change.made_role)
        };
        let user = |path_and_name: &str| Some(format!("arn:aws:iam::111122223333:user/{path_and_name}"));
        assert_eq!(made(r#"{"userName":"bob","newUserName":"anna"}"#), user("bg/anna"));
        assert_eq!(made(r#"{"userName":"bob","newUserName":"eve"}"#), user("eve"));
        assert_eq!(made(r#"{"userName":"anna","newPath":"/bg/"}"#), user("bg/anna"));
        assert_eq!(made(r#"{"userName":"bob","newPath":"/x/","newUserName":"anna"}"#), user("x/anna"));
        assert_eq!(made(r#"{"userName":"anna"}"#), None);
    }
}
