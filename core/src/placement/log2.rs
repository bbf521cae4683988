//! The logarithm that weights rest on, in integers.

#[cfg(any(test, target_arch = "wasm32"))]
use core::sync::atomic::{AtomicU32, Ordering};

/// `T[i] = floor(2^28 * -log2(i / 256) + 1/2)` for `i` from 1 to 256, and
/// `T[0] = floor(2^28 * (8 + 2 / ln 2) + 1/2)`.
///
/// The logarithm has no end at 0; with this one, its mean from 0 to 1/256 is the true mean.
#[rustfmt::skip]
static POINTS: [u32; 257] = [
    2_922_024_650, 2_147_483_648, 1_879_048_192, 1_722_023_516, 1_610_612_736, 1_524_195_821, 1_453_588_060, 1_393_890_049,
    1_342_177_280, 1_296_563_385, 1_255_760_365, 1_218_849_544, 1_185_152_604, 1_154_154_425, 1_125_454_593, 1_098_735_689,
    1_073_741_824, 1_050_263_696, 1_028_127_929, 1_007_189_289, 987_324_909, 968_429_918, 950_414_088, 933_199_232,
    916_717_148, 900_907_994, 885_718_969, 871_103_253, 857_019_137, 843_429_304, 830_300_233, 817_601_702,
    805_306_368, 793_389_412, 781_828_240, 770_602_222, 759_692_473, 749_081_658, 738_753_833, 728_694_293,
    718_889_453, 709_326_733, 699_994_462, 690_881_794, 681_978_632, 673_275_558, 664_763_776, 656_435_057,
    648_281_692, 640_296_451, 632_472_538, 624_803_565, 617_283_513, 609_906_709, 602_667_797, 595_561_717,
    588_583_681, 581_729_157, 574_993_848, 568_373_679, 561_864_777, 555_463_466, 549_166_246, 542_969_786,
    536_870_912, 530_866_598, 524_953_956, 519_130_230, 513_392_784, 507_739_100, 502_166_766, 496_673_476,
    491_257_017, 485_915_270, 480_646_202, 475_447_862, 470_318_377, 465_255_945, 460_258_837, 455_325_388,
    450_453_997, 445_643_122, 440_891_277, 436_197_031, 431_559_006, 426_975_869, 422_446_338, 417_969_173,
    413_543_176, 409_167_192, 404_840_102, 400_560_826, 396_328_320, 392_141_571, 387_999_601, 383_901_462,
    379_846_236, 375_833_035, 371_860_995, 367_929_281, 364_037_082, 360_183_612, 356_368_109, 352_589_830,
    348_848_057, 345_142_091, 341_471_253, 337_834_883, 334_232_341, 330_663_002, 327_126_261, 323_621_527,
    320_148_225, 316_705_798, 313_293_701, 309_911_405, 306_558_392, 303_234_162, 299_938_223, 296_670_098,
    293_429_321, 290_215_440, 287_028_010, 283_866_601, 280_730_790, 277_620_167, 274_534_330, 271_472_887,
    268_435_456, 265_421_663, 262_431_142, 259_463_537, 256_518_500, 253_595_690, 250_694_774, 247_815_426,
    244_957_328, 242_120_169, 239_303_644, 236_507_455, 233_731_310, 230_974_925, 228_238_020, 225_520_321,
    222_821_561, 220_141_477, 217_479_814, 214_836_319, 212_210_746, 209_602_854, 207_012_406, 204_439_171,
    201_882_921, 199_343_433, 196_820_489, 194_313_875, 191_823_381, 189_348_801, 186_889_932, 184_446_577,
    182_018_541, 179_605_633, 177_207_666, 174_824_455, 172_455_821, 170_101_585, 167_761_575, 165_435_619,
    163_123_550, 160_825_202, 158_540_413, 156_269_026, 154_010_882, 151_765_830, 149_533_717, 147_314_395,
    145_107_720, 142_913_547, 140_731_736, 138_562_147, 136_404_646, 134_259_097, 132_125_370, 130_003_335,
    127_892_864, 125_793_831, 123_706_115, 121_629_592, 119_564_145, 117_509_654, 115_466_006, 113_433_085,
    111_410_780, 109_398_981, 107_397_579, 105_406_466, 103_425_539, 101_454_692, 99_493_825, 97_542_836,
    95_601_626, 93_670_098, 91_748_156, 89_835_706, 87_932_653, 86_038_906, 84_154_374, 82_278_968,
    80_412_601, 78_555_185, 76_706_635, 74_866_866, 73_035_797, 71_213_344, 69_399_427, 67_593_967,
    65_796_885, 64_008_104, 62_227_546, 60_455_138, 58_690_805, 56_934_473, 55_186_071, 53_445_526,
    51_712_769, 49_987_731, 48_270_342, 46_560_536, 44_858_245, 43_163_404, 41_475_949, 39_795_814,
    38_122_936, 36_457_254, 34_798_706, 33_147_230, 31_502_767, 29_865_257, 28_234_642, 26_610_864,
    24_993_865, 23_383_591, 21_779_984, 20_182_990, 18_592_554, 17_008_624, 15_431_145, 13_860_066,
    12_295_334, 10_736_900, 9_184_711, 7_638_719, 6_098_874, 4_565_128, 3_037_431, 1_515_738,
    0,
];

