//! The two releases: one that goes well, and one that does not.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::style::{BLUE, DIM, GOOD, WARN};
use super::super::{Exit, Failure};
use super::commands::{release, status};
use super::crowd::Crowd;
use super::edge::Edge;
use super::region::Region;
use super::sandbox::Sandbox;
use super::stage::Stage;
use super::story::unexpected;
use super::traffic::by_the_core;

/// How long the second release may take to come to the step at which a pool breaks.
const PATIENCE: Duration = Duration::from_secs(60);

/// At this weight.
const BREAKS_AT: u8 = 25;

pub(super) async fn good(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    crowd: &Crowd<'_>,
) -> Result<(), Failure> {
    stage.scene("A release: app:v2 beside app:v1, step by step, every region probed");
    let images = ["--image-blue", "app:v1", "--image-green", "app:v2"];
    let steps = "2,10,25,50,100";
    let release = release(stage, sandbox, crowd.control, &images, steps, "1");
    let (code, shares) = crowd.during(release).await;
    let code = code?;
    expect(code, Exit::Done, "the release of app:v2")?;
    let state = crowd.control.state().await?["release"].clone();
    if (&state["state"], &state["green_image"]) != (&json!("green_live"), &json!("app:v2")) {
        return Err(unexpected("app:v2 is not live"));
    }
    stage.line(&format!(
        "   {GOOD}exit {code}{GOOD:#}: app:v2 is live in all three regions."
    ));
    crowd.tell_shares(stage, &shares).await?;
    stage.typed("halcyon status");
    for line in status(sandbox, crowd.control).await?.lines() {
        stage.line(&format!("   {line}"));
    }
    stage.fact(
        "release_v2",
        json!({ "exit": code, "state": state["state"], "release_id": state["release_id"] }),
    );
    Ok(())
}

pub(super) async fn bad(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    regions: &[Region],
    edge: &Edge,
    crowd: &Crowd<'_>,
) -> Result<(), Failure> {
    stage.scene(&format!(
        "The next one: app:v3, and it breaks in eu-west with {BREAKS_AT} % on it"
    ));
    let sick = &regions[2];
    let failed = crowd.traffic.seen().failed;
    let tried = edge.counts(sick.name).await?.second_tries;
    let images = ["--image-green", "app:v3"];
    let release = release(stage, sandbox, crowd.control, &images, "25,100", "3");
    let trouble = breaks(sick, crowd);
    let (code, broke) = tokio::join!(release, tokio::time::timeout(PATIENCE, trouble));
    let code = code?;
    let late = || {
        unexpected(&format!(
            "the release of app:v3 never came to {BREAKS_AT} %"
        ))
    };
    let broke = broke.map_err(|_| late())??;
    expect(code, Exit::RolledBack, "the release of app:v3")?;
    let records = crowd.control.records().await?;
    let back = records
        .iter()
        .rfind(|record| record["action"] == "rollback_to_blue");
    let back = back.ok_or_else(|| unexpected("no rollback is on record"))?;
    let reason = back["reason"].as_str().unwrap_or_default();
    if !(back["old_weight"] == BREAKS_AT && reason.contains(sick.name)) {
        return Err(unexpected(&format!("app:v3 came back because of {reason}")));
    }
    let state = crowd.control.state().await?["release"].clone();
    if (&state["state"], &state["blue_image"]) != (&json!("idle"), &json!("app:v2")) {
        return Err(unexpected("app:v2 does not serve everybody"));
    }
    crowd.is_all_blue().await?;
    sick.pools.set_broken(&broke.pool, false);
    stage.line(&format!(
        "   {WARN}exit {code}{WARN:#}: it came back by itself, and {BLUE}app:v2{BLUE:#} serves all {} tenants.",
        crowd.tenants().len()
    ));
    let failed = crowd.traffic.seen().failed.saturating_sub(failed);
    let tried = edge.counts(sick.name).await?.second_tries - tried;
    let tenants = broke.tenants;
    let verdict = if failed == 0 { GOOD } else { WARN };
    stage.line(&format!(
        "   In {} app:v3 began to answer 503, with {tenants} tenants on it. {DIM}{tried} requests\n   went on to the next region:{DIM:#} {verdict}{failed} requests failed{verdict:#}.",
        sick.name
    ));
    stage.fact(
        "release_v3",
        json!({
            "exit": code, "state": state["state"], "blue_image": state["blue_image"],
            "release_id": state["release_id"], "reason": reason,
            "second_tries": tried, "failed": failed,
        }),
    );
    Ok(())
}

/// A pool that has broken, and how many tenants were on it.
struct Broke {
    pool: String,
    tenants: usize,
}

/// Waits until every tenant is where that weight puts it, and breaks green in this region.
async fn breaks(sick: &Region, crowd: &Crowd<'_>) -> Result<Broke, Failure> {
    loop {
        let table = crowd.control.table().await?;
        let core = by_the_core(&table, crowd.tenants());
        if table.canary_weight() == Some(BREAKS_AT) && crowd.traffic.seen().last == core {
            let on_it = core.iter().flatten();
            let on_it = on_it.filter(|place| place.green && place.region == sick.name);
            let tenants = on_it.count();
            let pool = crowd.control.in_table(sick.name).await?.green;
            return match sick.pools.set_broken(&pool, true) {
                true => Ok(Broke { pool, tenants }),
                false => Err(unexpected(&format!("{pool} is no pool of {}", sick.name))),
            };
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn expect(code: u8, expected: Exit, what: &str) -> Result<(), Failure> {
    let wanted = expected.code();
    match code == wanted {
        true => Ok(()),
        false => Err(unexpected(&format!(
            "{what} ended with exit {code}, expected {wanted}"
        ))),
    }
}

/// Whose records these are, if they are all of one user.
pub(super) fn only_user(records: &[Value]) -> Option<&str> {
    let first = records.first()?["user"].as_str()?;
    let all = records.iter().all(|record| record["user"] == first);
    all.then_some(first)
}
