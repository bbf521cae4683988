//! Where tenants go: the table, and single answers.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use halcyon_core::access::Ability;
use halcyon_core::config::{Problems, RegionConfig};
use halcyon_core::placement::Router;
use halcyon_core::readiness::redact_problems;
use halcyon_core::text::printable;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::admission::{self, Caller};
use super::answers::{Problem, object, tagged};
use super::body::{self, Members};
use super::leaving::Leaving;
use super::query::parameter;
use super::waiting::{self, APPLIED};
use super::{Dashboard, Inner};
use crate::health::Environment;
use crate::health::answers::problem;
use crate::signing::SIGNATURE_HEADER;

/// The most tenants of one request.
const TENANTS_MAX: usize = 10_000;

/// By what it is decided where tenants go.
pub(super) struct Placement {
    pub(super) config: RegionConfig,
    pub(super) router: Router,
    pub(super) warnings: Vec<String>,
}

impl Placement {
    /// What the variables say.
    ///
    /// # Errors
    /// Everything that is wrong with them, beside what they are warned of; without the value of any variable that
    /// `REQUIRED_ENVS` names.
    pub(super) fn read(environment: &Environment) -> Result<Self, Problems> {
        let (config, found) = RegionConfig::read(&**environment);
        let read = Router::from_lookup(&**environment);
        let (router, errors) = match read {
            Ok(router) => (Some(router), Vec::new()),
            Err(why) => (None, why.0),
        };
        let warnings = found.warnings;
        let problems = redact_problems(Problems { errors, warnings }, &**environment);
        match router {
            Some(router) => Ok(Self {
                config,
                router,
                warnings: problems.warnings,
            }),
            None => Err(problems),
        }
    }
}

/// Does what blocks on the disk; what is wrong with that or with the configuration is said as 503.
async fn placed(
    dashboard: Dashboard,
    work: impl FnOnce(&Inner, &Placement) -> Result<Response, String> + Send + 'static,
) -> Response {
    let done = tokio::task::spawn_blocking(move || match &dashboard.0.placement {
        Ok(placement) => work(&dashboard.0, placement),
        Err(problems) => Err(printable(&problems.errors.join("; "))),
    });
    let done = done.await;
    let done = done.unwrap_or_else(|_| Err("the work broke off".into()));
    done.unwrap_or_else(|why| problem(StatusCode::SERVICE_UNAVAILABLE, &why))
}

