//! The step hook: a command of the user's for each change and region.

use std::time::{Duration, Instant};

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Store, text};

use crate::release;

const NOTE: &str = "echo $HALCYON_ACTION $HALCYON_REGION $HALCYON_WEIGHT $HALCYON_IMAGE $HALCYON_RELEASE_ID >> hooked";

fn hooked(store: &Store) -> Vec<String> {
    let text = std::fs::read_to_string(store.dir().join("hooked")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_the_shell_cannot_parse_is_refused_before_anything_is_on_record() {
    let (store, region) = (Store::new(), Region::ready());
    for (hook, says) in [
        ("notify.sh (prod)", "Syntax error"),
        ("if true; then echo", "Syntax error"),
        ("  ", "is no command"),
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let more = [&["--on-step", hook], more].concat();
            let ran = store.run(&release(&[&region], "100", &more)).exits(2);
            ran.says("--on-step: ")
                .says(says)
                .says("allowed: a command of /bin/sh, or an http(s) address");
        }
        let rollback = ["rollback", "--reason", "x", "--on-step", hook];
        store.run(&rollback).exits(2).says("--on-step: ").says(says);
    }
    assert!(!store.log().exists());
    // It is parsed and not run.
    let hook = "echo ran >> ran";
    let dry = release(&[&region], "100", &["--on-step", hook, "--dry-run"]);
    store.run(&dry).exits(0);
    assert!(!store.dir().join("ran").exists());
}

#[test]
fn a_rollback_whose_hook_cannot_do_it_any_more_is_brought_to_its_end_with_another_one() {
    let (store, region) = (Store::new(), Region::ready());
    let gone = [
        "--on-step",
        "./gone.sh",
        "--abort-on-err",
        "--timeout-s",
        "0",
    ];
    store
        .run(&release(&[&region], "100", &gone))
        .exits(7)
        .says("its --on-step does it with another hook");
    store
        .run(&["rollback", "--reason", "again"])
        .exits(7)
        .says("`--on-step CMD` does it with another one");
    let other = ["rollback", "--reason", "by hand", "--on-step", NOTE];
    store.run(&other).exits(0);
    assert_eq!(hooked(&store).len(), 1);
    assert!(hooked(&store)[0].starts_with(&format!("rollback_to_blue {} 0 ", region.at())));
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
    store.run(&["audit", "verify"]).exits(0);
}

#[test]
fn a_hook_learns_action_region_weight_image_and_release() {
    let (store, east, west) = (Store::new(), Region::ready(), Region::ready());
    store
        .run(&release(
            &[&east, &west],
            "10,100",
            &["--timeout-s", "0", "--on-step", NOTE],
        ))
        .exits(0);
    let id = text(&store.records()[0], "release_id");
    let seen = hooked(&store);
    let steps = [
        ("provision_green", 0),
        ("start_canary", 10),
        ("increase_weight", 100),
        ("promote_green", 100),
    ];
    assert_eq!(seen.len(), 8, "each change once in each region: {seen:?}");
    for (pair, (action, weight)) in seen.chunks(2).zip(steps) {
        let mut expected =
            [&east, &west].map(|region| format!("{action} {} {weight} app:2 {id}", region.at()));
        let mut pair = pair.to_vec();
        pair.sort();
        expected.sort();
        assert_eq!(pair, expected);
    }
    let confirmed = store
        .records()
        .into_iter()
        .filter(|record| record["action"] == "region_confirmed");
    assert_eq!(confirmed.count(), 8);
    store.run(&["rollback", "--reason", "back"]).exits(0);
    let back: Vec<_> = hooked(&store).split_off(8);
    assert_eq!(back.len(), 2);
    assert!(
        back.iter()
            .all(|line| line.starts_with("rollback_to_blue") && line.contains(" 0 app:1 ")),
        "{back:?}"
    );
}

#[test]
fn a_failing_hook_fails_the_step_in_its_region() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = format!("{NOTE}; if [ $HALCYON_WEIGHT = 50 ]; then echo no quota >&2; exit 9; fi");
    let arguments = release(
        &[&region],
        "10,50,100",
        &["--abort-on-err", "--timeout-s", "0", "--on-step", &hook],
    );
    let ran = store
        .run(&arguments)
        .exits(3)
        .says("exit code 9")
        .says("no quota");
    assert!(ran.stderr.contains(&region.at()), "{}", ran.stderr);
    let last = hooked(&store).pop().unwrap();
    assert!(last.starts_with("rollback_to_blue"), "{last}");
    assert!(text(&store.records().pop().unwrap(), "state") == "idle");
}

#[test]
fn without_abort_on_err_a_failing_hook_is_a_warning_and_is_recorded() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = "[ $HALCYON_WEIGHT != 50 ]";
    store
        .run(&release(
            &[&region],
            "10,50,100",
            &["--timeout-s", "0", "--on-step", hook],
        ))
        .exits(0)
        .says("warning");
    let failed: Vec<_> = store
        .records()
        .into_iter()
        .filter(|record| record["action"] == "step_failed")
        .collect();
    assert_eq!(
        (
            failed.len(),
            &failed[0]["weight"],
            text(&failed[0], "check")
        ),
        (1, &50.into(), "hook".into())
    );
}

