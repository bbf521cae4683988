//! The page in Chromium, before a real server: it follows what happens, steers a release, and runs nothing that
//! somebody has put into a name.

use std::time::Duration;

use halcyon_tests::process::{Serving, Signal};
use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::Store;
use serde_json::{Value, json};

use halcyon_tests::browser::Browser;

const NAMES: [&str; 3] = ["us-east", "us-west", "eu-west"];

struct World {
    browser: Browser,
    regions: Vec<Region>,
    store: Store,
    server: Serving,
}

impl World {
    fn start() -> Option<Self> {
        let browser = Browser::start()?;
        let store = Store::new();
        let tokens = store.dir().join("tokens.toml").display().to_string();
        for role in ["Deployer", "Edge"] {
            let arguments = [
                "token",
                "new",
                "--tokens-file",
                &tokens,
                "--user",
                role,
                "--role",
                role,
            ];
            let secret = store.run(&arguments).exits(0).stdout;
            std::fs::write(store.dir().join(role), secret.trim()).unwrap();
        }
        let regions: Vec<Region> = NAMES.iter().map(|_| Region::ready()).collect();
        let endpoints = NAMES.iter().zip(&regions);
        let endpoints = endpoints.map(|(name, region)| format!("{name}=http://{}", region.at()));
        let endpoints = endpoints.collect::<Vec<_>>().join(",");
        let server = Serving::start(&[
            ("REGIONS", &NAMES.join(",")),
            ("PRIMARY_REGION", "us-east"),
            ("TENANT_STICKY", "hash"),
            ("FEATURE_MULTI_REGION", "true"),
            ("FEATURE_BLUE_GREEN", "true"),
            ("REGION_ENDPOINTS", &endpoints),
            ("PROBE_INTERVAL_MS", "50"),
            ("FAILBACK_HOLD_MS", "300"),
            ("DRAIN_MS", "0"),
            ("HALCYON_STORE", &format!("file:{}", store.logs().display())),
            ("HALCYON_TOKENS_FILE", &tokens),
        ]);
        Some(Self {
            browser,
            regions,
            store,
            server,
        })
    }

    fn secret(&self, role: &str) -> String {
        std::fs::read_to_string(self.store.dir().join(role)).unwrap()
    }

    fn open(&self) {
        let url = format!("http://{}/", self.server.dashboard());
        self.browser.go(&url);
        self.until("[...document.querySelectorAll('.tile')].length === 3");
    }

    fn until(&self, expression: &str) {
        self.browser.settle(expression);
    }

    fn kinds(&self, kinds: [&str; 3]) {
        let wanted = json!(kinds);
        self.until(&format!(
            "JSON.stringify([...document.querySelectorAll('.tile')].map((tile) => tile.dataset.kind)) === JSON.stringify({wanted})"
        ));
    }

    fn text(&self, selector: &str) -> String {
        let text = self.browser.evaluate(&format!(
            "document.querySelector({selector:?})?.textContent ?? ''"
        ));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses a button by what stands on it.
    fn press(&self, label: &str) {
        let found = self.browser.evaluate(&format!(
            "(() => {{ const all = [...document.querySelectorAll('button')]; const one = all.find((button) => button.textContent.trim() === {label:?} && !button.disabled); one?.click(); return one !== undefined; }})()"
        ));
        assert_eq!(found, Value::Bool(true), "there is no button {label}");
    }

    fn types(&self, field: &str, text: &str) {
        let text = json!(text);
        self.browser.evaluate(&format!(
            "(() => {{ const field = document.getElementById({field:?}); field.value = {text}; field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
        ));
    }

    fn post(&self, role: &str, path: &str, body: &Value) {
        let secret = self.secret(role);
        let url = format!("http://{}{path}", self.server.dashboard());
        let ran = std::process::Command::new("curl")
            .args([
                "--silent",
                "--fail-with-body",
                "-X",
                "POST",
                &url,
                "-d",
                &body.to_string(),
            ])
            .args(["-H", &format!("Authorization: Bearer {secret}")])
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stdout)
        );
    }

    fn begin(&self, image: &str) {
        let wish = json!({
            "image_blue": "app:v1", "image_green": image, "canary_seq": [10, 50], "timeout_s": 3600,
        });
        self.post("Deployer", "/api/v1/releases", &wish);
    }
}

