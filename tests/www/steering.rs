//! What can be changed from the page, and by whom.

use serde_json::json;

use crate::world::World;

#[test]
fn a_release_is_steered_from_the_page_with_a_token_and_with_nothing_else() {
    let Some(world) = World::start() else { return };
    world.open();
    world.begin("app:v2");
    world.until("document.querySelector('[aria-current=step]')?.textContent === '10 %'");
    assert!(
        world.browser.text("body").contains("halcyon pause"),
        "without a token, what to type"
    );
    let buttons = "[...document.querySelectorAll('button')].filter((one) => ['Promote', 'Pause', 'Roll back'].includes(one.textContent)).length";
    assert_eq!(world.browser.evaluate(buttons), 0);
    world.browser.types("token", &world.secret("Deployer"));
    world.browser.press("Use it");
    world.until(&format!("{buttons} === 3"));
    world.browser.press("Pause");
    world.browser.types("reason-release", "a look at it");
    world.browser.press("Pause");
    world.until("document.querySelector('.waits')?.textContent === 'Paused: a look at it'");
    world.browser.press("Roll back");
    let disabled = "document.querySelector('.confirm button[type=submit]').disabled";
    assert_eq!(
        world.browser.evaluate(disabled),
        true,
        "a rollback says why"
    );
    world.browser.types("reason-release", "seen enough");
    world.until(&format!("{disabled} === false"));
    world.browser.press("Roll back");
    world.until("document.querySelector('#release-title .tag').textContent === 'idle'");
    let outcome = "app:v2 was rolled back";
    world.until(&format!(
        "/^{outcome} on .*: seen enough$/.test(document.querySelector('.waits')?.textContent)"
    ));
    let verdict = world.browser.text(".verdict-line");
    let when = format!("{outcome} ");
    assert!(
        verdict.contains(&when) && verdict.ends_with(" s ago: seen enough."),
        "{verdict}"
    );
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

impl World {
    fn give(&self, role: &str) {
        self.browser.types("token", &self.secret(role));
        self.browser.press("Use it");
        let badge = format!("{role}, {role}");
        self.until(&format!(
            "document.querySelector('.badge').textContent === '{badge}'"
        ));
    }

    /// What stands on the buttons of a region.
    fn buttons(&self, region: &str) -> String {
        let buttons = format!(
            "[...document.querySelectorAll('.tile[data-region={region}] details button')].map((one) => one.textContent).join()"
        );
        self.browser.evaluate(&buttons).as_str().unwrap().to_owned()
    }
}

#[test]
fn a_region_is_drained_and_taken_back_from_the_page_by_whoever_may() {
    let Some(world) = World::start() else { return };
    world.open();
    let tile = ".tile[data-region=us-west]";
    world.kinds(["good", "good", "good"]);
    assert_eq!(world.buttons("us-west"), "", "without a token");
    world.give("Deployer");
    world.until(&format!(
        "document.querySelector('{tile} details button') !== null"
    ));
    assert_eq!(world.buttons("us-west"), "Drain", "no Deployer forbids");
    world.browser.press_in(tile, "Drain");
    world.browser.types("reason-region-us-west", "new disks");
    world.until(&format!(
        "document.querySelector('{tile} button[type=submit]').disabled === false"
    ));
    world.browser.press_in(tile, "Drain");
    world.kinds(["good", "drain", "good"]);
    let forced = format!("{tile} .forced");
    assert_eq!(
        world.browser.text(&forced),
        "drain by Deployer: new disks. Its probes say: healthy."
    );
    world.until(&format!(
        "document.querySelector('{tile} .done')?.textContent === 'Drain: done.'"
    ));
    assert_eq!(world.buttons("us-west"), "Undrain");
    world.browser.press_in(tile, "Undrain");
    world.until(&format!(
        "document.querySelector('{tile} .confirm') !== null"
    ));
    world.browser.press_in(tile, "Undrain");
    world.kinds(["good", "good", "good"]);
}

#[test]
fn the_last_region_is_not_drained_and_the_page_says_what_the_server_says() {
    let Some(world) = World::start() else { return };
    world.open();
    world.give("Admin");
    for (place, region) in ["us-east", "us-west", "eu-west"].iter().enumerate() {
        let tile = format!(".tile[data-region={region}]");
        world.until(&format!(
            "document.querySelector('{tile} details button') !== null"
        ));
        world.browser.press_in(&tile, "Drain");
        world.browser.types(&format!("reason-region-{region}"), "x");
        world.until(&format!(
            "document.querySelector('{tile} button[type=submit]').disabled === false"
        ));
        world.browser.press_in(&tile, "Drain");
        let came = if place < 2 { ".done" } else { ".problem" };
        world.until(&format!("document.querySelector('{tile} {came}') !== null"));
    }
    world.kinds(["drain", "drain", "good"]);
    let said = world.browser.text(".tile[data-region=eu-west] .problem");
    assert!(said.contains("no healthy region would remain"), "{said}");
}

#[test]
fn an_admin_forbids_a_region_and_stops_all_automatic_change() {
    let Some(world) = World::start() else { return };
    world.open();
    world.give("Admin");
    let tile = ".tile[data-region=eu-west]";
    world.until(&format!(
        "document.querySelector('{tile} details button') !== null"
    ));
    world.browser.press_in(tile, "Forbid");
    world.browser.types("reason-region-eu-west", "law");
    world.until(&format!(
        "document.querySelector('{tile} button[type=submit]').disabled === false"
    ));
    world.browser.press_in(tile, "Forbid");
    world.kinds(["good", "good", "bad"]);
    world.until(&format!(
        "document.querySelector('{tile} .state').textContent.includes('forbidden')"
    ));
    assert_eq!(world.buttons("eu-west"), "Allow again");
    let regions = "section[aria-labelledby=regions-title]";
    world.browser.press_in(regions, "Freeze");
    world.browser.types("reason-regions", "an audit");
    world.until(
        "document.querySelector('section > .foot > .confirm button[type=submit]').disabled === false",
    );
    world
        .browser
        .press_in("section > .foot > .confirm", "Freeze");
    world.until("document.querySelector('.verdict-line').textContent.includes('Everything automatic is stopped by Admin: an audit.')");
    world.browser.press_in(regions, "Unfreeze");
    world.until("document.querySelector('section > .foot > .confirm') !== null");
    world
        .browser
        .press_in("section > .foot > .confirm", "Unfreeze");
    world.until("!document.querySelector('.verdict-line').textContent.includes('is stopped')");
}

#[test]
fn a_token_that_is_none_is_said_to_be_none_and_one_that_only_reads_offers_nothing() {
    let Some(world) = World::start() else { return };
    world.open();
    world.browser.types("token", "hlc_none");
    world.browser.press("Use it");
    world
        .until("document.querySelector('section[aria-labelledby=access-title] .problem') !== null");
    let said = world
        .browser
        .text("section[aria-labelledby=access-title] .problem");
    assert!(said.starts_with("The token was not taken: "), "{said}");
    world.browser.types("token", &world.secret("Viewer"));
    world.browser.press("Use it");
    world.until(
        "document.querySelector('section[aria-labelledby=access-title] .lead').textContent.startsWith('Viewer, Viewer.')",
    );
    assert_eq!(world.browser.text(".badge"), "Read only");
    world.begin("app:v2");
    world.until("document.querySelector('[aria-current=step]') !== null");
    for label in [
        "Promote",
        "Pause",
        "Roll back",
        "Drain",
        "Freeze",
        "Begin a release",
    ] {
        let found = format!(
            "[...document.querySelectorAll('button')].some((one) => one.textContent.trim() === '{label}')"
        );
        assert_eq!(world.browser.evaluate(&found), false, "{label}");
    }
    assert!(world.browser.text(".typed").contains("halcyon pause"));
}

#[test]
fn a_release_is_begun_from_the_page_and_goes_through() {
    let Some(world) = World::start() else { return };
    world.open();
    world.give("Deployer");
    world.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Begin a release')");
    world.browser.press("Begin a release");
    let begin = |steps: &str, seconds: &str, rate: &str| {
        world.until("document.getElementById('begin-image_green') !== null");
        world.browser.types("begin-image_blue", "app:v1");
        world.browser.types("begin-image_green", "app:v2");
        world.browser.types("begin-canary_seq", steps);
        world.browser.types("begin-timeout_s", seconds);
        world.browser.types("begin-max_error_rate", rate);
        world.browser.press("Look at it once more");
        world.until("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Begin it')");
        let asked = world.browser.text("form[aria-label='A new release'] > p");
        world.browser.press("Begin it");
        asked
    };
    begin("50, 10", "soon", "100");
    world.until("document.querySelectorAll('form .problem li').length === 3");
    let said = world.browser.text("form .problem");
    for part in ["canary_seq", "timeout_s", "max_error_rate"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(world.store.records().len(), 0, "nothing has begun");
    let asked = begin("50 100", "1", "");
    assert_eq!(
        asked,
        "Give app:v2 to 50 %, then 100 % of all tenants and then to everybody, 1 s a step, and go back by itself where a check fails?"
    );
    world.until("document.querySelector('[aria-current=step]')?.textContent === '50 %'");
    world.until("document.querySelector('#release-title .tag').textContent === 'green live'");
    let records = world.store.records();
    let done: Vec<&str> = records
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect();
    assert!(done.contains(&"promote_green"), "{done:?}");
    assert_eq!(records[0]["plan"]["abort_on_err"], true);
    assert!(records.iter().all(|record| record["user"] == "Deployer"));
    world.browser.evaluate(
        "document.querySelector('section[aria-labelledby=release-title] summary').click()",
    );
    let story = world
        .browser
        .text("section[aria-labelledby=release-title] details");
    assert!(
        story.contains("Deployer began a release of app:v2"),
        "{story}"
    );
    // What is live is called blue by now: going back is to the one before.
    world.browser.press("Roll back");
    world.until("document.querySelector('.confirm') !== null");
    let asked = world.browser.text(".confirm");
    assert!(asked.starts_with("Give app:v1 everything?"), "{asked}");
}

#[test]
fn what_is_confirmed_is_what_was_asked_and_not_what_has_become_of_it() {
    let Some(world) = World::start() else { return };
    world.open();
    world.give("Deployer");
    world.begin("app:v2");
    world.until(
        "[...document.querySelectorAll('button')].some((one) => one.textContent === 'Promote')",
    );
    world.browser.press("Promote");
    world.until("document.querySelector('.confirm') !== null");
    let words = json!({"reason": "do not promote"});
    world.post("Deployer", "/api/v1/release/pause", &words);
    world.post("Deployer", "/api/v1/release/resume", &json!(null));
    world.until("document.querySelector('.confirm .bad') !== null");
    world.browser.press_in(".confirm", "Promote");
    world.until(
        "document.querySelector('section[aria-labelledby=release-title] .problem') !== null",
    );
    let said = world
        .browser
        .text("section[aria-labelledby=release-title] .problem");
    assert!(said.starts_with("Promote: "), "{said}");
    let actions = world.store.actions();
    assert!(
        !actions.contains(&"promote_green".to_owned()),
        "{actions:?}"
    );
}

#[test]
fn a_question_has_the_keyboard_and_gives_it_back() {
    let Some(world) = World::start() else { return };
    world.open();
    world.give("Deployer");
    let tile = ".tile[data-region=us-east]";
    world.until(&format!(
        "document.querySelector('{tile} details button') !== null"
    ));
    world.browser.evaluate(&format!(
        "document.querySelector('{tile} details').open = true"
    ));
    world.browser.press_in(tile, "Drain");
    world.until("document.activeElement.id === 'reason-region-us-east'");
    world.browser.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))");
    world.until("document.activeElement.textContent === 'Drain'");
    assert_eq!(
        world.browser.evaluate("document.querySelector('.confirm')"),
        json!(null)
    );
}

