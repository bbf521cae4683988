//! Every setting: its default, the edges of its range, and what an error says.
#![allow(clippy::arithmetic_side_effects)]

mod dashboard;
mod files;
mod lint;
mod networks;
mod regions;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use super::*;
use crate::testing::env;
use crate::text::{SEEN_MAX, Seen};

fn read(table: &[(&str, &str)]) -> (Settings, Problems) {
    Settings::read(&env(table))
}

/// The settings where one variable has one value, which must be fine.
fn with(name: &str, value: &str) -> Settings {
    let (settings, problems) = read(&[(name, value)]);
    assert_eq!(problems, Problems::default(), "{name}={value}");
    settings
}

/// The only error where one variable has one value.
fn error(name: &str, value: &str) -> String {
    let (_, problems) = read(&[(name, value)]);
    assert_eq!(problems.errors.len(), 1, "{name}={value:.80}: {problems:?}");
    assert_eq!(
        problems.warnings.len(),
        0,
        "{name}={value:.80}: {problems:?}"
    );
    let error = problems.errors[0].clone();
    assert!(error.starts_with(&format!("{name}: ")), "{error}");
    assert!(error.contains("allowed: "), "{error}");
    assert!(
        error.len() < 400 && error.chars().all(|c| !c.is_control()),
        "{error}"
    );
    error
}

#[test]
fn every_variable_has_the_default_of_the_reference() {
    let (settings, problems) = read(&[]);
    assert_eq!(problems, Problems::default());
    assert_eq!(
        settings,
        Settings {
            features: Features {
                multi_region: false,
                blue_green: None
            },
            health_port: 8086,
            dashboard: Dashboard {
                port: 8080,
                bind: core::net::Ipv4Addr::LOCALHOST.into(),
                hosts: ["localhost", "127.0.0.1", "[::1]"].map(String::from).into(),
            },
            readiness_timeout_ms: 400,
            required_envs: Vec::new(),
            dependencies: Vec::new(),
            region: None,
            region_endpoints: Vec::new(),
            actor: crate::role::Actor {
                user: "unknown".into(),
                role: String::new()
            },
            build: BuildInfo {
                version: "dev".into(),
                git_sha: "unknown".into(),
                build_date: "unknown".into()
            },
            store_dir: "logs".into(),
            deployment: "default".into(),
            probe_interval_ms: 1000,
            probe_timeout_ms: 500,
            probe_networks: Vec::new(),
            health: crate::health::HealthRules {
                fall: 3,
                rise: 2,
                hold_ms: 10_000,
            },
            drain_ms: 5000,
            log_format: LogFormat::Text,
        }
    );
    assert_eq!(settings.region_name(), "unknown");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let all: Vec<(&str, &str)> = VARIABLES
        .iter()
        .map(|variable| (variable.name, ""))
        .collect();
    assert_eq!(read(&all), read(&[]));
}

#[test]
fn the_defaults_in_the_table_are_those_in_force() {
    let default = |name| {
        VARIABLES
            .iter()
            .find(|variable| variable.name == name)
            .unwrap()
            .default
    };
    let settings = read(&[]).0;
    for (name, value) in [
        ("HEALTH_PORT", settings.health_port.to_string()),
        ("DASHBOARD_PORT", settings.dashboard.port.to_string()),
        ("DASHBOARD_BIND", settings.dashboard.bind.to_string()),
        ("DASHBOARD_HOSTS", settings.dashboard.hosts.join(",")),
        (
            "READINESS_TIMEOUT_MS",
            settings.readiness_timeout_ms.to_string(),
        ),
        ("PROBE_INTERVAL_MS", settings.probe_interval_ms.to_string()),
        ("PROBE_TIMEOUT_MS", settings.probe_timeout_ms.to_string()),
        ("PROBE_FALL", settings.health.fall.to_string()),
        ("PROBE_RISE", settings.health.rise.to_string()),
        ("FAILBACK_HOLD_MS", settings.health.hold_ms.to_string()),
        ("DRAIN_MS", settings.drain_ms.to_string()),
        ("BUILD_VERSION", settings.build.version),
        ("GIT_SHA", settings.build.git_sha),
        ("BUILD_DATE", settings.build.build_date),
        ("HALCYON_STORE", format!("file:{}", settings.store_dir)),
        ("FAILOVER_POLICY", FailoverPolicy::default().to_string()),
    ] {
        assert_eq!(default(name), value, "{name}");
    }
}

