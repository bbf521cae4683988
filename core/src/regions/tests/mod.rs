//! The region functions, case by case, then the faults a configuration may have.
#![allow(clippy::arithmetic_side_effects)]

mod validation;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::testing::{env, three_regions};

fn names(list: &str) -> Vec<String> {
    let regions = active_regions(&env(&[("REGIONS", list)])).unwrap();
    regions.into_iter().map(String::from).collect()
}

/// The only error of `REGIONS=list`.
fn refusal(list: &str) -> String {
    let errors = active_regions(&env(&[("REGIONS", list)])).unwrap_err().0;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("REGIONS: "), "{errors:?}");
    assert!(errors[0].contains("allowed: "), "{errors:?}");
    errors[0].clone()
}

mod listing {
    use super::*;

    #[test]
    fn a_comma_separated_list_is_read_in_order() {
        assert_eq!(
            names("us-east,us-west,eu-west"),
            ["us-east", "us-west", "eu-west"]
        );
        assert_eq!(names("eu-west,us-east"), ["eu-west", "us-east"]);
        assert_eq!(names("one"), ["one"]);
    }

    #[test]
    fn blanks_around_an_item_are_dropped() {
        assert_eq!(
            names("  us-east ,\tus-west\t, eu-west "),
            ["us-east", "us-west", "eu-west"]
        );
    }

    #[test]
    fn an_empty_item_is_skipped_with_a_warning() {
        assert_eq!(names("us-east,,us-west, ,"), ["us-east", "us-west"]);
        let report = validate_region_config(&env(&[
            ("REGIONS", "us-east,,us-west,"),
            ("PRIMARY_REGION", "us-east"),
        ]));
        assert!(report.valid);
        assert_eq!(report.warnings.len(), 1);
        assert!(
            report.warnings[0].starts_with("REGIONS: ") && report.warnings[0].contains("2 empty"),
            "{report:?}"
        );
    }

    #[test]
    fn an_unset_or_empty_list_is_an_error_that_names_regions() {
        for table in [&[][..], &[("REGIONS", "")]] {
            let errors = active_regions(&env(table)).unwrap_err();
            assert!(
                errors.to_string().starts_with("REGIONS: unset; allowed: "),
                "{errors}"
            );
        }
    }

    #[test]
    fn commas_and_blanks_alone_name_no_region() {
        for list in [",", ",,,", " ", " , \t,", &",".repeat(1_000_000)] {
            assert!(refusal(list).contains("names no region"), "{list:.20}");
        }
    }

    #[test]
    fn a_duplicate_is_an_error_also_by_case() {
        assert!(refusal("us-east,us-west,us-east").contains("\"us-east\" is listed twice"));
        assert!(refusal("us-east, us-east").contains("listed twice"));
        let by_case = refusal("us-east,US-East");
        assert!(
            by_case.contains("\"us-east\" and \"US-East\" differ only by case"),
            "{by_case}"
        );
    }

    #[test]
    fn only_ascii_blanks_are_blank() {
        for list in [
            "us-east,\u{a0}us-west",
            "us-east\r",
            "\u{feff}us-east",
            "us-east\u{3000},x",
            "a b",
            "us-east\n",
        ] {
            assert!(refusal(list).contains("is not a region name"), "{list:?}");
        }
    }

    #[test]
    fn letters_that_only_look_right_are_refused_and_shown_escaped() {
        for (list, shown) in [
            ("us-e\u{430}st", r"us-e\u{430}st"),
            ("\u{202e}tsae-su", r"\u{202e}tsae-su"),
            ("us\u{200b}-east", r"us\u{200b}-east"),
            ("us-east\0", r"us-east\u{0}"),
            ("us-east\u{1b}[2J", r"us-east\u{1b}[2J"),
        ] {
            let error = refusal(list);
            assert!(error.contains(shown) && error.is_ascii(), "{error}");
        }
    }

    #[test]
    fn a_value_of_a_megabyte_is_refused_and_not_echoed() {
        assert!(refusal(&"x".repeat(1_000_000)).len() < 400);
        assert!(refusal(&"\u{202e}".repeat(300_000)).len() < 400);
    }

