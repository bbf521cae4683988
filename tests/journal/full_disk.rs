//! A disk that is really full.

use std::io::Write;
use std::path::PathBuf;

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Ran, Store, text};

use crate::mounted::Mounted;
use crate::release_without_a_driver;

/// Takes every byte that is left.
fn fill(store: &Store) -> PathBuf {
    let path = store.logs().join("filler");
    let mut filler = std::fs::File::create(&path).unwrap();
    let full = std::iter::repeat_with(|| filler.write_all(&[0; 512]))
        .find_map(Result::err)
        .unwrap();
    assert_eq!(full.raw_os_error(), Some(28), "{full}");
    path
}

/// Appends until the page that the file ends in is full.
fn append_until_it_fails(store: &Store) -> (Ran, Vec<u8>) {
    for number in 0..100 {
        let before = store.bytes();
        let ran = store.run(&[["pause", "resume"][number % 2]]);
        if ran.code != 0 {
            return (ran, before);
        }
    }
    panic!("the disk never got full");
}

#[test]
fn a_full_disk_fails_the_command_and_loses_nothing() {
    let (store, region) = (Store::new(), Region::ready());
    let Some(_mounted) = Mounted::small(&store.logs()) else {
        return;
    };
    release_without_a_driver(&store, &region);
    let filler = fill(&store);
    let (ran, before) = append_until_it_fails(&store);
    let ran = ran.exits(1).says("deploy_audit.log").says("no space left");
    assert_eq!(ran.stdout, "");
    assert_eq!(store.bytes(), before);
    for _ in 0..3 {
        let next = if before_is_paused(&store) {
            "resume"
        } else {
            "pause"
        };
        store.run(&[next]).exits(1).says("deploy_audit.log");
        assert_eq!(store.bytes(), before);
    }
    let verified = store
        .run(&["audit", "verify", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&verified["valid"], &verified["torn_tail"]),
        (&true.into(), &0.into())
    );
    store.run(&["status"]).exits(0);
    std::fs::remove_file(filler).unwrap();
    store.run(&["promote"]).exits(0);
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "green_live");
    store.run(&["audit", "verify"]).exits(0);
}

fn before_is_paused(store: &Store) -> bool {
    store.records().pop().unwrap()["action"] == "pause"
}

#[test]
fn a_rollback_that_cannot_be_written_needs_a_person() {
    let (store, region) = (Store::new(), Region::ready());
    let Some(_mounted) = Mounted::small(&store.logs()) else {
        return;
    };
    release_without_a_driver(&store, &region);
    let filler = fill(&store);
    let (_, before) = append_until_it_fails(&store);
    store
        .run(&["rollback", "--reason", "now"])
        .exits(7)
        .says("deploy_audit.log");
    assert_eq!(store.bytes(), before);
    std::fs::remove_file(filler).unwrap();
    store.run(&["rollback", "--reason", "now"]).exits(0);
    assert_eq!(text(&store.records().pop().unwrap(), "state"), "idle");
}

#[test]
fn on_a_full_disk_edges_get_the_next_table_all_the_same() {
    let store = Store::new();
    let Some(_mounted) = Mounted::small(&store.logs()) else {
        return;
    };
    let regions = [("REGIONS", "us-east"), ("PRIMARY_REGION", "us-east")];
    let epoch = || {
        let table = store.run_with(&["table"], &regions).exits(0).json();
        let epoch = table["epoch"].as_u64().unwrap();
        let kept = std::fs::read_to_string(store.logs().join("table_epoch")).unwrap();
        assert_eq!(kept, format!("{epoch}\n"));
        epoch
    };
    let mut last = epoch();
    let filler = fill(&store);
    for _ in 0..3 {
        let next = epoch();
        assert!(next > last, "{next} after {last}");
        last = next;
    }
    // Where none was issued before there is nothing to write it over.
    std::fs::remove_file(store.logs().join("table_epoch")).unwrap();
    let mut more = std::fs::File::options().append(true).open(&filler).unwrap();
    while more.write_all(&[0; 512]).is_ok() {}
    let refused = store.run_with(&["table"], &regions).exits(1);
    refused.says("table_epoch").says("No space left");
}

#[test]
fn a_driver_whose_disk_fills_up_ends_with_an_error_and_is_taken_up_later() {
    for (abort, code) in [(false, 1), (true, 7)] {
        let (store, region) = (Store::new(), Region::ready());
        let Some(_mounted) = Mounted::small(&store.logs()) else {
            return;
        };
        let more = if abort { &["--abort-on-err"][..] } else { &[] };
        let arguments = [
            "release",
            "--image-blue",
            "app:1",
            "--image-green",
            "app:2",
            "--canary-seq",
            "10,100",
        ];
        let driver = store.start(
            &[
                &arguments[..],
                &["--timeout-s", "3", "--region", &region.at()],
                more,
            ]
            .concat(),
        );
        store.wait_for("start_canary");
        let filler = fill(&store);
        let (_, before) = append_until_it_fails(&store);
        let _ = store.run(&["resume"]);
        assert_eq!(store.bytes(), before);
        if abort {
            region.answer(Answer::Close);
        }
        // Paused, it appends nothing; what makes it try is a signal.
        driver.signal(rustix::process::Signal::INT);
        let ran = driver.ended().exits(code).says("deploy_audit.log");
        assert_eq!(
            ran.stdout.as_bytes(),
            before,
            "nothing was said that is not on record"
        );
        std::fs::remove_file(filler).unwrap();
        region.answer(Answer::Ready);
        store.run(&["rollback", "--reason", "later"]).exits(0);
        store.run(&["audit", "verify"]).exits(0);
    }
}

#[test]
fn a_disk_too_full_for_the_first_record_is_named() {
    let (store, region) = (Store::new(), Region::ready());
    let Some(_mounted) = Mounted::small(&store.logs()) else {
        return;
    };
    let filler = fill(&store);
    let arguments = [
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "100",
        "--timeout-s",
        "0",
        "--region",
        &region.at(),
    ];
    store
        .run(&arguments)
        .exits(1)
        .says(store.logs().to_str().unwrap());
    assert!(store.lines().is_empty());
    store.run(&["audit", "verify"]).exits(0);
    std::fs::remove_file(filler).unwrap();
    store.run(&arguments).exits(0);
}
