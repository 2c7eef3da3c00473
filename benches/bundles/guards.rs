//! Policies that guard a whole organization, a table or an endpoint; some with a mistake.

use serde_json::{Value, json};

use super::random::Random;
use super::{ACCOUNTS, Estate, ORGANIZATION, allow, allow_if, deny_if, policy, statement};

/// Everything that can go wrong with the statement that keeps the perimeter, and `None`, the usual case.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Mistake {
    None,
    NoGuard,
    AnyValue,
    OnlyIfPresent,
    OnlyIfAbsent,
    SomeActions,
    OneTable,
    OtherVpc,
    WideExemption,
    ColonInPath,
    UntrustedAddress,
    TagExemption,
    ThroughServices,
    OnlyWithoutMfa,
}

const MISTAKES: [Mistake; 13] = [
    Mistake::NoGuard,
    Mistake::AnyValue,
    Mistake::OnlyIfPresent,
    Mistake::OnlyIfAbsent,
    Mistake::SomeActions,
    Mistake::OneTable,
    Mistake::OtherVpc,
    Mistake::WideExemption,
    Mistake::ColonInPath,
    Mistake::UntrustedAddress,
    Mistake::TagExemption,
    Mistake::ThroughServices,
    Mistake::OnlyWithoutMfa,
];

impl Mistake {
    /// One mistake in so many of a hundred bundles.
    pub fn draw(random: &mut Random, percent: usize) -> Self {
        if random.percent(percent) { random.one(&MISTAKES) } else { Mistake::None }
    }
}

/// How the guard is written.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Spelling {
    /// `StringNotEquals` with the VPCs.
    Plain,
    /// `StringNotEqualsIfExists`, which says the same.
    IfExists,
    /// As in AWS's data perimeter examples: addresses, services and a tag are let out.
    DataPerimeter,
    /// Neither an approved VPC nor an approved endpoint.
    VpcOrEndpoint,
    /// A statement for requests without a VPC, another for those from another.
    Two,
}

/// Of all spellings.
pub const SPELLINGS: [Spelling; 5] =
    [Spelling::Plain, Spelling::IfExists, Spelling::DataPerimeter, Spelling::VpcOrEndpoint, Spelling::Two];

/// The three levels of service control policies: root, unit, account.
pub fn service_control(random: &mut Random, estate: &Estate) -> Value {
    let mut unit = vec![full_access()];
    if estate.mistake != Mistake::NoGuard {
        unit.push(policy("network-perimeter", guard(random, estate)));
    }
    json!([[full_access(), region_guard(), stay()], unit, [full_access(), protection(estate)]])
}

fn full_access() -> Value {
    policy("FullAWSAccess", [allow("All", ["*"], "*")])
}

fn region_guard() -> Value {
    let global = [
        "iam:*",
        "organizations:*",
        "route53:*",
        "cloudfront:*",
        "globalaccelerator:*",
        "support:*",
        "sts:*",
        "waf:*",
        "budgets:*",
        "ce:*",
        "health:*",
        "shield:*",
        "account:*",
        "billing:*",
        "trustedadvisor:*",
        "importexport:*",
        "ec2:DescribeRegions",
        "s3:ListAllMyBuckets",
        "kms:ListAliases",
        "wellarchitected:*",
    ];
    let condition = json!({
        "StringNotEquals": { "aws:RequestedRegion": ["eu-west-1", "eu-central-1", "us-east-1"] },
        "ArnNotLike": { "aws:PrincipalArn": ["arn:aws:iam::*:role/AWSControlTowerExecution"] },
    });
    policy(
        "region-guard",
        [json!({ "Sid": "OtherRegions", "Effect": "Deny", "NotAction": &global[..], "Resource": "*",
            "Condition": condition })],
    )
}

fn stay() -> Value {
    policy(
        "stay",
        [statement("Deny", "Leave", ["organizations:LeaveOrganization", "account:CloseAccount"], "*")],
    )
}

