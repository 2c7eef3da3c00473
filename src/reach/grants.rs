//! Whom tables' policies let in of our accounts that are not enforced: nobody else of them comes to a table of an account
//! that is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::texts::Texts;
use crate::iam::document::{Effect, Element, Kind, Principal};
use crate::iam::state::{State, Table, Text};
use crate::ids::Arn;
use crate::perimeter::Perimeter;

/// The account of somebody whom a statement names; `None`: it may be of any, or of none.
pub fn account_of(grantee: &Principal) -> Option<&str> {
    match grantee {
        Principal::Account(name) | Principal::AccountAtEndpoint(name) | Principal::Arn(name) => {
            Some(Arn::parse(name).map_or(name, |arn| arn.account))
        }
        Principal::Everybody | Principal::Federated(_) | Principal::Canonical(_) => None,
        Principal::Gone(_) | Principal::Service(_) => None,
    }
}

/// Does a policy let in somebody of whom that holds? One that is not known, or cannot be read, is told of elsewhere.
pub fn lets_in(table: &Table, texts: &Texts, whom: impl Fn(&Element<Principal>) -> bool) -> bool {
    let Some(Text::Known(text)) = &table.policy else { return false };
    let document = texts.read(text, Kind::Table).ok();
    let statements = document.iter().flat_map(|document| &document.statements);
    let mut allows = statements.filter(|statement| statement.effect == Effect::Allow);
    allows.any(|statement| statement.principals.as_ref().is_some_and(&whom))
}

/// Accounts that are listed and not enforced, and that the policy of one of these tables may let in.
pub fn granted<'t>(
    perimeter: &Perimeter,
    texts: &Texts,
    tables: impl Iterator<Item = &'t Arc<Table>>,
) -> BTreeSet<String> {
    let others = perimeter.accounts.keys().map(|account| account.as_str());
    let mut others: BTreeSet<&str> = others.filter(|account| !perimeter.enforces(account)).collect();
    let mut found = BTreeSet::new();
    for table in tables {
        let of_table: Vec<&str> = others
            .iter()
            .copied()
            .filter(|account| lets_in(table, texts, |principals| may_name(principals, account)))
            .collect();
        for account in of_table {
            others.remove(account);
            found.insert(account.to_owned());
        }
    }
    found
}

fn may_name(principals: &Element<Principal>, account: &str) -> bool {
    let names = |grantee: &Principal| match grantee {
        Principal::Gone(_) | Principal::Service(_) => false,
        grantee => account_of(grantee).is_none_or(|of| of == account),
    };
    principals.negated || principals.items.iter().any(names)
}

/// Accounts whose roles and users may come to a table: those that are enforced, and those that a table's policy lets in.
pub fn callers(state: &State, perimeter: &Perimeter, texts: &Texts) -> BTreeSet<String> {
    let mut callers = granted(perimeter, texts, state.tables.values());
    let enforced = perimeter.accounts.keys().map(|account| account.as_str());
    callers.extend(enforced.filter(|account| perimeter.enforces(account)).map(str::to_owned));
    callers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perimeter::config;

    const PERIMETER: &str = r#"
version = 1
[environments.production]
mode = "enforce"
accounts = ["111122223333"]
[environments.tests]
mode = "observe"
accounts = ["444455556666"]
[environments.sandbox]
mode = "exempt"
accounts = ["777788889999"]
[[vpc]]
id = "vpc-0prod0eu"
region = "eu-west-1"
account = "111122223333"
"#;

    fn of(effect: &str, principals: &str) -> Vec<String> {
        let perimeter = config::parse(PERIMETER).unwrap().perimeter;
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}",{principals},"Action":"*","Resource":"*"}}]}}"#
        );
        let table = Arc::new(Table { policy: Some(Text::known(&policy)), tags: None });
        granted(&perimeter, &Texts::default(), std::iter::once(&table)).into_iter().collect()
    }

    #[test]
    fn whom_a_policy_names_of_accounts_that_are_not_enforced() {
        let all = ["444455556666", "777788889999"];
        let role = r#""Principal":{"AWS":"arn:aws:iam::444455556666:role/r"}"#;
        assert_eq!(of("Allow", role), all[..1]);
        assert_eq!(of("Deny", role), [""; 0]);
        assert_eq!(of("Allow", r#""Principal":{"AWS":"777788889999"}"#), all[1..]);
        assert_eq!(of("Allow", r#""Principal":"*""#), all);
        assert_eq!(of("Allow", r#""NotPrincipal":{"AWS":"111122223333"}"#), all);
        for other in ["111122223333", "555566667777"] {
            assert_eq!(of("Allow", &format!(r#""Principal":{{"AWS":"{other}"}}"#)), [""; 0]);
        }
        assert_eq!(of("Allow", r#""Principal":{"Service":"replication.dynamodb.amazonaws.com"}"#), [""; 0]);
    }
}
