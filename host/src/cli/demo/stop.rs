//! Being asked to stop. The first signal counts; a second one must not leave processes behind that nobody ends.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::driver::{Signal, ignores_hangup};

/// Whether the demo has been asked to stop.
pub(super) struct Stop(watch::Receiver<Option<Signal>>);

impl Stop {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let mut hangups = match ignores_hangup() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let hung_up = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            let seen = tokio::select! {
                _ = interrupts.recv() => Signal::Interrupt,
                _ = terminations.recv() => Signal::Terminate,
                _ = hung_up => Signal::Hangup,
            };
            let _ = sender.send(Some(seen));
            // Whoever stops listening leaves the signals without effect, not with their old one.
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    /// Waits until it is.
    pub(super) async fn asked(&self) -> Signal {
        let mut asked = self.0.clone();
        match asked.wait_for(Option::is_some).await.map(|seen| *seen) {
            Ok(Some(signal)) => signal,
            _ => std::future::pending().await,
        }
    }
}
