//! A journal of 64 records, cut at every byte and with every single bit flipped.

use halcyon_core::endpoint::Endpoint;
use halcyon_core::ledger::{Head, Key, Ledger, verify};
use halcyon_core::release::{
    Action, Check, Plan, Pools, RegionFailure, RegionTarget, Release, Step, Weight,
};

use super::*;

const RECORDS: u64 = 64;

/// A plan with a hook, over regions one of which has a strange name.
fn plan() -> Plan {
    let region = |name: &str| RegionTarget {
        name: name.into(),
        url: Endpoint::parse("http://10.0.0.1:8086").unwrap(),
        named: true,
        pools: Pools::default(),
    };
    Plan {
        weights: [5, 100].map(|percent| Weight::new(percent).unwrap()).into(),
        regions: vec![region("us-east"), region("eu-west")],
        bake_ms: 1000,
        abort_on_err: false,
        on_step: Some("./shift \"$HALCYON_REGION\" \\ \u{1f426}".into()),
        on_step_dir: Some("/srv/\u{2028}\n".into()),
        limits: None,
        by_server: false,
        deadline: Some(NOON),
    }
}

/// What a driver is asked for next, as a command that says it is done.
fn followed(release: &Release) -> Option<Command> {
    Some(match release.next_step() {
        Step::Rest | Step::Hold => return None,
        Step::Apply(apply) => Command::ConfirmRegion {
            region: apply.regions[0].name.clone(),
            change: apply.action,
        },
        Step::Enter { weight } if weight.percent() == 5 => Command::StartCanary { weight: 5 },
        Step::Enter { .. } => Command::IncreaseWeight { weight: 100 },
        Step::Bake { weight, .. } if weight.percent() == 5 => Command::FailStep {
            weight,
            check: Check::Bake,
            failures: vec![RegionFailure {
                region: "eu-west".into(),
                why: "status 503 \u{7f}\u{202e}".into(),
            }],
        },
        Step::Bake { weight, .. } => Command::PassStep {
            weight,
            baked_ms: 1000,
            rounds: 3,
            traffic: None,
        },
        Step::Finish => Command::FinishPlan,
        Step::CompleteRollback => Command::CompleteRollback,
    })
}

/// Several releases: promoted, rolled back with and without a hook, refused, paused, torn once.
fn journal_of_64() -> Vec<u8> {
    let bench = Bench::new();
    let mut journal = bench.journal();
    let records = |journal: &Journal<FileStore<Disk>>| journal.head().seq;
    let mut releases = 0;
    while records(&journal) < RECORDS - 4 {
        releases += 1;
        let user = if releases % 2 == 0 { "zo\u{eb}" } else { "ann" };
        let actor = |role: &str| Actor {
            user: user.into(),
            role: role.into(),
        };
        let give = |journal: &mut Journal<FileStore<Disk>>, command: &Command, role: &str| {
            let actor = actor(role);
            let id = format!("20260101-120{releases}");
            let context = Context {
                actor: &actor,
                kill_switch: false,
                new_release_id: &id,
            };
            let key = Key::parse(&format!("k{}", journal.head().seq)).unwrap();
            let key = Some(&key).filter(|_| releases == 2);
            journal.append_keyed(command, &context, key, None, NOON.plus(releases * 5000))
        };
        let begin = Command::ProvisionGreen {
            image: format!("app:\"{releases}\" \t\\"),
            blue_image: Some("app:0".into()),
            plan: (releases != 2).then(plan),
        };
        give(&mut journal, &begin, "Deployer").unwrap();
        give(&mut journal, &Command::PromoteGreen, "Viewer\r\n").unwrap_err();
        if releases == 2 {
            let reason = "{\"reason\":\"\\u0000\"}\n".repeat(210);
            give(&mut journal, &Command::Pause { reason }, "Admin").unwrap();
            give(&mut journal, &rollback(), "Admin").unwrap();
            let torn = [bench.disk.bytes(), b"{\"timestamp\":\"2026".to_vec()].concat();
            bench.disk.set(&torn);
            continue;
        }
        while let Some(command) = followed(journal.release()) {
            if records(&journal) >= RECORDS - 4 {
                break;
            }
            give(&mut journal, &command, "Deployer").unwrap();
        }
    }
    while records(&journal) < RECORDS {
        say(&mut journal, &rollback()).unwrap();
    }
    let bytes = bench.disk.bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let confirmed = Action::PromoteGreen.name();
    for part in [
        "permission_denied",
        "torn_tail_cut",
        "idempotency_key",
        "rollback_complete",
        "step_failed",
        confirmed,
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.lines().any(|line| line.len() > 4096));
    bytes
}

/// Every line's place, newline included, with the ledger before it.
struct Chain {
    bytes: Vec<u8>,
    lines: Vec<(std::ops::Range<usize>, Ledger)>,
    head: Head,
}

