//! Commands with a key: asked again, they are answered and not done again.

use halcyon_core::release::Rejection;

use super::disk::ENOSPC;
use super::*;

fn lines(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.line.as_str()).collect()
}

#[test]
fn asking_again_answers_with_the_first_records_and_writes_nothing() {
    let bench = Bench::holding(3);
    let first = say_under(&mut bench.journal(), "k", "ann", &rollback(), None).unwrap();
    assert_eq!(first.len(), 2);
    say(&mut bench.journal(), &rollback()).unwrap();
    let before = bench.disk.bytes();
    // Another process, and an expectation that the command itself has made wrong.
    for expected_seq in [None, Some(3)] {
        let mut journal = bench.journal();
        let again = say_under(&mut journal, "k", "ann", &rollback(), expected_seq).unwrap();
        assert_eq!(lines(&again), lines(&first));
        assert_eq!(again[0].record, first[0].record);
    }
    assert_eq!(bench.disk.bytes(), before);
}

#[test]
fn the_same_key_with_another_command_is_refused_and_leaves_no_record() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    say_under(&mut journal, "k", "ann", &rollback(), None).unwrap();
    let before = bench.disk.bytes();
    let refused = say_under(&mut journal, "k", "ann", &step(0), None).unwrap_err();
    assert!(
        matches!(
            refused,
            JournalError::Refused(Rejection::KeyReused { seq: 4, .. })
        ),
        "{refused}"
    );
    assert_eq!(
        (bench.disk.bytes(), journal.take_denial().is_none()),
        (before, true)
    );
    // Another user's key of that name is another key.
    say_under(&mut journal, "k", "bob", &step(0), None).unwrap();
}

#[test]
fn a_new_command_under_a_key_still_compares_the_head() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    let moved = say_under(&mut journal, "k", "ann", &rollback(), Some(2)).unwrap_err();
    assert_eq!(moved, JournalError::Moved);
    say_under(&mut journal, "k", "ann", &rollback(), Some(3)).unwrap();
}

#[test]
fn a_key_does_not_help_who_may_not_release() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    let refused = say_under(&mut journal, "k", "eve", &rollback(), None).unwrap_err();
    assert!(matches!(
        refused,
        JournalError::Refused(Rejection::Role { .. })
    ));
    let denial = journal.take_denial().unwrap();
    assert!(denial.line.contains("permission_denied"));
    assert!(
        !denial.line.contains("idempotency_key"),
        "nothing was done under it"
    );
}

#[test]
fn a_command_whose_answer_was_lost_is_done_once_wherever_the_writer_died() {
    let bench = Bench::holding(3);
    let before = bench.disk.bytes();
    let whole = {
        let mut journal = bench.journal();
        say_under(&mut journal, "k", "ann", &rollback(), None).unwrap();
        bench.disk.bytes()
    };
    let newlines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    for length in before.len()..=whole.len() {
        bench.disk.set(&whole[..length]);
        let mut journal = bench.journal();
        let again = say_under(&mut journal, "k", "ann", &rollback(), None).unwrap();
        let told = again
            .iter()
            .filter(|entry| entry.line.contains("\"action\":\"rollback_to_blue\""));
        assert_eq!(told.count(), 1, "{length}");
        let records = newlines(&bench.disk.bytes()) - newlines(&before);
        // A rollback whose second record was lost is under way, and whoever drives completes it.
        assert_eq!(records, again.len(), "{length}");
        assert!(bench.disk.bytes().starts_with(&before));
    }
}

#[test]
fn what_is_answered_by_key_is_durable_though_its_writer_died_before_its_fsync() {
    let bench = Bench::holding(3);
    let before = bench.disk.bytes();
    say_under(&mut bench.journal(), "k", "ann", &rollback(), None).unwrap();
    let visible = bench.disk.bytes();
    bench.disk.set(&before);
    let mut journal = bench.journal();
    bench.disk.set(&visible);
    let syncs = bench.disk.calls().syncs;
    say_under(&mut journal, "k", "ann", &rollback(), None).unwrap();
    assert_eq!(bench.disk.calls().syncs, syncs + 1);
}

#[test]
fn a_full_disk_leaves_the_key_new() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    bench.disk.leave_room(100, ENOSPC);
    let full = say_under(&mut journal, "k", "ann", &rollback(), None).unwrap_err();
    assert!(matches!(full, JournalError::Full { .. }), "{full}");
    bench.disk.heal();
    assert_eq!(
        say_under(&mut journal, "k", "ann", &rollback(), None)
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn records_that_were_altered_meanwhile_are_corruption_and_no_answer() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    say_under(&mut journal, "k", "ann", &rollback(), None).unwrap();
    say(&mut journal, &rollback()).unwrap();
    let altered = String::from_utf8(bench.disk.bytes()).unwrap();
    let altered = altered.replacen("by hand", "by foot", 1);
    bench.disk.set(altered.as_bytes());
    let error = say_under(&mut journal, "k", "ann", &rollback(), None).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("record 4"), "{error}");
}
