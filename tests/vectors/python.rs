//! The second implementation, in Python, of what `docs/placement.md` and `docs/release.md` say.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use crate::committed::directory;

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

/// Without the peer a test says so and passes, but never in the full test run.
pub(crate) fn missing(what: &str) {
    assert!(
        std::env::var_os(PEERS).is_none(),
        "{PEERS} is set, and there is no {what}"
    );
    eprintln!("not tested: there is no {what}");
}

/// What `peer.py` prints; none where there is no Python.
pub(crate) fn peer(arguments: &[&str], input: String) -> Option<String> {
    let script = directory().join("python/peer.py");
    let mut all = vec!["-B", script.to_str().unwrap()];
    all.extend(arguments);
    python(&all, input)
}

/// What Python prints; none where there is none.
pub(crate) fn python(arguments: &[&str], input: String) -> Option<String> {
    let started = Command::new("python3")
        .args(arguments)
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        missing("python3 on PATH");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    // Beside the reading: both pipes are smaller than what goes through them.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "python3 {arguments:?}: {complaint}"
    );
    writer.join().unwrap().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_implementation_from_the_pages_reproduces_every_vector() {
    let Some(said) = peer(&["vectors", directory().to_str().unwrap()], String::new()) else {
        return;
    };
    let files: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let written = crate::write::FILES.map(|(name, _)| name);
    assert_eq!(files, written);
}

#[test]
fn the_numbers_on_the_page_are_what_the_page_defines() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/placement.md");
    peer(&["page", page.to_str().unwrap()], String::new());
}

#[test]
fn the_commands_and_texts_on_the_page_of_releases_are_those_of_the_vectors() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/release.md");
    let arguments = [directory(), page];
    let [vectors, page] = arguments.each_ref().map(|path| path.to_str().unwrap());
    peer(&["rules", vectors, page], String::new());
}
