//! `/ready`, check by check, in the JSON shapes other programs rely on.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::*;
use crate::testing::env;

fn ready(table: &[(&str, &str)]) -> Readiness {
    Readiness::evaluate(&env(table), BTreeMap::new(), false)
}

/// The body and whether it is a 200, which must agree.
fn body(table: &[(&str, &str)]) -> Value {
    let readiness = ready(table);
    let body = serde_json::to_value(&readiness).unwrap();
    assert_eq!(body["status"] == "ready", readiness.is_ready());
    body
}

const REGIONS: [(&str, &str); 3] = [
    ("FEATURE_MULTI_REGION", "true"),
    ("REGIONS", "us-east,us-west"),
    ("PRIMARY_REGION", "us-east"),
];

#[test]
fn with_nothing_configured_the_instance_is_ready_and_says_so_exactly() {
    assert_eq!(
        body(&[]),
        json!({"status": "ready", "checks": {
            "feature_multi_region": false,
            "feature_blue_green": false,
            "required_envs": {"expected": [], "missing": [], "ok": true},
            "readiness_timeout_ms": 400,
        }})
    );
}

#[test]
fn every_check_at_once_says_so_exactly() {
    let table = [
        ("FEATURE_MULTI_REGION", "true"),
        ("FEATURE_BLUE_GREEN", "true"),
        ("REGIONS", "us-east,us-west"),
        ("PRIMARY_REGION", "us-east"),
        ("DEPLOY_RBAC_ROLE", "Deployer"),
        ("REQUIRED_ENVS", "TOKEN"),
        ("TOKEN", "hunter2"),
        ("READINESS_TIMEOUT_MS", "250"),
        ("READINESS_CHECKS", "db=tcp://db:5432"),
        ("FAILOVER_POLICY", "random"),
    ];
    let answers = BTreeMap::from([(
        "db".to_string(),
        DependencyCheck {
            ok: true,
            latency_ms: 3,
            error: None,
        },
    )]);
    let readiness = Readiness::evaluate(&env(&table), answers, false);
    assert_eq!(
        serde_json::to_value(&readiness).unwrap(),
        json!({"status": "ready", "checks": {
            "feature_multi_region": true,
            "feature_blue_green": true,
            "required_envs": {"expected": ["TOKEN"], "missing": [], "ok": true},
            "regions": {"ok": true, "regions": ["us-east", "us-west"], "primary": "us-east"},
            "deploy_rbac": {"ok": true, "role": "Deployer"},
            "dependencies": {"db": {"ok": true, "latency_ms": 3}},
            "readiness_timeout_ms": 250,
            "warnings": ["FAILOVER_POLICY: \"random\" is unknown, ordered is used; allowed: ordered, round_robin, rendezvous"],
        }})
    );
    let lines: Vec<String> = readiness.verbose().lines().map(String::from).collect();
    assert_eq!(
        lines,
        [
            "[+]required_envs ok",
            "[+]regions ok",
            "[+]deploy_rbac ok",
            "[+]dependencies/db ok",
            "[!]FAILOVER_POLICY: \"random\" is unknown, ordered is used; allowed: ordered, round_robin, rendezvous",
            "ready",
        ]
    );
}

#[test]
fn a_required_variable_that_is_unset_or_empty_is_missing() {
    for table in [
        &[("REQUIRED_ENVS", "FOO,BAR"), ("BAR", "x")][..],
        &[("REQUIRED_ENVS", "FOO,BAR"), ("BAR", "x"), ("FOO", "")],
    ] {
        let body = body(table);
        assert_eq!(body["status"], "not_ready");
        let expected = json!({"expected": ["FOO", "BAR"], "missing": ["FOO"], "ok": false});
        assert_eq!(body["checks"]["required_envs"], expected);
        assert!(
            ready(table)
                .verbose()
                .starts_with("[-]required_envs failed: missing FOO\n")
        );
    }
}

