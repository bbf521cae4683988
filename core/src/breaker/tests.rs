//! When a circuit trips, for how long, and how it comes back.

use super::*;
use alloc::vec::Vec;

const RULES: BreakerRules = BreakerRules {
    in_a_row: 5,
    percent: 50,
    least: 20,
    first_ms: 2_000,
    most_ms: 60_000,
    trial_ms: 15_000,
    forget_ms: 60_000,
};

/// The middle of the dice: neither more nor less.
const EVEN: u16 = 32_768;

fn give(circuit: &mut Circuit, outcomes: &[Outcome], now: u64) -> Vec<Tripped> {
    let outcomes = outcomes.iter();
    outcomes
        .filter_map(|outcome| circuit.record(&RULES, *outcome, Timestamp(now), Timestamp(now)))
        .collect()
}

use Outcome::{Answered, Failed};

#[test]
fn failures_in_a_row_trip_it_and_an_answer_ends_the_row() {
    let mut circuit = Circuit::default();
    assert!(give(&mut circuit, &[Failed; 4], 0).is_empty());
    assert!(give(&mut circuit, &[Answered], 0).is_empty());
    assert!(give(&mut circuit, &[Failed; 4], 0).is_empty());
    assert_eq!(give(&mut circuit, &[Failed], 0), [Tripped::InARow(5)]);
}

#[test]
fn a_share_of_failures_trips_it_where_there_is_enough_to_say_so() {
    let mut circuit = Circuit::default();
    let pair = [Failed, Answered];
    for _ in 0..9 {
        assert!(give(&mut circuit, &pair, 500).is_empty());
    }
    assert!(give(&mut circuit, &[Answered], 500).is_empty());
    // The 20th request, and the 10th failure.
    let share = Tripped::Share { failed: 10, of: 20 };
    assert_eq!(give(&mut circuit, &[Failed], 500), [share]);
    let mut healthy = Circuit::default();
    for _ in 0..1000 {
        assert!(give(&mut healthy, &[Failed, Answered, Answered], 500).is_empty());
    }
}

#[test]
fn what_is_older_than_ten_seconds_counts_no_more() {
    let mut circuit = Circuit::default();
    for _ in 0..9 {
        give(&mut circuit, &[Failed, Answered], 0);
    }
    assert!(give(&mut circuit, &[Answered, Failed], 10_000).is_empty());
    for second in 0..100 {
        for _ in 0..4 {
            give(
                &mut circuit,
                &[Answered, Answered, Answered],
                20_000 + second * 1_000,
            );
        }
        assert!(give(&mut circuit, &[Failed; 2], 20_000 + second * 1_000).is_empty());
    }
}

#[test]
fn the_time_doubles_up_to_its_bound_and_is_spread() {
    let mut circuit = Circuit::default();
    let mut now = 0;
    for expected in [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] {
        let out = circuit.take_out(&RULES, Timestamp(now), EVEN);
        assert_eq!(out, expected);
        assert!(
            circuit.is_out(&RULES, Timestamp(now + out - 1))
                && !circuit.is_out(&RULES, Timestamp(now + out))
        );
        now += out;
        assert_eq!(give(&mut circuit, &[Failed], now), [Tripped::OnTrial]);
    }
    let of = |dice| Circuit::default().take_out(&RULES, Timestamp(0), dice);
    assert_eq!((of(0), of(u16::MAX)), (1_600, 2_400));
    let mut often = Circuit::default();
    for _ in 0..100 {
        assert!(often.take_out(&RULES, Timestamp(u64::MAX), u16::MAX) <= 72_000);
    }
}

#[test]
fn the_first_answer_after_its_time_brings_it_back() {
    let mut circuit = Circuit::default();
    circuit.take_out(&RULES, Timestamp(0), EVEN);
    // What was under way says nothing.
    assert!(
        give(
            &mut circuit,
            &[Failed, Failed, Answered, Failed, Failed, Failed],
            1_999
        )
        .is_empty()
    );
    assert!(circuit.is_out(&RULES, Timestamp(1_999)));
    assert!(give(&mut circuit, &[Answered], 2_000).is_empty());
    assert!(
        give(&mut circuit, &[Failed; 4], 2_000).is_empty(),
        "a new row"
    );
    assert_eq!(give(&mut circuit, &[Failed], 2_000), [Tripped::InARow(5)]);
    assert_eq!(circuit.take_out(&RULES, Timestamp(2_000), EVEN), 4_000);
}

