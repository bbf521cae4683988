//! Who is connected, and who has to leave when there is no room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::conversation::{Conversation, Waits};

/// How long a client has at least to send a request or to take an answer, however full the house is.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connections that are open.
#[derive(Default)]
pub(super) struct Crowd(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    last: u64,
    /// Those that have not been asked to leave.
    taken: BTreeMap<u64, Taken>,
}

struct Taken {
    conversation: Conversation,
    leave: Arc<Notify>,
}

impl Crowd {
    /// Counts a connection among those that can be asked to leave, until the seat is dropped.
    pub(super) fn enter(self: &Arc<Self>, conversation: Conversation) -> Seat {
        let leave = Arc::new(Notify::new());
        let mut seats = self.seats();
        seats.last += 1;
        let number = seats.last;
        let taken = Taken {
            conversation,
            leave: leave.clone(),
        };
        seats.taken.insert(number, taken);
        Seat {
            crowd: self.clone(),
            number,
            leave,
        }
    }

    /// Asks one connection to leave, of those that have waited for a second: the one that has been idle for
    /// longest, else the one that has been sending a request for longest, else the one that has not taken its
    /// answers for longest. Else one that has been idle for less: it is in use. False if there is none.
    pub(super) fn make_room(&self, now: Instant) -> bool {
        let mut seats = self.seats();
        // Looks at every connection, which is seldom: a list kept in order would be kept at every request.
        let waiting = seats.taken.iter();
        let waiting = waiting.filter_map(|(number, taken)| {
            let (waits, since) = taken.conversation.state().waits()?;
            let in_use = now.saturating_duration_since(since) < PATIENCE;
            let may_leave = waits == Waits::KeptAlive || !in_use;
            may_leave.then_some((in_use, waits, since, *number))
        });
        let Some((.., number)) = waiting.min() else {
            return false;
        };
        if let Some(taken) = seats.taken.remove(&number) {
            taken.leave.notify_one();
        }
        true
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the [`Crowd`].
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    number: u64,
    leave: Arc<Notify>,
}

impl Seat {
    /// Is ready when the connection has to leave.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.seats().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    fn leaves(seat: &Seat) -> bool {
        pin!(seat.asked_to_leave())
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    /// A connection that has had so many requests, the last one answered `after` the beginning.
    fn enter(crowd: &Arc<Crowd>, begin: Instant, heads: u64, after: u64) -> (Seat, Conversation) {
        let conversation = Conversation::new(begin);
        {
            let mut state = conversation.state();
            state.heads = heads;
            state.answered = heads;
            state.answered_at = begin + Duration::from_millis(after);
        }
        (crowd.enter(conversation.clone()), conversation)
    }

    #[test]
    fn the_longest_idle_leave_first_and_nobody_before_a_second_has_passed() {
        let crowd = Arc::new(Crowd::default());
        let now = Instant::now();
        assert!(!crowd.make_room(now), "nobody is there");
        let (unheard, _) = enter(&crowd, now, 0, 0);
        let (gone, _) = enter(&crowd, now, 1, 0);
        let (second, _) = enter(&crowd, now, 1, 7);
        let (first, _) = enter(&crowd, now, 9, 5);
        drop(gone);
        assert!(crowd.make_room(now));
        assert!(leaves(&first) && !leaves(&second));
        assert!(crowd.make_room(now) && leaves(&second));
        assert!(!crowd.make_room(now) && !leaves(&unheard));
        let later = now + PATIENCE;
        assert!(crowd.make_room(later) && leaves(&unheard));
        assert!(!crowd.make_room(later));
    }

    #[test]
    fn a_connection_that_is_in_use_stays_while_a_silent_one_has_waited_for_a_second() {
        let crowd = Arc::new(Crowd::default());
        let now = Instant::now();
        let (silent, _) = enter(&crowd, now, 0, 0);
        let (in_use, _) = enter(&crowd, now, 9, 1_500);
        let (idle, _) = enter(&crowd, now, 9, 200);
        let later = now + PATIENCE * 2;
        assert!(crowd.make_room(later) && leaves(&idle) && !leaves(&silent));
        assert!(crowd.make_room(later) && leaves(&silent) && !leaves(&in_use));
        assert!(crowd.make_room(later) && leaves(&in_use));
    }

    #[test]
    fn nobody_leaves_while_a_request_is_being_answered() {
        let crowd = Arc::new(Crowd::default());
        let now = Instant::now();
        let (busy, conversation) = enter(&crowd, now, 2, 0);
        conversation.state().heads = 3;
        for (mid_request, in_body, heads) in [(false, false, 3), (true, false, 3), (true, true, 4)]
        {
            let mut state = conversation.state();
            (state.mid_request, state.in_body, state.heads) = (mid_request, in_body, heads);
            drop(state);
            assert!(!crowd.make_room(now + PATIENCE) && !leaves(&busy));
        }
        let mut state = conversation.state();
        (state.in_body, state.mid_request, state.answered) = (false, false, 4);
        drop(state);
        assert!(crowd.make_room(now) && leaves(&busy));
    }

    #[test]
    fn who_sends_no_body_or_takes_no_answer_leaves_after_a_second_behind_those_who_are_idle() {
        let crowd = Arc::new(Crowd::default());
        let now = Instant::now();
        let (reads_nothing, conversation) = enter(&crowd, now, 3, 0);
        conversation.state().unsent = true;
        let (sends_no_body, conversation) = enter(&crowd, now, 1, 0);
        {
            let mut state = conversation.state();
            (state.heads, state.in_body, state.mid_request) = (2, true, true);
            state.request_since = now + Duration::from_millis(1);
        }
        let (idle, _) = enter(&crowd, now, 1, 900);
        assert!(crowd.make_room(now + PATIENCE * 2) && leaves(&idle));
        assert!(!crowd.make_room(now + PATIENCE - Duration::from_millis(1)));
        assert!(crowd.make_room(now + PATIENCE) && leaves(&reads_nothing));
        assert!(!crowd.make_room(now + PATIENCE) && !leaves(&sends_no_body));
        assert!(crowd.make_room(now + PATIENCE * 2) && leaves(&sends_no_body));
    }
}