#[test]
fn tiles_and_the_verdict_follow_a_region_that_is_lost_and_comes_back() {
    let Some(world) = World::start() else { return };
    world.open();
    world.kinds(["good", "good", "good"]);
    assert!(
        world
            .text(".verdict-line")
            .starts_with("All 3 regions healthy.")
    );
    assert_eq!(
        world.text(".banner"),
        "Region: us-east (active: us-east, us-west, eu-west)"
    );
    assert_eq!(
        world.text(".tile .none"),
        "No traffic data",
        "nobody has counted any"
    );
    world.regions[1].answer(Answer::Close);
    world.kinds(["good", "bad", "good"]);
    world
        .until("document.querySelector('.verdict-line').textContent.includes('us-west went down')");
    let verdict = world.text(".verdict-line");
    assert!(verdict.starts_with("2 of 3 regions serving."), "{verdict}");
    world.regions[1].answer(Answer::Ready);
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelectorAll('tr[data-kind=region]').length >= 2");
}

#[test]
fn a_link_that_is_gone_is_stale_and_no_tile_stays_green() {
    let Some(mut world) = World::start() else {
        return;
    };
    world.open();
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelector('.link').dataset.link === 'live'");
    world.server.signal(Signal::KILL);
    world.server.wait(Duration::from_secs(10)).unwrap();
    world.until("document.querySelector('.link').dataset.link === 'stale'");
    world.kinds(["unknown", "unknown", "unknown"]);
    assert!(
        world
            .text(".verdict-line")
            .contains("may not be so any more")
    );
}

#[test]
fn a_release_is_steered_from_the_page_with_a_token_and_with_nothing_else() {
    let Some(world) = World::start() else { return };
    world.open();
    world.begin("app:v2");
    world.until("document.querySelector('[aria-current=step]')?.textContent === '10 %'");
    assert!(
        world.text("body").contains("halcyon pause"),
        "without a token, what to type"
    );
    let buttons = "[...document.querySelectorAll('button')].filter((one) => ['Promote', 'Pause', 'Roll back'].includes(one.textContent)).length";
    assert_eq!(world.browser.evaluate(buttons), 0);
    world.types("token", &world.secret("Deployer"));
    world.press("Use it");
    world.until(&format!("{buttons} === 3"));
    world.press("Pause");
    world.types("reason", "a look at it");
    world.press("Pause");
    world.until("document.querySelector('.waits')?.textContent === 'Paused: a look at it'");
    world.press("Roll back");
    let disabled = "document.querySelector('.confirm button[type=submit]').disabled";
    assert_eq!(
        world.browser.evaluate(disabled),
        true,
        "a rollback says why"
    );
    world.types("reason", "seen enough");
    world.until(&format!("{disabled} === false"));
    world.press("Roll back");
    world.until("document.querySelector('#release-title .tag').textContent === 'idle'");
    let records = world.store.records();
    let last = records
        .iter()
        .find(|record| record["action"] == "rollback_to_blue")
        .unwrap();
    assert_eq!(
        (&last["reason"], &last["user"]),
        (&json!("seen enough"), &json!("Deployer"))
    );
    let kept = "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])";
    let kept = world.browser.evaluate(kept).as_str().unwrap().to_owned();
    assert!(
        !kept.contains(&world.secret("Deployer")),
        "a token is kept nowhere"
    );
}

