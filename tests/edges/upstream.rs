//! One pool of one region: it answers what it is and what it was asked, well or badly.

use std::collections::HashSet;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::http::Head;
use crate::server::{Server, hang, lock};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Serve,
    Status(u16),
    /// Takes the request and says nothing.
    Hang,
    /// Closes without a word.
    Close,
    /// Answers before it has read the body, and keeps the connection.
    Early(u16),
    /// Answers with a length and in chunks of another one.
    TwoLengths,
    /// Answers that it switches protocols.
    Switches,
    /// Answers in a transfer coding that nobody asked for.
    Coded,
    /// Answers the first request of a connection, and closes without a word at the second one.
    Once,
}

pub(crate) struct Upstream {
    shared: Arc<Shared>,
    server: Option<Server>,
    address: String,
}

struct Shared {
    region: String,
    slot: String,
    mode: Mutex<Mode>,
    asked: Mutex<Vec<Head>>,
    /// Clients that a connection answers once.
    served: Mutex<HashSet<SocketAddr>>,
    /// Bytes of bodies so far.
    received: AtomicU64,
}

impl Upstream {
    pub(crate) fn start(region: &str, slot: &str) -> Self {
        let shared = Arc::new(Shared {
            region: region.into(),
            slot: slot.into(),
            mode: Mutex::new(Mode::Serve),
            asked: Mutex::default(),
            served: Mutex::default(),
            received: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        let server = Server::start(Arc::new(move |head, stream| answer(&serving, head, stream)));
        Self {
            address: format!("http://{}", server.address),
            shared,
            server: Some(server),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Answers otherwise from now on.
    pub(crate) fn mode(&self, mode: Mode) {
        *lock(&self.shared.mode) = mode;
    }

    /// Its port refuses from now on.
    pub(crate) fn die(&mut self) {
        self.server = None;
    }

    /// How many connections it has, or has had since they were closed.
    pub(crate) fn connections(&self) -> usize {
        self.server.as_ref().map_or(0, Server::connections)
    }

    /// How many connections it has now.
    pub(crate) fn open(&self) -> usize {
        self.server.as_ref().map_or(0, Server::open)
    }

    /// Closes every connection, and takes new ones.
    pub(crate) fn close_connections(&self) {
        self.server.iter().for_each(Server::close);
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Head> {
        lock(&self.shared.asked).clone()
    }

    pub(crate) fn received(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }
}

/// The first bytes of a large body, the same whoever sends them; at most 32 MiB.
pub(crate) fn pattern(length: u64) -> &'static [u8] {
    static ALL: OnceLock<Vec<u8>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let block: Vec<u8> = (0..4093_u64).map(|at| ((at * 31) >> 3) as u8).collect();
        block.repeat((32 << 20) / block.len() + 1)
    });
    &all[..usize::try_from(length).unwrap()]
}

/// Where a redirect leads.
pub(crate) const ELSEWHERE: &str = "http://127.0.0.1:1/elsewhere?a=b";

fn answer(shared: &Shared, head: &Head, stream: &mut BufReader<TcpStream>) -> bool {
    lock(&shared.asked).push(head.clone());
    let mode = *lock(&shared.mode);
    match mode {
        Mode::Close => return false,
        Mode::Hang => {
            hang(stream);
            return false;
        }
        Mode::Early(status) => {
            let answer = format!("HTTP/1.1 {status} Early\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.get_mut().write_all(answer.as_bytes());
            hang(stream);
            return false;
        }
        Mode::TwoLengths => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
            let answer = format!("{head}a\r\n0123456789\r\n0\r\n\r\n");
            return stream.get_mut().write_all(answer.as_bytes()).is_ok();
        }
        Mode::Coded => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n";
            let answer = format!("{head}3\r\nabc\r\n0\r\n\r\n");
            return stream.get_mut().write_all(answer.as_bytes()).is_ok();
        }
        Mode::Switches => {
            let answer =
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
            return stream.get_mut().write_all(answer.as_bytes()).is_ok();
        }
        Mode::Once => {
            let client = stream.get_ref().peer_addr();
            if client.is_ok_and(|client| !lock(&shared.served).insert(client)) {
                return false;
            }
        }
        Mode::Serve | Mode::Status(_) => {}
    }
    let (mut length, mut right) = (0_u64, true);
    let read = head.request_body(stream, |part| {
        let end = length + part.len() as u64;
        right &= pattern(end)[usize::try_from(length).unwrap()..] == *part;
        length = end;
        shared
            .received
            .fetch_add(part.len() as u64, Ordering::SeqCst);
    });
    if read.is_err() {
        return false;
    }
    let mut words = head.start.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if target.contains("/hang") {
        hang(stream);
        return false;
    }
    let (status, more) = match mode {
        Mode::Status(status) => (format!("{status} Said"), String::new()),
        _ if target.contains("/redirect") => (
            "307 Temporary Redirect".into(),
            format!("location: {ELSEWHERE}\r\n"),
        ),
        _ => ("200 OK".into(), String::new()),
    };
    if head.header("upgrade") == Some("websocket") {
        return web_socket(head, stream).is_some();
    }
    // What an upstream could try, and headers that are its own.
    let fakes = "x-halcyon-region: fake\r\nX-Halcyon-Slot: fake\r\nx-halcyon-reason: fake\r\nx-halcyon-more: fake\r\n";
    let own = "set-cookie: a=1\r\nset-cookie: b=2\r\nx-own: yes\r\n";
    let first = format!("HTTP/1.1 {status}\r\n{fakes}{own}{more}");
    if let Some(bytes) = target.split("large=").nth(1) {
        return large(stream.get_mut(), &first, bytes.parse().unwrap_or(0)).is_ok();
    }
    if target.contains("/broken") {
        let chunk = "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
        let _ = write!(stream.get_mut(), "{first}{chunk}");
        return false;
    }
    let body = json!({
        "region": shared.region, "slot": shared.slot, "method": method, "target": target,
        "headers": head.headers, "length": length, "pattern": right,
    });
    let bodiless = matches!(mode, Mode::Status(204 | 304));
    let body = match method {
        "HEAD" => String::new(),
        _ => body.to_string(),
    };
    if bodiless {
        // They end with their head (RFC 9112, section 6.3).
        return write!(stream.get_mut(), "{first}\r\n").is_ok();
    }
    let whole = format!(
        "{first}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(whole.as_bytes()).is_ok()
}

/// Agrees to a WebSocket and says back the one short message that comes.
fn web_socket(head: &Head, stream: &mut BufReader<TcpStream>) -> Option<()> {
    let key = head.header("sec-websocket-key")?;
    let accept = format!(
        "crypto.createHash('sha1').update('{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')"
    );
    let accept = Command::new("node").args(["-p", &accept]).output().ok()?;
    let accept = String::from_utf8(accept.stdout).ok()?;
    let first = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n";
    let fake = "x-halcyon-region: fake\r\nsec-websocket-accept: ";
    write!(stream.get_mut(), "{first}{fake}{}\r\n\r\n", accept.trim()).ok()?;
    let mut frame = [0; 6];
    stream.read_exact(&mut frame).ok()?;
    let mut text = vec![0; usize::from(frame[1] & 0x7f)];
    stream.read_exact(&mut text).ok()?;
    let masks = frame[2..].iter().cycle();
    let text: Vec<u8> = text
        .iter()
        .zip(masks)
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    let length = u8::try_from(text.len()).ok()?;
    stream
        .get_mut()
        .write_all(&[&[0x81, length], &text[..]].concat())
        .ok()
}

/// The first byte of a body, a second and a half of nothing, and the rest.
fn large(stream: &mut TcpStream, first: &str, bytes: u64) -> std::io::Result<()> {
    write!(stream, "{first}content-length: {bytes}\r\n\r\n")?;
    let (first, rest) = pattern(bytes).split_at(1);
    stream.write_all(first)?;
    thread::sleep(Duration::from_millis(1_500));
    stream.write_all(rest)
}
