//! The table that is held, and which one may follow it. The core says which may; here it is made to last.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use halcyon_core::table::Gate;

use super::held::Held;
use super::kept::Kept;
use super::metrics::Metrics;
use super::sockets::Sockets;
use super::telemetry::Telemetry;
use crate::clock;

/// The longest line with a signature: 88 characters, and some to spare.
pub(super) const LINE_MAX: usize = 256;

/// The table in force, and what it takes to get the next one.
pub(super) struct Tables {
    held: ArcSwapOption<Held>,
    metrics: Arc<Metrics>,
    telemetry: Option<Arc<Telemetry>>,
    gate: Gate,
    tls: Arc<rustls::ClientConfig>,
    sockets: Arc<Sockets>,
    kept: Option<Kept>,
    /// Why the last one was not had or not taken; one is asked for at a time.
    refused: Mutex<Option<String>>,
}

impl Tables {
    pub(super) fn new(
        metrics: Arc<Metrics>,
        telemetry: Option<Arc<Telemetry>>,
        gate: Gate,
        tls: Arc<rustls::ClientConfig>,
        sockets: Arc<Sockets>,
        state_dir: Option<&str>,
    ) -> Self {
        Self {
            held: ArcSwapOption::empty(),
            metrics,
            telemetry,
            gate,
            tls,
            sockets,
            kept: state_dir.map(Kept::in_dir),
            refused: Mutex::default(),
        }
    }

    /// The table in force.
    pub(super) fn held(&self) -> Option<Arc<Held>> {
        // Not a guard: a request may hold it for long, and of those there are only few to be had.
        self.held.load_full()
    }

    /// Why this edge is not ready, if it is not.
    pub(super) fn missing(&self) -> Option<String> {
        if self.held.load().is_some() {
            return None;
        }
        let refused = self.refused();
        let why = refused.as_deref().unwrap_or("none has come");
        Some(format!("no routing table yet: {why}"))
    }

    /// Begins with the table that was held before a restart, if it is kept and still good. Blocks.
    pub(super) fn resume(&self) {
        let Some((table, signature)) = self.kept.as_ref().and_then(Kept::read) else {
            return;
        };
        match self.take(&table, signature.as_deref()) {
            Ok(Some(epoch)) => tracing::info!("table {epoch} is kept from before"),
            Ok(None) => {}
            Err(why) => tracing::warn!("the table kept in EDGE_STATE_DIR is not taken: {why}"),
        }
    }

    /// Takes a table, or keeps the one that is held. Blocks.
    ///
    /// # Errors
    /// Why it is not taken, as one line.
    pub(super) fn offer(&self, table: &[u8], signature: Option<&str>) -> Result<(), String> {
        let taken = self.take(table, signature);
        let taken = taken.inspect_err(|why| self.missed(why))?;
        *self.refused() = None;
        let Some(epoch) = taken else { return Ok(()) };
        tracing::info!("table {epoch} is in force");
        if let Some(kept) = &self.kept {
            kept.write(table, signature);
        }
        Ok(())
    }

    /// What is to be written once more, if the table in force could not be.
    pub(super) fn behind(&self) -> Option<&Kept> {
        self.kept.as_ref().filter(|kept| kept.is_behind())
    }

    /// Counts a table that could not be had or was not taken.
    pub(super) fn missed(&self, why: &str) {
        self.metrics.tables_refused.inc();
        *self.refused() = Some(why.to_owned());
    }

    fn refused(&self) -> MutexGuard<'_, Option<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the epoch of a new table; `None` for the one that is held already.
    fn take(&self, bytes: &[u8], signature: Option<&str>) -> Result<Option<u64>, String> {
        let held = self.held.load_full();
        let before = held.as_deref().map(|held| &held.table);
        let Some(table) = self.gate.judge(bytes, signature, before, clock::now())? else {
            return Ok(None);
        };
        let epoch = table.epoch();
        let new = Held::new(
            table,
            held.as_deref(),
            &self.tls,
            &self.sockets,
            &self.metrics,
            self.telemetry.as_deref(),
        );
        let number = i64::try_from(epoch.number()).unwrap_or(i64::MAX);
        self.metrics.epoch.set(number);
        self.held.store(Some(Arc::new(new)));
        Ok(Some(epoch.number()))
    }
}

/// What a regular file says, up to so many bytes and one more; `None` where there is none. A pipe or a device is
/// refused, not waited for.
pub(super) fn read_regular(path: &Path, most: usize) -> std::io::Result<Option<Vec<u8>>> {
    use std::io::{Error, ErrorKind, Read};
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut options = std::fs::File::options();
    let file = match options.read(true).custom_flags(flags).open(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
