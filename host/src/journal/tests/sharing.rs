//! Several journals over one store that is no file.

use halcyon_core::ledger::Ledger;

use super::shared::{Fate, Shared};
use super::*;

fn open(store: &Shared) -> Journal<Shared> {
    Journal::over(store.clone()).unwrap()
}

fn pause(reason: &str) -> Command {
    Command::Pause {
        reason: reason.into(),
    }
}

/// A store with a release begun, and two processes that know of it.
fn two_over_one() -> (Shared, Journal<Shared>, Journal<Shared>) {
    let store = Shared::default();
    let mut one = open(&store);
    say(&mut one, &step(0)).unwrap();
    let two = open(&store);
    (store, one, two)
}

fn times(store: &Shared, reason: &str) -> usize {
    store
        .text()
        .matches(&format!("\"reason\":\"{reason}\""))
        .count()
}

#[test]
fn a_store_has_the_bytes_that_a_file_would_have() {
    let (bench, store) = (Bench::holding(5), Shared::default());
    let mut journal = open(&store);
    (0..5).for_each(|seq| drop(say(&mut journal, &step(seq)).unwrap()));
    say(&mut journal, &rollback()).unwrap();
    say(&mut bench.journal(), &rollback()).unwrap();
    assert_eq!(store.text().as_bytes(), bench.disk.bytes());
    assert_eq!(open(&store).head(), bench.journal().head());
}

#[test]
fn who_loses_a_race_reads_again_and_decides_again() {
    let (store, mut one, mut two) = two_over_one();
    store.before_the_next_swap(move || drop(say(&mut two, &rollback()).unwrap()));
    // A pause is for a release, and by now there is none.
    let refused = say(&mut one, &pause("late")).unwrap_err();
    assert!(matches!(refused, JournalError::Refused(_)), "{refused}");
    assert_eq!((one.head().seq, times(&store, "late")), (3, 0));
    let missed = one.take_missed();
    assert_eq!(missed.len(), 2, "what came in between is not lost on it");
}

#[test]
fn who_expects_a_head_and_loses_a_race_writes_nothing_and_is_told() {
    let (store, mut one, mut two) = two_over_one();
    store.before_the_next_swap(move || drop(say(&mut two, &pause("first")).unwrap()));
    let lost = say_after(&mut one, &rollback(), Some(1)).unwrap_err();
    assert_eq!(lost, JournalError::Moved);
    assert_eq!((one.head().seq, times(&store, "by hand")), (2, 0));
    assert_eq!(one.take_missed().len(), 1);
}

#[test]
fn a_swap_that_nobody_answered_is_known_when_it_is_read_back() {
    for (fate, swaps) in [(Fate::DoneUnheard, 1), (Fate::Lost, 2), (Fate::Late, 2)] {
        let (store, mut one, mut two) = two_over_one();
        let before = store.state().swaps;
        store.state().fates.push_back(fate);
        let entries = say_after(&mut one, &rollback(), Some(1)).unwrap();
        assert_eq!(
            (entries.len(), times(&store, "by hand")),
            (2, 1),
            "{fate:?}"
        );
        assert_eq!(store.state().swaps, before + swaps, "{fate:?}");
        // What is under way still arrives in the end, and finds that the head has moved.
        store.state().log.let_arrive();
        assert_eq!(two.refresh().unwrap().len(), 2, "{fate:?}");
        assert_eq!((one.head(), times(&store, "by hand")), (two.head(), 1));
    }
}

#[test]
fn of_an_unheard_swap_only_its_own_lines_are_taken_for_it() {
    for fate in [Fate::Lost, Fate::Late] {
        let (store, mut one, mut two) = two_over_one();
        store.state().fates.push_back(fate);
        let other = store.clone();
        store.before_the_next_swap(move || {
            let fate = other.state().fates.pop_front();
            say(&mut open(&other), &pause("first")).unwrap();
            other.state().fates.extend(fate);
        });
        let lost = say_after(&mut one, &rollback(), Some(1)).unwrap_err();
        assert_eq!(lost, JournalError::Moved, "{fate:?}");
        store.state().log.let_arrive();
        assert_eq!((times(&store, "by hand"), times(&store, "first")), (0, 1));
        assert_eq!(two.refresh().unwrap().len(), 1);
    }
}

#[test]
fn what_others_put_behind_an_unheard_swap_is_news_at_the_next_look() {
    let (store, mut one, _) = two_over_one();
    store.state().fates.push_back(Fate::Late);
    say_after(&mut one, &pause("mine"), Some(1)).unwrap();
    let (mut two, mut three) = (open(&store), open(&store));
    say(&mut two, &Command::Resume).unwrap();
    store.state().fates.push_back(Fate::DoneUnheard);
    say(&mut three, &pause("behind")).unwrap();
    assert_eq!(one.take_missed().len(), 0);
    let news = one.refresh().unwrap();
    assert_eq!(news.len(), 2);
    assert_eq!(
        (one.head(), two.refresh().unwrap().len()),
        (three.head(), 1)
    );
}

