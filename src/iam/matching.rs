//! Does a statement match a request: whom, what, on which resource, under which conditions?
//!
//! Source: IAM user guide, "IAM JSON policy elements: Action", "Resource", "NotResource",
//! "Principal", "NotPrincipal".

use super::condition::{self, Resolved};
use super::document::{ActionPattern, Condition, Effect, Element, Principal, ResourcePattern, Statement};
use super::reading::Reading;
use super::request::{Caller, CallerKind, Context, Request};
use crate::glob;
use crate::ids::Arn;

/// How a statement stands to a request.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'s> {
    /// Does it match?
    pub reading: Reading,
    /// By which of its principals, where it has any: the closest that may speak of the caller.
    pub grant: Grant,
    /// Likewise, of those that surely do.
    pub sure_grant: Grant,
    /// What keeps it from matching.
    pub misses: Option<Misses<'s>>,
}

/// What of a statement does not match.
#[derive(Clone, Copy, Debug)]
pub enum Misses<'s> {
    Principal,
    Action,
    Resource,
    Condition(&'s Condition),
}

/// Whom a statement speaks of when it speaks of a caller: more closely first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Grant {
    /// Of the session or user itself.
    Direct,
    /// Of everybody.
    Everybody,
    /// Of the session's role.
    Role,
    /// Of the caller's account, which may pass it on.
    Account,
    /// The statement speaks of nobody: it stands in a policy of the caller's own.
    Own,
}

/// Does the statement match the request? `has_boundary`: of a caller who has a permissions boundary.
pub fn matched<'s>(statement: &'s Statement, request: &Request, has_boundary: bool) -> Matched<'s> {
    let Spoken { reading: whom, grant, sure_grant } = match &statement.principals {
        Some(principals) if has_boundary && denies_all_but(principals, statement.effect) => {
            Spoken { reading: Reading::Yes, grant: Grant::Everybody, sure_grant: Grant::Everybody }
        }
        Some(principals) => principal(principals, statement.effect, &request.caller),
        None => Spoken { reading: Reading::Yes, grant: Grant::Own, sure_grant: Grant::Own },
    };
    let misses = |misses| Matched { reading: Reading::No, grant, sure_grant, misses: Some(misses) };
    if whom == Reading::No {
        return misses(Misses::Principal);
    }
    let mut reading = whom.and(|| action(&statement.actions, &request.action));
    if reading == Reading::No {
        return misses(Misses::Action);
    }
    reading = reading.and(|| resource(&statement.resources, &request.resource, &request.context));
    if reading == Reading::No {
        return misses(Misses::Resource);
    }
    for condition in &statement.conditions {
        reading = reading.and(|| condition::passes(condition, &request.context));
        if reading == Reading::No {
            return misses(Misses::Condition(condition));
        }
    }
    Matched { reading, grant, sure_grant, misses: None }
}

/// Does `Action` or `NotAction` match the action, which is in small letters?
pub fn action(element: &Element<ActionPattern>, action: &str) -> Reading {
    let listed = Reading::any(element.items.iter().map(|pattern| one_action(&pattern.text, action)));
    if element.negated { !listed } else { listed }
}

fn one_action(pattern: &str, action: &str) -> Reading {
    if !glob::matches(pattern, action) {
        return Reading::No;
    }
    match pattern.split_once(':') {
        Some((service, _)) if glob::has_wildcard(service) => {
            Reading::Unclear("a wildcard in an action's service")
        }
        Some(_) | None => Reading::Yes,
    }
}

/// Does `Resource` or `NotResource` match the resource?
pub fn resource(element: &Element<ResourcePattern>, resource: &str, context: &Context) -> Reading {
    let listed = Reading::any(
        element.items.iter().map(|pattern| one_resource(pattern, resource, context, element.negated)),
    );
    if element.negated { !listed } else { listed }
}

fn one_resource(pattern: &ResourcePattern, resource: &str, context: &Context, negated: bool) -> Reading {
    match (read_resource(pattern, resource, context, negated), pattern.open) {
        (Reading::Yes, Some(why)) => Reading::Unclear(why),
        (reading, _) => reading,
    }
}

fn read_resource(pattern: &ResourcePattern, resource: &str, context: &Context, negated: bool) -> Reading {
    if pattern.template.is_as_written {
        return of_text(&pattern.text, resource);
    }
    match condition::resolve(&pattern.template, context) {
        // With a variable that cannot be filled in it is no resource's; whether all others are then meant
        // nobody says.
        Resolved::Absent if negated => Reading::Unclear("a variable whose key is absent"),
        Resolved::Absent => Reading::No,
        Resolved::Several => Reading::Unclear("a variable whose key holds several values"),
        Resolved::Untold => Reading::Unclear(condition::UNTOLD),
        Resolved::Pattern(pattern) => match (pattern.matches(resource, false), pattern.matches_arn(resource))
        {
            (true, true) => Reading::Yes,
            (false, false) => Reading::No,
            _ => Reading::Unclear("a wildcard in a resource that stands for colons"),
        },
    }
}

/// The same where the pattern is text with wildcards and nothing else, as most are.
fn of_text(pattern: &str, resource: &str) -> Reading {
    if pattern == "*" {
        return Reading::Yes;
    }
    match (glob::matches(pattern, resource), glob::fits_by_parts(pattern, resource)) {
        (true, true) => Reading::Yes,
        (false, false) => Reading::No,
        _ => Reading::Unclear("a wildcard in a resource that stands for colons"),
    }
}

