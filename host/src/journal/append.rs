//! Appending: decided on the newest state, swapped in on its head, durable before it returns.

use std::ops::RangeInclusive;

use halcyon_core::ledger::{Key, Keyed, Ledger, Record};
use halcyon_core::release::{Command, Context, Event, Rejection};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;

use super::store::{Mark, NotSwapped, Origin, Store};
use super::{Entry, Journal, JournalError};

/// How often others may be quicker than one append. Each time another one has come through.
const RACES: usize = 1000;

/// How often lines are swapped in of which nobody says whether they were.
const TRIES: usize = 3;

/// What becomes of a command on the state as it is.
struct Verdict {
    answer: Answer,
    /// What is put on record, each with the release it belongs to.
    events: Vec<(Event, Option<String>)>,
}

/// What reading back has shown of lines.
enum Outcome {
    Swapped(Option<Origin>),
    /// Something else stands in their place, so they never will.
    Lost,
    /// Nothing does: they may still come.
    Open,
}

enum Answer {
    /// What it brings about.
    Done,
    /// What it has brought about before.
    OnRecord(RangeInclusive<u64>),
    Refused(Rejection),
}

impl<S: Store> Journal<S> {
    /// Decides `command` on the newest state and appends what it brings about, durably, before it
    /// returns. With `expected_seq` it does so only if nobody else has appended since.
    ///
    /// A refusal for the role is itself recorded, at most once a second for a user.
    ///
    /// # Errors
    /// [`JournalError::Refused`] when the machine refuses, [`JournalError::Moved`] when the head is not
    /// the expected one, [`JournalError::Full`] when the disk is full (nothing was written),
    /// [`JournalError::Io`] for anything else; after a failed write or fsync this journal writes no more.
    /// Whether it is on record after that only another look tells, as it does under a key.
    pub fn append(
        &mut self,
        command: &Command,
        context: &Context<'_>,
        expected_seq: Option<u64>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        self.append_keyed(command, context, None, expected_seq, now)
    }

    /// The same for a command that may have been given before: under a key, it takes effect at most
    /// once. If this command of this user is on record under this key, its records are answered and
    /// nothing is appended, wherever the head is by now.
    ///
    /// # Errors
    /// As [`Journal::append`]; refused when the key stands for another command of this user.
    pub fn append_keyed(
        &mut self,
        command: &Command,
        context: &Context<'_>,
        key: Option<&Key>,
        expected_seq: Option<u64>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        self.missed.clear();
        for _ in 0..RACES {
            let news = self.refresh()?;
            self.missed.extend(news);
            let Verdict { answer, events } =
                self.judge(command, context, key, expected_seq, now)?;
            let keyed = match answer {
                Answer::Done => key.map(|key| Keyed::new(key, command)),
                Answer::OnRecord(_) | Answer::Refused(_) => None,
            };
            let leaves_none = events.is_empty();
            // An answer that leaves no record is for good too: it is a swap of nothing.
            let written = match (
                self.swap(events, context.actor, keyed.as_ref(), now),
                &answer,
            ) {
                (Ok(Some(written)), _) => written,
                (Ok(None), _) => continue,
                // Whoever is refused learns that, also where it cannot be put on record.
                (Err(why), Answer::Refused(_)) => {
                    // Most refusals leave none anyway.
                    self.unrecorded = (!leaves_none).then_some(why);
                    Vec::new()
                }
                (Err(why), _) => return Err(why),
            };
            return match answer {
                Answer::Done => Ok(written),
                Answer::OnRecord(records) => self.records(records),
                Answer::Refused(why) => {
                    self.denial = written.into_iter().next_back();
                    Err(JournalError::Refused(why))
                }
            };
        }
        Err(self.error("append to", "others were quicker again and again"))
    }

