//! Every edit is found.

use super::*;

/// The ledger before each line of a journal, so that a test need not start over.
fn prefixes(lines: &[&str]) -> Vec<Ledger> {
    let mut ledger = Ledger::default();
    let mut prefixes = Vec::new();
    for line in lines {
        prefixes.push(ledger.clone());
        ledger.accept(line.as_bytes()).unwrap();
    }
    prefixes
}

/// Whether a journal is what it was: every line verifies and the head is `head`.
fn passes(journal: &[u8], head: &Head) -> bool {
    read(journal).is_ok_and(|(ledger, torn)| ledger.head() == head && torn == 0)
}

#[test]
fn the_untouched_journal_passes() {
    let desk = twelve();
    assert!(passes(desk.journal.as_bytes(), desk.ledger.head()));
}

#[test]
fn every_bit_flipped_in_any_byte_is_found() {
    let desk = twelve();
    let lines = desk.lines();
    for (line, before) in lines.iter().zip(prefixes(&lines)) {
        let mut bytes = line.as_bytes().to_vec();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                // A flip into a newline makes two lines of one; then the first of them must not verify.
                let first = bytes.split(|byte| *byte == b'\n').next().unwrap();
                assert!(
                    before.clone().accept(first).is_err(),
                    "byte {at} bit {bit} of {line}"
                );
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn every_bit_flipped_in_a_newline_is_found() {
    let desk = twelve();
    let mut bytes = desk.journal.clone().into_bytes();
    let newlines: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    for at in newlines {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            // Without its newline the last record is a torn tail, and is reported as one.
            assert!(
                !passes(&bytes, desk.ledger.head()),
                "newline at {at}, bit {bit}"
            );
            bytes[at] ^= 1 << bit;
        }
    }
}

/// The journal with its lines rearranged.
fn rearranged(lines: &[&str], change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    change(&mut lines);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn lines_swapped_repeated_taken_out_or_put_in_are_found() {
    let desk = twelve();
    let (lines, head) = (desk.lines(), desk.ledger.head());
    let mut other = super::desk();
    other.actor.user = "mallory".into();
    other.give(&provision(None));
    let foreign = other.lines()[0].to_string();
    for a in 0..lines.len() {
        for b in 0..lines.len() {
            if a != b {
                assert!(
                    !passes(
                        rearranged(&lines, |lines| lines.swap(a, b)).as_bytes(),
                        head
                    ),
                    "swapped {a} and {b}"
                );
            }
            let repeated = rearranged(&lines, |all| all.insert(b, lines[a].to_string()));
            assert!(
                read(repeated.as_bytes()).is_err(),
                "{a} repeated before {b}"
            );
        }
        let without = rearranged(&lines, |lines| drop(lines.remove(a)));
        assert!(!passes(without.as_bytes(), head), "without {a}");
        let with_foreign = rearranged(&lines, |lines| lines.insert(a, foreign.clone()));
        assert!(
            read(with_foreign.as_bytes()).is_err(),
            "a foreign record before {a}"
        );
        let replaced = rearranged(&lines, |lines| lines[a].clone_from(&foreign));
        assert!(
            !passes(replaced.as_bytes(), head),
            "a foreign record instead of {a}"
        );
        let blank = rearranged(&lines, |lines| lines.insert(a, String::new()));
        assert!(read(blank.as_bytes()).is_err(), "a blank line before {a}");
    }
}

#[test]
fn a_journal_cut_anywhere_has_fewer_records_or_a_torn_tail_and_never_looks_whole() {
    let desk = twelve();
    let bytes = desk.journal.as_bytes();
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|at| *at == 0 || bytes[at - 1] == b'\n')
        .collect();
    let prefixes = prefixes(&desk.lines());
    for cut in (0..bytes.len()).step_by(7).chain(starts.clone()) {
        let whole = starts.iter().filter(|start| **start <= cut).count() - 1;
        let (ledger, torn) = read(&bytes[..cut]).unwrap();
        assert_eq!(ledger, prefixes[whole]);
        assert_eq!(torn, cut - starts[whole]);
        assert_ne!(
            ledger.head(),
            desk.ledger.head(),
            "a known head shows the cut"
        );
    }
}

/// A line with this body and the hash that belongs to it: what somebody who can compute SHA-256 forges.
fn forged(body: &str) -> String {
    format!("{body},\"hash\":\"{}\"}}", sha256_hex(body.as_bytes()))
}

/// The body of the first record of a release.
fn body() -> String {
    let mut desk = desk();
    desk.give(&provision(None));
    desk.journal.split(",\"hash\":").next().unwrap().to_string()
}

fn refusal(line: &str) -> String {
    let mut ledger = Ledger::default();
    let error = ledger.accept(line.as_bytes()).unwrap_err();
    assert_eq!(ledger, Ledger::default(), "a refused line changes nothing");
    assert_eq!(error.seq, 1);
    error.to_string()
}

#[test]
fn a_forged_line_of_the_right_content_is_the_line() {
    Ledger::default()
        .accept(forged(&body()).as_bytes())
        .unwrap();
}

#[test]
fn an_unknown_action_is_refused_and_not_skipped() {
    let refusal = refusal(&forged(&body().replace(
        "\"action\":\"provision_green\"",
        "\"action\":\"teleport_green\"",
    )));
    assert!(
        refusal.starts_with("record 1: verifies, but cannot be read: "),
        "{refusal}"
    );
    assert!(refusal.contains("teleport_green"), "{refusal}");
}

#[test]
fn what_a_refusal_quotes_is_escaped_and_cut() {
    for action in [String::from("\\u001b[2J\\u202e"), "x".repeat(1_000_000)] {
        let refusal = refusal(&forged(&body().replace("provision_green", &action)));
        assert!(
            refusal.is_ascii() && !refusal.contains('\u{1b}') && refusal.len() < 400,
            "{refusal:.400}"
        );
    }
}

#[test]
fn a_line_that_verifies_and_contradicts_its_place_or_its_state_is_refused() {
    for (from, to, why) in [
        ("\"seq\":1", "\"seq\":2", "says seq 2, expected 1"),
        ("\"seq\":1", "\"seq\":0", "says seq 0, expected 1"),
        (
            "\"prev_hash\":\"0",
            "\"prev_hash\":\"1",
            "prev_hash is not the hash of record 0",
        ),
        (
            "\"state\":\"green_provisioned\"",
            "\"state\":\"canary\"",
            "says state canary, but the events lead to green_provisioned",
        ),
        (
            "\"canary_weight\":0",
            "\"canary_weight\":5",
            "says canary_weight 5, but the events lead to 0",
        ),
        (
            "\"blue_image\":\"app:v1\"",
            "\"blue_image\":\"app:v0\"",
            "says blue_image \"app:v0\", but the events lead to \"app:v1\"",
        ),
        (
            "\"green_image\":\"app:v2\"",
            "\"green_image\":null",
            "says green_image none, but the events lead to \"app:v2\"",
        ),
        (
            "\"canary_weight\":0",
            "\"canary_weight\":101",
            "must be 0-100",
        ),
        (
            "\"timestamp\":\"2025",
            "\"timestamp\":\"yesterday 2025",
            "RFC 3339",
        ),
        ("\"user\":\"ann\",", "", "missing field `user`"),
    ] {
        let body = body();
        assert!(body.contains(from));
        let refusal = refusal(&forged(&body.replace(from, to)));
        assert!(
            refusal.starts_with("record 1: ") && refusal.contains(why),
            "{refusal}"
        );
    }
}

#[test]
fn a_line_that_is_no_record_is_refused() {
    let hash = "0".repeat(64);
    for line in [
        String::new(),
        "{}".into(),
        "null".into(),
        format!("{{\"a\":1,\"hash\":\"{hash}\"}}"),
        format!(",\"hash\":\"{hash}\"}}"),
        "x".repeat(1_000_000),
        forged(&format!("\"{}\"", "\u{fffd}".repeat(1_000))),
    ] {
        let refusal = refusal(&line);
        assert!(refusal.len() < 400, "{refusal}");
    }
    for body in ["{", "{\"a\":1", "[", ""] {
        assert!(refusal(&forged(body)).contains("cannot be read"), "{body}");
    }
    let mut not_utf8 = forged(&body()).into_bytes();
    not_utf8[30] = 0xff;
    assert!(Ledger::default().accept(&not_utf8).is_err());
}

#[test]
fn blanks_around_a_record_are_no_part_of_it() {
    for line in [
        format!(" {}", forged(&body())),
        format!("{} ", forged(&body())),
        format!("{}\r", forged(&body())),
    ] {
        assert!(
            Ledger::default().accept(line.as_bytes()).is_err(),
            "{line:?}"
        );
    }
}

#[test]
fn the_hash_must_be_in_lower_case() {
    let line = forged(&body());
    let at = line.len() - 66;
    let upper = format!("{}{}", &line[..at], line[at..].to_uppercase());
    assert!(refusal(&upper).contains("64 lower-case hex digits"));
}

#[test]
fn a_record_after_a_refused_one_does_not_count() {
    let desk = twelve();
    let broken = desk.journal.replacen("\"seq\":3,", "\"seq\":4,", 1);
    let error = read(broken.as_bytes()).unwrap_err();
    assert_eq!(
        (error.seq, error.why.as_str()),
        (3, "its bytes do not have the hash they carry")
    );
}
