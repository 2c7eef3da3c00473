//! Does a resource policy let in somebody who is not ours, or let somebody else replicate the table?
//!
//! Told from the policy's text alone. A condition counts where it holds the statement to an account,
//! an organization, a VPC or an endpoint of ours; what any other leaves of a statement takes a proof,
//! and is not known here. Nor is it who stands behind a role's unique id.
//!
//! Replication is done by the service, so no condition on the network of a caller stops it. Sources:
//! DynamoDB developer guide, `globaltables-ma-security`; IAM user guide, "AWS global condition context
//! keys" and "IAM JSON policy elements: Condition operators".

use serde_json::{Map, Value};

use super::Ours;
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

/// What a policy grants to others than us.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Grant {
    /// Nothing that its text tells.
    Nothing,
    /// A service, or an account that is not ours, may replicate the table.
    Replication,
    /// This principal may do something with the table: `*`, or one of an account that is not ours.
    Access(String),
}

/// Who is not one of the others.
pub(super) struct Us<'a> {
    /// What the perimeter says.
    pub(super) ours: &'a dyn Ours,
    /// The account that owns the table.
    pub(super) owner: Option<&'a str>,
}

type Statement = Map<String, Value>;

/// What a policy grants to others than us. `None`: this is no policy.
///
/// A statement that names replication grants it whatever its conditions. Any other counts unless a
/// condition holds it to us, or the same policy denies all that is not us.
pub(super) fn grant(policy: &Value, us: &Us<'_>) -> Option<Grant> {
    let parsed = match policy {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let statements: Vec<&Statement> = match lookup(parsed.as_object()?, "Statement") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(one)) => vec![one],
        _ => Vec::new(),
    };
    let of = |effect| statements.iter().copied().filter(|found| has_effect(found, effect)).collect();
    let (allows, denies): (Vec<_>, Vec<_>) = (of("Allow"), of("Deny"));
    if allows.iter().any(|allow| names_replication(allow) && us.has_others(allow)) {
        return Some(Grant::Replication);
    }
    let access = allows.iter().find_map(|allow| us.admits(allow, &denies)).map(Grant::Access);
    let replication = || allows.iter().any(|allow| us.lets_service_replicate(allow, &denies));
    Some(access.unwrap_or_else(|| if replication() { Grant::Replication } else { Grant::Nothing }))
}

fn has_effect(statement: &Statement, effect: &str) -> bool {
    lookup(statement, "Effect")
        .and_then(Value::as_str)
        .is_some_and(|found| found.eq_ignore_ascii_case(effect))
}

fn is_unconditional(statement: &Statement) -> bool {
    match lookup(statement, "Condition") {
        None => true,
        Some(Value::Object(operators)) => operators.is_empty(),
        Some(_) => false,
    }
}

/// The strings of a list, or the one in its place.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The patterns of actions under `key`, in lower case.
fn actions(statement: &Statement, key: &str) -> Vec<String> {
    texts(lookup(statement, key)).iter().map(|pattern| pattern.to_ascii_lowercase()).collect()
}

fn covers(patterns: &[String], action: &str) -> bool {
    patterns.iter().any(|pattern| glob::matches(pattern, action))
}

/// Does an action of the statement speak of replication, and not of ordinary reading as well?
fn names_replication(statement: &Statement) -> bool {
    let is_named = |pattern: &String| {
        !glob::matches(pattern, "dynamodb:getitem")
            && REPLICATION.iter().any(|action| glob::matches(pattern, action))
    };
    lookup(statement, "NotAction").is_none() && actions(statement, "Action").iter().any(is_named)
}

fn reaches_replication(statement: &Statement) -> bool {
    if lookup(statement, "NotAction").is_some() {
        let left = actions(statement, "NotAction");
        return !REPLICATION.iter().all(|action| covers(&left, action));
    }
    let named = actions(statement, "Action");
    REPLICATION.iter().any(|action| covers(&named, action))
}

/// Does the statement reach any of DynamoDB's actions?
fn reaches_dynamodb(statement: &Statement) -> bool {
    if lookup(statement, "NotAction").is_some() {
        return !is_all_of_dynamodb(&actions(statement, "NotAction"));
    }
    let is_of_dynamodb = |pattern: &String| match pattern.split_once(':') {
        Some((service, _)) => glob::matches(service, "dynamodb"),
        None => glob::matches(pattern, "dynamodb:getitem"),
    };
    actions(statement, "Action").iter().any(is_of_dynamodb)
}

fn is_all_of_dynamodb(patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| pattern == "*" || pattern == "dynamodb:*")
}

