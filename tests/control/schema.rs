//! The API against its own description, by schemathesis: whatever the description allows is taken, whatever it
//! does not is refused, every answer is one that it names, and none is a server error.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::client::Control;

const VERSION: &str = "4.32.5";

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

/// The program, installed once below the target folder.
fn schemathesis() -> Option<PathBuf> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    INSTALLED.get_or_init(installed).clone()
}

fn installed() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let home = test.ancestors().nth(3).unwrap().join("schemathesis");
    let program = home.join("bin/st");
    let version = || {
        let said = Command::new(&program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&said.stdout).contains(VERSION))
    };
    if version() == Some(true) {
        return Some(program);
    }
    if std::env::var_os(PEERS).is_none() {
        eprintln!(
            "not tested: there is no schemathesis below the target folder, and {PEERS} is not set"
        );
        return None;
    }
    let run = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
    run(Command::new("python3").args(["-m", "venv"]).arg(&home));
    let package = format!("schemathesis=={VERSION}");
    run(Command::new(home.join("bin/pip")).args(["install", "--quiet", &package]));
    assert_eq!(version(), Some(true));
    Some(program)
}

/// Tries whatever the description allows with the token of a role, or with none, below the paths that
/// `only` names, of which there are `tested`.
fn nothing_is_found(role: Option<&str>, only: &[&str], tested: u8) {
    let Some(program) = schemathesis() else {
        return;
    };
    let control = Control::with(&[("DASHBOARD_HOSTS", "127.0.0.1,localhost")]);
    let seed = std::env::var("HALCYON_SEED").unwrap_or_else(|_| "7".into());
    let description = format!("http://{}/openapi.json", control.address());
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/control/schemathesis.toml");
    let mut command = Command::new(&program);
    command.args(["--config-file", config, "run", &description]);
    command.args(["--seed", &seed, "--max-examples", "15"]);
    // A client of the API has so many changes a second.
    command.args(["--rate-limit", "18/s"]);
    // A stream has no end.
    command.args(["--exclude-path", "/api/v1/stream"]);
    command.args(only);
    if let Some(role) = role {
        let token = format!("Authorization: Bearer {}", control.secret(role));
        command.args(["-H", &token]);
    }
    let ran = command.current_dir(control.store.dir()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "seed {seed}, {role:?}: {said}");
    assert!(said.contains(&format!("Tested: {tested}")), "{said}");
}

// Each on a server of its own, so that they share no rate limit.

#[test]
fn schemathesis_finds_nothing_as_an_admin() {
    nothing_is_found(Some("Admin"), &[], 22);
}

#[test]
fn schemathesis_finds_nothing_as_an_edge() {
    // It may do two things, one of which everybody may who reads.
    nothing_is_found(Some("Edge"), &["--include-path", "/api/v1/telemetry"], 1);
}

#[test]
fn schemathesis_finds_nothing_without_a_token() {
    nothing_is_found(None, &[], 22);
}
