use std::sync::Arc;

use super::*;
use crate::iam::state::snapshot::Snapshot;
use crate::iam::state::{Edit, Text};
use crate::perimeter::config;
use crate::perimeter::principal::PrincipalKind;

const ORDERS: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

fn perimeter(more: &str) -> Perimeter {
    let text = format!(
        r#"version = 1
organization = "o-exampleorgid"
management_account = "999988887777"
[environments.production]
mode = "enforce"
accounts = ["111122223333"]
[[vpc]]
id = "vpc-0prod0eu"
region = "eu-west-1"
account = "111122223333"
{more}"#
    );
    config::parse(&text).unwrap().perimeter
}

/// An account below a root with one service control policy beside `FullAWSAccess`.
fn state(guard: &str, table: &str) -> State {
    let full = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let open = full.replace(r#""Action""#, r#""Principal":"*","Action""#);
    // An endpoint's, which says more than AWS's default.
    let own = open.replace(r#""Action":"*""#, r#""Action":"dynamodb:*""#);
    assert_ne!(own, open);
    let text = format!(
        r#"{{"version":1,
        "accounts":{{"111122223333":{{
            "RoleDetailList":[{{"RoleName":"app","RoleId":"AROAAPP","Path":"/","Tags":[{{"Key":"team","Value":"a"}}],
                "Arn":"arn:aws:iam::111122223333:role/app","AssumeRolePolicyDocument":{full},"AttachedManagedPolicies":[],
                "RolePolicyList":[{{"PolicyName":"tables","PolicyDocument":{{"Version":"2012-10-17","Statement":[
                    {{"Sid":"Read","Effect":"Allow","Action":"dynamodb:GetItem","Resource":"{ORDERS}"}},
                    {{"Sid":"Query","Effect":"Allow","Action":"dynamodb:Query","Resource":"{ORDERS}/index/*"}}]}}}}]}}],
            "UserDetailList":[{{"UserName":"ann","UserId":"AIDAANN","Path":"/","Arn":"arn:aws:iam::111122223333:user/ann",
                "AttachedManagedPolicies":[{{"PolicyArn":"arn:aws:iam::aws:policy/Untold"}}]}}]}}}},
        "organization":{{
            "roots":[{{"Id":"r-1","PolicyTypes":[{{"Type":"SERVICE_CONTROL_POLICY","Status":"ENABLED"}}]}}],
            "parents":{{"111122223333":"r-1"}},
            "policies":[{{"Id":"p-1","Name":"FullAWSAccess","Type":"SERVICE_CONTROL_POLICY","Content":{full}}},
                {{"Id":"p-2","Name":"guard","Type":"SERVICE_CONTROL_POLICY","Content":{{"Version":"2012-10-17","Statement":[{guard}]}}}}],
            "attached":{{"r-1":["p-1","p-2"],"111122223333":["p-1"]}}}},
        "tables":[{{"arn":"{ORDERS}","tags":{{}}{table}}}],
        "endpoints":{{"VpcEndpoints":[{{"VpcEndpointId":"vpce-0a","VpcId":"vpc-0prod0eu","ServiceName":"com.amazonaws.eu-west-1.dynamodb",
            "PolicyDocument":{own}}}]}}}}"#
    );
    Snapshot::parse(text.as_bytes()).unwrap().state
}

fn guard(conditions: &str) -> String {
    format!(
        r#"{{"Sid":"Vpc","Effect":"Deny","Action":"dynamodb:*","Resource":"*","Condition":{{{conditions}}}}}"#
    )
}

const OTHER_VPC: &str = r#""StringNotEquals":{"aws:SourceVpc":"vpc-0prod0eu"}"#;
const NOTHING: &str = r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#;

fn call(kind: OriginKind) -> Call {
    let some = |text: &str| Some(text.to_owned());
    let has_endpoint = matches!(kind, OriginKind::ApprovedEndpoint | OriginKind::UnapprovedVpc);
    let origin = Origin {
        kind,
        endpoint: some("vpce-0a").filter(|_| has_endpoint),
        vpc: some("vpc-0prod0eu").filter(|_| kind == OriginKind::ApprovedEndpoint),
        vpc_account: None,
        ip: some(if kind == OriginKind::Public { "203.0.113.7" } else { "10.0.0.7" }),
    };
    let principal = Principal {
        kind: PrincipalKind::Role,
        arn: some("arn:aws:iam::111122223333:role/app"),
        unique_id: some("AROAAPP"),
        account: some("111122223333"),
    };
    Call {
        name: "GetItem".into(),
        tables: vec![ORDERS.to_owned()],
        index: None,
        principal,
        origin,
        region: some("eu-west-1"),
        via_service: false,
        over_tls: false,
    }
}

