//! What has been counted and not been acknowledged: kept for as long as it is of use, within bounds.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::{BATCHES_MAX, Batch, CELLS_MAX, Cell, KEPT_MS, LASTED_MAX_MS, ReleaseOf, Report};

/// The most bytes of one report, of the 1 MiB that a control plane reads.
const REPORT_BYTES: usize = 768 * 1024;

/// What has been counted within some time, under one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The release of the table.
    pub release: Option<ReleaseOf>,
    /// How long it took, in milliseconds.
    pub lasted_ms: u64,
    /// When it ended, in milliseconds of a clock that never jumps.
    pub until_ms: u64,
    /// The counts; what is not there is zero.
    pub cells: Vec<Cell>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The most batches.
    pub batches: usize,
    /// The most bytes, as they would be sent: they take about as much in memory.
    pub bytes: usize,
}

/// A batch that waits.
#[derive(Debug)]
struct Waiting {
    seq: u64,
    until_ms: u64,
    lasted_ms: u64,
    release: Option<ReleaseOf>,
    cells: Vec<Cell>,
    /// What it will take in a report, about.
    bytes: usize,
}

/// What waits to be sent, the oldest first. Times are milliseconds of the edge's clock that never jumps.
#[derive(Debug)]
pub struct Outbox {
    edge: String,
    kept: Kept,
    seq: u64,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    dropped: u64,
}

impl Outbox {
    /// That of an edge, whose id is another one after each start.
    pub fn new(edge: String, kept: Kept) -> Self {
        Self {
            edge,
            kept,
            seq: 0,
            waiting: VecDeque::new(),
            bytes: 0,
            dropped: 0,
        }
    }