#[test]
fn what_edges_have_counted_is_drawn_and_stands_in_a_table_too() {
    let Some(world) = World::start() else { return };
    let cell = |region: &str, requests: u64, errors: u64| json!({"region": region, "slot": "blue", "requests": requests, "errors": errors, "latency": [[160, requests]]});
    let batch = |seq: u64, age_ms: u64| json!({"seq": seq, "age_ms": age_ms, "lasted_ms": 0, "cells": [cell("us-east", 300, 3), cell("us-west", 100, 0)]});
    let report =
        json!({"edge": "e", "batches": [batch(1, 300_000), batch(2, 15_000), batch(3, 0)]});
    world.post("Edge", "/api/v1/telemetry", &report);
    world.open();
    world.until("document.querySelectorAll('.plot canvas').length === 2");
    let figures = world.text(".tile[data-region=us-east] .figures");
    assert_eq!(
        figures, "Requests75 %Errors1.0 %P958.7 ms",
        "of those of the last minute"
    );
    assert_eq!(
        world.text(".tile[data-region=eu-west] .none"),
        "No traffic data"
    );
    world.press("As a table");
    world.until("document.querySelectorAll('figure tbody tr').length === 6");
    let row = world.text("figure tbody tr");
    assert!(row.ends_with("1.0 %0.0 %–"), "{row}");
}

#[test]
fn nothing_that_somebody_has_put_into_a_name_is_ever_run() {
    let Some(world) = World::start() else { return };
    let payloads: Vec<String> = (0..200).map(payload).collect();
    world.begin(&payloads[0]);
    for reason in &payloads[1..40] {
        world.post(
            "Deployer",
            "/api/v1/release/pause",
            &json!({ "reason": reason }),
        );
        world.post("Deployer", "/api/v1/release/resume", &Value::Null);
        // No client may ask for more than twenty changes a second.
        std::thread::sleep(Duration::from_millis(100));
    }
    world.open();
    world.until("document.querySelectorAll('tr[data-kind=release]').length >= 10");
    for tenant in &payloads[40..] {
        world.types("tenant", tenant);
        world
            .browser
            .evaluate("document.getElementById('form').requestSubmit()");
        let shown = json!(tenant);
        world.until(&format!(
            "document.querySelector('#answer .typed code')?.textContent.includes({shown}.replaceAll(\"'\", \"'\\\\''\"))"
        ));
    }
    assert_eq!(
        world.browser.evaluate("globalThis.ran ?? null"),
        Value::Null
    );
    assert_eq!(
        world.browser.console(),
        [""; 0],
        "no report of a policy, no error"
    );
    assert_eq!(
        world
            .browser
            .evaluate("document.querySelectorAll('main script, main iframe, main img').length"),
        0
    );
}

/// Text that would run somewhere where text is taken for markup, an address or a script.
fn payload(number: usize) -> String {
    let run = format!("globalThis.ran={number}");
    match number % 10 {
        0 => format!("<script>{run}</script>"),
        1 => format!("<img src=x onerror=\"{run}\">"),
        2 => format!("\"><svg onload={run}>"),
        3 => format!("javascript:{run}"),
        4 => format!("'-eval('{run}')-'"),
        5 => format!("${{{run}}}"),
        6 => format!("</textarea><script>{run}</script>"),
        7 => format!("<iframe srcdoc=\"<script>parent.{run}</script>\">"),
        8 => format!("\u{2028}\u{202e}<b onmouseover={run}>{number}"),
        _ => format!("{{{{constructor.constructor('{run}')()}}}}"),
    }
}

#[test]
fn what_is_vendored_is_what_the_packages_have() {
    let fetched = tempfile::tempdir().unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../www/vendor");
    let made = std::process::Command::new(format!("{root}/fetch"))
        .arg(fetched.path())
        .status();
    let made = made.is_ok_and(|status| status.success());
    if !made && std::env::var_os("HALCYON_TEST_PEERS").is_none() {
        eprintln!("not tested: the packages cannot be had");
        return;
    }
    assert!(made, "the packages cannot be had");
    let mut files = 0;
    for entry in std::fs::read_dir(fetched.path()).unwrap() {
        let name = entry.unwrap().file_name();
        let ours = std::fs::read(format!("{root}/{}", name.display())).unwrap();
        assert!(
            ours == std::fs::read(fetched.path().join(&name)).unwrap(),
            "{name:?}"
        );
        files += 1;
    }
    assert_eq!(files, 12);
}

