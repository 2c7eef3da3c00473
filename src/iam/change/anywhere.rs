//! IAM Roles Anywhere: certificates from elsewhere that get in as a role.

use super::event::Event;
use super::{Draft, Kind, Needs, Ours, Shows};

/// Is an event of IAM Roles Anywhere a change?
pub(super) fn is_change(name: &str) -> bool {
    kind(name).is_some()
}

fn kind(name: &str) -> Option<Kind> {
    use Needs::{Nothing, Parameters};
    Some(match name {
        "CreateTrustAnchor" => (Nothing, "trust anchor {name} created"),
        "UpdateTrustAnchor" => (Nothing, "trust anchor {trustAnchorId} changed"),
        "EnableTrustAnchor" => (Nothing, "trust anchor {trustAnchorId} enabled"),
        "DisableTrustAnchor" => (Nothing, "trust anchor {trustAnchorId} disabled"),
        "DeleteTrustAnchor" => (Nothing, "trust anchor {trustAnchorId} deleted"),
        "CreateProfile" => (Parameters, "profile {name} of external workloads created"),
        "UpdateProfile" => (Parameters, "profile {profileId} of external workloads changed"),
        "EnableProfile" => (Nothing, "profile {profileId} of external workloads enabled"),
        "DisableProfile" => (Nothing, "profile {profileId} of external workloads disabled"),
        "DeleteProfile" => (Nothing, "profile {profileId} of external workloads deleted"),
        "PutAttributeMapping" => (Nothing, "certificate mapping put on profile {profileId}"),
        "DeleteAttributeMapping" => (Nothing, "certificate mapping deleted from profile {profileId}"),
        "ImportCrl" => (Nothing, "revocation list {name} imported"),
        "UpdateCrl" => (Nothing, "revocation list {crlId} changed"),
        "EnableCrl" => (Nothing, "revocation list {crlId} enabled"),
        "DisableCrl" => (Nothing, "revocation list {crlId} disabled"),
        "DeleteCrl" => (Nothing, "revocation list {crlId} deleted"),
        _ => return None,
    })
}

/// Reads an event of IAM Roles Anywhere.
pub(super) fn change(event: &Event<'_>, ours: &dyn Ours) -> Option<Draft> {
    let mut draft = Draft::new(event, kind(event.name)?);
    for (key, kind) in [("trustAnchorId", "trust-anchor"), ("profileId", "profile"), ("crlId", "crl")] {
        let id = event.text(key);
        draft.target(id.and_then(|id| event.arn("rolesanywhere", &format!("{kind}/{id}"))));
    }
    for key in ["roleArns", "managedPolicyArns", "trustAnchorArn"] {
        for arn in event.request().list(key) {
            // A certificate gets in as these roles.
            let add = if key == "roleArns" { Draft::target } else { Draft::mention };
            add(&mut draft, Some(arn.to_owned()));
        }
    }
    if draft.shows == Shows::Nothing && lets_in(event) {
        let is_break_glass = event.request().list("roleArns").iter().any(|role| ours.speaks_of(role));
        draft.shows = if is_break_glass { Shows::BreakGlassCredential } else { Shows::CredentialCreated };
    }
    Some(draft)
}

/// Does a certificate get in that did not before, or one that was revoked again? What is made switched off
/// lets in nobody yet.
fn lets_in(event: &Event<'_>) -> bool {
    match event.name {
        "CreateTrustAnchor" | "CreateProfile" => {
            event.request().text("enabled").is_none_or(|enabled| enabled != "false")
        }
        "UpdateTrustAnchor" | "EnableTrustAnchor" | "UpdateProfile" | "EnableProfile" | "DisableCrl"
        | "DeleteCrl" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, change_of};
    use super::super::{Own, Shows};

    #[test]
    fn certificates_get_in_as_the_roles_of_a_profile() {
        let role = "arn:aws:iam::111122223333:role/batch";
        let request = format!(r#"{{"name":"on-premises","roleArns":["{role}"]}}"#);
        let change = change_of("rolesanywhere.amazonaws.com", "CreateProfile", &request);
        let change = change.map(|change| (change.what, change.resources, change.shows));
        let what = "profile `on-premises` of external workloads created".to_owned();
        assert_eq!(change, Some((what, vec![role.to_owned()], Shows::CredentialCreated)));
        assert_eq!(change_of("rolesanywhere.amazonaws.com", "CreateSession", &request), None);
    }
    #[test]
    fn what_lets_certificates_in_is_a_credential() {
        let shows = |name: &str, request: &str| {
            change_of("rolesanywhere.amazonaws.com", name, request).map(|change| change.shows)
        };
        for (name, request) in [
            ("CreateTrustAnchor", "{}"),
            ("CreateTrustAnchor", r#"{"enabled":true}"#),
            ("EnableTrustAnchor", "{}"),
            ("UpdateTrustAnchor", "null"),
            ("UpdateProfile", "{}"),
            ("DisableCrl", "{}"),
        ] {
            assert_eq!(shows(name, request), Some(Shows::CredentialCreated), "{name} {request}");
        }
        for (name, request) in [
            ("CreateTrustAnchor", r#"{"enabled":false}"#),
            ("CreateProfile", r#"{"enabled":false}"#),
            ("DisableTrustAnchor", "{}"),
            ("DeleteProfile", "{}"),
            ("ImportCrl", "{}"),
        ] {
            assert_eq!(shows(name, request), Some(Shows::Nothing), "{name} {request}");
        }
        assert_eq!(shows("CreateProfile", "null"), Some(Shows::Unreadable));
    }

    #[test]
    fn certificates_may_get_in_as_a_break_glass_role() {
        let break_glass = ["arn:aws:iam::*:role/emergency".to_owned()];
        let shows = |role: &str| {
            let request = format!(r#"{{"roleArns":["arn:aws:iam::111122223333:role/{role}"]}}"#);
            let sample = Sample::new("rolesanywhere.amazonaws.com", "CreateProfile").request(&request);
            sample.change_for(&Own::default(), &break_glass).map(|change| change.shows)
        };
        assert_eq!(shows("emergency"), Some(Shows::BreakGlassCredential));
        assert_eq!(shows("batch"), Some(Shows::CredentialCreated));
    }
}
