//! Where the dashboard listens, and under which names it answers.

use super::*;

#[test]
fn the_address_is_an_ip_address_of_either_kind() {
    for text in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
        let bind = with("DASHBOARD_BIND", text).dashboard.bind;
        assert_eq!(bind.to_string(), text);
    }
    for text in ["localhost", "127.0.0.1:80", "[::1]", "0", " ::1", "*"] {
        assert!(error("DASHBOARD_BIND", text).contains("allowed: an IP address"));
    }
}

#[test]
fn hosts_are_names_without_ports() {
    let hosts = |text| with("DASHBOARD_HOSTS", text).dashboard.hosts;
    assert_eq!(
        hosts(" Dash.Example , [::1],,10.0.0.1"),
        ["dash.example", "[::1]", "10.0.0.1"]
    );
    assert_eq!(hosts(","), hosts("localhost,127.0.0.1,[::1]"));
    for text in ["a:80", "http://a", "*", "a b", "[::g]", "\u{430}", "::1"] {
        assert!(
            error("DASHBOARD_HOSTS", text).contains("without a port"),
            "{text}"
        );
    }
    let many = ["a"; 65].join(",");
    assert!(error("DASHBOARD_HOSTS", &many).contains("at most 64"));
    assert_eq!(hosts(&["a"; 64].join(",")).len(), 64);
}

#[test]
fn a_host_header_is_known_by_its_whole_name_whatever_its_port() {
    let dashboard = with("DASHBOARD_HOSTS", "dash.example,[::1]").dashboard;
    for host in [
        "dash.example",
        "DASH.example:1",
        "[::1]",
        "[::1]:80",
        "dash.example:",
    ] {
        assert!(dashboard.knows(host), "{host}");
    }
    for host in [
        "",
        ":80",
        "localhost",
        "dash.example.",
        "a.dash.example",
        "::1",
        "dash.example:8o",
        "dash.example:80:80",
        "[::1",
        "[::1]x",
    ] {
        assert!(!dashboard.knows(host), "{host}");
    }
}
