//! What happens in the demo, and in which order. Every sentence it says about an outcome is checked
//! against what the processes did; anything else than the story ends it with exit 1.

use std::path::Path;
use std::time::{Duration, Instant};

use halcyon_core::endpoint::Endpoint;
use halcyon_core::release::Phase;
use serde_json::{Value, json};

use super::super::style::{BLUE, DIM, ERROR, GOOD, GREEN, NAME, WARN};
use super::super::{Exit, Failure, Invocation};
use super::TOPOLOGY;
use super::commands::{capture, release, route, state};
use super::crowd::Crowd;
use super::pools::Pools;
use super::process::Edge;
use super::region::Region;
use super::stage::Stage;
use super::traffic::Traffic;
use crate::journal::Journal;
use crate::net::Client;

/// How long the second release may take to come to the step at which a region fails.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) const REGIONS: &str = "us-east,us-west,eu-west";
pub(super) const TENANTS: [&str; 10] = [
    "acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "soylent", "oscorp",
    "tyrell",
];

/// Plays everything.
pub(super) async fn tell(
    directory: &Path,
    keep: bool,
    invocation: &Invocation,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut stage = Stage::new(invocation);
    stage.line(&format!(
        "{NAME}Halcyon{NAME:#}: three regions, a release that goes well, and one that does not."
    ));
    let mut pools = start_pools(directory)?;
    let mut regions = start_regions(&mut stage, directory).await?;
    let edge = Edge::start(regions[0].dashboard, directory).await?;
    let crowd = Crowd {
        traffic: Traffic::start(edge.address),
        dashboard: regions[0].dashboard,
    };
    let played = play(&mut stage, directory, &mut regions, &mut pools, &crowd).await;
    drop(crowd);
    let mut all_ended = edge.stop().await;
    for region in regions {
        all_ended &= region.stop().await;
    }
    played?;
    if !all_ended {
        return Err(unexpected("a process did not end when it was asked to"));
    }
    let seconds = begin.elapsed().as_secs();
    let files = if keep { "" } else { " and every file removed" };
    stage.line(&format!(
        "\n{GOOD}Done in {seconds} s.{GOOD:#} Every process is ended{files}."
    ));
    stage.line(&format!(
        "{DIM}Next: halcyon --help, docs/, or point --region at your own health endpoints.{DIM:#}"
    ));
    stage.fact("seconds", json!(seconds));
    stage.close()
}

async fn play(
    stage: &mut Stage<'_>,
    directory: &Path,
    regions: &mut [Region],
    pools: &mut [Pools],
    crowd: &Crowd,
) -> Result<(), Failure> {
    let before = place_tenants(stage, directory, regions).await?;
    crowd.arrives(stage).await?;
    good_release(stage, directory, regions, crowd).await?;
    bad_release(stage, directory, regions, crowd).await?;
    lose_a_region(stage, directory, regions, &before, (pools, crowd)).await?;
    verify(stage, directory).await
}

/// The application of each region, and the topology file that says where it is.
fn start_pools(directory: &Path) -> Result<Vec<Pools>, Failure> {
    let pools = REGIONS.split(',').map(Pools::start);
    let pools: Vec<Pools> = pools.collect::<Result<_, _>>()?;
    let topology: String = pools.iter().map(Pools::topology).collect();
    std::fs::write(directory.join(TOPOLOGY), topology)?;
    Ok(pools)
}

async fn start_regions(stage: &mut Stage<'_>, directory: &Path) -> Result<Vec<Region>, Failure> {
    stage.scene("Three regions, each a `halcyon serve` process with a database it depends on");
    let mut regions = Vec::new();
    for name in REGIONS.split(',') {
        regions.push(Region::start(name, REGIONS, directory).await?);
    }
    for region in &regions {
        let ready = ready(region).await;
        let word = match &ready {
            Ok(took) => format!("{GOOD}ready{GOOD:#} {DIM}in {} ms{DIM:#}", took.as_millis()),
            Err(why) => format!("{ERROR}{why}{ERROR:#}"),
        };
        stage.line(&format!(
            "   {NAME}{:<8}{NAME:#} {}/ready  {word}",
            region.name,
            region.url()
        ));
        ready.map_err(|why| unexpected(&format!("{} is not ready: {why}", region.name)))?;
    }
    let urls: Vec<Value> = regions
        .iter()
        .map(|region| json!({ "name": region.name, "url": region.url() }))
        .collect();
    stage.fact("regions", json!(urls));
    Ok(regions)
}

async fn ready(region: &Region) -> Result<Duration, String> {
    let endpoint = Endpoint::parse(&region.url())?;
    Client::new(None)?
        .probe_ready(&endpoint, Some(region.name), Duration::from_secs(2))
        .await
}

/// Where ten tenants go; answers with tenant and region.
async fn place_tenants(
    stage: &mut Stage<'_>,
    directory: &Path,
    regions: &[Region],
) -> Result<Vec<(String, String)>, Failure> {
    stage.scene("Where ten tenants go: by SipHash of their id, the same on every machine");
    stage.typed(&format!(
        "REGIONS={REGIONS} TENANT_STICKY=hash halcyon route {} …",
        TENANTS[..3].join(" ")
    ));
    let placed = route(directory, regions, &[]).await?;
    for name in REGIONS.split(',') {
        let here: Vec<&str> = placed
            .iter()
            .filter(|(_, region)| region == name)
            .map(|(tenant, _)| tenant.as_str())
            .collect();
        stage.line(&format!("   {NAME}{name:<8}{NAME:#} {}", here.join(", ")));
    }
    let explained = capture(&["route", "--explain", TENANTS[0]], directory, regions).await?;
    for step in explained.lines().skip(1) {
        stage.line(&format!("   {DIM}{}{DIM:#}", step.trim()));
    }
    stage.fact("tenants", json!(placed));
    Ok(placed)
}

