//! Replays the fuzzers' corpus: what was found once, and what was thought of, is tried at every test.

pub mod oracles;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// More files than this, or more bytes, would be a burden: `run --minimise` keeps those that matter.
const FILES_MAX: usize = 300;
const BYTES_MAX: usize = 1 << 20;

/// Every file of a target's corpus, in order of its name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

fn replay(target: &str, check: fn(&[u8])) {
    let files = corpus(target);
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(!files.is_empty(), "{target} has no corpus");
    assert!(
        files.len() <= FILES_MAX && bytes <= BYTES_MAX,
        "{} files, {bytes} bytes",
        files.len()
    );
    let fails = |(path, bytes): &(PathBuf, Vec<u8>)| {
        let failed = catch_unwind(AssertUnwindSafe(|| check(bytes))).is_err();
        failed.then(|| path.display().to_string())
    };
    let failed: Vec<String> = files.iter().filter_map(fails).collect();
    println!("{target}: {} files, {bytes} bytes", files.len());
    assert!(
        failed.is_empty(),
        "{target} fails for {}",
        failed.join(", ")
    );
}

#[test]
fn every_known_configuration_is_read_as_the_contract_says() {
    replay("configuration", oracles::configuration);
}

#[test]
fn every_known_file_of_rules_is_read_as_the_contract_says() {
    replay("rules", oracles::rules);
}

#[test]
fn every_known_topology_is_read_as_the_contract_says() {
    replay("topology", oracles::topology);
}

#[test]
fn every_known_journal_is_accepted_as_far_as_its_chain_holds() {
    replay("journal", oracles::journal);
}

#[test]
fn every_known_head_is_judged_as_strictly_as_the_rfc_and_hyper_takes_what_passes() {
    replay("http_head", oracles::http_head);
}
