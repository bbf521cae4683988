//! Bodies on their way: counted as moving, and giving their connection back at their end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::pool::Lease;
use crate::net::server::{RequestBody, is_last};

/// How far an upload is, for whoever waits for the answer to it.
pub(super) struct Progress {
    begun: Instant,
    /// Milliseconds after `begun` when a part of it went on.
    moved: AtomicU64,
    ended: AtomicBool,
    broken: AtomicBool,
    /// The client is waited for.
    waits: AtomicBool,
}

impl Progress {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            waits: AtomicBool::new(false),
        }
    }

    /// When a part of it last went on.
    pub(super) fn moved(&self) -> Instant {
        self.begun + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    /// Whether the client is the one who is waited for.
    pub(super) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// Whether the client has broken it off.
    pub(super) fn broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Whether all of it has gone.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// The body of a request as it goes on to an upstream.
pub(super) struct Upload(Option<(RequestBody, Arc<Progress>)>);

impl Upload {
    /// No body.
    pub(super) const NONE: Upload = Upload(None);

    /// A request's body, if it has one.
    pub(super) fn of(body: RequestBody) -> Self {
        match body.is_end_stream() {
            true => Self::NONE,
            false => Self(Some((body, Arc::new(Progress::new())))),
        }
    }

    /// How far it is; `None` where there is nothing to send.
    pub(super) fn progress(&self) -> Option<Arc<Progress>> {
        Some(self.0.as_ref()?.1.clone())
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some((body, progress)) = &mut self.get_mut().0 else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut *body).poll_frame(cx);
        progress.waits.store(polled.is_pending(), Ordering::Relaxed);
        let frame = ready!(polled);
        let since = progress.begun.elapsed().as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        progress.moved.store(since, Ordering::Relaxed);
        if matches!(frame, Some(Err(_))) {
            progress.broken.store(true, Ordering::Relaxed);
        } else if is_last(&frame) || body.is_end_stream() {
            progress.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Some((body, _)) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

/// The body of an upstream's answer. At its end the connection goes back to its pool.
pub(super) struct Download {
    body: Incoming,
    lease: Option<Lease>,
    upload: Option<Arc<Progress>>,
    idle: Duration,
    /// Set while the upstream is waited for.
    waits: Option<Pin<Box<Sleep>>>,
    moved: Instant,
}

impl Download {
    pub(super) fn new(
        body: Incoming,
        lease: Lease,
        upload: Option<Arc<Progress>>,
        idle: Duration,
    ) -> Self {
        let mut this = Self {
            body,
            lease: Some(lease),
            upload,
            idle,
            waits: None,
            moved: Instant::now(),
        };
        this.give_back();
        this
    }

    /// Gives the connection back, if nothing of this exchange is left on it.
    fn give_back(&mut self) {
        if !self.body.is_end_stream() {
            return;
        }
        let sent = self.upload.as_ref().is_none_or(|upload| upload.ended());
        if let Some(lease) = self.lease.take()
            && sent
        {
            lease.give_back();
        }
    }

    /// Gives the connection up.
    fn break_off(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.broke_off();
        }
    }

    /// Whether the upstream has been silent for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle = self.idle;
        let waits = match &mut self.waits {
            Some(waits) => waits,
            None => {
                self.moved = Instant::now();
                self.waits.insert(Box::pin(sleep_until(self.moved + idle)))
            }
        };
        loop {
            ready!(waits.as_mut().poll(cx));
            let until = self.moved + idle;
            if waits.deadline() >= until {
                return Poll::Ready(());
            }
            // It has moved since: setting the timer for every part would cost more.
            waits.as_mut().reset(until);
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if this.waits.is_some() {
                    this.moved = Instant::now();
                }
                this.give_back();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(why))) => {
                this.break_off();
                Poll::Ready(Some(Err(io::Error::other(why))))
            }
            Poll::Ready(None) => {
                this.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(this.poll_idle(cx));
                // The connection is given up, and the pool not blamed: a stream may have nothing to say, and one that
                // hangs answers nobody else either.
                this.lease = None;
                let why = "the upstream's answer pauses for too long";
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, why))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
