//! Every form, and what is no id.

use super::*;
use alloc::string::ToString;
use alloc::vec;

fn asked<'r>(headers: &'r [&'r [u8]], host: &'r str, path: &'r str) -> Asked<'r> {
    Asked {
        headers,
        host,
        path,
    }
}

#[track_caller]
fn finds(from: &str, asked: Asked<'_>, expected: Result<Option<&str>, NoId>) {
    let found = TenantFrom::parse(from).unwrap().of(&asked);
    assert_eq!(found, expected.map(|id| id.map(Cow::Borrowed)), "{asked:?}");
}

#[test]
fn the_forms_are_read_back_as_they_are_shown() {
    for text in ["header:x-tenant", "host:.shop.example", "path:9"] {
        assert_eq!(TenantFrom::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(TenantFrom::default().to_string(), "header:x-tenant");
    assert_eq!(
        TenantFrom::parse("header:X-Tenant"),
        Ok(TenantFrom::default())
    );
}

#[test]
fn what_says_nowhere_is_refused_with_the_forms() {
    let long = alloc::format!("header:{}", "x".repeat(65));
    let domain = alloc::format!("host:.{}", "x".repeat(253));
    for bad in [
        "",
        "header",
        "header:",
        "header:a b",
        "header:a:b",
        "Header:x",
        "host:shop.example",
        "host:.",
        "host:.a..b",
        "host:.-a",
        "host:.a-",
        "path:0",
        "path:10",
        "path:",
        "path:x",
        "path:+1",
        "query:t",
        &long,
        &domain,
    ] {
        let why = TenantFrom::parse(bad).unwrap_err();
        assert!(
            why.contains("says nowhere; allowed: header:NAME, host:.DOMAIN"),
            "{bad}: {why}"
        );
    }
    let why = TenantFrom::parse("header:X-Halcyon-Region").unwrap_err();
    assert!(why.contains("clients may not send"), "{why}");
}

#[test]
fn a_header_has_one_id_of_printable_ascii() {
    let header = |values: &[&[u8]], expected| finds("header:t", asked(values, "", "/"), expected);
    header(&[], Ok(None));
    header(&[b""], Ok(None));
    header(&[b" \t"], Ok(None));
    header(&[b"acme"], Ok(Some("acme")));
    header(&[b" a b~ "], Ok(Some("a b~")));
    for bad in [&b"a,b"[..], b"Zo\xc3\xab", b"\xff", b"a\tb", b"a\x7f"] {
        header(&[bad], Err(NoId));
    }
    header(&[b"a", b"a"], Err(NoId));
    header(&[b"", b""], Err(NoId));
}

#[test]
fn a_host_has_one_label_before_the_domain() {
    let host = |host, expected| finds("host:.Shop.example", asked(&[], host, "/"), Ok(expected));
    for none in [
        "",
        "shop.example",
        ".shop.example",
        "a.b.shop.example",
        "acme.shop.example.org",
        "x",
        "é.example",
    ] {
        host(none, None);
    }
    for acme in [
        "acme.shop.example",
        "ACME.shop.EXAMPLE",
        "acme.shop.example.",
        "acme.shop.example:8080",
        "acme.shop.example.:1",
    ] {
        host(acme, Some("acme"));
    }
}

#[test]
fn a_path_has_segments_that_are_decoded_once() {
    let path = |path, expected| finds("path:2", asked(&[], "", path), expected);
    for none in ["/", "", "/t", "/t/", "//", "*", "/t//x"] {
        path(none, Ok(None));
    }
    path("/t/acme", Ok(Some("acme")));
    path("/t/acme/x", Ok(Some("acme")));
    path("/t/a%2Fb%2525", Ok(Some("a/b%25")));
    path("/t/Zo%C3%AB", Ok(Some("Zo\u{eb}")));
    for bad in ["/t/%", "/t/%4", "/t/%zz", "/t/%+1", "/t/%FF", "/t/a%C3"] {
        path(bad, Err(NoId));
    }
    for way in [
        "/t/../acme",
        "/./t/acme",
        "/t/acme/%2e%2E",
        "/t/acme/.%2e/x",
        "/t\\acme/b",
        "/t/..;x=y/acme",
    ] {
        path(way, Err(NoId));
    }
    path("/t/...", Ok(Some("...")));
}

#[test]
fn an_encoded_id_is_decoded_to_itself() {
    for id in [
        "acme",
        "a b",
        "Zo\u{eb}",
        "100%",
        "\u{1f426}",
        "a/b?c#d",
        "\n",
    ] {
        assert_eq!(decoded(&encoded(id)).unwrap(), id);
    }
    let all: Vec<char> = vec!['-', '_', '.', '!', '~', '*', '\'', '(', ')'];
    let plain: String = all.into_iter().collect();
    assert_eq!(encoded(&plain), plain);
}

#[test]
fn a_label_that_parsers_of_urls_read_otherwise_is_no_id() {
    for host in ["x%61.shop.example", "a,b.shop.example", "a b.shop.example"] {
        finds("host:.shop.example", asked(&[], host, "/"), Err(NoId));
    }
}
