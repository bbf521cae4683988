//! Why a command was refused: what was found, and what would be allowed.

use alloc::string::String;

use super::{Phase, Weight};
use crate::role::InvalidRole;

/// A refusal. It changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The actor's role does not permit it. Refused before anything else is looked at.
    #[error("{words} refused: {role}")]
    Role {
        /// What was asked.
        words: &'static str,
        /// The role seen and those allowed.
        role: InvalidRole,
    },
    /// `FEATURE_BLUE_GREEN=false`.
    #[error(
        "Cannot {words}: FEATURE_BLUE_GREEN is set and not true, which is the kill switch; allowed: rollback, pause, status, audit"
    )]
    KillSwitch {
        /// What was asked.
        words: &'static str,
    },
    /// The state does not allow it.
    #[error("Cannot {words} from state {state}; allowed: {allowed}")]
    State {
        /// What was asked.
        words: &'static str,
        /// The state found.
        state: Phase,
        /// The commands allowed from it.
        allowed: &'static str,
    },
    /// The weight is none.
    #[error("Invalid canary weight {found} (must be 0-100)")]
    InvalidWeight {
        /// The number seen.
        found: i64,
    },
    /// The weight does not rise.
    #[error("New weight {new}% must be greater than current {current}%")]
    NotRising {
        /// The weight asked for.
        new: Weight,
        /// The weight in force.
        current: Weight,
    },
    /// The weight is not the plan's next.
    #[error("Cannot {words} to {found}%: the plan's next step is {expected}")]
    NotInPlan {
        /// What was asked.
        words: &'static str,
        /// The weight asked for.
        found: Weight,
        /// The plan's next step, in words.
        expected: String,
    },
    /// The plan is not that far.
    #[error("Cannot {words}: {why}")]
    NotYet {
        /// What was asked.
        words: &'static str,
        /// What is missing.
        why: String,
    },
    /// A value of the command itself is wrong.
    #[error("Cannot {words}: {why}")]
    Invalid {
        /// What was asked.
        words: &'static str,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// The same user has given another command under the same key before.
    #[error(
        "Cannot {words}: idempotency key {key} stands for another command, that of record {seq}; allowed: a key that is new, or the same command again"
    )]
    KeyReused {
        /// What was asked.
        words: &'static str,
        /// The key.
        key: String,
        /// The first record of the command it stands for.
        seq: u64,
    },
}
