//! A store in a directory of its own, and the program at work on it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::command;

/// A directory with a store `logs` in it, which does not exist until something is written.
pub struct Store {
    dir: TempDir,
}

/// What a command ended with.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; 128 and the signal where one ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Ran {
    /// The same, after checking the exit code.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// The same, after checking that stderr holds this.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is not in stderr: {}",
            self.stderr
        );
        self
    }

    /// Stdout as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("{why}: {}", self.stdout))
    }

    /// Stdout as a JSON object a line.
    ///
    /// # Panics
    /// When a line is none.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        json_lines(&self.stdout)
    }
}

/// An object a line.
///
/// # Panics
/// When a line is none.
#[track_caller]
pub fn json_lines(text: &str) -> Vec<Value> {
    let parse =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    text.lines().map(parse).collect()
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// Nothing in it yet.
    ///
    /// # Panics
    /// When no temporary directory can be made.
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().expect("a temporary directory can be made"),
        }
    }

    /// The directory around the store; commands run in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The store's directory.
    pub fn logs(&self) -> PathBuf {
        self.dir().join("logs")
    }

    /// The journal's file.
    pub fn log(&self) -> PathBuf {
        self.logs().join("deploy_audit.log")
    }

    /// The journal's bytes; none where there is no journal.
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.log()).unwrap_or_default()
    }

    /// The journal's whole lines.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.bytes()).into_owned();
        text.split_inclusive('\n')
            .filter_map(|line| Some(line.strip_suffix('\n')?.to_owned()))
            .collect()
    }

    /// The journal's records.
    pub fn records(&self) -> Vec<Value> {
        json_lines(&self.lines().join("\n"))
    }

    /// The records' actions, without confirmations.
    pub fn actions(&self) -> Vec<String> {
        let actions = self
            .records()
            .into_iter()
            .map(|record| text(&record, "action"));
        actions
            .filter(|action| action != "region_confirmed")
            .collect()
    }

    /// A command on this store by ann, a Deployer, with fast probes; `environment` comes on top.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        environment: &[(&str, &str)],
    ) -> Command {
        let store = format!("file:{}", self.logs().display());
        let mut command = command(
            arguments,
            &[
                ("PATH", "/usr/local/bin:/usr/bin:/bin"),
                ("HALCYON_STORE", &store),
                ("DEPLOY_USER", "ann"),
                ("DEPLOY_RBAC_ROLE", "Deployer"),
                ("PROBE_INTERVAL_MS", "50"),
            ],
        );
        command
            .envs(environment.iter().copied())
            .current_dir(self.dir());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it does not end within a minute.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Ran {
        self.run_with(arguments, &[])
    }

    /// The same with other variables.
    ///
    /// # Panics
    /// When it does not end within a minute.
    #[track_caller]
    pub fn run_with<A: AsRef<OsStr>>(&self, arguments: &[A], environment: &[(&str, &str)]) -> Ran {
        Running::spawn(&mut self.command(arguments, environment)).ended()
    }

    /// Starts a command and goes on.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Running {
        self.start_with(arguments, &[])
    }

    /// The same with other variables.
    pub fn start_with<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        environment: &[(&str, &str)],
    ) -> Running {
        Running::spawn(&mut self.command(arguments, environment))
    }

    /// Waits until the journal's actions end in this one.
    ///
    /// # Panics
    /// When that takes more than 20 seconds.
    #[track_caller]
    pub fn wait_for(&self, action: &str) {
        self.wait_until(&format!("a last record {action}"), |records| {
            records
                .last()
                .is_some_and(|record| text(record, "action") == action)
        });
    }

    /// Waits until the records are such.
    ///
    /// # Panics
    /// When that takes more than 20 seconds.
    #[track_caller]
    pub fn wait_until(&self, what: &str, so: impl Fn(&[Value]) -> bool) {
        let begin = Instant::now();
        while !so(&self.records()) {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "waited for {what}: {:?}",
                self.actions()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A member that is text.
///
/// # Panics
/// When it is not there.
#[track_caller]
pub fn text(object: &Value, key: &str) -> String {
    match object[key].as_str() {
        Some(text) => text.to_owned(),
        None => panic!("no text {key} in {object}"),
    }
}

/// A program at work, killed when dropped.
pub struct Running {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

type Captured = (Arc<Mutex<Vec<u8>>>, Option<thread::JoinHandle<()>>);

impl Running {
    /// Starts it with both outputs captured.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = capture(child.stdout.take().expect("stdout is a pipe"));
        let stderr = capture(child.stderr.take().expect("stderr is a pipe"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        said(&self.stdout)
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        said(&self.stderr)
    }

    /// Sends it a signal, if it still lives.
    pub fn signal(&self, signal: Signal) {
        // Gone already is as good.
        let _ = kill_process(self.pid(), signal);
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn is_over(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_some()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within a minute.
    #[track_caller]
    pub fn ended(self) -> Ran {
        self.ended_within(Duration::from_secs(60))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn ended_within(mut self, at_most: Duration) -> Ran {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(
                begin.elapsed() < at_most,
                "still running after {at_most:?}; stdout: {}\nstderr: {}",
                self.stdout(),
                self.stderr()
            );
            thread::sleep(Duration::from_millis(2));
        };
        for captured in [&mut self.stdout, &mut self.stderr] {
            if let Some(reader) = captured.1.take() {
                // What it left in the background may hold the pipe open: a moment, not for ever.
                let begin = Instant::now();
                while !reader.is_finished() && begin.elapsed() < Duration::from_secs(2) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
        Ran {
            code: code(status),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or_else(|| Some(128 + status.signal()?))
        .unwrap_or(-1)
}

fn said(captured: &Captured) -> String {
    let bytes = captured.0.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn capture(mut stream: impl Read + Send + 'static) -> Captured {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&bytes);
    let reader = thread::spawn(move || {
        let mut block = [0; 65_536];
        while let Ok(n @ 1..) = stream.read(&mut block) {
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(&block[..n]);
        }
    });
    (bytes, Some(reader))
}
