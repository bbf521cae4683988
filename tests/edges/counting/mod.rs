//! What an edge counts is what was sent, nobody waits for it, and no tenant is named.

mod arithmetic;
mod control;
mod filter;
mod relay;
mod reports;

use std::thread;
use std::time::{Duration, Instant};

use halcyon_core::hash::TenantId;
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;
use halcyon_tests::process::Signal;
use serde_json::Value;

use crate::edge::{Edge, Runtime, request};
use crate::http::Client;
use crate::upstream;
use crate::world::{FAST, REGIONS, World, native, now, tenants};
use reports::{Cells, Mode, Reports};

in_every_edge! {
    what_an_edge_counts_is_what_was_sent,
    a_latency_is_the_time_until_an_answer_began_or_none_would_come,
    a_second_try_counts_for_the_region_that_it_came_to,
    what_nobody_took_is_sent_again_and_taken_once,
    a_report_that_hangs_delays_nobody_and_no_second_one_begins,
    a_report_that_is_refused_for_good_is_given_up,
    unset_it_goes_beside_the_table_and_off_nowhere,
}

/// What an edge is to have told, from the client's side.
#[derive(Default)]
struct Sent(Cells);

impl Sent {
    /// One request of a tenant that came to this pool.
    fn add(&mut self, table: &Value, tenant: &str, (region, slot): (&str, &str), failed: bool) {
        let table = Table::from_json(&table.to_string()).unwrap();
        let cohort = table.cohort(TenantId::new(tenant).unwrap(), Timestamp(now()));
        let slot = if slot == "green" { "green" } else { "blue" };
        let cell = self.0.entry((region.into(), slot, cohort));
        let (requests, errors) = cell.or_default();
        *requests += 1;
        *errors += u64::from(failed);
    }
}

/// A world whose edge reports every 200 ms.
fn world(runtime: Runtime, mode: Mode) -> Option<(World, Reports, Sent)> {
    world_with(runtime, mode, &[])
}

/// The same with more variables.
fn world_with(
    runtime: Runtime,
    mode: Mode,
    more: &[(&str, &str)],
) -> Option<(World, Reports, Sent)> {
    let reports = Reports::start(mode, Value::Null);
    let at = reports.at("/counted");
    let variables = [
        ("EDGE_TELEMETRY", at.as_str()),
        ("EDGE_TELEMETRY_MS", "200"),
        ("TABLE_TOKEN", "s3cr3t-t0k3n"),
    ];
    let variables = [&variables, more].concat();
    let world = World::with(runtime, &variables, |_| ())?;
    world.tables.posts(reports.answering());
    let mut sent = Sent::default();
    // The one that has found a table.
    let (region, slot, _) = native(&world.table, &[], "acme");
    sent.add(&world.table, "acme", (&region, &slot), false);
    Some((world, reports, sent))
}

/// What no upstream is asked: the template tells what it has counted where there is something to answer.
fn nudge(edge: &Edge) {
    assert_eq!(edge.ask("GET", "/", &[]).problem(400), "no_tenant");
}

#[track_caller]
fn wait_for(world: &World, reports: &Reports, sent: &Sent) {
    world.wait_until("what was sent to be told", || {
        nudge(&world.edge);
        reports.taken() == sent.0
    });
}

fn what_an_edge_counts_is_what_was_sent(runtime: Runtime) {
    let Some((world, reports, mut sent)) = world(runtime, Mode::Take) else {
        return;
    };
    world
        .upstream("us-west", "blue")
        .mode(upstream::Mode::Status(500));
    world
        .upstream("us-east", "green")
        .mode(upstream::Mode::Close);
    world
        .upstream("eu-west", "blue")
        .mode(upstream::Mode::Status(404));
    for tenant in tenants(40) {
        // Never sent twice.
        let answer = world.edge.send("POST", &tenant, b"text");
        let (region, slot, _) = native(&world.table, &[], &tenant);
        let failed = [("us-west", "blue"), ("us-east", "green")];
        let failed = failed.contains(&(region.as_str(), slot.as_str()));
        assert_eq!(answer.status() >= 500, failed, "{answer}");
        sent.add(&world.table, &tenant, (&region, &slot), failed);
    }
    assert!(sent.0.values().any(|(_, errors)| *errors > 0));
    assert!(sent.0.keys().any(|(_, _, cohort)| cohort.is_none()));
    wait_for(&world, &reports, &sent);
    for (head, body, _) in reports.seen() {
        assert_eq!(head.start, "POST /counted HTTP/1.1");
        assert_eq!(head.header("authorization"), Some("Bearer s3cr3t-t0k3n"));
        assert_eq!(head.header("content-type"), Some("application/json"));
        for part in ["tenant", "bank", "duo-", "staff", "pinned", "acme"] {
            assert!(!body.contains(part), "{part}: {body}");
        }
    }
    let batches = reports.batches(Mode::Take);
    for (edge, batch) in &batches {
        assert_eq!(edge, &batches[0].0, "one process, one id");
        let release = batch.release.as_ref().unwrap();
        assert_eq!((release.id.as_str(), release.weight.percent()), ("r1", 25));
        assert!(
            batch.age_ms < 20_000 && batch.lasted_ms < 20_000,
            "{batch:?}"
        );
    }
    // Under the next table it is another release's.
    let next = world.table_of(crate::world::EPOCH + 1, |table| {
        table["release"] =
            serde_json::json!({"id": "r\u{fc}", "state": "green_live", "weight": 100});
    });
    world.publish(&next);
    world.wait_until("a batch of the next release", || {
        world.edge.get("acme");
        let batches = reports.batches(Mode::Take);
        let last = batches.last().unwrap().1.release.clone().unwrap();
        (last.id.as_str(), last.weight.percent()) == ("r\u{fc}", 100)
    });
}

