//! Law 4 over all 65,536 buckets: who moves, who does not, and in which shares.

use super::*;

/// Regions by name and weight under one key, `rendezvous` for both rules.
#[derive(Clone)]
struct Configuration {
    key: &'static str,
    regions: Vec<(String, u16)>,
}

/// Great and small weights, spares, names that are alike, one region, nothing but spares, two keys.
fn configurations() -> Vec<Configuration> {
    let zero = "00000000000000000000000000000000";
    let counted = "000102030405060708090a0b0c0d0e0f";
    let sets: [(&str, &[(&str, u16)]); 6] = [
        (
            zero,
            &[
                ("us-east", 4),
                ("us-west", 2),
                ("eu-west", 1),
                ("ap-south", 0),
            ],
        ),
        (
            counted,
            &[
                ("us-east", 4),
                ("us-west", 2),
                ("eu-west", 1),
                ("ap-south", 0),
            ],
        ),
        (
            counted,
            &[("r1", 1), ("r10", 1), ("r11", 1), ("r2", 1), ("R3", 1)],
        ),
        (zero, &[("a", 65_535), ("b", 1), ("c", 30_000)]),
        (counted, &[("only", 3)]),
        (zero, &[("a", 0), ("b", 0), ("c", 0)]),
    ];
    let owned = |regions: &[(&str, u16)]| {
        let regions = regions.iter();
        regions
            .map(|(name, weight)| (name.to_string(), *weight))
            .collect()
    };
    sets.map(|(key, regions)| Configuration {
        key,
        regions: owned(regions),
    })
    .into()
}

impl Configuration {
    fn of(regions: &[(&str, u16)]) -> Self {
        let regions = regions.iter();
        Self {
            key: "00000000000000000000000000000000",
            regions: regions
                .map(|(name, weight)| (name.to_string(), *weight))
                .collect(),
        }
    }

    /// The name of every bucket's first region.
    fn map(&self) -> Vec<&str> {
        let names: Vec<&str> = self.regions.iter().map(|(name, _)| name.as_str()).collect();
        let weights: Vec<String> = self
            .regions
            .iter()
            .map(|(name, weight)| format!("{name}={weight}"))
            .collect();
        let router = Router::from_lookup(&env(&[
            ("REGIONS", &names.join(",")),
            ("REGION_WEIGHTS", &weights.join(",")),
            ("TENANT_STICKY", "rendezvous"),
            ("FAILOVER_POLICY", "rendezvous"),
            ("TENANT_HASH_KEY", self.key),
        ]))
        .unwrap();
        let first = |bucket| usize::from(router.rendezvous.draws().first(bucket));
        (0..=u16::MAX).map(|bucket| names[first(bucket)]).collect()
    }

    /// What the weights count for: all are 1 where all are 0.
    fn weight(&self, name: &str) -> u64 {
        let spare = self.regions.iter().all(|(_, weight)| *weight == 0);
        let mut found = self.regions.iter().filter(|(known, _)| known == name);
        found
            .next()
            .map_or(0, |(_, weight)| if spare { 1 } else { u64::from(*weight) })
    }

    fn whole(&self) -> u64 {
        self.regions.iter().map(|(name, _)| self.weight(name)).sum()
    }
}

/// The buckets that moved, each with where it was and where it is.
fn moved<'m>(was: &[&'m str], is: &[&'m str]) -> impl Iterator<Item = (&'m str, &'m str)> {
    let both = was.iter().copied().zip(is.iter().copied());
    both.filter(|(was, is)| was != is)
}

#[test]
fn reordering_regions_moves_nobody() {
    for configuration in configurations() {
        let before = configuration.map();
        let mut turned = configuration.clone();
        for _ in 1..turned.regions.len() {
            turned.regions.rotate_left(1);
            assert!(turned.map() == before);
        }
        turned.regions.reverse();
        assert!(turned.map() == before);
    }
}

#[test]
fn removing_a_region_moves_exactly_its_own_buckets() {
    for configuration in configurations()
        .into_iter()
        .filter(|all| all.regions.len() > 1)
    {
        let before = configuration.map();
        for gone in 0..configuration.regions.len() {
            let mut rest = configuration.clone();
            let (name, _) = rest.regions.remove(gone);
            for (was, is) in before.iter().zip(&rest.map()) {
                assert_eq!(
                    *was == name,
                    was != is,
                    "{was} became {is} when {name} went"
                );
            }
        }
    }
}

#[test]
fn adding_a_region_moves_buckets_only_to_it_and_about_its_share() {
    let mut one_by_one: Vec<Configuration> = alloc::vec![];
    let names: Vec<String> = (0..11).map(|n| format!("r{n}")).collect();
    for count in 1..=names.len() {
        let regions: Vec<(&str, u16)> = names[..count]
            .iter()
            .map(|name| (name.as_str(), 1))
            .collect();
        one_by_one.push(Configuration::of(&regions));
    }
    for configuration in configurations().into_iter().chain(one_by_one) {
        let before = configuration.map();
        let weights: &[u16] = if configuration.regions.len() > 5 {
            &[1]
        } else {
            &[0, 1, 5, 65_535]
        };
        for weight in weights {
            let mut grown = configuration.clone();
            grown.regions.push(("new".into(), *weight));
            let after = grown.map();
            assert!(moved(&before, &after).all(|(_, is)| is == "new"));
            let share = grown.weight("new");
            within_four_sigma(moved(&before, &after).count() as u64, share, grown.whole());
        }
    }
}

#[test]
fn a_changed_weight_moves_buckets_only_to_or_from_its_region() {
    for configuration in configurations() {
        let before = configuration.map();
        for place in 0..configuration.regions.len() {
            let (name, was) = configuration.regions[place].clone();
            for weight in [0, 1, was.saturating_add(1), was.saturating_sub(1), 65_535] {
                let mut changed = configuration.clone();
                changed.regions[place].1 = weight;
                let after = changed.map();
                for (left, reached) in moved(&before, &after) {
                    let side = if weight > was { reached } else { left };
                    assert_eq!(side, name, "{left} became {reached} by {was} to {weight}");
                }
                // Where its share changed by far more than chance, somebody moved.
                let share = |all: &Configuration| all.weight(&name) * 1000 / all.whole();
                let apart = share(&configuration).abs_diff(share(&changed));
                assert!(
                    apart < 10 || moved(&before, &after).count() > 100,
                    "{name} {was} to {weight}"
                );
            }
        }
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
    let names: Vec<String> = (0..40).map(|n| format!("region-{n}")).collect();
    let of = |weights: &[u16]| {
        let regions = names
            .iter()
            .map(String::as_str)
            .zip(weights.iter().copied());
        Configuration::of(&regions.collect::<Vec<_>>())
    };
    for configuration in sets
        .iter()
        .map(|weights| of(weights))
        .chain(configurations())
    {
        let map = configuration.map();
        for (name, _) in &configuration.regions {
            let seen = map.iter().filter(|found| *found == name).count();
            within_four_sigma(
                seen as u64,
                configuration.weight(name),
                configuration.whole(),
            );
        }
    }
}

/// `seen` of 65,536 buckets, where each has the chance `part / all`. Buckets draw independently, so
/// their number is binomial: n·p expected, sigma² = n·p·(1 - p).
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
