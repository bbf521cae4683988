//! One thing to make true in the world, detached from the state that asked for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use halcyon_core::release::{
    Action, Judgement, Limits, Pool, RegionFailure, RegionTarget, Release, Step, Traffic, Weight,
};
use halcyon_core::time::Timestamp;
use tokio::sync::watch;

use super::probe::Baking;
use super::{Hooks, Observer, hook, probe};
use crate::clock;
use crate::net::Client;

/// How the world is reached.
#[derive(Clone)]
pub struct World {
    /// Asks regions.
    pub client: Client,
    /// Between two probes of a region.
    pub probe_interval: Duration,
    /// For one probe.
    pub probe_timeout: Duration,
    /// For one run of a step hook.
    pub hook_timeout: Duration,
    /// What keeps hooks of two drivers apart.
    pub hooks: Hooks,
    /// A step hook that a person has given in place of the plan's.
    pub on_step: Option<String>,
    /// What knows green's traffic; `None` where no edge reports to this process.
    pub judge: Option<Arc<dyn Judge>>,
}

/// Knows what edges have counted.
pub trait Judge: Send + Sync {
    /// What green's traffic says of a step. Once the step has `baked`, it is good only if edges have told of
    /// everything up to then.
    fn judge(&self, step: &StepOf<'_>, limits: &Limits, baked: Option<Instant>) -> Judgement;
}

/// A step of a release, as somebody has taken it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepOf<'r> {
    /// The release's id.
    pub release: &'r str,
    /// The step's share.
    pub weight: Weight,
    /// Since when: [`Release::taken_up`]. What was counted before is no evidence.
    pub taken_up: Timestamp,
}

/// What green's traffic is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limited {
    pub(super) release_id: String,
    pub(super) weight: Weight,
    pub(super) taken_up: Timestamp,
    pub(super) limits: Limits,
}

impl Limited {
    /// Where the plan has limits.
    fn of(release: &Release, weight: Weight) -> Option<Self> {
        let limits = release.plan()?.limits?;
        Some(Self {
            release_id: release.id().unwrap_or_default().to_owned(),
            weight,
            taken_up: release.taken_up(),
            limits,
        })
    }

    /// At 0 % only tenants whose slot a rule gives are on green: they may stop a step, and are not waited for.
    pub(super) fn is_needed(&self) -> bool {
        self.weight > Weight::ZERO
    }

    pub(super) fn judge(&self, world: &World, baked: Option<Instant>) -> Judgement {
        let step = StepOf {
            release: &self.release_id,
            weight: self.weight,
            taken_up: self.taken_up,
        };
        match &world.judge {
            Some(judge) => judge.judge(&step, &self.limits, baked),
            None => {
                let why =
                    "no edge reports here; the control plane that began it hears of its traffic";
                Judgement::Inconclusive(why.into())
            }
        }
    }
}

/// What has to be done now, with everything that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    Rest,
    Hold,
    Apply {
        release_id: String,
        change: Action,
        weight: Weight,
        image: String,
        on_step: String,
        on_step_dir: Option<String>,
        regions: Vec<RegionTarget>,
    },
    Enter {
        weight: Weight,
        /// The pool whose role is green.
        green: Pool,
        regions: Vec<RegionTarget>,
    },
    Bake {
        weight: Weight,
        bake_ms: u64,
        until: Timestamp,
        green: Pool,
        regions: Vec<RegionTarget>,
        stop_on_failure: bool,
        limited: Option<Limited>,
    },
    Finish,
    CompleteRollback,
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    Cancelled,
    Applied {
        change: Action,
        weight: Weight,
        confirmed: Vec<String>,
        failures: Vec<RegionFailure>,
    },
    Smoked {
        weight: Weight,
        failures: Vec<RegionFailure>,
    },
    Baked {
        weight: Weight,
        baked_ms: u64,
        rounds: u64,
        failures: Vec<RegionFailure>,
        traffic: Option<Traffic>,
    },
    Finish,
    CompleteRollback,
}

