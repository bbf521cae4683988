//! A real control plane, which tells an edge where to go and hears what came of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::Serving;
use halcyon_tests::store::Store;
use serde_json::{Value, json};

use super::relay::{Relay, Way};
use crate::edge::{Edge, Runtime, request};
use crate::http::Client;
use crate::upstream::{Mode, Upstream};
use crate::world::REGIONS;

in_every_edge! {
    a_control_plane_knows_what_an_edge_has_counted,
    what_a_control_plane_did_not_hear_or_took_without_a_word_counts_once,
}

/// A control plane over pools of its own, blue and green of each region.
struct Plane {
    serving: Serving,
    token: String,
    pools: [[Upstream; 2]; 3],
    _store: Store,
}

impl Plane {
    fn start() -> Self {
        let store = Store::new();
        let file = |name: &str| store.dir().join(name).display().to_string();
        let (topology, tokens) = (file("topology.toml"), file("tokens.toml"));
        let new = [
            "token",
            "new",
            "--tokens-file",
            &tokens,
            "--user",
            "edge",
            "--role",
            "Edge",
        ];
        let token = store.run(&new).exits(0).stdout.trim().to_owned();
        let pools =
            REGIONS.map(|region| ["blue", "green"].map(|slot| Upstream::start(region, slot)));
        let regions = REGIONS.iter().zip(&pools).map(|(name, [blue, green])| {
            let (blue, green) = (blue.address(), green.address());
            format!("[[region]]\nname = \"{name}\"\nblue = \"{blue}\"\ngreen = \"{green}\"\n")
        });
        std::fs::write(&topology, regions.collect::<String>()).unwrap();
        let serving = Serving::start(&[
            ("HALCYON_TOPOLOGY", &topology),
            ("PRIMARY_REGION", REGIONS[0]),
            ("TENANT_STICKY", "hash"),
            ("HALCYON_STORE", &format!("file:{}", store.logs().display())),
            ("HALCYON_TOKENS_FILE", &tokens),
            ("DRAIN_MS", "0"),
        ]);
        Self {
            serving,
            token,
            pools,
            _store: store,
        }
    }

    /// An edge that asks for its table at this address, and has one.
    fn edge(&self, runtime: Runtime, address: &str) -> Option<Edge> {
        let table = format!("http://{address}/api/v1/table");
        let variables = [
            ("TABLE_URL", table.as_str()),
            ("TABLE_TOKEN", &self.token),
            ("TABLE_REFRESH_MS", "100"),
            ("EDGE_TELEMETRY_MS", "200"),
        ];
        let mut variables = variables
            .map(|(name, value)| (name, Value::from(value)))
            .to_vec();
        if runtime == Runtime::Envoy {
            let regions = REGIONS.iter().zip(&self.pools).map(|(name, [blue, green])| {
                json!({"name": name, "blue": blue.address(), "green": green.address()})
            });
            let regions: Vec<Value> = regions.collect();
            // Its configuration says where the pools are.
            variables.push(("POOLS", json!({ "regions": regions })));
        }
        let edge = Edge::start(runtime, &variables)?;
        until(&edge, "a table", || edge.get("acme").status() == 200);
        Some(edge)
    }

    fn ask(&self, path: &str) -> Value {
        let mut client = Client::to(self.serving.dashboard());
        client.write(request("GET", path, &[("host", "localhost")]));
        client.answer("GET").json()
    }

    /// How many requests or errors it knows of.
    fn known(&self, of: &str) -> u64 {
        let series = self.ask("/api/v1/series");
        let lines = series["series"].as_array().unwrap().iter();
        let values = lines.flat_map(|line| line[of].as_array().unwrap());
        values.filter_map(Value::as_u64).sum()
    }

    /// How many requests have come to the pools.
    fn sent(&self) -> usize {
        let pools = self.pools.iter().flatten();
        pools.map(|pool| pool.asked().len()).sum()
    }
}

#[track_caller]
fn until(edge: &Edge, what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        let late = begin.elapsed() > Duration::from_secs(20);
        assert!(!late, "waited for {what}: {}", edge.said());
        thread::sleep(Duration::from_millis(50));
    }
}

fn a_control_plane_knows_what_an_edge_has_counted(runtime: Runtime) {
    let plane = Plane::start();
    let address = plane.serving.dashboard().to_string();
    let Some(edge) = plane.edge(runtime, &address) else {
        return;
    };
    let broken = &plane.pools[1][0];
    let well = broken.asked().len();
    broken.mode(Mode::Status(500));
    (0..200).for_each(|number| drop(edge.get(&format!("tenant{number}"))));
    let sent = plane.sent();
    until(&edge, "all requests to be known", || {
        edge.ask("GET", "/", &[]);
        plane.known("requests") == sent as u64
    });
    assert!(sent > 200);
    let errors = plane.known("errors");
    assert_eq!(errors, (broken.asked().len() - well) as u64);
    assert!(errors > 20);
    assert_eq!(plane.ask("/api/v1/state")["edges"], 1);
}

fn what_a_control_plane_did_not_hear_or_took_without_a_word_counts_once(runtime: Runtime) {
    let plane = Plane::start();
    let relay = Relay::start(plane.serving.dashboard());
    let Some(edge) = plane.edge(runtime, &relay.address().to_string()) else {
        return;
    };
    // Each of them loses something else: the report, or that it was taken.
    for way in [Way::Away, Way::Says(503), Way::Unheard] {
        relay.posts(way);
        let tries = AtomicUsize::new(0);
        let before = relay.reports(way);
        until(&edge, "a report to be lost", || {
            let number = tries.fetch_add(1, Ordering::SeqCst);
            assert_eq!(edge.get(&format!("tenant{number}")).status(), 200);
            relay.reports(way) >= before + 2
        });
    }
    let heard = plane.known("requests");
    assert!(heard > 0, "what it took without a word");
    relay.posts(Way::Through);
    for _ in 0..2 {
        edge.get("acme");
        let sent = plane.sent() as u64;
        until(&edge, "all requests to be known", || {
            edge.ask("GET", "/", &[]);
            plane.known("requests") >= sent
        });
        assert_eq!(plane.known("requests"), sent, "each once");
    }
    assert_eq!(plane.known("errors"), 0);
    assert_eq!(plane.ask("/api/v1/state")["edges"], 1);
}
