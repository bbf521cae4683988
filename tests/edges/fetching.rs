//! The table comes in the background, and the last good one stays.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use halcyon::signing::TableSigner;
use serde_json::{Value, json};

use crate::edge::{Edge, Runtime};
use crate::tables::{Mode, Tables};
use crate::world::{EPOCH, FAST, PATIENT, World, echo, native, now, place, tenants};

in_every_edge! {
    without_a_table_every_request_is_answered_at_once_and_the_first_table_ends_that,
    the_first_table_must_be_of_the_deployment_that_the_variable_names,
    an_embedded_table_serves_until_a_newer_one_comes,
    an_embedded_table_alone_is_enough,
    an_unchanged_table_is_asked_for_by_its_etag_and_stays,
    whatever_the_server_of_tables_does_the_last_good_table_stays_and_requests_are_fast,
    a_table_of_16_mib_is_taken_and_a_longer_one_is_not,
    one_fetch_at_a_time_however_many_requests,
    the_table_is_asked_for_as_often_as_the_variable_says,
    the_token_goes_to_the_server_of_tables_and_nowhere_else,
    a_region_that_a_new_table_no_longer_has_gets_nobody,
    with_keys_only_tables_that_one_of_them_signed_are_taken,
}

fn without_a_table_every_request_is_answered_at_once_and_the_first_table_ends_that(
    runtime: Runtime,
) {
    let Some(world) = World::before(runtime, &[PATIENT], |_| ()) else {
        return;
    };
    for mode in [
        Mode::Hang,
        Mode::Close,
        Mode::Status(401),
        Mode::Bytes(b"{}".into()),
    ] {
        world.tables.mode(mode.clone());
        for method in ["GET", "POST", "HEAD"] {
            let answer = world.edge.ask(method, "/", &[("x-tenant", "acme")]);
            assert_eq!(
                (answer.status(), answer.header("retry-after")),
                (503, Some("1")),
                "{mode:?}"
            );
            if method != "HEAD" {
                assert_eq!(answer.problem(503), "no_table");
            }
            assert!(answer.took < FAST, "{mode:?}: {:?}", answer.took);
        }
        world.wait_for_fetches(1);
    }
    world.tables.mode(Mode::Table(world.table.clone()));
    world.wait_for_a_table();
    assert_eq!(
        place(&world.edge.get("acme")),
        native(&world.table, &[], "acme")
    );
}

fn the_first_table_must_be_of_the_deployment_that_the_variable_names(runtime: Runtime) {
    let variables = [("HALCYON_DEPLOYMENT", "bank")];
    let Some(world) = World::before(runtime, &variables, |_| ()) else {
        return;
    };
    world.tables.mode(Mode::Table(world.table.clone()));
    world.wait_for_fetches(3);
    assert_eq!(world.edge.get("acme").problem(503), "no_table");
    assert!(
        world.edge.said().contains("HALCYON_DEPLOYMENT"),
        "{}",
        world.edge.said()
    );
    // Of a greater epoch, which must not have been remembered.
    world.tables.mode(Mode::Table(
        world.table_of(1, |table| table["deployment"] = "bank".into()),
    ));
    world.wait_for_a_table();
}

fn an_embedded_table_serves_until_a_newer_one_comes(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let held = world.table_of(5, |table| {
        table["release"] = json!({"id": "r1", "state": "idle", "weight": 0})
    });
    let tables = Tables::start(Mode::Hang);
    let url = tables.url();
    // As text, and as a variable that is JSON.
    for table in [Value::from(held.to_string()), held.clone()] {
        tables.mode(Mode::Hang);
        let variables = [
            ("TABLE", table),
            ("TABLE_URL", url.as_str().into()),
            ("TABLE_REFRESH_MS", 100.into()),
            ("TABLE_TIMEOUT_MS", 200.into()),
        ];
        let edge = Edge::start(runtime, &variables).unwrap();
        for tenant in tenants(10) {
            let answer = edge.get(&tenant);
            echo(&answer);
            assert_eq!(
                place(&answer),
                native(&held, &[], &tenant),
                "the very first requests too"
            );
        }
        let whole = world.table_of(6, |table| {
            table["release"] = json!({"id": "r1", "state": "green_live", "weight": 100})
        });
        tables.mode(Mode::Table(whole));
        world.wait_until("the newer table", || place(&edge.get("acme")).1 == "green");
    }
}

