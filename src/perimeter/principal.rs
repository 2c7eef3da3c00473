//! Who called, in every form that `userIdentity` takes.
//!
//! A role is told by `sessionContext.sessionIssuer.arn`, which has its path; never by the session's
//! own ARN, which has lost it, and never by the session's name, which the caller chose.
//!
//! Source: CloudTrail user guide, "CloudTrail userIdentity element"; IAM user guide, "AWS global
//! condition context keys" (`aws:PrincipalArn`).

use serde::{Deserialize, Serialize};

use crate::cloudtrail::record::{Identity, Key, Record};
use crate::ids::{self, Arn};

/// The kind of a [`Principal`]. The order is from what says more to what says less.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// A role's session.
    Role,
    /// An IAM user.
    User,
    /// The account's root user, or a root session made by `sts:AssumeRoot`.
    Root,
    /// A federated user.
    Federated,
    /// A user of IAM Identity Center.
    IdentityCenter,
    /// The session of a service-linked role, which no policy of the organization binds.
    ServiceLinkedRole,
    /// An AWS service.
    Service,
    /// Somebody of another account, of whom this copy of the record says no more.
    Account,
    /// The record does not tell.
    Unknown,
}

impl PrincipalKind {
    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            PrincipalKind::Role => "role",
            PrincipalKind::User => "user",
            PrincipalKind::Root => "root",
            PrincipalKind::Federated => "federated",
            PrincipalKind::IdentityCenter => "identity-center",
            PrincipalKind::ServiceLinkedRole => "service-linked-role",
            PrincipalKind::Service => "service",
            PrincipalKind::Account => "account",
            PrincipalKind::Unknown => "unknown",
        }
    }
}

/// Who called.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Principal {
    /// What it is.
    pub kind: PrincipalKind,
    /// What `aws:PrincipalArn` would hold: the role, not the session.
    pub arn: Option<String>,
    /// As `AROA…`: another one under the same ARN is another principal.
    pub unique_id: Option<String>,
    /// The principal's account.
    pub account: Option<String>,
}

impl Principal {
    /// Nothing is known.
    pub fn unknown() -> Self {
        Self { kind: PrincipalKind::Unknown, arn: None, unique_id: None, account: None }
    }

    /// The role, user or root that an ARN names.
    pub fn of_arn(arn: &str) -> Self {
        let parsed = Arn::parse(arn);
        let kind = match parsed.as_ref().map(|arn| arn.resource) {
            Some("root") => PrincipalKind::Root,
            Some(name) if name.starts_with("role/aws-service-role/") => PrincipalKind::ServiceLinkedRole,
            Some(name) if name.starts_with("role/") => PrincipalKind::Role,
            Some(name) if name.starts_with("user/") => PrincipalKind::User,
            Some(_) | None => PrincipalKind::Unknown,
        };
        let account = parsed.map(|arn| arn.account.to_owned()).filter(|account| ids::is_account(account));
        Self { kind, arn: Some(arn.to_owned()), unique_id: None, account }
    }
}

/// Tells who made the call of a record. Of an identity that contradicts itself or cannot be read to its
/// end, nothing counts.
pub fn principal(record: &Record<'_>, identity: &Identity<'_>) -> Principal {
    if identity.unreadable {
        return Principal::unknown();
    }
    let kind = kind(record, identity);
    let arn = arn(kind, identity);
    let account = account(identity, arn.as_deref());
    let arn = match (kind, arn, &account) {
        (PrincipalKind::Root, None, Some(account)) => {
            let region = record.get(Key::AwsRegion).text().unwrap_or_default();
            Some(format!("arn:{}:iam::{account}:root", ids::partition_of(&region)))
        }
        (_, arn, _) => arn,
    };
    let kind = match &arn {
        Some(arn) if kind == PrincipalKind::Role && is_service_linked(arn) => {
            PrincipalKind::ServiceLinkedRole
        }
        _ => kind,
    };
    Principal { kind, arn, unique_id: unique_id(kind, identity), account }
}