fn a_latency_is_the_time_until_an_answer_began_or_none_would_come(runtime: Runtime) {
    let Some((world, reports, mut sent)) = world(runtime, Mode::Take) else {
        return;
    };
    world.upstream("us-east", "blue").mode(upstream::Mode::Hang);
    let of = |region: &str| {
        let mut tenants = (0..).map(|number| format!("tenant{number}"));
        let is = |id: &String| {
            native(&world.table, &[], id).0 == region && native(&world.table, &[], id).1 == "blue"
        };
        tenants.find(is).unwrap()
    };
    let (never, slow) = (of("us-east"), of("us-west"));
    assert_eq!(
        world.edge.send("POST", &never, b"x").problem(502),
        "upstream_timeout"
    );
    sent.add(&world.table, &never, ("us-east", "blue"), true);
    // Half a second passes behind its first byte.
    let answer = world.edge.ask("GET", "/?large=10", &[("x-tenant", &slow)]);
    assert!(
        answer.took > Duration::from_millis(500),
        "{:?}",
        answer.took
    );
    sent.add(&world.table, &slow, ("us-west", "blue"), false);
    wait_for(&world, &reports, &sent);
    let longest = |region: &str| {
        let batches = reports.batches(Mode::Take);
        let cells = batches.iter().flat_map(|(_, batch)| &batch.cells);
        let cells =
            cells.filter(|cell| (cell.region.as_str(), cell.slot.name()) == (region, "blue"));
        cells
            .filter_map(|cell| cell.tally.latency.quantile(1_000))
            .max()
            .unwrap()
    };
    // Those that UPSTREAM_TIMEOUT_MS says; what is read from a bucket may be a sixteenth off.
    let waited = longest("us-east");
    assert!((937_500..5_000_000).contains(&waited), "{waited} us");
    assert!(longest("us-west") < 500_000, "{} us", longest("us-west"));
}

fn a_second_try_counts_for_the_region_that_it_came_to(runtime: Runtime) {
    let Some((world, reports, mut sent)) = world(runtime, Mode::Take) else {
        return;
    };
    for slot in ["blue", "green"] {
        world
            .upstream("us-west", slot)
            .mode(upstream::Mode::Status(503));
    }
    for tenant in tenants(10) {
        world.edge.get(&tenant);
        let (region, slot, _) = native(&world.table, &[], &tenant);
        let away = region == "us-west";
        sent.add(&world.table, &tenant, (&region, &slot), away);
        if away {
            let (next, slot, _) = native(&world.table, &["us-west"], &tenant);
            sent.add(&world.table, &tenant, (&next, &slot), false);
        }
    }
    wait_for(&world, &reports, &sent);
}

fn what_nobody_took_is_sent_again_and_taken_once(runtime: Runtime) {
    let Some((world, reports, mut sent)) = world(runtime, Mode::Close) else {
        return;
    };
    for mode in [
        Mode::Close,
        Mode::Status(503),
        Mode::Status(401),
        Mode::Status(302),
    ] {
        reports.mode(mode);
        get_until(&world, &mut sent, || reports.batches(mode).len() > 1);
    }
    reports.mode(Mode::Take);
    wait_for(&world, &reports, &sent);
    let batches = reports.batches(Mode::Take);
    let mut numbers: Vec<u64> = batches.iter().map(|(_, batch)| batch.seq).collect();
    let all: Vec<u64> = (1..).take(numbers.len()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, all, "each once, and none is missing");
    // It has waited, and is the same as ever.
    let first = reports.batches(Mode::Close)[0].1.clone();
    assert!(batches[0].1.age_ms > 200 && batches[0].1.cells == first.cells);
    let said = world.edge.said();
    assert!(said.contains("EDGE_TELEMETRY: not taken: "), "{said}");
    assert!(!said.contains("s3cr3t"), "{said}");
}

/// Sends requests until it is so.
#[track_caller]
fn get_until(world: &World, sent: &mut Sent, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    for number in 0.. {
        let tenant = format!("tenant{number}");
        let (region, slot, _) = native(&world.table, &[], &tenant);
        let answer = world.edge.get(&tenant);
        assert_eq!(answer.status(), 200, "{answer}");
        assert!(answer.took < FAST, "it took {:?}", answer.took);
        sent.add(&world.table, &tenant, (&region, &slot), false);
        if so() {
            return;
        }
        let late = begin.elapsed() > Duration::from_secs(20);
        assert!(!late, "{}", world.edge.said());
        thread::sleep(Duration::from_millis(20));
    }
}

