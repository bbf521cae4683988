//! The page in Chromium, before a real server: it follows what happens, and runs nothing that somebody has put into
//! a name.

use std::time::Duration;

use halcyon_tests::region::Answer;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_step_that_failed_and_was_passed_all_the_same_has_no_tick() {
    let Some(world) = World::start() else { return };
    world.open();
    world.regions[1].answer(Answer::Close);
    world.kinds(["good", "bad", "good"]);
    let wish = json!({
        "image_blue": "app:v1", "image_green": "app:v2", "canary_seq": [10, 50], "timeout_s": 4,
    });
    world.post("Deployer", "/api/v1/releases", &wish);
    world.until("document.querySelector('[aria-current=step]')?.textContent === '50 % failed'");
    let steps = "[...document.querySelectorAll('.plan li')].map((one) => one.dataset.step).join()";
    assert_eq!(world.browser.evaluate(steps), "failed,failed,next");
}

#[test]
fn the_verdict_is_not_green_while_nothing_goes_on_by_itself() {
    let Some(world) = World::start() else { return };
    world.open();
    world.begin("app:v2");
    let kind = |kind| {
        world.until(&format!(
            "document.querySelector('.verdict-line').dataset.kind === '{kind}'"
        ));
    };
    let words = |words| {
        world.until(&format!(
            "document.querySelector('.verdict-line').textContent.includes('{words}')"
        ));
    };
    words("Canary app:v2 at 10 %");
    kind("good");
    let reason = json!({"reason": "a look"});
    world.post("Deployer", "/api/v1/release/pause", &reason);
    words("paused: a look");
    kind("warn");
    world.post("Deployer", "/api/v1/release/resume", &json!({}));
    words("next in");
    kind("good");
}

#[test]
fn tiles_and_the_verdict_follow_a_region_that_is_lost_and_comes_back() {
    let Some(world) = World::start() else { return };
    world.open();
    world.kinds(["good", "good", "good"]);
    assert!(
        world
            .browser
            .text(".verdict-line")
            .starts_with("All 3 regions healthy.")
    );
    assert_eq!(
        world.browser.text(".banner"),
        "Region: us-east (active: us-east, us-west, eu-west)"
    );
    assert_eq!(
        world.browser.text(".tile .none"),
        "No traffic data",
        "nobody has counted any"
    );
    world.regions[1].answer(Answer::Close);
    world.kinds(["good", "bad", "good"]);
    world
        .until("document.querySelector('.verdict-line').textContent.includes('us-west went down')");
    let verdict = world.browser.text(".verdict-line");
    assert!(verdict.starts_with("2 of 3 regions serving."), "{verdict}");
    world.regions[1].answer(Answer::Ready);
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelectorAll('tr[data-kind=region]').length >= 2");
}

