//! What a program wrote, read back: the first thing wrong with it ends the reading.

use alloc::string::String;

use super::Document;
use crate::text::{digits, message, number};

/// The members of an object. What is wrong is said in the words of serde, whose derived readers have a copy
/// of all this for every type: that was a quarter of a page's module.
///
/// What cannot be read is as if it were empty, and the first problem is noted: one way through the reading of
/// a record, and not one for each of its members.
pub(crate) struct Fields<'d, 'w> {
    members: &'d [(String, Document)],
    wrong: &'w mut Option<String>,
}

impl<'d, 'w> Fields<'d, 'w> {
    /// Those of a value, which is to be `what`; the first problem goes to `wrong`.
    pub(crate) fn of(value: &'d Document, what: &str, wrong: &'w mut Option<String>) -> Self {
        let mut this = Self {
            members: &[],
            wrong,
        };
        match value {
            Document::Object(members) => this.members = members,
            other => this.is_no(other, what),
        }
        this
    }

    /// The first problem.
    pub(crate) fn wrong(&mut self) -> &mut Option<String> {
        self.wrong
    }

    /// Notes what is wrong, where nothing was before.
    pub(crate) fn note(&mut self, why: String) {
        self.wrong.get_or_insert(why);
    }

    /// What was read, or nothing with what is wrong noted.
    pub(crate) fn ok<T>(&mut self, read: Result<T, String>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(why) => {
                self.note(why);
                None
            }
        }
    }

    /// Notes that a value is of another kind than is expected.
    pub(crate) fn is_no(&mut self, value: &Document, expected: &str) {
        let seen = kind(value);
        self.note(message!("invalid type: {}, expected {}", &seen, expected).text());
    }

    /// A member, if it is there.
    pub(crate) fn if_any(&mut self, name: &str) -> Option<&'d Document> {
        let mut found = None;
        for (known, value) in self.members {
            if known == name {
                if found.is_some() {
                    self.note(message!("duplicate field `{}`", name).text());
                }
                found = Some(value);
            }
        }
        found
    }

    /// A member, if it is there and not null.
    pub(crate) fn value_if_any(&mut self, name: &str) -> Option<&'d Document> {
        let value = self.if_any(name);
        value.filter(|value| **value != Document::Null)
    }

    /// A member that must be there.
    pub(crate) fn needed(&mut self, name: &str) -> &'d Document {
        match self.if_any(name) {
            Some(value) => value,
            None => {
                self.note(message!("missing field `{}`", name).text());
                &Document::Null
            }
        }
    }

    /// A member that must be text.
    pub(crate) fn text(&mut self, name: &str) -> &'d str {
        let value = self.needed(name);
        self.text_of(value)
    }

    /// The same, to keep.
    pub(crate) fn string(&mut self, name: &str) -> String {
        String::from(self.text(name))
    }

    /// A member that is text if it is there and not null.
    pub(crate) fn text_if_any(&mut self, name: &str) -> Option<&'d str> {
        let value = self.value_if_any(name)?;
        Some(self.text_of(value))
    }

    /// The same, to keep.
    pub(crate) fn string_if_any(&mut self, name: &str) -> Option<String> {
        self.text_if_any(name).map(String::from)
    }

    fn text_of(&mut self, value: &'d Document) -> &'d str {
        match value {
            Document::Text(text) => text,
            other => {
                self.is_no(other, "a string");
                ""
            }
        }
    }

    /// A member that must be a whole number.
    pub(crate) fn whole(&mut self, name: &str) -> u64 {
        let value = self.needed(name);
        self.whole_of(value)
    }

    /// A member that is a whole number if it is there and not null.
    pub(crate) fn whole_if_any(&mut self, name: &str) -> Option<u64> {
        let value = self.value_if_any(name)?;
        Some(self.whole_of(value))
    }

    fn whole_of(&mut self, value: &Document) -> u64 {
        let found = match value {
            Document::Integer(found) => u64::try_from(*found).ok(),
            Document::Fraction(text) => digits(text),
            _ => None,
        };
        if found.is_none() {
            match value {
                Document::Integer(_) => {
                    let seen = kind(value);
                    self.note(message!("invalid value: {}, expected u64", &seen).text());
                }
                other => self.is_no(other, "u64"),
            }
        }
        found.unwrap_or(0)
    }

    /// A member that must be true or false; false where it is not there.
    pub(crate) fn flag_if_any(&mut self, name: &str) -> bool {
        match self.if_any(name) {
            None | Some(Document::Bool(false)) => false,
            Some(Document::Bool(true)) => true,
            Some(other) => {
                self.is_no(other, "a boolean");
                false
            }
        }
    }

    /// A member that must be a list.
    pub(crate) fn list(&mut self, name: &str) -> &'d [Document] {
        match self.needed(name) {
            Document::List(items) => items,
            other => {
                self.is_no(other, "a sequence");
                &[]
            }
        }
    }

    /// A member that must be one of a few names.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        all: &[T],
        name_of: fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text(name);
        let mut names = String::new();
        for known in all {
            if name_of(*known) == text {
                return Some(*known);
            }
            add_name(name_of(*known), &mut names);
        }
        self.note(unknown(text, &names));
        None
    }
}

/// What to say of a name that is none of `names`.
pub(crate) fn unknown(name: &str, names: &str) -> String {
    message!("unknown variant `{}`, expected one of {}", name, names).text()
}

/// Adds a name to those that [`unknown`] lists.
pub(crate) fn add_name(name: &str, names: &mut String) {
    let comma = if names.is_empty() { "" } else { ", " };
    message!("{}`{}`", comma, name).add_to(names);
}

/// A value as serde shows it.
fn kind(value: &Document) -> String {
    match value {
        Document::Null => String::from("null"),
        Document::Bool(value) => {
            let value = if *value { "true" } else { "false" };
            message!("boolean `{}`", value).text()
        }
        Document::Integer(_) => message!("integer `{}`", &value.seen()).text(),
        Document::Fraction(text) => match digits(text) {
            Some(found) => message!("integer `{}`", &number(found)).text(),
            None => String::from("floating point"),
        },
        Document::Text(text) => message!("string \"{}\"", text).text(),
        Document::List(_) => String::from("sequence"),
        Document::Object(_) => String::from("map"),
    }
}
