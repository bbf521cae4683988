//! The C ABI under callers that do everything wrong.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cases::{Group, table};
use crate::dice::Dice;
use crate::edge::{Edge, bytes, module, target};
use crate::setting::Setting;

fn group(regions: &str) -> Group {
    let setting = Setting::new([("REGIONS", regions), ("TENANT_STICKY", "hash")]);
    Group {
        table: table(&setting, &[], None),
        asks: Vec::new(),
    }
}

fn three(epoch: u64) -> Vec<u8> {
    group("us-east,us-west,eu-west").binary(epoch)
}

#[test]
fn the_module_imports_nothing_and_exports_its_four_functions_and_a_memory() {
    assert_eq!(module().imports().count(), 0);
    let mut names: Vec<&str> = module().exports().map(|export| export.name()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "__data_end",
            "__heap_base",
            "halcyon_abi",
            "halcyon_buf",
            "halcyon_load",
            "halcyon_route",
            "memory"
        ]
    );
    let signature = |name: &str| {
        let export = module().get_export(name).unwrap();
        let function = export.unwrap_func().clone();
        let types = |types: Vec<wasmtime::ValType>| {
            types
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (takes, gives) = (function.params().collect(), function.results().collect());
        format!("{} -> {}", types(takes), types(gives))
    };
    assert_eq!(signature("halcyon_abi"), " -> i32");
    assert_eq!(signature("halcyon_buf"), "i32 -> i32");
    assert_eq!(signature("halcyon_load"), "i32 -> i32");
    assert_eq!(signature("halcyon_route"), "i32 i64 -> i64");
}

#[test]
fn two_builds_are_the_same_bytes() {
    let other = tempfile::tempdir_in(target().parent().unwrap()).unwrap();
    let again = halcyon_wasm_build::build_abi(other.path()).unwrap();
    assert!(
        again == bytes(),
        "{} bytes and {}",
        again.len(),
        bytes().len()
    );
}

#[test]
fn no_order_of_calls_traps_and_each_mistake_has_its_code() {
    let mut edge = Edge::new();
    assert_eq!(edge.route(0, 0).error, 1, "no table");
    assert_eq!(edge.load(0), 1, "nothing is no table");
    assert_eq!(edge.load(1), 7, "no buffer");
    assert_eq!(edge.route(u32::MAX, u64::MAX).error, 1);
    assert_eq!(edge.buf(u32::MAX), 0);
    assert_eq!(edge.buf((16 << 20) + 1), 0);
    assert_ne!(edge.buf(0), 0);
    assert_eq!(edge.take(&three(7)), 0);
    assert_eq!(edge.load(1), 7, "the buffer is given back");
    assert_eq!(edge.route(1, 0).error, 2, "no buffer");
    assert_eq!(edge.ask(b"acme", 0).error, 0);
    assert_eq!(edge.route(5, 0).error, 2, "longer than the buffer");
    assert_eq!(edge.ask(b"", 0).error, 3);
    assert_eq!(edge.ask(&[b'x'; 16_384], 0).error, 0);
    assert_eq!(edge.ask(&[b'x'; 16_385], 0).error, 3);
    assert_eq!(edge.ask(b"\xff", 0).error, 4);
    assert_eq!(edge.ask(b"Zo\xc3", 0).error, 4);
}

#[test]
fn a_table_that_may_not_be_taken_leaves_the_one_before() {
    let mut edge = Edge::new();
    assert_eq!(edge.take(&three(7)), 0);
    let before = edge.ask(b"acme", 0);
    let mut newer = three(8);
    newer[7] = 2;
    let mut damaged = three(8);
    damaged[40] ^= 1;
    let other = {
        let mut group = group("us-east");
        group.table["deployment"] = "other".into();
        group.binary(8)
    };
    for (bytes, code) in [
        (b"{}".to_vec(), 1),
        (newer, 2),
        (damaged, 3),
        (three(6), 9),
        (group("us-east").binary(7), 10),
        (other, 11),
    ] {
        assert_eq!(edge.take(&bytes), code);
        assert_eq!(edge.ask(b"acme", 0), before);
    }
    assert_eq!(edge.take(&three(7)), 0, "the very one");
    assert_eq!(edge.take(&group("us-east").binary(8)), 0);
    assert_eq!(edge.ask(b"tenant1", 0).region, 0);
}

