//! Random commands, actors and plans, and a journal that keeps what came of them.

use halcyon_core::endpoint::Endpoint;
use halcyon_core::ledger::Ledger;
use halcyon_core::release::{
    Action, Check, Command, Context, Event, Fact, LEAST_REQUESTS, Limits, Phase, Plan, Pools,
    RegionFailure, RegionTarget, Rejection, Release, Step, Traffic, Weight,
};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;
use proptest::prelude::*;

pub(crate) const REGIONS: [&str; 3] = ["us-east", "us-west", "eu-west"];

pub(crate) fn weight(percent: u8) -> Weight {
    Weight::new(percent.into()).unwrap()
}

/// Something that happens: a command of anybody's, whatever the machine asks its driver for, or what was
/// said last, said again.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    Give(Box<Command>),
    Follow,
    Again,
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let weights = proptest::collection::btree_set(0_u8..=100, 1..5);
    let regions = proptest::sample::subsequence(REGIONS.to_vec(), 1..=3);
    let limits = proptest::option::weighted(0.3, (1_u64..200_000, 1_u64..1000));
    (
        weights,
        regions,
        0_u64..3,
        any::<bool>(),
        any::<bool>(),
        limits,
    )
        .prop_map(|(weights, regions, bake, abort_on_err, hook, limits)| {
            let limits = limits.filter(|_| weights.last() > Some(&0));
            Plan {
                weights: weights.into_iter().map(weight).collect(),
                regions: regions
                    .into_iter()
                    .map(|name| RegionTarget {
                        name: name.into(),
                        url: Endpoint::parse("http://h:1").unwrap(),
                        named: true,
                        pools: Pools::default(),
                    })
                    .collect(),
                bake_ms: bake * 1000,
                abort_on_err: abort_on_err || limits.is_some(),
                on_step: hook.then(|| "./shift".into()),
                on_step_dir: None,
                limits: limits.map(|(errors, p95)| Limits {
                    max_errors_ppm: Some(errors),
                    max_p95_ms: (p95 % 2 == 0).then_some(p95),
                }),
                by_server: false,
                deadline: None,
            }
        })
}

fn traffic() -> impl Strategy<Value = Traffic> {
    (0_u64..60, 0_u64..4, 0_u64..4).prop_map(|(requests, errors, slow)| Traffic {
        requests,
        errors: errors.min(requests),
        slow: slow.min(requests),
    })
}

/// Traffic that keeps to any limits.
pub(crate) fn clean(plan: Option<&Plan>) -> Option<Traffic> {
    plan?.limits.map(|_| Traffic {
        requests: LEAST_REQUESTS,
        ..Traffic::default()
    })
}

pub(crate) fn commands() -> impl Strategy<Value = Command> {
    let action = prop_oneof![
        Just(Action::ProvisionGreen),
        Just(Action::StartCanary),
        Just(Action::IncreaseWeight),
        Just(Action::PromoteGreen),
        Just(Action::RollbackToBlue),
    ];
    let check = prop_oneof![Just(Check::Smoke), Just(Check::Hook), Just(Check::Bake)];
    let region = proptest::sample::select(vec!["us-east", "us-west", "eu-west", "mars"])
        .prop_map(String::from);
    let failures = |region: String| {
        vec![RegionFailure {
            region,
            why: "status 503".into(),
        }]
    };
    prop_oneof![
        3 => ("v[0-9]", proptest::option::of("v[0-9]"), proptest::option::of(plans()))
            .prop_map(|(image, blue_image, plan)| Command::ProvisionGreen { image, blue_image, plan }),
        1 => (-10_i64..120).prop_map(|weight| Command::StartCanary { weight }),
        2 => (-10_i64..120).prop_map(|weight| Command::IncreaseWeight { weight }),
        1 => Just(Command::PromoteGreen),
        1 => any::<String>().prop_map(|reason| Command::RollbackToBlue { reason }),
        1 => any::<String>().prop_map(|reason| Command::Pause { reason }),
        2 => Just(Command::Resume),
        1 => Just(Command::FinishPlan),
        1 => (region.clone(), action).prop_map(|(region, change)| Command::ConfirmRegion { region, change }),
        1 => (0_u8..=100, 0_u64..3000, 0_u64..3, proptest::option::of(traffic()))
            .prop_map(|(percent, baked_ms, rounds, traffic)| Command::PassStep { weight: weight(percent), baked_ms, rounds, traffic }),
        1 => (0_u8..=100, check, region).prop_map(move |(percent, check, region)| {
            Command::FailStep { weight: weight(percent), check, failures: failures(region) }
        }),
        1 => Just(Command::CompleteRollback),
        1 => Just(Command::AttachDriver),
        1 => any::<String>().prop_map(|reason| Command::DetachDriver { reason }),
    ]
}

