//! The command line as a client: where HALCYON_SERVER is set, releases are the server's.

use std::time::Duration;

use halcyon_tests::process::{Signal, unused_port};
use halcyon_tests::region::Answer;
use halcyon_tests::store::{Ran, Running, Store, json_lines};
use serde_json::json;

use crate::client::Control;

/// Somebody elsewhere, with a store of their own and nothing in it.
pub(crate) struct Elsewhere {
    store: Store,
    pub(crate) variables: Vec<(String, String)>,
}

impl Elsewhere {
    pub(crate) fn of(control: &Control, role: &str) -> Self {
        let store = Store::new();
        let token = store.dir().join("token");
        std::fs::write(&token, control.secret(role) + "\n").unwrap();
        let variables = [
            ("HALCYON_SERVER", format!("http://{}", control.address())),
            ("HALCYON_TOKEN_FILE", token.display().to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Self {
            store,
            variables: variables.into(),
        }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let variables = self.variables.iter();
        variables
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let ran = self.store.run_with(arguments, &self.variables());
        assert!(!self.store.logs().exists(), "nothing is written here");
        ran
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.store.start_with(arguments, &self.variables())
    }
}

pub(crate) fn release<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let own = [
        "release",
        "--image-blue",
        "app:v1",
        "--image-green",
        "app:v2",
        "--abort-on-err",
    ];
    [&own, more].concat()
}

/// A port that stays the same over a restart.
fn on_a_fixed_port() -> Control {
    let port = unused_port().to_string();
    Control::with(&[("DASHBOARD_PORT", &port)])
}

#[test]
fn that_the_audit_log_there_is_broken_is_exit_6_as_beside_it() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    elsewhere.run(&["status"]).exits(0);
    let garbage = "{\"garbage\":1}\n";
    std::fs::create_dir_all(control.store.logs()).unwrap();
    std::fs::write(control.store.log(), garbage).unwrap();
    let commands: [&[&str]; 4] = [
        &["status"],
        &["rollback", "--reason", "x"],
        &["promote"],
        &release(&["--canary-seq", "10", "--region", "127.0.0.1:1"]),
    ];
    for arguments in commands {
        let ran = elsewhere.run(arguments).exits(6);
        ran.says("deploy_audit.log is corrupt: ");
    }
}

#[test]
fn a_release_is_submitted_and_shown_record_by_record_to_its_end() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let ran = elsewhere.run(&release(&[
        "--canary-seq",
        "10,50",
        "--timeout-s",
        "0",
        "--region",
        "us-east",
        "--region",
        "eu-west",
    ]));
    let ran = ran.exits(0);
    assert_eq!(
        ran.stdout.lines().collect::<Vec<_>>(),
        control.store.lines(),
        "as they stand in the file"
    );
    let plan = &control.records()[0]["plan"];
    assert_eq!(
        (&plan["regions"][1]["name"], &plan["by_server"]),
        (&json!("eu-west"), &json!(true))
    );
    let status = elsewhere.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(
        status,
        control.store.run(&["status", "-o", "json"]).exits(0).json()
    );
    let again = elsewhere
        .run(&["release", "--resume", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(again["outcome"], "promoted");
}

#[test]
fn ctrl_c_detaches_and_says_so_and_the_release_goes_on() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let running = elsewhere.start(&release(&[
        "--canary-seq",
        "10",
        "--timeout-s",
        "3",
        "--region",
        "us-east",
    ]));
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    running.signal(Signal::INT);
    let ran = running.ended().exits(130);
    assert!(
        ran.stderr.contains("detached: the release goes on at"),
        "{}",
        ran.stderr
    );
    // Another one attaches from anywhere.
    let viewer = Elsewhere::of(&control, "Viewer");
    let watched = viewer
        .run(&["status", "--watch", "--until", "green_live", "-o", "jsonl"])
        .exits(0);
    let states = json_lines(&watched.stdout);
    assert_eq!(states.last().unwrap()["state"], "green_live");
    assert!(
        !control
            .store
            .actions()
            .contains(&"detach_driver".to_owned())
    );
}

