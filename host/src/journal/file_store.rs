//! The store in a file: `file:DIR`.
//!
//! A swap holds the append lock for as long as it takes to compare, write and fsync.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use halcyon_core::ledger::Head;

use super::file::{is_full, write_all};
use super::store::{Found, Mark, NotSwapped, Origin, Span, Store};
use super::{DirStorage, JournalError, LogFile, Storage};

/// A store in one file.
#[derive(Debug, Clone)]
pub struct FileStore<F = DirStorage> {
    storage: F,
    /// Bytes of it that are durable for sure.
    durable: u64,
    /// Why nothing may be written any more.
    poisoned: Option<String>,
    /// Where every store of one process in this directory has that too.
    everywhere: Option<Arc<OnceLock<String>>>,
}

/// By directory: why this process may write nothing there any more.
static POISONED: Mutex<Option<HashMap<PathBuf, Arc<OnceLock<String>>>>> = Mutex::new(None);

impl FileStore {
    /// The store in this directory, as this process knows it: what one part of it has failed to write or to fsync,
    /// no other part tries again.
    pub fn of_this_process(dir: &Path) -> Self {
        let place = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let mut known = POISONED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default().entry(place).or_default();
        Self {
            everywhere: Some(Arc::clone(known)),
            ..Self::new(DirStorage::new(dir))
        }
    }

    /// The same that waits for no lock.
    pub(super) fn impatient(mut self) -> Self {
        self.storage = self.storage.impatient();
        self
    }
}

impl<F: Storage> FileStore<F> {
    /// The store in this file.
    pub fn new(storage: F) -> Self {
        Self {
            storage,
            durable: 0,
            poisoned: None,
            everywhere: None,
        }
    }

    /// Where the file is.
    pub fn storage(&self) -> &F {
        &self.storage
    }

    fn open(&mut self) -> Result<Option<Box<dyn LogFile>>, JournalError> {
        let file = self.storage.open(false);
        file.map_err(|why| self.error("open", why))
    }

    /// Everything behind what is known; none where that is not in this file.
    fn behind(
        &self,
        file: &mut dyn LogFile,
        known: &Mark,
    ) -> Result<(Origin, Option<Vec<u8>>), JournalError> {
        let origin = file.identity().map_err(|why| self.error("examine", why))?;
        let another = known.origin.is_some_and(|known| known != origin);
        if another && known.head.seq > 0 {
            return Ok((origin, None));
        }
        // The end of the last record is read again: another one of its length may stand there by now.
        let end = end_of(&known.head);
        let bytes = file
            .read_from(known.bytes.saturating_sub(end.len() as u64))
            .map_err(|why| self.error("read", why))?;
        let behind = match end.is_empty() {
            true => Some(bytes),
            false => bytes.strip_prefix(end.as_bytes()).map(<[u8]>::to_vec),
        };
        Ok((origin, behind))
    }

    /// Whether the head is still the expected one, for good.
    fn confirm(&mut self, expected: &Mark) -> Result<Option<Origin>, NotSwapped> {
        // Of nothing an append under way takes nothing back: no lock, and so no trace on disk.
        let _lock = match expected.head.seq {
            0 => None,
            _ => Some(self.storage.lock()?),
        };
        let Some(found) = self.read(expected)? else {
            return Err(NotSwapped::Moved);
        };
        if !found.lines.is_empty() || (found.origin.is_none() && expected.head.seq > 0) {
            return Err(NotSwapped::Moved);
        }
        self.make_durable(expected)?;
        Ok(found.origin)
    }

    /// The file to write to, where the head is still the expected one, and the torn tail that stands
    /// behind that.
    fn expecting(&mut self, expected: &Mark) -> Result<Writable, NotSwapped> {
        if expected.head.seq > 0 && self.open()?.is_none() {
            // It is gone, and nothing is begun anew.
            return Err(NotSwapped::Moved);
        }
        let mut file = match self.storage.open(true) {
            Ok(Some(file)) => file,
            Ok(None) => {
                let why = io::Error::from(io::ErrorKind::NotFound);
                return Err(self.error("create", why).into());
            }
            Err(why) => return Err(self.full_or(why, "create").into()),
        };
        match self.behind(&mut *file, expected)? {
            (origin, Some(tail))
                if tail.len() as u64 == expected.torn && !tail.contains(&b'\n') =>
            {
                Ok(Writable { file, origin, tail })
            }
            _ => Err(NotSwapped::Moved),
        }
    }

    /// A write failed. A full disk leaves the file as it was before, a torn tail included, so that the
    /// append that succeeds records it; anything else ends writing.
    fn undo(&mut self, to: &mut Writable, length: u64, why: io::Error) -> JournalError {
        if !is_full(&why) {
            return self.poison("write", why);
        }
        // Each durable before the next: a newline may be on disk beyond what is written here, and what was
        // refused must not come back after a power loss.
        let file = &mut *to.file;
        let before = file
            .truncate(length)
            .and_then(|()| file.sync())
            .and_then(|()| write_all(file, &to.tail, length));
        let before = match to.tail.is_empty() {
            true => before,
            false => before.and_then(|()| file.sync()),
        };
        match before {
            Ok(()) => self.full_or(why, "write"),
            Err(again) => self.poison("cut back", again),
        }
    }

