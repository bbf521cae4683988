//! Two controllers, a person, crashes, lost answers, power losses and clock jumps: every interleaving of
//! them within a bound, through the production journal and machine, over the file and over a service.
//!
//! Each world is explored to its end, so the number of states is the same in every run. It is printed.

mod disk;
mod driver;
mod laws;
mod same;
mod service;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use halcyon_core::endpoint::Endpoint;
use halcyon_core::release::{Command, Outcome, Phase, Plan, Pools, RegionTarget, Weight};
use stateright::{Checker, Expectation, Model, Property};

use disk::Kill;
use driver::asked_for;
use laws::Law;
use service::{Kept, Unheard};
use world::{Budget, CLOCKS, World};

const BY_KEY: &str = "answered by its key";
const LOST_RACE: &str = "lost a race";
const CAME_LATE: &str = "came late and was taken";

/// Who does what next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    /// A controller reads what is new.
    Look(usize),
    /// It does in the world what its view asks for, with or without success.
    Do(usize, bool),
    /// It appends what it has done, on the head of its view; it may be killed meanwhile.
    Say(usize, Option<Kill>),
    /// It starts again, and remembers what it heard no answer to, or does not.
    Restart(usize, bool),
    /// It asks again, under the same key.
    AskAgain(usize),
    /// A person commands on the newest state; the answer may be lost.
    Tell(Word, Option<Kill>),
    /// A person commands on what they saw a record ago.
    TellStale(Word),
    /// The person asks again, under the same key.
    TellAgain,
    /// Somebody tries to promote who may not.
    Intrude,
    /// Power fails; what was not synced is lost, or is not.
    LosePower(bool),
    /// A swap whose sender is gone arrives.
    Arrive(usize),
    /// The clock goes elsewhere.
    Jump(usize),
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Word {
    Pause,
    Resume,
    Promote,
    RollBack,
}

impl Word {
    fn command(self) -> Command {
        match self {
            Word::Pause => Command::Pause {
                reason: "wait".into(),
            },
            Word::Resume => Command::Resume,
            Word::Promote => Command::PromoteGreen,
            Word::RollBack => Command::RollbackToBlue {
                reason: "enough".into(),
            },
        }
    }
}

/// A plan, and how much goes wrong while it is driven.
struct Bounds {
    name: &'static str,
    plan: Plan,
    budget: Budget,
    kept: Kept,
    /// How often a command was answered by its key, how often a compare-and-swap was lost, and how often one
    /// was taken when its sender was long gone.
    answered_by_key: AtomicUsize,
    lost_races: AtomicUsize,
    came_late: AtomicUsize,
}

/// Places at which a writer is killed: nothing written, a torn record, a whole one without its newline,
/// one that is visible and not durable, and one whose answer alone is lost.
fn kills(records: usize) -> Vec<Kill> {
    let first = [Kill::Before(0), Kill::HalfWay, Kill::Before(1)];
    let newlines = (1..=records).map(move |nth| Kill::Before(2 * nth + 1));
    let done = Kill::Before(2 * records + 2);
    first.into_iter().chain(newlines).chain([done]).collect()
}

/// What may become of a swap, with its sender or without.
fn unheard() -> Vec<Kill> {
    let sent = [Unheard::Lost, Unheard::Done, Unheard::Late].map(Kill::Sent);
    let lives = [Unheard::Lost, Unheard::Done, Unheard::Late].map(Kill::Unheard);
    sent.into_iter().chain(lives).collect()
}

impl Bounds {
    /// How many records a command brings about at most.
    fn records(&self, command: &Command) -> usize {
        let both = matches!(command, Command::RollbackToBlue { .. }) && self.plan.on_step.is_none();
        1 + usize::from(both)
    }

    fn kills(&self, command: &Command) -> Vec<Kill> {
        match self.kept {
            Kept::File(_) => kills(self.records(command)),
            Kept::Service => unheard(),
        }
    }

    /// What a controller may do now.
    fn turns(&self, world: &World, who: usize, actions: &mut Vec<Action>) {
        let controller = &world.controllers[who];
        let Some(journal) = &controller.journal else {
            actions.push(Action::Restart(who, false));
            if controller.unanswered.is_some() {
                actions.push(Action::Restart(who, true));
            }
            return;
        };
        if journal.head().seq != world.head() {
            actions.push(Action::Look(who));
        }
        if controller.unanswered.is_some() {
            actions.push(Action::AskAgain(who));
        } else if let Some(command) = &controller.doing {
            actions.push(Action::Say(who, None));
            if world.left.kills > 0 {
                let kills = self.kills(command).into_iter();
                actions.extend(kills.map(|kill| Action::Say(who, Some(kill))));
            }
        } else {
            let well = asked_for(journal.release(), &self.plan, true);
            let badly = asked_for(journal.release(), &self.plan, false);
            if well.is_some() {
                actions.push(Action::Do(who, true));
            }
            if badly != well && world.left.failures > 0 {
                actions.push(Action::Do(who, false));
            }
        }
    }

