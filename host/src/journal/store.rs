//! What a journal is kept in, behind a trait: a log of lines that several processes share.

use std::ops::Range;

use halcyon_core::ledger::Head;

use super::JournalError;

/// A log of lines with one way to write to it: a compare-and-swap on its head.
///
/// It knows no more of a line than that it ends in a newline and carries its hash; whoever reads verifies.
/// What has been swapped in once stays where it is for good, and nothing is ever put in before it.
pub trait Store {
    /// The lines behind what is known, from the first one where nothing is. None where what is known no
    /// longer stands there.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn read(&mut self, known: &Mark) -> Result<Option<Found>, JournalError>;

    /// Lines that were read before.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn read_again(&mut self, span: &Span) -> Result<Vec<u8>, JournalError>;

    /// Makes durable what was read up to here. Nothing to do where nothing else can be read.
    ///
    /// # Errors
    /// When it may not be durable.
    fn make_durable(&mut self, known: &Mark) -> Result<(), JournalError>;

    /// Appends `lines`, all of them or none, exactly if the head is still the expected one and as many
    /// bytes of an unfinished line stand behind it, which are cut off. They are durable when it returns.
    ///
    /// Without lines it says whether the head is still the expected one; then that is durable, and no
    /// append under way can take any of it back.
    ///
    /// # Errors
    /// Whether it has moved, has failed, or may have been done. After the last one the same lines may be
    /// swapped in again for the same head, as whichever comes second finds that it has moved.
    fn swap(&mut self, expected: &Mark, lines: &str) -> Result<Option<Origin>, NotSwapped>;

    /// Whether the last record that was read may be gone again: one whose append then failed.
    fn takes_back(&self) -> bool {
        false
    }

    /// Why nothing is appended any more, where that is so until the process is started again.
    fn stopped(&self) -> Option<JournalError> {
        None
    }

    /// Its name for messages.
    fn place(&self) -> String;
}

/// Which log it is: another one under the same name has another origin.
pub type Origin = (u64, u64);

/// What somebody knows of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// The last record.
    pub head: Head,
    /// How many bytes the lines up to it have, newlines included.
    pub bytes: u64,
    /// How many bytes of an unfinished line stand behind it.
    pub torn: u64,
    /// Which log it was; none where nobody has seen one.
    pub origin: Option<Origin>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Whole lines, each with its newline.
    pub lines: Vec<u8>,
    /// How many bytes of an unfinished line stand behind them.
    pub torn: u64,
    /// Which log it is; none where there is none yet.
    pub origin: Option<Origin>,
}

/// Neighbouring records, by number and by where their lines stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Their numbers.
    pub records: Range<u64>,
    /// Where their lines stand among all bytes.
    pub bytes: Range<u64>,
}

/// Why lines were not swapped in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSwapped {
    /// The head is another one; nothing was written.
    Moved,
    /// They were written, or not, or still may be: reading back tells.
    Unknown {
        /// What happened.
        why: String,
    },
    /// They are not to be taken as written, and not to be tried again as they are.
    Failed(JournalError),
}

impl From<JournalError> for NotSwapped {
    fn from(why: JournalError) -> Self {
        NotSwapped::Failed(why)
    }
}
