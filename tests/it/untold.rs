//! Stories of what a snapshot leaves out: what cannot be known is never taken for harmless, nor what is known for
//! unknown.

use serde_json::{Value, json};

use crate::stories::{
    ACCOUNT, OTHER, Step, Tested, World, allow, guard, iam, organizations, put_policy, snapshot, text,
    told_in,
};

const UNREADABLE: Option<&str> = Some("change-unreadable");

fn world(change: impl FnOnce(&mut Value)) -> World {
    let mut snapshot = snapshot();
    change(&mut snapshot);
    World { snapshot, ..World::default() }
}

fn detached() -> Value {
    json!({"policyId": "p-guard", "targetId": "ou-1"})
}

fn content(guard: &Value) -> Value {
    json!({"policyId": "p-guard", "content": text(guard)})
}

/// A guard that may be above an account whose place is not known goes, and comes.
fn unplaced(off: Option<&'static str>) -> Vec<Step> {
    vec![
        organizations("UpdatePolicy", content(&guard("StringNotLike")), UNREADABLE),
        organizations("UpdatePolicy", content(&guard("ArnNotLike")), UNREADABLE),
        organizations("UpdatePolicy", json!({"policyId": "p-guard", "name": "another-name"}), None),
        organizations("DetachPolicy", detached(), UNREADABLE),
        organizations("DeletePolicy", json!({"policyId": "p-other"}), None),
        organizations(
            "DisablePolicyType",
            json!({"rootId": "r-1", "policyType": "SERVICE_CONTROL_POLICY"}),
            off,
        ),
    ]
}

#[test]
fn a_guard_of_accounts_without_a_place() -> Tested {
    let of = |parents: Value| world(|stands| stands["organization"]["parents"] = parents);
    let removed = Some("guard-removed");
    // In no organization that is told; below a unit that lies nowhere; in a ring.
    told_in(
        &world(|stands| drop(stands.as_object_mut().map(|all| all.remove("organization")))),
        &unplaced(UNREADABLE),
    )?;
    told_in(&of(json!({})), &unplaced(removed))?;
    told_in(&of(json!({ACCOUNT: "ou-2", OTHER: "ou-2"})), &unplaced(removed))?;
    told_in(
        &of(json!({ACCOUNT: "ou-2", OTHER: "ou-2", "ou-2": "ou-3", "ou-3": "ou-2"})),
        &unplaced(removed),
    )?;
    Ok(())
}

#[test]
fn accounts_that_are_placed_hang_on_none_that_is_not() -> Tested {
    let parents = json!({"ou-1": "r-1", "ou-2": "r-1", ACCOUNT: "ou-1", OTHER: "ou-2"});
    let world = world(|stands| {
        stands["organization"]["parents"] = parents;
        stands["organization"]["attached"]["ou-2"] = json!(["p-FullAWSAccess"]);
    });
    let attachment = |target: &str| json!({"policyId": "p-guard", "targetId": target});
    told_in(
        &world,
        &[
            organizations("AttachPolicy", attachment("ou-2"), None),
            organizations("DetachPolicy", attachment("ou-3"), None),
            organizations("DetachPolicy", attachment("ou-2"), Some("guard-removed")),
        ],
    )?;
    Ok(())
}

#[test]
fn a_role_of_an_account_without_a_place() -> Tested {
    let world = world(|stands| stands["organization"]["parents"] = json!({}));
    told_in(
        &world,
        &[
            iam("PutRolePolicy", put_policy("idle", &allow("s3:*")), None),
            iam("PutRolePolicy", put_policy("idle", &allow("dynamodb:*")), UNREADABLE),
            // What is above it stays, whatever it is, and so does what it may do.
            iam("PutRolePolicy", put_policy("app", &allow("s3:*")), None),
        ],
    )?;
    Ok(())
}

#[test]
fn a_unit_whose_policies_are_not_told() -> Tested {
    let world = world(|stands| {
        stands["organization"]["attached"] =
            json!({"r-1": ["p-FullAWSAccess"], ACCOUNT: ["p-FullAWSAccess"]});
    });
    told_in(
        &world,
        &[
            // It stays untold what else is attached to it.
            organizations("AttachPolicy", detached(), UNREADABLE),
            organizations("DetachPolicy", detached(), UNREADABLE),
            organizations("UpdatePolicy", content(&guard("StringNotLike")), UNREADABLE),
        ],
    )?;
    Ok(())
}
