//! A page in Chromium, without a window.

use std::process::Command;

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

/// Whether Chromium is there. Without it a test says so and passes, but never in the full test run.
pub(crate) fn is_there() -> bool {
    let found = Command::new("chromium").arg("--version").output();
    let found = found.is_ok_and(|output| output.status.success());
    assert!(
        found || std::env::var_os(PEERS).is_none(),
        "{PEERS} is set, and there is no chromium"
    );
    if !found {
        eprintln!("not tested: there is no chromium");
    }
    found
}

/// What a page has become.
pub(crate) struct Shown {
    /// Its elements as they are now.
    pub(crate) dom: String,
    /// What the page or the browser wrote to the console.
    pub(crate) console: Vec<String>,
}

/// Opens a page and waits until it does nothing more.
pub(crate) fn open(url: &str) -> Shown {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["90", "chromium"])
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--v=0"])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .env("HOME", profile.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let console = said.lines().filter(|line| line.contains("CONSOLE"));
    Shown {
        dom: String::from_utf8(output.stdout).unwrap(),
        console: console.map(String::from).collect(),
    }
}

impl Shown {
    /// Whether the page says that the server agrees, or disagrees.
    pub(crate) fn agrees(&self) -> Option<bool> {
        let verdict = |word: &str| self.dom.contains(&format!("data-agrees=\"{word}\""));
        match (verdict("yes"), verdict("no")) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        }
    }
}
