//! Asking the regions: the smoke test before a step, and the probes while it bakes.

use std::time::{Duration, Instant};

use halcyon_core::endpoint::Endpoint;
use halcyon_core::release::{Judgement, Pool, RegionFailure, RegionTarget, Traffic};

use super::task::Limited;
use super::{Doing, Observer, World};

/// How often the smoke test tries a region.
const SMOKE_TRIES: u32 = 3;

/// How many failures in a row of one region fail a step.
const FALL: u32 = 3;

/// The longest pause between two tries of a smoke test.
const SMOKE_PAUSE: Duration = Duration::from_secs(1);

/// One thing that is asked for `/ready`.
#[derive(Clone, Copy)]
struct Asked<'r> {
    region: &'r RegionTarget,
    url: &'r Endpoint,
    /// Whether it is the pool that is about to get tenants, not the region's own health server.
    green_pool: bool,
}

/// What a smoke test and a bake ask: every region, and where it is known its pool whose role is green. A
/// region's own server says nothing of what the release changes.
fn asked(regions: &[RegionTarget], green: Pool) -> impl Iterator<Item = Asked<'_>> {
    regions.iter().flat_map(move |region| {
        let own = Asked {
            region,
            url: &region.url,
            green_pool: false,
        };
        let pool = region.pools.of(green).map(|url| Asked {
            region,
            url,
            green_pool: true,
        });
        std::iter::once(own).chain(pool)
    })
}

impl Asked<'_> {
    /// What an observer calls it.
    fn name(&self) -> String {
        match self.green_pool {
            true => green_pool_of(self.region),
            false => self.region.name.clone(),
        }
    }

    /// Why it failed; of a pool also where it is, as nobody has typed that.
    fn failure(&self, why: String) -> RegionFailure {
        RegionFailure {
            region: self.region.name.clone(),
            why: match self.green_pool {
                true => format!("green pool {}: {why}", self.url),
                false => why,
            },
        }
    }
}

/// How an observer calls a region's green pool.
pub(crate) fn green_pool_of(region: &RegionTarget) -> String {
    format!("{} green", region.name)
}

/// Asks every region and its green pool at once, up to three times each; answers with those that never
/// were ready.
pub(super) async fn smoke(
    world: &World,
    observer: &dyn Observer,
    regions: &[RegionTarget],
    green: Pool,
) -> Vec<RegionFailure> {
    let tests = asked(regions, green).map(|asked| smoke_one(world, observer, asked));
    join_all(tests).await.into_iter().flatten().collect()
}

async fn smoke_one(
    world: &World,
    observer: &dyn Observer,
    asked: Asked<'_>,
) -> Option<RegionFailure> {
    let mut attempt = 1;
    loop {
        let result = ask(world, asked.region, asked.url).await;
        observer.region(
            &asked.name(),
            Doing::Smoke {
                attempt,
                result: result.clone(),
            },
        );
        match result {
            Ok(_) => return None,
            Err(why) if attempt == SMOKE_TRIES => return Some(asked.failure(why)),
            Err(_) => tokio::time::sleep(world.probe_interval.min(SMOKE_PAUSE)).await,
        }
        attempt += 1;
    }
}

/// What a bake looks at, and when it ends.
pub(super) struct Baking<'b> {
    pub(super) regions: &'b [RegionTarget],
    pub(super) green: Pool,
    pub(super) lasts: Duration,
    /// Whether the first region that fails ends it.
    pub(super) stop_on_failure: bool,
    pub(super) limited: Option<&'b Limited>,
}

/// What came of a bake.
#[derive(Debug)]
pub(super) struct Baked {
    pub(super) lasted: Duration,
    pub(super) rounds: u64,
    pub(super) failures: Vec<RegionFailure>,
    /// What green's traffic was, where it was judged and is good.
    pub(super) traffic: Option<Traffic>,
}

/// What is asked while a step bakes, and how it has answered.
struct Watched<'r> {
    asked: Asked<'r>,
    /// Failures since it last was ready.
    in_a_row: u32,
    failed: bool,
}

impl Watched<'_> {
    /// Asks once; the failure, if this one is what makes it fail.
    async fn ask(
        &mut self,
        world: &World,
        observer: &dyn Observer,
        round: u64,
    ) -> Option<RegionFailure> {
        let result = ask(world, self.asked.region, self.asked.url).await;
        self.in_a_row = if result.is_ok() { 0 } else { self.in_a_row + 1 };
        observer.region(
            &self.asked.name(),
            Doing::Probe {
                round,
                failures: self.in_a_row,
                result: result.clone(),
            },
        );
        let why = result.err().filter(|_| self.in_a_row == FALL)?;
        let first = !std::mem::replace(&mut self.failed, true);
        first.then(|| self.asked.failure(why))
    }

    fn is_settled(&self) -> bool {
        self.in_a_row == 0 || self.in_a_row >= FALL
    }
}

/// Probes every region and its green pool, round by round, until the bake is over and the last round settles
/// each of them: ready, or failed three times in a row.
///
/// Where traffic is `limited`, that ends it too as soon as it is proved bad, and nothing else does before it is
/// good: without data it goes on for as long as nobody ends it.
pub(super) async fn bake(world: &World, observer: &dyn Observer, baking: Baking<'_>) -> Baked {
    let begin = Instant::now();
    let ends = begin + baking.lasts;
    let watched = asked(baking.regions, baking.green).map(|asked| Watched {
        asked,
        in_a_row: 0,
        failed: false,
    });
    let mut watched: Vec<Watched> = watched.collect();
    let mut failures: Vec<RegionFailure> = Vec::new();
    let mut waits = false;
    for rounds in 1.. {
        let round_begins = Instant::now();
        let probes = watched
            .iter_mut()
            .map(|one| one.ask(world, observer, rounds));
        failures.extend(join_all(probes).await.into_iter().flatten());
        let baked = (Instant::now() >= ends).then_some(ends);
        let judged = baking.limited.map(|limited| limited.judge(world, baked));
        let mut traffic = None;
        let mut open = false;
        match judged {
            None => {}
            Some(Judgement::Good(seen)) => traffic = Some(seen),
            Some(Judgement::Bad(found)) => failures.extend(found),
            Some(Judgement::Inconclusive(why)) => {
                open = baking.limited.is_some_and(Limited::is_needed);
                if open && baked.is_some() && !std::mem::replace(&mut waits, true) {
                    observer.warn(&format!("the step has baked and waits for traffic: {why}"));
                }
            }
        }
        let settled = !open && watched.iter().all(Watched::is_settled);
        let over = Instant::now() >= ends && settled;
        if over || (baking.stop_on_failure && !failures.is_empty()) {
            return Baked {
                lasted: begin.elapsed(),
                rounds,
                failures,
                traffic,
            };
        }
        let next = round_begins + world.probe_interval;
        let now = Instant::now();
        let next = if now < ends { next.min(ends) } else { next };
        tokio::time::sleep_until(next.into()).await;
    }
    unreachable!("rounds are counted in 64 bits")
}

async fn ask(world: &World, region: &RegionTarget, url: &Endpoint) -> Result<Duration, String> {
    let expected = region.named.then_some(region.name.as_str());
    world
        .client
        .probe_ready(url, expected, world.probe_timeout)
        .await
}

/// Runs futures at once and waits for all, in order.
pub(crate) async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, slot) in running.iter_mut().zip(&mut done) {
            if slot.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *slot = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    done.into_iter().flatten().collect()
}
