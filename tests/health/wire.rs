//! HTTP by hand, so that a test sends exactly the bytes it says, and services that misbehave.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use halcyon::health::{ConfigError, Environment, Health, HealthServer};
use halcyon::net::Client;
use halcyon::net::server::Limits;
use serde_json::Value;

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }
}

pub(crate) fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("the server accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

pub(crate) fn get(server: SocketAddr, path: &str) -> Answer {
    request(server, "GET", path)
}

pub(crate) fn request(server: SocketAddr, method: &str, path: &str) -> Answer {
    let mut answers = exchange(
        server,
        format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"),
    );
    assert_eq!(answers.len(), 1, "{method} {path}: {answers:?}");
    answers.remove(0)
}

/// Sends these bytes and reads every answer until the server closes.
pub(crate) fn exchange(server: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
    let mut stream = connect(server);
    // A server that refuses may close before everything is sent.
    let _ = stream.write_all(bytes.as_ref());
    let head_only = bytes.as_ref().starts_with(b"HEAD ");
    answers(&read_all(&mut stream), head_only)
}

/// Everything until the server closes; a reset counts as closing.
pub(crate) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return all,
            Ok(length) => all.extend_from_slice(&piece[..length]),
            Err(why) if why.kind() == std::io::ErrorKind::ConnectionReset => return all,
            Err(why) => panic!(
                "the server does not close: {why}; it sent {:?}",
                String::from_utf8_lossy(&all)
            ),
        }
    }
}

/// Sends a request on an open connection and reads its answer.
pub(crate) fn converse(stream: &mut TcpStream, path: &str) -> Answer {
    // In one piece, or each waits for the acknowledgement of the one before.
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())
        .unwrap();
    read_one(stream)
}

pub(crate) fn read_one(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).expect("the server answers");
        bytes.push(byte[0]);
        if let [answer] = answers(&bytes, false).as_slice() {
            return answer.clone();
        }
    }
}

fn answers(mut bytes: &[u8], head_only: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a head has a status");
        let mut answer = Answer {
            status,
            head,
            body: String::new(),
        };
        let length: usize = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let length = if head_only || status == 100 {
            0
        } else {
            length
        };
        let Some(body) = bytes.get(end + 4..end + 4 + length) else {
            break;
        };
        answer.body = String::from_utf8(body.to_vec()).expect("a body is text");
        answers.push(answer);
        bytes = &bytes[end + 4 + length..];
    }
    answers
}

/// How long `what` took.
pub(crate) fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = what();
    (result, begin.elapsed())
}

/// A service on a free port that treats each connection as `behave` says.
pub(crate) fn service(behave: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let behave = Arc::new(behave);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let behave = behave.clone();
            thread::spawn(move || behave(stream));
        }
    });
    address
}

/// A service that reads a request and answers these bytes.
pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    service(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut [0; 4096]);
    })
}

/// A service that accepts and never answers.
pub(crate) fn silent() -> SocketAddr {
    service(|_stream| thread::sleep(Duration::from_secs(600)))
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A server in this process, with these variables and limits.
pub(crate) fn server(environment: &[(&str, &str)], limits: Limits) -> HealthServer {
    HealthServer::start((Ipv4Addr::LOCALHOST, 0).into(), health(environment), limits).unwrap()
}

pub(crate) fn health(environment: &[(&str, &str)]) -> Health {
    try_health(environment).unwrap()
}

pub(crate) fn try_health(environment: &[(&str, &str)]) -> Result<Health, ConfigError> {
    let variables: Vec<(String, String)> = environment
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let lookup: Environment = Arc::new(move |name: &str| {
        variables
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    });
    Health::new(lookup, Client::new(None).unwrap())
}
