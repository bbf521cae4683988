//! A second store: a log in memory that several journals share, as a service on other machines keeps one.
//! An answer may be lost, a write may come late, and the service may be away.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use halcyon_core::ledger::Head;

use super::super::{Found, JournalError, Mark, NotSwapped, Origin, Span, Store};

/// What all of them see: whole lines, durable as soon as they are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) lines: Vec<String>,
    /// Writes under way of which nobody waits for the answer any more.
    late: Vec<(Head, String)>,
}

impl Log {
    pub(super) fn holding(text: &str) -> Self {
        Self {
            lines: text.split_inclusive('\n').map(str::to_owned).collect(),
            late: Vec::new(),
        }
    }

    pub(super) fn text(&self) -> String {
        self.lines.concat()
    }

    pub(super) fn read(&self, known: &Mark) -> Option<Found> {
        let (before, behind) = self.lines.split_at_checked(known.head.seq as usize)?;
        let same = before.last().is_none_or(|line| ends_in(line, &known.head));
        same.then(|| Found {
            lines: behind.concat().into_bytes(),
            torn: 0,
            origin: Some((7, 7)),
        })
    }

    /// Says whether they were taken.
    pub(super) fn swap(&mut self, expected: &Head, lines: &str) -> bool {
        let last = self.lines.last();
        let same = self.lines.len() as u64 == expected.seq
            && last.is_none_or(|line| ends_in(line, expected));
        if same {
            let lines = lines.split_inclusive('\n').map(str::to_owned);
            self.lines.extend(lines);
        }
        same
    }

    pub(super) fn is_late(&mut self, expected: &Head, lines: &str) {
        self.late.push((expected.clone(), lines.to_owned()));
    }

    /// What is under way arrives, if it may: its head is compared like any other's.
    pub(super) fn let_arrive(&mut self) {
        for (expected, lines) in std::mem::take(&mut self.late) {
            self.swap(&expected, &lines);
        }
    }

    pub(super) fn awaits(&self) -> bool {
        !self.late.is_empty()
    }
}

fn ends_in(line: &str, head: &Head) -> bool {
    line.ends_with(&format!("{}\"}}\n", head.hash))
}

/// What becomes of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// It is done, and nobody says so.
    DoneUnheard,
    /// It is lost on its way.
    Lost,
    /// It is under way for longer than anybody waits.
    Late,
}

impl Fate {
    /// A swap with this fate.
    pub(super) fn befall(
        self,
        log: &mut Log,
        expected: &Mark,
        lines: &str,
    ) -> Result<Option<Origin>, NotSwapped> {
        match self {
            Fate::Answered => {
                let taken = log.swap(&expected.head, lines);
                return taken.then_some(Some((7, 7))).ok_or(NotSwapped::Moved);
            }
            Fate::DoneUnheard => drop(log.swap(&expected.head, lines)),
            Fate::Late => log.is_late(&expected.head, lines),
            Fate::Lost => {}
        }
        Err(NotSwapped::Unknown {
            why: "no answer".into(),
        })
    }
}

pub(super) fn away() -> JournalError {
    JournalError::Io {
        doing: "reach",
        path: "shared".into(),
        why: "nobody is there".into(),
    }
}

pub(super) fn lines_of(log: &Log, span: &Span) -> Vec<u8> {
    let records = span.records.start as usize - 1..span.records.end as usize - 1;
    let lines = log.lines.get(records).unwrap_or_default();
    lines.concat().into_bytes()
}

/// A way to the log. Every clone leads to the same one.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    pub(super) log: Log,
    /// What becomes of the next swaps; later ones are answered.
    pub(super) fates: VecDeque<Fate>,
    pub(super) swaps: usize,
    pub(super) away: bool,
    /// Somebody else comes before the next swap.
    before: Option<Box<dyn FnOnce() + Send>>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn text(&self) -> String {
        self.state().log.text()
    }

    pub(super) fn before_the_next_swap(&self, work: impl FnOnce() + Send + 'static) {
        self.state().before = Some(Box::new(work));
    }

    fn reached(&self) -> Result<MutexGuard<'_, State>, JournalError> {
        let state = self.state();
        match state.away {
            true => Err(away()),
            false => Ok(state),
        }
    }
}

impl Store for Shared {
    fn read(&mut self, known: &Mark) -> Result<Option<Found>, JournalError> {
        Ok(self.reached()?.log.read(known))
    }

    fn read_again(&mut self, span: &Span) -> Result<Vec<u8>, JournalError> {
        Ok(lines_of(&self.reached()?.log, span))
    }

    fn make_durable(&mut self, _: &Mark) -> Result<(), JournalError> {
        Ok(())
    }

    fn swap(&mut self, expected: &Mark, lines: &str) -> Result<Option<Origin>, NotSwapped> {
        let before = self.state().before.take();
        if let Some(before) = before {
            before();
        }
        let mut state = self.reached()?;
        state.swaps += 1;
        let fate = state.fates.pop_front().unwrap_or(Fate::Answered);
        fate.befall(&mut state.log, expected, lines)
    }

    fn place(&self) -> String {
        "shared".into()
    }
}
