//! SipHash-1-3 of a whole text at once.
//!
//! ```
//! let hasher = halcyon_hash::Sip13::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
//! assert_eq!(hasher.hash(b"acme"), 0x78f9_3c00_892a_b6da);
//! ```
//!
//! Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one compression and three
//! finalisation rounds.
//!
//! The crate `siphasher` does the same and takes a tenth longer for a tenant id: it keeps a state that a
//! text may be added to in pieces, and is called where this is inlined. `docs/performance.md` has the
//! measurements; the tests hold both against each other.
//!
//! It is a crate of its own because that is what a profile can be about: the modules for edges are compiled
//! for size, and this alone for speed.
#![no_std]

#[cfg(test)]
mod tests;

/// SipHash-1-3 under one key. It is neither shown nor compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sip13 {
    k0: u64,
    k1: u64,
    /// Before the first block, as far as that round does not depend on it.
    start: State,
}

impl Sip13 {
    /// Of no key: no bit is set.
    pub const NONE: Self = Self {
        k0: 0,
        k1: 0,
        start: State {
            v0: 0,
            v1: 0,
            v2: 0,
            v3: 0,
        },
    };

    /// Under the key of these halves: bytes 0 to 7 and 8 to 15, little-endian.
    pub const fn new(k0: u64, k1: u64) -> Self {
        // "somepseudorandomlygeneratedbytes".
        let start = State {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        };
        let start = start.begin();
        Self { k0, k1, start }
    }

    /// `k0` and `k1`.
    pub const fn key(&self) -> (u64, u64) {
        (self.k0, self.k1)
    }

    /// The hash of `bytes`.
    ///
    /// Always inlined: with a call, short texts cost a tenth more.
    #[inline(always)]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let length = length_of(bytes);
        // By its value, a processor keeps the state in registers; by its address, a module does not copy it.
        match cfg!(target_arch = "wasm32") {
            true => rest(&self.start, bytes, length, 0),
            false => whole(self.start, bytes, length, 0),
        }
    }

    /// The hash of `prefix`, fewer than eight bytes, and `bytes` behind it.
    pub fn hash_behind(&self, prefix: &[u8], bytes: &[u8]) -> u64 {
        let length = length_of(prefix).wrapping_add(length_of(bytes));
        let missing = 8_usize.saturating_sub(prefix.len());
        // What is too much for the block leaves it at the top.
        let first = number(bytes.get(..8).unwrap_or(bytes));
        let block = number(prefix) | first << (length_of(prefix) << 3);
        match bytes.get(missing..) {
            Some(behind) => rest(&self.start.with(block).begin(), behind, length, 0),
            None => rest(&self.start, &[], length, block),
        }
    }
}

#[inline(always)]
fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// [`whole`], in WebAssembly as a function of its own: there a module's size counts, and a call costs little.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn rest(state: &State, bytes: &[u8], length: u64, last: u64) -> u64 {
    whole(*state, bytes, length, last)
}

/// The hash of a text of this length, of which the blocks before `bytes` are in the state. `last` is in the
/// last block already.
#[inline(always)]
fn whole(mut state: State, bytes: &[u8], length: u64, last: u64) -> u64 {
    let mut rest = bytes;
    // Two blocks at a time: half the counting.
    while let Some((pair, behind)) = rest.split_first_chunk::<16>() {
        for block in pair.as_chunks().0 {
            state = state.with(u64::from_le_bytes(*block)).begin();
        }
        rest = behind;
    }
    if let Some((block, behind)) = rest.split_first_chunk() {
        state = state.with(u64::from_le_bytes(*block)).begin();
        rest = behind;
    }
    let mut last = length << 56 | last;
    if !rest.is_empty() {
        last |= tail(bytes, length);
    }
    state = state.with(last);
    state.v2 ^= 0xff;
    let end = state.begin().end().begin().end().begin().end();
    end.v0 ^ end.v1 ^ end.v2 ^ end.v3
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    /// The part of a round that does not touch `v3`, to which a block is added first.
    #[inline]
    const fn begin(self) -> Self {
        let v0 = self.v0.wrapping_add(self.v1);
        Self {
            v0: v0.rotate_left(32),
            v1: self.v1.rotate_left(13) ^ v0,
            ..self
        }
    }

    /// The other part.
    #[inline]
    const fn end(self) -> Self {
        let Self { v0, v1, v2, v3 } = self;
        let v2 = v2.wrapping_add(v3);
        let v3 = v3.rotate_left(16) ^ v2;
        let v0 = v0.wrapping_add(v3);
        let v3 = v3.rotate_left(21) ^ v0;
        let v2 = v2.wrapping_add(v1);
        let v1 = v1.rotate_left(17) ^ v2;
        let v2 = v2.rotate_left(32);
        Self { v0, v1, v2, v3 }
    }

    /// Takes a block in a round that has begun.
    #[inline]
    const fn with(mut self, block: u64) -> Self {
        self.v3 ^= block;
        self = self.end();
        self.v0 ^= block;
        self
    }
}

/// The bytes behind the last whole block, 1 to 7, the first one lowest.
#[inline]
fn tail(bytes: &[u8], length: u64) -> u64 {
    // How many bits short of a block it is, 8 to 56.
    let missing = (length.wrapping_neg() & 7) << 3;
    if let Some(last) = bytes.last_chunk() {
        return u64::from_le_bytes(*last) >> missing;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // 4 to 7 bytes as two overlapping halves: where they overlap, they agree.
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | (u64::from(last) << 32) >> missing;
    }
    number(bytes)
}

/// Up to eight bytes, the first one lowest.
#[inline]
fn number(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}