/// Of the roles that guards let out, of the tags that they ask for, and of the trail.
fn protection(estate: &Estate) -> Value {
    let deployer = json!({ "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/deployer" } });
    let tags = json!({
        "ForAnyValue:StringEquals": { "aws:TagKeys": ["network-perimeter-exception", "team"] },
        "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/deployer" },
    });
    let roles = ["iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:DeleteRole"];
    let tagging = ["iam:TagRole", "iam:UntagRole", "sts:TagSession", "dynamodb:TagResource"];
    let trail = ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail"];
    policy(
        "protection",
        [
            deny_if("Roles", roles, estate.break_glass.as_slice(), deployer),
            deny_if("Tags", tagging, "*", tags),
            statement("Deny", "Trail", trail, "*"),
        ],
    )
}

/// The statements that keep the perimeter.
fn guard(random: &mut Random, estate: &Estate) -> Vec<Value> {
    let action = match estate.mistake {
        Mistake::SomeActions => {
            json!(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:*Item"])
        }
        _ => json!("dynamodb:*"),
    };
    let resource = match estate.mistake {
        Mistake::OneTable => json!([estate.table, format!("{}/index/*", estate.table)]),
        _ => json!("*"),
    };
    conditions(random, estate)
        .into_iter()
        .enumerate()
        .map(|(n, condition)| deny_if(&format!("Outside{n}"), &action, &resource, condition))
        .collect()
}

/// One condition block for each statement of the guard.
fn conditions(random: &mut Random, estate: &Estate) -> Vec<Value> {
    let mut vpcs: Vec<&str> = estate.vpcs.iter().map(|vpc| vpc.id.as_str()).collect();
    if estate.mistake == Mistake::OtherVpc {
        vpcs.push("vpc-0f0f0f0f0f0f0f0f0");
    }
    let mut blocks = match estate.spelling {
        Spelling::Plain => vec![json!({ "StringNotEquals": { "aws:SourceVpc": vpcs } })],
        Spelling::IfExists => vec![json!({ "StringNotEqualsIfExists": { "aws:SourceVpc": vpcs } })],
        Spelling::DataPerimeter => vec![data_perimeter(&vpcs)],
        Spelling::VpcOrEndpoint => {
            let endpoints: Vec<&str> = estate.vpcs.iter().map(|vpc| vpc.endpoint.as_str()).collect();
            vec![json!({ "StringNotEquals": { "aws:SourceVpc": vpcs, "aws:SourceVpce": endpoints } })]
        }
        Spelling::Two => vec![
            json!({ "Null": { "aws:SourceVpc": "true" } }),
            json!({ "Null": { "aws:SourceVpc": "false" }, "StringNotEquals": { "aws:SourceVpc": vpcs } }),
        ],
    };
    let exemption = exemption(random, estate);
    for block in &mut blocks {
        spoil(block, estate.mistake, &vpcs);
        let (operator, roles) = &exemption;
        block[*operator] = json!({ "aws:PrincipalArn": roles });
    }
    blocks
}

/// As AWS's examples of a data perimeter have it.
fn data_perimeter(vpcs: &[&str]) -> Value {
    json!({
        "NotIpAddressIfExists": { "aws:SourceIp": super::OFFICE },
        "StringNotEqualsIfExists": {
            "aws:SourceVpc": vpcs,
            "aws:PrincipalTag/network-perimeter-exception": "true",
        },
        "BoolIfExists": { "aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false" },
    })
}

/// Who is let out: break-glass, service-linked roles, sometimes a role that has been forgotten.
fn exemption(random: &mut Random, estate: &Estate) -> (&'static str, Vec<String>) {
    let mut roles = estate.break_glass.clone();
    if random.percent(60) {
        roles.push("arn:aws:iam::*:role/aws-service-role/*".to_owned());
    }
    match estate.mistake {
        Mistake::WideExemption => {
            roles.push(random.one(&["arn:aws:iam::*:role/*", "arn:aws:iam::*:role/app/*"]).to_owned());
            (random.one(&["ArnNotLike", "StringNotLike"]), roles)
        }
        Mistake::ColonInPath => ("StringNotLike", roles),
        _ if estate.spelling == Spelling::DataPerimeter => ("ArnNotLikeIfExists", roles),
        _ => (random.one(&["ArnNotLike", "ArnNotEquals"]), roles),
    }
}

/// Puts a mistake into a condition block.
fn spoil(block: &mut Value, mistake: Mistake, vpcs: &[&str]) {
    match mistake {
        Mistake::AnyValue => *block = json!({ "ForAnyValue:StringNotEquals": { "aws:SourceVpc": vpcs } }),
        Mistake::OnlyIfPresent => block["Null"] = json!({ "aws:SourceVpc": "false" }),
        Mistake::OnlyIfAbsent => *block = json!({ "Null": { "aws:SourceVpc": "true" } }),
        Mistake::UntrustedAddress => {
            block["NotIpAddressIfExists"] = json!({ "aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/25"] });
        }
        Mistake::TagExemption => {
            block["StringNotLike"] = json!({ "aws:PrincipalTag/team": ["platform", "network-*"] });
        }
        Mistake::ThroughServices => block["BoolIfExists"] = json!({ "aws:ViaAWSService": "false" }),
        Mistake::OnlyWithoutMfa => {
            block["BoolIfExists"] = json!({ "aws:MultiFactorAuthPresent": "false" });
        }
        _ => {}
    }
}

