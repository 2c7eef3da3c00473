//! Policies of any text, as every kind of policy: what is read is read the same again, and every place that is
//! named lies in the text.
#![no_main]

use std::ops::Range;

use dynamodb_perimeter::iam::document::{Document, Kind, Statement};
use libfuzzer_sys::fuzz_target;

const KINDS: [Kind; 7] = [
    Kind::Identity,
    Kind::Boundary,
    Kind::Session,
    Kind::ServiceControl,
    Kind::ResourceControl,
    Kind::Table,
    Kind::Endpoint,
];

fuzz_target!(|text: &str| {
    for kind in KINDS {
        let read = Document::parse(text, kind);
        match &read {
            Ok(document) => document.statements.iter().flat_map(spans).for_each(|span| lies_in(text, span)),
            Err(problems) => {
                assert!(!problems.is_empty());
                problems.iter().for_each(|problem| lies_in(text, problem.span.clone()));
            }
        }
        assert_eq!(Document::parse(text, kind), read);
    }
});

fn spans(statement: &Statement) -> Vec<Range<usize>> {
    let Statement { span, actions, resources, principals, conditions, .. } = statement;
    let elements = [span, &actions.span, &resources.span].into_iter().chain(principals.as_ref().map(|whom| &whom.span));
    let actions = actions.items.iter().map(|item| &item.span);
    let resources = resources.items.iter().map(|item| &item.span);
    let conditions = conditions.iter().map(|condition| &condition.span);
    elements.chain(actions).chain(resources).chain(conditions).cloned().collect()
}

fn lies_in(text: &str, span: Range<usize>) {
    assert!(text.get(span.clone()).is_some(), "{span:?}");
}
