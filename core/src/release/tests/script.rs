//! One scripted release: what a driver is told after every command, and when to look again.

use super::*;

fn shown(step: Step<'_>, now: Timestamp) -> String {
    match step {
        Step::Rest => "rest".into(),
        Step::Hold => "hold".into(),
        Step::Enter { weight } => alloc::format!("enter {weight}%"),
        Step::Bake { weight, until } => {
            alloc::format!("bake {weight}% for {} s", until.since(now) / 1000)
        }
        Step::Finish => "finish".into(),
        Step::CompleteRollback => "complete the rollback".into(),
        Step::Apply(apply) => {
            let regions: Vec<&str> = apply
                .regions
                .iter()
                .map(|region| region.name.as_str())
                .collect();
            alloc::format!(
                "{} {}% of {} in {}",
                apply.action,
                apply.weight,
                apply.image,
                regions.join(" ")
            )
        }
    }
}

/// Plays commands, each after a wait in seconds, and checks what the driver is told after each: the
/// next step, and in how many seconds to look again.
fn play(mut bench: Bench, script: &[(u64, Command, &str, Option<u64>)]) -> Bench {
    for (wait, command, step, look_again) in script {
        bench.wait(wait * 1000);
        bench = bench.all([command.clone()]);
        let release = &bench.release;
        assert_eq!(
            shown(release.next_step(), bench.now),
            *step,
            "after {}",
            command.name()
        );
        let deadline = release.next_deadline().map(|at| at.since(bench.now) / 1000);
        assert_eq!(deadline, *look_again, "after {}", command.name());
    }
    bench
}

#[test]
fn a_machine_without_a_release_rests() {
    let bench = bench();
    assert_eq!(
        (bench.release.next_step(), bench.release.next_deadline()),
        (Step::Rest, None)
    );
}

#[test]
fn a_release_without_a_plan_leaves_every_step_to_a_person() {
    let script = [
        (0, provision("app:v2"), "rest", None),
        (5, start(10), "rest", None),
        (5, increase(50), "rest", None),
        (5, Command::PromoteGreen, "rest", None),
        (5, rollback("x"), "rest", None),
    ];
    play(bench(), &script);
}

#[test]
fn a_release_with_a_plan_tells_its_driver_what_comes_next() {
    let script = [
        (0, provision_with(plan(&[10, 50])), "enter 10%", None),
        (1, start(10), "bake 10% for 60 s", Some(60)),
        (20, pause("lunch"), "hold", None),
        (600, Command::Resume, "bake 10% for 60 s", Some(60)),
        (60, pass(10), "enter 50%", None),
        (1, increase(50), "bake 50% for 60 s", Some(60)),
        (
            30,
            Command::DetachDriver {
                reason: "crash".into(),
            },
            "bake 50% for 30 s",
            Some(30),
        ),
        (99, Command::AttachDriver, "bake 50% for 60 s", Some(60)),
        (60, pass(50), "finish", None),
        (1, Command::FinishPlan, "rest", None),
    ];
    let bench = play(bench(), &script);
    assert_eq!(bench.release.phase(), Phase::GreenLive);
}

#[test]
fn a_release_with_a_hook_makes_every_change_in_every_region_first() {
    let both = "us-east us-west";
    let in_both = |what: &str| alloc::format!("{what} in {both}");
    let (provision, start_10, up_50, promote, back) = (
        in_both("provision_green 0% of app:v2"),
        in_both("start_canary 10% of app:v2"),
        in_both("increase_weight 50% of app:v2"),
        in_both("promote_green 100% of app:v2"),
        in_both("rollback_to_blue 0% of app:v1"),
    );
    let script = [
        (
            0,
            provision_with(with_hook(&[10, 50])),
            provision.as_str(),
            None,
        ),
        (
            1,
            confirm("us-east", Action::ProvisionGreen),
            "provision_green 0% of app:v2 in us-west",
            None,
        ),
        (
            1,
            confirm("us-west", Action::ProvisionGreen),
            "enter 10%",
            None,
        ),
        (1, start(10), &start_10, None),
        (
            1,
            confirm("us-west", Action::StartCanary),
            "start_canary 10% of app:v2 in us-east",
            None,
        ),
        (
            1,
            confirm("us-east", Action::StartCanary),
            "bake 10% for 60 s",
            Some(60),
        ),
        (60, pass(10), "enter 50%", None),
        (1, increase(50), &up_50, None),
        (1, pause("x"), &up_50, None),
        (
            1,
            confirm("us-east", Action::IncreaseWeight),
            "increase_weight 50% of app:v2 in us-west",
            None,
        ),
        (1, confirm("us-west", Action::IncreaseWeight), "hold", None),
        (1, Command::Resume, "bake 50% for 60 s", Some(60)),
        (60, pass(50), "finish", None),
        (1, Command::FinishPlan, &promote, None),
        (
            1,
            confirm("us-east", Action::PromoteGreen),
            "promote_green 100% of app:v2 in us-west",
            None,
        ),
        (1, confirm("us-west", Action::PromoteGreen), "rest", None),
        (1, rollback("leak"), &back, None),
        (
            1,
            confirm("us-west", Action::RollbackToBlue),
            "rollback_to_blue 0% of app:v1 in us-east",
            None,
        ),
        (
            1,
            confirm("us-east", Action::RollbackToBlue),
            "complete the rollback",
            None,
        ),
        (1, Command::CompleteRollback, "rest", None),
    ];
    let bench = play(bench(), &script);
    assert_eq!(
        (bench.release.phase(), bench.release.blue_image()),
        (Phase::Idle, Some("app:v1"))
    );
}

#[test]
fn a_deadline_is_looked_at_while_the_release_is_under_way_and_whichever_is_earlier_counts() {
    let with_deadline = |seconds: u64| Plan {
        deadline: Some(Timestamp(1_000_000).plus(seconds * 1000)),
        ..plan(&[10])
    };
    let script = [
        (0, provision_with(with_deadline(90)), "enter 10%", Some(90)),
        (10, start(10), "bake 10% for 60 s", Some(60)),
        (40, pause("x"), "hold", Some(40)),
        (10, Command::Resume, "bake 10% for 60 s", Some(30)),
        (5, rollback("late"), "rest", None),
    ];
    play(bench(), &script);
    let promoted = [
        (0, provision_with(with_deadline(90)), "enter 10%", Some(90)),
        (1, start(10), "bake 10% for 60 s", Some(60)),
        (1, Command::PromoteGreen, "rest", None),
    ];
    play(bench(), &promoted);
}

#[test]
fn a_crash_between_the_two_records_of_a_rollback_heals() {
    let mut bench = bench().all([provision("app:v2"), start(10)]);
    let event = Event::RollbackToBlue {
        reason: "x".into(),
        old_state: Phase::Canary,
        old_weight: weight(10),
    };
    bench.release.evolve(&Fact {
        at: bench.now,
        release_id: Some("r1".into()),
        event,
    });
    assert_eq!(bench.release.next_step(), Step::CompleteRollback);
    let bench = bench.all([Command::CompleteRollback]);
    assert_eq!(bench.release.phase(), Phase::Idle);
}
