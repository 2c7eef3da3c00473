//! Turns one CloudTrail record into a typed change of what guards the perimeter.
//!
//! Known here is what the event itself says: who or what was changed, and the few things that need
//! no other policy to be judged (a table made without its policy, a grant to another account, a
//! trail stopped, an event whose text is gone). Whether a change lets a request in from outside
//! hangs on all the other policies in force and is not known here: [`Shows::Nothing`].
//!
//! An event carries the request, not the outcome of all requests: events come late, twice and out
//! of order, so that what stands now has to be read back. Where an event has a name and no ARN, the
//! ARN is built from the record's account and region; an IAM name that lies under a path comes out
//! without it.
//!
//! Sources: API models of botocore 1.44.5; CloudTrail user guide, "CloudTrail record contents";
//! IAM Identity Center user guide, "Logging IAM Identity Center API calls
//! with AWS CloudTrail".

mod anywhere;
mod center;
mod compute;
mod dax;
mod draft;
mod edits;
mod event;
mod grant;
mod identity;
mod link;
mod name;
mod network;
mod organization;
mod own;
mod path;
mod product;
#[cfg(test)]
mod sample;
mod session;
mod table;
mod wider;

pub use own::Own;

use crate::cloudtrail::record::{Key, Record};
use crate::iam::state::Edit;
use crate::ids;

use draft::{Draft, Kind, Needs};
use event::Event;

/// The most ARNs that a [`Change`] names.
pub const MAX_RESOURCES: usize = 32;

/// A change of what guards the perimeter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What changed, as one phrase. A call that failed changed nothing, and its phrase begins with
    /// `attempted: `. Names in it are cut, and not escaped.
    pub what: String,
    /// ARNs of what the event touches: sorted, each once, at most [`MAX_RESOURCES`].
    pub resources: Vec<String>,
    /// ARN of a role that the event makes. Also that of a user made or renamed: a break-glass
    /// pattern may be a user's. Where the event does not tell the path, it is one under which a
    /// break-glass entry speaks of the name, if there is any. `None` where the call failed.
    pub made_role: Option<String>,
    /// What the event's own text already shows.
    pub shows: Shows,
    /// What it does to what stands. Nothing where the call failed, or is of what the state does not have.
    pub edits: Vec<Edit>,
}

impl Change {
    /// Has it any bearing on what guards the perimeter? A policy of a type that decides no request has none; it is only
    /// to be known when it is attached.
    pub fn has_bearing(&self) -> bool {
        !matches!(self.edits.as_slice(), [Edit::OtherControl(_)]) || self.shows != Shows::Nothing
    }
}

/// What an event shows without any other policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shows {
    /// Nothing: whether it weakens the perimeter has to be proven. Also where the call failed.
    Nothing,
    /// It changes a policy, and its parameters or the policy's text are not in the record:
    /// CloudTrail leaves out parameters of more than 100 KB, and a policy can be padded to that. Also
    /// where the resource may be the product's own, and the record does not tell whose it is.
    Unreadable,
    /// It makes a table from a backup, a point in time or a file. None of these calls takes a
    /// resource policy, so the table begins without one.
    UnguardedTable,
    /// It lets in everybody or an account that is not ours, or lets a service or such an account
    /// replicate the table.
    ExternalGrant,
    /// It changes the trail that is audited.
    LoggingWeakened,
    /// It changes a resource of the product itself.
    ProductChanged,
    /// It opens a way to an approved VPC, or out of one, or may: of most ways the event does not tell
    /// where they lead.
    NetworkPath,
    /// It sends the changes of a table's items somewhere else.
    StreamDestination,
    /// It makes a lasting credential, switches one on, or changes who vouches for identities.
    CredentialCreated,
    /// It does so for a user or role that a break-glass entry speaks of.
    BreakGlassCredential,
    /// It writes the trust policy of such a role, with an `Allow` in it.
    BreakGlassTrusted,
    /// It gives such a user or role permissions, or takes a boundary away. What it had before is not known.
    BreakGlassWidened,
    /// It puts tags on such a user or role, by which policies may let more through.
    BreakGlassTagged,
}

/// What else a change is read against: answered by whoever knows the perimeter.
pub trait Ours {
    /// The patterns of break-glass principals.
    fn break_glass(&self) -> Vec<&str>;

    /// Does a break-glass entry speak of this principal?
    fn speaks_of(&self, arn: &str) -> bool;

    /// Is the account ours?
    fn is_account(&self, account: &str) -> bool;

    /// Is this our organization's id?
    fn is_organization(&self, id: &str) -> bool;

    /// Is an approved VPC of this id?
    fn is_vpc(&self, id: &str) -> bool;

    /// Is an endpoint of this id in an approved VPC?
    fn is_endpoint(&self, id: &str) -> bool;

    /// Is an endpoint of this id known, and its VPC not approved, or an exempt account's?
    fn is_other_endpoint(&self, id: &str) -> bool;

