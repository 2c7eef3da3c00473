//! Which exception covers a call: break-glass, a listed service, a suppression.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::principal::Principal;
use super::{BreakGlass, Mode, Perimeter, Service};
use crate::glob;
use crate::ids::Arn;

/// What the `[[break_glass]]` entries say of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BreakGlassUse {
    /// No entry speaks of the principal.
    None,
    /// An entry covers the call.
    InForce,
    /// An entry speaks of the principal, and not at this time or not for this table.
    OutOfWindow,
    /// An entry covers the call, but for its session, which began longer ago than the entry allows.
    TooLong,
    /// An entry speaks of the principal's name, and another principal bears it now.
    Recreated,
    /// An entry speaks of the principal, and the record does not show whether of the tables too.
    Untold,
}

/// When a call was made, and when the credentials that it was made with were issued, where that is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct When {
    pub time: Option<Timestamp>,
    pub issued: Option<Timestamp>,
}

/// What the `[[break_glass]]` entries say of a call by `principal` to the tables, of which there may be others
/// where the second value says so; and which entries say that. Where several speak of the principal, one that
/// allows the call counts; else the worst.
pub fn break_glass<'p>(
    perimeter: &'p Perimeter,
    principal: &Principal,
    when: When,
    tables: (&[String], bool),
) -> (BreakGlassUse, Vec<&'p BreakGlass>) {
    let Some(arn) = &principal.arn else { return (BreakGlassUse::None, Vec::new()) };
    let speaking = perimeter.break_glass.iter().filter(|entry| speaks_of(perimeter, &entry.principal, arn));
    let mut said = (BreakGlassUse::None, Vec::new());
    for entry in speaking {
        let found = used(entry, principal, when, tables);
        match rank(found).cmp(&rank(said.0)) {
            Ordering::Greater => said = (found, vec![entry]),
            Ordering::Equal => said.1.push(entry),
            Ordering::Less => {}
        }
    }
    said
}

fn rank(found: BreakGlassUse) -> u8 {
    match found {
        BreakGlassUse::None => 0,
        BreakGlassUse::OutOfWindow => 1,
        BreakGlassUse::TooLong => 2,
        BreakGlassUse::Recreated => 3,
        BreakGlassUse::Untold => 4,
        BreakGlassUse::InForce => 5,
    }
}

fn used(
    entry: &BreakGlass,
    principal: &Principal,
    when: When,
    (tables, untold): (&[String], bool),
) -> BreakGlassUse {
    let pinned = |id: &String| Some(id) == principal.unique_id.as_ref();
    if !entry.unique_ids.is_empty() && !entry.unique_ids.iter().any(pinned) {
        return BreakGlassUse::Recreated;
    }
    let found = if !entry.window.contains(when.time) {
        BreakGlassUse::OutOfWindow
    } else if covers_all(&entry.tables) {
        BreakGlassUse::InForce
    } else if untold && (tables.is_empty() || covers_tables(&entry.tables, tables)) {
        BreakGlassUse::Untold
    } else if covers_tables(&entry.tables, tables) {
        BreakGlassUse::InForce
    } else {
        BreakGlassUse::OutOfWindow
    };
    if found != BreakGlassUse::OutOfWindow && is_too_long(entry, when) {
        BreakGlassUse::TooLong
    } else {
        found
    }
}

/// Was the call made later than a session of the allowed length would have ended? The owner's copy of a call from
/// another account does not tell when the session began, and a user's own key has no beginning.
fn is_too_long(entry: &BreakGlass, when: When) -> bool {
    let Some(((longest, time), issued)) = entry.max_session.zip(when.time).zip(when.issued) else {
        return false;
    };
    time.duration_since(issued) > longest
}

/// Does the pattern of a break-glass entry speak of `arn`? Its account, where it is a wildcard,
/// stands only for accounts of enforce or observe environments.
pub fn speaks_of(perimeter: &Perimeter, pattern: &str, arn: &str) -> bool {
    if !glob::arn_matches(pattern, arn) {
        return false;
    }
    let account = |text| Arn::parse(text).map(|arn: Arn<'_>| arn.account.to_owned()).unwrap_or_default();
    if !glob::has_wildcard(&account(pattern)) {
        return true;
    }
    let account = account(arn);
    perimeter.lists(&account) && perimeter.mode_of(&account) != Mode::Exempt
}

/// May an entry speak of some account's root user?
pub fn may_speak_of_root(entry: &BreakGlass) -> bool {
    let resource = entry.principal.rsplit(':').next().unwrap_or_default();
    glob::matches(resource, "root")
}

fn covers_all(patterns: &[String]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern == "*")
}