#[test]
fn a_journal_that_was_edited_on_disk_raises_an_alarm_in_the_browser() {
    let Some(world) = World::start() else { return };
    world.begin("app:v2");
    world.open();
    world.until(
        "document.querySelector('.chain')?.textContent.includes('Verified by this browser')",
    );
    assert_eq!(world.text(".alarm"), "");
    // In place and of the same length: only the chain can tell.
    let log = std::fs::read_to_string(world.store.log()).unwrap();
    std::fs::write(world.store.log(), log.replacen("app:v1", "app:v9", 1)).unwrap();
    world.press("Verify again");
    world.until("document.querySelector('.alarm') !== null");
    let alarm = world.text(".alarm");
    assert!(alarm.contains("The audit chain"), "{alarm}");
}

#[test]
fn without_webassembly_the_page_shows_what_the_server_says_and_that_nobody_checked() {
    let Some(world) = World::start() else { return };
    world.browser.block(&["*halcyon_bg.wasm"]);
    world.open();
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelector('#lookup .lead')?.textContent.includes('WebAssembly could not be loaded')");
    world.types("tenant", "acme");
    world.press("Look up");
    world.until("document.querySelector('[data-agrees=unknown]') !== null");
    assert!(world.text(".steps").contains("hash: SipHash-1-3"));
}

#[test]
fn the_page_is_worked_by_keys_unless_somebody_has_switched_them_off() {
    let Some(world) = World::start() else { return };
    world.open();
    world.until("document.querySelector('dialog') !== null");
    let press = |key: &str| {
        world.browser.evaluate(&format!(
            "(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', {{ key: {key:?}, bubbles: true, cancelable: true }}))"
        ));
    };
    press("g");
    press("e");
    assert_eq!(
        world.browser.evaluate("document.activeElement.id"),
        "timeline-title"
    );
    press("?");
    world.until("document.querySelector('dialog').open");
    world.press("Single keys: on");
    world.press("Close");
    world.until("!document.querySelector('dialog').open");
    world.browser.evaluate("document.activeElement.blur()");
    press("/");
    assert_eq!(
        world.browser.evaluate("document.activeElement.tagName"),
        "BODY"
    );
}

