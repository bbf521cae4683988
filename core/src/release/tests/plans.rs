//! Plans: what a release with one may do, and when.

use super::*;

/// A canary at the plan's first step.
fn at_10(plan: Plan) -> Bench {
    bench().all([provision_with(plan), start(10)])
}

#[test]
fn a_weight_takes_only_the_plans_values_in_order() {
    let mut at = bench().all([provision_with(plan(&[10, 50]))]);
    assert_eq!(
        at.refusal(start(50)),
        "Cannot start canary to 50%: the plan's next step is 10%"
    );
    assert_eq!(
        at.refusal(start(11)),
        "Cannot start canary to 11%: the plan's next step is 10%"
    );
    let mut at = at.all([start(10), pass(10)]);
    assert_eq!(
        at.refusal(increase(25)),
        "Cannot increase weight to 25%: the plan's next step is 50%"
    );
    assert_eq!(
        at.refusal(increase(100)),
        "Cannot increase weight to 100%: the plan's next step is 50%"
    );
    assert_eq!(
        at.refusal(increase(10)),
        "New weight 10% must be greater than current 10%"
    );
    let mut at = at.all([increase(50), pass(50)]);
    assert_eq!(
        at.refusal(increase(100)),
        "Cannot increase weight to 100%: the plan's next step is promotion"
    );
}

#[test]
fn a_step_that_has_not_passed_holds_the_next() {
    let mut at = at_10(plan(&[10, 50]));
    assert_eq!(
        at.refusal(increase(50)),
        "Cannot increase weight: step 10% has not passed"
    );
    at.give(pass(10)).unwrap();
    at.give(increase(50)).unwrap();
    assert_eq!(
        at.refusal(Command::FinishPlan),
        "Cannot promote green: step 50% has not passed"
    );
}

#[test]
fn promote_before_bake_is_refused() {
    let mut at = at_10(plan(&[10, 50]));
    assert_eq!(
        at.refusal(Command::FinishPlan),
        "Cannot promote green: step 50% is still to come"
    );
    at = at.all([pass(10), increase(50)]);
    let short = Command::PassStep {
        weight: weight(50),
        baked_ms: 59_999,
        rounds: 9,
        traffic: None,
    };
    assert_eq!(
        at.refusal(short),
        "Cannot pass the step: 59999 ms of 60000 ms have baked"
    );
    let unprobed = Command::PassStep {
        weight: weight(50),
        baked_ms: 60_000,
        rounds: 0,
        traffic: None,
    };
    assert_eq!(
        at.refusal(unprobed),
        "Cannot pass the step: no region was probed, and no data is no pass"
    );
    assert_eq!(
        at.refusal(Command::FinishPlan),
        "Cannot promote green: step 50% has not passed"
    );
    at = at.all([pass(50), Command::FinishPlan]);
    assert_eq!(at.release.phase(), Phase::GreenLive);
}

#[test]
fn a_bake_of_no_time_still_needs_one_probe_round() {
    let mut at = at_10(Plan {
        bake_ms: 0,
        ..plan(&[10])
    });
    let with = |rounds| Command::PassStep {
        weight: weight(10),
        baked_ms: 0,
        rounds,
        traffic: None,
    };
    assert!(at.refusal(with(0)).contains("no data is no pass"));
    at.give(with(1)).unwrap();
}

