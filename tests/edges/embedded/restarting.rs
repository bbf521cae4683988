//! One edge takes over from another, and nobody notices.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use halcyon_tests::process::{Signal, command};
use halcyon_tests::store::Running;

use super::{health, start, until, world};
use crate::edge::{Edge, request};
use crate::http::Client;
use crate::tables::{Mode, Tables};
use crate::world::World;

/// An edge of this world on this port.
fn on(world: &World, port: u16, share: &str) -> Edge {
    let edge = start(&[
        ("EDGE_TABLE", &world.tables.url()),
        ("EDGE_PORT", &port.to_string()),
        ("EDGE_REUSE_PORT", share),
        ("DRAIN_MS", "300"),
    ]);
    until("the table", &edge, || {
        health(&edge, "/ready").status() == 200
    });
    edge
}

fn status(address: SocketAddr) -> u16 {
    let mut client = Client::to(address);
    client.write(request("GET", "/", &[("x-tenant", "acme")]));
    client.answer("GET").status()
}

#[test]
fn a_port_is_shared_only_where_both_ask_for_it_and_then_it_is_said() {
    let world = world();
    for (first, second) in [("false", "false"), ("false", "true"), ("true", "false")] {
        let edge = on(&world, 0, first);
        let port = edge.address.port();
        let mut second = command(
            &["edge", "--health-bind", "127.0.0.1", "--health-port", "0"],
            &[
                ("EDGE_TABLE", &world.tables.url()),
                ("EDGE_PORT", &port.to_string()),
                ("EDGE_REUSE_PORT", second),
            ],
        );
        let ended = Running::spawn(&mut second).ended_within(Duration::from_secs(10));
        let why = format!(
            "error: EDGE_PORT: cannot listen on 127.0.0.1:{port}: it is in use; allowed: a free port, or 0 for any\n"
        );
        assert_eq!(ended.exits(2).stderr, why);
        assert!(!edge.said().contains("another process"), "{}", edge.said());
    }
    let first = on(&world, 0, "true");
    let second = on(&world, first.address.port(), "true");
    let said = format!(
        "warning: EDGE_PORT: another process listens on {} too",
        first.address
    );
    until("the warning", &second, || second.said().contains(&said));
    assert!(!first.said().contains("another"), "{}", first.said());
}

#[test]
fn a_restart_on_a_shared_port_loses_no_request() {
    let world = world();
    let mut edge = on(&world, 0, "true");
    let address = edge.address;
    let over = AtomicBool::new(false);
    // Also when this thread fails: the scope waits for those who ask.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    thread::scope(|scope| {
        let ends = Over(&over);
        let asking: [_; 4] = std::array::from_fn(|_| {
            scope.spawn(|| {
                let mut asked = 0;
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(status(address), 200);
                    asked += 1;
                }
                asked
            })
        });
        for _ in 0..3 {
            let next = on(&world, address.port(), "true");
            edge.running.signal(Signal::TERM);
            let old = std::mem::replace(&mut edge, next);
            old.running.ended_within(Duration::from_secs(10)).exits(0);
        }
        drop(ends);
        let asked = asking.map(|client| client.join().expect("every request is answered"));
        assert!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
    });
}

#[test]
fn who_shares_a_port_listens_when_it_has_a_table() {
    let world = world();
    let tables = Tables::start(Mode::Bytes(b"{}".to_vec()));
    let edge = start(&[
        ("EDGE_TABLE", &tables.url()),
        ("EDGE_REUSE_PORT", "true"),
        ("TABLE_REFRESH_MS", "100"),
    ]);
    until("the refusal", &edge, || edge.said().contains("not taken"));
    assert_eq!(health(&edge, "/ready").status(), 503);
    assert!(TcpStream::connect(edge.address).is_err(), "it listens");
    tables.mode(Mode::Table(world.table.clone()));
    until("the listener", &edge, || {
        TcpStream::connect(edge.address).is_ok()
    });
    assert_eq!(edge.get("acme").status(), 200);
    // One that never gets a table ends all the same.
    let tables = Tables::start(Mode::Bytes(b"{}".to_vec()));
    let edge = start(&[("EDGE_TABLE", &tables.url()), ("EDGE_REUSE_PORT", "true")]);
    edge.running.signal(Signal::TERM);
    edge.running.ended_within(Duration::from_secs(5)).exits(0);
}

#[test]
fn whom_the_system_has_let_in_is_served_though_the_listener_closes_at_once() {
    let world = world();
    let edge = start(&[("EDGE_TABLE", &world.tables.url()), ("DRAIN_MS", "0")]);
    until("the table", &edge, || {
        health(&edge, "/ready").status() == 200
    });
    // While it stands still, the system lets clients in.
    edge.running.signal(Signal::STOP);
    let asks = |client: &mut Client| client.write(request("GET", "/", &[("x-tenant", "acme")]));
    let mut clients: Vec<Client> = (0..50).map(|_| Client::to(edge.address)).collect();
    let (at_once, later) = clients.split_at_mut(25);
    at_once.iter_mut().for_each(asks);
    edge.running.signal(Signal::TERM);
    edge.running.signal(Signal::CONT);
    thread::sleep(Duration::from_millis(100));
    later.iter_mut().for_each(asks);
    for client in at_once.iter_mut().chain(later) {
        // Not all are told to close: some are answered before the signal is noticed.
        let answer = client.answer("GET");
        assert_eq!(answer.status(), 200, "{answer}");
    }
    edge.running.ended_within(Duration::from_secs(5)).exits(0);
}
