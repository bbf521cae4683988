//! `halcyon demo`: the main job on one machine, with real processes.

mod commands;
mod crowd;
mod pools;
mod process;
mod region;
mod stage;
mod story;
mod traffic;

use std::path::{Path, PathBuf};

use super::{Exit, Failure, Invocation};
use crate::driver::{Signal, signals};

/// The topology file, in the demo's directory.
const TOPOLOGY: &str = "topology.toml";

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Keep the journal and the regions' logs, and say where they are
    #[arg(long)]
    keep: bool,
}

/// Plays the story, then ends every process and removes every file it made, Ctrl-C included.
pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let directory = Directory::new()?;
    let told = super::release::runtime()?.block_on(async {
        let mut interrupted = signals().map_err(|why| {
            Failure::new(Exit::Failed, format!("cannot listen to signals: {why}"))
        })?;
        tokio::select! {
            told = story::tell(&directory.path, args.keep, invocation) => told.map(|()| Exit::Done),
            seen = interrupted.wait_for(Option::is_some) => {
                let signal = seen.ok().and_then(|seen| *seen).unwrap_or(Signal::Interrupt);
                Ok(Exit::Signalled(signal.exit_code()))
            }
        }
    });
    if args.keep {
        invocation.say(format!("kept: {}", directory.keep().display()));
    }
    told
}

/// A directory of its own that goes when it is dropped.
struct Directory {
    path: PathBuf,
    keep: bool,
}

impl Directory {
    fn new() -> Result<Self, Failure> {
        let name = format!("halcyon-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        let made = std::fs::create_dir(&path).map(|()| path).or_else(|_| {
            // A container image with nothing but the program has no /tmp; its working directory is writable.
            let path = std::env::current_dir()?.join(&name);
            std::fs::create_dir(&path).map(|()| path)
        });
        let path = made.map_err(|why| {
            Failure::new(
                Exit::Failed,
                format!("cannot create a directory {name}: {why}"),
            )
        })?;
        Ok(Self { path, keep: false })
    }

    fn keep(mut self) -> PathBuf {
        self.keep = true;
        self.path.clone()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// This program, for the processes the demo starts.
fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|why| Failure::new(Exit::Failed, format!("cannot find this program: {why}")))
}

/// A command that sees nothing of the caller's environment but what a terminal needs.
fn command(
    arguments: &[&str],
    variables: &[(&str, String)],
    directory: &Path,
) -> Result<tokio::process::Command, Failure> {
    let mut command = tokio::process::Command::new(program()?);
    command
        .args(arguments)
        .env_clear()
        .current_dir(directory)
        .kill_on_drop(true);
    for name in ["TERM", "COLORTERM", "COLUMNS", "NO_COLOR", "LANG", "PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    Ok(command)
}
