//! A control plane, and one request of it, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use halcyon_tests::process::Serving;
use halcyon_tests::region::Region;
use halcyon_tests::store::Store;
use serde_json::Value;

pub(crate) const NAMES: [&str; 3] = ["us-east", "us-west", "eu-west"];

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(": "));
        let found = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// What a problem says; it must be one.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let media = self.header("content-type");
        assert_eq!(media, Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().unwrap().to_owned()
    }

    pub(crate) fn is(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{} {body}", self.head);
        self
    }
}

/// Sends a request: `METHOD PATH`, header lines, a body.
pub(crate) fn send(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let mut stream = open(address, line, headers, body);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    taken_apart(&bytes)
}

/// The same, of whose answer only the head is waited for.
pub(crate) fn head(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = open(address, line, headers, None);
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{bytes:?}");
        bytes.push(byte[0]);
    }
    taken_apart(&bytes)
}

pub(crate) fn open(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += "Host: localhost\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = body {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body.unwrap_or_default();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

fn taken_apart(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

/// Three regions, and a control plane with a token for each role.
pub(crate) struct Control {
    pub(crate) regions: Vec<Region>,
    pub(crate) store: Store,
    pub(crate) server: Serving,
    variables: Vec<(String, String)>,
}

impl Control {
    /// One with these variables besides its own.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let store = Store::new();
        let regions: Vec<Region> = NAMES.iter().map(|_| Region::ready()).collect();
        let endpoints = NAMES.iter().zip(&regions);
        let endpoints = endpoints.map(|(name, region)| format!("{name}=http://{}", region.at()));
        let endpoints = endpoints.collect::<Vec<_>>().join(",");
        for role in ["Viewer", "Edge", "Deployer", "Admin"] {
            new_token(&store, role, &["--user", role, "--role", role]);
        }
        let (logs, tokens) = (store.logs(), store.dir().join("tokens.toml"));
        let mut all = vec![
            ("REGIONS", NAMES.join(",")),
            ("TENANT_STICKY", "hash".into()),
            ("FEATURE_BLUE_GREEN", "true".into()),
            ("REGION_ENDPOINTS", endpoints),
            ("PROBE_INTERVAL_MS", "50".into()),
            ("DRAIN_MS", "0".into()),
            ("HALCYON_STORE", format!("file:{}", logs.display())),
            ("HALCYON_TOKENS_FILE", tokens.display().to_string()),
        ];
        all.retain(|(name, _)| variables.iter().all(|(other, _)| other != name));
        let own = variables
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        all.extend(own);
        let all = all
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let variables: Vec<(String, String)> = all.collect();
        let server = start(&variables);
        Self {
            regions,
            store,
            server,
            variables,
        }
    }

    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.dashboard()
    }

    /// The variables that it has.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        let variables = self.variables.iter();
        variables
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// Gives it another variable for its next start.
    pub(crate) fn also(&mut self, (name, value): (&str, &str)) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Ends the server without a word, and starts it again.
    pub(crate) fn killed_and_restarted(&mut self) {
        self.server.signal(halcyon_tests::process::Signal::KILL);
        self.server.wait(Duration::from_secs(10)).unwrap();
        self.restarted();
    }

    /// Starts it again, once it has ended.
    pub(crate) fn restarted(&mut self) {
        self.server = start(&self.variables);
    }

    /// The secret of a role's token, or of another one by the name it was made under.
    pub(crate) fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.store.dir().join(format!("{name}.token"))).unwrap()
    }

    /// A request by a role, or by nobody where it is empty.
    pub(crate) fn ask(&self, role: &str, line: &str, body: Option<&str>) -> Answer {
        self.ask_with(role, line, &[], body)
    }

    pub(crate) fn ask_with(
        &self,
        role: &str,
        line: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let bearer = match role {
            "" => String::new(),
            role => format!("Bearer {}", self.secret(role)),
        };
        let mut all = headers.to_vec();
        if !role.is_empty() {
            all.push(("Authorization", &bearer));
        }
        send(self.address(), line, &all, body)
    }

    pub(crate) fn state(&self) -> Value {
        self.ask("Viewer", "GET /api/v1/state", None).is(200).json()
    }

    /// The audit log's records.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.store.records()
    }

    /// Waits until the snapshot is so.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let state = self.state();
            if so(&state) {
                return state;
            }
            let late = begin.elapsed() > Duration::from_secs(30);
            assert!(
                !late,
                "waited for {what}: {state:#} {}",
                self.server.stderr()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start(variables: &[(String, String)]) -> Serving {
    let variables = variables.iter();
    let variables: Vec<(&str, &str)> = variables
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Serving::start(&variables)
}

/// Makes a token, and keeps its secret under a name.
pub(crate) fn new_token(store: &Store, name: &str, arguments: &[&str]) -> String {
    let file = store.dir().join("tokens.toml");
    let file = file.to_str().unwrap().to_owned();
    let arguments = [&["token", "new", "--tokens-file", &file], arguments].concat();
    let secret = store.run(&arguments).exits(0).stdout.trim().to_owned();
    std::fs::write(store.dir().join(format!("{name}.token")), &secret).unwrap();
    secret
}
