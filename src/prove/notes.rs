//! What has to be said beside the statements that let a request through: from where it comes, and what no statement
//! says.

use super::bundle::{Asked, Bundle, Principal};
use crate::iam::request::{CallerKind, caller_of};
use crate::iam::table_policy;
use crate::perimeter::Perimeter;

/// From where a request comes, in words; `None`: its keys do not tell.
pub fn origin(asked: &Asked, perimeter: &Perimeter) -> Option<String> {
    let of = |key: &str| {
        let found = asked.context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.and_then(|(_, values)| values.all().first()).map(String::as_str)
    };
    let path = match (of("aws:SourceVpc"), of("aws:SourceIp")) {
        (Some(vpc), _) if perimeter.vpcs.keys().any(|approved| approved.id == vpc) => {
            format!("an endpoint of a VPC that has the id of an approved one, `{vpc}`")
        }
        (Some(vpc), _) => format!("an endpoint of `{vpc}`, which is not approved"),
        (None, Some(_)) => "a public address".to_owned(),
        (None, None) => String::new(),
    };
    match (of("aws:ViaAWSService") == Some("true"), path.is_empty()) {
        (true, true) => Some("an AWS service, with the caller's credentials, through no endpoint".to_owned()),
        (true, false) => Some(format!("an AWS service, with the caller's credentials, through {path}")),
        (false, true) => None,
        (false, false) => Some(path),
    }
}

/// What of a bundle lets a request through without any statement that says so.
pub fn unsaid(bundle: &Bundle, entry: Option<&Principal>, asked: &Asked) -> Vec<String> {
    let mut notes = Vec::new();
    let kind = caller_of(entry.map_or(asked.principal.as_str(), |entry| match entry.arn.as_str() {
        "*" => asked.principal.as_str(),
        arn => arn,
    }));
    let has_policies = kind.is_none_or(|caller| {
        !matches!(caller.kind, CallerKind::Root | CallerKind::Service | CallerKind::ServiceLinkedRole)
    });
    match entry {
        _ if !has_policies => {}
        None => notes
            .push("the bundle has no such principal: its own policies are taken to allow everything".into()),
        Some(entry) if entry.identity.is_none() => notes.push(
            "the bundle has no `identity` for it: its own policies are taken to allow everything".into(),
        ),
        Some(_) => {}
    }
    let guarded = bundle.tables.iter().filter(|table| table.policy.is_some());
    let mut guarded = guarded.filter(|table| is_of(&asked.resource, &table.arn));
    if guarded.next().is_some() && !table_policy::counts_for(&asked.action) {
        notes.push(format!("a table's policy has no say in `{}`", asked.action));
    } else if bundle.policy_of(&asked.resource).is_none()
        && bundle.tables.iter().any(|table| table.policy.is_some() && is_of(&asked.resource, &table.arn))
    {
        notes.push("the table's policy is none of what hangs on the table, but for its indexes".into());
    }
    notes
}

/// Is it the table, or does it hang on it?
fn is_of(resource: &str, table: &str) -> bool {
    resource.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
