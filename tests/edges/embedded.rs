//! What is `halcyon edge`'s alone: its variables, its files, its connections, its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use halcyon::signing::TableSigner;
use halcyon_tests::process::{Signal, run};
use serde_json::{Value, json};

use crate::edge::{Edge, Runtime, request};
use crate::http::{Answer, Client};
use crate::tables::{Mode, Tables};
use crate::upstream::Mode as Served;
use crate::world::{EPOCH, World, echo, native, place};

fn start(variables: &[(&str, &str)]) -> Edge {
    let variables = variables.iter();
    let variables: Vec<(&str, Value)> = variables
        .map(|(name, value)| (*name, Value::from(*value)))
        .collect();
    Edge::start(Runtime::Embedded, &variables).unwrap()
}

fn world() -> World {
    World::start(Runtime::Embedded).unwrap()
}

fn until(what: &str, edge: &Edge, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        let late = begin.elapsed() > Duration::from_secs(10);
        assert!(!late, "waited for {what}: {}", edge.said());
        thread::sleep(Duration::from_millis(20));
    }
}

fn all_green(table: &mut Value) {
    table["release"] = json!({"id": "r1", "state": "green_live", "weight": 100});
}

fn all_blue(table: &mut Value) {
    table["release"] = json!({"id": "r1", "state": "idle", "weight": 0});
}

fn slot(edge: &Edge) -> String {
    place(&edge.get("acme")).1
}

/// Puts a file in the place of another one at once.
fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

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
            ("PROBE_FALL", "3"),
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
        "PROBE_FALL: \"3\" asks for the region monitor",
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
fn a_file_is_watched_and_a_bad_one_changes_nothing() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    // Not there at first.
    let edge = start(&[("EDGE_TABLE", path.to_str().unwrap())]);
    assert_eq!(edge.get("acme").problem(503), "no_table");
    put(&path, &world.table_of(EPOCH, all_blue).to_string());
    until("the file", &edge, || edge.get("acme").status() == 200);
    assert_eq!(slot(&edge), "blue");
    for (bad, why) in [
        ("{", "is no JSON"),
        (
            &*world.table_of(EPOCH - 1, all_green).to_string(),
            "older than epoch 1000",
        ),
        (
            &*world.table_of(EPOCH, all_green).to_string(),
            "another table of that epoch",
        ),
        ("", "is no JSON"),
    ] {
        put(&path, bad);
        until(why, &edge, || edge.said().contains(why));
        assert_eq!(slot(&edge), "blue", "{why}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    until("the folder", &edge, || {
        edge.said().contains("no regular file")
    });
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(slot(&edge), "blue");
    put(&path, &world.table_of(EPOCH + 1, all_green).to_string());
    until("the next table", &edge, || slot(&edge) == "green");
}