#[test]
fn a_plan_with_limits_passes_no_step_without_traffic_that_keeps_to_them() {
    let limits = Limits {
        max_errors_ppm: Some(10_000),
        max_p95_ms: Some(250),
    };
    let limited = Plan {
        limits: Some(limits),
        ..plan(&[0, 10, 50])
    };
    let with = |percent, traffic| match pass(percent) {
        Command::PassStep {
            weight,
            baked_ms,
            rounds,
            ..
        } => Command::PassStep {
            weight,
            baked_ms,
            rounds,
            traffic,
        },
        other => other,
    };
    let traffic = |requests, errors, slow| {
        Some(Traffic {
            requests,
            errors,
            slow,
        })
    };
    // Nobody is on green at 0 %, so there is nothing to see.
    let mut at = bench().all([
        provision_with(limited.clone()),
        start(0),
        pass(0),
        increase(10),
    ]);
    assert_eq!(
        at.refusal(with(10, None)),
        "Cannot pass the step: green's traffic is too little, or breaks a limit"
    );
    for (requests, errors, slow) in [(0, 0, 0), (19, 0, 0), (100, 2, 0), (100, 0, 6)] {
        let why = at.refusal(with(10, traffic(requests, errors, slow)));
        assert!(why.contains("breaks a limit"), "{why}");
    }
    at.give(with(10, traffic(100, 1, 5))).unwrap();
    at.give(increase(50)).unwrap();
    assert!(
        at.refusal(Command::FinishPlan)
            .contains("step 50% has not passed")
    );
    at = at.all([with(50, traffic(20, 0, 1)), Command::FinishPlan]);
    assert_eq!(at.release.phase(), Phase::GreenLive);
    // A breach must not be a warning.
    let why = bench().refusal(provision_with(tolerant(limited)));
    assert!(
        why.contains("limits need abort_on_err and a step above 0"),
        "{why}"
    );
}

#[test]
fn a_verdict_is_about_the_step_in_force_and_given_once() {
    let mut at = at_10(plan(&[10, 50]));
    assert_eq!(
        at.refusal(pass(50)),
        "Cannot pass the step: step 50% is not in force; that is 10%"
    );
    at.give(pass(10)).unwrap();
    assert_eq!(
        at.refusal(pass(10)),
        "Cannot pass the step: step 10% has its verdict"
    );
    at.give(increase(50)).unwrap();
    assert_eq!(
        at.refusal(pass(10)),
        "Cannot pass the step: step 10% is not in force; that is 50%"
    );
}

#[test]
fn a_plan_may_begin_with_zero() {
    let at = bench().all([provision_with(plan(&[0, 100])), start(0)]);
    assert_eq!(
        at.release.next_step(),
        Step::Bake {
            weight: Weight::ZERO,
            until: at.now.plus(60_000)
        }
    );
    let at = at.all([pass(0), increase(100), pass(100), Command::FinishPlan]);
    assert_eq!(at.release.phase(), Phase::GreenLive);
}

#[test]
fn a_plan_followed_to_its_end_skips_nothing() {
    let mut at = at_10(plan(&[10, 50])).all([pass(10), increase(50), pass(50)]);
    let events = at.give(Command::FinishPlan).unwrap();
    assert_eq!(
        events,
        [Event::PromoteGreen {
            new_blue: "app:v2".into(),
            skipped: Vec::new()
        }]
    );
}

#[test]
fn a_person_may_promote_early_and_the_steps_skipped_are_recorded() {
    let mut at = at_10(plan(&[10, 25, 50])).all([pass(10), increase(25)]);
    let events = at.give(Command::PromoteGreen).unwrap();
    assert_eq!(
        events,
        [Event::PromoteGreen {
            new_blue: "app:v2".into(),
            skipped: alloc::vec![weight(25), weight(50)]
        }]
    );
}

#[test]
fn a_paused_release_holds_until_it_is_resumed_and_then_bakes_again() {
    let mut at = at_10(plan(&[10, 50]));
    at.wait(50_000);
    at.give(pause("lunch")).unwrap();
    assert_eq!(
        (at.release.paused(), at.release.next_step()),
        (Some("lunch"), Step::Hold)
    );
    assert_eq!(at.release.next_deadline(), None);
    assert_eq!(
        at.refusal(pass(10)),
        "Cannot pass the step: the release is paused"
    );
    at.wait(1_000_000);
    at.give(Command::Resume).unwrap();
    let until = at.now.plus(60_000);
    assert_eq!(
        (at.release.paused(), at.release.next_step()),
        (
            None,
            Step::Bake {
                weight: weight(10),
                until
            }
        )
    );
}

