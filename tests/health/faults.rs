//! What clients get wrong or try on: each is refused or dropped, and the server lives.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use halcyon_tests::process::Serving;

use crate::wire::{Answer, connect, converse, exchange, get, read_all, timed};

const GOOD: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

const LAST: &str = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// The one answer to something refused: it closes the connection, and the server goes on.
fn refused(server: &Serving, bytes: impl AsRef<[u8]>) -> u16 {
    let (answers, took) = timed(|| exchange(server.address(), bytes.as_ref()));
    let shown =
        String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(80)]).into_owned();
    assert!(took < Duration::from_secs(3), "{shown:?} held for {took:?}");
    assert_eq!(answers.len(), 1, "{shown:?}: {answers:?}");
    assert_eq!(answers[0].header("connection"), Some("close"), "{shown:?}");
    assert_eq!(
        answers[0].header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answers[0].json()["status"], answers[0].status);
    assert_eq!(get(server.address(), "/health").status, 200);
    answers[0].status
}

#[test]
fn what_is_not_http_1_is_400() {
    let server = Serving::start(&[]);
    for bytes in [
        "GET /health\r\n",
        "GET /health HTTP/1.1\nHost: x\n\n",
        "GET /health HTTP/1.1\r\nHost: x\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /health HTTP/3.0\r\n\r\n",
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET  /health HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /hea lth HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
        "GET /hea\0lth HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02\x00",
        "\n\n\n",
        "{}",
    ] {
        assert_eq!(refused(&server, bytes), 400, "{bytes:?}");
    }
}

#[test]
fn heads_are_bounded() {
    let server = Serving::start(&[]);
    let with = |fields: &str| format!("GET /health HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    assert_eq!(
        refused(
            &server,
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_536))
        ),
        414
    );
    assert_eq!(
        refused(&server, with(&format!("X: {}\r\n", "x".repeat(1 << 20)))),
        431
    );
    assert_eq!(refused(&server, with(&"X: y\r\n".repeat(10_000))), 431);
    assert_eq!(refused(&server, with(&"X: y\r\n".repeat(64))), 431);
    let most = with(&"X: y\r\n".repeat(63)).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(statuses(&exchange(server.address(), most)), [200]);
    let room = 16 * 1024 - with("Connection: close\r\nX: \r\n").len();
    for (length, status) in [(room, 200), (room + 1, 431)] {
        let head = with(&format!(
            "Connection: close\r\nX: {}\r\n",
            "x".repeat(length)
        ));
        assert_eq!(statuses(&exchange(server.address(), head)), [status]);
    }
}

#[test]
fn two_lengths_are_400_and_end_the_connection_wherever_they_come() {
    let server = Serving::start(&[]);
    let chunks = "GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let sized = "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    for lengths in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "tRANSFER-eNCODING:chunked\r\nX: y\r\nCONTENT-LENGTH:\t 3 \r\n",
        "Content-Length: 0\r\nTransfer-Encoding: identity\r\n",
    ] {
        let bad = format!("GET /health HTTP/1.1\r\nHost: x\r\n{lengths}\r\n0\r\n\r\n");
        assert_eq!(refused(&server, &bad), 400);
        for before in [
            GOOD.to_string(),
            sized.into(),
            chunks.into(),
            format!("{GOOD}{chunks}{sized}"),
        ] {
            let answers = exchange(server.address(), format!("{before}{bad}{GOOD}"));
            let (last, earlier) = answers.split_last().unwrap();
            assert!(
                earlier.iter().all(|answer| answer.status == 200),
                "{answers:?}"
            );
            assert_eq!(earlier.len(), before.matches("HTTP/1.1").count());
            assert_eq!(last.status, 400, "{answers:?}");
            assert!(
                last.body.contains("Content-Length and Transfer-Encoding"),
                "{last:?}"
            );
        }
    }
    // Not pipelined, but later on the same connection.
    let mut stream = connect(server.address());
    assert_eq!(converse(&mut stream, "/health").status, 200);
    write!(
        stream,
        "GET /health HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n{GOOD}"
    )
    .unwrap();
    let answer = String::from_utf8(read_all(&mut stream)).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.matches("HTTP/1.1").count() == 1,
        "{answer}"
    );
}

