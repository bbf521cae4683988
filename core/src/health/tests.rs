#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing
)]

use alloc::string::ToString;

use proptest::prelude::*;

use super::*;
use RegionStatus::{Down, Draining, Forbidden, Up};

/// Rounds of one probe of each region a second: which regions pass, round by round.
struct Rounds {
    fleet: Fleet,
    round: u64,
}

impl Rounds {
    fn of(regions: usize) -> Self {
        Self {
            fleet: Fleet::new(HealthRules::default(), regions),
            round: 0,
        }
    }

    fn probe(&mut self, passed: &[bool]) -> Vec<Change> {
        self.round += 1;
        let at = Timestamp(self.round * 1_000);
        let results = passed.iter().enumerate();
        results
            .flat_map(|(region, passed)| self.fleet.record(region, self.round, *passed, at))
            .collect()
    }

    fn times(&mut self, times: usize, passed: &[bool]) -> Vec<Change> {
        (0..times).flat_map(|_| self.probe(passed)).collect()
    }

    fn condition(&self, region: usize) -> alloc::string::String {
        self.fleet.condition(region).unwrap().to_string()
    }
}

#[test]
fn a_region_goes_after_so_many_failures_in_a_row_and_comes_back_after_so_many_passes_and_the_hold_down()
 {
    let mut rounds = Rounds::of(3);
    assert_eq!(rounds.condition(0), "unknown");
    assert_eq!(rounds.times(5, &[true; 3]), []);
    assert_eq!(rounds.condition(0), "healthy");
    let lost = [false, true, true];
    assert_eq!(rounds.times(2, &lost), []);
    assert_eq!(rounds.condition(0), "failing 2 of 3");
    let change = |from, to| Change {
        region: 0,
        from,
        to,
    };
    assert_eq!(rounds.probe(&lost), [change(Up, Down)]);
    assert_eq!(rounds.times(20, &lost), []);
    assert_eq!(rounds.condition(0), "down");
    assert_eq!(rounds.probe(&[true; 3]), []);
    assert_eq!(rounds.condition(0), "recovering 1 of 2");
    // Passes at second 0 to 9 are not ten seconds.
    assert_eq!(rounds.times(9, &[true; 3]), []);
    assert_eq!(rounds.condition(0), "recovering 2 of 2");
    assert_eq!(rounds.probe(&[true; 3]), [change(Down, Up)]);
    assert_eq!(rounds.condition(0), "healthy");
}

#[test]
fn one_failure_begins_the_hold_down_anew() {
    let mut rounds = Rounds::of(3);
    rounds.times(3, &[false, true, true]);
    rounds.times(9, &[true; 3]);
    rounds.probe(&[false, true, true]);
    assert_eq!(rounds.condition(0), "down");
    assert_eq!(rounds.times(10, &[true; 3]), []);
    assert_eq!(rounds.probe(&[true; 3]).len(), 1);
}

#[test]
fn flapping_at_1_hz_makes_at_most_one_change_in_ten_seconds() {
    let mut rounds = Rounds::of(3);
    let mut last: Option<u64> = None;
    let mut changes = 0;
    for second in 0..600 {
        for _ in rounds.probe(&[second % 2 == 0, true, true]) {
            changes += 1;
            let before = last.replace(second);
            assert!(before.is_none_or(|before| second - before >= 10));
        }
    }
    assert_eq!(changes, 1, "it goes, and stays out");
}

#[test]
fn a_loss_of_a_fifth_is_caught_and_one_of_a_fiftieth_is_not() {
    let taken_out = |one_in: u64, probes: u64| {
        let mut rounds = Rounds::of(3);
        (0..probes).any(|number| {
            // The same draws in every run.
            let draw = crate::hash::HashKey::default().sip13(&number.to_le_bytes()) % one_in;
            !rounds.probe(&[draw != 0, true, true]).is_empty()
        })
    };
    assert!(taken_out(5, 150));
    assert!(!taken_out(50, 20_000));
}

#[test]
fn a_result_that_comes_after_a_newer_one_is_dropped() {
    let mut fleet = Fleet::new(HealthRules::default(), 3);
    for probe in [5, 9] {
        assert_eq!(fleet.record(0, probe, true, Timestamp(probe)), []);
    }
    let before = fleet.clone();
    for late in [9, 8, 5, 1] {
        assert_eq!(fleet.record(0, late, false, Timestamp(10)), []);
    }
    assert_eq!(fleet, before);
    assert_eq!(
        fleet.record(7, 1, false, Timestamp(10)),
        [],
        "there is none"
    );
}

