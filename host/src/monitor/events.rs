//! `DIR/region_events.jsonl`: a line for every change of what a region is, and for what people say of it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use halcyon_core::text::json;
use serde::Serialize;

use crate::clock;

/// Who made it and its group, as with every file of a store.
const MODE: u32 = 0o640;

/// No line is longer: a reason has 1,000 characters at most.
const LINE_MAX: u64 = 64 * 1024;

/// The file, of which no other process writes.
pub(super) struct Events {
    dir: PathBuf,
    /// Where each line ends, in bytes; one line is written at a time.
    ends: Mutex<Ends>,
}

#[derive(Default)]
struct Ends {
    /// Whether what stood there before this process has been looked at.
    read: bool,
    all: Vec<u64>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Probes say something else of a region.
    Health,
    /// A person says what a region is.
    Override,
    /// A person takes that back.
    OverrideRemoved,
    /// Its time is over.
    OverrideExpired,
    /// A person stops all automatic change.
    Freeze,
    /// A person lets it go on.
    Unfreeze,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Event<'a> {
    pub(super) event: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<&'a str>,
    pub(super) reason: &'a str,
    /// Whose word it was, where it was somebody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Events {
    pub(super) fn of(dir: PathBuf) -> Self {
        let ends = Mutex::default();
        Self { dir, ends }
    }

    /// Appends a line, durably.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn append(&self, event: &Event<'_>) -> io::Result<()> {
        let timestamp = clock::now().to_string();
        let line = format!("{}\n", json(&Line { timestamp, event }));
        let mut ends = self.ends()?;
        fs::create_dir_all(&self.dir)?;
        let mut file = self.open(true)?;
        let length = file.metadata()?.len();
        // The last line of a process that was killed while it wrote: what follows must not become part of it.
        let torn = length > ends.all.last().copied().unwrap_or(0);
        if torn {
            file.write_all(b"\n")?;
            ends.all.push(length + 1);
        }
        file.write_all(line.as_bytes())?;
        file.sync_data()?;
        ends.all.push(length + u64::from(torn) + line.len() as u64);
        Ok(())
    }

    /// How many lines there are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn count(&self) -> io::Result<u64> {
        Ok(self.ends()?.all.len() as u64)
    }

    /// At most so many lines behind the first `after`, without their newlines.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn lines(&self, after: u64, most: usize) -> io::Result<Vec<String>> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let ends = self.ends()?;
        let total = ends.all.len();
        if after >= total {
            return Ok(Vec::new());
        }
        let from = after.checked_sub(1).map_or(0, |last| ends.all[last]);
        let until = ends.all[total.min(after.saturating_add(most)) - 1];
        drop(ends);
        let mut file = self.open(false)?;
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.take(until - from).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn ends(&self) -> io::Result<MutexGuard<'_, Ends>> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if !ends.read {
            ends.all = match self.open(false) {
                Ok(file) => line_ends(file)?,
                Err(why) if why.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(why) => return Err(why),
            };
            ends.read = true;
        }
        Ok(ends)
    }

    /// The file; a pipe or a device in its place is refused, not waited for, and no link followed.
    fn open(&self, to_append: bool) -> io::Result<File> {
        let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW).bits() as i32;
        let mut options = File::options();
        options.read(true).append(to_append).create(to_append);
        options.mode(MODE).custom_flags(flags);
        let file = options.open(self.dir.join("region_events.jsonl"))?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is no regular file")),
        }
    }
}

/// Where each whole line ends.
fn line_ends(file: File) -> io::Result<Vec<u64>> {
    let mut reader = BufReader::new(file);
    let (mut ends, mut at, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line)?;
        at += read as u64;
        match line.last() {
            None => return Ok(ends),
            Some(b'\n') => ends.push(at),
            // The beginning of a longer one, or a torn one.
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn event(reason: &str) -> Event<'_> {
        Event {
            event: Kind::Freeze,
            region: None,
            from: None,
            to: None,
            reason,
            user: Some("ann"),
        }
    }

    fn reasons(lines: &[String]) -> Vec<String> {
        let reason = |line: &String| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(value["reason"].as_str()?.to_owned())
        };
        let lines = lines.iter();
        lines
            .map(|line| reason(line).unwrap_or_else(|| "?".into()))
            .collect()
    }

    #[test]
    fn lines_are_numbered_over_a_restart_and_a_torn_one_swallows_none() {
        let dir = TempDir::new().unwrap();
        let store = dir.path().join("logs");
        let events = Events::of(store.clone());
        assert_eq!(
            (events.count().unwrap(), events.lines(0, 9).unwrap().len()),
            (0, 0)
        );
        events.append(&event("one\n\u{2028}")).unwrap();
        events.append(&event("two")).unwrap();
        let path = store.join("region_events.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        fs::write(&path, format!("{text}{{\"torn")).unwrap();
        let events = Events::of(store);
        assert_eq!(events.count().unwrap(), 2);
        events.append(&event("three")).unwrap();
        let all = events.lines(0, 9).unwrap();
        assert_eq!(reasons(&all), ["one\n\u{2028}", "two", "?", "three"]);
        assert_eq!(reasons(&events.lines(1, 1).unwrap()), ["two"]);
        assert_eq!(reasons(&events.lines(3, 100).unwrap()), ["three"]);
        assert!(events.lines(4, 1).unwrap().is_empty());
        assert!(events.lines(u64::MAX, 1).unwrap().is_empty());
    }
}
