//! The end of a chain, as it is noted elsewhere.

use alloc::string::{String, ToString};

use super::{GENESIS, is_hash};
use crate::text::{cut, digits, message, number};

/// The end of a chain: the number and the hash of its last record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 for an empty journal.
    pub seq: u64,
    /// Its hash; 64 zeros for an empty journal.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_string(),
        }
    }
}

impl core::fmt::Display for Head {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.text())
    }
}

impl Head {
    /// Reads `SEQ:HASH`.
    ///
    /// ```
    /// use halcyon_core::ledger::Head;
    /// let text = format!("12:{}", "a".repeat(64));
    /// assert_eq!(Head::parse(&text).unwrap().seq, 12);
    /// ```
    ///
    /// # Errors
    /// What was seen and the form allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (seq, hash) = cut(text, b':').unwrap_or((text, ""));
        match digits(seq) {
            Some(seq @ 1..) if is_hash(hash) => Ok(Self {
                seq,
                hash: hash.to_string(),
            }),
            _ => Err(message!(
                "{?} is no head; allowed: SEQ:HASH, a record's number from 1 and its 64 lower-case hex digits",
                text
            )
            .text()),
        }
    }

    /// `SEQ:HASH`.
    pub(super) fn text(&self) -> String {
        message!("{}:{}", &number(self.seq), &self.hash).text()
    }
}
