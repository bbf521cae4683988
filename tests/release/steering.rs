//! A second terminal beside the driver.

use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Running, Store, text};
use serde_json::json;

use crate::{baking, release};

/// The contract says a second; a busy machine gets three.
const PROMPTLY: Duration = Duration::from_secs(3);

#[test]
fn rollback_from_a_second_terminal_is_obeyed_at_once() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &[]);
    let begin = Instant::now();
    store
        .run(&["rollback", "--reason", "smoke in the server room"])
        .exits(0);
    let ran = driver
        .ended_within(PROMPTLY)
        .exits(3)
        .says("smoke in the server room");
    assert!(begin.elapsed() < PROMPTLY);
    assert_eq!(
        ran.stdout.as_bytes(),
        store.bytes(),
        "the driver prints what others append too"
    );
    let rollback = &store.records()[2];
    assert_eq!(
        (text(rollback, "old_state"), text(rollback, "reason")),
        ("canary".into(), "smoke in the server room".into())
    );
}

#[test]
fn promote_from_a_second_terminal_is_obeyed_and_records_the_skipped_steps() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &["--abort-on-err"]);
    let ran = store.run(&["promote"]).exits(0);
    driver.ended_within(PROMPTLY).exits(0);
    let promoted = store.records().pop().unwrap();
    assert_eq!(promoted["skipped"], serde_json::json!([10, 50, 100]));
    assert_eq!(ran.stdout, format!("{}\n", store.lines().pop().unwrap()));
}

#[test]
fn pause_holds_and_resume_goes_on() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(&[&region], "10,100", &["--timeout-s", "1"]));
    store.wait_for("start_canary");
    store.run(&["pause", "--reason", "lunch"]).exits(0);
    thread::sleep(Duration::from_millis(1500));
    let asked = region.asked().len();
    assert_eq!(
        store.actions().pop().unwrap(),
        "pause",
        "the step's time has passed and nothing happened"
    );
    let status = store.run(&["status", "-o", "json"]).json();
    assert_eq!(
        (text(&status, "paused"), &status["canary_weight"]),
        ("lunch".into(), &10.into())
    );
    thread::sleep(Duration::from_millis(300));
    assert_eq!(region.asked().len(), asked, "nobody is probed meanwhile");
    let ran = store.run(&["pause"]).exits(0).says("paused already");
    assert_eq!(ran.stdout, "");
    store.run(&["resume"]).exits(0);
    driver.ended_within(Duration::from_secs(10)).exits(0);
    store.run(&["resume"]).exits(5);
    let passed = &store.records()[4];
    assert!(
        passed["baked_ms"].as_u64().unwrap() >= 1000,
        "the step bakes anew: {passed}"
    );
}

#[test]
fn a_paused_release_can_be_promoted_and_rolled_back() {
    for (command, code) in [(&["promote"][..], 0), (&["rollback", "--reason", "no"], 3)] {
        let (store, region) = (Store::new(), Region::ready());
        let driver = baking(&store, &region, &[]);
        store.run(&["pause"]).exits(0);
        store.run(command).exits(0);
        driver.ended_within(PROMPTLY).exits(code);
    }
}

#[test]
fn what_the_state_does_not_allow_is_refused_with_what_would_be() {
    let (store, region) = (Store::new(), Region::ready());
    for command in ["promote", "pause", "resume"] {
        let ran = store.run(&[command]).exits(5).says("idle");
        assert!(
            ran.stderr.contains("allowed: provision_green"),
            "{}",
            ran.stderr
        );
    }
    assert!(store.lines().is_empty());
    store
        .run(&release(&[&region], "100", &["--timeout-s", "0"]))
        .exits(0);
    for command in ["promote", "pause", "resume"] {
        store.run(&[command]).exits(5).says("green_live");
    }
    store.run(&["rollback", "--reason", "back"]).exits(0);
    store
        .run(&["rollback", "--reason", "again"])
        .exits(0)
        .says("nothing to roll back");
    assert_eq!(
        store.actions().pop().unwrap(),
        "rollback_to_blue",
        "accepted, recorded, changes nothing"
    );
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
    store.run(&["release", "--resume"]).exits(3);
}

fn killed(store: &Store, region: &Region, more: &[&str]) {
    let driver = baking(store, region, more);
    driver.signal(rustix::process::Signal::KILL);
    driver.ended().exits(128 + 9);
}

