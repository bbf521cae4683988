//! What is legal and probably not meant: warnings of `regions`, and of nothing else.

use halcyon_tests::store::Store;
use serde_json::Value;

/// The warnings of `regions` over four regions, a file of rules and a topology; both may be empty.
#[track_caller]
fn warnings(variables: &[(&str, &str)], rules: &str, topology: &str) -> Vec<String> {
    let store = Store::new();
    let mut env = vec![
        ("REGIONS", "us-east,us-west,eu-west,eu-central"),
        ("PRIMARY_REGION", "us-east"),
    ];
    for (variable, file, text) in [
        ("TENANT_RULES_FILE", "rules.json", rules),
        ("HALCYON_TOPOLOGY", "topology.toml", topology),
    ] {
        if !text.is_empty() {
            std::fs::write(store.dir().join(file), text).unwrap();
            env.push((variable, file));
        }
    }
    env.extend(variables);
    // A finding is no error.
    let report = store.run_with(&["regions", "-o", "json"], &env).exits(0);
    let report = report.json();
    assert_eq!(
        (&report["valid"], &report["errors"]),
        (&true.into(), &Value::Array(Vec::new()))
    );
    // And nobody who routes is told at every call.
    let routed = store.run_with(&["route", "acme"], &env);
    assert!(!routed.stderr.contains("warning"), "{}", routed.stderr);
    let failover = store.run_with(&["failover", "us-east"], &env).exits(0);
    assert_eq!(failover.stderr, "");
    let warnings = report["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| warning.as_str().unwrap().to_owned())
        .collect()
}

const RENDEZVOUS: [(&str, &str); 2] = [
    ("TENANT_STICKY", "rendezvous"),
    ("FAILOVER_POLICY", "rendezvous"),
];

#[test]
fn a_sound_configuration_has_no_findings() {
    let rules = r#"{"residency":[{"tenant":"bank-*","regions":["eu-west","eu-central"]}],
        "pins":[{"tenant":"acme","region":"us-east"},{"tenant":"bank-1","region":"eu-west"}]}"#;
    assert_eq!(warnings(&RENDEZVOUS, rules, ""), [""; 0]);
    assert_eq!(warnings(&[], "", ""), [""; 0]);
}

#[test]
fn a_pin_that_residency_overrules_is_a_finding() {
    let rules = r#"{"residency":[{"tenant":"bank-*","regions":["eu-west","eu-central"]}],
        "pins":[{"tenant":"bank-7","region":"us-east"},{"tenant":"bank-8*","region":"us-west"},{"tenant":"ban*","region":"us-east"}]}"#;
    assert_eq!(
        warnings(&[], rules, ""),
        [
            "TENANT_RULES_FILE: the pin of \"bank-7\" to us-east is ignored: residency allows eu-west, eu-central",
            "TENANT_RULES_FILE: the pin of \"bank-8*\" to us-west is ignored: residency allows eu-west, eu-central",
            "TENANT_RULES_FILE: the pin of \"ban*\" to us-east is ignored for \"bank-*\": residency allows eu-west, eu-central",
        ]
    );
}

#[test]
fn tenants_without_a_legal_survivor_or_any_legal_region_are_findings() {
    let rules = r#"{"residency":[{"tenant":"one-*","regions":["eu-west"]},{"tenant":"none-*","regions":[]}]}"#;
    assert_eq!(
        warnings(&[], rules, ""),
        [
            "TENANT_RULES_FILE: no region is legal for \"none-*\": its tenants are served nowhere",
            "TENANT_RULES_FILE: no legal survivor for \"one-*\": only eu-west is allowed, and while it is down nothing else may serve its tenants",
        ]
    );
}

