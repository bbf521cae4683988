//! `DIR/region_events.jsonl`: a line for every change of what a region is, and for what people say of it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halcyon_core::text::json;
use serde::Serialize;

use crate::{clock, group};

/// No line is longer: a reason has 1,000 characters at most.
const LINE_MAX: u64 = 64 * 1024;

/// The file. Another server of the store may write it too.
pub(super) struct Events {
    file: Arc<Lines>,
    queue: Sender<Order>,
}

/// What whoever writes is told.
enum Order {
    /// To write this, and to tell then.
    Write(Box<Event>),
    /// To say when all of that is done.
    Flush(SyncSender<()>),
}

struct Lines {
    dir: PathBuf,
    ends: Mutex<Ends>,
}

/// Where each line ends, in bytes, of this file at this length.
#[derive(Default)]
struct Ends {
    all: Vec<u64>,
    seen: Option<(u64, u64)>,
    inode: Option<u64>,
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
pub(super) struct Event {
    pub(super) event: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<&'static str>,
    pub(super) reason: String,
    /// Whose word it was, where it was somebody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Events {
    /// The events of a store, written by a thread of its own: whoever has one to write does not wait for the disk.
    /// `tell` is called behind each.
    pub(super) fn of(dir: PathBuf, tell: impl Fn() + Send + 'static) -> Self {
        let ends = Mutex::default();
        let file = Arc::new(Lines { dir, ends });
        let (queue, orders) = channel();
        let lines = file.clone();
        std::thread::spawn(move || {
            while let Ok(order) = orders.recv() {
                match order {
                    Order::Write(event) => {
                        if let Err(why) = lines.append(&event) {
                            // The table is more than the record of it.
                            tracing::error!("region_events.jsonl cannot be written: {why}");
                        }
                        tell();
                    }
                    // Who asked may not want to know any more.
                    Order::Flush(done) => drop(done.send(())),
                }
            }
        });
        Self { file, queue }
    }

    /// Has a line written behind all before it.
    pub(super) fn put(&self, event: Event) {
        // The thread ends with this.
        let _ = self.queue.send(Order::Write(Box::new(event)));
    }

    /// Waits until all lines are written. Blocks on the disk.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.send(Order::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// How many lines there are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn count(&self) -> io::Result<u64> {
        Ok(self.file.ends()?.all.len() as u64)
    }

    /// At most so many lines behind the first `after`, without their newlines.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn lines(&self, after: u64, most: usize) -> io::Result<Vec<String>> {
        self.file.lines(after, most)
    }
}

impl Lines {
    /// Appends a line, durably.
    fn append(&self, event: &Event) -> io::Result<()> {
        let timestamp = clock::now().to_string();
        let line = format!("{}\n", json(&Line { timestamp, event }));
        let mut ends = self.ends()?;
        fs::create_dir_all(&self.dir)?;
        let mut file = self.open(true)?;
        let length = file.metadata()?.len();
        // The last line of a process that was killed while it wrote: what follows must not become part of it.
        let torn = length > ends.all.last().copied().unwrap_or(0);
        let text = if torn { format!("\n{line}") } else { line };
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        ends.seen = None;
        Ok(())
    }

    fn lines(&self, after: u64, most: usize) -> io::Result<Vec<String>> {
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
        file.take(until.saturating_sub(from))
            .read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Where each line ends, of the file as it is now: somebody may have written it, or cut it.
    fn ends(&self) -> io::Result<MutexGuard<'_, Ends>> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                *ends = Ends::default();
                return Ok(ends);
            }
            Err(why) => return Err(why),
        };
        let found = file.metadata()?;
        let now = (found.ino(), found.len());
        if ends.seen == Some(now) {
            return Ok(ends);
        }
        let known = ends.all.last().copied().unwrap_or(0);
        let grown = ends.inode == Some(now.0) && known <= now.1;
        if !grown {
            ends.all.clear();
        }
        let from = ends.all.last().copied().unwrap_or(0);
        file.seek(SeekFrom::Start(from))?;
        ends.all
            .extend(line_ends(file)?.iter().map(|end| from + end));
        (ends.seen, ends.inode) = (Some(now), Some(now.0));
        Ok(ends)
    }

    /// The file; a pipe or a device in its place is refused, not waited for, and no link followed.
    fn open(&self, to_append: bool) -> io::Result<File> {
        let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW).bits() as i32;
        let open = |create: bool| {
            let mut options = File::options();
            options.read(true).append(to_append).create_new(create);
            options.mode(group::MODE).custom_flags(flags);
            options.open(self.dir.join("region_events.jsonl"))
        };
        let file = match to_append {
            true => group::open_or_make(&self.dir, open)?,
            false => open(false)?,
        };
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

    fn event(reason: &str) -> Event {
        Event {
            event: Kind::Freeze,
            region: None,
            from: None,
            to: None,
            reason: reason.into(),
            user: Some("ann".into()),
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
        let events = Events::of(store.clone(), || ());
        assert_eq!(
            (events.count().unwrap(), events.lines(0, 9).unwrap().len()),
            (0, 0)
        );
        events.put(event("one\n\u{2028}"));
        events.flush();
        events.put(event("two"));
        events.flush();
        let path = store.join("region_events.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        fs::write(&path, format!("{text}{{\"torn")).unwrap();
        let events = Events::of(store, || ());
        assert_eq!(events.count().unwrap(), 2);
        events.put(event("three"));
        events.flush();
        let all = events.lines(0, 9).unwrap();
        assert_eq!(reasons(&all), ["one\n\u{2028}", "two", "?", "three"]);
        assert_eq!(reasons(&events.lines(1, 1).unwrap()), ["two"]);
        assert_eq!(reasons(&events.lines(3, 100).unwrap()), ["three"]);
        assert!(events.lines(4, 1).unwrap().is_empty());
        assert!(events.lines(u64::MAX, 1).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_was_cut_or_put_in_another_place_is_read_anew() {
        let dir = TempDir::new().unwrap();
        let events = Events::of(dir.path().to_path_buf(), || ());
        let other = Events::of(dir.path().to_path_buf(), || ());
        for reason in ["one", "two", "three"] {
            events.put(event(reason));
            events.flush();
        }
        other.put(event("four"));
        other.flush();
        assert_eq!(reasons(&events.lines(2, 9).unwrap()), ["three", "four"]);
        let path = dir.path().join("region_events.jsonl");
        fs::write(&path, "").unwrap();
        assert_eq!(
            (events.count().unwrap(), events.lines(0, 9).unwrap().len()),
            (0, 0)
        );
        events.put(event("five"));
        events.flush();
        assert_eq!(reasons(&events.lines(0, 9).unwrap()), ["five"]);
        fs::rename(&path, dir.path().join("old")).unwrap();
        assert_eq!(events.count().unwrap(), 0);
        events.put(event("six"));
        events.flush();
        assert_eq!(reasons(&events.lines(0, 9).unwrap()), ["six"]);
    }
}
