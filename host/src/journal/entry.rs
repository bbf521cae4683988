//! A record as it stands in the file.

use halcyon_core::ledger::{Head, Record};

/// A record together with its line, without the newline.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// Its line, byte for byte.
    pub line: String,
}

impl Entry {
    /// The hash it carries.
    pub(super) fn hash(&self) -> &str {
        let digits = self.line.len().saturating_sub(66)..self.line.len().saturating_sub(2);
        self.line.get(digits).unwrap_or_default()
    }

    /// The head that it is, or was.
    pub(super) fn head(&self) -> Head {
        Head {
            seq: self.record.seq,
            hash: self.hash().to_owned(),
        }
    }
}
