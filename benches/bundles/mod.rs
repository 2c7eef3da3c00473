//! Bundles such as organizations have, made from a seed: the same seed, the same text.
//!
//! A role with the policies of its team, three levels of service control policies of which one keeps the
//! perimeter, the organization's identity perimeter, a table and its endpoints. A third of the guards have
//! a mistake, some roles are break-glass, and some bundles ask about every role there could be.

mod guards;
mod identity;
mod random;

use guards::{Mistake, SPELLINGS, Spelling};
use random::Random;
use serde::Serialize;
use serde_json::{Value, json};

/// As documentation writes them.
const ORGANIZATION: &str = "o-exampleorgid";
const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const OFFICE: [&str; 1] = ["198.51.100.0/24"];
const REGION: &str = "eu-west-1";
const TEAMS: [&str; 6] = ["orders", "payments", "search", "shipping", "identity", "platform"];
const APPS: [&str; 8] =
    ["checkout", "ledger", "indexer", "tracker", "profiles", "gateway", "importer", "reports"];
const BREAK_GLASS: &str = "arn:aws:iam::*:role/break-glass-operator";
const DEPLOYER: &str = "arn:aws:iam::*:role/deployer";

/// A role, as far as its policies name it.
pub struct Role {
    account: &'static str,
    region: &'static str,
    team: &'static str,
    app: &'static str,
    /// The name of the table that it uses.
    uses: String,
}

impl Role {
    fn draw(random: &mut Random, uses: Option<&str>) -> Self {
        let (team, app) = (random.one(&TEAMS), random.one(&APPS));
        let uses = uses.map_or_else(|| format!("{app}-{}", random.hex(4)), str::to_owned);
        Self { account: ACCOUNTS[0], region: REGION, team, app, uses }
    }

    fn table(&self) -> String {
        table_arn(&self.uses)
    }

    fn tags(&self) -> Value {
        json!({ "team": self.team, "tenant": self.app })
    }
}

/// An approved VPC and its endpoint.
struct Vpc {
    id: String,
    endpoint: String,
}

/// All that the guards of one bundle name.
pub struct Estate {
    vpcs: Vec<Vpc>,
    /// Patterns of roles.
    break_glass: Vec<String>,
    table_name: String,
    table: String,
    spelling: Spelling,
    mistake: Mistake,
}

impl Estate {
    fn draw(random: &mut Random, mistakes: usize) -> Self {
        let vpcs = (0..=random.below(3)).map(|_| Vpc {
            id: format!("vpc-0{}", random.hex(16)),
            endpoint: format!("vpce-0{}", random.hex(16)),
        });
        let vpcs = vpcs.collect();
        let mut break_glass = vec![BREAK_GLASS.to_owned()];
        if random.percent(40) {
            break_glass.push(DEPLOYER.to_owned());
        }
        let table_name = format!("{}-{}", random.one(&TEAMS), random.hex(4));
        let mistake = Mistake::draw(random, mistakes);
        let spelling = random.one(&SPELLINGS);
        Self { vpcs, break_glass, table: table_arn(&table_name), table_name, spelling, mistake }
    }

    /// The perimeter that the guards are to keep.
    fn perimeter(&self, random: &mut Random) -> Value {
        let placed = |id: &str| json!({ "id": id, "region": REGION, "account": ACCOUNTS[0] });
        let endpoint = |vpc: &Vpc| {
            let mut endpoint = placed(&vpc.endpoint);
            endpoint["vpc"] = json!(vpc.id);
            endpoint
        };
        let mut perimeter = json!({
            "version": 1, "organization": ORGANIZATION, "management_account": "999988887777",
            "environments": { "production": { "mode": "enforce", "accounts": ACCOUNTS } },
            "vpc": self.vpcs.iter().map(|vpc| placed(&vpc.id)).collect::<Vec<_>>(),
            "endpoint": self.vpcs.iter().map(endpoint).collect::<Vec<_>>(),
            "break_glass": self.break_glass.iter().map(|role| json!({ "principal": role })).collect::<Vec<_>>(),
            "prove": { "now": "2026-11-23T00:00:00Z" },
        });
        let is_data_perimeter = self.spelling == Spelling::DataPerimeter;
        if is_data_perimeter || random.percent(20) {
            perimeter["trusted_address"] = json!([{ "cidrs": OFFICE, "reason": "office" }]);
        }
        if is_data_perimeter && self.mistake != Mistake::ThroughServices {
            perimeter["prove"]["service_calls"] = json!("approved");
        }
        if is_data_perimeter && self.mistake != Mistake::TagExemption {
            perimeter["prove"]["session_tags"] = json!("none");
        }
        perimeter
    }