async fn good_release(
    stage: &mut Stage<'_>,
    directory: &Path,
    regions: &[Region],
    crowd: &Crowd,
) -> Result<(), Failure> {
    stage.scene("A release: app:v2 beside app:v1, step by step, every region probed all the while");
    let release = release(stage, directory, regions, "app:v2", "2,10,25,50,100", "1");
    let (code, shares) = crowd.during(release).await;
    let code = code?;
    expect(code, Exit::Done, "the release of app:v2")?;
    stage.line(&format!(
        "   {GOOD}exit {code}{GOOD:#}: green is live in all three regions."
    ));
    crowd.tell_shares(stage, &shares).await?;
    stage.fact(
        "release_v2",
        json!({ "exit": code, "state": state(directory)?.name() }),
    );
    Ok(())
}

async fn bad_release(
    stage: &mut Stage<'_>,
    directory: &Path,
    regions: &[Region],
    crowd: &Crowd,
) -> Result<(), Failure> {
    stage.scene("Another one: app:v3, and eu-west loses its database while 25 % are on it");
    let sick = &regions[2];
    let trouble = async {
        let mut journal = Journal::open(directory.join("logs"))?;
        while !(journal.release().phase() == Phase::Canary
            && journal.release().weight().percent() == 25)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
            journal.refresh()?;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        sick.lose_database();
        Ok::<(), Failure>(())
    };
    let release = release(stage, directory, regions, "app:v3", "2,10,25,50,100", "2");
    let (code, trouble) = tokio::join!(release, tokio::time::timeout(PATIENCE, trouble));
    let code = code?;
    trouble.map_err(|_| unexpected("the release of app:v3 never came to 25 %"))??;
    expect(code, Exit::RolledBack, "the release of app:v3")?;
    let journal = Journal::open(directory.join("logs"))?;
    let blue = journal
        .release()
        .blue_image()
        .unwrap_or("nothing")
        .to_owned();
    stage.line(&format!("   {WARN}exit {code}{WARN:#}: it came back by itself. {BLUE}{blue}{BLUE:#} serves everybody."));
    if (journal.release().phase(), blue.as_str()) != (Phase::Idle, "app:v2") {
        return Err(unexpected("app:v2 does not serve everybody"));
    }
    crowd.is_all_blue(stage).await?;
    stage.fact(
        "release_v3",
        json!({ "exit": code, "state": journal.release().phase().name(), "blue_image": blue }),
    );
    Ok(())
}

async fn lose_a_region(
    stage: &mut Stage<'_>,
    directory: &Path,
    regions: &mut [Region],
    before: &[(String, String)],
    (pools, crowd): (&mut [Pools], &Crowd),
) -> Result<(), Failure> {
    stage.scene("us-west is lost: its tenants go elsewhere, nobody else moves");
    let was = crowd.traffic.seen();
    pools[1].lose().await;
    regions[1].lose().await;
    crowd.leaves(stage, "us-west", &was).await?;
    let why = match ready(&regions[1]).await {
        Ok(_) => return Err(unexpected("us-west answers though it is gone")),
        Err(why) => why,
    };
    stage.line(&format!("   {NAME}us-west{NAME:#}  {ERROR}{why}{ERROR:#}"));
    stage.typed("halcyon route --down us-west …");
    let after = route(directory, regions, &["us-west"]).await?;
    for ((tenant, was), (_, is)) in before.iter().zip(&after) {
        if was != is {
            stage.line(&format!(
                "   {NAME}{tenant:<10}{NAME:#} {was} → {GREEN}{is}{GREEN:#}"
            ));
        } else if was == "us-west" {
            return Err(unexpected(&format!("{tenant} stayed on us-west")));
        }
        if was != "us-west" && was != is {
            return Err(unexpected(&format!(
                "{tenant} moved from {was}, which is up"
            )));
        }
    }
    let stayed = before
        .iter()
        .zip(&after)
        .filter(|(was, is)| was == is)
        .count();
    stage.line(&format!(
        "   {DIM}{stayed} of {} stay where they are{DIM:#}",
        before.len()
    ));
    stage.fact("tenants_without_us_west", json!(after));
    pools[1].come_back()?;
    crowd.comes_back(stage, "us-west", &was).await
}

async fn verify(stage: &mut Stage<'_>, directory: &Path) -> Result<(), Failure> {
    stage.scene("Every change is on record, in a chain nobody can quietly edit");
    stage.typed("halcyon audit verify");
    let verification = capture(&["audit", "verify", "-o", "json"], directory, &[]).await?;
    let verification: Value = serde_json::from_str(&verification)
        .map_err(|why| unexpected(&format!("audit verify: {why}")))?;
    if verification["valid"] != json!(true) {
        return Err(unexpected(&format!(
            "the audit chain is broken: {}",
            verification["errors"]
        )));
    }
    let head = verification["head"].as_str().unwrap_or("");
    stage.line(&format!(
        "   {GOOD}verified{GOOD:#}: {} records, head {DIM}{head}{DIM:#}",
        verification["records"]
    ));
    stage.fact("audit", verification);
    Ok(())
}

fn expect(code: u8, expected: Exit, what: &str) -> Result<(), Failure> {
    if code == expected.code() {
        return Ok(());
    }
    Err(unexpected(&format!(
        "{what} ended with exit {code}, expected {}",
        expected.code()
    )))
}

pub(super) fn unexpected(what: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the demo did not go as told: {what}"))
}