#[test]
fn lengths_that_can_be_read_two_ways_are_400() {
    let server = Serving::start(&[]);
    for fields in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3,3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: \r\n",
        "Content-Length : 3\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
    ] {
        assert_eq!(
            refused(
                &server,
                format!("GET /health HTTP/1.1\r\nHost: x\r\n{fields}\r\nabc")
            ),
            400,
            "{fields:?}"
        );
    }
    assert_eq!(
        refused(
            &server,
            "GET /health HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        400
    );
}

#[test]
fn bodies_are_read_and_dropped_up_to_64_kib() {
    let server = Serving::start(&[]);
    let chunk = |length: usize| format!("{length:x}\r\n{}\r\n", "x".repeat(length));
    let sized = |length: usize| {
        format!(
            "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{}",
            "x".repeat(length)
        )
    };
    let chunked = |chunks: &str| {
        format!(
            "GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        )
    };
    let last = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for good in [
        sized(0),
        sized(1),
        sized(65_536),
        chunked(""),
        chunked(&chunk(65_536)),
        chunked(&chunk(1024).repeat(64)),
    ] {
        let answers = exchange(server.address(), format!("{good}{last}"));
        assert_eq!(statuses(&answers), [200, 200], "{}", &good[..60]);
    }
    assert_eq!(refused(&server, sized(65_537)), 413);
    assert_eq!(refused(&server, sized(1 << 20)), 413);
    assert_eq!(
        refused(
            &server,
            "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n"
        ),
        413
    );
    assert_eq!(refused(&server, chunked(&chunk(65_537))), 413);
    assert_eq!(refused(&server, chunked(&chunk(1024).repeat(65))), 413);
    for broken in [
        "zz\r\n",
        "3\nabc\r\n",
        "3\r\nabcd\r\n",
        "-1\r\n",
        "FFFFFFFFFFFFFFFFF\r\n",
    ] {
        assert_eq!(refused(&server, chunked(broken)), 400, "{broken:?}");
    }
}

#[test]
fn chunks_and_trailers_that_are_too_much_are_400_behind_the_answers_before() {
    let server = Serving::start(&[]);
    let chunked = "GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let trailers = |fields: &str| format!("{chunked}0\r\n{fields}\r\n");
    let extended = |length| format!("{chunked}1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(length));
    for bad in [
        trailers("bad trailer line\r\n"),
        trailers(&"T: v\r\n".repeat(65)),
        trailers(&format!("T: {}\r\n", "v".repeat(20_000))),
        extended(16_400),
        extended(60_000),
    ] {
        assert_eq!(refused(&server, &bad), 400, "{:.90}", bad);
        let answers = exchange(server.address(), [&GOOD.repeat(3), &bad, GOOD].concat());
        assert_eq!(statuses(&answers), [200, 200, 200, 400], "{:.90}", bad);
    }
    for good in [trailers(&"T: v\r\n".repeat(64)), extended(16_000)] {
        let answers = exchange(server.address(), format!("{good}{LAST}{GOOD}"));
        assert_eq!(statuses(&answers), [200, 200], "{:.90}", good);
    }
}

#[test]
fn a_client_that_waits_to_be_told_to_send_its_body_is_told() {
    let server = Serving::start(&[]);
    let mut stream = connect(server.address());
    stream
        .write_all(
            b"GET /health HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        )
        .unwrap();
    assert_eq!(crate::wire::read_one(&mut stream).status, 100);
    stream.write_all(b"abc").unwrap();
    assert_eq!(crate::wire::read_one(&mut stream).status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Serving::start(&[]);
    let many = ["/health", "/nope", "/__meta"]
        .map(|path| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .concat();
    let answers = exchange(
        server.address(),
        format!("{}GET /x HTTP/1.0\r\n\r\n", many.repeat(500)),
    );
    let expected = [[200, 404, 200].repeat(500), vec![404]].concat();
    assert_eq!(statuses(&answers), expected);
}

#[test]
fn no_answer_is_lost_when_bytes_follow_the_last_request() {
    let server = Serving::start(&[]);
    let old = "GET /health HTTP/1.0\r\n\r\n";
    let two_lengths =
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (sent, expected) in [
        (format!("{LAST}{GOOD}"), vec![200]),
        (format!("{GOOD}{LAST}{GOOD}"), vec![200, 200]),
        (format!("{GOOD}{GOOD}{LAST}{GOOD}"), vec![200, 200, 200]),
        (format!("{old}{GOOD}"), vec![200]),
        (format!("{LAST}BAD\r\n\r\n"), vec![200]),
        (format!("{LAST}{}", GOOD.repeat(20_000)), vec![200]),
        (format!("{GOOD}{two_lengths}{GOOD}"), vec![200, 400]),
        (
            format!("{}{LAST}{GOOD}", GOOD.repeat(5000)),
            vec![200; 5001],
        ),
    ] {
        let answers = exchange(server.address(), &sent);
        assert_eq!(statuses(&answers), expected, "{:.200}", sent);
    }
}

#[test]
fn an_answer_does_not_wait_for_that_of_a_later_request() {
    let hangs = format!("hangs=http://{}", crate::wire::silent());
    let server = Serving::start(&[
        ("READINESS_CHECKS", &hangs),
        ("READINESS_TIMEOUT_MS", "2000"),
    ]);
    let mut stream = connect(server.address());
    write!(stream, "{GOOD}GET /ready HTTP/1.1\r\nHost: x\r\n\r\n{GOOD}").unwrap();
    let (answer, took) = timed(|| crate::wire::read_one(&mut stream));
    assert_eq!(answer.status, 200);
    assert!(took < Duration::from_millis(1800), "{took:?}");
    assert_eq!(crate::wire::read_one(&mut stream).status, 503);
    assert_eq!(crate::wire::read_one(&mut stream).status, 200);
}

#[test]
fn a_refused_head_request_gets_no_content() {
    let server = Serving::start(&[]);
    for bad in [
        "HEAD /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "HEAD /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut stream = connect(server.address());
        stream.write_all(bad.as_bytes()).unwrap();
        let answer = String::from_utf8(read_all(&mut stream)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn a_client_may_close_its_side_and_still_read_the_answer() {
    let server = Serving::start(&[]);
    for request in [
        GOOD,
        "GET /ready HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let mut stream = connect(server.address());
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(
            String::from_utf8(read_all(&mut stream))
                .unwrap()
                .starts_with("HTTP/1.1 200 ")
        );
    }
    // Half a request and then nothing is not a request.
    for half in ["GET /hea", "GET /health HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = connect(server.address());
        stream.write_all(half.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(read_all(&mut stream).is_empty());
    }
    assert_eq!(refused_half_body(&server), 400);
}

fn refused_half_body(server: &Serving) -> u16 {
    let mut stream = connect(server.address());
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = String::from_utf8(read_all(&mut stream)).unwrap();
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{answer:?}"))
}

#[test]
fn clients_that_vanish_at_any_byte_do_no_harm() {
    let server = Serving::start(&[]);
    let bytes = format!(
        "{GOOD}GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /ready HTTP/1.1\r\n\r\n"
    );
    for length in 0..bytes.len() {
        let mut stream = connect(server.address());
        stream.write_all(&bytes.as_bytes()[..length]).unwrap();
    }
    let noise: Vec<_> = (0..4_u64)
        .map(|seed| {
            let address = server.address();
            thread::spawn(move || {
                let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                for _ in 0..50 {
                    let bytes: Vec<u8> = (0..200)
                        .map(|_| {
                            state = state
                                .wrapping_mul(6_364_136_223_846_793_005)
                                .wrapping_add(1);
                            state.to_be_bytes()[0]
                        })
                        .collect();
                    let mut stream = connect(address);
                    let _ = stream.write_all(&bytes);
                    let _ = stream.shutdown(Shutdown::Write);
                    let _ = read_all(&mut stream);
                }
            })
        })
        .collect();
    noise.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(get(server.address(), "/ready").status, 200);
}
