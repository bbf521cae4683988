//! One region: a real `halcyon serve` process, and a database it depends on.

use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::super::{Exit, Failure};
use super::process::{ended, start};
use super::{TOPOLOGY, command};

/// A running region.
pub(super) struct Region {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// Where its dashboard is, and the table in force.
    pub(super) dashboard: SocketAddr,
    server: Child,
    database: JoinHandle<()>,
}

impl Region {
    /// Starts the database and the server, on free loopback ports.
    pub(super) async fn start(
        name: &'static str,
        regions: &str,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let failed = |what: &str, why: std::io::Error| {
            Failure::new(Exit::Failed, format!("{name}: {what}: {why}"))
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|why| failed("cannot start its database", why))?;
        let port = listener
            .local_addr()
            .map_err(|why| failed("its database has no address", why))?
            .port();
        let database = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let variables = [
            ("HEALTH_PORT", "0".to_owned()),
            // Three of them on one machine.
            ("DASHBOARD_PORT", "0".to_owned()),
            ("FEATURE_MULTI_REGION", "true".to_owned()),
            ("FEATURE_BLUE_GREEN", "true".to_owned()),
            ("REGIONS", regions.to_owned()),
            ("PRIMARY_REGION", "us-east".to_owned()),
            ("CURRENT_REGION", name.to_owned()),
            ("DEPLOY_RBAC_ROLE", "Deployer".to_owned()),
            (
                "READINESS_CHECKS",
                format!("database=tcp://127.0.0.1:{port}"),
            ),
            ("DRAIN_MS", "100".to_owned()),
            // What its table is made of.
            ("HALCYON_TOPOLOGY", TOPOLOGY.to_owned()),
            ("TENANT_STICKY", "hash".to_owned()),
            ("FAILOVER_POLICY", "round_robin".to_owned()),
        ];
        let mut server = command(&["serve", "--bind", "127.0.0.1"], &variables, directory)?;
        let said = ["health server on ", "dashboard on http://"];
        let (server, [address, dashboard]) = start(name, &mut server, said).await?;
        Ok(Self {
            name,
            address,
            dashboard,
            server,
            database,
        })
    }

    /// Its base URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The database goes away: connections are refused from now on.
    pub(super) fn lose_database(&self) {
        self.database.abort();
    }

    /// The whole region goes away, without a word.
    pub(super) async fn lose(&mut self) {
        let _ = self.server.kill().await;
        self.database.abort();
    }

    /// Asks the server to end, and waits until it has.
    pub(super) async fn stop(mut self) -> bool {
        self.database.abort();
        ended(&mut self.server).await
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.database.abort();
    }
}
