//! What an append does when nothing goes wrong.

use halcyon_core::release::Phase;

use super::*;
use crate::journal::{LOG_NAME, driver_alive};

#[test]
fn the_first_append_makes_the_file_and_a_reader_makes_nothing() {
    let bench = Bench::new();
    let mut journal = bench.journal();
    assert_eq!((journal.head().seq, bench.disk.exists()), (0, false));
    assert_eq!(journal.refresh().unwrap().len(), 0);
    let entries = say(&mut journal, &step(0)).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        bench.disk.bytes(),
        format!("{}\n", entries[0].line).as_bytes()
    );
    let calls = bench.disk.calls();
    assert_eq!(
        (calls.writes, calls.syncs, calls.syncs_of_names),
        (2, 2, 1),
        "the record, then its newline"
    );
    say(&mut journal, &step(1)).unwrap();
    assert_eq!(bench.disk.calls().syncs_of_names, 1, "its name lasts");
}

#[test]
fn a_journal_opened_again_has_the_same_head_and_state() {
    let bench = Bench::holding(5);
    let mut journal = bench.journal();
    assert_eq!(journal.head().seq, 5);
    assert_eq!(journal.release().phase(), Phase::GreenProvisioned);
    say(&mut journal, &rollback()).unwrap();
    let again = bench.journal();
    assert_eq!(again.head(), journal.head());
    assert_eq!(again.release(), journal.release());
    assert_eq!(again.release().phase(), Phase::Idle);
}

#[test]
fn what_a_command_brings_about_is_synced_before_each_newline_and_before_it_returns() {
    let bench = Bench::holding(1);
    let before = bench.disk.calls();
    let entries = say(&mut bench.journal(), &rollback()).unwrap();
    assert_eq!(entries.len(), 2, "a rollback without hooks is over at once");
    assert_eq!(bench.disk.calls().writes, before.writes + 3);
    assert_eq!(bench.disk.calls().syncs, before.syncs + 3);
}

#[test]
fn a_command_that_changes_nothing_writes_nothing() {
    let bench = Bench::holding(2);
    let mut journal = bench.journal();
    journal.refresh_durably().unwrap();
    let before = (bench.disk.bytes(), bench.disk.calls());
    assert_eq!(
        say(&mut journal, &step(1)).unwrap().len(),
        0,
        "paused already"
    );
    assert!(matches!(
        say(&mut journal, &step(0)),
        Err(JournalError::Refused(_))
    ));
    assert_eq!((bench.disk.bytes(), bench.disk.calls()), before);
}

#[test]
fn reading_creates_neither_directory_nor_file_and_writing_creates_both() {
    let dir = TempDir::new().unwrap();
    let store = dir.path().join("a/b");
    let mut journal = Journal::open(&store).unwrap();
    assert!(!driver_alive(&store));
    journal.refresh().unwrap();
    assert!(!dir.path().join("a").exists());
    say(&mut journal, &step(0)).unwrap();
    assert_eq!(Journal::open(&store).unwrap().head().seq, 1);
    assert!(store.join(LOG_NAME).is_file());
}

#[test]
fn a_reader_gets_each_record_once_with_its_line_as_it_was_written() {
    let bench = Bench::holding(0);
    let (mut writer, mut reader) = (bench.journal(), bench.journal());
    let mut lines = Vec::new();
    for seq in 0..20 {
        let written = say(&mut writer, &step(seq)).unwrap();
        if seq % 3 == 0 {
            let seen = reader.refresh().unwrap();
            lines.extend(seen.into_iter().map(|entry| entry.line));
            assert_eq!(lines.last(), Some(&written[0].line));
        }
    }
    lines.extend(
        reader
            .refresh()
            .unwrap()
            .into_iter()
            .map(|entry| entry.line),
    );
    assert_eq!(
        format!("{}\n", lines.join("\n")).as_bytes(),
        bench.disk.bytes()
    );
}

/// A journal with a record that its writer did not live to sync.
fn with_an_unsynced_record(bench: &Bench, command: &Command) {
    let line = line_for(&bench.disk.bytes(), command);
    bench.disk.set(&[bench.disk.bytes(), line].concat());
}

#[test]
fn what_a_driver_acts_on_is_synced_by_whoever_wrote_it_or_by_the_reader() {
    let bench = Bench::holding(2);
    let mut reader = bench.journal();
    let before = bench.disk.calls().syncs;
    reader.refresh_durably().unwrap();
    assert_eq!(bench.disk.calls().syncs, before + 1);
    reader.refresh_durably().unwrap();
    assert_eq!(bench.disk.calls().syncs, before + 1, "nothing is new");
    with_an_unsynced_record(&bench, &step(2));
    assert_eq!(reader.refresh_durably().unwrap().len(), 1);
    assert_eq!(bench.disk.calls().syncs, before + 2);
}

#[test]
fn that_something_is_so_already_is_answered_when_it_is_durable() {
    let bench = Bench::holding(1);
    with_an_unsynced_record(&bench, &step(1));
    let before = bench.disk.calls();
    let paused = say(&mut bench.journal(), &step(1)).unwrap();
    assert_eq!(paused.len(), 0);
    let after = bench.disk.calls();
    assert_eq!(
        (after.syncs, after.writes),
        (before.syncs + 1, before.writes)
    );
}
