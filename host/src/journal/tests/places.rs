//! What may stand where the journal should.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::journal::LOG_NAME;

/// Reading and writing both say what is wrong, and where.
fn assert_refused(dir: &Path, why: &str) {
    let assert_names_it = |error: &JournalError| {
        let text = error.to_string();
        assert!(text.contains(LOG_NAME) && text.contains(why), "{text}");
    };
    assert_names_it(&Journal::open(dir).err().unwrap());
    let mut unread = Journal::unread(FileStore::new(crate::journal::DirStorage::new(dir)));
    assert_names_it(&say(&mut unread, &step(0)).unwrap_err());
}

#[test]
fn a_directory_in_its_place_is_named() {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join(LOG_NAME)).unwrap();
    assert_refused(dir.path(), "no regular file");
}

#[test]
fn a_fifo_in_its_place_is_named_and_nobody_waits_for_its_other_end() {
    let dir = TempDir::new().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(dir.path().join(LOG_NAME))
        .status();
    assert!(made.unwrap().success());
    assert_refused(dir.path(), "no regular file");
}

#[test]
fn a_link_in_its_place_is_named_and_not_followed() {
    let dir = TempDir::new().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    symlink(&elsewhere, dir.path().join(LOG_NAME)).unwrap();
    assert_refused(dir.path(), "symbolic link");
    assert!(!elsewhere.exists());
    std::fs::write(&elsewhere, "").unwrap();
    assert_refused(dir.path(), "symbolic link");
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"");
}

#[test]
fn a_file_in_place_of_the_directory_is_an_error() {
    let dir = TempDir::new().unwrap();
    let store = dir.path().join("logs");
    std::fs::write(&store, "mine").unwrap();
    assert!(matches!(
        Journal::open(&store),
        Err(JournalError::Io { .. })
    ));
    assert_eq!(std::fs::read(&store).unwrap(), b"mine");
}

#[test]
fn something_else_in_place_of_a_lock_is_an_error() {
    for name in ["append.lock", "driver.lock"] {
        let dir = TempDir::new().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        symlink(&elsewhere, dir.path().join(name)).unwrap();
        let error = match name {
            "append.lock" => say(&mut Journal::open(dir.path()).unwrap(), &step(0)).unwrap_err(),
            _ => crate::journal::DriverLock::try_acquire(dir.path()).unwrap_err(),
        };
        assert!(error.to_string().contains(name), "{error}");
        assert!(!elsewhere.exists());
    }
}

#[test]
fn an_empty_file_is_an_empty_journal() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join(LOG_NAME), "").unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.head().seq, 0);
    say(&mut journal, &step(0)).unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap().head().seq, 1);
}