#[test]
fn the_table_holds_exactly_the_variables_that_are_read() {
    let seen = RefCell::new(BTreeSet::new());
    let recording = |name: &str| {
        seen.borrow_mut().insert(name.to_string());
        None
    };
    Settings::read(&recording);
    RegionReport::read(&recording);
    EdgeSettings::read(&recording);
    let table: BTreeSet<String> = VARIABLES
        .iter()
        .map(|variable| variable.name.to_string())
        .collect();
    // USER stands behind DEPLOY_USER; the others are read by whoever writes log lines and colours, signs, asks a
    // control plane or is one.
    let known = table.iter().cloned().chain(["USER".to_string()]);
    let known: BTreeSet<String> = known.collect();
    let elsewhere: BTreeSet<String> = [
        "RUST_LOG",
        "NO_COLOR",
        "HALCYON_SIGNING_KEY_FILE",
        "HALCYON_SERVER",
        "HALCYON_TOKEN_FILE",
        "HALCYON_TOKENS_FILE",
        "STEP_HOOK",
    ]
    .map(String::from)
    .into();
    let read: BTreeSet<String> = seen.borrow().union(&elsewhere).cloned().collect();
    assert_eq!(read, known);
    assert_eq!(
        table.len(),
        VARIABLES.len(),
        "a variable stands in the table twice"
    );
}

#[test]
fn booleans_are_true_false_1_and_0_in_any_case() {
    for (text, expected) in [
        ("true", true),
        ("TRUE", true),
        ("1", true),
        ("false", false),
        ("False", false),
        ("0", false),
    ] {
        assert_eq!(
            with("FEATURE_MULTI_REGION", text).features.multi_region,
            expected
        );
        assert_eq!(
            with("FEATURE_BLUE_GREEN", text).features.blue_green,
            Some(expected)
        );
        assert_eq!(
            with("FEATURE_BLUE_GREEN", text).features.kill_switch(),
            !expected
        );
    }
    assert!(!read(&[]).0.features.kill_switch());
}

#[test]
fn another_word_for_a_boolean_counts_as_false_with_a_warning() {
    for text in ["yes", "on", "tru", " true", "true\n", "2", "\u{ff54}rue"] {
        for name in ["FEATURE_MULTI_REGION", "FEATURE_BLUE_GREEN"] {
            let (settings, problems) = read(&[(name, text)]);
            assert!(!settings.features.multi_region && settings.features.blue_green != Some(true));
            assert!(problems.errors.is_empty());
            let [warning] = problems.warnings.as_slice() else {
                panic!("{problems:?}")
            };
            assert!(warning.starts_with(&format!("{name}: \"")), "{warning}");
            assert!(
                warning.ends_with("counts as false; allowed: true, false, 1, 0"),
                "{warning}"
            );
        }
    }
    assert!(
        read(&[("FEATURE_BLUE_GREEN", "nonsense")])
            .0
            .features
            .kill_switch(),
        "false is the safe side"
    );
}

/// What a number setting reads from the settings.
type Number = fn(&Settings) -> u64;

const NUMBERS: [(&str, u64, u64, Number); 9] = [
    ("DASHBOARD_PORT", 0, 65_535, |settings| {
        settings.dashboard.port.into()
    }),
    ("HEALTH_PORT", 0, 65_535, |settings| {
        settings.health_port.into()
    }),
    ("READINESS_TIMEOUT_MS", 1, 60_000, |settings| {
        settings.readiness_timeout_ms
    }),
    ("PROBE_INTERVAL_MS", 10, 3_600_000, |settings| {
        settings.probe_interval_ms
    }),
    ("PROBE_TIMEOUT_MS", 1, 60_000, |settings| {
        settings.probe_timeout_ms
    }),
    ("PROBE_FALL", 1, 100, |settings| settings.health.fall.into()),
    ("PROBE_RISE", 1, 100, |settings| settings.health.rise.into()),
    ("FAILBACK_HOLD_MS", 0, 3_600_000, |settings| {
        settings.health.hold_ms
    }),
    ("DRAIN_MS", 0, 3_600_000, |settings| settings.drain_ms),
];

#[test]
fn a_number_is_accepted_up_to_both_edges_of_its_range() {
    for (name, low, high, number) in NUMBERS {
        assert_eq!(number(&with(name, &low.to_string())), low, "{name}");
        assert_eq!(number(&with(name, &high.to_string())), high, "{name}");
        assert!(
            error(name, &(high + 1).to_string()).contains(&format!("allowed: {low} to {high}")),
            "{name}"
        );
        if low > 0 {
            assert!(
                error(name, &(low - 1).to_string()).contains(&format!("allowed: {low} to {high}")),
                "{name}"
            );
        }
    }
}

