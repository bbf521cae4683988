//! Good clients among many slow and idle ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::load::connect;
use super::peers::Server;

/// Prints how good clients fare beside so many slow and idle ones, for so many seconds.
pub(super) fn print(name: &str, server: Server, (slow, idle, seconds): (usize, usize, u64)) {
    let before = server.resident_mb();
    let request = super::request("/health");
    let mut answer = vec![0; 4096];
    let mut ask = |client: &mut TcpStream| -> bool {
        let asked = client.write_all(request.as_bytes());
        asked.is_ok()
            && matches!(client.read(&mut answer), Ok(13..))
            && answer.starts_with(b"HTTP/1.1 200 ")
    };
    let mut idlers: Vec<TcpStream> = (0..idle).map(|_| connect(server.address())).collect();
    let heard = idlers
        .iter_mut()
        .map(&mut ask)
        .filter(|heard| *heard)
        .count();
    assert_eq!(heard, idle, "every idle client had one answer");
    let mut slow: Vec<TcpStream> = (0..slow).map(|_| connect(server.address())).collect();

    let begin = Instant::now();
    let mut trickle = request.bytes().cycle();
    let (mut took, mut failed) = (Vec::new(), 0);
    while begin.elapsed() < Duration::from_secs(seconds) {
        // A byte from every slow client, never a whole request within its time.
        let byte = trickle
            .next()
            .filter(|byte| *byte != b'\r' && *byte != b'\n');
        for client in &mut slow {
            let _ = client.write_all(&[byte.unwrap_or(b'x')]);
        }
        for _ in 0..50 {
            let asked = Instant::now();
            match ask(&mut connect(server.address())) {
                true => took.push(asked.elapsed().as_secs_f64() * 1e3),
                false => failed += 1,
            }
        }
    }
    took.sort_by(f64::total_cmp);
    let within = |share: f64| took[(took.len() as f64 * share) as usize];
    println!(
        "{name:<10} {} good requests, {failed} failed, median {:.2} ms, p99 {:.2} ms, longest {:.1} ms; resident {before:.1} MB before, {:.1} MB with the crowd",
        took.len(),
        within(0.5),
        within(0.99),
        took.last().copied().unwrap_or_default(),
        server.resident_mb()
    );
}
