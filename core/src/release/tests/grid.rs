//! Every command from every state, against a table a person can read.
//!
//! After the arrow stands what is recorded, or why the command is refused.

use super::*;

fn machine(phase: Phase, plan: Option<Plan>) -> Bench {
    let begin = Command::ProvisionGreen {
        image: "app:v2".into(),
        blue_image: Some("app:v1".into()),
        plan: plan.clone(),
    };
    let confirmed = plan
        .iter()
        .filter(|plan| plan.on_step.is_some())
        .flat_map(|plan| &plan.regions);
    let confirmed: Vec<Command> = confirmed
        .map(|region| confirm(&region.name, Action::ProvisionGreen))
        .collect();
    let provisioned = || bench().all([begin.clone()]).all(confirmed.clone());
    let at = match phase {
        Phase::Idle => bench(),
        Phase::GreenProvisioned => provisioned(),
        Phase::Canary => provisioned().all([start(10)]),
        Phase::GreenLive => provisioned().all([start(10), Command::PromoteGreen]),
        Phase::RollbackInProgress => {
            let mut at = provisioned().all([start(10)]);
            let event = Event::RollbackToBlue {
                reason: "sick".into(),
                old_state: Phase::Canary,
                old_weight: weight(10),
            };
            // As a crash between the two records of a rollback leaves it.
            at.release.evolve(&Fact {
                at: at.now,
                release_id: at.release.id.clone(),
                event,
            });
            at
        }
    };
    assert_eq!(at.release.phase(), phase);
    at
}

fn commands() -> [Command; 14] {
    [
        provision("app:v3"),
        start(10),
        increase(50),
        Command::PromoteGreen,
        rollback("sick"),
        pause("lunch"),
        Command::Resume,
        Command::FinishPlan,
        confirm("us-east", Action::StartCanary),
        pass(10),
        fail(10, Check::Smoke),
        Command::CompleteRollback,
        Command::AttachDriver,
        Command::DetachDriver {
            reason: "bye".into(),
        },
    ]
}

fn grid(plan: Option<&Plan>, kill_switch: bool) -> String {
    let mut text = String::new();
    for phase in Phase::ALL {
        text.push_str(&alloc::format!("{phase}\n"));
        for command in commands() {
            let mut at = machine(phase, plan.cloned());
            at.kill_switch = kill_switch;
            let outcome = match at.give(command.clone()) {
                Err(refusal) => refusal,
                Ok(events) if events.is_empty() => "nothing: it is so already".into(),
                Ok(events) => {
                    let shown: Vec<String> = events
                        .iter()
                        .map(|event| serde_json::to_string(event).unwrap())
                        .collect();
                    alloc::format!("{} => {}", shown.join(" "), at.release.phase())
                }
            };
            text.push_str(&alloc::format!("  {:17} -> {outcome}\n", command.name()));
        }
    }
    text
}

/// Compares line by line, so that a failure names the line.
fn check(found: &str, expected: &str) {
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn every_command_from_every_state() {
    check(&grid(None, false), include_str!("grid.txt"));
}

#[test]
fn every_command_from_every_state_under_the_kill_switch() {
    check(&grid(None, true), include_str!("grid_kill_switch.txt"));
}

#[test]
fn every_command_from_every_state_with_a_plan_and_a_hook() {
    check(
        &grid(Some(&tolerant(with_hook(&[10, 50]))), false),
        include_str!("grid_plan.txt"),
    );
}

#[test]
fn the_kill_switch_refuses_exactly_what_gives_green_more() {
    for (phase, command) in Phase::ALL
        .into_iter()
        .flat_map(|phase| commands().map(|command| (phase, command)))
    {
        let mut off = machine(phase, None);
        let mut on = machine(phase, None);
        on.kill_switch = true;
        let (off, on) = (off.give(command.clone()), on.give(command.clone()));
        if command.raises() {
            let words = alloc::format!(
                "Cannot {}: FEATURE_BLUE_GREEN is set and not true",
                command.words()
            );
            assert!(on.unwrap_err().starts_with(&words));
        } else {
            assert_eq!(on, off);
        }
    }
}

#[test]
fn a_refusal_for_the_state_names_the_state_and_what_is_allowed_from_it() {
    for phase in Phase::ALL {
        for command in commands() {
            let Err(refusal) = machine(phase, None).give(command.clone()) else {
                continue;
            };
            if refusal.contains("from state") {
                let begins =
                    alloc::format!("Cannot {} from state {phase}; allowed: ", command.words());
                assert!(
                    refusal.starts_with(&begins) && refusal.contains("rollback_to_blue"),
                    "{refusal}"
                );
            }
        }
    }
}
