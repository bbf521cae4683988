//! How a release is shown: live on a terminal, a record a line elsewhere, one document under json.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use halcyon_core::ledger::Ledger;
use halcyon_core::release::{Command, Context, Release, Status};
use serde::Serialize;

use super::live::Live;
use crate::cli::style::{BLUE, DIM, ERROR, GOOD, WARN};
use crate::cli::{Failure, Invocation, Output, out, prose};
use crate::clock;
use crate::driver::{Doing, Observer};
use crate::journal::{Entry, Journal, JournalError};

/// The observer that suits the output.
pub(in crate::cli) fn observer(invocation: &Invocation) -> Arc<dyn Observer> {
    observer_with(Live::new, invocation)
}

/// The same for a release that a control plane drives: it says how regions are, and nothing of their pools.
pub(in crate::cli) fn observer_there(invocation: &Invocation) -> Arc<dyn Observer> {
    observer_with(Live::there, invocation)
}

fn observer_with(live: fn() -> Live, invocation: &Invocation) -> Arc<dyn Observer> {
    let terminal = invocation.stdout_is_terminal;
    match invocation.output {
        Output::Human if terminal && invocation.stderr_is_terminal => Arc::new(live()),
        Output::Human if terminal => Arc::new(Prose),
        Output::Human => Arc::new(Lines {
            output: Output::Human,
        }),
        Output::Jsonl => Arc::new(Lines {
            output: Output::Jsonl,
        }),
        Output::Json => Arc::new(Silent),
    }
}

/// Appends a command and shows what came of it. A refusal that was recorded is shown too, except to a
/// person, who is told anyway.
pub(in crate::cli) fn append(
    journal: &mut Journal,
    command: &Command,
    context: &Context<'_>,
    observer: &dyn Observer,
    invocation: &Invocation,
) -> Result<usize, JournalError> {
    match journal.append(command, context, None, clock::now()) {
        Ok(entries) => {
            entries.iter().for_each(|entry| observer.entry(entry));
            Ok(entries.len())
        }
        Err(why) => {
            let reads_records =
                invocation.output == Output::Jsonl || !invocation.stdout_is_terminal;
            if let Some(denial) = journal.take_denial().filter(|_| reads_records) {
                observer.entry(&denial);
            }
            if let Some(lost) = journal.take_unrecorded() {
                invocation.warn(&format!("the refusal is not on record: {lost}"));
            }
            Err(why)
        }
    }
}

/// Prose on stdout, for a terminal whose stderr goes elsewhere.
struct Prose;

impl Observer for Prose {
    fn entry(&self, entry: &Entry) {
        out::tell(prose::line(&entry.record));
    }
    fn state(&self, _: &Release, _: Option<Instant>) {}
    fn region(&self, _: &str, _: Doing) {}
    fn warn(&self, text: &str) {
        out::talk(format_args!(
            "{WARN}warning:{WARN:#} {}",
            prose::short(text)
        ));
    }
    fn close(&self) {}
}

/// Every record's own line on stdout.
struct Lines {
    output: Output,
}

impl Observer for Lines {
    fn entry(&self, entry: &Entry) {
        // A reader that has gone must not end a release.
        let _ =
            writeln!(std::io::stdout(), "{}", entry.line).and_then(|()| std::io::stdout().flush());
    }
    fn state(&self, _: &Release, _: Option<Instant>) {}
    fn region(&self, _: &str, _: Doing) {}
    fn warn(&self, text: &str) {
        warn(self.output, text);
    }
    fn close(&self) {}
}

/// Nothing but warnings: the answer is one document at the end.
struct Silent;

impl Observer for Silent {
    fn entry(&self, _: &Entry) {}
    fn state(&self, _: &Release, _: Option<Instant>) {}
    fn region(&self, _: &str, _: Doing) {}
    fn warn(&self, text: &str) {
        warn(Output::Json, text);
    }
    fn close(&self) {}
}

fn warn(output: Output, text: &str) {
    let line = match output {
        Output::Human => format!("warning: {}", prose::short(text)),
        Output::Json | Output::Jsonl => {
            crate::cli::invocation::json(&serde_json::json!({ "warning": text }))
        }
    };
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The state a command ends with.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    status: Status,
    audit_head: String,
}

/// Says where things stand: the audit head on stderr, prose on a terminal (of a release that is done on stderr
/// where there is none), a document under json.
pub(in crate::cli) fn outcome(ledger: &Ledger, invocation: &Invocation) -> Result<(), Failure> {
    let release = ledger.release();
    let status = release.status();
    let audit_head = ledger.head().to_string();
    let outcome = status.outcome;
    match invocation.output {
        Output::Json => {
            let answer = Answer { status, audit_head };
            invocation.answer(String::new, &answer)?;
        }
        Output::Jsonl => {
            let _ = writeln!(
                std::io::stderr(),
                "{}",
                crate::cli::invocation::json(
                    &serde_json::json!({ "outcome": outcome, "audit_head": audit_head })
                )
            );
        }
        Output::Human => {
            match invocation.stdout_is_terminal {
                true => out::tell(verdict(outcome, release)),
                // There the records are on stdout; how else it ended is an error's to say.
                false if outcome == "promoted" => out::talk(verdict(outcome, release)),
                false => {}
            }
            out::talk(format_args!("{DIM}audit head {audit_head}{DIM:#}"));
        }
    }
    Ok(())
}

fn verdict(outcome: &str, release: &Release) -> String {
    let blue = prose::short(release.blue_image().unwrap_or("nothing"));
    match (outcome, release.paused()) {
        ("promoted", _) => format!(
            "{GOOD}{blue} is live{GOOD:#}: green has 100 %, and the version before is kept to roll back to"
        ),
        ("rolled_back", _) => {
            format!("{ERROR}rolled back{ERROR:#}: {BLUE}{blue}{BLUE:#} serves everybody")
        }
        ("under_way", Some(why)) => format!(
            "{WARN}paused{WARN:#} in state {} at {} %: {}",
            release.phase(),
            release.weight(),
            prose::short(why)
        ),
        ("under_way", None) => format!(
            "under way in state {} at {} %",
            release.phase(),
            release.weight()
        ),
        _ => match release.blue_image() {
            Some(_) => format!("{BLUE}{blue}{BLUE:#} serves everybody; no release yet"),
            None => String::from("no release yet"),
        },
    }
}
