//! Accepts connections until told to close, whatever goes wrong with single ones.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection;
use super::limits::Limits;
use super::refusal::Refusal;

/// How long accepting rests after the system refused it (no file descriptor left, for instance).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// File descriptors kept for everything that is not a client's connection.
const FILES_KEPT: usize = 128;

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It accepts connections.
    Serving,
    /// It accepts none; open requests have until then.
    Closing {
        /// When what is still open is cut off.
        until: Instant,
    },
}

/// What is served.
pub struct Site {
    /// Answers the requests that are well-formed. Their bodies have been read and dropped.
    pub router: Router,
    /// Makes the answer to the others.
    pub refuse: Box<dyn Fn(Refusal) -> Response + Send + Sync>,
    /// Counts the connections that are open now.
    pub connections: Arc<AtomicUsize>,
}

/// Binds a listener; port 0 takes any free one.
///
/// # Errors
/// When the address is in use or not this machine's. Must be called within a tokio runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for the connections of the process before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

/// Raises this process's soft limit of open files to its hard one, as ten thousand connections need
/// it, and returns the limit now in force.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() {
        raised
    } else {
        limit
    };
    now.current.unwrap_or(u64::MAX)
}

/// Serves `site` on `listener` until `phase` is [`Phase::Closing`] and every connection has ended,
/// or its time is up. Idle connections end at once, requests are answered.
pub async fn serve(
    listener: TcpListener,
    site: Site,
    limits: Limits,
    phase: watch::Receiver<Phase>,
) {
    let site = Arc::new(site);
    let mut connections = JoinSet::new();
    let mut closing = phase.clone();
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(files)
        .unwrap_or(usize::MAX)
        .saturating_sub(FILES_KEPT);
    let most = limits.connections.min(most).max(1);
    let until = loop {
        tokio::select! {
            biased;
            closed = closing.wait_for(|phase| *phase != Phase::Serving) => match closed.as_deref() {
                Ok(Phase::Closing { until }) => break *until,
                _ => break Instant::now(),
            },
            Some(_) = connections.join_next() => {}
            stream = accept(&listener), if connections.len() < most => {
                let open = Open::new(site.connections.clone());
                let served = connection::run(stream, site.clone(), limits, phase.clone());
                connections.spawn(async move {
                    let _open = open;
                    served.await;
                });
            }
        }
    };
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = sleep_until(until) => tracing::warn!("requests were still open and have been cut off"),
    }
}

/// The next connection. Errors are about single connections or pass; none ends the server.
async fn accept(listener: &TcpListener) -> TcpStream {
    let mut said = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(why) if is_the_clients(&why) => {}
            Err(why) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!("cannot accept connections: {why}");
                }
                sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn is_the_clients(why: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        why.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Counts one open connection, however its task ends.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
