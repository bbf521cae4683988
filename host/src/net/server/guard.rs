//! The socket as hyper sees it: reads are framed and have deadlines, answers are sent together where
//! more of them are to come at once, stalled writes end.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::accept::{Phase, Site};
use super::conversation::Conversation;
use super::framing::{Framing, recycle};
use super::limits::{Bodies, Limits};
use super::refusal::Refusal;

/// How many bytes of answers wait to be sent together.
const TOGETHER: usize = 64 * 1024;

/// A client's socket behind [`Framing`] and the deadlines of [`Limits`].
pub(super) struct Guard {
    stream: TcpStream,
    framing: Framing,
    conversation: Conversation,
    limits: Limits,
    site: Arc<Site>,
    phase: watch::Receiver<Phase>,
    reading: Pin<Box<Sleep>>,
    /// The handler waits for the next bytes of a body, and has since [`State::request_since`].
    body_waits: bool,
    /// Runs while the client takes nothing of what is to be sent.
    writing: Option<Pin<Box<Sleep>>>,
    /// Answers, and how many bytes of them have been sent.
    out: Vec<u8>,
    sent: usize,
}

impl Guard {
    pub(super) fn new(
        stream: TcpStream,
        limits: Limits,
        conversation: Conversation,
        site: Arc<Site>,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        let now = Instant::now();
        Self {
            stream,
            framing: Framing::new(limits),
            conversation,
            limits,
            site,
            phase,
            reading: Box::pin(sleep_until(now + limits.request)),
            body_waits: false,
            writing: None,
            out: Vec::new(),
            sent: 0,
        }
    }

    /// Waits for the next request that takes a handler, and gives standing answers meanwhile. False when
    /// none will come: the client has left, has had its time, or has had the answer to its last request.
    /// Then [`leave`](Self::leave) is what is left to do.
    pub(super) async fn next_request(&mut self) -> bool {
        poll_fn(|cx| self.poll_next_request(cx)).await
    }

