//! What each path answers.

use halcyon_tests::process::Serving;
use serde_json::json;

use crate::wire::{connect, converse, exchange, get, request};

#[test]
fn health_is_200_whatever_the_configuration_says() {
    let server = Serving::start(&[
        ("FEATURE_MULTI_REGION", "true"),
        ("FEATURE_BLUE_GREEN", "true"),
        ("REGIONS", "a,a,,!"),
        ("PRIMARY_REGION", "nowhere"),
        ("DEPLOY_RBAC_ROLE", "Intern"),
        ("REQUIRED_ENVS", "MISSING"),
    ]);
    for path in ["/health", "/livez"] {
        let answer = get(server.address(), path);
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body,
            r#"{"status":"healthy","checks":{"process":"up"}}"#
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    assert_eq!(get(server.address(), "/ready").status, 503);
    assert_eq!(
        get(server.address(), "/health?verbose").body,
        "[+]process ok\nhealthy\n"
    );
}

#[test]
fn ready_lists_the_required_variables_that_are_missing_or_empty() {
    let server = Serving::start(&[("REQUIRED_ENVS", " A, B ,C,,D"), ("B", "x"), ("C", "")]);
    for path in ["/ready", "/readyz"] {
        let answer = get(server.address(), path);
        assert_eq!(answer.status, 503);
        let body = answer.json();
        assert_eq!(body["status"], "not_ready");
        let expected =
            json!({"expected": ["A", "B", "C", "D"], "missing": ["A", "C", "D"], "ok": false});
        assert_eq!(body["checks"]["required_envs"], expected);
    }
    let verbose = get(server.address(), "/ready?verbose");
    assert_eq!(verbose.status, 503);
    assert_eq!(
        verbose.body,
        "[-]required_envs failed: missing A, C, D\nnot ready\n"
    );
    assert!(
        verbose
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
}

#[test]
fn ready_is_200_when_the_required_variables_are_there() {
    let server = Serving::start(&[("REQUIRED_ENVS", "A,B"), ("A", "1"), ("B", "2")]);
    let answer = get(server.address(), "/ready");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        r#"{"status":"ready","checks":{"feature_multi_region":false,"feature_blue_green":false,"required_envs":{"expected":["A","B"],"missing":[],"ok":true},"readiness_timeout_ms":400}}"#
    );
    assert_eq!(
        get(server.address(), "/ready?verbose").body,
        "[+]required_envs ok\nready\n"
    );
}

#[test]
fn no_value_of_a_required_variable_is_shown_anywhere() {
    let secret = "s3cret-value-7f3a";
    let server = Serving::start(&[
        ("REQUIRED_ENVS", "DATABASE_URL,API_KEY,NONE"),
        ("DATABASE_URL", secret),
        ("API_KEY", secret),
        ("RUST_LOG", "trace"),
    ]);
    for path in [
        "/health",
        "/ready",
        "/ready?verbose",
        "/__meta",
        "/metrics",
        "/API_KEY",
    ] {
        let answer = get(server.address(), path);
        assert!(
            !format!("{answer:?}").contains(secret),
            "{path}: {answer:?}"
        );
    }
    assert!(get(server.address(), "/ready").body.contains("API_KEY"));
    assert!(!server.stderr().contains(secret));
}

#[test]
fn regions_are_checked_only_when_the_feature_is_on() {
    let broken = [
        ("REGIONS", "us-east,us-west"),
        ("PRIMARY_REGION", "eu-west"),
    ];
    let server = Serving::start(&broken);
    let answer = get(server.address(), "/ready");
    assert_eq!(answer.status, 200);
    assert!(answer.json()["checks"].get("regions").is_none());

    let server = Serving::start(&[broken[0], broken[1], ("FEATURE_MULTI_REGION", "TRUE")]);
    let answer = get(server.address(), "/ready");
    assert_eq!(answer.status, 503);
    let check = &answer.json()["checks"]["regions"];
    assert_eq!(check["ok"], false);
    assert!(
        check["error"].as_str().unwrap().contains("PRIMARY_REGION"),
        "{check}"
    );

    let server = Serving::start(&[
        broken[0],
        ("PRIMARY_REGION", "us-west"),
        ("FEATURE_MULTI_REGION", "1"),
    ]);
    let answer = get(server.address(), "/ready");
    assert_eq!(answer.status, 200);
    let expected = json!({"ok": true, "regions": ["us-east", "us-west"], "primary": "us-west"});
    assert_eq!(answer.json()["checks"]["regions"], expected);
}

#[test]
fn the_deploy_role_is_checked_only_when_the_feature_is_on() {
    for (feature, role, status, expected) in [
        ("false", "Intern", 200, None),
        ("", "Intern", 200, None),
        (
            "true",
            "Deployer",
            200,
            Some(json!({"ok": true, "role": "Deployer"})),
        ),
        (
            "1",
            "Admin",
            200,
            Some(json!({"ok": true, "role": "Admin"})),
        ),
    ] {
        let server = Serving::start(&[("FEATURE_BLUE_GREEN", feature), ("DEPLOY_RBAC_ROLE", role)]);
        let answer = get(server.address(), "/ready");
        assert_eq!(answer.status, status, "{feature} {role}");
        assert_eq!(
            answer.json()["checks"].get("deploy_rbac"),
            expected.as_ref()
        );
    }
    for role in ["Intern", "deployer", ""] {
        let server = Serving::start(&[("FEATURE_BLUE_GREEN", "true"), ("DEPLOY_RBAC_ROLE", role)]);
        let answer = get(server.address(), "/ready");
        assert_eq!(answer.status, 503);
        let check = &answer.json()["checks"]["deploy_rbac"];
        assert_eq!(check["ok"], false);
        assert!(
            check["error"]
                .as_str()
                .unwrap()
                .starts_with("Invalid DEPLOY_RBAC_ROLE: "),
            "{check}"
        );
    }
}

#[test]
fn fallbacks_are_warned_of_in_ready_and_at_the_start() {
    let server = Serving::start(&[
        ("FAILOVER_POLICY", "sideways"),
        ("FEATURE_MULTI_REGION", "perhaps"),
    ]);
    let answer = get(server.address(), "/ready");
    assert_eq!(answer.status, 200);
    let warnings = answer.json()["checks"]["warnings"].to_string();
    for variable in ["FAILOVER_POLICY: ", "FEATURE_MULTI_REGION: "] {
        assert!(warnings.contains(variable), "{warnings}");
        assert!(
            server.stderr().contains(&format!("warning: {variable}")),
            "{}",
            server.stderr()
        );
    }
}

#[test]
fn meta_tells_the_build_and_the_region() {
    let server = Serving::start(&[
        ("BUILD_VERSION", "1.2.3"),
        ("GIT_SHA", "abc123"),
        ("BUILD_DATE", "2026-01-02"),
        ("PRIMARY_REGION", "us-east"),
        ("CURRENT_REGION", "us-west"),
    ]);
    let answer = get(server.address(), "/__meta");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        r#"{"version":"1.2.3","git_sha":"abc123","build_date":"2026-01-02","region":"us-west"}"#
    );

    let server = Serving::start(&[("PRIMARY_REGION", "us-east")]);
    let answer = get(server.address(), "/__meta");
    assert_eq!(
        answer.body,
        r#"{"version":"dev","git_sha":"unknown","build_date":"unknown","region":"us-east"}"#
    );
    assert_eq!(
        get(Serving::start(&[]).address(), "/__meta").json()["region"],
        "unknown"
    );
}

