//! Which actions of DynamoDB and DAX a statement speaks of, and which keys a request for one may carry.

use crate::glob;
use crate::iam::catalogue::{self, Action, Service};
use crate::iam::document::Statement;

/// The service that all actions of a statement are of, where it names them and they are of one of ours.
pub fn only_service(statement: &Statement) -> Option<&'static Service> {
    let actions = &statement.actions;
    let is_only = |service: &&'static Service| {
        let is_its = |text: &str| text.split_once(':').is_some_and(|(prefix, _)| prefix == service.prefix);
        !actions.negated
            && !actions.items.is_empty()
            && actions.items.iter().all(|action| is_its(&action.text))
    };
    [catalogue::dynamodb(), catalogue::dax()].into_iter().find(is_only)
}

/// The actions of a service that a statement speaks of, or may speak of.
pub fn actions(statement: &Statement, service: &'static Service) -> Vec<&'static Action> {
    let speaks_of = |action: &&'static Action| {
        let name = format!("{}:{}", service.prefix, action.name).to_ascii_lowercase();
        let listed = statement.actions.items.iter().any(|pattern| glob::matches(&pattern.text, &name));
        listed != statement.actions.negated
    };
    service.actions.iter().filter(speaks_of).collect()
}

/// Keys that the reference lists for some actions on items alone, though the parameter that they show is
/// one of others too (`ReturnConsumedCapacity` of `ExecuteStatement`).
const OF_ITEMS: [&str; 5] = [
    "dynamodb:attributes",
    "dynamodb:enclosingoperation",
    "dynamodb:returnconsumedcapacity",
    "dynamodb:returnvalues",
    "dynamodb:select",
];

/// May a request for the action carry a key of the service, given in small letters?
pub fn may_carry(service: &'static Service, action: &Action, key: &str) -> bool {
    let is = |name: &&str| name.eq_ignore_ascii_case(key);
    let speaks_of_items = action.condition_keys.iter().any(|name| name.starts_with("dynamodb:"));
    lists(service, action, key)
        || (speaks_of_items && OF_ITEMS.iter().any(is))
        // A key that the reference ties to nothing may go with anything.
        || !service.actions.iter().any(|action| lists(service, action, key))
}

fn lists(service: &'static Service, action: &Action, key: &str) -> bool {
    let is = |name: &&str| name.eq_ignore_ascii_case(key);
    action.condition_keys.iter().any(is)
        || action.resources.iter().any(|used| {
            let of_type = service.resource_type(used.name).map(|one| one.condition_keys.as_slice());
            used.condition_keys.iter().chain(of_type.unwrap_or_default()).any(is)
        })
}
