//! The socket as hyper sees it: reads are framed and have deadlines, stalled writes end.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::conversation::Conversation;
use super::framing::Framing;
use super::limits::Limits;
use super::refusal::Refusal;

/// A client's socket behind [`Framing`] and the deadlines of [`Limits`].
pub(super) struct Guard {
    stream: TcpStream,
    framing: Framing,
    conversation: Conversation,
    limits: Limits,
    /// When the connection was accepted, or the current request's first byte came.
    since: Instant,
    reading: Pin<Box<Sleep>>,
    /// Runs while the client takes nothing of what is to be sent.
    writing: Option<Pin<Box<Sleep>>>,
}

impl Guard {
    pub(super) fn new(stream: TcpStream, limits: Limits, conversation: Conversation) -> Self {
        let now = Instant::now();
        Self {
            stream,
            framing: Framing::new(limits),
            conversation,
            limits,
            since: now,
            reading: Box::pin(sleep_until(now + limits.request)),
            writing: None,
        }
    }

    /// When the client has had its time. None while the server is the one to act.
    fn deadline(&self) -> Option<Instant> {
        let state = self.conversation.state();
        let whole = state.heads - u64::from(self.framing.in_body());
        if state.answered < whole {
            None
        } else if self.framing.mid_request() || state.heads == 0 {
            Some(self.since.max(state.answered_at) + self.limits.request)
        } else {
            Some(state.answered_at + self.limits.idle)
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline() else {
            return Poll::Pending;
        };
        if self.reading.deadline() != deadline {
            self.reading.as_mut().reset(deadline);
        }
        self.reading.as_mut().poll(cx)
    }

    fn feed(&mut self, bytes: &[u8]) {
        let between = !self.framing.mid_request();
        if between && self.framing.heads() > 0 {
            self.since = Instant::now();
        }
        self.framing.feed(bytes);
        let mut state = self.conversation.state();
        state.heads = self.framing.heads();
        state.mid_request = self.framing.mid_request();
        state.refused = self.framing.refused();
        state.broken = self.framing.broken();
    }

    /// Waits for the client to close, so that what it is still sending does not reset the connection
    /// before it has read why it was refused. The server's side is closed already.
    pub(super) async fn linger(mut self) {
        let until = Instant::now() + self.limits.closing;
        let mut scratch = [0; 4096];
        let drain = async { while matches!(self.stream.read(&mut scratch).await, Ok(1..)) {} };
        let _ = timeout_at(until, drain).await;
    }

    fn guard_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let limit = self.limits.write;
        let stalled = self
            .writing
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes nothing of its answer",
        )))
    }
}

impl Read for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        loop {
            let passed = guard.framing.take(buf.remaining());
            if !passed.is_empty() {
                buf.put_slice(passed);
                return Poll::Ready(Ok(()));
            }
            if guard.framing.broken().is_some() {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the body is refused",
                )));
            }
            if guard.framing.refused().is_some() {
                // hyper closes once it has sent the refusal; there is nothing more to read.
                return Poll::Pending;
            }
            if guard.poll_deadline(cx).is_ready() {
                if guard.framing.in_body() {
                    guard.conversation.state().broken = Some(Refusal::Timeout);
                }
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "no complete request in time",
                )));
            }
            let mut scratch = [const { MaybeUninit::uninit() }; 8192];
            let mut bytes = ReadBuf::uninit(&mut scratch);
            ready!(Pin::new(&mut guard.stream).poll_read(cx, &mut bytes))?;
            if bytes.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            guard.feed(bytes.filled());
        }
    }
}

impl Write for Guard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.stream).poll_write(cx, bytes);
        guard.guard_write(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.stream).poll_write_vectored(cx, pieces);
        guard.guard_write(cx, written)
    }
}
