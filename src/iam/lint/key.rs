//! Keys that a request never has, and such as there are none.

use super::presence::without_key;
use super::reach::{self, may_carry, only_service};
use super::{Lint, Notes, quoted};
use crate::iam::catalogue;
use crate::iam::document::{Condition, Effect, Statement};
use crate::iam::operator::nearest;

/// See its text.
pub const KEY_NEVER_PRESENT: Lint = Lint {
    name: "key-never-present",
    title: "No request that the statement speaks of has the key",
    what: "A condition key of one service is in no request to another, and a key for some of DynamoDB's actions in no \
           request for the rest. To a request without the key, an operator as `StringEquals` never holds; a negated one, \
           `…IfExists` and `ForAllValues:` always do.",
    why: "The condition decides nothing, whatever its values: a `Deny` with it denies nothing, or everything that it speaks of.",
    remedy: "Use a key that the action carries: the service authorization reference lists them for each, and `aws:` keys go \
             with all.",
    source: "Service authorization reference, \"Actions, resources, and condition keys for Amazon DynamoDB\"; IAM user guide, \
             \"IAM JSON policy elements: Condition operators\"",
};

/// See its text.
pub const UNKNOWN_KEY: Lint = Lint {
    name: "unknown-key",
    title: "There is no condition key of that name",
    what: "IAM takes whatever name a key is given. One that no request has is absent from all: positive operators never \
           hold for it, and negated ones always do.",
    why: "A slip in the name of a key turns a `Deny` off, or makes an `Allow` hold for everybody, and nothing says so.",
    remedy: "Write the name as the documentation has it. If AWS has added the key since the day that the message names, the \
             lint is wrong.",
    source: "IAM user guide, \"AWS global condition context keys\"; service authorization reference, \"Actions, resources, and \
             condition keys for Amazon DynamoDB\"",
};

/// Services whose own keys are in requests to themselves alone. Keys that come with credentials (of identity
/// providers, of `sts`) are none of them; the few of these services that do are among the global keys.
const ELSEWHERE: [&str; 16] = [
    "autoscaling",
    "cloudformation",
    "ec2",
    "ecs",
    "elasticloadbalancing",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "organizations",
    "ram",
    "rds",
    "s3",
    "sns",
    "sqs",
];

pub fn check(notes: &mut Notes<'_>) {
    let statement = notes.statement;
    for condition in &statement.conditions {
        if let Some(message) = unknown_key(&condition.key_name, only_service(statement).is_some()) {
            notes.note(&UNKNOWN_KEY, &condition.span, message);
        } else if let Some(message) = never_present(statement, condition) {
            notes.note(&KEY_NEVER_PRESENT, &condition.span, message);
        }
    }
}

fn never_present(statement: &Statement, condition: &Condition) -> Option<String> {
    let service = only_service(statement)?;
    let (of, _) = condition.key.split_once(':')?;
    let named = catalogue::find_key(&condition.key_name);
    let is_absent = match named {
        Some(named) if named.key.is_global() => false,
        Some(_) if of == service.prefix => {
            let actions = reach::actions(statement, service);
            !actions.is_empty() && !actions.iter().any(|action| may_carry(service, action, &condition.key))
        }
        Some(_) => of == "dax" && service.prefix == "dynamodb",
        None => ELSEWHERE.contains(&of),
    };
    is_absent.then(|| {
        let key = &condition.key_name;
        let consequence = consequence(statement, condition);
        format!("no request for the statement's actions has {}{consequence}", quoted(key))
    })
}

fn consequence(statement: &Statement, condition: &Condition) -> String {
    let operator = &condition.operator_name;
    match (without_key(condition), statement.effect) {
        (Some(true), _) => format!(", so `{operator}` on it always holds"),
        (Some(false), Effect::Allow) => {
            format!(", so `{operator}` on it never holds, and nothing is allowed")
        }
        (Some(false), Effect::Deny) => format!(", so `{operator}` on it never holds, and nothing is denied"),
        (None, _) => String::new(),
    }
}

/// What is wrong with the name of a key; `is_ours`: it is asked for of one of the services that are known.
pub fn unknown_key(name: &str, is_ours: bool) -> Option<String> {
    if catalogue::find_key(name).is_some() {
        return None;
    }
    let small = name.to_ascii_lowercase();
    let Some((of, _)) = small.split_once(':') else {
        let meant = ["aws:", "dynamodb:"].map(|prefix| format!("{prefix}{name}"));
        let meant = meant.iter().find_map(|name| catalogue::find_key(name))?;
        return Some(format!("{} has no prefix: is `{}` meant?", quoted(name), meant.key.name));
    };
    if !matches!(of, "aws" | "dynamodb" | "dax") {
        return None;
    }
    let origin = &catalogue::global_keys().origin;
    let keys = [&catalogue::global_keys().keys, &catalogue::dynamodb().keys, &catalogue::dax().keys];
    let known = keys.into_iter().flatten().map(|key| key.name);
    let known = known.map(|name| name.strip_suffix("${TagKey}").unwrap_or(name));
    if let Some(tags) = known.clone().find(|known| {
        known.ends_with('/') && known.trim_end_matches('/').eq_ignore_ascii_case(name.trim_end_matches('/'))
    }) {
        return Some(format!("{} names no tag: behind `{tags}` comes its name", quoted(name)));
    }
    match nearest(name, known, 2) {
        Some(near) => Some(format!(
            "no condition key {} is known, as of {}: is `{near}` meant?",
            quoted(name),
            origin.date
        )),
        // A service that is none of ours may have `aws:` keys of its own.
        None if of == "aws" && !is_ours => None,
        None => Some(format!("no condition key {} is known, as of {}", quoted(name), origin.date)),
    }
}
