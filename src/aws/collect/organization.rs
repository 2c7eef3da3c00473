//! Roots, units and accounts, and the policies that are attached to them.
//!
//! Which policies hang where is asked once for each policy, and not for each account, of which there are many more. So one
//! policy whose targets are not told leaves it open of every root, unit and account: none has an entry in `attached` then.
//!
//! Source: Organizations API reference, `ListRoots`, `ListOrganizationalUnitsForParent`, `ListAccountsForParent`,
//! `ListPolicies`, `DescribePolicy`, `ListTargetsForPolicy`; Organizations user guide, "Quotas for AWS Organizations".

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_organizations::Client;
use aws_sdk_organizations::operation::list_roots::ListRootsError;
use aws_sdk_organizations::types::{PolicySummary, PolicyType, Root};
use serde_json::{Value, json};

use super::{each, object};
use crate::aws::s3::described;
use crate::iam::state::snapshot::Unread;

/// Levels below a root that are gone down: AWS has five.
const DEPTH: usize = 8;

/// Units and accounts that are taken in. AWS has 2,000 units, and 50,000 accounts by special agreement.
const PLACES: usize = 100_000;

/// Stands in the place of a root or unit that could not be read. Nothing tells what is attached to it, so anything may be.
const UNREAD: &str = "unread";

/// An organization, as far as it could be read.
pub(super) struct Read {
    pub value: Value,
    pub unread: Vec<Unread>,
}

/// Why none of it was read.
pub(super) enum Failed {
    /// The account is in none.
    NotInUse(String),
    Unread(String),
}

/// Reads an organization; `accounts` are those that must have a place in it if they can.
///
/// # Errors
/// Where not even its roots can be read.
pub(super) async fn read(client: &Client, accounts: &BTreeSet<String>) -> Result<Read, Failed> {
    let roots = roots(client).await?;
    let mut unread = Vec::new();
    let tree = Tree::read(client, &roots, &mut unread).await;
    let (policies, attached) = policies(client, &mut unread).await;
    let parents = tree.parents_with(accounts);
    let attached = attached.map(|attached| {
        // Who was read and has nothing attached has an empty list, and that says something.
        let ids = roots.iter().filter_map(Root::id).chain(parents.keys().map(String::as_str));
        let all = ids.chain(accounts.iter().map(String::as_str));
        let of = |id: &str| attached.get(id).cloned().unwrap_or_default();
        all.map(|id| (id.to_owned(), of(id))).collect::<BTreeMap<_, _>>()
    });
    // All that there is was read, and these are not in it.
    let outside: Vec<&String> = accounts.iter().filter(|account| !parents.contains_key(*account)).collect();
    let value = json!({
        "outside": outside,
        "roots": roots.iter().map(root).collect::<Vec<_>>(),
        "parents": parents,
        "policies": policies,
        "attached": attached.unwrap_or_default(),
    });
    Ok(Read { value, unread })
}

/// What is written where there is an organization and none of it could be read: every account lies in a place of which
/// nothing is known.
pub(super) fn unread(accounts: &BTreeSet<String>) -> Value {
    let kinds = [PolicyType::ServiceControlPolicy, PolicyType::ResourceControlPolicy];
    let types = kinds.map(|kind| json!({ "Type": kind.as_str(), "Status": "ENABLED" }));
    let parents: BTreeMap<&String, &str> = accounts.iter().map(|account| (account, UNREAD)).collect();
    json!({ "roots": [{ "Id": UNREAD, "PolicyTypes": types }], "parents": parents })
}

/// What the pages of a list hold, all together; of a list without an end, the beginning.
macro_rules! all {
    ($request:expr, $field:ident) => {{
        let mut pages = $request.into_paginator().send();
        let mut items = Vec::new();
        loop {
            match pages.next().await {
                Some(Ok(page)) if items.len() <= PLACES => items.extend(page.$field.unwrap_or_default()),
                Some(Err(error)) => break Err(error),
                Some(Ok(_)) | None => break Ok(items),
            }
        }
    }};
}

async fn roots(client: &Client) -> Result<Vec<Root>, Failed> {
    all!(client.list_roots(), roots).map_err(|error| {
        let is_in_none =
            error.as_service_error().is_some_and(ListRootsError::is_aws_organizations_not_in_use_exception);
        let failed = if is_in_none { Failed::NotInUse } else { Failed::Unread };
        failed(described(&error))
    })
}