#[test]
fn every_reason_and_both_slots_and_both_refusals_come_out() {
    let value: Value = json!({
        "format": 1, "epoch": 1, "issued_at": "2026-01-01T00:00:00Z", "deployment": "d",
        "sticky": "hash", "failover": "ordered",
        "regions": [
            {"name": "a", "weight": 1, "status": "down"},
            {"name": "b", "weight": 1, "status": "up"},
            {"name": "c", "weight": 1, "status": "forbidden"},
        ],
        "rules": {
            "residency": [
                {"tenant": "here-*", "regions": ["b"]},
                {"tenant": "none", "regions": []},
                {"tenant": "never", "regions": ["c"]},
                {"tenant": "lost", "regions": ["a"]},
            ],
            "pins": [{"tenant": "pinned", "region": "b"}],
        },
        "release": {"id": "r1", "state": "canary", "weight": 100, "valid_until": "1970-01-01T00:00:01Z"},
    });
    let group = Group {
        table: value,
        asks: Vec::new(),
    };
    let mut edge = Edge::new();
    assert_eq!(edge.take(&group.binary(1)), 0);
    let mut ask = |tenant: &str, now| {
        let answer = edge.ask(tenant.as_bytes(), now);
        (answer.region, answer.reason, answer.error)
    };
    assert_eq!(ask("here-1", 0), (1, 3, 0));
    assert_eq!(ask("pinned", 0), (1, 4, 0));
    assert_eq!(ask("lost", 0), (0, 6, 0));
    assert_eq!(ask("none", 0), (0, 0, 5));
    assert_eq!(ask("never", 0), (0, 0, 6));
    let by_hash: Vec<_> = (0..20).map(|n| ask(&format!("tenant{n}"), 0)).collect();
    assert!(
        by_hash.contains(&(1, 1, 0)) && by_hash.contains(&(1, 5, 0)),
        "{by_hash:?}"
    );
    // To the last millisecond of the canary and not one longer.
    assert_eq!(edge.ask(b"pinned", 1000).slot, 1);
    assert_eq!(edge.ask(b"pinned", 1001).slot, 0);
}

/// Half of the tables are sealed anew, so that what stands in them is looked at.
#[test]
fn a_hundred_thousand_broken_tables_and_tenants_never_trap() {
    let mut dice = Dice(20_260_101);
    let mut edge = Edge::new();
    let good = (1..60).map(|epoch| crate::random::group(&mut dice, 30).binary(epoch));
    let good: Vec<Vec<u8>> = good.filter(|bytes| bytes.len() < 4_000).collect();
    let (mut taken, mut refused) = (0, 0);
    for turn in 0..100_000 {
        if turn % 10 == 0 {
            // A broken epoch is often one that nothing comes after.
            edge = Edge::new();
        }
        let mut bytes = dice.pick(&good).clone();
        for _ in 0..dice.below(4) {
            let at = dice.below(bytes.len());
            bytes[at] = dice.below(256) as u8;
        }
        if dice.often(10) {
            bytes.truncate(dice.below(bytes.len()));
        }
        if dice.often(70) && bytes.len() > 8 {
            let content = bytes.len() - 8;
            let sum = halcyon_core::hash::HashKey::default().sip13(&bytes[..content]);
            bytes[content..].copy_from_slice(&sum.to_le_bytes());
        }
        match edge.take(&bytes) {
            0 => taken += 1,
            _ => refused += 1,
        }
        let id: Vec<u8> = (0..dice.below(20)).map(|_| dice.below(256) as u8).collect();
        edge.ask(&id, turn);
    }
    assert!(
        taken > 10_000 && refused > 10_000,
        "{taken} taken, {refused} refused"
    );
}

const PAGE: usize = 64 * 1024;

/// A table of at least so many bytes.
fn table_of(length: usize, epoch: u64) -> Vec<u8> {
    let mut group = group("us-east,us-west");
    let pin = |number| json!({"tenant": format!("{number:x}"), "region": "us-east"});
    let pins: Vec<Value> = (0..length / 10).map(pin).collect();
    group.table["rules"] = json!({ "pins": pins });
    group.binary(epoch)
}

