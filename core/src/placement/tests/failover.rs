//! Who takes the tenants of a region that is gone.

use super::*;

/// How many of the tenants of `lost` each survivor of `health` gets.
fn taken(router: &Router, tenants: &[String], lost: usize, health: &[RegionStatus]) -> Vec<u64> {
    let mut taken = alloc::vec![0; health.len()];
    for tenant in tenants
        .iter()
        .filter(|tenant| index(router, tenant, &[]) == lost)
    {
        taken[index(router, tenant, health)] += 1;
    }
    taken
}

#[test]
fn ordered_gives_all_tenants_of_a_lost_region_to_its_neighbour() {
    let (router, tenants) = (router(4, "hash", "ordered", 0), tenants(400));
    for lost in 0..4 {
        let mut health = [UP; 4];
        health[lost] = DOWN;
        let taken = taken(&router, &tenants, lost, &health);
        assert!(taken[(lost + 1) % 4] > 50, "{taken:?}");
        assert_eq!(
            taken.iter().filter(|count| **count > 0).count(),
            1,
            "{taken:?}"
        );
    }
}

#[test]
fn round_robin_spreads_the_tenants_of_a_lost_region_evenly_over_all_survivors() {
    let tenants = tenants(12_000);
    for count in 3..=6 {
        let router = router(count, "hash", "round_robin", 0);
        for lost in 0..count {
            let mut health = alloc::vec![UP; count];
            health[lost] = DOWN;
            let taken = taken(&router, &tenants, lost, &health);
            assert_eq!(taken[lost], 0);
            let survivors: Vec<u64> = taken
                .into_iter()
                .enumerate()
                .filter(|(at, _)| *at != lost)
                .map(|(_, n)| n)
                .collect();
            let expected = alloc::vec![survivors.iter().sum::<u64>() / survivors.len() as u64; survivors.len()];
            // Four degrees of freedom at most: 30 is less likely than one in 200,000.
            assert!(chi_square(&survivors, &expected) < 30_000, "{survivors:?}");
        }
    }
}

#[test]
fn round_robin_is_uncorrelated_with_the_first_choice() {
    // Six regions with two lost leave four: h mod 6 and h mod 4 share a bit, so a walk that does not
    // mix first would send a region's tenants to half of the survivors.
    let (router, tenants) = (router(6, "hash", "round_robin", 0), tenants(12_000));
    for a in 0..6 {
        for b in a + 1..6 {
            let mut health = [UP; 6];
            (health[a], health[b]) = (DOWN, DOWN);
            for lost in [a, b] {
                let taken = taken(&router, &tenants, lost, &health);
                let survivors: Vec<u64> = taken.into_iter().filter(|count| *count > 0).collect();
                assert_eq!(survivors.len(), 4, "{survivors:?}");
                let expected = [survivors.iter().sum::<u64>() / 4; 4];
                assert!(chi_square(&survivors, &expected) < 30_000, "{survivors:?}");
            }
        }
    }
}

#[test]
fn the_first_choice_spreads_evenly_over_the_regions() {
    for count in 2..=6 {
        let router = router(count, "hash", "ordered", 0);
        let mut homes = alloc::vec![0_u64; count];
        for tenant in tenants(12_000) {
            homes[index(&router, &tenant, &[])] += 1;
        }
        assert!(
            chi_square(&homes, &alloc::vec![12_000 / count as u64; count]) < 35_000,
            "{homes:?}"
        );
    }
}

#[test]
fn the_answer_depends_on_nothing_but_the_question() {
    let (router, tenants) = (router(5, "hash", "round_robin", 0), tenants(200));
    let health = [DOWN, UP, DRAINING, UP, FORBIDDEN];
    let forwards: Vec<usize> = tenants
        .iter()
        .map(|tenant| index(&router, tenant, &health))
        .collect();
    let mut backwards: Vec<usize> = tenants
        .iter()
        .rev()
        .map(|tenant| index(&router, tenant, &health))
        .collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
}
