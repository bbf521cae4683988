//! How often a client may ask, and how much it may send.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::client::{Control, send};

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let control = Control::start();
    let line = "DELETE /api/v1/freeze";
    let mut refused = None;
    for _ in 0..400 {
        let answer = control.ask("Deployer", line, None);
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 403);
    }
    let refused = refused.expect("20 a second and 50 at once are fewer");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.problem(429).contains("20 a second, and 50 at once"));
    // Another token has its own, and reading is another matter.
    control.ask("Admin", line, None).is(204);
    control.ask("Deployer", "GET /api/v1/state", None).is(200);
}

#[test]
fn fifty_changes_at_once_are_taken() {
    let control = Control::start();
    for _ in 0..50 {
        control.ask("Admin", "DELETE /api/v1/freeze", None).is(204);
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_and_one_that_just_fits_is_not() {
    let control = Control::start();
    let padded = |text: &str, bytes: usize| text.to_owned() + &" ".repeat(bytes - text.len());
    let body = |bytes: usize| padded(r#"{"reason":"x"}"#, bytes);
    let line = "POST /api/v1/release/rollback";
    control
        .ask("Deployer", line, Some(&body(64 * 1024)))
        .is(200);
    control
        .ask("Deployer", line, Some(&body(64 * 1024 + 1)))
        .problem(413);
    let tenants = |bytes: usize| padded(r#"{"tenants":["a"]}"#, bytes);
    let line = "POST /api/v1/route";
    control
        .ask("Viewer", line, Some(&tenants(1024 * 1024)))
        .is(200);
    control
        .ask("Viewer", line, Some(&tenants(1024 * 1024 + 1)))
        .problem(413);
}

/// Each may be a megabyte.
#[test]
fn no_more_than_so_many_lists_of_tenants_are_read_at_once() {
    let control = Control::start();
    let slow = || {
        let mut stream = TcpStream::connect(control.address()).unwrap();
        let host = control.address();
        let head = "POST /api/v1/route HTTP/1.1";
        write!(
            stream,
            "{head}\r\nhost: {host}\r\ncontent-length: 1000000\r\n\r\n{{"
        )
        .unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..32).map(|_| slow()).collect();
    // Each has its turn by the time that it has come to.
    thread::sleep(Duration::from_millis(500));
    let line = "POST /api/v1/route";
    let ask = || control.ask("Viewer", line, Some(r#"{"tenants":["a"]}"#));
    let refused = ask();
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert!(
        refused
            .problem(503)
            .contains("too many lists of tenants come at once")
    );
    // What else is asked is answered, and the next one as soon as there is room.
    control
        .ask("Viewer", "GET /api/v1/route?tenant=a", None)
        .is(200);
    streams.pop();
    ask().is(200);
}

#[test]
fn whoever_tries_many_tokens_is_one_client() {
    let control = Control::start();
    let mut refused = 0;
    for number in 0..400 {
        let bearer = format!("Bearer hlc_{number}");
        let headers = [("Authorization", bearer.as_str())];
        match send(control.address(), "DELETE /api/v1/freeze", &headers, None).status {
            401 => {}
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0, "20 a second and 50 at once are fewer");
}

#[test]
fn a_thousand_edges_that_come_back_at_once_are_all_answered_and_get_no_table_again() {
    let control = Control::start();
    let table = control.ask("Edge", "GET /api/v1/table", None).is(200);
    let etag = table.header("etag").unwrap().to_owned();
    let (address, secret) = (control.address(), control.secret("Edge"));
    let begin = std::sync::Barrier::new(1_000);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let edge = || {
            scope.spawn(|| {
                begin.wait();
                let bearer = format!("Bearer {secret}");
                let headers = [("Authorization", bearer.as_str()), ("If-None-Match", &etag)];
                send(address, "GET /api/v1/table", &headers, None).status
            })
        };
        let edges: Vec<_> = (0..1_000).map(|_| edge()).collect();
        edges.into_iter().map(|edge| edge.join().unwrap()).collect()
    });
    let known = statuses.iter().filter(|status| **status == 304).count();
    // The one asked at first is of the thousand that a client has at once.
    assert!(
        known >= 999,
        "{known} of 1000: {:?}",
        statuses.iter().find(|status| **status != 304)
    );
}
