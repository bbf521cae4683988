//! The steps of a decision agree with the decision.

use super::*;
use crate::release::{Phase, Weight};

#[test]
fn every_explanation_agrees_with_the_route_and_names_the_region_and_the_policy() {
    for sticky in ["hash", "primary", "rendezvous"] {
        for policy in POLICIES {
            let router = router(3, sticky, policy, 1);
            let slots = router.slot_rule(Some(ReleaseView {
                id: "r1",
                phase: Phase::Canary,
                weight: Weight::new(50).unwrap(),
            }));
            for code in 0..64 {
                let health = [
                    STATUSES[code & 3],
                    STATUSES[code >> 2 & 3],
                    STATUSES[code >> 4 & 3],
                ];
                for tenant in tenants(6) {
                    let found = router.route(id(&tenant), &health, &slots);
                    let explained = router.explain(id(&tenant), &health, &slots);
                    assert_eq!(explained.outcome, found);
                    let steps = explained.steps.join("\n");
                    let Ok(found) = found else {
                        assert!(
                            steps.ends_with(&ResidencyUnavailable::AllForbidden.to_string()),
                            "{steps}"
                        );
                        continue;
                    };
                    assert!(
                        explained.steps[0].starts_with(&format!("{sticky}: ")),
                        "{steps}"
                    );
                    assert!(
                        explained.steps[0].contains(found.preferred.as_str()),
                        "{steps}"
                    );
                    assert!(explained.steps[1].starts_with("health: "), "{steps}");
                    assert!(
                        explained.steps[1].contains(found.region.as_str()),
                        "{steps}"
                    );
                    if found.reason == Reason::Failover {
                        assert!(
                            explained.steps[1].contains(&format!("{policy}: ")),
                            "{steps}"
                        );
                        assert!(
                            explained.steps[1].ends_with(found.region.as_str()),
                            "{steps}"
                        );
                    }
                    assert!(explained.steps[2].starts_with("slot: bucket "), "{steps}");
                    assert!(
                        explained.steps[2].ends_with(&format!("so {}", found.slot)),
                        "{steps}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_explanation_reads_like_this() {
    let table = [
        ("REGIONS", "us-east,us-west,eu-west"),
        ("TENANT_STICKY", "hash"),
        ("FAILOVER_POLICY", "round_robin"),
    ];
    let router = Router::from_lookup(&env(&table)).unwrap();
    let explained = router.explain(id("tenant123"), &[UP, DOWN, UP], &no_release(&router));
    assert_eq!(
        explained.steps,
        [
            "hash: SipHash-1-3 of \"tenant123\" is 0x2d891f91ffb06cd3; mod 3 regions is 1, so us-west",
            "health: us-west is down; round_robin: fmix64 of the hash is 0xd5d61fb04aba9135; mod 2 regions that are up is 1, so eu-west",
            "slot: no release gives green a share, so blue",
        ]
    );
}

#[test]
fn only_where_the_share_counts_the_explanation_names_the_tenants_bucket() {
    let router = router(3, "hash", "ordered", 0);
    let last = |phase, percent| {
        let weight = Weight::new(percent).unwrap();
        let slots = router.slot_rule(Some(ReleaseView {
            id: "r1",
            phase,
            weight,
        }));
        router.explain(id("acme"), &[], &slots).steps.pop().unwrap()
    };
    for (phase, percent, step) in [
        (Phase::Idle, 0, "no release gives green a share, so blue"),
        (
            Phase::GreenProvisioned,
            0,
            "bucket 1041 of 10000; green below 0, so blue",
        ),
        (
            Phase::Canary,
            11,
            "bucket 1041 of 10000; green below 1100, so green",
        ),
        (
            Phase::RollbackInProgress,
            0,
            "no release gives green a share, so blue",
        ),
        (Phase::GreenLive, 100, "green is live, so green"),
    ] {
        assert_eq!(last(phase, percent), format!("slot: {step}"), "{phase}");
    }
}

#[test]
fn a_step_is_one_line_whatever_the_tenant_is_called() {
    let router = router(2, "hash", "ordered", 0);
    for tenant in [
        "a\nb",
        "\u{2028}",
        "\u{1b}[2J",
        "\u{202e}x",
        "\0",
        &"x".repeat(16_384),
    ] {
        for step in router
            .explain(id(tenant), &[DOWN, DOWN], &no_release(&router))
            .steps
        {
            assert!(
                step.is_ascii() && step.chars().all(|c| !c.is_control()) && step.len() < 400,
                "{step}"
            );
        }
    }
}

const RULES: &str = r#"{
    "residency": [{"tenant":"bank-*","regions":["r3","r1","r2"]},{"tenant":"nowhere","regions":[]}],
    "pins": [{"tenant":"acme","region":"r1"},{"tenant":"bank-1","region":"r0"}],
    "slots": [{"tenant":"staff-*","slot":"green"}]
}"#;

/// The steps over four regions and the rules above, up to the slot's.
#[track_caller]
fn steps(by: (&str, &str), primary: usize, tenant: &str, health: &[RegionStatus]) -> Vec<String> {
    let router = with_rules(&[1; 4], by.0, by.1, primary, RULES);
    let explained = router.explain(id(tenant), health, &no_release(&router));
    let mut steps = explained.steps;
    if explained.outcome.is_ok() {
        let slot = steps.pop().unwrap();
        assert_eq!(slot, "slot: no release gives green a share, so blue");
    }
    steps
}

#[test]
fn without_a_rule_the_primary_or_the_hash_decides_over_all_regions() {
    assert_eq!(
        steps(("primary", "ordered"), 2, "joe", &[]),
        [
            "primary: tenants are not sticky, so r2, the primary",
            "health: r2 is up, so it serves",
        ]
    );
    assert_eq!(
        steps(("hash", "ordered"), 2, "joe", &[]),
        [
            "hash: SipHash-1-3 of \"joe\" is 0x42db3bcc5ed35439; mod 4 regions is 1, so r1",
            "health: r1 is up, so it serves",
        ]
    );
}

#[test]
fn a_residency_rule_is_named_and_the_choice_is_among_what_it_allows() {
    let rule = "residency: rule \"bank-*\" allows r1, r2, r3";
    assert_eq!(
        steps(("primary", "ordered"), 3, "bank-7", &[]),
        [
            rule,
            "primary: tenants are not sticky, so r3, the primary",
            "health: r3 is up, so it serves",
        ]
    );
    assert_eq!(
        steps(("primary", "ordered"), 0, "bank-7", &[]),
        [
            rule,
            "primary: tenants are not sticky and r0 is not allowed, so r1, the first that is",
            "health: r1 is up, so it serves",
        ]
    );
    assert_eq!(
        steps(("hash", "ordered"), 0, "bank-7", &[]),
        [
            rule,
            "hash: SipHash-1-3 of \"bank-7\" is 0xe0697ced21f69e12; mod 3 allowed regions is 2, so r3",
            "health: r3 is up, so it serves",
        ]
    );
    assert_eq!(
        steps(("rendezvous", "ordered"), 0, "bank-7", &[]),
        [
            rule,
            "rendezvous: SipHash-1-3 of \"bank-7\" is 0xe0697ced21f69e12; bucket 57449 of 65536 prefers r3, r2, r1, so r3",
            "health: r3 is up, so it serves",
        ]
    );
    assert_eq!(
        steps(("hash", "ordered"), 0, "nowhere", &[]),
        ["residency: rule \"nowhere\" allows no region, so none serves"]
    );
}

#[test]
fn a_pin_takes_the_place_of_the_rule_unless_residency_forbids_it() {
    assert_eq!(
        steps(("hash", "ordered"), 0, "acme", &[]),
        [
            "pin: rule \"acme\" pins it to r1, so r1",
            "health: r1 is up, so it serves",
        ]
    );
    assert_eq!(
        steps(("primary", "ordered"), 1, "bank-1", &[]),
        [
            "residency: rule \"bank-*\" allows r1, r2, r3",
            "pin: rule \"bank-1\" pins it to r0, which residency does not allow: ignored",
            "primary: tenants are not sticky, so r1, the primary",
            "health: r1 is up, so it serves",
        ]
    );
}

#[test]
fn a_failover_says_who_is_left_and_why_this_one_of_them() {
    let health = |by, health: &[RegionStatus]| steps(by, 1, "bank-7", health).pop().unwrap();
    let ordered = ("primary", "ordered");
    assert_eq!(
        health(ordered, &[UP, DOWN, DRAINING, UP]),
        "health: r1 is down; ordered: the next region after r1 that is up, so r3"
    );
    assert_eq!(
        health(ordered, &[UP, FORBIDDEN, DRAINING, DOWN]),
        "health: r1 is forbidden; ordered: the next region after r1 that is draining, so r2"
    );
    assert_eq!(
        health(ordered, &[UP, DRAINING, DOWN, DOWN]),
        "health: r1 is draining, so it serves"
    );
    assert_eq!(
        health(ordered, &[UP, FORBIDDEN, DOWN, DOWN]),
        "health: no allowed region is up or draining, and r1 is forbidden; ordered: the next region after r1 that is down, so r2 as if all were up"
    );
    assert_eq!(
        health(ordered, &[UP, DOWN, DOWN, DOWN]),
        "health: no allowed region is up or draining, so r1 as if all were up"
    );
    assert_eq!(
        health(ordered, &[UP, FORBIDDEN, FORBIDDEN, FORBIDDEN]),
        "health: residency_unavailable: every region allowed for this tenant is forbidden"
    );
    let round_robin = ("primary", "round_robin");
    assert_eq!(
        health(round_robin, &[UP, DOWN, UP, UP]),
        "health: r1 is down; round_robin: fmix64 of the hash is 0x0ea7926790f21195; mod 2 regions that are up is 1, so r3"
    );
    assert_eq!(
        health(round_robin, &[UP, DOWN, DOWN, DRAINING]),
        "health: r1 is down; round_robin: fmix64 of the hash is 0x0ea7926790f21195; mod 1 regions that are draining is 0, so r3"
    );
    let rendezvous = ("primary", "rendezvous");
    assert_eq!(
        health(rendezvous, &[UP, DOWN, UP, UP]),
        "health: r1 is down; rendezvous: of those that are up it prefers r3, r2, so r3"
    );
    assert_eq!(
        health(rendezvous, &[UP, DOWN, UP, DRAINING]),
        "health: r1 is down; rendezvous: of those that are up it prefers r2, so r2"
    );
    assert_eq!(
        health(rendezvous, &[UP, DOWN, DRAINING, DOWN]),
        "health: r1 is down; rendezvous: of those that are draining it prefers r2, so r2"
    );
}

#[test]
fn a_slot_rule_is_named_while_it_applies() {
    let router = with_rules(&[1; 4], "primary", "ordered", 0, RULES);
    let last = |tenant, phase| {
        let slots = router.slot_rule(Some(ReleaseView {
            id: "r1",
            phase,
            weight: Weight::new(0).unwrap(),
        }));
        router.explain(id(tenant), &[], &slots).steps.pop().unwrap()
    };
    assert_eq!(
        last("staff-ann", Phase::Canary),
        "slot: rule \"staff-*\" says green"
    );
    assert_eq!(
        last("staff-ann", Phase::RollbackInProgress),
        "slot: no release gives green a share, so blue"
    );
    assert!(last("joe", Phase::Canary).starts_with("slot: bucket "));
}

#[test]
fn eight_regions_are_listed_and_of_nine_the_rest_is_a_number() {
    for (count, more) in [
        (1, ""),
        (2, ""),
        (8, ""),
        (9, " and 1 more"),
        (12, " and 4 more"),
    ] {
        let router = router(count, "rendezvous", "ordered", 0);
        let bucket = (router.hash(id("acme")) >> 48) as u16;
        let names: Vec<String> = router
            .rendezvous
            .draws()
            .order(bucket)
            .iter()
            .map(|(place, _)| format!("r{place}"))
            .collect();
        let shown = names[..count.min(8)].join(", ");
        assert_eq!(
            router.explain(id("acme"), &[], &no_release(&router)).steps[0],
            format!(
                "rendezvous: SipHash-1-3 of \"acme\" is 0x3dd3f1b03a8aef94; bucket 15827 of 65536 prefers {shown}{more}, so {}",
                names[0]
            )
        );
    }
}
