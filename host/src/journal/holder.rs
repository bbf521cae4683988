//! Which process holds a lock, as far as Linux says.

use std::fmt;
use std::fs::{metadata, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process of this machine that holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its number, as this process sees it.
    pub process: u32,
    /// By a signal or a debugger: it does nothing until somebody lets it go on.
    pub stopped: bool,
}

impl Holder {
    /// Who holds the lock file at `path`. `None` where nobody does, or nobody that this process can see: on
    /// another machine, in another container, or where the system has no list of locks.
    pub fn of(path: &Path) -> Option<Self> {
        let file = metadata(path).ok()?;
        let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
        let process = find(
            &read_to_string("/proc/locks").ok()?,
            &format!("{major:02x}:{minor:02x}:{}", file.ino()),
        )?;
        let stat = read_to_string(format!("/proc/{process}/stat")).ok()?;
        Some(Self {
            process,
            stopped: is_stopped(&stat),
        })
    }

    /// How to say it where it may be unknown.
    pub fn name(holder: Option<Self>) -> String {
        holder.map_or_else(|| "another process".into(), |holder| holder.to_string())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = self.process;
        write!(f, "process {process}")?;
        if self.stopped {
            write!(
                f,
                ", which is stopped (`kill -CONT {process}` lets it go on),"
            )?;
        }
        Ok(())
    }
}

/// The process that has the file for itself, in the lines of `/proc/locks` (proc_locks(5)):
/// `1: FLOCK  ADVISORY  WRITE 4711 fe:00:10051668 0 EOF`, and with `->` for who waits.
fn find(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let held = words.next() == Some("FLOCK");
        let alone = words.nth(1) == Some("WRITE");
        let process = words.next()?.parse().ok()?;
        (held && alone && words.next() == Some(file) && process > 0).then_some(process)
    })
}

/// By `/proc/PID/stat`: the letter behind the program's name, which may have blanks and brackets of its own.
fn is_stopped(stat: &str) -> bool {
    let behind = stat.rsplit_once(") ").map_or("", |(_, behind)| behind);
    behind.starts_with(['T', 't'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_file_for_itself_is_found_and_nobody_who_waits_or_shares() {
        let locks = "1: POSIX  ADVISORY  WRITE 1 fe:00:7 0 EOF\n\
             2: FLOCK  ADVISORY  READ 2 fe:00:7 0 EOF\n\
             2: -> FLOCK  ADVISORY  WRITE 3 fe:00:7 0 EOF\n\
             3: FLOCK  ADVISORY  WRITE 4 fe:00:77 0 EOF\n\
             4: FLOCK  ADVISORY  WRITE 5 fe:00:8 0 EOF\n";
        assert_eq!(find(locks, "fe:00:7"), None);
        assert_eq!(find(locks, "fe:00:8"), Some(5));
        assert_eq!(find("no such\nlist\n\n", "fe:00:8"), None);
    }

    #[test]
    fn a_process_is_stopped_by_its_state_whatever_its_name() {
        for (stat, stopped) in [
            ("7 (halcyon) T 1 7", true),
            ("7 (a) b) t 1 7", true),
            ("7 () T ) S 1 7", false),
            ("7 (halcyon) S 1 7", false),
            ("", false),
        ] {
            assert_eq!(is_stopped(stat), stopped, "{stat}");
        }
    }

    #[test]
    fn this_very_process_is_found_while_it_holds_a_lock_and_not_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let file = std::fs::File::create(&path).unwrap();
        assert_eq!(Holder::of(&path), None);
        file.lock().unwrap();
        let found = Holder::of(&path).unwrap();
        assert_eq!((found.process, found.stopped), (std::process::id(), false));
        file.unlock().unwrap();
        assert_eq!(Holder::of(&path), None);
        assert_eq!(Holder::of(&dir.path().join("none")), None);
    }

    #[test]
    fn it_is_said_with_what_lets_a_stopped_one_go_on() {
        let holder = |stopped| {
            Some(Holder {
                process: 7,
                stopped,
            })
        };
        let stopped = "process 7, which is stopped (`kill -CONT 7` lets it go on),";
        assert_eq!(Holder::name(None), "another process");
        assert_eq!(Holder::name(holder(false)), "process 7");
        assert_eq!(Holder::name(holder(true)), stopped);
    }
}
