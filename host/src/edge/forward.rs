//! One request: whose it is, where it goes, and where it goes next if nobody is there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use halcyon_core::breaker::Outcome;
use halcyon_core::forwarding::is_host;
use halcyon_core::hash::TenantId;
use halcyon_core::tenant::{Asked, NoId, encoded};
use tokio::time::{Instant, sleep_until};

use super::Edge;
use super::answers::{no_table, problem};
use super::headers::{clean, onward, stamp};
use super::held::{Held, Way};
use super::pool::{Lease, Lost, Upstream};
use super::stream::{Download, Progress, Upload};
use super::telemetry::Counting;
use crate::clock;
use crate::net::server::{Answer, Handler, RequestBody};

/// Whoever repeats them changes nothing (RFC 9110, section 9.2.1).
const SAFE: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];

/// What an upstream answers that is not there, or whose own upstream is not.
const GONE: [StatusCode; 3] = [
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// The longest target, in bytes: below the path of a pool it has to fit into what a target can be, 65,534.
const TARGET_MAX: usize = 61_440;

impl Handler for Arc<Edge> {
    fn answer(&self, request: Request<RequestBody>, peer: Option<SocketAddr>) -> Answer {
        let edge = self.clone();
        Box::pin(async move { edge.handle(request, peer).await })
    }
}

/// What is wrong where there is no answer of an upstream.
struct Failure {
    status: StatusCode,
    code: &'static str,
    why: String,
    /// The request, where nothing of it has been sent.
    unsent: Option<Box<Request<Upload>>>,
    /// The client has not sent what it began: whoever answers that counts it.
    of_client: bool,
}

impl Edge {
    async fn handle(
        &self,
        request: Request<RequestBody>,
        peer: Option<SocketAddr>,
    ) -> Response<Body> {
        let asked = match self.asked(&request) {
            Ok(asked) => asked,
            Err((code, why)) => {
                let status = match code {
                    "target_too_long" => StatusCode::URI_TOO_LONG,
                    _ => StatusCode::BAD_REQUEST,
                };
                return self.refuse(status, code, &why);
            }
        };
        let held = self.tables.held();
        let Some(held) = held.as_deref() else {
            self.metrics.refuse("no_table");
            return no_table();
        };
        let Ok(tenant) = TenantId::new(&asked) else {
            let why = "the request names a tenant that is no id";
            return self.refuse(StatusCode::BAD_REQUEST, "bad_tenant", why);
        };
        let now = clock::now();
        let way = held.way(tenant, held.table.health(), now);
        let way = match way.map(|way| self.breaker.around(held, tenant, way, now)) {
            Ok(way) => way,
            Err(why) => {
                let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, "residency_unavailable");
                return self.refuse(status, code, why.text());
            }
        };
        let (parts, body) = request.into_parts();
        let mut request = Request::from_parts(parts, Upload::of(body));
        prepare(&mut request, &asked, peer);
        // What a second attempt takes, while it is still known.
        let again =
            (SAFE.contains(request.method()) && request.body().is_none()).then(|| copy(&request));
        let first = self.attempt(held, &way, request, again.as_ref()).await;
        let (again, first) = match first {
            Ok(answer) if !GONE.contains(&answer.status()) => return answer,
            Ok(answer) => (again, Ok(answer)),
            // Whatever its method: nobody has seen it.
            Err(mut failure) => (
                failure.unsent.take().map(|unsent| *unsent).or(again),
                Err(failure),
            ),
        };
        let Some(again) = again else {
            return self.answered(&way, first);
        };
        let Some(next) = self.breaker.past(held, tenant, &way) else {
            // No other region may have it: that is the last word.
            return self.answered(&way, first);
        };
        drop(first);
        self.metrics.second_tries.inc();
        let second = self.attempt(held, &next, again, None).await;
        self.answered(&next, second)
    }

    /// An answer of the edge itself.
    fn refuse(&self, status: StatusCode, code: &'static str, why: &str) -> Response<Body> {
        self.metrics.refuse(code);
        problem(status, code, why)
    }

    /// The upstream's answer, or what to say where there is none.
    fn answered(&self, way: &Way<'_>, answer: Result<Response<Body>, Failure>) -> Response<Body> {
        answer.unwrap_or_else(|failure| {
            let mut answer = match failure.of_client {
                true => problem(failure.status, failure.code, &failure.why),
                false => self.refuse(failure.status, failure.code, &failure.why),
            };
            let headers = answer.headers_mut();
            stamp(headers, way.header.clone(), way.slot, way.reason);
            answer
        })
    }

    /// The tenant that a request is of.
    fn asked(&self, request: &Request<RequestBody>) -> Result<String, (&'static str, String)> {
        let uri = request.uri();
        let bad = |why: &str| Err(("bad_request", why.to_owned()));
        // It would show the client what the edge says to upstreams.
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return bad("TRACE and CONNECT are not for an edge; allowed: any other method");
        }
        if !is_host(host(request)) {
            return bad("no valid Host; allowed: host[:port]");
        }
        if !uri.path().starts_with('/') {
            return bad("the target has no path; allowed: one that begins with /");
        }
        let length = uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if length > TARGET_MAX {
            let why = format!("the target has {length} bytes; allowed: at most {TARGET_MAX}");
            return Err(("target_too_long", why));
        }
        let from = &self.tenant_from;
        let values = from.header().map(|name| request.headers().get_all(name));
        let values = values.into_iter().flatten().map(HeaderValue::as_bytes);
        let values: Vec<&[u8]> = values.collect();
        let asked = Asked {
            headers: &values,
            host: host(request),
            path: uri.path(),
        };
        match from.of(&asked) {
            Ok(Some(tenant)) => Ok(tenant.into_owned()),
            Ok(None) => Err((
                "no_tenant",
                format!("the request names no tenant; allowed: {from}"),
            )),
            Err(NoId) => Err((
                "bad_tenant",
                "the request names a tenant that is no id".into(),
            )),
        }
    }

    /// Sends a request one way, and notes how that ended.
    async fn attempt(
        &self,
        held: &Held,
        way: &Way<'_>,
        request: Request<Upload>,
        again: Option<&Request<Upload>>,
    ) -> Result<Response<Body>, Failure> {
        let upload = request.body().progress();
        let begun = Instant::now();
        let counting = held.counts.as_ref();
        let counting = counting.map(|counts| counts.begin((way.place, way.pool), way.cohort));
        let mut answer = self.send(way, request, again).await;
        let took = begun.elapsed();
        if let Err(failure) = &mut answer
            && upload.is_some_and(|upload| upload.broken())
        {
            // That says nothing about the upstream.
            failure.of_client = true;
            counting.into_iter().for_each(Counting::void);
            return answer;
        }
        let status = answer.as_ref().ok().map(Response::status);
        if let Some(metrics) = way.metrics {
            metrics.count(status, took);
        }
        let outcome = match &answer {
            Ok(answer) if !GONE.contains(&answer.status()) => Outcome::Answered,
            _ => Outcome::Failed,
        };
        if let Some(counting) = counting {
            let failed = status.is_none_or(|status| status.is_server_error());
            counting.ended(failed, took);
        }
        self.breaker.record(held, way, outcome, took);
        answer
    }

    /// Sends a request one way. What has been sent is not sent again, but over a new connection where the
    /// upstream has closed a kept one meanwhile, and `again` is there to be sent.
    async fn send(
        &self,
        way: &Way<'_>,
        mut request: Request<Upload>,
        again: Option<&Request<Upload>>,
    ) -> Result<Response<Body>, Failure> {
        let Some(upstream) = way.upstream else {
            let why = format!(
                "region {} has no address for {} in the table",
                way.region, way.slot
            );
            return Err(Failure {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "no_upstream",
                why,
                unsent: Some(Box::new(request)),
                of_client: false,
            });
        };
        let target = request.uri().clone();
        // As it came, for another upstream.
        let unsent = |mut request: Box<Request<Upload>>| {
            *request.uri_mut() = target.clone();
            Some(request)
        };
        aim(&mut request, way, upstream);
        let mut lease = match upstream.connection().await {
            Ok(lease) => lease,
            Err(why) => return Err(unreachable(way, &why, unsent(Box::new(request)))),
        };
        loop {
            let used = lease.used;
            let (unsent_yet, why) = match self.exchange(way, lease, request).await {
                Ok(answer) => return Ok(answer),
                Err(Ended::Late) => return Err(late(way, self.upstream_timeout)),
                Err(Ended::Lost(Lost::Unsent(request, why))) => (Some(request), why),
                Err(Ended::Lost(Lost::Sent(why))) => (None, why),
            };
            if !used {
                return Err(unreachable(way, &why, unsent_yet.and_then(unsent)));
            }
            // The upstream closed a connection that was kept: that says nothing about it.
            request = match (unsent_yet, again) {
                (Some(request), _) => *request,
                (None, Some(again)) => {
                    let mut again = copy(again);
                    aim(&mut again, way, upstream);
                    again
                }
                (None, None) => return Err(unreachable(way, &why, None)),
            };
            lease = match upstream.connect().await {
                Ok(lease) => lease,
                Err(why) => return Err(unreachable(way, &why, unsent(Box::new(request)))),
            };
        }
    }

    /// Sends a request over a connection and waits for the answer to begin.
    async fn exchange(
        &self,
        way: &Way<'_>,
        mut lease: Lease,
        request: Request<Upload>,
    ) -> Result<Response<Body>, Ended> {
        let upload = request.body().progress();
        let mut begun = Instant::now();
        let answer = {
            let mut sending = std::pin::pin!(lease.send(request));
            loop {
                // An upload may take as long as it moves.
                let moved = upload.as_deref().map_or(begun, Progress::moved).max(begun);
                tokio::select! {
                    biased;
                    answer = &mut sending => break answer,
                    () = sleep_until(moved + self.upstream_timeout) => {
                        let now = Instant::now();
                        if upload.as_deref().is_some_and(Progress::waits) {
                            // The server has a limit for that, and the upstream no part in it.
                            begun = now;
                        }
                        let moved = upload.as_deref().map_or(begun, Progress::moved).max(begun);
                        if moved + self.upstream_timeout <= now {
                            return Err(Ended::Late);
                        }
                    }
                }
            }
        };
        let (mut head, body) = answer.map_err(Ended::Lost)?.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let why = "it switches to a protocol that nobody asked for";
            return Err(Ended::Lost(Lost::Sent(why.into())));
        }
        if head.headers.contains_key(TRANSFER_ENCODING) {
            // It outranks the length, which may be another one (RFC 9112, section 6.3).
            head.headers.remove(CONTENT_LENGTH);
        }
        clean(&mut head.headers);
        stamp(&mut head.headers, way.header.clone(), way.slot, way.reason);
        // What hyper makes of its own connections.
        head.version = Version::HTTP_11;
        let body = Download::new(body, lease, upload, self.upstream_idle);
        Ok(Response::from_parts(head, Body::new(body)))
    }
}

