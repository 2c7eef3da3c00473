//! Every check on both sides of its line.

use super::*;

/// `bad` has each text with a part of what is said about it.
fn line<T>(check: impl Fn(&str) -> Check<T>, good: &[&str], bad: &[(&str, &str)]) {
    for text in good {
        assert_eq!(check(text).err(), None, "{text}");
    }
    for (text, said) in bad {
        let complaint = check(text).err().unwrap_or(Complaint::new("nothing"));
        let all = format!("{}; {}", complaint.message, complaint.help.unwrap_or_default());
        assert!(all.contains(said), "`{text}`: {all}");
    }
}

#[test]
fn accounts_are_twelve_digits() {
    line(
        account,
        &["111122223333", "000000000000"],
        &[
            ("11112222333", "no account id"),
            ("1111222233334", "no account id"),
            ("1111-2222-3333", "write \"111122223333\""),
            (" 111122223333", "write \"111122223333\""),
            ("11112222333x", "no account id"),
            ("١١١١٢٢٢٢٣٣٣٣", "no account id"),
            ("", "no account id"),
        ],
    );
}

#[test]
fn organizations_begin_with_o() {
    line(
        organization,
        &["o-exampleorgid", "o-a1"],
        &[
            ("o-", "no organization id"),
            ("exampleorgid", "no organization id"),
            ("o-Example", "lower-case"),
            ("ou-abcd-1", "a unit's id"),
            ("", "no"),
        ],
    );
}

#[test]
fn endpoints_are_hexadecimal() {
    line(
        endpoint,
        &["vpce-0a1b2c3d4e5f60001", "vpce-0"],
        &[
            ("vpce-", "no endpoint id"),
            ("vpce-0g", "no endpoint id"),
            ("VPCE-0A1B", "write \"vpce-0a1b\""),
            ("vpc-0a1b", "that is the VPC's own id"),
            ("AWS Internal", "no endpoint id"),
        ],
    );
}

#[test]
fn vpcs_may_have_speaking_ids() {
    line(
        vpc,
        &["vpc-0prod0eu", "vpc-0a1b2c3d4e5f60001", "vpc-0-a"],
        &[
            ("vpc-", "no VPC id"),
            ("vpc-0A", "no VPC id"),
            ("vpc-0_a", "no VPC id"),
            ("vpce-0a", "an endpoint's id"),
            ("0a", "no VPC id"),
        ],
    );
}

#[test]
fn regions_have_a_shape_and_no_list() {
    line(
        region,
        &[
            "eu-west-1",
            "us-gov-west-1",
            "ap-southeast-12",
            "us-isob-east-1",
            "eusc-de-east-1",
            "cn-north-1",
            "xx-new-9",
        ],
        &[
            ("eu-west-1a", "write \"eu-west-1\""),
            ("EU-West-1", "write \"eu-west-1\""),
            ("eu-west", "no region"),
            ("eu-west-", "no region"),
            ("eu-west-123", "no region"),
            ("west-1", "no region"),
            ("eu--1", "no region"),
            ("*", "no region"),
            ("", "no region"),
            ("1", "no region"),
            ("Ireland", "written as \"eu-west-1\""),
        ],
    );
}

#[test]
fn blocks_have_no_bits_behind_their_prefix() {
    line(
        cidr,
        &["10.0.0.0/16", "0.0.0.0/0", "198.51.100.7/32", "2001:db8::/56", "::/0", "::fffe:0:0/95"],
        &[
            ("10.0.0.1/16", "the block is \"10.0.0.0/16\""),
            ("2001:db8::1/56", "the block is \"2001:db8::/56\""),
            ("10.0.0.1", "one address is \"10.0.0.1/32\""),
            ("2001:db8::1", "one address is \"2001:db8::1/128\""),
            ("10.0.0.0/33", "no address block"),
            ("10.0.0.0/", "no address block"),
            ("010.0.0.0/8", "write \"10.0.0.0/8\""),
            ("::ffff:198.51.100.0/120", "write \"198.51.100.0/24\""),
            ("office", "written as"),
        ],
    );
}

#[test]
fn names_are_those_of_the_list() {
    let check = |text: &str| one_of(text, "mode", &[("enforce", 1), ("observe", 2), ("exempt", 3)]);
    assert_eq!(check("observe"), Ok(2));
    line(
        check,
        &["enforce", "exempt"],
        &[
            ("Enforce", "did you mean \"enforce\"?"),
            ("off", "`off` is no mode: `enforce`, `observe` or `exempt`"),
            ("", "no mode"),
        ],
    );
}