/// The organization's identity perimeter, as a resource control policy.
pub fn resource_control() -> Value {
    json!([[policy(
        "identity-perimeter",
        [json!({
            "Sid": "OnlyOurs", "Effect": "Deny", "Principal": "*", "Resource": "*",
            "Action": ["dynamodb:*", "s3:*", "sqs:*", "kms:*", "secretsmanager:*", "sts:*"],
            "Condition": {
                "StringNotEqualsIfExists": { "aws:PrincipalOrgID": ORGANIZATION },
                "BoolIfExists": { "aws:PrincipalIsAWSService": "false" },
            },
        })],
    )]])
}

/// Of a table: only through the endpoints, and the account's roles may.
pub fn of_table(estate: &Estate) -> Value {
    let endpoints: Vec<&str> = estate.vpcs.iter().map(|vpc| vpc.endpoint.as_str()).collect();
    let resources = json!([estate.table, format!("{}/index/*", estate.table)]);
    policy(
        "table-policy",
        [
            json!({ "Sid": "OnlyEndpoints", "Effect": "Deny", "Principal": "*", "Action": "dynamodb:*",
                "Resource": resources,
                "Condition": {
                    "StringNotEquals": { "aws:SourceVpce": endpoints },
                    "ArnNotLike": { "aws:PrincipalArn": estate.break_glass },
                } }),
            json!({ "Sid": "Roles", "Effect": "Allow", "Resource": resources,
                "Principal": { "AWS": format!("arn:aws:iam::{}:root", ACCOUNTS[0]) },
                "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DescribeTable"] }),
        ],
    )
}

/// Of an endpoint: our table, and whatever is ours, for our organization.
pub fn of_endpoint(estate: &Estate) -> Value {
    let ours = json!({ "StringEquals": { "aws:PrincipalOrgID": ORGANIZATION } });
    let both = json!({ "StringEquals":
        { "aws:PrincipalOrgID": ORGANIZATION, "aws:ResourceOrgID": ORGANIZATION } });
    let table = [estate.table.clone(), format!("{}/*", estate.table)];
    let mut statements =
        [allow_if("Table", "dynamodb:*", table, ours), allow_if("Ours", "dynamodb:*", "*", both)];
    for statement in &mut statements {
        statement["Principal"] = json!("*");
    }
    policy("endpoint-policy", statements)
}
