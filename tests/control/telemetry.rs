//! What a real edge counts of real requests: told once, kept, and what a release is judged by.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use halcyon_tests::process::{Signal, unused_port};
use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Running, Store};
use serde_json::{Value, json};

use crate::client::{Control, NAMES, send};
use crate::command_line::Elsewhere;

/// A control plane on a port that stays, the pools of its regions, and an edge that it tells where they are.
struct World {
    control: Control,
    /// Blue and green of each region.
    pools: Vec<[Region; 2]>,
    edge: Running,
    at: SocketAddr,
    _files: Store,
}

impl World {
    fn start() -> Self {
        let files = Store::new();
        let pools: Vec<[Region; 2]> = NAMES.map(|_| [Region::ready(), Region::ready()]).into();
        let topology = NAMES.iter().zip(&pools).map(|(name, [blue, green])| {
            let (blue, green) = (blue.at(), green.at());
            format!("[[region]]\nname = \"{name}\"\nblue = \"http://{blue}\"\ngreen = \"http://{green}\"\n")
        });
        let path = files.dir().join("topology.toml");
        std::fs::write(&path, topology.collect::<String>()).unwrap();
        let port = unused_port().to_string();
        let control = Control::with(&[
            ("DASHBOARD_PORT", &port),
            ("HALCYON_TOPOLOGY", path.to_str().unwrap()),
        ]);
        let (edge, at) = edge(&files, &control);
        Self {
            control,
            pools,
            edge,
            at,
            _files: files,
        }
    }

    /// Sends so many requests, each of another tenant.
    fn sends(&self, many: u64) {
        (0..many).for_each(|number| ask(self.at, number));
    }

