//! What a client sends on one connection, and what of it hyper gets to see.

use halcyon::net::server::{Framing, Limits, Refusal};

use super::http::{self, Length};

/// What hyper gets instead of a refused request: its number says so, not what it says.
const STAND_INS: [&[u8]; 2] = [
    b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n",
];

/// Every request that passes is one that nobody can read differently, its body ends where the RFC has it,
/// hyper takes it as it stands, and it does not matter how the bytes were cut.
///
/// # Panics
/// When a law does not hold.
pub fn http_head(sent: &[u8]) {
    let narrow = Limits {
        head_bytes: 300,
        headers: 6,
        body_bytes: 64,
        ..Limits::default()
    };
    for limits in [Limits::default(), narrow] {
        let whole = Outcome::of(sent, sent.len().max(1), limits);
        for step in [1, 2, 7, 64] {
            assert_eq!(Outcome::of(sent, step, limits), whole, "in steps of {step}");
        }
        let expected = whole.check(sent, &limits);
        let read = http::as_hyper_reads(&whole.passed, &limits);
        assert_eq!(
            read, expected,
            "hyper reads other requests than were passed"
        );
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    passed: Vec<u8>,
    heads: u64,
    refused: Option<(u64, Refusal)>,
    broken: Option<Refusal>,
    in_body: bool,
    mid_request: bool,
    over: bool,
    surplus: bool,
}

impl Outcome {
    fn of(sent: &[u8], step: usize, limits: Limits) -> Self {
        let mut framing = Framing::new(limits);
        let mut passed = Vec::new();
        for piece in sent.chunks(step) {
            framing.feed(piece);
            while framing.has_passed() {
                passed.extend_from_slice(framing.take(step));
            }
        }
        Self {
            passed,
            heads: framing.heads(),
            refused: framing.refused(),
            broken: framing.broken(),
            in_body: framing.in_body(),
            mid_request: framing.mid_request(),
            over: framing.over(),
            surplus: framing.surplus(),
        }
    }

    /// Goes through what was sent by the plain reader, and answers with the bodies hyper must see.
    fn check(&self, sent: &[u8], limits: &Limits) -> Vec<Vec<u8>> {
        let mut rest = sent;
        let mut passed = Vec::new();
        let mut bodies = Vec::new();
        let accepted = self.heads - u64::from(self.refused.is_some());
        for number in 1..=accepted {
            rest = without_empty_lines(rest);
            let end = http::head_end(rest).expect("a head that passes has an end");
            let head = http::head(&rest[..end], limits);
            let head = head
                .unwrap_or_else(|why| panic!("passed although {why}: {:?}", shown(&rest[..end])));
            passed.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
            let last = number == self.heads;
            let whole = match head.length {
                Length::Known(length) => {
                    let here = length.min(rest.len());
                    passed.extend_from_slice(&rest[..here]);
                    let body = rest[..here].to_vec();
                    rest = &rest[here..];
                    (here == length).then_some(body)
                }
                Length::Chunked if last && (self.broken.is_some() || self.in_body) => None,
                Length::Chunked => {
                    let end = http::chunks_end(rest).expect("a body that ended has an end");
                    passed.extend_from_slice(b"0\r\n\r\n");
                    rest = &rest[end..];
                    Some(Vec::new())
                }
            };
            assert_eq!(
                whole.is_none(),
                last && (self.broken.is_some() || self.in_body)
            );
            bodies.extend(whole);
            assert!(last || !head.last, "a request behind the last one");
            if last && self.refused.is_none() {
                let over = self.broken.is_some() || (head.last && !self.in_body);
                assert_eq!(self.over, over);
                assert_eq!(
                    self.surplus,
                    self.broken.is_some() || (over && !rest.is_empty())
                );
            }
        }
        if let Some((number, why)) = self.refused {
            assert_eq!(number, self.heads);
            assert!(self.over && why.status().is_client_error());
            let rest = without_empty_lines(rest);
            let head = http::head_end(rest).map(|end| &rest[..end]);
            assert!(
                head.is_none_or(|head| !http::is_plain(head, limits)),
                "refused, {why:?}: {:?}",
                shown(rest)
            );
            let stand_in = STAND_INS[usize::from(rest.starts_with(b"HEAD "))];
            passed.extend_from_slice(stand_in);
            bodies.push(Vec::new());
        } else if self.mid_request && !self.in_body {
            let waiting = without_empty_lines(rest);
            assert!(
                http::head_end(waiting).is_none(),
                "a whole head is waited for: {:?}",
                shown(waiting)
            );
        }
        assert_eq!(
            shown(&self.passed),
            shown(&passed),
            "other bytes passed than were accepted"
        );
        bodies
    }
}

/// Empty lines before a request are to be ignored (RFC 9112, 2.2).
fn without_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    bytes
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
