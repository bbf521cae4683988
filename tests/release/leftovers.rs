//! What a hook, or a driver that is gone, leaves behind.

use std::time::Duration;

use halcyon_tests::process::Signal;
use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

use crate::release;

fn noted(store: &Store) -> String {
    std::fs::read_to_string(store.dir().join("noted")).unwrap_or_default()
}

#[test]
fn nothing_of_a_hook_takes_effect_after_the_rollback_that_ended_it() {
    let (store, region) = (Store::new(), Region::ready());
    // What the shell leaves in the background does not heed SIGTERM, and would write late.
    let hook = r#"if [ $HALCYON_ACTION = start_canary ]; then
        (trap "" TERM; echo begun >> noted; sleep 5; echo late >> noted) & wait
    fi; echo $HALCYON_ACTION >> noted"#;
    let driver = store.start(&release(
        &[&region],
        "10,50",
        &["--abort-on-err", "--on-step", hook],
    ));
    store.wait_until("the hook is at work", |_| noted(&store).contains("begun"));
    store.run(&["rollback", "--reason", "now"]).exits(0);
    driver.ended_within(Duration::from_secs(10)).exits(3);
    std::thread::sleep(Duration::from_secs(5));
    assert!(
        noted(&store).ends_with("rollback_to_blue\n"),
        "{}",
        noted(&store)
    );
}

#[test]
fn what_a_hook_that_fails_has_left_in_the_background_makes_no_change_after_the_rollback() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = r#"if [ $HALCYON_ACTION = start_canary ]; then
        (trap "" TERM; sleep 3; echo late >> noted) & exit 7
    fi; echo $HALCYON_ACTION >> noted"#;
    let ran = store.run(&release(
        &[&region],
        "10,50",
        &["--abort-on-err", "--on-step", hook],
    ));
    ran.exits(3).says("exit code 7");
    std::thread::sleep(Duration::from_secs(4));
    let noted = noted(&store);
    assert!(noted.ends_with("rollback_to_blue\n"), "{noted}");
}

#[test]
fn ctrl_c_is_heard_while_a_hook_of_a_killed_driver_is_waited_for() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = "[ $HALCYON_ACTION != provision_green ] || sleep 4; echo $HALCYON_ACTION >> noted";
    let driver = store.start(&release(
        &[&region],
        "10,50",
        &["--abort-on-err", "--on-step", hook],
    ));
    store.wait_for("provision_green");
    std::thread::sleep(Duration::from_millis(300));
    driver.signal(Signal::KILL);
    driver.ended();
    let resumed = store.start(&["release", "--resume"]);
    store.wait_for("attach_driver");
    std::thread::sleep(Duration::from_millis(500));
    resumed.signal(Signal::INT);
    resumed
        .ended_within(Duration::from_secs(15))
        .exits(130)
        .says("waiting for it");
    let actions = store.actions();
    assert_eq!(actions.last().unwrap(), "rollback_complete", "{actions:?}");
    assert!(
        noted(&store).ends_with("rollback_to_blue\n"),
        "the orphan had no last word: {}",
        noted(&store)
    );
}

#[test]
fn ctrl_c_during_a_rollback_lets_it_finish_and_exits_130() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = "case $HALCYON_ACTION in start_canary) exit 1;; rollback_to_blue) sleep 2;; esac";
    let driver = store.start(&release(
        &[&region],
        "10,50",
        &["--abort-on-err", "--on-step", hook],
    ));
    store.wait_for("rollback_to_blue");
    std::thread::sleep(Duration::from_millis(300));
    driver.signal(Signal::INT);
    driver
        .ended_within(Duration::from_secs(10))
        .exits(130)
        .says("finishing the rollback");
    assert_eq!(store.actions().last().unwrap(), "rollback_complete");
}

#[test]
fn a_hook_runs_where_the_release_was_begun_whoever_goes_on() {
    let (store, region) = (Store::new(), Region::ready());
    // By its whole path: a hook that runs elsewhere must be seen to.
    let hook = format!("pwd -P >> {}", store.dir().join("noted").display());
    let driver = store.start(&release(
        &[&region],
        "10,50",
        &["--timeout-s", "30", "--on-step", &hook],
    ));
    store.wait_until("the canary's hook is done", |records| {
        let confirmed = records
            .iter()
            .filter(|record| record["action"] == "region_confirmed");
        confirmed.count() == 2
    });
    driver.signal(Signal::KILL);
    driver.ended();
    let before = noted(&store).lines().count();
    let mut elsewhere = store.command(&["rollback", "--reason", "back"], &[]);
    let store_dir = format!("file:{}", store.logs().display());
    elsewhere.current_dir("/").env("HALCYON_STORE", &store_dir);
    let ran = elsewhere.output().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(
        noted(&store).lines().count(),
        before + 1,
        "the rollback ran its hook"
    );
    let here = store.dir().canonicalize().unwrap();
    assert!(
        noted(&store)
            .lines()
            .all(|line| line == here.to_str().unwrap()),
        "{}",
        noted(&store)
    );
}

#[test]
fn a_new_release_waits_until_the_promotion_of_the_last_one_is_everywhere() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = "[ $HALCYON_ACTION != promote_green ] || until [ -e go ]; do sleep 0.05; done";
    let driver = store.start(&release(
        &[&region],
        "100",
        &["--timeout-s", "0", "--on-step", hook],
    ));
    store.wait_for("promote_green");
    std::thread::sleep(Duration::from_millis(300));
    driver.signal(Signal::KILL);
    driver.ended();
    let status = store.run(&["status"]).exits(0);
    assert!(status.stdout.contains("waiting   for"), "{}", status.stdout);
    assert!(
        status.stdout.contains("release --resume"),
        "{}",
        status.stdout
    );
    let next = [
        "release",
        "--image-green",
        "app:3",
        "--canary-seq",
        "100",
        "--timeout-s",
        "0",
        "--region",
    ];
    let next: Vec<String> = next
        .iter()
        .map(|text| (*text).to_owned())
        .chain([region.at()])
        .collect();
    let dry: Vec<String> = next.iter().cloned().chain(["--dry-run".into()]).collect();
    for arguments in [&next, &dry] {
        store
            .run(arguments)
            .exits(5)
            .says("has not reached")
            .says("release --resume");
    }
    std::fs::write(store.dir().join("go"), "").unwrap();
    store.run(&["release", "--resume"]).exits(0);
    store.run(&next).exits(0);
}