/// Whom the statement speaks of: kind and name. Everybody is an `AWS` principal, `*`.
fn principals(statement: &Statement) -> Vec<(&str, &str)> {
    if lookup(statement, "NotPrincipal").is_some() {
        return vec![("AWS", "*")];
    }
    match lookup(statement, "Principal") {
        Some(Value::String(one)) => vec![("AWS", one)],
        Some(Value::Object(kinds)) => {
            let of_kind = |(kind, names)| texts(Some(names)).into_iter().map(move |name| (kind, name));
            kinds.iter().map(|(kind, names)| (kind.as_str(), names)).flat_map(of_kind).collect()
        }
        _ => Vec::new(),
    }
}

fn names_service(statement: &Statement) -> bool {
    principals(statement).iter().any(|(kind, _)| kind.eq_ignore_ascii_case("Service"))
}

impl Us<'_> {
    fn is_account(&self, account: &str) -> bool {
        self.owner == Some(account) || self.ours.is_account(account)
    }

    /// Is this principal everybody, or of an account that is not ours? A unique id does not tell its
    /// account.
    fn is_stranger(&self, name: &str) -> bool {
        match Arn::parse(name) {
            Some(arn) => !self.is_account(arn.account),
            None if is_account(name) => !self.is_account(name),
            None => name == "*",
        }
    }

    /// Somebody the statement speaks of who is neither ours nor a service.
    fn stranger(&self, statement: &Statement) -> Option<String> {
        let principals = principals(statement);
        let found = principals.iter().find(|(kind, name)| match *kind {
            kind if kind.eq_ignore_ascii_case("Service") => false,
            kind if kind.eq_ignore_ascii_case("AWS") => self.is_stranger(name),
            // An identity provider of the web has no account.
            _ => Arn::parse(name).is_none_or(|arn| !self.is_account(arn.account)),
        });
        found.map(|(_, name)| (*name).to_owned())
    }

    /// Whom an `Allow` lets in who is not ours.
    fn admits(&self, allow: &Statement, denies: &[&Statement]) -> Option<String> {
        let stranger = self.stranger(allow).filter(|_| reaches_dynamodb(allow))?;
        let is_held = self.holds(allow) || denies.iter().any(|deny| self.takes_back(deny, allow));
        (!is_held).then_some(stranger)
    }

    /// Does an `Allow` let a service replicate the table, by a wildcard?
    fn lets_service_replicate(&self, allow: &Statement, denies: &[&Statement]) -> bool {
        let is_off = |deny: &&Statement| is_unconditional(deny) && self.takes_back(deny, allow);
        names_service(allow)
            && reaches_replication(allow)
            && is_unconditional(allow)
            && !denies.iter().any(is_off)
    }

    /// Does the statement speak of a service, or of somebody who is not ours?
    fn has_others(&self, statement: &Statement) -> bool {
        names_service(statement) || self.stranger(statement).is_some()
    }

    /// Does a condition hold an `Allow` to us? One is enough, since all must be met.
    fn holds(&self, allow: &Statement) -> bool {
        conditions(allow).iter().any(|condition| condition.is_positive() && self.is_ours(condition))
    }

    /// Does a `Deny` take back, from all but us, what `allow` gives? Every condition must be one that
    /// only we escape.
    fn takes_back(&self, deny: &Statement, allow: &Statement) -> bool {
        let escaped = conditions(deny);
        let resources = texts(lookup(deny, "Resource"));
        let allowed = texts(lookup(allow, "Resource"));
        let is_covered = |resource: &&str| resources.iter().any(|pattern| glob::matches(pattern, resource));
        lookup(deny, "NotPrincipal").is_none()
            && principals(deny).contains(&("AWS", "*"))
            && lookup(deny, "NotAction").is_none()
            && is_all_of_dynamodb(&actions(deny, "Action"))
            && !allowed.is_empty()
            && allowed.iter().all(is_covered)
            && (is_unconditional(deny) || !escaped.is_empty())
            && escaped.iter().all(|condition| condition.is_negative() && self.is_ours(condition))
    }

    /// Are all values of a condition ours?
    fn is_ours(&self, condition: &Condition<'_>) -> bool {
        let is_ours = |value: &&str| match condition.key.as_str() {
            "aws:principalaccount" | "aws:vpceaccount" => self.is_account(value),
            "aws:principalarn" => Arn::parse(value).is_some_and(|arn| self.is_account(arn.account)),
            "aws:principalorgid" | "aws:vpceorgid" => self.ours.is_organization(value),
            "aws:principalorgpaths" | "aws:vpceorgpaths" => {
                self.ours.is_organization(value.split('/').next().unwrap_or_default())
            }
            "aws:sourcevpc" => self.ours.is_vpc(value),
            "aws:sourcevpce" => self.ours.is_endpoint(value),
            _ => false,
        };
        !condition.values.is_empty() && condition.values.iter().all(is_ours)
    }
}

