//! The accounts that a proof about everybody, or about every table, goes through: those that something names, and two
//! of the others. Who is of one account and what of another is the same for any two that nothing tells apart.

use std::collections::HashSet;

use super::bundle::Bundle;
use crate::iam::document::Principal;
use crate::ids::is_account;
use crate::perimeter::{Mode, Perimeter};

/// Accounts that nothing names, of which so many stand for all.
const OTHERS: usize = 2;

/// The accounts of a perimeter that are taken, in order, as far as anything tells them apart.
pub fn accounts(
    bundles: &[&Bundle],
    perimeter: &Perimeter,
    takes: impl Fn(&str, Mode) -> bool,
) -> Vec<String> {
    let taken = perimeter.accounts.iter().filter(|(account, (_, mode))| takes(account.as_str(), *mode));
    let mut accounts: Vec<&str> = taken.map(|(account, _)| account.as_str()).collect();
    accounts.sort_unstable();
    if accounts.len() <= OTHERS {
        return accounts.into_iter().map(str::to_owned).collect();
    }
    let texts = texts(bundles, perimeter);
    let tells_all = texts.iter().any(|text| may_name_in_part(text));
    let named: HashSet<&str> = texts.iter().flat_map(|text| numbers(text)).collect();
    let mut others = 0;
    let mut is_kept = |account: &&str| {
        let is_named = tells_all || named.contains(account);
        others += usize::from(!is_named);
        is_named || others <= OTHERS
    };
    accounts.into_iter().filter(|account| is_kept(account)).map(str::to_owned).collect()
}

/// All texts that could name an account.
pub fn texts<'t>(bundles: &[&'t Bundle], perimeter: &'t Perimeter) -> HashSet<&'t str> {
    let mut texts: HashSet<&str> = HashSet::new();
    let mut knows_owners = perimeter.prove.vpc_identity_exact;
    for bundle in bundles {
        let tags = bundle.principals.iter().filter_map(|principal| principal.tags.as_ref());
        let tags = tags.chain(bundle.tables.iter().filter_map(|table| table.tags.as_ref())).flatten();
        texts.extend(tags.map(|(_, value)| value.as_str()));
        texts.extend(bundle.principals.iter().map(|principal| principal.arn.as_str()));
        texts.extend(bundle.tables.iter().map(|table| table.arn.as_str()));
        for statement in bundle.policies().flat_map(|policy| &policy.document.statements) {
            texts.extend(statement.resources.items.iter().map(|item| item.text.as_str()));
            let principals = statement.principals.iter().flat_map(|principals| &principals.items);
            texts.extend(principals.filter_map(name));
            for condition in &statement.conditions {
                texts.extend(condition.texts.iter().map(String::as_str));
                knows_owners |= condition.key.starts_with("aws:vpce") || condition.key == "aws:sourcevpcarn";
            }
        }
    }
    for entry in &perimeter.break_glass {
        texts.insert(&entry.principal);
        texts.extend(entry.tables.iter().map(String::as_str));
    }
    texts.extend(perimeter.management_account.as_ref().map(|account| account.as_str()));
    if knows_owners {
        texts.extend(perimeter.vpcs.keys().map(|vpc| vpc.account.as_str()));
        texts.extend(perimeter.endpoints.iter().map(|endpoint| endpoint.vpc.account.as_str()));
    }
    texts
}

fn name(principal: &Principal) -> Option<&str> {
    match principal {
        Principal::Account(name) | Principal::AccountAtEndpoint(name) | Principal::Arn(name) => Some(name),
        Principal::Everybody
        | Principal::Gone(_)
        | Principal::Service(_)
        | Principal::Federated(_)
        | Principal::Canonical(_) => None,
    }
}

/// The account numbers in a text.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_ascii_digit()).filter(|part| is_account(part))
}

/// May digits be a part of an account's number, whose rest a wildcard or variable beside them stands for? A number
/// stands between colons, or alone: digits with anything else beside them are none of it.
fn may_name_in_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let starts = (0..bytes.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1)));
    let beside = |byte: Option<&u8>, open: &[u8]| match byte {
        None | Some(b':') => Beside::End,
        Some(byte) if open.contains(byte) => Beside::Open,
        Some(_) => Beside::Other,
    };
    starts.into_iter().any(|start| {
        let end = (start..=bytes.len()).find(|at| !is_digit(*at)).unwrap_or(bytes.len());
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        // A variable ends in a brace and begins with a dollar.
        match (beside(before, b"*?}"), beside(bytes.get(end), b"*?$")) {
            (Beside::Other, _) | (_, Beside::Other) | (Beside::End, Beside::End) => false,
            (Beside::Open, _) | (_, Beside::Open) => end - start < 12,
        }
    })
}

/// What stands beside digits.
enum Beside {
    /// Where a number may end.
    End,
    /// What may stand for more digits.
    Open,
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perimeter::config;

    fn of(statement: &str) -> Vec<String> {
        let accounts: Vec<String> = (1..=9).map(|n| format!("{n}11122223333")).collect();
        let text =
            format!("version = 1\n[environments.production]\nmode = \"enforce\"\naccounts = {accounts:?}\n");
        let perimeter = config::parse(&text).unwrap().perimeter;
        let bundle = format!(
            r#"{{"principals":[{{"arn":"*","identity":[{{"name":"own","document":{{"Statement":{statement}}}}}]}}]}}"#
        );
        super::accounts(&[&Bundle::parse(&bundle).unwrap()], &perimeter, |_, mode| mode == Mode::Enforce)
    }

    #[test]
    fn digits_that_may_be_of_a_number() {
        for (text, may) in [
            ("arn:aws:iam::*39:role/a", true),
            ("arn?aws?iam::??????????39:role/:a:b/x", true),
            ("arn:aws:iam::${aws:PrincipalTag/a}39:role/a", true),
            ("1111*", true),
            ("*39", true),
            ("*:39*", true),
            ("arn:aws:iam::*:role/team-2024*", false),
            ("arn:aws:dynamodb:*:*:table/orders-2024*", false),
            ("vpc-0*", false),
            ("cc-1*", false),
            ("AROA1*:x", false),
            ("arn:aws:iam::111122223333:role/*", false),
        ] {
            assert_eq!(may_name_in_part(text), may, "{text}");
        }
    }

    #[test]
    fn those_that_are_named_and_two_of_the_others() {
        let allow = |resource: &str| format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{resource}"}}"#);
        assert_eq!(of(&allow("*")), ["111122223333", "211122223333"]);
        let named = of(&allow("arn:aws:dynamodb:*:711122223333:table/*"));
        assert_eq!(named, ["111122223333", "211122223333", "711122223333"]);
        assert_eq!(of(&allow("arn:aws:dynamodb:*:7*:table/*")).len(), 9);
        assert_eq!(of(&allow("arn:aws:dynamodb:*:*:table/orders-2024*")).len(), 2);
        assert_eq!(of(&allow("arn:aws:dynamodb:*7*")).len(), 9);
    }
}
