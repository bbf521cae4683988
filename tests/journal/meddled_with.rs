//! A journal that somebody changes behind a driver's back.

use std::time::Duration;

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

#[test]
fn a_driver_whose_journal_is_meddled_with_stops_within_a_moment_and_writes_nothing() {
    type Meddle = fn(&Store);
    let meddlers: [(&str, Meddle); 5] = [
        ("a line that is no record", |store| {
            write(store, [&store.bytes()[..], b"bad\n"].concat());
        }),
        ("the first record again", |store| {
            let again = format!("{}\n", store.lines()[0]);
            write(store, [&store.bytes()[..], again.as_bytes()].concat());
        }),
        ("the last record cut off", |store| {
            write(store, format!("{}\n", store.lines()[0]).into_bytes());
        }),
        ("nothing left", |store| write(store, Vec::new())),
        ("no file", |store| {
            std::fs::remove_file(store.log()).unwrap()
        }),
    ];
    for (what, meddle) in meddlers {
        let (store, region) = (Store::new(), Region::ready());
        let at = region.at();
        let driver = store.start(&[
            "release",
            "--image-blue",
            "app:1",
            "--image-green",
            "app:2",
            "--canary-seq",
            "10,100",
            "--timeout-s",
            "30",
            "--region",
            &at,
        ]);
        store.wait_for("start_canary");
        std::thread::sleep(Duration::from_millis(300));
        meddle(&store);
        let after = store.bytes();
        driver
            .ended_within(Duration::from_secs(3))
            .exits(6)
            .says("corrupt");
        assert_eq!(store.bytes(), after, "{what}");
    }
}

fn write(store: &Store, bytes: Vec<u8>) {
    std::fs::write(store.log(), bytes).unwrap();
}

/// A journal of six records, four of which a driver has seen come from others while it stood still.
fn paused_by_others(store: &Store, region: &Region) -> halcyon_tests::store::Running {
    let at = region.at();
    let driver = store.start(&[
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "10,100",
        "--timeout-s",
        "4",
        "--region",
        &at,
    ]);
    store.wait_for("start_canary");
    for command in ["pause", "resume", "pause"] {
        store.run(&[command]).exits(0);
    }
    std::thread::sleep(Duration::from_millis(500));
    driver
}

#[test]
fn a_driver_from_which_the_records_of_others_are_taken_stops_and_promotes_nothing() {
    for moved in [false, true] {
        let (store, region) = (Store::new(), Region::ready());
        let driver = paused_by_others(&store, &region);
        let lines = store.lines();
        let two = format!("{}\n{}\n", lines[0], lines[1]);
        if moved {
            let other = store.log().with_extension("other");
            std::fs::write(&other, &two).unwrap();
            std::fs::rename(other, store.log()).unwrap();
        } else {
            write(&store, two.clone().into_bytes());
        }
        driver
            .ended_within(Duration::from_secs(4))
            .exits(6)
            .says("was read by this process and is gone");
        assert_eq!(store.bytes(), two.as_bytes());
    }
}

#[test]
fn who_follows_or_watches_a_journal_is_told_when_it_is_cut() {
    for command in [
        &["audit", "tail", "--follow"][..],
        &["status", "--watch", "-o", "jsonl"],
    ] {
        let (store, region) = (Store::new(), Region::ready());
        let driver = paused_by_others(&store, &region);
        let watching = store.start(command);
        std::thread::sleep(Duration::from_millis(700));
        let first = format!("{}\n", store.lines()[0]);
        write(&store, first.into_bytes());
        watching
            .ended_within(Duration::from_secs(3))
            .exits(6)
            .says("is gone");
        driver.ended_within(Duration::from_secs(4)).exits(6);
    }
}