/// The routing table that edges decide by. Whoever has it and would rather wait than come back (`Prefer: wait=10`, RFC
/// 7240) is answered when there is another one, or at the end of that time.
#[utoipa::path(
    get, path = "/api/v1/table", tag = "placement", operation_id = "table",
    params(
        ("if-none-match" = Option<String>, Header, description = "The tag of the table that the client has"),
        ("prefer" = Option<String>, Header, description = "wait=N: wait up to so many seconds for another one, 30 at most; preference-applied says that it was so")
    ),
    responses(
        (status = 200, description = "The table in force; its ETag is its epoch, and x-halcyon-signature its Ed25519 signature where a key is set", body = serde_json::Value,
         headers(("etag" = String), ("x-halcyon-signature" = String))),
        (status = 304, description = "It is the one whose tag was sent"),
        (status = 401, response = Problem), (status = 403, response = Problem),
        (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn table(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    leaving: Option<Extension<Leaving>>,
    headers: HeaderMap,
) -> Response {
    let wait = waiting::preferred(&headers);
    let place = wait.and_then(|wait| Some((wait, dashboard.0.waiting.take()?)));
    let Some((wait, _place)) = place else {
        return in_force(dashboard, headers).await;
    };
    // Before it is looked at: what is issued from here on is told.
    let (mut issued, mut ending) = (
        dashboard.0.issued.subscribe(),
        dashboard.0.ending.subscribe(),
    );
    let until = Instant::now() + wait;
    let mut gone = std::pin::pin!(Leaving::taken(leaving));
    let mut answer = in_force(dashboard.clone(), headers.clone()).await;
    while answer.status() == StatusCode::NOT_MODIFIED {
        tokio::select! {
            changed = issued.changed() => if changed.is_err() { break },
            _ = ending.wait_for(|ending| *ending) => break,
            () = sleep_until(until) => break,
            // Its place is for those who are there.
            () = &mut gone => break,
        }
        // Its token may be none any more.
        if !dashboard.still_may(&caller, Ability::Table) {
            return admission::unauthorized("the token is none any more");
        }
        answer = in_force(dashboard.clone(), headers.clone()).await;
    }
    if answer.status().is_success() || answer.status() == StatusCode::NOT_MODIFIED {
        let applied = HeaderValue::from_str(&format!("wait={}", wait.as_secs()));
        let applied = applied.into_iter().map(|value| (APPLIED, value));
        answer.headers_mut().extend(applied);
    }
    answer
}

/// The table in force, or that it is the one whose tag was sent.
async fn in_force(dashboard: Dashboard, headers: HeaderMap) -> Response {
    let issue = move |inner: &Inner, placement: &Placement| {
        let issued = inner.issue(placement)?;
        let etag = format!("\"{}\"", issued.epoch.number());
        let json = issued.json.to_string();
        let mut answer = tagged(&headers, &etag, "application/json", json);
        let signature = issued.signature.as_deref();
        let signature = signature.and_then(|text| HeaderValue::from_str(text).ok());
        if let Some(signature) = signature {
            answer.headers_mut().insert(SIGNATURE_HEADER, signature);
        }
        Ok(answer)
    };
    placed(dashboard, issue).await
}

/// Where a tenant goes, and why.
#[utoipa::path(
    get, path = "/api/v1/route", tag = "placement", operation_id = "route",
    params(
        ("tenant" = String, Query, description = "The tenant's id, 1 to 16384 bytes of UTF-8"),
        ("explain" = Option<bool>, Query, description = "true: with the rules in order")
    ),
    responses(
        (status = 200, description = "Its region, or none with an error", body = serde_json::Value),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn route(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let Some(Ok(tenant)) = parameter(query, "tenant") else {
        let detail = "the query has no tenant in UTF-8; allowed: ?tenant=ID, and &explain=true for the steps";
        return problem(StatusCode::BAD_REQUEST, detail);
    };
    if let Err(refused) = caller.check_tenant(&tenant) {
        return refused;
    }
    let explained = match parameter(query, "explain") {
        None => false,
        Some(Ok(text)) if text == "true" || text == "false" => text == "true",
        Some(_) => {
            let detail = "explain is wrong; allowed: true, false";
            return problem(StatusCode::BAD_REQUEST, detail);
        }
    };
    let answer = move |inner: &Inner, placement: &Placement| {
        let slots = inner.tables.slots(placement)?;
        let router = &placement.router;
        let health = inner.health();
        Ok(object(&router.answer(&tenant, &health, &slots, explained)))
    };
    placed(dashboard, answer).await
}

/// What `POST /api/v1/route` takes.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "says what the body is; it is read with every problem at once"
)]
pub(super) struct Tenants {
    /// The tenants' ids.
    #[schema(min_items = 1, max_items = 10_000)]
    tenants: Vec<String>,
}

/// What it answers.
#[derive(Serialize)]
struct Answers<A> {
    /// In the order of the tenants.
    routes: Vec<A>,
}

/// How many lists of tenants are read at once: each may be a megabyte, and many more while it is read.
pub(super) const AT_ONCE: usize = 32;

/// Where many tenants go.
#[utoipa::path(
    post, path = "/api/v1/route", tag = "placement", operation_id = "route_many",
    request_body = Tenants,
    responses(
        (status = 200, description = "`routes`, one for each tenant in their order", body = serde_json::Value),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 413, response = Problem),
        (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn route_many(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let turn = match body::turn(&dashboard.0.batches, "lists of tenants").await {
        Ok(turn) => turn,
        Err(later) => return later,
    };
    let body = match body::read(request, body::LARGE).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let tenants = Members::read(&body, &["tenants"], |members| {
        members.texts("tenants", TENANTS_MAX)
    });
    let tenants = match tenants {
        Ok(tenants) => tenants,
        Err(problems) => return super::answers::problems(StatusCode::BAD_REQUEST, &problems),
    };
    for tenant in &tenants {
        if let Err(refused) = caller.check_tenant(tenant) {
            return refused;
        }
    }
    let answer = move |inner: &Inner, placement: &Placement| {
        let _turn = turn;
        let slots = inner.tables.slots(placement)?;
        let (router, health) = (&placement.router, inner.health());
        let tenants = tenants.iter();
        let routes = tenants.map(|tenant| router.answer(tenant, &health, &slots, false));
        let routes = routes.collect();
        Ok(object(&Answers { routes }))
    };
    placed(dashboard, answer).await
}
