//! One request's head, judged at least as strictly as hyper does, so that hyper never has a reason
//! to answer by itself.

use std::mem::MaybeUninit;

use axum::http::{Method, Uri};

use super::limits::Limits;
use super::refusal::Refusal;

/// How a request's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// So many bytes; 0 without a body.
    Known(u64),
    /// Chunks.
    Chunked,
}

/// What a head says of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// How its body is delimited.
    pub(super) body: BodyLength,
    /// The connection closes after its answer.
    pub(super) last: bool,
    /// No field asks for more than the target's answer.
    pub(super) plain: bool,
}

/// Judges a request line, without its CRLF, before the rest of the head has arrived: a client that
/// speaks another protocol may never send an empty line.
pub(super) fn request_line(line: &[u8]) -> Result<(), Refusal> {
    match line.rsplit(|byte| *byte == b' ').next() {
        Some(b"HTTP/1.1" | b"HTTP/1.0") => Ok(()),
        Some(version) if version.starts_with(b"HTTP/") => Err(Refusal::Malformed(
            "only HTTP/1.1 and HTTP/1.0 are spoken here",
        )),
        _ => Err(Refusal::Malformed("the request line has no HTTP version")),
    }
}

/// Judges a whole head, the empty line included.
pub(super) fn parse(head: &[u8], limits: &Limits) -> Result<Head, Refusal> {
    // Most servers keep the usual limit: its fields need neither an allocation nor a beginning.
    let mut usual = [const { MaybeUninit::uninit() }; 64];
    let mut more = Vec::new();
    let fields = match usual.get_mut(..limits.headers) {
        Some(fields) => fields,
        None => {
            more.resize_with(limits.headers, MaybeUninit::uninit);
            more.as_mut_slice()
        }
    };
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, fields) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => {
            return Err(Refusal::Malformed(
                "the head does not end where its lines do",
            ));
        }
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooManyHeaders),
        Err(httparse::Error::HeaderName) => {
            return Err(Refusal::Malformed("a header field's name is malformed"));
        }
        Err(httparse::Error::HeaderValue) => {
            return Err(Refusal::Malformed("a header field's value is malformed"));
        }
        Err(_) => return Err(Refusal::Malformed("the request line is malformed")),
    }
    let method = request.method.unwrap_or_default();
    if Method::from_bytes(method.as_bytes()).is_err() {
        return Err(Refusal::Malformed("the method is malformed"));
    }
    if request.path.unwrap_or_default().parse::<Uri>().is_err() {
        return Err(Refusal::Malformed("the request target is malformed"));
    }
    let http_1_1 = request.version == Some(1);
    let body = body_length(request.headers, http_1_1, limits)?;
    one_host(request.headers, http_1_1)?;
    let asks_more = |field: &httparse::Header<'_>| {
        let more = ["content-length", "transfer-encoding", "expect", "upgrade"];
        more.iter()
            .any(|name| field.name.eq_ignore_ascii_case(name))
    };
    Ok(Head {
        body,
        last: is_last(request.headers, http_1_1),
        plain: http_1_1 && !request.headers.iter().any(asks_more),
    })
}

