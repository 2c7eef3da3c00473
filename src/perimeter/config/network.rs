//! What is ours: the top of the file, its environments, VPCs and endpoints, and where their entries
//! contradict each other.

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;

use super::diagnostic::{Diagnostic, quote};
use super::node::{Place, Value};
use super::read::{ACCOUNT, BLOCK, Diagnostics, Kind, Table, What};
use super::{risk, value};
use crate::ids::{AccountId, VpcKey};
use crate::perimeter::{Endpoint, Mode, Perimeter};

const ENVIRONMENT: Kind = Kind { heading: "[environments.NAME]", keys: &["mode", "accounts"] };
const VPC: Kind = Kind { heading: "[[vpc]]", keys: &["id", "region", "account", "cidrs"] };
const ENDPOINT: Kind = Kind { heading: "[[endpoint]]", keys: &["id", "region", "account", "vpc"] };

/// The longest name of an environment: it is kept with each of its accounts.
const NAME_BYTES: usize = 64;

const MODES: [(&str, Mode); 3] =
    [("enforce", Mode::Enforce), ("observe", Mode::Observe), ("exempt", Mode::Exempt)];

pub(super) fn version(top: &Table<'_>, found: &mut Diagnostics) {
    let help = "write `version = 1`, above the first heading in brackets";
    match top.node("version") {
        None => found.report(Diagnostic::error(top.at, "there is no `version`").help(help)),
        Some(node) => match &node.value {
            Value::Integer(digits) if digits == "1" => {}
            Value::Integer(digits) => {
                let message = format!("version {} is not known here: 1 is the only one", quote(digits));
                found.report(Diagnostic::error(&node.at, message).help(help));
            }
            other => {
                let message = format!("`version` must be the number 1, not {}", other.kind());
                found.report(Diagnostic::error(&node.at, message).help(help));
            }
        },
    }
}

pub(super) fn organization(top: &Table<'_>, found: &mut Diagnostics) -> Option<String> {
    let (id, at) = found.optional(
        top,
        "organization",
        What("an organization id", "\"o-exampleorgid\""),
        value::organization,
    )?;
    // Source: Organizations API reference, `Organization.Id`: ^o-[a-z0-9]{10,32}$
    if !(12..=34).contains(&id.len()) {
        let message = format!("{} has not the length of an organization id", quote(&id));
        found.report(
            Diagnostic::warning(at, message).help("`aws organizations describe-organization` shows it"),
        );
    }
    Some(id)
}

pub(super) fn management_account(top: &Table<'_>, found: &mut Diagnostics) -> Option<AccountId> {
    found.optional(top, "management_account", ACCOUNT, value::account).map(|(id, _)| id)
}

