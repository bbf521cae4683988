//! A world in which two controllers drive one release, a person commands, and things go wrong.

use std::sync::Arc;

use halcyon::journal::{Entry, Journal, JournalError};
use halcyon_core::ledger::{Key, Keyed};
use halcyon_core::release::{Command, Context, Plan, Rejection, Release};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;

use crate::disk::{Disk, Kill, on};
use crate::driver::still_asked_for;
use crate::laws::{Broken, Law, Reader};
use crate::same::timeless;
use crate::service::Kept;

/// Noon, an hour before, ten years on.
pub(crate) const CLOCKS: [u64; 3] = [1_767_268_800_000, 1_767_265_200_000, 2_082_628_800_000];

/// How often things may go wrong, and how often a person speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) kills: u8,
    pub(crate) power_losses: u8,
    pub(crate) failures: u8,
    pub(crate) jumps: u8,
    pub(crate) words: u8,
    pub(crate) intrusions: u8,
}

/// A command and the key it is given under.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) key: Key,
}

/// A process that drives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Controller {
    pub(crate) user: &'static str,
    /// Its view, as stale as it may be; none while it is dead.
    pub(crate) journal: Option<Arc<Journal<Kept>>>,
    /// What it has done in the world and is about to say.
    pub(crate) doing: Option<Command>,
    /// What it said and heard no answer to.
    pub(crate) unanswered: Option<Asked>,
    said: u8,
}

/// Everything there is.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) disk: Disk,
    kept: Kept,
    pub(crate) reader: Arc<Reader>,
    /// What a process that starts now reads.
    fresh: Arc<Journal<Kept>>,
    pub(crate) controllers: [Controller; 2],
    /// The person's command that was not answered.
    pub(crate) unanswered: Option<Asked>,
    words_said: u8,
    /// Bytes of which somebody was told that they are on record.
    pub(crate) acknowledged: usize,
    pub(crate) clock: usize,
    pub(crate) left: Budget,
    pub(crate) broken: Option<Broken>,
    /// What the last action was an example of.
    pub(crate) answered_by_key: bool,
    pub(crate) lost_the_race: bool,
    pub(crate) arrived_late: bool,
}

/// How an append looked from its client.
enum Outcome {
    Answered,
    Refused(Rejection),
    Moved,
    /// The writer died before it could say anything.
    Dead,
}

impl World {
    pub(crate) fn new(left: Budget, kept: Kept) -> Self {
        let mut disk = Disk::default();
        let (journal, _) = on(&mut disk, None, || Journal::over(kept.clone()));
        let fresh = Arc::new(journal.expect("an empty journal opens"));
        let controller = |user| Controller {
            user,
            journal: Some(Arc::clone(&fresh)),
            ..Controller::default()
        };
        Self {
            disk,
            kept,
            reader: Arc::default(),
            controllers: ["ci-1", "ci-2"].map(controller),
            fresh,
            unanswered: None,
            words_said: 0,
            acknowledged: 0,
            clock: 0,
            left,
            broken: None,
            answered_by_key: false,
            lost_the_race: false,
            arrived_late: false,
        }
    }

    pub(crate) fn release(&self) -> &Release {
        self.reader.ledger.release()
    }

    pub(crate) fn head(&self) -> u64 {
        self.reader.ledger.head().seq
    }

    fn open(&mut self) -> Result<Journal<Kept>, JournalError> {
        on(&mut self.disk, None, || Journal::over(self.kept.clone())).0
    }

    /// A controller looks at the journal.
    pub(crate) fn look(&mut self, who: usize) {
        let Some(journal) = &self.controllers[who].journal else {
            return;
        };
        let mut journal = Journal::clone(journal);
        match on(&mut self.disk, None, || journal.refresh_durably()).0 {
            Ok(_) => self.controllers[who].journal = Some(Arc::new(journal)),
            Err(why) => self.breaks(Law::Chain, why.to_string()),
        }
    }

    /// A controller says what it has done, if that is still what is asked for.
    pub(crate) fn say(&mut self, who: usize, kill: Option<Kill>, plan: &Plan) {
        let controller = &self.controllers[who];
        let (Some(journal), Some(command)) = (&controller.journal, controller.doing.clone()) else {
            return;
        };
        if !still_asked_for(journal.release(), &command, plan) {
            self.controllers[who].doing = None;
            return;
        }
        let mut journal = Journal::clone(journal);
        let asked = Asked {
            command,
            key: key(controller.user, controller.said),
        };
        let user = controller.user;
        let expected = journal.head().seq;
        let outcome = self.append(
            &mut journal,
            (user, "Deployer"),
            &asked,
            Some(expected),
            kill,
        );
        let controller = &mut self.controllers[who];
        controller.journal = Some(Arc::new(journal));
        controller.said += 1;
        match outcome {
            Outcome::Answered => controller.doing = None,
            Outcome::Moved => self.lost_the_race = true,
            Outcome::Refused(why) => {
                self.breaks(
                    Law::Progress,
                    format!("what was asked for is refused: {why}"),
                );
            }
            Outcome::Dead => {
                *controller = Controller {
                    user,
                    said: controller.said,
                    unanswered: Some(asked),
                    ..Controller::default()
                };
            }
        }
    }