#[test]
fn what_if_moves_whom_the_command_line_moves_and_changes_nothing() {
    let Some(world) = World::start() else { return };
    world.open();
    world.kinds(["good", "good", "good"]);
    world.until("document.getElementById('whatif-title') !== null");
    world.press("Try something");
    let section = "document.querySelector('section[aria-labelledby=whatif-title]')";
    world.until(&format!("{section}.querySelector('.waits')?.textContent.startsWith('0 % of all tenants move. Of 100,000 made-up ones 0 move') === true"));
    world.browser.evaluate(&format!(
        "(() => {{ const status = {section}.querySelector('[aria-label=\"Status of us-west\"]'); status.value = 'down'; status.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
    ));
    world.until(&format!(
        "!{section}.querySelector('.waits').textContent.startsWith('0 %')"
    ));
    let said = world.text("section[aria-labelledby=whatif-title] .waits");
    let tenants: String = (0..100_000)
        .map(|number| format!("tenant-{number}\n"))
        .collect();
    let places = |down: &[&str]| {
        let file = world.store.dir().join("tenants");
        std::fs::write(&file, &tenants).unwrap();
        let mut command = world.store.command(
            &[&["route", "-", "-o", "jsonl"], down].concat(),
            &[
                ("REGIONS", "us-east,us-west,eu-west"),
                ("PRIMARY_REGION", "us-east"),
                ("TENANT_STICKY", "hash"),
            ],
        );
        let ran = command
            .stdin(std::fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8(ran.stdout).unwrap();
        let regions = text.lines().map(|line| {
            let answer: Value = serde_json::from_str(line).unwrap();
            answer["region"].as_str().unwrap().to_owned()
        });
        regions.collect::<Vec<_>>()
    };
    let (now, then) = (places(&[]), places(&["--down", "us-west"]));
    let moved = now.iter().zip(&then).filter(|(was, is)| was != is).count();
    let shown: String = said.chars().filter(|letter| *letter != ',').collect();
    assert!(
        moved > 30_000 && shown.contains(&format!("made-up ones {moved} move")),
        "{said}: {moved}"
    );
    let losses = world.text("section[aria-labelledby=whatif-title] h3 + ul");
    assert!(losses.contains("without us-east: load of"), "{losses}");
    world.kinds(["good", "good", "good"]);
    assert_eq!(world.store.records().len(), 0, "nothing is changed");
}

/// The rules of axe-core, fetched once for all tests.
fn axe() -> Option<String> {
    let home = tempfile::tempdir().unwrap();
    let packed = std::process::Command::new("npm")
        .args(["pack", "--silent", "axe-core@4.14.1"])
        .current_dir(home.path())
        .output();
    if !packed.is_ok_and(|packed| packed.status.success()) {
        assert!(
            std::env::var_os("HALCYON_TEST_PEERS").is_none(),
            "axe-core cannot be had"
        );
        eprintln!("not tested: axe-core cannot be had");
        return None;
    }
    let unpacked = std::process::Command::new("tar")
        .args(["-xzf", "axe-core-4.14.1.tgz", "package/axe.min.js"])
        .current_dir(home.path())
        .status();
    assert!(unpacked.unwrap().success());
    Some(std::fs::read_to_string(home.path().join("package/axe.min.js")).unwrap())
}

#[test]
fn axe_finds_nothing_in_any_state_of_the_page_in_either_theme() {
    let Some(world) = World::start() else { return };
    let Some(axe) = axe() else { return };
    let check = |state: &str| {
        for theme in ["light", "dark"] {
            world.browser.prefers("prefers-color-scheme", theme);
            world.browser.evaluate(&axe);
            let rules = "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']";
            let found = world.browser.awaited(&format!(
                "axe.run(document, {{ runOnly: {rules} }}).then(({{ violations, passes }}) => JSON.stringify([passes.length, violations.map(({{ id, nodes }}) => [id, nodes[0].html])]))"
            ));
            let found: Value = serde_json::from_str(found.as_str().unwrap_or_default()).unwrap();
            assert!(found[0].as_u64() > Some(15), "{state}: {found}");
            assert_eq!(found[1], json!([]), "{state}, {theme}");
        }
    };
    world.open();
    world.until("document.querySelector('#form') !== null");
    check("all is well, and nothing has happened");
    world.press("Try something");
    world.until("document.querySelector('.flows') !== null");
    check("what if");
    world.begin("app:v2");
    world.types("tenant", "acme");
    world.press("Look up");
    world.until("document.querySelector('[data-agrees=yes]') !== null");
    world.types("token", &world.secret("Deployer"));
    world.press("Use it");
    world.until(
        "[...document.querySelectorAll('button')].some((one) => one.textContent === 'Roll back')",
    );
    world.press("Roll back");
    world.until("document.querySelector('.confirm') !== null");
    check("a release, and a question");
    world.regions[2].answer(Answer::Close);
    world.kinds(["good", "good", "bad"]);
    check("a region is lost");
    let cell = json!({"region": "us-east", "slot": "blue", "requests": 9, "errors": 1, "latency": [[160, 9]]});
    let report =
        json!({"edge": "e", "batches": [{"seq": 1, "age_ms": 0, "lasted_ms": 0, "cells": [cell]}]});
    world.post("Edge", "/api/v1/telemetry", &report);
    world.press("1 h");
    world.until("document.querySelectorAll('.plot canvas').length === 2");
    check("charts");
    world.press("As a table");
    world.until("document.querySelectorAll('figure tbody tr').length > 0");
    check("charts as tables");
    world.press("?");
    world.until("document.querySelector('dialog').open");
    check("help");
    world.press("Close");
    world.server.signal(Signal::KILL);
    world.until("document.querySelector('.link').dataset.link === 'stale'");
    check("nothing is heard");
}