    /// Nothing is under way any more, or a person has to act.
    fn has_ended(&self, world: &World) -> bool {
        let release = world.release();
        let waits = release.paused().is_some();
        waits || (!release.under_way() && release.outcome().is_some())
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.budget, self.kept.clone())]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        (0..2).for_each(|who| self.turns(world, who, actions));
        if world.unanswered.is_some() {
            actions.push(Action::TellAgain);
        } else if world.left.words > 0 {
            for word in [Word::Pause, Word::Resume, Word::Promote, Word::RollBack] {
                actions.push(Action::Tell(word, None));
                if world.left.kills > 0 {
                    let kills = self.kills(&word.command()).into_iter();
                    actions.extend(kills.map(|kill| Action::Tell(word, Some(kill))));
                }
            }
            if world.head() > 0 {
                actions.push(Action::TellStale(Word::Promote));
                actions.push(Action::TellStale(Word::RollBack));
            }
        }
        if world.left.intrusions > 0 {
            actions.push(Action::Intrude);
        }
        if world.left.power_losses > 0 {
            actions.push(Action::LosePower(true));
            if world.disk.seen != world.disk.durable {
                actions.push(Action::LosePower(false));
            }
        }
        actions.extend((0..world.disk.late.len()).map(Action::Arrive));
        if world.left.jumps > 0 {
            let others = (0..CLOCKS.len()).filter(|clock| *clock != world.clock);
            actions.extend(others.map(Action::Jump));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        (next.answered_by_key, next.lost_the_race, next.arrived_late) = (false, false, false);
        match action {
            Action::Look(who) => next.look(who),
            Action::Do(who, well) => {
                let controller = &mut next.controllers[who];
                let journal = controller.journal.as_ref()?;
                controller.doing = asked_for(journal.release(), &self.plan, well);
                next.left.failures -= u8::from(!well);
            }
            Action::Say(who, kill) => {
                next.left.kills -= u8::from(kill.is_some());
                next.say(who, kill, &self.plan);
            }
            Action::Restart(who, remembers) => next.restart(who, remembers),
            Action::AskAgain(who) => next.ask_again(who),
            Action::Tell(word, kill) => {
                next.left.words -= 1;
                next.left.kills -= u8::from(kill.is_some());
                next.tell(word.command(), None, kill);
            }
            Action::TellStale(word) => {
                next.left.words -= 1;
                next.tell(word.command(), Some(world.head() - 1), None);
            }
            Action::TellAgain => next.tell_again(),
            Action::Intrude => {
                next.left.intrusions -= 1;
                next.intrude();
            }
            Action::LosePower(unsynced_lost) => {
                next.left.power_losses -= 1;
                next.lose_power(unsynced_lost);
            }
            Action::Arrive(nth) => next.arrive(nth),
            Action::Jump(clock) => {
                next.left.jumps -= 1;
                next.clock = clock;
            }
        }
        self.answered_by_key
            .fetch_add(next.answered_by_key.into(), Relaxed);
        self.lost_races
            .fetch_add(next.lost_the_race.into(), Relaxed);
        self.came_late.fetch_add(next.arrived_late.into(), Relaxed);
        if next.broken.is_none() {
            let mut turns = Vec::new();
            (0..2).for_each(|who| self.turns(&next, who, &mut turns));
            if turns.is_empty() && !self.has_ended(&next) {
                next.breaks(
                    Law::Progress,
                    "nobody has a turn, and it has not ended".into(),
                );
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn keeps(world: &World, law: Law) -> bool {
            world
                .broken
                .as_ref()
                .is_none_or(|(broken, _)| *broken != law)
        }
        macro_rules! always {
            ($name:literal, $law:ident) => {
                Property::always($name, |_, world| keeps(world, Law::$law))
            };
        }
        vec![
            always!(
                "the history is that of a serial run of the same commands",
                Serial
            ),
            always!("numbers are contiguous and the chain verifies", Chain),
            always!("the loser of a compare-and-swap writes nothing", Loser),
            always!(
                "what was acknowledged is in every later replay",
                Acknowledged
            ),
            always!("at most one release is active", OneRelease),
            always!(
                "weights are the plan's, in order, or 0 by rollback",
                Weights
            ),
            always!("nothing raises after a rollback began", RollbackHolds),
            always!("promoted by the plan: every step passed", Promotion),
            always!("no step is taken twice, and no keyed command", Once),
            always!("whoever may not release changes nothing", Roles),
            always!(
                "a run that stands still has ended, or waits for a person",
                Progress
            ),
            Property::sometimes("promoted", |_, world: &World| {
                world.release().outcome() == Some(&Outcome::Promoted)
            }),
            Property::sometimes("rolled back", |_, world: &World| {
                world.release().phase() == Phase::Idle
                    && matches!(world.release().outcome(), Some(Outcome::RolledBack(_)))
            }),
            Property::sometimes("waits for a person", |_, world: &World| {
                world.release().paused().is_some()
            }),
        ]
    }
}

fn plan(weights: &[i64], hook: bool, abort_on_err: bool) -> Plan {
    let url = Endpoint::parse("http://h:1").expect("it is an endpoint");
    Plan {
        weights: weights.iter().copied().filter_map(Weight::new).collect(),
        regions: vec![RegionTarget {
            name: "us-east".into(),
            url,
            named: true,
            pools: Pools::default(),
        }],
        bake_ms: 1000,
        abort_on_err,
        on_step: hook.then(|| "./shift".into()),
        on_step_dir: None,
        limits: None,
        by_server: false,
        deadline: None,
    }
}

/// Explores one world to its end. Answers with its states and what must be possible and was seen; none if
/// a law was broken.
fn explore(bounds: Bounds) -> Option<(usize, Vec<&'static str>)> {
    let name = bounds.name;
    let begin = Instant::now();
    let checker = bounds.checker().threads(1).spawn_bfs().join();
    let (answered, lost) = (
        checker.model().answered_by_key.load(Relaxed),
        checker.model().lost_races.load(Relaxed),
    );
    println!(
        "model {name}: {} states, {} with those met again, depth {}, {answered} answers by key, {lost} lost races, {} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begin.elapsed().as_secs()
    );
    let mut seen = Vec::new();
    seen.extend((answered > 0).then_some(BY_KEY));
    seen.extend((lost > 0).then_some(LOST_RACE));
    let late = checker.model().came_late.load(Relaxed);
    seen.extend((late > 0).then_some(CAME_LATE));
    for property in checker.model().properties() {
        let Some(path) = checker.discovery(property.name) else {
            continue;
        };
        if property.expectation == Expectation::Sometimes {
            seen.push(property.name);
            continue;
        }
        println!("model {name}: FAILED: {}", property.name);
        for (world, action) in path.into_vec() {
            if let Some((law, why)) = &world.broken {
                println!("    {law:?}: {why}");
            }
            if let Some(action) = action {
                println!("    {action:?}");
            }
        }
        return None;
    }
    Some((checker.unique_state_count(), seen))
}

fn bounds(name: &'static str, plan: Plan, budget: Budget) -> Bounds {
    Bounds {
        name,
        plan,
        budget,
        kept: Kept::in_a_file(),
        answered_by_key: AtomicUsize::new(0),
        lost_races: AtomicUsize::new(0),
        came_late: AtomicUsize::new(0),
    }
}

/// The same over a service.
fn over_a_service(bounds: Bounds) -> Bounds {
    Bounds {
        kept: Kept::Service,
        ..bounds
    }
}

fn worlds() -> [Bounds; 8] {
    let none = Budget::default();
    let steps = |kills, power_losses, jumps| Budget {
        kills,
        power_losses,
        jumps,
        ..none
    };
    let people = |kills, failures, words, intrusions| Budget {
        kills,
        failures,
        words,
        intrusions,
        ..none
    };
    [
        bounds("clock", plan(&[10, 100], false, true), steps(1, 0, 1)),
        bounds("power", plan(&[10, 100], false, true), steps(1, 1, 0)),
        bounds(
            "cut",
            plan(&[100], false, true),
            Budget {
                power_losses: 1,
                ..people(1, 0, 1, 0)
            },
        ),
        bounds("person", plan(&[10], false, true), people(1, 1, 1, 0)),
        bounds("people", plan(&[10], false, true), people(0, 0, 2, 1)),
        bounds("hook", plan(&[10], true, false), people(1, 1, 0, 0)),
        over_a_service(bounds(
            "service",
            plan(&[10, 100], false, true),
            steps(2, 0, 0),
        )),
        over_a_service(bounds(
            "service and person",
            plan(&[10], false, true),
            people(1, 1, 1, 0),
        )),
    ]
}

fn main() {
    // As with every other test, words on the command line choose by name.
    let words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let words: Vec<String> = words.collect();
    let chosen =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let (mut good, mut states) = (true, 0);
    let mut seen = BTreeSet::new();
    for bounds in worlds().into_iter().filter(|bounds| chosen(bounds.name)) {
        match explore(bounds) {
            Some((more, these)) => {
                states += more;
                seen.extend(these);
            }
            None => good = false,
        }
    }
    println!("model: {states} states in all");
    // A model in which nothing comes to a good end, or to a bad one, would keep every law.
    if words.is_empty() && good {
        for possible in [
            "promoted",
            "rolled back",
            "waits for a person",
            BY_KEY,
            LOST_RACE,
            CAME_LATE,
        ] {
            if !seen.contains(possible) {
                println!("model: FAILED: never seen: {possible}");
                good = false;
            }
        }
    }
    if !good {
        std::process::exit(1);
    }
}
