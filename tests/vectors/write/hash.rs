//! The two functions everything rests on.

use halcyon_core::hash::{HashKey, fmix64};

use super::KEY;
use crate::ids;
use crate::json::{self, File};

/// Both ends of 64 bits, single bits, and halves.
const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    0xff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_ffff_ffff,
    0x0123_4567_89ab_cdef,
    0x3dd3_f1b0_3a8a_ef94,
];

pub(crate) fn file() -> String {
    let mut file = File::new(
        "SipHash-1-3 of bytes (hex) and of tenant ids under a key, and MurmurHash3's 64-bit finaliser",
    );
    let keys = [
        "00000000000000000000000000000000",
        KEY,
        "ffffffffffffffffffffffffffffffff",
    ];
    for key in keys {
        let of = HashKey::from_hex(key).unwrap();
        let bytes: Vec<u8> = (0..=64).collect();
        let sip = |length: usize| {
            let hex: String = bytes[..length]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            json::object(&[
                ("bytes", json::text(&hex)),
                ("hash", json::hex(of.sip13(&bytes[..length]))),
            ])
        };
        let cases: Vec<String> = (0..=64).map(sip).collect();
        file.group(
            &[("function", json::text("sip")), ("key", json::text(key))],
            &cases,
        );
    }
    for key in keys {
        let of = HashKey::from_hex(key).unwrap();
        let hash = |id: &String| {
            json::object(&[
                ("tenant", ids::write(id)),
                ("hash", json::hex(of.sip13(id.as_bytes()))),
            ])
        };
        let cases: Vec<String> = ids::tenants().iter().map(hash).collect();
        file.group(
            &[("function", json::text("sip")), ("key", json::text(key))],
            &cases,
        );
    }
    let mix = |x: &u64| json::object(&[("x", json::hex(*x)), ("mixed", json::hex(fmix64(*x)))]);
    let cases: Vec<String> = NUMBERS.iter().map(mix).collect();
    file.group(&[("function", json::text("fmix64"))], &cases);
    file.finish()
}
