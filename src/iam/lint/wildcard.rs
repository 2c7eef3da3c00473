//! Wildcards where there are none, and such as stand for more than they seem to.

use super::{Lint, Notes, quoted};
use crate::iam::catalogue;
use crate::iam::document::Condition;
use crate::iam::operator::Test;

/// See its text.
pub const WILDCARD_IN_EQUALS: Lint = Lint {
    name: "wildcard-in-equals",
    title: "`StringEquals` takes `*` and `?` for characters",
    what: "`StringEquals`, `StringNotEquals` and their `IgnoreCase` compare letter by letter: `vpc-*` is equal to `vpc-*` and \
           to nothing else. Only `StringLike`, `StringNotLike` and the ARN operators know wildcards.",
    why: "No request has such a value. An `Allow` with it allows nothing; a `Deny` of what is not equal denies everything; and a \
          `Deny` of what is equal denies nothing.",
    remedy: "Write `StringLike` or `StringNotLike`, or for ARNs `ArnLike` or `ArnNotLike`. A `*` or `?` that is meant as it stands \
             is `${*}` or `${?}`, in version 2012-10-17.",
    source: "IAM user guide, \"IAM JSON policy elements: Condition operators\"",
};

/// See its text.
pub const STRING_LIKE_PRINCIPAL_ARN: Lint = Lint {
    name: "string-like-principal-arn",
    title: "A wildcard for the account also stands for parts of a path",
    what: "The `*` of `StringLike` and `StringNotLike` stands for any characters, colons and slashes too. A role may have \
           nearly any characters in its path, so `arn:aws:iam::*:role/admin` is also the role `admin` with the path \
           `/x:role/`, of any account.",
    why: "Whoever may create roles makes one that fits, and goes where only the named one was to go: an exception for \
          break-glass is open to them.",
    remedy: "Write `ArnLike` or `ArnNotLike`, whose wildcards stop at colons; better, name the accounts. Its last part still goes \
             over slashes.",
    source: "IAM user guide, \"IAM JSON policy elements: Condition operators\", \"IAM identifiers\"",
};

/// See its text.
pub const WILDCARD_IN_SERVICE: Lint = Lint {
    name: "wildcard-in-service",
    title: "A wildcard in the service of an action",
    what: "An action is `*`, or a service and a name, and wildcards are documented for the name. What `dyn*:GetItem` or \
           `*:*` matches is not.",
    why: "Whether the statement matches cannot be told, and so neither can whether it keeps the perimeter.",
    remedy: "Write the service out, `dynamodb:*`, or `*` alone.",
    source: "IAM user guide, \"IAM JSON policy elements: Action\"",
};

pub fn check(notes: &mut Notes<'_>) {
    let statement = notes.statement;
    for action in &statement.actions.items {
        let service = action.text.split_once(':').map(|(service, _)| service);
        if service.is_some_and(|service| service.contains(['*', '?'])) {
            let message = format!(
                "what {} matches is not documented: its service has a wildcard",
                quoted(&action.text)
            );
            notes.note(&WILDCARD_IN_SERVICE, &action.span, message);
        }
    }
    for condition in &statement.conditions {
        let (operator, key) = (&condition.operator_name, &condition.key_name);
        for (text, place) in condition.texts.iter().zip(&condition.places) {
            if is_mistaken(condition, text) {
                let message = format!(
                    "`{operator}` takes the wildcard of {} for a character: no `{key}` is so",
                    quoted(text)
                );
                notes.note(&WILDCARD_IN_EQUALS, place, message);
            } else if goes_over_colons(condition, text) {
                let arn = operator.replace("String", "Arn");
                let message = format!(
                    "the account's `*` in {} goes over colons and slashes under `{operator}`: write `{arn}`",
                    quoted(text)
                );
                notes.note(&STRING_LIKE_PRINCIPAL_ARN, place, message);
            }
        }
    }
}

/// A wildcard in a value that is compared letter by letter, and that no value of the key could hold.
fn is_mistaken(condition: &Condition, text: &str) -> bool {
    if !matches!(condition.operator.test, Test::Text | Test::TextFolded) {
        return false;
    }
    let text = without_variables(text);
    let Some(named) = catalogue::find_key(&condition.key_name) else { return false };
    if is_free(&condition.key) {
        // Such a value may hold any character; only one that ends so is surely meant as a beginning.
        text.len() > 1 && text.find(['*', '?']) == Some(text.len() - 1) && text.ends_with('*')
    } else {
        named.key.name.contains(':') && text.contains(['*', '?'])
    }
}

/// Keys whose values others choose freely: items' keys, attributes, tags of resources, what a client sends.
fn is_free(key: &str) -> bool {
    let items =
        ["dynamodb:leadingkeys", "dynamodb:attributes", "aws:useragent", "aws:referer", "aws:tagkeys"];
    items.contains(&key)
        || key.ends_with("partitionkeyvalues")
        || key.starts_with("aws:requesttag/")
        || key.starts_with("aws:resourcetag/")
}

/// A text without what stands between `${` and `}`: there a wildcard is an escape, or in a default.
fn without_variables(text: &str) -> String {
    let mut parts = text.split("${");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        rest.push_str(part.split_once('}').map_or("", |(_, behind)| behind));
    }
    rest
}

/// A `*` in the account of a caller's ARN, with a name behind it that a path can hold too.
fn goes_over_colons(condition: &Condition, text: &str) -> bool {
    if condition.operator.test != Test::Like || condition.key != "aws:principalarn" {
        return false;
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, _, _, _, account, rest] = parts.as_slice() else { return false };
    let is_narrowed = |(kind, name): (&str, &str)| !kind.contains('*') && name != "*";
    without_variables(account).contains('*') && rest.split_once('/').is_some_and(is_narrowed)
}
