//! JSON that a program wrote, as a tree: bytes in, and where they are no JSON, what is wrong and where.
//!
//! It takes what serde_json takes, and says of all else what that one says: its tables, of powers of ten and of
//! digits, are more than all of this, and a page needs nothing else of it. A number that is not whole has no
//! text here, as no program wrote one.

mod number;

use alloc::string::String;
use alloc::vec::Vec;

use super::Document;
use crate::text::{count, message};

/// How deep lists and objects may stand in each other.
const DEPTH_MAX: u8 = 127;

const END_OF_LIST: &str = "EOF while parsing a list";
const END_OF_OBJECT: &str = "EOF while parsing an object";
const END_OF_TEXT: &str = "EOF while parsing a string";
const END_OF_VALUE: &str = "EOF while parsing a value";
const NO_ESCAPE: &str = "invalid escape";
const NO_KEY: &str = "key must be a string";
const COMMA_AT_END: &str = "trailing comma";
const HALF_A_PAIR: &str = "lone leading surrogate in hex escape";
const NO_SECOND_HALF: &str = "unexpected end of hex escape";

/// The one value in `json`.
///
/// # Errors
/// What is wrong, and the line and the column.
pub(crate) fn read(json: &[u8]) -> Result<Document, String> {
    let mut reader = Reader {
        json,
        at: 0,
        wrong: Wrong::default(),
    };
    match reader.whole() {
        Some(value) => Ok(value),
        None => Err(reader.wrong.text(json)),
    }
}

struct Reader<'j> {
    json: &'j [u8],
    at: usize,
    wrong: Wrong,
}

/// What is wrong.
#[derive(Default)]
struct Wrong {
    why: &'static str,
    /// Up to here it was read.
    at: usize,
    /// How many columns before that it is.
    before: usize,
}

impl Wrong {
    fn text(&self, json: &[u8]) -> String {
        let (mut line, mut column) = (1_usize, 0_usize);
        for byte in json.iter().take(self.at) {
            column = column.saturating_add(1);
            if *byte == b'\n' {
                line = line.saturating_add(1);
                column = 0;
            }
        }
        let column = count(column.saturating_sub(self.before));
        message!("{} at line {} column {}", self.why, &count(line), &column).text()
    }
}

