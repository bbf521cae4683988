//! Locks between processes. They are for order and liveness only: what keeps the journal right is the
//! comparison of the head under the append lock.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use halcyon_core::text::for_screen;

use super::{Holder, JournalError};
use crate::group;

const APPEND: &str = "append.lock";
const DRIVER: &str = "driver.lock";
const HOOK: &str = "hook.lock";

/// How long an append waits for another one. A healthy append takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 10 });

/// How often it looks again meanwhile.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Takes the append lock, waiting for at most so long.
pub(super) fn append_lock(dir: &Path, patience: Duration) -> Result<File, JournalError> {
    let file = open(dir, APPEND)?;
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begin.elapsed() < patience => {
                std::thread::sleep(LOOK_AGAIN)
            }
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked {
                    holder: Holder::of(&dir.join(APPEND)),
                    dir: for_screen(&dir.display().to_string()),
                    name: APPEND,
                    seconds: PATIENCE.as_secs(),
                });
            }
            Err(TryLockError::Error(why)) => return Err(io(dir, why)),
        }
    }
}

/// Held by the process that drives a release.
#[derive(Debug)]
pub struct DriverLock {
    _file: File,
}

impl DriverLock {
    /// Who has it, where that can be known.
    pub fn holder(dir: &Path) -> Option<Holder> {
        Holder::of(&dir.join(DRIVER))
    }

    /// Takes the lock if no process has it.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked at all.
    pub fn try_acquire(dir: &Path) -> Result<Option<Self>, JournalError> {
        std::fs::create_dir_all(dir).map_err(|why| io(dir, why))?;
        let file = open(dir, DRIVER)?;
        // Whoever only looks whether a driver is alive holds the lock for an instant.
        for _ in 0..5 {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(why)) => return Err(io(dir, why)),
            }
        }
        Ok(None)
    }
}

/// Whether some process drives a release in `dir`. Creates nothing.
pub fn driver_alive(dir: &Path) -> bool {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(dir.join(DRIVER));
    let Ok(file) = file else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Held by a driver and by every hook it started: a hook gets it as its standard input, so it stays
/// held while a hook outlives a killed driver.
#[derive(Debug)]
pub struct HookLock {
    file: File,
}

impl HookLock {
    /// Takes the lock if no hook of an earlier driver runs any more.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked at all.
    pub fn try_acquire(dir: &Path) -> Result<Option<Self>, JournalError> {
        let file = open(dir, HOOK)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(io(dir, why)),
        }
    }

    /// The lock as a hook's standard input: an empty file, and a share in the lock.
    ///
    /// # Errors
    /// When no file descriptor is left.
    pub fn share(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }
}

fn open(dir: &Path, name: &str) -> Result<File, JournalError> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let path = dir.join(name);
    let opened = group::open_or_make(dir, |create| {
        let mut options = File::options();
        options.read(true).write(true).create_new(create);
        options
            .mode(group::MODE)
            .custom_flags(flags.bits() as i32)
            .open(&path)
    });
    opened.map_err(|why| io(&path, why))
}

fn io(path: &Path, why: std::io::Error) -> JournalError {
    JournalError::Io {
        doing: "lock",
        path: for_screen(&path.display().to_string()),
        why: why.to_string(),
    }
}
