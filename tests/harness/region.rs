//! A region's health server that answers as it is told, well or badly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How a region answers `/ready`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200, ready.
    Ready,
    /// 503, not ready, and why.
    NotReady(&'static str),
    /// 500.
    Broken,
    /// Ready, after this long.
    Late(Duration),
    /// Accepts and says nothing.
    Silent,
    /// A byte at a time.
    Trickle,
    /// 302 to this address.
    Redirect(String),
    /// 200 with this body.
    Body(&'static str),
    /// Closes without a word.
    Close,
    /// Ready whenever it is asked whether it is; else this.
    ReadyBut(Box<Answer>),
    /// Ready for this many requests, then closes without a word.
    ReadyFor(usize),
}

/// A region on a free port of this machine, gone when dropped.
pub struct Region {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<Asked>>,
    gone: AtomicBool,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When it came.
    pub at: Instant,
    /// Its first line.
    pub line: String,
}

impl Region {
    /// A ready one.
    ///
    /// # Panics
    /// When no port is free.
    pub fn ready() -> Self {
        Self::answering(Answer::Ready)
    }

    /// One that answers like this.
    ///
    /// # Panics
    /// When no port is free.
    pub fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            asked: Mutex::default(),
            gone: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.gone.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let serving = Arc::clone(&serving);
                thread::spawn(move || serve(stream, &serving));
            }
        });
        Self { address, shared }
    }

    /// `127.0.0.1:port`, as `--region` takes it.
    pub fn at(&self) -> String {
        self.address.to_string()
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, answer: Answer) {
        *lock(&self.shared.answer) = answer;
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then lets the port go.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const READY: &str = r#"{"status":"ready","checks":{}}"#;

/// A client that goes away in the middle is no concern of a region's.
fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut head = Vec::new();
    let mut block = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut block) {
            Ok(n @ 1..) => head.extend_from_slice(&block[..n]),
            _ => return,
        }
    }
    let line = String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let probe = line.starts_with("GET /ready ");
    let number = {
        let mut asked = lock(&shared.asked);
        asked.push(Asked {
            at: Instant::now(),
            line,
        });
        asked.len()
    };
    let answer = match lock(&shared.answer).clone() {
        Answer::ReadyBut(_) if probe => Answer::Ready,
        Answer::ReadyBut(other) => *other,
        answer => answer,
    };
    let ready = response("200 OK", "", READY);
    let _ = match answer {
        Answer::Ready => stream.write_all(&ready),
        Answer::NotReady(why) => {
            let checks = format!(
                r#"{{"status":"not_ready","checks":{{"test":{{"ok":false,"error":"{why}"}}}}}}"#
            );
            stream.write_all(&response("503 Service Unavailable", "", &checks))
        }
        Answer::Broken => stream.write_all(&response(
            "500 Internal Server Error",
            "",
            r#"{"broken":true}"#,
        )),
        Answer::Late(after) => {
            thread::sleep(after);
            stream.write_all(&ready)
        }
        Answer::Silent => {
            // Until the client gives up.
            let _ = stream.read(&mut block);
            Ok(())
        }
        Answer::Trickle => ready.iter().try_for_each(|byte| {
            thread::sleep(Duration::from_millis(50));
            stream.write_all(&[*byte])
        }),
        Answer::Redirect(to) => stream.write_all(&response(
            "302 Found",
            &format!("Location: {to}\r\n"),
            READY,
        )),
        Answer::Body(body) => stream.write_all(&response("200 OK", "", body)),
        Answer::ReadyFor(requests) if number <= requests => stream.write_all(&ready),
        Answer::Close | Answer::ReadyFor(_) | Answer::ReadyBut(_) => Ok(()),
    };
}

fn response(status: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{more}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}
