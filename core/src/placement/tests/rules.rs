//! Rules for single tenants: residency, pins, slots, and a file that is wrong.

use super::*;
use crate::document::Document;
use crate::release::{Phase, Weight};

const RULES: &str = r#"{
    "residency": [
        {"tenant": "bank-*", "regions": ["r2", "r1"]},
        {"tenant": "bank-ch-*", "regions": ["r2"]},
        {"tenant": "nowhere", "regions": []}
    ],
    "pins": [
        {"tenant": "acme", "region": "r1"},
        {"tenant": "bank-1", "region": "r0"},
        {"tenant": "bank-2", "region": "r1"}
    ],
    "slots": [
        {"tenant": "staff-*", "slot": "green"},
        {"tenant": "vip-*", "slot": "blue"},
        {"tenant": "staff-vip", "slot": "blue"}
    ]
}"#;

fn three(sticky: &str, policy: &str) -> Router {
    with_rules(&[1, 1, 1], sticky, policy, 0, RULES)
}

fn answer(router: &Router, tenant: &str, health: &[RegionStatus]) -> (String, &'static str) {
    let found = router
        .route(id(tenant), health, &no_release(router))
        .unwrap();
    (found.region.to_string(), found.reason.name())
}

/// Everything wrong with a file, over the regions `r0`, `r1`, `r2`.
fn problems(file: &str) -> Vec<String> {
    let regions: Vec<RegionName> = ["r0", "r1", "r2"]
        .map(|name| RegionName::new(name).unwrap())
        .into();
    TenantRules::from_document(&Document::from_json(file).unwrap(), &regions).1
}

#[test]
fn residency_holds_whatever_fails() {
    for sticky in ["primary", "hash", "rendezvous"] {
        for policy in POLICIES {
            let router = three(sticky, policy);
            for health in [
                [UP; 3],
                [UP, DOWN, DOWN],
                [DOWN; 3],
                [UP, DRAINING, DRAINING],
                [UP, UP, FORBIDDEN],
            ] {
                for n in 0..50 {
                    let (region, _) = answer(&router, &format!("bank-{n}"), &health);
                    assert!(region != "r0", "{sticky} {policy} {health:?}");
                }
            }
            let all_forbidden =
                router.route(id("bank-ch-1"), &[UP, UP, FORBIDDEN], &no_release(&router));
            assert_eq!(all_forbidden, Err(ResidencyUnavailable::AllForbidden));
            let nowhere = router.route(id("nowhere"), &[], &no_release(&router));
            assert_eq!(nowhere, Err(ResidencyUnavailable::NoneAllowed));
            assert_eq!(
                router.preferred(id("nowhere")),
                Err(ResidencyUnavailable::NoneAllowed)
            );
        }
    }
}

#[test]
fn the_first_choice_is_made_over_the_allowed_regions_in_their_order() {
    let h = |tenant: &str| three("hash", "ordered").hash(id(tenant));
    for n in 3..40 {
        let tenant = format!("bank-{n}");
        // r1 and r2, whatever the order in the rule.
        let expected = ["r1", "r2"][(h(&tenant) % 2) as usize];
        assert_eq!(
            answer(&three("hash", "ordered"), &tenant, &[]),
            (expected.into(), "residency")
        );
        assert_eq!(
            answer(&three("primary", "ordered"), &tenant, &[]),
            ("r1".into(), "residency")
        );
    }
    let primary = with_rules(&[1, 1, 1], "primary", "ordered", 2, RULES);
    assert_eq!(answer(&primary, "bank-7", &[]), ("r2".into(), "residency"));
}

#[test]
fn a_pin_beats_the_rule_and_residency_beats_a_pin() {
    let router = three("hash", "ordered");
    assert_eq!(answer(&router, "acme", &[]), ("r1".into(), "pinned"));
    assert_eq!(answer(&router, "bank-2", &[]), ("r1".into(), "pinned"));
    let (region, reason) = answer(&router, "bank-1", &[]);
    assert!(region != "r0" && reason == "residency", "{region} {reason}");
    assert_eq!(
        answer(&router, "acme", &[UP, DOWN, UP]),
        ("r2".into(), "failover")
    );
    assert_eq!(
        answer(&router, "acme", &[DOWN; 3]),
        ("r1".into(), "all_down")
    );
    assert_eq!(
        answer(&router, "acme", &[DOWN, DRAINING, DOWN]),
        ("r1".into(), "pinned")
    );
}

#[test]
fn exact_beats_pattern_and_longer_beats_shorter() {
    let router = with_rules(
        &[1, 1, 1, 1],
        "primary",
        "ordered",
        0,
        r#"{"pins":[{"tenant":"*","region":"r1"},{"tenant":"ab*","region":"r2"},{"tenant":"abc","region":"r3"},{"tenant":"abcd*","region":"r0"}]}"#,
    );
    for (tenant, region) in [
        ("x", "r1"),
        ("a", "r1"),
        ("ab", "r2"),
        ("abc", "r3"),
        ("abcc", "r2"),
        ("abcd", "r0"),
        ("abcd\u{1f426}", "r0"),
        ("ABC", "r1"),
    ] {
        assert_eq!(answer(&router, tenant, &[]).0, region, "{tenant}");
    }
}

