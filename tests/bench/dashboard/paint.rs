//! When somebody who opens the page sees how the regions are.

use halcyon_tests::browser::Browser;
use serde_json::json;

use super::{THROTTLED, World, rest, row, spread, throttle};

const AIM_MS: f64 = 500.0;

/// Notes when the frame is out that is the first to have tiles in it: a message that is sent before a frame is painted
/// is heard behind that.
const NOTES: &str = r"
globalThis.bench = { tiles: null };
new MutationObserver((_, observer) => {
  if (document.querySelector('.tile') === null) return;
  observer.disconnect();
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      globalThis.bench.tiles = performance.now();
    };
    port2.postMessage(null);
  });
}).observe(document, { childList: true, subtree: true });
";

pub(crate) fn measure(browser: &Browser, world: &World, rounds: usize) {
    browser.tools("Network.enable", json!({}));
    let noted = browser.tools(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": NOTES }),
    );
    world.open(browser);
    for (rate, aim) in [(THROTTLED, Some(AIM_MS)), (1, None)] {
        for cold in [true, false] {
            throttle(browser, rate);
            browser.tools("Network.setCacheDisabled", json!({ "cacheDisabled": cold }));
            let (mut first, mut tiles) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                world.open(browser);
                rest(300);
                let said = browser.evaluate("[performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null, bench.tiles]");
                first.extend(said[0].as_f64());
                tiles.push(said[1].as_f64().unwrap());
            }
            let cache = if cold {
                "nothing in the cache"
            } else {
                "again"
            };
            let ((tiles, low, high), (first, ..)) = (spread(tiles), spread(first));
            row(
                &format!("tiles painted, CPU {rate} times slower, {cache}"),
                &aim.map_or(String::new(), |aim| format!("{aim} ms")),
                &format!("{tiles:.0} ms ({low:.0} to {high:.0}); first text {first:.0} ms"),
                aim.map(|aim| tiles <= aim),
            );
        }
    }
    throttle(browser, 1);
    let noted = json!({ "identifier": noted["identifier"] });
    browser.tools("Page.removeScriptToEvaluateOnNewDocument", noted);
}
