//! Whom the monitor asks: nobody inside whom the configuration does not name, however he is spelt.

use std::fmt::Write;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use halcyon_tests::process::{Serving, run};
use halcyon_tests::region::Region;
use halcyon_tests::store::{Store, json_lines};

const LOOPBACK: &str = "a loopback address that the configuration does not name";
const PRIVATE: &str = "a private address that the configuration does not name";
const METADATA: &str = "the address of a metadata service, which is never asked";
const LINK_LOCAL: &str = "a link-local address, which is never asked";
const NO_HOST: &str = "an address that stands for no host, which is never asked";
const HIDES: &str = "an address in which any other one may hide, which is never asked";
const MULTICAST: &str = "a multicast address, which is never asked";
const BROADCAST: &str = "the broadcast address, which is never asked";
const RESERVED: &str = "a reserved address, which is never asked";

/// Hosts that a URL may have, and what they turn out to be. The system takes numbers for addresses that are none
/// to us: decimal, octal and hexadecimal ones, and fewer than four.
const SPELLINGS: [(&str, &str); 82] = [
    ("127.1", LOOPBACK),
    ("127.0.1", LOOPBACK),
    ("127.0.0.01", LOOPBACK),
    ("127.0x1", LOOPBACK),
    ("127.65535", LOOPBACK),
    ("2130706433", LOOPBACK),
    ("017700000001", LOOPBACK),
    ("0x7f000001", LOOPBACK),
    ("0X7F000001", LOOPBACK),
    ("0177.0.0.1", LOOPBACK),
    ("0177.1", LOOPBACK),
    ("0000177.0.0.1", LOOPBACK),
    ("0177.0.0.0x1", LOOPBACK),
    ("0x7f.1", LOOPBACK),
    ("0x7f.0.0.1", LOOPBACK),
    ("0x7f.0x0.0x0.0x1", LOOPBACK),
    ("0x0000007f.1", LOOPBACK),
    ("[::ffff:127.0.0.1]", LOOPBACK),
    ("[::ffff:7f00:1]", LOOPBACK),
    ("[::FFFF:7F00:0001]", LOOPBACK),
    ("[0:0:0:0:0:ffff:127.0.0.1]", LOOPBACK),
    ("[::127.0.0.1]", LOOPBACK),
    ("[::7f00:1]", LOOPBACK),
    ("[::ffff:0:127.0.0.1]", LOOPBACK),
    ("[64:ff9b::127.0.0.1]", LOOPBACK),
    ("[64:ff9b::7f00:1]", LOOPBACK),
    ("[2002:7f00:1::]", LOOPBACK),
    ("0", NO_HOST),
    ("00", NO_HOST),
    ("0x0", NO_HOST),
    ("0.0", NO_HOST),
    ("0.0.0.0", NO_HOST),
    ("0.0.0.1", NO_HOST),
    ("[::]", NO_HOST),
    ("[0:0:0:0:0:0:0:0]", NO_HOST),
    ("[::ffff:0.0.0.0]", NO_HOST),
    ("169.254.169.254", METADATA),
    ("2852039166", METADATA),
    ("0xa9fea9fe", METADATA),
    ("0xA9.0xFE.0xA9.0xFE", METADATA),
    ("0251.0376.0251.0376", METADATA),
    ("0251.254.169.254", METADATA),
    ("025177524776", METADATA),
    ("169.254.43518", METADATA),
    ("169.16689662", METADATA),
    ("0xa9.254.0251.0xfe", METADATA),
    ("[::ffff:169.254.169.254]", METADATA),
    ("[::ffff:a9fe:a9fe]", METADATA),
    ("[0:0:0:0:0:ffff:a9fe:a9fe]", METADATA),
    ("[::169.254.169.254]", METADATA),
    ("[::a9fe:a9fe]", METADATA),
    ("[::ffff:0:169.254.169.254]", METADATA),
    ("[64:ff9b::169.254.169.254]", METADATA),
    ("[64:ff9b::a9fe:a9fe]", METADATA),
    ("[2002:a9fe:a9fe::1]", METADATA),
    ("100.100.100.200", METADATA),
    ("1684301000", METADATA),
    ("[::ffff:100.100.100.200]", METADATA),
    ("192.0.0.192", METADATA),
    ("168.63.129.16", METADATA),
    ("[fd00:ec2::254]", METADATA),
    ("[fd00:0ec2:0::0254]", METADATA),
    ("[fd20:ce::254]", METADATA),
    ("169.254.170.2", LINK_LOCAL),
    ("0xa9feaa02", LINK_LOCAL),
    ("[::ffff:169.254.170.2]", LINK_LOCAL),
    ("[fe80::1]", LINK_LOCAL),
    ("[fe80::a9fe:a9fe]", LINK_LOCAL),
    ("[64:ff9b:1::a9fe:a9fe]", HIDES),
    ("[2001:0:a9fe:a9fe::1]", HIDES),
    ("224.0.0.1", MULTICAST),
    ("[ff02::1]", MULTICAST),
    ("255.255.255.255", BROADCAST),
    ("4294967295", BROADCAST),
    ("240.0.0.1", RESERVED),
    ("[1::1]", RESERVED),
    ("10.5", PRIVATE),
    ("167772165", PRIVATE),
    ("0xc0a80101", PRIVATE),
    ("0300.0250.1.1", PRIVATE),
    ("[::ffff:10.0.0.5]", PRIVATE),
    ("[64:ff9b::c0a8:101]", PRIVATE),
];