fn root(root: &Root) -> Value {
    let types = root.policy_types().iter().map(|of| {
        object([
            ("Type", of.r#type().map(|kind| kind.as_str().into())),
            ("Status", of.status().map(|status| status.as_str().into())),
        ])
    });
    // One without either says nothing.
    let types = types.filter(|of| of["Type"].is_string() && of["Status"].is_string());
    object([
        ("Id", root.id().map(Value::from)),
        ("Name", root.name().map(Value::from)),
        ("PolicyTypes", Some(types.collect())),
    ])
}

/// What lies in what.
#[derive(Default)]
struct Tree {
    parents: BTreeMap<String, String>,
    /// Something of it could not be read.
    has_gaps: bool,
}

impl Tree {
    /// Level by level, from the roots down.
    async fn read(client: &Client, roots: &[Root], unread: &mut Vec<Unread>) -> Self {
        let mut tree = Self::default();
        let mut level: Vec<String> = roots.iter().filter_map(Root::id).map(str::to_owned).collect();
        for _ in 0..DEPTH {
            let found = each(std::mem::take(&mut level), |parent| async move {
                let below = children(client, &parent).await;
                (parent, below)
            });
            for (parent, below) in found.await {
                let Children { units, accounts, failed } = below;
                for why in failed {
                    tree.gap(unread, format!("what lies in {parent}"), why);
                }
                for account in accounts {
                    tree.parents.insert(account, parent.clone());
                }
                // Whatever was found before is gone down already.
                level.extend(
                    units
                        .into_iter()
                        .filter(|unit| tree.parents.insert(unit.clone(), parent.clone()).is_none()),
                );
            }
            if level.is_empty() {
                return tree;
            }
            if tree.parents.len() > PLACES {
                break;
            }
        }
        let why = format!("more than {DEPTH} levels, or more than {PLACES} units and accounts");
        tree.gap(unread, "all of the organization".to_owned(), why);
        tree
    }

    fn gap(&mut self, unread: &mut Vec<Unread>, what: String, why: String) {
        self.has_gaps = true;
        unread.push(Unread { what, why });
    }

    /// The places of all; where there are gaps, each of `accounts` that was not found lies in one.
    fn parents_with(self, accounts: &BTreeSet<String>) -> BTreeMap<String, String> {
        let mut parents = self.parents;
        if self.has_gaps {
            for account in accounts {
                parents.entry(account.clone()).or_insert_with(|| UNREAD.to_owned());
            }
        }
        parents
    }
}

/// What lies directly in a root or unit.
struct Children {
    units: Vec<String>,
    accounts: Vec<String>,
    failed: Vec<String>,
}

async fn children(client: &Client, parent: &str) -> Children {
    let units = client.list_organizational_units_for_parent().parent_id(parent);
    let units = all!(units, organizational_units).map_err(|error| described(&error));
    let accounts = client.list_accounts_for_parent().parent_id(parent);
    let accounts = all!(accounts, accounts).map_err(|error| described(&error));
    let failed = [units.as_ref().err(), accounts.as_ref().err()].into_iter().flatten().cloned().collect();
    Children {
        units: units.into_iter().flatten().filter_map(|unit| unit.id).collect(),
        accounts: accounts.into_iter().flatten().filter_map(|account| account.id).collect(),
        failed,
    }
}

type Attached = BTreeMap<String, BTreeSet<String>>;

/// All policies of both types, and where they are attached; `None` where that is not told of all.
async fn policies(client: &Client, unread: &mut Vec<Unread>) -> (Vec<Value>, Option<Attached>) {
    let mut listed = Vec::new();
    let mut is_told = true;
    for kind in [PolicyType::ServiceControlPolicy, PolicyType::ResourceControlPolicy] {
        match list(client, &kind).await {
            Ok(summaries) => {
                let with_id = |summary: PolicySummary| Some((summary.id.clone()?, summary, kind.clone()));
                listed.extend(summaries.into_iter().filter_map(with_id));
            }
            Err(why) => {
                is_told = false;
                unread.push(Unread { what: format!("policies of type {}", kind.as_str()), why });
            }
        }
    }
    listed.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let read = each(listed, |(id, summary, kind)| async move {
        let (content, targets) = (content(client, &id).await, targets(client, &id).await);
        (id, summary, kind, content, targets)
    });
    let (mut policies, mut attached) = (others(client).await, Attached::new());
    for (id, summary, kind, content, targets) in read.await {
        let content =
            content.map_err(|why| unread.push(Unread { what: format!("text of policy {id}"), why }));
        policies.push(object([
            ("Id", Some(id.as_str().into())),
            ("Name", summary.name().map(Value::from)),
            ("Type", Some(kind.as_str().into())),
            ("Content", content.ok().flatten().map(Value::from)),
        ]));
        match targets {
            Ok(targets) => {
                for target in targets {
                    attached.entry(target).or_default().insert(id.clone());
                }
            }
            Err(why) => {
                is_told = false;
                unread.push(Unread { what: format!("what policy {id} is attached to"), why });
            }
        }
    }
    (super::sorted_by(policies, "Id"), is_told.then_some(attached))
}

/// Policies of the types that decide no request, by their ids: so nobody takes one that is attached for a guard. A type
/// that cannot be listed is left out: what is attached of it is then not known, and said to be so when it matters.
async fn others(client: &Client) -> Vec<Value> {
    let deciding = [PolicyType::ServiceControlPolicy, PolicyType::ResourceControlPolicy];
    let kinds = PolicyType::values().iter().map(|name| PolicyType::from(*name));
    let kinds: Vec<PolicyType> = kinds.filter(|kind| !deciding.contains(kind)).collect();
    let listed = each(kinds, |kind| async move { (list(client, &kind).await, kind) }).await;
    let of_kind = |(listed, kind): (Result<Vec<PolicySummary>, String>, PolicyType)| {
        let ids = listed.unwrap_or_default().into_iter().filter_map(|summary| summary.id);
        ids.map(move |id| object([("Id", Some(id.into())), ("Type", Some(kind.as_str().into()))]))
    };
    listed.into_iter().flat_map(of_kind).collect()
}

async fn list(client: &Client, kind: &PolicyType) -> Result<Vec<PolicySummary>, String> {
    let listed = all!(client.list_policies().filter(kind.clone()), policies);
    listed.map_err(|error| described(&error))
}

async fn content(client: &Client, id: &str) -> Result<Option<String>, String> {
    let policy = client.describe_policy().policy_id(id).send().await;
    policy.map(|found| found.policy.and_then(|policy| policy.content)).map_err(|error| described(&error))
}

async fn targets(client: &Client, id: &str) -> Result<Vec<String>, String> {
    let targets = all!(client.list_targets_for_policy().policy_id(id), targets);
    let targets = targets.map_err(|error| described(&error))?;
    Ok(targets.into_iter().filter_map(|target| target.target_id).collect())
}
