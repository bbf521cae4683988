//! The states of a small machine, found by asking everything of each.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use halcyon_core::endpoint::Endpoint;
use halcyon_core::release::{
    Action, Check, Command, Context, Event, Fact, Plan, Pools, RegionFailure, RegionTarget,
    Rejection, Release, Weight,
};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;

use crate::world::weight;

/// How long a step of every plan bakes.
const BAKE_MS: u64 = 1000;

/// The clock stands still: what the machine allows does not depend on it.
const NOW: Timestamp = Timestamp(1_759_397_400_000);

/// One event between two states, and the command that brought it about.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) command: &'static Command,
    pub(super) event: Event,
    pub(super) to: usize,
}

#[derive(Default)]
pub(super) struct Graph {
    pub(super) states: Vec<Release>,
    pub(super) edges: Vec<Edge>,
    /// The kinds of refusals met.
    pub(super) refusals: Vec<&'static str>,
    /// States by what is cheap to ask of them.
    places: BTreeMap<String, Vec<usize>>,
}

impl Graph {
    /// Every state that the commands lead to. A command that is two records is a state between them
    /// too, as a crash leaves it.
    pub(super) fn explore() -> Self {
        let mut graph = Self::default();
        graph.enter(Release::default());
        let mut next = 0;
        while next < graph.states.len() {
            for command in commands() {
                match decide(&graph.states[next], command, "Deployer", false) {
                    Err(refusal) => graph.refuse(&refusal),
                    Ok(events) => {
                        let mut from = next;
                        for event in events {
                            let after = fold(&graph.states[from], event.clone());
                            let to = graph.enter(after);
                            graph.edges.push(Edge {
                                from,
                                command,
                                event,
                                to,
                            });
                            from = to;
                        }
                    }
                }
            }
            next += 1;
        }
        graph
    }

    fn enter(&mut self, release: Release) -> usize {
        if let Some(place) = self.place(&release) {
            return place;
        }
        let place = self.states.len();
        self.places.entry(sum(&release)).or_default().push(place);
        self.states.push(release);
        place
    }

    pub(super) fn place(&self, release: &Release) -> Option<usize> {
        let alike = self.places.get(&sum(release))?;
        let mut alike = alike.iter().copied();
        alike.find(|place| self.states[*place] == *release)
    }

    fn refuse(&mut self, refusal: &Rejection) {
        let kind = match refusal {
            Rejection::Role { .. } => "role",
            Rejection::KillSwitch { .. } => "kill switch",
            Rejection::State { .. } => "state",
            Rejection::InvalidWeight { .. } => "invalid weight",
            Rejection::NotRising { .. } => "not rising",
            Rejection::NotInPlan { .. } => "not in plan",
            Rejection::NotYet { .. } => "not yet",
            Rejection::Invalid { .. } => "invalid",
            Rejection::KeyReused { .. } => unreachable!("no command here has a key"),
        };
        if !self.refusals.contains(&kind) {
            self.refusals.push(kind);
        }
    }
}

fn sum(release: &Release) -> String {
    let plan = release.plan();
    let plan = plan.map(|plan| (plan.abort_on_err, plan.on_step.is_some()));
    let open: Vec<&str> = release
        .unconfirmed()
        .map(|region| region.name.as_str())
        .collect();
    let images = (release.blue_image(), release.green_image());
    let judged = weights().map(|step| release.passed(step));
    let steady = (release.phase().name(), release.weight().percent(), plan);
    let moving = (release.paused(), release.outcome().is_some(), open, judged);
    format!("{steady:?} {moving:?} {images:?} {:?}", release.id())
}

/// The id a release begun now gets: never that of the one before.
fn next_id(release: &Release) -> &'static str {
    match release.id() {
        Some("r1") => "r2",
        _ => "r1",
    }
}

pub(super) fn decide(
    release: &Release,
    command: &Command,
    role: &str,
    kill_switch: bool,
) -> Result<Vec<Event>, Rejection> {
    let actor = actor(role);
    let context = Context {
        actor: &actor,
        kill_switch,
        new_release_id: next_id(release),
    };
    release.decide(command, &context)
}

