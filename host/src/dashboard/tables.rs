//! The table in force: issued anew when something in it changes, and while a canary has a share that ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use halcyon_core::config::RegionConfig;
use halcyon_core::placement::{RegionStatus, ReleaseView, SlotRule};
use halcyon_core::release::{Phase, Release};
use halcyon_core::table::{Epoch, Publisher, TableContent};
use halcyon_core::time::Timestamp;

use super::Placement;
use crate::clock;
use crate::journal::{Epochs, Journal};
use crate::signing::TableSigner;

/// How long an edge that hears nothing new gives green its share, in milliseconds: three minutes.
pub(crate) const CANARY_MS: u64 = 180_000;

/// How long before that a canary's table is issued anew: after a minute.
const RENEW_MS: u64 = 120_000;

/// The tables of one store.
pub(super) struct Tables {
    dir: PathBuf,
    signer: Option<TableSigner>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    journal: Option<Journal>,
    last: Option<Issued>,
}

/// A table that has been issued.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) epoch: Epoch,
    pub(super) json: Arc<str>,
    /// Of its bytes, where there is a key.
    pub(super) signature: Option<Arc<str>>,
    /// Without an end of its canary.
    content: TableContent,
    at: Timestamp,
}

impl Issued {
    fn holds(&self, content: &TableContent, release: &Release, now: Timestamp) -> bool {
        let ends = release.phase() == Phase::Canary;
        let renew = self.at.plus(CANARY_MS.saturating_sub(RENEW_MS));
        // A clock that went back would keep one for ever.
        let fresh = self.at <= now && now < renew;
        self.content == *content && (!ends || fresh)
    }
}

impl Tables {
    pub(super) fn new(dir: PathBuf, signer: Option<TableSigner>) -> Self {
        let state = Mutex::default();
        Self { dir, signer, state }
    }

    /// The table in force. Blocks on the disk.
    ///
    /// # Errors
    /// When the journal cannot be read or the table's number not be kept.
    pub(super) fn issue(
        &self,
        config: &RegionConfig,
        health: &dyn Fn() -> Vec<RegionStatus>,
        deployment: &str,
    ) -> Result<Issued, String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked for under the lock: a table of a greater number is never of an older state.
        let content = |release: &Release| TableContent::of(config, release, &health(), deployment);
        let now = clock::now();
        let journal = state.refresh(&self.dir)?;
        let seen = content(journal.release());
        let release = journal.release().clone();
        if let Some(last) = &state.last
            && last.holds(&seen, &release, now)
        {
            return Ok(last.clone());
        }
        // The journal is read again while nobody can append: a table of a greater number is never of an
        // older state.
        let mut epochs = Epochs::lock(&self.dir).map_err(|why| why.to_string())?;
        let journal = state.refresh(&self.dir)?;
        let content = content(journal.release());
        let now = clock::now();
        let epoch = epochs.next(now).map_err(|why| why.to_string())?;
        let ends = content.clone().valid_until(now.plus(CANARY_MS));
        let json: Arc<str> = Publisher::json_of(&ends, epoch, now).into();
        let signature = self.signer.as_ref();
        let signature = signature.map(|key| key.sign(json.as_bytes()).into());
        let issued = Issued {
            epoch,
            json,
            signature,
            content,
            at: now,
        };
        state.last = Some(issued.clone());
        Ok(issued)
    }

    /// The rule of slots as the journal has it now. Blocks on the disk.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn slots(&self, placement: &Placement) -> Result<SlotRule, String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let view: Option<ReleaseView<'_>> = state.refresh(&self.dir)?.release().view();
        Ok(placement.router.slot_rule(view))
    }
}

impl State {
    fn refresh(&mut self, dir: &PathBuf) -> Result<&Journal, String> {
        let read = match self.journal.take() {
            None => Journal::open(dir),
            Some(mut journal) => journal.refresh().map(|_| journal),
        };
        let journal = read.map_err(|why| why.to_string())?;
        Ok(self.journal.insert(journal))
    }
}
