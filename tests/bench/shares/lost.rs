//! Requests that clients of `halcyon edge` lose: when a region goes down, when tables change, when it is restarted.

use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use tempfile::TempDir;

use super::balancer::Balancer;
use super::edge::{Edge, Table, free_port, sleep_until};
use super::load::{Load, Tally};
use super::upstream::Pool;

/// What an upstream takes for an answer, so that requests are under way at any moment.
const TAKES: Duration = Duration::from_millis(5);

const PER_SECOND: u32 = 2_000;

/// Restarts within one load.
const RESTARTS: u32 = 5;

/// Two regions before which an edge stands.
struct World {
    table: Table,
    regions: [[Pool; 2]; 2],
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().expect("a directory");
        let pools = || ["blue", "green"].map(|colour| Pool::start(colour, TAKES));
        let mut world = Self {
            table: Table::new(folder.path()),
            regions: [pools(), pools()],
            _folder: folder,
        };
        world.write(25, "up");
        world
    }

    /// The next table; the status is that of the second region.
    fn write(&mut self, weight: u8, status: &'static str) {
        let [east, west] = &self.regions;
        let regions = [("us-east", "up", east), ("us-west", status, west)];
        self.table.write(&regions, "r1", weight);
    }

    fn edge(&self, port: u16, variables: &[(&str, &str)]) -> Edge {
        Edge::start(&self.table.path, port, variables)
    }
}

/// Prints what is lost in each scenario of that length.
pub(super) fn measure(length: Duration) {
    println!(
        "\n{PER_SECOND} requests a second, {length:?} each; GET and POST in turn, half over new connections"
    );
    for (name, silent) in [
        ("both pools of a region go down", false),
        (
            "both pools of a region fall silent (UPSTREAM_TIMEOUT_MS=1000)",
            true,
        ),
    ] {
        let (tally, event) = region_down(length, silent);
        report(name, &tally, Some(event));
    }
    let (tally, tables) = reload(length);
    report("a new table every 50 ms", &tally, None);
    println!("    {tables} tables were taken");
    for (name, way, drain) in [
        (
            "one edge ends, then the next begins",
            restart_in_turn as Way,
            "1000",
        ),
        (
            "the next on another port, by /ready",
            restart_by_ready,
            "1000",
        ),
        (
            "the next on the same port first",
            restart_on_shared_port,
            "1000",
        ),
        (
            "the next on the same port first",
            restart_on_shared_port,
            "0",
        ),
    ] {
        let tally = way(length, drain);
        let name = format!("{RESTARTS} restarts, {name}, DRAIN_MS={drain}");
        report(&name, &tally, None);
    }
}

fn report(name: &str, tally: &Tally, event: Option<Duration>) {
    let ([gets, posts], [lost_gets, lost_posts]) = (tally.sent, tally.lost);
    let at = |share: usize| tally.took.get(tally.took.len() * share / 1000);
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{name}\n    lost: {lost_gets} of {gets} GET, {lost_posts} of {posts} POST; answers took {:.1} ms (median), {:.1} ms (99 %), {:.0} ms (longest)",
        ms(at(500)),
        ms(at(990)),
        ms(tally.took.last())
    );
    if let (Some(event), Some(last)) = (event, tally.when.last()) {
        let after = last.saturating_sub(event);
        println!("    the last lost request began {after:.3?} after that");
    }
    for (how, times) in &tally.how {
        println!("    {times} × {how}");
    }
}

/// What was lost, and when the region went.
fn region_down(length: Duration, silent: bool) -> (Tally, Duration) {
    let world = World::new();
    let edge = world.edge(0, &[("DRAIN_MS", "0"), ("UPSTREAM_TIMEOUT_MS", "1000")]);
    let load = Load::start(&port_of(&edge), PER_SECOND);
    sleep_until(load.begin, length / 4);
    let event = load.begin.elapsed();
    for pool in &world.regions[0] {
        match silent {
            true => pool.fall_silent(),
            false => pool.die(),
        }
    }
    sleep_until(load.begin, length);
    (load.end(), event)
}

/// What was lost, and how many tables came into force meanwhile.
fn reload(length: Duration) -> (Tally, usize) {
    let mut world = World::new();
    let edge = world.edge(0, &[("DRAIN_MS", "0")]);
    let before = edge.tables();
    let load = Load::start(&port_of(&edge), PER_SECOND);
    for number in 1.. {
        sleep_until(load.begin, Duration::from_millis(50) * number);
        if load.begin.elapsed() >= length {
            break;
        }
        // Tenants change their colour, and half of them their region, with every table.
        let weights = [0, 25, 50, 75, 100];
        let status = if number % 2 == 0 { "up" } else { "draining" };
        world.write(weights[number as usize % weights.len()], status);
    }
    let tally = load.end();
    (tally, edge.tables() - before)
}

type Way = fn(Duration, &str) -> Tally;

/// Replaces the edge again and again under load. `replace` is given the one that runs.
fn restart(
    length: Duration,
    first: Edge,
    port: &Arc<AtomicU16>,
    mut replace: impl FnMut(Edge) -> Edge,
) -> Tally {
    let load = Load::start(port, PER_SECOND);
    let mut edge = first;
    for number in 1..=RESTARTS {
        sleep_until(load.begin, length / (RESTARTS + 1) * number);
        edge = replace(edge);
    }
    sleep_until(load.begin, length);
    load.end()
}

/// As a supervisor does that knows one process.
fn restart_in_turn(length: Duration, drain: &str) -> Tally {
    let world = World::new();
    let port = free_port();
    let start = || world.edge(port, &[("DRAIN_MS", drain)]);
    let first = start();
    restart(length, first, &Arc::new(AtomicU16::new(port)), |edge| {
        edge.terminate();
        edge.ended();
        start()
    })
}

/// As behind a load balancer: two ports, and clients that go where `/ready` says.
fn restart_by_ready(length: Duration, drain: &str) -> Tally {
    let world = World::new();
    let start = || world.edge(0, &[("DRAIN_MS", drain)]);
    let first = start();
    let port = port_of(&first);
    let balancer = Balancer::start(&port, &first);
    let tally = restart(length, first, &port, |edge| {
        let next = start();
        balancer.add(&next);
        edge.terminate();
        edge.ended();
        next
    });
    balancer.end();
    tally
}

/// As a supervisor does that starts the next one first: both share the port.
fn restart_on_shared_port(length: Duration, drain: &str) -> Tally {
    let world = World::new();
    let port = free_port();
    let start = || world.edge(port, &[("DRAIN_MS", drain), ("EDGE_REUSE_PORT", "true")]);
    let first = start();
    restart(length, first, &Arc::new(AtomicU16::new(port)), |edge| {
        let next = start();
        edge.terminate();
        edge.ended();
        next
    })
}

fn port_of(edge: &Edge) -> Arc<AtomicU16> {
    Arc::new(AtomicU16::new(edge.address.port()))
}
