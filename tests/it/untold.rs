//! Stories of what a snapshot leaves out, or a perimeter does not enforce: what cannot be known is never taken for
//! harmless, nor what is known for unknown.

use serde_json::{Value, json};

use crate::stories::{
    ACCOUNT, ORDERS, OTHER, Step, Tested, World, allow, dynamodb, guard, iam, lock, organizations, policy,
    put_policy, role, snapshot, swept_in, text, told_in, trust, ways,
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
    // Nor does a sweep call it open, or closed.
    let (result, code) = swept_in(&world)?;
    assert_eq!((ways(&result), code), (Vec::new(), Some(2)), "{result:#}");
    assert_eq!(result["closed_accounts"], json!([]));
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

const OBSERVED: &str = "222233334444";

/// Another account of the organization, held to that, beside the unit that the guard is above.
fn with_other(mode: &str) -> World {
    let mut world = world(|stands| {
        stands["accounts"][OBSERVED] = json!({"RoleDetailList": [role(OBSERVED, "app", &[allow("*")])], "UserDetailList": [], "GroupDetailList": []});
        stands["organization"]["parents"][OBSERVED] = json!("r-1");
        stands["organization"]["attached"][OBSERVED] = json!(["p-FullAWSAccess"]);
    });
    let environment = format!("[environments.other]\nmode = \"{mode}\"\naccounts = [\"{OBSERVED}\"]\n");
    world.perimeter = world.perimeter.replace("[[vpc]]", &format!("{environment}[[vpc]]"));
    world
}

fn grant(principal: &Value) -> Value {
    policy(json!([{"Effect": "Allow", "Principal": principal, "Action": "dynamodb:*", "Resource": "*"}]))
}

#[test]
fn a_table_is_given_to_an_account_of_ours_that_is_not_enforced() -> Tested {
    let app = format!("arn:aws:iam::{OBSERVED}:role/app");
    let put = |policy: &Value, rule| {
        dynamodb("PutResourcePolicy", json!({"resourceArn": ORDERS, "policy": text(policy)}), rule)
    };
    let in_organization = json!([{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}}]);
    let attach = |is: bool, rule| {
        let request = json!({"policyId": "p-guard", "targetId": OBSERVED});
        organizations(if is { "AttachPolicy" } else { "DetachPolicy" }, request, rule)
    };
    for mode in ["observe", "exempt"] {
        let world = with_other(mode);
        told_in(
            &world,
            &[
                put(&grant(&json!({"AWS": app})), Some("perimeter-opened")),
                put(&lock(), None),
                put(&grant(&json!({"AWS": OBSERVED})), Some("perimeter-opened")),
                put(&lock(), None),
                put(&policy(in_organization.clone()), Some("perimeter-opened")),
                // The guard above the account holds its roles out, and then it does not.
                attach(true, None),
                put(&lock(), None),
                put(&grant(&json!({"AWS": app})), Some("guard-weakened")),
                attach(false, Some("guard-removed")),
            ],
        )?;
        let mut stands = world;
        stands.snapshot["tables"][0]["policy"] = grant(&json!({"AWS": app}));
        let (result, code) = swept_in(&stands)?;
        assert_eq!((ways(&result), code), (vec!["app orders".to_owned()], Some(1)), "{result:#}");
    }
    Ok(())
}

