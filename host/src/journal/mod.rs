//! The journal: append-only, chained, durable before a change takes effect.
//!
//! What it is kept in is a [`Store`], whose only write is a compare-and-swap on the head; the one there is
//! today is a file, `DIR/deploy_audit.log`. A [`Journal`] is one process's view of it: it verifies what it
//! reads, decides on the newest state, and decides again where another process was quicker. Who drives a
//! release is a lock ([`DriverLock`]) that nothing here rests on.

mod append;
mod chain;
mod entry;
mod epoch;
mod error;
mod file;
mod file_store;
mod holder;
mod lock;
mod part;
mod store;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use entry::Entry;
pub use epoch::{EpochError, Epochs};
pub use error::JournalError;
pub use file::{DirStorage, LogFile, Storage};
pub use file_store::FileStore;
pub use holder::Holder;
pub use lock::{DriverLock, HookLock, driver_alive};
pub(crate) use lock::{LOOK_AGAIN, PATIENCE};
pub use part::Part;
pub use store::{Found, Mark, NotSwapped, Origin, Span, Store};

use chain::Chain;
use halcyon_core::ledger::{Head, Ledger};
use halcyon_core::release::Release;

/// The file's name inside the store's directory.
pub const LOG_NAME: &str = "deploy_audit.log";

/// One process's view of a journal.
#[derive(Debug, Clone)]
pub struct Journal<S = FileStore> {
    store: S,
    chain: Chain,
    /// The last record this process wrote: it must still be there at every later look.
    acknowledged: Option<Head>,
    /// What others had appended when this process last did.
    missed: Vec<Entry>,
    /// The record of the last refusal, if it was recorded.
    denial: Option<Entry>,
    /// Why it could not be.
    unrecorded: Option<JournalError>,
}

impl Journal {
    /// The journal in `dir`, read and verified. Creates nothing.
    ///
    /// # Errors
    /// When the file cannot be read, is no regular file, or does not verify.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, JournalError> {
        Ok(Self::open_with_entries(dir)?.0)
    }

    /// The same together with every record it holds.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with_entries(dir: impl Into<PathBuf>) -> Result<(Self, Vec<Entry>), JournalError> {
        let mut journal = Self::unread(FileStore::of_this_process(&dir.into()));
        let entries = journal.refresh()?;
        Ok((journal, entries))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.store.storage().dir()
    }

    /// The same that waits for nobody: where another process has the append lock, an append is
    /// [`JournalError::Locked`] at once.
    pub(crate) fn impatient(mut self) -> Self {
        self.store = self.store.impatient();
        self
    }
}

impl<F: Storage> Journal<FileStore<F>> {
    /// A journal over another file than a directory's.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn with_storage(storage: F) -> Result<Self, JournalError> {
        Self::over(FileStore::new(storage))
    }
}

impl<S: Store> Journal<S> {
    /// The journal in this store, read and verified.
    ///
    /// # Errors
    /// When it cannot be read or does not verify.
    pub fn over(store: S) -> Result<Self, JournalError> {
        let mut journal = Self::unread(store);
        journal.refresh()?;
        Ok(journal)
    }

    fn unread(store: S) -> Self {
        Self {
            store,
            chain: Chain::default(),
            acknowledged: None,
            missed: Vec::new(),
            denial: None,
            unrecorded: None,
        }
    }

    /// The chain and the state it adds up to.
    pub fn ledger(&self) -> &Ledger {
        &self.chain.ledger
    }

    /// The end of the chain at the last look.
    pub fn head(&self) -> &Head {
        self.ledger().head()
    }

    /// The state at the last look.
    pub fn release(&self) -> &Release {
        self.ledger().release()
    }

    /// Why this process appends nothing any more, if it does not: an earlier write has failed.
    pub fn stopped(&self) -> Option<String> {
        self.store.stopped().map(|why| why.to_string())
    }

    /// The record of the refusal that the last append answered, where it was recorded.
    pub fn take_denial(&mut self) -> Option<Entry> {
        self.denial.take()
    }

