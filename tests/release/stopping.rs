//! Signals and deadlines.

use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::region::Region;
use halcyon_tests::store::{Store, text};
use rustix::process::Signal;

use crate::{TAKEN_BACK, WHOLE, baking, release};

const PROMPTLY: Duration = Duration::from_secs(3);

#[test]
fn ctrl_c_and_sigterm_hold_the_release_and_say_how_to_go_on() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (store, region) = (Store::new(), Region::ready());
        let driver = baking(&store, &region, &[]);
        driver.signal(signal);
        driver
            .ended_within(PROMPTLY)
            .exits(code)
            .says("halcyon release --resume");
        assert_eq!(
            store.actions(),
            ["provision_green", "start_canary", "detach_driver"]
        );
        assert_eq!(text(&store.records().pop().unwrap(), "state"), "canary");
        store.run(&["promote"]).exits(0);
    }
}

#[test]
fn with_abort_on_err_ctrl_c_and_sigterm_roll_back() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (store, region) = (Store::new(), Region::ready());
        let driver = baking(&store, &region, &["--abort-on-err"]);
        driver.signal(signal);
        driver.ended_within(PROMPTLY).exits(code);
        assert_eq!(
            store.actions()[2..],
            ["rollback_to_blue", "rollback_complete"]
        );
        assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
    }
}

#[test]
fn a_signal_while_the_first_record_is_on_its_way_to_the_disk_is_about_the_release() {
    for (more, last) in [
        (&["--abort-on-err"][..], "rollback_complete"),
        (&[], "detach_driver"),
    ] {
        let (store, region) = (Store::new(), Region::ready());
        std::fs::create_dir_all(store.logs()).unwrap();
        // Somebody else is at it, so the release waits for its turn to write.
        let lock = std::fs::File::create(store.logs().join("append.lock")).unwrap();
        lock.lock().unwrap();
        let more = [&["--timeout-s", "30"], more].concat();
        let driver = store.start(&release(&[&region], "10,100", &more));
        thread::sleep(Duration::from_millis(700));
        driver.signal(Signal::INT);
        thread::sleep(Duration::from_millis(300));
        assert!(store.lines().is_empty());
        drop(lock);
        driver.ended_within(PROMPTLY).exits(130);
        assert_eq!(store.actions().pop().unwrap(), last);
    }
}

#[test]
fn a_second_signal_ends_at_once_and_leaves_the_rollback_for_later() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = "[ $HALCYON_ACTION != rollback_to_blue ] || [ -e mended ] || sleep 20";
    let driver = store.start(&release(
        &[&region],
        "10,100",
        &["--abort-on-err", "--timeout-s", "30", "--on-step", hook],
    ));
    store.wait_until("a canary", |records| {
        records
            .iter()
            .filter(|it| it["action"] == "region_confirmed")
            .count()
            == 2
    });
    driver.signal(Signal::INT);
    store.wait_for("rollback_to_blue");
    thread::sleep(Duration::from_millis(200));
    driver.signal(Signal::TERM);
    driver.ended_within(PROMPTLY).exits(143);
    assert_eq!(
        text(&store.records().pop().unwrap(), "state"),
        "rollback_in_progress"
    );
    // The hook that was left is still at work, so whoever goes on waits for it, but not for ever.
    std::fs::write(store.dir().join("mended"), "").unwrap();
    let begin = Instant::now();
    store.run(&["release", "--resume"]).exits(3);
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
}

#[test]
fn a_deadline_holds_or_rolls_back() {
    let region = Region::ready();
    for (more, actions) in [
        (&[][..], &["detach_driver"][..]),
        (
            &["--abort-on-err"],
            &["rollback_to_blue", "rollback_complete"],
        ),
    ] {
        let store = Store::new();
        let begin = Instant::now();
        let more = [&["--timeout-s", "30", "--deadline", "2s"], more].concat();
        store
            .run(&release(&[&region], "10,100", &more))
            .exits(124)
            .says("--deadline ran out");
        assert!((Duration::from_secs(2)..Duration::from_secs(15)).contains(&begin.elapsed()));
        assert_eq!(store.actions()[2..], *actions);
        let reason = store
            .records()
            .into_iter()
            .find_map(|record| Some(record["reason"].as_str()?.to_owned()));
        assert!(reason.unwrap().contains("deadline"));
    }
}

#[test]
fn a_release_held_at_its_deadline_can_be_resumed() {
    let (store, region) = (Store::new(), Region::ready());
    let more = ["--timeout-s", "1", "--deadline", "500ms"];
    store
        .run(&release(&[&region], "10,50,100", &more))
        .exits(124);
    store
        .run(&["release", "--resume", "--deadline", "300ms"])
        .exits(124);
    store.run(&["release", "--resume"]).exits(0);
    let expected = |action: &String| !["attach_driver", "detach_driver"].contains(&action.as_str());
    assert_eq!(
        store
            .actions()
            .into_iter()
            .filter(expected)
            .collect::<Vec<_>>(),
        WHOLE
    );
}

