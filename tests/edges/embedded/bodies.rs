//! Bodies, and what could be taken for the next request.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::{health, world};
use crate::edge::{Runtime, request};
use crate::http::Client;
use crate::upstream::Mode as Served;
use crate::world::{World, echo, native, place};

#[test]
fn a_request_that_two_parties_could_read_differently_reaches_no_upstream() {
    let world = world();
    let before = world.asked_in_all();
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\nx-tenant: acme\r\n\r\n";
    for (fields, body) in [
        (
            "content-length: 4\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            "0\r\n\r\n",
        ),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding : chunked\r\n", "0\r\n\r\n"),
        ("content-length: 5\r\ncontent-length: 6\r\n", "abcde"),
        ("content-length: +5\r\n", "abcde"),
        ("x: a\r\n b\r\n", ""),
        ("x: a\nb: c\r\n", ""),
        ("host: b\r\n", ""),
    ] {
        let mut client = Client::to(world.edge.address);
        client.write(format!(
            "POST / HTTP/1.1\r\nhost: a\r\nx-tenant: acme\r\n{fields}\r\n{body}{hidden}"
        ));
        let answer = client.answer("POST");
        assert_eq!(answer.problem(400), "bad_request", "{fields:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        let mut rest = Vec::new();
        let _ = client.stream.read_to_end(&mut rest);
        assert_eq!(rest, b"", "{fields:?}");
    }
    let after = world.asked_in_all();
    assert_eq!(after, before);
    // A chunked body ends where its last chunk says, and what stands behind it is the next request.
    let mut client = Client::to(world.edge.address);
    let head =
        "POST /one HTTP/1.1\r\nhost: a\r\nx-tenant: acme\r\ntransfer-encoding: chunked\r\n\r\n";
    client.write(format!(
        "{head}3;x=y\r\nabc\r\n0\r\ntrailer: t\r\n\r\n{hidden}"
    ));
    assert_eq!(echo(&client.answer("POST"))["length"], 3);
    assert_eq!(echo(&client.answer("GET"))["target"], "/hidden");
}

#[test]
fn a_body_that_breaks_its_rules_midway_is_refused_and_is_no_whole_request_to_an_upstream() {
    let world = world();
    for (body, status) in [("3\r\nabc\r\nzz\r\n", 400), ("3\r\nabcX\r\n", 400)] {
        let mut client = Client::to(world.edge.address);
        client.write(request(
            "POST",
            "/",
            &[("x-tenant", "acme"), ("transfer-encoding", "chunked")],
        ));
        thread::sleep(Duration::from_millis(50));
        client.write(body);
        assert_eq!(
            client.answer("POST").problem(status),
            "bad_request",
            "{body:?}"
        );
    }
    assert_eq!(world.edge.get("acme").status(), 200);
}

#[test]
fn an_answer_that_stands_still_is_cut_off() {
    let world = World::with(Runtime::Embedded, &[("UPSTREAM_IDLE_MS", "200")], |_| ()).unwrap();
    let mut client = Client::to(world.edge.address);
    // The upstream waits for half a second after its first byte.
    client.write(request("GET", "/?large=1000", &[("x-tenant", "acme")]));
    let head = client.head();
    assert_eq!(head.header("content-length"), Some("1000"));
    let mut body = Vec::new();
    let _ = client.stream.read_to_end(&mut body);
    assert_eq!(body.len(), 1, "the connection closes");
    assert_eq!(world.edge.get("acme").status(), 200);
}

/// A stream may have nothing to say for longer than the edge waits.
#[test]
fn answers_that_stand_still_take_no_pool_out() {
    let variables = [("UPSTREAM_IDLE_MS", "100"), ("EDGE_BREAKER", "true")];
    let world = World::with(Runtime::Embedded, &variables, |_| ()).unwrap();
    let first = native(&world.table, &[], "acme");
    for _ in 0..3 {
        let mut clients: Vec<Client> = (0..8).map(|_| Client::to(world.edge.address)).collect();
        for client in &mut clients {
            client.write(request("GET", "/?large=1000", &[("x-tenant", "acme")]));
        }
        for client in &mut clients {
            let mut all = Vec::new();
            let _ = client.stream.read_to_end(&mut all);
        }
        assert_eq!(place(&world.edge.get("acme")), first);
    }
}

#[test]
fn an_upload_that_stands_still_is_given_up() {
    let world = world();
    let begin = Instant::now();
    let mut client = Client::to(world.edge.address);
    client.write(request(
        "POST",
        "/",
        &[("x-tenant", "acme"), ("content-length", "100")],
    ));
    client.write("half");
    let answer = client.answer("POST");
    assert_eq!(answer.status(), 408, "{answer}");
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
}

/// What the client has sent of a body that nobody reads is never a request.
#[test]
fn an_answer_before_the_end_of_a_body_ends_the_connection() {
    let world = world();
    let asked = || world.asked_in_all();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\nx-tenant: acme\r\n\r\n";
    let nobodys = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
    let before = asked();
    // Part by part, behind the answer.
    let mut client = Client::to(world.edge.address);
    client.write(nobodys);
    let answer = client.answer("POST");
    assert_eq!(answer.problem(400), "no_tenant");
    assert_eq!(answer.header("connection"), Some("close"));
    for _ in 0..3 {
        let _ = client.stream.get_mut().write_all(smuggled.as_bytes());
        thread::sleep(Duration::from_millis(100));
    }
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert_eq!(String::from_utf8_lossy(&rest), "");
    // All at once, a long body and a short one.
    for blanks in [0, 6_000] {
        let body = "\r\n".repeat(blanks) + smuggled;
        let length = body.len();
        let mut client = Client::to(world.edge.address);
        client.write(format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        assert_eq!(client.answer("POST").problem(400), "no_tenant");
        let mut rest = Vec::new();
        let _ = client.stream.read_to_end(&mut rest);
        assert_eq!(String::from_utf8_lossy(&rest), "", "{blanks}");
    }
    assert_eq!(asked(), before);
    // And behind an upstream that answers before it has read everything.
    for slot in ["blue", "green"] {
        for region in crate::world::REGIONS {
            world.upstream(region, slot).mode(Served::Early(413));
        }
    }
    let mut client = Client::to(world.edge.address);
    client.write(request(
        "POST",
        "/",
        &[("x-tenant", "acme"), ("content-length", "1000")],
    ));
    assert_eq!(client.answer("POST").status(), 413);
    let before = asked();
    for _ in 0..3 {
        let _ = client.stream.get_mut().write_all(smuggled.as_bytes());
        thread::sleep(Duration::from_millis(1_300));
    }
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert_eq!(
        (String::from_utf8_lossy(&rest).as_ref(), asked()),
        ("", before)
    );
}

#[test]
fn the_answer_to_a_request_that_was_carried_out_is_its_own() {
    let world = world();
    let mut client = Client::to(world.edge.address);
    let order = request(
        "POST",
        "/order",
        &[("x-tenant", "acme"), ("content-length", "0")],
    );
    let bad = request(
        "POST",
        "/two",
        &[("x-tenant", "acme"), ("transfer-encoding", "chunked")],
    );
    client.write(format!("{order}{bad}zz\r\n"));
    assert_eq!(echo(&client.answer("POST"))["target"], "/order");
    assert_eq!(client.answer("POST").problem(400), "bad_request");
}

#[test]
fn a_client_that_stops_sending_takes_no_pool_out() {
    let world = World::with(Runtime::Embedded, &[("EDGE_BREAKER", "true")], |_| ()).unwrap();
    let clients = (0..8).map(|_| {
        let mut client = Client::to(world.edge.address);
        client.write(request(
            "POST",
            "/",
            &[("x-tenant", "acme"), ("content-length", "10")],
        ));
        client.write("abc");
        client
    });
    let mut clients: Vec<Client> = clients.collect();
    for client in &mut clients {
        assert_eq!(client.answer("POST").status(), 408);
    }
    assert!(
        !world.edge.said().contains("passed over"),
        "{}",
        world.edge.said()
    );
    assert_eq!(
        place(&world.edge.get("acme")),
        native(&world.table, &[], "acme")
    );
}

#[test]
fn an_answer_with_two_lengths_goes_on_with_the_one_that_holds() {
    let world = world();
    let (region, slot, _) = native(&world.table, &[], "acme");
    world.upstream(&region, &slot).mode(Served::TwoLengths);
    let answer = world.edge.get("acme");
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.body, b"0123456789");
}

#[test]
fn an_answer_that_nobody_asked_for_is_none() {
    let world = world();
    let (region, slot, _) = native(&world.table, &[], "acme");
    for mode in [Served::Switches, Served::Coded] {
        world.upstream(&region, &slot).mode(mode);
        let answer = world.edge.send("POST", "acme", b"");
        assert_eq!(answer.problem(502), "upstream_unreachable", "{mode:?}");
    }
}

#[test]
fn what_a_client_does_wrong_is_counted_once_and_of_no_upstream() {
    let world = world();
    let mut client = Client::to(world.edge.address);
    let headers = [("x-tenant", "acme"), ("transfer-encoding", "chunked")];
    client.write(request("POST", "/", &headers));
    thread::sleep(Duration::from_millis(100));
    client.write("3\r\nabc\r\nzz\r\n");
    assert_eq!(client.answer("POST").problem(400), "bad_request");
    // One that goes away midway may only have closed its side.
    let mut client = Client::to(world.edge.address);
    client.write(request("POST", "/", &headers));
    client.write("3\r\nabc\r\n");
    thread::sleep(Duration::from_millis(100));
    drop(client);
    thread::sleep(Duration::from_millis(300));
    let metrics = String::from_utf8(health(&world.edge, "/metrics").body).unwrap();
    let refused = metrics
        .lines()
        .filter(|line| line.starts_with("halcyon_edge_refused_total{"));
    // The world may have asked before there was a table.
    let refused = refused.filter(|line| !line.ends_with(" 0") && !line.contains("no_table"));
    let refused: Vec<&str> = refused.collect();
    assert_eq!(
        refused,
        ["halcyon_edge_refused_total{code=\"bad_request\"} 2"],
        "{metrics}"
    );
    let none = |line: &&str| line.contains("upstream_requests_total{") && line.contains("none");
    let none: Vec<&str> = metrics
        .lines()
        .filter(none)
        .filter(|line| !line.ends_with(" 0"))
        .collect();
    assert!(none.is_empty(), "{none:?}");
}

#[test]
fn a_target_that_is_too_long_for_any_pool_is_refused_and_goes_nowhere() {
    let world = world();
    let before = world.asked_in_all();
    for (length, status) in [(61_440, 200), (61_441, 414)] {
        let target = format!("/{}", "x".repeat(length - 1));
        let answer = world.edge.ask("DELETE", &target, &[("x-tenant", "acme")]);
        assert_eq!(answer.status(), status, "{length}");
    }
    let after = world.asked_in_all();
    assert_eq!(after, before + 1);
}

#[test]
fn who_reads_in_long_steps_gets_the_whole_answer() {
    let world = world();
    let mut client = Client::to(world.edge.address);
    let length: usize = 8 << 20;
    let target = format!("/?large={length}");
    client.write(request("GET", &target, &[("x-tenant", "acme")]));
    assert_eq!(
        client.head().header("content-length"),
        Some(&*length.to_string())
    );
    // The edge and both systems hold a part of it, and the upstream has the rest.
    thread::sleep(Duration::from_secs(12));
    assert_eq!(client.exactly(length).len(), length);
}
