//! Three ways to a bucket's first region, over all buckets: computed, looked up, and by the page.

use super::*;
use crate::hash::fmix64;

/// Names and weights, and what a region draws with, as `docs/placement.md` has it.
struct Page {
    regions: Vec<(String, u64, u64)>,
    points: Vec<u64>,
}

impl Page {
    fn new(key: &HashKey, regions: &[(String, u16)]) -> Self {
        let seed = |name: &str| fmix64(key.sip13(format!("region\0{name}").as_bytes()));
        Self {
            regions: regions
                .iter()
                .map(|(name, weight)| (name.clone(), u64::from(*weight), seed(name)))
                .collect(),
            points: log2_points().map(u64::from).collect(),
        }
    }

    /// Step by step, nothing left out and nothing computed before it is asked for.
    fn first(&self, bucket: u16) -> usize {
        let order = self.regions.iter().enumerate().map(|(place, region)| {
            let (name, weight, seed) = region;
            let d = fmix64(seed ^ u64::from(bucket)) >> 32;
            let (i, f) = ((d >> 24) as usize, d % (1 << 24));
            let l = self.points[i] - (self.points[i] - self.points[i + 1]) * f / (1 << 24);
            let score = l * (u64::from(u32::MAX) / weight.max(&1));
            (*weight == 0, score, name, place)
        });
        order.min().unwrap().3
    }
}

/// `TENANT_STICKY=rendezvous` over these regions, every `step`th bucket.
fn agrees(key: &str, regions: &[(String, u16)], step: usize) {
    let join = |items: Vec<String>| items.join(",");
    let router = Router::from_lookup(&env(&[
        (
            "REGIONS",
            &join(regions.iter().map(|(name, _)| name.clone()).collect()),
        ),
        (
            "REGION_WEIGHTS",
            &join(
                regions
                    .iter()
                    .map(|(name, weight)| format!("{name}={weight}"))
                    .collect(),
            ),
        ),
        ("TENANT_STICKY", "rendezvous"),
        ("TENANT_HASH_KEY", key),
    ]))
    .unwrap();
    let page = Page::new(&HashKey::from_hex(key).unwrap(), regions);
    let prepared = (step == 1).then(|| router.clone().prepare());
    for bucket in (0..=u16::MAX).step_by(step) {
        let expected = page.first(bucket);
        // Whatever is below the bucket decides nothing.
        let h = u64::from(bucket) << 48 | fmix64(bucket.into()) >> 16;
        assert_eq!(
            router.everybody.choice(h, router.rendezvous.draws()),
            expected,
            "{bucket}"
        );
        if let Some(prepared) = &prepared {
            let place = prepared.everybody.choice(h, prepared.rendezvous.draws());
            assert_eq!(place, expected, "{bucket}, prepared");
        }
    }
}

fn weighted(count: usize, weight: impl Fn(usize) -> u16) -> Vec<(String, u16)> {
    // Out of the order of names, so that places and names differ.
    (0..count)
        .map(|n| (format!("r{}", n * 389 % 1024), weight(n)))
        .collect()
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const ZERO: &str = "00000000000000000000000000000000";

#[test]
fn computed_looked_up_and_by_the_page_every_bucket_has_the_same_first_region() {
    let extreme = [0, 1, 65_535, 2, 65_534, 3, 32_768, 0];
    for key in [ZERO, KEY] {
        agrees(key, &weighted(1, |_| 1), 1);
        agrees(key, &weighted(1, |_| 0), 1);
        agrees(key, &weighted(2, |n| [1, 65_535][n]), 1);
        agrees(key, &weighted(3, |_| 1), 1);
        agrees(key, &weighted(3, |_| 65_535), 1);
        agrees(key, &weighted(5, |_| 0), 1);
        agrees(key, &weighted(8, |n| n as u16 + 1), 1);
        agrees(key, &weighted(8, |n| extreme[n]), 1);
    }
    agrees(KEY, &weighted(33, |n| [0, 7, 7, 900][n % 4]), 1);
}

#[test]
fn so_it_is_with_256_and_with_1024_regions() {
    for (count, step) in [(256, 31), (257, 31), (1024, 127)] {
        agrees(ZERO, &weighted(count, |_| 1), step);
        agrees(KEY, &weighted(count, |n| (n * 64) as u16), step);
    }
}

#[test]
fn a_place_beyond_a_byte_is_looked_up_whole() {
    // All of the weight on places on both sides of 255.
    let regions = weighted(300, |n| if matches!(n, 254..=257 | 299) { 9 } else { 0 });
    agrees(ZERO, &regions, 1);
}