#[test]
fn a_tile_has_the_last_40_probes_the_last_check_and_the_downtime_of_today() {
    let Some(world) = World::start() else { return };
    world.open();
    let bars = |what: &str| {
        format!("document.querySelectorAll('.tile[data-region=us-west] .strip i{what}').length")
    };
    world.until(&format!("{} === 40", bars("[data-probe=passed]")));
    let checked = ".tile[data-region=us-west] .checked";
    let text = world.browser.text(checked);
    assert!(
        text.starts_with("Checked ") && text.ends_with("; no downtime today (UTC)"),
        "{text}"
    );
    world.regions[1].answer(Answer::Broken);
    world.kinds(["good", "bad", "good"]);
    world.until(&format!("{} >= 3", bars("[data-probe=failed]")));
    world.regions[1].answer(Answer::Ready);
    world.kinds(["good", "good", "good"]);
    world.until(&format!(
        "/; down \\d+ s today \\(UTC\\)$/.test(document.querySelector('{checked}').textContent)"
    ));
    let label = "document.querySelector('.tile[data-region=us-west] .strip').ariaLabel";
    world.until(&format!(
        "/^[0-9]+ of the last 40 probes passed$/.test({label})"
    ));
    world
        .browser
        .evaluate("document.querySelector('.tile[data-region=us-west] summary').click()");
    world.until(
        "document.querySelector('.tile[data-region=us-west] details')?.textContent.includes('probes: up → down') === true",
    );
    let details = world.browser.text(".tile[data-region=us-west] details");
    assert!(
        details.contains("probes: down → up (its probes pass)"),
        "{details}"
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
    let figures = world.browser.text(".tile[data-region=us-east] .figures");
    assert_eq!(
        figures, "Requests75 %Errors1.0 %P958.7 ms",
        "of those of the last minute"
    );
    assert_eq!(
        world.browser.text(".tile[data-region=eu-west] .none"),
        "No traffic data"
    );
    world.browser.press("As a table");
    world.until("document.querySelectorAll('figure tbody tr').length === 6");
    let row = world.browser.text("figure tbody tr");
    assert!(row.ends_with("1.0 %0.0 %–"), "{row}");
}

#[test]
fn charts_are_of_regions_or_of_colours_and_of_the_time_that_somebody_asks_for() {
    let Some(world) = World::start() else { return };
    let cell = |region: &str, requests: u64| json!({"region": region, "slot": "blue", "requests": requests, "errors": 1, "latency": [[160, requests]]});
    let report = json!({"edge": "e", "batches": [
        {"seq": 1, "age_ms": 1_200_000, "lasted_ms": 0, "cells": [cell("us-east", 10)]},
        {"seq": 2, "age_ms": 0, "lasted_ms": 0, "cells": [cell("us-east", 30), cell("us-west", 20)]},
    ]});
    world.post("Edge", "/api/v1/telemetry", &report);
    world.open();
    world.until("document.querySelectorAll('.plot canvas').length === 2");
    world.browser.press("As a table");
    let heads = "[...document.querySelectorAll('figure thead')[0].querySelectorAll('th')].map((one) => one.textContent).join()";
    let rows = "document.querySelectorAll('figure')[0].querySelectorAll('tbody tr').length";
    world.until(&format!("{heads} === 'From,us-east,us-west,eu-west'"));
    world.until(&format!("{rows} === 1"));
    world.browser.press("By colour");
    world.until(&format!("{heads} === 'From,blue,green'"));
    // Both regions together, and nothing of green.
    let row = world.browser.text("figure tbody tr");
    assert!(row.ends_with("4.0 %–"), "{row}");
    world.browser.press("1 h");
    world.until(&format!("{rows} === 2"));
    // In the colours that they have beside each other.
    world.browser.press("As a table");
    let painted = "[...document.querySelectorAll('.plot')[0].querySelectorAll('.u-marker')].map((one) => getComputedStyle(one).borderTopColor).join()";
    let own = "['blue', 'green'].map((slot) => { const probe = document.body.appendChild(document.createElement('i')); probe.style.color = `var(--${slot})`; const { color } = getComputedStyle(probe); probe.remove(); return color; }).join()";
    world.until(&format!("{painted}.endsWith({own})"));
}

#[test]
fn the_head_switches_colours_and_times_and_the_browser_remembers_them() {
    let Some(world) = World::start() else { return };
    world.browser.prefers("prefers-color-scheme", "dark");
    world.begin("app:v2");
    world.open();
    let paper = "getComputedStyle(document.body).backgroundColor";
    let (dark, light) = ("rgb(14, 19, 24)", "rgb(246, 248, 250)");
    world.until(&format!("{paper} === '{dark}'"));
    world.browser.press("Auto");
    world.until(&format!("{paper} === '{light}'"));
    world.browser.press("UTC");
    world.open();
    world.until(&format!("{paper} === '{light}'"));
    world.until("document.querySelector('tr[data-kind=release] time')?.textContent.endsWith('UTC') === false");
    world.browser.press("Local");
    world
        .until("document.querySelector('tr[data-kind=release] time').textContent.endsWith(' UTC')");
    world.browser.prefers("prefers-color-scheme", "light");
    world.browser.press("Light");
    world.until(&format!("{paper} === '{dark}'"));
    world.browser.press("Dark");
    world.until(&format!("{paper} === '{light}'"));
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
        world.browser.types("tenant", tenant);
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

#[test]
fn a_list_of_tenants_is_pasted_and_a_look_up_handed_on() {
    let Some(world) = World::start() else { return };
    world.open();
    world.until("document.getElementById('whatif-title') !== null");
    world.browser.press("Try something");
    world.until("document.getElementById('tenants') !== null");
    world.browser.types("tenants", "acme\r\n\nglobex\n");
    let section = "document.querySelector('section[aria-labelledby=whatif-title]')";
    world.until(&format!(
        "{section}.querySelector('.waits')?.textContent.includes('Of 2 pasted ones 0 move') === true"
    ));
    assert!(
        world
            .browser
            .text("section[aria-labelledby=whatif-title] .notice")
            .starts_with("Nothing is changed by this")
    );
    world.browser.types("tenant", "-x 'y'");
    world.browser.press("Look up");
    world.until("document.querySelector('[data-agrees=yes]') !== null");
    assert_eq!(
        world.browser.text("#answer .typed code"),
        r"halcyon route --explain -- '-x '\''y'\'''"
    );
    let link = world
        .browser
        .evaluate("document.querySelector('#answer .typed a').href");
    let link = link.as_str().unwrap();
    assert!(link.ends_with("/?tenant=-x+%27y%27"), "{link}");
    world.browser.go(link);
    world.until("document.querySelector('[data-agrees=yes]') !== null");
    let asked = "document.getElementById('tenant').value";
    assert_eq!(world.browser.evaluate(asked), "-x 'y'");
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
    assert_eq!(world.browser.text(".alarm"), "");
    // In place and of the same length: only the chain can tell.
    let log = std::fs::read_to_string(world.store.log()).unwrap();
    std::fs::write(world.store.log(), log.replacen("app:v1", "app:v9", 1)).unwrap();
    world.until("document.querySelector('.chain button').disabled === false");
    world.browser.press("Verify again");
    world.until("document.querySelector('.alarm') !== null");
    let alarm = world.browser.text(".alarm");
    assert!(alarm.contains("The audit chain"), "{alarm}");
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
    world.browser.press("Single keys: on");
    world.browser.press("Close");
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
    world.browser.press("Try something");
    let section = "document.querySelector('section[aria-labelledby=whatif-title]')";
    world.until(&format!("{section}.querySelector('.waits')?.textContent.startsWith('0 % of all tenants move. Of 100,000 made-up ones 0 move') === true"));
    world.browser.evaluate(&format!(
        "(() => {{ const status = {section}.querySelector('[aria-label=\"Status of us-west\"]'); status.value = 'down'; status.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
    ));
    world.until(&format!(
        "!{section}.querySelector('.waits').textContent.startsWith('0 %')"
    ));
    let said = world
        .browser
        .text("section[aria-labelledby=whatif-title] .waits");
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
    let losses = world
        .browser
        .text("section[aria-labelledby=whatif-title] h3 + ul");
    assert!(losses.contains("without us-east: load of"), "{losses}");
    world.kinds(["good", "good", "good"]);
    assert_eq!(world.store.records().len(), 0, "nothing is changed");
}
