//! Releases that are begun over the API are driven by the server, whoever has gone away.

use std::time::Duration;

use halcyon_tests::process::Signal;
use halcyon_tests::region::Answer;
use serde_json::{Value, json};

use crate::client::{Control, NAMES};
use crate::command_line::Elsewhere;

const BEGIN: &str = "POST /api/v1/releases";

fn wish(more: Value) -> String {
    let mut wish = json!({
        "image_blue": "app:v1", "image_green": "app:v2", "canary_seq": [10, 50],
        "timeout_s": 0, "abort_on_err": true,
    });
    let members = wish.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    wish.to_string()
}

/// `release` of b after a in one step to one region; no bake, unless `more` has one.
fn of_a_command_line<'a>(region: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let images = ["release", "--image-blue", "a", "--image-green", "b"];
    let mut arguments = images.to_vec();
    arguments.extend(["--canary-seq", "50", "--region", region]);
    if !more.contains(&"--timeout-s") {
        arguments.extend(["--timeout-s", "0"]);
    }
    arguments.extend(more);
    arguments
}

fn outcome(control: &Control, state: &str) -> Value {
    control.until(state, |snapshot| {
        snapshot["release"]["state"] == state && snapshot["release"]["under_way"] == false
    })
}

#[test]
fn a_release_begun_over_the_api_goes_to_its_end_with_nobody_attached() {
    let control = Control::start();
    let begun = control
        .ask("Deployer", BEGIN, Some(&wish(json!({}))))
        .is(202);
    let id = begun.json()["release_id"].as_str().unwrap().to_owned();
    let location = format!("/api/v1/releases/{id}");
    assert_eq!(begun.header("location"), Some(location.as_str()));
    assert_eq!(begun.header("etag"), Some("\"1\""));
    let state = outcome(&control, "green_live");
    assert_eq!(state["release"]["blue_image"], "app:v2");
    assert_eq!(
        control.store.actions(),
        [
            "provision_green",
            "start_canary",
            "step_passed",
            "increase_weight",
            "step_passed",
            "promote_green",
        ]
    );
    for record in control.records() {
        assert_eq!(
            (&record["user"], &record["deploy_role"]),
            (&json!("Deployer"), &json!("Deployer"))
        );
    }
    for region in &control.regions {
        assert!(
            region.asked().len() >= 4,
            "smoke test and bake of two steps"
        );
    }
    let shown = control
        .ask("Viewer", &format!("GET {location}"), None)
        .is(200);
    assert_eq!(
        (&shown.json()["outcome"], &shown.json()["revision"]),
        (&json!("promoted"), &state["revision"])
    );
    control
        .ask("Viewer", "GET /api/v1/releases/other", None)
        .problem(404);
    // The command line sees the same, and the chain holds.
    let status = control.store.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["state"], "green_live");
    control.store.run(&["audit", "verify"]).exits(0);
}

#[test]
fn a_release_goes_on_when_the_server_is_killed_and_started_again() {
    let mut control = Control::start();
    let wish = wish(json!({"timeout_s": 2}));
    control.ask("Deployer", BEGIN, Some(&wish)).is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    control.killed_and_restarted();
    outcome(&control, "green_live");
    let actions = control.store.actions();
    assert_eq!(
        actions
            .iter()
            .filter(|action| *action == "attach_driver")
            .count(),
        1
    );
    assert_eq!(
        actions
            .iter()
            .filter(|action| *action == "start_canary")
            .count(),
        1
    );
    assert_eq!(actions.last().unwrap(), "promote_green");
}

#[test]
fn a_server_that_is_told_to_end_leaves_the_release_to_the_next_one() {
    let mut control = Control::start();
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"timeout_s": 2}))))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    control.server.signal(Signal::TERM);
    let ended = control.server.wait(Duration::from_secs(5)).unwrap();
    assert_eq!(ended.code(), Some(0));
    let actions = control.store.actions();
    assert_eq!(
        actions,
        ["provision_green", "start_canary"],
        "neither held nor rolled back"
    );
    control.restarted();
    outcome(&control, "green_live");
}

#[test]
fn a_region_that_fails_takes_the_release_back_to_blue() {
    let control = Control::start();
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"timeout_s": 60}))))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    control.regions[1].answer(Answer::Close);
    let state = outcome(&control, "idle");
    assert_eq!(state["release"]["blue_image"], "app:v1");
    let id = state["release"]["release_id"].as_str().unwrap();
    let shown = control
        .ask("Viewer", &format!("GET /api/v1/releases/{id}"), None)
        .json();
    assert_eq!(shown["outcome"], "rolled_back");
    assert!(
        shown["reason"].as_str().unwrap().contains("us-west"),
        "{shown}"
    );
}