impl Task {
    pub(super) fn of(release: &Release) -> Self {
        let regions = || {
            release
                .plan()
                .map(|plan| plan.regions.clone())
                .unwrap_or_default()
        };
        match release.next_step() {
            Step::Rest => Task::Rest,
            Step::Hold => Task::Hold,
            Step::Apply(apply) => Task::Apply {
                release_id: release.id().unwrap_or("").to_owned(),
                change: apply.action,
                weight: apply.weight,
                image: apply.image.to_owned(),
                on_step: apply.on_step.to_owned(),
                on_step_dir: apply.on_step_dir.map(str::to_owned),
                regions: apply.regions.into_iter().cloned().collect(),
            },
            Step::Enter { weight } => Task::Enter {
                weight,
                green: release.blue_pool().other(),
                regions: regions(),
            },
            Step::Bake { weight, until } => Task::Bake {
                weight,
                until,
                bake_ms: release.plan().map_or(0, |plan| plan.bake_ms),
                green: release.blue_pool().other(),
                regions: regions(),
                stop_on_failure: release.plan().is_some_and(|plan| plan.abort_on_err),
                limited: Limited::of(release, weight),
            },
            Step::Finish => Task::Finish,
            Step::CompleteRollback => Task::CompleteRollback,
        }
    }

    pub(super) fn is_rollback(&self) -> bool {
        match self {
            Task::CompleteRollback => true,
            Task::Apply { change, .. } => *change == Action::RollbackToBlue,
            Task::Rest | Task::Hold | Task::Enter { .. } | Task::Bake { .. } | Task::Finish => {
                false
            }
        }
    }

    /// When the step in force has baked, by a clock that never jumps: never later than a whole bake
    /// from now, even if the wall clock went back.
    pub(super) fn until(&self, release: &Release) -> Option<Instant> {
        let Task::Bake { until, .. } = self else {
            return None;
        };
        let bake_ms = release.plan().map_or(0, |plan| plan.bake_ms);
        Some(Instant::now() + Duration::from_millis(until.since(clock::now()).min(bake_ms)))
    }

    pub(super) async fn perform(
        &self,
        world: &World,
        observer: &dyn Observer,
        cancelled: watch::Receiver<bool>,
    ) -> Report {
        match self {
            Task::Rest => Report::Cancelled,
            Task::Finish => Report::Finish,
            Task::CompleteRollback => Report::CompleteRollback,
            Task::Hold => {
                stopped(cancelled).await;
                Report::Cancelled
            }
            Task::Apply {
                release_id,
                change,
                weight,
                image,
                on_step,
                on_step_dir,
                regions,
            } => {
                let (on_step, directory) = match &world.on_step {
                    Some(instead) => (instead, None),
                    None => (on_step, on_step_dir.as_deref()),
                };
                let environment = hook::Environment {
                    action: *change,
                    weight: *weight,
                    image,
                    release_id,
                    on_step,
                    directory,
                };
                hook::apply(world, observer, &environment, regions, cancelled).await
            }
            Task::Enter {
                weight,
                green,
                regions,
            } => {
                tokio::select! {
                    failures = probe::smoke(world, observer, regions, *green) => Report::Smoked { weight: *weight, failures },
                    () = stopped(cancelled) => Report::Cancelled,
                }
            }
            Task::Bake {
                weight,
                bake_ms,
                green,
                regions,
                stop_on_failure,
                limited,
                ..
            } => {
                let baking = Baking {
                    regions,
                    green: *green,
                    lasts: Duration::from_millis(*bake_ms),
                    stop_on_failure: *stop_on_failure,
                    limited: limited.as_ref(),
                };
                tokio::select! {
                    baked = probe::bake(world, observer, baking) => Report::Baked {
                        weight: *weight,
                        baked_ms: u64::try_from(baked.lasted.as_millis()).unwrap_or(u64::MAX),
                        rounds: baked.rounds,
                        failures: baked.failures,
                        traffic: baked.traffic,
                    },
                    () = stopped(cancelled) => Report::Cancelled,
                }
            }
        }
    }
}

/// Returns once the task is to stop.
pub(super) async fn stopped(mut cancelled: watch::Receiver<bool>) {
    if cancelled.wait_for(|stop| *stop).await.is_err() {
        // The sender lives as long as the task's caller; without it there is nobody to stop.
        std::future::pending::<()>().await;
    }
}
