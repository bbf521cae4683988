//! What the dashboard's page costs whoever looks at it, in headless Chromium: what it loads, when its regions are
//! painted, how long an input waits for the next frame, and whether an hour of events leaves its memory as it was.
//!
//! `cargo bench -p halcyon-tests --bench dashboard`, or with `-- load`, `-- paint`, `-- input` or `-- hour` one of them.
//! It needs `chromium`; `ROUNDS` says how many rounds there are. The figures are in docs/performance.md.

#![allow(missing_docs)]

mod fake;
mod hour;
mod input;
mod load;
mod paint;
mod world;

use std::time::Duration;

use halcyon_tests::browser::Browser;
use serde_json::json;
use world::World;

/// A laptop of today slowed to a cheap one.
const THROTTLED: u32 = 4;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .filter(|one| !one.starts_with('-'))
        .skip(1)
        .collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let rounds = std::env::var("ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let rounds: usize = rounds.unwrap_or(11);
    let Some(browser) = browser() else {
        eprintln!("chromium is not here: nothing was measured");
        std::process::exit(1);
    };
    let world = World::start();
    println!("| | to reach | measured | |");
    println!("|---|---|---|---|");
    if wants("load") {
        load::measure(&browser, &world);
    }
    if wants("paint") {
        paint::measure(&browser, &world, rounds);
    }
    if wants("input") {
        input::measure(&browser, &world, rounds);
    }
    let odd = browser.console();
    drop(browser);
    if wants("hour") {
        // Another browser: the first one's tools keep what went over the network.
        let browser = self::browser().expect("it started before");
        hour::measure(&browser, &world.captured());
    }
    if !odd.is_empty() {
        println!("\nThe console: {odd:?}");
    }
}

fn browser() -> Option<Browser> {
    let browser = Browser::start()?;
    browser.sized(1_280, 900);
    Some(browser)
}

/// Slows the page down from now on; 1 is as it is.
fn throttle(browser: &Browser, rate: u32) {
    browser.tools("Emulation.setCPUThrottlingRate", json!({ "rate": rate }));
}

/// A line of the table of figures.
fn row(what: &str, aim: &str, measured: &str, reached: Option<bool>) {
    let word = match reached {
        Some(true) => "reached",
        Some(false) => "missed",
        None => "",
    };
    println!("| {what} | {aim} | {measured} | {word} |");
}

/// The median, and the lowest and the highest.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    )
}

fn rest(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}