pub(super) fn environments(top: &Table<'_>, perimeter: &mut Perimeter, found: &mut Diagnostics) {
    let help = "add `[environments.production]` with `mode = \"enforce\"` and its `accounts`";
    let Some(node) = top.node("environments") else {
        return found.report(Diagnostic::error(top.at, "there is no environment").help(help));
    };
    let fields = found.open(node, ENVIRONMENT.heading);
    if matches!(node.value, Value::Table(_)) && fields.is_empty() {
        found.report(Diagnostic::error(&node.at, "there is no environment").help(help));
    }
    let mut first: HashMap<AccountId, (&str, &Place)> = HashMap::new();
    for field in fields {
        let (name, shown) = (field.name.as_str(), quote(&field.name));
        if name.trim().is_empty() || name.chars().any(char::is_control) || name.len() > NAME_BYTES {
            let message = format!("{shown} is no name for an environment");
            found.report(Diagnostic::error(&field.at, message).help("write a few words in one line"));
            continue;
        }
        let table = found.table(&field.node, ENVIRONMENT);
        if table.node("mode").is_none() {
            let message = format!("environment {shown} has no mode, and is judged as `enforce`");
            found.report(Diagnostic::warning(table.at, message).help("add `mode = \"enforce\"`"));
        }
        let check = |text: &str| value::one_of(text, "mode", &MODES);
        let mode = found
            .optional(&table, "mode", What("a mode", "\"enforce\""), check)
            .map_or(Mode::Enforce, |(mode, _)| mode);
        perimeter.environments.insert(name.to_owned(), mode);
        let (accounts, _) =
            found.list(&table, "accounts", ACCOUNT, value::account).unwrap_or((Vec::new(), table.at));
        if accounts.is_empty() {
            let message = format!("environment {shown} has no accounts");
            found.report(Diagnostic::warning(table.at, message).help("add `accounts = [\"111122223333\"]`"));
        }
        for (account, at) in accounts {
            if mode == Mode::Exempt && perimeter.management_account.as_ref() == Some(&account) {
                let message = format!("account `{account}` is the management account, and exempt");
                let help = "put it into an environment of mode `enforce`: who holds it rules every account";
                found.report(Diagnostic::warning(at, message).help(help));
            }
            if let Some((other, other_at)) = first.get(&account) {
                found.report(if *other == name {
                    Diagnostic::warning(at, format!("account `{account}` stands here a second time"))
                        .related(other_at, "listed here first")
                } else {
                    let message =
                        format!("account `{account}` is in two environments, {} and {shown}", quote(other));
                    Diagnostic::error(at, message)
                        .related(other_at, "listed here first")
                        .help("keep it in one of them")
                });
                continue;
            }
            first.insert(account.clone(), (name, at));
            perimeter.accounts.insert(account, (name.to_owned(), mode));
        }
    }
    if !perimeter.environments.is_empty() && perimeter.environments.values().all(|mode| *mode == Mode::Exempt)
    {
        let message = "every environment is exempt: none of the accounts is held to anything";
        found
            .report(Diagnostic::warning(&node.at, message).help("use `enforce`, or `observe` to begin with"));
    }
}

/// The id under `id_key`, with its region and account.
fn vpc_key<'a>(
    table: &Table<'a>,
    id_key: &str,
    found: &mut Diagnostics,
) -> Option<(VpcKey, &'a Place, &'a Place)> {
    let id = found.needed(table, id_key, What("a VPC id", "\"vpc-0a1b2c3d4e5f60001\""), value::vpc);
    let region = found.needed(table, "region", What("a region", "\"eu-west-1\""), value::region);
    let account = found.needed(table, "account", ACCOUNT, value::account);
    let ((id, id_at), (region, _), (account, account_at)) = (id?, region?, account?);
    Some((VpcKey { region, account, id }, id_at, account_at))
}

/// The approved VPCs, each with the place of its id and with its blocks.
pub(super) type Approved<'a> = HashMap<VpcKey, (&'a Place, BTreeSet<IpNet>)>;

pub(super) fn vpcs<'a>(top: &Table<'a>, perimeter: &mut Perimeter, found: &mut Diagnostics) -> Approved<'a> {
    let mut first: Approved<'_> = HashMap::new();
    let tables = found.tables(top, "vpc", VPC);
    if tables.is_empty() {
        let message = "there is no `[[vpc]]`: no network is approved, and every call is from outside";
        found.report(
            Diagnostic::warning(top.at, message).help("add the VPCs that the tables are reached from"),
        );
    }
    for table in tables {
        let key = vpc_key(&table, "id", found);
        let cidrs = found.list(&table, "cidrs", BLOCK, value::cidr);
        let cidrs = found.blocks(cidrs, &[risk::too_wide_for_a_vpc]);
        let Some((key, id_at, account_at)) = key else { continue };
        let shown = quote(&key.id);
        if cidrs.is_empty() {
            let message = format!("VPC {shown} has no cidrs: transit through its endpoints cannot be told");
            found
                .report(Diagnostic::warning(table.at, message).help("add `cidrs`, the VPC's address blocks"));
        }
        if !perimeter.lists(key.account.as_str()) {
            let message = format!("account `{}` is in no environment", key.account);
            let help = "add it to an environment; till then it is judged as `enforce`";
            found.report(Diagnostic::warning(account_at, message).help(help));
        }
        let set = cidrs.iter().copied().collect::<BTreeSet<_>>();
        let Some((other, earlier)) = first.get(&key) else {
            first.insert(key.clone(), (id_at, set));
            perimeter.vpcs.insert(key, cidrs);
            continue;
        };
        found.report(if *earlier == set {
            Diagnostic::warning(id_at, format!("VPC {shown} stands here a second time"))
                .related(other, "listed here first")
        } else {
            Diagnostic::error(id_at, format!("VPC {shown} stands here a second time, with other cidrs"))
                .related(other, "listed here first")
                .help("put all its cidrs into one `[[vpc]]`")
        });
    }
    first
}

