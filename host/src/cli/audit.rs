//! `halcyon audit verify` and `halcyon audit tail`.

use std::io::Write;
use std::time::Duration;

use halcyon_core::ledger::{AuditReport, GENESIS, Head};

use super::control::StoreArgs;
use super::style::{DIM, ERROR, GOOD, WARN};
use super::{Exit, Failure, Invocation, Output, prose};
use crate::journal::{DirStorage, Journal, JournalError, Storage};

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check every record's hash and its place in the chain
    Verify(VerifyArgs),
    /// Show the last records
    Tail(TailArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// A head noted earlier: that record must still be there, with that hash
    #[arg(long, value_name = "SEQ:HASH", allow_hyphen_values = true)]
    expect_head: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct TailArgs {
    /// How many records
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    lines: usize,
    /// Go on showing new ones until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs either.
pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    match args.command {
        Command::Verify(args) => verify(args, invocation),
        Command::Tail(args) => tail(args, invocation),
    }
}

fn verify(args: VerifyArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &args.store.over(invocation);
    let settings = invocation.settings_of_store();
    let expected = args.expect_head.as_deref().map(Head::parse).transpose();
    let (settings, expected) = match (settings, expected) {
        (Ok(settings), Ok(expected)) => (settings, expected),
        (settings, expected) => {
            let flag = expected.err().map(|why| format!("--expect-head: {why}"));
            let rest = settings
                .err()
                .map(|failure| failure.problems)
                .unwrap_or_default();
            return Err(Failure::usage(flag.into_iter().chain(rest).collect()));
        }
    };
    let mut storage = DirStorage::new(&settings.store_dir);
    let fail = |doing, why: std::io::Error, path| {
        Failure::from(JournalError::Io {
            doing,
            path,
            why: why.to_string(),
        })
    };
    let bytes = match storage
        .open(false)
        .map_err(|why| fail("open", why, storage.path()))?
    {
        Some(mut file) => file
            .read_from(0)
            .map_err(|why| fail("read", why, storage.path()))?,
        None => {
            invocation.warn(&absent(storage.path()));
            Vec::new()
        }
    };
    let found = AuditReport::of(&bytes, expected.as_ref());
    invocation.answer(|| human(&found), &found)?;
    Ok(if found.valid {
        Exit::Done
    } else {
        Exit::AuditBroken
    })
}

/// Of a place that may be a mistaken one, nothing to verify is no good news.
fn absent(path: impl std::fmt::Display) -> String {
    format!("there is no journal at {path}; --store or HALCYON_STORE names another place")
}

fn human(found: &AuditReport) -> String {
    let mut lines = Vec::new();
    match found.valid {
        true => lines.push(format!(
            "{GOOD}verified{GOOD:#}: {} record(s), every hash and every link holds",
            found.records
        )),
        false => lines.push(format!(
            "{ERROR}broken{ERROR:#} after {} good record(s)",
            found.records
        )),
    }
    lines.extend(
        found
            .errors
            .iter()
            .map(|error| format!("{ERROR}error:{ERROR:#} {error}")),
    );
    if found.torn_tail > 0 {
        lines.push(format!(
            "{WARN}warning:{WARN:#} {} byte(s) after the last newline: an append that never finished. Readers ignore them, the next append cuts them off",
            found.torn_tail
        ));
    }
    if !found.head.ends_with(GENESIS) {
        lines.push(format!("head {}", found.head));
    }
    lines.extend(
        found
            .cannot_rule_out
            .iter()
            .map(|what| format!("{DIM}cannot rule out: {what}{DIM:#}")),
    );
    lines.join("\n")
}

fn tail(args: TailArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &args.store.over(invocation);
    if args.follow && invocation.output == Output::Json {
        return Err(Failure::new(
            Exit::Usage,
            "--follow: has no end, and json is one document; allowed: -o human, -o jsonl",
        ));
    }
    let dir = invocation.store_dir()?;
    let mut storage = DirStorage::new(&dir);
    if matches!(storage.open(false), Ok(None)) {
        invocation.warn(&absent(storage.path()));
    }
    let (mut journal, entries) = Journal::open_with_entries(dir)?;
    let from = entries.len().saturating_sub(args.lines);
    let mut stdout = anstream::stdout();
    match invocation.output {
        Output::Json => {
            let lines: Vec<&str> = entries[from..]
                .iter()
                .map(|entry| entry.line.as_str())
                .collect();
            writeln!(stdout, "[{}]", lines.join(",\n"))?;
        }
        Output::Human => {
            for entry in &entries[from..] {
                writeln!(stdout, "{}", prose::long_line(&entry.record))?;
            }
        }
        Output::Jsonl => {
            for entry in &entries[from..] {
                writeln!(stdout, "{}", entry.line)?;
            }
        }
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    loop {
        stdout.flush()?;
        std::thread::sleep(Duration::from_millis(100));
        for entry in journal.refresh()? {
            match invocation.output {
                Output::Human => writeln!(stdout, "{}", prose::long_line(&entry.record))?,
                Output::Json | Output::Jsonl => writeln!(stdout, "{}", entry.line)?,
            }
        }
    }
}