#[test]
fn with_keys_only_tables_that_one_of_them_signed_are_taken_from_a_file() {
    let world = world();
    let [ours, next, other] = [(); 3].map(|()| TableSigner::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    let signature = folder.path().join("t.json.sig");
    let keys = format!("{}, {}", ours.public(), next.public());
    let text = world.table_of(EPOCH, all_blue).to_string();
    put(&path, &text);
    let edge = start(&[
        ("EDGE_TABLE", path.to_str().unwrap()),
        ("TABLE_KEYS", &keys),
    ]);
    until("the refusal", &edge, || {
        edge.said()
            .contains("it is not signed; allowed: a signature of one of TABLE_KEYS")
    });
    assert_eq!(edge.get("acme").problem(503), "no_table");
    for bad in [
        other.sign(text.as_bytes()),
        ours.sign(b"other"),
        String::from("x"),
        String::new(),
    ] {
        put(&signature, &bad);
        thread::sleep(Duration::from_millis(700));
        assert_eq!(edge.get("acme").problem(503), "no_table");
    }
    put(&signature, &ours.sign(text.as_bytes()));
    until("the signed table", &edge, || {
        edge.get("acme").status() == 200
    });
    // The signature comes first, as `halcyon table` writes them; and of the other key.
    let newer = world.table_of(EPOCH + 1, all_green).to_string();
    put(&signature, &next.sign(newer.as_bytes()));
    thread::sleep(Duration::from_millis(700));
    assert_eq!(slot(&edge), "blue", "the table that is held stays");
    put(&path, &newer);
    until("the other key's table", &edge, || slot(&edge) == "green");
}

#[test]
fn after_a_restart_an_edge_begins_with_its_last_table_and_takes_no_older_one() {
    let world = world();
    let ours = TableSigner::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let signed = |table: Value| {
        let bytes = table.to_string().into_bytes();
        let signature = ours.sign(&bytes);
        Mode::Signed(bytes, signature)
    };
    let tables = Tables::start(signed(world.table_of(EPOCH + 5, all_green)));
    let url = tables.url();
    let public = ours.public();
    let variables = [
        ("EDGE_TABLE", url.as_str()),
        ("EDGE_STATE_DIR", state.to_str().unwrap()),
        ("TABLE_REFRESH_MS", "100"),
        ("TABLE_KEYS", &public),
    ];
    let edge = start(&variables);
    until("the table", &edge, || edge.get("acme").status() == 200);
    until("the kept table", &edge, || {
        state.join("last-table").exists()
    });
    drop(edge);
    // The control plane is gone.
    tables.mode(Mode::Close);
    let edge = start(&variables);
    assert_eq!(slot(&edge), "green", "the very first request");
    assert!(
        edge.said().contains("table 1005 is kept from before"),
        "{}",
        edge.said()
    );
    // An old table is replayed, with its good signature.
    tables.mode(signed(world.table_of(EPOCH + 4, all_blue)));
    until("the refusal", &edge, || {
        edge.said().contains("older than epoch 1005")
    });
    assert_eq!(slot(&edge), "green");
    drop(edge);
    // What is kept is trusted no more than what comes.
    let kept = state.join("last-table");
    let mut bytes = std::fs::read(&kept).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&kept, bytes).unwrap();
    let edge = start(&variables);
    until("the refusal", &edge, || {
        edge.said().contains("kept in EDGE_STATE_DIR is not taken")
    });
    until("the table", &edge, || edge.get("acme").status() == 200);
    assert_eq!(slot(&edge), "blue", "nothing else is held");
}

#[test]
fn a_state_directory_that_cannot_be_written_takes_no_routing_down() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let url = world.tables.url();
    let edge = start(&[
        ("EDGE_TABLE", &url),
        ("EDGE_STATE_DIR", file.join("below").to_str().unwrap()),
        ("TABLE_REFRESH_MS", "100"),
    ]);
    until("the table", &edge, || edge.get("acme").status() == 200);
    until("the warning", &edge, || {
        edge.said()
            .contains("so a restart may begin with an older table")
    });
}

/// The port of its health server.
fn health(edge: &Edge, path: &str) -> Answer {
    let said = edge.said();
    let port = said.split("health server on 127.0.0.1:").nth(1).unwrap();
    let port: u16 = port.lines().next().unwrap().trim().parse().unwrap();
    let mut client = Client::to(([127, 0, 0, 1], port).into());
    client.write(request("GET", path, &[]));
    client.answer("GET")
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
fn a_request_that_two_parties_could_read_differently_reaches_no_upstream() {
    let world = world();
    let before: usize = world
        .upstreams
        .values()
        .map(|upstream| upstream.asked().len())
        .sum();
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
    let after: usize = world
        .upstreams
        .values()
        .map(|upstream| upstream.asked().len())
        .sum();
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

/// What the client has sent of a body that nobody reads is never a request.
#[test]
fn an_answer_before_the_end_of_a_body_ends_the_connection() {
    let world = world();
    let asked = || -> usize {
        let upstreams = world.upstreams.values();
        upstreams.map(|upstream| upstream.asked().len()).sum()
    };
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
    world.upstream(&region, &slot).mode(Served::Switches);
    let answer = world.edge.send("POST", "acme", b"");
    assert_eq!(answer.problem(502), "upstream_unreachable");
}
