//! `halcyon serve`: the health server and the dashboard in the foreground.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use halcyon_core::config::{LogFormat, Problems, Settings, startup_problems};
use halcyon_core::readiness::{DependencyCheck, Readiness, redact_problems};
use halcyon_core::text::printable;
use tokio::net::TcpListener;

use super::serving::{few_files, flagged, on_signal, open, system};
use super::{Exit, Failure, out, telemetry};
use crate::dashboard::Dashboard;
use crate::health::{self, Environment, Health, Own};
use crate::net::Client;
use crate::net::server::{Limits, raise_file_limit};
use crate::signing::TableSigner;
use crate::tokens::TokenFile;

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

/// Runs the server until a signal ends it; a second one ends the process at once with 128 + signal.
pub(super) fn run(args: Args, environment: Environment) -> Result<Exit, Failure> {
    start(&args, environment).map(|()| Exit::Done)
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
    let tokens = TokenFile::of(&*environment);
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
        let tokens = tokens.map_err(|why| problems.errors.extend(why));
        let (Ok(client), Ok(signer), Ok(tokens), Some(health_port), Some(dashboard_port), []) = (
            client,
            signer,
            tokens,
            health_port,
            dashboard_port,
            &problems.errors[..],
        ) else {
            return Err(refused(problems.errors, &environment));
        };
        raise_file_limit();
        let dashboard = Dashboard::new(&environment, signer, tokens, Some(client.clone()));
        let dashboard = dashboard.map_err(|why| refused(why, &environment))?;
        let own = Own {
            journal: Some(dashboard.journal()),
            ..Own::default()
        };
        let health = Health::with(environment.clone(), client, own)
            .map_err(|why| Failure::usage(why.problems))?;
        let watched = dashboard.watched();
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
            watched,
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

/// Without values that nobody shall see: what is wrong with a file, or a hook, names it.
fn refused(errors: Vec<String>, environment: &Environment) -> Failure {
    let problems = Problems {
        errors,
        ..Problems::default()
    };
    Failure::usage(redact_problems(problems, &**environment).errors)
}

fn with_flags(args: &Args, environment: Environment) -> Environment {
    flagged(
        vec![
            ("HEALTH_PORT", args.health_port.clone()),
            ("DASHBOARD_PORT", args.dashboard_port.clone()),
        ],
        environment,
    )
}

/// Says what runs, and what will keep it from being ready.
fn announce(
    address: SocketAddr,
    dashboard: SocketAddr,
    settings: &Settings,
    environment: &Environment,
    watched: usize,
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
    warnings.extend(few_files());
    let warnings = warnings.iter().map(|warning| printable(warning));
    let version = env!("CARGO_PKG_VERSION");
    let up = format!(
        "halcyon {version} health server on {address}, region {}",
        settings.region_name()
    );
    let page = format!("dashboard on http://{dashboard}/");
    let watching = (watched > 0).then(|| format!("watching {watched} regions"));
    match settings.log_format {
        LogFormat::Text => {
            out::talk(up);
            out::talk(page);
            watching.into_iter().for_each(out::talk);
            warnings.for_each(|warning| out::talk(format_args!("warning: {warning}")));
        }
        LogFormat::Json => {
            tracing::info!("{up}");
            tracing::info!("{page}");
            watching.iter().for_each(|line| tracing::info!("{line}"));
            warnings.for_each(|warning| tracing::warn!("{warning}"));
        }
    }
}