fn a_report_that_hangs_delays_nobody_and_no_second_one_begins(runtime: Runtime) {
    let Some((world, reports, mut sent)) = world(runtime, Mode::Hang) else {
        return;
    };
    get_until(&world, &mut sent, || !reports.seen().is_empty());
    let begin = Instant::now();
    get_until(&world, &mut sent, || {
        begin.elapsed() > Duration::from_secs(2)
    });
    assert_eq!(reports.seen().len(), 1, "ten intervals long");
    reports.mode(Mode::Take);
    wait_for(&world, &reports, &sent);
    assert_eq!(reports.most_at_once(), 1);
}

fn a_report_that_is_refused_for_good_is_given_up(runtime: Runtime) {
    for status in [400, 413, 422] {
        let Some((world, reports, mut sent)) = world(runtime, Mode::Status(status)) else {
            return;
        };
        get_until(&world, &mut sent, || reports.seen().len() > 1);
        let two = reports.batches(Mode::Status(status));
        let last = two.last().unwrap().1.seq;
        assert!(two[0].1.seq < last, "not the same one again");
        reports.mode(Mode::Take);
        get_until(&world, &mut sent, || {
            !reports.batches(Mode::Take).is_empty()
        });
        assert!(reports.batches(Mode::Take)[0].1.seq > last);
        let refused = world.edge.said();
        assert!(refused.contains("EDGE_TELEMETRY: not taken: "), "{refused}");
    }
}

fn unset_it_goes_beside_the_table_and_off_nowhere(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    for (setting, tells) in [(None, true), (Some("off"), false), (Some("OFF"), false)] {
        let reports = Reports::start(Mode::Take, world.table.clone());
        let mut variables = vec![
            ("TABLE_URL", Value::from(reports.at("/under/api/v1/table"))),
            ("EDGE_TELEMETRY_MS", "100".into()),
        ];
        if runtime == Runtime::Envoy {
            // Its configuration says where the pools are.
            variables.push(("POOLS", world.table.clone()));
        }
        variables.extend(setting.map(|setting| ("EDGE_TELEMETRY", setting.into())));
        let edge = Edge::start(runtime, &variables).unwrap();
        let begin = Instant::now();
        let told = || !reports.seen().is_empty();
        while begin.elapsed() < Duration::from_secs(if tells { 20 } else { 2 }) && !told() {
            edge.get("acme");
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(told(), tells, "{setting:?}");
        assert_eq!(edge.get("acme").status(), 200, "{setting:?} is no mistake");
        if let Some((head, ..)) = reports.seen().first() {
            assert_eq!(head.start, "POST /under/api/v1/telemetry HTTP/1.1");
            assert_eq!(head.header("authorization"), None);
        }
    }
}

/// Workers have no end that anybody is told of.
#[test]
fn what_is_new_is_told_before_a_process_ends() {
    for runtime in [Runtime::Node, Runtime::Embedded] {
        let Some((world, reports, mut sent)) = world(runtime, Mode::Take) else {
            return;
        };
        wait_for(&world, &reports, &sent);
        let mut more = 0;
        get_until(&world, &mut sent, || {
            more += 1;
            more == 10
        });
        world.edge.running.signal(Signal::TERM);
        world.wait_until("the last report", || reports.taken() == sent.0);
    }
}

/// These end it; workerd waits for its answer, and counts what comes of that.
#[test]
fn a_request_whose_client_has_left_is_an_error_if_it_had_waited_for_long_and_else_unknown() {
    for runtime in [Runtime::Node, Runtime::Embedded, Runtime::Envoy] {
        a_client_leaves(runtime);
    }
}

fn a_client_leaves(runtime: Runtime) {
    let Some((world, reports, mut sent)) = world(runtime, Mode::Take) else {
        return;
    };
    for upstream in world.upstreams.values() {
        upstream.mode(upstream::Mode::Hang);
    }
    let asked = || -> usize { REGIONS.iter().map(|region| world.asked(region)).sum() };
    let tenant = "tenant1";
    let (region, slot, _) = native(&world.table, &[], tenant);
    for (waits, failed) in [(0, false), (700, true)] {
        let before = asked();
        let mut client = Client::to(world.edge.address);
        client.write(request("GET", "/", &[("x-tenant", tenant)]));
        world.wait_until("the upstream to be asked", || asked() > before);
        thread::sleep(Duration::from_millis(waits));
        drop(client);
        if failed {
            sent.add(&world.table, tenant, (&region, &slot), true);
        }
    }
    wait_for(&world, &reports, &sent);
    assert_eq!(reports.left(), 1);
    assert_eq!(asked(), 3, "and nothing is asked twice for nobody");
}
