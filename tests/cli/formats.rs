//! `-o human|json|jsonl` on every command, in success and in failure.

use halcyon_tests::process::Serving;
use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Ran, Store, json_lines};

use crate::{REGIONS, released};

const FORMATS: [&str; 3] = ["human", "json", "jsonl"];

fn in_format(store: &Store, arguments: &[&str], format: &str) -> Ran {
    store.run_with(&[arguments, &["-o", format]].concat(), &REGIONS)
}

#[test]
fn every_answer_is_text_one_document_or_an_object_a_line() {
    let serving = Serving::start(&[("DRAIN_MS", "0")]);
    let url = format!("http://{}", serving.address());
    for arguments in [
        &["regions"][..],
        &["failover", "us-east"],
        &["route", "acme", "tenant1"],
        &["route", "acme", "--explain", "--down", "us-east"],
        &["status"],
        &["audit", "verify"],
        &["audit", "tail"],
        &["healthcheck", &url],
        &["rollback", "--reason", "x"],
    ] {
        for format in FORMATS {
            let store = Store::new();
            released(&store);
            let ran = in_format(&store, arguments, format).exits(0);
            assert!(!ran.stdout.is_empty(), "{arguments:?}");
            match format {
                "human" => assert!(
                    !ran.stdout.contains('\u{1b}'),
                    "no colour without a terminal"
                ),
                "json" => drop(ran.json()),
                _ => assert!(
                    ran.json_lines().iter().all(serde_json::Value::is_object),
                    "{}",
                    ran.stdout
                ),
            }
            if format != "human" {
                json_lines(&ran.stderr);
                assert!(ran.stdout.is_ascii(), "{}", ran.stdout);
            }
        }
    }
}

#[test]
fn several_answers_are_an_array_under_json() {
    let store = Store::new();
    for (tenants, count) in [(&["acme"][..], 1), (&["acme", "tenant1", "tenant2"], 3)] {
        let answers = in_format(&store, &[&["route"], tenants].concat(), "json")
            .exits(0)
            .json();
        assert_eq!(answers.as_array().unwrap().len(), count);
        assert_eq!(
            in_format(&store, &[&["route"], tenants].concat(), "jsonl")
                .exits(0)
                .json_lines()
                .len(),
            count
        );
    }
    let answer = in_format(&store, &["failover", "eu-west"], "json")
        .exits(0)
        .json();
    assert_eq!(answer, serde_json::json!({"region": "us-east"}));
}

#[test]
fn steering_commands_answer_with_the_state_under_json() {
    for (command, state) in [
        ("pause", "canary"),
        ("resume", "canary"),
        ("promote", "green_live"),
    ] {
        let (store, region) = (Store::new(), Region::ready());
        let driver = store.start(&[
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--canary-seq",
            "10",
            "--timeout-s",
            "30",
            "--region",
            &region.at(),
        ]);
        store.wait_for("start_canary");
        drop(driver);
        if command == "resume" {
            store.run(&["pause"]).exits(0);
        }
        let answer = in_format(&store, &[command], "json").exits(0).json();
        assert_eq!(answer["state"], state, "{answer}");
        assert!(
            answer["audit_head"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{}:", store.lines().len()))
        );
    }
}

/// Exit code and problem of a failure, checked in both formats.
#[track_caller]
fn assert_problem(ran: &Ran, code: i32) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.is_ascii() && ran.stderr.ends_with('\n'),
        "{}",
        ran.stderr
    );
    let said = json_lines(&ran.stderr);
    let problems: Vec<_> = said
        .iter()
        .filter(|object| object.get("title").is_some())
        .collect();
    assert_eq!(problems.len(), 1, "{}", ran.stderr);
    assert!(!problems[0]["detail"].as_str().unwrap().is_empty());
    assert_eq!(problems[0]["exit_code"], code, "{}", ran.stderr);
    for other in said.iter().filter(|object| object.get("title").is_none()) {
        assert!(
            other.get("warning").is_some() || other.get("audit_head").is_some(),
            "{other}"
        );
    }
}

