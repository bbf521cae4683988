//! Everything that can be wrong with the environment, against the program itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use halcyon_tests::store::{Ran, Running, Store};

use crate::REGIONS;

fn command(name: &str) -> Vec<&str> {
    match name {
        "release" => {
            vec![
                "release",
                "--image-blue",
                "a",
                "--image-green",
                "b",
                "--canary-seq",
                "1",
                "--region",
                "h",
                "--dry-run",
            ]
        }
        "route" => vec!["route", "acme"],
        "failover" => vec!["failover", "us-east"],
        "audit" => vec!["audit", "verify"],
        other => vec![other],
    }
}

/// Runs with three good regions and one variable changed.
fn with(name: &str, variable: &str, value: OsString) -> Ran {
    let store = Store::new();
    let mut command = store.command(&command(name), &REGIONS);
    command.env(variable, value);
    let ran = Running::spawn(&mut command).ended_within(Duration::from_secs(10));
    assert!(
        !store.logs().exists(),
        "{variable}: a refused or reading command makes nothing"
    );
    ran
}

/// Exit code, and that the variable is named, escaped and not echoed at length.
#[track_caller]
fn assert_refused(name: &str, variable: &str, value: &str, code: i32, says: &str) {
    let ran = with(name, variable, value.into());
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, code, "{variable}={value:.80}: {said}");
    assert!(
        said.contains(variable) && said.contains(says),
        "{variable}={value:.80}: {said}"
    );
    let harmful = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}' | '\u{a0}')
    };
    assert!(
        !said.contains(harmful) && said.len() < 3000,
        "{variable}={value:.80}: {said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_region_list_that_is_wrong_is_refused_by_every_command_that_needs_it() {
    let most = "x".repeat(130_000);
    for (value, says) in [
        ("", "unset"),
        (",", ""),
        (" , \t,", ""),
        ("us-east,us-east", "us-east"),
        ("us-east,US-EAST", "US-EAST"),
        ("us-east\r,us-west", "\\r"),
        ("\u{feff}us-east", "\\u{feff}"),
        ("\u{a0}us-east", "\\u{a0}"),
        ("us-\u{435}ast,us-east", "\\u{435}"),
        ("\u{202e}us-east", "\\u{202e}"),
        ("us\u{200b}east", "\\u{200b}"),
        ("-us-east", "-us-east"),
        ("us east", "us east"),
        ("us-east=1", "us-east=1"),
        ("../etc", "../etc"),
        (&most, "xxx..."),
    ] {
        for name in ["regions", "route", "failover"] {
            assert_refused(name, "REGIONS", value, 2, says);
        }
    }
}

#[test]
fn ten_thousand_regions_are_refused_at_once_and_not_echoed() {
    let many: Vec<_> = (0..10_000).map(|number| format!("r{number:05}")).collect();
    let begin = Instant::now();
    for name in ["regions", "route", "failover"] {
        assert_refused(name, "REGIONS", &many.join(","), 2, "1024");
    }
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    let duplicates = vec!["us-east"; 10_000].join(",");
    assert_refused("regions", "REGIONS", &duplicates, 2, "");
}

