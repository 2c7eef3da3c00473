//! The verdict on a case: one total function, the only place that tells inside from outside.
//!
//! docs/verdicts.md has the same table in prose.

use serde::{Deserialize, Serialize};

use super::case::{Case, Subject, is_approved};
use super::rule::{Rule, Severity};
use super::rules;
use crate::cloudtrail::outcome::Outcome;
use crate::iam::change::Shows;
use crate::perimeter::exception::{self, BreakGlassUse, Coverage};
use crate::perimeter::origin::{OriginKind, Passage};
use crate::perimeter::principal::PrincipalKind;
use crate::perimeter::{Mode, Perimeter, TransitMode};

/// What is made of a record.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Through an approved endpoint of an approved VPC.
    Inside,
    /// Reached the service from anywhere else.
    Outside,
    /// Break-glass, an exempt environment, a trusted address, a principal that no policy binds.
    Exempt,
    /// An AWS service acting for the account.
    Service,
    /// Refused.
    Denied,
    /// It cannot be told.
    Undetermined,
    /// A change to what guards the perimeter.
    Change,
    /// No bearing on DynamoDB.
    Ignored,
}

impl Verdict {
    /// In the order in which summaries show them.
    pub const ALL: [Verdict; 8] = [
        Verdict::Inside,
        Verdict::Outside,
        Verdict::Exempt,
        Verdict::Service,
        Verdict::Denied,
        Verdict::Undetermined,
        Verdict::Change,
        Verdict::Ignored,
    ];

    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Inside => "inside",
            Verdict::Outside => "outside",
            Verdict::Exempt => "exempt",
            Verdict::Service => "service",
            Verdict::Denied => "denied",
            Verdict::Undetermined => "undetermined",
            Verdict::Change => "change",
            Verdict::Ignored => "ignored",
        }
    }
}

/// A verdict, and the finding that goes with it where there is one.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What is made of the record.
    pub verdict: Verdict,
    /// The most severe rule that fits, and its severity as perimeter.toml has it.
    pub rule: Option<(&'static Rule, Severity)>,
    /// Whether `[[suppress]]` entries cover it, and how long.
    pub coverage: Coverage,
}

/// Judges a case: the first that holds.
pub fn judge(case: &Case, perimeter: &Perimeter) -> Judgement {
    let verdict = match &case.subject {
        // 1. Of no bearing.
        Subject::Nothing(_) => Verdict::Ignored,
        // What cannot be relied on tells nothing.
        Subject::Unreliable(_) | Subject::Forged(_) => Verdict::Undetermined,
        // 2. A change to what guards the perimeter.
        Subject::Change { .. } if case.outcome == Outcome::Denied => Verdict::Denied,
        Subject::Change { change, .. } if !change.has_bearing() => Verdict::Ignored,
        Subject::Change { .. } => Verdict::Change,
        Subject::Call => access(case),
    };
    judgement(case, verdict, &fitting(case, verdict), perimeter)
}

/// What is made of a call whose outcome the known policies do not explain: a finding beside that of the call itself.
pub fn contradicted(case: &Case, verdict: Verdict, perimeter: &Perimeter) -> Judgement {
    let rule = &rules::MODEL_MISMATCH;
    judgement(case, verdict, &[(rule, rule.severity)], perimeter)
}

/// A call made in a break-glass session, as a use of break-glass: told in the session's finding, whatever else the call
/// is a finding of.
pub fn of_session(case: &Case, verdict: Verdict, perimeter: &Perimeter) -> Option<Judgement> {
    case.session.as_ref()?;
    let is_access = match (&case.subject, verdict) {
        (Subject::Change { through_dynamodb, .. }, Verdict::Change) => {
            *through_dynamodb && access(case) != Verdict::Denied
        }
        (Subject::Call, verdict) => verdict != Verdict::Denied,
        (Subject::Nothing(_) | Subject::Unreliable(_) | Subject::Forged(_) | Subject::Change { .. }, _) => {
            false
        }
    };
    let rule = break_glass(case).filter(|_| is_access)?;
    let judgement = judgement(case, verdict, &[(rule, rule.severity)], perimeter);
    judgement.rule.is_some().then_some(judgement)
}

fn judgement(case: &Case, verdict: Verdict, fits: &[Fit], perimeter: &Perimeter) -> Judgement {
    let rule = most_severe(fits, perimeter);
    let coverage = rule.map_or(Coverage::Uncovered, |(rule, _)| {
        exception::coverage(perimeter, rule.id, &case.principal, case.time)
    });
    Judgement { verdict, rule, coverage }
}

/// What a call to DynamoDB is: steps 3 to 8.
fn access(case: &Case) -> Verdict {
    if case.outcome == Outcome::Denied {
        Verdict::Denied
    } else if is_approved(&case.origin, case.passage) {
        Verdict::Inside
    } else if is_exempt(case) {
        Verdict::Exempt
    } else if is_service(case) {
        Verdict::Service
    } else if is_undetermined(case) {
        Verdict::Undetermined
    } else {
        Verdict::Outside
    }
}

