//! Stories of what a snapshot leaves out: what cannot be known is never taken for harmless, nor what is known for
//! unknown.

use serde_json::{Value, json};

use crate::stories::{
    ACCOUNT, OTHER, Step, Tested, World, allow, guard, iam, organizations, put_policy, snapshot, text,
    told_in, trust,
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

/// Nothing guards the accounts.
fn unguarded(stands: &mut Value) {
    stands["organization"]["attached"]["ou-1"] = json!(["p-FullAWSAccess"]);
}

/// A group with one user.
fn with_team(stands: &mut Value) {
    let (user, group) = ("arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:group/team");
    let account = &mut stands["accounts"][ACCOUNT];
    account["UserDetailList"] =
        json!([{"UserName": "ann", "UserId": "AIDAANN", "Arn": user, "GroupList": ["team"]}]);
    account["GroupDetailList"] = json!([{"GroupName": "team", "GroupId": "AGPATEAM", "Arn": group}]);
}

fn put_group(group: &str) -> Value {
    json!({"groupName": group, "policyName": "more", "policyDocument": text(&allow("dynamodb:*"))})
}

fn version() -> Value {
    json!({"policyArn": "arn:aws:iam::111122223333:policy/team", "policyDocument": text(&allow("dynamodb:*")), "setAsDefault": true})
}

#[test]
fn a_group_under_another_name() -> Tested {
    let world = world(|stands| {
        unguarded(stands);
        with_team(stands);
    });
    let renamed = json!({"groupName": "team", "newGroupName": "crew"});
    told_in(
        &world,
        &[
            iam("UpdateGroup", renamed, None),
            iam("PutGroupPolicy", put_group("crew"), Some("perimeter-opened")),
            iam("PutGroupPolicy", put_group("team"), None),
        ],
    )?;
    told_in(&world, &[iam("UpdateGroup", json!({"groupName": "team", "omitted": true}), UNREADABLE)])?;
    Ok(())
}

#[test]
fn who_is_in_a_group_and_who_has_a_policy() -> Tested {
    let given = |rule| {
        vec![iam("PutGroupPolicy", put_group("nobody"), rule), iam("CreatePolicyVersion", version(), rule)]
    };
    // All who are there are known, and none of them is in it.
    told_in(&world(unguarded), &given(None))?;
    let unread = |stands: &mut Value| drop(stands["accounts"].as_object_mut().map(|all| all.remove(ACCOUNT)));
    told_in(
        &world(|stands| {
            unguarded(stands);
            unread(stands);
        }),
        &given(UNREADABLE),
    )?;
    // Whoever it is, the guard keeps it out.
    told_in(&world(unread), &given(None))?;
    Ok(())
}

#[test]
fn the_path_of_a_role_that_an_event_only_names() -> Tested {
    let exempting = guard("ArnNotLike").to_string().replace("role/your-emergency-role", "role/app/*");
    let made = |name: &str, path: &str| json!({"roleName": name, "path": path, "assumeRolePolicyDocument": text(&trust("*"))});
    let put = |role, rule| iam("PutRolePolicy", put_policy(role, &allow("dynamodb:*")), rule);
    told_in(
        &world(|stands| stands["organization"]["policies"][1]["Content"] = json!(exempting)),
        &[
            put("unlisted", UNREADABLE),
            iam("CreateRole", made("inside", "/app/"), None),
            put("inside", Some("perimeter-opened")),
            iam("CreateRole", made("beside", "/other/"), None),
            put("beside", None),
        ],
    )?;
    told_in(&World::default(), &[put("unlisted", None)])?;
    Ok(())
}
