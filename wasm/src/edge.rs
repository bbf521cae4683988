//! What the C ABI does, without pointers: a buffer, a table, numbers.

use core::mem;

use halcyon_core::hash::TenantId;
use halcyon_core::placement::{Decision, Reason, ResidencyUnavailable, Slot};
use halcyon_core::table::{BYTES_MAX, Succession, TableIndex};
use halcyon_core::time::Timestamp;

/// The version of the interface.
pub const ABI: u32 = 1;

/// Why a table is not taken, beside the codes of [`BinaryError`](halcyon_core::table::BinaryError), 1 to 6.
/// 8 is none any more.
pub mod load {
    /// There is no buffer of that length.
    pub const NO_BUFFER: u32 = 7;
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

/// A piece of memory that can grow.
pub trait Area {
    /// All of it.
    fn bytes(&self) -> &[u8];
    /// The same, to write to.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Grows it to `length` bytes at least, at most 16 MiB; what it held is gone. False where that cannot
    /// be, and then it is as it was.
    fn grow(&mut self, length: usize) -> bool;
}

/// One edge: the state of one instance of the module, over two areas.
///
/// A table is read where it was written, and when it is taken, the areas change places.
pub struct Edge<A> {
    /// What the caller writes to.
    buffer: A,
    /// How much of it the caller has asked for.
    length: usize,
    /// The table that is held.
    table: A,
    /// How long it is.
    table_length: usize,
    /// Of the table that is held.
    index: TableIndex,
}

impl<A: Area> Edge<A> {
    /// Without a table, over two areas of any size.
    pub const fn new(buffer: A, table: A) -> Self {
        Self {
            buffer,
            length: 0,
            table,
            table_length: 0,
            index: TableIndex::NONE,
        }
    }

    /// A buffer of `length` bytes to write to, all of them 0; `None` where it is longer than any table or
    /// the memory does not suffice, and then there is none. What the last one held is gone.
    pub fn buffer(&mut self, length: usize) -> Option<&mut [u8]> {
        self.length = 0;
        if length > BYTES_MAX {
            return None;
        }
        // Even of no length it is somewhere.
        let needed = length.max(1);
        if self.buffer.bytes().len() < needed && !self.buffer.grow(needed) {
            return None;
        }
        let buffer = self.buffer.bytes_mut().get_mut(..length)?;
        // Nothing of what the last caller wrote.
        buffer.fill(0);
        self.length = length;
        Some(buffer)
    }

    /// The first `length` bytes of the buffer.
    fn written(&self, length: usize) -> Option<&[u8]> {
        self.buffer.bytes().get(..self.length)?.get(..length)
    }

    /// Takes the table in the first `length` bytes of the buffer, which is given back; 0, or why not, and
    /// then the one that is held stays.
    pub fn load(&mut self, length: usize) -> u32 {
        let code = self.take(length).err().unwrap_or(0);
        self.length = 0;
        code
    }

    fn take(&mut self, length: usize) -> Result<(), u32> {
        let bytes = self.written(length).ok_or(load::NO_BUFFER)?;
        let index = TableIndex::read(bytes).map_err(|why| u32::from(why.code()))?;
        if !self.index.is_empty() {
            let held = self.table.bytes().get(..self.table_length);
            let held = held.unwrap_or_default();
            match index.succession(bytes, &self.index, held) {
                Succession::Newer => {}
                // The last eight bytes are the checksum: they differ where any does.
                Succession::SameEpoch if bytes.last_chunk::<8>() == held.last_chunk() => {
                    return Ok(());
                }
                Succession::SameEpoch => return Err(load::SAME_EPOCH),
                Succession::Older => return Err(load::OLDER),
                Succession::OtherDeployment => return Err(load::OTHER_DEPLOYMENT),
            }
        }
        self.index = index;
        self.table_length = length;
        mem::swap(&mut self.buffer, &mut self.table);
        Ok(())
    }

    /// Where the tenant in the first `length` bytes of the buffer goes at `now`, packed: the region's
    /// place, `slot << 16`, `reason << 24`, `error << 32`.
    pub fn route(&self, length: usize, now: Timestamp) -> u64 {
        match self.decide(length, now) {
            Ok(found) => {
                let region = u64::try_from(found.region).unwrap_or(0);
                let slot = u64::from(slot_code(found.slot));
                let reason = u64::from(reason_code(found.reason));
                region | slot << 16 | reason << 24
            }
            Err(code) => u64::from(code) << 32,
        }
    }

