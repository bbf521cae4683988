//! Where it has its table from, and what it keeps.

use std::thread;
use std::time::Duration;

use halcyon::signing::TableSigner;
use serde_json::Value;

use super::{all_blue, all_green, put, slot, start, until, world};
use crate::tables::{Mode, Tables};
use crate::world::EPOCH;

#[test]
fn a_file_is_watched_and_a_bad_one_changes_nothing() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    // Not there at first.
    let edge = start(&[("EDGE_TABLE", path.to_str().unwrap())]);
    assert_eq!(edge.get("acme").problem(503), "no_table");
    put(&path, &world.table_of(EPOCH, all_blue).to_string());
    until("the file", &edge, || edge.get("acme").status() == 200);
    assert_eq!(slot(&edge), "blue");
    for (bad, why) in [
        ("{", "is no JSON"),
        (
            &*world.table_of(EPOCH - 1, all_green).to_string(),
            "older than epoch 1000",
        ),
        (
            &*world.table_of(EPOCH, all_green).to_string(),
            "another table of that epoch",
        ),
        ("", "is no JSON"),
    ] {
        put(&path, bad);
        until(why, &edge, || edge.said().contains(why));
        assert_eq!(slot(&edge), "blue", "{why}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    until("the folder", &edge, || {
        edge.said().contains("no regular file")
    });
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(slot(&edge), "blue");
    put(&path, &world.table_of(EPOCH + 1, all_green).to_string());
    until("the next table", &edge, || slot(&edge) == "green");
}

#[test]
fn with_keys_only_tables_that_one_of_them_signed_are_taken_from_a_file() {
    let world = world();
    let [ours, next, other] = [(); 3].map(|()| TableSigner::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    let signature = folder.path().join("t.json.sig");
    let keys = format!("{}, {}", ours.public(), next.public());
    let text = world.table_of(EPOCH, all_blue).to_string();
    put(&path, &text);
    let edge = start(&[
        ("EDGE_TABLE", path.to_str().unwrap()),
        ("TABLE_KEYS", &keys),
    ]);
    until("the refusal", &edge, || {
        edge.said()
            .contains("it is not signed; allowed: a signature of one of TABLE_KEYS")
    });
    assert_eq!(edge.get("acme").problem(503), "no_table");
    for bad in [
        other.sign(text.as_bytes()),
        ours.sign(b"other"),
        String::from("x"),
        String::new(),
    ] {
        put(&signature, &bad);
        thread::sleep(Duration::from_millis(700));
        assert_eq!(edge.get("acme").problem(503), "no_table");
    }
    put(&signature, &ours.sign(text.as_bytes()));
    until("the signed table", &edge, || {
        edge.get("acme").status() == 200
    });
    // The signature comes first, as `halcyon table` writes them; and of the other key.
    let newer = world.table_of(EPOCH + 1, all_green).to_string();
    put(&signature, &next.sign(newer.as_bytes()));
    thread::sleep(Duration::from_millis(700));
    assert_eq!(slot(&edge), "blue", "the table that is held stays");
    put(&path, &newer);
    until("the other key's table", &edge, || slot(&edge) == "green");
}

#[test]
fn after_a_restart_an_edge_begins_with_its_last_table_and_takes_no_older_one() {
    let world = world();
    let ours = TableSigner::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let signed = |table: Value| {
        let bytes = table.to_string().into_bytes();
        let signature = ours.sign(&bytes);
        Mode::Signed(bytes, signature)
    };
    let tables = Tables::start(signed(world.table_of(EPOCH + 5, all_green)));
    let url = tables.url();
    let public = ours.public();
    let variables = [
        ("EDGE_TABLE", url.as_str()),
        ("EDGE_STATE_DIR", state.to_str().unwrap()),
        ("TABLE_REFRESH_MS", "100"),
        ("TABLE_KEYS", &public),
    ];
    let edge = start(&variables);
    until("the table", &edge, || edge.get("acme").status() == 200);
    until("the kept table", &edge, || {
        state.join("last-table").exists()
    });
    drop(edge);
    // The control plane is gone.
    tables.mode(Mode::Close);
    let edge = start(&variables);
    assert_eq!(slot(&edge), "green", "the very first request");
    assert!(
        edge.said().contains("table 1005 is kept from before"),
        "{}",
        edge.said()
    );
    // An old table is replayed, with its good signature.
    tables.mode(signed(world.table_of(EPOCH + 4, all_blue)));
    until("the refusal", &edge, || {
        edge.said().contains("older than epoch 1005")
    });
    assert_eq!(slot(&edge), "green");
    drop(edge);
    // What is kept is trusted no more than what comes.
    let kept = state.join("last-table");
    let mut bytes = std::fs::read(&kept).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&kept, bytes).unwrap();
    let edge = start(&variables);
    until("the refusal", &edge, || {
        edge.said().contains("kept in EDGE_STATE_DIR is not taken")
    });
    until("the table", &edge, || edge.get("acme").status() == 200);
    assert_eq!(slot(&edge), "blue", "nothing else is held");
}

#[test]
fn a_state_directory_that_cannot_be_written_takes_no_routing_down() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let url = world.tables.url();
    let edge = start(&[
        ("EDGE_TABLE", &url),
        ("EDGE_STATE_DIR", file.join("below").to_str().unwrap()),
        ("TABLE_REFRESH_MS", "100"),
    ]);
    until("the table", &edge, || edge.get("acme").status() == 200);
    until("the warning", &edge, || {
        edge.said()
            .contains("so a restart may begin with an older table")
    });
}

#[test]
fn a_table_that_cannot_be_kept_is_kept_as_soon_as_it_can() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let text = world.table_of(EPOCH, all_blue).to_string();
    let file = folder.path().join("t.json");
    put(&file, &text);
    let tables = Tables::start(Mode::Table(world.table_of(EPOCH, all_blue)));
    for (number, source) in [file.to_str().unwrap(), &tables.url()].iter().enumerate() {
        let state = folder.path().join(format!("state{number}"));
        // No folder can be where a file is.
        put(&state, "");
        let edge = start(&[
            ("EDGE_TABLE", source),
            ("EDGE_STATE_DIR", state.to_str().unwrap()),
            ("TABLE_REFRESH_MS", "100"),
        ]);
        until("the warning", &edge, || {
            edge.said().contains("cannot be written, so a restart may")
        });
        assert_eq!(slot(&edge), "blue", "in force all the same");
        std::fs::remove_file(&state).unwrap();
        let kept = state.join("last-table");
        until("the kept table", &edge, || kept.exists());
        until("the line", &edge, || edge.said().contains("is written now"));
        assert_eq!(edge.said().matches("cannot be written").count(), 1);
        let kept: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()[1..]).unwrap();
        assert_eq!(kept["epoch"], EPOCH);
    }
}
