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

/// One thing the smoke test asks for `/ready`.
struct Asked<'r> {
    region: &'r RegionTarget,
    url: &'r Endpoint,
    /// Whether it is the pool that is about to get tenants, not the region's own health server.
    green_pool: bool,
}

/// What the smoke test asks: every region, and where it is known its pool whose role is green.
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

/// What came of a bake.
#[derive(Debug)]
pub(super) struct Baked {
    pub(super) lasted: Duration,
    pub(super) rounds: u64,
    pub(super) failures: Vec<RegionFailure>,
    /// What green's traffic was, where it was judged and is good.
    pub(super) traffic: Option<Traffic>,
}

/// Probes every region, round by round, until `bake` is over and the last round settles every region:
/// ready, or failed three times in a row. With `stop_on_failure` the first failed region ends it.
///
/// Where traffic is `limited`, that ends it too as soon as it is proved bad, and nothing else does before it is
/// good: without data it goes on for as long as nobody ends it.
pub(super) async fn bake(
    world: &World,
    observer: &dyn Observer,
    regions: &[RegionTarget],
    bake: Duration,
    (stop_on_failure, limited): (bool, Option<&Limited>),
) -> Baked {
    let begin = Instant::now();
    let mut in_a_row = vec![0_u32; regions.len()];
    let mut failures: Vec<RegionFailure> = Vec::new();
    let mut waits = false;
    for rounds in 1.. {
        let round_begins = Instant::now();
        let results = join_all(regions.iter().map(|region| ask(world, region, &region.url))).await;
        for ((region, result), in_a_row) in regions.iter().zip(results).zip(&mut in_a_row) {
            *in_a_row = if result.is_ok() { 0 } else { *in_a_row + 1 };
            observer.region(
                &region.name,
                Doing::Probe {
                    round: rounds,
                    failures: *in_a_row,
                    result: result.clone(),
                },
            );
            if let Err(why) = result
                && *in_a_row == FALL
                && !failures.iter().any(|failure| failure.region == region.name)
            {
                failures.push(RegionFailure {
                    region: region.name.clone(),
                    why,
                });
            }
        }
        let baked = (begin.elapsed() >= bake).then_some(begin + bake);
        let judged = limited.map(|limited| limited.judge(world, baked));
        let mut traffic = None;
        let mut open = false;
        match judged {
            None => {}
            Some(Judgement::Good(seen)) => traffic = Some(seen),
            Some(Judgement::Bad(found)) => failures.extend(found),
            Some(Judgement::Inconclusive(why)) => {
                open = limited.is_some_and(Limited::is_needed);
                if open && baked.is_some() && !std::mem::replace(&mut waits, true) {
                    observer.warn(&format!("the step has baked and waits for traffic: {why}"));
                }
            }
        }
        let settled = !open && in_a_row.iter().all(|count| *count == 0 || *count >= FALL);
        let over = begin.elapsed() >= bake && settled;
        if over || (stop_on_failure && !failures.is_empty()) {
            return Baked {
                lasted: begin.elapsed(),
                rounds,
                failures,
                traffic,
            };
        }
        let next = (round_begins + world.probe_interval).min((begin + bake).max(Instant::now()));
        let next = if begin.elapsed() >= bake {
            round_begins + world.probe_interval
        } else {
            next
        };
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
