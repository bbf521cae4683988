//! Text from outside, made safe to show: escaped, bounded, without credentials.

use alloc::string::{String, ToString};
use core::fmt::{self, Write};

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
        // Escaping never shortens, so a bounded prefix is enough to look at: a 1 MB value costs nothing.
        let prefix: String = self.0.chars().take(4 * SEEN_MAX).collect();
        let cut_short = prefix.len() < self.0.len();
        let safe = printable(&without_userinfo(&prefix, cut_short));
        f.write_char('"')?;
        if cut_short || safe.chars().count() > SEEN_MAX {
            for c in safe.chars().take(SEEN_MAX.saturating_sub(3)) {
                f.write_char(c)?;
            }
            f.write_str("...")?;
        } else {
            f.write_str(&safe)?;
        }
        f.write_char('"')
    }
}

/// Replaces the user information of every `scheme://user:password@host` in `text` by `***`.
///
/// What runs up to the last `@` before the next `://` counts as user information: people put `/`,
/// `#` and `,` into passwords unescaped. With `truncated`, the rest of the text does too: its `@`
/// may stand behind the cut.
fn without_userinfo(text: &str, truncated: bool) -> String {
    let mut parts = text.split("://").peekable();
    let mut shown = String::from(parts.next().unwrap_or_default());
    while let Some(part) = parts.next() {
        shown.push_str("://");
        let host = part.rfind('@').and_then(|at| part.get(at..));
        match host {
            _ if truncated && parts.peek().is_none() => shown.push_str("***"),
            Some(host) => {
                shown.push_str("***");
                shown.push_str(host);
            }
            None => shown.push_str(part),
        }
    }
    shown
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
        match c {
            '\\' | '\'' | '"' => shown.push(c),
            _ => shown.extend(c.escape_default()),
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
mod tests {
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
    fn the_host_behind_a_long_password_is_shown_up_to_256_characters() {
        let url = |length: usize| format!("http://u:{}@host/", "p".repeat(length));
        assert_eq!(Seen(&url(241)).to_string(), r#""http://***@host/""#);
        assert_eq!(Seen(&url(242)).to_string(), r#""http://***...""#);
    }
}
