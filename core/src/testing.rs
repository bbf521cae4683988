//! What the tests of several modules share.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::Environment;
use crate::document::Document;

/// A lookup over a table of variables.
pub(crate) fn env(table: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let table: Vec<(String, String)> = table
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    move |name| {
        table
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }
}

/// Variables, and files by their path; all of them are JSON.
pub(crate) struct WithFiles<'a> {
    pub(crate) table: &'a [(&'a str, &'a str)],
    pub(crate) files: &'a [(&'a str, &'a str)],
}

impl Environment for WithFiles<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        env(self.table)(name)
    }

    fn document(&self, _: &str, path: &str) -> Result<Document, String> {
        let file = self.files.iter().find(|(known, _)| *known == path);
        Document::from_json(file.ok_or("cannot be read: no such file")?.1)
    }
}

/// Three regions, tenants by hash, and `more` on top.
pub(crate) fn three_regions(more: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let mut table = alloc::vec![
        ("REGIONS", "us-east,us-west,eu-west"),
        ("PRIMARY_REGION", "us-east"),
        ("TENANT_STICKY", "hash"),
    ];
    table.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    table.extend(more);
    env(&table)
}
