//! What a router, its rules and its answers say of themselves.

use super::super::allowed::Allowed;
use super::*;

#[test]
fn a_router_tells_its_regions_and_their_weights_in_order() {
    let router = with_rules(&[3, 0, 7], "rendezvous", "ordered", 0, "{}");
    let names: Vec<&str> = router.regions().iter().map(RegionName::as_str).collect();
    assert_eq!(names, ["r0", "r1", "r2"]);
    assert_eq!(router.weights(), [3, 0, 7]);
    assert_eq!((router.len(), router.is_empty()), (3, false));
}

#[test]
fn a_prepared_router_is_shown_without_its_buckets() {
    let router = router(3, "rendezvous", "ordered", 0).prepare();
    let shown = format!("{router:?}");
    assert!(shown.contains("Prepared(65536 buckets)"), "{shown}");
    assert!(shown.len() < 4_000, "{shown}");
}

#[test]
fn statuses_are_read_by_the_names_they_are_written_with() {
    for (status, name) in [
        (UP, "up"),
        (DOWN, "down"),
        (DRAINING, "draining"),
        (FORBIDDEN, "forbidden"),
    ] {
        assert_eq!(status.name(), name);
        assert_eq!(RegionStatus::parse(name), Ok(status));
    }
    assert_eq!(
        RegionStatus::parse("Up").unwrap_err(),
        "\"Up\" is no status; allowed: up, down, draining, forbidden"
    );
}

#[test]
fn a_reason_is_shown_by_its_name() {
    for (reason, name) in [
        (Reason::Primary, "primary"),
        (Reason::Hash, "hash"),
        (Reason::Rendezvous, "rendezvous"),
        (Reason::Residency, "residency"),
        (Reason::Pinned, "pinned"),
        (Reason::Failover, "failover"),
        (Reason::AllDown, "all_down"),
    ] {
        assert_eq!(reason.to_string(), name);
        assert_eq!(serde_json::to_value(reason).unwrap(), name);
    }
}

#[test]
fn rules_are_empty_only_without_any_rule_in_any_list() {
    let rules = |file: &str| {
        with_rules(&[1, 1], "hash", "ordered", 0, file)
            .rules()
            .clone()
    };
    let none = rules("{}");
    assert!(none.is_empty());
    assert!(none.residency.is_empty() && none.pins.is_empty() && none.slots.is_empty());
    let residency = rules(r#"{"residency":[{"tenant":"a","regions":["r1"]}]}"#);
    assert!(!residency.is_empty() && !residency.residency.is_empty());
    let pins = rules(r#"{"pins":[{"tenant":"a*","region":"r1"}]}"#);
    assert!(!pins.is_empty() && !pins.pins.is_empty());
    let slots = rules(r#"{"slots":[{"tenant":"*","slot":"green"}]}"#);
    assert!(!slots.is_empty() && !slots.slots.is_empty());
    assert_eq!(
        (
            residency.residency.len(),
            pins.pins.len(),
            slots.slots.len()
        ),
        (1, 1, 1)
    );
}

#[test]
fn a_place_past_the_last_region_is_not_allowed() {
    let all: Allowed<'_> = Allowed::All(3);
    assert_eq!((all.at(2), all.at(3)), (Some(2), None));
    assert_eq!((all.contains(2), all.contains(3)), (true, false));
    let some = Allowed::Only(&[1_u16, 4]);
    assert_eq!((some.at(1), some.at(2)), (Some(4), None));
    assert_eq!((some.contains(4), some.contains(3)), (true, false));
}

#[test]
fn a_residency_rule_of_1024_regions_is_read_and_one_of_more_is_refused() {
    let regions: Vec<RegionName> = (0..1024)
        .map(|place| RegionName::new(&format!("r{place}")).unwrap())
        .collect();
    let read = |count: usize| {
        let names: Vec<String> = (0..count).map(|place| format!("\"r{place}\"")).collect();
        let file = format!(
            r#"{{"residency":[{{"tenant":"*","regions":[{}]}}]}}"#,
            names.join(",")
        );
        let document = crate::document::Document::from_json(&file).unwrap();
        TenantRules::from_document(&document, &regions)
    };
    let (rules, problems) = read(1024);
    let all: Vec<u16> = (0..1024).collect();
    assert_eq!(rules.residency.find(id("acme")), Some(&all));
    assert_eq!(problems, [""; 0]);
    let (rules, problems) = read(1025);
    assert!(rules.is_empty());
    assert_eq!(
        problems,
        ["residency[0] has 1025 regions; allowed: at most 1024"]
    );
}

#[test]
fn a_pattern_is_as_long_as_a_tenant_id_may_be() {
    let mut patterns = Patterns::default();
    let longest = "x".repeat(16_384);
    assert_eq!(patterns.insert(&longest, 1), Ok(()));
    assert_eq!(patterns.insert(&format!("{longest}*"), 2), Ok(()));
    assert_eq!(patterns.find(id(&longest)), Some(&1));
    let refused = |pattern: &str| Patterns::default().insert(pattern, 1).unwrap_err();
    for pattern in [format!("{longest}x"), format!("{longest}x*")] {
        let why = refused(&pattern);
        assert!(
            why.starts_with("has a pattern of 16385 bytes, \"xxx")
                && why.ends_with(", which is no tenant's; allowed: 1 to 16384"),
            "{why}"
        );
    }
    assert_eq!(
        refused(""),
        "has a pattern of 0 bytes, \"\", which is no tenant's; allowed: 1 to 16384"
    );
}
