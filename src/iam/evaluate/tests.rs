//! Both sides of every line of the logic by which policies of several layers decide together.

use std::collections::BTreeMap;

use super::*;
use crate::iam::request::{Caller, Context};

const ALLOW: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const DENY: &str = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#;
const OTHERS: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/work";
const USER: &str = "arn:aws:iam::111122223333:user/app";
const ROOT: &str = "arn:aws:iam::111122223333:root";
const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

const ROOT_LEVEL: Layer = Layer::ServiceControl { level: 0 };
const UNIT_LEVEL: Layer = Layer::ServiceControl { level: 1 };
const ACCOUNT_LEVEL: Layer = Layer::ServiceControl { level: 2 };
const RESOURCE_LEVEL: Layer = Layer::ResourceControl { level: 0 };

/// Who calls, and under which policies.
#[derive(Clone)]
struct Setup {
    caller: Caller,
    action: &'static str,
    standing: Standing,
    layers: BTreeMap<Layer, Vec<Policy>>,
}

/// A call within an organization's account, that no policy speaks of.
fn by(kind: CallerKind, arn: &str) -> Setup {
    let caller = Caller { kind, arn: arn.into(), session_arn: None, account: "111122223333".into() };
    let standing = Standing { caller_is_member: true, resource_is_of_member: true, same_account: true };
    Setup { caller, action: "dynamodb:GetItem", standing, layers: BTreeMap::new() }
}

/// By a role's session that may do nothing by itself.
fn by_session() -> Setup {
    let mut setup = by(CallerKind::Role, ROLE).without(Layer::Identity);
    setup.caller.session_arn = Some(SESSION.into());
    setup
}

impl Setup {
    /// With a policy of these statements in a layer.
    fn with(mut self, layer: Layer, statements: &str) -> Self {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let document = Document::parse(&text, layer.kind()).unwrap();
        self.layers.entry(layer).or_default().push(Policy {
            name: format!("{layer:?}"),
            document,
            own_text: None,
        });
        self
    }

    /// With a layer that has no policy, where it is no matter of course.
    fn without(mut self, layer: Layer) -> Self {
        self.layers.insert(layer, Vec::new());
        self
    }

    /// With what the table's policy grants to somebody.
    fn granted_to(self, whom: &str) -> Self {
        self.with(Layer::Resource, &to(whom, ALLOW))
    }

