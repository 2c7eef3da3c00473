//! The lints of a bundle's policies, each with its place in the bundle's text.

use crate::iam::evaluate::{OwnText, Policy};
use crate::iam::lint::{self, Found, Lint};
use crate::json::lines::Lines;
use crate::prove::bundle::{Asked, Bundle};

/// A lint at a place of a bundle.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Placed {
    pub lint: &'static Lint,
    /// Line and column in the bundle, from 1, in characters.
    pub line: usize,
    pub column: usize,
    /// Where it stands in a policy that the bundle holds as text: that policy's own line and column.
    pub within: Option<(usize, usize)>,
    /// The policy, by its name.
    pub policy: String,
    /// The statement, by its label; `None`: it is about the whole policy.
    pub statement: Option<String>,
    /// What is wrong, in a sentence without its full stop.
    pub message: String,
}

/// All lints of a bundle, in the order of its text, which `text` must be.
pub fn lints(bundle: &Bundle, text: &str) -> Vec<Placed> {
    let found = bundle.policies().map(|policy| (policy, lint::of(&policy.document)));
    let found: Vec<(&Policy, Vec<Found>)> = found.filter(|(_, found)| !found.is_empty()).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let lines = Lines::of(text);
    let mut placed: Vec<Placed> =
        found.into_iter().flat_map(|(policy, found)| of_policy(policy, found, &lines)).collect();
    placed.sort_by_key(|one| (one.line, one.column, one.within));
    placed
}

/// What is hardly meant in a request: names that there are none of.
pub fn slips(asked: &Asked) -> Vec<String> {
    let action = lint::unknown_action(&asked.action.to_ascii_lowercase());
    let keys = asked.context.iter().filter_map(|(key, _)| lint::unknown_key(key, true));
    action.into_iter().chain(keys).collect()
}

fn of_policy(policy: &Policy, found: Vec<Found>, lines: &Lines<'_>) -> Vec<Placed> {
    let own = policy.own_text.as_ref().map(|OwnText { at, text }| (*at, Lines::of(text)));
    let place = |found: Found| {
        let (at, within) = match &own {
            Some((at, own_lines)) => (*at, Some(own_lines.place(found.span.start))),
            None => (found.span.start, None),
        };
        let (line, column) = lines.place(at);
        let (policy, Found { lint, statement, message, .. }) = (policy.name.clone(), found);
        Placed { lint, line, column, within, policy, statement, message }
    };
    found.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(document: &str) -> String {
        format!("{{\n  \"scps\": [[{{\"name\": \"é\", \"document\":\n    {document}}}]]\n}}")
    }

    type Place = (usize, usize);

    /// Line and column, and place within, of each.
    fn places(text: &str) -> Vec<(Place, Option<Place>)> {
        let bundle = Bundle::parse(text).unwrap();
        lints(&bundle, text).into_iter().map(|one| ((one.line, one.column), one.within)).collect()
    }

    #[test]
    fn places_are_of_the_bundle_and_of_a_text_in_it() {
        let document = "{\"Statement\": [\n {\"Effect\": \"Deny\", \"Action\": \"dynamodb:GetItems\", \"Resource\": \"*\"}]}";
        assert_eq!(places(&bundle(document)), [((3, 5), None), ((4, 31), None)]);
        let as_text = serde_json::to_string(document).unwrap();
        assert_eq!(places(&bundle(&as_text)), [((3, 5), Some((1, 1))), ((3, 5), Some((2, 31)))]);
        assert_eq!(places("{}"), []);
    }

    #[test]
    fn every_policy_is_looked_at() {
        let policy = |name: &str, principal: &str| {
            format!(
                r#"{{"name": "{name}", "document": {{"Statement": {{"Effect": "Deny", {principal} "Action": "dynamodb:GetItem", "Resource": "*"}}}}}}"#
            )
        };
        let (own, of_resource) = (|name| policy(name, ""), |name| policy(name, r#""Principal": "*","#));
        let text = format!(
            r#"{{"principals": [{{"arn": "*", "identity": [{}], "boundary": {}, "session": [{}]}}],
            "scps": [[{}]], "rcps": [[{}]],
            "tables": [{{"arn": "*", "policy": {}}}], "endpoints": [{{"id": "vpce-1", "policy": {}}}]}}"#,
            own("a"),
            own("b"),
            own("c"),
            own("d"),
            of_resource("e"),
            of_resource("f"),
            of_resource("g"),
        );
        let bundle = Bundle::parse(&text).unwrap();
        let policies: String = lints(&bundle, &text).into_iter().map(|one| one.policy).collect();
        assert_eq!(policies, "abcdefg");
    }
}
