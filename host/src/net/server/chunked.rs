//! Where a chunked body ends (RFC 9112, 7.1), without keeping any of it.

use super::limits::{Bodies, Limits};
use super::refusal::Refusal;

/// The most bytes of sizes, extensions and trailers in one body. Without a bound, a body of one-byte
/// chunks would cost far more than its own length.
const OVERHEAD_MAX: u64 = 64 * 1024;

/// The most bytes of extensions in one body.
const EXTENSIONS_MAX: u64 = 16 * 1024;

const BAD: Refusal = Refusal::Malformed("the chunked body is malformed");
const LONG_EXTENSIONS: Refusal = Refusal::Malformed("the chunks' extensions are too long");
const BAD_TRAILERS: Refusal = Refusal::Malformed("the chunked body's trailer fields are malformed");
const LONG_TRAILERS: Refusal =
    Refusal::Malformed("the chunked body has more trailer fields than are taken");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A size, with so many digits read.
    Size(u32),
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataLineEnd,
    /// The beginning of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
}

/// Follows one chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    part: Part,
    /// Bytes of the current chunk that are still to come.
    left: u64,
    data: u64,
    overhead: u64,
    extensions: u64,
    /// The trailer fields so far, which are bounded and judged as those of a head are.
    trailers: Vec<u8>,
    limits: Limits,
}

