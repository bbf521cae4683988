//! Many clients at once, good and bad. `HALCYON_TEST_SLOW` and `HALCYON_TEST_IDLE` change how many.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::{Serving, program};

use crate::wire::{connect, converse, get};

fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(default)
}

#[test]
fn good_clients_are_served_among_slow_and_idle_ones() {
    let (slow, idle) = (
        count("HALCYON_TEST_SLOW", 200),
        count("HALCYON_TEST_IDLE", 500),
    );
    let server = Serving::start(&[]);
    let mut idlers: Vec<TcpStream> = Vec::new();
    for _ in 0..idle {
        let mut stream = connect(server.address());
        assert_eq!(converse(&mut stream, "/health").status, 200);
        idlers.push(stream);
    }
    let mut slow: Vec<TcpStream> = (0..slow).map(|_| connect(server.address())).collect();
    let begin = Instant::now();
    let mut worst = Duration::ZERO;
    for round in b"GET /health HTTP/1.1\r\nX: " {
        for stream in &mut slow {
            stream.write_all(&[*round]).unwrap();
        }
        let asked = Instant::now();
        assert_eq!(get(server.address(), "/ready").status, 200);
        worst = worst.max(asked.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(
        worst < Duration::from_secs(5),
        "the slowest good answer took {worst:?}"
    );
    let open = format!(
        "halcyon_http_connections {}\n",
        slow.len() + idlers.len() + 1
    );
    assert!(get(server.address(), "/metrics").body.contains(&open));
    // The slow ones are closed in their time, the idle ones are still there.
    for stream in &mut slow {
        let closed = match stream.read(&mut [0; 16]) {
            Ok(length) => length == 0,
            Err(why) => why.kind() == ErrorKind::ConnectionReset,
        };
        assert!(closed, "a slow client still has its connection after 20 s");
    }
    assert!(
        begin.elapsed() < Duration::from_secs(13),
        "{:?}",
        begin.elapsed()
    );
    for stream in &mut idlers {
        assert_eq!(converse(stream, "/health").status, 200);
    }
}

#[test]
fn a_server_out_of_file_descriptors_waits_and_goes_on() {
    // Some of them are kept for other things: few connections fit.
    let server = with_files(160);
    let crowd: Vec<TcpStream> = (0..300).map(|_| connect(server.address())).collect();
    thread::sleep(Duration::from_millis(500));
    let ticks = cpu_ticks(server.id());
    thread::sleep(Duration::from_millis(1000));
    let spent = cpu_ticks(server.id()) - ticks;
    assert!(spent < 30, "{spent} of 100 ticks: it spins while it waits");
    drop(crowd);
    assert_eq!(get(server.address(), "/health").status, 200);
}

/// A server that may open so many files.
pub(crate) fn with_files(files: u32) -> Serving {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", &format!(r#"ulimit -n {files}; exec "$0" serve"#)])
        .arg(program())
        .env_clear()
        .env("HEALTH_PORT", "0")
        .env("DASHBOARD_PORT", "0");
    Serving::spawn(&mut shell)
}

#[test]
fn one_client_cannot_block_a_server_with_few_files() {
    for files in [64, 128] {
        let server = with_files(files);
        let mut idle = connect(server.address());
        assert_eq!(converse(&mut idle, "/health").status, 200);
        assert_eq!(get(server.address(), "/health").status, 200);
        let _silent: Vec<TcpStream> = (0..2 * files).map(|_| connect(server.address())).collect();
        let begin = Instant::now();
        assert_eq!(get(server.address(), "/health").status, 200);
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(8), "{files} files: {took:?}");
    }
}

#[test]
fn a_full_server_closes_the_longest_idle_connection_for_a_new_one() {
    let server = with_files(64);
    // As many as fit, and one more each time.
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..60 {
        let mut stream = connect(server.address());
        let begin = Instant::now();
        assert_eq!(converse(&mut stream, "/health").status, 200);
        assert!(begin.elapsed() < Duration::from_secs(5));
        idle.push(stream);
    }
    let kept = idle.split_off(12);
    for mut stream in idle {
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "it is closed");
    }
    for mut stream in kept {
        assert_eq!(converse(&mut stream, "/health").status, 200);
    }
    let said = server.stderr();
    assert_eq!(said.matches("closed for new clients").count(), 1, "{said}");
    assert!(
        said.contains("warning: only 48 connections can be open at once"),
        "{said}"
    );
}

/// Processor time so far, in hundredths of a second.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_ascii_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