#[test]
fn a_rollback_whose_hook_keeps_failing_needs_a_person_and_a_later_one_completes_it() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = format!("{NOTE}; [ $HALCYON_ACTION != rollback_to_blue ] || [ -e mended ]");
    let arguments = release(
        &[&region],
        "10,100",
        &["--abort-on-err", "--timeout-s", "30", "--on-step", &hook],
    );
    let driver = store.start(&arguments);
    store.wait_until("a confirmed canary", |records| {
        records
            .iter()
            .filter(|it| it["action"] == "region_confirmed")
            .count()
            == 2
    });
    region.answer(Answer::Close);
    driver
        .ended_within(Duration::from_secs(20))
        .exits(7)
        .says("rollback incomplete")
        .says(&region.at());
    assert_eq!(
        text(&store.records().pop().unwrap(), "state"),
        "rollback_in_progress"
    );
    let tries = hooked(&store)
        .iter()
        .filter(|line| line.starts_with("rollback_to_blue"))
        .count();
    assert_eq!(tries, 3);
    let status = store.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&status["under_way"], &status["traffic_split"]["green"]),
        (&true.into(), &0.into())
    );
    store.run(&["rollback", "--reason", "again"]).exits(7);
    store.run(&arguments).exits(5);
    std::fs::write(store.dir().join("mended"), "").unwrap();
    store.run(&["rollback", "--reason", "mended"]).exits(0);
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
    store.run(&["release", "--resume"]).exits(3);
    store.run(&["audit", "verify"]).exits(0);
}

#[test]
fn a_region_that_answers_no_probe_does_not_delay_a_rollback() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(
        &[&region],
        "10,100",
        &["--timeout-s", "30", "--on-step", NOTE],
    ));
    store.wait_until("a canary", |records| {
        records
            .iter()
            .filter(|it| it["action"] == "region_confirmed")
            .count()
            == 2
    });
    region.answer(Answer::Silent);
    let begin = Instant::now();
    store.run(&["rollback", "--reason", "gone"]).exits(0);
    driver.ended_within(Duration::from_secs(3)).exits(3);
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        hooked(&store)
            .pop()
            .unwrap()
            .starts_with("rollback_to_blue")
    );
}

#[test]
fn a_hook_that_hangs_is_ended_with_its_children_when_somebody_rolls_back() {
    let (store, region) = (Store::new(), Region::ready());
    // The child ignores the polite signal; the group gets the other one.
    let hook = format!(
        "{NOTE}; [ $HALCYON_ACTION != start_canary ] || {{ trap '' TERM; sh -c 'echo $$ > child; trap \"\" TERM; while :; do sleep 1; done'; }}"
    );
    let driver = store.start(&release(
        &[&region],
        "10,100",
        &["--timeout-s", "30", "--on-step", &hook],
    ));
    let child = store.dir().join("child");
    store.wait_for("start_canary");
    let begin = Instant::now();
    while std::fs::read_to_string(&child)
        .unwrap_or_default()
        .is_empty()
    {
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "the hook never started"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let begin = Instant::now();
    store.run(&["rollback", "--reason", "hangs"]).exits(0);
    driver.ended_within(Duration::from_secs(5)).exits(3);
    assert!(
        begin.elapsed() < Duration::from_secs(6),
        "{:?}",
        begin.elapsed()
    );
    let pid = std::fs::read_to_string(&child).unwrap();
    let alive = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .trim_start()
            .starts_with('Z')
    });
    assert!(!alive, "{pid} outlived its hook");
    assert!(
        hooked(&store)
            .pop()
            .unwrap()
            .starts_with("rollback_to_blue")
    );
}

#[test]
fn a_hook_left_over_by_a_killed_driver_does_not_get_the_last_word() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = format!("[ $HALCYON_ACTION != start_canary ] || sleep 1; {NOTE}");
    let driver = store.start(&release(
        &[&region],
        "10,100",
        &["--timeout-s", "30", "--on-step", &hook],
    ));
    store.wait_for("start_canary");
    std::thread::sleep(Duration::from_millis(200));
    drop(driver);
    store
        .run(&["rollback", "--reason", "dead"])
        .exits(0)
        .says("earlier driver");
    let seen = hooked(&store);
    assert!(
        seen[1].starts_with("start_canary") && seen[2].starts_with("rollback_to_blue"),
        "{seen:?}"
    );
}

#[test]
fn a_hook_that_leaves_something_in_the_background_or_says_much_ends_all_the_same() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = "yes | head -c 5000000; yes | head -c 5000000 >&2; sleep 8 & exit 0";
    let begin = Instant::now();
    let arguments = release(&[&region], "100", &["--timeout-s", "0", "--on-step", hook]);
    let ran = store.run(&arguments).exits(0);
    assert_eq!(
        ran.stdout.as_bytes(),
        store.bytes(),
        "a hook's output is no data"
    );
    assert!(
        begin.elapsed() < Duration::from_secs(6),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_promotion_by_hand_runs_the_hooks_even_when_nobody_drives() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(
        &[&region],
        "10,100",
        &["--timeout-s", "30", "--on-step", NOTE],
    ));
    store.wait_until("a canary", |records| {
        records
            .iter()
            .filter(|it| it["action"] == "region_confirmed")
            .count()
            == 2
    });
    drop(driver);
    store.run(&["promote"]).exits(0);
    assert!(
        hooked(&store).pop().unwrap().starts_with("promote_green"),
        "{:?}",
        hooked(&store)
    );
    assert_eq!(store.records().pop().unwrap()["action"], "region_confirmed");
}
