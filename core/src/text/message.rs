//! Messages, put together without the formatting machinery of the language.
//!
//! What `format!` needs besides (padding, precision, a function for each kind of value) is a tenth of an
//! edge's module, and every place that uses it is twice the code. So everything an edge may have to say is
//! a [`message!`](crate::text::message!).

use alloc::string::String;
use alloc::vec::Vec;

use super::{cut, see};

/// A template, and what goes into its holes in their order: `{}` takes a part as it is, `{?}` as
/// [`Seen`](super::Seen) shows it.
#[derive(Clone, Copy)]
pub(crate) struct Message<'m> {
    pub(crate) template: &'static str,
    pub(crate) parts: &'m [&'m str],
}

/// A [`Message`]: `message!("{?} is no status; allowed: {}", name, &names)`. A template with another
/// number of holes than there are parts does not compile.
macro_rules! message {
    ($template:literal $(, $part:expr)* $(,)?) => {
        $crate::text::Message {
            template: const { $crate::text::with_holes($template, <[&str]>::len(&[$(stringify!($part)),*])) },
            parts: &[$($part),*],
        }
    };
}
pub(crate) use message;

/// The template, which has to have so many holes.
pub(crate) const fn with_holes(template: &'static str, parts: usize) -> &'static str {
    let mut rest = template.as_bytes();
    let mut holes = 0_usize;
    while let [byte, behind @ ..] = rest {
        if *byte == b'{' {
            assert!(matches!(behind, [b'}', ..] | [b'?', b'}', ..]));
            holes = holes.saturating_add(1);
        }
        rest = behind;
    }
    assert!(holes == parts);
    template
}

// Always inlined: a message is then four numbers in a call, and nothing in memory.
impl Message<'_> {
    /// The message's text.
    #[inline(always)]
    pub(crate) fn text(self) -> String {
        text(self.template, self.parts)
    }

    /// Adds its text.
    #[inline(always)]
    pub(crate) fn add_to(self, text: &mut String) {
        add(self.template, self.parts, text);
    }

    /// Adds a line that says it right behind `subject`.
    #[inline(always)]
    pub(crate) fn say_behind(self, subject: &str, lines: &mut Vec<String>) {
        say(self.template, self.parts, subject, lines);
    }

    /// Adds a line that says it of a variable.
    #[inline(always)]
    pub(crate) fn say_of(self, variable: &str, lines: &mut Vec<String>) {
        say_of(self.template, self.parts, variable, lines);
    }

    /// Adds a line that says it of a place in a file.
    #[inline(always)]
    pub(crate) fn say_at(self, place: &str, lines: &mut Vec<String>) {
        say_at(self.template, self.parts, place, lines);
    }

    /// Adds a line.
    #[inline(always)]
    pub(crate) fn say(self, lines: &mut Vec<String>) {
        self.say_behind("", lines);
    }
}

#[inline(never)]
fn text(template: &str, parts: &[&str]) -> String {
    let mut text = String::new();
    add(template, parts, &mut text);
    text
}

#[inline(never)]
fn say(template: &str, parts: &[&str], subject: &str, lines: &mut Vec<String>) {
    let mut line = String::from(subject);
    add(template, parts, &mut line);
    lines.push(line);
}

#[inline(never)]
fn add(template: &str, parts: &[&str], text: &mut String) {
    let mut parts = parts.iter().copied();
    let mut rest = template;
    while let Some((before, hole)) = cut(rest, b'{') {
        text.push_str(before);
        let part = parts.next().unwrap_or_default();
        match cut(hole, b'}') {
            Some(("?", behind)) => {
                see(part, text);
                rest = behind;
            }
            Some((_, behind)) => {
                text.push_str(part);
                rest = behind;
            }
            None => return,
        }
    }
    text.push_str(rest);
}

/// A number in decimal digits.
pub fn number(number: u64) -> String {
    let mut digits = String::new();
    add_number(number, &mut digits);
    digits
}

/// The same of a length.
pub(crate) fn count(count: usize) -> String {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}

/// A number in 16 hex digits.
pub(crate) fn hex(number: u64) -> String {
    hex_of(&number.to_be_bytes())
}

/// Bytes in two hex digits each, lower-case.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            let letter = if digit < 10 { b'0' } else { b'a' - 10 };
            super::add_char(char::from(letter.saturating_add(digit)), &mut digits);
        }
    }
    digits
}

fn add_number(number: u64, digits: &mut String) {
    if number >= 10 {
        add_number(number.div_euclid(10), digits);
    }
    let digit = u8::try_from(number.rem_euclid(10)).unwrap_or_default();
    super::add_char(char::from(b'0' | digit), digits);
}

#[inline(never)]
fn say_of(template: &str, parts: &[&str], variable: &str, lines: &mut Vec<String>) {
    say(template, parts, &text("{}: ", &[variable]), lines);
}

#[inline(never)]
fn say_at(template: &str, parts: &[&str], place: &str, lines: &mut Vec<String>) {
    say(template, parts, &text("{} ", &[place]), lines);
}

/// Adds a name to a list of them, with a comma between.
#[inline(never)]
pub(crate) fn list(name: &str, names: &mut String) {
    if !names.is_empty() {
        names.push_str(", ");
    }
    names.push_str(name);
}

/// Names with a comma between.
pub(crate) fn listed(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        list(name, &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Seen;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_message_is_what_format_makes_of_the_same() {
        for part in ["", "a", "{}", "{?}", "us\u{202e}east", "http://u:p@h/…"] {
            assert_eq!(
                message!("…{}: {?}; allowed: {}", part, part, "b").text(),
                format!("…{part}: {}; allowed: b", Seen(part))
            );
            assert_eq!(message!("{}", part).text(), part);
            assert_eq!(message!("{?}", part).text(), Seen(part).to_string());
        }
        assert_eq!(message!("nothing").text(), "nothing");
        let mut lines = Vec::new();
        message!(" is {?}", "no").say_behind("this", &mut lines);
        message!("alone").say(&mut lines);
        assert_eq!(lines, [r#"this is "no""#, "alone"]);
    }

    #[test]
    fn numbers_have_the_librarys_digits() {
        for exponent in 0..64 {
            let power = 1_u64 << exponent;
            for n in [power - 1, power, power + 1] {
                assert_eq!(number(n), n.to_string());
            }
        }
        assert_eq!(number(u64::MAX), u64::MAX.to_string());
        for n in [0, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(hex(n), format!("{n:016x}"));
        }
        assert_eq!(count(0), "0");
    }

    #[test]
    fn names_are_joined_with_commas() {
        for names in [&[][..], &["a"], &["a", "b", "c"]] {
            assert_eq!(listed(names), names.join(", "));
        }
    }
}
