//! Reading what a record says of a release: its event, and the plan in it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error};

use super::{
    Action, Check, Event, Limits, Phase, Plan, Pools, RegionFailure, RegionTarget, Traffic, Weight,
};
use crate::document::{Document, Fields, WithoutFractions, add_name, unknown};
use crate::endpoint::Endpoint;
use crate::time::Timestamp;

/// The actions of records, in the order of [`Event`].
const ACTIONS: [&str; 14] = [
    "provision_green",
    "start_canary",
    "increase_weight",
    "promote_green",
    "rollback_to_blue",
    "rollback_complete",
    "region_confirmed",
    "step_passed",
    "step_failed",
    "pause",
    "resume",
    "attach_driver",
    "detach_driver",
    "permission_denied",
];

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = WithoutFractions.deserialize(deserializer)?;
        let mut wrong = None;
        let event = Self::of(&mut Fields::of(&document, "enum Event", &mut wrong));
        match (event, wrong) {
            (Some(event), None) => Ok(event),
            (_, why) => Err(D::Error::custom(why.unwrap_or_default())),
        }
    }
}

impl Event {
    /// The event of a record: `action` and that action's members. `None` where something is wrong.
    pub(crate) fn of(members: &mut Fields<'_, '_>) -> Option<Self> {
        Some(match members.text("action") {
            "provision_green" => Event::ProvisionGreen {
                image_tag: members.string("image_tag"),
                initial_blue: members.string_if_any("initial_blue"),
                plan: match members.value_if_any("plan") {
                    Some(plan) => Some(Plan::of(plan, members)?),
                    None => None,
                },
            },
            "start_canary" => Event::StartCanary {
                weight: weight(members, "weight"),
            },
            "increase_weight" => Event::IncreaseWeight {
                old_weight: weight(members, "old_weight"),
                new_weight: weight(members, "new_weight"),
            },
            "promote_green" => Event::PromoteGreen {
                new_blue: members.string("new_blue"),
                skipped: match members.if_any("skipped") {
                    Some(_) => weights(members, "skipped"),
                    None => Vec::new(),
                },
            },
            "rollback_to_blue" => Event::RollbackToBlue {
                old_state: members.one_of("old_state", &Phase::ALL, Phase::name)?,
                reason: members.string("reason"),
                old_weight: weight(members, "old_weight"),
            },
            "rollback_complete" => Event::RollbackComplete {},
            "region_confirmed" => Event::RegionConfirmed {
                change: members.one_of("change", &Action::ALL, Action::name)?,
                region: members.string("region"),
            },
            "step_passed" => Event::StepPassed {
                weight: weight(members, "weight"),
                baked_ms: members.whole("baked_ms"),
                rounds: members.whole("rounds"),
                traffic: members
                    .value_if_any("traffic")
                    .map(|traffic| Traffic::of(traffic, members)),
            },
            "step_failed" => Event::StepFailed {
                check: members.one_of("check", &Check::ALL, Check::name)?,
                weight: weight(members, "weight"),
                failures: failures(members),
            },
            "pause" => Event::Pause {
                reason: members.string("reason"),
            },
            "resume" => Event::Resume {},
            "attach_driver" => Event::AttachDriver {},
            "detach_driver" => Event::DetachDriver {
                reason: members.string("reason"),
            },
            "permission_denied" => Event::PermissionDenied {
                attempted: members.string("attempted"),
                reason: members.string("reason"),
            },
            other => {
                let mut names = String::new();
                for name in ACTIONS {
                    add_name(name, &mut names);
                }
                members.note(unknown(other, &names));
                return None;
            }
        })
    }
}

impl Weight {
    /// The weight that a value of a record is.
    pub(crate) fn of(value: &Document, members: &mut Fields<'_, '_>) -> Self {
        let weight = match value {
            Document::Integer(percent) => members.ok(Self::try_from(*percent)),
            other => {
                members.is_no(other, "i64");
                None
            }
        };
        weight.unwrap_or_default()
    }
}

