//! One region: a real `halcyon serve` process with a journal of its own, and the application beside it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halcyon_core::endpoint::Endpoint;
use tokio::process::Child;

use super::super::{Exit, Failure};
use super::pools::Pools;
use super::process::{ended, start};
use super::sandbox::Sandbox;
use super::story::REGIONS;
use crate::net::Client;

/// How long a region that comes back tries to get its ports.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running region.
pub(super) struct Region {
    pub(super) name: &'static str,
    /// Where its health server is.
    pub(super) address: SocketAddr,
    pub(super) pools: Pools,
    server: Child,
    ports: [u16; 2],
}

impl Region {
    /// Starts both on free loopback ports.
    pub(super) async fn start(name: &'static str, sandbox: &Sandbox) -> Result<Self, Failure> {
        let pools = Pools::start().map_err(|why| {
            let why = format!("{name}: cannot start its application: {why}");
            Failure::new(Exit::Failed, why)
        })?;
        let (server, [address, dashboard]) = serve(name, [0; 2], sandbox).await?;
        let ports = [address.port(), dashboard.port()];
        Ok(Self {
            name,
            address,
            pools,
            server,
            ports,
        })
    }

    /// Its base URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The region as a topology file has it.
    pub(super) fn topology(&self) -> String {
        let (name, url, pools) = (self.name, self.url(), self.pools.topology());
        format!("[[region]]\nname = \"{name}\"\nhealth = \"{url}\"\n{pools}")
    }

    /// Asks it whether it is ready.
    pub(super) async fn ready(&self) -> Result<(), String> {
        let endpoint = Endpoint::parse(&self.url())?;
        let patience = Duration::from_secs(2);
        let asked = Client::new(None)?;
        let asked = asked.probe_ready(&endpoint, Some(self.name), patience);
        asked.await.map(drop)
    }

    /// The whole region goes away, without a word.
    pub(super) async fn lose(&mut self) {
        let _ = self.server.kill().await;
        self.pools.lose().await;
    }

    /// It comes back on the very same ports. Somebody may have one of them for a moment.
    pub(super) async fn come_back(&mut self, sandbox: &Sandbox) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            match self.try_to_come_back(sandbox).await {
                Err(_) if begin.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                tried => return tried,
            }
        }
    }

    async fn try_to_come_back(&mut self, sandbox: &Sandbox) -> Result<(), Failure> {
        let (server, _) = serve(self.name, self.ports, sandbox).await?;
        self.server = server;
        self.pools.come_back().map_err(|why| {
            let why = format!("{}: its application cannot come back: {why}", self.name);
            Failure::new(Exit::Failed, why)
        })
    }

    /// Asks the server to end, and waits until it has.
    pub(super) async fn stop(mut self) -> bool {
        ended(&mut self.server).await
    }
}

async fn serve(
    name: &str,
    [health, dashboard]: [u16; 2],
    sandbox: &Sandbox,
) -> Result<(Child, [SocketAddr; 2]), Failure> {
    let variables = [
        ("CURRENT_REGION", name.to_owned()),
        ("REGIONS", REGIONS.join(",")),
        ("PRIMARY_REGION", REGIONS[0].to_owned()),
        ("FEATURE_MULTI_REGION", "true".to_owned()),
        ("HALCYON_STORE", format!("file:{name}")),
        ("HEALTH_PORT", health.to_string()),
        ("DASHBOARD_PORT", dashboard.to_string()),
        ("DRAIN_MS", "0".to_owned()),
    ];
    let mut command = sandbox.command(&["serve", "--bind", "127.0.0.1"], &variables)?;
    let said = ["health server on ", "dashboard on http://"];
    start(name, sandbox, &mut command, said).await
}
