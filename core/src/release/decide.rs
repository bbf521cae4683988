//! Which commands are allowed when, and what they bring about.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::evolve::is_recent;
use super::gates::not_yet;
use super::{Check, Command, Context, Event, Phase, Plan, Rejection, Release, Traffic, Weight};
use crate::text::{count, message, number};
use crate::time::Timestamp;

/// The most bytes an image reference may have.
const IMAGE_MAX: usize = 65_536;

impl Release {
    /// Answers a command with the events it brings about, without changing anything. No events mean
    /// that what was asked is so already.
    ///
    /// # Errors
    /// A refusal: for the role first, then for the kill switch, then for the state, then for the
    /// command's own values.
    ///
    /// ```
    /// use halcyon_core::release::{Command, Context, Release};
    /// use halcyon_core::role::Actor;
    ///
    /// let actor = Actor { user: "ann".into(), role: "Viewer".into() };
    /// let context = Context { actor: &actor, kill_switch: false, new_release_id: "r1" };
    /// let refused = Release::default().decide(&Command::PromoteGreen, &context).unwrap_err();
    /// assert!(refused.to_string().contains("Invalid DEPLOY_RBAC_ROLE"), "{refused}");
    ///
    /// let admin = Actor { user: "bob".into(), role: "Admin".into() };
    /// let refused = Release::default().decide(&Command::PromoteGreen, &Context { actor: &admin, ..context });
    /// assert!(refused.unwrap_err().to_string().starts_with("Cannot promote green from state idle"));
    /// ```
    pub fn decide(
        &self,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Vec<Event>, Rejection> {
        let words = command.words();
        context
            .actor
            .authorise()
            .map_err(|role| Rejection::Role { words, role })?;
        if context.kill_switch && command.raises() {
            return Err(Rejection::KillSwitch { words });
        }
        match (self.phase, command) {
            (
                Phase::Idle | Phase::GreenLive,
                Command::ProvisionGreen {
                    image,
                    blue_image,
                    plan,
                },
            ) => self.provision(image, blue_image.as_deref(), plan.as_ref()),
            (Phase::GreenProvisioned, Command::StartCanary { weight }) => {
                let weight = parse_weight(*weight)?;
                self.gate_next_step(words, weight)?;
                Ok(alloc::vec![Event::StartCanary { weight }])
            }
            (Phase::Canary, Command::IncreaseWeight { weight }) => {
                let new_weight = parse_weight(*weight)?;
                if new_weight <= self.weight {
                    return Err(Rejection::NotRising {
                        new: new_weight,
                        current: self.weight,
                    });
                }
                self.gate_next_step(words, new_weight)?;
                Ok(alloc::vec![Event::IncreaseWeight {
                    old_weight: self.weight,
                    new_weight
                }])
            }
            (Phase::Canary, Command::PromoteGreen) => Ok(self.promote()),
            (Phase::Canary, Command::FinishPlan) => {
                self.gate_promotion(words)?;
                Ok(self.promote())
            }
            (Phase::Idle | Phase::RollbackInProgress, Command::RollbackToBlue { reason }) => {
                Ok(alloc::vec![self.rolled_back(reason)])
            }
            (
                Phase::GreenProvisioned | Phase::Canary | Phase::GreenLive,
                Command::RollbackToBlue { reason },
            ) => Ok(self.roll_back(reason)),
            (Phase::RollbackInProgress, Command::CompleteRollback) => self.complete_rollback(words),
            (Phase::GreenProvisioned | Phase::Canary, Command::Pause { reason }) => {
                Ok(match self.paused {
                    Some(_) => Vec::new(),
                    None => alloc::vec![Event::Pause {
                        reason: reason.clone()
                    }],
                })
            }
            (Phase::GreenProvisioned | Phase::Canary, Command::Resume) => match self.paused {
                Some(_) => Ok(alloc::vec![Event::Resume {}]),
                None => Err(not_yet(words, message!("the release is not paused"))),
            },
            (
                Phase::GreenProvisioned
                | Phase::Canary
                | Phase::GreenLive
                | Phase::RollbackInProgress,
                Command::ConfirmRegion { region, change },
            ) => self.confirm(words, region, *change),
            (
                Phase::Canary,
                Command::PassStep {
                    weight,
                    baked_ms,
                    rounds,
                    traffic,
                },
            ) => self.pass_step(words, *weight, (*baked_ms, *rounds), *traffic),
            (
                Phase::GreenProvisioned | Phase::Canary | Phase::GreenLive,
                Command::FailStep {
                    weight,
                    check,
                    failures,
                },
            ) => self.fail_step(words, *weight, *check, failures),
            (
                Phase::GreenProvisioned
                | Phase::Canary
                | Phase::GreenLive
                | Phase::RollbackInProgress,
                Command::AttachDriver,
            ) => Ok(alloc::vec![Event::AttachDriver {}]),
            (
                Phase::GreenProvisioned
                | Phase::Canary
                | Phase::GreenLive
                | Phase::RollbackInProgress,
                Command::DetachDriver { reason },
            ) => Ok(alloc::vec![Event::DetachDriver {
                reason: reason.clone()
            }]),

            (
                Phase::GreenProvisioned | Phase::Canary | Phase::RollbackInProgress,
                Command::ProvisionGreen { .. },
            )
            | (
                Phase::Idle | Phase::Canary | Phase::GreenLive | Phase::RollbackInProgress,
                Command::StartCanary { .. },
            )
            | (
                Phase::Idle
                | Phase::GreenProvisioned
                | Phase::GreenLive
                | Phase::RollbackInProgress,
                Command::IncreaseWeight { .. }
                | Command::PromoteGreen
                | Command::FinishPlan
                | Command::PassStep { .. },
            )
            | (
                Phase::Idle | Phase::GreenProvisioned | Phase::Canary | Phase::GreenLive,
                Command::CompleteRollback,
            )
            | (
                Phase::Idle | Phase::GreenLive | Phase::RollbackInProgress,
                Command::Pause { .. } | Command::Resume,
            )
            | (Phase::Idle, Command::ConfirmRegion { .. } | Command::AttachDriver)
            | (Phase::Idle | Phase::RollbackInProgress, Command::FailStep { .. })
            | (Phase::Idle, Command::DetachDriver { .. }) => Err(Rejection::State {
                words,
                state: self.phase,
                allowed: self.allowed(),
            }),
        }
    }

    /// The record of a refusal for the role, or none: a known user is recorded at most once a second.
    pub fn denial(
        &self,
        command: &Command,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Option<Event> {
        let role = context.actor.authorise().err()?;
        let before = self.denials.get(&context.actor.user);
        let recent = before.is_some_and(|before| is_recent(*before, now));
        (!recent).then(|| Event::PermissionDenied {
            attempted: command.name().to_string(),
            reason: role.text(),
        })
    }

    /// What a person may ask for in this state.
    fn allowed(&self) -> &'static str {
        match self.phase {
            Phase::Idle => "provision_green, rollback_to_blue",
            Phase::GreenProvisioned => "start_canary, rollback_to_blue, pause, resume",
            Phase::Canary => "increase_weight, promote_green, rollback_to_blue, pause, resume",
            Phase::GreenLive => "provision_green, rollback_to_blue",
            Phase::RollbackInProgress => "rollback_to_blue",
        }
    }

    fn provision(
        &self,
        image: &str,
        blue_image: Option<&str>,
        plan: Option<&Plan>,
    ) -> Result<Vec<Event>, Rejection> {
        let words = "provision green";
        let invalid = |why: String| Rejection::Invalid { words, why };
        for image in [Some(image), blue_image].into_iter().flatten() {
            if image.is_empty() || image.len() > IMAGE_MAX || image.contains('\0') {
                let most = count(IMAGE_MAX);
                let why = message!(
                    "image {?} is no image reference; allowed: 1 to {} bytes without NUL",
                    image,
                    &most
                );
                return Err(invalid(why.text()));
            }
        }
        plan.map_or(Ok(()), Plan::check).map_err(invalid)?;
        Ok(alloc::vec![Event::ProvisionGreen {
            image_tag: image.to_string(),
            initial_blue: blue_image
                .filter(|_| self.blue_image.is_none())
                .map(ToString::to_string),
            plan: plan.cloned(),
        }])
    }

    fn promote(&self) -> Vec<Event> {
        let weights = self.plan.iter().flat_map(|plan| &plan.weights);
        alloc::vec![Event::PromoteGreen {
            new_blue: self.green_image.clone().unwrap_or_default(),
            skipped: weights
                .filter(|weight| !self.judged.contains(*weight))
                .copied()
                .collect(),
        }]
    }

    fn rolled_back(&self, reason: &str) -> Event {
        Event::RollbackToBlue {
            reason: reason.to_string(),
            old_state: self.phase,
            old_weight: self.weight,
        }
    }

    /// Without a hook the durable weight-0 record is every region's confirmation.
    fn roll_back(&self, reason: &str) -> Vec<Event> {
        let mut events = alloc::vec![self.rolled_back(reason)];
        if !self.has_hook() {
            events.push(Event::RollbackComplete {});
        }
        events
    }

    fn complete_rollback(&self, words: &'static str) -> Result<Vec<Event>, Rejection> {
        self.gate_confirmed(words, "rollback_to_blue")?;
        Ok(alloc::vec![Event::RollbackComplete {}])
    }

    fn confirm(
        &self,
        words: &'static str,
        region: &str,
        change: super::Action,
    ) -> Result<Vec<Event>, Rejection> {
        if self.target != Some(change) {
            let why = message!(
                "{} is not the change in force; that is {}",
                change.name(),
                self.target_name()
            );
            return Err(not_yet(words, why));
        }
        if !self
            .plan
            .iter()
            .any(|plan| plan.regions.iter().any(|target| target.name == region))
        {
            return Err(Rejection::Invalid {
                words,
                why: message!("region {?} is not in the plan", region).text(),
            });
        }
        if self.confirmed.contains(region) {
            return Ok(Vec::new());
        }
        Ok(alloc::vec![Event::RegionConfirmed {
            region: region.to_string(),
            change
        }])
    }

    fn pass_step(
        &self,
        words: &'static str,
        weight: Weight,
        (baked_ms, rounds): (u64, u64),
        traffic: Option<Traffic>,
    ) -> Result<Vec<Event>, Rejection> {
        self.gate_verdict(words, weight)?;
        let bake_ms = self.plan.as_ref().map_or(0, |plan| plan.bake_ms);
        if baked_ms < bake_ms {
            let (baked, bake) = (number(baked_ms), number(bake_ms));
            let why = message!("{} ms of {} ms have baked", &baked, &bake);
            return Err(not_yet(words, why));
        }
        if rounds == 0 {
            let why = message!("no region was probed, and no data is no pass");
            return Err(not_yet(words, why));
        }
        self.gate_traffic(words, traffic)?;
        Ok(alloc::vec![Event::StepPassed {
            weight,
            baked_ms,
            rounds,
            traffic
        }])
    }

    fn fail_step(
        &self,
        words: &'static str,
        weight: Weight,
        check: Check,
        failures: &[super::RegionFailure],
    ) -> Result<Vec<Event>, Rejection> {
        if self.plan.as_ref().is_none_or(|plan| plan.abort_on_err) {
            let why = message!("only a plan that tolerates failures goes on after one");
            return Err(not_yet(words, why));
        }
        match check {
            Check::Bake => self.gate_verdict(words, weight)?,
            Check::Hook => self.gate_hook_failure(words, weight)?,
            Check::Smoke => {}
        }
        Ok(alloc::vec![Event::StepFailed {
            weight,
            check,
            failures: failures.to_vec()
        }])
    }
}

fn parse_weight(percent: i64) -> Result<Weight, Rejection> {
    Weight::new(percent).ok_or(Rejection::InvalidWeight { found: percent })
}
