//! A thousand tenants, asking through the edge all the time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::HOST;
use axum::http::{HeaderMap, Request, StatusCode};
use halcyon_core::hash::TenantId;
use halcyon_core::placement::Slot;
use halcyon_core::table::Table;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::tenants::TENANTS;
use crate::clock;

/// Over so many connections.
const CONNECTIONS: usize = 8;

/// A connection rests for so long after each tenant: the demo is no benchmark.
const REST: Duration = Duration::from_millis(1);

/// Where a request was served, as the edge says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Served {
    pub(super) region: String,
    pub(super) green: bool,
}

/// What has been seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Where each tenant's last request was served.
    pub(super) last: Vec<Option<Served>>,
    /// Requests served, by place.
    pub(super) requests: BTreeMap<Served, u64>,
    /// Requests that were answered by no pool, or not with 200.
    pub(super) failed: u64,
    /// Why, of the last one.
    pub(super) why: String,
}

impl Seen {
    /// How many tenants were last served by green.
    pub(super) fn green(&self) -> usize {
        let green = |served: &&Option<Served>| served.as_ref().is_some_and(|served| served.green);
        self.last.iter().filter(green).count()
    }

    /// How many tenants were last served there.
    pub(super) fn of(&self, region: &str) -> usize {
        let last = self.last.iter().flatten();
        last.filter(|last| last.region == region).count()
    }

    /// All requests that were served.
    pub(super) fn served(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// The tenants at work. They stop when it is dropped.
pub(super) struct Traffic {
    pub(super) tenants: Arc<[String]>,
    seen: Arc<Mutex<Seen>>,
    _clients: JoinSet<()>,
}

impl Traffic {
    /// Tenants that ask the edge at `edge`.
    pub(super) fn start(edge: SocketAddr, tenants: Vec<String>) -> Self {
        let tenants: Arc<[String]> = tenants.into();
        let last = vec![None; tenants.len()];
        let seen = Arc::new(Mutex::new(Seen {
            last,
            ..Seen::default()
        }));
        let mut clients = JoinSet::new();
        for client in 0..CONNECTIONS {
            clients.spawn(ask(edge, client, tenants.clone(), seen.clone()));
        }
        Self {
            tenants,
            seen,
            _clients: clients,
        }
    }

    /// What has been seen so far.
    pub(super) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// Waits until what has been seen is so; answers when, or nothing where that takes too long.
    pub(super) async fn until(
        &self,
        patience: Duration,
        so: impl Fn(&Seen) -> bool,
    ) -> Option<Duration> {
        let begin = Instant::now();
        loop {
            if so(&lock(&self.seen)) {
                return Some(begin.elapsed());
            }
            if begin.elapsed() > patience {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the core puts every tenant by this table.
pub(super) fn by_the_core(table: &Table, tenants: &[String]) -> Vec<Option<Served>> {
    let now = clock::now();
    let place = |id: &String| {
        let placement = table.route(TenantId::new(id).ok()?, now).ok()?;
        Some(Served {
            region: placement.region.as_str().to_owned(),
            green: placement.slot == Slot::Green,
        })
    };
    tenants.iter().map(place).collect()
}

/// Every eighth tenant, round after round, over one connection.
async fn ask(edge: SocketAddr, client: usize, tenants: Arc<[String]>, seen: Arc<Mutex<Seen>>) {
    let mut connection = None;
    for number in (client..TENANTS).step_by(CONNECTIONS).cycle() {
        let Some(tenant) = tenants.get(number) else {
            return;
        };
        let served = once(edge, tenant, &mut connection).await;
        let failed = served.is_err();
        {
            let mut seen = lock(&seen);
            match served {
                Ok(served) => {
                    *seen.requests.entry(served.clone()).or_default() += 1;
                    if let Some(last) = seen.last.get_mut(number) {
                        *last = Some(served);
                    }
                }
                Err(why) => {
                    seen.failed += 1;
                    seen.why = why;
                }
            }
        }
        if failed {
            connection = None;
        }
        tokio::time::sleep(REST).await;
    }
}

type Connection = SendRequest<Empty<Bytes>>;

async fn once(
    edge: SocketAddr,
    tenant: &str,
    connection: &mut Option<Connection>,
) -> Result<Served, String> {
    if let Some(sender) = connection
        && sender.ready().await.is_err()
    {
        *connection = None;
    }
    let sender = match connection {
        Some(sender) => sender,
        None => connection.insert(connect(edge).await?),
    };
    let request = Request::get("/")
        .header(HOST, "demo")
        .header("x-tenant", tenant)
        .body(Empty::new())
        .map_err(|why| why.to_string())?;
    let answer = sender.send_request(request).await;
    let (head, body) = answer.map_err(|why| why.to_string())?.into_parts();
    let body = body.collect().await.map_err(|why| why.to_string())?;
    if head.status != StatusCode::OK {
        let said = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        return Err(format!("{}: {said}", head.status));
    }
    served(&head.headers).ok_or_else(|| "no word on where it was served".into())
}

fn served(headers: &HeaderMap) -> Option<Served> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    Some(Served {
        region: text("x-halcyon-region")?.to_owned(),
        green: text("x-halcyon-slot")? == "green",
    })
}

async fn connect(edge: SocketAddr) -> Result<Connection, String> {
    let stream = TcpStream::connect(edge)
        .await
        .map_err(|why| why.to_string())?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|why| why.to_string())?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