#[test]
fn many_findings_of_one_kind_are_eight_and_a_number() {
    let rules: Vec<_> = (0..30)
        .map(|number| format!(r#"{{"tenant":"t{number}","regions":["eu-west"]}}"#))
        .collect();
    let rules = format!(r#"{{"residency":[{}]}}"#, rules.join(","));
    let found = warnings(&[], &rules, "");
    assert_eq!(found.len(), 9, "{found:#?}");
    assert_eq!(
        found[8],
        "TENANT_RULES_FILE: and 22 more residency rules like that"
    );
}

#[test]
fn a_neighbour_that_would_be_overloaded_is_a_finding_under_ordered_failover() {
    let hash = ("TENANT_STICKY", "hash");
    let found = warnings(&[hash], "", "");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("FAILOVER_POLICY: ordered failover would put 200 % on us-west if us-east is lost; round_robin at most 133 % on any region"),
        "{found:#?}"
    );
    let heavy = [RENDEZVOUS[0], ("REGION_WEIGHTS", "us-east=8")];
    let found = warnings(&heavy, "", "");
    assert!(
        found[0].contains("on us-west if us-east is lost"),
        "{found:#?}"
    );
    for policy in ["round_robin", "rendezvous"] {
        assert_eq!(
            warnings(&[hash, ("FAILOVER_POLICY", policy)], "", ""),
            [""; 0]
        );
    }
    let two = [hash, ("REGIONS", "us-east,us-west")];
    assert_eq!(
        warnings(&two, "", ""),
        [""; 0],
        "with two regions there is no choice"
    );
}

#[test]
fn weights_that_sum_to_0_are_a_finding() {
    let zero = (
        "REGION_WEIGHTS",
        "us-east=0,us-west=0,eu-west=0,eu-central=0",
    );
    assert_eq!(
        warnings(&[RENDEZVOUS[0], RENDEZVOUS[1], zero], "", ""),
        [
            "REGION_WEIGHTS: all weights are 0, so each region counts as if it had 1; give one of them more than 0"
        ]
    );
}

#[test]
fn weights_that_nobody_uses_are_a_finding_that_names_where_they_stand() {
    let unused = "weights are used by rendezvous alone, and tenants go by primary and fail over by ordered; set TENANT_STICKY=rendezvous";
    assert_eq!(
        warnings(&[("REGION_WEIGHTS", "us-east=2")], "", ""),
        [format!("REGION_WEIGHTS: {unused}")]
    );
    let topology: String = ["us-east", "us-west", "eu-west", "eu-central"]
        .map(|name| format!("[[region]]\nname = \"{name}\"\nweight = 3\n"))
        .concat();
    assert_eq!(
        warnings(&[], "", &topology),
        [format!("HALCYON_TOPOLOGY: {unused}")]
    );
    for used in RENDEZVOUS {
        let found = warnings(&[used, ("REGION_WEIGHTS", "us-east=2")], "", "");
        assert!(
            !found.iter().any(|warning| warning.contains("alone")),
            "{found:#?}"
        );
    }
}

#[test]
fn a_primary_of_weight_0_is_a_finding() {
    let env = [
        RENDEZVOUS[0],
        RENDEZVOUS[1],
        ("REGION_WEIGHTS", "us-east=0"),
    ];
    assert_eq!(
        warnings(&env, "", ""),
        [
            "REGION_WEIGHTS: the primary, us-east, has weight 0: it serves only when no other allowed region is up"
        ]
    );
}

#[test]
fn a_topology_and_regions_that_do_not_match_are_findings() {
    let topology = ["us-east", "us-west", "eu-west", "mars"]
        .map(|name| format!("[[region]]\nname = \"{name}\"\n"))
        .concat();
    assert_eq!(
        warnings(&[], "", &topology),
        [
            "HALCYON_TOPOLOGY: eu-central of REGIONS is not in the topology",
            "HALCYON_TOPOLOGY: mars is not in REGIONS, so no tenant goes there",
        ]
    );
}

#[test]
fn one_address_for_two_things_is_a_finding() {
    let region = |name: &str, more: &str| format!("[[region]]\nname = \"{name}\"\n{more}\n");
    let topology = [
        region(
            "us-east",
            "health = \"http://10.0.0.1:8086\"\nblue = \"http://10.0.0.1:1\"\ngreen = \"http://10.0.0.1:1/\"",
        ),
        region(
            "us-west",
            "health = \"http://10.0.0.1:8086/ready\"\nblue = \"http://10.0.0.2:1\"",
        ),
        region("eu-west", "health = \"http://10.0.0.2:1\""),
        region("eu-central", ""),
    ];
    let found = warnings(&[], "", &topology.concat());
    assert_eq!(
        found,
        [
            "HALCYON_TOPOLOGY: blue of us-east and green of us-east are the same address, http://10.0.0.1:1",
            "HALCYON_TOPOLOGY: health of us-east and health of us-west are the same address, http://10.0.0.1:8086",
        ],
        "a health server may well be a pool"
    );
}

#[test]
fn a_person_reads_findings_before_the_verdict() {
    let store = Store::new();
    let env = [
        ("REGIONS", "us-east,us-west"),
        ("PRIMARY_REGION", "us-east"),
        ("REGION_WEIGHTS", "us-east=2"),
    ];
    let ran = store.run_with(&["regions"], &env).exits(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(
        lines[3].starts_with("warning: REGION_WEIGHTS: "),
        "{}",
        ran.stdout
    );
    assert_eq!(lines[4], "valid");
}
