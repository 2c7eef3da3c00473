//! What each condition key may hold in a request of one kind.
//!
//! Source: IAM user guide, "AWS global condition context keys"; the axioms A0 to A9 of docs/prover.md.

use std::rc::Rc;
use std::sync::LazyLock;

use ipnet::IpNet;

use super::domain::Domain;
use super::space::{
    Callers, Net, Other, Path, Resources, Space, any_account, any_endpoint, any_region, any_vpc, any_vpc_id,
    by_type, has_tags, name_class, vpc_arn,
};
use super::strings::{Class, Language, Pattern, Step};
use crate::iam::catalogue::OF_ENDPOINTS;
use crate::iam::request::{CallerKind, Context, Values};

/// One kind of request: who, what, from where.
#[derive(Clone, Copy, Debug)]
pub struct Kind<'k, 'b> {
    pub space: &'k Space<'b>,
    pub callers: &'k Callers,
    pub resources: &'k Resources<'b>,
    pub net: &'k Net,
    /// The request is to come from outside the perimeter.
    pub outside: bool,
}

/// Private addresses, which nobody has on the internet.
static PRIVATE: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let blocks = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "0.0.0.0/8",
        "224.0.0.0/3",
        "::/3",
        "4000::/2",
        "8000::/1",
    ];
    // Each is a block that can be read: a test says so.
    blocks.iter().filter_map(|block| block.parse().ok()).collect()
});

/// Where a key that tells of the network stands among those that do.
fn place_of_network(key: &str) -> Option<usize> {
    let mut all = OF_ENDPOINTS.iter().chain(&["aws:sourceip"]);
    all.position(|known| *known == key)
}

/// Does what the key holds hang on where a request comes from?
pub fn is_of_network(key: &str) -> bool {
    place_of_network(key).is_some()
        || matches!(key, "aws:viaawsservice" | "aws:requestedregion")
        || key.starts_with("aws:calledvia")
}

impl Kind<'_, '_> {
    /// May there be any request of this kind, where it is to come from outside?
    pub fn is_possible(&self) -> bool {
        if self.net.by_service {
            let approved = self.space.perimeter.prove.service_calls_approved;
            let by_itself = matches!(self.callers.kind, CallerKind::Service | CallerKind::ServiceLinkedRole);
            if by_itself || (self.outside && approved) {
                return false;
            }
        }
        match self.net.path {
            Path::Known(n) => self.space.endpoints.get(n).is_some_and(|known| {
                !(self.outside && known.is_approved)
                    && known.vpc.as_ref().is_none_or(|vpc| self.may_serve(&vpc.region))
            }),
            Path::Namesake { vpc, other, .. } => self.space.vpcs.get(vpc).is_some_and(|vpc| match other {
                Other::Region => {
                    self.resources.region.as_ref() != Some(&vpc.region) || !self.serves_own_region()
                }
                Other::Owner => self.may_serve(&vpc.region),
            }),
            Path::Nowhere | Path::Address | Path::Endpoint => true,
        }
    }

    fn serves_own_region(&self) -> bool {
        self.space.perimeter.prove.endpoint_region_is_requested_region
    }

    /// May an endpoint of that region be what the request came through?
    fn may_serve(&self, region: &str) -> bool {
        !self.serves_own_region() || self.resources.region.as_deref().is_none_or(|asked| asked == region)
    }

    fn through_endpoint(&self) -> bool {
        matches!(self.net.path, Path::Known(_) | Path::Endpoint | Path::Namesake { .. })
    }

    /// The keys whose value is known by the way in which the request comes.
    pub fn fixed_by_net(&self) -> Context {
        let mut fixed = Context::default();
        let mut one = |key: &str, value: &str| fixed.set(key, Values::One(value.to_owned()));
        one("aws:ViaAWSService", if self.net.by_service { "true" } else { "false" });
        if let Some(region) = &self.resources.region {
            one("aws:RequestedRegion", region);
        }
        match self.net.path {
            Path::Known(n) => {
                if let Some(known) = self.space.endpoints.get(n) {
                    one("aws:SourceVpce", &known.id);
                    known.vpc.iter().for_each(|vpc| one("aws:SourceVpc", &vpc.id));
                }
            }
            Path::Namesake { vpc, endpoint, .. } => {
                self.space.vpcs.get(vpc).iter().for_each(|vpc| one("aws:SourceVpc", &vpc.id));
                let known = endpoint.and_then(|n| self.space.endpoints.get(n));
                known.iter().for_each(|known| one("aws:SourceVpce", &known.id));
            }
            Path::Nowhere | Path::Address | Path::Endpoint => {}
        }
        fixed
    }

