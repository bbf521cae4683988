//! Exit codes: the contract of the command line with scripts.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, healthy, valid, verified. A completed `rollback` too.
    Done,
    /// 1: failed: I/O, network, not healthy, no failover region.
    Failed,
    /// 2: usage or configuration.
    Usage,
    /// 3: failed and rolled back, or never provisioned: blue is serving.
    RolledBack,
    /// 4: not permitted.
    NotPermitted,
    /// 5: refused by the state or a safety rule.
    Refused,
    /// 6: the audit chain is broken, or an expected head does not hold.
    AuditBroken,
    /// 7: the rollback is incomplete, and a person is needed.
    RollbackIncomplete,
    /// 124: the deadline ran out.
    DeadlineRanOut,
    /// 128 and a signal's number: 130 for Ctrl-C.
    Signalled(u8),
}

impl Exit {
    /// Its number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::RolledBack => 3,
            Exit::NotPermitted => 4,
            Exit::Refused => 5,
            Exit::AuditBroken => 6,
            Exit::RollbackIncomplete => 7,
            Exit::DeadlineRanOut => 124,
            Exit::Signalled(code) => code,
        }
    }

    /// What it means, as the title of a problem object.
    pub fn title(self) -> &'static str {
        match self {
            Exit::Done => "Done",
            Exit::Failed => "Failed",
            Exit::Usage => "Usage or configuration",
            Exit::RolledBack => "Rolled back",
            Exit::NotPermitted => "Not permitted",
            Exit::Refused => "Refused",
            Exit::AuditBroken => "Audit chain broken",
            Exit::RollbackIncomplete => "Rollback incomplete",
            Exit::DeadlineRanOut => "Deadline ran out",
            Exit::Signalled(_) => "Interrupted",
        }
    }

    /// Every code with its meaning, for `--help` and the reference page.
    pub const TABLE: &'static [(u8, &'static str)] = &[
        (
            0,
            "done (a completed rollback too), healthy, valid, verified",
        ),
        (1, "failed: I/O, network, not healthy, no failover region"),
        (2, "usage or configuration"),
        (
            3,
            "failed and rolled back, or never provisioned: blue is serving",
        ),
        (4, "not permitted"),
        (5, "refused by the state or a safety rule"),
        (6, "audit chain broken, or an expected head does not hold"),
        (7, "rollback incomplete: a person is needed"),
        (124, "--deadline ran out"),
        (130, "Ctrl-C"),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
