//! The disk of the world under way: one file, and a writer that may be killed in the middle of an append.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use halcyon::journal::{JournalError, LogFile, Storage};

/// One file: what processes see, and what of it a power loss leaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) seen: Arc<Vec<u8>>,
    pub(crate) durable: Arc<Vec<u8>>,
}

/// Where a writer is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kill {
    /// Before this write or fsync of its append, from 0; after the last one nothing but the answer is lost.
    pub(crate) before: usize,
    /// Half of that write is done.
    pub(crate) half: bool,
}

/// A disk at work.
#[derive(Default)]
struct Spinning {
    disk: Disk,
    kill: Option<Kill>,
    done: usize,
    killed: bool,
}

thread_local! {
    // Every journal of every world is a plain value; the disk it works on is put under it for each action.
    static DISK: RefCell<Spinning> = RefCell::default();
}

/// Runs `work` on `disk` and takes back what came of it. Says whether the writer was killed.
pub(crate) fn on<T>(disk: &mut Disk, kill: Option<Kill>, work: impl FnOnce() -> T) -> (T, bool) {
    let disk_now = std::mem::take(disk);
    DISK.set(Spinning {
        disk: disk_now,
        kill,
        ..Spinning::default()
    });
    let answer = work();
    let after = DISK.take();
    *disk = after.disk;
    (answer, after.killed || kill.is_some())
}

/// The disk under whoever runs now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plugged;

impl Spinning {
    /// One more write or fsync, unless the writer is killed before it.
    fn change(&mut self, write: Option<(&[u8], usize)>) -> io::Result<()> {
        let kill = self.kill.filter(|kill| kill.before == self.done);
        if kill.is_some_and(|kill| kill.half)
            && let Some((bytes, offset)) = write
        {
            self.write(&bytes[..bytes.len() / 2], offset);
        }
        self.killed |= kill.is_some();
        if self.killed {
            return Err(io::Error::other("killed"));
        }
        self.done += 1;
        match write {
            Some((bytes, offset)) => self.write(bytes, offset),
            None => self.disk.durable = Arc::clone(&self.disk.seen),
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], offset: usize) {
        let file = Arc::make_mut(&mut self.disk.seen);
        file.resize(file.len().max(offset + bytes.len()), 0);
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

impl Storage for Plugged {
    type Lock = ();

    fn lock(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn open(&mut self, _write: bool) -> io::Result<Option<Box<dyn LogFile>>> {
        Ok(Some(Box::new(*self)))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn path(&self) -> String {
        "model".into()
    }
}

impl LogFile for Plugged {
    fn identity(&mut self) -> io::Result<(u64, u64)> {
        Ok((1, 1))
    }

    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        Ok(DISK.with_borrow(|disk| {
            let bytes = disk.disk.seen.get(offset as usize..);
            bytes.unwrap_or_default().to_vec()
        }))
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        DISK.with_borrow_mut(|disk| disk.change(Some((bytes, offset as usize))))?;
        Ok(bytes.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        DISK.with_borrow_mut(|disk| Arc::make_mut(&mut disk.disk.seen).truncate(length as usize));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        DISK.with_borrow_mut(|disk| disk.change(None))
    }
}
