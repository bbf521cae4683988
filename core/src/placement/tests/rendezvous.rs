//! Rendezvous: who moves, who does not, and in which shares.

use super::oracle::Question;
use super::*;

/// Regions by name and weight, in this order; `rendezvous` for both rules.
fn by_weight(regions: &[(&str, u16)]) -> Router {
    let names: Vec<&str> = regions.iter().map(|(name, _)| *name).collect();
    let weights: Vec<String> = regions
        .iter()
        .map(|(name, weight)| format!("{name}={weight}"))
        .collect();
    Router::from_lookup(&env(&[
        ("REGIONS", &names.join(",")),
        ("REGION_WEIGHTS", &weights.join(",")),
        ("TENANT_STICKY", "rendezvous"),
        ("FAILOVER_POLICY", "rendezvous"),
    ]))
    .unwrap()
}

/// The name of every bucket's first region.
fn map(router: &Router) -> Vec<String> {
    (0..=u16::MAX)
        .map(|bucket| {
            router
                .name(router.rendezvous.first(bucket).into())
                .to_string()
        })
        .collect()
}

fn count(map: &[String], name: &str) -> u64 {
    map.iter().filter(|found| *found == name).count() as u64
}

const FOUR: [(&str, u16); 4] = [
    ("us-east", 4),
    ("us-west", 2),
    ("eu-west", 1),
    ("ap-south", 0),
];

#[test]
fn reordering_regions_moves_nobody() {
    let before = map(&by_weight(&FOUR));
    let mut turned = FOUR;
    for _ in 0..4 {
        turned.rotate_left(1);
        assert_eq!(map(&by_weight(&turned)), before);
    }
    turned.reverse();
    assert_eq!(map(&by_weight(&turned)), before);
}

#[test]
fn removing_a_region_moves_only_its_own_buckets() {
    let before = map(&by_weight(&FOUR));
    for gone in 0..4 {
        let mut regions = FOUR.to_vec();
        let (name, _) = regions.remove(gone);
        let after = map(&by_weight(&regions));
        for (was, is) in before.iter().zip(&after) {
            assert_eq!(was == name, was != is, "{was} became {is} when {name} went");
        }
    }
}

#[test]
fn adding_a_region_moves_buckets_only_to_it_and_about_its_share() {
    let mut regions: Vec<(String, u16)> = alloc::vec![("r0".into(), 1)];
    let mut before = map(&by_weight(&[("r0", 1)]));
    for added in 1..12_u64 {
        let name = format!("r{added}");
        regions.push((name.clone(), 1));
        let named: Vec<(&str, u16)> = regions
            .iter()
            .map(|(name, weight)| (name.as_str(), *weight))
            .collect();
        let after = map(&by_weight(&named));
        let moved = before.iter().zip(&after).filter(|(was, is)| was != is);
        assert!(moved.clone().all(|(_, is)| *is == name));
        within_four_sigma(moved.count() as u64, 1, added + 1);
        before = after;
    }
}

#[test]
fn a_changed_weight_moves_buckets_only_to_or_from_its_region() {
    for (before, after) in [
        (1, 2),
        (2, 1),
        (5, 0),
        (0, 5),
        (1, 65_535),
        (65_535, 65_534),
    ] {
        let with = |weight| map(&by_weight(&[("a", 3), ("b", weight), ("c", 1), ("d", 7)]));
        let (was, is) = (with(before), with(after));
        let mut moved = 0;
        for (was, is) in was.iter().zip(&is).filter(|(was, is)| was != is) {
            assert_eq!(
                if after > before { is } else { was },
                "b",
                "{was} became {is}"
            );
            moved += 1;
        }
        assert!(moved > 0 || before == 65_535, "{before} to {after}");
    }
}

#[test]
fn shares_are_the_weights_within_four_sigma() {
    let sets: [&[u16]; 7] = [
        &[1, 1, 1],
        &[1, 2, 3, 4],
        &[1, 10, 100],
        &[65_535, 65_535, 1],
        &[30_000, 65_535],
        &[0, 5, 0, 5],
        &[1; 40],
    ];
    for weights in sets {
        let names: Vec<String> = (0..weights.len()).map(|n| format!("region-{n}")).collect();
        let named: Vec<(&str, u16)> = names
            .iter()
            .map(String::as_str)
            .zip(weights.iter().copied())
            .collect();
        let map = map(&by_weight(&named));
        let all: u64 = weights.iter().copied().map(u64::from).sum();
        for (name, weight) in named {
            within_four_sigma(count(&map, name), weight.into(), all);
        }
    }
}

/// `seen` of 65,536 buckets, where each has the chance `part / all`.
fn within_four_sigma(seen: u64, part: u64, all: u64) {
    let (seen, n) = (
        i128::from(seen) * i128::from(all),
        65_536 * i128::from(part),
    );
    let (part, all) = (i128::from(part), i128::from(all));
    // In units of 1/all of a bucket: variance n·p·(1 - p)·all². The 16 is for one bucket at least.
    let variance = 65_536 * part * (all - part);
    assert!(
        (seen - n).pow(2) <= 16 * variance.max(all * all / 16),
        "{seen} of {n} at {part}/{all}"
    );
}

