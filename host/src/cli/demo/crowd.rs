//! What the thousand tenants see of it all, checked against the core.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::Failure;
use super::super::style::{BLUE, DIM, GOOD, GREEN, NAME};
use super::stage::Stage;
use super::story::unexpected;
use super::traffic::{Seen, TENANTS, Traffic, by_the_core, table};

/// How long the edge and its tenants may take to follow a table.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tenants, and the server whose table they go by.
pub(super) struct Crowd {
    pub(super) traffic: Traffic,
    pub(super) dashboard: SocketAddr,
}

/// What a step of a release looked like to the tenants.
pub(super) struct Share {
    weight: u8,
    green: usize,
    /// Requests served since the beginning.
    requests: u64,
}

impl Crowd {
    /// The tenants have come, each to its region.
    pub(super) async fn arrives(&self, stage: &mut Stage<'_>) -> Result<(), Failure> {
        stage.scene("A thousand tenants ask all the time, through `halcyon edge`, which goes by the server's table");
        stage.typed("EDGE_TABLE=http://…/api/v1/table halcyon edge");
        let core = by_the_core(
            &table(self.dashboard)
                .await
                .map_err(|why| unexpected(&why))?,
        );
        let all = |seen: &Seen| seen.last == core;
        let arrived = self.traffic.until(PATIENCE, all).await;
        let seen = self.traffic.seen();
        arrived.ok_or_else(|| {
            unexpected(&format!(
                "the edge does not put tenants where the core does: {}",
                seen.why
            ))
        })?;
        self.tell(stage, &seen);
        stage.line(&format!(
            "   {DIM}each of them where `halcyon route` says{DIM:#}"
        ));
        Ok(())
    }

    /// Tenants and requests per region and colour.
    fn tell(&self, stage: &mut Stage<'_>, seen: &Seen) {
        for (place, requests) in &seen.requests {
            let here = seen
                .last
                .iter()
                .flatten()
                .filter(|last| *last == place)
                .count();
            let (region, colour) = (&place.region, if place.green { GREEN } else { BLUE });
            let slot = if place.green { "green" } else { "blue" };
            stage.line(&format!(
                "   {NAME}{region:<8}{NAME:#} {colour}{slot:<5}{colour:#} {here:>5} tenants {requests:>7} requests"
            ));
        }
    }

    /// What the tenants see while something goes on: each canary step, as soon as every tenant has been
    /// served where the core puts it by that step's table.
    pub(super) async fn during<T>(&self, what: impl Future<Output = T>) -> (T, Vec<Share>) {
        let mut shares: Vec<Share> = Vec::new();
        let mut what = pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return (done, shares),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            let Ok(table) = table(self.dashboard).await else {
                continue;
            };
            let Some(weight) = table.canary_weight() else {
                continue;
            };
            let known = shares.iter().any(|share| share.weight == weight);
            let seen = self.traffic.seen();
            if !known && seen.last == by_the_core(&table) {
                shares.push(Share {
                    weight,
                    green: seen.green(),
                    requests: seen.served(),
                });
            }
        }
    }

    /// What was seen of each step, and that all are on green now.
    pub(super) async fn tell_shares(
        &self,
        stage: &mut Stage<'_>,
        shares: &[Share],
    ) -> Result<(), Failure> {
        let whole = |seen: &Seen| seen.green() == TENANTS;
        let live = self.traffic.until(PATIENCE, whole).await;
        live.ok_or_else(|| unexpected("not every tenant is on green"))?;
        let seen = self.traffic.seen();
        if seen.failed > 0 {
            let (failed, why) = (seen.failed, &seen.why);
            return Err(unexpected(&format!("{failed} requests failed: {why}")));
        }
        for share in shares {
            let Share { weight, green, .. } = share;
            stage.line(&format!(
                "   at {weight:>3} %: {GREEN}{green:>4} of {TENANTS} tenants on green{GREEN:#}, {DIM}the very ones that the core names{DIM:#}"
            ));
        }
        stage.line(&format!(
            "   live:     {GREEN}{TENANTS} of {TENANTS}{GREEN:#}; {GOOD}0 of {} requests failed{GOOD:#}",
            seen.served()
        ));
        let steps = shares.iter().map(|share| {
            json!({ "weight": share.weight, "tenants_on_green": share.green, "requests": share.requests })
        });
        let steps: Vec<_> = steps.collect();
        stage.fact("traffic", json!({ "tenants": TENANTS, "steps": steps, "requests": seen.served(), "failed": seen.failed }));
        Ok(())
    }

    /// After a rollback nobody is on green.
    pub(super) async fn is_all_blue(&self, stage: &mut Stage<'_>) -> Result<(), Failure> {
        let blue = |seen: &Seen| seen.green() == 0;
        let back = self.traffic.until(PATIENCE, blue).await;
        back.ok_or_else(|| unexpected("there are tenants on green after the rollback"))?;
        stage.line(&format!(
            "   {GOOD}0 of {TENANTS} tenants{GOOD:#} are on green"
        ));
        Ok(())
    }

    /// A region is gone: its tenants are served elsewhere, and nobody else has moved.
    pub(super) async fn leaves(
        &self,
        stage: &mut Stage<'_>,
        region: &str,
        was: &Seen,
    ) -> Result<(), Failure> {
        let of = |seen: &Seen| {
            let here = seen
                .last
                .iter()
                .flatten()
                .filter(|last| last.region == region);
            here.count()
        };
        let tenants = of(was);
        let begin = Instant::now();
        let gone = self.traffic.until(PATIENCE, |seen| of(seen) == 0).await;
        let took =
            gone.ok_or_else(|| unexpected(&format!("tenants stay in {region}, which is gone")))?;
        let seen = self.traffic.seen();
        let moved =
            was.last.iter().zip(&seen.last).filter(|(was, is)| {
                was.as_ref().is_some_and(|was| was.region != region) && was != is
            });
        let moved = moved.count();
        if moved > 0 {
            return Err(unexpected(&format!(
                "{moved} tenants of other regions moved"
            )));
        }
        let failed = seen.failed.saturating_sub(was.failed);
        stage.line(&format!(
            "   the edge: all {tenants} tenants of {region} are served elsewhere {GOOD}within {} ms{GOOD:#}, {failed} requests failed",
            took.as_millis()
        ));
        stage.fact("failover", json!({ "tenants": tenants, "ms": begin.elapsed().as_millis() as u64, "failed": failed }));
        Ok(())
    }

    /// The region is back, and everybody is where they were.
    pub(super) async fn comes_back(
        &self,
        stage: &mut Stage<'_>,
        region: &str,
        was: &Seen,
    ) -> Result<(), Failure> {
        let back = self
            .traffic
            .until(PATIENCE, |seen| seen.last == was.last)
            .await;
        let took =
            back.ok_or_else(|| unexpected(&format!("{region} is back, and its tenants are not")))?;
        stage.line(&format!(
            "   {region} is back: {GOOD}all {TENANTS} are exactly where they were{GOOD:#} {DIM}after {:.1} s{DIM:#}",
            took.as_secs_f64()
        ));
        stage.fact("back_after_ms", json!(took.as_millis() as u64));
        Ok(())
    }
}