#[test]
fn moments_need_an_offset_or_no_time_at_all() {
    let at = |text: &str| moment_text(text).map(|moment| moment.to_string()).ok();
    assert_eq!(at("2027-01-01").as_deref(), Some("2027-01-01T00:00:00Z"));
    assert_eq!(at("2027-01-01T09:00:00+01:00").as_deref(), Some("2027-01-01T08:00:00Z"));
    assert_eq!(at("2027-01-01 09:00:00.5z").as_deref(), Some("2027-01-01T09:00:00.5Z"));
    assert_eq!(at("2027-01-01T09:00Z").as_deref(), Some("2027-01-01T09:00:00Z"));
    assert_eq!(at("2028-02-29").as_deref(), Some("2028-02-29T00:00:00Z"));
    line(
        moment_text,
        &["0001-01-01", "9999-12-30", "2016-12-31T23:59:60Z", "2027-01-01T00:00:00-00:00"],
        &[
            ("2027-01-01T00:00:00", "write `2027-01-01T00:00:00Z` for UTC"),
            ("2027-02-29", "no date"),
            ("2027-13-01", "no date"),
            ("09:00:00", "has no date"),
            ("9999-12-31T23:59:59-23:59", "outside the calendar"),
            ("tomorrow", "write 2027-01-01"),
            (" 2027-01-01", "no date"),
            ("", "no date"),
        ],
    );
}

#[test]
fn services_end_in_amazonaws() {
    line(
        service,
        &[
            "lambda.amazonaws.com",
            "dynamodb.application-autoscaling.amazonaws.com",
            "lambda.amazonaws.com.cn",
        ],
        &[
            ("lambda", "write \"lambda.amazonaws.com\""),
            ("*.amazonaws.com", "leave `via` out"),
            ("lambda.example.com", "it ends in"),
            ("lambda.amazonaws.com.evil", "it ends in"),
            (".amazonaws.com", "it ends in"),
            ("amazonaws.com", "it ends in"),
            ("Lambda.amazonaws.com", "no AWS service's name"),
            ("", "it ends in"),
        ],
    );
}

#[test]
fn unique_ids_are_those_of_roles_and_users() {
    line(
        unique_id,
        &["AROAEXAMPLEEXAMPLE01", "AIDACKCEVSQ6C2EXAMPLE"],
        &[
            ("AKIAIOSFODNN7EXAMPLE", "no unique id"),
            ("AROA", "no unique id"),
            ("aroaexample", "no unique id"),
            ("AROAEXAMPLE*", "no unique id"),
            ("AROAEXAMPLE:session", "without its session's name: \"AROAEXAMPLE\""),
            ("", "no unique id"),
        ],
    );
}

#[test]
fn tables_are_names_or_arns() {
    line(
        table_pattern,
        &[
            "*",
            "orders",
            "orders-*",
            "a.b_c-?",
            "arn:aws:dynamodb:*:*:table/orders",
            "arn:aws:dynamodb:eu-west-1:111122223333:table/*/index/*",
        ],
        &[
            ("", "no table's name"),
            ("ord ers", "no table's name"),
            ("table/orders", "no table's name"),
            ("arn:aws:s3:::orders", "its service is `s3`"),
            ("arn:aws:dynamodb:eu-west-1:111122223333:orders", "no `table/…`"),
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/", "no `table/…`"),
            ("arn:aws:dynamodb", "six parts"),
        ],
    );
    assert!(table_pattern(&"x".repeat(255)).is_ok());
    assert!(table_pattern(&"x".repeat(256)).is_err());
}

