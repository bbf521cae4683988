//! What `audit verify` and `status` say, for every surface.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::{Head, Ledger, verify};
use crate::release::Status;

/// What verification of a whole journal found, in the members of `halcyon audit verify -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Whether every hash and every link holds, and the expected head.
    pub valid: bool,
    /// How many records verify.
    pub records: u64,
    /// The last of them, `SEQ:HASH`.
    pub head: String,
    /// Bytes after the last newline.
    pub torn_tail: u64,
    /// What does not hold.
    pub errors: Vec<String>,
    /// What no verification of this kind shows.
    pub cannot_rule_out: Vec<&'static str>,
}

impl AuditReport {
    /// Of a journal's bytes; with `expected`, that record must be among them and have that hash.
    ///
    /// ```
    /// use halcyon_core::ledger::AuditReport;
    /// let report = AuditReport::of(b"half a line", None);
    /// assert_eq!((report.valid, report.records, report.torn_tail), (true, 0, 11));
    /// ```
    pub fn of(journal: &[u8], expected: Option<&Head>) -> Self {
        let found = verify(Ledger::default(), journal, expected);
        let cut =
            "records cut off the end, unless a head noted elsewhere is given with --expect-head";
        let rewritten = "a chain written anew from the start by somebody who may write the file";
        Self {
            valid: found.errors.is_empty(),
            records: found.head.seq,
            head: found.head.text(),
            torn_tail: u64::try_from(found.torn_tail).unwrap_or(u64::MAX),
            errors: found.errors,
            cannot_rule_out: match expected {
                Some(_) => Vec::from(["records appended and cut off after the expected head"]),
                None => Vec::from([cut, rewritten]),
            },
        }
    }
}

/// The state of releases, and who drives, in the members of `halcyon status -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// The state.
    #[serde(flatten)]
    pub status: Status,
    /// Whether a process drives the release.
    pub driver: bool,
    /// The end of the audit chain, `SEQ:HASH`.
    pub audit_head: String,
}

impl Ledger {
    /// The state as every surface shows it. `driver` says whether a process drives the release: nothing
    /// happens by itself where nobody does.
    ///
    /// ```
    /// use halcyon_core::ledger::Ledger;
    /// let report = Ledger::default().status(false);
    /// assert!(report.audit_head.starts_with("0:0000"));
    /// ```
    pub fn status(&self, driver: bool) -> StatusReport {
        let mut status = self.release.status();
        status.next_deadline = status.next_deadline.filter(|_| driver);
        StatusReport {
            status,
            driver,
            audit_head: self.head.text(),
        }
    }
}
