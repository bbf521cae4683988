//! Files that variables name, read once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, PoisonError};

use halcyon_core::document::Document;
use halcyon_core::text::printable;

/// No file of rules or of regions is longer: 16 MiB hold some 200,000 rules.
const BYTES_MAX: u64 = 16 << 20;

/// The files read so far. Each is read once, so that everything a process decides rests on one content.
#[derive(Debug, Default)]
pub struct Documents(Mutex<BTreeMap<String, Result<Document, String>>>);

impl Documents {
    /// The content of the file at `path`: TOML for the topology, JSON for everything else.
    ///
    /// # Errors
    /// Why it cannot be read, as one line without the path.
    pub fn read(&self, variable: &str, path: &str) -> Result<Document, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{variable} {path}");
        known
            .entry(key)
            .or_insert_with(|| {
                let text = text(path)?;
                match variable {
                    "HALCYON_TOPOLOGY" => toml(&text),
                    _ => Document::from_json(&text),
                }
            })
            .clone()
    }
}

/// The content of a TOML file as it is now, not as it was when it was first read.
///
/// # Errors
/// As [`Documents::read`].
pub(crate) fn read_toml(path: &str) -> Result<Document, String> {
    text(path).and_then(|text| toml(&text))
}

/// Reads TOML.
///
/// # Errors
/// What is wrong and where, as one line.
pub(crate) fn toml(text: &str) -> Result<Document, String> {
    let mut document = parse_toml(text)?;
    say_dates(&mut document);
    Ok(document)
}

/// What the library hands a date on as: an object with one member of this name.
const DATE: &str = "$__toml_private_datetime";

/// Dates are text, as they are in JSON.
fn say_dates(document: &mut Document) {
    match document {
        Document::List(items) => items.iter_mut().for_each(say_dates),
        Document::Object(members) => {
            if let [(name, Document::Text(date))] = &members[..]
                && name == DATE
            {
                *document = Document::Text(date.clone());
            } else {
                members.iter_mut().for_each(|(_, value)| say_dates(value));
            }
        }
        _ => {}
    }
}

/// The text of a regular file of at most 16 MiB.
pub(crate) fn text(path: &str) -> Result<String, String> {
    let io = |why: std::io::Error| format!("cannot be read: {why}");
    // A FIFO would keep the process waiting for its other end.
    let flags = rustix::fs::OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err("is no regular file; allowed: one of at most 16 MiB".to_owned());
    }
    let too_long = || format!("is longer than {BYTES_MAX} bytes");
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(too_long());
    }
    // An editor put it there unseen, and JSON's readers choke on it at a place where nothing is to be seen.
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err("begins with a byte order mark; allowed: UTF-8 without one".to_owned());
    }
    String::from_utf8(bytes).map_err(|why| {
        format!(
            "is no UTF-8 from byte {} on",
            why.utf8_error().valid_up_to()
        )
    })
}

fn parse_toml(text: &str) -> Result<Document, String> {
    toml::from_str(text).map_err(|why: toml::de::Error| {
        let before = why
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let what = printable(why.message().lines().next().unwrap_or_default());
        let what: String = what.chars().take(200).collect();
        format!("is no TOML: {what} at line {line} column {column}")
    })
}
