use super::*;

const GET: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
const CHUNKS: &str =
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
/// What of `CHUNKS` passes: the body's end.
const NO_BODY: &str = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
const LAST: &str = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const SMUGGLED: &str =
    "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What a connection passes on, with its bytes cut into pieces of `step`.
fn follow(sent: &str, step: usize) -> (String, Framing) {
    let mut framing = Framing::new(Limits::default());
    let mut passed = Vec::new();
    for piece in sent.as_bytes().chunks(step) {
        framing.feed(piece, |_| false);
        passed.extend_from_slice(framing.take(usize::MAX));
    }
    (String::from_utf8(passed).unwrap(), framing)
}

#[test]
fn good_requests_pass_unchanged_however_the_bytes_are_cut() {
    let sent = [GET, POST, GET, CHUNKS, POST, GET].concat();
    let expected = [GET, POST, GET, NO_BODY, POST, GET].concat();
    for step in 1..sent.len() {
        let (passed, framing) = follow(&sent, step);
        assert_eq!(passed, expected, "in steps of {step}");
        assert_eq!(
            (framing.heads(), framing.refused(), framing.mid_request()),
            (6, None, false)
        );
    }
}

#[test]
fn a_refused_request_is_found_behind_any_other_and_nothing_after_it_passes() {
    for before in ["", GET, POST, CHUNKS] {
        let sent = [before, SMUGGLED, GET].concat();
        for step in 1..sent.len() {
            let (passed, framing) = follow(&sent, step);
            let heads = 1 + u64::from(!before.is_empty());
            assert_eq!(
                framing.refused(),
                Some((heads, Refusal::TwoLengths)),
                "{before:?} in steps of {step}"
            );
            let before = before.replace(CHUNKS, NO_BODY);
            assert_eq!(passed.as_bytes(), [before.as_bytes(), STAND_IN].concat());
        }
    }
}

#[test]
fn nothing_after_the_last_request_passes() {
    let old = "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi";
    for last in [LAST, old] {
        for (after, surplus) in [("", false), (GET, true), ("BAD", true)] {
            let sent = [GET, last, after].concat();
            for step in 1..sent.len() {
                let (passed, framing) = follow(&sent, step);
                assert_eq!(passed, [GET, last].concat(), "in steps of {step}");
                assert!(framing.over());
                assert_eq!(framing.surplus(), surplus, "in steps of {step}");
                assert_eq!((framing.heads(), framing.refused()), (2, None));
            }
        }
    }
}

#[test]
fn a_refused_head_request_is_answered_as_one() {
    let (passed, _) = follow("HEAD / HTTP/1.1\r\nHost\r\n\r\n", 5);
    assert_eq!(passed.as_bytes(), HEAD_STAND_IN);
}

#[test]
fn a_head_is_held_back_until_it_is_whole() {
    let (passed, framing) = follow(&GET[..GET.len() - 1], 5);
    assert_eq!(
        (passed.as_str(), framing.heads(), framing.mid_request()),
        ("", 0, true)
    );
}

#[test]
fn what_is_not_http_is_refused_at_its_first_line() {
    for sent in [
        "GET /\r\n",
        "\x16\x03\x01",
        "\n",
        "GET / HTTP/1.1\n",
        "PRI * HTTP/2.0\r\n",
        "{\"json\"",
        "\0",
        " GET",
    ] {
        let (_, framing) = follow(sent, 1);
        assert!(
            matches!(framing.refused(), Some((1, Refusal::Malformed(_)))),
            "{sent:?}: {framing:?}"
        );
    }
}

#[test]
fn empty_lines_before_a_request_are_dropped() {
    for step in [1, 2, 3, 100] {
        let (passed, framing) = follow(&format!("\r\n\r\n{GET}"), step);
        assert_eq!((passed.as_str(), framing.heads()), (GET, 1));
    }
}

#[test]
fn a_head_may_have_16_kib_and_not_a_byte_more() {
    let frame = "GET / HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n";
    let head = |bytes: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
            "x".repeat(bytes - frame.len())
        )
    };
    for step in [1, 7, 100_000] {
        assert_eq!(follow(&head(16_384), step).1.heads(), 1);
        assert_eq!(follow(&head(16_384), step).1.refused(), None);
        assert_eq!(
            follow(&head(16_385), step).1.refused(),
            Some((1, Refusal::HeadTooLarge))
        );
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_536));
        assert_eq!(
            follow(&long, step).1.refused(),
            Some((1, Refusal::TargetTooLong))
        );
    }
}

#[test]
fn a_broken_chunk_ends_the_conversation() {
    let (_, framing) = follow(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n",
        3,
    );
    assert!(matches!(framing.broken(), Some(Refusal::Malformed(_))));
    assert_eq!(framing.heads(), 1);
}

#[test]
fn no_bytes_at_all_can_make_it_panic_or_keep_more_than_its_bounds() {
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap()
    };
    let parts = [
        "GET / HTTP/1.1",
        "\r\n",
        "\n",
        "\r",
        "Content-Length: ",
        "3",
        "Transfer-Encoding: chunked",
        "ffff",
        ";",
        "\0",
        ":",
        GET,
        CHUNKS,
        POST,
    ];
    for _ in 0..20_000 {
        let sent: String = (0..random() % 12)
            .map(|_| parts[random() % parts.len()])
            .collect();
        let (passed, framing) = follow(&sent, 1 + random() % 9);
        assert!(passed.len() <= sent.len() + STAND_IN.len());
        assert!(framing.head.len() <= framing.limits.head_bytes);
    }
}