#[test]
fn a_client_that_is_killed_takes_nothing_with_it() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let running = elsewhere.start(&release(&[
        "--canary-seq",
        "10",
        "--timeout-s",
        "2",
        "--region",
        "us-east",
    ]));
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    running.signal(Signal::KILL);
    control.until("its end", |state| state["release"]["state"] == "green_live");
}

#[test]
fn a_client_waits_for_a_server_that_is_killed_and_started_again() {
    let mut control = on_a_fixed_port();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let running = elsewhere.start(&release(&[
        "--canary-seq",
        "10",
        "--timeout-s",
        "3",
        "--region",
        "us-east",
    ]));
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    control.server.signal(Signal::KILL);
    control.server.wait(Duration::from_secs(10)).unwrap();
    std::thread::sleep(Duration::from_millis(800));
    control.restarted();
    let ran = running.ended().exits(0);
    assert!(ran.stderr.contains("trying again"), "{}", ran.stderr);
    assert_eq!(
        ran.stdout.lines().collect::<Vec<_>>(),
        control.store.lines()
    );
}

#[test]
fn a_release_that_goes_back_ends_with_3_and_says_why() {
    let control = Control::start();
    control.regions[1].answer(Answer::Close);
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let ran = elsewhere.run(&release(&[
        "--canary-seq",
        "10",
        "--timeout-s",
        "0",
        "--region",
        "us-east",
        "--region",
        "us-west",
    ]));
    let ran = ran.exits(3);
    assert!(
        ran.stderr
            .contains("rolled back: smoke test before 10% failed in us-west"),
        "{}",
        ran.stderr
    );
}

#[test]
fn another_blue_image_than_the_journals_is_said_there_too() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let once = [
        "--canary-seq",
        "50",
        "--timeout-s",
        "0",
        "--region",
        "us-east",
    ];
    let first = elsewhere.run(&release(&once)).exits(0);
    assert!(!first.stderr.contains("is not what the journal says"));
    let again = elsewhere.run(&release(&once)).exits(0);
    let said = "warning: --image-blue: \"app:v1\" is not what the journal says; \"app:v2\" is used";
    assert!(again.stderr.contains(said), "{}", again.stderr);
    // A hook is the server's, for a rollback too.
    let rollback = ["rollback", "--reason", "x", "--on-step", "true"];
    let ran = elsewhere.run(&rollback).exits(2);
    assert!(
        ran.stderr.contains("allowed: STEP_HOOK there"),
        "{}",
        ran.stderr
    );
}

