//! Makes pictures of the dashboard before what `halcyon demo --seed 7 --hold` has started.
//!
//! ```sh
//! cargo run --release -p halcyon-tests --example screenshots -- DIR
//! ```
//!
//! Writes `DIR/NAME.png` for each of the states below; `docs/dashboard.png` is `canary.png`. Needs Chromium. Takes
//! about four minutes, as charts are to have something to show.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use halcyon_tests::browser::Browser;
use halcyon_tests::demo::Demo;
use halcyon_tests::process::Signal;
use halcyon_tests::store::text;
use serde_json::{Value, json};

/// A window as people on call have it.
const WIDE: (u32, u32) = (1280, 1180);

fn main() {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("which directory? allowed: one argument, the directory that gets the pictures");
        std::process::exit(2);
    };
    let dir = PathBuf::from(dir);
    std::fs::create_dir_all(&dir).expect("the directory can be made");
    let Some(browser) = Browser::start() else {
        eprintln!("there is no chromium");
        std::process::exit(1);
    };
    let studio = Studio {
        demo: Demo::start(&["--seed", "7", "--hold"]),
        browser,
        dir,
    };
    studio.run();
}

struct Studio {
    demo: Demo,
    browser: Browser,
    dir: PathBuf,
}

impl Studio {
    fn run(&self) {
        let hold = self.demo.fact("hold");
        let (url, token) = (text(&hold, "dashboard"), text(&hold, "admin_token_file"));
        let token = std::fs::read_to_string(token).expect("the demo has a token");
        self.browser.sized(WIDE.0, WIDE.1);
        let hidden = json!({"hidden": true});
        self.browser.tools("Emulation.setScrollbarsHidden", hidden);
        self.browser.go(&url);
        self.until("document.querySelectorAll('.strip').length === 3");
        self.until("document.querySelectorAll('.tile .figures').length === 3");
        self.press("5 min");
        std::thread::sleep(Duration::from_secs(100));
        self.shoot("healthy", "light", None);

        self.give(token.trim());
        self.begin("app:v4", "10, 50", "600");
        self.until("document.querySelector('[aria-current=step]')?.textContent === '10 %'");
        std::thread::sleep(Duration::from_secs(75));
        self.shoot("canary", "light", None);
        self.shoot("canary-dark", "dark", None);

        self.press("Roll back");
        self.until("document.getElementById('reason-release') !== null");
        self.browser.types("reason-release", "P95 of eu-west is up");
        self.shoot("rollback", "light", Some("release-title"));
        self.press("Leave it");

        let lost = self.demo.lose("us-west");
        self.until("document.querySelector('.tile[data-region=us-west]').dataset.kind === 'bad'");
        self.open("us-west");
        std::thread::sleep(Duration::from_secs(4));
        self.shoot("lost", "light", None);
        let _back = lost.back();
        self.until("document.querySelector('.tile[data-region=us-west]').dataset.kind === 'good'");

        self.drain("eu-west", "new disks");
        self.shoot("drained", "dark", None);

        self.browser.types("tenant", "acme");
        self.press("Look up");
        self.until("document.querySelector('[data-agrees=yes]') !== null");
        self.shoot("lookup", "light", Some("lookup-title"));
        self.press("Try something");
        self.until("document.querySelector('[aria-labelledby=whatif-title] .flows') !== null");
        self.change("[aria-label=\"Status of us-west\"]", "down");
        std::thread::sleep(Duration::from_secs(2));
        self.shoot("what-if", "light", Some("whatif-title"));

        self.edit_journal();
        self.press("Verify again");
        self.until("document.querySelector('.alarm') !== null");
        self.shoot("alarm", "light", None);

        self.browser.sized(360, 800);
        self.shoot("narrow", "dark", None);
        self.browser.sized(WIDE.0, WIDE.1);

        // The control plane holds its connections, and says nothing any more.
        self.demo.signal_control(Signal::STOP);
        self.until("document.querySelector('.link').dataset.link === 'stale'");
        self.shoot("stale", "light", None);
        self.demo.signal_control(Signal::CONT);
    }

    fn until(&self, expression: &str) {
        self.browser.settle(expression);
    }

    fn press(&self, label: &str) {
        self.until(&format!(
            "[...document.querySelectorAll('button')].some((one) => one.textContent.trim() === {label:?} && !one.disabled)"
        ));
        self.browser.press(label);
    }

    fn give(&self, token: &str) {
        self.browser.types("token", token);
        self.press("Use it");
        self.until("document.querySelector('.badge').textContent !== 'Read only'");
    }

    fn begin(&self, image: &str, steps: &str, seconds: &str) {
        self.press("Begin a release");
        self.until("document.getElementById('begin-image_green') !== null");
        for (field, text) in [
            ("image_green", image),
            ("canary_seq", steps),
            ("timeout_s", seconds),
            ("max_error_rate", "5"),
        ] {
            self.browser.types(&format!("begin-{field}"), text);
        }
        self.press("Look at it once more");
        self.press("Begin it");
    }

    fn open(&self, region: &str) {
        self.browser.evaluate(&format!(
            "document.querySelector('.tile[data-region={region}] details').open = true"
        ));
    }

    fn drain(&self, region: &str, why: &str) {
        let tile = format!(".tile[data-region={region}]");
        self.browser.press_in(&tile, "Drain");
        self.until(&format!(
            "document.querySelector('{tile} .confirm') !== null"
        ));
        self.browser.types(&format!("reason-region-{region}"), why);
        self.until(&format!(
            "document.querySelector('{tile} button[type=submit]').disabled === false"
        ));
        self.browser.press_in(&tile, "Drain");
        self.until(&format!(
            "document.querySelector('{tile}').dataset.kind === 'drain'"
        ));
    }

    fn change(&self, selector: &str, value: &str) {
        let (selector, value) = (json!(selector), json!(value));
        self.browser.evaluate(&format!(
            "(() => {{ const field = document.querySelector({selector}); field.value = {value}; field.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
        ));
    }

    /// Somebody has another image in the record that began it all.
    fn edit_journal(&self) {
        let sandbox = std::fs::read_dir(self.demo.dir()).expect("it is there");
        let sandbox = sandbox.flatten().map(|entry| entry.path());
        let log = sandbox.map(|path| path.join("control/deploy_audit.log"));
        let log: Vec<PathBuf> = log.filter(|log| log.exists()).collect();
        let log: &Path = log.first().expect("the demo has a journal");
        let said = std::fs::read_to_string(log).expect("it can be read");
        std::fs::write(log, said.replacen("app:v2", "app:v9", 1)).expect("it can be written");
    }

    /// Takes a picture of the window, from its top or from where a heading is.
    fn shoot(&self, name: &str, theme: &str, heading: Option<&str>) {
        self.browser.prefers("prefers-color-scheme", theme);
        let top = match heading {
            Some(id) => {
                format!("document.getElementById('{id}').closest('section').scrollIntoView()")
            }
            None => "window.scrollTo(0, 0)".to_owned(),
        };
        self.browser.evaluate(&top);
        // The charts are drawn anew in the colours of the theme.
        std::thread::sleep(Duration::from_millis(500));
        let shot = self
            .browser
            .tools("Page.captureScreenshot", json!({"format": "png"}));
        let Value::String(data) = &shot["data"] else {
            panic!("no picture: {shot}");
        };
        let bytes = STANDARD.decode(data).expect("a picture is base64");
        let path = self.dir.join(format!("{name}.png"));
        std::fs::write(&path, bytes).expect("it can be written");
        println!("{}", path.display());
    }
}
