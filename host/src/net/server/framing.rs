//! Follows the requests of one connection byte by byte: holds each head back until it is whole and
//! good, and knows where each body ends, so that no head goes by unseen.

use super::chunked::Chunked;
use super::head::{self, BodyLength};
use super::limits::{Bodies, Limits};
use super::refusal::Refusal;

/// What hyper gets to parse instead of a refused request, so that the refusal is answered in its
/// turn. It is known by its number, not by what it says.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";

/// The same for a refused HEAD, whose answer has no content.
const HEAD_STAND_IN: &[u8] = b"HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n";

/// What hyper gets instead of a chunked body that has ended, where bodies are dropped: what hyper does not
/// see it cannot refuse.
const NO_CHUNKS: &[u8] = b"0\r\n\r\n";

#[derive(Debug)]
enum Part {
    Head,
    /// A body with so many bytes to come, never 0.
    Body(u64),
    Chunks(Chunked),
    /// Nothing more is taken from this client.
    Over,
}

/// The requests of one connection: bytes of a client go in, bytes that are safe to parse come out.
///
/// Does no I/O and keeps at most the current head, or what of a chunked body is not data.
///
/// ```
/// use halcyon::net::server::{Framing, Limits, Refusal};
///
/// let mut framing = Framing::new(Limits::default());
/// framing.feed(b"GET /health HTTP/1.1\r\nHost: a\r\n");
/// assert!(!framing.has_passed(), "a head is held back until it is whole");
/// framing.feed(b"\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
/// assert_eq!((framing.heads(), framing.refused()), (2, Some((2, Refusal::TwoLengths))));
/// assert!(framing.take(usize::MAX).starts_with(b"GET /health HTTP/1.1\r\n"));
/// ```
#[derive(Debug)]
pub struct Framing {
    limits: Limits,
    part: Part,
    /// What has arrived of the current head.
    head: Vec<u8>,
    /// Where in `head` the current line begins.
    line: usize,
    /// The connection closes after the current request.
    last: bool,
    /// The client has sent more than is taken.
    surplus: bool,
    /// What may go on to hyper, and how much of it has.
    passed: Vec<u8>,
    taken: usize,
    heads: u64,
    refused: Option<(u64, Refusal)>,
    broken: Option<Refusal>,
}

