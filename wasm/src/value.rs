//! A value of JavaScript as bytes, and back to a tree.
//!
//! A tag, then what belongs to it; numbers are little-endian, a *text* is its length in bytes (4 bytes) and
//! the bytes, UTF-8. `js/edge/value.js` writes it.
//!
//! | tag | value |
//! |---|---|
//! | 0 | null |
//! | 1, 2 | false, true |
//! | 3 | a number: its text |
//! | 4 | text |
//! | 5 | a list: how many (4 bytes), the items |
//! | 6 | an object: how many (4 bytes), for each member its name (text) and the value |

use alloc::string::String;
use alloc::vec::Vec;

use halcyon_core::document::Document;

/// How deep lists and objects may stand in each other, as for JSON text.
const DEPTH_MAX: u8 = 127;

/// The tree in `bytes`. `None` where they are not exactly one value.
pub fn read(bytes: &[u8]) -> Option<Document> {
    let mut reader = Reader(bytes);
    let value = reader.value(DEPTH_MAX)?;
    reader.0.is_empty().then_some(value)
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn value(&mut self, depth: u8) -> Option<Document> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match tag {
            0 => Document::Null,
            1 => Document::Bool(false),
            2 => Document::Bool(true),
            3 => Document::of_number(self.text()?),
            4 => Document::Text(String::from(self.text()?)),
            5 => {
                let mut items = Vec::new();
                for _ in 0..self.count()? {
                    items.push(self.value(depth.checked_sub(1)?)?);
                }
                Document::List(items)
            }
            6 => {
                let mut members = Vec::new();
                for _ in 0..self.count()? {
                    let name = String::from(self.text()?);
                    members.push((name, self.value(depth.checked_sub(1)?)?));
                }
                Document::Object(members)
            }
            _ => return None,
        })
    }

    fn count(&mut self) -> Option<u32> {
        let (count, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*count))
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = usize::try_from(self.count()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap();
        [&length.to_le_bytes(), text.as_bytes()].concat()
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let mut bytes = vec![6, 4, 0, 0, 0];
        bytes.extend([&text("a")[..], &[5, 3, 0, 0, 0, 0, 1, 2]].concat());
        bytes.extend([&text("n")[..], &[3], &text("9007199254740991")].concat());
        bytes.extend([&text("f")[..], &[3], &text("1e+300")].concat());
        bytes.extend([&text("ü")[..], &[4], &text("€")].concat());
        let members = [
            (
                "a",
                Document::List(vec![
                    Document::Null,
                    Document::Bool(false),
                    Document::Bool(true),
                ]),
            ),
            ("n", Document::Integer(9_007_199_254_740_991)),
            ("f", Document::Fraction("1e+300".into())),
            ("ü", Document::Text("€".into())),
        ];
        let members = members.map(|(name, value)| (String::from(name), value));
        assert_eq!(read(&bytes), Some(Document::Object(members.into())));
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), None, "{length}");
        }
        bytes.push(0);
        assert_eq!(read(&bytes), None);
    }

    #[test]
    fn too_deep_too_long_and_not_utf8_are_no_value() {
        let nested = |depth: usize| {
            let lists = core::iter::repeat_n([5_u8, 1, 0, 0, 0], depth);
            let mut bytes: Vec<u8> = lists.flatten().collect();
            bytes.push(0);
            read(&bytes)
        };
        assert!(nested(127).is_some());
        assert!(nested(128).is_none());
        assert_eq!(read(&[5, 255, 255, 255, 255]), None);
        assert_eq!(read(&[4, 255, 255, 255, 255, b'a']), None);
        assert_eq!(read(&[4, 1, 0, 0, 0, 0xff]), None);
        assert_eq!(read(&[7]), None);
    }
}
