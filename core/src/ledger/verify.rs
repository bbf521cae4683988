//! What an auditor asks of a journal's bytes.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Head, Ledger};
use crate::text::{count, message, number};

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The last record that verifies.
    pub head: Head,
    /// Bytes after the last newline.
    pub torn_tail: usize,
    /// What does not hold; nothing if all of it does.
    pub errors: Vec<String>,
}

/// Verifies the lines in `bytes` that follow what `ledger` holds; an empty ledger for a whole journal.
/// With `expected`, a head noted earlier, that record must be among them or be the ledger's last, and
/// have that hash: nothing else shows that records were cut off the end.
pub fn verify(mut ledger: Ledger, bytes: &[u8], expected: Option<&Head>) -> Verification {
    let mut errors = Vec::new();
    let mut hash_at_expected = expected
        .filter(|head| head.seq == ledger.head().seq)
        .map(|_| ledger.head().hash.clone());
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    let mut good: usize = 0;
    let found = ledger.read(bytes, |head, _, _| {
        good = good.saturating_add(1);
        if expected.is_some_and(|expected| expected.seq == head.seq) {
            hash_at_expected = Some(head.hash.clone());
        }
    });
    if let Err(why) = found {
        let after = lines.saturating_sub(good).saturating_sub(1);
        message!(
            "{}; {} line(s) after it are not verified",
            &why.text(),
            &count(after)
        )
        .say(&mut errors);
    }
    if let Some(head) = expected {
        let seq = number(head.seq);
        match hash_at_expected {
            None => message!(
                "expected head {}: the chain ends at record {}",
                &seq,
                &number(ledger.head().seq)
            )
            .say(&mut errors),
            Some(hash) if hash != head.hash => message!(
                "expected head {}: that record has another hash, {}",
                &seq,
                &hash
            )
            .say(&mut errors),
            Some(_) => {}
        }
    }
    let torn_tail = bytes.iter().rev().take_while(|byte| **byte != b'\n');
    Verification {
        torn_tail: torn_tail.count(),
        head: ledger.head().clone(),
        errors,
    }
}