    /// Is an approved VPC of this id owned by this account, in this region, and the account not
    /// exempt? An owner or region that is not told may be any.
    fn approves_vpc(&self, account: Option<&str>, region: Option<&str>, id: &str) -> bool;

    /// Does the account own an approved VPC in the region, and is it not exempt? An account or region
    /// that is not told may be any.
    fn owns_vpc(&self, account: Option<&str>, region: Option<&str>) -> bool;
}

/// Can this event be a change at all? Called for every record of a log: allocates nothing where the
/// service is spelt as services are.
#[inline]
pub fn is_candidate(source: &str, name: &str) -> bool {
    ids::service_of(source).is_some_and(|service| is_change(&service, name))
}

fn is_change(service: &str, name: &str) -> bool {
    match service {
        "dynamodb" => table::is_change(name),
        "dax" => dax::is_change(name),
        "iam" => identity::is_change(name),
        "sts" => session::is_change(name),
        "rolesanywhere" => anywhere::is_change(name),
        "sso" | "sso-directory" | "identitystore" | "identitystore-scim" => center::is_change(service, name),
        "organizations" => organization::is_change(name),
        "ec2" => network::is_change(name),
        "ram" | "directconnect" | "networkmanager" => link::is_change(service, name),
        "cloudtrail" | "events" | "lambda" | "kms" | "sqs" | "sns" | "s3" => {
            product::is_change(service, name)
        }
        "scheduler" => compute::is_change(service, name) || product::is_change(service, name),
        "ecs" | "glue" | "states" | "apigateway" | "appsync" | "pipes" | "cognito-identity" | "iot" => {
            compute::is_change(service, name)
        }
        _ => false,
    }
}

/// Reads the change that a record tells of. `None`: it changes nothing that guards the perimeter.
///
/// A session of a role that a break-glass entry speaks of is a change, one of any other role is not.
pub fn recognise(record: &Record<'_>, own: &Own<'_>, ours: &dyn Ours) -> Option<Change> {
    let source = record.get(Key::EventSource).text()?;
    let service = ids::service_of(&source)?;
    let name = record.get(Key::EventName).text()?;
    if !is_change(&service, &name) {
        return None;
    }
    let event = Event::new(record, &name);
    let draft = match &*service {
        "dynamodb" => table::change(&event, ours),
        "dax" => dax::change(&event),
        "iam" => identity::change(&event, ours),
        "sts" => session::change(&event, ours),
        "rolesanywhere" => anywhere::change(&event, ours),
        "organizations" => organization::change(&event),
        "ec2" => network::change(&event, ours),
        "ram" | "directconnect" | "networkmanager" => link::change(&service, &event, ours),
        "sso" | "sso-directory" | "identitystore" | "identitystore-scim" => center::change(&service, &event),
        _ if product::is_change(&service, &name) => product::change(&service, &event, own),
        _ => compute::change(&service, &event),
    };
    draft?.finish(&event, own, &service)
}

#[cfg(test)]
mod tests {
    use super::sample::{Sample, change_of};
    use super::*;

    #[test]
    fn other_services_are_no_candidates() {
        for (source, name) in [
            ("ssm.amazonaws.com", "PutParameter"),
            ("logs.amazonaws.com", "PutResourcePolicy"),
            ("dynamodb.amazonaws.com", "GetItem"),
            ("dynamodb", "PutResourcePolicy"),
            ("iam.amazonaws.com", "putrolepolicy"),
            ("iam.amazonaws.com.example", "PutRolePolicy"),
            ("", ""),
        ] {
            assert!(!is_candidate(source, name), "{source} {name}");
        }
    }

