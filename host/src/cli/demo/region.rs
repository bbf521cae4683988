//! One region: a real `halcyon serve` process, and a database it depends on.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::super::{Exit, Failure};
use super::command;

/// A running region.
pub(super) struct Region {
    pub(super) name: &'static str,
    pub(super) address: String,
    server: Child,
    database: JoinHandle<()>,
}

impl Region {
    /// Starts the database and the server, on free loopback ports.
    pub(super) async fn start(
        name: &'static str,
        regions: &str,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let failed = |what: &str, why: std::io::Error| {
            Failure::new(Exit::Failed, format!("{name}: {what}: {why}"))
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|why| failed("cannot start its database", why))?;
        let port = listener
            .local_addr()
            .map_err(|why| failed("its database has no address", why))?
            .port();
        let database = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let variables = [
            ("HEALTH_PORT", "0".to_owned()),
            // Three of them on one machine.
            ("DASHBOARD_PORT", "0".to_owned()),
            ("FEATURE_MULTI_REGION", "true".to_owned()),
            ("FEATURE_BLUE_GREEN", "true".to_owned()),
            ("REGIONS", regions.to_owned()),
            ("PRIMARY_REGION", "us-east".to_owned()),
            ("CURRENT_REGION", name.to_owned()),
            ("DEPLOY_RBAC_ROLE", "Deployer".to_owned()),
            (
                "READINESS_CHECKS",
                format!("database=tcp://127.0.0.1:{port}"),
            ),
            ("DRAIN_MS", "100".to_owned()),
        ];
        let mut server = command(&["serve", "--bind", "127.0.0.1"], &variables, directory)?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is the demo's to act on.
            .process_group(0)
            .spawn()
            .map_err(|why| failed("cannot start halcyon serve", why))?;
        let stderr = server
            .stderr
            .take()
            .ok_or_else(|| Failure::new(Exit::Failed, "no stderr"))?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = Vec::new();
        let address = loop {
            match tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await {
                Ok(Ok(Some(line))) => match address_in(&line) {
                    Some(address) => break address,
                    None => said.push(line),
                },
                _ => {
                    return Err(Failure::new(
                        Exit::Failed,
                        format!("{name}: halcyon serve did not start: {}", said.join("; ")),
                    ));
                }
            }
        };
        // Whoever writes into a full pipe waits: keep it empty.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            name,
            address,
            server,
            database,
        })
    }

    /// Its base URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The database goes away: connections are refused from now on.
    pub(super) fn lose_database(&self) {
        self.database.abort();
    }

    /// The whole region goes away, without a word.
    pub(super) async fn lose(&mut self) {
        let _ = self.server.kill().await;
        self.database.abort();
    }

    /// Asks the server to end, and waits until it has.
    pub(super) async fn stop(mut self) -> bool {
        self.database.abort();
        let Some(pid) = self
            .server
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
        else {
            return true;
        };
        let _ = kill_process(pid, Signal::TERM);
        let ended = tokio::time::timeout(Duration::from_secs(5), self.server.wait()).await;
        matches!(ended, Ok(Ok(status)) if status.success())
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.database.abort();
    }
}

/// `127.0.0.1:41234` in `… health server on 127.0.0.1:41234, region …`.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("health server on ")?;
    let address = rest.split(',').next()?.trim();
    address
        .parse::<std::net::SocketAddr>()
        .ok()
        .map(|address| address.to_string())
}
