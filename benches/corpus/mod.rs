//! Bundles as platform teams have them, drawn from a seed: one role with ten policies, three levels of service control
//! policies, a resource control policy, a table's policy and an endpoint's; some with the mistakes that are made.

use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const ORGANIZATION: &str = "o-exampleorgid";

/// SplitMix64 (Steele, Lea, Flood, 2014): small, and the same everywhere.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn percent(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

fn policy(name: &str, statements: Vec<Value>) -> Value {
    json!({"name": name, "document": {"Version": "2012-10-17", "Statement": statements}})
}

fn statement(effect: &str, actions: Value, resource: Value, condition: Option<Value>) -> Value {
    let mut statement = json!({"Effect": effect, "Action": actions, "Resource": resource});
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    statement
}

fn allow(actions: Value, resource: Value) -> Value {
    statement("Allow", actions, resource, None)
}

fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

/// Policies that teams attach; most have nothing to do with DynamoDB.
fn team_policies(draw: &mut Draw, table: &str, count: usize) -> Vec<Value> {
    let arn = table_arn(table);
    let bucket = format!("arn:aws:s3:::{table}-files");
    let makers: [&dyn Fn(&mut Draw) -> (&'static str, Vec<Value>); 16] = [
        &|_| {
            (
                "table-access",
                vec![allow(
                    json!([
                        "dynamodb:GetItem",
                        "dynamodb:BatchGetItem",
                        "dynamodb:Query",
                        "dynamodb:PutItem",
                        "dynamodb:UpdateItem",
                        "dynamodb:DeleteItem"
                    ]),
                    json!([arn, format!("{arn}/index/*")]),
                )],
            )
        },
        &|_| {
            (
                "read-tables",
                vec![allow(
                    json!([
                        "dynamodb:Get*",
                        "dynamodb:Describe*",
                        "dynamodb:Query",
                        "dynamodb:Scan",
                        "dynamodb:List*"
                    ]),
                    json!("*"),
                )],
            )
        },
        &|_| {
            (
                "tenant-rows",
                vec![statement(
                    "Allow",
                    json!(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"]),
                    json!(arn),
                    Some(
                        json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/tenant}", "${aws:PrincipalTag/tenant}#*"]}, "Null": {"dynamodb:LeadingKeys": "false"}}),
                    ),
                )],
            )
        },
        &|_| {
            (
                "team-tables",
                vec![statement(
                    "Allow",
                    json!("dynamodb:*"),
                    json!("*"),
                    Some(json!({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}})),
                )],
            )
        },
        &|_| {
            (
                "stream",
                vec![allow(
                    json!([
                        "dynamodb:DescribeStream",
                        "dynamodb:GetRecords",
                        "dynamodb:GetShardIterator",
                        "dynamodb:ListStreams"
                    ]),
                    json!(format!("{arn}/stream/*")),
                )],
            )
        },
        &|_| {
            (
                "files",
                vec![
                    allow(
                        json!(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
                        json!(format!("{bucket}/*")),
                    ),
                    allow(json!(["s3:ListBucket", "s3:GetBucketLocation"]), json!(bucket)),
                ],
            )
        },
        &|_| {
            (
                "keys",
                vec![statement(
                    "Allow",
                    json!(["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]),
                    json!(format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/*")),
                    Some(
                        json!({"StringEquals": {"kms:ViaService": format!("dynamodb.{REGION}.amazonaws.com")}}),
                    ),
                )],
            )
        },
        &|_| {
            (
                "queues",
                vec![allow(
                    json!([
                        "sqs:SendMessage",
                        "sqs:ReceiveMessage",
                        "sqs:DeleteMessage",
                        "sqs:GetQueueAttributes"
                    ]),
                    json!(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{table}-*")),
                )],
            )
        },
        &|_| {
            (
                "logs",
                vec![
                    allow(
                        json!(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
                        json!(format!("arn:aws:logs:{REGION}:{ACCOUNT}:*")),
                    ),
                    allow(json!("cloudwatch:PutMetricData"), json!("*")),
                ],
            )
        },
        &|_| {
            (
                "secrets",
                vec![statement(
                    "Allow",
                    json!("secretsmanager:GetSecretValue"),
                    json!(format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{table}/*")),
                    Some(
                        json!({"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::{ACCOUNT}:role/app/*")}}),
                    ),
                )],
            )
        },
        &|_| {
            (
                "assume",
                vec![allow(
                    json!(["sts:AssumeRole", "sts:TagSession"]),
                    json!(format!("arn:aws:iam::{ACCOUNT}:role/app/*")),
                )],
            )
        },
        &|_| {
            (
                "network",
                vec![allow(
                    json!([
                        "ec2:CreateNetworkInterface",
                        "ec2:DescribeNetworkInterfaces",
                        "ec2:DeleteNetworkInterface"
                    ]),
                    json!("*"),
                )],
            )
        },
        &|_| ("administrator", vec![allow(json!("*"), json!("*"))]),
        &|_| {
            (
                "power-user",
                vec![
                    json!({"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}),
                    allow(
                        json!([
                            "iam:CreateServiceLinkedRole",
                            "iam:ListRoles",
                            "organizations:DescribeOrganization"
                        ]),
                        json!("*"),
                    ),
                ],
            )
        },
        &|_| {
            (
                "no-deletion",
                vec![statement(
                    "Deny",
                    json!([
                        "dynamodb:DeleteTable",
                        "dynamodb:DeleteBackup",
                        "dynamodb:UpdateContinuousBackups"
                    ]),
                    json!("*"),
                    Some(json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})),
                )],
            )
        },
        &|draw| {
            (
                "own-region",
                vec![statement(
                    "Deny",
                    json!("*"),
                    json!("*"),
                    Some(
                        json!({"StringNotEquals": {"aws:RequestedRegion": draw.one(&[json!(REGION), json!([REGION, "us-east-1"])])}}),
                    ),
                )],
            )
        },
    ];
    let mut policies = Vec::new();
    for n in 0..count {
        // The first says what the team came for.
        let made = if n == 0 { draw.one(&[0, 0, 0, 1, 2, 3, 12, 13]) } else { draw.below(makers.len()) };
        // Few roles may do everything.
        let made = if matches!(made, 12 | 13) && n > 0 && draw.percent(80) { 5 } else { made };
        let (name, statements) = makers[made](draw);
        policies.push(policy(&format!("{name}-{n}"), statements));
    }
    policies
}

/// The guard itself, in the spellings that are in use; some of them are mistakes.
fn guard(draw: &mut Draw, vpcs: &[String]) -> Value {
    let vpcs = json!(vpcs);
    let break_glass = "arn:aws:iam::*:role/your-emergency-role";
    let mut condition = match draw.below(100) {
        0..60 => json!({"StringNotEquals": {"aws:SourceVpc": vpcs}}),
        60..75 => json!({"StringNotEqualsIfExists": {"aws:SourceVpc": vpcs}}),
        75..85 => {
            json!({"StringNotEquals": {"aws:SourceVpc": vpcs}, "BoolIfExists": {"aws:ViaAWSService": "false"}})
        }
        85..90 => json!({"StringNotLike": {"aws:SourceVpc": "vpc-*"}}),
        90..95 => json!({"ForAllValues:StringNotEquals": {"aws:SourceVpc": vpcs}}),
        _ => {
            json!({"NotIpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}, "StringNotEqualsIfExists": {"aws:SourceVpc": vpcs}, "BoolIfExists": {"aws:ViaAWSService": "false"}})
        }
    };
    let carve_out = match draw.below(100) {
        0..55 => Some(("ArnNotLike", json!([break_glass, "arn:aws:iam::*:role/aws-service-role/*"]))),
        55..75 => Some((
            "ArnNotLike",
            json!([break_glass, "arn:aws:iam::*:role/aws-service-role/*", "arn:aws:iam::*:role/deployer"]),
        )),
        75..85 => Some(("StringNotLike", json!(break_glass))),
        _ => None,
    };
    if let Some((operator, arns)) = carve_out {
        condition[operator]["aws:PrincipalArn"] = arns;
    }
    if draw.percent(10) {
        condition["StringNotEqualsIfExists"]["aws:PrincipalTag/network-perimeter-exception"] = json!("true");
    }
    let actions = match draw.below(100) {
        0..90 => json!("dynamodb:*"),
        90..95 => json!(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:PutItem"]),
        _ => json!(["dynamodb:*", "dax:*"]),
    };
    let mut statement = statement("Deny", actions, json!("*"), Some(condition));
    statement["Sid"] = json!("OnlyFromVpc");
    statement
}

fn control_levels(draw: &mut Draw, vpcs: &[String]) -> Value {
    let full = || policy("FullAWSAccess", vec![allow(json!("*"), json!("*"))]);
    let regions = json!({"Sid": "Regions", "Effect": "Deny", "NotAction": ["iam:*", "organizations:*", "route53:*", "cloudfront:*", "sts:*", "support:*"], "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": [REGION, "us-east-1"]}}});
    let leaving = statement(
        "Deny",
        json!(["organizations:LeaveOrganization", "account:CloseAccount"]),
        json!("*"),
        None,
    );
    let protected = statement(
        "Deny",
        json!([
            "iam:DeleteRole",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
            "iam:AttachRolePolicy",
            "iam:TagRole"
        ]),
        json!("arn:aws:iam::*:role/your-emergency-role"),
        Some(json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deployer"}})),
    );
    let tags = statement(
        "Deny",
        json!(["iam:TagRole", "iam:TagUser", "sts:TagSession"]),
        json!("*"),
        Some(
            json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["network-perimeter-exception"]}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deployer"}}),
        ),
    );
    let backups = statement(
        "Deny",
        json!(["dynamodb:DeleteBackup", "dynamodb:DeleteTable"]),
        json!("*"),
        Some(json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deployer"}})),
    );
    let mut unit = vec![full()];
    if draw.percent(95) {
        unit.push(policy("dynamodb-perimeter", vec![guard(draw, vpcs)]));
    }
    json!([
        [full(), policy("organization", vec![regions, leaving])],
        unit,
        [full(), policy("account", vec![protected, tags, backups])]
    ])
}

fn resource_control(draw: &mut Draw) -> Value {
    let mut ours = statement(
        "Deny",
        json!("dynamodb:*"),
        json!("*"),
        Some(
            json!({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORGANIZATION}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}),
        ),
    );
    ours["Principal"] = json!("*");
    let mut secure = statement(
        "Deny",
        json!("dynamodb:*"),
        json!("*"),
        Some(json!({"BoolIfExists": {"aws:SecureTransport": "false"}})),
    );
    secure["Principal"] = json!("*");
    let policies = if draw.percent(50) {
        vec![policy("identity-perimeter", vec![ours])]
    } else {
        vec![policy("identity-perimeter", vec![ours, secure])]
    };
    json!([policies])
}

fn table_policy(draw: &mut Draw, table: &str, endpoint: &str, role: &str) -> Value {
    let (arn, indexes) = (table_arn(table), format!("{}/index/*", table_arn(table)));
    let mut statements = Vec::new();
    if draw.percent(60) {
        let mut deny = statement(
            "Deny",
            json!("dynamodb:*"),
            json!([arn, indexes]),
            Some(
                json!({"StringNotEquals": {"aws:SourceVpce": [endpoint]}, "ArnNotLike": {"aws:PrincipalArn": [format!("arn:aws:iam::{ACCOUNT}:role/your-emergency-role"), format!("arn:aws:iam::{ACCOUNT}:role/deployer")]}}),
            ),
        );
        deny["Principal"] = json!("*");
        statements.push(deny);
    }
    let mut read = allow(json!(["dynamodb:GetItem", "dynamodb:Query"]), json!([arn, indexes]));
    read["Principal"] = json!({"AWS": draw.one(&[json!(role), json!(ACCOUNT), json!("arn:aws:iam::444455556666:role/reader")])});
    statements.push(read);
    policy("table", statements)
}

fn endpoint_policy(table: &str) -> Value {
    let mut ours = statement(
        "Allow",
        json!("dynamodb:*"),
        json!([table_arn(table), format!("{}/*", table_arn(table))]),
        Some(json!({"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}})),
    );
    ours["Principal"] = json!("*");
    let mut lists = statement(
        "Allow",
        json!(["dynamodb:ListTables", "dynamodb:DescribeLimits"]),
        json!("*"),
        Some(json!({"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}})),
    );
    lists["Principal"] = json!("*");
    policy("endpoint", vec![ours, lists])
}

fn perimeter(draw: &mut Draw, vpcs: &[String], endpoint: &str) -> Value {
    let vpc = |id: &String| json!({"id": id, "region": REGION, "account": ACCOUNT, "cidrs": ["10.0.0.0/16"]});
    let mut perimeter = json!({
        "version": 1, "organization": ORGANIZATION, "management_account": "999988887777",
        "environments": {"production": {"mode": "enforce", "accounts": [ACCOUNT, "444455556666"]}, "development": {"mode": "exempt", "accounts": ["777788889999"]}},
        "vpc": vpcs.iter().map(vpc).collect::<Vec<_>>(),
        "endpoint": [{"id": endpoint, "region": REGION, "account": ACCOUNT, "vpc": vpcs[0]}],
        "break_glass": [{"principal": "arn:aws:iam::*:role/your-emergency-role"}],
    });
    if draw.percent(15) {
        perimeter["trusted_address"] = json!([{"cidrs": ["198.51.100.0/24"], "reason": "office"}]);
    }
    perimeter
}

/// One bundle: of a role, and the policies between it and a table.
pub fn bundle(seed: u64) -> Value {
    let draw = &mut Draw::new(seed);
    let vpcs: Vec<String> = (0..1 + draw.below(3)).map(|n| format!("vpc-0prod{n}eu")).collect();
    let endpoint = "vpce-0a1b2c3d4e5f60001";
    let table = draw.one(&["orders", "payments", "sessions", "customer-profiles", "ledger.v2"]);
    let role = match draw.below(100) {
        0..10 => "*".to_owned(),
        10..35 => format!("arn:aws:iam::{ACCOUNT}:role/your-emergency-role"),
        35..40 => format!("arn:aws:iam::{ACCOUNT}:role/deployer"),
        _ => format!("arn:aws:iam::{ACCOUNT}:role/app/{table}-service"),
    };
    let mut principal =
        json!({"arn": role, "tags": {"team": "orders"}, "identity": team_policies(draw, table, 10)});
    if draw.percent(30) {
        let limits = vec![
            allow(json!(["dynamodb:*", "s3:*", "sqs:*", "logs:*", "kms:*", "secretsmanager:*"]), json!("*")),
            statement(
                "Deny",
                json!(["dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy"]),
                json!("*"),
                None,
            ),
        ];
        principal["boundary"] = policy("boundary", limits);
    }
    if draw.percent(15) {
        principal["session"] = json!([policy(
            "session",
            vec![allow(json!(["dynamodb:GetItem", "dynamodb:Query", "s3:GetObject"]), json!("*"))]
        )]);
    }
    let owner = if role == "*" { format!("arn:aws:iam::{ACCOUNT}:role/app/reader") } else { role.clone() };
    json!({
        "perimeter": perimeter(draw, &vpcs, endpoint),
        "principals": [principal],
        "scps": control_levels(draw, &vpcs),
        "rcps": resource_control(draw),
        "tables": [{"arn": table_arn(table), "policy": table_policy(draw, table, endpoint, &owner), "tags": {"team": "orders"}}],
        "endpoints": [{"id": endpoint, "policy": endpoint_policy(table)}],
    })
}

/// An account: so many roles with one to six policies each, under shared service control policies.
pub fn account(seed: u64, roles: usize) -> Value {
    let draw = &mut Draw::new(seed);
    let vpcs = vec!["vpc-0prod0eu".to_owned()];
    let endpoint = "vpce-0a1b2c3d4e5f60001";
    let principals: Vec<Value> = (0..roles)
        .map(|n| {
            let table = format!("table-{}", n % 40);
            let count = 1 + draw.below(6);
            json!({"arn": format!("arn:aws:iam::{ACCOUNT}:role/app/service-{n}"), "identity": team_policies(draw, &table, count)})
        })
        .collect();
    json!({
        "perimeter": perimeter(draw, &vpcs, endpoint),
        "principals": principals,
        "scps": control_levels(draw, &vpcs),
        "rcps": resource_control(draw),
        "tables": [{"arn": table_arn("table-7"), "policy": table_policy(draw, "table-7", endpoint, &format!("arn:aws:iam::{ACCOUNT}:role/app/service-7"))}],
        "endpoints": [{"id": endpoint, "policy": endpoint_policy("table-7")}],
    })
}