fn at() -> Timestamp {
    "2026-11-25T00:00:00Z".parse().unwrap()
}

fn replayed(state: &State, call: &Call) -> Replayed {
    replay(state, &perimeter(""), call, at())
}

fn names(replayed: &Replayed) -> Vec<String> {
    replayed.allowed_by.iter().map(|named| format!("{} {}", named.policy, named.statement)).collect()
}

#[test]
fn what_lets_a_call_through_is_named_as_elsewhere() {
    let replayed = replayed(&state(&guard(OTHER_VPC), ""), &call(OriginKind::ApprovedEndpoint));
    assert_eq!(replayed.verdict, Verdict::Allowed, "{replayed:?}");
    assert_eq!(names(&replayed), ["FullAWSAccess #1", "tables Read", "vpce-0a #1"]);
}

#[test]
fn what_denies_is_named_too() {
    let guarded = state(&guard(OTHER_VPC), "");
    let denied = |call: &Call| {
        let replayed = replayed(&guarded, call);
        assert_eq!((replayed.verdict, names(&replayed).len()), (Verdict::Denied, 0), "{replayed:?}");
        replayed.denied_by.unwrap()
    };
    assert_eq!(denied(&call(OriginKind::Public)), "statement `Vpc` of policy `guard` denies it");
    let put = Call { name: "PutItem".into(), ..call(OriginKind::ApprovedEndpoint) };
    assert_eq!(
        denied(&put),
        "neither the caller's own policies nor the table's allow it with any of their statements"
    );
}

