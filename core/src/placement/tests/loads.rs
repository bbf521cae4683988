//! What survivors of a lost region have to carry.

use super::*;
use crate::config::FailoverPolicy;

fn worst(router: &Router, policy: FailoverPolicy) -> Option<(u64, usize, usize)> {
    let load = router.loads().worst(policy)?;
    Some((load.percent, load.region, load.lost))
}

fn weighted(weights: &[u16], sticky: &str) -> Router {
    with_rules(weights, sticky, "ordered", 0, "{}")
}

#[test]
fn ordered_failover_doubles_a_neighbour_and_round_robin_spreads() {
    let router = weighted(&[1, 1, 1, 1], "hash");
    let shares: Vec<u64> = router.loads().shares().collect();
    assert_eq!(shares, [2500; 4]);
    assert_eq!(worst(&router, FailoverPolicy::Ordered), Some((200, 1, 0)));
    assert_eq!(
        worst(&router, FailoverPolicy::RoundRobin),
        Some((133, 1, 0))
    );
    let (rendezvous, ..) = worst(&router, FailoverPolicy::Rendezvous).unwrap();
    assert!((133..=136).contains(&rendezvous), "{rendezvous}");
}

#[test]
fn with_weights_the_small_neighbour_of_a_great_region_is_worst_off() {
    let router = weighted(&[8, 1, 1], "rendezvous");
    let (percent, region, lost) = worst(&router, FailoverPolicy::Ordered).unwrap();
    assert!((860..=940).contains(&percent), "{percent}");
    assert_eq!((region, lost), (1, 0));
    let (percent, ..) = worst(&router, FailoverPolicy::Rendezvous).unwrap();
    assert!(
        (480..=520).contains(&percent),
        "an eighth each of eight tenths: {percent}"
    );
    let shares: Vec<u64> = router.loads().shares().collect();
    assert!((7900..=8100).contains(&shares[0]), "{shares:?}");
}

#[test]
fn a_region_that_has_nothing_has_no_load_to_compare() {
    assert_eq!(
        worst(&weighted(&[1, 0], "rendezvous"), FailoverPolicy::Ordered),
        Some((100, 0, 1))
    );
    assert_eq!(
        worst(&weighted(&[1], "hash"), FailoverPolicy::Ordered),
        None
    );
    // All tenants are at the primary, so nobody else has any.
    let router = weighted(&[1, 1, 1], "primary");
    assert_eq!(router.loads().shares().collect::<Vec<_>>(), [10_000, 0, 0]);
    assert_eq!(
        worst(&router, FailoverPolicy::RoundRobin),
        Some((100, 0, 1))
    );
}

#[test]
fn a_share_is_rounded_to_the_nearest_hundredth_of_a_percent() {
    let shares = |count| {
        weighted(&alloc::vec![1; count], "hash")
            .loads()
            .shares()
            .next()
    };
    assert_eq!(
        (shares(3), shares(6), shares(7)),
        (Some(3333), Some(1667), Some(1429))
    );
}

#[test]
fn with_many_regions_their_weights_say_what_is_likely() {
    let router = weighted(&[1; 1000], "rendezvous");
    assert!(router.loads().shares().all(|share| share == 10));
    assert_eq!(
        worst(&router, FailoverPolicy::Ordered),
        Some((200, 1, 0)),
        "no region is worse off than another by the luck of a sample"
    );
    assert_eq!(worst(&router, FailoverPolicy::Rendezvous).unwrap().0, 100);

    let weights: Vec<u16> = (0..100)
        .map(|region| if region == 7 { 10 } else { 1 })
        .collect();
    let router = weighted(&weights, "rendezvous");
    assert_eq!(router.loads().shares().nth(7), Some(917));
    assert_eq!(worst(&router, FailoverPolicy::Ordered), Some((1100, 8, 7)));
    assert_eq!(worst(&router, FailoverPolicy::Rendezvous).unwrap().0, 110);

    let router = weighted(&[0; 100], "rendezvous");
    assert!(router.loads().shares().all(|share| share == 100));
}

#[test]
fn after_the_last_region_in_order_comes_the_first() {
    let mut weights = [0; 65];
    (weights[0], weights[64]) = (1, 8);
    let router = weighted(&weights, "rendezvous");
    assert_eq!(worst(&router, FailoverPolicy::Ordered), Some((900, 0, 64)));
}

/// The worst load under `rendezvous`, counted over the first two regions of each bucket. A region that is
/// lost gives up those buckets that `gives_up` says of their first region and it.
fn worst_by_count(
    firsts: &[(usize, usize)],
    shares: [u64; 3],
    gives_up: fn(usize, usize) -> bool,
) -> (u64, usize, usize) {
    let mut worst = (0, 0, 0);
    for lost in 0..3 {
        let mut load = shares;
        for (first, second) in firsts.iter().filter(|(first, _)| gives_up(*first, lost)) {
            load[if *first == lost { *second } else { *first }] += 1;
        }
        for region in (0..3).filter(|region| *region != lost) {
            let percent = load[region] * 100 / shares[region];
            if percent > worst.0 {
                worst = (percent, region, lost);
            }
        }
    }
    worst
}

#[test]
fn up_to_64_regions_loads_under_rendezvous_are_counted_and_not_estimated() {
    let by_rendezvous = weighted(&[8, 1, 2], "rendezvous");
    let firsts: Vec<(usize, usize)> = (0..=u16::MAX)
        .map(|bucket| by_rendezvous.rendezvous.draws().order(bucket))
        .map(|order| (order[0].0.into(), order[1].0.into()))
        .collect();
    let mut shares = [0; 3];
    firsts.iter().for_each(|(first, _)| shares[*first] += 1);
    let of_its_own = worst_by_count(&firsts, shares, |first, lost| first == lost);
    let policy = FailoverPolicy::Rendezvous;
    assert_eq!(worst(&by_rendezvous, policy), Some(of_its_own));
    assert_ne!(of_its_own.0, 366, "what the weights make likely");

    // By hash a region has tenants of all buckets, and as many as any other.
    let of_all = worst_by_count(&firsts, [65_536; 3], |_, _| true);
    assert_eq!(worst(&weighted(&[8, 1, 2], "hash"), policy), Some(of_all));
}

#[test]
fn rendezvous_failover_is_counted_bucket_by_bucket() {
    let router = weighted(&[1, 2, 3], "rendezvous");
    let pairs: Vec<(usize, usize)> = (0..=u16::MAX)
        .map(|bucket| {
            let first = router.rendezvous.draws().first(bucket);
            let second = router
                .rendezvous
                .draws()
                .first_of(bucket, |place| place != first);
            (usize::from(first), usize::from(second.unwrap()))
        })
        .collect();
    let count = |of: &dyn Fn(&(usize, usize)) -> bool| pairs.iter().filter(|pair| of(pair)).count();
    let mut expected = Vec::new();
    for lost in 0..3 {
        for region in (0..3).filter(|region| *region != lost) {
            let has = count(&|pair| pair.0 == region);
            let gets = count(&|pair| *pair == (lost, region));
            expected.push(((has + gets) * 100 / has) as u64);
        }
    }
    let (percent, ..) = worst(&router, FailoverPolicy::Rendezvous).unwrap();
    assert_eq!(Some(&percent), expected.iter().max());
    assert_ne!(
        percent, 166,
        "what the weights make likely is another number"
    );
}
