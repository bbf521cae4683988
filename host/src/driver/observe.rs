//! What a driver tells whoever watches.

use std::time::{Duration, Instant};

use halcyon_core::release::{Action, Release};

use crate::journal::Entry;

/// What is being done about one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// The smoke test: which try, and how it went.
    Smoke {
        /// From 1.
        attempt: u32,
        /// How it went.
        result: Result<Duration, String>,
    },
    /// The step hook runs.
    Hook(Action),
    /// The step hook ended.
    Hooked(Action, Result<(), String>),
    /// A probe while a step bakes.
    Probe {
        /// Probes of this step so far.
        round: u64,
        /// Failures in a row.
        failures: u32,
        /// How it went.
        result: Result<Duration, String>,
    },
}

/// Somebody who watches a drive.
pub trait Observer: Send + Sync {
    /// A record was appended, by this process or another.
    fn entry(&self, entry: &Entry);

    /// The state has changed; `until` is when the current step has baked.
    fn state(&self, release: &Release, until: Option<Instant>);

    /// Something is done about a region.
    fn region(&self, region: &str, doing: Doing);

    /// How a region is, where somebody else does something about it.
    fn seen(&self, region: &str, state: &str) {
        let _ = (region, state);
    }

    /// Something a person should know.
    fn warn(&self, text: &str);

    /// The drive is over.
    fn close(&self);
}
