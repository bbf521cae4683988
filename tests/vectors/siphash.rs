//! SipHash against its paper, and against CPython, which hashes text with it.

use halcyon_core::hash::HashKey;
use siphasher::sip::{SipHasher13, SipHasher24};

use crate::dice::Dice;
use crate::json;
use crate::python::{missing, peer, python};

/// Bytes 00 to 0f, the key of the paper.
const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// From the appendix of "SipHash: a fast short-input PRF" (Aumasson and Bernstein 2012): SipHash-2-4 of
/// bytes 00 to 0e. The paper has none for 1-3, which differs in the number of rounds alone.
#[test]
fn siphash_2_4_gives_the_vector_of_the_paper() {
    let message: Vec<u8> = (0..15).collect();
    assert_eq!(
        SipHasher24::new_with_key(&KEY).hash(&message),
        0xa129_ca61_49be_45e5
    );
}

#[test]
fn both_implementations_agree_on_siphash_1_3_and_2_4_at_every_length() {
    let bytes: Vec<u8> = (0..=64).chain([0xff; 200]).collect();
    let (mut asked, mut expected) = (String::new(), Vec::new());
    for key in [KEY, [0; 16], [0xff; 16]] {
        let core = HashKey::from_bytes(key);
        for length in 0..bytes.len() {
            let message = &bytes[..length];
            let (short, long) = (
                SipHasher13::new_with_key(&key),
                SipHasher24::new_with_key(&key),
            );
            assert_eq!(core.sip13(message), short.hash(message));
            for (rounds, hash) in [("1 3", short.hash(message)), ("2 4", long.hash(message))] {
                asked.push_str(&format!("{rounds} {} {}\n", hex(&key), hex(message)));
                expected.push(format!("{hash:016x}"));
            }
        }
    }
    let Some(found) = peer(&["sip"], asked) else {
        return;
    };
    assert_eq!(found.lines().collect::<Vec<&str>>(), expected);
}

/// From 3.11 on `hash()` of a text is SipHash-1-3 of its bytes, under a key of zeros where the seed is 0;
/// what would be -1 is -2, and the empty text is 0.
#[test]
fn cpython_hashes_ascii_as_the_core_does_under_a_key_of_zeros() {
    let which = "import sys; print(sys.implementation.name, sys.hash_info.algorithm)";
    let Some(which) = python(&["-c", which], String::new()) else {
        return;
    };
    if which.trim() != "cpython siphash13" {
        return missing(&format!(
            "CPython from 3.11 on; python3 is {}",
            which.trim()
        ));
    }
    let mut dice = Dice(13);
    let mut texts: Vec<String> = ["acme", "tenant1", "tenant2", "tenant123"]
        .map(String::from)
        .into();
    texts.extend((0..128_u8).map(|byte| char::from(byte).to_string()));
    for length in 1..300 {
        texts.extend((0..10).map(|_| {
            (0..length)
                .map(|_| char::from(dice.below(128) as u8))
                .collect::<String>()
        }));
    }
    texts.push("x".repeat(16_384));
    let asked: String = texts.iter().map(|text| json::text(text) + "\n").collect();
    let found = peer(&["cpython"], asked).unwrap();
    let found: Vec<i64> = found.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found.len(), texts.len());
    let core = HashKey::default();
    for (text, found) in texts.iter().zip(found) {
        let hash = core.sip13(text.as_bytes()).cast_signed();
        assert_eq!(found, if hash == -1 { -2 } else { hash }, "{text:?}");
    }
}
