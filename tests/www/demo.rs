//! The page before what `halcyon demo` has started: a control plane, a process for each region, pools, an edge and
//! the traffic of its tenants.

use std::time::{Duration, Instant};

use halcyon_tests::browser::Browser;
use halcyon_tests::demo::Demo;
use halcyon_tests::store::text;
use serde_json::{Value, json};

/// The demo after its story, with its page open and the token of who may release.
struct Watched {
    browser: Browser,
    demo: Demo,
}

impl Watched {
    fn start() -> Option<Self> {
        let browser = Browser::start()?;
        let demo = Demo::start(&["--seed", "7", "--hold"]);
        let hold = demo.fact("hold");
        browser.go(&text(&hold, "dashboard"));
        browser.settle("document.querySelectorAll('.tile').length === 3");
        let token = std::fs::read_to_string(text(&hold, "admin_token_file")).unwrap();
        browser.types("token", token.trim());
        browser.press("Use it");
        browser.settle("document.querySelector('.badge').textContent !== 'Read only'");
        Some(Self { browser, demo })
    }

    fn until(&self, expression: &str) {
        self.browser.settle(expression);
    }

    fn kind(&self, region: &str, kind: &str) {
        self.until(&format!(
            "document.querySelector('.tile[data-region={region}]').dataset.kind === '{kind}'"
        ));
    }

    fn begin(&self, image: &str, steps: &str, seconds: &str) {
        self.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Begin a release')");
        self.browser.press("Begin a release");
        self.until("document.getElementById('begin-image_green') !== null");
        self.browser.types("begin-image_green", image);
        self.browser.types("begin-canary_seq", steps);
        self.browser.types("begin-timeout_s", seconds);
        self.browser.types("begin-max_error_rate", "5");
        self.browser.press("Look at it once more");
        self.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Begin it')");
        self.browser.press("Begin it");
    }

    fn state(&self) -> Value {
        self.browser
            .awaited("fetch('/api/v1/state').then((answer) => answer.json())")
    }
}

#[test]
fn tiles_follow_a_regions_process_that_is_killed_and_started_again_under_traffic() {
    let Some(world) = Watched::start() else {
        return;
    };
    world.until("document.querySelectorAll('.tile .figures').length === 3");
    let seen = world.browser.text(".tile[data-region=us-west] .figures");
    assert!(
        seen.starts_with("Requests") && seen.contains("P95"),
        "{seen}"
    );
    world.kind("us-west", "good");
    let lost = world.demo.lose("us-west");
    world.kind("us-west", "bad");
    world.until("document.querySelector('.verdict-line').textContent.startsWith('2 of 3 regions serving. us-west went down')");
    let share = "document.querySelector('.tile[data-region=us-west] .tenants').textContent";
    world.until(&format!("{share} === '0 % of all tenants'"));
    let back = lost.back();
    world.kind("us-west", "good");
    world.until(&format!("{share} === '33 % of all tenants'"));
    drop(back);
    world.kind("us-west", "bad");
}

#[test]
fn a_release_goes_through_on_real_traffic_and_another_is_rolled_back() {
    let Some(world) = Watched::start() else {
        return;
    };
    world.begin("app:v4", "10, 50", "3");
    world.until("document.querySelector('[aria-current=step]')?.textContent === '10 %'");
    world.until("document.querySelector('#release-title .tag').textContent === 'green live'");
    let release = world.state()["release"].clone();
    assert_eq!(release["blue_image"], "app:v4", "{release}");
    let records = world
        .browser
        .awaited("fetch('/api/v1/audit').then((answer) => answer.json())");
    let passed = records["records"].as_array().unwrap().iter();
    let passed: Vec<&Value> = passed
        .filter(|record| record["action"] == "step_passed" && !record["traffic"].is_null())
        .collect();
    assert_eq!(passed.len(), 2, "judged by what the edge has counted");

    world.begin("app:v5", "25", "600");
    world.until("document.querySelector('[aria-current=step]')?.textContent === '25 %'");
    // Seen by the edge, and not only set.
    world.until(
        "/Share seen2[0-9] %/.test(document.querySelector('.side[data-colour=green]').textContent)",
    );
    world.browser.press("Roll back");
    world.until("document.getElementById('reason-release') !== null");
    world.browser.types("reason-release", "not this one");
    world.until("document.querySelector('.confirm button[type=submit]').disabled === false");
    world.browser.press_in(".confirm", "Roll back");
    world.until("document.querySelector('#release-title .tag').textContent === 'idle'");
    let begin = Instant::now();
    while world.state()["release"]["traffic_split"] != json!({"blue": 100, "green": 0}) {
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    world.until("document.querySelector('tr[data-kind=release] .what').textContent.includes('serves everybody')");
    let story = world
        .browser
        .text("section[aria-labelledby=timeline-title]");
    assert!(
        story.contains("rolled back from 25 %: not this one"),
        "{story}"
    );
}