#[test]
fn memory_is_at_most_eight_times_the_longest_table_and_does_not_grow_with_calls() {
    let mut edge = Edge::new();
    let begin = edge.memory_size();
    assert!(begin < 20 * PAGE, "{begin}");
    let mut epoch = 0;
    // Each a little longer than what the one before has had: as much as growing can be made to cost.
    for pages in [1, 2, 4, 8, 16, 32] {
        let length = pages * PAGE / 2 + 3_000;
        for _ in 0..3 {
            epoch += 1;
            let long = table_of(length, epoch);
            assert_eq!(edge.take(&long), 0);
            let had = edge.memory_size() - begin;
            let most = 8 * long.len().max(PAGE);
            assert!(had <= most, "{had} of {most} for {}", long.len());
        }
    }
    let before = edge.memory_size();
    for _ in 0..10_000 {
        edge.ask(b"acme", 0);
    }
    let shorter = [table_of(100_000, epoch + 1), table_of(10, epoch + 2)];
    for table in shorter {
        assert_eq!(edge.take(&table), 0);
        edge.ask(b"acme", 0);
    }
    assert_eq!(edge.memory_size(), before);
}

#[test]
fn whatever_a_caller_asks_for_memory_ends_at_64_mib() {
    let mut edge = Edge::new();
    let begin = edge.memory_size();
    for epoch in 1..=20_u64 {
        assert_eq!(edge.take(&three(epoch)), 0);
        for length in [
            1 << epoch.min(24),
            (1 << epoch.min(24)) + 1,
            16 << 20,
            u32::MAX,
        ] {
            assert_eq!(edge.buf(length) == 0, length > 16 << 20, "{length}");
        }
    }
    let had = edge.memory_size() - begin;
    assert!(had < 64 << 20, "{had}");
}

#[test]
fn a_buffer_holds_nothing_of_what_was_written_before() {
    let mut edge = Edge::new();
    assert_eq!(edge.take(&three(1)), 0);
    assert_eq!(edge.take(&three(2)), 0);
    for length in [0, 1, 7, 100, 65_536, 65_537, 200_000] {
        let secret = vec![0xa5; length];
        assert!(edge.write(&secret));
        for asked in [length / 2, length] {
            let at = edge.buf(asked as u32);
            let zeros = edge.read(at, asked);
            assert!(zeros.iter().all(|byte| *byte == 0), "{length} {asked}");
        }
    }
}

#[test]
fn with_too_little_memory_there_is_no_buffer_and_the_table_before_stays() {
    let long = table_of(1 << 20, 2);
    let (mut taken, mut without) = (0, 0);
    for pages in 18..100 {
        let mut edge = Edge::with_memory(pages * PAGE);
        // Two pages are what it takes to hold a table and to be asked.
        if !edge.write(&three(1)) || edge.load(three(1).len() as u32) != 0 || edge.buf(1) == 0 {
            assert!(pages < 24, "{pages}");
            continue;
        }
        match edge.write(&long) {
            true => {
                assert_eq!(edge.load(long.len() as u32), 0, "{pages}");
                taken += 1;
            }
            false => without += 1,
        }
        assert_eq!(edge.ask(b"acme", 0).error, 0, "{pages}");
    }
    assert!(taken > 10 && without > 10, "{taken} {without}");
}

#[test]
fn the_module_has_at_most_8_kb_after_gzip() {
    let mut gzip = Command::new("gzip")
        .args(["-9", "--no-name", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(bytes()).unwrap();
    let packed = gzip.wait_with_output().unwrap().stdout.len();
    println!("{} bytes, {packed} after gzip", bytes().len());
    assert!((1..=8 * 1024).contains(&packed), "{packed}");
}

/// Not a measurement: a look-up that went through all rules would take hours.
#[test]
fn a_table_of_200_000_rules_answers_at_once() {
    let mut group = group("us-east,us-west");
    let pin = |number| json!({"tenant": format!("tenant-{number}"), "region": "us-east"});
    group.table["rules"] = json!({ "pins": (0..200_000).map(pin).collect::<Vec<_>>() });
    let mut edge = Edge::new();
    assert_eq!(edge.take(&group.binary(1)), 0);
    let begin = Instant::now();
    for number in 0..20_000 {
        let answer = edge.ask(format!("tenant-{number}").as_bytes(), 0);
        assert_eq!((answer.region, answer.reason), (0, 4));
    }
    assert!(begin.elapsed() < Duration::from_secs(60));
}
