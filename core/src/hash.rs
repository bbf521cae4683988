//! SipHash-1-3 and MurmurHash3's finaliser: the two functions every placement rests on.

use alloc::string::String;
use core::fmt;

use halcyon_hash::Sip13;

use crate::text::{count, message};

/// The 128-bit key of the tenant hash; 32 zeros where none is configured.
///
/// It makes placement unguessable where tenants choose their own ids. It is no secret towards
/// whoever holds a routing table, and is still never printed.
#[derive(Clone, Copy)]
pub struct HashKey {
    /// Keyed once: starting from the key costs a tenth of a short hash.
    hasher: Sip13,
}

impl PartialEq for HashKey {
    fn eq(&self, other: &Self) -> bool {
        self.hasher == other.hasher
    }
}

impl Eq for HashKey {}

impl Default for HashKey {
    fn default() -> Self {
        Self {
            hasher: Sip13::new(0, 0),
        }
    }
}

impl HashKey {
    /// Of nothing: no bit is set, not even those of the zero key.
    pub(crate) const NONE: Self = Self {
        hasher: Sip13::NONE,
    };

    /// Reads 32 hex digits: key bytes 0..15 in order; `k0` is bytes 0-7 and `k1` bytes 8-15, both
    /// little-endian, as in the SipHash paper.
    ///
    /// ```
    /// use halcyon_core::hash::HashKey;
    /// let key = HashKey::from_hex("000102030405060708090a0b0c0d0e0f").unwrap();
    /// assert_eq!(key.sip13(b"acme"), 0x78f93c00892ab6da);
    /// ```
    ///
    /// # Errors
    /// What is wrong with the text, without showing it.
    pub fn from_hex(text: &str) -> Result<Self, String> {
        let mut key = [0; 16];
        let mut digits = text.bytes().map(|byte| char::from(byte).to_digit(16));
        for byte in &mut key {
            if let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) {
                *byte = u8::try_from(high << 4 | low).unwrap_or_default();
            } else {
                return Err(no_key(text));
            }
        }
        match digits.next() {
            None => Ok(Self::from_bytes(key)),
            Some(_) => Err(no_key(text)),
        }
    }

    /// The key from its 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(bytes);
        let low = |n: u128| u64::try_from(n & u128::from(u64::MAX)).unwrap_or_default();
        Self {
            hasher: Sip13::new(low(whole), low(whole >> 64)),
        }
    }

    /// Its 16 bytes. They go where [`to_hex`](Self::to_hex) does, and nowhere else.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let (k0, k1) = self.hasher.key();
        (u128::from(k1) << 64 | u128::from(k0)).to_le_bytes()
    }

    /// The key as [`from_hex`](Self::from_hex) reads it, for a routing table: an edge needs it to place
    /// tenants. It goes nowhere else.
    pub fn to_hex(&self) -> String {
        let (k0, k1) = self.hasher.key();
        let bytes = k0.to_le_bytes().into_iter().chain(k1.to_le_bytes());
        bytes.map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    /// SipHash-1-3 of `bytes` under this key: no length prefix, no terminator.
    ///
    /// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one compression
    /// and three finalisation rounds.
    #[inline(always)]
    pub fn sip13(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash(bytes)
    }

    /// The same of `prefix`, fewer than eight bytes, and `bytes` behind it.
    pub(crate) fn sip13_behind(&self, prefix: &[u8], bytes: &[u8]) -> u64 {
        self.hasher.hash_behind(prefix, bytes)
    }
}

fn no_key(text: &str) -> String {
    message!(
        "(not shown, {} bytes) is not a key; allowed: exactly 32 hex digits",
        &count(text.len())
    )
    .text()
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(not shown)")
    }
}

pub(crate) const FMIX_1: u64 = 0xff51_afd7_ed55_8ccd;
pub(crate) const FMIX_2: u64 = 0xc4ce_b9fe_1a85_ec53;