fn an_embedded_table_alone_is_enough(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let edge = Edge::start(runtime, &[("TABLE", world.table.to_string().into())]).unwrap();
    let asked = world.tables.asked().len();
    for tenant in tenants(10) {
        assert_eq!(
            place(&edge.get(&tenant)),
            native(&world.table, &[], &tenant)
        );
    }
    assert!(!edge.said().contains("not taken"), "{}", edge.said());
    assert!(world.tables.asked().len() - asked < 100);
}

fn an_unchanged_table_is_asked_for_by_its_etag_and_stays(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let whole = world.tables.asked().len() - world.tables.not_modified();
    world.wait_until("answers 304", || {
        assert_eq!(
            place(&world.edge.get("acme")),
            native(&world.table, &[], "acme")
        );
        world.tables.not_modified() >= 3
    });
    assert_eq!(
        world.tables.asked().len() - world.tables.not_modified(),
        whole,
        "it came again"
    );
    // A new table has a new tag.
    world.publish(&world.table_of(EPOCH + 1, |_| ()));
    let last = world.tables.asked().pop().unwrap();
    assert_eq!(last.header("if-none-match"), Some("\"1001\""));
}

fn whatever_the_server_of_tables_does_the_last_good_table_stays_and_requests_are_fast(
    runtime: Runtime,
) {
    let Some(world) = World::with(runtime, &[PATIENT], |_| ()) else {
        return;
    };
    let moved = |table: &mut Value| {
        table["release"] = json!({"id": "r1", "state": "green_live", "weight": 100})
    };
    world.publish(&world.table_of(EPOCH + 10, |_| ()));
    let other = Tables::start(Mode::Table(world.table_of(EPOCH + 11, moved)));
    let day = 24 * 3600 * 1000;
    let mut good = world.table_of(EPOCH + 11, moved).to_string();
    let mut faults = BTreeMap::from([
        ("hangs", Mode::Hang),
        ("drips", Mode::Drip),
        ("closes", Mode::Close),
        ("fails", Mode::Status(500)),
        ("refuses", Mode::Status(403)),
        ("has none", Mode::Status(204)),
        ("redirects", Mode::Redirect(other.url())),
        ("older", Mode::Table(world.table_of(EPOCH + 9, moved))),
        (
            "same epoch, other table",
            Mode::Bytes(world.table_of(EPOCH + 10, moved).to_string().into()),
        ),
        (
            "other deployment",
            Mode::Table(world.table_of(EPOCH + 11, |table| {
                moved(table);
                table["deployment"] = "other".into();
            })),
        ),
        (
            "far ahead",
            Mode::Table(world.table_of(now() + day + 60_000, moved)),
        ),
        (
            "epoch beyond all",
            Mode::Table(world.table_of(u64::MAX, moved)),
        ),
        (
            "no regions",
            Mode::Table(world.table_of(EPOCH + 11, |table| table["regions"] = json!([]))),
        ),
        (
            "unknown member",
            Mode::Table(world.table_of(EPOCH + 11, |table| table["more"] = 1.into())),
        ),
        (
            "greater format",
            Mode::Table(world.table_of(EPOCH + 11, |table| table["format"] = 2.into())),
        ),
        (
            "wrong address",
            Mode::Table(world.table_of(EPOCH + 11, |table| {
                table["regions"][0]["blue"] = "ftp://x".into()
            })),
        ),
        ("no JSON", Mode::Bytes(b"<html>\x1b[31m\n".into())),
        ("nothing", Mode::Bytes(Vec::new())),
        ("null", Mode::Bytes(b"null".into())),
        ("a number", Mode::Bytes(b"7".into())),
        ("no UTF-8", Mode::Bytes(b"{\"format\":\"\xff\"}".into())),
        ("deep", Mode::Bytes("[".repeat(200_000).into())),
        (
            "deep and closed",
            Mode::Bytes(("[".repeat(100_000) + &"]".repeat(100_000)).into()),
        ),
        (
            "too long by its own word",
            Mode::Bytes(vec![b' '; 17 << 20]),
        ),
        ("too long without a word", Mode::Endless(64 << 20)),
    ]);
    let cut = good.len() / 2;
    good.truncate(cut);
    faults.insert("cut off", Mode::Bytes(good.into()));
    for (fault, mode) in faults {
        world.tables.mode(mode);
        // The second one begins when the first one's answer has been judged.
        world.wait_for_fetches(3);
        for tenant in tenants(4) {
            let answer = world.edge.get(&tenant);
            echo(&answer);
            assert_eq!(
                place(&answer),
                native(&world.table, &[], &tenant),
                "{fault}"
            );
            assert!(answer.took < FAST, "{fault}: {:?}", answer.took);
        }
    }
    assert_eq!(other.asked().len(), 0, "a redirect was followed");
    let said = world.edge.said();
    assert!(
        said.lines()
            .all(|line| line.bytes().all(|byte| (b' '..=b'~').contains(&byte))),
        "{said}"
    );
    world.publish(&world.table_of(EPOCH + 11, moved));
    world.wait_until("the next good table", || {
        place(&world.edge.get("acme")).1 == "green"
    });
}