pub(super) fn endpoints(top: &Table<'_>, approved: &Approved<'_>, found: &mut Diagnostics) -> Vec<Endpoint> {
    let mut by_id: HashMap<&str, Vec<(&VpcKey, &Place)>> = HashMap::new();
    for (key, (at, _)) in approved {
        by_id.entry(&key.id).or_default().push((key, at));
    }
    let mut first = HashMap::new();
    let mut endpoints = Vec::new();
    for table in found.tables(top, "endpoint", ENDPOINT) {
        let id =
            found.needed(&table, "id", What("an endpoint id", "\"vpce-0a1b2c3d4e5f60001\""), value::endpoint);
        let vpc = vpc_key(&table, "vpc", found);
        let (Some((id, at)), Some((vpc, vpc_at, _))) = (id, vpc) else { continue };
        if !approved.contains_key(&vpc)
            && let Some(namesakes) = by_id.get(vpc.id.as_str())
        {
            warn_of_namesake(&vpc, vpc_at, namesakes, found);
        }
        let Some((other, other_at)) = first.get(&id) else {
            first.insert(id.clone(), (vpc.clone(), at));
            endpoints.push(Endpoint { id, vpc });
            continue;
        };
        found.report(match difference(other, &vpc) {
            None => Diagnostic::warning(at, format!("endpoint `{id}` stands here a second time"))
                .related(other_at, "listed here first"),
            Some((what, before, now)) => {
                let message =
                    format!("endpoint `{id}` is in two {what}: {} and {}", quote(before), quote(now));
                Diagnostic::error(at, message)
                    .related(other_at, "listed here first")
                    .help("an endpoint never changes its VPC: keep the entry that is right")
            }
        });
    }
    endpoints
}

/// Warns where the id is an approved VPC's, and the place is not: a VPC is known by all three.
fn warn_of_namesake(vpc: &VpcKey, at: &Place, namesakes: &[(&VpcKey, &Place)], found: &mut Diagnostics) {
    let first = namesakes.iter().min_by_key(|(_, at)| at.span.as_ref().map(|span| span.start));
    let Some((other, other_at)) = first else { return };
    let Some((what, theirs, ours)) = difference(other, vpc) else { return };
    let message = format!(
        "VPC {} is approved, and not here: the {what} are {} and {}, so the endpoint is not approved",
        quote(&vpc.id),
        quote(theirs),
        quote(ours)
    );
    found.report(
        Diagnostic::warning(at, message)
            .related(other_at, "approved here")
            .help("write the endpoint's own region and account, or add the `[[vpc]]`"),
    );
}

fn difference<'a>(one: &'a VpcKey, other: &'a VpcKey) -> Option<(&'static str, &'a str, &'a str)> {
    [
        ("VPCs", one.id.as_str(), other.id.as_str()),
        ("regions", &one.region, &other.region),
        ("accounts", one.account.as_str(), other.account.as_str()),
    ]
    .into_iter()
    .find(|(_, one, other)| one != other)
}
