//! Clients that keep their connections and ask as fast as the answers come.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::peers::Server;

/// How many connections ask at once.
const CONNECTIONS: usize = 32;

/// What some requests cost the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// CPU time of a request, in microseconds.
    pub(super) cpu_us: f64,
    /// Requests answered a second.
    pub(super) per_second: f64,
}

/// Clients of one server.
pub(super) struct Load<'s> {
    server: &'s Server,
    clients: Vec<TcpStream>,
    /// What a client sends at once.
    asks: Vec<u8>,
    depth: usize,
    /// The bytes of one answer: they do not change in length.
    answer: usize,
}

impl<'s> Load<'s> {
    /// Clients that send `depth` requests at once and wait for all their answers.
    pub(super) fn new(server: &'s Server, request: &str, depth: usize) -> Self {
        let mut clients: Vec<TcpStream> = (0..CONNECTIONS)
            .map(|_| connect(server.address()))
            .collect();
        let answer = length_of_answer(&mut clients[0], request);
        Self {
            server,
            clients,
            asks: request.repeat(depth).into_bytes(),
            depth,
            answer,
        }
    }

    /// Sends at least so many requests and reads every answer.
    pub(super) fn run(&mut self, requests: usize) -> Spent {
        let turns = requests.div_ceil(CONNECTIONS * self.depth);
        let mut answers = vec![0; self.answer * self.depth];
        let (cpu, begin) = (self.server.cpu(), Instant::now());
        for _ in 0..turns {
            for client in &mut self.clients {
                client.write_all(&self.asks).expect("the server reads");
            }
            for client in &mut self.clients {
                client.read_exact(&mut answers).expect("the server answers");
                let good = answers.starts_with(b"HTTP/1.1 200 ");
                assert!(good, "{}", String::from_utf8_lossy(&answers));
            }
        }
        let (cpu, took) = (self.server.cpu() - cpu, begin.elapsed());
        let sent = (turns * CONNECTIONS * self.depth) as f64;
        Spent {
            cpu_us: cpu as f64 / 1e3 / sent,
            per_second: sent / took.as_secs_f64(),
        }
    }
}

/// CPU time of all threads of some processes so far, in nanoseconds.
pub(super) fn cpu_of(processes: Vec<u32>) -> u64 {
    let threads = processes.into_iter().flat_map(|process| {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
        tasks.into_iter().flatten().flatten()
    });
    let spent = |task: std::fs::DirEntry| -> Option<u64> {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    threads.filter_map(spent).sum()
}

/// A process and its children.
pub(super) fn with_children(id: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| id.parse().ok());
    std::iter::once(id).chain(children).collect()
}

pub(super) fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("the server accepts");
    stream.set_nodelay(true).expect("an open socket");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("an open socket");
    stream
}

fn length_of_answer(client: &mut TcpStream, request: &str) -> usize {
    client.write_all(request.as_bytes()).expect("it reads");
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("it answers");
        bytes.push(byte[0]);
        if let Some(head) = bytes.strip_suffix(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(head).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).expect("a length");
            let length = length.split("\r\n").next().expect("a line");
            let length: usize = length.parse().expect("a number");
            client.read_exact(&mut vec![0; length]).expect("a body");
            return bytes.len() + length;
        }
    }
}

/// Whether a server is there and healthy.
pub(super) fn answers(server: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(server) else {
        return false;
    };
    let asked = stream.write_all(super::request("/health").as_bytes());
    let mut answer = [0; 13];
    asked.is_ok() && stream.read_exact(&mut answer).is_ok() && answer == *b"HTTP/1.1 200 "
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The clients' core is the last one, the servers' the first.
pub(super) fn pin_this_thread() {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut last = rustix::thread::CpuSet::new();
    last.set(cores - 1);
    // Where it is not allowed, client and server share what there is.
    let _ = rustix::thread::sched_setaffinity(None, &last);
}
