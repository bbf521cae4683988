//! The table in force: issued anew when something in it changes, and while a canary has a share that ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use halcyon_core::config::RegionConfig;
use halcyon_core::placement::{RegionStatus, ReleaseView, SlotRule};
use halcyon_core::release::{Phase, Release};
use halcyon_core::table::{Epoch, Publisher, TableContent};
use halcyon_core::text::printable;
use halcyon_core::time::Timestamp;

use super::Records;
use super::placement::Placement;
use crate::clock;
use crate::signing::TableSigner;

/// How long an edge that hears nothing new gives green its share, in milliseconds: three minutes.
pub(crate) const CANARY_MS: u64 = 180_000;

/// How long before that a canary's table is issued anew: after a minute.
const RENEW_MS: u64 = 120_000;

/// The tables of one store.
pub(super) struct Tables {
    records: Arc<Records>,
    signer: Option<TableSigner>,
    /// Whoever issues one: the others wait, and share what came of it where that is an error.
    issuing: Mutex<Option<Failed>>,
    /// Nobody waits for this one while a table is issued.
    last: Mutex<Option<Issued>>,
    /// Why the last one that was wanted could not be issued.
    trouble: Mutex<Option<String>>,
}

/// An attempt to issue a table that has failed.
struct Failed {
    at: Instant,
    why: String,
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
    pub(super) fn new(records: Arc<Records>, signer: Option<TableSigner>) -> Self {
        Self {
            records,
            signer,
            issuing: Mutex::default(),
            last: Mutex::default(),
            trouble: Mutex::default(),
        }
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
        let begin = Instant::now();
        let mut failed = self.issuing.lock().unwrap_or_else(PoisonError::into_inner);
        // Where another process holds the store, an attempt takes as long as that is waited for: those who came
        // meanwhile do not try one after the other.
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at >= begin) {
            return Err(failed.why.clone());
        }
        let issued = self.issue_next(config, health, deployment);
        *failed = issued.as_ref().err().map(|why| Failed {
            at: Instant::now(),
            why: why.clone(),
        });
        issued
    }

    /// The same, for one at a time.
    fn issue_next(
        &self,
        config: &RegionConfig,
        health: &dyn Fn() -> Vec<RegionStatus>,
        deployment: &str,
    ) -> Result<Issued, String> {
        // Asked for under the lock: a table of a greater number is never of an older state.
        let content = |release: &Release| TableContent::of(config, release, &health(), deployment);
        let now = clock::now();
        let found = self.records.look(|view| view.journal().release().clone());
        let found = found.map_err(|why| why.to_string())?;
        let seen = content(&found);
        let last = self.last().clone();
        if let Some(last) = last.filter(|last| last.holds(&seen, &found, now)) {
            // Whatever went wrong before: what edges have is what they should.
            self.say(None);
            return Ok(last);
        }
        // The journal is read again while nobody can append: a table of a greater number is never of an
        // older state.
        let next = self.records.under_lock(|view, epochs| {
            let content = content(view.journal().release());
            let now = clock::now();
            let epoch = epochs.next(now).map_err(|why| why.to_string())?;
            Ok((content, epoch, now))
        });
        self.say(next.as_ref().err());
        let (content, epoch, now) = next?;
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
        *self.last() = Some(issued.clone());
        Ok(issued)
    }

    /// Says in the log whether tables can be issued, once for each change of that.
    fn say(&self, trouble: Option<&String>) {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == trouble {
            return;
        }
        match trouble {
            Some(why) => tracing::error!(
                "no table can be issued, so edges keep what they have: {}",
                printable(why)
            ),
            None => tracing::info!("tables can be issued again"),
        }
        *known = trouble.cloned();
    }

    /// Why edges do not get the table that they should, if they do not.
    pub(super) fn trouble(&self) -> Option<String> {
        let known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// The epoch of the last table that was issued here; 0 before the first.
    pub(super) fn epoch(&self) -> u64 {
        self.last().as_ref().map_or(0, |last| last.epoch.number())
    }

    fn last(&self) -> MutexGuard<'_, Option<Issued>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rule of slots as the journal has it now. Blocks on the disk.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn slots(&self, placement: &Placement) -> Result<SlotRule, String> {
        let slots = self.records.look(|view| {
            let release: Option<ReleaseView<'_>> = view.journal().release().view();
            placement.router.slot_rule(release)
        });
        slots.map_err(|why| why.to_string())
    }
}
