//! Settings that can be used and are risky: each warning, and what is just not one.

use super::*;

const UNTIL: &str = "until = 2027-01-01\n";

fn break_glass(principal: &str) -> String {
    said(&format!("[[break_glass]]\nprincipal = \"{principal}\"\n{UNTIL}"))
}

fn service(principal: &str, via: &str) -> String {
    let via = if via.is_empty() { String::new() } else { format!("via = \"{via}\"\n") };
    said(&format!("[[service]]\nprincipal = \"{principal}\"\n{via}"))
}

#[test]
fn a_network_that_is_approved_is_missed() {
    let warned = |text: &str| parse(text).map(|parsed| parsed.warnings.len()).unwrap_or_default();
    insta::assert_snapshot!(parse(&with("")).map(|parsed| parsed.warnings[0].to_string()).unwrap_or_default(), @"line 1, column 1: there is no `[[vpc]]`: no network is approved, and every call is from outside; add the VPCs that the tables are reached from");
    assert_eq!(warned(&with("")), 1);
    assert_eq!(warned(&with(&a_vpc())), 0);
}

#[test]
fn an_environment_that_is_exempt_is_not_all_there_is() {
    let text = |mode: &str, management: &str| {
        format!(
            "version = 1\nmanagement_account = \"{management}\"\n[environments.a]\nmode = \"{mode}\"\naccounts = [\"111122223333\"]\n[environments.b]\nmode = \"exempt\"\naccounts = [\"222233334444\"]\n{}",
            a_vpc()
        )
    };
    let warned = |text: String| match parse(&text) {
        Ok(parsed) => parsed.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(errors) => errors.to_string(),
    };
    insta::assert_snapshot!(warned(text("exempt", "999988887777")), @"line 3, column 2: every environment is exempt: none of the accounts is held to anything; use `enforce`, or `observe` to begin with");
    assert_eq!(warned(text("observe", "999988887777")), "");
    assert_eq!(warned(text("observe", "111122223333")), "");
    insta::assert_snapshot!(warned(text("observe", "222233334444")), @"line 8, column 13: account `222233334444` is the management account, and exempt; put it into an environment of mode `enforce`: who holds it rules every account");
}

#[test]
fn a_block_stands_once_in_its_list() {
    insta::assert_snapshot!(said(&vpc("vpc-1", "eu-west-1", "111122223333", "\"10.0.0.0/16\", \"10.1.0.0/16\", \"10.0.0.0/16\"")), @"warning 5: `10.0.0.0/16` stands here a second time [5: listed here first]");
    insta::assert_snapshot!(said("[[transit]]\ncidrs = [\"192.168.0.0/16\", \"192.168.0.0/16\"]\n"), @"warning 2: `192.168.0.0/16` stands here a second time [2: listed here first]");
    // VPCs may have the same blocks, and a block lie in another.
    let two = format!(
        "{}{}",
        a_vpc(),
        vpc("vpc-2", "eu-west-1", "111122223333", "\"10.0.0.0/16\", \"10.0.0.0/24\"")
    );
    assert_eq!(said(&two), "");
}

