//! Whoever has the table in force may wait for the next one.

use std::time::{Duration, Instant};

use halcyon_tests::process::Signal;
use halcyon_tests::store::Store;

use crate::client::{Answer, Control, open, send};

/// Asks for the table with a tag, and for the answer to wait; answers with it, and with how long that took.
fn wait_for_table(control: &Control, role: &str, tag: &str, prefer: &str) -> (Answer, Duration) {
    let headers = [("If-None-Match", tag), ("Prefer", prefer)];
    let begin = Instant::now();
    let answer = control.ask_with(role, "GET /api/v1/table", &headers, None);
    (answer, begin.elapsed())
}

fn tag_of_the_table(control: &Control) -> String {
    let table = control.ask("Edge", "GET /api/v1/table", None).is(200);
    table.header("etag").unwrap().to_owned()
}

#[test]
fn whoever_waits_for_a_table_gets_it_as_soon_as_there_is_one() {
    let control = Control::start();
    let tag = tag_of_the_table(&control);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for_table(&control, "Edge", &tag, "wait=20"));
        std::thread::sleep(Duration::from_millis(700));
        assert!(!waiting.is_finished());
        let body = Some(r#"{"state":"drain","reason":"x"}"#);
        control
            .ask("Deployer", "PUT /api/v1/regions/us-east/override", body)
            .is(200);
        let (answer, took) = waiting.join().unwrap();
        assert_eq!(
            (answer.status, answer.header("preference-applied")),
            (200, Some("wait=20"))
        );
        assert_ne!(answer.header("etag"), Some(tag.as_str()));
        assert_eq!(answer.json()["regions"][0]["status"], "draining");
        assert!(took < Duration::from_secs(15), "{took:?}");
    });
}

#[test]
fn whoever_leaves_waits_no_longer_and_gives_its_place_back() {
    let control = Control::start();
    let tag = tag_of_the_table(&control);
    let files = || {
        let all = std::fs::read_dir(format!("/proc/{}/fd", control.server.id()));
        all.unwrap().count()
    };
    let before = files();
    let wait = |role, line| {
        let bearer = format!("Bearer {}", control.secret(role));
        let headers = [
            ("Authorization", bearer.as_str()),
            ("If-None-Match", &tag),
            ("Prefer", "wait=30"),
        ];
        open(control.address(), line, &headers, None)
    };
    let mut all: Vec<_> = (0..30).map(|_| wait("Edge", "GET /api/v1/table")).collect();
    all.extend((0..30).map(|_| wait("Viewer", "GET /api/v1/stream")));
    let until = |what: &str, so: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !so() {
            // Far from the end of any wait, and from what a stream says where nothing happens.
            assert!(
                begin.elapsed() < Duration::from_secs(5),
                "{what}: {}",
                files()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // A connection of before may only now be gone.
    until("all to wait", &|| files() >= before + 55);
    std::thread::sleep(Duration::from_millis(500));
    assert!(files() >= before + 55, "they wait");
    drop(all);
    until("all to be gone", &|| files() < before + 5);
}

#[test]
fn a_wait_ends_with_its_time_and_what_is_none_is_not_waited_for() {
    let control = Control::start();
    let tag = tag_of_the_table(&control);
    let (answer, took) = wait_for_table(&control, "Edge", &tag, "respond-async, wait=1");
    assert_eq!(
        (answer.status, answer.header("preference-applied")),
        (304, Some("wait=1"))
    );
    assert!(took >= Duration::from_secs(1), "{took:?}");
    for prefer in ["wait=soon", "wait=0", "return=minimal"] {
        let (answer, _) = wait_for_table(&control, "Edge", &tag, prefer);
        assert_eq!(
            (answer.status, answer.header("preference-applied")),
            (304, None),
            "{prefer}"
        );
    }
    // There is nothing to wait for where the client has another one.
    let (answer, _) = wait_for_table(&control, "Edge", "\"1\"", "wait=20");
    assert_eq!(
        (answer.status, answer.header("preference-applied")),
        (200, Some("wait=20"))
    );
}

#[test]
fn who_waits_is_told_when_the_server_ends_and_when_its_token_is_taken_away() {
    let control = Control::start();
    let tag = tag_of_the_table(&control);
    let address = control.address();
    let bearer = format!("Bearer {}", control.secret("Edge"));
    let wait = |tag: String, bearer: String| {
        std::thread::spawn(move || {
            let headers = [
                ("Authorization", bearer.as_str()),
                ("If-None-Match", tag.as_str()),
                ("Prefer", "wait=30"),
            ];
            let begin = Instant::now();
            let answer = send(address, "GET /api/v1/table", &headers, None);
            (answer, begin.elapsed())
        })
    };
    let ending = wait(tag.clone(), bearer.clone());
    std::thread::sleep(Duration::from_millis(300));
    control.server.signal(Signal::TERM);
    let (answer, took) = ending.join().unwrap();
    assert_eq!(answer.status, 304);
    assert!(took < Duration::from_secs(10), "{took:?}");

    let control = Control::start();
    let tag = tag_of_the_table(&control);
    let file = control.store.dir().join("tokens.toml");
    let tokens = std::fs::read_to_string(&file).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for_table(&control, "Edge", &tag, "wait=20"));
        std::thread::sleep(Duration::from_millis(300));
        let others = tokens
            .split("[[token]]")
            .filter(|one| !one.contains("\"Edge\""));
        std::fs::write(&file, others.collect::<Vec<_>>().join("[[token]]")).unwrap();
        // That is seen within a second. Then something changes.
        std::thread::sleep(Duration::from_millis(1_500));
        let body = Some(r#"{"state":"drain","reason":"x"}"#);
        control
            .ask("Deployer", "PUT /api/v1/regions/us-east/override", body)
            .is(200);
        let (answer, _) = waiting.join().unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
    });
}

#[test]
fn an_edge_that_asks_seldom_has_the_next_table_at_once() {
    let control = Control::start();
    let files = Store::new();
    let table = format!("http://{}/api/v1/table", control.address());
    let secret = control.secret("Edge");
    let edge = files.start_with(
        &["edge", "--health-bind", "127.0.0.1"],
        &[
            ("EDGE_TABLE", &table),
            ("TABLE_TOKEN", &secret),
            ("TABLE_REFRESH_MS", "30000"),
            ("EDGE_PORT", "0"),
            ("HEALTH_PORT", "0"),
            ("DRAIN_MS", "0"),
        ],
    );
    let until_tables = |many: usize| {
        let begin = Instant::now();
        while edge.stderr().matches("is in force").count() < many {
            let late = begin.elapsed() > Duration::from_secs(15);
            assert!(!late, "{many}: {}", edge.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until_tables(1);
    for (many, region) in (2..).zip(["us-east", "us-west"]) {
        // It is waiting again by then.
        std::thread::sleep(Duration::from_millis(600));
        let line = format!("PUT /api/v1/regions/{region}/override");
        let body = Some(r#"{"state":"drain","reason":"x"}"#);
        control.ask("Deployer", &line, body).is(200);
        until_tables(many);
    }
}