#[test]
fn a_prober_that_sees_nothing_moves_nobody() {
    let mut rounds = Rounds::of(3);
    rounds.times(5, &[true; 3]);
    assert_eq!(rounds.times(1_000, &[false; 3]), []);
    assert!(rounds.fleet.is_blind());
    // When it sees again, every region begins with no failure.
    assert_eq!(rounds.times(2, &[true, true, false]), []);
    assert!(!rounds.fleet.is_blind());
    assert_eq!(rounds.condition(2), "failing 2 of 3");
    assert_eq!(rounds.probe(&[true, true, false]).len(), 1);
}

#[test]
fn a_region_that_is_out_comes_back_also_where_all_others_are_drained() {
    let mut rounds = Rounds::of(2);
    rounds.times(3, &[false, true]);
    assert_eq!(rounds.fleet.statuses(), [Down, Up]);
    rounds.fleet.force(1, Some(Forced::Draining));
    assert_eq!(rounds.fleet.statuses(), [Down, Draining]);
    rounds.times(12, &[true, true]);
    assert_eq!(rounds.condition(0), "healthy");
    assert!(!rounds.fleet.is_blind());
}

#[test]
fn what_is_drained_and_passes_shows_that_the_last_other_one_is_gone() {
    for forced in [Forced::Draining, Forced::Forbidden] {
        let mut rounds = Rounds::of(2);
        rounds.times(3, &[true; 2]);
        rounds.fleet.force(0, Some(forced));
        assert_eq!(rounds.times(2, &[true, false]), []);
        assert_eq!(rounds.condition(1), "failing 2 of 3");
        assert_eq!(rounds.probe(&[true, false]).len(), 1);
        assert_eq!(rounds.fleet.statuses()[1], Down);
        assert!(!rounds.fleet.is_blind());
        // Nobody is seen once it fails too, and what is drained is drained still.
        let back = rounds.times(3, &[false, false]);
        assert_eq!(back.len(), 1, "{back:?}");
        assert!(rounds.fleet.is_blind());
        assert_eq!(rounds.fleet.statuses()[1], Up);
    }
}

#[test]
fn what_is_forced_says_nothing_before_its_first_probe() {
    let mut rounds = Rounds::of(2);
    rounds.fleet.force(0, Some(Forced::Draining));
    for round in 1..20 {
        rounds
            .fleet
            .record(1, round, false, Timestamp(round * 1_000));
    }
    assert!(rounds.fleet.is_blind());
    assert_eq!(rounds.fleet.statuses(), [Draining, Up]);
}

#[test]
fn a_probe_that_the_last_healthy_region_misses_brings_no_dead_one_back() {
    let mut rounds = Rounds::of(2);
    rounds.times(3, &[false, true]);
    for _ in 0..20 {
        assert_eq!(rounds.times(2, &[false, false]), []);
        assert_eq!(rounds.times(12, &[false, true]), []);
    }
    assert_eq!(rounds.fleet.statuses(), [Down, Up]);
    // Three in a row are more than that.
    assert_eq!(rounds.times(3, &[false, false]).len(), 1);
    assert!(rounds.fleet.is_blind());
}

#[test]
fn what_was_out_before_all_failed_counts_as_up_while_they_do() {
    let mut rounds = Rounds::of(3);
    rounds.times(3, &[false, true, true]);
    assert_eq!(rounds.fleet.statuses(), [Down, Up, Up]);
    rounds.times(3, &[false; 3]);
    assert_eq!(rounds.fleet.statuses(), [Up; 3]);
    // And when that ends, within the next round, it has to fail again to go.
    assert_eq!(rounds.times(3, &[false, true, true]), []);
    assert_eq!(rounds.probe(&[false, true, true]).len(), 1);
}

#[test]
fn a_real_double_loss_of_three_fails_over_after_three_times_as_long() {
    let mut rounds = Rounds::of(3);
    rounds.times(5, &[true; 3]);
    let lost = [false, false, true];
    assert_eq!(rounds.times(8, &lost), []);
    assert_eq!(rounds.condition(0), "failing 8 of 9");
    assert_eq!(rounds.probe(&lost).len(), 2);
    assert_eq!(rounds.fleet.statuses(), [Down, Down, Up]);
}

#[test]
fn the_only_region_is_never_taken_out() {
    let mut rounds = Rounds::of(1);
    assert_eq!(rounds.times(100, &[false]), []);
    assert_eq!(rounds.fleet.statuses(), [Up]);
}

