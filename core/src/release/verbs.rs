//! The commands of the earlier system under their own names: decide and evolve in one call, for
//! programs that keep the state in memory and the events themselves.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Command, Context, Event, Fact, Rejection, Release};
use crate::time::Timestamp;

impl Release {
    /// Decides a command and folds what it brings about into the state.
    ///
    /// # Errors
    /// As [`decide`](Release::decide); then nothing has changed.
    pub fn handle(
        &mut self,
        command: &Command,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let events = self.decide(command, context)?;
        for event in &events {
            let release_id = self.release_id_of(event, context);
            self.evolve(&Fact {
                at: now,
                release_id,
                event: event.clone(),
            });
        }
        Ok(events)
    }

    /// The release an event belongs to: a new one's first event begins it.
    pub fn release_id_of(
        &self,
        event: &Event,
        context: &Context<'_>,
    ) -> Option<alloc::string::String> {
        match event {
            Event::ProvisionGreen { .. } => Some(context.new_release_id.to_string()),
            _ => self.id.clone(),
        }
    }

    /// Begins a release of `image`.
    ///
    /// ```
    /// use halcyon_core::release::{Context, Phase, Release};
    /// use halcyon_core::role::Actor;
    /// use halcyon_core::time::Timestamp;
    ///
    /// let actor = Actor { user: "ann".into(), role: "Deployer".into() };
    /// let context = Context { actor: &actor, kill_switch: false, new_release_id: "r1" };
    /// let now = Timestamp(1_759_397_400_000);
    /// let mut release = Release::default();
    /// release.provision_green("app:v2", &context, now)?;
    /// release.start_canary(25, &context, now)?;
    /// let refused = release.increase_weight(20, &context, now).unwrap_err();
    /// assert_eq!(refused.to_string(), "New weight 20% must be greater than current 25%");
    /// release.promote_green(&context, now)?;
    /// assert_eq!((release.phase(), release.blue_image()), (Phase::GreenLive, Some("app:v2")));
    /// # Ok::<(), halcyon_core::release::Rejection>(())
    /// ```
    ///
    /// # Errors
    /// From any state but `idle` and `green_live`.
    pub fn provision_green(
        &mut self,
        image: &str,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.handle(
            &Command::ProvisionGreen {
                image: image.to_string(),
                blue_image: None,
                plan: None,
            },
            context,
            now,
        )
    }

    /// Gives green its first share, 0 to 100 percent.
    ///
    /// # Errors
    /// From any state but `green_provisioned`, and for any other number.
    pub fn start_canary(
        &mut self,
        weight: i64,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.handle(&Command::StartCanary { weight }, context, now)
    }

    /// Gives green a share greater than its current one, at most 100 percent.
    ///
    /// # Errors
    /// From any state but `canary`, and for a number that does not rise or is over 100.
    pub fn increase_weight(
        &mut self,
        weight: i64,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.handle(&Command::IncreaseWeight { weight }, context, now)
    }

    /// Makes green live.
    ///
    /// # Errors
    /// From any state but `canary`.
    pub fn promote_green(
        &mut self,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.handle(&Command::PromoteGreen, context, now)
    }

    /// Gives blue everything, from any state.
    ///
    /// # Errors
    /// Only for the role.
    pub fn rollback_to_blue(
        &mut self,
        reason: &str,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.handle(
            &Command::RollbackToBlue {
                reason: reason.to_string(),
            },
            context,
            now,
        )
    }
}
