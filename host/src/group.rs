//! Files that others of a group write too.
//!
//! Whoever lets a group write in a directory (`chmod g+ws logs`) means what is in it: a release that one account has
//! begun has to be taken back by whoever is on call.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The mode of a new file: its owner writes it, and the group reads it.
pub(crate) const MODE: u32 = 0o640;

/// The mode where the group may write in the directory.
const SHARED: u32 = 0o660;

/// Opens a file in `dir`, or makes it, as `open` does: with true it makes a new one.
///
/// # Errors
/// The system's.
pub(crate) fn open_or_make(
    dir: &Path,
    open: impl Fn(bool) -> io::Result<File>,
) -> io::Result<File> {
    match open(false) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => match open(true) {
            // Somebody else was first.
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => open(false),
            made => made.inspect(|file| share(file, dir)),
        },
        opened => opened,
    }
}

/// Lets the group write a file that has just been made in `dir`, if it may write there whatever is in it: not where
/// each may change its own files alone, as in `/tmp`.
pub(crate) fn share(file: &File, dir: &Path) {
    let mode = std::fs::metadata(dir).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o1020 == 0o020) {
        // What a file is opened with is narrowed by the umask. Where the file system knows no modes, so it is there.
        let _ = file.set_permissions(Permissions::from_mode(SHARED));
    }
}
