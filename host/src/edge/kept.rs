//! The last good table on disk, so that a restart begins with it and takes no older one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use halcyon_core::table::LONGEST;
use halcyon_core::text::printable;

use super::tables::{LINE_MAX, read_regular};
use crate::replace::replace;

/// Where the last good table is kept.
pub(super) struct Kept {
    file: PathBuf,
    /// What could not be written.
    unwritten: Mutex<Option<Vec<u8>>>,
}

impl Kept {
    pub(super) fn in_dir(dir: &str) -> Self {
        Self {
            file: Path::new(dir).join("last-table"),
            unwritten: Mutex::default(),
        }
    }

    fn shown(&self) -> String {
        printable(&self.file.display().to_string())
    }

    fn unwritten(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The table that was kept, and its signature, if there is one. Blocks.
    pub(super) fn read(&self) -> Option<(Vec<u8>, Option<String>)> {
        let mut bytes = match read_regular(&self.file, LONGEST + LINE_MAX) {
            Ok(bytes) => bytes?,
            Err(why) => {
                let path = self.shown();
                tracing::warn!("EDGE_STATE_DIR: {path} cannot be read: {why}");
                return None;
            }
        };
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let table = bytes.split_off(line);
        let signature = String::from_utf8(bytes).ok();
        let signature = signature.filter(|text| !text.is_empty());
        Some((table.get(1..).unwrap_or_default().to_vec(), signature))
    }

    /// Keeps a table instead of the last one. Where that cannot be, it is kept when [`again`](Self::again) can.
    /// Blocks.
    pub(super) fn write(&self, table: &[u8], signature: Option<&str>) {
        // In one file, so that no crash leaves the one without the other: the signature, if there is one, a line
        // feed, and the table's bytes.
        let signature = signature.unwrap_or("").trim().as_bytes();
        let bytes = [signature, b"\n", table].concat();
        let written = self.put(&bytes);
        *self.unwritten() = written.is_err().then_some(bytes);
        if let Err(why) = written {
            // A full disk must not keep anybody from the region that is up.
            let path = self.shown();
            tracing::warn!(
                "EDGE_STATE_DIR: {path} cannot be written, so a restart may begin with an older table: {why}"
            );
        }
    }

    /// Whether the table in force could not be written.
    pub(super) fn is_behind(&self) -> bool {
        self.unwritten().is_some()
    }

    /// Tries once more to write what could not be written. Blocks.
    pub(super) fn again(&self) {
        let mut unwritten = self.unwritten();
        if let Some(bytes) = &*unwritten
            && self.put(bytes).is_ok()
        {
            *unwritten = None;
            drop(unwritten);
            tracing::info!("EDGE_STATE_DIR: {} is written now", self.shown());
        }
    }

    fn put(&self, bytes: &[u8]) -> std::io::Result<()> {
        std::fs::create_dir_all(self.file.parent().unwrap_or(Path::new(".")))?;
        replace(&self.file, bytes)
    }
}
