//! The page says what is so: when nothing is heard, nothing is there, a part of it fails, or nobody can see it.

use std::time::Duration;

use halcyon_tests::process::Signal;
use halcyon_tests::region::Answer;
use serde_json::{Value, json};

use crate::world::{World, free_port};

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
            .browser
            .text(".verdict-line")
            .contains("may not be so any more")
    );
}

#[test]
fn a_release_of_which_nothing_is_heard_counts_down_no_longer() {
    let Some(mut world) = World::start() else {
        return;
    };
    world.begin("app:v2");
    world.open();
    let waits = "document.querySelector('.waits')?.textContent";
    world.until(&format!("{waits}?.startsWith('Bakes for another ')"));
    world.server.signal(Signal::KILL);
    world.server.wait(Duration::from_secs(10)).unwrap();
    let last = "Nothing is heard of it: this is how it was last.";
    world.until(&format!("{waits} === '{last}'"));
}

#[test]
fn without_webassembly_the_page_shows_what_the_server_says_and_that_nobody_checked() {
    let Some(world) = World::start() else { return };
    world.browser.block(&["*halcyon_bg.wasm"]);
    world.open();
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelector('#lookup .lead')?.textContent.includes('WebAssembly could not be loaded')");
    world.browser.types("tenant", "acme");
    world.browser.press("Look up");
    world.until("document.querySelector('[data-agrees=unknown]') !== null");
    assert!(world.browser.text(".steps").contains("hash: SipHash-1-3"));
}

#[test]
fn without_what_stands_below_them_the_regions_are_shown_and_that_it_is_missing_is_said() {
    let Some(world) = World::start() else { return };
    world.browser.block(&["*/more.js"]);
    world
        .browser
        .go(&format!("http://{}/", world.server.dashboard()));
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelector('#more > .problem')?.textContent.startsWith('The rest of this page could not be loaded: ') === true");
}

#[test]
fn a_server_that_says_nothing_any_more_is_stale_too() {
    let Some(world) = World::start() else { return };
    world.open();
    world.kinds(["good", "good", "good"]);
    // It holds the connection, and is not there.
    world.server.signal(Signal::STOP);
    world.until("document.querySelector('.link').dataset.link === 'stale'");
    world.kinds(["unknown", "unknown", "unknown"]);
    world.server.signal(Signal::CONT);
    world.until("document.querySelector('.link').dataset.link === 'live'");
    world.kinds(["good", "good", "good"]);
}

#[test]
fn a_part_that_fails_says_so_and_the_others_go_on() {
    let Some(world) = World::start() else { return };
    for (path, place, said) in [
        (
            "series",
            "section[aria-labelledby=charts-title] .problem",
            "",
        ),
        (
            "probes",
            "section[aria-labelledby=regions-title]",
            "What probes say could not be had: ",
        ),
        (
            "table",
            "section[aria-labelledby=regions-title]",
            "Shares of tenants could not be had: ",
        ),
        (
            "audit?*",
            "section[aria-labelledby=timeline-title] .problem",
            "What was before this page was opened could not be had: ",
        ),
        (
            "audit?*",
            "section[aria-labelledby=timeline-title]",
            "The records could not be had to verify them: ",
        ),
    ] {
        world.browser.block(&[&format!("*/api/v1/{path}")]);
        world.open();
        world.until(&format!(
            "document.querySelector('{place}')?.textContent.includes('{said}') === true"
        ));
        world.kinds(["good", "good", "good"]);
        world.until("document.querySelector('.link').dataset.link === 'live'");
    }
}

