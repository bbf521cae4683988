//! What commands that serve have in common: ports, signals, flags that outrank variables.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use halcyon_core::config::{self, Problems};
use halcyon_core::document::Document;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{Exit, Failure};
use crate::health::Environment;
use crate::net::server::{Limits, SharedPort, capacity, listen};

/// As many connections as every server should be able to have open.
const CONNECTIONS: usize = 10_000;

/// What to say where the system lets a process have too few files.
pub(super) fn few_files() -> Option<String> {
    let most = capacity(&Limits::default());
    (most < CONNECTIONS).then(|| format!(
        "only {most} connections can be open at once, as the system allows this process few files; {CONNECTIONS} need a limit (ulimit -n) of {}",
        CONNECTIONS + 128
    ))
}

/// A failure of the system.
pub(super) fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |why| Failure::new(Exit::Failed, format!("{what}: {why}"))
}

/// A listener, or a problem more. Where the port is none, there is nothing to try.
pub(super) fn open(
    name: &str,
    address: SocketAddr,
    problems: &mut Problems,
) -> Option<TcpListener> {
    open_by(listen, name, address, problems)
}

/// The same for a port that is shared.
pub(super) fn share(
    name: &str,
    address: SocketAddr,
    problems: &mut Problems,
) -> Option<SharedPort> {
    let port = open_by(SharedPort::bind, name, address, problems)?;
    if port.taken() {
        problems.warnings.push(format!(
            "{name}: another process listens on {address} too; each gets a share of the new connections until one ends"
        ));
    }
    Some(port)
}

fn open_by<T>(
    open: impl Fn(SocketAddr) -> io::Result<T>,
    name: &str,
    address: SocketAddr,
    problems: &mut Problems,
) -> Option<T> {
    if problems.about(name) {
        return None;
    }
    let opened = open(address).map_err(|why| unusable_port(name, address, &why));
    opened.map_err(|why| problems.errors.push(why)).ok()
}

/// An environment in which flags outrank variables.
pub(super) fn flagged(
    flags: Vec<(&'static str, Option<String>)>,
    environment: Environment,
) -> Environment {
    Arc::new(Flagged { flags, environment })
}

struct Flagged {
    flags: Vec<(&'static str, Option<String>)>,
    environment: Environment,
}

impl config::Environment for Flagged {
    fn variable(&self, name: &str) -> Option<String> {
        let mut flags = self.flags.iter();
        match flags.find(|(known, _)| *known == name) {
            Some((_, Some(value))) => Some(value.clone()),
            _ => self.environment.variable(name),
        }
    }

    fn document(&self, variable: &str, path: &str) -> Result<Document, String> {
        self.environment.document(variable, path)
    }
}

pub(super) fn unusable_port(name: &str, address: SocketAddr, why: &io::Error) -> String {
    let why = match why.kind() {
        io::ErrorKind::AddrInUse => "it is in use".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 are reserved".into()
        }
        _ => why.to_string(),
    };
    format!("{name}: cannot listen on {address}: {why}; allowed: a free port, or 0 for any")
}

/// The first SIGTERM or SIGINT, for whoever waits for it.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits for it.
    pub(super) async fn wait(mut self) {
        // Whoever tells is never dropped before.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// The second signal ends the process.
pub(super) fn on_signal() -> io::Result<Stop> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        let first = either(&mut terminate, &mut interrupt).await;
        let _ = tell.send(true);
        tracing::info!("signal {first}: draining; the next one ends at once");
        let second = either(&mut terminate, &mut interrupt).await;
        std::process::exit(128 + second);
    });
    Ok(Stop(told))
}

/// The number of whichever signal comes.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
