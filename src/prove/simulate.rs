//! Decides the request of a bundle, and says which statement decided.

use super::bundle::{Asked, Bundle, Principal};
use crate::iam::evaluate::{self, Decision, Guards, Standing};
use crate::iam::request::{Caller, CallerKind, Context, Request, Values, caller_of};
use crate::ids::Arn;
use crate::perimeter::Perimeter;

/// Why a bundle's request cannot be decided.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoRequest {
    #[error(
        "the bundle has no `request`: what is to be decided? As in \
         `\"request\": {{\"action\": \"dynamodb:GetItem\", \"resource\": \"arn:…\", \"principal\": \"arn:…\", \"context\": {{}}}}`"
    )]
    Missing,
    #[error(
        "in `request`, `{0}` is no principal: the ARN of a role, user, session or root, or a service's name"
    )]
    Principal(String),
    #[error("in `request`, `{0}` is no action: `service:Name`")]
    Action(String),
    #[error("in `request`, `{0}` is no resource: an ARN, or `*`")]
    Resource(String),
}

/// Decides the request of a bundle.
///
/// # Errors
/// Where it has none, or one that no service would make.
pub fn simulate<'b>(bundle: &'b Bundle, perimeter: &Perimeter) -> Result<(Request, Decision<'b>), NoRequest> {
    decide(bundle, perimeter, bundle.request.as_ref().ok_or(NoRequest::Missing)?)
}

/// Decides a request by the policies of a bundle.
///
/// # Errors
/// Where no service would make such a request.
pub fn decide<'b>(
    bundle: &'b Bundle,
    perimeter: &Perimeter,
    asked: &Asked,
) -> Result<(Request, Decision<'b>), NoRequest> {
    let entry = entry_of(bundle, &asked.principal);
    let caller = caller(entry, &asked.principal)?;
    decided(bundle, perimeter, asked, caller, entry)
}

/// Decides a request that an entry of a bundle makes.
///
/// # Errors
/// Where no service would make such a request.
pub fn decide_as<'b>(
    bundle: &'b Bundle,
    perimeter: &Perimeter,
    asked: &Asked,
    entry: &'b Principal,
) -> Result<(Request, Decision<'b>), NoRequest> {
    let caller = caller(Some(entry), &asked.principal)?;
    decided(bundle, perimeter, asked, caller, Some(entry))
}

fn decided<'b>(
    bundle: &'b Bundle,
    perimeter: &Perimeter,
    asked: &Asked,
    caller: Caller,
    entry: Option<&'b Principal>,
) -> Result<(Request, Decision<'b>), NoRequest> {
    let resource_account = resource_account(asked, &caller)?;
    let request = Request {
        action: action(asked)?,
        resource: asked.resource.clone(),
        context: context(asked, &caller, &resource_account, perimeter),
        caller,
    };
    let standing = standing(&request.caller.account, &resource_account, perimeter);
    let decision = evaluate::evaluate(&request, &guards(bundle, entry, asked), standing);
    Ok((request, decision))
}

fn action(asked: &Asked) -> Result<String, NoRequest> {
    let is_named = asked.action.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty() && !name.is_empty() && !asked.action.contains(['*', '?', ' '])
    });
    if is_named {
        Ok(asked.action.to_ascii_lowercase())
    } else {
        Err(NoRequest::Action(asked.action.clone()))
    }
}

/// Whose the resource is: by its ARN; of an action that names none, the caller's own.
fn resource_account(asked: &Asked, caller: &Caller) -> Result<String, NoRequest> {
    if asked.resource == "*" {
        return Ok(caller.account.clone());
    }
    let arn = Arn::parse(&asked.resource).ok_or_else(|| NoRequest::Resource(asked.resource.clone()))?;
    Ok(if arn.account.is_empty() { caller.account.clone() } else { arn.account.to_owned() })
}

/// What the bundle knows of a caller: the entry of that ARN, else that of everybody.
pub fn entry_of<'b>(bundle: &'b Bundle, asked: &str) -> Option<&'b Principal> {
    let is_it = |entry: &&Principal| entry.arn == asked || entry.session_arn.as_deref() == Some(asked);
    bundle.principals.iter().find(is_it).or_else(|| bundle.principals.iter().find(|entry| entry.arn == "*"))
}

/// Who calls.
fn caller(entry: Option<&Principal>, asked: &str) -> Result<Caller, NoRequest> {
    let named = entry.filter(|entry| entry.arn != "*");
    let session = named.and_then(|entry| entry.session_arn.clone());
    let arn = named.map_or(asked, |entry| entry.arn.as_str());
    let mut caller = caller_of(arn).ok_or_else(|| NoRequest::Principal(asked.to_owned()))?;
    caller.session_arn = session.or(caller.session_arn);
    Ok(caller)
}

/// Which policies can bind the caller and the resource, by their accounts.
pub fn standing(caller_account: &str, resource_account: &str, perimeter: &Perimeter) -> Standing {
    let is_management =
        |account: &str| perimeter.management_account.as_ref().is_some_and(|own| own.as_str() == account);
    let is_member = |account: &str| perimeter.lists(account) && !is_management(account);
    Standing {
        caller_is_member: is_member(caller_account),
        resource_is_of_member: is_member(resource_account),
        same_account: caller_account == resource_account,
    }
}

/// The keys that are given, and those that follow from caller and resource.
fn context(asked: &Asked, caller: &Caller, resource_account: &str, perimeter: &Perimeter) -> Context {
    let mut context = Context::default();
    for (key, values) in &asked.context {
        context.set(key, values.clone());
    }
    let is_service = caller.kind == CallerKind::Service;
    context.set_default("aws:PrincipalIsAWSService", || is_service.to_string());
    context.set_default("aws:ViaAWSService", || false.to_string());
    context.set_default("aws:ResourceAccount", || resource_account.to_owned());
    if let Some(region) =
        Arn::parse(&asked.resource).map(|arn| arn.region).filter(|region| !region.is_empty())
    {
        context.set_default("aws:RequestedRegion", || region.to_owned());
    }
    if !is_service {
        context.set_default("aws:PrincipalArn", || caller.arn.clone());
        context.set_default("aws:PrincipalAccount", || caller.account.clone());
        context.set_default("aws:PrincipalType", || caller.kind.principal_type().to_owned());
        if let Some(organization) =
            perimeter.organization.as_ref().filter(|_| perimeter.is_ours(&caller.account))
        {
            context.set_default("aws:PrincipalOrgID", || organization.clone());
        }
    }
    context
}

fn guards<'b>(bundle: &'b Bundle, principal: Option<&'b Principal>, asked: &Asked) -> Guards<'b> {
    let endpoint = asked.context.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:SourceVpce"));
    let endpoint = endpoint.and_then(|(_, values)| match values {
        Values::One(id) => bundle.endpoints.iter().find(|endpoint| endpoint.id == *id),
        Values::Many(_) => None,
    });
    Guards {
        identity: principal.and_then(|entry| entry.identity.as_deref()),
        boundary: principal.and_then(|entry| entry.boundary.as_ref()),
        session: principal.and_then(|entry| entry.session.as_deref()),
        service_control: &bundle.service_control,
        resource_control: &bundle.resource_control,
        resource: bundle.policy_of(&asked.resource),
        endpoint: endpoint.and_then(|endpoint| endpoint.policy.as_ref()),
    }
}