    fn decide(&self, length: usize, now: Timestamp) -> Result<Decision, u8> {
        if self.index.is_empty() {
            return Err(route::NO_TABLE);
        }
        let bytes = self.written(length).ok_or(route::NO_BUFFER)?;
        let id = core::str::from_utf8(bytes).map_err(|_| route::NOT_UTF8)?;
        let tenant = TenantId::of(id).ok_or(route::LENGTH)?;
        let table = self.table.bytes().get(..self.table_length);
        let found = self.index.decide(table.unwrap_or_default(), tenant, now);
        found.map_err(|why| match why {
            ResidencyUnavailable::NoneAllowed => route::NONE_ALLOWED,
            ResidencyUnavailable::AllForbidden => route::ALL_FORBIDDEN,
        })
    }
}

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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use halcyon_core::table::Table;

    /// Memory that ends.
    struct Short {
        bytes: Vec<u8>,
        most: usize,
    }

    impl Area for Short {
        fn bytes(&self) -> &[u8] {
            &self.bytes
        }

        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut self.bytes
        }

        fn grow(&mut self, length: usize) -> bool {
            let suffices = length <= self.most;
            if suffices {
                self.bytes = vec![0; length];
            }
            suffices
        }
    }

    fn edge(most: usize) -> Edge<Short> {
        let area = || Short {
            bytes: Vec::new(),
            most,
        };
        Edge::new(area(), area())
    }

    fn table(epoch: u64, regions: &str) -> Vec<u8> {
        let region = |name| format!(r#"{{"name":"{name}","weight":1,"status":"up"}}"#);
        let regions: Vec<String> = regions.split(',').map(region).collect();
        let text = format!(
            r#"{{"format":1,"epoch":{epoch},"issued_at":"2026-01-01T00:00:00Z","deployment":"shop",
            "regions":[{}],"sticky":"hash","failover":"ordered"}}"#,
            regions.join(",")
        );
        Table::from_json(&text).unwrap().to_binary()
    }

    fn take(edge: &mut Edge<Short>, bytes: &[u8]) -> u32 {
        edge.buffer(bytes.len()).unwrap().copy_from_slice(bytes);
        edge.load(bytes.len())
    }

    fn ask(edge: &mut Edge<Short>, tenant: &[u8]) -> u64 {
        edge.buffer(tenant.len()).unwrap().copy_from_slice(tenant);
        edge.route(tenant.len(), Timestamp(0))
    }

    #[test]
    fn a_table_is_held_where_it_was_written_and_the_next_goes_to_the_other_area() {
        let mut edge = edge(BYTES_MAX);
        let (one, two) = (table(1, "a"), table(2, "a,b,c"));
        assert_eq!(take(&mut edge, &one), 0);
        assert_eq!(edge.table.bytes, one);
        assert!(edge.buffer.bytes.is_empty());
        assert_eq!(take(&mut edge, &two), 0);
        assert_eq!(edge.table.bytes, two);
        assert_eq!(edge.buffer.bytes, one);
        // tenant1 by hash: the third of three.
        assert_eq!(ask(&mut edge, b"tenant1"), 2 | 1 << 24);
        // One that is refused is overwritten by the next.
        assert_eq!(take(&mut edge, &one), load::OLDER);
        assert_eq!(take(&mut edge, &table(2, "a,b")), load::SAME_EPOCH);
        assert_eq!(take(&mut edge, &two), 0, "the very one");
        assert_eq!(edge.table.bytes, two);
        assert_eq!(ask(&mut edge, b"tenant1"), 2 | 1 << 24);
    }

    #[test]
    fn without_memory_there_is_no_buffer_and_what_was_there_is_gone() {
        let mut edge = edge(300);
        assert_eq!(take(&mut edge, &table(1, "a,b,c")), 0);
        assert!(edge.buffer(301).is_none());
        assert_eq!(edge.route(0, Timestamp(0)), u64::from(route::LENGTH) << 32);
        assert_eq!(
            edge.route(1, Timestamp(0)),
            u64::from(route::NO_BUFFER) << 32
        );
        assert_eq!(edge.load(1), load::NO_BUFFER);
        assert_eq!(ask(&mut edge, b"tenant1"), 2 | 1 << 24);
    }
}