    /// Takes up what has been counted.
    pub fn put(&mut self, taken: Taken) {
        let mut cells = taken.cells;
        loop {
            let rest = cells.split_off(cells.len().min(CELLS_MAX));
            self.seq = self.seq.saturating_add(1);
            let bytes = cells.iter().map(bytes_of).fold(200, usize::saturating_add);
            self.bytes = self.bytes.saturating_add(bytes);
            self.waiting.push_back(Waiting {
                seq: self.seq,
                until_ms: taken.until_ms,
                lasted_ms: taken.lasted_ms.min(LASTED_MAX_MS),
                release: taken.release.clone(),
                bytes,
                cells: mem::replace(&mut cells, rest),
            });
            if cells.is_empty() {
                break;
            }
        }
        while self.bytes > self.kept.bytes || self.waiting.len() > self.kept.batches {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if self.forget_oldest() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn forget_oldest(&mut self) -> bool {
        let oldest = self.waiting.pop_front();
        let bytes = oldest.as_ref().map_or(0, |oldest| oldest.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        oldest.is_some()
    }

    /// The next report, and the number of its last batch. `None` where nothing waits.
    pub fn report(&mut self, now_ms: u64) -> Option<(Report, u64)> {
        while let Some(oldest) = self.waiting.front()
            && now_ms.saturating_sub(oldest.until_ms) > KEPT_MS
        {
            self.drop_oldest();
        }
        let mut bytes = 0_usize;
        let fitting = self.waiting.iter().enumerate().take(BATCHES_MAX);
        let fitting = fitting.take_while(|(place, batch)| {
            bytes = bytes.saturating_add(batch.bytes);
            *place == 0 || bytes <= REPORT_BYTES
        });
        let batches: Vec<Batch> = fitting.map(|(_, batch)| batch.at(now_ms)).collect();
        let last = batches.last()?.seq;
        let edge = self.edge.clone();
        Some((Report { edge, batches }, last))
    }

    /// Forgets what was taken, or refused for good: everything up to this number.
    pub fn forget(&mut self, last: u64, taken: bool) {
        while self.waiting.front().is_some_and(|batch| batch.seq <= last) {
            match taken {
                true => drop(self.forget_oldest()),
                false => self.drop_oldest(),
            }
        }
    }

    /// How many batches wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many batches were given up.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Waiting {
    fn at(&self, now_ms: u64) -> Batch {
        Batch {
            seq: self.seq,
            age_ms: now_ms.saturating_sub(self.until_ms),
            lasted_ms: self.lasted_ms,
            release: self.release.clone(),
            cells: self.cells.clone(),
        }
    }
}

/// A cell's names and numbers, and each pair of its latencies.
fn bytes_of(cell: &Cell) -> usize {
    let pairs = cell.tally.latency.counts().len().saturating_mul(24);
    pairs.saturating_add(cell.region.len()).saturating_add(160)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::placement::Slot;
    use crate::telemetry::Tally;
    use alloc::format;
    use alloc::vec;

    const KEPT: Kept = Kept {
        batches: usize::MAX,
        bytes: 16 * 1024 * 1024,
    };

    fn taken(cells: usize, until_ms: u64) -> Taken {
        let mut tally = Tally::default();
        (0..40).for_each(|turn| tally.count(false, 1 << (turn % 30)));
        let cell = |place: usize| Cell {
            region: format!("region-{place}"),
            slot: Slot::Blue,
            cohort: None,
            tally: tally.clone(),
            open: 0,
        };
        Taken {
            release: None,
            lasted_ms: 0,
            until_ms,
            cells: (0..cells).map(cell).collect(),
        }
    }

    fn seqs(report: &Report) -> Vec<u64> {
        report.batches.iter().map(|batch| batch.seq).collect()
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_under_the_same_numbers() {
        let mut outbox = Outbox::new("e".into(), KEPT);
        let now = 7;
        outbox.put(taken(3, now));
        outbox.put(taken(2, now));
        let (first, last) = outbox.report(now).unwrap();
        let (again, _) = outbox.report(now + 30_000).unwrap();
        assert_eq!(
            (seqs(&first), seqs(&again), last),
            (vec![1, 2], vec![1, 2], 2)
        );
        assert_eq!(again.batches[0].age_ms, 30_000);
        outbox.put(taken(1, now));
        outbox.forget(last, true);
        assert_eq!(seqs(&outbox.report(now).unwrap().0), [3]);
        assert_eq!(outbox.dropped, 0);
        outbox.forget(3, false);
        assert!(outbox.report(now).is_none());
        assert_eq!(outbox.dropped, 1);
    }

    #[test]
    fn a_report_is_no_longer_than_a_control_plane_reads() {
        let mut outbox = Outbox::new("e".into(), KEPT);
        for _ in 0..80 {
            outbox.put(taken(50, 0));
        }
        outbox.put(taken(2_500, 0));
        let mut batches = 0;
        while let Some((report, last)) = outbox.report(0) {
            let json = serde_json::to_string(&report).unwrap();
            assert!(json.len() < 1024 * 1024 && report.batches.len() <= BATCHES_MAX);
            let document = Document::from_json(&json).unwrap();
            assert_eq!(Report::from_document(&document), Ok(report.clone()));
            batches += report.batches.len();
            outbox.forget(last, true);
        }
        assert_eq!(batches, 83);
    }

    #[test]
    fn an_absence_of_any_length_takes_no_more_than_so_much() {
        let mut outbox = Outbox::new("e".into(), KEPT);
        for second in 0..2_000 {
            outbox.put(taken(60, second * 1_000));
        }
        assert!(outbox.bytes <= KEPT.bytes && outbox.dropped > 0);
        assert_eq!(
            outbox.dropped + u64::try_from(outbox.waiting()).unwrap(),
            2_000
        );
        let late = KEPT_MS + 2_100_000;
        assert!(outbox.report(late).is_none());
        assert_eq!((outbox.dropped, outbox.bytes), (2_000, 0));
    }

    #[test]
    fn no_more_batches_are_kept_than_are_asked_for_and_they_are_the_newest() {
        let few = Kept { batches: 3, ..KEPT };
        let mut outbox = Outbox::new("e".into(), few);
        (0..10).for_each(|now| outbox.put(taken(1, now)));
        assert_eq!(seqs(&outbox.report(10).unwrap().0), [8, 9, 10]);
        assert_eq!((outbox.dropped(), outbox.waiting()), (7, 3));
    }
}
