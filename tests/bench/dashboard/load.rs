//! What a first look at the page loads.

use halcyon_tests::browser::Browser;
use serde_json::json;

use super::{World, row};

const AIM: u64 = 204_800;

/// Everything that was loaded: its path, its bytes as they came, and as they are. What is not over, as the stream of
/// events, is not among them.
const LOADED: &str = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map((one) => [new URL(one.name).pathname, one.encodedBodySize, one.decodedBodySize])";

pub(crate) fn measure(browser: &Browser, world: &World) {
    browser.tools("Network.enable", json!({}));
    browser.tools("Network.setCacheDisabled", json!({"cacheDisabled": true}));
    world.open(browser);
    let loaded = browser.evaluate(LOADED);
    let mut loaded: Vec<(String, u64, u64)> = loaded
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let bytes = |place: usize| one[place].as_u64().unwrap();
            (one[0].as_str().unwrap().to_owned(), bytes(1), bytes(2))
        })
        .collect();
    let sum = |of: &dyn Fn(&(String, u64, u64)) -> bool| -> (u64, u64, usize) {
        let some: Vec<_> = loaded.iter().filter(|one| of(one)).collect();
        let (came, are) = some
            .iter()
            .fold((0, 0), |sum, one| (sum.0 + one.1, sum.1 + one.2));
        (came, are, some.len())
    };
    let api = |one: &(String, u64, u64)| one.0.starts_with("/api/");
    let (bytes, plain, files) = sum(&|one| !api(one));
    let (said, _, asked) = sum(&api);
    let files_alone = loaded.iter().filter(|one| !api(one));
    let heads: u64 = files_alone.map(|one| world.head(&one.0)).sum();
    row(
        "bytes of the page's files, as they come",
        "at most 204,800",
        &format!(
            "{}: {bytes} in {files} files ({plain} unpacked), and their heads {heads}",
            bytes + heads
        ),
        Some(bytes + heads <= AIM),
    );
    row(
        "what it then asks of the API",
        "",
        &format!("{said} bytes in {asked} answers"),
        None,
    );
    loaded.sort_by_key(|one| std::cmp::Reverse(one.1));
    let largest: Vec<String> = loaded
        .iter()
        .take(5)
        .map(|(path, bytes, _)| format!("`{path}` {bytes}"))
        .collect();
    row("the five largest", "", &largest.join(", "), None);
    browser.tools("Network.setCacheDisabled", json!({"cacheDisabled": false}));
}
