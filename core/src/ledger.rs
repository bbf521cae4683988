//! The journal's lines: a hash chain of JSON records, and the state they add up to.
//!
//! A line is one JSON object. Its last member is `hash`: SHA-256 of the line's bytes before the last
//! `,"hash":`, in 64 lower-case hex digits. Its `prev_hash` is the `hash` of the line before, 64 zeros
//! in the first. Bytes are verified before they are parsed.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::Serialize;
use sha2::{Digest, Sha256};

mod head;
mod keys;
mod read;
mod report;
mod verify;

pub use head::Head;
pub use keys::{KEYS_REMEMBERED, Key, Keyed};
pub use report::{AuditReport, StatusReport};
pub use verify::{Verification, verify};

use crate::release::{Event, Fact, Phase, Release, Weight};
use crate::role::Actor;
use crate::text::{ascii_json, beginning, hex_of, message, number, printable};
use crate::time::Timestamp;

/// The `prev_hash` of the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const HASH_KEY: &str = ",\"hash\":\"";

/// One record, as it is written and read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When it was appended, RFC 3339 in UTC with milliseconds.
    pub timestamp: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The state after it.
    pub state: Phase,
    /// The image whose role is blue after it.
    pub blue_image: Option<String>,
    /// The image whose role is green after it.
    pub green_image: Option<String>,
    /// The canary weight after it, in percent.
    pub canary_weight: Weight,
    /// Who did it.
    pub user: String,
    /// In which role.
    pub deploy_role: String,
    /// Bytes of a torn last line that this append cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn_tail_cut: Option<u64>,
    /// The key its command was given under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Key>,
    /// With a key: SHA-256 of the command's canonical JSON, 64 lower-case hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_sha256: Option<String>,
    /// Its number, from 1.
    pub seq: u64,
    /// The release it belongs to.
    pub release_id: Option<String>,
    /// The hash of the record before.
    pub prev_hash: String,
}

/// A line that does not verify. Nothing after it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// The number the record should have.
    pub seq: u64,
    /// What does not hold.
    pub why: String,
}

impl Corruption {
    /// What it displays.
    pub fn text(&self) -> String {
        message!("record {}: {}", &number(self.seq), &self.why).text()
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl core::error::Error for Corruption {}

/// A chain read so far and the state it adds up to.
///
/// ```
/// use halcyon_core::ledger::Ledger;
/// use halcyon_core::release::Event;
/// use halcyon_core::role::Actor;
/// use halcyon_core::time::Timestamp;
///
/// let actor = Actor { user: "ann".into(), role: "Deployer".into() };
/// let event = Event::Pause { reason: "lunch".into() };
/// let mut writer = Ledger::default();
/// let line = writer.write(vec![(event, None)], &actor, None, Timestamp(1_759_397_400_000));
///
/// let mut reader = Ledger::default();
/// let record = reader.accept(line.trim_end().as_bytes()).unwrap();
/// assert_eq!((record.user.as_str(), reader.head()), ("ann", writer.head()));
///
/// // One letter changed: it does not verify, and the reader stays where it was.
/// let forged = line.replace("lunch", "hunch");
/// let corruption = reader.clone().accept(forged.trim_end().as_bytes()).unwrap_err();
/// assert_eq!(corruption.to_string(), "record 2: its bytes do not have the hash they carry");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    head: Head,
    release: Release,
    /// The last record that changed the release.
    revision: u64,
    keys: keys::Keys,
}

impl Ledger {
    /// The end of the chain: number 0 and 64 zeros while it is empty.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The state that the records accepted so far add up to.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// The number of the last record that changed the release, 0 before the first: all of them do but those of
    /// refusals, and of rollbacks where everything is blue already or on its way there. Whoever decided on an older one decided on what is no longer so.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn note_revision(&mut self, event: &Event, seq: u64) {
        let changes = match event {
            Event::PermissionDenied { .. } => false,
            Event::RollbackToBlue { old_state, .. } => {
                !matches!(old_state, Phase::Idle | Phase::RollbackInProgress)
            }
            _ => true,
        };
        if changes {
            self.revision = seq;
        }
    }

