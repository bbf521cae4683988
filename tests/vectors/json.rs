//! JSON that reads well as lines: members in the order they are given, a case a line, ASCII only.

use halcyon_core::text::ascii_json;

/// A text as JSON. ASCII, because an editor that normalises Unicode would change an id.
pub(crate) fn text(text: &str) -> String {
    ascii_json(&serde_json::to_string(text).unwrap())
}

/// Members as an object, in this order.
pub(crate) fn object<K: AsRef<str>>(members: &[(K, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", text(name.as_ref())))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Values as a list.
pub(crate) fn list(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(","))
}

/// Texts as a list.
pub(crate) fn texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    list(texts.into_iter().map(|value| text(value.as_ref())))
}

/// A number of 64 bits: as a JSON number it would lose digits in JavaScript.
pub(crate) fn hex(number: u64) -> String {
    text(&format!("{number:016x}"))
}

/// A file of vectors: what it is about, then lists of cases with what the cases of a list share.
pub(crate) struct File {
    about: &'static str,
    groups: Vec<String>,
}

impl File {
    pub(crate) fn new(about: &'static str) -> Self {
        Self {
            about,
            groups: Vec::new(),
        }
    }

    /// Adds cases under what they share.
    pub(crate) fn group(&mut self, shared: &[(&str, String)], cases: &[String]) {
        let shared = shared
            .iter()
            .map(|(name, value)| format!("{}:{value},\n ", text(name)))
            .collect::<String>();
        self.groups.push(format!(
            "{{{shared}\"cases\":[\n  {}\n ]}}",
            cases.join(",\n  ")
        ));
    }

    pub(crate) fn finish(self) -> String {
        format!(
            "{{\"format\":1,\n\"about\":{},\n\"groups\":[\n{}\n]}}\n",
            text(self.about),
            self.groups.join(",\n")
        )
    }
}
