//! One request: whose it is, where it goes, and where it goes next if nobody is there.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use halcyon_core::forwarding::leads_elsewhere;
use halcyon_core::hash::TenantId;

use super::Edge;
use super::answers::{no_table, problem};
use super::exchange::{Failure, Whose};
use super::headers::stamp;
use super::held::Way;
use super::request::{copy, prepare};
use super::stream::Upload;
use crate::clock;
use crate::net::server::{Answer, Gone, Handler, RequestBody};

/// Whoever repeats them changes nothing (RFC 9110, section 9.2.1).
const SAFE: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];

/// What an upstream answers that is not there, or whose own upstream is not.
pub(super) const GONE: [StatusCode; 3] = [
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// For whoever has closed one side only, and reads.
const CLIENT_CLOSED: &str =
    "the client closed its side of the connection before there was an answer";

/// Below the path of a pool, where it has one.
const CLIMBS: &str = "the path has segments that lead out of the one of its region's address; allowed: without . and ..";

/// Whether requests go below a path there, which they may not leave: another pool may be beside it.
fn is_below(way: &Way<'_>) -> bool {
    way.upstream
        .is_some_and(|upstream| !upstream.path.is_empty())
}

impl Handler for Arc<Edge> {
    fn answer(
        &self,
        request: Request<RequestBody>,
        peer: Option<SocketAddr>,
        gone: Gone,
    ) -> Answer {
        let edge = self.clone();
        Box::pin(async move {
            tokio::select! {
                biased;
                answer = edge.handle(request, peer) => answer,
                // What is under way ends here, and its connection to the upstream with it.
                () = gone => edge.refuse(StatusCode::BAD_REQUEST, "client_closed", CLIENT_CLOSED),
            }
        })
    }
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
        let climbs = leads_elsewhere(request.uri().path());
        if climbs && is_below(&way) {
            return self.refuse(StatusCode::BAD_REQUEST, "bad_request", CLIMBS);
        }
        let (parts, body) = request.into_parts();
        let mut request = Request::from_parts(parts, Upload::of(body));
        prepare(&mut request, &asked, peer);
        // What a second attempt takes, while it is still known.
        let again =
            (SAFE.contains(request.method()) && request.body().is_none()).then(|| copy(&request));
        let first = self.attempt(held, &way, request, again.as_ref()).await;
        let (again, first) = match first {
            Ok(answer) if !GONE.contains(&answer.status()) => return answer,
            // No other region is any nearer.
            Err(failure) if failure.whose == Whose::Edge => {
                return self.answered(&way, Err(failure));
            }
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
        if climbs && is_below(&next) {
            return self.answered(&way, first);
        }
        self.metrics.second_tries.inc();
        let second = self.attempt(held, &next, again, None).await;
        match (first, second) {
            // What a region that is there has said, better than that the other one is not.
            (Ok(answer), Err(failure)) if failure.whose != Whose::Client => answer,
            (_, second) => self.answered(&next, second),
        }
    }

    /// An answer of the edge itself.
    fn refuse(&self, status: StatusCode, code: &'static str, why: &str) -> Response<Body> {
        self.metrics.refuse(code);
        problem(status, code, why)
    }

    /// The upstream's answer, or what to say where there is none.
    fn answered(&self, way: &Way<'_>, answer: Result<Response<Body>, Failure>) -> Response<Body> {
        answer.unwrap_or_else(|failure| {
            let mut answer = match failure.whose {
                Whose::Client => problem(failure.status, failure.code, &failure.why),
                _ => self.refuse(failure.status, failure.code, &failure.why),
            };
            let headers = answer.headers_mut();
            stamp(headers, way.header.clone(), way.slot, way.reason);
            answer
        })
    }
}