    #[test]
    fn at_most_1024_regions_are_accepted_and_more_are_not_echoed() {
        let list = |count: usize| {
            (0..count)
                .map(|n| format!("r{n}"))
                .collect::<Vec<_>>()
                .join(",")
        };
        assert_eq!(names(&list(1024)).len(), 1024);
        for count in [1025, 10_000] {
            let error = refusal(&list(count));
            assert!(
                error.contains(&format!("has {count} regions; allowed: at most 1024")),
                "{error}"
            );
            assert!(error.len() < 400, "{} bytes", error.len());
        }
        let ten_thousand = env(&[
            ("REGIONS", &list(10_000)),
            ("PRIMARY_REGION", "r1"),
            ("CURRENT_REGION", "r2"),
        ]);
        let report = validate_region_config(&ten_thousand);
        assert_eq!(
            report.errors.len(),
            1,
            "nobody looked for the primary: {report:?}"
        );
        assert!(
            report
                .errors
                .iter()
                .chain(&report.warnings)
                .all(|text| text.len() < 400),
            "{report:?}"
        );
    }

    #[test]
    fn every_wrong_item_is_reported_at_once() {
        let errors = active_regions(&env(&[("REGIONS", "-a,ok,b c,ok,OK")]))
            .unwrap_err()
            .0;
        assert_eq!(errors.len(), 4, "{errors:?}");
    }

    #[test]
    fn user_information_in_a_url_is_not_shown() {
        for list in [
            "http://joe:hunter2@host/",
            "x=https://hunter2@host",
            "http://joe:hun/ter2hunter2@host",
        ] {
            assert!(!refusal(list).contains("ter2"), "{}", refusal(list));
        }
    }
}

mod primary {
    use super::*;

    fn primary(regions: &str, primary: &str) -> Result<String, String> {
        let found = primary_region(&env(&[("REGIONS", regions), ("PRIMARY_REGION", primary)]));
        found.map(String::from).map_err(|why| why.to_string())
    }

    #[test]
    fn the_primary_is_returned() {
        assert_eq!(primary("us-east,us-west", "us-west").unwrap(), "us-west");
    }

    #[test]
    fn a_primary_that_is_not_listed_is_an_error_naming_it_and_regions() {
        for other in [
            "ap-south",
            "US-East",
            "us-east ",
            " us-east",
            "us-e\u{430}st",
        ] {
            let error = primary("us-east,us-west", other).unwrap_err();
            assert!(error.starts_with("PRIMARY_REGION: "), "{error}");
            assert!(
                error.contains("is not in REGIONS; allowed: us-east, us-west"),
                "{error}"
            );
        }
        assert!(
            primary("us-east", "ap-south")
                .unwrap_err()
                .contains("\"ap-south\"")
        );
    }

    #[test]
    fn an_unset_primary_is_an_error_that_says_what_is_allowed() {
        let error = primary("us-east,us-west", "").unwrap_err();
        assert_eq!(
            error,
            "PRIMARY_REGION: unset; allowed: one of REGIONS: us-east, us-west"
        );
    }

    #[test]
    fn wrong_regions_leave_no_primary_to_rely_on() {
        assert!(
            primary("us-east,us-east", "us-east")
                .unwrap_err()
                .starts_with("REGIONS: ")
        );
        assert!(
            primary("", "us-east")
                .unwrap_err()
                .starts_with("REGIONS: unset")
        );
    }

    #[test]
    fn a_long_list_is_not_echoed_whole() {
        let list = (0..20)
            .map(|n| format!("r{n}"))
            .collect::<Vec<_>>()
            .join(",");
        assert!(
            primary(&list, "x")
                .unwrap_err()
                .ends_with("r6, r7 and 12 more")
        );
    }
}

mod policy {
    use super::*;

    fn policy(text: &str) -> (FailoverPolicy, Vec<String>) {
        failover_policy(&three_regions(&[("FAILOVER_POLICY", text)]))
    }

    #[test]
    fn ordered_is_the_default() {
        assert_eq!(
            failover_policy(&env(&[])),
            (FailoverPolicy::Ordered, Vec::new())
        );
        assert_eq!(policy(""), (FailoverPolicy::Ordered, Vec::new()));
    }

