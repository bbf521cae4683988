//! `release --resume`: everything from the journal.

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::Store;

use crate::{WHOLE, baking, release};

#[test]
fn resuming_with_nothing_under_way_reports_how_the_last_release_ended() {
    let (store, region) = (Store::new(), Region::ready());
    store
        .run(&["release", "--resume"])
        .exits(2)
        .says("never been a release");
    assert!(!store.logs().exists());
    let arguments = release(&[&region], "100", &["--abort-on-err", "--timeout-s", "0"]);
    store.run(&arguments).exits(0);
    let before = store.bytes();
    let ran = store.run(&["release", "--resume"]).exits(0);
    assert_eq!((ran.stdout.as_str(), store.bytes()), ("", before));
    region.answer(Answer::Close);
    store.run(&arguments).exits(3);
    let before = store.bytes();
    store
        .run(&["release", "--resume"])
        .exits(3)
        .says("rolled back");
    assert_eq!(store.bytes(), before);
    let answer = store
        .run(&["release", "--resume", "-o", "json"])
        .exits(3)
        .json();
    assert_eq!(answer["outcome"], "rolled_back");
}

#[test]
fn a_released_image_rolled_back_by_hand_is_reported_as_rolled_back() {
    let (store, region) = (Store::new(), Region::ready());
    store
        .run(&release(&[&region], "100", &["--timeout-s", "0"]))
        .exits(0);
    // In a pipe too it is said how the last one ended.
    let live = "app:2 is live: green has 100 %";
    store.run(&["release", "--resume"]).exits(0).says(live);
    let said = store.run(&["release", "--resume", "-o", "jsonl"]).exits(0);
    assert!(said.stdout.is_empty(), "{}", said.stdout);
    said.says(r#""outcome":"promoted""#);
    store.run(&["rollback", "--reason", "bad"]).exits(0);
    store.run(&["release", "--resume"]).exits(3).says("bad");
}

#[test]
fn the_flags_of_a_new_release_do_not_go_with_resume() {
    let (store, region) = (Store::new(), Region::ready());
    drop(baking(&store, &region, &[]));
    let before = store.bytes();
    for more in [
        &["--image-green", "app:3"][..],
        &["--image-blue", "app:3"],
        &["--canary-seq", "100"],
        &["--region", "x:1"],
        &["--abort-on-err"],
        &["--timeout-s", "0"],
        &["--health-port", "1"],
        &["--on-step", "true"],
        &["--dry-run"],
    ] {
        let ran = store
            .run(&[&["release", "--resume"], more].concat())
            .exits(2);
        assert!(ran.stderr.contains(more[0]), "{}", ran.stderr);
    }
    assert_eq!(store.bytes(), before);
}

#[test]
fn a_resumed_release_takes_plan_and_images_from_the_journal() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(&[&region], "10,50,100", &["--timeout-s", "1"]));
    store.wait_for("start_canary");
    drop(driver);
    let lines = store.lines().len();
    let ran = store.run(&["release", "--resume"]).exits(0);
    let actions: Vec<_> = store
        .actions()
        .into_iter()
        .filter(|action| action != "attach_driver")
        .collect();
    assert_eq!(actions, WHOLE);
    let own: Vec<_> = ran.stdout.lines().map(str::to_owned).collect();
    assert_eq!(own, store.lines()[lines..], "it prints what it adds");
    assert_eq!(store.actions()[2], "attach_driver");
    let passed = &store.records()[3];
    assert!(
        passed["baked_ms"].as_u64().unwrap() >= 1000,
        "the step bakes anew: {passed}"
    );
}

#[test]
fn a_release_without_a_driver_says_so_in_status() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &[]);
    let status = || store.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&status()["driver"], &status()["under_way"]),
        (&true.into(), &true.into())
    );
    drop(driver);
    assert_eq!(
        (&status()["driver"], &status()["under_way"]),
        (&false.into(), &true.into())
    );
    let ran = store.run(&["status"]).exits(0);
    assert!(ran.stdout.contains("--resume"), "{}", ran.stdout);
}
