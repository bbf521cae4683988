//! The page in Chromium: it decides by itself, and says whether the server decides the same.

use halcyon_core::placement::Router;
use halcyon_core::table::Table;
use halcyon_core::text::json;
use halcyon_core::time::Timestamp;
use halcyon_tests::process::Serving;
use halcyon_tests::store::Store;

use crate::api::serve;
use crate::fake::fake;
use halcyon_tests::browser::Browser;

const RULES: &str = r#"{"residency":[{"tenant":"bank-*","regions":["eu-west"]},{"tenant":"nowhere","regions":[]}],"pins":[{"tenant":"acme","region":"us-west"}],"slots":[{"tenant":"staff-*","slot":"green"}]}"#;

/// Looks tenants up on the page; each has to be agreed on, and nothing to be said on the console.
fn agree(browser: &Browser, server: &Serving, tenants: &[(&str, &str)]) {
    for (tenant, wanted) in tenants {
        let url = format!("http://{}/?tenant={tenant}", server.dashboard());
        let shown = browser.open(&url);
        assert_eq!(shown.agrees(), Some(true), "{tenant}: {}", shown.dom);
        assert_eq!(shown.console, [""; 0], "{tenant}");
        assert!(
            shown.dom.contains(wanted),
            "{tenant}: no {wanted} in {}",
            shown.dom
        );
    }
}

#[test]
fn the_server_agrees_on_tenants_of_every_rule_in_a_canary() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let store = Store::new();
    let rules = store.dir().join("rules.json");
    std::fs::write(&rules, RULES).unwrap();
    crate::page::canary(&store);
    for sticky in ["hash", "rendezvous"] {
        let server = serve(
            &store,
            &[
                ("REGIONS", "us-east,us-west,eu-west"),
                ("REGION_WEIGHTS", "us-east=3"),
                ("TENANT_STICKY", sticky),
                ("FAILOVER_POLICY", "rendezvous"),
                ("TENANT_HASH_KEY", "000102030405060708090a0b0c0d0e0f"),
                ("TENANT_RULES_FILE", rules.to_str().unwrap()),
            ],
        );
        agree(
            &browser,
            &server,
            &[
                ("tenant123", sticky),
                ("acme", "pinned"),
                ("bank-7", "residency"),
                ("nowhere", "residency_unavailable"),
                ("staff-1", "green"),
                ("Zo%C3%AB%20%3Cb%3E", "slot: bucket "),
            ],
        );
    }
}

/// Puts a canary of 30 % on record.
pub(crate) fn canary(store: &Store) {
    use halcyon_core::ledger::Ledger;
    use halcyon_core::release::{Command, Context};
    let actor = halcyon_core::role::Actor {
        user: "ann".into(),
        role: "Deployer".into(),
    };
    let context = Context {
        actor: &actor,
        kill_switch: false,
        new_release_id: "r1",
    };
    let mut ledger = Ledger::default();
    let mut lines = String::new();
    for (command, argument) in [("provision_green", "app:v2"), ("start_canary", "30")] {
        let command = Command::of_person(command, argument).unwrap();
        let events = ledger.release().decide(&command, &context).unwrap();
        let events = events
            .into_iter()
            .map(|event| (event, Some("r1".to_owned())));
        let events = events.collect();
        lines += &ledger.write(events, &actor, None, Timestamp(1_759_397_400_000));
    }
    std::fs::create_dir_all(store.logs()).unwrap();
    std::fs::write(store.log(), lines).unwrap();
}

/// A table with a region down, and its router.
fn lost() -> (String, Table) {
    let json = r#"{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00.000Z","deployment":"shop","regions":[{"name":"us-east","weight":1,"status":"down"},{"name":"us-west","weight":1,"status":"up"},{"name":"eu-west","weight":1,"status":"draining"}],"primary":"us-east","sticky":"primary","failover":"ordered"}"#;
    (json.to_owned(), Table::from_json(json).unwrap())
}

fn answer(table: &Table, tenant: &str) -> String {
    let router: &Router = table.router();
    json(&router.answer(tenant, table.health(), table.slots(Timestamp(0)), true))
}

