//! What can be wrong with any file that a variable names, whatever is in it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use halcyon_tests::store::{Ran, Running, Store};

/// Both files, with regions that do not come from either.
const FILES: [&str; 2] = ["TENANT_RULES_FILE", "HALCYON_TOPOLOGY"];

/// The commands that read both.
const READERS: [&[&str]; 4] = [
    &["route", "acme"],
    &["failover", "us-east"],
    &["regions"],
    &["serve", "--health-port", "0"],
];

/// Runs a command with `variable` naming `file` in the store's directory.
fn with(store: &Store, command: &[&str], variable: &str, file: &str) -> Ran {
    let env = [&crate::REGIONS[..], &[(variable, file)]].concat();
    let running = Running::spawn(&mut store.command(command, &env));
    running.ended_within(Duration::from_secs(10))
}

/// Every reader of the file ends with 2 and this one error.
#[track_caller]
fn refused(store: &Store, variable: &str, file: &str, why: &str) {
    for command in READERS {
        let ran = with(store, command, variable, file);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 2, "{command:?} {variable}={file}: {said}");
        let error = format!("error: {variable}: \"{file}\" ");
        let errors: Vec<_> = said
            .lines()
            .filter(|line| line.starts_with(&error))
            .collect();
        assert_eq!(errors.len(), 1, "{command:?} {variable}={file}: {said}");
        assert!(errors[0].contains(why), "{command:?} {why}: {said}");
        assert!(said.is_ascii() && said.len() < 2000, "{said}");
    }
}

#[test]
fn a_file_that_is_not_there_or_is_no_file_is_refused_and_never_waited_for() {
    let store = Store::new();
    std::fs::create_dir(store.dir().join("folder")).unwrap();
    let fifo = store.dir().join("fifo");
    let made = Command::new("mkfifo").arg(fifo).status().unwrap();
    assert!(made.success());
    for variable in FILES {
        refused(&store, variable, "missing", "cannot be read: No such file");
        refused(&store, variable, "missing/x", "cannot be read: No such");
        refused(&store, variable, "folder", "is no regular file");
        refused(&store, variable, "fifo", "is no regular file");
        refused(&store, variable, "/dev/zero", "is no regular file");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let store = Store::new();
    let path = store.dir().join("locked");
    std::fs::write(&path, "{}").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Who may read everything, root, may read this too.
    if std::fs::read(&path).is_err() {
        for variable in FILES {
            refused(&store, variable, "locked", "Permission denied");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let store = Store::new();
    let write = |name: &str, bytes: &[u8]| std::fs::write(store.dir().join(name), bytes).unwrap();
    write("mark", b"\xef\xbb\xbf{}");
    write("latin", b"# Z\xfcrich\n");
    write("utf-16", b"\xff\xfe{\0}\0");
    write("zero", b"{\"pins\":[]}\0");
    write("binary", b"\x7fELF\x02\x01\x01\0");
    for variable in FILES {
        refused(&store, variable, "mark", "byte order mark");
        refused(&store, variable, "latin", "is no UTF-8 from byte 3 on");
        refused(&store, variable, "utf-16", "is no UTF-8 from byte 0 on");
        refused(&store, variable, "zero", "line 1 column");
        refused(&store, variable, "binary", "line 1 column");
    }
}

#[test]
fn a_file_of_17_megabytes_is_refused_at_once_and_not_echoed() {
    let store = Store::new();
    let long = format!("{{\"pins\":[]}}{}", " ".repeat(17 << 20));
    std::fs::write(store.dir().join("long"), long).unwrap();
    for variable in FILES {
        refused(&store, variable, "long", "is longer than 16777216 bytes");
    }
}

#[test]
fn a_hundred_thousand_brackets_are_refused_without_a_crash() {
    let store = Store::new();
    let deep = "[".repeat(100_000);
    std::fs::write(store.dir().join("deep.json"), &deep).unwrap();
    std::fs::write(store.dir().join("deep.toml"), format!("region = {deep}")).unwrap();
    refused(&store, "TENANT_RULES_FILE", "deep.json", "recursion");
    refused(&store, "HALCYON_TOPOLOGY", "deep.toml", "recursion");
}

#[test]
fn a_path_is_shown_escaped_and_an_empty_one_is_unset() {
    let store = Store::new();
    for variable in FILES {
        let ran = with(&store, &["route", "acme"], variable, "\u{1b}[2Jru\u{435}");
        assert!(ran.stderr.contains(r"\u{1b}[2Jru\u{435}"), "{}", ran.stderr);
        let ran = with(&store, &["route", "acme"], variable, "").exits(0);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn both_files_are_reported_at_once_as_one_problem_object() {
    let store = Store::new();
    let env = [
        ("TENANT_RULES_FILE", "rules.json"),
        ("HALCYON_TOPOLOGY", "topology.toml"),
        ("TENANT_HASH_KEY", "short"),
    ];
    std::fs::write(store.dir().join("rules.json"), r#"{"pinz":[],"slots":7}"#).unwrap();
    std::fs::write(
        store.dir().join("topology.toml"),
        "[[region]]\nweight = -1\n",
    )
    .unwrap();
    let env = [&crate::REGIONS[..], &env].concat();
    let ran = store.run_with(&["route", "acme", "-o", "json"], &env);
    let ran = ran.exits(2);
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let problems: Vec<_> = problem["problems"].as_array().unwrap().iter().collect();
    assert_eq!(problems.len(), 5, "{problem:#}");
    for problem in problems {
        let variable = problem.as_str().unwrap().split(':').next().unwrap();
        assert!(env.iter().any(|(name, _)| *name == variable), "{problem}");
    }
    assert_eq!(
        (&problem["exit_code"], ran.stdout.as_str()),
        (&2.into(), "")
    );
}
