//! Several processes on one journal.

use std::time::{Duration, Instant};

use super::*;
use crate::journal::{DriverLock, HookLock, LOG_NAME, driver_alive};

#[test]
fn of_two_writers_with_the_same_expectation_one_wins_and_the_other_writes_nothing() {
    let dir = TempDir::new().unwrap();
    let open = || Journal::open(dir.path()).unwrap();
    let (mut one, mut two) = (open(), open());
    say(&mut one, &step(0)).unwrap();
    for seq in 1..20 {
        let (winner, loser) = if seq % 3 == 0 {
            (&mut two, &mut one)
        } else {
            (&mut one, &mut two)
        };
        say_after(winner, &step(seq), Some(seq)).unwrap();
        let before = std::fs::read(dir.path().join(LOG_NAME)).unwrap();
        let lost = say_after(loser, &rollback(), Some(seq)).unwrap_err();
        assert_eq!(lost, JournalError::Moved);
        assert_eq!(std::fs::read(dir.path().join(LOG_NAME)).unwrap(), before);
        assert_eq!(loser.head(), winner.head(), "and it knows the news now");
    }
    assert_eq!(open().head().seq, 20);
}

#[test]
fn eight_writers_at_once_make_one_chain() {
    const WRITERS: usize = 8;
    const APPENDS: usize = 50;
    let dir = TempDir::new().unwrap();
    say(&mut Journal::open(dir.path()).unwrap(), &step(0)).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let path = dir.path();
            scope.spawn(move || {
                // A rollback in idle is recorded and changes nothing: every writer may always say it.
                let mut journal = Journal::open(path).unwrap();
                for number in 0..APPENDS {
                    let command = Command::RollbackToBlue {
                        reason: format!("{writer}/{number}"),
                    };
                    say(&mut journal, &command).unwrap();
                }
            });
        }
    });
    let (journal, entries) = Journal::open_with_entries(dir.path()).unwrap();
    // The first rollback ends the release with a record more.
    assert_eq!(journal.head().seq as usize, 1 + WRITERS * APPENDS + 1);
    assert!(
        entries
            .iter()
            .zip(1..)
            .all(|(entry, seq)| entry.record.seq == seq)
    );
    for writer in 0..WRITERS {
        let of_this = format!("\"reason\":\"{writer}/");
        let reasons = entries.iter().filter(|entry| entry.line.contains(&of_this));
        assert_eq!(reasons.count(), APPENDS);
    }
}

#[test]
fn an_append_lock_held_by_a_stopped_process_is_an_error_after_a_while() {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    say(&mut journal, &step(0)).unwrap();
    let held = std::fs::File::open(dir.path().join("append.lock")).unwrap();
    held.lock().unwrap();
    let begin = Instant::now();
    let error = say(&mut journal, &step(1)).unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("append.lock"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(60));
    assert_eq!(
        Journal::open(dir.path()).unwrap().head().seq,
        1,
        "reading needs no lock"
    );
    drop(held);
    say(&mut journal, &step(1)).unwrap();
}

#[test]
fn an_append_waits_for_one_that_takes_a_moment() {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    say(&mut journal, &step(0)).unwrap();
    let held = std::fs::File::open(dir.path().join("append.lock")).unwrap();
    held.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(held);
        });
        say(&mut journal, &step(1)).unwrap();
    });
}

#[test]
fn one_process_drives_and_looking_whether_it_does_takes_nothing_from_it() {
    let dir = TempDir::new().unwrap();
    assert!(!driver_alive(dir.path()));
    let lock = DriverLock::try_acquire(dir.path()).unwrap().unwrap();
    assert!(driver_alive(dir.path()));
    assert!(DriverLock::try_acquire(dir.path()).unwrap().is_none());
    drop(lock);
    assert!(!driver_alive(dir.path()));
    assert!(DriverLock::try_acquire(dir.path()).unwrap().is_some());
}

#[test]
fn the_hook_lock_stays_held_as_long_as_a_hook_has_its_share() {
    let dir = TempDir::new().unwrap();
    let lock = HookLock::try_acquire(dir.path()).unwrap().unwrap();
    let hook = lock.share().unwrap();
    drop(lock);
    assert!(HookLock::try_acquire(dir.path()).unwrap().is_none());
    drop(hook);
    assert!(HookLock::try_acquire(dir.path()).unwrap().is_some());
}