#[test]
fn a_beginning_that_ends_inside_a_character_matches_nothing_else() {
    let router = with_rules(
        &[1, 1],
        "primary",
        "ordered",
        0,
        r#"{"pins":[{"tenant":"Zo\u00eb*","region":"r1"},{"tenant":"abc*","region":"r1"}]}"#,
    );
    for (tenant, region) in [
        ("Zo\u{eb}", "r1"),
        ("Zo\u{eb}x", "r1"),
        ("Zo\u{ea}", "r0"),
        ("Zo", "r0"),
        ("a\u{1f426}", "r0"),
    ] {
        assert_eq!(answer(&router, tenant, &[]).0, region, "{tenant}");
    }
}

#[test]
fn slot_rules_apply_while_green_waits_or_grows_and_never_else() {
    let router = three("hash", "ordered");
    for (phase, percent, staff, vip) in [
        (Phase::Idle, 0, Slot::Blue, Slot::Blue),
        (Phase::GreenProvisioned, 0, Slot::Green, Slot::Blue),
        (Phase::Canary, 0, Slot::Green, Slot::Blue),
        (Phase::Canary, 100, Slot::Green, Slot::Blue),
        (Phase::GreenLive, 100, Slot::Green, Slot::Green),
        (Phase::RollbackInProgress, 0, Slot::Blue, Slot::Blue),
    ] {
        let view = ReleaseView {
            id: "r1",
            phase,
            weight: Weight::new(percent).unwrap(),
        };
        let slots = router.slot_rule(Some(view));
        let slot = |tenant: &str| router.route(id(tenant), &[], &slots).unwrap().slot;
        for n in 0..20 {
            assert_eq!(slot(&format!("staff-{n}")), staff, "{phase} {percent}");
            assert_eq!(slot(&format!("vip-{n}")), vip, "{phase} {percent}");
            let other = format!("tenant{n}");
            assert_eq!(slot(&other), slots.slot(router.hash(id(&other))));
        }
        assert_eq!(slot("staff-vip"), vip, "exact beats pattern");
    }
}

#[test]
fn rules_of_one_tenant_never_change_anothers_decision() {
    let with = three("rendezvous", "round_robin");
    let without = with_rules(&[1, 1, 1], "rendezvous", "round_robin", 0, "{}");
    for tenant in tenants(300) {
        for health in [[UP; 3], [UP, DOWN, UP], [DOWN, DRAINING, FORBIDDEN]] {
            assert_eq!(
                answer(&with, &tenant, &health),
                answer(&without, &tenant, &health)
            );
        }
    }
}

#[test]
fn each_list_may_be_missing() {
    for file in ["{}", r#"{"pins":[]}"#, r#"{"residency":[],"slots":[]}"#] {
        assert_eq!(problems(file), [""; 0], "{file}");
    }
}

#[test]
fn everything_wrong_with_a_file_is_reported_at_once_with_its_place() {
    let file = r#"{
        "residencies": [],
        "residency": [
            {"tenant": "a", "regions": ["r0", "mars", "r0", 7]},
            {"tenant": "a", "regions": ["r1"]},
            {"tenant": "*b*", "regions": ["r1"]},
            {"regions": ["r1"], "region": "r1"},
            {"tenant": "", "regions": "r1"},
            7
        ],
        "pins": [{"tenant": "x", "region": "R1"}, {"tenant": "y"}, {"tenant": "z", "region": 1}],
        "slots": [{"tenant": "s", "slot": "purple"}, {"tenant": "s*", "slot": "green", "slot": "blue"}]
    }"#;
    assert_eq!(
        problems(file),
        [
            r#"the file has the unknown key "residencies"; did you mean "residency"? allowed: residency, pins, slots"#,
            r#"residency[0] has a wrong region: "mars" is not in REGIONS; allowed: r0, r1, r2"#,
            r#"residency[0] has the region "r0" twice; allowed: each region once"#,
            r#"residency[0] has 7 among its "regions"; allowed: names of regions"#,
            r#"residency[1] has the pattern "a" again; allowed: each pattern once in a list"#,
            r#"residency[2] has the pattern "*b*"; allowed: a tenant id, or its beginning and one * at the end"#,
            r#"residency[3] has the unknown key "region"; did you mean "regions"? allowed: tenant, regions"#,
            r#"residency[3] has no "tenant", which it must have"#,
            r#"residency[4] has "regions" = "r1"; allowed: a list"#,
            "residency[5] is 7; allowed: an object with tenant, regions",
            r#"pins[0] has a wrong region: "R1" is not in REGIONS; did you mean "r1"? allowed: r0, r1, r2"#,
            r#"pins[1] has no "region", which it must have"#,
            r#"pins[2] has "region" = 1; allowed: text"#,
            r#"slots[0] has "slot" = "purple"; allowed: blue, green"#,
            r#"slots[1] has "slot" twice; allowed: each key once"#,
        ]
    );
    assert_eq!(
        problems("[]"),
        ["the file is a list of 0; allowed: an object with residency, pins, slots"]
    );
    let long = format!(
        r#"{{"pins":[{{"tenant":"{}","region":"r0"}},{{"tenant":"","region":"r0"}}]}}"#,
        "x".repeat(16_385)
    );
    assert_eq!(problems(&long).len(), 2);
    assert!(
        problems(&long)
            .iter()
            .all(|why| why.contains("allowed: 1 to 16384") && why.len() < 250)
    );
}

