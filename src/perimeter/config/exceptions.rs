//! Who may come from elsewhere, and what nobody wants to hear of: the entries that take something
//! out of the perimeter's reach.

use std::collections::HashMap;

use ipnet::IpNet;

use super::diagnostic::Diagnostic;
use super::read::{BLOCK, Checked, Diagnostics, Kind, List, PATTERN, TEXT, Table, What, values};
use super::risk;
use super::settings::rule;
use super::value::{self, Complaint};
use crate::perimeter::{BreakGlass, Perimeter, Service, Suppression, Transit, TrustedAddress, Window};

const TRANSIT: Kind = Kind { heading: "[[transit]]", keys: &["cidrs", "note"] };
const TRUSTED: Kind = Kind { heading: "[[trusted_address]]", keys: &["cidrs", "from", "until", "reason"] };
const BREAK_GLASS: Kind = Kind {
    heading: "[[break_glass]]",
    keys: &["principal", "unique_ids", "tables", "from", "until", "max_session", "ticket"],
};
const SERVICE: Kind = Kind { heading: "[[service]]", keys: &["principal", "via", "reason"] };
const SUPPRESS: Kind =
    Kind { heading: "[[suppress]]", keys: &["rule", "principal", "from", "until", "reason"] };

pub(super) fn transit(top: &Table<'_>, found: &mut Diagnostics) -> Vec<Transit> {
    let mut all = Vec::new();
    let mut entries = Vec::new();
    for table in found.tables(top, "transit", TRANSIT) {
        let cidrs = blocks(&table, &[risk::vast], &mut all, found);
        entries.push(Transit { cidrs, note: free(&table, "note", found) });
    }
    warn_of_unions(&all, found);
    entries
}

/// The `cidrs` of an entry, which are put to `all` as well.
fn blocks<'a>(
    table: &Table<'a>,
    judges: &[fn(&IpNet) -> Option<Complaint>],
    all: &mut Vec<Checked<'a, IpNet>>,
    found: &mut Diagnostics,
) -> Vec<IpNet> {
    let list = found.needed_list(table, "cidrs", BLOCK, value::cidr);
    warn_if_empty(&list, "the list is empty, so the entry has no effect", found);
    all.extend(list.iter().flat_map(|(blocks, _)| blocks));
    found.blocks(list, judges)
}

