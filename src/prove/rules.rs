//! Statements made ready for proofs: which actions each speaks of, its conditions, its resources as patterns.
//!
//! That is done once for policies that many principals share.

use std::cell::OnceCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use super::actions::Reach;
use super::clause::{Clause, Fixed, Shape, template_pattern};
use super::strings::{Class, Pattern};
use crate::iam::document::{Effect, ResourcePattern, Statement};
use crate::iam::evaluate::{Layer, Policy};

/// A statement that speaks of some action of DynamoDB, ready.
#[derive(Debug)]
pub struct Rule<'p> {
    pub layer: Layer,
    pub policy: &'p Policy,
    pub statement: &'p Statement,
    pub reach: Reach,
    pub clauses: Vec<Clause<'p>>,
    /// Some resource of it has a variable.
    pub has_variables: bool,
    /// Its resources; without variables.
    resources: OnceCell<Readings>,
    digest: OnceCell<u64>,
}

/// What resources match in every reading, and what in some.
#[derive(Clone, Debug)]
pub struct Readings {
    pub must: Rc<[Pattern]>,
    pub may: Rc<[Pattern]>,
    /// Of some the documentation leaves open what they match.
    pub is_open: bool,
}

/// The statements of policies in their layer. Those that speak of no action of DynamoDB are left out: they
/// neither allow nor deny one.
pub fn rules<'p>(layer: Layer, policies: &'p [Policy]) -> impl Iterator<Item = Rule<'p>> {
    let statements = policies
        .iter()
        .flat_map(|policy| policy.document.statements.iter().map(move |statement| (policy, statement)));
    statements.filter_map(move |(policy, statement)| {
        let reach = Reach::of(&statement.actions);
        let speaks = !reach.surely.or(reach.perhaps).is_empty();
        speaks.then(|| Rule {
            layer,
            policy,
            statement,
            reach,
            clauses: statement.conditions.iter().map(Clause::new).collect(),
            has_variables: statement
                .resources
                .items
                .iter()
                .any(|item| item.template.variables().next().is_some()),
            resources: OnceCell::new(),
            digest: OnceCell::new(),
        })
    })
}

impl Rule<'_> {
    /// Whatever the resource, the statement speaks of it.
    pub fn is_of_every_resource(&self) -> bool {
        let resources = &self.statement.resources;
        !resources.negated && resources.items.iter().any(|item| item.text == "*")
    }

    /// The same for statements that say the same.
    pub fn digest(&self) -> u64 {
        *self.digest.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            let statement = self.statement;
            (statement.effect == Effect::Allow).hash(&mut hasher);
            statement.actions.items.iter().for_each(|item| item.text.hash(&mut hasher));
            statement.resources.items.iter().for_each(|item| item.text.hash(&mut hasher));
            for condition in &statement.conditions {
                (&condition.key, &condition.texts).hash(&mut hasher);
            }
            hasher.finish()
        })
    }

    /// Its resources as patterns.
    pub fn resources(&self, fixed: &Fixed) -> Readings {
        let read = || Readings::of(&self.statement.resources.items, fixed);
        if self.has_variables { read() } else { self.resources.get_or_init(read).clone() }
    }
}

impl Readings {
    fn of(items: &[ResourcePattern], fixed: &Fixed) -> Self {
        let (mut must, mut may, mut is_open) = (Vec::new(), Vec::new(), false);
        for item in items {
            let plain = match template_pattern(&item.template, &Class::Any, false, fixed) {
                Shape::Pattern(pattern) => pattern,
                Shape::Around(pattern) => {
                    may.push(pattern);
                    is_open = true;
                    continue;
                }
                Shape::None | Shape::Open => continue,
            };
            if item.open.is_some() {
                may.push(plain);
                is_open = true;
                continue;
            }
            match plain.by_parts() {
                // What fits part by part fits as a whole.
                Some((parts, true)) => {
                    must.push(parts);
                    may.push(plain);
                }
                Some((parts, false)) => may.extend([plain, parts]),
                None => {
                    must.push(plain.clone());
                    may.push(plain);
                }
            }
        }
        Self { must: must.into(), may: may.into(), is_open }
    }
}
