//! The first choice of all tenants that no rule is about.

use core::convert::Infallible;

use super::divisor::Divisor;
use super::rendezvous::{Draws, Prepared, bucket};
use crate::config::Sticky;

/// The first choice of every bucket, computed before.
pub(crate) trait LookUp {
    fn first(&self, bucket: u16) -> u16;
}

/// Where there is no room for one.
impl LookUp for Infallible {
    fn first(&self, _: u16) -> u16 {
        match *self {}
    }
}

/// `TENANT_STICKY`, with what it needs for a decision at hand.
///
/// Nested, the two rules with nothing to look up apart: of four ways in one, a compiler makes a jump
/// through a table, which costs every decision five instructions.
#[derive(Debug, Clone)]
pub(crate) enum Everybody<P = Prepared> {
    /// By the number of regions.
    Hash(Divisor),
    /// By what the regions have drawn.
    Prepared(P),
    /// Without anything at hand.
    Plain(Plain),
}

/// The rules that need nothing more than the router has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// The primary's place.
    Primary(usize),
    /// By each region's draw.
    Rendezvous,
}

impl Everybody {
    /// Draws for every bucket, where draws decide.
    pub(super) fn prepare(&mut self, draws: Draws<'_>) {
        if let Self::Plain(Plain::Rendezvous) = self
            && let Some(prepared) = Prepared::new(draws)
        {
            *self = Self::Prepared(prepared);
        }
    }
}

impl<P: LookUp> Everybody<P> {
    /// Of no region.
    pub(crate) const NONE: Self = Self::Hash(Divisor::NONE);

    /// Of this rule over so many regions, at least one.
    pub(crate) fn new(sticky: Sticky, primary: usize, regions: usize) -> Option<Self> {
        Some(match sticky {
            Sticky::Primary => Self::Plain(Plain::Primary(primary)),
            Sticky::Hash => Self::Hash(Divisor::new(u64::try_from(regions).ok()?)?),
            Sticky::Rendezvous => Self::Plain(Plain::Rendezvous),
        })
    }

    /// The place of the first choice of the tenant with hash `h`.
    #[inline(always)]
    pub(crate) fn choice(&self, h: u64, draws: Draws<'_>) -> usize {
        match self {
            Self::Hash(regions) => usize::try_from(regions.remainder(h)).unwrap_or(0),
            other => other.looked_up(h, draws),
        }
    }

    // In a module, whose size counts, once for all who ask.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn looked_up(&self, h: u64, draws: Draws<'_>) -> usize {
        match self {
            Self::Prepared(prepared) => usize::from(prepared.first(bucket(h))),
            Self::Plain(plain) => plain.choice(h, draws),
            Self::Hash(_) => 0,
        }
    }
}

impl Plain {
    #[inline]
    fn choice(self, h: u64, draws: Draws<'_>) -> usize {
        match self {
            Self::Primary(place) => place,
            Self::Rendezvous => usize::from(draws.first(bucket(h))),
        }
    }
}
