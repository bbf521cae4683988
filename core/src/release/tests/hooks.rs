//! Plans with a step hook: every region makes every change, and says so.

use super::*;

/// Confirms a change in both regions.
fn confirmed(change: Action) -> [Command; 2] {
    ["us-east", "us-west"].map(|region| confirm(region, change))
}

fn provisioned(plan: Plan) -> Bench {
    bench().all([provision_with(plan)])
}

fn at_10(plan: Plan) -> Bench {
    provisioned(plan)
        .all(confirmed(Action::ProvisionGreen))
        .all([start(10)])
}

/// The regions that still have to make the change in force.
fn open(bench: &Bench) -> Vec<&str> {
    bench
        .release
        .unconfirmed()
        .map(|region| region.name.as_str())
        .collect()
}

#[test]
fn nothing_advances_until_every_region_has_confirmed() {
    let mut at = provisioned(with_hook(&[10, 50]));
    assert_eq!(open(&at), ["us-east", "us-west"]);
    assert_eq!(
        at.refusal(start(10)),
        "Cannot start canary: region \"us-east\" has not confirmed provision_green"
    );
    at.give(confirm("us-east", Action::ProvisionGreen)).unwrap();
    assert_eq!(
        at.refusal(start(10)),
        "Cannot start canary: region \"us-west\" has not confirmed provision_green"
    );
    at.give(confirm("us-west", Action::ProvisionGreen)).unwrap();
    assert!(open(&at).is_empty());

    at.give(start(10)).unwrap();
    assert_eq!(
        open(&at),
        ["us-east", "us-west"],
        "each change has to be made anew"
    );
    assert_eq!(
        at.refusal(pass(10)),
        "Cannot pass the step: region \"us-east\" has not confirmed start_canary"
    );
    let mut at = at
        .all(confirmed(Action::StartCanary))
        .all([pass(10), increase(50)]);
    assert_eq!(
        at.refusal(pass(50)),
        "Cannot pass the step: region \"us-east\" has not confirmed increase_weight"
    );
    assert_eq!(
        at.refusal(Command::FinishPlan),
        "Cannot promote green: region \"us-east\" has not confirmed increase_weight"
    );
    let at = at
        .all(confirmed(Action::IncreaseWeight))
        .all([pass(50), Command::FinishPlan]);
    assert_eq!((at.release.phase(), open(&at).len()), (Phase::GreenLive, 2));
    let at = at.all(confirmed(Action::PromoteGreen));
    assert_eq!(at.release.next_step(), Step::Rest);
}

#[test]
fn confirming_twice_gives_no_event() {
    let mut at = provisioned(with_hook(&[10]));
    let first = at.give(confirm("us-west", Action::ProvisionGreen)).unwrap();
    assert_eq!(
        first,
        [Event::RegionConfirmed {
            region: "us-west".into(),
            change: Action::ProvisionGreen
        }]
    );
    assert_eq!(
        at.give(confirm("us-west", Action::ProvisionGreen)).unwrap(),
        []
    );
    assert_eq!(open(&at), ["us-east"]);
}

#[test]
fn a_stale_confirmation_of_an_earlier_change_is_refused() {
    let mut at = at_10(with_hook(&[10, 50]));
    assert_eq!(
        at.refusal(confirm("us-east", Action::ProvisionGreen)),
        "Cannot confirm a region: provision_green is not the change in force; that is start_canary"
    );
    at.give(rollback("sick")).unwrap();
    assert_eq!(
        at.refusal(confirm("us-east", Action::StartCanary)),
        "Cannot confirm a region: start_canary is not the change in force; that is rollback_to_blue"
    );
}

#[test]
fn only_a_region_of_the_plan_confirms() {
    let mut at = provisioned(with_hook(&[10]));
    let refusal = at.refusal(confirm("mars\u{202e}", Action::ProvisionGreen));
    assert_eq!(
        refusal,
        r#"Cannot confirm a region: region "mars\u{202e}" is not in the plan"#
    );
}

#[test]
fn a_step_bakes_from_its_last_confirmation() {
    let mut at = at_10(with_hook(&[10]));
    at.wait(40_000);
    at.give(confirm("us-east", Action::StartCanary)).unwrap();
    at.wait(2_000);
    at.give(confirm("us-west", Action::StartCanary)).unwrap();
    assert_eq!(
        at.release.next_step(),
        Step::Bake {
            weight: weight(10),
            until: at.now.plus(60_000)
        }
    );
}

