//! Variables that ask for what this version does not have are refused, never ignored.

use halcyon_core::config::UNSUPPORTED;
use halcyon_tests::store::Store;

use crate::REGIONS;

/// What the contract names and this version does not have.
const ABSENT: [&str; 2] = ["HALCYON_SERVER", "HALCYON_TOKEN_FILE"];

#[test]
fn a_variable_of_a_feature_this_version_lacks_is_refused_by_every_command() {
    let known: Vec<_> = UNSUPPORTED.iter().map(|(name, _)| *name).collect();
    assert_eq!(known, ABSENT);
    let store = Store::new();
    let commands = [
        &["status"][..],
        &["route", "acme"],
        &["regions"],
        &["failover", "us-east"],
        &["promote"],
        &["rollback", "--reason", "x"],
        &["audit", "verify"],
        &["serve", "--health-port", "0", "--dashboard-port", "0"],
        &["release", "--resume"],
        &[
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--canary-seq",
            "1",
            "--region",
            "h",
        ],
    ];
    for (number, (variable, feature)) in UNSUPPORTED.iter().enumerate() {
        // Each command for some of them: all with all would only cost time.
        for command in commands.iter().skip(number % 3).step_by(3) {
            let env = [&REGIONS[..], &[(variable, "x")]].concat();
            let ran = store.run_with(command, &env).exits(2);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(
                said.contains(variable) && said.contains(feature),
                "{command:?}: {said}"
            );
        }
        let env = [&REGIONS[..], &[(variable, "")]].concat();
        store.run_with(&["route", "acme"], &env).exits(0);
    }
    assert!(!store.logs().exists());
}

#[test]
fn a_command_this_version_lacks_is_a_usage_error() {
    let store = Store::new();
    for command in ["tokens", "help", "nonsense", "", "\u{1b}[2J"] {
        let ran = store.run(&[command]).exits(2);
        assert_eq!(ran.stdout, "");
        assert!(!ran.stderr.is_empty());
    }
    store.run::<&str>(&[]).exits(2);
}
