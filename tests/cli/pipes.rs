//! Readers that go away.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

use crate::REGIONS;

/// Starts a command, reads a line, goes away; answers with exit code and stderr.
fn read_one_line(mut command: Command, input: &[u8]) -> (Option<i32>, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may end before it has read everything.
        let _ = stdin.write_all(&input);
    });
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert!(!line.is_empty());
    writer.join().unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_reader_that_has_seen_enough_ends_route_without_a_word() {
    let store = Store::new();
    for format in ["human", "json", "jsonl"] {
        let command = store.command(&["route", "-", "-o", format], &REGIONS);
        let (code, stderr) = read_one_line(command, "acme\n".repeat(200_000).as_bytes());
        assert_eq!((code, stderr.as_str()), (Some(141), ""), "{format}");
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_release() {
    let (store, region) = (Store::new(), Region::ready());
    let command = store.command(
        &[
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--canary-seq",
            "10,20,100",
            "--timeout-s",
            "0",
            "--region",
            &region.at(),
        ],
        &[("PROBE_INTERVAL_MS", "200")],
    );
    let (code, _) = read_one_line(command, b"");
    assert_eq!(code, Some(0));
    assert_eq!(store.actions().pop().unwrap(), "promote_green");
}

#[test]
fn whoever_pipes_a_line_at_a_time_sees_each_answer_at_once() {
    let store = Store::new();
    let mut child = store
        .command(&["route", "-", "-o", "jsonl"], &REGIONS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for tenant in ["acme", "tenant1"] {
        let begin = Instant::now();
        writeln!(stdin, "{tenant}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(
            line.contains(tenant) && begin.elapsed() < Duration::from_secs(2),
            "{line}"
        );
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_secret_that_could_not_be_shown_is_said_to_be_in_force() {
    let store = Store::new();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let tokens = store.dir().join("tokens");
    let file = tokens.to_str().unwrap();
    let arguments = [
        "token",
        "new",
        "--user",
        "ann",
        "--role",
        "Admin",
        "--tokens-file",
        file,
    ];
    let output = store
        .command(&arguments, &[])
        .stdout(full)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains(
            "tokens all the same, and nobody has its secret: delete the last [[token]] there."
        ),
        "{stderr}"
    );
    let lines = std::fs::read_to_string(tokens).unwrap();
    assert!(lines.contains("user = \"ann\""), "{lines}");
}

#[test]
fn a_full_device_as_stdout_is_an_error() {
    let store = Store::new();
    for arguments in [
        &["route", "acme"][..],
        &["regions"],
        &["status"],
        &["man"],
        &["completions", "bash"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = store
            .command(arguments, &REGIONS)
            .stdout(full)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("stdout"), "{arguments:?}: {stderr}");
    }
}
