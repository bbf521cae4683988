//! Everything that runs: regions, a control plane, the fronts and their crowds, and what a round is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halcyon_core::access::secret_digest;
use halcyon_tests::process::{Serving, Signal};
use halcyon_tests::store::Store;
use tokio::time::sleep;

use super::crowd::Crowd;
use super::fronts::{Edge, Haproxy, free_port};
use super::pool::Pool;
use super::round::{Front, Round};
use super::watch::{Seen, Watch, asked};
use super::{Case, FRONTS, LOST, Loss, NAMES, TOKEN, UPSTREAM_TIMEOUT_MS};

pub(super) struct Site {
    // In this order they end: who asks first.
    crowds: Vec<Crowd>,
    table: Watch,
    fronts: Vec<Watch>,
    _haproxy: Haproxy,
    edges: Vec<Edge>,
    _control: Serving,
    health: Vec<Serving>,
    pools: Vec<Pool>,
    store: Store,
    /// Where edges ask, and the port of each.
    at: String,
    ports: [u16; 2],
}

impl Site {
    pub(super) async fn start(case: &Case) -> Self {
        let store = Store::new();
        let mut pools = Vec::new();
        for _ in NAMES {
            pools.push(Pool::start().await);
        }
        let health: Vec<Serving> = NAMES.map(|name| region(&store, name, free_port())).into();
        let control = control(case, &store, &health, &pools);
        let dashboard = control.dashboard();
        let at: Vec<SocketAddr> = health.iter().map(Serving::address).collect();
        let to: Vec<SocketAddr> = pools.iter().map(|pool| pool.address).collect();
        let haproxy = Haproxy::start(case, &at, &to);
        let table = format!("http://{dashboard}/api/v1/table");
        let ports = [free_port(), free_port()];
        let edges: Vec<Edge> = [(false, ports[0]), (true, ports[1])]
            .into_iter()
            .map(|(breaker, port)| Edge::start(store.dir(), &table, port, case, breaker))
            .collect();
        let mut addresses = vec![haproxy.address];
        addresses.extend(edges.iter().map(|edge| edge.address));
        let crowds = addresses.into_iter().enumerate();
        let crowds = crowds.map(|(front, at)| Crowd::start(front, at)).collect();
        let mut fronts = vec![haproxy.watch()];
        fronts.extend(edges.iter().map(Edge::watch));
        Self {
            crowds,
            table: Watch::over(move || issued(dashboard)),
            fronts,
            _haproxy: haproxy,
            edges,
            _control: control,
            health,
            pools,
            store,
            at: table,
            ports,
        }
    }

    /// An edge with a breaker that has seen nothing yet: it passes over a pool for twice as long each time in a
    /// row, and rounds follow each other faster than losses do.
    fn breaker_anew(&mut self, case: &Case) {
        self.fronts.truncate(2);
        self.edges.truncate(1);
        let edge = Edge::start(self.store.dir(), &self.at, self.ports[1], case, true);
        self.fronts.push(edge.watch());
        self.edges.push(edge);
    }

    /// The region is lost and comes back, once.
    pub(super) async fn round(&mut self, case: &Case, number: u32) -> Round {
        // All is well for a while, and each round ends it at another moment between two probes.
        self.breaker_anew(case);
        let interval = Duration::from_millis(case.interval_ms);
        let offset = interval * number / case.rounds;
        sleep(Duration::from_secs(1) + offset).await;
        self.forget();
        let lost = Instant::now();
        self.lose(case.loss).await;
        let (table, held) = self.known(lost, false).await;
        // Until nothing is under way that began before.
        sleep(Duration::from_millis(UPSTREAM_TIMEOUT_MS + 500)).await;
        let mut fronts = self.seen(case.loss, lost, held);
        self.forget();
        let back = self.bring_back(case.loss).await;
        let (table_back, _) = self.known(back, true).await;
        for (front, figures) in fronts.iter_mut().enumerate() {
            let first = || {
                let came = self.pools[1].came(front);
                came.into_iter().find(|at| *at >= back)
            };
            let begin = Instant::now();
            while first().is_none() {
                assert!(begin.elapsed() < Duration::from_secs(90), "nobody comes");
                sleep(Duration::from_millis(5)).await;
            }
            figures.back = first().unwrap_or(back) - back;
        }
        Round {
            table: table - lost,
            table_back: table_back - back,
            fronts,
        }
    }

    /// What each front has done since the loss, and when it held that.
    fn seen(&self, loss: Loss, lost: Instant, held: Vec<Instant>) -> Vec<Front> {
        let fronts = held.into_iter().enumerate().map(|(front, held)| {
            // A pool that is silent sees every request; one that refuses sees none, but whoever sends counts.
            let (sent, last) = match loss {
                Loss::Silent => {
                    let came = self.pools[1].came(front).into_iter();
                    let came: Vec<Instant> = came.filter(|at| *at >= lost).collect();
                    (came.len() as u64, came.last().copied())
                }
                Loss::Killed => {
                    let watch = &self.fronts[front];
                    (watch.chosen(), watch.last_chosen(lost))
                }
            };
            let asked = self.crowds[front].take().into_iter();
            let asked: Vec<_> = asked.filter(|one| one.at >= lost).collect();
            let failed = |post| {
                let failed = asked.iter().filter(|one| one.failed && one.post == post);
                failed.count()
            };
            Front {
                held: held - lost,
                last: last.map_or(Duration::ZERO, |at| at.saturating_duration_since(lost)),
                sent,
                failed: [failed(false), failed(true)],
                back: Duration::ZERO,
            }
        });
        fronts.collect()
    }