    /// The keys whose value is known wherever the request comes from.
    pub fn fixed_anywhere(&self) -> Context {
        let mut fixed = Context::default();
        let mut one = |key: &str, value: String| fixed.set(key, Values::One(value));
        let is_service = self.callers.kind == CallerKind::Service;
        one("aws:PrincipalIsAWSService", is_service.to_string());
        one("aws:ResourceAccount", self.resources.account.clone());
        if let Some(region) = &self.resources.region {
            one("aws:RequestedRegion", region.clone());
        }
        if !is_service {
            one("aws:PrincipalAccount", self.callers.account.clone());
            one("aws:PrincipalType", self.callers.kind.principal_type().to_owned());
            if let Some(arn) = self.callers.arn.only() {
                one("aws:PrincipalArn", arn.to_owned());
            }
            if let Some(organization) = self.organization_of(&self.callers.account) {
                one("aws:PrincipalOrgID", organization.to_owned());
            }
        }
        if let Some(organization) = self.organization_of(&self.resources.account) {
            one("aws:ResourceOrgID", organization.to_owned());
        }
        fixed
    }

    /// The endpoint that requests come through, where it is known.
    pub fn endpoint(&self) -> Option<&str> {
        match self.net.path {
            Path::Known(n) | Path::Namesake { endpoint: Some(n), .. } => {
                self.space.endpoints.get(n).map(|known| known.id.as_str())
            }
            Path::Nowhere | Path::Address | Path::Endpoint | Path::Namesake { .. } => None,
        }
    }

    fn organization_of(&self, account: &str) -> Option<&str> {
        self.space.perimeter.organization.as_deref().filter(|_| self.space.perimeter.is_ours(account))
    }

    /// Of an account that is not known to be of ours: any other organization, or none.
    fn other_organization(&self) -> Domain {
        let mut other = Domain::text().or_absent();
        other.miss(self.space.perimeter.organization.as_deref().map(Pattern::literal));
        other
    }

    /// Where an account lies in its organization.
    fn paths_of(&self, account: &str) -> Domain {
        let below =
            |organization: &str| Pattern::literal(&format!("{organization}/")).then(Pattern::glob("*"));
        let ours = self.space.perimeter.organization.as_deref();
        let paths = match self.organization_of(account) {
            Some(organization) => Language::of(below(organization)),
            None => Language::of(Pattern::glob("*")).but(ours.map(below)),
        };
        Domain::several_of(paths).or_absent()
    }

    /// What a key may hold; `fixed`: those whose value is known.
    pub fn domain(&self, key: &str, fixed: &Context) -> Domain {
        match fixed.get(key) {
            Some(Values::One(value)) if matches!(value.as_str(), "true" | "false") => {
                return Domain::flag(Some(value == "true"));
            }
            Some(Values::One(value)) => return Domain::only(value),
            Some(Values::Many(_)) | None => {}
        }
        match key {
            _ if place_of_network(key).is_some() => self.network(key),
            "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" => {
                match (self.net.by_service, key) {
                    (false, _) => Domain::absent(),
                    (true, "aws:calledvia") => Domain::several(),
                    (true, _) => Domain::text(),
                }
            }
            "aws:currenttime" | "aws:epochtime" => Domain::number_from(self.space.now.as_nanosecond()),
            "aws:securetransport" => Domain::flag(None),
            "aws:resourceorgid" => self.other_organization(),
            "aws:resourceorgpaths" => self.paths_of(&self.resources.account),
            "aws:requestedregion" => self.region_of_request(),
            _ if key.starts_with("aws:principal") || key.starts_with("aws:user") => self.principal(key),
            _ if key.starts_with("aws:resourcetag/") => match self.resources.kind {
                Some(kind) if has_tags(kind) => self.tag(key, "aws:resourcetag/", self.resources.tags),
                _ => Domain::absent(),
            },
            "aws:sourcearn" | "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths"
                if self.callers.kind != CallerKind::Service =>
            {
                Domain::absent()
            }
            _ => by_type(key),
        }
    }

    /// For what lies in no region, where the request was sent: anywhere, or where its endpoint serves.
    fn region_of_request(&self) -> Domain {
        let mut region = Domain::of(any_region());
        if !self.serves_own_region() {
            return region;
        }
        let endpoint = |n: usize| self.space.endpoints.get(n).and_then(|known| known.vpc.as_ref());
        let vpc = |n: usize| self.space.vpcs.get(n).copied();
        match self.net.path {
            Path::Known(n) => endpoint(n).map_or(region, |vpc| Domain::only(&vpc.region)),
            Path::Namesake { vpc: n, other: Other::Owner, .. } => {
                vpc(n).map_or(region, |vpc| Domain::only(&vpc.region))
            }
            Path::Namesake { vpc: n, other: Other::Region, .. } => {
                region.miss(vpc(n).map(|vpc| Pattern::literal(&vpc.region)));
                region
            }
            Path::Nowhere | Path::Address | Path::Endpoint => region,
        }
    }

