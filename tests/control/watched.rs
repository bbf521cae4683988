//! What somebody elsewhere sees of a release that a control plane, or somebody beside it, drives.

use std::time::Duration;

use halcyon_tests::process::Signal;
use halcyon_tests::region::Answer;
use serde_json::json;

use crate::client::Control;
use crate::command_line::{Elsewhere, release};

#[test]
fn a_freeze_is_part_of_the_status_and_nobody_is_told_to_go_round_it() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let wish = json!({"image_blue": "app:v1", "image_green": "app:v2", "canary_seq": [10], "timeout_s": 3600, "regions": ["us-east"]});
    control
        .ask("Admin", "POST /api/v1/releases", Some(&wish.to_string()))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    let why = json!({"reason": "black friday"}).to_string();
    control
        .ask("Admin", "PUT /api/v1/freeze", Some(&why))
        .is(200);
    control.until("nobody drives", |state| state["release"]["driver"] == false);
    let status = elsewhere.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains("frozen    by Admin: black friday"),
        "{status}"
    );
    assert!(
        status.contains("driver    none  (it is a server's to drive)"),
        "{status}"
    );
    assert!(!status.contains("--resume"), "{status}");
}

#[test]
fn where_nobody_may_begin_a_release_nobody_is_told_to_steer_one() {
    let control = Control::with(&[("FEATURE_BLUE_GREEN", "false")]);
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let begin = release(&["--canary-seq", "10", "--region", "us-east"]);
    let ran = elsewhere.run(&begin).exits(5);
    assert!(!ran.stderr.contains("attaches to it"), "{}", ran.stderr);
}

#[test]
fn which_regions_a_release_is_not_told_of_is_said() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let begin = |regions: &[&'static str]| {
        let named = regions.iter().flat_map(|region| ["--region", region]);
        let more = ["--canary-seq", "10", "--timeout-s", "0"].into_iter();
        release(&more.chain(named).collect::<Vec<_>>())
    };
    let others = "green gets its share in us-west, eu-west too, and nobody probes it there";
    elsewhere.run(&begin(&["us-east"])).exits(0).says(others);
    let all = elsewhere
        .run(&begin(&["us-east", "us-west", "eu-west"]))
        .exits(0);
    assert!(!all.stderr.contains("green gets"), "{}", all.stderr);
    // Beside its journal the variables say which there are.
    let here = begin(&["us-east"]);
    let ran = control.store.run_with(&here, &control.variables());
    ran.exits(0).says(others);
}

#[test]
fn what_a_plan_tolerates_is_a_warning_wherever_it_is_watched_from() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    control.regions[0].answer(Answer::Close);
    let tolerant = [
        "--image-blue",
        "app:v1",
        "--image-green",
        "app:v2",
        "--canary-seq",
        "10",
    ];
    let more = ["--timeout-s", "0", "--region", "us-east"];
    let ran = elsewhere.run(&[&["release"], &tolerant[..], &more].concat());
    let ran = ran.exits(0);
    for part in [
        "warning: smoke test before 10% failed in us-east",
        "warning: step 10% failed in us-east",
        "going on, because --abort-on-err is not set",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn a_release_that_somebody_has_ended_is_not_taken_for_the_next_one() {
    let control = Control::start();
    let one = [
        "--image-blue",
        "app:v1",
        "--image-green",
        "app:v2",
        "--canary-seq",
        "10",
    ];
    let more = ["--timeout-s", "60", "--region", "us-east", "--abort-on-err"];
    let here = [&["release"], &one[..], &more].concat();
    let driving = control.store.start_with(&here, &control.variables());
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    // It sees neither of the two before both are on record.
    driving.signal(Signal::STOP);
    let reason = json!({"reason": "another one"}).to_string();
    control
        .ask("Admin", "POST /api/v1/release/rollback", Some(&reason))
        .is(200);
    let next = json!({"image_green": "app:v3", "canary_seq": [20], "timeout_s": 0, "abort_on_err": true, "regions": ["us-east"]});
    let begun = control.ask("Admin", "POST /api/v1/releases", Some(&next.to_string()));
    begun.is(202);
    driving.signal(Signal::CONT);
    let ran = driving.ended().exits(3);
    assert!(ran.stderr.contains("another one"), "{}", ran.stderr);
    // The next one is driven by whoever began it.
    control.until("the end", |state| state["release"]["state"] == "green_live");
    let records = control.records();
    let id = &records[records.len() - 1]["release_id"];
    let of_it = records.iter().filter(|record| record["release_id"] == *id);
    assert!(of_it.clone().count() > 3);
    for record in of_it {
        assert_eq!(record["user"], "Admin", "{record}");
    }
}

#[test]
fn whoever_takes_a_release_back_or_attaches_to_it_does_not_wait_for_the_next_one() {
    // So that somebody sees it under way.
    let hook = "[ $HALCYON_ACTION != rollback_to_blue ] || sleep 2";
    let control = Control::with(&[("STEP_HOOK", hook)]);
    let begin = |green: &str| {
        let wish = json!({
            "image_blue": "app:v1", "image_green": green, "canary_seq": [10], "timeout_s": 90,
            "regions": ["us-east"], "abort_on_err": true,
        });
        let begun = control.ask("Admin", "POST /api/v1/releases", Some(&wish.to_string()));
        begun.is(202);
        control.until("the canary", |state| {
            state["release"]["canary_weight"] == 10 && state["release"]["green_image"] == green
        });
    };
    begin("app:v2");
    let deployer = Elsewhere::of(&control, "Deployer");
    let attached = deployer.start(&["release", "--resume"]);
    let back = deployer.start(&["rollback", "--reason", "x"]);
    control.until("the rollback", |state| {
        state["release"]["state"] == "rollback_in_progress"
    });
    // They see neither the end nor the next one before both are on record.
    std::thread::sleep(Duration::from_millis(300));
    attached.signal(Signal::STOP);
    back.signal(Signal::STOP);
    control.until("the end", |state| state["release"]["state"] == "idle");
    begin("app:v3");
    attached.signal(Signal::CONT);
    back.signal(Signal::CONT);
    back.ended().exits(0);
    attached.ended().exits(3).says("rolled back");
    assert_eq!(control.state()["release"]["state"], "canary");
}

#[test]
fn what_a_server_is_asked_does_not_depend_on_where_a_journal_would_be() {
    let control = Control::start();
    let mut deployer = Elsewhere::of(&control, "Deployer");
    let etcd = ("HALCYON_STORE".to_owned(), "etcd://e:2379".to_owned());
    deployer.variables.push(etcd);
    deployer.run(&["status"]).exits(0);
    // It gets as far as the server, which knows no such region.
    let begin = release(&["--canary-seq", "10", "--region", "nowhere"]);
    let ran = deployer.run(&begin).exits(2).says("nowhere");
    assert!(!ran.stderr.contains("HALCYON_STORE"), "{}", ran.stderr);
    // Whoever names a journal means that one.
    let here = ["status", "--store", "etcd://e:2379"];
    deployer.run(&here).exits(2).says("HALCYON_STORE");
}
