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

mod center;
mod compute;
mod event;
mod grant;
mod identity;
mod name;
mod network;
mod organization;
mod product;
mod table;

use std::collections::BTreeSet;

use crate::cloudtrail::record::{Key, Record};
use crate::glob;
use crate::ids::{self, Arn};

use event::{Event, cut};

/// The most ARNs that a [`Change`] names.
pub const MAX_RESOURCES: usize = 32;

/// The longest ARN that a [`Change`] names, in characters: AWS has none that is longer.
const MAX_ARN: usize = 2048;

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
}

/// What belongs to the product itself: `[product]` of perimeter.toml.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own<'a> {
    /// ARN of the table of findings.
    pub table: Option<&'a str>,
    /// ARNs of its other resources, matched as `ArnLike`.
    pub resources: &'a [String],
    /// ARNs of its roles, matched as `ArnLike`.
    pub roles: &'a [String],
}

impl Own<'_> {
    fn is_empty(&self) -> bool {
        self.table.is_none() && self.resources.is_empty() && self.roles.is_empty()
    }

    fn holds(&self, arn: &str) -> bool {
        self.resources.iter().chain(self.roles).any(|pattern| glob::arn_matches(pattern, arn))
            || self.table.is_some_and(|table| glob::arn_matches(table, table_of(arn)))
    }

    /// Is something of this service ours in this account and region? A part that is not known may be
    /// any, and the ARN of a bucket has neither.
    fn has(&self, service: &str, account: Option<&str>, region: Option<&str>) -> bool {
        let may_be = |pattern: &str, text: Option<&str>| {
            pattern.is_empty() || text.is_none_or(|text| glob::matches(pattern, text))
        };
        let arns = self.resources.iter().map(String::as_str).chain(self.table);
        arns.filter_map(Arn::parse).any(|own| {
            glob::matches(own.service, service) && may_be(own.account, account) && may_be(own.region, region)
        })
    }

    /// Is this one of our roles, by its name alone? A role's name is unique in its account, and most
    /// events have it without the path. A pattern that ends in a bare wildcard behind a path tells
    /// no names, so such a role is known only where the event has its path.
    fn holds_role(&self, account: &str, name: &str) -> bool {
        self.roles.iter().filter_map(|pattern| Arn::parse(pattern)).any(|pattern| {
            let last = pattern.resource.rsplit('/').next().unwrap_or_default();
            pattern.service == "iam"
                && pattern.resource.starts_with("role/")
                && !last.trim_matches(['*', '?']).is_empty()
                && glob::matches(last, name)
                && glob::matches(pattern.account, account)
        })
    }
}

/// The ARN of the table that an index, stream, export or backup belongs to.
fn table_of(arn: &str) -> &str {
    let end = arn.find(":table/").map(|at| at + ":table/".len());
    let rest = end.and_then(|end| arn.get(end..)).and_then(|name| name.find('/'));
    match (end, rest) {
        (Some(end), Some(name)) => arn.get(..end + name).unwrap_or(arn),
        _ => arn,
    }
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
        "dax" => table::is_dax_change(name),
        "iam" => identity::is_change(name),
        "sts" => identity::is_session(name),
        "rolesanywhere" => identity::is_anywhere_change(name),
        "sso" | "sso-directory" | "identitystore" | "identitystore-scim" => center::is_change(service, name),
        "organizations" => organization::is_change(name),
        "ec2" => network::is_change(name),
        "ram" | "directconnect" | "networkmanager" => network::is_link_change(service, name),
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
        "dax" => table::dax_change(&event),
        "iam" => identity::change(&event, ours),
        "sts" => identity::session(&event, ours),
        "rolesanywhere" => identity::anywhere_change(&event),
        "organizations" => organization::change(&event),
        "ec2" => network::change(&event),
        "ram" | "directconnect" | "networkmanager" => network::link_change(&service, &event),
        "sso" | "sso-directory" | "identitystore" | "identitystore-scim" => center::change(&service, &event),
        _ if product::is_change(&service, &name) => product::change(&service, &event, own),
        _ => compute::change(&service, &event),
    };
    draft?.finish(&event, own, &service)
}