/// `-log2(draw / 2^32)` in units of 2^-28, 1 to `T[0]`: between two points of the table a straight line.
/// Never grows with `draw`.
#[inline]
pub(super) fn minus_log2(draw: u32) -> u64 {
    // Where a module's size counts, no table: a tenth of the smallest module would be this one, as it does not
    // compress.
    #[cfg(target_arch = "wasm32")]
    return by_points(draw);
    #[cfg(not(target_arch = "wasm32"))]
    return segments::by_segments(draw);
}

/// From the point before the draw, as far down as it is behind it.
#[cfg(any(test, target_arch = "wasm32"))]
#[inline]
fn by_points(draw: u32) -> u64 {
    let [.., segment] = draw.to_le_bytes();
    let segment = u32::from(segment);
    let (before, behind) = (point(segment), point(segment.wrapping_add(1)));
    let within = u64::from(draw & 0x00ff_ffff);
    before.wrapping_sub(before.wrapping_sub(behind).wrapping_mul(within) >> 24)
}

/// A point of the table, made when it is first asked for.
#[cfg(any(test, target_arch = "wasm32"))]
#[inline]
fn point(at: u32) -> u64 {
    /// What has been made, so that the same number is made once; 0 is none yet. Whoever asks meanwhile makes it
    /// too, and comes to the same number.
    static MADE: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];
    // Of 256 the logarithm is 0.
    let Some(made) = usize::try_from(at).ok().and_then(|at| MADE.get(at)) else {
        return 0;
    };
    let known = made.load(Ordering::Relaxed);
    if known != 0 {
        return known.into();
    }
    let point = by_squaring(at);
    made.store(point, Ordering::Relaxed);
    point.into()
}

/// `T[at]` bit by bit: the square of a number has twice its logarithm, so that whether it reaches 2 is the next
/// bit. 63 bits of the number are enough for every one of the 256 to be rounded as it should be, which a test
/// shows.
#[cfg(any(test, target_arch = "wasm32"))]
#[cold]
fn by_squaring(at: u32) -> u32 {
    let Some(whole) = at.checked_ilog2() else {
        return 2_922_024_650;
    };
    // Of 1 to 2, as a 1.63 number.
    let mut mantissa = u64::from(at) << 63_u32.wrapping_sub(whole);
    // In units of 2^-29: the last bit rounds.
    let mut log = whole;
    for _ in 0..29 {
        let square = u128::from(mantissa).wrapping_mul(mantissa.into());
        let [low, high] = halves(square);
        // From 2 on its first bit is set; below, the next one becomes the first.
        let reached = u32::from(high >> 63 != 0);
        mantissa = match reached {
            0 => (high << 1) | (low >> 63),
            _ => high,
        };
        log = log.wrapping_mul(2).wrapping_add(reached);
    }
    (8_u32 << 28).wrapping_sub(log.div_ceil(2))
}

/// The lower and the upper 64 bits.
#[cfg(any(test, target_arch = "wasm32"))]
fn halves(number: u128) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, low @ ..] = number.to_be_bytes();
    let high = [a, b, c, d, e, f, g, h];
    [u64::from_be_bytes(low), u64::from_be_bytes(high)]
}

/// The table's 257 points, for the page that defines placement.
pub(super) fn points() -> impl Iterator<Item = u32> {
    POINTS.iter().copied()
}

/// The same lines as two numbers each, which saves a subtraction in every draw.
#[cfg(any(test, not(target_arch = "wasm32")))]
mod segments {
    use super::POINTS;

