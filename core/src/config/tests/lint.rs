//! What is legal and probably not meant: each finding's words, and where it begins and ends.

use super::*;
use crate::testing::WithFiles;

const RENDEZVOUS: [(&str, &str); 2] = [
    ("TENANT_STICKY", "rendezvous"),
    ("FAILOVER_POLICY", "rendezvous"),
];
const HASH: (&str, &str) = ("TENANT_STICKY", "hash");

/// The findings over regions `r0`, `r1`, …, the first of them the primary; a file that is empty is none.
#[track_caller]
fn findings(count: usize, more: &[(&str, &str)], rules: &str, topology: &str) -> Vec<String> {
    let regions: Vec<String> = (0..count).map(|place| format!("r{place}")).collect();
    let regions = regions.join(",");
    let mut table = alloc::vec![("REGIONS", regions.as_str()), ("PRIMARY_REGION", "r0")];
    let mut files = Vec::new();
    for (variable, text) in [("TENANT_RULES_FILE", rules), ("HALCYON_TOPOLOGY", topology)] {
        if !text.is_empty() {
            table.push((variable, variable));
            files.push((variable, text));
        }
    }
    table.extend(more);
    let report = RegionReport::linted(&WithFiles {
        table: &table,
        files: &files,
    });
    assert_eq!(report.errors, [""; 0]);
    report.warnings
}

/// The findings about weights, one for each of the regions.
fn about_weights(weights: &[u16], more: &[(&str, &str)]) -> Vec<String> {
    let weights: Vec<String> = weights
        .iter()
        .enumerate()
        .map(|(place, weight)| format!("r{place}={weight}"))
        .collect();
    let list = weights.join(",");
    let mut table = alloc::vec![("REGION_WEIGHTS", list.as_str())];
    table.extend(more);
    findings(weights.len(), &table, "", "")
}

#[test]
fn nothing_is_found_in_what_is_wrong() {
    let wrong = env(&[
        ("REGIONS", "r0,r1,r2"),
        ("PRIMARY_REGION", "r3"),
        ("TENANT_STICKY", "hash"),
    ]);
    let report = RegionReport::linted(&wrong);
    assert_eq!((report.valid, report.warnings.len()), (false, 0));
}

#[test]
fn all_weights_0_are_a_finding_and_one_above_0_is_none() {
    assert_eq!(
        about_weights(&[0, 0, 0], &RENDEZVOUS),
        [
            "REGION_WEIGHTS: all weights are 0, so each region counts as if it had 1; give one of them more than 0"
        ]
    );
    assert_eq!(about_weights(&[1, 0, 0], &RENDEZVOUS), [""; 0]);
    let unused = about_weights(&[0, 0, 0], &[HASH, ("FAILOVER_POLICY", "round_robin")]);
    assert!(
        unused.len() == 1 && unused[0].contains("weights are used by rendezvous alone"),
        "{unused:?}"
    );
    let none = [
        HASH,
        ("FAILOVER_POLICY", "round_robin"),
        ("REGION_WEIGHTS", " ,"),
    ];
    assert_eq!(findings(3, &none, "", ""), [""; 0], "that sets none");
}

#[test]
fn weights_are_unused_only_where_neither_tenants_nor_failover_go_by_them() {
    for (sticky, policy) in [
        ("primary", "ordered"),
        ("primary", "round_robin"),
        ("hash", "round_robin"),
    ] {
        let more = [("TENANT_STICKY", sticky), ("FAILOVER_POLICY", policy)];
        assert_eq!(
            about_weights(&[2, 1, 1], &more),
            [format!(
                "REGION_WEIGHTS: weights are used by rendezvous alone, and tenants go by {sticky} and fail over by {policy}; set TENANT_STICKY=rendezvous"
            )]
        );
        assert_eq!(findings(3, &more, "", ""), [""; 0], "no weights are set");
    }
    for (sticky, policy) in [
        ("primary", "rendezvous"),
        ("hash", "rendezvous"),
        ("rendezvous", "round_robin"),
        ("rendezvous", "rendezvous"),
    ] {
        let more = [("TENANT_STICKY", sticky), ("FAILOVER_POLICY", policy)];
        assert_eq!(about_weights(&[2, 1, 1], &more), [""; 0]);
    }
}

