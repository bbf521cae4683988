//! What the thousand tenants see of it all, checked against the core.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;

use super::super::Failure;
use super::super::style::{BLUE, DIM, GOOD, GREEN, NAME};
use super::control::ControlPlane;
use super::stage::Stage;
use super::story::{REGIONS, unexpected};
use super::tenants::TENANTS;
use super::traffic::{Seen, Traffic, by_the_core};

/// How long the edge and its tenants may take to follow a table.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// So many tenants of a region are shown by name.
const SHOWN: usize = 3;

/// The tenants, and the control plane whose table the edge goes by.
pub(super) struct Crowd<'a> {
    pub(super) traffic: Traffic,
    pub(super) control: &'a ControlPlane,
}

/// What a step of a release looked like to the tenants.
pub(super) struct Share {
    weight: u8,
    green: usize,
    /// Requests served since the beginning.
    requests: u64,
}

impl Crowd<'_> {
    /// Their ids.
    pub(super) fn tenants(&self) -> &[String] {
        &self.traffic.tenants
    }

    /// The tenants have come, each to its region: where the core puts it, and `halcyon route` too.
    pub(super) async fn arrives(
        &self,
        stage: &mut Stage<'_>,
        routed: &[String],
    ) -> Result<(), Failure> {
        let core = by_the_core(&self.control.table().await?, self.tenants());
        let arrived = self.traffic.until(PATIENCE, |seen| seen.last == core).await;
        let seen = self.traffic.seen();
        arrived.ok_or_else(|| {
            let why = &seen.why;
            unexpected(&format!(
                "the edge does not put tenants where the core does: {why}"
            ))
        })?;
        let regions = seen.last.iter().flatten().map(|last| &last.region);
        if !regions.eq(routed) {
            return Err(unexpected("`halcyon route` says something else"));
        }
        for region in REGIONS {
            let here = seen.of(region);
            let named = self.tenants().iter().zip(routed);
            let named = named.filter(|(_, at)| *at == region).take(SHOWN);
            let named: Vec<&str> = named.map(|(tenant, _)| tenant.as_str()).collect();
            stage.line(&format!(
                "   {NAME}{region:<8}{NAME:#} {BLUE}blue{BLUE:#} {here:>4} tenants  {DIM}{}, …{DIM:#}",
                named.join(", ")
            ));
        }
        let counts = REGIONS.map(|region| (region.to_owned(), seen.of(region).into()));
        let counts: serde_json::Map<_, _> = counts.into_iter().collect();
        stage.fact("placed", counts.into());
        Ok(())
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
            let Ok(table) = self.control.table().await else {
                continue;
            };
            let Some(weight) = table.canary_weight() else {
                continue;
            };
            let known = shares.iter().any(|share| share.weight == weight);
            let seen = self.traffic.seen();
            if !known && seen.last == by_the_core(&table, self.tenants()) {
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
                "   at {weight:>3} %  {GREEN}{green:>4} of {TENANTS} tenants on green{GREEN:#}, {DIM}the very ones that the core names{DIM:#}"
            ));
        }
        stage.line(&format!(
            "   live      {GREEN}{TENANTS} of {TENANTS}{GREEN:#}; {GOOD}0 of {} requests failed{GOOD:#}",
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
    pub(super) async fn is_all_blue(&self) -> Result<(), Failure> {
        let blue = |seen: &Seen| seen.green() == 0;
        let back = self.traffic.until(PATIENCE, blue).await;
        back.map(drop)
            .ok_or_else(|| unexpected("there are tenants on green after the rollback"))
    }
}
