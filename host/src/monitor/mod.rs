//! Watches the regions: asks each of them whether it is ready, all at once and each at its own pace, and says
//! which of them serve. When one does is the core's: [`Fleet`].

mod events;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::config::{RegionConfig, Settings};
use halcyon_core::endpoint::Endpoint;
use halcyon_core::health::{Change, Fleet};
use halcyon_core::placement::RegionStatus;
use halcyon_core::time::Timestamp;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::net::Client;
use events::Events;

/// The regions that are watched, and what is known of them.
pub struct Monitor {
    regions: Vec<Watched>,
    fleet: Mutex<Fleet>,
    /// Its clock never goes back.
    begun: Instant,
    interval: Duration,
    timeout: Duration,
    client: Client,
    events: Events,
}

struct Watched {
    name: String,
    /// `None` where it is not known whom to ask: it counts as up.
    endpoint: Option<Endpoint>,
}

impl Monitor {
    /// One for the regions of a configuration, where `FEATURE_MULTI_REGION` is on and any of them can be asked.
    pub fn new(settings: &Settings, config: &RegionConfig, client: Client) -> Option<Arc<Self>> {
        if !settings.features.multi_region {
            return None;
        }
        let regions = config.regions.iter().map(|name| {
            let mut listed = settings.region_endpoints.iter();
            let listed = listed.find(|known| known.name == *name);
            let listed = listed.map(|known| &known.endpoint);
            let known = || config.topology.region(name)?.health.as_ref();
            Watched {
                name: name.to_string(),
                endpoint: listed.or_else(known).cloned(),
            }
        });
        let regions: Vec<Watched> = regions.collect();
        regions
            .iter()
            .any(|region| region.endpoint.is_some())
            .then(|| {
                Arc::new(Self {
                    fleet: Mutex::new(Fleet::new(settings.health, regions.len())),
                    regions,
                    begun: Instant::now(),
                    interval: Duration::from_millis(settings.probe_interval_ms),
                    timeout: Duration::from_millis(settings.probe_timeout_ms),
                    client,
                    events: Events::of(PathBuf::from(&settings.store_dir)),
                })
            })
    }

    /// How many regions are asked.
    pub fn watched(&self) -> usize {
        let asked = self
            .regions
            .iter()
            .filter(|region| region.endpoint.is_some());
        asked.count()
    }

    /// What each region is to placement, in the order of the configuration.
    pub fn statuses(&self) -> Vec<RegionStatus> {
        self.fleet().statuses()
    }

    /// Probes until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut probing = JoinSet::new();
        for place in 0..self.regions.len() {
            probing.spawn(self.clone().watch(place));
        }
        while probing.join_next().await.is_some() {}
    }

    async fn watch(self: Arc<Self>, place: usize) {
        let region = &self.regions[place];
        let Some(endpoint) = &region.endpoint else {
            return;
        };
        for number in 0_u64.. {
            let begun = Instant::now();
            let asked = self
                .client
                .probe_ready(endpoint, Some(&region.name), self.timeout);
            let outcome = asked.await.map(drop);
            self.record(place, number, outcome);
            // Many monitors, or one's many regions, shall not ask at once.
            let rest = clock::spread(self.interval, 0.1).saturating_sub(begun.elapsed());
            sleep(rest).await;
        }
    }

    fn record(&self, place: usize, number: u64, outcome: Result<(), String>) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut fleet = self.fleet();
        let was_blind = fleet.is_blind();
        let changes = fleet.record(place, number, outcome.is_ok(), Timestamp(now));
        let blind = fleet.is_blind();
        drop(fleet);
        if blind != was_blind {
            match blind {
                true => tracing::warn!(
                    "no region passes its probe: the network here is taken for the reason, and all regions count as up"
                ),
                false => {
                    tracing::warn!("regions pass their probes again, and begin with no failure")
                }
            }
        }
        for change in changes {
            let why = match (&outcome, blind || was_blind) {
                (_, true) => "no region passed its probe".to_owned(),
                (Err(why), false) => why.clone(),
                (Ok(()), false) => "its probes pass".to_owned(),
            };
            self.say(change, &why);
        }
    }

    fn say(&self, change: Change, why: &str) {
        let Some(region) = self.regions.get(change.region) else {
            return;
        };
        let (name, from, to) = (&region.name, change.from.name(), change.to.name());
        tracing::warn!("region {name}: {from} -> {to}: {why}");
        if let Err(why) = self.events.append(name, from, to, why) {
            // The table is more than the record of it.
            tracing::error!("region_events.jsonl cannot be written: {why}");
        }
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
