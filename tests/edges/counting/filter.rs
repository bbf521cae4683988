//! What is Envoy's alone: its threads, each an edge of its own, and what its filter is not asked about.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::reports::{Mode, Reports};
use super::{Sent, wait_for, world, world_with};
use crate::edge::{Edge, Runtime, request};
use crate::http::Client;
use crate::upstream;
use crate::world::{EPOCH, World, native, tenants};

#[test]
fn each_thread_tells_under_an_id_of_its_own_which_never_comes_back_and_together_they_add_up() {
    let Some(world) = World::start(Runtime::Envoy) else {
        return;
    };
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let reports = Reports::start(Mode::Take, world.table.clone());
        let settings = [
            ("POOLS", world.table.clone()),
            ("CONCURRENCY", 3.into()),
            ("TABLE_URL", reports.at("/api/v1/table").into()),
            ("EDGE_TELEMETRY_MS", 100.into()),
        ];
        let edge = Edge::start(Runtime::Envoy, &settings).unwrap();
        let mut sent = Sent::default();
        let told = || -> BTreeSet<String> {
            let batches = reports.batches(Mode::Take).into_iter();
            batches.map(|(edge, _)| edge).collect()
        };
        // A connection is one thread's, and with so many each has some.
        let begin = Instant::now();
        while told().len() < 3 {
            assert!(begin.elapsed() < Duration::from_secs(20), "{}", edge.said());
            for tenant in tenants(10) {
                let (region, slot, _) = native(&world.table, &[], &tenant);
                if edge.get(&tenant).status() == 200 {
                    sent.add(&world.table, &tenant, (&region, &slot), false);
                }
            }
        }
        world.wait_until("what was sent to be told", || reports.taken() == sent.0);
        // Envoy's own thread has no requests, and is no edge.
        assert_eq!(told().len(), 3);
        let mut seqs = BTreeMap::<String, Vec<u64>>::new();
        for (edge, batch) in reports.batches(Mode::Take) {
            seqs.entry(edge).or_default().push(batch.seq);
        }
        for seqs in seqs.values() {
            assert_eq!(*seqs, (1..).take(seqs.len()).collect::<Vec<u64>>());
        }
        ids.extend(told());
    }
    assert_eq!(ids.len(), 6, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == 32), "{ids:?}");
}

#[test]
fn without_a_request_an_edge_that_has_had_some_tells_that_nothing_came() {
    let Some((world, reports, sent)) = world(Runtime::Envoy, Mode::Take) else {
        return;
    };
    wait_for(&world, &reports, &sent);
    let before = reports.batches(Mode::Take).len();
    world.wait_until("more batches", || {
        reports.batches(Mode::Take).len() > before + 2
    });
    let (_, last) = reports.batches(Mode::Take).pop().unwrap();
    assert!(last.cells.is_empty() && last.release.is_some(), "{last:?}");
}

#[test]
fn what_still_waits_is_told_and_no_more_once_it_is_over() {
    let Some((world, reports, mut sent)) = world(Runtime::Envoy, Mode::Take) else {
        return;
    };
    let tenant = "tenant1";
    let (region, slot, _) = native(&world.table, &[], tenant);
    world.upstream(&region, &slot).mode(upstream::Mode::Hang);
    let open = || -> Vec<u64> {
        let batches = reports.batches(Mode::Take);
        let of = |batch: &halcyon_core::telemetry::Batch| {
            let cells = batch.cells.iter();
            let cells =
                cells.filter(|cell| (cell.region.as_str(), cell.slot.name()) == (&region, &slot));
            cells.map(|cell| cell.open).sum()
        };
        batches.iter().map(|(_, batch)| of(batch)).collect()
    };
    // Not sent twice, so it waits for as long as it may.
    let answer = world.edge.send("POST", tenant, b"x");
    assert_eq!(answer.problem(502), "upstream_timeout");
    sent.add(&world.table, tenant, (&region, &slot), true);
    wait_for(&world, &reports, &sent);
    assert!(open().contains(&1), "{:?}", open());
    assert!(open().iter().all(|open| *open <= 1));
    assert_eq!(open().last(), Some(&0));
}

