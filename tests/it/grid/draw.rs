//! Random bundles near the edge: most keep the perimeter but for one or two statements.

use serde_json::{Map, Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const OTHER: &str = "444455556666";
pub const ROLE: &str = "arn:aws:iam::111122223333:role/app";
pub const BREAK_GLASS: &str = "arn:aws:iam::111122223333:role/glass";
pub const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
const OTHER_TABLE: &str = "arn:aws:dynamodb:eu-west-1:444455556666:table/orders";
pub const STREAM: &str =
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026-01-01T00:00:00.000";

/// Chance, from a seed: the same seed draws the same.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    ///
    /// Source: Steele and others, "Fast splittable pseudorandom number generators" (`SplitMix64`).
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(mixed >> 33).unwrap_or(0) % end.max(1)
    }

    fn in_hundred(&mut self, chances: usize) -> bool {
        self.below(100) < chances
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn some<'t>(&mut self, of: &[&'t str], most: usize) -> Vec<&'t str> {
        (0..self.below(most + 1)).map(|_| self.one(of)).collect()
    }
}

/// One bundle.
pub fn bundle(seed: u64) -> Value {
    let draw = &mut Draw::new(seed);
    let table = tables(draw);
    let rcps: Vec<Value> = statements(draw, "Deny", Whom::Everybody, 1).into_iter().map(of_rcp).collect();
    json!({
        "perimeter": perimeter(draw),
        "principals": [principal(draw)],
        "scps": levels(draw),
        "rcps": if rcps.is_empty() { json!([]) } else { json!([[policy("rcp", rcps)]]) },
        "tables": table,
        "endpoints": endpoints(draw),
    })
}

fn perimeter(draw: &mut Draw) -> Value {
    let own = json!({"id": "vpc-0a1", "region": "eu-west-1", "account": ACCOUNT});
    let endpoint = |id, vpc| json!({"id": id, "region": "eu-west-1", "account": ACCOUNT, "vpc": vpc});
    let known = [endpoint("vpce-0a1", "vpc-0a1"), endpoint("vpce-0b2", "vpc-0b2")];
    let mut glass = json!({"principal": draw.one(&["arn:aws:iam::*:role/glass", BREAK_GLASS, "arn:aws:iam::*:role/*/glass"])});
    if draw.in_hundred(20) {
        glass["tables"] = json!(["orders"]);
    }
    let mut all = json!({
        "version": 1, "organization": "o-exampleorgid",
        "environments": {"production": {"mode": "enforce", "accounts": [ACCOUNT, OTHER]}},
        "vpc": [own],
        "endpoint": known[..draw.below(3)],
        "break_glass": [glass],
        "prove": {
            "service_calls": draw.one(&["outside", "outside", "approved"]),
            "vpc_identity": draw.one(&["id", "id", "exact"]),
            "session_tags": draw.one(&["any", "none"]),
        },
    });
    if draw.in_hundred(15) {
        all["management_account"] = json!(draw.one(&[ACCOUNT, "999988887777"]));
    }
    if draw.in_hundred(25) {
        all["trusted_address"] =
            json!([{"cidrs": ["198.51.100.0/24"], "until": "2027-01-01", "reason": "office"}]);
    }
    all
}

/// Callers that policies treat in their own ways.
const SELDOM: [&str; 7] = [
    "arn:aws:iam::111122223333:role/ops/glass",
    "arn:aws:iam::111122223333:user/app",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:role/aws-service-role/a.amazonaws.com/app",
    "arn:aws:iam::222233334444:role/app",
    "arn:aws:iam::999988887777:role/app",
    "replication.dynamodb.amazonaws.com",
];

fn principal(draw: &mut Draw) -> Value {
    let arn = match draw.below(10) {
        0..3 => ROLE,
        3 | 4 => BREAK_GLASS,
        5..9 => "*",
        _ => draw.one(&SELDOM),
    };
    let mut all = json!({"arn": arn});
    if draw.in_hundred(50) {
        let denies = statements(draw, "Deny", Whom::Nobody, 1);
        all["identity"] = json!([policy("identity", [allows(draw, Whom::Nobody), denies].concat())]);
    }
    if draw.in_hundred(20) {
        all["boundary"] = policy("boundary", allows(draw, Whom::Nobody));
    }
    if draw.in_hundred(15) {
        all["session"] = json!([policy("session", allows(draw, Whom::Nobody))]);
    }
    if arn == ROLE && draw.in_hundred(20) {
        all["session_arn"] = json!("arn:aws:sts::111122223333:assumed-role/app/work");
    }
    if draw.in_hundred(30) {
        all["tags"] = json!({"t": draw.one(&["a", "b", "ab"])});
    }
    all
}