#[test]
fn people_pause_resume_promote_and_roll_back() {
    let control = Control::start();
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"timeout_s": 1}))))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    let paused = control.ask(
        "Deployer",
        "POST /api/v1/release/pause",
        Some(r#"{"reason":"lunch"}"#),
    );
    assert_eq!(paused.is(200).json()["paused"], "lunch");
    control
        .ask("Deployer", "POST /api/v1/release/pause", None)
        .is(200);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(control.state()["release"]["canary_weight"], 10);
    let resumed = control
        .ask("Deployer", "POST /api/v1/release/resume", None)
        .is(200);
    assert_eq!(resumed.json()["paused"], Value::Null);
    control
        .ask("Deployer", "POST /api/v1/release/resume", None)
        .problem(409);
    control
        .ask("Admin", "POST /api/v1/release/promote", None)
        .is(200);
    let promoted = outcome(&control, "green_live");
    assert_eq!(promoted["release"]["blue_image"], "app:v2");
    control
        .ask("Deployer", "POST /api/v1/release/promote", None)
        .problem(409);
    let body = Some(r#"{"reason":"worse"}"#);
    control
        .ask("Deployer", "POST /api/v1/release/rollback", body)
        .is(200);
    let state = outcome(&control, "idle");
    assert_eq!(state["release"]["blue_image"], "app:v1");
    let users: Vec<Value> = control
        .records()
        .iter()
        .map(|record| record["user"].clone())
        .collect();
    assert!(users.contains(&json!("Admin")));
    control
        .ask("Deployer", "POST /api/v1/release/rollback", Some("{}"))
        .problem(400);
    control
        .ask("Deployer", "POST /api/v1/release/rollback", None)
        .problem(400);
}

#[test]
fn a_key_given_twice_begins_one_release_and_with_another_body_none() {
    let control = Control::start();
    let key = [("Idempotency-Key", "8e03978e-40d5")];
    let first = control
        .ask_with("Deployer", BEGIN, &key, Some(&wish(json!({}))))
        .is(202);
    outcome(&control, "green_live");
    let again = control
        .ask_with("Deployer", BEGIN, &key, Some(&wish(json!({}))))
        .is(202);
    assert_eq!(again.header("location"), first.header("location"));
    let other = control.ask_with(
        "Deployer",
        BEGIN,
        &key,
        Some(&wish(json!({"canary_seq": [20]}))),
    );
    assert!(other.problem(409).contains("8e03978e-40d5"));
    let begun = control.store.actions();
    assert_eq!(
        begun
            .iter()
            .filter(|action| *action == "provision_green")
            .count(),
        1
    );
    for bad in ["", "two words", "\u{e9}"] {
        let key = [("Idempotency-Key", bad)];
        control
            .ask_with("Deployer", BEGIN, &key, Some(&wish(json!({}))))
            .problem(400);
    }
}

#[test]
fn a_key_of_a_command_that_changed_nothing_is_known_too() {
    let control = Control::start();
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"timeout_s": 60}))))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    let (pause, resume) = ("POST /api/v1/release/pause", "POST /api/v1/release/resume");
    control.ask("Deployer", pause, None).is(200);
    let key = [("Idempotency-Key", "p1")];
    control.ask_with("Deployer", pause, &key, None).is(200);
    control.ask("Deployer", resume, None).is(200);
    let again = control.ask_with("Deployer", pause, &key, None).is(200);
    assert_eq!(
        again.json()["paused"],
        Value::Null,
        "it has had its effect, which was none"
    );
    control
        .ask_with("Deployer", resume, &key, None)
        .problem(409);
    control.ask_with("Admin", pause, &key, None).is(200);
}

#[test]
fn a_change_that_rests_on_what_is_no_longer_so_is_refused_but_a_rollback_never_is() {
    let control = Control::start();
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"timeout_s": 60}))))
        .is(202);
    let state = control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    let revision = state["revision"].as_u64().unwrap();
    let snapshot = control.ask("Viewer", "GET /api/v1/state", None);
    let weak = snapshot.header("etag").unwrap().to_owned();
    assert!(weak.starts_with("W/\""));
    let before = control.records().len();
    let (strong, weak_revision) = (format!("\"{revision}\""), format!("W/\"{revision}\""));
    for stale in [weak.as_str(), "\"1\"", &weak_revision, "x", "\"999\""] {
        let headers = [("If-Match", stale)];
        let answer = control.ask_with("Deployer", "POST /api/v1/release/pause", &headers, None);
        assert!(answer.problem(412).contains("strong tag"), "{stale}");
    }
    assert_eq!(control.records().len(), before);
    for fresh in [strong.as_str(), "*"] {
        let headers = [("If-Match", fresh)];
        control
            .ask_with("Deployer", "POST /api/v1/release/pause", &headers, None)
            .is(200);
    }
    let headers = [("If-Match", "\"1\"")];
    let body = Some(r#"{"reason":"x"}"#);
    control
        .ask_with("Deployer", "POST /api/v1/release/rollback", &headers, body)
        .is(200);
    let revision = outcome(&control, "idle")["revision"].clone();
    // One more is on record and changes nothing, so nobody has to look again.
    let records = control.records().len();
    control
        .ask("Deployer", "POST /api/v1/release/rollback", body)
        .is(200);
    assert_eq!(control.records().len(), records + 1);
    assert_eq!(control.state()["revision"], revision);
}