    /// Verifies the next line (without its newline), parses it and folds it into the state.
    ///
    /// # Errors
    /// When the bytes do not hash to what they say, do not follow the record before, hold an unknown
    /// action, or claim a state that the events do not lead to.
    pub fn accept(&mut self, line: &[u8]) -> Result<Record, Corruption> {
        let seq = self.head.seq.saturating_add(1);
        let corrupt = |why: String| Corruption { seq, why };
        let hash = verify_bytes(line).map_err(corrupt)?;
        let record = Record::of_line(line).map_err(corrupt)?;
        if record.seq != seq {
            let (says, expected) = (number(record.seq), number(seq));
            return Err(corrupt(
                message!("says seq {}, expected {}", &says, &expected).text(),
            ));
        }
        if record.prev_hash != self.head.hash {
            let before = number(self.head.seq);
            return Err(corrupt(
                message!("prev_hash is not the hash of record {}", &before).text(),
            ));
        }
        record.names_its_command().map_err(corrupt)?;
        let mut release = self.release.clone();
        release.evolve(&record.fact());
        if let Event::PermissionDenied { .. } = record.event {
            release.note_denial(&record.user, record.timestamp);
        }
        record.agrees_with(&release).map_err(corrupt)?;
        self.release = release;
        self.note_revision(&record.event, seq);
        self.keys.note(&record);
        self.head = Head {
            seq,
            hash: hash.to_string(),
        };
        Ok(record)
    }

    /// Accepts every whole line of `bytes` and hands on the head it makes, its record and itself. Answers
    /// the bytes after the last newline: a torn tail, an append that never finished.
    ///
    /// # Errors
    /// The first line that does not verify; what stands before it is accepted, nothing after it is read.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        mut each: impl FnMut(&Head, Record, &'a [u8]),
    ) -> Result<&'a [u8], Corruption> {
        let mut rest = bytes;
        while let Some((line, after)) = split_line(rest) {
            let record = self.accept(line)?;
            each(&self.head, record, line);
            rest = after;
        }
        Ok(rest)
    }

    /// Writes `events`, each with the release it belongs to, as the lines that come next, each with its
    /// newline, and takes them as accepted: append them to the file and fsync before anything they say
    /// takes effect, and go on with a ledger from before where that fails.
    ///
    /// `torn_tail_cut`, the bytes of an unfinished last line that this append cut off, goes into the first.
    pub fn write(
        &mut self,
        events: Vec<(Event, Option<String>)>,
        actor: &Actor,
        torn_tail_cut: Option<u64>,
        now: Timestamp,
    ) -> String {
        self.write_keyed(events, actor, None, torn_tail_cut, now)
    }

    /// The same for what a keyed command brought about: every line carries the key.
    pub fn write_keyed(
        &mut self,
        events: Vec<(Event, Option<String>)>,
        actor: &Actor,
        keyed: Option<&Keyed>,
        torn_tail_cut: Option<u64>,
        now: Timestamp,
    ) -> String {
        let mut lines = String::new();
        let mut cut = torn_tail_cut;
        for (event, release_id) in events {
            let fact = Fact {
                at: now,
                release_id,
                event,
            };
            self.release.evolve(&fact);
            if let Event::PermissionDenied { .. } = fact.event {
                self.release.note_denial(&actor.user, now);
            }
            let seq = self.head.seq.saturating_add(1);
            let record = Record {
                timestamp: now,
                event: fact.event,
                state: self.release.phase(),
                blue_image: self.release.blue_image().map(ToString::to_string),
                green_image: self.release.green_image().map(ToString::to_string),
                canary_weight: self.release.weight(),
                user: actor.user.clone(),
                deploy_role: actor.role.clone(),
                torn_tail_cut: cut.take(),
                idempotency_key: keyed.map(|keyed| keyed.key.clone()),
                command_sha256: keyed.map(|keyed| keyed.command_sha256.clone()),
                seq,
                release_id: fact.release_id,
                prev_hash: self.head.hash.clone(),
            };
            let (line, hash) = record.to_line();
            lines.push_str(&line);
            lines.push('\n');
            self.note_revision(&record.event, seq);
            self.keys.note(&record);
            self.head = Head { seq, hash };
        }
        lines
    }
}

