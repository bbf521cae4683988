//! Files a user writes, read into one tree before anything is made of them.
//!
//! A tree keeps what typed readers lose: every member of an object, a repeated one too, and in the
//! order of the file. So a reader can report every problem of a file at once, and no rule is lost
//! because its key stands twice. TOML, JSON or any other format that serde reads becomes a tree.

mod nearest;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

pub use nearest::nearest;

use crate::text::{SEEN_MAX, Seen, printable};

/// A value of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A number that is not whole, as its text: no rule of this crate needs one.
    Fraction(String),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Document>),
    /// Members in the order of the file; a name may occur twice.
    Object(Vec<(String, Document)>),
}

impl Document {
    /// Reads JSON.
    ///
    /// ```
    /// use halcyon_core::document::Document;
    /// let Document::Object(members) = Document::from_json(r#"{"a":1,"a":2}"#).unwrap() else { panic!() };
    /// assert_eq!(members.len(), 2, "nothing is lost");
    /// assert!(Document::from_json("{").unwrap_err().contains("line 1 column 1"));
    /// ```
    ///
    /// # Errors
    /// What is wrong and where, as one line.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|why| {
            let why: String = printable(&why.to_string()).chars().take(200).collect();
            format!("is no JSON: {why}")
        })
    }

    /// What kind of value it is, with the value where that is short: at most 66 characters of ASCII.
    pub fn seen(&self) -> String {
        match self {
            Document::Null => "null".to_owned(),
            Document::Bool(value) => value.to_string(),
            Document::Integer(value) => value.to_string(),
            // Digits need no quotes, and a number such as 1e308 has more of them than anybody reads.
            Document::Fraction(text) if text.len() <= SEEN_MAX => printable(text),
            Document::Fraction(text) => Seen(text).to_string(),
            Document::Text(text) => Seen(text).to_string(),
            Document::List(items) => format!("a list of {}", items.len()),
            Document::Object(members) => format!("an object of {}", members.len()),
        }
    }
}

/// So many problems of a file are enough: nothing behind them is looked at.
const PROBLEMS_MAX: usize = 100;

/// Whether nothing more of a file needs to be looked at.
pub(crate) fn enough(problems: &[String]) -> bool {
    problems.len() >= PROBLEMS_MAX
}

/// Says that not everything was looked at, where that is so.
pub(crate) fn say_if_enough(problems: &mut Vec<String>) {
    if enough(problems) {
        problems.push(format!(
            "has {} problems up to here; nothing behind them was looked at",
            problems.len()
        ));
    }
}

/// How many members of an object are looked at.
const MEMBERS_MAX: usize = 64;

/// Reads the members of one object and reports what is wrong with them, all of it.
pub(crate) struct Members<'d, 'p> {
    place: String,
    members: &'d [(String, Document)],
    problems: &'p mut Vec<String>,
}

impl<'d, 'p> Members<'d, 'p> {
    /// The members of `document`, which stands at `place` of its file; members that are not `known`,
    /// or that occur twice, are problems. `None` where it is no object.
    pub(crate) fn of(
        document: &'d Document,
        place: &str,
        known: &[&str],
        problems: &'p mut Vec<String>,
    ) -> Option<Self> {
        let Document::Object(members) = document else {
            problems.push(format!(
                "{place} is {}; allowed: an object with {}",
                document.seen(),
                known.join(", ")
            ));
            return None;
        };
        // Every member is compared with those before it, and no object of a file has many.
        if members.len() > MEMBERS_MAX {
            problems.push(format!(
                "{place} has {} keys; allowed: {}",
                members.len(),
                known.join(", ")
            ));
        }
        for (index, (name, _)) in members.iter().take(MEMBERS_MAX).enumerate() {
            let before = members.iter().take(index);
            if before.clone().any(|(other, _)| other == name) {
                problems.push(format!(
                    "{place} has {} twice; allowed: each key once",
                    Seen(name)
                ));
            } else if !known.contains(&name.as_str()) {
                let meant = nearest(name, known.iter().copied())
                    .map(|meant| format!("did you mean \"{meant}\"? "))
                    .unwrap_or_default();
                problems.push(format!(
                    "{place} has the unknown key {}; {meant}allowed: {}",
                    Seen(name),
                    known.join(", ")
                ));
            }
        }
        Some(Self {
            place: place.to_owned(),
            members,
            problems,
        })
    }

    /// Reports a problem of this object.
    pub(crate) fn problem(&mut self, what: impl fmt::Display) {
        self.problems.push(format!("{} {what}", self.place));
    }

    /// A member, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&'d Document> {
        let mut members = self.members.iter();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// A member that must be there and be text.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'d str> {
        match self.get(name) {
            None => {
                self.problem(format_args!("has no \"{name}\", which it must have"));
                None
            }
            Some(_) => self.text_if_any(name),
        }
    }

    /// A member that is text if it is there.
    pub(crate) fn text_if_any(&mut self, name: &str) -> Option<&'d str> {
        match self.get(name)? {
            Document::Text(text) => Some(text),
            other => {
                self.problem(format_args!(
                    "has \"{name}\" = {}; allowed: text",
                    other.seen()
                ));
                None
            }
        }
    }

    /// A member that is a list if it is there; without it, an empty one.
    pub(crate) fn list_if_any(&mut self, name: &str) -> &'d [Document] {
        match self.get(name) {
            None => &[],
            Some(Document::List(items)) => items,
            Some(other) => {
                self.problem(format_args!(
                    "has \"{name}\" = {}; allowed: a list",
                    other.seen()
                ));
                &[]
            }
        }
    }

    /// A member that must be there and be a list.
    pub(crate) fn list(&mut self, name: &str) -> Option<&'d [Document]> {
        if self.get(name).is_none() {
            self.problem(format_args!("has no \"{name}\", which it must have"));
            return None;
        }
        match self.get(name) {
            Some(Document::List(items)) => Some(items),
            _ => {
                self.list_if_any(name);
                None
            }
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Document, E> {
        Ok(Document::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Document, E> {
        Ok(Document::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Document, E> {
        Ok(Document::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Document, E> {
        Ok(Document::Fraction(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Document, E> {
        Ok(Document::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Document, E> {
        Ok(Document::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Document, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Document::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Document, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Document::Object(object))
    }
}

#[cfg(test)]
mod tests;
