//! The data are whole, and say what the reference says; patterns match on both sides of each line.

use std::collections::BTreeSet;

use super::*;

mod data {
    use super::*;

    /// Whether it is stale is not asked here, since the answer hangs on the day: `scripts/catalogue --check` says.
    #[test]
    fn every_file_says_where_it_is_from() {
        for origin in [&dynamodb().origin, &dax().origin, &global_keys().origin] {
            assert!(origin.source.contains("service authorization reference"), "{origin:?}");
            assert!(!origin.version.is_empty());
            assert!(origin.date > jiff::civil::date(2024, 1, 1), "{origin:?}");
            assert_eq!(origin.date, dynamodb().origin.date, "one file is older than another");
        }
    }

    #[test]
    fn names_are_unique_and_in_order() {
        fn check<'a>(names: impl Iterator<Item = &'a str>) {
            let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
            let in_order: Vec<String> = names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            assert_eq!(names, in_order);
        }
        check(global_keys().keys.iter().map(|key| key.name));
        for service in [dynamodb(), dax()] {
            check(service.actions.iter().map(|action| action.name));
            check(service.resource_types.iter().map(|one| one.name));
            check(service.keys.iter().map(|key| key.name));
        }
    }

    #[test]
    fn every_name_that_is_referred_to_is_there() {
        for service in [dynamodb(), dax()] {
            assert!(service.actions.len() < 128, "a set of actions has no more places");
            let has_key = |name: &&str| service.keys.iter().any(|key| key.name == *name);
            for action in &service.actions {
                assert_eq!(action.wildcard_only, action.resources.is_empty(), "{}", action.name);
                assert!(action.condition_keys.iter().all(has_key), "{}", action.name);
                for used in &action.resources {
                    assert!(service.resource_type(used.name).is_some(), "{}", action.name);
                    assert!(used.condition_keys.iter().all(has_key), "{}", action.name);
                }
            }
            for one in &service.resource_types {
                assert!(one.condition_keys.iter().all(has_key), "{}", one.name);
                assert!(one.arn.starts_with(&format!("arn:${{Partition}}:{}:", service.prefix)));
            }
        }
    }

    #[test]
    fn a_global_key_that_a_service_lists_is_the_same_there() {
        for key in dynamodb().keys.iter().chain(&dax().keys).filter(|key| key.name.starts_with("aws:")) {
            let global = global_keys().keys.iter().find(|global| global.name == key.name).expect(key.name);
            assert_eq!((global.value, global.multivalued), (key.value, key.multivalued), "{}", key.name);
        }
    }
}

mod facts {
    use super::*;

    fn names(holds: impl Fn(&Action) -> bool) -> Vec<&'static str> {
        dynamodb().actions.iter().filter(|action| holds(action)).map(|action| action.name).collect()
    }

    #[test]
    fn services_have_the_actions_that_were_counted() {
        assert_eq!(dynamodb().actions.len(), 79, "look at each new action before you change this number");
        assert_eq!(dax().actions.len(), 30);
    }

    #[test]
    fn thirteen_actions_have_no_resource() {
        let expected = [
            "DescribeEndpoints",
            "DescribeLimits",
            "DescribeReservedCapacity",
            "DescribeReservedCapacityOfferings",
            "GetAbacStatus",
            "InjectError",
            "ListBackups",
            "ListContributorInsights",
            "ListGlobalTables",
            "ListStreams",
            "ListTables",
            "PurchaseReservedCapacityOfferings",
            "UpdateAbacStatus",
        ];
        assert_eq!(names(|action| action.wildcard_only), expected);
        let more = names(|action| action.may_name_none() && !action.wildcard_only);
        assert_eq!(more, ["ListExports", "ListImports"]);
    }

    #[test]
    fn actions_are_done_to_their_types() {
        assert_eq!(names(|action| action.is_done_to("export")), ["DescribeExport"]);
        assert_eq!(names(|action| action.is_done_to("import")), ["DescribeImport"]);
        let of_streams = names(|action| action.is_done_to("stream") && !action.is_done_to("table"));
        assert_eq!(of_streams, ["DescribeStream", "GetRecords", "GetShardIterator"]);
        assert!(names(|action| action.is_done_to("index")).contains(&"Query"));
    }
}

mod keys {
    use super::*;

    fn key(name: &str) -> &'static Key {
        find_key(name).expect(name).key
    }

    #[test]
    fn names_fold_case() {
        assert_eq!(key("aws:SOURCEVPC").name, "aws:SourceVpc");
        assert_eq!(key("DynamoDB:leadingkeys").name, "dynamodb:LeadingKeys");
        assert_eq!(key("dax:enclosingOperation").name, "dax:EnclosingOperation");
        assert_eq!(key("lambda:SourceFunctionArn").value, ValueType::Arn);
        for name in ["SourceVpc", "aws:SourceVpc ", "aws:SourceVpcs", "s3:prefix", "", "dynamodb:"] {
            assert!(find_key(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_variable_part_is_kept_as_it_is_written() {
        let variable = |name| find_key(name).map(|named| (named.key.name, named.variable.unwrap_or("none")));
        assert_eq!(variable("AWS:principalTag/Team/A"), Some(("aws:PrincipalTag/${TagKey}", "Team/A")));
        assert_eq!(variable("aws:RequestTag/é"), Some(("aws:RequestTag/${TagKey}", "é")));
        assert_eq!(variable("aws:TagKeys"), Some(("aws:TagKeys", "none")));
        for name in ["aws:PrincipalTag/", "aws:PrincipalTag", "aws:PrincipalTaé"] {
            assert_eq!(variable(name), None, "{name}");
        }
    }

    #[test]
    fn values_have_types() {
        let types = |name| (key(name).value, key(name).multivalued);
        assert_eq!(types("aws:SourceVpc"), (ValueType::String, false));
        assert_eq!(types("aws:SourceVpce"), (ValueType::String, false));
        assert_eq!(types("aws:SourceIp"), (ValueType::Ip, false));
        assert_eq!(types("aws:VpcSourceIp"), (ValueType::Ip, false));
        assert_eq!(types("aws:PrincipalArn"), (ValueType::Arn, false));
        assert_eq!(types("aws:ViaAWSService"), (ValueType::Bool, false));
        assert_eq!(types("aws:CurrentTime"), (ValueType::Date, false));
        assert_eq!(types("aws:MultiFactorAuthAge"), (ValueType::Numeric, false));
        for name in [
            "aws:CalledVia",
            "aws:PrincipalOrgPaths",
            "aws:VpceOrgPaths",
            "aws:TagKeys",
            "dynamodb:Attributes",
        ] {
            assert_eq!(types(name), (ValueType::String, true), "{name}");
        }
        assert_eq!(types("dynamodb:FisTargetArns"), (ValueType::Arn, true));
        assert_eq!(types("dynamodb:FullTableScan"), (ValueType::Bool, false));
    }
}
