//! A request as IAM sees it: who, what, on which resource, and the keys that conditions ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Arn, is_account};

/// One request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// As `dynamodb:getitem`, in small letters: case does not count.
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
    pub caller: Caller,
    pub context: Context,
}

/// Who makes a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    pub kind: CallerKind,
    /// What `aws:PrincipalArn` holds: of a session, its role.
    pub arn: String,
    /// The ARN of the session, where it is one and known by it.
    pub session_arn: Option<String>,
    /// Its account; of a service, nobody's.
    pub account: String,
}

/// The kind of a [`Caller`], as far as policies treat them differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallerKind {
    /// A role's session.
    Role,
    /// The session of a service-linked role.
    ServiceLinkedRole,
    User,
    /// A session by `GetFederationToken`.
    FederatedUser,
    /// An account's root user.
    Root,
    /// An AWS service by itself.
    Service,
}

impl CallerKind {
    /// What `aws:PrincipalType` holds.
    pub fn principal_type(self) -> &'static str {
        match self {
            CallerKind::Role | CallerKind::ServiceLinkedRole => "AssumedRole",
            CallerKind::User => "User",
            CallerKind::FederatedUser => "FederatedUser",
            CallerKind::Root => "Account",
            CallerKind::Service => "Service",
        }
    }
}

/// A caller by its ARN, or by a service's name.
pub fn caller_of(text: &str) -> Option<Caller> {
    let made = |kind, arn: String, session_arn, account: &str| {
        Some(Caller { kind, arn, session_arn, account: account.to_owned() })
    };
    let Some(arn) = Arn::parse(text) else {
        let is_service = text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn");
        return if is_service { made(CallerKind::Service, text.to_owned(), None, "") } else { None };
    };
    if !is_account(arn.account) {
        return None;
    }
    let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    match (arn.service, kind) {
        ("iam", "role") if name.starts_with("aws-service-role/") => {
            made(CallerKind::ServiceLinkedRole, text.to_owned(), None, arn.account)
        }
        ("iam", "role") if !name.is_empty() => made(CallerKind::Role, text.to_owned(), None, arn.account),
        ("iam", "user") if !name.is_empty() => made(CallerKind::User, text.to_owned(), None, arn.account),
        ("iam", "root") => made(CallerKind::Root, text.to_owned(), None, arn.account),
        ("sts", "federated-user") => made(CallerKind::FederatedUser, text.to_owned(), None, arn.account),
        // The session's ARN has lost the role's path: a role with one is named by its entry.
        ("sts", "assumed-role") => {
            let role = name.split('/').next().filter(|role| !role.is_empty())?;
            let role = format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account);
            made(CallerKind::Role, role, Some(text.to_owned()), arn.account)
        }
        _ => None,
    }
}

/// The condition keys of a request, by their names in small letters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Context {
    known: BTreeMap<String, Values>,
    /// Keys that the request may have had or not: nothing tells. Every other that is not known is absent.
    untold: BTreeSet<String>,
}

/// What a key holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Values {
    One(String),
    /// Of a key that may hold several; also where it holds one or none.
    Many(Vec<String>),
}

impl Values {
    /// Puts another text in the place of one.
    pub fn replace(&mut self, from: &str, to: &str) {
        let texts = match self {
            Values::One(text) => std::slice::from_mut(text),
            Values::Many(texts) => texts.as_mut_slice(),
        };
        texts.iter_mut().filter(|text| text.as_str() == from).for_each(|text| to.clone_into(text));
    }

    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        }
    }
}

impl Context {
    /// Sets a key, whatever the spelling of its name.
    pub fn set(&mut self, key: &str, values: Values) {
        self.known.insert(key.to_ascii_lowercase(), values);
    }

    /// Sets a key that the request does not have yet.
    pub fn set_default(&mut self, key: &str, value: impl FnOnce() -> String) {
        self.known.entry(key.to_ascii_lowercase()).or_insert_with(|| Values::One(value()));
    }

    /// A key, by its name in small letters.
    pub fn get(&self, key: &str) -> Option<&Values> {
        self.known.get(key)
    }

    /// Leaves open whether the request has a key, and what it holds.
    pub fn leave_open(&mut self, key: &str) {
        self.untold.insert(key.to_ascii_lowercase());
    }

    /// Is it left open whether the request has this key, by its name in small letters?
    pub fn is_untold(&self, key: &str) -> bool {
        !self.untold.is_empty() && self.untold.contains(key) && !self.known.contains_key(key)
    }

    /// All keys, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.known.iter().map(|(key, values)| (key.as_str(), values))
    }
}
