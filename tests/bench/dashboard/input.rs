//! How long an input waits for the frame that shows what came of it.

use halcyon_tests::browser::Browser;
use serde_json::{Value, json};

use super::{THROTTLED, World, rest, row, spread, throttle};

const AIM_MS: f64 = 100.0;

/// The browser tells of no event that took less.
const LEAST_MS: f64 = 16.0;

/// Notes each input that took a while until the next frame (Event Timing), and each task of 50 ms and more.
const NOTES: &str = r"
globalThis.bench = { inputs: [], tasks: [] };
new PerformanceObserver((list) => {
  bench.inputs.push(...list.getEntries().map(({ name, duration }) => [name, duration]));
}).observe({ type: 'event', durationThreshold: 16, buffered: true });
new PerformanceObserver((list) => {
  bench.tasks.push(...list.getEntries().map(({ duration }) => duration));
}).observe({ type: 'longtask', buffered: true });
";

/// Something that somebody does.
enum Deed {
    /// A click on the first element of these that has this text; any text where it is empty.
    Click(&'static str, &'static str),
    /// A key.
    Key(&'static str),
    /// A click on a field, a text letter by letter, and Enter if so.
    Type(&'static str, &'static str, bool),
}

use Deed::{Click, Key, Type};

/// What it is called, what is done, and what is true of the page once it is done. Each can be done again behind the
/// last one.
const DEEDS: &[(&str, Deed, &str)] = &[
    (
        "charts of an hour",
        Click("[aria-label=Range] button", "1 h"),
        "document.querySelector('[aria-label=Range] [aria-pressed=true]').textContent === '1 h'",
    ),
    (
        "charts of 15 minutes",
        Click("[aria-label=Range] button", "15 min"),
        "document.querySelector('[aria-label=Range] [aria-pressed=true]').textContent === '15 min'",
    ),
    (
        "charts by colour",
        Click("[aria-label=Lines] button", "By colour"),
        "document.querySelector('[aria-label=Lines] [aria-pressed=true]').textContent === 'By colour'",
    ),
    (
        "charts by region",
        Click("[aria-label=Lines] button", "By region"),
        "document.querySelector('[aria-label=Lines] [aria-pressed=true]').textContent === 'By region'",
    ),
    (
        "charts as a table",
        Click("button", "As a table"),
        "document.querySelectorAll('figure table').length === 2",
    ),
    (
        "charts drawn again",
        Click("button", "As a table"),
        "document.querySelectorAll('.plot canvas').length === 2",
    ),
    (
        "a region's details",
        Click(".tile summary", ""),
        "document.querySelector('.tile details').open",
    ),
    (
        "no details",
        Click(".tile summary", ""),
        "!document.querySelector('.tile details').open",
    ),
    (
        "a token typed",
        Type("#token", "hlc_0123456789", false),
        "document.querySelector('#token').value === 'hlc_0123456789'",
    ),
    (
        "a tenant looked up",
        Type("#tenant", "acme", true),
        "document.querySelector('[data-agrees=yes]') !== null",
    ),
    ("help", Key("?"), "document.querySelector('dialog').open"),
    (
        "no help",
        Click("dialog button", "Close"),
        "!document.querySelector('dialog').open",
    ),
    (
        "timeline of regions",
        Click("[aria-label='What is shown'] button", "Regions"),
        "document.querySelectorAll('tr[data-kind=release]').length === 0",
    ),
    (
        "timeline of releases",
        Click("[aria-label='What is shown'] button", "Releases"),
        "document.querySelectorAll('tr[data-kind=region]').length === 0",
    ),
    (
        "timeline of everything",
        Click("[aria-label='What is shown'] button", "Everything"),
        "document.querySelectorAll('tr[data-kind=region]').length > 0",
    ),
    (
        "what if",
        Click("button", "Try something"),
        "document.querySelector('section[aria-labelledby=whatif-title] .waits') !== null",
    ),
    (
        "dark, or light",
        Click("button[aria-label^=Colours]", ""),
        "true",
    ),
    (
        "50 more of the timeline",
        Click("button", "Show more of *"),
        "document.querySelectorAll('tr[data-kind]').length > 50",
    ),
];

pub(crate) fn measure(browser: &Browser, world: &World, rounds: usize) {
    let noted = browser.tools(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": NOTES }),
    );
    throttle(browser, THROTTLED);
    let mut waits = vec![Vec::new(); DEEDS.len()];
    let mut tasks = vec![Vec::new(); DEEDS.len()];
    for _ in 0..rounds {
        world.open(browser);
        rest(500);
        for (place, (name, deed, then)) in DEEDS.iter().enumerate() {
            let (wait, task) = once(browser, deed, then, name);
            waits[place].push(wait);
            tasks[place].push(task);
        }
    }
    throttle(browser, 1);
    let noted = json!({ "identifier": noted["identifier"] });
    browser.tools("Page.removeScriptToEvaluateOnNewDocument", noted);
    let mut longest = (0.0, "");
    let rows = DEEDS.iter().zip(waits).zip(tasks);
    for (((name, ..), waits), tasks) in rows {
        let ((wait, low, high), (task, ..)) = (spread(waits), spread(tasks));
        if wait > longest.0 {
            longest = (wait, name);
        }
        let ms = |value: f64| match value < LEAST_MS {
            true => format!("< {LEAST_MS:.0}"),
            false => format!("{value:.0}"),
        };
        let task = match task > 0.0 {
            true => format!("; longest task behind it {task:.0} ms"),
            false => String::new(),
        };
        row(
            &format!("input to next frame: {name}"),
            &format!("{AIM_MS} ms"),
            &format!("{} ms ({} to {}){task}", ms(wait), ms(low), ms(high)),
            Some(wait <= AIM_MS),
        );
    }
    let (wait, name) = longest;
    row(
        "the longest of these medians",
        &format!("{AIM_MS} ms"),
        &format!("{wait:.0} ms: {name}"),
        Some(wait <= AIM_MS),
    );
}

/// The longest wait of the inputs of a deed, and the longest task until half a second later.
fn once(browser: &Browser, deed: &Deed, then: &str, name: &str) -> (f64, f64) {
    browser.evaluate("bench.inputs = []; bench.tasks = []; 0");
    match deed {
        Click(selector, text) => click(browser, selector, text, name),
        Key(key) => {
            browser.evaluate("document.activeElement?.blur()");
            press(browser, key, key);
        }
        Type(selector, text, enter) => {
            browser.evaluate(&format!("(() => {{ const field = document.querySelector({selector:?}); field.value = ''; field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"));
            click(browser, selector, "", name);
            for letter in text.chars() {
                press(browser, &letter.to_string(), &letter.to_string());
            }
            if *enter {
                press(browser, "Enter", "\r");
            }
        }
    }
    browser.settle(then);
    rest(500);
    let longest = |of: &Value, value: &dyn Fn(&Value) -> Option<f64>| {
        let all = of.as_array().unwrap().iter().filter_map(value);
        all.fold(0.0, f64::max)
    };
    let said = browser.evaluate("[bench.inputs, bench.tasks]");
    (
        longest(&said[0], &|one| one[1].as_f64()),
        longest(&said[1], &Value::as_f64),
    )
}

/// Clicks where an element is, as a mouse would.
fn click(browser: &Browser, selector: &str, text: &str, name: &str) {
    let is = match text.strip_suffix('*') {
        _ if text.is_empty() => "true".to_owned(),
        Some(begin) => format!("one.textContent.trim().startsWith({begin:?})"),
        None => format!("one.textContent.trim() === {text:?}"),
    };
    let at = browser.evaluate(&format!(
        "(() => {{ const one = [...document.querySelectorAll({selector:?})].find((one) => {is}); one?.scrollIntoView({{ block: 'center', behavior: 'instant' }}); const box = one?.getBoundingClientRect(); return box && [box.x + box.width / 2, box.y + box.height / 2]; }})()"
    ));
    assert!(at.is_array(), "{name}: there is no {selector} {text}");
    // The frame of the scrolling is none of what is measured.
    rest(150);
    for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let event =
            json!({"type": kind, "x": at[0], "y": at[1], "button": button, "clickCount": 1});
        browser.tools("Input.dispatchMouseEvent", event);
    }
}

fn press(browser: &Browser, key: &str, text: &str) {
    for kind in ["keyDown", "keyUp"] {
        let code = if key == "Enter" { 13 } else { 0 };
        let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
        if kind == "keyDown" {
            event["text"] = json!(text);
        }
        browser.tools("Input.dispatchKeyEvent", event);
    }
}