pub(super) fn denial(release: &Release, command: &Command, role: &str) -> Option<Event> {
    let actor = actor(role);
    let context = Context {
        actor: &actor,
        kill_switch: false,
        new_release_id: next_id(release),
    };
    release.denial(command, &context, NOW)
}

fn actor(role: &str) -> Actor {
    Actor {
        user: "ann".into(),
        role: role.into(),
    }
}

pub(super) fn fold(release: &Release, event: Event) -> Release {
    let actor = actor("Deployer");
    let context = Context {
        actor: &actor,
        kill_switch: false,
        new_release_id: next_id(release),
    };
    let release_id = release.release_id_of(&event, &context);
    let mut after = release.clone();
    after.evolve(&Fact {
        at: NOW,
        release_id,
        event,
    });
    after
}

/// Two regions and the steps 10 and 100; every way to fail and to change a region.
fn plan(abort_on_err: bool, hook: bool) -> Plan {
    let target = |name: &str| RegionTarget {
        name: name.into(),
        url: Endpoint::parse("http://h:1").unwrap(),
        named: true,
        pools: Pools::default(),
    };
    Plan {
        weights: vec![weight(10), weight(100)],
        regions: vec![target("us-east"), target("us-west")],
        bake_ms: BAKE_MS,
        abort_on_err,
        on_step: hook.then(|| "./shift".into()),
        on_step_dir: None,
        limits: None,
        by_server: false,
        deadline: None,
    }
}

/// The weights that are asked for, beside two that are none.
pub(super) fn weights() -> [Weight; 4] {
    [0, 10, 50, 100].map(weight)
}

pub(super) fn rollback() -> Command {
    Command::RollbackToBlue {
        reason: "sick".into(),
    }
}

pub(super) fn fail(weight: Weight, check: Check, region: &str) -> Command {
    let failures = vec![RegionFailure {
        region: region.into(),
        why: "status 503".into(),
    }];
    Command::FailStep {
        weight,
        check,
        failures,
    }
}

/// Everything that is asked of every state.
pub(super) fn commands() -> &'static [Command] {
    static COMMANDS: OnceLock<Vec<Command>> = OnceLock::new();
    COMMANDS.get_or_init(|| {
        let mut all = vec![
            Command::PromoteGreen,
            rollback(),
            Command::Pause {
                reason: "wait".into(),
            },
            Command::Resume,
            Command::FinishPlan,
            Command::CompleteRollback,
            Command::AttachDriver,
            Command::DetachDriver {
                reason: "gone".into(),
            },
        ];
        let plans = [(true, true), (true, false), (false, true), (false, false)];
        let plans = plans.map(|(abort, hook)| Some(plan(abort, hook)));
        for plan in plans.into_iter().chain([None]) {
            for (image, blue_image) in [("v2", Some("v1")), ("v3", None), ("", None)] {
                all.push(Command::ProvisionGreen {
                    image: image.into(),
                    blue_image: blue_image.map(String::from),
                    plan: plan.clone(),
                });
            }
        }
        for weight in [-1, 0, 10, 50, 100, 101] {
            all.push(Command::StartCanary { weight });
            all.push(Command::IncreaseWeight { weight });
        }
        for region in ["us-east", "us-west", "mars"] {
            let changes = [
                Action::ProvisionGreen,
                Action::StartCanary,
                Action::IncreaseWeight,
                Action::PromoteGreen,
                Action::RollbackToBlue,
            ];
            all.extend(changes.map(|change| Command::ConfirmRegion {
                region: region.into(),
                change,
            }));
        }
        for step in weights() {
            for (baked_ms, rounds) in [(BAKE_MS, 1), (BAKE_MS - 1, 1), (BAKE_MS, 0)] {
                all.push(Command::PassStep {
                    weight: step,
                    baked_ms,
                    rounds,
                    traffic: None,
                });
            }
            for check in [Check::Smoke, Check::Hook, Check::Bake] {
                all.extend(["us-east", "us-west"].map(|region| fail(step, check, region)));
            }
        }
        all
    })
}
