//! What one process has read of a journal, verified.

use halcyon_core::ledger::{Corruption, Head, Ledger};

use super::Entry;
use super::store::{Found, Mark, Origin, Span};

/// The records read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    pub(super) ledger: Ledger,
    /// The record before the last one.
    pub(super) before: Head,
    /// Where each record's line ends, its newline included.
    ends: Vec<u64>,
    torn: u64,
    origin: Option<Origin>,
}

impl Chain {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            head: self.ledger.head().clone(),
            bytes: self.bytes(),
            torn: self.torn,
            origin: self.origin,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(super) fn torn(&self) -> u64 {
        self.torn
    }

    /// Verifies what was found behind it and takes it in: all of it or, where a line does not verify,
    /// nothing.
    pub(super) fn take(&mut self, found: &Found) -> Result<Vec<Entry>, Corruption> {
        let mut entries = Vec::new();
        if !found.lines.is_empty() {
            let mut next = self.ledger.clone();
            next.read(&found.lines, |_, record, line| {
                entries.push(Entry {
                    record,
                    line: String::from_utf8_lossy(line).into_owned(),
                });
            })?;
            self.put(next, &entries);
        }
        (self.torn, self.origin) = (found.torn, found.origin);
        Ok(entries)
    }

    /// Puts records behind it that are on record for good, with the ledger that they lead to.
    pub(super) fn append(&mut self, next: Ledger, entries: &[Entry], origin: Option<Origin>) {
        self.put(next, entries);
        (self.torn, self.origin) = (0, origin);
    }

    fn put(&mut self, next: Ledger, entries: &[Entry]) {
        let last = std::mem::replace(&mut self.ledger, next);
        match entries {
            [] => {}
            [_] => self.before = last.head().clone(),
            [.., entry, _] => self.before = entry.head(),
        }
        for entry in entries {
            self.ends.push(self.bytes() + entry.line.len() as u64 + 1);
        }
    }

    /// At most so many records behind number `after`.
    pub(super) fn span(&self, after: u64, most: usize) -> Span {
        let total = self.ends.len();
        let first = usize::try_from(after).map_or(total, |after| after.min(total));
        let last = first.saturating_add(most).min(total);
        let end = |records: usize| match records {
            0 => 0,
            records => self.ends[records - 1],
        };
        Span {
            records: first as u64 + 1..last as u64 + 1,
            bytes: end(first)..end(last),
        }
    }
}