    #[test]
    fn every_policy_is_read_in_any_case() {
        for (text, expected) in [
            ("ordered", FailoverPolicy::Ordered),
            ("ORDERED", FailoverPolicy::Ordered),
            ("round_robin", FailoverPolicy::RoundRobin),
            ("rendezvous", FailoverPolicy::Rendezvous),
            ("Rendezvous", FailoverPolicy::Rendezvous),
            ("Round_Robin", FailoverPolicy::RoundRobin),
        ] {
            assert_eq!(policy(text), (expected, Vec::new()), "{text}");
        }
    }

    #[test]
    fn anything_else_falls_back_to_ordered_with_a_warning_that_every_surface_shows() {
        for text in [
            "random",
            "round-robin",
            "round_robin ",
            "\u{43e}rdered",
            &"x".repeat(1_000_000),
        ] {
            let (policy, warnings) = policy(text);
            assert_eq!(policy, FailoverPolicy::Ordered);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(
                warnings[0].starts_with("FAILOVER_POLICY: ") && warnings[0].len() < 400,
                "{warnings:?}"
            );
            let report = validate_region_config(&three_regions(&[("FAILOVER_POLICY", text)]));
            assert!(report.valid);
            assert_eq!(report.warnings[0], warnings[0]);
        }
    }
}

mod first_choice {
    use super::*;

    fn region_of(tenant: &str) -> String {
        preferred_region(&three_regions(&[]), tenant)
            .unwrap()
            .into()
    }

    #[test]
    fn golden_vectors_under_the_zero_key() {
        for (tenant, region) in [
            ("tenant123", "us-west"),
            ("tenant1", "eu-west"),
            ("tenant2", "us-west"),
            ("acme", "us-east"),
        ] {
            assert_eq!(region_of(tenant), region, "{tenant}");
        }
    }

    #[test]
    fn golden_vectors_under_another_key() {
        let lookup = three_regions(&[("TENANT_HASH_KEY", "000102030405060708090a0b0c0d0e0f")]);
        let router = Router::from_lookup(&lookup).unwrap();
        for (tenant, h) in [
            ("tenant1", 0x50d2_bb5d_2d93_f5b8_u64),
            ("acme", 0x78f9_3c00_892a_b6da),
        ] {
            assert_eq!(router.hash(TenantId::new(tenant).unwrap()), h);
            let expected = ["us-east", "us-west", "eu-west"][usize::try_from(h % 3).unwrap()];
            assert_eq!(
                preferred_region(&lookup, tenant).unwrap().as_str(),
                expected
            );
        }
    }

    #[test]
    fn without_stickiness_everybody_goes_to_the_primary() {
        for sticky in ["", "primary", "PRIMARY"] {
            for tenant in ["tenant1", "tenant2", "acme"] {
                let lookup =
                    three_regions(&[("TENANT_STICKY", sticky), ("PRIMARY_REGION", "us-west")]);
                assert_eq!(
                    preferred_region(&lookup, tenant).unwrap().as_str(),
                    "us-west"
                );
            }
        }
    }

    #[test]
    fn rendezvous_keeps_a_tenant_where_it_is_when_the_order_of_regions_changes() {
        let region_of = |regions: &str, tenant: &str| {
            let table = [("REGIONS", regions), ("TENANT_STICKY", "Rendezvous")];
            preferred_region(&three_regions(&table), tenant).unwrap()
        };
        for tenant in 0..100 {
            let tenant = format!("tenant{tenant}");
            let home = region_of("us-east,us-west,eu-west", &tenant);
            assert_eq!(region_of("eu-west,us-east,us-west", &tenant), home);
        }
    }

    #[test]
    fn an_unknown_stickiness_routes_to_the_primary_with_a_warning() {
        let lookup = three_regions(&[("TENANT_STICKY", "cookie")]);
        assert_eq!(
            preferred_region(&lookup, "tenant1").unwrap().as_str(),
            "us-east"
        );
        let report = validate_region_config(&lookup);
        assert!(
            report.valid && report.warnings[0].starts_with("TENANT_STICKY: \"cookie\" is unknown"),
            "{report:?}"
        );
    }

