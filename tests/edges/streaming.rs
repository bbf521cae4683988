//! Bodies go through as they come, however large.

use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::edge::{Runtime, installed, request};
use crate::http::Client;
use crate::upstream::pattern;
use crate::world::{World, got, native, place};

in_every_edge! {
    a_large_upload_goes_through_as_it_comes,
    an_upload_of_unknown_length_goes_through_in_chunks,
    a_body_of_unknown_length_is_no_other_request_whatever_its_method,
    an_upload_may_take_longer_than_an_upstream_may,
    a_large_download_goes_through_as_it_comes,
    an_answer_that_breaks_off_breaks_off_for_the_client_too,
    a_client_that_goes_away_harms_nobody,
    a_request_ends_at_its_upstream_when_its_client_leaves,
    a_web_socket_goes_through_in_workers_and_envoy,
}

const LARGE: u64 = 24 << 20;

fn a_large_upload_goes_through_as_it_comes(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let (region, slot, _) = native(&world.table, &[], "acme");
    let upstream = world.upstream(&region, &slot);
    let body = pattern(LARGE);
    let mut client = Client::to(world.edge.address);
    client.write(request(
        "POST",
        "/up",
        &[("x-tenant", "acme"), ("content-length", &LARGE.to_string())],
    ));
    let (first, rest) = body.split_at(body.len() / 2);
    client.write(first);
    // What the upstream has before the client has sent the rest: all but what buffers hold.
    world.wait_until("the first half", || upstream.received() > LARGE / 4);
    client.write(rest);
    let answer = client.answer("POST");
    let echo = crate::world::echo(&answer);
    assert_eq!(
        (&echo["length"], &echo["pattern"]),
        (&LARGE.into(), &true.into())
    );
    assert_eq!(got(&echo, "content-length"), [LARGE.to_string()]);
}

fn an_upload_of_unknown_length_goes_through_in_chunks(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let body = pattern(300_000);
    let mut client = Client::to(world.edge.address);
    client.write(request(
        "PUT",
        "/up",
        &[("x-tenant", "acme"), ("transfer-encoding", "chunked")],
    ));
    for part in body.chunks(70_000) {
        client.write(format!("{:x}\r\n", part.len()));
        client.write(part);
        client.write("\r\n");
    }
    client.write("0\r\n\r\n");
    let echo = crate::world::echo(&client.answer("PUT"));
    assert_eq!(
        (&echo["length"], &echo["pattern"]),
        (&300_000.into(), &true.into())
    );
    assert_eq!(got(&echo, "transfer-encoding"), ["chunked"]);
}

fn a_body_of_unknown_length_is_no_other_request_whatever_its_method(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let (region, ..) = native(&world.table, &[], "acme");
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\nx-halcyon-tenant: other\r\n\r\n";
    let chunks = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    for method in ["GET", "OPTIONS", "DELETE", "PATCH", "POST", "PUT"] {
        let before = world.asked(&region);
        let mut client = Client::to(world.edge.address);
        let headers = [("x-tenant", "acme"), ("transfer-encoding", "chunked")];
        client.write(request(method, "/", &headers));
        client.write(&chunks);
        let answer = client.answer(method);
        if method == "GET" && matches!(runtime, Runtime::Workerd | Runtime::Node) {
            // The class for requests takes none.
            assert_eq!(answer.problem(400), "bad_request");
            continue;
        }
        let echo = crate::world::echo(&answer);
        assert_eq!(echo["length"], hidden.len(), "{method}");
        // Whoever comes next on that connection has an answer of their own.
        assert_eq!(crate::world::echo(&world.edge.get("acme"))["target"], "/");
        assert_eq!(world.asked(&region), before + 2, "{method}");
    }
}

