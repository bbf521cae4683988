//! Where the dashboard listens, and what keeps `serve` from starting.

use std::net::TcpListener;

use halcyon_tests::process::{Serving, Signal, run};
use std::time::Duration;

use crate::wire::get;

#[test]
fn ports_in_use_are_reported_together_with_everything_else() {
    let taken = [(); 2].map(|()| TcpListener::bind("0.0.0.0:0").unwrap());
    let [health, dashboard] = taken
        .each_ref()
        .map(|taken| taken.local_addr().unwrap().port().to_string());
    let output = run(
        &["serve"],
        &[
            ("HEALTH_PORT", &health),
            ("DASHBOARD_PORT", &dashboard),
            ("DASHBOARD_HOSTS", "a:80"),
            ("DRAIN_MS", "soon"),
            ("HALCYON_SIGNING_KEY_FILE", "nothing.pem"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    for expected in [
        format!("error: HEALTH_PORT: cannot listen on 0.0.0.0:{health}: it is in use"),
        format!("error: DASHBOARD_PORT: cannot listen on 127.0.0.1:{dashboard}: it is in use"),
        "error: DASHBOARD_HOSTS: \"a:80\" is no host".to_owned(),
        "error: DRAIN_MS: \"soon\"".to_owned(),
        "error: HALCYON_SIGNING_KEY_FILE: \"nothing.pem\" cannot be read".to_owned(),
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(&expected)),
            "{expected}: {said}"
        );
    }
}

#[test]
fn a_port_that_is_none_is_not_tried() {
    for (variable, value) in [("DASHBOARD_PORT", "65536"), ("DASHBOARD_BIND", "localhost")] {
        let output = run(
            &["serve"],
            &[
                ("HEALTH_PORT", "0"),
                ("DASHBOARD_PORT", "0"),
                (variable, value),
            ],
        );
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with(&format!("error: {variable}: ")), "{said}");
    }
}

#[test]
fn the_flag_wins_over_the_variable() {
    let server = Serving::start_with(
        &["--dashboard-port", "0"],
        &[("DASHBOARD_PORT", "nonsense")],
    );
    assert_eq!(get(server.dashboard(), "/").status, 200);
}

#[test]
fn a_signal_ends_the_dashboard_with_the_rest() {
    let mut server = Serving::start(&[("DRAIN_MS", "300")]);
    let dashboard = server.dashboard();
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(get(dashboard, "/").status, 200, "while it drains");
    let status = server.wait(Duration::from_secs(3)).expect("it ends");
    assert_eq!(status.code(), Some(0));
}
