//! The paths of the dashboard, and the description of its API that is made from them.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HOST, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use halcyon_core::access::Ability;
use halcyon_core::text::Seen;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Ref, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admission::{self, Admission};
use super::answers::{Problem, tagged};
use super::{
    Dashboard, audit, lately, metrics, overrides, placement, releases, state, stream, telemetry,
};
use crate::health::answers::{method_not_allowed, problem};

/// What the description says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Halcyon control API",
        description = "Where tenants go, what regions are, and the release under way. Reading needs no token on a loopback address or with anonymous_reads; every change needs one.",
        license(name = "MIT OR Apache-2.0")
    ),
    servers((url = "/")),
    components(responses(Problem), schemas(Problem))
)]
struct Description;

/// The trace that a request belongs to.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The description, as JSON.
#[derive(Clone)]
struct Described {
    json: axum::body::Bytes,
    etag: String,
}

/// Everything, behind the checks that hold for all of it.
pub(super) fn router(dashboard: Dashboard) -> Router {
    let (api, _) = api(&dashboard).split_for_parts();
    let json = description(&dashboard).to_string().into_bytes();
    let described = Described {
        etag: super::answers::etag(&json),
        json: json.into(),
    };
    let described = Extension(described);
    api.route(
        "/openapi.json",
        axum::routing::get(openapi).layer(described),
    )
    .method_not_allowed_fallback(async || {
        problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "the method is not allowed here",
        )
    })
    .fallback(file)
    .layer(middleware::from_fn_with_state(
        dashboard.clone(),
        admission::pace,
    ))
    .layer(middleware::from_fn_with_state(dashboard.clone(), check))
    .with_state(dashboard)
}

/// The description of the API.
pub(super) fn description(dashboard: &Dashboard) -> Value {
    let mut description = api(dashboard).into_openapi();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("token", scheme);
    description.paths.paths.values_mut().for_each(say_common);
    let mut description = serde_json::to_value(&description).unwrap_or_default();
    say_names(&mut description, dashboard);
    description
}

/// Says what is known here and not where the handlers are written: the regions.
fn say_names(description: &mut Value, dashboard: &Dashboard) {
    let targets = dashboard.0.targets();
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let wish = &mut description["components"]["schemas"]["ReleaseWish"]["properties"];
    wish["canary_seq"]["items"]["maximum"] = 100.into();
    wish["canary_seq"]["uniqueItems"] = true.into();
    if !names.is_empty() {
        wish["regions"]["items"]["enum"] = names.into();
        wish["regions"]["uniqueItems"] = true.into();
    }
}

/// Says of every operation of a path what it takes to call it.
fn say_ability(path: &mut PathItem, ability: Ability) {
    let operations = [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
    ];
    for operation in operations.into_iter().flatten() {
        let said = operation.extensions.get_or_insert_default();
        said.insert("x-ability".to_owned(), ability.words().into());
    }
}

/// Says of every operation of a path what the checks before all of them may answer.
fn say_common(path: &mut PathItem) {
    let operations = [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
    ];
    for operation in operations.into_iter().flatten() {
        let takes_body = operation.request_body.is_some();
        let more: &[&str] = if takes_body { &["408"] } else { &[] };
        for status in ["400", "421", "429"].iter().chain(more) {
            let said = &mut operation.responses.responses;
            let problem = Ref::from_response_name("Problem");
            said.entry((*status).to_owned())
                .or_insert(RefOr::Ref(problem));
        }
    }
}

/// The paths of the API, each behind what it takes to call it.
fn api(dashboard: &Dashboard) -> OpenApiRouter<Dashboard> {
    let behind = |ability: Ability, mut routes: OpenApiRouter<Dashboard>| {
        let paths = routes.get_openapi_mut().paths.paths.values_mut();
        paths.for_each(|path| say_ability(path, ability));
        let admission: Admission = (dashboard.clone(), ability);
        let admitted = middleware::from_fn_with_state(admission, admission::admit);
        let counted = middleware::from_fn_with_state(dashboard.clone(), count);
        routes.route_layer(admitted).route_layer(counted)
    };
    let reads = OpenApiRouter::new()
        .routes(routes!(state::state))
        .routes(routes!(lately::probes))
        .routes(routes!(lately::access))
        .routes(routes!(placement::route, placement::route_many))
        .routes(routes!(audit::audit))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::region_events))
        .routes(routes!(stream::stream))
        .routes(routes!(metrics::metrics))
        .routes(routes!(releases::shown))
        .routes(routes!(telemetry::series));
    let tables = OpenApiRouter::new().routes(routes!(placement::table));
    let counted = OpenApiRouter::new().routes(routes!(telemetry::take));
    let overrides = OpenApiRouter::new().routes(routes!(overrides::set, overrides::unset));
    let freeze = OpenApiRouter::new().routes(routes!(overrides::freeze, overrides::unfreeze));
    let releases = OpenApiRouter::new()
        .routes(routes!(releases::begin))
        .routes(routes!(releases::promote))
        .routes(routes!(releases::pause))
        .routes(routes!(releases::resume))
        .routes(routes!(releases::rollback));
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(behind(Ability::Read, reads))
        .merge(behind(Ability::Table, tables))
        .merge(behind(Ability::Telemetry, counted))
        .merge(behind(Ability::Drain, overrides))
        .merge(behind(Ability::Freeze, freeze))
        .merge(behind(Ability::Release, releases))
}

