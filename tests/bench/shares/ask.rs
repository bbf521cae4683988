//! A client that keeps its connections and sends many requests at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// Connections that ask beside each other.
const CONNECTIONS: usize = 4;

/// Requests that are sent at once.
const TOGETHER: usize = 32;

/// What a tenant has seen in one step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Its requests that green answered.
    pub(super) green: usize,
    /// Whether green answered the last one.
    pub(super) at_last: bool,
}

impl Seen {
    pub(super) fn note(&mut self, green: bool) {
        self.green += usize::from(green);
        self.at_last = green;
    }
}

/// Asks for each tenant, one after the other, and that so many times.
pub(super) fn ask(server: SocketAddr, tenants: &[String], times: usize) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); tenants.len()];
    let part = tenants.len().div_ceil(CONNECTIONS);
    thread::scope(|scope| {
        for (tenants, seen) in tenants.chunks(part).zip(seen.chunks_mut(part)) {
            scope.spawn(move || {
                let mut client = Client::to(server);
                for _ in 0..times {
                    let parts = tenants.chunks(TOGETHER).zip(seen.chunks_mut(TOGETHER));
                    parts.for_each(|(tenants, seen)| client.ask(tenants, seen));
                }
            });
        }
    });
    seen
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn to(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).expect("the server accepts");
        stream.set_nodelay(true).expect("an open socket");
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).expect("an open socket");
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, tenants: &[String], seen: &mut [Seen]) {
        let requests = tenants.iter().map(|tenant| {
            format!("GET / HTTP/1.1\r\nHost: shop.example\r\nx-tenant: {tenant}\r\n\r\n")
        });
        let requests: String = requests.collect();
        let stream = self.0.get_mut();
        stream
            .write_all(requests.as_bytes())
            .expect("the server reads");
        for seen in seen {
            seen.note(self.answer() == "green");
        }
    }

    /// The body of the next answer.
    fn answer(&mut self) -> String {
        let (mut length, mut line) = (0, String::new());
        for number in 0.. {
            line.clear();
            self.0.read_line(&mut line).expect("the server answers");
            assert!(number > 0 || line.starts_with("HTTP/1.1 200 "), "{line}");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a whole answer");
        String::from_utf8(body).expect("a colour")
    }
}
