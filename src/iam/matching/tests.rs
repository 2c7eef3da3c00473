//! Which statements match which requests, and on what they miss.

use super::*;
use crate::iam::document::{Document, Kind};
use crate::iam::request::Values;

const ROLE: &str = "arn:aws:iam::111122223333:role/team/app";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/work";
const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

fn statement(inside: &str, kind: Kind) -> Statement {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{{{inside}}}}}"#);
    Document::parse(&text, kind).unwrap().statements.remove(0)
}

fn request(resource: &str, caller: Caller) -> Request {
    let mut context = Context::default();
    context.set("aws:SourceVpc", Values::One("vpc-0a1".into()));
    context.set("aws:PrincipalTag/team", Values::One("orders".into()));
    context.set("aws:PrincipalTag/odd", Values::One("*".into()));
    Request { action: "dynamodb:getitem".into(), resource: resource.into(), caller, context }
}

fn caller(kind: CallerKind, arn: &str, session: Option<&str>) -> Caller {
    let account = Arn::parse(arn).map(|arn| arn.account.to_owned()).unwrap_or_default();
    Caller { kind, arn: arn.into(), session_arn: session.map(str::to_owned), account }
}

fn by_role() -> Caller {
    caller(CallerKind::Role, ROLE, Some(SESSION))
}

fn told(reading: Reading) -> &'static str {
    match reading {
        Reading::Yes => "yes",
        Reading::No => "no",
        Reading::Unclear(_) => "unclear",
    }
}

