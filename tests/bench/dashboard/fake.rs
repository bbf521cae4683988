//! A server that has the real page and says what a real one has said, but for the stream: that says what it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::world::Captured;

/// It lives as long as the process.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    stream: Arc<Mutex<Option<TcpStream>>>,
}

impl Fake {
    /// Its first event is this snapshot.
    pub(crate) fn start(captured: &Captured) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = Arc::new(Mutex::new(None));
        let answers = Arc::new([
            ("/api/v1/table", captured.table.clone()),
            ("/api/v1/series", captured.series.clone()),
            ("/api/v1/probes", captured.probes.clone()),
            ("/api/v1/access", captured.access.clone()),
            ("/api/v1/audit", r#"{"records":[]}"#.to_owned()),
            ("/api/v1/region-events", r#"{"events":[]}"#.to_owned()),
        ]);
        let first = format!("id: 0.0\nevent: state\ndata: {}\n\n", captured.state);
        let listened = stream.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (answers, listened) = (answers.clone(), listened.clone());
                let first = first.clone();
                std::thread::spawn(move || {
                    answer(client, &*answers, &first, &listened);
                });
            }
        });
        Self { address, stream }
    }

    /// Says this on the stream that was opened last.
    pub(crate) fn say(&self, text: &str) {
        let mut stream = self.stream.lock().unwrap();
        let stream = stream.as_mut().expect("the page follows the stream");
        stream.write_all(text.as_bytes()).unwrap();
    }
}

fn answer(
    mut client: TcpStream,
    answers: &[(&str, String)],
    first: &str,
    listened: &Mutex<Option<TcpStream>>,
) {
    let mut lines = BufReader::new(&client).lines().map_while(Result::ok);
    let Some(line) = lines.next() else { return };
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let target = line.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    if path == "/api/v1/stream" {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        // The page may be gone again.
        let _ = client.write_all(format!("{head}{first}").as_bytes());
        *listened.lock().unwrap() = Some(client);
        return;
    }
    let known = answers.iter().find(|(of, _)| *of == path);
    let (kind, body) = match (halcyon_www::file(path), known) {
        (Some(file), _) => (file.content_type, file.bytes),
        (None, Some((_, text))) => ("application/json", text.as_bytes()),
        (None, None) => ("text/plain", &b""[..]),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let _ = client.write_all(head.as_bytes());
    let _ = client.write_all(body);
}
