//! The control plane's port: a page, and the API that it, command lines and edges ask.
//!
//! The page decides where a tenant goes by itself, in WebAssembly, and shows whether this process agrees.
#![expect(
    clippy::result_large_err,
    reason = "the error of these is the answer that is sent, once"
)]

mod admission;
mod answers;
mod audit;
mod body;
mod handled;
mod lately;
mod leaving;
mod metrics;
mod overrides;
mod placement;
mod query;
mod readable;
mod records;
mod reference;
mod releases;
mod routes;
mod seats;
mod state;
mod steering;
mod stream;
mod tables;
mod telemetry;
mod waiting;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use halcyon_core::config::{Problems, Settings};
use halcyon_core::ledger::AuditReport;
use halcyon_core::placement::RegionStatus;
use halcyon_core::release::{Pools, RegionTarget};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::driver::Hold;
use crate::engine::{Engine, Stuck};
use crate::health::Environment;
use crate::journal::LOG_NAME;
use crate::monitor::Monitor;
use crate::net::Client;
use crate::net::server::{Bodies, Limits, Serves, Site, Standing, capacity, serve_until};
use crate::signing::TableSigner;
use crate::tokens::TokenFile;
use crate::traffic::Traffic;
use admission::Pace;
use handled::Handled;
use metrics::Metrics;
use placement::Placement;
use seats::Seats;
use tables::{Issued, Tables};
use waiting::Waiting;

pub use reference::api_reference;

pub(crate) use records::Records;
pub(crate) use tables::CANARY_MS;

/// Connections of the dashboard at most.
const CONNECTIONS: usize = 8192;

/// How long what is under way has to end, once everybody is answered.
const LEAVING: Duration = Duration::from_millis(1_500);

/// How often it is looked whether another process has appended to the journal.
const LOOK: Duration = Duration::from_millis(100);

/// How often it is told at most that edges have counted more.
const COUNTED: Duration = Duration::from_secs(2);

/// What the dashboard answers from. Clones are the same one.
#[derive(Clone)]
pub struct Dashboard(Arc<Inner>);

struct Inner {
    settings: Settings,
    region: HeaderValue,
    /// Where tenants go, or why that cannot be said.
    placement: Result<Placement, Problems>,
    records: Arc<Records>,
    tables: Tables,
    /// `None` where the regions cannot be said.
    monitor: Option<Arc<Monitor>>,
    tokens: Option<Arc<TokenFile>>,
    client: Option<Client>,
    /// What makes a change in a region, where releases begun here have that.
    hook: Option<String>,
    pace: Pace,
    metrics: Metrics,
    /// What verification found last, and of which file.
    verified: tokio::sync::Mutex<Option<(audit::Mark, AuditReport)>>,
    /// Why a rollback does not come to an end, while it does not.
    stuck: Arc<Stuck>,
    streams: Arc<Seats>,
    /// What edges have counted.
    traffic: Arc<Traffic>,
    /// Turns to read a report of an edge.
    reports: Arc<tokio::sync::Semaphore>,
    /// Who may send many tenants now.
    batches: Arc<tokio::sync::Semaphore>,
    /// Counts whatever a snapshot may show.
    feed: watch::Sender<u64>,
    ending: watch::Sender<bool>,
    /// The number of the table that was issued last.
    issued: watch::Sender<u64>,
    /// Who waits for the next one.
    waiting: Arc<Waiting>,
}

