//! The application of one region: two pools, blue and green by role, that answer what they are asked.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::super::{Exit, Failure};
use crate::net::server::listen;

/// The pools of one region.
pub(super) struct Pools {
    pub(super) region: &'static str,
    addresses: [SocketAddr; 2],
    running: Vec<JoinHandle<()>>,
}

impl Pools {
    /// Starts both on free loopback ports.
    pub(super) fn start(region: &'static str) -> Result<Self, Failure> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut pools = Self {
            region,
            addresses: [any; 2],
            running: Vec::new(),
        };
        pools.serve()?;
        Ok(pools)
    }

    fn serve(&mut self) -> Result<(), Failure> {
        for address in &mut self.addresses {
            let listener = listen(*address);
            let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
            let (at, listener) = bound.map_err(|why| {
                let why = format!("{}: cannot start a pool: {why}", self.region);
                Failure::new(Exit::Failed, why)
            })?;
            *address = at;
            self.running.push(tokio::spawn(accept(listener)));
        }
        Ok(())
    }

    /// Both go away, with every connection.
    pub(super) async fn lose(&mut self) {
        for pool in self.running.drain(..) {
            pool.abort();
            let _ = pool.await;
        }
    }

    /// Both come back where they were.
    pub(super) fn come_back(&mut self) -> Result<(), Failure> {
        self.serve()
    }

    /// The region as a topology file has it.
    pub(super) fn topology(&self) -> String {
        let [blue, green] = self.addresses;
        let name = self.region;
        format!(
            "[[region]]\nname = \"{name}\"\nblue = \"http://{blue}\"\ngreen = \"http://{green}\"\n"
        )
    }
}

impl Drop for Pools {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener) {
    // In a set, so that they end with their pool.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let _ = stream.set_nodelay(true);
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
                connections.spawn(async move { drop(served.await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A pool is asked for /ready before it gets any tenant.
async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(
        b"{\"status\":\"ready\"}",
    ))))
}
