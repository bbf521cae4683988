//! A driver that does nothing but what it is told comes to an end.

use halcyon_core::ledger::Ledger;
use halcyon_core::release::{Check, Command, Outcome, Phase, Plan, RegionFailure, Step};
use halcyon_core::role::Actor;
use proptest::prelude::*;

use crate::world::{World, clean, enter, plans};

/// What goes wrong at one point of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Luck {
    Fine,
    Fails,
    Crashes,
    /// A person pauses, and resumes when nothing else is left to do.
    Paused,
    /// The kill switch is on for one command.
    Switched,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![6 => Just(Luck::Fine), 2 => Just(Luck::Fails), 2 => Just(Luck::Crashes), 1 => Just(Luck::Paused), 1 => Just(Luck::Switched)]
}

/// Drives the release under way until it rests or holds, with `luck` running out at some point.
fn drive(world: &mut World, actor: &Actor, plan: &Plan, luck: &[Luck]) -> u32 {
    let mut luck = luck.iter().copied();
    for turn in 0.. {
        assert!(
            turn < 1000,
            "the driver goes round in circles at {:?}",
            world.release().next_step()
        );
        let luck = luck.next().unwrap_or(Luck::Fine);
        if luck == Luck::Crashes {
            // All that is left of a process is its journal.
            let mut ledger = Ledger::default();
            for line in world.journal.lines() {
                ledger.accept(line.as_bytes()).unwrap();
            }
            assert_eq!(ledger, world.ledger);
            world.ledger = ledger;
            let _ = world.give(actor, false, &Command::AttachDriver);
        }
        if luck == Luck::Paused {
            let _ = world.give(
                actor,
                false,
                &Command::Pause {
                    reason: "wait".into(),
                },
            );
        }
        let failed = luck == Luck::Fails;
        let release = world.release().clone();
        let give_up = |region: &str, check, weight| {
            let failures = vec![RegionFailure {
                region: region.into(),
                why: "status 503".into(),
            }];
            if plan.abort_on_err {
                Command::RollbackToBlue {
                    reason: "status 503".into(),
                }
            } else {
                Command::FailStep {
                    weight,
                    check,
                    failures,
                }
            }
        };
        let command = match release.next_step() {
            Step::Rest => return turn,
            Step::Hold if luck == Luck::Fine => Command::Resume,
            Step::Hold => continue,
            Step::Apply(apply) if failed && release.phase() == Phase::RollbackInProgress => {
                // Tried again: a rollback has nowhere else to go.
                assert!(!apply.regions.is_empty());
                continue;
            }
            Step::Apply(apply) if failed => {
                give_up(&apply.regions[0].name, Check::Hook, apply.weight)
            }
            Step::Apply(apply) => Command::ConfirmRegion {
                region: apply.regions[0].name.clone(),
                change: apply.action,
            },
            Step::Enter { weight } if failed => give_up("us-east", Check::Smoke, weight),
            Step::Enter { weight } => enter(&release, weight),
            Step::Bake { weight, .. } if failed => give_up("us-east", Check::Bake, weight),
            Step::Bake { weight, until } => {
                world.now = until.max(world.now);
                Command::PassStep {
                    weight,
                    baked_ms: plan.bake_ms,
                    rounds: 1,
                    traffic: clean(Some(plan)),
                }
            }
            Step::Finish => Command::FinishPlan,
            Step::CompleteRollback => Command::CompleteRollback,
        };
        let switched = luck == Luck::Switched && command.raises();
        let result = world.give(actor, switched, &command);
        assert_eq!(
            result.is_err(),
            switched,
            "what a driver is told is never refused otherwise: {command:?} {result:?}"
        );
    }
    unreachable!()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn with_finitely_many_faults_every_run_ends_promoted_or_rolled_back(plan in plans(), luck in proptest::collection::vec(luck(), 0..60)) {
        let actor = Actor { user: "ci".into(), role: "Deployer".into() };
        let mut world = World::default();
        let begin = Command::ProvisionGreen { image: "v2".into(), blue_image: Some("v1".into()), plan: Some(plan.clone()) };
        world.give(&actor, false, &begin).unwrap();
        drive(&mut world, &actor, &plan, &luck);
        let release = world.release();
        prop_assert!(!release.under_way());
        match release.outcome() {
            Some(Outcome::Promoted) => {
                prop_assert_eq!((release.phase(), release.blue_image()), (Phase::GreenLive, Some("v2")));
            }
            Some(Outcome::RolledBack(_)) => {
                prop_assert_eq!((release.phase(), release.blue_image()), (Phase::Idle, Some("v1")));
                prop_assert!(plan.abort_on_err, "a tolerant plan goes on");
            }
            None => prop_assert!(false, "it ended without an outcome"),
        }
        if !luck.contains(&Luck::Fails) {
            prop_assert_eq!(release.outcome(), Some(&Outcome::Promoted));
        }
    }

    #[test]
    fn without_faults_the_steps_are_as_many_as_the_plan_asks_for(plan in plans()) {
        let actor = Actor { user: "ci".into(), role: "Admin".into() };
        let mut world = World::default();
        let begin = Command::ProvisionGreen { image: "v2".into(), blue_image: None, plan: Some(plan.clone()) };
        world.give(&actor, false, &begin).unwrap();
        let turns = drive(&mut world, &actor, &plan, &[]);
        let steps = plan.weights.len();
        let confirmations = if plan.on_step.is_some() { (steps + 2) * plan.regions.len() } else { 0 };
        prop_assert_eq!(turns as usize, 2 * steps + 1 + confirmations);
    }
}
