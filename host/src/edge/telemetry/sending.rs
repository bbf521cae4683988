//! Sending what has been counted, in the background.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use halcyon_core::telemetry::{Kept, Outbox, Taken};
use tokio::time::sleep;

use super::Telemetry;
use super::counts;
use crate::clock;
use crate::edge::metrics::Metrics;
use crate::net::api::{Api, Ask};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an answer: what is wrong with a report, if something is.
const ANSWER: usize = 64 * 1024;

/// How long the last report may take, when the edge ends.
const LAST: Duration = Duration::from_secs(1);

/// How long to wait at most before a control plane is asked again that took nothing.
const REST_MAX: Duration = Duration::from_secs(60);

/// What is kept while nobody takes it.
const KEPT: Kept = Kept {
    batches: usize::MAX,
    bytes: 16 * 1024 * 1024,
};

/// What sends it.
pub(in crate::edge) struct Sender {
    api: Api,
    telemetry: Arc<Telemetry>,
    metrics: Arc<Metrics>,
    outbox: Outbox,
    /// From when on the outbox counts its milliseconds.
    begun: Instant,
    interval: Duration,
    /// What was last said of a failure.
    said: String,
}

/// How a control plane has answered.
enum Answer {
    Taken,
    /// It will never take this one.
    Refused(String),
    /// Later, perhaps.
    NotNow(String),
}

impl Sender {
    pub(in crate::edge) fn new(
        api: Api,
        telemetry: Arc<Telemetry>,
        metrics: Arc<Metrics>,
        interval: Duration,
    ) -> Self {
        let mut bits = [0; 16];
        // Without randomness two edges may have one id, and a control plane takes the one's batches for the other's
        // come again.
        let _ = getrandom::fill(&mut bits);
        let edge = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            api,
            telemetry,
            metrics,
            outbox: Outbox::new(edge, KEPT),
            begun: Instant::now(),
            interval,
            said: String::new(),
        }
    }

    /// Sends for ever.
    pub(in crate::edge) async fn run(&mut self) {
        let mut rest = self.interval;
        loop {
            // A fleet that started at once shall not tell at once.
            sleep(clock::spread(rest, 0.2)).await;
            rest = match self.send(PATIENCE).await {
                true => self.interval,
                // Never sooner than it would be anyway.
                false => (rest * 2).min(REST_MAX).max(self.interval),
            };
        }
    }

    /// Sends what has been counted since, for a last time.
    pub(in crate::edge) async fn finish(&mut self) {
        let _ = tokio::time::timeout(LAST, self.send(LAST)).await;
    }

    /// As the outbox counts time.
    fn in_ms(&self, taken: counts::Taken) -> Taken {
        Taken {
            lasted_ms: ms(taken.until.saturating_duration_since(taken.since)),
            until_ms: self.ms_of(taken.until),
            release: taken.release,
            cells: taken.cells,
        }
    }

    fn ms_of(&self, at: Instant) -> u64 {
        ms(at.saturating_duration_since(self.begun))
    }

    /// Sends everything that waits. Says whether nothing waits any more.
    async fn send(&mut self, patience: Duration) -> bool {
        for taken in self.telemetry.take() {
            let taken = self.in_ms(taken);
            self.outbox.put(taken);
        }
        let mut all = true;
        while let Some((report, last)) = self.outbox.report(self.ms_of(Instant::now())) {
            let body = serde_json::to_string(&report).unwrap_or_default();
            let ask = Ask {
                method: Method::POST,
                path: "",
                key: None,
                body: Some(body),
            };
            let answer = answer(self.api.ask_for(patience, ANSWER, &ask).await);
            let failed = match answer {
                Answer::Taken => {
                    self.outbox.forget(last, true);
                    self.said.clear();
                    continue;
                }
                Answer::Refused(why) => {
                    self.outbox.forget(last, false);
                    why
                }
                Answer::NotNow(why) => {
                    all = false;
                    why
                }
            };
            if self.said != failed {
                tracing::warn!("EDGE_TELEMETRY: not taken: {failed}");
                self.said = failed;
            }
            if !all {
                break;
            }
        }
        let waiting = i64::try_from(self.outbox.waiting()).unwrap_or(i64::MAX);
        self.metrics.telemetry_waiting.set(waiting);
        let known = self.metrics.telemetry_dropped.get();
        let new = self.outbox.dropped().saturating_sub(known);
        self.metrics.telemetry_dropped.inc_by(new);
        all
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn answer(reply: Result<crate::net::api::Reply, String>) -> Answer {
    match reply {
        Err(why) => Answer::NotNow(why),
        Ok(reply) => match reply.status {
            200..=299 => Answer::Taken,
            status @ (400 | 413 | 422) => {
                let said = String::from_utf8_lossy(&reply.body).into_owned();
                let said = halcyon_core::text::Seen(&said).to_string();
                Answer::Refused(format!("status {status}: {said}"))
            }
            status => Answer::NotNow(format!("status {status}")),
        },
    }
}
