//! Processes of this program that serve until they are told to end.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::super::{Exit, Failure};
use super::sandbox::Sandbox;

/// How long a server may take to say where it listens, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a server, and answers with the addresses that it says behind these words, in this order. What it says
/// is kept in a file of its name.
pub(super) async fn start<const N: usize>(
    name: &str,
    sandbox: &Sandbox,
    command: &mut Command,
    words: [&str; N],
) -> Result<(Child, [SocketAddr; N]), Failure> {
    let failed = |why: &str| Failure::new(Exit::Failed, format!("{name} did not start: {why}"));
    let log = sandbox.path().join(format!("{name}.log"));
    let log = File::options().create(true).append(true).open(log);
    let mut log = log.map_err(|why| failed(&format!("its log: {why}")))?;
    let mut server = sandbox.spawn(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let stderr = server.stderr.take().ok_or_else(|| failed("no stderr"))?;
    let mut lines = BufReader::new(stderr).lines();
    let mut said = Vec::new();
    let mut addresses = Vec::new();
    for word in words {
        loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
            let Ok(Ok(Some(line))) = line else {
                return Err(failed(&said.join("; ")));
            };
            let _ = writeln!(log, "{line}");
            match address_in(&line, word) {
                Some(address) => break addresses.push(address),
                None => said.push(line),
            }
        }
    }
    // Whoever writes into a full pipe waits: keep it empty.
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = writeln!(log, "{line}");
        }
    });
    let addresses = addresses.try_into();
    Ok((server, addresses.map_err(|_| failed("too few addresses"))?))
}

/// Asks a server to end, and says whether it did, and well.
pub(super) async fn ended(server: &mut Child) -> bool {
    let Some(pid) = server.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
        return true;
    };
    let _ = kill_process(pid, Signal::TERM);
    let ended = tokio::time::timeout(PATIENCE, server.wait()).await;
    matches!(ended, Ok(Ok(status)) if status.success())
}

/// `127.0.0.1:41234` in `… health server on 127.0.0.1:41234, region …`.
fn address_in(line: &str, word: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(word)?;
    let address = rest.split([',', '/', ' ']).next()?;
    address.trim().parse().ok()
}
