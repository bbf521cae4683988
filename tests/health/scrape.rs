//! `/metrics`, as text and as a real Prometheus sees it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::Serving;
use serde_json::Value;

use crate::wire::{answering, get, nobody, request, silent, timed};

#[test]
fn a_dependency_that_hangs_does_not_take_the_metrics_away() {
    let hangs = format!("hangs=http://{}", silent());
    let server = Serving::start(&[
        ("READINESS_CHECKS", &hangs),
        ("READINESS_TIMEOUT_MS", "4000"),
    ]);
    for _ in 0..3 {
        let (answer, took) = timed(|| get(server.address(), "/metrics"));
        assert_eq!(answer.status, 200);
        assert!(took < Duration::from_millis(3000), "{took:?}");
        assert!(answer.body.contains("halcyon_readiness_age_seconds "));
    }
    // What was being found out meanwhile is there later.
    thread::sleep(Duration::from_millis(4300));
    let known = get(server.address(), "/metrics").body;
    assert!(
        known.contains(r#"halcyon_dependency_up{name="hangs"} 0"#),
        "{known}"
    );
}

#[test]
fn metrics_are_openmetrics() {
    let checks = format!(
        "up=http://{},down=tcp://{}",
        answering("HTTP/1.1 200 OK\r\n\r\n"),
        nobody()
    );
    let server = Serving::start(&[
        ("READINESS_CHECKS", &checks),
        ("BUILD_VERSION", "1.2.3\"\\\n"),
        ("CURRENT_REGION", "eu-west"),
    ]);
    get(server.address(), "/health");
    get(server.address(), "/livez");
    get(server.address(), "/tenant-4711");
    request(server.address(), "POST", "/ready");
    // Those that asked before have closed; on a busy machine that is counted a moment later.
    let mut answer = get(server.address(), "/metrics");
    for _ in 0..100 {
        if answer.body.contains("\nhalcyon_http_connections 1\n") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        answer = get(server.address(), "/metrics");
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some(kind))
    );
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
    for line in [
        r#"halcyon_build_info{version="1.2.3\"\\\n",git_sha="unknown",build_date="unknown",region="eu-west"} 1"#,
        "halcyon_ready 0",
        r#"halcyon_dependency_up{name="up"} 1"#,
        r#"halcyon_dependency_up{name="down"} 0"#,
        r#"halcyon_http_requests_total{path="/health",code="200"} 2"#,
        r#"halcyon_http_requests_total{path="/ready",code="405"} 1"#,
        r#"halcyon_http_requests_total{path="other",code="404"} 1"#,
        r#"halcyon_http_request_duration_seconds_count{path="/health"} 2"#,
        "halcyon_http_connections 1",
        "# TYPE process_cpu_seconds counter",
    ] {
        assert!(
            answer.body.lines().any(|found| found == line),
            "{line} is not in\n{}",
            answer.body
        );
    }
    assert!(
        !answer.body.contains("4711"),
        "a path from a client is no label"
    );
    let value = |name: &str| -> f64 {
        let line = answer
            .body
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .expect(name);
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    assert!((now - value("process_start_time_seconds")).abs() < 30.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") > 3.0 && value("process_max_fds") > 100.0);
    assert!(value("process_cpu_seconds_total") > 0.0);
}

#[test]
fn a_gauge_follows_what_ready_says() {
    let server = Serving::start(&[("DRAIN_MS", "3000")]);
    assert!(
        get(server.address(), "/metrics")
            .body
            .contains("\nhalcyon_ready 1\n")
    );
    server.signal(halcyon_tests::process::Signal::TERM);
    thread::sleep(Duration::from_millis(100));
    assert!(
        get(server.address(), "/metrics")
            .body
            .contains("\nhalcyon_ready 0\n")
    );
}

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

#[test]
fn a_real_prometheus_scrapes_it() {
    if Command::new("prometheus")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        assert!(
            std::env::var_os(PEERS).is_none(),
            "{PEERS} is set, and there is no prometheus on PATH"
        );
        eprintln!("not tested: there is no prometheus on PATH");
        return;
    }
    let server = Serving::start(&[("BUILD_VERSION", "9.8.7")]);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("prometheus.yml");
    let target = server.address();
    let text = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs: [{{job_name: halcyon, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    fs::write(&config, text).unwrap();
    let port = nobody().port();
    let log = fs::File::create(directory.path().join("log")).unwrap();
    let _prometheus = Killed(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    for (query, expected) in [
        ("up", "1"),
        ("halcyon_ready", "1"),
        ("halcyon_build_info{version=\"9.8.7\"}", "1"),
        (
            "sum(halcyon_http_requests_total{path=\"/metrics\"})>bool 0",
            "1",
        ),
        (
            "histogram_quantile(0.5,sum by(le)(halcyon_http_request_duration_seconds_bucket))<bool 10",
            "1",
        ),
        ("process_resident_memory_bytes>bool 1e6", "1"),
        ("time()-process_start_time_seconds<bool 60", "1"),
    ] {
        let deadline = Instant::now() + Duration::from_secs(20);
        while ask(port, query).as_deref() != Some(expected) {
            let log = fs::read_to_string(directory.path().join("log")).unwrap();
            assert!(
                Instant::now() < deadline,
                "{query} is {:?}, not {expected}; {log}",
                ask(port, query)
            );
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The only value of an instant query.
fn ask(port: u16, query: &str) -> Option<String> {
    let escaped: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    let answer = get(
        ([127, 0, 0, 1], port).into(),
        &format!("/api/v1/query?query={escaped}"),
    );
    let body: Value = serde_json::from_str(&answer.body).ok()?;
    body["data"]["result"][0]["value"][1]
        .as_str()
        .map(String::from)
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
