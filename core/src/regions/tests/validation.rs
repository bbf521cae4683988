//! The report on the whole region configuration.

use super::*;
use crate::testing::WithFiles;

#[test]
fn a_valid_configuration_has_every_field_and_no_problem() {
    let report = validate_region_config(&three_regions(&[("FAILOVER_POLICY", "round_robin")]));
    let expected = serde_json::json!({
        "valid": true,
        "regions": ["us-east", "us-west", "eu-west"],
        "primary": "us-east",
        "policy": "round_robin",
        "errors": [],
        "warnings": [],
    });
    assert_eq!(serde_json::to_value(report).unwrap(), expected);
}

#[test]
fn missing_regions_are_reported() {
    let report = validate_region_config(&env(&[]));
    assert!(!report.valid && report.regions.is_empty() && report.primary.is_none());
    assert!(report.errors[0].starts_with("REGIONS: unset"), "{report:?}");
    assert!(
        report.errors[1].starts_with("PRIMARY_REGION: unset"),
        "{report:?}"
    );
}

#[test]
fn a_primary_that_is_not_listed_is_reported() {
    let report = validate_region_config(&three_regions(&[("PRIMARY_REGION", "mars")]));
    assert!(!report.valid);
    assert_eq!(
        report.errors,
        ["PRIMARY_REGION: \"mars\" is not in REGIONS; allowed: us-east, us-west, eu-west"]
    );
    assert_eq!(report.primary, None);
    assert_eq!(report.regions.len(), 3);
}

#[test]
fn five_problems_are_reported_at_once_each_beginning_with_its_variable() {
    let report = validate_region_config(&env(&[
        ("REGIONS", "us-east,us-east"),
        ("PRIMARY_REGION", "mars"),
        ("TENANT_RULES_FILE", "rules.json"),
        ("TENANT_HASH_KEY", "short"),
        ("REGION_WEIGHTS", "us-west=2"),
    ]));
    let begins: Vec<&str> = report
        .errors
        .iter()
        .filter_map(|error| error.split(": ").next())
        .collect();
    let expected = [
        "REGIONS",
        "REGION_WEIGHTS",
        "PRIMARY_REGION",
        "TENANT_HASH_KEY",
        "TENANT_RULES_FILE",
    ];
    assert_eq!(begins, expected);
}

#[test]
fn a_current_region_that_is_not_listed_is_a_warning() {
    let report = validate_region_config(&three_regions(&[("CURRENT_REGION", "mars")]));
    assert!(report.valid);
    assert!(
        report.warnings[0].starts_with("CURRENT_REGION: \"mars\" is not in REGIONS"),
        "{report:?}"
    );
}

#[test]
fn malformed_weights_are_refused_with_what_is_allowed() {
    for weights in [
        "us-east",
        "us-east=",
        "=1",
        "us-east=65536",
        "us-east=+1",
        "us-east=1.0",
        "us-east=1,us-east=2",
        "mars=1",
        "US-EAST=1",
        "us-east=NaN",
        "us-east=inf",
        "us-east=-1",
        "us-east=1e400",
        "us-east=50%",
    ] {
        let report = validate_region_config(&three_regions(&[("REGION_WEIGHTS", weights)]));
        let [error] = report.errors.as_slice() else {
            panic!("{weights}: {report:?}");
        };
        assert!(
            error.starts_with("REGION_WEIGHTS: \"") && error.contains("allowed: "),
            "{error}"
        );
    }
}

#[test]
fn a_topology_that_cannot_be_read_is_the_only_error_where_regions_would_come_from_it() {
    let lookup = WithFiles {
        table: &[
            ("HALCYON_TOPOLOGY", "gone.toml"),
            ("PRIMARY_REGION", "us-east"),
        ],
        files: &[],
    };
    let only = |errors: Vec<String>| {
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with("HALCYON_TOPOLOGY: \"gone.toml\" "),
            "{errors:?}"
        );
    };
    only(validate_region_config(&lookup).errors);
    only(active_regions(&lookup).unwrap_err().0);
    only(primary_region(&lookup).unwrap_err().0);
    only(preferred_region(&lookup, "acme").unwrap_err().0);
}
