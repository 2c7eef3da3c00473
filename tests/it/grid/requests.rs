//! The grid: every way of making a request that the bundle's policies may tell apart.

use dynamodb_perimeter::iam::request::Values;
use dynamodb_perimeter::prove::bundle::Asked;

use super::draw::{STREAM, TABLE};

type Keys = Vec<(String, Values)>;

/// The choices there are for each part of a request.
pub struct Grid {
    callers: Vec<String>,
    /// Action and resource.
    whats: Vec<(&'static str, String)>,
    /// Where it comes from, and the rest of the context: of each, one is chosen.
    keys: Vec<Vec<Keys>>,
}

impl Grid {
    /// Of one principal and one table; `text`: the bundle, of which only the keys that stand in it matter.
    pub fn new(text: &str, principal: &str, session: Option<&str>, table: &str) -> Self {
        let callers = match (principal, session) {
            ("*", _) => CALLERS.iter().map(|caller| (*caller).to_owned()).collect(),
            (_, Some(session)) => vec![session.to_owned()],
            _ => vec![principal.to_owned()],
        };
        let mut keys = vec![ways()];
        keys.extend(optional(text));
        Self { callers, whats: whats(table), keys }
    }

    /// How many requests it has.
    pub fn size(&self) -> usize {
        self.callers.len() * self.whats.len() * self.keys.iter().map(Vec::len).product::<usize>()
    }

