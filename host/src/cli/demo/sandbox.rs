//! Where the demo happens: a directory of its own, and every process that was started for it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use tokio::process::{Child, Command};

use super::super::{Exit, Failure};

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a terminal needs of the caller's environment. Nothing else of it reaches the demo's processes.
const TERMINAL: [&str; 6] = ["TERM", "COLORTERM", "COLUMNS", "NO_COLOR", "LANG", "PATH"];

/// The directory, and the processes.
pub(super) struct Sandbox {
    path: PathBuf,
    started: Mutex<Vec<Pid>>,
}

impl Sandbox {
    /// An empty one.
    pub(super) fn new() -> Result<Self, Failure> {
        let name = format!("halcyon-demo-{}", std::process::id());
        // Absolute, as the processes work in there.
        let path = std::path::absolute(std::env::temp_dir())?.join(&name);
        let made = std::fs::create_dir(&path).map(|()| path).or_else(|_| {
            // A container image with nothing but the program has no /tmp; its working directory is writable.
            let path = std::env::current_dir()?.join(&name);
            std::fs::create_dir(&path).map(|()| path)
        });
        let path =
            made.map_err(|why| failed(&format!("cannot create a directory {name}: {why}")))?;
        let started = Mutex::default();
        Ok(Self { path, started })
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A command of this program, in the directory and with these variables alone.
    pub(super) fn command(
        &self,
        arguments: &[&str],
        variables: &[(&str, String)],
    ) -> Result<Command, Failure> {
        let program = std::env::current_exe();
        let program = program.map_err(|why| failed(&format!("cannot find this program: {why}")))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .current_dir(&self.path)
            .stdin(Stdio::null())
            // Ctrl-C at the terminal is the demo's to act on.
            .process_group(0)
            .kill_on_drop(true);
        for name in TERMINAL {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        Ok(command)
    }

    /// Starts it, and remembers it.
    pub(super) fn spawn(&self, command: &mut Command) -> Result<Child, Failure> {
        let child = command.spawn();
        let child = child.map_err(|why| failed(&format!("cannot start a process: {why}")))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.extend(pid);
        drop(started);
        Ok(child)
    }

    /// How many are not gone after a while. They have been ended, or were killed when nobody held them any more.
    pub(super) async fn left_running(&self) -> usize {
        let begin = Instant::now();
        loop {
            let left = {
                let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
                started.retain(|pid| test_kill_process(*pid).is_ok());
                started.len()
            };
            if left == 0 || begin.elapsed() > PATIENCE {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Removes the directory.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        std::fs::remove_dir_all(&self.path).map_err(|why| {
            let path = self.path.display();
            failed(&format!("cannot remove {path}: {why}"))
        })
    }
}

fn failed(why: &str) -> Failure {
    Failure::new(Exit::Failed, why)
}
