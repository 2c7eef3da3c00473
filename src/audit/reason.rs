//! Why a record was judged as it was, in one plain sentence.

use super::case::{Case, Subject};
use super::rules;
use super::verdict::{Judgement, Verdict};
use crate::cloudtrail::outcome::Outcome;
use crate::iam::change::Shows;
use crate::perimeter::exception::BreakGlassUse;
use crate::perimeter::origin::{OriginKind, Passage};
use crate::perimeter::principal::PrincipalKind;
use crate::perimeter::{Mode, TransitMode};

/// The sentence for a judged case.
pub fn reason(case: &Case, judgement: &Judgement) -> String {
    let sentence = match (&case.subject, judgement.verdict) {
        _ if is_contradicted(judgement) => contradicted(case),
        (Subject::Nothing(why), _) => format!("no bearing on the perimeter: {why}"),
        (Subject::Unreliable(why), _) => format!("it cannot be told what happened: {why}"),
        (Subject::Forged(why), _) => format!("an event that looks like CloudTrail's is none: {why}"),
        (Subject::Change { change, .. }, Verdict::Denied) => {
            format!("{} tried this, and was refused: {}", who(case), change.what)
        }
        (Subject::Change { change, through_dynamodb }, _) => {
            changed(case, judgement, &change.what, *through_dynamodb)
        }
        (Subject::Call, verdict) => call(case, verdict),
    };
    let mut sentence = match break_glass(case) {
        Some(more) => format!("{sentence}; {more}"),
        None => sentence,
    };
    sentence.push('.');
    sentence
}

fn is_contradicted(judgement: &Judgement) -> bool {
    judgement.rule.is_some_and(|(rule, _)| rule.id == rules::MODEL_MISMATCH.id)
}

/// A call whose outcome the known policies do not explain.
fn contradicted(case: &Case) -> String {
    let why = case.proven.as_ref().map(|proven| format!("; {}", proven.why)).unwrap_or_default();
    format!("{} called {} {}{}{why}", who(case), case.event_name(), whence(case), code(case))
}

fn changed(case: &Case, judgement: &Judgement, what: &str, through_dynamodb: bool) -> String {
    let failed = match &case.error {
        Some(code) if case.outcome != Outcome::Authorised => {
            format!(" (failed with {code}: nothing changed)")
        }
        _ => String::new(),
    };
    let from = if through_dynamodb { format!(", {}", whence(case)) } else { String::new() };
    let proven = case.proven.as_ref();
    let proven = proven.filter(|proven| judgement.rule.is_some_and(|(rule, _)| rule.id == proven.rule.id));
    if let Some(proven) = proven {
        return format!("{}{from}: {what}; {}{}{failed}", who(case), proven.why, in_use(case));
    }
    let shown = match judgement.rule {
        Some((rule, _)) if rule.id == "break-glass-name" => ", whose name fits a break-glass pattern",
        Some((rule, _)) if rule.id == "change-unreadable" => ", and the record does not say to what",
        Some((rule, _)) if rule.id == "unguarded-table" => ", which starts without a resource policy",
        Some((rule, _)) if rule.id == "network-path" => ", which may lead to an approved VPC, or out of one",
        Some((rule, _)) if rule.id == "break-glass-out-of-window" => opened_for(case),
        Some((rule, _)) if rule.id == "break-glass-trust" => given(case),
        _ => "",
    };
    let in_use = if judgement.rule.is_some() { in_use(case) } else { "" };
    format!("{}{from}: {what}{shown}{in_use}{failed}", who(case))
}

/// What a break-glass principal has more than before.
fn given(case: &Case) -> &'static str {
    match &case.subject {
        Subject::Change { change, .. } if change.shows == Shows::BreakGlassTrusted => {
            ", and so says who may become a break-glass role; what it said before is not known"
        }
        Subject::Change { change, .. }
            if matches!(change.shows, Shows::BreakGlassWidened | Shows::BreakGlassTagged) =>
        {
            ", which may widen the permissions of a break-glass principal; what it had before is not known"
        }
        _ => ", for one of whom a break-glass entry speaks",
    }
}

/// A break-glass principal that widens its own kind is in use, for certain.
fn in_use(case: &Case) -> &'static str {
    let Subject::Change { change, .. } = &case.subject else { return "" };
    let is_wider =
        matches!(change.shows, Shows::BreakGlassTrusted | Shows::BreakGlassWidened | Shows::BreakGlassTagged);
    if is_wider && case.is_by_break_glass() { "; a break-glass principal in use did it" } else { "" }
}

/// A session that is opened out of what its grant allows; a call through DynamoDB says it at its end.
fn opened_for(case: &Case) -> &'static str {
    if case.opens_too_long { ", for longer than its break-glass grant allows" } else { "" }
}

fn call(case: &Case, verdict: Verdict) -> String {
    let (who, call, whence) = (who(case), case.event_name(), whence(case));
    match verdict {
        Verdict::Inside => format!("{who} called {call} {whence}"),
        Verdict::Outside => format!("{who} reached DynamoDB ({call}) {whence}{}", despite(case)),
        Verdict::Exempt => format!("{who} called {call} {whence}, and is exempt: {}", exemption(case)),
        Verdict::Service => format!("{call} was made by {} for {who}", service(case)),
        Verdict::Denied => format!("{who} called {call} {whence}, and was refused{}", code(case)),
        Verdict::Undetermined => format!("{who} called {call} {whence}; {}", unclear(case)),
        Verdict::Change | Verdict::Ignored => format!("{who} called {call}"),
    }
}

