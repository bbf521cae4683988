//! What people say of regions: it outranks every probe, is on disk before it holds, and ends when it is told to.
//!
//! Another server of the same store may say something too: what is on disk is read again before it is changed, and
//! looked at all the time.

use std::sync::Arc;
use std::time::Duration;

use halcyon_core::health::Change;
use halcyon_core::placement::RegionStatus;
use halcyon_core::text::Seen;
use tokio::time::sleep;

use super::events::{Event, Events, Kind};
use super::history;
use super::overrides::{Freeze, Override, OverrideState, Said};
use super::{Known, Monitor, Watched};
use crate::clock;

/// How often it is looked whether the time of an override is over, and what another server has said.
const LOOK: Duration = Duration::from_millis(250);

/// What a person wants a region to be taken for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The state.
    pub state: OverrideState,
    /// Why.
    pub reason: String,
    /// For how long, in milliseconds; for ever without.
    pub ttl_ms: Option<u64>,
    /// Also where no healthy region would remain.
    pub force: bool,
}

/// Who says something.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The user of what is recorded.
    pub user: String,
    /// Whether a `forbid` is theirs to say and to take back.
    pub may_forbid: bool,
}

/// Why what was wished for is not so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such region.
    #[error("{seen} is no region; allowed: {allowed}", seen = Seen(.name))]
    NoRegion {
        /// The name seen.
        name: String,
        /// The names there are.
        allowed: String,
    },
    /// It was the last one.
    #[error("no healthy region would remain without {seen}; allowed: another one, or \"force\" by an Admin", seen = Seen(.name))]
    LastHealthy {
        /// The region.
        name: String,
    },
    /// Somebody has forbidden it who may, or is wished to.
    #[error("forbidding a region, and taking that back, is an Admin's")]
    Forbidden,
    /// It cannot be kept, and does not hold.
    #[error("it cannot be kept: {why}")]
    NotKept {
        /// What the matter is.
        why: String,
    },
}

impl Known {
    /// Takes regions for what is said of them from now on. Answers what changes. What was said of regions that
    /// there are none of is kept: they may come back.
    pub(super) fn take_up(&mut self, said: Said, regions: &[Watched]) -> Vec<Change> {
        let mut changes = Vec::new();
        for (place, region) in regions.iter().enumerate() {
            let word = |said: &Said| said.overrides.get(&region.name).map(|word| word.state);
            if word(&self.said) != word(&said) {
                let forced = word(&said).map(OverrideState::forced);
                changes.extend(self.fleet.force(place, forced));
            }
        }
        let place = |name: &String| regions.iter().position(|region| region.name == *name);
        match (&self.said.freeze, &said.freeze) {
            (before, Some(freeze)) if before.as_ref() != Some(freeze) => {
                let out: Vec<usize> = freeze.out.iter().filter_map(place).collect();
                self.fleet.freeze(Some(&out));
            }
            (Some(_), None) => changes.extend(self.fleet.thaw()),
            _ => {}
        }
        self.said = said;
        changes
    }

    /// Keeps what has been today before this server began.
    pub(super) fn remember(&mut self, events: &Events, regions: &[Watched]) {
        let from = |count: u64| count.saturating_sub(history::EVENTS);
        let most = usize::try_from(history::EVENTS).unwrap_or(usize::MAX);
        let read = events
            .count()
            .and_then(|count| events.lines(from(count), most));
        match read {
            Ok(lines) => history::replay(&lines, clock::now(), |name, down, at| {
                let place = regions.iter().position(|region| region.name == name);
                if let Some(past) = place.and_then(|place| self.past.get_mut(place)) {
                    past.is(down, at);
                }
            }),
            // It is for people to look at: nothing rests on it.
            Err(why) => tracing::warn!(
                "the downtime of today begins anew: region_events.jsonl cannot be read: {why}"
            ),
        }
        // To every edge it was down until now; a server begins with every region up, and puts that on record too.
        let statuses = self.fleet.statuses();
        let known = regions.iter().zip(&self.past).zip(statuses);
        for ((region, past), status) in known {
            if past.is_down() && status != RegionStatus::Down {
                self.unsaid.push(Event {
                    event: Kind::Health,
                    region: Some(region.name.clone()),
                    from: Some(RegionStatus::Down.name()),
                    to: Some(status.name()),
                    reason: "a server began, which has not probed it yet".to_owned(),
                    user: None,
                });
            }
        }
        self.note();
    }

