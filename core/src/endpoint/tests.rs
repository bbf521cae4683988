use super::*;
use alloc::vec::Vec;

#[test]
fn endpoints_are_read_in_every_allowed_form() {
    for (text, shown) in [
        ("tcp://db:5432", "tcp://db:5432"),
        ("http://10.0.0.1", "http://10.0.0.1:80"),
        ("HTTPS://api.example/x?y=1", "https://api.example:443/x?y=1"),
        ("http://[::1]:8086/", "http://[::1]:8086"),
        ("http://h?x=1", "http://h:80/?x=1"),
    ] {
        assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
    }
}

#[test]
fn what_is_no_endpoint_is_refused_with_the_forms_allowed() {
    for bad in [
        "",
        "db:5432",
        "ftp://h/",
        "tcp://db",
        "tcp://db:5432/x",
        "http://",
        "http://h:0",
        "http://h:65536",
        "http://h:+1",
        "http://u:p@h/",
        "http://h/#f",
        "http://h/a b",
        "http://[::1",
        "http://-h",
        "http://h\u{430}",
    ] {
        let error = Endpoint::parse(bad).unwrap_err();
        assert!(error.contains("allowed: tcp://host:port"), "{bad}: {error}");
    }
    assert!(
        !Endpoint::parse("http://joe:s3cret@h/")
            .unwrap_err()
            .contains("s3cret")
    );
}

#[test]
fn a_password_is_not_shown_even_where_the_scheme_is_forgotten() {
    for bad in ["joe:s3cret@h:8086", "http:/joe:s3cret@h", "joe:s3@cret@h/x"] {
        for error in [Endpoint::parse(bad), Endpoint::parse_region(bad, 8086)] {
            let error = error.unwrap_err();
            assert!(error.starts_with("\"***@h"), "{error}");
        }
    }
}

