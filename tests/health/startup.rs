//! What keeps `serve` from starting, and how it says so.

use std::net::TcpListener;

use halcyon_tests::process::{Serving, run};

/// Its lines on stderr, when it ends with exit code 2.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let output = run(&[&["serve"], arguments].concat(), environment);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    stderr.lines().map(String::from).collect()
}

#[test]
fn everything_that_is_malformed_is_reported_at_once() {
    let lines = refused(
        &[],
        &[
            ("HEALTH_PORT", "65536"),
            ("READINESS_TIMEOUT_MS", "soon"),
            ("READINESS_CHECKS", "db=ftp://x"),
            ("TENANT_HASH_KEY", "abc"),
            ("DRAIN_MS", "-1"),
            ("REGION_ENDPOINTS", "us-east"),
            ("LOG_FORMAT", "xml"),
            ("HALCYON_STORE", "etcd://x"),
        ],
    );
    for variable in [
        "HEALTH_PORT",
        "READINESS_TIMEOUT_MS",
        "READINESS_CHECKS",
        "TENANT_HASH_KEY",
        "DRAIN_MS",
        "REGION_ENDPOINTS",
        "LOG_FORMAT",
        "HALCYON_STORE",
    ] {
        let about: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with(&format!("error: {variable}: ")))
            .collect();
        assert_eq!(about.len(), 1, "{variable}: {lines:#?}");
    }
    assert_eq!(lines.len(), 8, "{lines:#?}");
}

#[test]
fn regions_roles_and_policies_do_not_keep_it_from_starting() {
    let server = Serving::start(&[
        ("FEATURE_MULTI_REGION", "true"),
        ("FEATURE_BLUE_GREEN", "true"),
        ("REGIONS", "a b,,\u{430}"),
        ("PRIMARY_REGION", "x"),
        ("CURRENT_REGION", "\u{1b}[2J"),
        ("FAILOVER_POLICY", "sideways"),
        ("TENANT_STICKY", "glue"),
        ("DEPLOY_RBAC_ROLE", "Intern"),
    ]);
    let said = server.stderr();
    assert!(
        said.contains("health server on 0.0.0.0:") && said.contains(", region unknown"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}') && said.is_ascii(), "{said:?}");
}

#[test]
fn a_port_in_use_is_named_with_its_address() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let expected = format!("error: HEALTH_PORT: cannot listen on 0.0.0.0:{port}: it is in use");
    for lines in [
        refused(&[], &[("HEALTH_PORT", &port), ("DASHBOARD_PORT", "0")]),
        refused(&["--health-port", &port, "--dashboard-port", "0"], &[]),
    ] {
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].starts_with(&expected), "{lines:#?}");
    }
}

#[test]
fn the_flag_wins_over_the_variable() {
    let server = Serving::start_with(&["--health-port", "0"], &[("HEALTH_PORT", "nonsense")]);
    assert!(
        server
            .stderr()
            .starts_with("halcyon 0.1.0 health server on 0.0.0.0:"),
        "{}",
        server.stderr()
    );
}

#[test]
fn a_port_that_is_no_port_is_refused() {
    for port in ["65536", "-1", "0x50", " 80", "1e3", "99999999999999999999"] {
        let lines = refused(&[], &[("HEALTH_PORT", port)]);
        assert!(
            lines[0].starts_with("error: HEALTH_PORT: ")
                && lines[0].contains("allowed: 0 to 65535"),
            "{lines:#?}"
        );
        let output = run(&["serve", &format!("--health-port={port}")], &[]);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_ca_file_that_holds_no_certificate_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [
        empty.to_str().unwrap(),
        "/no/such/file",
        directory.path().to_str().unwrap(),
    ] {
        let lines = refused(&["--ca-file", path], &[("DRAIN_MS", "x")]);
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("error: --ca-file: CA file ")),
            "{lines:#?}"
        );
    }
}