#[test]
fn a_store_that_goes_away_in_the_middle_leaves_a_keyed_command_to_be_asked_again() {
    for fate in [Fate::DoneUnheard, Fate::Lost, Fate::Late] {
        for late in [false, true] {
            let (store, mut one, _) = two_over_one();
            let again_and_again = [fate, Fate::Lost, Fate::Lost];
            store.state().fates.extend(match fate {
                Fate::DoneUnheard => &again_and_again[..1],
                _ => &again_and_again,
            });
            let first = say_under(&mut one, "k", "ann", &rollback(), None);
            match fate {
                Fate::DoneUnheard => assert_eq!(first.unwrap().len(), 2),
                _ => {
                    let why = first.unwrap_err();
                    assert!(why.to_string().contains("what became of"), "{why}");
                }
            }
            store.state().away = true;
            let gone = say_under(&mut one, "k", "ann", &rollback(), None).unwrap_err();
            assert!(matches!(gone, JournalError::Io { .. }), "{gone}");
            assert_eq!(one.ledger().head(), one.head(), "the last view stays");
            store.state().away = false;
            if late {
                store.state().log.let_arrive();
            }
            let again = say_under(&mut one, "k", "ann", &rollback(), None).unwrap();
            store.state().log.let_arrive();
            let elsewhere = say_under(&mut open(&store), "k", "ann", &rollback(), Some(1)).unwrap();
            assert_eq!((again.len(), elsewhere.len()), (2, 2), "{fate:?}");
            assert_eq!(times(&store, "by hand"), 1, "{fate:?}");
        }
    }
}

#[test]
fn an_answer_that_leaves_no_record_is_compared_with_the_head_too() {
    let (store, mut one, mut two) = two_over_one();
    say(&mut one, &pause("mine")).unwrap();
    store.before_the_next_swap(move || drop(say(&mut two, &Command::Resume).unwrap()));
    // It was so already when it was read, and is not any more.
    let entries = say(&mut one, &pause("mine")).unwrap();
    assert_eq!((entries.len(), times(&store, "mine")), (1, 2));
}

#[test]
fn a_store_restored_from_an_old_backup_is_noticed_by_whoever_knew_more() {
    let (store, mut one, mut two) = two_over_one();
    say(&mut one, &pause("mine")).unwrap();
    two.refresh().unwrap();
    for kept in [0, 1] {
        let whole = store.state().log.clone();
        store.state().log.lines.truncate(kept);
        for journal in [&mut one, &mut two] {
            let error = say(journal, &Command::Resume).unwrap_err();
            assert!(error.to_string().contains("is gone"), "{error}");
            assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
            assert_eq!(journal.head().seq, 2, "the last good view stays");
        }
        assert_eq!(store.state().log.lines.len(), kept, "nothing is written");
        store.state().log = whole;
    }
}

#[test]
fn eight_writers_at_once_over_a_store_that_fails_make_one_chain() {
    const WRITERS: usize = 8;
    const APPENDS: usize = 25;
    let store = Shared::default();
    let reason = |writer: usize, number: usize| format!("{writer}/{number}");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let mut journal = open(&store);
            let (store, reason) = (&store, &reason);
            scope.spawn(move || {
                for number in 0..APPENDS {
                    let fates = [Fate::Lost, Fate::DoneUnheard, Fate::Late];
                    store.state().fates.extend(fates.get((writer + number) % 4));
                    let (key, reason) = (format!("{writer}-{number}"), reason(writer, number));
                    let command = Command::RollbackToBlue { reason };
                    // Whoever meets too many of them has to ask again.
                    while say_under(&mut journal, &key, "ann", &command, None).is_err() {}
                    if number % 5 == 0 {
                        store.state().log.let_arrive();
                    }
                }
            });
        }
    });
    store.state().log.let_arrive();
    let mut ledger = Ledger::default();
    let tail = ledger
        .read(store.text().as_bytes(), |_, _, _| {})
        .unwrap()
        .len();
    let records = (WRITERS * APPENDS) as u64;
    assert_eq!((tail, ledger.head().seq), (0, records));
    for (writer, number) in (0..WRITERS).flat_map(|it| (0..APPENDS).map(move |at| (it, at))) {
        assert_eq!(times(&store, &reason(writer, number)), 1);
    }
}
