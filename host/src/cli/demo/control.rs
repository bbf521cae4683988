//! The control plane: a `halcyon serve` of its own, with its own store, that watches the regions, drives releases
//! and tells the edge.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use axum::http::Method;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::table::Table;
use serde_json::Value;
use tokio::process::Child;

use super::super::{Exit, Failure};
use super::commands::capture;
use super::process::{ended, start};
use super::region::Region;
use super::sandbox::Sandbox;
use super::story::{REGIONS, placement};
use crate::net::Client;
use crate::net::api::{Api, Ask};

/// Its store, in the demo's directory.
pub(super) const STORE: &str = "control";

/// Who releases.
pub(super) const USER: &str = "ann";

/// How the regions are watched: so fast that a failover and a failback are over within seconds.
pub(super) const PROBE_INTERVAL_MS: u64 = 200;
pub(super) const PROBE_FALL: u64 = 3;
pub(super) const FAILBACK_HOLD_MS: u64 = 2_000;

const TOPOLOGY: &str = "topology.toml";
const TOKENS: &str = "tokens.toml";

/// The running control plane, and the tokens it knows.
pub(super) struct ControlPlane {
    server: Child,
    /// Where its API and its dashboard are.
    pub(super) address: SocketAddr,
    api: Api,
    pub(super) edge_token: String,
    deployer_token_file: PathBuf,
    pub(super) admin_token_file: PathBuf,
}

impl ControlPlane {
    /// Makes the tokens, and starts the server for these regions.
    pub(super) async fn start(sandbox: &Sandbox, regions: &[Region]) -> Result<Self, Failure> {
        let topology: String = regions.iter().map(Region::topology).collect();
        std::fs::write(sandbox.path().join(TOPOLOGY), topology)?;
        let (_, deployer_token_file) = token(sandbox, USER, "Deployer").await?;
        let (edge_token, _) = token(sandbox, "edge", "Edge").await?;
        let (_, admin_token_file) = token(sandbox, "olga", "Admin").await?;
        let mut variables = placement();
        variables.extend([
            ("HALCYON_TOPOLOGY", TOPOLOGY.to_owned()),
            ("HALCYON_TOKENS_FILE", TOKENS.to_owned()),
            ("HALCYON_STORE", format!("file:{STORE}")),
            ("FEATURE_MULTI_REGION", "true".to_owned()),
            ("FEATURE_BLUE_GREEN", "true".to_owned()),
            ("DEPLOY_RBAC_ROLE", "Deployer".to_owned()),
            ("PROBE_INTERVAL_MS", PROBE_INTERVAL_MS.to_string()),
            // On a busy machine a late answer is no failure.
            ("PROBE_TIMEOUT_MS", "1000".to_owned()),
            ("PROBE_FALL", PROBE_FALL.to_string()),
            ("FAILBACK_HOLD_MS", FAILBACK_HOLD_MS.to_string()),
            ("HEALTH_PORT", "0".to_owned()),
            ("DASHBOARD_PORT", "0".to_owned()),
            ("DRAIN_MS", "0".to_owned()),
        ]);
        let mut command = sandbox.command(&["serve", "--bind", "127.0.0.1"], &variables)?;
        let said = ["dashboard on http://"];
        let (server, [address]) = start("control-plane", sandbox, &mut command, said).await?;
        let at = Endpoint::parse(&format!("http://{address}")).map_err(|why| failed(&why))?;
        let client = Client::new(None).map_err(|why| failed(&why))?;
        Ok(Self {
            server,
            address,
            api: Api::over(&client, at),
            edge_token,
            deployer_token_file,
            admin_token_file,
        })
    }

    /// Its base URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it has the table in force.
    pub(super) fn table_url(&self) -> String {
        format!("{}/api/v1/table", self.url())
    }

