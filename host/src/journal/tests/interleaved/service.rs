//! Over a service: whatever is asked of it is a step, and answers get lost.

use std::sync::Arc;

use super::super::shared::{Fate, Log, away, lines_of};
use super::*;
use crate::journal::{Found, Mark, NotSwapped, Origin, Span};

/// A service that may still let something go wrong so often.
struct Service {
    log: Log,
    faults: usize,
}

/// One writer's way to it.
struct Way {
    turns: Arc<Turns<Service>>,
    who: usize,
}

impl Way {
    fn reach<T>(&self, work: impl FnOnce(&mut Log) -> T) -> Result<T, JournalError> {
        self.turns.step(self.who, |service, choices| {
            if service.log.awaits() && choices.among(2) == 1 {
                service.log.let_arrive();
            }
            if service.faults > 0 && choices.among(2) == 1 {
                service.faults -= 1;
                return Err(away());
            }
            Ok(work(&mut service.log))
        })
    }
}

impl Store for Way {
    fn read(&mut self, known: &Mark) -> Result<Option<Found>, JournalError> {
        self.reach(|log| log.read(known))
    }

    fn read_again(&mut self, span: &Span) -> Result<Vec<u8>, JournalError> {
        self.reach(|log| lines_of(log, span))
    }

    fn make_durable(&mut self, _: &Mark) -> Result<(), JournalError> {
        Ok(())
    }

    fn swap(&mut self, expected: &Mark, lines: &str) -> Result<Option<Origin>, NotSwapped> {
        self.turns.step(self.who, |service, choices| {
            if service.log.awaits() && choices.among(2) == 1 {
                service.log.let_arrive();
            }
            let fates = [Fate::Answered, Fate::DoneUnheard, Fate::Lost, Fate::Late];
            let fate = match service.faults {
                0 => Fate::Answered,
                _ => fates[choices.among(fates.len())],
            };
            service.faults -= usize::from(fate != Fate::Answered);
            fate.befall(&mut service.log, expected, lines)
        })
    }

    fn place(&self) -> String {
        "shared".into()
    }
}

/// Runs the scripts over a service in every order. Whoever is told of a failure asks again.
fn over_a_service(faults: usize, scripts: &Scripts) -> usize {
    Turns::every_order(
        scripts.len(),
        || Service {
            log: Log::holding(&begun()),
            faults,
        },
        |turns, who| {
            let mut journal = loop {
                let turns = Arc::clone(&turns);
                if let Ok(journal) = Journal::over(Way { turns, who }) {
                    break journal;
                }
            };
            let mut told = Told::new();
            for asked in &scripts[who] {
                let mut now = NOON;
                let answer = loop {
                    now = now.plus(1);
                    let answer = asked.give(&mut journal, now);
                    let failed = matches!(answer, Err(JournalError::Io { .. }));
                    if !failed {
                        break answer;
                    }
                };
                told.push((asked.clone(), answer));
            }
            told
        },
        |mut service, told| {
            service.log.let_arrive();
            assert_serial(&service.log.text(), &told);
        },
    )
}

#[test]
fn two_writers_in_any_order_are_a_serial_history() {
    let scripts = vec![
        vec![Asked::plain(pause("a")), Asked::plain(Command::Resume)],
        vec![Asked::plain(back("b")), Asked::plain(step(0))],
    ];
    let runs = over_a_service(0, &scripts);
    assert!(runs > 500, "{runs}");
}

#[test]
fn three_writers_of_whom_two_expect_a_head_are_a_serial_history() {
    let scripts = vec![
        vec![Asked::expecting(pause("a"))],
        vec![Asked::expecting(back("b"))],
        vec![Asked::plain(back("c"))],
    ];
    let runs = over_a_service(0, &scripts);
    assert!(runs > 3000, "{runs}");
}

#[test]
fn whatever_becomes_of_its_swaps_a_keyed_command_takes_effect_once() {
    let runs = over_a_service(4, &vec![vec![Asked::under("a", back("a"))]]);
    assert!(runs > 1000, "{runs}");
}

#[test]
fn what_becomes_of_a_swap_is_found_out_while_another_writer_is_at_work() {
    // Without a key: each finds out by itself, or it would be done twice.
    let scripts = vec![
        vec![Asked::plain(back("a"))],
        vec![Asked::plain(pause("b"))],
    ];
    let runs = over_a_service(1, &scripts);
    assert!(runs > 1000, "{runs}");
}

#[test]
fn of_one_command_given_by_two_under_one_key_both_hear_the_same() {
    let scripts = vec![vec![Asked::under("k", back("a"))]; 2];
    let runs = over_a_service(1, &scripts);
    assert!(runs > 1000, "{runs}");
}
