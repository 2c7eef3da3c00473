//! What an event gives to a principal that a break-glass entry speaks of, as far as its own text tells.
//!
//! What stood before is not known here: any `Allow` counts, and so does any policy that is attached.

use serde_json::Value;

use super::event::Event;
use super::{Ours, Shows, name};

/// AWS's own policy that allows nothing: it is attached to shut somebody out.
const DENY_ALL: &str = ":aws:policy/AWSDenyAll";

/// What an IAM event gives more to a break-glass principal, if anything.
pub(super) fn given(event: &Event<'_>, ours: &dyn Ours) -> Option<Shows> {
    let (kind, key) = if event.name.contains("Role") { ("role", "roleName") } else { ("user", "userName") };
    let shows = match event.name {
        "UpdateAssumeRolePolicy" => allows(event).then_some(Shows::BreakGlassTrusted),
        "PutRolePolicy" | "PutUserPolicy" => allows(event).then_some(Shows::BreakGlassWidened),
        "AttachRolePolicy" | "AttachUserPolicy" => {
            let is_denial = event.text("policyArn").is_some_and(|arn| arn.ends_with(DENY_ALL));
            (!is_denial).then_some(Shows::BreakGlassWidened)
        }
        "DeleteRolePermissionsBoundary" | "DeleteUserPermissionsBoundary" | "AddUserToGroup" => {
            Some(Shows::BreakGlassWidened)
        }
        "TagRole" | "TagUser" => Some(Shows::BreakGlassTagged),
        _ => None,
    };
    let (name, account) = (event.text(key)?, event.account.as_deref()?);
    shows.filter(|_| name::spoken_of(ours, event.partition(), account, kind, &name).is_some())
}

/// Has the policy of the event a statement that allows something? A text that cannot be read may say anything.
fn allows(event: &Event<'_>) -> bool {
    let policy = match event.request().get("policyDocument") {
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        Some(other) => Some(other.clone()),
        None => return false,
    };
    let statements = match policy.as_ref().and_then(|policy| policy.get("Statement")) {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
        Some(_) | None => return true,
    };
    let denies = |statement: &Value| statement.get("Effect").and_then(Value::as_str) == Some("Deny");
    !statements.iter().all(denies)
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::super::{Own, Shows};

    fn shows(name: &str, request: &str) -> Option<Shows> {
        let patterns =
            ["arn:aws:iam::*:role/bg/emergency".to_owned(), "arn:aws:iam::*:user/emergency".to_owned()];
        let sample = Sample::new("iam.amazonaws.com", name).request(request);
        sample.change_for(&Own::default(), &patterns).map(|change| change.shows)
    }

    #[test]
    fn what_gives_more_to_a_break_glass_principal_is_told_from_its_text() {
        let policy = |effect: &str, of: &str| {
            format!(
                r#"{{{of},"policyName":"p","policyDocument":"{{\"Statement\":[{{\"Effect\":\"{effect}\",\"Action\":\"*\"}}]}}"}}"#
            )
        };
        let (role, user) = (r#""roleName":"emergency""#, r#""userName":"emergency""#);
        let other = r#""roleName":"ordinary""#;
        for (name, of, shown) in [
            ("PutRolePolicy", role, Shows::BreakGlassWidened),
            ("PutUserPolicy", user, Shows::BreakGlassWidened),
            ("UpdateAssumeRolePolicy", role, Shows::BreakGlassTrusted),
        ] {
            assert_eq!(shows(name, &policy("Allow", of)), Some(shown), "{name}");
            assert_eq!(shows(name, &policy("Deny", of)), Some(Shows::Nothing), "{name}");
            assert_eq!(shows(name, &policy("Allow", other)), Some(Shows::Nothing), "{name}");
        }
        let attach = |arn: &str| format!(r#"{{{role},"policyArn":"arn:aws:iam::{arn}"}}"#);
        for (name, request, shown) in [
            ("AttachRolePolicy", attach("111122223333:policy/p"), Shows::BreakGlassWidened),
            ("AttachRolePolicy", attach("aws:policy/AWSDenyAll"), Shows::Nothing),
            ("DetachRolePolicy", attach("111122223333:policy/p"), Shows::Nothing),
            ("DeleteRolePermissionsBoundary", format!("{{{role}}}"), Shows::BreakGlassWidened),
            ("DeleteRolePermissionsBoundary", format!("{{{other}}}"), Shows::Nothing),
            ("AddUserToGroup", format!(r#"{{{user},"groupName":"g"}}"#), Shows::BreakGlassWidened),
            ("TagRole", format!("{{{role}}}"), Shows::BreakGlassTagged),
            ("UntagRole", format!("{{{role}}}"), Shows::Nothing),
            (
                "PutRolePolicy",
                format!(r#"{{{role},"policyName":"p","policyDocument":"{{"}}"#),
                Shows::BreakGlassWidened,
            ),
            ("PutRolePolicy", format!("{{{role}}}"), Shows::Unreadable),
        ] {
            assert_eq!(shows(name, &request), Some(shown), "{name} {request}");
        }
    }
}
