//! The epoch of the last routing table, kept beside the journal.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use halcyon_core::table::Epoch;
use halcyon_core::text::{Seen, for_screen};
use halcyon_core::time::Timestamp;

use super::JournalError;
use super::file::{DirStorage, Storage};
use super::lock::{PATIENCE, append_lock};
use crate::replace::replace_on_a_full_disk;

const NAME: &str = "table_epoch";

/// Why no epoch was issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// The last one cannot be read.
    #[error(
        "{path} says {seen}; allowed: the epoch of the last routing table, 1 to 9007199254740991"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What stands in it, in quotes.
        seen: String,
    },
    /// There is no greater one.
    #[error("{path}: the greatest epoch, 9007199254740991, has been issued")]
    RunOut {
        /// The file.
        path: String,
    },
    /// The system refused.
    #[error("cannot {doing} {path}: {why}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The store is locked, or cannot be.
    #[error(transparent)]
    Lock(#[from] JournalError),
}

/// Issues epochs for the tables of one store, and holds its append lock meanwhile: what is read of the
/// journal after [`Epochs::lock`] cannot be older than what a table of a smaller epoch says.
#[derive(Debug)]
pub struct Epochs {
    path: PathBuf,
    storage: DirStorage,
    _lock: File,
}

impl Epochs {
    /// Takes the lock of the store in `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// When the store cannot be made or is locked for too long.
    pub fn lock(dir: &Path) -> Result<Self, EpochError> {
        let path = dir.join(NAME);
        fs::create_dir_all(dir).map_err(io("make the directory of", &path))?;
        Ok(Self {
            _lock: append_lock(dir, PATIENCE)?,
            storage: DirStorage::new(dir),
            path,
        })
    }

    /// The epoch of the next table: greater than every one before, whatever the clock says, and durable
    /// when this returns.
    ///
    /// # Errors
    /// When the last one cannot be read, or the next one not written.
    pub fn next(&mut self, now: Timestamp) -> Result<Epoch, EpochError> {
        let last = self.last()?;
        let run_out = || EpochError::RunOut {
            path: shown(&self.path),
        };
        let next = Epoch::after(last, now).ok_or_else(run_out)?;
        let bytes = format!("{}\n", next.number());
        // A full disk must keep nobody from blue: the journal may have had room for the rollback. Half of these
        // digits and half of those are a number too, and the clock sees to it that the next one is greater.
        let written = replace_on_a_full_disk(&self.path, bytes.as_bytes());
        written.map_err(io("write", &self.path))?;
        // Whoever made the store's directories may not have synced their names.
        let synced = self.storage.sync_names();
        synced.map_err(io("fsync the directory of", &self.path))?;
        Ok(next)
    }

    fn last(&self) -> Result<Option<Epoch>, EpochError> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(&self.path);
        let file = match file {
            Ok(file) => file,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(io("read", &self.path)(why)),
        };
        let mut bytes = Vec::new();
        let regular = file.metadata().map(|found| found.is_file());
        let read = regular.and_then(|regular| match regular {
            true => file.take(LONGEST).read_to_end(&mut bytes),
            false => Err(std::io::Error::other("it is no regular file")),
        });
        read.map_err(io("read", &self.path))?;
        match read_epoch(&bytes) {
            Some(epoch) => Ok(Some(epoch)),
            None => Err(EpochError::Unreadable {
                path: shown(&self.path),
                seen: Seen(&String::from_utf8_lossy(&bytes)).to_string(),
            }),
        }
    }
}

/// More than the longest epoch has.
const LONGEST: u64 = 256;

fn shown(path: &Path) -> String {
    for_screen(&path.display().to_string())
}

fn io(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> EpochError {
    let path = shown(path);
    move |why| EpochError::Io {
        doing,
        path: path.clone(),
        why: why.to_string(),
    }
}

fn read_epoch(bytes: &[u8]) -> Option<Epoch> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).and_then(Epoch::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn next(dir: &Path, now: u64) -> Result<u64, String> {
        let found = Epochs::lock(dir).and_then(|mut epochs| epochs.next(Timestamp(now)));
        found.map(Epoch::number).map_err(|why| why.to_string())
    }

    #[test]
    fn every_epoch_is_greater_than_the_one_before_whatever_the_clock_says() {
        let dir = TempDir::new().unwrap();
        let store = dir.path().join("a/b");
        assert_eq!(next(&store, 1000), Ok(1000));
        assert_eq!(next(&store, 1000), Ok(1001));
        assert_eq!(next(&store, 7), Ok(1002));
        assert_eq!(next(&store, 5000), Ok(5000));
        assert_eq!(fs::read_to_string(store.join(NAME)).unwrap(), "5000\n");
    }

    #[test]
    fn many_at_once_get_an_epoch_each() {
        let dir = TempDir::new().unwrap();
        let mut epochs: Vec<u64> = std::thread::scope(|scope| {
            let one = || scope.spawn(|| next(dir.path(), 1).unwrap());
            let all: Vec<_> = (0..8).map(|_| one()).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        epochs.sort_unstable();
        assert_eq!(epochs, (1..=8).collect::<Vec<u64>>());
    }

    #[test]
    fn what_is_no_epoch_is_an_error_and_stays_as_it_is() {
        let dir = TempDir::new().unwrap();
        for bad in [
            "",
            "7",
            "0\n",
            "+7\n",
            "9007199254740992\n",
            "x\n",
            "7\n8\n",
        ] {
            fs::write(dir.path().join(NAME), bad).unwrap();
            let why = next(dir.path(), 1).unwrap_err();
            assert!(
                why.contains("table_epoch says") && why.contains("allowed: "),
                "{why}"
            );
            assert_eq!(fs::read_to_string(dir.path().join(NAME)).unwrap(), bad);
        }
        fs::write(dir.path().join(NAME), "9007199254740991\n").unwrap();
        assert!(
            next(dir.path(), 1)
                .unwrap_err()
                .contains("the greatest epoch")
        );
    }

    #[test]
    fn what_is_no_file_is_an_error_and_nobody_waits_for_it() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(NAME);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert!(next(dir.path(), 1).unwrap_err().contains("no regular file"));
        fs::remove_file(&path).unwrap();
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "7\n").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(next(dir.path(), 1).unwrap_err().contains("cannot read"));
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "7\n");
    }

    #[test]
    fn nobody_appends_while_an_epoch_is_issued() {
        let dir = TempDir::new().unwrap();
        let epochs = Epochs::lock(dir.path()).unwrap();
        assert!(matches!(
            append_lock(dir.path(), PATIENCE),
            Err(JournalError::Locked { .. })
        ));
        drop(epochs);
        assert!(append_lock(dir.path(), PATIENCE).is_ok());
    }
}
