//! One role, user, group, managed policy, policy of the organization, table or endpoint, written as a snapshot has it.
//! `None`: there is no such thing.

use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{
    AttachedPolicy, GroupDetail, ManagedPolicyDetail, PolicyDetail, PolicyVersion, RoleDetail, UserDetail,
};
use serde_json::{Value, json};

use super::{Failed, endpoints, identity, object, tables};
use crate::iam::state::{HolderId, HolderKind};

/// Pages of one list that are read: a role has ten policies, or twenty by special agreement, of each kind.
const PAGES: usize = 16;

/// What came of a request, where that there is no such thing is an answer as well.
fn found<T, E>(answer: Result<T, SdkError<E>>, codes: &[&str]) -> Result<Option<T>, Failed>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code().is_some_and(|code| codes.contains(&code)) => Ok(None),
        Err(error) => Err(Failed::of(&error)),
    }
}

const NO_ENTITY: [&str; 2] = ["NoSuchEntity", "NoSuchEntityException"];

/// The pages of a list of IAM's, all together.
macro_rules! pages {
    ($request:expr, $field:ident) => {{
        let (mut items, mut marker, mut left) = (Vec::new(), None, PAGES);
        loop {
            let page = $request.set_marker(marker).send().await.map_err(|error| Failed::of(&error))?;
            items.extend(page.$field);
            marker = page.marker.filter(|_| page.is_truncated);
            left -= 1;
            if marker.is_none() {
                break items;
            }
            if left == 0 {
                return Err(Failed::said(format!("there are more than {PAGES} pages of its policies")));
            }
        }
    }};
}

/// The inline policies and the attached ones of a role, user or group.
macro_rules! policies {
    ($client:expr, $name:expr, $named:ident, $list:ident, $get:ident, $attached:ident) => {{
        let mut inline = Vec::new();
        for policy in pages!($client.$list().$named($name), policy_names) {
            let read = $client.$get().$named($name).policy_name(&policy).send().await;
            // One that is gone meanwhile is none.
            if let Some(read) = found(read, &NO_ENTITY)? {
                let detail =
                    PolicyDetail::builder().policy_name(policy).policy_document(read.policy_document);
                inline.push(detail.build());
            }
        }
        let attached = pages!($client.$attached().$named($name), attached_policies);
        let attached: Vec<AttachedPolicy> = attached.into_iter().flatten().collect();
        (inline, attached)
    }};
}

pub(super) async fn holder(client: &Client, id: &HolderId) -> Result<Option<Value>, Failed> {
    let read = match id.kind {
        HolderKind::Role => role(client, &id.name).await?.map(identity::role),
        HolderKind::User => user(client, &id.name).await?.map(identity::user),
        HolderKind::Group => group(client, &id.name).await?.map(identity::group),
    };
    read.transpose().map_err(Failed::said)
}

async fn role(client: &Client, name: &str) -> Result<Option<RoleDetail>, Failed> {
    let read = found(client.get_role().role_name(name).send().await, &NO_ENTITY)?;
    let Some(role) = read.and_then(|read| read.role) else { return Ok(None) };
    let (inline, attached) =
        policies!(client, name, role_name, list_role_policies, get_role_policy, list_attached_role_policies);
    let detail = RoleDetail::builder()
        .path(role.path)
        .role_name(role.role_name)
        .role_id(role.role_id)
        .arn(role.arn)
        .set_assume_role_policy_document(role.assume_role_policy_document)
        .set_role_policy_list(Some(inline))
        .set_attached_managed_policies(Some(attached))
        .set_permissions_boundary(role.permissions_boundary)
        .set_tags(role.tags);
    Ok(Some(detail.build()))
}

async fn user(client: &Client, name: &str) -> Result<Option<UserDetail>, Failed> {
    let read = found(client.get_user().user_name(name).send().await, &NO_ENTITY)?;
    let Some(user) = read.and_then(|read| read.user) else { return Ok(None) };
    let (inline, attached) =
        policies!(client, name, user_name, list_user_policies, get_user_policy, list_attached_user_policies);
    let groups = pages!(client.list_groups_for_user().user_name(name), groups);
    let detail = UserDetail::builder()
        .path(user.path)
        .user_name(user.user_name)
        .user_id(user.user_id)
        .arn(user.arn)
        .set_user_policy_list(Some(inline))
        .set_group_list(Some(groups.into_iter().map(|group| group.group_name).collect()))
        .set_attached_managed_policies(Some(attached))
        .set_permissions_boundary(user.permissions_boundary)
        .set_tags(user.tags);
    Ok(Some(detail.build()))
}