    fn may_write(&self) -> Result<(), JournalError> {
        let everywhere = || self.everywhere.as_ref()?.get();
        match self.poisoned.as_ref().or_else(everywhere) {
            None => Ok(()),
            Some(why) => Err(JournalError::ReadOnly { why: why.clone() }),
        }
    }

    pub(super) fn poison(&mut self, doing: &'static str, why: io::Error) -> JournalError {
        let said = format!("an earlier attempt to {doing} it failed: {why}");
        if let Some(everywhere) = &self.everywhere {
            // The first one stays: the others are of the same disk.
            let _ = everywhere.set(said.clone());
        }
        self.poisoned = Some(said);
        self.error(doing, why)
    }

    fn full_or(&self, why: io::Error, doing: &'static str) -> JournalError {
        if is_full(&why) {
            JournalError::Full {
                path: self.place(),
                why: why.to_string(),
            }
        } else {
            self.error(doing, why)
        }
    }

    fn error(&self, doing: &'static str, why: io::Error) -> JournalError {
        JournalError::Io {
            doing,
            path: self.place(),
            why: why.to_string(),
        }
    }
}

/// A file that stands as it is expected to.
struct Writable {
    file: Box<dyn LogFile>,
    origin: Origin,
    /// Bytes after its last newline.
    tail: Vec<u8>,
}

impl<F: Storage> Store for FileStore<F> {
    fn read(&mut self, known: &Mark) -> Result<Option<Found>, JournalError> {
        let Some(mut file) = self.open()? else {
            return Ok(Some(Found::default()));
        };
        if known.head.seq == 0 {
            // Another file may have come in the place of the one that was synced.
            self.durable = 0;
        }
        let (origin, behind) = self.behind(&mut *file, known)?;
        Ok(behind.map(|mut lines| {
            let end = lines.iter().rposition(|byte| *byte == b'\n');
            let tail = lines.split_off(end.map_or(0, |end| end + 1));
            Found {
                lines,
                torn: tail.len() as u64,
                origin: Some(origin),
            }
        }))
    }

    fn read_again(&mut self, span: &Span) -> Result<Vec<u8>, JournalError> {
        if span.bytes.is_empty() {
            return Ok(Vec::new());
        }
        let Some(mut file) = self.open()? else {
            return Err(self.error("open", io::ErrorKind::NotFound.into()));
        };
        let bytes = file.read_part(span.bytes.clone());
        bytes.map_err(|why| self.error("read", why))
    }

    fn make_durable(&mut self, known: &Mark) -> Result<(), JournalError> {
        self.may_write()?;
        if known.bytes > self.durable {
            let file = self.storage.open(false);
            let synced = file.and_then(|file| file.map_or(Ok(()), |mut file| file.sync()));
            synced.map_err(|why| self.poison("fsync", why))?;
            self.durable = known.bytes;
        }
        Ok(())
    }

    fn swap(&mut self, expected: &Mark, lines: &str) -> Result<Option<Origin>, NotSwapped> {
        self.may_write()?;
        if lines.is_empty() {
            return self.confirm(expected);
        }
        let _lock = self.storage.lock()?;
        let mut to = self.expecting(expected)?;
        if expected.head.seq == 0 {
            // The first record: whoever made the file may have died before its name was durable.
            let named = self.storage.sync_names();
            named.map_err(|why| self.poison("fsync the directory of", why))?;
        }
        let mut at = expected.bytes;
        if !to.tail.is_empty() {
            let cut = to.file.truncate(at);
            cut.map_err(|why| self.poison("cut the torn tail of", why))?;
        }
        // After a power loss any part of what was not synced may be there without the rest. A newline
        // makes a line count, so it is written when all before it is durable.
        for piece in pieces(lines) {
            if let Err(why) = write_all(&mut *to.file, piece.as_bytes(), at) {
                return Err(self.undo(&mut to, expected.bytes, why).into());
            }
            to.file.sync().map_err(|why| self.poison("fsync", why))?;
            at += piece.len() as u64;
        }
        self.durable = at;
        Ok(Some(to.origin))
    }

    fn stopped(&self) -> Option<JournalError> {
        self.may_write().err()
    }

    fn takes_back(&self) -> bool {
        // A writer whose disk filled up cuts back what it had begun, and a reader may have seen it.
        true
    }

    fn place(&self) -> String {
        self.storage.path()
    }
}

/// How the line of the last record ends.
fn end_of(head: &Head) -> String {
    match head.seq {
        0 => String::new(),
        _ => format!("{}\"}}\n", head.hash),
    }
}

/// Lines cut before each newline: every piece but the first begins with one.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = usize::from(rest.starts_with('\n'));
        let end = rest[begin..]
            .find('\n')
            .map_or(rest.len(), |end| begin + end);
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
