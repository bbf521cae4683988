//! What is `halcyon edge`'s alone.

mod bodies;
mod connecting;
mod files;
mod leaving;
mod life;
mod restarting;
mod tables;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::edge::{Edge, Runtime, request};
use crate::http::{Answer, Client};
use crate::world::{World, place};

pub(super) fn start(variables: &[(&str, &str)]) -> Edge {
    let variables = variables.iter();
    let variables: Vec<(&str, Value)> = variables
        .map(|(name, value)| (*name, Value::from(*value)))
        .collect();
    Edge::start(Runtime::Embedded, &variables).unwrap()
}

pub(super) fn world() -> World {
    World::start(Runtime::Embedded).unwrap()
}

pub(super) fn until(what: &str, edge: &Edge, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        let late = begin.elapsed() > Duration::from_secs(10);
        assert!(!late, "waited for {what}: {}", edge.said());
        thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn all_green(table: &mut Value) {
    table["release"] = json!({"id": "r1", "state": "green_live", "weight": 100});
}

pub(super) fn all_blue(table: &mut Value) {
    table["release"] = json!({"id": "r1", "state": "idle", "weight": 0});
}

pub(super) fn slot(edge: &Edge) -> String {
    place(&edge.get("acme")).1
}

/// Puts a file in the place of another one at once.
pub(super) fn put(path: &Path, text: &str) {
    replace(path, text.as_bytes());
}

/// The same with any bytes.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// What its health server answers.
pub(crate) fn health(edge: &Edge, path: &str) -> Answer {
    // It is said after where the edge is, which is all that its start waits for.
    let port = || {
        let said = edge.said();
        let (port, _) = said
            .split_once("health server on 127.0.0.1:")?
            .1
            .split_once('\n')?;
        port.trim().parse::<u16>().ok()
    };
    until("the health server's port", edge, || port().is_some());
    let mut client = Client::to(([127, 0, 0, 1], port().unwrap()).into());
    client.write(request("GET", path, &[]));
    client.answer("GET")
}
