//! The requests there could be: who, to what, from where; and what each key may hold in them.
//!
//! What policies can tell apart in kind (a role or a user, a table or its stream, through an endpoint or
//! from the internet) is enumerated; names, addresses and times stay open.
//!
//! The axioms are those of docs/prover.md.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use ipnet::IpNet;
use jiff::Timestamp;

use super::accounts::{accounts, texts};
use super::answer::Within;
use super::bundle::{Bundle, Endpoint, Principal, Table};
use super::domain::Domain;
use super::regions::{are_tied, regions};
use super::strings::{Class, Language, Pattern, Step};
use crate::iam::catalogue::{self, ValueType};
use crate::iam::evaluate::Policy;
use crate::iam::request::{CallerKind, caller_of};
use crate::ids::{Arn, VpcKey, partition_of};
use crate::perimeter::{Mode, Perimeter};

/// Who may call.
#[derive(Clone, Debug)]
pub struct Callers {
    pub kind: CallerKind,
    pub account: String,
    /// What `aws:PrincipalArn` may hold.
    pub arn: Language,
    pub session_arn: Option<String>,
    /// The entry of the bundle.
    pub entry: usize,
    /// Of which partition those are whom `*` stands for: they reach no other.
    pub partition: Option<&'static str>,
}

/// What may be reached.
#[derive(Clone, Debug)]
pub struct Resources<'b> {
    /// As the catalogue calls its type; `None`: the action names no resource.
    pub kind: Option<&'static str>,
    pub account: String,
    /// `None`: it lies in no region.
    pub region: Option<String>,
    pub arn: Language,
    /// The table of the bundle whose it is, or that stands for it.
    pub entry: &'b str,
    pub policy: Option<&'b Policy>,
    /// The table's tags, where they are known.
    pub tags: Option<&'b [(String, String)]>,
    /// Requests have tags of theirs, and policies ask for them.
    pub tells_tags: bool,
}

impl<'b> Resources<'b> {
    /// Do keys not tell them apart?
    pub fn is_in_one_place_with(&self, other: &Self) -> bool {
        self.account == other.account
            && self.region == other.region
            && self.tags == other.tags
            && self.tells_tags == other.tells_tags
    }

    /// The policy that they have in another bundle.
    pub fn policy_in<'o>(&self, bundle: &'o Bundle) -> Option<&'o Policy> {
        let kind = self.kind?;
        let entry = bundle.table(self.entry)?;
        let is_it = entry.arn == self.entry && kind == "stream" && self.entry.contains("/stream/");
        entry.policy.as_ref().filter(|_| is_it || has_table_policy(kind))
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Net {
    /// A service makes it, and passes the caller's credentials on.
    pub by_service: bool,
    pub path: Path,
}

/// By which way it comes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Path {
    /// From nowhere: a service alone can.
    Nowhere,
    /// From an address; without a service, on the internet.
    Address,
    /// Through an endpoint that is known, by its place in [`Space::endpoints`].
    Known(usize),
    /// Through another endpoint.
    Endpoint,
    /// Through an endpoint of a VPC that has the id of an approved one, by its place in [`Space::vpcs`], and
    /// lies in another region, or is of another account. The endpoint may be one whose VPC nobody says.
    Namesake { vpc: usize, other: Other, endpoint: Option<usize> },
}

/// What tells a VPC from another one of the same id.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Other {
    Region,
    Owner,
}

/// An endpoint that is known.
#[derive(Clone, Debug)]
pub struct KnownEndpoint {
    pub id: String,
    /// `None`: nobody says which.
    pub vpc: Option<VpcKey>,
    pub is_approved: bool,
}

