//! The time a client has: short limits in this process, and once the real ones.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use halcyon::net::server::Limits;
use halcyon_tests::process::Serving;

use crate::wire::{connect, converse, get, read_all, server, timed};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn short() -> Limits {
    Limits {
        request: ms(400),
        idle: ms(900),
        ..Limits::default()
    }
}

/// Sends a byte now and then until the server closes, and tells how long that took.
fn trickle(mut stream: TcpStream, bytes: &[u8], every: Duration) -> Duration {
    let begin = Instant::now();
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() || begin.elapsed() > ms(15_000) {
            break;
        }
        thread::sleep(every);
    }
    begin.elapsed()
}

#[test]
fn a_client_that_sends_no_complete_request_is_closed() {
    let server = server(&[], short());
    for sent in ["", "\r\n", "G", "GET /health HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = connect(server.address());
        stream.write_all(sent.as_bytes()).unwrap();
        let (answer, took) = timed(|| read_all(&mut stream));
        assert!(
            answer.is_empty(),
            "{sent:?}: {}",
            String::from_utf8_lossy(&answer)
        );
        assert!(took > ms(300) && took < ms(950), "{sent:?}: {took:?}");
    }
}

#[test]
fn a_body_that_does_not_arrive_is_408() {
    let server = server(&[], short());
    for sent in [
        "Content-Length: 9\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n9\r\nx",
    ] {
        let mut stream = connect(server.address());
        write!(stream, "GET /health HTTP/1.1\r\nHost: x\r\n{sent}").unwrap();
        let (answer, took) = timed(|| String::from_utf8(read_all(&mut stream)).unwrap());
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains("x-halcyon-region: unknown"),
            "{answer}"
        );
        assert!(took > ms(300) && took < ms(2000), "{took:?}");
    }
}

#[test]
fn a_trickle_buys_no_time() {
    let server = server(&[], short());
    let head = trickle(
        connect(server.address()),
        b"GET /health HTTP/1.1\r\nX: y\r\nX: y\r\nX: y\r\nX: y\r\nX: y\r\n",
        ms(15),
    );
    assert!(head > ms(350) && head < ms(5000), "{head:?}");
    let blanks = trickle(connect(server.address()), b"\r\n", ms(15));
    assert!(blanks > ms(350) && blanks < ms(5000), "{blanks:?}");
    let mut stream = connect(server.address());
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        .unwrap();
    let body = trickle(stream, b"x", ms(15));
    // The answer comes at the deadline; what is sent after it is taken for one more second.
    assert!(body > ms(350) && body < ms(2000), "{body:?}");
}

#[test]
fn a_later_request_has_its_own_time_from_its_first_byte() {
    let server = server(&[], short());
    let mut stream = connect(server.address());
    for _ in 0..3 {
        assert_eq!(converse(&mut stream, "/health").status, 200);
        thread::sleep(ms(600));
    }
    stream.write_all(b"GET /he").unwrap();
    let (answer, took) = timed(|| read_all(&mut stream));
    assert!(
        answer.is_empty() && took > ms(300) && took < ms(950),
        "{took:?}"
    );
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let server = server(&[], short());
    let mut stream = connect(server.address());
    assert_eq!(converse(&mut stream, "/health").status, 200);
    let (answer, took) = timed(|| read_all(&mut stream));
    assert!(
        answer.is_empty() && took > ms(800) && took < ms(4000),
        "{took:?}"
    );
}

#[test]
fn an_answer_that_takes_longer_than_the_deadlines_is_given() {
    let checks = format!("hangs=http://{}", crate::wire::silent());
    let server = server(
        &[
            ("READINESS_CHECKS", &checks),
            ("READINESS_TIMEOUT_MS", "1500"),
        ],
        short(),
    );
    let mut stream = connect(server.address());
    let (answer, took) = timed(|| converse(&mut stream, "/ready"));
    assert_eq!(answer.status, 503);
    assert!(took > ms(1400), "{took:?}");
    assert_eq!(
        converse(&mut stream, "/health").status,
        200,
        "the idle time begins with the answer"
    );
}

#[test]
fn a_client_that_reads_no_answers_is_closed() {
    let server = server(
        &[],
        Limits {
            write: ms(400),
            request: Duration::from_secs(60),
            ..Limits::default()
        },
    );
    let mut stream = connect(server.address());
    stream.set_write_timeout(Some(ms(5000))).unwrap();
    let many = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let begin = Instant::now();
    while stream.write_all(many.as_bytes()).is_ok() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "the server takes requests whose answers nobody reads"
        );
    }
    let closed = || {
        get(server.address(), "/metrics")
            .body
            .contains("halcyon_http_connections 1\n")
    };
    while !closed() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "the connection is still open"
        );
        thread::sleep(ms(50));
    }
}

#[test]
fn the_limits_are_those_that_are_documented() {
    let limits = Limits::default();
    assert_eq!(
        (limits.request, limits.idle),
        (Duration::from_secs(10), Duration::from_secs(75))
    );
    assert_eq!(
        (limits.head_bytes, limits.headers, limits.body_bytes),
        (16_384, 64, 65_536)
    );
    assert!(limits.connections >= 10_000);
}

#[test]
fn the_program_closes_silent_half_and_trickling_clients_after_10_s() {
    let server = Serving::start(&[]);
    let address = server.address();
    let trickling = thread::spawn(move || {
        trickle(
            connect(address),
            b"GET /health HTTP/1.1\r\nX: y\r\n",
            ms(200),
        )
    });
    let closed = ["", "GET /health HTTP/1.1\r\nHost: x\r\n"].map(|sent| {
        thread::spawn(move || {
            let mut stream = connect(address);
            stream.write_all(sent.as_bytes()).unwrap();
            let (answer, took) = timed(|| read_all(&mut stream));
            assert!(answer.is_empty());
            took
        })
    });
    let mut idle = connect(address);
    assert_eq!(converse(&mut idle, "/health").status, 200);
    for took in closed
        .into_iter()
        .chain([trickling])
        .map(|thread| thread.join().unwrap())
    {
        assert!(took > ms(9_700) && took < ms(11_500), "{took:?}");
    }
    assert_eq!(
        converse(&mut idle, "/health").status,
        200,
        "an idle connection has 75 s"
    );
}