    fn poll_next_request(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if self.framing.has_passed() {
                return Poll::Ready(true);
            }
            if !self.out.is_empty() && ready!(self.poll_send(cx)).is_err() {
                return Poll::Ready(false);
            }
            if self.framing.over() || self.poll_deadline(cx).is_ready() {
                return Poll::Ready(false);
            }
            match ready!(self.poll_fill(cx, true)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(false),
            }
        }
    }

    /// Reads what the client has sent; 0 bytes are its end. `alone` says that hyper has nothing under way.
    fn poll_fill(&mut self, cx: &mut Context<'_>, alone: bool) -> Poll<io::Result<usize>> {
        let mut scratch = [const { MaybeUninit::uninit() }; 8192];
        let mut bytes = ReadBuf::uninit(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut bytes))?;
        if !bytes.filled().is_empty() {
            self.feed(bytes.filled(), alone);
        }
        Poll::Ready(Ok(bytes.filled().len()))
    }

    /// Looks whether the client has left, where a handler wants to know and nothing of the client is there that is
    /// still to be answered.
    fn watch_client(&mut self, cx: &mut Context<'_>) {
        {
            let state = self.conversation.state();
            let more = state.begun < state.heads || state.mid_request;
            if !state.watched || state.gone || more {
                return;
            }
        }
        let mut next = [MaybeUninit::uninit()];
        match self.stream.poll_peek(cx, &mut ReadBuf::uninit(&mut next)) {
            // What has come behind the request hides whether more will.
            Poll::Pending | Poll::Ready(Ok(1..)) => {}
            Poll::Ready(Ok(0) | Err(_)) => {
                self.conversation.state().gone = true;
                cx.waker().wake_by_ref();
            }
        }
    }

    /// The client has closed its side within a body.
    fn cut_short(&mut self) -> Poll<io::Result<()>> {
        let mut state = self.conversation.state();
        state.broken = Some((state.heads, Refusal::CUT_SHORT));
        Poll::Ready(Ok(()))
    }

    /// When the client has had its time. None while the server is the one to act.
    fn deadline(&self) -> Option<Instant> {
        let state = self.conversation.state();
        let whole = state.heads - u64::from(state.in_body);
        if state.answered < whole {
            None
        } else if state.mid_request || state.heads == 0 {
            Some(state.request_since.max(state.answered_at) + self.limits.request)
        } else {
            Some(state.answered_at + self.limits.idle)
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline() else {
            return Poll::Pending;
        };
        // A timer that rings early is set anew then: setting it for every request would cost more.
        if self.reading.deadline() > deadline {
            self.reading.as_mut().reset(deadline);
        }
        loop {
            ready!(self.reading.as_mut().poll(cx));
            if self.reading.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.reading.as_mut().reset(deadline);
        }
    }

    fn feed(&mut self, bytes: &[u8], alone: bool) {
        let now = Instant::now();
        if !self.framing.mid_request() && self.framing.heads() > 0 {
            self.conversation.state().request_since = now;
        }
        self.body_waits = false;
        let stands = alone && *self.phase.borrow() == Phase::Serving;
        let (standing, out) = (&self.site.standing, &mut self.out);
        let mut given = 0;
        self.framing.feed_or_answer(bytes, |request| {
            // More answers than that wait for the client to take some, which hyper sees to.
            let room = out.len() < TOGETHER;
            let answered = stands && room && standing.answer(request, out, || now.elapsed());
            given += u64::from(answered);
            answered
        });
        let mut state = self.conversation.state();
        state.heads = self.framing.heads();
        state.answered_at_once(given, now);
        state.mid_request = self.framing.mid_request();
        state.in_body = self.framing.in_body();
        state.refused = self.framing.refused();
        state.broken = self.framing.broken().map(|why| (self.framing.heads(), why));
        state.moving = self.limits.bodies == Bodies::Streamed && state.in_body;
    }

    /// Whether nothing that has gone on to hyper is left: the next byte begins a request.
    pub(super) fn is_between_requests(&self) -> bool {
        !self.framing.has_passed() && !self.framing.in_body()
    }

    /// Closes. Where the client has sent more than was read, waits for it to close too, or what it has
    /// sent would reset the connection before it has read its answers.
    pub(super) async fn leave(mut self) {
        // Most often hyper has done so already.
        let _ = self.stream.shutdown().await;
        let mut scratch = [0; 4096];
        // It has its answer, and what it still sends of the body would have that answer lost.
        let owed = {
            let state = self.conversation.state();
            state.in_body && state.answered >= state.heads
        };
        if !owed
            && !self.framing.surplus()
            && !matches!(self.stream.try_read(&mut scratch), Ok(1..))
        {
            return;
        }
        let until = Instant::now() + self.limits.closing;
        let drain = async { while matches!(self.stream.read(&mut scratch).await, Ok(1..)) {} };
        let _ = timeout_at(until, drain).await;
    }

    /// Sends every answer that waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.out.len() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.out[self.sent..]);
            match ready!(self.guard_write(cx, written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                some => self.sent += some,
            }
        }
        self.sent = 0;
        recycle(&mut self.out);
        self.conversation.state().unsent = false;
        Poll::Ready(Ok(()))
    }

    fn guard_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.writing.take().is_some() {
                // Only now can the client act on what it has got.
                self.conversation.state().answered_at = Instant::now();
            }
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
            if !guard.framing.in_body() {
                if guard.limits.bodies == Bodies::Dropped {
                    // The next request is waited for without hyper, which then has no buffers.
                    return Poll::Pending;
                }
                // For a moment it is waited for with hyper: a busy connection would make it anew each time.
                if guard.framing.over() || guard.poll_deadline(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                match ready!(guard.poll_fill(cx, false))? {
                    0 => return Poll::Ready(Ok(())),
                    _ => continue,
                }
            }
            if guard.limits.bodies == Bodies::Streamed && !guard.body_waits {
                // A body takes as long as it moves: its time begins when somebody waits for more of it.
                match guard.poll_fill(cx, false) {
                    Poll::Ready(Ok(0)) => return guard.cut_short(),
                    Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                    Poll::Ready(Ok(_)) => continue,
                    Poll::Pending => {
                        guard.body_waits = true;
                        let mut state = guard.conversation.state();
                        state.request_since = Instant::now();
                        state.moving = false;
                    }
                }
            }
            if guard.poll_deadline(cx).is_ready() {
                let mut state = guard.conversation.state();
                state.broken = Some((state.heads, Refusal::Timeout));
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "no complete request in time",
                )));
            }
            if ready!(guard.poll_fill(cx, false))? == 0 {
                return guard.cut_short();
            }
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
        if guard.out.len() >= TOGETHER {
            ready!(guard.poll_send(cx))?;
        }
        guard.out.extend_from_slice(bytes);
        guard.conversation.state().unsent = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        // hyper reads nothing while a handler is at work, and flushes whenever it is woken.
        guard.watch_client(cx);
        if guard.conversation.state().more_at_once() {
            return Poll::Ready(Ok(()));
        }
        guard.poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        ready!(guard.poll_send(cx))?;
        Pin::new(&mut guard.stream).poll_shutdown(cx)
    }
}
