//! `audit verify` and `audit tail`, and everybody else on a journal that does not verify.

use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::store::{Store, text};

use crate::{REGIONS, released, run};

fn verify(store: &Store, head: &str) -> halcyon_tests::store::Ran {
    store.run(&["audit", "verify", "--expect-head", head, "-o", "json"])
}

#[test]
fn an_expected_head_holds_when_that_record_has_that_hash() {
    let store = Store::new();
    released(&store);
    let records = store.records();
    for record in &records {
        verify(
            &store,
            &format!("{}:{}", record["seq"], text(record, "hash")),
        )
        .exits(0);
    }
    let last = text(records.last().unwrap(), "hash");
    let (seq, other) = (records.len(), "0".repeat(64));
    let errors = |head: String| verify(&store, &head).exits(6).json()["errors"].to_string();
    assert!(errors(format!("{seq}:{other}")).contains("another hash"));
    assert!(errors(format!("{}:{last}", seq + 1)).contains("ends at record"));
    assert!(errors(format!("{}:{last}", seq - 1)).contains("another hash"));
    assert!(errors(format!("{}:{last}", u64::MAX)).contains("ends at record"));
}

#[test]
fn a_head_that_is_none_is_a_usage_error() {
    let store = Store::new();
    released(&store);
    let hash = text(store.records().last().unwrap(), "hash");
    for head in [
        "",
        "6",
        ":",
        "6:",
        &hash,
        &format!("0:{hash}"),
        &format!("-1:{hash}"),
        &format!("6:{}", hash.to_uppercase()),
        &format!("6:{hash}0"),
        &format!("99999999999999999999:{hash}"),
        "6:\u{1b}[2J",
    ] {
        let ran = verify(&store, head).exits(2);
        assert!(
            ran.stderr.contains("--expect-head") && !ran.stderr.contains('\u{1b}'),
            "{head}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_cut_tail_is_found_exactly_when_a_later_head_is_known() {
    let store = Store::new();
    released(&store);
    let lines = store.lines();
    let last = &store.records()[lines.len() - 1];
    let head = format!("{}:{}", last["seq"], text(last, "hash"));
    std::fs::write(
        store.log(),
        format!("{}\n", lines[..lines.len() - 1].join("\n")),
    )
    .unwrap();
    let ran = store.run(&["audit", "verify"]).exits(0);
    assert!(
        ran.stdout.contains("cannot rule out") && ran.stdout.contains("cut off"),
        "{}",
        ran.stdout
    );
    verify(&store, &head).exits(6);
}

#[test]
fn a_torn_tail_is_counted_and_is_no_error() {
    let store = Store::new();
    released(&store);
    let whole = store.bytes();
    std::fs::write(
        store.log(),
        [&whole[..], &b"{\"timestamp\":\"2026"[..]].concat(),
    )
    .unwrap();
    let answer = store
        .run(&["audit", "verify", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&answer["torn_tail"], &answer["valid"]),
        (&18.into(), &true.into())
    );
    store.run(&["status"]).exits(0);
    store.run(&["rollback", "--reason", "next"]).exits(0);
    let cut = store
        .records()
        .into_iter()
        .find_map(|record| record["torn_tail_cut"].as_u64());
    assert_eq!(cut, Some(18));
    let answer = store
        .run(&["audit", "verify", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(answer["torn_tail"], 0);
}

#[test]
fn on_a_broken_chain_every_command_ends_with_six_and_writes_nothing() {
    let store = Store::new();
    released(&store);
    let whole = String::from_utf8(store.bytes()).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let broken = [
        whole.replacen("\"user\":\"ann\"", "\"user\":\"bob\"", 1),
        [&lines[..2], &lines[3..]].concat().concat(),
        [&lines[..], &lines[..1]].concat().concat(),
        [lines[1], lines[0]].concat(),
        whole.replacen("ann", "ann\u{202e}", 1),
        format!("{whole}\n"),
        format!("{whole}garbage\n"),
        whole.replace("green_live", "canary"),
    ];
    for bytes in broken {
        std::fs::write(store.log(), &bytes).unwrap();
        for command in [
            &["status"][..],
            &["promote"],
            &["pause"],
            &["resume"],
            &["rollback", "--reason", "x"],
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
                "--dry-run",
            ],
            &["route", "acme"],
            &["audit", "tail"],
        ] {
            let ran = run(&store, command)
                .exits(6)
                .says("corrupt")
                .says("deploy_audit.log");
            assert_eq!(ran.stdout, "", "{command:?}");
        }
        let answer = store
            .run(&["audit", "verify", "-o", "json"])
            .exits(6)
            .json();
        assert_eq!(answer["valid"], false);
        assert!(text_of(&answer["errors"]).contains("record "), "{answer}");
        let human = store.run(&["audit", "verify"]).exits(6);
        assert!(human.stdout.contains("broken"), "{}", human.stdout);
        assert_eq!(std::fs::read(store.log()).unwrap(), bytes.as_bytes());
    }
}

fn text_of(value: &serde_json::Value) -> String {
    value.to_string()
}

#[test]
fn a_store_without_a_journal_verifies_and_is_not_made() {
    let store = Store::new();
    let ran = store.run(&["audit", "verify", "-o", "json"]).exits(0);
    let answer = ran.json();
    assert_eq!(
        (&answer["records"], &answer["valid"]),
        (&0.into(), &true.into())
    );
    // Who asks of the wrong place hears it, whatever reads the answer.
    let said: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let absent = format!("there is no journal at {}", store.log().display());
    assert!(text_of(&said["warning"]).contains(&absent), "{said}");
    for asked in ["verify", "tail"] {
        let ran = store.run(&["audit", asked]).exits(0).says(&absent);
        assert!(ran.stderr.contains("HALCYON_STORE"), "{}", ran.stderr);
    }
    assert_eq!(store.run(&["audit", "tail"]).exits(0).stdout, "");
    assert_eq!(
        store.run(&["audit", "tail", "-o", "json"]).exits(0).json(),
        serde_json::json!([])
    );
    assert_eq!(
        store.run(&["status", "-o", "json"]).exits(0).json()["state"],
        "idle"
    );
    assert!(!store.logs().exists());
}

#[test]
fn the_tail_is_as_long_as_asked_for() {
    let store = Store::new();
    released(&store);
    let lines = store.lines();
    for (count, expected) in [("0", 0), ("1", 1), ("3", 3), ("6", 6), ("1000", 6)] {
        let jsonl = store
            .run(&["audit", "tail", "-n", count, "-o", "jsonl"])
            .exits(0);
        assert_eq!(
            jsonl.stdout.lines().collect::<Vec<_>>(),
            lines[lines.len() - expected..]
        );
        let json = store
            .run(&["audit", "tail", "-n", count, "-o", "json"])
            .exits(0)
            .json();
        assert_eq!(json.as_array().unwrap().len(), expected);
        let human = store.run(&["audit", "tail", "-n", count]).exits(0);
        assert_eq!(human.stdout.lines().count(), expected);
    }
    for count in ["-1", "x", "1.5", "99999999999999999999999"] {
        store.run(&["audit", "tail", "-n", count]).exits(2);
    }
}

#[test]
fn a_followed_tail_shows_each_new_record() {
    let store = Store::new();
    released(&store);
    store
        .run(&["audit", "tail", "--follow", "-o", "json"])
        .exits(2)
        .says("--follow");
    let following = store.start(&["audit", "tail", "-n", "1", "--follow", "-o", "jsonl"]);
    let wait = |lines: usize| {
        let begin = Instant::now();
        while following.stdout().lines().count() < lines {
            assert!(
                begin.elapsed() < Duration::from_secs(5),
                "{}",
                following.stdout()
            );
            thread::sleep(Duration::from_millis(10));
        }
    };
    wait(1);
    store.run(&["rollback", "--reason", "one"]).exits(0);
    wait(3);
    let lines = store.lines();
    assert_eq!(
        following.stdout().lines().collect::<Vec<_>>(),
        lines[lines.len() - 3..]
    );
    following.signal(rustix::process::Signal::INT);
    following.ended().exits(130);
}

#[test]
fn route_reads_the_journal_for_the_slot() {
    let store = Store::new();
    let slot = || {
        store
            .run_with(&["route", "acme", "-o", "jsonl"], &REGIONS)
            .exits(0)
            .json()["slot"]
            .clone()
    };
    assert_eq!(slot(), "blue");
    released(&store);
    assert_eq!(slot(), "green");
    store.run(&["rollback", "--reason", "x"]).exits(0);
    assert_eq!(slot(), "blue");
}

#[test]
fn a_torn_tail_is_told_also_where_an_expected_head_does_not_hold() {
    let store = Store::new();
    released(&store);
    let head = text(
        &store
            .run(&["audit", "verify", "-o", "json"])
            .exits(0)
            .json(),
        "head",
    );
    let bytes = store.bytes();
    std::fs::write(store.log(), &bytes[..bytes.len() - 30]).unwrap();
    let told = store
        .run(&["audit", "verify", "-o", "json", "--expect-head", &head])
        .exits(6)
        .json();
    assert!(told["torn_tail"].as_u64().unwrap() > 0, "{told}");
}
