//! The machine as a person drives it, command by command.

use super::*;

const RAISED_TO_50: [i64; 3] = [10, 25, 50];

/// A canary at 50 percent, entered step by step.
fn canary() -> Bench {
    let [first, rest @ ..] = RAISED_TO_50;
    let begin = Command::ProvisionGreen {
        image: "app:v2".into(),
        blue_image: Some("app:v1".into()),
        plan: None,
    };
    bench().all([begin, start(first)]).all(rest.map(increase))
}

fn live() -> Bench {
    canary().all([Command::PromoteGreen])
}

#[test]
fn a_release_goes_through_its_whole_life() {
    let mut bench = bench();
    let seen = |bench: &Bench| {
        let release = &bench.release;
        (
            release.phase(),
            release.weight().percent(),
            release.blue_image().map(String::from),
            release.green_image().map(String::from),
        )
    };
    let text = |image: &str| Some(String::from(image));
    assert_eq!(seen(&bench), (Phase::Idle, 0, None, None));
    bench.give(provision("app:v1")).unwrap();
    assert_eq!(
        seen(&bench),
        (Phase::GreenProvisioned, 0, None, text("app:v1"))
    );
    bench.give(start(2)).unwrap();
    assert_eq!(seen(&bench), (Phase::Canary, 2, None, text("app:v1")));
    for percent in [10, 25, 50, 100] {
        bench.give(increase(percent.into())).unwrap();
        assert_eq!(seen(&bench), (Phase::Canary, percent, None, text("app:v1")));
    }
    bench.give(Command::PromoteGreen).unwrap();
    assert_eq!(
        seen(&bench),
        (Phase::GreenLive, 100, text("app:v1"), text("app:v1"))
    );
    bench.give(provision("app:v2")).unwrap();
    assert_eq!(
        seen(&bench),
        (Phase::GreenProvisioned, 0, text("app:v1"), text("app:v2"))
    );
    bench.give(rollback("enough")).unwrap();
    assert_eq!(seen(&bench), (Phase::Idle, 0, text("app:v1"), None));
}

#[test]
fn green_is_provisioned_with_its_image_and_no_weight() {
    let mut bench = bench();
    let events = bench.give(provision("app:v2")).unwrap();
    assert_eq!(
        events,
        [Event::ProvisionGreen {
            image_tag: "app:v2".into(),
            initial_blue: None,
            plan: None
        }]
    );
    assert_eq!(
        (bench.release.id(), bench.release.started_at()),
        (Some("r1"), bench.now)
    );
    assert!(bench.release.under_way());
}

#[test]
fn the_blue_image_of_a_command_counts_only_while_none_is_known() {
    let begin = |blue: &str| Command::ProvisionGreen {
        image: "app:v9".into(),
        blue_image: Some(blue.into()),
        plan: None,
    };
    let bench = bench().all([begin("app:v1"), rollback("x"), begin("app:v7")]);
    assert_eq!(bench.release.blue_image(), Some("app:v1"));
}

#[test]
fn equal_images_are_legal() {
    let begin = Command::ProvisionGreen {
        image: "app:v1".into(),
        blue_image: Some("app:v1".into()),
        plan: None,
    };
    let bench = bench().all([begin, start(100), Command::PromoteGreen]);
    assert_eq!(bench.release.blue_image(), Some("app:v1"));
}

#[test]
fn an_image_has_1_to_65536_bytes_without_nul() {
    let long = "x".repeat(65_536);
    bench().all([provision(&long)]);
    for image in ["", "a\0b", &alloc::format!("{long}x")] {
        let refusal = bench().refusal(provision(image));
        assert!(
            refusal.starts_with("Cannot provision green: image \"") && refusal.len() < 400,
            "{refusal}"
        );
        let blue = Command::ProvisionGreen {
            image: "a".into(),
            blue_image: Some(image.into()),
            plan: None,
        };
        assert!(
            bench()
                .refusal(blue)
                .contains("1 to 65536 bytes without NUL")
        );
    }
}

#[test]
fn a_canary_cannot_start_from_idle() {
    assert!(
        bench()
            .refusal(start(10))
            .starts_with("Cannot start canary from state idle")
    );
}

