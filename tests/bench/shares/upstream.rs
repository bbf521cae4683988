//! Pools of a region: they say their colour, and can be ended like a machine that goes down.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};

/// A pool on any free loopback port, gone when dropped.
pub(super) struct Pool {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    listener: TcpListener,
    answer: String,
    /// What an answer takes.
    takes: Duration,
    over: AtomicBool,
    silent: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Pool {
    pub(super) fn start(colour: &str, takes: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let length = colour.len();
        let shared = Arc::new(Shared {
            listener,
            answer: format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{colour}"),
            takes,
            over: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = shared.clone();
        thread::spawn(move || accepting.accept());
        Self { address, shared }
    }

    /// Its listener and its connections close; whoever connects is refused.
    pub(super) fn die(&self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // A listener that is shut down no longer listens, and whoever waits at it hears so.
        let _ = shutdown(&self.shared.listener, Shutdown::Both);
        let connections = &self.shared.connections;
        for stream in &*connections.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// It takes connections and requests from now on, and answers none.
    pub(super) fn fall_silent(&self) {
        self.shared.silent.store(true, Ordering::SeqCst);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.die();
    }
}

impl Shared {
    fn accept(self: Arc<Self>) {
        while let Ok((stream, _)) = self.listener.accept() {
            let _ = stream.set_nodelay(true);
            let Ok(kept) = stream.try_clone() else {
                continue;
            };
            let mut connections = self
                .connections
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            connections.push(kept);
            drop(connections);
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            let serving = self.clone();
            thread::spawn(move || serving.serve(stream));
        }
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let mut block = [0; 16 * 1024];
        while let Ok(n @ 1..) = stream.read(&mut block) {
            bytes.extend_from_slice(&block[..n]);
            while let Some(length) = length_of_request(&bytes) {
                bytes.drain(..length);
                if self.silent.load(Ordering::SeqCst) {
                    continue;
                }
                if !self.takes.is_zero() {
                    thread::sleep(self.takes);
                }
                if stream.write_all(self.answer.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}

/// The length of the first request, if all of it is there. Proxies send lengths, as their clients do.
fn length_of_request(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text.split("content-length:").nth(1);
    let body = body.map_or(Some(0), |rest| rest.lines().next()?.trim().parse().ok())?;
    (bytes.len() >= head + body).then_some(head + body)
}
