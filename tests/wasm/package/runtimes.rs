//! The runtimes: each answers questions with the package.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use halcyon_tests::process::unused_port;
use serde_json::Value;

use super::{built, installed, peer};
use crate::documented::is_there;

/// How long a runtime may take for everything it is asked.
const PATIENCE: Duration = Duration::from_secs(240);

/// Where the package runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    Node,
    Deno,
    Workerd,
    Chromium,
}

impl Runtime {
    pub(crate) const ALL: [Runtime; 4] = [
        Runtime::Node,
        Runtime::Deno,
        Runtime::Workerd,
        Runtime::Chromium,
    ];

    /// The runtimes that are here: all of them in the full test run.
    pub(crate) fn here() -> Vec<Runtime> {
        let there = |runtime: &Runtime| match runtime {
            Runtime::Chromium => is_there("chromium"),
            // npm brings the others, and Node is what npm runs on.
            _ => is_there("node") && is_there("npm"),
        };
        Self::ALL.into_iter().filter(there).collect()
    }

    /// The answers to questions, both as JSON.
    pub(crate) fn ask(self, questions: &str) -> Value {
        let folder = installed();
        let answers = match self {
            Runtime::Node => in_node(folder.path(), questions),
            Runtime::Deno => piped(
                Command::new(peer("deno")).args([
                    "run",
                    "--quiet",
                    "--no-lock",
                    "--allow-read",
                    "package.mjs",
                ]),
                folder.path(),
                questions,
            ),
            Runtime::Workerd => {
                let worker = Worker::start(folder.path(), "package-worker.mjs", &["questions.mjs"]);
                worker.post(questions)
            }
            Runtime::Chromium => in_chromium(folder.path(), questions),
        };
        let answers: Value = serde_json::from_str(&answers)
            .unwrap_or_else(|why| panic!("{self:?}: {why}: {answers}"));
        assert!(answers.is_array(), "{self:?}: {answers}");
        answers
    }
}

/// What Node answers with the package that is installed in a folder.
pub(crate) fn in_node(folder: &Path, questions: &str) -> String {
    piped(Command::new("node").arg("package.mjs"), folder, questions)
}

