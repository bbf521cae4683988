//! The laws, checked on every record as it appears, by somebody who reads along.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use halcyon_core::ledger::{Ledger, Record};
use halcyon_core::release::{Check, Event, Phase, Plan, Weight};

/// What can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Law {
    Serial,
    Chain,
    Loser,
    Acknowledged,
    OneRelease,
    Weights,
    RollbackHolds,
    Promotion,
    Once,
    Roles,
    Progress,
}

/// A law, and how it was broken.
pub(crate) type Broken = (Law, String);

/// What the records so far add up to, kept apart from the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reader {
    pub(crate) ledger: Ledger,
    pub(crate) seen: Seen,
}

/// What a release has done so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    releases: u8,
    active: bool,
    rolling_back: bool,
    weight: u8,
    steps: Vec<u8>,
    pub(crate) entered: Vec<u8>,
    pub(crate) passed: BTreeSet<u8>,
    tolerated: BTreeSet<u8>,
    confirmed: BTreeSet<(String, &'static str, u8)>,
    /// Every keyed command, by its owner and key.
    keyed: BTreeSet<(String, String)>,
    last_keyed: Option<(String, String)>,
}

impl Reader {
    /// Takes the next line and checks every law that a record can break.
    pub(crate) fn read(&mut self, line: &[u8]) -> Result<Record, Broken> {
        let before = self.ledger.head().clone();
        let record = self
            .ledger
            .accept(line)
            .map_err(|why| (Law::Chain, why.to_string()))?;
        if record.seq != before.seq + 1 || record.prev_hash != before.hash {
            return Err((Law::Chain, format!("record {}", record.seq)));
        }
        self.seen.see(&record)?;
        Ok(record)
    }
}

impl Seen {
    fn see(&mut self, record: &Record) -> Result<(), Broken> {
        let broken = |law, why: &str| {
            let event = record.event.clone();
            Err((law, format!("record {}: {why}: {event:?}", record.seq)))
        };
        let denied = matches!(record.event, Event::PermissionDenied { .. });
        if denied != (record.deploy_role == "Viewer") {
            return broken(Law::Roles, "the role decides");
        }
        self.see_key(record)?;
        match &record.event {
            Event::ProvisionGreen { plan, .. } => {
                if self.active {
                    return broken(Law::OneRelease, "one is active");
                }
                *self = Self {
                    releases: self.releases + 1,
                    active: true,
                    steps: plan.iter().flat_map(weights).collect(),
                    keyed: std::mem::take(&mut self.keyed),
                    last_keyed: self.last_keyed.take(),
                    ..Self::default()
                };
            }
            Event::StartCanary { weight }
            | Event::IncreaseWeight {
                new_weight: weight, ..
            } => {
                if self.rolling_back {
                    return broken(Law::RollbackHolds, "nothing raises");
                }
                if self.entered.contains(&weight.percent()) {
                    return broken(Law::Once, "the step was entered");
                }
                let judged = self.entered.iter().all(|step| self.judged(*step));
                if self.steps.get(self.entered.len()) != Some(&weight.percent()) || !judged {
                    return broken(Law::Weights, "not the plan's next step");
                }
                self.entered.push(weight.percent());
                self.weight = weight.percent();
            }
            Event::StepPassed { weight, .. } => {
                let weight = weight.percent();
                if self.entered.last() != Some(&weight) || self.judged(weight) {
                    return broken(Law::Once, "a verdict is about the step in force, once");
                }
                self.passed.insert(weight);
            }
            Event::StepFailed {
                weight,
                check: Check::Bake,
                ..
            } => {
                if self.judged(weight.percent()) {
                    return broken(Law::Once, "a step has one verdict");
                }
                self.tolerated.insert(weight.percent());
            }
            Event::PromoteGreen { skipped, .. } => {
                if self.rolling_back || !self.active {
                    return broken(Law::RollbackHolds, "nothing is promoted");
                }
                let steps = self.steps.iter().copied();
                let open: Vec<u8> = steps.filter(|step| !self.judged(*step)).collect();
                let skipped: Vec<u8> = skipped.iter().map(|weight| weight.percent()).collect();
                // Only a person leaves steps out, and says which.
                let by_person = record.user == "ann";
                if skipped != open || !(open.is_empty() || by_person) {
                    return broken(
                        Law::Promotion,
                        "every step passed, or it says which did not",
                    );
                }
                (self.active, self.weight) = (false, 100);
            }
            Event::RollbackToBlue { .. } => {
                // In idle and during a rollback it is recorded and changes nothing.
                self.rolling_back |= record.state == Phase::RollbackInProgress;
                self.active |= self.rolling_back;
                self.weight = 0;
            }
            Event::RollbackComplete {} => {
                if !self.rolling_back {
                    return broken(Law::Once, "no rollback is under way");
                }
                (self.active, self.rolling_back) = (false, false);
            }
            Event::RegionConfirmed { region, change } => {
                if !self
                    .confirmed
                    .insert((region.clone(), change.name(), self.weight))
                {
                    return broken(Law::Once, "the region has confirmed");
                }
            }
            Event::StepFailed { .. }
            | Event::Pause { .. }
            | Event::Resume {}
            | Event::AttachDriver {}
            | Event::DetachDriver { .. }
            | Event::PermissionDenied { .. } => {}
        }
        if record.canary_weight.percent() != self.weight {
            return broken(
                Law::Weights,
                "only the plan's values in order, or 0 by rollback",
            );
        }
        Ok(())
    }

    /// A keyed command takes effect once: all its records stand together.
    fn see_key(&mut self, record: &Record) -> Result<(), Broken> {
        let owner = record
            .idempotency_key
            .as_ref()
            .map(|key| (record.user.clone(), key.to_string()));
        // A rollback without hooks is two records; no other command brings about the second one.
        let second = matches!(record.event, Event::RollbackComplete {});
        if second && owner.is_some() && owner == self.last_keyed {
            return Ok(());
        }
        if let Some(owner) = &owner
            && !self.keyed.insert(owner.clone())
        {
            return Err((Law::Once, format!("{owner:?} took effect twice")));
        }
        self.last_keyed = owner;
        Ok(())
    }

    /// Whether a command is on record under this key.
    pub(crate) fn knows(&self, user: &str, key: &str) -> bool {
        self.keyed.contains(&(user.to_owned(), key.to_owned()))
    }

    fn judged(&self, step: u8) -> bool {
        self.passed.contains(&step) || self.tolerated.contains(&step)
    }
}

/// Which keys were used makes no difference to what may come, but for those that are asked again.
impl Hash for Seen {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.releases, self.active, self.rolling_back, self.weight).hash(state);
        (
            &self.entered,
            &self.passed,
            &self.tolerated,
            &self.confirmed,
        )
            .hash(state);
    }
}

fn weights(plan: &Plan) -> impl Iterator<Item = u8> {
    plan.weights.iter().copied().map(Weight::percent)
}
