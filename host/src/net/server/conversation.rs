//! What the two sides of one connection know of each other: the guard in front of hyper sees
//! requests come in, the service behind it sees them answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::refusal::Refusal;

/// One connection's state; both sides run in the same task.
#[derive(Debug, Clone)]
pub(super) struct Conversation(Arc<Mutex<State>>);

/// What a connection waits for, in the order in which it has to leave a full server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waits {
    /// Another request, after at least one answer.
    KeptAlive,
    /// The first request, or the body of one.
    ForARequest,
    /// That the client takes its answers.
    ToBeRead,
}

#[derive(Debug)]
pub(super) struct State {
    /// Heads that went on to hyper, or were answered without it.
    pub(super) heads: u64,
    /// A request has begun to arrive and not ended.
    pub(super) mid_request: bool,
    /// When it began.
    pub(super) request_since: Instant,
    /// A head is there whose body has not ended.
    pub(super) in_body: bool,
    /// Requests a handler has begun with.
    pub(super) begun: u64,
    /// Requests a handler is done with.
    pub(super) answered: u64,
    /// When a handler was last done, or a client that had to be waited for took the last of its answers.
    pub(super) answered_at: Instant,
    /// The refused request's number, and why.
    pub(super) refused: Option<(u64, Refusal)>,
    /// The number of the request whose body could not be read, and why.
    pub(super) broken: Option<(u64, Refusal)>,
    /// Part of a body has not been read by the handler it is for.
    pub(super) unread: bool,
    /// A body goes on to a handler, which is the one to ask for more of it.
    pub(super) moving: bool,
    /// The connection ends behind the answer that is under way.
    pub(super) ends: bool,
    /// There are answers that the client has not got yet.
    pub(super) unsent: bool,
    /// A handler wants to know when the client leaves.
    pub(super) watched: bool,
    /// It has left, as far as can be known: it has closed its side, or lost the connection.
    pub(super) gone: bool,
}

impl State {
    /// Whether hyper has nothing to do: every request that went on to it is answered and sent.
    pub(super) fn idle(&self) -> bool {
        // What is left of a body must never be taken for the next request.
        let answered = self.answered == self.heads && !self.unsent;
        answered && !self.in_body && !self.unread && !self.ends
    }

    /// Whether every request that a handler has begun with is answered and sent.
    pub(super) fn is_over(&self) -> bool {
        self.answered == self.begun && !self.unsent
    }

    /// Whether something of a request or of an answer is on its way.
    pub(super) fn under_way(&self) -> bool {
        self.mid_request || self.unsent
    }

    /// Whether a request is to be expected all the same where the server closes: it has begun, or the client
    /// has connected so lately that its first one may be on the way.
    pub(super) fn may_bring_one(&self, lately: Duration) -> bool {
        let new = self.heads == 0 && self.request_since.elapsed() < lately;
        self.under_way() || new
    }

    /// What the client has to do, and since when it could; none while the server is the one to act.
    pub(super) fn waits(&self) -> Option<(Waits, Instant)> {
        let of_whole_requests = self.heads - u64::from(self.in_body);
        if self.answered < of_whole_requests {
            None
        } else if self.unsent {
            Some((Waits::ToBeRead, self.answered_at))
        } else if self.moving {
            None
        } else if self.in_body || self.heads == 0 {
            Some((Waits::ForARequest, self.request_since.max(self.answered_at)))
        } else {
            Some((Waits::KeptAlive, self.answered_at))
        }
    }

    /// So many requests have been answered without hyper; their answers are to be sent.
    pub(super) fn answered_at_once(&mut self, requests: u64, now: Instant) {
        if requests > 0 {
            self.begun += requests;
            self.answered += requests;
            self.answered_at = now;
            self.unsent = true;
        }
    }

    /// Whether hyper is about to hand over one more request, so that its answer can be sent together
    /// with those that are there.
    pub(super) fn more_at_once(&self) -> bool {
        self.begun == self.answered && self.begun < self.heads
    }
}

impl Conversation {
    pub(super) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(State {
            heads: 0,
            mid_request: false,
            request_since: now,
            in_body: false,
            begun: 0,
            answered: 0,
            answered_at: now,
            refused: None,
            broken: None,
            unread: false,
            moving: false,
            ends: false,
            unsent: false,
            watched: false,
            gone: false,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handler begins with the next request; its answer ends when the guard is dropped. Tells
    /// whether the request is refused.
    pub(super) fn begin(&self) -> (Answering, u64, Option<Refusal>) {
        let mut state = self.state();
        state.begun += 1;
        let refused = state
            .refused
            .filter(|(number, _)| *number == state.begun)
            .map(|(_, why)| why);
        (Answering(self.clone()), state.begun, refused)
    }
}

/// Lives as long as a handler works on a request.
pub(super) struct Answering(Conversation);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.answered += 1;
        state.answered_at = Instant::now();
    }
}
