//! A store that several accounts write.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

/// The names and modes of a store's files, after a release and with a table's epoch.
fn modes(of_the_folder: u32) -> Vec<(String, u32)> {
    let (store, region) = (Store::new(), Region::ready());
    std::fs::create_dir_all(store.logs()).unwrap();
    std::fs::set_permissions(store.logs(), PermissionsExt::from_mode(of_the_folder)).unwrap();
    let at = region.at();
    let release = ["release", "--image-blue", "a", "--image-green", "b"];
    let more = ["--canary-seq", "100", "--timeout-s", "0", "--region", &at];
    store.run(&[&release[..], &more].concat()).exits(0);
    let regions = [("REGIONS", "us-east"), ("PRIMARY_REGION", "us-east")];
    store.run_with(&["table"], &regions).exits(0);
    let files = std::fs::read_dir(store.logs()).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().mode() & 0o777;
        (entry.file_name().into_string().unwrap(), mode)
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

#[test]
fn what_is_in_a_folder_that_a_group_may_write_can_be_written_by_the_group() {
    for (of_the_folder, of_files) in [
        (0o2770, 0o660),
        (0o2750, 0o640),
        (0o700, 0o640),
        (0o1777, 0o640),
    ] {
        let files = modes(of_the_folder);
        assert!(files.len() >= 3, "{files:?}");
        for (name, mode) in files {
            assert_eq!(mode, of_files, "{name} in a folder of {of_the_folder:o}");
        }
    }
}