#[test]
fn a_tenant_that_fails_over_is_agreed_on_and_a_lie_is_not() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (text, table) = lost();
    let address = fake(text, move |tenant| match tenant {
        "liar" => answer(&table, tenant).replace("\"us-west\"", "\"eu-west\""),
        "steps" => answer(&table, tenant).replace("ordered: ", "disorderly: "),
        honest => answer(&table, honest),
    });
    let honest = browser.open(&format!("http://{address}/?tenant=acme"));
    assert_eq!(honest.agrees(), Some(true), "{}", honest.dom);
    assert!(honest.dom.contains("failover") && honest.dom.contains("data-kind=\"bad\""));
    assert_eq!(honest.console, [""; 0]);
    for tenant in ["liar", "steps"] {
        let lie = browser.open(&format!("http://{address}/?tenant={tenant}"));
        assert_eq!(lie.agrees(), Some(false), "{}", lie.dom);
        assert!(lie.dom.contains("The server disagrees"), "{}", lie.dom);
    }
}

#[test]
fn without_a_table_the_page_says_why() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let store = Store::new();
    let server = serve(&store, &[("REGIONS", "a b")]);
    browser.go(&format!("http://{}/", server.dashboard()));
    let shown = browser.settle("document.querySelector('.problem') !== null");
    assert!(shown.dom.contains("REGIONS: "), "{}", shown.dom);
    // What the browser says of the refused request, and nothing of scripts, styles or policies.
    assert!(
        shown.console.iter().all(|line| line.contains("503")),
        "{:?}",
        shown.console
    );
}

#[test]
fn a_tenant_is_looked_up_with_the_keyboard_alone() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let store = Store::new();
    let server = serve(&store, &[("REGIONS", "a,b"), ("TENANT_STICKY", "hash")]);
    browser.open(&format!("http://{}/?tenant=first", server.dashboard()));
    // From the top of the page, by the link that skips to the look-up.
    browser.keys("", "Tab");
    assert_eq!(browser.evaluate("document.activeElement.className"), "skip");
    browser.keys("", "Enter");
    assert_eq!(browser.evaluate("document.activeElement.id"), "tenant");
    browser.evaluate("document.activeElement.select()");
    browser.keys("second tenant", "Enter");
    let shown = browser.settle(
        r#"document.querySelector(".steps")?.textContent.includes("second tenant") === true"#,
    );
    assert_eq!((shown.agrees(), shown.console), (Some(true), Vec::new()));
    let address = browser.evaluate("location.search");
    assert_eq!(
        address, "?tenant=second+tenant",
        "it can be handed on as a link"
    );
}

#[test]
fn every_field_and_section_has_a_name_and_nothing_stands_inline() {
    let page = std::str::from_utf8(halcyon_www::file("/").unwrap().bytes).unwrap();
    for inline in [
        " style=",
        "<style",
        " onclick",
        "javascript:",
        "<script>",
        "http://",
        "https://",
    ] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert!(page.contains("<html lang=\"en\">") && page.contains("<main>"));
    let own = halcyon_www::FILES
        .iter()
        .filter(|file| file.path.ends_with(".js") && !file.path.starts_with("/page/"));
    let (mut sections, mut fields) = (0, 0);
    for file in own {
        let text = std::str::from_utf8(file.bytes).unwrap();
        for section in text.split("<section ").skip(1) {
            let tag = section.split('>').next().unwrap();
            assert!(tag.contains("aria-labelledby="), "{}: {tag}", file.path);
            sections += 1;
        }
        for (place, _) in text.match_indices("<input ") {
            let tag = &text[place + "<input ".len()..];
            // Of a name that is written out, or of one that its label has from the same place.
            let id = tag
                .strip_prefix("id=")
                .and_then(|rest| rest.split(' ').next());
            let named = match id {
                Some(id) => text.contains(&format!("<label for={id}>")),
                None => {
                    let last = |tag: &str| text[..place].rfind(tag);
                    last("<label") > last("</label>")
                        || tag.split('\n').next().unwrap().contains("aria-label=")
                }
            };
            assert!(named, "{}: {}", file.path, &tag[..40]);
            fields += 1;
        }
        for never in [
            "innerHTML",
            "dangerouslySetInnerHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!text.contains(never), "{}: {never}", file.path);
        }
    }
    assert!(sections >= 6 && fields >= 5, "{sections} {fields}");
}