#[test]
fn unused_weights_of_a_topology_are_a_finding_about_the_topology() {
    let topology = |weight| {
        format!(r#"{{"region":[{{"name":"r0"{weight}}},{{"name":"r1"}},{{"name":"r2"}}]}}"#)
    };
    assert_eq!(
        findings(3, &[], "", &topology(r#","weight":2"#)),
        [
            "HALCYON_TOPOLOGY: weights are used by rendezvous alone, and tenants go by primary and fail over by ordered; set TENANT_STICKY=rendezvous"
        ]
    );
    assert_eq!(findings(3, &[], "", &topology("")), [""; 0]);
}

#[test]
fn a_primary_of_weight_0_is_a_finding_where_tenants_go_by_rendezvous() {
    let found = "REGION_WEIGHTS: the primary, r0, has weight 0: it serves only when no other allowed region is up";
    assert_eq!(about_weights(&[0, 1, 1], &RENDEZVOUS), [found]);
    assert_eq!(about_weights(&[0, 0, 1], &RENDEZVOUS), [found]);
    assert_eq!(about_weights(&[1, 0, 1], &RENDEZVOUS), [""; 0]);
    for policy in ["ordered", "round_robin"] {
        let more = [RENDEZVOUS[0], ("FAILOVER_POLICY", policy)];
        assert_eq!(
            about_weights(&[0, 1, 1], &more)[0],
            "REGION_WEIGHTS: the primary, r0, has weight 0: it serves only tenants that fail over to it"
        );
    }
    let by_hash = [HASH, RENDEZVOUS[1]];
    assert_eq!(about_weights(&[0, 1, 1], &by_hash), [""; 0]);
}

#[test]
fn a_neighbour_with_half_as_much_again_is_a_finding_and_one_with_less_is_none() {
    // The likely loads of more than 64 regions are exact: r1 has 100 parts, and r0's on top once r0 is lost.
    let of_r0 = |weight| {
        let mut weights = [0; 65];
        weights[0] = weight;
        weights[1] = 100;
        let mut found = about_weights(&weights, &[RENDEZVOUS[0]]);
        assert!(found.remove(0).contains(" has weight 0, "));
        found
    };
    assert_eq!(
        of_r0(50),
        [
            "FAILOVER_POLICY: ordered failover would put 150 % on r1 if r0 is lost; round_robin at most 103 % on any region, rendezvous 300 %"
        ]
    );
    assert_eq!(of_r0(49), [""; 0]);
    assert_eq!(
        of_r0(51),
        [
            "FAILOVER_POLICY: ordered failover would put 151 % on r1 if r0 is lost; round_robin at most 103 % on any region, rendezvous 296 %"
        ]
    );
}

#[test]
fn an_overloaded_neighbour_is_a_finding_only_where_another_policy_spreads_better() {
    let found = findings(4, &[HASH], "", "");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("FAILOVER_POLICY: ordered failover would put 200 % on r1 if r0 is lost; round_robin at most 133 % on any region, rendezvous 13"),
        "{found:?}"
    );
    assert_eq!(findings(2, &[HASH], "", ""), [""; 0], "there is one other");
    assert_eq!(findings(4, &[], "", ""), [""; 0], "all are at the primary");
    for policy in ["round_robin", "rendezvous"] {
        let more = [HASH, ("FAILOVER_POLICY", policy)];
        assert_eq!(findings(4, &more, "", ""), [""; 0]);
    }
}

#[test]
fn tenants_of_one_legal_region_or_none_are_a_finding_and_those_of_two_are_not() {
    let rules = r#"{"residency":[
        {"tenant":"none-*","regions":[]},
        {"tenant":"one","regions":["r1"]},
        {"tenant":"two-*","regions":["r1","r0"]}]}"#;
    let expected = [
        "TENANT_RULES_FILE: no legal survivor for \"one\": only r1 is allowed, and while it is down nothing else may serve its tenants",
        "TENANT_RULES_FILE: no region is legal for \"none-*\": its tenants are served nowhere",
    ];
    for regions in [2, 3] {
        assert_eq!(findings(regions, &[], rules, ""), expected);
    }
}

#[test]
fn where_there_is_one_region_a_rule_that_allows_it_is_no_finding() {
    let rules =
        r#"{"residency":[{"tenant":"none","regions":[]},{"tenant":"one","regions":["r0"]}]}"#;
    assert_eq!(
        findings(1, &[], rules, ""),
        ["TENANT_RULES_FILE: no region is legal for \"none\": its tenants are served nowhere"]
    );
}

