//! A request and its answer over a connection to one upstream.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{Request, Response, StatusCode, Version};
use tokio::time::{Instant, sleep_until};

use super::Edge;
use super::headers::{clean, stamp};
use super::held::Way;
use super::pool::{Lease, Lost};
use super::request::{aim, copy};
use super::stream::{Download, Progress, Upload};
use crate::net::Unreached;

/// What is wrong where there is no answer of an upstream.
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) why: String,
    /// The request, where nothing of it has been sent.
    pub(super) unsent: Option<Box<Request<Upload>>>,
    pub(super) whose: Whose,
}

/// Who failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Upstream,
    /// It has not sent what it began: whoever answers that counts it.
    Client,
    /// This edge lacks what a connection takes.
    Edge,
}

impl Edge {
    /// Sends a request one way. What has been sent is not sent again, but over a new connection where the
    /// upstream has closed a kept one meanwhile, and `again` is there to be sent.
    pub(super) async fn send(
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
                whose: Whose::Upstream,
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
            Err(why) => return Err(unreached(way, &why, unsent(Box::new(request)))),
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
                Err(why) => return Err(unreached(way, &why, unsent(Box::new(request)))),
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
        let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            // Without its name, which ends here, nobody could read what comes (RFC 9112, section 6.1).
            let why = "its answer has a transfer coding that nobody asked for";
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

/// No connection: the upstream's fault, or this edge's.
fn unreached(way: &Way<'_>, why: &Unreached, unsent: Option<Box<Request<Upload>>>) -> Failure {
    if !why.local {
        return unreachable(way, &why.why, unsent);
    }
    if let Some(upstream) = way.upstream {
        upstream.say_lack(&why.why);
    }
    Failure {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "edge_overloaded",
        why: "this edge cannot open another connection".into(),
        unsent,
        whose: Whose::Edge,
    }
}

fn unreachable(way: &Way<'_>, why: &str, unsent: Option<Box<Request<Upload>>>) -> Failure {
    let (region, slot) = (way.region, way.slot);
    tracing::debug!("{region}, {slot}: {why}");
    Failure {
        status: StatusCode::BAD_GATEWAY,
        code: "upstream_unreachable",
        why: format!("region {region}, {slot}: cannot be reached"),
        unsent,
        whose: Whose::Upstream,
    }
}

fn late(way: &Way<'_>, timeout: Duration) -> Failure {
    let (region, slot, ms) = (way.region, way.slot, timeout.as_millis());
    Failure {
        status: StatusCode::BAD_GATEWAY,
        code: "upstream_timeout",
        why: format!("region {region}, {slot}: did not answer within {ms} ms"),
        unsent: None,
        whose: Whose::Upstream,
    }
}