/// Who, by the last part of the name: the whole of it stands beside the sentence.
fn who(case: &Case) -> String {
    let principal = &case.principal;
    let name = principal.arn.as_deref().map(|arn| arn.rsplit(['/', ':']).next().unwrap_or(arn));
    let account = principal.account.as_deref().unwrap_or("unknown");
    match principal.kind {
        PrincipalKind::Root => format!("the root user of account {account}"),
        PrincipalKind::Account => format!("somebody of account {account}"),
        PrincipalKind::Service => {
            format!("the service {}", case.via.as_deref().unwrap_or("behind the record"))
        }
        PrincipalKind::Role => format!("role {}", name.unwrap_or("without an ARN")),
        PrincipalKind::ServiceLinkedRole => {
            format!("service-linked role {}", name.unwrap_or("without an ARN"))
        }
        PrincipalKind::User => format!("user {}", name.unwrap_or("without an ARN")),
        PrincipalKind::Federated => format!("federated user {}", name.unwrap_or("without an ARN")),
        PrincipalKind::IdentityCenter => "a user of Identity Center".to_owned(),
        PrincipalKind::Unknown => "somebody whom the record does not name".to_owned(),
    }
}

fn whence(case: &Case) -> String {
    let origin = &case.origin;
    let ip = origin.ip.as_deref().unwrap_or("no address");
    let endpoint = origin.endpoint.as_deref().unwrap_or("an endpoint");
    let vpc = origin.vpc.as_deref().unwrap_or("a VPC");
    match origin.kind {
        OriginKind::ApprovedEndpoint => format!("through {endpoint} of {vpc}"),
        OriginKind::ApprovedTransit => format!("through {endpoint} of {vpc}, from {ip} outside that VPC"),
        OriginKind::TrustedAddress => format!("from the trusted address {ip}"),
        OriginKind::UnapprovedVpc => format!("through {endpoint} of {vpc}, which is not approved"),
        OriginKind::ForeignEndpoint => {
            let owner = origin.vpc_account.as_deref().unwrap_or("another account");
            format!("through {endpoint} of account {owner}, which owns no approved VPC")
        }
        OriginKind::UnknownEndpoint => format!("through {endpoint}"),
        OriginKind::Public => format!("from the public address {ip}, through no endpoint"),
        OriginKind::PrivateUnattributed => format!("from the private address {ip}, through no endpoint"),
        OriginKind::AwsService => format!("by way of the service {ip}"),
        OriginKind::AwsInternal => "from AWS's own network".to_owned(),
        OriginKind::Unknown => "from a place that the record does not tell".to_owned(),
    }
}

/// What did not keep an access from being one.
fn despite(case: &Case) -> String {
    match &case.error {
        Some(code) => format!(", and failed only later ({code})"),
        None => String::new(),
    }
}

fn code(case: &Case) -> String {
    case.error.as_ref().map(|code| format!(" ({code})")).unwrap_or_default()
}

fn exemption(case: &Case) -> String {
    if case.mode == Mode::Exempt && !case.tables_untold {
        "its environment is".to_owned()
    } else if case.principal.kind == PrincipalKind::ServiceLinkedRole {
        "no policy of the organization binds a service-linked role".to_owned()
    } else if case.break_glass == BreakGlassUse::InForce {
        "break-glass is in force".to_owned()
    } else {
        "the address is trusted".to_owned()
    }
}

fn service(case: &Case) -> String {
    case.via.clone().unwrap_or_else(|| "an AWS service".to_owned())
}

fn unclear(case: &Case) -> String {
    if case.origin.kind == OriginKind::UnknownEndpoint {
        return if case.origin.vpc.is_some() {
            "the record contradicts the inventory about that endpoint".to_owned()
        } else {
            "no inventory says which VPC that endpoint is in".to_owned()
        };
    }
    if case.passage == Passage::Untold(TransitMode::Deny) {
        return "it has no address that could be one of that VPC, and `transit` is `deny`".to_owned();
    }
    if case.origin.kind == OriginKind::Unknown {
        return "so it cannot be told whether it is inside".to_owned();
    }
    if case.outcome == Outcome::Undetermined {
        let code = case.error.as_deref().unwrap_or("an error that cannot be read");
        return format!("{code} can come before authorisation or after it");
    }
    if case.tables_untold && !case.needs_other_half() {
        return "the record does not show which tables, so it cannot be told whether it is exempt".to_owned();
    }
    "only the caller's copy of the record says which role it was".to_owned()
}

fn break_glass(case: &Case) -> Option<&'static str> {
    match case.break_glass {
        BreakGlassUse::OutOfWindow => Some("its break-glass grant covers neither this time nor this table"),
        BreakGlassUse::TooLong => Some("its session began longer ago than its break-glass grant allows"),
        BreakGlassUse::Recreated => {
            Some("the name is a break-glass one, the unique id is not the one approved")
        }
        BreakGlassUse::Untold => Some("its break-glass grant is for some tables only"),
        BreakGlassUse::None | BreakGlassUse::InForce => None,
    }
}
