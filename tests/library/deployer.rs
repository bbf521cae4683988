//! A release driven by a deployer of somebody's own.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use halcyon_tests::process;
use serde_json::Value;

fn deployer(dir: &Path, role: &str) -> Command {
    let mut command = Command::new(process::example("deployer"));
    command
        .arg(dir)
        .arg("app:v2")
        .env_clear()
        .env("DEPLOY_RBAC_ROLE", role);
    command
}

/// What `halcyon` says of the journal.
fn halcyon(dir: &Path, arguments: &[&str]) -> Output {
    let store = format!("file:{}", dir.display());
    process::run(
        &[arguments, &["-o", "json"]].concat(),
        &[("HALCYON_STORE", &store)],
    )
}

fn status(dir: &Path) -> Value {
    let output = halcyon(dir, &["status"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"))
}

fn weight(dir: &Path, region: &str) -> String {
    std::fs::read_to_string(dir.join(format!("{region}.weight"))).unwrap_or_default()
}

#[test]
fn it_takes_both_regions_to_100_and_the_program_reads_its_journal() {
    let dir = tempfile::tempdir().unwrap();
    let output = deployer(dir.path(), "Deployer").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && said.ends_with("green_live: blue is app:v2\n"),
        "{said}"
    );
    assert_eq!(
        ["us-east", "eu-west"].map(|region| weight(dir.path(), region)),
        ["100", "100"]
    );
    assert_eq!(status(dir.path())["state"], "green_live");
    assert!(halcyon(dir.path(), &["audit", "verify"]).status.success());
}

#[test]
fn a_broken_region_brings_both_back_to_blue() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("eu-west.broken"), "").unwrap();
    let output = deployer(dir.path(), "Deployer").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && said.ends_with("idle: blue is app:v1\n"),
        "{said}"
    );
    assert_eq!(
        ["us-east", "eu-west"].map(|region| weight(dir.path(), region)),
        ["0", "0"]
    );
    assert!(halcyon(dir.path(), &["audit", "verify"]).status.success());
}

#[test]
fn killed_and_started_again_it_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = deployer(dir.path(), "Deployer").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while weight(dir.path(), "us-east") != "10" {
        assert!(Instant::now() < deadline, "the canary never begins");
        std::thread::sleep(Duration::from_millis(2));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let journal = dir.path().join("deploy_audit.log");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"{\"timestamp\":\"20");
    std::fs::write(&journal, bytes).unwrap();
    assert_eq!(status(dir.path())["state"], "canary");
    let output = deployer(dir.path(), "Deployer").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("going on with r") && said.ends_with("green_live: blue is app:v2\n"),
        "{said}"
    );
    let verified = halcyon(dir.path(), &["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(
        text.contains("\"torn_tail_cut\":16"),
        "the cut is on record: {text}"
    );
    assert_eq!(
        text.matches("\"action\":\"start_canary\"").count(),
        1,
        "no step is repeated"
    );
}

#[test]
fn whoever_may_not_release_is_refused_and_that_is_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let output = deployer(dir.path(), "Viewer").output().unwrap();
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("Invalid DEPLOY_RBAC_ROLE"),
        "{output:?}"
    );
    let journal = std::fs::read_to_string(dir.path().join("deploy_audit.log")).unwrap();
    assert!(journal.contains("permission_denied"), "{journal}");
    assert!(halcyon(dir.path(), &["audit", "verify"]).status.success());
}