#[test]
fn every_answer_says_the_region_and_is_not_to_be_stored() {
    let server = Serving::start(&[("CURRENT_REGION", "eu-west")]);
    let mut answers: Vec<_> = [
        "/health", "/ready", "/__meta", "/metrics", "/nope", "/health/",
    ]
    .map(|path| get(server.address(), path))
    .into();
    answers.push(request(server.address(), "POST", "/ready"));
    answers.extend(exchange(server.address(), "nonsense\r\n\r\n"));
    answers.extend(exchange(
        server.address(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)),
    ));
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 404, 404, 405, 400, 414]);
    for answer in answers {
        assert_eq!(
            answer.header("x-halcyon-region"),
            Some("eu-west"),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{answer:?}"
        );
    }
}

#[test]
fn an_unknown_path_is_404_and_a_problem() {
    let server = Serving::start(&[]);
    for path in [
        "/",
        "/Health",
        "/health/x",
        "//health",
        "/../ready",
        "*",
        "/%68ealth",
    ] {
        let answer = get(server.address(), path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.json()["status"], 404);
    }
}

#[test]
fn only_get_and_head_are_allowed() {
    let server = Serving::start(&[]);
    for path in [
        "/health", "/livez", "/ready", "/readyz", "/__meta", "/metrics",
    ] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
            let answer = request(server.address(), method, path);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
            assert_eq!(answer.json()["status"], 405);
        }
    }
    assert_eq!(request(server.address(), "POST", "/nope").status, 404);
}

#[test]
fn head_answers_as_get_does_without_the_body() {
    let server = Serving::start(&[("REQUIRED_ENVS", "MISSING")]);
    for (path, status) in [
        ("/health", 200),
        ("/ready", 503),
        ("/__meta", 200),
        ("/nope", 404),
    ] {
        let head = request(server.address(), "HEAD", path);
        let get = get(server.address(), path);
        assert_eq!((head.status, head.body.as_str()), (status, ""));
        assert_eq!(
            head.header("content-length").unwrap(),
            get.body.len().to_string()
        );
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let server = Serving::start(&[]);
    let mut stream = connect(server.address());
    for path in ["/health", "/ready", "/nope", "/health"].repeat(20) {
        let answer = converse(&mut stream, path);
        assert_eq!(answer.status, if path == "/nope" { 404 } else { 200 });
    }
}