    #[test]
    fn a_service_spelt_otherwise_is_the_same_service() {
        for (source, name) in [
            ("dynamodb.amazonaws.com.cn", "PutResourcePolicy"),
            ("DynamoDB.amazonaws.com", "PutResourcePolicy"),
            ("dax.amazonaws.com.cn", "CreateCluster"),
            ("iam.amazonaws.com.cn", "PutRolePolicy"),
            ("EC2.amazonaws.com.cn", "ModifyVpcEndpoint"),
        ] {
            assert!(is_candidate(source, name), "{source} {name}");
            let change = change_of(source, name, r#"{"vpcEndpointId":"vpce-0a"}"#);
            assert!(change.is_some(), "{source} {name}");
        }
        assert!(!is_candidate("streams.dynamodb.amazonaws.com.cn", "GetRecords"));
    }

    #[test]
    fn an_ordinary_log_has_no_change_of_other_peoples_functions() {
        let request = r#"{"name":"abc","filterSet":{"items":[{"name":"x"}]}}"#;
        assert_eq!(change_of("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", request), None);
        let resources = ["arn:aws:lambda:eu-west-1:111122223333:function:perimeter-*".to_owned()];
        let own = Own { resources: &resources, ..Own::default() };
        let sample = Sample::new("lambda.amazonaws.com", "UpdateFunctionCode20150331v2").request(request);
        assert_eq!(sample.change_for(&own, &[]), None);
        let sample = Sample::new("sts.amazonaws.com", "AssumeRole").request(request);
        assert_eq!(sample.change_for(&own, &["arn:aws:iam::*:role/*".to_owned()]), None);
    }

    #[test]
    fn any_type_may_stand_anywhere() {
        let calls = [
            ("iam.amazonaws.com", "PutRolePolicy"),
            ("iam.amazonaws.com", "CreateRole"),
            ("iam.amazonaws.com", "CreateAccessKey"),
            ("sts.amazonaws.com", "AssumeRole"),
            ("sts.amazonaws.com", "AssumeRoot"),
            ("rolesanywhere.amazonaws.com", "CreateProfile"),
            ("sso.amazonaws.com", "CreateAccountAssignment"),
            ("organizations.amazonaws.com", "CreatePolicy"),
            ("ec2.amazonaws.com", "CreateVpcEndpoint"),
            ("ec2.amazonaws.com", "CreateVpcPeeringConnection"),
            ("ec2.amazonaws.com", "ModifyVpcEndpoint"),
            ("ec2.amazonaws.com", "ModifySubnetAttribute"),
            ("ec2.amazonaws.com", "AcceptVpcPeeringConnection"),
            ("networkmanager.amazonaws.com", "CreateVpcAttachment"),
            ("ram.amazonaws.com", "CreateResourceShare"),
            ("dynamodb.amazonaws.com", "UpdateTable"),
            ("dynamodb.amazonaws.com", "ImportTable"),
            ("dax.amazonaws.com", "CreateCluster"),
            ("cloudtrail.amazonaws.com", "StopLogging"),
            ("events.amazonaws.com", "PutTargets"),
            ("lambda.amazonaws.com", "AddPermission20150331v2"),
            ("sqs.amazonaws.com", "DeleteQueue"),
            ("s3.amazonaws.com", "DeleteBucket"),
            ("lambda.amazonaws.com", "CreateFunction20150331"),
            ("ecs.amazonaws.com", "UpdateService"),
            ("glue.amazonaws.com", "UpdateJob"),
            ("states.amazonaws.com", "UpdateStateMachine"),
            ("apigateway.amazonaws.com", "UpdateIntegration"),
            ("appsync.amazonaws.com", "UpdateDataSource"),
            ("pipes.amazonaws.com", "CreatePipe"),
            ("lambda.amazonaws.com", "CreateEventSourceMapping20150331"),
            ("iam.amazonaws.com", "UpdateAccessKey"),
        ];
        let odd = ["null", "true", "7", "1e400", "\"\"", "\"é/…\"", "[]", "{}", "[[{}]]", r#"{"omitted":7}"#];
        let keys = [
            "roleName",
            "path",
            "policyDocument",
            "roleArn",
            "targetPrincipal",
            "roleArns",
            "content",
            "type",
            "CreateVpcEndpointRequest",
            "peerVpcId",
            "resourceArns",
            "tableName",
            "replicaUpdates",
            "tableCreationParameters",
            "clusterName",
            "name",
            "rule",
            "eventBusName",
            "functionName",
            "queueUrl",
            "role",
            "taskDefinition",
            "credentialsArn",
            "patchOperations",
            "userName",
            "status",
            "enabled",
            "vpcId",
            "vpcArn",
            "requesterVpcInfo",
            "vpcEndpointId",
            "addSubnetId",
            "mapPublicIpOnLaunch",
            "principals",
            "streamSpecification",
            "source",
            "eventSourceArn",
        ];
        let patterns = ["arn:aws:iam::*:role/*".to_owned(), "*".to_owned()];
        let own = Own { table: Some("arn"), resources: &patterns, roles: &patterns };
        for (source, name) in calls {
            for value in odd {
                let all: Vec<String> = keys.iter().map(|key| format!("\"{key}\":{value}")).collect();
                let all = format!("{{{}}}", all.join(","));
                for field in [
                    "requestParameters",
                    "responseElements",
                    "resources",
                    "userIdentity",
                    "awsRegion",
                    "recipientAccountId",
                    "errorCode",
                ] {
                    for value in [value, &all] {
                        let sample = Sample::new(source, name).request("{}").field(field, value);
                        sample.change_for(&own, &patterns);
                    }
                }
            }
        }
    }

    #[test]
    fn arns_lie_in_the_records_account_and_partition() {
        let sample = Sample::new("iam.amazonaws.com", "DeleteRole").request(r#"{"roleName":"r"}"#);
        let sample = sample.field("awsRegion", "\"cn-north-1\"").field("recipientAccountId", "null");
        let sample = sample.field("userIdentity", r#"{"accountId":"444455556666"}"#);
        let resources = sample.change().map(|change| change.resources);
        assert_eq!(resources, Some(vec!["arn:aws-cn:iam::444455556666:role/r".to_owned()]));
        let sample = sample.field("userIdentity", "null");
        assert_eq!(sample.change().map(|change| change.resources), Some(Vec::new()));
    }
}