#[test]
fn a_refused_role_is_on_record_and_changes_nothing() {
    let control = Control::start();
    control
        .ask("Viewer", BEGIN, Some(&wish(json!({}))))
        .problem(403);
    control.ask("Viewer", BEGIN, Some("{")).problem(403);
    control
        .ask("Edge", "POST /api/v1/release/promote", None)
        .problem(403);
    control
        .ask("", "POST /api/v1/release/promote", None)
        .problem(401);
    let records = control.records();
    let denied = |records: &[Value]| {
        let of = |record: &Value| {
            ["action", "user", "deploy_role", "attempted"].map(|name| record[name].clone())
        };
        records.iter().map(of).collect::<Vec<_>>()
    };
    // The same user at most once a second.
    let first = [
        ["permission_denied", "Viewer", "Viewer", "provision_green"],
        ["permission_denied", "Edge", "Edge", "promote_green"],
    ];
    assert_eq!(json!(denied(&records)), json!(first));
    // Whatever they sent, it is recorded what they asked for.
    for (path, attempted) in [
        ("releases", "provision_green"),
        ("release/pause", "pause"),
        ("release/rollback", "rollback_to_blue"),
        ("release/resume", "resume"),
    ] {
        std::thread::sleep(Duration::from_millis(1_100));
        let line = format!("POST /api/v1/{path}");
        control.ask("Viewer", &line, Some("{")).problem(403);
        let records = control.records();
        let last = denied(&records[records.len() - 1..]);
        let expected = json!([["permission_denied", "Viewer", "Viewer", attempted]]);
        assert_eq!(json!(last), expected);
    }
    assert_eq!(
        control.state()["revision"],
        0,
        "a refusal changes no release"
    );
}

#[test]
fn releases_that_are_switched_off_say_so_and_going_back_always_works() {
    for (value, state) in [("", "unset"), ("false", "kill switch")] {
        let control = Control::with(&[("FEATURE_BLUE_GREEN", value)]);
        let detail = control
            .ask("Deployer", BEGIN, Some(&wish(json!({}))))
            .problem(409);
        assert!(
            detail.contains("FEATURE_BLUE_GREEN=true"),
            "{state}: {detail}"
        );
        for path in ["promote", "resume"] {
            control
                .ask("Admin", &format!("POST /api/v1/release/{path}"), None)
                .problem(409);
        }
        control
            .ask("Viewer", BEGIN, Some(&wish(json!({}))))
            .problem(403);
        let body = Some(r#"{"reason":"x"}"#);
        control
            .ask("Deployer", "POST /api/v1/release/rollback", body)
            .is(200);
        // Refused by the state alone: nothing is under way.
        let detail = control
            .ask("Deployer", "POST /api/v1/release/pause", body)
            .problem(409);
        assert!(detail.contains("Cannot pause from state idle"), "{detail}");
    }
}

#[test]
fn a_release_goes_to_configured_regions_alone() {
    let control = Control::start();
    let address = format!("http://{}/", control.regions[1].at());
    for other in [
        "us-eest",
        "169.254.169.254",
        "http://metadata.google.internal/",
        "http://127.0.0.1:1",
        "localhost",
    ] {
        let body = wish(json!({"regions": [NAMES[0], other]}));
        let detail = control.ask("Deployer", BEGIN, Some(&body)).problem(400);
        assert!(
            detail.contains(other) && detail.contains("configured regions"),
            "{detail}"
        );
    }
    assert!(control.records().is_empty());
    let body = wish(json!({"regions": [address, "eu-west"]}));
    control.ask("Deployer", BEGIN, Some(&body)).is(202);
    let state = outcome(&control, "green_live");
    assert_eq!(state["release"]["state"], "green_live");
    assert!(control.regions[0].asked().is_empty());
    let plan = &control.records()[0]["plan"]["regions"];
    assert_eq!(
        (&plan[0]["name"], &plan[1]["name"]),
        (&json!("us-west"), &json!("eu-west"))
    );
}

#[test]
fn what_the_journal_does_not_allow_is_a_conflict_or_a_bad_request() {
    let control = Control::start();
    let detail = control
        .ask("Deployer", BEGIN, Some(&wish(json!({"image_blue": null}))))
        .problem(400);
    assert!(detail.contains("image_blue is missing"), "{detail}");
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"timeout_s": 60}))))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    let detail = control
        .ask("Deployer", BEGIN, Some(&wish(json!({}))))
        .problem(409);
    assert!(
        detail.contains("Cannot provision green from state canary"),
        "{detail}"
    );
}

