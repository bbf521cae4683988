//! Every health subset of up to six regions, every policy, every rule of the first choice, every
//! residency of up to four regions, against the contract written down a second time.

use super::oracle::Question;
use super::*;

/// Every way `count` regions can be.
pub(super) fn all_health(count: usize) -> impl Iterator<Item = Vec<RegionStatus>> {
    (0..4_usize.pow(count as u32)).map(move |code| {
        (0..count)
            .map(|region| STATUSES[code >> (2 * region) & 3])
            .collect()
    })
}

/// Calls `check` for every router of up to six regions.
fn for_every_router(mut check: impl FnMut(&Router, usize, &str, &str, usize)) {
    for count in 1..=6 {
        for policy in POLICIES {
            for sticky in ["hash", "rendezvous"] {
                check(&router(count, sticky, policy, 0), count, sticky, policy, 0);
            }
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

/// A residency for everybody: none, or one of these sets of regions.
fn residencies(count: usize) -> Vec<Option<Vec<usize>>> {
    let regions = |set: usize| (0..count).filter(|region| set >> region & 1 == 1).collect();
    let sets: Vec<usize> = match count {
        1..=4 => (0..1 << count).collect(),
        5 => alloc::vec![0b10101, 0b00110, 0b11111, 0b01000],
        _ => alloc::vec![0b10101, 0b00110],
    };
    let rules = sets.into_iter().map(|set| Some(regions(set)));
    core::iter::once(None).chain(rules).collect()
}

/// Everybody's residency, and a tenant pinned to each region.
fn rules(residency: Option<&[usize]>, count: usize) -> String {
    let names = |regions: &[usize]| -> Vec<String> {
        regions
            .iter()
            .map(|region| format!("\"r{region}\""))
            .collect()
    };
    let residency = residency.map_or(String::new(), |regions| {
        format!(
            r#"{{"tenant":"*","regions":[{}]}}"#,
            names(regions).join(",")
        )
    });
    let pins: Vec<String> = (0..count)
        .map(|region| format!(r#"{{"tenant":"pin{region}","region":"r{region}"}}"#))
        .collect();
    format!(
        r#"{{"residency":[{residency}],"pins":[{}]}}"#,
        pins.join(",")
    )
}

/// Tenants of one bucket and another, and one pinned to each region (of many, to the first and the last).
fn asked(count: usize) -> Vec<(String, Option<usize>)> {
    let pins = (0..count).filter(|region| count <= 4 || [0, count - 1].contains(region));
    let pinned = pins.map(|region| (format!("pin{region}"), Some(region)));
    let others = ["tenant0", "Zo\u{eb}"].map(|tenant| (tenant.into(), None));
    others.into_iter().chain(pinned).collect()
}

#[test]
fn every_answer_is_the_contracts() {
    let mut answers = 0_u32;
    for count in 1..=6 {
        let names: Vec<String> = (0..count).map(|n| format!("r{n}")).collect();
        // Two of equal weight, one of none, and one of them all alone where there is one.
        let weights: Vec<u16> = [3, 0, 1, 1, 65_535, 2][..count].to_vec();
        let health: Vec<Vec<RegionStatus>> = all_health(count).collect();
        for residency in residencies(count) {
            let rules = rules(residency.as_deref(), count);
            for policy in POLICIES {
                for (sticky, primary) in [("hash", 0), ("rendezvous", 0), ("primary", count / 2)] {
                    let router = with_rules(&weights, sticky, policy, primary, &rules);
                    for (tenant, pin) in asked(count) {
                        let question = Question {
                            names: &names,
                            weights: &weights,
                            key: HashKey::default(),
                            sticky,
                            policy,
                            primary,
                            residency: residency.as_deref(),
                            pin,
                            h: router.hash(id(&tenant)),
                        };
                        answers += check_all_health(&router, &tenant, &question, &health);
                    }
                }
            }
        }
    }
    assert!(answers > 500_000, "only {answers} answers were checked");
}

fn check_all_health(
    router: &Router,
    tenant: &str,
    question: &Question<'_>,
    health: &[Vec<RegionStatus>],
) -> u32 {
    let slots = no_release(router);
    let names: Vec<RegionName> = router.regions().to_vec();
    let place = |name: &RegionName| names.iter().position(|known| known == name).unwrap();
    let preferred = router.preferred(id(tenant)).map(place).ok();
    assert_eq!(preferred, question.preferred().map(|(region, _)| region));
    for health in health {
        let case = || {
            let Question {
                sticky,
                policy,
                primary,
                residency,
                pin,
                ..
            } = question;
            format!(
                "{tenant} {sticky} {policy} primary r{primary} {residency:?} {pin:?} {health:?}"
            )
        };
        match (
            router.route(id(tenant), health, &slots),
            question.answer(health),
        ) {
            (Ok(found), Some((region, reason))) => {
                assert_eq!(
                    (place(found.region), found.reason),
                    (region, reason),
                    "{}",
                    case()
                );
                assert_ne!(health[region], FORBIDDEN, "{}", case());
                assert!(
                    question.residency.is_none_or(|rule| rule.contains(&region)),
                    "{}",
                    case()
                );
                assert_eq!(Some(place(found.preferred)), preferred, "{}", case());
            }
            (Err(why), None) => assert_eq!(
                why == ResidencyUnavailable::NoneAllowed,
                question.residency.is_some_and(<[usize]>::is_empty),
                "{}",
                case()
            ),
            (found, expected) => panic!("{found:?} instead of {expected:?}: {}", case()),
        }
    }
    health.len() as u32
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
                    .iter()
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