fn warn_of_unions(all: &[Checked<'_, IpNet>], found: &mut Diagnostics) {
    for (complaint, at) in risk::together(all) {
        found.warn(at, complaint);
    }
}

pub(super) fn trusted(top: &Table<'_>, found: &mut Diagnostics) -> Vec<TrustedAddress> {
    let mut all = Vec::new();
    let mut entries = Vec::new();
    for table in found.tables(top, "trusted_address", TRUSTED) {
        let cidrs = blocks(&table, &[risk::private, risk::wide], &mut all, found);
        let window = window(&table, found);
        endless(&table, "the addresses are trusted without end", found);
        entries.push(TrustedAddress { cidrs, window, reason: free(&table, "reason", found) });
    }
    warn_of_unions(&all, found);
    entries
}

/// `from` and `until`.
fn window(table: &Table<'_>, found: &mut Diagnostics) -> Window {
    let from = found.moment(table, "from");
    let until = found.moment(table, "until");
    if let (Some((from, from_at)), Some((until, until_at))) = (from, until)
        && until <= from
    {
        let message = if until < from {
            "the window ends before it begins"
        } else {
            "the window ends when it begins: `until` is no longer in it"
        };
        let begins = format!("begins {from}");
        found.report(
            Diagnostic::error(until_at, message).related(from_at, begins).help("put `until` behind `from`"),
        );
    }
    let (from, until_at) = (from.map(|(from, _)| from), until.map(|(_, at)| at));
    let until = until.map(|(until, _)| until);
    if let (Some(until), Some(at)) = (until, until_at)
        && let Some(complaint) = risk::far(from, until)
    {
        found.warn(at, complaint);
    }
    Window { from, until }
}

fn endless(table: &Table<'_>, message: &str, found: &mut Diagnostics) {
    if table.node("until").is_none() {
        let diagnostic = Diagnostic::warning(table.at, format!("{message}: there is no `until`"));
        found.report(diagnostic.help("add `until`, the day to look at it again"));
    }
}

fn free(table: &Table<'_>, name: &str, found: &mut Diagnostics) -> Option<String> {
    found.optional(table, name, TEXT, value::free).map(|(text, _)| text)
}

pub(super) fn break_glass(
    top: &Table<'_>,
    perimeter: &Perimeter,
    found: &mut Diagnostics,
) -> Vec<BreakGlass> {
    let mut first = HashMap::new();
    let mut entries = Vec::new();
    for table in found.tables(top, "break_glass", BREAK_GLASS) {
        let principal = found.needed(&table, "principal", PATTERN, value::principal_pattern);
        let unique_ids = found.list(
            &table,
            "unique_ids",
            What("a unique id", "\"AROAEXAMPLEEXAMPLE01\""),
            value::unique_id,
        );
        let tables = found.list(
            &table,
            "tables",
            What("a pattern of table names or ARNs", "\"orders-*\""),
            value::table_pattern,
        );
        warn_if_empty(&unique_ids, "an empty list stands for every role of the name", found);
        warn_if_empty(&tables, "an empty list stands for every table", found);
        let window = window(&table, found);
        endless(&table, "the principal may come from anywhere without end", found);
        let max_session =
            found.optional(&table, "max_session", What("a length of time", "\"1h\""), value::duration);
        let max_session = max_session.map(|(length, _)| length);
        let ticket = free(&table, "ticket", found);
        let Some((principal, at)) = principal else { continue };
        let judged = [
            risk::break_glass(&principal),
            risk::never_matches(&principal),
            risk::reaches(perimeter, &principal),
        ];
        for complaint in judged.into_iter().flatten() {
            found.warn(at, complaint);
        }
        let (unique_ids, tables) = (values(unique_ids), values(tables));
        let key =
            (principal.clone(), unique_ids.clone(), tables.clone(), window.from, window.until, max_session);
        found.repeated(&mut first, key, "the same entry", at);
        entries.push(BreakGlass { principal, unique_ids, tables, window, max_session, ticket });
    }
    entries
}

fn warn_if_empty<T>(list: &Option<List<'_, T>>, message: &str, found: &mut Diagnostics) {
    if let Some((items, at)) = list
        && items.is_empty()
    {
        found.report(Diagnostic::warning(at, message).help("leave it out, or fill it"));
    }
}

pub(super) fn services(top: &Table<'_>, found: &mut Diagnostics) -> Vec<Service> {
    let mut first = HashMap::new();
    let mut entries = Vec::new();
    for table in found.tables(top, "service", SERVICE) {
        let principal = found.needed(&table, "principal", PATTERN, value::principal_pattern);
        let via = found.optional(
            &table,
            "via",
            What("a service's name", "\"lambda.amazonaws.com\""),
            value::service,
        );
        if let Some((via, at)) = &via
            && let Some(complaint) = risk::misspelt(via)
        {
            found.warn(at, complaint);
        }
        let via = via.map(|(via, _)| via);
        let reason = free(&table, "reason", found);
        let Some((principal, at)) = principal else { continue };
        let judged = [risk::never_matches(&principal), risk::service(&principal, via.as_deref())];
        for complaint in judged.into_iter().flatten() {
            found.warn(at, complaint);
        }
        found.repeated(&mut first, (principal.clone(), via.clone()), "the same entry", at);
        entries.push(Service { principal, via, reason });
    }
    entries
}

pub(super) fn suppressions(top: &Table<'_>, found: &mut Diagnostics) -> Vec<Suppression> {
    let mut first = HashMap::new();
    let mut entries = Vec::new();
    for table in found.tables(top, "suppress", SUPPRESS) {
        let rule = found.needed(&table, "rule", What("a rule's name", "\"metadata-outside\""), rule);
        let principal = found.optional(&table, "principal", PATTERN, value::principal_pattern);
        if table.node("principal").is_none() {
            let diagnostic =
                Diagnostic::warning(table.at, "the rule is silent whoever calls: there is no `principal`");
            found.report(diagnostic.help("add `principal`"));
        }
        if let Some((pattern, at)) = &principal {
            for complaint in [risk::never_matches(pattern), risk::suppression(pattern)].into_iter().flatten()
            {
                found.warn(at, complaint);
            }
        }
        let window = window(&table, found);
        endless(&table, "the rule is silent without end", found);
        let reason = free(&table, "reason", found);
        let Some((rule, at)) = rule else { continue };
        let principal = principal.map(|(pattern, _)| pattern);
        let key = (rule.id, principal.clone(), window.from, window.until);
        found.repeated(&mut first, key, "the same entry", at);
        entries.push(Suppression { rule: rule.id, principal, window, reason });
    }
    entries
}
