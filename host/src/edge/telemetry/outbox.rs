//! What has been counted and not been acknowledged: kept for as long as it is of use, within bounds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use halcyon_core::telemetry::{
    BATCHES_MAX, Batch, CELLS_MAX, Cell, KEPT_MS, LASTED_MAX_MS, ReleaseOf, Report,
};

use super::counts::Taken;

/// The most bytes that are kept, as they would be sent: they take about as much here.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// The most bytes of one report, of the 1 MiB that a control plane reads.
const REPORT_BYTES: usize = 768 * 1024;

/// A batch that waits.
struct Waiting {
    seq: u64,
    until: Instant,
    lasted: Duration,
    release: Option<ReleaseOf>,
    cells: Vec<Cell>,
    /// What it will take in a report, about.
    bytes: usize,
}

/// What waits to be sent.
pub(super) struct Outbox {
    edge: String,
    seq: u64,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Batches that were given up.
    pub(super) dropped: u64,
}

impl Outbox {
    pub(super) fn new(edge: String) -> Self {
        Self {
            edge,
            seq: 0,
            waiting: VecDeque::new(),
            bytes: 0,
            dropped: 0,
        }
    }

    /// Takes up what has been counted.
    pub(super) fn put(&mut self, taken: Taken) {
        let lasted = taken.until.duration_since(taken.since);
        let mut cells = taken.cells;
        loop {
            let rest = cells.split_off(cells.len().min(CELLS_MAX));
            self.seq += 1;
            let bytes = 200 + cells.iter().map(bytes_of).sum::<usize>();
            self.bytes += bytes;
            self.waiting.push_back(Waiting {
                seq: self.seq,
                until: taken.until,
                lasted: lasted.min(Duration::from_millis(LASTED_MAX_MS)),
                release: taken.release.clone(),
                bytes,
                cells: std::mem::replace(&mut cells, rest),
            });
            if cells.is_empty() {
                break;
            }
        }
        while self.bytes > KEPT_BYTES {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.waiting.pop_front() {
            self.bytes -= oldest.bytes;
            self.dropped += 1;
        }
    }

    /// The next report, and the number of its last batch. `None` where nothing waits.
    pub(super) fn report(&mut self, now: Instant) -> Option<(Report, u64)> {
        let kept = Duration::from_millis(KEPT_MS);
        while let Some(oldest) = self.waiting.front()
            && now.saturating_duration_since(oldest.until) > kept
        {
            self.drop_oldest();
        }
        let mut bytes = 0;
        let fitting = self.waiting.iter().enumerate().take(BATCHES_MAX);
        let fitting = fitting.take_while(|(place, batch)| {
            bytes += batch.bytes;
            *place == 0 || bytes <= REPORT_BYTES
        });
        let batches: Vec<Batch> = fitting.map(|(_, batch)| batch.at(now)).collect();
        let last = batches.last()?.seq;
        let edge = self.edge.clone();
        Some((Report { edge, batches }, last))
    }

    /// Forgets what was taken, or refused for good: everything up to this number.
    pub(super) fn forget(&mut self, last: u64, taken: bool) {
        while self.waiting.front().is_some_and(|batch| batch.seq <= last) {
            self.drop_oldest();
            // It was not in vain.
            self.dropped -= u64::from(taken);
        }
    }

    /// How many batches wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Waiting {
    fn at(&self, now: Instant) -> Batch {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Batch {
            seq: self.seq,
            age_ms: ms(now.saturating_duration_since(self.until)),
            lasted_ms: ms(self.lasted),
            release: self.release.clone(),
            cells: self.cells.clone(),
        }
    }
}

/// A cell's names and numbers, and each pair of its latencies.
fn bytes_of(cell: &Cell) -> usize {
    160 + cell.region.len() + cell.tally.latency.counts().len() * 24
}

#[cfg(test)]
mod tests {
    use super::*;
    use halcyon_core::placement::Slot;
    use halcyon_core::telemetry::Tally;

    fn taken(cells: usize, until: Instant) -> Taken {
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
            since: until,
            until,
            cells: (0..cells).map(cell).collect(),
        }
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_under_the_same_numbers() {
        let mut outbox = Outbox::new("e".into());
        let now = Instant::now();
        outbox.put(taken(3, now));
        outbox.put(taken(2, now));
        let (first, last) = outbox.report(now).unwrap();
        let (again, _) = outbox.report(now + Duration::from_secs(30)).unwrap();
        let seqs = |report: &Report| -> Vec<u64> {
            report.batches.iter().map(|batch| batch.seq).collect()
        };
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
        let mut outbox = Outbox::new("e".into());
        let now = Instant::now();
        for _ in 0..80 {
            outbox.put(taken(50, now));
        }
        outbox.put(taken(2_500, now));
        let mut batches = 0;
        while let Some((report, last)) = outbox.report(now) {
            let json = serde_json::to_string(&report).unwrap();
            assert!(json.len() < 1024 * 1024 && report.batches.len() <= BATCHES_MAX);
            let document = halcyon_core::document::Document::from_json(&json).unwrap();
            assert_eq!(Report::from_document(&document), Ok(report.clone()));
            batches += report.batches.len();
            outbox.forget(last, true);
        }
        assert_eq!(batches, 83);
    }

    #[test]
    fn an_absence_of_any_length_takes_no_more_than_so_much() {
        let mut outbox = Outbox::new("e".into());
        let begin = Instant::now();
        for second in 0..2_000_u64 {
            outbox.put(taken(60, begin + Duration::from_secs(second)));
        }
        assert!(outbox.bytes <= KEPT_BYTES && outbox.dropped > 0);
        assert_eq!(outbox.dropped as usize + outbox.len(), 2_000);
        let late = begin + Duration::from_millis(KEPT_MS) + Duration::from_secs(2_100);
        assert!(outbox.report(late).is_none());
        assert_eq!((outbox.dropped, outbox.bytes), (2_000, 0));
    }
}