fn kind(record: &Record<'_>, identity: &Identity<'_>) -> PrincipalKind {
    match identity.kind.text().as_deref() {
        Some("AssumedRole" | "Role") if is_root_session(identity) => PrincipalKind::Root,
        Some("AssumedRole" | "Role") => PrincipalKind::Role,
        Some("IAMUser") => PrincipalKind::User,
        Some("Root") => PrincipalKind::Root,
        Some("FederatedUser" | "SAMLUser" | "WebIdentityUser") => PrincipalKind::Federated,
        Some("IdentityCenterUser") => PrincipalKind::IdentityCenter,
        Some("AWSAccount") => PrincipalKind::Account,
        Some("AWSService") => PrincipalKind::Service,
        None if record.get(Key::EventType).is("AwsServiceEvent") && is_nobody(identity) => {
            PrincipalKind::Service
        }
        Some(_) | None => PrincipalKind::Unknown,
    }
}

/// Service events come without a type, and name nobody but an account.
fn is_nobody(identity: &Identity<'_>) -> bool {
    [identity.kind, identity.arn, identity.principal_id, identity.issuer.arn, identity.issuer.principal_id]
        .into_iter()
        .all(|field| field.is_absent())
}

/// A session made by `sts:AssumeRoot`.
fn is_root_session(identity: &Identity<'_>) -> bool {
    identity.assumed_root.is_true() || identity.issuer.kind.is("Root")
}

fn arn(kind: PrincipalKind, identity: &Identity<'_>) -> Option<String> {
    let field = match kind {
        // Of type `Role` it is the role itself that is named.
        PrincipalKind::Role | PrincipalKind::ServiceLinkedRole
            if identity.issuer.arn.is_absent() && identity.kind.is("Role") =>
        {
            identity.arn
        }
        PrincipalKind::Role | PrincipalKind::ServiceLinkedRole => identity.issuer.arn,
        PrincipalKind::User | PrincipalKind::Federated | PrincipalKind::IdentityCenter => identity.arn,
        PrincipalKind::Account => identity.arn,
        PrincipalKind::Root | PrincipalKind::Service | PrincipalKind::Unknown => return None,
    };
    let arn = field.text()?;
    let service = Arn::parse(&arn)?.service;
    // A session's ARN has lost the role's path: it is no principal's, but for a federated user's.
    let is_session = service == "sts" && !matches!(kind, PrincipalKind::Federated);
    (!is_session).then(|| arn.into_owned())
}

fn account(identity: &Identity<'_>, arn: Option<&str>) -> Option<String> {
    let recorded = [identity.account, identity.issuer.account].into_iter().find_map(|field| field.shown());
    let recorded = recorded.filter(|account| ids::is_account(account)).map(|account| account.into_owned());
    let session = identity.arn.text();
    let of_arn = |arn: &str| {
        Arn::parse(arn).map(|arn| arn.account.to_owned()).filter(|account| ids::is_account(account))
    };
    // A role belongs to its own account, whatever the session says beside it.
    arn.and_then(of_arn).or(recorded).or(session.as_deref().and_then(of_arn))
}

fn unique_id(kind: PrincipalKind, identity: &Identity<'_>) -> Option<String> {
    let field = match kind {
        PrincipalKind::Role | PrincipalKind::ServiceLinkedRole
            if !identity.issuer.principal_id.is_absent() =>
        {
            identity.issuer.principal_id
        }
        _ => identity.principal_id,
    };
    let id = field.text()?;
    // Behind the colon is the session's name, which the caller chose.
    let id = id.split(':').next().unwrap_or_default();
    (!id.is_empty()).then(|| id.to_owned())
}

/// The role of a service, below the path that IAM keeps for them.
fn is_service_linked(arn: &str) -> bool {
    Arn::parse(arn)
        .is_some_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/aws-service-role/"))
}
