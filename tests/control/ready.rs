//! `/ready` of a control plane: whether the journal that it writes can be read and appended to.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Answer, Control, send};

fn control(more: &[(&str, &str)]) -> Control {
    let mut variables = vec![("DEPLOY_RBAC_ROLE", "Deployer")];
    variables.extend_from_slice(more);
    Control::with(&variables)
}

fn ready(control: &Control, path: &str) -> Answer {
    send(control.server.address(), &format!("GET {path}"), &[], None)
}

/// Why the journal keeps it from being ready.
fn why_not(control: &Control) -> String {
    let body = ready(control, "/ready").is(503).json();
    assert_eq!(body["status"], "not_ready");
    assert_eq!(body["checks"]["journal"]["ok"], false);
    assert_eq!(
        body["checks"]["deploy_rbac"]["ok"], true,
        "that one is well"
    );
    body["checks"]["journal"]["error"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn rolled_back(control: &Control) -> Answer {
    let body = Some(r#"{"reason":"x"}"#);
    control.ask("Deployer", "POST /api/v1/release/rollback", body)
}

#[test]
fn a_control_plane_is_ready_while_its_journal_can_be_read() {
    let control = control(&[]);
    // Before anything is on record, and behind it.
    for _ in 0..2 {
        let body = ready(&control, "/ready").is(200).json();
        assert_eq!(body["checks"]["journal"], json!({"ok": true}));
        let text = ready(&control, "/ready?verbose").is(200).body;
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("[+]journal ok\n"), "{text}");
        rolled_back(&control).is(200);
    }
}

#[test]
fn without_blue_green_nothing_is_said_of_a_journal() {
    for value in ["", "false"] {
        let control = control(&[("FEATURE_BLUE_GREEN", value)]);
        let body = ready(&control, "/ready").is(200).json();
        assert_eq!(body["checks"].get("journal"), None::<&Value>);
    }
}

#[test]
fn a_journal_that_is_corrupt_keeps_it_from_being_ready() {
    let mut control = control(&[]);
    rolled_back(&control).is(200);
    let text = std::fs::read_to_string(control.store.log()).unwrap();
    // Under the server: what it has written itself is gone.
    std::fs::write(control.store.log(), "").unwrap();
    let begin = Instant::now();
    while ready(&control, "/ready").status == 200 {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
    let why = why_not(&control);
    assert!(why.contains("is corrupt"), "{why}");
    // For one that begins with it, anything in it.
    let edited = text.replacen("\"x\"", "\"y\"", 1);
    assert_ne!(edited, text);
    std::fs::write(control.store.log(), edited).unwrap();
    control.killed_and_restarted();
    let why = why_not(&control);
    assert!(why.contains("deploy_audit.log is corrupt: "), "{why}");
    let text = ready(&control, "/ready?verbose").is(503).body;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains(&format!("[-]journal failed: {why}\n")),
        "{text}"
    );
    // It lives all the same.
    ready(&control, "/health").is(200);
    // What was there is put back.
    std::fs::remove_file(control.store.log()).unwrap();
    control.killed_and_restarted();
    ready(&control, "/ready").is(200);
}

#[test]
fn what_is_no_file_is_no_journal_and_a_secret_place_is_not_shown() {
    let mut control = control(&[]);
    std::fs::create_dir_all(control.store.log()).unwrap();
    let why = why_not(&control);
    let seen = control.store.log().display().to_string();
    assert!(why.contains(&seen), "{why}");
    control.also(("REQUIRED_ENVS", "HALCYON_STORE"));
    control.killed_and_restarted();
    assert_eq!(
        why_not(&control),
        "it cannot be read (not shown: REQUIRED_ENVS names HALCYON_STORE)"
    );
}

#[test]
fn a_table_that_cannot_be_issued_is_said_wherever_it_is_looked_and_tried_again() {
    let control = control(&[]);
    let at = control.store.logs().join("table_epoch");
    std::fs::create_dir_all(&at).unwrap();
    ready(&control, "/ready").is(200);
    for _ in 0..3 {
        control.ask("Viewer", "GET /api/v1/table", None).is(503);
    }
    std::thread::sleep(Duration::from_millis(200));
    let why = why_not(&control);
    assert!(
        why.starts_with("no table can be issued: cannot read ") && why.contains("table_epoch"),
        "{why}"
    );
    let state = control.state();
    let no_table = state["no_table"].as_str().unwrap();
    assert!(why.ends_with(no_table), "{no_table}");
    let said = || control.server.stderr();
    let line = "no table can be issued, so edges keep what they have: cannot read ";
    assert_eq!(said().matches(line).count(), 1, "{}", said());
    // No edge asks any more.
    std::fs::remove_dir(&at).unwrap();
    let begin = Instant::now();
    while ready(&control, "/ready").status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(10), "{}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(control.state()["no_table"], Value::Null);
    // What is wanted is what edges have again: that is no trouble, whatever was.
    control.ask("Viewer", "GET /api/v1/table", None).is(200);
    std::fs::remove_file(&at).unwrap();
    std::fs::create_dir(&at).unwrap();
    let drain = "PUT /api/v1/regions/us-east/override";
    let body = r#"{"state":"drain","reason":"x"}"#;
    control.ask("Deployer", drain, Some(body)).is(200);
    control.ask("Viewer", "GET /api/v1/table", None).is(503);
    assert!(control.state()["no_table"].is_string());
    let undo = "DELETE /api/v1/regions/us-east/override";
    control.ask("Deployer", undo, None);
    control.ask("Viewer", "GET /api/v1/table", None).is(200);
    assert_eq!(control.state()["no_table"], Value::Null);
    std::fs::remove_dir(&at).unwrap();
    assert!(said().contains("tables can be issued again"), "{}", said());
    control.ask("Viewer", "GET /api/v1/table", None).is(200);
}
