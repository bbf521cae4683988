//! A server from its first connection to its last, once it is told to end.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Limits, Phase, Site, serve};

/// How long after being told to close a server still waits for open requests.
const OPEN_REQUESTS: Duration = Duration::from_secs(25);

/// How long after the listener has closed it does at least.
const AFTER_CLOSING: Duration = Duration::from_secs(2);

/// Serves `site` on `listener` until `stop` is ready, and then as long as closing takes: connections are
/// still accepted for `drain`, then the listener closes and so do idle connections. Open requests get
/// until 25 s after `stop`, or until 2 s after the listener has closed if that is later.
pub async fn serve_until(
    listener: TcpListener,
    site: Site,
    limits: Limits,
    stop: impl Future<Output = ()>,
    drain: Duration,
) {
    let (tell, phase) = watch::channel(Phase::Serving);
    let closing = async {
        stop.await;
        let told = Instant::now();
        let _ = tell.send(Phase::Draining);
        let close = told + drain;
        sleep_until(close).await;
        let until = (told + OPEN_REQUESTS).max(close + AFTER_CLOSING);
        let _ = tell.send(Phase::Closing { until });
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serve(listener, site, limits, phase) => {}
        () = closing => {}
    }
}
