//! Rules for single tenants: what a file may say, and what `route` makes of it.

use halcyon_tests::region::Region;
use halcyon_tests::store::{Ran, Store, text};

/// Four regions, tenants by rendezvous.
const REGIONS: [(&str, &str); 5] = [
    ("REGIONS", "us-east,us-west,eu-west,eu-central"),
    ("PRIMARY_REGION", "us-east"),
    ("TENANT_STICKY", "rendezvous"),
    ("FAILOVER_POLICY", "rendezvous"),
    ("TENANT_RULES_FILE", "rules.json"),
];

const RULES: &str = r#"{
  "residency": [
    {"tenant": "bank-*", "regions": ["eu-west", "eu-central"]},
    {"tenant": "bank-us-*", "regions": ["us-east"]},
    {"tenant": "bank-us-1", "regions": ["us-west"]},
    {"tenant": "nowhere-*", "regions": []}
  ],
  "pins": [
    {"tenant": "acme", "region": "eu-central"},
    {"tenant": "bank-7", "region": "us-east"},
    {"tenant": "bank-8", "region": "eu-central"}
  ],
  "slots": [
    {"tenant": "staff-*", "slot": "green"},
    {"tenant": "vip-*", "slot": "blue"}
  ]
}"#;

/// Runs over a file of rules.
fn with(rules: &str, arguments: &[&str]) -> Ran {
    let store = Store::new();
    std::fs::write(store.dir().join("rules.json"), rules).unwrap();
    store.run_with(arguments, &REGIONS)
}

