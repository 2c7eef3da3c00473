//! A policy, read into its statements.
//!
//! Every statement, element and value keeps its place, so that whatever is said of a policy points into
//! the text that its author wrote.
//!
//! Source: IAM user guide, "Grammar of the IAM JSON policy language", "IAM JSON policy element
//! reference"; Organizations user guide, "SCP syntax", "RCP syntax".

mod read;

use super::operand::Operand;
use super::operator::Operator;
use super::template::Template;
use crate::json::{Node, Span};

/// Where a policy is attached, which decides what may stand in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// To a role or user.
    Identity,
    /// To a role or user, as its permissions boundary.
    Boundary,
    /// To one session of a role.
    Session,
    /// To an organization's root, a unit or an account: a service control policy.
    ServiceControl,
    /// Likewise: a resource control policy.
    ResourceControl,
    /// To a table or a stream.
    Table,
    /// To a VPC endpoint.
    Endpoint,
}

/// The version of the language.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// `2008-10-17`, and where none is given: without variables.
    Old,
    /// `2012-10-17`.
    New,
}

/// A policy's content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// Where the whole of it stands.
    pub span: Span,
    pub version: Version,
    /// It says its version itself.
    pub has_version: bool,
    /// In their order.
    pub statements: Vec<Statement>,
}

/// What a statement does to a request that it matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    Allow,
    Deny,
}

/// One statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    /// Its `Sid`; none given: its number, as `#2`.
    pub label: String,
    /// Where it stands.
    pub span: Span,
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; `None` where the kind of policy has neither.
    pub principals: Option<Element<Principal>>,
    /// `Action` or `NotAction`.
    pub actions: Element<ActionPattern>,
    /// `Resource` or `NotResource`.
    pub resources: Element<ResourcePattern>,
    /// `Condition`: all of them must hold.
    pub conditions: Vec<Condition>,
}

impl Statement {
    /// May it speak of actions of that service?
    pub fn may_be_of(&self, service: &str) -> bool {
        let speaks = |action: &ActionPattern| match action.text.split_once(':') {
            Some((of, _)) => crate::glob::matches(of, service),
            None => true,
        };
        self.actions.negated || self.actions.items.iter().any(speaks)
    }
}

/// What an element lists, or everything but that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Element<T> {
    /// `Not…`: whatever is none of these.
    pub negated: bool,
    /// Where the element's name stands.
    pub span: Span,
    pub items: Vec<T>,
}

/// `*`, or a service and a name of an action, with wildcards.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActionPattern {
    /// In small letters: case does not count.
    pub text: String,
    pub span: Span,
}

/// `*` or an ARN, with wildcards and variables.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResourcePattern {
    /// As written.
    pub text: String,
    pub template: Template,
    /// Why the documentation leaves open what it matches, if it does.
    pub open: Option<&'static str>,
    pub span: Span,
}

/// Whom a statement of a resource's policy speaks of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Principal {
    /// `*`, and `{"AWS": "*"}`.
    Everybody,
    /// An account, by its number or its root's ARN: whom it lets.
    Account(String),
    /// Likewise in the policy of an endpoint: at a gateway endpoint that is the account's root alone, and which kind
    /// the endpoint is nobody says.
    ///
    /// Source: Amazon VPC guide, "Endpoint policies for gateway endpoints".
    AccountAtEndpoint(String),
    /// A role, user, or session, by its ARN.
    Arn(String),
    /// A role or user that is deleted, by its unique id: nobody.
    Gone(String),
    /// A service, as `replication.dynamodb.amazonaws.com`.
    Service(String),
    /// Somebody whom an identity provider vouches for.
    Federated(String),
    /// An account, by the name that S3 has for it.
    Canonical(String),
}

/// One condition: one operator, one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Condition {
    pub operator: Operator,
    /// The operator as written.
    pub operator_name: String,
    /// The key in small letters: case does not count.
    pub key: String,
    /// The key as written.
    pub key_name: String,
    pub values: Vec<Operand>,
    /// The values as written.
    pub texts: Vec<String>,
    /// Where each value stands.
    pub places: Vec<Span>,
    /// Where the key stands.
    pub span: Span,
}

impl<T> Element<T> {
    fn is_same_as(&self, other: &Self, is_same: impl Fn(&T, &T) -> bool) -> bool {
        self.negated == other.negated
            && self.items.len() == other.items.len()
            && self.items.iter().zip(&other.items).all(|(one, other)| is_same(one, other))
    }
}

impl Statement {
    /// Do both match the same requests, whatever that is? Where they stand and how they are called is of no matter.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let actions = |one: &ActionPattern, other: &ActionPattern| one.text == other.text;
        let resources = |one: &ResourcePattern, other: &ResourcePattern| one.template == other.template;
        let principals = match (&self.principals, &other.principals) {
            (Some(one), Some(other)) => one.is_same_as(other, PartialEq::eq),
            (one, other) => one.is_none() && other.is_none(),
        };
        let is_same = |one: &Condition, other: &Condition| {
            (one.operator, &one.key, &one.values, &one.texts)
                == (other.operator, &other.key, &other.values, &other.texts)
        };
        self.effect == other.effect
            && principals
            && self.conditions.len() == other.conditions.len()
            && self.actions.is_same_as(&other.actions, actions)
            && self.resources.is_same_as(&other.resources, resources)
            && self.conditions.iter().zip(&other.conditions).all(|(one, other)| is_same(one, other))
    }
}

/// Something in a policy that IAM would refuse.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where, in the text of the policy.
    pub span: Span,
    /// The statement, by its label.
    pub statement: Option<String>,
    /// What is wrong, in a sentence without its full stop.
    pub message: String,
}

impl Document {
    /// Reads a policy's text.
    ///
    /// # Errors
    /// All that IAM would refuse in it.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, Vec<Problem>> {
        match crate::json::parse(text) {
            Ok(node) => Self::of(&node, kind),
            Err(error) => Err(vec![Problem {
                span: error.at..error.at,
                statement: None,
                message: format!("no JSON: {error}"),
            }]),
        }
    }

    /// Reads a policy that stands in a larger text.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn of(node: &Node, kind: Kind) -> Result<Self, Vec<Problem>> {
        read::document(node, kind)
    }
}

impl Kind {
    /// As it is called in messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Identity => "an identity policy",
            Kind::Boundary => "a permissions boundary",
            Kind::Session => "a session policy",
            Kind::ServiceControl => "a service control policy",
            Kind::ResourceControl => "a resource control policy",
            Kind::Table => "a table's policy",
            Kind::Endpoint => "an endpoint's policy",
        }
    }

    /// Do its statements say whom they speak of?
    pub fn has_principals(self) -> bool {
        matches!(self, Kind::ResourceControl | Kind::Table | Kind::Endpoint)
    }
}

#[cfg(test)]
mod tests;
