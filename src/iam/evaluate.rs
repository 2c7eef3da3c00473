//! One request against all policies that apply to it: allowed or denied, by which statement.
//!
//! This is the reference: what the prover says must agree with it.
//!
//! Source: IAM user guide, "Policy evaluation logic", "Determining whether a request is allowed or
//! denied within an account", "Cross-account policy evaluation logic"; Organizations user guide, "SCP
//! evaluation", "RCP evaluation".

use super::document::{Document, Effect, Kind, Statement};
use super::matching::{self, Grant, Matched};
use super::reading::{Reading, Side};
use super::request::{CallerKind, Request};
use super::table_policy;

/// A policy with a name.
#[derive(Clone, Debug)]
pub struct Policy {
    pub name: String,
    pub document: Document,
    /// Where the document was a text of its own: the places in it are of that text.
    pub own_text: Option<OwnText>,
}

/// A policy's text that stands as a string in a larger one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnText {
    /// Where the string begins in the larger text, in bytes.
    pub at: usize,
    /// What it holds, without the larger text's escapes.
    pub text: String,
}

/// Every policy that may have a say in a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guards<'p> {
    /// Of the caller; `None`: they allow everything.
    pub identity: Option<&'p [Policy]>,
    pub boundary: Option<&'p Policy>,
    /// Of the session; `None`: it has none.
    pub session: Option<&'p [Policy]>,
    /// Service control policies, from the root down; no level: none is attached.
    pub service_control: &'p [Vec<Policy>],
    /// Resource control policies, likewise.
    pub resource_control: &'p [Vec<Policy>],
    /// Of the table or stream.
    pub resource: Option<&'p Policy>,
    /// Of the endpoint that the request came through.
    pub endpoint: Option<&'p Policy>,
}

/// What of the caller's account and of the resource's decides which policies apply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The caller's account is a member of the organization, and not the management account.
    pub caller_is_member: bool,
    /// The same of the resource's account.
    pub resource_is_of_member: bool,
    /// Both are one.
    pub same_account: bool,
}

/// Where a policy has its say.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Layer {
    ServiceControl {
        /// Counted from the root, which is 0.
        level: usize,
    },
    ResourceControl {
        level: usize,
    },
    Endpoint,
    Resource,
    Identity,
    Boundary,
    Session,
}

/// What is decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    Allow,
    /// Some statement denies it.
    ExplicitDeny,
    /// No statement allows it, where one must.
    ImplicitDeny,
}

/// How one statement stands to the request.
#[derive(Clone, Copy, Debug)]
pub struct Step<'p> {
    pub layer: Layer,
    pub policy: &'p Policy,
    pub statement: &'p Statement,
    pub matched: Matched<'p>,
}

/// A decision, and how it came to be.
#[derive(Clone, Debug)]
pub struct Decision<'p> {
    pub outcome: Outcome,
    /// The statements that decide, by their places in `steps`.
    pub decided_by: Vec<usize>,
    /// Where an allowing statement is missing, if that decides.
    pub missing: Option<Layer>,
    /// Every statement of every policy that applies.
    pub steps: Vec<Step<'p>>,
    /// The outcome if all that the documentation leaves open is read the other way, where that differs.
    pub otherwise: Option<Outcome>,
}

impl Decision<'_> {
    /// What the documentation leaves open, and that the outcome hangs on.
    pub fn open_questions(&self) -> impl Iterator<Item = (&Step<'_>, &'static str)> {
        let steps = self.steps.iter().filter(|_| self.otherwise.is_some());
        steps.filter_map(|step| match (step.matched.reading, step.matched.grant) {
            (Reading::Unclear(why), _) => Some((step, why)),
            (Reading::Yes, grant) if step.layer == Layer::Resource => {
                Some((step, open_grant(grant, step.matched.sure_grant)?))
            }
            _ => None,
        })
    }
}

/// Why it is open how far a grant of a resource's policy goes.
fn open_grant(grant: Grant, sure_grant: Grant) -> Option<&'static str> {
    match (grant, sure_grant) {
        (Grant::Everybody, _) => {
            Some("whether a grant to everybody needs an identity, boundary or session policy")
        }
        (Grant::Direct, sure) if sure != Grant::Direct => {
            Some("a session by its name, which the request does not tell")
        }
        (Grant::Account | Grant::Role | Grant::Direct, _) => {
            Some("whether the action can be allowed across accounts")
        }
        (Grant::Own, _) => None,
    }
}