#[test]
fn a_pattern_stands_once_in_a_list_and_a_literal_beside_its_star_is_another() {
    let mut patterns = Patterns::default();
    for (number, pattern) in ["a", "a*", "*", "ab*", "ab"].iter().enumerate() {
        patterns.insert(pattern, number).unwrap();
        assert!(patterns.insert(pattern, 9).unwrap_err().contains("again"));
    }
    assert_eq!(patterns.len(), 5);
    let found: Vec<(&str, usize)> = patterns
        .iter()
        .map(|(pattern, value)| (pattern, *value))
        .collect();
    assert_eq!(
        found,
        [("a", 0), ("ab", 4), ("*", 2), ("a*", 1), ("ab*", 3)]
    );
    for (tenant, value, pattern) in [
        ("a", 0, "a"),
        ("ab", 4, "ab"),
        ("abc", 3, "ab*"),
        ("ac", 1, "a*"),
        ("b", 2, "*"),
    ] {
        assert_eq!(patterns.find(id(tenant)), Some(&value), "{tenant}");
        assert_eq!(
            patterns.pattern(id(tenant)).as_deref(),
            Some(pattern),
            "{tenant}"
        );
    }
    for (pattern, value) in [
        ("a", 0),
        ("abcd", 3),
        ("abcd*", 3),
        ("a*", 1),
        ("b*", 2),
        ("ab*", 3),
    ] {
        assert_eq!(patterns.covering(pattern), Some(&value), "{pattern}");
    }
}

/// Patterns as a map has them: by kind and text.
type Map = alloc::collections::BTreeMap<(bool, String), usize>;

/// The value for a pattern or a tenant, looked for one beginning after the other.
fn covering(map: &Map, pattern: &str) -> Option<usize> {
    let (begins, text) = match pattern.strip_suffix('*') {
        Some(text) => (true, text),
        None => (false, pattern),
    };
    if !begins && let Some(value) = map.get(&(false, text.into())) {
        return Some(*value);
    }
    let mut beginnings = (0..=text.len()).rev().filter_map(|end| text.get(..end));
    beginnings.find_map(|beginning| map.get(&(true, beginning.into())).copied())
}

#[test]
fn any_number_of_patterns_in_any_order_is_found_as_in_a_map() {
    let mut seed = 7_u64;
    let mut dice = |sides: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % sides
    };
    for count in [0, 1, 2, 3, 4, 5, 8, 9, 100, 3_000] {
        let mut patterns = Patterns::default();
        let mut map = Map::new();
        let text = |dice: &mut dyn FnMut(usize) -> usize| {
            let letters = (0..dice(7)).map(|_| ["a", "b", "c", "ü"][dice(4)]);
            letters.collect::<String>() + ["", "*"][dice(2)]
        };
        for value in 0..count {
            let pattern = text(&mut dice);
            let beginning = pattern.strip_suffix('*').map(String::from);
            let key = (beginning.is_some(), beginning.unwrap_or(pattern.clone()));
            let new = !pattern.is_empty() && !map.contains_key(&key);
            assert_eq!(patterns.insert(&pattern, value).is_ok(), new, "{pattern}");
            if new {
                map.insert(key, value);
            }
        }
        let listed = map.iter().map(|((begins, text), value)| {
            let star = if *begins { "*" } else { "" };
            (text.clone() + star, *value)
        });
        let listed: Vec<(String, usize)> = listed.collect();
        let in_order = patterns.in_order();
        let found = in_order
            .iter()
            .map(|(text, value)| (String::from(text), *value));
        assert_eq!(found.collect::<Vec<_>>(), listed);
        for _ in 0..500 {
            let pattern = text(&mut dice);
            let expected = covering(&map, &pattern);
            assert_eq!(patterns.covering(&pattern).copied(), expected, "{pattern}");
            let entry = patterns.covering_entry(&pattern);
            let known = expected.map(|value| listed.iter().find(|(_, of)| *of == value).unwrap());
            assert_eq!(
                entry.map(|(text, value)| (String::from(text), *value)),
                known.cloned()
            );
            let within = |(text, _): &&(String, usize)| {
                let beginning = pattern.strip_suffix('*');
                *text != pattern && beginning.is_some_and(|beginning| text.starts_with(beginning))
            };
            let within: Vec<usize> = listed.iter().filter(within).map(|(_, of)| *of).collect();
            for value in 0..count.min(20) {
                let found = in_order.any_within(&pattern, |of| *of == value);
                assert_eq!(found, within.contains(&value), "{value} within {pattern}");
            }
        }
    }
}
