//! Whole files: each section, each contradiction, each warning.

use super::*;
use crate::audit::rule::Severity;
use crate::perimeter::{Mode, TransitMode};

mod survival;
mod warnings;

/// The example of the interface, word for word.
const INTERFACE: &str = include_str!("interface.toml");

const EXAMPLE: &str = include_str!("../example.toml");

/// A file with nothing wrong, and then `more`.
fn with(more: &str) -> String {
    format!(
        "version = 1\n[environments.production]\nmode = \"enforce\"\naccounts = [\"111122223333\"]\n{more}"
    )
}

/// The errors, or else the warnings, of [`with`], a line each; lines of `more` count from 1. That it has
/// no VPC is left out.
fn said(more: &str) -> String {
    let all = match parse(&with(more)) {
        Ok(parsed) => parsed.warnings,
        Err(ConfigErrors { errors, .. }) => errors,
    };
    let all = all.into_iter().filter(|one| !one.message.starts_with("there is no `[[vpc]]`"));
    let line = |one: Diagnostic| {
        let kind = match one.severity {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let other = one.related.map(|other| format!(" [{}: {}]", other.line.saturating_sub(4), other.label));
        let help = one.help.map(|help| format!("; {help}"));
        let place = one.line.saturating_sub(4);
        format!("{kind} {place}: {}{}{}", one.message, other.unwrap_or_default(), help.unwrap_or_default())
    };
    all.map(line).collect::<Vec<_>>().join("\n")
}

fn parsed(text: &str) -> Result<Perimeter, ConfigErrors> {
    parse(text).map(|parsed| parsed.perimeter)
}

#[test]
fn the_example_of_the_interface_has_nothing_wrong() -> Result<(), ConfigErrors> {
    let Parsed { perimeter, warnings, .. } = parse(INTERFACE)?;
    assert_eq!(warnings, []);
    assert_eq!(perimeter.organization.as_deref(), Some("o-exampleorgid"));
    assert!(perimeter.is_ours("999988887777") && !perimeter.lists("999988887777"));
    assert_eq!(perimeter.mode_of("444455556666"), Mode::Enforce);
    assert_eq!(perimeter.mode_of("777788889999"), Mode::Exempt);
    assert!(perimeter.owns_approved_vpc("111122223333"));
    let (key, cidrs) = perimeter.vpcs.iter().next().expect("one VPC");
    assert_eq!((key.region.as_str(), key.id.as_str(), cidrs.len()), ("eu-west-1", "vpc-0prod0eu", 2));
    assert_eq!(perimeter.endpoints.first().map(|endpoint| &endpoint.vpc), Some(key));
    insta::assert_snapshot!(format!("{:?}\n{:?}", &perimeter.transit, &perimeter.trusted), @r#"
    [Transit { cidrs: [192.168.0.0/16], note: Some("head office over Direct Connect") }]
    [TrustedAddress { cidrs: [198.51.100.0/24], window: Window { from: None, until: Some(2027-01-01T00:00:00Z) }, reason: Some("office, until Direct Connect is up") }]
    "#);
    insta::assert_snapshot!(format!("{:?}\n{:?}", &perimeter.break_glass, &perimeter.services), @r#"
    [BreakGlass { principal: "arn:aws:iam::*:role/your-emergency-role", unique_ids: ["AROAEXAMPLEEXAMPLE01"], tables: ["*"], window: Window { from: Some(2026-01-01T00:00:00Z), until: Some(2026-12-31T00:00:00Z) }, max_session: Some(1h), ticket: Some("INC-1234") }]
    [Service { principal: "arn:aws:iam::111122223333:role/app/stream-consumer", via: Some("lambda.amazonaws.com"), reason: Some("event source mapping on the orders stream") }]
    "#);
    insta::assert_snapshot!(format!("{:?}\n{:?}", &perimeter.suppressions, &perimeter.product), @r#"
    [Suppression { rule: "metadata-outside", principal: Some("arn:aws:iam::111122223333:role/ci"), window: Window { from: None, until: Some(2027-01-01T00:00:00Z) }, reason: Some("plan reads table descriptions") }]
    Product { table: Some("arn:aws:dynamodb:eu-west-1:111122223333:table/perimeter-findings"), roles: ["arn:aws:iam::111122223333:role/perimeter-auditor"], resources: ["arn:aws:lambda:eu-west-1:111122223333:function:perimeter-*", "arn:aws:cloudtrail:eu-west-1:999988887777:trail/org"] }
    "#);
    insta::assert_snapshot!(format!("{:?}\n{:?}", &perimeter.rules, &perimeter.prove), @r#"
    RuleSettings { severities: {"metadata-outside": Some(Info)}, transit: Flag }
    ProveSettings { service_calls_approved: false, vpc_identity_exact: false, session_tags_none: false, endpoint_region_is_requested_region: false, now: Some(2026-11-23T00:00:00Z) }
    "#);
    Ok(())
}

#[test]
fn the_file_that_init_writes_only_lacks_its_accounts_and_vpcs() -> Result<(), ConfigErrors> {
    let warnings = parse(EXAMPLE)?.warnings;
    assert_eq!(
        warnings.iter().map(|one| one.message.as_str()).collect::<Vec<_>>(),
        [
            "there is no `[[vpc]]`: no network is approved, and every call is from outside",
            "environment `production` has no accounts"
        ]
    );
    Ok(())
}

/// What stands behind a `#` without a blank is meant to be used without the `#`.
#[test]
fn what_is_commented_out_in_it_can_be_used() -> Result<(), ConfigErrors> {
    let used = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(code) if !code.is_empty() && !code.starts_with(' ') => code,
        _ => line,
    });
    let used = used.collect::<Vec<_>>().join("\n").replace("accounts = [] ", "accounts = [\"444455556666\"]");
    let Parsed { perimeter, warnings, .. } = parse(&used)?;
    assert_eq!(warnings, []);
    assert!(
        !perimeter.vpcs.is_empty() && !perimeter.break_glass.is_empty() && perimeter.product.table.is_some()
    );
    Ok(())
}

#[test]
fn no_environment_and_no_version_are_errors() {
    let errors = |text: &str| parse(text).map_or_else(|errors| errors.to_string(), |_| String::new());
    insta::assert_snapshot!(errors(""), @"line 1, column 1: there is no `version`; write `version = 1`, above the first heading in brackets (and 1 more)");
    insta::assert_snapshot!(errors("version = 1"), @r#"line 1, column 1: there is no environment; add `[environments.production]` with `mode = "enforce"` and its `accounts`"#);
    insta::assert_snapshot!(errors("version = 1\nenvironments = {}"), @r#"line 2, column 16: there is no environment; add `[environments.production]` with `mode = "enforce"` and its `accounts`"#);
    insta::assert_snapshot!(errors("version = 2\n[environments.a]"), @"line 1, column 11: version `2` is not known here: 1 is the only one; write `version = 1`, above the first heading in brackets");
    insta::assert_snapshot!(errors("version = \"1\"\n[environments.a]"), @"line 1, column 11: `version` must be the number 1, not a string; write `version = 1`, above the first heading in brackets");
    insta::assert_snapshot!(errors("version = 0x1\n[environments.a]"), @"");
    insta::assert_snapshot!(errors("[environments.a]"), @"line 1, column 1: there is no `version`; write `version = 1`, above the first heading in brackets");
}

#[test]
fn every_error_is_named_in_the_order_of_the_file() {
    insta::assert_snapshot!(said("[[endpoint]]\nid = \"x\"\n[[vpc]]\nid = \"y\"\nregion = 1\n[bogus]\n"), @r#"
    error 1: this `[[endpoint]]` has no `vpc`; add `vpc = "vpc-0a1b2c3d4e5f60001"`
    error 1: this `[[endpoint]]` has no `region`; add `region = "eu-west-1"`
    error 1: this `[[endpoint]]` has no `account`; add `account = "111122223333"`
    error 2: `x` is no endpoint id: `vpce-` and lower-case hexadecimal digits
    error 3: this `[[vpc]]` has no `account`; add `account = "111122223333"`
    error 4: `y` is no VPC id: `vpc-`, then lower-case letters and digits
    error 5: `vpc[0].region` must be a region in quotes, not an integer; write it in quotes
    error 6: `bogus` is no key of the top of the file; the nearest key is `rules`; there are `version`, `organization`, `management_account`, `environments`, `vpc`, `endpoint`, `transit`, `trusted_address`, `break_glass`, `service`, `suppress`, `product`, `prove` and `rules`
    "#);
}

#[test]
fn the_place_is_named_where_it_is_no_toml() {
    for (text, line, column) in
        [("a = ", 1, 5), ("version = 1\nversion = 1", 2, 1), ("\u{0}", 1, 1), ("[a", 1, 3), ("a = \"", 1, 6)]
    {
        let errors = parse(text).map_or_else(|found| found.errors, |_| Vec::new());
        let places: Vec<_> = errors.iter().map(|error| (error.line, error.column)).collect();
        assert_eq!(places, [(line, column)], "{text:?}: {errors:?}");
    }
}

#[test]
fn unknown_keys_name_the_nearest() {
    insta::assert_snapshot!(said("[[vpcs]]\n"), @"error 1: `vpcs` is no key of the top of the file; did you mean `vpc`?");
    insta::assert_snapshot!(said("[prove]\nsession-tags = \"any\"\n"), @"error 2: `session-tags` is no key of `[prove]`; did you mean `session_tags`?");
    insta::assert_snapshot!(said("[[transit]]\ncidrs = [\"192.168.0.0/16\"]\nowner = \"me\"\n"), @"error 3: `owner` is no key of `[[transit]]`; the nearest key is `note`; there are `cidrs` and `note`");
    insta::assert_snapshot!(said("[prove]\norganization = \"o-exampleorgid\"\n"), @"error 2: `organization` is no key of `[prove]`; `organization` belongs to the top of the file, above the first heading in brackets");
    insta::assert_snapshot!(said("[environments.b]\nmode = \"exempt\"\naccount = [\"222233334444\"]\n"), @"error 3: `account` is no key of `[environments.NAME]`; did you mean `accounts`?");
}

#[test]
fn values_of_a_wrong_type_are_errors() {
    insta::assert_snapshot!(said("[environments.b]\nmode = 1\naccounts = \"222233334444\"\n"), @r#"
    error 2: `environments.b.mode` must be a mode in quotes, not an integer; write it in quotes
    error 3: `environments.b.accounts` must be a list, each item an account id in quotes, not a string; write it in brackets, as ["111122223333"]
    "#);
    insta::assert_snapshot!(said("[environments.b]\nmode = \"observe\"\naccounts = [222233334444, 2222333344, 12]\n"), @r#"
    error 3: `environments.b.accounts[0]` must be an account id in quotes, not an integer; write "222233334444": an account id has twelve digits, and may begin with zeros
    error 3: `environments.b.accounts[1]` must be an account id in quotes, not an integer; write "002222333344": an account id has twelve digits, and may begin with zeros
    error 3: `environments.b.accounts[2]` must be an account id in quotes, not an integer; write it in quotes
    "#);
    insta::assert_snapshot!(said("[[environments.b]]\n"), @"error 1: `environments.b` is one table, not a list of tables; write `[environments.NAME]`");
    insta::assert_snapshot!(said("[vpc]\n[[product]]\n"), @r"
    error 1: `vpc` is a list of tables, not one table; write `[[vpc]]`
    error 2: `product` is one table, not a list of tables; write `[product]`
    ");
    insta::assert_snapshot!(said("[transit.a]\n"), @"error 1: `transit` is a list of tables, not one table; write `[[transit]]`");
    insta::assert_snapshot!(said("[prove]\nendpoint_region_is_requested_region = \"true\"\nnow = 5\n"), @r"
    error 2: `prove.endpoint_region_is_requested_region` must be true or false, without quotes, not a string
    error 3: `prove.now` must be a date, as 2027-01-01, not an integer; write 2027-01-01 (00:00 UTC) or 2027-01-01T09:00:00+01:00
    ");
    insta::assert_snapshot!(said("[rules]\nroot-access = false\n"), @r#"error 2: `rules.root-access` must be off or a severity in quotes, not a boolean; write "off""#);
    let errors = parse("version = 1\nenvironments = 5\nvpc = [1]\nendpoint = 1.5\n");
    insta::assert_snapshot!(errors.map_or_else(|found| found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), |_| String::new()), @r"
    line 2, column 16: `environments` must be a table, not an integer
    line 3, column 8: `vpc[0]` must be a table, not an integer
    line 4, column 12: `endpoint` must be a list of tables, not a float
    ");
}

#[test]
fn environments_need_names_modes_and_accounts() {
    insta::assert_snapshot!(said("[environments.b]\n"), @r#"
    warning 1: environment `b` has no mode, and is judged as `enforce`; add `mode = "enforce"`
    warning 1: environment `b` has no accounts; add `accounts = ["111122223333"]`
    "#);
    insta::assert_snapshot!(said("[environments.\"\"]\nmode = \"observe\"\naccounts = [\"222233334444\"]\n"), @"error 1: `` is no name for an environment; write a few words in one line");
    insta::assert_snapshot!(said("[environments.\"a\\nb\"]\nmode = \"observe\"\naccounts = [\"222233334444\"]\n"), @r"error 1: `a\nb` is no name for an environment; write a few words in one line");
    let name = |letters| {
        format!("[environments.{}]\nmode = \"observe\"\naccounts = [\"222233334444\"]\n", "n".repeat(letters))
    };
    assert_eq!(said(&name(64)), "");
    assert!(said(&name(65)).starts_with("error 1: "));
    insta::assert_snapshot!(said("[environments.\"pre prod\"]\nmode = \"observe\"\naccounts = [\"222233334444\"]\n"), @"");
}

#[test]
fn an_account_is_in_one_environment() {
    insta::assert_snapshot!(said("[environments.b]\nmode = \"exempt\"\naccounts = [\"111122223333\"]\n"), @"error 3: account `111122223333` is in two environments, `production` and `b` [0: listed here first]; keep it in one of them");
    insta::assert_snapshot!(said("[environments.b]\nmode = \"exempt\"\naccounts = [\"222233334444\", \"222233334444\"]\n"), @"warning 3: account `222233334444` stands here a second time [3: listed here first]");
}

/// A `[[vpc]]` of an account that is listed.
fn vpc(id: &str, region: &str, account: &str, cidrs: &str) -> String {
    format!("[[vpc]]\nid = \"{id}\"\nregion = \"{region}\"\naccount = \"{account}\"\ncidrs = [{cidrs}]\n")
}

#[test]
fn a_vpc_stands_once() {
    let one = vpc("vpc-1", "eu-west-1", "111122223333", "\"10.0.0.0/16\", \"10.1.0.0/16\"");
    let turned = vpc("vpc-1", "eu-west-1", "111122223333", "\"10.1.0.0/16\", \"10.0.0.0/16\"");
    let other = vpc("vpc-1", "eu-west-1", "111122223333", "\"10.0.0.0/16\"");
    let elsewhere = vpc("vpc-1", "eu-west-2", "111122223333", "\"10.0.0.0/16\"");
    insta::assert_snapshot!(said(&format!("{one}{turned}")), @"warning 7: VPC `vpc-1` stands here a second time [2: listed here first]");
    insta::assert_snapshot!(said(&format!("{one}{other}")), @"error 7: VPC `vpc-1` stands here a second time, with other cidrs [2: listed here first]; put all its cidrs into one `[[vpc]]`");
    assert_eq!(said(&format!("{one}{elsewhere}")), "");
}

#[test]
fn a_vpc_has_plausible_cidrs_and_a_listed_account() {
    assert_eq!(said(&vpc("vpc-1", "eu-west-1", "111122223333", "\"10.0.0.0/16\"")), "");
    insta::assert_snapshot!(said(&vpc("vpc-1", "eu-west-1", "111122223333", "")), @"warning 1: VPC `vpc-1` has no cidrs: transit through its endpoints cannot be told; add `cidrs`, the VPC's address blocks");
    insta::assert_snapshot!(said(&vpc("vpc-1", "eu-west-1", "111122223333", "\"10.0.0.0/8\"")), @"warning 5: `10.0.0.0/8` is no VPC's block: none is wider than a /16; list the VPC's own blocks; those of other networks belong to [[transit]]");
    insta::assert_snapshot!(said(&vpc("vpc-1", "eu-west-1", "222233334444", "\"10.0.0.0/16\"")), @"warning 4: account `222233334444` is in no environment; add it to an environment; till then it is judged as `enforce`");
    insta::assert_snapshot!(said("[[vpc]]\n"), @r#"
    error 1: this `[[vpc]]` has no `id`; add `id = "vpc-0a1b2c3d4e5f60001"`
    error 1: this `[[vpc]]` has no `region`; add `region = "eu-west-1"`
    error 1: this `[[vpc]]` has no `account`; add `account = "111122223333"`
    "#);
}

fn a_vpc() -> String {
    vpc("vpc-1", "eu-west-1", "111122223333", "\"10.0.0.0/16\"")
}

fn endpoint(id: &str, region: &str, account: &str, vpc: &str) -> String {
    format!("[[endpoint]]\nid = \"{id}\"\nregion = \"{region}\"\naccount = \"{account}\"\nvpc = \"{vpc}\"\n")
}

#[test]
fn an_endpoint_is_in_one_place() -> Result<(), ConfigErrors> {
    let one = endpoint("vpce-1", "eu-west-1", "111122223333", "vpc-1");
    // Its VPC is no [[vpc]], and its account in no environment: known, and not approved.
    assert_eq!(said(&endpoint("vpce-1", "eu-west-1", "222233334444", "vpc-9")), "");
    insta::assert_snapshot!(said(&format!("{one}{one}")), @"warning 7: endpoint `vpce-1` stands here a second time [2: listed here first]");
    assert_eq!(parsed(&with(&format!("{one}{one}")))?.endpoints.len(), 1);
    for other in [
        endpoint("vpce-1", "eu-west-1", "111122223333", "vpc-2"),
        endpoint("vpce-1", "eu-west-2", "111122223333", "vpc-1"),
        endpoint("vpce-1", "eu-west-1", "444455556666", "vpc-1"),
    ] {
        let said = said(&format!("{one}{other}"));
        assert!(
            said.starts_with("error 7: endpoint `vpce-1` is in two ")
                && said.contains("[2: listed here first]"),
            "{said}"
        );
    }
    assert_eq!(said(&format!("{one}{}", endpoint("vpce-2", "eu-west-2", "111122223333", "vpc-2"))), "");
    Ok(())
}

#[test]
fn addresses_are_judged_by_where_they_stand() {
    assert_eq!(said("[[transit]]\ncidrs = [\"10.0.0.0/8\"]\n"), "");
    insta::assert_snapshot!(said("[[transit]]\ncidrs = [\"0.0.0.0/0\"]\n"), @"warning 2: `0.0.0.0/0` is every address: nothing would be transit any more; list the networks that are to come this way");
    insta::assert_snapshot!(said("[[transit]]\ncidrs = []\n"), @"warning 2: the list is empty, so the entry has no effect; leave it out, or fill it");
    insta::assert_snapshot!(said("[[transit]]\nnote = \"x\"\n"), @r#"error 1: this `[[transit]]` has no `cidrs`; add `cidrs = ["10.0.0.0/16"]`"#);
    assert_eq!(
        said("[[trusted_address]]\ncidrs = [\"198.51.100.0/24\", \"2001:db8::/48\"]\nuntil = 2027-01-01\n"),
        ""
    );
    insta::assert_snapshot!(said("[[trusted_address]]\ncidrs = [\"198.51.0.0/23\", \"2001:db8::/47\", \"10.1.0.0/24\"]\n"), @r"
    warning 1: the addresses are trusted without end: there is no `until`; add `until`, the day to look at it again
    warning 2: `198.51.0.0/23` is wide: a trusted block of more than a /24 is seldom one's own; list the blocks that are yours
    warning 2: `2001:db8::/47` is wide: a trusted block of more than a /48 is seldom one's own; list the blocks that are yours
    warning 2: `10.1.0.0/24` is private: everybody has these addresses, so they prove nothing; trust the public addresses that the network is seen by; addresses that come through an endpoint belong to [[transit]]
    ");
}

#[test]
fn windows_end_after_they_begin() -> Result<(), ConfigErrors> {
    let entry = |window: &str| format!("[[trusted_address]]\ncidrs = [\"198.51.100.0/24\"]\n{window}\n");
    assert_eq!(said(&entry("from = 2027-01-01\nuntil = 2027-01-01T00:00:00.000000001Z")), "");
    insta::assert_snapshot!(said(&entry("from = 2027-01-01\nuntil = 2027-01-01")), @"error 4: the window ends when it begins: `until` is no longer in it [3: begins 2027-01-01T00:00:00Z]; put `until` behind `from`");
    insta::assert_snapshot!(said(&entry("from = 2027-01-01\nuntil = \"2027-01-01T01:00:00+02:00\"")), @"error 4: the window ends before it begins [3: begins 2027-01-01T00:00:00Z]; put `until` behind `from`");
    insta::assert_snapshot!(said(&entry("until = 2027-01-01T00:00:00")), @"error 3: `2027-01-01T00:00:00` is a time of day somewhere: it has no offset from UTC; write `2027-01-01T00:00:00Z` for UTC");
    insta::assert_snapshot!(said(&entry("until = 00:00:00")), @"error 3: `00:00:00` has no date; write 2027-01-01 (00:00 UTC) or 2027-01-01T09:00:00+01:00");
    insta::assert_snapshot!(said(&entry("from = 2027-01-01")), @"warning 1: the addresses are trusted without end: there is no `until`; add `until`, the day to look at it again");
    let perimeter = parsed(&with(&entry("from = \"2027-01-01\"\nuntil = \"2027-01-01 02:00:00Z\"")))?;
    let window = perimeter.trusted.first().map(|entry| entry.window).unwrap_or_default();
    assert_eq!(window.from.map(|at| at.to_string()).as_deref(), Some("2027-01-01T00:00:00Z"));
    assert_eq!(window.until.map(|at| at.to_string()).as_deref(), Some("2027-01-01T02:00:00Z"));
    Ok(())
}

#[test]
fn break_glass_is_narrow_and_ends() {
    let entry =
        |principal: &str, more: &str| format!("[[break_glass]]\nprincipal = \"{principal}\"\n{more}\n");
    let until = "until = 2027-01-01";
    assert_eq!(said(&entry("arn:aws:iam::*:role/emergency", until)), "");
    assert_eq!(said(&entry("arn:aws:iam::111122223333:role/emergency", until)), "");
    insta::assert_snapshot!(said(&entry("arn:aws:iam::*:role/emergency", "")), @"warning 1: the principal may come from anywhere without end: there is no `until`; add `until`, the day to look at it again");
    insta::assert_snapshot!(said(&entry("arn:aws:iam::*:role/*admin*", until)), @"warning 2: `arn:aws:iam::*:role/*admin*` covers ordinary names too: whoever may create a role of a name that fits is exempt; write the whole name; wildcards may stand in the account and the path");
    insta::assert_snapshot!(said(&entry("arn:aws:iam::222233334444:role/emergency", until)), @"warning 2: account `222233334444` is in no environment; add it to an environment, or use `*`, which stands for the accounts of enforce and observe");
    insta::assert_snapshot!(said(&entry("arn:aws:sts::*:assumed-role/emergency/*", until)), @"warning 2: `arn:aws:sts::*:assumed-role/emergency/*` matches nothing: a session is known by its role's ARN; write the role, with its path: `arn:aws:iam::*:role/emergency`");
    insta::assert_snapshot!(said(&entry("arn:aws:iam::*:role/emergency", "until = 2027-01-01\nunique_ids = []\ntables = []")), @r"
    warning 4: an empty list stands for every role of the name; leave it out, or fill it
    warning 5: an empty list stands for every table; leave it out, or fill it
    ");
    insta::assert_snapshot!(said("[[break_glass]]\nunique_ids = [\"x\"]\ntables = [\"\"]\n"), @r#"
    error 1: this `[[break_glass]]` has no `principal`; add `principal = "arn:aws:iam::111122223333:role/NAME"`
    error 2: `x` is no unique id of a role or user; a role's begins with AROA, a user's with AIDA; `aws iam get-role` shows it as `RoleId`
    error 3: `` is no table's name; write a name, an ARN, or a pattern of either
    "#);
    // The management account is ours, listed or not.
    let text = format!(
        "management_account = \"999988887777\"\n{}",
        with(&format!("{}{}", entry("arn:aws:iam::999988887777:role/emergency", until), a_vpc()))
    );
    assert_eq!(parse(&text).map(|parsed| parsed.warnings).unwrap_or_default(), []);
}

#[test]
fn services_are_named_in_full() {
    let entry =
        |via: &str| format!("[[service]]\nprincipal = \"arn:aws:iam::111122223333:role/app/*\"\n{via}\n");
    assert_eq!(said(&entry("via = \"lambda.amazonaws.com\"")), "");
    insta::assert_snapshot!(said(&entry("via = \"lambda\"")), @r#"error 3: `lambda` is no AWS service's name; write "lambda.amazonaws.com""#);
    insta::assert_snapshot!(said("[[service]]\nvia = \"lambda.amazonaws.com\"\n"), @r#"error 1: this `[[service]]` has no `principal`; add `principal = "arn:aws:iam::111122223333:role/NAME"`"#);
}

#[test]
fn suppressions_name_a_rule_a_principal_and_an_end() {
    let whole = "[[suppress]]\nrule = \"metadata-outside\"\nprincipal = \"arn:aws:iam::111122223333:role/ci\"\nuntil = 2027-01-01\n";
    assert_eq!(said(whole), "");
    insta::assert_snapshot!(said("[[suppress]]\nrule = \"metadata-outside\"\n"), @r"
    warning 1: the rule is silent whoever calls: there is no `principal`; add `principal`
    warning 1: the rule is silent without end: there is no `until`; add `until`, the day to look at it again
    ");
    insta::assert_snapshot!(said("[[suppress]]\nrule = \"metadata-outsde\"\n"), @"error 2: `metadata-outsde` is no rule; did you mean `metadata-outside`?");
    insta::assert_snapshot!(said("[[suppress]]\nrule = \"everything at all\"\n"), @"error 2: `everything at all` is no rule; `perimeter rules` lists them");
    insta::assert_snapshot!(said("[[suppress]]\n"), @r#"error 1: this `[[suppress]]` has no `rule`; add `rule = "metadata-outside"`"#);
}

#[test]
fn the_products_own_resources_are_named() {
    insta::assert_snapshot!(said("[product]\ntable = \"findings\"\nroles = [\"arn:aws:iam::*:role/x\"]\nresources = [\"*\"]\n"), @r#"
    error 2: `findings` has not the six parts of an ARN; write it as "arn:aws:dynamodb:eu-west-1:111122223333:table/perimeter-findings"
    error 3: `arn:aws:iam::*:role/x` is not the ARN of one role; name each role, without wildcards: "arn:aws:iam::111122223333:role/perimeter-auditor"
    error 4: `*` is no ARN pattern: it would stand for everything that exists; say which: "arn:aws:iam::111122223333:role/NAME"; wildcards may stand within its parts
    "#);
}

#[test]
fn rules_are_set_to_severities_and_transit_to_a_mode() -> Result<(), ConfigErrors> {
    let settings = parsed(&with(
        "[rules]\nmetadata-outside = \"off\"\nundetermined = \"critical\"\ntransit = \"deny\"\n",
    ))?
    .rules;
    assert_eq!(settings.severities.get("metadata-outside"), Some(&None));
    assert_eq!(settings.severities.get("undetermined"), Some(&Some(Severity::Critical)));
    assert_eq!((settings.severities.len(), settings.transit), (2, TransitMode::Deny));
    assert_eq!(
        said("[rules]\nmetadata-outside = \"off\"\npublic-access = \"low\"\ntransit = \"flag\"\n"),
        ""
    );
    insta::assert_snapshot!(said("[rules]\npublic-access = \"off\"\n"), @"warning 2: `public-access` is critical, and off: its findings are lost; `[[suppress]]` can silence it for one principal and a time");
    insta::assert_snapshot!(said("[rules]\ntransit = \"high\"\nundetermined = \"flag\"\nroot-access = \"hihg\"\nnonsense-and-more = \"low\"\n"), @r#"
    error 2: `high` is no setting of `transit`: `allow`, `flag` or `deny`; `transit` takes no severity: `allow` is inside, `flag` inside with a finding, `deny` outside
    error 3: `flag` is no setting of a rule: `off`, `info`, `low`, `medium`, `high` or `critical`; only `transit` takes that
    error 4: `hihg` is no setting of a rule: `off`, `info`, `low`, `medium`, `high` or `critical`; did you mean "high"?
    error 5: `nonsense-and-more` is no rule; `perimeter rules` lists them
    "#);
    Ok(())
}

#[test]
fn the_proofs_assumptions_are_words() -> Result<(), ConfigErrors> {
    let set = "[prove]\nservice_calls = \"approved\"\nvpc_identity = \"exact\"\nsession_tags = \"none\"\nendpoint_region_is_requested_region = true\nnow = 2026-11-23\n";
    let prove = parsed(&with(set))?.prove;
    assert!(prove.service_calls_approved && prove.vpc_identity_exact && prove.session_tags_none);
    assert!(prove.endpoint_region_is_requested_region && prove.now.is_some());
    insta::assert_snapshot!(said("[prove]\nservice_calls = \"inside\"\nvpc_identity = \"exakt\"\nsession_tags = true\n"), @r#"
    error 2: `inside` is no value of `service_calls`: `outside` or `approved`
    error 3: `exakt` is no value of `vpc_identity`: `id` or `exact`; did you mean "exact"?
    error 4: `prove.session_tags` must be a word in quotes, not a boolean; write it in quotes
    "#);
    Ok(())
}

#[test]
fn an_organization_of_odd_length_is_only_odd() {
    let said = |id: &str| {
        let text = format!("organization = \"{id}\"\n{}", with(&a_vpc()));
        parse(&text).map_or_else(
            |errors| errors.to_string(),
            |parsed| parsed.warnings.iter().map(ToString::to_string).collect(),
        )
    };
    assert_eq!(said("o-0123456789"), "");
    assert_eq!(said(&format!("o-{}", "a".repeat(32))), "");
    insta::assert_snapshot!(said("o-012345678"), @"line 1, column 16: `o-012345678` has not the length of an organization id; `aws organizations describe-organization` shows it");
    insta::assert_snapshot!(said(&format!("o-{}", "a".repeat(33))), @"line 1, column 16: `o-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` has not the length of an organization id; `aws organizations describe-organization` shows it");
    insta::assert_snapshot!(said("exampleorgid"), @"line 1, column 16: `exampleorgid` is no organization id: `o-`, then lower-case letters and digits");
}

#[test]
fn diagnostics_are_drawn() {
    let drawn = |text: &str| match parse(text) {
        Ok(parsed) => parsed
            .warnings
            .iter()
            .map(|one| one.render("perimeter.toml", text, false))
            .collect::<Vec<_>>()
            .join("\n\n"),
        Err(ConfigErrors { errors, .. }) => errors
            .iter()
            .map(|one| one.render("perimeter.toml", text, false))
            .collect::<Vec<_>>()
            .join("\n\n"),
    };
    insta::assert_snapshot!(drawn("organisation = \"o-exampleorgid\""), @r#"
    error: `organisation` is no key of the top of the file
     --> perimeter.toml:1:1
      |
    1 | organisation = "o-exampleorgid"
      | ^^^^^^^^^^^^
      |
      = help: did you mean `organization`?

    error: there is no `version`
     --> perimeter.toml:1:1
      |
    1 | organisation = "o-exampleorgid"
      | ^
      |
      = help: write `version = 1`, above the first heading in brackets

    error: there is no environment
     --> perimeter.toml:1:1
      |
    1 | organisation = "o-exampleorgid"
      | ^
      |
      = help: add `[environments.production]` with `mode = "enforce"` and its `accounts`
    "#);
    insta::assert_snapshot!(drawn(&with(&vpc("vpc-1", "eu-west-1", "111122223333", "\"10.0.0.1/16\""))), @r#"
    error: `10.0.0.1/16` has bits set behind its prefix
     --> perimeter.toml:9:10
      |
    9 | cidrs = ["10.0.0.1/16"]
      |          ^^^^^^^^^^^^^
      |
      = help: the block is "10.0.0.0/16"
    "#);
    insta::assert_snapshot!(drawn(&with("[environments.b]\nmode = \"exempt\"\naccounts = [\"111122223333\"]\n")), @r#"
    error: account `111122223333` is in two environments, `production` and `b`
     --> perimeter.toml:7:13
      |
    7 | accounts = ["111122223333"]
      |             ^^^^^^^^^^^^^^
      |
     ::: perimeter.toml:4:13
      |
    4 | accounts = ["111122223333"]
      |             -------------- listed here first
      |
      = help: keep it in one of them
    "#);
    insta::assert_snapshot!(drawn(&with(&format!("[[break_glass]]\nprincipal = \"arn:aws:iam::*:role/*\"\nuntil = 2027-01-01\n{}", a_vpc()))), @r#"
    warning: `arn:aws:iam::*:role/*` covers ordinary names too: whoever may create a role of a name that fits is exempt
     --> perimeter.toml:6:13
      |
    6 | principal = "arn:aws:iam::*:role/*"
      |             ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write the whole name; wildcards may stand in the account and the path
    "#);
    insta::assert_snapshot!(drawn("version = 1\n[environments\n"), @r"
    error: the file is no TOML: unclosed table, expected `]`
     --> perimeter.toml:2:14
      |
    2 | [environments
      |              ^
      |
      = help: a heading is closed as it is opened: `[environments.production]`, `[[vpc]]`
    ");
}

#[test]
fn a_value_of_another_shape_is_told_the_right_one() {
    insta::assert_snapshot!(said("[environments.b]\nmode = \"observe\"\naccounts = [\"22223333444\", \"2222333344445\", 22223333444, \"2222-3333-4444\", \"\"]\n"), @r#"
    error 3: `22223333444` is no account id: twelve digits; it has 11
    error 3: `2222333344445` is no account id: twelve digits; it has 13
    error 3: `environments.b.accounts[2]` must be an account id in quotes, not an integer; write "022223333444": an account id has twelve digits, and may begin with zeros
    error 3: `2222-3333-4444` is no account id: twelve digits; write "222233334444"
    error 3: `` is no account id: twelve digits
    "#);
    insta::assert_snapshot!(said("[[trusted_address]]\ncidrs = [[\"198.51.100.0/24\"]]\nuntil = 5\n"), @r"
    error 2: `trusted_address[0].cidrs[0]` must be an address block in quotes, not a list; write it without these brackets
    error 3: `trusted_address[0].until` must be a date, as 2027-01-01, not an integer; write 2027-01-01 (00:00 UTC) or 2027-01-01T09:00:00+01:00
    ");
    insta::assert_snapshot!(said("[rules]\nroot-access = false\npublic-access = true\nundetermined = \"nothing\"\nservice-path = \"crit\"\ntransit = [\"flag\"]\n"), @r#"
    error 2: `rules.root-access` must be off or a severity in quotes, not a boolean; write "off"
    error 3: `rules.public-access` must be off or a severity in quotes, not a boolean; write the severity in quotes, as "low"
    error 4: `nothing` is no setting of a rule: `off`, `info`, `low`, `medium`, `high` or `critical`
    error 5: `crit` is no setting of a rule: `off`, `info`, `low`, `medium`, `high` or `critical`; did you mean "critical"?
    error 6: `rules.transit` must be allow, flag or deny in quotes, not a list; write it without these brackets
    "#);
}