#[test]
fn a_pause_holds_a_step_that_has_passed_and_the_promotion_too() {
    let mut at = at_10(plan(&[10, 50])).all([pass(10), pause("x")]);
    assert_eq!(
        at.refusal(increase(50)),
        "Cannot increase weight: the release is paused"
    );
    let mut at = at.all([Command::Resume, increase(50), pass(50), pause("y")]);
    assert_eq!(
        at.refusal(Command::FinishPlan),
        "Cannot promote green: the release is paused"
    );
    let mut provisioned = bench().all([provision_with(plan(&[10])), pause("z")]);
    assert_eq!(
        provisioned.refusal(start(10)),
        "Cannot start canary: the release is paused"
    );
}

#[test]
fn pausing_twice_records_once_and_resuming_what_runs_is_refused() {
    let mut at = at_10(plan(&[10]));
    assert_eq!(at.give(pause("first")).unwrap().len(), 1);
    assert_eq!(at.give(pause("second")).unwrap(), []);
    assert_eq!(at.release.paused(), Some("first"));
    at.give(Command::Resume).unwrap();
    assert_eq!(
        at.refusal(Command::Resume),
        "Cannot resume: the release is not paused"
    );
}

#[test]
fn a_rollback_ends_a_pause_and_nothing_raises_after_it() {
    let provisioned = ["us-east", "us-west"].map(|region| confirm(region, Action::ProvisionGreen));
    let mut at = bench()
        .all([provision_with(with_hook(&[10, 50]))])
        .all(provisioned)
        .all([start(10), pause("x")]);
    at.give(rollback("sick")).unwrap();
    assert_eq!(
        (at.release.phase(), at.release.weight(), at.release.paused()),
        (Phase::RollbackInProgress, Weight::ZERO, None)
    );
    for command in [
        start(10),
        increase(50),
        Command::PromoteGreen,
        Command::FinishPlan,
        Command::Resume,
        pass(10),
        provision("x"),
    ] {
        assert!(
            at.refusal(command)
                .contains("from state rollback_in_progress")
        );
    }
    let mut idle = at_10(plan(&[10, 50])).all([rollback("sick")]);
    for command in [
        start(10),
        increase(50),
        Command::PromoteGreen,
        Command::FinishPlan,
        Command::Resume,
        pass(10),
    ] {
        assert!(idle.refusal(command).contains("from state idle"));
    }
}

#[test]
fn a_driver_that_takes_over_bakes_the_step_again() {
    let mut at = at_10(plan(&[10]));
    at.wait(59_000);
    at.give(Command::DetachDriver {
        reason: "interrupted".into(),
    })
    .unwrap();
    at.wait(500_000);
    at.give(Command::AttachDriver).unwrap();
    assert_eq!(
        at.release.next_step(),
        Step::Bake {
            weight: weight(10),
            until: at.now.plus(60_000)
        }
    );
}

#[test]
fn a_plan_that_rolls_back_on_failure_refuses_to_go_on_after_one() {
    for check in [Check::Smoke, Check::Hook, Check::Bake] {
        let refusal = at_10(plan(&[10, 50])).refusal(fail(10, check));
        assert_eq!(
            refusal,
            "Cannot fail the step: only a plan that tolerates failures goes on after one"
        );
    }
}

#[test]
fn a_tolerant_plan_goes_on_after_a_failed_step_and_the_failure_is_recorded() {
    let mut at = at_10(tolerant(plan(&[10, 50])));
    let events = at.give(fail(10, Check::Bake)).unwrap();
    let failures = alloc::vec![RegionFailure {
        region: "us-east".into(),
        why: "status 503".into()
    }];
    assert_eq!(
        events,
        [Event::StepFailed {
            weight: weight(10),
            check: Check::Bake,
            failures
        }]
    );
    assert_eq!(at.release.next_step(), Step::Enter { weight: weight(50) });
    let mut at = at.all([increase(50), pass(50)]);
    let Event::PromoteGreen { skipped, .. } = at.give(Command::FinishPlan).unwrap().remove(0)
    else {
        panic!()
    };
    assert_eq!(
        skipped,
        [],
        "a step that failed was not skipped: its failure is on record"
    );
}

