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
