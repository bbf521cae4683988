//! A full disk leaves the file as it was, and a later attempt may succeed.

use super::disk::{EDQUOT, ENOSPC};
use super::*;

#[test]
fn a_disk_full_at_any_byte_of_an_append_leaves_the_file_as_it_was() {
    let bench = Bench::holding(3);
    let before = bench.disk.bytes();
    for command in [step(3), rollback()] {
        let length = line_for(&before, &command).len();
        for room in 0..length {
            for (code, at_once) in [(ENOSPC, None), (EDQUOT, Some(7))] {
                bench.disk.leave_room(room, code);
                bench.disk.state().write_at_most = at_once;
                let mut journal = bench.journal();
                let error = say(&mut journal, &command).unwrap_err();
                assert!(
                    matches!(error, JournalError::Full { .. }),
                    "{room}: {error}"
                );
                assert!(error.to_string().contains("deploy_audit.log"), "{error}");
                assert_eq!(bench.disk.bytes(), before, "room for {room} bytes");
                assert_eq!(journal.head().seq, 3);
                bench.disk.heal();
            }
        }
    }
}

#[test]
fn the_same_process_appends_again_once_there_is_room() {
    let bench = Bench::holding(3);
    let mut journal = bench.journal();
    for room in [0, 1, 50, 200] {
        bench.disk.leave_room(room, ENOSPC);
        for _ in 0..3 {
            let error = say(&mut journal, &step(3)).unwrap_err();
            assert!(matches!(error, JournalError::Full { .. }), "{error}");
            bench.disk.leave_room(0, ENOSPC);
        }
        bench.disk.heal();
    }
    say(&mut journal, &step(3)).unwrap();
    assert_eq!(bench.journal().head(), journal.head());
    assert_eq!(journal.head().seq, 4);
}

#[test]
fn a_disk_too_full_to_make_the_file_is_a_full_disk() {
    let bench = Bench::new();
    bench.disk.state().create_error = Some(ENOSPC);
    let mut journal = bench.journal();
    let error = say(&mut journal, &step(0)).unwrap_err();
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    bench.disk.heal();
    say(&mut journal, &step(0)).unwrap();
}

#[test]
fn a_torn_tail_survives_a_full_disk_and_is_recorded_by_the_append_that_succeeds() {
    let bench = Bench::holding(3);
    let whole = bench.disk.bytes();
    let length = line_for(&whole, &step(3)).len();
    for torn in [1, 40, length - 1, length + 100] {
        let mut before = whole.clone();
        before.extend(std::iter::repeat_n(b'x', torn));
        // What the record may take is the tail's place and the room after it.
        for room in [0, 1, 39, 40, 41, length - 1]
            .into_iter()
            .filter(|room| torn + room < length)
        {
            bench.disk.set(&before);
            bench.disk.leave_room(room, ENOSPC);
            let error = say(&mut bench.journal(), &step(3)).unwrap_err();
            assert!(matches!(error, JournalError::Full { .. }), "{error}");
            bench.disk.heal();
            assert_eq!(bench.disk.bytes(), before, "torn {torn}, room {room}");
        }
        bench.disk.set(&before);
        let entries = say(&mut bench.journal(), &step(3)).unwrap();
        assert_eq!(entries[0].record.torn_tail_cut, Some(torn as u64));
        assert_eq!(
            bench.disk.bytes(),
            [&whole[..], entries[0].line.as_bytes(), b"\n"].concat()
        );
    }
}

/// The first of two records was whole on disk for a moment, and another process has read it.
fn reader_of_a_record_that_is_cut_back(bench: &Bench) -> Journal<FileStore<Disk>> {
    let before = bench.disk.bytes();
    let lines = line_for(&before, &rollback());
    let first = lines.iter().position(|byte| *byte == b'\n').unwrap();
    let mut reader = bench.journal();
    bench.disk.set(&[&before, &lines[..first + 20]].concat());
    assert_eq!(reader.refresh().unwrap().len(), 1);
    bench.disk.set(&before);
    reader
}

#[test]
fn a_reader_that_saw_a_record_a_full_disk_cut_back_reads_on_without_alarm() {
    let bench = Bench::holding(3);
    let mut reader = reader_of_a_record_that_is_cut_back(&bench);
    assert_eq!(reader.refresh().unwrap().len(), 0);
    assert_eq!(reader.head(), bench.journal().head());
    say(&mut reader, &step(3)).unwrap();
    assert_eq!(bench.journal().head().seq, 4);
}

#[test]
fn a_reader_that_missed_the_cut_sees_what_came_in_its_place() {
    let bench = Bench::holding(3);
    let mut reader = reader_of_a_record_that_is_cut_back(&bench);
    let mut writer = bench.journal();
    let written = say(&mut writer, &step(3)).unwrap();
    say(&mut writer, &step(4)).unwrap();
    let seen = reader.refresh().unwrap();
    assert_eq!(
        seen.len(),
        2,
        "the record that took the cut one's number is new"
    );
    assert_eq!(seen[0].line, written[0].line);
    assert_eq!(reader.head(), writer.head());
}

#[test]
fn a_record_of_the_same_length_in_place_of_one_cut_back_is_noticed() {
    let bench = Bench::holding(3);
    let before = bench.disk.bytes();
    let mut reader = reader_of_a_record_that_is_cut_back(&bench);
    let other = Command::RollbackToBlue {
        reason: "by HAND".into(),
    };
    let lines = line_for(&before, &other);
    let first = lines.iter().position(|byte| *byte == b'\n').unwrap();
    bench.disk.set(&[&before, &lines[..=first]].concat());
    assert_eq!(reader.refresh().unwrap().len(), 1);
    say(&mut reader, &rollback()).unwrap();
    assert_eq!(bench.journal().head(), reader.head(), "the chain holds");
}
