//! `halcyon demo`, seen from outside: what it says against the files and processes that it leaves or must not leave.

mod demo;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use demo::{played, text};
use halcyon_tests::demo::Demo;
use halcyon_tests::process::Signal;
use serde_json::json;

#[test]
fn the_releases_are_in_the_control_planes_journal_and_in_no_other() {
    let played = played();
    let of = |image: &str| {
        let mut begun = played.journal.iter();
        let begun = begun.find(|record| record["image_tag"] == image);
        let begun = begun.unwrap_or_else(|| panic!("{image} is not on record"));
        (
            text(begun, "release_id"),
            begun["plan"]["by_server"].clone(),
        )
    };
    let fact = |name: &str| text(played.fact(name), "release_id");
    assert_eq!(of("app:v2"), (fact("release_v2"), json!(true)));
    assert_eq!(of("app:v3"), (fact("release_v3"), json!(true)));
    let mut users = played.journal.iter().map(|record| text(record, "user"));
    assert!(users.all(|user| user == "ann"), "as the token says");
    assert_eq!(played.fact("audit")["records"], played.journal.len());
    assert_eq!(played.journals, ["control"], "who else has a journal");
}

#[test]
fn a_version_that_breaks_comes_back_by_itself_and_fails_no_request() {
    let release = played().fact("release_v3");
    assert_eq!(
        (&release["exit"], &release["state"], &release["blue_image"]),
        (&json!(3), &json!("idle"), &json!("app:v2"))
    );
    let reason = text(release, "reason");
    assert!(reason.contains("eu-west: green pool"), "{reason}");
    assert_eq!(release["failed"], 0);
    assert!(release["second_tries"].as_u64() > Some(0));
}

#[test]
fn the_probes_of_the_control_plane_took_the_region_out_and_back() {
    let played = played();
    let changes = played
        .events
        .iter()
        .filter(|event| event["event"] == "health");
    let changes: Vec<_> = changes
        .map(|event| ["region", "from", "to"].map(|name| text(event, name)))
        .collect();
    assert_eq!(
        changes,
        [["us-west", "up", "down"], ["us-west", "down", "up"]]
    );
    let lost = played.fact("failover");
    assert_eq!(lost["reason"], played.events[0]["reason"]);
    assert!(text(lost, "reason").contains("connection refused"));
    // Three probes cannot fail in less than nearly two intervals of 200 ms.
    assert!(lost["table_changed_ms"].as_u64() >= Some(300), "{lost}");
    assert!(
        lost["edge_has_table_ms"].as_u64() >= lost["table_changed_ms"].as_u64(),
        "{lost}"
    );
    let back = played.fact("failback");
    assert!(back["table_changed_ms"].as_u64() >= Some(2_000), "{back}");
    assert_eq!(back["tenants"], lost["tenants"], "who came back");
    assert_eq!(back["tenants"], played.fact("placed")["us-west"]);
}

#[test]
fn a_region_comes_back_on_the_ports_it_had() {
    let log = &played().logs["us-west"];
    let said = |words: &str| -> Vec<String> {
        let lines = log.lines().filter_map(|line| line.split_once(words));
        lines.map(|(_, address)| address.to_owned()).collect()
    };
    for words in ["health server on ", "dashboard on "] {
        let addresses = said(words);
        assert_eq!(addresses.len(), 2, "{log}");
        assert_eq!(addresses[0], addresses[1]);
    }
}

#[test]
fn what_is_held_shows_a_dashboard_with_traffic_going_on_until_ctrl_c() {
    let played = played();
    assert!(played.page.contains("<html"), "{}", played.page);
    let regions = played.state["regions"].as_array().unwrap();
    assert_eq!(regions.len(), 3);
    assert!(regions.iter().all(|region| region["status"] == "up"));
    let before = played.fact("traffic")["requests"].as_u64();
    assert!(played.fact("requests")["served"].as_u64() > before);
    assert_eq!(played.fact("requests")["failed"], 0);
    assert_eq!(played.exit, 0, "Ctrl-C is how it ends");
}

#[test]
fn a_seed_has_the_same_tenants_again() {
    let tenants = |seed: &str| {
        let demo = Demo::start(&["--seed", seed]);
        let tenants = demo.fact("tenants");
        assert_eq!(demo.fact("seed").to_string(), seed);
        tenants
    };
    let seven = tenants("7");
    assert_eq!(seven.as_array().map(Vec::len), Some(10));
    assert_eq!(seven, tenants("7"));
    assert_eq!(seven, *played().fact("tenants"));
    assert_ne!(seven, tenants("8"));
}

#[test]
fn a_port_that_somebody_took_meanwhile_ends_it_and_is_named() {
    let mut demo = Demo::start(&[]);
    let regions = demo.fact("regions");
    let url = text(&regions[1], "url");
    let address = url.strip_prefix("http://").unwrap();
    let begin = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(
            begin.elapsed() < Duration::from_secs(90),
            "it is never lost"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let taken = TcpListener::bind(address).expect("it is free now");
    let ran = demo.ended();
    drop(taken);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("us-west did not start") && ran.stderr.contains(address),
        "{}",
        ran.stderr
    );
}

#[test]
fn ctrl_c_ends_every_process_and_removes_every_file() {
    for moment in ["regions", "placed", "start_canary"] {
        let demo = Demo::start(&[]);
        demo.wait_for(moment);
        let processes = demo.processes();
        assert!(processes.len() >= 3, "{processes:?}");
        // A second one, from somebody in a hurry, must not leave anything behind either.
        demo.signal(Signal::INT);
        demo.signal(Signal::INT);
        let ran = demo.ended_and_left_nothing(&processes);
        assert_eq!(ran.code, 130, "{moment}: {}", ran.stderr);
    }
}

#[test]
fn sigterm_ends_it_as_ctrl_c_does() {
    let demo = Demo::start(&[]);
    demo.wait_for("seed");
    let processes = demo.processes();
    demo.signal(Signal::TERM);
    let ran = demo.ended_and_left_nothing(&processes);
    assert_eq!(ran.code, 143, "{}", ran.stderr);
}

/// What is answered to GET.
fn get(url: &str, path: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("it listens");
    let ask = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).expect("it is asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("it has a body");
    body.to_owned()
}
