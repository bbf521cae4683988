//! Good clients ask while thousands of others sit idle, trickle or send nonsense: how long they wait, whether any
//! fails, when the others are closed, and what memory it takes. On both ports of a server, one after the other.
//!
//! `cargo bench -p halcyon-tests --bench hostile`. The figures are in docs/performance.md.

#![allow(missing_docs)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use halcyon_tests::process::Serving;
use halcyon_tests::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

const IDLE: usize = 5_000;
const SLOW: usize = 1_000;
const FRAMED_BADLY: usize = 200;
const A_SECOND: u64 = 500;
/// Connections of the good clients.
const GOOD: u64 = 20;
const LASTS: Duration = Duration::from_secs(25);

const NONSENSE: [&str; 5] = [
    "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\nHost: localhost\n\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\u{7f}",
    "GET / HTTP/1.1\r\nHost: localhost\r\nA b: c\r\n\r\n",
];

fn main() {
    halcyon::net::server::raise_file_limit();
    let store = Store::new();
    let tokens = store.dir().join("tokens.toml");
    let tokens = tokens.to_str().unwrap();
    let arguments = [
        "token",
        "new",
        "--user",
        "good",
        "--role",
        "Viewer",
        "--tokens-file",
        tokens,
    ];
    let secret = store.run(&arguments).exits(0).stdout.trim().to_owned();
    let logs = format!("file:{}", store.logs().display());
    let server = Serving::start(&[
        ("REGIONS", "us-east,us-west,eu-west"),
        ("TENANT_STICKY", "hash"),
        ("HALCYON_TOKENS_FILE", tokens),
        ("HALCYON_STORE", &logs),
        ("RUST_LOG", "error"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "{IDLE} idle, {SLOW} slow and {FRAMED_BADLY} badly framed clients, {A_SECOND} good requests a second for {} s",
        LASTS.as_secs()
    );
    println!(
        "| port | requests | failed | p50 ms | p99 ms | longest ms | attackers closed after s | memory before, during, after MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, address, path) in [
        ("health, GET /ready", server.address(), "/ready"),
        (
            "control, GET /api/v1/table",
            server.dashboard(),
            "/api/v1/table",
        ),
    ] {
        let row = runtime.block_on(besieged(address, path, &secret, server.id()));
        println!("| {name} {row}");
    }
}

async fn besieged(address: SocketAddr, path: &'static str, secret: &str, process: u32) -> String {
    // What is made once is not counted.
    good(address, path, secret, Duration::from_secs(2)).await;
    let before = memory(process);
    let mut attackers = JoinSet::new();
    let closed = Arc::new(AtomicU64::new(0));
    for number in 0..IDLE + SLOW + FRAMED_BADLY {
        let closed = closed.clone();
        attackers.spawn(async move {
            let Ok(mut stream) = TcpStream::connect(address).await else {
                return;
            };
            let begin = Instant::now();
            attack(&mut stream, number).await;
            let took = u64::try_from(begin.elapsed().as_millis()).unwrap();
            closed.fetch_max(took, Ordering::Relaxed);
        });
        if number % 100 == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let answered = good(address, path, secret, LASTS).await;
    let during = memory(process);
    let all = async { while attackers.join_next().await.is_some() {} };
    let ended = timeout(Duration::from_secs(60), all).await.is_ok();
    sleep(Duration::from_secs(2)).await;
    let after = memory(process);
    let mut took: Vec<f64> = answered.iter().flatten().copied().collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let closed = match ended {
        true => format!("{:.1}", closed.load(Ordering::Relaxed) as f64 / 1e3),
        false => "never".to_owned(),
    };
    format!(
        "| {} | {} | {:.2} | {:.2} | {:.2} | {closed} | {before:.1}, {during:.1}, {after:.1} ({:+.0} %) |",
        answered.len(),
        answered.iter().filter(|one| one.is_none()).count(),
        at(0.5),
        at(0.99),
        at(1.0),
        (after / before - 1.0) * 100.0
    )
}

/// Holds a connection as an attacker does, until it is closed.
async fn attack(stream: &mut TcpStream, number: usize) {
    let mut block = [0; 1024];
    if number >= IDLE + SLOW {
        let _ = stream
            .write_all(NONSENSE[number % NONSENSE.len()].as_bytes())
            .await;
    }
    let slow = (IDLE..IDLE + SLOW).contains(&number);
    let mut head =
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            .bytes();
    loop {
        match timeout(Duration::from_secs(1), stream.read(&mut block)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) => {}
            Err(_) if slow => {
                let Some(byte) = head.next() else { return };
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
            Err(_) => {}
        }
    }
}

/// What good clients wait for each answer, in milliseconds; nothing where there was none.
async fn good(address: SocketAddr, path: &str, secret: &str, lasts: Duration) -> Vec<Option<f64>> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n");
    let mut clients = JoinSet::new();
    for _ in 0..GOOD {
        let request = request.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.ok();
            let mut all = Vec::new();
            let mut ticks = interval(Duration::from_micros(1_000_000 * GOOD / A_SECOND));
            // One that has waited does not catch up at once.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let end = Instant::now() + lasts;
            while Instant::now() < end {
                ticks.tick().await;
                let begin = Instant::now();
                if stream.is_none() {
                    stream = TcpStream::connect(address).await.ok();
                }
                let answered = match &mut stream {
                    Some(stream) => answer(stream, &request).await,
                    None => None,
                };
                if answered.is_none() {
                    stream = None;
                }
                all.push(answered.map(|()| begin.elapsed().as_secs_f64() * 1e3));
            }
            all
        });
    }
    let mut all = Vec::new();
    while let Some(one) = clients.join_next().await {
        all.extend(one.unwrap());
    }
    all
}

async fn answer(stream: &mut TcpStream, request: &str) -> Option<()> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    let mut block = [0; 8192];
    loop {
        let read = timeout(Duration::from_secs(5), stream.read(&mut block))
            .await
            .ok()?
            .ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&block[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(str::to_owned)
        });
        let length: usize = length?.parse().ok()?;
        if body.len() >= length {
            return head.starts_with("HTTP/1.1 200").then_some(());
        }
    }
}

/// Resident memory of a process, in MiB.
fn memory(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
    kib / 1024.0
}
