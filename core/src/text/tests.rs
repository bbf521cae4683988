use super::*;
use alloc::format;

#[test]
fn a_long_value_is_cut_to_64_characters() {
    let shown = Seen(&"x".repeat(1_000_000)).to_string();
    assert_eq!(shown.len(), SEEN_MAX + 2);
    assert!(shown.ends_with("...\""));
    assert_eq!(
        Seen(&"y".repeat(64)).to_string(),
        format!("\"{}\"", "y".repeat(64))
    );
}

#[test]
fn what_a_terminal_would_execute_or_hide_is_escaped() {
    assert_eq!(Seen("a\u{1b}[2Jb").to_string(), r#""a\u{1b}[2Jb""#);
    assert_eq!(Seen("us-e\u{430}st").to_string(), r#""us-e\u{430}st""#);
    assert_eq!(
        Seen("a\0\r\n\u{feff}").to_string(),
        r#""a\u{0}\r\n\u{feff}""#
    );
    assert_eq!(
        for_screen("Zoë\u{9b}31m\u{202e}\u{200b}"),
        r"Zoë\u{9b}31m\u{202e}\u{200b}"
    );
}

#[test]
fn credentials_in_a_url_are_never_shown() {
    for url in [
        "https://joe:s3cret@host/x",
        "db=http://s3cret@h,b=http://ok/",
        "a=http://x:s3cret@@host",
        "http://joe:1/s3cret@host",
        "http://joe:1,s3cret#?s3cret s3cret@host/x",
    ] {
        let shown = Seen(url).to_string();
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("***@"), "{shown}");
    }
    let long = format!("http://u:{}@host/", "s3cret".repeat(200));
    assert!(!Seen(&long).to_string().contains("s3cret"));
}

#[test]
fn json_becomes_one_ascii_line_of_the_same_meaning() {
    let text = "a\u{2028}b\u{9b}c\u{1f426}\u{7f}ü\u{202e}";
    let json = serde_json::to_string(text).unwrap();
    let ascii = ascii_json(&json);
    assert!(ascii.bytes().all(|b| (0x20..0x7f).contains(&b)), "{ascii}");
    assert_eq!(serde_json::from_str::<String>(&ascii).unwrap(), text);
}

#[test]
fn quotes_and_backslashes_are_shown_as_they_are() {
    let text = r#"it's "a\b""#;
    assert_eq!(printable(text), text);
    assert_eq!(for_screen(text), text);
    assert_eq!(printable("a\tü"), r"a\t\u{fc}");
}

#[test]
fn every_character_is_escaped_as_the_library_does() {
    let mut text = String::new();
    for c in '\0'..=char::MAX {
        text.clear();
        text.push(c);
        let library = match c {
            '\\' | '\'' | '"' => text.clone(),
            _ => c.escape_default().to_string(),
        };
        assert_eq!(printable(&text), library);
    }
}

#[test]
fn digits_are_read_as_the_library_does() {
    for text in [
        "0",
        "007",
        "65535",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        assert_eq!(digits(text), text.parse().ok(), "{text}");
    }
    for text in ["", "-1", "+1", " 1", "1_0", "\u{661}"] {
        assert_eq!(digits(text), None, "{text}");
    }
}

#[test]
fn texts_are_cut_and_trimmed_as_the_library_does() {
    for text in [
        "",
        " ",
        "a",
        " a ",
        "\t a\tb \t",
        "a=b=c",
        "=",
        "ü=ü",
        "://",
        "a://b://c",
        ":/",
        "a:/b://ü",
        "\u{a0}a\u{a0}",
        "\na\n",
        "üüü",
    ] {
        assert_eq!(cut(text, b'='), text.split_once('='));
        let from_last_is = text.rfind('=').and_then(|at| text.get(at..));
        assert_eq!(from_last(text, b'='), from_last_is);
        assert_eq!(trim(text), text.trim_matches([' ', '\t']));
        let whole = (text, None);
        let at_authority = text.split_once("://");
        let at_authority = at_authority.map_or(whole, |(before, behind)| (before, Some(behind)));
        assert_eq!(before_authority(text), at_authority);
        for length in 0..5 {
            let first: String = text.chars().take(length).collect();
            let (found, rest) = beginning(text, length);
            assert_eq!((found, [found, rest].concat().as_str()), (&*first, text));
        }
    }
}

#[test]
fn the_host_behind_a_long_password_is_shown_up_to_256_characters() {
    let url = |length: usize| format!("http://u:{}@host/", "p".repeat(length));
    assert_eq!(Seen(&url(241)).to_string(), r#""http://***@host/""#);
    assert_eq!(Seen(&url(242)).to_string(), r#""http://***...""#);
}
