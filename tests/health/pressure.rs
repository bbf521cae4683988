//! Clients that ask for more than they take.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use halcyon::net::server::Limits;
use halcyon_tests::process::Serving;

use crate::crowd::with_files;
use crate::wire::{connect, get, server};

const REQUEST: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

/// A client whose system takes little for it, and which asks so many times without waiting.
fn asks_and_asks(address: SocketAddr, request: &str, times: usize) -> TcpStream {
    asks_with_room_for(4096, address, request, times)
}

fn asks_with_room_for(bytes: usize, address: SocketAddr, request: &str, times: usize) -> TcpStream {
    let stream = connect(address);
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, bytes).unwrap();
    let mut asking = stream.try_clone().unwrap();
    let requests = request.repeat(times);
    thread::spawn(move || {
        // The server may stop listening to it.
        let _ = asking.write_all(requests.as_bytes());
    });
    stream
}

fn giving_up_after(write: Duration) -> Limits {
    Limits {
        write,
        ..Limits::default()
    }
}

#[test]
fn a_client_that_reads_slowly_and_steadily_keeps_its_connection() {
    let server = server(&[], giving_up_after(Duration::from_millis(1500)));
    let mut stream = asks_with_room_for(64 * 1024, server.address(), REQUEST, 30_000);
    let begin = Instant::now();
    let mut bytes = vec![0; 20_000];
    while begin.elapsed() < Duration::from_secs(5) {
        stream.read_exact(&mut bytes).expect("it is still served");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_client_that_is_given_up_gets_what_was_sent_and_then_the_end() {
    let server = server(&[], giving_up_after(Duration::from_millis(400)));
    let mut stream = asks_and_asks(server.address(), REQUEST, 30_000);
    thread::sleep(Duration::from_millis(900));
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).expect("no reset");
    let answers = String::from_utf8(answers).unwrap();
    let count = answers.matches("HTTP/1.1 200 OK\r\n").count();
    assert!((1..30_000).contains(&count), "{count} answers");
}

#[test]
fn answers_that_nobody_takes_do_not_fill_the_memory() {
    let long = "1".repeat(12_000);
    let server = Serving::start(&[("BUILD_VERSION", &long)]);
    let meta = "GET /__meta HTTP/1.1\r\nHost: x\r\n\r\n";
    let crowd: Vec<TcpStream> = (0..60)
        .map(|_| asks_and_asks(server.address(), meta, 2_000))
        .collect();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(get(server.address(), "/health").status, 200);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let resident = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes: u64 = resident
        .and_then(|line| line.split_ascii_whitespace().nth(1)?.parse().ok())
        .unwrap();
    assert!(
        kilobytes < 80_000,
        "{kilobytes} kB for {} clients",
        crowd.len()
    );
}

#[test]
fn a_full_server_makes_room_whatever_its_clients_do_not_do() {
    let no_body = "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n";
    let later = format!("{REQUEST}{no_body}");
    let kinds = [
        ("send no body", no_body, 1),
        ("send no second body", &later, 1),
        ("take no answer", REQUEST, 30_000),
        (
            "take no answer of the router",
            "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n",
            20_000,
        ),
    ];
    thread::scope(|scope| {
        for (what, request, times) in kinds {
            scope.spawn(move || {
                let server = with_files(64);
                let _crowd: Vec<TcpStream> = (0..60)
                    .map(|_| asks_and_asks(server.address(), request, times))
                    .collect();
                thread::sleep(Duration::from_millis(500));
                let begin = Instant::now();
                assert_eq!(get(server.address(), "/health").status, 200);
                let took = begin.elapsed();
                // Without it a place gets free after ten seconds.
                assert!(took < Duration::from_secs(9), "they {what}: {took:?}");
            });
        }
    });
}
