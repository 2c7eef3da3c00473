//! A statement of a resource policy, read for what is asked of it.
//!
//! Nothing that stands in it is passed over: what cannot be read makes an `Allow` wider and a `Deny`
//! narrower, and a principal that cannot be read is [`Principal::Untold`].
//!
//! Sources: IAM user guide, "AWS JSON policy elements: Principal", "IAM JSON policy elements: Action",
//! "… NotAction", "… Resource", "… Condition".

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::event::lookup;
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

/// Somebody whom a statement speaks of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Principal<'p> {
    Everybody,
    /// An AWS service.
    Service,
    /// One of an account, or the account as a whole.
    Of {
        account: Cow<'p, str>,
        name: Cow<'p, str>,
    },
    /// One that is no account's: an identity provider of the web, for one.
    Elsewhere(&'p str),
    /// Whose it is, the text does not tell: a unique id, which AWS takes for the principal behind it,
    /// or what cannot be read.
    Untold,
}

/// One statement.
#[derive(Clone, Copy)]
pub(super) struct Statement<'p>(&'p Map<String, Value>);

impl<'p> Statement<'p> {
    /// The statements of a policy; `None` for each that cannot be read.
    pub(super) fn all(policy: &'p Map<String, Value>) -> Vec<Option<Self>> {
        let read = |value: &'p Value| {
            let statement = Self(value.as_object()?);
            (statement.allows() || statement.denies()).then_some(statement)
        };
        match lookup(policy, "Statement") {
            Some(Value::Array(items)) => items.iter().map(read).collect(),
            Some(one) => vec![read(one)],
            None => Vec::new(),
        }
    }

    pub(super) fn allows(self) -> bool {
        self.has_effect("Allow")
    }

    pub(super) fn denies(self) -> bool {
        self.has_effect("Deny")
    }

    fn has_effect(self, effect: &str) -> bool {
        let found = lookup(self.0, "Effect").and_then(Value::as_str);
        found.is_some_and(|found| found.eq_ignore_ascii_case(effect))
    }

    fn has(self, key: &str) -> bool {
        lookup(self.0, key).is_some()
    }

    fn texts(self, key: &str) -> Texts<'p> {
        Texts::of(lookup(self.0, key))
    }

    /// Whom it speaks of. `NotPrincipal` speaks of everybody.
    pub(super) fn principals(self) -> Vec<Principal<'p>> {
        if self.has("NotPrincipal") {
            return vec![Principal::Everybody];
        }
        match lookup(self.0, "Principal") {
            Some(Value::Object(kinds)) => {
                kinds.iter().flat_map(|(kind, names)| principals_of(kind, names)).collect()
            }
            Some(other) => principals_of("AWS", other),
            None => vec![Principal::Untold],
        }
    }

    pub(super) fn is_of_everybody(self) -> bool {
        !self.has("NotPrincipal") && self.principals().contains(&Principal::Everybody)
    }

    pub(super) fn is_of_services(self) -> bool {
        self.principals().contains(&Principal::Service)
    }

    /// What an `Allow` may give of DynamoDB: patterns of actions, in lower case.
    pub(super) fn given(self) -> Vec<String> {
        if self.has("NotAction") && self.has("Action") {
            return vec![ALL.to_owned()];
        }
        if self.has("NotAction") {
            let is_left = self.texts("NotAction").found.iter().any(|left| is_all_of_dynamodb(left));
            return if is_left { Vec::new() } else { vec![ALL.to_owned()] };
        }
        let named = self.texts("Action");
        if !named.is_whole {
            return vec![ALL.to_owned()];
        }
        named.found.iter().filter_map(|pattern| of_dynamodb(pattern)).collect()
    }

    /// What a `Deny` surely takes of DynamoDB: patterns of actions, in lower case.
    pub(super) fn taken(self) -> Vec<String> {
        if self.has("NotAction") {
            return Vec::new();
        }
        let named = self.texts("Action").found;
        let is_sure = |pattern: &&Cow<'_, str>| *pattern == "*" || pattern.contains(':');
        named.iter().filter(is_sure).filter_map(|pattern| of_dynamodb(pattern)).collect()
    }

    /// Does an action of it speak of replication, and not of ordinary reading as well?
    pub(super) fn names_replication(self) -> bool {
        let is_named = |pattern: &String| {
            !glob::matches(pattern, "dynamodb:getitem")
                && REPLICATION.iter().any(|action| glob::matches(pattern, action))
        };
        !self.has("NotAction") && self.given().iter().any(is_named)
    }

    pub(super) fn reaches_replication(self) -> bool {
        let covers = |patterns: &[String], action: &str| patterns.iter().any(|p| glob::matches(p, action));
        if self.has("NotAction") {
            let left: Vec<String> =
                self.texts("NotAction").found.iter().map(|left| left.to_ascii_lowercase()).collect();
            return !REPLICATION.iter().all(|action| covers(&left, action));
        }
        let given = self.given();
        REPLICATION.iter().any(|action| covers(&given, action))
    }

    /// The patterns of resources, where all of them can be read. `NotResource` is none.
    pub(super) fn resources(self) -> Vec<Cow<'p, str>> {
        let named = self.texts("Resource");
        if named.is_whole && !self.has("NotResource") { named.found } else { Vec::new() }
    }

    pub(super) fn is_unconditional(self) -> bool {
        match lookup(self.0, "Condition") {
            None => true,
            Some(Value::Object(operators)) => operators.is_empty(),
            Some(_) => false,
        }
    }

    /// Its conditions, and whether that is all of them.
    pub(super) fn conditions(self) -> (Vec<Condition<'p>>, bool) {
        let Some(condition) = lookup(self.0, "Condition") else { return (Vec::new(), true) };
        let Some(operators) = condition.as_object() else { return (Vec::new(), false) };
        let is_whole = operators.values().all(Value::is_object);
        let keys = operators.iter().filter_map(|(operator, keys)| Some((operator, keys.as_object()?)));
        let read = keys.flat_map(|(operator, keys)| {
            keys.iter().map(move |(key, values)| Condition {
                operator: operator.to_ascii_lowercase(),
                key: key.to_ascii_lowercase(),
                values: Texts::of(Some(values)),
            })
        });
        (read.collect(), is_whole)
    }
}

