//! A release, command by command, as a vector has it.

use halcyon_core::release::{Command, Context, Event, Fact, Rejection, Release};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;
use serde_json::Value;

use crate::json;

/// How long after the one before a command comes that does not say.
const WAIT_MS: u64 = 60_000;

/// A machine that a script drives.
pub(crate) struct Machine {
    release: Release,
    /// How many releases began: the ids are `r1`, `r2` and so on.
    begun: u32,
    now: Timestamp,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            release: Release::default(),
            begun: 0,
            now: Timestamp(1_759_397_400_000),
        }
    }

    /// Gives a command and answers with the members a step has for it: `events` or `refused`, what the
    /// refusal put on record, and the state after it.
    pub(crate) fn give(&mut self, step: &Value) -> Vec<(&'static str, String)> {
        self.now = self.now.plus(step["wait_ms"].as_u64().unwrap_or(WAIT_MS));
        let command = command(step);
        let word = |name: &str, default: &str| step[name].as_str().unwrap_or(default).to_string();
        let actor = Actor {
            user: word("user", "ann"),
            role: word("role", "Deployer"),
        };
        let next_id = format!("r{}", self.begun + 1);
        let context = Context {
            actor: &actor,
            kill_switch: step["kill_switch"].as_bool().unwrap_or_default(),
            new_release_id: &next_id,
        };
        let mut members = Vec::new();
        match self.release.handle(&command, &context, self.now) {
            Ok(events) => {
                self.begun += u32::from(matches!(events[..], [Event::ProvisionGreen { .. }, ..]));
                members.push(("events", json::list(events.iter().map(written))));
            }
            Err(why) => {
                let refused = [
                    ("kind", json::text(kind(&why))),
                    ("text", json::text(&why.to_string())),
                ];
                members.push(("refused", json::object(&refused)));
                if let Rejection::Role { .. } = why {
                    let denial = self.release.denial(&command, &context, self.now);
                    members.push(("recorded", json::list(denial.iter().map(written))));
                    if let Some(event) = denial {
                        let release_id = self.release.release_id_of(&event, &context);
                        let at = self.now;
                        self.release.evolve(&Fact {
                            at,
                            release_id,
                            event,
                        });
                        self.release.note_denial(&actor.user, at);
                    }
                }
            }
        }
        members.push(("after", self.state()));
        members
    }

    fn state(&self) -> String {
        let status = self.release.status();
        let maybe = |text: Option<String>| text.map_or("null".into(), |text| json::text(&text));
        let split = [
            ("blue", status.traffic_split.blue.to_string()),
            ("green", status.traffic_split.green.to_string()),
        ];
        let pool = serde_json::to_string(&status.blue_pool).unwrap();
        json::object(&[
            ("state", json::text(status.state.name())),
            ("blue_image", maybe(status.blue_image)),
            ("green_image", maybe(status.green_image)),
            ("canary_weight", status.canary_weight.to_string()),
            ("traffic_split", json::object(&split)),
            ("release_id", maybe(status.release_id)),
            ("paused", maybe(status.paused)),
            ("blue_pool", pool),
        ])
    }
}

fn written(event: &Event) -> String {
    halcyon_core::text::ascii_json(&serde_json::to_string(event).unwrap())
}

/// The kind of a refusal, for programs.
fn kind(why: &Rejection) -> &'static str {
    match why {
        Rejection::Role { .. } => "role",
        Rejection::KillSwitch { .. } => "kill_switch",
        Rejection::State { .. } => "state",
        Rejection::InvalidWeight { .. } => "invalid_weight",
        Rejection::NotRising { .. } => "not_rising",
        Rejection::NotInPlan { .. } => "not_in_plan",
        Rejection::NotYet { .. } => "not_yet",
        Rejection::Invalid { .. } => "invalid",
        Rejection::KeyReused { .. } => "key_reused",
    }
}

fn command(step: &Value) -> Command {
    let text = |name: &str| {
        step[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} in {step}"))
            .to_string()
    };
    let number = |name: &str| {
        step[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} in {step}"))
    };
    let weight = || {
        step["weight"]
            .as_i64()
            .unwrap_or_else(|| panic!("weight in {step}"))
    };
    let read = |name: &str| step[name].clone();
    match step["command"].as_str().unwrap() {
        "provision_green" => Command::ProvisionGreen {
            image: text("image"),
            blue_image: step["blue_image"].as_str().map(String::from),
            plan: step
                .get("plan")
                .map(|plan| serde_json::from_value(plan.clone()).unwrap()),
        },
        "start_canary" => Command::StartCanary { weight: weight() },
        "increase_weight" => Command::IncreaseWeight { weight: weight() },
        "promote_green" => Command::PromoteGreen,
        "rollback_to_blue" => Command::RollbackToBlue {
            reason: text("reason"),
        },
        "pause" => Command::Pause {
            reason: text("reason"),
        },
        "resume" => Command::Resume,
        "finish_plan" => Command::FinishPlan,
        "confirm_region" => Command::ConfirmRegion {
            region: text("region"),
            change: serde_json::from_value(read("change")).unwrap(),
        },
        "pass_step" => Command::PassStep {
            weight: serde_json::from_value(read("weight")).unwrap(),
            baked_ms: number("baked_ms"),
            rounds: number("rounds"),
            traffic: step
                .get("traffic")
                .map(|traffic| serde_json::from_value(traffic.clone()).unwrap()),
        },
        "fail_step" => Command::FailStep {
            weight: serde_json::from_value(read("weight")).unwrap(),
            check: serde_json::from_value(read("check")).unwrap(),
            failures: serde_json::from_value(read("failures")).unwrap(),
        },
        "complete_rollback" => Command::CompleteRollback,
        "attach_driver" => Command::AttachDriver,
        "detach_driver" => Command::DetachDriver {
            reason: text("reason"),
        },
        other => panic!("{other} is no command"),
    }
}
