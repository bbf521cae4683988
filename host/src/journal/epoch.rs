//! The epoch of the last routing table, kept beside the journal.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use halcyon_core::table::Epoch;
use halcyon_core::text::{Seen, for_screen};
use halcyon_core::time::Timestamp;

use super::JournalError;
use super::lock::append_lock;

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

/// Issues the epoch of the next table of the store in `dir`, which is made where it is missing. It is
/// greater than every one before, whatever the clock says, and durable when this returns.
///
/// # Errors
/// When the last one cannot be read, the next one not written, or the store is locked.
pub fn next_epoch(dir: &Path, now: Timestamp) -> Result<Epoch, EpochError> {
    let path = dir.join(NAME);
    let shown = || for_screen(&path.display().to_string());
    let io = |doing: &'static str| {
        move |why: std::io::Error| EpochError::Io {
            doing,
            path: shown(),
            why: why.to_string(),
        }
    };
    fs::create_dir_all(dir).map_err(io("make the directory of"))?;
    let _lock = append_lock(dir)?;
    let last = match fs::read(&path) {
        Ok(bytes) => Some(read(&bytes).ok_or_else(|| EpochError::Unreadable {
            path: shown(),
            seen: Seen(&String::from_utf8_lossy(&bytes)).to_string(),
        })?),
        Err(why) if why.kind() == ErrorKind::NotFound => None,
        Err(why) => return Err(io("read")(why)),
    };
    let next = Epoch::after(last, now).ok_or_else(|| EpochError::RunOut { path: shown() })?;
    // The new one is whole before it takes the old one's place, and both are durable before it counts.
    let new = dir.join("table_epoch.new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(&new)
        .map_err(io("write"))?;
    writeln!(file, "{}", next.number()).map_err(io("write"))?;
    file.sync_all().map_err(io("fsync"))?;
    fs::rename(&new, &path).map_err(io("replace"))?;
    let directory = File::open(dir).and_then(|dir| dir.sync_all());
    directory.map_err(io("fsync the directory of"))?;
    Ok(next)
}

fn read(bytes: &[u8]) -> Option<Epoch> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).and_then(Epoch::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn next(dir: &Path, now: u64) -> Result<u64, String> {
        let found = next_epoch(dir, Timestamp(now));
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
}
