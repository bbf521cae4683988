//! The edge: a real `halcyon edge` process, which gets its table from the control plane.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::http::Method;
use halcyon_core::endpoint::Endpoint;
use tokio::process::Child;

use super::super::{Exit, Failure};
use super::control::ControlPlane;
use super::process::{ended, start};
use super::sandbox::Sandbox;
use crate::net::Client;
use crate::net::api::{Api, Ask};

/// How long it may take to have its table.
const PATIENCE: Duration = Duration::from_secs(10);

/// The running edge.
pub(super) struct Edge {
    server: Child,
    pub(super) address: SocketAddr,
    health: Api,
}

/// What it counts.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    /// Requests it has sent to the region that was asked about, with or without an answer.
    pub(super) sent: u64,
    /// Requests it has sent to a second region, of all.
    pub(super) second_tries: u64,
    /// The epoch of the table it goes by.
    pub(super) epoch: u64,
}

impl Edge {
    /// Starts one that shows its token to the control plane, and waits until it has a table.
    pub(super) async fn start(sandbox: &Sandbox, control: &ControlPlane) -> Result<Self, Failure> {
        let variables = [
            ("EDGE_TABLE", control.table_url()),
            ("TABLE_TOKEN", control.edge_token.clone()),
            ("TABLE_REFRESH_MS", "100".to_owned()),
            // So that whoever looks at the dashboard sees soon what tenants get.
            ("EDGE_TELEMETRY_MS", "1000".to_owned()),
            ("EDGE_PORT", "0".to_owned()),
            ("HEALTH_PORT", "0".to_owned()),
            ("DRAIN_MS", "0".to_owned()),
        ];
        let arguments = ["edge", "--health-bind", "127.0.0.1"];
        let mut command = sandbox.command(&arguments, &variables)?;
        let said = ["edge on http://", "health server on "];
        let (server, [address, health]) = start("edge", sandbox, &mut command, said).await?;
        let at = Endpoint::parse(&format!("http://{health}")).map_err(|why| failed(&why))?;
        let client = Client::new(None).map_err(|why| failed(&why))?;
        is_ready(&client, &at).await?;
        let health = Api::over(&client, at);
        Ok(Self {
            server,
            address,
            health,
        })
    }

    /// What it has counted so far, by its own `/metrics`.
    pub(super) async fn counts(&self, region: &str) -> Result<Counts, Failure> {
        let ask = Ask {
            method: Method::GET,
            path: "/metrics",
            key: None,
            body: None,
        };
        let reply = self.health.ask(&ask).await.map_err(|why| failed(&why))?;
        Ok(counted(&String::from_utf8_lossy(&reply.body), region))
    }

    /// Asks it to end, and says whether it did, and well.
    pub(super) async fn stop(mut self) -> bool {
        ended(&mut self.server).await
    }
}

fn counted(metrics: &str, region: &str) -> Counts {
    let label = format!("region=\"{region}\"");
    let mut counts = Counts::default();
    for line in metrics.lines() {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let value = value.parse().unwrap_or_default();
        match series.split('{').next() {
            Some("halcyon_edge_upstream_requests_total") if series.contains(&label) => {
                counts.sent += value;
            }
            Some("halcyon_edge_second_tries_total") => counts.second_tries = value,
            Some("halcyon_edge_table_epoch") => counts.epoch = value,
            _ => {}
        }
    }
    counts
}

/// Waits until the edge has its table.
async fn is_ready(client: &Client, at: &Endpoint) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        match client.probe_ready(at, None, Duration::from_secs(1)).await {
            Ok(_) => return Ok(()),
            Err(why) if begin.elapsed() > PATIENCE => return Err(failed(&why)),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn failed(why: &str) -> Failure {
    Failure::new(Exit::Failed, format!("halcyon edge: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_region_are_counted_over_both_colours_and_all_answers() {
        let metrics = "# TYPE halcyon_edge_upstream_requests counter\n\
            halcyon_edge_upstream_requests_total{region=\"us-west\",slot=\"blue\",code=\"2xx\"} 40\n\
            halcyon_edge_upstream_requests_total{region=\"us-west\",slot=\"green\",code=\"none\"} 2\n\
            halcyon_edge_upstream_requests_total{region=\"us-east\",slot=\"blue\",code=\"2xx\"} 9\n\
            halcyon_edge_second_tries_total 5\n\
            halcyon_edge_table_epoch 1790000000000\n# EOF\n";
        let counts = counted(metrics, "us-west");
        assert_eq!(
            (counts.sent, counts.second_tries, counts.epoch),
            (42, 5, 1_790_000_000_000)
        );
    }
}
