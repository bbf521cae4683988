//! Lines that a journal has read before, read again without holding it.

use super::store::{Span, Store};
use super::{Journal, JournalError};

/// Neighbouring records of a journal.
#[derive(Debug, Clone)]
pub struct Part<S> {
    store: S,
    span: Span,
}

impl<S: Store + Clone> Journal<S> {
    /// At most so many of the records that were read, behind number `after`.
    pub fn part(&self, after: u64, most: usize) -> Part<S> {
        Part {
            store: self.store.clone(),
            span: self.chain.span(after, most),
        }
    }
}

impl<S: Store> Part<S> {
    /// Reads their lines, each with its number. They were verified before and are not verified again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lines(mut self) -> Result<Vec<(u64, String)>, JournalError> {
        let bytes = self.store.read_again(&self.span)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = self.span.records.zip(text.lines());
        Ok(lines.map(|(seq, line)| (seq, line.to_owned())).collect())
    }
}