fn a_table_of_16_mib_is_taken_and_a_longer_one_is_not(runtime: Runtime) {
    let slow = [("TABLE_TIMEOUT_MS", "20000")];
    let idle = |table: &mut Value| {
        table["release"] = json!({"id": "r1", "state": "idle", "weight": 0});
    };
    let Some(world) = World::with(runtime, &slow, idle) else {
        return;
    };
    let padded = |epoch: u64, state: &str, weight: u8, length: usize| {
        let table = world.table_of(epoch, |table| {
            table["release"] = json!({"id": "r1", "state": state, "weight": weight});
        });
        let mut text = table.to_string().into_bytes();
        text.resize(length, b' ');
        Mode::Bytes(text)
    };
    let most = 16 << 20;
    world
        .tables
        .mode(padded(EPOCH + 1, "green_live", 100, most));
    let slot = || place(&world.edge.get("acme")).1;
    assert_eq!(slot(), "blue");
    world.wait_until("the longest table", || slot() == "green");
    world.tables.mode(padded(EPOCH + 2, "idle", 0, most + 1));
    world.wait_until("the refusal", || {
        world.edge.get("acme");
        let said = world.edge.said();
        [
            "longer than 16777216 bytes",
            "longer than 16384 KiB",
            "allowed: at most 16777216",
        ]
        .iter()
        .any(|word| said.contains(word))
    });
    world.wait_for_fetches(1);
    assert_eq!(slot(), "green");
}

fn one_fetch_at_a_time_however_many_requests(runtime: Runtime) {
    let Some(world) = World::before(runtime, &[("TABLE_TIMEOUT_MS", "1000")], |_| ()) else {
        return;
    };
    let burst = || {
        thread::scope(|scope| {
            for number in 0..50 {
                let world = &world;
                scope.spawn(move || world.edge.get(&format!("tenant{number}")));
            }
        });
    };
    burst();
    world.wait_for_fetches(1);
    burst();
    world.tables.mode(Mode::Table(world.table.clone()));
    world.wait_for_a_table();
    burst();
    assert_eq!(world.tables.most_at_once(), 1);
}

fn the_table_is_asked_for_as_often_as_the_variable_says(runtime: Runtime) {
    let Some(world) = World::with(runtime, &[("TABLE_REFRESH_MS", "500")], |_| ()) else {
        return;
    };
    let before = world.tables.asked().len();
    for _ in 0..100 {
        world.edge.get("acme");
        thread::sleep(Duration::from_millis(20));
    }
    // Every 400 to 600 ms, for 2 s and as long as the requests took.
    let asked = world.tables.asked().len() - before;
    assert!((2..=15).contains(&asked), "{asked}");
}

fn the_token_goes_to_the_server_of_tables_and_nowhere_else(runtime: Runtime) {
    let secret = "s3cr3t-t0k3n";
    let Some(world) = World::with(runtime, &[("TABLE_TOKEN", secret)], |_| ()) else {
        return;
    };
    for mode in [Mode::Status(401), Mode::Close, Mode::Bytes(b"x".into())] {
        world.tables.mode(mode);
        world.wait_for_fetches(2);
    }
    for head in world.tables.asked() {
        assert_eq!(head.header("authorization"), Some("Bearer s3cr3t-t0k3n"));
        assert_eq!(head.start, "GET /api/v1/table?edge=1 HTTP/1.1");
        assert_eq!(head.header("accept"), Some("application/json"));
        assert_eq!(head.header("x-tenant"), None);
    }
    let answer = world.edge.get("acme");
    assert!(!answer.to_string().contains(secret));
    assert!(
        world
            .upstreams
            .values()
            .flat_map(|upstream| upstream.asked())
            .all(|head| head.header("authorization").is_none())
    );
    assert!(!world.edge.said().contains(secret), "{}", world.edge.said());
}

