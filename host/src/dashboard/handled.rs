//! Requests on their way from the server to the router.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::admission::Peer;
use super::leaving::Leaving;
use super::routes;
use crate::net::server::{Answer, Gone, Handler, RequestBody};

/// Hands requests to the router, with who sends them and when that one leaves.
pub(super) struct Handled(pub(super) axum::Router);

impl Handler for Handled {
    fn answer(
        &self,
        request: Request<RequestBody>,
        peer: Option<SocketAddr>,
        gone: Gone,
    ) -> Answer {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(Leaving::of(gone));
        let answer = TowerToHyperService::new(self.0.clone()).call(request);
        Box::pin(async move {
            let mut answer = match answer.await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            routes::say_allowed(&mut answer);
            answer
        })
    }
}
