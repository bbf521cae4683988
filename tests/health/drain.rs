//! How the server ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::{Serving, Signal};

use crate::wire::{connect, converse, get, read_all, read_one, silent};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_signal_makes_ready_503_for_the_drain_and_then_the_server_ends() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server =
            Serving::start(&[("DRAIN_MS", "1000"), ("REQUIRED_ENVS", "A"), ("A", "1")]);
        assert_eq!(get(server.address(), "/ready").status, 200);
        let begin = Instant::now();
        server.signal(signal);
        thread::sleep(ms(50));
        while begin.elapsed() < ms(850) {
            let answer = get(server.address(), "/ready");
            assert_eq!(answer.status, 503);
            assert_eq!(answer.json()["status"], "not_ready");
            assert_eq!(answer.json()["checks"]["drain"], "draining");
            assert_eq!(
                get(server.address(), "/health").status,
                200,
                "it lives while it drains"
            );
            thread::sleep(ms(50));
        }
        assert!(
            get(server.address(), "/ready?verbose")
                .body
                .contains("[-]drain failed: draining")
        );
        let status = server.wait(ms(3000)).expect("it ends");
        let took = begin.elapsed();
        assert_eq!(status.code(), Some(0));
        assert!(took >= ms(1000) && took < ms(3000), "{took:?}");
        assert!(
            TcpStream::connect(server.address()).is_err(),
            "the port is free"
        );
    }
}

#[test]
fn idle_and_half_open_connections_do_not_hold_it_up() {
    let mut server = Serving::start(&[("DRAIN_MS", "300")]);
    let mut idle = connect(server.address());
    converse(&mut idle, "/health");
    let _silent = connect(server.address());
    let mut half = connect(server.address());
    half.write_all(b"GET /health HTTP/1.1\r\nHo").unwrap();
    let mut half_later = connect(server.address());
    converse(&mut half_later, "/health");
    half_later.write_all(b"GET /he").unwrap();
    thread::sleep(ms(100));
    let begin = Instant::now();
    server.signal(Signal::TERM);
    let status = server
        .wait(ms(2300))
        .expect("it ends within DRAIN_MS and 2 s");
    assert_eq!(status.code(), Some(0));
    assert!(begin.elapsed() >= ms(300), "{:?}", begin.elapsed());
    assert!(
        read_all(&mut idle).is_empty(),
        "an idle connection is closed without a word"
    );
}

#[test]
fn a_half_sent_request_is_still_answered_while_the_server_drains() {
    let server = Serving::start(&[("DRAIN_MS", "500")]);
    let mut half = connect(server.address());
    half.write_all(b"GET /health HTTP/1.1\r\nHo").unwrap();
    server.signal(Signal::TERM);
    // After the listener has closed, within the second that half-sent requests have.
    thread::sleep(ms(800));
    half.write_all(b"st: x\r\n\r\n").unwrap();
    assert_eq!(read_one(&mut half).status, 200);
}

#[test]
fn an_open_request_is_answered_after_the_listener_has_closed() {
    let checks = format!("slow=tcp://127.0.0.1:1,hangs=http://{}", silent());
    let mut server = Serving::start(&[
        ("DRAIN_MS", "200"),
        ("READINESS_CHECKS", &checks),
        ("READINESS_TIMEOUT_MS", "3000"),
    ]);
    let mut open = connect(server.address());
    open.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    thread::sleep(ms(100));
    let begin = Instant::now();
    server.signal(Signal::TERM);
    thread::sleep(ms(1000));
    assert!(
        TcpStream::connect(server.address()).is_err(),
        "no new connections"
    );
    let answer = read_one(&mut open);
    assert_eq!(
        (answer.status, &answer.json()["checks"]["drain"]),
        (503, &"draining".into())
    );
    assert_eq!(answer.header("connection"), Some("close"));
    let status = server
        .wait(ms(1000))
        .expect("it ends once the request is answered");
    assert_eq!(status.code(), Some(0));
    assert!(begin.elapsed() > ms(2500), "{:?}", begin.elapsed());
}

#[test]
fn a_request_that_stays_open_is_cut_off_25_s_after_the_signal() {
    let checks = format!("hangs=http://{}", silent());
    let mut server = Serving::start(&[
        ("DRAIN_MS", "200"),
        ("READINESS_CHECKS", &checks),
        ("READINESS_TIMEOUT_MS", "60000"),
    ]);
    let mut open = connect(server.address());
    open.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    open.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    thread::sleep(ms(100));
    let begin = Instant::now();
    server.signal(Signal::TERM);
    assert!(read_all(&mut open).is_empty());
    assert_eq!(server.wait(ms(2000)).expect("it ends").code(), Some(0));
    let took = begin.elapsed();
    assert!(took > ms(24_500) && took < ms(26_500), "{took:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second, code) in [
        (Signal::TERM, Signal::TERM, 143),
        (Signal::INT, Signal::INT, 130),
        (Signal::TERM, Signal::INT, 130),
    ] {
        let mut server = Serving::start(&[("DRAIN_MS", "60000")]);
        server.signal(first);
        thread::sleep(ms(100));
        let begin = Instant::now();
        server.signal(second);
        assert_eq!(server.wait(ms(2000)).expect("it ends").code(), Some(code));
        assert!(begin.elapsed() < ms(2000));
    }
}

#[test]
fn a_second_signal_ends_it_when_nobody_reads_what_it_says() {
    let mut child = halcyon_tests::process::command(
        &["serve"],
        &[
            ("HEALTH_PORT", "0"),
            ("DASHBOARD_PORT", "0"),
            ("DRAIN_MS", "60000"),
        ],
    )
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    drop(said);
    let process = rustix::process::Pid::from_child(&child);
    for _ in 0..2 {
        rustix::process::kill_process(process, Signal::TERM).unwrap();
        thread::sleep(ms(200));
    }
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > ms(2000) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the second signal did not end it");
        }
        thread::sleep(ms(10));
    };
    assert_eq!(status.code(), Some(143));
}

#[test]
fn while_it_drains_it_tells_every_client_to_close() {
    let server = Serving::start(&[("DRAIN_MS", "3000")]);
    let [mut one, mut many] = [(); 2].map(|()| connect(server.address()));
    assert_eq!(converse(&mut one, "/health").header("connection"), None);
    converse(&mut many, "/health");
    server.signal(Signal::TERM);
    thread::sleep(ms(200));
    let answer = converse(&mut one, "/health");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(read_all(&mut one).is_empty());
    // Of many at once, all are answered.
    let request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    many.write_all(request.repeat(100).as_bytes()).unwrap();
    let answers = String::from_utf8(read_all(&mut many)).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 100);
    assert_eq!(answers.matches("connection: close").count(), 1);
}

#[test]
fn a_second_signal_does_not_wait_for_open_requests() {
    let checks = format!("hangs=http://{}", silent());
    let mut server = Serving::start(&[
        ("DRAIN_MS", "0"),
        ("READINESS_CHECKS", &checks),
        ("READINESS_TIMEOUT_MS", "60000"),
    ]);
    let mut open = connect(server.address());
    open.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    thread::sleep(ms(100));
    server.signal(Signal::TERM);
    thread::sleep(ms(300));
    server.signal(Signal::TERM);
    assert_eq!(server.wait(ms(1000)).expect("it ends").code(), Some(143));
    assert!(matches!(open.read(&mut [0; 16]), Ok(0) | Err(_)));
}