#[test]
fn a_change_names_the_action_the_weight_the_image_and_the_regions_left() {
    let mut at = at_10(with_hook(&[10])).all([confirm("us-east", Action::StartCanary)]);
    let Step::Apply(apply) = at.release.next_step() else {
        panic!()
    };
    assert_eq!(
        (apply.action, apply.weight, apply.image, apply.on_step),
        (Action::StartCanary, weight(10), "app:v2", "./shift")
    );
    assert_eq!(
        apply
            .regions
            .iter()
            .map(|region| region.name.as_str())
            .collect::<Vec<_>>(),
        ["us-west"]
    );
    at.give(rollback("sick")).unwrap();
    let Step::Apply(apply) = at.release.next_step() else {
        panic!()
    };
    assert_eq!(
        (apply.action, apply.weight, apply.image),
        (Action::RollbackToBlue, Weight::ZERO, "app:v1")
    );
    assert_eq!(apply.regions.len(), 2);
}

#[test]
fn a_rollback_from_green_live_applies_the_former_blue_image() {
    let at = at_10(with_hook(&[10])).all([Command::PromoteGreen, rollback("sick")]);
    let Step::Apply(apply) = at.release.next_step() else {
        panic!()
    };
    assert_eq!(
        (apply.action, apply.image),
        (Action::RollbackToBlue, "app:v1")
    );
}

#[test]
fn a_rollback_is_complete_when_every_region_has_confirmed_it() {
    for mut at in [
        provisioned(with_hook(&[10])),
        at_10(with_hook(&[10])),
        at_10(with_hook(&[10])).all([Command::PromoteGreen]),
    ] {
        let events = at.give(rollback("sick")).unwrap();
        assert_eq!(events.len(), 1, "not complete yet");
        assert_eq!(
            (at.release.phase(), at.release.weight()),
            (Phase::RollbackInProgress, Weight::ZERO)
        );
        assert!(at.release.under_way());
        at.give(confirm("us-west", Action::RollbackToBlue)).unwrap();
        assert_eq!(
            at.refusal(Command::CompleteRollback),
            "Cannot complete the rollback: region \"us-east\" has not confirmed rollback_to_blue"
        );
        at.give(confirm("us-east", Action::RollbackToBlue)).unwrap();
        assert_eq!(at.release.next_step(), Step::CompleteRollback);
        at.give(Command::CompleteRollback).unwrap();
        assert_eq!(
            (
                at.release.phase(),
                at.release.green_image(),
                at.release.next_step()
            ),
            (Phase::Idle, None, Step::Rest)
        );
    }
}

#[test]
fn a_rollback_asked_for_again_keeps_what_the_regions_confirmed() {
    let at = at_10(with_hook(&[10])).all([
        rollback("sick"),
        confirm("us-east", Action::RollbackToBlue),
        rollback("still sick"),
    ]);
    assert_eq!(open(&at), ["us-west"]);
    assert_eq!(
        at.release.outcome(),
        Some(&Outcome::RolledBack("sick".into()))
    );
    let status = at.release.status();
    assert_eq!(
        (status.outcome, status.reason.as_deref(), status.ended_at),
        ("under_way", Some("sick"), None)
    );
}

#[test]
fn a_change_on_record_is_made_even_while_the_release_is_paused() {
    let at = at_10(with_hook(&[10])).all([pause("lunch")]);
    assert!(matches!(at.release.next_step(), Step::Apply(_)));
    let at = at.all(confirmed(Action::StartCanary));
    assert_eq!(at.release.next_step(), Step::Hold);
}

#[test]
fn a_tolerant_plan_goes_on_without_a_region_whose_hook_failed() {
    let mut at = provisioned(tolerant(with_hook(&[10])));
    at.give(fail(0, Check::Hook)).unwrap();
    assert_eq!(open(&at), ["us-west"]);
    let at = at.all([confirm("us-west", Action::ProvisionGreen), start(10)]);
    assert_eq!(
        open(&at),
        ["us-east", "us-west"],
        "the next change is tried again"
    );
}

#[test]
fn a_late_hook_failure_of_an_earlier_step_excuses_no_region_from_the_change_in_force() {
    let mut at = at_10(tolerant(with_hook(&[10, 50])))
        .all(confirmed(Action::StartCanary))
        .all([pass(10), increase(50)]);
    let refusal = at.refusal(fail(10, Check::Hook));
    assert_eq!(
        refusal,
        "Cannot fail the step: step 10% is not in force; that is 50%"
    );
    assert_eq!(open(&at), ["us-east", "us-west"]);
    at.give(fail(50, Check::Hook)).unwrap();
    assert_eq!(open(&at), ["us-west"]);
}

#[test]
fn a_hook_cannot_fail_where_no_region_has_a_change_to_make() {
    let mut done = at_10(tolerant(with_hook(&[10]))).all(confirmed(Action::StartCanary));
    assert_eq!(
        done.refusal(fail(10, Check::Hook)),
        "Cannot fail the step: no region has a change to make"
    );
    let mut hookless = bench().all([provision_with(tolerant(plan(&[10])))]);
    assert_eq!(
        hookless.refusal(fail(0, Check::Hook)),
        "Cannot fail the step: no region has a change to make"
    );
}
