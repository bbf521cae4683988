//! The journal's lines: what stands in them, and that no edit of them goes unnoticed.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::string_slice,
    clippy::panic_in_result_fn
)]

mod edits;
mod keys;
mod lines;
mod reading;
mod text;

use alloc::format;

use super::*;
use crate::endpoint::Endpoint;
use crate::release::{
    Action, Check, Command, Context, Plan, Pools, RegionFailure, RegionTarget, Rejection,
};

/// A journal in memory, and somebody who writes to it.
struct Desk {
    ledger: Ledger,
    journal: String,
    actor: Actor,
    now: Timestamp,
}

fn desk() -> Desk {
    Desk {
        ledger: Ledger::default(),
        journal: String::new(),
        actor: Actor {
            user: "ann".into(),
            role: "Deployer".into(),
        },
        now: Timestamp(1_759_397_400_000),
    }
}

impl Desk {
    /// Decides a command and writes what it brings about.
    fn give(&mut self, command: &Command) {
        let context = Context {
            actor: &self.actor,
            kill_switch: false,
            new_release_id: "r1",
        };
        let release = self.ledger.release();
        let events = match release.decide(command, &context) {
            Ok(events) => events,
            Err(_) => release
                .denial(command, &context, self.now)
                .into_iter()
                .collect(),
        };
        let events = events
            .into_iter()
            .map(|event| (event.clone(), release.release_id_of(&event, &context)))
            .collect();
        self.journal
            .push_str(&self.ledger.write(events, &self.actor, None, self.now));
        self.now = self.now.plus(1500);
    }

    fn lines(&self) -> Vec<&str> {
        self.journal.lines().collect()
    }
}

/// Reads a journal from its bytes: the ledger, and how many bytes of a torn tail it ends in.
fn read(journal: &[u8]) -> Result<(Ledger, usize), Corruption> {
    let mut ledger = Ledger::default();
    let mut rest = journal;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        ledger.accept(&rest[..end])?;
        rest = &rest[end + 1..];
    }
    Ok((ledger, rest.len()))
}

fn weight(percent: i64) -> Weight {
    Weight::new(percent).unwrap()
}

fn provision(plan: Option<Plan>) -> Command {
    Command::ProvisionGreen {
        image: "app:v2".into(),
        blue_image: Some("app:v1".into()),
        plan,
    }
}

fn plan() -> Plan {
    let url = Endpoint::parse("http://10.0.0.1:8086").unwrap();
    Plan {
        weights: alloc::vec![weight(10), weight(50)],
        regions: alloc::vec![RegionTarget {
            name: "us-east".into(),
            url,
            named: true,
            pools: Pools::default(),
        }],
        bake_ms: 1000,
        abort_on_err: false,
        on_step: Some("./shift".into()),
        on_step_dir: None,
        limits: None,
        by_server: false,
        deadline: Some(Timestamp(1_759_400_000_000)),
    }
}

/// Twelve records of every kind a release may leave.
fn twelve() -> Desk {
    let mut desk = desk();
    let confirm = |change| Command::ConfirmRegion {
        region: "us-east".into(),
        change,
    };
    let failures = alloc::vec![RegionFailure {
        region: "us-east".into(),
        why: "status 503".into()
    }];
    for command in [
        provision(Some(plan())),
        confirm(Action::ProvisionGreen),
        Command::StartCanary { weight: 10 },
        confirm(Action::StartCanary),
        Command::PassStep {
            weight: weight(10),
            baked_ms: 1000,
            rounds: 2,
            traffic: None,
        },
        Command::Pause {
            reason: "lunch \u{1f426}".into(),
        },
        Command::Resume,
        Command::IncreaseWeight { weight: 50 },
        Command::FailStep {
            weight: weight(50),
            check: Check::Hook,
            failures,
        },
        Command::RollbackToBlue {
            reason: "error rate".into(),
        },
        confirm(Action::RollbackToBlue),
        Command::CompleteRollback,
    ] {
        desk.give(&command);
    }
    assert_eq!(desk.lines().len(), 12, "{}", desk.journal);
    desk
}
