//! What this thread has counted, and how a control plane comes to know it.
//!
//! Each of Envoy's threads is an edge of its own, with its own id and its own outbox: they share no memory, and what
//! edges count adds up. It is sent in the background, later where nobody answers now, and no request waits for it.

use std::rc::Rc;

use halcyon_core::config::FilterSettings;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::table::Table;
use halcyon_core::telemetry::{Kept, Outbox};
use halcyon_core::text::{Seen, printable};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MetricType};

use crate::call::{Field, call, field};
use crate::counts::Counts;
use crate::plugin::log;
use crate::runtime::{micros, unique};
use crate::tables::spread;

/// What a thread keeps while nobody takes it: there may be as many threads as cores, and each keeps its own.
const KEPT: Kept = Kept {
    batches: 64,
    bytes: 4 * 1024 * 1024,
};

/// How long an answer may take, in milliseconds.
const PATIENCE: u64 = 5_000;

/// How long to wait at most before a control plane is asked again that took nothing, in milliseconds.
const REST_MAX: u64 = 60_000;

/// How much of an answer is looked at, in bytes: enough to say what is wrong.
const ANSWER: usize = 256;

pub(crate) struct Telemetry {
    cluster: String,
    url: Endpoint,
    token: Option<String>,
    interval_ms: u64,
    /// How long until the next report, if the last one was not taken.
    rest_ms: u64,
    /// When the next one may begin.
    next_ms: u64,
    /// The report that is under way: its call, and the number of its last batch.
    sending: Option<(u32, u64)>,
    outbox: Outbox,
    /// What counts under every table that is still in use, the newest last.
    all: Vec<Rc<Counts>>,
    has_told: bool,
    /// What was last said of a failure.
    said: String,
    dropped: Option<u32>,
    dropped_known: u64,
}

impl Telemetry {
    /// `None` where it is off, or there is nobody to tell.
    pub(crate) fn new(settings: &FilterSettings) -> Option<Self> {
        let (at, url) = settings.at.as_ref().zip(settings.telemetry.clone())?;
        let Some(edge) = unique() else {
            // With somebody else's id it would be taken for what that one has told already.
            log(
                LogLevel::Warn,
                "EDGE_TELEMETRY: there is no randomness: nothing is told",
            );
            return None;
        };
        let name = "halcyon_edge_telemetry_dropped_batches_total";
        let mut this = Self {
            cluster: at.cluster.clone(),
            url,
            token: settings.token.clone(),
            interval_ms: settings.telemetry_ms,
            rest_ms: settings.telemetry_ms,
            next_ms: 0,
            sending: None,
            outbox: Outbox::new(edge, KEPT),
            all: Vec::new(),
            has_told: false,
            said: String::new(),
            dropped: hostcalls::define_metric(MetricType::Counter, name).ok(),
            dropped_known: 0,
        };
        this.rest(true);
        Some(this)
    }

    /// What counts under this table.
    pub(crate) fn of(&mut self, table: &Table) -> Rc<Counts> {
        match self.all.last() {
            Some(counts) if counts.are_of(table) => counts.clone(),
            _ => {
                let counts = Rc::new(Counts::new(table));
                self.all.push(counts.clone());
                counts
            }
        }
    }

    /// Sends what is new when it is time and nothing is under way: Envoy says of each call how it ended.
    pub(crate) fn tell(&mut self, table: Option<&Table>) {
        // What counts under a new table begins with it, and not with its first request.
        table.into_iter().for_each(|table| drop(self.of(table)));
        if self.sending.is_some() || micros().div_euclid(1_000) < self.next_ms {
            return;
        }
        self.cut();
        self.send();
    }

    /// What has been counted becomes batches, a table each.
    fn cut(&mut self) {
        let now = micros();
        let newest = self.all.len().saturating_sub(1);
        let (all, outbox, has_told) = (&mut self.all, &mut self.outbox, &mut self.has_told);
        let mut place = 0_usize;
        all.retain(|counts| {
            // Whoever nobody holds any more was counted to the end before it is taken.
            let goes = place < newest && Rc::strong_count(counts) == 1;
            place = place.saturating_add(1);
            if let Some(taken) = counts.take(now, *has_told) {
                *has_told = true;
                outbox.put(taken);
            }
            !goes
        });
    }

    /// Sends the next report, if there is one.
    fn send(&mut self) {
        let now_ms = micros().div_euclid(1_000);
        let Some((report, last)) = self.outbox.report(now_ms) else {
            self.rest(true);
            return;
        };
        let body = serde_json::to_string(&report).unwrap_or_default();
        let more = [("content-type", "application/json")];
        let what = ("POST", &self.url);
        let (token, body) = (self.token.as_deref(), Some(body.as_bytes()));
        match call(&self.cluster, what, token, &more, body, PATIENCE) {
            Ok(call) => self.sending = Some((call, last)),
            Err(_) => {
                let cluster = printable(&self.cluster);
                self.missed(format!(
                    "there is no cluster {cluster} in Envoy's configuration"
                ));
                self.rest(false);
            }
        }
    }

    /// How a report was taken, if it is one.
    pub(crate) fn answered(&mut self, call: u32, head: &[Field], length: usize) {
        let Some((_, last)) = self.sending.take_if(|(known, _)| *known == call) else {
            return;
        };
        let status = field(head, ":status").and_then(|status| std::str::from_utf8(status).ok());
        let status = status.and_then(|status| status.parse::<u16>().ok());
        match status {
            Some(200..=299) => {
                self.outbox.forget(last, true);
                self.said.clear();
            }
            Some(status @ (400 | 413 | 422)) => {
                // It will never take this one.
                self.outbox.forget(last, false);
                let body = BufferType::HttpCallResponseBody;
                let said = hostcalls::get_buffer(body, 0, length.min(ANSWER));
                let said = said.ok().flatten().unwrap_or_default();
                let said = String::from_utf8_lossy(&said).into_owned();
                self.missed(format!("status {status}: {}", Seen(&said)));
            }
            other => {
                let none = || format!("no answer within {PATIENCE} ms, or none at all");
                self.missed(other.map_or_else(none, |status| format!("status {status}")));
                self.rest(false);
                return;
            }
        }
        // As long as it takes them, everything that waits goes.
        self.send();
    }

    fn missed(&mut self, why: String) {
        if self.said != why {
            log(LogLevel::Warn, &format!("EDGE_TELEMETRY: not taken: {why}"));
            self.said = why;
        }
    }

    /// When the next report begins: later where the last one was not taken, and never sooner than it would anyway.
    fn rest(&mut self, taken: bool) {
        self.rest_ms = match taken {
            true => self.interval_ms,
            false => {
                let twice = self.rest_ms.saturating_mul(2).min(REST_MAX);
                twice.max(self.interval_ms)
            }
        };
        let now_ms = micros().div_euclid(1_000);
        self.next_ms = now_ms.saturating_add(spread(self.rest_ms));
        let more = self.outbox.dropped().saturating_sub(self.dropped_known);
        if let Some(metric) = self.dropped {
            let _ = hostcalls::increment_metric(metric, i64::try_from(more).unwrap_or(0));
        }
        self.dropped_known = self.outbox.dropped();
    }
}
