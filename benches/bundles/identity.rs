//! Policies that roles have: what teams write for their own, what AWS manages, and much that has no
//! bearing on DynamoDB.

use serde_json::{Value, json};

use super::random::Random;
use super::{Role, allow, allow_if, deny_if, policy, statement};

type Template = fn(&mut Random, &Role) -> Value;

/// Those that give something of DynamoDB.
const TABLES: [Template; 7] =
    [table_access, table_access, leading_keys, team_tags, stream_consumer, read_only, backups];
/// Those that give very much.
const BROAD: [Template; 4] = [full_access, full_access, power_user, administrator];
/// Those that give nothing of it.
const OTHERS: [Template; 10] =
    [logs, bucket, key, queue, metrics, secrets, other_roles, images, topics, network_interfaces];
/// Those that take away.
const DENIES: [Template; 3] = [deny_without_mfa, deny_other_regions, deny_deletion];

/// So many policies of one role, in any order, no name twice; at least one gives something of DynamoDB.
pub fn policies(random: &mut Random, role: &Role, len: usize) -> Vec<Value> {
    let mut all = vec![random.one(&TABLES)(random, role)];
    while all.len() < len {
        let from: &[Template] = match random.below(100) {
            0..30 => &TABLES,
            30..37 => &BROAD,
            37..46 => &DENIES,
            _ => &OTHERS,
        };
        add(&mut all, random.one(from)(random, role));
    }
    random.shuffle(&mut all);
    all
}

/// Adds a policy, unless there is one of its name.
fn add(all: &mut Vec<Value>, policy: Value) {
    if all.iter().all(|other| other["name"] != policy["name"]) {
        all.push(policy);
    }
}

/// The policies of a break-glass role.
pub fn of_break_glass(random: &mut Random, role: &Role, len: usize) -> Vec<Value> {
    let mut all = policies(random, role, len - 1);
    add(&mut all, administrator(random, role));
    all
}

/// A boundary such as platform teams set for the roles that feature teams make.
pub fn boundary(role: &Role) -> Value {
    let services = ["dynamodb:*", "s3:*", "sqs:*", "sns:*", "logs:*", "cloudwatch:*", "kms:*", "lambda:*"];
    let own_kind = json!({ "StringNotEquals": { "iam:PermissionsBoundary":
        format!("arn:aws:iam::{}:policy/team-boundary", role.account) } });
    policy(
        "team-boundary",
        [
            allow("Services", services, "*"),
            deny_if("RolesWithoutBoundary", ["iam:CreateRole", "iam:PutRolePolicy"], "*", own_kind),
            statement("Deny", "Billing", ["aws-portal:*", "organizations:*"], "*"),
        ],
    )
}

/// A session policy such as a pipeline passes for one task.
pub fn session(random: &mut Random, role: &Role) -> Value {
    let actions = random.one(&[&["dynamodb:GetItem", "dynamodb:Query"][..], &["dynamodb:*"], &["*"]]);
    let table = role.table();
    policy(
        "session",
        [allow("Task", actions, [table.clone(), format!("{table}/*")]), allow("Log", ["logs:*"], "*")],
    )
}

fn table_access(random: &mut Random, role: &Role) -> Value {
    let read = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:DescribeTable"];
    let write = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"];
    let table = role.table();
    let index = format!("{table}/index/*");
    let mut statements = vec![allow("Read", read, [table.clone(), index])];
    if random.percent(70) {
        statements.push(allow("Write", write, [table]));
    }
    if random.percent(30) {
        statements.push(allow("Look", ["dynamodb:ListTables", "dynamodb:DescribeLimits"], "*"));
    }
    policy(&format!("{}-table-access", role.app), statements)
}

fn leading_keys(random: &mut Random, role: &Role) -> Value {
    let owner = random.one(&["${aws:PrincipalTag/tenant}", "${aws:userid}", "shared"]);
    let keys = json!({ "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": [owner] } });
    let actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"];
    policy(&format!("{}-own-items", role.app), [allow_if("OwnItems", actions, role.table(), keys)])
}