#[test]
fn what_envoy_sent_nowhere_is_an_error_of_the_pool_it_was_for() {
    let Some((world, reports, mut sent)) = world(Runtime::Envoy, Mode::Take) else {
        return;
    };
    // No cluster, an address that Envoy would cut, and none at all.
    for (number, address) in [(1, "http://10.0.0.1"), (2, "http://10.0.0.1/path"), (3, "")] {
        let table = world.table_of(EPOCH + number, |table| {
            for known in table["regions"].as_array_mut().unwrap() {
                if known["name"] == "us-west" {
                    for slot in ["blue", "green"] {
                        match address {
                            "" => drop(known.as_object_mut().unwrap().remove(slot)),
                            address => known[slot] = address.into(),
                        }
                    }
                }
            }
        });
        world.tables.mode(crate::tables::Mode::Table(table.clone()));
        let before = world.tables.not_modified();
        world.wait_until("the table to be taken", || {
            world.tables.not_modified() > before + 1
        });
        for tenant in tenants(20) {
            let (region, slot, _) = native(&table, &[], &tenant);
            let answer = world.edge.send("POST", &tenant, b"x");
            if region != "us-west" {
                sent.add(&table, &tenant, (&region, &slot), false);
                continue;
            }
            sent.add(&table, &tenant, (&region, &slot), true);
            let (next, slot, _) = native(&table, &["us-west"], &tenant);
            // Where an address is missing the filter goes past it; a cluster is missing only to Envoy.
            if number > 1 && next != "us-west" {
                assert_eq!(answer.status(), 200, "{answer}");
                sent.add(&table, &tenant, (&next, &slot), false);
            } else {
                assert_eq!(answer.problem(503), "no_upstream");
            }
        }
        wait_for(&world, &reports, &sent);
    }
}

#[test]
fn what_envoy_finds_no_host_for_is_an_error_of_its_pool() {
    let hostless = [("HOSTLESS", "us-west")];
    let Some((world, reports, mut sent)) = world_with(Runtime::Envoy, Mode::Take, &hostless) else {
        return;
    };
    for tenant in tenants(20) {
        let (region, slot, _) = native(&world.table, &[], &tenant);
        let answer = world.edge.send("POST", &tenant, b"x");
        let failed = region == "us-west";
        match failed {
            true => assert_eq!(answer.problem(502), "upstream_unreachable"),
            false => assert_eq!(answer.status(), 200, "{answer}"),
        }
        sent.add(&world.table, &tenant, (&region, &slot), failed);
    }
    assert!(sent.0.values().any(|(_, errors)| *errors > 0));
    wait_for(&world, &reports, &sent);
}

#[test]
fn what_waited_for_clients_that_have_left_waits_no_more() {
    let Some((world, reports, sent)) = world(Runtime::Envoy, Mode::Take) else {
        return;
    };
    // Whatever clients do, what waits comes down to nothing.
    for upstream in world.upstreams.values() {
        upstream.mode(upstream::Mode::Hang);
    }
    for tenant in tenants(30) {
        let (region, _, _) = native(&world.table, &[], &tenant);
        let before = world.asked(&region);
        let mut client = Client::to(world.edge.address);
        client.write(request("GET", "/", &[("x-tenant", &tenant)]));
        world.wait_until("the upstream to be asked", || world.asked(&region) > before);
        drop(client);
    }
    let all = tenants(30).len() as u64;
    world.wait_until("all to be told of", || reports.left() == all);
    wait_for(&world, &reports, &sent);
    world
        .upstreams
        .values()
        .for_each(|upstream| upstream.mode(upstream::Mode::Serve));
    thread::sleep(Duration::from_millis(500));
    let (_, last) = reports.batches(Mode::Take).pop().unwrap();
    assert!(last.cells.iter().all(|cell| cell.open == 0), "{last:?}");
}

#[test]
fn without_a_control_plane_nothing_is_told_and_everything_is_served() {
    let Some(world) = World::start(Runtime::Envoy) else {
        return;
    };
    let settings = [
        ("POOLS", world.table.clone()),
        ("TABLE", world.table.clone()),
        ("EDGE_TELEMETRY", Value::from("off")),
    ];
    let edge = Edge::start(Runtime::Envoy, &settings).unwrap();
    for tenant in tenants(5) {
        assert_eq!(edge.get(&tenant).status(), 200);
    }
}
