//! When something that is asked for again and again became another.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two looks, which is how exact the times are.
const EVERY: Duration = Duration::from_millis(5);

/// How something is at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether the region counts as up.
    pub(super) up: bool,
    /// The number of the table, where there is one.
    pub(super) epoch: u64,
    /// How often the region has been chosen for a request.
    pub(super) chosen: u64,
}

/// A watch that is kept, each change noted.
pub(super) struct Watch {
    seen: Arc<Mutex<Vec<(Instant, Seen)>>>,
    over: Arc<AtomicBool>,
    looking: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks every few milliseconds. What cannot be seen at the moment is looked at again.
    pub(super) fn over(mut look: impl FnMut() -> Option<Seen> + Send + 'static) -> Self {
        let seen = Arc::<Mutex<Vec<(Instant, Seen)>>>::default();
        let over = Arc::new(AtomicBool::new(false));
        let (noting, ending) = (seen.clone(), over.clone());
        let looking = thread::spawn(move || {
            while !ending.load(Ordering::SeqCst) {
                let begin = Instant::now();
                if let Some(now) = look() {
                    let mut seen = noting.lock().unwrap_or_else(PoisonError::into_inner);
                    if seen.last().is_none_or(|(_, last)| *last != now) {
                        seen.push((begin, now));
                    }
                }
                thread::sleep(EVERY.saturating_sub(begin.elapsed()));
            }
        });
        Self {
            seen,
            over,
            looking: Some(looking),
        }
    }

    /// How it is now.
    pub(super) fn now(&self) -> Option<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last().map(|(_, now)| *now)
    }

    /// When it first was so, at or after a time.
    pub(super) fn first(&self, since: Instant, so: impl Fn(&Seen) -> bool) -> Option<Instant> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut later = seen.iter().filter(|(at, _)| *at >= since);
        later.find(|(_, seen)| so(seen)).map(|(at, _)| *at)
    }

    /// When the region was last chosen, after a time.
    pub(super) fn last_chosen(&self, since: Instant) -> Option<Instant> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = seen.windows(2).rev();
        let mut chosen = pairs.filter(|pair| pair[1].1.chosen > pair[0].1.chosen);
        chosen
            .next()
            .map(|pair| pair[1].0)
            .filter(|at| *at >= since)
    }

    /// How often the region has been chosen since the rest was forgotten.
    pub(super) fn chosen(&self) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = seen.first().zip(seen.last());
        ends.map_or(0, |((_, first), (_, last))| last.chosen - first.chosen)
    }

    /// Forgets all but how it is now.
    pub(super) fn forget(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.len().saturating_sub(1);
        seen.drain(..before);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.looking.take().map(JoinHandle::join);
    }
}

/// What a server answers a GET with, head and all.
pub(super) fn asked(server: SocketAddr, path: &str, token: &str) -> Option<String> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200 ").then_some(answer)
}
