//! Accepts connections until told to close, whatever goes wrong with single ones.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::Response;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::{self, Serves};
use super::crowd::Crowd;
use super::limits::Limits;
use super::port::{BACKLOG, turn_away};
use super::refusal::Refusal;
use super::seldom::Seldom;
use super::standing::Standing;

/// How long accepting rests after the system refused it (no file descriptor left, for instance).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// How long a connection that was asked to leave has before another one is asked.
const LEAVING: Duration = Duration::from_millis(50);

/// How long a listener that leaves a shared port waits for handshakes that have begun: longer than a round
/// trip around the world, and shorter than the second after which a client repeats one that was dropped.
const HANDSHAKES: Duration = Duration::from_millis(300);

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It accepts connections.
    Serving,
    /// It still does, and tells every client to close.
    Draining,
    /// It accepts none; open requests have until then.
    Closing {
        /// When what is still open is cut off.
        until: Instant,
    },
}

impl Phase {
    pub(super) fn is_closing(&self) -> bool {
        matches!(self, Phase::Closing { .. })
    }
}

/// What is served.
pub struct Site {
    /// Answers the requests that are well-formed.
    pub serves: Serves,
    /// Makes the answer to the others.
    pub refuse: Box<dyn Fn(Refusal) -> Response + Send + Sync>,
    /// Answers known before they are asked for, as `serves` would give them. They are given while the
    /// server is [`Phase::Serving`].
    pub standing: Standing,
    /// Counts the connections that are open now.
    pub connections: Arc<AtomicUsize>,
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

/// How many connections can be open at once: what `limits` says, or fewer if the system allows the
/// process fewer files. Some of those are kept for other things: a quarter, at least 16, at most 128.
pub fn capacity(limits: &Limits) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    limits.connections.min(room(files))
}

fn room(files: usize) -> usize {
    files.saturating_sub((files / 4).clamp(16, 128)).max(1)
}

/// Serves `site` on `listener` until `phase` is [`Phase::Closing`] and every connection has ended,
/// or its time is up. Idle connections end at once, requests are answered, also those of clients whom the
/// system has let in and nobody has seen yet.
///
/// When as many connections are open as can be, the one that has been idle for longest has to leave
/// for the next client.
pub async fn serve(
    listener: TcpListener,
    site: Site,
    limits: Limits,
    phase: watch::Receiver<Phase>,
) {
    let site = Arc::new(site);
    let mut connections = JoinSet::new();
    let mut closing = phase.clone();
    let most = capacity(&limits);
    let crowd = Arc::new(Crowd::default());
    let (mut refused, mut full) = (Seldom::default(), Seldom::default());
    let mut next: Option<TcpStream> = None;
    let begin = |connections: &mut JoinSet<()>, stream| {
        let open = Open::new(site.connections.clone());
        let (site, phase, crowd) = (site.clone(), phase.clone(), crowd.clone());
        connections.spawn(async move {
            let _open = open;
            connection::run(stream, site, limits, phase, crowd).await;
        });
    };
    let until = loop {
        if connections.len() < most
            && let Some(stream) = next.take()
        {
            begin(&mut connections, stream);
        }
        tokio::select! {
            biased;
            closed = closing.wait_for(Phase::is_closing) => match closed.as_deref() {
                Ok(Phase::Closing { until }) => break *until,
                _ => break Instant::now(),
            },
            Some(_) = connections.join_next() => {}
            stream = accept(&listener, &mut refused), if next.is_none() => next = Some(stream),
            () = make_room(&crowd, most, &mut full), if next.is_some() => {}
        }
    };
    if turn_away(&listener) {
        let last = Instant::now() + HANDSHAKES;
        loop {
            if connections.len() < most
                && let Some(stream) = next.take()
            {
                begin(&mut connections, stream);
            }
            tokio::select! {
                () = sleep_until(last) => break,
                Some(_) = connections.join_next() => {}
                stream = accept(&listener, &mut refused), if next.is_none() => next = Some(stream),
            }
        }
    }
    let room = most.saturating_sub(connections.len());
    for stream in next.into_iter().chain(waiting(listener)).take(room) {
        begin(&mut connections, stream);
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = sleep_until(until) => tracing::warn!("requests were still open and have been cut off"),
    }
}

/// Asks one connection to leave, and gives it time to.
async fn make_room(crowd: &Crowd, most: usize, full: &mut Seldom) {
    if crowd.make_room(Instant::now())
        && let Some(times) = full.say(Instant::now())
    {
        tracing::warn!(
            "all {most} connections that can be open are: {times} idle or slow one(s) closed for new clients"
        );
    }
    sleep(LEAVING).await;
}

/// The next connection. Errors are about single connections or pass; none ends the server.
async fn accept(listener: &TcpListener, refused: &mut Seldom) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(why) if is_the_clients(&why) => {}
            Err(why) => {
                if let Some(times) = refused.say(Instant::now()) {
                    tracing::warn!("cannot accept connections: {why} ({times} time(s))");
                }
                sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Those who stand before the door, which is closed behind them. For them they are connected: the system
/// would cut them off with the listener.
fn waiting(listener: TcpListener) -> Vec<TcpStream> {
    // Asked for without tokio, which knows only of those that the system has told it of.
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    let mut streams = Vec::new();
    // More come while these are taken: of those, no more than could have waited.
    for _ in 0..BACKLOG {
        match listener.accept() {
            Ok((stream, _)) => {
                let stream = stream.set_nonblocking(true).map(|()| stream);
                streams.extend(stream.and_then(TcpStream::from_std));
            }
            Err(why) if is_the_clients(&why) => {}
            Err(_) => break,
        }
    }
    streams
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_the_files_grows_with_them() {
        for (files, connections) in [
            (0, 1),
            (10, 1),
            (20, 4),
            (64, 48),
            (128, 96),
            (1024, 896),
            (20_000, 19_872),
        ] {
            assert_eq!(room(files), connections, "{files} files");
        }
    }
}