fn team_tags(random: &mut Random, role: &Role) -> Value {
    let tables = format!("arn:aws:dynamodb:{}:{}:table/*", role.region, role.account);
    let team = json!({ "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } });
    let actions = random.one(&[&["dynamodb:*"][..], &["dynamodb:Query", "dynamodb:Scan", "dynamodb:*Item"]]);
    policy(&format!("{}-team-tables", role.team), [allow_if("TeamTables", actions, tables, team)])
}

fn stream_consumer(_: &mut Random, role: &Role) -> Value {
    let read = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"];
    let stream = format!("{}/stream/*", role.table());
    let list = allow("Streams", ["dynamodb:ListStreams"], "*");
    policy(&format!("{}-stream", role.app), [allow("Records", read, stream), list])
}

fn read_only(_: &mut Random, _: &Role) -> Value {
    let actions = [
        "acm:Describe*",
        "acm:List*",
        "apigateway:GET",
        "athena:Get*",
        "autoscaling:Describe*",
        "cloudformation:Describe*",
        "cloudformation:List*",
        "cloudtrail:LookupEvents",
        "cloudwatch:Get*",
        "cloudwatch:List*",
        "dax:Describe*",
        "dynamodb:BatchGet*",
        "dynamodb:Describe*",
        "dynamodb:Get*",
        "dynamodb:List*",
        "dynamodb:PartiQLSelect",
        "dynamodb:Query",
        "dynamodb:Scan",
        "ec2:Describe*",
        "ecr:BatchGet*",
        "ecs:Describe*",
        "iam:Get*",
        "iam:List*",
        "kinesis:Get*",
        "kms:Describe*",
        "lambda:Get*",
        "lambda:List*",
        "logs:Get*",
        "rds:Describe*",
        "s3:Get*",
        "s3:List*",
        "sns:List*",
        "sqs:Get*",
        "sqs:List*",
        "tag:Get*",
        "xray:Get*",
    ];
    policy("ReadOnlyAccess", [allow("ReadOnlyActions", &actions[..], "*")])
}

fn backups(_: &mut Random, role: &Role) -> Value {
    let take = ["dynamodb:CreateBackup", "dynamodb:DescribeContinuousBackups", "dynamodb:ListBackups"];
    let back = ["dynamodb:RestoreTableFromBackup", "dynamodb:DescribeBackup", "dynamodb:DeleteBackup"];
    let table = role.table();
    let backup = format!("{table}/backup/*");
    policy("backup-operator", [allow("Take", take, [table]), allow("Restore", back, [backup])])
}

fn full_access(_: &mut Random, _: &Role) -> Value {
    let actions = [
        "dynamodb:*",
        "dax:*",
        "application-autoscaling:DescribeScalableTargets",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:GetMetricData",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "iam:GetRole",
        "iam:ListRoles",
        "kms:DescribeKey",
        "kms:ListAliases",
        "sns:ListTopics",
        "lambda:ListFunctions",
        "tag:GetResources",
    ];
    let pass = json!({ "StringLike": { "iam:PassedToService":
        ["application-autoscaling.amazonaws.com", "dax.amazonaws.com"] } });
    let linked = json!({ "StringEquals": { "iam:AWSServiceName":
        ["replication.dynamodb.amazonaws.com", "dax.amazonaws.com"] } });
    policy(
        "AmazonDynamoDBFullAccess",
        [
            allow("Tables", &actions[..], "*"),
            allow_if("Pass", ["iam:PassRole"], "*", pass),
            allow_if("Linked", ["iam:CreateServiceLinkedRole"], "*", linked),
        ],
    )
}

fn power_user(_: &mut Random, _: &Role) -> Value {
    let all_but = json!({ "Sid": "AllBut", "Effect": "Allow", "Resource": "*",
        "NotAction": ["iam:*", "organizations:*", "account:*"] });
    let few = ["iam:CreateServiceLinkedRole", "iam:ListRoles", "organizations:DescribeOrganization"];
    policy("PowerUserAccess", [all_but, allow("Few", few, "*")])
}

fn administrator(_: &mut Random, _: &Role) -> Value {
    policy("AdministratorAccess", [allow("All", ["*"], "*")])
}

fn deny_without_mfa(_: &mut Random, _: &Role) -> Value {
    policy(
        "require-mfa",
        [json!({ "Sid": "WithoutMfa", "Effect": "Deny", "Resource": "*",
            "NotAction": ["iam:ListMFADevices", "iam:EnableMFADevice", "sts:GetSessionToken"],
            "Condition": { "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } } })],
    )
}

fn deny_other_regions(_: &mut Random, role: &Role) -> Value {
    let others = json!({ "StringNotEquals": { "aws:RequestedRegion": [role.region, "us-east-1"] } });
    policy("own-regions", [deny_if("OtherRegions", ["dynamodb:*", "s3:*", "sqs:*", "ec2:*"], "*", others)])
}

fn deny_deletion(_: &mut Random, role: &Role) -> Value {
    let actions = ["dynamodb:DeleteTable", "dynamodb:DeleteBackup", "s3:DeleteBucket"];
    let not_operators = json!({ "ArnNotLike": { "aws:PrincipalArn":
        format!("arn:aws:iam::{}:role/operators/*", role.account) } });
    policy("no-deletion", [deny_if("Deletion", actions, "*", not_operators)])
}

fn logs(_: &mut Random, role: &Role) -> Value {
    let group = format!("arn:aws:logs:{}:{}:log-group:/app/{}:*", role.region, role.account, role.app);
    let actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"];
    policy("logs", [allow("Write", actions, group)])
}

fn bucket(random: &mut Random, role: &Role) -> Value {
    let bucket = format!("arn:aws:s3:::{}-{}-{}", role.team, role.app, random.hex(6));
    let secure = json!({ "Bool": { "aws:SecureTransport": "true" } });
    let objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
    let list = json!({ "StringLike": { "s3:prefix": ["", "home/", "home/${aws:PrincipalTag/team}/*"] } });
    policy(
        &format!("{}-bucket", role.app),
        [
            allow_if("Objects", objects, format!("{bucket}/*"), secure),
            allow_if("List", ["s3:ListBucket"], bucket, list),
        ],
    )
}

fn key(random: &mut Random, role: &Role) -> Value {
    let key = format!("arn:aws:kms:{}:{}:key/{}", role.region, role.account, random.hex(32));
    let via =
        json!({ "StringEquals": { "kms:ViaService": format!("dynamodb.{}.amazonaws.com", role.region) } });
    let actions = ["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"];
    policy(&format!("{}-key", role.app), [allow_if("Use", actions, key, via)])
}

fn queue(_: &mut Random, role: &Role) -> Value {
    let queue = format!("arn:aws:sqs:{}:{}:{}-*", role.region, role.account, role.app);
    let actions = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    policy(&format!("{}-queue", role.app), [allow("Messages", actions, queue)])
}

fn metrics(_: &mut Random, role: &Role) -> Value {
    let own = json!({ "StringEquals": { "cloudwatch:namespace": role.team } });
    let traces = allow("Traces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*");
    policy("metrics", [allow_if("Own", ["cloudwatch:PutMetricData"], "*", own), traces])
}

fn secrets(_: &mut Random, role: &Role) -> Value {
    let secret = format!("arn:aws:secretsmanager:{}:{}:secret:{}/*", role.region, role.account, role.team);
    let parameters = format!("arn:aws:ssm:{}:{}:parameter/{}/*", role.region, role.account, role.app);
    policy(
        &format!("{}-secrets", role.app),
        [
            allow("Secrets", ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], secret),
            allow("Parameters", ["ssm:GetParameter", "ssm:GetParametersByPath"], parameters),
        ],
    )
}

fn other_roles(_: &mut Random, role: &Role) -> Value {
    let roles = format!("arn:aws:iam::*:role/{}/shared-*", role.team);
    let ours = json!({ "StringEquals": { "aws:ResourceOrgID": "${aws:PrincipalOrgID}" } });
    policy("assume-shared", [allow_if("Shared", ["sts:AssumeRole", "sts:TagSession"], roles, ours)])
}

fn images(_: &mut Random, role: &Role) -> Value {
    let repository = format!("arn:aws:ecr:{}:{}:repository/{}/*", role.region, role.account, role.team);
    let pull = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"];
    let token = allow("Token", ["ecr:GetAuthorizationToken"], "*");
    policy("images", [allow("Pull", pull, repository), token])
}

fn topics(_: &mut Random, role: &Role) -> Value {
    let topic = format!("arn:aws:sns:{}:{}:{}-events", role.region, role.account, role.team);
    let bus = format!("arn:aws:events:{}:{}:event-bus/{}", role.region, role.account, role.team);
    policy("events", [allow("Topic", ["sns:Publish"], topic), allow("Bus", ["events:PutEvents"], bus)])
}

fn network_interfaces(_: &mut Random, _: &Role) -> Value {
    let actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
    ];
    policy("AWSLambdaVPCAccessExecutionRole", [allow("Interfaces", actions, "*")])
}
