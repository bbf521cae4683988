//! What happens in the demo, and in which order. Every sentence it says about an outcome is checked
//! against what the processes did; anything else than the story ends it with exit 1.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::style::{DIM, GOOD, NAME, WARN};
use super::super::{Exit, Failure};
use super::Args;
use super::commands::{capture, route, verify, verify_typed};
use super::control::{ControlPlane, STORE, USER};
use super::crowd::{Crowd, PATIENCE};
use super::edge::Edge;
use super::hold::hold;
use super::lost::lost_and_back;
use super::region::Region;
use super::releases::{bad, good, only_user};
use super::sandbox::Sandbox;
use super::stage::Stage;
use super::stop::Stop;
use super::tenants::{any_seed, drawn};
use super::traffic::Traffic;

pub(super) const REGIONS: [&str; 3] = ["us-east", "us-west", "eu-west"];

/// Where tenants go: the same for the control plane and for `halcyon route`.
pub(super) fn placement() -> Vec<(&'static str, String)> {
    vec![
        ("REGIONS", REGIONS.join(",")),
        ("PRIMARY_REGION", REGIONS[0].to_owned()),
        ("TENANT_STICKY", "hash".to_owned()),
        ("FAILOVER_POLICY", "round_robin".to_owned()),
    ]
}

/// How it ended.
pub(super) struct Told {
    pub(super) exit: Exit,
    /// The last words.
    pub(super) farewell: String,
}

/// Plays everything, until somebody asks it to stop.
pub(super) async fn tell(
    sandbox: &Sandbox,
    args: &Args,
    stop: &Stop,
    stage: &mut Stage<'_>,
) -> Result<Told, Failure> {
    let begin = Instant::now();
    let played = tokio::select! {
        played = play(sandbox, args, stage) => Some(played?),
        _ = stop.asked() => None,
    };
    let Some(running) = played else {
        let signal = stop.asked().await;
        let farewell = format!("{WARN}Stopped by {}.{WARN:#}", signal.name());
        let exit = Exit::Signalled(signal.exit_code());
        return Ok(Told { exit, farewell });
    };
    let seconds = begin.elapsed().as_secs();
    stage.fact("seconds", json!(seconds));
    let mut farewell = format!("{GOOD}Done in {seconds} s.{GOOD:#}");
    if args.hold {
        let crowd = Crowd {
            traffic: running.traffic,
            control: &running.control,
        };
        farewell = hold(stage, sandbox, &running.edge, &crowd, stop).await;
    }
    let mut all_ended = running.edge.stop().await;
    all_ended &= running.control.stop().await;
    for region in running.regions {
        all_ended &= region.stop().await;
    }
    match all_ended {
        true => Ok(Told {
            exit: Exit::Done,
            farewell,
        }),
        false => Err(unexpected("a process did not end when it was asked to")),
    }
}

/// All that runs.
struct Running {
    traffic: Traffic,
    edge: Edge,
    control: ControlPlane,
    regions: Vec<Region>,
}

async fn play(sandbox: &Sandbox, args: &Args, stage: &mut Stage<'_>) -> Result<Running, Failure> {
    stage.line(&format!(
        "{NAME}Halcyon{NAME:#}: three regions and a control plane, a release that goes well, one\nthat does not, and a region that is lost."
    ));
    let mut regions = start_regions(stage, sandbox).await?;
    let control = start_control_plane(stage, sandbox, &regions).await?;
    let edge = start_edge(stage, sandbox, &control).await?;
    let seed = args.seed.unwrap_or_else(any_seed);
    let crowd = Crowd {
        traffic: Traffic::start(edge.address, drawn(seed)),
        control: &control,
    };
    place_tenants(stage, sandbox, seed, &crowd).await?;
    good(stage, sandbox, &crowd).await?;
    bad(stage, sandbox, &regions, &edge, &crowd).await?;
    lost_and_back(stage, sandbox, &mut regions[1], &edge, &crowd).await?;
    audit(stage, sandbox, &crowd).await?;
    let traffic = crowd.traffic;
    Ok(Running {
        traffic,
        edge,
        control,
        regions,
    })
}