    fn endpoints(&self) -> Vec<Value> {
        let endpoint = |vpc: &Vpc| json!({ "id": vpc.endpoint, "policy": guards::of_endpoint(self) });
        self.vpcs.iter().map(endpoint).collect()
    }

    fn described_table(&self) -> Value {
        json!({ "arn": self.table, "policy": guards::of_table(self), "tags": { "team": "orders" } })
    }
}

/// A bundle of one role with ten policies, and one table.
pub fn bundle(seed: u64) -> String {
    let random = &mut Random::new(seed);
    let estate = Estate::draw(random, 38);
    let principal = principal(random, &estate);
    let table = if random.percent(5) { json!({ "arn": "*" }) } else { table(random, &estate) };
    json!({
        "perimeter": estate.perimeter(random),
        "principals": [principal],
        "scps": guards::service_control(random, &estate),
        "rcps": guards::resource_control(),
        "tables": [table],
        "endpoints": estate.endpoints(),
    })
    .to_string()
}

/// One account: so many roles with one to six policies each, all below the same guards, and one table.
pub fn snapshot(seed: u64, roles: usize) -> String {
    let random = &mut Random::new(seed);
    let estate = Estate::draw(random, 0);
    let principals: Vec<Value> = (0..roles).map(|number| member(random, &estate, number)).collect();
    json!({
        "perimeter": estate.perimeter(random),
        "principals": principals,
        "scps": guards::service_control(random, &estate),
        "rcps": guards::resource_control(),
        "tables": [estate.described_table()],
        "endpoints": estate.endpoints(),
    })
    .to_string()
}

/// Whom a bundle asks about: every role there could be, a break-glass role, or a team's.
fn principal(random: &mut Random, estate: &Estate) -> Value {
    let role = Role::draw(random, Some(&estate.table_name));
    let mut principal = match random.below(100) {
        0..10 => json!({ "arn": "*" }),
        10..33 => of_break_glass(random, estate, &role),
        _ => {
            let arn = format!("arn:aws:iam::{}:role/app/{}-{}", role.account, role.team, role.app);
            json!({ "arn": arn, "tags": role.tags(), "identity": identity::policies(random, &role, 10) })
        }
    };
    if random.percent(30) {
        principal["boundary"] = identity::boundary(&role);
    }
    if random.percent(15) {
        principal["session"] = json!([identity::session(random, &role)]);
    }
    principal
}

fn of_break_glass(random: &mut Random, estate: &Estate, role: &Role) -> Value {
    let pattern = &estate.break_glass[random.below(estate.break_glass.len())];
    json!({
        "arn": pattern.replace('*', role.account),
        "tags": role.tags(),
        "identity": identity::of_break_glass(random, role, 10),
    })
}

/// A role of an account; one in twenty uses the table that is asked about.
fn member(random: &mut Random, estate: &Estate, number: usize) -> Value {
    let uses = random.percent(5).then_some(estate.table_name.as_str());
    let role = Role::draw(random, uses);
    let policies = 1 + random.below(6);
    let mut principal = json!({
        "arn": format!("arn:aws:iam::{}:role/{}/{}-{number}", role.account, role.team, role.app),
        "tags": role.tags(),
        "identity": identity::policies(random, &role, policies),
    });
    if random.percent(30) {
        principal["boundary"] = identity::boundary(&role);
    }
    principal
}

fn table(random: &mut Random, estate: &Estate) -> Value {
    if random.percent(60) { estate.described_table() } else { json!({ "arn": estate.table }) }
}

fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{}:table/{name}", ACCOUNTS[0])
}

fn policy(name: &str, statements: impl Into<Vec<Value>>) -> Value {
    let statements: Vec<Value> = statements.into();
    json!({ "name": name, "document": { "Version": "2012-10-17", "Statement": statements } })
}

fn statement(effect: &str, sid: &str, action: impl Serialize, resource: impl Serialize) -> Value {
    json!({ "Sid": sid, "Effect": effect, "Action": action, "Resource": resource })
}

fn allow(sid: &str, action: impl Serialize, resource: impl Serialize) -> Value {
    statement("Allow", sid, action, resource)
}

fn allow_if(sid: &str, action: impl Serialize, resource: impl Serialize, condition: Value) -> Value {
    conditional(allow(sid, action, resource), condition)
}

fn deny_if(sid: &str, action: impl Serialize, resource: impl Serialize, condition: Value) -> Value {
    conditional(statement("Deny", sid, action, resource), condition)
}

fn conditional(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}
