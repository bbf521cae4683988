//! Rendezvous: the order of every bucket is the page's, prepared or not, and spares serve last.

use super::super::everybody::LookUp;
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
                .name(router.rendezvous.draws().first(bucket).into())
                .to_string()
        })
        .collect()
}

const FOUR: [(&str, u16); 4] = [
    ("us-east", 4),
    ("us-west", 2),
    ("eu-west", 1),
    ("ap-south", 0),
];

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
            .draws()
            .order(bucket)
            .iter()
            .map(|(place, _)| *place)
            .collect();
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(router.rendezvous.draws().first(bucket), 1);
        assert_eq!(
            router
                .rendezvous
                .draws()
                .first_of(bucket, |place| place != 1),
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
            .draws()
            .order(bucket)
            .iter()
            .map(|(place, _)| usize::from(*place))
            .collect();
        assert_eq!(order, question.order(&[0, 1, 2, 3]), "{bucket}");
        assert_eq!(
            usize::from(router.rendezvous.draws().first(bucket)),
            order[0]
        );
        let rest = router
            .rendezvous
            .draws()
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
            assert_eq!(table.first(bucket), router.rendezvous.draws().first(bucket));
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
        let first = router.rendezvous.draws().first(bucket);
        assert!(first > 0, "weight 0 never");
        assert_eq!(router.rendezvous.draws().order(bucket).len(), 1024);
        assert_eq!(router.rendezvous.draws().order(bucket)[0].0, first);
    }
}