#[test]
fn a_weight_of_zero_serves_only_when_nothing_else_is_up_and_all_zero_is_all_one() {
    let router = by_weight(&[("a", 1), ("b", 0), ("c", 0)]);
    for tenant in tenants(200) {
        assert_eq!(index(&router, &tenant, &[]), 0);
        assert_ne!(index(&router, &tenant, &[DOWN, UP, UP]), 0);
    }
    let spares: Vec<usize> = tenants(200)
        .iter()
        .map(|tenant| index(&router, tenant, &[DOWN]))
        .collect();
    assert!(
        spares.contains(&1) && spares.contains(&2),
        "both take their part"
    );
    let (zero, one) = (
        by_weight(&[("a", 0), ("b", 0)]),
        by_weight(&[("a", 1), ("b", 1)]),
    );
    assert_eq!(map(&zero), map(&one));
}

#[test]
fn a_lost_regions_tenants_spread_by_the_weights_of_the_others() {
    let router = by_weight(&[("a", 2), ("b", 2), ("c", 1), ("d", 1)]);
    let (mut homes, mut lost) = ([0_u64; 4], 0);
    for tenant in tenants(20_000) {
        if index(&router, &tenant, &[]) == 0 {
            lost += 1;
            homes[index(&router, &tenant, &[DOWN])] += 1;
        }
    }
    let expected = [lost / 2, lost / 4, lost / 4];
    assert!(
        chi_square(&homes[1..], &expected) < 20_000,
        "{homes:?} of {lost}"
    );
}

#[test]
fn equal_scores_go_to_the_smaller_name() {
    // Under one seed for all, every bucket is a tie of equal weights.
    let mut router = by_weight(&[("c", 1), ("a", 1), ("b", 1)]);
    router.rendezvous.draw_alike();
    for bucket in [0, 1, 777, u16::MAX] {
        let order: Vec<u16> = router
            .rendezvous
            .order(bucket)
            .iter()
            .map(|(place, _)| *place)
            .collect();
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(router.rendezvous.first(bucket), 1);
        assert_eq!(
            router.rendezvous.first_of(bucket, |place| place != 1),
            Some(2)
        );
    }
}

#[test]
fn the_order_of_every_bucket_is_the_pages() {
    let names: Vec<String> = FOUR.iter().map(|(name, _)| name.to_string()).collect();
    let weights: Vec<u16> = FOUR.iter().map(|(_, weight)| *weight).collect();
    let router = by_weight(&FOUR);
    for bucket in 0..=u16::MAX {
        let question = Question {
            names: &names,
            weights: &weights,
            key: HashKey::default(),
            sticky: "rendezvous",
            policy: "rendezvous",
            primary: 0,
            residency: None,
            pin: None,
            h: u64::from(bucket) << 48 | 0xdead_beef,
        };
        let order: Vec<usize> = router
            .rendezvous
            .order(bucket)
            .iter()
            .map(|(place, _)| usize::from(*place))
            .collect();
        assert_eq!(order, question.order(&[0, 1, 2, 3]), "{bucket}");
        assert_eq!(usize::from(router.rendezvous.first(bucket)), order[0]);
        let rest = router
            .rendezvous
            .first_of(bucket, |place| usize::from(place) != order[0]);
        assert_eq!(rest.map(usize::from), Some(order[1]));
    }
}

#[test]
fn a_prepared_table_gives_the_same_answer_for_every_bucket() {
    for regions in [&FOUR[..], &[("only", 1)], &[("a", 0), ("b", 0)]] {
        let router = by_weight(regions);
        let prepared = router.clone().prepare();
        let Everybody::Prepared(table) = &prepared.everybody else {
            panic!("it is prepared");
        };
        for bucket in 0..=u16::MAX {
            assert_eq!(table.first(bucket), router.rendezvous.first(bucket));
        }
        for tenant in tenants(300) {
            for health in [&[][..], &[DOWN], &[UP, DOWN, DRAINING], &[DOWN; 4]] {
                let slots = no_release(&router);
                assert_eq!(
                    prepared.route(id(&tenant), health, &slots),
                    router.route(id(&tenant), health, &slots)
                );
            }
        }
    }
    let by_hash = router(3, "hash", "rendezvous", 0).prepare();
    assert!(
        matches!(by_hash.everybody, Everybody::Hash(_)),
        "nothing to prepare"
    );
}

#[test]
fn up_to_1024_regions_of_any_weight_have_a_first_region_for_every_bucket() {
    let names: Vec<String> = (0..1024).map(|n| format!("r{n}")).collect();
    let named: Vec<(&str, u16)> = names
        .iter()
        .map(String::as_str)
        .zip((0..1024).map(|n| n * 64))
        .collect();
    let router = by_weight(&named);
    for bucket in (0..=u16::MAX).step_by(257) {
        let first = router.rendezvous.first(bucket);
        assert!(first > 0, "weight 0 never");
        assert_eq!(router.rendezvous.order(bucket).len(), 1024);
        assert_eq!(router.rendezvous.order(bucket)[0].0, first);
    }
}
