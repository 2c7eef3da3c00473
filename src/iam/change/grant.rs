//! Does a resource policy let someone else replicate the table?
//!
//! Replication is done by the service, so no condition on the network of a caller stops it. Source:
//! DynamoDB developer guide, `globaltables-ma-security`.

use serde_json::{Map, Value};

use super::event::lookup;
use crate::glob;
use crate::ids::{Arn, is_account};

/// The permissions behind replication; none is an API call. In lower case, as IAM's actions have
/// no case.
const REPLICATION: [&str; 4] = [
    "dynamodb:readdataforreplication",
    "dynamodb:writedataforreplication",
    "dynamodb:replicatesettings",
    "dynamodb:associatetablereplica",
];

/// Does the policy allow a service, or an account other than the owner's, to replicate the table?
/// `None`: this is no policy.
///
/// A statement that names replication says so whatever its conditions. One that allows it by a
/// wildcard over all of DynamoDB says so only where neither a condition nor a denial of the same
/// policy may take it back: the rest is for a proof.
pub(super) fn lets_replicate(policy: &Value, owner: Option<&str>) -> Option<bool> {
    let parsed = match policy {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let statements = match lookup(parsed.as_object()?, "Statement") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(one)) => vec![one],
        _ => Vec::new(),
    };
    let denies = statements.iter().any(|statement| has_effect(statement, "Deny"));
    Some(statements.iter().filter(|statement| has_effect(statement, "Allow")).any(|statement| {
        let is_certain = match reach(statement) {
            Reach::None => false,
            Reach::Named => true,
            Reach::Wide => !denies && is_unconditional(statement),
        };
        is_certain && is_for_others(statement, owner)
    }))
}

fn has_effect(statement: &Map<String, Value>, effect: &str) -> bool {
    lookup(statement, "Effect")
        .and_then(Value::as_str)
        .is_some_and(|found| found.eq_ignore_ascii_case(effect))
}

fn is_unconditional(statement: &Map<String, Value>) -> bool {
    match lookup(statement, "Condition") {
        None => true,
        Some(Value::Object(operators)) => operators.is_empty(),
        Some(_) => false,
    }
}

/// How a statement's actions reach replication.
enum Reach {
    None,
    /// By a wildcard that ordinary reading falls under too.
    Wide,
    Named,
}

fn reach(statement: &Map<String, Value>) -> Reach {
    let patterns = |key: &str| match lookup(statement, key) {
        Some(Value::String(one)) => vec![one.to_ascii_lowercase()],
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()
        }
        _ => Vec::new(),
    };
    let covers = |pattern: &String| REPLICATION.iter().any(|action| glob::matches(pattern, action));
    let is_wide = |pattern: &&String| glob::matches(pattern, "dynamodb:getitem");
    if lookup(statement, "NotAction").is_some() {
        let left = patterns("NotAction");
        let all_left =
            REPLICATION.iter().all(|action| left.iter().any(|pattern| glob::matches(pattern, action)));
        return if all_left { Reach::None } else { Reach::Wide };
    }
    let actions = patterns("Action");
    let covering: Vec<&String> = actions.iter().filter(|pattern| covers(pattern)).collect();
    match (covering.is_empty(), covering.iter().all(is_wide)) {
        (true, _) => Reach::None,
        (false, true) => Reach::Wide,
        (false, false) => Reach::Named,
    }
}

/// Does the statement speak of a service, of everyone, or of another account?
fn is_for_others(statement: &Map<String, Value>, owner: Option<&str>) -> bool {
    if lookup(statement, "NotPrincipal").is_some() {
        return true;
    }
    match lookup(statement, "Principal") {
        Some(Value::String(everyone)) => everyone == "*",
        Some(Value::Object(kinds)) => kinds.iter().any(|(kind, names)| {
            let names = match names {
                Value::String(one) => vec![one.as_str()],
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            names.iter().any(|name| !kind.eq_ignore_ascii_case("AWS") || is_other(name, owner))
        }),
        _ => false,
    }
}

/// Is this AWS principal everyone, or of another account? A unique id does not tell its account.
fn is_other(principal: &str, owner: Option<&str>) -> bool {
    let account = match Arn::parse(principal) {
        Some(arn) => arn.account,
        None if is_account(principal) => principal,
        None => return principal == "*",
    };
    owner != Some(account)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::lets_replicate;

    fn grants(principal: Value, action: Value, more: Value) -> Option<bool> {
        let mut statement =
            json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"});
        if let (Some(statement), Value::Object(more)) = (statement.as_object_mut(), more) {
            statement.extend(more);
        }
        lets_replicate(&json!({"Statement": [statement]}), Some("111122223333"))
    }

    #[test]
    fn naming_replication_is_enough_whatever_the_condition() {
        let condition = json!({"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}});
        for action in [
            json!("dynamodb:ReadDataForReplication"),
            json!(["dynamodb:GetItem", "DYNAMODB:writedataforreplication"]),
            json!("dynamodb:*ForReplication"),
            json!("dynamodb:AssociateTableReplica"),
        ] {
            for principal in [
                json!({"Service": "replication.dynamodb.amazonaws.com"}),
                json!({"AWS": ["111122223333", "arn:aws:iam::777788889999:root"]}),
                json!({"AWS": "777788889999"}),
                json!("*"),
            ] {
                assert_eq!(
                    grants(principal.clone(), action.clone(), condition.clone()),
                    Some(true),
                    "{action}"
                );
            }
            let ours = json!({"AWS": "arn:aws:iam::111122223333:role/r"});
            assert_eq!(grants(ours, action, json!({})), Some(false));
        }
    }

    #[test]
    fn a_wildcard_is_enough_only_where_nothing_may_take_it_back() {
        let stranger = || json!({"AWS": "777788889999"});
        assert_eq!(grants(stranger(), json!("dynamodb:*"), json!({})), Some(true));
        assert_eq!(grants(stranger(), json!("dynamodb:*"), json!({"Condition": {}})), Some(true));
        let condition = json!({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}});
        assert_eq!(grants(stranger(), json!("dynamodb:*"), condition), Some(false));
        assert_eq!(grants(stranger(), json!("dynamodb:GetItem"), json!({})), Some(false));
        let guarded = json!({"Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "*"}]});
        assert_eq!(lets_replicate(&guarded, None), Some(false));
    }

    #[test]
    fn what_a_statement_leaves_out_it_does_not_allow() {
        let statement = |left: Value| {
            let principal = json!({"AWS": "x"});
            json!({"Statement": {"Effect": "Allow", "NotPrincipal": principal, "NotAction": left}})
        };
        assert_eq!(lets_replicate(&statement(json!("s3:*")), None), Some(true));
        assert_eq!(lets_replicate(&statement(json!(["dynamodb:*"])), None), Some(false));
        let deny =
            json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "dynamodb:*Replication"}]});
        assert_eq!(lets_replicate(&deny, None), Some(false));
    }

    #[test]
    fn any_type_may_stand_anywhere() {
        for policy in [json!(7), json!([]), json!("["), json!("7"), json!(null)] {
            assert_eq!(lets_replicate(&policy, None), None, "{policy}");
        }
        for policy in [
            json!({}),
            json!({"Statement": 7}),
            json!({"Statement": [7, {"Effect": 7}, {"Effect": "Allow", "Action": {}, "Principal": []}]}),
            json!("{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":{}},\"Action\":\"*\"}]}"),
        ] {
            assert_eq!(lets_replicate(&policy, None), Some(false), "{policy}");
        }
    }
}
