//! Connections to one upstream, kept for the next request.
//!
//! Hand-made over hyper's connections, as a pooling client takes a request away and does not give it back:
//! here one that was not sent can go elsewhere, body and all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, Request, Response};
use halcyon_core::endpoint::{Endpoint, Scheme};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::breaker::Service;
use super::sockets::{Counted, Sockets};
use super::stream::Upload;
use crate::net::{Stage, Unreached, body, connect};

/// How long connecting may take. Another region answers sooner than a third attempt of the system would.
const CONNECT: Duration = Duration::from_millis(2_500);

/// How long a connection is kept without use. Most servers close theirs after a minute or so.
const KEEP: Duration = Duration::from_secs(55);

/// Connections that are kept at most.
const IDLE_MAX: usize = 256;

/// Header fields of an upstream's answer at most.
const HEADERS_MAX: usize = 256;

/// How long a kept connection may take until it is ready. It should be at once: what takes longer has
/// something of its last request left to send.
const READY: Duration = Duration::from_millis(100);

/// Bytes of an upstream's head at most, as of a client's.
const HEAD_MAX: usize = 64 * 1024;

/// An upstream, and the connections to it that nobody uses.
pub(super) struct Upstream {
    /// As the table writes it.
    pub(super) address: String,
    at: Endpoint,
    tls: Arc<rustls::ClientConfig>,
    /// What its Host is.
    pub(super) host: HeaderValue,
    /// What stands before a request's path, without a slash at its end, and before its query.
    pub(super) path: String,
    pub(super) query: Option<String>,
    sockets: Arc<Sockets>,
    idle: Mutex<Vec<Idle>>,
    pub(super) service: Service,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

struct Connection {
    sender: SendRequest<Upload>,
    _counted: Counted,
}

/// A connection in use.
pub(super) struct Lease {
    connection: Connection,
    upstream: Arc<Upstream>,
    /// It has served a request before.
    pub(super) used: bool,
}

impl Lease {
    /// Gives the connection up, on which an answer has broken off.
    pub(super) fn broke_off(self) {
        self.upstream.service.broke_off();
    }

    /// Keeps the connection for the next request. Dropping it closes it.
    pub(super) fn give_back(self) {
        if self.connection.sender.is_closed() {
            return;
        }
        let mut idle = self.upstream.idle();
        if idle.len() < IDLE_MAX {
            idle.push(Idle {
                connection: self.connection,
                since: Instant::now(),
            });
        }
    }
}

/// Why there is no answer.
pub(super) enum Lost {
    /// Nothing of the request has been sent: it is here.
    Unsent(Box<Request<Upload>>, String),
    /// It may have been acted on.
    Sent(String),
}

impl Upstream {
    /// The upstream at an address, with no connection yet. `None` where that is no HTTP.
    pub(super) fn new(
        address: String,
        at: Endpoint,
        tls: Arc<rustls::ClientConfig>,
        sockets: Arc<Sockets>,
    ) -> Option<Self> {
        let host = HeaderValue::from_str(&host(&at)).ok()?;
        let (path, query) = match at.path().split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (at.path(), None),
        };
        let path = path.trim_end_matches('/').to_owned();
        (at.scheme() != Scheme::Tcp).then(|| Self {
            address,
            host,
            path,
            query: query.filter(|query| !query.is_empty()),
            at,
            tls,
            sockets,
            idle: Mutex::default(),
            service: Service::default(),
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that this machine has no room for another connection.
    pub(super) fn say_lack(&self, why: &str) {
        self.sockets.say_lack(why);
    }

    /// How many connections nobody uses.
    pub(super) fn idle_count(&self) -> usize {
        self.idle().len()
    }

    /// Closes the connection that has been idle longest. Says whether there was one.
    pub(super) fn close_oldest(&self) -> bool {
        let mut idle = self.idle();
        let oldest = (!idle.is_empty()).then(|| idle.remove(0));
        oldest.is_some()
    }

    /// A connection: one that is kept, or a new one.
    ///
    /// # Errors
    /// Why the upstream cannot be reached.
    pub(super) async fn connection(self: &Arc<Self>) -> Result<Lease, Unreached> {
        loop {
            // The last one first: the others may close.
            let kept = self.idle().pop();
            let Some(Idle {
                mut connection,
                since,
            }) = kept
            else {
                return self.connect().await;
            };
            if since.elapsed() > KEEP {
                // So have all others been.
                self.idle().clear();
                continue;
            }
            // Its last answer has been read, so it is ready at once, or closed.
            if matches!(timeout(READY, connection.sender.ready()).await, Ok(Ok(()))) {
                return Ok(self.lease(connection, true));
            }
        }
    }

    /// A new connection.
    ///
    /// # Errors
    /// As [`connection`](Self::connection).
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Lease, Unreached> {
        let stage = Stage::default();
        let counted = self.sockets.count();
        let opened = async {
            match self.open(&stage).await {
                // Somebody else has the file that this takes; one of a connection that nobody uses will do.
                Err(Unreached { local: true, .. }) if self.sockets.close_idle() => {
                    yield_now().await;
                    self.open(&stage).await
                }
                opened => opened,
            }
        };
        let patience = CONNECT.min(self.sockets.patience);
        let sender = match timeout(patience, opened).await {
            Ok(sender) => sender?,
            Err(_) => {
                let (ms, stage) = (patience.as_millis(), stage.name());
                return Err(format!("timeout: {ms} ms passed while {stage}").into());
            }
        };
        let connection = Connection {
            sender,
            _counted: counted,
        };
        Ok(self.lease(connection, false))
    }

    fn lease(self: &Arc<Self>, connection: Connection, used: bool) -> Lease {
        Lease {
            connection,
            upstream: self.clone(),
            used,
        }
    }

    async fn open(&self, stage: &Stage) -> Result<SendRequest<Upload>, Unreached> {
        let stream = connect::tcp(&self.at, stage).await?;
        Ok(match self.at.scheme() {
            Scheme::Https => {
                let stream = connect::tls(self.tls.clone(), &self.at, stream, stage).await?;
                shake_hands(stream).await?
            }
            Scheme::Http | Scheme::Tcp => shake_hands(stream).await?,
        })
    }
}

impl Lease {
    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, Lost> {
        let sent = self.connection.sender.try_send_request(request).await;
        sent.map_err(|mut lost| {
            let why = body::explain(lost.error());
            match lost.take_message() {
                Some(request) => Lost::Unsent(Box::new(request), why),
                None => Lost::Sent(why),
            }
        })
    }
}

async fn shake_hands<S>(stream: S) -> Result<SendRequest<Upload>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new()
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|why| body::explain(&why))?;
    // Ends when the sender is dropped, or the upstream closes.
    tokio::spawn(async move {
        if let Err(why) = connection.await {
            tracing::debug!("connection to an upstream ended: {why}");
        }
    });
    Ok(sender)
}

/// As a browser would write it: without the port that goes without saying.
fn host(at: &Endpoint) -> String {
    let authority = at.authority();
    let usual = match at.scheme() {
        Scheme::Http => ":80",
        Scheme::Https => ":443",
        Scheme::Tcp => "",
    };
    let without = authority.strip_suffix(usual).unwrap_or(&authority);
    without.to_owned()
}
