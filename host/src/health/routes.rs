//! The paths of the health server.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::any;
use serde::Serialize;

use super::Health;
use super::answers::{json, method_not_allowed, problem, text};
use crate::net::server::Standing;

const PLAIN: &str = "text/plain; charset=utf-8";

/// How long a scrape waits for dependencies before it gives what was found last.
const SCRAPE: Duration = Duration::from_millis(200);

/// The health server's paths, to be merged into another program's router or nested below a path of it:
/// `/health`, `/livez`, `/ready`, `/readyz`, `/__meta` and `/metrics`, for GET and HEAD.
///
/// It goes with a router of any state, has no fallback, and touches no answer but its own. Limits on
/// clients are those of whoever serves the router.
///
/// ```
/// use std::sync::Arc;
/// use axum::Router;
/// use axum::extract::State;
/// use axum::routing::get;
/// use halcyon::health::{Health, router};
/// use halcyon::net::Client;
///
/// #[derive(Clone)]
/// struct Shop {
///     name: &'static str,
/// }
///
/// let variables = |name: &str| (name == "CURRENT_REGION").then(|| "eu-west".into());
/// let health = Health::new(Arc::new(variables), Client::new(None)?)?;
/// let app: Router = Router::new()
///     .route("/", get(|State(shop): State<Shop>| async move { shop.name }))
///     .merge(router(health))
///     .with_state(Shop { name: "the shop" });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// axum's `merge` does, where the other router has one of these paths: nest one of the two then.
pub fn router<S: Clone + Send + Sync + 'static>(health: Health) -> Router<S> {
    Router::new()
        .route("/health", any(live))
        .route("/livez", any(live))
        .route("/ready", any(ready))
        .route("/readyz", any(ready))
        .route("/__meta", any(meta))
        .route("/metrics", any(metrics))
        .route_layer(middleware::from_fn(get_and_head))
        .route_layer(middleware::from_fn_with_state(health.clone(), observe))
        .with_state(health)
}

/// The answers that are the same for everybody as long as the process serves.
pub(super) async fn standing(health: &Health) -> Standing {
    let mut standing = Standing::default();
    for path in ["/health", "/livez", "/__meta"] {
        let answer = match path {
            "/__meta" => meta(State(health.clone())).await,
            _ => live(Uri::from_static(path)).await,
        };
        let answer = health.stamp(answer);
        let status = answer.status();
        let observe = health.0.metrics.observer(class(path), status);
        let given = Box::new(move |method: &str, took: Duration| {
            observe(took);
            log(method, class(path), status, took);
        });
        standing.add(path, answer, given).await;
    }
    standing
}

fn log(method: &str, path: &str, status: StatusCode, took: Duration) {
    let ms = took.as_secs_f64() * 1e3;
    tracing::debug!(%method, path, status = status.as_u16(), ms, "request");
}

/// The same with an answer for every other path.
pub(super) fn whole(health: Health) -> Router {
    let elsewhere = any(not_found).layer(middleware::from_fn_with_state(health.clone(), observe));
    router::<()>(health).fallback_service(elsewhere)
}

async fn get_and_head(request: Request, next: Next) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD => next.run(request).await,
        _ => method_not_allowed(),
    }
}

async fn observe(State(health): State<Health>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let path = class(request.uri().path());
    let method = request.method().clone();
    let answer = health.stamp(next.run(request).await);
    let took = begin.elapsed();
    health.0.metrics.observe(path, answer.status(), took);
    log(method.as_str(), path, answer.status(), took);
    answer
}

/// The path as a metric's label: one of few, whatever a client asks for.
fn class(path: &str) -> &'static str {
    match path {
        "/health" | "/livez" => "/health",
        "/ready" | "/readyz" => "/ready",
        "/__meta" => "/__meta",
        "/metrics" => "/metrics",
        _ => "other",
    }
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
    checks: LiveChecks,
}

#[derive(Serialize)]
struct LiveChecks {
    process: &'static str,
}

#[derive(Serialize)]
struct Meta<'a> {
    version: &'a str,
    git_sha: &'a str,
    build_date: &'a str,
    region: &'a str,
}

async fn live(uri: Uri) -> Response {
    if verbose(&uri) {
        return text(StatusCode::OK, PLAIN, "[+]process ok\nhealthy\n".into());
    }
    json(
        StatusCode::OK,
        &Live {
            status: "healthy",
            checks: LiveChecks { process: "up" },
        },
    )
}

async fn ready(State(health): State<Health>, uri: Uri) -> Response {
    let readiness = health.readiness().await;
    let status = if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if verbose(&uri) {
        text(status, PLAIN, readiness.verbose())
    } else {
        json(status, &readiness)
    }
}

/// `?verbose`, with any value or none, as Kubernetes takes it.
fn verbose(uri: &Uri) -> bool {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    pairs.any(|pair| pair.split('=').next() == Some("verbose"))
}

async fn meta(State(health): State<Health>) -> Response {
    let settings = health.settings();
    let build = &settings.build;
    let body = Meta {
        version: &build.version,
        git_sha: &build.git_sha,
        build_date: &build.build_date,
        region: settings.region_name(),
    };
    json(StatusCode::OK, &body)
}

async fn metrics(State(health): State<Health>) -> Response {
    // So that what is scraped is how things are now, whether or not anybody asks for /ready.
    health.refresh(SCRAPE).await;
    match health.0.metrics.encode() {
        Ok(body) => text(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            body,
        ),
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics could not be written",
        ),
    }
}

async fn not_found() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "there are /health, /ready, /__meta and /metrics",
    )
}
