//! `halcyon demo` at work.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Signal, command};
use crate::store::{Ran, Running, json_lines};

/// How long a whole demo may take where much else goes on.
const PATIENCE: Duration = Duration::from_secs(120);

/// `halcyon demo -o jsonl`, in a directory of its own. It is asked to stop when dropped.
pub struct Demo {
    running: Option<Running>,
    dir: TempDir,
}

impl Demo {
    /// Starts one with more arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(more: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let arguments = [&["demo", "-o", "jsonl"], more].concat();
        let path = dir.path().to_str().unwrap();
        let mut command = command(&arguments, &[("TMPDIR", path)]);
        let running = Some(Running::spawn(command.current_dir(path)));
        Self { running, dir }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        let said = self.running().stdout();
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        json_lines(whole)
    }

    /// Waits for a fact, or for a record with this action.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn wait_for(&self, what: &str) -> Value {
        let begin = Instant::now();
        loop {
            let mut lines = self.lines().into_iter();
            let is = |line: &Value| line.get(what).is_some() || line["action"] == what;
            if let Some(line) = lines.find(is) {
                return line;
            }
            let stderr = self.running().stderr();
            assert!(begin.elapsed() < PATIENCE, "no {what}: {stderr}");
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a fact.
    pub fn fact(&self, name: &str) -> Value {
        self.wait_for(name)[name].clone()
    }

    /// The processes it has started and that live.
    ///
    /// # Panics
    /// When it has ended.
    pub fn processes(&self) -> Vec<String> {
        let pid = self.running().pid().as_raw_nonzero();
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("children")).ok()
        };
        let children: Vec<String> = tasks.filter_map(of).collect();
        let children = children.iter().flat_map(|of| of.split_whitespace());
        children.map(str::to_owned).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.running().signal(signal);
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn ended(&mut self) -> Ran {
        self.running.take().unwrap().ended_within(PATIENCE)
    }

    /// The same, and neither of these processes nor a file of it is left.
    ///
    /// # Panics
    /// When it does not end in time, or something is left.
    pub fn ended_and_left_nothing(mut self, processes: &[String]) -> Ran {
        let ran = self.ended();
        let left = processes
            .iter()
            .filter(|pid| Path::new("/proc").join(pid).exists());
        assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{}", ran.stderr);
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        assert_eq!(files.count(), 0, "{}", ran.stderr);
        ran
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Killed, it would leave its servers behind.
        if let Some(mut running) = self.running.take() {
            running.signal(Signal::INT);
            let begin = Instant::now();
            while !running.is_over() && begin.elapsed() < Duration::from_secs(20) {
                sleep(Duration::from_millis(5));
            }
        }
    }
}
