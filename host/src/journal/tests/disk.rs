//! A disk in memory that fails when told to.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::{JournalError, LogFile, Storage};

pub(super) const ENOSPC: i32 = 28;
pub(super) const EDQUOT: i32 = 122;
pub(super) const EIO: i32 = 5;

/// One file on it, shared by every journal that has a clone.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    file: Option<Vec<u8>>,
    inode: u64,
    /// How long the file may get, and what a write beyond that fails with.
    limit: Option<(usize, i32)>,
    /// The most one write takes.
    pub(super) write_at_most: Option<usize>,
    /// This many writes are interrupted by a signal.
    pub(super) interruptions: usize,
    pub(super) write_error: Option<i32>,
    /// So many fsyncs succeed before `sync_error` has its way.
    pub(super) good_syncs: usize,
    pub(super) sync_error: Option<i32>,
    pub(super) truncate_error: Option<i32>,
    pub(super) create_error: Option<i32>,
    pub(super) read_error: Option<i32>,
    pub(super) calls: Calls,
}

/// How often the disk was asked to change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) writes: usize,
    pub(super) syncs: usize,
    pub(super) syncs_of_names: usize,
    pub(super) truncates: usize,
}

impl Disk {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.state().file.clone().unwrap_or_default()
    }

    pub(super) fn exists(&self) -> bool {
        self.state().file.is_some()
    }

    /// Puts other bytes into the same file.
    pub(super) fn set(&self, bytes: &[u8]) {
        self.state().file = Some(bytes.to_vec());
    }

    /// Puts another file in its place.
    pub(super) fn replace(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.file = Some(bytes.to_vec());
        state.inode += 1;
    }

    pub(super) fn remove(&self) {
        self.state().file = None;
    }

    /// Leaves room for this many more bytes; a write of more fails with `code` after them.
    pub(super) fn leave_room(&self, bytes: usize, code: i32) {
        let mut state = self.state();
        let length = state.file.as_ref().map_or(0, Vec::len);
        state.limit = Some((length + bytes, code));
    }

    /// Mends everything.
    pub(super) fn heal(&self) {
        let mut state = self.state();
        *state = State {
            file: state.file.take(),
            inode: state.inode,
            calls: state.calls,
            ..State::default()
        };
    }

    pub(super) fn calls(&self) -> Calls {
        self.state().calls
    }
}

fn fail(code: Option<i32>) -> io::Result<()> {
    code.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
}

impl Storage for Disk {
    type Lock = ();

    fn lock(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.state().calls.syncs_of_names += 1;
        Ok(())
    }

    fn open(&mut self, write: bool) -> io::Result<Option<Box<dyn LogFile>>> {
        let mut state = self.state();
        if state.file.is_none() {
            if !write {
                return Ok(None);
            }
            fail(state.create_error)?;
            state.file = Some(Vec::new());
            state.inode += 1;
        }
        Ok(Some(Box::new(self.clone())))
    }

    fn path(&self) -> String {
        "disk/deploy_audit.log".into()
    }
}

impl LogFile for Disk {
    fn identity(&mut self) -> io::Result<(u64, u64)> {
        Ok((1, self.state().inode))
    }

    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        fail(self.state().read_error)?;
        let bytes = self.bytes();
        Ok(bytes.get(offset as usize..).unwrap_or_default().to_vec())
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.calls.writes += 1;
        if state.interruptions > 0 {
            state.interruptions -= 1;
            return Err(io::ErrorKind::Interrupted.into());
        }
        fail(state.write_error)?;
        let offset = offset as usize;
        let mut most = bytes.len().min(state.write_at_most.unwrap_or(usize::MAX));
        if let Some((limit, code)) = state.limit {
            most = most.min(limit.saturating_sub(offset));
            fail((most == 0).then_some(code))?;
        }
        let file = state.file.as_mut().unwrap();
        if file.len() < offset + most {
            file.resize(offset + most, 0);
        }
        file[offset..offset + most].copy_from_slice(&bytes[..most]);
        Ok(most)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.calls.truncates += 1;
        fail(state.truncate_error)?;
        state.file.as_mut().unwrap().truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.calls.syncs += 1;
        if state.good_syncs > 0 {
            state.good_syncs -= 1;
            return Ok(());
        }
        fail(state.sync_error)
    }
}