    /// Why the last refusal could not be recorded, where that is so.
    pub fn take_unrecorded(&mut self) -> Option<JournalError> {
        self.unrecorded.take()
    }

    /// Bytes after the last newline at the last look; readers ignore them.
    pub fn torn_tail(&self) -> u64 {
        self.chain.torn()
    }

    /// The log's length at the last look. One of another length has something new.
    pub fn seen_bytes(&self) -> u64 {
        self.chain.bytes() + self.chain.torn()
    }

    /// Reads and verifies what is new, and returns it.
    ///
    /// # Errors
    /// When the store cannot be read or what is new does not verify.
    pub fn refresh(&mut self) -> Result<Vec<Entry>, JournalError> {
        if let Some(found) = self.store.read(&self.chain.mark())? {
            self.must_be_there(&found)?;
            match self.chain.take(&found) {
                Ok(entries) => return Ok(entries),
                Err(why) if self.head().seq == 0 => return Err(self.corrupt(&why.to_string())),
                Err(_) => {}
            }
        }
        // What was read may have been taken back: only a whole new reading tells that from corruption.
        self.reread()
    }

    /// The same, and what is known after it is durable: a writer may have died, or be, between its write
    /// and its fsync, and whoever acts on a record must not be ahead of the disk.
    ///
    /// # Errors
    /// As [`Journal::refresh`]; after a failed fsync this journal writes no more.
    pub fn refresh_durably(&mut self) -> Result<Vec<Entry>, JournalError> {
        let entries = self.refresh()?;
        self.store.make_durable(&self.chain.mark())?;
        Ok(entries)
    }

    /// Reads everything again; returns the records that were not known before.
    fn reread(&mut self) -> Result<Vec<Entry>, JournalError> {
        let Some(found) = self.store.read(&Mark::default())? else {
            return Err(self.corrupt("it has no beginning"));
        };
        self.must_be_there(&found)?;
        // The last good view stays where this fails: state may still be asked for.
        let mut anew = Chain::default();
        let entries = anew
            .take(&found)
            .map_err(|why| self.corrupt(&why.to_string()))?;
        self.still_there(&entries)?;
        let known = self.head().clone();
        self.chain = anew;
        let cut_back = u64::from(!holds(&entries, &known));
        let new = |entry: &Entry| entry.record.seq + cut_back > known.seq;
        Ok(entries.into_iter().filter(new).collect())
    }

    fn must_be_there(&self, found: &Found) -> Result<(), JournalError> {
        match found.origin.is_none() && self.head().seq > 0 {
            true => Err(self.corrupt("it is gone")),
            false => Ok(()),
        }
    }

    /// An append has at most two records, so one that failed left at most its first one whole to be seen
    /// and taken back: everything else that this process has read must be there, and what it wrote.
    fn still_there(&self, entries: &[Entry]) -> Result<(), JournalError> {
        let gone = |who: &str, seq: u64| {
            let why = format!("record {seq} was {who} by this process and is gone");
            Err(self.corrupt(&why))
        };
        if let Some(ours) = &self.acknowledged
            && !holds(entries, ours)
        {
            return gone("written", ours.seq);
        }
        let (known, before) = (self.head(), &self.chain.before);
        if known.seq == 0 || holds(entries, known) {
            return Ok(());
        }
        if !self.store.takes_back() {
            return gone("read", known.seq);
        }
        match before.seq > 0 && !holds(entries, before) {
            true => gone("read", before.seq),
            false => Ok(()),
        }
    }

    fn error(&self, doing: &'static str, why: &str) -> JournalError {
        JournalError::Io {
            doing,
            path: self.store.place(),
            why: why.to_owned(),
        }
    }

    fn corrupt(&self, why: &str) -> JournalError {
        JournalError::Corrupt {
            path: self.store.place(),
            why: why.to_owned(),
        }
    }
}

fn holds(entries: &[Entry], head: &Head) -> bool {
    let mut entries = entries.iter();
    entries.any(|entry| entry.record.seq == head.seq && entry.hash() == head.hash)
}