enum Ended {
    Lost(Lost),
    Late,
}

/// The host a request is for: that of its target, where it has one (RFC 9112, section 3.2.2).
fn host(request: &Request<RequestBody>) -> &str {
    let of_target = request.uri().authority().map(|host| host.as_str());
    let of_header = || request.headers().get(HOST)?.to_str().ok();
    of_target.or_else(of_header).unwrap_or_default()
}

/// Makes a request ready for any upstream.
fn prepare(request: &mut Request<Upload>, tenant: &str, peer: Option<SocketAddr>) {
    let of_target = request.uri().authority();
    let host = match of_target {
        Some(host) => HeaderValue::from_str(host.as_str()).ok(),
        None => request.headers().get(HOST).cloned(),
    };
    // Percent-encoded it is ASCII.
    let tenant = HeaderValue::from_str(&encoded(tenant));
    let tenant = tenant.unwrap_or(HeaderValue::from_static(""));
    *request.version_mut() = Version::HTTP_11;
    onward(request.headers_mut(), host, tenant, peer);
}

/// Makes it one for this upstream: its path below the upstream's own, and both queries.
fn aim(request: &mut Request<Upload>, way: &Way<'_>, upstream: &Upstream) {
    let uri = request.uri();
    let plain = upstream.path.is_empty() && upstream.query.is_none();
    let target = match uri.path_and_query() {
        Some(target) if plain => Some(target.clone()),
        _ => {
            let queries = [upstream.query.as_deref(), uri.query()];
            let queries: Vec<&str> = queries.into_iter().flatten().collect();
            let mark = if queries.is_empty() { "" } else { "?" };
            let target = format!("{}{}{mark}{}", upstream.path, uri.path(), queries.join("&"));
            PathAndQuery::try_from(target).ok()
        }
    };
    *request.uri_mut() = target.map_or_else(Uri::default, Uri::from);
    let unknown = request.body().size_hint().exact().is_none();
    let headers = request.headers_mut();
    headers.insert(HOST, upstream.host.clone());
    if unknown {
        // Without a word hyper takes a GET for one without a body.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    stamp(headers, way.header.clone(), way.slot, way.reason);
}

/// The same without a body, for another attempt.
fn copy(request: &Request<Upload>) -> Request<Upload> {
    let mut copy = Request::new(Upload::NONE);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn unreachable(way: &Way<'_>, why: &str, unsent: Option<Box<Request<Upload>>>) -> Failure {
    let (region, slot) = (way.region, way.slot);
    tracing::debug!("{region}, {slot}: {why}");
    Failure {
        status: StatusCode::BAD_GATEWAY,
        code: "upstream_unreachable",
        why: format!("region {region}, {slot}: cannot be reached"),
        unsent,
        of_client: false,
    }
}

fn late(way: &Way<'_>, timeout: Duration) -> Failure {
    let (region, slot, ms) = (way.region, way.slot, timeout.as_millis());
    Failure {
        status: StatusCode::BAD_GATEWAY,
        code: "upstream_timeout",
        why: format!("region {region}, {slot}: did not answer within {ms} ms"),
        unsent: None,
        of_client: false,
    }
}
