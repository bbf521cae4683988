//! What regions are: what probes say of them, and what people do. Each region is asked whether it is ready, all
//! at once and each at its own pace; when it serves is the core's: [`Fleet`].

mod events;
mod history;
mod metrics;
mod overrides;
mod words;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::config::{RegionConfig, Settings};
use halcyon_core::endpoint::Endpoint;
use halcyon_core::health::{Change, Condition, Fleet};
use halcyon_core::placement::RegionStatus;
use halcyon_core::text::printable;
use halcyon_core::time::Timestamp;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::net::Client;
use events::{Event, Events, Kind};
use history::History;
use metrics::Metrics;
use overrides::{Kept, Said};

pub use history::{Lately, Probe};
pub(crate) use overrides::forced;
pub use overrides::{Freeze, Override, OverrideState};
pub use words::{Refused, Speaker, Wish};

/// The regions, and what is known of them.
pub struct Monitor {
    regions: Vec<Watched>,
    known: Mutex<Known>,
    /// Its clock never goes back.
    begun: Instant,
    interval: Duration,
    timeout: Duration,
    client: Option<Client>,
    kept: Kept,
    events: Events,
    /// One person after the other: what is said is on disk before it holds.
    speaking: Mutex<()>,
    metrics: Metrics,
    /// Counts what anybody might want to know.
    changes: watch::Sender<u64>,
}

struct Known {
    fleet: Fleet,
    said: Said,
    /// What each region has been, in the order of the configuration.
    past: Vec<History>,
    /// What has changed by this server's beginning, until it is at work.
    unsaid: Vec<Event>,
}

struct Watched {
    name: String,
    /// `None` where nobody asks it: it counts as up.
    endpoint: Option<Endpoint>,
}

/// A region as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionNow {
    /// What it is to placement.
    pub status: RegionStatus,
    /// How it is, for people; `None` where nobody asks it.
    pub condition: Option<Condition>,
    /// How it is by its probes alone.
    pub probed: Option<Condition>,
    /// A person's word on it.
    pub said: Option<Override>,
}

impl Monitor {
    /// One for the regions of a configuration. They are asked where `FEATURE_MULTI_REGION` is on, by `client`, if
    /// it is known whom to ask.
    ///
    /// # Errors
    /// When what people have said before cannot be read.
    pub fn new(
        settings: &Settings,
        config: &RegionConfig,
        client: Option<Client>,
    ) -> Result<Arc<Self>, String> {
        let asks = settings.features.multi_region && client.is_some();
        let regions = config.regions.iter().map(|name| {
            let mut listed = settings.region_endpoints.iter();
            let listed = listed.find(|known| known.name == *name);
            let listed = listed.map(|known| &known.endpoint);
            let known = || config.topology.region(name)?.health.as_ref();
            Watched {
                name: name.to_string(),
                endpoint: listed.or_else(known).filter(|_| asks).cloned(),
            }
        });
        let regions: Vec<Watched> = regions.collect();
        let dir = PathBuf::from(&settings.store_dir);
        let kept = Kept::of(&dir);
        let mut known = Known {
            fleet: Fleet::new(settings.health, regions.len()),
            said: Said::default(),
            past: vec![History::default(); regions.len()],
            unsaid: Vec::new(),
        };
        known.take_up(kept.read()?, &regions);
        let changes = watch::Sender::new(0);
        let telling = changes.clone();
        let tell = move || telling.send_modify(|number: &mut u64| *number = number.wrapping_add(1));
        let events = Events::of(dir, tell);
        known.remember(&events, &regions);
        Ok(Arc::new(Self {
            known: Mutex::new(known),
            regions,
            begun: Instant::now(),
            interval: Duration::from_millis(settings.probe_interval_ms),
            timeout: Duration::from_millis(settings.probe_timeout_ms),
            client: client.map(|client| client.guarded(settings.probe_networks.clone())),
            kept,
            events,
            speaking: Mutex::default(),
            metrics: Metrics::default(),
            changes,
        }))
    }

    /// How many regions are asked.
    pub fn watched(&self) -> usize {
        let asked = self.regions.iter();
        asked.filter(|region| region.endpoint.is_some()).count()
    }

    /// What each region is to placement, in the order of the configuration.
    pub fn statuses(&self) -> Vec<RegionStatus> {
        self.known().fleet.statuses()
    }

    /// Each region as it is now, in the order of the configuration.
    pub fn regions(&self) -> Vec<RegionNow> {
        let known = self.known();
        let statuses = known.fleet.statuses().into_iter().enumerate();
        let now = statuses
            .zip(&self.regions)
            .map(|((place, status), region)| {
                let asked = region.endpoint.is_some();
                let said = known.said.overrides.get(&region.name).cloned();
                RegionNow {
                    status,
                    condition: known
                        .fleet
                        .condition(place)
                        .filter(|_| asked || said.is_some()),
                    probed: known.fleet.real_condition(place).filter(|_| asked),
                    said,
                }
            });
        now.collect()
    }