#[test]
fn a_decision_hangs_on_no_key_that_the_record_does_not_tell() {
    let verdict = |conditions: &str, change: &dyn Fn(&mut Call)| {
        let mut call = call(OriginKind::Public);
        change(&mut call);
        let replayed = replayed(&state(&guard(conditions), ""), &call);
        assert_eq!(replayed.unknown.is_empty(), replayed.verdict != Verdict::Unknown, "{replayed:?}");
        replayed.verdict
    };
    let as_is = |_: &mut Call| {};
    let tls = |call: &mut Call| call.over_tls = true;
    let insecure = r#""Bool":{"aws:SecureTransport":"false"}"#;
    assert_eq!(verdict(insecure, &as_is), Verdict::Unknown);
    assert_eq!(verdict(insecure, &tls), Verdict::Allowed);
    assert_eq!(verdict(r#""StringLike":{"aws:UserAgent":"*"}"#, &as_is), Verdict::Unknown);
    assert_eq!(verdict(r#""Null":{"aws:MultiFactorAuthAge":"true"}"#, &as_is), Verdict::Unknown);
    // A session may have brought tags along.
    assert_eq!(verdict(r#""StringEquals":{"aws:PrincipalTag/team":"a"}"#, &as_is), Verdict::Unknown);
    assert_eq!(verdict(r#""StringEquals":{"aws:ResourceTag/team":"a"}"#, &as_is), Verdict::Allowed);
    assert_eq!(verdict(r#""NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}"#, &as_is), Verdict::Allowed);
    assert_eq!(verdict(r#""IpAddress":{"aws:SourceIp":"203.0.113.0/24"}"#, &as_is), Verdict::Denied);
    assert_eq!(
        verdict(r#""StringNotEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}"#, &as_is),
        Verdict::Allowed
    );
    assert_eq!(verdict(r#""StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}"#, &as_is), Verdict::Allowed);
    assert_eq!(
        verdict(r#""DateGreaterThan":{"aws:CurrentTime":"2026-11-24T00:00:00Z"}"#, &as_is),
        Verdict::Denied
    );
    assert_eq!(
        verdict(r#""DateGreaterThan":{"aws:CurrentTime":"2026-11-26T00:00:00Z"}"#, &as_is),
        Verdict::Allowed
    );
    assert_eq!(verdict(r#""Bool":{"aws:ViaAWSService":"true"}"#, &as_is), Verdict::Allowed);
    // Of a service's path nothing is told, whatever the record names.
    let via = |call: &mut Call| call.via_service = true;
    assert_eq!(verdict(OTHER_VPC, &via), Verdict::Unknown);
    assert_eq!(verdict(r#""Bool":{"aws:ViaAWSService":"true"}"#, &via), Verdict::Unknown);
    // What is denied whatever the key was is denied.
    assert_eq!(verdict(r#""StringLike":{"aws:PrincipalArn":"*"}"#, &via), Verdict::Denied);
}

#[test]
fn where_sessions_bring_no_tags_those_of_the_role_count() {
    let guard = guard(r#""StringEquals":{"aws:PrincipalTag/Team":"a"}"#);
    let perimeter = perimeter("[prove]\nsession_tags = \"none\"");
    let replayed = replay(&state(&guard, ""), &perimeter, &call(OriginKind::Public), at());
    assert_eq!(replayed.verdict, Verdict::Denied);
}

#[test]
fn where_it_cannot_be_told_what_surely_allows_it_is_named_all_the_same() {
    let guard = guard(r#""StringEquals":{"aws:PrincipalTag/team":"b"}"#);
    let replayed = replayed(&state(&guard, ""), &call(OriginKind::Public));
    assert_eq!(replayed.verdict, Verdict::Unknown);
    assert_eq!(names(&replayed), ["FullAWSAccess #1", "tables Read"]);
    assert_eq!(replayed.unknown, BTreeSet::from(["what `aws:PrincipalTag/team` was".to_owned()]));
}

#[test]
fn policies_that_nobody_told_are_not_guessed_at() {
    let unknown = |state: &State, call: &Call, phrase: &str| {
        let replayed = replayed(state, call);
        assert_eq!(replayed.verdict, Verdict::Unknown, "{replayed:?}");
        assert!(replayed.unknown.iter().any(|unknown| unknown.contains(phrase)), "{phrase}: {replayed:?}");
    };
    let known = state(NOTHING, "");
    let with = |change: &dyn Fn(&mut Principal)| {
        let mut call = call(OriginKind::Public);
        change(&mut call.principal);
        call
    };
    let ann = with(&|ann| {
        *ann = Principal {
            kind: PrincipalKind::User,
            arn: Some("arn:aws:iam::111122223333:user/ann".into()),
            unique_id: Some("AIDAANN".into()),
            account: Some("111122223333".into()),
        };
    });
    unknown(&known, &ann, "what policy `arn:aws:iam::aws:policy/Untold` says");
    // A role made again under the name, or one of which the snapshot has nothing.
    unknown(&known, &with(&|role| role.unique_id = Some("AROAOTHER".into())), "policies role `app` had");
    let nobody = with(&|role| role.arn = Some("arn:aws:iam::111122223333:role/nobody".into()));
    unknown(&known, &nobody, "policies role `nobody` had");
    unknown(&known, &with(&|role| role.arn = None), "who called");
    unknown(&state(NOTHING, r#","policy":"none""#), &call(OriginKind::Public), "cannot be read");
    let table = Call { tables: vec![format!("{ORDERS}2")], ..call(OriginKind::Public) };
    unknown(&known, &table, "table/orders2` has");
    let endpoint = Origin { endpoint: Some("vpce-0b".into()), ..call(OriginKind::ApprovedEndpoint).origin };
    unknown(&known, &Call { origin: endpoint, ..call(OriginKind::Public) }, "endpoint `vpce-0b` has");
    let mut unplaced = known.clone();
    Arc::make_mut(&mut unplaced.organization).parents.clear();
    unknown(
        &unplaced,
        &call(OriginKind::Public),
        "policies of the organization are above account 111122223333",
    );
    let transact = Call { name: "TransactWriteItems".into(), ..call(OriginKind::Public) };
    unknown(&known, &transact, "for which permission");
}

#[test]
fn a_policy_that_is_not_known_excuses_no_denial_of_another() {
    let guarded = state(&guard(OTHER_VPC), r#","policy":"none""#);
    assert_eq!(replayed(&guarded, &call(OriginKind::Public)).verdict, Verdict::Denied);
    let mut nothing = guarded.clone();
    nothing.holders = Default::default();
    assert_eq!(replayed(&nothing, &call(OriginKind::Public)).verdict, Verdict::Denied);
    // Where nothing allows it, a table's policy that is not known may.
    let put = Call { name: "PutItem".into(), ..call(OriginKind::ApprovedEndpoint) };
    assert_eq!(replayed(&guarded, &put).verdict, Verdict::Unknown);
}

#[test]
fn of_an_index_and_its_table_both_must_say_the_same() {
    let query = |index: Option<&str>| {
        let index = index.map(str::to_owned);
        let call = Call { name: "Query".into(), index, ..call(OriginKind::Public) };
        replayed(&state(NOTHING, ""), &call)
    };
    assert_eq!(query(None).verdict, Verdict::Denied);
    let of_index = query(Some("by-date"));
    assert_eq!((of_index.verdict, names(&of_index).len()), (Verdict::Unknown, 2), "{of_index:?}");
}

#[test]
fn of_several_tables_each_must_be_allowed() {
    let mut known = state(NOTHING, "");
    let other = format!("{ORDERS}2");
    known.apply(&Edit::TableMade { table: other.clone(), policy: None, tags: None });
    let of = |tables: Vec<String>| {
        replayed(&known, &Call { name: "TransactGetItems".into(), tables, ..call(OriginKind::Public) })
            .verdict
    };
    assert_eq!(of(vec![ORDERS.to_owned()]), Verdict::Allowed);
    assert_eq!(of(vec![ORDERS.to_owned(), other]), Verdict::Denied);
    assert_eq!(of(Vec::new()), Verdict::Unknown);
}

#[test]
fn service_linked_roles_and_strangers_are_bound_by_other_policies() {
    let mut linked = call(OriginKind::Public);
    linked.principal.arn = Some("arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/app".into());
    linked.principal.unique_id = None;
    let guarded = state(&guard(OTHER_VPC), "");
    assert_ne!(replayed(&guarded, &linked).verdict, Verdict::Denied);
    let mut stranger = call(OriginKind::Public);
    stranger.principal.arn = Some("arn:aws:iam::555566667777:role/app".into());
    // The table has no policy, so nobody of elsewhere is let in.
    assert_eq!(replayed(&guarded, &stranger).verdict, Verdict::Denied);
}

#[test]
fn the_least_guard_stands_where_it_binds_the_caller() {
    let guard = |change: &dyn Fn(&mut Call)| {
        let mut call = call(OriginKind::Public);
        change(&mut call);
        least_guard(&call, &perimeter(""))
    };
    assert_eq!(
        guard(&|_| {}).unwrap(),
        "The least that would have stopped `GetItem`: a `Deny` of `dynamodb:GetItem` with `StringNotEqualsIfExists` on \
         `aws:SourceVpc` (`vpc-0prod0eu`), in a service control policy over account 111122223333."
    );
    let ends = |arn: &str, end: &str| {
        let guard = guard(&|call| call.principal.arn = Some(arn.to_owned())).unwrap();
        assert!(guard.ends_with(end), "{guard}");
    };
    ends("arn:aws:iam::999988887777:role/app", "in a resource control policy over account 111122223333.");
    ends("arn:aws:iam::555566667777:role/app", "in a resource control policy over account 111122223333.");
    ends(
        "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/x",
        "in the table's resource policy.",
    );
    // From inside, and where nobody says which VPC it was, no such statement would have.
    assert_eq!(guard(&|call| call.origin.kind = OriginKind::ApprovedEndpoint), None);
    assert_eq!(guard(&|call| call.origin.kind = OriginKind::UnknownEndpoint), None);
    assert_eq!(guard(&|call| call.name = "Made`Up".into()), None);
}

#[test]
fn what_was_laid_out_once_is_what_is_laid_out_each_time() {
    let (state, perimeter) = (state(&guard(OTHER_VPC), ""), perimeter(""));
    let texts = Texts::default();
    let mut together = Replay::of(&state, &perimeter, &texts);
    for kind in [OriginKind::Public, OriginKind::ApprovedEndpoint, OriginKind::Public] {
        let one = replay(&state, &perimeter, &call(kind), at());
        assert_eq!(together.call(&call(kind), at()).verdict, one.verdict);
    }
    let untold = Edit::TablePolicy { table: ORDERS.into(), text: Some(Text::Untold) };
    let mut after = state.clone();
    after.apply(&untold);
    assert_eq!(replayed(&after, &call(OriginKind::ApprovedEndpoint)).verdict, Verdict::Unknown);
}