    fn doing(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// To a table of another account.
    fn across(mut self) -> Self {
        self.standing.same_account = false;
        self
    }

    /// What is decided: where an `Allow` is missing, and what else the decision could be.
    fn says(&self) -> String {
        let levels = |wanted: fn(&Layer) -> bool| {
            let layers = self.layers.iter().filter(|(layer, _)| wanted(layer));
            layers.map(|(_, policies)| policies.clone()).collect::<Vec<_>>()
        };
        let service_control = levels(|layer| matches!(layer, Layer::ServiceControl { .. }));
        let resource_control = levels(|layer| matches!(layer, Layer::ResourceControl { .. }));
        let list = |layer| self.layers.get(&layer).map(Vec::as_slice);
        let one = |layer| list(layer).and_then(<[Policy]>::first);
        let guards = Guards {
            identity: list(Layer::Identity),
            boundary: one(Layer::Boundary),
            session: list(Layer::Session),
            service_control: &service_control,
            resource_control: &resource_control,
            resource: one(Layer::Resource),
            endpoint: one(Layer::Endpoint),
        };
        let request = Request {
            action: self.action.to_ascii_lowercase(),
            resource: TABLE.into(),
            caller: self.caller.clone(),
            context: Context::default(),
        };
        let decision = evaluate(&request, &guards, self.standing);
        let missing = decision.missing.map(|layer| format!(" at {layer:?}")).unwrap_or_default();
        let otherwise = decision.otherwise.map(|other| format!(", or {}", other.name())).unwrap_or_default();
        format!("{}{missing}{otherwise}", decision.outcome.name())
    }
}

/// A statement that speaks of somebody.
fn to(whom: &str, statement: &str) -> String {
    let principal = if whom == "*" { "\"*\"".to_owned() } else { whom.to_owned() };
    let principal =
        if principal.starts_with(['"', '{']) { principal } else { format!(r#"{{"AWS":"{whom}"}}"#) };
    statement.replacen('{', &format!(r#"{{"Principal":{principal},"#), 1)
}

/// Every layer allows, and the table's policy grants to the session besides.
fn allowed_everywhere() -> Setup {
    let levels = [ROOT_LEVEL, UNIT_LEVEL, ACCOUNT_LEVEL].into_iter();
    let own = [Layer::Identity, Layer::Boundary, Layer::Session];
    let setup = levels.chain(own).fold(by_session(), |setup, layer| setup.with(layer, ALLOW));
    setup.with(Layer::Endpoint, &to("*", ALLOW)).granted_to(SESSION)
}

#[test]
fn a_deny_in_any_layer_denies() {
    assert_eq!(allowed_everywhere().says(), "allow");
    for layer in [ROOT_LEVEL, UNIT_LEVEL, ACCOUNT_LEVEL, Layer::Identity, Layer::Session] {
        assert_eq!(allowed_everywhere().with(layer, DENY).says(), "explicit_deny", "{layer:?}");
    }
    for layer in [RESOURCE_LEVEL, Layer::ResourceControl { level: 1 }] {
        assert_eq!(allowed_everywhere().with(layer, &to("*", DENY)).says(), "explicit_deny", "{layer:?}");
    }
    // Of these there is one policy.
    for layer in [Layer::Boundary, Layer::Endpoint, Layer::Resource] {
        let mut setup = allowed_everywhere();
        setup.layers.remove(&layer);
        let speaking =
            |statement| if layer == Layer::Boundary { String::from(statement) } else { to("*", statement) };
        let both = format!("{},{}", speaking(ALLOW), speaking(DENY));
        assert_eq!(setup.with(layer, &both).says(), "explicit_deny", "{layer:?}");
    }
}

#[test]
fn every_level_of_the_organization_must_allow() {
    let allowed = || by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW);
    assert_eq!(allowed().says(), "allow", "nothing is attached");
    assert_eq!(allowed().with(ROOT_LEVEL, ALLOW).with(UNIT_LEVEL, ALLOW).says(), "allow");
    assert_eq!(allowed().with(ROOT_LEVEL, OTHERS).with(ROOT_LEVEL, ALLOW).says(), "allow");
    for (level, n) in [(ROOT_LEVEL, 0), (UNIT_LEVEL, 1), (ACCOUNT_LEVEL, 2)] {
        let without = |change: &dyn Fn(Setup) -> Setup| {
            let levels = [ROOT_LEVEL, UNIT_LEVEL, ACCOUNT_LEVEL].into_iter().filter(|other| *other != level);
            change(levels.fold(allowed(), |setup, other| setup.with(other, ALLOW))).says()
        };
        let missing = format!("implicit_deny at ServiceControl {{ level: {n} }}");
        assert_eq!(without(&|setup| setup.with(level, OTHERS)), missing);
        assert_eq!(without(&|setup| setup.without(level)), missing, "an empty level");
    }
}

#[test]
fn resource_control_only_takes_away() {
    let allowed = by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW);
    assert_eq!(allowed.clone().without(RESOURCE_LEVEL).says(), "allow");
    let others = to("*", &DENY.replace("\"*\",\"Resource\"", "\"s3:*\",\"Resource\""));
    assert_eq!(allowed.with(RESOURCE_LEVEL, &others).says(), "allow");
}

#[test]
fn an_endpoint_that_is_used_must_allow() {
    let allowed = by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW);
    assert_eq!(allowed.says(), "allow", "none is used, or it has the policy of every new one");
    assert_eq!(allowed.clone().with(Layer::Endpoint, &to("*", ALLOW)).says(), "allow");
    assert_eq!(allowed.clone().with(Layer::Endpoint, &to(ROLE, ALLOW)).says(), "allow");
    for other in [to("*", OTHERS), to(USER, ALLOW)] {
        assert_eq!(allowed.clone().with(Layer::Endpoint, &other).says(), "implicit_deny at Endpoint");
    }
    // Not even a direct grant goes around it.
    let granted = by_session().granted_to(SESSION).with(Layer::Endpoint, &to("*", OTHERS));
    assert_eq!(granted.says(), "implicit_deny at Endpoint");
}

#[test]
fn within_an_account_identity_boundary_and_session_must_all_allow() {
    let layers = [Layer::Identity, Layer::Boundary, Layer::Session];
    for missing in layers {
        let setup = layers.into_iter().fold(by(CallerKind::Role, ROLE), |setup, layer| {
            setup.with(layer, if layer == missing { OTHERS } else { ALLOW })
        });
        assert_eq!(setup.says(), format!("implicit_deny at {missing:?}"));
    }
    assert_eq!(by_session().says(), "implicit_deny at Identity");
    let without_session = by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW).without(Layer::Session);
    assert_eq!(without_session.says(), "implicit_deny at Session", "a session policy that allows nothing");
}

#[test]
fn what_a_table_grants_within_its_account() {
    let user = || by(CallerKind::User, USER).without(Layer::Identity);
    let role = by_session;
    let unlimited: [(&str, Setup, &str); 9] = [
        ("a session", role().granted_to(SESSION), "allow"),
        ("another session", role().granted_to(&SESSION.replace("work", "play")), "implicit_deny at Identity"),
        ("a role", role().granted_to(ROLE), "allow"),
        ("another role", role().granted_to(&ROLE.replace("app", "other")), "implicit_deny at Identity"),
        ("everybody", role().granted_to("*"), "allow"),
        ("the account, which may pass it on", role().granted_to(ROOT), "implicit_deny at Identity"),
        ("the account by its number", role().granted_to("111122223333"), "implicit_deny at Identity"),
        ("a user", user().granted_to(USER), "allow"),
        ("a user by its account", user().granted_to(ROOT), "implicit_deny at Identity"),
    ];
    for (name, setup, expected) in unlimited {
        assert_eq!(setup.says(), expected, "{name}");
    }
    for limit in [Layer::Boundary, Layer::Session] {
        let role = || by_session().with(limit, OTHERS);
        let limited = format!("implicit_deny at {limit:?}");
        assert_eq!(role().granted_to(SESSION).says(), "allow", "a session is beyond its {limit:?}");
        assert_eq!(role().granted_to(ROLE).says(), limited, "a role is not beyond its {limit:?}");
        assert_eq!(role().granted_to("*").says(), "allow, or implicit_deny", "{limit:?}");
        let user = by(CallerKind::User, USER).without(Layer::Identity).with(limit, OTHERS);
        assert_eq!(user.granted_to(USER).says(), "allow", "{limit:?}");
    }
    let delegated = by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW).granted_to(ROOT);
    assert_eq!(delegated.says(), "allow");
}

