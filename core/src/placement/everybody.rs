//! The first choice of all tenants that no rule is about.

use super::divisor::Divisor;
use super::rendezvous::{Prepared, Rendezvous, bucket};
use crate::config::Sticky;

/// `TENANT_STICKY`, with what it needs for a decision at hand.
///
/// Nested, the two rules with nothing to look up apart: of four ways in one, a compiler makes a jump
/// through a table, which costs every decision five instructions.
#[derive(Debug, Clone)]
pub(super) enum Everybody {
    /// By the number of regions.
    Hash(Divisor),
    /// By what the regions have drawn.
    Prepared(Prepared),
    /// Without anything at hand.
    Plain(Plain),
}

/// The rules that need nothing more than the router has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// The primary's place.
    Primary(usize),
    /// By each region's draw.
    Rendezvous,
}

impl Everybody {
    /// Of this rule over so many regions, at least one.
    pub(super) fn new(sticky: Sticky, primary: usize, regions: usize) -> Option<Self> {
        Some(match sticky {
            Sticky::Primary => Self::Plain(Plain::Primary(primary)),
            Sticky::Hash => Self::Hash(Divisor::new(u64::try_from(regions).ok()?)?),
            Sticky::Rendezvous => Self::Plain(Plain::Rendezvous),
        })
    }

    /// Draws for every bucket, where draws decide.
    pub(super) fn prepare(&mut self, rendezvous: &Rendezvous) {
        if let Self::Plain(Plain::Rendezvous) = self
            && let Some(prepared) = Prepared::new(rendezvous)
        {
            *self = Self::Prepared(prepared);
        }
    }

    /// The place of the first choice of the tenant with hash `h`.
    #[inline]
    pub(super) fn choice(&self, h: u64, rendezvous: &Rendezvous) -> usize {
        match self {
            Self::Prepared(prepared) => usize::from(prepared.first(bucket(h))),
            Self::Hash(regions) => usize::try_from(regions.remainder(h)).unwrap_or(0),
            Self::Plain(plain) => plain.choice(h, rendezvous),
        }
    }
}

impl Plain {
    #[inline]
    fn choice(self, h: u64, rendezvous: &Rendezvous) -> usize {
        match self {
            Self::Primary(place) => place,
            Self::Rendezvous => usize::from(rendezvous.first(bucket(h))),
        }
    }
}
