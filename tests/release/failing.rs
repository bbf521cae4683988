//! Regions that are not well.

use std::thread;
use std::time::Duration;

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Store, text};

use crate::{TAKEN_BACK, WHOLE, baking, release};

#[test]
fn a_region_that_turns_unready_in_a_step_rolls_back_with_abort_on_err() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &["--abort-on-err"]);
    region.answer(Answer::NotReady("database"));
    let ran = driver
        .ended_within(Duration::from_secs(5))
        .exits(3)
        .says(&region.at())
        .says("database");
    assert_eq!(store.actions(), TAKEN_BACK);
    let rollback = &store.records()[2];
    assert!(
        text(rollback, "reason").contains("step 10% failed"),
        "{rollback}"
    );
    assert_eq!(rollback["old_weight"], 10);
    assert_eq!(ran.stdout.as_bytes(), store.bytes());
}

#[test]
fn without_abort_on_err_a_failed_step_is_a_warning_and_is_recorded() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(&[&region], "10,100", &["--timeout-s", "1"]));
    store.wait_for("start_canary");
    region.answer(Answer::NotReady("database"));
    let ran = driver
        .ended_within(Duration::from_secs(20))
        .exits(0)
        .says("warning");
    let failed: Vec<_> = store
        .records()
        .into_iter()
        .filter(|record| record["action"] == "step_failed")
        .collect();
    let checks: Vec<_> = failed.iter().map(|record| text(record, "check")).collect();
    assert_eq!(checks, ["bake", "smoke", "bake"], "{}", ran.stderr);
    assert_eq!(failed[0]["failures"][0]["region"], region.at());
    let promoted = store.records().pop().unwrap();
    assert_eq!(
        promoted.get("skipped"),
        None,
        "a failed step is on record as failed, not as skipped"
    );
}

#[test]
fn a_region_that_is_never_ready_keeps_the_canary_from_starting() {
    let (store, region) = (
        Store::new(),
        Region::answering(Answer::NotReady("starting")),
    );
    store
        .run(&release(&[&region], "10,100", &["--abort-on-err"]))
        .exits(3)
        .says("smoke test before 10%");
    assert_eq!(
        store.actions(),
        ["provision_green", "rollback_to_blue", "rollback_complete"]
    );
    assert_eq!(region.asked().len(), 3, "the smoke test tries three times");
}

#[test]
fn a_region_that_is_ready_at_the_third_try_passes_the_smoke_test() {
    let (store, region) = (Store::new(), Region::answering(Answer::Close));
    let driver = store.start_with(
        &release(&[&region], "100", &["--abort-on-err", "--timeout-s", "0"]),
        &[("PROBE_INTERVAL_MS", "400")],
    );
    while region.asked().len() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    region.answer(Answer::Ready);
    driver.ended().exits(0);
}

#[test]
fn two_failures_in_a_row_are_not_yet_a_failed_step() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start_with(
        &release(&[&region], "100", &["--abort-on-err", "--timeout-s", "2"]),
        &[("PROBE_INTERVAL_MS", "300")],
    );
    store.wait_for("start_canary");
    let asked = region.asked().len();
    region.answer(Answer::Close);
    while region.asked().len() < asked + 2 {
        thread::sleep(Duration::from_millis(2));
    }
    region.answer(Answer::Ready);
    driver.ended().exits(0);
    assert!(store.actions().contains(&"step_passed".to_owned()));
}

#[test]
fn whatever_else_a_region_answers_is_not_ready() {
    let elsewhere = Region::ready();
    let other = format!("http://{}/ready", elsewhere.at());
    let deep: &'static str = "[".repeat(60_000).leak();
    let endless: &'static str = "x".repeat(3_000_000).leak();
    let answers = [
        (Answer::Late(Duration::from_secs(3)), "500 ms"),
        (Answer::Silent, "500 ms"),
        (Answer::Trickle, "500 ms"),
        (Answer::Redirect(other), "302"),
        (
            Answer::Redirect("http://169.254.169.254/".to_owned()),
            "302",
        ),
        (Answer::Body("<!doctype html><p>ready"), "not JSON"),
        (Answer::Body(deep), "not JSON"),
        (Answer::Body(endless), ""),
        (Answer::Body(r#"{"status":"UP"}"#), "UP"),
        (Answer::Body(r#"["ready"]"#), "no JSON object"),
        (Answer::Body(""), "empty"),
        (Answer::Close, ""),
    ];
    thread::scope(|scope| {
        for (answer, why) in answers {
            scope.spawn(move || {
                let (store, region) = (Store::new(), Region::answering(answer.clone()));
                let ran = store
                    .run(&release(&[&region], "100", &["--abort-on-err"]))
                    .exits(3);
                assert!(ran.stderr.contains(why), "{answer:?}: {}", &ran.stderr);
                assert!(ran.stderr.len() < 4000, "{}", ran.stderr.len());
            });
        }
    });
    assert_eq!(elsewhere.asked().len(), 0, "redirects are not followed");
}

#[test]
fn a_region_that_is_nowhere_is_refused_by_name() {
    let store = Store::new();
    let gone = Region::ready().at();
    let arguments = [
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "100",
    ];
    let ran = store
        .run(&[&arguments[..], &["--abort-on-err", "--region", &gone]].concat())
        .exits(3);
    assert!(ran.stderr.contains(&gone), "{}", ran.stderr);
    store
        .run(
            &[
                &arguments[..],
                &["--abort-on-err", "--region", "no-such-host.invalid"],
            ]
            .concat(),
        )
        .exits(3);
}

#[test]
fn one_sick_region_of_three_fails_the_step_and_is_named_alone() {
    let store = Store::new();
    let (one, two, three) = (Region::ready(), Region::ready(), Region::ready());
    let driver = store.start(&release(
        &[&one, &two, &three],
        "10,100",
        &["--abort-on-err", "--timeout-s", "30"],
    ));
    store.wait_for("start_canary");
    two.answer(Answer::NotReady("disk"));
    let ran = driver.ended().exits(3).says(&two.at());
    let reason = text(&store.records()[2], "reason");
    assert!(
        !reason.contains(&one.at()) && !reason.contains(&three.at()),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_release_after_one_that_rolled_back_goes_as_if_it_were_the_first() {
    let (store, region) = (Store::new(), Region::answering(Answer::Close));
    let arguments = release(
        &[&region],
        "10,50,100",
        &["--abort-on-err", "--timeout-s", "0"],
    );
    store.run(&arguments).exits(3);
    region.answer(Answer::Ready);
    store.run(&arguments).exits(0);
    assert_eq!(store.actions()[3..], WHOLE);
}