/// Decides a request.
pub fn evaluate<'p>(request: &Request, guards: &Guards<'p>, standing: Standing) -> Decision<'p> {
    let applying = applying(request.caller.kind, &request.action, guards, standing);
    let steps = steps(request, &applying);
    let case = Case { request, guards: &applying, standing, steps: &steps };
    let (outcome, decided_by, missing) = case.decide(Side::Permissive);
    let strict = if case.has_open_questions() { case.decide(Side::Strict).0 } else { outcome };
    let otherwise =
        (strict != outcome && (strict == Outcome::Allow || outcome == Outcome::Allow)).then_some(strict);
    Decision { outcome, decided_by, missing, steps, otherwise }
}

/// The policies that apply to what a caller of that kind does.
pub fn applying<'p>(kind: CallerKind, action: &str, guards: &Guards<'p>, standing: Standing) -> Guards<'p> {
    let is_service = matches!(kind, CallerKind::Service | CallerKind::ServiceLinkedRole);
    let mut applying = *guards;
    if is_service || !standing.caller_is_member {
        applying.service_control = &[];
    }
    if is_service_linked(kind) || !standing.resource_is_of_member {
        applying.resource_control = &[];
    }
    if !table_policy::counts_for(action) {
        applying.resource = None;
    }
    // Root may do everything in its account, and has no policies; a service by itself has none either.
    if matches!(kind, CallerKind::Root | CallerKind::Service) {
        (applying.identity, applying.boundary, applying.session) = (None, None, None);
    }
    applying
}

fn is_service_linked(kind: CallerKind) -> bool {
    kind == CallerKind::ServiceLinkedRole
}

fn steps<'p>(request: &Request, guards: &Guards<'p>) -> Vec<Step<'p>> {
    let mut steps = Vec::new();
    let has_boundary = guards.boundary.is_some();
    let mut add = |layer: Layer, policies: &'p [Policy]| {
        for policy in policies {
            for statement in &policy.document.statements {
                let matched = matching::matched(statement, request, has_boundary);
                steps.push(Step { layer, policy, statement, matched });
            }
        }
    };
    for (level, policies) in guards.service_control.iter().enumerate() {
        add(Layer::ServiceControl { level }, policies);
    }
    for (level, policies) in guards.resource_control.iter().enumerate() {
        add(Layer::ResourceControl { level }, policies);
    }
    add(Layer::Endpoint, guards.endpoint.map(std::slice::from_ref).unwrap_or_default());
    add(Layer::Resource, guards.resource.map(std::slice::from_ref).unwrap_or_default());
    add(Layer::Identity, guards.identity.unwrap_or_default());
    add(Layer::Boundary, guards.boundary.map(std::slice::from_ref).unwrap_or_default());
    add(Layer::Session, guards.session.unwrap_or_default());
    steps
}

/// Does a statement of that effect count, read to that side?
fn counts(side: Side, effect: Effect, reading: Reading) -> bool {
    match effect {
        Effect::Allow => side.allows(reading, true),
        Effect::Deny => !side.allows(reading, false),
    }
}

/// A request, what applies to it, and how each statement stands to it.
struct Case<'c, 'p> {
    request: &'c Request,
    guards: &'c Guards<'p>,
    standing: Standing,
    steps: &'c [Step<'p>],
}

type Decided = (Outcome, Vec<usize>, Option<Layer>);

impl Case<'_, '_> {
    fn decide(&self, side: Side) -> Decided {
        let denies = self.counting(side, Effect::Deny, |_| true);
        if !denies.is_empty() {
            return (Outcome::ExplicitDeny, denies, None);
        }
        let levels = (0..self.guards.service_control.len()).map(|level| Layer::ServiceControl { level });
        let endpoint = self.guards.endpoint.map(|_| Layer::Endpoint);
        let mut decided_by = Vec::new();
        for layer in levels.chain(endpoint) {
            match self.allowing(side, layer) {
                allows if allows.is_empty() => return (Outcome::ImplicitDeny, Vec::new(), Some(layer)),
                allows => decided_by.extend(allows),
            }
        }
        match self.permitted(side) {
            Ok(allows) => {
                decided_by.extend(allows);
                (Outcome::Allow, decided_by, None)
            }
            Err(missing) => (Outcome::ImplicitDeny, Vec::new(), Some(missing)),
        }
    }

