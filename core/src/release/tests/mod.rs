//! The release machine: who may, what from where, plans, hooks, and what a driver is told.
#![allow(clippy::arithmetic_side_effects, clippy::panic_in_result_fn)]

mod grid;
mod hooks;
mod offers;
mod plans;
mod roles;
mod script;
mod status;
mod verbs;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::endpoint::Endpoint;
use crate::role::Actor;

fn actor(role: &str) -> Actor {
    Actor {
        user: "ann".into(),
        role: role.into(),
    }
}

/// A machine, somebody who may release, and a clock that stands still until it is moved.
struct Bench {
    release: Release,
    actor: Actor,
    kill_switch: bool,
    now: Timestamp,
    releases: u32,
}

fn bench() -> Bench {
    Bench {
        release: Release::default(),
        actor: actor("Deployer"),
        kill_switch: false,
        now: Timestamp(1_000_000),
        releases: 0,
    }
}

impl Bench {
    /// Gives a command; the events or the refusal's words.
    fn give(&mut self, command: Command) -> Result<Vec<Event>, String> {
        let before = self.release.clone();
        let id = alloc::format!("r{}", self.releases + 1);
        let context = Context {
            actor: &self.actor,
            kill_switch: self.kill_switch,
            new_release_id: &id,
        };
        let result = self.release.handle(&command, &context, self.now);
        match &result {
            Ok(events) if matches!(events.first(), Some(Event::ProvisionGreen { .. })) => {
                self.releases += 1
            }
            Ok(_) => {}
            Err(_) => assert_eq!(self.release, before, "a refusal changes nothing"),
        }
        result.map_err(|refusal| refusal.to_string())
    }

    /// Gives commands that must all be accepted.
    fn all(mut self, commands: impl IntoIterator<Item = Command>) -> Self {
        for command in commands {
            let name = command.name();
            self.give(command)
                .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        }
        self
    }

    fn refusal(&mut self, command: Command) -> String {
        self.give(command).unwrap_err()
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
    }
}

fn weight(percent: i64) -> Weight {
    Weight::new(percent).unwrap()
}

fn provision(image: &str) -> Command {
    Command::ProvisionGreen {
        image: image.into(),
        blue_image: None,
        plan: None,
    }
}

fn provision_with(plan: Plan) -> Command {
    Command::ProvisionGreen {
        image: "app:v2".into(),
        blue_image: Some("app:v1".into()),
        plan: Some(plan),
    }
}

fn start(weight: i64) -> Command {
    Command::StartCanary { weight }
}

fn increase(weight: i64) -> Command {
    Command::IncreaseWeight { weight }
}

fn rollback(reason: &str) -> Command {
    Command::RollbackToBlue {
        reason: reason.into(),
    }
}

fn pause(reason: &str) -> Command {
    Command::Pause {
        reason: reason.into(),
    }
}

fn pass(percent: i64) -> Command {
    Command::PassStep {
        weight: weight(percent),
        baked_ms: 60_000,
        rounds: 3,
        traffic: None,
    }
}

fn fail(percent: i64, check: Check) -> Command {
    let failures = alloc::vec![RegionFailure {
        region: "us-east".into(),
        why: "status 503".into()
    }];
    Command::FailStep {
        weight: weight(percent),
        check,
        failures,
    }
}

fn confirm(region: &str, change: Action) -> Command {
    Command::ConfirmRegion {
        region: region.into(),
        change,
    }
}

/// Two regions, steps of 60 s, roll back on failure, no hook.
fn plan(weights: &[i64]) -> Plan {
    let target = |name: &str| RegionTarget {
        name: name.into(),
        url: Endpoint::parse(&alloc::format!("http://{name}:8086")).unwrap(),
        named: true,
        pools: Pools::default(),
    };
    Plan {
        weights: weights.iter().map(|percent| weight(*percent)).collect(),
        regions: alloc::vec![target("us-east"), target("us-west")],
        bake_ms: 60_000,
        abort_on_err: true,
        on_step: None,
        on_step_dir: None,
        limits: None,
        by_server: false,
        deadline: None,
    }
}

fn with_hook(weights: &[i64]) -> Plan {
    Plan {
        on_step: Some("./shift".into()),
        on_step_dir: None,
        limits: None,
        by_server: false,
        ..plan(weights)
    }
}

/// The same, where a failed step is a warning.
fn tolerant(plan: Plan) -> Plan {
    Plan {
        abort_on_err: false,
        ..plan
    }
}
