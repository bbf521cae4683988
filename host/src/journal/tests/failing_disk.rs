//! A write or fsync that fails for any other reason than space ends writing for good: a retried
//! fsync can succeed falsely.

use super::disk::{EIO, ENOSPC};
use super::*;

/// After `error`, nothing more is asked of the disk, and reading goes on.
fn assert_read_only(bench: &Bench, journal: &mut Journal<FileStore<Disk>>, error: &JournalError) {
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    bench.disk.heal();
    let before = (bench.disk.bytes(), bench.disk.calls());
    for _ in 0..3 {
        let again = say(journal, &rollback()).unwrap_err();
        assert!(matches!(again, JournalError::ReadOnly { .. }), "{again}");
        assert!(again.to_string().contains("read-only"), "{again}");
    }
    assert_eq!((bench.disk.bytes(), bench.disk.calls()), before);
    journal.refresh().unwrap();
}

#[test]
fn a_failed_write_ends_writing() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    bench.disk.state().write_error = Some(EIO);
    let error = say(&mut journal, &step(3)).unwrap_err();
    assert_read_only(&bench, &mut journal, &error);
}

#[test]
fn a_write_that_fails_in_the_middle_leaves_a_torn_tail_for_the_next_process() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    bench.disk.leave_room(100, EIO);
    let error = say(&mut journal, &step(3)).unwrap_err();
    assert_read_only(&bench, &mut journal, &error);
    let mut next = bench.journal();
    assert_eq!((next.head().seq, next.torn_tail()), (3, 100));
    let entries = say(&mut next, &step(3)).unwrap();
    assert_eq!(entries[0].record.torn_tail_cut, Some(100));
}

#[test]
fn a_failed_fsync_ends_writing_and_is_never_tried_again() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    for (good, code) in [(0, EIO), (0, ENOSPC), (1, EIO), (1, ENOSPC)] {
        bench.disk.state().good_syncs = good;
        bench.disk.state().sync_error = Some(code);
        let before = bench.disk.calls().syncs;
        let mut journal = bench.journal();
        let next = step(journal.head().seq);
        let error = say(&mut journal, &next).unwrap_err();
        assert_read_only(&bench, &mut journal, &error);
        assert_eq!(bench.disk.calls().syncs, before + good + 1);
        let seen = journal.torn_tail() > 0;
        assert_eq!(seen, good == 0, "no newline before the record is durable");
    }
    // The bytes are there: whether they last nobody knows, so they were not acknowledged.
    assert_eq!(journal.refresh().unwrap().len(), 2);
}

#[test]
fn a_failed_fsync_of_what_was_read_ends_writing() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    say(&mut bench.journal(), &step(3)).unwrap();
    bench.disk.state().sync_error = Some(EIO);
    let error = journal.refresh_durably().unwrap_err();
    assert_read_only(&bench, &mut journal, &error);
}

#[test]
fn a_disk_that_takes_no_bytes_without_saying_why_ends_writing() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    bench.disk.state().write_at_most = Some(0);
    let error = say(&mut journal, &step(3)).unwrap_err();
    assert_read_only(&bench, &mut journal, &error);
}

#[test]
fn a_failing_cut_ends_writing() {
    let bench = Bench::holding(3);
    let before = bench.disk.bytes();
    for (torn, room) in [(0, Some(30)), (9, None), (9, Some(30))] {
        bench
            .disk
            .set(&[&before[..], &b"xxxxxxxxx"[..torn]].concat());
        let mut journal = bench.journal();
        bench.disk.state().truncate_error = Some(EIO);
        if let Some(room) = room {
            bench.disk.leave_room(room, ENOSPC);
        }
        let error = say(&mut journal, &step(3)).unwrap_err();
        assert_read_only(&bench, &mut journal, &error);
        bench.journal();
    }
}

#[test]
fn a_disk_that_writes_a_byte_at_a_time_between_signals_writes_the_same() {
    let bench = Bench::holding(3);
    let expected = [bench.disk.bytes(), line_for(&bench.disk.bytes(), &step(3))].concat();
    bench.disk.state().write_at_most = Some(1);
    bench.disk.state().interruptions = 20;
    say(&mut bench.journal(), &step(3)).unwrap();
    assert_eq!(bench.disk.bytes(), expected);
}

#[test]
fn a_disk_that_cannot_be_read_is_an_error_and_keeps_the_last_view() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    bench.disk.state().read_error = Some(EIO);
    assert!(matches!(journal.refresh(), Err(JournalError::Io { .. })));
    assert!(matches!(
        say(&mut journal, &step(3)),
        Err(JournalError::Io { .. })
    ));
    assert!(matches!(bench.try_journal(), Err(JournalError::Io { .. })));
    assert_eq!(journal.head().seq, 3);
    bench.disk.heal();
    say(&mut journal, &step(3)).unwrap();
}

#[test]
fn what_one_part_of_a_process_has_failed_to_write_no_other_part_tries_again() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut first = FileStore::of_this_process(dir.path());
    let second = FileStore::of_this_process(dir.path());
    assert!(first.stopped().is_none() && second.stopped().is_none());
    let _ = first.poison("fsync", std::io::Error::from_raw_os_error(EIO));
    let why = second.stopped().unwrap().to_string();
    assert!(why.contains("fsync") && why.contains("read-only"), "{why}");
    // A journal that is opened there later is read, and written no more.
    let mut journal = Journal::open(dir.path()).unwrap();
    let error = say(&mut journal, &step(0)).unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
    let elsewhere = tempfile::TempDir::new().unwrap();
    assert!(
        FileStore::of_this_process(elsewhere.path())
            .stopped()
            .is_none()
    );
}
