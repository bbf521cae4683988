//! `halcyon edge` as a user runs it: a table in a file, a health server beside it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use halcyon_tests::process::{Signal, command};
use halcyon_tests::store::Running;
use serde_json::{Value, json};

use super::upstream::Pool;

/// A running edge, killed when dropped.
pub(super) struct Edge {
    running: Running,
    pub(super) address: SocketAddr,
    pub(super) health: SocketAddr,
}

impl Edge {
    /// Starts one on this port and waits until it is ready.
    pub(super) fn start(table: &Path, port: u16, variables: &[(&str, &str)]) -> Self {
        let (table, port) = (table.display().to_string(), port.to_string());
        let mut all = vec![
            ("EDGE_TABLE", table.as_str()),
            ("EDGE_PORT", port.as_str()),
            ("HEALTH_PORT", "0"),
            ("TABLE_REFRESH_MS", "100"),
        ];
        all.extend(variables);
        let running = Running::spawn(&mut command(&["edge", "--health-bind", "127.0.0.1"], &all));
        let said = |what: &'static str| {
            let said = running.stderr();
            let port = said.split(what).nth(1)?.lines().next()?.parse().ok()?;
            Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        };
        let wanted = ["edge on http://127.0.0.1:", "health server on 127.0.0.1:"];
        super::wait("edge", || said(wanted[1]).is_some());
        let [address, health] = wanted.map(|what| said(what).expect("it says where it listens"));
        let edge = Self {
            running,
            address,
            health,
        };
        super::wait("ready edge", || is_ready(edge.health));
        edge
    }

    /// Waits until this table is in force.
    pub(super) fn holds(&self, epoch: u64) {
        let line = format!("halcyon_edge_table_epoch {epoch}\n");
        super::wait("table in force", || {
            asked(self.health, "/metrics").is_some_and(|metrics| metrics.contains(&line))
        });
    }

    /// How many tables it has taken.
    pub(super) fn tables(&self) -> usize {
        self.running.stderr().matches("is in force").count()
    }

    pub(super) fn terminate(&self) {
        self.running.signal(Signal::TERM);
    }

    /// Waits for the end of one that was told to end.
    pub(super) fn ended(self) {
        self.running.ended_within(Duration::from_secs(40)).exits(0);
    }
}

/// Whether a health server says that its edge is ready.
pub(super) fn is_ready(health: SocketAddr) -> bool {
    asked(health, "/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

fn asked(server: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(server).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A region's name, status and pools, blue first.
pub(super) type Region<'p> = (&'static str, &'static str, &'p [Pool; 2]);

/// The table in a file that is replaced at once, each with a new epoch.
pub(super) struct Table {
    pub(super) path: PathBuf,
    pub(super) epoch: u64,
}

impl Table {
    pub(super) fn new(folder: &Path) -> Self {
        let path = folder.join("table.json");
        Self { path, epoch: 0 }
    }

    /// Writes the next one: a canary of this release with this weight; without one all is blue.
    pub(super) fn write(&mut self, regions: &[Region<'_>], release: &str, weight: u8) {
        self.epoch += 1;
        let regions = regions.iter().map(|(name, status, [blue, green])| {
            let url = |pool: &Pool| format!("http://{}", pool.address);
            json!({"name": name, "weight": 1, "status": status, "blue": url(blue), "green": url(green)})
        });
        let state = if weight == 0 { "idle" } else { "canary" };
        let table = json!({
            "format": 1, "deployment": "bench", "epoch": self.epoch, "issued_at": "2026-01-01T00:00:00Z",
            "regions": regions.collect::<Vec<Value>>(), "sticky": "hash", "failover": "ordered",
            "release": {"id": release, "state": state, "weight": weight},
        });
        let new = self.path.with_extension("new");
        std::fs::write(&new, table.to_string()).expect("it is written");
        std::fs::rename(&new, &self.path).expect("it is put in place");
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Sleeps until so long after `begin`.
pub(super) fn sleep_until(begin: Instant, after: Duration) {
    std::thread::sleep(after.saturating_sub(begin.elapsed()));
}