#[test]
fn one_variable_that_is_wrong_is_named_with_what_was_seen() {
    for (name, variable, value, says) in [
        ("route", "PRIMARY_REGION", "mars", "mars"),
        ("regions", "PRIMARY_REGION", "US-EAST", "US-EAST"),
        ("regions", "PRIMARY_REGION", "us-\u{435}ast", "\\u{435}"),
        ("route", "TENANT_HASH_KEY", "0123", "32"),
        (
            "regions",
            "TENANT_HASH_KEY",
            "0000000000000000000000000000000g",
            "32",
        ),
        (
            "route",
            "TENANT_HASH_KEY",
            "000000000000000000000000000000000",
            "32",
        ),
        ("route", "REGION_WEIGHTS", "us-east=65536", "0 to 65535"),
        ("regions", "REGION_WEIGHTS", "us-east=1.5", "\"1.5\""),
        (
            "failover",
            "REGION_WEIGHTS",
            "us-esat=2",
            "did you mean \"us-east\"?",
        ),
        ("route", "REGION_WEIGHTS", "us-east=1,us-east=2", "twice"),
        ("regions", "REGION_ENDPOINTS", "us-east=10.0.0.1", "scheme"),
        ("status", "HALCYON_STORE", "etcd://127.0.0.1:2379", "etcd"),
        ("status", "HALCYON_STORE", "etcd://joe:s3cret@h", "etcd"),
        ("status", "HALCYON_STORE", "logs", "file:DIR"),
        ("status", "HALCYON_STORE", "file:", "file:DIR"),
        ("route", "HALCYON_STORE", "s3://bucket", "file:DIR"),
        ("release", "PROBE_INTERVAL_MS", "0", "10 to"),
        ("release", "PROBE_INTERVAL_MS", "-1", "\"-1\""),
        ("release", "PROBE_INTERVAL_MS", "1e3", "\"1e3\""),
        ("release", "PROBE_TIMEOUT_MS", "NaN", "\"NaN\""),
        (
            "release",
            "PROBE_TIMEOUT_MS",
            "99999999999999999999999",
            "allowed",
        ),
        ("release", "READINESS_TIMEOUT_MS", "400ms", "\"400ms\""),
        ("release", "DRAIN_MS", "+5", "\"+5\""),
        ("release", "LOG_FORMAT", "xml", "text, json"),
        ("release", "HEALTH_PORT", "65536", "65536"),
        ("release", "HEALTH_PORT", " 80", "\" 80\""),
        ("release", "HEALTH_PORT", "8o86", "8o86"),
        ("release", "REGION_ENDPOINTS", "us-east", "us-east"),
        ("release", "REGION_ENDPOINTS", "us-east=tcp://h:1", "HTTP"),
        (
            "release",
            "REGION_ENDPOINTS",
            "us-east=http://joe:s3cret@h",
            "us-east",
        ),
        (
            "release",
            "REGION_ENDPOINTS",
            "a=http://h,a=http://i",
            "twice",
        ),
        ("release", "READINESS_CHECKS", "db=tcp://h", "port"),
        (
            "release",
            "READINESS_CHECKS",
            "db=http://joe:s3cret@h,x=http://ok/",
            "",
        ),
        ("release", "READINESS_CHECKS", "db=ftp://h", "db"),
    ] {
        assert_refused(name, variable, value, 2, says);
    }
}

#[test]
fn a_variable_about_something_else_keeps_nobody_from_going_back_to_blue() {
    let store = Store::new();
    store
        .run(&["rollback", "--reason", "there is a journal"])
        .exits(0);
    let malformed = [
        ("DASHBOARD_PORT", "q"),
        ("HEALTH_PORT", "x"),
        ("DRAIN_MS", "+5"),
        ("READINESS_TIMEOUT_MS", "z"),
        ("READINESS_CHECKS", "db=tcp://h"),
        ("LOG_FORMAT", "xml"),
        ("PROBE_INTERVAL_MS", "0"),
        ("PROBE_TIMEOUT_MS", "NaN"),
        ("REGION_ENDPOINTS", "us-east"),
    ];
    for command in [
        &["rollback", "--reason", "bad"][..],
        &["status"],
        &["audit", "verify"],
        &["audit", "tail"],
    ] {
        let ran = store.run_with(command, &malformed);
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.stderr);
        // Nothing is lost: each of them is said.
        for (variable, _) in malformed {
            let says = format!("warning: {variable}: ");
            assert!(ran.stderr.contains(&says), "{command:?}: {}", ran.stderr);
        }
    }
    // Nothing to pause: the machine refuses it, and no variable does.
    let ran = store.run_with(&["pause", "--reason", "bad"], &malformed);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    // Where the journal is has to be known: then all of it is said at once.
    let with_store = [&malformed[..], &[("HALCYON_STORE", "logs")]].concat();
    let ran = store.run_with(&["rollback", "--reason", "bad"], &with_store);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for (variable, _) in with_store {
        let says = format!("{variable}: ");
        assert!(ran.stderr.contains(&says), "{}", ran.stderr);
    }
}