#[test]
fn a_page_that_is_not_of_this_machine_changes_things_too() {
    let Some(world) = World::with(&[("DASHBOARD_HOSTS", "halcyon.test")]) else {
        return;
    };
    // No secure context: a browser keeps some of its functions from it.
    let port = world.server.dashboard().port();
    world.browser.go(&format!("http://halcyon.test:{port}/"));
    world.kinds(["good", "good", "good"]);
    assert_eq!(world.browser.evaluate("isSecureContext"), false);
    world.give("Deployer");
    let tile = ".tile[data-region=us-west]";
    world.until(&format!(
        "document.querySelector('{tile} details button') !== null"
    ));
    world.browser.press_in(tile, "Drain");
    world.until("document.getElementById('reason-region-us-west') !== null");
    world.browser.types("reason-region-us-west", "x");
    world.until(&format!(
        "document.querySelector('{tile} button[type=submit]').disabled === false"
    ));
    world.browser.press_in(tile, "Drain");
    world.kinds(["good", "drain", "good"]);
    let agrees = "document.querySelector('[data-agrees=yes]') !== null";
    world.browser.types("tenant", "acme");
    world.browser.press("Look up");
    world.until(agrees);
}

#[test]
fn where_reading_takes_a_token_the_page_comes_to_life_with_it_and_forgets_with_it() {
    let Some(world) = World::with(&[("DASHBOARD_BIND", "0.0.0.0")]) else {
        return;
    };
    let port = world.server.dashboard().port();
    world
        .browser
        .go(&format!("http://127.0.0.1:{port}/?tenant=acme"));
    world.until("document.querySelector('[aria-labelledby=silence-title] .problem')?.textContent.includes('token') === true");
    world.browser.types("token", "\u{201c}hlc_abc\u{201d}");
    world.browser.press("Use it");
    world.until("document.querySelector('section[aria-labelledby=access-title] .problem')?.textContent.includes('printable ASCII') === true");
    world.give("Deployer");
    world.kinds(["good", "good", "good"]);
    world.until("document.querySelector('.chain')?.textContent.includes('Verified by this browser') === true");
    world.until("document.querySelector('[data-agrees=yes]') !== null");
    assert_eq!(world.browser.text(".alarm"), "");
    world.browser.press("Forget it");
    world.until("document.querySelector('.tile') === null");
    world.until("document.querySelector('.badge').textContent === 'Read only'");
}