#[test]
fn addresses_are_judged_over_all_entries() {
    let both = |one: &str, other: &str| {
        format!("[[transit]]\ncidrs = [\"{one}\"]\n[[transit]]\ncidrs = [\"{other}\"]\n")
    };
    insta::assert_snapshot!(said(&both("10.0.0.0/8", "11.0.0.0/8")), @"warning 2: this block and 1 more are `10.0.0.0/7` together: a large part of all addresses; list the networks that are meant, and no more");
    assert_eq!(said(&both("10.0.0.0/8", "12.0.0.0/8")), "");
    insta::assert_snapshot!(said(&both("0.0.0.0/1", "128.0.0.0/1")), @r"
    warning 2: `0.0.0.0/1` is a large part of all addresses: little would be transit any more; list the networks that are to come this way
    warning 4: `128.0.0.0/1` is a large part of all addresses: little would be transit any more; list the networks that are to come this way
    ");
    insta::assert_snapshot!(said(&format!("[[trusted_address]]\ncidrs = [\"0.0.0.0/0\", \"::/1\", \"192.168.0.0/16\"]\n{UNTIL}")), @r"
    warning 2: `0.0.0.0/0` is every address: everybody is trusted; list the blocks that are yours
    warning 2: `::/1` is a large part of all addresses: the internet is trusted; list the blocks that are yours
    warning 2: `192.168.0.0/16` is private: everybody has these addresses, so they prove nothing; trust the public addresses that the network is seen by; addresses that come through an endpoint belong to [[transit]]
    warning 2: `192.168.0.0/16` is wide: a trusted block of more than a /24 is seldom one's own; list the blocks that are yours
    ");
}

#[test]
fn windows_that_hardly_end_are_endless() {
    let entry = |window: &str| {
        said(&format!(
            "[[suppress]]\nrule = \"metadata-outside\"\nprincipal = \"arn:aws:iam::111122223333:role/ci\"\n{window}\n"
        ))
    };
    assert_eq!(entry("until = 2099-12-31"), "");
    insta::assert_snapshot!(entry("until = 2100-01-01"), @"warning 4: the window is as good as endless: `until` lies in another century; end it on the day to look at it again");
    assert_eq!(entry("from = 2026-01-01\nuntil = 2031-01-01"), "");
    insta::assert_snapshot!(entry("from = 2026-01-01\nuntil = 2031-01-03"), @"warning 5: the window is as good as endless: more than five years lie between `from` and `until`; end it on the day to look at it again");
}

#[test]
fn break_glass_is_no_everyday_principal() {
    insta::assert_snapshot!(break_glass("arn:aws:iam::111122223333:root"), @"warning 2: `arn:aws:iam::111122223333:root` is the account's root user, which may do everything; name a role that is used in emergencies alone, as `role/emergency`");
    insta::assert_snapshot!(break_glass("arn:aws:iam::*:role/Admin"), @"warning 2: `arn:aws:iam::*:role/Admin` is an everyday name: whoever works under it is exempt; name a role that is used in emergencies alone, as `role/emergency`");
    insta::assert_snapshot!(break_glass("arn:aws:iam::*:role/ops/Power-User"), @"warning 2: `arn:aws:iam::*:role/ops/Power-User` is an everyday name: whoever works under it is exempt; name a role that is used in emergencies alone, as `role/emergency`");
    insta::assert_snapshot!(break_glass("arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_AdministratorAccess_*"), @"warning 2: `arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Administrato…` is an everyday name: whoever works under it is exempt; name a role that is used in emergencies alone, as `role/emergency`");
    assert_eq!(
        break_glass("arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_BreakGlass_*"),
        ""
    );
    assert_eq!(break_glass("arn:aws:iam::*:role/break-glass-admin"), "");
}

#[test]
fn break_glass_reaches_an_account_that_is_held_to_something() {
    let with_exempt = |principal: &str| {
        said(&format!(
            "[environments.dev]\nmode = \"exempt\"\naccounts = [\"222233334444\"]\n[[break_glass]]\nprincipal = \"{principal}\"\n{UNTIL}"
        ))
    };
    assert_eq!(with_exempt("arn:aws:iam::*:role/emergency"), "");
    assert_eq!(with_exempt("arn:aws:iam::1111*:role/emergency"), "");
    insta::assert_snapshot!(with_exempt("arn:aws:iam::2222*:role/emergency"), @"warning 5: `arn:aws:iam::2222*:role/emergency` matches nothing: no account of an enforce or observe environment fits; add the account to an environment of mode `enforce` or `observe`, or take the entry away");
    insta::assert_snapshot!(with_exempt("arn:aws:iam::3333????????:role/emergency"), @"warning 5: `arn:aws:iam::3333????????:role/emergency` matches nothing: no account of an enforce or observe environment fits; add the account to an environment of mode `enforce` or `observe`, or take the entry away");
    insta::assert_snapshot!(with_exempt("arn:aws:iam::222233334444:role/emergency"), @"warning 5: account `222233334444` is exempt: the entry counts only at other accounts' tables; add the account to an environment of mode `enforce` or `observe`, or take the entry away");
    insta::assert_snapshot!(with_exempt("arn:aws:iam::333344445555:role/emergency"), @"warning 5: account `333344445555` is in no environment; add it to an environment, or use `*`, which stands for the accounts of enforce and observe");
}

#[test]
fn services_act_for_named_roles() {
    let lambda = "lambda.amazonaws.com";
    for narrow in ["role/app/*", "role/stream-*", "role/app/consumer"] {
        assert_eq!(service(&format!("arn:aws:iam::111122223333:{narrow}"), lambda), "", "{narrow}");
    }
    assert_eq!(service("arn:aws:iam::111122223333:role/app/consumer", ""), "");
    insta::assert_snapshot!(service("arn:aws:iam::111122223333:role/*", lambda), @"warning 2: `arn:aws:iam::111122223333:role/*` covers everybody: whoever comes through `lambda.amazonaws.com` is approved; name the one role");
    insta::assert_snapshot!(service("arn:aws:iam::111122223333:*", ""), @"warning 2: `arn:aws:iam::111122223333:*` covers everybody: whoever comes through any service is approved; name the one role");
    insta::assert_snapshot!(service("arn:aws:iam::111122223333:role/*dmin*", lambda), @"warning 2: `arn:aws:iam::111122223333:role/*dmin*` covers ordinary names too, as `admin`; name the one role");
    insta::assert_snapshot!(service("arn:aws:iam::111122223333:role/app/*", ""), @"warning 2: `arn:aws:iam::111122223333:role/app/*` has a wildcard, and any service may act for what fits: there is no `via`; name the service in `via`, or the one role");
    insta::assert_snapshot!(service("arn:aws:iam::*:role/app/consumer", lambda), @"warning 2: `arn:aws:iam::*:role/app/consumer` covers other organizations' accounts too: its account is a wildcard; write an entry for each account");
}

#[test]
fn services_are_spelt_right() {
    let consumer = "arn:aws:iam::111122223333:role/app/consumer";
    insta::assert_snapshot!(service(consumer, "lamda.amazonaws.com"), @r#"warning 3: `lamda.amazonaws.com` is near to a service's name, and is not it; did you mean "lambda.amazonaws.com"?"#);
    assert_eq!(service(consumer, "quux.amazonaws.com"), "");
}

#[test]
fn suppressions_cover_somebody() {
    let entry = |principal: &str| {
        said(&format!("[[suppress]]\nrule = \"metadata-outside\"\nprincipal = \"{principal}\"\n{UNTIL}"))
    };
    insta::assert_snapshot!(entry("arn:aws:iam::*:role/*"), @"warning 3: `arn:aws:iam::*:role/*` covers everybody: the rule is silent whoever calls; name the one role");
    assert!(!entry("arn:aws:iam::111122223333:*").is_empty());
    assert_eq!(entry("arn:aws:iam::*:role/ci-*"), "");
}

#[test]
fn an_entry_stands_once() {
    let twice = |entry: &str, other: &str| said(&format!("{entry}{other}"));
    let emergency = format!("[[break_glass]]\nprincipal = \"arn:aws:iam::*:role/emergency\"\n{UNTIL}");
    insta::assert_snapshot!(twice(&emergency, &format!("{emergency}ticket = \"INC-2\"\n")), @"warning 5: the same entry stands here a second time [2: listed here first]");
    assert_eq!(twice(&emergency, &format!("{emergency}tables = [\"orders\"]\n")), "");
    assert_eq!(twice(&emergency, &emergency.replace("2027", "2028")), "");
    let service =
        "[[service]]\nprincipal = \"arn:aws:iam::111122223333:role/a\"\nvia = \"lambda.amazonaws.com\"\n";
    insta::assert_snapshot!(twice(service, &format!("{service}reason = \"again\"\n")), @"warning 5: the same entry stands here a second time [2: listed here first]");
    assert_eq!(twice(service, &service.replace("lambda", "states")), "");
    let suppress =
        format!("[[suppress]]\nrule = \"metadata-outside\"\nprincipal = \"arn:aws:iam::*:role/ci\"\n{UNTIL}");
    insta::assert_snapshot!(twice(&suppress, &suppress), @"warning 6: the same entry stands here a second time [2: listed here first]");
    assert_eq!(twice(&suppress, &suppress.replace("metadata-outside", "denied-attempt")), "");
}

#[test]
fn an_endpoint_is_of_the_approved_vpc_and_not_of_a_namesake() {
    let near = |region: &str, account: &str, id: &str| {
        said(&format!("{}{}", a_vpc(), endpoint("vpce-1", region, account, id)))
    };
    assert_eq!(near("eu-west-1", "111122223333", "vpc-1"), "");
    assert_eq!(near("eu-west-2", "111122223333", "vpc-2"), "");
    insta::assert_snapshot!(near("eu-west-2", "111122223333", "vpc-1"), @"warning 10: VPC `vpc-1` is approved, and not here: the regions are `eu-west-1` and `eu-west-2`, so the endpoint is not approved [2: approved here]; write the endpoint's own region and account, or add the `[[vpc]]`");
    insta::assert_snapshot!(near("eu-west-1", "444455556666", "vpc-1"), @"warning 10: VPC `vpc-1` is approved, and not here: the accounts are `111122223333` and `444455556666`, so the endpoint is not approved [2: approved here]; write the endpoint's own region and account, or add the `[[vpc]]`");
    // Approved in both regions.
    let both = format!("{}{}", a_vpc(), vpc("vpc-1", "eu-west-2", "111122223333", "\"10.0.0.0/16\""));
    assert_eq!(said(&format!("{both}{}", endpoint("vpce-1", "eu-west-2", "111122223333", "vpc-1"))), "");
}

#[test]
fn severe_rules_stay_loud() {
    let set = |rule: &str, to: &str| said(&format!("[rules]\n{rule} = \"{to}\"\n"));
    insta::assert_snapshot!(set("public-access", "off"), @"warning 2: `public-access` is critical, and off: its findings are lost; `[[suppress]]` can silence it for one principal and a time");
    insta::assert_snapshot!(set("unapproved-vpc", "info"), @"warning 2: `unapproved-vpc` is high, and set to info: its findings come last; `[[suppress]]` can silence it for one principal and a time");
    for quiet in [set("unapproved-vpc", "low"), set("undetermined", "off"), set("transit", "deny")] {
        assert_eq!(quiet, "");
    }
    insta::assert_snapshot!(set("transit", "allow"), @r#"warning 2: whoever reaches an approved endpoint from any network is inside, without a finding; list the networks that are to come this way in [[transit]], and leave this at "flag""#);
}

#[test]
fn the_product_is_in_an_account_of_ours() {
    let product = |account: &str| {
        said(&format!(
            "[product]\ntable = \"arn:aws:dynamodb:eu-west-1:{account}:table/findings\"\nroles = [\"arn:aws:iam::{account}:role/auditor\"]\n"
        ))
    };
    assert_eq!(product("111122223333"), "");
    insta::assert_snapshot!(product("222233334444"), @r"
    warning 2: account `222233334444` is in no environment; add it to an environment, or write the product's own account
    warning 3: account `222233334444` is in no environment; add it to an environment, or write the product's own account
    ");
}

/// The perimeter of the samples has an endpoint and an entry that are there to be warned of.
#[test]
fn the_repositorys_own_perimeter_is_warned_of_what_it_shows() -> Result<(), ConfigErrors> {
    let parsed = parse(include_str!("../../../../perimeter.toml"))?;
    insta::assert_snapshot!(parsed.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r"
    line 77, column 7: VPC `vpc-0a1b2c3d4e5f6e001` is approved, and not here: the regions are `eu-west-1` and `us-east-1`, so the endpoint is not approved (line 29, column 6: approved here); write the endpoint's own region and account, or add the `[[vpc]]`
    line 97, column 1: the principal may come from anywhere without end: there is no `until`; add `until`, the day to look at it again
    ");
    Ok(())
}
