//! Tables that no policy tells apart: what is so of one of them is so of all.
//!
//! Policies tell tables apart by their ARNs alone (no condition key has a table's name), by a policy or tags of the
//! table's own, and break-glass entries by the name. Behind two ARNs a pattern is at the same places, or it tells them
//! or what hangs on them apart.

use std::collections::BTreeMap;

use crate::ids::Arn;
use crate::perimeter::Perimeter;
use crate::prove::bundle::{Bundle, Table};
use crate::prove::strings::Pattern;

/// Where every pattern is behind a table's ARN.
type Places = Vec<Option<Vec<u64>>>;

/// The tables of a bundle, by their places in it: those together that nothing tells apart.
pub fn alike(bundle: &Bundle, perimeter: &Perimeter) -> Vec<Vec<usize>> {
    let patterns = patterns(bundle);
    let mut together: BTreeMap<(&str, &str, Vec<bool>, Places), Vec<usize>> = BTreeMap::new();
    let mut alone = Vec::new();
    for (n, table) in bundle.tables.iter().enumerate() {
        match (Arn::parse(&table.arn), &patterns) {
            (Some(arn), Some(patterns)) if is_plain(table) => {
                let places = patterns.iter().map(|pattern| pattern.places_behind(&table.arn)).collect();
                let named = names(&arn, perimeter);
                together.entry((arn.account, arn.region, named, places)).or_default().push(n);
            }
            _ => alone.push(vec![n]),
        }
    }
    alone.extend(together.into_values());
    alone
}

fn is_plain(table: &Table) -> bool {
    table.policy.is_none() && table.tags.is_none() && !table.arn.contains("/stream/")
}

/// The resources that statements speak of, as a whole and part by part. `None`: one of them has a variable, which may
/// stand for any name.
fn patterns(bundle: &Bundle) -> Option<Vec<Pattern>> {
    let statements = bundle.policies().flat_map(|policy| &policy.document.statements);
    let mut texts: Vec<&str> = Vec::new();
    for item in statements.flat_map(|statement| &statement.resources.items) {
        if item.template.variables().next().is_some() {
            return None;
        }
        texts.push(&item.text);
    }
    texts.sort_unstable();
    texts.dedup();
    let whole = texts.into_iter().map(Pattern::glob);
    Some(
        whole
            .flat_map(|pattern| [pattern.by_parts().map(|(parts, _)| parts), Some(pattern)])
            .flatten()
            .collect(),
    )
}

/// Which break-glass entries speak of the table by its name.
fn names(arn: &Arn<'_>, perimeter: &Perimeter) -> Vec<bool> {
    let name = arn.resource.strip_prefix("table/").unwrap_or_default();
    let entries = perimeter.break_glass.iter().flat_map(|entry| &entry.tables);
    entries.map(|pattern| pattern.starts_with("arn:") || crate::glob::matches(pattern, name)).collect()
}