/// The request does not tell the session's name, so it may be the one that is granted more.
#[test]
fn a_session_that_may_be_the_one_that_is_named() {
    let unnamed = || {
        let mut setup = by_session();
        setup.caller.session_arn = None;
        setup
    };
    assert_eq!(unnamed().granted_to(SESSION).says(), "allow, or implicit_deny");
    let both = format!(r#"{{"AWS":["{ROLE}","{SESSION}"]}}"#);
    assert_eq!(unnamed().granted_to(&both).says(), "allow");
    assert_eq!(unnamed().with(Layer::Boundary, OTHERS).granted_to(&both).says(), "allow, or implicit_deny");
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let own = || by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW).across();
    assert_eq!(own().says(), "implicit_deny at Resource");
    for whom in ["*", ROOT, "111122223333", ROLE] {
        assert_eq!(own().granted_to(whom).says(), "allow", "{whom}");
        assert_eq!(by_session().across().granted_to(whom).says(), "implicit_deny at Identity", "{whom}");
    }
    assert_eq!(by_session().across().granted_to(SESSION).says(), "implicit_deny at Identity");
    assert_eq!(own().granted_to("222233334444").says(), "implicit_deny at Resource");
    for limit in [Layer::Boundary, Layer::Session] {
        let limited = own().granted_to(ROLE).with(limit, OTHERS).says();
        assert_eq!(limited, format!("implicit_deny at {limit:?}"));
    }
}

#[test]
fn what_a_table_can_let_another_account_do() {
    let own = || by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW).across().granted_to("*");
    for action in
        ["dynamodb:GetItem", "dynamodb:BatchWriteItem", "dynamodb:UpdateTable", "dynamodb:GetRecords"]
    {
        assert_eq!(own().doing(action).says(), "allow", "{action}");
    }
    for action in
        ["dynamodb:PartiQLSelect", "dynamodb:PartiQLDelete", "dynamodb:CreateTable", "dynamodb:ListTables"]
    {
        assert_eq!(own().doing(action).says(), "implicit_deny at Resource", "{action}");
    }
    for action in ["dynamodb:GetResourcePolicy", "dynamodb:FutureAction"] {
        assert_eq!(own().doing(action).says(), "allow, or implicit_deny", "{action}");
    }
}

#[test]
fn whose_organization_policies_bind() {
    let granted = || by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW).granted_to(ROLE).across();
    let standing = |caller_is_member, resource_is_of_member| {
        move |mut setup: Setup| {
            setup.standing.caller_is_member = caller_is_member;
            setup.standing.resource_is_of_member = resource_is_of_member;
            setup
        }
    };
    let service_control = || granted().with(ROOT_LEVEL, DENY);
    let resource_control = || granted().with(RESOURCE_LEVEL, &to("*", DENY));
    assert_eq!(standing(true, false)(service_control()).says(), "explicit_deny");
    assert_eq!(
        standing(false, true)(service_control()).says(),
        "allow",
        "of the management account, or foreign"
    );
    assert_eq!(standing(false, true)(resource_control()).says(), "explicit_deny");
    assert_eq!(standing(true, false)(resource_control()).says(), "allow");
}