#[test]
fn one_table_has_no_wildcard() {
    line(
        table_arn,
        &[
            "arn:aws:dynamodb:eu-west-1:111122223333:table/perimeter-findings",
            "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/f",
        ],
        &[
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/*", "without wildcards"),
            ("arn:aws:dynamodb:*:111122223333:table/f", "without wildcards"),
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/f/index/i", "end it with `table/f`"),
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/", "not the ARN of one DynamoDB table"),
            ("arn:aws:dynamodb:eu-west-1:1111:table/f", "not the ARN of one DynamoDB table"),
            ("arn:aws:dynamodb::111122223333:table/f", "not the ARN of one DynamoDB table"),
            ("arn:aws:s3:eu-west-1:111122223333:table/f", "not the ARN of one DynamoDB table"),
            ("perimeter-findings", "write it as"),
            ("*", "`*` is no ARN pattern"),
        ],
    );
}

#[test]
fn one_role_has_no_wildcard() {
    line(
        role_arn,
        &["arn:aws:iam::111122223333:role/perimeter-auditor", "arn:aws:iam::111122223333:role/a/b"],
        &[
            ("arn:aws:iam::111122223333:role/perimeter-*", "without wildcards"),
            ("arn:aws:iam::*:role/perimeter", "without wildcards"),
            ("arn:aws:iam::111122223333:user/a", "not the ARN of one role"),
            ("arn:aws:sts::111122223333:assumed-role/a/b", "not the ARN of one role"),
            ("arn:aws:iam::111122223333:role/", "its last part is `role/`"),
        ],
    );
}

#[test]
fn resources_name_their_service() {
    line(
        resource_pattern,
        &[
            "arn:aws:lambda:eu-west-1:111122223333:function:perimeter-*",
            "arn:aws:s3:::bucket",
            "arn:*:sqs:*:*:*",
        ],
        &[
            ("*", "`*` is no ARN pattern"),
            ("arn:aws:*:*:*:*", "names no service"),
            ("arn:aws::::x", "names no service"),
            ("arn:aws:s3:::", "names no resource"),
            ("arn:aws:s3", "six parts"),
        ],
    );
}

#[test]
fn principals_are_what_a_caller_can_be() {
    line(
        principal_pattern,
        &[
            "arn:aws:iam::*:role/your-emergency-role",
            "arn:aws:iam::111122223333:role/app/stream-consumer",
            "arn:aws:iam::1111????3333:user/ops",
            "arn:aws:iam:*:111122223333:root",
            "arn:*:iam::111122223333:*",
            "arn:aws:iam::111122223333:r*",
            "arn:aws-us-gov:iam::111122223333:role/*",
            "arn:aws:sts::111122223333:federated-user/ops",
            "arn:aws:sts::111122223333:assumed-role/ops/me",
        ],
        &[
            ("*", "would stand for everything that exists"),
            ("", "six parts"),
            ("role/ops", "six parts"),
            ("arn:aws:iam::111122223333", "six parts"),
            ("ARN:aws:iam::111122223333:role/x", "six parts"),
            ("arn:aws:iam::111122223333:role/x ", "without the blanks"),
            ("arn:aws:iam::111122223333:role/a b", "cannot be part of one"),
            ("arn:aws:iam::111122223333:role/ü", "cannot be part of one"),
            ("arn:aws:iam::111122223333:role/a\u{0}", "cannot be part of one"),
            ("arn::iam::111122223333:role/x", "no partition"),
            ("arn:awss:iam::111122223333:role/x", "no partition"),
            ("arn:aws-:iam::111122223333:role/x", "no partition"),
            ("arn:aws:*::111122223333:role/x", "not `iam` or `sts`"),
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/x", "not `iam` or `sts`"),
            ("arn:aws:iam:eu-west-1:111122223333:role/x", "has no region"),
            ("arn:aws:iam:::role/x", "no account id"),
            ("arn:aws:iam::11112222333:role/x", "no account id"),
            ("arn:aws:iam::prod*:role/x", "no account id"),
            ("arn:aws:iam::111122223333:role/", "`role/NAME`"),
            ("arn:aws:iam::111122223333:role", "`role/NAME`"),
            ("arn:aws:iam::111122223333:group/x", "`role/NAME`"),
            ("arn:aws:iam::111122223333:role:x", "with a slash: `role/x`"),
            ("arn:aws:sts::111122223333:role/x", "`federated-user/NAME`"),
        ],
    );
}

#[test]
fn lengths_of_time_are_some_and_bounded() {
    for (text, seconds) in [("1h", 3600), ("90m", 5400), (" 1h 30m ", 5400), ("36h", 129_600), ("1s", 1)] {
        assert_eq!(duration(text).map(|length| length.as_secs()), Ok(seconds), "{text}");
    }
    for text in ["", "0h", "-1h", "36h 1s", "1", "soon"] {
        assert!(duration(text).is_err(), "{text}");
    }
}
