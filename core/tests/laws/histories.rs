//! Whatever is asked of the release machine, by whomever, in whatever order.

use std::collections::BTreeSet;

use halcyon_core::release::{Check, Command, Event, Phase, Plan, Release, Step, Weight};
use halcyon_core::role::Actor;
use proptest::prelude::*;

use crate::world::{World, histories};

/// What a release has done so far, kept apart from the machine.
#[derive(Debug, Default)]
struct Seen {
    plan: Option<Plan>,
    /// Weights entered, in order.
    entered: Vec<Weight>,
    passed: BTreeSet<Weight>,
    tolerated: BTreeSet<Weight>,
    rolling_back: bool,
    blue_before: Option<String>,
    green: String,
}

fn may_release(actor: &Actor) -> bool {
    matches!(actor.role.as_str(), "Deployer" | "Admin")
}

/// One event against the laws, with the state before and after it.
fn check_event(
    seen: &mut Seen,
    event: &Event,
    command: &Command,
    before: &Release,
    after: &Release,
) {
    match event {
        Event::ProvisionGreen {
            plan, image_tag, ..
        } => {
            assert!(!before.under_way(), "law 8: at most one release is active");
            *seen = Seen {
                plan: plan.clone(),
                green: image_tag.clone(),
                blue_before: after.blue_image().map(String::from),
                ..Seen::default()
            };
            assert_eq!(after.weight(), Weight::ZERO);
        }
        Event::StartCanary { weight }
        | Event::IncreaseWeight {
            new_weight: weight, ..
        } => {
            assert!(
                !seen.rolling_back,
                "law 9: nothing raises after a rollback began"
            );
            assert!(
                before.paused().is_none() || seen.plan.is_none(),
                "a paused plan holds"
            );
            if let Some(plan) = &seen.plan {
                let next = plan.weights[seen.entered.len()];
                assert_eq!(*weight, next, "law 9: only the plan's values, in order");
                assert!(
                    seen.entered
                        .iter()
                        .all(|step| seen.passed.contains(step) || seen.tolerated.contains(step))
                );
            }
            assert!(seen.entered.last().is_none_or(|last| last < weight));
            seen.entered.push(*weight);
            assert_eq!(
                after.blue_image(),
                seen.blue_before.as_deref(),
                "law 14: blue stays until promotion"
            );
        }
        Event::StepPassed {
            weight,
            baked_ms,
            rounds,
            traffic,
        } => {
            if let Some(limits) = seen.plan.as_ref().and_then(|plan| plan.limits)
                && *weight > Weight::ZERO
            {
                let traffic = traffic.expect("law 10: no traffic is no pass");
                assert!(limits.hold(&traffic), "law 10: a pass keeps to the limits");
            }
            assert_eq!(
                Some(weight),
                seen.entered.last(),
                "law 10: a step is entered before it passes"
            );
            assert!(*rounds > 0, "law 10: no data is no pass");
            assert!(
                *baked_ms >= seen.plan.as_ref().map_or(0, |plan| plan.bake_ms),
                "law 10: a step bakes its time"
            );
            assert!(
                seen.passed.insert(*weight) && !seen.tolerated.contains(weight),
                "no step has two verdicts"
            );
        }
        Event::StepFailed { weight, check, .. } => {
            assert!(
                seen.plan.as_ref().is_some_and(|plan| !plan.abort_on_err),
                "only a tolerant plan goes on"
            );
            if *check == Check::Bake {
                assert!(
                    seen.tolerated.insert(*weight) && !seen.passed.contains(weight),
                    "no step has two verdicts"
                );
            }
        }
        Event::PromoteGreen { new_blue, skipped } => {
            assert!(!seen.rolling_back);
            assert_eq!(*new_blue, seen.green, "law 10: bound to the images");
            let steps: BTreeSet<Weight> = seen
                .plan
                .iter()
                .flat_map(|plan| plan.weights.clone())
                .collect();
            let judged: BTreeSet<Weight> = &seen.passed | &seen.tolerated;
            let expected: Vec<Weight> = steps.difference(&judged).copied().collect();
            assert_eq!(*skipped, expected, "what had no verdict is on record");
            if *command == Command::FinishPlan {
                assert!(before.paused().is_none());
                assert_eq!(
                    seen.entered.iter().copied().collect::<BTreeSet<_>>(),
                    steps,
                    "law 10: every step was entered"
                );
                assert!(
                    steps
                        .iter()
                        .all(|step| seen.passed.contains(step) || seen.tolerated.contains(step)),
                    "law 10: and passed"
                );
            }
        }
        Event::RollbackToBlue {
            old_state,
            old_weight,
            ..
        } => {
            assert_eq!((*old_state, *old_weight), (before.phase(), before.weight()));
            if matches!(before.phase(), Phase::Idle | Phase::RollbackInProgress) {
                assert_eq!(before, after, "changes nothing");
            } else {
                seen.rolling_back = true;
                assert_eq!(
                    after.blue_image(),
                    seen.blue_before.as_deref(),
                    "law 14: blue is what it was"
                );
            }
            assert_eq!(after.weight(), Weight::ZERO);
        }
        Event::RollbackComplete {} => {
            assert_eq!(
                (before.phase(), after.phase()),
                (Phase::RollbackInProgress, Phase::Idle)
            );
            assert_eq!(before.unconfirmed().count(), 0, "every region confirmed");
            assert_eq!(after.green_image(), None);
        }
        Event::RegionConfirmed { .. }
        | Event::Pause { .. }
        | Event::Resume {}
        | Event::AttachDriver {}
        | Event::DetachDriver { .. } => {
            assert_eq!(
                (before.phase(), before.weight()),
                (after.phase(), after.weight())
            );
        }
        Event::PermissionDenied { .. } => unreachable!("no command brings it about"),
    }
    assert!(
        !seen.rolling_back || after.weight() == Weight::ZERO,
        "law 9: 0 from the start of a rollback"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_laws(history in histories(60)) {
        let mut world = World::default();
        let mut seen = Seen::default();
        for turn in &history {
            let before = world.release().clone();
            let facts = world.facts.len();
            let Some((command, result)) = world.play(turn) else { continue };
            let (actor, kill_switch, ..) = turn;
            let Ok(events) = result else {
                prop_assert_eq!(before.status(), world.release().status(), "a refusal changes nothing");
                prop_assert_eq!(before.next_step(), world.release().next_step());
                continue;
            };
            prop_assert!(may_release(actor), "law 14: {:?} of {:?}", command, actor);
            prop_assert!(!(*kill_switch && command.raises()), "the kill switch holds");
            // Each event on its own, so that a state between two is seen as well.
            let mut state = before;
            for (event, fact) in events.iter().zip(&world.facts[facts..]) {
                let mut after = state.clone();
                after.evolve(fact);
                check_event(&mut seen, event, &command, &state, &after);
                state = after;
            }
        }
    }

    #[test]
    fn replay_gives_the_same_state_from_any_snapshot(history in histories(40), at in any::<proptest::sample::Index>()) {
        let mut world = World::default();
        for turn in &history {
            world.play(turn);
        }
        let fold = |start: Release, facts: &[halcyon_core::release::Fact]| {
            facts.iter().fold(start, |mut release, fact| {
                release.evolve(fact);
                release
            })
        };
        let cut = at.index(world.facts.len() + 1);
        let snapshot = fold(Release::default(), &world.facts[..cut]);
        let whole = fold(snapshot, &world.facts[cut..]);
        prop_assert_eq!(&whole, &fold(Release::default(), &world.facts));
        prop_assert_eq!(whole.status(), world.release().status());
        prop_assert_eq!(whole.next_step(), world.release().next_step());
    }

    #[test]
    fn rollback_is_reachable_from_every_state_and_ends_with_blue_alone(history in histories(40)) {
        let mut world = World::default();
        for turn in &history {
            world.play(turn);
        }
        let admin = Actor { user: "admin".into(), role: "Admin".into() };
        let live = world.release().phase() != Phase::Idle;
        let rollback = Command::RollbackToBlue { reason: "enough".into() };
        world.give(&admin, true, &rollback).unwrap();
        for _ in 0..5 {
            let Some(command) = crate::world::followed(world.release()) else { break };
            prop_assert!(!command.raises());
            world.give(&admin, true, &command).unwrap();
        }
        prop_assert_eq!(world.release().phase(), Phase::Idle);
        prop_assert_eq!(world.release().next_step(), Step::Rest);
        if live {
            prop_assert_eq!(world.release().green_image(), None);
        }
    }

    #[test]
    fn a_status_always_adds_up(history in histories(40)) {
        let mut world = World::default();
        for turn in &history {
            world.play(turn);
            let status = world.release().status();
            prop_assert_eq!(status.traffic_split.blue + status.traffic_split.green, 100);
            prop_assert_eq!(status.under_way, world.release().under_way());
            prop_assert!(status.step.is_none_or(|step| (1..=status.steps.len()).contains(&step)));
        }
    }
}