/// What an event needs to have for its text to be readable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Needs {
    /// It is about no policy, or may come without parameters.
    Nothing,
    /// Its parameters.
    Parameters,
    /// Its parameters, and in them the text of a policy, in the field of this name.
    Text(&'static str),
}

/// An event that is a change: what it needs, and what it did.
///
/// In the phrase, `{roleName}` stands for the parameter of that name, `{a|b}` for the first that is
/// there.
type Kind = (Needs, &'static str);

/// A change, before it is known whose.
#[derive(Debug)]
struct Draft {
    what: String,
    /// What is changed.
    targets: BTreeSet<String>,
    /// What else the event speaks of.
    mentions: BTreeSet<String>,
    /// Names of roles that are changed, where the event has no path.
    roles: Vec<String>,
    made: Option<String>,
    shows: Shows,
    /// What it shows where a target is the product's own.
    own_shows: Shows,
    /// It is a change only where a target is the product's own.
    only_own: bool,
    /// It is of a kind that the product has: where nothing names the target, that may be its own.
    may_be_own: bool,
}

impl Draft {
    fn new(event: &Event<'_>, (needs, what): Kind) -> Self {
        let readable = match needs {
            Needs::Nothing => true,
            Needs::Parameters => !event.request().omitted,
            Needs::Text(field) => !event.request().omitted && event.request().has_policy(field),
        };
        Self {
            what: event.phrase(what),
            targets: BTreeSet::new(),
            mentions: event.resources(),
            roles: Vec::new(),
            made: None,
            shows: if readable { Shows::Nothing } else { Shows::Unreadable },
            own_shows: Shows::ProductChanged,
            only_own: false,
            may_be_own: false,
        }
    }

    /// Adds what is changed. What is no ARN is left out.
    fn target(&mut self, arn: Option<String>) {
        self.targets.extend(arn.filter(|arn| arn.starts_with("arn:")));
    }

    /// Adds what is spoken of. What is no ARN is left out.
    fn mention(&mut self, arn: Option<String>) {
        self.mentions.extend(arn.filter(|arn| arn.starts_with("arn:")));
    }

    fn finish(self, event: &Event<'_>, own: &Own<'_>, service: &str) -> Option<Change> {
        let account = event.account.as_deref().unwrap_or_default();
        let is_own = self.targets.iter().any(|arn| own.holds(arn))
            || self.roles.iter().any(|name| own.holds_role(account, name));
        let may_be_own = self.may_be_own
            && self.targets.is_empty()
            && event.request().omitted
            && own.has(service, event.account.as_deref(), event.region.as_deref());
        if self.only_own && !is_own && !may_be_own {
            return None;
        }
        let arns: BTreeSet<String> =
            self.targets.union(&self.mentions).map(|arn| cut(arn, MAX_ARN).into_owned()).collect();
        let resources = arns.into_iter().take(MAX_RESOURCES).collect();
        if event.failed() {
            let what = format!("attempted: {}", self.what);
            return Some(Change { what, resources, made_role: None, shows: Shows::Nothing });
        }
        let shows = match self.shows {
            Shows::ExternalGrant => Shows::ExternalGrant, // as severe, and says more
            _ if is_own => self.own_shows,
            _ if may_be_own => Shows::Unreadable,
            shows => shows,
        };
        let made_role = self.made.map(|arn| cut(&arn, MAX_ARN).into_owned());
        Some(Change { what: self.what, resources, made_role, shows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudtrail::cursor::Cursor;
    use crate::cloudtrail::marks::Marks;
    use crate::cloudtrail::record::KeyOrder;

    /// A perimeter of two accounts, with these break-glass patterns.
    pub(super) struct Listed<'a>(pub(super) &'a [String]);

    impl Ours for Listed<'_> {
        fn break_glass(&self) -> Vec<&str> {
            self.0.iter().map(String::as_str).collect()
        }

        fn speaks_of(&self, arn: &str) -> bool {
            let is_ours = ["111122223333", "222233334444"].iter().any(|account| arn.contains(account));
            self.0
                .iter()
                .any(|pattern| glob::arn_matches(pattern, arn) && (is_ours || !pattern.contains(":iam::*:")))
        }

        fn is_account(&self, account: &str) -> bool {
            ["111122223333", "222233334444"].contains(&account)
        }

        fn is_organization(&self, id: &str) -> bool {
            id == "o-ours"
        }

        fn is_vpc(&self, id: &str) -> bool {
            id == "vpc-0ours"
        }

        fn is_endpoint(&self, id: &str) -> bool {
            id == "vpce-0a"
        }
    }

    /// A record of account 111122223333: in eu-west-1, or where the service has no regions, in
    /// us-east-1.
    pub(super) struct Sample(Vec<(String, String)>);

    impl Sample {
        pub(super) fn new(source: &str, name: &str) -> Self {
            let is_global = ["iam", "organizations"].iter().any(|global| source.starts_with(global));
            let region = if is_global { "us-east-1" } else { "eu-west-1" };
            Self(Vec::new())
                .field("eventSource", &format!("\"{source}\""))
                .field("eventName", &format!("\"{name}\""))
                .field("awsRegion", &format!("\"{region}\""))
                .field("recipientAccountId", "\"111122223333\"")
        }

        pub(super) fn field(mut self, key: &str, json: &str) -> Self {
            self.0.retain(|(known, _)| known != key);
            self.0.push((key.to_owned(), json.to_owned()));
            self
        }

        pub(super) fn request(self, json: &str) -> Self {
            self.field("requestParameters", json)
        }

        pub(super) fn response(self, json: &str) -> Self {
            self.field("responseElements", json)
        }

        pub(super) fn change(&self) -> Option<Change> {
            self.change_for(&Own::default(), &[])
        }

        pub(super) fn change_for(&self, own: &Own<'_>, break_glass: &[String]) -> Option<Change> {
            let fields: Vec<String> = self.0.iter().map(|(key, json)| format!("\"{key}\":{json}")).collect();
            let text = format!("{{{}}}", fields.join(","));
            let mut marks = Marks::default();
            marks.index(text.as_bytes());
            let mut record = Record::new();
            let read = record.read(&mut Cursor::new(text.as_bytes(), &marks), &mut KeyOrder::default());
            assert!(read.is_ok(), "{text}");
            recognise(&record, own, &Listed(break_glass))
        }
    }

    pub(super) fn change_of(source: &str, name: &str, request: &str) -> Option<Change> {
        Sample::new(source, name).request(request).change()
    }

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
    fn long_names_are_cut_and_long_lists_bounded() {
        let name = "é".repeat(300);
        let change = change_of("iam.amazonaws.com", "DeleteRole", &format!(r#"{{"roleName":"{name}"}}"#));
        let what = format!("role `{}…` deleted", "é".repeat(256));
        assert_eq!(change.map(|change| change.what), Some(what));
        let ids: Vec<String> = (100..200).map(|id| format!("\"vpce-{id}\"")).collect();
        let request = format!(r#"{{"vpcEndpointIds":[{}]}}"#, ids.join(","));
        let change = change_of("ec2.amazonaws.com", "DeleteVpcEndpoints", &request);
        let change = change.map(|change| (change.resources.len(), change.what));
        let shown = "`vpce-100`, `vpce-101`, `vpce-102`, `vpce-103`, `vpce-104`, `vpce-105`, …";
        assert_eq!(change, Some((MAX_RESOURCES, format!("endpoints deleted ({shown})"))));
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

    #[test]
    fn parts_of_a_table_belong_to_it() {
        let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
        for part in ["", "/stream/2026", "/index/by-day", "/backup/1"] {
            assert_eq!(table_of(&format!("{table}{part}")), table);
        }
        assert_eq!(table_of("arn:aws:s3:::b"), "arn:aws:s3:::b");
    }
}