    /// May it matter to which side what is open is read?
    fn has_open_questions(&self) -> bool {
        let is_open = |step: &Step<'_>| {
            matches!(step.matched.reading, Reading::Unclear(_))
                || (step.layer == Layer::Resource
                    && (step.matched.grant == Grant::Everybody
                        || step.matched.grant != step.matched.sure_grant))
        };
        !self.standing.same_account || self.steps.iter().any(is_open)
    }

    /// The statements that count, by their places.
    fn counting(&self, side: Side, effect: Effect, asked: impl Fn(&Step<'_>) -> bool) -> Vec<usize> {
        let counts = |step: &Step<'_>| {
            step.statement.effect == effect && counts(side, effect, step.matched.reading) && asked(step)
        };
        self.steps.iter().enumerate().filter(|(_, step)| counts(step)).map(|(n, _)| n).collect()
    }

    fn allowing(&self, side: Side, layer: Layer) -> Vec<usize> {
        self.counting(side, Effect::Allow, |step| step.layer == layer)
    }

    /// Is the request permitted by the caller's own policies, the resource's, or both, as must be? By which
    /// statements; else, where one is missing.
    fn permitted(&self, side: Side) -> Result<Vec<usize>, Layer> {
        let granted = |grants: &[Grant]| {
            self.counting(side, Effect::Allow, |step| {
                let grant = match side {
                    Side::Permissive => step.matched.grant,
                    Side::Strict => step.matched.sure_grant,
                };
                step.layer == Layer::Resource && grants.contains(&grant)
            })
        };
        if self.request.caller.kind == CallerKind::Service {
            return some(granted(&[Grant::Direct, Grant::Everybody]), Layer::Resource);
        }
        if self.standing.same_account {
            self.within_account(side, granted)
        } else {
            let across = table_policy::reaches_across(&self.request.action);
            if !side.allows(across, true) {
                return Err(Layer::Resource);
            }
            let all = [Grant::Direct, Grant::Everybody, Grant::Role, Grant::Account];
            let mut allows = some(granted(&all), Layer::Resource)?;
            allows.extend(self.own(side)?);
            Ok(allows)
        }
    }

    fn within_account(
        &self,
        side: Side,
        granted: impl Fn(&[Grant]) -> Vec<usize>,
    ) -> Result<Vec<usize>, Layer> {
        // What is granted to a session or user itself needs nothing of its own policies. Of a grant to
        // everybody nobody says whether it does.
        let direct: &[Grant] = match side {
            Side::Permissive => &[Grant::Direct, Grant::Everybody],
            Side::Strict => &[Grant::Direct],
        };
        let allows = granted(direct);
        if !allows.is_empty() {
            return Ok(allows);
        }
        let own = self.own(side);
        let to_role = granted(&[Grant::Role, Grant::Everybody]);
        if own.is_err() && !to_role.is_empty() {
            return self.limits(side).map(|limits| to_role.into_iter().chain(limits).collect());
        }
        own
    }

    /// Do the caller's own policies permit it?
    fn own(&self, side: Side) -> Result<Vec<usize>, Layer> {
        let mut allows = match self.guards.identity {
            Some(_) => some(self.allowing(side, Layer::Identity), Layer::Identity)?,
            None => Vec::new(),
        };
        allows.extend(self.limits(side)?);
        Ok(allows)
    }

    /// Do boundary and session leave it?
    fn limits(&self, side: Side) -> Result<Vec<usize>, Layer> {
        let mut allows = Vec::new();
        if self.guards.boundary.is_some() {
            allows.extend(some(self.allowing(side, Layer::Boundary), Layer::Boundary)?);
        }
        if self.guards.session.is_some() {
            allows.extend(some(self.allowing(side, Layer::Session), Layer::Session)?);
        }
        Ok(allows)
    }
}

fn some(allows: Vec<usize>, layer: Layer) -> Result<Vec<usize>, Layer> {
    if allows.is_empty() { Err(layer) } else { Ok(allows) }
}

impl Layer {
    /// The kind of policy that has its say there.
    pub fn kind(self) -> Kind {
        match self {
            Layer::ServiceControl { .. } => Kind::ServiceControl,
            Layer::ResourceControl { .. } => Kind::ResourceControl,
            Layer::Endpoint => Kind::Endpoint,
            Layer::Resource => Kind::Table,
            Layer::Identity => Kind::Identity,
            Layer::Boundary => Kind::Boundary,
            Layer::Session => Kind::Session,
        }
    }
}

impl Outcome {
    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::ExplicitDeny => "explicit_deny",
            Outcome::ImplicitDeny => "implicit_deny",
        }
    }
}

#[cfg(test)]
mod tests;
