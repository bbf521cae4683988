//! Why a command was refused: what was found, and what would be allowed.

use alloc::string::String;
use core::fmt;

use super::{Phase, Weight};
use crate::document::Document;
use crate::role::InvalidRole;
use crate::text::{message, number};

/// A refusal. It changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The actor's role does not permit it. Refused before anything else is looked at.
    Role {
        /// What was asked.
        words: &'static str,
        /// The role seen and those allowed.
        role: InvalidRole,
    },
    /// `FEATURE_BLUE_GREEN=false`.
    KillSwitch {
        /// What was asked.
        words: &'static str,
    },
    /// The state does not allow it.
    State {
        /// What was asked.
        words: &'static str,
        /// The state found.
        state: Phase,
        /// The commands allowed from it.
        allowed: &'static str,
    },
    /// The weight is none.
    InvalidWeight {
        /// The number seen.
        found: i64,
    },
    /// The weight does not rise.
    NotRising {
        /// The weight asked for.
        new: Weight,
        /// The weight in force.
        current: Weight,
    },
    /// The weight is not the plan's next.
    NotInPlan {
        /// What was asked.
        words: &'static str,
        /// The weight asked for.
        found: Weight,
        /// The plan's next step, in words.
        expected: String,
    },
    /// The plan is not that far.
    NotYet {
        /// What was asked.
        words: &'static str,
        /// What is missing.
        why: String,
    },
    /// A value of the command itself is wrong.
    Invalid {
        /// What was asked.
        words: &'static str,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// The same user has given another command under the same key before.
    KeyReused {
        /// What was asked.
        words: &'static str,
        /// The key.
        key: String,
        /// The first record of the command it stands for.
        seq: u64,
    },
}

impl Rejection {
    /// What it displays.
    pub fn text(&self) -> String {
        match self {
            Rejection::Role { words, role } => {
                message!("{} refused: {}", words, &role.text()).text()
            }
            Rejection::KillSwitch { words } => message!(
                "Cannot {}: FEATURE_BLUE_GREEN is set and not true, which is the kill switch; allowed: rollback, pause, status, audit",
                words
            )
            .text(),
            Rejection::State {
                words,
                state,
                allowed,
            } => message!(
                "Cannot {} from state {}; allowed: {}",
                words,
                state.name(),
                allowed
            )
            .text(),
            Rejection::InvalidWeight { found } => {
                let found = Document::Integer(*found).seen();
                message!("Invalid canary weight {} (must be 0-100)", &found).text()
            }
            Rejection::NotRising { new, current } => message!(
                "New weight {}% must be greater than current {}%",
                &new.text(),
                &current.text()
            )
            .text(),
            Rejection::NotInPlan {
                words,
                found,
                expected,
            } => message!(
                "Cannot {} to {}%: the plan's next step is {}",
                words,
                &found.text(),
                expected
            )
            .text(),
            Rejection::NotYet { words, why } | Rejection::Invalid { words, why } => {
                message!("Cannot {}: {}", words, why).text()
            }
            Rejection::KeyReused { words, key, seq } => message!(
                "Cannot {}: idempotency key {} stands for another command, that of record {}; allowed: a key that is new, or the same command again",
                words,
                key,
                &number(*seq)
            )
            .text(),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl core::error::Error for Rejection {}
