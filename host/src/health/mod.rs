//! The health server: is this process alive, may it get traffic, what is it, how is it doing.
//!
//! As a program it is `halcyon serve`. In another program it is one of two things.
//!
//! # Mounted into an axum application
//!
//! [`router`] gives the paths, [`Health::drain_after`] the shutdown; `examples/axum_app.rs` is a whole
//! application.
//!
//! ```no_run
//! use axum::Router;
//! use halcyon::health::{Health, router};
//!
//! # async fn main_(told_to_end: impl Future<Output = ()> + Send + 'static) -> Result<(), Box<dyn std::error::Error>> {
//! let health = Health::from_env()?;
//! let app = Router::new().merge(router(health.clone())); // beside your own routes
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
//! axum::serve(listener, app).with_graceful_shutdown(health.drain_after(told_to_end)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # On a port and a thread of its own
//!
//! With every limit of `halcyon serve`, in any program, asynchronous or not:
//!
//! ```no_run
//! // On port 8086 of every interface, configured by the environment, until the process ends.
//! let server = halcyon::health::start_health_server(8086)?;
//! println!("http://{}/ready", server.address());
//! // When the program is told to end: /ready says so for DRAIN_MS, then the listener closes.
//! server.shutdown();
//! server.wait();
//! # Ok::<(), halcyon::health::StartError>(())
//! ```

pub(crate) mod answers;
mod dependencies;
mod environment;
mod error;
mod metrics;
mod process;
mod routes;
mod server;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::HeaderValue;
use halcyon_core::config::{Settings, startup_problems};
use halcyon_core::readiness::{DependencyCheck, Readiness, redact_problems};

use crate::net::Client;
use dependencies::Rounds;
use metrics::{Metrics, Register};

pub use environment::{Environment, environment};
pub use error::{ConfigError, StartError};
pub use routes::router;
pub use server::{HealthServer, serve, start_health_server};

/// What the health server answers from: variables, dependencies, and whether it drains.
///
/// Clones are the same one. Nothing is global: a process may have several, each with variables of its
/// own, as tests want it.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    environment: Environment,
    client: Client,
    settings: Settings,
    region: HeaderValue,
    rounds: Rounds,
    metrics: Metrics,
    draining: AtomicBool,
    /// A round of checks for a scraper is under way.
    scraping: AtomicBool,
    connections: Arc<AtomicUsize>,
    own: Option<OwnCheck>,
    journal: Option<JournalLook>,
}

/// Why the journal that the program writes cannot be read or appended to, if it cannot, within a time.
pub(crate) type JournalLook =
    Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync>;

/// What a program knows of itself that keeps it from being ready: a name, and why it is not, if it is not.
type OwnCheck = (&'static str, Box<dyn Fn() -> Option<String> + Send + Sync>);

/// What a program adds of its own.
#[derive(Default)]
pub(crate) struct Own {
    /// What `/ready` shows among the dependencies.
    pub(crate) check: Option<OwnCheck>,
    /// What `/ready` shows as the journal.
    pub(crate) journal: Option<JournalLook>,
    /// Registers more metrics.
    pub(crate) register: Option<Register>,
}

impl Health {
    /// Answers from the variables of the process.
    ///
    /// # Errors
    /// As [`Health::new`], with every problem at once.
    pub fn from_env() -> Result<Self, StartError> {
        let client = Client::new(None).map_err(std::io::Error::other)?;
        Ok(Self::new(environment(), client)?)
    }

    /// Answers from the variables of `environment`, and checks dependencies with `client`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use halcyon::health::Health;
    /// use halcyon::net::Client;
    ///
    /// let variables = |name: &str| (name == "DRAIN_MS").then(|| String::from("soon"));
    /// let problems = Health::new(Arc::new(variables), Client::new(None)?).err().unwrap().problems;
    /// assert_eq!(problems, ["DRAIN_MS: \"soon\" is no number in range; allowed: 0 to 3600000"]);
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// When a variable is malformed or asks for what this version does not have: everything that keeps
    /// `halcyon serve` from starting. Regions, roles and policies do not; `/ready` reports them.
    pub fn new(environment: Environment, client: Client) -> Result<Self, ConfigError> {
        Self::with(environment, client, Own::default())
    }

    /// The same with what the program adds of its own.
    ///
    /// # Errors
    /// As [`Health::new`].
    pub(crate) fn with(
        environment: Environment,
        client: Client,
        own: Own,
    ) -> Result<Self, ConfigError> {
        let problems = redact_problems(startup_problems(&*environment), &*environment);
        if !problems.errors.is_empty() {
            return Err(ConfigError {
                problems: problems.errors,
            });
        }
        let (settings, _) = Settings::read(&*environment);
        let connections = Arc::new(AtomicUsize::new(0));
        // A region's name is printable ASCII, so the fallback is never taken.
        let region = HeaderValue::from_str(settings.region_name());
        Ok(Self(Arc::new(Inner {
            region: region.unwrap_or(HeaderValue::from_static("unknown")),
            metrics: Metrics::new(&settings, connections.clone(), own.register),
            environment,
            client,
            settings,
            rounds: Rounds::default(),
            draining: AtomicBool::new(false),
            scraping: AtomicBool::new(false),
            connections,
            own: own.check,
            journal: own.journal,
        })))
    }

    /// The variables as they were read at the beginning.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Makes `/ready` answer 503 with `"drain":"draining"` from now on.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Waits for `stop`, makes `/ready` answer 503 as [`drain`](Health::drain) does, and is ready after
    /// `DRAIN_MS`: by then whoever balances the load has seen it and sends nothing new.
    ///
    /// For `axum::serve(…).with_graceful_shutdown(…)`, which then closes the listener and answers what is
    /// open. The servers of this module do it by themselves.
    pub async fn drain_after(self, stop: impl Future<Output = ()>) {
        stop.await;
        self.drain();
        tokio::time::sleep(Duration::from_millis(self.settings().drain_ms)).await;
    }

    /// Whether this instance may get traffic. Checks the dependencies, all at once and within
    /// `READINESS_TIMEOUT_MS`; whoever asks while a round of checks is under way shares its result.
    pub async fn readiness(&self) -> Readiness {
        let (now, _) = Settings::read(&*self.0.environment);
        let within = Duration::from_millis(now.readiness_timeout_ms);
        let round = self.0.rounds.join(&self.0.client, now.dependencies, within);
        let look = async {
            match &self.0.journal {
                Some(look) if now.features.blue_green == Some(true) => Some(look(within).await),
                _ => None,
            }
        };
        let (mut found, journal) = tokio::join!(round, look);
        if let Some((name, check)) = &self.0.own {
            let error = check();
            let check = DependencyCheck {
                ok: error.is_none(),
                latency_ms: 0,
                error,
            };
            found.insert((*name).to_owned(), check);
        }
        let draining = self.0.draining.load(Ordering::Relaxed);
        let environment = &*self.0.environment;
        let mut readiness = Readiness::evaluate(environment, found, draining);
        if let Some(why) = journal {
            readiness = readiness.with_journal(why, environment);
        }
        self.0.metrics.record(&readiness);
        readiness
    }

    /// Brings the metrics of readiness up to date, or leaves them as they are where that takes longer
    /// than `at_most`: it then goes on for the next scrape.
    async fn refresh(&self, at_most: Duration) {
        if self.0.scraping.swap(true, Ordering::Relaxed) {
            return;
        }
        let health = self.clone();
        let round = tokio::spawn(async move {
            let _ = health.readiness().await;
            health.0.scraping.store(false, Ordering::Relaxed);
        });
        let _ = tokio::time::timeout(at_most, round).await;
    }
}
