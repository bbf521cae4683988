//! Whether a client still waits for its answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::conversation::Conversation;

/// Is ready once the client of a request has closed its side of the connection, or lost it, before the answer
/// to this request begins. Nobody looks unless this is polled; a client that has sent more behind its request
/// is not seen to leave.
pub struct Gone(Conversation);

impl Gone {
    pub(super) fn of(conversation: &Conversation) -> Self {
        Self(conversation.clone())
    }
}

impl Future for Gone {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        // The guard polls in the same task, behind this, and wakes it.
        state.watched = true;
        match state.gone {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.state().watched = false;
    }
}
