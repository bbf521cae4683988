//! What requests go through: HAProxy with checks of its own, and edges that a control plane tells.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use halcyon_tests::process::command;
use halcyon_tests::store::Running;
use tempfile::TempDir;

use super::watch::{Seen, Watch, asked};
use super::{Case, LOST, NAMES, TOKEN};

/// A running HAProxy, ended when dropped.
pub(super) struct Haproxy {
    child: Child,
    pub(super) address: SocketAddr,
    dir: TempDir,
}

impl Haproxy {
    /// One that checks these health servers, and sends requests to these pools in turn.
    pub(super) fn start(case: &Case, health: &[SocketAddr], pools: &[SocketAddr]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let port = free_port();
        let servers = NAMES.iter().zip(health).zip(pools);
        let servers = servers.map(|((name, health), pool)| {
            format!(" server {name} {pool} check port {}\n", health.port())
        });
        let servers: String = servers.collect();
        // A check's time ends with the shorter of its interval and `timeout connect`, whatever `timeout check` says.
        // As an edge does: one second try on another server, and what may have been acted on is not sent twice.
        let configuration = format!(
            "global
 nbthread 1
 maxconn 4096
 stats socket {} mode 600 level admin
defaults
 mode http
 timeout connect {timeout}ms
 timeout client 75s
 timeout server {upstream}ms
 timeout check {timeout}ms
 retries 1
 option redispatch 1
 retry-on conn-failure empty-response response-timeout
 http-reuse always
frontend f
 bind 127.0.0.1:{port}
 default_backend be
backend be
 balance roundrobin
 option httpchk GET /ready
 http-check expect status 200
 http-request disable-l7-retry if METH_POST
 default-server inter {}ms fall 3 rise 2
{servers}",
            dir.path().join("admin.sock").display(),
            case.interval_ms,
            timeout = case.timeout_ms(),
            upstream = super::UPSTREAM_TIMEOUT_MS,
        );
        let file = dir.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).expect("it is written");
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy is installed");
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let haproxy = Self {
            child,
            address,
            dir,
        };
        wait("HAProxy", || TcpStream::connect(address).is_ok());
        haproxy
    }

    /// What it says of the region that is lost, by its admin socket.
    pub(super) fn watch(&self) -> Watch {
        let socket = self.dir.path().join("admin.sock");
        Watch::over(move || told(&socket))
    }
}

fn told(socket: &PathBuf) -> Option<Seen> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(b"show stat -1 4 -1\n").ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    let names = said.lines().next()?.trim_start_matches("# ").split(',');
    let names: Vec<&str> = names.collect();
    let server = format!("be,{LOST},");
    let line = said.lines().find(|line| line.starts_with(&server))?;
    let values: Vec<&str> = line.split(',').collect();
    let value = |name: &str| values.get(names.iter().position(|known| *known == name)?);
    Some(Seen {
        // `UP 1/3` while checks fail, and `DOWN 1/2` while they begin to pass.
        up: value("status")?.starts_with("UP"),
        epoch: 0,
        chosen: value("lbtot")?.parse().ok()?,
    })
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running edge, killed when dropped.
pub(super) struct Edge {
    _running: Running,
    pub(super) address: SocketAddr,
    health: SocketAddr,
}

impl Edge {
    pub(super) fn start(dir: &Path, table: &str, port: u16, case: &Case, breaker: bool) -> Self {
        let upstream = super::UPSTREAM_TIMEOUT_MS.to_string();
        let (port, refresh) = (port.to_string(), case.refresh_ms.to_string());
        let running = Running::spawn(
            command(
                &["edge", "--health-bind", "127.0.0.1"],
                &[
                    ("EDGE_TABLE", table),
                    ("TABLE_TOKEN", TOKEN),
                    ("TABLE_REFRESH_MS", &refresh),
                    ("UPSTREAM_TIMEOUT_MS", &upstream),
                    ("EDGE_BREAKER", if breaker { "true" } else { "false" }),
                    ("EDGE_PORT", &port),
                    ("HEALTH_PORT", "0"),
                    ("DRAIN_MS", "0"),
                ],
            )
            .current_dir(dir),
        );
        let said = |what: &str| {
            let said = running.stderr();
            let port = said.split(what).nth(1)?.lines().next()?.trim().parse();
            Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.ok()?)))
        };
        let wanted = ["edge on http://127.0.0.1:", "health server on 127.0.0.1:"];
        wait("edge", || {
            wanted.iter().all(|what| said(what).is_some())
                && running.stderr().contains("is in force")
        });
        let [address, health] = wanted.map(|what| said(what).expect("it says where it listens"));
        Self {
            _running: running,
            address,
            health,
        }
    }

    /// Which table it holds, and how often it has sent something to the region that is lost.
    pub(super) fn watch(&self) -> Watch {
        let health = self.health;
        Watch::over(move || {
            let metrics = asked(health, "/metrics", "")?;
            let lines = |name: &str| {
                let lines = metrics.lines().filter(move |line| line.starts_with(name));
                lines.map(str::to_owned).collect::<Vec<_>>()
            };
            let number = |line: &String| line.rsplit(' ').next()?.parse::<u64>().ok();
            let region = format!("region=\"{LOST}\"");
            let sent = lines("halcyon_edge_upstream_requests_total{").into_iter();
            let sent = sent.filter(|line| line.contains(&region));
            Some(Seen {
                up: true,
                epoch: lines("halcyon_edge_table_epoch ")
                    .first()
                    .and_then(number)?,
                chosen: sent.filter_map(|line| number(&line)).sum(),
            })
        })
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Waits for something that takes a moment.
pub(super) fn wait(what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        let waited = begin.elapsed();
        assert!(waited < Duration::from_secs(90), "no {what} in {waited:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