#[test]
fn an_observed_account_under_resource_policies_of_its_own() -> Tested {
    let mut world = with_other("observe");
    let (full, own) = ("p-RCPFullAWSAccess", "p-own");
    let control = |id: &str, content: &Value| json!({"Id": id, "Name": id, "Type": "RESOURCE_CONTROL_POLICY", "Content": content.to_string()});
    let all = policy(json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]));
    let organization = &mut world.snapshot["organization"];
    organization["roots"][0]["PolicyTypes"] = json!([{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"},
        {"Type": "RESOURCE_CONTROL_POLICY", "Status": "ENABLED"}]);
    organization["policies"].as_array_mut().into_iter().for_each(|policies| {
        policies.extend([control(full, &all), control(own, &lock())]);
    });
    for node in ["r-1", "ou-1", ACCOUNT, OTHER, OBSERVED] {
        organization["attached"][node].as_array_mut().into_iter().for_each(|ids| ids.push(json!(full)));
    }
    organization["attached"][OBSERVED].as_array_mut().into_iter().for_each(|ids| ids.push(json!(own)));
    let detached = json!({"policyId": own, "targetId": OBSERVED});
    let detach = |rule| organizations("DetachPolicy", detached.clone(), rule);
    let given = iam("PutRolePolicy", put_policy("idle", &allow("dynamodb:GetItem")), None);
    told_in(&world, &[given, detach(None)])?;
    assert_eq!(swept_in(&world)?.1, Some(0));
    // A table of its own that is there is asked about.
    unguarded(&mut world.snapshot);
    world.snapshot["organization"]["attached"]["ou-1"] = json!(["p-FullAWSAccess", full]);
    world.snapshot["tables"][1]["arn"] = json!(format!("arn:aws:dynamodb:eu-west-1:{OBSERVED}:table/own"));
    world.snapshot["tables"][1]["policy"] = grant(&json!({"AWS": ACCOUNT}));
    told_in(&world, &[detach(Some("guard-removed"))])?;
    Ok(())
}

#[test]
fn a_policy_of_another_type_hides_nothing() -> Tested {
    let attached = |id: &str| json!({"policyId": id, "targetId": "ou-1"});
    let made = Step(
        "organizations",
        "CreatePolicy",
        json!({"name": "tags", "type": "TAG_POLICY", "content": "{}"}),
        json!({"policy": {"policySummary": {"id": "p-tags"}}}),
        None,
    );
    let opened = |rule| iam("PutRolePolicy", put_policy("idle", &allow("dynamodb:GetItem")), rule);
    let mut world = world(unguarded);
    let story = [
        made,
        organizations("AttachPolicy", attached("p-tags"), None),
        organizations("UpdatePolicy", json!({"policyId": "p-tags", "content": "{}"}), None),
        opened(Some("perimeter-opened")),
    ];
    told_in(&world, &story)?;
    // One that nothing told of may be a guard.
    let story = [organizations("AttachPolicy", attached("p-unlisted"), None), opened(UNREADABLE)];
    told_in(&world, &story)?;
    world.snapshot["organization"]["policies"].as_array_mut().into_iter().for_each(|policies| {
        policies
            .push(json!({"Id": "p-unlisted", "Name": "backups", "Type": "BACKUP_POLICY", "Content": "{}"}));
    });
    told_in(
        &world,
        &[organizations("AttachPolicy", attached("p-unlisted"), None), opened(Some("perimeter-opened"))],
    )?;
    Ok(())
}

#[test]
fn tags_of_a_table_whose_tags_are_not_told() -> Tested {
    let exempting = policy(json!([{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*", "Condition": {
        "StringNotEquals": {"aws:ResourceTag/open": "yes", "aws:SourceVpc": "vpc-0prod0eu"}}}]));
    let tagged = |rule| {
        let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/customers";
        dynamodb(
            "TagResource",
            json!({"resourceArn": table, "tags": [{"key": "open", "value": "yes"}]}),
            rule,
        )
    };
    let mut world = world(|stands| stands["organization"]["policies"][1]["Content"] = text(&exempting));
    told_in(&world, &[tagged(Some("perimeter-opened"))])?;
    drop(world.snapshot["tables"][1].as_object_mut().map(|table| table.remove("tags")));
    told_in(&world, &[tagged(UNREADABLE)])?;
    // No policy asks for tags.
    let mut plain = self::world(unguarded);
    drop(plain.snapshot["tables"][1].as_object_mut().map(|table| table.remove("tags")));
    told_in(&plain, &[tagged(None)])?;
    Ok(())
}
