//! The regions are watched, and tenants go by what is seen.

use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::{Serving, Signal};
use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Store, json_lines};
use serde_json::Value;

use crate::wire::get;

const NAMES: [&str; 3] = ["us-east", "us-west", "eu-west"];

/// Three regions, and a server that watches them.
struct Watched {
    regions: Vec<Region>,
    store: Store,
    server: Serving,
    variables: Vec<(String, String)>,
}

impl Watched {
    fn with(variables: &[(&str, &str)]) -> Self {
        let regions: Vec<Region> = NAMES.iter().map(|_| Region::ready()).collect();
        let endpoints = NAMES.iter().zip(&regions);
        let endpoints = endpoints.map(|(name, region)| format!("{name}=http://{}", region.at()));
        let endpoints: Vec<String> = endpoints.collect();
        let endpoints = endpoints.join(",");
        let store = Store::new();
        let mut all = vec![
            ("REGIONS", "us-east,us-west,eu-west"),
            ("TENANT_STICKY", "hash"),
            ("FEATURE_MULTI_REGION", "true"),
            ("REGION_ENDPOINTS", endpoints.as_str()),
            ("PROBE_INTERVAL_MS", "50"),
            ("PROBE_TIMEOUT_MS", "1000"),
            ("FAILBACK_HOLD_MS", "500"),
        ];
        all.retain(|(name, _)| variables.iter().all(|(other, _)| other != name));
        all.extend(variables);
        let server = crate::api::serve(&store, &all);
        let owned = all.iter();
        let owned = owned.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables = owned.collect();
        Self {
            regions,
            store,
            server,
            variables,
        }
    }

    fn kill(&mut self) {
        self.server.signal(Signal::KILL);
        self.server.wait(Duration::from_secs(10)).unwrap();
    }

    /// Starts another server on the store.
    fn another(&mut self) {
        let variables = self.variables.iter();
        let variables: Vec<(&str, &str)> = variables
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.server = crate::api::serve(&self.store, &variables);
    }

    /// For how long a region was down today, in milliseconds, and how often.
    fn downtime(&self, place: usize) -> (u64, u64) {
        let probes = get(self.server.dashboard(), "/api/v1/probes").json();
        let region = &probes["regions"][place];
        let number = |name: &str| region[name].as_u64().unwrap();
        (number("down_ms"), number("downs"))
    }

    fn start() -> Self {
        Self::with(&[])
    }

    fn table(&self) -> Value {
        get(self.server.dashboard(), "/api/v1/table").json()
    }

    fn statuses(&self) -> Vec<String> {
        let table = self.table();
        let regions = table["regions"].as_array().unwrap().iter();
        regions
            .map(|region| region["status"].as_str().unwrap().to_owned())
            .collect()
    }

