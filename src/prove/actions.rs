//! Sets of DynamoDB's actions, and which of them statements speak of.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::glob;
use crate::iam::catalogue;
use crate::iam::document::{ActionPattern, Element};
use crate::iam::reading::{Reading, Side};
use crate::iam::table_policy;

/// Some of DynamoDB's actions, by their places in the list of names.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Actions(u128);

/// Every action that is asked about.
struct Names {
    /// As they are written.
    written: Vec<&'static str>,
    /// In small letters.
    folded: Vec<String>,
    places: HashMap<String, usize>,
}

/// One that AWS may add. It is asked about under this name, so that it can be simulated.
const FUTURE: &str = "FutureAction";

/// Actions that a reader knows: the first to be asked about.
const LIKED: [&str; 6] = ["GetItem", "Query", "Scan", "PutItem", "GetRecords", "ListTables"];

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut written: Vec<&'static str> =
        catalogue::dynamodb().actions.iter().map(|action| action.name).collect();
    written.sort_by_key(|name| LIKED.iter().position(|liked| liked == name).unwrap_or(LIKED.len()));
    written.push(FUTURE);
    let folded: Vec<String> = written.iter().map(|name| name.to_ascii_lowercase()).collect();
    let places = folded.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
    Names { written, folded, places }
});

/// The actions for which a table's policy counts; those by which it can let another account in; and those of which
/// nobody says whether it can.
static OF_POLICY: LazyLock<[Actions; 3]> = LazyLock::new(|| {
    let all = |holds: &dyn Fn(&str) -> bool| Actions::that(|name| holds(&format!("dynamodb:{name}")));
    [
        all(&table_policy::counts_for),
        all(&|action| table_policy::reaches_across(action) == Reading::Yes),
        all(&|action| matches!(table_policy::reaches_across(action), Reading::Unclear(_))),
    ]
});

/// Those that are done to each type of resource; the last, that name none.
static BY_TYPE: LazyLock<Vec<(Option<&'static str>, Actions)>> = LazyLock::new(|| {
    let service = catalogue::dynamodb();
    let kinds = service.resource_types.iter().map(|kind| Some(kind.name)).chain([None]);
    let done_to = |kind: Option<&str>| {
        Actions::that(|name| match (service.action(name), kind) {
            (None, _) => name == FUTURE,
            (Some(action), Some(kind)) => action.is_done_to(kind),
            (Some(action), None) => action.may_name_none(),
        })
    };
    kinds.map(|kind| (kind, done_to(kind))).collect()
});

/// Works out what all proofs share, which takes about a millisecond, once.
pub fn make_ready() {
    LazyLock::force(&OF_POLICY);
    LazyLock::force(&BY_TYPE);
    catalogue::find_key("");
}

impl Actions {
    /// Every action.
    pub fn all() -> Self {
        Self::that(|_| true)
    }

    /// Those by whose names a test holds.
    pub fn that(holds: impl Fn(&str) -> bool) -> Self {
        let places = NAMES.written.iter().enumerate().filter(|(_, name)| holds(name));
        places.map(|(place, _)| Self::of(place)).fold(Self::default(), Self::or)
    }

    /// Those that are done to a type of resource; `None`: that name none.
    pub fn done_to(kind: Option<&str>) -> Self {
        BY_TYPE.iter().find(|(known, _)| *known == kind).map(|(_, actions)| *actions).unwrap_or_default()
    }

    /// Those for which a table's policy counts.
    pub fn with_table_policy() -> Self {
        let [counting, ..] = *OF_POLICY;
        counting
    }

    /// Those by which a table's policy lets another account in: that may, or that surely do.
    pub fn across(side: Side) -> Self {
        let [_, surely, perhaps] = *OF_POLICY;
        if side == Side::Permissive { surely.or(perhaps) } else { surely }
    }

    fn of(place: usize) -> Self {
        Self(1 << (place % 128))
    }

    /// Those that are in either.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not in the other.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Is there none?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first, as `dynamodb:GetItem`.
    pub fn first(self) -> Option<String> {
        let place = usize::try_from(self.0.trailing_zeros()).ok()?;
        NAMES.written.get(place).map(|name| format!("dynamodb:{name}"))
    }

    /// The names of all, as `dynamodb:GetItem`.
    pub fn names(self) -> impl Iterator<Item = String> {
        let is_in = move |place: &usize| !self.and(Self::of(*place)).is_empty();
        (0..NAMES.written.len()).filter(is_in).filter_map(|place| Self::of(place).first())
    }

