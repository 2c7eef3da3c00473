//! Break-glass as patterns: who may come from outside, and to which tables.

use std::rc::Rc;

use jiff::Timestamp;

use super::solve::Excluded;
use super::strings::{Class, Pattern, Step};
use crate::glob;
use crate::perimeter::{Mode, Perimeter};

/// What break-glass covers at a time.
pub fn break_glass(perimeter: &Perimeter, now: Timestamp) -> Vec<Excluded> {
    let in_force = perimeter.break_glass.iter().filter(|entry| entry.window.contains(Some(now)));
    in_force
        .flat_map(|entry| {
            let covers_all = entry.tables.is_empty() || entry.tables.iter().any(|table| table == "*");
            let tables = (!covers_all).then(|| {
                entry.tables.iter().flat_map(|table| table_patterns(table)).collect::<Rc<[Pattern]>>()
            });
            callers_of(&entry.principal, perimeter)
                .into_iter()
                .map(move |caller| Excluded { caller, tables: tables.clone() })
        })
        .collect()
}

/// The callers that a break-glass pattern speaks of. A wildcard for the account stands only for accounts of
/// enforce and observe environments.
fn callers_of(pattern: &str, perimeter: &Perimeter) -> Vec<Pattern> {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let has_wildcard = parts.get(4).is_some_and(|account| glob::has_wildcard(account));
    if !has_wildcard {
        return vec![part_by_part(pattern)];
    }
    let accounts = perimeter.accounts.iter().filter(|(_, (_, mode))| *mode != Mode::Exempt);
    let accounts = accounts
        .filter(|(account, _)| parts.get(4).is_some_and(|pattern| glob::matches(pattern, account.as_str())));
    let with = |account: &str| {
        let mut parts = parts.clone();
        if let Some(part) = parts.get_mut(4) {
            *part = account;
        }
        part_by_part(&parts.join(":"))
    };
    accounts.map(|(account, _)| with(account.as_str())).collect()
}

/// A pattern in which a wildcard never crosses a colon.
fn part_by_part(text: &str) -> Pattern {
    let step = |char| match char {
        '*' => Step::Many(Class::But(':')),
        '?' => Step::One(Class::But(':')),
        _ => Step::One(Class::Of(char)),
    };
    Pattern::new(text.chars().map(step).collect())
}

/// What a break-glass entry's table stands for: the table and all that hangs on it.
fn table_patterns(table: &str) -> Vec<Pattern> {
    let itself = if table.starts_with("arn:") {
        part_by_part(table)
    } else {
        let name = table.chars().map(|char| match char {
            '*' => Step::Many(Class::But('/')),
            '?' => Step::One(Class::But('/')),
            _ => Step::One(Class::Of(char)),
        });
        part_by_part("arn:*:dynamodb:*:*:table/").then(Pattern::new(name.collect()))
    };
    vec![itself.clone(), itself.then(Pattern::glob("/*"))]
}
