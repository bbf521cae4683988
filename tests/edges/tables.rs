//! A server of tables, good and bad.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::http::Head;
use crate::server::{Answering, Server, hang, lock};

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// A table, with its epoch for an ETag.
    Table(Value),
    /// 200 with these bytes.
    Bytes(Vec<u8>),
    /// The same with this signature.
    Signed(Vec<u8>, String),
    Status(u16),
    /// 302 to this address.
    Redirect(String),
    /// Takes the request and says nothing.
    Hang,
    /// A good head, and a byte of the body now and then.
    Drip,
    /// So many bytes without saying how many.
    Endless(usize),
    /// Closes without a word.
    Close,
}

pub(crate) struct Tables {
    shared: Arc<Shared>,
    server: Server,
}

struct Shared {
    mode: Mutex<Mode>,
    asked: Mutex<Vec<Head>>,
    now: AtomicUsize,
    most: AtomicUsize,
    not_modified: AtomicUsize,
    /// What answers a POST, which asks for no table.
    posts: Mutex<Option<Arc<Answering>>>,
}

impl Tables {
    pub(crate) fn start(mode: Mode) -> Self {
        let shared = Arc::new(Shared {
            mode: Mutex::new(mode),
            asked: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            not_modified: AtomicUsize::new(0),
            posts: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let server = Server::start(Arc::new(move |head, stream| {
            if head.start.starts_with("POST ") {
                // Until somebody does, nobody is there.
                let posts = lock(&serving.posts).clone();
                return posts.is_some_and(|answering| answering(head, stream));
            }
            let now = serving.now.fetch_add(1, Ordering::SeqCst) + 1;
            serving.most.fetch_max(now, Ordering::SeqCst);
            let goes_on = answer(&serving, head, stream).unwrap_or(false);
            serving.now.fetch_sub(1, Ordering::SeqCst);
            goes_on
        }));
        Self { shared, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/v1/table?edge=1", self.server.address)
    }

    /// What answers a POST from now on: one cluster is all that Envoy's filter knows of a control plane.
    pub(crate) fn posts(&self, answering: Arc<Answering>) {
        *lock(&self.shared.posts) = Some(answering);
    }

    /// Answers otherwise from now on.
    pub(crate) fn mode(&self, mode: Mode) {
        *lock(&self.shared.mode) = mode;
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Head> {
        lock(&self.shared.asked).clone()
    }

    /// How many requests were open at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// How often it said 304.
    pub(crate) fn not_modified(&self) -> usize {
        self.shared.not_modified.load(Ordering::SeqCst)
    }
}

fn answer(
    shared: &Shared,
    head: &Head,
    stream: &mut BufReader<TcpStream>,
) -> std::io::Result<bool> {
    lock(&shared.asked).push(head.clone());
    let mode = lock(&shared.mode).clone();
    let to = stream.get_mut();
    match mode {
        Mode::Table(table) => {
            let etag = format!("\"{}\"", table["epoch"]);
            if head.header("if-none-match") == Some(&etag) {
                shared.not_modified.fetch_add(1, Ordering::SeqCst);
                write!(to, "HTTP/1.1 304 Not Modified\r\netag: {etag}\r\n\r\n")?;
            } else {
                let body = table.to_string();
                write!(
                    to,
                    "HTTP/1.1 200 OK\r\netag: {etag}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )?;
            }
        }
        Mode::Bytes(body) => {
            write!(
                to,
                "HTTP/1.1 200 OK\r\netag: \"bad\"\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )?;
            to.write_all(&body)?;
        }
        Mode::Signed(body, signature) => {
            write!(
                to,
                "HTTP/1.1 200 OK\r\nx-halcyon-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )?;
            to.write_all(&body)?;
        }
        Mode::Status(status) => write!(
            to,
            "HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n\r\n{{}}"
        )?,
        Mode::Redirect(location) => {
            write!(
                to,
                "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
            )?;
        }
        Mode::Hang => {
            hang(stream);
            return Ok(false);
        }
        Mode::Drip => {
            write!(to, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
            for _ in 0..100_000 {
                to.write_all(b" ")?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        Mode::Endless(bytes) => {
            write!(to, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            let block = [b' '; 65_536];
            for _ in 0..bytes / block.len() {
                to.write_all(&block)?;
            }
            return Ok(false);
        }
        Mode::Close => return Ok(false),
    }
    Ok(true)
}