    /// The `n`th.
    pub fn nth(&self, mut n: usize) -> Asked {
        let mut place = |choices: usize| {
            let place = n % choices;
            n /= choices;
            place
        };
        let principal = self.callers[place(self.callers.len())].clone();
        let (action, resource) = self.whats[place(self.whats.len())].clone();
        let chosen = self.keys.iter().map(|choices| choices[place(choices.len())].clone());
        let context: Keys = chosen.collect::<Vec<_>>().concat();
        Asked { action: action.to_owned(), resource, principal, context }
    }
}

/// Whoever `*` stands for.
const CALLERS: [&str; 8] = [
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:role/glass",
    "arn:aws:iam::111122223333:role/glassy",
    "arn:aws:iam::111122223333:role/ops/glass",
    "arn:aws:iam::111122223333:role/:role/glass",
    "arn:aws:iam::444455556666:role/glass",
    "arn:aws:iam::111122223333:user/app",
    "arn:aws:iam::111122223333:user/glass",
];

/// Actions and the resources that they are done to.
fn whats(table: &str) -> Vec<(&'static str, String)> {
    if table == STREAM {
        return vec![
            ("dynamodb:GetRecords", table.to_owned()),
            ("dynamodb:DescribeStream", table.to_owned()),
        ];
    }
    if table != "*" {
        return of_table(table);
    }
    let mut all = of_table(TABLE);
    for other in [
        "arn:aws:dynamodb:us-east-1:111122223333:table/oxders",
        "arn:aws:dynamodb:eu-west-1:444455556666:table/orders",
        "arn:aws:dynamodb:eu-west-1:111122223333:table/audit",
    ] {
        all.extend(of_table(other).into_iter().take(2));
    }
    let named = |action, resource: &str| (action, resource.to_owned());
    all.extend([
        named("dynamodb:ListTables", "*"),
        named("dynamodb:ListTables", "arn:aws:dynamodb:eu-west-1:111122223333:table/*"),
        named("dynamodb:DescribeLimits", "*"),
        named("dynamodb:DescribeGlobalTable", "arn:aws:dynamodb::111122223333:global-table/orders"),
        named("dynamodb:GetRecords", STREAM),
    ]);
    all
}

fn of_table(table: &str) -> Vec<(&'static str, String)> {
    let itself = |action| (action, table.to_owned());
    let beneath = |action, rest: &str| (action, format!("{table}/{rest}"));
    vec![
        itself("dynamodb:GetItem"),
        beneath("dynamodb:Query", "index/by-day"),
        itself("dynamodb:PutItem"),
        itself("dynamodb:DescribeTable"),
        itself("dynamodb:PartiQLSelect"),
        itself("dynamodb:CreateTable"),
        itself("dynamodb:GetResourcePolicy"),
        itself("dynamodb:FutureAction"),
        beneath("dynamodb:GetRecords", "stream/2026-02-02T00:00:00.000"),
        beneath("dynamodb:DescribeExport", "export/01"),
        beneath("dynamodb:DescribeBackup", "backup/01"),
    ]
}

fn one(key: &str, value: &str) -> (String, Values) {
    (key.to_owned(), Values::One(value.to_owned()))
}

/// Where a request may come from, inside and outside.
fn ways() -> Vec<Keys> {
    let mut all = Vec::new();
    for address in ["203.0.113.10", "198.51.100.7", "2001:db8::1"] {
        all.push(vec![one("aws:SourceIp", address)]);
        all.push(by_service(vec![one("aws:SourceIp", address)]));
    }
    for (vpc, endpoint) in [
        ("vpc-0a1", "vpce-0a1"),
        ("vpc-0a1", "vpce-0a9"),
        ("vpc-0b2", "vpce-0b2"),
        ("vpc-0b2", "vpce-0a1"),
        ("vpc-0c3", "vpce-0c3"),
    ] {
        let through = vec![
            one("aws:SourceVpc", vpc),
            one("aws:SourceVpce", endpoint),
            one("aws:VpcSourceIp", "10.0.0.10"),
        ];
        all.push(through.clone());
        all.push(by_service(through));
    }
    all.push(by_service(Keys::new()));
    all
}

/// The same by a service, with the caller's credentials.
fn by_service(mut keys: Keys) -> Keys {
    keys.push(one("aws:ViaAWSService", "true"));
    keys.push(("aws:CalledVia".to_owned(), Values::Many(vec!["athena.amazonaws.com".to_owned()])));
    keys
}

/// The other keys that the text asks for: of each, what it may hold.
fn optional(text: &str) -> Vec<Vec<Keys>> {
    let choices = |key: &str, values: &[&str], may_be_absent: bool| {
        let absent = may_be_absent.then(Keys::new);
        absent.into_iter().chain(values.iter().map(|value| vec![one(key, value)])).collect::<Vec<_>>()
    };
    let all = [
        ("aws:PrincipalTag/t", choices("aws:PrincipalTag/t", &["a", "b", "ab", "c", "vpc-0a1"], true)),
        ("aws:PrincipalTag/u", choices("aws:PrincipalTag/u", &["orders", "a"], true)),
        ("aws:ResourceTag/t", choices("aws:ResourceTag/t", &["a", "b"], true)),
        ("aws:ResourceOrgID", choices("aws:ResourceOrgID", &["o-exampleorgid"], false)),
        ("aws:SecureTransport", choices("aws:SecureTransport", &["true", "false"], false)),
        (
            "aws:userid",
            choices("aws:userid", &["AROAEXAMPLEEXAMPLE01:work", "AROAEXAMPLEEXAMPLE01:other"], false),
        ),
        ("aws:VpceAccount", choices("aws:VpceAccount", &["111122223333", "444455556666"], true)),
        ("aws:SourceVpcArn", choices("aws:SourceVpcArn", &VPC_ARNS, true)),
        ("dynamodb:LeadingKeys", leading_keys()),
        ("Time", times()),
        ("aws:RequestedRegion", choices("aws:RequestedRegion", &["eu-west-1", "us-east-1"], true)),
    ];
    all.into_iter().filter(|(key, _)| text.contains(key)).map(|(_, choices)| choices).collect()
}

const VPC_ARNS: [&str; 3] = [
    "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0a1",
    "arn:aws:ec2:us-east-1:444455556666:vpc/vpc-0a1",
    "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0b2",
];

fn leading_keys() -> Vec<Keys> {
    let keys = |values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        vec![("dynamodb:LeadingKeys".to_owned(), Values::Many(values))]
    };
    vec![Keys::new(), keys(&["a"]), keys(&["b"]), keys(&["a", "b"])]
}

/// Now, and later.
fn times() -> Vec<Keys> {
    let at = |date, seconds| vec![one("aws:CurrentTime", date), one("aws:EpochTime", seconds)];
    vec![at("2026-11-25T00:00:00Z", "1795564800"), at("2027-06-01T00:00:00Z", "1811808000")]
}
