//! `halcyon edge`: the embedded edge in the foreground, and its health server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use halcyon_core::config::{self, EdgeSettings, LogFormat, Problems, Settings, startup_problems};
use halcyon_core::document::Document;
use halcyon_core::readiness::redact_problems;
use halcyon_core::text::printable;
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::serving::{Stop, few_files, flagged, on_signal, open, share, system, unusable_port};
use super::{Exit, Failure, out, telemetry};
use crate::edge::Edge;
use crate::health::{self, Environment, Health, Own};
use crate::net::Client;
use crate::net::server::{Limits, SharedPort, raise_file_limit};

/// Sends each request to its tenant's region, to blue or green, as the routing table says, until SIGTERM or
/// SIGINT. It begins to answer when it has a table.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The routing table: a file, which is watched, or an http(s) address, which is asked [env: EDGE_TABLE]
    #[arg(long, value_name = "FILE|URL")]
    table: Option<String>,
    /// Address to listen on [env: EDGE_BIND] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Port to listen on; 0 takes any free one [env: EDGE_PORT] [default: 8000]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    port: Option<String>,
    /// Where the tenant of a request is: header:NAME, host:.DOMAIN or path:N [env: TENANT_FROM] [default: header:x-tenant]
    #[arg(long, value_name = "FORM")]
    tenant_from: Option<String>,
    /// Port of the health server; 0 takes any free one [env: HEALTH_PORT] [default: 8086]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    health_port: Option<String>,
    /// Address the health server binds
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    health_bind: IpAddr,
    /// Certificate authorities (PEM) to trust towards upstreams and the table's address, besides the public web's
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

/// Runs the edge until a signal ends it; a second one ends the process at once with 128 + signal.
pub(super) fn run(args: &Args, environment: Environment) -> Result<Exit, Failure> {
    let environment = flagged(
        vec![
            ("EDGE_TABLE", args.table.clone()),
            ("EDGE_BIND", args.bind.clone()),
            ("EDGE_PORT", args.port.clone()),
            ("TENANT_FROM", args.tenant_from.clone()),
            ("HEALTH_PORT", args.health_port.clone()),
        ],
        environment,
    );
    let mut problems = startup_problems(&*environment);
    let (settings, _) = Settings::read(&*environment);
    let (edge_settings, found) = EdgeSettings::read(&*environment);
    let known = problems.errors.clone();
    let new = found.errors.into_iter();
    problems
        .errors
        .extend(new.filter(|error| !known.contains(error)));
    problems.warnings.extend(found.warnings);
    if let Err(why) = telemetry::start(settings.log_format, &environment) {
        problems.errors.push(why);
    }
    let at = SocketAddr::from((edge_settings.bind, edge_settings.port));
    let shared = edge_settings.reuse_port;
    // Before it is asked how many connections there may be.
    raise_file_limit();
    let edge = Edge::new(edge_settings, args.ca_file.as_deref());
    let edge = edge.map_err(|why| problems.errors.extend(why));
    // One of them is enough to say what is wrong with the file.
    let client = Client::new(args.ca_file.as_deref());
    let mut problems = redact_problems(problems, &*environment);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(system("the system gives no threads"))?;
    let served = runtime.block_on(async {
        let edge_port = Port::open(at, shared, &mut problems);
        let at = SocketAddr::from((args.health_bind, settings.health_port));
        let health_port = open("HEALTH_PORT", at, &mut problems);
        let (Ok((edge, bringer)), Ok(client), Some(edge_port), Some(health_port), []) =
            (edge, client, edge_port, health_port, &problems.errors[..])
        else {
            return Err(Failure::usage(problems.errors));
        };
        let (asked, counted) = (edge.clone(), edge.clone());
        // Before that, whoever relies on it may end the edge that listens there now.
        let listens = Arc::new(AtomicBool::new(false));
        let begun = listens.clone();
        let missing = move || {
            let begins =
                || (!begun.load(Ordering::SeqCst)).then(|| "it does not listen yet".into());
            asked.missing().or_else(begins)
        };
        let own = Own {
            check: Some(("table", Box::new(missing))),
            journal: None,
            register: Some(Box::new(move |registry| counted.register(registry))),
        };
        let health = Health::with(Arc::new(OfAnEdge(environment)), client, own);
        let health = health.map_err(|why| Failure::usage(why.problems))?;
        // Before anybody is answered: whoever sees that may send a signal at once.
        let stop = on_signal().map_err(system("the system gives no signals"))?;
        // Before anybody is answered: with a table that is here already, nobody hears that there is none.
        bringer.begin();
        let no_address = system("the listener has no address");
        let at = edge_port.local_addr().map_err(&no_address)?;
        let health_at = health_port.local_addr().map_err(&no_address)?;
        announce(at, health_at, settings.log_format, &problems.warnings);
        let drain = Duration::from_millis(settings.drain_ms);
        let waits = stop.clone();
        // What was counted while the last requests ended is told too.
        let (ended, ends) = tokio::sync::oneshot::channel::<()>();
        let ends = async move { drop(ends.await) };
        let bringing = tokio::spawn(bringer.run(ends));
        let serving = async {
            let listener = edge_port.listen(&edge, waits.clone()).await;
            let listener = listener
                .map_err(|why| Failure::usage(vec![unusable_port("EDGE_PORT", at, &why)]))?;
            if let Some(listener) = listener {
                listens.store(true, Ordering::SeqCst);
                edge.serve(listener, waits.wait(), drain).await;
            }
            Ok(())
        };
        let health = async {
            health::serve(health_port, health, Limits::default(), stop.wait()).await;
            Ok(())
        };
        let served = tokio::try_join!(serving, health);
        drop(ended);
        let _ = tokio::time::timeout(LAST_WORDS, bringing).await;
        served.map(|_| Exit::Done)
    });
    // A name that is still being resolved must not hold up the end.
    runtime.shutdown_background();
    served
}