    /// The same as [`Kind::domain`], made once for all callers and places where it hangs on neither.
    pub fn shared_domain(&self, key: &str, fixed: &Context) -> Rc<Domain> {
        let Some(place) =
            place_of_network(key).filter(|_| !self.serves_own_region() && fixed.get(key).is_none())
        else {
            return Rc::new(self.domain(key, fixed));
        };
        let name = (*self.net, self.outside, place);
        let mut known = self.space.of_network.borrow_mut();
        known.entry(name).or_insert_with(|| Rc::new(self.domain(key, fixed))).clone()
    }

    fn network(&self, key: &str) -> Domain {
        let space = self.space;
        match key {
            "aws:sourceip" => match (self.net.path, self.net.by_service) {
                (Path::Address, by_service) => {
                    let mut but = if by_service { Vec::new() } else { PRIVATE.clone() };
                    but.extend(if self.outside { space.trusted() } else { Vec::new() });
                    Domain::address(&but)
                }
                // Of what a service may set there nothing is known.
                (Path::Known(_) | Path::Endpoint | Path::Namesake { .. }, true) => {
                    Domain::address(&[]).or_absent()
                }
                _ => Domain::absent(),
            },
            _ if !self.through_endpoint() => Domain::absent(),
            "aws:sourcevpc" => {
                let mut vpc = any_vpc();
                if self.outside {
                    vpc.miss(space.approved());
                }
                vpc
            }
            "aws:sourcevpcarn" => self.vpc_arn().or_absent(),
            "aws:vpceaccount" => self.endpoint_account().or_absent(),
            "aws:vpceorgid" => match self.owner_of_endpoint().and_then(|owner| self.organization_of(owner)) {
                Some(organization) => Domain::only(organization).or_absent(),
                None => by_type(key),
            },
            "aws:sourcevpce" => {
                let mut endpoint = any_endpoint();
                endpoint.miss(space.endpoints.iter().map(|known| Pattern::literal(&known.id)));
                endpoint
            }
            "aws:vpcsourceip" => Domain::address(&[]),
            _ => by_type(key),
        }
    }

    /// The ARN of the VPC; its id is that of `aws:SourceVpc`.
    fn vpc_arn(&self) -> Domain {
        let literal = Pattern::literal;
        let region = if self.serves_own_region() { self.resources.region.as_deref() } else { None };
        let region = region.map_or_else(any_region, literal);
        match self.net.path {
            Path::Known(n) => match self.space.endpoints.get(n).and_then(|known| known.vpc.as_ref()) {
                Some(vpc) => {
                    Domain::of(vpc_arn(literal(&vpc.region), literal(vpc.account.as_str()), literal(&vpc.id)))
                }
                None => Domain::of(vpc_arn(region, any_account(), any_vpc_id())),
            },
            Path::Namesake { vpc, other, .. } => {
                let Some(vpc) = self.space.vpcs.get(vpc) else { return Domain::absent() };
                let (own, id) = (|text: &str| Pattern::literal(text), literal(&vpc.id));
                let mut domain = match other {
                    Other::Region => Domain::of(vpc_arn(region, any_account(), id)),
                    Other::Owner => Domain::of(vpc_arn(own(&vpc.region), any_account(), id)),
                };
                let approved = self.space.vpcs.iter().filter(|other| other.id == vpc.id);
                domain.miss(approved.map(|vpc| {
                    vpc_arn(literal(&vpc.region), literal(vpc.account.as_str()), literal(&vpc.id))
                }));
                if other == Other::Region {
                    domain.miss([vpc_arn(own(&vpc.region), any_account(), literal(&vpc.id))]);
                }
                domain
            }
            Path::Nowhere | Path::Address | Path::Endpoint => {
                let mut domain = Domain::of(vpc_arn(region, any_account(), any_vpc_id()));
                if self.outside {
                    let ids = self
                        .space
                        .vpcs
                        .iter()
                        .map(|vpc| vpc_arn(any_region(), any_account(), literal(&vpc.id)));
                    domain.miss(ids);
                }
                domain
            }
        }
    }