#[test]
fn people_steer_it_from_elsewhere() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let running = elsewhere.start(&release(&[
        "--canary-seq",
        "10",
        "--timeout-s",
        "60",
        "--region",
        "us-east",
    ]));
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    let paused = elsewhere
        .run(&["pause", "--reason", "lunch", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(paused["paused"], "lunch");
    let again = elsewhere.run(&["pause", "--reason", "a second one"]);
    again.exits(0).says("it is paused already");
    let status = control.state();
    assert_eq!(status["release"]["paused"], "lunch");
    assert_eq!(
        elsewhere.run(&["resume", "-o", "json"]).exits(0).json()["paused"],
        json!(null)
    );
    elsewhere.run(&["resume"]).exits(5);
    elsewhere
        .run(&release(&["--canary-seq", "10", "--region", "us-east"]))
        .exits(5);
    elsewhere.run(&["promote"]).exits(0);
    running.ended().exits(0);
    elsewhere.run(&["rollback", "--reason", "worse"]).exits(0);
    assert_eq!(control.state()["release"]["blue_image"], "app:v1");
}

#[test]
fn a_deadline_takes_it_back_or_holds_it() {
    for (abort, state) in [(true, "idle"), (false, "canary")] {
        let control = Control::start();
        let elsewhere = Elsewhere::of(&control, "Deployer");
        let mut arguments = release(&[
            "--canary-seq",
            "10",
            "--timeout-s",
            "60",
            "--region",
            "us-east",
            "--deadline",
            "2s",
        ]);
        arguments.retain(|argument| abort || *argument != "--abort-on-err");
        let ran = elsewhere.run(&arguments).exits(124);
        let paused = "The release is paused there; `halcyon resume` lets it go on.";
        assert_eq!(ran.stderr.contains(paused), !abort, "{}", ran.stderr);
        let records = control.records();
        let head = records.last().unwrap()["seq"].to_string();
        assert!(
            ran.stderr.contains(&format!("audit head {head}:")),
            "{head}: {}",
            ran.stderr
        );
        let snapshot = control.state();
        assert_eq!(snapshot["release"]["state"], state);
        assert_eq!(snapshot["release"]["paused"].is_string(), !abort);
    }
}

#[test]
fn a_rollback_that_a_hook_keeps_from_its_end_is_exit_7_and_the_server_goes_on_trying() {
    let dir = tempfile::TempDir::new().unwrap();
    let mended = dir.path().join("mended");
    let hook = format!(
        "test $HALCYON_ACTION != rollback_to_blue -o -e {}",
        mended.display()
    );
    let control = Control::with(&[("STEP_HOOK", &hook)]);
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let running = elsewhere.start(&release(&[
        "--canary-seq",
        "10",
        "--timeout-s",
        "60",
        "--region",
        "us-east",
    ]));
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    let ran = elsewhere.run(&["rollback", "--reason", "x"]).exits(7);
    assert!(ran.stderr.contains("rollback incomplete"), "{}", ran.stderr);
    let ran = running.ended().exits(7);
    assert!(
        ran.stderr.contains("beside its journal: halcyon rollback")
            && !ran.stderr.contains("resume"),
        "{}",
        ran.stderr
    );
    let status = elsewhere.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains("stuck     ") && !status.contains("driver    none"),
        "{status}"
    );
    assert!(
        control.state()["stuck"]
            .as_str()
            .unwrap()
            .contains("us-east")
    );
    let records = control.records().len();
    std::fs::write(mended, "").unwrap();
    // Why the last attempt failed is no answer to the next word.
    elsewhere.run(&["rollback", "--reason", "mended"]).exits(0);
    assert_eq!(control.state()["release"]["state"], "idle");
    assert_eq!(control.state()["stuck"], json!(null));
    assert!(
        control.records().len() <= records + 3,
        "trying leaves no records"
    );
}

#[test]
fn a_deadline_ends_the_waiting_for_a_server_that_is_gone() {
    let mut control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let arguments = release(&[
        "--canary-seq",
        "10",
        "--timeout-s",
        "60",
        "--region",
        "us-east",
        "--deadline",
        "4s",
    ]);
    let running = elsewhere.start(&arguments);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    control.server.signal(Signal::KILL);
    control.server.wait(Duration::from_secs(10)).unwrap();
    let ran = running.ended_within(Duration::from_secs(30)).exits(124);
    assert!(ran.stderr.contains("nobody to tell"), "{}", ran.stderr);
}

