//! Laws 8 to 11 and 14 over a small machine in full: every state that any commands lead to, and every
//! command in each of them. What holds here holds for every history of these commands, however long.

mod graph;

use std::collections::BTreeSet;

use halcyon_core::release::{
    Check, Command, Event, Outcome, Phase, Rejection, Release, Step, Weight,
};

use graph::{Edge, Graph, commands, decide, fold};

/// The machine of every plan, and of releases without one.
fn graph() -> &'static Graph {
    static GRAPH: std::sync::OnceLock<Graph> = std::sync::OnceLock::new();
    GRAPH.get_or_init(Graph::explore)
}

fn all_edges() -> impl Iterator<Item = (&'static Release, &'static Edge, &'static Release)> {
    let graph = graph();
    let edges = graph.edges.iter();
    edges.map(|edge| (&graph.states[edge.from], edge, &graph.states[edge.to]))
}

/// The event's name in a record.
fn action(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["action"]
        .as_str()
        .unwrap()
        .into()
}

#[test]
fn the_machine_is_small_and_was_seen_in_full() {
    let graph = graph();
    println!(
        "{} states, {} changes",
        graph.states.len(),
        graph.edges.len()
    );
    let phases: BTreeSet<Phase> = graph.states.iter().map(Release::phase).collect();
    assert_eq!(phases.len(), Phase::ALL.len());
    let events: BTreeSet<String> = graph.edges.iter().map(|edge| action(&edge.event)).collect();
    assert_eq!(events.len(), 13, "every event but a denial: {events:?}");
    let refusals: BTreeSet<&str> = graph.refusals.iter().copied().collect();
    assert_eq!(
        refusals,
        BTreeSet::from([
            "invalid",
            "invalid weight",
            "not in plan",
            "not rising",
            "not yet",
            "state"
        ])
    );
    assert!(graph.states.iter().any(|state| state.paused().is_some()));
    assert!(graph.states.iter().any(
        |state| state.phase() == Phase::RollbackInProgress && state.unconfirmed().count() == 1
    ));
}

#[test]
fn a_release_begins_only_where_none_is_under_way_and_keeps_its_id_plan_and_image_to_its_end() {
    for (before, edge, after) in all_edges() {
        if let Event::ProvisionGreen {
            image_tag, plan, ..
        } = &edge.event
        {
            assert!(!before.under_way() && after.under_way(), "{edge:?}");
            assert_ne!(before.id(), after.id(), "{edge:?}");
            assert_eq!(
                (after.green_image(), after.plan()),
                (Some(image_tag.as_str()), plan.as_ref())
            );
            continue;
        }
        assert_eq!(
            (before.id(), before.plan()),
            (after.id(), after.plan()),
            "{edge:?}"
        );
        let ends = matches!(edge.event, Event::RollbackComplete {});
        let green = before.green_image().filter(|_| !ends);
        assert_eq!(after.green_image(), green, "{edge:?}");
        if before.under_way() && !after.under_way() {
            assert!(
                ends || matches!(edge.event, Event::PromoteGreen { .. }),
                "{edge:?}"
            );
        }
    }
}

#[test]
fn the_weight_takes_the_plans_values_in_order_or_0_by_rollback_or_all_by_promotion() {
    for (before, edge, after) in all_edges() {
        let (was, is) = (before.weight(), after.weight());
        match &edge.event {
            Event::StartCanary { .. } | Event::IncreaseWeight { .. } => {
                match before.plan() {
                    Some(plan) => assert_eq!(Some(is), plan.after(before.step()), "{edge:?}"),
                    None => assert!(before.step().is_none_or(|step| step < is), "{edge:?}"),
                }
                assert!(
                    matches!(before.phase(), Phase::GreenProvisioned | Phase::Canary),
                    "{edge:?}"
                );
            }
            Event::ProvisionGreen { .. } => assert_eq!(is, Weight::ZERO, "{edge:?}"),
            Event::RollbackToBlue { .. } | Event::RollbackComplete {} => {
                assert_eq!(is, Weight::ZERO, "{edge:?}")
            }
            Event::PromoteGreen { .. } => assert_eq!(
                (before.phase(), is),
                (Phase::Canary, Weight::FULL),
                "{edge:?}"
            ),
            _ => assert_eq!(was, is, "{edge:?}"),
        }
        if before.phase() == Phase::RollbackInProgress {
            assert_eq!(
                is,
                Weight::ZERO,
                "nothing raises it after the start of a rollback: {edge:?}"
            );
            assert!(
                matches!(after.phase(), Phase::RollbackInProgress | Phase::Idle),
                "{edge:?}"
            );
        }
    }
}

