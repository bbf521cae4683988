//! The file under a journal, behind a trait so that tests can make it fail.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::lock::{PATIENCE, append_lock};
use super::{JournalError, LOG_NAME};
use crate::group;

/// Where a journal's file comes from.
pub trait Storage {
    /// Holds the append lock until it is dropped.
    type Lock;

    /// Takes the lock that spans one append; makes the place for the file where there is none.
    ///
    /// # Errors
    /// When it cannot be had.
    fn lock(&mut self) -> Result<Self::Lock, JournalError>;

    /// Opens the file. For reading, a missing one is `None`; for writing it is created.
    ///
    /// # Errors
    /// The system's, and for anything that is no regular file.
    fn open(&mut self, write: bool) -> io::Result<Option<Box<dyn LogFile>>>;

    /// Makes the file's name durable, and those of the directories it is in.
    ///
    /// # Errors
    /// The system's.
    fn sync_names(&mut self) -> io::Result<()>;

    /// The file's path for messages.
    fn path(&self) -> String;
}

/// An open journal file.
pub trait LogFile {
    /// Device and inode: another file under the same name has another identity.
    ///
    /// # Errors
    /// The system's.
    fn identity(&mut self) -> io::Result<(u64, u64)>;

    /// Every byte from `offset` to the end.
    ///
    /// # Errors
    /// The system's.
    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>>;

    /// As many of these bytes as there are.
    ///
    /// # Errors
    /// The system's.
    fn read_part(&mut self, bytes: Range<u64>) -> io::Result<Vec<u8>> {
        let mut found = self.read_from(bytes.start)?;
        found.truncate(usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// Writes some of `bytes` at `offset` and says how many.
    ///
    /// # Errors
    /// The system's.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// The system's.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file in a directory, with the locks beside it.
#[derive(Debug, Clone)]
pub struct DirStorage {
    dir: PathBuf,
    file: PathBuf,
    /// How long it waits for the append lock.
    patience: Duration,
}

impl DirStorage {
    /// The storage in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let file = dir.join(LOG_NAME);
        Self {
            dir,
            file,
            patience: PATIENCE,
        }
    }

    /// The same that waits for no lock.
    pub(super) fn impatient(self) -> Self {
        Self {
            patience: Duration::ZERO,
            ..self
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Storage for DirStorage {
    type Lock = File;

    fn lock(&mut self) -> Result<File, JournalError> {
        std::fs::create_dir_all(&self.dir).map_err(|why| JournalError::Io {
            doing: "create the directory of",
            path: self.path(),
            why: why.to_string(),
        })?;
        append_lock(&self.dir, self.patience)
    }

    fn open(&mut self, write: bool) -> io::Result<Option<Box<dyn LogFile>>> {
        // Neither a link (it may point anywhere) nor a FIFO (opening one waits for ever).
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let open = |create: bool| {
            let mut options = File::options();
            options
                .read(true)
                .write(write)
                .create_new(create)
                .mode(group::MODE);
            options.custom_flags(flags.bits() as i32).open(&self.file)
        };
        let file = match open(false) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound && !write => return Ok(None),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let file = open(true)?;
                group::share(&file, &self.dir);
                file
            }
            Err(why) => return Err(self.name_the_kind(why)),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(Some(Box::new(file)))
    }

    /// Up to the file system's root: any of the directories may be new.
    fn sync_names(&mut self) -> io::Result<()> {
        let mut at = self.dir.clone();
        let mut below = None;
        loop {
            let dir = match File::open(&at) {
                Ok(dir) => dir,
                // Nobody makes a directory where they may not look; it was there before.
                Err(why) if why.kind() == io::ErrorKind::PermissionDenied && below.is_some() => {
                    return Ok(());
                }
                Err(why) => return Err(why),
            };
            let found = dir.metadata()?;
            let here = (found.dev(), found.ino());
            if below.is_some_and(|below: (u64, u64)| below.0 != here.0 || below == here) {
                return Ok(());
            }
            dir.sync_all()?;
            below = Some(here);
            at.push("..");
        }
    }

    fn path(&self) -> String {
        halcyon_core::text::for_screen(&self.file.display().to_string())
    }
}

impl DirStorage {
    /// `ELOOP` and `ENXIO` are what a link and a FIFO give; say what is there instead.
    fn name_the_kind(&self, why: io::Error) -> io::Error {
        match std::fs::symlink_metadata(&self.file) {
            Ok(found) if found.is_symlink() => {
                io::Error::other("it is a symbolic link, not a regular file")
            }
            Ok(found) if !found.is_file() => io::Error::other("it is no regular file"),
            _ => why,
        }
    }
}

impl LogFile for File {
    fn identity(&mut self) -> io::Result<(u64, u64)> {
        self.metadata().map(|found| (found.dev(), found.ino()))
    }

    fn read_from(&mut self, mut offset: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut block = vec![0; 256 * 1024];
        loop {
            match self.read_at(&mut block, offset) {
                Ok(0) => return Ok(bytes),
                Ok(n) => {
                    bytes.extend_from_slice(&block[..n]);
                    offset += n as u64;
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
    }

    fn read_part(&mut self, bytes: Range<u64>) -> io::Result<Vec<u8>> {
        let mut found = Vec::new();
        self.seek(SeekFrom::Start(bytes.start))?;
        self.take(bytes.end - bytes.start).read_to_end(&mut found)?;
        Ok(found)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Writes all of `bytes` at `at`, however often that takes.
pub(super) fn write_all(file: &mut dyn LogFile, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = &bytes[n..];
                at += n as u64;
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// Whether there is no room, which a later attempt may find.
pub(super) fn is_full(why: &io::Error) -> bool {
    let full = [Errno::NOSPC, Errno::DQUOT].map(Errno::raw_os_error);
    why.raw_os_error().is_some_and(|code| full.contains(&code))
}
