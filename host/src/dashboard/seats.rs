//! How many streams are open, and whose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::admission::Client;

/// The most streams at once, and of one client.
pub(super) const STREAMS: usize = 512;
pub(super) const OF_A_CLIENT: usize = 64;

/// The streams that are open, by client.
#[derive(Default)]
pub(super) struct Seats(Mutex<HashMap<Client, usize>>);

/// One stream's place, given back when it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    client: Client,
}

impl Seats {
    /// A place for one more stream of a client, if there is one.
    pub(super) fn take(self: &Arc<Self>, client: Client) -> Option<Seat> {
        let mut taken = self.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&client).copied().unwrap_or(0);
        if all >= STREAMS || own >= OF_A_CLIENT {
            return None;
        }
        taken.insert(client.clone(), own + 1);
        let seats = self.clone();
        Some(Seat { seats, client })
    }

    /// How many are taken.
    pub(super) fn len(&self) -> usize {
        self.taken().values().sum()
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Client, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if let Some(own) = taken.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_does_not_take_all_places_and_gives_its_own_back() {
        let seats = Arc::new(Seats::default());
        let client = |last: u8| Client::of(Some(([10, 0, 0, last], 1).into()), None);
        let mut own: Vec<Seat> = (0..OF_A_CLIENT)
            .map(|_| seats.take(client(0)).unwrap())
            .collect();
        assert!(seats.take(client(0)).is_none());
        let others = (1..8).flat_map(|last| std::iter::repeat_n(last, OF_A_CLIENT));
        let others: Vec<Seat> = others
            .map(|last| seats.take(client(last)).unwrap())
            .collect();
        assert_eq!(seats.len(), STREAMS);
        assert!(seats.take(client(9)).is_none());
        own.pop();
        assert!(seats.take(client(9)).is_some());
        drop((own, others));
        assert_eq!((seats.len(), seats.taken().len()), (0, 0));
    }
}