pub(crate) fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![2 => commands().prop_map(|command| Move::Give(Box::new(command))), 4 => Just(Move::Follow), 1 => Just(Move::Again)]
}

pub(crate) fn actors() -> impl Strategy<Value = Actor> {
    let role = prop_oneof![8 => Just("Deployer"), 4 => Just("Admin"), 1 => Just("Viewer"), 1 => Just(""), 1 => Just("deployer")];
    ("[a-c]", role).prop_map(|(user, role)| Actor {
        user,
        role: role.into(),
    })
}

/// A step of a history: who, under which switch, how much later, and what.
pub(crate) type Turn = (Actor, bool, i64, Move);

pub(crate) fn histories(longest: usize) -> impl Strategy<Value = Vec<Turn>> {
    let switch = proptest::bool::weighted(0.1);
    proptest::collection::vec((actors(), switch, -2000_i64..5000, moves()), 0..longest)
}

/// What the machine asks its driver for next, as the command that says it is done.
pub(crate) fn followed(release: &Release) -> Option<Command> {
    Some(match release.next_step() {
        Step::Rest | Step::Hold => return None,
        Step::Apply(apply) => Command::ConfirmRegion {
            region: apply.regions[0].name.clone(),
            change: apply.action,
        },
        Step::Enter { weight } => enter(release, weight),
        Step::Bake { weight, .. } => Command::PassStep {
            weight,
            baked_ms: release.plan().map_or(0, |plan| plan.bake_ms),
            rounds: 1,
            traffic: clean(release.plan()),
        },
        Step::Finish => Command::FinishPlan,
        Step::CompleteRollback => Command::CompleteRollback,
    })
}

pub(crate) fn enter(release: &Release, weight: Weight) -> Command {
    let weight = weight.percent().into();
    match release.phase() {
        Phase::GreenProvisioned => Command::StartCanary { weight },
        _ => Command::IncreaseWeight { weight },
    }
}

/// A machine with its journal.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) journal: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) now: Timestamp,
    pub(crate) releases: u32,
    last: Option<Command>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            journal: String::new(),
            facts: Vec::new(),
            now: Timestamp(1_759_397_400_000),
            releases: 0,
            last: None,
        }
    }
}

impl World {
    pub(crate) fn release(&self) -> &Release {
        self.ledger.release()
    }

    /// Gives a command and writes what it brings about; a refusal for the role is written too.
    pub(crate) fn give(
        &mut self,
        actor: &Actor,
        kill_switch: bool,
        command: &Command,
    ) -> Result<Vec<Event>, Rejection> {
        let id = format!("r{}", self.releases);
        let context = Context {
            actor,
            kill_switch,
            new_release_id: &id,
        };
        let result = self.release().decide(command, &context);
        let events = match &result {
            Ok(events) => events.clone(),
            Err(_) => self
                .release()
                .denial(command, &context, self.now)
                .into_iter()
                .collect(),
        };
        let events: Vec<_> = events
            .into_iter()
            .map(|event| {
                (
                    event.clone(),
                    self.release().release_id_of(&event, &context),
                )
            })
            .collect();
        for (event, release_id) in &events {
            self.releases += u32::from(matches!(event, Event::ProvisionGreen { .. }));
            self.facts.push(Fact {
                at: self.now,
                release_id: release_id.clone(),
                event: event.clone(),
            });
        }
        self.journal
            .push_str(&self.ledger.write(events, actor, None, self.now));
        result
    }

    /// Plays one turn. `None` where there was nothing to follow.
    pub(crate) fn play(
        &mut self,
        (actor, kill_switch, later, what): &Turn,
    ) -> Option<(Command, Result<Vec<Event>, Rejection>)> {
        self.now = Timestamp(self.now.0.saturating_add_signed(*later));
        let command = match what {
            Move::Give(command) => (**command).clone(),
            Move::Follow => followed(self.release())?,
            Move::Again => self.last.clone()?,
        };
        self.last = Some(command.clone());
        let result = self.give(actor, *kill_switch, &command);
        Some((command, result))
    }
}
