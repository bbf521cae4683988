//! Answers that are made once: nobody can tell them from those of the router.

use std::io::Write;
use std::time::Duration;

use halcyon::net::server::Limits;

use crate::wire::{connect, exchange, get, read_all, read_one, server};

/// The bytes of an answer without the date's value, which may differ by a second.
fn raw(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let text = String::from_utf8(read_all(&mut stream)).unwrap();
    let (before, after) = text.split_once("\r\ndate: ").expect("it has a date");
    let (date, after) = after.split_once("\r\n").unwrap();
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    format!("{before}\r\ndate: \r\n{after}")
}

#[test]
fn they_are_byte_for_byte_what_the_router_gives() {
    let server = server(
        &[("CURRENT_REGION", "eu-west"), ("BUILD_VERSION", "1.2.3")],
        Limits::default(),
    );
    for method in ["GET", "HEAD"] {
        for path in ["/health", "/livez", "/__meta"] {
            let ask = |target: &str, fields: &str| {
                let request = format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
                raw(server.address(), &request)
            };
            let standing = ask(path, "");
            assert!(standing.starts_with("HTTP/1.1 200 OK\r\n"), "{standing}");
            assert!(standing.contains("\r\nx-halcyon-region: eu-west\r\n"));
            // A query, or a field that could ask for more, leaves it to the router.
            assert_eq!(ask(&format!("{path}?"), ""), standing, "{method} {path}");
            assert_eq!(ask(path, "Content-Length: 0\r\n"), standing);
            assert_eq!(ask(path, "Connection: keep-alive\r\n"), standing);
        }
    }
}

#[test]
fn they_come_in_their_turn_among_others() {
    let server = server(&[], Limits::default());
    let (standing, slow, nothing) = ("/health", "/ready", "/nope");
    let orders = [
        [standing, slow, standing, standing],
        [slow, standing, slow, standing],
        [standing, standing, nothing, slow],
        [nothing, slow, standing, nothing],
    ];
    for order in orders {
        let requests = order.map(|path| format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let last = "GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        let answers = exchange(server.address(), requests.concat() + last);
        assert_eq!(answers.len(), 5);
        for (path, answer) in order.iter().zip(&answers) {
            let expected = match *path {
                "/health" => "\"healthy\"",
                "/ready" => "\"ready\"",
                _ => "there are /health",
            };
            assert!(answer.body.contains(expected), "{path}: {answer:?}");
        }
    }
}

#[test]
fn a_client_that_trickles_behind_one_has_its_time_and_no_more() {
    let limits = Limits {
        request: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = server(&[], limits);
    let mut stream = connect(server.address());
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\nGET /hea")
        .unwrap();
    assert_eq!(read_one(&mut stream).status, 200);
    assert_eq!(read_all(&mut stream), b"", "closed without an answer");
}

#[test]
fn they_are_counted_and_end_with_the_drain() {
    let server = server(&[("DRAIN_MS", "500")], Limits::default());
    let mut stream = connect(server.address());
    for _ in 0..3 {
        let ask = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n";
        stream.write_all(ask).unwrap();
        assert_eq!(read_one(&mut stream).header("connection"), None);
    }
    let metrics = get(server.address(), "/metrics").body;
    for line in [
        "halcyon_http_requests_total{path=\"/health\",code=\"200\"} 3\n",
        "halcyon_http_request_duration_seconds_count{path=\"/health\"} 3\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    server.shutdown();
    std::thread::sleep(Duration::from_millis(100));
    let ask = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
    stream.write_all(ask).unwrap();
    let answer = read_one(&mut stream);
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
}