    /// A dead controller starts again and reads the journal from its beginning. It remembers what it said
    /// last, or it does not.
    pub(crate) fn restart(&mut self, who: usize, remembers: bool) {
        match self.open() {
            Ok(journal) => {
                if journal.head() != self.reader.ledger.head()
                    || journal.release() != self.release()
                {
                    self.breaks(Law::Acknowledged, "a replay leads elsewhere".into());
                }
                let controller = &mut self.controllers[who];
                controller.journal = Some(Arc::new(journal));
                controller.unanswered.take_if(|_| !remembers);
            }
            Err(why) => self.breaks(Law::Acknowledged, why.to_string()),
        }
    }

    /// A controller asks again, under the same key, what it heard no answer to.
    pub(crate) fn ask_again(&mut self, who: usize) {
        let controller = &mut self.controllers[who];
        let (Some(journal), Some(asked)) = (&controller.journal, controller.unanswered.take())
        else {
            return;
        };
        let (mut journal, user) = (Journal::clone(journal), controller.user);
        self.append(&mut journal, (user, "Deployer"), &asked, None, None);
        self.controllers[who].journal = Some(Arc::new(journal));
    }

    /// A person gives a command from another terminal, on the newest state or on what they saw before.
    pub(crate) fn tell(&mut self, command: Command, expected: Option<u64>, kill: Option<Kill>) {
        let asked = Asked {
            command,
            key: key("ann", self.words_said),
        };
        self.words_said += 1;
        let outcome = self.give("ann", "Admin", &asked, expected, kill);
        if matches!(outcome, Outcome::Dead) {
            self.unanswered = Some(asked);
        }
    }

    /// The person heard no answer and gives the same command under the same key.
    pub(crate) fn tell_again(&mut self) {
        if let Some(asked) = self.unanswered.take() {
            self.give("ann", "Admin", &asked, None, None);
        }
    }

    /// Somebody tries who may not.
    pub(crate) fn intrude(&mut self) {
        let asked = Asked {
            command: Command::PromoteGreen,
            key: key("eve", 0),
        };
        let before = timeless(self.release());
        let outcome = self.give("eve", "Viewer", &asked, None, None);
        let refused = matches!(outcome, Outcome::Refused(Rejection::Role { .. }));
        if !refused || timeless(self.release()) != before {
            self.breaks(
                Law::Roles,
                "a Viewer is not refused, or changes something".into(),
            );
        }
    }

    /// The command of a process of its own.
    fn give(
        &mut self,
        user: &str,
        role: &str,
        asked: &Asked,
        expected: Option<u64>,
        kill: Option<Kill>,
    ) -> Outcome {
        let mut journal = Journal::clone(&self.fresh);
        self.append(&mut journal, (user, role), asked, expected, kill)
    }

    /// What was on its way arrives.
    pub(crate) fn arrive(&mut self, nth: usize) {
        let late = self.disk.late.remove(nth);
        let before = Arc::clone(&self.disk.seen);
        self.arrived_late = self.disk.take(&late.expected, &late.lines);
        self.read_new(&before);
    }

    /// Every process dies; what was not synced is lost, or is not.
    pub(crate) fn lose_power(&mut self, unsynced_lost: bool) {
        if unsynced_lost {
            self.disk.seen = Arc::clone(&self.disk.durable);
        }
        self.disk.durable = Arc::clone(&self.disk.seen);
        for controller in &mut self.controllers {
            controller.journal = None;
            controller.doing = None;
        }
        let mut reader = Reader::default();
        let read = read_all(&mut reader, &self.disk.seen);
        self.reader = Arc::new(reader);
        if let Err(broken) = read {
            self.broken = Some(broken);
        } else if self.disk.seen.len() < self.acknowledged {
            self.breaks(
                Law::Acknowledged,
                "power took an acknowledged record".into(),
            );
        }
        self.fresh = match self.open() {
            Ok(journal) => Arc::new(journal),
            Err(why) => return self.breaks(Law::Acknowledged, why.to_string()),
        };
    }