#[test]
fn callers_that_some_policies_do_not_bind() {
    let linked = || by(CallerKind::ServiceLinkedRole, ROLE).with(Layer::Identity, ALLOW);
    assert_eq!(linked().with(ROOT_LEVEL, DENY).says(), "allow");
    assert_eq!(linked().with(RESOURCE_LEVEL, &to("*", DENY)).says(), "allow");
    assert_eq!(linked().with(Layer::Resource, &to("*", DENY)).says(), "explicit_deny");

    let root = || by(CallerKind::Root, ROOT).without(Layer::Identity).with(Layer::Boundary, OTHERS);
    assert_eq!(root().says(), "allow", "root may do everything");
    assert_eq!(root().with(ROOT_LEVEL, DENY).says(), "explicit_deny");
    assert_eq!(root().without(ROOT_LEVEL).says(), "implicit_deny at ServiceControl { level: 0 }");
    assert_eq!(root().with(RESOURCE_LEVEL, &to("*", DENY)).says(), "explicit_deny");
    assert_eq!(root().with(Layer::Resource, &to(ROOT, DENY)).says(), "explicit_deny");
}

#[test]
fn a_service_by_itself_needs_a_grant() {
    const SERVICE: &str = "replication.dynamodb.amazonaws.com";
    let service = || {
        let mut setup = by(CallerKind::Service, SERVICE).across();
        setup.caller.account.clear();
        setup.standing.caller_is_member = false;
        setup.with(ROOT_LEVEL, DENY)
    };
    let named = format!(r#"{{"Service":"{SERVICE}"}}"#);
    assert_eq!(service().says(), "implicit_deny at Resource");
    assert_eq!(service().granted_to(&named).says(), "allow");
    assert_eq!(service().granted_to("*").says(), "allow");
    assert_eq!(
        service().granted_to(r#"{"Service":"other.amazonaws.com"}"#).says(),
        "implicit_deny at Resource"
    );
    assert_eq!(service().granted_to("111122223333").says(), "implicit_deny at Resource");
    let denied = service().granted_to(&named).with(RESOURCE_LEVEL, &to("*", DENY));
    assert_eq!(denied.says(), "explicit_deny");
}

#[test]
fn a_caller_of_whom_nothing_is_known_is_permitted_by_its_own() {
    let mut foreign = by(CallerKind::Role, "arn:aws:iam::222233334444:role/app").across();
    foreign.caller.account = "222233334444".into();
    foreign.standing.caller_is_member = false;
    let foreign = foreign.with(ROOT_LEVEL, DENY);
    assert_eq!(foreign.says(), "implicit_deny at Resource");
    assert_eq!(foreign.clone().granted_to("222233334444").says(), "allow");
    let denied = foreign.granted_to("222233334444").with(RESOURCE_LEVEL, &to("*", DENY));
    assert_eq!(denied.says(), "explicit_deny");
}

#[test]
fn actions_for_which_no_table_is_asked() {
    for action in [
        "dynamodb:CreateTable",
        "dynamodb:RestoreTableFromBackup",
        "dynamodb:DescribeExport",
        "dynamodb:ListTables",
    ] {
        let own = || by(CallerKind::Role, ROLE).doing(action);
        assert_eq!(
            own().without(Layer::Identity).granted_to(ROLE).says(),
            "implicit_deny at Identity",
            "{action}"
        );
        let denied = own().with(Layer::Identity, ALLOW).with(Layer::Resource, &to("*", DENY));
        assert_eq!(denied.says(), "allow", "{action}");
    }
    let asked = by(CallerKind::Role, ROLE).with(Layer::Identity, ALLOW).with(Layer::Resource, &to("*", DENY));
    assert_eq!(asked.doing("dynamodb:DescribeTable").says(), "explicit_deny");
}

#[test]
fn what_is_unclear_leaves_two_outcomes() {
    let allows = r#"{"Effect":"Allow","Action":"dyn*:*","Resource":"*"}"#;
    let denies = r#"{"Effect":"Deny","Action":"dyn*:*","Resource":"*"}"#;
    let by_role = || by(CallerKind::Role, ROLE);
    assert_eq!(by_role().with(Layer::Identity, allows).says(), "allow, or implicit_deny");
    assert_eq!(by_role().with(Layer::Identity, ALLOW).with(ROOT_LEVEL, ALLOW).says(), "allow");
    let denied = by_role().with(Layer::Identity, ALLOW).with(Layer::Identity, denies);
    assert_eq!(denied.says(), "allow, or explicit_deny");
    let denied_twice = denied.with(Layer::Boundary, DENY);
    assert_eq!(denied_twice.says(), "explicit_deny", "whatever else is unclear");
    let sure = by_role().with(Layer::Identity, allows).with(Layer::Identity, ALLOW);
    assert_eq!(sure.says(), "allow");
}
