//! A store that may only be read.

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

use crate::mounted::Mounted;
use crate::release_without_a_driver;

#[test]
fn a_read_only_store_is_read_and_a_command_that_writes_names_it() {
    let (store, region) = (Store::new(), Region::ready());
    release_without_a_driver(&store, &region);
    let Some(_mounted) = Mounted::read_only(&store.logs()) else {
        return;
    };
    let before = store.bytes();
    let logs = store.logs();
    for command in [&["promote"][..], &["pause"], &["release", "--resume"]] {
        store
            .run(command)
            .exits(1)
            .says(logs.to_str().unwrap())
            .says("Read-only");
    }
    store
        .run(&["rollback", "--reason", "x"])
        .exits(7)
        .says("Read-only");
    store.run(&["status"]).exits(0);
    store.run(&["audit", "verify"]).exits(0);
    store.run(&["audit", "tail"]).exits(0);
    store
        .run_with(
            &["route", "acme"],
            &[("REGIONS", "us-east"), ("PRIMARY_REGION", "us-east")],
        )
        .exits(0);
    assert_eq!(store.bytes(), before);
}

#[test]
fn something_else_in_the_journals_place_is_named_and_left_alone() {
    type Make = fn(&std::path::Path);
    let makes: [(&str, Make); 3] = [
        ("no regular file", |path| std::fs::create_dir(path).unwrap()),
        ("no regular file", |path| {
            assert!(
                std::process::Command::new("mkfifo")
                    .arg(path)
                    .status()
                    .unwrap()
                    .success()
            );
        }),
        ("symbolic link", |path| {
            std::os::unix::fs::symlink("/dev/null", path).unwrap()
        }),
    ];
    for (why, make) in makes {
        let store = Store::new();
        std::fs::create_dir(store.logs()).unwrap();
        make(&store.log());
        for command in [
            &["status"][..],
            &["promote"],
            &["audit", "verify"],
            &["audit", "tail"],
        ] {
            let ran = store
                .run(command)
                .exits(1)
                .says(why)
                .says("deploy_audit.log");
            assert_eq!(ran.stdout, "");
        }
        assert!(!store.log().is_file() || store.log().is_symlink());
    }
}

#[test]
fn whoever_may_not_release_learns_that_though_the_refusal_cannot_be_recorded() {
    let (store, region) = (Store::new(), Region::ready());
    release_without_a_driver(&store, &region);
    let lock = store.logs().join("append.lock");
    std::fs::remove_file(&lock).unwrap();
    // Which cannot be opened as a file, whoever asks.
    std::fs::create_dir(&lock).unwrap();
    let before = store.bytes();
    for command in [
        &["promote"][..],
        &["pause"],
        &["rollback", "--reason", "x"],
        &["release", "--resume"],
    ] {
        store
            .run_with(command, &[("DEPLOY_RBAC_ROLE", "Viewer")])
            .exits(4)
            .says("Invalid DEPLOY_RBAC_ROLE")
            .says("the refusal is not on record");
    }
    // A refusal by the state leaves no record anywhere.
    let ran = store.run(&[
        "release",
        "--image-blue",
        "a",
        "--image-green",
        "b",
        "--canary-seq",
        "1",
        "--region",
        &region.at(),
    ]);
    assert!(!ran.exits(5).stderr.contains("not on record"));
    let ran = store.run(&["resume"]).exits(5);
    assert!(!ran.stderr.contains("not on record"), "{}", ran.stderr);
    store.run(&["rollback", "--reason", "x"]).exits(7);
    assert_eq!(store.bytes(), before);
}
