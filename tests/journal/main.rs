//! The journal on real disks: full ones, read-only ones, and one whose lock a stopped process holds.

mod full_disk;
mod group;
mod meddled_with;
mod mounted;
mod read_only;
mod short_of_files;
mod stopped_writer;

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

/// A release in its first step that nobody drives: pause and resume append a record each.
fn release_without_a_driver(store: &Store, region: &Region) {
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
        &region.at(),
    ]);
    store.wait_for("start_canary");
    drop(driver);
}
