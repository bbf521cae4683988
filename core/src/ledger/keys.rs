//! Commands with a key: given twice, they take effect once.
//!
//! The records a keyed command brings about carry the key and a digest of the command, so what is
//! remembered is a pure function of the journal, the same after a crash and in every process.

use alloc::string::{String, ToString};
use core::fmt;
use core::ops::RangeInclusive;
use serde::{Deserialize, Serialize};

use super::{Ledger, Record, sha256_hex};
use crate::release::{Command, Context, Rejection};
use crate::sorted::Sorted;
use crate::text::{count, message};

/// How many keyed commands are remembered. A key that so many younger ones have pushed out is new again.
pub const KEYS_REMEMBERED: usize = 1024;

/// The most characters a key may have.
const KEY_MAX: usize = 255;

/// What a client calls one command by, so that it may ask again when it heard no answer: 1 to 255
/// visible ASCII characters. It is what a control API takes as `Idempotency-Key`.
///
/// ```
/// use halcyon_core::ledger::Key;
/// assert_eq!(Key::parse("8e03978e-40d5").unwrap().as_str(), "8e03978e-40d5");
/// assert!(Key::parse("two words").unwrap_err().contains("visible ASCII"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// The text seen and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > KEY_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            let most = count(KEY_MAX);
            return Err(message!(
                "{?} is no idempotency key; allowed: 1 to {} visible ASCII characters, no blanks",
                text,
                &most
            )
            .text());
        }
        Ok(Self(text.to_string()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.0
    }
}

/// What the records of a keyed command carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The key.
    pub key: Key,
    /// SHA-256 of the command's canonical JSON, 64 lower-case hex digits.
    pub command_sha256: String,
}

impl Keyed {
    /// A command under a key.
    pub fn new(key: &Key, command: &Command) -> Self {
        // Serialising a command cannot fail: no maps with other keys than strings, no foreign Serialize.
        let json = serde_json::to_vec(command).unwrap_or_default();
        Self {
            key: key.clone(),
            command_sha256: sha256_hex(&json),
        }
    }
}

/// A remembered command.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remembered {
    command_sha256: String,
    /// Its records.
    first: u64,
    last: u64,
}

/// Who used which key.
type Owner = (String, Key);

/// The last [`KEYS_REMEMBERED`] keyed commands of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Keys {
    commands: Sorted<Owner, Remembered>,
}

impl Keys {
    /// Takes note of a record.
    pub(super) fn note(&mut self, record: &Record) {
        let (Some(key), Some(command_sha256)) = (&record.idempotency_key, &record.command_sha256)
        else {
            return;
        };
        let owner = (record.user.clone(), key.clone());
        match self.commands.get_mut(&owner) {
            // A command's second record: nobody else could append between the two.
            Some(known)
                if known.command_sha256 == *command_sha256
                    && known.last.checked_add(1) == Some(record.seq) =>
            {
                known.last = record.seq;
            }
            _ => self.remember(owner, command_sha256, record.seq),
        }
    }

    fn remember(&mut self, owner: Owner, command_sha256: &str, seq: u64) {
        let command = Remembered {
            command_sha256: command_sha256.to_string(),
            first: seq,
            last: seq,
        };
        self.commands.insert(owner, command);
        if self.commands.len() > KEYS_REMEMBERED {
            // The oldest, as no two begin with one record.
            self.commands.remove_least(|command| command.first);
        }
    }
}

impl Ledger {
    /// The records that this very command brought about when the same user gave it under the same
    /// key before; none if it is new. Keys of other users do not count.
    ///
    /// # Errors
    /// For the role first; then [`Rejection::KeyReused`] when the key stands for another command.
    pub fn recall(
        &self,
        key: &Key,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Option<RangeInclusive<u64>>, Rejection> {
        let words = command.words();
        context
            .actor
            .authorise()
            .map_err(|role| Rejection::Role { words, role })?;
        let owner = (context.actor.user.clone(), key.clone());
        match self.keys.commands.get(&owner) {
            None => Ok(None),
            Some(known) if known.command_sha256 == Keyed::new(key, command).command_sha256 => {
                Ok(Some(known.first..=known.last))
            }
            Some(known) => Err(Rejection::KeyReused {
                words,
                key: key.to_string(),
                seq: known.first,
            }),
        }
    }
}