impl Dashboard {
    /// Answers from the variables of `environment`, as they are now, with tables that `signer` signs.
    /// With a client the regions are watched, where that is configured, and releases are driven.
    ///
    /// # Errors
    /// What is wrong with files that must be right before anybody is answered.
    pub fn new(
        environment: &Environment,
        signer: Option<TableSigner>,
        tokens: Option<Arc<TokenFile>>,
        client: Option<Client>,
    ) -> Result<Self, Vec<String>> {
        let (settings, _) = Settings::read(&**environment);
        let region = HeaderValue::from_str(settings.region_name());
        let records = Arc::new(Records::of(PathBuf::from(&settings.store_dir)));
        let placement = Placement::read(environment);
        let config = placement.as_ref().ok().map(|placement| &placement.config);
        let monitor = config.map(|config| Monitor::new(&settings, config, client.clone()));
        let monitor = monitor.transpose();
        let monitor = monitor.map_err(|why| vec![format!("HALCYON_STORE: {why}")])?;
        let names = config.map(|config| config.regions.iter().map(ToString::to_string).collect());
        let names: Vec<String> = names.unwrap_or_default();
        let hook = environment.variable("STEP_HOOK");
        let hook = hook.filter(|hook| !hook.is_empty());
        if let Some(hook) = &hook
            && let Err(why) = crate::driver::check_hook(hook)
        {
            return Err(vec![format!("STEP_HOOK: {why}")]);
        }
        Ok(Self(Arc::new(Inner {
            metrics: Metrics::new(monitor.as_deref()),
            monitor,
            region: region.unwrap_or(HeaderValue::from_static("unknown")),
            placement,
            tables: Tables::new(records.clone(), signer),
            records,
            tokens,
            client,
            hook,
            pace: Pace::default(),
            verified: tokio::sync::Mutex::default(),
            stuck: Arc::default(),
            streams: Arc::default(),
            traffic: Arc::new(Traffic::of(names)),
            reports: Arc::new(tokio::sync::Semaphore::new(telemetry::AT_ONCE)),
            batches: Arc::new(tokio::sync::Semaphore::new(placement::AT_ONCE)),
            feed: watch::Sender::new(0),
            ending: watch::Sender::new(false),
            issued: watch::Sender::new(0),
            waiting: Arc::new(Waiting::of(connections(&Limits::default()))),
            settings,
        })))
    }

    /// How many regions are watched.
    pub fn watched(&self) -> usize {
        let monitor = self.0.monitor.as_ref();
        monitor.map_or(0, |monitor| monitor.watched())
    }

