//! The contract's text and `docs/placement.md`, written down a second time: by lists instead of walks,
//! in u128 instead of u64, with the logarithm by squaring instead of by table lookup.

use std::sync::OnceLock;

use super::*;

/// One configuration and one tenant.
pub(super) struct Question<'q> {
    pub(super) names: &'q [String],
    pub(super) weights: &'q [u16],
    pub(super) key: HashKey,
    pub(super) sticky: &'q str,
    pub(super) policy: &'q str,
    pub(super) primary: usize,
    /// The residency rule's regions, where one applies.
    pub(super) residency: Option<&'q [usize]>,
    pub(super) pin: Option<usize>,
    pub(super) h: u64,
}

impl Question<'_> {
    /// The regions it may be in, in order.
    fn allowed(&self) -> Vec<usize> {
        let all = 0..self.names.len();
        all.filter(|region| self.residency.is_none_or(|rule| rule.contains(region)))
            .collect()
    }

    /// The first choice and its reason.
    pub(super) fn preferred(&self) -> Option<(usize, Reason)> {
        let allowed = self.allowed();
        if let Some(pin) = self.pin.filter(|pin| allowed.contains(pin)) {
            return Some((pin, Reason::Pinned));
        }
        let (region, rule) = match self.sticky {
            "hash" if !allowed.is_empty() => (
                allowed[(u128::from(self.h) % allowed.len() as u128) as usize],
                Reason::Hash,
            ),
            "rendezvous" => (*self.order(&allowed).first()?, Reason::Rendezvous),
            _ if allowed.contains(&self.primary) => (self.primary, Reason::Primary),
            _ => (*allowed.first()?, Reason::Primary),
        };
        Some(match self.residency {
            Some(_) => (region, Reason::Residency),
            None => (region, rule),
        })
    }

    /// Where it goes, and why.
    pub(super) fn answer(&self, health: &[RegionStatus]) -> Option<(usize, Reason)> {
        let (first, reason) = self.preferred()?;
        let with = |wanted: RegionStatus| -> Vec<usize> {
            let allowed = self.allowed().into_iter();
            allowed.filter(|region| health[*region] == wanted).collect()
        };
        let (up, draining, down) = (with(UP), with(DRAINING), with(DOWN));
        if !up.is_empty() || !draining.is_empty() {
            let region = self.take(first, if up.is_empty() { &draining } else { &up });
            let stays = region == first;
            return Some((region, if stays { reason } else { Reason::Failover }));
        }
        (!down.is_empty()).then(|| (self.take(first, &down), Reason::AllDown))
    }

    fn take(&self, first: usize, candidates: &[usize]) -> usize {
        if candidates.contains(&first) {
            return first;
        }
        match self.policy {
            "ordered" => {
                let all: Vec<usize> = (0..self.names.len()).collect();
                let mut around = all.iter().chain(&all).skip_while(|one| **one != first);
                *around.find(|region| candidates.contains(region)).unwrap()
            }
            "round_robin" => {
                candidates[(u128::from(murmur(self.h)) % candidates.len() as u128) as usize]
            }
            _ => self.order(candidates)[0],
        }
    }

    /// Regions in the order of the tenant's bucket.
    pub(super) fn order(&self, regions: &[usize]) -> Vec<usize> {
        let bucket = self.h >> 48;
        let mut order: Vec<usize> = regions.to_vec();
        order.sort_by_key(|region| {
            let name = &self.names[*region];
            let seed = murmur(self.key.sip13(format!("region\0{name}").as_bytes()));
            let weight = u128::from(self.weights[*region]);
            let inverse = u128::from(u32::MAX) / weight.max(1);
            let score = minus_log2(murmur(seed ^ bucket) >> 32) * inverse;
            (weight == 0, score, name.clone())
        });
        order
    }
}

/// `-log2(draw / 2^32)` in units of 2^-28: between the 257 points of the page a straight line.
fn minus_log2(draw: u64) -> u128 {
    static POINTS: OnceLock<Vec<u128>> = OnceLock::new();
    let points = POINTS.get_or_init(|| log2_points().map(u128::from).collect());
    let (segment, within) = ((draw >> 24) as usize, u128::from(draw % (1 << 24)));
    let (from, to) = (points[segment], points[segment + 1]);
    from - (from - to) * within / (1 << 24)
}

fn murmur(mut k: u64) -> u64 {
    for (shift, factor) in [(33, 0xff51_afd7_ed55_8ccd_u64), (33, 0xc4ce_b9fe_1a85_ec53)] {
        k = (k ^ (k >> shift)).wrapping_mul(factor);
    }
    k ^ (k >> 33)
}