fn an_upload_may_take_longer_than_an_upstream_may(runtime: Runtime) {
    let Some(world) = World::with(runtime, &[("UPSTREAM_TIMEOUT_MS", "600")], |_| ()) else {
        return;
    };
    let body = pattern(1_200_000);
    let mut client = Client::to(world.edge.address);
    client.write(request(
        "POST",
        "/up",
        &[("x-tenant", "acme"), ("content-length", "1200000")],
    ));
    for part in body.chunks(100_000) {
        client.write(part);
        thread::sleep(Duration::from_millis(100));
    }
    let answer = client.answer("POST");
    assert_eq!(crate::world::echo(&answer)["length"], 1_200_000);
    assert!(answer.took > Duration::from_millis(1_100));
    // And one that never fills a buffer.
    let mut client = Client::to(world.edge.address);
    client.write(request(
        "POST",
        "/up",
        &[("x-tenant", "acme"), ("content-length", "12")],
    ));
    for part in body[..12].chunks(1) {
        client.write(part);
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(crate::world::echo(&client.answer("POST"))["length"], 12);
}

/// Which the template in Workers is not told of.
#[test]
fn while_the_client_is_waited_for_no_time_of_an_upstreams_passes() {
    for runtime in [Runtime::Embedded, Runtime::Node] {
        let Some(world) = World::with(runtime, &[("UPSTREAM_TIMEOUT_MS", "300")], |_| ()) else {
            return;
        };
        for first in [0, 5] {
            let mut client = Client::to(world.edge.address);
            let headers = [("x-tenant", "acme"), ("content-length", "10")];
            client.write(request("POST", "/up", &headers));
            client.write(&pattern(10)[..first]);
            thread::sleep(Duration::from_millis(900));
            client.write(&pattern(10)[first..]);
            let answer = client.answer("POST");
            assert_eq!(crate::world::echo(&answer)["length"], 10, "{first}");
        }
    }
}

/// Whoever writes everything before it reads.
#[test]
fn the_answer_to_a_refused_upload_reaches_its_client() {
    for runtime in [Runtime::Embedded, Runtime::Node] {
        let Some(world) = World::start(runtime) else {
            return;
        };
        for _ in 0..5 {
            let mut client = Client::to(world.edge.address);
            let length = [("content-length", "3000000")];
            client.write(request("POST", "/up", &length));
            thread::sleep(Duration::from_millis(50));
            let sent = client.stream.get_mut().write_all(pattern(3_000_000));
            assert!(sent.is_ok(), "{sent:?}");
            assert_eq!(client.answer("POST").problem(400), "no_tenant");
        }
    }
}

fn a_large_download_goes_through_as_it_comes(runtime: Runtime) {
    let Some(world) = World::with(runtime, &[("UPSTREAM_TIMEOUT_MS", "300")], |_| ()) else {
        return;
    };
    let mut client = Client::to(world.edge.address);
    client.write(request(
        "GET",
        &format!("/?large={LARGE}"),
        &[("x-tenant", "acme")],
    ));
    let head = client.head();
    assert_eq!(
        head.header("content-length"),
        Some(LARGE.to_string().as_str())
    );
    // The upstream waits for a second and a half after its first byte.
    let begin = Instant::now();
    let mut body = client.exactly(1);
    assert!(
        begin.elapsed() < Duration::from_millis(1_200),
        "{:?}",
        begin.elapsed()
    );
    body.extend(client.exactly(LARGE as usize - 1));
    assert!(
        begin.elapsed() > Duration::from_millis(1_000),
        "{:?}",
        begin.elapsed()
    );
    assert!(body == pattern(LARGE), "other bytes");
}

fn an_answer_that_breaks_off_breaks_off_for_the_client_too(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let mut client = Client::to(world.edge.address);
    client.write(request("GET", "/broken", &[("x-tenant", "acme")]));
    let head = client.head();
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    let read = head.answer_body(&mut client.stream, |_| ());
    assert!(read.is_err(), "half an answer ended as a whole one");
    assert_eq!(world.edge.get("acme").status(), 200);
}

fn a_client_that_goes_away_harms_nobody(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    for _ in 0..20 {
        let mut client = Client::to(world.edge.address);
        client.write(request(
            "GET",
            &format!("/?large={LARGE}"),
            &[("x-tenant", "acme")],
        ));
        client.head();
        let mut client = Client::to(world.edge.address);
        client.write(request(
            "POST",
            "/",
            &[("x-tenant", "acme"), ("content-length", "1000000")],
        ));
        client.write([0; 1000]);
    }
    let answer = world.edge.get("acme");
    assert_eq!(place(&answer), native(&world.table, &[], "acme"));
    assert_eq!(answer.status(), 200);
}

fn a_request_ends_at_its_upstream_when_its_client_leaves(runtime: Runtime) {
    // Longer than anything here waits.
    let patient = [("UPSTREAM_TIMEOUT_MS", "60000")];
    let Some(world) = World::with(runtime, &patient, |_| ()) else {
        return;
    };
    let (region, slot, _) = native(&world.table, &[], "acme");
    let upstream = world.upstream(&region, &slot);
    let hung = || {
        upstream
            .asked()
            .iter()
            .filter(|head| head.start.contains("/hang"))
            .count()
    };
    let mut clients = Vec::new();
    for (number, method) in ["GET", "POST"].into_iter().enumerate() {
        let mut client = Client::to(world.edge.address);
        let headers = [("x-tenant", "acme"), ("content-length", "0")];
        client.write(request(method, "/hang", &headers[..=number]));
        clients.push(client);
    }
    world.wait_until("both to be asked", || hung() == 2);
    // Nobody ends what somebody waits for.
    thread::sleep(Duration::from_millis(300));
    let waiting = upstream.open();
    clients.into_iter().for_each(Client::vanish);
    world.wait_until("both to end", || upstream.open() + 2 <= waiting);
    assert_eq!(hung(), 2, "nothing is sent again for nobody");
    assert_eq!(world.edge.get("acme").status(), 200);
}

fn a_web_socket_goes_through_in_workers_and_envoy(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let mut client = Client::to(world.edge.address);
    let headers = [
        ("x-tenant", "acme"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    client.write(request("GET", "/", &headers));
    if !matches!(runtime, Runtime::Workerd | Runtime::Envoy) {
        let echo = crate::world::echo(&client.answer("GET"));
        assert_eq!(got(&echo, "upgrade"), [""; 0]);
        return;
    }
    let answer = client.answer("HEAD");
    assert_eq!(answer.status(), 101, "{answer}");
    assert_eq!(place(&answer), native(&world.table, &[], "acme"));
    // "hello", under a mask of four bytes.
    let text: Vec<u8> = (b"hello"
        .iter()
        .zip([1, 2, 3, 4, 1])
        .map(|(byte, mask)| byte ^ mask))
    .collect();
    client.write([&[0x81, 0x85, 1, 2, 3, 4], &text[..]].concat());
    assert_eq!(client.exactly(7), b"\x81\x05hello");
}

/// Node takes a limit of its own for the other one, where there is none.
#[test]
fn in_node_a_head_has_a_minute_and_a_request_no_limit() {
    let Some(folder) = installed() else { return };
    let script = "import { serve } from './node.js'; const { headersTimeout, requestTimeout } = serve({}); console.log(headersTimeout, requestTimeout);";
    let node = ["--input-type=module", "--eval", script];
    let output = Command::new("node").args(node).current_dir(folder).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said,
        "60000 0\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
