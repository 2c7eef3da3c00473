//! Whom, what and which resource a statement speaks of, where that is nobody or nothing.

use super::reach::only_service;
use super::{Lint, Notes, quoted};
use crate::iam::catalogue::{self, Service};
use crate::iam::document::Effect;
use crate::iam::operator::nearest;

/// See its text.
pub const NOT_PRINCIPAL_ALLOW: Lint = Lint {
    name: "not-principal-allow",
    title: "`Allow` with `NotPrincipal` allows everybody else",
    what: "`NotPrincipal` with `Allow` lets in whoever is not listed: every other account, and on many resources people \
           without any credentials.",
    why: "The table or endpoint is open to all of AWS but for the few that are named.",
    remedy: "List those whom to let in under `Principal`; to keep some out, a `Deny` with a condition on `aws:PrincipalArn`.",
    source: "IAM user guide, \"AWS JSON policy elements: NotPrincipal\"",
};

/// See its text.
pub const RESOURCE_OF_OTHER_SERVICE: Lint = Lint {
    name: "resource-of-other-service",
    title: "The actions are not done to resources of that service",
    what: "DynamoDB's actions are done to DynamoDB's resources, and those of DAX to clusters of DAX. An ARN of another service \
           never matches a request for them.",
    why: "A `Deny` that names only such ARNs denies nothing.",
    remedy: "Name tables: `arn:aws:dynamodb:*:*:table/*`; clusters for `dax:` actions: `arn:aws:dax:*:*:cache/*`. What is to hold \
             for another service takes a statement with its actions.",
    source: "Service authorization reference, \"Actions, resources, and condition keys for Amazon DynamoDB\", \"… for Amazon \
             DynamoDB Accelerator (DAX)\"",
};

/// See its text.
pub const UNKNOWN_ACTION: Lint = Lint {
    name: "unknown-action",
    title: "There is no action of that name",
    what: "IAM takes whatever name an action is given, and one that there is not matches nothing. Some calls have no action \
           of their own: `TransactWriteItems` is authorised as `dynamodb:PutItem` and its siblings, `ExecuteStatement` as \
           `dynamodb:PartiQLSelect` and its siblings.",
    why: "A `Deny` of such a name denies nothing.",
    remedy: "Write the action as the service authorization reference has it. A call within a transaction is told by \
             `dynamodb:EnclosingOperation`.",
    source: "Service authorization reference, \"Actions, resources, and condition keys for Amazon DynamoDB\"; DynamoDB developer \
             guide, \"Using IAM with DynamoDB transactions\", \"IAM security policies with PartiQL for DynamoDB\"",
};

/// Calls that are authorised as what they do, and what that is.
const CALLS: [(&str, &str); 5] = [
    (
        "batchexecutestatement",
        "`dynamodb:PartiQLSelect`, `PartiQLInsert`, `PartiQLUpdate` and `PartiQLDelete`",
    ),
    ("executestatement", "`dynamodb:PartiQLSelect`, `PartiQLInsert`, `PartiQLUpdate` and `PartiQLDelete`"),
    ("executetransaction", "`dynamodb:PartiQLSelect`, `PartiQLInsert`, `PartiQLUpdate` and `PartiQLDelete`"),
    ("transactgetitems", "`dynamodb:GetItem`"),
    ("transactwriteitems", "`dynamodb:PutItem`, `UpdateItem`, `DeleteItem` and `ConditionCheckItem`"),
];

pub fn check(notes: &mut Notes<'_>) {
    let statement = notes.statement;
    if let Some(principals) = &statement.principals
        && principals.negated
        && statement.effect == Effect::Allow
    {
        let message = "`Allow` with `NotPrincipal` lets in everybody but those it lists".to_owned();
        notes.note(&NOT_PRINCIPAL_ALLOW, &principals.span, message);
    }
    for action in &statement.actions.items {
        if let Some(message) = unknown_action(&action.text) {
            notes.note(&UNKNOWN_ACTION, &action.span, message);
        }
    }
    let Some(service) = only_service(statement).filter(|_| !statement.resources.negated) else { return };
    for resource in &statement.resources.items {
        if let Some(other) = other_service(&resource.text, service) {
            let message = format!(
                "no `{}:` action is done to a resource of `{other}`: {} matches none",
                service.prefix,
                quoted(&resource.text)
            );
            notes.note(&RESOURCE_OF_OTHER_SERVICE, &resource.span, message);
        }
    }
}

/// What is wrong with the name of an action, in small letters.
pub fn unknown_action(text: &str) -> Option<String> {
    let (prefix, name) = text.split_once(':')?;
    let service = [catalogue::dynamodb(), catalogue::dax()].into_iter().find(|one| one.prefix == prefix)?;
    if name.contains(['*', '?']) || service.action(name).is_some() {
        return None;
    }
    let call = CALLS.iter().find(|(call, _)| prefix == "dynamodb" && *call == name);
    if let Some((_, actions)) = call {
        return Some(format!("{} is a call and no action: it is authorised as {actions}", quoted(text)));
    }
    let near = nearest(name, service.actions.iter().map(|action| action.name), 2)?;
    let date = service.origin.date;
    Some(format!("no action {} is known, as of {date}: is `{prefix}:{near}` meant?", quoted(text)))
}

/// The service of an ARN, if that is surely another.
fn other_service<'t>(arn: &'t str, service: &Service) -> Option<&'t str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [begin, partition, other, _, ..] = parts.as_slice() else { return None };
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['*', '?', '$']);
    (*begin == "arn" && is_plain(partition) && is_plain(other) && *other != service.prefix).then_some(*other)
}
