//! Blue and green: who is in the canary.

use super::*;
use crate::hash::fmix64;
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

/// A hash for each of the 10,000 slot buckets of a rule.
fn of_every_bucket(rule: &SlotRule) -> Vec<u64> {
    let (mut found, mut missing) = (alloc::vec![None; 10_000], 10_000);
    for h in 0_u64.. {
        let place = &mut found[rule.bucket(h) as usize];
        missing -= u32::from(place.is_none());
        place.get_or_insert(h);
        if missing == 0 {
            break;
        }
    }
    found.into_iter().flatten().collect()
}

#[test]
fn cohorts_nest_for_every_weight_and_every_bucket_and_are_exactly_as_great() {
    let router = router(3, "hash", "ordered", 0);
    let rules: Vec<SlotRule> = (0..=100)
        .map(|percent| canary(&router, "r1", percent))
        .collect();
    let mut green = [0_u32; 101];
    for h in of_every_bucket(&rules[0]) {
        let greens = rules.iter().map(|rule| is_green(rule, h));
        assert!(
            greens.clone().is_sorted(),
            "a tenant left the canary while it grew"
        );
        for (count, is_green) in green.iter_mut().zip(greens) {
            *count += u32::from(is_green);
        }
    }
    // So 0 is none and 100 is all.
    assert!(
        green
            .iter()
            .copied()
            .eq((0..=100).map(|percent| percent * 100)),
        "{green:?}"
    );
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

/// Hashes as evenly spread as a tenant's, many and cheap.
fn spread(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(fmix64)
}

/// How far the numbers of region and class are from those of independence: the chi-squared statistic of
/// their table, in thousandths, and its degrees of freedom.
fn dependence(
    pairs: impl Iterator<Item = (usize, usize)>,
    regions: usize,
    classes: usize,
) -> (u64, u64) {
    let mut seen = alloc::vec![0_u64; regions * classes];
    pairs.for_each(|(region, class)| seen[region * classes + class] += 1);
    let row = |region: usize| seen[region * classes..][..classes].iter().sum::<u64>();
    let column = |class: usize| seen.iter().skip(class).step_by(classes).sum::<u64>();
    let all: u64 = seen.iter().sum();
    let cells = (0..regions).flat_map(|region| (0..classes).map(move |class| (region, class)));
    let (seen, expected): (Vec<u64>, Vec<u64>) = cells
        .map(|(region, class)| {
            (
                seen[region * classes + class],
                row(region) * column(class) / all,
            )
        })
        .unzip();
    (
        chi_square(&seen, &expected),
        ((regions - 1) * (classes - 1)) as u64,
    )
}

/// Mean plus six sigma of chi-squared with `degrees` of freedom, in thousandths: beyond it lies less
/// than one in ten thousand for every number of degrees here.
fn bound(degrees: u64) -> u64 {
    degrees * 1000 + 6000 * (2 * degrees).isqrt() + 6000
}

#[test]
fn region_and_slot_are_uncorrelated() {
    // A slot taken from the hash without mixing it again shares its remainders with the region: classes
    // of slot buckets by remainder see that, by tenth they see a shared beginning.
    for count in [2, 3, 5, 8, 16] {
        for sticky in ["hash", "rendezvous"] {
            let router = router(count, sticky, "ordered", 0);
            let rule = canary(&router, "r1", 1);
            let home = |h| router.everybody.choice(h, router.rendezvous.draws());
            for classes in [2, 5, 8, 10, 16] {
                let pairs = spread(20_000).map(|h| (home(h), (rule.bucket(h) % classes) as usize));
                let (off, degrees) = dependence(pairs, count, classes as usize);
                assert!(
                    off < bound(degrees),
                    "{off} {degrees}: {count} regions by {sticky}, remainder by {classes}"
                );
            }
            let pairs = spread(20_000).map(|h| (home(h), (rule.bucket(h) / 1000) as usize));
            let (off, degrees) = dependence(pairs, count, 10);
            assert!(
                off < bound(degrees),
                "{off} {degrees}: {count} regions by {sticky}, by tenth"
            );
        }
    }
}

#[test]
fn the_measure_of_dependence_sees_a_slot_that_is_not_mixed() {
    let pairs = spread(20_000).map(|h| ((h % 2) as usize, (h % 10_000 % 2) as usize));
    let (off, degrees) = dependence(pairs, 2, 2);
    assert!(off > 100 * bound(degrees));
    let pairs = spread(20_000).map(|h| ((h >> 63) as usize, ((h >> 48) % 10_000 / 1000) as usize));
    let (off, degrees) = dependence(pairs, 2, 10);
    assert!(off > bound(degrees), "{off}");
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