fn tables(draw: &mut Draw) -> Value {
    let mut all = Vec::new();
    let arns: &[&str] = match draw.below(12) {
        0 => &["*"],
        1 => &["*", TABLE],
        2 => &["*", TABLE, OTHER_TABLE],
        3 => &[OTHER_TABLE],
        4 => &[TABLE, STREAM],
        5 => &[STREAM],
        _ => &[TABLE],
    };
    for arn in arns {
        let mut table = json!({"arn": arn});
        if draw.in_hundred(40) {
            let denies = statements(draw, "Deny", Whom::Anybody, 1);
            table["policy"] = policy("table", [allows(draw, Whom::Anybody), denies].concat());
        }
        if *arn != "*" && draw.in_hundred(30) {
            table["tags"] = json!({"t": draw.one(&["a", "b"])});
        }
        all.push(table);
    }
    json!(all)
}

fn levels(draw: &mut Draw) -> Value {
    let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let root = if draw.in_hundred(15) { allows(draw, Whom::Nobody) } else { vec![everything.clone()] };
    let mut account = vec![everything];
    if draw.in_hundred(80) {
        account.push(founding(draw));
    }
    account.extend(statements(draw, "Deny", Whom::Nobody, 2));
    match draw.below(24) {
        0 => json!([]),
        1 => json!([[policy("root", root)], []]),
        _ => json!([[policy("root", root)], [policy("scp", account)]]),
    }
}

