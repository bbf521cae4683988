//! Whether the journal can be read and appended to, and tables be issued, for `/ready`: without holding its
//! answer up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::Dashboard;
use crate::health::JournalLook;

/// For so long an answer is that of the last look.
const FRESH: Duration = Duration::from_millis(100);

/// For so long it may take to look again: a disk that is slow while records are written is none that is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// For so long it is not tried again to issue a table that could not be: a lock that somebody holds is waited for.
const AGAIN: Duration = Duration::from_secs(3);

/// One look at a time, whoever asks: a disk that stands still holds one thread, not one for each question.
struct Readable {
    dashboard: Dashboard,
    looking: AtomicBool,
    /// When it was last tried to issue a table that could not be.
    tried: Mutex<Option<Instant>>,
    found: watch::Sender<Found>,
}

/// What the last look found.
#[derive(Clone, Default)]
struct Found {
    /// `None` before the first one.
    at: Option<Instant>,
    why: Option<String>,
}

impl Dashboard {
    /// Why the journal cannot be read or appended to, or no table be issued, if it cannot; each answers within the time
    /// it is given.
    pub(crate) fn journal(&self) -> JournalLook {
        let readable = Arc::new(Readable::of(self.clone()));
        Box::new(move |within| Box::pin(readable.clone().why_not(within)))
    }
}

impl Readable {
    fn of(dashboard: Dashboard) -> Self {
        Self {
            dashboard,
            looking: AtomicBool::new(false),
            tried: Mutex::default(),
            found: watch::Sender::default(),
        }
    }

    /// Why the journal cannot be read or appended to, if it cannot; answers after `within` at the latest.
    async fn why_not(self: Arc<Self>, within: Duration) -> Option<String> {
        let mut news = self.found.subscribe();
        let known = news.borrow_and_update().clone();
        let age = known.at.map(|at| at.elapsed());
        if age.is_some_and(|age| age < FRESH) {
            return known.why;
        }
        if !self.looking.swap(true, Ordering::SeqCst) {
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.look());
        }
        match timeout(within, news.changed()).await {
            Ok(_) => news.borrow().why.clone(),
            Err(_) if age.is_some_and(|age| age < PATIENCE) => known.why,
            Err(_) => {
                let ms = within.as_millis();
                Some(format!("the journal could not be read within {ms} ms"))
            }
        }
    }

    /// Tries to issue a table where that has failed: perhaps no edge asks any more.
    fn issue_again(&self) {
        let inner = &self.dashboard.0;
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.is_none_or(|tried| tried.elapsed() >= AGAIN)
            && inner.tables.trouble().is_some()
            && let Ok(placement) = &inner.placement
        {
            let _ = inner.issue(placement);
            *tried = Some(Instant::now());
        }
    }

    fn look(&self) {
        let inner = &self.dashboard.0;
        let stopped = inner.records.look(|view| view.journal().stopped());
        let why = match stopped {
            Ok(stopped) => stopped.or_else(|| {
                let why = inner.tables.trouble()?;
                Some(format!("no table can be issued: {why}"))
            }),
            Err(why) => Some(why.to_string()),
        };
        let at = Some(Instant::now());
        // Before it is told: whoever asks from then on looks again.
        self.looking.store(false, Ordering::SeqCst);
        self.found.send_replace(Found { at, why });
        self.issue_again();
    }
}