/// All of DynamoDB's actions.
const ALL: &str = "dynamodb:*";

fn is_all_of_dynamodb(pattern: &str) -> bool {
    pattern == "*" || pattern.eq_ignore_ascii_case(ALL)
}

/// What a pattern of actions is of DynamoDB's, in lower case; `None` where it is of other services.
fn of_dynamodb(pattern: &str) -> Option<String> {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.split_once(':') {
        Some((service, action)) => glob::matches(service, "dynamodb").then(|| format!("dynamodb:{action}")),
        // A wildcard may take in the colon.
        None => {
            let head = pattern.split(['*', '?']).next().unwrap_or_default();
            (glob::has_wildcard(&pattern) && "dynamodb:".starts_with(head)).then(|| ALL.to_owned())
        }
    }
}

/// The principals of one kind: `AWS`, `Service`, `Federated`, `CanonicalUser`.
fn principals_of<'p>(kind: &str, names: &'p Value) -> Vec<Principal<'p>> {
    let of = |name: &'p Value| match name {
        _ if kind.eq_ignore_ascii_case("Service") => Principal::Service,
        Value::String(name) if kind.eq_ignore_ascii_case("AWS") => of_aws(name),
        Value::String(name) => match Arn::parse(name) {
            Some(arn) => Principal::Of { account: arn.account.into(), name: name.into() },
            None => Principal::Elsewhere(name),
        },
        Value::Number(number) => number.as_u64().map_or(Principal::Untold, numbered),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Principal::Untold,
    };
    match names {
        Value::Array(names) => names.iter().map(of).collect(),
        one => vec![of(one)],
    }
}

fn of_aws(name: &str) -> Principal<'_> {
    match Arn::parse(name) {
        Some(arn) => Principal::Of { account: arn.account.into(), name: name.into() },
        None if is_account(name) => Principal::Of { account: name.into(), name: name.into() },
        None if name == "*" => Principal::Everybody,
        None => Principal::Untold,
    }
}

/// The account of a number without quotes, which has lost the zeros in front.
fn numbered<'p>(number: u64) -> Principal<'p> {
    let account = format!("{number:012}");
    if !is_account(&account) {
        return Principal::Untold;
    }
    Principal::Of { account: account.clone().into(), name: account.into() }
}

/// The texts of a list, or of the one that stands in its place.
pub(super) struct Texts<'p> {
    pub(super) found: Vec<Cow<'p, str>>,
    /// Everything there is a text.
    pub(super) is_whole: bool,
}

impl<'p> Texts<'p> {
    fn of(value: Option<&'p Value>) -> Self {
        let items = match value {
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let found: Vec<Cow<'p, str>> = items.iter().filter_map(scalar).collect();
        let is_whole = found.len() == items.len();
        Self { found, is_whole }
    }
}

/// IAM takes numbers and truth values without quotes too.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(truth.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// One key of one operator.
pub(super) struct Condition<'p> {
    /// In lower case.
    operator: String,
    /// In lower case.
    pub(super) key: String,
    values: Texts<'p>,
}