#[test]
fn required_variables_that_are_set_pass() {
    let body = body(&[("REQUIRED_ENVS", " FOO , BAR"), ("FOO", "1"), ("BAR", "2")]);
    assert_eq!(body["status"], "ready");
    assert_eq!(
        body["checks"]["required_envs"],
        json!({"expected": ["FOO", "BAR"], "missing": [], "ok": true})
    );
}

#[test]
fn regions_are_checked_only_with_the_feature_on() {
    assert_eq!(
        body(&REGIONS)["checks"]["regions"],
        json!({"ok": true, "regions": ["us-east", "us-west"], "primary": "us-east"})
    );
    for off in [
        ("FEATURE_MULTI_REGION", "false"),
        ("FEATURE_MULTI_REGION", "nonsense"),
    ] {
        let body = body(&[off, ("REGIONS", "a,a"), ("PRIMARY_REGION", "mars")]);
        assert_eq!(body["status"], "ready");
        assert_eq!(body["checks"].get("regions"), None);
    }
}

#[test]
fn wrong_regions_make_the_instance_unready_and_every_problem_is_in_the_error() {
    let body = body(&[
        ("FEATURE_MULTI_REGION", "true"),
        ("REGIONS", "a,a"),
        ("PRIMARY_REGION", "mars"),
    ]);
    assert_eq!(body["status"], "not_ready");
    let error = body["checks"]["regions"]["error"].as_str().unwrap();
    assert_eq!(
        body["checks"]["regions"],
        json!({"ok": false, "error": error})
    );
    assert!(error.contains("REGIONS: \"a\" is listed twice"), "{error}");
    assert!(
        error.contains("; PRIMARY_REGION: \"mars\" is not in REGIONS"),
        "{error}"
    );
}

#[test]
fn an_unset_primary_is_named_in_the_error() {
    let body = body(&[("FEATURE_MULTI_REGION", "true"), ("REGIONS", "a,b")]);
    assert!(
        body["checks"]["regions"]["error"]
            .as_str()
            .unwrap()
            .contains("PRIMARY_REGION")
    );
}

#[test]
fn the_deploy_role_is_checked_only_with_the_feature_on() {
    for (role, check) in [
        ("Deployer", json!({"ok": true, "role": "Deployer"})),
        ("Admin", json!({"ok": true, "role": "Admin"})),
        (
            "Viewer",
            json!({"ok": false, "error": "Invalid DEPLOY_RBAC_ROLE: \"Viewer\"; allowed: Deployer, Admin"}),
        ),
        (
            "",
            json!({"ok": false, "error": "Invalid DEPLOY_RBAC_ROLE: unset; allowed: Deployer, Admin"}),
        ),
    ] {
        let body = body(&[("FEATURE_BLUE_GREEN", "true"), ("DEPLOY_RBAC_ROLE", role)]);
        assert_eq!(body["checks"]["deploy_rbac"], check);
        assert_eq!(body["status"] == "ready", check["ok"] == true);
    }
    for off in ["", "false", "0"] {
        let body = body(&[("FEATURE_BLUE_GREEN", off), ("DEPLOY_RBAC_ROLE", "Viewer")]);
        assert_eq!(body["status"], "ready");
        assert_eq!(body["checks"].get("deploy_rbac"), None);
    }
}

#[test]
fn a_dependency_that_failed_or_never_answered_makes_the_instance_unready() {
    let table = [(
        "READINESS_CHECKS",
        "db=tcp://db:5432,api=http://api/,cache=tcp://cache:1",
    )];
    let answers = BTreeMap::from([
        (
            "db".to_string(),
            DependencyCheck {
                ok: true,
                latency_ms: 2,
                error: None,
            },
        ),
        (
            "api".to_string(),
            DependencyCheck {
                ok: false,
                latency_ms: 7,
                error: Some("status 500".into()),
            },
        ),
    ]);
    let readiness = Readiness::evaluate(&env(&table), answers, false);
    assert!(!readiness.is_ready());
    assert_eq!(
        serde_json::to_value(&readiness.checks.dependencies).unwrap(),
        json!({
            "db": {"ok": true, "latency_ms": 2},
            "api": {"ok": false, "latency_ms": 7, "error": "status 500"},
            "cache": {"ok": false, "latency_ms": 400, "error": "timeout"},
        })
    );
    let text = readiness.verbose();
    assert!(
        text.contains("[-]dependencies/api failed: status 500\n"),
        "{text}"
    );
    assert!(
        text.contains("[-]dependencies/cache failed: timeout\n"),
        "{text}"
    );
    assert!(
        text.contains("[+]dependencies/db ok\n") && text.ends_with("not ready\n"),
        "{text}"
    );
}

