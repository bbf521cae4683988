//! Files a user writes, read into one tree before anything is made of them.
//!
//! A tree keeps what typed readers lose: every member of an object, a repeated one too, and in the
//! order of the file. So a reader can report every problem of a file at once, and no rule is lost
//! because its key stands twice. TOML, JSON or any other format that serde reads becomes a tree.

mod fields;
mod json;
mod nearest;
mod tree;

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub(crate) use fields::{Fields, add_name, unknown};
pub(crate) use json::read as read_json;
pub(crate) use nearest::meant;
pub use nearest::nearest;
pub(crate) use tree::WithoutFractions;

use crate::text::{
    Message, SEEN_MAX, beginning, count, digits, list, listed, message, number, printable,
};

/// A value of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number, as its text: no rule of this crate needs one that is not whole, or greater.
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
        serde_json::from_str(text).map_err(|why| Self::no_json(&why.to_string()))
    }

    /// What is wrong with text that is no JSON, as one line: for whoever has read it with another reader, and
    /// what that one said.
    pub fn no_json(why: &str) -> String {
        let why = printable(why);
        message!("is no JSON: {}", beginning(&why, 200).0).text()
    }

    /// A number as JSON writes it.
    ///
    /// ```
    /// use halcyon_core::document::Document;
    /// assert_eq!(Document::of_number("-7"), Document::Integer(-7));
    /// assert_eq!(Document::of_number("1e300"), Document::Fraction("1e300".into()));
    /// ```
    pub fn of_number(text: &str) -> Self {
        let (negative, absolute) = match text.strip_prefix('-') {
            Some(absolute) => (true, absolute),
            None => (false, text),
        };
        match digits(absolute).and_then(|number| i64::try_from(number).ok()) {
            None => Document::Fraction(String::from(text)),
            Some(number) if negative => Document::Integer(number.saturating_neg()),
            Some(number) => Document::Integer(number),
        }
    }

    /// Whether it is a whole number, and greater.
    pub(crate) fn is_greater_than(&self, number: u64) -> bool {
        match self {
            Document::Integer(found) => u64::try_from(*found).is_ok_and(|found| found > number),
            // Whole, and with more than 63 bits.
            Document::Fraction(text) => {
                digits(text).is_some_and(|found| i64::try_from(found).is_err() && found > number)
            }
            _ => false,
        }
    }

    /// What kind of value it is, with the value where that is short: at most 66 characters of ASCII.
    pub fn seen(&self) -> String {
        match self {
            Document::Null => "null".to_owned(),
            Document::Bool(true) => "true".to_owned(),
            Document::Bool(false) => "false".to_owned(),
            Document::Integer(value) => {
                let sign = if *value < 0 { "-" } else { "" };
                message!("{}{}", sign, &number(value.unsigned_abs())).text()
            }
            // Digits need no quotes, and a number such as 1e308 has more of them than anybody reads.
            Document::Fraction(text) if text.len() <= SEEN_MAX => printable(text),
            Document::Fraction(text) | Document::Text(text) => message!("{?}", text).text(),
            Document::List(items) => message!("a list of {}", &count(items.len())).text(),
            Document::Object(members) => message!("an object of {}", &count(members.len())).text(),
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
        let found = count(problems.len());
        message!(
            "has {} problems up to here; nothing behind them was looked at",
            &found
        )
        .say(problems);
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
            message!(
                " is {}; allowed: an object with {}",
                &document.seen(),
                &listed(known)
            )
            .say_behind(place, problems);
            return None;
        };
        let mut this = Self {
            place: place.to_owned(),
            members,
            problems,
        };
        // Every member is compared with those before it, and no object of a file has many.
        if members.len() > MEMBERS_MAX {
            let found = count(members.len());
            this.problem(message!("has {} keys; allowed: {}", &found, &listed(known)));
        }
        for (index, (name, _)) in members.iter().take(MEMBERS_MAX).enumerate() {
            let mut before = members.iter().take(index);
            if before.any(|(other, _)| other == name) {
                this.problem(message!("has {?} twice; allowed: each key once", name));
            } else if !known.contains(&name.as_str()) {
                let mut names = known.iter();
                this.problem(message!(
                    "has the unknown key {?}; {}allowed: {}",
                    name,
                    &meant(name, &mut || names.next().copied()),
                    &listed(known)
                ));
            }
        }
        Some(this)
    }

    /// Reports a problem of this object.
    #[inline(always)]
    pub(crate) fn problem(&mut self, what: Message<'_>) {
        what.say_at(&self.place, self.problems);
    }

    /// Reports what a member must not be, and what it may.
    pub(crate) fn wrong(&mut self, name: &str, value: &Document, allowed: &str) {
        let seen = value.seen();
        self.problem(message!(
            "has \"{}\" = {}; allowed: {}",
            name,
            &seen,
            allowed
        ));
    }

    /// Reports why `what` of it is wrong.
    pub(crate) fn wrong_text(&mut self, what: &str, why: &str) {
        self.problem(message!("has a wrong {}: {}", what, why));
    }

    /// A member, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&'d Document> {
        let mut members = self.members.iter();
        let (_, value) = members.find(|(known, _)| known == name)?;
        Some(value)
    }

    /// A member that must be there.
    pub(crate) fn needed(&mut self, name: &str) -> Option<&'d Document> {
        let value = self.get(name);
        if value.is_none() {
            self.problem(message!("has no \"{}\", which it must have", name));
        }
        value
    }

    /// A member that must be there and be text.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'d str> {
        self.needed(name)?;
        self.text_if_any(name)
    }

    /// A member that is text if it is there.
    pub(crate) fn text_if_any(&mut self, name: &str) -> Option<&'d str> {
        match self.get(name)? {
            Document::Text(text) => Some(text),
            other => {
                self.wrong(name, other, "text");
                None
            }
        }
    }

    /// A member that is a list if it is there; without it, an empty one.
    pub(crate) fn list_if_any(&mut self, name: &str) -> &'d [Document] {
        match self.get(name) {
            None => &[],
            Some(_) => self.list(name).unwrap_or_default(),
        }
    }

    /// A member that must be there and be a list.
    pub(crate) fn list(&mut self, name: &str) -> Option<&'d [Document]> {
        match self.needed(name)? {
            Document::List(items) => Some(items),
            other => {
                self.wrong(name, other, "a list");
                None
            }
        }
    }

    /// A member that must be there and be one of a few names.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        all: &[T],
        name_of: fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text(name)?;
        let mut names = String::new();
        for known in all {
            if name_of(*known) == text {
                return Some(*known);
            }
            list(name_of(*known), &mut names);
        }
        self.problem(message!(
            "has \"{}\" = {?}; allowed: {}",
            name,
            text,
            &names
        ));
        None
    }

    /// A member that must be there and be a whole number from `least` to `most`; `least`, where it is not.
    pub(crate) fn whole(&mut self, name: &str, least: u64, most: u64) -> u64 {
        let Some(seen) = self.needed(name) else {
            return least;
        };
        if let Document::Integer(found) = seen
            && let Ok(found) = u64::try_from(*found)
            && (least..=most).contains(&found)
        {
            return found;
        }
        let mut allowed = number(least);
        if least != most {
            allowed = message!("whole numbers from {} to {}", &allowed, &number(most)).text();
        }
        self.wrong(name, seen, &allowed);
        least
    }
}

#[cfg(test)]
mod tests;