#[test]
fn a_failed_smoke_test_of_a_tolerant_plan_is_recorded_and_the_step_is_still_to_enter() {
    let mut at = bench().all([provision_with(tolerant(plan(&[10, 50])))]);
    at.give(fail(10, Check::Smoke)).unwrap();
    assert_eq!(at.release.next_step(), Step::Enter { weight: weight(10) });
    assert_eq!(at.release.phase(), Phase::GreenProvisioned);
}

#[test]
fn a_late_failure_of_a_step_that_is_over_is_refused() {
    let mut at = at_10(tolerant(plan(&[10, 50]))).all([pass(10)]);
    assert_eq!(
        at.refusal(fail(10, Check::Bake)),
        "Cannot fail the step: step 10% has its verdict"
    );
    at.give(increase(50)).unwrap();
    assert_eq!(
        at.refusal(fail(10, Check::Bake)),
        "Cannot fail the step: step 10% is not in force; that is 50%"
    );
}

#[test]
fn a_plan_needs_rising_weights_and_regions_that_are_there_once() {
    let twice = |plan: Plan| Plan {
        regions: alloc::vec![plan.regions[0].clone(); 2],
        ..plan
    };
    for (plan, why) in [
        (plan(&[]), "strictly rising, at least one"),
        (plan(&[10, 10]), "strictly rising, at least one"),
        (plan(&[50, 10]), "strictly rising, at least one"),
        (
            Plan {
                regions: Vec::new(),
                ..plan(&[10])
            },
            "at least one, each once",
        ),
        (twice(plan(&[10])), "at least one, each once"),
    ] {
        let refusal = bench().refusal(provision_with(plan));
        assert!(
            refusal.starts_with("Cannot provision green: the plan's ") && refusal.ends_with(why),
            "{refusal}"
        );
    }
}

#[test]
fn a_canary_sequence_is_digits_strictly_rising_up_to_100() {
    let parse = |text: &str| {
        parse_canary_seq(text)
            .map(|weights| weights.into_iter().map(Weight::percent).collect::<Vec<_>>())
    };
    assert_eq!(parse("2,10,25,50,100"), Ok(alloc::vec![2, 10, 25, 50, 100]));
    assert_eq!(parse("0"), Ok(alloc::vec![0]));
    assert_eq!(parse(" 5 , 50 "), Ok(alloc::vec![5, 50]));
    for (text, item) in [
        ("", "item 1, \"\", is no weight"),
        ("10,", "item 2, \"\", is no weight"),
        ("10,,20", "item 2, \"\", is no weight"),
        ("10,5", "item 2, \"5\", does not rise above 10"),
        ("10,10", "item 2, \"10\", does not rise above 10"),
        ("10,101", "item 2, \"101\", is no weight"),
        ("-1", "item 1, \"-1\", is no weight"),
        ("+5", "item 1, \"+5\", is no weight"),
        ("50%", "item 1, \"50%\", is no weight"),
        ("1e2", "item 1, \"1e2\", is no weight"),
        ("NaN", "item 1, \"NaN\", is no weight"),
        ("1.5", "item 1, \"1.5\", is no weight"),
        ("0001", "item 1, \"0001\", is no weight"),
        (
            "18446744073709551617",
            "item 1, \"18446744073709551617\", is no weight",
        ),
        ("\u{661}", r#"item 1, "\u{661}", is no weight"#),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(item), "{error}");
        assert!(error.ends_with(
            "allowed: whole numbers from 0 to 100, strictly rising, comma-separated, at least one"
        ));
    }
    assert!(parse(&"1".repeat(1_000_000)).unwrap_err().len() < 400);
}