    fn forget(&self) {
        self.table.forget();
        self.fronts.iter().for_each(Watch::forget);
        self.pools.iter().for_each(Pool::forget);
        for crowd in &self.crowds {
            crowd.take();
        }
    }

    async fn lose(&mut self, loss: Loss) {
        match loss {
            Loss::Killed => {
                self.health[1].signal(Signal::KILL);
                self.pools[1].die().await;
                self.health[1].wait(Duration::from_secs(10)).expect("ended");
            }
            Loss::Silent => {
                self.health[1].signal(Signal::STOP);
                self.pools[1].silent(true);
            }
        }
    }

    /// From when on it is there again.
    async fn bring_back(&mut self, loss: Loss) -> Instant {
        match loss {
            Loss::Killed => {
                self.pools[1].listen().await;
                let port = self.health[1].address().port();
                self.health[1] = region(&self.store, LOST, port);
            }
            Loss::Silent => {
                self.pools[1].silent(false);
                self.health[1].signal(Signal::CONT);
            }
        }
        Instant::now()
    }

    /// When the table says that the region is so, and when each front goes by that.
    async fn known(&self, since: Instant, up: bool) -> (Instant, Vec<Instant>) {
        let so = |what: &str, when: &dyn Fn() -> Option<Instant>| {
            let begin = Instant::now();
            loop {
                if let Some(at) = when() {
                    return at;
                }
                assert!(begin.elapsed() < Duration::from_secs(60), "no {what}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        tokio::task::block_in_place(|| {
            let table = so("table", &|| self.table.first(since, |seen| seen.up == up));
            let epoch = self.table.now().map_or(0, |seen| seen.epoch);
            let fronts = self.fronts.iter().enumerate();
            let held = fronts.map(|(front, watch)| {
                so(FRONTS[front], &|| match front {
                    0 => watch.first(since, |seen| seen.up == up),
                    _ => watch.first(since, |seen| seen.epoch >= epoch),
                })
            });
            (table, held.collect())
        })
    }
}

fn region(store: &Store, name: &str, port: u16) -> Serving {
    let logs = format!("file:{}", store.dir().join(name).display());
    Serving::start_with(
        &["--bind", "127.0.0.1"],
        &[
            ("HEALTH_PORT", &port.to_string()),
            ("REGIONS", &NAMES.join(",")),
            ("CURRENT_REGION", name),
            ("HALCYON_STORE", &logs),
            ("RUST_LOG", "info"),
        ],
    )
}

fn control(case: &Case, store: &Store, health: &[Serving], pools: &[Pool]) -> Serving {
    let regions = NAMES.iter().zip(health).zip(pools);
    let regions = regions.map(|((name, health), pool)| {
        let (health, pool) = (health.address(), pool.address);
        format!("[[region]]\nname = \"{name}\"\nhealth = \"http://{health}\"\nblue = \"http://{pool}\"\n")
    });
    let topology = store.dir().join("topology.toml");
    std::fs::write(&topology, regions.collect::<String>()).expect("it is written");
    let tokens = store.dir().join("tokens.toml");
    let digest = secret_digest(TOKEN);
    let token = format!("[[token]]\nuser = \"bench\"\nrole = \"Admin\"\nsha256 = \"{digest}\"\n");
    std::fs::write(&tokens, token).expect("it is written");
    let logs = format!("file:{}", store.logs().display());
    Serving::start_with(
        &["--bind", "127.0.0.1"],
        &[
            ("FEATURE_MULTI_REGION", "true"),
            ("REGIONS", &NAMES.join(",")),
            ("TENANT_STICKY", "hash"),
            ("HALCYON_TOPOLOGY", topology.to_str().expect("a path")),
            ("HALCYON_TOKENS_FILE", tokens.to_str().expect("a path")),
            ("HALCYON_STORE", &logs),
            ("PROBE_INTERVAL_MS", &case.interval_ms.to_string()),
            ("PROBE_TIMEOUT_MS", &case.timeout_ms().to_string()),
            ("PROBE_FALL", "3"),
            ("PROBE_RISE", "2"),
            ("FAILBACK_HOLD_MS", "0"),
        ],
    )
}

/// The table in force, as an edge would get it.
fn issued(dashboard: SocketAddr) -> Option<Seen> {
    let answer = asked(dashboard, "/api/v1/table", TOKEN)?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: "))?;
    let table: serde_json::Value = serde_json::from_str(body).ok()?;
    let regions = table["regions"].as_array()?;
    let lost = regions.iter().find(|region| region["name"] == LOST)?;
    Some(Seen {
        up: lost["status"] == "up",
        epoch: tag.trim_matches('"').parse().ok()?,
        chosen: 0,
    })
}
