//! A file replaced as a whole.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::group;

/// Whether `path` may be replaced: there is nothing, or a regular file.
///
/// # Errors
/// When it is something else, a symbolic link included.
pub(crate) fn may_replace(path: &Path) -> io::Result<Option<Permissions>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found.permissions())),
        Ok(_) => Err(io::Error::other(
            "it is there and no regular file; allowed: a regular file, or nothing",
        )),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// Puts `bytes` in the place of the file at `path`, durably: whoever reads it meanwhile, or after a crash,
/// has the old content or the new one. The mode stays; that of a new file is [`group`]'s.
///
/// # Errors
/// The system's; then the old file stays and nothing is left beside it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let known = may_replace(path)?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = directory.join(format!(".{name}.{}.new", std::process::id()));
    // Left by a process of this number that was killed: in a container every one has the same.
    let _ = fs::remove_file(&new);
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(group::MODE)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(&new);
    let written = file.and_then(|mut file| {
        file.write_all(bytes)?;
        match known {
            Some(known) => file.set_permissions(Permissions::from_mode(known.mode() & 0o7777))?,
            None => group::share(&file, &directory),
        }
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&directory)?.sync_all()
    });
    if written
        .as_ref()
        .is_err_and(|why| why.kind() != io::ErrorKind::AlreadyExists)
    {
        // It may be in its place already.
        let _ = fs::remove_file(&new);
    }
    written
}

/// The same where the disk is full, as far as that goes: over the old content, which has to be as long. For
/// content that is right however much of it is on disk after a crash.
///
/// # Errors
/// As [`replace`].
pub(crate) fn replace_on_a_full_disk(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let full = |why: &io::Error| {
        matches!(
            why.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    };
    match replace(path, bytes) {
        Err(why) if full(&why) => overwrite(path, bytes).map_err(|_| why),
        other => other,
    }
}

fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = File::options()
        .write(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)?;
    let known = file.metadata()?;
    if !known.is_file() || known.len() != bytes.len() as u64 {
        return Err(io::ErrorKind::StorageFull.into());
    }
    file.write_all_at(bytes, 0)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn the_content_changes_the_mode_stays_and_nothing_is_left_beside_it() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"one").unwrap();
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"one".to_vec(), 0o640));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"two".to_vec(), 0o600));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_a_file_of_the_same_length_is_written_over() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        assert!(overwrite(&path, b"one").is_err());
        replace(&path, b"one").unwrap();
        overwrite(&path, b"two").unwrap();
        for other in [&b""[..], b"2", b"four"] {
            assert!(overwrite(&path, other).is_err());
        }
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(overwrite(&link, b"six").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn what_is_no_regular_file_stays_as_it_is() {
        let dir = TempDir::new().unwrap();
        let (link, target) = (dir.path().join("link"), dir.path().join("target"));
        fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for path in [
            &link,
            &dir.path().to_path_buf(),
            &PathBuf::from("/dev/null"),
        ] {
            assert!(replace(path, b"x").is_err(), "{path:?}");
        }
        assert_eq!(fs::read(&target).unwrap(), b"mine");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
