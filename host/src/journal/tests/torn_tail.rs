//! Bytes after the last newline are an append that never finished.

use super::*;

#[test]
fn a_last_record_torn_at_any_byte_is_ignored_counted_cut_off_and_recorded() {
    let bench = Bench::holding(3);
    let whole = bench.disk.bytes();
    let line = line_for(&whole, &step(3));
    for torn in 0..line.len() {
        bench.disk.set(&[&whole, &line[..torn]].concat());
        let mut journal = bench.journal();
        assert_eq!((journal.head().seq, journal.torn_tail()), (3, torn as u64));
        assert_eq!(journal.seen_bytes(), (whole.len() + torn) as u64);
        let entries = say(&mut journal, &step(3)).unwrap();
        let recorded = (torn > 0).then_some(torn as u64);
        assert_eq!(entries[0].record.torn_tail_cut, recorded);
        assert_eq!(journal.torn_tail(), 0);
        let expected = [&whole[..], entries[0].line.as_bytes(), b"\n"].concat();
        assert_eq!(bench.disk.bytes(), expected, "torn after {torn} bytes");
        say(&mut journal, &step(4)).unwrap();
        assert_eq!(bench.journal().head().seq, 5);
    }
}

#[test]
fn a_file_of_nothing_but_a_torn_first_record_is_an_empty_journal() {
    let bench = Bench::new();
    let line = line_for(b"", &step(0));
    bench.disk.set(&line[..line.len() - 1]);
    let mut journal = bench.journal();
    assert_eq!(
        (journal.head().seq, journal.torn_tail()),
        (0, line.len() as u64 - 1)
    );
    say(&mut journal, &step(0)).unwrap();
    assert_eq!(bench.journal().head().seq, 1);
}

#[test]
fn a_tail_longer_than_the_next_record_leaves_nothing_behind() {
    let bench = Bench::holding(1);
    let whole = bench.disk.bytes();
    bench.disk.set(&[&whole[..], &[b'x'; 5000]].concat());
    let entries = say(&mut bench.journal(), &step(1)).unwrap();
    assert_eq!(entries[0].record.torn_tail_cut, Some(5000));
    assert_eq!(bench.journal().torn_tail(), 0);
}

#[test]
fn a_reader_sees_a_tail_grow_into_a_record_and_a_tail_cut_off() {
    let bench = Bench::holding(3);
    let whole = bench.disk.bytes();
    let line = line_for(&whole, &step(3));
    let mut reader = bench.journal();
    for torn in [10, 200, 30, 0] {
        bench.disk.set(&[&whole, &line[..torn]].concat());
        assert_eq!(reader.refresh().unwrap().len(), 0);
        assert_eq!(reader.torn_tail(), torn as u64);
    }
    bench.disk.set(&[whole, line].concat());
    assert_eq!(reader.refresh().unwrap().len(), 1);
    assert_eq!((reader.head().seq, reader.torn_tail()), (4, 0));
}