/// The problems of a file of rules, without the beginning that all of them have.
#[track_caller]
fn problems(rules: &str) -> Vec<String> {
    let ran = with(rules, &["route", "acme"]).exits(2);
    let problem = |line: &str| {
        let problem = line.strip_prefix("error: TENANT_RULES_FILE: \"rules.json\" ");
        problem.unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    ran.stderr.lines().map(problem).collect()
}

/// `route` of one tenant, as its object.
fn route(tenant: &str, more: &[&str]) -> serde_json::Value {
    let ran = with(RULES, &[&["route", tenant, "-o", "jsonl"], more].concat());
    ran.json()
}

#[test]
fn what_is_no_json_is_refused_with_line_and_column() {
    for (rules, why) in [
        (
            "",
            "is no JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "{\n  \"pins\": [,]\n}",
            "is no JSON: expected value at line 2 column 12",
        ),
        (
            r#"{"pins":[],}"#,
            "is no JSON: trailing comma at line 1 column 12",
        ),
        (
            r#"{"pins":[]} {}"#,
            "is no JSON: trailing characters at line 1 column 13",
        ),
        (
            r#"{'pins':[]}"#,
            "is no JSON: key must be a string at line 1 column 2",
        ),
        (
            "{\"pins\":[{\"tenant\":\"a\nb\"}]}",
            "is no JSON: control character",
        ),
        (r#"{"pins":[NaN]}"#, "is no JSON: expected"),
        (
            r#"{"pins":[{"tenant":"\ud800","region":"us-east"}]}"#,
            "is no JSON: ",
        ),
    ] {
        let found = problems(rules);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(why), "{rules}: {found:?}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (rules, why) in [
        (
            r#"{"residancy":[]}"#,
            r#"the file has the unknown key "residancy"; did you mean "residency"? allowed: residency, pins, slots"#,
        ),
        (
            r#"{"Pins":[]}"#,
            r#"the file has the unknown key "Pins"; did you mean "pins"? allowed: residency, pins, slots"#,
        ),
        (
            r#"{"comment":"x"}"#,
            r#"the file has the unknown key "comment"; allowed: residency, pins, slots"#,
        ),
        (
            r#"{"pins":[{"tenant":"a","region":"us-east","note":1}]}"#,
            r#"pins[0] has the unknown key "note"; allowed: tenant, region"#,
        ),
        (
            r#"{"residency":[{"tenant":"a","regions":[],"region":"us-east"}]}"#,
            r#"residency[0] has the unknown key "region"; did you mean "regions"? allowed: tenant, regions"#,
        ),
    ] {
        assert_eq!(problems(rules), [why]);
    }
}

#[test]
fn what_stands_twice_is_refused() {
    for (rules, why) in [
        (
            r#"{"pins":[],"pins":[]}"#,
            r#"the file has "pins" twice; allowed: each key once"#,
        ),
        (
            r#"{"slots":[{"tenant":"a","slot":"blue","slot":"green"}]}"#,
            r#"slots[0] has "slot" twice; allowed: each key once"#,
        ),
        (
            r#"{"pins":[{"tenant":"a*","region":"us-east"},{"tenant":"a","region":"us-east"},{"tenant":"a*","region":"us-west"}]}"#,
            r#"pins[2] has the pattern "a*" again; allowed: each pattern once in a list"#,
        ),
        (
            r#"{"residency":[{"tenant":"a","regions":["us-east","us-east"]}]}"#,
            r#"residency[0] has the region "us-east" twice; allowed: each region once"#,
        ),
    ] {
        assert_eq!(problems(rules), [why]);
    }
}

#[test]
fn a_rule_for_a_region_that_is_not_there_is_refused() {
    let allowed = "allowed: us-east, us-west, eu-west, eu-central";
    for (rules, why) in [
        (
            r#"{"pins":[{"tenant":"a","region":"us-esat"}]}"#,
            format!(
                r#"pins[0] has a wrong region: "us-esat" is not in REGIONS; did you mean "us-east"? {allowed}"#
            ),
        ),
        (
            r#"{"pins":[{"tenant":"a","region":"US-EAST"}]}"#,
            format!(
                r#"pins[0] has a wrong region: "US-EAST" is not in REGIONS; did you mean "us-east"? {allowed}"#
            ),
        ),
        (
            r#"{"residency":[{"tenant":"a","regions":["eu-west","mars"]}]}"#,
            format!(r#"residency[0] has a wrong region: "mars" is not in REGIONS; {allowed}"#),
        ),
    ] {
        assert_eq!(problems(rules), [why]);
    }
    let report = with(
        r#"{"pins":[{"tenant":"a","region":"mars"}]}"#,
        &["regions", "-o", "json"],
    );
    let report = report.exits(2).json();
    assert_eq!(report["valid"], false, "a pin to no region is an error");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_where_it_stands() {
    for (rules, why) in [
        ("[]", "the file is a list of 0; allowed: an object"),
        ("null", "the file is null; allowed: an object"),
        (
            r#"{"pins":{}}"#,
            r#"the file has "pins" = an object of 0; allowed: a list"#,
        ),
        (
            r#"{"pins":null}"#,
            r#"the file has "pins" = null; allowed: a list"#,
        ),
        (
            r#"{"pins":[1]}"#,
            "pins[0] is 1; allowed: an object with tenant, region",
        ),
        (
            r#"{"pins":[{"region":"us-east"}]}"#,
            r#"pins[0] has no "tenant""#,
        ),
        (r#"{"pins":[{"tenant":"a"}]}"#, r#"pins[0] has no "region""#),
        (
            r#"{"pins":[{"tenant":5,"region":"us-east"}]}"#,
            r#"pins[0] has "tenant" = 5; allowed: text"#,
        ),
        (
            r#"{"residency":[{"tenant":"a"}]}"#,
            r#"residency[0] has no "regions""#,
        ),
        (
            r#"{"residency":[{"tenant":"a","regions":"us-east"}]}"#,
            r#"residency[0] has "regions" = "us-east"; allowed: a list"#,
        ),
        (
            r#"{"residency":[{"tenant":"a","regions":[true]}]}"#,
            r#"residency[0] has true among its "regions"; allowed: names of regions"#,
        ),
        (
            r#"{"slots":[{"tenant":"a","slot":"Green"}]}"#,
            r#"slots[0] has "slot" = "Green"; allowed: blue, green"#,
        ),
        (
            r#"{"slots":[{"tenant":"a*b","slot":"green"}]}"#,
            r#"slots[0] has the pattern "a*b"; allowed: a tenant id, or its beginning and one * at the end"#,
        ),
        (
            r#"{"slots":[{"tenant":"**","slot":"green"}]}"#,
            r#"slots[0] has the pattern "**"; allowed"#,
        ),
        (
            r#"{"slots":[{"tenant":"","slot":"green"}]}"#,
            "slots[0] has a pattern of 0 bytes",
        ),
    ] {
        let found = problems(rules);
        assert_eq!(found.len(), 1, "{rules}: {found:?}");
        assert!(found[0].starts_with(why), "{rules}: {found:?}");
    }
}

#[test]
fn five_problems_of_a_file_are_five_lines() {
    let rules = r#"{"pin":[],"residency":[{"tenant":"a","regions":["mars"]},{"tenant":"a","regions":[]},7],
        "slots":[{"tenant":"x","slot":"red"}]}"#;
    let found = problems(rules);
    assert_eq!(found.len(), 5, "{found:#?}");
    for (found, place) in found.iter().zip([
        "the file ",
        "residency[0] ",
        "residency[1] ",
        "residency[2] ",
        "slots[0] ",
    ]) {
        assert!(found.starts_with(place), "{found}");
    }
}

#[test]
fn of_a_million_problems_a_hundred_are_shown() {
    for rules in [
        format!("{{\"pins\":[{}0]}}", "{},".repeat(1_000_000)),
        format!("{{\"slots\":[{}0],\"pins\":[1]}}", "7,".repeat(1_000_000)),
    ] {
        let found = problems(&rules);
        assert_eq!(found.len(), 101);
        assert_eq!(
            found[100],
            "has 100 problems up to here; nothing behind them was looked at"
        );
    }
    let names = "\"us-east\",".repeat(1_000_000);
    let rules =
        format!("{{\"residency\":[{{\"tenant\":\"a\",\"regions\":[{names}\"us-east\"]}}]}}");
    assert_eq!(
        problems(&rules),
        ["residency[0] has 1000001 regions; allowed: at most 1024"]
    );
}

#[test]
fn the_closest_residency_rule_says_where_a_tenant_may_be() {
    for (tenant, allowed) in [
        ("bank-1", &["eu-west", "eu-central"][..]),
        ("bank-", &["eu-west", "eu-central"]),
        ("bank-us-2", &["us-east"]),
        ("bank-us-1", &["us-west"]),
    ] {
        let answer = route(tenant, &[]);
        assert!(allowed.contains(&&*text(&answer, "region")), "{answer}");
        assert_eq!(text(&answer, "reason"), "residency", "{answer}");
    }
    assert_eq!(text(&route("bank", &[]), "reason"), "rendezvous");
}

#[test]
fn a_pin_beats_the_hash_and_residency_beats_a_pin() {
    let acme = route("acme", &[]);
    assert_eq!(
        (text(&acme, "region"), text(&acme, "reason")),
        ("eu-central".into(), "pinned".into())
    );
    let allowed = route("bank-8", &[]);
    assert_eq!(
        (text(&allowed, "region"), text(&allowed, "reason")),
        ("eu-central".into(), "pinned".into())
    );
    let ignored = route("bank-7", &[]);
    assert_eq!(text(&ignored, "reason"), "residency");
    assert!(text(&ignored, "region").starts_with("eu-"), "{ignored}");
}

#[test]
fn a_tenant_whose_residency_allows_no_region_goes_nowhere() {
    let ran = with(RULES, &["route", "acme", "nowhere-1", "-o", "json"]).exits(1);
    let answers = ran.json();
    assert_eq!(
        text(&answers[0], "region"),
        "eu-central",
        "the others go on"
    );
    assert_eq!(
        answers[1],
        serde_json::json!({
            "tenant": "nowhere-1", "region": null, "preferred": null, "slot": null, "reason": null,
            "error": "residency_unavailable: the tenant's residency allows no region",
        })
    );
    let human = with(RULES, &["route", "nowhere-1"]).exits(1).stdout;
    assert!(
        human.starts_with("- ") && human.contains("residency_unavailable"),
        "{human}"
    );
}

#[test]
fn no_loss_of_regions_moves_a_tenant_out_of_its_residency() {
    let down = ["--down", "eu-west", "--down", "eu-central"];
    for (down, reason) in [(&down[..2], ""), (&down[2..], ""), (&down, "all_down")] {
        let answer = route("bank-1", down);
        assert!(text(&answer, "region").starts_with("eu-"), "{answer}");
        if !reason.is_empty() {
            assert_eq!(text(&answer, "reason"), reason);
        }
    }
}

#[test]
fn every_rule_is_a_step_of_the_explanation() {
    for (tenant, more, steps) in [
        (
            "bank-1",
            &[][..],
            &[
                "residency: rule \"bank-*\" allows eu-west, eu-central",
                "rendezvous: ",
                "health: ",
                "slot: ",
            ][..],
        ),
        (
            "acme",
            &[],
            &[
                "pin: rule \"acme\" pins it to eu-central, so eu-central",
                "health: eu-central is up",
                "slot: ",
            ],
        ),
        (
            "bank-7",
            &[],
            &[
                "residency: rule \"bank-*\" allows",
                "pin: rule \"bank-7\" pins it to us-east, which residency does not allow: ignored",
                "rendezvous: ",
                "health: ",
                "slot: ",
            ],
        ),
        (
            "acme",
            &["--down", "eu-central"],
            &[
                "pin: ",
                "health: eu-central is down; rendezvous: of those that are up it prefers ",
                "slot: ",
            ],
        ),
        (
            "nowhere-1",
            &[],
            &["residency: rule \"nowhere-*\" allows no region, so none serves"],
        ),
    ] {
        let answer = route(tenant, &[&["--explain"], more].concat());
        let found = answer["steps"].as_array().unwrap();
        assert_eq!(found.len(), steps.len(), "{answer:#}");
        for (found, wanted) in found.iter().zip(steps) {
            assert!(
                found.as_str().unwrap().starts_with(wanted),
                "{wanted}: {found}"
            );
        }
    }
}

#[test]
fn slot_rules_decide_while_a_canary_runs_and_not_after_it() {
    let (store, region) = (Store::new(), Region::ready());
    std::fs::write(store.dir().join("rules.json"), RULES).unwrap();
    let slots = || {
        let arguments = ["route", "staff-1", "vip-1", "-o", "json", "--explain"];
        let answers = store.run_with(&arguments, &REGIONS).exits(0).json();
        let slot = |answer| {
            (
                text(&answers[answer], "slot"),
                answers[answer]["steps"].to_string(),
            )
        };
        [slot(0), slot(1)]
    };
    assert_eq!(
        slots().map(|(slot, _)| slot),
        ["blue", "blue"],
        "no release"
    );
    let release = [
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "50",
        "--timeout-s",
        "30",
        "--region",
    ];
    let at = region.at();
    let driver = store.start(&[&release[..], &[&at]].concat());
    store.wait_for("start_canary");
    let [staff, vip] = slots();
    assert_eq!((staff.0.as_str(), vip.0.as_str()), ("green", "blue"));
    assert!(
        staff.1.contains(r#"slot: rule \"staff-*\" says green"#),
        "{}",
        staff.1
    );
    assert!(
        vip.1.contains(r#"slot: rule \"vip-*\" says blue"#),
        "{}",
        vip.1
    );
    store.run(&["promote"]).exits(0);
    driver.ended();
    assert_eq!(
        slots().map(|(slot, _)| slot),
        ["green", "green"],
        "green serves everybody"
    );
    store.run(&["rollback", "--reason", "x"]).exits(0);
    assert_eq!(slots().map(|(slot, _)| slot), ["blue", "blue"]);
}

#[test]
fn a_hundred_thousand_rules_are_read_in_time_and_the_last_one_holds() {
    let pins: Vec<_> = (0..100_000)
        .map(|number| format!(r#"{{"tenant":"t{number}","region":"eu-west"}}"#))
        .collect();
    let store = Store::new();
    let rules = format!(r#"{{"pins":[{}]}}"#, pins.join(","));
    std::fs::write(store.dir().join("rules.json"), rules).unwrap();
    let ran = store.run_with(&["route", "t99999", "-o", "jsonl"], &REGIONS);
    assert_eq!(text(&ran.exits(0).json(), "reason"), "pinned");
}

#[test]
fn a_person_reads_how_many_rules_there_are() {
    let one = r#"{"pins":[{"tenant":"acme","region":"us-east"}]}"#;
    for (rules, line) in [
        (
            RULES,
            "rules for single tenants: 4 residency, 3 pins, 2 slots",
        ),
        (one, "rules for single tenants: 0 residency, 1 pin, 0 slots"),
    ] {
        let ran = with(rules, &["regions"]).exits(0);
        assert!(
            ran.stdout.lines().any(|found| found == line),
            "{}",
            ran.stdout
        );
    }
}
