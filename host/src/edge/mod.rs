//! The embedded edge: a reverse proxy that sends each request to its tenant's region, to blue or green, as
//! the routing table says.
//!
//! Requests never wait for a table: it comes in the background (`source.rs`), the core says whether it may be
//! taken (`tables.rs`), and from then on it is what requests go by.

mod answers;
mod attempt;
mod breaker;
mod exchange;
mod forward;
mod headers;
mod held;
mod kept;
mod metrics;
mod pool;
mod request;
mod sockets;
mod source;
mod stream;
mod tables;
mod telemetry;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use halcyon_core::config::{EdgeSettings, TableSource};
use halcyon_core::table::{Gate, TableKeys};
use halcyon_core::tenant::TenantFrom;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::net::api::Api;
use crate::net::connect;
use crate::net::server::{Bodies, Limits, Serves, Site, Standing, capacity, serve_until};
use breaker::Breaker;
use metrics::Metrics;
use sockets::Sockets;
use tables::Tables;
use telemetry::{Sender, Telemetry};

/// An edge. It answers as soon as it has a table.
pub struct Edge {
    tenant_from: TenantFrom,
    tables: Arc<Tables>,
    breaker: Breaker,
    metrics: Arc<Metrics>,
    upstream_timeout: Duration,
    upstream_idle: Duration,
}

/// What brings an edge its tables, and tells what it has counted.
pub struct Bringer {
    settings: EdgeSettings,
    tables: Arc<Tables>,
    telemetry: Option<Arc<Telemetry>>,
    metrics: Arc<Metrics>,
    tls: Arc<rustls::ClientConfig>,
}

impl Edge {
    /// An edge with these settings, which trusts the certificate authorities of the public web and those in
    /// `ca_file` (PEM), and what brings it its tables.
    ///
    /// # Errors
    /// Everything that is wrong with the keys and the file, a line each.
    pub fn new(
        settings: EdgeSettings,
        ca_file: Option<&Path>,
    ) -> Result<(Arc<Self>, Bringer), Vec<String>> {
        let keys = TableKeys::parse(&settings.keys);
        let tls = connect::tls_config(ca_file).map_err(|why| vec![format!("--ca-file: {why}")]);
        let (keys, tls) = match (keys, tls) {
            (Ok(keys), Ok(tls)) => (keys, Arc::new(tls)),
            (keys, tls) => {
                let problems = [keys.err(), tls.err()];
                return Err(problems.into_iter().flatten().flatten().collect());
            }
        };
        let upstream_timeout = Duration::from_millis(settings.upstream_timeout_ms);
        let metrics = Arc::new(Metrics::default());
        let telemetry = settings.telemetry.is_some().then(Arc::<Telemetry>::default);
        let tables = Arc::new(Tables::new(
            metrics.clone(),
            telemetry.clone(),
            Gate {
                keys,
                deployment: settings.deployment.clone(),
            },
            tls.clone(),
            Arc::new(Sockets::new(limits().connections, upstream_timeout)),
            settings.state_dir.as_deref(),
        ));
        let edge = Arc::new(Self {
            tenant_from: settings.tenant_from.clone(),
            tables: tables.clone(),
            breaker: Breaker::new(settings.breaker),
            metrics: metrics.clone(),
            upstream_timeout,
            upstream_idle: Duration::from_millis(settings.upstream_idle_ms),
        });
        let bringer = Bringer {
            settings,
            tables,
            telemetry,
            metrics,
            tls,
        };
        Ok((edge, bringer))
    }

    /// Adds its metrics to those of a health server.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Why it is not ready, if it is not.
    pub fn missing(&self) -> Option<String> {
        self.tables.missing()
    }

    /// Serves on `listener` until `stop` is ready, and then as long as closing takes.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
        drain: Duration,
    ) {
        let limits = limits();
        let refusing = self.metrics.clone();
        let site = Site {
            serves: Serves::Handler(Arc::new(self)),
            refuse: Box::new(move |why| {
                refusing.refuse("bad_request");
                answers::problem(why.status(), "bad_request", why.detail())
            }),
            standing: Standing::default(),
            connections: Arc::new(AtomicUsize::new(0)),
        };
        serve_until(listener, site, limits, stop, drain).await;
    }
}

/// What a client of an edge may take up: bodies of any length, and heads as browsers with many cookies send.
fn limits() -> Limits {
    let usual = Limits::default();
    Limits {
        // Each request takes a connection to an upstream too.
        connections: (capacity(&usual) / 2).max(1),
        head_bytes: 64 * 1024,
        headers: 128,
        body_bytes: u64::MAX,
        bodies: Bodies::Streamed,
        // Whoever reads slowly reads a large answer in steps that may be far apart, as the system wakes a writer
        // only when a good part of its buffer is free.
        write: Duration::from_secs(60),
        ..usual
    }
}

impl Bringer {
    /// Brings the tables that are here already: the one that is kept from before, and a file's. Blocks on the
    /// disk.
    pub fn begin(&self) {
        // Before anything that could be older.
        self.tables.resume();
        if let Some(TableSource::File(path)) = &self.settings.table
            && let Err(why) = source::look_at(Path::new(path), &self.tables)
        {
            tracing::warn!("EDGE_TABLE: table not taken: {why}");
        }
    }

    /// Brings tables, and tells what is counted, until `stop` is ready; then tells the rest, for a second at most.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut sender = match self.sender() {
            Some(sender) => sender,
            None => return until(stop, self.bring()).await,
        };
        let both = async {
            tokio::join!(self.bring(), sender.run());
        };
        until(stop, both).await;
        sender.finish().await;
    }

    fn sender(&self) -> Option<Sender> {
        let at = self.settings.telemetry.clone()?;
        let token = self.settings.token.as_deref();
        let api = Api::trusting(self.tls.clone(), at, token);
        let api = api.map_err(|why| tracing::warn!("TABLE_TOKEN: {why}"));
        let interval = Duration::from_millis(self.settings.telemetry_ms);
        let telemetry = self.telemetry.clone()?;
        Some(Sender::new(
            api.ok()?,
            telemetry,
            self.metrics.clone(),
            interval,
        ))
    }

    async fn bring(self) {
        let refresh = Duration::from_millis(self.settings.refresh_ms);
        match self.settings.table {
            Some(TableSource::File(path)) => {
                source::watch(PathBuf::from(path), self.tables, refresh).await;
            }
            Some(TableSource::Url(at)) => {
                let asked = source::Asked {
                    at,
                    tls: self.tls,
                    token: self.settings.token,
                    patience: Duration::from_millis(self.settings.table_timeout_ms),
                    refresh,
                };
                source::ask(asked, self.tables).await;
            }
            None => {}
        }
    }
}

async fn until(stop: impl Future<Output = ()>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = stop => {}
    }
}
