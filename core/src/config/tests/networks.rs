//! The networks in which the monitor may ask.

use super::*;

fn networks(text: &str) -> Vec<String> {
    let networks = with("PROBE_NETWORKS", text).probe_networks;
    networks.iter().map(ToString::to_string).collect()
}

#[test]
fn networks_and_single_addresses_are_listed_with_commas() {
    assert_eq!(
        networks(" 10.0.0.0/8 ,,fd00::/8,\t192.168.1.7"),
        ["10.0.0.0/8", "fd00::/8", "192.168.1.7/32"]
    );
    assert_eq!(networks(","), [""; 0]);
}

#[test]
fn every_network_that_is_none_is_said_at_once() {
    let list = "10.0.0.5/8,fd00::/8,internal,fd00::/129";
    let (settings, problems) = read(&[("PROBE_NETWORKS", list)]);
    assert_eq!(settings.probe_networks.len(), 1);
    assert_eq!(
        problems.errors,
        [
            r#"PROBE_NETWORKS: "10.0.0.5/8" has bits set behind its prefix; allowed: 10.0.0.0/8"#,
            r#"PROBE_NETWORKS: "internal" is no network; allowed: an IP address, or the first of a network with the length of its prefix, such as 10.0.0.0/8 or fd00::/8"#,
            r#"PROBE_NETWORKS: "fd00::/129" has no prefix of a length that there is; allowed: 0 to 128"#,
        ]
    );
    assert!(error("PROBE_NETWORKS", "10.0.0.0/08").contains("allowed: 0 to 32"));
}

#[test]
fn there_are_at_most_64_of_them() {
    assert_eq!(networks(&["::1"; 64].join(",")).len(), 64);
    assert_eq!(
        error("PROBE_NETWORKS", &["nonsense"; 65].join(",")),
        "PROBE_NETWORKS: has 65 networks; allowed: at most 64"
    );
}
