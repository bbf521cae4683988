//! Remainders without a division.

/// A number from 1 to 2^16 to divide by many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Divisor {
    n: u64,
    /// `ceil(2^64 / n)`, mod 2^64.
    low: u64,
    /// `ceil(2^64 (2^32 mod n) / n)`.
    high: u64,
}

impl Divisor {
    /// None: every remainder is 0.
    pub(super) const NONE: Self = Self {
        n: 0,
        low: 0,
        high: 0,
    };

    /// Of the slots' buckets.
    pub(super) const TEN_THOUSAND: Self = Self {
        n: 10_000,
        low: 1_844_674_407_370_956,
        high: 13_458_744_476_178_488_860,
    };

    /// `None` for 0 and for more than 2^16.
    pub(super) fn new(n: u64) -> Option<Self> {
        if !matches!(n, 1..=65_536) {
            return None;
        }
        Some(Self {
            n,
            low: fraction(1, n)?.0,
            high: fraction((1_u64 << 32).checked_rem(n)?, n)?.0,
        })
    }

    /// `h / n` without its whole part, in units of 2^-64: `2^64 (h mod n) / n`, and less than 2^33 more.
    ///
    /// With `h = 2^32 a + b`, it is that of `a (2^32 mod n) / n + b / n`. Each half multiplies what its
    /// constant was rounded up by, less than 1, by less than 2^32; whole parts leave at the top.
    #[inline]
    pub(super) fn fraction(self, h: u64) -> u64 {
        let (a, b) = (h >> 32, h & 0xffff_ffff);
        a.wrapping_mul(self.high)
            .wrapping_add(b.wrapping_mul(self.low))
    }

    /// `h mod n`, for every `h`.
    ///
    /// Source: the principle is that of Lemire, Kaser and Kurz, "Faster remainder by direct computation"
    /// (2019).
    #[inline]
    pub(super) fn remainder(self, h: u64) -> u64 {
        // A product of 128 bits is one instruction here, and longer than a division there.
        if cfg!(target_arch = "wasm32") {
            self.by_narrow_product(h)
        } else {
            self.by_wide_product(h)
        }
    }

    /// The fraction's part of `n`, of which the rounding is less than 2^-15.
    #[inline]
    fn by_wide_product(self, h: u64) -> u64 {
        let product = u128::from(self.fraction(h)).wrapping_mul(u128::from(self.n));
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// The fraction's upper half, plus 1, is above `2^32 (h mod n) / n` by at most 3, so `n` times it is
    /// above `2^32 (h mod n)` by less than 2^32.
    #[inline]
    fn by_narrow_product(self, h: u64) -> u64 {
        (self.fraction(h) >> 32)
            .wrapping_add(1)
            .wrapping_mul(self.n)
            >> 32
    }

    /// What `fraction(h)` is below exactly when `h mod n` is below `part`, for a part up to `n`.
    pub(super) fn fraction_of(self, part: u64) -> u64 {
        match fraction(part, self.n) {
            Some((fraction, false)) => fraction,
            // All of it.
            _ => u64::MAX,
        }
    }
}

/// `ceil(2^64 part / n)` mod 2^64, and whether that took 2^64 away; for a part and an `n` up to 2^16. By hand
/// in two steps: a division of 128 bits is a kilobyte of code where a processor has none.
fn fraction(part: u64, n: u64) -> Option<(u64, bool)> {
    let upper = part << 32;
    let (high, rest) = (upper.checked_div(n)?, upper.checked_rem(n)? << 32);
    let low = rest.div_ceil(n);
    let (sum, over) = (high << 32).overflowing_add(low);
    Some((sum, over || high >> 32 > 0))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// Numbers at which a quotient or a product turns over.
    fn edges(n: u64) -> impl Iterator<Item = u64> {
        let last = u64::MAX - u64::MAX % n;
        let whole = [0, n, n * n, last, u64::MAX, 1 << 32, 1 << 48, 1 << 63];
        let near = whole.into_iter().flat_map(|edge| {
            let (below, above) = (edge.wrapping_sub(2), edge.wrapping_add(2));
            [
                below,
                below.wrapping_add(1),
                edge,
                above.wrapping_sub(1),
                above,
            ]
        });
        let mut multiple = u64::MAX;
        let halves = core::iter::from_fn(move || {
            multiple /= 2;
            (multiple > 0).then(|| multiple - multiple % n)
        });
        near.chain(halves.flat_map(|multiple| [multiple, multiple.wrapping_sub(1), multiple + 1]))
    }

    #[test]
    fn the_remainder_is_the_divisions_for_every_number_of_regions() {
        let mut h = 0x9e37_79b9_7f4a_7c15_u64;
        for n in (1..=1024).chain([10_000, 65_535, 65_536]) {
            let divisor = Divisor::new(n).unwrap();
            for edge in edges(n) {
                assert_eq!(divisor.by_wide_product(edge), edge % n, "{edge} mod {n}");
                assert_eq!(divisor.by_narrow_product(edge), edge % n, "{edge} mod {n}");
            }
            for _ in 0..500 {
                h = crate::hash::fmix64(h.wrapping_add(1));
                assert_eq!(divisor.by_wide_product(h), h % n, "{h} mod {n}");
                assert_eq!(divisor.by_narrow_product(h), h % n, "{h} mod {n}");
            }
        }
        assert_eq!(Divisor::new(10_000), Some(Divisor::TEN_THOUSAND));
        assert_eq!(Divisor::new(0).or(Divisor::new(65_537)), None);
    }

    #[test]
    fn a_fraction_is_below_that_of_a_part_exactly_when_the_remainder_is_below_the_part() {
        for n in [1, 2, 3, 7, 1024, 10_000, 65_536] {
            let divisor = Divisor::new(n).unwrap();
            for part in [0, 1, 2, n / 3, n / 2, n - 1, n] {
                let limit = divisor.fraction_of(part);
                let around = edges(n).flat_map(|edge| [edge, edge.wrapping_add(part)]);
                for h in around.flat_map(|h| [h.wrapping_sub(1), h, h.wrapping_add(1)]) {
                    let below = divisor.fraction(h) < limit;
                    assert_eq!(below, h % n < part, "{h} mod {n} below {part}");
                }
            }
        }
    }
}
