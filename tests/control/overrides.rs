//! What people say of regions outranks probes, outlives the server, and never leaves nobody.

use halcyon_tests::region::Answer;
use serde_json::{Value, json};

use crate::client::Control;

fn set(control: &Control, role: &str, region: &str, body: Value) -> crate::client::Answer {
    let line = format!("PUT /api/v1/regions/{region}/override");
    control.ask(role, &line, Some(&body.to_string()))
}

fn statuses(control: &Control) -> Vec<String> {
    let table = control
        .ask("Edge", "GET /api/v1/table", None)
        .is(200)
        .json();
    let regions = table["regions"].as_array().unwrap().iter();
    regions
        .map(|region| region["status"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_drained_region_is_draining_in_the_table_until_it_is_taken_back_over_a_restart_too() {
    let mut control = Control::start();
    let before = control.ask("Edge", "GET /api/v1/table", None).json();
    let said = set(
        &control,
        "Deployer",
        "us-west",
        json!({"state":"drain","reason":"maintenance"}),
    );
    let said = said.is(200).json();
    assert_eq!(
        (&said["state"], &said["user"], &said["reason"]),
        (&json!("drain"), &json!("Deployer"), &json!("maintenance"))
    );
    assert_eq!(statuses(&control), ["up", "draining", "up"]);
    let after = control.ask("Edge", "GET /api/v1/table", None).json();
    assert!(after["epoch"].as_u64() > before["epoch"].as_u64());
    control.killed_and_restarted();
    assert_eq!(statuses(&control), ["up", "draining", "up"]);
    assert_eq!(control.state()["regions"][1]["override"], said);
    control
        .ask("Deployer", "DELETE /api/v1/regions/us-west/override", None)
        .is(204);
    control
        .ask("Deployer", "DELETE /api/v1/regions/us-west/override", None)
        .is(204);
    assert_eq!(statuses(&control), ["up", "up", "up"]);
    let events = control
        .ask("Viewer", "GET /api/v1/region-events", None)
        .is(200)
        .json();
    let kinds: Vec<&Value> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["event"])
        .collect();
    assert_eq!(kinds, ["override", "override_removed"]);
    assert_eq!(events["events"][0]["user"], "Deployer");
    assert_eq!(events["next"], 2);
}

#[test]
fn an_override_shows_what_probes_say_beside_it() {
    let control = Control::with(&[("FEATURE_MULTI_REGION", "true"), ("FAILBACK_HOLD_MS", "0")]);
    set(
        &control,
        "Deployer",
        "us-west",
        json!({"state":"drain","reason":"x"}),
    )
    .is(200);
    control.regions[1].answer(Answer::Close);
    control.until("us-west down behind its override", |state| {
        let region = &state["regions"][1];
        region["status"] == "draining"
            && region["state"] == "draining"
            && region["probed"] == "down"
    });
    control
        .ask("Deployer", "DELETE /api/v1/regions/us-west/override", None)
        .is(204);
    assert_eq!(statuses(&control), ["up", "down", "up"]);
}

#[test]
fn the_last_healthy_region_is_not_overridden_but_by_an_admins_force() {
    let control = Control::start();
    set(
        &control,
        "Deployer",
        "us-east",
        json!({"state":"drain","reason":"x"}),
    )
    .is(200);
    set(
        &control,
        "Admin",
        "us-west",
        json!({"state":"forbid","reason":"x"}),
    )
    .is(200);
    let detail = set(
        &control,
        "Admin",
        "eu-west",
        json!({"state":"drain","reason":"x"}),
    )
    .problem(409);
    assert!(
        detail.contains("no healthy region would remain without \"eu-west\""),
        "{detail}"
    );
    let forced = json!({"state":"drain","reason":"x","force":true});
    let detail = set(&control, "Deployer", "eu-west", forced.clone()).problem(403);
    assert!(detail.contains("a Deployer may not force"), "{detail}");
    assert_eq!(statuses(&control), ["draining", "forbidden", "up"]);
    let said = set(&control, "Admin", "eu-west", forced).is(200).json();
    assert_eq!(said["force"], true, "{said}");
    assert_eq!(statuses(&control), ["draining", "forbidden", "draining"]);
}

#[test]
fn forbidding_and_taking_that_back_are_an_admins() {
    let control = Control::start();
    let forbid = json!({"state":"forbid","reason":"fire"});
    set(&control, "Deployer", "us-east", forbid.clone()).problem(403);
    set(&control, "Admin", "us-east", forbid).is(200);
    control
        .ask("Deployer", "DELETE /api/v1/regions/us-east/override", None)
        .problem(403);
    set(
        &control,
        "Deployer",
        "us-east",
        json!({"state":"drain","reason":"x"}),
    )
    .problem(403);
    assert_eq!(statuses(&control), ["forbidden", "up", "up"]);
    let route = control
        .ask("Viewer", "GET /api/v1/route?tenant=acme", None)
        .json();
    assert_eq!(
        (&route["preferred"], &route["region"]),
        (&json!("us-east"), &json!("us-west"))
    );
    control
        .ask("Admin", "DELETE /api/v1/regions/us-east/override", None)
        .is(204);
    assert_eq!(statuses(&control), ["up", "up", "up"]);
}

#[test]
fn an_override_for_a_time_ends_by_itself() {
    let control = Control::start();
    let said = set(
        &control,
        "Deployer",
        "us-east",
        json!({"state":"drain","reason":"x","ttl_s":1}),
    );
    let said = said.is(200).json();
    assert!(said["expires"].is_string() && said["ttl_s"] == 1, "{said}");
    assert_eq!(statuses(&control)[0], "draining");
    control.until("its end", |state| state["regions"][0]["override"].is_null());
    assert_eq!(statuses(&control)[0], "up");
    let events = control
        .ask("Viewer", "GET /api/v1/region-events?after=1", None)
        .json();
    assert_eq!(events["events"][0]["event"], "override_expired");
}

#[test]
fn everything_wrong_with_an_override_is_said_at_once() {
    let control = Control::start();
    let answer = set(
        &control,
        "Admin",
        "us-east",
        json!({"stat":"drain","ttl_s":0,"force":"yes"}),
    );
    assert_eq!(answer.status, 400);
    let problems = answer.json()["problems"].as_array().unwrap().len();
    assert_eq!(problems, 5, "{}", answer.json());
    let detail = set(
        &control,
        "Admin",
        "us-eest",
        json!({"state":"drain","reason":"x"}),
    )
    .problem(404);
    assert!(
        detail.contains("\"us-eest\"") && detail.contains("us-east, us-west, eu-west"),
        "{detail}"
    );
    for body in [
        "",
        "[]",
        "{",
        "\u{0}",
        r#"{"state":"drain","reason":"x","reason":"y"}"#,
    ] {
        let line = "PUT /api/v1/regions/us-east/override";
        control.ask("Admin", line, Some(body)).problem(400);
    }
    assert_eq!(statuses(&control), ["up", "up", "up"]);
}

#[test]
fn while_frozen_probes_move_nobody_and_people_do_over_a_restart_too() {
    let mut control = Control::with(&[("FEATURE_MULTI_REGION", "true"), ("FAILBACK_HOLD_MS", "0")]);
    control
        .ask(
            "Deployer",
            "PUT /api/v1/freeze",
            Some(r#"{"reason":"night"}"#),
        )
        .problem(403);
    control.regions[0].answer(Answer::Close);
    control.until("us-east down", |state| {
        state["regions"][0]["status"] == "down"
    });
    let freeze = control.ask("Admin", "PUT /api/v1/freeze", Some(r#"{"reason":"night"}"#));
    let freeze = freeze.is(200).json();
    assert_eq!(
        (&freeze["user"], &freeze["out"]),
        (&json!("Admin"), &json!(["us-east"]))
    );
    control.regions[0].answer(Answer::Ready);
    control.regions[1].answer(Answer::Close);
    control.until("what probes see", |state| {
        state["regions"][0]["probed"] == "healthy" && state["regions"][1]["probed"] == "down"
    });
    assert_eq!(statuses(&control), ["down", "up", "up"]);
    control.killed_and_restarted();
    control.until("what probes see again", |state| {
        state["regions"][0]["probed"] == "healthy" && state["regions"][1]["probed"] == "down"
    });
    assert_eq!(statuses(&control), ["down", "up", "up"]);
    set(
        &control,
        "Deployer",
        "eu-west",
        json!({"state":"drain","reason":"x"}),
    )
    .is(200);
    assert_eq!(statuses(&control), ["down", "up", "draining"]);
    control.ask("Admin", "DELETE /api/v1/freeze", None).is(204);
    control.ask("Admin", "DELETE /api/v1/freeze", None).is(204);
    assert_eq!(statuses(&control), ["up", "down", "draining"]);
}

#[test]
fn what_cannot_be_kept_does_not_hold() {
    let control = Control::start();
    // A directory in its place: nothing can be put there.
    std::fs::create_dir_all(control.store.logs().join("overrides.json")).unwrap();
    let answer = set(
        &control,
        "Admin",
        "us-east",
        json!({"state":"drain","reason":"x"}),
    );
    assert!(answer.problem(503).contains("cannot be kept"));
    control
        .ask("Admin", "PUT /api/v1/freeze", Some(r#"{"reason":"x"}"#))
        .problem(503);
    assert_eq!(statuses(&control), ["up", "up", "up"]);
    assert_eq!(control.state()["freeze"], Value::Null);
}

#[test]
fn whoever_may_not_forbid_never_takes_a_forbid_back_however_close_they_come() {
    let control = Control::with(&[("FEATURE_BLUE_GREEN", "")]);
    let line = "/api/v1/regions/us-east/override";
    for _ in 0..8 {
        control
            .ask("Admin", &format!("DELETE {line}"), None)
            .is(204);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                set(
                    &control,
                    "Admin",
                    "us-east",
                    json!({"state":"forbid","reason":"fire"}),
                )
                .is(200)
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    set(
                        &control,
                        "Deployer",
                        "us-east",
                        json!({"state":"drain","reason":"x"}),
                    )
                });
                scope.spawn(|| control.ask("Deployer", &format!("DELETE {line}"), None));
            }
        });
        assert_eq!(statuses(&control)[0], "forbidden");
    }
    let events = control
        .ask("Viewer", "GET /api/v1/region-events", None)
        .json();
    let events = events["events"].as_array().unwrap();
    let ends = events
        .iter()
        .filter(|event| event["from"] == "forbidden" && event["to"] != "forbidden");
    assert!(
        ends.clone().all(|event| event["user"] == "Admin"),
        "{events:#?}"
    );
    assert!(ends.count() >= 7);
    for pair in events.windows(2) {
        assert_eq!(
            pair[0]["to"], pair[1]["from"],
            "in the order in which it held"
        );
    }
}

#[test]
fn two_servers_of_one_store_lose_nothing_of_what_people_say_and_a_table_by_hand_goes_by_it() {
    let mut control = Control::start();
    let other = halcyon_tests::process::Serving::start(&control.variables());
    set(
        &control,
        "Admin",
        "us-east",
        json!({"state":"forbid","reason":"fire"}),
    )
    .is(200);
    let bearer = format!("Bearer {}", control.secret("Deployer"));
    let headers = [("Authorization", bearer.as_str())];
    let body = json!({"state":"drain","reason":"x"}).to_string();
    let line = "PUT /api/v1/regions/eu-west/override";
    crate::client::send(other.dashboard(), line, &headers, Some(&body)).is(200);
    control.until("what the other one was told", |state| {
        state["regions"][2]["status"] == "draining"
    });
    control.killed_and_restarted();
    assert_eq!(statuses(&control), ["forbidden", "up", "draining"]);
    let variables = control.variables();
    let table = control
        .store
        .run_with(&["table"], &variables)
        .exits(0)
        .json();
    let regions = table["regions"].as_array().unwrap().iter();
    let regions: Vec<&Value> = regions.map(|region| &region["status"]).collect();
    assert_eq!(regions, ["forbidden", "up", "draining"]);
    // So does the command line that says where tenants go.
    let route = |more: &[&str]| {
        let own = [
            "route", "-o", "json", "acme", "globex", "initech", "umbrella",
        ];
        let ran = control
            .store
            .run_with(&[&own[..], more].concat(), &variables);
        let all = ran.exits(0).json();
        let all = all.as_array().unwrap().iter();
        let all = all.map(|answer| answer["region"].as_str().unwrap().to_owned());
        all.collect::<Vec<_>>()
    };
    assert_eq!(route(&[]), ["us-west"; 4]);
    assert_eq!(route(&["--down", "us-west"]), ["eu-west"; 4]);
    std::fs::write(control.store.logs().join("overrides.json"), "{").unwrap();
    let ran = control.store.run_with(&["route", "acme"], &variables);
    ran.exits(1).says("overrides.json");
    let ran = control.store.run_with(&["table"], &variables).exits(1);
    assert!(ran.stderr.contains("overrides.json"), "{}", ran.stderr);
    assert_eq!(
        statuses(&control),
        ["forbidden", "up", "draining"],
        "a broken file changes nothing"
    );
}

#[test]
fn what_is_said_again_is_no_worse_though_no_healthy_region_remains() {
    let control = Control::start();
    for region in ["us-east", "us-west"] {
        set(
            &control,
            "Deployer",
            region,
            json!({"state":"drain","reason":"x"}),
        )
        .is(200);
    }
    set(
        &control,
        "Admin",
        "eu-west",
        json!({"state":"forbid","reason":"x","force":true}),
    )
    .is(200);
    set(
        &control,
        "Deployer",
        "us-east",
        json!({"state":"drain","reason":"longer","ttl_s":60}),
    )
    .is(200);
    set(
        &control,
        "Admin",
        "us-east",
        json!({"state":"forbid","reason":"x"}),
    )
    .problem(409);
    set(
        &control,
        "Admin",
        "eu-west",
        json!({"state":"drain","reason":"x"}),
    )
    .is(200);
}

#[test]
fn a_newline_in_a_reason_is_no_second_line_of_the_log() {
    let control = Control::start();
    let forged = "x\n2026-01-01T00:00:00Z ERROR forged\u{2028}y";
    set(
        &control,
        "Deployer",
        "us-east",
        json!({"state":"drain","reason":forged}),
    )
    .is(200);
    let begin = std::time::Instant::now();
    while !control
        .server
        .stderr()
        .contains("region us-east: up -> draining by Deployer: x")
    {
        assert!(begin.elapsed() < std::time::Duration::from_secs(10));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let said = control.server.stderr();
    assert!(
        !said.lines().any(|line| line.starts_with("2026-01-01")),
        "{said}"
    );
    assert!(!said.contains('\u{2028}'), "{said}");
}