impl Framing {
    /// A connection on which nothing has arrived yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            part: Part::Head,
            head: Vec::new(),
            line: 0,
            last: false,
            surplus: false,
            passed: Vec::new(),
            taken: 0,
            heads: 0,
            refused: None,
            broken: None,
        }
    }

    /// Heads that went on to hyper, the stand-in of a refused one included, or were answered at once.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// The refused request's number, from 1, and why it is refused.
    pub fn refused(&self) -> Option<(u64, Refusal)> {
        self.refused
    }

    /// Why the current body cannot be read on.
    pub fn broken(&self) -> Option<Refusal> {
        self.broken
    }

    /// Whether a body is under way.
    pub fn in_body(&self) -> bool {
        matches!(self.part, Part::Body(_) | Part::Chunks(_))
    }

    /// Whether a request has begun and not ended.
    pub fn mid_request(&self) -> bool {
        self.in_body() || !self.head.is_empty()
    }

    /// Whether nothing more is taken from this client.
    pub fn over(&self) -> bool {
        matches!(self.part, Part::Over)
    }

    /// Whether the client has sent more than is taken.
    pub fn surplus(&self) -> bool {
        self.surplus
    }

    /// Whether there are bytes that may go on to hyper.
    pub fn has_passed(&self) -> bool {
        self.taken < self.passed.len()
    }

    /// At most `max` bytes that may go on to hyper.
    pub fn take(&mut self, max: usize) -> &[u8] {
        if self.taken == self.passed.len() {
            self.taken = 0;
            recycle(&mut self.passed);
        }
        let begin = self.taken;
        self.taken = self.passed.len().min(begin.saturating_add(max));
        &self.passed[begin..self.taken]
    }

    /// Follows bytes that the client sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.feed_or_answer(bytes, |_| false);
    }

    /// The same, but a plain request that comes before everything that went on to hyper is shown to
    /// `at_once` first; if that answers it, it does not go on.
    pub(super) fn feed_or_answer(
        &mut self,
        mut bytes: &[u8],
        mut at_once: impl FnMut(&[u8]) -> bool,
    ) {
        while !bytes.is_empty() {
            let used = match &mut self.part {
                Part::Head => self.feed_head(bytes, &mut at_once),
                Part::Body(left) => {
                    let here = bytes
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= here as u64;
                    let ended = *left == 0;
                    self.passed.extend_from_slice(&bytes[..here]);
                    if ended {
                        self.end_request();
                    }
                    here
                }
                Part::Chunks(chunked) => match chunked.feed(bytes) {
                    Ok((here, ended)) => {
                        match self.limits.bodies {
                            Bodies::Streamed => self.passed.extend_from_slice(&bytes[..here]),
                            Bodies::Dropped if ended => self.passed.extend_from_slice(NO_CHUNKS),
                            Bodies::Dropped => {}
                        }
                        if ended {
                            self.end_request();
                        }
                        here
                    }
                    Err(why) => {
                        self.broken = Some(why);
                        self.surplus = true;
                        self.part = Part::Over;
                        bytes.len()
                    }
                },
                Part::Over => {
                    self.surplus = true;
                    bytes.len()
                }
            };
            bytes = &bytes[used..];
        }
    }

    fn end_request(&mut self) {
        self.part = if self.last { Part::Over } else { Part::Head };
    }

    /// Takes one line of a head, or the part of it that is there.
    fn feed_head(&mut self, bytes: &[u8], at_once: &mut impl FnMut(&[u8]) -> bool) -> usize {
        let here = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(bytes.len(), |at| at + 1);
        let room = self.limits.head_bytes.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..here.min(room)]);
        if let Err(why) = self.judge_line(here > room, at_once) {
            self.refuse(why);
        }
        here
    }

    fn judge_line(
        &mut self,
        too_long: bool,
        at_once: &mut impl FnMut(&[u8]) -> bool,
    ) -> Result<(), Refusal> {
        let first = self.line == 0;
        if first
            && !self
                .head
                .first()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'\r')
        {
            return Err(Refusal::Malformed("this is not HTTP"));
        }
        if too_long {
            return Err(if first {
                Refusal::TargetTooLong
            } else {
                Refusal::HeadTooLarge
            });
        }
        let Some(line) = self.head[self.line..].strip_suffix(b"\n") else {
            return Ok(());
        };
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(Refusal::Malformed("a line ends in LF without CR"));
        };
        match (first, line.is_empty()) {
            // An empty line before a request is to be ignored (RFC 9112, 2.2).
            (true, true) => self.head.clear(),
            (true, false) => {
                head::request_line(line)?;
                self.line = self.head.len();
            }
            (false, false) => self.line = self.head.len(),
            (false, true) => self.end_head(at_once)?,
        }
        Ok(())
    }

    fn end_head(&mut self, at_once: &mut impl FnMut(&[u8]) -> bool) -> Result<(), Refusal> {
        let head = head::parse(&self.head, &self.limits)?;
        self.last = head.last;
        self.line = 0;
        self.heads += 1;
        if head.plain && !head.last && !self.has_passed() && at_once(&self.head) {
            recycle(&mut self.head);
            return Ok(());
        }
        match head.body {
            BodyLength::Known(0) => self.end_request(),
            BodyLength::Known(length) => self.part = Part::Body(length),
            BodyLength::Chunked => self.part = Part::Chunks(Chunked::new(&self.limits)),
        }
        self.passed.append(&mut self.head);
        recycle(&mut self.head);
        Ok(())
    }

    fn refuse(&mut self, why: Refusal) {
        let stand_in = match self.head.starts_with(b"HEAD ") {
            true => HEAD_STAND_IN,
            false => STAND_IN,
        };
        self.head = Vec::new();
        self.part = Part::Over;
        self.surplus = true;
        self.passed.extend_from_slice(stand_in);
        self.heads += 1;
        self.refused = Some((self.heads, why));
    }
}

/// Empties a buffer, and gives back a big one: ten thousand idle connections keep what they have.
pub(super) fn recycle(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(1024);
}

#[cfg(test)]
mod tests;
