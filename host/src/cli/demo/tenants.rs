//! The tenants of the demo, drawn from a seed: the same ones for the same number.

use std::collections::BTreeSet;

/// So many tenants ask.
pub(super) const TENANTS: usize = 1_000;

const NAMES: [&str; 20] = [
    "acme",
    "globex",
    "initech",
    "umbrella",
    "hooli",
    "stark",
    "wayne",
    "soylent",
    "oscorp",
    "tyrell",
    "aperture",
    "cyberdyne",
    "gringotts",
    "monarch",
    "nakatomi",
    "oceanic",
    "sirius",
    "vandelay",
    "weyland",
    "wonka",
];

/// Their ids, each once, in the order in which they ask.
pub(super) fn drawn(seed: u64) -> Vec<String> {
    let mut draws = Draws(seed);
    let mut known = BTreeSet::new();
    let mut tenants = Vec::new();
    while tenants.len() < TENANTS {
        let name = NAMES[draws.below(NAMES.len())];
        let id = format!("{name}-{:03}", draws.below(1_000));
        if known.insert(id.clone()) {
            tenants.push(id);
        }
    }
    tenants
}

/// A seed that nobody named, short enough to be typed.
pub(super) fn any_seed() -> u64 {
    let mut bits = [0; 2];
    // Without randomness it is only always the same one.
    let _ = getrandom::fill(&mut bits);
    u64::from(u16::from_le_bytes(bits))
}

/// SplitMix64.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_tenants_again_and_another_one_others() {
        let seven = drawn(7);
        assert_eq!(seven, drawn(7));
        assert_ne!(seven, drawn(8));
        let each_once: BTreeSet<_> = seven.iter().collect();
        assert_eq!(each_once.len(), TENANTS);
    }
}