impl Condition<'_> {
    /// Is it met only by a request that has one of the values? `IfExists` and `ForAllValues` are met by
    /// one that has no value at all.
    pub(super) fn is_positive(&self) -> bool {
        let operator = self.operator.strip_prefix("foranyvalue:").unwrap_or(&self.operator);
        matches!(operator, "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike")
    }

    /// Is it met by every request that has none of the values?
    pub(super) fn is_negative(&self) -> bool {
        let operator = self.operator.strip_suffix("ifexists").unwrap_or(&self.operator);
        matches!(
            operator,
            "stringnotequals" | "stringnotequalsignorecase" | "stringnotlike" | "arnnotequals" | "arnnotlike"
        )
    }

    /// Is it met by every request but those of AWS services? The key is in every signed request, and
    /// DynamoDB answers no other.
    pub(super) fn spares_services(&self) -> bool {
        matches!(self.operator.as_str(), "bool" | "boolifexists")
            && self.key == "aws:principalisawsservice"
            && self.has_only(|value| value.eq_ignore_ascii_case("false"))
    }

    /// Has it values, and all such?
    pub(super) fn has_only(&self, is_such: impl Fn(&str) -> bool) -> bool {
        let values = &self.values;
        values.is_whole && !values.found.is_empty() && values.found.iter().all(|value| is_such(value))
    }

    /// The first value that is such.
    pub(super) fn first(&self, is_such: impl Fn(&str) -> bool) -> Option<&str> {
        self.values.found.iter().map(|value| &**value).find(|value| is_such(value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Principal, Statement};

    fn of<T>(statement: &Value, read: impl Fn(Statement<'_>) -> T) -> Option<T> {
        statement.as_object().map(|fields| read(Statement(fields)))
    }

    #[test]
    fn an_account_without_quotes_is_an_account() {
        let principals = |principal: Value| {
            let statement = json!({"Principal": principal});
            of(&statement, |statement| format!("{:?}", statement.principals()))
        };
        let account = |account: &str| {
            let all = vec![Principal::Of { account: account.into(), name: account.into() }];
            Some(format!("{all:?}"))
        };
        for principal in [json!({"AWS": 444455556666_u64}), json!({"AWS": "444455556666"})] {
            assert_eq!(principals(principal), account("444455556666"));
        }
        assert_eq!(principals(json!(444455556666_u64)), account("444455556666"));
        assert_eq!(principals(json!({"AWS": [12345678901_u64]})), account("012345678901"));
        let untold = Some(format!("{:?}", [Principal::Untold]));
        for odd in [
            json!({"AWS": 4444555566667_u64}),
            json!({"AWS": -1}),
            json!({"AWS": 444455556666.5}),
            json!({"AWS": [["444455556666"]]}),
            json!({"AWS": {}}),
            json!({"AWS": null}),
            json!({"AWS": true}),
            json!({"AWS": "AROAEXAMPLEEXAMPLE01"}),
            json!({"AWS": "44445555666"}),
            json!({"Federated": {}}),
            json!(true),
        ] {
            assert_eq!(principals(odd.clone()), untold, "{odd}");
        }
        assert_eq!(of(&json!({}), |s| s.principals() == [Principal::Untold]), Some(true));
        assert_eq!(of(&json!({"Principal": {}}), |s| s.principals().is_empty()), Some(true));
    }

    #[test]
    fn what_cannot_be_read_gives_more_and_takes_less() {
        let given = |action: Value| of(&json!({"Action": action}), |statement| statement.given());
        let taken = |action: Value| of(&json!({"Action": action}), |statement| statement.taken());
        let all = Some(vec!["dynamodb:*".to_owned()]);
        for odd in [json!({}), json!([["dynamodb:GetItem"]]), json!("d*m")] {
            assert_eq!(given(odd.clone()), all, "{odd}");
            assert_eq!(taken(odd.clone()), Some(Vec::new()), "{odd}");
        }
        for every in [json!("*"), json!("dynamodb:*"), json!("*:*"), json!("Dynamo??:*")] {
            assert_eq!(given(every.clone()), all, "{every}");
            assert_eq!(taken(every.clone()), all, "{every}");
        }
        for other in [json!("s3:*"), json!("dynamodb"), json!("s3*"), json!([])] {
            assert_eq!(given(other.clone()), Some(Vec::new()), "{other}");
            assert_eq!(taken(other.clone()), Some(Vec::new()), "{other}");
        }
        let both = json!({"Action": "s3:*", "NotAction": "*"});
        assert_eq!(
            of(&both, |statement| (statement.given(), statement.taken())),
            all.map(|all| (all, Vec::new()))
        );
        let resources = |statement: Value| of(&statement, |statement| statement.resources().len());
        assert_eq!(resources(json!({"Resource": ["a", "b"]})), Some(2));
        assert_eq!(resources(json!({"Resource": ["a", {}]})), Some(0));
        assert_eq!(resources(json!({"Resource": "a", "NotResource": "b"})), Some(0));
    }
}