    #[test]
    fn the_same_tenant_always_gets_the_same_region() {
        for tenant in ["a", "acme", "Zoë", "\u{1f426}", &"x".repeat(16_384)] {
            assert_eq!(region_of(tenant), region_of(tenant));
        }
    }

    #[test]
    fn a_hundred_tenants_use_at_least_two_of_three_regions() {
        let used: BTreeSet<String> = (0..100).map(|n| region_of(&format!("tenant{n}"))).collect();
        assert!(used.len() >= 2, "{used:?}");
    }

    #[test]
    fn hash_needs_no_primary_and_primary_does() {
        let hash = env(&[("REGIONS", "us-east,us-west"), ("TENANT_STICKY", "HASH")]);
        assert!(preferred_region(&hash, "acme").is_ok());
        let primary = env(&[("REGIONS", "us-east,us-west")]);
        let error = preferred_region(&primary, "acme").unwrap_err().to_string();
        assert!(error.starts_with("PRIMARY_REGION: unset"), "{error}");
    }

    #[test]
    fn a_tenant_id_that_is_empty_or_too_long_is_an_error() {
        assert!(
            preferred_region(&three_regions(&[]), "")
                .unwrap_err()
                .to_string()
                .contains("1 to 16384 bytes")
        );
        let error = preferred_region(&three_regions(&[]), &"x".repeat(16_385))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("16385 bytes") && error.len() < 400,
            "{error}"
        );
    }

    #[test]
    fn a_malformed_key_is_an_error_that_does_not_show_it() {
        for key in [
            "hunter2",
            "NaN",
            &"0".repeat(31),
            &"0".repeat(33),
            &format!("+{}", "1".repeat(31)),
        ] {
            let error = preferred_region(&three_regions(&[("TENANT_HASH_KEY", key)]), "acme")
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("TENANT_HASH_KEY: ") && error.contains("32 hex digits"),
                "{error}"
            );
            assert!(!error.contains(key), "{error}");
        }
    }
}

mod failover {
    use super::*;

    fn after(policy: &str, current: &str) -> Result<String, String> {
        let lookup = three_regions(&[("FAILOVER_POLICY", policy), ("PRIMARY_REGION", "us-west")]);
        next_failover(&lookup, current)
            .map(String::from)
            .map_err(|why| why.to_string())
    }

    #[test]
    fn the_next_region_in_the_list_takes_over_and_the_last_wraps() {
        for policy in ["ordered", "round_robin"] {
            for (current, next) in [
                ("us-east", "us-west"),
                ("us-west", "eu-west"),
                ("eu-west", "us-east"),
            ] {
                assert_eq!(after(policy, current).unwrap(), next, "{policy} {current}");
            }
        }
    }

    #[test]
    fn an_unknown_region_fails_over_to_the_primary_or_the_first() {
        for unknown in ["ap-south", "", "US-EAST", "\u{202e}"] {
            assert_eq!(after("ordered", unknown).unwrap(), "us-west");
            assert_eq!(after("round_robin", unknown).unwrap(), "us-east");
        }
    }

    #[test]
    fn an_unknown_region_without_a_primary_is_an_error_under_ordered() {
        let lookup = env(&[("REGIONS", "a,b")]);
        assert!(
            next_failover(&lookup, "x")
                .unwrap_err()
                .to_string()
                .starts_with("PRIMARY_REGION: unset")
        );
        assert_eq!(next_failover(&lookup, "a").unwrap().as_str(), "b");
    }

    #[test]
    fn a_single_region_has_no_failover() {
        for current in ["only", "other"] {
            let error = next_failover(
                &env(&[("REGIONS", "only"), ("PRIMARY_REGION", "only")]),
                current,
            )
            .unwrap_err();
            assert!(
                error.to_string().starts_with("No failover available"),
                "{error}"
            );
        }
    }

    #[test]
    fn wrong_regions_are_the_error() {
        let error = next_failover(&env(&[("REGIONS", "a,a")]), "a")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("REGIONS: "), "{error}");
    }
}
