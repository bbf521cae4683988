//! The files are what the core answers: written now they are the same, and replayed they hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::replay;
use crate::write::FILES;

const AGAIN: &str = "UPDATE_VECTORS=1 cargo test -p halcyon-tests --test vectors the_committed";

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The first line that differs, as it is committed and as the core answers now.
fn difference(committed: &str, written: &str) -> String {
    let mut lines = (1..).zip(committed.lines().zip(written.lines()));
    let bounded = |line: &str| line.chars().take(400).collect::<String>();
    match lines.find(|(_, (was, is))| was != is) {
        Some((number, (was, is))) => {
            format!(
                "line {number} is\n  {}\nand would be\n  {}",
                bounded(was),
                bounded(is)
            )
        }
        None => format!(
            "{} lines, and would be {}",
            committed.lines().count(),
            written.lines().count()
        ),
    }
}

#[test]
fn the_committed_vectors_are_what_the_core_answers() {
    let update = std::env::var_os("UPDATE_VECTORS").is_some();
    let mut changed = Vec::new();
    for (name, write) in FILES {
        let path = directory().join(name);
        let written = write();
        if update {
            fs::write(&path, &written).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        if committed != written {
            changed.push(format!("{name}: {}", difference(&committed, &written)));
        }
    }
    assert!(
        changed.is_empty(),
        "a decision has changed, and with it what every other implementation and every table in the field answers.\n\n{}\n\nIf it is meant: {AGAIN}",
        changed.join("\n\n")
    );
}

#[test]
fn every_committed_vector_holds_when_it_is_replayed() {
    let mut tally = Vec::new();
    for (name, _) in FILES {
        let text = fs::read_to_string(directory().join(name))
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        tally.push((name, replay::file(name, &text)));
    }
    let least = [
        ("hash.json", 300),
        ("placement.json", 1500),
        ("orders.json", 80),
        ("crowds.json", 6),
        ("rules.json", 1000),
        ("routing.json", 18 * 256),
        ("failover.json", 100),
        ("slots.json", 500),
        ("releases.json", 200),
    ];
    for ((name, cases), (wanted, least)) in tally.into_iter().zip(least) {
        assert_eq!(name, wanted);
        assert!(cases >= least, "{name} has {cases} cases");
    }
}

#[test]
fn the_directory_has_these_files_and_stays_small() {
    let found: BTreeSet<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(found, FILES.map(|(name, _)| String::from(name)).into());
    let sizes = FILES.map(|(name, _)| fs::metadata(directory().join(name)).unwrap().len());
    assert!(sizes.iter().sum::<u64>() < 1_500_000, "{sizes:?}");
    for name in found {
        let text = fs::read(directory().join(&name)).unwrap();
        let plain = text.iter().all(|byte| matches!(byte, 0x20..0x7f | b'\n'));
        assert!(plain, "{name} is ASCII, whatever an id holds");
    }
}