#[test]
fn a_pin_is_ignored_where_the_residency_of_its_tenants_does_not_allow_it() {
    let rules = r#"{
        "residency":[{"tenant":"bank-*","regions":["r2","r1"]},{"tenant":"nowhere-*","regions":[]}],
        "pins":[
            {"tenant":"acme","region":"r0"},
            {"tenant":"bank-1","region":"r1"},
            {"tenant":"bank-2","region":"r0"},
            {"tenant":"bank-3-*","region":"r0"},
            {"tenant":"ba*","region":"r0"},
            {"tenant":"nowhere-1","region":"r2"}]}"#;
    assert_eq!(
        findings(3, &[], rules, ""),
        [
            "TENANT_RULES_FILE: no region is legal for \"nowhere-*\": its tenants are served nowhere",
            "TENANT_RULES_FILE: the pin of \"bank-2\" to r0 is ignored: residency allows r1, r2",
            "TENANT_RULES_FILE: the pin of \"nowhere-1\" to r2 is ignored: residency allows no region",
            "TENANT_RULES_FILE: the pin of \"bank-3-*\" to r0 is ignored: residency allows r1, r2",
            "TENANT_RULES_FILE: the pin of \"ba*\" to r0 is ignored for \"bank-*\": residency allows r1, r2",
        ]
    );
}

#[test]
fn a_pin_of_many_tenants_is_ignored_for_those_whose_closest_residency_rule_says_so() {
    let rules = r#"{
        "residency":[
            {"tenant":"*","regions":["r0","r1"]},
            {"tenant":"eu-*","regions":["r2","r1"]},
            {"tenant":"eu-7","regions":["r0","r2"]},
            {"tenant":"eu-8","regions":["r0","r1"]},
            {"tenant":"us-*","regions":["r1","r0"]}],
        "pins":[
            {"tenant":"eu-*","region":"r0"},
            {"tenant":"eu-8","region":"r1"},
            {"tenant":"*","region":"r1"},
            {"tenant":"us-1*","region":"r2"}]}"#;
    assert_eq!(
        findings(3, &[], rules, ""),
        [
            "TENANT_RULES_FILE: the pin of \"eu-*\" to r0 is ignored but for those of a closer residency rule: residency allows r1, r2",
            "TENANT_RULES_FILE: the pin of \"us-1*\" to r2 is ignored: residency allows r0, r1",
        ]
    );
    let rules = r#"{
        "residency":[{"tenant":"solo","regions":["r1","r2"]},{"tenant":"duo","regions":["r1","r2"]},
            {"tenant":"trio","regions":["r0","r2"]},{"tenant":"other","regions":["r1","r2"]}],
        "pins":[{"tenant":"*","region":"r0"},{"tenant":"solo","region":"r1"},{"tenant":"other","region":"r0"}]}"#;
    assert_eq!(
        findings(3, &[], rules, ""),
        [
            "TENANT_RULES_FILE: the pin of \"other\" to r0 is ignored: residency allows r1, r2",
            "TENANT_RULES_FILE: the pin of \"*\" to r0 is ignored for \"duo\": residency allows r1, r2",
        ]
    );
}

#[test]
fn a_region_of_weight_0_that_failover_fills_is_a_finding() {
    let by = |policy| [RENDEZVOUS[0], ("FAILOVER_POLICY", policy)];
    // Most is lost with r2, whose neighbour is r0; with r0, r1 takes less.
    assert_eq!(
        about_weights(&[1, 0, 3], &by("ordered"))[0],
        "FAILOVER_POLICY: ordered failover would put 24 % of all tenants on r1, which has weight 0, if r0 is lost; rendezvous keeps to the weights"
    );
    assert_eq!(
        about_weights(&[1, 3, 0, 0], &by("round_robin"))[0],
        "FAILOVER_POLICY: round_robin failover would put 25 % of all tenants on r2, which has weight 0, if r1 is lost; rendezvous keeps to the weights"
    );
    for quiet in [
        about_weights(&[1, 0, 3], &RENDEZVOUS),
        about_weights(&[0, 0, 0], &by("round_robin")),
        about_weights(&[1, 2, 3], &by("round_robin")),
        about_weights(&[3, 0, 1], &[HASH, RENDEZVOUS[1]]),
    ] {
        assert!(
            !quiet
                .iter()
                .any(|found| found.contains("which has weight 0")),
            "{quiet:?}"
        );
    }
}

#[test]
fn a_region_that_only_the_topology_or_only_the_list_names_is_a_finding() {
    let topology = r#"{"region":[{"name":"r0"},{"name":"mars"},{"name":"r2"}]}"#;
    assert_eq!(
        findings(3, &[], "", topology),
        [
            "HALCYON_TOPOLOGY: r1 of REGIONS is not in the topology",
            "HALCYON_TOPOLOGY: mars is not in REGIONS, so no tenant goes there",
        ]
    );
    let topology = r#"{"region":[{"name":"r2"},{"name":"r1"},{"name":"r0"}]}"#;
    assert_eq!(findings(3, &[], "", topology), [""; 0]);
}

