//! One attempt at a request, and what is noted of how it ended.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use halcyon_core::breaker::Outcome;
use tokio::time::Instant;

use super::Edge;
use super::exchange::{Failure, Whose};
use super::forward::GONE;
use super::held::{Held, Way};
use super::stream::{Progress, Upload};
use super::telemetry::{Counting, GIVEN_UP};

impl Edge {
    /// Sends a request one way, and notes how that ended.
    pub(super) async fn attempt(
        &self,
        held: &Held,
        way: &Way<'_>,
        request: Request<Upload>,
        again: Option<&Request<Upload>>,
    ) -> Result<Response<Body>, Failure> {
        let upload = request.body().progress();
        let noting = Noting::begin(self, held, way, upload.clone());
        let mut answer = self.send(way, request, again).await;
        if let Err(failure) = &mut answer {
            if upload.is_some_and(|upload| upload.broken()) {
                failure.whose = Whose::Client;
            }
            if failure.whose != Whose::Upstream {
                noting.void(failure.whose);
                return answer;
            }
        }
        noting.ended(answer.as_ref().ok().map(Response::status));
        answer
    }
}

/// An attempt that is under way. Dropped without a word of how it ended, its client has left.
struct Noting<'a> {
    edge: &'a Edge,
    held: &'a Held,
    way: &'a Way<'a>,
    begun: Instant,
    /// What the pool had answered before, to whomever.
    answers: u64,
    counting: Option<Counting>,
    upload: Option<Arc<Progress>>,
    over: bool,
}

impl<'a> Noting<'a> {
    fn begin(
        edge: &'a Edge,
        held: &'a Held,
        way: &'a Way<'a>,
        upload: Option<Arc<Progress>>,
    ) -> Self {
        let counts = held.counts.as_ref();
        Self {
            counting: counts.map(|counts| counts.begin((way.place, way.pool), way.cohort)),
            answers: way
                .upstream
                .map_or(0, |upstream| upstream.service.answers()),
            begun: Instant::now(),
            upload,
            over: false,
            edge,
            held,
            way,
        }
    }

    /// With an answer of this status, or with none.
    fn ended(mut self, status: Option<StatusCode>) {
        self.over = true;
        let took = self.begun.elapsed();
        if let Some(metrics) = self.way.metrics {
            metrics.count(status, took);
        }
        if let Some(counting) = self.counting.take() {
            let failed = status.is_none_or(|status| status.is_server_error());
            counting.ended(failed, took);
        }
        let outcome = match status {
            Some(status) if !GONE.contains(&status) => Outcome::Answered,
            _ => Outcome::Failed,
        };
        self.record(outcome, took);
    }

    /// In a way that says nothing about the upstream.
    fn void(mut self, whose: Whose) {
        self.over = true;
        if whose == Whose::Client
            && let Some(metrics) = self.way.metrics
        {
            metrics.count_gone();
        }
        self.counting.take().into_iter().for_each(Counting::void);
        self.say_nothing();
    }

    fn record(&self, outcome: Outcome, took: Duration) {
        self.edge.breaker.record(self.held, self.way, outcome, took);
    }

    fn say_nothing(&self) {
        self.edge.breaker.void(self.way, self.begun.elapsed());
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Some(metrics) = self.way.metrics {
            metrics.count_gone();
        }
        let took = self.begun.elapsed();
        // The pool had no part in the time of an upload.
        let moved = self.upload.as_deref().map_or(self.begun, Progress::moved);
        let waited = moved.max(self.begun).elapsed();
        if let Some(counting) = self.counting.take() {
            counting.left(waited);
        }
        let answered =
            |upstream: &super::pool::Upstream| upstream.service.answers() != self.answers;
        let silent = self
            .way
            .upstream
            .is_some_and(|upstream| !answered(upstream));
        // A pool that hangs is found though no client has the patience to see it. One that has answered
        // somebody meanwhile does not hang: what this client asked for takes long, or it did not want it any more.
        if silent && waited >= GIVEN_UP {
            self.record(Outcome::Failed, took);
        } else {
            self.say_nothing();
        }
    }
}
