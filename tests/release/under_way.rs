//! One release at a time.

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

use crate::{WHOLE, baking, release};

#[test]
fn a_second_release_is_refused_and_told_how_to_go_on() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &[]);
    for dead in [false, true] {
        if dead {
            driver.signal(rustix::process::Signal::KILL);
        }
        let before = store.bytes();
        let ran = store
            .run(&release(&[&region], "100", &[]))
            .exits(5)
            .says("canary");
        assert!(
            ran.stderr.contains("--resume") && ran.stderr.contains("rollback"),
            "{}",
            ran.stderr
        );
        store
            .run(&release(&[&region], "100", &["--dry-run"]))
            .exits(5)
            .says("--resume");
        assert_eq!(store.bytes(), before);
    }
}

#[test]
fn a_second_driver_is_refused_while_one_drives() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &[]);
    let before = store.bytes();
    let pid = driver.pid().as_raw_nonzero();
    store
        .run(&["release", "--resume"])
        .exits(5)
        .says(&format!("process {pid} drives this release already"));
    assert_eq!(store.bytes(), before);
    store.run(&["rollback", "--reason", "done"]).exits(0);
    driver.ended().exits(3);
}

#[test]
fn of_two_releases_started_at_once_one_wins() {
    for _ in 0..5 {
        let (store, region) = (Store::new(), Region::ready());
        let arguments = release(&[&region], "10,50,100", &["--timeout-s", "1"]);
        let racing: Vec<_> = (0..4).map(|_| store.start(&arguments)).collect();
        let ran: Vec<_> = racing.into_iter().map(|running| running.ended()).collect();
        let mut codes: Vec<_> = ran.iter().map(|ran| ran.code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 5, 5, 5]);
        assert_eq!(store.actions(), WHOLE);
        for lost in ran.iter().filter(|ran| ran.code == 5) {
            assert_eq!(lost.stdout, "");
        }
        store.run(&["audit", "verify"]).exits(0);
    }
}
