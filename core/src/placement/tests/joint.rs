//! Who moves between two routers, against every bucket and against many tenants.

use super::*;

const STICKIES: [&str; 3] = ["primary", "hash", "rendezvous"];

/// Counts as parts of a million, by place under either.
fn millionths(joint: &Joint) -> Vec<(Option<usize>, Option<usize>, u64)> {
    let parts = joint.pairs().map(|(from, to, count)| {
        (
            from,
            to,
            (u128::from(count) * 1_000_000 / u128::from(joint.total())) as u64,
        )
    });
    parts.collect()
}

/// Where a tenant is, or nowhere.
fn at(router: &Router, tenant: &str, health: &[RegionStatus]) -> Option<usize> {
    let decided = router.decide(id(tenant), health, &no_release(router));
    decided.ok().map(|decision| decision.region)
}

#[test]
fn counts_are_what_many_tenants_do_under_every_pair_of_rules_and_healths() {
    let many = tenants(20_000);
    let healths: [&[RegionStatus]; 5] = [
        &[],
        &[DOWN],
        &[UP, DOWN, DRAINING, FORBIDDEN],
        &[DOWN, DRAINING, DOWN, DRAINING],
        &[FORBIDDEN; 4],
    ];
    let mut cases = 0;
    for sticky in STICKIES {
        for policy in POLICIES {
            let from = router(3, sticky, policy, 0);
            for (others_sticky, others_policy, health, others_health) in [
                (sticky, policy, healths[0], healths[1]),
                ("hash", "round_robin", healths[1], healths[1]),
                ("rendezvous", "rendezvous", healths[1], healths[2]),
                ("hash", "rendezvous", healths[3], healths[2]),
                ("primary", "round_robin", healths[0], healths[3]),
                ("hash", "ordered", healths[4], healths[2]),
            ] {
                let to = router(4, others_sticky, others_policy, 0);
                let joint = from.joint(health, &to, others_health, None);
                let mut seen = alloc::collections::BTreeMap::new();
                for tenant in &many {
                    let places = (at(&from, tenant, health), at(&to, tenant, others_health));
                    *seen.entry(places).or_insert(0_u64) += 1;
                }
                let expected = millionths(&joint);
                for ((from_place, to_place), count) in &seen {
                    let of = (*count * 50) as i64;
                    let part = expected
                        .iter()
                        .find(|(from, to, _)| from == from_place && to == to_place);
                    let part = part.map_or(0, |(.., part)| *part as i64);
                    // Five times what chance makes of 20,000.
                    assert!(
                        (part - of).abs() < 20_000,
                        "{sticky} {policy} {others_sticky} {others_policy} {health:?} {others_health:?}: {from_place:?} {to_place:?} {part} {of}"
                    );
                }
                let all: u64 = joint.pairs().map(|(.., count)| count).sum();
                assert_eq!(all, joint.total());
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 54);
}

#[test]
fn buckets_are_counted_one_by_one() {
    let from = with_rules(&[1, 2, 3], "rendezvous", "rendezvous", 0, "{}");
    let to = with_rules(&[3, 2, 1], "rendezvous", "ordered", 0, "{}");
    let health = [UP, UP, DOWN];
    let joint = from.joint(&health, &to, &[], None);
    assert!(joint.is_exact());
    let mut counts = [[0_u64; 3]; 3];
    for bucket in 0..=u16::MAX {
        let of = |router: &Router, up: usize| {
            router
                .rendezvous
                .draws()
                .first_of(bucket, |place| usize::from(place) < up)
        };
        let (from, to) = (of(&from, 2).unwrap(), of(&to, 3).unwrap());
        counts[usize::from(from)][usize::from(to)] += 1;
    }
    for (from, to, count) in joint.pairs() {
        let expected = counts[from.unwrap()][to.unwrap()];
        assert_eq!(count * 65_536, expected * joint.total());
    }
}

#[test]
fn remainders_are_counted_over_their_least_common_multiple() {
    let stay = |from: usize, to: usize| {
        let (from, to) = (
            router(from, "hash", "ordered", 0),
            router(to, "hash", "ordered", 0),
        );
        let joint = from.joint(&[], &to, &[], None);
        let pairs = joint.pairs().filter(|(from, to, _)| from == to);
        assert!(joint.is_exact());
        (pairs.map(|(.., count)| count).sum::<u64>(), joint.total())
    };
    assert_eq!(stay(3, 3), (3, 3));
    assert_eq!(stay(3, 4), (3, 12));
    assert_eq!(stay(4, 6), (4, 12));
    assert_eq!(stay(6, 3), (3, 6));
    assert_eq!(stay(1, 7), (1, 7));
}

#[test]
fn under_another_key_everybody_is_drawn_anew() {
    let keyed = |key: &str| {
        let env = env(&[
            ("REGIONS", "a,b,c"),
            ("TENANT_STICKY", "hash"),
            ("TENANT_HASH_KEY", key),
        ]);
        Router::from_lookup(&env).unwrap()
    };
    let (from, to) = (keyed(""), keyed("000102030405060708090a0b0c0d0e0f"));
    let joint = from.joint(&[], &to, &[], None);
    assert!(!joint.is_exact());
    assert_eq!(joint.total(), 9);
    assert!(joint.pairs().all(|(.., count)| count == 1));
}

#[test]
fn a_group_of_a_rule_moves_within_what_its_rule_allows() {
    let rules = r#"{"residency":[{"tenant":"bank-*","regions":["r1","r2"]}],"pins":[{"tenant":"vip-*","region":"r0"}]}"#;
    let of = |count: usize| with_rules(&alloc::vec![1; count], "hash", "ordered", 0, rules);
    let (from, to) = (of(3), of(4));
    let banks = from.joint(&[], &to, &[UP, DOWN], Some(id("bank-*")));
    assert_eq!(
        millionths(&banks),
        [(Some(1), Some(2), 500_000), (Some(2), Some(2), 500_000)]
    );
    let vips = from.joint(&[], &to, &[DOWN], Some(id("vip-*")));
    assert_eq!(millionths(&vips), [(Some(0), Some(1), 1_000_000)]);
    let none = from.joint(&[], &to, &[UP, FORBIDDEN, FORBIDDEN], Some(id("bank-*")));
    assert!(none.pairs().all(|(_, to, _)| to.is_none()));
}
