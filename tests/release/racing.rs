//! Somebody else's record in the moment between a driver's decision and its append.
//!
//! The test holds the append lock, so the driver waits in its append; then it writes what another
//! process would have, and lets the lock go.

use std::fs::File;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;
use rustix::process::Signal;

use crate::{baking, release};

/// The lines that this command would append now.
fn beside(store: &Store, command: &[&str]) -> Vec<u8> {
    let copy = Store::new();
    std::fs::create_dir(copy.logs()).unwrap();
    std::fs::copy(store.log(), copy.log()).unwrap();
    copy.run(command).exits(0);
    copy.bytes()[store.bytes().len()..].to_vec()
}

fn append(store: &Store, lines: &[u8]) {
    let mut log = File::options().append(true).open(store.log()).unwrap();
    log.write_all(lines).unwrap();
}

#[test]
fn a_promotion_in_the_moment_of_ctrl_c_is_not_rolled_back() {
    for (more, signal) in [(&["--abort-on-err"][..], Signal::INT), (&[], Signal::TERM)] {
        let (store, region) = (Store::new(), Region::ready());
        let driver = baking(&store, &region, more);
        thread::sleep(Duration::from_millis(200));
        let promoted = beside(&store, &["promote"]);
        let lock = File::open(store.logs().join("append.lock")).unwrap();
        lock.lock().unwrap();
        driver.signal(signal);
        thread::sleep(Duration::from_millis(500));
        append(&store, &promoted);
        drop(lock);
        let ran = driver
            .ended_within(Duration::from_secs(5))
            .exits(if signal == Signal::INT { 130 } else { 143 });
        assert_eq!(store.actions().pop().unwrap(), "promote_green");
        assert_eq!(ran.stdout.as_bytes(), store.bytes());
    }
}

#[test]
fn a_pause_in_the_moment_a_step_passes_wins_and_is_shown() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(&[&region], "10,100", &["--timeout-s", "1"]));
    store.wait_for("start_canary");
    thread::sleep(Duration::from_millis(300));
    let paused = beside(&store, &["pause", "--reason", "just now"]);
    let lock = File::open(store.logs().join("append.lock")).unwrap();
    lock.lock().unwrap();
    thread::sleep(Duration::from_millis(1500));
    append(&store, &paused);
    drop(lock);
    let begin = Instant::now();
    while !driver.stdout().contains("just now") {
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{}",
            driver.stdout()
        );
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(300));
    assert_eq!(store.actions().pop().unwrap(), "pause");
    store.run(&["rollback", "--reason", "enough"]).exits(0);
    let ran = driver.ended_within(Duration::from_secs(5)).exits(3);
    assert_eq!(ran.stdout.as_bytes(), store.bytes());
}
