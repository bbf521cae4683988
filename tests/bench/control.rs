//! What edges and pages cost a control plane: tables that are asked for again and again on one core, the memory of
//! a client of events, and how long an edge takes to hold what has just been put on record.
//!
//! `cargo bench -p halcyon-tests --bench control`. The figures are in docs/performance.md.

#![allow(missing_docs)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use halcyon_core::access::secret_digest;
use halcyon_tests::process::{Serving, command, program};
use halcyon_tests::store::{Running, Store};

/// Each client has 500 reads a second: so many together ask for more than one core gives.
const TOKENS: usize = 128;
const CONNECTIONS: usize = 16;
const LASTS: Duration = Duration::from_secs(5);
const STREAMS: usize = 400;
const ROUNDS: usize = 60;

fn main() {
    let store = Store::new();
    let secrets: Vec<String> = (0..TOKENS)
        .map(|number| format!("hlc_bench{number}"))
        .collect();
    let tokens = store.dir().join("tokens.toml");
    let lines = secrets.iter().map(|secret| {
        let digest = secret_digest(secret);
        format!("[[token]]\nuser = \"bench\"\nrole = \"Admin\"\nsha256 = \"{digest}\"\n")
    });
    std::fs::write(&tokens, lines.collect::<String>()).unwrap();
    let logs = format!("file:{}", store.logs().display());
    let mut serve = Command::new("taskset");
    serve
        .args(["-c", "0"])
        .arg(program())
        .args(["serve", "--bind", "127.0.0.1"])
        .env_clear();
    serve.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    serve.envs([
        ("HEALTH_PORT", "0"),
        ("DASHBOARD_PORT", "0"),
        ("REGIONS", "us-east,us-west,eu-west"),
        ("TENANT_STICKY", "hash"),
        ("HALCYON_TOKENS_FILE", tokens.to_str().unwrap()),
        ("HALCYON_STORE", &logs),
        ("RUST_LOG", "error"),
    ]);
    let server = Serving::spawn(&mut serve);
    let dashboard = server.dashboard();
    conditional(dashboard, &secrets, server.id());
    events(dashboard, &secrets, server.id());
    appended(dashboard, &secrets);
}

/// Asks for a table that the client has, as edges do.
fn conditional(dashboard: SocketAddr, secrets: &[String], process: u32) {
    let table = ask(dashboard, "GET /api/v1/table", &secrets[0], None);
    let etag = table
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap()
        .to_owned();
    let cpu = cpu_ms(process);
    let begin = Instant::now();
    let clients = (0..CONNECTIONS).map(|client| {
        let secrets = secrets.to_vec();
        let etag = etag.clone();
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(dashboard).unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut known, mut others) = (0_u64, 0_u64);
            let mut block = [0; 2048];
            for secret in secrets.iter().cycle().skip(client * TOKENS / CONNECTIONS) {
                if begin.elapsed() >= LASTS {
                    break;
                }
                let request = format!("GET /api/v1/table HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nIf-None-Match: {etag}\r\n\r\n");
                stream.write_all(request.as_bytes()).unwrap();
                let mut read = 0;
                while !block[..read].ends_with(b"\r\n\r\n") {
                    read += stream.read(&mut block[read..]).unwrap();
                }
                match block.starts_with(b"HTTP/1.1 304") {
                    true => known += 1,
                    false => others += 1,
                }
            }
            (known, others)
        })
    });
    let clients: Vec<_> = clients.collect();
    let counts = clients.into_iter().map(|client| client.join().unwrap());
    let (known, others) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let seconds = begin.elapsed().as_secs_f64();
    let spent = cpu_ms(process) - cpu;
    println!(
        "conditional fetches on one core: {:.0} a second, {:.1} us of CPU each ({known} answered 304, {others} otherwise)",
        known as f64 / seconds,
        spent * 1e3 / (known + others) as f64
    );
}

/// Opens streams of events.
fn events(dashboard: SocketAddr, secrets: &[String], process: u32) {
    let open = |number: usize| {
        let secret = &secrets[number % TOKENS];
        let mut stream = TcpStream::connect(dashboard).unwrap();
        let request = format!(
            "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut block = [0; 4096];
        let mut seen = Vec::new();
        while !seen.windows(12).any(|part| part == b"event: state") {
            let read = stream.read(&mut block).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&block[..read]);
        }
        stream
    };
    let first: Vec<TcpStream> = (0..20).map(open).collect();
    let before = memory_kib(process);
    let streams: Vec<TcpStream> = (0..STREAMS).map(open).collect();
    let after = memory_kib(process);
    println!(
        "{STREAMS} clients of events: {:.1} KiB each",
        (after - before) / STREAMS as f64
    );
    drop((first, streams));
    // Their places are free again.
    std::thread::sleep(Duration::from_secs(2));
}

/// From a change that is on record to an edge that goes by it.
fn appended(dashboard: SocketAddr, secrets: &[String]) {
    let table = format!("http://{dashboard}/api/v1/table");
    for refresh in ["100", "1000"] {
        let edge = Running::spawn(&mut command(
            &["edge", "--health-bind", "127.0.0.1"],
            &[
                ("EDGE_TABLE", table.as_str()),
                ("EDGE_PORT", "0"),
                ("HEALTH_PORT", "0"),
                ("TABLE_TOKEN", &secrets[0]),
                ("TABLE_REFRESH_MS", refresh),
            ],
        ));
        let port = || {
            let said = edge.stderr();
            said.split("health server on 127.0.0.1:")
                .nth(1)?
                .lines()
                .next()?
                .parse::<u16>()
                .ok()
        };
        while port().is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let health = SocketAddr::from((Ipv4Addr::LOCALHOST, port().unwrap()));
        let mut took: Vec<f64> = (0..ROUNDS)
            .map(|round| appended_once(dashboard, secrets, health, round))
            .collect();
        took.sort_by(f64::total_cmp);
        println!(
            "from a change on record to an edge that holds it, asking every {refresh} ms: median {:.0} ms, p99 {:.0} ms",
            took[ROUNDS / 2],
            took[ROUNDS * 99 / 100]
        );
    }
}

fn appended_once(
    dashboard: SocketAddr,
    secrets: &[String],
    health: SocketAddr,
    round: usize,
) -> f64 {
    // Not in step with the edge.
    std::thread::sleep(Duration::from_millis((round as u64 * 37) % 200));
    let (line, body) = match round % 2 {
        0 => (
            "PUT /api/v1/regions/us-west/override",
            Some(r#"{"state":"drain","reason":"bench"}"#),
        ),
        _ => ("DELETE /api/v1/regions/us-west/override", None),
    };
    let secret = &secrets[round % TOKENS];
    ask(dashboard, line, secret, body);
    let begin = Instant::now();
    let answer = ask(dashboard, "GET /api/v1/table", secret, None);
    let etag = answer
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap();
    let wanted = format!("halcyon_edge_table_epoch {}\n", etag.trim_matches('"'));
    while !ask(health, "GET /metrics", secret, None).contains(&wanted) {
        assert!(begin.elapsed() < Duration::from_secs(20), "{wanted}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begin.elapsed().as_secs_f64() * 1e3
}

fn ask(address: SocketAddr, line: &str, secret: &str, body: Option<&str>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.map_or(String::new(), |body| {
        format!("Content-Length: {}\r\n", body.len())
    });
    let body = body.unwrap_or_default();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n{length}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{line}: {answer}");
    answer
}

/// CPU time of a process so far.
fn cpu_ms(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10.0
}

fn memory_kib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