#[test]
fn health_servers_are_held_against_health_servers_and_pools_against_pools() {
    let topology = r#"{"region":[
        {"name":"r0","health":"http://a:1","blue":"http://a:1","green":"http://a:2"},
        {"name":"r1","health":"http://a:2/ready","blue":"http://a:2","green":"http://a:3"},
        {"name":"r2","health":"http://a:1/","blue":"http://a:4"}]}"#;
    assert_eq!(
        findings(3, &[], "", topology),
        [
            "HALCYON_TOPOLOGY: blue of r1 and green of r0 are the same address, http://a:2",
            "HALCYON_TOPOLOGY: health of r0 and health of r2 are the same address, http://a:1",
        ]
    );
}

#[test]
fn the_address_that_counts_is_the_variables_where_it_names_the_region() {
    let shared = r#"{"region":[
        {"name":"r0","health":"http://a:1"},{"name":"r1","health":"http://a:1"},{"name":"r2"}]}"#;
    let endpoints = |list| [("REGION_ENDPOINTS", list)];
    assert_eq!(
        findings(3, &endpoints("r1=http://b:1"), "", shared),
        [""; 0]
    );
    assert_eq!(
        findings(3, &endpoints("r2=http://b:1,r1=http://b:1/ready"), "", ""),
        ["REGION_ENDPOINTS: health of r1 and health of r2 are the same address, http://b:1"]
    );
    assert_eq!(
        findings(3, &endpoints("r2=http://a:1,r1=http://b:1"), "", shared),
        ["REGION_ENDPOINTS: health of r0 and health of r2 are the same address, http://a:1"]
    );
}

#[test]
fn an_endpoint_of_a_region_that_is_nowhere_else_is_a_finding() {
    let topology = r#"{"region":[{"name":"r0"},{"name":"r1"},{"name":"r2"},{"name":"r3"}]}"#;
    let more = [(
        "REGION_ENDPOINTS",
        "r1=http://a:1,r3=http://a:2,zz=http://a:3",
    )];
    assert_eq!(
        findings(3, &more, "", topology),
        [
            "REGION_ENDPOINTS: zz is not in REGIONS, so nobody asks there",
            "HALCYON_TOPOLOGY: r3 is not in REGIONS, so no tenant goes there",
        ]
    );
}

#[test]
fn eight_findings_of_a_kind_are_shown_and_the_rest_is_a_number() {
    let of = |count: usize| {
        let rules: Vec<String> = (0..count)
            .map(|number| format!(r#"{{"tenant":"t{number:02}","regions":["r1"]}}"#))
            .collect();
        let rules = format!(r#"{{"residency":[{}]}}"#, rules.join(","));
        findings(3, &[], &rules, "")
    };
    let one = |number: usize| {
        format!(
            "TENANT_RULES_FILE: no legal survivor for \"t{number:02}\": only r1 is allowed, and while it is down nothing else may serve its tenants"
        )
    };
    let eight: Vec<String> = (0..8).map(one).collect();
    assert_eq!(of(8), eight);
    for (count, rest) in [(9, 1), (30, 22)] {
        let mut expected = eight.clone();
        expected.push(format!(
            "TENANT_RULES_FILE: and {rest} more residency rules like that"
        ));
        assert_eq!(of(count), expected);
    }
}

#[test]
fn the_number_of_further_findings_says_of_which_kind_they_are() {
    let pins: Vec<String> = (0..10)
        .map(|number| format!(r#"{{"tenant":"t{number}","region":"r0"}}"#))
        .collect();
    let rules = format!(
        r#"{{"residency":[{{"tenant":"t*","regions":["r1","r2"]}}],"pins":[{}]}}"#,
        pins.join(",")
    );
    assert_eq!(
        findings(3, &[], &rules, "")[8..],
        ["TENANT_RULES_FILE: and 2 more pins like that"]
    );

    let regions: Vec<String> = (10..20)
        .map(|number| format!(r#"{{"name":"r{number}","health":"http://h"}}"#))
        .collect();
    let topology = format!(r#"{{"region":[{}]}}"#, regions.join(","));
    let found = findings(10, &[], "", &topology);
    assert_eq!(
        (&*found[8], &*found[17], &*found[26]),
        (
            "HALCYON_TOPOLOGY: and 2 more regions like that",
            "HALCYON_TOPOLOGY: and 2 more regions like that",
            "HALCYON_TOPOLOGY: and 1 more addresses like that",
        )
    );
    assert_eq!(found.len(), 27);
}

#[test]
fn a_topology_without_a_region_is_held_against_nothing() {
    assert_eq!(findings(2, &[HASH], "", r#"{"region":[]}"#), [""; 0]);
}