#[test]
fn actions_match_whatever_their_case() {
    let read = |element: &str| {
        let statement = statement(&format!(r#""Effect":"Deny",{element},"Resource":"*""#), Kind::Identity);
        told(matched(&statement, &request(TABLE, by_role()), false).reading)
    };
    for (element, expected) in [
        (r#""Action":"*""#, "yes"),
        (r#""Action":"DYNAMODB:getitem""#, "yes"),
        (r#""Action":["s3:*","dynamodb:?etItem"]"#, "yes"),
        (r#""Action":"dynamodb:Get""#, "no"),
        (r#""Action":[]"#, "no"),
        (r#""Action":"dyn*:GetItem""#, "unclear"),
        (r#""Action":["dyn*:GetItem","dynamodb:*"]"#, "yes"),
        (r#""Action":"*:PutItem""#, "no"),
        (r#""NotAction":"dynamodb:Get*""#, "no"),
        (r#""NotAction":"dynamodb:Put*""#, "yes"),
        (r#""NotAction":[]"#, "yes"),
        (r#""NotAction":"*:*""#, "unclear"),
    ] {
        assert_eq!(read(element), expected, "{element}");
    }
}

#[test]
fn resources_match_whole_and_part_by_part() {
    let read = |name: &str, pattern: &str, resource: &str| {
        let element = format!(r#""Effect":"Deny","Action":"*","{name}":"{pattern}""#);
        told(matched(&statement(&element, Kind::Identity), &request(resource, by_role()), false).reading)
    };
    let stream = format!("{TABLE}/stream/2015-05-11T21:21:33.291");
    let index = format!("{TABLE}/index/by-day");
    let all_tables = "arn:aws:dynamodb:eu-west-1:111122223333:table/*";
    for (pattern, resource, expected) in [
        ("*", TABLE, "yes"),
        (TABLE, TABLE, "yes"),
        (TABLE, &index, "no"),
        ("arn:aws:dynamodb:eu-west-1:111122223333:table/Orders", TABLE, "no"),
        ("arn:aws:dynamodb:*:*:table/*", &index, "yes"),
        ("arn:aws:dynamodb:*:*:table/o?ders", TABLE, "yes"),
        ("arn:aws:dynamodb:*:*:table/*/index/*", TABLE, "no"),
        // The label of a stream has colons, and they are of its last part.
        ("arn:aws:dynamodb:*:*:table/*/stream/*", &stream, "yes"),
        ("arn:aws:dynamodb:*:*:table/*/stream/2015-05-11T21:*", &stream, "yes"),
        ("arn:aws:dynamodb:*:*:table/*/stream/2015-05-11T22:*", &stream, "no"),
        // Short ones: what is missing is anything.
        ("arn:aws:dynamodb:*", TABLE, "yes"),
        ("arn:*", TABLE, "yes"),
        ("arn:aws:s3:*", TABLE, "no"),
        // A wildcard that would have to stand for a colon.
        ("arn:aws:dynamodb:*:table/orders", TABLE, "unclear"),
        ("arn:*:table/orders", TABLE, "unclear"),
        // An action that has no resource is asked about with either of two.
        ("*", "*", "yes"),
        ("arn:aws:dynamodb:*:*:*", "*", "no"),
        ("arn:aws:dynamodb:*:*:*", all_tables, "yes"),
        (all_tables, all_tables, "yes"),
        (TABLE, all_tables, "no"),
        // Variables bring text; a wildcard in it is none.
        ("arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/team}", TABLE, "yes"),
        ("arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/odd}", TABLE, "no"),
        ("arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/none}", TABLE, "no"),
        ("arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/none, 'orders'}", TABLE, "yes"),
    ] {
        assert_eq!(read("Resource", pattern, resource), expected, "{pattern} {resource}");
        let other = match expected {
            "yes" => "no",
            "no" if pattern.contains("/none}") => "unclear",
            "no" => "yes",
            same => same,
        };
        assert_eq!(read("NotResource", pattern, resource), other, "all but {pattern} {resource}");
    }
}

fn whom(effect: &str, element: &str, caller: Caller) -> (Reading, Grant) {
    let inside = format!(r#""Effect":"{effect}","Action":"*","Resource":"*",{element}"#);
    let statement = statement(&inside, Kind::Table);
    let matched = matched(&statement, &request(TABLE, caller), false);
    (matched.reading, matched.grant)
}

#[test]
fn principals_are_spoken_of_in_their_ways() {
    let user = || caller(CallerKind::User, "arn:aws:iam::111122223333:user/app", None);
    let unnamed = || caller(CallerKind::Role, ROLE, None);
    let service = || caller(CallerKind::Service, "replication.dynamodb.amazonaws.com", None);
    for (principal, caller, expected) in [
        ("\"*\"", by_role(), Some(Grant::Everybody)),
        (r#"{"AWS":"*"}"#, user(), Some(Grant::Everybody)),
        (r#"{"AWS":"111122223333"}"#, by_role(), Some(Grant::Account)),
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, user(), Some(Grant::Account)),
        (r#"{"AWS":"222233334444"}"#, by_role(), None),
        (r#"{"AWS":"arn:aws:iam::111122223333:role/team/app"}"#, by_role(), Some(Grant::Role)),
        (r#"{"AWS":"arn:aws:iam::111122223333:role/app"}"#, by_role(), None),
        (r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/app/work"}"#, by_role(), Some(Grant::Direct)),
        (r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/app/play"}"#, by_role(), None),
        (r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/team/work"}"#, unnamed(), None),
        (r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/app/work"}"#, user(), None),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/app"}"#, user(), Some(Grant::Direct)),
        (
            r#"{"AWS":["111122223333","arn:aws:iam::111122223333:role/team/app"]}"#,
            by_role(),
            Some(Grant::Role),
        ),
        // Of whom is deleted only the id is left, and it is nobody's.
        (r#"{"AWS":"AROAEXAMPLEEXAMPLE01"}"#, by_role(), None),
        (r#"{"Federated":"cognito-identity.amazonaws.com"}"#, by_role(), None),
        (r#"{"Service":"replication.dynamodb.amazonaws.com"}"#, service(), Some(Grant::Direct)),
        (r#"{"Service":"dynamodb.amazonaws.com"}"#, service(), None),
        (r#"{"AWS":"111122223333"}"#, service(), None),
    ] {
        let (reading, grant) = whom("Allow", &format!(r#""Principal":{principal}"#), caller);
        assert_eq!((reading == Reading::Yes).then_some(grant), expected, "{principal}");
        assert_eq!(reading == Reading::No, expected.is_none(), "{principal}");
    }
    // A session by its name, where the request does not tell the session.
    let (reading, grant) = whom("Allow", &format!(r#""Principal":{{"AWS":"{SESSION}"}}"#), unnamed());
    assert_eq!((told(reading), grant), ("unclear", Grant::Direct));
}

#[test]
fn whom_a_deny_leaves_out_is_listed_with_its_account() {
    let root = || caller(CallerKind::Root, "arn:aws:iam::111122223333:root", None);
    let other = || caller(CallerKind::Role, "arn:aws:iam::111122223333:role/other", None);
    for (listed, caller, expected) in [
        (r#"["111122223333","arn:aws:iam::111122223333:role/team/app"]"#, by_role(), "no"),
        (r#"["111122223333","arn:aws:sts::111122223333:assumed-role/app/work"]"#, by_role(), "no"),
        (r#"["111122223333","arn:aws:iam::111122223333:role/team/app"]"#, other(), "yes"),
        (r#""arn:aws:iam::111122223333:role/team/app""#, by_role(), "unclear"),
        (r#"["222233334444","arn:aws:iam::111122223333:role/team/app"]"#, by_role(), "unclear"),
        (r#""111122223333""#, by_role(), "unclear"),
        (r#""arn:aws:iam::111122223333:root""#, root(), "no"),
        (r#""222233334444""#, root(), "yes"),
        (r#""*""#, by_role(), "no"),
        (r#""AROAEXAMPLEEXAMPLE01""#, by_role(), "yes"),
    ] {
        let element = format!(r#""NotPrincipal":{{"AWS":{listed}}}"#);
        assert_eq!(told(whom("Deny", &element, caller.clone()).0), expected, "{listed} {}", caller.arn);
        assert_eq!(told(whom("Allow", &element, caller).0), "unclear", "{listed}");
    }
}

#[test]
fn what_does_not_match_is_named() {
    let missed = |change: fn(String) -> String| {
        let inside = r#""Effect":"Deny","Principal":"*","Action":"dynamodb:GetItem","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"orders","aws:SourceVpc":"vpc-0a1"}}"#;
        let statement = statement(&change(inside.to_owned()), Kind::Table);
        match matched(&statement, &request(TABLE, by_role()), false).misses {
            None => "nothing".to_owned(),
            Some(Misses::Principal) => "principal".to_owned(),
            Some(Misses::Action) => "action".to_owned(),
            Some(Misses::Resource) => "resource".to_owned(),
            Some(Misses::Condition(condition)) => condition.key_name.clone(),
        }
    };
    assert_eq!(missed(|text| text), "nothing");
    assert_eq!(
        missed(|text| text.replace(r#""Principal":"*""#, r#""Principal":{"AWS":"222233334444"}"#)),
        "principal"
    );
    assert_eq!(missed(|text| text.replace("GetItem", "PutItem")), "action");
    assert_eq!(
        missed(|text| text.replace(r#""Resource":"*""#, r#""Resource":"arn:aws:s3:::*""#)),
        "resource"
    );
    assert_eq!(missed(|text| text.replace("vpc-0a1", "vpc-0b2")), "aws:SourceVpc");
    assert_eq!(missed(|text| text.replace("\"orders\"", "\"audit\"")), "aws:PrincipalTag/team");
}

const PLAIN_ROLE: &str = "arn:aws:iam::111122223333:role/app";
const SESSION_OF_IT: &str = "arn:aws:sts::111122223333:assumed-role/app/run";
const ROOT: &str = "arn:aws:iam::111122223333:root";
const SERVICE: &str = "dax.amazonaws.com";

/// Does a `Deny` of all but these speak of the caller?
fn all_but_these(listed: &[&str], caller: &Caller) -> &'static str {
    let principal = |text: &&str| match *text {
        "*" => Principal::Everybody,
        ROOT => Principal::Account("111122223333".into()),
        SERVICE => Principal::Service(SERVICE.into()),
        arn => Principal::Arn(arn.into()),
    };
    let items: Vec<Principal> = listed.iter().map(principal).collect();
    match all_but(&items, Effect::Deny, caller) {
        Reading::Yes => "yes",
        Reading::No => "no",
        Reading::Unclear(_) => "unclear",
    }
}

#[test]
fn who_is_left_out_is_listed_with_the_account() {
    let other = "arn:aws:iam::111122223333:role/other";
    let role = &caller(CallerKind::Role, PLAIN_ROLE, None);
    let session = &caller(CallerKind::Role, PLAIN_ROLE, Some(SESSION_OF_IT));
    let root = &caller(CallerKind::Root, ROOT, None);
    let service = &caller(CallerKind::Service, SERVICE, None);
    for (listed, caller, expected) in [
        (&[PLAIN_ROLE, ROOT][..], role, "no"),
        (&[PLAIN_ROLE, ROOT], session, "no"),
        (&[SESSION_OF_IT, ROOT], session, "no"),
        (&[SESSION_OF_IT, ROOT], role, "unclear"),
        (&[PLAIN_ROLE], session, "unclear"),
        (&[ROOT], session, "unclear"),
        (&[other, ROOT], role, "yes"),
        (&[other], role, "yes"),
        (&["*"], role, "no"),
        (&[ROOT], root, "no"),
        (&[PLAIN_ROLE], root, "yes"),
        (&[SERVICE], service, "no"),
        (&[ROOT], service, "yes"),
    ] {
        assert_eq!(all_but_these(listed, caller), expected, "{listed:?} {}", caller.arn);
    }
}

#[test]
fn who_has_a_boundary_is_never_left_out() {
    let request = Request {
        action: "dynamodb:getitem".into(),
        resource: "*".into(),
        caller: caller(CallerKind::Role, PLAIN_ROLE, None),
        context: Context::default(),
    };
    let text = format!(
        r#"{{"Statement":{{"Effect":"Deny","NotPrincipal":{{"AWS":["{PLAIN_ROLE}","{ROOT}"]}},"Action":"*","Resource":"*"}}}}"#
    );
    let document = Document::parse(&text, Kind::Table).unwrap();
    for (has_boundary, expected) in [(false, Reading::No), (true, Reading::Yes)] {
        assert_eq!(matched(&document.statements[0], &request, has_boundary).reading, expected);
    }
}
