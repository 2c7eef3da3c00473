//! STS: sessions of root, and those of whom a break-glass entry speaks.

use std::borrow::Cow;

use super::event::{Event, quoted};
use super::{Draft, Needs, Ours, name};
use crate::glob;
use crate::ids::{Arn, is_account};

/// Is an STS event one that opens a session of a given principal?
pub(super) fn is_change(name: &str) -> bool {
    matches!(
        name,
        "AssumeRole"
            | "AssumeRoleWithSAML"
            | "AssumeRoleWithWebIdentity"
            | "AssumeRoot"
            | "GetFederationToken"
    )
}

/// Reads an STS event: a root session, or a session of a break-glass role, or of one that may be.
///
/// STS answers no call without a `RoleArn` (STS API reference, `AssumeRole`), and what it logs of a
/// refused one is mostly the message alone. So where a call that did not fail names no role anywhere,
/// CloudTrail has left something out; that is as rare as it is telling.
pub(super) fn change(event: &Event<'_>, ours: &dyn Ours) -> Option<Draft> {
    if event.name == "AssumeRoot" {
        let mut draft = Draft::new(event, (Needs::Nothing, "root session opened in {targetPrincipal}"));
        let target = event.request().text("targetPrincipal").unwrap_or_default();
        draft.target(event.account_arn(&target).or_else(|| Some(target.into_owned())));
        return Some(draft);
    }
    if event.name == "GetFederationToken" {
        return federated(event, ours);
    }
    match assumed(event) {
        Some(role) => {
            let role = role.break_glass(ours)?;
            let mut draft = Draft::new(event, (Needs::Nothing, "session of break-glass role "));
            draft.what.push_str(&quoted(&role));
            draft.what.push_str(" opened");
            draft.mention(Some(role));
            Some(draft)
        }
        // A call that failed opened none.
        None if event.request().omitted && !event.failed() && has_role(&ours.break_glass()) => Some(
            Draft::new(event, (Needs::Parameters, "session of a role opened that the record does not name")),
        ),
        None => None,
    }
}

/// A session of a federated user that a break-glass entry speaks of. Whoever may open one chooses its
/// name (STS API reference, `GetFederationToken`).
fn federated(event: &Event<'_>, ours: &dyn Ours) -> Option<Draft> {
    let named = || event.arn_in("sts", "", &format!("federated-user/{}", event.request().text("name")?));
    let user = event.answer("arn").map(Cow::into_owned).or_else(named).filter(|arn| ours.speaks_of(arn))?;
    let mut draft = Draft::new(event, (Needs::Nothing, "session of break-glass user "));
    draft.what.push_str(&quoted(&user));
    draft.what.push_str(" opened");
    draft.mention(Some(user));
    Some(draft)
}

/// The role whose session is opened.
enum Assumed {
    /// One of these: the parameters name one, the record's own list may name several.
    One(Vec<String>),
    /// By the session's ARN, which has not the role's path.
    Pathless { partition: String, account: String, name: String },
}

impl Assumed {
    /// Its ARN, if a break-glass entry speaks of it.
    fn break_glass(self, ours: &dyn Ours) -> Option<String> {
        match self {
            Assumed::One(roles) => roles.into_iter().find(|role| ours.speaks_of(role)),
            Assumed::Pathless { partition, account, name } => {
                name::spoken_of(ours, &partition, &account, "role", &name)?;
                Some(format!("arn:{partition}:iam::{account}:role/{name}"))
            }
        }
    }
}

/// As the parameters name it, else the record's own list, else the response, else what a refusal says.
fn assumed(event: &Event<'_>) -> Option<Assumed> {
    if let Some(role) = event.request().text("roleArn") {
        return Some(Assumed::One(vec![role.into_owned()]));
    }
    let listed: Vec<String> = event.resources().into_iter().filter(|arn| is_role(arn)).collect();
    if !listed.is_empty() {
        return Some(Assumed::One(listed));
    }
    answered(event)
        .or_else(|| event.refused_resource().filter(|arn| is_role(arn)).map(|role| Assumed::One(vec![role])))
}

/// The role of `assumed-role/name/session`.
fn answered(event: &Event<'_>) -> Option<Assumed> {
    let session = event.answer("arn")?;
    let session = Arn::parse(&session)?;
    let name = session.resource.strip_prefix("assumed-role/")?.split('/').next()?;
    (session.service == "sts" && is_account(session.account)).then(|| Assumed::Pathless {
        partition: session.partition.to_owned(),
        account: session.account.to_owned(),
        name: name.to_owned(),
    })
}

/// May one of these patterns speak of a role at all?
fn has_role(patterns: &[&str]) -> bool {
    let kind = |pattern: &&str| {
        let resource = Arn::parse(pattern).map_or(*pattern, |arn| arn.resource);
        let kind = resource.split('/').next().unwrap_or_default();
        glob::matches(kind, "role")
    };
    patterns.iter().any(kind)
}

