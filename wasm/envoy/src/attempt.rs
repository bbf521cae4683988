//! One attempt at one cluster.
//!
//! Envoy hands every attempt of a request the same head, and looks up the cluster of the next one by it. So
//! the first attempt leaves in it where the second would go, and the second says to its upstream where it is.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::request::{CLUSTER, NEXT, REASON, REGION};

pub(crate) struct Attempt;

impl Context for Attempt {}

impl HttpContext for Attempt {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let Some(next) = self.get_http_request_header(NEXT) else {
            self.set_http_request_header(CLUSTER, None);
            return Action::Continue;
        };
        let mut words = next.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (address, region, reason) = (word(), word(), word());
        if self.get_http_request_header(CLUSTER).as_deref() != Some(address) {
            self.set_http_request_header(CLUSTER, Some(address));
            return Action::Continue;
        }
        self.set_http_request_header(REGION, Some(region));
        self.set_http_request_header(REASON, Some(reason));
        self.set_http_request_header(CLUSTER, None);
        self.set_http_request_header(NEXT, None);
        Action::Continue
    }
}
