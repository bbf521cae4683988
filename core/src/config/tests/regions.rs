//! What decides where tenants go, and what keeps a server from starting.

use super::*;
use crate::testing::WithFiles;

fn config(table: &[(&str, &str)]) -> (RegionConfig, Problems) {
    RegionConfig::read(&env(table))
}

#[test]
fn every_rule_of_the_first_choice_is_read_in_any_case_and_written_as_it_is_read() {
    for (text, expected) in [
        ("primary", Sticky::Primary),
        ("HASH", Sticky::Hash),
        ("Rendezvous", Sticky::Rendezvous),
    ] {
        let (found, problems) = config(&[("REGIONS", "a"), ("TENANT_STICKY", text)]);
        assert_eq!((found.sticky, problems), (expected, Problems::default()));
        assert_eq!(expected.to_string(), text.to_ascii_lowercase());
    }
    let (found, problems) = config(&[("REGIONS", "a"), ("TENANT_STICKY", "sometimes")]);
    assert_eq!(found.sticky, Sticky::Primary);
    assert_eq!(
        problems.warnings,
        [
            "TENANT_STICKY: \"sometimes\" is unknown, tenants go to the primary; allowed: hash, rendezvous, primary"
        ]
    );
}

#[test]
fn where_no_region_could_be_read_the_primary_is_said_to_be_none_of_them() {
    let none = "PRIMARY_REGION: \"a\" is not in REGIONS; allowed: (none: no region could be read)";
    let (_, problems) = config(&[("REGIONS", "-"), ("PRIMARY_REGION", "a")]);
    assert_eq!(problems.errors.len(), 2, "{problems:?}");
    assert_eq!(problems.errors[1], none);
    let (_, problems) = config(&[("PRIMARY_REGION", "a")]);
    assert_eq!(problems.errors[1], none);
}

#[test]
fn a_primary_of_a_list_or_file_that_was_not_read_is_no_further_problem() {
    let many = alloc::vec!["a"; 1025].join(",");
    let (found, problems) = config(&[("REGIONS", &many), ("PRIMARY_REGION", "a")]);
    assert_eq!((found.primary, problems.errors.len()), (None, 1));
    let topology = ("HALCYON_TOPOLOGY", "nowhere");
    let read = |table: &[(&str, &str)]| {
        let files = WithFiles { table, files: &[] };
        RegionConfig::read(&files)
    };
    let (found, problems) = read(&[topology, ("PRIMARY_REGION", "a")]);
    assert_eq!((found.primary, problems.errors.len()), (None, 1));
    // With a list the primary is held against the list, whatever is wrong with the topology.
    let (found, problems) = read(&[topology, ("REGIONS", "a"), ("PRIMARY_REGION", "a")]);
    assert_eq!(found.primary.unwrap().as_str(), "a");
    assert_eq!(problems.errors.len(), 1, "{problems:?}");
    let (_, problems) = read(&[topology, ("REGIONS", "a"), ("PRIMARY_REGION", "b")]);
    assert_eq!(
        problems.errors[1..],
        ["PRIMARY_REGION: \"b\" is not in REGIONS; allowed: a"]
    );
}

#[test]
fn eight_regions_are_listed_and_of_nine_the_rest_is_a_number() {
    let error = |count: usize| {
        let regions: Vec<String> = (0..count).map(|place| format!("r{place}")).collect();
        let regions = regions.join(",");
        let (_, problems) = config(&[("REGIONS", &regions), ("PRIMARY_REGION", "x")]);
        problems.errors[0].clone()
    };
    let eight = "PRIMARY_REGION: \"x\" is not in REGIONS; allowed: r0, r1, r2, r3, r4, r5, r6, r7";
    assert_eq!(error(8), eight);
    assert_eq!(error(9), format!("{eight} and 1 more"));
    assert_eq!(error(20), format!("{eight} and 12 more"));
}

#[test]
fn weights_are_those_of_the_variable_then_the_topologys_then_1() {
    let table = [
        ("REGIONS", "a,b,c"),
        ("REGION_WEIGHTS", ", b = 7 ,,"),
        ("HALCYON_TOPOLOGY", "topology"),
    ];
    let topology = r#"{"region":[{"name":"a","weight":0},{"name":"b","weight":9},{"name":"c"}]}"#;
    let (found, problems) = RegionConfig::read(&WithFiles {
        table: &table,
        files: &[("topology", topology)],
    });
    assert_eq!(problems, Problems::default());
    assert_eq!(found.weights, [0, 7, 1]);
}

#[test]
fn at_most_1024_weights_are_read_and_more_are_refused() {
    let errors = |count: usize| {
        let names: Vec<String> = (0..count).map(|place| format!("r{place}")).collect();
        let weights = format!("{},,", names.join("=2,") + "=2");
        let regions = names[..1024].join(",");
        let (found, problems) = config(&[("REGIONS", &regions), ("REGION_WEIGHTS", &weights)]);
        assert_eq!(found.weights, [2; 1024]);
        problems.errors
    };
    assert_eq!(errors(1024), [""; 0]);
    let found = errors(1025);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].ends_with("has 1025 weights; allowed: at most 1024"),
        "{found:?}"
    );
}

