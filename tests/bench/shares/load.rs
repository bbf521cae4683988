//! Clients that ask steadily, over kept and over new connections, and count what is lost.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

/// Clients at once; every second one keeps its connection, the others connect for each request.
const CLIENTS: u32 = 64;

/// Without an answer for so long, a request is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// What has been asked, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// GET, POST.
    pub(super) sent: [usize; 2],
    pub(super) lost: [usize; 2],
    /// What happened to the lost ones, and how often.
    pub(super) how: BTreeMap<String, usize>,
    /// When a lost request began, since the load did.
    pub(super) when: Vec<Duration>,
    /// How long answers took.
    pub(super) took: Vec<Duration>,
}

/// A load at work.
pub(super) struct Load {
    pub(super) begin: Instant,
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// So many requests a second, to whatever port is told at the moment.
    pub(super) fn start(port: &Arc<AtomicU16>, per_second: u32) -> Self {
        let (begin, over) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let every = Duration::from_secs(1) * CLIENTS / per_second;
        let clients = (0..CLIENTS).map(|number| {
            let client = Client {
                number,
                keeps: number % 2 == 0,
                port: port.clone(),
                kept: None,
            };
            let over = over.clone();
            thread::spawn(move || client.run(begin, every, &over))
        });
        let clients = clients.collect();
        Self {
            begin,
            over,
            clients,
        }
    }

    /// Ends it and counts.
    pub(super) fn end(self) -> Tally {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            let one = client.join().expect("a client counts");
            for method in 0..2 {
                all.sent[method] += one.sent[method];
                all.lost[method] += one.lost[method];
            }
            for (how, times) in one.how {
                *all.how.entry(how).or_default() += times;
            }
            all.when.extend(one.when);
            all.took.extend(one.took);
        }
        all.when.sort();
        all.took.sort();
        all
    }
}

struct Client {
    number: u32,
    keeps: bool,
    port: Arc<AtomicU16>,
    kept: Option<(u16, TcpStream)>,
}

impl Client {
    fn run(mut self, begin: Instant, every: Duration, over: &AtomicBool) -> Tally {
        let mut tally = Tally::default();
        // Spread over the time between two requests of one client.
        let mut due = every * self.number / CLIENTS;
        for number in 0.. {
            thread::sleep(due.saturating_sub(begin.elapsed()));
            if over.load(Ordering::Relaxed) {
                break;
            }
            let asked = begin.elapsed();
            let method = (number + self.number / 2) as usize % 2;
            // Another tenant each time.
            let tenant = number.wrapping_mul(CLIENTS).wrapping_add(self.number);
            let outcome = self.ask(method, tenant);
            tally.sent[method] += 1;
            match outcome {
                Ok(()) => tally.took.push(begin.elapsed() - asked),
                Err(how) => {
                    self.kept = None;
                    tally.lost[method] += 1;
                    tally.when.push(asked);
                    *tally.how.entry(how).or_default() += 1;
                }
            }
            // What was missed while this one took its time is not asked for later.
            while due <= begin.elapsed() {
                due += every;
            }
        }
        tally
    }

    fn ask(&mut self, method: usize, tenant: u32) -> Result<(), String> {
        let port = self.port.load(Ordering::Relaxed);
        let kept = self.kept.take();
        let kept = kept.filter(|(to, stream)| *to == port && is_open(stream));
        let which = if kept.is_some() { "kept" } else { "new" };
        let failed = |what: &str, why: &io::Error| {
            // Where it failed and how, without what differs each time.
            let kind = why.kind();
            format!("{which} connection, {what}: {kind}")
        };
        let mut stream = match kept {
            Some((_, stream)) => stream,
            None => {
                let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                connect(server).map_err(|why| failed("connecting", &why))?
            }
        };
        let request = match method {
            0 => {
                format!("GET / HTTP/1.1\r\nHost: shop.example\r\nx-tenant: tenant{tenant}\r\n\r\n")
            }
            _ => format!(
                "POST / HTTP/1.1\r\nHost: shop.example\r\nx-tenant: tenant{tenant}\r\nContent-Length: 16\r\n\r\n0123456789abcdef"
            ),
        };
        stream
            .write_all(request.as_bytes())
            .map_err(|why| failed("sending", &why))?;
        let head = answer(&mut stream).map_err(|why| failed("waiting for the answer", &why))?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            return Err(format!("status {status}"));
        }
        // The server says so where it is about to go.
        if self.keeps && !head.contains("connection: close") {
            self.kept = Some((port, stream));
        }
        Ok(())
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Whether the server has not closed a kept connection: every client looks before it uses one.
fn is_open(stream: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(recv(stream, &mut [0u8; 1][..], flags), Err(why) if why == rustix::io::Errno::WOULDBLOCK)
}

/// Reads an answer to its end; its head, in small letters.
fn answer(stream: &mut TcpStream) -> io::Result<String> {
    let (mut bytes, mut block) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&block[..n]),
        }
        let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.split("content-length:").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
        let length: usize = length.ok_or(io::ErrorKind::InvalidData)?;
        if bytes.len() >= end + 4 + length {
            return Ok(head);
        }
    }
}
