//! Its variables, its connections, what it shows of itself, its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::{Signal, run};

use super::{health, put, start, until, world};
use crate::edge::{Edge, request};
use crate::http::Client;
use crate::tables::{Mode, Tables};
use crate::upstream::Mode as Served;
use crate::world::{EPOCH, echo, native, place};

#[test]
fn everything_that_is_wrong_is_said_at_once_and_nothing_is_started() {
    let output = run(
        &["edge", "--port", "-1", "--ca-file", "nothing.pem"],
        &[
            ("EDGE_TABLE", "ftp://joe:s3cr3t@halcyon.test/t"),
            ("EDGE_BIND", "localhost"),
            ("TENANT_FROM", "cookie:x"),
            ("TABLE_KEYS", "abc, "),
            ("TABLE_TOKEN", "s3cr3t\u{e4}"),
            ("TABLE_REFRESH_MS", "0"),
            ("TABLE_TIMEOUT_MS", "1e3"),
            ("UPSTREAM_TIMEOUT_MS", "9"),
            ("UPSTREAM_IDLE_MS", "9"),
            ("HALCYON_DEPLOYMENT", "my shop"),
            ("HEALTH_PORT", "0"),
            ("PROBE_FALL", "0"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for line in [
        "EDGE_PORT: \"-1\" is no number in range; allowed: 0 to 65535",
        "EDGE_TABLE: \"ftp://***@halcyon.test/t\" has an unknown scheme; allowed: http://",
        "EDGE_BIND: \"localhost\" is no address; allowed: an IP address",
        "TENANT_FROM: \"cookie:x\" says nowhere; allowed: header:NAME",
        "TABLE_KEYS: \"abc\" is no public key; allowed: 44 characters of base64",
        "TABLE_TOKEN: (not shown) is no bearer token",
        "TABLE_REFRESH_MS: \"0\" is no number in range; allowed: 100 to 3600000",
        "TABLE_TIMEOUT_MS: \"1e3\" is no number in range; allowed: 10 to 25000",
        "UPSTREAM_TIMEOUT_MS: \"9\" is no number in range; allowed: 10 to 600000",
        "UPSTREAM_IDLE_MS: \"9\" is no number in range; allowed: 10 to 3600000",
        "HALCYON_DEPLOYMENT: \"my shop\" is not a deployment's name",
        "PROBE_FALL: \"0\" is no number in range; allowed: 1 to 100",
        "--ca-file: CA file \"nothing.pem\"",
    ] {
        assert_eq!(said.matches(line).count(), 1, "{line}: {said}");
    }
    assert_eq!(said.lines().count(), 13, "{said}");
    assert!(!said.contains("s3cr3t"));
    let output = run(&["edge"], &[("EDGE_PORT", "0"), ("HEALTH_PORT", "0")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        said,
        "error: EDGE_TABLE: unset; allowed: the path of a file, http://host[:port][/path], https://host[:port][/path]\n"
    );
}

#[test]
fn it_is_ready_when_it_has_a_table_and_not_while_it_drains() {
    let world = world();
    let tables = Tables::start(Mode::Bytes(b"{}".to_vec()));
    let edge = start(&[
        ("EDGE_TABLE", &tables.url()),
        ("TABLE_REFRESH_MS", "100"),
        ("DRAIN_MS", "1500"),
    ]);
    until("the refusal", &edge, || edge.said().contains("not taken"));
    let ready = health(&edge, "/ready");
    let check = ready.json()["checks"]["dependencies"]["table"].clone();
    assert_eq!((ready.status(), &check["ok"]), (503, &false.into()));
    let why = check["error"].as_str().unwrap();
    assert!(
        why.starts_with("no routing table yet: the table has no "),
        "{why}"
    );
    tables.mode(Mode::Table(world.table.clone()));
    until("ready", &edge, || health(&edge, "/ready").status() == 200);
    assert_eq!(health(&edge, "/health").status(), 200);
    edge.running.signal(Signal::TERM);
    until("draining", &edge, || {
        health(&edge, "/ready").status() == 503
    });
    // Whoever has not seen that yet is served all the same, and told to go.
    let answer = edge.get("acme");
    assert_eq!(
        (answer.status(), answer.header("connection")),
        (200, Some("close"))
    );
}

/// What `/ready` says of the table.
fn why_not(edge: &Edge) -> String {
    let ready = health(edge, "/ready");
    let check = ready.json()["checks"]["dependencies"]["table"].clone();
    assert_eq!((ready.status(), &check["ok"]), (503, &false.into()));
    check["error"].as_str().unwrap().to_owned()
}

#[test]
fn what_keeps_a_table_from_coming_is_said_by_ready_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    let edge = start(&[("EDGE_TABLE", path.to_str().unwrap())]);
    let line = format!(
        "no routing table yet: there is no {:?}",
        path.display().to_string()
    );
    until("the first look", &edge, || why_not(&edge) == line);
    std::fs::create_dir(&path).unwrap();
    let line = "cannot be read: it is no regular file";
    until("the folder", &edge, || why_not(&edge).ends_with(line));

    let tables = Tables::start(Mode::Status(401));
    let url = tables.url();
    let asking = |more: &[(&str, &str)]| {
        let own = [("EDGE_TABLE", url.as_str()), ("TABLE_REFRESH_MS", "100")];
        start(&[&own[..], more].concat())
    };
    let (without, with) = (asking(&[]), asking(&[("TABLE_TOKEN", "s3cr3t")]));
    let role = "one of the role Edge";
    for (edge, status, parts) in [
        (&without, 401, ["TABLE_TOKEN is unset", "of the role Edge"]),
        (
            &with,
            401,
            ["it does not know the token of TABLE_TOKEN", role],
        ),
        (&with, 403, ["the token of TABLE_TOKEN gets no table", role]),
        (&without, 500, ["status 500", "expected 200"]),
    ] {
        tables.mode(Mode::Status(status));
        let seen = format!("no routing table yet: status {status}; expected 200");
        until(&seen, edge, || why_not(edge).starts_with(&seen));
        let why = why_not(edge);
        assert!(parts.iter().all(|part| why.contains(part)), "{why}");
        assert!(edge.said().contains(&why["no routing table yet: ".len()..]));
        assert!(!why.contains("s3cr3t"));
    }
}

#[test]
fn what_is_a_control_planes_to_check_keeps_no_edge_from_being_ready() {
    let world = world();
    let edge = start(&[
        ("EDGE_TABLE", &world.tables.url()),
        ("FEATURE_BLUE_GREEN", "true"),
        ("FEATURE_MULTI_REGION", "true"),
    ]);
    until("ready", &edge, || health(&edge, "/ready").status() == 200);
    let checks = health(&edge, "/ready").json()["checks"].clone();
    assert_eq!(checks["dependencies"]["table"]["ok"], true, "{checks}");
}

#[test]
fn a_drained_edge_answers_what_is_open_and_ends_with_0() {
    let world = world();
    let table = world.table.to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    put(&path, &table);
    let edge = start(&[("EDGE_TABLE", path.to_str().unwrap()), ("DRAIN_MS", "0")]);
    let mut download = Client::to(edge.address);
    download.write(request("GET", "/?large=1000000", &[("x-tenant", "acme")]));
    download.head();
    let mut upload = Client::to(edge.address);
    let length = [("x-tenant", "acme"), ("content-length", "10")];
    upload.write(request("POST", "/", &length));
    upload.write("12345");
    thread::sleep(Duration::from_millis(100));
    edge.running.signal(Signal::TERM);
    let begin = Instant::now();
    while TcpStream::connect(edge.address).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(5), "it still listens");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(download.exactly(1_000_000).len(), 1_000_000);
    upload.write("67890");
    assert_eq!(echo(&upload.answer("POST"))["length"], 10);
    edge.running.ended_within(Duration::from_secs(5)).exits(0);
}

#[test]
fn connections_to_an_upstream_are_kept_and_a_closed_one_is_no_failure() {
    let world = world();
    let (region, slot, _) = native(&world.table, &[], "acme");
    let mut client = Client::to(world.edge.address);
    let mut ask = |method: &str| {
        client.write(request(
            method,
            "/",
            &[("x-tenant", "acme"), ("content-length", "0")],
        ));
        client.answer(method)
    };
    for _ in 0..50 {
        assert_eq!(place(&ask("GET")).0, region);
    }
    let connections = world.upstream(&region, &slot).connections();
    assert!(
        connections <= 2,
        "{connections} connections for 50 requests"
    );
    // The upstream closes what is kept, as servers do after a while.
    for method in ["GET", "POST"] {
        world.upstream(&region, &slot).close_connections();
        thread::sleep(Duration::from_millis(100));
        let answer = ask(method);
        assert_eq!(
            place(&answer),
            native(&world.table, &[], "acme"),
            "{method}"
        );
        assert_eq!(answer.status(), 200, "{method}");
    }
}

#[test]
fn what_an_old_client_says_goes_on_in_the_new_words() {
    let world = world();
    let mut stream = TcpStream::connect(world.edge.address).unwrap();
    stream
        .write_all(b"GET /old HTTP/1.0\r\nHost: a\r\nx-tenant: acme\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.0 200 OK\r\n") || answer.starts_with("HTTP/1.1 200 OK\r\n"),
        "{answer}"
    );
    let (region, slot, _) = native(&world.table, &[], "acme");
    let asked = world.upstream(&region, &slot).asked();
    assert_eq!(asked.last().unwrap().start, "GET /old HTTP/1.1");
    // The host of the target outranks the header's.
    let edge = start(&[
        ("EDGE_TABLE", &world.tables.url()),
        ("TENANT_FROM", "host:.shop.test"),
        ("TABLE_REFRESH_MS", "100"),
    ]);
    until("the table", &edge, || {
        edge.ask("GET", "/", &[("host", "acme.shop.test")]).status() == 200
    });
    let answer = edge.ask(
        "GET",
        "http://acme.shop.test/x?y=1",
        &[("host", "bank-1.shop.test")],
    );
    let echo = echo(&answer);
    assert_eq!(
        (&echo["target"], place(&answer).0),
        (&"/x?y=1".into(), region)
    );
}

#[test]
fn a_refusing_region_is_left_by_every_request_and_comes_back_with_its_tenants() {
    let mut world = world();
    let tenants = crate::world::tenants(10);
    let before: Vec<_> = tenants
        .iter()
        .map(|tenant| place(&world.edge.get(tenant)))
        .collect();
    world.upstream("us-east", "blue").mode(Served::Close);
    world.upstream("us-east", "green").mode(Served::Close);
    for tenant in &tenants {
        assert_eq!(
            place(&world.edge.get(tenant)),
            native(&world.table, &["us-east"], tenant)
        );
    }
    for slot in ["blue", "green"] {
        world.upstream("us-east", slot).mode(Served::Serve);
    }
    let after: Vec<_> = tenants
        .iter()
        .map(|tenant| place(&world.edge.get(tenant)))
        .collect();
    assert_eq!(after, before);
    world.kill("us-east");
}

#[test]
fn what_it_has_done_is_counted_by_region_and_colour_and_never_by_tenant() {
    let mut world = world();
    let (region, slot, _) = native(&world.table, &[], "acme");
    for _ in 0..3 {
        world.edge.get("acme");
    }
    world.edge.ask("GET", "/", &[]);
    world.edge.get("nobody");
    let metrics = |edge: &Edge| String::from_utf8(health(edge, "/metrics").body).unwrap();
    let text = metrics(&world.edge);
    let number = |text: &str, line: &str| {
        let found = text.lines().find(|known| known.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("no {line} in {text}"));
        found[line.len()..].trim().parse::<f64>().unwrap()
    };
    let of_pool = format!("region=\"{region}\",slot=\"{slot}\"");
    let asked = format!("halcyon_edge_upstream_requests_total{{{of_pool},code=\"2xx\"}}");
    let took = format!("halcyon_edge_upstream_request_duration_seconds_count{{{of_pool}}}");
    assert!(number(&text, &asked) >= 3.0);
    assert_eq!(number(&text, &asked), number(&text, &took));
    assert_eq!(
        number(&text, "halcyon_edge_refused_total{code=\"no_tenant\"}"),
        1.0
    );
    assert_eq!(
        number(
            &text,
            "halcyon_edge_refused_total{code=\"residency_unavailable\"}"
        ),
        1.0
    );
    assert_eq!(number(&text, "halcyon_edge_table_epoch"), EPOCH as f64);
    assert!(!text.contains("acme") && !text.contains("nobody"), "{text}");
    world.kill(&region);
    world.edge.get("acme");
    let text = metrics(&world.edge);
    assert_eq!(number(&text, "halcyon_edge_second_tries_total"), 1.0);
}
