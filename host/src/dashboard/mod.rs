//! The dashboard: a page, and the API it asks.
//!
//! The page decides where a tenant goes by itself, in WebAssembly, and shows whether this process agrees.

mod answers;
mod query;
mod routes;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::http::HeaderValue;
use halcyon_core::config::{Problems, RegionConfig, Settings};
use halcyon_core::placement::{RegionStatus, Router};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::health::Environment;
use crate::monitor::Monitor;
use crate::net::Client;
use crate::net::server::{Limits, Serves, Site, Standing, capacity, serve_until};
use crate::signing::TableSigner;
use tables::Tables;

pub(crate) use tables::CANARY_MS;

/// Connections of the dashboard at most; fewer where the system allows the process few files, most of
/// which are for the health server.
const CONNECTIONS: usize = 256;

/// What the dashboard answers from. Clones are the same one.
#[derive(Clone)]
pub struct Dashboard(Arc<Inner>);

struct Inner {
    settings: Settings,
    region: HeaderValue,
    /// Where tenants go, or why that cannot be said.
    placement: Result<Placement, Problems>,
    tables: Tables,
    monitor: Option<Arc<Monitor>>,
}

struct Placement {
    config: RegionConfig,
    router: Router,
}

impl Dashboard {
    /// Answers from the variables of `environment`, as they are now, with tables that `signer` signs.
    /// With a client the regions are watched, where that is configured.
    pub fn new(
        environment: &Environment,
        signer: Option<TableSigner>,
        client: Option<Client>,
    ) -> Self {
        let (settings, _) = Settings::read(&**environment);
        let region = HeaderValue::from_str(settings.region_name());
        let tables = Tables::new(PathBuf::from(&settings.store_dir), signer);
        let placement = placement(environment);
        let config = placement.as_ref().ok().map(|placement| &placement.config);
        let monitor = config
            .zip(client)
            .and_then(|(config, client)| Monitor::new(&settings, config, client));
        Self(Arc::new(Inner {
            monitor,
            region: region.unwrap_or(HeaderValue::from_static("unknown")),
            placement,
            tables,
            settings,
        }))
    }

    /// How many regions are watched.
    pub fn watched(&self) -> usize {
        self.0
            .monitor
            .as_ref()
            .map_or(0, |monitor| monitor.watched())
    }

    /// Serves on `listener` until `stop` is ready, and then as long as closing takes.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let limits = Limits::default();
        let limits = Limits {
            connections: (capacity(&limits) / 8).clamp(1, CONNECTIONS),
            ..limits
        };
        let drain = Duration::from_millis(self.0.settings.drain_ms);
        let monitor = self.0.monitor.clone();
        let refusing = self.clone();
        let site = Site {
            serves: Serves::Router(routes::router(self)),
            refuse: Box::new(move |why| refusing.refuse(why)),
            standing: Standing::default(),
            connections: Arc::new(AtomicUsize::new(0)),
        };
        let mut watching = JoinSet::new();
        if let Some(monitor) = monitor {
            watching.spawn(monitor.run());
        }
        // It ends as draining begins: one of the regions may be this process.
        let stop = async move {
            stop.await;
            drop(watching);
        };
        serve_until(listener, site, limits, stop, drain).await;
    }
}

impl Inner {
    /// What is known of the regions, in their order.
    fn health(&self) -> Vec<RegionStatus> {
        let monitor = self.monitor.as_deref();
        monitor.map(Monitor::statuses).unwrap_or_default()
    }
}

fn placement(environment: &Environment) -> Result<Placement, Problems> {
    let (config, _) = RegionConfig::read(&**environment);
    match Router::from_lookup(&**environment) {
        Ok(router) => Ok(Placement { config, router }),
        Err(why) => Err(Problems {
            errors: why.0,
            warnings: Vec::new(),
        }),
    }
}