#[test]
fn a_weight_is_0_to_100() {
    for accepted in [0, 1, 99, 100] {
        let bench = bench().all([provision("app:v2"), start(accepted)]);
        assert_eq!(i64::from(bench.release.weight().percent()), accepted);
    }
    for refused in [-1, 101, 150, 256, i64::MAX, i64::MIN] {
        let expected = alloc::format!("Invalid canary weight {refused} (must be 0-100)");
        assert_eq!(
            bench().all([provision("app:v2")]).refusal(start(refused)),
            expected
        );
        assert_eq!(canary().refusal(increase(refused)), expected);
    }
    assert_eq!(
        bench().all([provision("app:v2")]).refusal(start(150)),
        "Invalid canary weight 150 (must be 0-100)"
    );
}

#[test]
fn a_weight_only_rises() {
    let mut at_25 = bench().all([provision("app:v2"), start(10), increase(25)]);
    assert_eq!(
        at_25.refusal(increase(20)),
        "New weight 20% must be greater than current 25%"
    );
    assert_eq!(
        at_25.refusal(increase(25)),
        "New weight 25% must be greater than current 25%"
    );
    assert_eq!(
        at_25.refusal(increase(0)),
        "New weight 0% must be greater than current 25%"
    );
    let events = at_25.give(increase(26)).unwrap();
    assert_eq!(
        events,
        [Event::IncreaseWeight {
            old_weight: weight(25),
            new_weight: weight(26)
        }]
    );
}

#[test]
fn promotion_makes_greens_image_blue_and_gives_it_everything() {
    let mut bench = canary();
    let events = bench.give(Command::PromoteGreen).unwrap();
    assert_eq!(
        events,
        [Event::PromoteGreen {
            new_blue: "app:v2".into(),
            skipped: Vec::new()
        }]
    );
    assert_eq!(bench.release.blue_image(), Some("app:v2"));
    assert_eq!(
        (bench.release.phase(), bench.release.weight()),
        (Phase::GreenLive, Weight::FULL)
    );
    assert_eq!(bench.release.outcome(), Some(&Outcome::Promoted));
    let status = bench.release.status();
    assert_eq!((status.outcome, status.reason), ("promoted", None));
    assert!(status.ended_at.is_some());
    assert!(!bench.release.under_way());
}

#[test]
fn promotion_is_possible_only_from_a_canary() {
    for (mut at, state) in [
        (bench(), "idle"),
        (bench().all([provision("x")]), "green_provisioned"),
        (live(), "green_live"),
    ] {
        let refusal = at.refusal(Command::PromoteGreen);
        assert!(
            refusal.starts_with(&alloc::format!("Cannot promote green from state {state}")),
            "{refusal}"
        );
    }
}

#[test]
fn rollback_records_the_reason_the_state_and_the_weight_it_found() {
    for (mut at, state, percent) in [
        (bench(), Phase::Idle, 0),
        (
            bench().all([provision("app:v2")]),
            Phase::GreenProvisioned,
            0,
        ),
        (canary(), Phase::Canary, 50),
        (live(), Phase::GreenLive, 100),
    ] {
        let events = at.give(rollback("error rate")).unwrap();
        let expected = Event::RollbackToBlue {
            reason: "error rate".into(),
            old_state: state,
            old_weight: weight(percent),
        };
        assert_eq!(events[0], expected);
        assert_eq!(
            events.get(1),
            (state != Phase::Idle).then_some(&Event::RollbackComplete {})
        );
        assert_eq!(
            (
                at.release.phase(),
                at.release.weight(),
                at.release.green_image()
            ),
            (Phase::Idle, Weight::ZERO, None)
        );
    }
}

#[test]
fn a_release_rolled_back_says_why_it_ended() {
    let bench = canary().all([rollback("error rate")]);
    assert_eq!(
        bench.release.outcome(),
        Some(&Outcome::RolledBack("error rate".into()))
    );
    let status = bench.release.status();
    assert_eq!(status.outcome, "rolled_back");
    assert_eq!(status.reason.as_deref(), Some("error rate"));
    assert_eq!(status.former_green.as_deref(), Some("app:v2"));
    assert!(status.ended_at.is_some());
}