async fn group(client: &Client, name: &str) -> Result<Option<GroupDetail>, Failed> {
    // Its users know of it, and are read by themselves.
    let read = found(client.get_group().group_name(name).max_items(1).send().await, &NO_ENTITY)?;
    let Some(group) = read.and_then(|read| read.group) else { return Ok(None) };
    let (inline, attached) = policies!(
        client,
        name,
        group_name,
        list_group_policies,
        get_group_policy,
        list_attached_group_policies
    );
    let detail = GroupDetail::builder()
        .path(group.path)
        .group_name(group.group_name)
        .group_id(group.group_id)
        .arn(group.arn)
        .set_group_policy_list(Some(inline))
        .set_attached_managed_policies(Some(attached));
    Ok(Some(detail.build()))
}

/// A managed policy with the version that counts.
pub(super) async fn managed(client: &Client, arn: &str) -> Result<Option<Value>, Failed> {
    let read = found(client.get_policy().policy_arn(arn).send().await, &NO_ENTITY)?;
    let Some(policy) = read.and_then(|read| read.policy) else { return Ok(None) };
    let default = policy.default_version_id.as_deref().unwrap_or_default();
    let version = client.get_policy_version().policy_arn(arn).version_id(default).send().await;
    let version = found(version, &NO_ENTITY)?.and_then(|read| read.policy_version);
    let version: Option<PolicyVersion> = version.filter(|version| version.version_id.is_some());
    let detail = ManagedPolicyDetail::builder()
        .arn(arn)
        .set_policy_name(policy.policy_name)
        .set_default_version_id(policy.default_version_id)
        .set_policy_version_list(Some(version.into_iter().collect()));
    identity::managed(detail.build()).map(Some).map_err(Failed::said)
}

/// A policy of the organization.
pub(super) async fn control(
    client: &aws_sdk_organizations::Client,
    id: &str,
) -> Result<Option<Value>, Failed> {
    let read = found(client.describe_policy().policy_id(id).send().await, &["PolicyNotFoundException"])?;
    let Some(policy) = read.and_then(|read| read.policy) else { return Ok(None) };
    let summary = policy.policy_summary();
    let kind = summary.and_then(|summary| summary.r#type()).map(|kind| kind.as_str().into());
    let kind: Option<Value> = kind;
    let kind = kind.ok_or_else(|| Failed::said("the answer does not tell of which type it is".to_owned()))?;
    Ok(Some(object([
        ("Id", Some(id.into())),
        ("Name", summary.and_then(|summary| summary.name()).map(Value::from)),
        ("Type", Some(kind)),
        ("Content", policy.content().map(Value::from)),
    ])))
}

/// A table or stream, by ARN.
pub(super) async fn table(client: &aws_sdk_dynamodb::Client, arn: &str) -> Result<Option<Value>, Failed> {
    let no_policy = || json!({ "arn": arn });
    let read = client.get_resource_policy().resource_arn(arn).send().await;
    let policy = match read {
        Err(error) if error.code() == Some("PolicyNotFoundException") => no_policy(),
        read => match found(read, &["ResourceNotFoundException"])? {
            Some(read) => json!({ "arn": arn, "policy": read.policy }),
            None => return Ok(None),
        },
    };
    // Tags are none of the change, where the policy is; without them, nothing is known of them as before.
    let tags = tables::tags(client, arn).await.ok();
    Ok(Some(match (policy, tags) {
        (Value::Object(mut table), Some(tags)) => {
            table.insert("tags".to_owned(), json!(tags));
            Value::Object(table)
        }
        (table, _) => table,
    }))
}

/// An endpoint for DynamoDB.
pub(super) async fn endpoint(
    client: &aws_sdk_cloudcontrol::Client,
    id: &str,
) -> Result<Option<Value>, Failed> {
    let read = client.get_resource().type_name(endpoints::TYPE).identifier(id).send().await;
    let Some(read) = found(read, &["ResourceNotFoundException"])? else { return Ok(None) };
    let text = read.resource_description.and_then(|found| found.properties).unwrap_or_default();
    let properties = endpoints::properties(&text);
    let properties =
        properties.ok_or_else(|| Failed::said("its properties are no JSON object".to_owned()))?;
    Ok(endpoints::endpoint(id, properties))
}