/// 5. Exempt environment, service-linked role of a listed account, break-glass in force, trusted
///    address.
fn is_exempt(case: &Case) -> bool {
    (case.mode == Mode::Exempt && !case.tables_untold)
        || (case.principal.kind == PrincipalKind::ServiceLinkedRole && case.principal_listed)
        || case.break_glass == BreakGlassUse::InForce
        || case.origin.kind == OriginKind::TrustedAddress
}

/// 6. An AWS service, one that is listed, or a management call made through one.
fn is_service(case: &Case) -> bool {
    case.principal.kind == PrincipalKind::Service
        || case.listed_service
        || (case.management && case.via.is_some())
}

/// 7. The outcome, the origin, or the role behind another account's call is not told.
fn is_undetermined(case: &Case) -> bool {
    let origin = match case.origin.kind {
        OriginKind::Unknown | OriginKind::UnknownEndpoint => true,
        OriginKind::ApprovedEndpoint
        | OriginKind::ApprovedTransit
        | OriginKind::TrustedAddress
        | OriginKind::UnapprovedVpc
        | OriginKind::ForeignEndpoint
        | OriginKind::Public
        | OriginKind::PrivateUnattributed
        | OriginKind::AwsService
        | OriginKind::AwsInternal => false,
    };
    origin
        || case.passage == Passage::Untold(TransitMode::Deny)
        || case.outcome == Outcome::Undetermined
        || case.needs_other_half()
        // It may be exempt, or reach a table that is not.
        || (case.mode == Mode::Exempt && case.tables_untold)
        || case.break_glass == BreakGlassUse::Untold
}

/// A rule that fits a case, with the severity it has there.
type Fit = (&'static Rule, Severity);

/// The rules that fit, the more telling first.
fn fitting(case: &Case, verdict: Verdict) -> Vec<Fit> {
    let mut fits: Vec<&'static Rule> = Vec::new();
    match verdict {
        Verdict::Ignored => {}
        Verdict::Service => return without_alarm(case),
        Verdict::Denied => fits.push(&rules::DENIED_ATTEMPT),
        Verdict::Inside => return without_alarm(case),
        Verdict::Exempt => fits.extend(break_glass(case)),
        Verdict::Undetermined => {
            fits.extend(break_glass(case));
            fits.push(undetermined(case));
        }
        Verdict::Outside => outside(case, &mut fits),
        Verdict::Change => change(case, &mut fits),
    }
    fits.into_iter().map(|rule| (rule, severity_in(rule, case))).collect()
}

/// That a break-glass principal may do more is critical while it is in use, which is certain where it does that itself.
fn severity_in(rule: &Rule, case: &Case) -> Severity {
    let Subject::Change { change, .. } = &case.subject else { return rule.severity };
    let is_idle = change.shows == Shows::BreakGlassWidened && !case.is_by_break_glass();
    if rule.id == rules::BREAK_GLASS_TRUST.id && is_idle { Severity::High } else { rule.severity }
}

/// From inside, or by a service: break-glass is told of all the same.
fn without_alarm(case: &Case) -> Vec<Fit> {
    let mut fits: Vec<Fit> = break_glass(case).map(|rule| (rule, rule.severity)).into_iter().collect();
    if case.passage == Passage::Unexpected(TransitMode::Flag) {
        fits.push((&rules::TRANSIT, rules::TRANSIT.severity));
    }
    if case.is_bulk_export() {
        // The copy leaves, and whoever had a service make it need not have been inside.
        let is_accounted_for = is_approved(&case.origin, case.passage) || case.listed_service;
        let severity = if is_accounted_for { Severity::Info } else { rules::BULK_EXPORT.severity };
        fits.push((&rules::BULK_EXPORT, severity));
    }
    fits
}

fn break_glass(case: &Case) -> Option<&'static Rule> {
    match case.break_glass {
        BreakGlassUse::None | BreakGlassUse::Untold => None,
        BreakGlassUse::InForce => Some(&rules::BREAK_GLASS_USE),
        BreakGlassUse::OutOfWindow | BreakGlassUse::TooLong => Some(&rules::BREAK_GLASS_OUT_OF_WINDOW),
        BreakGlassUse::Recreated => Some(&rules::BREAK_GLASS_RECREATED),
    }
}

fn undetermined(case: &Case) -> &'static Rule {
    if let Subject::Forged(_) = case.subject {
        return &rules::FORGED_EVENT;
    }
    if case.origin.kind == OriginKind::UnknownEndpoint {
        &rules::UNKNOWN_ENDPOINT
    } else {
        &rules::UNDETERMINED
    }
}

