//! An hour of events, ten a second, in as little time as the page takes for them: what stays in its memory.

use std::fmt::Write;
use std::time::Instant;

use halcyon_tests::browser::Browser;
use serde_json::{Value, json};

use super::fake::Fake;
use super::world::Captured;
use super::{rest, row};

const EVENTS: usize = 36_000;
/// So many are sent together; the next ones when the page has taken them.
const TOGETHER: usize = 100;

/// What the page holds.
struct Held {
    heap: f64,
    nodes: f64,
    listeners: f64,
}

/// What the stream has said so far.
struct Said<'a> {
    captured: &'a Captured,
    records: usize,
    events: usize,
    states: usize,
}

pub(crate) fn measure(browser: &Browser, captured: &Captured) {
    let fake = Fake::start(captured);
    browser.go(&format!("http://{}/", fake.address));
    browser.settle("document.querySelectorAll('.tile').length === 3 && document.querySelectorAll('.plot canvas').length === 2 && document.querySelector('.chain') !== null");
    browser.tools("Performance.enable", json!({}));
    browser.tools("HeapProfiler.enable", json!({}));
    // What it does once and keeps.
    rest(3_000);
    let mut said = Said {
        captured,
        records: 0,
        events: 0,
        states: 0,
    };
    let mut held = vec![(0, held(browser))];
    let begin = Instant::now();
    for sent in (TOGETHER..=EVENTS).step_by(TOGETHER) {
        let mut text = String::new();
        (0..TOGETHER).for_each(|_| said.one(&mut text));
        fake.say(&text);
        taken(browser, &said);
        // At the first of these the page keeps as many as it ever does.
        if sent == 1_000 || sent % (EVENTS / 4) == 0 {
            held.push((sent, self::held(browser)));
        }
    }
    let took = begin.elapsed().as_secs_f64();
    for (sent, held) in &held {
        row(
            &format!("after {sent} events"),
            "",
            &format!(
                "{:.2} MB of JavaScript, {} nodes, {} listeners",
                held.heap / 1e6,
                held.nodes,
                held.listeners
            ),
            None,
        );
    }
    let (full, last) = (&held[2].1, &held[held.len() - 1].1);
    let grown = (last.heap / full.heap - 1.0) * 100.0;
    row(
        &format!("from {} to {EVENTS} events", held[2].0),
        "+5 %",
        &format!(
            "{grown:+.1} %, {:+} nodes, {:+} listeners ({:.0} events a second)",
            last.nodes - full.nodes,
            last.listeners - full.listeners,
            EVENTS as f64 / took
        ),
        Some(grown <= 5.0),
    );
}

impl Said<'_> {
    /// One event: of ten, six are of regions, three are records, and one is a snapshot.
    fn one(&mut self, text: &mut String) {
        let number = self.records + self.events + self.states;
        let at = format!(
            "2026-11-29T{:02}:{:02}:{:02}.{}00Z",
            number / 36_000,
            number / 600 % 60,
            number / 10 % 60,
            number % 10
        );
        let of = |all: &[Value]| all[number % all.len()].clone();
        let (event, data) = match number % 10 {
            0 => {
                self.states += 1;
                let mut state = self.captured.state.clone();
                state["revision"] = json!(self.records);
                let region = number / 10 % 3;
                state["regions"][region]["state"] = json!("failing 1/3");
                ("state", state)
            }
            1..=3 => {
                self.records += 1;
                let mut record = of(&self.captured.records);
                record["seq"] = json!(self.records);
                record["timestamp"] = json!(at);
                ("audit", record)
            }
            _ => {
                self.events += 1;
                let mut event = of(&self.captured.events);
                event["timestamp"] = json!(at);
                ("region", event)
            }
        };
        let (records, events) = (self.records, self.events);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "id: {records}.{events}\nevent: {event}\ndata: {data}\n\n"
        );
    }
}

/// Waits until the page has taken the last event.
fn taken(browser: &Browser, said: &Said<'_>) {
    let last = said.events;
    let newest = "import('/live.js').then(({ happened }) => Math.max(0, ...happened.value.map(({ number }) => number ?? 0)))";
    let begin = Instant::now();
    while browser.awaited(newest).as_u64() != Some(last as u64) {
        assert!(begin.elapsed().as_secs() < 60, "the page takes no more");
        rest(10);
    }
}

/// What the page holds that it still needs.
fn held(browser: &Browser) -> Held {
    // What it is still at.
    rest(1_500);
    for _ in 0..2 {
        browser.tools("HeapProfiler.collectGarbage", json!({}));
    }
    let said = browser.tools("Performance.getMetrics", json!({}));
    let of = |name: &str| {
        let all = said["metrics"].as_array().unwrap();
        let one = all.iter().find(|one| one["name"] == name).unwrap();
        one["value"].as_f64().unwrap()
    };
    Held {
        heap: of("JSHeapUsedSize"),
        nodes: of("Nodes"),
        listeners: of("JSEventListeners"),
    }
}
