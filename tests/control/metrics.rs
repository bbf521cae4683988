//! `/metrics` of the control plane, as text, as a real Prometheus sees it, and what its alerts say.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use halcyon_tests::process::unused_port;
use halcyon_tests::region::Answer;
use serde_json::{Value, json};

use crate::client::{Control, send};

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/prometheus/alerts.yml");
const RULES_TEST: &str = include_str!("alerts_test.yml");

/// Whether a peer is there; it must be in the full test run.
pub(crate) fn is_there(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if asked.is_err() {
        assert!(
            std::env::var_os(PEERS).is_none(),
            "{PEERS} is set, and there is no {program} on PATH"
        );
        eprintln!("not tested: there is no {program} on PATH");
    }
    asked.is_ok()
}

fn scrape(control: &Control) -> String {
    let answer = control.ask("Viewer", "GET /metrics", None).is(200);
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(media));
    String::from_utf8(answer.body).unwrap()
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|found| found == *line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn metrics_say_what_regions_and_the_release_are_and_who_asked() {
    let control = Control::with(&[("FEATURE_MULTI_REGION", "true")]);
    control.regions[0].answer(Answer::Close);
    control.until("us-east down", |state| {
        state["regions"][0]["status"] == "down"
    });
    let body = json!({"state":"drain","reason":"x"}).to_string();
    control
        .ask(
            "Deployer",
            "PUT /api/v1/regions/us-west/override",
            Some(&body),
        )
        .is(200);
    let body =
        json!({"image_blue":"a","image_green":"b","canary_seq":[25],"timeout_s":60}).to_string();
    control
        .ask("Deployer", "POST /api/v1/releases", Some(&body))
        .is(202);
    control.until("the canary", |state| {
        state["release"]["canary_weight"] == 25
    });
    control.ask("Edge", "GET /api/v1/table", None).is(200);
    control
        .ask("Viewer", "GET /api/v1/releases/tenant-4711", None)
        .is(404);
    control
        .ask("Viewer", "GET /api/v1/route?tenant=tenant-4711", None)
        .is(200);
    control.ask("", "PUT /api/v1/freeze", None).is(401);
    let text = scrape(&control);
    has(
        &text,
        &[
            r#"halcyon_region_status{region="us-east",status="down"} 1"#,
            r#"halcyon_region_status{region="us-east",status="up"} 0"#,
            r#"halcyon_region_status{region="us-west",status="draining"} 1"#,
            r#"halcyon_region_override{region="us-west",state="drain"} 1"#,
            r#"halcyon_region_changes_total{region="us-east"} 1"#,
            "halcyon_probes_blind 0",
            "halcyon_frozen 0",
            r#"halcyon_release_state{state="canary"} 1"#,
            r#"halcyon_release_state{state="idle"} 0"#,
            "halcyon_release_weight_ratio 0.25",
            "halcyon_release_under_way 1",
            "halcyon_release_driven 1",
            "halcyon_journal_readable 1",
            r#"halcyon_api_requests_total{route="/api/v1/releases/{id}",method="GET",code="404"} 1"#,
            r#"halcyon_api_requests_total{route="/api/v1/freeze",method="PUT",code="401"} 1"#,
        ],
    );
    assert!(text.contains(r#"halcyon_region_probe_duration_seconds_count{region="eu-west"}"#));
    assert!(
        text.ends_with("\n# EOF\n") && !text.contains("4711"),
        "no label is a client's: {text}"
    );
    let epoch = text
        .lines()
        .find_map(|line| line.strip_prefix("halcyon_table_epoch "))
        .unwrap();
    assert!(epoch.parse::<u64>().unwrap() > 1_700_000_000_000);
}

#[test]
fn the_alert_rules_say_what_they_are_to_say_and_when() {
    if !is_there("promtool") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let rules = fs::read_to_string(RULES).unwrap();
    let test = |rules: &str| {
        fs::write(dir.path().join("alerts.yml"), rules).unwrap();
        fs::write(dir.path().join("test.yml"), RULES_TEST).unwrap();
        let ran = Command::new("promtool")
            .args(["test", "rules", "test.yml"])
            .current_dir(dir.path())
            .output();
        let ran = ran.unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        (
            ran.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let (passed, said) = test(&rules);
    assert!(passed, "{said}");
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert_eq!(alerts.len(), 10);
    for alert in alerts {
        assert!(
            RULES_TEST.contains(&format!("alertname: {alert}\n")),
            "{alert} is not tested firing"
        );
    }
    let (passed, _) = test(&rules.replace("> 0.05", "> 0.5"));
    assert!(!passed, "a wrong rule passes");
}

#[test]
fn every_metric_of_the_alert_rules_is_there() {
    let control = Control::with(&[("FEATURE_MULTI_REGION", "true")]);
    control.regions[0].answer(Answer::Close);
    control.until("us-east down", |state| {
        state["regions"][0]["status"] == "down"
    });
    let text = scrape(&control);
    let rules = fs::read_to_string(RULES).unwrap();
    let names = rules.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_');
    let names: std::collections::BTreeSet<&str> =
        names.filter(|name| name.starts_with("halcyon_")).collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let found = text.lines().any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        assert!(found, "{name} is not in\n{text}");
    }
}

#[test]
fn a_real_prometheus_scrapes_it_with_a_token_and_its_alert_is_pending() {
    if !is_there("prometheus") {
        return;
    }
    let control = Control::with(&[("FEATURE_MULTI_REGION", "true")]);
    control.regions[2].answer(Answer::Close);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("prometheus.yml");
    let token = control.store.dir().join("Viewer.token");
    let (target, token) = (control.address(), token.display());
    let text = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}\nrule_files: ['{RULES}']\nscrape_configs: [{{job_name: halcyon, authorization: {{credentials_file: '{token}'}}, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    fs::write(&config, text).unwrap();
    let port = unused_port();
    let _prometheus = Killed(prometheus(&config, dir.path(), port));
    for (query, expected) in [
        ("up", "1"),
        (
            "halcyon_region_status{region=\"eu-west\",status=\"down\"}",
            "1",
        ),
        ("halcyon_release_weight_ratio", "0"),
        ("sum(rate(halcyon_region_probes_total[5s]))>bool 1", "1"),
        (
            "histogram_quantile(0.5,sum by(le)(halcyon_region_probe_duration_seconds_bucket))<bool 5",
            "1",
        ),
        (
            "ALERTS{alertname=\"HalcyonRegionDown\",alertstate=\"pending\",region=\"eu-west\"}",
            "1",
        ),
    ] {
        let deadline = Instant::now() + Duration::from_secs(30);
        while ask(port, query).as_deref() != Some(expected) {
            let log = fs::read_to_string(dir.path().join("log")).unwrap();
            assert!(
                Instant::now() < deadline,
                "{query} is {:?}, not {expected}; {log}",
                ask(port, query)
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn prometheus(config: &Path, dir: &Path, port: u16) -> Child {
    Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            dir.join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.join("log")).unwrap())
        .spawn()
        .unwrap()
}

/// The only value of an instant query.
fn ask(port: u16, query: &str) -> Option<String> {
    let escaped: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    let line = format!("GET /api/v1/query?query={escaped}");
    let answer = send(([127, 0, 0, 1], port).into(), &line, &[], None);
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
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
