//! A region is lost, and comes back: the control plane's probes find out, and its table moves the tenants.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::Failure;
use super::super::style::{DIM, ERROR, GOOD, GREEN, NAME, WARN};
use super::commands::route;
use super::control::{FAILBACK_HOLD_MS, PROBE_FALL, PROBE_INTERVAL_MS};
use super::crowd::{Crowd, PATIENCE};
use super::edge::{Counts, Edge};
use super::region::Region;
use super::sandbox::Sandbox;
use super::stage::Stage;
use super::story::unexpected;
use super::traffic::{Seen, by_the_core};

/// How often to look: what is measured is that much too long at most.
const LOOK: Duration = Duration::from_millis(5);

/// How long nothing may be sent to the lost region any more before its last request is taken for that.
const QUIET: Duration = Duration::from_millis(400);

/// So many of those who move are shown.
const SHOWN: usize = 3;

/// When what happened, since the region was lost.
struct Failover {
    /// The control plane's table says that it is down.
    table: Duration,
    /// The edge goes by that.
    edge: Duration,
    /// The edge sent the last request there.
    last_sent: Duration,
}

pub(super) async fn lost_and_back(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    region: &mut Region,
    edge: &Edge,
    crowd: &Crowd<'_>,
) -> Result<(), Failure> {
    let name = region.name;
    stage.scene(&format!(
        "{name} is lost: its server is killed, and its application is gone"
    ));
    let was = crowd.traffic.seen();
    let before = edge.counts(name).await?;
    let begin = Instant::now();
    region.lose().await;
    let took = watch(name, begin, before, edge, crowd, &was).await?;
    tell_failover(stage, name, &took, before, edge, crowd, &was).await?;
    explain(stage, sandbox, name, crowd, &was).await?;
    comes_back(stage, sandbox, region, crowd, &was).await
}