#[test]
fn what_falls_back_is_a_warning_on_every_surface() {
    for (name, variable, value, says) in [
        ("route", "FAILOVER_POLICY", "random", "ordered"),
        ("regions", "FAILOVER_POLICY", "random", "ordered"),
        ("failover", "FAILOVER_POLICY", "random", "ordered"),
        ("route", "TENANT_STICKY", "cookie", "primary"),
        ("regions", "REGIONS", "us-east,,us-west", "empty"),
        ("route", "REGIONS", "us-east,us-west,", "empty"),
        ("status", "FEATURE_BLUE_GREEN", "maybe", "counts as false"),
        ("status", "FEATURE_MULTI_REGION", "yes", "counts as false"),
        ("regions", "CURRENT_REGION", "mars", "mars"),
    ] {
        let ran = with(name, variable, value.into());
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 0, "{variable}={value}: {said}");
        assert!(
            said.contains("warning") && said.contains(variable) && said.contains(says),
            "{variable}={value}: {said}"
        );
    }
}

#[test]
fn what_is_allowed_is_read_generously() {
    for (variable, value) in [
        ("REGIONS", " us-east \t, us-west"),
        ("FAILOVER_POLICY", "Round_Robin"),
        ("TENANT_STICKY", "HASH"),
        ("TENANT_STICKY", "Primary"),
        ("TENANT_STICKY", "Rendezvous"),
        ("FAILOVER_POLICY", "RENDEZVOUS"),
        ("REGION_WEIGHTS", " us-east = 2,\tus-west=0 , "),
        ("FEATURE_BLUE_GREEN", "TRUE"),
        ("FEATURE_MULTI_REGION", "0"),
        ("TENANT_HASH_KEY", "000102030405060708090A0b0c0d0e0f"),
        ("CURRENT_REGION", ""),
        ("HALCYON_STORE", ""),
    ] {
        let ran = with("route", variable, value.into());
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (0, ""),
            "{variable}={value}"
        );
    }
}

#[test]
fn invalid_utf_8_is_refused_where_it_matters() {
    let bad = |prefix: &str| OsString::from_vec([prefix.as_bytes(), b"\xff\xfe"].concat());
    for (name, variable, prefix) in [
        ("regions", "REGIONS", "us-east"),
        ("route", "REGIONS", "us-east,"),
        ("route", "PRIMARY_REGION", "us-east"),
        ("route", "TENANT_HASH_KEY", "00"),
        ("status", "HALCYON_STORE", "file:logs"),
        ("release", "PROBE_TIMEOUT_MS", "5"),
        ("release", "HEALTH_PORT", "80"),
        ("release", "REGION_ENDPOINTS", "us-east=http://h"),
    ] {
        let ran = with(name, variable, bad(prefix));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 2, "{variable}: {said}");
        assert!(
            said.contains(variable) && said.is_ascii(),
            "{variable}: {said}"
        );
    }
    let ran = with("release", "DEPLOY_RBAC_ROLE", bad("Admin"));
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn five_problems_are_five_lines() {
    let store = Store::new();
    let wrong = [
        ("REGIONS", "a,a"),
        ("PRIMARY_REGION", "b"),
        ("TENANT_HASH_KEY", "x"),
        ("HALCYON_STORE", "nowhere"),
        ("DRAIN_MS", "-1"),
        ("REGION_WEIGHTS", "a=NaN"),
    ];
    let ran = store.run_with(&["route", "acme"], &wrong).exits(2);
    assert_eq!(ran.stderr.lines().count(), wrong.len(), "{}", ran.stderr);
    for (variable, _) in wrong {
        let lines = ran
            .stderr
            .lines()
            .filter(|line| line.starts_with(&format!("error: {variable}: ")));
        assert_eq!(lines.count(), 1, "{variable}: {}", ran.stderr);
    }
    let ran = store
        .run_with(&["route", "acme", "-o", "json"], &wrong)
        .exits(2);
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(problem["problems"].as_array().unwrap().len(), wrong.len());
    let ran = store
        .run_with(&["regions", "-o", "json"], &wrong)
        .exits(2)
        .json();
    assert_eq!(
        (&ran["valid"], ran["errors"].as_array().unwrap().len()),
        (&false.into(), 4),
        "{ran}"
    );
}
