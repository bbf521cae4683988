//! What the journals of the world under way are kept on, and a writer that may be killed in the middle of an
//! append.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use halcyon::journal::{JournalError, LogFile, NotSwapped, Origin, Storage};
use halcyon_core::ledger::{Head, Record};

use crate::service::{Late, Unheard, ends_in};

/// One log: what processes see, and what of it a power loss leaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) seen: Arc<Vec<u8>>,
    pub(crate) durable: Arc<Vec<u8>>,
    /// What is on its way there.
    pub(crate) late: Vec<Arc<Late>>,
}

/// What a writer meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kill {
    /// It is killed before this write or fsync of its append, from 0; after the last one nothing but the
    /// answer is lost.
    Before(usize),
    /// It is killed in the middle of its first write.
    HalfWay,
    /// It is killed when it has sent its swap.
    Sent(Unheard),
    /// It hears no answer to its swap, and lives.
    Unheard(Unheard),
}

impl Kill {
    fn is_deadly(self) -> bool {
        !matches!(self, Kill::Unheard(_))
    }
}

/// A disk at work.
#[derive(Default)]
pub(crate) struct Spinning {
    pub(crate) disk: Disk,
    kill: Option<Kill>,
    done: usize,
    pub(crate) killed: bool,
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
    (answer, after.killed || kill.is_some_and(Kill::is_deadly))
}

pub(crate) fn with_the_disk<T>(work: impl FnOnce(&mut Spinning) -> T) -> T {
    DISK.with_borrow_mut(work)
}

/// The disk under whoever runs now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plugged;

impl Spinning {
    /// One more write or fsync, unless the writer is killed before it.
    fn change(&mut self, write: Option<(&[u8], usize)>) -> io::Result<()> {
        match (self.kill, write) {
            (Some(Kill::Before(done)), _) => self.killed |= done == self.done,
            (Some(Kill::HalfWay), Some((bytes, offset))) if !self.killed => {
                self.write(&bytes[..bytes.len() / 2], offset);
                self.killed = true;
            }
            _ => {}
        }
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

    /// A swap as it arrives at a service: durable as soon as it is seen.
    pub(crate) fn swap(
        &mut self,
        expected: &Head,
        lines: &str,
    ) -> Result<Option<Origin>, NotSwapped> {
        let unheard = match self.kill.take() {
            Some(Kill::Sent(unheard)) => {
                self.killed = true;
                Some(unheard)
            }
            Some(Kill::Unheard(unheard)) => Some(unheard),
            _ => None,
        };
        match unheard {
            None => {
                let taken = !self.killed && self.disk.take(expected, lines);
                return taken.then_some(Some((1, 1))).ok_or(NotSwapped::Moved);
            }
            Some(Unheard::Done) => drop(self.disk.take(expected, lines)),
            Some(Unheard::Lost) => {}
            Some(Unheard::Late) => self.disk.late.extend(lines.lines().next().map(|line| {
                let record = Record::read(line.as_bytes());
                Arc::new(Late {
                    expected: expected.clone(),
                    lines: lines.to_owned(),
                    record: record.expect("a journal sends records"),
                })
            })),
        }
        Err(NotSwapped::Unknown {
            why: "no answer".into(),
        })
    }
}

impl Disk {
    /// Takes lines, if their sender has expected this head.
    pub(crate) fn take(&mut self, expected: &Head, lines: &str) -> bool {
        let same = ends_in(&self.seen, expected);
        if same {
            Arc::make_mut(&mut self.seen).extend_from_slice(lines.as_bytes());
            self.durable = Arc::clone(&self.seen);
        }
        same
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