    /// For each `i` from 0 to 255: the straight line from `T[i]` to `T[i + 1]`, as its value at a draw of 0
    /// and what it falls by in a segment.
    static SEGMENTS: [[u64; 256]; 2] = lines();

    const fn lines() -> [[u64; 256]; 2] {
        let [mut at_0, mut falls] = [[0; 256]; 2];
        let (mut at_0s, mut all_falls) = (at_0.as_mut_slice(), falls.as_mut_slice());
        let mut points = POINTS.as_slice();
        let mut place = 0_u64;
        while let ([from, rest @ ..], [at_0, at_0s_behind @ ..], [fall, falls_behind @ ..]) =
            (points, at_0s, all_falls)
            && let [to, ..] = rest
        {
            *fall = wide(*from).wrapping_sub(wide(*to));
            *at_0 = wide(*from).wrapping_add(fall.wrapping_mul(place));
            (points, at_0s, all_falls) = (rest, at_0s_behind, falls_behind);
            place = place.wrapping_add(1);
        }
        [at_0, falls]
    }

    const fn wide(number: u32) -> u64 {
        let [a, b, c, d] = number.to_le_bytes();
        u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
    }

    #[inline]
    pub(super) fn by_segments(draw: u32) -> u64 {
        let [.., segment] = draw.to_le_bytes();
        let [at_0, fall] = &SEGMENTS;
        let of = |line: &[u64; 256]| line.get(usize::from(segment)).copied().unwrap_or(0);
        of(at_0).wrapping_sub(of(fall).wrapping_mul(u64::from(draw)) >> 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_the_logarithm_rounded_to_the_nearest() {
        // 2^28 * log2(256 / i), by squaring: the mantissa as a 1.63 number, a bit an iteration.
        for (i, point) in (1_u128..).zip(points().skip(1)) {
            let whole = 8 - i.ilog2();
            let mut log = 0_u64;
            let mut mantissa = i << (63 - i.ilog2());
            for _ in 0..29 {
                mantissa = (mantissa * mantissa) >> 63;
                log *= 2;
                if mantissa >= 1 << 64 {
                    mantissa >>= 1;
                    log += 1;
                }
            }
            // 29 bits of log2(i): the last one rounds.
            let expected = (u64::from(whole) << 28) - log.div_ceil(2);
            assert_eq!(u64::from(point), expected, "{i}");
        }
        // 8 + 2 / ln 2, with ln 2 in units of 2^-60.
        let ln2 = 799_144_290_325_165_979_u128;
        let first = (8_u128 << 28) + ((2_u128 << 89) / ln2).div_ceil(2);
        assert_eq!(points().next().map(u128::from), Some(first));
    }

    #[test]
    fn the_points_that_are_made_are_those_of_the_table() {
        // Twice: as they are made, and as they were kept.
        for _ in 0..2 {
            for (at, known) in (0..).zip(points()) {
                assert_eq!(point(at), u64::from(known), "{at}");
            }
        }
    }

    #[test]
    fn both_ways_to_it_agree_at_every_edge_and_on_a_million_draws() {
        let edges = (0_u32..256).flat_map(|segment| [segment << 24, (segment << 24) | 0x00ff_ffff]);
        let near = edges.flat_map(|edge| [edge.wrapping_sub(1), edge, edge.wrapping_add(1)]);
        let some = (0..1_000_000_u32).map(|n| n.wrapping_mul(0x9e37_79b1));
        for draw in near.chain(some) {
            assert_eq!(by_points(draw), segments::by_segments(draw), "{draw}");
        }
        assert_eq!(points().count(), 257);
    }

    #[test]
    fn powers_of_two_are_exact_and_the_ends_are_the_tables_and_1() {
        for k in 0..=8_u32 {
            let draw = u32::try_from((1_u64 << (32 - k)) - 1).unwrap();
            assert_eq!(minus_log2(draw).div_ceil(1 << 28), u64::from(k) + 1);
            if k > 0 {
                assert_eq!(minus_log2(draw + 1), u64::from(k) << 28);
            }
        }
        assert_eq!(Some(minus_log2(0)), points().next().map(u64::from));
        assert_eq!(minus_log2(u32::MAX), 1);
    }

    #[test]
    fn it_never_grows() {
        for segment in 0_u32..256 {
            let edge = segment << 24;
            for draw in edge.saturating_sub(3)..edge + 3 {
                assert!(minus_log2(draw) >= minus_log2(draw + 1), "{draw}");
            }
        }
    }
}