#[test]
fn rollback_from_idle_is_recorded_and_changes_nothing() {
    for mut at in [bench(), canary().all([rollback("first")])] {
        let before = at.release.clone();
        assert_eq!(at.give(rollback("again")).unwrap().len(), 1);
        assert_eq!(at.release, before);
    }
}

#[test]
fn rollback_during_a_rollback_is_recorded_and_changes_nothing() {
    let mut at = bench().all([provision_with(with_hook(&[10])), rollback("first")]);
    assert_eq!(at.release.phase(), Phase::RollbackInProgress);
    let before = at.release.clone();
    let events = at.give(rollback("again")).unwrap();
    let expected = Event::RollbackToBlue {
        reason: "again".into(),
        old_state: Phase::RollbackInProgress,
        old_weight: Weight::ZERO,
    };
    assert_eq!(events, [expected]);
    assert_eq!(at.release, before);
}

#[test]
fn rollback_from_green_live_restores_the_former_blue_image_and_pool() {
    let mut at = live();
    let pool = at.release.blue_pool();
    at.give(rollback("slow leak")).unwrap();
    assert_eq!(
        (at.release.blue_image(), at.release.blue_pool()),
        (Some("app:v1"), pool)
    );
    let twice = live().all([
        provision("app:v3"),
        start(5),
        Command::PromoteGreen,
        rollback("slow leak"),
    ]);
    assert_eq!(
        (twice.release.blue_image(), twice.release.blue_pool()),
        (Some("app:v2"), Pool::Green)
    );
}

#[test]
fn rollback_from_green_live_without_a_former_blue_leaves_blue_unknown() {
    let at = bench().all([
        provision("app:v1"),
        start(5),
        Command::PromoteGreen,
        rollback("x"),
    ]);
    assert_eq!(at.release.blue_image(), None);
}

#[test]
fn a_second_release_makes_the_old_green_blue_and_swaps_the_pools() {
    let mut at = live();
    assert_eq!(at.release.blue_pool(), Pool::Blue);
    at.give(provision("app:v3")).unwrap();
    assert_eq!(
        (at.release.blue_image(), at.release.green_image()),
        (Some("app:v2"), Some("app:v3"))
    );
    assert_eq!(
        (at.release.blue_pool(), at.release.weight(), at.release.id()),
        (Pool::Green, Weight::ZERO, Some("r2"))
    );
    at.give(rollback("x")).unwrap();
    assert_eq!(
        (at.release.blue_image(), at.release.blue_pool()),
        (Some("app:v2"), Pool::Green)
    );
    at.give(provision("app:v4")).unwrap();
    assert_eq!(
        at.release.blue_pool(),
        Pool::Green,
        "from idle no roles swap"
    );
    let at = at.all([start(1), Command::PromoteGreen, provision("app:v5")]);
    assert_eq!(at.release.blue_pool(), Pool::Blue);
}

#[test]
fn a_release_is_refused_while_another_is_under_way() {
    for mut at in [bench().all([provision("app:v2")]), canary()] {
        let refusal = at.refusal(provision("app:v3"));
        assert!(
            refusal.starts_with("Cannot provision green from state "),
            "{refusal}"
        );
    }
}

#[test]
fn the_named_functions_do_what_the_commands_do() {
    let admin = actor("Admin");
    let context = Context {
        actor: &admin,
        kill_switch: false,
        new_release_id: "r1",
    };
    let mut release = Release::default();
    release
        .provision_green("app:v2", &context, Timestamp(1))
        .unwrap();
    release.start_canary(10, &context, Timestamp(2)).unwrap();
    release.increase_weight(25, &context, Timestamp(3)).unwrap();
    assert_eq!(
        release
            .increase_weight(20, &context, Timestamp(4))
            .unwrap_err()
            .to_string(),
        "New weight 20% must be greater than current 25%"
    );
    release.promote_green(&context, Timestamp(5)).unwrap();
    assert_eq!(release.phase(), Phase::GreenLive);
    release
        .rollback_to_blue("x", &context, Timestamp(6))
        .unwrap();
    assert_eq!(release.phase(), Phase::Idle);
}