#[test]
fn what_the_server_refuses_has_the_exit_code_of_the_same_refusal_here() {
    let control = Control::start();
    let viewer = Elsewhere::of(&control, "Viewer");
    let ran = viewer
        .run(&release(&["--canary-seq", "10", "--region", "us-east"]))
        .exits(4);
    assert!(ran.stderr.contains("Viewer"), "{}", ran.stderr);
    viewer.run(&["rollback", "--reason", "x"]).exits(4);
    let deployer = Elsewhere::of(&control, "Deployer");
    let ran = deployer
        .run(&release(&["--canary-seq", "10", "--region", "10.9.8.7"]))
        .exits(2);
    assert!(
        ran.stderr.contains("10.9.8.7") && ran.stderr.contains("configured regions"),
        "{}",
        ran.stderr
    );
    for (more, part) in [("--on-step=true", "STEP_HOOK"), ("--dry-run", "--dry-run")] {
        let ran = deployer
            .run(&release(&[
                "--canary-seq",
                "10",
                "--region",
                "us-east",
                more,
            ]))
            .exits(2);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    deployer.run(&["promote"]).exits(5);
    deployer.run(&["release", "--resume"]).exits(2);
    assert_eq!(
        control.store.actions(),
        ["permission_denied"],
        "at most once a second"
    );
}

#[test]
fn a_journal_that_is_named_is_the_one_that_is_meant_and_no_servers() {
    let control = Control::start();
    let deployer = Elsewhere::of(&control, "Deployer");
    let here = Store::new();
    let store = format!("file:{}", here.logs().display());
    for command in [
        &["rollback", "--reason", "x"][..],
        &["status"],
        &["pause"],
        &["release", "--resume"],
    ] {
        let command = [command, &["--store", &store]].concat();
        let ran = deployer.store.run_with(&command, &deployer.variables());
        assert!(
            ran.stderr.contains("HALCYON_SERVER is not asked"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(here.actions(), ["rollback_to_blue"]);
    assert!(control.records().is_empty());
}

#[test]
fn the_kill_switch_of_whoever_asks_holds_whatever_the_servers_says() {
    let control = Control::start();
    let mut deployer = Elsewhere::of(&control, "Deployer");
    let off = ("FEATURE_BLUE_GREEN".to_owned(), "false".to_owned());
    deployer.variables.push(off);
    let begin = release(&["--canary-seq", "10", "--region", "us-east"]);
    for raising in [&begin[..], &["promote"], &["resume"]] {
        let ran = deployer.run(raising).exits(5);
        assert!(ran.stderr.contains("kill switch"), "{}", ran.stderr);
    }
    assert!(control.records().is_empty());
    // Going back always works.
    deployer.run(&["rollback", "--reason", "x"]).exits(0);
    assert_eq!(control.store.actions(), ["rollback_to_blue"]);
}

#[test]
fn a_server_that_cannot_be_asked_is_said_and_no_token_is_shown() {
    let control = Control::start();
    let elsewhere = Elsewhere::of(&control, "Deployer");
    let secret = control.secret("Deployer");
    let gone = format!("127.0.0.1:{}", unused_port());
    let bad = elsewhere.store.dir().join("bad");
    std::fs::write(&bad, "two words").unwrap();
    let (gone, bad) = (format!("http://{gone}"), bad.display().to_string());
    let query = format!("http://{}?x", control.address());
    let health = format!("http://{}", control.server.address());
    for (name, value, code) in [
        ("HALCYON_SERVER", gone.as_str(), 1),
        ("HALCYON_SERVER", "ftp://x", 2),
        ("HALCYON_SERVER", "http://user:secret@127.0.0.1/", 2),
        ("HALCYON_SERVER", query.as_str(), 2),
        // Its health server.
        ("HALCYON_SERVER", health.as_str(), 2),
        ("HALCYON_TOKEN_FILE", "/nonexistent", 2),
        ("HALCYON_TOKEN_FILE", bad.as_str(), 2),
        ("HALCYON_TOKEN_FILE", "/dev/null", 2),
    ] {
        let mut variables = elsewhere.variables();
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value));
        for command in [&["status"][..], &["rollback", "--reason", "x"]] {
            let ran = elsewhere.store.run_with(command, &variables).exits(code);
            assert!(ran.stderr.contains(name), "{name} {value}: {}", ran.stderr);
            for hidden in [secret.as_str(), "user:secret", "two words"] {
                assert!(!ran.stderr.contains(hidden), "{}", ran.stderr);
            }
        }
    }
    let mut variables = elsewhere.variables();
    variables.retain(|(name, _)| *name != "HALCYON_TOKEN_FILE");
    // Reading is open on loopback, changing is not.
    elsewhere.store.run_with(&["status"], &variables).exits(0);
    elsewhere.store.run_with(&["pause"], &variables).exits(4);
}
