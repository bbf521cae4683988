//! A demo that has been played to its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use halcyon_tests::demo::Demo;
use halcyon_tests::process::Signal;
use halcyon_tests::store::json_lines;
use serde_json::Value;

pub(crate) use halcyon_tests::store::text;

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
    let ran = demo.ended();
    let kept = std::fs::read_dir(demo.dir()).unwrap().next();
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
