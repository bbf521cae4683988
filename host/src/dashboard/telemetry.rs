//! What edges send, and what was sent over time.

use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use halcyon_core::placement::Slot;
use halcyon_core::telemetry::{KEPT_MS, Report, Tally};
use halcyon_core::time::Timestamp;
use serde::Serialize;

use super::answers::{Problem, object, problems};
use super::query::parameter;
use super::{Dashboard, body};
use crate::clock;
use crate::health::answers::problem;
use crate::traffic::{Pool, ReleaseIs, Span};

/// How many reports are read at once: each may be a megabyte, and many more while it is read.
pub(super) const AT_ONCE: usize = 8;

/// What an edge sends.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "says what the body is; it is read with every problem at once"
)]
pub(super) struct EdgeReport {
    /// Who sends it; another one after each start of an edge.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    edge: String,
    /// In the order of their numbers.
    #[schema(max_items = 64)]
    batches: Vec<EdgeBatch>,
}

/// What was counted within some seconds, under one table.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says what the body is")]
struct EdgeBatch {
    /// One more for each batch of this edge: one that comes twice counts once.
    #[schema(minimum = 1, maximum = 9007199254740991_u64)]
    seq: u64,
    /// How long ago it ended, in milliseconds.
    #[schema(maximum = 9007199254740991_u64)]
    age_ms: u64,
    /// How long it lasted, in milliseconds.
    #[schema(maximum = 600000)]
    lasted_ms: u64,
    /// The release of the table.
    #[schema(required = false)]
    release: EdgeRelease,
    /// The counts; what is not there is zero.
    #[schema(max_items = 1000)]
    cells: Vec<EdgeCell>,
}

/// The release of the table that was in force.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says what the body is")]
struct EdgeRelease {
    /// Its id.
    id: String,
    /// The share of green in that table, in percent.
    #[schema(maximum = 100)]
    weight: u8,
}

/// What was counted for one pool, and one cohort where a release draws them.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says what the body is")]
struct EdgeCell {
    /// The region.
    region: String,
    /// blue or green.
    #[schema(pattern = "^(blue|green)$")]
    slot: String,
    /// The smallest weight at which these tenants are green.
    #[schema(required = false, minimum = 1, maximum = 100)]
    cohort: u8,
    /// Requests.
    #[schema(maximum = 9007199254740991_u64)]
    requests: u64,
    /// How many of them had no answer, or one of 500 to 599; not more than `requests`.
    #[schema(maximum = 9007199254740991_u64)]
    errors: u64,
    /// Requests whose clients left within half a second, without an answer; not in `requests`.
    #[schema(required = false, maximum = 9007199254740991_u64)]
    left: u64,
    /// Requests to the pool that still waited when the batch ended; in one cell of it.
    #[schema(required = false, maximum = 9007199254740991_u64)]
    open: u64,
    /// Pairs of a bucket, 0 to 495, and a count, together as many as `requests`: docs/edge.md says which they are.
    latency: Vec<Vec<u64>>,
}

/// Takes what an edge has counted.
#[utoipa::path(
    post, path = "/api/v1/telemetry", tag = "telemetry", operation_id = "telemetry",
    request_body = EdgeReport,
    responses(
        (status = 204, description = "It is taken, once"),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 413, response = Problem),
        (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn take(State(dashboard): State<Dashboard>, request: Request) -> Response {
    let turn = match body::turn(&dashboard.0.reports, "reports").await {
        Ok(turn) => turn,
        Err(later) => return later,
    };
    let body = match body::read(request, body::LARGE).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let work = move || {
        let _turn = turn;
        let report = body::document(&body);
        let report = report.and_then(|document| Report::from_document(&document));
        let report = match report {
            Ok(report) => report,
            Err(found) => return problems(StatusCode::BAD_REQUEST, &found),
        };
        let inner = &dashboard.0;
        let release = inner.records.look(|view| {
            let ledger = view.journal().ledger();
            let (release, plan) = (ledger.release(), ledger.release().plan());
            ReleaseIs {
                id: release.id().unwrap_or_default().to_owned(),
                revision: ledger.revision(),
                taken_up: release.taken_up(),
                limits: plan.and_then(|plan| plan.limits).unwrap_or_default(),
                weights: plan.map(|plan| plan.weights.clone()).unwrap_or_default(),
            }
        });
        // What is counted is of use, though nobody knows of which release it is.
        let release = release.ok();
        inner
            .traffic
            .take(&report, release.as_ref(), Instant::now());
        StatusCode::NO_CONTENT.into_response()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"))
}

/// Traffic over time.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Series {
    /// How long each span is, in seconds.
    step_s: u64,
    /// Edges that have sent something within the last minute.
    edges: usize,
    /// When each span begins, the oldest first.
    #[schema(value_type = Vec<String>)]
    at: Vec<Timestamp>,
    /// One for each region, slot, or both, as was asked.
    series: Vec<Line>,
}

/// One line of a chart: a value for each span, `null` where nothing was counted.
#[derive(Serialize, utoipa::ToSchema)]
struct Line {
    /// The region; `null` for all of them.
    region: Option<String>,
    /// blue or green; `null` for both.
    slot: Option<&'static str>,
    /// Requests.
    requests: Vec<Option<u64>>,
    /// How many of them failed.
    errors: Vec<Option<u64>>,
    /// The median time until an answer began, in microseconds.
    p50_us: Vec<Option<u64>>,
    /// The 95th percentile of it.
    p95_us: Vec<Option<u64>>,
    /// The 99th.
    p99_us: Vec<Option<u64>>,
}

/// By what lines are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Region,
    Slot,
    Pool,
}

