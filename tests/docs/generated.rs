//! `UPDATE_DOCS=1 cargo test -p halcyon-tests --test docs` writes the pages anew.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use halcyon_tests::process::Serving;

fn check(page: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, wanted,
        "docs/{page} is out of date: UPDATE_DOCS=1 cargo test -p halcyon-tests --test docs"
    );
}

#[test]
fn the_page_of_variables_is_what_the_program_reads() {
    check("environment.md", &halcyon::cli::environment_reference());
}

#[test]
fn the_page_of_commands_is_what_the_program_takes() {
    check("cli.md", &halcyon::cli::command_reference());
}

#[test]
fn the_page_of_the_api_is_what_a_server_describes() {
    check("api.md", &halcyon::dashboard::api_reference());
}

#[test]
fn the_page_of_metrics_is_what_a_server_answers() {
    let nowhere = "us-east=http://127.0.0.1:1,us-west=http://127.0.0.1:1";
    let server = Serving::start(&[
        ("READINESS_CHECKS", "db=tcp://127.0.0.1:1"),
        ("REGIONS", "us-east,us-west"),
        ("PRIMARY_REGION", "us-east"),
        ("FEATURE_MULTI_REGION", "true"),
        ("REGION_ENDPOINTS", nowhere),
    ]);
    // The first answer is what the counters of the second count.
    let answer = |address, first: &str| {
        let [_, answer] = [first, "/metrics"].map(|path| {
            let mut stream = TcpStream::connect(address).unwrap();
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        answer
    };
    let health = answer(server.address(), "/ready");
    let mut control = String::new();
    // Until the first probe has ended.
    for _ in 0..200 {
        control = answer(server.dashboard(), "/api/v1/state");
        if control.contains("halcyon_region_probe_duration_seconds") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let page = format!(
        "# Metrics\n\nGenerated from what a running server answers at `/metrics` (OpenMetrics); do not edit. A counter's samples end\nin `_total`, the info's in `_info`, a histogram's in `_bucket`, `_sum` and `_count`. No label ever names a tenant. Those of an\nedge are in [edge.md](edge.md).\n\n## On `HEALTH_PORT`\n\n{}\n## On `DASHBOARD_PORT`\n\n{}",
        rows(&health),
        rows(&control)
    );
    assert!(page.contains("`halcyon_http_requests`"), "{health}");
    assert!(page.contains("`halcyon_region_status`"), "{control}");
    check("metrics.md", &page);
}

/// A table of what an answer of metrics has.
fn rows(answer: &str) -> String {
    let mut rows = String::from("| metric | type | meaning |\n|---|---|---|\n");
    for line in answer.lines() {
        let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let of_type = format!("# TYPE {name} ");
        let kind = answer
            .lines()
            .find_map(|line| line.strip_prefix(&of_type))
            .unwrap();
        rows.push_str(&format!("| `{name}` | {kind} | {help} |\n"));
    }
    rows
}

#[test]
fn the_page_of_placement_has_the_table_that_the_core_uses() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/placement.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, after) = page.split_once("### The table T").unwrap();
    let table = after.split("```").nth(1).unwrap();
    let numbers: Vec<u32> = table
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(
        numbers
            .into_iter()
            .eq(halcyon_core::placement::log2_points())
    );
}