#[test]
fn what_is_off_or_not_there_is_said_and_not_drawn() {
    let off = [
        ("FEATURE_MULTI_REGION", "false"),
        ("FEATURE_BLUE_GREEN", "false"),
        ("REGION_ENDPOINTS", ""),
    ];
    let Some(world) = World::with(&off) else {
        return;
    };
    world.open();
    world.kinds(["unknown", "unknown", "unknown"]);
    let regions = world.browser.text("section[aria-labelledby=regions-title]");
    assert!(
        regions.contains("Regions are not watched: FEATURE_MULTI_REGION is off."),
        "{regions}"
    );
    let release = world.browser.text("section[aria-labelledby=release-title]");
    assert!(release.contains("Releases are switched off"), "{release}");
    assert_eq!(world.browser.text(".banner"), "", "of one region none");
    let verdict = world.browser.text(".verdict-line");
    assert!(
        verdict.starts_with("3 regions, none of them watched."),
        "{verdict}"
    );

    let none = [
        ("REGIONS", ""),
        ("PRIMARY_REGION", ""),
        ("REGION_ENDPOINTS", ""),
        ("FEATURE_MULTI_REGION", "false"),
    ];
    let Some(world) = World::with(&none) else {
        return;
    };
    let url = format!("http://{}/", world.server.dashboard());
    world.browser.go(&url);
    world.until("document.querySelector('section[aria-labelledby=regions-title] .none')?.textContent === 'No region can be shown.'");
    world.until("document.querySelector('#decided > *') !== null");
    let said = world
        .browser
        .text("section[aria-labelledby=regions-title] .problem");
    assert!(said.contains("REGIONS"), "{said}");
    let verdict = world.browser.text(".verdict-line");
    assert!(
        verdict.starts_with("The configuration is wrong: "),
        "{verdict}"
    );
    assert_eq!(
        world
            .browser
            .text("section[aria-labelledby=release-title] .none"),
        "There has been no release yet."
    );
    world.until("document.querySelector('section[aria-labelledby=timeline-title] .none')?.textContent === 'Nothing has happened yet.'");
}

