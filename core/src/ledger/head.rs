//! The end of a chain, as it is noted elsewhere.

use alloc::format;
use alloc::string::{String, ToString};

use super::{GENESIS, is_hash};
use crate::text::Seen;

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
        write!(f, "{}:{}", self.seq, self.hash)
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
        let (seq, hash) = text.split_once(':').unwrap_or((text, ""));
        match seq.parse() {
            Ok(number)
                if is_hash(hash) && number > 0 && seq.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Ok(Self {
                    seq: number,
                    hash: hash.to_string(),
                })
            }
            _ => Err(format!(
                "{} is no head; allowed: SEQ:HASH, a record's number from 1 and its 64 lower-case hex digits",
                Seen(text)
            )),
        }
    }
}
