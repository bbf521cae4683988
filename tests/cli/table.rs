//! `halcyon table`: what edges decide by.

use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;
use halcyon_tests::store::Store;
use serde_json::Value;

const REGIONS: [(&str, &str); 2] = [
    ("REGIONS", "us-east,us-west,eu-west"),
    ("TENANT_STICKY", "hash"),
];

fn table(store: &Store, environment: &[(&str, &str)]) -> Value {
    let ran = store.run_with(&["table"], environment).exits(0);
    assert!(
        ran.stdout.ends_with("}\n") && ran.stdout.lines().count() == 1 && ran.stdout.is_ascii()
    );
    ran.json()
}

#[test]
fn a_table_has_the_configuration_and_is_read_by_an_edge() {
    let store = Store::new();
    let environment = [
        &REGIONS[..],
        &[
            ("REGION_WEIGHTS", "us-west=7"),
            ("PRIMARY_REGION", "us-west"),
            ("FAILOVER_POLICY", "round_robin"),
            ("HALCYON_DEPLOYMENT", "shop"),
            ("TENANT_HASH_KEY", "000102030405060708090a0b0c0d0e0f"),
        ],
    ]
    .concat();
    let json = table(&store, &environment);
    assert_eq!(json["deployment"], "shop");
    assert_eq!(json["regions"][1]["weight"], 7);
    assert_eq!(
        (&json["sticky"], &json["failover"]),
        (&"hash".into(), &"round_robin".into())
    );
    assert_eq!(json["hash_key"], "000102030405060708090a0b0c0d0e0f");
    assert!(json.get("release").is_none());
    let table = Table::from_json(&json.to_string()).unwrap();
    assert_eq!(table.router().len(), 3);
    let named = store
        .run_with(&["table", "--deployment", "other"], &environment)
        .exits(0);
    assert_eq!(named.json()["deployment"], "other", "a flag wins");
    store
        .run_with(&["table", "--deployment", "my shop"], &environment)
        .exits(2)
        .says("HALCYON_DEPLOYMENT: \"my shop\" is not a deployment's name; allowed: 1 to 63 of");
    assert_eq!(self::table(&store, &REGIONS)["deployment"], "default");
}

#[test]
fn every_table_has_a_greater_epoch_than_the_one_before() {
    let store = Store::new();
    let epoch = || table(&store, &REGIONS)["epoch"].as_u64().unwrap();
    let first = epoch();
    let file = store.logs().join("table_epoch");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("{first}\n")
    );
    assert!(epoch() > first);
    std::fs::write(&file, "9000000000000000\n").unwrap();
    assert_eq!(epoch(), 9_000_000_000_000_001, "the clock is behind");
    std::fs::write(&file, "soon\n").unwrap();
    store
        .run_with(&["table"], &REGIONS)
        .exits(1)
        .says("table_epoch says \"soon\\n\"; allowed: the epoch of the last routing table");
}

#[test]
fn a_canary_is_in_the_table_and_ends_by_itself() {
    let store = Store::new();
    let region = halcyon_tests::region::Region::ready();
    let at = region.at();
    let driver = store.start(&[
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "25,100",
        "--timeout-s",
        "30",
        "--region",
        &at,
    ]);
    store.wait_for("start_canary");
    let json = table(&store, &REGIONS);
    let release = &json["release"];
    assert_eq!(
        (&release["state"], &release["weight"]),
        (&"canary".into(), &25.into())
    );
    let moment = |text: &Value| Timestamp::parse(text.as_str().unwrap()).unwrap();
    let until = moment(&release["valid_until"]);
    assert_eq!(until.since(moment(&json["issued_at"])), 180_000);
    drop(driver);
}

#[test]
fn bytes_and_json_say_the_same() {
    let store = Store::new();
    let out = store.dir().join("edge.table");
    let arguments = ["table", "--binary", "--out", out.to_str().unwrap()];
    let ran = store.run_with(&arguments, &REGIONS).exits(0);
    assert_eq!((&*ran.stdout, &*ran.stderr), ("", ""));
    let binary = Table::from_binary(&std::fs::read(&out).unwrap()).unwrap();
    let mut json = table(&store, &REGIONS);
    json["epoch"] = binary.epoch().number().into();
    assert_eq!(
        Table::from_json(&json.to_string()).unwrap().to_binary(),
        binary.to_binary()
    );
    let left: Vec<_> = std::fs::read_dir(store.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("edge.table"))
        .collect();
    assert_eq!(left, ["edge.table"], "whole, and nothing beside it");
}

#[test]
fn what_is_wrong_is_said_at_once_and_no_epoch_is_spent() {
    let store = Store::new();
    let ran = store
        .run_with(
            &["table"],
            &[
                ("REGIONS", "us-east,us east"),
                ("DRAIN_MS", "soon"),
                ("TENANT_STICKY", "primary"),
            ],
        )
        .exits(2);
    for part in [
        "REGIONS: \"us east\"",
        "DRAIN_MS: ",
        "PRIMARY_REGION: unset",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(!store.logs().exists());
    store
        .run_with(&["table", "--out", "/nowhere/edge.table"], &REGIONS)
        .exits(1)
        .says("--out: /nowhere/edge.table cannot be written");
}

#[test]
fn a_file_that_is_no_file_is_refused_before_a_number_is_spent() {
    let store = Store::new();
    let (link, target) = (store.dir().join("link"), store.dir().join("target"));
    std::fs::write(&target, "mine").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    for out in [
        link.to_str().unwrap(),
        "/dev/null",
        store.dir().to_str().unwrap(),
    ] {
        store
            .run_with(&["table", "--out", out], &REGIONS)
            .exits(1)
            .says("it is there and no regular file; allowed: a regular file, or nothing");
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
    assert!(!store.logs().exists());
    store
        .run_with(&["table", "--binary", "-o", "json"], &REGIONS)
        .exits(2)
        .says("--binary: bytes are no JSON");
}

/// Else the table would say what was before with a number that comes after.
#[test]
fn a_table_waits_for_whoever_appends_and_says_what_is_then() {
    let store = Store::new();
    let region = halcyon_tests::region::Region::ready();
    let at = region.at();
    let release = [
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "25,100",
        "--timeout-s",
        "30",
        "--region",
        &at,
    ];
    let driver = store.start(&release);
    store.wait_for("start_canary");
    let during = store.bytes();
    store.run(&["rollback", "--reason", "x"]).exits(0);
    let _ = driver.ended();
    let after = store.bytes();
    // A writer at work: it has the lock, and its records are not there yet.
    std::fs::write(store.log(), during).unwrap();
    let lock = std::fs::File::open(store.logs().join("append.lock")).unwrap();
    lock.lock().unwrap();
    let out = store.dir().join("edge.json");
    let waiting = std::thread::scope(|scope| {
        let table = scope.spawn(|| {
            let arguments = ["table", "--out", out.to_str().unwrap()];
            store.run_with(&arguments, &REGIONS).exits(0);
        });
        std::thread::sleep(std::time::Duration::from_millis(700));
        assert!(!out.exists(), "it waits");
        std::fs::write(store.log(), after).unwrap();
        drop(lock);
        table.join()
    });
    waiting.unwrap();
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(
        json.get("release").map(|release| &release["state"]),
        Some(&"idle".into())
    );
}
