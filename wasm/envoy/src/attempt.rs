//! One attempt at one cluster.
//!
//! Envoy hands every attempt of a request the same head, and looks up the cluster of the next one by it. So
//! the first attempt leaves in it where the second would go, and the second says to its upstream where it is.
//!
//! Here each attempt is counted, by its own answer and its own time (`counts.rs`).

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::counts::{Counting, Flight};
use crate::request::{CLUSTER, NEXT, REASON, REGION};

#[derive(Default)]
pub(crate) struct Attempt {
    /// Counts it when it is over, however that is.
    counting: Option<Counting>,
}

impl Context for Attempt {}

impl Attempt {
    /// Says where it is. Answers whether it is a second one.
    fn say(&self) -> bool {
        let Some(next) = self.get_http_request_header(NEXT) else {
            self.set_http_request_header(CLUSTER, None);
            return false;
        };
        let mut words = next.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (address, region, reason) = (word(), word(), word());
        if self.get_http_request_header(CLUSTER).as_deref() != Some(address) {
            self.set_http_request_header(CLUSTER, Some(address));
            return false;
        }
        self.set_http_request_header(REGION, Some(region));
        self.set_http_request_header(REASON, Some(reason));
        self.set_http_request_header(CLUSTER, None);
        self.set_http_request_header(NEXT, None);
        true
    }
}

impl HttpContext for Attempt {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let is_second = self.say();
        self.counting = Flight::found().and_then(|flight| flight.attempt(is_second));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(counting) = self.counting.take() {
            let status = self.get_http_response_header(":status");
            counting.answered(status.and_then(|status| status.parse().ok()));
        }
        Action::Continue
    }
}