#[test]
fn an_error_under_json_and_jsonl_is_one_problem_object_and_stdout_stays_clean() {
    for format in ["json", "jsonl"] {
        let store = Store::new();
        released(&store);
        for (arguments, env, code) in [
            (
                &["failover", "us-east"][..],
                &[("REGIONS", "us-east")][..],
                1,
            ),
            (&["route", "acme"], &[("REGIONS", "")], 2),
            (&["failover", "us-east"], &[("REGIONS", "")], 2),
            (&["status"], &[("HALCYON_STORE", "x"), ("DRAIN_MS", "x")], 2),
            (&["route", "acme", "--down", "mars"], &[], 2),
            (&["route"], &[], 2),
            (&["nonsense"], &[], 2),
            (&["status", "--nonsense"], &[], 2),
            (&["release"], &[], 2),
            (&["rollback"], &[], 2),
            (&["audit"], &[], 2),
            (&["audit", "verify", "--expect-head", "x"], &[], 2),
            (&["completions", "nonsense"], &[], 2),
            (&["serve"], &[("HEALTH_PORT", "x"), ("DRAIN_MS", "x")], 2),
            (&["serve", "--health-port", "x"], &[], 2),
            (&["healthcheck", "ftp://x"], &[], 2),
            (&["healthcheck"], &[("HEALTH_PORT", "x")], 2),
            (&["promote"], &[("DEPLOY_RBAC_ROLE", "Viewer")], 4),
            (&["promote"], &[], 5),
            (&["pause"], &[("FEATURE_BLUE_GREEN", "false")], 5),
            (
                &["status", "--until", "canary", "--deadline", "50ms"],
                &[],
                124,
            ),
        ] {
            let env = [&REGIONS[..], env].concat();
            let ran = store.run_with(&[arguments, &["-o", format]].concat(), &env);
            // A refusal for the role is a record, and under jsonl every record is an event.
            let recorded = code == 4 && format == "jsonl";
            let expected = if recorded { store.lines().pop() } else { None };
            let expected = expected.map_or(String::new(), |line| format!("{line}\n"));
            assert_eq!(ran.stdout, expected, "{arguments:?}");
            assert_problem(&ran, code);
            // The flag may stand first, and as --output=.
            let ran = store.run_with(
                &[&[&*format!("--output={format}")], arguments].concat(),
                &env,
            );
            assert_problem(&ran, code);
        }
        std::fs::write(store.log(), "broken\n").unwrap();
        assert_problem(&in_format(&store, &["status"], format), 6);
    }
}

#[test]
fn a_release_that_fails_ends_with_one_problem_object() {
    for format in ["json", "jsonl"] {
        let (store, region) = (Store::new(), Region::answering(Answer::Close));
        let at = region.at();
        let arguments = [
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--canary-seq",
            "10",
            "--abort-on-err",
            "--region",
            &at,
        ];
        let ran = in_format(&store, &arguments, format);
        assert_problem(&ran, 3);
        json_lines(&ran.stdout);
        let failing = [&arguments[..], &["--on-step", "false"]].concat();
        let ran = in_format(&store, &failing, format);
        assert_problem(&ran, 7);
    }
}

#[test]
fn usage_errors_of_the_output_flag_itself_are_for_people() {
    let store = Store::new();
    for arguments in [
        &["status", "-o", "xml"][..],
        &["status", "-o"],
        &["-o", "JSON", "status"],
    ] {
        store.run(arguments).exits(2).says("error");
    }
}

#[test]
fn a_health_check_that_fails_exits_with_one() {
    let store = Store::new();
    let region = Region::answering(Answer::NotReady("database"));
    let url = format!("http://{}", region.at());
    for format in FORMATS {
        let ran = in_format(&store, &["healthcheck", &url], format).exits(1);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("database"));
    }
}

#[test]
fn an_unplaced_tenant_fails_the_command_after_all_are_answered() {
    let store = Store::new();
    for format in ["json", "jsonl"] {
        let ran = in_format(&store, &["route", "", "acme"], format).exits(1);
        let answers = if format == "json" {
            ran.json().as_array().unwrap().clone()
        } else {
            ran.json_lines()
        };
        assert_eq!(
            (answers.len(), &answers[0]["region"]),
            (2, &serde_json::Value::Null)
        );
        assert!(answers[0]["error"].as_str().unwrap().contains("1 to 16384"));
        assert_eq!(answers[1]["region"], "us-east");
    }
}