    /// The environment of whoever releases.
    pub(super) fn client_variables(&self) -> Vec<(&'static str, String)> {
        let token = self.deployer_token_file.display().to_string();
        vec![
            ("HALCYON_SERVER", self.url()),
            ("HALCYON_TOKEN_FILE", token),
        ]
    }

    /// The table in force.
    pub(super) async fn table(&self) -> Result<Table, Failure> {
        let text = self.get("/api/v1/table").await?;
        Table::from_json(&text).map_err(|why| failed(&why.to_string()))
    }

    /// What the table in force says of this region.
    pub(super) async fn in_table(&self, region: &str) -> Result<InTable, Failure> {
        let table = self.json("/api/v1/table").await?;
        let found = table["regions"].as_array().into_iter().flatten();
        let mut found = found.filter(|known| known["name"] == region);
        let of = found.next().ok_or_else(|| failed("a region is missing"))?;
        let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
        Ok(InTable {
            status: text("status"),
            green: text("green"),
            epoch: table["epoch"].as_u64().unwrap_or_default(),
        })
    }

    /// How it sees everything.
    pub(super) async fn state(&self) -> Result<Value, Failure> {
        self.json("/api/v1/state").await
    }

    /// The records of its audit log.
    pub(super) async fn records(&self) -> Result<Vec<Value>, Failure> {
        let page = self.json("/api/v1/audit").await?;
        Ok(page["records"].as_array().cloned().unwrap_or_default())
    }

    /// Whether its audit log verifies, by itself.
    pub(super) async fn verified(&self) -> Result<Value, Failure> {
        self.json("/api/v1/audit/verify").await
    }

    /// Why its probes have changed what a region is, the last time that it became this.
    pub(super) async fn why(&self, region: &str, became: &str) -> Result<String, Failure> {
        let page = self.json("/api/v1/region-events").await?;
        let events = page["events"].as_array().into_iter().flatten();
        let mut of = events
            .filter(|event| event["event"] == "health" && event["region"] == region)
            .filter(|event| event["to"] == became);
        let last = of.next_back().and_then(|event| event["reason"].as_str());
        last.map(str::to_owned)
            .ok_or_else(|| failed(&format!("no probe has made {region} {became}")))
    }

    async fn json(&self, path: &str) -> Result<Value, Failure> {
        let text = self.get(path).await?;
        serde_json::from_str(&text).map_err(|why| failed(&why.to_string()))
    }

    async fn get(&self, path: &str) -> Result<String, Failure> {
        let ask = Ask {
            method: Method::GET,
            path,
            key: None,
            body: None,
        };
        let reply = self.api.ask(&ask).await.map_err(|why| failed(&why))?;
        match reply.status {
            200 => Ok(String::from_utf8_lossy(&reply.body).into_owned()),
            status => Err(failed(&format!("{path}: status {status}"))),
        }
    }

    /// Asks it to end, and says whether it did, and well.
    pub(super) async fn stop(mut self) -> bool {
        ended(&mut self.server).await
    }
}

/// A region in the table in force.
pub(super) struct InTable {
    pub(super) status: String,
    /// Where green is, by role.
    pub(super) green: String,
    pub(super) epoch: u64,
}

/// Makes a token; answers with its secret and the file it lies in.
async fn token(sandbox: &Sandbox, user: &str, role: &str) -> Result<(String, PathBuf), Failure> {
    let arguments = ["token", "new", "--user", user, "--role", role];
    let variables = [("HALCYON_TOKENS_FILE", TOKENS.to_owned())];
    let secret = capture(sandbox, &arguments, &variables, "").await?;
    let path = sandbox.path().join(format!("{user}.token"));
    let file = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path);
    file?.write_all(secret.as_bytes())?;
    Ok((secret.trim().to_owned(), path))
}

/// The regions in one line, as `release` is told them.
pub(super) fn region_flags() -> String {
    REGIONS.map(|name| format!("--region {name}")).join(" ")
}

fn failed(why: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the control plane: {why}"))
}
