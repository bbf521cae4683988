//! Requests as RFC 9110 and RFC 9112 have them, read in the plainest way, and as hyper reads them.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use halcyon::net::server::Limits;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Known(usize),
    Chunked,
}

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: Length,
    pub(super) last: bool,
}

/// The length of the head at the beginning of `bytes`, its empty line included.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// Reads a head that nobody could read differently; anything else says what is wrong.
pub(super) fn head(bytes: &[u8], limits: &Limits) -> Result<Head, &'static str> {
    let ensure = |holds: bool, why| if holds { Ok(()) } else { Err(why) };
    ensure(bytes.len() <= limits.head_bytes, "it is too long")?;
    let lines = bytes.strip_suffix(b"\r\n\r\n").ok_or("it has no end")?;
    let mut lines = split(lines, b"\r\n").into_iter();
    let request = lines.next().unwrap_or_default();
    let words: Vec<&[u8]> = request.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return Err("the request line has not three words");
    };
    ensure(
        !method.is_empty() && method.iter().all(is_token),
        "the method is no token",
    )?;
    let shown = |byte: &u8| byte.is_ascii_graphic() || *byte >= 0x80;
    ensure(
        !target.is_empty() && target.iter().all(shown),
        "the target holds what no target has",
    )?;
    ensure(
        matches!(version, b"HTTP/1.1" | b"HTTP/1.0"),
        "the version is another",
    )?;
    let mut fields: Vec<(String, &[u8])> = Vec::new();
    for line in lines {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or("a field has no colon")?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        // This is also what a folded line fails at: it begins with a blank.
        ensure(
            !name.is_empty() && name.iter().all(is_token),
            "a field's name is no token",
        )?;
        let text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
        ensure(
            value.iter().all(text),
            "a field's value holds a control character",
        )?;
        fields.push((
            String::from_utf8_lossy(name).to_ascii_lowercase(),
            value.trim_ascii(),
        ));
    }
    ensure(fields.len() <= limits.headers, "it has too many fields")?;
    let named = |name: &str| -> Vec<&[u8]> {
        fields
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| *value)
            .collect()
    };
    let new = version == b"HTTP/1.1";
    let hosts = named("host").len();
    ensure(hosts == 1 || (hosts == 0 && !new), "it has not one host")?;
    let (lengths, encodings) = (named("content-length"), named("transfer-encoding"));
    ensure(
        lengths.is_empty() || encodings.is_empty(),
        "it has two lengths",
    )?;
    let length = match (lengths.first(), encodings.as_slice()) {
        (None, []) => Length::Known(0),
        (None, [one]) if new && one.eq_ignore_ascii_case(b"chunked") => Length::Chunked,
        (Some(first), []) => {
            ensure(
                lengths.iter().all(|other| other == first),
                "its lengths differ",
            )?;
            let digits = first.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(first).ok().filter(|_| digits);
            let number = number
                .and_then(|digits| digits.parse().ok())
                .ok_or("its length is no number")?;
            ensure(number as u64 <= limits.body_bytes, "its body is too long")?;
            Length::Known(number)
        }
        _ => return Err("its encoding is another"),
    };
    let says = |value: &[u8], option: &[u8]| {
        let mut options = value.split(|byte| *byte == b',');
        options.any(|found| found.trim_ascii().eq_ignore_ascii_case(option))
    };
    // What is no text has no option that anybody may rely on.
    let keeps = |value: &&[u8]| value.is_ascii() && says(value, b"keep-alive");
    let connection = named("connection");
    let closes = connection.iter().any(|value| says(value, b"close"));
    let last = closes || !(new || connection.iter().any(keeps));
    Ok(Head { length, last })
}

/// Whether a head is so plain that refusing it would be wrong. What does not begin with a letter is taken
/// for another protocol, although a method might be spelt so.
pub(super) fn is_plain(bytes: &[u8], limits: &Limits) -> bool {
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    let target = bytes.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let simple = |byte: &u8| byte.is_ascii_alphanumeric() || b"/?&=._-".contains(byte);
    head(bytes, limits).is_ok() && target.starts_with(b"/") && target.iter().all(simple)
}

/// The bytes of a chunked body, if it is whole: sizes, extensions, data, trailer fields, empty line.
pub(super) fn chunks_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + position(bytes.get(at..)?, b"\r\n")?;
        let line = &bytes[at..end];
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let size = usize::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
        at = end + 2;
        if size == 0 {
            break;
        }
        at += size;
        if bytes.get(at..at + 2)? != b"\r\n" {
            return None;
        }
        at += 2;
    }
    while !bytes.get(at..)?.starts_with(b"\r\n") {
        at += position(&bytes[at..], b"\r\n")? + 2;
    }
    Some(at + 2)
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn split<'b>(mut bytes: &'b [u8], at: &[u8]) -> Vec<&'b [u8]> {
    let mut parts = Vec::new();
    while let Some(end) = position(bytes, at) {
        parts.push(&bytes[..end]);
        bytes = &bytes[end + at.len()..];
    }
    parts.push(bytes);
    parts
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// What hyper makes of these bytes: the body of every request that it hands over whole.
///
/// # Panics
/// When hyper refuses them by itself, or stops before their end while it could go on.
pub(super) fn as_hyper_reads(bytes: &[u8], limits: &Limits) -> Vec<Vec<u8>> {
    let bodies = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let bodies = &bodies;
        async move {
            if let Ok(body) = request.into_body().collect().await {
                bodies.borrow_mut().push(body.to_bytes().to_vec());
            }
            Ok::<_, Infallible>(Response::builder().status(404).body(String::new()).unwrap())
        }
    });
    let wire = Wire {
        sent: bytes.to_vec(),
        at: 0,
    };
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .half_close(true)
        .serve_connection(wire, service);
    let mut connection = std::pin::pin!(connection);
    let mut context = Context::from_waker(Waker::noop());
    // What is there is there at once, so hyper only waits where it asks to be polled again.
    for _ in 0..10_000 {
        if let Poll::Ready(end) = connection.as_mut().poll(&mut context) {
            let refused = end.err().filter(hyper::Error::is_parse);
            assert!(refused.is_none(), "hyper refuses: {refused:?}");
            return bodies.take();
        }
    }
    panic!("hyper waits for ever");
}

/// A client that has sent everything and takes every answer.
struct Wire {
    sent: Vec<u8>,
    at: usize,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let end = self.sent.len().min(self.at + into.remaining());
        into.put_slice(&self.sent[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
