//! `DIR/region_events.jsonl`: a line for every change of what a region is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use halcyon_core::text::json;
use serde::Serialize;

use crate::clock;

/// Who made it and its group, as with every file of a store.
const MODE: u32 = 0o640;

pub(super) struct Events {
    dir: PathBuf,
    /// One line at a time.
    writing: Mutex<()>,
}

#[derive(Serialize)]
struct Event<'a> {
    timestamp: String,
    event: &'static str,
    region: &'a str,
    from: &'a str,
    to: &'a str,
    reason: &'a str,
}

impl Events {
    pub(super) fn of(dir: PathBuf) -> Self {
        let writing = Mutex::default();
        Self { dir, writing }
    }

    /// Appends a line, durably.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn append(
        &self,
        region: &str,
        from: &str,
        to: &str,
        reason: &str,
    ) -> io::Result<()> {
        let line = json(&Event {
            timestamp: clock::now().to_string(),
            event: "health",
            region,
            from,
            to,
            reason,
        });
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        fs::create_dir_all(&self.dir)?;
        let mut file = open(&self.dir.join("region_events.jsonl"))?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    }
}

/// The file to append to; a pipe or a device in its place is refused, not waited for, and no link followed.
fn open(path: &std::path::Path) -> io::Result<File> {
    let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW).bits() as i32;
    let mut options = File::options();
    let options = options
        .append(true)
        .create(true)
        .mode(MODE)
        .custom_flags(flags);
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}