    /// What each region has been lately, in the order of the configuration.
    pub fn lately(&self) -> Vec<Lately> {
        let (known, now) = (self.known(), clock::now());
        let all = self.regions.iter().zip(&known.past);
        all.map(|(region, past)| past.lately(&region.name, now))
            .collect()
    }

    /// How often each region is asked.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether no region passes its probe, so that all count as up.
    pub fn is_blind(&self) -> bool {
        self.known().fleet.is_blind()
    }

    /// Whose word stops all automatic change, while it does.
    pub fn freeze(&self) -> Option<Freeze> {
        self.known().said.freeze.clone()
    }

    /// Adds its metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Tells of every change of any of that.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How many events there have been.
    ///
    /// # Errors
    /// When the file of them cannot be read.
    pub fn event_count(&self) -> std::io::Result<u64> {
        self.events.count()
    }

    /// At most so many events behind the first `after`, each a JSON object.
    ///
    /// # Errors
    /// When the file of them cannot be read.
    pub fn events(&self, after: u64, most: usize) -> std::io::Result<Vec<String>> {
        self.events.lines(after, most)
    }

    /// Probes, and ends what was said for a time, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let unsaid = std::mem::take(&mut self.known().unsaid);
        unsaid.into_iter().for_each(|event| self.put(event));
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().expire());
        if let Some(client) = &self.client {
            for place in 0..self.regions.len() {
                tasks.spawn(self.clone().watch(place, client.clone()));
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn watch(self: Arc<Self>, place: usize, client: Client) {
        let region = &self.regions[place];
        let Some(endpoint) = &region.endpoint else {
            return;
        };
        for number in 0_u64.. {
            let begun = Instant::now();
            let asked = client.probe_ready(endpoint, Some(&region.name), self.timeout);
            let outcome = asked.await.map(drop);
            let took = begun.elapsed();
            self.metrics.probed(&region.name, outcome.is_ok(), took);
            let probe = Probe::of(&outcome, took, clock::now());
            self.record(place, number, outcome, probe);
            // Many monitors, or one's many regions, shall not ask at once.
            let rest = clock::spread(self.interval, 0.1).saturating_sub(begun.elapsed());
            sleep(rest).await;
        }
    }

    fn record(&self, place: usize, number: u64, outcome: Result<(), String>, probe: Probe) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut known = self.known();
        if let Some(past) = known.past.get_mut(place) {
            past.probed(probe);
        }
        let fleet = &mut known.fleet;
        let (was_blind, was) = (fleet.is_blind(), fleet.real_condition(place));
        let changes = fleet.record(place, number, outcome.is_ok(), Timestamp(now));
        let blind = fleet.is_blind();
        let moved = was != fleet.real_condition(place) || blind != was_blind || !changes.is_empty();
        known.note();
        // While nobody else can change anything, so that what is on record is in the order in which it held.
        for change in changes {
            let why = match (&outcome, blind || was_blind) {
                (_, true) => "no region passed its probe",
                (Err(why), false) => why,
                (Ok(()), false) => "its probes pass",
            };
            self.say(change, why);
        }
        drop(known);
        if blind != was_blind {
            match blind {
                true => tracing::warn!(
                    "no region passes its probe: the network here is taken for the reason, and all regions count as up; the last probe said: {}",
                    outcome.as_ref().err().map_or("nothing", String::as_str)
                ),
                false => {
                    tracing::warn!("regions pass their probes again, and begin with no failure")
                }
            }
        }
        if moved {
            self.tell();
        }
    }

    /// Puts on record what probes, or people on their way, have changed.
    fn say(&self, change: Change, why: &str) {
        let Some(region) = self.regions.get(change.region) else {
            return;
        };
        self.metrics.changed(&region.name);
        self.put(Event {
            event: Kind::Health,
            region: Some(region.name.clone()),
            from: Some(change.from.name()),
            to: Some(change.to.name()),
            reason: why.to_owned(),
            user: None,
        });
    }

    /// Puts an event on record, in its turn.
    fn put(&self, event: Event) {
        let by = event
            .user
            .as_deref()
            .map_or(String::new(), |user| format!(" by {}", printable(user)));
        let why = printable(&event.reason);
        match (&event.region, event.from, event.to) {
            (Some(name), Some(from), Some(to)) => {
                tracing::warn!("region {name}: {from} -> {to}{by}: {why}");
            }
            _ => tracing::warn!("{:?}{by}: {why}", event.event),
        }
        self.events.put(event);
    }

    fn tell(&self) {
        self.changes
            .send_modify(|number| *number = number.wrapping_add(1));
    }

    /// Waits until every event is on record. Blocks on the disk.
    pub(crate) fn flush(&self) {
        self.events.flush();
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.speaking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