/// RFC 9112, 3.2: two parties must not take a request for two different hosts.
fn one_host(fields: &[httparse::Header<'_>], http_1_1: bool) -> Result<(), Refusal> {
    match (named(fields, "host").count(), http_1_1) {
        (1, _) | (0, false) => Ok(()),
        (0, true) => Err(Refusal::Malformed("a request of HTTP/1.1 has no Host")),
        _ => Err(Refusal::Malformed("the request has more than one Host")),
    }
}

/// Whether the client wants no further answer. Where the fields contradict each other it counts as
/// the last, as hyper may take it for that.
fn is_last(fields: &[httparse::Header<'_>], http_1_1: bool) -> bool {
    let has = |value: &[u8], option: &str| {
        let mut options = value.split(|byte| *byte == b',');
        options.any(|found| found.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    // hyper reads no option beside a byte that is not ASCII, so there nobody may rely on one.
    let keeps = |value: &[u8]| value.is_ascii() && has(value, "keep-alive");
    named(fields, "connection").any(|value| has(value, "close"))
        || !(http_1_1 || named(fields, "connection").any(keeps))
}

fn named<'a>(fields: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value)
}

fn body_length(
    fields: &[httparse::Header<'_>],
    http_1_1: bool,
    limits: &Limits,
) -> Result<BodyLength, Refusal> {
    let lengths: Vec<_> = named(fields, "content-length").collect();
    let encodings: Vec<_> = named(fields, "transfer-encoding").collect();
    if !lengths.is_empty() && !encodings.is_empty() {
        return Err(Refusal::TwoLengths);
    }
    if let Some((encoding, more)) = encodings.split_first() {
        return match http_1_1
            && more.is_empty()
            && encoding.trim_ascii().eq_ignore_ascii_case(b"chunked")
        {
            true => Ok(BodyLength::Chunked),
            false => Err(Refusal::Malformed(
                "the only Transfer-Encoding taken is chunked, in HTTP/1.1",
            )),
        };
    }
    let Some((length, more)) = lengths.split_first() else {
        return Ok(BodyLength::Known(0));
    };
    let length = length.trim_ascii();
    let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    if !digits || more.iter().any(|other| other.trim_ascii() != length) {
        return Err(Refusal::Malformed("Content-Length is no single number"));
    }
    // Digits only, so what does not parse is more than 64 bits hold.
    let length = std::str::from_utf8(length)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(u64::MAX);
    if length > limits.body_bytes {
        return Err(Refusal::BodyTooLarge);
    }
    Ok(BodyLength::Known(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(fields: &str) -> Result<BodyLength, Refusal> {
        parse(
            format!("GET /ready HTTP/1.1\r\nHost: x\r\n{fields}\r\n").as_bytes(),
            &Limits::default(),
        )
        .map(|head| head.body)
    }

    #[test]
    fn a_request_of_http_1_1_names_one_host() {
        let parse = |head: &str| parse(head.as_bytes(), &Limits::default());
        for bad in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        ] {
            assert!(matches!(parse(bad), Err(Refusal::Malformed(_))), "{bad:?}");
        }
        for good in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nhOST:\r\n\r\n"] {
            assert!(parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn the_last_request_of_a_connection_is_known() {
        for (version, fields, last) in [
            ("1.1", "", false),
            ("1.1", "Connection: keep-alive\r\n", false),
            ("1.1", "Connection: closed\r\n", false),
            ("1.1", "CONNECTION: x, Close\r\n", true),
            (
                "1.1",
                "Connection: close\r\nConnection: keep-alive\r\n",
                true,
            ),
            ("1.0", "", true),
            ("1.0", "Connection: Keep-Alive\r\n", false),
            ("1.0", "Connection: keep-alive, close\r\n", true),
            ("1.0", "Connection: \u{e9}, keep-alive\r\n", true),
            ("1.1", "Connection: \u{e9}, close\r\n", true),
        ] {
            let head = format!("GET / HTTP/{version}\r\nHost: x\r\n{fields}\r\n");
            let found = parse(head.as_bytes(), &Limits::default()).unwrap();
            assert_eq!(found.last, last, "{head:?}");
        }
    }

    #[test]
    fn a_body_has_a_length_or_chunks_or_is_not_there() {
        assert_eq!(judge(""), Ok(BodyLength::Known(0)));
        assert_eq!(
            judge("content-LENGTH:  65536 \r\n"),
            Ok(BodyLength::Known(65_536))
        );
        assert_eq!(
            judge("Content-Length: 5\r\nContent-Length: 5\r\n"),
            Ok(BodyLength::Known(5))
        );
        assert_eq!(
            judge("Transfer-Encoding: Chunked\r\n"),
            Ok(BodyLength::Chunked)
        );
    }

    #[test]
    fn two_lengths_are_refused_however_they_are_spelt() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "transfer-encoding:chunked\r\nX: y\r\nCONTENT-LENGTH:\t0\r\n",
            "Content-Length:\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: x\r\n",
        ] {
            assert_eq!(judge(fields), Err(Refusal::TwoLengths), "{fields:?}");
        }
    }

    #[test]
    fn a_length_that_two_parties_could_read_differently_is_refused() {
        for fields in [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length:\r\n",
            "Content-Length : 5\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: \x0bchunked\r\n",
            "X: a\r\n folded\r\n",
            "X: a\0b\r\n",
        ] {
            assert!(
                matches!(judge(fields), Err(Refusal::Malformed(_))),
                "{fields:?}"
            );
        }
        let old = b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(
            parse(old, &Limits::default()),
            Err(Refusal::Malformed(_))
        ));
    }

    #[test]
    fn bodies_and_fields_are_bounded() {
        for length in ["65537", "18446744073709551616", "99999999999999999999999"] {
            assert_eq!(
                judge(&format!("Content-Length: {length}\r\n")),
                Err(Refusal::BodyTooLarge)
            );
        }
        // Host is the first of them.
        assert_eq!(judge(&"X: y\r\n".repeat(63)), Ok(BodyLength::Known(0)));
        assert_eq!(judge(&"X: y\r\n".repeat(64)), Err(Refusal::TooManyHeaders));
    }

    #[test]
    fn only_http_1_is_spoken() {
        for good in ["GET / HTTP/1.1", "GET / HTTP/1.0"] {
            assert_eq!(request_line(good.as_bytes()), Ok(()));
        }
        for bad in [
            "GET /",
            "",
            "PRI * HTTP/2.0",
            "GET / HTTP/1.10",
            "GET / http/1.1",
            "GET / HTTP/1.1 ",
        ] {
            assert!(
                matches!(request_line(bad.as_bytes()), Err(Refusal::Malformed(_))),
                "{bad:?}"
            );
        }
    }
}