    /// Serves on `listener` until `stop` is ready, and then as long as closing takes.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let limits = Limits::default();
        let limits = Limits {
            connections: connections(&limits),
            body_bytes: body::LARGE as u64,
            bodies: Bodies::Streamed,
            ..limits
        };
        let drain = Duration::from_millis(self.0.settings.drain_ms);
        let refusing = self.clone();
        let site = Site {
            serves: Serves::Handler(Arc::new(Handled(routes::router(self.clone())))),
            refuse: Box::new(move |why| refusing.refuse(why)),
            standing: Standing::default(),
            connections: Arc::new(AtomicUsize::new(0)),
        };
        let mut watching = JoinSet::new();
        if let Some(monitor) = &self.0.monitor {
            watching.spawn(monitor.clone().run());
        }
        if let Some(tokens) = &self.0.tokens {
            watching.spawn(tokens.clone().watch());
        }
        let (hold, held) = watch::channel(self.wanted_hold());
        let engine = self.engine(held);
        let driving = tokio::spawn(async move {
            if let Some(engine) = engine {
                engine.run().await;
            }
        });
        let hold = Arc::new(hold);
        watching.spawn(self.clone().listen(hold.clone()));
        watching.spawn(self.clone().announce());
        let ending = self.clone();
        // It ends as draining begins: one of the regions may be this process.
        let stop = async move {
            stop.await;
            drop(watching);
            hold.send_replace(Hold::Ending);
            ending.0.ending.send_replace(true);
        };
        serve_until(listener, site, limits, stop, drain).await;
        // A hook that it has begun is ended before the process is, if it lets itself be: the next driver waits for it.
        let _ = timeout(LEAVING, driving).await;
        let monitor = self.0.monitor.clone();
        let flush = move || monitor.iter().for_each(|monitor| monitor.flush());
        let _ = timeout(LEAVING, tokio::task::spawn_blocking(flush)).await;
    }

    /// Whether releases are to stand still.
    fn wanted_hold(&self) -> Hold {
        let monitor = self.0.monitor.as_ref();
        match monitor.is_some_and(|monitor| monitor.freeze().is_some()) {
            true => Hold::Frozen,
            false => Hold::Never,
        }
    }

    fn engine(&self, hold: watch::Receiver<Hold>) -> Option<Engine> {
        let networks = self.0.settings.probe_networks.clone();
        Some(Engine {
            records: self.0.records.clone(),
            settings: self.0.settings.clone(),
            client: self.0.client.clone()?.guarded(networks),
            changes: self.0.feed.subscribe(),
            stuck: self.0.stuck.clone(),
            traffic: self.0.traffic.clone(),
            hold,
        })
    }

    /// Issues the next table as soon as there is one, for those who wait for it.
    async fn announce(self) {
        let mut changes = self.0.feed.subscribe();
        while changes.changed().await.is_ok() {
            if !self.0.waiting.is_any() {
                continue;
            }
            let inner = self.0.clone();
            let issue = move || {
                let placement = inner.placement.as_ref().ok()?;
                // Whoever asks again is told what is wrong.
                inner.issue(placement).ok()
            };
            let _ = tokio::task::spawn_blocking(issue).await;
        }
    }

    /// Hears of what changes, and tells of it.
    async fn listen(self, hold: Arc<watch::Sender<Hold>>) {
        let log = self.0.records.dir().join(LOG_NAME);
        let monitor = self.0.monitor.as_ref();
        let mut changes = monitor.map(|monitor| monitor.changes());
        let mut seen = None;
        let mut counted = (self.0.traffic.sizes(Instant::now()).version, Instant::now());
        loop {
            let wanted = self.wanted_hold();
            hold.send_if_modified(|hold| {
                // What ends does not begin again.
                *hold != Hold::Ending && std::mem::replace(hold, wanted) != wanted
            });
            let moved = async {
                match &mut changes {
                    Some(changes) => drop(changes.changed().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = moved => self.0.feed_changed(),
                () = sleep(LOOK) => {
                    let now = std::fs::metadata(&log).map(|found| found.len()).ok();
                    if std::mem::replace(&mut seen, now) != now {
                        self.0.feed_changed();
                    }
                    let version = self.0.traffic.sizes(Instant::now()).version;
                    if version != counted.0 && counted.1.elapsed() >= COUNTED {
                        counted = (version, Instant::now());
                        self.0.feed_changed();
                    }
                }
            }
        }
    }
}

/// How many connections the dashboard may have: what the health server leaves of the files that the system allows,
/// or a quarter of its connections where that is more, so that neither starves the other.
fn connections(health: &Limits) -> usize {
    let all = Limits {
        connections: usize::MAX,
        ..*health
    };
    let left = capacity(&all).saturating_sub(capacity(health));
    left.max(capacity(health) / 4).clamp(1, CONNECTIONS)
}

impl Inner {
    /// What is known of the regions, in their order.
    fn health(&self) -> Vec<RegionStatus> {
        let monitor = self.monitor.as_deref();
        monitor.map(Monitor::statuses).unwrap_or_default()
    }

    /// The table in force. Blocks on the disk.
    fn issue(&self, placement: &Placement) -> Result<Issued, String> {
        let health = || self.health();
        let deployment = &self.settings.deployment;
        let issued = self.tables.issue(&placement.config, &health, deployment)?;
        let number = issued.epoch.number();
        // Whoever asked earlier may say so later.
        self.issued
            .send_if_modified(|last| *last < number && std::mem::replace(last, number) < number);
        Ok(issued)
    }

    /// Says that a snapshot may be another one by now.
    fn feed_changed(&self) {
        self.feed
            .send_modify(|number| *number = number.wrapping_add(1));
    }

    /// Where a hook runs: a release that is gone on with after a restart has it in the same place.
    fn hook_dir(&self) -> Option<String> {
        self.hook.as_ref()?;
        std::env::current_dir().ok()?.to_str().map(str::to_owned)
    }

    /// The regions that a release can go to: those with an address.
    fn targets(&self) -> Vec<RegionTarget> {
        let Ok(placement) = &self.placement else {
            return Vec::new();
        };
        let topology = &placement.config.topology;
        let targets = placement.config.regions.iter().filter_map(|name| {
            let mut listed = self.settings.region_endpoints.iter();
            let listed = listed.find(|known| known.name == *name);
            let placed = topology.region(name);
            let known = || placed?.health.clone();
            let url = listed.map(|known| known.endpoint.clone()).or_else(known)?;
            let pools = placed.map(|placed| Pools {
                blue: placed.blue.clone(),
                green: placed.green.clone(),
            });
            Some(RegionTarget {
                name: name.to_string(),
                url,
                named: true,
                pools: pools.unwrap_or_default(),
            })
        });
        targets.collect()
    }
}