/// Are all of `tables` covered? A call that names no table is covered where every table is.
fn covers_tables(patterns: &[String], tables: &[String]) -> bool {
    let covered = |table: &String| patterns.iter().any(|pattern| covers_table(pattern, table));
    !tables.is_empty() && tables.iter().all(covered)
}

fn covers_table(pattern: &str, table: &str) -> bool {
    if pattern.starts_with("arn:") {
        return glob::arn_matches(pattern, table);
    }
    let name = Arn::parse(table).and_then(|arn| arn.resource.strip_prefix("table/"));
    name.is_some_and(|name| glob::matches(pattern, name))
}

/// The `[[service]]` entry that lists a call of `principal` by the service `via`.
pub fn service<'p>(
    perimeter: &'p Perimeter,
    principal: &Principal,
    via: Option<&str>,
) -> Option<&'p Service> {
    let (Some(arn), Some(via)) = (&principal.arn, via) else { return None };
    let lists = |entry: &&Service| {
        glob::arn_matches(&entry.principal, arn) && entry.via.as_deref().is_none_or(|name| name == via)
    };
    perimeter.services.iter().find(lists)
}

/// How long `[[suppress]]` entries keep somebody from hearing of a record.
///
/// Of several records of one finding the greatest counts, in whatever order they come: one that nothing
/// covers, else one that is covered without end, else the one that is covered longest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// Up to, and not at, that time.
    Until(Timestamp),
    /// Without end.
    Endless,
    /// Not at all.
    Uncovered,
}

impl Coverage {
    /// Does it still hold at `now`?
    pub fn holds(self, now: Timestamp) -> bool {
        match self {
            Coverage::Until(end) => now < end,
            Coverage::Endless => true,
            Coverage::Uncovered => false,
        }
    }
}

/// How long the `[[suppress]]` entries that speak of `rule` and `principal` at `time` cover it.
pub fn coverage(
    perimeter: &Perimeter,
    rule: &str,
    principal: &Principal,
    time: Option<Timestamp>,
) -> Coverage {
    let covers = |pattern: &String| principal.arn.as_ref().is_some_and(|arn| glob::arn_matches(pattern, arn));
    let speaking = perimeter.suppressions.iter().filter(|entry| {
        entry.rule == rule && entry.window.contains(time) && entry.principal.as_ref().is_none_or(covers)
    });
    let ends = speaking.map(|entry| entry.window.until.map_or(Coverage::Endless, Coverage::Until));
    ends.max().unwrap_or(Coverage::Uncovered)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::perimeter::Window;

    fn said(unique_id: &str, time: &str, issued: Option<&str>) -> BreakGlassUse {
        let until = "2026-06-01T00:00:00Z".parse().ok();
        let perimeter = Perimeter {
            break_glass: vec![BreakGlass {
                principal: "arn:aws:iam::111122223333:role/emergency".into(),
                unique_ids: vec!["AROAPINNED".into()],
                tables: vec!["orders".into()],
                window: Window { from: None, until },
                max_session: Some(SignedDuration::from_hours(1)),
                ticket: None,
            }],
            ..Perimeter::default()
        };
        let mut principal = Principal::of_arn("arn:aws:iam::111122223333:role/emergency");
        principal.unique_id = Some(unique_id.into());
        let when = When { time: time.parse().ok(), issued: issued.and_then(|time| time.parse().ok()) };
        let tables = ["arn:aws:dynamodb:eu-west-1:111122223333:table/orders".to_owned()];
        break_glass(&perimeter, &principal, when, (&tables, false)).0
    }

    #[test]
    fn a_session_is_too_long_from_the_first_second_past_its_length() {
        let issued = Some("2026-05-01T00:00:00Z");
        let of = |time| said("AROAPINNED", time, issued);
        assert_eq!(of("2026-05-01T01:00:00Z"), BreakGlassUse::InForce);
        assert_eq!(of("2026-05-01T01:00:01Z"), BreakGlassUse::TooLong);
        // What does not say when its session began is held to the window alone.
        assert_eq!(said("AROAPINNED", "2026-05-01T09:00:00Z", None), BreakGlassUse::InForce);
    }

    #[test]
    fn a_session_that_outlives_the_window_is_out_of_it_however_short() {
        let issued = Some("2026-05-31T23:30:00Z");
        assert_eq!(said("AROAPINNED", "2026-05-31T23:59:59Z", issued), BreakGlassUse::InForce);
        assert_eq!(said("AROAPINNED", "2026-06-01T00:00:00Z", issued), BreakGlassUse::OutOfWindow);
        assert_eq!(said("AROAMADEAGAIN", "2026-06-01T00:00:00Z", issued), BreakGlassUse::Recreated);
    }
}
