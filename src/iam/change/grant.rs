//! Does a resource policy let in somebody who is not ours, or let somebody else replicate the table?
//!
//! Told from the policy's text alone. A condition counts where it holds the statement to an account,
//! an organization, a VPC or an endpoint of ours; what any other leaves of a statement takes a proof,
//! and is not known here.
//!
//! Replication is done by the service, so no condition on the network of a caller stops it. Sources:
//! DynamoDB developer guide, `globaltables-ma-security`; IAM user guide, "AWS global condition context
//! keys" and "IAM JSON policy elements: Condition operators".

mod guard;
mod statement;
mod text;

use serde_json::Value;

use super::Ours;
use statement::{Principal, Statement};

/// What a policy grants to others than us.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Grant {
    /// Nothing that its text tells.
    Nothing,
    /// A service, or an account that is not ours, may replicate the table.
    Replication,
    /// This principal may do something with the table: `*`, or one of an account that is not ours.
    Access(String),
    /// The same, for everybody of an organization that is not known as ours.
    Organization(String),
    /// Something, to somebody of whom the text does not tell whose they are.
    Untold,
}

/// Who is not one of the others.
pub(super) struct Us<'a> {
    /// What the perimeter says.
    ours: &'a dyn Ours,
    /// The account that owns the table.
    owner: Option<&'a str>,
    /// Any organization is taken for ours.
    any_organization: bool,
}

impl<'a> Us<'a> {
    pub(super) fn new(ours: &'a dyn Ours, owner: Option<&'a str>) -> Self {
        Self { ours, owner, any_organization: false }
    }
}

/// What a policy grants to others than us. `None`: this is no policy.
///
/// A statement that names replication grants it whatever its conditions. Any other counts unless a
/// condition holds it to us, or the same policy denies all that is not us.
pub(super) fn grant(policy: &Value, us: &Us<'_>) -> Option<Grant> {
    let parsed = match policy {
        Value::String(text) => text::parse(text)?,
        other => other.clone(),
    };
    let statements = Statement::all(parsed.as_object()?);
    let is_whole = statements.iter().all(Option::is_some);
    let (allows, denies): (Vec<_>, Vec<_>) =
        statements.into_iter().flatten().partition(|statement| statement.allows());
    if allows.iter().any(|allow| allow.names_replication() && us.has_others(*allow)) {
        return Some(Grant::Replication);
    }
    let admitted: Vec<Grant> = allows.iter().filter_map(|allow| us.admits(*allow, &denies)).collect();
    let (untold, mut told): (Vec<_>, Vec<_>) =
        admitted.into_iter().partition(|grant| *grant == Grant::Untold);
    if told.is_empty() && allows.iter().any(|allow| us.lets_service_replicate(*allow, &denies)) {
        return Some(Grant::Replication);
    }
    let otherwise = if is_whole && untold.is_empty() { Grant::Nothing } else { Grant::Untold };
    Some(if told.is_empty() { otherwise } else { told.swap_remove(0) })
}