/// Waits until the table, the edge and every tenant have left the region.
async fn watch(
    name: &str,
    begin: Instant,
    before: Counts,
    edge: &Edge,
    crowd: &Crowd<'_>,
    was: &Seen,
) -> Result<Failover, Failure> {
    let (mut down, mut held) = (None, None);
    let (mut sent, mut last_sent) = (before.sent, Duration::ZERO);
    loop {
        if down.is_none() {
            let told = crowd.control.in_table(name).await?;
            down = (told.status == "down").then(|| (begin.elapsed(), told.epoch));
        }
        let counts = edge.counts(name).await?;
        let now = begin.elapsed();
        if counts.sent > sent {
            (sent, last_sent) = (counts.sent, now);
        }
        if let Some((_, epoch)) = down
            && counts.epoch >= epoch
        {
            held = held.or(Some(now));
        }
        let seen = crowd.traffic.seen();
        nobody_else_moves(name, was, &seen)?;
        if let (Some((table, _)), Some(edge)) = (down, held)
            && seen.of(name) == 0
            && now.saturating_sub(last_sent.max(edge)) > QUIET
        {
            return Ok(Failover {
                table,
                edge,
                last_sent,
            });
        }
        if now > PATIENCE {
            return Err(unexpected(&format!(
                "tenants stay in {name}, which is gone"
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whoever was in another region is where they were.
fn nobody_else_moves(name: &str, was: &Seen, seen: &Seen) -> Result<(), Failure> {
    let both = was.last.iter().flatten().zip(seen.last.iter().flatten());
    match both
        .filter(|(was, is)| was.region != name && was != is)
        .count()
    {
        0 => Ok(()),
        moved => Err(unexpected(&format!(
            "{moved} tenants of other regions moved"
        ))),
    }
}

async fn tell_failover(
    stage: &mut Stage<'_>,
    name: &str,
    took: &Failover,
    before: Counts,
    edge: &Edge,
    crowd: &Crowd<'_>,
    was: &Seen,
) -> Result<(), Failure> {
    let seen = crowd.traffic.seen();
    // As long as nothing else changes, this is the table that the edge has.
    if seen.last != by_the_core(&crowd.control.table().await?, crowd.tenants()) {
        return Err(unexpected("tenants are not where the table puts them"));
    }
    let why = crowd.control.why(name, "down").await?;
    let (table, held) = (took.table.as_millis(), took.edge.as_millis());
    let last = took.last_sent.as_millis();
    let second = edge.counts(name).await?.second_tries - before.second_tries;
    let failed = seen.failed.saturating_sub(was.failed);
    let (moved, stayed) = (was.of(name), crowd.tenants().len() - was.of(name));
    let verdict = if failed == 0 { GOOD } else { WARN };
    stage.line(&format!(
        "   {NAME}control plane{NAME:#}  its probes take it out of the table {GOOD}after {table} ms{GOOD:#}\n                  {DIM}(one each {PROBE_INTERVAL_MS} ms, {PROBE_FALL} failures in a row)\n                  {DIM:#}{ERROR}{why}{ERROR:#}"
    ));
    stage.line(&format!(
        "   {NAME}edge{NAME:#}           goes by that table {GOOD}after {held} ms{GOOD:#}; the last request there\n                  was sent {GOOD}after {last} ms{GOOD:#}{DIM}{}{DIM:#}",
        // It need not wait for the table.
        if last < table { ", when its own tries had failed" } else { "" }
    ));
    stage.line(&format!(
        "   {NAME}tenants{NAME:#}        all {moved} of {name} are elsewhere, {GOOD}none of the other {stayed} moved{GOOD:#}\n                  {verdict}{failed} of {} requests failed{verdict:#}, {DIM}{second} took a second try{DIM:#}",
        seen.served() + seen.failed - was.served() - was.failed
    ));
    stage.fact(
        "failover",
        json!({
            "region": name, "reason": why, "tenants": moved, "table_changed_ms": table as u64,
            "edge_has_table_ms": held as u64, "last_request_ms": last as u64,
            "second_tries": second, "failed": failed,
        }),
    );
    Ok(())
}

/// `halcyon route` knows it beforehand.
async fn explain(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    name: &str,
    crowd: &Crowd<'_>,
    was: &Seen,
) -> Result<(), Failure> {
    stage.typed(&format!("halcyon route --down {name} …"));
    let routed = route(sandbox, crowd.tenants(), &[name]).await?;
    let seen = crowd.traffic.seen();
    let served = seen.last.iter().flatten().map(|last| &last.region);
    if !served.eq(&routed) {
        return Err(unexpected("`halcyon route --down` says something else"));
    }
    let moved = crowd.tenants().iter().zip(&was.last).zip(&routed);
    let moved = moved.filter(|((_, was), _)| was.as_ref().is_some_and(|was| was.region == name));
    for ((tenant, _), to) in moved.take(SHOWN) {
        stage.line(&format!(
            "   {NAME}{tenant:<13}{NAME:#}  {name} → {GREEN}{to}{GREEN:#}"
        ));
    }
    let more = was.of(name).saturating_sub(SHOWN);
    stage.line(&format!(
        "   {DIM}and {more} more, each where it says{DIM:#}"
    ));
    Ok(())
}

async fn comes_back(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    region: &mut Region,
    crowd: &Crowd<'_>,
    was: &Seen,
) -> Result<(), Failure> {
    let name = region.name;
    let begin = Instant::now();
    region.come_back(sandbox).await?;
    let ready = region.ready().await;
    ready.map_err(|why| unexpected(&format!("{name} is not ready again: {why}")))?;
    stage.line(&format!(
        "   {NAME}{name:<13}{NAME:#}  is started again on the same ports, {} as before",
        region.address
    ));
    let mut up = None;
    loop {
        if up.is_none() && crowd.control.in_table(name).await?.status == "up" {
            up = Some(begin.elapsed());
        }
        let seen = crowd.traffic.seen();
        nobody_else_moves(name, was, &seen)?;
        let now = begin.elapsed();
        if let Some(table) = up
            && seen.last == was.last
        {
            return tell_failback(stage, name, table, now, was);
        }
        if up.is_none() && seen.of(name) > 0 {
            return Err(unexpected(&format!(
                "{name} serves before the table says so"
            )));
        }
        if now > PATIENCE {
            let why = format!("{name} is back, and its tenants are not");
            return Err(unexpected(&why));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn tell_failback(
    stage: &mut Stage<'_>,
    name: &str,
    table: Duration,
    tenants: Duration,
    was: &Seen,
) -> Result<(), Failure> {
    let hold = Duration::from_millis(FAILBACK_HOLD_MS);
    if table < hold {
        return Err(unexpected(&format!("{name} was not held back")));
    }
    stage.line(&format!(
        "   {NAME}control plane{NAME:#}  takes it back {GOOD}after {:.1} s{GOOD:#} {DIM}(FAILBACK_HOLD_MS={FAILBACK_HOLD_MS}){DIM:#}",
        table.as_secs_f64()
    ));
    stage.line(&format!(
        "   {NAME}tenants{NAME:#}        {GOOD}the same {} return after {:.1} s{GOOD:#}, nobody else moves",
        was.of(name),
        tenants.as_secs_f64()
    ));
    stage.fact(
        "failback",
        json!({ "region": name, "tenants": was.of(name), "table_changed_ms": table.as_millis() as u64, "all_back_ms": tenants.as_millis() as u64 }),
    );
    Ok(())
}