/// Traffic over time, as edges have counted it: requests, errors and latency.
#[utoipa::path(
    get, path = "/api/v1/series", tag = "telemetry", operation_id = "series",
    params(
        ("last_s" = Option<u64>, Query, minimum = 60, maximum = 86400, description = "The last so many seconds; 3600 without. Up to an hour in steps of 15 s, above of 60 s, and longer ones with more than 32 regions"),
        ("by" = Option<String>, Query, pattern = "^(region|slot|pool)$", description = "region, slot or pool, which is both; region without")
    ),
    responses(
        (status = 200, description = "The lines; what nobody has counted is null, never 0", body = Series),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn series(State(dashboard): State<Dashboard>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let mut wrong = Vec::new();
    let last = match parameter(query, "last_s") {
        None => Some(3_600),
        Some(text) => text.ok().and_then(|text| text.parse().ok()),
    };
    let last = last.filter(|last: &u64| (60..=KEPT_MS / 1_000).contains(last));
    if last.is_none() {
        wrong.push("last_s is wrong; allowed: whole numbers from 60 to 86400".to_owned());
    }
    let by = match parameter(query, "by") {
        None => Some(By::Region),
        Some(Ok(text)) => match text.as_str() {
            "region" => Some(By::Region),
            "slot" => Some(By::Slot),
            "pool" => Some(By::Pool),
            _ => None,
        },
        Some(Err(())) => None,
    };
    if by.is_none() {
        wrong.push("by is wrong; allowed: region, slot, pool".to_owned());
    }
    let (Some(last), Some(by)) = (last, by) else {
        return problems(StatusCode::BAD_REQUEST, &wrong);
    };
    let work = move || {
        let (traffic, now) = (&dashboard.0.traffic, Instant::now());
        let (width, spans) = traffic.past(Duration::from_secs(last), now);
        let wall = clock::now().0;
        let ago = |span: &Span| u64::try_from(span.ago.as_millis()).unwrap_or(u64::MAX);
        let at = spans
            .iter()
            .map(|span| Timestamp(wall.saturating_sub(ago(span))));
        object(&Series {
            step_s: width.as_secs(),
            edges: traffic.sizes(now).edges,
            at: at.collect(),
            series: lines(traffic.regions(), by, &spans),
        })
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"))
}

fn lines(regions: &[String], by: By, spans: &[Span]) -> Vec<Line> {
    let places = (0_u16..)
        .zip(regions)
        .map(|(place, name)| (Some(place), Some(name.clone())));
    let places: Vec<_> = match by {
        By::Slot => vec![(None, None)],
        By::Region | By::Pool => places.collect(),
    };
    let slots: &[Option<Slot>] = match by {
        By::Region => &[None],
        By::Slot | By::Pool => &[Some(Slot::Blue), Some(Slot::Green)],
    };
    let mut all = Vec::new();
    for (place, region) in &places {
        for slot in slots {
            let is_in = |pool: &Pool| {
                place.is_none_or(|place| place == pool.place)
                    && slot.is_none_or(|slot| (slot == Slot::Green) == pool.green)
            };
            all.push(line(region.clone(), slot.map(Slot::name), spans, is_in));
        }
    }
    all
}

fn line(
    region: Option<String>,
    slot: Option<&'static str>,
    spans: &[Span],
    is_in: impl Fn(&Pool) -> bool,
) -> Line {
    let tallies = spans.iter().map(|span| {
        let mut all: Option<Tally> = None;
        for (_, tally) in span.pools.iter().filter(|(pool, _)| is_in(pool)) {
            all.get_or_insert_default().merge(tally);
        }
        all
    });
    let tallies: Vec<Option<Tally>> = tallies.collect();
    let each = |of: &dyn Fn(&Tally) -> Option<u64>| -> Vec<Option<u64>> {
        tallies.iter().map(|tally| of(tally.as_ref()?)).collect()
    };
    Line {
        region,
        slot,
        requests: each(&|tally| Some(tally.requests)),
        errors: each(&|tally| Some(tally.errors)),
        p50_us: each(&|tally| tally.latency.quantile(500)),
        p95_us: each(&|tally| tally.latency.quantile(950)),
        p99_us: each(&|tally| tally.latency.quantile(990)),
    }
}
