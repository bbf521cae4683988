//! Writers in every interleaving of their steps, over a store that is no file and over the file.

mod file;
mod service;

use super::turns::Turns;
use super::*;

/// A command, and whether it is given under a key and for the head that was seen.
#[derive(Clone)]
struct Asked {
    command: Command,
    key: Option<&'static str>,
    expects: bool,
}

impl Asked {
    fn plain(command: Command) -> Self {
        Self {
            command,
            key: None,
            expects: false,
        }
    }

    fn under(key: &'static str, command: Command) -> Self {
        Self {
            key: Some(key),
            ..Self::plain(command)
        }
    }

    fn expecting(command: Command) -> Self {
        Self {
            expects: true,
            ..Self::plain(command)
        }
    }

    fn give<S: Store>(
        &self,
        journal: &mut Journal<S>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        let actor = Actor {
            user: "ann".into(),
            role: "Deployer".into(),
        };
        let context = Context {
            actor: &actor,
            kill_switch: false,
            new_release_id: "20260101-1200",
        };
        let expected = self.expects.then(|| journal.head().seq);
        let key = self.key.map(|key| Key::parse(key).unwrap());
        journal.append_keyed(&self.command, &context, key.as_ref(), expected, now)
    }
}

fn pause(reason: &str) -> Command {
    Command::Pause {
        reason: reason.into(),
    }
}

fn back(reason: &str) -> Command {
    Command::RollbackToBlue {
        reason: reason.into(),
    }
}

/// What each writer gives, one after the other.
type Scripts = Vec<Vec<Asked>>;

/// What each was told.
type Told = Vec<(Asked, Result<Vec<Entry>, JournalError>)>;

/// What is on record is what the same commands bring about one after the other, in the order in which they
/// are on record, and everybody was told what is so.
fn assert_serial(text: &str, told: &[Told]) {
    let mut done = Vec::new();
    for told in told {
        let first = |told: &Result<Vec<Entry>, JournalError>| {
            let entries = told.as_ref().ok()?;
            entries.first().map(|entry| entry.record.seq)
        };
        let own = told
            .iter()
            .filter_map(|(asked, told)| Some((first(told)?, asked, told.clone().ok()?)));
        let own: Vec<_> = own.collect();
        assert!(own.is_sorted_by_key(|(seq, ..)| *seq), "{text}");
        done.extend(own);
    }
    done.sort_by_key(|(seq, ..)| *seq);
    let alone = Bench::holding(1);
    for (seq, asked, told) in done {
        let now = told[0].record.timestamp;
        let serial = asked.give(&mut alone.journal(), now).unwrap();
        let lines = |entries: &[Entry]| -> Vec<String> {
            entries.iter().map(|entry| entry.line.clone()).collect()
        };
        assert_eq!(lines(&serial), lines(&told), "record {seq} of {text}");
    }
    let serial = alone.disk.bytes();
    assert_eq!(serial, text.as_bytes(), "nothing else is on record");
    for (asked, told) in told.iter().flatten() {
        let told = match told {
            Ok(entries) if entries.is_empty() => None,
            Err(JournalError::Refused(why)) => Some(why),
            // Something else was true of the head, or of the disk.
            Ok(_) | Err(_) => continue,
        };
        // It was so after some record.
        let mut moments = text.match_indices('\n').map(|(at, _)| at + 1);
        let holds = moments.any(|end| {
            alone.disk.set(&text.as_bytes()[..end]);
            let mut journal = alone.journal();
            match asked.give(&mut journal, NOON) {
                Ok(entries) => told.is_none() && entries.is_empty(),
                Err(JournalError::Refused(why)) => told == Some(&why),
                Err(_) => false,
            }
        });
        assert!(holds, "{:?}: {told:?} of {text}", asked.command);
    }
}

/// A release has begun.
fn begun() -> String {
    String::from_utf8(Bench::holding(1).disk.bytes()).unwrap()
}
