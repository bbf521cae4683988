//! What stands between an edge and a control plane, and loses what comes from either.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use crate::http::{Client, Head};
use crate::server::{Server, lock};

/// What becomes of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Through,
    /// It comes nowhere.
    Away,
    /// It comes nowhere, and this is answered.
    Says(u16),
    /// It is taken, and nobody hears of that.
    Unheard,
}

pub(super) struct Relay {
    shared: Arc<Shared>,
    server: Server,
}

struct Shared {
    to: SocketAddr,
    way: Mutex<Way>,
    reports: Mutex<Vec<Way>>,
}

impl Relay {
    pub(super) fn start(to: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            to,
            way: Mutex::new(Way::Through),
            reports: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let server = Server::start(Arc::new(move |head, stream| {
            answer(&serving, head, stream).unwrap_or(false)
        }));
        Self { shared, server }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What becomes of reports from now on.
    pub(super) fn posts(&self, way: Way) {
        *lock(&self.shared.way) = way;
    }

    /// How many reports have gone that way.
    pub(super) fn reports(&self, way: Way) -> usize {
        let reports = lock(&self.shared.reports);
        reports.iter().filter(|known| **known == way).count()
    }
}

fn answer(
    shared: &Shared,
    head: &Head,
    stream: &mut BufReader<TcpStream>,
) -> std::io::Result<bool> {
    let mut body = Vec::new();
    head.request_body(stream, |part| body.extend_from_slice(part))?;
    let is_report = head.start.starts_with("POST ");
    let way = match is_report {
        true => *lock(&shared.way),
        false => Way::Through,
    };
    let goes_on = match way {
        Way::Away => false,
        Way::Says(status) => {
            let line = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n");
            stream.get_mut().write_all(line.as_bytes())?;
            true
        }
        Way::Through | Way::Unheard => {
            let answer = passed_on(shared.to, head, &body);
            if way == Way::Through {
                stream.get_mut().write_all(&answer)?;
            }
            way == Way::Through
        }
    };
    if is_report {
        lock(&shared.reports).push(way);
    }
    Ok(goes_on)
}

/// The answer to the same request, with a length.
fn passed_on(to: SocketAddr, head: &Head, body: &[u8]) -> Vec<u8> {
    let mut client = Client::to(to);
    let bytes_of = |head: &Head, more: &str| {
        let kept = head.headers.iter();
        let kept =
            kept.filter(|(name, _)| !["transfer-encoding", "content-length"].contains(&&**name));
        let lines = kept.map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}{more}\r\n", head.start, lines.collect::<String>())
    };
    let length = |length: usize| format!("content-length: {length}\r\n");
    client.write(bytes_of(head, &length(body.len())));
    client.write(body);
    let answer = client.answer("POST");
    let bodiless = matches!(answer.status(), 204 | 304);
    let more = if bodiless {
        String::new()
    } else {
        length(answer.body.len())
    };
    [bytes_of(&answer.head, &more).into_bytes(), answer.body].concat()
}