#[test]
fn a_verdict_comes_of_a_whole_bake_on_data_and_only_verdicts_let_a_plan_go_on() {
    for (before, edge, after) in all_edges() {
        let open = before.unconfirmed().count();
        let judged = |release: &Release, step: Weight| release.passed(step);
        for step in graph::weights() {
            let (was, is) = (judged(before, step), judged(after, step));
            if was == is || matches!(edge.event, Event::ProvisionGreen { .. }) {
                continue;
            }
            assert_eq!(
                (was, before.phase(), before.weight(), open),
                (None, Phase::Canary, step, 0),
                "{edge:?}"
            );
            assert!(before.paused().is_none(), "{edge:?}");
            let bake_ms = before.plan().map_or(0, |plan| plan.bake_ms);
            match (edge.command, is) {
                (
                    Command::PassStep {
                        baked_ms, rounds, ..
                    },
                    Some(true),
                ) => {
                    assert!(
                        *rounds > 0 && *baked_ms >= bake_ms,
                        "inconclusive is no pass: {edge:?}"
                    );
                }
                (Command::FailStep { check, .. }, Some(false)) => {
                    assert_eq!(*check, Check::Bake);
                    let tolerant = before.plan().is_some_and(|plan| !plan.abort_on_err);
                    assert!(tolerant, "{edge:?}");
                }
                _ => panic!("a verdict by {edge:?}"),
            }
        }
        let Some(plan) = before.plan().filter(|_| before.under_way()) else {
            continue;
        };
        let goes_on = match &edge.event {
            Event::StartCanary { .. } | Event::IncreaseWeight { .. } => true,
            Event::PromoteGreen { .. } => *edge.command == Command::FinishPlan,
            _ => false,
        };
        if goes_on {
            assert!(before.paused().is_none() && open == 0, "{edge:?}");
            assert!(
                before
                    .step()
                    .is_none_or(|step| judged(before, step).is_some()),
                "{edge:?}"
            );
        }
        if let Event::PromoteGreen { new_blue, skipped } = &edge.event {
            assert_eq!(
                Some(new_blue.as_str()),
                before.green_image(),
                "bound to the image"
            );
            let missing = plan
                .weights
                .iter()
                .filter(|step| judged(before, **step).is_none());
            assert!(skipped.iter().eq(missing), "{edge:?}");
            if *edge.command == Command::FinishPlan {
                let good = |step: &Weight| {
                    judged(before, *step).is_some_and(|passed| passed || !plan.abort_on_err)
                };
                assert!(
                    plan.weights.iter().all(good),
                    "every step was entered and passed: {edge:?}"
                );
            }
        }
    }
}

#[test]
fn blue_changes_by_promotion_alone_and_a_rollback_brings_it_back_image_and_pool() {
    for (before, edge, after) in all_edges() {
        match &edge.event {
            Event::ProvisionGreen { initial_blue, .. } => {
                let blue = before.blue_image().or(initial_blue.as_deref());
                assert_eq!(after.blue_image(), blue, "{edge:?}");
                let swaps = before.phase() == Phase::GreenLive;
                assert_eq!(
                    before.blue_pool() != after.blue_pool(),
                    swaps,
                    "the roles swap: {edge:?}"
                );
            }
            Event::PromoteGreen { .. } => {
                assert_eq!(
                    (after.blue_image(), after.blue_pool()),
                    (before.green_image(), before.blue_pool()),
                    "{edge:?}"
                );
                let mut back = after.clone();
                for event in decide(after, &graph::rollback(), "Deployer", true).unwrap() {
                    back = fold(&back, event);
                }
                assert_eq!(
                    (back.blue_image(), back.blue_pool()),
                    (before.blue_image(), before.blue_pool()),
                    "{edge:?}"
                );
            }
            Event::RollbackToBlue {
                old_state: Phase::GreenLive,
                ..
            } => {}
            _ => assert_eq!(
                (after.blue_image(), after.blue_pool()),
                (before.blue_image(), before.blue_pool()),
                "{edge:?}"
            ),
        }
    }
}

#[test]
fn from_every_state_a_rollback_ends_in_idle_with_blue_alone() {
    for state in &graph().states {
        let mut release = state.clone();
        for event in decide(&release, &graph::rollback(), "Deployer", true).unwrap() {
            release = fold(&release, event);
        }
        let mut turns = 0;
        while release.phase() != Phase::Idle {
            assert_eq!(
                (release.phase(), release.weight()),
                (Phase::RollbackInProgress, Weight::ZERO)
            );
            let command = crate::world::followed(&release).unwrap();
            for event in decide(&release, &command, "Deployer", true).unwrap() {
                release = fold(&release, event);
            }
            turns += 1;
            assert!(
                turns <= 3,
                "two regions and the record: {:?}",
                release.next_step()
            );
        }
        assert_eq!(
            (release.green_image(), release.weight(), release.next_step()),
            (None, Weight::ZERO, Step::Rest)
        );
        if state.phase() != Phase::Idle {
            assert!(
                matches!(release.outcome(), Some(Outcome::RolledBack(_))),
                "{state:?}"
            );
        }
    }
}

