//! Everything as it happens, and what was missed.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use halcyon_tests::process::Signal;
use serde_json::{Value, json};

use crate::client::{Control, open};

/// One event.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

/// A stream of events, behind its head.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(control: &Control, role: &str, last: Option<&str>) -> Self {
        let bearer = format!("Bearer {}", control.secret(role));
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(last.map(|last| ("Last-Event-ID", last)));
        let stream = open(control.address(), "GET /api/v1/stream", &headers, None);
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        let mut head = String::new();
        while line != "\r\n" {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "{head}");
            head += &line;
        }
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"),
            "{head}"
        );
        Self(reader)
    }

    /// The next event; nothing where the stream is over.
    fn next(&mut self) -> Option<Event> {
        let mut fields: Vec<(String, String)> = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            match line.split_once(": ") {
                // The frames of chunks are not looked at.
                Some((name @ ("id" | "event" | "data"), value)) => {
                    fields.push((name.into(), value.into()));
                }
                _ if line.is_empty() && fields.iter().any(|(name, _)| name == "data") => {
                    let field = |name: &str| {
                        let found = fields.iter().find(|(known, _)| known == name);
                        found.map(|(_, value)| value.clone()).unwrap()
                    };
                    return Some(Event {
                        id: field("id"),
                        name: field("event"),
                        data: serde_json::from_str(&field("data")).unwrap(),
                    });
                }
                _ => {}
            }
        }
    }

    fn until(&mut self, so: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next().unwrap();
            if so(&event) {
                return event;
            }
        }
    }
}

fn drain(control: &Control, region: &str, reason: &str) {
    let line = format!("PUT /api/v1/regions/{region}/override");
    let body = json!({"state":"drain","reason":reason}).to_string();
    control.ask("Deployer", &line, Some(&body)).is(200);
}

fn note(control: &Control, reason: &str) {
    let body = json!({ "reason": reason }).to_string();
    control
        .ask("Deployer", "POST /api/v1/release/rollback", Some(&body))
        .is(200);
}

#[test]
fn a_stream_begins_with_the_snapshot_and_tells_of_each_change() {
    let control = Control::start();
    let mut events = Events::of(&control, "Viewer", None);
    let first = events.next().unwrap();
    assert_eq!((first.name.as_str(), first.id.as_str()), ("state", "0.0"));
    assert_eq!(first.data, control.state());
    drain(&control, "us-east", "x\u{2028}\n<script>");
    let region = events.next().unwrap();
    assert_eq!(
        (region.name.as_str(), region.id.as_str()),
        ("region", "0.1")
    );
    assert_eq!(region.data["reason"], "x\u{2028}\n<script>");
    let state = events.next().unwrap();
    assert_eq!(state.data["regions"][0]["status"], "draining");
    note(&control, "nothing to go back from");
    let audit = events.until(|event| event.name == "audit");
    assert_eq!(
        (audit.id.as_str(), &audit.data["action"]),
        ("1.1", &json!("rollback_to_blue"))
    );
    assert_eq!(
        audit.data["hash"],
        control.records()[0]["hash"],
        "as it stands in the file"
    );
}

#[test]
fn who_comes_back_gets_what_was_missed_over_a_restart_too() {
    let mut control = Control::start();
    note(&control, "one");
    drain(&control, "us-east", "two");
    let mut events = Events::of(&control, "Viewer", None);
    assert_eq!(events.next().unwrap().id, "1.1");
    drop(events);
    note(&control, "three");
    drain(&control, "us-west", "four");
    control.killed_and_restarted();
    let mut events = Events::of(&control, "Viewer", Some("1.1"));
    let missed = [
        events.next().unwrap(),
        events.next().unwrap(),
        events.next().unwrap(),
    ];
    let seen: Vec<(&str, &str)> = missed
        .iter()
        .map(|event| (event.name.as_str(), event.id.as_str()))
        .collect();
    assert_eq!(
        seen,
        [("audit", "2.1"), ("region", "2.2"), ("state", "2.2")]
    );
    assert_eq!(
        (&missed[0].data["reason"], &missed[1].data["reason"]),
        (&json!("three"), &json!("four"))
    );
    let mut events = Events::of(&control, "Viewer", Some("2.2"));
    assert_eq!(events.next().unwrap().name, "state", "nothing was missed");
}

#[test]
fn a_place_that_is_none_of_this_store_is_said_and_followed_by_the_snapshot() {
    let control = Control::start();
    for last in [
        "7.0",
        "0.7",
        "x",
        "",
        "1",
        "18446744073709551615.18446744073709551615",
    ] {
        let mut events = Events::of(&control, "Viewer", Some(last));
        let first = events.next().unwrap();
        assert_eq!(
            (first.name.as_str(), first.id.as_str()),
            ("reset", "0.0"),
            "{last}"
        );
        assert_eq!(events.next().unwrap().name, "state");
    }
}

#[test]
fn a_stream_ends_with_the_server_and_does_not_hold_it_up() {
    let mut control = Control::start();
    let mut events = Events::of(&control, "Viewer", None);
    events.next().unwrap();
    control.server.signal(Signal::TERM);
    let ended = control
        .server
        .wait(Duration::from_secs(3))
        .expect("within DRAIN_MS + 2 s");
    assert_eq!(ended.code(), Some(0));
    assert!(events.next().is_none());
}

#[test]
fn a_stream_ends_when_its_token_is_taken_away() {
    let control = Control::start();
    let mut events = Events::of(&control, "Viewer", None);
    events.next().unwrap();
    let file = control.store.dir().join("tokens.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let without = text.replacen("role = \"Viewer\"", "role = \"Edge\"", 1);
    std::fs::write(&file, without).unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    // The next thing that happens is not told any more.
    drain(&control, "us-east", "x");
    assert!(events.next().is_none());
}