/// The statement that keeps the perimeter, as it is or a little off.
fn founding(draw: &mut Draw) -> Value {
    let mut statement = json!({
        "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-0a1"}},
    });
    let conditions = &mut statement["Condition"];
    match draw.below(4) {
        0 => conditions["ArnNotLike"] = json!({"aws:PrincipalArn": "arn:aws:iam::*:role/glass"}),
        1 => conditions["StringNotLike"] = json!({"aws:PrincipalArn": "arn:aws:iam::*:role/glass"}),
        2 => add(conditions, condition(draw)),
        _ => {}
    }
    if draw.in_hundred(25) {
        add(conditions, json!({"Bool": {"aws:ViaAWSService": "false"}}));
    }
    if draw.in_hundred(15) {
        add(conditions, json!({"NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}}));
    }
    if draw.in_hundred(10) {
        statement["Resource"] = json!(draw.one(RESOURCES));
    }
    statement
}

fn endpoints(draw: &mut Draw) -> Value {
    if !draw.in_hundred(25) {
        return json!([]);
    }
    let denies = statements(draw, "Deny", Whom::Anybody, 1);
    let statements = [allows(draw, Whom::Anybody), denies].concat();
    json!([{"id": draw.one(&["vpce-0a1", "vpce-0b2", "vpce-0c3"]), "policy": policy("endpoint", statements)}])
}

fn policy(name: &str, statements: Vec<Value>) -> Value {
    json!({"name": name, "document": {"Version": "2012-10-17", "Statement": statements}})
}

/// Whom a statement may speak of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Whom {
    Nobody,
    Everybody,
    Anybody,
}

/// A resource control policy names its actions.
fn of_rcp(mut statement: Value) -> Value {
    if let Some(actions) = statement.as_object_mut().and_then(|members| members.remove("NotAction")) {
        statement["Action"] = actions;
    }
    statement
}

fn statements(draw: &mut Draw, effect: &str, whom: Whom, most: usize) -> Vec<Value> {
    (0..draw.below(most + 1)).map(|_| statement(draw, effect, whom)).collect()
}

/// At least one, which often allows everything.
fn allows(draw: &mut Draw, whom: Whom) -> Vec<Value> {
    let mut first = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    if !draw.in_hundred(80) {
        first = statement(draw, "Allow", whom);
    } else if whom == Whom::Anybody {
        first["Principal"] = principals(draw);
    }
    [vec![first], statements(draw, "Allow", whom, 1)].concat()
}

const RESOURCES: &[&str] = &[
    "*",
    "*",
    TABLE,
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/*",
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders*",
    "arn:aws:dynamodb:*:*:table/*",
    "arn:aws:dynamodb:*:*:table/o?ders",
    "arn:aws:dynamodb:*:*:table/*/stream/*",
    "arn:aws:dynamodb:*:*:*",
    "arn:aws:dynamodb:eu-*:*:table/*",
    "arn:aws:dynamodb::*:global-table/*",
    "arn:aws:dynamodb:*",
    "arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/u}*",
    "arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/u, 'orders'}",
    "arn:aws:s3:::*",
];

fn statement(draw: &mut Draw, effect: &str, whom: Whom) -> Value {
    let mut statement = json!({"Effect": effect});
    let (not_action, not_resource) = (draw.in_hundred(12), draw.in_hundred(12));
    statement[if not_action { "NotAction" } else { "Action" }] = json!(actions(draw));
    statement[if not_resource { "NotResource" } else { "Resource" }] = json!(draw.one(RESOURCES));
    match whom {
        Whom::Nobody => {}
        Whom::Everybody => statement["Principal"] = json!("*"),
        Whom::Anybody if draw.in_hundred(10) => {
            statement["NotPrincipal"] = json!({"AWS": [draw.one(&[ROLE, BREAK_GLASS]), ACCOUNT]});
        }
        Whom::Anybody => statement["Principal"] = principals(draw),
    }
    let mut conditions = json!({});
    for _ in 0..draw.below(3) {
        let next = condition(draw);
        add(&mut conditions, next);
    }
    if conditions != json!({}) {
        statement["Condition"] = conditions;
    }
    statement
}

fn actions(draw: &mut Draw) -> Vec<&'static str> {
    match draw.below(9) {
        0 | 1 => vec!["*"],
        2 | 3 => vec!["dynamodb:*"],
        4 => vec!["dynamodb:GetItem", "dynamodb:Query"],
        5 => vec!["dynamodb:Get*", "dynamodb:List*", "dynamodb:Describe*"],
        6 => vec!["dynamodb:?etItem"],
        7 => vec!["dynamodb:PutItem", "dynamodb:PartiQL*", "dynamodb:CreateTable"],
        _ => vec![draw.one(&["s3:*", "dyn*:*"])],
    }
}

fn principals(draw: &mut Draw) -> Value {
    let arn = draw.one(&[
        ACCOUNT,
        ROLE,
        BREAK_GLASS,
        "arn:aws:iam::111122223333:user/app",
        "arn:aws:sts::111122223333:assumed-role/app/work",
        "arn:aws:iam::222233334444:root",
        "arn:aws:iam::222233334444:role/app",
        "AROAEXAMPLEEXAMPLE01",
    ]);
    match draw.below(4) {
        0 => json!("*"),
        1 => json!({"AWS": [arn, ROLE], "Service": "replication.dynamodb.amazonaws.com"}),
        _ => json!({"AWS": arn}),
    }
}

/// Adds a condition to those of a statement. One that has the same operator and key gives way.
fn add(conditions: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    for (operator, keys) in more {
        let Value::Object(keys) = keys else { continue };
        if conditions[&operator].is_null() {
            conditions[&operator] = Value::Object(Map::new());
        }
        keys.into_iter().for_each(|(key, values)| conditions[&operator][key] = values);
    }
}

const TEXT_OPERATORS: [&str; 11] = [
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "StringEqualsIfExists",
    "StringNotEqualsIfExists",
    "StringNotEqualsIgnoreCase",
    "ForAllValues:StringEquals",
    "ForAllValues:StringNotLike",
    "ForAnyValue:StringLike",
    "ForAnyValue:StringNotEquals",
];

const ARN_OPERATORS: [&str; 7] = [
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
    "StringLike",
    "StringNotLike",
    "ArnNotLikeIfExists",
];

/// The keys that hold text, and values near each other.
const TEXTS: [(&str, &[&str]); 12] = [
    ("aws:SourceVpc", &["vpc-0a1", "vpc-0b2", "vpc-*", "VPC-0A1", "*", "vpc-0?1", "${aws:PrincipalTag/t}"]),
    ("aws:SourceVpce", &["vpce-0a1", "vpce-*", "vpce-0b2"]),
    ("aws:PrincipalTag/t", &["a", "b", "ab", "a*", "*b", "?", "*", "${aws:PrincipalTag/u}"]),
    ("aws:PrincipalTag/u", &["orders", "o*", "${aws:PrincipalTag/t, 'orders'}"]),
    ("aws:ResourceTag/t", &["a", "b", "${aws:PrincipalTag/t}"]),
    ("aws:RequestedRegion", &["eu-west-1", "eu-*", "us-east-1"]),
    ("aws:PrincipalOrgID", &["o-exampleorgid", "o-*"]),
    ("aws:ResourceOrgID", &["o-exampleorgid", "${aws:PrincipalOrgID}"]),
    ("aws:ResourceAccount", &[ACCOUNT, OTHER, "${aws:PrincipalAccount}"]),
    ("aws:CalledVia", &["athena.amazonaws.com", "*"]),
    ("dynamodb:LeadingKeys", &["a", "b", "a*"]),
    ("aws:userid", &["AROA*", "*:work", "*"]),
];

const PRINCIPALS: [&str; 9] = [
    ROLE,
    BREAK_GLASS,
    "arn:aws:iam::*:role/glass",
    "arn:aws:iam::*:role/*",
    "arn:aws:iam::*:role/g*",
    "arn:aws:iam::*:role/*/glass",
    "arn:aws:iam::*:user/*",
    "arn:aws:iam::${aws:ResourceAccount}:role/*",
    "*",
];

fn condition(draw: &mut Draw) -> Value {
    let flags = ["aws:ViaAWSService", "aws:SecureTransport", "aws:PrincipalIsAWSService"];
    let nulls = ["aws:SourceVpc", "aws:SourceIp", "aws:PrincipalTag/t", "aws:SourceVpce", "aws:CalledVia"];
    match draw.below(20) {
        0..4 => text(draw, TEXTS[0]),
        4 | 5 => text(draw, TEXTS[1]),
        6 | 7 => text(draw, TEXTS[2]),
        8..11 => {
            let any = draw.below(TEXTS.len());
            text(draw, TEXTS[any])
        }
        11..14 => one_of(draw, &ARN_OPERATORS, &["aws:PrincipalArn"], &PRINCIPALS),
        14 => of_vpc(draw),
        15 => address(draw),
        16 => time(draw),
        17 => one_of(draw, &["Bool", "BoolIfExists"], &flags, &["true", "false"]),
        _ => one_of(draw, &["Null"], &nulls, &["true", "false"]),
    }
}

/// A condition of one operator, one key, one value.
fn one_of(draw: &mut Draw, operators: &[&str], keys: &[&str], values: &[&str]) -> Value {
    let (operator, key) = (draw.one(operators), draw.one(keys));
    json!({ operator: { key: draw.one(values) } })
}

fn text(draw: &mut Draw, (key, values): (&str, &[&str])) -> Value {
    let operator = draw.one(&TEXT_OPERATORS);
    json!({ operator: { key: draw.some(values, 2) } })
}

fn address(draw: &mut Draw) -> Value {
    let blocks = ["203.0.113.0/24", "0.0.0.0/0", "198.51.100.7", "198.51.100.0/24", "10.0.0.0/8", "::/0"];
    let operator = draw.one(&["IpAddress", "NotIpAddress", "NotIpAddressIfExists"]);
    let key = draw.one(&["aws:SourceIp", "aws:VpcSourceIp"]);
    json!({ operator: { key: draw.some(&blocks, 2) } })
}

fn of_vpc(draw: &mut Draw) -> Value {
    let arns = [
        "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0a1",
        "arn:aws:ec2:*:*:vpc/vpc-0a1",
        "arn:aws:ec2:eu-west-1:*:vpc/*",
    ];
    match draw.below(2) {
        0 => one_of(draw, &["StringEquals", "StringNotEquals"], &["aws:VpceAccount"], &[ACCOUNT, OTHER]),
        _ => one_of(draw, &["ArnLike", "ArnNotLike"], &["aws:SourceVpcArn"], &arns),
    }
}

fn time(draw: &mut Draw) -> Value {
    let dates = ["2026-01-01T00:00:00Z", "2027-02-01T00:00:00Z"];
    match draw.below(2) {
        0 => one_of(draw, &["NumericLessThan", "NumericGreaterThan"], &["aws:EpochTime"], &["1800000000"]),
        _ => one_of(draw, &["DateLessThan", "DateGreaterThan"], &["aws:CurrentTime"], &dates),
    }
}
