//! The roles, users, groups and managed policies of an account.
//!
//! Written with the names of AWS's own interface; documents stay percent-encoded, as they come.
//!
//! Source: IAM API reference, `GetAccountAuthorizationDetails`.

use aws_sdk_iam::Client;
use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput as Page;
use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, AttachedPolicy, GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail,
    Tag, UserDetail,
};
use serde_json::{Value, json};

use super::object;
use crate::aws::s3::described;

/// Entries of a page: the most that AWS gives.
const PAGE: i32 = 1000;

/// Reads an account whole.
///
/// # Errors
/// Where any page of it cannot be read: half an account is none.
pub(super) async fn read(client: &Client) -> Result<Value, String> {
    let mut pages = client.get_account_authorization_details().max_items(PAGE).into_paginator().send();
    let mut account = Account::default();
    while let Some(page) = pages.next().await {
        account.add(page.map_err(|error| described(&error))?)?;
    }
    let Account { users, groups, roles, policies } = account;
    Ok(json!({
        "UserDetailList": users,
        "GroupDetailList": groups,
        "RoleDetailList": roles,
        "Policies": policies,
    }))
}

#[derive(Default)]
struct Account {
    users: Vec<Value>,
    groups: Vec<Value>,
    roles: Vec<Value>,
    policies: Vec<Value>,
}

impl Account {
    fn add(&mut self, page: Page) -> Result<(), String> {
        for one in page.user_detail_list.into_iter().flatten() {
            self.users.push(user(one)?);
        }
        for one in page.group_detail_list.into_iter().flatten() {
            self.groups.push(group(one)?);
        }
        for one in page.role_detail_list.into_iter().flatten() {
            self.roles.push(role(one)?);
        }
        for one in page.policies.into_iter().flatten() {
            self.policies.push(managed(one)?);
        }
        Ok(())
    }
}

pub(super) fn user(user: UserDetail) -> Result<Value, String> {
    Ok(object([
        ("Path", user.path.map(Value::from)),
        ("UserName", named("UserName", user.user_name)?),
        ("UserId", user.user_id.map(Value::from)),
        ("Arn", named("Arn", user.arn)?),
        ("UserPolicyList", Some(inline(user.user_policy_list)?)),
        ("GroupList", Some(user.group_list.unwrap_or_default().into())),
        ("AttachedManagedPolicies", Some(attached(user.attached_managed_policies)?)),
        ("PermissionsBoundary", boundary(user.permissions_boundary)?),
        ("Tags", Some(tags(user.tags))),
    ]))
}

pub(super) fn group(group: GroupDetail) -> Result<Value, String> {
    Ok(object([
        ("Path", group.path.map(Value::from)),
        ("GroupName", named("GroupName", group.group_name)?),
        ("GroupId", group.group_id.map(Value::from)),
        ("Arn", named("Arn", group.arn)?),
        ("GroupPolicyList", Some(inline(group.group_policy_list)?)),
        ("AttachedManagedPolicies", Some(attached(group.attached_managed_policies)?)),
    ]))
}

pub(super) fn role(role: RoleDetail) -> Result<Value, String> {
    Ok(object([
        ("Path", role.path.map(Value::from)),
        ("RoleName", named("RoleName", role.role_name)?),
        ("RoleId", role.role_id.map(Value::from)),
        ("Arn", named("Arn", role.arn)?),
        ("AssumeRolePolicyDocument", role.assume_role_policy_document.map(Value::from)),
        ("RolePolicyList", Some(inline(role.role_policy_list)?)),
        ("AttachedManagedPolicies", Some(attached(role.attached_managed_policies)?)),
        ("PermissionsBoundary", boundary(role.permissions_boundary)?),
        ("Tags", Some(tags(role.tags))),
    ]))
}

pub(super) fn managed(policy: ManagedPolicyDetail) -> Result<Value, String> {
    let mut versions = Vec::new();
    for version in policy.policy_version_list.into_iter().flatten() {
        versions.push(object([
            ("VersionId", named("VersionId", version.version_id)?),
            ("IsDefaultVersion", Some(version.is_default_version.into())),
            ("Document", version.document.map(Value::from)),
        ]));
    }
    Ok(object([
        ("PolicyName", policy.policy_name.map(Value::from)),
        ("PolicyId", policy.policy_id.map(Value::from)),
        ("Arn", named("Arn", policy.arn)?),
        ("Path", policy.path.map(Value::from)),
        ("DefaultVersionId", policy.default_version_id.map(Value::from)),
        ("PolicyVersionList", Some(versions.into())),
    ]))
}

fn inline(policies: Option<Vec<PolicyDetail>>) -> Result<Value, String> {
    let of = |policy: PolicyDetail| {
        Ok(object([
            ("PolicyName", named("PolicyName", policy.policy_name)?),
            ("PolicyDocument", policy.policy_document.map(Value::from)),
        ]))
    };
    policies.into_iter().flatten().map(of).collect()
}

fn attached(policies: Option<Vec<AttachedPolicy>>) -> Result<Value, String> {
    let of = |policy: AttachedPolicy| {
        Ok(object([
            ("PolicyName", policy.policy_name.map(Value::from)),
            ("PolicyArn", named("PolicyArn", policy.policy_arn)?),
        ]))
    };
    policies.into_iter().flatten().map(of).collect()
}

fn boundary(boundary: Option<AttachedPermissionsBoundary>) -> Result<Option<Value>, String> {
    let Some(boundary) = boundary else { return Ok(None) };
    let kind = boundary.permissions_boundary_type.map(|kind| kind.as_str().into());
    let arn = named("PermissionsBoundaryArn", boundary.permissions_boundary_arn)?;
    Ok(Some(object([("PermissionsBoundaryType", kind), ("PermissionsBoundaryArn", arn)])))
}

fn tags(tags: Option<Vec<Tag>>) -> Value {
    tags.into_iter().flatten().map(|tag| json!({ "Key": tag.key, "Value": tag.value })).collect()
}

/// What AWS always tells, and without which nobody knows what is spoken of.
fn named(field: &str, value: Option<String>) -> Result<Option<Value>, String> {
    value.map(|value| Some(value.into())).ok_or_else(|| format!("an entry of the answer has no {field}"))
}
