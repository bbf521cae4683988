//! The past in spans of one width, the oldest of which are forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use halcyon_core::telemetry::Tally;

/// A pool of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pool {
    /// The region's place.
    pub(crate) place: u16,
    /// Green, else blue.
    pub(crate) green: bool,
}

/// What was counted within a span.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// How long ago it began.
    pub(crate) ago: Duration,
    /// Pools without traffic are not there.
    pub(crate) pools: Pools,
}

/// What was counted of each pool. Whoever reads it holds up nobody who counts more.
pub(crate) type Pools = Arc<BTreeMap<Pool, Tally>>;

/// The most counts that are kept, whatever edges send: 16 bytes each.
const COUNTS: usize = 1_500_000;

/// The past.
pub(super) struct Ring {
    width: Duration,
    kept: usize,
    /// The number of the newest span, which is the last one.
    newest: u64,
    spans: VecDeque<Pools>,
    /// How many counts are in them.
    counts: usize,
}

impl Ring {
    pub(super) fn new(width: Duration, kept: usize) -> Self {
        Self {
            width,
            kept,
            newest: 0,
            spans: VecDeque::new(),
            counts: 0,
        }
    }

    pub(super) fn width(&self) -> Duration {
        self.width
    }

    fn number(&self, at: Duration) -> u64 {
        let spans = at.as_millis() / self.width.as_millis().max(1);
        u64::try_from(spans).unwrap_or(u64::MAX)
    }

    /// The place of a span by its number.
    fn place(&self, number: u64) -> Option<usize> {
        let from_newest = usize::try_from(self.newest.checked_sub(number)?).ok()?;
        self.spans.len().checked_sub(from_newest.checked_add(1)?)
    }

    /// Adds what was counted at a time. What is older than everything that is kept is forgotten at once.
    pub(super) fn add(&mut self, at: Duration, pool: Pool, tally: &Tally) {
        let number = self.number(at);
        if self.spans.is_empty() {
            self.newest = number;
            self.spans.push_back(Pools::default());
        }
        let new = number.saturating_sub(self.newest);
        for _ in 0..new.min(self.kept as u64) {
            self.spans.push_back(Pools::default());
        }
        self.newest = self.newest.max(number);
        while self.spans.len() > self.kept {
            self.forget();
        }
        let older = self.newest.saturating_sub(number);
        while (self.spans.len() as u64) <= older && self.spans.len() < self.kept {
            self.spans.push_front(Pools::default());
        }
        if let Some(place) = self.place(number)
            && let Some(span) = self.spans.get_mut(place)
        {
            let known = Arc::make_mut(span).entry(pool).or_default();
            let before = known.latency.counts().len();
            known.merge(tally);
            self.counts += known.latency.counts().len() - before;
        }
        while self.counts > COUNTS {
            self.forget();
        }
    }

    /// Forgets the oldest span.
    fn forget(&mut self) {
        let oldest = self.spans.pop_front().unwrap_or_default();
        let counts = oldest.values().map(|tally| tally.latency.counts().len());
        self.counts -= counts.sum::<usize>();
    }

    /// What was counted since a time, by pool.
    pub(super) fn since(&self, from: Duration) -> impl Iterator<Item = (Pool, &Tally)> {
        let first = self.number(from);
        let numbered = (0_u64..).zip(self.spans.iter().rev());
        let newer =
            numbered.take_while(move |(back, _)| self.newest.saturating_sub(*back) >= first);
        newer.flat_map(|(_, span)| span.iter().map(|(pool, tally)| (*pool, tally)))
    }

    /// Every span of the last so much, those in which nothing was counted too.
    pub(super) fn spans(&self, now: Duration, last: Duration) -> Vec<Span> {
        let width = self.width.as_millis().max(1);
        let many = usize::try_from(last.as_millis().div_ceil(width)).unwrap_or(usize::MAX);
        let newest = self.number(now);
        let many = (many.min(self.kept) as u64).min(newest);
        let spans = (0..many).rev().map(|back| {
            let number = newest - back;
            let begin = self.width * u32::try_from(number).unwrap_or(u32::MAX);
            let span = self.place(number).and_then(|place| self.spans.get(place));
            Span {
                ago: now.saturating_sub(begin),
                pools: span.cloned().unwrap_or_default(),
            }
        });
        spans.collect()
    }
}