/// One key of one operator.
struct Condition<'p> {
    /// In lower case.
    operator: String,
    /// In lower case.
    key: String,
    values: Vec<&'p str>,
}

impl Condition<'_> {
    /// Is it met only by a request that has one of the values? `IfExists` and `ForAllValues` are met by
    /// one that has no value at all.
    fn is_positive(&self) -> bool {
        let operator = self.operator.strip_prefix("foranyvalue:").unwrap_or(&self.operator);
        matches!(operator, "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike")
    }

    /// Is it met by every request that has none of the values?
    fn is_negative(&self) -> bool {
        let operator = self.operator.strip_suffix("ifexists").unwrap_or(&self.operator);
        matches!(
            operator,
            "stringnotequals" | "stringnotequalsignorecase" | "stringnotlike" | "arnnotequals" | "arnnotlike"
        )
    }
}

fn conditions(statement: &Statement) -> Vec<Condition<'_>> {
    let Some(Value::Object(operators)) = lookup(statement, "Condition") else { return Vec::new() };
    let keys = operators.iter().filter_map(|(operator, keys)| Some((operator, keys.as_object()?)));
    keys.flat_map(|(operator, keys)| {
        keys.iter().map(move |(key, values)| Condition {
            operator: operator.to_ascii_lowercase(),
            key: key.to_ascii_lowercase(),
            values: texts(Some(values)),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Listed;
    use super::{Grant, Us, grant};

    const OWNER: &str = "111122223333";
    const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

    fn of(policy: &Value) -> Option<Grant> {
        grant(policy, &Us { ours: &Listed(&[]), owner: Some(OWNER) })
    }

    fn statement(effect: &str, principal: Value, action: Value, condition: Value) -> Value {
        json!({"Effect": effect, "Principal": principal, "Action": action, "Resource": TABLE,
            "Condition": condition})
    }

    fn allowed(principal: Value, action: Value, condition: Value) -> Option<Grant> {
        of(&json!({"Statement": [statement("Allow", principal, action, condition)]}))
    }

    fn access(name: &str) -> Option<Grant> {
        Some(Grant::Access(name.to_owned()))
    }

    #[test]
    fn naming_replication_is_enough_whatever_the_condition() {
        let condition = json!({"StringEquals": {"aws:SourceAccount": "111122223333"}});
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
                let granted = allowed(principal, action.clone(), condition.clone());
                assert_eq!(granted, Some(Grant::Replication), "{action}");
            }
            let ours = json!({"AWS": ["arn:aws:iam::111122223333:role/r", "222233334444"]});
            assert_eq!(allowed(ours, action, json!({})), Some(Grant::Nothing));
        }
    }

    #[test]
    fn a_service_may_replicate_by_a_wildcard_that_nothing_takes_back() {
        let service = || json!({"Service": "replication.dynamodb.amazonaws.com"});
        assert_eq!(allowed(service(), json!("dynamodb:*"), json!({})), Some(Grant::Replication));
        assert_eq!(allowed(service(), json!("dynamodb:GetItem"), json!({})), Some(Grant::Nothing));
        let condition = json!({"StringEquals": {"aws:SourceAccount": "1"}});
        assert_eq!(allowed(service(), json!("dynamodb:*"), condition), Some(Grant::Nothing));
        let with_deny = |condition: Value| {
            of(&json!({"Statement": [
                statement("Allow", service(), json!("*"), json!({})),
                statement("Deny", json!("*"), json!("*"), condition)]}))
        };
        assert_eq!(with_deny(json!({})), Some(Grant::Nothing));
        // No network of a caller stops the service.
        let network = json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}});
        assert_eq!(with_deny(network), Some(Grant::Replication));
    }

    #[test]
    fn any_action_for_a_stranger_is_access() {
        for action in [
            json!("dynamodb:GetItem"),
            json!(["dynamodb:DescribeTable"]),
            json!("dynamodb:*"),
            json!("*"),
            json!("Dyn*:Put*"),
        ] {
            for (principal, name) in [
                (json!("*"), "*"),
                (json!({"AWS": "*"}), "*"),
                (json!({"AWS": "777788889999"}), "777788889999"),
                (
                    json!({"AWS": [OWNER, "arn:aws:iam::777788889999:role/r"]}),
                    "arn:aws:iam::777788889999:role/r",
                ),
                (json!({"Federated": "accounts.google.com"}), "accounts.google.com"),
            ] {
                assert_eq!(allowed(principal, action.clone(), json!({})), access(name), "{action}");
            }
        }
        assert_eq!(allowed(json!("*"), json!("s3:GetObject"), json!({})), Some(Grant::Nothing));
    }

    #[test]
    fn our_own_accounts_are_no_strangers() {
        for principal in [
            json!({"AWS": OWNER}),
            json!({"AWS": ["222233334444", "arn:aws:iam::222233334444:role/r"]}),
            json!({"AWS": "AROAEXAMPLEEXAMPLE01"}),
            json!({"Federated": "arn:aws:iam::111122223333:saml-provider/p"}),
            json!({"Service": "lambda.amazonaws.com"}),
        ] {
            let granted = allowed(principal.clone(), json!("dynamodb:GetItem"), json!({}));
            assert_eq!(granted, Some(Grant::Nothing), "{principal}");
        }
        let ours = json!({"AWS": "222233334444"});
        assert_eq!(allowed(ours, json!("dynamodb:*"), json!({})), Some(Grant::Nothing));
    }

    #[test]
    fn a_condition_counts_where_it_holds_the_statement_to_us() {
        let granted = |condition: Value| allowed(json!("*"), json!("dynamodb:GetItem"), condition.clone());
        for condition in [
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": ["o-ours/r-1/ou-1/*"]}}),
            json!({"StringEquals": {"AWS:principalaccount": ["111122223333", "222233334444"]}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222233334444:role/*"}}),
            json!({"StringEquals": {"aws:SourceVpc": "vpc-0ours"}, "Bool": {"aws:SecureTransport": "true"}}),
            json!({"StringEquals": {"aws:SourceVpce": ["vpce-0a"]}}),
        ] {
            assert_eq!(granted(condition.clone()), Some(Grant::Nothing), "{condition}");
        }
        for condition in [
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-theirs"}}),
            json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
            json!({"StringLike": {"aws:PrincipalAccount": "*"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": ["111122223333", "777788889999"]}}),
            json!({"StringEquals": {"aws:PrincipalAccount": []}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"}}),
            json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-0ours"}}),
            json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-ours/r-1/"}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}}),
            json!({"StringEquals": {"aws:SourceVpc": "vpc-0theirs"}}),
            json!({"StringEquals": {"aws:SourceVpce": "vpce-0b"}}),
            json!({"StringEquals": 7}),
            json!(7),
        ] {
            assert_eq!(granted(condition.clone()), access("*"), "{condition}");
        }
    }

    #[test]
    fn a_deny_counts_where_only_we_escape_it() {
        let guarded = |deny: Value| {
            let actions = json!(["dynamodb:GetItem", "dynamodb:*"]);
            let allow = statement("Allow", json!("*"), actions, json!({}));
            of(&json!({"Statement": [allow, deny]}))
        };
        let deny = |condition: Value| statement("Deny", json!("*"), json!("dynamodb:*"), condition);
        for condition in [
            json!({}),
            json!({"StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-0ours"}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours", "aws:PrincipalOrgID": "o-ours"}}),
        ] {
            assert_eq!(guarded(deny(condition.clone())), Some(Grant::Nothing), "{condition}");
        }
        let away = json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}});
        for statement in [
            deny(json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0theirs"}})),
            deny(json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours", "aws:PrincipalTag/t": "v"}})),
            deny(json!({"StringEquals": {"aws:SourceVpc": "vpc-0ours"}})),
            deny(json!({"StringNotEquals": 7})),
            statement("Deny", json!({"AWS": "777788889999"}), json!("dynamodb:*"), json!({})),
            statement("Deny", json!("*"), json!("dynamodb:PutItem"), away.clone()),
            json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "other"}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "*"}),
            json!({"Effect": "Deny", "Principal": "*", "NotAction": "*", "Resource": "*"}),
        ] {
            assert_eq!(guarded(statement.clone()), access("*"), "{statement}");
        }
    }

    #[test]
    fn what_a_statement_leaves_out_it_does_not_allow() {
        let statement = |left: Value| {
            let principal = json!({"AWS": "x"});
            json!({"Statement": {"Effect": "Allow", "NotPrincipal": principal, "NotAction": left}})
        };
        assert_eq!(of(&statement(json!("s3:*"))), access("*"));
        assert_eq!(of(&statement(json!("dynamodb:*ForReplication"))), access("*"));
        assert_eq!(of(&statement(json!(["dynamodb:*"]))), Some(Grant::Nothing));
        let deny =
            json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "dynamodb:*Replication"}]});
        assert_eq!(of(&deny), Some(Grant::Nothing));
    }

    #[test]
    fn any_type_may_stand_anywhere() {
        for policy in [json!(7), json!([]), json!("["), json!("7"), json!(null)] {
            assert_eq!(of(&policy), None, "{policy}");
        }
        for policy in [
            json!({}),
            json!({"Statement": 7}),
            json!({"Statement": [7, {"Effect": 7}, {"Effect": "Allow", "Action": {}, "Principal": []}]}),
            json!("{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":{}},\"Action\":\"*\"}]}"),
        ] {
            assert_eq!(of(&policy), Some(Grant::Nothing), "{policy}");
        }
    }
}