#[test]
fn a_person_outranks_probes_and_what_is_forced_counts_for_no_rule() {
    let mut rounds = Rounds::of(3);
    rounds.times(3, &[true; 3]);
    let drained = Change {
        region: 1,
        from: Up,
        to: Draining,
    };
    assert_eq!(rounds.fleet.force(1, Some(Forced::Draining)), [drained]);
    // Of the two that are left one is no more than half.
    assert_eq!(rounds.times(3, &[false, false, true]).len(), 1);
    assert_eq!(rounds.fleet.statuses(), [Down, Draining, Up]);
    assert_eq!(rounds.condition(1), "draining");
    assert_eq!(rounds.fleet.real_condition(1), Some(Condition::Down));
    rounds.fleet.force(1, Some(Forced::Forbidden));
    assert_eq!(rounds.fleet.statuses(), [Down, Forbidden, Up]);
    let back = Change {
        region: 1,
        from: Forbidden,
        to: Down,
    };
    assert_eq!(rounds.fleet.force(1, None), [back]);
}

proptest! {
    #[test]
    fn whatever_comes_somebody_serves_and_changes_are_the_difference(
        regions in 1_usize..6,
        results in prop::collection::vec((0_usize..6, 0_u64..40, any::<bool>(), 0_u8..20), 0..300),
    ) {
        let mut fleet = Fleet::new(HealthRules { fall: 2, rise: 1, hold_ms: 3 }, regions);
        for (at, (region, probe, passed, forced)) in results.into_iter().enumerate() {
            let before = fleet.statuses();
            let changes = match forced {
                0 => fleet.force(region, Some(Forced::Draining)),
                1 => fleet.force(region, None),
                _ => fleet.record(region, probe, passed, Timestamp(at as u64)),
            };
            let mut after = before;
            for Change { region, from, to } in changes {
                prop_assert_eq!(after[region], from);
                after[region] = to;
            }
            let now = fleet.statuses();
            prop_assert_eq!(&after, &now);
            // Health alone takes out all that are not drained only where one that is passes its probes.
            let free = now.iter().filter(|status| **status != Draining);
            let all_down = free.clone().all(|status| *status == Down) && free.count() > 0;
            let passes = |place: &usize| {
                now[*place] == Draining
                    && fleet.real_condition(*place) == Some(Condition::Healthy)
            };
            let seen = (0..now.len()).any(|place| passes(&place));
            prop_assert!(!all_down || seen, "{:?}", now);
        }
    }
}

#[test]
fn while_frozen_no_probe_changes_anything_and_a_person_does() {
    let mut fleet = Fleet::new(
        HealthRules {
            hold_ms: 0,
            ..HealthRules::default()
        },
        3,
    );
    let mut probe = 0;
    let mut rounds = |fleet: &mut Fleet, passes: [bool; 3], times: u64| {
        let mut changes = Vec::new();
        for _ in 0..times {
            probe += 1;
            for (region, passed) in passes.into_iter().enumerate() {
                changes.extend(fleet.record(region, probe, passed, Timestamp(probe * 1_000)));
            }
        }
        changes
    };
    rounds(&mut fleet, [true, false, true], 3);
    assert_eq!(fleet.statuses(), [Up, Down, Up]);
    fleet.freeze(None);
    assert!(rounds(&mut fleet, [false, true, true], 50).is_empty());
    assert_eq!(fleet.statuses(), [Up, Down, Up]);
    assert_eq!(
        fleet.condition(0).unwrap().to_string(),
        "down",
        "what is seen is still said"
    );
    assert_eq!(fleet.force(2, Some(Forced::Draining)).len(), 1);
    assert_eq!(fleet.statuses(), [Up, Down, Draining]);
    let thawed = fleet.thaw();
    assert_eq!(thawed.len(), 2, "{thawed:?}");
    assert_eq!(fleet.statuses(), [Down, Up, Draining]);
}

#[test]
fn a_freeze_is_taken_up_again_with_the_regions_that_were_out() {
    let mut fleet = Fleet::new(HealthRules::default(), 3);
    fleet.freeze(Some(&[1]));
    assert_eq!(
        (fleet.statuses(), fleet.out()),
        (Vec::from([Up, Down, Up]), Vec::from([1]))
    );
}

#[test]
fn the_last_healthy_region_is_known() {
    let mut fleet = Fleet::new(HealthRules::default(), 3);
    assert!((0..3).all(|region| fleet.one_remains_without(region)));
    fleet.force(0, Some(Forced::Forbidden));
    for probe in 0..30 {
        fleet.record(1, probe, false, Timestamp(probe * 1_000));
        fleet.record(2, probe, true, Timestamp(probe * 1_000));
    }
    assert_eq!(fleet.statuses(), [Forbidden, Down, Up]);
    assert!(fleet.one_remains_without(0) && fleet.one_remains_without(1));
    assert!(!fleet.one_remains_without(2));
}
