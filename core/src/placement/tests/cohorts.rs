//! Blue and green: who is in the canary.

use super::*;
use crate::release::{Phase, Weight};

fn slots(router: &Router, release: &str, phase: Phase, percent: i64) -> SlotRule {
    router.slot_rule(Some(ReleaseView {
        id: release,
        phase,
        weight: Weight::new(percent).unwrap(),
    }))
}

fn canary(router: &Router, release: &str, percent: i64) -> SlotRule {
    slots(router, release, Phase::Canary, percent)
}

fn hashes(router: &Router, count: usize) -> Vec<u64> {
    tenants(count)
        .iter()
        .map(|tenant| router.hash(id(tenant)))
        .collect()
}

fn is_green(rule: &SlotRule, h: u64) -> bool {
    rule.slot(h) == Slot::Green
}

#[test]
fn cohorts_nest_for_every_pair_of_weights() {
    let router = router(3, "hash", "ordered", 0);
    let rules: Vec<SlotRule> = (0..=100)
        .map(|percent| canary(&router, "r1", percent))
        .collect();
    for h in hashes(&router, 4000) {
        let greens: Vec<bool> = rules.iter().map(|rule| is_green(rule, h)).collect();
        assert!(
            greens.is_sorted(),
            "a tenant left the canary while it grew: {greens:?}"
        );
        assert!(!greens[0], "0 is none");
        assert!(greens[100], "100 is all");
    }
}

#[test]
fn every_weight_adds_tenants() {
    let router = router(3, "hash", "ordered", 0);
    let hashes = hashes(&router, 4000);
    let green = |percent| {
        hashes
            .iter()
            .filter(|h| is_green(&canary(&router, "r1", percent), **h))
            .count()
    };
    let counts: Vec<usize> = (0..=100).map(green).collect();
    assert!(counts.is_sorted_by(|a, b| a < b), "{counts:?}");
}

#[test]
fn the_share_of_green_is_the_weight_within_four_sigma() {
    let router = router(3, "hash", "ordered", 0);
    let (count, hashes) = (20_000_u64, hashes(&router, 20_000));
    for release in ["r1", "r2", "\u{1f426}"] {
        for percent in [1, 2, 5, 10, 25, 50, 75, 90, 99] {
            let rule = canary(&router, release, percent);
            let green = hashes.iter().filter(|h| is_green(&rule, **h)).count() as u64;
            let p = percent as u64;
            // In units of 1/100 of a tenant: expectation n·p, variance n·p·(100 - p).
            let off = (green * 100).abs_diff(count * p);
            assert!(
                off * off <= 16 * count * p * (100 - p),
                "{release} at {percent}%: {green} of {count}"
            );
        }
    }
}

#[test]
fn region_and_slot_are_uncorrelated() {
    for count in 2..=6 {
        let router = router(count, "hash", "ordered", 0);
        for percent in [10, 50] {
            let rule = canary(&router, "r1", percent);
            let (mut homes, mut greens) = (alloc::vec![0_u64; count], alloc::vec![0_u64; count]);
            for tenant in tenants(12_000) {
                let home = index(&router, &tenant, &[]);
                homes[home] += 1;
                greens[home] += u64::from(is_green(&rule, router.hash(id(&tenant))));
            }
            let expected: Vec<u64> = homes
                .iter()
                .map(|home| home * percent as u64 / 100)
                .collect();
            assert!(
                chi_square(&greens, &expected) < 35_000,
                "{greens:?} of {homes:?} at {percent}%"
            );
        }
    }
}

#[test]
fn two_releases_draw_different_cohorts() {
    let router = router(3, "hash", "ordered", 0);
    let (one, two) = (canary(&router, "r1", 10), canary(&router, "r2", 10));
    let hashes = hashes(&router, 20_000);
    let both = hashes
        .iter()
        .filter(|h| is_green(&one, **h) && is_green(&two, **h))
        .count();
    // Independent cohorts share a tenth of a tenth: 200, sigma 14.
    assert!((140..=260).contains(&both), "{both} tenants are in both");
}

#[test]
fn two_keys_draw_different_cohorts() {
    let hashes = hashes(&router(3, "hash", "ordered", 0), 5000);
    let rule = |byte| {
        let key = HashKey::from_bytes([byte; 16]);
        SlotRule::new(
            &key,
            Some(ReleaseView {
                id: "r1",
                phase: Phase::Canary,
                weight: Weight::new(50).unwrap(),
            }),
        )
    };
    let both = hashes
        .iter()
        .filter(|h| is_green(&rule(1), **h) && is_green(&rule(2), **h))
        .count();
    assert!((1100..=1400).contains(&both), "{both} tenants are in both");
}

#[test]
fn a_tenant_keeps_its_colour_when_it_fails_over() {
    for policy in ["ordered", "round_robin"] {
        let router = router(3, "hash", policy, 0);
        let rule = canary(&router, "r1", 30);
        for tenant in tenants(500) {
            let at_home = router.route(id(&tenant), &[], &rule).unwrap();
            for lost in 0..3 {
                for how in [DOWN, DRAINING, FORBIDDEN] {
                    let mut health = [UP; 3];
                    health[lost] = how;
                    assert_eq!(
                        router.route(id(&tenant), &health, &rule).unwrap().slot,
                        at_home.slot
                    );
                }
            }
            assert_eq!(
                router.route(id(&tenant), &[DOWN; 3], &rule).unwrap().slot,
                at_home.slot
            );
        }
    }
}

#[test]
fn each_state_of_a_release_has_its_share_of_green() {
    let router = router(3, "hash", "ordered", 0);
    for (phase, percent, below) in [
        (Phase::Idle, 100, 0),
        (Phase::GreenProvisioned, 0, 0),
        (Phase::Canary, 0, 0),
        (Phase::Canary, 1, 100),
        (Phase::Canary, 100, 10_000),
        (Phase::GreenLive, 100, 10_000),
        (Phase::RollbackInProgress, 100, 0),
    ] {
        assert_eq!(
            slots(&router, "r1", phase, percent).green_below(),
            below,
            "{phase} {percent}"
        );
    }
    assert_eq!(no_release(&router).green_below(), 0);
}

#[test]
fn the_bucket_at_the_edge_is_the_first_that_is_blue() {
    let router = router(3, "hash", "ordered", 0);
    for percent in [0, 1, 50, 99] {
        let rule = canary(&router, "r1", percent);
        let at = |bucket: u64| (0..).find(|h| rule.bucket(*h) == bucket).unwrap();
        let edge = percent as u64 * 100;
        assert_eq!(rule.slot(at(edge)), Slot::Blue, "{percent}%");
        if percent > 0 {
            assert_eq!(rule.slot(at(edge - 1)), Slot::Green, "{percent}%");
        }
    }
}
