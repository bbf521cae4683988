//! Every interleaving of a few writers: each waits for its turn before every step, and who has it is chosen
//! anew in each run until every choice has been made.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What was chosen in this run, and what is left to choose in later ones.
#[derive(Default)]
pub(super) struct Choices {
    /// Each with how many there were to choose from.
    made: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    pub(super) fn among(&mut self, options: usize) -> usize {
        if options < 2 {
            return 0;
        }
        if self.at == self.made.len() {
            self.made.push((0, options));
        }
        self.at += 1;
        self.made[self.at - 1].0
    }

    /// Another run, unless all have been.
    fn again(&mut self) -> bool {
        self.at = 0;
        while let Some((chosen, options)) = self.made.pop() {
            if chosen + 1 < options {
                self.made.push((chosen + 1, options));
                return true;
            }
        }
        false
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    Busy,
    Waits { for_lock: bool },
    Done,
}

struct Table<W> {
    world: W,
    choices: Choices,
    writers: Vec<Writer>,
    turn: Option<usize>,
    locked: bool,
}

/// One run: a world, and the writers in it.
pub(super) struct Turns<W> {
    table: Mutex<Table<W>>,
    called: Condvar,
}

impl<W: Send> Turns<W> {
    /// Runs `work` for each of so many writers, in every order of their steps; `check` looks at the world
    /// after each run. Says how many runs there were.
    pub(super) fn every_order<T: Send>(
        writers: usize,
        world: impl Fn() -> W,
        work: impl Fn(Arc<Turns<W>>, usize) -> T + Sync,
        mut check: impl FnMut(W, Vec<T>),
    ) -> usize {
        let (mut choices, mut runs) = (Choices::default(), 0);
        loop {
            let table = Table {
                world: world(),
                choices,
                writers: vec![Writer::Busy; writers],
                turn: None,
                locked: false,
            };
            let turns = Arc::new(Turns {
                table: Mutex::new(table),
                called: Condvar::new(),
            });
            let done = std::thread::scope(|scope| {
                let (turns, work) = (&turns, &work);
                let one = |who| {
                    scope.spawn(move || {
                        let _leaves = Leaves { turns, who };
                        work(Arc::clone(turns), who)
                    })
                };
                let all: Vec<_> = (0..writers).map(one).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let turns = Arc::into_inner(turns).unwrap();
            let table = turns.table.into_inner().unwrap();
            choices = table.choices;
            check(table.world, done);
            runs += 1;
            if !choices.again() {
                return runs;
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<W>> {
        self.table.lock().unwrap()
    }

    fn has_turn(&self, who: usize, for_lock: bool) -> MutexGuard<'_, Table<W>> {
        let mut table = self.table();
        table.writers[who] = Writer::Waits { for_lock };
        table.call();
        self.called.notify_all();
        while table.turn != Some(who) {
            table = self.called.wait(table).unwrap();
        }
        table.turn = None;
        table.writers[who] = Writer::Busy;
        table
    }

    /// Does something in the world when it is this writer's turn.
    pub(super) fn step<T>(&self, who: usize, work: impl FnOnce(&mut W, &mut Choices) -> T) -> T {
        let mut table = self.has_turn(who, false);
        let table = &mut *table;
        work(&mut table.world, &mut table.choices)
    }

    pub(super) fn lock(&self, who: usize) {
        self.has_turn(who, true).locked = true;
    }

    pub(super) fn unlock(&self) {
        self.table().locked = false;
    }
}

impl<W> Table<W> {
    /// Gives the turn to somebody who can take it, when all have come to where they wait for it.
    fn call(&mut self) {
        if self.turn.is_some() || self.writers.contains(&Writer::Busy) {
            return;
        }
        let ready = |writer: &Writer| match writer {
            Writer::Waits { for_lock } => !(*for_lock && self.locked),
            Writer::Busy | Writer::Done => false,
        };
        let writers = self.writers.iter().enumerate();
        let ready: Vec<usize> = writers.filter(|(_, it)| ready(it)).map(|it| it.0).collect();
        if !ready.is_empty() {
            self.turn = Some(ready[self.choices.among(ready.len())]);
        }
    }
}

/// A writer that is done, or has panicked, takes no turn any more.
struct Leaves<'t, W: Send> {
    turns: &'t Turns<W>,
    who: usize,
}

impl<W: Send> Drop for Leaves<'_, W> {
    fn drop(&mut self) {
        if let Ok(mut table) = self.turns.table.lock() {
            table.writers[self.who] = Writer::Done;
            table.call();
        }
        self.turns.called.notify_all();
    }
}