    /// Parts of these, none of which any of the others tells apart.
    pub fn parts(self, others: impl Iterator<Item = Self>) -> Vec<Self> {
        let mut parts = if self.is_empty() { Vec::new() } else { vec![self] };
        let mut by: Vec<Self> = others.map(|other| other.and(self)).collect();
        by.sort_unstable_by_key(|other| other.0);
        by.dedup();
        for other in by {
            for n in 0..parts.len() {
                let Some(part) = parts.get_mut(n) else { break };
                let (inside, outside) = (part.and(other), part.without(other));
                if !inside.is_empty() && !outside.is_empty() {
                    *part = inside;
                    parts.push(outside);
                }
            }
        }
        // Those that a reader knows come first.
        parts.sort_by_key(|part| part.0.trailing_zeros());
        parts
    }
}

/// The actions that a statement speaks of.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Reach {
    pub surely: Actions,
    /// The documentation leaves open whether it does.
    pub perhaps: Actions,
}

impl Reach {
    /// Of an `Action` or `NotAction`.
    pub fn of(element: &Element<ActionPattern>) -> Self {
        let mut listed = Self::default();
        for pattern in &element.items {
            let actions = matching(&pattern.text);
            let is_open =
                pattern.text.split_once(':').is_some_and(|(service, _)| glob::has_wildcard(service));
            let set = if is_open { &mut listed.perhaps } else { &mut listed.surely };
            *set = set.or(actions);
        }
        listed.perhaps = listed.perhaps.without(listed.surely);
        if element.negated {
            listed.surely = Actions::all().without(listed.surely).without(listed.perhaps);
        }
        listed
    }
}

/// The actions that a pattern in small letters matches. Most are names, or everything.
fn matching(pattern: &str) -> Actions {
    if matches!(pattern, "*" | "dynamodb:*") {
        return Actions::all();
    }
    match pattern.split_once(':') {
        Some(("dynamodb", name)) if !glob::has_wildcard(name) => {
            NAMES.places.get(name).map_or_else(Actions::default, |place| Actions::of(*place))
        }
        Some(("dynamodb", name)) => folded(|known| glob::matches(name, known)),
        Some((service, _)) if !glob::has_wildcard(service) => Actions::default(),
        _ => folded(|known| glob::matches(pattern, &format!("dynamodb:{known}"))),
    }
}

fn folded(holds: impl Fn(&str) -> bool) -> Actions {
    let places = NAMES.folded.iter().enumerate().filter(|(_, name)| holds(name));
    places.map(|(place, _)| Actions::of(place)).fold(Actions::default(), Actions::or)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::document::{Document, Kind};
    use crate::iam::matching;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_evaluator(
            patterns in prop::collection::vec(
                prop_oneof!["dynamodb:(Get|Put|\\*|\\?|Item|List|Tables|FutureAction){0,3}x?", Just("*".to_owned()), Just("dyn*:*".to_owned()), Just("s3:*".to_owned()), Just("*:GetItem".to_owned())],
                0..4,
            ),
            negated: bool,
        ) {
            let patterns: Vec<String> = patterns.into_iter().filter(|pattern| !pattern.ends_with(':')).collect();
            let name = if negated { "NotAction" } else { "Action" };
            let text = format!(r#"{{"Statement":{{"Effect":"Deny","{name}":{patterns:?},"Resource":"*"}}}}"#);
            let document = Document::parse(&text, Kind::Identity).unwrap();
            let element = &document.statements[0].actions;
            let reach = Reach::of(element);
            for (place, name) in NAMES.written.iter().enumerate() {
                let one = Actions::of(place);
                let read = match (reach.surely.and(one).is_empty(), reach.perhaps.and(one).is_empty()) {
                    (false, _) => Reading::Yes,
                    (true, false) => Reading::Unclear("a wildcard in an action's service"),
                    (true, true) => Reading::No,
                };
                let expected = matching::action(element, &format!("dynamodb:{}", name.to_lowercase()));
                prop_assert_eq!(read, expected, "{}: {}", name, text);
            }
        }
    }

    #[test]
    fn parts_are_parts_of_all() {
        let get = Actions::that(|name| name == "GetItem");
        let reads = Actions::that(|name| name.starts_with("Get"));
        let parts = Actions::all().parts([get, reads, Actions::default()].into_iter());
        assert_eq!(parts.iter().fold(Actions::default(), |all, part| all.or(*part)), Actions::all());
        assert_eq!(parts.first().and_then(|part| part.first()).as_deref(), Some("dynamodb:GetItem"));
        assert_eq!(parts.len(), 3);
        assert!(Actions::default().parts([get].into_iter()).is_empty());
    }
}