/// All requests that a question ranges over.
#[derive(Debug)]
pub struct Space<'b> {
    pub bundle: &'b Bundle,
    /// Another set of policies, that it is compared with.
    pub old: Option<&'b Bundle>,
    pub perimeter: &'b Perimeter,
    pub now: Timestamp,
    pub endpoints: Vec<KnownEndpoint>,
    /// The approved VPCs, in order.
    pub vpcs: Vec<&'b VpcKey>,
    /// What keys that tell of the network hold, by the way in which a request comes; outside or not; by key.
    pub of_network: RefCell<HashMap<(Net, bool, usize), Rc<Domain>>>,
    /// Some policy asks for the tags of a resource.
    pub asks_tags: bool,
    /// The enforced accounts whose resources `*` stands for, as far as anything tells them apart.
    pub accounts: Vec<String>,
    /// The same of callers.
    callers_accounts: Vec<String>,
    /// Which of the bundle's questions are asked.
    pub within: Within<'b>,
    /// One region of each kind that policies tell apart.
    pub regions: Vec<String>,
}

/// Characters of the names of roles and users, and of sessions.
pub fn name_class() -> Class {
    Class::ranges(&[('+', '.'), ('0', '9'), ('=', '='), ('@', 'Z'), ('_', '_'), ('a', 'z')])
}

/// Characters of the names of tables and indexes.
fn table_class() -> Class {
    Class::ranges(&[('-', '.'), ('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')])
}

/// A name of at least three characters.
fn table_name() -> Pattern {
    let one = || Step::One(table_class());
    Pattern::new(vec![one(), one(), one(), Step::Many(table_class())])
}

/// An id, as `vpc-0a1b`.
fn id(prefix: &str) -> Pattern {
    let class = || Class::ranges(&[('0', '9'), ('a', 'z')]);
    Pattern::literal(prefix).then(Pattern::new(vec![Step::One(class()), Step::Many(class())]))
}

impl<'b> Space<'b> {
    /// Everything that is known, put together. `old`: a set of policies that another one is compared with, and that may
    /// know of other endpoints.
    pub fn new(
        (bundle, old): (&'b Bundle, Option<&'b Bundle>),
        perimeter: &'b Perimeter,
        within: Within<'b>,
        now: Timestamp,
    ) -> Self {
        let bundles: Vec<&Bundle> = [Some(bundle), old].into_iter().flatten().collect();
        let listed: Vec<&Endpoint> = bundles.iter().flat_map(|bundle| &bundle.endpoints).collect();
        let endpoints = known_endpoints(&listed, perimeter);
        let mut vpcs: Vec<&VpcKey> = perimeter.vpcs.keys().collect();
        vpcs.sort();
        let is_enforced = |mode| mode == Mode::Enforce;
        let callers_accounts = accounts(&bundles, perimeter, |account, mode| {
            within.callers.map_or(is_enforced(mode), |within| within.contains(account))
        });
        let accounts = accounts(&bundles, perimeter, |account, mode| {
            is_enforced(mode) && within.resources.is_none_or(|within| within.contains(account))
        });
        let asks_tags = bundles.iter().any(|bundle| asks_tags(bundle));
        let regions = Vec::new();
        let of_network = RefCell::default();
        let mut space = Self {
            bundle,
            old,
            perimeter,
            now,
            endpoints,
            vpcs,
            of_network,
            asks_tags,
            accounts,
            callers_accounts,
            within,
            regions,
        };
        space.regions = space.regions(&bundles);
        space
    }

    /// The regions of the perimeter and of the tables that are asked about; and where every table is, of all
    /// others one of each kind that policies tell apart.
    fn regions(&self, bundles: &[&Bundle]) -> Vec<String> {
        let vpcs = self.perimeter.vpcs.keys().map(|vpc| vpc.region.clone());
        // An endpoint that serves its own region tells it from others.
        let is_own = self.perimeter.prove.endpoint_region_is_requested_region;
        let endpoints = self.perimeter.endpoints.iter().filter(|_| is_own);
        let vpcs = vpcs.chain(endpoints.map(|endpoint| endpoint.vpc.region.clone()));
        let tables = bundles.iter().flat_map(|bundle| &bundle.tables);
        let tables = tables.filter_map(|table| Arn::parse(&table.arn)).map(|arn| arn.region.to_owned());
        let mut listed: Vec<String> = vpcs.chain(tables).filter(|region| !region.is_empty()).collect();
        listed.sort();
        listed.dedup();
        let asks_all = self.bundle.tables.iter().any(|table| table.arn == "*");
        if !asks_all {
            return listed;
        }
        let texts = (is_own || are_tied(bundles)).then(|| texts(bundles, self.perimeter));
        regions(bundles, listed, self.accounts.first().map_or("", String::as_str), texts.as_ref())
    }

