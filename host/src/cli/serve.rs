//! `halcyon serve`: the health server in the foreground.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use halcyon_core::config::{self, LogFormat, Settings, startup_problems};
use halcyon_core::document::Document;
use halcyon_core::readiness::{DependencyCheck, Readiness, redact_problems};
use halcyon_core::text::printable;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::{Exit, Failure, out, telemetry};
use crate::health::{self, Environment, Health};
use crate::net::Client;
use crate::net::server::{Limits, capacity, listen, raise_file_limit};

/// Serves /health, /ready, /__meta and /metrics until SIGTERM or SIGINT.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Port of the health server; 0 takes any free one [env: HEALTH_PORT] [default: 8086]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    health_port: Option<String>,
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
    let client = match Client::new(args.ca_file.as_deref()) {
        Ok(client) => client,
        Err(why) => {
            problems.errors.push(format!("--ca-file: {why}"));
            return Err(Failure::usage(problems.errors));
        }
    };
    if !problems.errors.is_empty() {
        return Err(Failure::usage(problems.errors));
    }
    raise_file_limit();
    let health =
        Health::new(environment.clone(), client).map_err(|why| Failure::usage(why.problems))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(system("the system gives no threads"))?;
    let served = runtime.block_on(async {
        // Before the port is open: whoever sees it answer may send a signal at once.
        let stop = on_signal().map_err(system("the system gives no signals"))?;
        let address = SocketAddr::from((args.bind, settings.health_port));
        let listener = listen(address).map_err(|why| unusable_port(address, &why))?;
        let address = listener
            .local_addr()
            .map_err(system("the listener has no address"))?;
        announce(address, &settings, &environment);
        health::serve(listener, health, Limits::default(), stop).await;
        Ok(())
    });
    // A name that is still being resolved must not hold up the end.
    runtime.shutdown_background();
    served
}

fn with_flags(args: &Args, environment: Environment) -> Environment {
    let Some(port) = args.health_port.clone() else {
        return environment;
    };
    Arc::new(WithPort { port, environment })
}

/// `--health-port` outranks the variable.
struct WithPort {
    port: String,
    environment: Environment,
}

impl config::Environment for WithPort {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HEALTH_PORT" => Some(self.port.clone()),
            _ => self.environment.variable(name),
        }
    }

    fn document(&self, variable: &str, path: &str) -> Result<Document, String> {
        self.environment.document(variable, path)
    }
}

fn unusable_port(address: SocketAddr, why: &io::Error) -> Failure {
    let why = match why.kind() {
        io::ErrorKind::AddrInUse => "it is in use".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 are reserved".into()
        }
        _ => why.to_string(),
    };
    Failure::usage(vec![format!(
        "HEALTH_PORT: cannot listen on {address}: {why}; allowed: a free port, or 0 for any"
    )])
}

/// Says what runs, and what will keep it from being ready.
fn announce(address: SocketAddr, settings: &Settings, environment: &Environment) {
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
    match settings.log_format {
        LogFormat::Text => {
            out::talk(up);
            warnings.for_each(|warning| out::talk(format_args!("warning: {warning}")));
        }
        LogFormat::Json => {
            tracing::info!("{up}");
            warnings.for_each(|warning| tracing::warn!("{warning}"));
        }
    }
}

/// Is ready at the first SIGTERM or SIGINT. The second one ends the process.
fn on_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let first = either(&mut terminate, &mut interrupt).await;
        let _ = tell.send(());
        tracing::info!("signal {first}: draining; the next one ends at once");
        let second = either(&mut terminate, &mut interrupt).await;
        std::process::exit(128 + second);
    });
    Ok(async move {
        let _ = told.await;
    })
}

/// The number of whichever signal comes.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
