//! The template's counts beside the core's, and what it keeps while nobody answers.

use std::io::Write;
use std::process::{Command, Stdio};

use halcyon_core::document::Document;
use halcyon_core::telemetry::{BATCHES_MAX, Histogram, Report};
use serde_json::{Value, json};

use crate::dice::Dice;

/// What a script of this folder prints about the template, asked this.
fn said(script: &str, asked: &Value) -> Option<Value> {
    let folder = crate::edge::installed()?;
    let scripts = halcyon_wasm_build::workspace().join("tests/edges/counting");
    let mut node = Command::new("node");
    node.arg(scripts.join(script)).current_dir(folder);
    let mut node = node
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = node.stdin.take().unwrap();
    input.write_all(asked.to_string().as_bytes()).unwrap();
    drop(input);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn every_latency_is_in_the_bucket_in_which_the_core_has_it() {
    let edges = (0..36).flat_map(|power| {
        let two = 1_u64 << power;
        [
            two.saturating_sub(1),
            two,
            two + 1,
            two + two / 3,
            two + two / 2,
        ]
    });
    let mut dice = Dice(7);
    let random = (0..100_000).map(|_| (dice.below(1 << 17) as u64) << dice.below(20));
    let all: Vec<u64> = edges.chain(0..5_000).chain(random).collect();
    let Some(found) = said("buckets.mjs", &json!(all)) else {
        return;
    };
    let found: Vec<u16> = serde_json::from_value(found).unwrap();
    assert_eq!(found.len(), all.len());
    for (micros, bucket) in all.iter().zip(found) {
        let mut one = Histogram::default();
        one.add(*micros, 1);
        assert_eq!(one.counts(), [(bucket, 1)], "{micros}");
    }
}

#[test]
fn an_absence_of_any_length_takes_no_more_than_so_much() {
    let Some(found) = said("absence.mjs", &json!({"regions": 40, "rounds": 300})) else {
        return;
    };
    let reports = found["reports"].as_array().unwrap();
    let read = reports.iter().map(|body| {
        let body = body.as_str().unwrap();
        assert!(
            body.len() < 1024 * 1024,
            "no longer than a control plane reads"
        );
        Report::from_document(&Document::from_json(body).unwrap()).unwrap()
    });
    let batches: Vec<_> = read.flat_map(|report| report.batches).collect();
    let (kept, last) = (batches.len(), batches.last().unwrap().seq);
    assert!((2..=BATCHES_MAX).contains(&kept), "{kept}");
    assert!(last > 2 * BATCHES_MAX as u64, "{last}");
    // The newest ones, without a gap.
    let first = batches[0].seq;
    assert_eq!(last + 1 - first, kept as u64);
    assert!(found["kept_bytes"].as_u64().unwrap() <= 4 * 1024 * 1024 + 1024 * 1024);
    // A day is over: of no use to anybody.
    assert_eq!(found["after_a_day"], 0);
}
