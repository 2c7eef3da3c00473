//! The perimeter: what `perimeter.toml` says is approved, checked once, and what follows from it
//! for one call: where it came from, who made it, which exception covers it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use crate::audit::rule::Severity;
use crate::ids::{AccountId, EndpointId, VpcKey};

pub mod config;
pub mod exception;
pub mod inventory;
pub mod origin;
pub mod principal;
pub mod session;

/// A checked `perimeter.toml`. Made by [`config::parse`].
#[derive(Clone, Debug, Default)]
pub struct Perimeter {
    /// The organization's id, as `o-exampleorgid`.
    pub organization: Option<String>,
    /// The organization's management account; no policy of the organization binds it.
    pub management_account: Option<AccountId>,
    /// By name.
    pub environments: BTreeMap<String, Mode>,
    /// Every account of every environment, with the environment's name and mode.
    pub accounts: HashMap<AccountId, (String, Mode)>,
    /// The approved VPCs, each with its address blocks (none given: none known).
    pub vpcs: HashMap<VpcKey, Vec<IpNet>>,
    /// Endpoints that the file names.
    pub endpoints: Vec<Endpoint>,
    /// Addresses that may come through an approved endpoint from elsewhere.
    pub transit: Vec<Transit>,
    /// Public addresses that are approved.
    pub trusted: Vec<TrustedAddress>,
    /// Principals that may come from anywhere.
    pub break_glass: Vec<BreakGlass>,
    /// AWS services expected to reach the tables for us.
    pub services: Vec<Service>,
    /// Findings that nobody wants to hear of for a while.
    pub suppressions: Vec<Suppression>,
    /// Our own resources.
    pub product: Product,
    /// What the rules are set to.
    pub rules: RuleSettings,
    /// What a proof may assume.
    pub prove: ProveSettings,
}

/// What an environment's accounts are held to. The order is from the laxest to the strictest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mode {
    /// Nothing is expected of it.
    Exempt,
    /// Findings, no alerts.
    Observe,
    /// Findings and alerts.
    Enforce,
}

/// A VPC endpoint and where it is: for ever, since an endpoint never changes its VPC.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// As `vpce-0a1b2c3d4e5f60001`.
    pub id: EndpointId,
    /// The VPC, with the region and owner that it shares with the endpoint.
    pub vpc: VpcKey,
}

/// A stretch of time: `from <= time < until`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Window {
    /// Absent: always was.
    pub from: Option<Timestamp>,
    /// Absent: without end.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Is `time` in the window? A time that is not known is in no bounded window.
    pub fn contains(&self, time: Option<Timestamp>) -> bool {
        match time {
            Some(time) => {
                self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
            }
            None => self.from.is_none() && self.until.is_none(),
        }
    }
}

/// A `[[transit]]` entry.
#[derive(Clone, Debug)]
pub struct Transit {
    pub cidrs: Vec<IpNet>,
    pub note: Option<String>,
}

/// A `[[trusted_address]]` entry.
#[derive(Clone, Debug)]
pub struct TrustedAddress {
    pub cidrs: Vec<IpNet>,
    pub window: Window,
    pub reason: Option<String>,
}

/// A `[[break_glass]]` entry.
#[derive(Clone, Debug)]
pub struct BreakGlass {
    /// Matched as `ArnLike`; a wildcard account stands only for accounts of enforce or observe
    /// environments.
    pub principal: String,
    /// Unique ids that are approved; none given: any.
    pub unique_ids: Vec<String>,
    /// Patterns of table ARNs or, without `arn:`, of table names; none given: every table.
    pub tables: Vec<String>,
    pub window: Window,
    /// How long a session of it may be, counted from when its credentials were issued; none given: as long as it is.
    pub max_session: Option<SignedDuration>,
    pub ticket: Option<String>,
}

/// A `[[service]]` entry.
#[derive(Clone, Debug)]
pub struct Service {
    /// Matched as `ArnLike`.
    pub principal: String,
    /// The service's name, as `lambda.amazonaws.com`; absent: any service.
    pub via: Option<String>,
    pub reason: Option<String>,
}

/// A `[[suppress]]` entry.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// A rule's name.
    pub rule: &'static str,
    /// Matched as `ArnLike`; absent: anybody.
    pub principal: Option<String>,
    pub window: Window,
    pub reason: Option<String>,
}

/// The `[product]` table: our own resources.
#[derive(Clone, Debug, Default)]
pub struct Product {
    /// ARN of the findings table.
    pub table: Option<String>,
    /// ARNs of the roles that write to it.
    pub roles: Vec<String>,
    /// Patterns, as `ArnLike`, of what the product is made of and depends on.
    pub resources: Vec<String>,
}

/// The `[rules]` table.
#[derive(Clone, Debug, Default)]
pub struct RuleSettings {
    /// By rule name; `None` is off. A rule that is not in it has its own severity.
    pub severities: HashMap<&'static str, Option<Severity>>,
    /// What `transit` is set to.
    pub transit: TransitMode,
}

/// What a call through an approved endpoint is, from an address outside the VPC's blocks and every
/// `[[transit]]`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TransitMode {
    /// Inside.
    Allow,
    /// Inside, with a finding.
    #[default]
    Flag,
    /// Outside.
    Deny,
}

/// The `[prove]` table: what a proof may assume.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ProveSettings {
    /// `service_calls = "approved"`: calls that services make with our credentials are inside.
    pub service_calls_approved: bool,
    /// `vpc_identity = "exact"`: a VPC is told from one of the same id elsewhere.
    pub vpc_identity_exact: bool,
    /// `session_tags = "none"`: a session brings no tags of its own.
    pub session_tags_none: bool,
    /// `endpoint_region_is_requested_region`.
    pub endpoint_region_is_requested_region: bool,
    /// `now`; absent: the clock.
    pub now: Option<Timestamp>,
}

impl Perimeter {
    /// What the account is held to. An account in no environment is judged as `enforce`.
    pub fn mode_of(&self, account: &str) -> Mode {
        self.accounts.get(account).map_or(Mode::Enforce, |(_, mode)| *mode)
    }

    /// Is the account in an environment?
    pub fn lists(&self, account: &str) -> bool {
        self.accounts.contains_key(account)
    }

    /// Is the account in an environment that is enforced?
    pub fn enforces(&self, account: &str) -> bool {
        self.lists(account) && self.mode_of(account) == Mode::Enforce
    }

    /// Is the account ours: in an environment, or the management account?
    pub fn is_ours(&self, account: &str) -> bool {
        self.lists(account) || self.management_account.as_ref().is_some_and(|own| own.as_str() == account)
    }

    /// Does the account own an approved VPC?
    pub fn owns_approved_vpc(&self, account: &str) -> bool {
        self.vpcs.keys().any(|vpc| vpc.account.as_str() == account)
    }

    /// Is the address one that may come through an approved endpoint from elsewhere?
    pub fn is_transit(&self, address: IpAddr) -> bool {
        self.transit.iter().any(|entry| entry.cidrs.iter().any(|cidr| cidr.contains(&address)))
    }

    /// Is the address approved at `time`?
    pub fn trusts(&self, address: IpAddr, time: Option<Timestamp>) -> bool {
        let covers = |entry: &TrustedAddress| entry.cidrs.iter().any(|cidr| cidr.contains(&address));
        self.trusted.iter().any(|entry| covers(entry) && entry.window.contains(time))
    }
}
