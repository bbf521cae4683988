//! What every surface says of one tenant.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

use super::{RegionStatus, Router, Slot, SlotRule};
use crate::hash::TenantId;

/// Where one tenant goes, or why nowhere, in the members of `halcyon route -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer<'a> {
    /// As it was asked.
    pub tenant: &'a str,
    /// The region that serves it now.
    pub region: Option<&'a str>,
    /// Its first choice, health aside.
    pub preferred: Option<&'a str>,
    /// Which pool of the region.
    pub slot: Option<Slot>,
    /// What decided.
    pub reason: Option<&'static str>,
    /// Why there is no region, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The decision, step by step, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
}

impl<'a> Answer<'a> {
    /// No region, and why.
    pub fn none(tenant: &'a str, why: impl ToString) -> Self {
        Self {
            tenant,
            region: None,
            preferred: None,
            slot: None,
            reason: None,
            error: Some(why.to_string()),
            steps: Vec::new(),
        }
    }
}

impl Router {
    /// Where a tenant goes, in words; with the steps of [`explain`](Self::explain) if `explained`. A
    /// text that is no tenant id has no region.
    ///
    /// ```
    /// use halcyon_core::placement::Router;
    ///
    /// let env = |name: &str| (matches!(name, "REGIONS" | "PRIMARY_REGION")).then(|| "us-east".into());
    /// let router = Router::from_lookup(&env)?;
    /// let answer = router.answer("acme", &[], &router.slot_rule(None), false);
    /// assert_eq!((answer.region, answer.reason), (Some("us-east"), Some("primary")));
    /// let answer = router.answer("", &[], &router.slot_rule(None), false);
    /// assert!(answer.error.unwrap().starts_with("tenant id "));
    /// # Ok::<(), halcyon_core::regions::ConfigError>(())
    /// ```
    pub fn answer<'a>(
        &'a self,
        tenant: &'a str,
        health: &[RegionStatus],
        slots: &SlotRule,
        explained: bool,
    ) -> Answer<'a> {
        let id = match TenantId::new(tenant) {
            Ok(id) => id,
            Err(why) => return Answer::none(tenant, why),
        };
        let (outcome, steps) = if explained {
            let explanation = self.explain(id, health, slots);
            (explanation.outcome, explanation.steps)
        } else {
            (self.route(id, health, slots), Vec::new())
        };
        match outcome {
            Ok(placement) => Answer {
                tenant,
                region: Some(placement.region.as_str()),
                preferred: Some(placement.preferred.as_str()),
                slot: Some(placement.slot),
                reason: Some(placement.reason.name()),
                error: None,
                steps,
            },
            Err(why) => Answer {
                steps,
                ..Answer::none(tenant, why)
            },
        }
    }
}
