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