fn weight(members: &mut Fields<'_, '_>, name: &str) -> Weight {
    let value = members.needed(name);
    Weight::of(value, members)
}

fn weights(members: &mut Fields<'_, '_>, name: &str) -> Vec<Weight> {
    let mut weights = Vec::new();
    for item in members.list(name) {
        weights.push(Weight::of(item, members));
    }
    weights
}

fn failures(members: &mut Fields<'_, '_>) -> Vec<RegionFailure> {
    let mut failures = Vec::new();
    for item in members.list("failures") {
        let mut members = Fields::of(item, "struct RegionFailure", members.wrong());
        failures.push(RegionFailure {
            region: members.string("region"),
            why: members.string("why"),
        });
    }
    failures
}

impl Plan {
    fn of(value: &Document, whole: &mut Fields<'_, '_>) -> Option<Self> {
        let mut members = Fields::of(value, "struct Plan", whole.wrong());
        let mut regions = Vec::new();
        for item in members.list("regions") {
            regions.push(region(item, &mut members)?);
        }
        let deadline = members.text_if_any("deadline").map(Timestamp::parse);
        members.needed("abort_on_err");
        Some(Self {
            weights: weights(&mut members, "weights"),
            regions,
            bake_ms: members.whole("bake_ms"),
            abort_on_err: members.flag_if_any("abort_on_err"),
            limits: members
                .value_if_any("limits")
                .map(|limits| Limits::of(limits, &mut members)),
            on_step: members.string_if_any("on_step"),
            on_step_dir: members.string_if_any("on_step_dir"),
            by_server: members.flag_if_any("by_server"),
            deadline: deadline.and_then(|deadline| members.ok(deadline)),
        })
    }
}

impl Limits {
    fn of(value: &Document, whole: &mut Fields<'_, '_>) -> Self {
        let mut members = Fields::of(value, "struct Limits", whole.wrong());
        Self {
            max_errors_ppm: members.whole_if_any("max_errors_ppm"),
            max_p95_ms: members.whole_if_any("max_p95_ms"),
        }
    }
}

impl Traffic {
    fn of(value: &Document, whole: &mut Fields<'_, '_>) -> Self {
        let mut members = Fields::of(value, "struct Traffic", whole.wrong());
        Self {
            requests: members.whole("requests"),
            errors: members.whole("errors"),
            slow: members.whole("slow"),
        }
    }
}

fn region(value: &Document, whole: &mut Fields<'_, '_>) -> Option<RegionTarget> {
    let mut members = Fields::of(value, "struct RegionTarget", whole.wrong());
    let pools = match members.if_any("pools") {
        Some(pools) => {
            let mut pools = Fields::of(pools, "struct Pools", members.wrong());
            Pools {
                blue: endpoint(&mut pools, "blue"),
                green: endpoint(&mut pools, "green"),
            }
        }
        None => Pools::default(),
    };
    let url = Endpoint::parse(members.text("url"));
    Some(RegionTarget {
        url: members.ok(url)?,
        name: members.string("name"),
        named: members.flag_if_any("named"),
        pools,
    })
}

/// Nothing where it is not there or null, and where it is wrong.
fn endpoint(members: &mut Fields<'_, '_>, name: &str) -> Option<Endpoint> {
    let read = Endpoint::parse(members.text_if_any(name)?);
    members.ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a record of this action alone.
    fn problem(action: &str) -> Option<String> {
        let action = (String::from("action"), Document::Text(action.into()));
        let mut wrong = None;
        let document = Document::Object(Vec::from([action]));
        let read = Event::of(&mut Fields::of(&document, "struct Record", &mut wrong));
        assert!(read.is_some() || wrong.is_some());
        wrong
    }

    #[test]
    fn actions_are_listed_as_they_are_read() {
        for action in ACTIONS {
            let why = problem(action);
            assert!(
                why.is_none_or(|why| why.starts_with("missing field")),
                "{action}"
            );
        }
        let why = problem("fly").unwrap();
        assert!(why.starts_with(
            "unknown variant `fly`, expected one of `provision_green`, `start_canary`, "
        ));
    }
}
