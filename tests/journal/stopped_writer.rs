//! A process that holds the append lock and does not go on.

use std::time::{Duration, Instant};

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

use crate::release_without_a_driver;

#[test]
fn a_lock_that_is_held_for_ever_is_an_error_after_ten_seconds_and_reading_goes_on() {
    let (store, region) = (Store::new(), Region::ready());
    release_without_a_driver(&store, &region);
    let held = std::fs::File::open(store.logs().join("append.lock")).unwrap();
    held.lock().unwrap();
    let before = store.bytes();
    let begin = Instant::now();
    let waiting = store.start(&["rollback", "--reason", "now"]);
    let other = store.start(&["pause"]);
    store.run(&["status"]).exits(0);
    store.run(&["audit", "verify"]).exits(0);
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "reading waits for nobody"
    );
    let holder = format!("process {} has held", std::process::id());
    waiting.ended().exits(7).says("append.lock").says(&holder);
    other.ended().exits(1).says("append.lock").says(&holder);
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&begin.elapsed()));
    assert_eq!(store.bytes(), before);
    drop(held);
    store.run(&["rollback", "--reason", "now"]).exits(0);
}
