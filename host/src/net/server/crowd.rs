//! Who is connected, and who has to leave when there is no room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a client has at least to send a request, however full the house is.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connections on which no request is under way.
#[derive(Default)]
pub(super) struct Crowd(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    last: u64,
    /// Those that have been answered before come first, then by how long they have waited.
    by_age: BTreeMap<(Kind, u64), (Instant, Arc<Notify>)>,
}

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Another request, after at least one answer.
    KeptAlive,
    /// Its first request, or the rest of one.
    Unheard,
}

impl Crowd {
    /// Counts a connection among those that can be asked to leave, until the seat is dropped.
    pub(super) fn wait(self: &Arc<Self>, kind: Kind, now: Instant) -> Seat {
        let leave = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        waiting.last += 1;
        let key = (kind, waiting.last);
        waiting.by_age.insert(key, (now, leave.clone()));
        Seat {
            crowd: self.clone(),
            key,
            leave,
        }
    }

    /// Asks one connection to leave: the one that has been idle for longest, else the one that has
    /// been sending its request for longest, if that is more than a second. False if there is none.
    pub(super) fn make_room(&self, now: Instant) -> bool {
        let mut waiting = self.waiting();
        let Some(oldest) = waiting.by_age.first_entry() else {
            return false;
        };
        let (kind, _) = *oldest.key();
        if kind == Kind::Unheard && now.saturating_duration_since(oldest.get().0) < PATIENCE {
            return false;
        }
        oldest.remove().1.notify_one();
        true
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiting connection's place in the [`Crowd`].
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    key: (Kind, u64),
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
        self.crowd.waiting().by_age.remove(&self.key);
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

    #[test]
    fn the_longest_idle_leave_first_and_nobody_before_a_second_has_passed() {
        let crowd = Arc::new(Crowd::default());
        let now = Instant::now();
        assert!(!crowd.make_room(now), "nobody is there");
        let unheard = crowd.wait(Kind::Unheard, now);
        let [gone, first, second] = [(); 3].map(|()| crowd.wait(Kind::KeptAlive, now));
        drop(gone);
        assert!(crowd.make_room(now));
        assert!(leaves(&first) && !leaves(&second));
        assert!(crowd.make_room(now) && leaves(&second));
        assert!(!crowd.make_room(now) && !leaves(&unheard));
        let later = now + PATIENCE;
        assert!(crowd.make_room(later) && leaves(&unheard));
        assert!(!crowd.make_room(later));
    }
}
