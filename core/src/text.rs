//! Text from outside, made safe to show: escaped, bounded, without credentials.

mod message;

use alloc::string::{String, ToString};
use core::fmt::{self, Write};

pub use message::number;
pub(crate) use message::{Message, count, hex, hex_of, list, listed, message, with_holes};

/// How many characters of a value an error message shows at most.
pub const SEEN_MAX: usize = 64;

/// A value as an error message shows it: in quotes, everything but printable ASCII escaped,
/// user information in URLs replaced by `***`, at most [`SEEN_MAX`] characters.
///
/// Escaping all of non-ASCII is deliberate: a Cyrillic `а` in a region name looks right on a
/// terminal and is the reason for the error.
///
/// ```
/// use halcyon_core::text::Seen;
/// assert_eq!(Seen("us\u{202e}east").to_string(), r#""us\u{202e}east""#);
/// assert_eq!(Seen("http://joe:secret@db/").to_string(), r#""http://***@db/""#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a>(pub &'a str);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::new();
        see(self.0, &mut shown);
        f.write_str(&shown)
    }
}

/// Adds `text` as [`Seen`] shows it.
#[inline(never)]
pub(crate) fn see(text: &str, shown: &mut String) {
    // Escaping never shortens, so a bounded prefix is enough to look at: a 1 MB value costs nothing.
    let (prefix, rest) = beginning(text, 4 * SEEN_MAX);
    let safe = printable(&without_userinfo(prefix, !rest.is_empty()));
    shown.push('"');
    if rest.is_empty() && safe.len() <= SEEN_MAX {
        shown.push_str(&safe);
    } else {
        shown.push_str(beginning(&safe, SEEN_MAX - 3).0);
        shown.push_str("...");
    }
    shown.push('"');
}

/// The first characters of `text`, so many at most, and the rest.
pub fn beginning(text: &str, characters: usize) -> (&str, &str) {
    let mut rest = text.chars();
    for _ in 0..characters {
        rest.next();
    }
    let rest = rest.as_str();
    let length = text.len().saturating_sub(rest.len());
    text.split_at_checked(length).unwrap_or((text, ""))
}

/// Replaces the user information of every `scheme://user:password@host` in `text` by `***`.
///
/// What runs up to the last `@` before the next `://` counts as user information: people put `/`,
/// `#` and `,` into passwords unescaped. With `truncated`, the rest of the text does too: its `@`
/// may stand behind the cut.
///
/// ```
/// use halcyon_core::text::without_userinfo;
/// let said = "cannot reach https://bob:s3cret@git.test/ now";
/// assert_eq!(without_userinfo(said, false), "cannot reach https://***@git.test/ now");
/// ```
pub fn without_userinfo(text: &str, truncated: bool) -> String {
    let mut shown = String::new();
    let (mut part, mut rest) = before_authority(text);
    shown.push_str(part);
    while let Some(behind) = rest {
        shown.push_str("://");
        (part, rest) = before_authority(behind);
        if truncated && rest.is_none() {
            shown.push_str("***");
        } else if let Some(host) = from_last(part, b'@') {
            shown.push_str("***");
            shown.push_str(host);
        } else {
            shown.push_str(part);
        }
    }
    shown
}

/// What stands before the first `://`, and what behind it.
pub(crate) fn before_authority(text: &str) -> (&str, Option<&str>) {
    let mut place = 0_usize;
    for three in text.as_bytes().windows(3) {
        if three == b"://" {
            let before = text.get(..place).unwrap_or_default();
            return (before, text.get(place.saturating_add(3)..));
        }
        place = place.saturating_add(1);
    }
    (text, None)
}

/// Whether all of a text is of one kind of byte.
pub(crate) fn is_all(text: &str, of: fn(u8) -> bool) -> bool {
    for byte in text.bytes() {
        if !of(byte) {
            return false;
        }
    }
    true
}

/// What stands before and behind the first `byte`, an ASCII character.
pub(crate) fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let place = place_of(text, byte)?;
    Some((text.get(..place)?, text.get(place.saturating_add(1)..)?))
}

