//! A break-glass session's whole story, in one sentence.

use jiff::{SignedDuration, Timestamp};

use crate::perimeter::principal::Principal;
use crate::perimeter::session::{Opening, Place, Session};

/// Things of one kind that the sentence names; beyond, it says that there are more.
const NAMED: usize = 3;

/// The sentence: whose session, who opened it and how, what was done in it, from where and how long, by what grant.
pub(super) fn story(
    session: &Session,
    principal: &Principal,
    span: Option<(Timestamp, Timestamp)>,
) -> String {
    let role = principal.arn.as_deref().map_or("a principal", name);
    let by = session.source_identity.as_ref().map(|who| format!(" (source identity `{who}`)"));
    let called = session.principal_id.as_deref().and_then(|id| id.split_once(':'));
    let called = called.map(|(_, name)| format!(" `{name}`")).unwrap_or_default();
    let parts = [
        Some(format!("session{called} of break-glass {role}{}", by.unwrap_or_default())),
        session.opened.first().map(opened),
        span.map(|(first, last)| used(session, first, last)),
        (!session.origins.is_empty()).then(|| format!("from {}", listed(session.origins.iter().map(place)))),
        (!session.tables.is_empty())
            .then(|| format!("on {}", listed(session.tables.iter().map(|arn| name(arn).to_owned())))),
        (!session.calls.is_empty()).then(|| format!("calling {}", listed(session.calls.iter().cloned()))),
        tickets(session),
        session
            .out_of_window
            .then(|| "it goes beyond what its grant allows: a time, a table or a length".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{}.", parts.join("; "))
}

/// The last part of an ARN's resource.
fn name(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}

fn opened(opening: &Opening) -> String {
    let by = opening.by.as_deref().unwrap_or("somebody whom the record does not name");
    let at = opening.at.map(|at| format!(" at {at}")).unwrap_or_default();
    let from = opening.ip.as_ref().map(|ip| format!(" from {ip}")).unwrap_or_default();
    let through = opening.endpoint.as_ref().map(|id| format!(" through {id}")).unwrap_or_default();
    let long = opening
        .duration_seconds
        .map(|seconds| format!(" for {}", length(SignedDuration::from_secs(seconds))));
    format!("opened by {by}{at}{from}{through}{}", long.unwrap_or_default())
}

fn used(session: &Session, first: Timestamp, last: Timestamp) -> String {
    let began = session.issued.or(session.opened.first().and_then(|opening| opening.at));
    let age = began.map(|began| last.duration_since(began)).filter(SignedDuration::is_positive);
    let age = age.map(|age| format!(", {} after it began", length(age))).unwrap_or_default();
    if first == last { format!("used at {first}{age}") } else { format!("used from {first} to {last}{age}") }
}

fn length(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (seconds, "s")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

fn place(place: &Place) -> String {
    match &place.endpoint {
        Some(endpoint) => format!("{} {endpoint}", place.kind),
        None => place.kind.clone(),
    }
}

fn tickets(session: &Session) -> Option<String> {
    let tickets: Vec<String> = session.grants.iter().filter_map(|grant| grant.ticket.clone()).collect();
    (!tickets.is_empty()).then(|| format!("under ticket {}", listed(tickets.into_iter())))
}

fn listed(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    let named: Vec<String> = all.take(NAMED).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}
