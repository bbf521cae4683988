//! What can go wrong with a journal.

use halcyon_core::release::Rejection;

use super::Holder;

/// Why a journal was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The machine refused the command; nothing but possibly the refusal itself was written.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// Somebody else appended in between; nothing was written.
    #[error("the journal has moved on")]
    Moved,
    /// Bytes that end in a newline do not verify.
    #[error("journal {path} is corrupt: {why}")]
    Corrupt {
        /// The file.
        path: String,
        /// What does not hold.
        why: String,
    },
    /// The disk is full; the file is as it was before.
    #[error(
        "journal {path}: no space left to write ({why}); nothing was written, a later attempt may succeed"
    )]
    Full {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The system refused.
    #[error("cannot {doing} journal {path}: {why}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// An earlier write or fsync failed, so nothing is written to this file any more: a retried fsync
    /// can succeed falsely.
    #[error("the journal is read-only in this process: {why}")]
    ReadOnly {
        /// What failed.
        why: String,
    },
    /// Another process has held the append lock for too long.
    #[error(
        "journal {dir} is locked: {} has held {dir}/{name} for {seconds} s{}",
        Holder::name(*holder),
        if holder.is_none() { "; is it stopped?" } else { "" }
    )]
    Locked {
        /// The directory.
        dir: String,
        /// The lock file.
        name: &'static str,
        /// How long was waited.
        seconds: u64,
        /// Who has it, where that can be known.
        holder: Option<Holder>,
    },
}