#[test]
fn without_javascript_the_page_says_where_else_to_look() {
    let Some(world) = World::start() else { return };
    world.browser.tools(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    world
        .browser
        .go(&format!("http://{}/", world.server.dashboard()));
    world.until(
        "document.querySelector('noscript')?.textContent.includes('halcyon status') === true",
    );
    let seen = world.browser.evaluate("document.body.innerText");
    assert!(seen.as_str().unwrap().contains("halcyon status"), "{seen}");
}

#[test]
fn nothing_is_cut_off_in_a_window_of_320_pixels() {
    let Some(world) = World::start() else { return };
    world.browser.sized(320, 640);
    world.begin("registry.example/team/a-service-with-a-long-name:v2.14.0-rc.1");
    let cell = json!({"region": "us-east", "slot": "blue", "requests": 9, "errors": 1, "latency": [[160, 9]]});
    let report =
        json!({"edge": "e", "batches": [{"seq": 1, "age_ms": 0, "lasted_ms": 0, "cells": [cell]}]});
    world.post("Edge", "/api/v1/telemetry", &report);
    world.open();
    world.until("document.querySelectorAll('.plot canvas').length === 2");
    world.until("document.querySelectorAll('.strip').length === 3");
    world.browser.press("Try something");
    world.browser.types("tenant", "a-tenant-whose-name-is-as-long-as-names-of-tenants-may-get-where-nobody-has-thought-of-people-with-narrow-windows");
    world.browser.press("Look up");
    world.until("document.querySelector('[data-agrees=yes]') !== null");
    world
        .browser
        .evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    world.browser.types("token", &world.secret("Deployer"));
    world.browser.press("Use it");
    world.until("document.querySelector('.badge').textContent === 'Deployer, Deployer'");
    let wide = "document.scrollingElement.scrollWidth";
    assert!(world.browser.evaluate(wide).as_u64() <= Some(320));
    let tallest = "Math.max(...[...document.querySelectorAll('section[aria-labelledby=timeline-title] tbody tr')].map((one) => one.offsetHeight))";
    let tallest = world.browser.evaluate(tallest).as_f64().unwrap();
    assert!(tallest < 150.0, "a line of the timeline is {tallest} high");
    // What is wider by its nature, as a table is, scrolls by itself.
    let out = "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > 321 && one.closest('.scroll, .skip, .unseen') === null).map((one) => one.outerHTML.slice(0, 120))";
    assert_eq!(world.browser.evaluate(out), json!([]));
}

#[test]
fn nothing_moves_for_whoever_prefers_that_and_states_do_not_rest_on_colours() {
    let Some(world) = World::start() else { return };
    world.regions[1].answer(Answer::Close);
    world.browser.prefers("prefers-reduced-motion", "reduce");
    world.open();
    world.begin("app:v2");
    world.until("document.querySelector('progress') !== null");
    let moving = "document.getAnimations().length + [...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration.split(', ').some((time) => time !== '0s')).length";
    assert_eq!(world.browser.evaluate(moving), 0);
    world.browser.prefers("forced-colors", "active");
    world.open();
    world.kinds(["good", "bad", "good"]);
    world
        .until("document.querySelector('.tile[data-region=us-west] [data-probe=failed]') !== null");
    let shapes =
        "[...document.querySelectorAll('.tile .state')].map((one) => one.textContent).join('|')";
    assert_eq!(world.browser.evaluate(shapes), "● healthy|■ down|● healthy");
    // A bar that stands for a failed probe is lower, whatever its colour.
    let heights = "['passed', 'failed'].map((one) => document.querySelector(`.strip [data-probe=${one}]`).getBoundingClientRect().height)";
    let heights = world.browser.evaluate(heights);
    assert!(
        heights[1].as_f64() < heights[0].as_f64().map(|height| height * 0.6),
        "{heights}"
    );
}

#[test]
fn a_server_that_cannot_say_how_things_are_is_not_taken_for_one_that_says_all_is_well() {
    let Some(world) = World::start() else { return };
    world.begin("app:v2");
    world.open();
    world.kinds(["good", "good", "good"]);
    let log = std::fs::read_to_string(world.store.log()).unwrap();
    std::fs::write(world.store.log(), log.clone() + "{\"garbage\":1}\n").unwrap();
    world.until("document.querySelector('.verdict-line').textContent.startsWith('The control plane cannot say how things are: ')");
    world.kinds(["unknown", "unknown", "unknown"]);
    assert_eq!(world.browser.text(".link"), "■ No state");
    std::fs::write(world.store.log(), log).unwrap();
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelector('.link').dataset.link === 'live'");
}

#[test]
fn a_page_opened_over_a_broken_journal_says_so_and_not_that_nothing_has_happened() {
    let Some(world) = World::start() else { return };
    world.open();
    world.begin("app:v2");
    world.until("document.querySelector('[aria-current=step]')?.textContent === '10 %'");
    let log = std::fs::read_to_string(world.store.log()).unwrap();
    std::fs::write(world.store.log(), log.clone() + "{\"garbage\":1}\n").unwrap();
    let page = format!("http://{}/", world.server.dashboard());
    world.browser.go(&page);
    world.until("document.querySelector('.verdict-line')?.textContent.includes(' is corrupt: ')");
    let kind = "document.querySelector('.verdict-line').dataset.kind";
    assert_eq!(world.browser.evaluate(kind), "bad");
    world.until("document.getElementById('timeline-title') !== null");
    let text = world.browser.text("body");
    assert!(!text.contains("Nothing has happened yet"), "{text}");
    std::fs::write(world.store.log(), log).unwrap();
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelector('tr[data-kind=release]') !== null");
}

#[test]
fn that_edges_get_no_table_is_part_of_how_things_are() {
    let Some(world) = World::start() else { return };
    std::fs::create_dir_all(world.store.logs().join("table_epoch")).unwrap();
    world.open();
    world.kinds(["good", "good", "good"]);
    let line = "document.querySelector('.verdict-line')";
    assert_eq!(
        world.browser.evaluate(&format!("{line}.dataset.kind")),
        "good"
    );
    let asked = world
        .browser
        .awaited("fetch('/api/v1/table').then((answer) => answer.status)");
    assert_eq!(asked, 503);
    world.until(&format!(
        "{line}.textContent.includes('Edges get no new table: cannot read ')"
    ));
    assert_eq!(
        world.browser.evaluate(&format!("{line}.dataset.kind")),
        "bad"
    );
}

#[test]
fn one_part_is_read_aloud_and_only_when_it_says_something_new() {
    let Some(world) = World::start() else { return };
    world.open();
    world.begin("app:v2");
    world.until("document.querySelector('.verdict-line').textContent.includes(', next in ')");
    let aloud = "[role=status], [role=alert], [aria-live]";
    let count = format!("document.querySelectorAll('{aloud}').length");
    assert_eq!(world.browser.evaluate(&count), 1);
    world.browser.evaluate(&format!(
        "globalThis.heard = []; new MutationObserver((all) => {{ heard.push(...all.map((one) => one.target.textContent)); }}).observe(document.querySelector('{aloud}'), {{ subtree: true, childList: true, characterData: true }})"
    ));
    let line = world.browser.text(".verdict-line");
    world.until(&format!(
        "document.querySelector('.verdict-line').textContent !== {}",
        json!(line)
    ));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(world.browser.evaluate("heard"), json!([]));
    world.regions[1].answer(Answer::Close);
    world.kinds(["good", "bad", "good"]);
    world.until("heard.length > 0");
    let said = world.browser.text("[role=status]");
    assert!(said.contains("us-west went down."), "{said}");
}

#[test]
fn clocks_that_differ_and_a_browser_that_remembers_nothing_do_no_harm() {
    let Some(world) = World::start() else { return };
    world.browser.before_all(
        "const real = Date.now; Date.now = () => real() + 180_000; \
         Object.defineProperty(globalThis, 'localStorage', { get() { throw new Error('blocked'); } });",
    );
    world.begin("app:v2");
    world.open();
    world.until(
        "/^Checked [0-9] s ago/.test(document.querySelector('.checked')?.textContent ?? '')",
    );
    world.until(
        "/next in (59|1:00):[0-5][0-9]/.test(document.querySelector('.verdict-line').textContent)",
    );
    world.browser.press("UTC");
    world.until("[...document.querySelectorAll('button')].some((one) => one.textContent.trim() === 'Local')");
}

#[test]
fn a_page_that_nobody_looks_at_gives_its_connection_back() {
    let Some(world) = World::start() else { return };
    world.open();
    world.kinds(["good", "good", "good"]);
    let streams = |many: u64| {
        let begin = std::time::Instant::now();
        loop {
            let said = crate::wire::get(world.server.dashboard(), "/metrics");
            let found = said.text().lines().find_map(|line| {
                let value = line.strip_prefix("halcyon_api_streams ")?;
                value.parse::<u64>().ok()
            });
            if found == Some(many) {
                return;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "{found:?} {}",
                said.text()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    streams(1);
    let hide = |hidden: bool| {
        world.browser.evaluate(&format!(
            "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }}); document.dispatchEvent(new Event('visibilitychange'))"
        ));
    };
    hide(true);
    streams(0);
    hide(false);
    streams(1);
    world.until("document.querySelector('.link').dataset.link === 'live'");
}

#[test]
fn a_journal_that_was_put_back_is_the_one_that_is_shown() {
    let port = free_port();
    let Some(mut world) = World::with(&[("DASHBOARD_PORT", &port)]) else {
        return;
    };
    world.begin("app:v2");
    let canary = "document.querySelector('[aria-current=step]') !== null";
    world.open();
    world.until(canary);
    let backup = std::fs::read(world.store.log()).unwrap();
    let words = json!({"reason": "what is lost"});
    world.post("Deployer", "/api/v1/release/pause", &words);
    world.until("document.querySelector('tr[data-kind=release] .what').textContent === 'paused: what is lost'");
    world.server.signal(Signal::KILL);
    world.server.wait(Duration::from_secs(10)).unwrap();
    std::fs::write(world.store.log(), backup).unwrap();
    // As many records as before, and another one last.
    world
        .store
        .run(&["pause", "--reason", "what has happened instead"])
        .exits(0);
    world.restart();
    world.until("document.querySelector('tr[data-kind=release] .what')?.textContent === 'paused: what has happened instead'");
    let story = world
        .browser
        .text("section[aria-labelledby=timeline-title]");
    assert!(!story.contains("what is lost"), "{story}");
    world.until("document.querySelector('.chain .good') !== null");
    assert_eq!(world.browser.text(".alarm"), "");
}

#[test]
fn a_page_of_another_version_than_its_server_says_so_and_can_be_loaded_anew() {
    let port = free_port();
    let Some(mut world) = World::with(&[("DASHBOARD_PORT", &port)]) else {
        return;
    };
    // What the server says of itself, once `upgraded` is set.
    world.browser.before_all(
        "const real = JSON.parse; \
         JSON.parse = (text) => real(text, (key, value) => key === 'version' ? globalThis.upgraded ?? value : value);",
    );
    world.open();
    let outdated =
        "(document.querySelector('.outdated')?.textContent ?? '').trim().replace(/\\s+/g, ' ')";
    world.until(&format!("{outdated} === ''"));
    world.until("(globalThis.upgraded = '9.8.7') !== null");
    world.server.signal(Signal::TERM);
    world.server.wait(Duration::from_secs(10)).unwrap();
    world.restart();
    let version = env!("CARGO_PKG_VERSION");
    world.until(&format!(
        "{outdated} === 'This page is of version {version}, and the server is of 9.8.7 by now. Load it anew'"
    ));
    // It goes on all the same.
    world.kinds(["good", "good", "good"]);
    world.browser.press("Load it anew");
    world.until(&format!("globalThis.upgraded === undefined && document.querySelectorAll('.tile').length === 3 && {outdated} === ''"));
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
    world.browser.press("Try something");
    world.until("document.querySelector('[aria-labelledby=whatif-title] .flows') !== null");
    check("what if");
    world.begin("app:v2");
    world.browser.types("tenant", "acme");
    world.browser.press("Look up");
    world.until("document.querySelector('[data-agrees=yes]') !== null");
    world.browser.types("token", &world.secret("Deployer"));
    world.browser.press("Use it");
    world.until(
        "[...document.querySelectorAll('button')].some((one) => one.textContent === 'Roll back')",
    );
    world.browser.press("Roll back");
    world.until("document.querySelector('.confirm') !== null");
    check("a release, and a question");
    world.regions[2].answer(Answer::Close);
    world.kinds(["good", "good", "bad"]);
    check("a region is lost");
    let cell = json!({"region": "us-east", "slot": "blue", "requests": 9, "errors": 1, "latency": [[160, 9]]});
    let report =
        json!({"edge": "e", "batches": [{"seq": 1, "age_ms": 0, "lasted_ms": 0, "cells": [cell]}]});
    world.post("Edge", "/api/v1/telemetry", &report);
    world.browser.press("1 h");
    world.until("document.querySelectorAll('.plot canvas').length === 2");
    check("charts");
    world.browser.press("As a table");
    world.until("document.querySelectorAll('figure tbody tr').length > 0");
    check("charts as tables");
    world.browser.press("?");
    world.until("document.querySelector('dialog').open");
    check("help");
    world.browser.press("Close");
    world.server.signal(Signal::KILL);
    world.until("document.querySelector('.link').dataset.link === 'stale'");
    check("nothing is heard");
}