/// MurmurHash3's 64-bit finaliser: spreads every input bit over all output bits.
///
/// Needed wherever a second choice is drawn from the same tenant hash: `h mod m` over the survivors
/// of a failure correlates with `h mod n` of the first choice.
/// Source: Austin Appleby, MurmurHash3.cpp, `fmix64`.
///
/// ```
/// use halcyon_core::hash::fmix64;
/// assert_eq!((fmix64(0), fmix64(1)), (0, 0xb456_bcfc_34c2_cb2c));
/// ```
#[inline]
pub const fn fmix64(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(FMIX_1);
    h ^= h >> 33;
    h = h.wrapping_mul(FMIX_2);
    h ^ (h >> 33)
}

/// A tenant id: 1 to 16,384 bytes of UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantId<'a>(&'a str);

/// The most bytes a tenant id may have.
pub const TENANT_ID_MAX: usize = 16_384;

impl<'a> TenantId<'a> {
    /// Accepts an id of 1 to 16,384 bytes.
    ///
    /// ```
    /// use halcyon_core::hash::TenantId;
    /// assert_eq!(TenantId::new("acme").unwrap().as_str(), "acme");
    /// assert!(TenantId::new("").is_err());
    /// ```
    ///
    /// # Errors
    /// The length seen and the lengths allowed.
    #[inline]
    pub fn new(id: &'a str) -> Result<Self, String> {
        Self::of(id).ok_or_else(|| refusal(id))
    }

    /// The same without a message.
    #[inline]
    pub fn of(id: &'a str) -> Option<Self> {
        matches!(id.len(), 1..=TENANT_ID_MAX).then_some(Self(id))
    }

    /// The id's text.
    #[inline]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// Out of the way of every id that is one.
#[cold]
#[inline(never)]
fn refusal(id: &str) -> String {
    match id.len() {
        0 => String::from("tenant id \"\" is empty; allowed: 1 to 16384 bytes"),
        bytes => message!(
            "tenant id {?} has {} bytes; allowed: 1 to 16384 bytes",
            id,
            &count(bytes)
        )
        .text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_read_as_bytes_in_order_and_the_hash_has_no_prefix() {
        let key = HashKey::from_hex("000102030405060708090a0b0c0d0e0f").unwrap();
        assert_eq!(
            key,
            HashKey::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
        );
        assert_eq!(key.to_hex(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(key.sip13(b"tenant1"), 0x50d2_bb5d_2d93_f5b8);
        assert_eq!(key.sip13(b"acme"), 0x78f9_3c00_892a_b6da);
    }

    #[test]
    fn a_key_that_is_not_32_hex_digits_is_refused_and_not_shown() {
        for bad in [
            "",
            "00",
            "zz0102030405060708090a0b0c0d0e0f",
            "+00102030405060708090a0b0c0d0e0f",
        ] {
            let error = HashKey::from_hex(bad).unwrap_err();
            assert!(
                error.contains("32 hex digits") && (bad.is_empty() || !error.contains(bad)),
                "{error}"
            );
        }
        assert_eq!(
            alloc::format!("{:?}", HashKey::default()),
            "HashKey(not shown)"
        );
    }

    #[test]
    fn fmix64_is_murmurhash3s_finaliser() {
        assert_eq!(fmix64(0), 0);
        assert_eq!(fmix64(1), 0xb456_bcfc_34c2_cb2c);
        assert_eq!(fmix64(u64::MAX), 0x64b5_720b_4b82_5f21);
    }

    #[test]
    fn a_tenant_id_has_1_to_16384_bytes() {
        assert!(TenantId::new("").unwrap_err().contains("1 to 16384"));
        assert!(TenantId::new(&"ü".repeat(8192)).is_ok());
        assert!(
            TenantId::new(&"x".repeat(16_385))
                .unwrap_err()
                .contains("16385 bytes")
        );
    }
}
