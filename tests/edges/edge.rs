//! The template at work in a runtime.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::command;
use halcyon_tests::store::Running;
use halcyon_wasm_build::{VERSION, workspace, write_all};
use serde_json::Value;
use tempfile::TempDir;

use crate::envoy;
use crate::http::{Answer, Client};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    Workerd,
    Node,
    /// `halcyon edge`.
    Embedded,
    /// Envoy with the filter.
    Envoy,
}

const WORKERD: &str = "workerd@1.20261117.1";

/// No variable of any edge: how many files the embedded one may open.
pub(crate) const FILES: &str = "FILES";

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
pub(crate) const PEERS: &str = "HALCYON_TEST_PEERS";

/// A copy of the template with what it needs, as its page says. `None` where there is no npm.
pub(crate) fn installed() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        let has = |program: &str| {
            let found = Command::new(program).arg("--version").output();
            found.is_ok_and(|output| output.status.success())
        };
        if !has("node") || !has("npm") {
            assert!(
                std::env::var_os(PEERS).is_none(),
                "{PEERS} is set, and there is no node or npm"
            );
            return None;
        }
        let home = workspace().join("target/wasm/worker");
        let packages = home.join("packages");
        let target = workspace().join("target/wasm");
        write_all(&packages, &target).unwrap_or_else(|why| panic!("{why}"));
        let copy = home.join(format!("copy-{}", std::process::id()));
        remove_copies_of_ended_runs(&home);
        std::fs::create_dir_all(&copy).unwrap();
        for name in template() {
            std::fs::copy(
                workspace().join("wasm/worker").join(&name),
                copy.join(&name),
            )
            .unwrap();
        }
        let package = packages.join(format!("halcyon-edge-{VERSION}.tgz"));
        npm(&copy, package.to_str().unwrap());
        // Apart, and once: it is large, and no part of what a user installs.
        if !home.join("node_modules/.bin/workerd").exists() {
            std::fs::write(home.join("package.json"), "{\"private\":true}").unwrap();
            npm(&home, WORKERD);
        }
        Some(copy)
    };
    INSTALLED.get_or_init(install).as_deref()
}

fn remove_copies_of_ended_runs(home: &Path) {
    for entry in std::fs::read_dir(home).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(process) = name.strip_prefix("copy-")
            && !Path::new("/proc").join(process).exists()
        {
            // Another run may have removed it.
            let _ = std::fs::remove_dir_all(home.join(&name));
        }
    }
}

fn npm(folder: &Path, package: &str) {
    let mut install = Command::new("npm");
    install
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-progress",
            package,
        ])
        .current_dir(folder);
    let output = install.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{install:?}: {said}");
}

/// The names of the template's files.
pub(crate) fn template() -> Vec<String> {
    let files = std::fs::read_dir(workspace().join("wasm/worker")).unwrap();
    let files = files.map(|entry| entry.unwrap());
    let files = files.filter(|entry| entry.file_type().unwrap().is_file());
    let mut names: Vec<String> = files
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An edge with its variables, ended when dropped.
pub(crate) struct Edge {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    /// Where it has its files.
    _folder: Option<TempDir>,
}

impl Edge {
    /// `None` where the runtime is not there and need not be.
    pub(crate) fn start(runtime: Runtime, variables: &[(&str, Value)]) -> Option<Self> {
        if matches!(runtime, Runtime::Embedded | Runtime::Envoy) {
            let folder = tempfile::tempdir().unwrap();
            let command = match runtime {
                Runtime::Envoy => envoy::command(folder.path(), variables)?,
                _ => embedded(folder.path(), variables),
            };
            return Some(Self::spawn(runtime, command, Some(folder)));
        }
        let Some(folder) = installed() else {
            eprintln!("not tested in {runtime:?}: there is no node or npm");
            return None;
        };
        let mut command = match runtime {
            Runtime::Workerd => in_workerd(folder, variables),
            _ => in_node(variables),
        };
        command.current_dir(folder);
        Some(Self::spawn(runtime, command, None))
    }

    /// The template in Node as it is started, whether it comes to listen or not. `None` where there is no Node.
    pub(crate) fn launch_in_node(variables: &[(&str, Value)]) -> Option<Running> {
        let mut command = in_node(variables);
        command.current_dir(installed()?);
        Some(Running::spawn(&mut command))
    }

    fn spawn(runtime: Runtime, mut command: Command, folder: Option<TempDir>) -> Self {
        let running = Running::spawn(&mut command);
        let begin = Instant::now();
        let port = loop {
            if let (Runtime::Envoy, Some(folder)) = (runtime, &folder) {
                break envoy::port(folder.path(), &running);
            }
            if let Some(port) = port_of(&(running.stdout() + &running.stderr())) {
                break port;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "{runtime:?} does not listen: {}{}",
                running.stdout(),
                running.stderr()
            );
            thread::sleep(Duration::from_millis(5));
        };
        Self {
            running,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            _folder: folder,
        }
    }

    /// A request without a body.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut client = Client::to(self.address);
        client.write(request(method, target, headers));
        client.answer(method)
    }

    /// A GET for a tenant in the header `x-tenant`.
    #[track_caller]
    pub(crate) fn get(&self, tenant: &str) -> Answer {
        self.ask("GET", "/", &[("x-tenant", tenant)])
    }

    /// A request with a body.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, tenant: &str, body: &[u8]) -> Answer {
        let length = body.len().to_string();
        let headers = [("x-tenant", tenant), ("content-length", length.as_str())];
        let mut client = Client::to(self.address);
        client.write(request(method, "/", &headers));
        client.write(body);
        client.answer(method)
    }

    /// All that it has said so far.
    pub(crate) fn said(&self) -> String {
        self.running.stdout() + &self.running.stderr()
    }
}

