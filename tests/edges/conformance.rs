//! Envoy with the filter decides like the core here: vectors and random cases, as requests.
//!
//! `HALCYON_RANDOM_SEED` repeats the random cases of an earlier run.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use halcyon_core::forwarding::leads_elsewhere;
use serde_json::Value;

use crate::cases::{Expected, Group, of_file};
use crate::dice::Dice;
use crate::edge::{Edge, Runtime, request};
use crate::http::{Answer, Client};
use crate::tables::{Mode, Tables};
use crate::world::World;

/// The vector files with many tenants under each table. The others have a table for each few, which every
/// other runtime is asked.
const FILES: [&str; 3] = ["placement.json", "rules.json", "slots.json"];

const RANDOM: usize = 10_000;
/// Cases that share a table.
const TOGETHER: usize = 200;
/// Each is an Envoy with a server of tables.
const BESIDE: usize = 4;

#[test]
fn envoy_answers_like_the_core() {
    let Some(world) = World::start(Runtime::Envoy) else {
        return;
    };
    let given = std::env::var("HALCYON_RANDOM_SEED").ok();
    let seed = given.map_or_else(now, |seed| seed.parse().expect("a number"));
    let mut dice = Dice(seed);
    let vectors: Vec<Group> = FILES.iter().flat_map(|name| vectors(name)).collect();
    let of_vectors: usize = vectors.iter().map(|group| group.asks.len()).sum();
    let random = (0..RANDOM / TOGETHER).map(|_| crate::random::group(&mut dice, TOGETHER));
    let groups: Vec<Group> = vectors.into_iter().chain(random).collect();
    let differences: Vec<String> = thread::scope(|scope| {
        let parts = groups.chunks(groups.len().div_ceil(BESIDE));
        let parts = parts.map(|part| scope.spawn(|| compare(&world, part)));
        let parts: Vec<_> = parts.collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    });
    let line = format!(
        "{:<22} {of_vectors:>9} {RANDOM:>9} {:>12}\n",
        "Envoy",
        differences.len()
    );
    let head = format!(
        "{:<22} {:>9} {:>9} {:>12}\n",
        "filter in", "vectors", "random", "differences"
    );
    std::io::stderr()
        .write_all((head + &line).as_bytes())
        .unwrap();
    assert_eq!(differences, [""; 0], "HALCYON_RANDOM_SEED={seed}");
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_nanos() as u64 & 0xffff_ffff
}

fn vectors(name: &str) -> Vec<Group> {
    let path = halcyon_wasm_build::workspace()
        .join("tests/vectors")
        .join(name);
    of_file(name, &std::fs::read_to_string(path).unwrap())
}

/// What an Envoy answers otherwise, one table after the other.
fn compare(world: &World, groups: &[Group]) -> Vec<String> {
    let tables = Tables::start(Mode::Hang);
    let settings = [
        ("POOLS", world.table.clone()),
        ("TABLE_URL", Value::from(tables.url())),
        ("TABLE_REFRESH_MS", 100.into()),
        ("TABLE_TIMEOUT_MS", 1000.into()),
        ("TENANT_FROM", "path:1".into()),
    ];
    let edge = Edge::start(Runtime::Envoy, &settings).unwrap();
    let mut client = Client::to(edge.address);
    let mut differences = Vec::new();
    for (epoch, group) in (1_u64..).zip(groups) {
        let mut table = group.table.clone();
        table["epoch"] = epoch.into();
        // Where nobody is, and Envoy knows no cluster: what counts is where it would go.
        for region in table["regions"].as_array_mut().unwrap() {
            region["blue"] = "http://10.0.0.1".into();
            region["green"] = "http://10.0.0.2".into();
        }
        publish(&tables, &edge, table);
        // Nobody may say by a path who resolves it into another one.
        let asks = group.asks.iter();
        let asks = asks.filter(|(id, _)| !leads_elsewhere(&percent(id)));
        for (id, expected) in asks {
            client.write(request("GET", &format!("/{}", percent(id)), &[]));
            let answer = client.answer("GET");
            if answer.header("connection") == Some("close") {
                client = Client::to(edge.address);
            }
            if differs(&answer, expected) {
                differences.push(format!(
                    "{answer} for {id:?}, expected {expected:?}, under {}",
                    group.table
                ));
            }
        }
    }
    differences
}

/// Waits until the edge asks with the table's ETag.
fn publish(tables: &Tables, edge: &Edge, table: Value) {
    let before = tables.not_modified();
    tables.mode(Mode::Table(table));
    let begin = Instant::now();
    while tables.not_modified() == before {
        let late = begin.elapsed() > Duration::from_secs(20);
        assert!(!late, "waited for a table: {}", edge.said());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Every byte of an id as a path may carry it.
fn percent(id: &str) -> String {
    id.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn differs(answer: &Answer, expected: &Expected) -> bool {
    let said = |name: &str| answer.header(name).map(String::from);
    let other =
        |seen: Option<String>, expected: &Option<String>| expected.is_some() && seen != *expected;
    match &expected.region {
        Err(()) => answer.status() != 503 || answer.json()["code"] != "residency_unavailable",
        Ok(region) => {
            said("x-halcyon-region").as_ref() != Some(region)
                || other(said("x-halcyon-slot"), &expected.slot)
                || other(said("x-halcyon-reason"), &expected.reason)
        }
    }
}
