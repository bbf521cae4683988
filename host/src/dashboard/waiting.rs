//! Edges that have the table in force and wait for the next one: they are told as soon as there is one, and ask no
//! oftener than they would without.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

/// What a client would like (RFC 7240), and what it got.
const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(super) const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// An answer waits for no longer, whatever is preferred: somebody between may give up on a silent connection.
const LONGEST: Duration = Duration::from_secs(30);

/// So many wait at once at most; others are answered as if they had not asked to, and come back by themselves.
const WAITING: usize = 2_048;

/// How long a client prefers to wait: the first `wait` of its preferences, in whole seconds, if it is one and above 0.
pub(super) fn preferred(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';']));
    let wait = preferences.find_map(|one| {
        let (name, value) = one.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("wait")
            .then(|| value.trim().trim_matches('"'))
    })?;
    let digits = !wait.is_empty() && wait.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = match wait.parse::<u64>() {
        Ok(seconds) => seconds,
        // More than there are numbers for.
        Err(_) if digits => u64::MAX,
        Err(_) => return None,
    };
    let wait = Duration::from_secs(seconds).min(LONGEST);
    (digits && !wait.is_zero()).then_some(wait)
}

/// How many wait, and how many may.
pub(super) struct Waiting {
    taken: AtomicUsize,
    most: usize,
}

/// One that waits, until it is dropped.
pub(super) struct Place(Arc<Waiting>);

impl Waiting {
    /// For a server of so many connections: half of them at most wait, or whoever asks for something else would find
    /// none.
    pub(super) fn of(connections: usize) -> Self {
        Self {
            taken: AtomicUsize::default(),
            most: WAITING.min(connections / 2),
        }
    }

    /// A place for one more, if there is one.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let place = Place(self.clone());
        (self.taken.fetch_add(1, Ordering::SeqCst) < self.most).then_some(place)
    }

    /// Whether anybody waits.
    pub(super) fn is_any(&self) -> bool {
        self.taken.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_wait_is_whole_seconds_above_0_and_no_more_than_30() {
        for (says, wait) in [
            ("wait=10", Some(10)),
            ("respond-async, wait=5", Some(5)),
            ("respond-async; Wait = \"7\"", Some(7)),
            ("wait=31", Some(30)),
            ("wait=99999999999999999999999", Some(30)),
            ("wait=5, wait=9", Some(5)),
            ("wait=0", None),
            ("wait=-1", None),
            ("wait=+1", None),
            ("wait=1.5", None),
            ("wait=", None),
            ("wait", None),
            ("return=minimal", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_static(says));
            assert_eq!(preferred(&headers), wait.map(Duration::from_secs), "{says}");
        }
        assert_eq!(preferred(&HeaderMap::new()), None);
    }

    #[test]
    fn so_many_wait_and_no_more_than_half_of_the_connections() {
        assert_eq!(Waiting::of(100).most, 50);
        let waiting = Arc::new(Waiting::of(100_000));
        assert!(!waiting.is_any());
        let mut places: Vec<_> = (0..WAITING).map(|_| waiting.take().unwrap()).collect();
        assert!(waiting.take().is_none() && waiting.is_any());
        places.pop();
        assert!(waiting.take().is_some());
        drop(places);
        assert!(!waiting.is_any());
    }
}