/// Whether principals speak of a caller, and how.
struct Spoken {
    reading: Reading,
    grant: Grant,
    sure_grant: Grant,
}

/// Does `Principal` or `NotPrincipal` speak of the caller, and how?
fn principal(element: &Element<Principal>, effect: Effect, caller: &Caller) -> Spoken {
    if element.negated {
        let reading = all_but(&element.items, effect, caller);
        return Spoken { reading, grant: Grant::Everybody, sure_grant: Grant::Everybody };
    }
    let mut spoken = Spoken { reading: Reading::No, grant: Grant::Own, sure_grant: Grant::Own };
    for (reading, grant) in element.items.iter().map(|item| speaks_of(item, caller)) {
        if reading != Reading::No {
            spoken.grant = spoken.grant.min(grant);
        }
        if reading == Reading::Yes {
            spoken.sure_grant = spoken.sure_grant.min(grant);
        }
        spoken.reading = spoken.reading.or(|| reading);
    }
    spoken
}

fn speaks_of(principal: &Principal, caller: &Caller) -> (Reading, Grant) {
    match principal {
        // An AWS service is none of AWS's principals unless it is named; `*` alone is everybody.
        Principal::Everybody => (Reading::Yes, Grant::Everybody),
        Principal::Account(account) => {
            ((caller.kind != CallerKind::Service && *account == caller.account).into(), Grant::Account)
        }
        Principal::AccountAtEndpoint(account) => {
            let reading = match caller.kind {
                CallerKind::Service => Reading::No,
                _ if *account != caller.account => Reading::No,
                CallerKind::Root => Reading::Yes,
                _ => {
                    Reading::Unclear("an account in an endpoint's policy, which may stand for its root alone")
                }
            };
            (reading, Grant::Account)
        }
        Principal::Arn(arn) => of_arn(arn, caller),
        Principal::Service(name) => {
            ((caller.kind == CallerKind::Service && *name == caller.arn).into(), Grant::Direct)
        }
        // Whom an identity provider vouches for calls with a role's session; those names are nobody's here.
        Principal::Gone(_) | Principal::Federated(_) | Principal::Canonical(_) => (Reading::No, Grant::Own),
    }
}

fn of_arn(arn: &str, caller: &Caller) -> (Reading, Grant) {
    if caller.session_arn.as_deref() == Some(arn) {
        return (Reading::Yes, Grant::Direct);
    }
    if caller.arn == arn {
        let grant = match caller.kind {
            CallerKind::Role | CallerKind::ServiceLinkedRole => Grant::Role,
            CallerKind::User | CallerKind::FederatedUser | CallerKind::Root | CallerKind::Service => {
                Grant::Direct
            }
        };
        return (Reading::Yes, grant);
    }
    if caller.session_arn.is_none() && is_session_of(arn, caller) {
        return (Reading::Unclear("a session by its name, which the request does not tell"), Grant::Direct);
    }
    (Reading::No, Grant::Own)
}

/// Is this the ARN of some session of the caller's role? It has lost the role's path.
fn is_session_of(arn: &str, caller: &Caller) -> bool {
    if !matches!(caller.kind, CallerKind::Role | CallerKind::ServiceLinkedRole) {
        return false;
    }
    let (Some(session), Some(role)) = (Arn::parse(arn), Arn::parse(&caller.arn)) else { return false };
    let name = session.resource.strip_prefix("assumed-role/").and_then(|rest| rest.split_once('/'));
    session.service == "sts"
        && session.account == role.account
        && name.is_some_and(|(name, _)| role.resource.rsplit('/').next() == Some(name))
}

/// Is it a `Deny` of all but those listed? Who has a boundary is always denied by it, listed or not.
///
/// Source: IAM user guide, "NotPrincipal", "Permissions boundaries for IAM entities".
pub fn denies_all_but(principals: &Element<Principal>, effect: Effect) -> bool {
    principals.negated && effect == Effect::Deny
}

/// Everybody but those listed. Whoever is to be left out must be listed, and so must the account; of an account
/// that is listed without any of its principals it is open whether they are left out.
fn all_but(items: &[Principal], effect: Effect, caller: &Caller) -> Reading {
    if effect == Effect::Allow {
        return Reading::Unclear("`NotPrincipal` with `Allow`");
    }
    let listed = |wanted: &[Grant]| {
        let spoken = items.iter().map(|item| speaks_of(item, caller));
        Reading::any(spoken.filter(|(_, grant)| wanted.contains(grant)).map(|(reading, _)| reading))
    };
    let account = listed(&[Grant::Account, Grant::Everybody]);
    let itself = listed(&[Grant::Direct, Grant::Role, Grant::Everybody]);
    let is_alone = !items.iter().any(|item| is_of_account(item, &caller.account));
    match (itself, account) {
        // Root goes by its account's name alone, and a service has no account.
        _ if caller.kind == CallerKind::Root => !account,
        _ if caller.kind == CallerKind::Service => !itself,
        (Reading::No, Reading::Yes) if is_alone => {
            Reading::Unclear("`NotPrincipal` that lists an account without any of its principals")
        }
        (Reading::No, _) => Reading::Yes,
        (itself, Reading::Yes) => !itself,
        (_, Reading::No | Reading::Unclear(_)) => {
            Reading::Unclear("`NotPrincipal` that lists a principal without its account")
        }
    }
}

/// Is it a role, user or session of the account?
pub fn is_of_account(principal: &Principal, account: &str) -> bool {
    matches!(principal, Principal::Arn(arn) if Arn::parse(arn).is_some_and(|arn| arn.account == account))
}

#[cfg(test)]
mod tests;