fn a_region_that_a_new_table_no_longer_has_gets_nobody(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    // Once with what is kept of the former table for a second try.
    for slot in ["blue", "green"] {
        world
            .upstream("us-east", slot)
            .mode(crate::upstream::Mode::Status(503));
    }
    tenants(5)
        .iter()
        .for_each(|tenant| drop(world.edge.get(tenant)));
    let without = world.table_of(EPOCH + 1, |table| {
        table["regions"].as_array_mut().unwrap().remove(0);
        table["primary"] = "us-west".into();
    });
    world.publish(&without);
    let before = world.asked("us-east");
    for tenant in tenants(10) {
        assert_eq!(
            place(&world.edge.get(&tenant)),
            native(&without, &[], &tenant)
        );
    }
    assert_eq!(world.asked("us-east"), before);
}

fn with_keys_only_tables_that_one_of_them_signed_are_taken(runtime: Runtime) {
    let [ours, next, other] = [(); 3].map(|()| TableSigner::generate().unwrap());
    let keys = format!("{}, {}", ours.public(), next.public());
    let variables = [("TABLE_KEYS", keys.as_str())];
    let Some(world) = World::before(runtime, &variables, |_| ()) else {
        return;
    };
    let of_weight = |epoch: u64, state: &str, weight: u8| {
        let table = world.table_of(epoch, |table| {
            table["release"] = json!({"id": "r1", "state": state, "weight": weight});
        });
        table.to_string().into_bytes()
    };
    let (tables, slot) = (&world.tables, || place(&world.edge.get("acme")).1);
    let none = || {
        world.wait_for_fetches(2);
        assert_eq!(world.edge.get("acme").problem(503), "no_table");
    };
    let blue = of_weight(EPOCH, "idle", 0);
    tables.mode(Mode::Signed(blue.clone(), other.sign(&blue)));
    none();
    let said = |why: &str| assert!(world.edge.said().contains(why), "{}", world.edge.said());
    said("its signature is not one of TABLE_KEYS over these bytes");
    // Verified before it is parsed: nobody hears what is wrong with somebody else's bytes.
    tables.mode(Mode::Signed(b"{".to_vec(), other.sign(b"{")));
    none();
    assert!(!world.edge.said().contains("JSON"), "{}", world.edge.said());
    for bad in ["x", "", "A===", &"A".repeat(88)] {
        tables.mode(Mode::Signed(blue.clone(), bad.into()));
        none();
    }
    tables.mode(Mode::Bytes(blue.clone()));
    none();
    said("it is not signed; allowed: a signature of one of TABLE_KEYS");
    tables.mode(Mode::Signed(blue.clone(), ours.sign(&blue)));
    world.wait_for_a_table();
    // Changed on its way, with the signature of another table, and of somebody else.
    let green = of_weight(EPOCH + 1, "green_live", 100);
    let mut changed = green.clone();
    changed.push(b' ');
    for (body, signature) in [
        (changed, ours.sign(&green)),
        (green.clone(), ours.sign(&blue)),
        (green.clone(), other.sign(&green)),
    ] {
        tables.mode(Mode::Signed(body, signature));
        world.wait_for_fetches(2);
        assert_eq!(slot(), "blue");
    }
    tables.mode(Mode::Signed(green.clone(), next.sign(&green)));
    world.wait_until("the other key's table", || slot() == "green");
}

/// Those of Rust are tried with as many in the core.
#[test]
fn of_100_000_changed_tables_the_template_takes_none() {
    let Some(folder) = crate::edge::installed() else {
        return;
    };
    let ours = TableSigner::generate().unwrap();
    let table = json!({
        "format": 1, "epoch": EPOCH, "issued_at": "2026-01-01T00:00:00Z", "deployment": "shop",
        "regions": [{"name": "us-east", "weight": 1, "status": "up", "blue": "http://10.0.0.1"}],
        "primary": "us-east", "sticky": "hash", "failover": "ordered",
    });
    let table = table.to_string();
    let script = halcyon_wasm_build::workspace().join("tests/edges/mutated.mjs");
    let mut command = std::process::Command::new("node");
    command
        .arg(script)
        .args([ours.public(), ours.sign(table.as_bytes())])
        .arg("100000")
        .current_dir(folder)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, table.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said, json!({"whole": 1, "tried": 100_000, "taken": 0}));
}
