//! Every health subset of up to six regions, both policies, both rules of the first choice.

use super::*;

/// The contract's text, written down a second time: by name of region, with lists instead of walks.
fn oracle(
    regions: &[usize],
    health: &[RegionStatus],
    sticky: &str,
    policy: &str,
    primary: usize,
    h: u64,
) -> Option<(usize, Reason)> {
    let with = |wanted: RegionStatus| -> Vec<usize> {
        regions
            .iter()
            .copied()
            .filter(|region| health[*region] == wanted)
            .collect()
    };
    let (first, rule) = match sticky {
        "hash" => (
            regions[(u128::from(h) % regions.len() as u128) as usize],
            Reason::Hash,
        ),
        _ => (primary, Reason::Primary),
    };
    let take = |candidates: &[usize]| -> usize {
        if candidates.contains(&first) {
            return first;
        }
        match policy {
            "ordered" => {
                let mut around = regions
                    .iter()
                    .chain(regions)
                    .skip_while(|region| **region != first);
                *around.find(|region| candidates.contains(region)).unwrap()
            }
            _ => candidates[(u128::from(murmur(h)) % candidates.len() as u128) as usize],
        }
    };
    let (up, draining, down) = (with(UP), with(DRAINING), with(DOWN));
    if !up.is_empty() || !draining.is_empty() {
        let region = take(if up.is_empty() { &draining } else { &up });
        return Some((
            region,
            if region == first {
                rule
            } else {
                Reason::Failover
            },
        ));
    }
    (!down.is_empty()).then(|| (take(&down), Reason::AllDown))
}

fn murmur(mut k: u64) -> u64 {
    for (shift, factor) in [(33, 0xff51_afd7_ed55_8ccd_u64), (33, 0xc4ce_b9fe_1a85_ec53)] {
        k = (k ^ (k >> shift)).wrapping_mul(factor);
    }
    k ^ (k >> 33)
}

/// Every way `count` regions can be.
fn all_health(count: usize) -> impl Iterator<Item = Vec<RegionStatus>> {
    (0..4_usize.pow(count as u32)).map(move |code| {
        (0..count)
            .map(|region| STATUSES[code >> (2 * region) & 3])
            .collect()
    })
}

/// Calls `check` for every router of up to six regions.
fn for_every_router(mut check: impl FnMut(&Router, usize, &str, &str, usize)) {
    for count in 1..=6 {
        for policy in ["ordered", "round_robin"] {
            check(&router(count, "hash", policy, 0), count, "hash", policy, 0);
            for primary in [0, count / 2, count - 1] {
                check(
                    &router(count, "primary", policy, primary),
                    count,
                    "primary",
                    policy,
                    primary,
                );
            }
        }
    }
}

#[test]
fn every_answer_is_the_contracts() {
    let tenants = tenants(7);
    let mut answers = 0_u32;
    for_every_router(|router, count, sticky, policy, primary| {
        let regions: Vec<usize> = (0..count).collect();
        let names: Vec<RegionName> = router.regions().cloned().collect();
        let slots = no_release(router);
        let hashes: Vec<u64> = tenants
            .iter()
            .map(|tenant| router.hash(id(tenant)))
            .collect();
        for health in all_health(count) {
            for (tenant, h) in tenants.iter().zip(&hashes) {
                let expected = oracle(&regions, &health, sticky, policy, primary, *h);
                let found = router.route(id(tenant), &health, &slots);
                let case = || format!("{tenant} {sticky} {policy} primary r{primary} {health:?}");
                match (found, expected) {
                    (Ok(found), Some((region, reason))) => {
                        assert_eq!(
                            (found.region, found.reason),
                            (&names[region], reason),
                            "{}",
                            case()
                        );
                        assert_ne!(health[region], FORBIDDEN, "{}", case());
                        assert_eq!(found.preferred, router.preferred(id(tenant)), "{}", case());
                    }
                    (Err(ResidencyUnavailable), None) => {}
                    (found, expected) => panic!("{found:?} instead of {expected:?}: {}", case()),
                }
                answers += 1;
            }
        }
    });
    assert!(answers > 200_000, "only {answers} answers were checked");
}

#[test]
fn an_answer_is_up_if_any_region_is_and_draining_only_if_none_is() {
    let tenants = tenants(3);
    for_every_router(|router, count, _, _, _| {
        for health in all_health(count.min(4)) {
            for tenant in &tenants {
                let health: Vec<RegionStatus> = (0..count)
                    .map(|region| health[region % health.len()])
                    .collect();
                let Ok(found) = router.route(id(tenant), &health, &no_release(router)) else {
                    assert!(health.iter().all(|status| *status == FORBIDDEN));
                    continue;
                };
                let serves = health[router
                    .regions()
                    .position(|region| region == found.region)
                    .unwrap()];
                let best = [UP, DRAINING, DOWN]
                    .into_iter()
                    .find(|status| health.contains(status))
                    .unwrap();
                assert_eq!(serves, best);
                assert_eq!(found.reason == Reason::AllDown, best == DOWN);
            }
        }
    });
}

#[test]
fn a_region_that_comes_back_gets_exactly_its_former_tenants() {
    let tenants = tenants(300);
    for_every_router(|router, count, _, _, _| {
        let map = |health: &[RegionStatus]| -> Vec<usize> {
            tenants
                .iter()
                .map(|tenant| index(router, tenant, health))
                .collect()
        };
        let before = map(&[]);
        for lost in 0..count {
            for how in [DOWN, DRAINING, FORBIDDEN] {
                let mut health = alloc::vec![UP; count];
                health[lost] = how;
                if count > 1 {
                    let during = map(&health);
                    for (was, is) in before.iter().zip(&during) {
                        assert_eq!(
                            *was == lost,
                            was != is,
                            "only the lost region's tenants move"
                        );
                    }
                }
                health[lost] = UP;
                assert_eq!(map(&health), before);
            }
        }
    });
}

#[test]
fn all_down_equals_all_up() {
    let tenants = tenants(100);
    for_every_router(|router, count, _, _, _| {
        for tenant in &tenants {
            let all_down = alloc::vec![DOWN; count];
            assert_eq!(index(router, tenant, &all_down), index(router, tenant, &[]));
            let placement = router
                .route(id(tenant), &all_down, &no_release(router))
                .unwrap();
            assert_eq!(placement.reason, Reason::AllDown);
        }
    });
}

#[test]
fn a_region_without_a_status_counts_as_up_and_a_status_without_a_region_is_ignored() {
    let router = router(3, "hash", "ordered", 0);
    for tenant in tenants(50) {
        let first = index(&router, &tenant, &[]);
        assert_eq!(
            index(&router, &tenant, &[UP, UP, UP, FORBIDDEN, DOWN]),
            first
        );
        assert_eq!(
            index(&router, &tenant, &[DOWN]),
            if first == 0 { 1 } else { first }
        );
    }
}

#[test]
fn with_every_region_forbidden_there_is_no_answer_and_the_error_says_why() {
    for count in [1, 3] {
        let error = router(count, "hash", "ordered", 0)
            .route(
                id("acme"),
                &alloc::vec![FORBIDDEN; count],
                &SlotRule::new(&HashKey::default(), None),
            )
            .unwrap_err();
        assert!(
            error.to_string().starts_with("residency_unavailable"),
            "{error}"
        );
    }
}
