//! What ends in a newline and does not verify is corruption, wherever it stands.

use super::*;

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Neither a new process nor one that knew the good file reads or writes it.
fn assert_corrupt(bytes: &[u8], what: &str) {
    let bench = Bench::holding(5);
    let mut knew = bench.journal();
    let good = knew.head().clone();
    bench.disk.set(bytes);
    match bench.try_journal() {
        Err(JournalError::Corrupt { path, .. }) => assert_eq!(path, "disk/deploy_audit.log"),
        other => panic!("{what}: {:?}", other.err()),
    }
    for _ in 0..2 {
        let seen = say(&mut knew, &rollback());
        // What stands before the bytes this process has verified may have changed behind its back;
        // then a look that finds nothing new does not read it. It must never write after it.
        assert!(
            matches!(seen, Err(JournalError::Corrupt { .. })),
            "{what}: {seen:?}"
        );
    }
    assert_eq!(bench.disk.bytes(), bytes, "{what}: nothing is written");
    assert_eq!(*knew.head(), good, "{what}: the last good view stays");
}

#[test]
fn a_flipped_bit_anywhere_is_found_by_a_new_reader() {
    let bench = Bench::holding(3);
    let good = bench.disk.bytes();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            bench.disk.set(&bytes);
            match bench.try_journal() {
                Err(JournalError::Corrupt { .. }) => {}
                // The last newline gone: nothing after the record before it counts.
                Ok(journal) if at == good.len() - 1 => {
                    assert_eq!(journal.head().seq, 2);
                    assert!(journal.torn_tail() > 0);
                }
                other => panic!(
                    "bit {bit} of byte {at}: {:?}",
                    other.map(|it| it.head().seq)
                ),
            }
        }
    }
}

#[test]
fn a_bad_last_line_with_its_newline_is_corruption_and_no_torn_tail() {
    let good = Bench::holding(5).disk.bytes();
    for line in ["\n", "{}\n", "garbage\n", "\u{0}\u{0}\u{0}\n", "\r\n"] {
        assert_corrupt(&[&good, line.as_bytes()].concat(), line);
    }
    let cut = line_for(&good, &step(5));
    for missing in [1, 2, 66, 80, cut.len() - 2] {
        let torn = &cut[..cut.len() - 1 - missing];
        assert_corrupt(&[&good, torn, b"\n"].concat(), "cut, then a newline");
    }
}

#[test]
fn a_good_record_after_a_bad_one_does_not_count() {
    let good = lines(&Bench::holding(5).disk.bytes());
    let next = line_for(&good.concat(), &step(5));
    assert_corrupt(
        &[&good.concat()[..], b"bad\n", &next].concat(),
        "good after bad",
    );
}

#[test]
fn swapped_duplicated_missing_and_foreign_records_are_corruption() {
    let good = lines(&Bench::holding(6).disk.bytes());
    let five = || good[..5].to_vec();
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = good.clone();
        change(&mut lines);
        lines.concat()
    };
    assert_corrupt(&with(&|lines| lines.swap(3, 4)), "swapped");
    assert_corrupt(&with(&|lines| lines.swap(4, 5)), "the last two swapped");
    assert_corrupt(
        &with(&|lines| lines.insert(5, lines[4].clone())),
        "duplicated",
    );
    assert_corrupt(&[five(), five()].concat().concat(), "the file twice");
    assert_corrupt(&with(&|lines| drop(lines.remove(4))), "one missing");
    assert_corrupt(&with(&|lines| drop(lines.remove(0))), "the first missing");
    // The same story but for one word, so that nothing but the chain tells them apart.
    let foreign = {
        let bench = Bench::holding(1);
        let mut journal = bench.journal();
        let pause = Command::Pause {
            reason: "other".into(),
        };
        say(&mut journal, &pause).unwrap();
        (2..6).for_each(|seq| drop(say(&mut journal, &step(seq)).unwrap()));
        lines(&bench.disk.bytes())
    };
    assert_corrupt(&[five().concat(), foreign[5].clone()].concat(), "foreign");
}

#[test]
fn a_file_that_is_gone_is_corruption_for_whoever_knew_it() {
    let bench = Bench::holding(3);
    let mut knew = bench.journal();
    bench.disk.remove();
    assert!(matches!(knew.refresh(), Err(JournalError::Corrupt { .. })));
    assert!(matches!(
        say(&mut knew, &step(3)),
        Err(JournalError::Corrupt { .. })
    ));
    assert!(!bench.disk.exists(), "nothing was begun anew");
}

#[test]
fn a_file_cut_below_what_this_process_wrote_is_corruption() {
    let bench = Bench::holding(2);
    let mut journal = bench.journal();
    say(&mut journal, &step(2)).unwrap();
    let whole = bench.disk.bytes();
    let good = lines(&whole);
    for kept in [0, 1, 2] {
        for replaced in [false, true] {
            let bytes = good[..kept].concat();
            if replaced {
                bench.disk.replace(&bytes)
            } else {
                bench.disk.set(&bytes)
            }
            let error = say(&mut journal, &step(3)).unwrap_err();
            assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
            assert!(error.to_string().contains("record 3"), "{error}");
            assert_eq!(bench.disk.bytes(), bytes);
        }
    }
    bench.disk.replace(&whole);
    say(&mut journal, &step(3)).unwrap();
}

#[test]
fn what_others_wrote_may_not_vanish_but_for_the_last_record_that_a_full_disk_cut_back() {
    for replaced in [false, true] {
        for kept in 0..5 {
            let bench = Bench::holding(3);
            let mut reader = bench.journal();
            let mut writer = bench.journal();
            (3..5).for_each(|seq| drop(say(&mut writer, &step(seq)).unwrap()));
            assert_eq!(reader.refresh().unwrap().len(), 2);
            let whole = bench.disk.bytes();
            let bytes = lines(&whole)[..kept].concat();
            match replaced {
                true => bench.disk.replace(&bytes),
                false => bench.disk.set(&bytes),
            }
            if kept == 4 {
                assert_eq!(reader.refresh().unwrap().len(), 0);
                continue;
            }
            let head = reader.head().clone();
            for _ in 0..2 {
                let error = reader.refresh().unwrap_err();
                let said = "record 4 was read by this process and is gone";
                assert!(error.to_string().contains(said), "{kept}: {error}");
                assert_eq!(*reader.head(), head, "the last good view stays");
            }
            bench.disk.set(&whole);
            assert_eq!(reader.refresh().unwrap().len(), 0);
        }
    }
}

#[test]
fn another_chain_in_place_of_the_one_this_process_wrote_is_corruption() {
    let bench = Bench::new();
    let mut journal = bench.journal();
    (0..3).for_each(|seq| drop(say(&mut journal, &step(seq)).unwrap()));
    let other = Bench::new();
    let mut others = other.journal();
    say(&mut others, &step(0)).unwrap();
    say(&mut others, &rollback()).unwrap();
    say(&mut others, &rollback()).unwrap();
    bench.disk.replace(&other.disk.bytes());
    let error = say(&mut journal, &step(3)).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
}