async fn start_regions(stage: &mut Stage<'_>, sandbox: &Sandbox) -> Result<Vec<Region>, Failure> {
    stage.scene("Three regions, each a `halcyon serve` with a store of its own");
    let mut regions = Vec::new();
    for name in REGIONS {
        let region = Region::start(name, sandbox).await?;
        let ready = region.ready().await;
        ready.map_err(|why| unexpected(&format!("{name} is not ready: {why}")))?;
        stage.line(&format!(
            "   {NAME}{name:<8}{NAME:#} {}/ready  {GOOD}ready{GOOD:#}",
            region.url()
        ));
        regions.push(region);
    }
    let urls = regions.iter();
    let urls: Vec<Value> = urls
        .map(|region| json!({ "name": region.name, "url": region.url() }))
        .collect();
    stage.fact("regions", json!(urls));
    Ok(regions)
}

async fn start_control_plane(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    regions: &[Region],
) -> Result<ControlPlane, Failure> {
    stage.scene("A control plane: it watches them, drives releases and issues the table");
    stage.typed("export HALCYON_TOPOLOGY=topology.toml HALCYON_TOKENS_FILE=tokens.toml");
    stage.typed(&format!(
        "halcyon token new --user {USER} --role Deployer > {USER}.token   # Edge, Admin"
    ));
    stage.typed("FEATURE_MULTI_REGION=true FEATURE_BLUE_GREEN=true halcyon serve");
    let control = ControlPlane::start(sandbox, regions).await?;
    let begin = Instant::now();
    loop {
        let state = control.state().await?;
        let seen = state["regions"].as_array().into_iter().flatten();
        let healthy = seen.filter(|region| region["state"] == "healthy").count();
        if healthy == regions.len() {
            break;
        }
        if begin.elapsed() > PATIENCE {
            return Err(unexpected("the control plane does not see every region"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stage.line(&format!(
        "   {NAME}dashboard{NAME:#} {}/  {GOOD}all three are healthy{GOOD:#}",
        control.url()
    ));
    let dashboard = format!("{}/", control.url());
    stage.fact("control_plane", json!({ "dashboard": dashboard }));
    Ok(control)
}

async fn start_edge(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    control: &ControlPlane,
) -> Result<Edge, Failure> {
    stage.scene("An edge that goes by that table, and a thousand tenants who ask all the time");
    stage.typed(&format!(
        "EDGE_TABLE={} TABLE_TOKEN=… halcyon edge",
        control.table_url()
    ));
    Edge::start(sandbox, control).await
}

/// Where the tenants go, and why the first of them does.
async fn place_tenants(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    seed: u64,
    crowd: &Crowd<'_>,
) -> Result<(), Failure> {
    let tenants = crowd.tenants();
    let routed = route(sandbox, tenants, &[]).await?;
    let first: Vec<_> = tenants.iter().zip(&routed).take(10).collect();
    stage.fact("seed", json!(seed));
    stage.fact("tenants", json!(first));
    crowd.arrives(stage, &routed).await?;
    stage.line(&format!(
        "   {DIM}each where `halcyon route` says; --seed {seed} draws the same tenants{DIM:#}"
    ));
    // Its line is the shortest.
    let shortest = tenants.iter().min_by_key(|tenant| tenant.len());
    let explain = [
        "route",
        "--explain",
        shortest.map_or("acme", String::as_str),
    ];
    stage.typed(&format!("halcyon {}", explain.join(" ")));
    let explained = capture(sandbox, &explain, &placement(), "").await?;
    for step in explained.lines().skip(1) {
        stage.quoted(step.trim());
    }
    Ok(())
}

async fn audit(stage: &mut Stage<'_>, sandbox: &Sandbox, crowd: &Crowd<'_>) -> Result<(), Failure> {
    stage.scene("Every change is on record, in a chain nobody can quietly edit");
    stage.typed(&verify_typed());
    let found = verify(sandbox, STORE).await?;
    if found["valid"] != json!(true) {
        let errors = &found["errors"];
        return Err(unexpected(&format!("the audit chain is broken: {errors}")));
    }
    if crowd.control.verified().await?["head"] != found["head"] {
        return Err(unexpected("the control plane has another audit log"));
    }
    let records = crowd.control.records().await?;
    if only_user(&records) != Some(USER) {
        return Err(unexpected("the audit log names somebody else"));
    }
    let head = found["head"].as_str().unwrap_or_default();
    let (seq, hash) = head.split_once(':').unwrap_or_default();
    stage.line(&format!(
        "   {GOOD}verified{GOOD:#}: {seq} records, all of {USER}, as the token says; head {DIM}{seq}:{}…{DIM:#}",
        hash.get(..12).unwrap_or(hash)
    ));
    stage.fact("audit", found);
    Ok(())
}

pub(super) fn unexpected(what: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the demo did not go as told: {what}"))
        .hint("`halcyon demo --keep` keeps what every process says.")
}