/// Where the first `byte` is.
fn place_of(text: &str, byte: u8) -> Option<usize> {
    let mut place = 0_usize;
    for known in text.bytes() {
        if known == byte {
            return Some(place);
        }
        place = place.saturating_add(1);
    }
    None
}

/// What stands from the last `byte` on, an ASCII character.
pub(crate) fn from_last(text: &str, byte: u8) -> Option<&str> {
    let mut last = None;
    let mut rest = text;
    while let Some((before, behind)) = cut(rest, byte) {
        last = rest.get(before.len()..);
        rest = behind;
    }
    last
}

/// `text` without the ASCII blanks around it.
pub(crate) fn trim(text: &str) -> &str {
    let mut text = text;
    while let [b' ' | b'\t', ..] = text.as_bytes() {
        text = text.get(1..).unwrap_or_default();
    }
    while let [.., b' ' | b'\t'] = text.as_bytes() {
        text = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    }
    text
}

/// A number from its decimal digits. `None` where there are none, others, or too many for 64 bits.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let mut number = 0_u64;
    for byte in text.bytes() {
        let digit = byte.is_ascii_digit().then_some(byte & 0x0f)?;
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    (!text.is_empty()).then_some(number)
}

/// One copy of what a character takes to be added.
#[inline(never)]
pub(crate) fn add_char(c: char, text: &mut String) {
    text.push(c);
}

/// `text` with everything but printable ASCII escaped as Rust does (`\n`, `\u{1b}`), so that a
/// terminal shows it and executes nothing.
///
/// ```
/// use halcyon_core::text::printable;
/// assert_eq!(printable("a\u{1b}[2J"), r"a\u{1b}[2J");
/// ```
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let escaped = match c {
            ' '..='~' => {
                add_char(c, &mut shown);
                continue;
            }
            '\t' => "\\t",
            '\r' => "\\r",
            '\n' => "\\n",
            _ => "\\u{",
        };
        shown.push_str(escaped);
        if escaped.len() > 2 {
            let code = u32::from(c);
            let digits = 8_u32.saturating_sub(code.leading_zeros() / 4).max(1);
            for place in (0..digits).rev() {
                let digit = code >> place.saturating_mul(4) & 0xf;
                add_char(char::from_digit(digit, 16).unwrap_or('0'), &mut shown);
            }
            add_char('}', &mut shown);
        }
    }
    shown
}

/// `text` for a person's screen: letters of every script stay, control characters and invisible or
/// direction-changing ones are escaped.
///
/// ```
/// use halcyon_core::text::for_screen;
/// assert_eq!(for_screen("Zoë\u{202e}"), r"Zoë\u{202e}");
/// ```
pub fn for_screen(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// JSON text with every character outside printable ASCII written as `\uXXXX`.
///
/// Those characters can only stand inside strings, so the meaning stays the same; a line stays one
/// line for every reader (U+2028), and a terminal executes nothing (C1 controls, bidi marks).
///
/// ```
/// use halcyon_core::text::ascii_json;
/// assert_eq!(ascii_json("{\"tenant\":\"Zoë\"}"), r#"{"tenant":"Zo\u00eb"}"#);
/// ```
pub fn ascii_json(json: &str) -> String {
    if json.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return json.to_string();
    }
    let mut ascii = String::with_capacity(json.len().saturating_add(json.len() / 4));
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            ascii.push(c);
            continue;
        }
        let mut units = [0_u16; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a String cannot fail.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii
}

/// A value as one line of ASCII JSON: what `-o json` prints.
///
/// ```
/// use halcyon_core::text::json;
/// assert_eq!(json(&["Zoë"]), r#"["Zo\u00eb"]"#);
/// ```
pub fn json(value: &impl serde::Serialize) -> String {
    // Fails only for maps whose keys are no strings, which nothing here has.
    ascii_json(&serde_json::to_string(value).unwrap_or_default())
}

#[cfg(test)]
mod tests;
