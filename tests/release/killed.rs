//! The driver killed at chosen moments; the random ones are in `crash.rs`.

use std::time::Duration;

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Store, text};
use rustix::process::Signal;

use crate::{WHOLE, release};

#[test]
fn a_driver_killed_in_a_rollback_leaves_a_rollback_that_somebody_finishes() {
    for finish in [
        &["release", "--resume"][..],
        &["rollback", "--reason", "finish"],
    ] {
        let (store, region) = (Store::new(), Region::ready());
        let hook = "[ $HALCYON_ACTION != rollback_to_blue ] || sleep 1";
        let more = ["--abort-on-err", "--timeout-s", "30", "--on-step", hook];
        let driver = store.start(&release(&[&region], "10,100", &more));
        store.wait_until("a canary", |records| {
            records
                .iter()
                .filter(|it| it["action"] == "region_confirmed")
                .count()
                == 2
        });
        region.answer(Answer::Close);
        store.wait_for("rollback_to_blue");
        driver.signal(Signal::KILL);
        driver.ended().exits(137);
        let code = if finish[0] == "release" { 3 } else { 0 };
        store.run(finish).exits(code);
        assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
        store.run(&["audit", "verify"]).exits(0);
    }
}

#[test]
fn a_driver_killed_after_each_record_is_taken_up_by_the_next() {
    let (store, region) = (Store::new(), Region::ready());
    let mut driver = store.start_with(
        &release(&[&region], "10,50,100", &["--timeout-s", "1"]),
        &[("PROBE_INTERVAL_MS", "20")],
    );
    for round in 0.. {
        // By turns right after the record that says who drives, and after the plan's next one.
        let more = 1 + round % 2;
        let known = store.lines().len();
        store.wait_until("records more", |records| {
            records.len() >= known + more
                || records
                    .last()
                    .is_some_and(|last| last["action"] == "promote_green")
        });
        driver.signal(Signal::KILL);
        let _ = driver.ended_within(Duration::from_secs(5));
        if store.actions().contains(&"promote_green".to_owned()) {
            break;
        }
        driver = store.start(&["release", "--resume"]);
    }
    let rest = |action: &String| action != "attach_driver";
    assert_eq!(
        store.actions().into_iter().filter(rest).collect::<Vec<_>>(),
        WHOLE
    );
    store.run(&["audit", "verify"]).exits(0);
}