/// What a health server of an edge goes by. Which regions there are and who may release is the control plane's, and
/// variables that it shares with one must not keep it from being ready.
struct OfAnEdge(Environment);

impl config::Environment for OfAnEdge {
    fn variable(&self, name: &str) -> Option<String> {
        let elsewhere = ["FEATURE_BLUE_GREEN", "FEATURE_MULTI_REGION"].contains(&name);
        self.0.variable(name).filter(|_| !elsewhere)
    }

    fn document(&self, variable: &str, path: &str) -> Result<Document, String> {
        self.0.document(variable, path)
    }
}

/// How long an edge that has ended may take to tell what it has counted.
const LAST_WORDS: Duration = Duration::from_millis(1_200);

/// Where the edge listens.
enum Port {
    Own(TcpListener),
    Shared(SharedPort),
}

/// How often an edge that shares its port looks whether it has a table.
const LOOK: Duration = Duration::from_millis(20);

impl Port {
    fn open(at: SocketAddr, shared: bool, problems: &mut Problems) -> Option<Self> {
        match shared {
            true => share("EDGE_PORT", at, problems).map(Self::Shared),
            false => open("EDGE_PORT", at, problems).map(Self::Own),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Own(listener) => listener.local_addr(),
            Self::Shared(port) => port.local_addr(),
        }
    }

    /// The listener. `None` where the end comes first.
    async fn listen(self, edge: &Arc<Edge>, stop: Stop) -> io::Result<Option<TcpListener>> {
        let port = match self {
            Self::Own(listener) => return Ok(Some(listener)),
            Self::Shared(port) => port,
        };
        // It would take connections from another edge that has a table, and answer them that it has none.
        let table = async {
            while edge.missing().is_some() {
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            () = table => port.listen().map(Some),
            () = stop.wait() => Ok(None),
        }
    }
}

/// Says what runs.
fn announce(edge: SocketAddr, health: SocketAddr, format: LogFormat, warnings: &[String]) {
    let version = env!("CARGO_PKG_VERSION");
    let up = format!("halcyon {version} edge on http://{edge}");
    let health = format!("health server on {health}");
    let warnings = warnings.iter().map(|warning| printable(warning));
    let warnings = warnings.chain(few_files());
    match format {
        LogFormat::Text => {
            out::talk(up);
            out::talk(health);
            warnings.for_each(|warning| out::talk(format_args!("warning: {warning}")));
        }
        LogFormat::Json => {
            tracing::info!("{up}");
            tracing::info!("{health}");
            warnings.for_each(|warning| tracing::warn!("{warning}"));
        }
    }
}
