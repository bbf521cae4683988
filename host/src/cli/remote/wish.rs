//! What a control plane is asked to begin.

use std::time::Duration;

use halcyon_core::release::Plan;
use serde_json::{Value, json};

/// A release as it is wished for.
pub(in crate::cli) struct Begin<'a> {
    pub(in crate::cli) image_blue: Option<&'a str>,
    pub(in crate::cli) image_green: &'a str,
    pub(in crate::cli) regions: &'a [String],
    pub(in crate::cli) plan: &'a Plan,
    pub(in crate::cli) deadline: Option<Duration>,
}

impl Begin<'_> {
    /// As the API takes it.
    pub(super) fn body(&self) -> Value {
        let weights: Vec<u8> = self
            .plan
            .weights
            .iter()
            .map(|weight| weight.percent())
            .collect();
        let mut body = json!({
            "image_green": self.image_green,
            "canary_seq": weights,
            "abort_on_err": self.plan.abort_on_err,
            "timeout_s": self.plan.bake_ms / 1000,
            "regions": self.regions,
        });
        if let Some(limits) = self.plan.limits {
            if let Some(ppm) = limits.max_errors_ppm {
                body["max_error_rate"] = (ppm as f64 / 1e6).into();
            }
            if let Some(ms) = limits.max_p95_ms {
                body["max_p95_ms"] = ms.into();
            }
        }
        if let Some(blue) = self.image_blue {
            body["image_blue"] = blue.into();
        }
        body
    }
}
