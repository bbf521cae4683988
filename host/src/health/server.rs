//! The health server as a whole, in the foreground and on a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Health, StartError, routes};
use crate::net::server::{Limits, Serves, Site, listen, serve_until};

/// Serves on `listener` until `stop` is ready, and then as long as closing takes.
///
/// `/ready` is 503 for `DRAIN_MS` while connections are still accepted, then the listener closes
/// and so do idle connections. Open requests get until 25 s after `stop`, or until 2 s after the
/// listener has closed if that is later.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let refusing = health.clone();
    let site = Site {
        serves: Serves::Router(routes::whole(health.clone())),
        refuse: Box::new(move |why| refusing.refuse(why)),
        standing: routes::standing(&health).await,
        connections: health.0.connections.clone(),
    };
    let drain = Duration::from_millis(health.settings().drain_ms);
    let stop = async {
        stop.await;
        health.drain();
    };
    serve_until(listener, site, limits, stop, drain).await;
}

/// A health server on a thread of its own. Dropping it leaves the server running.
pub struct HealthServer {
    address: SocketAddr,
    health: Health,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// Starts a health server on `0.0.0.0:port`, configured by the environment; port 0 takes any free one.
///
/// Works in synchronous and asynchronous programs. Signals are the program's affair.
///
/// # Errors
/// When a variable is malformed, the port is in use, or the system gives no thread.
pub fn start_health_server(port: u16) -> Result<HealthServer, StartError> {
    let health = Health::from_env()?;
    let address = (Ipv4Addr::UNSPECIFIED, port).into();
    Ok(HealthServer::start(address, health, Limits::default())?)
}

impl HealthServer {
    /// Starts a server at `address`; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address is in use or not this machine's, or the system gives no thread.
    pub fn start(address: SocketAddr, health: Health, limits: Limits) -> io::Result<Self> {
        let (tell, told) = mpsc::channel();
        let (stop, mut stopped) = watch::channel(false);
        let serving = health.clone();
        // The runtime is made, used and dropped on the thread: a runtime must not be dropped in a
        // program that is itself asynchronous.
        let thread = thread::Builder::new()
            .name("halcyon-health".into())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    Ok(runtime) => runtime,
                    Err(why) => return drop(tell.send(Err(why))),
                };
                runtime.block_on(async {
                    let listening =
                        listen(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
                    let listener = match listening {
                        Ok((address, listener)) => {
                            let _ = tell.send(Ok(address));
                            listener
                        }
                        Err(why) => return drop(tell.send(Err(why))),
                    };
                    let stop = async {
                        if stopped.wait_for(|stop| *stop).await.is_err() {
                            // The handle was dropped: nobody can stop the server any more.
                            std::future::pending::<()>().await;
                        }
                    };
                    serve(listener, serving, limits, stop).await;
                });
                // A name that is still being resolved must not hold up the end.
                runtime.shutdown_background();
            })?;
        let address = told
            .recv()
            .map_err(|_| io::Error::other("the server's thread ended"))??;
        Ok(Self {
            address,
            health,
            stop,
            thread,
        })
    }

    /// Where it listens, with the port that was free if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers from.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Begins to close, without waiting: `/ready` is 503 for `DRAIN_MS`, then the listener closes and
    /// open requests are answered.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Blocks until it has ended, which it does only after [`shutdown`](Self::shutdown).
    pub fn wait(self) {
        // A panic has been reported by its thread already.
        let _ = self.thread.join();
    }
}