    fn owner_of_endpoint(&self) -> Option<&str> {
        let Path::Known(n) = self.net.path else { return None };
        self.space.endpoints.get(n).and_then(|known| known.vpc.as_ref()).map(|vpc| vpc.account.as_str())
    }

    /// The account of the endpoint, which is that of its VPC.
    fn endpoint_account(&self) -> Domain {
        match self.net.path {
            Path::Known(n) => match self.space.endpoints.get(n).and_then(|known| known.vpc.as_ref()) {
                Some(vpc) => Domain::only(vpc.account.as_str()),
                None => Domain::of(any_account()),
            },
            Path::Namesake { vpc, other: Other::Owner, .. } => {
                let mut domain = Domain::of(any_account());
                domain.miss(self.space.vpcs.get(vpc).map(|vpc| Pattern::literal(vpc.account.as_str())));
                domain
            }
            _ => Domain::of(any_account()),
        }
    }

    fn principal(&self, key: &str) -> Domain {
        let caller = self.callers;
        match key {
            "aws:principalarn" => Domain::language(caller.arn.clone()),
            "aws:principalisawsservice" | "aws:principaltype" | "aws:principalaccount" => Domain::absent(),
            "aws:principalorgid" if caller.kind == CallerKind::Service => Domain::absent(),
            "aws:principalorgid" => self.other_organization(),
            "aws:principalservicename" if caller.kind == CallerKind::Service => {
                Domain::language(caller.arn.clone())
            }
            "aws:principalservicename" | "aws:principalservicenameslist" => match caller.kind {
                CallerKind::Service => by_type(key),
                _ => Domain::absent(),
            },
            "aws:userid" => self.user_id(),
            "aws:username" => match caller.kind {
                CallerKind::User => match caller.arn.only().and_then(|arn| arn.rsplit('/').next()) {
                    Some(name) => Domain::only(name),
                    None => Domain::text(),
                },
                _ => Domain::absent(),
            },
            "aws:principalorgpaths" if caller.kind == CallerKind::Service => Domain::absent(),
            "aws:principalorgpaths" => self.paths_of(&caller.account),
            // Neither can be tagged.
            _ if key.starts_with("aws:principaltag/")
                && matches!(caller.kind, CallerKind::Root | CallerKind::Service) =>
            {
                Domain::absent()
            }
            _ if key.starts_with("aws:principaltag/") => {
                let known =
                    self.space.bundle.principals.get(caller.entry).and_then(|entry| entry.tags.as_deref());
                let is_fixed = self.space.perimeter.prove.session_tags_none;
                self.tag(key, "aws:principaltag/", known.filter(|_| is_fixed))
            }
            _ => by_type(key),
        }
    }

    /// A tag: what is known of it, else anything or nothing.
    fn tag(&self, key: &str, prefix: &str, known: Option<&[(String, String)]>) -> Domain {
        let Some(known) = known else { return Domain::text().or_absent() };
        let name = key.strip_prefix(prefix).unwrap_or_default();
        known
            .iter()
            .find(|(tag, _)| tag.eq_ignore_ascii_case(name))
            .map_or_else(Domain::absent, |(_, value)| Domain::only(value))
    }

    /// Of a role's session: the role's id and the session's name, which the caller chooses.
    fn user_id(&self) -> Domain {
        let upper = || Step::One(Class::ranges(&[('0', '9'), ('A', 'Z')]));
        // AWS does not say how long an id is: those there are have 20 or 21 characters.
        let more = [Step::Many(Class::ranges(&[('0', '9'), ('A', 'Z')]))];
        let id = |prefix: &str| {
            let steps = (0..16).map(|_| upper()).chain(more.clone());
            Pattern::literal(prefix).then(Pattern::new(steps.collect()))
        };
        let session = name_class();
        let known = self.callers.session_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
        match (self.callers.kind, known) {
            (CallerKind::Role | CallerKind::ServiceLinkedRole, Some(name)) => {
                Domain::of(id("AROA").then(Pattern::literal(":")).then(Pattern::literal(name)))
            }
            (CallerKind::Role | CallerKind::ServiceLinkedRole, None) => {
                let name = [Step::One(session.clone()), Step::One(session.clone()), Step::Many(session)];
                Domain::of(id("AROA").then(Pattern::literal(":")).then(Pattern::new(name.to_vec())))
            }
            (CallerKind::User, _) => Domain::of(id("AIDA")),
            (CallerKind::Root, _) => Domain::only(&self.callers.account),
            (CallerKind::FederatedUser | CallerKind::Service, _) => Domain::text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_private_block_is_one() {
        assert_eq!(PRIVATE.len(), 11);
    }
}