fn chain() -> Chain {
    let bytes = journal_of_64();
    let (mut ledger, mut lines, mut at) = (Ledger::default(), Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        lines.push((at..at + line.len(), ledger.clone()));
        ledger.accept(line.strip_suffix(b"\n").unwrap()).unwrap();
        at += line.len();
    }
    assert_eq!(lines.len() as u64, RECORDS);
    Chain {
        bytes,
        lines,
        head: ledger.head().clone(),
    }
}

#[test]
fn a_journal_cut_anywhere_is_its_whole_records_and_a_torn_tail() {
    let chain = chain();
    let mut cuts = 0;
    for (line, before) in &chain.lines {
        let mut ledger = before.clone();
        for length in line.clone() {
            let rest = &chain.bytes[line.start..length];
            let tail = ledger.read(rest, |_, _, _| panic!("no record is whole"));
            assert_eq!(tail.unwrap(), rest, "cut at {length}");
            // Whoever knows a later head finds what the bytes alone do not show.
            let known = verify(before.clone(), rest, Some(&chain.head));
            let seq = before.head().seq;
            let expected = format!("expected head 64: the chain ends at record {seq}");
            assert_eq!(known.errors, [expected], "cut at {length}");
            assert_eq!((known.head.seq, known.torn_tail), (seq, rest.len()));
            cuts += 1;
        }
        assert_eq!(ledger, *before);
        let torn = &chain.bytes[line.start..line.end - 1];
        let earlier = Some(before.head()).filter(|head| head.seq > 0);
        for expected in [None, earlier] {
            assert_eq!(verify(before.clone(), torn, expected).errors, [""; 0]);
        }
    }
    assert_eq!(cuts, chain.bytes.len());
    assert!(
        verify(Ledger::default(), &chain.bytes, Some(&chain.head))
            .errors
            .is_empty()
    );
}

#[test]
fn a_bit_flipped_anywhere_is_corruption_of_its_record() {
    let mut chain = chain();
    let mut flips = 0;
    for (line, before) in &chain.lines {
        let (mut ledger, seq) = (before.clone(), before.head().seq + 1);
        for at in line.clone() {
            for bit in 0..8 {
                chain.bytes[at] ^= 1 << bit;
                let found = ledger.read(&chain.bytes[line.start..], |_, _, _| {
                    panic!("bit {bit} of byte {at}: a record was accepted")
                });
                match found {
                    Err(why) => assert_eq!(why.seq, seq, "bit {bit} of byte {at}"),
                    // The last newline: nothing ends that record any more.
                    Ok(tail) => assert_eq!((at + 1, tail.len()), (chain.bytes.len(), line.len())),
                }
                chain.bytes[at] ^= 1 << bit;
                flips += 1;
            }
        }
        assert_eq!(ledger, *before, "nothing of it counts");
    }
    assert_eq!(flips, chain.bytes.len() * 8);
}

#[test]
fn without_its_last_newline_the_last_record_is_a_torn_tail_and_a_known_head_tells() {
    let mut chain = chain();
    let (line, before) = chain.lines.last().unwrap();
    let newline = chain.bytes.len() - 1;
    for bit in 0..8 {
        chain.bytes[newline] ^= 1 << bit;
        let bench = Bench::new();
        bench.disk.set(&chain.bytes);
        let journal = bench.journal();
        assert_eq!(journal.head(), before.head());
        assert_eq!(journal.torn_tail() as usize, line.len());
        let known = verify(Ledger::default(), &chain.bytes, Some(&chain.head));
        assert_eq!(known.errors.len(), 1, "{:?}", known.errors);
        chain.bytes[newline] ^= 1 << bit;
    }
}

#[test]
fn a_process_that_opens_a_damaged_journal_says_the_same() {
    let mut chain = chain();
    let bench = Bench::new();
    for (line, before) in &chain.lines {
        let seq = before.head().seq + 1;
        for at in [line.start, line.start + line.len() / 2, line.end - 1] {
            // Cut here: a reader has the records before, and an append goes on after them.
            bench.disk.set(&chain.bytes[..at]);
            let mut journal = bench.journal();
            assert_eq!(journal.head(), before.head());
            let torn = (at - line.start) as u64;
            let next = say(&mut journal, &rollback()).unwrap();
            assert_eq!(
                next[0].record.torn_tail_cut,
                Some(torn).filter(|torn| *torn > 0)
            );
            // Flipped here: nobody reads or writes it.
            if at == chain.bytes.len() - 1 {
                continue;
            }
            chain.bytes[at] ^= 4;
            bench.disk.set(&chain.bytes);
            let error = bench.try_journal().err().unwrap();
            assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
            assert!(
                error.to_string().contains(&format!("record {seq}: ")),
                "{error}"
            );
            let found = verify(Ledger::default(), &chain.bytes, None);
            let after = format!("{} line(s) after it", lines_after(&chain.bytes, line.start));
            assert!(found.errors[0].starts_with(&format!("record {seq}: ")));
            assert!(found.errors[0].contains(&after), "{:?}", found.errors);
            chain.bytes[at] ^= 4;
        }
    }
}

/// Lines that follow the one that begins here.
fn lines_after(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().filter(|byte| **byte == b'\n').count() - 1
}
