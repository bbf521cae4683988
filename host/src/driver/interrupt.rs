//! What can end or change a task from outside: the journal, the deadline, a signal.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::journal::{Journal, LOG_NAME};

/// How often a driver looks whether somebody else has appended. It has to obey within a second.
const LOOK: Duration = Duration::from_millis(100);

/// Why a task is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// The journal has another length.
    Changed,
    /// The deadline ran out.
    Deadline,
    /// A signal came.
    Signal(Signal),
    /// The release is to be left as it is.
    Hold,
}

/// Whether a driver leaves a release as it is, for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It does not.
    Never,
    /// Nothing is to change by itself: what goes back to blue goes on.
    Frozen,
    /// The process ends, and another one goes on.
    Ending,
}

impl Hold {
    /// Whether this is left.
    pub(super) fn holds(self, rollback: bool) -> bool {
        match self {
            Hold::Never => false,
            Hold::Frozen => !rollback,
            Hold::Ending => true,
        }
    }
}

/// A signal that asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What supervisors send.
    Terminate,
    /// The terminal was closed.
    Hangup,
}

impl Signal {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "Ctrl-C",
            Signal::Terminate => "SIGTERM",
            Signal::Hangup => "SIGHUP",
        }
    }

    /// 128 plus its number.
    pub fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
            Signal::Hangup => 129,
        }
    }
}

/// The first signal that asks to stop; a second one ends the process at once.
///
/// # Errors
/// When signals cannot be listened to.
pub fn signals() -> std::io::Result<watch::Receiver<Option<Signal>>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    // Under nohup the terminal may go: listening would undo that.
    let mut hangups = match ignores_hangup() {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let seen = tokio::select! {
                _ = interrupts.recv() => Signal::Interrupt,
                _ = terminations.recv() => Signal::Terminate,
                () = hung_up(hangups.as_mut()) => Signal::Hangup,
            };
            if sender.borrow().is_some() {
                std::process::exit(i32::from(seen.exit_code()));
            }
            let _ = sender.send(Some(seen));
        }
    });
    Ok(receiver)
}

async fn hung_up(hangups: Option<&mut tokio::signal::unix::Signal>) {
    match hangups {
        Some(hangups) => drop(hangups.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process was started with SIGHUP ignored. Where the system does not say, it was not.
pub(crate) fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// Waits for the next reason to interrupt a task.
pub(super) async fn next(
    journal: &Journal,
    deadline: Option<Instant>,
    signals: Option<watch::Receiver<Option<Signal>>>,
    (mut hold, rollback): (watch::Receiver<Hold>, bool),
) -> Interrupt {
    let path = journal.dir().join(LOG_NAME);
    let seen = journal.seen_bytes();
    let changed = async move {
        loop {
            tokio::time::sleep(LOOK).await;
            if std::fs::metadata(&path).map(|found| found.len()).ok() != Some(seen) {
                return;
            }
        }
    };
    let deadline = async move {
        match deadline {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    let signalled = async move {
        let Some(mut signals) = signals else {
            return std::future::pending().await;
        };
        let seen = signals
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|seen| *seen);
        match seen {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    };
    let held = async move {
        if hold.wait_for(|hold| hold.holds(rollback)).await.is_err() {
            // Nobody is left who could say so.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        signal = signalled => Interrupt::Signal(signal),
        () = held => Interrupt::Hold,
        () = deadline => Interrupt::Deadline,
        () = changed => Interrupt::Changed,
    }
}