#[test]
fn every_command_works_after_the_driver_was_killed() {
    let region = Region::ready();
    let store = Store::new();
    killed(&store, &region, &[]);
    store.run(&["promote"]).exits(0);
    assert_eq!(store.actions().pop().unwrap(), "promote_green");

    let store = Store::new();
    killed(&store, &region, &["--abort-on-err"]);
    store.run(&["rollback", "--reason", "dead"]).exits(0);
    assert_eq!(store.actions().pop().unwrap(), "rollback_complete");

    let store = Store::new();
    killed(&store, &region, &[]);
    store.run(&["pause"]).exits(0);
    let resumed: Running = store.start(&["release", "--resume"]);
    store.wait_for("attach_driver");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(
        store.actions().pop().unwrap(),
        "attach_driver",
        "it holds, because it is paused"
    );
    store.run(&["resume"]).exits(0);
    store.run(&["promote"]).exits(0);
    resumed.ended_within(PROMPTLY).exits(0);
}

#[test]
fn resuming_a_release_nobody_drives_says_what_goes_on() {
    let (store, region) = (Store::new(), Region::ready());
    killed(&store, &region, &[]);
    store.run(&["pause"]).exits(0);
    store.run(&["resume"]).exits(0).says("release --resume");
}

#[test]
fn status_says_what_was_rolled_back_and_why_until_the_next_release() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &[]);
    let status = store.run(&["status"]).exits(0).stdout;
    assert!(!status.contains("outcome"), "{status}");
    store.run(&["rollback", "--reason", "too slow"]).exits(0);
    driver.ended().exits(3);
    let at = store.records().last().unwrap()["timestamp"].clone();
    let status = store.run(&["status"]).exits(0).stdout;
    let outcome = format!(
        "outcome   app:2 was rolled back at {}: too slow\n",
        at.as_str().unwrap()
    );
    assert!(status.contains(&outcome), "{status}");
    let status = store.run(&["status", "-o", "json"]).exits(0).json();
    for (member, is) in [
        ("outcome", json!("rolled_back")),
        ("reason", json!("too slow")),
        ("former_green", json!("app:2")),
        ("ended_at", at),
    ] {
        assert_eq!(status[member], is, "{member}: {status}");
    }
    let driver = baking(&store, &region, &[]);
    let status = store.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["outcome"], "under_way");
    assert_eq!(
        (&status["reason"], &status["former_green"]),
        (&json!(null), &json!(null))
    );
    store.run(&["promote"]).exits(0);
    driver.ended().exits(0);
}

#[test]
fn status_waits_until_the_state_is_reached() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &[]);
    let live = store.start(&[
        "status",
        "--until",
        "green_live",
        "--deadline",
        "20s",
        "-o",
        "json",
    ]);
    let idle = store.start(&["status", "--until", "idle", "--deadline", "20s"]);
    store
        .run(&["status", "--until", "green_live", "--deadline", "200ms"])
        .exits(124)
        .says("deadline");
    store.run(&["status", "--until", "canary"]).exits(0);
    let watching = store.start(&["status", "--watch", "-o", "jsonl", "--until", "green_live"]);
    thread::sleep(Duration::from_millis(300));
    store.run(&["promote"]).exits(0);
    driver.ended().exits(0);
    assert_eq!(
        live.ended_within(PROMPTLY).exits(0).json()["state"],
        "green_live"
    );
    idle.ended_within(PROMPTLY).exits(1);
    let states: Vec<_> = watching.ended_within(PROMPTLY).exits(0).json_lines();
    assert_eq!(states.first().unwrap()["state"], "canary");
    assert_eq!(states.last().unwrap()["state"], "green_live");
    let driver = baking(&store, &region, &[]);
    let live = store.start(&["status", "--until", "green_live"]);
    thread::sleep(Duration::from_millis(300));
    store.run(&["rollback", "--reason", "no"]).exits(0);
    driver.ended().exits(3);
    live.ended_within(PROMPTLY).exits(3);
}

#[test]
fn status_sees_every_state_however_soon_the_next_one_comes() {
    let (store, region) = (Store::new(), Region::ready());
    let waiting = ["canary", "green_provisioned"]
        .map(|state| store.start(&["status", "--until", state, "--deadline", "20s"]));
    let live = store.start(&["status", "--until", "green_live", "--deadline", "20s"]);
    thread::sleep(Duration::from_millis(300));
    let region_gone = Region::answering(Answer::NotReady("database"));
    store
        .run(&release(&[&region], "10", &["--timeout-s", "0"]))
        .exits(0);
    live.ended_within(PROMPTLY).exits(0);
    let live = store.start(&["status", "--until", "canary", "--deadline", "20s"]);
    let back = [
        "status",
        "--until",
        "rollback_in_progress",
        "--deadline",
        "20s",
    ];
    let back = store.start(&back);
    thread::sleep(Duration::from_millis(300));
    store
        .run(&release(
            &[&region_gone],
            "10",
            &["--timeout-s", "0", "--abort-on-err"],
        ))
        .exits(3);
    // It never came that far, and has ended.
    live.ended_within(PROMPTLY).exits(3);
    back.ended_within(PROMPTLY).exits(0);
    for waiting in waiting {
        waiting.ended_within(PROMPTLY).exits(0);
    }
}
