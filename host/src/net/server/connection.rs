//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::accept::{Phase, Site};
use super::conversation::Conversation;
use super::guard::Guard;
use super::limits::Limits;
use super::refusal::Refusal;

/// Serves one client until it leaves, breaks a limit, or the server closes.
pub(super) async fn run(
    stream: TcpStream,
    site: Arc<Site>,
    limits: Limits,
    mut phase: watch::Receiver<Phase>,
) {
    // Answers are small: without this they wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let conversation = Conversation::new(Instant::now());
    let guard = Guard::new(stream, limits, conversation.clone());
    let service = service_fn(|request| answer(&site, &conversation, request));
    let mut connection = http1::Builder::new()
        // The guard has the deadlines. hyper's would run on idle connections too.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        // A client that has sent its request may close its side and still read the answer.
        .half_close(true)
        .pipeline_flush(true)
        .serve_connection(guard, service);
    let finished = tokio::select! {
        finished = &mut connection => Some(finished),
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => None,
    };
    let finished = match finished {
        Some(finished) => finished,
        None => {
            if conversation.state().mid_request {
                let grace = pin!(sleep(limits.closing));
                tokio::select! {
                    finished = &mut connection => return drop(finished),
                    () = grace => {}
                }
            }
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let refused = {
        let state = conversation.state();
        state.refused.is_some() || state.broken.is_some()
    };
    match finished {
        Ok(()) if refused => connection.into_parts().io.linger().await,
        Ok(()) => {}
        Err(why) => tracing::debug!("connection ended: {why}"),
    }
}

async fn answer(
    site: &Site,
    conversation: &Conversation,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let (_answering, refused) = conversation.begin();
    if let Some(why) = refused {
        return Ok(refuse(site, why));
    }
    // The whole request has to be there before it is answered. What the body says is dropped:
    // nothing that is served here takes one.
    let (head, mut body) = request.into_parts();
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            let why = conversation.state().broken;
            return Ok(refuse(
                site,
                why.unwrap_or(Refusal::Malformed("the body ends before its length")),
            ));
        }
    }
    TowerToHyperService::new(site.router.clone())
        .call(Request::from_parts(head, Body::empty()))
        .await
}

fn refuse(site: &Site, why: Refusal) -> Response {
    let mut answer = (site.refuse)(why);
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
