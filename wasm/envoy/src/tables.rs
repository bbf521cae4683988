//! The table that is held, and the next one.
//!
//! Envoy has a thread for each core, and each has a filter of its own. What they share is the last good table
//! and who fetches the next one, so that an Envoy asks once and a filter that is started anew begins with what
//! the others have.

use std::time::Duration;

use halcyon_core::config::{FilterSettings, TableAt};
use halcyon_core::hash::HashKey;
use halcyon_core::table::{Gate, LONGEST, Table, TableKeys, cause};
use halcyon_core::tenant::TenantFrom;
use halcyon_core::text::printable;
use halcyon_core::time::Timestamp;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, Bytes, LogLevel, MetricType};

use crate::call::{Field, call, field};
use crate::plugin::{log, tick_of};

/// How soon the next attempt is as long as there is no table at all, in milliseconds.
const SOON: u64 = 1_000;

/// The table in force, and what it takes to get the next one.
pub(crate) struct Tables {
    tenant_from: TenantFrom,
    gate: Gate,
    at: Option<TableAt>,
    token: Option<String>,
    refresh_ms: u64,
    timeout_ms: u64,
    held: Option<Table>,
    etag: Option<String>,
    /// The call that is under way.
    call: Option<u32>,
    /// What is said of the last table that was not taken; each is said once.
    said: String,
    shared: Shared,
    epoch: Option<u32>,
    refused: Option<u32>,
}

impl Tables {
    /// Those of a filter with these settings.
    pub(crate) fn new(settings: FilterSettings, now: Timestamp) -> Result<Self, Vec<String>> {
        let keys = TableKeys::parse(&settings.keys)?;
        let gate = Gate {
            keys,
            deployment: settings.deployment,
        };
        if let Some(table) = &settings.table {
            let ours = table.is_for(gate.deployment.as_deref());
            ours.map_err(|why| vec![format!("TABLE: {why}")])?;
        }
        let shared = Shared::of(settings.at.as_ref(), gate.deployment.as_deref());
        let metric = |kind, name| hostcalls::define_metric(kind, name).ok();
        let mut this = Self {
            tenant_from: settings.tenant_from,
            gate,
            at: settings.at,
            token: settings.token,
            refresh_ms: settings.refresh_ms,
            timeout_ms: settings.table_timeout_ms,
            held: settings.table,
            etag: None,
            call: None,
            said: String::new(),
            shared,
            epoch: metric(MetricType::Gauge, "halcyon_edge_table_epoch"),
            refused: metric(MetricType::Counter, "halcyon_edge_tables_refused_total"),
        };
        // Started anew, it takes no older table than it had, not for one request.
        this.follow(now);
        this.show();
        Ok(this)
    }

    /// The table in force.
    pub(crate) fn held(&self) -> Option<&Table> {
        self.held.as_ref()
    }

    pub(crate) fn tenant_from(&self) -> &TenantFrom {
        &self.tenant_from
    }

    /// How often [`look`](Self::look) wants to be called.
    pub(crate) fn tick(&self) -> Duration {
        tick_of(self.refresh_ms.min(SOON))
    }

    /// Takes what another thread has taken, and fetches the next table when it is time and nobody does.
    pub(crate) fn look(&mut self, now: Timestamp) {
        self.follow(now);
        let Some(at) = &self.at else { return };
        let (due, version) = self.shared.due();
        if self.call.is_some() || now.0 < due {
            return;
        }
        // Until an answer says otherwise, or none has come by then.
        let until = now.0.saturating_add(self.timeout_ms).saturating_add(SOON);
        if !self.shared.claim(until, version) {
            return;
        }
        let mut more = vec![("accept", "application/json")];
        if let Some(etag) = &self.etag {
            more.push(("if-none-match", etag));
        }
        let (what, token) = (("GET", &at.url), self.token.as_deref());
        let call = call(&at.cluster, what, token, &more, None, self.timeout_ms);
        match call {
            Ok(call) => self.call = Some(call),
            Err(_) => {
                let cluster = printable(&at.cluster);
                self.missed(format!(
                    "there is no cluster {cluster} in Envoy's configuration"
                ));
                self.rest(now);
            }
        }
    }