    /// What others appended before the last [`append`](Journal::append) of this process, and no
    /// [`refresh`](Journal::refresh) has returned.
    pub fn take_missed(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.missed)
    }

    fn judge(
        &self,
        command: &Command,
        context: &Context<'_>,
        key: Option<&Key>,
        expected_seq: Option<u64>,
        now: Timestamp,
    ) -> Result<Verdict, JournalError> {
        let release = self.release();
        let refused = |why| {
            let denial = release.denial(command, context, now);
            let denial = denial.map(|event| (event, release.id().map(str::to_owned)));
            Verdict {
                answer: Answer::Refused(why),
                events: denial.into_iter().collect(),
            }
        };
        match key.map(|key| self.ledger().recall(key, command, context)) {
            Some(Ok(Some(records))) => {
                return Ok(Verdict {
                    answer: Answer::OnRecord(records),
                    events: Vec::new(),
                });
            }
            Some(Err(why)) => return Ok(refused(why)),
            Some(Ok(None)) | None => {}
        }
        if expected_seq.is_some_and(|seq| seq != self.head().seq) {
            return Err(JournalError::Moved);
        }
        let events = match release.decide(command, context) {
            Ok(events) => events,
            Err(why) => return Ok(refused(why)),
        };
        let of_release = |event| {
            let id = release.release_id_of(&event, context);
            (event, id)
        };
        Ok(Verdict {
            answer: Answer::Done,
            events: events.into_iter().map(of_release).collect(),
        })
    }

    /// Puts events on record behind the last one that was read; none if something else stands there.
    fn swap(
        &mut self,
        events: Vec<(Event, Option<String>)>,
        actor: &Actor,
        keyed: Option<&Keyed>,
        now: Timestamp,
    ) -> Result<Option<Vec<Entry>>, JournalError> {
        let expected = self.chain.mark();
        let torn = Some(expected.torn).filter(|torn| *torn > 0);
        let mut next = self.ledger().clone();
        let lines = next.write_keyed(events, actor, keyed, torn, now);
        let mut unknown = None;
        for _ in 0..TRIES {
            match (self.store.swap(&expected, &lines), &unknown) {
                (Ok(origin), _) => return Ok(Some(self.wrote(next, &lines, origin))),
                (Err(NotSwapped::Unknown { why }), _) => unknown = Some(why),
                (Err(NotSwapped::Moved), None) => return Ok(None),
                (Err(NotSwapped::Failed(why)), None) => return Err(why),
                // What an earlier try has done is still to be found out.
                (Err(NotSwapped::Moved | NotSwapped::Failed(_)), Some(_)) => {}
            }
            // The same lines again are no second append: of the two at most one finds the head they expect.
            match self.read_back(&expected, &lines) {
                Ok(Outcome::Swapped(origin)) => {
                    let entries = self.wrote(next, &lines, origin);
                    self.store.make_durable(&self.chain.mark())?;
                    return Ok(Some(entries));
                }
                Ok(Outcome::Lost) => return Ok(None),
                Ok(Outcome::Open) => {}
                Err(why) => unknown = Some(why.to_string()),
            }
        }
        let why = unknown.unwrap_or_default();
        Err(self.error("learn what became of a write to", &why))
    }

    /// Whether lines are on record of which their swap did not say so.
    fn read_back(&mut self, expected: &Mark, lines: &str) -> Result<Outcome, JournalError> {
        let Some(found) = self.store.read(expected)? else {
            return Ok(Outcome::Lost);
        };
        if found.lines.is_empty() {
            return Ok(Outcome::Open);
        }
        // They end in their hashes: whoever wrote the same bytes has said the same.
        match !lines.is_empty() && found.lines.starts_with(lines.as_bytes()) {
            true => Ok(Outcome::Swapped(found.origin)),
            false => Ok(Outcome::Lost),
        }
    }

    /// Takes in what this process has put on record. What others may have put behind it is for the next look.
    fn wrote(&mut self, next: Ledger, lines: &str, origin: Option<Origin>) -> Vec<Entry> {
        let entries = lines.lines().map(|line| Entry {
            record: serde_json::from_str(line)
                .expect("a line this process has just written reads back"),
            line: line.to_owned(),
        });
        let entries: Vec<Entry> = entries.collect();
        if !entries.is_empty() {
            self.chain.append(next, &entries, origin);
            self.acknowledged = Some(self.head().clone());
        }
        entries
    }

    /// Records that this process has verified before, read again.
    fn records(&mut self, seqs: RangeInclusive<u64>) -> Result<Vec<Entry>, JournalError> {
        let before = seqs.start().saturating_sub(1);
        let most = usize::try_from(seqs.end() - before).unwrap_or(usize::MAX);
        let bytes = self.store.read_again(&self.chain.span(before, most))?;
        let lines = bytes.split(|byte| *byte == b'\n').zip(seqs);
        let entries = lines.map(|(line, seq)| {
            let record = Record::read(line);
            Ok(Entry {
                record: record.map_err(|why| self.corrupt(&format!("record {seq}: {why}")))?,
                line: String::from_utf8_lossy(line).into_owned(),
            })
        });
        entries.collect()
    }
}
