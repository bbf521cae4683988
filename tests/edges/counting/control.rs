//! A real control plane, which tells an edge where to go and hears what came of it.

use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::Serving;
use halcyon_tests::store::Store;
use serde_json::Value;

use crate::edge::{Edge, Runtime, request};
use crate::http::Client;
use crate::upstream::{Mode, Upstream};
use crate::world::REGIONS;

in_every_edge_but_envoy! { a_control_plane_knows_what_an_edge_has_counted }

fn a_control_plane_knows_what_an_edge_has_counted(runtime: Runtime) {
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
    let pools = REGIONS.map(|region| Upstream::start(region, "blue"));
    let regions = REGIONS.iter().zip(&pools).map(|(name, pool)| {
        let at = pool.address();
        format!("[[region]]\nname = \"{name}\"\nblue = \"{at}\"\ngreen = \"{at}\"\n")
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
    let table = format!("http://{}/api/v1/table", serving.dashboard());
    let variables = [
        ("TABLE_URL", table.as_str()),
        ("TABLE_TOKEN", &token),
        ("TABLE_REFRESH_MS", "100"),
        ("EDGE_TELEMETRY_MS", "200"),
    ];
    let variables = variables.map(|(name, value)| (name, Value::from(value)));
    let Some(edge) = Edge::start(runtime, &variables) else {
        return;
    };
    let until = |what: &str, so: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !so() {
            let late = begin.elapsed() > Duration::from_secs(20);
            assert!(!late, "waited for {what}: {}", edge.said());
            thread::sleep(Duration::from_millis(50));
        }
    };
    until("a table", &|| edge.get("acme").status() == 200);
    let asked = |pool: &Upstream| pool.asked().len();
    let well = asked(&pools[1]);
    pools[1].mode(Mode::Status(500));
    (0..200).for_each(|number| drop(edge.get(&format!("tenant{number}"))));
    let sent: usize = pools.iter().map(asked).sum();
    let ask = |path: &str| {
        let mut client = Client::to(serving.dashboard());
        client.write(request("GET", path, &[("host", "localhost")]));
        client.answer("GET").json()
    };
    let known = |of: &str| -> u64 {
        let series = ask("/api/v1/series");
        let lines = series["series"].as_array().unwrap().iter();
        let values = lines.flat_map(|line| line[of].as_array().unwrap());
        values.filter_map(Value::as_u64).sum()
    };
    until("all requests to be known", &|| {
        edge.ask("GET", "/", &[]);
        known("requests") == sent as u64
    });
    assert!(sent > 200);
    assert_eq!(known("errors"), (asked(&pools[1]) - well) as u64);
    assert!(known("errors") > 20);
    assert_eq!(ask("/api/v1/state")["edges"], 1);
}