    /// Requests that come for as long as this is kept.
    fn crowd(&self) -> Crowd {
        let (at, over, sent) = (
            self.at,
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (ending, counting) = (over.clone(), sent.clone());
        let asking = thread::spawn(move || {
            while !ending.load(Ordering::SeqCst) {
                ask(at, counting.fetch_add(1, Ordering::SeqCst));
                thread::sleep(Duration::from_millis(2));
            }
        });
        Crowd {
            over,
            asking: Some(asking),
        }
    }

    /// How many requests the control plane knows of, and how many failed.
    fn known(&self) -> (u64, u64) {
        let series = self
            .control
            .ask("Viewer", "GET /api/v1/series?by=pool", None);
        let series = series.is(200).json();
        let sum = |of: &str| -> u64 {
            let lines = series["series"].as_array().unwrap().iter();
            let values = lines.flat_map(|line| line[of].as_array().unwrap().iter());
            values.filter_map(Value::as_u64).sum()
        };
        (sum("requests"), sum("errors"))
    }

    fn until_known(&self, requests: u64) {
        let begin = Instant::now();
        while self.known().0 < requests {
            let late = begin.elapsed() > Duration::from_secs(10);
            assert!(
                !late,
                "{:?} of {requests}: {}",
                self.known(),
                self.edge.stderr()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn begin(&self, more: &Value) -> String {
        let mut wish = json!({
            "image_blue": "app:v1", "image_green": "app:v2", "canary_seq": [50],
            "abort_on_err": true, "timeout_s": 1,
        });
        wish.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let wish = wish.to_string();
        let begun = self
            .control
            .ask("Deployer", "POST /api/v1/releases", Some(&wish));
        begun.is(202).json()["release_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn pass(&self) -> Value {
        let records = self.control.records();
        let passed = records
            .iter()
            .rfind(|record| record["action"] == "step_passed");
        passed.unwrap().clone()
    }
}

struct Crowd {
    over: Arc<AtomicBool>,
    asking: Option<JoinHandle<()>>,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.asking.take().map(JoinHandle::join);
    }
}

fn edge(files: &Store, control: &Control) -> (Running, SocketAddr) {
    let table = format!("http://{}/api/v1/table", control.address());
    let secret = control.secret("Edge");
    let variables = [
        ("EDGE_TABLE", table.as_str()),
        ("TABLE_TOKEN", &secret),
        ("TABLE_REFRESH_MS", "100"),
        ("EDGE_TELEMETRY_MS", "200"),
        ("EDGE_PORT", "0"),
        ("HEALTH_PORT", "0"),
        ("DRAIN_MS", "0"),
        // What fails here shall be counted, and not be passed over.
        ("EDGE_BREAKER", "false"),
    ];
    let edge = files.start_with(&["edge", "--health-bind", "127.0.0.1"], &variables);
    let begin = Instant::now();
    loop {
        let said = edge.stderr();
        let at = said
            .split("edge on http://")
            .nth(1)
            .and_then(|rest| rest.split('\n').next());
        if let Some(at) = at.filter(|_| said.contains("is in force")) {
            return (edge, at.trim().parse().unwrap());
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{said}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn ask(edge: SocketAddr, number: u64) {
    let tenant = format!("tenant-{}", number % 997);
    send(edge, "GET /work", &[("x-tenant", &tenant)], None);
}

#[test]
fn every_request_is_counted_once_though_the_server_is_killed_and_away_for_a_while() {
    let mut world = World::start();
    world.sends(200);
    world.until_known(200);
    let state = world.control.state();
    assert_eq!(state["edges"], 1);
    let seen = state["regions"].as_array().unwrap().iter();
    let seen: u64 = seen
        .map(|region| region["traffic"]["requests"].as_u64().unwrap())
        .sum();
    assert_eq!((seen, world.known()), (200, (200, 0)));
    world.control.server.signal(Signal::KILL);
    world.control.server.wait(Duration::from_secs(10)).unwrap();
    world.pools[1][0].answer(Answer::Broken);
    world.sends(150);
    thread::sleep(Duration::from_millis(600));
    world.control.restarted();
    world.until_known(150);
    // What the process knew has gone with it; what came meanwhile has not.
    thread::sleep(Duration::from_millis(500));
    let (requests, errors) = world.known();
    assert_eq!(requests, 150);
    assert!(errors > 20, "those of one region: {errors}");
}

#[test]
fn the_last_counts_of_an_edge_are_told_before_it_ends() {
    let world = World::start();
    world.sends(10);
    world.until_known(10);
    world.sends(30);
    world.edge.signal(Signal::TERM);
    world.until_known(40);
}

#[test]
fn what_nobody_has_counted_is_null_and_never_zero() {
    let world = World::start();
    let series = |query: &str| {
        let line = format!("GET /api/v1/series{query}");
        world.control.ask("Viewer", &line, None)
    };
    let empty = series("").is(200).json();
    assert_eq!((&empty["step_s"], &empty["edges"]), (&json!(15), &json!(0)));
    assert_eq!(empty["at"].as_array().unwrap().len(), 240);
    for line in empty["series"].as_array().unwrap() {
        for of in ["requests", "errors", "p50_us", "p95_us", "p99_us"] {
            let values = line[of].as_array().unwrap();
            assert!(
                values.len() == 240 && values.iter().all(Value::is_null),
                "{line}"
            );
        }
    }
    assert_eq!(world.control.state()["regions"][0]["traffic"], Value::Null);
    let lines = |by: &str| {
        let series = series(&format!("?by={by}&last_s=86400")).is(200).json();
        let lines = series["series"].as_array().unwrap().iter();
        lines
            .map(|line| (line["region"].clone(), line["slot"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines("slot"),
        [(Value::Null, json!("blue")), (Value::Null, json!("green"))]
    );
    assert_eq!(lines("pool").len(), 6);
    assert_eq!(lines("region")[2], (json!("eu-west"), Value::Null));
    let wrong = series("?by=tenant&last_s=5").problem(400);
    assert!(
        wrong.contains("last_s is wrong") && wrong.contains("by is wrong"),
        "{wrong}"
    );
}

#[test]
fn a_report_that_is_none_is_refused_with_everything_wrong_in_it() {
    let control = Control::start();
    let post = |body: &str| control.ask("Edge", "POST /api/v1/telemetry", Some(body));
    let good = r#"{"edge":"e","batches":[{"seq":1,"age_ms":0,"lasted_ms":1,"cells":[
        {"region":"us-east","slot":"blue","requests":2,"errors":1,"latency":[[100,2]]},
        {"region":"mars","slot":"blue","requests":1,"errors":0,"latency":[[100,1]]}]}]}"#;
    assert!(post(good).is(204).body.is_empty());
    let series = control
        .ask("Viewer", "GET /api/v1/series?by=slot", None)
        .json();
    let blue = series["series"][0]["requests"].as_array().unwrap().iter();
    assert_eq!(
        blue.filter_map(Value::as_u64).sum::<u64>(),
        2,
        "mars is no region here"
    );
    let why = post(r#"{"edge":"","batches":7}"#).problem(400);
    assert!(
        why.contains("\"edge\"") && why.contains("\"batches\""),
        "{why}"
    );
    let why = post(&good.replace("\"errors\":1", "\"errors\":3")).problem(400);
    assert!(
        why.contains("batch 1, cell 1") && why.contains("0 to 2"),
        "{why}"
    );
    let long = format!(r#"{{"edge":"{}"}}"#, "e".repeat(1 << 20));
    assert_eq!(post(&long).status, 413);
}

#[test]
fn no_data_holds_a_step_and_traffic_that_is_good_lets_it_pass() {
    let world = World::start();
    world.begin(&json!({"max_error_rate": 0.05, "max_p95_ms": 2_000}));
    world.control.until("the canary", |state| {
        state["release"]["canary_weight"] == 50
    });
    thread::sleep(Duration::from_secs(3));
    let state = world.control.state();
    assert_eq!(
        state["release"]["state"], "canary",
        "it has baked, and nothing is known"
    );
    assert_eq!(state["traffic"]["verdict"], "inconclusive");
    assert!(
        state["traffic"]["why"]
            .as_str()
            .unwrap()
            .starts_with("no requests on green so far")
    );
    assert!(world.control.server.stderr().contains("waits for traffic"));
    let viewer = Elsewhere::of(&world.control, "Viewer");
    let status = viewer.run(&["status"]).exits(0);
    assert!(
        status.stdout.contains("traffic   no requests on green"),
        "{}",
        status.stdout
    );
    let watching = Elsewhere::of(&world.control, "Deployer");
    let watching = watching.start(&["release", "--resume"]);
    thread::sleep(Duration::from_secs(2));
    assert!(
        watching
            .stderr()
            .contains("step 50 % has baked and waits for traffic"),
        "{}",
        watching.stderr()
    );
    let _crowd = world.crowd();
    world
        .control
        .until("its end", |state| state["release"]["state"] == "green_live");
    let traffic = &world.pass()["traffic"];
    assert!(
        traffic["requests"].as_u64().unwrap() >= 20 && traffic["errors"] == 0,
        "{traffic}"
    );
}

#[test]
fn errors_of_green_in_one_region_stop_a_step_and_take_the_release_back() {
    let world = World::start();
    let crowd = world.crowd();
    let elsewhere = Elsewhere::of(&world.control, "Deployer");
    let running = elsewhere.start(&[
        "release",
        "--image-blue",
        "app:v1",
        "--image-green",
        "app:v2",
        "--canary-seq",
        "10,50",
        "--region",
        "us-east",
        "--region",
        "us-west",
        "--region",
        "eu-west",
        "--timeout-s",
        "60",
        "--abort-on-err",
        "--max-error-rate",
        "2%",
    ]);
    world.control.until("the canary", |state| {
        state["release"]["canary_weight"] == 10
    });
    // Every probe goes on being good.
    world.pools[2][1].answer(Answer::ReadyBut(Box::new(Answer::Broken)));
    let ran = running.ended_within(Duration::from_secs(40)).exits(3);
    let why = world
        .control
        .records()
        .into_iter()
        .find(|record| record["action"] == "rollback_to_blue");
    let why = why.unwrap()["reason"].as_str().unwrap().to_owned();
    assert!(why.starts_with("step 10% failed in eu-west: "), "{why}");
    assert!(
        why.contains("requests failed") && why.contains("(allowed: 2 %)"),
        "{why}"
    );
    assert!(ran.stdout.contains("eu-west"), "{}", ran.stdout);
    assert_eq!(world.control.state()["release"]["blue_image"], "app:v1");
    drop(crowd);
}

#[test]
fn a_green_that_hangs_is_found_though_its_clients_give_up() {
    let world = World::start();
    let crowd = world.crowd();
    world.begin(&json!({"max_error_rate": 0.02, "timeout_s": 60}));
    world.control.until("the canary", |state| {
        state["release"]["canary_weight"] == 50
    });
    // Whoever waits as long as the edge does would be told of a failure, and count it that way.
    drop(crowd);
    for pools in &world.pools {
        pools[1].answer(Answer::ReadyBut(Box::new(Answer::Silent)));
    }
    let at = world.at;
    for round in 0..8 {
        let asking = (0..12).map(|number| {
            thread::spawn(move || {
                let tenant = format!("tenant-{}", round * 12 + number);
                let asked =
                    format!("GET /work HTTP/1.1\r\nHost: localhost\r\nx-tenant: {tenant}\r\n\r\n");
                let mut stream = TcpStream::connect(at).unwrap();
                stream.write_all(asked.as_bytes()).unwrap();
                // And gone, long before the edge would have.
                thread::sleep(Duration::from_millis(700));
                drop(stream);
            })
        });
        asking
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|one| one.join().unwrap());
    }
    world
        .control
        .until("its end", |state| state["release"]["state"] == "idle");
    let records = world.control.records();
    let why = records
        .iter()
        .find(|record| record["action"] == "rollback_to_blue")
        .unwrap();
    let why = why["reason"].as_str().unwrap();
    assert!(why.contains("requests failed"), "{why}");
}

#[test]
fn a_step_is_not_passed_by_its_first_moments_when_nobody_reports_any_more() {
    let mut world = World::start();
    world.begin(&json!({"max_error_rate": 0.05, "timeout_s": 4}));
    world.control.until("the canary", |state| {
        state["release"]["canary_weight"] == 50
    });
    thread::sleep(Duration::from_millis(300));
    world.sends(200);
    world.control.until("traffic that is good", |state| {
        state["traffic"]["verdict"] == "good"
    });
    // Without a word: the last report is from before the end of the bake.
    world.edge.signal(Signal::KILL);
    thread::sleep(Duration::from_secs(6));
    assert_eq!(world.control.state()["release"]["state"], "canary");
    assert!(
        world
            .control
            .server
            .stderr()
            .contains("no edge has reported since")
    );
    (world.edge, world.at) = edge(&world._files, &world.control);
    world.sends(50);
    world
        .control
        .until("its end", |state| state["release"]["state"] == "green_live");
}

#[test]
fn a_green_that_is_slow_stops_a_step_though_nothing_fails() {
    let world = World::start();
    let _crowd = world.crowd();
    for pools in &world.pools {
        pools[1].answer(Answer::Late(Duration::from_millis(150)));
    }
    world.begin(&json!({"max_p95_ms": 50, "timeout_s": 60}));
    let state = world
        .control
        .until("its end", |state| state["release"]["state"] == "idle");
    assert_eq!(state["release"]["blue_image"], "app:v1");
    let records = world.control.records();
    let why = records
        .iter()
        .find(|record| record["action"] == "rollback_to_blue")
        .unwrap();
    let why = why["reason"].as_str().unwrap();
    assert!(
        why.contains("took longer than 50 ms") && why.contains("(allowed: 5 %)"),
        "{why}"
    );
}

#[test]
fn the_same_tenants_are_counted_on_blue_before_they_are_on_green() {
    let world = World::start();
    let _crowd = world.crowd();
    world.begin(&json!({"canary_seq": [0, 20], "timeout_s": 3}));
    world
        .control
        .until("nobody on green, and what blue does", |state| {
            state["release"]["state"] == "canary"
                && state["traffic"]["green"]["requests"] == 0
                && state["traffic"]["blue"]["requests"].as_u64() > Some(100)
        });
    let state = world.control.until("green", |state| {
        state["traffic"]["green"]["requests"].as_u64() > Some(20)
    });
    let traffic = &state["traffic"];
    let before = traffic["before"]["requests"].as_u64().unwrap();
    // A fifth of the tenants, within what a few hundred of them allow.
    let all = world.known().0;
    assert!(before > 20 && before < all / 2, "{traffic} of {all}");
    assert_eq!(traffic["verdict"], Value::Null, "no limits, no verdict");
}

#[test]
fn limits_are_refused_where_nobody_could_keep_to_them() {
    let store = Store::new();
    let release = |more: &[&str]| {
        let own = [
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--canary-seq",
            "10",
            "--region",
            "127.0.0.1:1",
        ];
        store
            .run_with(&[&own, more].concat(), &[("DEPLOY_RBAC_ROLE", "Deployer")])
            .exits(2)
            .stderr
    };
    let why = release(&["--max-error-rate", "1%"]);
    assert!(
        why.contains("--max-error-rate: edges report what they see to a control plane"),
        "{why}"
    );
    assert!(why.contains("allowed: with --abort-on-err"), "{why}");
    let why = release(&[
        "--abort-on-err",
        "--max-error-rate",
        "1",
        "--max-p95",
        "0ms",
    ]);
    assert!(
        why.contains("--max-error-rate: \"1\" is no share of requests"),
        "{why}"
    );
    assert!(
        why.contains("--max-p95: \"0ms\" is no latency; allowed: whole milliseconds"),
        "{why}"
    );
    assert!(!store.logs().exists());
    let control = Control::start();
    let wish = r#"{"image_blue":"a","image_green":"b","canary_seq":[10],"max_error_rate":2}"#;
    let why = control
        .ask("Deployer", "POST /api/v1/releases", Some(wish))
        .problem(400);
    assert!(
        why.contains("\"max_error_rate\" = 2") && why.contains("\"abort_on_err\""),
        "{why}"
    );
}
