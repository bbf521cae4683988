//! The blue/green release machine: decide, then evolve.
//!
//! [`Release::decide`] changes nothing and answers with events or a refusal; [`Release::evolve`] folds
//! an event into the state and holds no policy. State is the fold of the journal, live and on
//! recovery, through the same function. What must happen next in the world is read from the state:
//! [`Release::next_step`] and [`Release::next_deadline`].

mod command;
mod decide;
mod event;
mod evolve;
mod gates;
mod offers;
mod plan;
mod progress;
mod read;
mod rejection;
mod sequential;
mod status;
mod traffic;
mod verbs;
mod wish;

#[cfg(test)]
mod tests;

use alloc::string::String;

pub use command::{Command, Context};
pub use event::{Action, Check, Event, Fact, RegionFailure};
pub use offers::{Forecast, Offer, PERSONS_COMMANDS};
pub use plan::{Phase, Plan, Pool, Pools, RegionTarget, Weight, parse_canary_seq};
pub use progress::{Apply, Step};
pub use rejection::Rejection;
pub use status::{Status, TrafficSplit};
pub use traffic::{
    Judgement, LEAST_REQUESTS, Limits, P95_MAX_MS, RegionTraffic, Traffic, parse_rate,
};
pub use wish::{BAKE_MAX_S, Wish};

use crate::sorted::Sorted;
use crate::time::Timestamp;

/// The state of releases: what the journal adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    phase: Phase,
    blue_image: Option<String>,
    green_image: Option<String>,
    weight: Weight,
    /// What a rollback from `green_live` goes back to.
    former_blue: Option<String>,
    /// The pool whose role is blue.
    blue_pool: Pool,
    /// The release under way, else the last one.
    id: Option<String>,
    plan: Option<Plan>,
    started_at: Timestamp,
    paused: Option<String>,
    /// When the current step began to bake; later than its record if a driver or a person came back.
    bake_from: Timestamp,
    /// When somebody last went on with it: a person after a pause, or a driver.
    taken_up: Timestamp,
    verdict: Option<Verdict>,
    /// Steps that had their verdict, and whether they passed.
    judged: Sorted<Weight, bool>,
    /// The change the regions are to make now.
    target: Option<Action>,
    /// Regions that have made it.
    confirmed: Sorted<String, ()>,
    outcome: Option<Outcome>,
    /// The image that the last rollback took back.
    former_green: Option<String>,
    /// When the last release came to its end.
    ended_at: Option<Timestamp>,
    /// Who was refused for their role within the last second, and when.
    denials: Sorted<String, Timestamp>,
}

/// How the current step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// It failed, and the plan goes on all the same.
    Tolerated,
}

/// How the last release ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Green is live.
    Promoted,
    /// Blue serves, and why.
    RolledBack(String),
}

impl Release {
    /// The machine's state; `idle` before the first release.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The image whose role is blue; `None` until a release says one.
    pub fn blue_image(&self) -> Option<&str> {
        self.blue_image.as_deref()
    }

    /// The image whose role is green; `None` where nothing was provisioned, and after a rollback.
    pub fn green_image(&self) -> Option<&str> {
        self.green_image.as_deref()
    }

    /// When a person last let it go on after a pause, or a driver took it up. What was seen of a step before is
    /// no evidence for it: it bakes anew from here.
    pub fn taken_up(&self) -> Timestamp {
        self.taken_up
    }

    /// The canary weight, 0 to 100 percent.
    pub fn weight(&self) -> Weight {
        self.weight
    }

    /// The pool whose role is blue.
    pub fn blue_pool(&self) -> Pool {
        self.blue_pool
    }

    /// The id of the release under way, else of the last one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The plan of the release under way, else of the last one.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// When the release began.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Whether a step of the plan passed; none while it had no verdict.
    pub fn passed(&self, step: Weight) -> Option<bool> {
        self.judged.get(&step).copied()
    }

    /// Why a person paused it, while it is paused.
    pub fn paused(&self) -> Option<&str> {
        self.paused.as_deref()
    }

    /// How the last release ended; none while one is under way, and before the first.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// A release is under way from its first record until `idle` or `green_live`, whether or not a
    /// process drives it.
    pub fn under_way(&self) -> bool {
        match self.phase {
            Phase::GreenProvisioned | Phase::Canary | Phase::RollbackInProgress => true,
            Phase::Idle | Phase::GreenLive => false,
        }
    }

    /// What placement needs to know: for [`Router::slot_rule`](crate::placement::Router::slot_rule). `None`
    /// before the first release.
    pub fn view(&self) -> Option<crate::placement::ReleaseView<'_>> {
        let id = self.id.as_deref()?;
        Some(crate::placement::ReleaseView {
            id,
            phase: self.phase,
            weight: self.weight,
        })
    }
}