    /// Keeps which regions are down now.
    pub(super) fn note(&mut self) {
        let (now, statuses) = (clock::now(), self.fleet.statuses());
        for (past, status) in self.past.iter_mut().zip(statuses) {
            past.is(status == RegionStatus::Down, now);
        }
    }
}

impl Monitor {
    /// Takes a region for what a person says. Blocks on the disk.
    ///
    /// # Errors
    /// When there is no such region, no healthy one would remain, it is not this person's to say, or it cannot be
    /// kept.
    pub fn set(&self, name: &str, wish: Wish, by: &Speaker) -> Result<Override, Refused> {
        let place = self.place(name)?;
        let now = clock::now();
        let word = Override {
            state: wish.state,
            reason: wish.reason,
            user: by.user.clone(),
            since: now,
            expires: wish.ttl_ms.map(|ms| now.plus(ms)),
        };
        let (kept, reason) = (word.clone(), word.reason.clone());
        let said = move |said: &mut Said| {
            let held = said.overrides.get(name).map(|held| held.state);
            let forbids = [held, Some(wish.state)].contains(&Some(OverrideState::Forbid));
            if forbids && !by.may_forbid {
                return Err(Refused::Forbidden);
            }
            // What is drained already takes nobody with it, unless it is to serve nobody at all.
            let no_worse =
                held.is_some_and(|held| held == wish.state || held == OverrideState::Forbid);
            if !wish.force && !no_worse && !self.known().fleet.one_remains_without(place) {
                let name = name.to_owned();
                return Err(Refused::LastHealthy { name });
            }
            said.overrides.insert(name.to_owned(), word);
            Ok(true)
        };
        self.say_of(place, Kind::Override, (&reason, Some(&by.user)), said)?;
        Ok(kept)
    }

    /// Takes that back. Blocks on the disk.
    ///
    /// # Errors
    /// When there is no such region, it is not this person's to take back, or that cannot be kept.
    pub fn unset(&self, name: &str, by: &Speaker) -> Result<(), Refused> {
        let place = self.place(name)?;
        let said = |said: &mut Said| match said.overrides.remove(name) {
            Some(held) if held.state == OverrideState::Forbid && !by.may_forbid => {
                Err(Refused::Forbidden)
            }
            held => Ok(held.is_some()),
        };
        let why = ("taken back", Some(by.user.as_str()));
        self.say_of(place, Kind::OverrideRemoved, why, said)
    }

