//! What the C ABI does, without pointers: a buffer, a table, numbers.

use alloc::vec::Vec;

use halcyon_core::hash::TenantId;
use halcyon_core::placement::{Reason, ResidencyUnavailable, Slot};
use halcyon_core::table::{BYTES_MAX, Refusal, Table};
use halcyon_core::time::Timestamp;

/// The version of the interface.
pub const ABI: u32 = 1;

/// Why a table is not taken, beside the codes of [`BinaryError`](halcyon_core::table::BinaryError), 1 to 6.
pub mod load {
    /// There is no buffer of that length.
    pub const NO_BUFFER: u32 = 7;
    /// The memory does not suffice.
    pub const NO_MEMORY: u32 = 8;
    /// It is older than the one that is held.
    pub const OLDER: u32 = 9;
    /// Another table of its epoch is held.
    pub const SAME_EPOCH: u32 = 10;
    /// It is another deployment's.
    pub const OTHER_DEPLOYMENT: u32 = 11;
}

/// Why there is no region for a tenant.
pub mod route {
    /// No table has been taken yet.
    pub const NO_TABLE: u8 = 1;
    /// There is no buffer of that length.
    pub const NO_BUFFER: u8 = 2;
    /// A tenant id has 1 to 16,384 bytes.
    pub const LENGTH: u8 = 3;
    /// The bytes are no UTF-8.
    pub const NOT_UTF8: u8 = 4;
    /// `residency_unavailable`: the tenant's residency allows no region.
    pub const NONE_ALLOWED: u8 = 5;
    /// `residency_unavailable`: every region allowed for it is forbidden.
    pub const ALL_FORBIDDEN: u8 = 6;
}

/// Buffers up to this length are kept from one call to the next.
const KEPT: usize = 64 * 1024;

/// One edge: the state of one instance of the module.
#[derive(Default)]
pub struct Edge {
    buffer: Vec<u8>,
    table: Option<Table>,
    /// The last eight bytes of the table's: they differ where any does.
    checksum: [u8; 8],
}

impl Edge {
    /// Without a buffer and without a table.
    pub const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            table: None,
            checksum: [0; 8],
        }
    }

    /// A buffer of `length` bytes to write to, all of them defined; `None` where it is longer than any
    /// table or the memory does not suffice. What the last one held is gone.
    pub fn buffer(&mut self, length: usize) -> Option<&mut [u8]> {
        if length > BYTES_MAX {
            return None;
        }
        if length > self.buffer.capacity() || (length <= KEPT && self.buffer.capacity() > KEPT) {
            self.buffer = Vec::new();
            self.buffer.try_reserve_exact(length.max(256)).ok()?;
        }
        // Nothing of what the last caller wrote.
        self.buffer.clear();
        self.buffer.resize(length, 0);
        Some(&mut self.buffer)
    }

    /// Takes the table in the first `length` bytes of the buffer, which is given back; 0, or why not, and
    /// then the one that is held stays.
    pub fn load(&mut self, length: usize) -> u32 {
        let buffer = core::mem::take(&mut self.buffer);
        let Some(bytes) = buffer.get(..length) else {
            return load::NO_BUFFER;
        };
        if !suffices(length) {
            return load::NO_MEMORY;
        }
        let table = match Table::from_binary(bytes) {
            Ok(table) => table,
            Err(why) => return u32::from(why.code()),
        };
        let checksum = bytes.last_chunk().copied().unwrap_or_default();
        // Whoever calls has a clock and checks how far ahead the epoch is.
        match table.is_newer(self.table.as_ref(), Timestamp(u64::MAX)) {
            Ok(true) => {
                self.table = Some(table);
                self.checksum = checksum;
                0
            }
            Ok(false) if checksum == self.checksum => 0,
            Ok(false) => load::SAME_EPOCH,
            Err(Refusal::Older { .. }) => load::OLDER,
            Err(_) => load::OTHER_DEPLOYMENT,
        }
    }

    /// Where the tenant in the first `length` bytes of the buffer goes at `now`, packed: the region's
    /// place, `slot << 16`, `reason << 24`, `error << 32`.
    pub fn route(&self, length: usize, now: Timestamp) -> u64 {
        match self.decide(length, now) {
            Ok(packed) => packed,
            Err(code) => u64::from(code) << 32,
        }
    }

    fn decide(&self, length: usize, now: Timestamp) -> Result<u64, u8> {
        let table = self.table.as_ref().ok_or(route::NO_TABLE)?;
        let bytes = self.buffer.get(..length).ok_or(route::NO_BUFFER)?;
        let id = core::str::from_utf8(bytes).map_err(|_| route::NOT_UTF8)?;
        let tenant = TenantId::of(id).ok_or(route::LENGTH)?;
        let router = table.router();
        let found = router.decide(tenant, table.health(), table.slots(now));
        let found = found.map_err(|why| match why {
            ResidencyUnavailable::NoneAllowed => route::NONE_ALLOWED,
            ResidencyUnavailable::AllForbidden => route::ALL_FORBIDDEN,
        })?;
        let region = u64::try_from(found.region).unwrap_or(0);
        Ok(region
            | u64::from(slot_code(found.slot)) << 16
            | u64::from(reason_code(found.reason)) << 24)
    }
}

/// Whether a table of so many bytes can be read: so that nothing in it can want more than there is.
fn suffices(length: usize) -> bool {
    let most = length
        .saturating_mul(MEMORY_FACTOR)
        .saturating_add(MEMORY_LEAST);
    Vec::<u8>::new().try_reserve_exact(most).is_ok()
}

/// What a table takes in memory at most, per byte; the tests measure it.
pub const MEMORY_FACTOR: usize = 12;
/// And besides.
pub const MEMORY_LEAST: usize = 64 * 1024;

/// 0 blue, 1 green.
pub fn slot_code(slot: Slot) -> u8 {
    match slot {
        Slot::Blue => 0,
        Slot::Green => 1,
    }
}

/// 0 to 6, in the order in which [`Reason`] has them.
pub fn reason_code(reason: Reason) -> u8 {
    match reason {
        Reason::Primary => 0,
        Reason::Hash => 1,
        Reason::Rendezvous => 2,
        Reason::Residency => 3,
        Reason::Pinned => 4,
        Reason::Failover => 5,
        Reason::AllDown => 6,
    }
}