impl Chunked {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            part: Part::Size(0),
            left: 0,
            data: 0,
            overhead: 0,
            extensions: 0,
            trailers: Vec::new(),
            limits: *limits,
        }
    }

    /// Follows `bytes`; answers how many belong to this body and whether it has ended.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.part == Part::Data {
                let here = (bytes.len() - at).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                at += here;
                self.left -= here as u64;
                if self.left == 0 {
                    self.part = Part::DataEnd;
                }
                continue;
            }
            at += 1;
            self.overhead += 1;
            if self.overhead > OVERHEAD_MAX.saturating_add(self.earned()) {
                return Err(BAD);
            }
            if self.step(*byte)? {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// A body of any length needs more of them the longer it gets: at most five for each byte of data, a digit
    /// and two line ends, where every chunk has one byte, as senders do that pass on what they are given.
    fn earned(&self) -> u64 {
        match self.limits.bodies {
            Bodies::Dropped => 0,
            Bodies::Streamed => self.data.saturating_mul(5),
        }
    }

    fn step(&mut self, byte: u8) -> Result<bool, Refusal> {
        self.part = match (self.part, byte) {
            (Part::Size(digits), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < 15 => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.left = self.left * 16 + u64::from(digit);
                Part::Size(digits + 1)
            }
            (Part::Size(1..), b';') => Part::Extension,
            (Part::Size(1..) | Part::Extension, b'\r') => Part::SizeEnd,
            (Part::Extension, b'\n') => return Err(BAD),
            (Part::Extension, _) => {
                self.extensions += 1;
                if self.extensions > EXTENSIONS_MAX {
                    return Err(LONG_EXTENSIONS);
                }
                Part::Extension
            }
            (Part::SizeEnd, b'\n') if self.left == 0 => Part::TrailerStart,
            (Part::SizeEnd, b'\n') => {
                self.data = self.data.saturating_add(self.left);
                if self.data > self.limits.body_bytes {
                    return Err(Refusal::BodyTooLarge);
                }
                Part::Data
            }
            (Part::DataEnd, b'\r') => Part::DataLineEnd,
            (Part::DataLineEnd, b'\n') => Part::Size(0),
            (Part::TrailerStart, b'\r') => Part::LastEnd,
            (Part::TrailerStart | Part::Trailer, b'\n') => return Err(BAD),
            (Part::Trailer, b'\r') => Part::TrailerEnd,
            (Part::TrailerStart | Part::Trailer, _) => Part::Trailer,
            (Part::TrailerEnd, b'\n') => Part::TrailerStart,
            (Part::LastEnd, b'\n') => {
                self.judge_trailers()?;
                return Ok(true);
            }
            _ => return Err(BAD),
        };
        if matches!(
            self.part,
            Part::Trailer | Part::TrailerEnd | Part::TrailerStart
        ) {
            self.keep_trailer(byte)?;
        }
        Ok(false)
    }

    fn keep_trailer(&mut self, byte: u8) -> Result<(), Refusal> {
        // The line end of the last chunk's size comes by here too.
        if self.trailers.is_empty() && byte == b'\n' {
            return Ok(());
        }
        if self.trailers.len() >= self.limits.head_bytes {
            return Err(LONG_TRAILERS);
        }
        self.trailers.push(byte);
        Ok(())
    }

    fn judge_trailers(&mut self) -> Result<(), Refusal> {
        if self.trailers.is_empty() {
            return Ok(());
        }
        self.trailers.extend_from_slice(b"\r\n");
        let mut fields = vec![httparse::EMPTY_HEADER; self.limits.headers];
        match httparse::parse_headers(&self.trailers, &mut fields) {
            Ok(httparse::Status::Complete(_)) => Ok(()),
            Err(httparse::Error::TooManyHeaders) => Err(LONG_TRAILERS),
            Ok(httparse::Status::Partial) | Err(_) => Err(BAD_TRAILERS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(body: &str, step: usize) -> Result<Option<usize>, Refusal> {
        let mut chunked = Chunked::new(&Limits {
            body_bytes: 16,
            ..Limits::default()
        });
        let mut total = 0;
        for piece in body.as_bytes().chunks(step) {
            let (used, ended) = chunked.feed(piece)?;
            total += used;
            if ended {
                return Ok(Some(total));
            }
        }
        Ok(None)
    }

    #[test]
    fn the_end_is_found_however_the_bytes_are_cut() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
            "00001\r\nx\r\n0;e\r\n\r\n",
        ] {
            let with_next = format!("{body}GET / HTTP/1.1\r\n");
            for step in 1..with_next.len() {
                assert_eq!(
                    end(&with_next, step),
                    Ok(Some(body.len())),
                    "{body:?} in steps of {step}"
                );
            }
            assert_eq!(end(&body[..body.len() - 1], 1), Ok(None));
        }
    }

    #[test]
    fn what_another_parser_might_read_otherwise_is_refused() {
        for body in [
            "\r\n",
            ";x\r\n",
            "g\r\n",
            "5\nhello\r\n",
            "1\r\nxx\r\n",
            "1\r\nx\n0\r\n\r\n",
            "1 \r\nx\r\n",
            "-1\r\n",
            "0x1\r\n",
            "1;a\nb\r\n",
            "0\r\n\n",
            "0\r\nT: v\n\r\n",
            "0\r\n\rX",
            "1000000000000000\r\n",
        ] {
            assert_eq!(end(body, 1), Err(BAD), "{body:?}");
        }
    }

    #[test]
    fn data_and_everything_around_it_are_bounded() {
        assert_eq!(end("11\r\n", 1), Err(Refusal::BodyTooLarge));
        assert_eq!(
            end("9\r\n123456789\r\n8\r\n", 1),
            Err(Refusal::BodyTooLarge)
        );
        let extended = |length: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(length));
        assert!(matches!(end(&extended(16_384), 1000), Ok(Some(_))));
        assert_eq!(end(&extended(16_385), 1000), Err(LONG_EXTENSIONS));
        let often = "1;x\r\nx\r\n".repeat(16);
        assert!(matches!(end(&format!("{often}0\r\n\r\n"), 7), Ok(Some(_))));
        assert_eq!(end(&format!("{}1\r\n", "0".repeat(70_000)), 1000), Err(BAD));
    }

    #[test]
    fn a_streamed_body_may_come_a_byte_at_a_time_and_still_not_in_leading_zeros() {
        let streamed = |body: &str| {
            let limits = Limits {
                body_bytes: u64::MAX,
                bodies: Bodies::Streamed,
                ..Limits::default()
            };
            let fed = Chunked::new(&limits).feed(body.as_bytes());
            fed.map(|(used, ended)| (used == body.len(), ended))
        };
        let bytes = "1\r\nx\r\n".repeat(100_000);
        assert_eq!(streamed(&format!("{bytes}0\r\n\r\n")), Ok((true, true)));
        let zeros = "00000000000001\r\nx\r\n".repeat(10_000);
        assert_eq!(streamed(&zeros), Err(BAD));
    }

    #[test]
    fn trailer_fields_are_judged_as_those_of_a_head() {
        let with =
            |trailers: &str| end(&format!("0\r\n{trailers}\r\n"), 3).map(|end| end.is_some());
        assert_eq!(with("T: v\r\nU:\r\n"), Ok(true));
        assert_eq!(with(&"T: v\r\n".repeat(64)), Ok(true));
        assert_eq!(with(&"T: v\r\n".repeat(65)), Err(LONG_TRAILERS));
        let long = |length: usize| with(&format!("T: {}\r\n", "v".repeat(length - 5)));
        assert_eq!(long(16_384), Ok(true));
        assert_eq!(long(16_385), Err(LONG_TRAILERS));
        for bad in [
            "bad trailer line\r\n",
            ": v\r\n",
            "T : v\r\n",
            "T: \0\r\n",
            "A: b\r\n c\r\n",
        ] {
            assert_eq!(with(bad), Err(BAD_TRAILERS), "{bad:?}");
        }
    }
}