#[test]
fn a_frozen_release_stands_still_and_goes_back_when_a_person_says_so() {
    let control = Control::start();
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"timeout_s": 1}))))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    control
        .ask("Admin", "PUT /api/v1/freeze", Some(r#"{"reason":"x"}"#))
        .is(200);
    control.regions[0].answer(Answer::Close);
    std::thread::sleep(Duration::from_millis(2_000));
    let state = control.state();
    assert_eq!(
        (
            &state["release"]["state"],
            &state["release"]["canary_weight"]
        ),
        (&json!("canary"), &json!(10))
    );
    control
        .ask(
            "Deployer",
            "POST /api/v1/release/rollback",
            Some(r#"{"reason":"x"}"#),
        )
        .is(200);
    outcome(&control, "idle");
}

#[test]
fn a_hook_of_the_server_makes_each_change_in_each_region() {
    let dir = tempfile::TempDir::new().unwrap();
    let log = dir.path().join("hooks");
    let hook = format!(
        "echo $HALCYON_ACTION $HALCYON_REGION $HALCYON_WEIGHT >> {}",
        log.display()
    );
    let control = Control::with(&[("STEP_HOOK", &hook)]);
    control
        .ask("Deployer", BEGIN, Some(&wish(json!({"canary_seq": [10]}))))
        .is(202);
    outcome(&control, "green_live");
    control.until("every region to confirm", |_| control.records().len() >= 12);
    let said = std::fs::read_to_string(log).unwrap();
    for action in ["provision_green", "start_canary", "promote_green"] {
        for region in NAMES {
            let line = format!("{action} {region} ");
            assert_eq!(
                said.lines().filter(|said| said.starts_with(&line)).count(),
                1,
                "{said}"
            );
        }
    }
}

#[test]
fn a_servers_environment_never_runs_the_hook_of_a_command_lines_promotion() {
    let control = Control::start();
    let region = control.regions[0].at();
    let hook = r#"[ "$NEED" = 1 ] || exit 9
        [ $HALCYON_ACTION != promote_green ] || [ -e go ] || sleep 60"#;
    let begin = of_a_command_line(&region, &["--abort-on-err", "--on-step", hook]);
    let driver = control.store.start_with(&begin, &[("NEED", "1")]);
    control.store.wait_for("promote_green");
    std::thread::sleep(Duration::from_millis(300));
    driver.signal(Signal::KILL);
    driver.ended();
    std::thread::sleep(Duration::from_secs(3));
    let actions = control.store.actions();
    assert_eq!(actions.last().unwrap(), "promote_green", "{actions:?}");
    // Who has what it needs goes on.
    std::fs::write(control.store.dir().join("go"), "").unwrap();
    control
        .store
        .run_with(&["release", "--resume"], &[("NEED", "1")])
        .exits(0);
    outcome(&control, "green_live");
}

#[test]
fn a_command_line_beside_the_server_drives_its_own_release() {
    let control = Control::start();
    let addresses: Vec<String> = control.regions.iter().map(|region| region.at()).collect();
    let arguments = of_a_command_line(&addresses[0], &["--timeout-s", "1"]);
    control.store.run(&arguments).exits(0);
    assert!(
        !control
            .store
            .actions()
            .contains(&"attach_driver".to_owned())
    );
    outcome(&control, "green_live");
}

#[test]
fn a_release_of_a_command_line_that_has_died_goes_on_beside_its_journal_and_is_said_to() {
    let control = Control::start();
    let address = control.regions[0].at();
    let arguments = of_a_command_line(&address, &["--timeout-s", "60"]);
    let driver = control.store.start(&arguments);
    control.store.wait_for("start_canary");
    driver.signal(Signal::KILL);
    driver.ended();
    let elsewhere = Elsewhere::of(&control, "Viewer");
    let there = elsewhere.run(&["status"]).exits(0).stdout;
    let resumed = "halcyon release --resume beside its journal";
    assert!(there.contains(resumed), "{there}");
    let here = control.store.run(&["status"]).exits(0).stdout;
    assert!(
        here.contains("none  (halcyon release --resume)\n"),
        "{here}"
    );
    let watching = elsewhere.start(&["release", "--resume"]);
    let begin = std::time::Instant::now();
    while !watching
        .stderr()
        .contains("nobody drives the release there now")
    {
        assert!(
            begin.elapsed() < Duration::from_secs(15),
            "{}",
            watching.stderr()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    watching.signal(Signal::INT);
    let ran = watching.ended().exits(130);
    ran.says("detached: nobody drives the release now at ");
}
