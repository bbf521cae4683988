//! Which pools this edge passes over because of what it has seen itself. When and for how long is the core's:
//! [`Circuit`]; that it is never the last one is decided here.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::breaker::{BreakerRules, Circuit, Outcome, Tripped};
use halcyon_core::hash::TenantId;
use halcyon_core::placement::RegionStatus;
use halcyon_core::time::Timestamp;

use super::held::{Held, Way};
use super::pool::Upstream;
use crate::clock;

/// How an upstream serves. It stays with its connections over every table.
#[derive(Default)]
pub(super) struct Service {
    circuit: Mutex<Circuit>,
    /// It has been taken out and has not answered since.
    out: AtomicBool,
    /// It would have been, and was the last one. Said once.
    kept: AtomicBool,
    /// A table says that it is there again.
    again: AtomicBool,
    /// Answers that have broken off and are not counted yet.
    broken: AtomicU32,
    /// What it has answered so far.
    answers: AtomicU64,
}

impl Service {
    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an answer which had begun has broken off. It counts with the next request.
    pub(super) fn broke_off(&self) {
        self.broken.fetch_add(1, Ordering::Relaxed);
    }

    /// What it has answered so far, while circuits are on.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Whether it has been taken out and has not answered since.
    pub(super) fn was_taken_out(&self) -> bool {
        self.out.load(Ordering::Relaxed)
    }

    /// Notes that a table takes its region for up that the one before did not: the next request is its trial, however
    /// long it was to be passed over yet.
    pub(super) fn is_there_again(&self) {
        self.again.store(true, Ordering::Relaxed);
    }

    fn rested(&self, now: Timestamp) -> MutexGuard<'_, Circuit> {
        let mut circuit = self.circuit();
        if self.again.swap(false, Ordering::Relaxed) {
            circuit.try_now(now);
        }
        circuit
    }

    fn is_out(&self, rules: &BreakerRules, now: Timestamp) -> bool {
        self.was_taken_out() && self.rested(now).is_out(rules, now)
    }

    /// Whether a request may go there, as its trial if it is out.
    fn admits(&self, rules: &BreakerRules, now: Timestamp) -> bool {
        !self.was_taken_out() || self.rested(now).admit(rules, now)
    }
}

/// As many broken answers are counted at once; more would trip any circuit as well.
const BROKEN_MAX: u32 = 64;

/// What all pools have in common.
pub(super) struct Breaker {
    rules: BreakerRules,
    on: bool,
    /// Its clock never goes back.
    begun: Instant,
    /// Held while one is taken out, or two could take out each other's last.
    taking: Mutex<()>,
}

impl Breaker {
    pub(super) fn new(on: bool) -> Self {
        Self {
            rules: BreakerRules::default(),
            on,
            begun: Instant::now(),
            taking: Mutex::default(),
        }
    }

    fn now(&self) -> Timestamp {
        let since = self.begun.elapsed().as_millis();
        Timestamp(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// The same way, or the one past what is out. A tenant keeps its colour: no pool of the other one counts.
    pub(super) fn around<'h>(
        &self,
        held: &'h Held,
        tenant: TenantId<'_>,
        way: Way<'h>,
        at: Timestamp,
    ) -> Way<'h> {
        let mut pool = held.pool(way.pool).flatten();
        if !pool.any(|upstream| upstream.service.was_taken_out()) {
            return way;
        }
        let health = self.health(held, way.pool);
        self.admitted(held, tenant, health, at).unwrap_or(way)
    }

