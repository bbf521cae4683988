//! A demo at work, and one that has been played to its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use halcyon_tests::process::{Signal, command};
use halcyon_tests::store::{Ran, Running, json_lines};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use halcyon_tests::store::text;

/// How long a whole demo may take where much else goes on.
const PATIENCE: Duration = Duration::from_secs(120);

/// `halcyon demo -o jsonl`, in a directory of its own. It is asked to stop when dropped.
pub(crate) struct Demo {
    running: Option<Running>,
    dir: TempDir,
}

impl Demo {
    pub(crate) fn start(more: &[&str]) -> Self {
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
    pub(crate) fn wait_for(&self, what: &str) -> Value {
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

    pub(crate) fn fact(&self, name: &str) -> Value {
        self.wait_for(name)[name].clone()
    }

    /// The processes it has started and that live.
    pub(crate) fn processes(&self) -> Vec<String> {
        let pid = self.running().pid().as_raw_nonzero();
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("children")).ok()
        };
        let children: Vec<String> = tasks.filter_map(of).collect();
        let children = children.iter().flat_map(|of| of.split_whitespace());
        children.map(str::to_owned).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.running().signal(signal);
    }

    pub(crate) fn ended(mut self) -> Ran {
        self.running.take().unwrap().ended_within(PATIENCE)
    }

    pub(crate) fn ended_and_left_nothing(mut self, processes: &[String]) -> Ran {
        let ran = self.running.take().unwrap().ended_within(PATIENCE);
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

/// What was there after `halcyon demo --seed 7 --hold --keep`, and while it held.
pub(crate) struct Played {
    facts: Vec<Value>,
    pub(crate) page: String,
    pub(crate) state: Value,
    pub(crate) exit: i32,
    /// Of the control plane.
    pub(crate) journal: Vec<Value>,
    /// Of its regions.
    pub(crate) events: Vec<Value>,
    /// The stores with a journal.
    pub(crate) journals: Vec<String>,
    /// What each process said.
    pub(crate) logs: BTreeMap<String, String>,
}

impl Played {
    pub(crate) fn fact(&self, name: &str) -> &Value {
        let mut found = self.facts.iter().filter_map(|fact| fact.get(name));
        found.next().unwrap_or_else(|| panic!("no fact {name}"))
    }
}

/// The one demo that is played to its end.
pub(crate) fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(play)
}

fn play() -> Played {
    let mut demo = Demo::start(&["--seed", "7", "--hold", "--keep"]);
    let dashboard = text(&demo.fact("hold"), "dashboard");
    let page = crate::get(&dashboard, "/");
    let state = crate::get(&dashboard, "/api/v1/state");
    demo.signal(Signal::INT);
    let ran = demo.running.take().unwrap().ended_within(PATIENCE);
    let kept = std::fs::read_dir(demo.dir.path()).unwrap().next();
    let kept = kept.expect("it is kept").unwrap().path();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let (mut journals, mut logs) = (Vec::new(), BTreeMap::new());
    for entry in std::fs::read_dir(&kept).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|ending| ending == "log") {
            logs.insert(name, read(&path));
        } else if path.join("deploy_audit.log").exists() {
            journals.push(name);
        }
    }
    let control = kept.join("control");
    Played {
        facts: ran.json_lines(),
        page,
        state: serde_json::from_str(&state).unwrap(),
        exit: ran.code,
        journal: json_lines(&read(&control.join("deploy_audit.log"))),
        events: json_lines(&read(&control.join("region_events.jsonl"))),
        journals,
        logs,
    }
}