/// URLs that are refused as they are read.
const NO_ENDPOINTS: [&str; 40] = [
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.eu.example/",
    "http://127.0.0.1%2f.eu.example/",
    "http://lo%63alhost/",
    "http://loc\u{ad}alhost/",
    "http://\u{24db}ocalhost/",
    "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
    "http://127\u{3002}0\u{3002}0\u{3002}1/",
    "http://127\u{ff0e}0\u{ff0e}0\u{ff0e}1/",
    "http://\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}/",
    "http://\u{661}\u{662}\u{667}.0.0.1/",
    "http://[::1%25lo]/",
    "http://[::1%lo]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%1]/",
    "http://[::ffff:127.1]/",
    "http://[::ffff:0177.0.0.1]/",
    "http://[::ffff:0x7f.0.0.1]/",
    "http://[127.0.0.1]/",
    "http://[0x7f000001]/",
    "http://[::1]eu.example/",
    "http://[::1/",
    "http://::1/",
    "http://eu.example@127.0.0.1/",
    "http://eu.example:80@127.0.0.1/",
    "http://127.0.0.1\\@eu.example/",
    "http://eu.example#@127.0.0.1/",
    "http://127.0.0.1:80:8086/",
    "http://127.0.0.1:+80/",
    "http://127.0.0.1:65616/",
    "http://127.0.0.1\\eu.example/",
    "http://127.0.0.1 eu.example/",
    "http://127.0.0.1/?/ready",
    "http:///127.0.0.1/",
    "http:/127.0.0.1/",
    "//127.0.0.1/",
    "tcp://127.0.0.1:80",
    "gopher://127.0.0.1:80/",
    "file:///etc/passwd",
];

/// A server that watches a region that is well, and besides it one under each host.
struct Watching {
    server: Serving,
    store: Store,
    well: Region,
    /// Nobody takes what comes here.
    inside: TcpListener,
}

impl Watching {
    fn hosts(hosts: &[&str], networks: &str) -> Self {
        let (well, store) = (Region::ready(), Store::new());
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let port = inside.local_addr().unwrap().port();
        let (mut names, mut endpoints) = ("well".to_owned(), format!("well=http://{}", well.at()));
        for (place, host) in hosts.iter().enumerate() {
            let _ = write!(names, ",r{place}");
            let _ = write!(endpoints, ",r{place}=http://{host}:{port}");
        }
        let variables = [
            ("FEATURE_MULTI_REGION", "true"),
            ("REGIONS", names.as_str()),
            ("TENANT_STICKY", "hash"),
            ("REGION_ENDPOINTS", endpoints.as_str()),
            ("PROBE_NETWORKS", networks),
            ("PROBE_INTERVAL_MS", "100"),
            ("PROBE_TIMEOUT_MS", "5000"),
            ("PROBE_FALL", "1"),
        ];
        Self {
            server: crate::api::serve(&store, &variables),
            store,
            well,
            inside,
        }
    }

