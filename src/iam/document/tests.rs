//! What is read, and what is refused.

use super::*;

fn problems(text: &str, kind: Kind) -> String {
    let problems = Document::parse(text, kind).map_or_else(|problems| problems, |_| Vec::new());
    let line = |problem: &Problem| {
        let at = text.get(problem.span.clone()).unwrap_or_default();
        let statement = problem.statement.as_deref().map(|label| format!("{label}: ")).unwrap_or_default();
        format!("{statement}{} [{}]\n", problem.message, at.chars().take(24).collect::<String>())
    };
    problems.iter().map(line).collect()
}

fn statement(inside: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{inside}}}]}}"#)
}

const WHOLE: &str = r#""Effect":"Allow","Action":"dynamodb:*","Resource":"*""#;
const DENY: &str = r#""Effect":"Deny","Action":"dynamodb:GetItem","Resource":"*""#;

#[test]
fn a_policy_in_every_form() {
    let text = r#"{"Id":"x","Statement":{"Effect":"Deny","NotAction":["s3:*","*"],"NotResource":"arn:aws:s3:::*",
        "Condition":{"StringLike":{"aws:userid":["a*",1,true]},"Bool":{"aws:ViaAWSService":false}}}}"#;
    let document = Document::parse(text, Kind::Identity).unwrap();
    let [statement] = document.statements.as_slice() else { panic!("{document:?}") };
    assert_eq!((document.version, statement.label.as_str()), (Version::Old, "#1"));
    assert!(statement.actions.negated && statement.resources.negated && statement.principals.is_none());
    assert_eq!(statement.actions.items.len(), 2);
    let [user, via] = statement.conditions.as_slice() else { panic!("{statement:?}") };
    assert_eq!(user.texts, ["a*", "1", "true"]);
    assert_eq!((via.key.as_str(), via.key_name.as_str()), ("aws:viaawsservice", "aws:ViaAWSService"));
    assert_eq!(via.values, [Operand::Bool(false)]);
    assert_eq!(&text[via.span.clone()], r#""aws:ViaAWSService""#);
}

#[test]
fn principals_in_every_form() {
    let text = statement(&format!(
        r#"{WHOLE},"Principal":{{"AWS":["*","111122223333","arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:role/a/b","AROAEXAMPLEEXAMPLE01"],"Service":"dynamodb.amazonaws.com","Federated":"cognito-identity.amazonaws.com"}}"#
    ));
    let document = Document::parse(&text, Kind::Table).unwrap();
    let principals = document.statements[0].principals.as_ref().unwrap();
    let account = || Principal::Account("111122223333".into());
    assert_eq!(
        principals.items,
        [
            Principal::Everybody,
            account(),
            account(),
            Principal::Arn("arn:aws:iam::111122223333:role/a/b".into()),
            Principal::Gone("AROAEXAMPLEEXAMPLE01".into()),
            Principal::Service("dynamodb.amazonaws.com".into()),
            Principal::Federated("cognito-identity.amazonaws.com".into()),
        ]
    );
}

