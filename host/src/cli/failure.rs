//! Errors as a person or a program reads them: on stderr, everything that is wrong at once.

use halcyon_core::regions::{ConfigError, FailoverError};
use halcyon_core::release::Rejection;
use halcyon_core::text::{ascii_json, for_screen};
use serde::Serialize;

use super::{Exit, Output, out};
use crate::journal::JournalError;

/// Why a command ends otherwise than done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// Everything that is wrong.
    pub problems: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// An error as a program reads it, after RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    detail: String,
    problems: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    exit_code: u8,
}

impl Failure {
    /// One problem.
    pub fn new(exit: Exit, problem: impl Into<String>) -> Self {
        Self {
            exit,
            problems: vec![problem.into()],
            hint: None,
        }
    }

    /// Usage or configuration problems.
    pub fn usage(problems: Vec<String>) -> Self {
        Self {
            exit: Exit::Usage,
            problems,
            hint: None,
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Writes it to stderr.
    pub fn print(&self, output: Output) {
        match output {
            Output::Human => {
                for problem in &self.problems {
                    // Reasons of other people among it: nothing of theirs may steer this terminal or begin a line.
                    let problem = for_screen(problem);
                    out::talk(format_args!(
                        "{RED}error:{RED:#} {problem}",
                        RED = super::style::ERROR
                    ));
                }
                if let Some(hint) = &self.hint {
                    out::talk(hint);
                }
            }
            Output::Json | Output::Jsonl if self.problems.is_empty() => {}
            Output::Json | Output::Jsonl => {
                let problem = Problem {
                    r#type: "about:blank",
                    title: self.exit.title(),
                    detail: self.problems.join("; "),
                    problems: &self.problems,
                    hint: self.hint.as_deref(),
                    exit_code: self.exit.code(),
                };
                let json = serde_json::to_string(&problem).unwrap_or_default();
                out::talk(ascii_json(&json));
            }
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.0)
    }
}

impl From<FailoverError> for Failure {
    fn from(error: FailoverError) -> Self {
        match error {
            FailoverError::SingleRegion(_) => Self::new(Exit::Failed, error.to_string()),
            FailoverError::Config(error) => error.into(),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let exit = match &error {
            JournalError::Refused(Rejection::Role { .. }) => Exit::NotPermitted,
            JournalError::Refused(Rejection::InvalidWeight { .. } | Rejection::Invalid { .. }) => {
                Exit::Usage
            }
            JournalError::Refused(_) => Exit::Refused,
            JournalError::Corrupt { .. } => Exit::AuditBroken,
            JournalError::Moved
            | JournalError::Full { .. }
            | JournalError::Io { .. }
            | JournalError::ReadOnly { .. }
            | JournalError::Locked { .. } => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

/// Writing to stdout failed: whoever read it has gone.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // As a program ends that SIGPIPE kills: 128 + 13, without a word.
            return Self {
                exit: Exit::Signalled(141),
                problems: Vec::new(),
                hint: None,
            };
        }
        Self::new(Exit::Failed, format!("cannot write to stdout: {error}"))
    }
}
