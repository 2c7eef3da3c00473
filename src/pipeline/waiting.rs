//! What of a record waits to be judged again, and what another account's copy of it waits for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::key_of;
use crate::audit::case::{Case, Subject};
use crate::cloudtrail::record::{Key, Record};
use crate::findings::store::{Half, MAX_WAITING, Waiting, WaitsFor};
use crate::iam::change;
use crate::ids::is_endpoint;

/// What a record waits for: who called, where another account's copy says it, and which VPC the
/// endpoint is in.
///
/// It may wait for both. A caller's copy from inside leaves no half, and if the endpoint is known only
/// then, the owner's copy turns out to be from inside as well.
pub(super) fn waits_for(record: &Record<'_>, case: &Case) -> Vec<WaitsFor> {
    let shared = record.get(Key::SharedEventId).text().filter(|_| case.needs_other_half());
    let endpoint = case.origin.endpoint.as_ref().filter(|endpoint| is_endpoint(endpoint));
    let endpoint = endpoint.filter(|_| case.origin.vpc.is_none());
    let half = shared.map(|shared| WaitsFor::OtherHalf(shared.into_owned()));
    half.into_iter().chain(endpoint.map(|endpoint| WaitsFor::Endpoint(endpoint.clone()))).collect()
}

pub(super) fn waiting(record: &Record<'_>, case: &Case, finding: &str) -> Vec<Waiting> {
    let waits_for = waits_for(record, case);
    if waits_for.is_empty() {
        return Vec::new();
    }
    let text = slim(record, case).unwrap_or_else(|| String::from_utf8_lossy(record.json).into_owned());
    if text.len() > MAX_WAITING {
        return Vec::new();
    }
    let key = key_of(record);
    let waiting = |waits_for| Waiting { waits_for, finding: finding.to_owned(), key, record: text.clone() };
    waits_for.into_iter().map(waiting).collect()
}

/// The fields of a record that a call is judged and shown by, other than its request and its tables.
const KEPT: [&str; 19] = [
    "addendum",
    "awsRegion",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "sourceIPAddress",
    "userIdentity",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

/// Bytes of a user agent that are kept: more than are shown.
const MAX_AGENT: usize = 8 << 10;

/// As much of a record as judging it again takes: its tables in the place of the request that named
/// them, which may be large. Nothing where all of it may matter: of a change, of what may be one, and
/// of a record that contradicts itself.
fn slim(record: &Record<'_>, case: &Case) -> Option<String> {
    let (source, name) = (record.get(Key::EventSource).text()?, record.get(Key::EventName).text()?);
    if !matches!(case.subject, Subject::Call) || record.conflict || change::is_candidate(&source, &name) {
        return None;
    }
    let all: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(record.json).ok()?;
    let mut kept: BTreeMap<&str, Cow<'_, RawValue>> = BTreeMap::new();
    for name in KEPT {
        kept.extend(all.get(name).map(|value| (name, Cow::Borrowed(*value))));
    }
    let recipient = record.get(Key::RecipientAccountId).text();
    let raw = |value: serde_json::Value| RawValue::from_string(value.to_string()).ok().map(Cow::Owned);
    if let Some(agent) = all.get("userAgent") {
        let agent = match record.get(Key::UserAgent).text() {
            Some(text) if text.len() > MAX_AGENT => {
                raw(text.chars().take(MAX_AGENT / 4).collect::<String>().into())?
            }
            Some(_) | None => Cow::Borrowed(*agent),
        };
        kept.insert("userAgent", agent);
    }
    // The envelope may have told it.
    if let (None, Some(recipient)) = (kept.get("recipientAccountId"), recipient) {
        kept.insert("recipientAccountId", raw(recipient.into())?);
    }
    let tables = case.resources.iter().map(|arn| serde_json::json!({ "ARN": arn }));
    kept.insert("resources", raw(tables.collect())?);
    if case.tables_untold {
        // Left out, as CloudTrail does it: there may be other tables.
        kept.insert("requestParameters", raw(serde_json::json!({ "omitted": true }))?);
    }
    serde_json::to_string(&kept).ok()
}

/// The caller's copy says who it was: the owner's copy does not.
pub(super) fn half(record: &Record<'_>, case: &Case) -> Vec<Half> {
    let Some(shared_id) = record.get(Key::SharedEventId).text() else { return Vec::new() };
    // Of a copy that names no table it is not told whose it was: the other copy may.
    let may_cross = case.principal.account != case.account || case.resources.is_empty();
    let crosses = case.principal.arn.is_some() && may_cross;
    let session = case.session.as_deref().filter(|part| !part.is_opening());
    let half = || Half {
        shared_id: shared_id.into_owned(),
        key: key_of(record),
        principal: case.principal.clone(),
        session: session.map(|part| Box::new(part.alone())),
    };
    if crosses { vec![half()] } else { Vec::new() }
}
