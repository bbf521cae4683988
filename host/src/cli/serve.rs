//! `halcyon serve`: the health server and the dashboard in the foreground.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use halcyon_core::config::{self, LogFormat, Problems, Settings, startup_problems};
use halcyon_core::document::Document;
use halcyon_core::readiness::{DependencyCheck, Readiness, redact_problems};
use halcyon_core::text::printable;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{Exit, Failure, out, telemetry};
use crate::dashboard::Dashboard;
use crate::health::{self, Environment, Health};
use crate::net::Client;
use crate::net::server::{Limits, capacity, listen, raise_file_limit};
use crate::signing::TableSigner;

/// Serves /health, /ready, /__meta and /metrics, and on another port the dashboard, until SIGTERM or SIGINT.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Port of the health server; 0 takes any free one [env: HEALTH_PORT] [default: 8086]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    health_port: Option<String>,
    /// Port of the dashboard; 0 takes any free one [env: DASHBOARD_PORT] [default: 8080]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    dashboard_port: Option<String>,
    /// Address the health server binds
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    bind: IpAddr,
    /// Certificate authorities (PEM) to trust for https readiness checks, besides the public web's
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

/// As many connections as every server should be able to have open.
const CONNECTIONS: usize = 10_000;

/// Runs the server until a signal ends it; a second one ends the process at once with 128 + signal.
pub(super) fn run(args: Args, environment: Environment) -> Result<Exit, Failure> {
    start(&args, environment).map(|()| Exit::Done)
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |why| Failure::new(Exit::Failed, format!("{what}: {why}"))
}

fn start(args: &Args, environment: Environment) -> Result<(), Failure> {
    let environment = with_flags(args, environment);
    let mut problems = startup_problems(&*environment);
    let (settings, _) = Settings::read(&*environment);
    if let Err(why) = telemetry::start(settings.log_format, &environment) {
        problems.errors.push(why);
    }
    let mut problems = redact_problems(problems, &*environment);
    let client = Client::new(args.ca_file.as_deref());
    let signer = TableSigner::of(&*environment);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(system("the system gives no threads"))?;
    let served = runtime.block_on(async {
        let dashboard = &settings.dashboard;
        let ports = [
            (
                "HEALTH_PORT",
                SocketAddr::from((args.bind, settings.health_port)),
            ),
            (
                "DASHBOARD_PORT",
                SocketAddr::from((dashboard.bind, dashboard.port)),
            ),
        ];
        let [health_port, dashboard_port] =
            ports.map(|(name, address)| open(name, address, &mut problems));
        let client = client.map_err(|why| problems.errors.push(format!("--ca-file: {why}")));
        let signer = signer.map_err(|why| problems.errors.push(why));
        let (Ok(client), Ok(signer), Some(health_port), Some(dashboard_port), []) = (
            client,
            signer,
            health_port,
            dashboard_port,
            &problems.errors[..],
        ) else {
            return Err(Failure::usage(problems.errors));
        };
        raise_file_limit();
        let health =
            Health::new(environment.clone(), client).map_err(|why| Failure::usage(why.problems))?;
        let dashboard = Dashboard::new(&environment, signer);
        // Before anybody is answered: whoever sees that may send a signal at once.
        let stop = on_signal().map_err(system("the system gives no signals"))?;
        let address = |listener: &TcpListener| {
            let address = listener.local_addr();
            address.map_err(system("the listener has no address"))
        };
        announce(
            address(&health_port)?,
            address(&dashboard_port)?,
            &settings,
            &environment,
        );
        tokio::join!(
            health::serve(health_port, health, Limits::default(), stop.clone().wait()),
            dashboard.serve(dashboard_port, stop.wait()),
        );
        Ok(())
    });
    // A name that is still being resolved must not hold up the end.
    runtime.shutdown_background();
    served
}

/// A listener, or a problem more. Where the port is none, there is nothing to try.
fn open(name: &str, address: SocketAddr, problems: &mut Problems) -> Option<TcpListener> {
    if problems.about(name) {
        return None;
    }
    match listen(address) {
        Ok(listener) => Some(listener),
        Err(why) => {
            problems.errors.push(unusable_port(name, address, &why));
            None
        }
    }
}

fn with_flags(args: &Args, environment: Environment) -> Environment {
    let ports = [
        ("HEALTH_PORT", args.health_port.clone()),
        ("DASHBOARD_PORT", args.dashboard_port.clone()),
    ];
    Arc::new(WithPorts { ports, environment })
}

/// `--health-port` and `--dashboard-port` outrank the variables.
struct WithPorts {
    ports: [(&'static str, Option<String>); 2],
    environment: Environment,
}

impl config::Environment for WithPorts {
    fn variable(&self, name: &str) -> Option<String> {
        let mut flags = self.ports.iter();
        match flags.find(|(known, _)| *known == name) {
            Some((_, Some(port))) => Some(port.clone()),
            _ => self.environment.variable(name),
        }
    }

    fn document(&self, variable: &str, path: &str) -> Result<Document, String> {
        self.environment.document(variable, path)
    }
}

fn unusable_port(name: &str, address: SocketAddr, why: &io::Error) -> String {
    let why = match why.kind() {
        io::ErrorKind::AddrInUse => "it is in use".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 are reserved".into()
        }
        _ => why.to_string(),
    };
    format!("{name}: cannot listen on {address}: {why}; allowed: a free port, or 0 for any")
}

/// Says what runs, and what will keep it from being ready.
fn announce(
    address: SocketAddr,
    dashboard: SocketAddr,
    settings: &Settings,
    environment: &Environment,
) {
    let up = settings.dependencies.iter().map(|dependency| {
        (
            dependency.name.clone(),
            DependencyCheck {
                ok: true,
                latency_ms: 0,
                error: None,
            },
        )
    });
    // What it says comes without the values that /ready does not show either.
    let readiness = Readiness::evaluate(&**environment, up.collect::<BTreeMap<_, _>>(), false);
    let mut warnings = readiness.checks.warnings.clone();
    for (check, why) in readiness.checks.blockers() {
        warnings.push(format!("not ready: {check}: {why}"));
    }
    let most = capacity(&Limits::default());
    if most < CONNECTIONS {
        warnings.push(format!(
            "only {most} connections can be open at once, as the system allows this process few files; {CONNECTIONS} need a limit (ulimit -n) of {}",
            CONNECTIONS + 128
        ));
    }
    let warnings = warnings.iter().map(|warning| printable(warning));
    let version = env!("CARGO_PKG_VERSION");
    let up = format!(
        "halcyon {version} health server on {address}, region {}",
        settings.region_name()
    );
    let page = format!("dashboard on http://{dashboard}/");
    match settings.log_format {
        LogFormat::Text => {
            out::talk(up);
            out::talk(page);
            warnings.for_each(|warning| out::talk(format_args!("warning: {warning}")));
        }
        LogFormat::Json => {
            tracing::info!("{up}");
            tracing::info!("{page}");
            warnings.for_each(|warning| tracing::warn!("{warning}"));
        }
    }
}

/// The first SIGTERM or SIGINT, for whoever waits for it.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    async fn wait(mut self) {
        // Whoever tells is never dropped before.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// The second signal ends the process.
fn on_signal() -> io::Result<Stop> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        let first = either(&mut terminate, &mut interrupt).await;
        let _ = tell.send(true);
        tracing::info!("signal {first}: draining; the next one ends at once");
        let second = either(&mut terminate, &mut interrupt).await;
        std::process::exit(128 + second);
    });
    Ok(Stop(told))
}

/// The number of whichever signal comes.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