#[test]
fn a_malformed_number_is_an_error_and_the_default_stays_in_force() {
    let malformed = [
        "NaN",
        "inf",
        "-1",
        "-0",
        "1e400",
        "1e3",
        "+5",
        "5.0",
        "0x10",
        " 80",
        "80 ",
        "80\n",
        "8_0",
        "\u{661}",
        "50%",
        "80\0",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
    ];
    for (name, _, _, number) in NUMBERS {
        for text in malformed {
            assert!(
                error(name, text).contains("is no number in range"),
                "{name}={text}"
            );
            assert_eq!(
                number(&read(&[(name, text)]).0),
                number(&read(&[]).0),
                "{name}={text}"
            );
        }
    }
}

#[test]
fn an_error_shows_the_value_escaped_and_cut_to_64_characters() {
    assert!(
        error("DRAIN_MS", "5\u{1b}[2J\u{202e}s")
            .starts_with(r#"DRAIN_MS: "5\u{1b}[2J\u{202e}s" is"#)
    );
    for name in [
        "HEALTH_PORT",
        "HALCYON_STORE",
        "LOG_FORMAT",
        "READINESS_CHECKS",
        "REGION_ENDPOINTS",
    ] {
        let shown = error(name, &"x".repeat(1_000_000));
        let quoted = shown.split('"').nth(1).unwrap();
        assert_eq!(quoted.len(), SEEN_MAX, "{shown}");
    }
}

#[test]
fn names_of_required_variables_are_read_in_order_without_blanks_and_empty_items() {
    assert_eq!(
        with("REQUIRED_ENVS", " A,\tB ,,C, ").required_envs,
        ["A", "B", "C"]
    );
    assert!(with("REQUIRED_ENVS", ",, ,").required_envs.is_empty());
}

#[test]
fn dependencies_are_read_in_order() {
    let settings = with(
        "READINESS_CHECKS",
        "db=tcp://db:5432, api = http://api/ready?x=1 ,,s3=https://[::1]:9000",
    );
    let shown: Vec<String> = settings
        .dependencies
        .iter()
        .map(|found| format!("{} {}", found.name, found.endpoint))
        .collect();
    assert_eq!(
        shown,
        [
            "db tcp://db:5432",
            "api http://api:80/ready?x=1",
            "s3 https://[::1]:9000"
        ]
    );
}

#[test]
fn a_dependency_that_cannot_be_checked_is_an_error() {
    for (text, why) in [
        ("tcp://db:5432", "has no name"),
        ("=tcp://db:5432", "is not a check's name"),
        ("a b=tcp://db:5432", "is not a check's name"),
        ("db=", "has no scheme"),
        ("db=tcp://db", "has no port"),
        ("db=ftp://db:21", "has an unknown scheme"),
        ("db=tcp://db:65536", "has no valid host and port"),
        (
            "db=tcp://db:5432,db=tcp://db:5433",
            "\"db\" is listed twice",
        ),
        ("db=http://joe:hunter2@db/", "carries credentials"),
    ] {
        let error = error("READINESS_CHECKS", text);
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_deployment_is_named_like_a_region() {
    for name in ["shop", "Shop.eu_1-b", "9", &"x".repeat(63)] {
        assert_eq!(with("HALCYON_DEPLOYMENT", name).deployment, name);
    }
    for name in ["my shop", "-a", "sh\u{f6}p", "a/b", "a\0", &"x".repeat(64)] {
        let error = error("HALCYON_DEPLOYMENT", name);
        let rule = "1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit";
        let says = format!("{} is not a deployment's name; allowed: {rule}", Seen(name));
        assert_eq!(error, format!("HALCYON_DEPLOYMENT: {says}"));
        let (settings, _) = read(&[("HALCYON_DEPLOYMENT", name)]);
        assert_eq!(settings.deployment, "default");
    }
}

#[test]
fn endpoints_of_regions_are_read_in_order_and_must_be_http() {
    let settings = with(
        "REGION_ENDPOINTS",
        "us-east=http://10.0.0.1:8086, us-west = https://w/base",
    );
    let shown: Vec<String> = settings
        .region_endpoints
        .iter()
        .map(|found| format!("{} {}", found.name, found.endpoint))
        .collect();
    assert_eq!(
        shown,
        ["us-east http://10.0.0.1:8086", "us-west https://w:443/base"]
    );
    for (text, why) in [
        ("us-east", "names no region"),
        ("-x=http://h", "is not a region name"),
        ("us-east=tcp://h:1", "is not HTTP"),
        ("us-east=http://h:0", "has no valid host and port"),
        ("a=http://h,a=http://i", "\"a\" is listed twice"),
        ("a=http://joe:hunter2@h", "carries credentials"),
    ] {
        let error = error("REGION_ENDPOINTS", text);
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_password_with_a_comma_is_not_shown_in_either_half() {
    for name in ["READINESS_CHECKS", "REGION_ENDPOINTS"] {
        let (_, problems) = read(&[(
            name,
            "a=http://ok:80,b=http://joe:hun7er,s3cret@db:1/,c=http://x:s3cret#@y",
        )]);
        assert!(!problems.errors.is_empty());
        for error in &problems.errors {
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
            assert!(
                !error.contains("hun7er") && !error.contains("s3cret"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_list_of_thousands_of_addresses_is_one_problem() {
    for name in ["READINESS_CHECKS", "REGION_ENDPOINTS"] {
        let list = |count: usize| alloc::vec!["x"; count].join(",");
        assert_eq!(read(&[(name, &list(1_024))]).1.errors.len(), 1_024);
        let (_, problems) = read(&[(name, &list(1_025))]);
        let expected = format!("{name}: (not shown) has 1025 entries; allowed: at most 1024");
        assert_eq!(problems.errors, [expected]);
    }
}

#[test]
fn the_region_of_this_instance_is_the_current_one_else_the_primary() {
    let name = |table: &[(&str, &str)]| read(table).0.region_name().to_string();
    assert_eq!(
        name(&[("CURRENT_REGION", "a"), ("PRIMARY_REGION", "b")]),
        "a"
    );
    assert_eq!(name(&[("PRIMARY_REGION", "b")]), "b");
    assert_eq!(name(&[]), "unknown");
    let (settings, problems) = read(&[("CURRENT_REGION", "a\u{202e}"), ("PRIMARY_REGION", "b")]);
    assert_eq!(settings.region_name(), "unknown");
    assert!(
        problems.warnings[0].starts_with(r#"CURRENT_REGION: "a\u{202e}" is not a region name"#),
        "{problems:?}"
    );
}

#[test]
fn the_user_of_a_record_is_deploy_user_else_user_else_unknown() {
    let user = |table: &[(&str, &str)]| read(table).0.actor.user;
    assert_eq!(user(&[("DEPLOY_USER", "ci"), ("USER", "joe")]), "ci");
    assert_eq!(user(&[("DEPLOY_USER", ""), ("USER", "joe")]), "joe");
    assert_eq!(user(&[]), "unknown");
    assert_eq!(
        read(&[("DEPLOY_RBAC_ROLE", "deployer")]).0.actor.role,
        "deployer",
        "as it was written"
    );
}

#[test]
fn build_metadata_is_shown_as_it_is() {
    let build = read(&[
        ("BUILD_VERSION", "1.0.0"),
        ("GIT_SHA", "abc123"),
        ("BUILD_DATE", "2025-10-02"),
    ])
    .0
    .build;
    assert_eq!(
        (build.version, build.git_sha, build.build_date),
        ("1.0.0".into(), "abc123".into(), "2025-10-02".into())
    );
}

#[test]
fn the_journal_is_in_a_directory() {
    assert_eq!(
        with("HALCYON_STORE", "file:/var/lib/halcyon").store_dir,
        "/var/lib/halcyon"
    );
    assert_eq!(with("HALCYON_STORE", "file:C:/logs").store_dir, "C:/logs");
    for text in ["file:", "logs", "FILE:logs", "s3://x", "file:a\0b"] {
        assert!(
            error("HALCYON_STORE", text).contains("is no store; allowed: file:DIR"),
            "{text}"
        );
    }
    let etcd = error("HALCYON_STORE", "etcd://joe:hunter2@etcd:2379");
    assert!(
        etcd.contains("etcd, which this version does not support") && !etcd.contains("hunter2"),
        "{etcd}"
    );
}

#[test]
fn log_lines_are_text_or_json() {
    assert_eq!(with("LOG_FORMAT", "JSON").log_format, LogFormat::Json);
    assert_eq!(with("LOG_FORMAT", "text").log_format, LogFormat::Text);
    assert!(error("LOG_FORMAT", "xml").contains("\"xml\" is unknown; allowed: text, json"));
}

#[test]
fn a_configuration_wrong_in_five_places_reports_five_problems_at_once() {
    let (_, problems) = read(&[
        ("HEALTH_PORT", "65536"),
        ("DRAIN_MS", "-1"),
        ("READINESS_CHECKS", "db"),
        ("HALCYON_STORE", "etcd://e"),
        ("LOG_FORMAT", "xml"),
    ]);
    let begins: Vec<&str> = problems
        .errors
        .iter()
        .filter_map(|error| error.split(": ").next())
        .collect();
    assert_eq!(
        begins,
        [
            "HEALTH_PORT",
            "READINESS_CHECKS",
            "HALCYON_STORE",
            "DRAIN_MS",
            "LOG_FORMAT"
        ]
    );
}