#[test]
fn a_driver_that_was_stopped_for_a_while_goes_on_where_it_was() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(
        &[&region],
        "10,50,100",
        &["--abort-on-err", "--timeout-s", "1"],
    ));
    store.wait_for("start_canary");
    // Not in the middle of the append, whose lock it would keep.
    thread::sleep(Duration::from_millis(300));
    driver.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(store.actions().len(), 2);
    driver.signal(Signal::CONT);
    driver.ended().exits(0);
    assert_eq!(store.actions(), WHOLE);
}

#[test]
fn a_driver_stopped_through_somebody_elses_rollback_raises_nothing_when_it_wakes() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = store.start(&release(&[&region], "10,50,100", &["--timeout-s", "1"]));
    store.wait_for("start_canary");
    // Not in the middle of the append, whose lock it would keep.
    thread::sleep(Duration::from_millis(300));
    driver.signal(Signal::STOP);
    store
        .run(&["rollback", "--reason", "while you slept"])
        .exits(0);
    thread::sleep(Duration::from_millis(1200));
    driver.signal(Signal::CONT);
    driver.ended_within(PROMPTLY).exits(3);
    assert_eq!(store.actions(), TAKEN_BACK);
}

#[test]
fn a_rollback_behind_a_stopped_driver_says_what_it_waits_for_and_goes_on_once_that_is_ended() {
    let (store, region) = (Store::new(), Region::ready());
    let more = [
        "--timeout-s",
        "30",
        "--on-step",
        "echo $HALCYON_ACTION >> hooked",
    ];
    let driver = store.start(&release(&[&region], "10,100", &more));
    store.wait_until("a canary", |records| {
        records
            .iter()
            .filter(|it| it["action"] == "region_confirmed")
            .count()
            == 2
    });
    thread::sleep(Duration::from_millis(300));
    driver.signal(Signal::STOP);
    let rollback = store.start(&["rollback", "--reason", "now"]);
    let begin = Instant::now();
    let pid = driver.pid().as_raw_nonzero();
    let waits = format!(
        "waiting for process {pid}, which drives the release and is stopped: `kill -CONT {pid}` lets it"
    );
    while !rollback.stderr().contains(&waits) {
        assert!(
            begin.elapsed() < Duration::from_secs(6),
            "{}",
            rollback.stderr()
        );
        thread::sleep(Duration::from_millis(20));
    }
    driver.signal(Signal::KILL);
    rollback.ended_within(PROMPTLY).exits(0);
    let hooked = std::fs::read_to_string(store.dir().join("hooked")).unwrap();
    assert_eq!(hooked.lines().last(), Some("rollback_to_blue"));
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
}

#[test]
fn that_a_hook_is_being_stopped_is_said_at_the_first_signal() {
    let (store, region) = (Store::new(), Region::ready());
    let hook = "[ $HALCYON_ACTION != start_canary ] || { trap '' TERM; echo > begun; sleep 30; }";
    let more = ["--timeout-s", "30", "--abort-on-err", "--on-step", hook];
    let driver = store.start(&release(&[&region], "10,100", &more));
    let begin = Instant::now();
    while !store.dir().join("begun").exists() {
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{}",
            driver.stderr()
        );
        thread::sleep(Duration::from_millis(10));
    }
    driver.signal(Signal::INT);
    let begin = Instant::now();
    let said = "warning: stopping the step hook; a second signal leaves the release as it is";
    while !driver.stderr().contains(said) {
        // It has two seconds.
        assert!(
            begin.elapsed() < Duration::from_millis(1_500),
            "{}",
            driver.stderr()
        );
        thread::sleep(Duration::from_millis(10));
    }
    driver.ended_within(Duration::from_secs(8)).exits(130);
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
}

#[test]
fn a_hook_does_not_get_the_terminals_ctrl_c() {
    let (store, region) = (Store::new(), Region::ready());
    let hook =
        "trap 'echo interrupted >> signals' INT; [ $HALCYON_ACTION != start_canary ] || sleep 1";
    let driver = store.start(&release(
        &[&region],
        "10,100",
        &["--timeout-s", "30", "--on-step", hook],
    ));
    store.wait_for("start_canary");
    thread::sleep(Duration::from_millis(200));
    driver.signal(Signal::INT);
    driver.ended_within(Duration::from_secs(5)).exits(130);
    assert!(!store.dir().join("signals").exists());
}