    /// One append through the production journal, and what must hold of it.
    fn append(
        &mut self,
        journal: &mut Journal<Kept>,
        (user, role): (&str, &str),
        asked: &Asked,
        expected: Option<u64>,
        kill: Option<Kill>,
    ) -> Outcome {
        let actor = Actor {
            user: user.into(),
            role: role.into(),
        };
        let context = Context {
            actor: &actor,
            kill_switch: false,
            new_release_id: "r1",
        };
        let now = Timestamp(CLOCKS[self.clock]);
        let before = Arc::clone(&self.disk.seen);
        let head = self.head();
        // The same command to a machine that runs alone.
        let mut alone = self.reader.ledger.clone();
        let torn = (before.len() - whole(&before)) as u64;
        let recalled = alone.recall(&asked.key, &asked.command, &context);
        let serial = match alone.release().decide(&asked.command, &context) {
            Ok(events) if recalled == Ok(None) => {
                let id = |event| alone.release().release_id_of(event, &context);
                let events = events
                    .iter()
                    .map(|event| (event.clone(), id(event)))
                    .collect();
                let keyed = Keyed::new(&asked.key, &asked.command);
                let torn = Some(torn).filter(|torn| *torn > 0);
                alone.write_keyed(events, &actor, Some(&keyed), torn, now)
            }
            _ => String::new(),
        };
        let append =
            || journal.append_keyed(&asked.command, &context, Some(&asked.key), expected, now);
        let (answer, killed) = on(&mut self.disk, kill, append);
        let added = self.read_new(&before);
        let denied = actor.authorise().is_err();
        match answer {
            _ if killed => {
                if !serial.starts_with(&added) {
                    self.breaks(Law::Serial, format!("{added:?} is not of {serial:?}"));
                }
                Outcome::Dead
            }
            Ok(entries) => {
                if expected.is_some_and(|seq| seq != head) && !added.is_empty() {
                    self.breaks(Law::Loser, "a stale head was taken".into());
                } else if recalled == Ok(None) && added != serial {
                    self.breaks(Law::Serial, format!("{added:?} is not {serial:?}"));
                } else if recalled != Ok(None) && !added.is_empty() {
                    self.breaks(Law::Once, "it was on record under its key".into());
                }
                self.answered_by_key |= recalled != Ok(None);
                self.acknowledge(&entries);
                Outcome::Answered
            }
            Err(JournalError::Moved) => {
                if self.disk.seen != before {
                    self.breaks(Law::Loser, "the loser wrote".into());
                }
                Outcome::Moved
            }
            Err(JournalError::Refused(why)) => {
                if !added.is_empty() && !denied {
                    self.breaks(Law::Serial, "a refusal was written".into());
                }
                Outcome::Refused(why)
            }
            Err(other) => {
                self.breaks(Law::Progress, other.to_string());
                Outcome::Dead
            }
        }
    }

    /// Reads along; answers the whole lines that are new.
    fn read_new(&mut self, before: &Arc<Vec<u8>>) -> String {
        let known = whole(before);
        if !self.disk.seen.starts_with(&before[..known]) {
            self.breaks(
                Law::Acknowledged,
                "what was on record is another one".into(),
            );
            return String::new();
        }
        let new = self.disk.seen[known..whole(&self.disk.seen)].to_vec();
        if !new.is_empty() {
            // What was sent for an older head is refused whenever it arrives.
            self.disk.late.clear();
            let mut reader = Reader::clone(&self.reader);
            let read = read_all(&mut reader, &new);
            self.reader = Arc::new(reader);
            if let Err(broken) = read {
                self.broken.get_or_insert(broken);
            }
            let mut fresh = Journal::clone(&self.fresh);
            match on(&mut self.disk, None, || fresh.refresh()).0 {
                Ok(_) => self.fresh = Arc::new(fresh),
                Err(why) => self.breaks(Law::Chain, why.to_string()),
            }
        }
        String::from_utf8_lossy(&new).into_owned()
    }

    /// Somebody was told of these records: they are on the disk for good.
    fn acknowledge(&mut self, entries: &[Entry]) {
        for entry in entries {
            let line = format!("{}\n", entry.line);
            let at = find(&self.disk.durable, line.as_bytes());
            match at {
                Some(at) => self.acknowledged = self.acknowledged.max(at + line.len()),
                None => self.breaks(Law::Acknowledged, format!("{line} is not durable")),
            }
        }
    }

    pub(crate) fn breaks(&mut self, law: Law, why: String) {
        self.broken.get_or_insert((law, why));
    }
}

fn read_all(reader: &mut Reader, bytes: &[u8]) -> Result<(), Broken> {
    let lines = bytes[..whole(bytes)].split_inclusive(|byte| *byte == b'\n');
    for line in lines {
        reader.read(&line[..line.len() - 1])?;
    }
    Ok(())
}

/// How many bytes are whole lines.
pub(crate) fn whole(bytes: &[u8]) -> usize {
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    end.map_or(0, |end| end + 1)
}

/// Where a line stands.
fn find(bytes: &[u8], line: &[u8]) -> Option<usize> {
    let mut at = 0;
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .find_map(|here| {
            let begin = at;
            at += here.len();
            (here == line).then_some(begin)
        })
}

fn key(user: &str, nth: u8) -> Key {
    Key::parse(&format!("{user}-{nth}")).expect("it is a key")
}