    /// The way by this health, as far as its pool takes the request.
    fn admitted<'h>(
        &self,
        held: &'h Held,
        tenant: TenantId<'_>,
        mut health: Vec<RegionStatus>,
        at: Timestamp,
    ) -> Option<Way<'h>> {
        loop {
            let way = held.way(tenant, &health, at).ok()?;
            let Some(upstream) = way.upstream else {
                return Some(way);
            };
            let known = health.get_mut(way.place)?;
            // Where nothing serves, what is out does.
            if *known == RegionStatus::Down || upstream.service.admits(&self.rules, self.now()) {
                return Some(way);
            }
            *known = RegionStatus::Down;
        }
    }

    /// The way if this region is down too; `None` where no other region may have the tenant.
    pub(super) fn past<'h>(
        &self,
        held: &'h Held,
        tenant: TenantId<'_>,
        way: &Way<'_>,
    ) -> Option<Way<'h>> {
        let mut health = self.health(held, way.pool);
        *health.get_mut(way.place)? = RegionStatus::Down;
        let next = self.admitted(held, tenant, health, clock::now())?;
        (next.place != way.place).then_some(next)
    }

    /// What the table says of its regions, and what this edge knows better.
    fn health(&self, held: &Held, pool: usize) -> Vec<RegionStatus> {
        let now = self.now();
        let known = held.table.health().iter().zip(held.pool(pool));
        let seen = known.map(|(status, upstream)| match upstream {
            Some(upstream)
                if upstream.service.is_out(&self.rules, now)
                    && *status != RegionStatus::Forbidden =>
            {
                RegionStatus::Down
            }
            _ => *status,
        });
        seen.collect()
    }

    /// Notes how a request ended.
    pub(super) fn record(&self, held: &Held, way: &Way<'_>, outcome: Outcome, took: Duration) {
        let Some(upstream) = way.upstream.filter(|_| self.on) else {
            return;
        };
        let (now, begun) = self.now_and_before(took);
        let service = &upstream.service;
        if outcome == Outcome::Answered {
            service.answers.fetch_add(1, Ordering::Relaxed);
        }
        let broken = service.broken.swap(0, Ordering::Relaxed);
        let mut circuit = service.circuit();
        let before = (0..broken.min(BROKEN_MAX))
            .filter_map(|_| circuit.record(&self.rules, Outcome::Failed, begun, now));
        let before = before.last();
        let tripped = circuit.record(&self.rules, outcome, begun, now).or(before);
        drop(circuit);
        if let Some(why) = tripped {
            self.trip(held, way, upstream, &reason(why, way));
        } else if outcome == Outcome::Answered {
            service.kept.store(false, Ordering::Relaxed);
            // Answers of before say nothing, and leave it out or on trial.
            if service.was_taken_out()
                && service.circuit().serves()
                && service.out.swap(false, Ordering::Relaxed)
            {
                if let Some(metrics) = way.metrics {
                    metrics.out.set(0);
                }
                tracing::info!("region {}, {}: serves again", way.region, way.slot);
            }
        }
    }

    /// Notes that a request ended in a way that says nothing about its pool.
    pub(super) fn void(&self, way: &Way<'_>, took: Duration) {
        if let Some(upstream) = way.upstream
            && upstream.service.was_taken_out()
        {
            upstream.service.circuit().void(self.now_and_before(took).1);
        }
    }

    fn now_and_before(&self, took: Duration) -> (Timestamp, Timestamp) {
        let now = self.now();
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        (now, Timestamp(now.0.saturating_sub(took)))
    }

    fn trip(&self, held: &Held, way: &Way<'_>, upstream: &Arc<Upstream>, why: &str) {
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let service = &upstream.service;
        if service.circuit().is_resting(now) {
            // Another request has seen the same.
            return;
        }
        let last = !serves_besides(held, way, upstream, now);
        let mut circuit = service.circuit();
        if last {
            circuit.keep();
            if !service.kept.swap(true, Ordering::Relaxed) {
                tracing::warn!("{why}; it serves on, as the last one that does");
            }
            return;
        }
        let ms = circuit.take_out(&self.rules, now, dice());
        let times = circuit.times();
        service.out.store(true, Ordering::Relaxed);
        if let Some(metrics) = way.metrics {
            metrics.out.set(1);
        }
        tracing::warn!("{why}; passed over for {ms} ms, time {times} in a row");
    }
}

/// Whether any other region serves in this colour, or may: one whose time is over and that nobody has asked since
/// would stay out for good where no tenant is at home there.
fn serves_besides(held: &Held, way: &Way<'_>, this: &Arc<Upstream>, now: Timestamp) -> bool {
    let pools = held.table.health().iter().zip(held.pool(way.pool));
    let mut others = pools.enumerate().filter(|(place, _)| *place != way.place);
    others.any(|(_, (status, upstream))| {
        // Two regions of a table may have one address.
        let serves = |upstream: &Arc<Upstream>| {
            !Arc::ptr_eq(upstream, this) && !upstream.service.circuit().is_resting(now)
        };
        *status == RegionStatus::Up && upstream.is_some_and(serves)
    })
}

/// What happened, for a log line.
fn reason(why: Tripped, way: &Way<'_>) -> String {
    let (region, slot) = (way.region, way.slot);
    match why {
        Tripped::InARow(failures) => {
            format!("region {region}, {slot}: {failures} failures in a row")
        }
        Tripped::Share { failed, of } => {
            format!("region {region}, {slot}: {failed} of {of} requests failed within 10 s")
        }
        Tripped::OnTrial => format!("region {region}, {slot}: it failed again"),
    }
}

fn dice() -> u16 {
    let mut dice = [0; 2];
    // Without randomness the time is only not spread.
    let _ = getrandom::fill(&mut dice);
    u16::from_le_bytes(dice)
}
