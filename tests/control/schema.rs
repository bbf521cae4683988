//! The API against its own description, by schemathesis: whatever the description allows is taken, whatever it
//! does not is refused, every answer is one that it names, and none is a server error.

use std::path::PathBuf;
use std::process::Command;

use crate::client::Control;

const VERSION: &str = "4.32.5";

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

/// The program, installed once below the target folder.
fn schemathesis() -> Option<PathBuf> {
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

#[test]
fn schemathesis_finds_nothing_as_an_admin_as_an_edge_and_without_a_token() {
    let Some(program) = schemathesis() else {
        return;
    };
    let control = Control::with(&[("DASHBOARD_HOSTS", "127.0.0.1,localhost")]);
    let seed = std::env::var("HALCYON_SEED").unwrap_or_else(|_| "7".into());
    let description = format!("http://{}/openapi.json", control.address());
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/control/schemathesis.toml");
    // An edge may do two things, one of which everybody may who reads.
    let edge = ["--include-path", "/api/v1/telemetry"].as_slice();
    for (role, only, tested) in [
        ("Admin", [].as_slice(), 22),
        ("Edge", edge, 1),
        ("", &[], 22),
    ] {
        let mut command = Command::new(&program);
        command.args([
            "--config-file",
            config,
            "run",
            &description,
            "--seed",
            &seed,
        ]);
        // A stream has no end, and a client of the API has so many changes a second.
        command.args([
            "--exclude-path",
            "/api/v1/stream",
            "--rate-limit",
            "18/s",
            "--max-examples",
            "15",
        ]);
        command.args(only);
        if !role.is_empty() {
            command.args([
                "-H",
                &format!("Authorization: Bearer {}", control.secret(role)),
            ]);
        }
        let ran = command.current_dir(control.store.dir()).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "seed {seed}, {role:?}: {said}");
        assert!(said.contains(&format!("Tested: {tested}")), "{said}");
    }
}