impl Record {
    fn fact(&self) -> Fact {
        Fact {
            at: self.timestamp,
            release_id: self.release_id.clone(),
            event: self.event.clone(),
        }
    }

    /// A key says nothing without the command it stands for, nor the other way round.
    fn names_its_command(&self) -> Result<(), String> {
        match (&self.idempotency_key, &self.command_sha256) {
            (None, None) => Ok(()),
            (Some(_), Some(digest)) if is_hash(digest) => Ok(()),
            _ => Err(
                "says idempotency_key or command_sha256 without the other, or in another form"
                    .to_string(),
            ),
        }
    }

    /// Whether the state it says is the state the events lead to; else what differs.
    fn agrees_with(&self, release: &Release) -> Result<(), String> {
        let differs = |what: &str, says: &str, leads_to: &str| {
            let why = message!(
                "says {} {}, but the events lead to {}",
                what,
                says,
                leads_to
            );
            Err(why.text())
        };
        if self.state != release.phase() {
            return differs("state", self.state.name(), release.phase().name());
        }
        if self.canary_weight != release.weight() {
            let (says, leads_to) = (self.canary_weight.text(), release.weight().text());
            return differs("canary_weight", &says, &leads_to);
        }
        let image = |image: Option<&str>| match image {
            Some(image) => message!("{?}", image).text(),
            None => String::from("none"),
        };
        let blue = (self.blue_image.as_deref(), release.blue_image());
        let green = (self.green_image.as_deref(), release.green_image());
        for (what, (says, leads_to)) in [("blue_image", blue), ("green_image", green)] {
            if says != leads_to {
                return differs(what, &image(says), &image(leads_to));
            }
        }
        Ok(())
    }

    /// Reads one line (without its newline) on its own: its bytes have the hash they carry, and are a
    /// record. Its place in a chain is for [`Ledger::accept`] to check.
    ///
    /// # Errors
    /// What does not hold.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        verify_bytes(line)?;
        Self::of_line(line)
    }

    /// The record's line without a newline, and its hash.
    fn to_line(&self) -> (String, String) {
        // Serialising these types cannot fail: no maps with other keys than strings, no foreign Serialize.
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut line = ascii_json(&json);
        line.pop();
        let hash = sha256_hex(line.as_bytes());
        line.push_str(HASH_KEY);
        line.push_str(&hash);
        line.push_str("\"}");
        (line, hash)
    }
}

/// The first whole line, without its newline, and what follows it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = bytes.split_at_checked(end)?;
    Some((line, after.get(1..)?))
}

/// The hash a line carries, if its bytes before have it.
fn verify_bytes(line: &[u8]) -> Result<&str, String> {
    let tail = HASH_KEY.len().saturating_add(64).saturating_add(2);
    let at = line
        .len()
        .checked_sub(tail)
        .ok_or("is too short to carry a hash")?;
    let (body, end) = line
        .split_at_checked(at)
        .ok_or("is too short to carry a hash")?;
    let hash = core::str::from_utf8(end)
        .ok()
        .and_then(|end| end.strip_prefix(HASH_KEY))
        .and_then(|end| end.strip_suffix("\"}"))
        .filter(|hash| is_hash(hash))
        .ok_or("does not end in ,\"hash\":\"…\"} with 64 lower-case hex digits")?;
    if sha256_hex(body) != hash {
        return Err("its bytes do not have the hash they carry".to_string());
    }
    Ok(hash)
}

/// The parser's words quote the line, so they are escaped, and cut: escaping makes them longer.
fn unreadable(why: &str) -> String {
    let why = printable(why);
    message!("verifies, but cannot be read: {}", beginning(&why, 200).0).text()
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex_of(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