#[test]
fn a_weight_of_no_region_is_an_error_unless_no_region_could_be_read() {
    let errors = |table: &[(&str, &str)]| config(table).1.errors;
    assert_eq!(
        errors(&[
            ("REGIONS", "us-east,b"),
            ("REGION_WEIGHTS", "us-eats=1,mars=2")
        ]),
        [
            "REGION_WEIGHTS: \"us-eats\" is not in REGIONS; did you mean \"us-east\"? allowed: us-east, b",
            "REGION_WEIGHTS: \"mars\" is not in REGIONS; allowed: us-east, b",
        ]
    );
    let found = errors(&[("REGION_WEIGHTS", "a=1,b=x")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("REGIONS: unset"), "{found:?}");
    assert_eq!(
        found[1],
        "REGION_WEIGHTS: \"x\" of \"b\" is no weight; allowed: whole numbers from 0 to 65535"
    );
}

#[test]
fn a_server_starts_whatever_its_regions_are_called_and_stops_at_anything_else() {
    let problems = startup_problems(&env(&[
        ("REGIONS", "not a region"),
        ("PRIMARY_REGION", "elsewhere"),
        ("REGION_WEIGHTS", "a=x"),
        ("DRAIN_MS", "soon"),
        ("FEATURE_MULTI_REGION", "on"),
        ("FAILOVER_POLICY", "nearest"),
    ]));
    let begins = |found: &[String]| -> Vec<String> {
        let mut names: Vec<String> = found
            .iter()
            .filter_map(|one| one.split(": ").next())
            .map(String::from)
            .collect();
        names.sort();
        names
    };
    assert_eq!(begins(&problems.errors), ["DRAIN_MS", "REGION_WEIGHTS"]);
    assert_eq!(
        begins(&problems.warnings),
        ["FAILOVER_POLICY", "FEATURE_MULTI_REGION"]
    );
    for (name, value) in [("REGIONS", "not a region"), ("PRIMARY_REGION", "x")] {
        let problems = startup_problems(&env(&[("REGIONS", "a"), (name, value)]));
        assert_eq!(problems.errors, [""; 0], "{name}");
    }
}

#[test]
fn a_server_starts_though_others_name_a_region_that_the_list_misspells() {
    let startup = |regions: &str, weights: &str| {
        let lookup = WithFiles {
            table: &[
                ("REGIONS", regions),
                ("REGION_WEIGHTS", weights),
                ("TENANT_RULES_FILE", "rules"),
            ],
            files: &[("rules", r#"{"pins":[{"tenant":"a","region":"us-west"}]}"#)],
        };
        startup_problems(&lookup).errors
    };
    let misspelt = "us-east,us west";
    assert_eq!(startup(misspelt, "us-east=1,us-west=2"), [""; 0]);
    // What is wrong in itself still is.
    assert_eq!(
        startup(misspelt, "us-west=x"),
        [
            "REGION_WEIGHTS: \"x\" of \"us-west\" is no weight; allowed: whole numbers from 0 to 65535"
        ]
    );
    // And so is a name that nothing can be the other spelling of.
    let known = startup("us-east,us-west", "us-west=2,mars=1");
    assert_eq!(known.len(), 1, "{known:?}");
    assert!(
        known[0].contains("\"mars\" is not in REGIONS; allowed: "),
        "{known:?}"
    );
}

#[test]
fn merging_keeps_what_was_found_and_adds_the_others() {
    let one = |error: &str, warning: &str| Problems {
        errors: alloc::vec![error.into()],
        warnings: alloc::vec![warning.into()],
    };
    let mut all = one("a", "b");
    all.merge(one("c", "d"));
    assert_eq!(all.errors, ["a", "c"]);
    assert_eq!(all.warnings, ["b", "d"]);
}

#[test]
fn a_primary_is_judged_unless_the_list_is_too_long_to_be_read() {
    let about_primary = |count: usize| {
        let list = alloc::vec!["?"; count].join(",");
        let (_, problems) = config(&[("REGIONS", &list), ("PRIMARY_REGION", "r0")]);
        let mut errors = problems.errors.iter();
        errors.any(|error| error.starts_with("PRIMARY_REGION: "))
    };
    assert!(about_primary(1024) && !about_primary(1025));
}

#[test]
fn what_decides_where_tenants_go_is_looked_up_by_listed_names_alone() {
    let asked = core::cell::RefCell::new(alloc::collections::BTreeSet::from([
        "HALCYON_DEPLOYMENT".to_string(),
    ]));
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_string());
        let value = match name {
            "REGIONS" => "us-east,us-west",
            "PRIMARY_REGION" => "us-east",
            "TENANT_STICKY" => "hash",
            _ => return None,
        };
        Some(value.to_string())
    };
    assert!(crate::regions::validate_region_config(&lookup).valid);
    assert!(crate::placement::Router::from_lookup(&lookup).is_ok());
    let listed = REGION_VARIABLES.map(|name| name.to_string());
    assert_eq!(asked.into_inner(), listed.into());
}