impl Reader<'_> {
    /// Notes what is wrong with the byte that was read last.
    fn no<T>(&mut self, why: &'static str) -> Option<T> {
        self.note(why, self.at);
        None
    }

    /// Notes what is wrong with the byte that comes next.
    fn not_next<T>(&mut self, why: &'static str) -> Option<T> {
        self.note(why, self.at.saturating_add(1));
        None
    }

    #[inline(never)]
    fn note(&mut self, why: &'static str, at: usize) {
        self.wrong.why = why;
        self.wrong.at = at;
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn skip(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    #[inline(never)]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.skip();
        Some(byte)
    }

    /// The byte behind blanks, which stays where it is.
    #[inline(never)]
    fn behind_blanks(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.skip();
        }
        self.peek()
    }

    fn whole(&mut self) -> Option<Document> {
        let value = self.value(DEPTH_MAX)?;
        match self.behind_blanks() {
            None => Some(value),
            Some(_) => self.not_next("trailing characters"),
        }
    }

    fn value(&mut self, depth: u8) -> Option<Document> {
        let Some(first) = self.behind_blanks() else {
            return self.not_next(END_OF_VALUE);
        };
        Some(match first {
            b'n' => self.word("null", Document::Null)?,
            b't' => self.word("true", Document::Bool(true))?,
            b'f' => self.word("false", Document::Bool(false))?,
            b'-' => {
                self.skip();
                self.number(true)?
            }
            b'0'..=b'9' => self.number(false)?,
            b'"' => Document::Text(self.text()?),
            b'[' | b'{' => {
                let Some(depth) = depth.checked_sub(1) else {
                    return self.not_next("recursion limit exceeded");
                };
                self.skip();
                match first {
                    b'[' => self.list(depth)?,
                    _ => self.object(depth)?,
                }
            }
            _ => return self.not_next("expected value"),
        })
    }

    fn word(&mut self, word: &str, value: Document) -> Option<Document> {
        for expected in word.bytes() {
            match self.next() {
                None => return self.no(END_OF_VALUE),
                Some(found) if found != expected => return self.no("expected ident"),
                Some(_) => {}
            }
        }
        Some(value)
    }

    fn list(&mut self, depth: u8) -> Option<Document> {
        let mut items = Vec::new();
        loop {
            match self.behind_blanks() {
                None => return self.not_next(END_OF_LIST),
                Some(b']') => {
                    self.skip();
                    return Some(Document::List(items));
                }
                Some(_) if items.is_empty() => {}
                Some(b',') => {
                    self.skip();
                    if self.behind_blanks() == Some(b']') {
                        return self.not_next(COMMA_AT_END);
                    }
                }
                Some(_) => return self.not_next("expected `,` or `]`"),
            }
            items.push(self.value(depth)?);
        }
    }

    fn object(&mut self, depth: u8) -> Option<Document> {
        let mut members = Vec::new();
        loop {
            let mut next = self.behind_blanks();
            match next {
                None => return self.not_next(END_OF_OBJECT),
                Some(b'}') => {
                    self.skip();
                    return Some(Document::Object(members));
                }
                Some(_) if members.is_empty() => {}
                Some(b',') => {
                    self.skip();
                    next = self.behind_blanks();
                }
                Some(_) => return self.not_next("expected `,` or `}`"),
            }
            match next {
                Some(b'"') => {}
                Some(b'}') => return self.not_next(COMMA_AT_END),
                Some(_) => return self.not_next(NO_KEY),
                None => return self.not_next(END_OF_VALUE),
            }
            let name = self.text()?;
            match self.behind_blanks() {
                Some(b':') => self.skip(),
                Some(_) => return self.not_next("expected `:`"),
                None => return self.not_next(END_OF_OBJECT),
            }
            members.push((name, self.value(depth)?));
        }
    }

    fn text(&mut self) -> Option<String> {
        self.skip();
        let mut bytes = Vec::new();
        loop {
            let rest = self.json.get(self.at..).unwrap_or_default();
            let mut plain = rest.iter();
            let end = plain.position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'));
            let plain = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
            bytes.extend_from_slice(plain);
            self.at = self.at.saturating_add(plain.len());
            match self.next() {
                None => return self.no(END_OF_TEXT),
                Some(b'"') => break,
                Some(b'\\') => {
                    let escaped = self.escaped()?;
                    let mut room = [0; 4];
                    bytes.extend_from_slice(escaped.encode_utf8(&mut room).as_bytes());
                }
                Some(0..0x20) => {
                    let why = "control character (\\u0000-\\u001F) found while parsing a string";
                    return self.no(why);
                }
                Some(_) => {}
            }
        }
        match core::str::from_utf8(&bytes) {
            Ok(text) => Some(String::from(text)),
            Err(why) => {
                self.wrong.before = bytes.len().saturating_sub(why.valid_up_to());
                self.no("invalid unicode code point")
            }
        }
    }

    /// The character that stands behind a `\`.
    fn escaped(&mut self) -> Option<char> {
        Some(match self.next() {
            None => return self.no(END_OF_TEXT),
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut code = self.four_digits()?;
                if let Some(high @ ..0x400) = code.checked_sub(0xd800) {
                    for expected in *b"\\u" {
                        match self.next() {
                            None => return self.no(END_OF_TEXT),
                            Some(found) if found != expected => return self.no(NO_SECOND_HALF),
                            Some(_) => {}
                        }
                    }
                    let low = self.four_digits()?.checked_sub(0xdc00);
                    let Some(low @ ..0x400) = low else {
                        return self.no(HALF_A_PAIR);
                    };
                    code = (high << 10 | low).saturating_add(0x10000);
                }
                match char::from_u32(code) {
                    Some(character) => character,
                    None => return self.no(HALF_A_PAIR),
                }
            }
            Some(_) => return self.no(NO_ESCAPE),
        })
    }

    fn four_digits(&mut self) -> Option<u32> {
        let end = self.at.saturating_add(4);
        let Some(digits) = self.json.get(self.at..end) else {
            self.at = self.json.len();
            return self.no(END_OF_TEXT);
        };
        self.at = end;
        let mut code = 0;
        for digit in digits {
            match char::from(*digit).to_digit(16) {
                Some(digit) => code = code << 4 | digit,
                None => return self.no(NO_ESCAPE),
            }
        }
        Some(code)
    }
}

#[cfg(test)]
mod tests;
