//! Another process holds the store's append lock, and does not go on.

use std::fs::File;
use std::time::{Duration, Instant};

use halcyon_tests::store::Store;
use serde_json::json;

use crate::client::{Control, send};

/// The append lock, until it is dropped.
fn held(store: &Store) -> File {
    let path = store.logs().join("append.lock");
    let lock = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let lock = lock.unwrap();
    lock.lock().unwrap();
    lock
}

/// So that there has to be another table.
fn drain(control: &Control) {
    let body = r#"{"state":"drain","reason":"maintenance"}"#;
    let line = "PUT /api/v1/regions/us-east/override";
    control.ask("Deployer", line, Some(body)).is(200);
}

#[test]
fn reading_waits_for_nobody_who_appends_and_what_waits_goes_on_behind_them() {
    let control = Control::with(&[("DEPLOY_RBAC_ROLE", "Deployer")]);
    control.ask("Edge", "GET /api/v1/table", None).is(200);
    let lock = held(&control.store);
    drain(&control);
    let wish = json!({
        "image_blue": "app:v1", "image_green": "app:v2", "canary_seq": [50], "timeout_s": 0,
    });
    std::thread::scope(|scope| {
        let line = "POST /api/v1/releases";
        let begun = scope.spawn(|| control.ask("Deployer", line, Some(&wish.to_string())));
        let table = scope.spawn(|| control.ask("Edge", "GET /api/v1/table", None));
        // A refusal is to be put on record too.
        let refused = scope.spawn(|| control.ask("Viewer", line, Some(&wish.to_string())));
        std::thread::sleep(Duration::from_millis(500));
        for path in ["state", "audit", "route?tenant=acme"] {
            let line = format!("GET /api/v1/{path}");
            control.ask("Viewer", &line, None).is(200);
        }
        let address = control.server.address();
        for path in ["/metrics", "/ready"] {
            send(address, &format!("GET {path}"), &[], None).is(200);
        }
        let waiting = [&begun, &table, &refused];
        assert!(waiting.iter().all(|one| !one.is_finished()));
        drop(lock);
        begun.join().unwrap().is(202);
        refused.join().unwrap().is(403);
        let table = table.join().unwrap().is(200).json();
        assert_eq!(table["regions"][0]["status"], "draining");
    });
    control.until("green_live", |state| {
        state["release"]["state"] == "green_live"
    });
    let denied = control.records();
    let denied = denied.iter().filter(|record| record["user"] == "Viewer");
    assert_eq!(denied.count(), 1);
}

#[test]
fn all_who_wait_for_a_table_that_cannot_be_issued_hear_so_at_once() {
    let control = Control::start();
    control.ask("Edge", "GET /api/v1/table", None).is(200);
    let lock = held(&control.store);
    drain(&control);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let ask = || control.ask("Edge", "GET /api/v1/table", None);
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for one in asking {
            let said = one.join().unwrap().problem(503);
            assert!(said.contains("append.lock"), "{said}");
        }
    });
    // One wait of ten seconds, and not one after the other.
    assert!(begin.elapsed() < Duration::from_secs(18));
    drop(lock);
    let table = control.ask("Edge", "GET /api/v1/table", None).is(200);
    assert_eq!(table.json()["regions"][0]["status"], "draining");
}
