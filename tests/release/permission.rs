//! Who may release, and the switch that stops it all.

use std::thread;
use std::time::Duration;

use halcyon_tests::region::Region;
use halcyon_tests::store::{Store, text};

use crate::{baking, release};

#[test]
fn a_role_that_may_not_release_is_refused_and_the_refusal_is_recorded() {
    for role in ["Viewer", "deployer", "DEPLOYER", " Admin", ""] {
        let (store, region) = (Store::new(), Region::ready());
        let env = [("DEPLOY_RBAC_ROLE", role)];
        let ran = store
            .run_with(&release(&[&region], "100", &[]), &env)
            .exits(4)
            .says("DEPLOY_RBAC_ROLE");
        assert_eq!(ran.stdout.as_bytes(), store.bytes());
        let records = store.records();
        assert_eq!(store.actions(), ["permission_denied"], "{role}");
        assert_eq!(
            (text(&records[0], "user"), text(&records[0], "deploy_role")),
            ("ann".into(), role.into())
        );
        assert_eq!(
            (text(&records[0], "attempted"), text(&records[0], "state")),
            ("provision_green".into(), "idle".into())
        );
        assert_eq!(region.asked().len(), 0);
        store.run(&["audit", "verify"]).exits(0);
    }
}

#[test]
fn every_command_that_changes_something_asks_for_the_role() {
    let (store, region) = (Store::new(), Region::ready());
    let driver = baking(&store, &region, &[]);
    for (number, command) in [
        &["promote"][..],
        &["pause"],
        &["resume"],
        &["rollback", "--reason", "mine"],
        &["release", "--resume"],
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("user{number}");
        let env = [("DEPLOY_RBAC_ROLE", "Viewer"), ("DEPLOY_USER", &*user)];
        store.run_with(command, &env).exits(4);
        let last = store.records().pop().unwrap();
        assert_eq!(
            (text(&last, "action"), text(&last, "user")),
            ("permission_denied".into(), user)
        );
        assert_eq!(
            (text(&last, "state"), &last["canary_weight"]),
            ("canary".into(), &10.into())
        );
    }
    for command in [&["status"][..], &["audit", "verify"], &["audit", "tail"]] {
        store
            .run_with(command, &[("DEPLOY_RBAC_ROLE", "Viewer")])
            .exits(0);
    }
    store.run(&["rollback", "--reason", "done"]).exits(0);
    driver.ended().exits(3);
}

#[test]
fn a_user_refused_twice_within_a_second_is_recorded_once() {
    let (store, region) = (Store::new(), Region::ready());
    let refused = |user| {
        let env = [("DEPLOY_RBAC_ROLE", "Viewer"), ("DEPLOY_USER", user)];
        store
            .run_with(&release(&[&region], "100", &[]), &env)
            .exits(4);
        store.records().len()
    };
    assert_eq!((refused("eve"), refused("eve"), refused("eve")), (1, 1, 1));
    assert_eq!(
        (refused("mallory"), refused("eve"), refused("mallory")),
        (2, 2, 2),
        "each for themselves"
    );
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(refused("eve"), 3);
}

#[test]
fn the_kill_switch_refuses_what_raises_and_lets_through_what_lowers() {
    let (store, region) = (Store::new(), Region::ready());
    let off = [("FEATURE_BLUE_GREEN", "FALSE")];
    store
        .run_with(&release(&[&region], "100", &[]), &off)
        .exits(5)
        .says("kill switch");
    store
        .run_with(&release(&[&region], "100", &["--dry-run"]), &off)
        .exits(5);
    assert!(store.lines().is_empty());
    let driver = baking(&store, &region, &[]);
    store
        .run_with(&["promote"], &off)
        .exits(5)
        .says("kill switch");
    store.run_with(&["pause"], &off).exits(0);
    let before = store.bytes();
    store
        .run_with(&["resume"], &off)
        .exits(5)
        .says("kill switch");
    store.run_with(&["status"], &off).exits(0);
    store.run_with(&["audit", "verify"], &off).exits(0);
    store.run_with(&["audit", "tail"], &off).exits(0);
    drop(driver);
    store
        .run_with(&["release", "--resume"], &off)
        .exits(5)
        .says("kill switch");
    assert_eq!(store.bytes(), before);
    store
        .run_with(&["rollback", "--reason", "off"], &off)
        .exits(0);
    assert_eq!(store.actions().pop().unwrap(), "rollback_complete");
}

#[test]
fn the_role_is_asked_before_the_kill_switch() {
    let (store, region) = (Store::new(), Region::ready());
    let env = [
        ("FEATURE_BLUE_GREEN", "false"),
        ("DEPLOY_RBAC_ROLE", "Viewer"),
    ];
    store
        .run_with(&release(&[&region], "100", &[]), &env)
        .exits(4);
    assert_eq!(store.actions(), ["permission_denied"]);
}
