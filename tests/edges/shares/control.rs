//! The control plane: the release machine of the core, and the tables it comes to.

use halcyon_core::config::{Environment, RegionConfig};
use halcyon_core::document::Document;
use halcyon_core::ledger::Ledger;
use halcyon_core::placement::RegionStatus;
use halcyon_core::release::{Command, Context, Phase};
use halcyon_core::role::Actor;
use halcyon_core::table::{Publisher, TableContent};
use halcyon_core::time::Timestamp;
use serde_json::{Value, json};

use super::traffic::Pool;
use crate::world::{REGIONS, now};

pub(super) struct Control {
    pub(super) pools: Vec<Pool>,
    ledger: Ledger,
    publisher: Publisher,
    health: Vec<RegionStatus>,
    releases: usize,
}

/// A topology and nothing else.
struct Topology(String);

impl Environment for Topology {
    fn variable(&self, name: &str) -> Option<String> {
        let value = match name {
            "HALCYON_TOPOLOGY" => "topology",
            "PRIMARY_REGION" => REGIONS[0],
            "TENANT_STICKY" | "FAILOVER_POLICY" => "rendezvous",
            _ => return None,
        };
        Some(value.into())
    }

    fn document(&self, _: &str, _: &str) -> Result<Document, String> {
        Document::from_json(&self.0)
    }
}

impl Control {
    /// Before the first release, with two pools in each region.
    pub(super) fn start() -> Self {
        let pools = (0..REGIONS.len() * 2).map(Pool::start);
        Self {
            pools: pools.collect(),
            ledger: Ledger::default(),
            publisher: Publisher::default(),
            health: vec![RegionStatus::Up; REGIONS.len()],
            releases: 0,
        }
    }

    /// What a person does.
    pub(super) fn give(&mut self, command: Command) {
        if matches!(command, Command::ProvisionGreen { .. }) {
            self.releases += 1;
        }
        let actor = Actor {
            user: "ci".into(),
            role: "Deployer".into(),
        };
        let id = format!("r{}", self.releases);
        let context = Context {
            actor: &actor,
            kill_switch: false,
            new_release_id: &id,
        };
        let release = self.ledger.release();
        let events = release.decide(&command, &context).unwrap();
        let events = events
            .into_iter()
            .map(|event| (event.clone(), release.release_id_of(&event, &context)))
            .collect();
        self.ledger.write(events, &actor, None, Timestamp(now()));
    }

    pub(super) fn phase(&self) -> Phase {
        self.ledger.release().phase()
    }

    /// This region is down, or none is.
    pub(super) fn lose(&mut self, region: Option<&str>) {
        let status = |name: &&str| match Some(*name) == region {
            true => RegionStatus::Down,
            false => RegionStatus::Up,
        };
        self.health = REGIONS.iter().map(status).collect();
    }

    /// The table of how things stand.
    pub(super) fn table(&mut self) -> Value {
        let regions = REGIONS.iter().zip(self.pools.chunks(2));
        let regions = regions.map(|(name, pools)| {
            json!({"name": name, "blue": pools[0].address(), "green": pools[1].address()})
        });
        let topology = json!({"region": regions.collect::<Vec<_>>()});
        let (config, problems) = RegionConfig::read(&Topology(topology.to_string()));
        assert_eq!(problems.errors, [""; 0]);
        let release = self.ledger.release();
        let content = TableContent::of(&config, release, &self.health, "shop");
        let content = content.valid_until(Timestamp(now() + 3_600_000));
        let published = self.publisher.publish(content, Timestamp(now()));
        serde_json::from_str(&published.unwrap().json).unwrap()
    }
}