#[test]
fn after_a_minute_of_service_it_counts_as_the_first_time_again() {
    let mut circuit = Circuit::default();
    circuit.take_out(&RULES, Timestamp(0), EVEN);
    give(&mut circuit, &[Answered], 2_000);
    give(&mut circuit, &[Answered], 61_999);
    assert_eq!(circuit.times(), 1);
    give(&mut circuit, &[Answered], 62_000);
    assert_eq!(circuit.times(), 0);
    assert_eq!(circuit.take_out(&RULES, Timestamp(62_000), EVEN), 2_000);
}

#[test]
fn one_that_is_kept_begins_to_count_anew() {
    let mut circuit = Circuit::default();
    assert_eq!(give(&mut circuit, &[Failed; 5], 0).len(), 1);
    circuit.keep();
    assert!(give(&mut circuit, &[Failed; 4], 0).is_empty());
    assert_eq!(give(&mut circuit, &[Failed], 0), [Tripped::InARow(5)]);
    circuit.take_out(&RULES, Timestamp(0), EVEN);
    assert_eq!(give(&mut circuit, &[Failed], 2_000), [Tripped::OnTrial]);
    circuit.keep();
    assert!(!circuit.is_out(&RULES, Timestamp(2_000)));
    assert!(give(&mut circuit, &[Failed; 4], 2_000).is_empty());
}

#[test]
fn one_request_is_its_trial_and_all_others_wait_for_it() {
    let mut circuit = Circuit::default();
    let admits = |circuit: &mut Circuit, at| circuit.admit(&RULES, Timestamp(at));
    assert!(admits(&mut circuit, 0) && admits(&mut circuit, 0));
    circuit.take_out(&RULES, Timestamp(0), EVEN);
    assert!(!admits(&mut circuit, 1_999));
    assert!(admits(&mut circuit, 2_000));
    assert!(!admits(&mut circuit, 2_000) && circuit.is_out(&RULES, Timestamp(16_999)));
    // Its client went away: another one may try.
    assert!(admits(&mut circuit, 17_000) && !admits(&mut circuit, 17_001));
    assert!(give(&mut circuit, &[Answered], 17_002).is_empty());
    assert!(admits(&mut circuit, 17_003) && admits(&mut circuit, 17_003));
}

#[test]
fn a_trial_that_says_nothing_leaves_it_to_the_next_request() {
    let mut circuit = Circuit::default();
    let admits = |circuit: &mut Circuit, at| circuit.admit(&RULES, Timestamp(at));
    circuit.take_out(&RULES, Timestamp(0), EVEN);
    assert!(admits(&mut circuit, 2_000) && !admits(&mut circuit, 2_001));
    // One of before is no trial.
    circuit.void(Timestamp(1_999));
    assert!(!admits(&mut circuit, 2_001));
    circuit.void(Timestamp(2_000));
    assert!(admits(&mut circuit, 2_001) && !admits(&mut circuit, 2_002));
    assert_eq!(give(&mut circuit, &[Failed], 2_003), [Tripped::OnTrial]);
    let mut serving = Circuit::default();
    serving.void(Timestamp(0));
    assert_eq!(serving, Circuit::default());
}

#[test]
fn a_request_that_was_sent_before_it_was_taken_out_is_no_trial() {
    let mut circuit = Circuit::default();
    circuit.take_out(&RULES, Timestamp(0), EVEN);
    let late = circuit.record(&RULES, Failed, Timestamp(1_999), Timestamp(9_000));
    assert_eq!(late, None);
    let answered = circuit.record(&RULES, Answered, Timestamp(0), Timestamp(9_000));
    assert_eq!(
        (answered, circuit.is_out(&RULES, Timestamp(1_000))),
        (None, true)
    );
    let trial = circuit.record(&RULES, Failed, Timestamp(2_000), Timestamp(9_000));
    assert_eq!(trial, Some(Tripped::OnTrial));
}

#[test]
fn an_answer_to_what_was_under_way_when_it_was_taken_out_brings_it_back_neither_then_nor_later() {
    let mut circuit = Circuit::default();
    assert!(circuit.serves());
    circuit.take_out(&RULES, Timestamp(10_000), EVEN);
    // It was sent before, and comes when the rest is over.
    assert_eq!(
        circuit.record(&RULES, Answered, Timestamp(9_000), Timestamp(13_000)),
        None
    );
    assert!(
        !circuit.serves() && !circuit.is_out(&RULES, Timestamp(13_000)),
        "its trial is to come"
    );
    assert!(circuit.admit(&RULES, Timestamp(13_000)) && !circuit.admit(&RULES, Timestamp(13_001)));
    assert_eq!(
        circuit.record(&RULES, Answered, Timestamp(13_000), Timestamp(13_100)),
        None
    );
    assert!(circuit.serves());
}