#[test]
fn what_iam_refuses_is_named_with_its_place() {
    let refused = |inside: &str| problems(&statement(inside), Kind::Identity);
    insta::assert_snapshot!(refused(r#""Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*""#), @r#"#1: `Effect` stands twice in a statement ["Effect"]"#);
    insta::assert_snapshot!(refused(r#""Effect":"allow","Action":"*","Resource":"*""#), @r#"#1: `allow` is no effect: there are `Allow` and `Deny`, so written ["allow"]"#);
    insta::assert_snapshot!(refused(r#""Sid":"A","Effect":"Deny","Actoin":"*","Resource":"*""#), @r#"
    A: a statement has no `Actoin`: is `Action` meant? ["Actoin"]
    A: the statement has neither `Action` nor `NotAction` [{"Sid":"A","Effect":"Den]
    "#);
    insta::assert_snapshot!(refused(r#""Effect":"Deny","Action":"*","NotAction":"*","Resource":["*",1]"#), @r#"
    #1: `Action` and `NotAction` stand in one statement ["NotAction"]
    #1: a value of `Resource` must be a string, and is a number [1]
    "#);
    insta::assert_snapshot!(refused(r#""Effect":"Deny","Action":"GetItem","Resource":"orders""#), @r#"
    #1: `GetItem` is no action: `*`, or `service:Name` ["GetItem"]
    #1: `orders` is no resource: `*`, or an ARN ["orders"]
    "#);
    insta::assert_snapshot!(refused(&format!(r#"{WHOLE},"Condition":{{"StringNotEqual":{{"a:b":"c"}},"Bool":{{"a:b":null,"a:b":"true"}}}}"#)), @r#"
    #1: `StringNotEqual` is no condition operator: is `StringNotEquals` meant? ["StringNotEqual"]
    #1: `a:b` stands twice in `Bool` ["a:b"]
    #1: a value of `a:b` must be a string, a number or a boolean, and is null [null]
    "#);
    insta::assert_snapshot!(refused(&format!(r#"{WHOLE},"Condition":{{"StringLike":{{"a:b":"${{c"}}}}"#)), @r#"#1: a variable that does not end: `${` without `}` ["${c"]"#);
    insta::assert_snapshot!(refused(&format!(r#"{WHOLE},"Principal":"*""#)), @r#"#1: `Principal` cannot stand in an identity policy ["Principal"]"#);
    insta::assert_snapshot!(problems(r#"{"Version":"2012-10-18","Statment":[]}"#, Kind::ServiceControl), @r#"
    a policy has no `Statment`: is `Statement` meant? ["Statment"]
    `2012-10-18` is no version: there are `2012-10-17` and `2008-10-17` ["2012-10-18"]
    the policy has no `Statement` [{"Version":"2012-10-18",]
    "#);
    insta::assert_snapshot!(problems("[]", Kind::Identity), @"a policy must be an object, and is a list [[]]");
    insta::assert_snapshot!(problems("{\"Statement\":", Kind::Identity), @"no JSON: more text expected []");
}

#[test]
fn each_kind_has_its_own_principals() {
    let refused = |inside: &str, kind| problems(&statement(inside), kind);
    insta::assert_snapshot!(refused(WHOLE, Kind::Table), @r#"#1: a statement of a table's policy has a `Principal` [{"Effect":"Allow","Actio]"#);
    insta::assert_snapshot!(refused(&format!(r#"{DENY},"Principal":{{"AWS":"111122223333"}}"#), Kind::ResourceControl), @r#"#1: the `Principal` of a resource control policy is `"*"` [{"AWS":"111122223333"}]"#);
    insta::assert_snapshot!(refused(&format!(r#"{DENY},"NotPrincipal":"*""#), Kind::ResourceControl), @r#"#1: `NotPrincipal` cannot stand in a resource control policy ["NotPrincipal"]"#);
    insta::assert_snapshot!(refused(&format!(r#"{WHOLE},"Principal":{{"AWS":"arn:aws:iam::111122223333:role/a*","Aws":"*"}}"#), Kind::Table), @r#"
    #1: a principal has no `Aws`: is `AWS` meant? ["Aws"]
    #1: `arn:aws:iam::111122223333:role/a*` is no principal: `*`, an account, or the whole ARN of a role, user or session ["arn:aws:iam::1111222233]
    "#);
    assert_eq!(refused(&format!(r#"{WHOLE},"Principal":"*""#), Kind::Endpoint), "");
}

#[test]
fn a_resource_control_policy_denies_what_it_names() {
    let refused =
        |inside: &str| problems(&statement(&format!(r#"{inside},"Principal":"*""#)), Kind::ResourceControl);
    assert_eq!(refused(DENY), "");
    assert_eq!(refused(r#""Effect":"Allow","Action":["*"],"Resource":"*""#), "");
    insta::assert_snapshot!(refused(WHOLE), @r#"#1: a resource control policy denies: what it does not deny it allows ["Allow"]"#);
    insta::assert_snapshot!(refused(r#""Effect":"Deny","NotAction":"dynamodb:GetItem","Resource":"*""#), @r#"#1: a resource control policy has no `NotAction` ["NotAction"]"#);
}

#[test]
fn labels_differ() {
    let text = format!(r#"{{"Statement":[{{"Sid":"A",{WHOLE}}},{{{WHOLE}}},{{"Sid":"A",{WHOLE}}}]}}"#);
    insta::assert_snapshot!(problems(&text, Kind::Identity), @r#"two statements have the `Sid` `A` [{"Sid":"A","Effect":"All]"#);
}