#[test]
fn a_draining_instance_is_not_ready() {
    let readiness = Readiness::evaluate(&env(&REGIONS), BTreeMap::new(), true);
    let body = serde_json::to_value(&readiness).unwrap();
    assert_eq!(
        (&body["status"], &body["checks"]["drain"]),
        (&json!("not_ready"), &json!("draining"))
    );
    assert!(readiness.verbose().contains("[-]drain failed: draining\n"));
    assert_eq!(
        super::Readiness::evaluate(&env(&REGIONS), BTreeMap::new(), false)
            .checks
            .drain,
        None
    );
}

#[test]
fn a_warning_is_shown_once_and_does_not_make_the_instance_unready() {
    let body = body(&[
        ("TENANT_STICKY", "cookie"),
        ("FEATURE_MULTI_REGION", "maybe"),
        ("CURRENT_REGION", "a b"),
    ]);
    assert_eq!(body["status"], "ready");
    let warnings: Vec<&str> = body["checks"]["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for name in [
        "TENANT_STICKY: ",
        "FEATURE_MULTI_REGION: ",
        "CURRENT_REGION: ",
    ] {
        assert_eq!(
            warnings
                .iter()
                .filter(|warning| warning.starts_with(name))
                .count(),
            1,
            "{warnings:?}"
        );
    }
}

#[test]
fn verbose_text_stays_a_line_a_check_whatever_a_dependency_says() {
    let says = DependencyCheck {
        ok: false,
        latency_ms: 1,
        error: Some("x\n[+]fake ok\u{1b}[2J\u{2028}\u{202e}".into()),
    };
    let table = [
        ("READINESS_CHECKS", "db=tcp://db:1"),
        ("REQUIRED_ENVS", "A\n[+]b ok"),
    ];
    let readiness = Readiness::evaluate(&env(&table), BTreeMap::from([("db".into(), says)]), false);
    let text = readiness.verbose();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control())
            && !text.contains(['\u{2028}', '\u{202e}']),
        "{text}"
    );
}

mod a_value_of_a_required_variable_is_never_shown {
    use super::*;

    /// Everything `/ready` says where `REQUIRED_ENVS` names `name` and its value is `secret`.
    fn all_text(name: &str, secret: &str, more: &[(&str, &str)]) -> String {
        let mut table = alloc::vec![
            ("REQUIRED_ENVS", name),
            (name, secret),
            ("FEATURE_MULTI_REGION", "true"),
            ("FEATURE_BLUE_GREEN", "true"),
            ("REGIONS", "us-east,us-west"),
            ("PRIMARY_REGION", "us-east"),
            ("DEPLOY_RBAC_ROLE", "Admin"),
        ];
        // The first entry of a name counts.
        let extra: Vec<_> = more
            .iter()
            .filter(|(other, _)| *other != name)
            .copied()
            .collect();
        table.splice(2..2, extra);
        let readiness = ready(&table);
        format!(
            "{}\n{}",
            serde_json::to_string(&readiness).unwrap(),
            readiness.verbose()
        )
    }

    #[test]
    fn whatever_the_variable_is() {
        let names = crate::config::VARIABLES
            .iter()
            .map(|variable| variable.name);
        let names = names.chain(["FOO"]);
        for name in names.filter(|name| *name != "REQUIRED_ENVS") {
            for secret in ["hunter2 hunter2", "-hunter2\u{202e}", "hunter2"] {
                // A list of regions that is right is what the check exists to show.
                if (name, secret) == ("REGIONS", "hunter2") {
                    continue;
                }
                let text = all_text(name, secret, &[]);
                assert!(!text.contains("hunter2"), "{name}: {text}");
            }
        }
    }

