//! The paths of the dashboard.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::any;
use halcyon_core::text::{Seen, printable};

use super::answers::{object, tagged};
use super::query::parameter;
use super::{Dashboard, Inner, Placement};
use crate::health::answers::{method_not_allowed, problem};
use crate::signing::SIGNATURE_HEADER;

/// Everything, behind the checks that hold for all of it.
pub(super) fn router(dashboard: Dashboard) -> Router {
    let api = Router::new()
        .route("/api/v1/table", any(table))
        .route("/api/v1/route", any(route))
        .route_layer(middleware::from_fn_with_state(dashboard.clone(), may_read));
    api.fallback(any(file))
        .layer(middleware::from_fn_with_state(dashboard.clone(), check))
        .with_state(dashboard)
}

/// The host by its name first: whoever came here under another one learns nothing else.
async fn check(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    let answer = match (foreign_host(&dashboard, &request), request.method()) {
        (Some(host), _) => {
            let detail = format!(
                "{} is no name of this dashboard; allowed: those of DASHBOARD_HOSTS",
                Seen(&host)
            );
            problem(StatusCode::MISDIRECTED_REQUEST, &detail)
        }
        (None, &(Method::GET | Method::HEAD)) => next.run(request).await,
        (None, _) => method_not_allowed(),
    };
    dashboard.stamp(answer)
}

/// The name that a request asks for, where it is none of this dashboard's.
fn foreign_host(dashboard: &Dashboard, request: &Request) -> Option<String> {
    let of_header = request.headers().get_all(HOST).iter();
    let of_header = of_header.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let of_target = request.uri().authority().map(|host| host.to_string());
    let mut hosts: Vec<String> = of_header.chain(of_target).collect();
    if hosts.is_empty() {
        hosts.push(String::new());
    }
    let foreign = |host: &String| !dashboard.0.settings.dashboard.knows(host);
    hosts.into_iter().find(foreign)
}

/// On loopback anybody may read; elsewhere a token says who may, and this version has none.
async fn may_read(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    if dashboard.0.settings.dashboard.bind.is_loopback() {
        return next.run(request).await;
    }
    let detail = "reading needs a token where DASHBOARD_BIND is not loopback, and this version has none; allowed: DASHBOARD_BIND=127.0.0.1";
    problem(StatusCode::UNAUTHORIZED, detail)
}

async fn file(uri: Uri, headers: HeaderMap) -> Response {
    match halcyon_www::file(uri.path()) {
        Some(file) => tagged(&headers, file.etag, file.content_type, file.bytes),
        None => problem(
            StatusCode::NOT_FOUND,
            "there are /, /api/v1/table and /api/v1/route?tenant=…",
        ),
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

async fn table(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    let issue = move |inner: &Inner, placement: &Placement| {
        let deployment = &inner.settings.deployment;
        let health = || inner.health();
        let issued = inner.tables.issue(&placement.config, &health, deployment)?;
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

async fn route(State(dashboard): State<Dashboard>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let Some(Ok(tenant)) = parameter(query, "tenant") else {
        let detail = "the query has no tenant in UTF-8; allowed: ?tenant=ID, and &explain=true for the steps";
        return problem(StatusCode::BAD_REQUEST, detail);
    };
    let explained = parameter(query, "explain") == Some(Ok("true".into()));
    let answer = move |inner: &Inner, placement: &Placement| {
        let slots = inner.tables.slots(placement)?;
        let router = &placement.router;
        Ok(object(&router.answer(
            &tenant,
            &inner.health(),
            &slots,
            explained,
        )))
    };
    placed(dashboard, answer).await
}