impl Us<'_> {
    fn is_account(&self, account: &str) -> bool {
        self.owner == Some(account) || self.ours.is_account(account)
    }

    /// The name of a principal who is neither ours nor a service.
    fn name_of_stranger(&self, principal: &Principal<'_>) -> Option<String> {
        match principal {
            Principal::Everybody => Some("*".to_owned()),
            Principal::Of { account, name } => (!self.is_account(account)).then(|| name.to_string()),
            Principal::Elsewhere(name) => Some((*name).to_owned()),
            Principal::Service | Principal::Untold => None,
        }
    }

    /// Does the statement speak of a service, or of somebody who is not ours?
    fn has_others(&self, statement: Statement<'_>) -> bool {
        statement.is_of_services()
            || statement.principals().iter().any(|principal| self.name_of_stranger(principal).is_some())
    }

    /// Whom an `Allow` lets in who is not ours, or not known to be.
    fn admits(&self, allow: Statement<'_>, denies: &[Statement<'_>]) -> Option<Grant> {
        let principals = allow.principals();
        let stranger = principals.iter().find_map(|principal| self.name_of_stranger(principal));
        let is_untold = principals.contains(&Principal::Untold);
        if (stranger.is_none() && !is_untold) || allow.given().is_empty() {
            return None;
        }
        if self.keeps(allow, denies) {
            return None;
        }
        Some(match stranger {
            None => Grant::Untold,
            Some(name) => match self.other_organization(allow, denies) {
                Some(organization) if name == "*" => Grant::Organization(organization),
                Some(_) | None => Grant::Access(name),
            },
        })
    }

    /// Does an `Allow` let a service replicate the table, by a wildcard?
    fn lets_service_replicate(&self, allow: Statement<'_>, denies: &[Statement<'_>]) -> bool {
        let bare: Vec<_> = denies.iter().copied().filter(|deny| deny.is_unconditional()).collect();
        allow.is_of_services()
            && allow.reaches_replication()
            && allow.is_unconditional()
            && !self.is_taken_back(allow, &bare)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::sample::Listed;
    use super::{Grant, Us, grant};

    const OWNER: &str = "111122223333";
    const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

    fn of(policy: &Value) -> Option<Grant> {
        grant(policy, &Us::new(&Listed(&[]), Some(OWNER)))
    }

    fn statement(effect: &str, principal: Value, action: Value, condition: Value) -> Value {
        json!({"Effect": effect, "Principal": principal, "Action": action, "Resource": TABLE,
            "Condition": condition})
    }

    fn allowed(principal: Value, action: Value, condition: Value) -> Option<Grant> {
        of(&json!({"Statement": [statement("Allow", principal, action, condition)]}))
    }

    fn access(name: &str) -> Option<Grant> {
        Some(Grant::Access(name.to_owned()))
    }

    #[test]
    fn naming_replication_is_enough_whatever_the_condition() {
        let condition = json!({"StringEquals": {"aws:SourceAccount": "111122223333"}});
        for action in [
            json!("dynamodb:ReadDataForReplication"),
            json!(["dynamodb:GetItem", "DYNAMODB:writedataforreplication"]),
            json!("dynamodb:*ForReplication"),
            json!("dynamodb:AssociateTableReplica"),
        ] {
            for principal in [
                json!({"Service": "replication.dynamodb.amazonaws.com"}),
                json!({"AWS": ["111122223333", "arn:aws:iam::777788889999:root"]}),
                json!({"AWS": "777788889999"}),
                json!("*"),
            ] {
                let granted = allowed(principal, action.clone(), condition.clone());
                assert_eq!(granted, Some(Grant::Replication), "{action}");
            }
            let ours = json!({"AWS": ["arn:aws:iam::111122223333:role/r", "222233334444"]});
            assert_eq!(allowed(ours, action, json!({})), Some(Grant::Nothing));
        }
    }

    #[test]
    fn a_service_may_replicate_by_a_wildcard_that_nothing_takes_back() {
        let service = || json!({"Service": "replication.dynamodb.amazonaws.com"});
        assert_eq!(allowed(service(), json!("dynamodb:*"), json!({})), Some(Grant::Replication));
        assert_eq!(allowed(service(), json!("dynamodb:GetItem"), json!({})), Some(Grant::Nothing));
        let condition = json!({"StringEquals": {"aws:SourceAccount": "1"}});
        assert_eq!(allowed(service(), json!("dynamodb:*"), condition), Some(Grant::Nothing));
        let with_deny = |condition: Value| {
            of(&json!({"Statement": [
                statement("Allow", service(), json!("*"), json!({})),
                statement("Deny", json!("*"), json!("*"), condition)]}))
        };
        assert_eq!(with_deny(json!({})), Some(Grant::Nothing));
        // No network of a caller stops the service.
        let network = json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}});
        assert_eq!(with_deny(network), Some(Grant::Replication));
    }

    #[test]
    fn any_action_for_a_stranger_is_access() {
        for action in [
            json!("dynamodb:GetItem"),
            json!(["dynamodb:DescribeTable"]),
            json!("dynamodb:*"),
            json!("*"),
            json!("Dyn*:Put*"),
        ] {
            for (principal, name) in [
                (json!("*"), "*"),
                (json!({"AWS": "*"}), "*"),
                (json!({"AWS": "777788889999"}), "777788889999"),
                (json!({"AWS": [OWNER, 777788889999_u64]}), "777788889999"),
                (
                    json!({"AWS": [OWNER, "arn:aws:iam::777788889999:role/r"]}),
                    "arn:aws:iam::777788889999:role/r",
                ),
                (json!({"Federated": "accounts.google.com"}), "accounts.google.com"),
            ] {
                assert_eq!(allowed(principal, action.clone(), json!({})), access(name), "{action}");
            }
        }
        assert_eq!(allowed(json!("*"), json!("s3:GetObject"), json!({})), Some(Grant::Nothing));
    }

    #[test]
    fn our_own_accounts_are_no_strangers() {
        for principal in [
            json!({"AWS": OWNER}),
            json!({"AWS": ["222233334444", "arn:aws:iam::222233334444:role/r"]}),
            json!({"AWS": 111122223333_u64}),
            json!({"Federated": "arn:aws:iam::111122223333:saml-provider/p"}),
            json!({"Service": "lambda.amazonaws.com"}),
        ] {
            let granted = allowed(principal.clone(), json!("dynamodb:GetItem"), json!({}));
            assert_eq!(granted, Some(Grant::Nothing), "{principal}");
        }
        let ours = json!({"AWS": "222233334444"});
        assert_eq!(allowed(ours, json!("dynamodb:*"), json!({})), Some(Grant::Nothing));
    }

    #[test]
    fn a_condition_counts_where_it_holds_the_statement_to_us() {
        let granted = |condition: Value| allowed(json!("*"), json!("dynamodb:GetItem"), condition.clone());
        for condition in [
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": ["o-ours/r-1/ou-1/*"]}}),
            json!({"StringEquals": {"AWS:principalaccount": ["111122223333", "222233334444"]}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222233334444:role/*"}}),
            json!({"StringEquals": {"aws:SourceVpc": "vpc-0ours"}, "Bool": {"aws:SecureTransport": "true"}}),
            json!({"StringEquals": {"aws:SourceVpce": ["vpce-0a"]}}),
            json!({"StringEquals": {"aws:PrincipalAccount": 111122223333_u64}}),
            json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::222233334444:*"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": ["o-ours", "${AWS:resourceorgid}"]}}),
            json!({"StringEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}}),
        ] {
            assert_eq!(granted(condition.clone()), Some(Grant::Nothing), "{condition}");
        }
        for condition in [
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": ["o-ours", {}]}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID, 'o-theirs'}"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceAccount}"}}),
            json!({"StringNotEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}}),
            // A path may have colons.
            json!({"StringLike": {"aws:PrincipalArn": "arn:*:iam::222233334444:role/r"}}),
            json!({"StringLike": {"aws:PrincipalAccount": "*"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": ["111122223333", "777788889999"]}}),
            json!({"StringEquals": {"aws:PrincipalAccount": []}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"}}),
            json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-0ours"}}),
            json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-ours/r-1/"}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}}),
            json!({"StringEquals": {"aws:SourceVpc": "vpc-0theirs"}}),
            json!({"StringEquals": {"aws:SourceVpce": "vpce-0b"}}),
            json!({"StringEquals": 7}),
            json!(7),
        ] {
            assert_eq!(granted(condition.clone()), access("*"), "{condition}");
        }
    }

    #[test]
    fn an_organization_that_is_not_known_as_ours_is_named() {
        let held = |principal: Value, organizations: Value| {
            let condition = json!({"StringEquals": {"aws:PrincipalOrgID": organizations}});
            allowed(principal, json!("dynamodb:GetItem"), condition)
        };
        let theirs = || Some(Grant::Organization("o-theirs".to_owned()));
        assert_eq!(held(json!("*"), json!("o-theirs")), theirs());
        assert_eq!(held(json!({"AWS": "*"}), json!(["o-ours", "o-theirs"])), theirs());
        assert_eq!(held(json!("*"), json!(["o-ours"])), Some(Grant::Nothing));
        assert_eq!(held(json!({"AWS": "777788889999"}), json!("o-theirs")), access("777788889999"));
        let deny = |action: &str| {
            let condition = json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-theirs"}});
            statement("Deny", json!("*"), json!(action), condition)
        };
        assert_eq!(guarded(json!("dynamodb:GetItem"), deny("dynamodb:*")), theirs());
        assert_eq!(guarded(json!("dynamodb:GetItem"), deny("dynamodb:PutItem")), access("*"));
    }

    fn guarded(action: Value, denies: Value) -> Option<Grant> {
        let mut statements = vec![statement("Allow", json!("*"), action, json!({}))];
        statements.extend(denies.as_array().cloned().unwrap_or_else(|| vec![denies]));
        of(&json!({"Statement": statements}))
    }

    #[test]
    fn a_deny_counts_where_only_we_escape_it() {
        let all = || json!(["dynamodb:GetItem", "dynamodb:*"]);
        let deny = |condition: Value| statement("Deny", json!("*"), json!("dynamodb:*"), condition);
        for condition in [
            json!({}),
            json!({"StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-0ours"}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours", "aws:PrincipalOrgID": "o-ours"}}),
            json!({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-ours"},
                "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}),
            json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"},
                "Bool": {"aws:PrincipalIsAWSService": false}}),
        ] {
            assert_eq!(guarded(all(), deny(condition.clone())), Some(Grant::Nothing), "{condition}");
        }
        for statement in [
            deny(json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0theirs"}})),
            deny(json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours", "aws:PrincipalTag/t": "v"}})),
            deny(json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}, "Bool": 7})),
            deny(json!({"StringNotEquals": {"aws:SourceVpc": ["vpc-0ours", {}]}})),
            deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}})),
            deny(json!({"StringEquals": {"aws:SourceVpc": "vpc-0ours"}})),
            deny(json!({"StringNotEquals": 7})),
            deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"},
                "BoolIfExists": {"aws:PrincipalIsAWSService": "true"}})),
            deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"},
                "BoolIfExists": {"aws:ViaAWSService": "false"}})),
            deny(json!({"BoolIfExists": {"aws:PrincipalIsAWSService": ["false", "true"]}})),
            statement("Deny", json!({"AWS": "777788889999"}), json!("dynamodb:*"), json!({})),
            json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "other"}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "*"}),
            json!({"Effect": "Deny", "Principal": "*", "NotAction": "*", "Resource": "*"}),
            json!({"Effect": "Deny", "NotPrincipal": {"AWS": OWNER}, "Action": "*", "Resource": "*"}),
        ] {
            assert_eq!(guarded(all(), statement.clone()), access("*"), "{statement}");
        }
    }

    #[test]
    fn a_deny_counts_where_it_covers_all_that_is_given() {
        let away = || json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}});
        let deny = |action: Value| statement("Deny", json!("*"), action, away());
        for (given, taken) in [
            (json!("dynamodb:GetItem"), json!("dynamodb:GetItem")),
            (json!("dynamodb:GetItem"), json!("DynamoDB:Get*")),
            (json!(["dynamodb:GetItem", "dynamodb:Query"]), json!(["dynamodb:Query", "dynamodb:GetItem"])),
            (json!(["dynamodb:Get*", "s3:GetObject"]), json!("dynamodb:G*")),
            (json!("*"), json!("dynamodb:*")),
        ] {
            assert_eq!(guarded(given.clone(), deny(taken.clone())), Some(Grant::Nothing), "{given} {taken}");
        }
        for (given, taken) in [
            (json!("dynamodb:GetItem"), json!("dynamodb:PutItem")),
            (json!(["dynamodb:GetItem", "dynamodb:Query"]), json!("dynamodb:GetItem")),
            (json!("dynamodb:Get*"), json!("dynamodb:GetItem")),
            (json!("dynamodb:*"), json!("dynamodb:GetItem")),
            (json!("dynamodb:*Item"), json!("dynamodb:???Item")),
        ] {
            assert_eq!(guarded(given.clone(), deny(taken.clone())), access("*"), "{given} {taken}");
        }
        let each = json!([deny(json!("dynamodb:GetItem")), deny(json!("dynamodb:Query"))]);
        assert_eq!(
            guarded(json!(["dynamodb:GetItem", "dynamodb:Query"]), each.clone()),
            Some(Grant::Nothing)
        );
        assert_eq!(guarded(json!(["dynamodb:GetItem", "dynamodb:Scan"]), each), access("*"));
        let elsewhere = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Condition": away(),
            "Resource": TABLE.replace("orders", "order?")});
        assert_eq!(guarded(json!("dynamodb:GetItem"), elsewhere.clone()), Some(Grant::Nothing));
        let every = json!({"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem",
            "Resource": TABLE.replace("orders", "*")});
        assert_eq!(of(&json!({"Statement": [every, elsewhere]})), access("*"));
    }

    #[test]
    fn a_policy_that_takes_too_long_to_compare_is_told() {
        let many =
            |count: usize| -> Vec<String> { (0..count).map(|at| format!("dynamodb:A{at}*")).collect() };
        let deny = |count: usize| {
            statement(
                "Deny",
                json!("*"),
                json!(many(count)),
                json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0ours"}}),
            )
        };
        assert_eq!(guarded(json!(many(100)), deny(100)), Some(Grant::Nothing));
        assert_eq!(guarded(json!(many(2000)), deny(2000)), access("*"));
    }

    #[test]
    fn what_a_statement_leaves_out_it_does_not_allow() {
        let statement = |left: Value| {
            let principal = json!({"AWS": "x"});
            json!({"Statement": {"Effect": "Allow", "NotPrincipal": principal, "NotAction": left}})
        };
        assert_eq!(of(&statement(json!("s3:*"))), access("*"));
        assert_eq!(of(&statement(json!("dynamodb:*ForReplication"))), access("*"));
        assert_eq!(of(&statement(json!(["dynamodb:*"]))), Some(Grant::Nothing));
        let deny =
            json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "dynamodb:*Replication"}]});
        assert_eq!(of(&deny), Some(Grant::Nothing));
    }

    #[test]
    fn any_type_may_stand_anywhere() {
        for policy in [json!(7), json!([]), json!("["), json!("7"), json!(null)] {
            assert_eq!(of(&policy), None, "{policy}");
        }
        for policy in [
            json!({}),
            json!({"Statement": []}),
            json!({"Statement": null}),
            json!({"Statement": {"Effect": "Allow", "Action": "*", "Principal": []}}),
        ] {
            assert_eq!(of(&policy), Some(Grant::Nothing), "{policy}");
        }
        for policy in [
            json!({"Statement": 7}),
            json!({"Statement": [7]}),
            json!({"Statement": {"Effect": 7}}),
            json!({"Statement": {"Effect": "Permit", "Principal": "*", "Action": "*"}}),
            json!({"Statement": {"Effect": "Allow", "Action": {}}}),
            json!("{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":{}},\"Action\":\"*\"}]}"),
        ] {
            assert_eq!(of(&policy), Some(Grant::Untold), "{policy}");
        }
        let twice = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*",
            "Principal":{"AWS":"777788889999"},"Principal":{"AWS":"111122223333"}}}"#;
        assert_eq!(of(&json!(twice)), None);
    }

    #[test]
    fn whose_a_unique_id_is_the_text_does_not_tell() {
        let read = json!("dynamodb:GetItem");
        for untold in [json!({"AWS": "AROAEXAMPLEEXAMPLE01"}), json!({"AWS": [OWNER, {}]}), json!(7.5)] {
            assert_eq!(allowed(untold.clone(), read.clone(), json!({})), Some(Grant::Untold), "{untold}");
            let held = json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}});
            assert_eq!(allowed(untold.clone(), read.clone(), held), Some(Grant::Nothing), "{untold}");
            assert_eq!(allowed(untold, json!("s3:GetObject"), json!({})), Some(Grant::Nothing));
        }
        // Who is told counts for more.
        let both = json!({"AWS": ["AROAEXAMPLEEXAMPLE01", "777788889999"]});
        assert_eq!(allowed(both, read, json!({})), access("777788889999"));
    }
}