    #[test]
    fn the_message_still_says_which_variable_is_wrong() {
        let not_shown = "set to a value that is not allowed (not shown: REQUIRED_ENVS names it)";
        for name in [
            "TENANT_STICKY",
            "FAILOVER_POLICY",
            "CURRENT_REGION",
            "PRIMARY_REGION",
            "TENANT_HASH_KEY",
            "REGION_WEIGHTS",
        ] {
            let text = all_text(name, "hunter2", &[]);
            assert!(text.contains(&format!("{name}: {not_shown}")), "{text}");
        }
        let text = all_text("DEPLOY_RBAC_ROLE", "hunter2", &[]);
        assert!(text.contains("Invalid DEPLOY_RBAC_ROLE: (not shown: REQUIRED_ENVS names it); allowed: Deployer, Admin"), "{text}");
    }

    #[test]
    fn not_even_in_the_list_of_what_another_variable_may_be() {
        let wrong = [("PRIMARY_REGION", "mars"), ("CURRENT_REGION", "venus")];
        let text = all_text("REGIONS", "hunter2,x", &wrong);
        assert!(!text.contains("hunter2"), "{text}");
        for named in ["PRIMARY_REGION: ", "CURRENT_REGION: "] {
            assert!(text.contains(named), "{text}");
        }
        assert!(
            text.contains("(values not shown: REQUIRED_ENVS names REGIONS)"),
            "{text}"
        );
    }

    #[test]
    fn a_variable_that_is_unset_or_not_named_keeps_its_message() {
        let error = |table: &[(&str, &str)]| body(table)["checks"]["regions"]["error"].to_string();
        let unset = error(&[
            ("REQUIRED_ENVS", "REGIONS"),
            ("FEATURE_MULTI_REGION", "true"),
        ]);
        assert!(unset.contains("REGIONS: unset; allowed: "), "{unset}");
        let shown = error(&[
            ("REQUIRED_ENVS", "PRIMARY"),
            ("PRIMARY", "x"),
            ("FEATURE_MULTI_REGION", "true"),
            ("REGIONS", "a"),
            ("PRIMARY_REGION", "mars"),
        ]);
        assert!(shown.contains("mars"), "{shown}");
    }
}

#[test]
fn of_very_many_problems_the_first_are_named_and_the_others_counted() {
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("bad name {n}")).collect();
        names.join(",")
    };
    for (count, named) in [(12, 12), (1024, 16)] {
        let table = [
            ("FEATURE_MULTI_REGION", "true"),
            ("REGIONS", &many(count)),
            ("REQUIRED_ENVS", &many(count)),
        ];
        let readiness = ready(&table);
        for (check, why) in readiness.checks.blockers() {
            assert!(why.len() < 4096, "{check}: {}", why.len());
            assert_eq!(why.matches("bad name").count(), named, "{check}: {why}");
            assert_eq!(why.contains("more"), count > 16, "{check}: {why}");
        }
    }
}

#[test]
fn startup_problems_do_not_show_what_required_envs_names_either() {
    let table = [
        ("REQUIRED_ENVS", "HEALTH_PORT,FEATURE_BLUE_GREEN"),
        ("HEALTH_PORT", "hunter2"),
        ("FEATURE_BLUE_GREEN", "hunter2"),
        ("DRAIN_MS", "soon"),
    ];
    let lookup = env(&table);
    let problems = redact_problems(crate::config::startup_problems(&lookup), &lookup);
    let all = [problems.errors.concat(), problems.warnings.concat()].concat();
    assert!(
        !all.contains("hunter2") && all.contains("\"soon\""),
        "{all}"
    );
    assert_eq!((problems.errors.len(), problems.warnings.len()), (2, 1));
}
