//! Processes of this program that serve until they are told to end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use halcyon_core::endpoint::Endpoint;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::super::{Exit, Failure};
use super::command;
use crate::net::Client;

/// Starts a server, and answers with the addresses that it says behind these words, in this order.
pub(super) async fn start<const N: usize>(
    name: &str,
    command: &mut Command,
    words: [&str; N],
) -> Result<(Child, [SocketAddr; N]), Failure> {
    let failed = |why: String| Failure::new(Exit::Failed, format!("{name} did not start: {why}"));
    let mut server = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C at the terminal is the demo's to act on.
        .process_group(0)
        .spawn()
        .map_err(|why| failed(why.to_string()))?;
    let stderr = server.stderr.take();
    let stderr = stderr.ok_or_else(|| failed("no stderr".into()))?;
    let mut lines = BufReader::new(stderr).lines();
    let mut said = Vec::new();
    let mut addresses = Vec::new();
    for word in words {
        loop {
            let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await;
            let Ok(Ok(Some(line))) = line else {
                return Err(failed(said.join("; ")));
            };
            match address_in(&line, word) {
                Some(address) => break addresses.push(address),
                None => said.push(line),
            }
        }
    }
    // Whoever writes into a full pipe waits: keep it empty.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let addresses = addresses.try_into();
    Ok((
        server,
        addresses.map_err(|_| failed("too few addresses".into()))?,
    ))
}

/// Asks a server to end, and says whether it did, and well.
pub(super) async fn ended(server: &mut Child) -> bool {
    let Some(pid) = server.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
        return true;
    };
    let _ = kill_process(pid, Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_secs(5), server.wait()).await;
    matches!(ended, Ok(Ok(status)) if status.success())
}

/// `127.0.0.1:41234` in `… health server on 127.0.0.1:41234, region …`.
fn address_in(line: &str, word: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(word)?;
    let address = rest.split([',', '/', ' ']).next()?;
    address.trim().parse().ok()
}

/// The edge, which asks a server for its table.
pub(super) struct Edge {
    server: Child,
    pub(super) address: SocketAddr,
}

impl Edge {
    /// Starts one that takes its table from the dashboard at `dashboard`.
    pub(super) async fn start(dashboard: SocketAddr, directory: &Path) -> Result<Self, Failure> {
        let variables = [
            ("EDGE_TABLE", table_of(dashboard)),
            ("EDGE_PORT", "0".to_owned()),
            ("HEALTH_PORT", "0".to_owned()),
            ("TABLE_REFRESH_MS", "100".to_owned()),
            ("DRAIN_MS", "0".to_owned()),
        ];
        let arguments = ["edge", "--health-bind", "127.0.0.1"];
        let mut server = command(&arguments, &variables, directory)?;
        let said = ["edge on http://", "health server on "];
        let (server, [address, health]) = start("halcyon edge", &mut server, said).await?;
        is_ready(health).await?;
        Ok(Self { server, address })
    }

    /// Asks it to end, and says whether it did, and well.
    pub(super) async fn stop(mut self) -> bool {
        ended(&mut self.server).await
    }
}

/// Waits until the edge has its table.
async fn is_ready(health: SocketAddr) -> Result<(), Failure> {
    let begin = Instant::now();
    let failed = |why: String| Failure::new(Exit::Failed, format!("halcyon edge: {why}"));
    let client = Client::new(None).map_err(failed)?;
    let at = Endpoint::parse(&format!("http://{health}")).map_err(failed)?;
    loop {
        match client.probe_ready(&at, None, Duration::from_secs(1)).await {
            Ok(_) => return Ok(()),
            Err(why) if begin.elapsed() > Duration::from_secs(10) => return Err(failed(why)),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Where a dashboard has the table in force.
pub(super) fn table_of(dashboard: SocketAddr) -> String {
    format!("http://{dashboard}/api/v1/table")
}
