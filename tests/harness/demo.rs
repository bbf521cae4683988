//! `halcyon demo` at work.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
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

    /// The process with this in its arguments or its environment.
    fn process(&self, what: &str, is: impl Fn(&str) -> bool) -> Pid {
        let has = |pid: &String| {
            let read = |file| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let all = [read("cmdline"), read("environ")].concat();
            let mut parts = all.split(|byte| *byte == 0);
            parts.any(|part| std::str::from_utf8(part).is_ok_and(&is))
        };
        let pid = self.processes().into_iter().find(has);
        let pid = pid.unwrap_or_else(|| panic!("{what} has no process"));
        let pid = pid.parse().ok().and_then(Pid::from_raw);
        pid.expect("a process has a number")
    }

    /// Sends the control plane a signal.
    ///
    /// # Panics
    /// When there is none.
    pub fn signal_control(&self, signal: Signal) {
        let pid = self.process("the control plane", |part| {
            part == "HALCYON_STORE=file:control"
        });
        kill_process(pid, signal).expect("it lives");
    }

    /// Kills the server of a region, so that it can be started again as it was.
    ///
    /// # Panics
    /// When there is none.
    pub fn lose(&self, region: &str) -> Lost {
        let variable = format!("CURRENT_REGION={region}");
        let found = self.process(region, |part| part == variable);
        let pid = found.as_raw_nonzero();
        let parts = |what: &str| {
            let bytes = std::fs::read(format!("/proc/{pid}/{what}")).expect("it lives");
            let text = String::from_utf8(bytes).expect("it is text");
            let parts = text.split('\0').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect::<Vec<_>>()
        };
        let (arguments, variables) = (parts("cmdline"), parts("environ"));
        let mut again = Command::new(&arguments[0]);
        again
            .args(&arguments[1..])
            .env_clear()
            .envs(variables.iter().filter_map(|one| one.split_once('=')))
            .current_dir(std::fs::read_link(format!("/proc/{pid}/cwd")).expect("it lives"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        kill_process(found, Signal::KILL).expect("it lives");
        Lost(again)
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

/// A region's server that was killed.
pub struct Lost(Command);

impl Lost {
    /// Starts it again where it was.
    ///
    /// # Panics
    /// When it does not start.
    pub fn back(mut self) -> Back {
        Back(self.0.spawn().expect("the program starts"))
    }
}

/// A region's server that was started again. It is killed when dropped.
pub struct Back(Child);

impl Drop for Back {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
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
