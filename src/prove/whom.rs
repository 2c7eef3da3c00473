//! Whom a statement speaks of among the callers, and how, as `iam::matching` reads it of one.

use std::rc::Rc;

use super::space::Callers;
use super::strings::Pattern;
use crate::iam::document::{Effect, Element, Principal, Statement};
use crate::iam::matching::{self, Grant};
use crate::iam::reading::Side;
use crate::iam::request::CallerKind;
use crate::ids::Arn;

/// Whom a statement speaks of among the callers, and how.
#[derive(Clone, Debug)]
pub struct Whom {
    /// `None`: all of them.
    pub callers: Option<(Rc<[Pattern]>, bool)>,
    pub grant: Grant,
}

/// Whom a statement speaks of among the callers, and how. Nobody: it does not match. `has_boundary`: the callers
/// have a permissions boundary.
pub fn whom(statement: &Statement, callers: &Callers, side: Side, has_boundary: bool) -> Vec<Whom> {
    let effect = statement.effect;
    let Some(element) = &statement.principals else {
        return vec![Whom { callers: None, grant: Grant::Own }];
    };
    if element.negated {
        return all_but(element, effect, callers, side, has_boundary);
    }
    let spoken = spoken_of(element, effect, callers, side);
    if effect == Effect::Allow {
        return spoken;
    }
    if spoken.iter().any(|whom| whom.callers.is_none()) {
        return vec![Whom { callers: None, grant: Grant::Everybody }];
    }
    // To deny, one of them is enough: all of them must be missed.
    let grant = spoken.first().map(|whom| whom.grant);
    let listed: Rc<[Pattern]> = spoken
        .into_iter()
        .filter_map(|whom| whom.callers)
        .flat_map(|(patterns, _)| patterns.to_vec())
        .collect();
    grant.map(|grant| Whom { callers: Some((listed, true)), grant }).into_iter().collect()
}

fn spoken_of(element: &Element<Principal>, effect: Effect, callers: &Callers, side: Side) -> Vec<Whom> {
    // What is open allows, and denies nothing; or the other way round.
    let is_generous = (side == Side::Permissive) == (effect == Effect::Allow);
    let grant = match callers.kind {
        CallerKind::Role | CallerKind::ServiceLinkedRole => Grant::Role,
        CallerKind::User | CallerKind::FederatedUser | CallerKind::Root | CallerKind::Service => {
            Grant::Direct
        }
    };
    let all = |grant| Some(Whom { callers: None, grant });
    let some = |patterns: Vec<Pattern>, grant| Some(Whom { callers: Some((patterns.into(), true)), grant });
    let is_service = callers.kind == CallerKind::Service;
    let of_item = |item: &Principal| match item {
        Principal::Everybody => all(Grant::Everybody),
        Principal::Account(account) if !is_service && *account == callers.account => all(Grant::Account),
        Principal::AccountAtEndpoint(account)
            if !is_service
                && *account == callers.account
                && (is_generous || callers.kind == CallerKind::Root) =>
        {
            all(Grant::Account)
        }
        Principal::Arn(arn) if callers.session_arn.as_ref() == Some(arn) => all(Grant::Direct),
        // Whoever calls by a role chooses the session's name: what speaks of one session may speak of this.
        Principal::Arn(arn) if arn.contains(":assumed-role/") => session_of(arn, &callers.account)
            .filter(|_| is_generous && callers.session_arn.is_none())
            .and_then(|roles| some(roles, Grant::Direct)),
        Principal::Arn(arn) => some(vec![Pattern::literal(arn)], grant),
        Principal::Service(name) if is_service => some(vec![Pattern::literal(name)], Grant::Direct),
        Principal::Account(_)
        | Principal::AccountAtEndpoint(_)
        | Principal::Service(_)
        | Principal::Gone(_)
        | Principal::Federated(_)
        | Principal::Canonical(_) => None,
    };
    element.items.iter().filter_map(of_item).collect()
}

/// Everybody but those listed, as `matching` reads it; who has a boundary is never left out.
fn all_but(
    element: &Element<Principal>,
    effect: Effect,
    callers: &Callers,
    side: Side,
    has_boundary: bool,
) -> Vec<Whom> {
    let everybody = |callers| vec![Whom { callers, grant: Grant::Everybody }];
    let permissive = side == Side::Permissive;
    if effect == Effect::Allow {
        // What it means nobody says.
        return if permissive { everybody(None) } else { Vec::new() };
    }
    if has_boundary {
        return everybody(None);
    }
    let has_account = element.items.contains(&Principal::Account(callers.account.clone()));
    let has_session =
        callers.session_arn.clone().is_some_and(|arn| element.items.contains(&Principal::Arn(arn)));
    let is_alone = !element.items.iter().any(|item| matching::is_of_account(item, &callers.account));
    // What is open is no denial.
    let spares_all = match callers.kind {
        CallerKind::Root => has_account,
        _ if permissive => has_session || (has_account && is_alone),
        _ => has_session && has_account,
    };
    if spares_all || element.items.contains(&Principal::Everybody) {
        return Vec::new();
    }
    let is_sure = permissive || has_account || callers.kind == CallerKind::Service;
    let listed: Rc<[Pattern]> = if is_sure { listed(element, callers, permissive) } else { Rc::default() };
    everybody((!listed.is_empty()).then_some((listed, false)))
}

/// The callers that are listed, or may be: a role's session, where it is not known which it is.
fn listed(element: &Element<Principal>, callers: &Callers, permissive: bool) -> Rc<[Pattern]> {
    let may_be_session = permissive && callers.session_arn.is_none();
    let patterns = |item: &Principal| match item {
        Principal::Arn(arn) if arn.contains(":assumed-role/") => {
            session_of(arn, &callers.account).filter(|_| may_be_session).unwrap_or_default()
        }
        Principal::Arn(arn) | Principal::Service(arn) => vec![Pattern::literal(arn)],
        _ => Vec::new(),
    };
    element.items.iter().flat_map(patterns).collect()
}

/// The roles that a session's ARN may be of: it has lost the path.
fn session_of(arn: &str, account: &str) -> Option<Vec<Pattern>> {
    let parsed = Arn::parse(arn).filter(|arn| arn.account == account)?;
    let name = parsed.resource.strip_prefix("assumed-role/")?.split('/').next()?;
    let start = format!("arn:{}:iam::{account}:role/", parsed.partition);
    let with_path =
        Pattern::literal(&start).then(Pattern::glob("*")).then(Pattern::literal(&format!("/{name}")));
    Some(vec![Pattern::literal(&format!("{start}{name}")), with_path])
}