    /// The partitions of the regions, each once.
    fn partitions(&self) -> Vec<&'static str> {
        let mut partitions: Vec<&str> = self.regions.iter().map(|region| partition_of(region)).collect();
        partitions.sort_unstable();
        partitions.dedup();
        if partitions.is_empty() { vec!["aws"] } else { partitions }
    }

    /// Is a named principal one of those whom `*` stands for?
    pub fn is_enforced(&self, principal: &Principal) -> bool {
        let is_enforced = |account: &str| {
            let enforces = || self.perimeter.enforces(account);
            let given = |within: &BTreeSet<String>| within.contains(account) && self.perimeter.lists(account);
            self.within.callers.map_or_else(enforces, given)
        };
        caller_of(&principal.arn).is_some_and(|caller| {
            matches!(caller.kind, CallerKind::Role | CallerKind::User) && is_enforced(&caller.account)
        })
    }

    /// Is a table one of those that `*` stands for?
    pub fn is_table_enforced(&self, table: &str) -> bool {
        Arn::parse(table).is_some_and(|arn| self.perimeter.enforces(arn.account))
    }

    /// Who an entry of the bundle stands for.
    pub fn callers(&self, entry: usize, principal: &Principal) -> Vec<Callers> {
        if principal.arn != "*" {
            return caller_of(&principal.arn)
                .map(|caller| Callers {
                    kind: caller.kind,
                    account: caller.account,
                    arn: Language::of(Pattern::literal(&caller.arn)),
                    session_arn: principal.session_arn.clone().or(caller.session_arn),
                    entry,
                    partition: None,
                })
                .into_iter()
                .collect();
        }
        let bundles = [Some(self.bundle), self.old].into_iter().flatten();
        let bundle_arns: HashSet<&str> =
            bundles.flat_map(|bundle| &bundle.principals).map(|principal| principal.arn.as_str()).collect();
        let mut callers = Vec::new();
        let partitions = self.partitions();
        for (partition, account) in partitions
            .iter()
            .flat_map(|partition| self.callers_accounts.iter().map(move |account| (*partition, account)))
        {
            for (kind, word) in [(CallerKind::Role, "role/"), (CallerKind::User, "user/")] {
                let start = || Pattern::literal(&format!("arn:{partition}:iam::{account}:{word}"));
                let name = Pattern::new(vec![Step::One(name_class()), Step::Many(name_class())]);
                let path =
                    Pattern::new(vec![Step::Many(Class::ranges(&[('!', '~')])), Step::One(Class::Of('/'))]);
                // Who has an entry of its own is asked about by that.
                let own = bundle_arns.iter().map(|arn| Pattern::literal(arn));
                let service =
                    (kind == CallerKind::Role).then(|| start().then(Pattern::glob("aws-service-role/*")));
                let misses: Vec<Pattern> = own.chain(service).collect();
                for arn in [start().then(name.clone()), start().then(path).then(name)] {
                    let arn = Language::of(arn).but(misses.iter().cloned());
                    let (account, partition) = (account.clone(), Some(partition));
                    callers.push(Callers { kind, account, arn, session_arn: None, entry, partition });
                }
            }
        }
        callers
    }

    /// What an entry of the bundle stands for, as far as the callers can reach it.
    pub fn resources(&self, table: &'b Table, callers: &Callers) -> Vec<Resources<'b>> {
        let mut all = self.all_resources(table, &callers.account);
        all.retain(|resources| {
            let region = resources.region.as_deref();
            region.is_none_or(|region| callers.partition.is_none_or(|own| own == partition_of(region)))
        });
        all
    }

    fn all_resources(&self, table: &'b Table, caller_account: &str) -> Vec<Resources<'b>> {
        if table.arn != "*" {
            return self.of_table(table, table.policy.as_ref(), table.tags.as_deref());
        }
        let own = self.bundle.tables.iter().filter(|table| table.arn != "*");
        let own = own.flat_map(|table| self.of_table(table, table.policy.as_ref(), table.tags.as_deref()));
        // What only the other set lists is one of all here.
        let before = self.only_before().flat_map(|before| {
            // The policy of every table is none of a stream.
            let policy = table.policy.as_ref().filter(|_| !before.arn.contains("/stream/"));
            self.of_table(before, policy, None)
        });
        let mut all: Vec<Resources<'b>> = own.chain(before).collect();
        let tables = || self.bundle.tables.iter().chain(self.only_before());
        let listed: Vec<Pattern> = tables().map(|table| Pattern::literal(&table.arn)).collect();
        let beneath: Vec<Pattern> = tables()
            .map(|table| Pattern::literal(&format!("{}/", table.arn)).then(Pattern::glob("*")))
            .collect();
        for account in &self.accounts {
            for region in &self.regions {
                let partition = partition_of(region);
                let start = format!("arn:{partition}:dynamodb:{region}:{account}:table/");
                for (kind, arn) in shapes(&Pattern::literal(&start).then(table_name())) {
                    all.push(Resources {
                        kind: Some(kind),
                        account: account.clone(),
                        region: Some(region.clone()),
                        arn: Language::of(arn).but(listed.iter().chain(&beneath).cloned()),
                        entry: &table.arn,
                        policy: if has_table_policy(kind) { table.policy.as_ref() } else { None },
                        tags: None,
                        tells_tags: self.asks_tags && has_tags(kind),
                    });
                }
            }
            for partition in self.partitions() {
                let global = format!("arn:{partition}:dynamodb::{account}:global-table/");
                all.push(Resources {
                    kind: Some("global-table"),
                    account: account.clone(),
                    region: None,
                    arn: Language::of(Pattern::literal(&global).then(table_name())),
                    entry: &table.arn,
                    policy: None,
                    tags: None,
                    tells_tags: false,
                });
            }
        }
        if self.accounts.iter().any(|account| account == caller_account) {
            all.extend(self.without_resource(table, caller_account));
        }
        all
    }

    /// Tables and streams that only the other set lists.
    fn only_before(&self) -> impl Iterator<Item = &'b Table> {
        let tables = self.old.into_iter().flat_map(|old| &old.tables);
        tables.filter(|before| {
            before.arn != "*" && !self.bundle.tables.iter().any(|table| table.arn == before.arn)
        })
    }

    /// A table itself, its indexes, and what hangs on it.
    fn of_table(
        &self,
        table: &'b Table,
        policy: Option<&'b Policy>,
        tags: Option<&'b [(String, String)]>,
    ) -> Vec<Resources<'b>> {
        let Some(arn) = Arn::parse(&table.arn).filter(is_table_or_stream) else { return Vec::new() };
        let made = |kind: &'static str, pattern: Pattern, policy: Option<&'b Policy>| Resources {
            kind: Some(kind),
            account: arn.account.to_owned(),
            region: (!arn.region.is_empty()).then(|| arn.region.to_owned()),
            arn: Language::of(pattern),
            entry: &table.arn,
            policy,
            tags,
            tells_tags: self.asks_tags && has_tags(kind),
        };
        if arn.resource.contains("/stream/") {
            return vec![made("stream", Pattern::literal(&table.arn), policy)];
        }
        let shapes = shapes(&Pattern::literal(&table.arn)).into_iter();
        let is_stream = |other: &&Table| other.arn.starts_with(&format!("{}/stream/", table.arn));
        let before: Vec<&'b Table> = self.only_before().filter(is_stream).collect();
        let streams = self.bundle.tables.iter().filter(is_stream).chain(before.iter().copied());
        let streams: Vec<Pattern> = streams.map(|other| Pattern::literal(&other.arn)).collect();
        let mut all: Vec<Resources<'b>> = shapes
            .map(|(kind, pattern)| made(kind, pattern, policy.filter(|_| has_table_policy(kind))))
            .collect();
        all.iter_mut()
            .filter(|shape| shape.kind == Some("stream"))
            .for_each(|shape| shape.arn.misses.push(streams.as_slice().into()));
        // A stream that only the other set lists is one of the table's here.
        let of_stream = |stream: &&'b Table| Resources {
            entry: &stream.arn,
            ..made("stream", Pattern::literal(&stream.arn), None)
        };
        all.extend(before.iter().map(of_stream));
        all
    }

    /// What an action that names no resource is asked about with.
    fn without_resource(&self, table: &'b Table, account: &str) -> Vec<Resources<'b>> {
        let of = |arn: &str, region: Option<&String>| Resources {
            kind: None,
            account: account.to_owned(),
            region: region.cloned(),
            arn: Language::of(Pattern::literal(arn)),
            entry: &table.arn,
            policy: None,
            tags: None,
            tells_tags: false,
        };
        let mut all = Vec::new();
        for region in &self.regions {
            let partition = partition_of(region);
            all.push(of("*", Some(region)));
            all.push(of(&format!("arn:{partition}:dynamodb:{region}:{account}:table/*"), Some(region)));
        }
        all
    }

    /// Every way in which a request may come.
    pub fn nets(&self) -> Vec<Net> {
        let known = (0..self.endpoints.len()).map(Path::Known);
        let exact = self.perimeter.prove.vpc_identity_exact;
        let vpcs = 0..if exact { self.vpcs.len() } else { 0 };
        let of_unknown = self.endpoints.iter().enumerate().filter(|(_, known)| known.vpc.is_none());
        let endpoints: Vec<Option<usize>> =
            [None].into_iter().chain(of_unknown.map(|(n, _)| Some(n))).collect();
        let namesakes = vpcs.flat_map(|vpc| {
            endpoints.iter().flat_map(move |endpoint| {
                let endpoint = *endpoint;
                [Other::Region, Other::Owner].map(|other| Path::Namesake { vpc, other, endpoint })
            })
        });
        let paths: Vec<Path> =
            [Path::Address, Path::Endpoint].into_iter().chain(known).chain(namesakes).collect();
        let itself = paths.iter().map(|path| Net { by_service: false, path: *path });
        let by_service =
            [Path::Nowhere].iter().chain(&paths).map(|path| Net { by_service: true, path: *path });
        itself.chain(by_service).collect()
    }

    /// Public addresses that are approved now.
    pub fn trusted(&self) -> Vec<IpNet> {
        let in_force = self.perimeter.trusted.iter().filter(|entry| entry.window.contains(Some(self.now)));
        in_force.flat_map(|entry| entry.cidrs.iter().copied()).collect()
    }

    /// The ids of approved VPCs.
    pub fn approved(&self) -> Vec<Pattern> {
        let mut ids: Vec<&str> = self.perimeter.vpcs.keys().map(|vpc| vpc.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(Pattern::literal).collect()
    }
}

/// The kinds of resources that are of a table, and their ARNs.
fn shapes(table: &Pattern) -> Vec<(&'static str, Pattern)> {
    let beneath = |word: &str, name: Pattern| table.clone().then(Pattern::literal(word)).then(name);
    let label = || {
        Pattern::new(vec![
            Step::One(Class::ranges(&[('0', '9')])),
            Step::Many(Class::ranges(&[('-', '.'), ('0', ':'), ('A', 'Z'), ('a', 'z')])),
        ])
    };
    vec![
        ("table", table.clone()),
        ("index", beneath("/index/", table_name())),
        ("stream", beneath("/stream/", label())),
        ("backup", beneath("/backup/", label())),
        ("export", beneath("/export/", label())),
        ("import", beneath("/import/", label())),
    ]
}

/// Is it a table's ARN, or a stream's?
fn is_table_or_stream(arn: &Arn<'_>) -> bool {
    let Some(name) = arn.resource.strip_prefix("table/") else { return false };
    arn.service == "dynamodb"
        && match name.split_once('/') {
            None => !name.is_empty(),
            Some((table, rest)) => !table.is_empty() && rest.starts_with("stream/"),
        }
}

/// Does some condition ask for a tag of the resource?
pub fn asks_tags(bundle: &Bundle) -> bool {
    let statements = bundle.policies().flat_map(|policy| &policy.document.statements);
    let mut conditions = statements.flat_map(|statement| &statement.conditions);
    conditions.any(|condition| condition.key.starts_with("aws:resourcetag/"))
}

/// Has a request for this type of resource its tags?
///
/// Source: service authorization reference, "Condition keys for Amazon DynamoDB".
pub fn has_tags(kind: &str) -> bool {
    matches!(kind, "table" | "index" | "stream")
}

/// A table's policy is that of its indexes too.
fn has_table_policy(kind: &str) -> bool {
    matches!(kind, "table" | "index")
}

fn known_endpoints(listed: &[&Endpoint], perimeter: &Perimeter) -> Vec<KnownEndpoint> {
    let mut known: Vec<KnownEndpoint> = perimeter
        .endpoints
        .iter()
        .map(|endpoint| KnownEndpoint {
            id: endpoint.id.as_str().to_owned(),
            vpc: Some(endpoint.vpc.clone()),
            is_approved: if perimeter.prove.vpc_identity_exact {
                perimeter.vpcs.contains_key(&endpoint.vpc)
            } else {
                perimeter.vpcs.keys().any(|vpc| vpc.id == endpoint.vpc.id)
            },
        })
        .collect();
    for endpoint in listed {
        if !known.iter().any(|other| other.id == endpoint.id) {
            known.push(KnownEndpoint { id: endpoint.id.clone(), vpc: None, is_approved: false });
        }
    }
    known
}

/// What a VPC's ARN may be, of these parts.
pub fn vpc_arn(region: Pattern, owner: Pattern, id: Pattern) -> Pattern {
    let colon = || Pattern::literal(":");
    let letters = || Class::ranges(&[('-', '-'), ('a', 'z')]);
    let partition = Pattern::literal("aws").then(Pattern::new(vec![Step::Many(letters())]));
    let start = Pattern::literal("arn:").then(partition).then(Pattern::literal(":ec2:"));
    start.then(region).then(colon()).then(owner).then(Pattern::literal(":vpc/")).then(id)
}

/// What a region may be called.
pub fn any_region() -> Pattern {
    let letter = || Class::ranges(&[('a', 'z')]);
    let class = || Class::ranges(&[('-', '-'), ('0', '9'), ('a', 'z')]);
    let dash = || Step::One(Class::Of('-'));
    let begin = vec![Step::One(letter()), Step::One(letter()), Step::Many(letter()), dash()];
    let end = [Step::One(letter()), Step::Many(class()), dash(), Step::One(Class::ranges(&[('0', '9')]))];
    Pattern::new(begin.into_iter().chain(end).collect())
}

/// What an account's number may be.
pub fn any_account() -> Pattern {
    Pattern::new((0..12).map(|_| Step::One(Class::ranges(&[('0', '9')]))).collect())
}

/// What a VPC's id may be, as a pattern.
pub fn any_vpc_id() -> Pattern {
    id("vpc-")
}

/// What a VPC's id may be.
pub fn any_vpc() -> Domain {
    Domain::of(id("vpc-"))
}

/// What an endpoint's id may be.
pub fn any_endpoint() -> Domain {
    Domain::of(id("vpce-"))
}

/// What a key may hold that nothing is known of but its type.
pub fn by_type(key: &str) -> Domain {
    let Some(found) = catalogue::find_key(key) else { return Domain::text().or_absent() };
    let domain = match (found.key.value, found.key.multivalued) {
        (_, true) => Domain::several(),
        (ValueType::Bool, _) => Domain::flag(None),
        (ValueType::Numeric | ValueType::Date, _) => Domain::number_from(0),
        (ValueType::Ip, _) => Domain::address(&[]),
        (ValueType::String | ValueType::Arn | ValueType::Binary, _) => Domain::text(),
    };
    domain.or_absent()
}