    fn until(&self, statuses: [&str; 3]) {
        let begin = Instant::now();
        while self.statuses() != statuses {
            let late = begin.elapsed() > Duration::from_secs(20);
            assert!(!late, "waited for {statuses:?}: {:?}", self.statuses());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Until each region has been asked so many times more.
    fn rounds(&self, more: usize) {
        let asked = || self.regions.iter().map(|region| region.asked().len()).min();
        let before = asked().unwrap();
        let begin = Instant::now();
        while asked().unwrap() < before + more {
            assert!(begin.elapsed() < Duration::from_secs(20), "probes");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn events(&self) -> Vec<Value> {
        let path = self.store.logs().join("region_events.jsonl");
        json_lines(&std::fs::read_to_string(path).unwrap_or_default())
    }

    fn region_of(&self, tenant: &str) -> String {
        let path = format!("/api/v1/route?tenant={tenant}");
        let answer = get(self.server.dashboard(), &path).json();
        answer["region"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_region_that_is_gone_is_down_in_the_next_table_and_its_tenants_go_elsewhere_and_back() {
    let watched = Watched::start();
    watched.until(["up", "up", "up"]);
    assert_eq!(watched.region_of("tenant123"), "us-west");
    let before = watched.table();
    watched.regions[1].answer(Answer::Close);
    watched.until(["up", "down", "up"]);
    assert_eq!(watched.region_of("tenant123"), "eu-west");
    let table = watched.table();
    assert!(table["epoch"].as_u64() > before["epoch"].as_u64());
    assert!(watched.regions[1].asked().len() >= 3, "not by one failure");
    let events = watched.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!(
        [
            &event["event"],
            &event["region"],
            &event["from"],
            &event["to"]
        ],
        ["health", "us-west", "up", "down"]
    );
    assert!(!event["reason"].as_str().unwrap().is_empty());
    assert!(event["timestamp"].as_str().unwrap().ends_with('Z'));
    let back = Instant::now();
    watched.regions[1].answer(Answer::Ready);
    watched.until(["up", "up", "up"]);
    assert!(
        back.elapsed() >= Duration::from_millis(450),
        "the hold-down"
    );
    assert_eq!(watched.region_of("tenant123"), "us-west");
    let events = watched.events();
    assert_eq!(
        (&events[1]["from"], &events[1]["to"]),
        (&"down".into(), &"up".into())
    );
    assert!(watched.server.stderr().contains("watching 3 regions"));
}

#[test]
fn what_is_not_ready_or_says_something_else_is_down() {
    for answer in [
        Answer::NotReady("db"),
        Answer::Body("<html>"),
        Answer::Redirect("http://127.0.0.1:1/".into()),
        Answer::Body("{\"status\":\"ok\"}"),
    ] {
        let watched = Watched::start();
        watched.regions[2].answer(answer);
        watched.until(["up", "up", "down"]);
    }
}

#[test]
fn a_region_that_does_not_answer_in_time_is_down_and_holds_up_no_other_probe() {
    let watched = Watched::with(&[("PROBE_TIMEOUT_MS", "300")]);
    watched.regions[0].answer(Answer::Silent);
    watched.until(["down", "up", "up"]);
    let events = watched.events();
    let why = events[0]["reason"].as_str().unwrap();
    assert!(why.starts_with("timeout: 300 ms"), "{why}");
    let [slow, fast] = [0, 1].map(|place| watched.regions[place].asked().len());
    assert!(fast > 2 * slow, "{fast} against {slow}");
}

#[test]
fn where_every_region_seems_gone_none_is_taken_out() {
    let watched = Watched::start();
    watched.rounds(2);
    for region in &watched.regions {
        region.answer(Answer::Close);
    }
    watched.rounds(20);
    assert_eq!(watched.statuses(), ["up", "up", "up"]);
    assert_eq!(watched.events(), [Value::Null; 0]);
    assert!(
        watched
            .server
            .stderr()
            .contains("no region passes its probe")
    );
}

#[test]
fn two_of_three_are_taken_out_after_three_times_as_many_failures() {
    let watched = Watched::start();
    watched.rounds(2);
    let before = watched.regions[0].asked().len();
    for region in &watched.regions[..2] {
        region.answer(Answer::Close);
    }
    watched.until(["down", "down", "up"]);
    assert!(watched.regions[0].asked().len() - before >= 9);
}

#[test]
fn a_server_that_drains_watches_nobody_any_more() {
    let watched = Watched::with(&[("DRAIN_MS", "3000")]);
    watched.rounds(3);
    watched.server.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(500));
    let asked = || {
        watched
            .regions
            .iter()
            .map(|region| region.asked().len())
            .sum::<usize>()
    };
    let before = asked();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(asked(), before);
    assert_eq!(watched.statuses(), ["up", "up", "up"]);
}

#[test]
fn nobody_is_asked_where_regions_are_not_this_programs_business() {
    let watched = Watched::with(&[("FEATURE_MULTI_REGION", "false")]);
    watched.regions[1].answer(Answer::Close);
    thread::sleep(Duration::from_millis(600));
    assert_eq!(watched.statuses(), ["up", "up", "up"]);
    assert!(
        watched
            .regions
            .iter()
            .all(|region| region.asked().is_empty())
    );
    assert!(!watched.server.stderr().contains("watching"));
}

#[test]
fn downtime_is_counted_over_restarts_and_ends_where_a_server_begins_with_the_region_up() {
    let mut watched = Watched::start();
    watched.until(["up", "up", "up"]);
    assert_eq!(watched.downtime(1), (0, 0));
    watched.regions[1].answer(Answer::Close);
    watched.until(["up", "down", "up"]);
    thread::sleep(Duration::from_millis(300));
    watched.kill();
    // Nobody watches it, and to every edge it is down.
    watched.regions[1].answer(Answer::Ready);
    thread::sleep(Duration::from_millis(500));
    watched.another();
    watched.until(["up", "up", "up"]);
    let (ms, times) = watched.downtime(1);
    assert!(times == 1 && ms >= 800, "{ms} {times}");
    let begin = Instant::now();
    let last = loop {
        let last = watched.events().pop().unwrap();
        if last["to"] == "up" {
            break last;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{last}");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(
        last["reason"],
        "a server began, which has not probed it yet"
    );
    thread::sleep(Duration::from_millis(700));
    // Up is not down, however often a server begins.
    watched.kill();
    watched.another();
    let (now, times) = watched.downtime(1);
    // By when it was put on record, and not by when it was so.
    assert!(times == 1 && now.abs_diff(ms) < 400, "{now} {ms}");
}
