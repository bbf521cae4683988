//! HTTP/1.1 as far as these tests need it, on either side.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The first line and the headers of a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Reads one; `None` at the end of the connection.
    pub(crate) fn read(from: &mut impl BufRead) -> Option<Self> {
        let mut line = || {
            let mut line = String::new();
            match from.read_line(&mut line) {
                Ok(1..) => Some(line.trim_end().to_owned()),
                _ => None,
            }
        };
        let start = line()?;
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            if line.is_empty() {
                return Some(Self { start, headers });
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The only header of this name.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let first = found.next();
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        first.map(|(_, value)| value.as_str())
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding") == Some("chunked")
    }

    fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Reads the body of a request.
    pub(crate) fn request_body(
        &self,
        from: &mut impl BufRead,
        part: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        match self.is_chunked() {
            true => chunked(from, part),
            false => plain(from, self.length().unwrap_or(0), part),
        }
    }

    /// Reads the body of an answer.
    pub(crate) fn answer_body(
        &self,
        from: &mut impl BufRead,
        part: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        // They end with their head, whatever it says (RFC 9112, section 6.3).
        let bodiless = [" 204 ", " 304 "]
            .iter()
            .any(|status| self.start.contains(status));
        match self.is_chunked() {
            _ if bodiless => Ok(()),
            true => chunked(from, part),
            false => plain(from, self.length().unwrap_or(u64::MAX), part),
        }
    }
}

fn plain(from: &mut impl BufRead, mut length: u64, mut part: impl FnMut(&[u8])) -> io::Result<()> {
    let until_the_end = length == u64::MAX;
    while length > 0 {
        let bytes = from.fill_buf()?;
        if bytes.is_empty() {
            return match until_the_end {
                true => Ok(()),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let taken = bytes
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX));
        part(&bytes[..taken]);
        from.consume(taken);
        length -= taken as u64;
    }
    Ok(())
}

fn chunked(from: &mut impl BufRead, mut part: impl FnMut(&[u8])) -> io::Result<()> {
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16);
        let length = length.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        plain(from, length, &mut part)?;
        from.read_line(&mut String::new())?;
        if length == 0 {
            return Ok(());
        }
    }
}

/// An answer, and how long it took.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        let status = self.head.start.split(' ').nth(1).unwrap();
        status.parse().unwrap()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self}"))
    }

    /// The code of a problem document, after checking that it is one.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status(), status, "{self}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let body = self.json();
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["type"], "about:blank", "{body}");
        for member in ["title", "detail"] {
            assert!(
                body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{body}"
            );
        }
        body["code"].as_str().unwrap().to_owned()
    }

    /// Why, in words.
    #[track_caller]
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(
            f,
            "{:?} {}",
            self.head,
            body.chars().take(500).collect::<String>()
        )
    }
}

/// A connection to an edge.
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
    begin: Instant,
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let begin = Instant::now();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self {
            stream: BufReader::new(stream),
            begin,
        }
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn head(&mut self) -> Head {
        Head::read(&mut self.stream).expect("an answer")
    }

    /// Reads exactly so many bytes.
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Goes away at once, with a reset: nobody can take it for a side that is closed while the other reads.
    pub(crate) fn vanish(self) {
        rustix::net::sockopt::set_socket_linger(self.stream.get_ref(), Some(Duration::ZERO))
            .unwrap();
    }

    /// Closes its side, and reads on.
    pub(crate) fn close_its_side(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// The whole answer to a request with this method.
    #[track_caller]
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        let head = self.head();
        let mut body = Vec::new();
        let status = head.start.split(' ').nth(1).unwrap_or_default();
        if method != "HEAD" && !["101", "204", "304"].contains(&status) {
            let read = head.answer_body(&mut self.stream, |part| body.extend_from_slice(part));
            read.unwrap_or_else(|why| panic!("{why} after {} bytes: {head:?}", body.len()));
        }
        Answer {
            head,
            body,
            took: self.begin.elapsed(),
        }
    }
}