    /// An answer with a table, or with none.
    pub(crate) fn answered(&mut self, call: u32, head: &[Field], length: usize, now: Timestamp) {
        if self.call != Some(call) {
            return;
        }
        self.call = None;
        match self.judged(head, length, now) {
            Ok(()) => self.said.clear(),
            Err(why) => self.missed(why),
        }
        self.rest(now);
    }

    fn judged(&mut self, head: &[Field], length: usize, now: Timestamp) -> Result<(), String> {
        let field = |wanted| field(head, wanted);
        let status = field(":status").map(|status| String::from_utf8_lossy(status));
        match status.as_deref() {
            Some("200") => {}
            Some("304") if self.etag.is_some() => return Ok(()),
            Some(status) => return Err(format!("status {}; expected 200", printable(status))),
            None => {
                let ms = self.timeout_ms;
                return Err(format!("no answer within {ms} ms, or none at all"));
            }
        }
        if length > LONGEST {
            // Not even a copy of it.
            return Err(format!("it has {length} bytes; allowed: at most {LONGEST}"));
        }
        let body = hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, length);
        let body = body.ok().flatten().unwrap_or_default();
        let signature = field("x-halcyon-signature");
        let signature = signature.and_then(|text| std::str::from_utf8(text).ok());
        let etag = field("etag").and_then(|etag| String::from_utf8(etag.clone()).ok());
        let table = self.gate.judge(&body, signature, self.held.as_ref(), now)?;
        self.etag = etag;
        if let Some(table) = table {
            self.take(table);
            let etag = self.etag.as_deref().unwrap_or_default();
            self.shared.publish(self.number(), etag, signature, &body);
        }
        Ok(())
    }

    /// Takes the table that another thread has taken, if it is newer.
    fn follow(&mut self, now: Timestamp) {
        let Some((etag, signature, table)) = self.shared.newer_than(self.number()) else {
            return;
        };
        match self
            .gate
            .judge(&table, signature.as_deref(), self.held.as_ref(), now)
        {
            Ok(Some(table)) => {
                self.etag = etag;
                self.take(table);
            }
            Ok(None) => {}
            Err(why) => self.missed(why),
        }
    }

    fn take(&mut self, table: Table) {
        self.held = Some(table);
        self.show();
        log(
            LogLevel::Info,
            &format!("table {} is in force", self.number()),
        );
    }

    fn show(&self) {
        if let Some(metric) = self.epoch {
            let _ = hostcalls::record_metric(metric, self.number());
        }
    }

    /// Says why a table was not taken.
    fn missed(&mut self, why: String) {
        if let Some(metric) = self.refused {
            let _ = hostcalls::increment_metric(metric, 1);
        }
        if cause(&self.said) != cause(&why) {
            log(
                LogLevel::Warn,
                &format!("table not taken: {}", printable(&why)),
            );
            self.said = why;
        }
    }

    /// The epoch in force; 0 where there is none.
    fn number(&self) -> u64 {
        self.held.as_ref().map_or(0, |table| table.epoch().number())
    }

    /// Says when the next table may be fetched, give or take a fifth: a fleet that started at once shall not
    /// ask at once.
    fn rest(&self, now: Timestamp) {
        let wait = match self.held {
            Some(_) => self.refresh_ms,
            None => self.refresh_ms.min(SOON),
        };
        self.shared.rest(now.0.saturating_add(spread(wait)));
    }
}

/// A time, give or take a fifth.
pub(crate) fn spread(time: u64) -> u64 {
    let thousandths = dice().checked_rem(401).unwrap_or(0).saturating_add(800);
    time.saturating_mul(thousandths).div_euclid(1_000)
}

/// Any number: the nanoseconds of Envoy's clock, mixed. It spreads a fleet and keeps no secret.
fn dice() -> u64 {
    let now = hostcalls::get_current_time().ok();
    let since = now.and_then(|now| now.duration_since(std::time::UNIX_EPOCH).ok());
    let nanoseconds = since.unwrap_or_default().as_nanos().to_le_bytes();
    HashKey::default().sip13(&nanoseconds)
}