#[test]
fn credentials_in_a_check_are_refused_and_not_repeated() {
    let lines = refused(
        &[],
        &[(
            "READINESS_CHECKS",
            "db=http://joe:s3cret@db/,x=tcp://joe:s3cret@y:1",
        )],
    );
    assert_eq!(lines.len(), 2);
    assert!(!lines.concat().contains("s3cret"), "{lines:#?}");
}

#[test]
fn a_very_long_value_is_refused_and_not_repeated() {
    let long = "x".repeat(100_000);
    for variable in [
        "HEALTH_PORT",
        "READINESS_CHECKS",
        "TENANT_HASH_KEY",
        "LOG_FORMAT",
        "RUST_LOG",
    ] {
        let value = if variable == "RUST_LOG" {
            format!("={long}=")
        } else {
            long.clone()
        };
        let lines = refused(&[], &[(variable, &value)]);
        assert!(
            lines.iter().all(|line| line.len() < 400),
            "{variable}: {}",
            lines[0].len()
        );
        assert!(
            lines[0].starts_with(&format!("error: {variable}: ")),
            "{lines:#?}"
        );
    }
}

#[test]
fn log_lines_can_be_json_and_requests_are_logged_only_at_debug() {
    let server = Serving::start(&[("LOG_FORMAT", "json"), ("RUST_LOG", "debug")]);
    crate::wire::get(server.address(), "/health?token=s3cret");
    std::thread::sleep(std::time::Duration::from_millis(100));
    let said = server.stderr();
    for line in said.lines() {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|why| panic!("{why}: {line}"));
    }
    assert!(
        said.contains("\"/health\"") && !said.contains("s3cret"),
        "{said}"
    );

    let server = Serving::start(&[]);
    crate::wire::get(server.address(), "/health");
    std::thread::sleep(std::time::Duration::from_millis(100));
    // Where it listens, and nothing of requests.
    assert_eq!(server.stderr().lines().count(), 2, "{}", server.stderr());
}

#[test]
fn what_it_says_at_the_start_is_escaped_and_without_the_values_of_required_envs() {
    for format in ["text", "json"] {
        let server = Serving::start(&[
            ("LOG_FORMAT", format),
            (
                "REQUIRED_ENVS",
                "\u{1b}[31mX,\u{430},FAILOVER_POLICY,REGIONS",
            ),
            ("FAILOVER_POLICY", "hunter2"),
            ("FEATURE_MULTI_REGION", "true"),
            ("REGIONS", "hunter2!"),
        ]);
        std::thread::sleep(std::time::Duration::from_millis(200));
        let said = server.stderr();
        assert!(
            said.contains("required_envs: missing") && said.contains("FAILOVER_POLICY: set to"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
        assert!(
            said.bytes()
                .all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)),
            "{said:?}"
        );
    }
    let lines = refused(
        &[],
        &[("REQUIRED_ENVS", "DRAIN_MS"), ("DRAIN_MS", "hunter2")],
    );
    assert!(
        lines[0].starts_with("error: DRAIN_MS: set to "),
        "{lines:?}"
    );
}

#[test]
fn a_stderr_that_cannot_be_written_changes_nothing() {
    let port = halcyon_tests::process::unused_port();
    for format in ["text", "json"] {
        let mut shell = std::process::Command::new("/bin/sh");
        let mut child = shell
            .args(["-c", r#"exec "$0" serve 2>/dev/full"#])
            .arg(halcyon_tests::process::program())
            .env_clear()
            .env("HEALTH_PORT", port.to_string())
            .env("LOG_FORMAT", format)
            .env("RUST_LOG", "debug")
            .env("DRAIN_MS", "0")
            .spawn()
            .unwrap();
        let address = ([127, 0, 0, 1], port).into();
        let begin = std::time::Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(begin.elapsed() < std::time::Duration::from_secs(10));
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(crate::wire::get(address, "/ready").status, 200);
        let process = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