fn outside(case: &Case, fits: &mut Vec<&'static Rule>) {
    fits.extend(break_glass(case));
    if case.principal.kind == PrincipalKind::Root {
        fits.push(&rules::ROOT_ACCESS);
    }
    if case.principal_external {
        fits.push(&rules::EXTERNAL_PRINCIPAL);
    }
    // What shows no item is a lesser matter, wherever it came from.
    if case.management && case.read_only && !case.is_bulk_export() {
        fits.push(&rules::METADATA_OUTSIDE);
        return;
    }
    fits.push(by_origin(case.origin.kind));
    if case.is_bulk_export() {
        fits.push(&rules::BULK_EXPORT);
    }
}

fn by_origin(kind: OriginKind) -> &'static Rule {
    match kind {
        OriginKind::Public | OriginKind::TrustedAddress => &rules::PUBLIC_ACCESS,
        OriginKind::ForeignEndpoint => &rules::FOREIGN_ENDPOINT,
        OriginKind::UnapprovedVpc => &rules::UNAPPROVED_VPC,
        OriginKind::PrivateUnattributed => &rules::PRIVATE_UNATTRIBUTED,
        OriginKind::AwsService | OriginKind::AwsInternal => &rules::SERVICE_PATH,
        OriginKind::ApprovedEndpoint | OriginKind::ApprovedTransit => &rules::TRANSIT,
        OriginKind::UnknownEndpoint => &rules::UNKNOWN_ENDPOINT,
        OriginKind::Unknown => &rules::UNDETERMINED,
    }
}

/// What a change shows by itself; and, where it was made through DynamoDB, that call as an access.
fn change(case: &Case, fits: &mut Vec<&'static Rule>) {
    let Subject::Change { change, through_dynamodb } = &case.subject else { return };
    if case.makes_break_glass {
        fits.push(&rules::BREAK_GLASS_NAME);
    }
    if case.opens_too_long {
        fits.push(&rules::BREAK_GLASS_OUT_OF_WINDOW);
    }
    fits.extend(case.proven.as_ref().map(|proven| proven.rule));
    fits.extend(shown(change.shows, case));
    if !through_dynamodb {
        return;
    }
    match access(case) {
        Verdict::Outside => outside(case, fits),
        Verdict::Undetermined => {
            fits.extend(break_glass(case));
            fits.push(undetermined(case));
        }
        Verdict::Exempt | Verdict::Inside | Verdict::Service => fits.extend(break_glass(case)),
        Verdict::Denied | Verdict::Change | Verdict::Ignored => {}
    }
}

fn shown(shows: Shows, case: &Case) -> Option<&'static Rule> {
    match shows {
        Shows::Nothing => None,
        Shows::Unreadable => Some(&rules::CHANGE_UNREADABLE),
        Shows::UnguardedTable => Some(&rules::UNGUARDED_TABLE),
        Shows::ExternalGrant => Some(&rules::EXTERNAL_GRANT),
        Shows::LoggingWeakened => Some(&rules::LOGGING_WEAKENED),
        Shows::ProductChanged => Some(&rules::PRODUCT_CHANGED),
        Shows::BreakGlassCredential => Some(&rules::BREAK_GLASS_TRUST),
        // By what stood before it is told better.
        Shows::BreakGlassTrusted | Shows::BreakGlassWidened if case.is_weighed => None,
        Shows::BreakGlassTrusted | Shows::BreakGlassWidened => Some(&rules::BREAK_GLASS_TRUST),
        // Roles are tagged for many reasons; in the middle of an emergency, by the one whose role it is, for few.
        Shows::BreakGlassTagged => case.is_by_break_glass().then_some(&rules::BREAK_GLASS_TRUST),
        // What is no opening by itself is told of only where something is held to the perimeter. Of a
        // network that is asked where the VPC is known.
        Shows::NetworkPath => Some(&rules::NETWORK_PATH),
        Shows::StreamDestination if case.mode == Mode::Exempt && !case.tables_untold => None,
        Shows::CredentialCreated if case.mode == Mode::Exempt => None,
        Shows::StreamDestination => Some(&rules::STREAM_DESTINATION),
        Shows::CredentialCreated => Some(&rules::CREDENTIAL_CREATED),
    }
}

/// The most severe of the rules that fit and are not off; of equals, the first.
fn most_severe(fits: &[Fit], perimeter: &Perimeter) -> Option<Fit> {
    let mut worst: Option<Fit> = None;
    for (rule, severity) in fits {
        let severity = match perimeter.rules.severities.get(rule.id) {
            Some(None) => continue,
            // A rule that is milder where it fits stays so.
            Some(Some(set)) if *severity == rule.severity => *set,
            Some(Some(set)) => *set.min(severity),
            None => *severity,
        };
        if worst.is_none_or(|(_, so_far)| severity > so_far) {
            worst = Some((rule, severity));
        }
    }
    worst
}
