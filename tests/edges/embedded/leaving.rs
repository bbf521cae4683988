//! A client that closes its side before it has an answer.

use std::thread;
use std::time::Duration;

use super::{health, until, world};
use crate::edge::{Runtime, request};
use crate::http::Client;
use crate::upstream::pattern;
use crate::world::{World, native, place};

/// Longer than anything here waits.
const PATIENT: (&str, &str) = ("UPSTREAM_TIMEOUT_MS", "60000");

/// Waits as long as somebody does who is to be counted, and a little.
const IMPATIENT: Duration = Duration::from_millis(650);

fn asks(world: &World, target: &str) -> Client {
    let mut client = Client::to(world.edge.address);
    client.write(request("GET", target, &[("x-tenant", "acme")]));
    client
}

/// These are lines of its metrics.
#[track_caller]
fn counts(world: &World, lines: &[String]) {
    let metrics = String::from_utf8(health(&world.edge, "/metrics").body).unwrap();
    for line in lines {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}: {metrics}"
        );
    }
}

#[test]
fn it_is_told_so_if_it_still_reads_and_its_request_ends() {
    let world = World::with(Runtime::Embedded, &[PATIENT], |_| ()).unwrap();
    let (region, slot, _) = native(&world.table, &[], "acme");
    let upstream = world.upstream(&region, &slot);
    let mut client = asks(&world, "/hang");
    until("the request", &world.edge, || {
        upstream
            .asked()
            .iter()
            .any(|head| head.start.contains("/hang"))
    });
    let waiting = upstream.open();
    client.close_its_side();
    let answer = client.answer("GET");
    assert_eq!(answer.problem(400), "client_closed");
    assert_eq!(answer.header("connection"), Some("close"));
    until("its end", &world.edge, || upstream.open() < waiting);
    let pool = format!(r#"region="{region}",slot="{slot}""#);
    counts(
        &world,
        &[
            format!(r#"halcyon_edge_upstream_requests_total{{{pool},code="gone"}} 1"#),
            format!(r#"halcyon_edge_upstream_requests_total{{{pool},code="none"}} 0"#),
            String::from(r#"halcyon_edge_refused_total{code="client_closed"} 1"#),
        ],
    );
}

#[test]
fn one_that_breaks_off_its_upload_is_told_so_and_no_pool_is_blamed() {
    let world = world();
    let (region, slot, _) = native(&world.table, &[], "acme");
    for _ in 0..3 {
        let mut client = Client::to(world.edge.address);
        let headers = [("x-tenant", "acme"), ("content-length", "50")];
        client.write(request("POST", "/", &headers));
        client.write("begun");
        client.close_its_side();
        let answer = client.answer("POST");
        assert_eq!(answer.problem(400), "bad_request");
        assert_eq!(answer.detail(), "the body ends before its length");
    }
    let pool = format!(r#"region="{region}",slot="{slot}""#);
    counts(
        &world,
        &[
            format!(r#"halcyon_edge_upstream_requests_total{{{pool},code="gone"}} 3"#),
            format!(r#"halcyon_edge_upstream_requests_total{{{pool},code="none"}} 0"#),
            String::from(r#"halcyon_edge_refused_total{code="bad_request"} 3"#),
        ],
    );
}

#[test]
fn one_that_has_closed_its_side_is_answered_where_the_answer_has_begun() {
    let world = world();
    let bytes = 8 << 20;
    // The upstream waits for a second and a half after its first byte.
    let mut client = asks(&world, &format!("/?large={bytes}"));
    let head = client.head();
    client.close_its_side();
    let mut read = Vec::new();
    head.answer_body(&mut client.stream, |part| {
        // More slowly than it comes.
        thread::sleep(Duration::from_millis(1));
        read.extend_from_slice(part);
    })
    .unwrap();
    assert!(read == pattern(bytes), "{} bytes", read.len());
}

#[test]
fn a_pool_that_hangs_is_passed_over_though_no_client_waits_for_it() {
    let breaker = [PATIENT, ("EDGE_BREAKER", "true")];
    let world = World::with(Runtime::Embedded, &breaker, |_| ()).unwrap();
    let (region, slot, _) = native(&world.table, &[], "acme");
    // They leave too soon to say anything.
    for _ in 0..10 {
        let client = asks(&world, "/hang");
        thread::sleep(Duration::from_millis(50));
        client.vanish();
    }
    assert_eq!(place(&world.edge.get("acme")).0, region);
    let clients: Vec<Client> = (0..5).map(|_| asks(&world, "/hang")).collect();
    thread::sleep(IMPATIENT);
    clients.into_iter().for_each(Client::vanish);
    let why = format!("region {region}, {slot}: 5 failures in a row; passed over for ");
    until("the pool to be passed over", &world.edge, || {
        world.edge.said().contains(&why)
    });
    let answer = world.edge.get("acme");
    assert_eq!(place(&answer), native(&world.table, &[&region], "acme"));
}

#[test]
fn of_requests_that_came_together_the_last_one_alone_is_given_up() {
    let world = world();
    let mut client = Client::to(world.edge.address);
    let one = request("GET", "/", &[("x-tenant", "acme")]);
    client.write([one.clone(), one].concat());
    client.close_its_side();
    let answer = client.answer("GET");
    assert_eq!(place(&answer), native(&world.table, &[], "acme"));
    assert_eq!(client.answer("GET").problem(400), "client_closed");
}

#[test]
fn the_time_of_an_upload_is_none_that_its_pool_was_waited_for() {
    let breaker = [PATIENT, ("EDGE_BREAKER", "true")];
    let world = World::with(Runtime::Embedded, &breaker, |_| ()).unwrap();
    let home = native(&world.table, &[], "acme");
    let clients: Vec<Client> = (0..8)
        .map(|_| {
            let mut client = Client::to(world.edge.address);
            let headers = [("x-tenant", "acme"), ("content-length", "4")];
            client.write(request("POST", "/hang", &headers));
            client.write("slo");
            client
        })
        .collect();
    thread::sleep(IMPATIENT);
    for mut client in clients {
        client.write("w");
        thread::sleep(Duration::from_millis(20));
        client.vanish();
    }
    thread::sleep(Duration::from_millis(200));
    assert_eq!(place(&world.edge.get("acme")), home);
    let said = world.edge.said();
    assert!(!said.contains("passed over"), "{said}");
}

#[test]
fn a_pool_that_answers_others_meanwhile_is_not_one_that_hangs() {
    let breaker = [PATIENT, ("EDGE_BREAKER", "true")];
    let world = World::with(Runtime::Embedded, &breaker, |_| ()).unwrap();
    let home = native(&world.table, &[], "acme");
    for _ in 0..3 {
        let clients: Vec<Client> = (0..10).map(|_| asks(&world, "/hang")).collect();
        thread::sleep(IMPATIENT);
        assert_eq!(place(&world.edge.get("acme")), home);
        clients.into_iter().for_each(Client::vanish);
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(place(&world.edge.get("acme")), home);
    let said = world.edge.said();
    assert!(!said.contains("passed over"), "{said}");
}