/// What the threads of an Envoy share: by where tables come from and whose they are, so that two plugins do not
/// take each other's, and one whose other settings change goes on with its own.
struct Shared {
    due: String,
    epoch: String,
    table: String,
}

/// An ETag, a signature, a table.
type Kept = (Option<String>, Option<String>, Bytes);

impl Shared {
    fn of(at: Option<&TableAt>, deployment: Option<&str>) -> Self {
        let at = at.map(|at| (at.cluster.as_str(), at.url.to_string()));
        let hash = HashKey::default().sip13(format!("{at:?} {deployment:?}").as_bytes());
        let name = |what: &str| format!("halcyon/{hash:016x}/{what}");
        Self {
            due: name("due"),
            epoch: name("epoch"),
            table: name("table"),
        }
    }

    /// From when on the next table may be fetched, in milliseconds, and the version of that.
    fn due(&self) -> (u64, Option<u32>) {
        let (value, version) = hostcalls::get_shared_data(&self.due).unwrap_or_default();
        (number(value.as_deref()), version)
    }

    /// Says that this thread fetches it; false where another one was faster.
    fn claim(&self, until: u64, version: Option<u32>) -> bool {
        // Where there is nothing yet, any version is good for the first one, and none for the second.
        let version = version.or(Some(u32::MAX));
        hostcalls::set_shared_data(&self.due, Some(&until.to_le_bytes()), version).is_ok()
    }

    fn rest(&self, due: u64) {
        let _ = hostcalls::set_shared_data(&self.due, Some(&due.to_le_bytes()), None);
    }

    fn publish(&self, epoch: u64, etag: &str, signature: Option<&str>, table: &[u8]) {
        let signature = signature.unwrap_or_default().trim().as_bytes();
        let kept = [etag.as_bytes(), b"\n", signature, b"\n", table].concat();
        if hostcalls::set_shared_data(&self.table, Some(&kept), None).is_ok() {
            let _ = hostcalls::set_shared_data(&self.epoch, Some(&epoch.to_le_bytes()), None);
        }
    }

    /// The table of another thread, if its epoch is greater.
    fn newer_than(&self, epoch: u64) -> Option<Kept> {
        let (value, _) = hostcalls::get_shared_data(&self.epoch).ok()?;
        if number(value.as_deref()) <= epoch {
            return None;
        }
        let (kept, _) = hostcalls::get_shared_data(&self.table).ok()?;
        let kept = kept?;
        let mut parts = kept.splitn(3, |byte| *byte == b'\n');
        let (etag, signature, table) = (parts.next()?, parts.next()?, parts.next()?);
        let some = |text: &[u8]| {
            let text = String::from_utf8(text.to_vec()).ok();
            text.filter(|text| !text.is_empty())
        };
        Some((some(etag), some(signature), table.to_vec()))
    }
}

fn number(value: Option<&[u8]>) -> u64 {
    let bytes = value.and_then(|value| value.try_into().ok());
    bytes.map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(settings: &str) -> String {
        let settings = FilterSettings::from_json(settings).unwrap();
        Shared::of(settings.at.as_ref(), settings.deployment.as_deref()).table
    }

    #[test]
    fn whoever_asks_the_same_place_for_the_same_tables_shares_them_whatever_else_is_set() {
        let of = |more: &str, path: &str| {
            let url = format!(r#""TABLE_URL": "http://halcyon.internal:8080/{path}""#);
            keys(&format!(r#"{{"TABLE_CLUSTER": "halcyon", {url}{more}}}"#))
        };
        let known = of("", "table");
        assert_eq!(
            of(r#", "TABLE_REFRESH_MS": 100, "TABLE_TOKEN": "x""#, "table"),
            known
        );
        assert_ne!(of("", "other"), known);
        assert_ne!(of(r#", "HALCYON_DEPLOYMENT": "bank""#, "table"), known);
    }
}