#[test]
fn whoever_does_what_is_asked_comes_to_an_end_from_every_state() {
    let graph = graph();
    // How many steps are left, by state; a state met again before its end is known is a circle.
    let mut left: Vec<Option<u32>> = vec![None; graph.states.len()];
    let mut longest = 0;
    for start in 0..graph.states.len() {
        let (mut path, mut at) = (Vec::new(), start);
        let end = loop {
            if let Some(left) = left[at] {
                break left;
            }
            assert!(
                !path.contains(&at),
                "the driver goes round in circles at {:?}",
                graph.states[at].next_step()
            );
            let Some(next) = follow(graph, at) else {
                break 0;
            };
            path.push(at);
            at = next;
        };
        left[at].get_or_insert(end);
        for (state, steps) in path.into_iter().rev().zip(1..) {
            left[state] = Some(end + steps);
        }
        longest = longest.max(left[start].unwrap());
    }
    // Two regions with a hook, two steps: each of four changes in each region, two entries, two bakes, the end.
    assert_eq!(longest, 4 * 2 + 2 + 2 + 1);
}

/// Where the driver's next command leads; `None` where it rests or waits for a person, and is right to.
fn follow(graph: &Graph, at: usize) -> Option<usize> {
    let release = &graph.states[at];
    let Some(command) = crate::world::followed(release) else {
        match release.next_step() {
            Step::Hold => assert!(release.paused().is_some() && release.under_way()),
            _ => assert!(
                !release.under_way() || release.plan().is_none(),
                "left alone: {release:?}"
            ),
        }
        return None;
    };
    let events = decide(release, &command, "Admin", false)
        .unwrap_or_else(|refusal| panic!("{command:?} is asked for, and refused: {refusal}"));
    assert!(!events.is_empty(), "{command:?} changes nothing");
    let after = events
        .into_iter()
        .fold(release.clone(), |release, event| fold(&release, event));
    Some(graph.place(&after).expect("it was seen"))
}

#[test]
fn what_fails_leaves_every_state_a_way_to_go_on() {
    // A fault is a failed hook, smoke test or bake, or a crash. Its answer is taken and leads to a state
    // that was seen, and from each of those whoever does what is asked comes to an end.
    let graph = graph();
    let lead = |release: &Release, command: &Command| {
        let events = decide(release, command, "Deployer", false);
        let events = events.unwrap_or_else(|why| panic!("{command:?} at {release:?}: {why}"));
        let after = events
            .into_iter()
            .fold(release.clone(), |release, event| fold(&release, event));
        assert!(graph.place(&after).is_some(), "{command:?} at {release:?}");
    };
    for release in &graph.states {
        let fault = match release.next_step() {
            Step::Apply(apply) => graph::fail(apply.weight, Check::Hook, &apply.regions[0].name),
            Step::Bake { weight, .. } => graph::fail(weight, Check::Bake, "us-east"),
            Step::Enter { weight } => graph::fail(weight, Check::Smoke, "us-east"),
            Step::Rest | Step::Hold | Step::Finish | Step::CompleteRollback => continue,
        };
        lead(release, &Command::AttachDriver);
        // A hook that fails in a rollback is tried again: nothing is on record of that.
        match release.plan() {
            _ if release.phase() == Phase::RollbackInProgress => {}
            Some(plan) if !plan.abort_on_err => lead(release, &fault),
            _ => lead(release, &graph::rollback()),
        }
    }
}

#[test]
fn whoever_may_not_is_refused_every_command_in_every_state_and_the_attempt_on_record_changes_nothing()
 {
    for (state, command) in graph()
        .states
        .iter()
        .flat_map(|state| commands().iter().map(move |command| (state, command)))
    {
        for role in ["Viewer", "", "deployer"] {
            let refusal = decide(state, command, role, false).unwrap_err();
            assert!(
                matches!(refusal, Rejection::Role { .. }),
                "{command:?} as {role:?} at {state:?}: {refusal}"
            );
        }
    }
    // The record differs by the command's name alone, so each state takes another one.
    for (state, command) in graph().states.iter().zip(commands().iter().cycle()) {
        let event = graph::denial(state, command, "Viewer").expect("it is on record");
        let Event::PermissionDenied { attempted, .. } = &event else {
            panic!("{event:?}")
        };
        assert_eq!(attempted, command.name());
        assert_eq!(&fold(state, event), state);
        assert_eq!(graph::denial(state, command, "Admin"), None);
    }
}

#[test]
fn the_kill_switch_refuses_what_raises_in_every_state_and_changes_no_other_answer() {
    for state in &graph().states {
        for command in commands() {
            let on = decide(state, command, "Admin", true);
            match command.raises() {
                true => assert!(
                    matches!(on, Err(Rejection::KillSwitch { .. })),
                    "{command:?} at {state:?}"
                ),
                false => assert_eq!(on, decide(state, command, "Deployer", false)),
            }
        }
    }
}
