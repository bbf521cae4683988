//! What edges send is read back as it was meant, or everything wrong with it is said.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::document::Document;
use crate::placement::Slot;
use crate::release::Weight;

fn read(json: &str) -> Result<Report, Vec<String>> {
    Report::from_document(&Document::from_json(json).unwrap())
}

fn cell(text: &str) -> Result<Report, Vec<String>> {
    read(&format!(
        r#"{{"edge":"e","batches":[{{"seq":1,"age_ms":0,"lasted_ms":9,"cells":[{{"region":"a",{text}}}]}}]}}"#
    ))
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let mut tally = Tally::default();
    for turn in 0..100_u64 {
        tally.count(turn % 7 == 0, turn * turn * 100);
    }
    let report = Report {
        edge: "e-1".into(),
        batches: Vec::from([Batch {
            seq: 7,
            age_ms: 12,
            lasted_ms: 10_000,
            release: Some(ReleaseOf {
                id: "r \"1\"".into(),
                weight: Weight::new(25).unwrap(),
            }),
            cells: Vec::from([
                Cell {
                    region: "us-east".into(),
                    slot: Slot::Green,
                    cohort: Some(100),
                    tally: Tally {
                        left: 3,
                        ..tally.clone()
                    },
                    open: 7,
                },
                Cell {
                    region: "us-west".into(),
                    slot: Slot::Blue,
                    cohort: None,
                    tally: Tally::default(),
                    open: 0,
                },
            ]),
        }]),
    };
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(read(&json), Ok(report));
}

#[test]
fn what_cannot_have_been_counted_is_refused() {
    let good = r#""slot":"blue","requests":3,"errors":3,"latency":[[0,1],[495,2]]"#;
    assert!(cell(good).is_ok());
    for (wrong, says) in [
        (
            r#""slot":"red","requests":0,"errors":0,"latency":[]"#,
            "allowed: blue, green",
        ),
        (
            r#""slot":"blue","requests":1,"errors":2,"latency":[[1,1]]"#,
            "\"errors\" = 2",
        ),
        (
            r#""slot":"blue","requests":2,"errors":0,"latency":[[1,1]]"#,
            "another number of",
        ),
        (
            r#""slot":"blue","requests":1,"errors":0,"latency":[[496,1]]"#,
            "0 to 495",
        ),
        (
            r#""slot":"blue","requests":1,"errors":0,"latency":[[1,-1]]"#,
            "pairs of a bucket",
        ),
        (
            r#""slot":"blue","requests":1,"errors":0,"latency":[1]"#,
            "has 1 in",
        ),
        (
            r#""slot":"blue","requests":-1,"errors":0,"latency":[]"#,
            "\"requests\" = -1",
        ),
        (
            r#""slot":"blue","requests":1.5,"errors":0,"latency":[]"#,
            "\"requests\" = 1.5",
        ),
        (
            r#""slot":"blue","cohort":0,"requests":0,"errors":0,"latency":[]"#,
            "from 1 to 100",
        ),
        (
            r#""slot":"blue","cohort":101,"requests":0,"errors":0,"latency":[]"#,
            "from 1 to 100",
        ),
        (
            r#""slot":"blue","requests":0,"errors":0,"latency":[],"tenant":"acme""#,
            "unknown key",
        ),
        (
            r#""slot":"blue","requests":9007199254740993,"errors":0,"latency":[]"#,
            "requests",
        ),
    ] {
        let problems = cell(wrong).unwrap_err().join("\n");
        assert!(
            problems.contains(says) && problems.contains("batch 1, cell 1"),
            "{wrong}: {problems}"
        );
    }
}

#[test]
fn batches_rise_and_are_not_too_many() {
    let batch = |seq: u64| format!(r#"{{"seq":{seq},"age_ms":0,"lasted_ms":0,"cells":[]}}"#);
    let all = |seqs: &[u64]| {
        let batches: Vec<String> = seqs.iter().map(|seq| batch(*seq)).collect();
        read(&format!(
            r#"{{"edge":"e","batches":[{}]}}"#,
            batches.join(",")
        ))
    };
    assert_eq!(all(&[1, 2, 9]).unwrap().batches.len(), 3);
    assert!(all(&[2, 2]).unwrap_err()[0].contains("batch 2 has \"seq\" = 2"));
    let many: Vec<u64> = (1..=65).collect();
    assert!(all(&many).unwrap_err()[0].contains("has 65 \"batches\""));
    for edge in ["", "-e", "a b", &"e".repeat(65)] {
        let json = format!(r#"{{"edge":"{edge}","batches":[]}}"#);
        assert!(read(&json).unwrap_err()[0].contains("\"edge\""), "{edge}");
    }
}
