//! The application of one region: two pools, blue and green by role, that answer whatever they are asked.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::net::server::listen;

/// What a broken pool answers, as its own /ready would.
const BROKEN: &[u8] = br#"{"status":"not_ready","checks":{"dependencies":{"database":{"ok":false,"latency_ms":1,"error":"too many connections"}}}}"#;

/// The pools of one region.
pub(super) struct Pools {
    addresses: [SocketAddr; 2],
    /// Which of them answers 503.
    broken: [Arc<AtomicBool>; 2],
    running: Vec<JoinHandle<()>>,
}

impl Pools {
    /// Starts both on free loopback ports.
    pub(super) fn start() -> io::Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut pools = Self {
            addresses: [any; 2],
            broken: Default::default(),
            running: Vec::new(),
        };
        pools.come_back()?;
        Ok(pools)
    }

    /// Both go away, with every connection.
    pub(super) async fn lose(&mut self) {
        for pool in self.running.drain(..) {
            pool.abort();
            let _ = pool.await;
        }
    }

    /// Both come back where they were.
    pub(super) fn come_back(&mut self) -> io::Result<()> {
        let mut listeners = Vec::new();
        for address in &mut self.addresses {
            let listener = listen(*address)?;
            *address = listener.local_addr()?;
            listeners.push(listener);
        }
        // When both ports are had: whoever has one of them tries again.
        for (listener, broken) in listeners.into_iter().zip(&self.broken) {
            let serving = accept(listener, broken.clone());
            self.running.push(tokio::spawn(serving));
        }
        Ok(())
    }

    /// The pool at this URL answers everybody 503, or no longer does. Says whether it is one of these.
    pub(super) fn set_broken(&self, url: &str, broken: bool) -> bool {
        let mut pools = self.addresses.iter().zip(&self.broken);
        let found = pools.find(|(address, _)| url == format!("http://{address}"));
        found.is_some_and(|(_, flag)| {
            flag.store(broken, Ordering::Relaxed);
            true
        })
    }

    /// Where blue and green are, as a topology file has it.
    pub(super) fn topology(&self) -> String {
        let [blue, green] = self.addresses;
        format!("blue = \"http://{blue}\"\ngreen = \"http://{green}\"\n")
    }
}

impl Drop for Pools {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, broken: Arc<AtomicBool>) {
    // In a set, so that they end with their pool.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let _ = stream.set_nodelay(true);
                let broken = broken.clone();
                let service = service_fn(move |request| answer(request, broken.load(Ordering::Relaxed)));
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move { drop(served.await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A pool is asked for /ready before it gets any tenant.
async fn answer(_: Request<Incoming>, broken: bool) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, said) = match broken {
        false => (StatusCode::OK, &b"{\"status\":\"ready\"}"[..]),
        true => (StatusCode::SERVICE_UNAVAILABLE, BROKEN),
    };
    let mut answer = Response::new(Full::new(Bytes::from_static(said)));
    *answer.status_mut() = status;
    Ok(answer)
}