/// The head of a request; the host is `edge.test` where `headers` has no other.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if headers.iter().all(|(name, _)| *name != "host") {
        head += "host: edge.test\r\n";
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head + "\r\n"
}

/// From `{"event":"listen","socket":"http","port":N}`, or from `edge on http://127.0.0.1:N`.
fn port_of(said: &str) -> Option<u16> {
    let after = said.split("\"port\":").nth(1);
    let after = after.or_else(|| said.split("http://127.0.0.1:").nth(1))?;
    let end = after.find(|c: char| !c.is_ascii_digit())?;
    after[..end].parse().ok()
}

/// `halcyon edge` with the template's variables: a table to begin with is one it has kept, or its file.
pub(crate) fn embedded(folder: &Path, variables: &[(&str, Value)]) -> Command {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), String::from);
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    let url = find("TABLE_URL").map(|(_, url)| text(url));
    let mut all = vec![
        ("EDGE_PORT", String::from("0")),
        ("HEALTH_PORT", String::from("0")),
        ("DRAIN_MS", String::from("0")),
        // What is looked at here is a single edge's way with a region.
        ("EDGE_BREAKER", String::from("false")),
    ];
    if let Some((_, table)) = find("TABLE") {
        let file = folder.join("table.json");
        match url {
            Some(_) => {
                // As the edge keeps it, without a signature.
                let kept = String::from("\n") + &text(table);
                std::fs::write(folder.join("last-table"), kept).unwrap();
                all.push(("EDGE_STATE_DIR", folder.display().to_string()));
            }
            None => {
                std::fs::write(&file, text(table)).unwrap();
                all.push(("EDGE_TABLE", file.display().to_string()));
            }
        }
    }
    all.extend(url.map(|url| ("EDGE_TABLE", url)));
    let others = variables.iter();
    let others = others.filter(|(name, _)| !["TABLE", "TABLE_URL", FILES].contains(name));
    all.extend(others.map(|(name, value)| (*name, text(value))));
    let all: Vec<(&str, &str)> = all
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let edge = command(&["edge", "--health-bind", "127.0.0.1"], &all);
    match find(FILES) {
        Some((_, files)) => with_files(&edge, &text(files)),
        None => edge,
    }
}

/// The same in a process that may open so many files.
fn with_files(command: &Command, files: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", &format!(r#"ulimit -n {files}; exec "$0" "$@""#)])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    let set = command.get_envs();
    shell.envs(set.filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn in_node(variables: &[(&str, Value)]) -> Command {
    let mut command = Command::new("node");
    command.arg("node.js").env("PORT", "0");
    for (name, value) in variables {
        match value {
            Value::String(text) => command.env(name, text),
            other => command.env(name, other.to_string()),
        };
    }
    command
}

/// The modules are the template's and the package's files as they are: `exports` says which is which.
fn in_workerd(folder: &Path, variables: &[(&str, Value)]) -> Command {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let wrangler = std::fs::read_to_string(folder.join("wrangler.toml")).unwrap();
    let wrangler: toml::Table = wrangler.parse().unwrap();
    let main = wrangler["main"].as_str().unwrap();
    let date = wrangler["compatibility_date"].as_str().unwrap();
    let package = folder.join("node_modules/@halcyon/edge");
    let manifest = std::fs::read_to_string(package.join("package.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let entry = manifest["exports"]["."]["workerd"].as_str().unwrap();
    let entry = entry.trim_start_matches("./");

    let mut modules = vec![module(main, main)];
    let more = template().into_iter().filter(|name| name.ends_with(".js"));
    let more = more.filter(|name| name != main && name != "node.js");
    modules.extend(more.map(|name| module(&name, &name)));
    let file = |name: &str| format!("node_modules/@halcyon/edge/{name}");
    modules.push(module("@halcyon/edge", &file(entry)));
    for entry in std::fs::read_dir(&package).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".js") || name.ends_with(".wasm") {
            modules.push(module(&format!("@halcyon/{name}"), &file(&name)));
        }
    }
    let bindings = variables.iter().map(|(name, value)| match value {
        Value::String(text) => format!("(name = \"{name}\", text = {text:?})"),
        other => format!("(name = \"{name}\", json = {:?})", other.to_string()),
    });
    let config = format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "loopback", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  modules = [{}],
  compatibilityDate = "{date}",
  globalOutbound = "loopback",
  bindings = [{}],
);
"#,
        modules.join(", "),
        bindings.collect::<Vec<_>>().join(", "),
    );
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let path = folder.join(format!("{number}.capnp"));
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(folder.join("../node_modules/.bin/workerd"));
    command.args(["serve", "--control-fd=1"]).arg(path);
    command
}

fn module(name: &str, file: &str) -> String {
    let kind = match file.ends_with(".wasm") {
        true => "wasm",
        false => "esModule",
    };
    format!("(name = \"{name}\", {kind} = embed \"{file}\")")
}
