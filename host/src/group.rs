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

/// Lets the group write a file that has just been made in `dir`, if it may write in there.
///
/// # Errors
/// The system's.
pub(crate) fn share(file: &File, dir: &Path) -> io::Result<()> {
    match std::fs::metadata(dir)?.permissions().mode() & 0o020 {
        0 => Ok(()),
        // What a file is opened with is narrowed by the umask.
        _ => file.set_permissions(Permissions::from_mode(SHARED)),
    }
}
