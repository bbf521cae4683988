//! A page in Chromium, without a window, over the pipe that its developer tools speak through.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

/// Pages settle in well under a second on a machine that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The developer tools read from descriptor 3 and write to descriptor 4.
const START: &str = r#"exec chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --host-resolver-rules="MAP halcyon.test 127.0.0.1" \
    --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir="$1" --remote-debugging-pipe about:blank 3<&0 4>&1 >/dev/null 2>&1"#;

/// A running browser, ended when dropped.
pub struct Browser {
    child: Child,
    tools: RefCell<Tools>,
    _profile: TempDir,
}

struct Tools {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    last: u64,
    session: Value,
    /// What the page or the browser said since the page was opened.
    console: Vec<String>,
}

/// What a page has become.
pub struct Shown {
    /// Its elements as they are now.
    pub dom: String,
    /// What the page or the browser wrote to the console.
    pub console: Vec<String>,
}

impl Browser {
    /// Starts one. `None` where there is no Chromium, which fails in the full test run.
    pub fn start() -> Option<Self> {
        let found = Command::new("chromium").arg("--version").output();
        let found = found.is_ok_and(|output| output.status.success());
        assert!(
            found || std::env::var_os(PEERS).is_none(),
            "{PEERS} is set, and there is no chromium"
        );
        if !found {
            eprintln!("not tested: there is no chromium");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", START, "sh"])
            .arg(profile.path())
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut tools = Tools {
            to: child.stdin.take().unwrap(),
            from: BufReader::new(child.stdout.take().unwrap()),
            last: 0,
            session: Value::Null,
            console: Vec::new(),
        };
        let target = tools.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        tools.session = tools.ask("Target.attachToTarget", attach)["sessionId"].clone();
        for domain in ["Runtime", "Log", "Page"] {
            tools.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(Self {
            child,
            tools: RefCell::new(tools),
            _profile: profile,
        })
    }

    /// Opens a page and waits until it has said whether the server agrees, or what its problem is.
    pub fn open(&self, url: &str) -> Shown {
        self.go(url);
        self.settle("document.querySelector('[data-agrees], #answer .problem, [aria-labelledby=silence-title]') !== null")
    }

    /// Opens a page.
    pub fn go(&self, url: &str) {
        let mut tools = self.tools.borrow_mut();
        tools.ask("Page.navigate", json!({"url": "about:blank"}));
        tools.console.clear();
        tools.ask("Page.navigate", json!({ "url": url }));
    }

    /// Asks the developer tools for something: a method of their protocol, and its parameters.
    pub fn tools(&self, method: &str, parameters: Value) -> Value {
        self.tools.borrow_mut().ask(method, parameters)
    }

    /// Has the page take a window of this size, in CSS pixels.
    pub fn sized(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.tools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Runs a script in every page before anything of the page, from now on.
    pub fn before_all(&self, script: &str) {
        let source = json!({ "source": script });
        self.tools("Page.addScriptToEvaluateOnNewDocument", source);
    }

    /// Answers nothing that is asked for at these addresses, from now on.
    pub fn block(&self, addresses: &[&str]) {
        let mut tools = self.tools.borrow_mut();
        tools.ask("Network.enable", json!({}));
        tools.ask("Network.setBlockedURLs", json!({ "urls": addresses }));
    }

    /// Has the page believe that this is what its user prefers: `prefers-color-scheme` and the like.
    pub fn prefers(&self, name: &str, value: &str) {
        let features = json!({ "features": [{ "name": name, "value": value }] });
        self.tools
            .borrow_mut()
            .ask("Emulation.setEmulatedMedia", features);
    }

    /// The value that a promise comes to.
    pub fn awaited(&self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.tools.borrow_mut().ask("Runtime.evaluate", asked);
        answer["result"]["value"].clone()
    }

    /// What the page or the browser wrote to the console since the page was opened.
    pub fn console(&self) -> Vec<String> {
        self.evaluate("0");
        self.tools.borrow().console.clone()
    }

    /// Waits until an expression is true of the page.
    pub fn settle(&self, expression: &str) -> Shown {
        let begin = Instant::now();
        while self.evaluate(expression) != Value::Bool(true) {
            let dom = self.evaluate("document.documentElement.outerHTML");
            let console = &self.tools.borrow().console;
            assert!(
                begin.elapsed() < PATIENCE,
                "{expression}: {console:?} {dom}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        let dom = self.evaluate("document.documentElement.outerHTML");
        Shown {
            dom: dom.as_str().unwrap_or_default().to_owned(),
            console: self.tools.borrow().console.clone(),
        }
    }

    /// The value of an expression in the page; null while there is none.
    pub fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let answer = self.tools.borrow_mut().ask("Runtime.evaluate", asked);
        answer["result"]["value"].clone()
    }

    /// The text of the first element that a selector finds; empty without one.
    pub fn text(&self, selector: &str) -> String {
        let text = self.evaluate(&format!(
            "document.querySelector({selector:?})?.textContent ?? ''"
        ));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses a button by what stands on it, once it is there and may be pressed.
    pub fn press(&self, label: &str) {
        self.press_in("body", label);
    }

    /// Presses a button within the first element that a selector finds, once it is there and may be pressed.
    pub fn press_in(&self, selector: &str, label: &str) {
        self.settle(&format!(
            "(() => {{ const all = [...(document.querySelector({selector:?})?.querySelectorAll('button') ?? [])]; const one = all.find((button) => button.textContent.trim() === {label:?} && !button.disabled); one?.click(); return one !== undefined; }})()"
        ));
    }

    /// Writes text into a field by its id, as the whole of it, once it is there.
    pub fn types(&self, field: &str, text: &str) {
        let text = json!(text);
        self.settle(&format!(
            "(() => {{ const field = document.getElementById({field:?}); if (field === null) return false; field.value = {text}; field.dispatchEvent(new Event('input', {{ bubbles: true }})); return true; }})()"
        ));
    }

    /// Writes text where the keyboard would, and presses a key behind it.
    pub fn keys(&self, text: &str, key: &str) {
        let mut tools = self.tools.borrow_mut();
        tools.ask("Input.insertText", json!({ "text": text }));
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" { "\r" } else { "" };
            let code = if key == "Enter" { 13 } else { 9 };
            tools.ask(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code}),
            );
        }
    }
}

impl Tools {
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut asked = json!({"id": self.last, "method": method, "params": parameters});
        if !self.session.is_null() {
            asked["sessionId"] = self.session.clone();
        }
        let mut bytes = asked.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).unwrap();
            assert_eq!(bytes.pop(), Some(0), "the browser ended at {method}");
            let said: Value = serde_json::from_slice(&bytes).unwrap();
            if said["id"] == self.last {
                return said["result"].clone();
            }
            let event = said["method"].as_str().unwrap_or_default();
            if matches!(
                event,
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded"
            ) {
                self.console.push(said["params"].to_string());
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shown {
    /// Whether the page says that the server agrees, or disagrees.
    pub fn agrees(&self) -> Option<bool> {
        let verdict = |word: &str| self.dom.contains(&format!("data-agrees=\"{word}\""));
        match (verdict("yes"), verdict("no")) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        }
    }
}