fn is_role(arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::super::{Own, Shows};

    #[test]
    fn only_sessions_of_break_glass_roles_and_root_are_changes() {
        let break_glass = ["arn:aws:iam::*:role/emergency".to_owned()];
        let session = |name: &str, request: &str| {
            let sample = Sample::new("sts.amazonaws.com", name).request(request);
            sample.change_for(&Own::default(), &break_glass)
        };
        let role = |name: &str| format!(r#"{{"roleArn":"arn:aws:iam::111122223333:role/{name}"}}"#);
        for name in ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"] {
            let change = session(name, &role("emergency"));
            assert_eq!(change.as_ref().map(|change| change.shows), Some(Shows::Nothing));
            assert_eq!(session(name, &role("ordinary")), None);
        }
        let exempt = r#"{"roleArn":"arn:aws:iam::777788889999:role/emergency"}"#;
        assert_eq!(session("AssumeRole", exempt), None);
        assert_eq!(session("GetCallerIdentity", &role("emergency")), None);
        let root = session("AssumeRoot", r#"{"targetPrincipal":"444455556666"}"#);
        let root = root.map(|change| change.resources);
        assert_eq!(root, Some(vec!["arn:aws:iam::444455556666:root".to_owned()]));
    }

    #[test]
    fn a_session_is_known_without_its_parameters() {
        let break_glass =
            ["arn:aws:iam::*:role/emergency".to_owned(), "arn:aws:iam::*:role/bg/on-call-*".to_owned()];
        let opened = |request: &str, key: &str, json: &str| {
            let sample = Sample::new("sts.amazonaws.com", "AssumeRole").request(request);
            let change = sample.field(key, json).change_for(&Own::default(), &break_glass);
            change.map(|change| change.resources)
        };
        let listed = |role: &str| {
            let arn = format!("arn:aws:iam::111122223333:role/{role}");
            let json = format!(r#"[{{"ARN":"{arn}","accountId":"111122223333","type":"AWS::IAM::Role"}}]"#);
            (json, arn)
        };
        let answered = |account: &str, role: &str| {
            let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/on-call-1");
            format!(r#"{{"credentials":{{}},"assumedRoleUser":{{"assumedRoleId":"AROA:s","arn":"{arn}"}}}}"#)
        };
        for request in ["null", r#"{"omitted":true}"#, "{}"] {
            for role in ["emergency", "bg/on-call-1"] {
                let (json, arn) = listed(role);
                assert_eq!(opened(request, "resources", &json), Some(vec![arn]), "{request} {role}");
            }
            for role in ["ordinary", "on-call-1", "bg/emergency"] {
                assert_eq!(opened(request, "resources", &listed(role).0), None, "{request} {role}");
            }
            for role in ["emergency", "on-call-1"] {
                let arn = format!("arn:aws:iam::111122223333:role/{role}");
                let json = answered("111122223333", role);
                assert_eq!(opened(request, "responseElements", &json), Some(vec![arn]), "{role}");
                assert_eq!(opened(request, "responseElements", &answered("777788889999", role)), None);
            }
            let json = answered("111122223333", "ordinary");
            assert_eq!(opened(request, "responseElements", &json), None);
            let no_arn = opened(request, "responseElements", r#"{"assumedRoleUser":{"arn":"emergency"}}"#);
            assert_eq!(no_arn, (request != "{}").then(Vec::new), "{request}");
        }
        // What the parameters say counts before all else.
        let request = r#"{"roleArn":"arn:aws:iam::111122223333:role/ordinary"}"#;
        assert_eq!(opened(request, "responseElements", &answered("111122223333", "emergency")), None);
    }

    #[test]
    fn whoever_opens_a_federated_session_chooses_its_name() {
        let patterns = ["arn:aws:sts::111122223333:federated-user/emergency".to_owned()];
        let opened = |request: &str, response: &str| {
            let sample = Sample::new("sts.amazonaws.com", "GetFederationToken").request(request);
            let change = sample.response(response).change_for(&Own::default(), &patterns);
            change.map(|change| change.resources)
        };
        let user = Some(vec![patterns[0].clone()]);
        assert_eq!(opened(r#"{"name":"emergency"}"#, "null"), user);
        assert_eq!(opened(r#"{"name":"ann"}"#, "null"), None);
        let response = format!(r#"{{"federatedUser":{{"arn":"{}"}}}}"#, patterns[0]);
        assert_eq!(opened("null", &response), user);
        assert_eq!(opened("null", &response.replace("emergency", "ann")), None);
    }

    #[test]
    fn a_session_of_nobody_knows_whom_may_be_of_break_glass() {
        let of = |patterns: &[&str], request: &str, error: Option<&str>| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            let sample = Sample::new("sts.amazonaws.com", "AssumeRole").request(request);
            let sample = match error {
                Some(message) => sample.field("errorCode", "\"AccessDenied\"").field("errorMessage", message),
                None => sample,
            };
            sample.change_for(&Own::default(), &patterns).map(|change| (change.resources, change.shows))
        };
        let (role, user) = ("arn:aws:iam::*:role/emergency", "arn:aws:iam::*:user/emergency");
        for request in ["null", r#"{"omitted":true}"#, "7"] {
            let untold = Some((Vec::new(), Shows::Unreadable));
            for patterns in [&[role][..], &[user, "arn:aws:iam::*:*"], &["*"]] {
                assert_eq!(of(patterns, request, None), untold, "{request} {patterns:?}");
            }
            assert_eq!(of(&[user], request, None), None, "{request}");
            assert_eq!(of(&[], request, None), None, "{request}");
            // What was refused opened nothing.
            assert_eq!(of(&[role], request, Some("null")), None, "{request}");
            let refused = |arn: &str| {
                let message = format!(
                    "\"User: arn:aws:iam::111122223333:user/ann is not authorized to perform: \
                    sts:AssumeRole on resource: {arn} because no policy allows it\""
                );
                of(&[role], request, Some(&message))
            };
            let emergency = "arn:aws:iam::111122223333:role/emergency";
            assert_eq!(refused(emergency), Some((vec![emergency.to_owned()], Shows::Nothing)));
            assert_eq!(refused("arn:aws:iam::111122223333:role/ordinary"), None);
            assert_eq!(refused("arn:aws:iam::777788889999:role/emergency"), None);
        }
        assert_eq!(of(&[role], "{}", None), None);
    }
}
