//! The programs of the package's README, each in its runtime as it stands there, and the types.

use std::process::Command;

use super::runtimes::{Runtime, Worker, page_text};
use super::{installed, peer};

const README: &str = include_str!("../../../wasm/js/edge/README.md");

pub(super) const TABLE: &str = r#"{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00.000Z","deployment":"shop",
    "regions":[{"name":"us-east","weight":1,"status":"up"},{"name":"us-west","weight":1,"status":"up"}],
    "primary":"us-east","sticky":"hash","failover":"ordered"}"#;

/// The first program under a heading.
fn program(heading: &str) -> &'static str {
    let (_, section) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, block) = section.split_once("```").unwrap();
    let (_, block) = block.split_once('\n').unwrap();
    block.split("```").next().unwrap()
}

pub(super) fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

pub(super) fn is_here(runtime: Runtime) -> bool {
    Runtime::here().contains(&runtime)
}

#[test]
fn the_program_for_node_runs() {
    if !is_here(Runtime::Node) {
        return;
    }
    let folder = installed();
    std::fs::write(folder.path().join("table.json"), TABLE).unwrap();
    std::fs::write(folder.path().join("program.mjs"), program("Node")).unwrap();
    let mut node = Command::new("node");
    let said = said(node.arg("program.mjs").current_dir(folder.path()));
    assert_eq!(said, "us-east\n");
}

#[test]
fn the_program_for_deno_runs_and_the_types_fit() {
    if !is_here(Runtime::Deno) {
        return;
    }
    let folder = installed();
    std::fs::write(folder.path().join("table.json"), TABLE).unwrap();
    std::fs::write(folder.path().join("program.ts"), program("Deno")).unwrap();
    let deno = || {
        let mut deno = Command::new(peer("deno"));
        deno.current_dir(folder.path())
            .env("DENO_NO_UPDATE_CHECK", "1");
        deno
    };
    let run = [
        "run",
        "--quiet",
        "--no-lock",
        "--check",
        "--allow-read",
        "program.ts",
    ];
    assert_eq!(said(deno().args(run)), "us-east\n");

    let types = include_str!("../hosts/types.ts");
    std::fs::write(folder.path().join("types.ts"), types).unwrap();
    said(deno().args(["check", "--quiet", "--no-lock", "types.ts"]));
    // A type that is wrong is found.
    let wrong = types.replace("const slot: Slot", "const slot: number");
    assert_ne!(wrong, types);
    std::fs::write(folder.path().join("wrong.ts"), wrong).unwrap();
    let output = deno()
        .args(["check", "--quiet", "--no-lock", "wrong.ts"])
        .output();
    assert!(!output.unwrap().status.success());
}

#[test]
fn the_program_for_workers_runs() {
    if !is_here(Runtime::Workerd) {
        return;
    }
    let folder = installed();
    std::fs::write(
        folder.path().join("program.mjs"),
        program("Cloudflare Workers"),
    )
    .unwrap();
    let variables = [
        ("REGIONS", "us-east,us-west,eu-west"),
        ("TENANT_STICKY", "hash"),
    ];
    let worker = Worker::with_variables(folder.path(), "program.mjs", &[], &variables);
    let answer = worker
        .send("GET / HTTP/1.1\r\nhost: w\r\nx-tenant: tenant123\r\nconnection: close\r\n\r\n");
    assert_eq!(
        answer,
        r#"{"region":"us-west","preferred":"us-west","slot":"blue","reason":"hash"}"#
    );
}

#[test]
fn the_program_for_a_browser_runs() {
    if !is_here(Runtime::Chromium) {
        return;
    }
    let table = |name: &str| (name == "table.json").then(|| TABLE.into());
    let text = page_text(program("Browser"), &table);
    assert_eq!(text, "us-east");
}

/// The tests in JavaScript, of which Node says how many passed.
#[test]
fn the_package_keeps_what_it_promises_in_node() {
    if !is_here(Runtime::Node) {
        return;
    }
    let folder = installed();
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap", "behaviour.test.mjs"]);
    let output = node.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let written = include_str!("../hosts/behaviour.test.mjs");
    let tests = written.matches("\ntest(\"").count();
    assert!(
        tests > 10 && said.contains(&format!("\n# pass {tests}\n")),
        "{said}"
    );
}
