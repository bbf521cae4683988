//! Tokens: made by the command line, taken up and taken away while the server runs.

use std::time::{Duration, Instant};

use halcyon_tests::store::Store;

use crate::client::{Control, new_token};

#[test]
fn a_token_is_printed_once_and_the_file_has_its_hash_alone() {
    let store = Store::new();
    let file = store.dir().join("t.toml");
    let env = [("HALCYON_TOKENS_FILE", file.to_str().unwrap())];
    let arguments = [
        "token", "new", "--user", "ci", "--role", "Deployer", "-o", "json",
    ];
    let ran = store.run_with(&arguments, &env).exits(0);
    let answer = ran.json();
    let secret = answer["token"].as_str().unwrap();
    assert!(secret.starts_with("hlc_") && answer["user"] == "ci" && answer["role"] == "Deployer");
    assert!(!ran.stderr.contains(secret));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains(&secret[4..]) && text.contains("sha256 = \""),
        "{text}"
    );
    let second = store.run_with(&arguments, &env).exits(0).json();
    assert_ne!(second["token"], answer["token"]);
    let viewer = [
        "token",
        "new",
        "--user",
        "v",
        "--role",
        "Viewer",
        "--tenant",
        "acme",
        "--expires",
        "90d",
        "-o",
        "json",
    ];
    let viewer = store.run_with(&viewer, &env).exits(0).json();
    assert_eq!(viewer["tenant"], "acme");
    assert!(viewer["expires"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn everything_wrong_with_a_wished_token_is_said_at_once_and_no_file_is_made() {
    let store = Store::new();
    let bad = [
        "token",
        "new",
        "--user",
        "",
        "--role",
        "admin",
        "--tenant",
        "",
        "--expires",
        "soon",
    ];
    let ran = store.run(&bad).exits(2);
    for part in [
        "HALCYON_TOKENS_FILE: missing",
        "--user: ",
        "--role: \"admin\"",
        "--tenant: ",
        "--expires: \"soon\"",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let scoped = [
        "token",
        "new",
        "--user",
        "x",
        "--role",
        "Deployer",
        "--tenant",
        "a",
        "--tokens-file",
        "t",
    ];
    let ran = store.run(&scoped).exits(2);
    assert!(
        ran.stderr.contains("acts on every tenant"),
        "{}",
        ran.stderr
    );
    assert!(!store.dir().join("t").exists());
    let nowhere = [
        "token",
        "new",
        "--user",
        "x",
        "--role",
        "Edge",
        "--tokens-file",
        "no/such/t",
    ];
    store.run(&nowhere).exits(1);
}

#[test]
fn a_tokens_file_that_is_wrong_keeps_the_server_from_starting_with_everything_said() {
    let store = Store::new();
    let file = store.dir().join("t.toml");
    let env = [("HALCYON_TOKENS_FILE", file.to_str().unwrap())];
    let serve = ["serve", "--health-port", "0", "--dashboard-port", "0"];
    for (text, part) in [
        ("anonymous_read = true", "did you mean \"anonymous_reads\"?"),
        (
            "[[token]]\nuser = \"a\"\nrole = \"Boss\"\nsha256 = \"x\"\n",
            "allowed: Viewer, Edge, Deployer, Admin",
        ),
        ("[[token]", "is no TOML"),
        ("\u{feff}", "byte order mark"),
    ] {
        std::fs::write(&file, text).unwrap();
        // Nor is one added to it.
        let new = ["token", "new", "--user", "a", "--role", "Viewer"];
        let ran = store.run_with(&new, &env).exits(2);
        assert!(
            ran.stderr.contains("HALCYON_TOKENS_FILE: ") && ran.stderr.contains(part),
            "{}",
            ran.stderr
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        let ran = store.run_with(&serve, &env).exits(2);
        assert!(
            ran.stderr.contains("HALCYON_TOKENS_FILE: ") && ran.stderr.contains(part),
            "{}",
            ran.stderr
        );
    }
    // Each by itself.
    let wrong = "[[token]]\nuser = \"a\"\nrole = \"Boss\"\nsha256 = \"x\"\n";
    std::fs::write(&file, wrong).unwrap();
    let new = [
        "token", "new", "--user", "a", "--role", "Viewer", "-o", "json",
    ];
    let ran = store.run_with(&new, &env).exits(2);
    let said: serde_json::Value = serde_json::from_str(ran.stderr.trim()).unwrap();
    let problems = said["problems"].as_array().unwrap();
    let names_the_variable = |problem: &serde_json::Value| {
        problem
            .as_str()
            .unwrap()
            .starts_with("HALCYON_TOKENS_FILE: ")
    };
    assert!(
        problems.len() == 2 && problems.iter().all(names_the_variable),
        "{said}"
    );
    std::fs::remove_file(&file).unwrap();
    assert!(
        store
            .run_with(&serve, &env)
            .exits(2)
            .stderr
            .contains("cannot be read")
    );
}

#[test]
fn a_new_token_is_good_and_a_removed_one_is_not_without_a_restart() {
    let control = Control::start();
    let begin = Instant::now();
    let until = |name: &str, status: u16| {
        while control.ask(name, "GET /api/v1/state", None).status != status {
            assert!(begin.elapsed() < Duration::from_secs(20), "{name} {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    new_token(
        &control.store,
        "late",
        &["--user", "late", "--role", "Viewer"],
    );
    until("late", 200);
    let file = control.store.dir().join("tokens.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    // A broken file changes nothing.
    std::fs::write(&file, format!("{text}\n[[token]\n")).unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    until("late", 200);
    until("Viewer", 200);
    let before = text.split("\n[[token]]\nuser = \"late\"").next().unwrap();
    std::fs::write(&file, before).unwrap();
    until("late", 401);
    until("Viewer", 200);
}
