//! What can be read: pages of the audit log, many tenants at once, and what a scoped token gets.

use serde_json::{Value, json};

use crate::client::{Control, new_token};

#[test]
fn the_audit_log_is_read_in_pages_each_record_as_it_stands_in_the_file() {
    let control = Control::start();
    let empty = control
        .ask("Viewer", "GET /api/v1/audit", None)
        .is(200)
        .json();
    assert_eq!(empty, json!({"records": [], "next": 0}));
    for number in 0..5 {
        let body = json!({"reason": format!("{number} \u{1f600}\n\u{0}")}).to_string();
        control
            .ask("Deployer", "POST /api/v1/release/rollback", Some(&body))
            .is(200);
    }
    let page = |query: &str| control.ask("Viewer", &format!("GET /api/v1/audit{query}"), None);
    let lines = control.store.lines();
    let all = page("").is(200);
    let text = String::from_utf8(all.body.clone()).unwrap();
    assert_eq!(
        text,
        format!("{{\"records\":[{}],\"next\":5}}", lines.join(","))
    );
    let seqs = |answer: Value| -> Vec<u64> {
        let records = answer["records"].as_array().unwrap().iter();
        records
            .map(|record| record["seq"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(seqs(page("?after=2&limit=2").json()), [3, 4]);
    assert_eq!(page("?after=2&limit=2").json()["next"], 4);
    assert_eq!(seqs(page("?after=4").json()), [5]);
    for past in ["?after=5", "?after=999999", "?after=9223372036854775807"] {
        assert_eq!(seqs(page(past).is(200).json()), [0; 0]);
    }
    for bad in [
        "?after=-1",
        "?after=x",
        "?after=",
        "?limit=0",
        "?limit=1001",
        "?after=+1",
        "?after=9223372036854775808",
    ] {
        assert!(page(bad).problem(400).contains("allowed"), "{bad}");
    }
    let verified = control
        .ask("Viewer", "GET /api/v1/audit/verify", None)
        .is(200)
        .json();
    let said = control
        .store
        .run(&["audit", "verify", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(verified, said);
}

#[test]
fn a_log_that_was_edited_is_found_by_verification_over_the_api() {
    let mut control = Control::start();
    for reason in ["one", "two"] {
        let body = json!({ "reason": reason }).to_string();
        control
            .ask("Deployer", "POST /api/v1/release/rollback", Some(&body))
            .is(200);
    }
    let text = std::fs::read_to_string(control.store.log()).unwrap();
    std::fs::write(control.store.log(), text.replacen("one", "0ne", 1)).unwrap();
    let verified = control
        .ask("Viewer", "GET /api/v1/audit/verify", None)
        .is(200)
        .json();
    assert_eq!(
        (&verified["valid"], &verified["records"]),
        (&json!(false), &json!(0))
    );
    // A server that begins with it appends nothing to it, and serves no release that it cannot know.
    control.killed_and_restarted();
    let body = Some(r#"{"reason":"x"}"#);
    control.ask("Viewer", "GET /api/v1/table", None).is(503);
    control
        .ask("Deployer", "POST /api/v1/release/rollback", body)
        .is(503);
}

#[test]
fn many_verifications_at_once_hold_up_nobody() {
    let control = Control::start();
    let body = Some(r#"{"reason":"x"}"#);
    control
        .ask("Deployer", "POST /api/v1/release/rollback", body)
        .is(200);
    let secret = format!("Bearer {}", control.secret("Viewer"));
    let headers = [("Authorization", secret.as_str())];
    let line = "GET /api/v1/audit/verify";
    let asked: Vec<_> = (0..700)
        .map(|_| crate::client::open(control.address(), line, &headers, None))
        .collect();
    control
        .ask("Deployer", "POST /api/v1/release/rollback", body)
        .is(200);
    drop(asked);
    let verified = control.ask("Viewer", line, None).is(200).json();
    assert_eq!(
        (&verified["records"], &verified["valid"]),
        (&json!(2), &json!(true))
    );
}

#[test]
fn a_path_that_is_no_utf_8_is_a_problem_as_any_other() {
    let control = Control::start();
    control
        .ask("Viewer", "GET /api/v1/releases/%FF", None)
        .problem(400);
    let body = Some(r#"{"state":"drain","reason":"x"}"#);
    control
        .ask("Admin", "PUT /api/v1/regions/%FF/override", body)
        .problem(400);
    control
        .ask("Admin", "DELETE /api/v1/regions/%FF/override", None)
        .problem(400);
    let encoded = control.ask("Admin", "PUT /api/v1/regions/us%2Deast/override", body);
    encoded.is(200);
}

#[test]
fn many_tenants_are_answered_as_each_alone() {
    let control = Control::start();
    let tenants = ["acme", "tenant123", "", "Zo\u{eb}", "acme"];
    let body = json!({ "tenants": tenants }).to_string();
    let many = control
        .ask("Viewer", "POST /api/v1/route", Some(&body))
        .is(200)
        .json();
    let routes = many["routes"].as_array().unwrap();
    assert_eq!(routes.len(), tenants.len());
    for (tenant, route) in tenants.iter().zip(routes) {
        let encoded: String = tenant.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let one = control.ask(
            "Viewer",
            &format!("GET /api/v1/route?tenant={encoded}"),
            None,
        );
        assert_eq!(&one.json(), route);
    }
    for bad in [
        "",
        "{}",
        r#"{"tenants":[]}"#,
        r#"{"tenants":"acme"}"#,
        r#"{"tenant":["a"]}"#,
    ] {
        control
            .ask("Viewer", "POST /api/v1/route", Some(bad))
            .problem(400);
    }
}

#[test]
fn a_tenants_token_asks_about_its_tenant_alone() {
    let control = Control::start();
    let scoped = [
        "--user",
        "acme-admin",
        "--role",
        "Viewer",
        "--tenant",
        "acme",
    ];
    new_token(&control.store, "acme", &scoped);
    let mut control = control;
    control.killed_and_restarted();
    control
        .ask("acme", "GET /api/v1/route?tenant=acme", None)
        .is(200);
    control
        .ask(
            "acme",
            "POST /api/v1/route",
            Some(r#"{"tenants":["acme"]}"#),
        )
        .is(200);
    for other in [
        "GET /api/v1/route?tenant=acme2",
        "GET /api/v1/route?tenant=ACME",
        "GET /api/v1/route?tenant=",
    ] {
        assert!(
            control
                .ask("acme", other, None)
                .problem(403)
                .contains("another tenant")
        );
    }
    control
        .ask(
            "acme",
            "POST /api/v1/route",
            Some(r#"{"tenants":["acme","b"]}"#),
        )
        .problem(403);
    control.ask("acme", "GET /api/v1/table", None).problem(403);
    control.ask("acme", "GET /api/v1/state", None).is(200);
}

#[test]
fn the_snapshot_is_sent_again_only_when_something_in_it_has_changed() {
    let control = Control::start();
    let first = control.ask("Viewer", "GET /api/v1/state", None).is(200);
    let tag = first.header("etag").unwrap().to_owned();
    let again = |tag: &str| {
        let headers = [("If-None-Match", tag)];
        control
            .ask_with("Viewer", "GET /api/v1/state", &headers, None)
            .status
    };
    assert_eq!((again(&tag), again("\"x\"")), (304, 200));
    let body = Some(r#"{"state":"drain","reason":"x"}"#);
    control
        .ask("Deployer", "PUT /api/v1/regions/us-east/override", body)
        .is(200);
    assert_eq!(again(&tag), 200);
}