#[test]
fn a_regions_address_may_be_a_host_alone() {
    for (text, shown) in [
        (
            "us-east-lb.example.com",
            "http://us-east-lb.example.com:8086",
        ),
        ("localhost:9000", "http://localhost:9000"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("[::1]", "http://[::1]:8086"),
        ("https://lb/", "https://lb:443"),
        ("http://lb/eu", "http://lb:80/eu"),
    ] {
        assert_eq!(
            Endpoint::parse_region(text, 8086).unwrap().to_string(),
            shown
        );
    }
    for bad in [
        "",
        "::1",
        "a:b",
        "a:70000",
        "tcp://h:1",
        "a/b",
        "http://u@h",
    ] {
        assert!(
            Endpoint::parse_region(bad, 8086)
                .unwrap_err()
                .contains("allowed: a name from"),
            "{bad}"
        );
    }
}

#[test]
fn a_regions_url_may_name_its_ready_path_and_has_no_query() {
    for url in [
        "http://h:1",
        "http://h:1/",
        "http://h:1/ready",
        "http://h:1/readyz/",
    ] {
        let base = Endpoint::parse_region(url, 8086).unwrap();
        assert_eq!(base.join("/ready").to_string(), "http://h:1/ready");
    }
    let under = Endpoint::parse_region("https://h/eu/ready", 8086).unwrap();
    assert_eq!(under.to_string(), "https://h:443/eu");
    assert!(
        Endpoint::parse_region("http://h/?x=1", 8086)
            .unwrap_err()
            .contains("without a query")
    );
}

#[test]
fn an_endpoint_is_written_so_that_it_reads_back_equal() {
    for text in [
        "tcp://db:5432",
        "http://h",
        "http://h/ping/",
        "http://h//",
        "http://h/search?q=/",
        "https://[::1]/eu/?x=y/",
    ] {
        let endpoint = Endpoint::parse(text).unwrap();
        assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
    }
    for text in ["http://h/eu/", "http://h/eu//ready", "http://h//readyz//"] {
        let base = Endpoint::parse(text).unwrap().health_base().unwrap();
        assert_eq!(Endpoint::parse(&base.to_string()), Ok(base.clone()));
        assert!(base.path() == "/" || !base.path().ends_with('/'), "{base}");
    }
}

#[test]
fn joining_keeps_one_slash() {
    let at = |base: &str| {
        Endpoint::parse(base)
            .unwrap()
            .join("/ready")
            .path()
            .to_string()
    };
    assert_eq!(at("http://h"), "/ready");
    assert_eq!(at("http://h/eu/"), "/eu/ready");
}

#[test]
fn an_endpoint_tells_its_parts() {
    for (text, scheme, host, port, path) in [
        ("tcp://db.example:5432", Scheme::Tcp, "db.example", 5432, ""),
        ("http://10.0.0.1", Scheme::Http, "10.0.0.1", 80, "/"),
        ("https://[::1]:1/x?y", Scheme::Https, "::1", 1, "/x?y"),
    ] {
        let endpoint = Endpoint::parse(text).unwrap();
        assert_eq!(
            (
                endpoint.scheme(),
                endpoint.host(),
                endpoint.port(),
                endpoint.path()
            ),
            (scheme, host, port, path)
        );
    }
}

#[test]
fn an_address_in_brackets_is_whole_and_nothing_but_a_port_stands_behind_it() {
    assert_eq!(split_port("[::1]"), Some(("::1", None)));
    assert_eq!(split_port("[::1]:65535"), Some(("::1", Some(65_535))));
    for wrong in [
        "[::1]x", "[::1]80", "[::1]:", "[::1]:0", "[::1", "[::1]]", "[a]", "[]",
    ] {
        assert_eq!(split_port(wrong), None, "{wrong}");
    }
}

#[test]
fn a_host_has_1_to_253_characters() {
    let of = |length: usize| "h".repeat(length);
    assert_eq!(split_port(&of(253)), Some((of(253).as_str(), None)));
    assert_eq!((split_port(&of(254)), split_port(":80")), (None, None));
}

/// Every text of up to `most` of these pieces.
fn texts(pieces: &[&str], most: usize) -> Vec<String> {
    let mut all = alloc::vec![String::new()];
    let mut from = 0;
    for _ in 0..most {
        let before = all[from..].to_vec();
        from = all.len();
        for text in before {
            all.extend(pieces.iter().map(|piece| [text.as_str(), piece].concat()));
        }
    }
    all
}

#[test]
fn addresses_are_told_apart_as_the_library_does() {
    let library = |text: &str| text.parse::<core::net::Ipv6Addr>().is_ok();
    let mut addresses = 0;
    let pieces = [
        "0",
        ":",
        "::",
        "f00d",
        "12345",
        "g",
        ".",
        "1.2.3.4",
        "255",
        ":1:2:3:4:5",
        "%1",
    ];
    for text in texts(&pieces, 5) {
        assert_eq!(is_v6(&text), library(&text), "{text}");
        addresses += usize::from(library(&text));
    }
    assert!(addresses > 500, "{addresses}");
    let pieces = [
        "0", "1.", "01.", "255.", "256.", "00.", ".", "255", "9999.", "a",
    ];
    for text in texts(&pieces, 5) {
        assert_eq!(
            is_v4(&text),
            text.parse::<core::net::Ipv4Addr>().is_ok(),
            "{text}"
        );
    }
    // As many groups as there can be, with the two colons at each place.
    for groups in 0..=9 {
        for gap in 0..=groups {
            for last in ["1", "1.2.3.4"] {
                let mut all: Vec<&str> = alloc::vec!["ab"; groups];
                if let Some(end) = all.last_mut() {
                    *end = last;
                }
                let with_gap = alloc::format!("{}::{}", all[..gap].join(":"), all[gap..].join(":"));
                for text in [all.join(":"), with_gap] {
                    assert_eq!(is_v6(&text), library(&text), "{text}");
                }
            }
        }
    }
}
