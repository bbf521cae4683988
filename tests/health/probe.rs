//! What the client makes of regions that misbehave.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use halcyon::net::Client;
use halcyon_core::endpoint::Endpoint;

use crate::wire::{answering, nobody, server, service, silent, timed};

fn probe(address: SocketAddr, region: Option<&str>) -> Result<Duration, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let base = Endpoint::parse(&format!("http://{address}")).unwrap();
    let client = Client::new(None).unwrap();
    runtime.block_on(client.probe_ready(&base, region, Duration::from_millis(500)))
}

/// The failure; one printable line, in time.
fn failure(address: SocketAddr) -> String {
    let (result, took) = timed(|| probe(address, Some("us-east")));
    let why = result.unwrap_err();
    assert!(took < Duration::from_millis(2500), "{took:?}: {why}");
    assert!(
        why.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && why.len() < 250,
        "{why:?}"
    );
    why
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_ready_region_is_good_if_it_is_the_one_that_was_meant() {
    let region = server(&[("CURRENT_REGION", "us-east")], Default::default());
    assert!(probe(region.address(), None).unwrap() < Duration::from_millis(500));
    assert!(probe(region.address(), Some("us-east")).is_ok());
    let why = probe(region.address(), Some("us-west")).unwrap_err();
    assert_eq!(
        why,
        r#"the answer comes from region "us-east"; expected "us-west""#
    );
    let unknown = server(&[], Default::default());
    assert!(probe(unknown.address(), Some("us-west")).is_ok());
    assert!(
        probe(answering(ok(r#"{"status":"ready"}"#)), Some("us-west")).is_ok(),
        "the header may be missing"
    );
}

#[test]
fn a_region_that_is_not_ready_is_quoted() {
    let region = server(
        &[("REQUIRED_ENVS", "FOO"), ("CURRENT_REGION", "us-east")],
        Default::default(),
    );
    assert_eq!(
        failure(region.address()),
        "not ready: required_envs missing FOO"
    );
}

#[test]
fn what_is_no_halcyon_is_a_clear_failure() {
    let deep = ok(&"{\"a\":".repeat(10_000));
    for (answer, why) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
                .into(),
            "status 302, a redirect to \"http://169.254.169.254/\" (never followed); expected 200",
        ),
        (
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".into(),
            "status 500; expected 200",
        ),
        (
            "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}".into(),
            "status 503; expected 200",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
            "status 204; expected 200",
        ),
        (ok("<html>\u{1b}[2J\n"), "not JSON"),
        (ok(r#"{"status":"rea"#), "not JSON"),
        (deep, "not JSON"),
        (
            ok(r#"{"status":"UP"}"#),
            "status is \"UP\"; expected {\"status\":\"ready\"}",
        ),
        (ok(r#"[{"status":"ready"}]"#), "no JSON object"),
        (ok(""), "empty answer"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\":\"ready\"}".into(),
            "closed before the answer was complete",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n".into(), "not HTTP/1"),
        (String::new(), "closed before"),
    ] {
        let seen = failure(answering(answer.clone()));
        assert!(seen.contains(why), "{seen:?} does not say {why:?}");
    }
    assert!(failure(nobody()).contains("connection refused"));
}

#[test]
fn a_body_is_read_up_to_64_kib() {
    let padded = |length: usize| {
        let body = r#"{"status":"ready"}"#;
        ok(&format!("{body}{}", " ".repeat(length - body.len())))
    };
    assert!(probe(answering(padded(65_536)), None).is_ok());
    assert_eq!(
        failure(answering(padded(65_537))),
        "the answer is longer than 64 KiB"
    );
    let endless = service(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ready\",\"x\":\"");
        while stream.write_all(&[b'x'; 1024]).is_ok() {}
    });
    assert_eq!(failure(endless), "the answer is longer than 64 KiB");
    let endless_head = service(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'x'; 1024]).is_ok() {}
    });
    assert_eq!(
        failure(endless_head),
        "the answer's head is longer than 64 KiB"
    );
}

#[test]
fn one_timeout_is_over_all_of_it_and_says_where_the_time_went() {
    let trickle = |head: &'static str| {
        service(move |mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        })
    };
    assert_eq!(
        failure(silent()),
        "timeout: 500 ms passed while waiting for the answer"
    );
    assert_eq!(
        failure(trickle("HTTP/1.1 200 OK\r\nX: ")),
        "timeout: 500 ms passed while waiting for the answer"
    );
    assert_eq!(
        failure(trickle("HTTP/1.1 200 OK\r\n\r\n")),
        "timeout: 500 ms passed while reading the answer"
    );
}