    /// Why each region went down, by its place among the hosts; when so many have.
    fn reasons(&self, regions: usize) -> Vec<(usize, String)> {
        let path = self.store.logs().join("region_events.jsonl");
        let begin = Instant::now();
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let events = json_lines(&text[..text.rfind('\n').map_or(0, |end| end + 1)]);
            if events.len() >= regions {
                let told = events.iter().map(|event| {
                    let [name, to, why] =
                        ["region", "to", "reason"].map(|member| event[member].as_str().unwrap());
                    assert_eq!(to, "down", "{event}");
                    (name[1..].parse().unwrap(), why.to_owned())
                });
                return told.collect();
            }
            let late = begin.elapsed() > Duration::from_secs(60);
            assert!(!late, "{} of {regions}: {events:?}", events.len());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn nobody_was_asked_inside(&self) {
        match self.inside.accept() {
            Err(why) => assert_eq!(why.kind(), ErrorKind::WouldBlock),
            Ok((_, from)) => panic!("a connection from {from}"),
        }
    }
}

#[test]
fn no_spelling_of_an_address_inside_is_asked() {
    let hosts = SPELLINGS.map(|(host, _)| host);
    let watching = Watching::hosts(&hosts, "");
    let mut told = watching.reasons(hosts.len());
    told.sort();
    assert_eq!(told.len(), hosts.len(), "each once");
    for (place, why) in told {
        let (host, expected) = SPELLINGS[place];
        assert!(why.contains(expected), "{host}: {why}");
    }
    watching.nobody_was_asked_inside();
    assert!(!watching.well.asked().is_empty());
    let said = watching.server.stderr();
    assert!(
        said.contains(r#""0x7f.1" has 127.0.0.1, a loopback address"#),
        "{said}"
    );
}

#[test]
fn what_is_never_asked_cannot_be_named() {
    let never = SPELLINGS
        .iter()
        .filter(|(_, why)| why.ends_with("never asked"));
    let hosts: Vec<&str> = never.map(|(host, _)| *host).collect();
    let watching = Watching::hosts(&hosts, "0.0.0.0/0,::/0");
    for (place, why) in watching.reasons(hosts.len()) {
        assert!(
            why.ends_with("which is never asked"),
            "{}: {why}",
            hosts[place]
        );
    }
    watching.nobody_was_asked_inside();
}

#[test]
fn what_the_configuration_names_is_asked() {
    for (host, networks) in [
        ("127.1", "10.0.0.0/8, 127.0.0.0/8"),
        ("127.1", "127.0.0.1"),
        ("127.0.0.1", ""),
        ("localhost", ""),
    ] {
        let watching = Watching::hosts(&[host], networks);
        let begin = Instant::now();
        while let Err(why) = watching.inside.accept() {
            assert_eq!(why.kind(), ErrorKind::WouldBlock);
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "{host} {networks}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn where_no_region_may_be_asked_none_is_taken_out_and_the_server_says_why() {
    let store = Store::new();
    let variables = [
        ("FEATURE_MULTI_REGION", "true"),
        ("REGIONS", "eu-west"),
        ("TENANT_STICKY", "hash"),
        ("REGION_ENDPOINTS", "eu-west=http://10.5:8086"),
        ("PROBE_INTERVAL_MS", "50"),
    ];
    let server = crate::api::serve(&store, &variables);
    let why = r#"no region passes its probe: the network here is taken for the reason, and all regions count as up; the last probe said: "10.5" has 10.0.0.5, a private address"#;
    let begin = Instant::now();
    while !server.stderr().contains(why) {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{}",
            server.stderr()
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!store.logs().join("region_events.jsonl").exists());
}

#[test]
fn a_url_that_two_readers_could_take_for_two_hosts_is_no_endpoint() {
    let list = NO_ENDPOINTS.iter().enumerate();
    let list: Vec<String> = list.map(|(place, url)| format!("r{place}={url}")).collect();
    let output = run(
        &["serve"],
        &[
            ("HEALTH_PORT", "0"),
            ("DASHBOARD_PORT", "0"),
            ("REGION_ENDPOINTS", &list.join(",")),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines();
    let about = lines.filter(|line| line.starts_with("error: REGION_ENDPOINTS: "));
    assert_eq!(about.count(), NO_ENDPOINTS.len(), "{said}");
}

#[test]
fn a_network_that_is_none_keeps_the_server_from_starting() {
    let output = run(
        &["serve"],
        &[
            ("HEALTH_PORT", "0"),
            ("DASHBOARD_PORT", "0"),
            ("PROBE_NETWORKS", "10.0.0.5/8,inside"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(
        lines[0],
        r#"error: PROBE_NETWORKS: "10.0.0.5/8" has bits set behind its prefix; allowed: 10.0.0.0/8"#
    );
    assert!(lines[1].starts_with(r#"error: PROBE_NETWORKS: "inside" is no network; allowed: "#));
}
