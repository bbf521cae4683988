//! It is held against the library.
#![allow(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]

extern crate std;

use super::*;
use siphasher::sip::SipHasher13;
use std::vec::Vec;

/// SplitMix64 (Steele, Lea and Flood 2014): every number another one.
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

/// Bytes that look random, the same on every run.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    (seed..).flat_map(|n| mixed(n).to_le_bytes())
}

#[test]
fn every_length_and_key_gives_the_librarys_hash() {
    for (seed, (k0, k1)) in [
        (0, 0),
        (u64::MAX, u64::MAX),
        (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908),
        (1, 1 << 63),
    ]
    .into_iter()
    .enumerate()
    {
        let (ours, theirs) = (Sip13::new(k0, k1), SipHasher13::new_with_keys(k0, k1));
        assert_eq!(ours.key(), (k0, k1));
        let bytes: Vec<u8> = noise(seed as u64 * 1_000).take(16_385).collect();
        for length in (0..=300).chain([1_023, 1_024, 16_383, 16_384, 16_385]) {
            // Each byte where it matters, at the beginning, and all bits at once.
            for bytes in [&bytes[..length], &bytes[bytes.len() - length..]] {
                assert_eq!(ours.hash(bytes), theirs.hash(bytes), "{length}");
            }
            let ones = std::vec![0xff; length];
            assert_eq!(ours.hash(&ones), theirs.hash(&ones), "{length}");
        }
    }
}

#[test]
fn a_prefix_and_a_text_behind_it_hash_like_both_in_one() {
    let bytes: Vec<u8> = noise(5).take(400).collect();
    let hasher = Sip13::new(3, 1 << 62);
    for prefix in 0..8 {
        for length in 0..=300 {
            let (prefix, text) = (&bytes[..prefix], &bytes[prefix..prefix + length]);
            let both = hasher.hash(&bytes[..prefix.len() + length]);
            assert_eq!(
                hasher.hash_behind(prefix, text),
                both,
                "{prefix:?} {length}"
            );
        }
    }
}

#[test]
fn twenty_thousand_random_texts_under_random_keys_give_the_librarys_hash() {
    let mut bytes = noise(77);
    for n in 0..20_000_u64 {
        let (k0, k1) = (mixed(n), mixed(!n));
        let text: Vec<u8> = bytes.by_ref().take((k0 % 70) as usize).collect();
        let theirs = SipHasher13::new_with_keys(k0, k1).hash(&text);
        assert_eq!(Sip13::new(k0, k1).hash(&text), theirs, "{text:?}");
    }
}
