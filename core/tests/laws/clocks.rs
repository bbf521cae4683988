//! Law 13: the clock may jump without changing what is reachable.

use halcyon_core::release::{Command, Event, Release, Step};
use proptest::prelude::*;

use crate::world::{Turn, World, histories};

/// Everything a state says but for when.
fn timeless(release: &Release) -> String {
    let mut status = release.status();
    status.next_deadline = None;
    status.ended_at = None;
    let step = match release.next_step() {
        Step::Bake { weight, .. } => format!("bake {weight}"),
        other => format!("{other:?}"),
    };
    format!("{status:?} {step} {:?}", release.outcome())
}

/// The state after a turn, and what came of its command if there was one.
type Page = (String, Option<Result<Vec<Event>, String>>);

/// A history as the state after every turn, under a clock that goes as it is told.
fn story(history: &[Turn], clock: &[i64]) -> Vec<Page> {
    let mut world = World::default();
    let turns = history.iter().zip(clock.iter().cycle());
    turns
        .map(|((actor, kill_switch, _, what), later)| {
            let turn = (actor.clone(), *kill_switch, *later, what.clone());
            let answer = world.play(&turn).map(|(_, answer): (Command, _)| {
                answer.map_err(|refused: halcyon_core::release::Rejection| refused.to_string())
            });
            (timeless(world.release()), answer)
        })
        .collect()
}

const HOUR: i64 = 3_600_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_clock_may_jump_without_changing_what_is_reachable(
        history in histories(40),
        clock in proptest::collection::vec(prop_oneof![
            Just(0), Just(1), Just(-1), -HOUR..HOUR, Just(-100 * 24 * HOUR), Just(10 * 365 * 24 * HOUR), Just(i64::MIN), Just(i64::MAX),
        ], 1..40),
    ) {
        prop_assert_eq!(story(&history, &clock), story(&history, &[1000]));
        prop_assert_eq!(story(&history, &clock), story(&history, &[0]), "one that stands still");
    }
}