    /// Stops all automatic change. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn set_freeze(&self, reason: &str, user: &str) -> Result<Freeze, Refused> {
        let _turn = self.turn();
        let out = self.known().fleet.out();
        let out = out.iter().map(|place| self.regions[*place].name.clone());
        let freeze = Freeze {
            reason: reason.to_owned(),
            user: user.to_owned(),
            since: clock::now(),
            out: out.collect(),
        };
        let kept = freeze.clone();
        let said = self.keep(|said| {
            said.freeze = Some(kept);
            Ok(true)
        })?;
        self.hold(said, &self.word(Kind::Freeze, reason, user));
        Ok(freeze)
    }

    /// Lets it go on. Blocks on the disk.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn unset_freeze(&self, user: &str) -> Result<(), Refused> {
        let _turn = self.turn();
        let said = self.keep(|said| Ok(said.freeze.take().is_some()))?;
        self.hold(
            said,
            &self.word(Kind::Unfreeze, "automatic change goes on", user),
        );
        Ok(())
    }

    /// Ends what was said for a time, and takes up what another server has said, for ever.
    pub(super) async fn expire(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let this = self.clone();
            // Of what goes wrong there nobody could say more than it has said.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    fn look(&self) {
        if self.kept.changed() {
            let _turn = self.turn();
            match self.kept.read() {
                Ok(said) => self.hold(Some(said), &None),
                Err(why) => tracing::error!("{why}; what was said before stays in force"),
            }
        }
        let said = self.known().said.clone();
        // Nothing changes by itself then.
        if said.freeze.is_some() {
            return;
        }
        let over = |word: &Override| word.expires.is_some_and(|end| end <= clock::now());
        for (name, word) in said.overrides.iter().filter(|(_, word)| over(word)) {
            let Ok(place) = self.place(name) else {
                continue;
            };
            let end = |said: &mut Said| {
                let ends = said.overrides.get(name).is_some_and(over);
                if ends {
                    said.overrides.remove(name);
                }
                Ok(ends)
            };
            let ended = self.say_of(place, Kind::OverrideExpired, (&word.reason, None), end);
            if let Err(why) = ended {
                tracing::error!("the override of {name} stays, though its time is over: {why}");
            }
        }
    }

    /// Changes what is said of a region, and puts that on record.
    fn say_of(
        &self,
        place: usize,
        event: Kind,
        (reason, user): (&str, Option<&str>),
        change: impl FnOnce(&mut Said) -> Result<bool, Refused>,
    ) -> Result<(), Refused> {
        let _turn = self.turn();
        let said = self.keep(change)?;
        let event = Event {
            event,
            region: Some(self.regions[place].name.clone()),
            from: None,
            to: None,
            reason: reason.to_owned(),
            user: user.map(str::to_owned),
        };
        self.hold(said, &Some(event));
        Ok(())
    }

    /// Keeps a change of what is said: on disk first, as what holds must hold after a restart. Nothing else waits
    /// for the disk meanwhile. Answers what is said then, where that is another thing.
    fn keep(
        &self,
        change: impl FnOnce(&mut Said) -> Result<bool, Refused>,
    ) -> Result<Option<Said>, Refused> {
        let mut refused = None;
        let kept = self.kept.change(|said| match change(said) {
            Ok(changed) => changed,
            Err(why) => {
                refused = Some(why);
                false
            }
        });
        match (refused, kept) {
            (Some(why), _) => Err(why),
            (None, Ok(said)) => Ok(said),
            (None, Err(why)) => Err(Refused::NotKept { why }),
        }
    }

    /// Goes by what is said from now on, and puts on record what that changes, in the order in which it holds.
    fn hold(&self, said: Option<Said>, event: &Option<Event>) {
        let Some(said) = said else {
            return;
        };
        let mut known = self.known();
        let before = known.fleet.statuses();
        let changes = known.take_up(said, &self.regions);
        let after = known.fleet.statuses();
        known.note();
        let own = event.as_ref().and_then(|event| event.region.as_deref());
        let own = own.and_then(|name| self.place(name).ok());
        if let Some(event) = event {
            let name =
                |statuses: &[RegionStatus]| own.and_then(|place| Some(statuses.get(place)?.name()));
            self.put(Event {
                from: name(&before),
                to: name(&after),
                ..event.clone()
            });
        }
        for change in changes
            .into_iter()
            .filter(|change| Some(change.region) != own)
        {
            self.say(change, "what people say of regions has changed");
        }
        drop(known);
        self.tell();
        self.events.flush();
    }

    fn word(&self, event: Kind, reason: &str, user: &str) -> Option<Event> {
        Some(Event {
            event,
            region: None,
            from: None,
            to: None,
            reason: reason.to_owned(),
            user: Some(user.to_owned()),
        })
    }

    fn place(&self, name: &str) -> Result<usize, Refused> {
        let place = self.regions.iter().position(|region| region.name == name);
        place.ok_or_else(|| {
            let names: Vec<&str> = self
                .regions
                .iter()
                .map(|region| region.name.as_str())
                .collect();
            Refused::NoRegion {
                name: name.to_owned(),
                allowed: names.join(", "),
            }
        })
    }
}
