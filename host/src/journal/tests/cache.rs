//! A disk with a cache: after a power loss, any part of what was not synced may be there without the rest.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::{JournalError, LogFile, Storage};
use super::disk::ENOSPC;

/// What a disk writes at once or not at all.
const SECTOR: usize = 512;

/// With more parts than this, sizes between them are left out.
const FEW: usize = 6;

/// One file on it, shared by every journal that has a clone.
#[derive(Clone, Default)]
pub(super) struct CachedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Moment,
    /// How it was after each change.
    moments: Vec<Moment>,
    /// How long the file may get.
    limit: Option<usize>,
    /// Changes until whoever asks for the next one is killed.
    fuse: Option<usize>,
}

/// What processes see, and what of it would last.
#[derive(Clone, Default)]
pub(super) struct Moment {
    seen: Option<Vec<u8>>,
    durable: Vec<u8>,
    named: bool,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Cut { length: usize },
}

impl CachedDisk {
    /// All of it durable.
    pub(super) fn holding(bytes: Option<Vec<u8>>) -> Self {
        let disk = Self::default();
        let named = bytes.is_some();
        disk.state().now = Moment {
            durable: bytes.clone().unwrap_or_default(),
            seen: bytes,
            named,
            unsynced: Vec::new(),
        };
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn seen(&self) -> Vec<u8> {
        self.state().now.seen.clone().unwrap_or_default()
    }

    /// Every moment since the last time this was asked, and the present one.
    pub(super) fn moments(&self) -> Vec<Moment> {
        let mut state = self.state();
        let now = state.now.clone();
        let mut moments = std::mem::take(&mut state.moments);
        moments.push(now);
        moments
    }

    /// Leaves room for this many more bytes.
    pub(super) fn leave_room(&self, bytes: Option<usize>) {
        let length = self.seen().len();
        self.state().limit = bytes.map(|bytes| length + bytes);
    }

    /// Whoever asks for one more change than these is killed before it.
    pub(super) fn kill_after(&self, changes: Option<usize>) {
        self.state().fuse = changes;
    }

    fn change(&self, what: impl FnOnce(&mut Moment)) -> io::Result<()> {
        let mut state = self.state();
        if let Some(left) = &mut state.fuse {
            *left = left.checked_sub(1).ok_or(io::ErrorKind::Other)?;
        }
        what(&mut state.now);
        let now = state.now.clone();
        state.moments.push(now);
        Ok(())
    }
}

impl Moment {
    /// Every file that a power loss in this moment may leave; none where there may be no file.
    pub(super) fn images(&self) -> BTreeSet<Option<Vec<u8>>> {
        let parts: Vec<Change> = self.unsynced.iter().flat_map(Change::parts).collect();
        // The length is on another place of the disk than the data.
        let mut lengths = BTreeSet::from([self.durable.len()]);
        for change in &parts {
            lengths.insert(match change {
                Change::Write { offset, bytes } => offset + bytes.len(),
                Change::Cut { length } => *length,
            });
        }
        let longest = lengths.last().copied();
        if parts.len() > FEW {
            lengths.retain(|length| Some(*length) == longest);
        }
        let mut images = BTreeSet::new();
        assert!(parts.len() < 16, "{} parts are too many", parts.len());
        for subset in 0_u32..1 << parts.len() {
            let mut file = self.durable.clone();
            for (bit, change) in parts.iter().enumerate() {
                if subset & (1 << bit) != 0 {
                    change.make(&mut file);
                }
            }
            for length in &lengths {
                let mut file = file.clone();
                file.resize(*length, 0);
                images.insert(Some(file));
            }
            images.insert(Some(file));
        }
        if !self.named {
            images.insert(None);
        }
        images
    }
}

impl Change {
    fn parts(&self) -> Vec<Change> {
        let Change::Write { offset, bytes } = self else {
            return vec![self.clone()];
        };
        let (mut at, mut rest, mut parts) = (*offset, &bytes[..], Vec::new());
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
            parts.push(Change::Write {
                offset: at,
                bytes: part.to_vec(),
            });
            at += part.len();
            rest = after;
        }
        parts
    }

    fn make(&self, file: &mut Vec<u8>) {
        match self {
            Change::Cut { length } => file.truncate(*length),
            Change::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}

impl Storage for CachedDisk {
    type Lock = ();

    fn lock(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn open(&mut self, write: bool) -> io::Result<Option<Box<dyn LogFile>>> {
        let exists = self.state().now.seen.is_some();
        if !exists && !write {
            return Ok(None);
        }
        if !exists {
            self.change(|now| now.seen = Some(Vec::new()))?;
        }
        Ok(Some(Box::new(self.clone())))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.change(|now| now.named = true)
    }

    fn path(&self) -> String {
        "disk/deploy_audit.log".into()
    }
}

impl LogFile for CachedDisk {
    fn identity(&mut self) -> io::Result<(u64, u64)> {
        Ok((1, 1))
    }

    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let bytes = self.seen();
        Ok(bytes.get(offset as usize..).unwrap_or_default().to_vec())
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let offset = offset as usize;
        let limit = self.state().limit.unwrap_or(usize::MAX);
        let most = bytes.len().min(limit.saturating_sub(offset));
        if most == 0 {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let change = Change::Write {
            offset,
            bytes: bytes[..most].to_vec(),
        };
        self.change(|now| {
            change.make(now.seen.get_or_insert_default());
            now.unsynced.push(change);
        })?;
        Ok(most)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let change = Change::Cut {
            length: length as usize,
        };
        self.change(|now| {
            change.make(now.seen.get_or_insert_default());
            now.unsynced.push(change);
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.change(|now| {
            now.durable = now.seen.clone().unwrap_or_default();
            now.unsynced.clear();
        })
    }
}