/// What changes nothing that anybody else would see, though its method could.
const NO_CHANGE: [&str; 2] = ["/api/v1/telemetry", "/api/v1/route"];

/// Counts what was answered, by the route and not by what a client has put in its place.
async fn count(
    State(dashboard): State<Dashboard>,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let traceparent = trace_of(&request).map(str::to_owned);
    let answer = next.run(request).await;
    let (route, status) = (route.as_str(), answer.status());
    dashboard.0.metrics.asked(route, method.as_str(), status);
    let ms = (begin.elapsed().as_secs_f64() * 1e5).round() / 1e2;
    let (status, traceparent) = (status.as_u16(), traceparent.as_deref());
    // What changes something is worth a line; what edges tell every few seconds would bury that.
    match matches!(method, Method::GET | Method::HEAD) || NO_CHANGE.contains(&route) {
        true => tracing::debug!(%method, route, status, ms, traceparent, "request"),
        false => tracing::info!(%method, route, status, ms, traceparent, "request"),
    }
    answer
}

/// The trace that a request belongs to (W3C Trace Context), where it says one as that has it.
fn trace_of(request: &Request) -> Option<&str> {
    let text = request.headers().get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let mut digits = |length: usize| {
        let part = parts.next()?;
        let hex = part
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (part.len() == length && hex).then_some(part)
    };
    let (version, trace, parent, _) = (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let whole = parts.next().is_none() && version == "00";
    (whole && !zero(trace) && !zero(parent)).then_some(text)
}

/// The host by its name first: whoever came here under another one learns nothing else.
async fn check(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    let traceparent = trace_of(&request).and_then(|trace| HeaderValue::from_str(trace).ok());
    let mut answer = match foreign_host(&dashboard, &request) {
        Some(host) => {
            let detail = format!(
                "{} is no name of this dashboard; allowed: those of DASHBOARD_HOSTS",
                Seen(&host)
            );
            problem(StatusCode::MISDIRECTED_REQUEST, &detail)
        }
        None => next.run(request).await,
    };
    if let Some(trace) = traceparent {
        answer.headers_mut().insert(TRACEPARENT, trace);
    }
    dashboard.stamp(answer)
}

/// Says the methods of a path as RFC 9110 writes a list. The router adds them behind all layers.
pub(super) fn say_allowed(answer: &mut Response) {
    let allowed = answer.headers().get(ALLOW);
    let allowed = allowed.and_then(|value| value.to_str().ok());
    let Some(allowed) = allowed else {
        return;
    };
    let spaced = allowed.split(',').map(str::trim).collect::<Vec<_>>();
    if let Ok(value) = HeaderValue::from_str(&spaced.join(", ")) {
        answer.headers_mut().insert(ALLOW, value);
    }
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

async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return method_not_allowed();
    }
    match halcyon_www::file(uri.path()) {
        Some(file) => page_file(file, &headers),
        None => problem(
            StatusCode::NOT_FOUND,
            "there are /, /metrics, /openapi.json and the paths it names",
        ),
    }
}

/// A file of the page, in gzip for whoever takes that. Each encoding has a tag of its own (RFC 9110, 8.8.3).
fn page_file(file: &'static halcyon_www::File, headers: &HeaderMap) -> Response {
    let squeezed = file.gzip.filter(|_| takes_gzip(headers));
    let mut answer = match squeezed {
        Some(bytes) => {
            let tag = format!("{}-gzip\"", file.etag.trim_end_matches('"'));
            tagged(headers, &tag, file.content_type, bytes)
        }
        None => tagged(headers, file.etag, file.content_type, file.bytes),
    };
    let says = answer.headers_mut();
    if squeezed.is_some() && says.contains_key(CONTENT_TYPE) {
        says.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if file.gzip.is_some() {
        says.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    answer
}

/// Whether `Accept-Encoding` names gzip, or everything, with a weight above 0 (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let codings = values.flat_map(|value| value.split(',')).map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().to_ascii_lowercase();
        let weight = weight.strip_prefix("q=").unwrap_or("1");
        (name.trim(), weight.trim().parse::<f32>().unwrap_or(0.0))
    });
    let mut anything = false;
    for (name, weight) in codings {
        match name {
            _ if name.eq_ignore_ascii_case("gzip") => return weight > 0.0,
            "*" => anything = weight > 0.0,
            _ => {}
        }
    }
    anything
}

async fn openapi(Extension(described): Extension<Described>, headers: HeaderMap) -> Response {
    let Described { json, etag } = described;
    tagged(&headers, &etag, "application/json", json).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_whoever_takes_it() {
        for (says, takes) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("deflate, GZIP", true),
            ("*", true),
            ("*, gzip;q=0", false),
            ("gzip; q=0", false),
            ("gzip;Q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=x", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(says));
            assert_eq!(takes_gzip(&headers), takes, "{says}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