/// What a program says when it gets `text`.
fn piped(command: &mut Command, folder: &Path, text: &str) -> String {
    let mut child = command
        .current_dir(folder)
        // Deno asks the network for newer versions of itself.
        .env("DENO_NO_UPDATE_CHECK", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    writing.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A program that ends with its owner.
pub(crate) struct Ends(pub(crate) Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Worker in `workerd`.
pub(crate) struct Worker {
    _process: Ends,
    address: SocketAddr,
}

impl Worker {
    /// Starts `entry`, a module in `folder`, where the package is installed.
    pub(crate) fn start(folder: &Path, entry: &str, others: &[&str]) -> Self {
        Self::with_variables(folder, entry, others, &[])
    }

    /// The same with variables in its `env`.
    pub(crate) fn with_variables(
        folder: &Path,
        entry: &str,
        others: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let package = folder.join("node_modules/@halcyon/edge");
        // What a bundler for Workers makes of the import: the entry of the condition `workerd`.
        let manifest = std::fs::read_to_string(package.join("package.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let of_workerd = manifest["exports"]["."]["workerd"].as_str().unwrap();
        let mut modules = vec![format!(
            "(name = \"{entry}\", esModule = embed \"{entry}\")"
        )];
        modules.extend(
            others
                .iter()
                .map(|name| format!("(name = \"{name}\", esModule = embed \"{name}\")")),
        );
        modules.push("(name = \"@halcyon/edge\", esModule = embed \"edge-entry.mjs\")".into());
        std::fs::write(
            folder.join("edge-entry.mjs"),
            format!("export * from \"../node_modules/@halcyon/edge/{0}\";\nexport {{ default }} from \"../node_modules/@halcyon/edge/{0}\";\n", of_workerd.trim_start_matches("./")),
        )
        .unwrap();
        for file in std::fs::read_dir(&package).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let path = format!("node_modules/@halcyon/edge/{name}");
            if name.ends_with(".js") {
                modules.push(format!("(name = \"{path}\", esModule = embed \"{path}\")"));
            } else if name.ends_with(".wasm") {
                modules.push(format!("(name = \"{path}\", wasm = embed \"{path}\")"));
            }
        }
        let binding =
            |(name, value): &(&str, &str)| format!("(name = \"{name}\", text = \"{value}\")");
        let bindings: Vec<String> = variables.iter().map(binding).collect();
        let address = free_address();
        let config = format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\n\
             const config :Workerd.Config = (\n\
             services = [(name = \"main\", worker = .worker)],\n\
             sockets = [(name = \"http\", address = \"{address}\", http = (), service = \"main\")]);\n\
             const worker :Workerd.Worker = (modules = [{}], compatibilityDate = \"2026-01-01\", bindings = [{}]);\n",
            modules.join(",\n"),
            bindings.join(", ")
        );
        std::fs::write(folder.join("config.capnp"), config).unwrap();
        let said = folder.join("workerd.log");
        let child = Command::new(peer("workerd"))
            .args(["serve", "config.capnp"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let mut process = Ends(child);
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = process.0.try_wait().unwrap();
            assert!(
                ended.is_none() && begin.elapsed() < Duration::from_secs(60),
                "workerd, {ended:?}: {}",
                std::fs::read_to_string(&said).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            _process: process,
            address,
        }
    }

    /// What it answers to a body.
    pub(crate) fn post(&self, body: &str) -> String {
        self.send(&format!(
            "POST / HTTP/1.1\r\nhost: worker\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// The body of its answer to a request, which closes the connection.
    pub(crate) fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        match head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            true => unchunked(body),
            false => body.to_owned(),
        }
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        whole += &rest[..length];
        body = &rest[length + 2..];
    }
    whole
}

/// An address nobody listens at.
pub(crate) fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, unused_port()).into()
}

/// Chromium, without a window and without a word to anybody but the page's server.
pub(crate) fn chromium(profile: &Path) -> Command {
    let mut chromium = Command::new("chromium");
    chromium.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]);
    let mut data = std::ffi::OsString::from("--user-data-dir=");
    data.push(profile);
    chromium
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    chromium
}

/// What a page answers to questions.
fn in_chromium(folder: &Path, questions: &str) -> String {
    let script = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let page = "<script type=module src=package-page.mjs></script>";
    let files = [
        ("package-page.mjs", script("package-page.mjs")),
        ("questions.mjs", script("questions.mjs")),
        ("questions.json", questions.to_owned()),
    ];
    posted(page, &|name| {
        let file = files.iter().find(|(known, _)| *known == name)?;
        Some(file.1.clone().into_bytes())
    })
}

/// The text of a page's body, once it has some. The page's files are these and the package at `edge/`.
pub(crate) fn page_text(page: &str, file: &dyn Fn(&str) -> Option<Vec<u8>>) -> String {
    let post = "<script type=module>\
        while (document.body?.textContent.trim() === \"\") await new Promise((go) => setTimeout(go, 10));\
        await fetch(\"/answers\", { method: \"POST\", body: document.body.textContent });\
        </script>";
    // In the head: the body is what the page makes of it.
    posted(&format!("<head>{page}{post}</head><body></body>"), file)
}

/// Serves a page, the package at `edge/` and files to Chromium, until the page posts its answers.
fn posted(page: &str, file: &dyn Fn(&str) -> Option<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let profile = tempfile::tempdir().unwrap();
    let child = chromium(profile.path())
        .args(["--remote-debugging-port=0", &format!("http://{address}/")])
        .spawn()
        .unwrap();
    let _browser = Ends(child);
    listener.set_nonblocking(true).unwrap();
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < PATIENCE, "the page never answered");
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).unwrap();
        let Some((path, body)) = request(&mut stream) else {
            continue;
        };
        let name = path.trim_start_matches('/');
        let content = match name {
            "answers" => {
                answer(&mut stream, "text/plain", b"");
                return body;
            }
            "" => format!("<!doctype html><meta charset=utf-8>{page}").into_bytes(),
            // The package; else a favicon, which there is none of.
            _ => {
                file(name).unwrap_or_else(|| std::fs::read(built().join(name)).unwrap_or_default())
            }
        };
        let kind = match name.rsplit_once('.') {
            None => "text/html",
            Some((_, "json")) => "application/json",
            Some((_, "wasm")) => "application/wasm",
            Some(_) => "text/javascript",
        };
        answer(&mut stream, kind, &content);
    }
}

/// Path and body of a request; nothing where the browser only opened a connection.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut seen = Vec::new();
    let mut part = vec![0; 1 << 16];
    loop {
        let read = stream.read(&mut part).ok()?;
        if read == 0 {
            return None;
        }
        seen.extend_from_slice(&part[..read]);
        let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(seen[..end].to_vec()).ok()?;
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, length)| length.parse().unwrap());
        if seen.len() >= end + 4 + length {
            let body = String::from_utf8(seen[end + 4..].to_vec()).ok()?;
            return Some((head.split(' ').nth(1)?.to_owned(), body));
        }
    }
}

fn answer(stream: &mut TcpStream, kind: &str, content: &[u8]) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        content.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), content].concat());
}
