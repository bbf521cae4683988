//! What people say of regions: it outranks every probe, is on disk before it holds, and ends when it is told to.

use std::sync::Arc;
use std::time::Duration;

use halcyon_core::health::Change;
use halcyon_core::text::Seen;
use tokio::time::sleep;

use super::events::{Event, Kind};
use super::overrides::{Freeze, Override, OverrideState, Said};
use super::{Known, Monitor, Watched};
use crate::clock;

/// How often it is looked whether the time of an override is over.
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
    /// It cannot be kept, and does not hold.
    #[error("it cannot be kept: {why}")]
    NotKept {
        /// The system's words.
        why: String,
    },
}

impl Known {
    /// Forces what was said before this process began. What was said of regions that there are no more is kept:
    /// they may come back.
    pub(super) fn take_up(&mut self, regions: &[Watched]) {
        let place = |name: &String| regions.iter().position(|region| region.name == *name);
        for (name, word) in &self.said.overrides {
            if let Some(place) = place(name) {
                self.fleet.force(place, Some(word.state.forced()));
            }
        }
        if let Some(freeze) = &self.said.freeze {
            let out: Vec<usize> = freeze.out.iter().filter_map(place).collect();
            self.fleet.freeze(Some(&out));
        }
    }
}

impl Monitor {
    /// The word that holds on a region.
    ///
    /// # Errors
    /// When there is no such region.
    pub fn said_of(&self, name: &str) -> Result<Option<Override>, Refused> {
        self.place(name)?;
        Ok(self.known().said.overrides.get(name).cloned())
    }

    /// Takes a region for what a person says. Blocks on the disk.
    ///
    /// # Errors
    /// When there is no such region, no healthy one would remain, or it cannot be kept.
    pub fn set(&self, name: &str, wish: Wish, user: &str) -> Result<Override, Refused> {
        let place = self.place(name)?;
        let now = clock::now();
        let word = Override {
            state: wish.state,
            reason: wish.reason,
            user: user.to_owned(),
            since: now,
            expires: wish.ttl_ms.map(|ms| now.plus(ms)),
        };
        let mut known = self.known();
        if !wish.force && !known.fleet.one_remains_without(place) {
            let name = name.to_owned();
            return Err(Refused::LastHealthy { name });
        }
        let mut said = known.said.clone();
        said.overrides.insert(name.to_owned(), word.clone());
        self.keep(&mut known, said)?;
        let changes = known.fleet.force(place, Some(word.state.forced()));
        drop(known);
        self.told(place, changes, Kind::Override, &word.reason, Some(user));
        Ok(word)
    }

    /// Takes that back. Blocks on the disk.
    ///
    /// # Errors
    /// When there is no such region, or that cannot be kept.
    pub fn unset(&self, name: &str, user: &str) -> Result<(), Refused> {
        let place = self.place(name)?;
        self.end(place, Kind::OverrideRemoved, Some(user), |_| true)
    }

    /// Stops all automatic change. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn set_freeze(&self, reason: &str, user: &str) -> Result<Freeze, Refused> {
        let mut known = self.known();
        let out = known.fleet.out();
        let freeze = Freeze {
            reason: reason.to_owned(),
            user: user.to_owned(),
            since: clock::now(),
            out: out
                .iter()
                .map(|place| self.regions[*place].name.clone())
                .collect(),
        };
        let said = Said {
            freeze: Some(freeze.clone()),
            ..known.said.clone()
        };
        self.keep(&mut known, said)?;
        known.fleet.freeze(Some(&out));
        drop(known);
        self.put_word(Kind::Freeze, reason, user);
        Ok(freeze)
    }

    /// Lets it go on. Blocks on the disk.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn unset_freeze(&self, user: &str) -> Result<(), Refused> {
        let mut known = self.known();
        if known.said.freeze.is_none() {
            return Ok(());
        }
        let said = Said {
            freeze: None,
            ..known.said.clone()
        };
        self.keep(&mut known, said)?;
        let changes = known.fleet.thaw();
        drop(known);
        self.put_word(Kind::Unfreeze, "automatic change goes on", user);
        for change in changes {
            self.say(
                change,
                Kind::Health,
                "seen while automatic change was stopped",
                None,
            );
        }
        self.tell();
        Ok(())
    }

    /// Ends what was said for a time, for ever.
    pub(super) async fn expire(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let now = clock::now();
            let over = |word: &Override| word.expires.is_some_and(|end| end <= now);
            let said = self.known().said.overrides.clone();
            let ended = said.into_iter().filter(|(_, word)| over(word));
            for (name, _) in ended {
                let Ok(place) = self.place(&name) else {
                    continue;
                };
                let this = self.clone();
                let end = move || {
                    this.end(place, Kind::OverrideExpired, None, |word| {
                        word.expires.is_some_and(|end| end <= clock::now())
                    })
                };
                let ended = tokio::task::spawn_blocking(end).await;
                if let Ok(Err(why)) = ended {
                    tracing::error!("the override of {name} stays, though its time is over: {why}");
                }
            }
        }
    }

    fn end(
        &self,
        place: usize,
        kind: Kind,
        user: Option<&str>,
        ends: impl Fn(&Override) -> bool,
    ) -> Result<(), Refused> {
        let name = &self.regions[place].name;
        let mut known = self.known();
        let Some(word) = known.said.overrides.get(name).cloned().filter(ends) else {
            return Ok(());
        };
        let mut said = known.said.clone();
        said.overrides.remove(name);
        self.keep(&mut known, said)?;
        let changes = known.fleet.force(place, None);
        drop(known);
        self.told(place, changes, kind, &word.reason, user);
        Ok(())
    }

    /// On disk first: what holds must hold after a restart.
    fn keep(&self, known: &mut Known, said: Said) -> Result<(), Refused> {
        self.kept.write(&said).map_err(|why| Refused::NotKept {
            why: why.to_string(),
        })?;
        known.said = said;
        Ok(())
    }

    /// Puts a person's word on record, with what it changed.
    fn told(&self, place: usize, changes: Vec<Change>, kind: Kind, why: &str, user: Option<&str>) {
        let status = self.statuses()[place];
        let own = changes.iter().find(|change| change.region == place);
        let own = own.copied().unwrap_or(Change {
            region: place,
            from: status,
            to: status,
        });
        self.say(own, kind, why, user);
        for change in changes.into_iter().filter(|change| change.region != place) {
            self.say(change, Kind::Health, "another region was overridden", None);
        }
        self.tell();
    }

    fn put_word(&self, event: Kind, reason: &str, user: &str) {
        tracing::warn!("{user}: {event:?}: {reason}");
        self.put(&Event {
            event,
            region: None,
            from: None,
            to: None,
            reason,
            user: Some(user),
        });
        self.tell();
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
