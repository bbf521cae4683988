//! The routing table: what an edge needs to decide, and nothing else.
//!
//! It is a pure function of configuration, journal and region health, and carries an epoch that grows
//! with every change. Two tables of one epoch are the same bytes, so an edge that holds epoch *n* knows
//! what it holds.

mod binary;
mod content;
#[cfg(feature = "signatures")]
mod gate;
mod held;
mod index;
mod moves;
mod read;
mod reader;

#[cfg(test)]
mod tests;

use alloc::string::String;
use serde::Serialize;

pub use binary::{BYTES_MAX, BinaryError};
pub use content::{TableContent, TableRegion, TableRelease};
#[cfg(feature = "signatures")]
pub use gate::{Gate, LONGEST, TableKeys};
pub use held::{Refusal, Succession, Table, cause};
pub use index::TableIndex;
pub use moves::{Flow, GroupMoves, Moves, RegionMoves, TenantMoves};
pub use read::TableError;

use crate::time::Timestamp;

/// The format this version writes.
pub const FORMAT: u64 = 1;

/// The number of a table: 1 to 2^53 - 1, so that JavaScript reads it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// The greatest.
    pub const MAX: Epoch = Epoch((1 << 53) - 1);

    /// Accepts 1 to 2^53 - 1; anything else is `None`.
    pub fn new(number: u64) -> Option<Self> {
        (1..=Self::MAX.0).contains(&number).then_some(Self(number))
    }

    /// The number, 1 to 2^53 - 1.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The epoch of a table made at `now` after one of epoch `last`: `max(last + 1, Unix milliseconds)`.
    /// The clock gives it a start above any forgotten one; growing does not depend on it. `None` after
    /// the greatest.
    ///
    /// ```
    /// use halcyon_core::table::Epoch;
    /// use halcyon_core::time::Timestamp;
    /// let first = Epoch::after(None, Timestamp(1_759_397_400_000)).unwrap();
    /// let second = Epoch::after(Some(first), Timestamp(0)).unwrap(); // the clock went back
    /// assert_eq!(second.number(), first.number() + 1);
    /// ```
    pub fn after(last: Option<Epoch>, now: Timestamp) -> Option<Self> {
        let next = last.map_or(1, |last| last.0.saturating_add(1));
        Self::new(next.max(now.0.min(Self::MAX.0)))
    }
}

/// A table as it goes to edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its epoch.
    pub epoch: Epoch,
    /// The JSON, byte for byte what is served and signed.
    pub json: String,
    content: TableContent,
}

/// Gives tables their epochs.
///
/// The epoch of the last table outlives a process in its store: whoever starts again begins with
/// [`Publisher::after`] and issues a new one.
///
/// ```
/// use halcyon_core::config::RegionConfig;
/// use halcyon_core::release::Release;
/// use halcyon_core::table::{Publisher, TableContent};
/// use halcyon_core::time::Timestamp;
///
/// let env = |name: &str| (name == "REGIONS").then(|| String::from("us-east,us-west"));
/// let (config, _) = RegionConfig::read(&env);
/// let content = TableContent::of(&config, &Release::default(), &[], "default");
///
/// let mut publisher = Publisher::default();
/// let now = Timestamp(1_759_397_400_000);
/// let first = publisher.publish(content.clone(), now).unwrap().clone();
/// assert_eq!(first.epoch.number(), now.0);
/// // Nothing changed: the same table, byte for byte.
/// assert_eq!(publisher.publish(content, Timestamp(now.0 + 5)), Some(&first));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publisher {
    last: Option<Epoch>,
    published: Option<Published>,
}

impl Publisher {
    /// A publisher that goes on after `last`, which it knows from its store.
    pub fn after(last: Option<Epoch>) -> Self {
        Self {
            last,
            published: None,
        }
    }

    /// The JSON of a table whose epoch was issued elsewhere.
    pub fn json_of(content: &TableContent, epoch: Epoch, now: Timestamp) -> String {
        content.to_json(epoch, now)
    }

    /// The table of `content`: the last one if nothing changed, else a new one of a greater epoch. It is
    /// to be made durable before an edge sees it. `None` when epochs have run out.
    pub fn publish(&mut self, content: TableContent, now: Timestamp) -> Option<&Published> {
        let unchanged = self
            .published
            .as_ref()
            .is_some_and(|published| published.content == content);
        if !unchanged {
            let epoch = Epoch::after(self.last, now)?;
            let json = content.to_json(epoch, now);
            self.last = Some(epoch);
            self.published = Some(Published {
                epoch,
                json,
                content,
            });
        }
        self.published.as_ref()
    }
}
